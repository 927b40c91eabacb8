"""Compiled twins of loops in :mod:`exactfd.linalg.stacks` and :mod:`exactfd.linalg.sketches`: the same floats."""

from __future__ import annotations

from typing import Any

import numpy as np

from exactfd.compiled import compiled
from exactfd.linalg.modular_loops import reduce_in_place as reduce_row

FloatArray = np.ndarray[Any, np.dtype[np.float64]]


@compiled
def reduce_in_place(values: FloatArray, moduli: FloatArray) -> None:
    """As ``stacks.reduce``: each row of a contiguous table by its own prime, in one pass."""
    for i in range(len(moduli)):
        reduce_row(values[i], moduli[i])


@compiled
def add_multiples(result: FloatArray, rows: FloatArray, factors: FloatArray) -> None:
    """Add to each row of a table a row times a number."""
    for i in range(rows.shape[0]):
        for j in range(rows.shape[1]):
            result[i, j] += rows[i, j] * factors[i]
