"""Compiled loop of :mod:`exactfd.geometry.small`: all layers of a small network on a plane in one call.

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
from exactfd.geometry.runs_loops import COUNT, DONE, STALE, USED, WAIT, run
from exactfd.geometry.signs import Exponents
from exactfd.geometry.signs_loops import frame, judge, rectify, represent, scale_vertices
from exactfd.geometry.tables import Flags, Indices, Lengths
from exactfd.geometry.tables_loops import mixed_ends, mixed_rows, pack

_NONE, _ONE = np.uint64(0), np.uint64(1)
_NEVER = np.iinfo(np.int64).min
_FURTHEST = 5000  # beyond such exponents numbers underflow or overflow
_MOST = 1 << 40  # cells that one call of the inner loop may cut


@compiled
def cut_all(
    widths: Lengths,
    initial: tuple[FloatArray, Exponents],
    layers: tuple[FloatArray, Exponents],
    generators: tuple[BoolArray, Indices],
    cells: tuple[Indices, Indices, Lengths, Indices, Indices, Indices, BoolArray, BoolArray, BoolArray],
    state: IntArray,
    signs: Words,
    origin: Indices,
    level: Flags,
    counts: Lengths,
    made: Lengths,
) -> bool:
    """Cut by every neuron of every layer, 64 in each at most. False where integers have to tell a sign, or where there
    is no room; what there was is spoiled then.

    Parameters
    ----------
    initial
        Numbers of the first layer and ``t`` at the generators to begin with, as mantissas and exponents, one row each.
    layers
        The matrices one after the other, likewise.
    generators
        Which are finite, and their parents.
    cells
        Ends of the edges; facets of the polygons, where rows begin, how long they are; positions among the cells that
        are cut, of edges and polygons; which cells of each dimension are finite.
    state
        As :func:`exactfd.geometry.runs_loops.run` has it.
    signs, origin, level
        For each layer and dimension: the words of the positive and of the negative labels, and where cells come from.
    counts
        For each layer, how many cells of each dimension there are when it is done.
    made
        For each neuron the first generator that it makes, or -1.
    """
    finite, parents = generators
    ends, flat, starts, sizes, edge_position, position, points_finite, edges_finite, polygons_finite = cells
    room = signs.shape[3]
    none, no_ends, no_starts = np.empty(0, np.int32), np.empty((0, 2), np.int32), np.empty(0, np.int64)
    first, second = _waiting(room), _waiting(room)
    pairs, undecided, spare = np.empty((room, 2), np.int32), np.empty(room, np.int64), np.empty(len(flat), np.int32)
    values = errors = np.empty((0, 1))
    tops = np.zeros(ends.shape[1] + 1, np.int64)  # by which the inputs of the layer have been divided
    place = done = 0
    for layer in range(len(widths)):
        width, is_last, count = widths[layer], layer + 1 == len(widths), state[0, COUNT]
        inner = len(tops)
        mantissas = layers[0][place : place + width * inner].reshape(width, inner)
        exponents = layers[1][place : place + width * inner].reshape(width, inner)
        place += width * inner
        outer = _tops(mantissas, exponents, tops)
        positive, negative = signs[layer, 0, 0].reshape(1, room), signs[layer, 0, 1].reshape(1, room)
        new_values, new_errors = np.empty((room, width + 1)), np.empty((room, width + 1))
        if layer == 0:
            own = initial[1] - outer
            everyone = np.arange(count)
            represent(initial[0], own, everyone, True, 0, new_values, new_errors, positive, negative)
        else:
            active = _active(signs[layer - 1, 0, 0], count, inner - 1)
            matrix = _scaled(mantissas, exponents, tops, outer)
            if not _propagate(
                values[:count], errors[:count], active, finite[:count], mantissas, matrix,
                new_values[:count], new_errors[:count], positive, negative,
            ):  # fmt: skip
                return False
        values, errors, tops = new_values, new_errors, outer
        never_zero = np.array([~_NONE])
        for v in range(count):
            never_zero[0] &= positive[0, v] | negative[0, v]
        for k in range(3):
            for c in range(state[k, COUNT]):
                origin[layer, k, c], level[layer, k, c] = c, k
        edges, polygons = state[1, COUNT], state[2, COUNT]
        framed = edges + polygons if is_last else 0
        frames, heights = np.empty((3, framed), np.int64), np.empty((2, framed))
        carriers = np.empty((room if is_last else 0, 2), np.int32)
        if is_last:
            scale_vertices(values[:count], errors[:count], finite[:count])
            frame(ends[:edges], flat, starts, sizes, finite, width + 1, frames, heights)
            for i in range(edges):
                carriers[i, 0], carriers[i, 1] = i, -1
        one, two = signs[layer, 1], signs[layer, 2]
        below = (positive[0], negative[0])
        state[1, WAIT] = mixed_ends(ends, edges, below, one[0], one[1], first[0], first[1])
        below = (one[0], one[1])
        state[2, WAIT] = mixed_rows(flat, starts, sizes, polygons, below, two[0], two[1], second[0], second[1])
        at = np.zeros(2, np.int64)
        reason = run(
            at, state, width, _MOST, False,
            (
                (no_ends, none, no_starts, none, none, positive[0], negative[0], origin[layer, 0], level[layer, 0],
                 points_finite),
                (ends, none, no_starts, none, edge_position, one[0], one[1], origin[layer, 1], level[layer, 1],
                 edges_finite),
                (no_ends, flat, starts, sizes, position, two[0], two[1], origin[layer, 2], level[layer, 2],
                 polygons_finite),
            ),
            (first, second), None, (positive, negative, finite, parents, never_zero),
            (values, errors, 0, is_last), (is_last, frames, heights, carriers, edges),
            (pairs, undecided, made[done:], spare),
        )  # fmt: skip
        if reason != DONE:
            return False
        done += width
        for k in range(3):
            counts[layer, k] = state[k, COUNT]
    if state[2, STALE]:
        pack(flat, starts, sizes, state[2, COUNT], spare)
        state[2, USED] -= state[2, STALE]
        state[2, STALE] = 0
        flat[: state[2, USED]] = spare[: state[2, USED]]
    return True


@compiled
def _waiting(room: int) -> tuple[Indices, Words, Indices, Indices, Lengths]:
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
    values: FloatArray,
    errors: FloatArray,
    active: BoolArray,
    finite: BoolArray,
    mantissas: FloatArray,
    matrix: FloatArray,
    new_values: FloatArray,
    new_errors: FloatArray,
    positive: Words,
    negative: Words,
) -> bool:
    """Values, bounds on their errors and signs in the next layer; whether floats tell all of these signs."""
    width, inner = matrix.shape
    rounding, slack = (inner + 6) * UNIT, SLACK + (inner + 8) * 2.0**-23
    inputs, doubts, largest = rectify(values, errors, active, finite, rounding)
    sizes = np.where(mantissas != 0.0, np.maximum(np.abs(matrix), FAINT), 0.0)
    shares = np.empty((len(values), width), np.float32)
    for v in range(len(values)):
        for i in range(width):
            total = share = 0.0
            for j in range(inner):
                total += inputs[v, j] * matrix[i, j]
                share += doubts[v, j] * sizes[i, j]
            new_values[v, i], shares[v, i] = total, share
        new_values[v, width], new_errors[v, width] = values[v, inner - 1], errors[v, inner - 1]
        largest[v] *= slack
    return len(judge(new_values, new_errors, shares, largest, 0, positive, negative)) == 0
