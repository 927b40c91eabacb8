"""Compiled loop of :mod:`exactfd.geometry.plane_runs`: many neurons in one call.

On small complexes the calls of one neuron cost several times what they do. What is called here, neuron by neuron, are
the loops that :mod:`exactfd.geometry.subdivision` calls otherwise, on the same arrays and in the same order.
"""

from __future__ import annotations

import numpy as np

from exactfd.compiled import compiled
from exactfd.geometry.ancestry import IntArray
from exactfd.geometry.bits import WORD, BoolArray, Words
from exactfd.geometry.bounds import FloatArray
from exactfd.geometry.signs_loops import add, add_in_frames
from exactfd.geometry.subdivision_loops import compress, enter, enter_edges, hits, orient, split
from exactfd.geometry.tables import Flags, Indices, Lengths
from exactfd.geometry.tables_loops import pack
from exactfd.geometry.waiting import COMPRESS

_NONE, _ONE = np.uint64(0), np.uint64(1)

#: Why a run ends: it is at its last neuron; it has done enough for one call; arrays are too short; integers have to
#: tell the signs of new generators, and the neuron is to be finished then.
DONE, BUSY, SHORT, UNDECIDED = 0, 1, 2, 3

#: Places in ``state``: the next neuron, numbers of generators, edges, polygons, entries of their pool that are used and
#: stale, cells that wait; what the present neuron cuts, the room that its rows need, how many generators are undecided.
NEURON, POINTS, EDGES, POLYGONS, USED, STALE, EDGES_WAIT, POLYGONS_WAIT = range(8)
EDGES_CUT, POLYGONS_CUT, ROOM, OPEN = range(8, 12)
STATE = 12  # entries


@compiled
def run(
    state: Lengths,
    last: int,
    most: int,
    finish: bool,
    points: tuple[Indices, Flags, BoolArray],
    edges: tuple[Indices, Indices, Lengths, Indices, Words, Words, Indices, Flags, BoolArray],
    polygons: tuple[Indices, Lengths, Indices, Indices, Words, Words, Indices, Flags, BoolArray, Indices],
    edges_waiting: tuple[Indices, Words, Indices, Indices],
    polygons_waiting: tuple[Indices, Words, Indices, Indices, Lengths],
    generators: tuple[Words, Words, BoolArray, Indices, Words],
    numbers: tuple[FloatArray, FloatArray, int],
    frames: tuple[bool, IntArray, FloatArray, Indices, int],
    scratch: tuple[Indices, IntArray, Lengths],
) -> int:
    """Cut by the neurons of one word, up to ``last`` (not included) or until about ``most`` cells have been cut.

    With ``finish`` the first neuron has been begun, and ended in ``UNDECIDED``.
    """
    point_origin, point_origin_dimension, point_finite = points
    ends, position, starts, sizes, positive, negative, origin, origin_dimension, finite = edges
    flat, rows, lengths, place, plus, minus, top_origin, top_origin_dimension, top_finite, spare = polygons
    cells, mixed, found, places = edges_waiting
    top_cells, top_mixed, top_found, top_places, begins = polygons_waiting
    at_positive, at_negative, at_finite, parents, never_zero = generators
    values, errors, dropped = numbers
    framed, corners, heights, carriers, first_frame = frames
    pairs, undecided, made = scratch
    work = 0
    while state[NEURON] < last:
        neuron = state[NEURON]
        word, bit = neuron // WORD, _ONE << np.uint64(neuron % WORD)
        g, e, p = state[POINTS], state[EDGES], state[POLYGONS]
        if not finish:
            state[EDGES_CUT] = state[POLYGONS_CUT] = state[ROOM] = 0
            if len(found) < state[EDGES_WAIT] or len(top_found) < state[POLYGONS_WAIT]:
                return SHORT
            if neuron % COMPRESS == 0:
                state[POLYGONS_WAIT] = compress(top_cells, top_mixed, state[POLYGONS_WAIT])
                state[EDGES_WAIT] = compress(cells, mixed, state[EDGES_WAIT])
            m2 = hits(bit, top_cells, top_mixed, state[POLYGONS_WAIT], top_found, top_places, place)
            if m2 == 0:
                made[neuron] = -1
                state[NEURON] += 1
                continue
            m1 = hits(bit, cells, mixed, state[EDGES_WAIT], found, places, position)
            state[EDGES_CUT], state[POLYGONS_CUT] = m1, m2
            if (
                min(len(point_origin), len(at_finite), at_positive.shape[1]) < g + m1
                or min(len(finite), len(carriers) if framed else len(finite)) < e + m1 + m2
                or len(top_finite) < p + m2
                or len(cells) < state[EDGES_WAIT] + m1 + m2
                or len(top_cells) < state[POLYGONS_WAIT] + m2
                or min(len(pairs), len(undecided)) < m1
                or (not framed and min(len(values), len(errors)) < g + m1)
            ):
                return SHORT
            used, room, stale = split(
                bit, top_found, m2, begins, flat, state[USED], rows, lengths, p,
                positive, negative, position, ends.reshape(-1), 2 * (e + m1), starts, sizes, e, m1,
                at_positive[word], g, True, never_zero[word] & bit == _NONE,
            )  # fmt: skip
            if used < 0:
                state[ROOM] = room
                return SHORT
            state[USED], state[STALE] = used, state[STALE] + stale
            orient(bit, found, m1, ends, at_positive[word], pairs)
            made[neuron] = g
            if framed:
                state[OPEN] = add_in_frames(
                    pairs[:m1], g, neuron, found[:m1], top_found[:m2], corners, heights, carriers, e, first_frame,
                    top_origin, values.reshape(-1), errors.reshape(-1), at_positive, at_negative, at_finite, parents,
                    undecided,
                )  # fmt: skip
            else:
                state[OPEN] = add(
                    pairs[:m1], g, neuron, dropped, 0, values, errors, at_positive, at_negative, at_finite, parents,
                    undecided,
                )  # fmt: skip
            if state[OPEN]:
                return UNDECIDED
        m1, m2, finish = state[EDGES_CUT], state[POLYGONS_CUT], False
        state[EDGES_WAIT] = enter_edges(
            found, places, m1, pairs, ends, e, g, at_positive[word], at_negative[word], positive, negative,
            cells, mixed, state[EDGES_WAIT], origin, origin_dimension, finite,
            top_found, m2, top_origin, top_origin_dimension, top_finite,
            point_origin, point_origin_dimension, point_finite,
        )  # fmt: skip
        state[POLYGONS_WAIT] = enter(
            top_found, top_places, m2, begins, flat, rows, lengths, p, positive, negative, plus, minus,
            top_cells, top_mixed, state[POLYGONS_WAIT], top_origin, top_origin_dimension, top_finite,
            top_found, 0, top_origin, top_origin_dimension, top_finite,
        )  # fmt: skip
        state[POINTS], state[EDGES], state[POLYGONS] = g + m1, e + m1 + m2, p + m2
        if 2 * state[STALE] > state[USED]:
            if len(spare) < state[USED] - state[STALE]:
                state[NEURON] += 1
                return BUSY
            pack(flat, rows, lengths, p + m2, spare)
            state[USED], state[STALE] = state[USED] - state[STALE], 0
            flat[: state[USED]] = spare[: state[USED]]
        state[NEURON] += 1
        work += m1 + m2
        if work > most:
            return BUSY
    return DONE
