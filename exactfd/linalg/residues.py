"""Tables of rationals that are reduced modulo many primes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from flint import fmpq_mat

from exactfd.linalg import modular, stacks
from exactfd.linalg.modular import FloatArray

_MANTISSA = 53  # bits of a float
_HALF = 26  # of these in the lower half


class RationalTable:
    """Rationals of any size, reduced entry by entry: a common denominator may be enormous."""

    def __init__(self, matrix: fmpq_mat) -> None:
        self.shape = (matrix.nrows(), matrix.ncols())
        entries = [(int(entry.p), int(entry.q)) for entry in matrix.entries()]
        places: dict[int, int] = {}
        self._place = np.array([places.setdefault(q, len(places)) for _, q in entries], dtype=np.int64)
        self._numerators = modular.Integers([p for p, _ in entries])
        self._denominators = modular.Integers(list(places))

    def modulo(self, prime: int) -> FloatArray | None:
        """Residues as :func:`exactfd.linalg.modular.reduce` gives them; None when the prime divides a denominator."""
        denominators = self._denominators.modulo(prime)
        if not denominators.all():
            return None
        values = self._numerators.modulo(prime)
        if len(denominators):
            values = modular.reduce(values * modular.inverses(denominators, prime)[self._place], prime)
        return values.reshape(self.shape)

    def usable(self, primes: Sequence[int]) -> list[int]:
        """Those of some primes that divide no denominator."""
        if not primes:
            return []
        residues = stacks.integers_modulo(self._denominators, primes)
        return [prime for prime, row in zip(primes, residues, strict=True) if row.all()]

    def modulo_all(self, primes: Sequence[int]) -> FloatArray:
        """The same modulo some primes, these in front, that divide no denominator."""
        tables = [self.modulo(prime) for prime in primes]
        return np.array(tables, dtype=np.float64).reshape(len(primes), *self.shape)


class DyadicTable:
    """Finite floats, each the dyadic rational that it is: no odd prime divides a denominator."""

    def __init__(self, values: np.ndarray[Any, np.dtype[np.float64]]) -> None:
        mantissas, exponents = np.frexp(values)
        # in two halves: for an integer just below 2^53 the nearest multiple of a prime need not be a float
        self._upper = np.rint(mantissas * 2.0 ** (_MANTISSA - _HALF))
        self._lower = mantissas * 2.0**_MANTISSA - self._upper * 2.0**_HALF
        self._least = int(exponents.min(initial=0))
        self._places = exponents - self._least

    def modulo(self, prime: int) -> FloatArray:
        """Residues as :func:`exactfd.linalg.modular.reduce` gives them, for an odd prime."""
        factors = _powers_of_two(self._least - _MANTISSA, int(self._places.max(initial=0)) + 1, prime)[self._places]
        upper = modular.reduce(self._upper, prime) * 2.0**_HALF
        return modular.reduce(modular.reduce(upper + self._lower, prime) * factors, prime)

    def modulo_all(self, primes: Sequence[int]) -> FloatArray:
        """The same modulo many odd primes at once, these in front."""
        if not primes:
            return np.zeros((0, *self._places.shape))
        powers, column = _first_powers_of_two(self._least - _MANTISSA, primes), stacks.moduli(primes, 2)
        parts = [stacks.reduce(powers * 2.0 ** np.arange(_HALF), column)]
        while len(parts) * _HALF <= self._places.max(initial=0):
            parts.append(stacks.reduce(parts[-1] * 2.0**_HALF, column))
        factors = np.concatenate(parts, axis=1)[:, self._places]
        moduli = stacks.moduli(primes, factors.ndim)
        upper = stacks.reduce(self._upper[None], moduli) * 2.0**_HALF
        return stacks.reduce(stacks.reduce(upper + self._lower, moduli) * factors, moduli, overwrite=True)


def usable(tables: Sequence[DyadicTable | RationalTable], primes: Sequence[int]) -> list[int]:
    """Those of some odd primes that divide no denominator in the tables."""
    for table in tables:
        if isinstance(table, RationalTable):
            primes = table.usable(primes)
    return list(primes)


@lru_cache(maxsize=64)
def _powers_of_two(first: int, count: int, prime: int) -> FloatArray:
    """Residues of ``2^first`` and the powers that follow."""
    power, powers = pow(2, first, prime), []
    for _ in range(count):
        powers.append(float(power))
        power = 2 * power % prime
    return modular.reduce(np.array(powers), prime)


def _first_powers_of_two(exponent: int, primes: Sequence[int]) -> FloatArray:
    """One power of two modulo some primes, as a column."""
    powers = np.array([[float(pow(2, exponent, prime))] for prime in primes])
    return stacks.reduce(powers, stacks.moduli(primes, 2))
