"""Rational points inside cells, many at a time.

In homogeneous coordinates a closed cell of dimension ``k`` is a polytope: its corners are the vertices of the cell and
its extreme directions. If ``k + 1`` of them span a simplex, their sum with positive weights is in the relative interior
of the cell. Two kinds of points are made of it:

* Exact ones: the weights are powers of two that make the vertices count about alike. The sum is hardly longer than the
  longest of them, since no common denominator is formed.
* Short ones, where the cell has room, and only cells of full dimension are sure to have some: the centre is rounded, to
  few binary places first, and floats with rigorous bounds on their errors prove that the rounded point has the labels
  of the cell. Where they prove it of none, or a weight is not between 10^-60 and 10^60 in size, the point is an exact
  one.

Source: cells as in Grigsby, Lindsey, Meyerhoff, Wu, arXiv 2209.04036, Definition 2.5.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cached_property, partial
from itertools import pairwise
from typing import Any, overload

import numpy as np
from flint import fmpq, fmpz

from exactfd import rationals
from exactfd.errors import InternalError
from exactfd.geometry.ancestry import IntArray
from exactfd.geometry.bits import BoolArray, SignArray
from exactfd.geometry.bounds import FloatArray
from exactfd.geometry.box import Box
from exactfd.geometry.homogeneous import HomogeneousNetwork, rounded, scaled
from exactfd.geometry.location import certainly_have
from exactfd.geometry.signs import GeneratorTable, blocks
from exactfd.geometry.tables import CellTable, Indices
from exactfd.network import Network

Point = tuple[Fraction, ...]

_PLACES = (0, 1, 2, 4, 8, 16, 32, None)  # binary places that are tried; at last, those of the float
_BATCH = 1024  # cells of which points are found together
_BLOCKS = 64  # so many times as many are kept
_CORNERS = 1 << 16  # exact ones that are kept
_NUDGE = 2.0**-20  # halves are rounded up, those too of which rounding errors have taken a little


class InteriorPoints:
    """Points inside cells of which simplices are known: rows of numbers of ``generators``, the corners."""

    def __init__(
        self, network: Network, homogeneous: HomogeneousNetwork, generators: GeneratorTable, box: Box | None = None
    ) -> None:
        self._network, self._homogeneous, self._generators = network, homogeneous, generators
        self._corners: dict[int, list[fmpz]] = {}
        self._walls: list[FloatArray] = []
        for side in box or ():
            self._walls.append(np.array([rationals.nearest_float(rationals.to_fmpq(entry)) for entry in side]))

    # ------------------------------------------------------------------ exact

    def exact(self, simplex: Sequence[int]) -> Point:
        """A point in the relative interior of the simplex; one corner at least is a vertex."""
        rows = [self._corner(generator) for generator in simplex]
        sizes = [(row[-1] if row[-1] else max(map(abs, row))).bit_length() for row in rows]
        most = max(sizes)  # so a direction is followed by about one unit
        total = [fmpz(0)] * len(rows[0])
        for row, size in zip(rows, sizes, strict=True):
            total = [entry + (other << (most - size)) for entry, other in zip(total, row, strict=True)]
        return tuple(rationals.to_fraction(fmpq(entry, total[-1])) for entry in total[:-1])

    def _corner(self, generator: int) -> list[fmpz]:
        known = self._corners.get(generator)  # one is a corner of many cells
        if known is None:
            known = self._homogeneous.lifted(self._generators.coordinates([generator])[0])
            if len(self._corners) >= _CORNERS:
                self._corners.clear()
            self._corners[generator] = known
        return known

    # ------------------------------------------------------------------ short

    def of(self, simplices: IntArray, labels: SignArray) -> PointList:
        """Points inside cells of full dimension with these labels, one row for each."""
        return PointList(len(labels), partial(self._some, simplices, labels))

    def _some(self, simplices: IntArray, labels: SignArray, start: int, stop: int) -> Block:
        return self.block(simplices[start:stop], labels[start:stop])

    def block(self, simplices: IntArray, labels: SignArray | None) -> Block:
        """Points inside some cells: short ones where they have full dimension, and these ``labels``."""
        if labels is None:
            return Block(self, simplices, [None] * len(simplices))
        points, found = self.short(simplices, labels)
        known = zip(points.tolist(), found.tolist(), strict=True)
        return Block(self, simplices, [point if inside else None for point, inside in known])

    def short(self, simplices: IntArray, labels: SignArray) -> tuple[FloatArray, BoolArray]:
        """Points inside cells of full dimension with these labels, floats that are meant exactly; and for which cells
        there is one.
        """
        centers = self._centers(simplices)
        points, found = centers.copy(), np.zeros(len(centers), dtype=bool)
        pending = np.flatnonzero(np.isfinite(centers).all(axis=1))
        for places in _PLACES:
            tried = centers[pending]
            if places is not None:
                with np.errstate(over="ignore"):
                    tried = np.floor(tried * 2.0**places + (0.5 + _NUDGE)) / 2.0**places
            inside = certainly_have(self._network, tried, labels[pending])
            if self._walls:  # a float above the nearest one to a number is above that number
                inside &= ((self._walls[0] < tried) & (tried < self._walls[1])).all(axis=1)
            points[pending[inside]], found[pending[inside]] = tried[inside], True
            pending = pending[~inside]
            if not len(pending):
                break
        return points, found

    def _centers(self, simplices: IntArray) -> FloatArray:
        """Where the vertices count alike, and directions are followed by one unit. Rounded here and there."""
        lift = rationals.to_numpy(self._homogeneous.lift)
        corners = self._nearby[simplices]
        vertices = corners[:, :, -1].sum(axis=1)
        with np.errstate(all="ignore"):
            means = corners.sum(axis=1) / vertices[:, None]
            centers: FloatArray = means @ lift.T
        return centers

    @cached_property
    def _nearby(self) -> FloatArray:
        """Coordinates ``(y, t)`` of all generators, rounded here and there: ``t = 1`` at vertices, and directions have
        size one.
        """
        generators, network = self._generators, self._homogeneous
        made, parents = generators.exact.made, generators.ancestry()
        given = made[0][0] if made else generators.count
        layers = [network.float_layer(number)[0] for number in range(len(network.layers))]
        result = np.zeros((generators.count, network.rank + 1))
        mantissas, exponents = rounded(generators.coordinates(range(given)))
        result[:given] = _of_size_one(scaled(mantissas, exponents - exponents.max(axis=1, keepdims=True)))
        with np.errstate(all="ignore"):  # what overflows is no point
            for (first, layer, neuron), (stop, _, _) in pairwise([*made, (generators.count, 0, 0)]):
                for rows in blocks(first, stop, 4 * max(network.widths)):
                    at = result[parents[rows]]
                    flat = at.reshape(-1, network.rank + 1)
                    sizes = np.abs(_preactivation(flat, layers[:layer], layers[layer][neuron])).reshape(-1, 2)
                    weights = sizes[:, ::-1] / sizes.sum(axis=1, keepdims=True)
                    result[rows] = _of_size_one((weights[:, :, None] * at).sum(axis=1))
        return result


class Block:
    """Points inside some cells; exact ones are found when somebody asks for them."""

    def __init__(self, inside: InteriorPoints, simplices: IntArray, short: list[list[float] | None]) -> None:
        self._inside, self._simplices, self._short = inside, simplices, short

    def __getitem__(self, index: int) -> Point:
        short = self._short[index]
        if short is None:
            return self._inside.exact(self._simplices[index].tolist())
        return tuple(map(Fraction, short))


class PointList(Sequence[Point]):
    """A rational point in the relative interior of each of many cells, found when somebody asks for it.

    Parameters
    ----------
    count
        Number of cells.
    block
        Points inside the cells numbered from here to before there.
    """

    def __init__(self, count: int, block: Callable[[int, int], Block]) -> None:
        self._count, self._block = count, block
        self._blocks: dict[int, Block] = {}  # the last ones

    def first(self, count: int | None) -> PointList:
        """The first ones alone."""
        return PointList(len(range(self._count)[:count]), self._block)

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Point: ...
    @overload
    def __getitem__(self, index: slice) -> list[Point]: ...
    def __getitem__(self, index: int | slice) -> Point | list[Point]:
        if isinstance(index, slice):
            return [self[i] for i in range(self._count)[index]]
        number = range(self._count)[index]
        place = number % _BATCH
        block = self._blocks.get(number - place)
        if block is None:
            block = self._block(number - place, min(number - place + _BATCH, self._count))
            if len(self._blocks) >= _BLOCKS:
                self._blocks.clear()
            self._blocks[number - place] = block
        return block[place]

    def __getstate__(self) -> dict[str, Any]:
        return dict(self.__dict__, _blocks={})  # points can be found again

    def __repr__(self) -> str:
        return f"PointList({self._count} points)"


class Simplices:
    """For the cells of a complex, corners that span a simplex of the same dimension.

    The least corner of a cell, and those of a simplex in a facet that does not contain it.
    """

    def __init__(self, tables: Sequence[CellTable]) -> None:
        least: Indices = np.arange(tables[0].count, dtype=np.int32)
        self._least, self._away = [least], [least]
        for table in tables[1:]:
            least, away = table.pulled(least)
            if (away < 0).any():
                raise InternalError("a cell of which every facet has the same corner")
            self._least.append(least)
            self._away.append(away)

    def rows(self, dimension: int, cells: Indices) -> Indices:
        """Numbers of generators, ``dimension + 1`` for each cell."""
        columns = []
        for k in range(dimension, 0, -1):
            columns.append(self._least[k][cells])
            cells = self._away[k][cells]
        return np.stack([*columns, cells], axis=1)


def _preactivation(coordinates: FloatArray, before: Sequence[FloatArray], row: FloatArray) -> FloatArray:
    """Of one neuron, given by its row, behind the layers ``before``; in the scale of the float layers."""
    inputs = coordinates
    for matrix in before:
        inputs = np.concatenate([np.maximum(inputs @ matrix.T, 0.0), coordinates[:, -1:]], axis=1)
    values: FloatArray = inputs @ row
    return values


def _of_size_one(coordinates: FloatArray) -> FloatArray:
    """The same points with ``t = 1``, and directions of size one."""
    sizes = np.where(coordinates[:, -1] > 0.0, coordinates[:, -1], np.abs(coordinates).max(axis=1))
    with np.errstate(all="ignore"):  # what overflows is no point
        return coordinates / sizes[:, None]
