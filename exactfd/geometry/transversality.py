"""Exact test for general position of the hyperplanes of one layer."""

from __future__ import annotations

from itertools import combinations
from math import comb
from typing import Any

import numpy as np
from flint import fmpq_mat, fmpz

from exactfd import rationals
from exactfd.errors import InternalError
from exactfd.linalg import exact, modular

IntArray = np.ndarray[Any, np.dtype[np.int64]]

_PRIME = 2**31 - 1
#: More subsets than this are not tried; the answer is then unknown.
MAX_SUBSETS = 300_000
#: More products of residues than this are not spent on one list of subsets: two seconds.
MAX_PRODUCTS = 400_000_000


def is_generic(augmented: fmpq_mat) -> bool | None:
    """Whether every ``k`` hyperplanes of a layer meet in codimension ``k`` or not at all, for every ``k``.

    ``augmented`` is ``[W | b]``, ``n x (m + 1)``. A neuron with zero weights has no hyperplane: the layer is then not
    generic. Returns ``None`` when more than ``MAX_SUBSETS`` subsets, or large ones, would have to be tried (the
    question is hard for large layers).

    >>> from flint import fmpq_mat
    >>> is_generic(fmpq_mat([[1, 0, 0], [0, 1, 0], [1, 1, 0]])), is_generic(fmpq_mat([[1, 0, 0], [1, 0, 1]]))
    (False, True)
    """
    n, m = augmented.nrows(), augmented.ncols() - 1
    rows = [rationals.primitive_row(row)[0] for row in augmented.tolist()]
    if any(all(entry == 0 for entry in row[:m]) for row in rows):
        return False
    rank = _rank([row[:m] for row in rows])
    if rank == n:
        return True
    size = rank + 1
    if not _affordable(comb(n, size), size):
        return None
    # weights in coordinates of their own span: `rank` columns that are independent
    columns = _independent_columns(rows, m, rank)
    rows = [[row[j] for j in columns] + [row[m]] for row in rows]
    residues = np.array([[int(entry) % _PRIME for entry in row] for row in rows], dtype=np.int64)
    # rank + 1 hyperplanes with independent rows [w | b] meet nowhere, and each dependent part of them meets nowhere:
    # only the subsets whose determinant vanishes modulo a prime need a closer look.
    suspicious = _dependent(list(combinations(range(n), size)), residues)
    nowhere: set[tuple[int, ...]] = set()  # dependent parts that meet nowhere: so do all that hold one of them
    looked = 0
    for k in range(2, size + 1):
        if len(suspicious) * comb(size, k) > 8 * MAX_SUBSETS:
            return None
        parts = sorted({part for subset in suspicious for part in combinations(subset, k)})
        if not _affordable(len(parts), k):
            return None
        for part in _dependent(parts, _projected(residues[:, :-1], k)):
            if any(part[:i] + part[i + 1 :] in nowhere for i in range(k)):
                nowhere.add(part)
                continue
            looked += 1
            if looked > MAX_SUBSETS // 100:  # exact ranks one by one are slower than minors in bulk
                return None
            found = _rank([rows[i][:-1] for i in part])
            if found == k:
                continue
            if _rank([rows[i] for i in part]) == found:
                return False
            nowhere.add(part)
    return True


def is_simple(augmented: fmpq_mat, *, central: bool = False) -> bool | None:
    """Whether the hyperplanes of a layer form a simple arrangement: every ``k <= m`` of them meet in codimension ``k``,
    and no ``m + 1`` of them meet. So none are parallel, which :func:`is_generic` allows.

    With ``central``: whether all biases are zero and every ``k <= m`` hyperplanes meet in codimension ``k``.
    ``augmented`` is ``[W | b]``, ``n x (m + 1)``. Returns ``None`` where too many subsets would have to be tried.
    Source: Stanley, *An introduction to hyperplane arrangements*, section 2.4 (general position).

    >>> from flint import fmpq_mat
    >>> parallel = fmpq_mat([[1, 0, 0], [1, 0, 1]])
    >>> is_simple(parallel), is_generic(parallel), is_simple(fmpq_mat([[1, 0, 0], [0, 1, 1]]))
    (False, True, True)
    """
    m = augmented.ncols() - 1
    rows = [rationals.primitive_row(row)[0] for row in augmented.tolist()]
    if central and any(row[m] != 0 for row in rows):
        return False
    tables = [(min(len(rows), m), [row[:m] for row in rows])]
    if not central and len(rows) > m:
        tables.append((m + 1, rows))
    verdicts = [_all_independent(table, size) for size, table in tables]
    return False if False in verdicts else None if None in verdicts else True


def _all_independent(rows: list[list[fmpz]], size: int) -> bool | None:
    """Whether every ``size`` of the rows are linearly independent."""
    if not _affordable(comb(len(rows), size), size):
        return None
    residues = np.array([[int(entry) % _PRIME for entry in row] for row in rows], dtype=np.int64)
    suspicious = _dependent(list(combinations(range(len(rows)), size)), _projected(residues, size))
    return all(_rank([rows[i] for i in subset]) == size for subset in suspicious)


def _affordable(count: int, size: int) -> bool:
    """Whether so many determinants of this size take no more than seconds."""
    return count <= MAX_SUBSETS and count * size**3 <= MAX_PRODUCTS


def _rank(rows: list[list[fmpz]]) -> int:
    return exact.rank(fmpq_mat(rows)) if rows and rows[0] else 0


def _independent_columns(rows: list[list[fmpz]], m: int, rank: int) -> list[int]:
    """As many columns of the weights as their rank, independent: modulo a prime, hence over Q."""
    for prime in modular.primes():
        space = modular.RowSpace(m, prime)
        space.add(np.array([[int(entry) % prime for entry in row[:m]] for row in rows], dtype=np.float64))
        if space.rank == rank:
            return sorted(space.pivot_columns)
    raise InternalError("no prime sees the rank of a layer")  # each divides a minor: there are 200 000 of them


def _projected(table: IntArray, size: int) -> IntArray:
    """``size`` random combinations of the columns, always the same ones: rows independent after it were so before."""
    weights = np.random.default_rng(0).integers(0, 2**31 - 1, (table.shape[1], size))
    result = np.zeros((len(table), size), dtype=np.int64)
    for column, row in zip(table.T, weights, strict=True):
        result = (result + column[:, None] * row % _PRIME) % _PRIME
    return result


def _dependent(subsets: list[tuple[int, ...]], residues: IntArray) -> list[tuple[int, ...]]:
    """Subsets of rows whose determinant is zero modulo the prime (all that are zero over Q are among them)."""
    if not subsets:
        return []
    result: list[tuple[int, ...]] = []
    table = np.array(subsets, dtype=np.int64)
    entries = table.shape[1] ** 2
    for chunk in np.array_split(table, max(1, len(table) * entries // 1_000_000)):
        result += [tuple(subset) for subset in chunk[_singular_modulo(residues[chunk])].tolist()]
    return result


def _singular_modulo(matrices: IntArray) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which of the square matrices ``count x s x s`` are singular modulo the prime: fraction-free elimination."""
    table = matrices.copy()
    count, size, _ = table.shape
    singular = np.zeros(count, dtype=bool)
    everyone = np.arange(count)
    for k in range(size):
        pivot = k + np.argmax(table[:, k:, k] != 0, axis=1)
        table[everyone, pivot], table[everyone, k] = table[everyone, k].copy(), table[everyone, pivot].copy()
        head = table[:, k, k]
        singular |= head == 0
        below = table[:, k + 1 :, :] * head[:, None, None] % _PRIME
        table[:, k + 1 :, :] = (below - table[:, k + 1 :, k, None] * table[:, k, None, :] % _PRIME) % _PRIME
    return singular
