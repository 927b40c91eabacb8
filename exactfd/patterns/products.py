"""Spaces over Q with small integer bases, and sums of products of such spaces of activity and of patterns.

For :mod:`exactfd.patterns.deep`: tensors with an entry for each block of the first layer and each neuron that patterns
are about, and products ``L x U`` of spaces of vectors with an entry for each block, and of patterns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from math import gcd
from typing import Any

import numpy as np

from exactfd.linalg import modular
from exactfd.linalg.modular import FloatArray
from exactfd.linalg.small import EXACT, small, vanishing

BoolArray = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, eq=False)
class Space:
    """A space of rational vectors, by small integers.

    Attributes
    ----------
    basis
        Independent vectors, ``d x n``.
    equations
        ``(n - d) x n``: the space is exactly the set of their common zeros.
    """

    basis: FloatArray
    equations: FloatArray

    @classmethod
    def spanned(cls, rows: FloatArray, prime: int) -> Space | None:
        """By integer vectors, as far as the prime tells; None where small numbers do not do."""
        return cls._of(modular.reduced_basis(modular.reduce(rows, prime), prime)[0], prime)

    @classmethod
    def of_zeros(cls, equations: FloatArray, prime: int) -> Space | None:
        """The common zeros of integer vectors, as far as the prime tells."""
        return cls._of(modular.kernel(modular.reduce(equations, prime), prime)[0], prime)

    @classmethod
    def _of(cls, rows: FloatArray, prime: int) -> Space | None:
        """Spanned by a basis modulo the prime that is the identity on some columns."""
        basis, fine = small(rows, prime)
        if not fine.all():
            return None
        equations, fine = small(modular.kernel(modular.reduce(basis, prime), prime)[0], prime)
        return cls(basis, equations) if fine.all() and vanishing(basis, equations.T).all() else None

    @property
    def dimension(self) -> int:
        """Over Q."""
        return len(self.basis)

    def meets(self, other: Space, prime: int) -> bool:
        """Whether they have a line in common, most likely."""
        both = modular.reduce(np.concatenate([self.basis, other.basis]), prime)
        return modular.rank(both, prime) < len(both)


@dataclass(frozen=True, eq=False)
class Group:
    """A product of a space of activities of blocks and a space of patterns."""

    left: Space
    right: Space

    @classmethod
    def joining(cls, groups: Sequence[Group], prime: int) -> Group | None:
        """The least one that contains some groups, as far as the prime tells; None where small numbers do not do."""
        if len(groups) == 1:
            return groups[0]
        left = Space.spanned(np.concatenate([group.left.basis for group in groups]), prime)
        right = Space.spanned(np.concatenate([group.right.basis for group in groups]), prime)
        return None if left is None or right is None else cls(left, right)


@dataclass(frozen=True, eq=False)
class Extent:
    """How far a space of activities of blocks reaches in all vectors ``(a_b (w_k.X))``, over the neurons ``k`` of all
    blocks ``b``, whatever the ``w_k``.

    Attributes
    ----------
    dimension
        At least that of their span.
    rows
        Integer vectors that span as much as is counted so.
    light
        Blocks whose ``Z``, the sum of all ``a_b X``, is not counted with them.
    """

    dimension: int
    rows: FloatArray
    light: BoolArray

    @classmethod
    def of(cls, left: FloatArray, counts: Sequence[int], size: int) -> Extent:
        """Of the span of integer vectors (``d x blocks``), blocks having so many neurons, and ``X`` that length."""
        total, rows, result = 0, list(range(len(left))), [np.zeros((0, len(counts)))]
        light = np.zeros(len(counts), dtype=bool)
        while rows:  # those that have to do with one of them, through common blocks
            part = [rows.pop(0)]
            support = left[part[0]] != 0
            while more := [row for row in rows if (left[row] != 0)[support].any()]:
                rows = [row for row in rows if row not in more]
                part += more
                support |= (left[more] != 0).any(axis=0)
            classes = _proportional(left[part], np.flatnonzero(support).tolist())
            numbers = [sum(counts[block] for block in vector.nonzero()[0].tolist()) for vector in classes]
            apart = sum(min(size, number) for number in numbers)
            total += min(size * len(part), apart)
            if size * len(part) < apart:
                result.append(left[part])
                continue
            for vector, number in zip(classes, numbers, strict=True):
                units = np.diag(vector)[vector != 0] if number <= size else vector[None]
                light |= (vector != 0) & (number < size or len(units) > 1)
                result.append(units)
        return cls(total, np.concatenate(result), light)


def _proportional(rows: FloatArray, columns: Sequence[int]) -> list[FloatArray]:
    """Classes of proportional columns: by class a vector whose entries are to each other as theirs."""
    classes: dict[tuple[int, ...], FloatArray] = {}
    for place in columns:
        column = [int(entry) for entry in rows[:, place].tolist()]
        factor = reduce(gcd, column) * (1 if next(filter(None, column)) > 0 else -1)
        vector = classes.setdefault(tuple(entry // factor for entry in column), np.zeros(rows.shape[1]))
        vector[place] = factor
    return list(classes.values())


class Quotient:
    """Tensors (``blocks x n``) modulo some groups whose spaces of patterns are independent together.

    Attributes
    ----------
    groups
        Those.
    """

    def __init__(self, groups: Sequence[Group], parts: Sequence[tuple[FloatArray, FloatArray]]) -> None:
        self.groups = list(groups)
        self._parts = list(parts)  # the groups are what is zero for all products of a row and a row

    @classmethod
    def by(cls, groups: Sequence[Group], shape: tuple[int, int], prime: int) -> Quotient:
        """Groups that are not independent, or not in small numbers, are joined; if that is not possible, dropped."""
        if len(groups) > 1 and (found := cls._apart(groups, prime)) is not None:
            return found
        joined, (left, right) = Group.joining(groups, prime) if groups else None, map(np.eye, shape)
        if joined is None:
            return cls([], [(left, right)])
        return cls([joined], [(joined.left.equations, right), (left, joined.right.equations)])

    @classmethod
    def _apart(cls, groups: Sequence[Group], prime: int) -> Quotient | None:
        """By integer vectors that are each zero on all but one vector of the bases of patterns."""
        basis = np.concatenate([group.right.basis for group in groups])
        residues = modular.reduce(basis, prime)
        count, columns = len(basis), modular.reduced_basis(residues, prime)[2]
        equations, short = small(modular.kernel(residues, prime)[0], prime)
        if len(columns) < count or not short.all() or not vanishing(basis, equations.T).all():
            return None
        both = np.concatenate([residues[:, columns].T, np.eye(count)], axis=1)
        inverse, _, order = modular.reduced_basis(both, prime, count)
        dual, (values, short) = np.zeros(basis.shape), small(inverse[np.argsort(order), count:], prime)
        dual[:, columns] = values
        seen = (dual @ basis.T).diagonal()
        if (
            not short.all()
            or not seen.all()
            or any(not vanishing(dual[[i]], np.delete(basis, i, axis=0).T).all() for i in range(count))
        ):
            return None
        ends = np.cumsum([group.right.dimension for group in groups])[:-1]
        parts = [(group.left.equations, rows) for group, rows in zip(groups, np.split(dual, ends), strict=True)]
        return cls(groups, [*parts, (np.eye(groups[0].left.basis.shape[1]), equations)])

    def without(self, block: int) -> Quotient:
        """The same where a block has no say: modulo all tensors of it too."""
        parts = []
        for left, right in self._parts:
            used = np.flatnonzero(left[:, block])
            if len(used):  # a multiple of one equation is added to each of the others
                others, one = np.delete(left, used[0], axis=0), left[used[0]]
                left = others * one[block] - others[:, block, None] * one
            parts.append((left, right))
        return Quotient(self.groups, parts)

    def of_block(self, block: int) -> FloatArray:
        """What it shows of patterns of one block: integer rows that are zero on a pattern if it is in a group there."""
        return np.concatenate([right[:0] if not left[:, block].any() else right for left, right in self._parts])

    def covers(self, active: BoolArray, patterns: BoolArray) -> BoolArray:
        """For products of vectors of activity and of patterns (rows) whether they are zero."""
        result = np.ones(len(active), dtype=bool)
        for left, right in self._parts:
            activity, shown = active.astype(np.float64) @ left.T, patterns.astype(np.float64) @ right.T
            result &= ~(activity.any(axis=1) & shown.any(axis=1))
        return result

    def vanishes(self, tensors: FloatArray) -> BoolArray:
        """Which tensors of integers (``t x blocks x n``) certainly are zero."""
        result = np.ones(len(tensors), dtype=bool)
        for left, right in self._parts:
            values = left @ tensors @ right.T
            size = (np.abs(left) @ np.abs(tensors) @ np.abs(right.T)).max(axis=(1, 2), initial=0.0)
            result &= ~values.any(axis=(1, 2)) & (size < EXACT)
        return result

    def functionals(self, count: int, random: np.random.Generator, prime: int) -> FloatArray:
        """So many random functionals modulo the prime that are zero on the groups (``count x blocks x n``)."""
        parts = []
        for left, right in self._parts:
            values = modular.random_numbers(random, count, len(left), len(right))
            values = modular.multiply(modular.reduce(left.T, prime), values, prime)
            parts.append(modular.multiply(values, modular.reduce(right, prime), prime))
        return modular.reduce(np.sum(parts, axis=0), prime)
