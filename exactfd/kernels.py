"""Kernel vectors of a stack of Jacobian rows over Q: proposed by solving, proved by multiplying.

Modulo the prime of a search all kernel vectors are known from its elimination. Their supports are usually small, and
then each is over Q the solution of a small system of some of the independent rows. That it annihilates *every* row is
proved by a forward pass of derivatives modulo several primes whose product exceeds a bound on the size of the exact
result: a result that vanishes modulo all of them is zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat, fmpz, fmpz_mat

from exactfd import rationals
from exactfd.budget import Budget, Progress, silent
from exactfd.errors import InternalError
from exactfd.jacobians import (
    FloatArray,
    ModularNetwork,
    SignArray,
    exact_factors,
    homogeneous_points,
    parameter_places,
    residues,
)
from exactfd.linalg import exact, modular
from exactfd.network import Network
from exactfd.rankproof import Point, RankSearch, Row, chunks

Vector = list[fmpz]  # of length D

_GROUP = 32  # vectors multiplied together


def kernel(search: RankSearch, *, budget: Budget | None = None, progress: Progress = silent) -> list[Vector]:
    """Integer vectors (length ``D``, zero on the gauge) that span the kernel of the independent rows of a search modulo
    the scaling directions: one for each column that is neither pivot nor gauge, and an identity block on those columns
    up to scale.

    Each annihilates as many independent rows as determine it on the support that it has modulo the prime; whether it
    annihilates the *other* rows is for :func:`annihilates` to say. Raises ``BudgetExceeded``.
    """
    names = search.pivot_rows()
    rows, table = ExactRows(search, names), search.residues(names)
    pivots, tail = np.array(search.space.pivot_columns, dtype=np.int64), search.space.tail
    result = []
    for number, free in enumerate(search.space.free_columns.tolist()):
        if budget is not None:
            budget.check()
        progress("kernel", number, len(search.space.free_columns))
        support = sorted(pivots[tail[:, number] != 0].tolist())
        parameters = [int(search.columns[j]) for j in [*support, free]]
        vector = [fmpz(0)] * search.network.parametric_dimension
        small = solution([rows.entries(row, parameters) for row in independent(table, support, search.prime)])
        for parameter, entry in zip(parameters, small, strict=True):
            vector[parameter] = entry
        result.append(vector)
    return result


class ExactRows:
    """Rows of a search: exact entries on demand."""

    def __init__(self, search: RankSearch, rows: Sequence[Row]) -> None:
        self.search = search
        self.rows = rows
        self._places = parameter_places(search.network)
        self._labels = search.labels()
        self._factors: dict[int, Any] = {}

    def entries(self, number: int, parameters: Sequence[int]) -> list[fmpq]:
        """Exact entries of one row at some parameters."""
        item, output, coefficient = self.rows[number]
        if item not in self._factors:
            size, point = self.search.network.input_dimension + 1, self.search.points[item]
            inputs = (
                fmpq_mat(size, size, [fmpq(int(i == j)) for i in range(size) for j in range(size)])
                if point is None
                else fmpq_mat(size, 1, [*point, fmpq(1)])
            )
            self._factors[item] = exact_factors(self.search.network, self._labels[item].tolist(), inputs)
        left, right = self._factors[item]
        return [
            left[level][output][i] * right[level][k][coefficient]
            for level, i, k in map(self._places.__getitem__, parameters)
        ]


def independent(table: Any, columns: list[int], prime: int) -> list[int]:
    """Numbers of rows that are independent on some columns modulo the prime, as many as there are."""
    space = modular.RowSpace(len(columns), prime)
    candidates = np.flatnonzero(table[:, columns].any(axis=1))
    space.add(table[candidates][:, columns].astype(np.float64))
    return [int(candidates[i]) for i in space.pivot_rows]


def solution(equations: Sequence[Sequence[fmpq]]) -> list[fmpz]:
    """The primitive integer vector that ``n`` independent equations in ``n + 1`` unknowns leave, nonzero in the last
    unknown (on the others the equations are independent).
    """
    if not equations:
        return [fmpz(1)]
    matrix = fmpz_mat([rationals.primitive_row(row)[0] for row in equations])
    (vector,) = exact.solve_on_pivots(matrix, range(len(equations)), [len(equations)])
    return vector


# --------------------------------------------------------------------------- proof


def annihilates(
    network: Network,
    vectors: Sequence[Vector],
    labels: SignArray,
    points: Sequence[Point] | None = None,
    *,
    budget: Budget | None = None,
    progress: Progress = silent,
) -> bool:
    """Whether ``J v = 0`` exactly, for every vector and every row of the given cells (or points).

    Raises ``BudgetExceeded``.
    """
    if not vectors or not len(labels):
        return True
    sizes, scale = Sizes.of(network), max((scale_of(point)[1] for point in points or []), default=1)
    bounds = [sizes.along(vector, scale) for vector in vectors]
    # those with the largest bounds first, so that the ones that need more primes are always the first ones
    order = sorted(range(len(vectors)), key=lambda i: -bounds[i])
    table = SparseVectors([vectors[i] for i in order])
    bounds = [bounds[i] for i in order]
    product, pending, size = 1, len(order), network.input_dimension + 1
    at = None if points is None else homogeneous_points(points)
    for prime in modular.primes():
        reduced = ModularNetwork.reduce(network, prime)
        inputs_at = None if at is None else residues(at, prime)
        if reduced is None or (at is not None and inputs_at is None):
            continue
        groups = table.modulo(prime, pending)
        weight = network.output_dimension * (size if inputs_at is None else 1) * len(table.support)
        for part in chunks(len(labels), weight + size * sum(network.architecture)):
            if budget is not None:
                budget.check()
            inputs = np.eye(size)[None] if inputs_at is None else inputs_at[part][:, :, None]
            columns = reduced.columns(labels[part], inputs, table.support)
            for places, matrix in groups:
                if modular.multiply(columns[:, places], matrix, prime).any():
                    return False
        product *= prime
        progress("proof of the kernel", len(order) - pending, len(order))
        while pending and bounds[pending - 1] < product:
            pending -= 1
        if not pending:
            return True
    raise InternalError("ran out of primes below 2^23")


class SparseVectors:
    """Integer vectors in groups with much the same support, to be reduced modulo many primes."""

    def __init__(self, vectors: Sequence[Vector]) -> None:
        supports = [[j for j, entry in enumerate(vector) if entry != 0] for vector in vectors]
        self.support = sorted(set().union(*supports))
        place = {j: i for i, j in enumerate(self.support)}
        self._integers = modular.Integers(
            [int(vector[j]) for vector, support in zip(vectors, supports, strict=True) for j in support]
        )
        self._number = np.repeat(np.arange(len(vectors)), [len(support) for support in supports])
        self._place = np.array([place[j] for support in supports for j in support], dtype=np.int64)
        # neighbours by their last place, which is where most of them differ from the pivots that they share
        by_place = sorted(range(len(vectors)), key=lambda i: (supports[i][-1:], len(supports[i])))
        self._groups = [np.sort(by_place[i : i + _GROUP]) for i in range(0, len(by_place), _GROUP)]
        group_of = np.empty(len(vectors), dtype=np.int64)
        for number, group in enumerate(self._groups):
            group_of[group] = number
        self._entries = [np.flatnonzero(group_of[self._number] == number) for number in range(len(self._groups))]

    def modulo(self, prime: int, count: int) -> list[tuple[np.ndarray[Any, Any], FloatArray]]:
        """The first ``count`` vectors modulo a prime: for each group, places in ``support`` and a matrix with these
        rows, one column a vector.
        """
        values = self._integers.modulo(prime)
        result = []
        for group, entries in zip(self._groups, self._entries, strict=True):
            group, entries = group[group < count], entries[self._number[entries] < count]
            if not len(group):
                continue
            places, rows = np.unique(self._place[entries], return_inverse=True)
            matrix = np.zeros((len(places), len(group)))
            matrix[rows, np.searchsorted(group, self._number[entries])] = values[entries]
            result.append((places, matrix))
        return result


@dataclass(frozen=True)
class Sizes:
    """Sizes of the numbers in a forward pass.

    With ``A^l = M_l / q_l`` for an integer matrix ``M_l``, put ``nu_l = max(q_l, |M_l|)`` in the row-sum norm. The
    layer inputs times ``q_1 ... q_l`` are integers of size at most ``nu_1 ... nu_l`` times the input. Masks only remove
    terms.
    """

    layers: tuple[tuple[int, int, int, int, int], ...]  # first parameter, rows, columns, q, nu

    @classmethod
    def of(cls, network: Network) -> Sizes:
        """Of one network."""
        layers, position = [], 0
        for number in range(1, network.depth + 1):
            a = network.augmented(number)
            q = int(rationals.common_denominator(a.entries()))
            norm = max(sum(abs(int((entry * q).p)) for entry in row) for row in a.tolist())
            layers.append((position, a.nrows(), a.ncols(), q, max(q, norm)))
            position += a.nrows() * a.ncols()
        return cls(tuple(layers))

    def along(self, vector: Sequence[fmpz], scale: int) -> int:
        """More than twice ``|q_1 ... q_d J v|`` at inputs that are integers up to ``scale``: by the product rule it is
        at most ``sum_l q_l |v^l| prod_{k != l} nu_k`` times the scale.
        """
        value, change = scale, 0
        for start, n, width, q, nu in self.layers:
            rows = (vector[start + i * width : start + (i + 1) * width] for i in range(n))
            norm = max(sum(abs(int(entry)) for entry in row if entry != 0) for row in rows)
            change, value = nu * change + q * norm * value, nu * value
        return 2 * change + 1

    def entry(self) -> int:
        """At least ``|q_1 ... q_d|`` times an entry of ``J``, at inputs that are integers up to one."""
        total = math.prod(nu for *_, nu in self.layers)
        return max(q * (total // nu) for *_, q, nu in self.layers)


def scale_of(point: Point) -> tuple[int, int]:
    """The denominator of a point, and the size of the integers that it gives ``(x, 1)``."""
    q = int(rationals.common_denominator(point))
    return q, max(q, *[abs(int((entry * q).p)) for entry in point])
