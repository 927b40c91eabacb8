"""Compiled twin of the float filter in :func:`exactfd.geometry.location.ternary_tuples`."""

from __future__ import annotations

from typing import Any

import numpy as np

from exactfd.compiled import compiled
from exactfd.geometry.bounds import UNIT

FloatArray = np.ndarray[Any, np.dtype[np.float64]]
SignArray = np.ndarray[Any, np.dtype[np.int8]]
BoolArray = np.ndarray[Any, np.dtype[np.bool_]]


@compiled
def layer_signs(
    values: FloatArray,
    errors: FloatArray,
    columns: FloatArray,
    low: float,
    high: float,
    fair: BoolArray,
    signs: SignArray,
    start: int,
) -> tuple[FloatArray, FloatArray]:
    """Signs of the neurons of a layer (``columns``: its weights by input, then its biases) at many points: columns of
    ``signs`` from ``start`` on.

    ``fair`` becomes false where a sign is not certain, or a number not between ``low`` and ``high`` in size. Returns
    the outputs after ReLU and bounds on their errors. The bounds are those of the NumPy code, good for any order of
    the sums.
    """
    inputs, neurons = columns.shape[0] - 1, columns.shape[1]
    outputs, bounds = np.empty((len(values), neurons)), np.empty((len(values), neurons))
    reach = np.empty(neurons)
    for point in range(len(values)):
        z, spread = outputs[point], bounds[point]
        for i in range(neurons):
            z[i], reach[i], spread[i] = columns[inputs, i], abs(columns[inputs, i]), 0.0
        for j in range(inputs):
            value, size, error = values[point, j], abs(values[point, j]), errors[point, j]
            for i in range(neurons):
                weight = abs(columns[j, i])
                z[i] += value * columns[j, i]
                reach[i] += size * weight
                spread[i] += error * weight
        certain = True
        for i in range(neurons):
            bound = spread[i] * (1 + 8 * UNIT) + (inputs + 7) * UNIT * reach[i]
            bound = bound * (1 + 1e-9) + 1e-100
            size = abs(z[i])
            certain &= size > bound and low < size < high
            if z[i] > 0.0:
                signs[point, start + i], spread[i] = 1, bound
            else:
                signs[point, start + i], z[i], spread[i] = -1, 0.0, 0.0
        fair[point] &= certain
    return outputs, bounds
