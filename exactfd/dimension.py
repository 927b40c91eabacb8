"""Batch functional dimension and functional dimension: the main job.

``dim_fun(theta)`` is the supremum, over finite batches of parametrically smooth points, of the rank of the Jacobian of
the evaluation map (arXiv 2209.04036, Definition 3.10). No sample points are needed: it is the rank of the coefficient
rows of all smooth ``n_0``-dimensional cells. An answer is ``proved`` only when a lower and an upper bound meet.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from typing import Any, Literal

import numpy as np
from flint import fmpq, fmpz

from exactfd import rationals
from exactfd.budget import Budget, Progress, silent
from exactfd.errors import BudgetExceeded, InputError, InternalError
from exactfd.geometry.complex import canonical_complex
from exactfd.geometry.labels import smooth_mask
from exactfd.geometry.splitting import split_cells
from exactfd.jacobians import (
    ModularNetwork,
    SignArray,
    checked_points,
    float_jacobian,
    jacobian,
    smooth_labels,
)
from exactfd.linalg import exact, modular
from exactfd.linalg.floats import FloatRank, float_rank
from exactfd.network import Network
from exactfd.rankproof import RankSearch

Status = Literal["proved", "bounds"]
Algorithm = Literal["auto", "complex", "splitting"]

#: Largest number of inputs (or of neurons in the first layer, if that is smaller) for which the whole complex is
#: enumerated by default.
COMPLEX_DIMENSION = 5
_GRACE = 1.0  # seconds to use the cells that a spent budget leaves
_SEARCHES = 64  # primes tried before giving up: a second one is already rare


@dataclass(frozen=True)
class DimensionResult:
    """Functional dimension of one parameter, and how it is known.

    Attributes
    ----------
    value
        ``dim_fun(theta)``, or None unless ``status`` is ``"proved"``.
    lower, upper
        Proved bounds; they meet exactly when ``status`` is ``"proved"``.
    method
        In words: what gave the two bounds.
    top_cells
        Number of ``n_0``-dimensional cells looked at (all of them when ``complete``), or None when none was enumerated.
    complete
        Whether the list of cells is proved complete.
    hidden_kernel
        Integer vectors (length ``D``) that span the kernel of the stacked Jacobian modulo the scaling directions; empty
        when the upper bound is the theoretical one.
    search
        The stack of rows behind the lower bound, with its prime, pivots and scaling directions.
    limit
        The message of the budget that ran out, or None.
    """

    network: Network
    lower: int
    upper: int
    method: str
    top_cells: int | None
    complete: bool
    hidden_kernel: list[list[fmpz]] = field(repr=False)
    search: RankSearch = field(repr=False, compare=False)
    limit: str | None = None

    @property
    def status(self) -> Status:
        """``"proved"`` or ``"bounds"``."""
        return "proved" if self.lower == self.upper else "bounds"

    @property
    def value(self) -> int | None:
        """The functional dimension when it is proved."""
        return self.lower if self.lower == self.upper else None

    @property
    def kernel(self) -> list[tuple[Fraction, ...]]:
        """Known kernel directions as fractions: the scaling directions, then the hidden ones."""
        hidden = [tuple(Fraction(int(entry)) for entry in vector) for vector in self.hidden_kernel]
        scaling = [tuple(rationals.to_fraction(entry) for entry in vector) for vector in self.search.gauge.vectors]
        return scaling + hidden

    def to_dict(self) -> dict[str, Any]:
        """The keys of ``exactfd dim --json``."""
        return {
            "architecture": list(self.network.architecture),
            "output_activation": self.network.output_activation,
            "digest": self.network.digest,
            "functional_dimension": self.value,
            "lower_bound": self.lower,
            "upper_bound": self.upper,
            "theoretical_upper_bound": self.network.upper_bound,
            "parametric_dimension": self.network.parametric_dimension,
            "status": self.status,
            "method": self.method,
            "top_cells": self.top_cells,
            "complete": self.complete,
            "limit": self.limit,
        }

    def __repr__(self) -> str:
        what = str(self.value) if self.status == "proved" else f"in [{self.lower}, {self.upper}]"
        return f"DimensionResult({what}, {self.status}, D'={self.network.upper_bound}, {self.method})"

    def _repr_html_(self) -> str:
        what = f"= {self.value}" if self.status == "proved" else f"&isin; [{self.lower}, {self.upper}]"
        return f"dim<sub>fun</sub>(&theta;) {what} ({self.status}); D' = {self.network.upper_bound}; {self.method}"


def functional_dimension(
    network: Network,
    *,
    algorithm: Algorithm = "auto",
    budget: Budget | None = None,
    progress: Progress = silent,
) -> DimensionResult:
    """Exact functional dimension of the parameter of ``network``.

    First the cells around some sample points are stacked: if their rank reaches ``D'``, nothing else is needed.
    Otherwise all ``n_0``-dimensional cells are enumerated (``algorithm="complex"``: with the whole complex;
    ``"splitting"``: with exact linear programs; ``"auto"``: by the size of the first layer), their rows are stacked
    modulo a prime, and a deficit is proved by kernel vectors that every cell annihilates.

    A budget that runs out is no error: the result then holds the bounds proved so far and says which ``limit`` it was.

    >>> net = Network([([[2], [-1]], [-5, 4]), ([[1, 1]], [1])], output_activation="relu")
    >>> functional_dimension(net).value
    5
    """
    if algorithm not in ("auto", "complex", "splitting"):
        raise InputError(f'algorithm: expected "auto", "complex" or "splitting", found {algorithm!r}')
    budget = budget or Budget()
    search = RankSearch.start(network)
    goal = network.upper_bound
    sampled, _ = sampled_cells(network)
    try:
        search.add_cells(sampled, stop_at=goal, budget=budget)
        progress("sample cells", len(sampled), len(sampled))
        if search.rank == goal:
            return _result(network, search, goal, "cells at sample points; the upper bound is D'", None, False)
        labels = _top_cells(network, algorithm, budget, progress)
    except BudgetExceeded as error:
        return _interrupted(network, search, error)
    smooth = labels[smooth_mask(labels, network.relu_widths)]
    best = search
    for attempt in range(_SEARCHES):
        try:
            search.add_cells(smooth, stop_at=goal, budget=budget)
            progress("rank", search.rank, goal)
            if search.rank == goal:
                return _result(network, search, goal, "all cells; the upper bound is D'", len(labels), True)
            vectors = search.kernel()
            budget.check()
            progress("kernel", len(vectors), len(vectors))
            if search.annihilates(vectors, smooth, budget=budget):
                method = "all cells; the upper bound is a verified kernel"
                return _result(network, search, search.rank, method, len(labels), True, vectors)
        except BudgetExceeded as error:
            return _interrupted(network, max(best, search, key=_rank), error, len(labels), True)
        best = max(best, search, key=_rank)
        search = RankSearch.start(network, skip=attempt + 1)  # the prime hid a pivot: take another
    return _result(network, best, goal, "all cells; no prime gave a kernel over Q", len(labels), True)


def _rank(search: RankSearch) -> int:
    return search.rank


def _result(
    network: Network,
    search: RankSearch,
    upper: int,
    method: str,
    cells: int | None,
    complete: bool,
    vectors: Sequence[list[fmpz]] = (),
    limit: str | None = None,
) -> DimensionResult:
    return DimensionResult(network, search.rank, upper, method, cells, complete, list(vectors), search, limit)


def _interrupted(
    network: Network, search: RankSearch, error: BudgetExceeded, cells: int | None = None, complete: bool = False
) -> DimensionResult:
    """What is proved when a budget runs out: cells found so far still count for the lower bound."""
    partial = getattr(error.partial, "labels", None)
    if partial is not None and len(partial):
        cells = len(partial)
        with suppress(BudgetExceeded):
            smooth = partial[smooth_mask(partial, network.relu_widths)]
            search.add_cells(smooth, stop_at=network.upper_bound, budget=Budget(time_limit=_GRACE))
    method = f"{'all cells found, not all used' if complete else 'some cells'}; the upper bound is D'"
    limit = None if search.rank == network.upper_bound else str(error)  # proved all the same
    return _result(network, search, network.upper_bound, method, cells, complete, limit=limit)


def _top_cells(network: Network, algorithm: Algorithm, budget: Budget, progress: Progress) -> SignArray:
    if algorithm == "auto":
        first = network.architecture[1] if network.relu_widths else 0
        small = min(first, network.input_dimension) <= COMPLEX_DIMENSION
        algorithm = "complex" if small else "splitting"
    if algorithm == "complex":
        return canonical_complex(network, budget=budget, progress=progress).labels(network.input_dimension)
    return split_cells(network, budget=budget, progress=progress).labels


def sampled_cells(network: Network) -> tuple[SignArray, list[tuple[Fraction, ...]]]:
    """Ternary tuples without zeros (open cells, all smooth), each once, and a rational sample point for each; always
    the same ones.
    """
    widths = network.relu_widths
    per_cell = network.output_dimension * (network.input_dimension + 1)
    count = min(1000, 16 + 4 * network.upper_bound // per_cell)
    rng = np.random.default_rng(0)
    scales = 4.0 ** rng.integers(-1, 3, size=(count, 1))
    points = np.round(rng.standard_normal((count, network.input_dimension)) * scales * 256) / 256
    found = {network.ternary_tuple(point): tuple(map(Fraction, point)) for point in points.tolist()}
    inside = sorted(labels for labels in found if 0 not in labels)
    table = np.array(inside, dtype=np.int8).reshape(len(inside), sum(widths))
    return table, [found[labels] for labels in inside]


# --------------------------------------------------------------------------- batches


@dataclass(frozen=True)
class BatchResult:
    """Rank of the Jacobian of ``Ev_Z`` on one batch, exact, with the float rank beside it.

    Attributes
    ----------
    rank
        Exact rank over Q: the batch functional dimension.
    modular_rank, prime
        Rank modulo a prime (a lower bound, equal to ``rank`` but for unlucky primes).
    float_result
        Numerical rank of the float64 Jacobian, with tolerance and gap.
    ntk_rank
        Exact rank of the empirical neural tangent kernel ``J J^T`` on the batch.
    method
        In words: what proved the rank.
    search
        The stack of rows behind the modular rank.
    batch, labels
        The points, exact, and their ternary tuples.
    """

    network: Network
    points: int
    rank: int
    modular_rank: int
    prime: int
    float_result: FloatRank
    ntk_rank: int
    method: str
    search: RankSearch = field(repr=False, compare=False)
    batch: list[list[fmpq]] = field(repr=False)
    labels: SignArray = field(repr=False, compare=False)

    @property
    def status(self) -> Status:
        """Always ``"proved"``: a batch is finite."""
        return "proved"

    @property
    def float_rank(self) -> int:
        """Rank that float64 singular values give."""
        return self.float_result.rank

    @property
    def float_agrees(self) -> bool:
        """Whether the float rank is right."""
        return self.float_result.rank == self.rank

    def to_dict(self) -> dict[str, Any]:
        """The keys of ``exactfd rank --json``."""
        gap = self.float_result.gap
        return {
            "architecture": list(self.network.architecture),
            "output_activation": self.network.output_activation,
            "digest": self.network.digest,
            "rank": self.rank,
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
        }

    def __repr__(self) -> str:
        return f"BatchResult(rank={self.rank}, points={self.points}, proved, float_rank={self.float_rank})"

    def _repr_html_(self) -> str:
        verdict = "agrees" if self.float_agrees else "<b>is wrong</b>"
        return f"rank J Ev<sub>Z</sub> = {self.rank} on {self.points} points (proved); float64 {verdict}"


def batch_functional_dimension(
    network: Network, points: Any, *, algorithm: Literal["auto", "flint"] = "auto"
) -> BatchResult:
    """Exact rank of the Jacobian of ``Ev_Z`` for a batch ``Z`` of smooth rational points.

    ``algorithm="auto"`` proves the rank by a nonzero minor modulo a prime and by verified kernel vectors, or, where the
    batch has fewer rows than the parameter has free columns, by elimination over Q; ``"flint"`` always eliminates the
    exact matrix over Q.

    Raises ``NonSmoothPointError`` naming a point that is not parametrically smooth, ``ShapeError`` on a point of the
    wrong dimension. Source: arXiv 2209.04036, Definition 3.6.

    >>> net = Network([([[2], [-1]], [-5, 4]), ([[1, 1]], [1])], output_activation="relu")
    >>> [batch_functional_dimension(net, [[x] for x in z]).rank for z in [(0, 1, 2), (0, 1, 5, 6)]]
    [2, 4]
    """
    if algorithm not in ("auto", "flint"):
        raise InputError(f'algorithm: expected "auto" or "flint", found {algorithm!r}')
    rows = checked_points(network, points)
    labels = smooth_labels(network, rows)
    search, rank, method = _proved_batch_rank(network, labels, rows, algorithm)
    return BatchResult(
        network=network,
        points=len(rows),
        rank=rank,
        modular_rank=search.rank,
        prime=search.prime,
        float_result=float_rank(float_jacobian(network, rows)),
        ntk_rank=_ntk_rank(network, labels, rows, rank),
        method=method,
        search=search,
        batch=rows,
        labels=labels,
    )


def _proved_batch_rank(
    network: Network, labels: SignArray, rows: list[list[fmpq]], algorithm: str
) -> tuple[RankSearch, int, str]:
    attempt, searches = 0, 0
    most = min(network.upper_bound, len(rows) * network.output_dimension)
    while True:
        search = RankSearch.start(network, skip=attempt)
        attempt += 1
        if not search.add_points(labels, rows):
            continue  # the prime divides a denominator of a point
        searches += 1
        if algorithm == "flint" or searches > _SEARCHES:
            return search, exact.rank(jacobian(network, rows)), "elimination over Q"
        if search.rank == most:
            return search, most, "a minor modulo a prime meets the theoretical bound"
        if len(rows) * network.output_dimension < len(
            search.columns
        ):  # few rows: their relations are fewer than kernel
            return search, exact.rank(jacobian(network, rows)), "elimination over Q"
        if search.annihilates(search.kernel(), labels, rows):
            return search, search.rank, "a minor modulo a prime meets a verified kernel"


def _ntk_rank(network: Network, labels: SignArray, rows: list[list[fmpq]], rank: int) -> int:
    """Rank over Q of the Gram matrix ``J J^T``.

    It is at most the rank of ``J``; a rank modulo a prime that reaches it settles the matter, and otherwise the exact
    Gram matrix is eliminated.
    """
    if not rows:
        return 0
    for prime in islice(modular.primes(), 3):
        reduced = ModularNetwork.reduce(network, prime)
        table = None if reduced is None else reduced.point_rows(labels, rows)
        if table is not None and modular.rank(modular.multiply(table, table.T, prime), prime) == rank:
            return rank
    integers = exact.integer_rows(jacobian(network, rows))
    found = int((integers * integers.transpose()).rank())
    if found > rank:
        raise InternalError(f"the Gram matrix has rank {found}, the Jacobian {rank}")
    return found
