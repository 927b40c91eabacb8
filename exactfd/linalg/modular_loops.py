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
    found = 0
    for i in waiting:
        for place in range(width):
            if small[i, place] != 0.0:
                _clear(small, i, place, prime)
                rows[found], columns[found] = i, place
                found += 1
                break
    return found


@compiled
def eliminate_few(block: FloatArray, searched: int, window: int, prime: int, rows: Indices, columns: Indices) -> int:
    """Reduce all rows of ``block``, with the pivots that ``modular.reduced_basis`` finds window by window.

    Enters the rows and columns of the pivots, in the order in which they are found, and returns how many.
    """
    done = np.zeros(block.shape[0], dtype=np.bool_)
    candidates = np.empty(window, dtype=np.intp)
    found = 0
    while True:
        count = 0
        for place in range(searched):
            for i in range(block.shape[0]):
                if not done[i] and block[i, place] != 0.0:
                    candidates[count] = place
                    count += 1
                    break
            if count == window:
                break
        if count == 0:
            return found
        for i in range(block.shape[0]):
            if not done[i]:
                for place in candidates[:count]:
                    if block[i, place] != 0.0:
                        _clear(block, i, place, prime)
                        rows[found], columns[found], done[i] = i, place, True
                        found += 1
                        break


@compiled
def kernel_of_few(block: FloatArray, window: int, prime: int) -> tuple[FloatArray, int]:
    """Kernel of a table, which is overwritten, the identity on the columns without pivot; and the rank."""
    width = block.shape[1]
    rows, columns = np.empty(block.shape[0], dtype=np.intp), np.empty(block.shape[0], dtype=np.intp)
    rank = eliminate_few(block, width, window, prime, rows, columns)
    free = np.ones(width, dtype=np.bool_)
    for i in range(rank):
        free[columns[i]] = False
    kernel = np.zeros((width - rank, width))
    number = 0
    for j in range(width):
        if free[j]:
            kernel[number, j] = 1.0
            for i in range(rank):
                kernel[number, columns[i]] = -block[rows[i], j]
            number += 1
    return kernel, rank


@compiled
def _clear(table: FloatArray, row: int, place: int, prime: int) -> None:
    """Divide a row by its entry at ``place``, and take multiples of it from the others so that theirs become zero."""
    factor, size = 1.0 / prime, float(prime)
    inverse = float(_inverse(int(table[row, place]), prime))
    for j in range(table.shape[1]):
        value = table[row, j] * inverse
        table[row, j] = value - np.rint(value * factor) * size
    for k in range(table.shape[0]):
        multiple = table[k, place]
        if k != row and multiple != 0.0:
            for j in range(table.shape[1]):
                value = table[k, j] - multiple * table[row, j]
                table[k, j] = value - np.rint(value * factor) * size


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
