"""Elimination modulo a prime, vectorised: lower bounds for ranks over Q, and which rows and columns attain them.

The rank modulo a prime that divides no denominator is at most the rank over Q: a minor that is nonzero modulo the
prime is nonzero. Residues are the integers nearest to zero, held in float64, and primes are below 2^23: the sum of
256 products of two residues then stays below 2^53, so that BLAS multiplies residue matrices exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from flint import fmpz

from exactfd import compiled

FloatArray = np.ndarray[Any, np.dtype[np.float64]]
Indices = np.ndarray[Any, np.dtype[np.intp]]

#: Primes are below this.
LIMIT = 2**23
_BLOCK = 256  # rows eliminated together
_BASE = 32  # rows eliminated one after the other
_WINDOW = 32  # columns of these looked at together
_LONG = 4096  # entries from which on a compiled loop is worth the call
_SINGLE = 64  # small products from which on one is faster
_SHORT = 6000  # entries up to which it needs no matrix product
_LOOPS = "exactfd.linalg.modular_loops"
_PIECES = 1 << 20  # entries of a table of pieces that is held as floats at once
_FEW = 100  # numbers that are inverted one by one
#: Random numbers are less than this in size.
RANDOM = 2**20
#: Inner terms of one exact product: 256 (2^22 + 2)^2 < 2^53.
CHUNK = 256


def primes() -> Iterator[int]:
    """Primes below 2^23, largest first."""
    candidate = LIMIT - 1
    while candidate > 2**22:
        if fmpz(candidate).is_prime():
            yield candidate
        candidate -= 2


def reduce(values: FloatArray, prime: int, *, overwrite: bool = False) -> FloatArray:
    """Residues of least size of integers up to ``2^53 - prime`` in size; zero exactly for the multiples of the prime.

    (The multiple that is taken away must be a float: beyond ``2^53`` not every integer is one.)
    The quotient is rounded to nearest. Its error is below one half, and far below where the prime is large, so a
    multiple of the prime gives zero and nothing else does; near half a prime either representative may come out, at
    most ``prime / 2 + 2`` in size. With ``overwrite`` the values may be overwritten.
    """
    if values.size >= _LONG and (loops := compiled.loops(_LOOPS)):
        result = values if overwrite and values.flags.c_contiguous else np.array(values, order="C")
        loops.reduce_in_place(result.reshape(-1), float(prime))
        return result
    quotient = values * (1.0 / prime)
    np.rint(quotient, out=quotient)
    quotient *= prime
    return np.subtract(values, quotient, out=values if overwrite else quotient)


def random_numbers(random: np.random.Generator, *shape: int) -> FloatArray:
    """Random integers; their products with residues are below ``2^43``."""
    return random.integers(-RANDOM, RANDOM, size=shape).astype(np.float64)


def multiply(left: FloatArray, right: FloatArray, prime: int) -> FloatArray:
    """``left @ right`` modulo ``prime``, stacked as in NumPy; residues as :func:`reduce` gives them. Exact."""
    if left.ndim == 2 and right.ndim == 3:  # one product instead of many small ones
        count, inner, columns = right.shape
        if columns == 1:
            return multiply(right[:, :, 0], left.T, prime)[:, :, None]
        if count > _SINGLE and inner:  # NumPy cannot tell the shape of what is empty
            flat = multiply(right.transpose(0, 2, 1).reshape(-1, inner), left.T, prime)
            return np.ascontiguousarray(flat.reshape(count, columns, len(left)).transpose(0, 2, 1))
    if left.ndim == 3 and right.ndim == 2 and left.shape[1] == 1:
        return multiply(left[:, 0], right, prime)[:, None]
    inner = left.shape[-1]
    if inner <= CHUNK:
        return reduce(np.matmul(left, right), prime, overwrite=True)
    total = np.zeros((*np.broadcast_shapes(left.shape[:-2], right.shape[:-2]), left.shape[-2], right.shape[-1]))
    for start in range(0, inner, CHUNK):
        total += reduce(np.matmul(left[..., start : start + CHUNK], right[..., start : start + CHUNK, :]), prime)
    return reduce(total, prime, overwrite=True)


def random_combinations(rows: FloatArray, count: int, random: np.random.Generator, prime: int) -> FloatArray:
    """So many random combinations of rows of residues."""
    return multiply(random_numbers(random, count, len(rows)), rows, prime)


def difference(table: FloatArray, columns: Indices, product: FloatArray, prime: int) -> FloatArray:
    """``table[:, columns] - product`` modulo ``prime``, for a product of residue matrices with 256 inner terms at most,
    which is overwritten.
    """
    if product.size >= _LONG and (loops := compiled.loops(_LOOPS)):
        loops.difference_in_place(product, table, columns, float(prime))
        return product
    return reduce(table[:, columns] - reduce(product, prime), prime)


def inverses(values: FloatArray, prime: int) -> FloatArray:
    """Inverses of nonzero residues, as :func:`reduce` gives them."""
    if values.size <= _FEW:  # one by one is faster then
        few = [pow(int(value), -1, prime) for value in values.reshape(-1).tolist()]
        return reduce(np.array(few, dtype=np.float64).reshape(values.shape), prime)
    result, power, exponent = np.ones_like(values), values, prime - 2
    while exponent:  # Fermat
        if exponent & 1:
            result = reduce(result * power, prime)
        power, exponent = reduce(power * power, prime), exponent >> 1
    return result


def reduced_basis(
    block: FloatArray, prime: int, searched: int | None = None
) -> tuple[FloatArray, list[int], list[int]]:
    """Reduced basis of the rows of a block, with the rows and columns where pivots were found: the identity on these
    columns. By halves, so that matrix products do the work.

    With ``searched``, pivots are sought in the first columns only, and what vanishes there is dropped.
    """
    if len(block) <= _BASE:
        return _basis_of_few(block, prime, block.shape[1] if searched is None else searched)
    half = len(block) // 2
    upper, upper_rows, upper_columns = reduced_basis(block[:half], prime, searched)
    lower_block = cleared(block[half:], upper_columns, upper, prime)
    lower, lower_rows, lower_columns = reduced_basis(lower_block, prime, searched)
    basis = np.concatenate([cleared(upper, lower_columns, lower, prime), lower])
    return basis, upper_rows + [half + i for i in lower_rows], upper_columns + lower_columns


def cleared(rows: FloatArray, columns: list[int], basis: FloatArray, prime: int) -> FloatArray:
    """``rows`` minus their components along ``basis``, which is the identity on ``columns``."""
    if not columns or not len(rows):
        return rows
    return reduce(rows - multiply(rows[:, columns], basis, prime), prime, overwrite=True)


def _basis_of_few(block: FloatArray, prime: int, searched: int) -> tuple[FloatArray, list[int], list[int]]:
    """As :func:`reduced_basis`, one row after the other: on some columns at a time, and on all by one product."""
    if block.size <= _SHORT and (loops := compiled.loops(_LOOPS)):
        block, places = np.array(block, order="C"), np.empty((2, len(block)), dtype=np.intp)
        places = places[:, : loops.eliminate_few(block, searched, _WINDOW, prime, *places)]
        return block[places[0]], places[0].tolist(), places[1].tolist()
    rows: list[int] = []
    columns: list[int] = []
    waiting, done = np.arange(len(block)), np.zeros(len(block), dtype=bool)
    while len(waiting):
        candidates = np.flatnonzero(block[waiting, :searched].any(axis=0))[:_WINDOW]
        if not len(candidates):
            break
        small = np.concatenate([block[:, candidates], np.eye(len(block))], axis=1)
        new_rows, new_columns = _eliminate_window(small, len(candidates), waiting, prime)
        rows += new_rows.tolist()
        columns += candidates[new_columns].tolist()
        done[new_rows] = True
        waiting = waiting[~done[waiting]]
        block = multiply(small[:, len(candidates) :], block, prime)
    return block[rows], rows, columns


def _eliminate_window(small: FloatArray, width: int, waiting: Indices, prime: int) -> tuple[Indices, Indices]:
    """Reduce the rows ``waiting`` of ``small``, in that order, on its first ``width`` columns, and all rows by them, in
    place; returns the rows and columns of the pivots.
    """
    rows, columns, found = np.empty_like(waiting), np.empty_like(waiting), 0
    if loops := compiled.loops(_LOOPS):
        found = loops.eliminate_window(small, width, waiting, prime, rows, columns)
        return rows[:found], columns[:found]
    for i in waiting.tolist():
        place = int((small[i, :width] != 0).argmax())
        if small[i, place] == 0:
            continue
        row = reduce(small[i] * float(pow(int(small[i, place]), -1, prime)), prime)
        factors = small[:, place].copy()
        factors[i] = 0.0
        small[:] = reduce(small - factors[:, None] * row, prime)
        small[i] = row
        rows[found], columns[found] = i, place
        found += 1
    return rows[:found], columns[:found]


def kernel(table: FloatArray, prime: int) -> tuple[FloatArray, int]:
    """Kernel of a table as :meth:`RowSpace.kernel` gives it, up to the choice of pivots, and the rank."""
    if table.size <= _SHORT and (loops := compiled.loops(_LOOPS)):
        found: tuple[FloatArray, int] = loops.kernel_of_few(np.array(table, order="C"), _WINDOW, prime)
        return found
    space = RowSpace(table.shape[1], prime)
    space.add(table)
    return space.kernel(), space.rank


def independent_rows(table: FloatArray, prime: int) -> list[int]:
    """As many independent rows as there are, in increasing order."""
    if table.size <= _SHORT and (loops := compiled.loops(_LOOPS)):
        places = np.empty((2, len(table)), dtype=np.intp)
        block = np.array(table, order="C")
        return sorted(places[0, : loops.eliminate_few(block, table.shape[1], _WINDOW, prime, *places)].tolist())
    space = RowSpace(table.shape[1], prime)
    space.add(table)
    return sorted(space.pivot_rows)


class RowSpace:
    """Row space modulo a prime that grows as rows come in; remembers which rows made it grow.

    Kept as a reduced basis: the identity on the pivot columns, and a table on the other ("free") columns alone, which
    is all that an elimination touches and shrinks as the rank approaches the number of columns.

    Parameters
    ----------
    columns
        Length of the rows.
    prime
        A prime below 2^23.
    """

    def __init__(self, columns: int, prime: int) -> None:
        self.prime = prime
        self.columns = columns
        self.pivot_columns: list[int] = []
        self.pivot_rows: list[int] = []  # numbers of the rows given so far, in order of arrival
        self.seen = 0
        self.free_columns = np.arange(columns)
        self.tail: FloatArray = np.zeros((0, columns))  # rows: pivots in order of arrival; columns: free_columns

    @property
    def rank(self) -> int:
        """Rank of the rows seen so far."""
        return len(self.pivot_columns)

    def add(self, rows: FloatArray) -> int:
        """Take in more rows (residues as :func:`reduce` gives, ``m x columns``); returns how much the rank grew."""
        before, first = self.rank, self.seen
        self.seen += len(rows)
        for start in range(0, len(rows), _BLOCK):
            if self.rank == self.columns:
                break
            block = rows[start : start + _BLOCK]
            reduced = self.remainder(block)
            numbers: Sequence[int] = range(first + start, self.seen)
            if len(block) > _BASE:
                alive = np.flatnonzero(reduced.any(axis=1))
                reduced, numbers = reduced[alive], [numbers[i] for i in alive.tolist()]
            basis, new_rows, new_columns = reduced_basis(reduced, self.prime)
            if new_rows:
                self.pivot_rows += [numbers[i] for i in new_rows]
                self._extend(basis, new_columns)
        return self.rank - before

    def remainder(self, rows: FloatArray) -> FloatArray:
        """Rows minus what the row space has of them, on the free columns: zero for the rows in the row space."""
        if not self.rank:
            return rows
        rest = rows[:, self.free_columns]
        return reduce(rest - multiply(rows[:, self.pivot_columns], self.tail, self.prime), self.prime)

    def _extend(self, basis: FloatArray, new: list[int]) -> None:
        """Add a basis on the free columns that is the identity on the columns ``new`` of them."""
        kept = np.ones(len(self.free_columns), dtype=bool)
        kept[new] = False
        basis_tail = basis[:, kept]
        if self.rank:
            tail = reduce(self.tail[:, kept] - multiply(self.tail[:, new], basis_tail, self.prime), self.prime)
            basis_tail = np.concatenate([tail, basis_tail])
        self.tail = basis_tail
        self.pivot_columns += self.free_columns[new].tolist()
        self.free_columns = self.free_columns[kept]

    def random_kernel(self, count: int, random: np.random.Generator) -> FloatArray:
        """So many random vectors of the kernel, ``count x columns``."""
        result = np.empty((count, self.columns))
        result[:, self.free_columns] = free = random_numbers(random, count, len(self.free_columns))
        result[:, self.pivot_columns] = -multiply(free, self.tail.T, self.prime)
        return result

    def kernel(self) -> FloatArray:
        """Basis of ``{k : row . k = 0 for all rows}`` modulo the prime, one vector a row, identity on the free columns
        (in increasing order); residues as :func:`reduce` gives them.
        """
        free = self.free_columns
        result = np.zeros((len(free), self.columns))
        result[np.arange(len(free)), free] = 1
        result[:, self.pivot_columns] = -self.tail.T
        return result


class Integers:
    """Long integers cut into 16-bit pieces, so that all of them are reduced modulo a prime by one matrix product.

    Attributes
    ----------
    signs
        Of the values, zero counting as positive.
    groups
        Numbers of some values, and the pieces of their sizes, least first, as many for all in a group.
    """

    def __init__(self, values: Sequence[int]) -> None:
        self.signs = np.array([-1.0 if value < 0 else 1.0 for value in values])
        lengths = np.array([(value.bit_length() + 15) // 16 for value in values], dtype=np.int64)
        self.groups: list[tuple[Any, Any]] = []
        classes = np.frexp(np.maximum(lengths, 1) - 0.5)[1]  # lengths up to 1, 2, 4, 8, ...
        for size in np.unique(classes).tolist():
            indices = np.flatnonzero(classes == size)
            data = b"".join(abs(values[i]).to_bytes(2 << size, "little") for i in indices.tolist())
            self.groups.append((indices, np.frombuffer(data, dtype="<u2").reshape(len(indices), 1 << size)))

    def modulo(self, prime: int) -> FloatArray:
        """Residues as :func:`reduce` gives them, in the order of the values."""
        result = np.empty(len(self.signs))
        longest = max((pieces.shape[1] for _, pieces in self.groups), default=0)
        powers = np.empty((longest, 1))
        power = 1
        for i in range(longest):
            powers[i] = power
            power = (power << 16) % prime
        powers = reduce(powers, prime)
        for indices, pieces in self.groups:
            weights = powers[: pieces.shape[1]]
            for start in range(0, len(indices), max(1, _PIECES // pieces.shape[1])):
                part = slice(start, start + max(1, _PIECES // pieces.shape[1]))
                result[indices[part]] = multiply(pieces[part].astype(np.float64), weights, prime)[:, 0]
        return reduce(result * self.signs, prime)


def rank(table: FloatArray, prime: int) -> int:
    """Rank modulo ``prime`` of a table of residues."""
    space = RowSpace(table.shape[1], prime)
    space.add(table)
    return space.rank
