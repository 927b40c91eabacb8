"""Compiled loop of :mod:`benchmarks.floats`: that of ``signs_loops.py`` without error bounds. For measurements only."""

from __future__ import annotations

import numpy as np

from exactfd.compiled import compiled
from exactfd.geometry.ancestry import IntArray
from exactfd.geometry.bits import WORD, BoolArray, Words
from exactfd.geometry.bounds import FloatArray
from exactfd.geometry.signs_loops import enter, lowest
from exactfd.geometry.signs_loops import represent as represent  # the table asks its loops for it
from exactfd.geometry.tables import Indices

_NONE, _ONE = np.uint64(0), np.uint64(1)


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
    """Put the zero of ``neuron`` on each edge; floats decide."""
    for i in range(len(ends)):
        new = first + i
        u, v, value = values[ends[i, 0]], values[ends[i, 1]], values[new]
        a, b = abs(u[neuron - dropped]), abs(v[neuron - dropped])
        w = b / (a + b)
        m = 1.0 - w
        for j in range(kept, len(value)):
            value[j] = u[j] * w + v[j] * m
        value[neuron - dropped] = 0.0
        if enter(ends, i, new, neuron, positive, negative, finite, parents):
            for word in range(neuron // WORD, len(positive)):
                crossing = positive[word, new] & negative[word, new]
                plus, minus = positive[word, new] ^ crossing, negative[word, new] ^ crossing
                while crossing != _NONE:
                    place = lowest(crossing)
                    bit = _ONE << np.uint64(place)
                    crossing ^= bit
                    j = WORD * word + place - dropped
                    if value[j] > 0.0:
                        plus |= bit
                    elif value[j] < 0.0:
                        minus |= bit
                positive[word, new], negative[word, new] = plus, minus
    return 0
