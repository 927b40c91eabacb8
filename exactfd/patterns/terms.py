"""Cells of a batch by activity and patterns, and what kernel vectors say about the terms of their rows.

The terms are those of :mod:`exactfd.patterns.deep`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from exactfd.geometry import bits
from exactfd.jacobians import FloatArray, ModularNetwork, SignArray
from exactfd.linalg import modular
from exactfd.network import Network
from exactfd.patterns.rows import rows_of

BoolArray = np.ndarray[Any, np.dtype[np.bool_]]
Indices = np.ndarray[Any, np.dtype[np.intp]]
#: What ``S_ib(p, X)`` gives: the first one times what its neuron sends on, and the second one times ``c_i``.
Factors = tuple[FloatArray, FloatArray]

#: Kernel vectors beyond the length of what they tell apart.
SPARE = 4
_TESTS = 3  # kernel vectors that tell whether something is in the span of the rows


@dataclass(frozen=True, eq=False)
class Cells:
    """The different cells of some rows, without those of zeros.

    Attributes
    ----------
    members
        The neurons of each block of the first layer; last block 0, without the biases.
    active
        By cell and block (``m x blocks``).
    second
        By cell, which neurons of the second layer are active; none where the pattern is zero.
    patterns
        By cell, about those of the ``neurons`` behind that some pattern has.
    counts
        How many rows each cell has.
    neurons
        Their numbers.
    """

    members: list[Indices]
    active: BoolArray
    second: BoolArray
    patterns: BoolArray
    counts: Indices
    neurons: Indices

    @classmethod
    def of(cls, network: Network, labels: SignArray) -> Cells:
        """Of the rows at smooth points with these labels (``m x N``)."""
        (first, second), patterns = rows_of(network, labels, by_neurons=True)
        neurons = np.flatnonzero(patterns.any(axis=0))
        patterns = patterns[:, neurons]
        second &= np.asarray(patterns.any(axis=1))[:, None]
        counted: BoolArray = np.asarray(second.any(axis=1))
        columns, block = bits.distinct((first & counted[:, None]).T)
        somewhere: BoolArray = np.asarray(columns.any(axis=1))
        always: BoolArray = np.asarray((columns | ~counted).all(axis=1)) & somewhere
        sometimes = np.flatnonzero(somewhere & ~always)
        members = [np.flatnonzero(block == place) for place in sometimes.tolist()]
        members.append(np.flatnonzero(always[block]))
        active = np.concatenate([columns[sometimes].T, np.ones((len(first), 1), dtype=bool)], axis=1)
        cells, cell = bits.distinct(np.concatenate([active, second, patterns], axis=1))
        active, second, patterns = np.split(cells, np.cumsum([active.shape[1], second.shape[1]]), axis=1)
        return cls(members, active, second, patterns, np.bincount(cell), neurons)

    def take(self, some: BoolArray) -> Cells:
        """Some of them, with the same blocks."""
        tables = self.active[some], self.second[some], self.patterns[some], self.counts[some]
        return Cells(self.members, *tables, self.neurons)


class Terms:
    """Products of kernel vectors with ``S_ib(p, X)`` and ``T_0(p, X)``, as functions of ``p``, ``X`` being random for
    each vector.

    Parameters
    ----------
    reduced, cells
        A network modulo a prime, and the cells of the rows.
    kernel
        Vectors of parameters (residues, ``q x D``).

    Attributes
    ----------
    below, above
        Modulo the prime, the augmented matrix of the first layer, and the ``c_i`` (``n_2 x n``).
    factors
        ``q x n_2 x blocks`` each.
    first, last
        The same (``q x n_2``) for block 0, with the last entry of ``X`` zero, and with all others zero and that one.
    ends
        Of each vector with ``T_0`` for the last unit vector, as a function of ``(p, 1)``.
    """

    def __init__(self, reduced: ModularNetwork, cells: Cells, kernel: FloatArray) -> None:
        self.prime, layers = reduced.prime, reduced.layers
        self.below, self._middle, last = layers[:3]
        (first, size), second, count = self.below.shape, len(self._middle), len(kernel)
        ends = np.cumsum([first * size, second * (first + 1), last.size])
        rows, joints, moved, behind = np.split(kernel, ends, axis=1)
        self._rows, self._joints = rows.reshape(count, first, size), joints.reshape(count, second, first + 1)
        moved, last, weights = moved.reshape(count, *last.shape)[:, cells.neurons], last[cells.neurons], layers[3][0]
        # a move of a weight to the output is one of all weights into its neuron
        moved = self._reduce(moved * weights[cells.neurons, None]) + self._reduce(last * behind[:, cells.neurons, None])
        moved = self._reduce(moved).transpose(0, 2, 1)
        self.above = self._reduce(last[:, :second] * weights[cells.neurons, None]).T
        self._sent = moved[:, :second]
        self.ends: FloatArray = np.concatenate([moved[:, second], behind[:, -1:]], axis=1)
        self._in_block: FloatArray = np.zeros((first + 1, len(cells.members)))
        for block, members in enumerate(cells.members):
            self._in_block[members, block] = 1.0
        self._in_block[first, -1] = 1.0
        at = modular.random_numbers(np.random.default_rng(0), count, size)
        unit = np.eye(size)[-1:].repeat(count, axis=0)
        self.factors, self._behind = self._at(at), self._reduce(self.ends * at[:, -1:])
        self.first, self.last = (self.of_block(self._at(x), len(cells.members) - 1) for x in (at * (1.0 - unit), unit))

    def _reduce(self, values: FloatArray) -> FloatArray:
        return modular.reduce(values, self.prime)

    def _at(self, at: FloatArray) -> Factors:
        values = np.concatenate([modular.multiply(at, self.below.T, self.prime), at[:, -1:]], axis=1)[:, None]
        moved = modular.multiply(self._rows, at[:, :, None], self.prime)[:, None, :, 0]
        joints = self._reduce(self._joints * values)
        joints[:, :, :-1] += self._reduce(moved * self._middle[:, :-1])
        first = self._reduce(self._middle * values) @ self._in_block
        return self._reduce(first), self._reduce(self._reduce(joints) @ self._in_block)

    @staticmethod
    def of_block(factors: Factors, block: int) -> Factors:
        """Those of one block."""
        return factors[0][:, :, block], factors[1][:, :, block]

    def spanned(self, cells: Cells) -> BoolArray:
        """For cells whether all their rows are in the span of the rows modulo the prime, most likely."""
        active, patterns = cells.active.T.astype(np.float64), cells.patterns.T.astype(np.float64)
        extended, own = extended_by_one(cells.patterns).T, modular.multiply(self.above, patterns, self.prime)
        result = np.ones(len(cells.counts), dtype=bool)
        for test in range(_TESTS):
            first, second = (self._reduce(factor[test] @ active) for factor in self.factors)
            sent = self._reduce(self._sent[test] @ patterns)
            total = ((self._reduce(first * sent) + self._reduce(second * own)) * cells.second.T).sum(axis=0)
            total += modular.multiply(self._behind[test : test + 1], extended, self.prime)[0]
            result &= self._reduce(total) == 0.0
        return result

    def by_activity(self, neuron: int, activities: FloatArray) -> FloatArray:
        """By vector of activity (``t x blocks``) the table of ``S_i(a, p, X)`` as a function of ``p``: ``t x q' x n``,
        with as few vectors as tell patterns apart.
        """
        count = self.above.shape[1] + SPARE
        first, second = (self._reduce(factor[:count, neuron] @ activities.T) for factor in self.factors)
        result = self._reduce(first.T[:, :, None] * self._sent[:count, neuron])
        return self._reduce(result + self._reduce(second.T[:, :, None] * self.above[neuron]))

    def of_matrices(self, factors: Factors, matrices: FloatArray) -> FloatArray:
        """Of matrices (``t x n_2 x n``) the values of ``T_b``, by the factors of the block: ``t x q``."""
        table = self._reduce(factors[0][:, :, None] * self._sent) + self._reduce(factors[1][:, :, None] * self.above)
        return modular.multiply(flat(matrices), flat(self._reduce(table)).T, self.prime)


def extended_by_one(patterns: BoolArray | FloatArray) -> FloatArray:
    """Vectors ``(p, 1)`` (rows)."""
    return np.concatenate([patterns, np.ones((len(patterns), 1))], axis=1)


def flat(table: FloatArray) -> FloatArray:
    """Each item of a table as one row."""
    return table.reshape(len(table), int(np.prod(table.shape[1:])))
