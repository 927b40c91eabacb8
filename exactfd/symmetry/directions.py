"""Kernel directions of the stacked Jacobian with a given support.

A direction ``v`` of parameter space is a *hidden infinitesimal symmetry* when every smooth ``n_0``-dimensional cell has
``J v = 0`` and ``v`` is no combination of scaling directions. Modulo the prime of a rank search the whole kernel is
known, hence also its vectors that vanish outside some parameters; each is solved for over Q on its own support, and
none is believed before every cell has annihilated it exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from flint import fmpq, nmod_mat

from exactfd import rationals
from exactfd.annihilation import annihilates
from exactfd.budget import Budget, Progress, silent
from exactfd.jacobians import FloatArray, SignArray, parameter_places
from exactfd.kernels import ExactRows, Vector, independent
from exactfd.linalg import modular
from exactfd.network import Network
from exactfd.rankproof import RankSearch

_COMBINATIONS = 128  # of the rows, for supports with fewer parameters than this
_SPARE = 4


class UnluckyPrimeError(ArithmeticError):
    """Modulo this prime scaling directions lose rank, or the kernel is too large: another one is needed."""


class Directions:
    """Kernel directions of the rows of a rank search, by support.

    Attributes
    ----------
    rows
        A basis of the row space modulo the prime on all ``D`` parameters, ``rank x D``.
    """

    def __init__(self, search: RankSearch, smooth: SignArray) -> None:
        self.search, self.smooth = search, smooth
        self.network: Network = search.network
        space, names = search.space, search.pivot_rows()
        reduced = np.zeros((space.rank, len(search.columns)))
        reduced[np.arange(space.rank), space.pivot_columns] = 1
        reduced[:, space.free_columns] = space.tail
        self.rows = self._with_gauge(reduced)
        # Random combinations have the same kernel on few columns, but for bad luck that the proof finds out.
        count = min(space.rank, _COMBINATIONS)
        self._combined = modular.random_combinations(self.rows, count, np.random.default_rng(0), search.prime)
        self._table = self._with_gauge(search.residues(names).astype(np.float64))
        self._exact = ExactRows(search, names)

    def _with_gauge(self, table: FloatArray) -> FloatArray:
        """Rows on all parameters: on the gauge they are what the scaling directions, all in the kernel, leave."""
        search, prime = self.search, self.search.prime
        result: FloatArray = np.zeros((len(table), self.network.parametric_dimension))
        result[:, search.columns] = table
        gauge = search.gauge
        if gauge.columns:
            scaling = reduced_rationals(gauge.vectors, prime)
            on_gauge = nmod_mat([[int(x) % prime for x in row] for row in scaling[:, gauge.columns].tolist()], prime)
            try:
                inverse = on_gauge.transpose().inv()
            except ZeroDivisionError:
                raise UnluckyPrimeError(prime) from None
            values = np.array([[int(x) for x in row] for row in inverse.tolist()], dtype=np.float64)
            others = modular.multiply(table, scaling[:, search.columns].T, prime)
            result[:, gauge.columns] = -modular.multiply(others, modular.reduce(values, prime), prime)
        return result

    def within(self, parameters: Iterable[int]) -> list[Vector]:
        """Integer vectors that span, modulo the prime, the kernel vectors supported on some parameters.

        Each annihilates as many rows as determine it; see :meth:`proved` for the others.
        """
        chosen = np.array(sorted(set(parameters)), dtype=np.int64)
        table = (self._combined if len(chosen) + _SPARE <= _COMBINATIONS else self.rows)[:, chosen]
        space = modular.RowSpace(len(chosen), self.search.prime)
        space.add(table)
        result = []
        for number, free in enumerate(space.free_columns.tolist()):
            pivots = sorted(space.pivot_columns[i] for i in np.flatnonzero(space.tail[:, number]).tolist())
            support = chosen[pivots].tolist()
            equations = independent(self._table, support, self.search.prime) if pivots else []
            result += self._exact.solved(equations, support, [int(chosen[free])])
        return result

    def proved(
        self, vectors: Sequence[Vector], *, budget: Budget | None = None, progress: Progress = silent
    ) -> list[Vector]:
        """Those of some vectors that every smooth cell annihilates, exactly. Raises ``BudgetExceeded``."""
        if annihilates(self.network, vectors, self.smooth, budget=budget, progress=progress):
            return list(vectors)
        if len(vectors) == 1:
            return []
        half = len(vectors) // 2
        parts = (vectors[:half], vectors[half:])
        return [v for part in parts for v in self.proved(part, budget=budget, progress=progress)]


class Span:
    """A span of integer vectors modulo a prime that grows: vectors that make it grow are independent over Q too."""

    def __init__(self, network: Network, prime: int) -> None:
        self.prime = prime
        self._space = modular.RowSpace(network.parametric_dimension, prime)

    @property
    def dimension(self) -> int:
        """Dimension modulo the prime: at most the one over Q."""
        return self._space.rank

    def add(self, vectors: Sequence[Sequence[Any]]) -> list[int]:
        """Numbers of the vectors (integers or rationals) that were not in the span of those before them."""
        if not vectors:
            return []
        before, first = len(self._space.pivot_rows), self._space.seen
        self._space.add(reduced_rationals(vectors, self.prime))
        return [number - first for number in self._space.pivot_rows[before:]]


def reduced_rationals(vectors: Sequence[Sequence[Any]], prime: int) -> FloatArray:
    """Residues of rational vectors whose denominators the prime does not divide."""
    result = np.zeros((len(vectors), len(vectors[0]) if vectors else 0))
    for i, vector in enumerate(vectors):
        for j, entry in enumerate(vector):
            if entry != 0:
                result[i, j] = int(fmpq(entry).p) * pow(int(fmpq(entry).q), -1, prime) % prime
    return modular.reduce(result, prime)


def parameter_names(network: Network) -> list[str]:
    """``W1[i,k]`` and ``b1[i]`` for every entry of theta: layers from 1 on, rows and columns from 0 on.

    >>> parameter_names(Network([([[1], [2]], [0, 0]), ([[1, 1]], [0])]))[:5]
    ['W1[0,0]', 'b1[0]', 'W1[1,0]', 'b1[1]', 'W2[0,0]']
    """
    architecture = network.architecture
    return [
        f"b{level + 1}[{i}]" if k == architecture[level] else f"W{level + 1}[{i},{k}]"
        for level, i, k in parameter_places(network.architecture)
    ]


def named(names: Sequence[str], vector: Sequence[Any]) -> dict[str, str]:
    """The nonzero entries of a vector by the name of the parameter, as exact text."""
    return {
        name: rationals.format_rational(fmpq(entry)) for name, entry in zip(names, vector, strict=True) if entry != 0
    }
