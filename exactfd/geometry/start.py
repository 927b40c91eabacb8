"""Where a subdivision starts: the faces of the orthants of ``R^r`` with their directions, or the faces of a box."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import product
from typing import Any

import numpy as np
from flint import fmpz

from exactfd import rationals
from exactfd.geometry.bits import BoolArray
from exactfd.geometry.box import Box

Indices = np.ndarray[Any, np.dtype[np.int32]]
SignArray = np.ndarray[Any, np.dtype[np.int8]]

_SMALL = 4  # dimensions up to which the faces are kept; nobody may write to them


@dataclass(frozen=True)
class Walls:
    """A closed box ``lo <= x <= hi`` in integer homogeneous form: corner ``i`` is ``numerators / denominator``."""

    low: tuple[fmpz, ...]
    high: tuple[fmpz, ...]
    denominator: fmpz

    @classmethod
    @lru_cache(maxsize=16)  # the same box for one network after the other
    def of(cls, box: Box) -> Walls:
        """The walls of a box."""
        low, high = ([rationals.to_fmpq(entry) for entry in side] for side in box)
        denominator = rationals.common_denominator([*low, *high])
        low_z, high_z = (tuple(fmpz((entry * denominator).p) for entry in side) for side in (low, high))
        return cls(low_z, high_z, denominator)


@dataclass(frozen=True)
class Start:
    """Integer homogeneous coordinates of the generators, facets by dimension (one row a cell), which cells are not at
    infinity, and wall labels.
    """

    generators: list[list[int]]
    facets: list[Indices]  # entry k - 1 for dimension k
    finite: list[BoolArray]  # entry k for dimension k
    walls: list[SignArray]  # the same; no columns without a box


def half_space(rank: int) -> Start:
    """The orthants of ``R^r`` with their faces and directions: simplices on the origin and the ``2r`` axis rays."""
    return _small_half_space(rank) if rank <= _SMALL else _half_space(rank)


def _half_space(rank: int) -> Start:
    axes = [[sign if j == axis else 0 for j in range(rank)] + [0] for axis in range(rank) for sign in (1, -1)]
    generators = [[0] * rank + [1], *axes]
    simplices: list[list[tuple[int, ...]]] = [[] for _ in range(rank + 1)]
    choices = [(0,), *[(0, 1 + 2 * axis, 2 + 2 * axis) for axis in range(rank)]]
    for apex in (True, False):
        for rays in product(*choices[1:]):
            simplex = ((0,) if apex else ()) + tuple(ray for ray in rays if ray)
            if simplex:
                simplices[len(simplex) - 1].append(simplex)
    simplices[0].sort()
    facets: list[Indices] = []
    for k in range(1, rank + 1):
        index = {simplex: i for i, simplex in enumerate(simplices[k - 1])}
        facets.append(
            np.array([[index[s[:i] + s[i + 1 :]] for i in range(k + 1)] for s in simplices[k]], dtype=np.int32)
        )
    finite = [np.array([simplex[0] == 0 for simplex in cells]) for cells in simplices]
    return Start(generators, facets, finite, [np.zeros((len(cells), 0), dtype=np.int8) for cells in simplices])


_small_half_space = cache(_half_space)


def cube(walls: Walls) -> Start:
    """The faces of a box, with their wall labels: -1 low, 0 between, 1 high."""
    return _small_cube(walls) if len(walls.low) <= _SMALL else _cube(walls)


def _cube(walls: Walls) -> Start:
    rank = len(walls.low)
    faces = _small_faces(rank) if rank <= _SMALL else _faces(rank)
    low, high, denominator = list(map(int, walls.low)), list(map(int, walls.high)), int(walls.denominator)
    generators = [
        [above if side > 0 else below for below, above, side in zip(low, high, name, strict=True)] + [denominator]
        for name in faces.walls[0].tolist()
    ]
    return Start(generators, faces.facets, faces.finite, faces.walls)


def _faces(rank: int) -> Start:
    """The same without generators, for any box. Faces are named by their wall labels, one for each coordinate."""
    names: list[list[tuple[int, ...]]] = [[] for _ in range(rank + 1)]
    for name in product((-1, 1, 0), repeat=rank):
        names[name.count(0)].append(name)
    facets: list[Indices] = []
    for k in range(1, rank + 1):
        index = {name: i for i, name in enumerate(names[k - 1])}
        rows = [
            [index[(*name[:i], side, *name[i + 1 :])] for i in range(rank) if name[i] == 0 for side in (-1, 1)]
            for name in names[k]
        ]
        facets.append(np.array(rows, dtype=np.int32))
    labels = [np.array(cells, dtype=np.int8).reshape(len(cells), rank) for cells in names]
    return Start([], facets, [np.ones(len(cells), dtype=bool) for cells in names], labels)


_small_faces = cache(_faces)
_small_cube = lru_cache(maxsize=16)(_cube)
