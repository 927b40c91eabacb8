"""Cells of a batch by activity and patterns, and what kernel vectors say about the terms of their rows.

The terms are those of :mod:`exactfd.patterns.deep`; with several outputs those of :mod:`exactfd.patterns.several`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from exactfd.geometry import bits
from exactfd.jacobians import FloatArray, ModularNetwork, SignArray, masks_of
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
    outputs
        For how many outputs each pattern stands: then there is one, about nothing but whether there is a row.
    """

    members: list[Indices]
    active: BoolArray
    second: BoolArray
    patterns: BoolArray
    counts: Indices
    neurons: Indices
    outputs: int = 1

    @classmethod
    def of(cls, network: Network, labels: SignArray) -> Cells:
        """Of the rows at smooth points with these labels (``m x N``)."""
        (first, second), patterns = rows_of(network, labels, by_neurons=True)
        neurons = np.flatnonzero(patterns.any(axis=0))
        patterns = patterns[:, neurons]
        second &= np.asarray(patterns.any(axis=1))[:, None]
        return cls._of(first, second, patterns, neurons, 1)

    @classmethod
    def of_several_outputs(cls, network: Network, labels: SignArray) -> Cells:
        """Of the points themselves, with a row for each output."""
        first, second = (mask > 0 for mask in masks_of(labels, network.relu_widths))
        whole = np.ones((len(labels), 1), dtype=bool)
        return cls._of(first, second, whole, np.zeros(1, dtype=np.intp), network.output_dimension)

    @classmethod
    def _of(cls, first: BoolArray, second: BoolArray, patterns: BoolArray, neurons: Indices, outputs: int) -> Cells:
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
        return cls(members, active, second, patterns, np.bincount(cell), neurons, outputs)

    def take(self, some: BoolArray | Indices) -> Cells:
        """Some of them, with the same blocks."""
        tables = self.active[some], self.second[some], self.patterns[some], self.counts[some]
        return Cells(self.members, *tables, self.neurons, self.outputs)

    def moved(self, places: Indices, neurons: Indices) -> Cells:
        """Some of them, each with another activity of one neuron of the second layer."""
        result = self.take(places)
        result.second[np.arange(len(places)), neurons] ^= True
        return result

    def joined(self, other: Cells) -> Cells:
        """These and others, of which some may be the same."""
        active, second = np.concatenate([self.active, other.active]), np.concatenate([self.second, other.second])
        patterns, counts = np.concatenate([self.patterns, other.patterns]), np.concatenate([self.counts, other.counts])
        return Cells(self.members, active, second, patterns, counts, self.neurons, self.outputs)


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
        Modulo the prime, the augmented matrix of the first layer; and for each vector the ``c_i`` (``q x n_2 x n``;
        with several outputs the ``c_i.p`` with a random ``p``, ``q x n_2 x 1``).
    factors
        ``q x n_2 x blocks`` each.
    first, last
        The same (``q x n_2``) for block 0, with the last entry of ``X`` zero, and with all others zero and that one.
    ends
        Of each vector with ``T_0`` for the last unit vector, as a function of ``(p, 1)``.
    """

    def __init__(self, reduced: ModularNetwork, cells: Cells, kernel: FloatArray) -> None:
        self.prime, self._cells, layers = reduced.prime, cells, reduced.layers
        self.below, self._middle = layers[:2]
        (first, size), second, count = self.below.shape, len(self._middle), len(kernel)
        rows, joints, behind = np.split(kernel, np.cumsum([first * size, second * (first + 1)]), axis=1)
        self._rows, self._joints = rows.reshape(count, first, size), joints.reshape(count, second, first + 1)
        self.above, self._sent, self.ends = (self._of_outputs if cells.outputs > 1 else self._of_one)(layers, behind)
        self._in_block: FloatArray = np.zeros((first + 1, len(cells.members)))
        for block, members in enumerate(cells.members):
            self._in_block[members, block] = 1.0
        self._in_block[first, -1] = 1.0
        at = modular.random_numbers(np.random.default_rng(0), count, size)
        unit = np.eye(size)[-1:].repeat(count, axis=0)
        self.factors, self._behind = self._at(at), self._reduce(self.ends * at[:, -1:])
        self.first, self.last = (self.of_block(self._at(x), len(cells.members) - 1) for x in (at * (1.0 - unit), unit))

    def _of_one(self, layers: Sequence[FloatArray], behind: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The ``c_i``, and of each vector what neurons send on and the part of ``T_0``, as functions of ``p``."""
        last, weights, neurons = layers[2], layers[3][0], self._cells.neurons
        second, moved, behind = last.shape[1] - 1, *np.split(behind, [last.size], axis=1)
        moved, last, weights = moved.reshape(-1, *last.shape)[:, neurons], last[neurons], weights[neurons, None]
        # a move of a weight to the output is one of all weights into its neuron
        moved = self._reduce(moved * weights) + self._reduce(last * behind[:, neurons, None])
        moved = self._reduce(moved).transpose(0, 2, 1)
        ends = np.concatenate([moved[:, second], behind[:, -1:]], axis=1)
        above = self._reduce(last[:, :second] * weights).T
        return np.broadcast_to(above, (len(moved), *above.shape)), moved[:, :second], ends

    def _of_outputs(
        self, layers: Sequence[FloatArray], behind: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The same for several outputs, with a random ``p`` for each vector."""
        last = layers[2]
        at = modular.random_numbers(np.random.default_rng(1), len(behind), 1, len(last))
        moved = modular.multiply(at, behind.reshape(-1, *last.shape), self.prime).transpose(0, 2, 1)
        above = modular.multiply(at[:, 0], last[:, :-1], self.prime)
        return above[:, :, None], moved[:, :-1], moved[:, -1]

    def behind(self, patterns: BoolArray | FloatArray) -> FloatArray:
        """What :attr:`ends` multiplies: ``(p, 1)``, or ``p`` where no bias comes after them."""
        result = np.concatenate([patterns, np.ones((len(patterns), 1))], axis=1)
        return result[:, : self.ends.shape[1]]

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
        extended, result = self.behind(cells.patterns).T, np.ones(len(cells.counts), dtype=bool)
        for test in range(_TESTS):
            first, second = (self._reduce(factor[test] @ active) for factor in self.factors)
            sent, own = (modular.multiply(table[test], patterns, self.prime) for table in (self._sent, self.above))
            total = ((self._reduce(first * sent) + self._reduce(second * own)) * cells.second.T).sum(axis=0)
            total += modular.multiply(self._behind[test : test + 1], extended, self.prime)[0]
            result &= self._reduce(total) == 0.0
        return result

    def by_activity(self, neuron: int, activities: FloatArray) -> FloatArray:
        """By vector of activity (``t x blocks``) the table of ``S_i(a, p, X)`` as a function of ``p``: ``t x q' x n``,
        with as few vectors as tell patterns apart.
        """
        count = self.above.shape[2] + SPARE
        first, second = (self._reduce(factor[:count, neuron] @ activities.T) for factor in self.factors)
        result = self._reduce(first.T[:, :, None] * self._sent[:count, neuron])
        return self._reduce(result + self._reduce(second.T[:, :, None] * self.above[:count, neuron]))

    def by_block(self, neuron: int) -> FloatArray:
        """Where patterns stand for several outputs, of each vector and block ``S_ib(p, X)``: ``q x blocks``."""
        first, second = (factor[:, neuron] for factor in self.factors)
        result = self._reduce(first * self._sent[:, neuron]) + self._reduce(second * self.above[:, neuron])
        return self._reduce(result)

    def of_matrices(self, factors: Factors, matrices: FloatArray) -> FloatArray:
        """Of matrices (``t x n_2 x n``) the values of ``T_b``, by the factors of the block: ``t x q``."""
        table = self._reduce(factors[0][:, :, None] * self._sent) + self._reduce(factors[1][:, :, None] * self.above)
        return modular.multiply(flat(matrices), flat(self._reduce(table)).T, self.prime)


def flat(table: FloatArray) -> FloatArray:
    """Each item of a table as one row."""
    return table.reshape(len(table), int(np.prod(table.shape[1:])))
