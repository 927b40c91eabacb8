"""Compiled twins of loops in :mod:`exactfd.linalg.stacks` and :mod:`exactfd.linalg.sketches`: the same floats."""

from __future__ import annotations

from typing import Any

import numpy as np

from exactfd.compiled import compiled

FloatArray = np.ndarray[Any, np.dtype[np.float64]]


@compiled
def reduce_in_place(values: FloatArray, moduli: FloatArray) -> None:
    """As ``stacks.reduce``: each row of a contiguous table by its own prime, in one pass."""
    for i in range(values.shape[0]):
        prime = moduli[i]
        factor = 1.0 / prime
        for j in range(values.shape[1]):
            values[i, j] -= np.rint(values[i, j] * factor) * prime


@compiled
def add_multiples(result: FloatArray, rows: FloatArray, factors: FloatArray) -> None:
    """Add to each row of a table a row times a number."""
    for i in range(rows.shape[0]):
        for j in range(rows.shape[1]):
            result[i, j] += rows[i, j] * factors[i]
