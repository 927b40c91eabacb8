"""Small networks on a plane in one compiled call: calls of Python would take longer than what they do."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

import numpy as np

from exactfd import compiled
from exactfd.geometry.signs import GeneratorTable
from exactfd.geometry.tables import CellTable, LabelHistory, Stage

_NEURONS = 40  # in all, at most


def loop(generators: GeneratorTable, tables: Sequence[CellTable]) -> ModuleType | None:
    """What :func:`cut_all` needs; None where that is not to be called, or not yet."""
    if len(tables) != 3 or not 0 < sum(generators.network.widths) <= _NEURONS or not generators.has_loops:
        return None
    return compiled.loops("exactfd.geometry.small_loops")


def cut_all(
    loops: ModuleType, generators: GeneratorTable, tables: Sequence[CellTable], history: LabelHistory
) -> bool:
    """Cut by every neuron of every layer what there is at the beginning; False where floats did not tell all signs, or
    there was no room: what there was is spoiled then.
    """
    points, edges, polygons = tables
    network, widths = generators.network, generators.network.widths
    neurons = sum(widths)
    room = min(len(edges.finite), neurons * (neurons + 6) + 64)  # as many edges as with hyperplanes, and some more
    shape = (len(widths), 3, room)
    signs, origin = np.empty((len(widths), 3, 2, room), dtype=np.uint64), np.empty(shape, dtype=np.int32)
    level, counts = np.empty(shape, dtype=np.uint8), np.empty(shape[:2], dtype=np.int64)
    made = np.empty(neurons, dtype=np.int64)
    state = np.array([*((table.count, table.used, table.stale, 0, 0, 0) for table in tables), (0,) * 6])
    mantissas, exponents = zip(*network.rounded_layers, strict=True)
    if not loops.cut_all(
        np.array(widths),
        generators.initial_numbers(),
        (np.concatenate([part.reshape(-1) for part in mantissas]), np.concatenate([p.reshape(-1) for p in exponents])),
        (generators.finite[:room], generators.exact.parents),
        (
            *(edges.ends, polygons.flat, polygons.starts, polygons.sizes, edges.position, polygons.position),
            *(table.finite[:room] for table in tables),
        ),
        *(state, signs, origin, level, counts, made),
    ):
        return False
    for table, (count, used, stale, *_) in zip(tables, state.tolist(), strict=False):
        table.count, table.used, table.stale = count, used, stale
    names = [(layer, neuron) for layer, width in enumerate(widths) for neuron in range(width)]
    generators.note_all(points.count, ((*name, first) for name, first in zip(names, made.tolist(), strict=True)))
    for layer, sizes in enumerate(counts.tolist()):
        known = [(signs[layer, k, :1, :m], signs[layer, k, 1:, :m]) for k, m in enumerate(sizes)]
        sources = [[table[layer, k, :m] for k, m in enumerate(sizes)] for table in (level, origin)]
        history.stages.append(Stage(widths[layer], known, *sources, list(tables)))
    return True
