"""Which open connected regions are convex.

Let ``P`` be the closure of such a region, with the map ``g``. Behind a boundary facet ``F`` has another map ``h``. The
two agree on the facet, so its hyperplane is ``g_k = h_k`` for an output ``k`` where they differ. If ``P`` is convex,
none of these forms ``g_k - h_k`` takes both signs on ``P``.

Conversely it is enough that none takes both signs on the cells of ``P`` that have a boundary facet. Let ``K`` be where
all forms have their sign on those cells (or are 0). Each of these cells is in ``K``, hence so is the boundary of ``P``;
being in hyperplanes of forms, it is in the boundary of ``K``. So the interior of ``K`` is connected without meeting the
boundary of ``P``, and as it meets ``P`` it is a part of ``P``. The complement of ``K`` does not meet the boundary of
``P`` either. It is connected, or ``K`` is a slab and it has two components; each component touches a boundary facet of
``P`` from the side that is not in ``P``. So ``P = K``, which is convex.
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

_BATCH = 16  # cells whose generators are tried together


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
    cells = np.unique(inner)
    cells = cells[np.argsort(opened[cells], kind="stable")]
    rows = _Maps(complex_, maps)
    starts = np.searchsorted(pairs[0], np.arange(len(sizes) + 1))
    firsts = np.searchsorted(opened[cells], np.arange(len(sizes) + 1))
    for done, region in enumerate(np.flatnonzero(large).tolist()):
        border = cells[firsts[region] : firsts[region + 1]]
        beyond = pairs[1, starts[region] : starts[region + 1]].tolist()
        forms = [rows.difference(int(maps[border[0]]), other) for other in beyond]
        convex[region] = not forms or _one_sided(complex_, border, fmpz_mat(forms), limits)
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
