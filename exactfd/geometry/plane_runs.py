"""Many neurons in one compiled call, on a plane: small complexes take a half to a third of the time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType

import numpy as np

from exactfd import compiled
from exactfd.geometry import bits
from exactfd.geometry.plane import PlaneTable
from exactfd.geometry.signs import GeneratorTable
from exactfd.geometry.tables import CellTable
from exactfd.geometry.waiting import Waiting

_MOST = 1 << 13  # cells cut in one call: limits are looked at between calls
_LEAST = 512  # edges that a neuron may cut before there must be more room
_SMALL = 1 << 18  # entries of a pool that is packed in the loop


def runs(
    generators: GeneratorTable, tables: Sequence[CellTable], waiting: Sequence[Waiting], ask_for: Callable[[int], None]
) -> PlaneRuns | None:
    """What cuts by many neurons at a time; None where that is not to be done, or not yet. ``ask_for`` raises where
    there is no memory for so many bytes more.
    """
    if not isinstance(generators, PlaneTable) or not generators.has_loops:
        return None
    loops = compiled.loops("exactfd.geometry.plane_loops")
    return None if loops is None else PlaneRuns(generators, tables, waiting, ask_for, loops)


class PlaneRuns:
    """The state of a subdivision of the plane as the loop has it; see :func:`runs`."""

    def __init__(
        self,
        generators: PlaneTable,
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
        """Subdivide by some neurons from ``neuron`` on, one at least and all of one word; ``last`` is not included.

        Returns the next neuron.
        """
        loops, generators = self._loops, self._generators
        points, edges, polygons = self._tables
        _, edges_waiting, polygons_waiting = self._waiting
        last = min(last, (neuron // bits.WORD + 1) * bits.WORD)
        self._reserve(0, 0, 0)
        made, finish = np.empty(last, dtype=np.int64), False
        counts = points.count, edges.count, polygons.count, polygons.used, polygons.stale
        state = np.array([neuron, *counts, edges_waiting.count, polygons_waiting.count, 0, 0, 0, 0], dtype=np.int64)
        while True:
            first = neuron
            reason = loops.run(
                *(state, last, _MOST, finish, points.origins),
                (edges.ends, edges.position, edges.starts, edges.sizes, edges.positive, edges.negative, *edges.origins),
                (
                    *(polygons.flat, polygons.starts, polygons.sizes, polygons.position),
                    *(polygons.positive, polygons.negative, *polygons.origins, self._spare),
                ),
                (edges_waiting.cells, edges_waiting.mixed, edges_waiting.found, edges_waiting.places),
                (
                    *(polygons_waiting.cells, polygons_waiting.mixed, polygons_waiting.found),
                    *(polygons_waiting.places, polygons_waiting.begins),
                ),
                (*generators.columns, generators.never_zero),
                *generators.numbers,
                (self._pairs, self._undecided, made),
            )
            neuron, points.count, edges.count, polygons.count, polygons.used, polygons.stale, *rest = state.tolist()
            edges_waiting.count, polygons_waiting.count, m1, m2, room, undecided = rest
            generators.note_run(points.count, edges.count, enumerate(made[first:neuron].tolist(), first))
            finish = reason == loops.UNDECIDED
            if finish:
                made[neuron] = -1  # noted here
                generators.note_added(neuron, m1, self._undecided[:undecided])
            elif reason == loops.SHORT:
                self._reserve(m1, m2, room)
            else:
                break
        if polygons.pack_when_stale() and polygons.used < _SMALL:  # there was no room to pack them there
            self._spare = np.empty(2 * polygons.used, dtype=np.int32)
        return neuron

    def _reserve(self, m1: int, m2: int, room: int) -> None:
        """Room for what a neuron makes that cuts so many edges and polygons, or more."""
        m1, m2 = max(m1, _LEAST), max(m2, _LEAST)
        points, edges, polygons = self._tables
        _, edges_waiting, polygons_waiting = self._waiting
        self._ask_for(self._generators.bytes_to_add(m1))
        points.reserve(points.count + m1)
        edges.reserve(edges.count + m1 + m2)
        polygons.reserve(polygons.count + m2)
        edges_waiting.reserve(edges_waiting.count + m1 + m2)
        polygons_waiting.reserve(polygons_waiting.count + m2)
        edges_waiting.reserve_found()
        polygons_waiting.reserve_found()
        self._generators.reserve(points.count + m1, edges.count + m1 + m2)
        if room > len(polygons.flat):
            self._ask_for(4 * polygons.used)  # entries that are copied
            polygons.grow_pool(room)
        if len(self._pairs) < m1:
            self._pairs = np.empty((2 * m1, 2), dtype=np.int32)
            self._undecided = np.empty(2 * m1, dtype=np.int64)
