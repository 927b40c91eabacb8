"""Compiled twin of the stacking of rows in :mod:`exactfd.jacobians`: the same residues."""

from __future__ import annotations

from typing import Any

import numpy as np

from exactfd.compiled import compiled

FloatArray = np.ndarray[Any, np.dtype[np.float64]]
Indices = np.ndarray[Any, np.dtype[np.intp]]


@compiled
def stack_block(left: FloatArray, right: FloatArray, places: Indices, prime: float, table: FloatArray) -> None:
    """Enter the block ``L^l (x) (R^{l-1})^T``, reduced, into a table of zeros ``m x n_d x c x columns``: each parameter
    of the layer into the column that is its place, or nowhere where that is negative.
    """
    factor, width = 1.0 / prime, right.shape[1]
    for point in range(left.shape[0]):
        for output in range(left.shape[1]):
            for neuron in range(left.shape[2]):
                slope = left[point, output, neuron]
                if slope != 0.0:
                    for k in range(width):
                        place = places[neuron * width + k]
                        if place >= 0:
                            for column in range(right.shape[2]):
                                value = slope * right[point, k, column]
                                table[point, output, column, place] = value - np.rint(value * factor) * prime
