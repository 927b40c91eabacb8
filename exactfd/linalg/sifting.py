"""Many rows of which few matter: most that are in a row space already are told at the price of two products.

A random vector of the kernel annihilates every row that is in the row space, and another row by a chance of about one
in the prime. So only rows that such vectors do not annihilate are eliminated, some hundred together. What is passed
over wrongly makes the rank too small, which is a lower bound all the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from exactfd.linalg import modular
from exactfd.linalg.modular import FloatArray

Indices = np.ndarray[Any, np.dtype[np.intp]]

_TOGETHER = 256  # rows eliminated at a time
_TESTS = 2  # random vectors


class SiftedRows:
    """Rows on their way into a row space.

    Attributes
    ----------
    space
        The row space of those that have been eliminated.
    seen
        How many rows have come.
    waiting
        How many wait to be eliminated.
    """

    def __init__(self, columns: int, prime: int) -> None:
        self.space = modular.RowSpace(columns, prime)
        self.seen = 0
        self._held = np.zeros((0, columns))
        self._numbers = np.zeros(0, dtype=np.intp)  # of the rows held
        self._eliminated: list[int] = []  # numbers of the rows that the space has seen

    @property
    def waiting(self) -> int:
        """How many wait to be eliminated."""
        return len(self._held)

    @property
    def pivot_rows(self) -> list[int]:
        """Numbers, in order of arrival, of the rows that made the space grow."""
        return [self._eliminated[number] for number in self.space.pivot_rows]

    def add(self, rows: FloatArray) -> None:
        """Take in more rows (residues as :func:`~exactfd.linalg.modular.reduce` gives, ``m x columns``)."""
        numbers = self._outside(rows)
        self._held = np.concatenate([self._held, rows[numbers]])
        self._numbers = np.concatenate([self._numbers, self.seen + numbers])
        self.seen += len(rows)
        while len(self._held) >= _TOGETHER:
            self._eliminate(_TOGETHER)
            self._keep(self._outside(self._held))

    def settle(self) -> None:
        """Eliminate the rows that wait."""
        if len(self._held):
            self._eliminate(len(self._held))

    def _eliminate(self, count: int) -> None:
        """The first ones that are held."""
        self._eliminated += self._numbers[:count].tolist()
        self.space.add(self._held[:count])
        self._keep(np.arange(count, len(self._held)))

    def _keep(self, places: Indices) -> None:
        self._held, self._numbers = self._held[places], self._numbers[places]

    def _outside(self, rows: FloatArray) -> Indices:
        """Numbers of the rows that random vectors of the kernel do not annihilate."""
        space = self.space
        if not space.rank:
            return np.flatnonzero(rows.any(axis=1))
        vectors = space.random_kernel(_TESTS, np.random.default_rng(space.rank))
        return np.flatnonzero(modular.multiply(rows, vectors.T, space.prime).any(axis=1))
