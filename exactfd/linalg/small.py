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
Indices = np.ndarray[Any, np.dtype[np.intp]]

_FACTORS = np.arange(2.0, 7.0)  # denominators of the small rationals that residues are taken for
_SIZE = 1000  # of their numerators
_SPARE = 4  # random combinations beyond the rank that they may show
_ENTRIES = 1 << 17  # of tables that are eliminated together
#: Sums of integers below this in size are exact.
EXACT = 2.0**52


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


def equations_of_many(tables: FloatArray, prime: int, further: Callable[[int], FloatArray]) -> list[FloatArray]:
    """:func:`equations` of each of some tables (``t x m x n``), where they are not small with ``further`` rows of the
    table of that number.
    """
    count, rows, columns = tables.shape
    result: list[FloatArray] = []
    for start in range(0, count, max(1, _ENTRIES // max(1, rows * columns))):
        part = tables[start : start + max(1, _ENTRIES // max(1, rows * columns))]
        bases, ranks = _reduced_together(part, prime)
        values, fine = small(bases.reshape(-1, columns), prime)
        values, fine = values.reshape(bases.shape), fine.reshape(bases.shape[:2])
        for table, basis, is_small, rank in zip(part, values, fine, ranks.tolist(), strict=True):
            if is_small.all():
                result.append(basis[:rank])
            else:
                result.append(equations(np.concatenate([table, further(len(result))]), prime))
    return result


def _reduced_together(tables: FloatArray, prime: int) -> tuple[FloatArray, Indices]:
    """Reduced bases of some tables, each followed by rows of zeros, and the ranks."""
    tables, (count, rows, columns) = tables.copy(), tables.shape
    ranks = np.zeros(count, dtype=np.intp)
    for column in range(columns):
        usable = (tables[:, :, column] != 0) & (np.arange(rows) >= ranks[:, None])
        some = np.flatnonzero(usable.any(axis=1))
        if not len(some):
            continue
        found, place = usable[some].argmax(axis=1), ranks[some]
        pivots = tables[some, found]
        tables[some, found] = tables[some, place]
        pivots = modular.reduce(pivots * modular.inverses(pivots[:, column], prime)[:, None], prime)
        tables[some, place] = 0.0
        factors = tables[some, :, column]
        tables[some] = modular.reduce(tables[some] - factors[:, :, None] * pivots[:, None, :], prime)
        tables[some, place] = pivots
        ranks[some] += 1
    return tables, ranks


def rank_bound(table: FloatArray, prime: int) -> int:
    """At least the rank over Q of a table of small integers (``m x n``), and equal to it where the reduced basis of the
    relations among its rows is small: the number of different nonzero rows less that of such relations, each of them
    verified; no more than the number of nonzero columns.
    """
    table = table[list({row.tobytes(): i for i, row in enumerate(table) if row.any()}.values())]  # each row once
    relations = _relations(table.T, prime)
    found = len(table) - int(vanishing(relations, table).sum())
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
        relations = relations[vanishing(relations, part.T)]
    return width - len(relations)


def _relations(columns: FloatArray, prime: int) -> FloatArray:
    """Those of a basis of the kernel modulo the prime that are small."""
    columns, wanted = modular.reduce(columns, prime), columns.shape[1] + _SPARE
    if len(columns) > wanted:  # random combinations have the same kernel, most likely
        columns = modular.random_combinations(columns, wanted, np.random.default_rng(1), prime)
    relations, fine = small(modular.kernel(columns, prime)[0], prime)
    return relations[fine]


def is_exact(left: FloatArray, right: FloatArray) -> BoolArray:
    """Of which rows of a product of integers all sums are exact."""
    return np.asarray((np.abs(left) @ np.abs(right)).max(axis=1, initial=0.0) < EXACT)


def vanishing(left: FloatArray, right: FloatArray) -> BoolArray:
    """Which rows of a product of integers certainly are zero."""
    return is_exact(left, right) & ~(left @ right).any(axis=1)


def small(table: FloatArray, prime: int) -> tuple[FloatArray, BoolArray]:
    """Rows of residues, each times the least factor that makes all its entries small, and whether there is one.

    Rows that are the identity in some columns stay independent, over Q too.

    >>> small(np.array([[1.0, -51.0], [1.0, 34.0]]), 101)[0].tolist()
    [[1.0, -51.0], [1.0, 34.0]]
    """
    result, fine = table.copy(), np.asarray((np.abs(table) <= _SIZE).all(axis=1))
    left = np.flatnonzero(~fine)
    for start in range(0, len(left), max(1, _ENTRIES // max(1, table.shape[1]))):
        some = left[start : start + max(1, _ENTRIES // max(1, table.shape[1]))]
        values = modular.reduce(table[some] * _FACTORS[:, None, None], prime)
        short = (np.abs(values) <= _SIZE).all(axis=2)  # by factor and row
        found = np.flatnonzero(short.any(axis=0))
        result[some[found]], fine[some[found]] = values[short.argmax(axis=0)[found], found], True
    return result, fine
