"""Proving the rank of a stack of Jacobian rows over Q: from below modulo a prime, from above by kernel vectors.

From below: rank modulo a prime that divides no denominator. From above: explicit integer kernel vectors, each checked
to annihilate every row of the stack. The check is a forward pass of derivatives modulo several primes whose product
exceeds a bound on the size of the exact result, so that a result which vanishes modulo all of them is zero.

Rescaling a hidden neuron by ``t`` and its outgoing weights by ``1/t`` leaves the function alone, so the scaling
directions (the row of the neuron, minus its outgoing column) always lie in the kernel. As many columns as they have
rank are fixed (the *gauge*) and never enter an elimination.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat, fmpz, fmpz_mat

from exactfd import rationals
from exactfd.budget import Budget
from exactfd.errors import InternalError
from exactfd.jacobians import (
    FloatArray,
    ModularNetwork,
    SignArray,
    exact_factors,
    homogeneous_points,
    integer_residues,
    parameter_places,
    residues,
)
from exactfd.linalg import exact, modular
from exactfd.network import Network

_ENTRIES = 2_000_000  # matrix entries built at once: 16 MB
_SMALL_SUPPORT = 120  # kernel vectors with at most so many entries are solved for one by one


def scaling_directions(network: Network) -> list[list[fmpq]]:
    """Tangents of the positive scalings, one vector of length ``D`` for each hidden neuron (zero for a neuron without
    any nonzero weight). Source: arXiv 2209.04036, Section 7.
    """
    augmented = [network.augmented(number).tolist() for number in range(1, network.depth + 1)]
    starts = np.cumsum([0, *[len(a) * len(a[0]) for a in augmented]]).tolist()
    result = []
    for level in range(network.depth - 1):
        width, following = len(augmented[level][0]), augmented[level + 1]
        for neuron, row in enumerate(augmented[level]):
            direction = [fmpq(0)] * network.parametric_dimension
            first = starts[level] + neuron * width
            direction[first : first + width] = row
            for i, outgoing in enumerate(following):
                direction[starts[level + 1] + i * len(outgoing) + neuron] = -outgoing[neuron]
            result.append(direction)
    return result


@dataclass(frozen=True)
class Gauge:
    """Independent scaling directions in echelon form: ``vectors[i]`` is nonzero in ``columns[i]``, where all later
    vectors are zero.

    The direction of a neuron is supported on its weights. Scalings of neurons add up to zero on a nonzero weight
    between two neurons only if both have the same factor, and on one to an input, an output or a bias only if the
    factor is zero. So the relations among the directions are one for each set of neurons that nonzero weights join to
    each other only, and a breadth-first search (from inputs, outputs and biases; in such a set from one of its
    neurons, which is left out) gives each neuron one weight that no neuron found later touches.
    """

    vectors: list[list[fmpq]]
    columns: list[int]

    @classmethod
    def of(cls, network: Network) -> Gauge:
        """A largest such family."""
        directions = scaling_directions(network)
        augmented = [network.augmented(number).tolist() for number in range(1, network.depth + 1)]
        edges: dict[tuple[int, int], list[tuple[tuple[int, int], int]]] = {}  # neuron -> neighbours, by parameter
        found: dict[tuple[int, int], int] = {}  # (layer, neuron) -> column, in order of discovery
        column = 0
        for level, rows in enumerate(augmented):
            for i, row in enumerate(rows):
                for j, entry in enumerate(row):
                    ends = [(level, i)] if level < network.depth - 1 else []
                    ends += [(level - 1, j)] if level and j < len(row) - 1 else []
                    if entry != 0 and len(ends) == 1:
                        found.setdefault(ends[0], column)
                    elif entry != 0 and ends:
                        edges.setdefault(ends[0], []).append((ends[1], column))
                        edges.setdefault(ends[1], []).append((ends[0], column))
                    column += 1
        queue, left_out = list(found), set[tuple[int, int]]()
        for start in [None, *edges]:
            if start is not None and start not in found:
                left_out.add(start)
                queue = [start]
            for neuron in queue:
                for neighbour, position in edges.get(neuron, []):
                    if neighbour not in found and neighbour not in left_out:
                        found[neighbour] = position
                        queue.append(neighbour)
            queue = []
        starts = np.cumsum([0, *network.architecture[1:]]).tolist()
        vectors = [directions[starts[level] + i] for level, i in found]
        return cls(vectors, list(found.values()))


class RankSearch:
    """A stack of Jacobian rows of one network, over cells (coefficient rows) or over points, that grows.

    ``rank`` is a proved lower bound at any time; :meth:`kernel` proposes integer vectors and :meth:`annihilates` proves
    that they lie in the kernel of all rows given so far (or of any others).
    """

    def __init__(self, network: Network, prime: int, reduced: ModularNetwork) -> None:
        self.network = network
        self.prime = prime
        self._reduced = reduced
        self.gauge = Gauge.of(network)
        fixed = set(self.gauge.columns)
        self.columns = np.array([j for j in range(network.parametric_dimension) if j not in fixed], dtype=np.int64)
        self._space = modular.RowSpace(len(self.columns), prime)
        self._rows_per_item: list[int] = []
        self._items: list[tuple[SignArray, Sequence[Sequence[fmpq]] | None]] = []

    @classmethod
    def start(cls, network: Network, *, skip: int = 0) -> RankSearch:
        """Search modulo the first usable prime, after passing over ``skip`` of them."""
        usable = 0
        for prime in modular.primes():
            reduced = ModularNetwork.reduce(network, prime)
            if reduced is None:
                continue
            if usable == skip:
                return cls(network, prime, reduced)
            usable += 1
        raise InternalError("every prime below 2^23 divides a denominator of this network")

    @property
    def rank(self) -> int:
        """Rank of the rows so far modulo the prime: at most their rank over Q."""
        return self._space.rank

    def add_cells(self, labels: SignArray, *, stop_at: int, budget: Budget | None = None) -> None:
        """Stack the coefficient rows of cells (labels ``m x N``); stops once the rank reaches ``stop_at``."""
        per_item = self.network.output_dimension * (self.network.input_dimension + 1)
        for chunk in _chunks(len(labels), per_item * self.network.parametric_dimension):
            if self.rank >= stop_at:
                return
            self._add(labels[chunk], None, self._reduced.cell_rows(labels[chunk]), per_item)
            if budget is not None:
                budget.check()

    def add_points(self, labels: SignArray, points: Sequence[Sequence[fmpq]]) -> bool:
        """Stack the Jacobian rows at points; False when the prime divides a denominator of a point."""
        per_item = self.network.output_dimension
        for chunk in _chunks(len(labels), per_item * self.network.parametric_dimension):
            rows = self._reduced.point_rows(labels[chunk], points[chunk])
            if rows is None:
                return False
            self._add(labels[chunk], points[chunk], rows, per_item)
        return True

    def _add(self, labels: SignArray, points: Sequence[Sequence[fmpq]] | None, rows: FloatArray, per_item: int) -> None:
        if self._rows_per_item and self._rows_per_item[0] != per_item:
            raise InternalError("a search stacks cells or points, not both")
        self._items.append((labels, points))
        self._rows_per_item.append(per_item)
        self._space.add(rows[:, self.columns])

    def residues_of(self, items: Sequence[int]) -> FloatArray:
        """The rows of some items modulo the prime, once more."""
        labels = self.labels()[list(items)]
        points = [point for item in self._items for point in item[1] or []]
        if not points:
            return self._reduced.cell_rows(labels)
        rows = self._reduced.point_rows(labels, [points[i] for i in items])
        if rows is None:
            raise InternalError("a prime that was usable no longer is")
        return rows

    # ------------------------------------------------------------------ kernel

    @classmethod
    def modulo(cls, network: Network, prime: int) -> RankSearch | None:
        """Search modulo a given prime; None when it divides a denominator."""
        reduced = ModularNetwork.reduce(network, prime)
        return None if reduced is None else cls(network, prime, reduced)

    def labels(self) -> SignArray:
        """Ternary tuples of the items so far, one row each."""
        none = np.zeros((0, sum(self.network.relu_widths)), dtype=np.int8)
        return np.concatenate([none, *(item[0] for item in self._items)])

    def pivot_columns(self) -> list[int]:
        """Parameters of the pivots, in the order of the pivot rows."""
        return [int(self.columns[j]) for j in self._space.pivot_columns]

    def free_columns(self) -> list[int]:
        """Parameters that are neither pivot nor gauge, in increasing order: one for each vector of the kernel."""
        return [int(self.columns[j]) for j in self._free()]

    def flat_pivot_rows(self) -> list[int]:
        """Numbers of the pivot rows among all rows so far."""
        return list(self._space.pivot_rows)

    def pivot_rows(self) -> list[tuple[int, int]]:
        """For each independent row: the number of its item (cell or point, in order of arrival) and its row there."""
        return [divmod(i, self._rows_per_item[0]) for i in self._space.pivot_rows]

    def kernel(self) -> list[list[fmpz]]:
        """Integer vectors (length ``D``, zero on the gauge) that span the kernel of the independent rows modulo the
        scaling directions: one for each column that is neither pivot nor gauge, and an identity block on those columns
        up to scale. Exact; whether they annihilate the *other* rows is for :meth:`annihilates` to say.

        Modulo the prime the vectors are known from the elimination. Their supports are usually small, and then each is
        the solution of a small system over Q; the others are solved for together on all independent rows.
        """
        residues_of = self._space.kernel()
        supports = [np.flatnonzero(row) for row in residues_of]
        free, rows = self._free(), _PivotRows(self)
        found = {
            i: rows.solve(support.tolist(), free[i])
            for i, support in enumerate(supports)
            if len(support) <= _SMALL_SUPPORT
        }
        rest = [i for i in range(len(supports)) if i not in found]
        if rest:
            together = exact.solve_on_pivots(rows.all(), self._space.pivot_columns, [free[i] for i in rest])
            found.update(zip(rest, together, strict=True))
        result = []
        for i in range(len(supports)):
            vector = [fmpz(0)] * self.network.parametric_dimension
            for j, entry in zip(self.columns.tolist(), found[i], strict=True):
                vector[j] = entry
            result.append(vector)
        return result

    def _free(self) -> list[int]:
        """Positions in ``columns`` that are no pivots, in increasing order."""
        taken = set(self._space.pivot_columns)
        return [j for j in range(len(self.columns)) if j not in taken]

    def annihilates(
        self,
        vectors: Sequence[Sequence[fmpz]],
        labels: SignArray,
        points: Sequence[Sequence[fmpq]] | None = None,
        *,
        budget: Budget | None = None,
    ) -> bool:
        """Whether ``J v = 0`` exactly, for every vector and every row of the given cells (or points)."""
        if not vectors or not len(labels):
            return True
        bounds = _derivative_bounds(self.network, vectors, points)
        product, pending, size = 1, list(range(len(vectors))), self.network.input_dimension + 1
        at = None if points is None else homogeneous_points(points)
        entries = [[(j, entry) for j, entry in enumerate(vector) if entry != 0] for vector in vectors]
        for prime in modular.primes():
            reduced = ModularNetwork.reduce(self.network, prime)
            table = None if at is None else residues(at, prime)
            if reduced is None or (points is not None and table is None):
                continue
            directions = _Directions([entries[i] for i in pending], prime)
            weight = self.network.output_dimension * (size if table is None else 1) * len(directions.support)
            for chunk in _chunks(len(labels), weight + size * sum(self.network.architecture)):
                inputs = np.eye(size)[None] if table is None else table[chunk][:, :, None]
                if not directions.annihilated(reduced.columns(labels[chunk], inputs, directions.support)):
                    return False
                if budget is not None:
                    budget.check()
            product *= prime
            pending = [i for i in pending if bounds[i] >= product]
            if not pending:
                return True
        raise InternalError("ran out of primes below 2^23")


class _Directions:
    """Vectors modulo a prime on the union of their supports, multiplied one by one or together: whichever is less."""

    def __init__(self, entries: Sequence[Sequence[tuple[int, fmpz]]], prime: int) -> None:
        self.prime = prime
        self.support = sorted({j for row in entries for j, _ in row})
        place = {j: i for i, j in enumerate(self.support)}
        self._sparse = [
            ([place[j] for j, _ in row], integer_residues([[entry for _, entry in row]], prime)[0]) for row in entries
        ]
        dense = 8 * sum(len(row) for row in entries) > len(self.support) * len(entries)
        self._matrix = np.zeros((len(self.support), len(entries) if dense else 0))
        for number, (places, values) in enumerate(self._sparse if dense else []):
            self._matrix[places, number] = values

    def annihilated(self, columns: FloatArray) -> bool:
        """Whether the table (columns in the order of ``support``) times every vector is zero modulo the prime."""
        if self._matrix.size:
            return not modular.multiply(columns, self._matrix, self.prime).any()
        return not any(
            modular.multiply(columns[:, places], values[:, None], self.prime).any() for places, values in self._sparse
        )


class _PivotRows:
    """The independent rows of a search: residues of all of them, exact entries on demand."""

    def __init__(self, search: RankSearch) -> None:
        self.search = search
        self.places = parameter_places(search.network)
        self.rows = search.pivot_rows()
        self._labels = search.labels()
        self._points = [point for item in search._items for point in item[1] or []]
        self._factors: dict[int, Any] = {}
        items = sorted({item for item, _ in self.rows})
        position = {item: i for i, item in enumerate(items)}
        per_item = search._rows_per_item[0] if search._rows_per_item else 1
        wanted = [position[item] * per_item + row for item, row in self.rows]
        self._table = (
            search.residues_of(items)[wanted][:, search.columns] if items else np.zeros((0, len(search.columns)))
        )

    def entry(self, row: int, column: int) -> fmpq:
        """Exact entry of one independent row at a column of the search."""
        item, inside = self.rows[row]
        if item not in self._factors:
            size = self.search.network.input_dimension + 1
            inputs = (
                fmpq_mat(size, 1, [*self._points[item], fmpq(1)])
                if self._points
                else fmpq_mat(size, size, [fmpq(int(i == j)) for i in range(size) for j in range(size)])
            )
            self._factors[item] = exact_factors(self.search.network, self._labels[item].tolist(), inputs)
        left, right = self._factors[item]
        level, i, k = self.places[int(self.search.columns[column])]
        output, coefficient = divmod(inside, len(right[0][0]))
        value: fmpq = left[level][output][i] * right[level][k][coefficient]
        return value

    def all(self) -> fmpz_mat:
        """All independent rows as primitive integer rows."""
        columns = range(len(self.search.columns))
        rows = [rationals.primitive_row([self.entry(r, c) for c in columns])[0] for r in range(len(self.rows))]
        return fmpz_mat(rows) if rows else fmpz_mat(0, len(columns))

    def solve(self, support: list[int], free: int) -> list[fmpz]:
        """A vector on a support that as many independent rows as it has pivots annihilate.

        (Not the other rows, if the support over Q is larger than the prime shows: the verification finds out.)
        """
        pivots = [column for column in support if column != free]
        space = modular.RowSpace(len(pivots), self.search.prime)
        for start in range(0, len(self._table), 64):
            if space.rank == len(pivots):
                break
            space.add(self._table[start : start + 64][:, pivots])
        chosen = [
            rationals.primitive_row([self.entry(row, column) for column in [*pivots, free]])[0]
            for row in space.pivot_rows
        ]
        matrix = fmpz_mat(chosen) if chosen else fmpz_mat(0, 1)
        (small,) = exact.solve_on_pivots(matrix, range(len(pivots)), [len(pivots)])
        vector = [fmpz(0)] * len(self.search.columns)
        for column, entry in zip([*pivots, free], small, strict=True):
            vector[column] = entry
        return vector


def _chunks(count: int, weight: int) -> Iterable[slice]:
    step = max(1, _ENTRIES // max(weight, 1))
    return (slice(start, start + step) for start in range(0, count, step))


def _derivative_bounds(
    network: Network, vectors: Sequence[Sequence[fmpz]], points: Sequence[Sequence[fmpq]] | None
) -> list[int]:
    """For each vector, a bound on the numerators of ``J v`` (coefficients on a cell, or values at points).

    With ``A^l = M_l / q_l`` for an integer matrix ``M_l``, put ``nu_l = max(q_l, |M_l|)`` in the row-sum norm. The
    layer inputs times ``q_1 ... q_l`` are integers of size at most ``nu_1 ... nu_l`` times the input, and so by the
    product rule ``|q_1 ... q_d J v| <= sum_l q_l |v^l| prod_{k != l} nu_k``. Masks only remove terms.
    """
    layers, position = [], 0
    for number in range(1, network.depth + 1):
        a = network.augmented(number)
        q = int(rationals.common_denominator(a.entries()))
        norm = max(sum(abs(int((entry * q).p)) for entry in row) for row in a.tolist())
        layers.append((position, a.nrows(), a.ncols(), q, max(q, norm)))
        position += a.nrows() * a.ncols()
    scale = 1
    for point in points or []:  # a point times its denominator is an integer vector
        q = int(rationals.common_denominator(point))
        scale = max(scale, q, *[abs(int((entry * q).p)) for entry in point])
    result = []
    for vector in vectors:
        value, change = scale, 0
        for start, n, width, q, nu in layers:
            rows = (vector[start + i * width : start + (i + 1) * width] for i in range(n))
            norm = max(sum(abs(int(entry)) for entry in row if entry != 0) for row in rows)
            change, value = nu * change + q * norm * value, nu * value
        result.append(2 * change)
    return result
