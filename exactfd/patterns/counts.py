"""How many dimensions groups and matrices take, and what they leave of the cells.

The terms, groups and matrices are those of :mod:`exactfd.patterns.deep`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from exactfd.budget import Budget
from exactfd.geometry import bits
from exactfd.jacobians import FloatArray
from exactfd.linalg import modular
from exactfd.linalg.small import is_exact, small, vanishing
from exactfd.patterns.groups import Groups
from exactfd.patterns.products import Quotient
from exactfd.patterns.terms import SPARE, Cells, Factors, Terms, flat

BoolArray = np.ndarray[Any, np.dtype[np.bool_]]
Indices = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, eq=False)
class Matrices:
    """Matrices ``v`` for one block, with all ``T_b(v, X)`` in the span of the rows, most likely.

    Attributes
    ----------
    block
        Its number.
    tensors
        Integers, ``d x n_2 x n``.
    ends
        For block 0 and the last unit vector ``X`` the vectors of the parts of ``T_0`` (``d x (n + 1)``), else empty.
    """

    block: int
    tensors: FloatArray
    ends: FloatArray


class Count:
    """The dimensions that the bound counts, for groups that are given."""

    def __init__(self, terms: Terms, cells: Cells, groups: Groups, budget: Budget) -> None:
        self._terms, self._cells, self._groups, self._check = terms, cells, groups, budget.check
        self._prime, self._base = terms.prime, len(cells.members) - 1
        self._size: int = terms.below.shape[1]
        shown = np.concatenate([cells.second, cells.patterns], axis=1)[cells.second.any(axis=1)]
        self._pairs = bits.distinct(shown)[0].astype(np.float64)
        self._matrices = [self._of_block(block) for block in range(self._base)]
        self._first = self._of_base(terms.first, last=False) if len(cells.members[self._base]) else None
        self._last = self._of_base(terms.last, last=True)

    def total(self) -> int:
        """All of them."""
        size, touched, outputs = self._size, self._groups.touched().tolist(), self._cells.outputs
        total, coordinates = 0, []
        for quotient in self._groups.quotients:
            total += sum(map(self._groups.cost, quotient.groups))
        for block, found in enumerate([*self._matrices, self._first]):
            number = 0 if found is None else outputs * len(found.tensors)
            moves, inner, most = self._moves(block), self._inner(block), self._most(block)
            moved = touched[block] or moves + inner.shape[1] * number < most * number
            total += moves + inner.shape[1] * number if moved else most * number
            coordinates.append(inner if moved else np.eye(most))
        (first, some), (last, others) = self._rest(self._first, last=False), self._rest(self._last, last=True)
        rest = (size - 1) * first + last + len(self._last.tensors) - self._dependent(coordinates, some, others)
        return total + outputs * rest

    def _most(self, block: int) -> int:
        """How many unit vectors ``X`` matrices of a block are for: the last one is apart for block 0."""
        return self._size - int(block == self._base)

    def _inner(self, block: int) -> FloatArray:
        """What is counted of unit vectors ``X`` (rows) for a touched block: the ``w_k.X``, or ``X``."""
        members, most = self._cells.members[block], self._most(block)
        return self._terms.below[members, :most].T if len(members) < most else np.eye(most)

    def _dependent(self, coordinates: Sequence[FloatArray], first: FloatArray, last: FloatArray) -> int:
        """How many of the dimensions of matrices are counted in vain, at least: because of relations among those of
        several blocks, for the first unit vectors and for the last.
        """
        founds = self._matrices if self._first is None else [*self._matrices, self._first]
        tables = [coordinates[found.block] for found in founds for _ in found.tensors]
        known = sum(len(found.tensors) for found in self._matrices)
        ends = np.cumsum([0, *(table.shape[1] for table in tables)])
        rows = np.zeros((self._size - 1, len(first), ends[-1] + len(self._last.tensors)))
        of_last = np.zeros((len(last), rows.shape[2]))
        for number, table in enumerate(tables):
            part = slice(ends[number], ends[number + 1])
            rows[:, :, part] = first[:, number, None] * table[: self._size - 1, None]
            if number < known:
                of_last[:, part] = last[:, number, None] * table[-1]
        of_last[:, ends[-1] :] = last[:, known:]
        return modular.rank(modular.reduce(np.concatenate([*rows, of_last]), self._prime), self._prime)

    def _moves(self, block: int) -> int:
        """The dimension of the moves of a block."""
        members, last = self._cells.members[block], np.eye(self._size)[-1:]
        rows = self._terms.below[members]
        rows = np.concatenate([rows, last]) if block == self._base else rows
        free: int = self._size - modular.rank(rows, self._prime)
        return len(members) * free

    def _of_block(self, block: int) -> Matrices:
        self._check()
        ends = np.zeros((len(self._pairs), 0))
        return self._found(block, self._pairs, ends, self._terms.of_block(self._terms.factors, block))

    def _of_base(self, factors: Factors, last: bool) -> Matrices:
        """For block 0, and unit vectors ``X``: the last one, where ``T_0`` comes in, also alone; or the others."""
        pairs, width = self._pairs, self._cells.second.shape[1]
        if not last:
            return self._found(self._base, pairs, np.zeros((len(pairs), 0)), factors)
        patterns = bits.distinct(self._cells.patterns)[0].astype(np.float64)
        pairs = np.concatenate([pairs, np.concatenate([np.zeros((len(patterns), width)), patterns], axis=1)])
        return self._found(self._base, pairs, self._terms.behind(pairs[:, width:]), factors)

    def _found(self, block: int, pairs: FloatArray, ends: FloatArray, factors: Factors) -> Matrices:
        """Combinations of pairs of activity and patterns, independent modulo the groups."""
        prime, width = self._prime, self._cells.second.shape[1]
        images = np.concatenate([self._images(block, pairs), ends], axis=1)
        chosen = sorted({row.tobytes(): i for i, row in enumerate(images) if row.any()}.values())
        pairs, images, ends = pairs[chosen], images[chosen], ends[chosen]
        matrices = pairs[:, :width, None] * pairs[:, None, width:]
        values = self._terms.of_matrices(factors, matrices)
        if ends.shape[1]:
            values = modular.reduce(values + modular.multiply(ends, self._terms.ends.T, prime), prime)
        combinations, fine = small(modular.kernel(np.ascontiguousarray(values.T), prime)[0], prime)
        combinations = combinations[fine]
        combinations = combinations[modular.independent_rows(modular.reduce(combinations @ images, prime), prime)]
        tensors = (combinations @ flat(matrices)).reshape(len(combinations), *matrices.shape[1:])
        return Matrices(block, tensors, combinations @ ends)

    def _images(self, block: int, pairs: FloatArray) -> FloatArray:
        """What the groups leave of pairs, for one block."""
        second, patterns = np.split(pairs, [self._cells.second.shape[1]], axis=1)
        parts = [np.zeros((len(pairs), 0))]
        for neuron, quotient in enumerate(self._groups.quotients):
            parts.append((patterns @ quotient.of_block(block).T) * second[:, neuron : neuron + 1])
        return np.concatenate(parts, axis=1)

    def _rest(self, base: Matrices | None, *, last: bool) -> tuple[int, FloatArray]:
        """At least the rank of the tensors of the cells modulo groups and matrices, for the last unit vector ``X`` or
        for the others; and relations modulo groups among the matrices of all blocks.
        """
        cells, blocks, quotients = self._cells, self._base + 1, self._groups.quotients
        if base is None:
            quotients = [quotient.without(self._base) for quotient in quotients]
        rows = np.concatenate([cells.active, cells.second, cells.patterns], axis=1)
        covered = np.ones(len(rows), dtype=bool)
        for neuron, quotient in enumerate(quotients):
            covered &= quotient.covers(cells.active, cells.patterns) | ~cells.second[:, neuron]
        parts = np.cumsum([blocks, cells.second.shape[1]])
        rows[covered, : parts[1]] = False
        rows = bits.distinct(rows if last else rows[~covered])[0].astype(np.float64)
        active, second, patterns = np.split(rows, parts, axis=1)
        known = self._matrices if base is None else [*self._matrices, base]
        units = [np.eye(blocks)[[found.block] * len(found.tensors)] for found in known]
        length = self._terms.ends.shape[1]
        ends = [found.ends if found.ends.shape[1] else np.zeros((len(found.tensors), length)) for found in known]
        behind = self._terms.behind(patterns) if last else np.zeros((len(rows), length))
        tensors = _Tensors(
            np.concatenate([*units, active]),
            np.concatenate([*(found.tensors for found in known), second[:, :, None] * patterns[:, None]]),
            np.concatenate([*ends, behind]),
        )
        number = sum(map(len, units))
        relations, free = tensors.relations(quotients, self._prime, self._check)
        relations, fine = small(relations, self._prime)
        fine[fine] = tensors.vanishing(quotients, relations[fine], self._check)
        behind_known: BoolArray = fine & (free >= number)
        among: BoolArray = fine & (free < number) & ~relations[:, number:].any(axis=1)
        return len(rows) - int(behind_known.sum()), relations[among][:, :number]


@dataclass(frozen=True, eq=False)
class _Tensors:
    """Integer tensors: products of activity (``t x blocks``) and matrices (``t x n_2 x n``); and vectors beside."""

    active: FloatArray
    matrices: FloatArray
    behind: FloatArray

    def of_neuron(self, neuron: int) -> FloatArray:
        """``t x blocks x n``."""
        return self.active[:, :, None] * self.matrices[:, neuron, None]

    def relations(
        self, quotients: Sequence[Quotient], prime: int, check: Callable[[], None]
    ) -> tuple[FloatArray, Indices]:
        """Relations among them modulo the prime, and modulo groups, most likely; and for each the last tensor in it,
        where all others are zero.
        """
        count, random = len(self.active) + SPARE, np.random.default_rng(0)
        values = modular.random_combinations(modular.reduce(self.behind.T, prime), count, random, prime)
        for neuron, quotient in enumerate(quotients):
            check()
            tensors = self.of_neuron(neuron)
            used = np.flatnonzero(tensors.any(axis=(1, 2)))
            functionals = quotient.functionals(count, random, prime)
            values[:, used] += modular.multiply(flat(functionals), modular.reduce(flat(tensors[used]).T, prime), prime)
        space = modular.RowSpace(len(self.active), prime)
        space.add(modular.reduce(values, prime))
        return space.kernel(), space.free_columns

    def vanishing(self, quotients: Sequence[Quotient], relations: FloatArray, check: Callable[[], None]) -> BoolArray:
        """Which integer combinations certainly are zero modulo groups."""
        fine = vanishing(relations, self.behind)
        for neuron, quotient in enumerate(quotients):
            check()
            tensors = self.of_neuron(neuron)
            rows = flat(tensors)
            fine &= is_exact(relations, rows)
            fine[fine] = quotient.vanishes((relations[fine] @ rows).reshape(int(fine.sum()), *tensors.shape[1:]))
        return fine
