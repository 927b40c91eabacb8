"""Compiled loop of :mod:`exactfd.geometry.runs`: many neurons in one call.

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
from exactfd.geometry.subdivision_loops import SHORT as SHORT_POOL
from exactfd.geometry.subdivision_loops import compress, enter, enter_edges, hits, orient, split
from exactfd.geometry.tables import Flags, Indices, Lengths
from exactfd.geometry.tables_loops import pack
from exactfd.geometry.waiting import COMPRESS

_NONE, _ONE = np.uint64(0), np.uint64(1)

#: Of one dimension: ends of edges; the pool of facets, where rows begin, how long they are; position among the cells
#: that are cut; signs; where cells come from, and whether they are finite.
Table = tuple[Indices, Indices, Lengths, Indices, Indices, Words, Words, Indices, Flags, BoolArray]
#: Of one dimension: cells that wait and the bits of neurons; cells that are cut, their places, where their rows begin.
List = tuple[Indices, Words, Indices, Indices, Lengths]

#: Why a run ends: it is at its last neuron; it has done enough for one call; arrays are too short; integers have to
#: tell the signs of new generators, and the neuron is to be finished then.
DONE, BUSY, SHORT, UNDECIDED = 0, 1, 2, 3

#: Columns of ``state``, which has a row for each dimension: numbers of cells, entries of their pool that are used and
#: stale, cells that wait; what the present neuron cuts, and how long the pool has to be, or 0 where it is long enough.
COUNT, USED, STALE, WAIT, CUT, ROOM = range(6)
#: Places in ``at``: the next neuron, how many generators are undecided.
NEURON, OPEN = 0, 1


@compiled
def run(
    at: Lengths,
    state: IntArray,
    last: int,
    most: int,
    finish: bool,
    tables: tuple[Table, Table, Table],
    waiting: tuple[List, List],
    space: tuple[Table, List] | None,
    generators: tuple[Words, Words, BoolArray, Indices, Words],
    numbers: tuple[FloatArray, FloatArray, int, bool],
    frames: tuple[bool, IntArray, FloatArray, Indices, int],
    scratch: tuple[Indices, IntArray, Lengths, Indices],
) -> int:
    """Cut by the neurons of one word, up to ``last`` (not included) or until about ``most`` cells have been cut.

    With ``finish`` the first neuron has been begun, and ended in ``UNDECIDED``. What there is of dimension 3 is in
    ``space``; for the plane, where that is None, the loop is compiled apart.
    """
    points, edges, polygons = tables
    first, second = waiting
    at_positive, at_negative, at_finite, parents, never_zero = generators
    values, errors, dropped, forgets = numbers
    framed, corners, heights, carriers, first_frame = frames
    pairs, undecided, made, spare = scratch
    ends, found, cut_polygons = edges[0], first[2], second[2]
    work = 0
    while at[NEURON] < last:
        neuron = at[NEURON]
        word, bit = neuron // WORD, _ONE << np.uint64(neuron % WORD)
        if not finish:
            state[:, CUT] = state[:, ROOM] = 0
            if len(found) < state[1, WAIT] or len(cut_polygons) < state[2, WAIT]:
                return SHORT
            if space is not None and len(space[1][2]) < state[3, WAIT]:
                return SHORT
            if neuron % COMPRESS == 0:
                state[1, WAIT] = compress(first[0], first[1], state[1, WAIT])
                state[2, WAIT] = compress(second[0], second[1], state[2, WAIT])
            if space is None:
                state[2, CUT] = most_cut = _hit(bit, state[2], polygons, second)
            else:
                solids, third = space
                if neuron % COMPRESS == 0:
                    state[3, WAIT] = compress(third[0], third[1], state[3, WAIT])
                state[3, CUT] = most_cut = _hit(bit, state[3], solids, third)
                if most_cut:
                    state[2, CUT] = _hit(bit, state[2], polygons, second)
            if most_cut == 0:  # and so no face of a cell
                made[neuron] = -1
                at[NEURON] += 1
                continue
            state[1, CUT] = _hit(bit, state[1], edges, first)
            new, m = state[0, COUNT], state[1, CUT]
            if (
                min(len(points[9]), len(at_finite), at_positive.shape[1]) < new + m
                or _short(state[1], edges, first, state[2, CUT])
                or _short(state[2], polygons, second, state[3, CUT])
                or min(len(pairs), len(undecided)) < m
                or (framed and len(carriers) < state[1, COUNT] + m + state[2, CUT])
                or (not framed and min(len(values), len(errors)) < new + m)
            ):
                return SHORT
            if space is not None and _short(state[3], space[0], space[1], 0):
                return SHORT
            signs, zeros = at_positive[word], never_zero[word] & bit == _NONE
            # where a pool is too short nothing counts, of either dimension
            used2, used3, stale2, stale3 = state[2, USED], state[3, USED], 0, 0
            if space is not None:
                solids, third = space
                used3, used2, stale3 = split(
                    bit, third[2], state[3, CUT], third[4], solids[1], used3, solids[2], solids[3], state[3, COUNT],
                    polygons[5], polygons[6], polygons[4], polygons[1], used2, polygons[2], polygons[3],
                    state[2, COUNT], state[2, CUT], edges[5], state[1, COUNT] + m, False, zeros,
                )  # fmt: skip
                if used3 < 0:
                    state[3 if used3 == SHORT_POOL else 2, ROOM] = max(used2, 1)
                    return SHORT
            used2, needed, stale2 = split(
                bit, cut_polygons, state[2, CUT], second[4], polygons[1], used2, polygons[2], polygons[3],
                state[2, COUNT], edges[5], edges[6], edges[4], ends.reshape(-1), 2 * (state[1, COUNT] + m), edges[2],
                edges[3], state[1, COUNT], m, signs, new, True, zeros,
            )  # fmt: skip
            if used2 < 0:  # a polygon is cut at two places: there is room for the ends of what cuts it
                state[2, ROOM] = needed
                return SHORT
            state[2, USED], state[3, USED] = used2, used3
            state[2, STALE] += stale2
            state[3, STALE] += stale3
            orient(bit, found, m, ends, signs, pairs)
            made[neuron] = new
            if framed:
                at[OPEN] = add_in_frames(
                    pairs[:m], new, neuron, found[:m], cut_polygons[: state[2, CUT]], corners, heights, carriers,
                    state[1, COUNT], first_frame, polygons[7], values.reshape(-1), errors.reshape(-1), at_positive,
                    at_negative, at_finite, parents, undecided,
                )  # fmt: skip
            else:
                at[OPEN] = add(
                    pairs[:m], new, neuron, dropped, neuron - dropped if forgets else 0, values, errors, at_positive,
                    at_negative, at_finite, parents, undecided,
                )  # fmt: skip
            if at[OPEN]:
                return UNDECIDED
        finish = False
        m = state[1, CUT]
        state[1, WAIT] = enter_edges(
            found, first[3], m, pairs, ends, state[1, COUNT], state[0, COUNT], at_positive[word], at_negative[word],
            edges[5], edges[6], first[0], first[1], state[1, WAIT], edges[7], edges[8], edges[9],
            cut_polygons, state[2, CUT], polygons[7], polygons[8], polygons[9], points[7], points[8], points[9],
        )  # fmt: skip
        above, cut_above, above_m = polygons, cut_polygons, 0
        if space is not None:
            above, cut_above, above_m = space[0], space[1][2], state[3, CUT]
        state[2, WAIT] = enter(
            cut_polygons, second[3], state[2, CUT], second[4], polygons[1], polygons[2], polygons[3], state[2, COUNT],
            edges[5], edges[6], polygons[5], polygons[6], second[0], second[1], state[2, WAIT],
            polygons[7], polygons[8], polygons[9], cut_above, above_m, above[7], above[8], above[9],
        )  # fmt: skip
        if space is not None:
            solids, third = space
            state[3, WAIT] = enter(
                third[2], third[3], state[3, CUT], third[4], solids[1], solids[2], solids[3], state[3, COUNT],
                polygons[5], polygons[6], solids[5], solids[6], third[0], third[1], state[3, WAIT],
                solids[7], solids[8], solids[9], third[2], 0, solids[7], solids[8], solids[9],
            )  # fmt: skip
        for k in range(3):
            state[k, COUNT] += state[k, CUT] + state[k + 1, CUT]
        state[3, COUNT] += state[3, CUT]
        work += state[1, CUT] + state[2, CUT] + state[3, CUT]
        packed = _pack(state[2], polygons, spare)
        if space is not None:
            packed = _pack(state[3], space[0], spare) and packed
        at[NEURON] += 1
        if work > most or not packed:
            return BUSY
    return DONE


@compiled
def _hit(bit: np.uint64, state: Lengths, table: Table, waiting: List) -> int:
    """How many cells of one dimension the neuron cuts; they are noted."""
    return hits(bit, waiting[0], waiting[1], state[WAIT], waiting[2], waiting[3], table[4])


@compiled
def _short(state: Lengths, table: Table, waiting: List, above: int) -> bool:
    """Whether there is no room for the new cells of one dimension, where so many are cut of that above."""
    added = state[CUT] + above
    return bool(len(table[9]) < state[COUNT] + added or len(waiting[0]) < state[WAIT] + added)


@compiled
def _pack(state: Lengths, table: Table, spare: Indices) -> bool:
    """Drop rows by way of ``spare`` when half of them are stale; False where that is too short."""
    used = state[USED] - state[STALE]
    if 2 * state[STALE] <= state[USED]:
        return True
    if len(spare) < used:
        return False
    pack(table[1], table[2], table[3], state[COUNT], spare)
    table[1][:used] = spare[:used]
    state[USED], state[STALE] = used, 0
    return True
