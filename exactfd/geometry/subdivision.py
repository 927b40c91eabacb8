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

Only mixed cells are touched. For every 64 neurons of a layer, a word, every cell gets the union of the signs at its
generators; cells that some neuron of the word will cut are kept in a short list, and a cell that is made joins it when
its own signs say so. Signs of words that are done are looked up again when the layer is done.

The same is done by NumPy, all mixed cells at a time, or by compiled loops, one cell after the other: on the same
arrays, with the same results, so that the loops may take over at any neuron.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from exactfd import compiled
from exactfd.budget import Budget, Progress, silent
from exactfd.errors import BudgetExceeded
from exactfd.geometry import bits
from exactfd.geometry.bits import BoolArray, Words
from exactfd.geometry.homogeneous import HomogeneousNetwork
from exactfd.geometry.plane import PlaneTable
from exactfd.geometry.runs import Runs, runs
from exactfd.geometry.signs import GeneratorTable
from exactfd.geometry.start import Walls, cube, half_space
from exactfd.geometry.tables import CellTable, Indices, LabelHistory, Lengths, Rows
from exactfd.geometry.waiting import COMPRESS, Waiting

#: 3^13 = 1 594 323 orthant faces to start from; beyond it the splitting tree is the way.
MAX_DIMENSION = 13

_LITTLE = 1 << 17  # bytes; the room that a network begins with stays below
_BYTES_OF_FACET = 64  # for a while, of a facet of a cell that is split
_FEW = 4096  # entries up to which the shorter code is the faster


class Subdivision:
    """State of the subdivision: one :class:`CellTable` per dimension, the generators, and the labels so far."""

    def __init__(
        self,
        network: HomogeneousNetwork,
        walls: Walls | None,
        budget: Budget,
        generators: type[GeneratorTable] | None = None,
    ) -> None:
        self.network = network
        self.budget = budget
        self.dimension = network.rank
        budget.check(cells=3**self.dimension)
        if self.dimension > MAX_DIMENSION:
            raise BudgetExceeded(
                f"every cell of every dimension starts from 3^{self.dimension} cells; "
                f"enumerate the {self.dimension}-dimensional cells alone instead (algorithm='splitting')"
            )
        start = half_space(self.dimension) if walls is None else cube(walls)
        if generators is None:
            generators = PlaneTable if self.dimension == 2 else GeneratorTable
        self.generators = generators(network, start.generators)
        self.tables = [
            CellTable(k, start.facets[k - 1] if k else None, finite) for k, finite in enumerate(start.finite)
        ]
        self.history = LabelHistory()
        if walls is not None:
            signs = [[bits.pack(labels == s) for labels in start.walls] for s in (1, -1)]
            self.history.record(self.dimension, signs[0], signs[1], self.tables)
        self._waiting = [Waiting() for _ in self.tables]
        self._pairs: Indices = np.zeros((0, 2), dtype=np.int32)
        self._loops: Any = None

    @property
    def cells(self) -> int:
        """Number of cells now, those at infinity left out."""
        return sum(table.finite_count for table in self.tables)

    @property
    def f_vector(self) -> tuple[int, ...]:
        """Number of cells of each dimension of ``R^{n_0}`` now."""
        return (0,) * self.network.lineality + tuple(table.finite_count for table in self.tables)

    def run(self, progress: Progress = silent) -> None:
        """Cut by every neuron, layer by layer."""
        for layer in range(len(self.network.widths)):
            self.run_layer(layer, progress)
        self.close()

    def run_layer(self, layer: int, progress: Progress = silent) -> None:
        """Cut by every neuron of one layer; layers come in order."""
        width = self.network.widths[layer]
        done, total = sum(self.network.widths[:layer]), sum(self.network.widths)
        self._start_layer(layer)
        neuron, many = 0, None
        while neuron < width:
            many = many or self._runs(progress)
            if many is None:
                self.cut(neuron)
                neuron += 1
            else:
                self._start_neuron(neuron)
                neuron = many.cut(neuron, width)
            progress("neurons", done + neuron, total)
            self.check_budget()
        self._record(layer)

    def _runs(self, progress: Progress) -> Runs | None:
        """What cuts by many neurons in one call, where nobody asks after each neuron."""
        if progress is not silent or self.budget.max_cells is not None:
            return None
        return runs(self.generators, self.tables, self._waiting, self.ask_for)

    def close(self) -> None:
        """Keep of the cells what is needed when all neurons are done."""
        for table in self.tables:
            table.close()

    def check_budget(self, bytes_needed: int = 0) -> None:
        """Raise ``BudgetExceeded`` with the f-vector so far, which further neurons can only raise."""
        try:
            self.budget.check(cells=0 if self.budget.max_cells is None else self.cells, bytes_needed=bytes_needed)
        except BudgetExceeded as error:
            error.partial = self.f_vector
            raise

    def ask_for(self, bytes_needed: int) -> None:
        """As :meth:`check_budget`, before memory is taken; nothing is asked for a little."""
        if bytes_needed > _LITTLE:
            self.check_budget(bytes_needed)

    # ------------------------------------------------------------------ layers

    def _start_layer(self, layer: int) -> None:
        self.ask_for(self.generators.bytes_of_layer(layer))
        self.generators.start_layer(layer, self.check_budget)
        for table in self.tables if layer else ():  # at first every cell comes from itself already
            table.restart_origins()
        self.check_budget()
        self.generators.start_cells(self.tables)

    def _signs(self, k: int, word: int) -> tuple[Words, Words]:
        """Signs of the ``k``-cells for the neurons of the current word."""
        if k:
            return self.tables[k].positive, self.tables[k].negative
        return self.generators.positive[word], self.generators.negative[word]

    def _start_word(self, word: int) -> None:
        for k, table in enumerate(self.tables):
            if k:
                self._waiting[k].collect(*table.start_word(self._signs(k - 1, word)))
            self.check_budget()

    def _record(self, layer: int) -> None:
        """Note the signs of the neurons of a layer that is done: of all cells where one word holds them. In the last
        layer even generators may wait.
        """
        width, points, cells = self.network.widths[layer], self.tables[0].count, self.tables[1:]
        if layer + 1 == len(self.network.widths) and width > bits.WORD:
            self.history.record(width, [], [], self.tables, points=self.generators.signs_later())
            return
        self.generators.complete()
        positive, negative = (signs[:, :points] for signs in (self.generators.positive, self.generators.negative))
        more = cells if len(positive) == 1 else []
        self.history.record(
            width,
            [positive, *(table.positive[None, : table.count] for table in more)],
            [negative, *(table.negative[None, : table.count] for table in more)],
            self.tables,
        )

    # ------------------------------------------------------------------ one neuron

    def _start_neuron(self, neuron: int) -> None:
        self.generators.start_neuron(neuron)
        if neuron % bits.WORD == 0:
            self._start_word(neuron // bits.WORD)

    def cut(self, neuron: int) -> None:
        """Subdivide every mixed cell by one neuron of the current layer."""
        word, bit = bits.bit_of(neuron)
        self._start_neuron(neuron)
        if self._loops is None:  # they may come in the middle of a long work
            self._loops = compiled.loops("exactfd.geometry.subdivision_loops")
        if neuron % COMPRESS == 0:
            for waiting in self._waiting[1:]:
                waiting.compress(self._loops)
        if self._loops is not None:
            self._cut_by_loops(neuron, word, bit)
            return
        places = [waiting.hits(bit) for waiting in self._waiting]
        if self.dimension and len(places[-1]):  # a cell of which a face is mixed is mixed
            mixed = [waiting.cells[at].astype(np.intp) for waiting, at in zip(self._waiting, places, strict=True)]
            self.ask_for(self.generators.bytes_to_add(len(mixed[1])) + self._bytes_to_split(self.dimension, mixed))
            self._note_cut(mixed)
            rows = self._split(word, bit, mixed)
            ends = self._store(word, bit, mixed, rows)
            self.generators.add(ends, neuron, mixed[1], mixed[min(2, self.dimension)])
            self._update_signs(word, mixed, places, rows)

    def _note_cut(self, mixed: Sequence[Indices | Lengths]) -> None:
        """The present neuron cuts these cells, by dimension; here nobody needs to remember."""

    def _bytes_to_split(self, k: int, mixed: list[Lengths]) -> int:
        """About how many bytes :meth:`_split` takes for ``k``-cells, for a while."""
        return _BYTES_OF_FACET * int(self.tables[k].sizes[mixed[k]].sum()) if k > 1 else 0

    def _bytes_to_store(self, mixed: list[Lengths], rows: list[Rows]) -> int:
        """About how many bytes are taken after :meth:`_split`: what is kept, and what is needed for a while."""
        kept, briefly = self.generators.bytes_to_add(len(mixed[1])), 0
        for k, table in enumerate(self.tables[1:], 1):
            above = mixed[k + 1] if k < self.dimension else mixed[0]
            added, facets = len(mixed[k]) + len(above), len(rows[k][0])
            kept += table.bytes_to_add(added, facets)
            # what is copied comes before the signs, one array after the other
            signs = 16 * facets + 40 * (len(mixed[k]) + added)
            briefly = max(briefly, table.bytes_to_copy(added, facets), signs)
        return kept + briefly

    def _split(self, word: int, bit: np.uint64, mixed: list[Lengths]) -> list[Rows]:
        """Facets of ``c+``, of ``c-`` (for all mixed ``c`` of one dimension), then of the ``c0`` of one more; entry
        ``k`` for dimension ``k``, from 2 on, and the ``c0`` that are edges at entry 1.
        """
        for table, cells in zip(self.tables[1:-1], mixed[1:-1], strict=True):
            table.position[cells] = np.arange(len(cells), dtype=np.int32)
        rows: list[Rows] = [(np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int32))] * (self.dimension + 1)
        zero_rows = rows[0]
        for k in range(self.dimension, 1, -1):  # downwards: the rows of c0 need the old rows of lower dimensions
            below, cells = self.tables[k - 1], mixed[k]
            flat, begin = self.tables[k].rows_after_a_slot(cells)
            places = flat.astype(np.intp)  # NumPy gathers at twice the speed when it need not convert
            positive, negative = ((signs.take(places) & bit) != 0 for signs in self._signs(k - 1, word))
            positive[begin] = negative[begin] = False
            both = positive & negative
            crossed = both.nonzero()[0]
            number = below.position.take(places[crossed])
            following = self._zero_rows(k, word, bit, mixed, flat, begin, positive, both, crossed, number)
            # the slot takes c0, which both parts have
            flat[begin] = below.count + len(mixed[k - 1]) + np.arange(len(cells), dtype=np.int32)
            positive[begin] = negative[begin] = True
            kept = flat.take(np.flatnonzero(positive))
            flat[crossed] = number + np.int32(below.count)  # c- has the h- of the mixed h
            parts = [kept, flat.take(np.flatnonzero(negative)), zero_rows[0]]
            sizes = [_counts(positive, begin), _counts(negative, begin), zero_rows[1]]
            rows[k] = np.concatenate(parts), np.concatenate(sizes)
            rows[k - 1] = zero_rows = following
            # nothing is entered yet
            self.check_budget(self._bytes_to_split(k - 1, mixed) if k > 2 else self._bytes_to_store(mixed, rows))
        return rows

    def _zero_rows(
        self,
        k: int,
        word: int,
        bit: np.uint64,
        mixed: list[Lengths],
        flat: Indices,
        begin: Lengths,
        positive: BoolArray,
        both: BoolArray,
        crossed: Lengths,
        number: Indices,
    ) -> Rows:
        """Facets of the ``c0`` of all mixed ``k``-cells."""
        faces = number + np.int32(self.tables[k - 2].count + len(mixed[k - 2]))
        sizes = _counts(both, begin)
        if self.generators.never_zero[word] & bit:
            return faces, sizes
        # some (k-2)-cells may lie in the zero set: they bound a c0 too
        count, (positive_bits, negative_bits) = self.tables[k - 2].count, self._signs(k - 2, word)
        zero = ((positive_bits[:count] | negative_bits[:count]) & bit) == 0
        if not zero.any():
            return faces, sizes
        row = np.repeat(np.arange(len(begin)), np.diff(begin, append=len(flat)))
        above = np.flatnonzero(positive & ~both)
        found, lengths = self.tables[k - 1].rows(flat[above])
        vanishing = np.flatnonzero(zero.take(found.astype(np.intp)))
        owners = np.concatenate([row[crossed], np.repeat(row[above], lengths)[vanishing]])
        order = np.argsort(owners, kind="stable")
        faces = np.concatenate([faces, found[vanishing]])[order]
        return faces, np.bincount(owners, minlength=len(begin)).astype(np.int32)

    def _store(self, word: int, bit: np.uint64, mixed: list[Lengths], rows: list[Rows]) -> Indices:
        """Enter the new cells and the new facets; returns the (positive, negative) ends of the mixed edges."""
        ends = self.tables[1].ends[mixed[1]]
        swapped = (self.generators.positive[word][ends[:, 0]] & bit) == 0
        ends[swapped] = ends[swapped, ::-1]
        fresh = self.generators.count + np.arange(len(ends), dtype=np.int32)
        for k, table in enumerate(self.tables):
            parents = [(table, mixed[k])] if k else []
            if k < self.dimension:
                parents.append((self.tables[k + 1], mixed[k + 1]))
            before = table.count
            table.inherit(parents)
            if k > 1:
                table.write_rows(mixed[k], *rows[k])
            elif k == 1:
                table.ends[mixed[1], 1], table.ends[mixed[1], 0] = fresh, ends[:, 0]
                middle = before + len(ends)
                table.ends[before:middle, 0], table.ends[before:middle, 1] = ends[:, 1], fresh
                table.ends[middle : table.count] = rows[1][0].reshape(-1, 2)
        return ends

    def _update_signs(self, word: int, mixed: list[Lengths], places: list[Lengths], rows: list[Rows]) -> None:
        """Signs of the parts, and who still waits for a neuron of this word."""
        for k, table in enumerate(self.tables[1:], 1):
            above = mixed[k + 1] if k < self.dimension else mixed[0]
            new = np.arange(table.count - len(mixed[k]) - len(above), table.count)
            changed = np.concatenate([mixed[k], new])
            if not len(changed):
                continue
            if k == 1:
                ends = table.ends[changed].astype(np.intp)
            else:
                flat, begin = rows[k][0].astype(np.intp), np.cumsum(rows[k][1], dtype=np.int64) - rows[k][1]
            fresh = []
            for signs, below in zip((table.positive, table.negative), self._signs(k - 1, word), strict=True):
                if k == 1:
                    fresh.append(below.take(ends[:, 0]) | below.take(ends[:, 1]))
                else:
                    fresh.append(np.bitwise_or.reduceat(below.take(flat), begin))
                signs[changed] = fresh[-1]
            self._waiting[k].update(places[k], new, fresh[0] & fresh[1])

    # ------------------------------------------------------------------ the same by compiled loops

    def _cut_by_loops(self, neuron: int, word: int, bit: np.uint64) -> None:
        """Subdivide every mixed cell, as the other branch of :meth:`cut` does; a few calls for each dimension."""
        top, tables, lists = self.dimension, self.tables, self._waiting
        m = [0] * (top + 2)  # mixed cells of each dimension
        for k in range(top, 0, -1):
            m[k] = lists[k].find(self._loops, bit, tables[k].position)
            if not m[top]:
                return
        if not top:
            return
        self.ask_for(self.generators.bytes_to_add(m[1]))
        self._note_cut([waiting.found[:count] for waiting, count in zip(lists, m, strict=False)])
        for k, table in enumerate(tables):
            added = m[k] + m[k + 1]
            self.ask_for(table.bytes_to_add(added) + table.bytes_to_copy(added))
            table.reserve(table.count + added)
            lists[k].reserve(lists[k].count + added)
        for k in range(top, 1, -1):
            self._split_by_loops(k, word, bit, m)
            self.check_budget()  # nothing is entered yet
        self._enter_edges(neuron, word, bit, m)
        for k in range(2, top + 1):
            self._enter_rows(k, word, m)

    def _split_by_loops(self, k: int, word: int, bit: np.uint64, m: list[int]) -> None:
        """Rows of the parts of the mixed ``k``-cells, at the ends of the pools."""
        table, below, low, mixed = self.tables[k], self.tables[k - 1], self.tables[k - 2], self._waiting[k]
        zeros = not self.generators.never_zero[word] & bit
        loops, edges = self._loops, k == 2
        while True:
            pool, used = (below.ends.reshape(-1), 2 * (below.count + m[1])) if edges else (below.flat, below.used)
            length, below_used, stale = loops.split(
                *(bit, mixed.found, m[k], mixed.begins, table.flat, table.used, table.starts, table.sizes, table.count),
                *(*self._signs(k - 1, word), below.position),
                *(pool, used, below.starts, below.sizes, below.count, m[k - 1]),
                *(self._signs(k - 2, word)[0], low.count + m[k - 2], edges, zeros),
            )
            if length >= 0:
                break
            assert length == loops.SHORT or not edges  # a polygon is cut at two places, for which there is room
            short = table if length == loops.SHORT else below
            self.ask_for(4 * short.used)  # entries that are copied
            short.grow_pool(below_used)
        table.used, table.stale = length, table.stale + stale
        if not edges:
            below.used = below_used

    def _enter_edges(self, neuron: int, word: int, bit: np.uint64, m: list[int]) -> None:
        """Enter the new generators and the edges that meet them, with their signs."""
        (points, table), mixed, generators = self.tables[:2], self._waiting[1], self.generators
        above, above_found = self._above(1)
        if len(self._pairs) < m[1]:
            self._pairs = np.empty((2 * m[1], 2), dtype=np.int32)
        pairs, found, fresh = self._pairs[: m[1]], mixed.found[: m[1]], generators.count
        self._loops.orient(bit, found, m[1], table.ends, generators.positive[word], pairs)
        generators.add(pairs, neuron, found, above_found[: m[2]])
        mixed.count = self._loops.enter_edges(
            *(found, mixed.places, m[1], pairs, table.ends, table.count, fresh),
            *(*self._signs(0, word), table.positive, table.negative, mixed.cells, mixed.mixed, mixed.count),
            *(*table.origins, above_found, m[2], *above.origins, *points.origins),
        )
        points.count += m[1]
        table.count += m[1] + m[2]

    def _enter_rows(self, k: int, word: int, m: list[int]) -> None:
        """Enter the ``k``-cells that have been split, ``k > 1``, with the signs of all parts."""
        table, mixed, (above, above_found) = self.tables[k], self._waiting[k], self._above(k)
        mixed.count = self._loops.enter(
            *(mixed.found, mixed.places, m[k], mixed.begins, table.flat, table.starts, table.sizes, table.count),
            *(*self._signs(k - 1, word), table.positive, table.negative, mixed.cells, mixed.mixed, mixed.count),
            *(*table.origins, above_found, m[k + 1], *above.origins),
        )
        table.count += m[k] + m[k + 1]
        table.pack_when_stale()

    def _above(self, k: int) -> tuple[CellTable, Indices]:
        """Cells of one dimension more, and those of them that are mixed; the same ones at the top, of which none is
        taken.
        """
        above = min(k + 1, self.dimension)
        return self.tables[above], self._waiting[above].found


def _counts(chosen: BoolArray, begin: Lengths) -> Indices:
    """Number of chosen entries in each row."""
    if not len(begin):
        return np.zeros(0, dtype=np.int32)
    if len(chosen) < _FEW:
        few: Indices = np.add.reduceat(chosen, begin, dtype=np.int32)
        return few
    before = np.zeros(len(chosen) + 1, dtype=np.int32)
    np.cumsum(chosen, out=before[1:])
    sizes: Indices = np.diff(before[begin], append=before[-1:])
    return sizes
