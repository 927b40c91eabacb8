"""Small networks in the plane and in space in one compiled call: calls of Python take longer than what they do."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from flint import fmpz, fmpz_mat

from exactfd import compiled
from exactfd.budget import Budget
from exactfd.geometry import bits
from exactfd.geometry.bits import Words
from exactfd.geometry.homogeneous import FloatArray, HomogeneousNetwork, nearest
from exactfd.geometry.plane import PlaneTable
from exactfd.geometry.signs import GeneratorTable
from exactfd.geometry.start import Start, Walls, cube, half_space
from exactfd.geometry.tables import CellTable, Flags, Indices, LabelHistory, Stage

#: Neurons of all layers, by rank; one word holds the signs of each layer.
MOST_NEURONS = {2: 64, 3: 24}

_WORKED = 10.0  # CPU seconds of a process in which half a millisecond for each network is worth compiling
_ROOM = 192 << 20  # bytes that this takes
_ON_AXES: FloatArray = np.empty((0, 0))
_NO_FACETS, _NO_FLAGS = np.empty((0, 0), dtype=np.int32), np.empty(0, dtype=bool)


class Cells(NamedTuple):
    """A subdivision that is done."""

    generators: GeneratorTable
    tables: list[CellTable]
    history: LabelHistory


def subdivide(network: HomogeneousNetwork, walls: Walls | None, budget: Budget) -> Cells | None:
    """All cells, with the numbers that :class:`~exactfd.geometry.subdivision.Subdivision` gives them; None where the
    network is not small, where integers have to tell a sign, and where compiled loops are not to be used. That takes
    some milliseconds and megabytes at most: limits are looked at once.
    """
    widths, rank = network.widths, network.rank
    neurons = sum(widths)
    if not 0 < neurons <= MOST_NEURONS.get(rank, 0):
        return None
    worked = np.inf if budget.time_limit is not None else _WORKED  # compiling may take longer than a limit on time
    loops = compiled.loops("exactfd.geometry.small_loops", worked=worked, room=_ROOM)
    if loops is None:
        return None
    budget.check()
    start, layers = half_space(rank) if walls is None else cube(walls), network.nearest_layers()
    initial = _ON_AXES if walls is None else _at_corners(network, start)
    if layers is None or initial is None:
        return None
    weights, powers = layers
    assert walls is not None or powers[0] == 0  # the coordinates are pre-activations then
    room = _room(rank, neurons, len(widths))
    shape = (len(widths), rank + 1, room)
    signs, origin = np.empty((*shape[:2], 2, room), dtype=np.uint64), np.empty(shape, dtype=np.int32)
    level, counts = np.empty(shape, dtype=np.uint8), np.empty(shape[:2], dtype=np.int64)
    made = np.empty(neurons, dtype=np.int64)
    all_well, parents, ends, points, edges, *higher = loops.subdivide(
        np.array(widths),
        weights,
        np.array(powers),
        initial,
        (*start.facets, _NO_FACETS)[:3],
        (*start.finite, _NO_FLAGS)[:4],
        True if rank == 3 else None,
        *(room, signs, origin, level, counts, made),
    )
    if not all_well:
        return None
    tables = [CellTable.closed(0, points), CellTable.closed(1, edges, ends=ends)]
    for k, (*rows, finite) in enumerate(higher[: rank - 1], 2):
        tables.append(CellTable.closed(k, finite, rows=tuple(rows)))
    stages = []
    if walls is not None:
        labels, own_levels, own_numbers = _of_walls(rank)
        stages.append(Stage(rank, labels.copy(), own_levels.copy(), own_numbers.copy(), tables))
    for layer, (width, count) in enumerate(zip(widths, counts.tolist(), strict=True)):
        known, levels, origins = [], [], []
        for k, m in enumerate(count):
            both = signs[layer, k, :, :m].copy()  # what is kept is to be no larger than it must be
            known.append((both[:1], both[1:]))
            levels.append(level[layer, k, :m].copy())
            origins.append(origin[layer, k, :m].copy())
        stages.append(Stage(width, known, levels, origins, tables))
    names = [(layer, neuron) for layer, width in enumerate(widths) for neuron in range(width)]
    generators = PlaneTable(network, start.generators) if rank == 2 else GeneratorTable(network, start.generators)
    generators.exact.made += [(v, *name) for v, name in zip(made.tolist(), names, strict=True) if v >= 0]
    generators.replace(parents, points)
    return Cells(generators, tables, LabelHistory(stages))


def _room(rank: int, neurons: int, layers: int) -> int:
    """Hyperplanes make fewer edges, or polygons; several layers may make more."""
    cut = neurons * (neurons + 6) if rank == 2 else neurons * neurons * (neurons + 10) // 2
    return 64 + min(layers, 2) * cut


def _at_corners(network: HomogeneousNetwork, start: Start) -> FloatArray | None:
    """Values in the first layer, and ``t``, at the corners of a box; infinite, or None, where one is out of the range
    of floats.
    """
    values = fmpz_mat(start.generators) * network.layers[0].transpose()
    result = np.empty((len(start.generators), values.ncols() + 1))
    result[:, :-1] = nearest(values)
    try:
        result[:, -1] = [float(corner[-1]) for corner in start.generators]
    except OverflowError:
        return None
    return result


@cache
def _of_walls(rank: int) -> tuple[list[tuple[Words, Words]], list[Flags], list[Indices]]:
    """The labels that walls give the faces of a box, and where they come from: from themselves. Not to be changed."""
    known, levels, origins = [], [], []
    for k, labels in enumerate(cube(Walls((fmpz(0),) * rank, (fmpz(1),) * rank, fmpz(1))).walls):
        known.append((bits.pack(labels == 1), bits.pack(labels == -1)))
        levels.append(np.full(len(labels), k, dtype=np.uint8))
        origins.append(np.arange(len(labels), dtype=np.int32))
    return known, levels, origins
