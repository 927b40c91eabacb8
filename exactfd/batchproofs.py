"""Proving the rank of the Jacobian on a batch: from below modulo a prime, from above by directions that activation
patterns force, kernel vectors, or relations among the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from flint import fmpz

from exactfd.annihilation import annihilates
from exactfd.budget import Budget, Progress, has_room_for
from exactfd.forced import ForcedDirections
from exactfd.gauge import Gauge
from exactfd.jacobians import Factors, ModularNetwork, SignArray
from exactfd.kernels import kernel
from exactfd.linalg import modular
from exactfd.linalg.sketches import TallTable
from exactfd.patterns import PatternWay, pattern_way
from exactfd.points import Points
from exactfd.rankproof import RankSearch, free_of_gauge
from exactfd.relations import Relations, vanish

BoolArray = np.ndarray[Any, np.dtype[np.bool_]]
FloatArray = np.ndarray[Any, np.dtype[np.float64]]
Lengths = np.ndarray[Any, np.dtype[np.int64]]

_FEW = 200  # rows among which relations are sought before anything else: they are cheap (measured)
_MANY = 4  # times as many rows as columns
_SHARE = 0.7  # of the upper bound: with fewer rows than that patterns force fewer directions than there are (measured)
_LITTLE, _MUCH = 2e5, 5e6  # effort of a bound between which it comes first where there are so few rows (measured)
_WORSE = 4.0  # times as much as a vector takes a relation, which has the digits of points


@dataclass(frozen=True)
class KernelProof:
    """Why a rank is at most ``D - forced - len(vectors) + len(left_out)``.

    Attributes
    ----------
    spanned
        Rows (counted ``point * n_d + output``) that others span: at more points of a cell than span it affinely.
    left_out
        Rows that no other row depends on, the spanned ones aside: each counts for itself.
    forced
        Dimension of directions, scalings among them, that annihilate all other rows whatever the digits of parameters
        and points are: because of the activation patterns, and of some ranks (:mod:`exactfd.forced`,
        :mod:`exactfd.patterns`).
    vectors
        Integer vectors (length ``D``), independent modulo those, that annihilate all other rows.
    columns
        For each vector a parameter where it is nonzero, and all other vectors and the gauge are zero.
    """

    spanned: list[int]
    left_out: list[int]
    forced: int
    vectors: list[list[fmpz]]
    columns: list[int]


@dataclass(frozen=True)
class RelationProof:
    """Why a rank is at most ``(number of rows) - len(spanned) - len(relations)``.

    Attributes
    ----------
    spanned
        As for :class:`KernelProof`; zero in all relations.
    relations
        Independent integer vectors ``w``, one entry a row (counted ``point * n_d + output``), with ``w J = 0``.
    rows
        For each relation a row where it is nonzero and all other relations are zero.
    """

    spanned: list[int]
    relations: list[list[fmpz]]
    rows: list[int]


class BatchRows:
    """The Jacobian on a batch modulo a prime, eliminated as a whole: that shows which rows no other row depends on.
    Where the rows are many times as many as the columns, they are eliminated some at a time: few of them would matter
    then, and the whole table would be large.

    ``rank`` is a proved lower bound at any time.

    Attributes
    ----------
    reduced, gauge
        The network modulo the prime, and the parameters whose columns the scaling directions make redundant.
    cells
        The numbers of the points, cell by cell; of a cell that they span affinely, as many as that needs.
    numbers, labels, points
        The points in use: those of ``cells``.
    """

    def __init__(self, network: ModularNetwork, labels: SignArray, points: Points) -> None:
        self.reduced, self.network = network, network.network
        self.gauge = Gauge.of(self.network)
        self.cells = spanning_points(network.prime, labels, points)
        self.numbers = sorted(i for group in self.cells for i in group)
        all_used = len(self.numbers) == len(points)
        self.labels = labels if all_used else labels[self.numbers]
        self.points = points if all_used else points.take(self.numbers)
        self._columns = free_of_gauge(self.network.architecture, tuple(self.gauge.columns))
        count = len(self.numbers) * self.network.output_dimension
        self._table: TallTable | None = None
        many = count > _MANY * len(self._columns)
        self._by_rows = RankSearch(self.network, network.prime, network) if many else None

    @property
    def rank(self) -> int:
        """Rank modulo the prime of what has been eliminated: at most the rank over Q."""
        if self._by_rows is not None:
            return self._by_rows.rank
        return 0 if self._table is None else self._table.rank

    def eliminate(self, budget: Budget, progress: Progress) -> None:
        """Go through all columns, or all rows. Raises ``BudgetExceeded``."""
        if self._by_rows is not None:
            self._by_rows.add_points(self.labels, self.points, budget=budget, progress=progress)
            return
        rows, columns = len(self.numbers) * self.network.output_dimension, len(self._columns)
        budget.check(bytes_needed=8 * rows * (3 * self.network.parametric_dimension + 2 * min(rows, columns)))
        self._table = TallTable(self.reduced.stacked(self.factors, self._columns), self.reduced.prime)

        def check() -> None:
            progress("rank", self.rank, None)
            budget.check()

        self._table.eliminate(check)
        progress("rank", self.rank, None)

    @cached_property
    def factors(self) -> Factors:
        """Sensitivities and inputs at the points in use."""
        factors = self.reduced.point_factors(self.labels, self.points)
        assert factors is not None  # the prime divides none of their denominators
        return factors

    def factors_at(self, places: list[int]) -> Factors:
        """The same at some of these points."""
        sensitivities, reached = self.factors
        return [table[places] for table in sensitivities], [table[places] for table in reached]

    def kernel_vectors(self, count: int, but: BoolArray) -> FloatArray:
        """Random vectors of the kernel modulo the prime of all rows in use but those of some points that are ``alone``,
        ``count x D``.
        """
        if self._by_rows is not None:
            return self._by_rows.kernel_vectors(count)
        result = np.zeros((count, self.network.parametric_dimension))
        if self._table is not None:
            result[:, self._columns] = self._table.kernel_vectors(count, but.repeat(self.network.output_dimension))
        return result

    def alone(self) -> BoolArray:
        """By point in use, whether no other row depends on its rows, as far as the prime tells (never, where rows were
        eliminated).
        """
        if self._table is None:
            return np.zeros(len(self.numbers), dtype=bool)
        return np.asarray(self._table.alone.reshape(len(self.numbers), -1).all(axis=1))


def cells_of(labels: SignArray) -> list[list[int]]:
    """Numbers of the points, cell by cell, in the order of the first points."""
    data, width = np.ascontiguousarray(labels).tobytes(), labels.shape[1]
    members: dict[bytes, list[int]] = {}
    for i in range(len(labels)):
        members.setdefault(data[i * width : (i + 1) * width], []).append(i)
    return list(members.values())


def spanning_points(prime: int, labels: SignArray, points: Points) -> list[list[int]]:
    """The points of a batch cell by cell; of a cell that they span affinely, ``n_0 + 1`` that do so.

    The row at ``x`` is the combination of the coefficient rows of its cell with factors ``(x, 1)``. Where some points
    of a cell span ``R^{n_0}`` affinely, their rows span the rows at all its points, and the coefficient rows.
    """
    size, cells, result = points.dimension + 1, cells_of(labels), []
    if all(len(group) <= size for group in cells):
        return cells
    table = points.modulo(prime)
    assert table is not None
    for group in cells:
        if len(group) > size:
            chosen = modular.independent_rows(table[group], prime)
            group = [group[i] for i in chosen] if len(chosen) == size else group
        result.append(group)
    return result


def rank_proof(
    rows: BatchRows, labels: SignArray, points: Points, budget: Budget, progress: Progress
) -> KernelProof | RelationProof | None:
    """A proof that the rank is at most ``rows.rank``; None when the prime hides a pivot (or misleads otherwise).

    ``labels`` and ``points`` are the whole batch. What patterns alone say comes first: a bound, where there is one, and
    directions that they force. Rows that no other row depends on are left out, each counting for itself: without them
    more is forced, and the kernel has shorter vectors. Raises ``BudgetExceeded``.
    """
    network, outputs, alone = rows.network, rows.network.output_dimension, rows.alone()
    kept = np.flatnonzero(~alone).tolist()
    way = pattern_way(network)
    little = len(kept) * outputs < _SHARE * network.upper_bound  # is forced then, most likely
    first = way is not None and (not way.effort or (little and _LITTLE < way.effort < _MUCH))
    if way and first and (proof := _by_patterns(way, rows, alone, len(points), budget)) is not None:
        return proof
    if len(kept) * outputs <= min(_FEW, network.upper_bound // 8):  # almost every direction would be forced
        return _by_relations(rows, kept, len(points), _related(rows, kept, budget, progress), budget, progress)
    # the dimension of the kernel of the other rows
    wanted = network.parametric_dimension - rows.rank + outputs * (len(alone) - len(kept))
    some, factors = rows.points.take(kept), rows.factors_at(kept)
    forced = ForcedDirections(rows.reduced, rows.gauge, rows.labels[kept], some, factors, budget)
    if forced.dimension(wanted) == wanted:
        return _kernel_proof(rows, alone, len(points), wanted)
    solving = _Solving.of(rows, kept, forced, wanted, budget, progress)
    dear = way is not None and (solving is None or solving.effort > way.effort)
    if way and not first and dear and (proof := _by_patterns(way, rows, alone, len(points), budget)) is not None:
        return proof
    return None if solving is None else solving.proof(len(points), budget, progress)


def _by_patterns(way: PatternWay, rows: BatchRows, alone: BoolArray, count: int, budget: Budget) -> KernelProof | None:
    """By a bound that patterns give, of all rows but those that no other depends on, or of all; None where it is too
    large, or would cost more than the elimination did.
    """
    network = rows.network
    for but in (alone, np.zeros_like(alone))[: 1 + (alone.any() and way.effort < _MUCH)]:
        labels = rows.labels[~but]
        vectors = way.vectors_wanted(network, labels)
        few = len(alone) * network.output_dimension < vectors
        if few or not has_room_for(way.bytes_wanted(network, labels, vectors)):
            continue
        bound = way.value(rows.reduced, labels, rows.kernel_vectors(vectors, but), budget)
        if bound + network.output_dimension * but.sum() == rows.rank:
            return _kernel_proof(rows, but, count, network.parametric_dimension - bound)
    return None


def _kernel_proof(
    rows: BatchRows,
    but: BoolArray,
    count: int,
    forced: int,
    vectors: Sequence[list[fmpz]] = (),
    columns: Sequence[int] = (),
) -> KernelProof:
    """With the rows in use left out at some points, of a batch of so many."""
    outputs = range(rows.network.output_dimension)
    left_out = np.array(rows.numbers, dtype=np.int64)[but].tolist()
    spanned = sorted(set(range(count)).difference(rows.numbers))
    first, second = ([point * len(outputs) + o for point in some for o in outputs] for some in (spanned, left_out))
    return KernelProof(first, second, forced, list(vectors), list(columns))


@dataclass(frozen=True)
class _Solving:
    """What is left to solve for: a kernel vector for every dimension that is not forced, or all relations among the
    rows. Where the points span a cell, its coefficient rows take the place of theirs in the former: they are simpler.

    Attributes
    ----------
    rows, kept
        The rows, and those of which points are left.
    rest, numbers
        The same rows eliminated, and the vectors that are not forced: numbers of free columns.
    related
        The relations.
    wanted
        The dimension of the kernel.
    efforts
        Of solving for vectors, and for relations.
    """

    rows: BatchRows
    kept: list[int]
    rest: RankSearch
    numbers: list[int]
    related: Relations
    wanted: int
    efforts: tuple[float, float]

    @classmethod
    def of(
        cls,
        rows: BatchRows,
        kept: list[int],
        forced: ForcedDirections,
        wanted: int,
        budget: Budget,
        progress: Progress,
    ) -> _Solving | None:
        """None in case of bad luck: rows were left out that others depend on, or the prime hides something."""
        network, use = rows.network, {rows.numbers[i] for i in kept}
        place = {number: i for i, number in enumerate(rows.numbers)}
        whole = [group for group in rows.cells if use.issuperset(group) and _spans(rows, [place[i] for i in group])]
        cells = rows.labels[[place[group[0]] for group in whole]]
        single = [place[number] for number in sorted(use.difference(*whole))]
        rest = RankSearch(network, rows.reduced.prime, rows.reduced)
        rest.add_cells(cells, budget=budget, progress=progress)
        rest.add_points(rows.labels[single], rows.points.take(single), budget=budget, progress=progress)
        # the gauge and those whose kernel vectors are long come first: they are to be the forced ones
        lengths = (rest.space.tail != 0).sum(axis=0)
        order = np.argsort(-lengths, kind="stable").tolist()
        free, gauge = rest.free_columns(), rows.gauge.columns
        missing = [number - len(gauge) for number in forced.missing([*gauge, *(free[i] for i in order)])]
        if len(gauge) + len(free) != wanted or any(number < 0 for number in missing):
            return None
        numbers = sorted(order[number] for number in missing)
        related = _related(rows, kept, budget, progress)
        efforts = _effort(lengths[numbers]), _WORSE * _effort(related.lengths)
        return cls(rows, kept, rest, numbers, related, wanted, efforts)

    @property
    def effort(self) -> float:
        """Of the proof."""
        return min(self.efforts)

    def proof(self, count: int, budget: Budget, progress: Progress) -> KernelProof | RelationProof | None:
        """By whichever takes less, of a batch of so many points."""
        rows, kept = self.rows, self.kept
        if self.efforts[1] < self.efforts[0]:
            return _by_relations(rows, kept, count, self.related, budget, progress)
        vectors = kernel(self.rest, self.numbers, budget=budget, progress=progress)
        labels, points, free = rows.labels[kept], rows.points.take(kept), self.rest.free_columns()
        if not annihilates(rows.network, vectors, labels, points, budget=budget, progress=progress):
            return None
        columns = [free[i] for i in self.numbers]
        return _kernel_proof(rows, rows.alone(), count, self.wanted - len(vectors), vectors, columns)


def _effort(lengths: Lengths) -> float:
    """What it costs to solve for vectors with so many nonzero entries each, up to a factor."""
    return float((lengths.astype(np.float64) ** 3).sum())


def _spans(rows: BatchRows, places: list[int]) -> bool:
    """Whether points in use span the space affinely, which is proved modulo the prime."""
    size = rows.network.input_dimension + 1
    if len(places) != size:
        return False
    table = rows.points.take(places).modulo(rows.reduced.prime)
    assert table is not None
    return modular.rank(table, rows.reduced.prime) == size


def _related(rows: BatchRows, kept: list[int], budget: Budget, progress: Progress) -> Relations:
    """The relations modulo the prime among the rows at some of the points in use."""
    search = RankSearch(rows.network, rows.reduced.prime, rows.reduced)
    search.add_points(rows.labels[kept], rows.points.take(kept), budget=budget, progress=progress)
    return Relations(search, budget)


def _by_relations(
    rows: BatchRows, kept: list[int], count: int, related: Relations, budget: Budget, progress: Progress
) -> RelationProof | None:
    """Verified relations among the rows at some of the points in use, if they show that the rank is at most
    ``rows.rank``.
    """
    outputs, labels, points = rows.network.output_dimension, rows.labels[kept], rows.points.take(kept)
    if len(rows.numbers) * outputs - len(related.lengths) > rows.rank:
        return None
    found = related.solved(budget=budget, progress=progress)
    if not vanish(rows.network, found, labels, points, budget=budget, progress=progress):
        return None
    number_of = [rows.numbers[i] * outputs + output for i in kept for output in range(outputs)]
    result, last = [], []
    for relation in found:
        whole = [fmpz(0)] * (count * outputs)
        for row, entry in zip(number_of, relation, strict=True):
            whole[row] = entry
        result.append(whole)
        last.append(max(row for row, entry in enumerate(whole) if entry != 0))
    spanned = sorted(set(range(count)).difference(rows.numbers))
    return RelationProof([point * outputs + o for point in spanned for o in range(outputs)], result, last)
