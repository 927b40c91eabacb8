"""Many neurons in one compiled call, in the plane and in space: small complexes take a third to two thirds as long."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType

import numpy as np

from exactfd import compiled
from exactfd.geometry.signs import GeneratorTable
from exactfd.geometry.tables import CellTable
from exactfd.geometry.waiting import Waiting

DIMENSIONS = (2, 3)  # for which there is a loop

_MOST = 1 << 13  # cells cut in one call: limits are looked at between calls
_LEAST = 512  # edges that a neuron may cut before there must be more room
_SMALL = 1 << 18  # entries of a pool that is packed in the loop


def runs(
    generators: GeneratorTable, tables: Sequence[CellTable], waiting: Sequence[Waiting], ask_for: Callable[[int], None]
) -> Runs | None:
    """What cuts by many neurons at a time; None where that is not to be done, or not yet. ``ask_for`` raises where
    there is no memory for so many bytes more.
    """
    if len(tables) - 1 not in DIMENSIONS or not generators.has_loops:
        return None
    loops = compiled.loops("exactfd.geometry.runs_loops")
    return None if loops is None else Runs(generators, tables, waiting, ask_for, loops)


class Runs:
    """The state of a subdivision as the loop has it; see :func:`runs`."""

    def __init__(
        self,
        generators: GeneratorTable,
        tables: Sequence[CellTable],
        waiting: Sequence[Waiting],
        ask_for: Callable[[int], None],
        loops: ModuleType,
    ) -> None:
        self._generators, self._tables, self._waiting = generators, tables, waiting
        self._ask_for, self._loops = ask_for, loops
        self._pairs = np.empty((_LEAST, 2), dtype=np.int32)
        self._undecided = np.empty(_LEAST, dtype=np.int64)
        self._spare = np.empty(8 * _LEAST, dtype=np.int32)

    def cut(self, neuron: int, last: int) -> int:
        """Subdivide by some neurons from ``neuron`` on, one at least; ``last`` is not included.

        Returns the next neuron, before which the generators want to be told that a neuron starts.
        """
        loops, generators, tables, waiting = self._loops, self._generators, self._tables, self._waiting
        stride = generators.stride
        last = min(last, (neuron // stride + 1) * stride)
        self._reserve([0] * len(tables), [0] * len(tables))
        made, finish = np.empty(last, dtype=np.int64), False
        at = np.array([neuron, 0], dtype=np.int64)
        numbers = [
            (table.count, table.used, table.stale, cells.count, 0, 0)
            for table, cells in zip(tables, waiting, strict=True)
        ]
        state, solid = np.array([*numbers, (0,) * 6][:4], dtype=np.int64), len(tables) > 3
        while True:
            first = neuron
            reason = loops.run(
                *(at, state, last, _MOST, finish),
                (tables[0].columns, tables[1].columns, tables[2].columns),
                (waiting[1].columns, waiting[2].columns),
                (tables[3].columns, waiting[3].columns) if solid else None,
                (*generators.columns, generators.never_zero),
                *generators.numbers,
                (self._pairs, self._undecided, made, self._spare),
            )
            neuron, undecided = at.tolist()
            rows = state.tolist()
            for table, cells, row in zip(tables, waiting, rows, strict=False):
                table.count, table.used, table.stale, cells.count = row[:4]
            cut, rooms = [row[4] for row in rows], [row[5] for row in rows]
            generators.note_run(tables[0].count, tables[1].count, enumerate(made[first:neuron].tolist(), first))
            finish = reason == loops.UNDECIDED
            if finish:
                made[neuron] = -1  # noted here
                generators.note_added(neuron, cut[1], self._undecided[:undecided])
            elif reason == loops.SHORT:
                self._reserve(cut, rooms)
            else:
                break
        for table in tables[2:]:
            if table.pack_when_stale() and table.used < _SMALL:  # there was no room to pack it there
                self._spare = np.empty(max(2 * table.used, len(self._spare)), dtype=np.int32)
        return neuron

    def _reserve(self, cut: Sequence[int], rooms: Sequence[int]) -> None:
        """Room for what a neuron makes that cuts so many cells, by dimension, or more; and for so many facets."""
        least = [0, *(max(m, _LEAST) for m in cut[1 : len(self._tables)]), 0]
        self._ask_for(self._generators.bytes_to_add(least[1]))
        for k, (table, cells, room) in enumerate(zip(self._tables, self._waiting, rooms, strict=False)):
            added = least[k] + least[k + 1]
            self._ask_for(table.bytes_to_add(added) + table.bytes_to_copy(added))
            table.reserve(table.count + added)
            if k:
                cells.reserve(cells.count + added)
                cells.reserve_found()
            if room:
                self._ask_for(4 * table.used)  # entries that are copied
                table.grow_pool(room)
        self._generators.reserve(self._tables[0].count + least[1], self._tables[1].count + least[1] + least[2])
        if len(self._pairs) < least[1]:
            self._pairs = np.empty((2 * least[1], 2), dtype=np.int32)
            self._undecided = np.empty(2 * least[1], dtype=np.int64)
