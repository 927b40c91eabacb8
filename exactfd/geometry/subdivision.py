"""The whole complex by subdivision, one neuron at a time, for every parameter.

The closed half space ``t >= 0`` of homogeneous coordinates is a ball once directions are identified: the points of
``R^r`` together with the directions at infinity. The arrangement of ``r`` independent first-layer hyperplanes (or a
box) cuts it into simplices (or the faces of a cube). From then on a neuron is linear on every cell, and a cell is
*mixed* when the neuron has both signs on its vertices and rays. A mixed ``k``-cell ``c`` is replaced by its parts
``c+`` (which keeps the number of ``c``), ``c-`` and the ``(k-1)``-cell ``c0``; no other cell changes. Cells are
stored by their facets, which makes the step local: with ``h`` running over the facets of ``c``,

* ``c+`` has the facets ``h`` (positive) or ``h+`` (mixed), and ``c0``; ``c-`` likewise;
* ``c0`` has the facets ``h0`` of the mixed ``h``, and the ``(k-2)``-faces of ``c`` on which the neuron vanishes.
  Each of those lies in two facets of ``c``, one positive and one negative: it is found once, below the positive one.

(A facet of a mixed cell is never in the zero set, for then the cell would lie on one side.) Nothing here asks for
general position: duplicated, parallel and concurrent hyperplanes only make more signs zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from flint import fmpz

from exactfd.budget import Budget, Progress, silent
from exactfd.errors import BudgetExceeded
from exactfd.geometry.homogeneous import HomogeneousNetwork
from exactfd.geometry.signs import GeneratorTable, SignArray

Indices = np.ndarray[Any, np.dtype[np.int32]]
Flags = np.ndarray[Any, np.dtype[np.uint8]]
Lengths = np.ndarray[Any, np.dtype[np.int64]]
Rows = tuple[Indices, Lengths]  # rows of varying length: all entries in one array, and how many are in each

#: 3^13 = 1 594 323 orthant faces to start from; beyond it the splitting tree is the way.
MAX_DIMENSION = 13

_POSITIVE, _NEGATIVE, _MIXED = 1, 2, 3
_FLAG_OF_SIGN = np.array([0, _POSITIVE, _NEGATIVE], dtype=np.uint8)  # indexed by sign, -1 being the last
_LABEL_OF_FLAG = np.array([0, 1, -1, 0], dtype=np.int8)


@dataclass(frozen=True)
class Walls:
    """A closed box ``lo <= x <= hi`` in integer homogeneous form: corner ``i`` is ``numerators / denominator``."""

    low: tuple[fmpz, ...]
    high: tuple[fmpz, ...]
    denominator: fmpz


class CellTable:
    """Cells of one dimension: labels, and facets as variable-length rows in one growing pool.

    A row that changes is written anew at the end of the pool; the pool is packed when half of it is stale.
    """

    def __init__(self, labels: SignArray, rows: Indices | None) -> None:
        self.count = len(labels)
        self._labels = labels
        self._simplex_rows(rows)

    def _simplex_rows(self, rows: Indices | None) -> None:
        if rows is None:  # dimension 0: no facets
            rows = np.zeros((self.count, 0), dtype=np.int32)
        width = rows.shape[1]
        self.flat: Indices = np.ascontiguousarray(rows.reshape(-1), dtype=np.int32)
        self.starts = width * np.arange(self.count, dtype=np.int64)
        self.sizes = np.full(self.count, width, dtype=np.int64)
        self.row_of = np.arange(self.count, dtype=np.int32)
        self.stale = 0

    @property
    def labels(self) -> SignArray:
        """Labels of the cells so far, one row a cell."""
        return self._labels[: self.count]

    def flags(self, below: Flags) -> Flags:
        """Union of the flags of the facets, for every cell."""
        result: Flags = np.bitwise_or.reduceat(below[self.flat], self.starts)
        return result[self.row_of]

    def rows(self, cells: Indices) -> Rows:
        """Facets of some cells, concatenated, and the number of each."""
        row = self.row_of[cells]
        sizes = self.sizes[row]
        return self.flat[_ranges(self.starts[row], sizes)], sizes

    def append_labels(self, parents: SignArray, column: int, label: int) -> None:
        """New cells with the labels of ``parents`` and ``label`` in ``column``."""
        needed = self.count + len(parents)
        if needed > len(self._labels):
            grown = np.zeros((max(needed, 2 * len(self._labels)), self._labels.shape[1]), dtype=np.int8)
            grown[: self.count] = self.labels
            self._labels = grown
        self._labels[self.count : needed] = parents
        self._labels[self.count : needed, column] = label
        self.count = needed

    def write_rows(self, changed: Indices, parts: list[Rows], *, stale: int) -> None:
        """Store rows for the cells ``changed`` and then for cells not yet known, in order."""
        sizes = np.concatenate([part[1] for part in parts])
        offsets = np.cumsum(sizes) - sizes + len(self.flat)
        new_rows = np.arange(len(self.starts), len(self.starts) + len(sizes), dtype=np.int32)
        self.flat = np.concatenate([self.flat, *[part[0] for part in parts]])
        self.starts = np.concatenate([self.starts, offsets])
        self.sizes = np.concatenate([self.sizes, sizes])
        self.row_of[changed] = new_rows[: len(changed)]
        self.row_of = np.concatenate([self.row_of, new_rows[len(changed) :]])
        self.stale += stale
        if 2 * self.stale > len(self.flat):
            self.pack()

    def pack(self) -> None:
        """Drop stale rows and put the rest in the order of the cells."""
        self.flat, self.sizes = self.rows(np.arange(len(self.row_of), dtype=np.int32))
        self.starts = np.cumsum(self.sizes) - self.sizes
        self.row_of = np.arange(len(self.row_of), dtype=np.int32)
        self.stale = 0


def _ranges(starts: Lengths, lengths: Lengths) -> Lengths:
    """Concatenation of ``range(s, s + n)``."""
    before = np.cumsum(lengths) - lengths
    result: Lengths = np.arange(int(lengths.sum()), dtype=np.int64) + np.repeat(starts - before, lengths)
    return result


class Subdivision:
    """State of the subdivision: one :class:`CellTable` per dimension, and the generators."""

    def __init__(self, network: HomogeneousNetwork, walls: Walls | None, budget: Budget) -> None:
        self.network = network
        self.budget = budget
        self.neurons = sum(network.widths)
        self.dimension = network.rank
        columns = self.neurons + (self.dimension if walls is not None else 0)
        budget.check(cells=3**self.dimension)
        if self.dimension > MAX_DIMENSION:
            raise BudgetExceeded(
                f"every cell of every dimension starts from 3^{self.dimension} cells; "
                f"enumerate the {self.dimension}-dimensional cells alone instead (algorithm='splitting')"
            )
        if walls is None:
            generators, labels, rows = _half_space(self.dimension, columns)
        else:
            generators, labels, rows = _cube(walls, self.neurons, columns)
        self.generators = GeneratorTable(network, generators)
        self.tables = [CellTable(label, row) for label, row in zip(labels, rows, strict=True)]

    @property
    def cells(self) -> int:
        """Number of cells now, those at infinity included."""
        return sum(table.count for table in self.tables)

    def run(self, progress: Progress = silent) -> None:
        """Cut by every neuron, layer by layer."""
        done = 0
        for layer, width in enumerate(self.network.widths):
            self.generators.start_layer(layer)
            for neuron in range(width):
                self.cut(neuron, done)
                done += 1
                progress("neurons", done, self.neurons)
                self._check_budget()

    def _check_budget(self) -> None:
        """Raise ``BudgetExceeded`` with the f-vector so far, which further neurons can only raise."""
        most = self.budget.max_cells
        finite = self.finite_counts() if most is not None and self.cells > most else []
        try:
            self.budget.check(cells=sum(finite))
        except BudgetExceeded as error:
            error.partial = (0,) * self.network.lineality + tuple(finite or self.finite_counts())
            raise

    def finite_counts(self) -> list[int]:
        """Number of cells that are not at infinity now, by dimension."""
        reaching = self.generators.finite[: self.generators.count].astype(np.uint8)
        counts = [int(reaching.sum())]
        for table in self.tables[1:]:
            reaching = table.flags(reaching)
            counts.append(int(reaching.sum()))
        return counts

    def cut(self, neuron: int, column: int) -> None:
        """Subdivide every mixed cell by one neuron of the current layer; its labels go to ``column``."""
        flags = [_FLAG_OF_SIGN[self.generators.signs(neuron)]]
        for table in self.tables[1:]:
            flags.append(table.flags(flags[-1]))
        mixed = [np.flatnonzero(f == _MIXED).astype(np.int32) for f in flags]
        for table, f in zip(self.tables, flags, strict=True):
            label = _LABEL_OF_FLAG[f]
            label[f == _MIXED] = 1  # a mixed cell keeps its number as its positive part
            table._labels[: table.count, column] = label
        if not any(m.size for m in mixed):
            return
        self._split(neuron, column, flags, mixed)

    def _split(self, neuron: int, column: int, flags: list[Flags], mixed: list[Indices]) -> None:
        top = self.dimension
        minus: list[Indices] = []  # number of c-, by c
        zero: list[Indices] = [np.zeros(0, dtype=np.int32)]  # number of c0 (one dimension lower), by c
        for k in range(top + 1):
            ids = np.full(len(flags[k]), -1, dtype=np.int32)
            ids[mixed[k]] = self.tables[k].count + np.arange(len(mixed[k]), dtype=np.int32)
            minus.append(ids)
            if k:
                below = self.tables[k - 1].count + len(mixed[k - 1])
                ids = np.full(len(flags[k]), -1, dtype=np.int32)
                ids[mixed[k]] = below + np.arange(len(mixed[k]), dtype=np.int32)
                zero.append(ids)
        rows_of_zero: list[Rows] = []
        ends = self.tables[1].rows(mixed[1])[0].reshape(-1, 2)
        for k in range(top, 0, -1):  # downwards: the rows of c0 need the old rows of lower dimensions
            table, cells = self.tables[k], mixed[k]
            facets, lengths = table.rows(cells)
            kind = flags[k - 1][facets]
            renamed = np.where(kind == _MIXED, minus[k - 1][facets], facets)
            positive = _rows_with_extra(facets, (kind & _POSITIVE) != 0, lengths, zero[k][cells])
            negative = _rows_with_extra(renamed, (kind & _NEGATIVE) != 0, lengths, zero[k][cells])
            parts = [positive, negative, *rows_of_zero]
            rows_of_zero = [self._zero_rows(k, facets, kind, lengths, flags, zero)] if k > 1 else []
            table.write_rows(cells, parts, stale=len(facets))
        self._append_labels(column, mixed)
        self.generators.add(ends, neuron)

    def _zero_rows(
        self, k: int, facets: Indices, kind: Flags, lengths: Lengths, flags: list[Flags], zero: list[Indices]
    ) -> Rows:
        """Facets of the ``c0`` of all mixed ``k``-cells."""
        owner = np.repeat(np.arange(len(lengths)), lengths)
        crossed = kind == _MIXED
        faces, owners = zero[k - 1][facets[crossed]], owner[crossed]
        if not flags[k - 2].all():  # some (k-2)-cells lie in the zero set: they may bound a c0 too
            above = kind == _POSITIVE
            found, sizes = self.tables[k - 1].rows(facets[above])
            vanishing = flags[k - 2][found] == 0
            faces = np.concatenate([faces, found[vanishing]])
            owners = np.concatenate([owners, np.repeat(owner[above], sizes)[vanishing]])
            order = np.argsort(owners, kind="stable")
            faces, owners = faces[order], owners[order]
        return faces, np.bincount(owners, minlength=len(lengths))

    def _append_labels(self, column: int, mixed: list[Indices]) -> None:
        """Labels of the new cells, in the order of their numbers: first the ``c-``, then the ``c0`` from above."""
        parents = [table.labels[cells] for table, cells in zip(self.tables, mixed, strict=True)]
        for k, table in enumerate(self.tables):
            if k:
                table.append_labels(parents[k], column, -1)
            if k < self.dimension:
                table.append_labels(parents[k + 1], column, 0)


def _rows_with_extra(
    facets: Indices, chosen: np.ndarray[Any, np.dtype[np.bool_]], lengths: Lengths, extra: Indices
) -> Rows:
    """Rows of the chosen facets, each followed by one extra facet."""
    owner = np.repeat(np.arange(len(lengths)), lengths)[chosen]
    sizes = np.bincount(owner, minlength=len(lengths)) + 1
    ends = np.cumsum(sizes)
    flat = np.empty(int(ends[-1]) if len(ends) else 0, dtype=np.int32)
    flat[np.arange(len(owner)) + owner] = facets[chosen]
    flat[ends - 1] = extra
    return flat, sizes


def _half_space(rank: int, columns: int) -> tuple[list[list[int]], list[SignArray], list[Indices | None]]:
    """The orthants of ``R^r`` with their faces and directions: simplices on the origin and the ``2r`` axis rays.

    Labels are left zero: the first ``r`` chosen neurons are cut like any other and find nothing mixed.
    """
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
    return generators, *_tables_of_faces(simplices, columns)


def _cube(walls: Walls, neurons: int, columns: int) -> tuple[list[list[int]], list[SignArray], list[Indices | None]]:
    """The faces of a box; their wall labels (-1 low, 0 between, 1 high) fill the columns after the neurons."""
    rank = len(walls.low)
    names: list[list[tuple[int, ...]]] = [[] for _ in range(rank + 1)]
    for name in product((-1, 1, 0), repeat=rank):
        names[name.count(0)].append(name)
    generators = [
        [int((walls.low, walls.high)[side > 0][i]) for i, side in enumerate(name)] + [int(walls.denominator)]
        for name in names[0]
    ]
    labels: list[SignArray] = []
    rows: list[Indices | None] = []
    for k, cells in enumerate(names):
        table = np.zeros((len(cells), columns), dtype=np.int8)
        table[:, neurons:] = np.array(cells, dtype=np.int8).reshape(len(cells), rank)
        labels.append(table)
        if k == 0:
            rows.append(None)
            continue
        index = {name: i for i, name in enumerate(names[k - 1])}
        rows.append(
            np.array(
                [
                    [index[(*name[:i], side, *name[i + 1 :])] for i in range(rank) if name[i] == 0 for side in (-1, 1)]
                    for name in cells
                ],
                dtype=np.int32,
            )
        )
    return generators, labels, rows


def _tables_of_faces(
    simplices: list[list[tuple[int, ...]]], columns: int
) -> tuple[list[SignArray], list[Indices | None]]:
    labels, rows = [], list[Indices | None]()
    for k, cells in enumerate(simplices):
        labels.append(np.zeros((len(cells), columns), dtype=np.int8))
        if k == 0:
            rows.append(None)
            continue
        index = {simplex: i for i, simplex in enumerate(simplices[k - 1])}
        faces = [[index[simplex[:i] + simplex[i + 1 :]] for i in range(k + 1)] for simplex in cells]
        rows.append(np.array(faces, dtype=np.int32))
    return labels, rows
