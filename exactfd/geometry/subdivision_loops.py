"""Compiled loops of :mod:`exactfd.geometry.subdivision`: one pass over the cells of one dimension each.

Cells come out with the same numbers, and rows with the same facets in the same order, as there. ``found`` are the
cells of the dimension that the neuron cuts, ``m`` of them, and what is named ``below``, ``low`` or ``above`` is of one
dimension less, two less, or one more. New cells are ``c-`` for each cut cell, then ``c0`` for each cut cell above.
"""

from __future__ import annotations

import numpy as np

from exactfd.compiled import compiled
from exactfd.geometry.bits import BoolArray, Words
from exactfd.geometry.tables import Flags, Indices, Lengths

_NONE = np.uint64(0)

#: Answers of :func:`split` in place of a length: the pool of the cells, or that of the cells below, is too short.
SHORT, SHORT_BELOW = -1, -2


@compiled
def hits(
    bit: np.uint64, cells: Indices, mixed: Words, count: int, found: Indices, places: Indices, position: Indices
) -> int:
    """Number of the cells that wait for the neuron ``bit``; they are noted with their places in the list, and their
    positions among themselves.
    """
    m = 0
    for i in range(count):
        if mixed[i] & bit != _NONE:
            c = cells[i]
            found[m], places[m], position[c] = c, i, m
            m += 1
    return m


@compiled
def compress(cells: Indices, mixed: Words, count: int) -> int:
    """Drop cells that wait for no neuron; returns the length of the list."""
    kept = 0
    for i in range(count):
        if mixed[i] != _NONE:
            cells[kept], mixed[kept] = cells[i], mixed[i]
            kept += 1
    return kept


@compiled
def orient(bit: np.uint64, found: Indices, m: int, ends: Indices, positive: Words, pairs: Indices) -> None:
    """The (positive, negative) ends of the edges."""
    for i in range(m):
        u, v = ends[found[i], 0], ends[found[i], 1]
        if positive[u] & bit == _NONE:
            u, v = v, u
        pairs[i, 0], pairs[i, 1] = u, v


@compiled
def split(
    bit: np.uint64,
    found: Indices,
    m: int,
    begins: Lengths,
    flat: Indices,
    used: int,
    starts: Lengths,
    sizes: Indices,
    count: int,
    below_positive: Words,
    below_negative: Words,
    below_position: Indices,
    below_flat: Indices,
    below_used: int,
    below_starts: Lengths,
    below_sizes: Indices,
    below_count: int,
    below_m: int,
    low_positive: Words,
    low_new: int,
    edges: bool,
    zeros: bool,
) -> tuple[int, int, int]:
    """Rows of ``c+`` (they begin at ``begins``) and ``c-`` at the end of the pool, of ``c0`` at the end of that below.

    The first ``c0`` two dimensions lower is ``low_new``. With ``edges`` the cells below are edges, and their pool the
    pairs of ends. Without ``zeros`` the neuron vanishes nowhere two dimensions lower. Returns how much of the two pools
    is used then, and the number of old entries; or which pool is too short, and a length that is enough for most. Old
    rows are not touched.
    """
    zero, stale = below_count + below_m, 0
    for i in range(m):
        stale += sizes[found[i]]
    if used + 2 * (stale + m) > len(flat):
        return SHORT, used + 2 * (stale + m), 0
    if not edges and below_used + stale > len(below_flat):
        return SHORT_BELOW, below_used + stale, 0
    above, below, at = np.empty(stale, np.bool_), np.empty(stale, np.bool_), 0
    for i in range(m):  # without a branch, so that what is not in the cache is waited for together
        c = found[i]
        for j in range(starts[c], starts[c] + sizes[c]):
            h = flat[j]
            above[at], below[at] = below_positive[h] & bit != _NONE, below_negative[h] & bit != _NONE
            at += 1
    at = 0
    for i in range(m):
        c = found[i]
        start, stop = starts[c], starts[c] + sizes[c]
        place = at - start
        at += sizes[c]
        begins[i], flat[used] = used, zero + i
        used += 1
        crossed = 0
        for j in range(start, stop):
            if above[place + j]:
                flat[used] = flat[j]
                used += 1
                crossed += below[place + j]
        if below_used + crossed > len(below_flat):
            return SHORT_BELOW, 0, 0
        begin, below_begin = used, below_used
        flat[used] = zero + i
        used += 1
        for j in range(start, stop):
            if below[place + j]:
                h = flat[j]
                if above[place + j]:
                    flat[used] = below_count + below_position[h]
                    below_flat[below_used] = low_new + below_position[h]
                    below_used += 1
                else:
                    flat[used] = h
                used += 1
        starts[count + i], sizes[count + i] = begin, used - begin
        if zeros:
            for j in range(start, stop):
                h = flat[j]
                if above[place + j] and not below[place + j]:
                    first = 2 * h if edges else below_starts[h]
                    last = first + (2 if edges else below_sizes[h])
                    for k in range(first, last):
                        g = below_flat[k]
                        if low_positive[g] & bit == _NONE:  # and not negative, as the facet is not
                            if below_used == len(below_flat):
                                return SHORT_BELOW, 0, 0
                            below_flat[below_used] = g
                            below_used += 1
        if not edges:
            below_starts[zero + i], below_sizes[zero + i] = below_begin, below_used - below_begin
    return used, below_used, stale


@compiled
def enter(
    found: Indices,
    places: Indices,
    m: int,
    begins: Lengths,
    flat: Indices,
    starts: Lengths,
    sizes: Indices,
    count: int,
    below_positive: Words,
    below_negative: Words,
    positive: Words,
    negative: Words,
    cells: Indices,
    mixed: Words,
    waiting: int,
    origin: Indices,
    origin_dimension: Flags,
    finite: BoolArray,
    above: Indices,
    above_m: int,
    above_origin: Indices,
    above_origin_dimension: Flags,
    above_finite: BoolArray,
) -> int:
    """Enter the rows that :func:`split` has made: signs and origins of all parts. Returns how many cells wait then."""
    for i in range(m):
        c, new = found[i], count + i
        starts[c], sizes[c] = begins[i], starts[new] - begins[i]
        origin[new], origin_dimension[new], finite[new] = origin[c], origin_dimension[c], finite[c]
    _inherit(
        count + m, origin, origin_dimension, finite, above, above_m, above_origin, above_origin_dimension, above_finite
    )
    for i in range(2 * m + above_m):
        c = found[i] if i < m else count + i - m
        plus = minus = _NONE
        for j in range(starts[c], starts[c] + sizes[c]):
            plus |= below_positive[flat[j]]
            minus |= below_negative[flat[j]]
        positive[c], negative[c] = plus, minus
        both = plus & minus
        if i < m:
            mixed[places[i]] = both
        elif both != _NONE:
            cells[waiting], mixed[waiting] = c, both
            waiting += 1
    return waiting


@compiled
def enter_edges(
    found: Indices,
    places: Indices,
    m: int,
    pairs: Indices,
    ends: Indices,
    count: int,
    fresh: int,
    below_positive: Words,
    below_negative: Words,
    positive: Words,
    negative: Words,
    cells: Indices,
    mixed: Words,
    waiting: int,
    origin: Indices,
    origin_dimension: Flags,
    finite: BoolArray,
    above: Indices,
    above_m: int,
    above_origin: Indices,
    above_origin_dimension: Flags,
    above_finite: BoolArray,
    below_origin: Indices,
    below_origin_dimension: Flags,
    below_finite: BoolArray,
) -> int:
    """As :func:`enter`, for edges with the new generators from ``fresh`` on, whose origins are entered too."""
    _inherit(fresh, below_origin, below_origin_dimension, below_finite, found, m, origin, origin_dimension, finite)
    for i in range(m):
        c, new = found[i], count + i
        ends[c, 0], ends[c, 1], ends[new, 0], ends[new, 1] = pairs[i, 0], fresh + i, pairs[i, 1], fresh + i
        origin[new], origin_dimension[new], finite[new] = origin[c], origin_dimension[c], finite[c]
    _inherit(
        count + m, origin, origin_dimension, finite, above, above_m, above_origin, above_origin_dimension, above_finite
    )
    for i in range(2 * m + above_m):
        c = found[i] if i < m else count + i - m
        u, v = ends[c, 0], ends[c, 1]
        plus, minus = below_positive[u] | below_positive[v], below_negative[u] | below_negative[v]
        positive[c], negative[c] = plus, minus
        both = plus & minus
        if i < m:
            mixed[places[i]] = both
        elif both != _NONE:
            cells[waiting], mixed[waiting] = c, both
            waiting += 1
    return waiting


@compiled
def _inherit(
    new: int,
    origin: Indices,
    origin_dimension: Flags,
    finite: BoolArray,
    above: Indices,
    above_m: int,
    above_origin: Indices,
    above_origin_dimension: Flags,
    above_finite: BoolArray,
) -> None:
    """The cells from ``new`` on, one in each of the cells ``above``, come from where those come from."""
    for i in range(above_m):
        c = above[i]
        origin[new + i], origin_dimension[new + i] = above_origin[c], above_origin_dimension[c]
        finite[new + i] = above_finite[c]
