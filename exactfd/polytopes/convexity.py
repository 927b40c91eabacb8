"""Which open connected regions are convex.

Let ``P`` be the closure of such a region, with the map ``g``. It is convex iff it lies on one side of the hyperplane of
each of its boundary facets. For suppose that it does, and that a point of the intersection of these half-spaces were
outside ``P``. A generic segment to it from the interior of ``P`` would leave ``P`` through the relative interior of a
boundary facet, and so leave a half-space. Behind a boundary facet ``F`` has another map ``h``. The two agree on the
facet, so its hyperplane is ``g_k = h_k`` for an output ``k`` where they differ, and the sign of ``g_k - h_k`` at the
vertices and along the rays of the cells of ``P`` decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import lcm
from typing import Any

import numpy as np
from flint import fmpz, fmpz_mat

from exactfd.budget import Budget, Progress
from exactfd.geometry.affine import CellMaps
from exactfd.geometry.bits import BoolArray
from exactfd.geometry.complex import CanonicalComplex

Numbers = np.ndarray[Any, np.dtype[np.int64]]

_BATCH = 64  # cells whose generators are tried together


def convex_components(
    complex_: CanonicalComplex,
    opened: Numbers,
    maps: Numbers,
    boundary: Numbers,
    limits: Budget,
    progress: Progress,
) -> BoolArray:
    """Whether each open connected region is convex, exactly.

    Parameters
    ----------
    opened, maps
        The region and the class of the affine map of each ``n_0``-cell.
    boundary
        Pairs of ``n_0``-cells with different maps that share a facet, shape ``2 x b``.
    """
    sizes = np.bincount(opened)
    convex: BoolArray = np.ones(len(sizes), dtype=bool)
    large = sizes > 1  # a cell is convex
    inner, outer = np.concatenate([boundary, boundary[::-1]], axis=1)
    kept = large[opened[inner]]
    inner, outer = inner[kept], outer[kept]
    pairs = np.unique(np.stack([opened[inner], maps[outer]]), axis=1)
    cells = np.flatnonzero(large[opened])
    cells = cells[np.argsort(opened[cells], kind="stable")]
    rows = _Maps(complex_, maps)
    starts = np.searchsorted(pairs[0], np.arange(len(sizes) + 1))
    firsts = np.searchsorted(opened[cells], np.arange(len(sizes) + 1))
    for done, region in enumerate(np.flatnonzero(large).tolist()):
        members = cells[firsts[region] : firsts[region + 1]]
        beyond = pairs[1, starts[region] : starts[region + 1]].tolist()
        forms = [rows.difference(int(maps[members[0]]), other) for other in beyond]
        convex[region] = not forms or _one_sided(complex_, members, fmpz_mat(forms), limits)
        progress("convex regions", done + 1, int(np.count_nonzero(large)))
    return convex


def _one_sided(complex_: CanonicalComplex, cells: Numbers, forms: fmpz_mat, limits: Budget) -> bool:
    """Whether no form takes both signs on the cells."""
    positive = [False] * forms.nrows()
    negative = [False] * forms.nrows()
    for start in range(0, len(cells), _BATCH):
        limits.check()
        columns: set[tuple[int, ...]] = set()
        for cell in cells[start : start + _BATCH].tolist():
            vertices, rays = complex_.generators_of(complex_.dimension, cell)
            columns.update(_integers(vertex, 1) for vertex in vertices)
            columns.update(_integers(ray, 0) for ray in rays)
        values = forms * fmpz_mat([list(column) for column in columns]).transpose()
        for i, row in enumerate(values.tolist()):
            positive[i] = positive[i] or any(value > 0 for value in row)
            negative[i] = negative[i] or any(value < 0 for value in row)
            if positive[i] and negative[i]:
                return False
    return True


def _integers(point: Sequence[Fraction], last: int) -> tuple[int, ...]:
    """Homogeneous coordinates times a positive number that makes them integers."""
    scale = lcm(*(entry.denominator for entry in point))
    return (*(entry.numerator * (scale // entry.denominator) for entry in point), last * scale)


class _Maps:
    """The affine map of each class, worked out when it is asked for."""

    def __init__(self, complex_: CanonicalComplex, maps: Numbers) -> None:
        self._labels = complex_.labels(complex_.dimension)
        self._representative = np.unique(maps, return_index=True)[1]
        self._maps = CellMaps(complex_.network)
        self._known: dict[int, tuple[fmpz_mat, fmpz]] = {}

    def difference(self, first: int, second: int) -> list[fmpz]:
        """A positive multiple of the first nonzero row of the difference of two maps."""
        (a, p), (b, q) = self._map(first), self._map(second)
        rows: list[list[fmpz]] = (q * a - p * b).tolist()
        return next(row for row in rows if any(entry != 0 for entry in row))

    def _map(self, number: int) -> tuple[fmpz_mat, fmpz]:
        if number not in self._known:
            self._known[number] = self._maps(self._labels[self._representative[number]].tolist())
        return self._known[number]
