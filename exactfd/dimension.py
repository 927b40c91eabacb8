"""Functional dimension: the main job.

``dim_fun(theta)`` is the supremum, over finite batches of parametrically smooth points, of the rank of the Jacobian of
the evaluation map (arXiv 2209.04036, Definition 3.10). No sample points are needed: it is the rank of the coefficient
rows of all smooth ``n_0``-dimensional cells. An answer is ``proved`` only when a lower and an upper bound meet.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from flint import fmpz

from exactfd import rationals
from exactfd.annihilation import annihilates
from exactfd.budget import Budget, Progress, has_room_for, silent
from exactfd.errors import BudgetExceeded, InputError, InternalError
from exactfd.geometry.labels import smooth_mask
from exactfd.geometry.location import ternary_tuples
from exactfd.geometry.top import Engine, TopAlgorithm, TopLabels, top_cells
from exactfd.jacobians import SignArray
from exactfd.kernels import Vector, kernel_parts
from exactfd.network import Network
from exactfd.patterns import pattern_way
from exactfd.points import Points
from exactfd.rankproof import RankSearch

if TYPE_CHECKING:
    from exactfd.certificates import Certificate

Status = Literal["proved", "bounds"]
_FEW = 100  # parameters up to which kernel vectors are found as fast as bounds by patterns (measured)
_GRACE = 1.0  # seconds to use the cells that a spent budget leaves


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
    engine
        What enumerated them: ``"complex"``, ``"skeleton"`` or ``"splitting"``; None when nothing did.
    solved
        Vectors of :attr:`hidden_kernel` that have been solved for, by a parameter where no other one of them is
        nonzero; None where activation patterns gave the upper bound and nobody has asked for vectors yet.
    search
        The stack of rows behind the lower bound, with its prime, pivots and scaling directions.
    limit
        The message of the budget that ran out, or None.
    cells
        The ternary tuples of the cells that were looked at, or None.
    """

    network: Network
    lower: int
    upper: int
    method: str
    top_cells: int | None
    complete: bool
    engine: Engine | None
    solved: Mapping[int, Vector] | None = field(repr=False, compare=False)
    search: RankSearch = field(repr=False, compare=False)
    limit: str | None = None
    cells: TopLabels | None = field(default=None, repr=False, compare=False)

    @property
    def status(self) -> Status:
        """``"proved"`` or ``"bounds"``."""
        return "proved" if self.lower == self.upper else "bounds"

    @property
    def value(self) -> int | None:
        """The functional dimension when it is proved."""
        return self.lower if self.lower == self.upper else None

    @property
    def hidden_kernel(self) -> list[list[fmpz]]:
        """Integer vectors (length ``D``) in the kernel of every smooth cell, independent modulo the scaling directions:
        all of it when ``status`` is ``"proved"``, unless the upper bound is the theoretical one; what had been verified
        when a budget ran out. Solved for when first asked for, unless that is how the upper bound was proved.
        """
        return list(self.solve().values())

    def solve(self, *, budget: Budget | None = None, progress: Progress = silent) -> Mapping[int, Vector]:
        """The vectors of :attr:`hidden_kernel`, by a parameter where no other one of them is nonzero.

        Raises ``BudgetExceeded``.
        """
        if self.solved is None:
            assert self.cells is not None  # patterns bound the rank where all cells are known
            found = _solved_kernel(self.search, _smooth(self.network, self.cells), budget or Budget(), progress)
            object.__setattr__(self, "solved", found)
        return self.solved or {}

    @property
    def kernel(self) -> list[tuple[Fraction, ...]]:
        """Known kernel directions as fractions: the scaling directions, then the hidden ones."""
        hidden = [tuple(Fraction(int(entry)) for entry in vector) for vector in self.hidden_kernel]
        scaling = [tuple(rationals.to_fraction(entry) for entry in vector) for vector in self.search.gauge.vectors]
        return scaling + hidden

    @cached_property
    def certificate(self) -> Certificate:
        """The claim with its evidence, as a document that ``exactfd verify`` re-checks; made when first asked for.

        See :func:`exactfd.dimension_certificate` for one with a budget or progress.
        """
        from exactfd.certificates import dimension_certificate

        return dimension_certificate(self)

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
            "engine": self.engine,
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
    algorithm: TopAlgorithm = "auto",
    budget: Budget | None = None,
    progress: Progress = silent,
    processes: int = 1,
    kernel: bool = False,
) -> DimensionResult:
    """Exact functional dimension of the parameter of ``network``.

    First the cells around some sample points are stacked: if their rank reaches ``D'``, nothing else is needed.
    Otherwise all ``n_0``-dimensional cells are enumerated (``algorithm="complex"``: with the whole complex;
    ``"skeleton"``: from vertices and edges; ``"splitting"``: with exact linear programs; ``"auto"``: by an estimate,
    see :func:`exactfd.top_cells`), their rows are stacked modulo a prime, and a deficit is proved by what activation
    patterns leave, or by kernel vectors that every cell annihilates: always by these, with ``kernel``.

    ``processes`` share the enumeration. A budget that runs out is no error: the result then holds the bounds proved so
    far and says which ``limit`` it was.

    >>> net = Network([([[2], [-1]], [-5, 4]), ([[1, 1]], [1])], output_activation="relu")
    >>> functional_dimension(net).value
    5
    """
    if algorithm not in get_args(TopAlgorithm):
        raise InputError(f"algorithm: expected one of {', '.join(get_args(TopAlgorithm))}, found {algorithm!r}")
    budget = budget or Budget()
    search = RankSearch.start(network)
    goal = network.upper_bound
    sampled, _ = sampled_cells(network)
    try:
        search.add_cells(sampled, stop_at=goal, budget=budget, progress=progress)
        if search.rank == goal:
            return _result(search, goal, "cells at sample points; the upper bound is D'")
        cells = top_cells(network, algorithm=algorithm, budget=budget, progress=progress, processes=processes)
    except BudgetExceeded as error:
        return _interrupted(search, error)
    smooth = _smooth(network, cells)
    best = search
    for attempt in itertools.count(1):  # ends: each prime in vain divides a minor, or chance erred
        proved: dict[int, Vector] = {}
        try:
            _add_all(search, smooth, goal, budget, progress)
            if search.rank == goal:
                return _result(search, goal, "all cells; the upper bound is D'", cells)
            if not kernel and _bounded_by_patterns(search, smooth, budget):
                method = "all cells; the upper bound is what activation patterns leave"
                return _result(search, search.rank, method, cells, by_patterns=True)
            if _prove_kernel(search, smooth, proved, budget, progress):
                method = "all cells; the upper bound is a verified kernel"
                method = method if len(smooth) else "all cells; none is parametrically smooth"
                return _result(search, search.rank, method, cells, _ordered(search, proved))
        except BudgetExceeded as error:
            return _interrupted(max(best, search, key=_rank), error, cells, proved)
        best = max(best, search, key=_rank)
        search = RankSearch.start(network, skip=attempt)  # the prime hid a pivot: take another
    raise InternalError("unreachable")


def _smooth(network: Network, cells: TopLabels) -> SignArray:
    """The labels of the smooth ones."""
    labels: SignArray = cells.labels[smooth_mask(cells.labels, network.relu_widths)]
    return labels


def _add_all(search: RankSearch, smooth: SignArray, goal: int | None, budget: Budget, progress: Progress) -> None:
    """Stack the rows of all cells. Neighbours have much in common: in random order fewer rows tell the rank."""
    order = np.random.default_rng(0).permutation(len(smooth))
    search.add_cells(smooth[order], stop_at=goal, budget=budget, progress=progress)


def _bounded_by_patterns(search: RankSearch, smooth: SignArray, budget: Budget) -> bool:
    """Whether activation patterns show that the rank of all cells is no more than that modulo the prime; not asked for
    where kernel vectors are found as fast, or memory is short. Raises ``BudgetExceeded``.
    """
    network, way = search.network, pattern_way(search.network)
    few = network.parametric_dimension < _FEW or not len(search.space.free_columns)
    if few or way is None or way.effort or not len(smooth):
        return False
    count = way.vectors_wanted(network, smooth)
    if not has_room_for(way.bytes_wanted(network, smooth, count)):
        return False
    vectors = search.kernel_vectors(count)
    bound = way.value(search.reduced, smooth, vectors, budget, points=network.input_dimension + 1)
    return bound == search.rank


def _solved_kernel(search: RankSearch, smooth: SignArray, budget: Budget, progress: Progress) -> Mapping[int, Vector]:
    """The kernel of all cells modulo the scaling directions, where the rank of the search is that over Q."""
    rank = search.rank
    for attempt in itertools.count(1):  # ends: each prime in vain divides a minor, or chance erred
        proved: dict[int, Vector] = {}
        if search.rank == rank and _prove_kernel(search, smooth, proved, budget, progress):
            return _ordered(search, proved)
        search = RankSearch.start(search.network, skip=attempt)
        _add_all(search, smooth, None, budget, progress)
    raise InternalError("unreachable")


def _prove_kernel(
    search: RankSearch, smooth: SignArray, proved: dict[int, Vector], budget: Budget, progress: Progress
) -> bool:
    """Whether the kernel modulo the prime is one over Q; its vectors go to ``proved``, by the parameters of the free
    columns, as they are proved. Raises ``BudgetExceeded``.
    """
    free = search.free_columns()
    for part in kernel_parts(search, budget=budget, progress=progress):
        numbers = sorted(part)
        try:
            vectors = [part[number] for number in numbers]
            if not annihilates(search.network, vectors, smooth, budget=budget, progress=progress):
                return False
        except BudgetExceeded as error:
            proved.update((free[numbers[i]], part[numbers[i]]) for i in error.partial or ())
            raise
        proved.update((free[number], part[number]) for number in numbers)
    return True


def _ordered(search: RankSearch, proved: Mapping[int, Vector]) -> dict[int, Vector]:
    """In the order of the free columns."""
    return {column: proved[column] for column in search.free_columns() if column in proved}


def _rank(search: RankSearch) -> int:
    return search.rank


def _result(
    search: RankSearch,
    upper: int,
    method: str,
    cells: TopLabels | None = None,
    proved: Mapping[int, Vector] | None = None,
    limit: str | None = None,
    *,
    by_patterns: bool = False,
) -> DimensionResult:
    return DimensionResult(
        network=search.network,
        lower=search.rank,
        upper=upper,
        method=method,
        top_cells=None if cells is None else len(cells),
        complete=cells is not None and cells.complete,
        engine=None if cells is None else cells.algorithm,
        solved=None if by_patterns else dict(proved or {}),
        search=search,
        limit=limit,
        cells=cells,
    )


def _interrupted(
    search: RankSearch,
    error: BudgetExceeded,
    cells: TopLabels | None = None,
    proved: Mapping[int, Vector] | None = None,
) -> DimensionResult:
    """What is proved when a budget runs out: cells found so far still count for the lower bound, and the kernel vectors
    that all cells annihilate for the upper one.
    """
    network = search.network
    if cells is None and isinstance(error.partial, TopLabels):
        cells = error.partial
        with suppress(BudgetExceeded):
            search.add_cells(_smooth(network, cells), stop_at=network.upper_bound, budget=Budget(time_limit=_GRACE))
    some = "all cells found, not all used" if cells is not None and cells.complete else "some cells"
    upper, what = network.upper_bound, "D'"
    if proved:
        some = "all cells"
        known = network.parametric_dimension - len(search.gauge.columns) - len(proved)
        upper, what = min((known, "a verified part of the kernel"), (upper, what))
    limit = None if search.rank == upper else str(error)  # proved all the same
    return _result(search, upper, f"{some}; the upper bound is {what}", cells, proved, limit=limit)


def sampled_cells(network: Network) -> tuple[SignArray, Points]:
    """Ternary tuples without zeros (open cells, all smooth), each once, and a point in each; always the same ones."""
    widths = network.relu_widths
    per_cell = network.output_dimension * (network.input_dimension + 1)
    count = min(1000, 16 + 4 * network.upper_bound // per_cell)
    rng = np.random.default_rng(0)
    scales = 4.0 ** rng.integers(-1, 3, size=(count, 1))
    floats = np.round(rng.standard_normal((count, network.input_dimension)) * scales * 256) / 256
    points = Points(floats, network.input_dimension)
    found = {tuple(row): i for i, row in enumerate(ternary_tuples(network, points).tolist())}
    inside = sorted(row for row in found if 0 not in row)
    table = np.array(inside, dtype=np.int8).reshape(len(inside), sum(widths))
    return table, points.take([found[row] for row in inside])
