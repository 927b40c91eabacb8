"""Batch functional dimension: the rank of the Jacobian of the evaluation map on one finite batch of points."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from flint import fmpq, fmpz

from exactfd.annihilation import annihilates
from exactfd.budget import Budget, Progress, silent
from exactfd.dimension import Status
from exactfd.errors import BudgetExceeded, InputError, InternalError
from exactfd.jacobians import (
    RationalTable,
    SignArray,
    checked_points,
    float_jacobian,
    homogeneous_points,
    jacobian,
    smooth_labels,
)
from exactfd.kernels import kernel
from exactfd.linalg import exact, modular
from exactfd.linalg.floats import FloatRank, float_rank
from exactfd.network import Network
from exactfd.rankproof import RankSearch
from exactfd.relations import relations, vanish

if TYPE_CHECKING:
    from exactfd.certificates import Certificate


@dataclass(frozen=True)
class KernelProof:
    """Why a rank is at most ``D - (scaling directions) - len(vectors) + len(left_out)``.

    Attributes
    ----------
    left_out
        Rows (counted ``point * n_d + output``) that no other row depends on: each counts for itself.
    vectors
        Integer vectors (length ``D``), independent modulo the scaling directions, that annihilate all other rows.
    columns
        For each vector a parameter where it is nonzero, and all other vectors and the gauge are zero.
    """

    left_out: list[int]
    vectors: list[list[fmpz]]
    columns: list[int]


@dataclass(frozen=True)
class RelationProof:
    """Why a rank is at most ``(number of rows) - len(relations)``.

    Attributes
    ----------
    relations
        Independent integer vectors ``w``, one entry a row (counted ``point * n_d + output``), with ``w J = 0``.
    rows
        For each relation a row where it is nonzero and all other relations are zero.
    """

    relations: list[list[fmpz]]
    rows: list[int]


@dataclass(frozen=True)
class BatchResult:
    """Rank of the Jacobian of ``Ev_Z`` on one batch, exact, with the float rank beside it.

    Attributes
    ----------
    lower, upper
        Proved bounds of the rank over Q; they meet unless a budget ran out.
    method
        In words: what proved the rank.
    search
        The stack of rows behind the lower bound, with its prime (a rank modulo a prime bounds the rank from below).
    batch, labels
        The points, exact, and their ternary tuples.
    proof
        The kernel vectors or relations behind the upper bound, or None when it comes from elsewhere.
    limit
        The message of the budget that ran out, or None.
    """

    network: Network
    lower: int
    upper: int
    method: str
    search: RankSearch = field(repr=False, compare=False)
    batch: list[list[fmpq]] = field(repr=False)
    labels: SignArray = field(repr=False, compare=False)
    proof: KernelProof | RelationProof | None = field(default=None, repr=False)
    limit: str | None = None

    @property
    def status(self) -> Status:
        """``"proved"`` or, when a budget ran out, ``"bounds"``."""
        return "proved" if self.lower == self.upper else "bounds"

    @property
    def rank(self) -> int | None:
        """Exact rank over Q, the batch functional dimension, when it is proved."""
        return self.lower if self.lower == self.upper else None

    @property
    def modular_rank(self) -> int:
        """Rank modulo the prime of ``search``: at most the rank over Q, and equal to it but for unlucky primes."""
        return self.search.rank

    @property
    def points(self) -> int:
        """Number of points."""
        return len(self.batch)

    @property
    def ntk_rank(self) -> int | None:
        """Exact rank of the empirical neural tangent kernel ``J J^T`` on the batch.

        It is the rank of ``J``: over the reals ``J J^T w = 0`` gives ``|J^T w|^2 = 0``.
        """
        return self.rank

    @cached_property
    def float_result(self) -> FloatRank | None:
        """Numerical rank of the float64 Jacobian (columns scaled to size one), with tolerance and gap. Computed when
        first asked for; None when a budget ran out.
        """
        return None if self.limit else float_rank(float_jacobian(self.network, self.batch))

    @property
    def float_rank(self) -> int | None:
        """Rank that float64 singular values give; None when a float overflows, or a budget ran out."""
        result = self.float_result
        return None if result is None or np.isnan(result.tolerance) else result.rank

    @property
    def float_agrees(self) -> bool | None:
        """Whether the float rank is right."""
        return None if self.rank is None or self.float_result is None else self.float_rank == self.rank

    @cached_property
    def certificate(self) -> Certificate:
        """The claim with its evidence, as a document that ``exactfd verify`` re-checks; made when first asked for.

        See :func:`exactfd.batch_certificate` for one with a budget or progress.
        """
        from exactfd.certificates import batch_certificate

        return batch_certificate(self)

    def to_dict(self) -> dict[str, Any]:
        """The keys of ``exactfd rank --json``."""
        gap = self.float_result.gap if self.float_result else np.inf
        return {
            "architecture": list(self.network.architecture),
            "output_activation": self.network.output_activation,
            "digest": self.network.digest,
            "rank": self.rank,
            "lower_bound": self.lower,
            "upper_bound": self.upper,
            "points": self.points,
            "parametric_dimension": self.network.parametric_dimension,
            "theoretical_upper_bound": self.network.upper_bound,
            "status": self.status,
            "method": self.method,
            "modular_rank": self.modular_rank,
            "float_rank": self.float_rank,
            "float_agrees": self.float_agrees,
            "float_gap": gap if np.isfinite(gap) else None,
            "ntk_rank": self.ntk_rank,
            "limit": self.limit,
        }

    def __repr__(self) -> str:
        if self.rank is None:
            return f"BatchResult(rank in [{self.lower}, {self.upper}], points={self.points}, bounds)"
        return f"BatchResult(rank={self.rank}, points={self.points}, proved)"

    def _repr_html_(self) -> str:
        if self.rank is None:
            return f"rank J Ev<sub>Z</sub> &isin; [{self.lower}, {self.upper}] on {self.points} points (bounds)"
        verdict = "agrees" if self.float_agrees else "<b>is wrong</b>"
        return f"rank J Ev<sub>Z</sub> = {self.rank} on {self.points} points (proved); float64 {verdict}"


def batch_functional_dimension(
    network: Network,
    points: Any,
    *,
    algorithm: Literal["auto", "flint"] = "auto",
    budget: Budget | None = None,
    progress: Progress = silent,
) -> BatchResult:
    """Exact rank of the Jacobian of ``Ev_Z`` for a batch ``Z`` of smooth rational points.

    ``algorithm="auto"`` proves the rank by a nonzero minor modulo a prime and by verified kernel vectors; ``"flint"``
    eliminates the exact matrix over Q (the reference; it heeds no budget once it has started).

    A budget that runs out is no error: the result then holds the bounds proved so far and says which ``limit`` it was.
    Raises ``NonSmoothPointError`` naming a point that is not parametrically smooth, ``ShapeError`` on a point of the
    wrong dimension. Source: arXiv 2209.04036, Definition 3.6.

    >>> net = Network([([[2], [-1]], [-5, 4]), ([[1, 1]], [1])], output_activation="relu")
    >>> [batch_functional_dimension(net, [[x] for x in z]).rank for z in [(0, 1, 2), (0, 1, 5, 6)]]
    [2, 4]
    """
    if algorithm not in ("auto", "flint"):
        raise InputError(f'algorithm: expected "auto" or "flint", found {algorithm!r}')
    budget = budget or Budget()
    rows = checked_points(network, points)
    labels = smooth_labels(network, rows)
    most = min(network.upper_bound, len(rows) * network.output_dimension)
    if algorithm == "flint":
        found = exact.rank(jacobian(network, rows))
        search = RankSearch.start(network)
        search.add_points(labels, rows)
        return BatchResult(network, found, found, "elimination over Q", search, rows, labels)
    best: RankSearch | None = None
    for skip in itertools.count():  # ends: each prime in vain divides a denominator or a minor
        search = RankSearch.start(network, skip=skip)
        try:
            if not search.add_points(labels, rows, budget=budget, progress=progress):
                continue  # the prime divides a denominator of a point
            best = search if best is None else max(best, search, key=_rank)
            if search.rank == most:
                method = "a minor modulo a prime meets the theoretical bound"
                return BatchResult(network, most, most, method, search, rows, labels)
            proof = _upper_bound(search, labels, rows, budget, progress)
        except BudgetExceeded as error:
            best = search if best is None else max(best, search, key=_rank)
            method = "some rows; the upper bound is the theoretical one"
            return BatchResult(network, best.rank, most, method, best, rows, labels, limit=str(error))
        if proof is not None:
            what = "a verified kernel" if isinstance(proof, KernelProof) else "verified relations among the rows"
            method = f"a minor modulo a prime meets {what}"
            return BatchResult(network, search.rank, search.rank, method, search, rows, labels, proof)
    raise InternalError("unreachable")


def _rank(search: RankSearch) -> int:
    return search.rank


def _upper_bound(
    search: RankSearch, labels: SignArray, points: list[list[fmpq]], budget: Budget, progress: Progress
) -> KernelProof | RelationProof | None:
    """A proof that the rank is at most ``search.rank``; None when the prime hides a pivot (or misleads otherwise).

    A row that no other row depends on counts for itself; without such rows the kernel has shorter vectors.
    """
    network, outputs = search.network, search.network.output_dimension
    lonely = Counter(number // outputs for number in search.unused_pivots(budget))
    left_out = [point for point, count in lonely.items() if count == outputs]
    kept = sorted(set(range(len(points))) - set(left_out))
    if len(kept) * outputs < len(search.columns):  # fewer relations among the rows than vectors in the kernel
        return _proof_by_relations(search, labels, points, kept, budget, progress)
    cells, single = _whole_cells(search.prime, labels, points, kept)
    at_points = [points[i] for i in single]
    rest = search.afresh()
    rest.add_cells(labels[cells], budget=budget, progress=progress)
    rest.add_points(labels[single], at_points, budget=budget, progress=progress)
    if rest.rank != search.rank - outputs * len(left_out):
        return None  # bad luck: the rows left out were no such rows after all
    vectors = kernel(rest, budget=budget, progress=progress)
    proved = annihilates(network, vectors, labels[cells], budget=budget, progress=progress) and annihilates(
        network, vectors, labels[single], at_points, budget=budget, progress=progress
    )
    rows = [point * outputs + output for point in left_out for output in range(outputs)]
    return KernelProof(rows, vectors, rest.free_columns()) if proved else None


def _proof_by_relations(
    search: RankSearch,
    labels: SignArray,
    points: list[list[fmpq]],
    kept: list[int],
    budget: Budget,
    progress: Progress,
) -> RelationProof | None:
    """As many verified relations among the rows of some points as show that the rank is at most ``search.rank``."""
    outputs, inside = search.network.output_dimension, [points[i] for i in kept]
    rest = search.afresh()
    rest.add_points(labels[kept], inside, budget=budget, progress=progress)
    found = relations(rest, budget=budget, progress=progress)
    if len(points) * outputs - len(found) > search.rank or not vanish(
        search.network, found, labels[kept], inside, budget=budget, progress=progress
    ):
        return None
    number_of = [point * outputs + output for point in kept for output in range(outputs)]
    result, last = [], []
    for relation in found:
        whole = [fmpz(0)] * (len(points) * outputs)
        for row, entry in zip(number_of, relation, strict=True):
            whole[row] = entry
        result.append(whole)
        last.append(max(row for row, entry in enumerate(whole) if entry != 0))
    return RelationProof(result, last)


def _whole_cells(
    prime: int, labels: SignArray, points: list[list[fmpq]], kept: list[int]
) -> tuple[list[int], list[int]]:
    """Points that stand for their whole cells, and the other points.

    The row at ``x`` is the combination of the coefficient rows of its cell with factors ``(x, 1)``. Where the points
    of a cell span ``R^{n_0}`` affinely, their rows span the same space as the coefficient rows, which are simpler.
    """
    members = defaultdict(list)
    for i in kept:
        members[labels[i].tobytes()].append(i)
    cells, single = [], []
    for group in members.values():
        size = len(points[group[0]]) + 1
        several = len(group) >= size
        table = RationalTable(homogeneous_points([points[i] for i in group])).modulo(prime) if several else None
        if table is not None and modular.rank(table, prime) == size:
            cells.append(group[0])
        else:
            single += group
    return cells, single
