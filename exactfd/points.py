"""Batches of rational points, in the shapes in which they are used: exact, nearest floats, residues."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any, overload

import numpy as np
from flint import fmpq, fmpq_mat

from exactfd import rationals
from exactfd.errors import ShapeError
from exactfd.linalg.modular import FloatArray
from exactfd.linalg.residues import DyadicTable, RationalTable

Point = Sequence[fmpq]

_MANTISSA = 53  # bits of a float


class Points(Sequence[list[fmpq]]):
    """Rational points of ``R^n``: a sequence of lists of ``n`` rationals.

    Points that came as floats are kept as floats, which they are exactly, until somebody asks for rationals.

    Parameters
    ----------
    points
        Floats, ``k x n`` and finite, each taken exactly; or ``k`` lists of ``n`` rationals.
    dimension
        ``n``.
    """

    def __init__(self, points: FloatArray | Sequence[Point], dimension: int) -> None:
        self.dimension = dimension
        self._residues: tuple[int, FloatArray | None] | None = None  # of the last prime
        self._floats: FloatArray | None = None
        self._exact: Sequence[Point] = ()
        if isinstance(points, np.ndarray):
            self._floats = points
        else:
            self._exact = points

    @classmethod
    def of(cls, points: Sequence[Point], dimension: int) -> Points:
        """The same points, which may be ``Points`` already."""
        return points if isinstance(points, Points) else cls(points, dimension)

    def __len__(self) -> int:
        return len(self._exact if self._floats is None else self._floats)

    @overload
    def __getitem__(self, index: int) -> list[fmpq]: ...
    @overload
    def __getitem__(self, index: slice) -> Points: ...
    def __getitem__(self, index: int | slice) -> list[fmpq] | Points:
        if isinstance(index, slice):
            return self.take(range(len(self))[index])
        if self._floats is None:
            return list(self._exact[index])
        return [rationals.to_fmpq(entry) for entry in self._floats[index].tolist()]

    def take(self, numbers: Sequence[int]) -> Points:
        """Some of the points, in the order of their numbers."""
        if self._floats is None:
            result = Points([self._exact[i] for i in numbers], self.dimension)
        else:
            result = Points(self._floats[list(numbers)], self.dimension)
        if self._residues is not None:
            prime, table = self._residues
            result._residues = prime, None if table is None else table[list(numbers)]
        return result

    @cached_property
    def nearest(self) -> FloatArray:
        """The nearest floats, ``k x n``; infinite when out of range."""
        if self._floats is not None:
            return self._floats
        table = [[rationals.nearest_float(entry) for entry in point] for point in self._exact]
        return np.array(table, dtype=np.float64).reshape(len(table), self.dimension)

    def scales(self) -> list[tuple[int, int]]:
        """For each point its denominator, and the size of the integers that it gives ``(x, 1)``."""
        if self._floats is None:
            return [_scale([(int(entry.p), int(entry.q)) for entry in point]) for point in self._exact]
        return [_scale([entry.as_integer_ratio() for entry in point]) for point in self._floats.tolist()]

    def size(self) -> int:
        """A bound for integers that some positive multiple of ``(x, 1)`` consists of, for every point."""
        if self._floats is None or not self._floats.size:
            return max((size for _, size in self.scales()), default=1)
        _, exponents = np.frexp(self._floats)  # |x| < 2^e, and 2^(53 - e) x is an integer
        shifts = np.maximum(_MANTISSA - exponents.min(axis=1), 0)
        return 1 << int((shifts + np.maximum(exponents.max(axis=1), 0)).max())

    @cached_property
    def table(self) -> DyadicTable | RationalTable:
        """The points, to be reduced modulo many primes."""
        if self._floats is None:
            entries = [entry for point in self._exact for entry in point]
            return RationalTable(fmpq_mat(len(self._exact), self.dimension, entries))
        return DyadicTable(self._floats)

    def modulo(self, prime: int) -> FloatArray | None:
        """``(x, 1)`` modulo an odd prime, ``k x (n + 1)``; None when the prime divides a denominator."""
        known = self._residues
        if known is None or known[0] != prime:
            table = self.table.modulo(prime)
            known = prime, None if table is None else np.concatenate([table, np.ones((len(self), 1))], axis=1)
            self._residues = known  # at once: other threads may ask for other primes
        return known[1]


def _scale(ratios: Sequence[tuple[int, int]]) -> tuple[int, int]:
    denominator = math.lcm(*(q for _, q in ratios))
    return denominator, max(denominator, *(abs(p) * (denominator // q) for p, q in ratios))


def checked_points(points: Any, dimension: int) -> Points:
    """Points from any two-dimensional array-like, each coordinate exactly.

    Raises ``ShapeError`` naming the first point that has another dimension, ``InputError`` naming the entry that is no
    rational number.
    """
    floats = _floats(points)
    rows: Any = points if isinstance(points, Points) else floats
    if rows is None:
        rows = rationals.matrix_rows(points, what="points")
    if isinstance(rows, Points):
        widths = [rows.dimension]
    else:
        widths = [rows.shape[1]] if floats is not None else [len(row) for row in rows]
    for index, width in enumerate(widths):
        if width != dimension:
            raise ShapeError(f"points[{index}]: the network has {dimension} inputs, found {width} coordinates")
    return Points.of(rows, dimension)


def _floats(points: Any) -> FloatArray | None:
    """Finite floats of one shape as an array of our own; None for anything else, which may still be numbers."""
    if isinstance(points, (list, tuple)):
        if not all(type(row) in (list, tuple) and all(type(entry) is float for entry in row) for row in points):
            return None
        if not points or len({len(row) for row in points}) > 1:
            return None
    elif not (isinstance(points, np.ndarray) and points.dtype.kind == "f" and points.dtype.itemsize <= 8):
        return None
    if isinstance(points, np.ma.MaskedArray):  # what is masked is no number
        return None
    table = np.array(points, dtype=np.float64)
    return table if table.ndim == 2 and table.size and np.isfinite(table).all() else None
