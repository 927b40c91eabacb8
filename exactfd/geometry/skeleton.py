"""The ``n_0``-dimensional cells from vertices and edges alone, where every vertex is simple.

A vertex is *simple* when exactly ``r`` labels are 0 at it (``r`` the rank of the first layer, the dimension in which
cells are enumerated). Around a simple vertex the complex looks like the coordinate hyperplanes at the origin: each
choice of signs for the zero labels is one cell, ``2r`` edges leave the vertex, and there is one 2-cell for every two
zero labels and choice of their signs. So vertices, their zero labels and the edges that leave them say everything:

* An edge with opposite signs of the next neuron at its ends gets a new vertex, which is simple because the neuron
  changes sign along the edge and so in every cell around it.
* The new edges are the pieces of the zero set in the 2-cells that it meets. From a new vertex, each 2-cell around its
  edge is walked around, vertex by vertex, on the side where the neuron is positive, until the other edge is met on
  which it changes sign. A walk that runs to infinity is done again on the negative side; when that runs to infinity
  too, the new edge is unbounded and its direction lies between the two that were met.
* A vertex on which a further neuron vanishes is not simple: :class:`NotSimple` is raised, decided exactly. Nothing is
  asked of directions at infinity; parallel hyperplanes and neurons constant along a ray do no harm.

Every ``r``-dimensional cell contains no line, so it has a vertex: the cells are all sign choices around the vertices.

Source: Masden, arXiv 2207.07696, Theorem 20 (cells around a vertex from its sign sequence).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import numpy as np
from flint import fmpz

from exactfd.budget import Budget, Progress, silent
from exactfd.errors import BudgetExceeded, InternalError
from exactfd.geometry import bits
from exactfd.geometry.bits import BoolArray, SignArray, Words
from exactfd.geometry.homogeneous import HomogeneousNetwork
from exactfd.geometry.signs import GeneratorTable

Indices = np.ndarray[Any, np.dtype[np.int32]]
Places = np.ndarray[Any, np.dtype[np.intp]]

_TABLE_BITS = 26  # with at most so many neurons cells may be marks in a table of all sign vectors
_CHUNK = 1 << 21  # sign vectors made at a time
_BYTES_OF_WALKER = 110


class NotSimple(Exception):
    """A neuron vanishes at a vertex that has its full number of zero labels already."""


class Skeleton:
    """Vertices and edges of the complex in the making; codes are ``2 slot + (1 on the negative side)``."""

    def __init__(
        self, network: HomogeneousNetwork, budget: Budget, generators: type[GeneratorTable] = GeneratorTable
    ) -> None:
        self.network = network
        self.budget = budget
        self.rank = r = network.rank
        if r == 0:
            raise NotSimple
        units = [[int(i == j) for j in range(r + 1)] for i in range(r + 1)]
        rays = [[side * entry for entry in unit] for unit in units[:r] for side in (1, -1)]
        self.generators = generators(network, [units[r], *rays])
        rows = network.layers[0].tolist()  # those of the coordinates are positive multiples of unit vectors
        self.pivots = [next(i for i, row in enumerate(rows) if _is_along(row, j)) for j in range(r)]
        edges = np.arange(2 * r, dtype=np.int32)
        self.zeros: Indices = np.zeros((1 + 2 * r, r), dtype=np.int32)  # vertex -> neurons with label 0
        self.zeros[0] = self.pivots
        self.leaving: Indices = np.zeros((1 + 2 * r, 2 * r), dtype=np.int32)  # vertex, code -> edge
        self.leaving[0] = edges
        self.edges = 2 * r
        self.ends: Indices = np.stack([np.zeros_like(edges), 1 + edges], axis=1)  # the first is a vertex always
        self.codes: Indices = np.stack([edges, np.full_like(edges, -1)], axis=1)  # edge, end -> code of the edge there
        self.known: list[tuple[Words, Words]] = []  # signs in the layers that are done

    @property
    def vertices(self) -> int:
        """Number of vertices now."""
        return int(np.count_nonzero(self.generators.finite[: self.generators.count]))

    def run(self, progress: Progress = silent) -> None:
        """Cut by every neuron, layer by layer. Raises ``NotSimple`` and ``BudgetExceeded``."""
        number, total = 0, sum(self.network.widths)
        for layer, width in enumerate(self.network.widths):
            if layer:
                self.generators.complete()
                count = self.generators.count
                self.known.append((self.generators.positive[:, :count], self.generators.negative[:, :count]))
            self.generators.start_layer(layer, self.budget.check)
            for neuron in range(width):
                self.generators.start_neuron(neuron)
                if layer or neuron not in self.pivots:
                    self._cut(neuron, number)
                number += 1
                progress("neurons", number, total)
                self.budget.check()
        self.generators.complete()

    # ------------------------------------------------------------------ one neuron

    def _cut(self, neuron: int, number: int) -> None:
        table = self.generators
        word, bit = bits.bit_of(neuron)
        above = (table.positive[word, : table.count] & bit) != 0
        below = (table.negative[word, : table.count] & bit) != 0
        if not (above | below | ~table.finite[: table.count]).all():
            raise NotSimple
        ends = self.ends[: self.edges]
        first, last = above[ends[:, 0]], ends[:, 1]
        is_cut = np.where(first, below[last], above[last])
        cut = np.flatnonzero(is_cut).astype(np.int32)
        if not len(cut):
            return
        self.budget.check(bytes_needed=self._bytes_to_walk(len(cut)))
        chords, rays = self._chords(cut, is_cut, above)
        # generators: first the new vertices, then the new directions
        old, start = self.ends[cut], table.count
        pairs, place = np.zeros((0, 2), dtype=np.int32), rays[:, 1].copy()
        upward, downward = above[rays[:, 1]], below[rays[:, 2]]
        between = np.flatnonzero(upward & downward)
        pairs = rays[between, 1:3]
        place = np.where(upward, rays[:, 2], rays[:, 1])  # the one on which the neuron vanishes, if one is
        place[between] = start + len(cut) + np.arange(len(between), dtype=np.int32)
        self.budget.check(bytes_needed=self._bytes_to_enter(len(cut) + len(between), len(chords) + len(rays)))
        self._add(np.concatenate([old, pairs]), neuron)
        self._connect(cut, above[old[:, 0]], start, number)
        self._draw(start, chords, rays, place)

    def _bytes_to_walk(self, cut: int) -> int:
        """About how many bytes the walks from so many new vertices take, for a while."""
        return 2 * cut * (self.rank - 1) * (_BYTES_OF_WALKER + 5 * self.rank)

    def _bytes_to_enter(self, generators: int, drawn: int) -> int:
        """About how many bytes are taken by so many new generators and edges inside 2-cells; and what is copied."""
        start, count = self.generators.count, self.generators.count + generators
        edges = generators + drawn
        copied = max(
            8 * self.rank * start if count > len(self.leaving) else 0,
            8 * self.edges if self.edges + edges > len(self.ends) else 0,
            *(16 * len(positive) * count for positive, _ in self.known),
        )
        kept = 12 * self.rank * generators + 16 * edges
        return self.generators.bytes_to_add(generators) + copied + kept + 16 * drawn

    def _add(self, ends: Indices, neuron: int) -> None:
        table = self.generators
        table.add(ends, neuron)
        for i, pair in enumerate(self.known):  # no edge has two signs of an earlier layer
            positive, negative = (
                np.concatenate([signs, signs[:, ends[:, 0]] | signs[:, ends[:, 1]]], axis=1) for signs in pair
            )
            self.known[i] = positive, negative

    def _chords(self, cut: Indices, is_cut: BoolArray, above: BoolArray) -> tuple[Indices, Indices]:
        """New edges inside 2-cells: rows ``(i, code, j, code)`` between the new vertices on ``cut[i]`` and ``cut[j]``,
        and rows ``(i, direction, direction, code)`` that go to infinity between two directions.
        """
        r = self.rank
        away = self.codes[cut, 0] // 2  # slot of the label that is not zero on the edge
        slots = np.arange(r, dtype=np.int32)
        slots = np.tile(slots, (len(cut), 1))[slots != away[:, None]].reshape(len(cut), r - 1)
        codes = (2 * slots[:, :, None] + np.arange(2, dtype=np.int32)).reshape(-1)
        source = np.repeat(np.arange(len(cut), dtype=np.int32), 2 * (r - 1))
        place = np.full(self.edges, -1, dtype=np.int32)
        place[cut] = np.arange(len(cut), dtype=np.int32)
        met, code, infinity = self._walk(cut, source, codes, is_cut, above, positive=True)
        lost = np.flatnonzero(met < 0)
        again, code_again, low = self._walk(cut, source[lost], codes[lost], is_cut, above, positive=False)
        met[lost], code[lost] = again, code_again
        bounded = np.flatnonzero(met >= 0)
        target = place[met[bounded]]
        once = source[bounded] < target  # each is found from both its ends
        bounded, target = bounded[once], target[once]
        chords = np.stack([source[bounded], codes[bounded], target, code[bounded]], axis=1)
        free = again < 0
        rays = np.stack([source[lost][free], infinity[lost][free], low[free], codes[lost][free]], axis=1)
        return chords, rays

    def _walk(
        self, cut: Indices, source: Indices, codes: Indices, is_cut: BoolArray, above: BoolArray, *, positive: bool
    ) -> tuple[Indices, Indices, Indices]:
        """Walk around 2-cells from ``cut[source]`` on one side of the neuron.

        The 2-cell is told by the ``codes`` (at the first end of the edge) of the label that leaves zero there. Returns
        the edge met and the code at its first end that tells the same 2-cell, or -1 and the direction met.
        """
        finite, r = self.generators.finite, self.rank
        # flat arrays and places of full width: NumPy gathers from those much faster
        zeros, leaving, all_ends, all_codes = (a.reshape(-1) for a in (self.zeros, self.leaving, self.ends, self.codes))
        met, code_met = np.full(len(source), -1, dtype=np.int32), np.full(len(source), -1, dtype=np.int32)
        infinity = np.full(len(source), -1, dtype=np.int32)
        edge: Any = cut[source].astype(np.intp)
        base: Any = all_ends.take(2 * edge).astype(np.intp)
        end: Any = 2 * edge + (above.take(base) != positive)
        at: Any = all_ends.take(end).astype(np.intp)
        free: Any = zeros.take(r * base + codes // 2)
        free_side: Any = codes % 2  # label to leave zero next, and its sign in the 2-cell
        own_code: Any = all_codes.take(end)  # of the label of the edge itself, which is zero at its end
        walker: Any = np.arange(len(source))
        there = finite.take(at)
        stop: Any = np.flatnonzero(~there)
        infinity[stop] = at[stop]
        keep = np.flatnonzero(there)
        for _ in range(2 * self.edges + 2):
            if len(keep) < len(walker):
                walker, at, free, free_side, own_code = (a.take(keep) for a in (walker, at, free, free_side, own_code))
            if not len(walker):
                return met, code_met, infinity
            self.budget.check()
            own, own_side = zeros.take(r * at + own_code // 2), own_code % 2
            edge = leaving.take(2 * (r * at + self._slot(at, free)) + free_side).astype(np.intp)
            hit = is_cut.take(edge)
            found = np.flatnonzero(hit)
            if len(found):
                w, e = walker.take(found), edge.take(found)
                met[w] = e
                first = all_ends.take(2 * e).astype(np.intp)
                code_met[w] = 2 * self._slot(first, own.take(found)) + own_side.take(found)
            end = 2 * edge
            end += all_ends.take(end) == at
            following = all_ends.take(end).astype(np.intp)
            there = finite.take(following)
            stop = np.flatnonzero(~(there | hit))
            infinity[walker.take(stop)] = following.take(stop)
            at, free, free_side, own_code = following, own, own_side, all_codes.take(end)
            keep = np.flatnonzero(there & ~hit)
        raise InternalError("a walk around a 2-cell does not end")

    def _slot(self, vertices: Places, neurons: Indices) -> Places:
        """Slot of a neuron among the zero labels of a vertex."""
        slots: Places = np.argmax(self.zeros.take(vertices, axis=0) == neurons[:, None], axis=1)
        return slots

    def _connect(self, cut: Indices, first_above: BoolArray, start: int, number: int) -> None:
        """Enter the new vertices, and the two parts of the edges that they cut."""
        count, m = self.generators.count, len(cut)
        self.zeros, self.leaving = _room(self.zeros, start, count), _room(self.leaving, start, count)
        base, far, new = self.ends[cut, 0], self.ends[cut, 1], start + np.arange(m, dtype=np.int32)
        slot = self.codes[cut, 0] // 2
        self.zeros[new] = self.zeros[base]
        self.zeros[new, slot] = number
        part = self._new_edges(m)
        here = 2 * slot + ~first_above  # code, at the new vertex, of the part that keeps the first end
        there = here ^ 1
        self.ends[part, 0], self.ends[part, 1] = new, far
        self.codes[part, 0], self.codes[part, 1] = there, self.codes[cut, 1]
        bounded = self.codes[cut, 1] >= 0
        self.leaving[far[bounded], self.codes[cut, 1][bounded]] = part[bounded]
        self.ends[cut, 1], self.codes[cut, 1] = new, here
        self.leaving[new, here], self.leaving[new, there] = cut, part

    def _draw(self, start: int, chords: Indices, rays: Indices, directions: Indices) -> None:
        """Enter the new edges inside 2-cells."""
        edge = self._new_edges(len(chords))
        self.ends[edge, 0], self.ends[edge, 1] = start + chords[:, 0], start + chords[:, 2]
        self.codes[edge, 0], self.codes[edge, 1] = chords[:, 1], chords[:, 3]
        self.leaving[start + chords[:, 0], chords[:, 1]] = edge
        self.leaving[start + chords[:, 2], chords[:, 3]] = edge
        edge = self._new_edges(len(rays))
        self.ends[edge, 0], self.ends[edge, 1] = start + rays[:, 0], directions
        self.codes[edge, 0], self.codes[edge, 1] = rays[:, 3], -1
        self.leaving[start + rays[:, 0], rays[:, 3]] = edge

    def _new_edges(self, added: int) -> Indices:
        needed = self.edges + added
        self.ends, self.codes = _room(self.ends, self.edges, needed), _room(self.codes, self.edges, needed)
        new = np.arange(self.edges, needed, dtype=np.int32)
        self.edges = needed
        return new

    # ------------------------------------------------------------------ cells

    def top_labels(self) -> SignArray:
        """Ternary tuples of the ``n_0``-dimensional cells in lexicographic order."""
        return self._labels(*self._vertex_keys())[1]

    def top_cells(self, *, simplices: bool = False) -> SkeletonCells:
        """The same, and which cells are bounded; with ``simplices`` also one in each of them. Each takes a few times as
        long as the tuples alone.

        Raises ``BudgetExceeded`` with the tuples as ``partial`` where they are found, but not what else is asked for.
        """
        keys, free = self._vertex_keys()
        words, labels = self._labels(keys, free)
        found = SkeletonCells(labels)
        try:
            vertices = np.flatnonzero(self.generators.finite[: self.generators.count]).astype(np.int32)
            far = self.ends[self.leaving[vertices]].sum(axis=2, dtype=np.int32) - vertices[:, None]
            cells = _Cells(words, keys, free, self.budget)
            found.bounded = cells.bounded(~self.generators.finite[far]) & (not self.network.lineality)
            if simplices:
                owners = cells.owners()
                zeros = self.zeros[vertices[owners]]
                codes = 2 * np.arange(self.rank) + (np.take_along_axis(labels, zeros, axis=1) < 0)
                corners = np.take_along_axis(far[owners], codes, axis=1)
                found.simplices = np.concatenate([vertices[owners, None], corners], axis=1)
        except BudgetExceeded as error:
            error.partial = found
            raise
        return found

    def _labels(self, keys: Words, free: Indices) -> tuple[Words, SignArray]:
        total = sum(self.network.widths)
        words = _sign_choices(keys, free, total, self.budget)
        self.budget.check(bytes_needed=3 * total * words.shape[1])
        labels: SignArray = np.ascontiguousarray(bits.unpack(words, total)[:, ::-1]).view(np.int8)
        labels *= 2
        labels -= 1
        return words, labels

    def _vertex_keys(self) -> tuple[Words, Indices]:
        """Bits of the active neurons at each vertex, and the places of the zero labels. Neurons from the last to the
        first, so that the order of the keys is that of the tuples.
        """
        table, widths = self.generators, self.network.widths
        vertices = np.flatnonzero(table.finite[: table.count])
        words = [*(pair[0] for pair in self.known), table.positive]
        active = [bits.unpack(w[:, vertices], n)[:, ::-1] for w, n in zip(words[::-1], widths[::-1], strict=True)]
        return bits.pack(np.concatenate(active, axis=1).astype(bool)), sum(widths) - 1 - self.zeros[vertices]


@dataclass
class SkeletonCells:
    """Ternary tuples of the ``n_0``-dimensional cells; which are bounded; for each a vertex and the other ends of the
    edges that leave it there, which span a simplex. None where the budget ran out, or nobody asked.
    """

    labels: SignArray
    bounded: BoolArray | None = None
    simplices: Indices | None = None


def _room(array: Indices, count: int, needed: int) -> Indices:
    if needed <= len(array):
        return array
    larger = np.empty((max(needed, 2 * len(array)), array.shape[1]), dtype=array.dtype)
    larger[:count] = array[:count]
    return larger


def _sign_choices(keys: Words, free: Indices, width: int, budget: Budget) -> Words:
    """All keys (``words x m``) with any of the bits ``free`` of their column set; each once, in ascending order."""
    r = free.shape[1]
    step = max(1, _CHUNK >> r)
    crowded = width <= _TABLE_BITS and len(free) << r > 1 << max(width - 3, 0)
    # a part, what it is made from and, in order, each once; marks
    budget.check(bytes_needed=24 * len(keys) * (min(step, len(free)) << r) + (1 << width if crowded else 0))
    marks = np.zeros(1 << width, dtype=bool) if crowded else None
    found = keys[:, :0]
    pending: list[Words] = []
    for first in range(0, len(free), step):
        part = keys[:, first : first + step]
        for slot in range(r):
            added = _single_bits(free[first : first + step, slot], len(keys))
            part = np.concatenate([part, part | np.tile(added, (1, 1 << slot))], axis=1)
        if marks is not None:
            marks[part[0]] = True
        else:
            pending.append(_distinct(part))
            if sum(block.shape[1] for block in pending) > max(2 * found.shape[1], _CHUNK):
                found, pending = _merged([found, *pending], budget), []
            budget.check(cells=found.shape[1])
        budget.check()
    if marks is not None:
        return np.flatnonzero(marks).astype(np.uint64)[None, :]
    return _merged([found, *pending], budget)


def _merged(keys: Sequence[Words], budget: Budget) -> Words:
    budget.check(bytes_needed=32 * sum(part.size for part in keys))
    return _distinct(np.concatenate(keys, axis=1))


class _Cells:
    """Finds cells, the columns of ``cells``, by sign choices around vertices: ``keys`` with bits ``free``."""

    def __init__(self, cells: Words, keys: Words, free: Indices, budget: Budget) -> None:
        self._keys, self._free, self._budget, self._mixed = keys, free, budget, _mixed(cells)
        codes = self._mixed(cells)
        self._order = np.argsort(codes)
        self._codes = codes[self._order]

    def bounded(self, to_infinity: BoolArray) -> BoolArray:
        """Which cells are: ``to_infinity`` tells of every vertex and code whether the edge that leaves there goes on
        without end.
        """
        result = np.ones(len(self._codes), dtype=bool)
        for part in self._parts(np.flatnonzero(to_infinity.any(axis=1))):
            ends = np.zeros(len(part), dtype=bool)
            for slot in range(self._free.shape[1]):
                up, down = (np.tile(to_infinity[part, 2 * slot + side], 1 << slot) for side in (0, 1))
                ends = np.concatenate([ends | down, ends | up])
            result[self._places(self._choices(part)[ends])] = False
        return result

    def owners(self) -> Indices:
        """A vertex of each cell, a column of the keys."""
        result = np.full(len(self._codes), -1, dtype=np.int32)
        for part in self._parts(np.arange(len(self._free))):
            result[self._places(self._choices(part))] = np.tile(part.astype(np.int32), 1 << self._free.shape[1])
        return result

    def _parts(self, vertices: Places) -> Iterator[Places]:
        step = max(1, _CHUNK >> self._free.shape[1])
        for first in range(0, len(vertices), step):
            self._budget.check()
            yield vertices[first : first + step]

    def _choices(self, vertices: Places) -> Words:
        """One word for each cell around each vertex: choice after choice, bit ``j`` of its number for slot ``j``."""
        codes = self._mixed(self._keys[:, vertices])
        for slot in range(self._free.shape[1]):
            added = self._mixed(_single_bits(self._free[vertices, slot], len(self._keys)))
            codes = np.concatenate([codes, codes + np.tile(added, 1 << slot)])
        return codes

    def _places(self, codes: Words) -> Places:
        places: Places = self._order[np.searchsorted(self._codes, codes)]
        return places


def _single_bits(places: Indices, words: int) -> Words:
    """Columns of words with one bit each."""
    result = np.zeros((words, len(places)), dtype=np.uint64)
    result[places // bits.WORD, np.arange(len(places))] = np.uint64(1) << (places % bits.WORD).astype(np.uint64)
    return result


def _mixed(cells: Words) -> Callable[[Words], Words]:
    """A linear map of words to one word, different for different cells."""
    if len(cells) == 1:
        return itemgetter(0)
    rng = np.random.default_rng(0)
    while True:  # about once: words of so many bits hardly ever agree
        factors = rng.integers(1 << 63, size=(len(cells), 1), dtype=np.uint64) * np.uint64(2) + np.uint64(1)
        if len(np.unique((cells * factors).sum(axis=0, dtype=np.uint64))) == cells.shape[1]:
            return lambda words: (words * factors).sum(axis=0, dtype=np.uint64)


def _distinct(keys: Words) -> Words:
    """The columns, each once, in ascending order of the numbers that they spell (last word first)."""
    if len(keys) == 1:
        return np.unique(keys[0])[None, :]
    keys = keys[:, np.lexsort(keys)]
    fresh = np.ones(keys.shape[1], dtype=bool)
    fresh[1:] = (keys[:, 1:] != keys[:, :-1]).any(axis=0)
    return keys[:, fresh]


def _is_along(row: list[fmpz], place: int) -> bool:
    """Whether this is a positive multiple of a unit vector."""
    return row[place] > 0 and all(entry == 0 for j, entry in enumerate(row) if j != place)
