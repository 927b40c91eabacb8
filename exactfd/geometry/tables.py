"""Cells of one dimension: facets, signs in the current layer, and where each cell comes from; and all labels so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from exactfd import compiled
from exactfd.geometry import bits
from exactfd.geometry.bits import BoolArray, SignArray, Words

Indices = np.ndarray[Any, np.dtype[np.int32]]
Lengths = np.ndarray[Any, np.dtype[np.int64]]
Flags = np.ndarray[Any, np.dtype[np.uint8]]
Rows = tuple[Indices, Indices]  # rows of varying length: all entries in one array, and how many are in each

_NO_WORDS: Words = np.zeros(0, dtype=np.uint64)
_NO_CELLS: Indices = np.zeros(0, dtype=np.int32)
_NO_STARTS: Lengths = np.zeros(0, dtype=np.int64)
_NO_ENDS: Indices = np.zeros((0, 2), dtype=np.int32)
_NO_FLAGS: Flags = np.zeros(0, dtype=np.uint8)

_CHUNK = 1 << 22  # entries of a temporary array in passes over all cells
_LOOPS = "exactfd.geometry.tables_loops"
_BYTES = 50  # of a cell, in all columns
_LEAST = 2048  # room for cells at the beginning; facets get eight times as much


class CellTable:
    """Cells of one dimension ``k``.

    Facets are rows in one growing pool; a row that changes is written anew at its end, and the pool is packed when half
    of it is stale. Edges have two facets always and are kept as pairs. Where new cells come from is told by
    ``origin_dimension`` and ``origin``: the cell at the start of the layer that contains them.
    """

    def __init__(self, dimension: int, facets: Indices | None, finite: BoolArray) -> None:
        self.dimension = dimension
        self.count = count = len(finite)
        if facets is None:
            facets = np.zeros((count, 0), dtype=np.int32)
        width, room = facets.shape[1], max(count, _LEAST)
        self.flat, self.starts, self.sizes, self.ends = _NO_CELLS, _NO_STARTS, _NO_CELLS, _NO_ENDS
        self.used = self.stale = 0
        if dimension == 1:
            self.ends = np.empty((room, 2), dtype=np.int32)
            if width:
                self.ends[:count] = facets
        elif dimension:
            self.flat = np.empty(max(facets.size, 8 * _LEAST), dtype=np.int32)
            self.starts, self.sizes = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.int32)
            if width:
                self.used = facets.size
                self.flat[: self.used] = facets.reshape(-1)
                self.starts[:count], self.sizes[:count] = np.arange(0, self.used, width), width
        self.positive: Words = _NO_WORDS  # signs of the neurons of one word, once there is one
        self.negative: Words = _NO_WORDS
        self.finite: BoolArray = np.empty(room, dtype=bool)
        self.finite[:count] = finite
        # scratch: number among the mixed cells
        self.position: Indices = np.empty(room, dtype=np.int32) if dimension else _NO_CELLS
        self.origin_dimension: Flags
        self.origin: Indices
        self.restart_origins()

    @classmethod
    def closed(
        cls,
        dimension: int,
        finite: BoolArray,
        *,
        ends: Indices = _NO_ENDS,
        rows: tuple[Indices, Lengths, Indices] = (_NO_CELLS, _NO_STARTS, _NO_CELLS),
    ) -> CellTable:
        """A table as :meth:`close` leaves it: ends of edges, or facets, where rows begin and how long they are."""
        table = cls.__new__(cls)
        table.dimension, table.count, table.finite, table.ends = dimension, len(finite), finite, ends
        table.flat, table.starts, table.sizes = rows
        table.used, table.stale = len(table.flat), 0
        table._forget()
        return table

    # ------------------------------------------------------------------ facets

    def rows(self, cells: Any) -> Rows:
        """Facets of some cells, concatenated, and the number of each."""
        if self.dimension == 1:
            return self.ends[cells].reshape(-1), np.full(len(cells), 2, dtype=np.int32)
        sizes = self.sizes[cells]
        return self.flat[ranges(self.starts[cells], sizes)], sizes

    def two_facets(self) -> tuple[Indices, Indices]:
        """Of every cell, the first facet and the one in the middle of its row."""
        starts, sizes = self.starts[: self.count], self.sizes[: self.count]
        return self.flat[starts], self.flat[starts + sizes // 2]

    def pulled(self, below: Indices) -> tuple[Indices, Indices]:
        """For every cell, the least of the numbers that its facets have, and the first facet that has another."""
        least, away = np.full((2, self.count), -1, dtype=np.int32)
        flat, sizes = self.all_rows()
        starts = np.cumsum(sizes, dtype=np.int64) - sizes
        for part in _chunks(sizes):
            begin = starts[part] - starts[part.start]
            facets = flat[starts[part.start] :][: int(begin[-1]) + int(sizes[part.stop - 1])]
            numbers = below[facets]
            least[part] = np.minimum.reduceat(numbers, begin)
            places = np.flatnonzero(numbers != np.repeat(least[part], sizes[part]))
            owners = np.repeat(np.arange(len(begin)), sizes[part])[places]
            away[part][owners[::-1]] = facets[places[::-1]]  # the first one is written last
        return least, away

    def rows_after_a_slot(self, cells: Lengths) -> tuple[Indices, Lengths]:
        """Rows with one free slot before the facets of each cell, and where the rows begin."""
        sizes = self.sizes[cells] + 1
        flat = self.flat.take(ranges(self.starts[cells] - 1, sizes), mode="wrap")
        begin = np.cumsum(sizes, dtype=np.int64) - sizes
        flat[begin] = 0
        return flat, begin

    def write_rows(self, changed: Lengths, flat: Indices, sizes: Indices) -> None:
        """Store rows for the cells ``changed`` and then for the new ones."""
        begin = np.cumsum(sizes, dtype=np.int64)
        begin -= sizes
        stale, used, m = int(self.sizes[changed].sum()), self.used, len(changed)
        needed = used + len(flat)
        if needed > len(self.flat):
            self.flat = _grown(self.flat, used, needed)
        self.flat[used:needed] = flat
        new = slice(self.count - len(sizes) + m, self.count)
        places = begin + used
        self.starts[changed], self.starts[new] = places[:m], places[m:]
        self.sizes[changed], self.sizes[new] = sizes[:m], sizes[m:]
        self.used = needed
        self.stale += stale
        self.pack_when_stale()

    def grow_pool(self, needed: int) -> None:
        """Room for so many facets, and twice as many as before at least."""
        self.flat = _grown(self.flat, self.used, max(needed, 2 * len(self.flat)))

    def pack_when_stale(self) -> bool:
        """Keep the pool less than half stale; returns whether anything had to be done."""
        stale = 2 * self.stale > self.used
        if stale:
            self.pack()
        return stale

    def pack(self) -> None:
        """Drop stale rows and put the rest in the order of the cells."""
        if self.dimension < 2 or not self.stale:
            return
        starts, sizes = self.starts[: self.count], self.sizes[: self.count]
        packed = np.empty(self.used - self.stale, dtype=np.int32)
        loops = compiled.loops(_LOOPS)
        if loops is not None:
            loops.pack(self.flat, starts, sizes, self.count, packed)
        else:
            done = 0
            for part in _chunks(sizes):
                piece = self.flat[ranges(starts[part], sizes[part])]
                packed[done : done + len(piece)] = piece
                done += len(piece)
            starts[:] = np.cumsum(sizes, dtype=np.int64) - sizes
        self.flat, self.used, self.stale = packed, len(packed), 0

    def union(self, below: np.ndarray[Any, Any], out: np.ndarray[Any, Any] | None = None) -> np.ndarray[Any, Any]:
        """For every cell, the bitwise or over its facets of an array over the cells one dimension lower.

        In the first entries of ``out`` where that is given.
        """
        result = np.empty(self.count, dtype=below.dtype) if out is None else out
        loops = compiled.loops(_LOOPS)
        if loops is not None:
            words, found = (array.view(np.uint8) if array.dtype == bool else array for array in (below, result))
            if self.dimension == 1:
                loops.union_of_ends(self.ends, self.count, words, found)
            else:
                loops.union(self.flat, self.starts, self.sizes, self.count, words, found)
        elif self.dimension == 1:
            ends = self.ends[: self.count]
            np.bitwise_or(below[ends[:, 0]], below[ends[:, 1]], out=result[: self.count])
        else:
            self.pack()
            for part in _chunks(self.sizes[: self.count]):
                first = int(self.starts[part.start])
                last = int(self.starts[part.stop - 1] + self.sizes[part.stop - 1])
                result[part] = np.bitwise_or.reduceat(below[self.flat[first:last]], self.starts[part] - first)
        return result

    def start_word(self, below: tuple[Words, Words]) -> tuple[Indices, Words, int]:
        """The signs of every cell for the neurons of a word, from those of the cells one dimension lower.

        Returns the cells that have both signs of a neuron, the bits of such neurons, and how many cells they are; there
        may be room behind them (pages that are never written to cost nothing).
        """
        count, room = self.count, len(self.finite)
        self.positive, self.negative = np.empty((2, room), dtype=np.uint64)
        loops = compiled.loops(_LOOPS)
        if loops is None:
            for signs, out in zip(below, (self.positive, self.negative), strict=True):
                self.union(signs, out)
            both = self.positive[:count] & self.negative[:count]
            cells = np.flatnonzero(both).astype(np.int32)
            return cells, both[cells], len(cells)
        cells, mixed = np.empty(room, dtype=np.int32), np.empty(room, dtype=np.uint64)
        found = below, self.positive, self.negative, cells, mixed
        if self.dimension == 1:
            return cells, mixed, loops.mixed_ends(self.ends, count, *found)
        return cells, mixed, loops.mixed_rows(self.flat, self.starts, self.sizes, count, *found)

    # ------------------------------------------------------------------ parts

    def part(self, cells: Lengths, number: Indices) -> CellTable:
        """A table of some cells alone, in their order; their facets get new numbers, ``number`` of the old ones."""
        table = CellTable(self.dimension, None, self.finite[cells])
        if self.dimension:
            flat, sizes = self.rows(cells)
            table.replace_rows(number[flat], sizes)
        return table

    def all_rows(self) -> Rows:
        """Facets of all cells, concatenated, and the number of each."""
        if self.dimension == 1:
            return self.ends[: self.count].reshape(-1), np.full(self.count, 2, dtype=np.int32)
        self.pack()
        return self.flat[: self.used], self.sizes[: self.count]

    def replace_rows(self, flat: Indices, sizes: Indices) -> None:
        """Other facets for all cells."""
        if self.dimension == 1:
            self.ends[: self.count] = flat.reshape(-1, 2)
            return
        self.sizes[: self.count] = sizes
        self.starts[: self.count] = np.cumsum(sizes, dtype=np.int64) - sizes
        self.flat, self.used, self.stale = flat, len(flat), 0

    # ------------------------------------------------------------------ growth

    def inherit(self, parents: Sequence[tuple[CellTable, Lengths]]) -> None:
        """Room for new cells, one for each parent cell, which hands down where it comes from."""
        added = sum(len(cells) for _, cells in parents)
        self.reserve(self.count + added)
        for table, cells in parents:
            new = slice(self.count, self.count + len(cells))
            self.origin[new], self.origin_dimension[new] = table.origin[cells], table.origin_dimension[cells]
            self.finite[new] = table.finite[cells]
            self.count = new.stop

    @property
    def columns(
        self,
    ) -> tuple[Indices, Indices, Lengths, Indices, Indices, Words, Words, Indices, Flags, BoolArray]:
        """All that there is about the cells, for compiled loops."""
        rows = self.ends, self.flat, self.starts, self.sizes
        return *rows, self.position, self.positive, self.negative, self.origin, self.origin_dimension, self.finite

    @property
    def origins(self) -> tuple[Indices, Flags, BoolArray]:
        """What new cells have from the cells that contain them."""
        return self.origin, self.origin_dimension, self.finite

    @property
    def finite_count(self) -> int:
        """Number of cells that are not at infinity."""
        return int(np.count_nonzero(self.finite[: self.count]))

    def bytes_to_add(self, cells: int, facets: int = 0) -> int:
        """About how many bytes so many new cells take, and so many new entries of the pool."""
        return _BYTES * cells + 4 * facets

    def bytes_to_copy(self, cells: int, facets: int = 0) -> int:
        """Bytes of the longest array that has to be copied before they can be added, if one has to."""
        columns = 8 * self.count if self.count + cells > len(self.finite) else 0
        return max(columns, 4 * self.used) if self.used + facets > len(self.flat) else columns

    def reserve(self, needed: int) -> None:
        """Room for so many cells."""
        if needed <= len(self.finite):
            return
        count, capacity = self.count, max(needed, 2 * len(self.finite))
        self.finite, self.origin = _grown(self.finite, count, capacity), _grown(self.origin, count, capacity)
        self.origin_dimension = _grown(self.origin_dimension, count, capacity)
        if self.dimension == 1:
            self.ends = _grown(self.ends, count, capacity)
        elif self.dimension:
            self.starts, self.sizes = _grown(self.starts, count, capacity), _grown(self.sizes, count, capacity)
        if self.dimension:
            self.position = _grown(self.position, count, capacity)
        if len(self.positive):
            self.positive = _grown(self.positive, count, capacity)
            self.negative = _grown(self.negative, count, capacity)

    def restart_origins(self) -> None:
        """From here on every cell comes from itself."""
        room = len(self.finite)
        self.origin_dimension, self.origin = np.empty(room, dtype=np.uint8), np.empty(room, dtype=np.int32)
        self.origin_dimension[: self.count], self.origin[: self.count] = self.dimension, np.arange(self.count)

    def close(self) -> None:
        """Keep the facets only."""
        self.pack()
        if self.dimension == 1:
            self.ends = self.ends[: self.count].copy()
        elif self.dimension:
            self.flat = self.flat[: self.used].copy()
            self.starts, self.sizes = self.starts[: self.count].copy(), self.sizes[: self.count].copy()
        self.finite = self.finite[: self.count].copy()
        self._forget()

    def _forget(self) -> None:
        self.positive = self.negative = _NO_WORDS
        self.origin = self.position = _NO_CELLS
        self.origin_dimension = _NO_FLAGS


def _grown(array: np.ndarray[Any, Any], count: int, needed: int) -> Any:
    larger = np.empty((max(needed, 2 * len(array) if needed > len(array) else 0), *array.shape[1:]), array.dtype)
    larger[:count] = array[:count]
    return larger


def ranges(starts: Lengths, lengths: Indices) -> Lengths:
    """Concatenation of ``range(s, s + n)``.

    >>> ranges(np.array([3, 7]), np.array([2, 3])).tolist()
    [3, 4, 7, 8, 9]
    """
    after = np.cumsum(lengths, dtype=np.int64)
    result = np.repeat(starts - after + lengths, lengths)
    result += np.arange(len(result), dtype=np.int64)
    return result


def _chunks(sizes: Indices) -> list[slice]:
    """Consecutive slices of the cells, none empty, with about ``_CHUNK`` entries each."""
    count = len(sizes)
    step = max(1, count * _CHUNK // max(int(sizes.sum()), 1))
    return [slice(first, min(first + step, count)) for first in range(0, count, step)]


@dataclass
class Stage:
    """Signs of one layer's neurons (or the walls) at the cells that there were when it was done.

    After the last layer cells stay as they are, and the signs in the higher dimensions may be found when somebody asks.
    """

    width: int
    known: list[tuple[Words, Words]]  # the positive and the negative ones by dimension, as far as they are known
    origin_dimension: list[Flags]  # cells of this stage -> cells of the stage before
    origin: list[Indices]
    tables: list[CellTable]
    points: Callable[[], tuple[Words, Words]] | None = None  # finds them in dimension 0, where nothing is known

    def signs(self, dimension: int) -> tuple[Words, Words]:
        """Words of the positive and of the negative labels: a cell has those of its facets."""
        known = list(self.known)  # other threads, or who asks again after an interrupt, see nothing that is half done
        if self.points is not None and not known:
            known.append(self.points())
        for table in self.tables[len(known) : dimension + 1]:
            positive, negative = known[-1]
            known.append((_of_facets(table, positive), _of_facets(table, negative)))
        self.known = known
        return known[dimension]


def _of_facets(table: CellTable, below: Words) -> Words:
    """For every cell, the union of what its facets have."""
    above: Words = np.empty((len(below), table.count), dtype=np.uint64)
    for word, out in zip(below, above, strict=True):
        table.union(word, out)
    return above


@dataclass
class LabelHistory:
    """The labels of all cells, stored for each layer at the cells that the layer left."""

    stages: list[Stage] = field(default_factory=list)

    def record(
        self,
        width: int,
        positive: Sequence[Words],
        negative: Sequence[Words],
        cells: list[CellTable],
        points: Callable[[], tuple[Words, Words]] | None = None,
    ) -> None:
        """Note the signs of the layer that is done; the arrays are kept, and must not change.

        Those of higher dimensions may be left out; they are found at once. After the last layer all may be left out and
        found later, if ``points`` tells those of the generators.
        """
        stage = Stage(
            width,
            list(zip(positive, negative, strict=True)),  # views: spare room that was never written to costs nothing
            [table.origin_dimension[: table.count] for table in cells],
            [table.origin[: table.count] for table in cells],
            cells,
            points,
        )
        if points is None:
            stage.signs(len(cells) - 1)
        self.stages.append(stage)

    def labels(self, dimension: int, cells: Any) -> SignArray:
        """Labels of some cells as they are now, one row a cell, stage after stage."""
        number = np.asarray(cells, dtype=np.int32)
        level = np.full(len(number), dimension, dtype=np.uint8)
        result: SignArray = np.empty((len(number), sum(stage.width for stage in self.stages)), dtype=np.int8)
        stop = result.shape[1]
        for stage in reversed(self.stages):
            columns = slice(stop - stage.width, stop)
            stop -= stage.width
            before, before_level = np.empty_like(number), np.empty_like(level)
            for k in range(len(stage.origin)):
                here = np.flatnonzero(level == k)
                if len(here):
                    at = number[here]
                    positive, negative = stage.signs(k)
                    result[here, columns] = bits.ternary(positive[:, at], negative[:, at], stage.width)
                    before[here], before_level[here] = stage.origin[k][at], stage.origin_dimension[k][at]
            number, level = before, before_level
        return result
