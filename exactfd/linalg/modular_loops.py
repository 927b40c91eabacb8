"""Compiled twins of the inner loops of :mod:`exactfd.linalg.modular`: the same residues, float by float."""

from __future__ import annotations

from typing import Any

import numpy as np

from exactfd.compiled import compiled

FloatArray = np.ndarray[Any, np.dtype[np.float64]]
Indices = np.ndarray[Any, np.dtype[np.intp]]


@compiled
def reduce_in_place(values: FloatArray, prime: float) -> None:
    """As ``modular.reduce``, for a contiguous array of one dimension, in one pass."""
    factor = 1.0 / prime
    for i in range(len(values)):
        values[i] -= np.rint(values[i] * factor) * prime


@compiled
def difference_in_place(products: FloatArray, table: FloatArray, columns: Indices, prime: float) -> None:
    """``products`` becomes ``table[:, columns] - products``, reduced twice: the products may be long."""
    factor = 1.0 / prime
    for i in range(products.shape[0]):
        for j in range(products.shape[1]):
            product = products[i, j]
            product -= np.rint(product * factor) * prime
            value = table[i, columns[j]] - product
            products[i, j] = value - np.rint(value * factor) * prime


@compiled
def eliminate_window(
    small: FloatArray, width: int, waiting: Indices, prime: int, rows: Indices, columns: Indices
) -> int:
    """Reduce the rows ``waiting`` of ``small``, in that order, on its first ``width`` columns and all rows by them.

    Enters which rows and columns are pivots, and returns how many.
    """
    factor, found = 1.0 / prime, 0
    for i in waiting:
        place = 0
        while place < width and small[i, place] == 0.0:
            place += 1
        if place == width:
            continue
        inverse = float(_inverse(int(small[i, place]), prime))
        for j in range(small.shape[1]):
            value = small[i, j] * inverse
            small[i, j] = value - np.rint(value * factor) * prime
        for k in range(small.shape[0]):
            multiple = small[k, place]
            if k != i and multiple != 0.0:
                for j in range(small.shape[1]):
                    value = small[k, j] - multiple * small[i, j]
                    small[k, j] = value - np.rint(value * factor) * prime
        rows[found], columns[found] = i, place
        found += 1
    return found


@compiled
def _inverse(value: int, prime: int) -> int:
    """Inverse of a nonzero residue, between 0 and the prime."""
    a, b = value % prime, prime
    x, y = 1, 0
    while a:
        quotient = b // a
        a, b = b - quotient * a, a
        x, y = y - quotient * x, x
    return y % prime
