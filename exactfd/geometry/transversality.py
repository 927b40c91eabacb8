"""Exact test for general position of the hyperplanes of one layer."""

from __future__ import annotations

from itertools import combinations
from math import comb
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat

from exactfd import rationals

_PRIME = 2**31 - 1
#: More subsets than this are not tried; the answer is then unknown.
MAX_SUBSETS = 300_000


def is_generic(augmented: fmpq_mat) -> bool | None:
    """Whether every ``k`` hyperplanes of a layer meet in codimension ``k`` or not at all, for every ``k``.

    ``augmented`` is ``[W | b]``, ``n x (m + 1)``. A neuron with zero weights has no hyperplane: the layer is then not
    generic. Returns ``None`` when more than ``MAX_SUBSETS`` subsets would have to be tried (the question is hard for
    large layers).

    >>> from flint import fmpq_mat
    >>> is_generic(fmpq_mat([[1, 0, 0], [0, 1, 0], [1, 1, 0]])), is_generic(fmpq_mat([[1, 0, 0], [1, 0, 1]]))
    (False, True)
    """
    n, m = augmented.nrows(), augmented.ncols() - 1
    rows = augmented.tolist()
    if any(all(entry == 0 for entry in row[:m]) for row in rows):
        return False
    if _rank([row[:m] for row in rows]) == n:
        return True
    size = min(n, m + 1)
    if comb(n, size) > MAX_SUBSETS:
        return None
    # m + 1 hyperplanes with independent rows [w | b] meet nowhere, and each dependent part of them meets nowhere:
    # only the subsets whose determinant vanishes modulo a prime need a closer, exact look.
    suspicious = _vanishing_minors(rows, size) if size == m + 1 else [tuple(range(n))]
    seen: dict[tuple[int, ...], bool] = {}
    for k in range(2, size + 1):
        for subset in suspicious:
            for part in combinations(subset, k):
                if not _in_position(rows, part, m, seen):
                    return False
                if len(seen) > MAX_SUBSETS // 10:  # exact ranks one by one are slower than minors in bulk
                    return None
    return True


def _in_position(rows: list[list[fmpq]], part: tuple[int, ...], m: int, seen: dict[tuple[int, ...], bool]) -> bool:
    """The hyperplanes ``part`` meet in codimension ``len(part)`` or not at all."""
    if part not in seen:
        rank = _rank([rows[i][:m] for i in part])
        seen[part] = rank == len(part) or _rank([rows[i] for i in part]) > rank
    return seen[part]


def _rank(rows: list[list[fmpq]]) -> int:
    return int(fmpq_mat(rows).rank()) if rows and rows[0] else 0


def _vanishing_minors(rows: list[list[fmpq]], size: int) -> list[tuple[int, ...]]:
    """Subsets of ``size`` rows whose determinant is zero modulo the prime (all that are zero over Q are among them)."""
    residues = np.array([[int(e) % _PRIME for e in rationals.primitive_row(row)[0]] for row in rows], dtype=np.int64)
    result: list[tuple[int, ...]] = []
    subsets = np.array(list(combinations(range(len(rows)), size)), dtype=np.int64)
    for chunk in np.array_split(subsets, max(1, len(subsets) // 20_000)):
        vanishing = chunk[_singular_modulo(residues[chunk])]
        result += [tuple(subset) for subset in vanishing.tolist()]
    return result


def _singular_modulo(matrices: np.ndarray[Any, np.dtype[np.int64]]) -> np.ndarray[Any, np.dtype[np.bool_]]:
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
