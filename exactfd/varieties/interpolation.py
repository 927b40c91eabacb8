"""Equations of one weight by linear algebra modulo primes: what vanishes, what follows from lower degrees, what is new.

Modulo a prime that divides no denominator, the rank of the monomials of a weight at any points of the variety bounds
the rank over Q from below, so the nullity bounds the number of independent equations from above. As many verified
equations as that are all of them.

Source: the method of Cummings and Hollering, *Computing implicitizations of multi-graded polynomial maps*, arXiv
2311.07678, carried out modulo primes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from exactfd.errors import InputError
from exactfd.linalg import modular
from exactfd.rationals import checked_seed
from exactfd.varieties.blocks import Parametrisation
from exactfd.varieties.lifting import Residues
from exactfd.varieties.monomials import IntArray, MonomialsByWeight, Weight
from exactfd.varieties.polynomials import Polynomial, products

_MARGIN = 16  # points beyond the number of monomials
_MAX_PRIMES = 300
_UNLIKE = 5  # so many primes that disagree with the first one mean that the first one is wrong
_CHUNK = 2048  # rows of consequences that are written down at once


class Samples:
    """Points of a variety modulo primes, as many as are asked for.

    Parameters
    ----------
    variety
        A parametrisation.
    seed
        Of the random parameters.
    """

    def __init__(self, variety: Parametrisation, *, seed: int = 0) -> None:
        self._variety = variety
        self._seed = checked_seed(seed)
        self._kept: list[int] | None = None
        self._primes = modular.primes()
        self.usable: list[int] = []
        self._images: dict[int, modular.FloatArray] = {}

    def prime(self, number: int) -> int:
        """The ``number``-th prime that divides no denominator of the variety."""
        while len(self.usable) <= number:
            candidate = next(self._primes)
            try:
                self._variety.images(candidate, np.zeros((1, self._variety.parameters)))
            except InputError:
                continue
            self.usable.append(candidate)
        return self.usable[number]

    def points(self, prime: int, count: int) -> modular.FloatArray:
        """``count`` points, one a row, residues."""
        known = self._images.get(prime)
        if known is None or len(known) < count:
            rng = np.random.default_rng([self._seed, prime])
            parameters = rng.integers(0, prime, size=(count, self._variety.parameters)).astype(np.float64)
            known = self._variety.images(prime, modular.reduce(parameters, prime))
            known = known if self._kept is None else known[:, self._kept]
            self._images = {self.prime(0): self._images.get(self.prime(0), known)} | {prime: known}
        return known[:count]

    def restrict(self, kept: list[int]) -> None:
        """Only these coordinates from now on."""
        self._kept = kept
        self._images.clear()

    def renew(self) -> None:
        """Other random points, and another first prime, from now on."""
        self._seed += 1
        self.usable.pop(0)
        self._images.clear()


@dataclass
class Known:
    """Generators found so far, by degree and weight."""

    polynomials: dict[tuple[int, Weight], list[Polynomial]] = field(default_factory=dict)

    def add(self, weight: Weight, polynomial: Polynomial) -> None:
        """One more, homogeneous of that weight."""
        self.polynomials.setdefault((polynomial.degree, weight), []).append(polynomial)

    def consequences(
        self, weight: Weight, monomials: IntArray, coordinates: int, multipliers: Callable[[int], MonomialsByWeight]
    ) -> Iterator[tuple[IntArray, Any]]:
        """Products of generators of lower degree with monomials that have a given weight, as sparse rows: places of the
        terms in ``monomials`` (``r x t``) and their coefficients (``t`` Python integers).
        """
        degree = monomials.shape[1]
        keys = _keys(monomials, coordinates)
        for (low, own), polynomials in sorted(self.polynomials.items()):
            if low >= degree:
                continue
            factors = multipliers(degree - low).of([a - b for a, b in zip(weight, own, strict=True)])
            if not len(factors):
                continue
            for polynomial in polynomials:
                terms = np.array([monomial for _, monomial in polynomial.terms], dtype=np.int64)
                step = max(1, _CHUNK // len(terms))
                for start in range(0, len(factors), step):
                    part = factors[start : start + step]
                    shape = (len(part), len(terms))
                    table = np.concatenate(
                        [np.broadcast_to(terms, (*shape, low)), np.broadcast_to(part[:, None], (*shape, degree - low))],
                        axis=2,
                    )
                    places = np.searchsorted(keys, _keys(np.sort(table, axis=2), coordinates))
                    yield places, [coefficient for coefficient, _ in polynomial.terms]


def _keys(monomials: IntArray, coordinates: int) -> IntArray:
    """One integer for each monomial, in lexicographic order; fits as long as memory holds all monomials."""
    keys: IntArray = np.zeros(monomials.shape[:-1], dtype=np.int64)
    for place in range(monomials.shape[-1]):
        keys = keys * coordinates + monomials[..., place]
    return keys


class WeightSpace:
    """All polynomials of one weight that vanish at random points modulo a prime, and those among them that are known.

    Parameters
    ----------
    samples
        Points.
    monomials
        All monomials of the weight, ``n x d``.
    """

    def __init__(self, samples: Samples, monomials: IntArray) -> None:
        self.samples = samples
        self.monomials = monomials
        self.prime = samples.prime(0)
        self._space = self._eliminated(self.prime)
        self.free: list[int] = self._space.free_columns.tolist()
        self.known = modular.RowSpace(len(self.free), self.prime)  # on the free columns, which determine an equation

    @property
    def nullity(self) -> int:
        """Upper bound of the number of independent equations of this weight."""
        return len(self.free)

    @property
    def complete(self) -> bool:
        """Whether as many equations are known."""
        return self.known.rank == self.nullity

    def _eliminated(self, prime: int) -> modular.RowSpace:
        count = len(self.monomials)
        space = modular.RowSpace(count, prime)
        space.add(products(self.samples.points(prime, count + _MARGIN), self.monomials, prime))
        return space

    def add_rows(self, places: IntArray, coefficients: Sequence[int]) -> None:
        """Take in sparse rows that are known to vanish."""
        residues = np.array([coefficient % self.prime for coefficient in coefficients], dtype=np.float64)
        rows = np.zeros((len(places), len(self.monomials)))
        np.put_along_axis(rows, places, np.broadcast_to(modular.reduce(residues, self.prime), places.shape), axis=1)
        self.known.add(rows[:, self.free])

    def add(self, polynomial: Polynomial, coordinates: int) -> bool:
        """Take in a polynomial of this weight that is known to vanish; whether it is independent of the others."""
        keys = _keys(self.monomials, coordinates)
        terms = np.array([monomial for _, monomial in polynomial.terms], dtype=np.int64)
        before = self.known.rank
        self.add_rows(np.searchsorted(keys, _keys(terms, coordinates))[None, :], [c for c, _ in polynomial.terms])
        return self.known.rank > before

    def lifted(self, accepts: Callable[[Polynomial], bool]) -> list[Polynomial] | None:
        """Equations over Q that complete the known ones, each the one that ends in one free monomial; None where no
        rational numbers were found that ``accepts`` likes.
        """
        missing = [self.free[j] for j in self.known.free_columns.tolist()]
        pivots = set(self._space.pivot_columns)
        residues = Residues(self._kernel(self._space, missing), self.prime)
        found: dict[int, Polynomial] = {}
        unlike = 0  # primes with other pivots
        for number in range(1, _MAX_PRIMES):
            for i in range(len(missing)):
                vector = None if i in found else residues.integer_vector(i)
                if vector is None:
                    continue
                polynomial = self._polynomial(vector)
                if accepts(polynomial):
                    found[i] = polynomial
                elif residues.modulus > self.prime and max(map(abs, vector)) ** 3 < residues.modulus:
                    return None  # the numbers are far smaller than by chance, hence settled: this is no equation
            if len(found) == len(missing):
                return [found[i] for i in range(len(missing))]
            prime = self.samples.prime(number)
            space = self._eliminated(prime)
            if set(space.pivot_columns) == pivots:
                residues.add(self._kernel(space, missing), prime)
            elif (unlike := unlike + 1) > _UNLIKE:
                return None
        return None

    def _kernel(self, space: modular.RowSpace, wanted: Sequence[int]) -> list[list[int]]:
        free = {column: row for row, column in enumerate(space.free_columns.tolist())}
        kernel = space.kernel()[[free[column] for column in wanted]]
        vectors: list[list[int]] = (kernel.astype(np.int64) % space.prime).tolist()
        return vectors

    def _polynomial(self, vector: Sequence[int]) -> Polynomial:
        return Polynomial.from_dict(
            {tuple(row): entry for row, entry in zip(self.monomials.tolist(), vector, strict=True) if entry}
        )
