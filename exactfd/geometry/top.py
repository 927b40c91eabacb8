"""The ``n_0``-dimensional cells, by whichever engine is expected to be fastest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import comb
from typing import Any, Literal

import numpy as np

from exactfd import rationals
from exactfd.budget import Budget, Progress, silent
from exactfd.errors import BudgetExceeded, InputError
from exactfd.geometry.ancestry import IntArray
from exactfd.geometry.bits import BoolArray, SignArray
from exactfd.geometry.complex import canonical_complex
from exactfd.geometry.homogeneous import HomogeneousNetwork, homogenise
from exactfd.geometry.interior import InteriorPoints, Point, PointList
from exactfd.geometry.skeleton import NotSimple, Skeleton, SkeletonCells
from exactfd.geometry.splitting import split_cells
from exactfd.geometry.workers import is_worth, top_labels
from exactfd.network import Network
from exactfd.processes import check_count

Engine = Literal["complex", "skeleton", "splitting"]
TopAlgorithm = Literal["auto", "complex", "skeleton", "splitting"]

#: Up to this dimension the whole complex costs no more than its vertices and edges.
_WHOLE = 3
#: Up to this dimension the whole complex is preferred to the splitting tree.
_FALLBACK = 6
#: Largest expected numbers of vertices, and of sign vectors around them, for which vertices and edges are kept.
_MOST_VERTICES = 3_000_000
_MOST_CHOICES = 1 << 30
#: Largest expected number of sign vectors around vertices for which the whole complex is small.
_SMALL = 1 << 25


@dataclass(frozen=True, slots=True, eq=False)
class TopLabels:
    """Ternary tuples of the ``n_0``-dimensional cells, in lexicographic order, and who found them.

    Attributes
    ----------
    labels
        ``(m, N)`` int8, one row a cell; 0 where a pre-activation vanishes identically on the cell.
    algorithm
        ``"complex"``, ``"skeleton"`` or ``"splitting"``: the engine that ran to the end.
    complete
        Whether these are all cells.
    simple
        Whether every vertex is simple, if the skeleton was tried.
    bounded
        Which cells are bounded, if points were asked for; None also where the splitting tree ran, which does not tell.
    points
        A rational point inside each cell, if they were asked for: a sequence that finds them when it is read.
    """

    labels: SignArray
    algorithm: Engine
    complete: bool = True
    simple: bool | None = None
    bounded: BoolArray | None = None
    points: Sequence[Point] | None = None

    def __len__(self) -> int:
        """Number of cells."""
        return len(self.labels)

    def first(self, count: int | None) -> TopLabels:
        """The first cells alone."""
        points = self.points.first(count) if isinstance(self.points, PointList) else None
        bounded = None if self.bounded is None else self.bounded[:count]
        return replace(self, labels=self.labels[:count], complete=False, bounded=bounded, points=points)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values; the points as exact text, if they were asked for."""
        result = {
            "top_cells": len(self),
            "complete": self.complete,
            "engine": self.algorithm,
            "labels": self.labels.tolist(),
        }
        if self.bounded is not None:
            result["bounded"] = self.bounded.tolist()
        if self.points is not None:
            result["points"] = [[rationals.format_rational(x) for x in point] for point in self.points]
        return result

    def __repr__(self) -> str:
        return f"TopLabels({len(self)} cells, {'complete' if self.complete else 'not all'}, by {self.algorithm})"

    def _repr_html_(self) -> str:
        return f"<code>{self!r}</code>"


def top_cells(
    network: Network,
    *,
    algorithm: TopAlgorithm = "auto",
    budget: Budget | None = None,
    progress: Progress = silent,
    processes: int = 1,
    points: bool = False,
) -> TopLabels:
    """All ``n_0``-dimensional cells of the canonical polyhedral complex, for every parameter.

    Parameters
    ----------
    algorithm
        ``"complex"``: every cell of every dimension, of which the top ones are kept. ``"skeleton"``: vertices and edges
        only; where a vertex is not simple, one of the others takes over. ``"splitting"``: exact linear programs, in
        little memory. ``"auto"``: by the dimension and the expected number of vertices.
    budget, progress
        Limits, and a callback ``progress(stage, done, total)``.
    processes
        How many may share the work, with the same cells in the same order: the whole complex is subdivided in parts,
        of which the top cells alone are put together, and the splitting tree is walked branch by branch. Vertices and
        edges are found by one. See :func:`exactfd.canonical_complex` and :func:`exactfd.split_cells`.
    points
        Whether to tell which cells are bounded, and a rational point inside each.

    Raises
    ------
    EngineError
        where another process does not start, is killed or runs out of memory.
    BudgetExceeded
        with ``partial`` the :class:`TopLabels` found so far where the engine has whole cells by then, else lower bounds
        for the f-vector (the whole complex) or None.

    Notes
    -----
    Sources: arXiv 2209.04036, Definition 2.5 (the cells); Masden, arXiv 2207.07696, Theorem 20 (the skeleton).

    Examples
    --------
    >>> net = Network([([[1, 0], [0, 1], [1, 1]], [0, 0, -1]), ([[1, 1, -1]], [0])])
    >>> found = top_cells(net)
    >>> len(found), found.algorithm, top_cells(net, algorithm="skeleton").algorithm
    (7, 'complex', 'skeleton')
    >>> top_cells(net, points=True).points[0]
    (Fraction(-1, 1), Fraction(-1, 1))
    """
    if algorithm not in ("auto", "complex", "skeleton", "splitting"):
        raise InputError(f"algorithm: expected auto, complex, skeleton or splitting, found {algorithm!r}")
    check_count(processes)
    limits = budget or Budget()
    simple: bool | None = None
    homogeneous = homogenise(network)
    engine: Engine = expected_engine(homogeneous) if algorithm == "auto" else algorithm
    if engine == "skeleton":
        try:
            return skeleton_cells(network, homogeneous, limits, progress, bounded=points, points=points)
        except NotSimple:
            simple = False
        engine = engine_after_skeleton(homogeneous)
    if engine == "complex" and not points and limits.max_cells is None and is_worth(homogeneous, processes):
        labels = top_labels(homogeneous, limits, progress, processes)
        return TopLabels(labels[_order(labels)], "complex", simple=simple)
    if engine == "complex":
        whole = canonical_complex(network, budget=limits, progress=progress, processes=processes)
        labels = whole.labels(network.input_dimension)
        order = _order(labels)
        found = TopLabels(labels[order], "complex", simple=simple)
        if not points:
            return found
        top = network.input_dimension
        return replace(found, bounded=whole.bounded(top)[order], points=whole.interior_points(top, order))
    try:
        cells = split_cells(network, budget=limits, progress=progress, processes=processes)
    except BudgetExceeded as error:
        partial = error.partial
        error.partial = TopLabels(partial.labels, "splitting", False, simple, points=partial.points if points else None)
        raise
    return TopLabels(cells.labels, "splitting", simple=simple, points=cells.points if points else None)


def expected_engine(network: HomogeneousNetwork) -> Engine:
    """The engine to begin with.

    The number of vertices is guessed as if all neurons were hyperplanes in general position.
    """
    rank, neurons = network.rank, sum(network.widths)
    if rank <= _WHOLE:
        return "complex"
    vertices = comb(neurons, rank)
    if vertices <= _MOST_VERTICES and vertices << rank <= _MOST_CHOICES:
        return "skeleton"
    return "complex" if rank <= _FALLBACK - 1 else "splitting"


def engine_after_skeleton(network: HomogeneousNetwork) -> Engine:
    """The engine to go on with where a vertex is not simple."""
    return "complex" if network.rank <= _FALLBACK else "splitting"


def is_small(network: HomogeneousNetwork) -> bool:
    """Whether the whole complex is expected to fit easily: in the plane and in space as far as its top cells do, above
    that by a guess at the number of its cells.
    """
    return network.rank <= _WHOLE or comb(sum(network.widths), network.rank) << network.rank <= _SMALL


def skeleton_cells(
    network: Network,
    homogeneous: HomogeneousNetwork,
    limits: Budget,
    progress: Progress,
    *,
    bounded: bool,
    points: bool,
) -> TopLabels:
    """As :func:`top_cells`, by vertices and edges alone. Raises ``NotSimple``.

    With ``bounded`` or ``points`` it tells which cells are bounded.
    """
    skeleton = Skeleton(homogeneous, limits)
    skeleton.run(progress)

    def result(cells: SkeletonCells) -> TopLabels:
        inside = None
        if cells.simplices is not None:
            skeleton.generators.close()
            inside = InteriorPoints(network, homogeneous, skeleton.generators).of(cells.simplices, cells.labels)
        return TopLabels(cells.labels, "skeleton", simple=True, bounded=cells.bounded, points=inside)

    try:
        if bounded or points:
            found = result(skeleton.top_cells(simplices=points))
        else:
            found = result(SkeletonCells(skeleton.top_labels()))
    except BudgetExceeded as error:
        if error.partial is not None:  # every cell, but not all that was asked about them
            error.partial = result(error.partial)
        raise
    try:
        limits.check(cells=len(found))
    except BudgetExceeded as error:
        error.partial = found.first(limits.max_cells)
        raise
    return found


def _order(labels: SignArray) -> IntArray:
    """Numbers of the rows in lexicographic order."""
    if not labels.shape[1]:
        return np.arange(len(labels))
    rows = np.ascontiguousarray(labels + np.int8(1)).view(np.dtype((np.void, labels.shape[1])))[:, 0]
    return np.argsort(rows)
