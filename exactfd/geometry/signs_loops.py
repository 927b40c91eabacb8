"""Compiled loops of :mod:`exactfd.geometry.signs`.

Each number is made by the operations of the NumPy code there, in its order, and rounds as there: the error analysis
is the same, and so are the floats, bit for bit.
"""

from __future__ import annotations

import numpy as np

from exactfd.compiled import compiled
from exactfd.geometry.bits import WORD, BoolArray, Words
from exactfd.geometry.signs import FLOOR, SLACK, UNIT, FloatArray, IntArray
from exactfd.geometry.tables import Indices

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
def interpolate(neuron: int, u: int, v: int, new: int, values: FloatArray, errors: FloatArray) -> None:
    """Float values and error bounds at the zero of ``neuron`` on the edge ``uv``."""
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
    for j in range(len(value)):
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
    """Enter the zero of ``neuron`` on edge ``i``: the signs of both ends. Returns whether a neuron has two signs."""
    u, v = ends[i, 0], ends[i, 1]
    parents[new, 0], parents[new, 1] = u, v
    finite[new] = finite[u] | finite[v]
    crossing = _NONE
    for word in range(len(positive)):
        plus, minus = positive[word, u] | positive[word, v], negative[word, u] | negative[word, v]
        if word == neuron // WORD:
            others = ~(_ONE << np.uint64(neuron % WORD))
            plus, minus = plus & others, minus & others
        positive[word, new], negative[word, new] = plus, minus
        crossing |= plus & minus
    return bool(crossing != _NONE)


@compiled
def note(new: int, positive: Words, negative: Words, never_zero: Words) -> None:
    """Keep the bits of the neurons that do not vanish at ``new``."""
    for word in range(len(positive)):
        never_zero[word] &= positive[word, new] | negative[word, new]


@compiled
def add(
    ends: Indices,
    first: int,
    neuron: int,
    dropped: int,
    values: FloatArray,
    errors: FloatArray,
    positive: Words,
    negative: Words,
    never_zero: Words,
    finite: BoolArray,
    parents: Indices,
    undecided: IntArray,
) -> int:
    """Put the zero of ``neuron`` on each edge; generators from ``first`` on, signs that floats decide.

    Returns the number of those that are ``undecided``, of which ``never_zero`` knows nothing yet.
    """
    count = 0
    for i in range(len(ends)):
        new, is_open = first + i, False
        interpolate(neuron - dropped, ends[i, 0], ends[i, 1], new, values, errors)
        if enter(ends, i, new, neuron, positive, negative, finite, parents):
            value, error = values[new], errors[new]
            for word in range(len(positive)):
                crossing = positive[word, new] & negative[word, new]
                plus, minus = positive[word, new] ^ crossing, negative[word, new] ^ crossing
                while crossing != _NONE:
                    place = lowest(crossing)
                    bit = _ONE << np.uint64(place)
                    crossing ^= bit
                    j = WORD * word + place - dropped
                    if j >= 0 and value[j] > error[j]:
                        plus |= bit
                    elif j >= 0 and value[j] < -error[j]:
                        minus |= bit
                    else:
                        is_open = True
                positive[word, new], negative[word, new] = plus, minus
        if is_open:
            undecided[count] = new
            count += 1
        else:
            note(new, positive, negative, never_zero)
    return count
