"""Derivatives of the outputs at many points along many integer vectors, modulo many primes at once.

``J v`` at a point is the sum over the neurons whose weights and bias ``v`` moves of ``L^l_i (R^{l-1} . v^l_i)``, which
vanishes where the neuron is not active. So only points are looked at where such a neuron is active, and only the layers
between the first and the last of these neurons.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np
from flint import fmpz

from exactfd.budget import Budget
from exactfd.jacobians import FloatArray, Reducible, SignArray, masks_of, parameter_places
from exactfd.linalg import modular, residues, stacks
from exactfd.network import Network
from exactfd.points import Points

Indices = np.ndarray[Any, np.dtype[np.intp]]

_ENTRIES = 1 << 19  # of the largest arrays at once: they stay near the processor (measured)


class _Moves(NamedTuple):
    """How some vectors move the weights and the bias of one neuron: entries ``vectors x columns``, primes in front."""

    level: int
    neuron: int
    vectors: Indices
    columns: Indices
    entries: FloatArray


class Tangents:
    """``J v`` for some integer vectors ``v`` of length ``D`` and the rows at some points, or the coefficient rows of
    some cells: the rows at the unit vectors of homogeneous coordinates, with the labels of the cell.

    Parameters
    ----------
    network, labels, points
        Ternary tuples and the points; None for points where the tuples are of cells.
    vectors
        Those that are to be looked at modulo the most primes come first.
    """

    def __init__(
        self, network: Network, labels: SignArray, points: Points | None, vectors: Sequence[Sequence[fmpz]]
    ) -> None:
        self.network, self._reducible = network, Reducible(network)
        places = parameter_places(network.architecture)
        blocks: dict[tuple[int, int], list[tuple[int, int, int]]] = {}  # of a neuron: vector, column, which entry
        values: list[int] = []
        for number, vector in enumerate(vectors):
            for parameter, value in enumerate(vector):
                if value != 0:
                    level, neuron, column = places[parameter]
                    blocks.setdefault((level, neuron), []).append((number, column, len(values)))
                    values.append(int(value))
        self._integers = modular.Integers(values)
        self._last: tuple[int, list[Any]] | None = None
        self._blocks = {neuron: np.array(block) for neuron, block in sorted(blocks.items())}
        masks = [mask > 0 for mask in masks_of(labels, network.relu_widths)]
        masks += [np.ones((len(labels), network.output_dimension), dtype=bool)] * (network.depth - len(masks))
        moved: Any = np.zeros(len(labels), dtype=bool)
        for level, neuron in self._blocks:
            moved |= masks[level][:, neuron]
        kept = np.flatnonzero(moved)
        self._points = None if points is None else points.take(kept.tolist())
        if points is None:
            kept = np.repeat(kept, network.input_dimension + 1)
        self._masks = [mask[kept].T.astype(np.float64) for mask in masks]  # n_l x m
        self._count = len(kept)

    def together(self, count: int) -> int:
        """How many primes are best taken at once for the first ``count`` vectors."""
        return at_once(self.network, self._count, count)

    def vanish(self, primes: Sequence[int], count: int, budget: Budget | None = None) -> tuple[bool, int]:
        """Whether the first ``count`` vectors annihilate all rows modulo those of the primes that divide no
        denominator; and the product of these. Raises ``BudgetExceeded``.
        """
        primes = self._reducible.usable(primes)
        if self._points is not None:
            primes = residues.usable([self._points.table], primes)
        product, moves = prod(primes), self._moves(primes, count) if primes else []
        if not moves or not self._count:
            return True, product
        layers, inputs = self._reducible.modulo_all(primes), self._inputs(primes)
        step = max(1, _ENTRIES // (len(primes) * _weight(self.network, count)))
        for start in range(0, self._count, step):
            if budget is not None:
                budget.check()
            part = slice(start, start + step)
            masks = [mask[:, part] for mask in self._masks]
            if _derivative(layers, masks, inputs[:, :, part], moves, count, primes).any():
                return False, product
        return True, product

    def _inputs(self, primes: Sequence[int]) -> FloatArray:
        """Homogeneous coordinates modulo the primes, ``primes x (n_0 + 1) x m``."""
        size = self.network.input_dimension + 1
        if self._points is None:
            units = np.tile(np.eye(size), self._count // size)
            return np.broadcast_to(units, (len(primes), *units.shape))
        ones = np.ones((len(primes), self._count, 1))
        return np.concatenate([self._points.table.modulo_all(primes), ones], axis=2).transpose(0, 2, 1)

    def _moves(self, primes: Sequence[int], count: int) -> list[_Moves]:
        values, result = stacks.integers_modulo(self._integers, primes), []
        for (level, neuron), (vectors, rows), (columns, places), numbers in self._of_first(count):
            entries = np.zeros((len(primes), len(vectors), len(columns)))
            entries[:, rows, places] = values[:, numbers]
            result.append(_Moves(level, neuron, vectors, columns, entries))
        return result

    def _of_first(self, count: int) -> list[Any]:
        """By neuron: vectors and parameters that move, with the rows and columns of the entries, and the entries."""
        if self._last is not None and self._last[0] == count:
            return self._last[1]
        blocks = ((neuron, block[block[:, 0] < count]) for neuron, block in self._blocks.items())
        found = [
            (
                neuron,
                np.unique(block[:, 0], return_inverse=True),
                np.unique(block[:, 1], return_inverse=True),
                block[:, 2],
            )
            for neuron, block in blocks
            if len(block)
        ]
        self._last = count, found
        return found


def at_once(network: Network, rows: int, vectors: int) -> int:
    """How many primes are best taken at once for so many vectors at so many points (or ``n_0 + 1`` for each cell)."""
    return max(1, _ENTRIES // max(_weight(network, vectors) * rows, network.parametric_dimension))


def _weight(network: Network, vectors: int) -> int:
    return network.output_dimension * (vectors + sum(network.architecture))


def _derivative(
    layers: Sequence[FloatArray],
    masks: Sequence[FloatArray],
    inputs: FloatArray,
    moves: Sequence[_Moves],
    count: int,
    primes: Sequence[int],
) -> FloatArray:
    """``J v`` modulo the primes, ``primes x outputs x vectors x points``."""
    first, last = moves[0].level, moves[-1].level
    three, four = stacks.moduli(primes, 3), stacks.moduli(primes, 4)
    reached = [inputs]
    for a, mask in zip(layers[:last], masks, strict=False):
        z = stacks.multiply(a, reached[-1], three) * mask
        reached.append(np.concatenate([z, inputs[:, -1:]], axis=1))
    outputs = layers[-1].shape[1]
    slopes = {len(layers) - 1: (np.eye(outputs)[:, :, None] * masks[-1])[None]}  # primes x outputs x neurons x points
    for level in range(len(layers) - 1, first, -1):
        back = layers[level][:, None, :, :-1].swapaxes(2, 3)
        slopes[level - 1] = stacks.multiply(back, slopes[level], four) * masks[level - 1]
    total = np.zeros((len(primes), outputs, count, inputs.shape[2]))
    for level, neuron, vectors, columns, entries in moves:
        change = stacks.multiply(entries, reached[level][:, columns], three)[:, None]
        # sums of fewer residues than there are neurons
        total[:, :, vectors] += stacks.reduce(change * slopes[level][:, :, neuron, None], four, overwrite=True)
    return stacks.reduce(total, four, overwrite=True)
