"""Rows modulo a prime that are eliminated and remembered: ranks, and the combinations of them that give a vector."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from exactfd.linalg import modular
from exactfd.linalg.modular import FloatArray, Indices

_BLOCK = 96  # rows eliminated together


@dataclass
class _Block:
    """Some rows, minus what the blocks before have of them: ``combinations`` of those are ``basis`` on the columns
    ``kept``, the identity on the columns ``pivots`` (both counted among the columns without pivot so far).
    """

    rows: slice
    combinations: FloatArray
    pivots: Indices
    kept: Indices
    basis: FloatArray
    taken: list[FloatArray] = field(default_factory=list)  # multiples of the basis taken from all later rows


class Factors:
    """Rows modulo a prime, eliminated block by block.

    Parameters
    ----------
    columns
        Length of the rows.
    prime
        A prime below 2^23.
    """

    def __init__(self, columns: int, prime: int) -> None:
        self.columns, self.prime = columns, prime
        self.rows = 0
        self._blocks: list[_Block] = []

    @property
    def rank(self) -> int:
        """Rank of the rows taken in so far."""
        return sum(len(block.pivots) for block in self._blocks)

    def add(self, rows: FloatArray, check: Callable[[], None] = lambda: None) -> int:
        """Take in more rows (residues as ``modular.reduce`` gives, ``m x columns``); returns how much the rank grew.

        ``check`` is called before every block, and may raise: only ``rank`` means something then.
        """
        before, rest = self.rank, rows
        for block in self._blocks:
            taken, rest = self._split(rest, block)
            block.taken.append(taken)
        while len(rest):
            check()
            block = self._eliminated(rest[:_BLOCK])
            taken, rest = self._split(rest[_BLOCK:], block)
            block.taken.append(taken)
            self._blocks.append(block)
        return self.rank - before

    def combinations(self, vectors: FloatArray) -> FloatArray:
        """Coefficients ``c`` (``k x rows``) with ``c @ rows = vectors`` modulo the prime.

        For vectors in the span of the rows; for others ``c @ rows`` agrees with them on the columns of the pivots.
        """
        rest, parts = vectors, []
        for block in self._blocks:
            part, rest = self._split(rest, block)
            parts.append(part)
        result = np.zeros((len(vectors), self.rows))
        for number in reversed(range(len(parts))):
            block = self._blocks[number]
            own = modular.multiply(parts[number], block.combinations, self.prime)
            result[:, block.rows] = own
            for before, part in zip(self._blocks[:number], parts, strict=False):
                taken = np.concatenate(before.taken)[block.rows.start - before.rows.stop :][: own.shape[1]]
                part[:] = modular.reduce(part - modular.multiply(own, taken, self.prime), self.prime)
        return result

    def solutions(self, values: FloatArray, random: np.random.Generator) -> FloatArray:
        """Random vectors (``k x columns``) whose products with the rows are these (``k x rows``), for values that have
        some: relations among the rows are theirs too.
        """
        rest, parts = values.T, []
        for block in self._blocks:
            taken = np.concatenate(block.taken)
            part = modular.multiply(block.combinations, rest[: block.combinations.shape[1]], self.prime)
            rest = rest[block.combinations.shape[1] :]
            rest = modular.reduce(rest - modular.multiply(taken, part, self.prime), self.prime)
            parts.append(part.T)
        places = [np.arange(self.columns)]  # the columns that each block sees
        for block in self._blocks:
            places.append(places[-1][block.kept])
        result = np.zeros((len(values), self.columns))
        result[:, places[-1]] = modular.random_numbers(random, len(values), len(places[-1]))
        for block, part, own, later in zip(self._blocks[::-1], parts[::-1], places[-2::-1], places[:0:-1], strict=True):
            known = modular.multiply(result[:, later], block.basis.T, self.prime)
            result[:, own[block.pivots]] = modular.reduce(part - known, self.prime)
        return result

    def _eliminated(self, rows: FloatArray) -> _Block:
        width, count = rows.shape[1], len(rows)
        both = np.concatenate([rows, np.eye(count)], axis=1)
        basis, _, pivots = modular.reduced_basis(both, self.prime, width)
        kept = np.delete(np.arange(width), pivots)
        place = slice(self.rows, self.rows + count)
        self.rows += count
        return _Block(place, basis[:, width:], np.array(pivots, dtype=np.intp), kept, basis[:, kept])

    def _split(self, rows: FloatArray, block: _Block) -> tuple[FloatArray, FloatArray]:
        """The multiples of the basis of a block in some rows, and the rest on the columns that it keeps."""
        taken = rows[:, block.pivots]
        if not len(block.pivots):
            return taken, rows[:, block.kept]
        return taken, modular.difference(rows, block.kept, taken @ block.basis, self.prime)
