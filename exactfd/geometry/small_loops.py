"""Compiled loop of :mod:`exactfd.geometry.small`: all layers of a small network in one call.

What is called here are the loops of :mod:`exactfd.geometry.signs` and :mod:`exactfd.geometry.runs`, on the same arrays
and in the same order. Products with the matrix of a layer are written out, so that floats may differ in their last
digits from those there: the bounds on their errors hold for sums in any order.
"""

from __future__ import annotations

import math

import numpy as np

from exactfd.compiled import compiled
from exactfd.geometry.ancestry import IntArray
from exactfd.geometry.bits import BoolArray, Words
from exactfd.geometry.bounds import FAINT, SLACK, UNIT, FloatArray
from exactfd.geometry.runs_loops import COUNT, DONE, STALE, USED, WAIT, List, Table, run
from exactfd.geometry.signs import Exponents
from exactfd.geometry.signs_loops import frame, judge, rectify, represent, scale_vertices
from exactfd.geometry.tables import Flags, Indices, Lengths
from exactfd.geometry.tables_loops import mixed_ends, mixed_rows, pack

_NONE, _ONE = np.uint64(0), np.uint64(1)
_NEVER = np.iinfo(np.int64).min
_FURTHEST = 5000  # beyond such exponents numbers underflow or overflow
_MOST = 1 << 40  # cells that one call of the inner loop may cut
_FACETS = 8  # room for facets of a cell, those that are stale among them

#: Facets, where rows begin, how long they are; position among the cells that are cut; which are finite.
Pool = tuple[Indices, Lengths, Indices, Indices, BoolArray]
#: The same without positions.
Polytopes = tuple[Indices, Lengths, Indices, BoolArray]


@compiled
def subdivide(
    widths: Lengths,
    weights: FloatArray,
    powers: Lengths,
    initial: FloatArray,
    begin: tuple[Indices, Indices, Indices],
    finite_at_begin: tuple[BoolArray, BoolArray, BoolArray, BoolArray],
    in_space: bool | None,
    room: int,
    signs: Words,
    origin: Indices,
    level: Flags,
    counts: Lengths,
    made: Lengths,
) -> tuple[bool, Indices, Indices, BoolArray, BoolArray, Polytopes, Polytopes]:
    """Cut by every neuron of every layer, 64 in each at most.

    Parameters
    ----------
    weights, powers
        The matrices one after the other; for each of them, the exponent of what all but the last column are to be
        multiplied by.
    initial
        Values in the first layer, and ``t``, at the generators to begin with, one row each; none where those are the
        origin and the half axes, on which they are weights.
    begin, finite_at_begin
        Facets of edges, polygons and cells of dimension 3 to begin with; and which cells of each dimension are finite.
    in_space
        None in the plane, for which the loop is compiled apart; there is nothing of dimension 3 then.
    room
        Cells of one dimension, at most.
    signs, origin, level
        To be filled, for each layer and dimension: the words of the positive and of the negative labels, and where
        cells come from.
    counts
        For each layer, how many cells of each dimension there are when it is done.
    made
        For each neuron the first generator that it makes, or -1.

    Returns
    -------
    tuple
        Whether all went well; not where integers have to tell a sign, or where there is no room. Then parents of the
        generators, ends of the edges, which of both are finite; the polygons, and the cells of dimension 3.
    """
    ends, parents = np.empty((room, 2), np.int32), np.empty((room, 2), np.int32)
    finite, points_finite, edges_finite = np.empty(room, np.bool_), np.empty(room, np.bool_), np.empty(room, np.bool_)
    state = np.zeros((4, 6), np.int64)
    count, edges = len(finite_at_begin[0]), len(begin[0])
    state[0, COUNT], state[1, COUNT] = count, edges
    finite[:count] = points_finite[:count] = finite_at_begin[0]
    ends[:edges], edges_finite[:edges], parents[:count] = begin[0], finite_at_begin[1], -1
    polygons = _pool(begin[1], finite_at_begin[2], room, state[2])
    solids = _pool(begin[2], finite_at_begin[3], 0 if in_space is None else room, state[3])
    third = _waiting(0 if in_space is None else room)
    none, no_ends, no_starts = np.empty(0, np.int32), np.empty((0, 2), np.int32), np.empty(0, np.int64)
    edge_position, first, second = np.empty(room, np.int32), _waiting(room), _waiting(room)
    pairs, undecided = np.empty((room, 2), np.int32), np.empty(room, np.int64)
    spare = np.empty(_FACETS * room, np.int32)
    values = errors = np.empty((0, 1))
    tops = np.zeros(signs.shape[1], np.int64)  # what the inputs of the layer have been divided by: powers of two
    place = done = 0
    all_well = bool(np.isfinite(weights).all() and np.isfinite(initial).all())
    for layer in range(len(widths) if all_well else 0):
        width, is_last, count = widths[layer], layer + 1 == len(widths), state[0, COUNT]
        inner = len(tops)
        table = weights[place : place + width * inner].reshape(width, inner)
        mantissas, exponents = _parts(table, powers[layer])
        place += width * inner
        outer = _tops(mantissas, exponents, tops)
        positive, negative = signs[layer, 0, 0].reshape(1, room), signs[layer, 0, 1].reshape(1, room)
        framed = is_last and in_space is None
        rows = count if framed else room
        new_values, new_errors = np.empty((rows, width + 1)), np.empty((rows, width + 1))
        if layer == 0:
            heads, own = _parts(initial if len(initial) else _on_axes(table), 0)
            represent(heads, own - outer, np.arange(count), True, 0, new_values, new_errors, positive, negative)
        else:
            all_well = _propagate(
                (values[:count], errors[:count], _active(signs[layer - 1, 0, 0], count, inner - 1), finite[:count]),
                (mantissas, _scaled(mantissas, exponents, tops, outer)),
                (new_values[:count], new_errors[:count], positive, negative),
            )
            if not all_well:
                break
        values, errors, tops = new_values, new_errors, outer
        never_zero = np.array([~_NONE])
        for v in range(count):
            never_zero[0] &= positive[0, v] | negative[0, v]
        for k in range(signs.shape[1]):
            for c in range(state[k, COUNT]):
                origin[layer, k, c], level[layer, k, c] = c, k
        edges = state[1, COUNT]
        flat_cells = state[2, COUNT] if framed else -1
        frames = _frames((values, errors), finite[:count], ends[:edges], polygons, flat_cells, room)
        one, two = signs[layer, 1], signs[layer, 2]
        below = (positive[0], negative[0])
        state[1, WAIT] = mixed_ends(ends, edges, below, one[0], one[1], first[0], first[1])
        _wait(state[2], polygons, (one[0], one[1]), two, second)
        top = signs.shape[1] - 1  # 2 in the plane: what is handed over for dimension 3 is not touched there
        three = signs[layer, top]
        _wait(state[3], solids, (two[0], two[1]), three, third)
        reason = _cut(
            in_space, state, width,
            (
                (no_ends, none, no_starts, none, none, positive[0], negative[0], origin[layer, 0], level[layer, 0],
                 points_finite),
                (ends, none, no_starts, none, edge_position, one[0], one[1], origin[layer, 1], level[layer, 1],
                 edges_finite),
                _columns(no_ends, polygons, two, origin[layer, 2], level[layer, 2]),
            ),
            (first, second), (_columns(no_ends, solids, three, origin[layer, top], level[layer, top]), third),
            (positive, negative, finite, parents, never_zero),
            (values, errors, 0, is_last), frames,
            (pairs, undecided, made[done:], spare),
        )  # fmt: skip
        all_well = reason == DONE
        if not all_well:
            break
        done += width
        for k in range(signs.shape[1]):
            counts[layer, k] = state[k, COUNT]
    count, edges = state[0, COUNT], state[1, COUNT]
    found = (parents[:count].copy(), ends[:edges].copy(), points_finite[:count].copy(), edges_finite[:edges].copy())
    return (all_well, *found, _trimmed(polygons, state[2]), _trimmed(solids, state[3]))


@compiled
def _cut(
    in_space: bool | None,
    state: IntArray,
    width: int,
    tables: tuple[Table, Table, Table],
    waiting: tuple[List, List],
    space: tuple[Table, List],
    generators: tuple[Words, Words, BoolArray, Indices, Words],
    numbers: tuple[FloatArray, FloatArray, int, bool],
    frames: tuple[bool, IntArray, FloatArray, Indices, int],
    scratch: tuple[Indices, IntArray, Lengths, Indices],
) -> int:
    """Cut by all neurons of a layer."""
    at = np.zeros(2, np.int64)
    if in_space is None:
        return run(at, state, width, _MOST, False, tables, waiting, None, generators, numbers, frames, scratch)
    return run(at, state, width, _MOST, False, tables, waiting, space, generators, numbers, frames, scratch)


@compiled
def _frames(
    numbers: tuple[FloatArray, FloatArray], finite: BoolArray, ends: Indices, pool: Pool, polygons: int, room: int
) -> tuple[bool, IntArray, FloatArray, Indices, int]:
    """Frames of the edges and of so many polygons, as :mod:`exactfd.geometry.plane` has them in the last layer; none
    where the number of polygons is negative.
    """
    edges = len(ends)
    if polygons < 0:
        return False, np.empty((3, 0), np.int64), np.empty((2, 0)), np.empty((0, 2), np.int32), 0
    frames, heights = np.empty((3, edges + polygons), np.int64), np.empty((2, edges + polygons))
    carriers = np.empty((room, 2), np.int32)
    scale_vertices(numbers[0], numbers[1], finite)
    frame(ends, pool[0], pool[1], pool[2], finite, numbers[0].shape[1], frames, heights)
    for i in range(edges):
        carriers[i, 0], carriers[i, 1] = i, -1
    return True, frames, heights, carriers, edges


@compiled
def _pool(rows: Indices, finite: BoolArray, room: int, state: Lengths) -> Pool:
    """Room for cells, with those to begin with."""
    flat, starts = np.empty(_FACETS * room, np.int32), np.empty(room, np.int64)
    sizes, position, is_finite = np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.bool_)
    count, size = rows.shape
    state[COUNT], state[USED] = count, rows.size
    flat[: rows.size], is_finite[:count] = rows.reshape(-1), finite
    for c in range(count):
        starts[c], sizes[c] = c * size, size
    return flat, starts, sizes, position, is_finite


@compiled
def _trimmed(pool: Pool, state: Lengths) -> Polytopes:
    """The cells that there are, without stale rows."""
    flat, starts, sizes, _, finite = pool
    count, used = state[COUNT], state[USED] - state[STALE]
    packed, begins = np.empty(used, np.int32), starts[:count].copy()
    if state[STALE]:
        pack(flat, begins, sizes, count, packed)
    else:
        packed[:] = flat[:used]
    return packed, begins, sizes[:count].copy(), finite[:count].copy()


@compiled
def _wait(state: Lengths, pool: Pool, below: tuple[Words, Words], signs: Words, waiting: List) -> None:
    """The signs of cells for the neurons of a word, and which of them wait."""
    flat, starts, sizes, _, _ = pool
    state[WAIT] = mixed_rows(flat, starts, sizes, state[COUNT], below, signs[0], signs[1], waiting[0], waiting[1])


@compiled
def _columns(no_ends: Indices, pool: Pool, signs: Words, origin: Indices, level: Flags) -> Table:
    """What there is about cells, as :func:`run` has it."""
    flat, starts, sizes, position, finite = pool
    return no_ends, flat, starts, sizes, position, signs[0], signs[1], origin, level, finite


@compiled
def _on_axes(weights: FloatArray) -> FloatArray:
    """Values of some linear functions, and ``t``, at the origin and on the two half axes of each direction."""
    last = weights.shape[1] - 1
    result = np.zeros((2 * last + 1, len(weights) + 1))
    result[0, -1] = 1.0
    for i in range(len(weights)):
        result[0, i] = weights[i, last]
        for axis in range(last):
            result[1 + 2 * axis, i], result[2 + 2 * axis, i] = weights[i, axis], -weights[i, axis]
    return result


@compiled
def _parts(values: FloatArray, power: int) -> tuple[FloatArray, Exponents]:
    """Mantissas and exponents; all but the last column are multiplied by ``2^power``."""
    mantissas, exponents = np.empty(values.shape), np.empty(values.shape, np.int64)
    last = values.shape[1] - 1
    for i in range(len(values)):
        for j in range(last + 1):
            mantissas[i, j], exponent = math.frexp(values[i, j])
            exponents[i, j] = exponent + (power if j < last else 0)
    return mantissas, exponents


@compiled
def _waiting(room: int) -> List:
    """An empty list of cells that wait."""
    cells, found, places = np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.int32)
    return cells, np.empty(room, np.uint64), found, places, np.empty(room, np.int64)


@compiled
def _tops(mantissas: FloatArray, exponents: Exponents, before: Lengths) -> Lengths:
    """As :attr:`exactfd.geometry.homogeneous.HomogeneousNetwork.exponents`, from those of the layer before."""
    result = np.zeros(len(mantissas) + 1, np.int64)
    for i in range(len(mantissas)):
        top = _NEVER
        for j in range(len(before)):
            if mantissas[i, j] != 0.0:
                top = max(top, exponents[i, j] + before[j])
        if top != _NEVER:
            result[i] = top
    return result


@compiled
def _scaled(mantissas: FloatArray, exponents: Exponents, before: Lengths, tops: Lengths) -> FloatArray:
    """As :meth:`exactfd.geometry.homogeneous.HomogeneousNetwork.float_layer`."""
    result = np.empty(mantissas.shape)
    for i in range(len(mantissas)):
        for j in range(len(before)):
            shift = exponents[i, j] + before[j] - tops[i]
            result[i, j] = math.ldexp(mantissas[i, j], max(min(shift, _FURTHEST), -_FURTHEST))
    return result


@compiled
def _active(positive: Words, count: int, width: int) -> BoolArray:
    """Which neurons are positive at each generator."""
    result = np.empty((count, width), np.bool_)
    for v in range(count):
        for j in range(width):
            result[v, j] = positive[v] >> np.uint64(j) & _ONE != _NONE
    return result


@compiled
def _propagate(
    before: tuple[FloatArray, FloatArray, BoolArray, BoolArray],
    layer: tuple[FloatArray, FloatArray],
    after: tuple[FloatArray, FloatArray, Words, Words],
) -> bool:
    """Numbers and signs in the next layer; whether floats tell all of these signs.

    ``before`` are values, bounds on their errors, which neurons are active, which generators are finite; of the layer
    there are the mantissas and the matrix; ``after`` are values, bounds, and the words of both signs.
    """
    (mantissas, matrix), (new_values, new_errors, positive, negative) = layer, after
    width, inner = matrix.shape
    inputs, doubts, largest = rectify(*before, (inner + 6) * UNIT)
    columns, sizes = np.empty((inner, width)), np.empty((inner, width))
    for j in range(inner):
        for i in range(width):
            columns[j, i] = matrix[i, j]
            sizes[j, i] = max(abs(matrix[i, j]), FAINT) if mantissas[i, j] != 0.0 else 0.0
    shares, totals, share = np.empty((len(inputs), width), np.float32), np.empty(width), np.empty(width)
    for v in range(len(inputs)):
        totals[:] = share[:] = 0.0
        for j in range(inner):
            x, doubt = inputs[v, j], np.float64(doubts[v, j])
            if doubt != 0.0:  # otherwise exactly zero, as most are that no neuron lets through
                for i in range(width):
                    totals[i] += x * columns[j, i]
                    share[i] += doubt * sizes[j, i]
        for i in range(width):
            new_values[v, i], shares[v, i] = totals[i], share[i]
        new_values[v, width], new_errors[v, width] = before[0][v, inner - 1], before[1][v, inner - 1]
        largest[v] *= SLACK + (inner + 8) * 2.0**-23
    return len(judge(new_values, new_errors, shares, largest, 0, positive, negative)) == 0
