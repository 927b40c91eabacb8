"""Compiled loops of :mod:`exactfd.geometry.tables`: passes over the rows of all cells."""

from __future__ import annotations

from typing import Any

import numpy as np

from exactfd.compiled import compiled
from exactfd.geometry.bits import Words
from exactfd.geometry.tables import Indices, Lengths

BitArray = np.ndarray[Any, np.dtype[np.unsignedinteger[Any]]]

_NONE = np.uint64(0)


@compiled
def union(flat: Indices, starts: Lengths, sizes: Indices, count: int, below: BitArray, result: BitArray) -> None:
    """For every cell, the bitwise or of ``below`` over its facets, of which there is one at least."""
    for c in range(count):
        start = starts[c]
        word = below[flat[start]]
        for j in range(start + 1, start + sizes[c]):
            word |= below[flat[j]]
        result[c] = word


@compiled
def union_of_ends(ends: Indices, count: int, below: BitArray, result: BitArray) -> None:
    """The same for edges."""
    for c in range(count):
        result[c] = below[ends[c, 0]] | below[ends[c, 1]]


@compiled
def mixed_rows(
    flat: Indices,
    starts: Lengths,
    sizes: Indices,
    count: int,
    below: tuple[Words, Words],
    positive: Words,
    negative: Words,
    cells: Indices,
    mixed: Words,
) -> int:
    """Both signs of every cell at once; the cells with a bit in both, and those bits. Returns how many they are."""
    plus_below, minus_below = below
    m = 0
    for c in range(count):
        plus = minus = _NONE
        for j in range(starts[c], starts[c] + sizes[c]):
            plus |= plus_below[flat[j]]
            minus |= minus_below[flat[j]]
        positive[c], negative[c] = plus, minus
        if plus & minus != _NONE:
            cells[m], mixed[m] = c, plus & minus
            m += 1
    return m


@compiled
def mixed_ends(
    ends: Indices,
    count: int,
    below: tuple[Words, Words],
    positive: Words,
    negative: Words,
    cells: Indices,
    mixed: Words,
) -> int:
    """The same for edges. What is noted of a cell is written out here too: a call for each takes four times as long."""
    plus_below, minus_below = below
    m = 0
    for c in range(count):
        u, v = ends[c, 0], ends[c, 1]
        plus, minus = plus_below[u] | plus_below[v], minus_below[u] | minus_below[v]
        positive[c], negative[c] = plus, minus
        if plus & minus != _NONE:
            cells[m], mixed[m] = c, plus & minus
            m += 1
    return m


@compiled
def pack(flat: Indices, starts: Lengths, sizes: Indices, count: int, packed: Indices) -> None:
    """Put all rows one after the other, and tell where they begin then."""
    used = 0
    for c in range(count):
        start = starts[c]
        starts[c] = used
        for j in range(start, start + sizes[c]):
            packed[used] = flat[j]
            used += 1
