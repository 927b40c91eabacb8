"""Functional dimension: the main job.

``dim_fun(theta)`` is the supremum, over finite batches of parametrically smooth points, of the rank of the Jacobian of
the evaluation map (arXiv 2209.04036, Definition 3.10). No sample points are needed: it is the rank of the coefficient
rows of all smooth ``n_0``-dimensional cells. An answer is ``proved`` only when a lower and an upper bound meet.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from flint import fmpz

from exactfd import rationals
from exactfd.budget import Budget, Progress, silent
from exactfd.errors import BudgetExceeded, InputError
from exactfd.geometry.complex import canonical_complex
from exactfd.geometry.labels import smooth_mask
from exactfd.geometry.splitting import split_cells
from exactfd.jacobians import SignArray
from exactfd.kernels import annihilates, kernel
from exactfd.network import Network
from exactfd.rankproof import RankSearch

if TYPE_CHECKING:
    from exactfd.certificates import Certificate

Status = Literal["proved", "bounds"]
Algorithm = Literal["auto", "complex", "splitting"]

#: Largest number of inputs (or of neurons in the first layer, if that is smaller) for which the whole complex is
#: enumerated by default.
COMPLEX_DIMENSION = 5
_GRACE = 1.0  # seconds to use the cells that a spent budget leaves
SEARCHES = 64  #: primes tried before giving up: a second one is already rare


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
        search.add_cells(sampled, stop_at=goal, budget=budget, progress=progress)
        if search.rank == goal:
            return _result(network, search, goal, "cells at sample points; the upper bound is D'", None, False)
        labels = _top_cells(network, algorithm, budget, progress)
    except BudgetExceeded as error:
        return _interrupted(network, search, error)
    smooth = labels[smooth_mask(labels, network.relu_widths)]
    best = search
    for attempt in range(SEARCHES):
        try:
            search.add_cells(smooth, stop_at=goal, budget=budget, progress=progress)
            if search.rank == goal:
                return _result(network, search, goal, "all cells; the upper bound is D'", len(labels), True)
            vectors = kernel(search, budget=budget, progress=progress)
            if annihilates(network, vectors, smooth, budget=budget, progress=progress):
                method = "all cells; the upper bound is a verified kernel"
                method = method if len(smooth) else "no cell is parametrically smooth"
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
