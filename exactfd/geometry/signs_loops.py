"""Compiled loops of :mod:`exactfd.geometry.signs` and :mod:`exactfd.geometry.plane`.

Each number is made by the operations of the NumPy code there, in its order, each rounded as there: the error analysis
is the same, and so is every float, but for the sign of a zero and of an infinity made from one, which decide nothing.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from exactfd.compiled import compiled
from exactfd.geometry.ancestry import IntArray
from exactfd.geometry.bits import WORD, BoolArray, Words
from exactfd.geometry.bounds import FAINT, FLOOR, HUGE, SLACK, TINY, UNIT, FloatArray
from exactfd.geometry.signs import Exponents
from exactfd.geometry.tables import Indices, Lengths

Shares = np.ndarray[Any, np.dtype[np.float32]]

_NONE, _ONE = np.uint64(0), np.uint64(1)


@compiled
def lowest(word: np.uint64) -> int:
    """Place of the lowest bit that is set; there is one."""
    place = 0
    for half in (32, 16, 8, 4, 2, 1):
        if word & ((_ONE << np.uint64(half)) - _ONE) == _NONE:
            word >>= np.uint64(half)
            place += half
    return place


@compiled
def interpolate(neuron: int, first: int, u: int, v: int, new: int, values: FloatArray, errors: FloatArray) -> None:
    """Float values and error bounds at the zero of ``neuron`` on the edge ``uv``, of the columns from ``first`` on;
    what is before them is unknown.
    """
    at_u, at_v, error_u, error_v = values[u], values[v], errors[u], errors[v]
    a, b = abs(at_u[neuron]), abs(at_v[neuron])
    total = a + b
    w = b / total
    certain = total - error_u[neuron] - error_v[neuron]
    d = (error_v[neuron] / total * (a / certain) + error_u[neuron] / total * (b / certain)) * SLACK + 8 * UNIT
    if not (certain > 0.25 * total and d < 1.0 and np.isfinite(w)):
        w, d = 0.5, 1.0
    m = 1.0 - w
    share_u, share_v, share = (w + d) * SLACK, (m + d) * SLACK, (d + 10 * UNIT) * SLACK
    value, error = values[new], errors[new]
    value[:first], error[:first] = 0.0, np.inf
    for j in range(first, len(value)):
        x = at_u[j] * w + at_v[j] * m
        bound = error_u[j] * share_u + error_v[j] * share_v
        bound += abs(at_u[j] - at_v[j]) * share
        bound += abs(x) * (10 * UNIT)
        value[j] = x
        error[j] = bound + FLOOR if bound > 0.0 else bound  # NaN stays: it is unknown
    value[neuron] = error[neuron] = 0.0


@compiled
def enter(
    ends: Indices,
    i: int,
    new: int,
    neuron: int,
    positive: Words,
    negative: Words,
    finite: BoolArray,
    parents: Indices,
) -> bool:
    """Enter the zero of ``neuron`` on edge ``i``: the signs of both ends, in the words that are not done. Returns
    whether a neuron has two signs.
    """
    u, v = ends[i, 0], ends[i, 1]
    parents[new, 0], parents[new, 1] = u, v
    finite[new] = finite[u] | finite[v]
    crossing = _NONE
    for word in range(neuron // WORD, len(positive)):
        plus, minus = positive[word, u] | positive[word, v], negative[word, u] | negative[word, v]
        if word == neuron // WORD:
            others = ~(_ONE << np.uint64(neuron % WORD))
            plus, minus = plus & others, minus & others
        positive[word, new], negative[word, new] = plus, minus
        crossing |= plus & minus
    return bool(crossing != _NONE)


@compiled
def add(
    ends: Indices,
    first: int,
    neuron: int,
    dropped: int,
    kept: int,
    values: FloatArray,
    errors: FloatArray,
    positive: Words,
    negative: Words,
    finite: BoolArray,
    parents: Indices,
    undecided: IntArray,
) -> int:
    """Put the zero of ``neuron`` on each edge; generators from ``first`` on, signs that floats decide.

    Numbers of the columns before ``kept`` are not made. Returns how many of the generators are ``undecided``.
    """
    count = 0
    for i in range(len(ends)):
        new, is_open = first + i, False
        interpolate(neuron - dropped, kept, ends[i, 0], ends[i, 1], new, values, errors)
        if enter(ends, i, new, neuron, positive, negative, finite, parents):
            value, error = values[new], errors[new]
            for word in range(neuron // WORD, len(positive)):
                crossing = positive[word, new] & negative[word, new]
                plus, minus = positive[word, new] ^ crossing, negative[word, new] ^ crossing
                while crossing != _NONE:
                    place = lowest(crossing)
                    bit = _ONE << np.uint64(place)
                    crossing ^= bit
                    j = WORD * word + place - dropped
                    if j >= kept and value[j] > error[j]:
                        plus |= bit
                    elif j >= kept and value[j] < -error[j]:
                        minus |= bit
                    else:
                        is_open = True
                positive[word, new], negative[word, new] = plus, minus
        if is_open:
            undecided[count] = new
            count += 1
    return count


@compiled
def complete(positive: Words, negative: Words, begun: Lengths, parents: Indices, count: int) -> None:
    """Signs of generators in the words that were done before they were made."""
    for word in range(len(begun) - 1):
        plus, minus = positive[word], negative[word]
        for v in range(begun[word + 1], count):
            u, w = parents[v, 0], parents[v, 1]
            plus[v], minus[v] = plus[u] | plus[w], minus[u] | minus[w]


@compiled
def rectify(
    values: FloatArray, errors: FloatArray, active: BoolArray, finite: BoolArray, rounding: float
) -> tuple[FloatArray, Shares, FloatArray]:
    """Inputs of the next layer, bounds on their errors as shares of the largest in each row, and that one."""
    count, last = len(values), values.shape[1] - 1
    inputs, shares, sizes = np.zeros((count, last + 1)), np.zeros((count, last + 1), np.float32), np.zeros(count)
    bounds = np.empty(last + 1)
    for i in range(count):
        largest, known = 0.0, True
        for j in range(last + 1):
            bounds[j] = 0.0
            if finite[i] if j == last else active[i, j]:
                x = values[i, j]
                if x < 0.0:  # NaN stays, here and below
                    x = 0.0
                inputs[i, j] = x
                bounds[j] = (1e-250 if x < 1e-250 else x) * rounding + errors[i, j]
                if bounds[j] > largest:
                    largest = bounds[j]
                known = known and bounds[j] < np.inf
        sizes[i] = largest if known else np.inf
        factor = 1.0 / largest if largest > 0.0 else 0.0
        for j in range(last + 1):
            if bounds[j] != 0.0:
                share = bounds[j] * factor if known else 1.0
                shares[i, j] = share if share > FAINT else FAINT
    return inputs, shares, sizes


@compiled
def judge(
    values: FloatArray,
    errors: FloatArray,
    shares: Shares | FloatArray,
    sizes: FloatArray,
    first: int,
    positive: Words,
    negative: Words,
) -> IntArray:
    """Bounds on the errors of values, and the signs that they decide, of generators from ``first`` on.

    Returns those with a sign that is undecided.
    """
    undecided, count = np.empty(len(values), np.int64), 0
    for i in range(len(values)):
        is_open = False
        for word in range(len(positive)):
            plus = minus = _NONE
            for j in range(WORD * word, min(WORD * (word + 1), shares.shape[1])):
                x, error = values[i, j], 0.0
                if shares[i, j] > 0.0:
                    error = shares[i, j] * sizes[i]
                if not abs(x) < HUGE:  # a sum may have overflowed on the way
                    error = np.inf
                errors[i, j] = error
                if x > error:
                    plus |= _ONE << np.uint64(j % WORD)
                elif x < -error:
                    minus |= _ONE << np.uint64(j % WORD)
                elif error != 0.0:
                    is_open = True
            positive[word, first + i], negative[word, first + i] = plus, minus
        if is_open:
            undecided[count] = first + i
            count += 1
    return undecided[:count]


@compiled
def represent(
    mantissas: FloatArray,
    exponents: Exponents,
    wanted: IntArray,
    kept: bool,
    dropped: int,
    values: FloatArray,
    errors: FloatArray,
    positive: Words,
    negative: Words,
) -> None:
    """Signs of numbers given as ``mantissa * 2^exponent``, at the generators ``wanted``; and, with ``kept``, the floats
    of the columns from ``dropped`` on, multiplied by the power of two that makes the largest number of each about one.
    """
    last = mantissas.shape[1] - 1
    for i in range(len(wanted)):
        v = wanted[i]
        positive[:, v] = negative[:, v] = _NONE
        top = np.iinfo(np.int64).min
        for j in range(last + 1):
            x = mantissas[i, j]
            if x != 0.0 and exponents[i, j] > top:
                top = exponents[i, j]
            if j < last and x > 0.0:
                positive[j // WORD, v] |= _ONE << np.uint64(j % WORD)
            elif j < last and x < 0.0:
                negative[j // WORD, v] |= _ONE << np.uint64(j % WORD)
        if kept:
            for j in range(dropped, last + 1):
                x, error = mantissas[i, j], 0.0
                if x != 0.0:
                    size = abs(math.ldexp(x, max(exponents[i, j] - top, -5000)))
                    error = size * 2.0**-51 + FLOOR
                    if size < TINY:  # possibly underflowed: keep the sign, which is exact, and a bound that covers it
                        size, error = TINY, TINY + FLOOR
                    x = math.copysign(size, x)
                values[v, j - dropped], errors[v, j - dropped] = x, error


# ------------------------------------------------------------------ the last layer of a network on a plane


@compiled
def frame(
    ends: Indices,
    flat: Indices,
    starts: Lengths,
    sizes: Indices,
    finite: BoolArray,
    stride: int,
    frames: IntArray,
    heights: FloatArray,
) -> None:
    """Frames of the edges and then of the polygons, as places where rows of ``stride`` numbers begin; and heights."""
    edges = len(ends)
    for i in range(frames.shape[1]):
        if i < edges:
            a, b = ends[i, 0], ends[i, 1]
            if finite[b] and not finite[a]:
                a, b = b, a
            c, second, third = a, finite[b] or not finite[a], True
        else:
            begin, size = starts[i - edges], sizes[i - edges]
            one, other = flat[begin], flat[begin + size // 2]
            a, b = ends[one, 0], ends[one, 1]
            c = ends[other, 1] if ends[other, 0] == a or ends[other, 0] == b else ends[other, 0]
            if finite[b] and not finite[a]:
                a, b = b, a
            if finite[c] and not finite[a]:
                a, c = c, a
            second, third = finite[b], finite[c]
        frames[0, i], frames[1, i], frames[2, i] = a * stride, b * stride, c * stride
        heights[0, i], heights[1, i] = second, third


@compiled
def scale_vertices(values: FloatArray, errors: FloatArray, finite: BoolArray) -> None:
    """Divide the values at each vertex by its height."""
    for i in range(len(values)):
        if not finite[i]:
            continue
        height = values[i, -1]
        share = errors[i, -1] / height
        known = height > 0.0 and share < 0.25  # a height that may be off by a quarter says nothing
        for j in range(values.shape[1]):
            if errors[i, j] > 0.0:  # zeros stay zeros, at a height that is NaN too
                x = values[i, j] / height
                bound = (errors[i, j] / height + abs(x) * (share + 4 * UNIT)) * (1.34 * SLACK) + FLOOR
                values[i, j], errors[i, j] = x, bound if known and np.isfinite(bound) else np.inf


@compiled
def carry(
    neuron: int, edges: Indices, cells: Indices, carriers: Indices, count: int, polygons: int, origin: Indices
) -> None:
    """Frames and neurons of the new edges, from ``count`` on: the parts of ``edges``, then one in each cell."""
    for i in range(len(edges)):
        carriers[count + i, 0], carriers[count + i, 1] = carriers[edges[i], 0], carriers[edges[i], 1]
    for i in range(len(cells)):
        new = count + len(edges) + i
        carriers[new, 0], carriers[new, 1] = polygons + origin[cells[i]], neuron


@compiled
def zero(
    base: tuple[int, int, int],
    q: tuple[float, float],
    neuron: int,
    line: int,
    values: FloatArray,
    errors: FloatArray,
) -> tuple[float, float, float, float]:
    """Where ``neuron`` and ``line`` vanish: ``x_1``, ``x_2`` in the frame, and bounds on their errors."""
    f0, f1, f2 = values[base[0] + neuron], values[base[1] + neuron], values[base[2] + neuron]
    e0, e1, e2 = errors[base[0] + neuron], errors[base[1] + neuron], errors[base[2] + neuron]
    if line < 0:
        s0, s1, s2, d0, d1, d2 = 0.0, 0.0, 1.0, 0.0, 0.0, 0.0
    else:
        s0, s1, s2 = values[base[0] + line], values[base[1] + line], values[base[2] + line]
        d0, d1, d2 = errors[base[0] + line], errors[base[1] + line], errors[base[2] + line]
    x0, x1, x2 = f1 * s2 - f2 * s1, f2 * s0 - f0 * s2, f0 * s1 - f1 * s0
    f0, f1, f2, s0, s1, s2 = abs(f0), abs(f1), abs(f2), abs(s0), abs(s1), abs(s2)
    r0, r1, r2 = d0 + s0 * (4 * UNIT), d1 + s1 * (4 * UNIT), d2 + s2 * (4 * UNIT)
    s0, s1, s2 = s0 + d0, s1 + d1, s2 + d2
    off0 = f1 * r2 + f2 * r1 + FLOOR + (e1 * s2 + e2 * s1)
    off1 = f2 * r0 + f0 * r2 + FLOOR + (e2 * s0 + e0 * s2)
    off2 = f0 * r1 + f1 * r0 + FLOOR + (e0 * s1 + e1 * s0)
    height = x0 + (x1 * q[0] + x2 * q[1])
    doubt = off0 + (off1 * q[0] + off2 * q[1])
    doubt += (abs(x0) + (abs(x1) * q[0] + abs(x2) * q[1])) * (3 * UNIT)
    size = abs(height)
    x1, x2 = x1 / height, x2 / height
    share = doubt / size + 3 * UNIT
    off1 = (off1 / size + abs(x1) * share) * (1.34 * SLACK) + FLOOR
    off2 = (off2 / size + abs(x2) * share) * (1.34 * SLACK) + FLOOR
    if not (size > 4.0 * SLACK * doubt and np.isfinite(off1) and np.isfinite(off2)):
        off1 = off2 = np.inf
    return x1, x2, off1, off2


@compiled
def value(
    base: tuple[int, int, int],
    q: tuple[float, float],
    at: tuple[float, float, float, float],
    neuron: int,
    values: FloatArray,
    errors: FloatArray,
) -> tuple[float, float]:
    """The value of ``neuron`` at a point given in a frame, and a bound on its error."""
    c0, c1, c2 = values[base[0] + neuron], values[base[1] + neuron], values[base[2] + neuron]
    e0, e1, e2 = errors[base[0] + neuron], errors[base[1] + neuron], errors[base[2] + neuron]
    x1, x2, off1, off2 = at
    step1, step2 = c1 - q[0] * c0, c2 - q[1] * c0
    total = c0 + (x1 * step1 + x2 * step2)
    spread1, spread2 = abs(step1), abs(step2)
    doubt1 = off1 * spread1 + (abs(x1) + off1) * (e1 + e0 + spread1 * (8 * UNIT))
    doubt2 = off2 * spread2 + (abs(x2) + off2) * (e2 + e0 + spread2 * (8 * UNIT))
    return total, (doubt1 + doubt2 + e0 + abs(c0) * (4 * UNIT)) * SLACK + FLOOR


@compiled
def add_in_frames(
    ends: Indices,
    first: int,
    neuron: int,
    edges: Indices,
    cells: Indices,
    frames: IntArray,
    heights: FloatArray,
    carriers: Indices,
    carried: int,
    polygons: int,
    origin: Indices,
    values: FloatArray,
    errors: FloatArray,
    positive: Words,
    negative: Words,
    finite: BoolArray,
    parents: Indices,
    undecided: IntArray,
) -> int:
    """Put the zero of ``neuron`` on each edge, as :func:`add` does, with numbers from frames."""
    carry(neuron, edges, cells, carriers, carried, polygons, origin)
    count = 0
    for i in range(len(ends)):
        new, is_open = first + i, False
        if enter(ends, i, new, neuron, positive, negative, finite, parents):
            frame, line = carriers[edges[i], 0], carriers[edges[i], 1]
            base = (frames[0, frame], frames[1, frame], frames[2, frame])
            q = (heights[0, frame], heights[1, frame])
            at = zero(base, q, neuron, line, values, errors)
            for word in range(neuron // WORD, len(positive)):
                crossing = positive[word, new] & negative[word, new]
                plus, minus = positive[word, new] ^ crossing, negative[word, new] ^ crossing
                while crossing != _NONE:
                    place = lowest(crossing)
                    bit = _ONE << np.uint64(place)
                    crossing ^= bit
                    total, doubt = value(base, q, at, WORD * word + place, values, errors)
                    if total > doubt:
                        plus |= bit
                    elif total < -doubt:
                        minus |= bit
                    else:
                        is_open = True
                positive[word, new], negative[word, new] = plus, minus
        if is_open:
            undecided[count] = new
            count += 1
    return count
