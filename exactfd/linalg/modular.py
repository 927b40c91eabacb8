"""Elimination modulo a prime, vectorised: lower bounds for ranks over Q, and which rows and columns attain them.

The rank modulo a prime that divides no denominator is at most the rank over Q: a minor that is nonzero modulo the
prime is nonzero. Residues are the integers nearest to zero, held in float64, and primes are below 2^23: the sum of
256 products of two residues then stays below 2^53, so that BLAS multiplies residue matrices exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from flint import fmpz

ResidueArray = np.ndarray[Any, np.dtype[np.int64]]
FloatArray = np.ndarray[Any, np.dtype[np.float64]]

#: Primes are below this.
LIMIT = 2**23
_BLOCK = 256  # rows eliminated together
_CHUNK = 256  # inner terms of one exact product: 256 (2^22 + 2)^2 < 2^53


def primes() -> Iterator[int]:
    """Primes below 2^23, largest first."""
    candidate = LIMIT - 1
    while candidate > 2**22:
        if fmpz(candidate).is_prime():
            yield candidate
        candidate -= 2


def reduce(values: FloatArray, prime: int) -> FloatArray:
    """Residues of least size of integers below ``2^53`` in size; zero exactly for the multiples of the prime.

    The quotient is rounded to nearest. Its error is far below one half, so a multiple of the prime gives zero and
    nothing else does; near half a prime either representative may come out, at most ``prime / 2 + 2`` in size.
    """
    quotient = values * (1.0 / prime)
    np.rint(quotient, out=quotient)
    quotient *= prime
    np.subtract(values, quotient, out=quotient)
    return quotient


def multiply(left: FloatArray, right: FloatArray, prime: int) -> FloatArray:
    """``left @ right`` modulo ``prime``, stacked as in NumPy; residues as :func:`reduce` gives them. Exact."""
    inner = left.shape[-1]
    if inner <= _CHUNK:
        return reduce(np.matmul(left, right), prime)
    total = np.zeros((*np.broadcast_shapes(left.shape[:-2], right.shape[:-2]), left.shape[-2], right.shape[-1]))
    for start in range(0, inner, _CHUNK):
        total += reduce(np.matmul(left[..., start : start + _CHUNK], right[..., start : start + _CHUNK, :]), prime)
    return reduce(total, prime)


class RowSpace:
    """Row space modulo a prime that grows as rows come in; remembers which rows made it grow.

    Parameters
    ----------
    columns
        Length of the rows.
    prime
        A prime below 2^23.
    """

    def __init__(self, columns: int, prime: int) -> None:
        self.prime = prime
        self.columns = columns
        self.pivot_columns: list[int] = []
        self.pivot_rows: list[int] = []  # numbers of the rows given so far, in order of arrival
        self.seen = 0
        self._basis: FloatArray = np.zeros((0, columns))  # reduced: identity on the pivot columns

    @property
    def rank(self) -> int:
        """Rank of the rows seen so far."""
        return len(self.pivot_columns)

    def add(self, rows: FloatArray) -> int:
        """Take in more rows (residues as :func:`reduce` gives, ``m x columns``); returns how much the rank grew."""
        before, first = self.rank, self.seen
        self.seen += len(rows)
        for start in range(0, len(rows), _BLOCK):
            if self.rank == self.columns:
                break
            block = self._reduced(rows[start : start + _BLOCK], self.pivot_columns, self._basis)
            basis, new_rows, new_columns = self._eliminate(block)
            if new_rows:
                self._basis = np.concatenate([self._reduced(self._basis, new_columns, basis), basis])
                self.pivot_rows += [first + start + i for i in new_rows]
                self.pivot_columns += new_columns
        return self.rank - before

    def _reduced(self, rows: FloatArray, columns: list[int], basis: FloatArray) -> FloatArray:
        """``rows`` minus their components along ``basis``, which is the identity on ``columns``."""
        if not columns or not len(rows):
            return rows
        return reduce(rows - multiply(rows[:, columns], basis, self.prime), self.prime)

    def _eliminate(self, block: FloatArray) -> tuple[FloatArray, list[int], list[int]]:
        """Reduced basis of the rows of a block, by halves so that the work is in matrix products."""
        if len(block) > 1:
            half = len(block) // 2
            upper, upper_rows, upper_columns = self._eliminate(block[:half])
            lower, lower_rows, lower_columns = self._eliminate(self._reduced(block[half:], upper_columns, upper))
            basis = np.concatenate([self._reduced(upper, lower_columns, lower), lower])
            return basis, upper_rows + [half + i for i in lower_rows], upper_columns + lower_columns
        column = int(np.argmax(block[0] != 0)) if len(block) else 0
        if not len(block) or block[0, column] == 0:
            return block[:0], [], []
        inverse = pow(int(block[0, column]), -1, self.prime)
        return reduce(block * float(inverse), self.prime), [0], [column]

    def kernel(self) -> ResidueArray:
        """Basis of ``{k : row . k = 0 for all rows}`` modulo the prime, one vector a row, identity on the columns that
        are no pivots (in increasing order).
        """
        free = np.setdiff1d(np.arange(self.columns), self.pivot_columns)
        result = np.zeros((len(free), self.columns), dtype=np.int64)
        result[np.arange(len(free)), free] = 1
        if self.rank:
            result[:, self.pivot_columns] = (-self._basis[:, free].T.astype(np.int64)) % self.prime
        return result


def rank(table: FloatArray, prime: int) -> int:
    """Rank modulo ``prime`` of a table of residues."""
    space = RowSpace(table.shape[1], prime)
    space.add(table)
    return space.rank
