"""The dual graph: polytopes are its vertices, and two are joined where they share a facet. Exact distances.

Each ``(n_0 - 1)``-cell inside the region lies between exactly two ``n_0``-cells, so the degree of a polytope is the
number of its facets that are not walls. For one layer the distance of two polytopes is the number of distinct
hyperplanes that separate them, and the diameter is the number of distinct hyperplanes (Zaslavsky, *Facing up to
arrangements*, 1975; Deligne 1972 for chambers and galleries). For deeper networks neither has to hold: where each facet
lies on one bent hyperplane, the number of neurons with different labels is a lower bound of the distance.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from exactfd.budget import Budget, Progress, silent
from exactfd.errors import InputError
from exactfd.geometry.complex import CanonicalComplex

Ints = np.ndarray[Any, np.dtype[np.int64]]

_TOGETHER = 200  # searches that cost as much as a single one when many are done together
_ROUND = 16  # single searches between two looks at whether they decide more than that
_WORD = 64  # sources in a machine word
_WORDS = 16  # words of sources in one block


@dataclass(frozen=True, repr=False, eq=False)
class DualGraph:
    """Adjacency of the ``n_0``-cells of a complex, by their numbers; made by :func:`dual_graph`.

    Attributes
    ----------
    degrees
        Number of neighbours of each polytope.
    neighbours
        The neighbours of polytope 0, then those of polytope 1, and so on.
    """

    degrees: Ints
    neighbours: Ints
    _starts: Ints

    def __len__(self) -> int:
        """Number of polytopes."""
        return len(self.degrees)

    @property
    def edges(self) -> int:
        """Number of pairs of neighbours."""
        return len(self.neighbours) // 2

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values; the diameter and the radius are computed."""
        diameter, radius = self.diameter_and_radius()
        values, counts = np.unique(self.degrees, return_counts=True)
        return {
            "polytopes": len(self),
            "edges": self.edges,
            "degree_histogram": dict(zip(map(str, values.tolist()), counts.tolist(), strict=True)),
            "diameter": diameter,
            "radius": radius,
        }

    def __repr__(self) -> str:
        return f"DualGraph({len(self)} polytopes, {self.edges} pairs of neighbours)"

    def _repr_html_(self) -> str:
        return f"<code>{self!r}</code>"

    def distances(self, source: int) -> Ints:
        """Least number of facets to cross from one polytope to each, exact. Raises ``InputError`` on a wrong number."""
        if not 0 <= source < len(self):
            raise InputError(f"there are {len(self)} polytopes, found number {source}")
        distance = np.full(len(self), -1, dtype=np.int64)
        distance[source] = 0
        frontier, step = np.array([source]), 0
        while len(frontier):
            step += 1
            sizes = self.degrees[frontier]
            offsets = np.repeat(self._starts[frontier] - np.cumsum(sizes) + sizes, sizes)
            reached = self.neighbours[offsets + np.arange(len(offsets))]
            reached = reached[distance[reached] < 0]
            distance[reached] = step
            frontier = np.unique(reached)
        return distance

    def eccentricities(self, *, budget: Budget | None = None, progress: Progress = silent) -> Ints:
        """Largest distance from each polytope, exact: searches from 64 polytopes in every machine word.

        Raises ``BudgetExceeded`` when time or memory run out.
        """
        return self._eccentricities(np.arange(len(self)), budget or Budget(), progress)

    def diameter_and_radius(self, *, budget: Budget | None = None, progress: Progress = silent) -> tuple[int, int]:
        """Largest and smallest eccentricity, exact.

        A search from one polytope bounds the eccentricities of all (it is off by no more than the distance); only
        those that could still change an extreme are computed. Raises ``BudgetExceeded`` when time or memory run out.

        Source: Takes, Kosters, *Determining the diameter of small world networks*, CIKM 2011.
        """
        limits = budget or Budget()
        lower, upper = np.zeros(len(self), dtype=np.int64), np.full(len(self), np.iinfo(np.int64).max)
        known = np.zeros(len(self), dtype=bool)
        largest, smallest = 0, np.iinfo(np.int64).max
        left, before, turn = np.arange(len(self)), len(self) + _TOGETHER * _ROUND, 0
        while len(left):
            if turn % _ROUND == 0:
                if before - len(left) < _TOGETHER * _ROUND:
                    break
                before = len(left)
            limits.check()
            pick = left[np.argmin(lower[left])] if turn % 2 else left[np.argmax(upper[left])]
            distance = self.distances(int(pick))
            value = distance.max()
            largest, smallest = max(largest, value), min(smallest, value)
            np.maximum(lower, np.maximum(distance, value - distance), out=lower)
            np.minimum(upper, value + distance, out=upper)
            known[pick] = True
            left = np.flatnonzero(~known & ((upper > largest) | (lower < smallest)))
            turn += 1
        rest = self._eccentricities(left, limits, progress)
        return int(max(largest, rest.max(initial=0))), int(min(smallest, rest.min(initial=smallest)))

    def _eccentricities(self, sources: Ints, limits: Budget, progress: Progress) -> Ints:
        """Bit ``j`` of word ``w`` of a polytope: whether source ``64 w + j`` of the block has reached it."""
        result = np.zeros(len(sources), dtype=np.int64)
        columns, place_of = self._columns
        for first in range(0, len(sources), _WORD * _WORDS):
            part = place_of[sources[first : first + _WORD * _WORDS]]
            source = np.arange(len(part))
            word, bit = source // _WORD, (source % _WORD).astype(np.uint64)
            reached = np.zeros((len(self), -(-len(part) // _WORD)), dtype=np.uint64)
            reached[part, word] = np.uint64(1) << bit
            gathered = np.empty_like(reached)
            steps = 0
            while True:
                limits.check()
                further = reached.copy()
                for column in columns:
                    np.take(reached, column, axis=0, out=gathered[: len(column)], mode="clip")  # no copy of the output
                    further[: len(column)] |= gathered[: len(column)]
                grown = np.bitwise_or.reduce(further ^ reached, axis=0)
                if not grown.any():
                    break
                steps += 1
                result[first + np.flatnonzero((grown[word] >> bit) & np.uint64(1))] = steps
                reached = further
            progress("eccentricities", first + len(part), len(sources))
        return result

    @cached_property
    def _columns(self) -> tuple[list[Ints], Ints]:
        """The ``j``-th neighbours of all polytopes that have so many, polytopes in the order of their degrees, and the
        place of each polytope in that order: gathers over a whole prefix are several times faster than ragged ones.
        """
        order = np.argsort(-self.degrees, kind="stable")
        place_of = np.empty_like(order)
        place_of[order] = np.arange(len(order))
        degrees, starts = self.degrees[order], self._starts[order]
        columns = []
        for j in range(int(degrees.max(initial=0))):
            count = int((degrees > j).sum())
            columns.append(place_of[self.neighbours[starts[:count] + j]])
        return columns, place_of


def dual_graph(complex_: CanonicalComplex) -> DualGraph:
    """The dual graph of the top cells as arrays (:meth:`CanonicalComplex.dual_graph` gives it to networkx).

    Source: see the head of this module.

    >>> from exactfd.geometry.complex import canonical_complex
    >>> from exactfd.network import Network
    >>> graph = dual_graph(canonical_complex(Network([([[1, 0], [0, 1], [1, 1]], [0, 0, -1]), ([[1, 1, 1]], [0])])))
    >>> len(graph), graph.edges, graph.diameter_and_radius(), sorted(graph.eccentricities().tolist())
    (7, 9, (3, 2), [2, 3, 3, 3, 3, 3, 3])
    """
    flat, sizes = complex_.facets(complex_.dimension)
    owner = np.repeat(np.arange(len(sizes), dtype=np.int64), sizes)
    order = np.argsort(flat, kind="stable")
    twice = np.flatnonzero(flat[order][1:] == flat[order][:-1])  # the others lie in walls
    one, other = owner[order[twice]], owner[order[twice + 1]]
    ends, targets = np.concatenate([one, other]), np.concatenate([other, one])
    degrees = np.bincount(ends, minlength=len(sizes)).astype(np.int64)
    neighbours = targets[np.argsort(ends, kind="stable")]
    return DualGraph(degrees, neighbours, np.cumsum(degrees) - degrees)
