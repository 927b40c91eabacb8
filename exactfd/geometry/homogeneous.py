"""The ReLU part of a network as integer matrices on homogeneous coordinates.

Biases are multiplied by an extra coordinate ``t`` and the network is looked at on ``t >= 0``: points of ``R^{n_0}``
have ``t > 0`` and directions at infinity have ``t = 0``. The homogenised network is piecewise linear, so one
evaluation serves vertices and rays alike. Multiplying a neuron by a positive number changes no sign, so every row can
be made integral (for exact evaluation) or of size one (for floats).

If the first ReLU layer has rank ``r < n_0``, nothing depends on the kernel of its weights. The coordinates are then
``r`` independent pre-activations of the first layer, and each cell of ``R^r`` stands for its product with
``R^{n_0 - r}``. With ``r`` independent hyperplanes in the arrangement, no cell of ``R^r`` contains a line.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from flint import arb_mat, fmpq, fmpq_mat, fmpz, fmpz_mat

from exactfd.linalg.exact import pivot_columns
from exactfd.network import Network
from exactfd.rationals import primitive

FloatArray = np.ndarray[Any, np.dtype[np.float64]]
BoolArray = np.ndarray[Any, np.dtype[np.bool_]]
Exponents = np.ndarray[Any, np.dtype[np.int64]]


#: Integers and their common denominator.
Fractions = tuple[fmpz_mat, fmpz]

_NEVER = np.iinfo(np.int64).min
_SHORT = 1024  # bits of a denominator that all entries of a layer may have in common


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
    floats
        Where they are known, for each layer: floats of which the entries without the last column are exact multiples,
        and the exponent ``k`` of the multiple ``2^k``.
    """

    rank: int
    lineality: int
    layers: tuple[fmpz_mat, ...]
    lift: fmpq_mat
    floats: tuple[tuple[FloatArray, int] | None, ...] = field(default=(), compare=False)  # the layers tell them

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """Number of neurons of each ReLU layer."""
        return tuple(layer.nrows() for layer in self.layers)

    @cached_property
    def rounded_layers(self) -> list[tuple[FloatArray, Exponents]]:
        """Each layer as mantissas and exponents (see :func:`rounded`)."""
        known = self.floats or (None,) * len(self.layers)
        return [_rounded_layer(layer, floats) for layer, floats in zip(self.layers, known, strict=True)]

    @cached_property
    def exponents(self) -> list[Exponents]:
        """Per layer, ``k_i`` such that ``2^{-k_i}`` times neuron ``i`` has coefficients at most one (floats only), and
        0 at the end, for ``t``.
        """
        result: list[Exponents] = []
        columns = np.zeros(self.layers[0].ncols() if self.layers else 0, dtype=np.int64)
        for mantissas, exponents in self.rounded_layers:
            top = np.maximum.reduce(np.where(mantissas != 0.0, exponents + columns, _NEVER), axis=1)
            columns = np.zeros(len(top) + 1, dtype=np.int64)
            np.copyto(columns[:-1], top, where=top != _NEVER)
            result.append(columns)
        return result

    def float_layer(self, index: int) -> tuple[FloatArray, BoolArray]:
        """Layer ``index`` (from 0) in float64, entries at most one in size, correct to ``2^-52`` relative and
        ``2^-1074`` absolute; and which entries are not zero.
        """
        mantissas, exponents = self.rounded_layers[index]
        columns = self.exponents[index - 1] if index else np.zeros(mantissas.shape[1], dtype=np.int64)
        shifts = exponents + columns - self.exponents[index][:-1, None]
        return scaled(mantissas, shifts), mantissas != 0.0

    def nearest_layers(self) -> tuple[FloatArray, list[int]] | None:
        """All layers in floats, rounded, one after the other, and for each an exponent ``k``: all but its last column
        are to be multiplied by ``2^k``. Infinite, or None, where a number is out of the range of floats.
        """
        tables, powers = [], []
        for layer, known in zip(self.layers, self.floats or (None,) * len(self.layers), strict=True):
            if known is None:
                tables.append(nearest(layer).reshape(-1))
                powers.append(0)
                continue
            table, last = np.empty((layer.nrows(), layer.ncols())), layer.ncols() - 1
            try:
                table[:, -1] = [float(layer[i, last]) for i in range(layer.nrows())]
            except OverflowError:
                return None
            table[:, :-1] = known[0]
            tables.append(table.reshape(-1))
            powers.append(known[1])
        return (tables[0] if len(tables) == 1 else np.concatenate(tables)), powers

    def point(self, coordinates: Sequence[fmpz]) -> list[fmpq]:
        """The representative in ``R^{n_0}`` of integer homogeneous coordinates (a direction when ``t = 0``)."""
        *column, below = self.lifted(coordinates)
        return [fmpq(entry, below or 1) for entry in column]

    def lifted(self, coordinates: Sequence[fmpz]) -> list[fmpz]:
        """The same as integers ``(x, t)`` without a common factor."""
        numerators, denominator = self._integer_lift
        column: list[fmpz] = (numerators * fmpz_mat(len(coordinates), 1, coordinates)).entries()
        column.append(denominator * coordinates[-1])
        return primitive(column)

    @cached_property
    def _integer_lift(self) -> Fractions:
        numerators, denominator = self.lift.numer_denom()
        return numerators, denominator


def nearest(matrix: fmpz_mat) -> FloatArray:
    """The entries rounded; infinite where they are out of range. (By way of balls: quicker than from integers.)"""
    floats = np.array([float(entry) for entry in arb_mat(matrix).entries()])
    return floats.reshape(matrix.nrows(), matrix.ncols())


def _rounded_layer(layer: fmpz_mat, floats: tuple[FloatArray, int] | None) -> tuple[FloatArray, Exponents]:
    """As :func:`rounded`, of all entries; most of them need not be converted where floats are known."""
    if floats is None:
        floats_of_all = nearest(layer)
        if not np.isfinite(floats_of_all).all():
            return rounded(layer.tolist())
        mantissas, exponents = np.frexp(floats_of_all)
        return mantissas, exponents.astype(np.int64)
    last = layer.ncols() - 1
    mantissas, exponents = np.frexp(floats[0])
    own, powers = rounded([[layer[i, last]] for i in range(layer.nrows())])
    return np.hstack([mantissas, own]), np.hstack([exponents + np.int64(floats[1]), powers])


def rounded(rows: list[list[fmpz]]) -> tuple[FloatArray, Exponents]:
    """Integers as ``mantissa * 2^exponent``, relative error below ``2^-52``; zero and nothing else has mantissa 0.

    >>> mantissas, exponents = rounded([[fmpz(-3), fmpz(2) ** 5000]])
    >>> mantissas.tolist(), exponents.tolist()
    ([[-0.75, 0.5]], [[2, 5001]])
    """
    try:
        floats = np.array([float(entry) for row in rows for entry in row])
        mantissas, exponents = np.frexp(floats.reshape(len(rows), len(rows[0]) if rows else 0))
        return mantissas, exponents.astype(np.int64)
    except OverflowError:
        excess = [[max(entry.bit_length() - 64, 0) for entry in row] for row in rows]
        heads = [
            [int(abs(entry) >> more) * (-1 if entry < 0 else 1) for entry, more in zip(row, line, strict=True)]
            for row, line in zip(rows, excess, strict=True)
        ]
        mantissas, exponents = np.frexp(np.array(heads, dtype=np.float64))
        return mantissas, exponents + np.array(excess, dtype=np.int64)


def scaled(mantissas: FloatArray, exponents: Exponents) -> FloatArray:
    """``mantissas * 2^exponents``; what underflows is within ``2^-1074``."""
    shifts = np.maximum(np.minimum(exponents, 5000), -5000)  # `clip` takes five times as long for a few numbers
    return np.ldexp(mantissas, shifts.astype(np.int32))


def homogenise(network: Network, *, quotient: bool = True) -> HomogeneousNetwork:
    """Integer homogeneous form of the ReLU layers of ``network``.

    With ``quotient`` the coordinates are independent pre-activations of the first ReLU layer (none when the network
    has no ReLU at all); without it they are the inputs themselves, as a bounding box needs.
    """
    n0 = network.input_dimension
    count = len(network.relu_widths)
    augmented: list[fmpq_mat | Fractions] = [network.augmented(number) for number in range(1, count + 1)]
    if not quotient:
        lift = fmpq_mat(n0, n0 + 1)
        for i in range(n0):
            lift[i, i] = fmpq(1)
        rank = n0
    else:
        rank, first, lift = _first_layer_coordinates(network, n0)
        augmented[:1] = [first] if augmented else []
    layers: list[fmpz_mat] = []
    floats: list[tuple[FloatArray, int] | None] = []
    scales = [fmpq(1)] * rank
    for number, matrix in enumerate(augmented):
        layer, scales, power = _integer_layer(matrix, scales, network.stored_in_floats)
        layers.append(layer)
        if power is None or (quotient and number == 0) or not network.stored_in_floats:
            floats.append(None)
        else:
            floats.append((network.nearest_layers[number][:, :-1], power))
    return HomogeneousNetwork(rank, n0 - rank, tuple(layers), lift, tuple(floats))


def _integer_layer(
    matrix: fmpq_mat | Fractions, scales: list[fmpq], floats: bool
) -> tuple[fmpz_mat, list[fmpq], int | None]:
    """Integral positive multiples of the rows, on inputs that are multiplied by ``scales``; the scales of the outputs;
    and ``k`` where the weights are multiplied by ``2^k``.

    Rows are multiplied alike where that leaves integers short; otherwise each becomes primitive. With ``floats`` the
    network is stored in floats: denominators are powers of two or, in the coordinates of a first layer, such multiples
    of divisors of one determinant, so that a common one is about as long as the longest.
    """
    fractions = matrix if isinstance(matrix, tuple) else _fractions(matrix, floats)
    first = scales[0] if scales else fmpq(1)
    if fractions is not None and first.q == 1 and all(scale == first for scale in scales):
        integers, denominator = fractions
        if denominator.bit_length() <= _SHORT:
            last = integers.ncols() - 1
            if first != 1:
                for i in range(integers.nrows()):
                    integers[i, last] *= first.p
            power = denominator.bit_length() - 1
            outputs = [first * denominator] * integers.nrows()
            return integers, outputs, power if denominator == fmpz(1) << power else None
    if isinstance(matrix, tuple):
        matrix = fmpq_mat(matrix[0]) / matrix[1]
    return *_primitive_layer(matrix, scales), None


def _fractions(matrix: fmpq_mat, floats: bool) -> Fractions | None:
    """The entries over their common denominator; None where that would make them long.

    Thousands of denominators of hundreds of bits have a common one of a million, and so has every entry then.
    """
    common = fmpz(1)
    if not floats:
        for entry in matrix.entries():
            common = common.lcm(entry.q)
            if common.bit_length() > _SHORT:
                return None
    numerators, denominator = matrix.numer_denom()
    return numerators, denominator


def _primitive_layer(matrix: fmpq_mat, scales: list[fmpq]) -> tuple[fmpz_mat, list[fmpq]]:
    common = fmpz(1)
    for scale in scales:
        common = common.lcm(scale.p)
    units = [(common * scale.q) // scale.p for scale in scales] + [common]
    rows: list[list[fmpz]] = []
    outputs: list[fmpq] = []
    for row in matrix.tolist():
        numerators, denominator = fmpq_mat(1, len(row), row).numer_denom()
        integers = [entry * unit for entry, unit in zip(numerators.entries(), units, strict=True)]
        content = fmpz(0)
        for entry in integers:
            content = content.gcd(entry)
            if content == 1:
                break
        rows.append([entry // content for entry in integers] if content > 1 else integers)
        outputs.append(fmpq(denominator * common, content) if content else fmpq(1))
    return fmpz_mat(rows), outputs


def _first_layer_coordinates(network: Network, n0: int) -> tuple[int, fmpq_mat | Fractions, fmpq_mat]:
    """Rank, first layer and lift in the coordinates ``y = (r independent pre-activations)``."""
    if not network.relu_widths:
        return 0, fmpq_mat(0, 1), fmpq_mat(n0, 1)
    first = network.augmented(1)
    columns, change = _independent(first, n0)
    rank = len(columns)
    if rank == 0:  # every hyperplane is at infinity or everything: signs are constants
        return 0, fmpq_mat([row[-1:] for row in first.tolist()]), fmpq_mat(n0, 1)
    chosen = first if rank == n0 else fmpq_mat([[row[j] for j in (*columns, n0)] for row in first.tolist()])
    lift = fmpq_mat(n0, rank + 1)
    for i, column in enumerate(columns):
        for j in range(rank + 1):
            lift[column, j] = change[i, j]
    own, other = (_fractions(part, network.stored_in_floats) for part in (chosen, change))
    if own is None or other is None:
        return rank, chosen * change, lift
    return rank, (own[0] * other[0], own[1] * other[1]), lift  # fewer and cheaper steps than with fractions


def _independent(first: fmpq_mat, n0: int) -> tuple[Sequence[int], fmpq_mat]:
    """With the first rows ``i`` of the weights that are a basis of their span: the first columns ``J`` on which they
    are one, and the matrix that takes ``(W_i x + b_i t)_i, t`` to ``x_J, t`` where the other entries of ``x`` are 0.
    """
    if first.nrows() >= n0:
        with suppress(ZeroDivisionError):
            return range(n0), _inverse(first, range(n0), range(n0))
    weight = [row[:-1] for row in first.tolist()]
    rows = pivot_columns(fmpq_mat(weight).transpose())
    columns = pivot_columns(fmpq_mat([weight[i] for i in rows])) if rows else []
    return columns, _inverse(first, rows, columns)


def _inverse(first: fmpq_mat, rows: Sequence[int], columns: Sequence[int]) -> fmpq_mat:
    """Of the minor of these weights, bordered by the biases and a row for ``t``."""
    last = first.ncols() - 1
    bordered = [[*(first[i, j] for j in columns), first[i, last]] for i in rows]
    return fmpq_mat([*bordered, [*([0] * len(columns)), 1]]).inv()
