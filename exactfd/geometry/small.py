"""Small networks on a plane in one compiled call: calls of Python would take longer than what they do."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from flint import fmpz_mat

from exactfd import compiled
from exactfd.geometry import bits
from exactfd.geometry.homogeneous import FloatArray, HomogeneousNetwork
from exactfd.geometry.plane import PlaneTable
from exactfd.geometry.signs import GeneratorTable
from exactfd.geometry.start import Start, Walls, cube, half_space
from exactfd.geometry.tables import CellTable, LabelHistory, Stage

_NEURONS = 64  # in all, at most
_ON_AXES: FloatArray = np.empty((0, 0))


class Cells(NamedTuple):
    """A subdivision that is done."""

    generators: GeneratorTable
    tables: list[CellTable]
    history: LabelHistory


def subdivide(network: HomogeneousNetwork, walls: Walls | None) -> Cells | None:
    """All cells, with the numbers that :class:`~exactfd.geometry.subdivision.Subdivision` gives them; None where the
    network is not small, where integers have to tell a sign, and where compiled loops are not to be used.
    """
    widths = network.widths
    neurons = sum(widths)
    if network.rank != 2 or not 0 < neurons <= _NEURONS:
        return None
    loops = compiled.loops("exactfd.geometry.small_loops")
    if loops is None:
        return None
    start, layers = half_space(2) if walls is None else cube(walls), network.nearest_layers()
    initial = _ON_AXES if walls is None else _at_corners(network, start)
    if layers is None or initial is None:
        return None
    room = 64 + min(len(widths), 2) * neurons * (neurons + 6)  # hyperplanes make fewer edges; layers may make more
    shape = (len(widths), 3, room)
    signs, origin = np.empty((len(widths), 3, 2, room), dtype=np.uint64), np.empty(shape, dtype=np.int32)
    level, counts = np.empty(shape, dtype=np.uint8), np.empty(shape[:2], dtype=np.int64)
    made = np.empty(neurons, dtype=np.int64)
    all_well, ends, flat, starts, sizes, *finite, parents = loops.subdivide(
        np.array(widths),
        layers[0],
        np.array(layers[1]),
        initial,
        (*start.facets, *start.finite),
        *(room, signs, origin, level, counts, made),
    )
    if not all_well:
        return None
    tables = [
        CellTable.closed(0, finite[0]),
        CellTable.closed(1, finite[1], ends=ends),
        CellTable.closed(2, finite[2], rows=(flat, starts, sizes)),
    ]
    stages = [] if walls is None else [_of_walls(start, tables)]
    for layer, (width, count) in enumerate(zip(widths, counts.tolist(), strict=True)):
        known, levels, origins = [], [], []
        for k, m in enumerate(count):
            known.append((signs[layer, k, :1, :m], signs[layer, k, 1:, :m]))
            levels.append(level[layer, k, :m])
            origins.append(origin[layer, k, :m])
        stages.append(Stage(width, known, levels, origins, tables))
    names = ((layer, neuron) for layer, width in enumerate(widths) for neuron in range(width))
    generators = PlaneTable(network, start.generators)
    generators.replace_all(
        parents, finite[0], [(v, *name) for v, name in zip(made.tolist(), names, strict=True) if v >= 0]
    )
    return Cells(generators, tables, LabelHistory(stages))


def _at_corners(network: HomogeneousNetwork, start: Start) -> FloatArray | None:
    """The same at the corners of a box; None where a number is out of the range of floats."""
    corners = fmpz_mat(start.generators)
    values = (corners * network.layers[0].transpose()).tolist()
    try:
        result = np.array([[float(x) for x in (*row, corner[-1])] for row, corner in zip(values, corners.tolist(), strict=True)])
    except OverflowError:
        return None
    return result


def _of_walls(start: Start, tables: list[CellTable]) -> Stage:
    """The labels that walls give the cells to begin with."""
    known = [(bits.pack(labels == 1), bits.pack(labels == -1)) for labels in start.walls]
    counts = [len(labels) for labels in start.walls]
    levels, origins = [np.full(m, k, np.uint8) for k, m in enumerate(counts)], [np.arange(m, dtype=np.int32) for m in counts]
    return Stage(2, known, levels, origins, tables)
