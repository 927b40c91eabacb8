"""Facets of all polytopes at once: histograms, means and variances as fractions, by layer, with and without walls.

A polytope here is the closure of an ``n_0``-dimensional cell of the canonical polyhedral complex, in all of ``R^{n_0}``
or cut by a closed box. Its facets are exactly the ``(n_0 - 1)``-cells of the complex in its boundary, for every
parameter: on the closure of a cell ``C`` with labels ``s`` every pre-activation is affine, so it vanishes on all of the
relative interior of a face or nowhere on it, and that relative interior lies in one cell ``D``, whose labels come from
``s`` by putting zeros. Conversely the affine pre-activations of ``C``, continued, agree with those of the network on
``D`` (layer by layer: a neuron that is on in ``C`` is on or zero in ``D``, one that is off is off or zero), so ``D``
lies in the closure of ``C``. No bent hyperplane of a later layer cuts a facet from the other side alone.

Sources: Grigsby, Lindsey, arXiv 2008.09052 (the complex is polyhedral); Fan et al., arXiv 2305.09145 (histograms of
faces, numbers of simplices); Gaines, Bi, ICLR 2026 (mean number of facets).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

from exactfd import rationals
from exactfd.budget import Budget, Progress, silent
from exactfd.errors import BudgetExceeded
from exactfd.geometry.box import Box, parse_box
from exactfd.geometry.complex import CanonicalComplex, canonical_complex
from exactfd.geometry.splitting import iterate_cells
from exactfd.network import Network
from exactfd.polytopes.redundancy import CellFacets

Counts = np.ndarray[Any, np.dtype[np.int64]]
_CHUNK = 1 << 22  # labels that are compared together


@dataclass(frozen=True, slots=True)
class FacetTally:
    """How many polytopes have how many facets.

    Attributes
    ----------
    histogram
        Number of polytopes by number of facets.
    bounded
        The same over the bounded ones; None where boundedness was not decided.
    """

    histogram: dict[int, int]
    bounded: dict[int, int] | None

    @property
    def mean(self) -> Fraction | None:
        """Mean number of facets, exact; None without polytopes."""
        total = sum(self.histogram.values())
        return Fraction(sum(k * count for k, count in self.histogram.items()), total) if total else None

    @property
    def variance(self) -> Fraction | None:
        """Variance over all polytopes (divided by their number), exact; None without polytopes."""
        total = sum(self.histogram.values())
        if not total:
            return None
        mean = Fraction(sum(k * count for k, count in self.histogram.items()), total)
        return Fraction(sum(k * k * count for k, count in self.histogram.items()), total) - mean**2

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values; keys of a histogram are numbers of facets, as text."""
        return {
            "facet_histogram": _as_text(self.histogram),
            "facet_histogram_bounded": None if self.bounded is None else _as_text(self.bounded),
            "mean_facets": _fraction(self.mean),
            "variance_facets": _fraction(self.variance),
        }


@dataclass(frozen=True, slots=True, eq=False)
class FaceStatistics:
    """Shapes of the polytopes of one network; made by :func:`face_statistics`.

    Attributes
    ----------
    network, box
        What they are about; ``box`` is None for all of ``R^{n_0}``.
    algorithm
        ``"complex"``, or ``"programs"`` where only the cells of top dimension were visited, one by one.
    complete
        Whether all polytopes were counted.
    top_cells, bounded_top_cells
        Number of polytopes, and of bounded ones (None where that was not decided).
    f_vector
        Of the complex; None with ``"programs"``.
    facets
        The tally, walls of the box counted as facets.
    facets_without_walls
        The tally of the facets inside the box; None without a box.
    facets_by_layer
        Number of pairs (polytope, facet) by the layer whose neurons change sign there: the first one where several do.
    simplices
        Simplices of a pulling triangulation of each bounded polytope, summed; None unless asked for.
    """

    network: Network
    box: Box | None
    algorithm: str
    complete: bool
    top_cells: int
    bounded_top_cells: int | None
    f_vector: tuple[int, ...] | None
    facets: FacetTally
    facets_without_walls: FacetTally | None
    facets_by_layer: tuple[int, ...]
    simplices: int | None = None

    @property
    def walls_counted(self) -> bool:
        """Whether :attr:`facets` counts walls of a box."""
        return self.box is not None

    def to_dict(self) -> dict[str, Any]:
        """The keys of ``exactfd faces --json`` that are about facets."""
        inner = self.facets_without_walls
        return {
            "box": None if self.box is None else [[rationals.format_rational(e) for e in side] for side in self.box],
            "algorithm": self.algorithm,
            "complete": self.complete,
            "top_cells": self.top_cells,
            "bounded_top_cells": self.bounded_top_cells,
            "f_vector": None if self.f_vector is None else list(self.f_vector),
            **self.facets.to_dict(),
            "walls_counted": self.walls_counted,
            "without_walls": None if inner is None else inner.to_dict(),
            "facets_by_layer": list(self.facets_by_layer),
            "simplices": self.simplices,
        }

    def __repr__(self) -> str:
        shape = ",".join(str(n) for n in self.network.architecture)
        place = ", walls counted" if self.walls_counted else ""
        some = "" if self.complete else "at least "
        return f"FaceStatistics(({shape}), {some}{self.top_cells} polytopes, mean facets {self.facets.mean}{place})"

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><td>{k}</td><td>{count}</td></tr>" for k, count in sorted(self.facets.histogram.items()))
        return f"<code>{self!r}</code><table><tr><th>facets</th><th>polytopes</th></tr>{rows}</table>"


def face_statistics(complex_: CanonicalComplex, *, simplices: bool = False) -> FaceStatistics:
    """Facets of every polytope of a complex, counted; all numbers are exact.

    Where the first layer has rank ``r < n_0`` every polytope contains lines; its facets are counted all the same, and
    none is bounded. A neuron that vanishes identically on a polytope gives it no facet.

    Parameters
    ----------
    complex_
        From :func:`exactfd.canonical_complex`, with or without a box.
    simplices
        Also count the simplices of a triangulation (see :func:`simplex_counts`), which takes longer than the rest.

    Notes
    -----
    Sources: see the head of this module.

    Examples
    --------
    >>> net = Network([([[1, 0], [0, 1], [1, 1]], [0, 0, -1]), ([[1, 1, -1]], [0])])
    >>> found = face_statistics(canonical_complex(net))
    >>> found.facets.histogram, found.facets.mean, found.facets.variance
    ({2: 3, 3: 4}, Fraction(18, 7), Fraction(12, 49))
    >>> face_statistics(canonical_complex(net, box=(-2, 2))).facets.mean
    Fraction(4, 1)
    """
    n = complex_.dimension
    bounded = complex_.bounded(n)
    with_walls, inner = None, facet_counts(complex_)
    if complex_.box is not None:
        with_walls, inner = inner, facet_counts(complex_, walls=False)
    return FaceStatistics(
        network=complex_.network,
        box=complex_.box,
        algorithm="complex",
        complete=True,
        top_cells=complex_.top_cells,
        bounded_top_cells=complex_.bounded_top_cells,
        f_vector=complex_.f_vector,
        facets=_tally(inner if with_walls is None else with_walls, bounded),
        facets_without_walls=None if with_walls is None else _tally(inner, bounded),
        facets_by_layer=_facets_by_layer(complex_),
        simplices=int(simplex_counts(complex_).sum()) if simplices else None,
    )


def facet_counts(complex_: CanonicalComplex, *, walls: bool = True) -> Counts:
    """Number of facets of each polytope, in the order of the ``n_0``-cells of the complex, exact.

    ``walls=False`` leaves out the facets in the walls of the box (a neuron that vanishes on a wall of the box gives no
    other facet there). Source: each facet is one ``(n_0 - 1)``-cell; see the head of this module.

    >>> facet_counts(canonical_complex(Network([([[1], [1]], [0, 1]), ([[1, 1]], [0])]))).tolist()
    [1, 2, 1]
    """
    n = complex_.dimension
    flat, sizes = complex_.facets(n)
    counts: Counts = np.asarray(sizes, dtype=np.int64)
    if walls or complex_.box is None:
        return counts
    inside = ~np.any(complex_.walls(n - 1), axis=1)
    owner = np.repeat(np.arange(len(sizes)), sizes)
    inner: Counts = np.bincount(owner[inside[flat]], minlength=len(sizes))
    return inner


def simplex_counts(complex_: CanonicalComplex) -> Counts:
    """Number of simplices of a pulling triangulation of each polytope that is bounded, 0 for the others; exact.

    Vertices are pulled in lexicographic order, so that the triangulations of neighbours agree on their common facet
    and each number is that of :meth:`exactfd.polytopes.polytope.Polytope.simplices`: a face is coned from its first
    vertex over the triangulations of its facets that do not contain it.

    Source: De Loera, Rambau, Santos, *Triangulations*, section 4.3.2 (pulling refinements).

    >>> net = Network([([[1, 0], [0, 1], [1, 1]], [0, 0, -1]), ([[1, 1, -1]], [0])])
    >>> sorted(simplex_counts(canonical_complex(net)).tolist())
    [0, 0, 0, 0, 0, 0, 1]
    >>> int(simplex_counts(canonical_complex(net, box=(-2, 2))).sum())
    14
    """
    vertices = complex_.vertices()
    if not vertices:  # lineality: every polytope is unbounded
        return np.zeros(complex_.top_cells, dtype=np.int64)
    first = np.empty(len(vertices), dtype=np.int64)  # of each face, its first vertex
    first[sorted(range(len(vertices)), key=vertices.__getitem__)] = np.arange(len(vertices))
    count = np.ones(len(vertices), dtype=np.int64)
    for k in range(1, complex_.dimension + 1):
        flat, sizes = complex_.facets(k)
        owner = np.repeat(np.arange(len(sizes)), sizes)
        lowest = np.full(len(sizes), len(vertices), dtype=np.int64)
        np.minimum.at(lowest, owner, first[flat])
        added = np.where(first[flat] != lowest[owner], count[flat], 0)
        count = np.zeros(len(sizes), dtype=np.int64)
        np.add.at(count, owner, added)
        count[~complex_.bounded(k)] = 0
        first = lowest
    return count


def face_statistics_by_programs(
    network: Network, *, box: Any = None, budget: Budget | None = None, progress: Progress = silent
) -> FaceStatistics:
    """The tally without the complex: the cells of top dimension one by one, their facets by exact redundancy programs.

    For any number of inputs; boundedness is not decided. Raises ``BudgetExceeded`` with ``partial`` the
    :class:`FaceStatistics` of the polytopes so far. Sources: see the heads of :mod:`exactfd.geometry.splitting` and
    :mod:`exactfd.polytopes.redundancy`.

    >>> net = Network([([[1, 0], [0, 1], [1, 1]], [0, 0, -1]), ([[1, 1, -1]], [0])])
    >>> face_statistics_by_programs(net).facets.histogram
    {2: 3, 3: 4}
    """
    limits = parse_box(box, network.input_dimension)
    facets_of = CellFacets(network, box=limits)
    all_sizes: list[int] = []
    inner_sizes: list[int] = []
    by_layer = [0] * len(network.relu_widths)

    def found(complete: bool) -> FaceStatistics:
        outer, inner = (_tally(np.array(sizes, dtype=np.int64), None) for sizes in (all_sizes, inner_sizes))
        return FaceStatistics(
            network, limits, "programs", complete, len(all_sizes), None, None, outer,
            None if limits is None else inner, tuple(by_layer),
        )  # fmt: skip

    try:
        for labels, point in iterate_cells(network, box=limits, budget=budget, progress=progress):
            facets = facets_of(labels, point)
            all_sizes.append(len(facets))
            inner_sizes.append(sum(facet.wall is None for facet in facets))
            for facet in facets:
                if facet.wall is None:
                    by_layer[facet.neurons[0][0] - 1] += 1
    except BudgetExceeded as error:
        raise BudgetExceeded(str(error), partial=found(False)) from None
    return found(True)


def layer_statistics(
    network: Network, *, box: Any = None, budget: Budget | None = None, progress: Progress = silent
) -> list[FaceStatistics]:
    """The statistics of the complexes of the first ``1, 2, ..., L`` ReLU layers: how depth changes the shapes.

    Raises ``BudgetExceeded``, with ``partial`` what :func:`~exactfd.canonical_complex` says. Source: Fan et al., arXiv
    2305.09145, who compare histograms layer by layer.

    >>> net = Network([([[1], [1]], [0, -1]), ([[1, -2]], ["-1/2"]), ([[1]], [0])])
    >>> [found.top_cells for found in layer_statistics(net)]
    [3, 5]
    """
    layers = network.to_fractions()
    result = []
    for count in range(1, len(network.relu_widths) + 1):
        part = Network(layers[:count], output_activation="relu")
        result.append(face_statistics(canonical_complex(part, box=box, budget=budget, progress=progress)))
    return result


def _tally(counts: Counts, bounded: np.ndarray[Any, Any] | None) -> FacetTally:
    return FacetTally(_histogram(counts), None if bounded is None else _histogram(counts[bounded]))


def _histogram(counts: Counts) -> dict[int, int]:
    values, frequencies = np.unique(counts, return_counts=True)
    return dict(zip(values.tolist(), frequencies.tolist(), strict=True))


def _facets_by_layer(complex_: CanonicalComplex) -> tuple[int, ...]:
    """A neuron carries a facet of a polytope if it is zero there but not on the polytope."""
    n, widths = complex_.dimension, complex_.network.relu_widths
    result = [0] * len(widths)
    if not widths:
        return ()
    flat, sizes = complex_.facets(n)
    owner = np.repeat(np.arange(len(sizes)), sizes)
    if complex_.box is not None:
        inside = ~complex_.walls(n - 1)[flat].any(axis=1)
        flat, owner = flat[inside], owner[inside]
    above, below = complex_.labels(n) != 0, complex_.labels(n - 1) == 0
    cuts = [0, *np.cumsum(widths).tolist()]
    step = max(1, _CHUNK // cuts[-1])
    for start in range(0, len(flat), step):
        here = below[flat[start : start + step]] & above[owner[start : start + step]]
        open_ = np.ones(len(here), dtype=bool)
        for layer, (first, last) in enumerate(pairwise(cuts)):
            carried = here[:, first:last].any(axis=1) & open_
            result[layer] += int(carried.sum())
            open_ &= ~carried
    return tuple(result)


def _as_text(histogram: dict[int, int]) -> dict[str, int]:
    return {str(k): count for k, count in sorted(histogram.items())}


def _fraction(value: Fraction | None) -> str | None:
    return None if value is None else rationals.format_rational(value)
