"""The Jacobian of the evaluation map Ev_Z: at points and per cell; exact, modulo a prime, in floats.

On a cell the network is affine, ``F(x) = M x + c``, and so is every entry of the derivative with respect to ``theta``
(arXiv 2209.04036, Lemma 2.8). With ``L^l = d out / d z^l`` (``n_d x n_l``) and ``R^{l-1}`` the input of layer ``l``
as an affine function of ``x`` (``(n_{l-1} + 1) x (n_0 + 1)`` coefficients, the last row being the constant one), the
block of ``A^l`` is ``L^l (x) (R^{l-1})^T``.

Rows: point by point (or cell by cell), inside that output by output, and for a cell inside that the coefficients of
``x_1, ..., x_{n_0}, 1``. Columns: the order of ``theta``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat, fmpz

from exactfd import compiled
from exactfd.errors import InputError, NonSmoothPointError
from exactfd.geometry.labels import smooth_mask, split_layers
from exactfd.geometry.location import ternary_tuples
from exactfd.linalg import modular
from exactfd.linalg.residues import DyadicTable, RationalTable, usable
from exactfd.network import Network
from exactfd.points import Point, Points, checked_points

Indices = np.ndarray[Any, np.dtype[np.intp]]
FloatArray = np.ndarray[Any, np.dtype[np.float64]]
SignArray = np.ndarray[Any, np.dtype[np.int8]]
#: Sensitivities ``L^1, ..., L^d`` and inputs ``R^0, ..., R^{d-1}`` of many cells or points.
Factors = tuple[list[FloatArray], list[FloatArray]]

_LONG = 200  # characters of a point in a message

# --------------------------------------------------------------------------- exact


def smooth_labels(network: Network, points: Sequence[Point]) -> SignArray:
    """Exact ternary tuples of points, shape ``k x N``.

    Raises ``NonSmoothPointError`` naming the first point that is not parametrically smooth and its zero neurons.
    """
    widths = network.relu_widths
    result = ternary_tuples(network, points)
    for index in np.flatnonzero(~smooth_mask(result, widths)).tolist():
        point, labels = points[index], result[index].tolist()
        layers = split_layers(labels, widths)
        seen = max((k for k, part in enumerate(layers) if all(label == -1 for label in part)), default=-1)
        zeros = [  # those behind a layer without any open neuron are masked
            f"neuron {i} of layer {layer}"
            for layer, part in enumerate(layers[seen + 1 :], start=seen + 2)
            for i, label in enumerate(part, start=1)
            if label == 0
        ]
        coordinates = ", ".join(str(entry) for entry in point)
        if len(coordinates) > _LONG:
            coordinates = coordinates[:_LONG] + "..."
        several = len(zeros) > 1
        raise NonSmoothPointError(
            f"points[{index}] = ({coordinates}) is not parametrically smooth: {' and '.join(zeros)} "
            f"{'vanish' if several else 'vanishes'} there and can reach the output; move the point off "
            f"{'these bent hyperplanes' if several else 'that bent hyperplane'}"
        )
    return result


def jacobian(network: Network, points: Any) -> fmpq_mat:
    """Exact Jacobian of ``Ev_Z`` at smooth points: ``k n_d x D``.

    Raises ``NonSmoothPointError`` by name of the point. Source: arXiv 2209.04036, Section 3.

    >>> net = Network([([[2], [-1]], [-5, 4]), ([[1, 1]], [1])], output_activation="relu")
    >>> jacobian(net, [[3]]).tolist()
    [[3, 1, 3, 1, 1, 1, 1]]
    """
    rows = checked_points(points, network.input_dimension)
    labels = smooth_labels(network, rows)
    table = [
        row
        for point, label in zip(rows, labels.tolist(), strict=True)
        for row in _exact_rows(network, label, fmpq_mat(len(point) + 1, 1, [*point, fmpq(1)]))
    ]
    return fmpq_mat(table) if table else fmpq_mat(0, network.parametric_dimension)


def cell_jacobian(network: Network, labels: Sequence[int]) -> fmpq_mat:
    """Exact coefficient rows on the cell with the given ternary tuple: ``n_d (n_0 + 1) x D``.

    The row span over all points of the cell. Labels at most 0 count as inactive (on a smooth cell the neurons with
    label 0 are masked). Nothing is asked about whether the cell exists.
    """
    size = network.input_dimension + 1
    identity = fmpq_mat(size, size, [fmpq(int(i == j)) for i in range(size) for j in range(size)])
    return fmpq_mat(_exact_rows(network, labels, identity))


def exact_factors(
    network: Network, labels: Sequence[int], inputs: fmpq_mat
) -> tuple[list[list[list[fmpq]]], list[list[list[fmpq]]]]:
    """``L^1, ..., L^d`` and ``R^0, ..., R^{d-1}`` as tables, exact.

    For one point ``inputs`` is the column ``(x, 1)``, for one cell the identity. The entry of output ``o``, column
    ``c`` and parameter ``(l, i, k)`` is ``L^l[o][i] R^{l-1}[k][c]``.
    """
    masks = [[label > 0 for label in part] for part in split_layers(labels, network.relu_widths)]
    depth, columns = network.depth, inputs.ncols()
    augmented = [network.augmented(number) for number in range(1, depth + 1)]
    reached = [inputs]
    for a, mask in zip(augmented[:-1], masks, strict=False):
        z = (a * reached[-1]).tolist()
        kept = [row if keep else [fmpq(0)] * columns for row, keep in zip(z, mask, strict=True)]
        reached.append(fmpq_mat([*kept, reached[-1].tolist()[-1]]))
    n_out = network.output_dimension
    last = masks[-1] if len(masks) == depth else [True] * n_out
    sensitivity = fmpq_mat(n_out, n_out, [fmpq(int(i == j and last[i])) for i in range(n_out) for j in range(n_out)])
    sensitivities = [sensitivity.tolist()]
    for level in range(depth - 1, 0, -1):
        n, m = augmented[level].nrows(), augmented[level].ncols() - 1
        mask = masks[level - 1]
        weight = [augmented[level][i, j] if mask[j] else fmpq(0) for i in range(n) for j in range(m)]
        sensitivity = sensitivity * fmpq_mat(n, m, weight)
        sensitivities.append(sensitivity.tolist())
    return sensitivities[::-1], [table.tolist() for table in reached]


def _exact_rows(network: Network, labels: Sequence[int], inputs: fmpq_mat) -> list[list[fmpq]]:
    """All rows for one point or one cell (as for :func:`exact_factors`)."""
    sensitivities, reached = exact_factors(network, labels, inputs)
    return [
        [
            slope * row[c]
            for left, right in zip(sensitivities, reached, strict=True)
            for slope in left[o]
            for row in right
        ]
        for o in range(network.output_dimension)
        for c in range(inputs.ncols())
    ]


def parameter_places(architecture: tuple[int, ...]) -> list[tuple[int, int, int]]:
    """``(layer, row, column)`` of every parameter, counted from 0; the last column is the bias."""
    return [
        (level, i, k) for level, (m, n) in enumerate(pairwise(architecture)) for i in range(n) for k in range(m + 1)
    ]


# --------------------------------------------------------------------------- many cells or points at once


@dataclass(frozen=True)
class ModularNetwork:
    """A network reduced modulo a prime that divides no denominator: residues as float64."""

    network: Network
    prime: int
    layers: tuple[FloatArray, ...]

    @classmethod
    def reduce(cls, network: Network, prime: int) -> ModularNetwork | None:
        """Reduction of ``network``, or ``None`` when the prime divides a denominator."""
        return Reducible(network).modulo(prime)

    def cell_rows(
        self, labels: SignArray, coefficients: range | None = None, parameters: Indices | None = None
    ) -> FloatArray:
        """Coefficient rows of many cells modulo the prime: ``m n_d (n_0 + 1) x D``; or some of the ``n_0 + 1``
        coefficients alone, or the columns of some parameters.
        """
        inputs = np.eye(self.network.input_dimension + 1)
        if coefficients is not None:
            inputs = inputs[:, coefficients.start : coefficients.stop]
        return self.stacked(self.factors(labels, inputs[None]), parameters)

    def point_rows(
        self, labels: SignArray, points: Sequence[Point], parameters: Indices | None = None
    ) -> FloatArray | None:
        """Jacobian rows at many points modulo the prime: ``m n_d x D``, or the columns of some parameters; ``None``
        when the prime divides a denominator of a point.
        """
        factors = self.point_factors(labels, points)
        return None if factors is None else self.stacked(factors, parameters)

    def point_factors(self, labels: SignArray, points: Sequence[Point]) -> Factors | None:
        """:meth:`factors` at many points; ``None`` when the prime divides a denominator of a point."""
        table = Points.of(points, self.network.input_dimension).modulo(self.prime)
        return None if table is None else self.factors(labels, table[:, :, None])

    def stacked(self, factors: Factors, parameters: Indices | None = None) -> FloatArray:
        """The blocks ``L^l (x) (R^{l-1})^T`` side by side from the factors, ``(m n_d c) x D``, reduced; or the columns
        of some parameters, all different, in this order.
        """
        if loops := compiled.loops("exactfd.jacobians_loops"):
            return self._stacked(loops, factors, parameters)
        rows = modular.reduce(_batched_rows(*factors), self.prime, overwrite=True)
        return rows if parameters is None else rows[:, parameters]

    def _stacked(self, loops: Any, factors: Factors, parameters: Indices | None) -> FloatArray:
        size = self.network.parametric_dimension
        places = np.arange(size)
        if parameters is not None:
            places = np.full(size, -1, dtype=np.intp)
            places[parameters] = np.arange(len(parameters))
        (count, outputs, _), columns, start = factors[0][0].shape, factors[1][0].shape[2], 0
        table = np.zeros((count, outputs, columns, size if parameters is None else len(parameters)))
        for left, right in zip(*factors, strict=True):
            end = start + left.shape[2] * right.shape[1]
            left, right = np.ascontiguousarray(left), np.ascontiguousarray(right)
            loops.stack_block(left, right, places[start:end], float(self.prime), table)
            start = end
        return table.reshape(count * outputs * columns, table.shape[3])

    def columns(self, labels: SignArray, inputs: FloatArray, parameters: Sequence[int]) -> FloatArray:
        """Some columns of the stacked rows modulo the prime: ``(m n_d c) x len(parameters)``.

        ``inputs`` has shape ``m x (n_0 + 1) x c`` (or 1 in the place of ``m``).
        """
        sensitivities, reached = self.factors(labels, inputs)
        places = parameter_places(self.network.architecture)
        result = np.empty((len(labels), self.network.output_dimension, inputs.shape[2], len(parameters)))
        for level, (left, right) in enumerate(zip(sensitivities, reached, strict=True)):
            chosen = [(j, *places[q][1:]) for j, q in enumerate(parameters) if places[q][0] == level]
            if chosen:
                j, i, k = (list(part) for part in zip(*chosen, strict=True))
                result[..., j] = left[:, :, None, i] * right.transpose(0, 2, 1)[:, None, :, k]
        return modular.reduce(result.reshape(-1, len(parameters)), self.prime)

    def product(self, left: FloatArray, right: FloatArray) -> FloatArray:
        """Product of two stacks of residue matrices."""
        return modular.multiply(left, right, self.prime)

    def sensitivities(self, labels: SignArray) -> list[FloatArray]:
        """``L^1, ..., L^d`` of many cells modulo the prime, each ``m x n_d x n_l``."""
        masks = masks_of(labels, self.network.relu_widths)
        return _batched_sensitivities(self.layers, masks, len(labels), np.float64, self.product)

    def factors(self, labels: SignArray, inputs: FloatArray) -> Factors:
        """``L^1, ..., L^d`` and ``R^0, ..., R^{d-1}`` of many cells or points modulo the prime: ``m x n_d x n_l`` and
        ``m x (n_l + 1) x c``, for ``inputs`` of shape ``m x (n_0 + 1) x c``.
        """
        full = np.broadcast_to(inputs, (len(labels), *inputs.shape[1:]))
        return _batched_factors(self.layers, masks_of(labels, self.network.relu_widths), full, self.product)


class Reducible:
    """A network to be reduced modulo many primes."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self._floats = self._rationals = None
        if network.stored_in_floats:
            self._floats = DyadicTable(np.concatenate([layer.reshape(-1) for layer in network.nearest_layers]))
        else:
            self._rationals = [RationalTable(network.augmented(number + 1)) for number in range(network.depth)]

    def modulo(self, prime: int) -> ModularNetwork | None:
        """The reduction, or ``None`` when the prime divides a denominator."""
        if self._rationals is not None:
            tables = [table.modulo(prime) for table in self._rationals]
            layers = tuple(table for table in tables if table is not None)
            return ModularNetwork(self.network, prime, layers) if len(layers) == len(tables) else None
        assert self._floats is not None
        return ModularNetwork(self.network, prime, tuple(self._layers(self._floats.modulo(prime))))

    def usable(self, primes: Sequence[int]) -> list[int]:
        """Those of some primes that divide no denominator."""
        return usable(self._rationals or [], primes)

    def modulo_all(self, primes: Sequence[int]) -> list[FloatArray]:
        """The augmented matrices modulo usable primes, these in front."""
        if self._rationals is not None:
            return [table.modulo_all(primes) for table in self._rationals]
        assert self._floats is not None
        return self._layers(self._floats.modulo_all(primes))

    def _layers(self, parameters: FloatArray) -> list[FloatArray]:
        """Parameters (the last dimension) in the shapes of the augmented matrices."""
        shapes = [(n, m + 1) for m, n in pairwise(self.network.architecture)]
        parts = np.split(parameters, np.cumsum([n * m for n, m in shapes])[:-1], axis=-1)
        return [part.reshape(*part.shape[:-1], *shape) for part, shape in zip(parts, shapes, strict=True)]


@dataclass(frozen=True, eq=False)
class ModularMatrix:
    """A matrix modulo a prime.

    Attributes
    ----------
    residues
        Entries in ``[0, prime)``, int64.
    prime
        The modulus.
    """

    residues: np.ndarray[Any, np.dtype[np.int64]]
    prime: int

    def rank(self) -> int:
        """Rank modulo the prime: at most the rank over Q."""
        return modular.rank(modular.reduce(self.residues.astype(np.float64), self.prime), self.prime)

    def __repr__(self) -> str:
        return f"ModularMatrix({self.residues.shape[0]} x {self.residues.shape[1]}, modulo {self.prime})"


def modular_jacobian(network: Network, points: Any, *, prime: int | None = None) -> ModularMatrix:
    """Jacobian of ``Ev_Z`` at smooth points modulo a prime below ``2^23``, vectorised: ``k n_d x D``.

    Without ``prime``: the largest one that divides no denominator of the parameter or the points. Raises ``InputError``
    where a given one is no such prime, ``NonSmoothPointError`` by name of the point.

    >>> net = Network([([[2], [-1]], [-5, 4]), ([[1, 1]], [1])], output_activation="relu")
    >>> modular_jacobian(net, [["1/2"]], prime=7).residues.tolist()
    [[0, 0, 4, 1, 0, 0, 1]]
    """
    rows = checked_points(points, network.input_dimension)
    labels = smooth_labels(network, rows)
    if prime is not None and not (isinstance(prime, int) and 2 < prime < modular.LIMIT and fmpz(prime).is_prime()):
        raise InputError(f"prime: expected an odd prime below 2^23, found {prime!r}")
    for candidate in modular.primes() if prime is None else [prime]:
        reduced = ModularNetwork.reduce(network, candidate)
        table = None if reduced is None else reduced.point_rows(labels, rows)
        if table is not None:
            return ModularMatrix(table.astype(np.int64) % candidate, candidate)
    raise InputError(f"prime: {prime or 'every prime below 2^23'} divides a denominator of the parameter or the points")


def float_jacobian(network: Network, points: Any, *, dtype: Any = np.float64) -> FloatArray:
    """Jacobian of ``Ev_Z`` in floats, with labels decided by floats: ``k n_d x D``. Not exact.

    What a numerical experiment would compute; ``dtype`` is the precision of the whole computation.
    """
    rows = checked_points(points, network.input_dimension)
    with np.errstate(all="ignore"):  # overflow shows as inf and nan in the result: this path promises nothing
        layers = [layer.astype(dtype) for layer in network.nearest_layers]
        x = rows.nearest.astype(dtype)
    ones = np.ones((len(x), 1), dtype=dtype)
    inputs = np.concatenate([x, ones], axis=1)[:, :, None]
    masks, value = [], inputs[:, :, 0]
    with np.errstate(all="ignore"):
        for a in layers[: len(network.relu_widths)]:
            z = value @ a.T
            masks.append((z > 0).astype(dtype))
            value = np.concatenate([np.maximum(z, 0), ones], axis=1)
        result: FloatArray = _batched_rows(*_batched_factors(layers, masks, inputs, np.matmul))
    return result


def masks_of(labels: SignArray, widths: Sequence[int]) -> list[FloatArray]:
    """By ReLU layer, ``m x n_l``: one for the active neurons."""
    cuts = np.cumsum([0, *widths])
    return [(labels[:, a:b] > 0).astype(np.float64) for a, b in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True)]


def _batched_factors(
    layers: Sequence[Any], masks: Sequence[Any], inputs: Any, product: Any
) -> tuple[list[Any], list[Any]]:
    """``L^1, ..., L^d`` (``m x n_d x n_l``) and ``R^0, ..., R^{d-1}`` (``m x (n_l + 1) x c``) for ``m`` masks at once.

    ``inputs`` is ``m x (n_0 + 1) x c``; ``product`` multiplies stacks of matrices.
    """
    reached = [inputs]
    for a, mask in zip(layers[:-1], masks, strict=False):
        reached.append(next_inputs(a, mask, reached[-1], product))
    return _batched_sensitivities(layers, masks, len(inputs), inputs.dtype, product), reached


def next_inputs(layer: Any, mask: Any, inputs: Any, product: Any) -> Any:
    """``R^l`` from ``A^l``, the masks of its neurons (``m x n_l``) and ``R^{l-1}``."""
    z = product(layer, inputs) * mask[:, :, None]
    return np.concatenate([z, inputs[:, -1:, :]], axis=1)


def _batched_sensitivities(
    layers: Sequence[Any], masks: Sequence[Any], count: int, dtype: Any, product: Any
) -> list[Any]:
    """``L^1, ..., L^d`` as for :func:`_batched_factors`."""
    depth, n_out = len(layers), layers[-1].shape[0]
    sensitivity = np.broadcast_to(np.eye(n_out, dtype=dtype), (count, n_out, n_out))
    if len(masks) == depth:
        sensitivity = sensitivity * masks[-1][:, :, None]
    sensitivities = [sensitivity]
    for level in range(depth - 1, 0, -1):
        sensitivity = product(sensitivity, layers[level][:, :-1]) * masks[level - 1][:, None, :]
        sensitivities.append(sensitivity)
    return sensitivities[::-1]


def _batched_rows(sensitivities: Sequence[Any], reached: Sequence[Any]) -> Any:
    """The blocks ``L^l (x) (R^{l-1})^T`` side by side: ``(m n_d c) x D``. Products are left unreduced."""
    count, outputs = sensitivities[0].shape[:2]
    columns = reached[0].shape[2]
    sizes = [left.shape[2] * right.shape[1] for left, right in zip(sensitivities, reached, strict=True)]
    table = np.empty((count, outputs, columns, sum(sizes)), dtype=np.result_type(*sensitivities, *reached))
    start = 0
    for left, right, size in zip(sensitivities, reached, sizes, strict=True):
        block = table[..., start : start + size].reshape(count, outputs, columns, left.shape[2], right.shape[1])
        np.multiply(left[:, :, None, :, None], right.transpose(0, 2, 1)[:, None, :, None, :], out=block)
        start += size
    return table.reshape(count * outputs * columns, sum(sizes))
