"""Tall tables modulo a prime: their rank, and which of their rows no other row depends on.

Rows beyond the number of columns cannot all matter, so the table is first folded: each row is added, times a random
number, to a few rows of a shorter table. Dense random combinations of all rows make up for what is lost, and tell when
nothing is. A rank found so is that of some combinations of the rows, so it is a lower bound whatever chance does.
Where the columns are few, they are eliminated instead, one after the other, and nothing is left to chance.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from exactfd import compiled
from exactfd.linalg import modular
from exactfd.linalg.factors import Factors
from exactfd.linalg.modular import FloatArray

BoolArray = np.ndarray[Any, np.dtype[np.bool_]]

_FEW = 128  # columns
_ENTRIES = 1 << 15  # of a temporary table
_PLACES = 2  # rows of the short table that each row is added to
_SPARE = 16
_DENSE = 8  # dense combinations at first
_RELATIONS = 2  # random relations: what is zero in all of them is zero in all relations, most likely


class TallTable:
    """A table (``m x n``, residues) eliminated modulo a prime.

    Parameters
    ----------
    table, prime
        Residues as ``modular.reduce`` gives them.
    """

    def __init__(self, table: FloatArray, prime: int) -> None:
        self.table, self.prime = table, prime
        rows, columns = table.shape
        self._columns = modular.RowSpace(rows, prime) if columns <= _FEW else None
        self._random = np.random.default_rng(0)
        if self._columns is None:
            self._factors = Factors(columns, prime)
            self._dense: list[FloatArray] = []
            short = columns + columns // 8 + _SPARE
            self._fold = _Fold(rows, short, self._random) if rows > short else None

    @property
    def rank(self) -> int:
        """Rank of what has been eliminated: at most the rank of the table."""
        return self._factors.rank if self._columns is None else self._columns.rank

    def eliminate(self, check: Callable[[], None] = lambda: None) -> None:
        """Find the rank; ``check`` is called before every hundred rows or so, and may raise."""
        if self._columns is not None:
            check()
            self._columns.add(np.ascontiguousarray(self.table.T))
            return
        if self._fold is None:
            self._factors.add(self.table, check)
            return
        self._factors.add(modular.reduce(self._fold.apply(self.table), self.prime), check)
        count = _DENSE
        while self.rank < self.table.shape[1]:
            self._dense.append(self._numbers(count, len(self.table)))
            if self._factors.add(modular.multiply(self._dense[-1], self.table, self.prime), check) < count:
                break
            count *= 2

    @cached_property
    def alone(self) -> BoolArray:
        """Which rows no other row depends on, once all is eliminated: those that are in no relation among the rows.

        Where the columns are many, in none of some random relations, so most likely in none: a random combination of
        the rows, minus the combination of the eliminated rows that gives the same.
        """
        if self._columns is not None:
            alone: BoolArray = np.zeros(len(self.table), dtype=bool)
            alone[self._columns.pivot_columns] = ~self._columns.tail.any(axis=1)
            return alone
        relations = self._numbers(_RELATIONS, len(self.table))
        found = self._factors.combinations(modular.multiply(relations, self.table, self.prime))
        if self._fold is None:
            relations -= found
        else:
            short = self._fold.short
            relations -= modular.reduce(self._fold.transposed(found[:, :short]), self.prime)
            for dense in self._dense:
                part, short = found[:, short : short + len(dense)], short + len(dense)
                relations -= modular.multiply(part, dense, self.prime)
        return np.asarray(~modular.reduce(relations, self.prime).any(axis=0))

    def kernel_vectors(self, count: int, but: BoolArray) -> FloatArray:
        """Random vectors (``count x n``) of the kernel of all rows but some that are ``alone``; all is eliminated."""
        if self._columns is not None:
            basis = modular.kernel(self.table[~but], self.prime)[0]
            return modular.random_combinations(basis, count, self._random, self.prime)
        products = np.zeros((len(self.table), count))
        products[but] = self._numbers(int(but.sum()), count)
        parts = [products if self._fold is None else modular.reduce(self._fold.apply(products), self.prime)]
        parts += [modular.multiply(dense, products, self.prime) for dense in self._dense]
        return self._factors.solutions(np.concatenate(parts).T, self._random)

    def _numbers(self, rows: int, columns: int) -> FloatArray:
        return modular.random_numbers(self._random, rows, columns)


class _Fold:
    """A sparse random matrix, ``short x tall``: every row is added to ``_PLACES`` rows, cyclically.

    Products of a residue and a random number are below ``2^43``; fewer than ``2^10`` of them are added, and the sums
    are exact.
    """

    def __init__(self, tall: int, short: int, random: np.random.Generator) -> None:
        if tall > 500 * short:
            raise ValueError(f"a table is folded to a five-hundredth of its rows at most, found {tall} to {short}")
        self.short = short
        self._parts = []  # rows of the table, rows of the short table that they go to, and times what
        for _ in range(_PLACES):
            shift = int(random.integers(short))
            first = 0
            while first < tall:
                place = (first + shift) % short
                count = min(tall - first, short - place)
                numbers = random.integers(1, modular.RANDOM, size=(count, 1)).astype(np.float64)
                self._parts.append((slice(first, first + count), slice(place, place + count), numbers))
                first += count

    def apply(self, table: FloatArray) -> FloatArray:
        """The short table, not reduced."""
        result = np.zeros((self.short, table.shape[1]))
        if table.flags.c_contiguous and (loops := compiled.loops("exactfd.linalg.stacks_loops")):
            for rows, places, numbers in self._parts:
                loops.add_multiples(result[places], table[rows], numbers[:, 0])
            return result
        step = max(1, _ENTRIES // max(table.shape[1], 1))  # products that stay near the processor
        for rows, places, numbers in self._parts:
            for first in range(0, len(numbers), step):
                some = slice(first, first + step)
                result[places][some] += table[rows][some] * numbers[some]
        return result

    def transposed(self, combinations: FloatArray) -> FloatArray:
        """Combinations of rows of the short table (``k x short``) as such of the table, not reduced."""
        result = np.zeros((len(combinations), max(rows.stop for rows, _, _ in self._parts)))
        for rows, places, numbers in self._parts:
            result[:, rows] += combinations[:, places] * numbers[:, 0]
        return result
