"""The ReLU part of a network as integer matrices on homogeneous coordinates.

Biases are multiplied by an extra coordinate ``t`` and the network is looked at on ``t >= 0``: points of ``R^{n_0}``
have ``t > 0`` and directions at infinity have ``t = 0``. The homogenised network is piecewise linear, so one
evaluation serves vertices and rays alike. Multiplying a neuron by a positive number changes no sign, so every row can
be made primitive and integral (for exact evaluation) or of size one (for floats).

If the first ReLU layer has rank ``r < n_0``, nothing depends on the kernel of its weights. The coordinates are then
``r`` independent pre-activations of the first layer, and each cell of ``R^r`` stands for its product with
``R^{n_0 - r}``. With ``r`` independent hyperplanes in the arrangement, no cell of ``R^r`` contains a line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat, fmpz, fmpz_mat

from exactfd import rationals
from exactfd.linalg.exact import pivot_columns
from exactfd.network import Network

FloatArray = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class HomogeneousNetwork:
    """Integer layers on the coordinates ``(y_1, ..., y_r, t)``.

    Attributes
    ----------
    rank
        ``r``, the dimension of the space in which cells are enumerated.
    lineality
        ``n_0 - r``, to be added to every dimension.
    layers
        One integer matrix ``n_l x (n_{l-1} + 1)`` per ReLU layer (``n_0`` replaced by ``r``), last column for ``t``;
        row ``i`` is a positive multiple of neuron ``i``, with the inputs multiplied likewise.
    lift
        Rational ``n_0 x (r + 1)`` matrix: a point ``(y, t)`` stands for ``x = lift (y, t) / t`` modulo the lineality.
    """

    rank: int
    lineality: int
    layers: tuple[fmpz_mat, ...]
    lift: fmpq_mat

    @property
    def widths(self) -> tuple[int, ...]:
        """Number of neurons of each ReLU layer."""
        return tuple(layer.nrows() for layer in self.layers)

    @cached_property
    def _rounded(self) -> list[FloatArray | None]:
        """Each layer rounded to floats; None where that overflows."""
        result: list[FloatArray | None] = []
        for layer in self.layers:
            try:
                result.append(np.array([[float(int(e)) for e in row] for row in layer.tolist()], dtype=np.float64))
            except OverflowError:
                result.append(None)
        return result

    @cached_property
    def exponents(self) -> list[list[int]]:
        """Per layer, ``k_i`` such that ``2^{-k_i}`` times neuron ``i`` has coefficients at most one (floats only)."""
        result: list[list[int]] = []
        previous = [0] * (self.layers[0].ncols() - 1) if self.layers else []
        for layer, rounded in zip(self.layers, self._rounded, strict=True):
            columns = [*previous, 0]
            if rounded is not None:
                lengths = np.frexp(rounded)[1] + np.array(columns, dtype=np.int64)
                lengths[rounded == 0.0] = np.iinfo(np.int64).min
                top = lengths.max(axis=1)
                previous = np.where((rounded != 0.0).any(axis=1), top, 0).tolist()
            else:
                previous = [
                    max((int(e).bit_length() + k for e, k in zip(row, columns, strict=True) if e != 0), default=0)
                    for row in layer.tolist()
                ]
            result.append(previous)
        return result

    def float_layer(self, index: int) -> tuple[FloatArray, FloatArray]:
        """Layer ``index`` (from 0) as ``(M, |M|)`` in float64, entries at most one in size, correct to ``2^-52``
        relative; ``|M|`` is raised to ``1e-40`` on nonzero entries so that no bound made from it underflows.
        """
        columns = [*(self.exponents[index - 1] if index else [0] * (self.layers[0].ncols() - 1)), 0]
        rounded = self._rounded[index]
        if rounded is not None:
            nonzero = rounded != 0.0
            shifts = np.array(columns)[None, :] - np.array(self.exponents[index])[:, None]
            values: FloatArray = np.ldexp(rounded, np.clip(shifts, -5000, 5000))
        else:
            table = [
                [scaled_float(entry, k - shift) for entry, shift in zip(row, columns, strict=True)]
                for row, k in zip(self.layers[index].tolist(), self.exponents[index], strict=True)
            ]
            nonzero = np.array([[entry != 0 for entry in row] for row in self.layers[index].tolist()])
            values = np.array(table, dtype=np.float64)
        return values, np.where(nonzero, np.maximum(np.abs(values), 1e-40), 0.0)

    def point(self, coordinates: Sequence[fmpz]) -> list[fmpq]:
        """The representative in ``R^{n_0}`` of integer homogeneous coordinates (a direction when ``t = 0``)."""
        column = self.lift * fmpq_mat(len(coordinates), 1, list(coordinates))
        t = coordinates[-1]
        entries: list[fmpq] = column.entries()
        return [entry / t for entry in entries] if t != 0 else entries


def scaled_float(value: fmpz, exponent: int) -> float:
    """``value * 2^-exponent`` as a float, relative error below ``2^-52`` (zero or subnormal when it underflows)."""
    size = value.bit_length()
    if size == 0:
        return 0.0
    excess = max(size - 64, 0)
    head = int(abs(value)) >> excess
    result = float(np.ldexp(float(head), min(excess - exponent, 2000)))
    return -result if value < 0 else result


def homogenise(network: Network, *, quotient: bool = True) -> HomogeneousNetwork:
    """Integer homogeneous form of the ReLU layers of ``network``.

    With ``quotient`` the coordinates are independent pre-activations of the first ReLU layer (none when the network
    has no ReLU at all); without it they are the inputs themselves, as a bounding box needs.
    """
    n0 = network.input_dimension
    count = len(network.relu_widths)
    augmented = [network.augmented(number) for number in range(1, count + 1)]
    if not quotient:
        lift = fmpq_mat(n0, n0 + 1)
        for i in range(n0):
            lift[i, i] = fmpq(1)
        rank = n0
    else:
        rank, first, lift = _first_layer_coordinates(augmented[0] if augmented else None, n0)
        augmented[:1] = [first] if augmented else []
    layers: list[fmpz_mat] = []
    scales = [fmpq(1)] * rank
    for matrix in augmented:
        rows, new_scales = [], []
        for row in matrix.tolist():
            integers, scale = rationals.primitive_row(
                [entry / s for entry, s in zip(row[:-1], scales, strict=True)] + [row[-1]]
            )
            rows.append(integers)
            new_scales.append(scale)
        layers.append(fmpz_mat(rows))
        scales = new_scales
    return HomogeneousNetwork(rank=rank, lineality=n0 - rank, layers=tuple(layers), lift=lift)


def _first_layer_coordinates(first: fmpq_mat | None, n0: int) -> tuple[int, fmpq_mat, fmpq_mat]:
    """Rank, first layer and lift in the coordinates ``y = (r independent pre-activations)``."""
    if first is None:
        return 0, fmpq_mat(0, 1), fmpq_mat(n0, 1)
    n = first.nrows()
    weight = fmpq_mat(n, n0, [first[i, j] for i in range(n) for j in range(n0)])
    rows = pivot_columns(weight.transpose())
    rank = len(rows)
    if rank == 0:  # every hyperplane is at infinity or everything: signs are constants
        return 0, fmpq_mat(n, 1, [first[i, n0] for i in range(n)]), fmpq_mat(n0, 1)
    columns = pivot_columns(fmpq_mat(rank, n0, [weight[i, j] for i in rows for j in range(n0)]))
    inverse = fmpq_mat(rank, rank, [weight[i, j] for i in rows for j in columns]).inv()
    offset = fmpq_mat(rank, 1, [first[i, n0] for i in rows])
    coefficients = fmpq_mat(n, rank, [weight[i, j] for i in range(n) for j in columns]) * inverse
    constants = coefficients * offset
    new_first = fmpq_mat(n, rank + 1)
    for i in range(n):
        for j in range(rank):
            new_first[i, j] = coefficients[i, j]
        new_first[i, rank] = first[i, n0] - constants[i, 0]
    lift = fmpq_mat(n0, rank + 1)
    shift = inverse * offset
    for i, column in enumerate(columns):
        for j in range(rank):
            lift[column, j] = inverse[i, j]
        lift[column, rank] = -shift[i, 0]
    return rank, new_first, lift
