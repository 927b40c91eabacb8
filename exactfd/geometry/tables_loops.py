"""Compiled loops of :mod:`exactfd.geometry.tables`: passes over the rows of all cells."""

from __future__ import annotations

from typing import Any

import numpy as np

from exactfd.compiled import compiled
from exactfd.geometry.tables import Indices, Lengths

BitArray = np.ndarray[Any, np.dtype[np.unsignedinteger[Any]]]


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
def pack(flat: Indices, starts: Lengths, sizes: Indices, count: int, packed: Indices) -> None:
    """Put all rows one after the other, and tell where they begin then."""
    used = 0
    for c in range(count):
        start = starts[c]
        starts[c] = used
        for j in range(start, start + sizes[c]):
            packed[used] = flat[j]
            used += 1
