"""Small integer vectors from residues: spaces over Q with short bases, and ranks over Q of small tables.

Residues are as in :mod:`exactfd.linalg.modular`; integers are held in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from exactfd.linalg import modular
from exactfd.linalg.modular import FloatArray

BoolArray = np.ndarray[Any, np.dtype[np.bool_]]

_DENOMINATORS = 6  # of the small rationals that residues are taken for
_SIZE = 1000  # of their numerators
_SPARE = 4  # random combinations beyond the rank that they may show


def equations(table: FloatArray, prime: int) -> FloatArray:
    """Independent small integer vectors (``f x n``): the reduced basis of the rows of a table modulo a prime, if small.

    Else such whose common zeros are spanned, modulo the prime, by small vectors on which the rows vanish.
    """
    values, fine = small(modular.reduced_basis(table, prime)[0], prime)
    if fine.all():
        return values
    zeros, fine = small(modular.kernel(table, prime)[0], prime)
    values, fine = small(modular.kernel(zeros[fine], prime)[0], prime)
    return values[fine]


def rank_bound(table: FloatArray, prime: int) -> int:
    """At least the rank over Q of a table of small integers (``m x n``), and equal to it where the reduced basis of the
    relations among its rows is small: the number of different nonzero rows less that of such relations, each of them
    verified; no more than the number of nonzero columns.
    """
    table = table[list({row.tobytes(): i for i, row in enumerate(table) if row.any()}.values())]  # each row once
    relations = _relations(table.T, prime)
    exact = _is_exact(relations, table)
    found = len(table) - int((exact & ~(relations @ table).any(axis=1)).sum())
    return min(found, int(table.any(axis=0).sum()))


def rank_bound_of_parts(parts: Callable[[], Iterable[FloatArray]], width: int, prime: int) -> int:
    """The same for a table of so many columns that comes in parts, twice the same ones: the number of columns less that
    of relations among them.
    """
    space = modular.RowSpace(width, prime)
    for part in parts():
        if space.rank == width:
            return width
        space.add(modular.reduce(part, prime))
    relations, fine = small(space.kernel(), prime)
    relations = relations[fine]
    for part in parts():
        if not len(relations):
            break
        relations = relations[_is_exact(relations, part.T) & ~(relations @ part.T).any(axis=1)]
    return width - len(relations)


def _relations(columns: FloatArray, prime: int) -> FloatArray:
    """Those of a basis of the kernel modulo the prime that are small."""
    columns, wanted = modular.reduce(columns, prime), columns.shape[1] + _SPARE
    if len(columns) > wanted:  # random combinations have the same kernel, most likely
        columns = modular.random_combinations(columns, wanted, np.random.default_rng(1), prime)
    relations, fine = small(modular.kernel(columns, prime)[0], prime)
    return relations[fine]


def _is_exact(left: FloatArray, right: FloatArray) -> BoolArray:
    """Of which rows of a product of integers all sums are exact."""
    return np.asarray((np.abs(left) @ np.abs(right)).max(axis=1, initial=0.0) < 2.0**52)


def small(table: FloatArray, prime: int) -> tuple[FloatArray, BoolArray]:
    """Rows of residues, each times the least factor that makes all its entries small, and whether there is one.

    Rows that are the identity in some columns stay independent, over Q too.

    >>> small(np.array([[1.0, -51.0], [1.0, 34.0]]), 101)[0].tolist()
    [[1.0, -51.0], [1.0, 34.0]]
    """
    result, fine = table.copy(), np.asarray((np.abs(table) <= _SIZE).all(axis=1))
    for factor in range(2, _DENOMINATORS + 1):
        left = np.flatnonzero(~fine)
        if not len(left):
            break
        values = modular.reduce(table[left] * factor, prime)
        short = (np.abs(values) <= _SIZE).all(axis=1)
        result[left[short]], fine[left[short]] = values[short], True
    return result, fine
