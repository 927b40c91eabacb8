"""Proof that integer vectors lie in the kernel of every row of a stack of Jacobian rows.

``J v`` is formed modulo several primes whose product exceeds a bound on the size of the exact result: a result that
vanishes modulo all of them is zero.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from flint import fmpz

from exactfd import rationals
from exactfd.budget import Budget, Progress, silent
from exactfd.errors import BudgetExceeded, InternalError
from exactfd.jacobians import (
    FloatArray,
    ModularNetwork,
    Reducible,
    SignArray,
    next_inputs,
    parameter_places,
)
from exactfd.linalg import modular
from exactfd.network import Network
from exactfd.points import Point, Points
from exactfd.rankproof import chunks
from exactfd.tangents import Tangents, at_once

Vector = list[fmpz]  # of length D
Indices = np.ndarray[Any, np.dtype[np.intp]]
Group = tuple[Indices, FloatArray]  # places in a support; a row for each, a column for each vector

_BITS = 22  # of a prime, at least
_GROUP = 32  # vectors multiplied together
_TOGETHER = 4  # primes at once from which on cells are better done modulo many (measured)
_BLOCK = 9.0  # nanoseconds for one of them, by cell and vector (measured); so are those beside it
_APART = 1.0  # how dear the way by prefixes is thought to be


def annihilates(
    network: Network,
    vectors: Sequence[Vector],
    labels: SignArray,
    points: Sequence[Point] | None = None,
    *,
    budget: Budget | None = None,
    progress: Progress = silent,
) -> bool:
    """Whether ``J v = 0`` exactly, for every vector and every row of the given cells (or points).

    Raises ``BudgetExceeded``, with the numbers of the vectors that had been proved by then as ``partial``.
    """
    if not vectors or not len(labels):
        return True
    at = None if points is None else Points.of(points, network.input_dimension)
    sizes, scale = Sizes.of(network), 1 if at is None else at.size()
    bounds = [sizes.along(vector, scale) for vector in vectors]
    # those with the largest bounds first, so that the ones that need more primes are always the first ones
    order = sorted(range(len(vectors)), key=lambda i: -bounds[i])
    bounds, largest = [bounds[i] for i in order], [vectors[i] for i in order]
    few = at_once(network, len(labels) * (network.input_dimension + 1), len(vectors)) >= _TOGETHER
    proof = Tangents(network, labels, at, largest) if few or at is not None else _OnCells(network, labels, largest)
    product, pending, primes = 1, len(order), modular.primes()
    try:
        while pending:
            missing = (bounds[0] // product).bit_length() // _BITS + 1
            some = list(islice(primes, min(missing, proof.together(pending))))
            if not some:
                raise InternalError("ran out of primes below 2^23")
            vanish, factor = proof.vanish(some, pending, budget)
            if not vanish:
                return False
            product *= factor
            progress("proof of the kernel", len(order) - pending, len(order))
            while pending and bounds[pending - 1] < product:
                pending -= 1
    except BudgetExceeded as error:
        error.partial = order[pending:]
        raise
    return True


class _OnCells:
    """Products of the coefficient rows of cells with vectors, modulo one prime after the other."""

    def __init__(self, network: Network, labels: SignArray, vectors: Sequence[Vector]) -> None:
        self.network, self.labels, self._reducible = network, labels, Reducible(network)
        starts = np.cumsum([0, *network.architecture[1:]]).tolist()
        blocks = [starts[level] + neuron for level, neuron, _ in parameter_places(network.architecture)]
        self._table = SparseVectors(vectors, blocks)
        self._by_prefix = _ByPrefix(network, labels, self._table)

    def together(self, _: int) -> int:
        """How many primes are best taken at once."""
        return 1

    def vanish(self, primes: Sequence[int], count: int, budget: Budget | None) -> tuple[bool, int]:
        """Whether the first ``count`` vectors annihilate all cells modulo those of the primes that divide no
        denominator; and the product of these. Raises ``BudgetExceeded``.
        """
        product, size = 1, self.network.input_dimension + 1
        for prime in primes:
            reduced = self._reducible.modulo(prime)
            if reduced is None:
                continue
            product *= prime
            groups = self._table.modulo(prime, count)
            if self._by_prefix.pays:
                if not self._by_prefix.annihilated(reduced, groups, budget):
                    return False, product
                continue
            weight = self.network.output_dimension * size * len(self._table.support)
            for part in chunks(len(self.labels), weight + size * sum(self.network.architecture)):
                if budget is not None:
                    budget.check()
                columns = reduced.columns(self.labels[part], np.eye(size)[None], self._table.support)
                for places, matrix in groups:
                    if modular.multiply(columns[:, places], matrix, prime).any():
                        return False, product
        return True, product


class _Shared(NamedTuple):
    """What groups of vectors share modulo a prime: by layer, ``R`` of all prefixes and ``L`` of consecutive cells."""

    inputs: Sequence[FloatArray]
    slopes: Sequence[FloatArray]
    part: slice


class _ByPrefix:
    """Products with the coefficient rows of many cells, from factors that many of them share.

    The block of neuron ``i`` of layer ``l`` is ``L^l_i (x) (R^{l-1})^T``, and ``R^{l-1}`` depends on the labels of the
    layers before ``l`` alone. For vectors with few blocks ``R^{l-1} v`` is formed once for each such *prefix*; most of
    these products vanish already, and the others are put together cell by cell.
    """

    def __init__(self, network: Network, labels: SignArray, table: SparseVectors) -> None:
        self.labels = labels
        places_of = parameter_places(network.architecture)
        self._places = [places_of[j] for j in table.support]
        self._prefix: list[Indices] = []  # of each cell, by layer
        self._parent: list[Indices] = []  # of each prefix, among those of the layer before
        self._masks: list[FloatArray] = []  # of the last layer in a prefix
        cuts = np.cumsum([0, *network.relu_widths]).tolist()
        self._prefix.append(np.zeros(len(labels), dtype=np.intp))
        for level in range(1, network.depth):
            active = labels[:, cuts[level - 1] : cuts[level]] > 0
            keys = np.column_stack([self._prefix[-1], np.packbits(active, axis=1)])
            _, first, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
            self._parent.append(self._prefix[-1][first])
            self._masks.append(active[first].astype(np.float64))
            self._prefix.append(inverse.reshape(-1))
        size = network.input_dimension + 1
        cells = len(labels) * network.output_dimension * size
        self._counts = [1, *(len(parent) for parent in self._parent)]
        # nanoseconds, measured: an entry of the table of all columns, a product with it; the same here
        together, apart = 15.0 * cells * len(table.support), 0.0
        for places, vectors in table.shapes():
            together += 0.1 * cells * len(places) * vectors
            for level, _ in {self._places[j][:2] for j in places.tolist()}:
                apart += 50_000 + vectors * (10 * self._counts[level] * size + 5 * cells)
        self.pays = _APART * apart < together

    def annihilated(self, reduced: ModularNetwork, groups: Sequence[Group], budget: Budget | None) -> bool:
        """Whether every vector of every group annihilates every cell modulo the prime."""
        inputs = [np.eye(reduced.network.input_dimension + 1)[None]]
        for layer, mask, parent in zip(reduced.layers, self._masks, self._parent, strict=False):
            inputs.append(next_inputs(layer, mask, inputs[-1][parent], reduced.product))
        for part in chunks(len(self.labels), reduced.network.output_dimension * sum(reduced.network.architecture)):
            slopes = reduced.sensitivities(self.labels[part])
            for places, matrix in groups:
                if budget is not None:
                    budget.check()
                cancel = self._cancel_together if self._has_many_blocks(places) else self._cancel
                if not cancel(reduced, _Shared(inputs, slopes, part), places, matrix):
                    return False
        return True

    def _blocks(self, places: Indices) -> dict[tuple[int, int], list[int]]:
        """The rows of a group, by layer and neuron."""
        rows_of: dict[tuple[int, int], list[int]] = {}
        for row, place in enumerate(places.tolist()):
            rows_of.setdefault(self._places[place][:2], []).append(row)
        return rows_of

    def _has_many_blocks(self, places: Indices) -> bool:
        """Whether one product for each layer costs less than one for each block."""
        neurons, columns = defaultdict[int, set[int]](set), defaultdict[int, set[int]](set)
        for level, neuron, column in map(self._places.__getitem__, places.tolist()):
            neurons[level].add(neuron)
            columns[level].add(column)
        together = sum(len(columns[level]) * (3.0 + 0.05 * len(some)) for level, some in neurons.items())
        return together < _BLOCK * sum(map(len, neurons.values()))

    def _cancel_together(self, reduced: ModularNetwork, shared: _Shared, places: Indices, matrix: FloatArray) -> bool:
        """As :meth:`_cancel`, all blocks of a layer in one product: what every neuron moves, times its slope, first."""
        inputs, slopes, part = shared
        tables: dict[int, tuple[list[int], list[int], FloatArray]] = {}
        entries = np.array([self._places[place] for place in places.tolist()])  # layer, neuron, column
        for level in np.unique(entries[:, 0]).tolist():
            rows = np.flatnonzero(entries[:, 0] == level)
            neurons, row = np.unique(entries[rows, 1], return_inverse=True)
            columns, column = np.unique(entries[rows, 2], return_inverse=True)
            table = np.zeros((len(neurons), len(columns), matrix.shape[1]))
            table[row, column] = matrix[rows]
            tables[level] = neurons.tolist(), columns.tolist(), table
        outputs, vectors = slopes[0].shape[1], matrix.shape[1]
        longest = max(len(columns) for _, columns, _ in tables.values())
        for some in chunks(part.stop - part.start, outputs * vectors * longest):
            total: Any = 0.0
            for level, (heads, tails, table) in tables.items():
                slope = slopes[level][some][:, :, heads]
                moved = reduced.product(slope.reshape(-1, len(heads)), table.reshape(len(heads), -1))
                moved = moved.reshape(len(slope), outputs, len(tails), vectors)
                reached = inputs[level][self._prefix[level][part][some]][:, tails].transpose(0, 2, 1)
                total = total + reduced.product(reached[:, None], moved)
            if modular.reduce(total, reduced.prime).any():
                return False
        return True

    def _cancel(self, reduced: ModularNetwork, shared: _Shared, places: Indices, matrix: FloatArray) -> bool:
        """Whether the sum over the blocks of one group vanishes on some consecutive cells."""
        inputs, slopes, part = shared
        terms, left = [], np.zeros(part.stop - part.start, dtype=bool)
        for (level, neuron), rows in self._blocks(places).items():
            prefix = self._prefix[level][part]
            used, prefix = np.unique(prefix, return_inverse=True)
            columns = [self._places[places[row]][2] for row in rows]
            reached = inputs[level][used].transpose(0, 2, 1)[:, :, columns]
            product = reduced.product(reached, matrix[rows])  # prefixes x (n_0 + 1) x vectors
            nonzero: Any = product.any(axis=(1, 2))  # by prefix
            alive = nonzero[prefix] & slopes[level][:, :, neuron].any(axis=1)
            if alive.any():
                left |= alive
                terms.append((slopes[level][:, :, neuron], prefix, product))
        remaining = np.flatnonzero(left)
        for some in chunks(len(remaining), len(slopes[0][0]) * matrix.shape[1] * len(inputs[0][0])):
            cells = remaining[some]
            total: Any = 0.0
            for slope, prefix, product in terms:
                term = slope[cells][:, :, None, None] * product[prefix[cells]][:, None]
                total = total + modular.reduce(term, reduced.prime)
            if modular.reduce(total, reduced.prime).any():
                return False
        return True


class SparseVectors:
    """Integer vectors in groups with much the same support, to be reduced modulo many primes.

    ``block_of`` gives a number to every place; those that are met together often have the same one.
    """

    def __init__(self, vectors: Sequence[Vector], block_of: Sequence[int]) -> None:
        supports = [[j for j, entry in enumerate(vector) if entry != 0] for vector in vectors]
        self.support = sorted(set().union(*supports))
        place = {j: i for i, j in enumerate(self.support)}
        self._integers = modular.Integers(
            [int(vector[j]) for vector, support in zip(vectors, supports, strict=True) for j in support]
        )
        self._number = np.repeat(np.arange(len(vectors)), [len(support) for support in supports])
        self._place = np.array([place[j] for support in supports for j in support], dtype=np.int64)
        by_blocks: dict[tuple[int, ...], list[int]] = {}
        for i, support in enumerate(supports):
            by_blocks.setdefault(tuple(sorted({block_of[j] for j in support})), []).append(i)
        if 3 * len(by_blocks) > len(vectors):  # neighbours by their last place, then: most have others in common too
            by_blocks = {(): sorted(range(len(vectors)), key=lambda i: (supports[i][-1:], len(supports[i])))}
        parts = [(group, i) for group in by_blocks.values() for i in range(0, len(group), _GROUP)]
        self._groups = [np.sort(group[i : i + _GROUP]) for group, i in parts]
        group_of = np.empty(len(vectors), dtype=np.int64)
        for number, group in enumerate(self._groups):
            group_of[group] = number
        self._entries = [np.flatnonzero(group_of[self._number] == number) for number in range(len(self._groups))]

    def shapes(self) -> list[tuple[Indices, int]]:
        """For each group its places in ``support``, and the number of vectors."""
        return [
            (np.unique(self._place[entries]), len(group))
            for group, entries in zip(self._groups, self._entries, strict=True)
        ]

    def modulo(self, prime: int, count: int) -> list[Group]:
        """The first ``count`` vectors modulo a prime: for each group, places in ``support`` and a matrix with these
        rows, one column a vector.
        """
        values = self._integers.modulo(prime)
        result = []
        for group, entries in zip(self._groups, self._entries, strict=True):
            group, entries = group[group < count], entries[self._number[entries] < count]
            if not len(group):
                continue
            places, rows = np.unique(self._place[entries], return_inverse=True)
            matrix = np.zeros((len(places), len(group)))
            matrix[rows, np.searchsorted(group, self._number[entries])] = values[entries]
            result.append((places, matrix))
        return result


@dataclass(frozen=True)
class Sizes:
    """Sizes of the numbers in a forward pass.

    With ``A^l = M_l / q_l`` for an integer matrix ``M_l``, put ``nu_l = max(q_l, |M_l|)`` in the row-sum norm. The
    layer inputs times ``q_1 ... q_l`` are integers of size at most ``nu_1 ... nu_l`` times the input. Masks only remove
    terms.
    """

    layers: tuple[tuple[int, int, int, int, int], ...]  # first parameter, rows, columns, q, nu

    @classmethod
    def of(cls, network: Network) -> Sizes:
        """Of one network."""
        layers, position = [], 0
        for number in range(1, network.depth + 1):
            a = network.augmented(number)
            q = int(rationals.common_denominator(a.entries()))
            norm = max(sum(abs(int((entry * q).p)) for entry in row) for row in a.tolist())
            layers.append((position, a.nrows(), a.ncols(), q, max(q, norm)))
            position += a.nrows() * a.ncols()
        return cls(tuple(layers))

    def along(self, vector: Sequence[fmpz], scale: int) -> int:
        """More than twice ``|q_1 ... q_d J v|`` at inputs that are integers up to ``scale``: by the product rule it is
        at most ``sum_l q_l |v^l| prod_{k != l} nu_k`` times the scale.
        """
        value, change = scale, 0
        for start, n, width, q, nu in self.layers:
            rows = (vector[start + i * width : start + (i + 1) * width] for i in range(n))
            norm = max(sum(abs(int(entry)) for entry in row if entry != 0) for row in rows)
            change, value = nu * change + q * norm * value, nu * value
        return 2 * change + 1

    def entry(self) -> int:
        """At least ``|q_1 ... q_d|`` times an entry of ``J``, at inputs that are integers up to one."""
        total = math.prod(nu for *_, nu in self.layers)
        return max(q * (total // nu) for *_, q, nu in self.layers)
