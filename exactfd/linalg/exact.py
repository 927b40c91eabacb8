"""Rank and kernel over Q through FLINT's fraction-free elimination: the reference that every faster path must match."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flint import fmpq, fmpq_mat, fmpz, fmpz_mat

from exactfd import rationals


def integer_rows(matrix: fmpq_mat) -> fmpz_mat:
    """Each row multiplied by a positive number so that its entries are integers without common factor."""
    rows = [rationals.primitive_row(row)[0] for row in matrix.tolist()]
    return fmpz_mat(rows) if rows else fmpz_mat(0, matrix.ncols())


def rank(matrix: fmpq_mat) -> int:
    """Rank over Q (FLINT, fraction-free)."""
    table = integer_rows(matrix)
    # FLINT leaves early only when the rank meets the number of columns: give it the smaller nullity
    if table.ncols() > table.nrows():
        table = table.transpose()
    return int(table.rank())


def rank_by_fraction_free_elimination(matrix: fmpq_mat) -> int:
    """Rank over Q by textbook Bareiss elimination on Python integers: the slow, independent second opinion."""
    rows = [[int(entry) for entry in row] for row in integer_rows(matrix).tolist()]
    previous, found = 1, 0
    for column in range(matrix.ncols()):
        pivot = next((i for i in range(found, len(rows)) if rows[i][column]), None)
        if pivot is None:
            continue
        rows[found], rows[pivot] = rows[pivot], rows[found]
        head = rows[found][column]
        for i in range(found + 1, len(rows)):
            factor = rows[i][column]
            rows[i] = [(head * x - factor * y) // previous for x, y in zip(rows[i], rows[found], strict=True)]
        previous, found = head, found + 1
    return found


def kernel(matrix: fmpq_mat) -> list[list[fmpz]]:
    """Basis of the right kernel over Q: primitive integer vectors, nonzero multiples of a basis with an identity block
    on the columns that are no pivots of the reduced row echelon form.
    """
    reduced, count = matrix.rref()
    pivots = _leading_columns(reduced, count)
    taken = set(pivots)
    result = []
    for free in range(matrix.ncols()):
        if free in taken:
            continue
        vector = [fmpq(0)] * matrix.ncols()
        vector[free] = fmpq(1)
        for i, pivot in enumerate(pivots):
            vector[pivot] = -reduced[i, free]
        result.append(rationals.primitive_row(vector)[0])
    return result


def pivot_columns(matrix: fmpq_mat) -> list[int]:
    """Pivot columns of the reduced row echelon form: a maximal set of independent columns, leftmost first.

    >>> pivot_columns(fmpq_mat([[0, 1, 2], [0, 1, 3]]))
    [1, 2]
    """
    return _leading_columns(*matrix.rref())


def _leading_columns(reduced: fmpq_mat, rank: int) -> list[int]:
    found, column = [], 0
    for i in range(rank):
        while reduced[i, column] == 0:
            column += 1
        found.append(column)
    return found


def dependencies(independent: Sequence[Sequence[fmpz]], others: Sequence[Sequence[fmpz]]) -> list[list[fmpz]]:
    """For each of the other columns the primitive vector of the combination of it and of ``n`` independent columns of
    length ``n`` that vanishes (``n + 1`` numbers, the last one positive), by p-adic lifting (FLINT, Dixon).
    """
    count = len(independent)
    if count == 0 or not others:
        return [[fmpz(1)] for _ in others]
    square, right = (fmpq_mat(fmpz_mat(list(zip(*columns, strict=True)))) for columns in (independent, others))
    solve: Any = square.solve  # the published stub lacks the keyword
    numerators, denominator = solve(right, algorithm="dixon").numer_denom()
    result = []
    for values in numerators.transpose().tolist():
        content = denominator
        for value in values:
            content = content.gcd(value)
            if content == 1:
                break
        result.append([*(-value // content for value in values), denominator // content])
    return result
