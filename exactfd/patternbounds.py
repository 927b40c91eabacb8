"""An upper bound on the rank of a batch that activation patterns give: two hidden layers and one output.

Up to nonzero factors of the columns, the row of the Jacobian at a point ``x`` is the sum, over the active neurons
``k`` of the first layer and ``k = 0``, of

    T_k(p, X) = ((w_k.X) p, (c_k.p) X),    T_0(p, X) = X_n (p, 1),

where ``X = (x, 1)`` has length ``n = n_0 + 1``, ``p`` says which neurons of the second layer are live, ``w_k`` is the
row of ``k``, and ``c_k`` has the weights from ``k`` times those to the output. The first part of ``T_k`` belongs to
the weights from ``k``, the second to its row, ``T_0`` to the biases behind. (The weights to the output, which are not
zero, add nothing: scalings show them as combinations of the others.) All is linear in ``X``, and in ``(p, 1)``, and
this is all that the bound uses.

Neurons that are active at the same points form a *block* ``B``; those that are active at all points, with ``k = 0``,
form block 0; points where ``p`` is zero do not matter. ``T_B`` is the sum over a block. Let ``U_B`` be any space of
patterns.

- ``V_B``, spanned by all ``T_B(u, v)`` with ``u`` in ``U_B``, has dimension at most ``n dim U_B``. Its vectors
  consist of ``u_k`` in ``U_B`` and ``y_k`` of length ``n``, with ``c_j.u_k = w_k.y_j`` for all ``j`` and ``k`` in
  ``B``, so another bound is ``|B| dim U_B + |B| (n - rank of the w_k)``, where only ``y_k`` with a nonzero ``c_k``
  count. For block 0 there are two spaces, one for the unit vectors ``v`` but the last, and one, of vectors ``(u,
  a)``, for the last. It counts once more, and the last unit vector is one of the ``w_k``.
- For a set ``A`` of blocks, 0 among them, let ``T(A, p, X)`` be the sum. Modulo all ``V_B``, and for a unit vector
  ``X``, it depends linearly on the ``p mod U_B``, ``B`` in ``A``, together. So for some pairs ``(A, p)`` all ``T(A,
  p, X)`` add no more than ``n_0 r + s`` dimensions, ``r`` and ``s`` being the ranks of those vectors for the first
  unit vectors and for the last.
- Any other row counts one.

A row is ``T(A, p, X)`` with ``A`` the active blocks, or with those that are active at all points with the pattern
``p``, if ``p`` is in ``U_B`` for those that are active at some of them.

If the spaces have small integer bases, all this is ranks of small integer tables: neither parameters nor points enter
with their digits. Which spaces and pairs are good is read off random vectors of the kernel modulo a prime: ``U_B`` is
to hold the small ``u`` with all ``T_B(u, v)`` in the span of the rows. Generic parameters and points attain the bound
nearly always (of the networks of the benchmarks, 123 of 125). Chance and unlucky primes can make it larger, but never
wrong.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from exactfd.budget import Budget
from exactfd.geometry import bits
from exactfd.jacobians import FloatArray, ModularNetwork, SignArray, masks_of
from exactfd.linalg import modular
from exactfd.linalg.small import equations, rank_bound
from exactfd.network import Network

BoolArray = np.ndarray[Any, np.dtype[np.bool_]]
Indices = np.ndarray[Any, np.dtype[np.intp]]

_SPARE = 4  # kernel vectors beyond the length of a pattern
_TESTS = 3  # kernel vectors that tell whether something is in the span of the rows


def applies(network: Network) -> bool:
    """Whether a network has two hidden layers and one output, all weights to which are nonzero."""
    return network.depth == 3 and network.output_dimension == 1 and bool(network.supports[2][0, :-1].all())


def vectors_wanted(network: Network) -> int:
    """How many kernel vectors :func:`pattern_bound` asks for."""
    return network.architecture[2] + 1 + _SPARE


def pattern_bound(reduced: ModularNetwork, labels: SignArray, kernel: FloatArray, budget: Budget) -> int:
    """An upper bound on the rank over Q of the Jacobian at smooth points with these labels (``m x N``), of a network to
    which it :func:`applies`.

    ``kernel`` are random vectors (``q x D``) of its kernel modulo the prime of the network: the bound holds for any
    vectors, and is good for these. Raises ``BudgetExceeded``.
    """
    network = reduced.network
    masks = [mask > 0 for mask in masks_of(labels, network.relu_widths)]
    if len(masks) == network.depth:
        masks = [mask[masks[2][:, 0]] for mask in masks[:2]]  # the other rows are zero
    neurons = np.flatnonzero(masks[1].any(axis=0))
    active, live = masks[0], masks[1][:, neurons]
    if not len(live):
        return 0
    budget.check(bytes_needed=32 * active.shape[1] * (len(kernel) * max(network.architecture[1:]) + len(live)))
    patterns, number = bits.distinct(live) if len(neurons) else (live[:1], np.zeros(len(live), dtype=np.intp))
    blocks = _Blocks(reduced, active, np.asarray(live.any(axis=1)), neurons, kernel)
    active, images = blocks.active, blocks.images(patterns)
    # all points of a pattern together, where that is good
    often, sizes = np.zeros((len(patterns), active.shape[1]), dtype=np.int64), np.bincount(number)[:, None]
    np.add.at(often, number, active)
    always, sometimes = often == sizes, (often > 0) & (often < sizes)
    together = blocks.spanned(always, patterns) & ~(sometimes & blocks.outside(images)).any(axis=1)
    pairs = [(always[together], np.flatnonzero(together))]
    # the others cell by cell
    apart, alone = np.flatnonzero(~together[number]), 0
    if len(apart):
        cells, cell = bits.distinct(np.concatenate([active[apart], live[apart]], axis=1))
        pattern = np.empty(len(cells), dtype=np.intp)
        pattern[cell] = number[apart]
        sets = cells[:, : active.shape[1]]
        good = blocks.spanned(sets, patterns[pattern])
        pairs.append((sets[good], pattern[good]))
        alone = int(np.minimum(np.bincount(cell), network.input_dimension + 1)[~good].sum())
    budget.check()
    sets, pattern = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    first, last = blocks.ranks(images[pattern], patterns[pattern], sets)
    return alone + blocks.dimension() + network.input_dimension * first + last


class _Blocks:
    """The blocks and their spaces, each the common zeros of small integer vectors.

    Parameters
    ----------
    active, live
        Which neurons of the first layer are active (``m x n_1``), and which points have a pattern that is not zero.
    neurons
        The neurons of the second layer that the patterns are about.
    kernel
        As for :func:`pattern_bound`.

    Attributes
    ----------
    active
        By point and block, but for block 0.
    """

    def __init__(
        self, reduced: ModularNetwork, active: BoolArray, live: BoolArray, neurons: Indices, kernel: FloatArray
    ) -> None:
        self._prime, self._below = reduced.prime, reduced.layers[0]
        self._joined = np.asarray(reduced.network.supports[1][neurons, :-1].any(axis=0))
        columns, block = bits.distinct((active & live[:, None]).T)
        somewhere = columns.any(axis=1)
        everywhere: BoolArray = np.asarray((columns | ~live).all(axis=1) & somewhere)
        places = np.flatnonzero(somewhere & ~everywhere)
        self.active: BoolArray = columns[places].T
        self._members = [np.flatnonzero(block == place) for place in places.tolist()]
        self._base = np.flatnonzero(everywhere[block])
        products, count, size = _Products(reduced, neurons, kernel), len(kernel), self._below.shape[1]
        at = modular.random_numbers(np.random.default_rng(0), count, size)
        last = np.zeros((count, size))
        last[:, -1] = 1.0
        single = products.single(at)
        self._seen = [self._sum(single, members) for members in self._members]
        self._seen_base = self._with_bias(single, products, at)
        tables = [equations(table, self._prime) for table in self._seen]
        self._owners = np.repeat(np.arange(len(tables)), [len(table) for table in tables])
        self._equations = np.concatenate([np.zeros((0, len(neurons))), *tables])
        self._last = equations(self._with_bias(products.single(last), products, last), self._prime)
        self._first = np.zeros((0, len(neurons)))
        if len(self._base):
            self._first = equations(self._sum(products.single(at * (1.0 - last)), self._base), self._prime)

    def _sum(self, single: FloatArray, members: Indices) -> FloatArray:
        return modular.reduce(single[:, members].sum(axis=1), self._prime)

    def _with_bias(self, single: FloatArray, products: _Products, at: FloatArray) -> FloatArray:
        return modular.reduce(_padded(self._sum(single, self._base), 0.0) + products.behind(at), self._prime)

    def spanned(self, sets: BoolArray, patterns: BoolArray) -> BoolArray:
        """For pairs ``(A, p)`` (``k x blocks``, ``k x n_2``) whether all ``T(A, p, X)`` are in the span of the rows
        modulo the prime, most likely.
        """
        table, result = patterns.astype(np.float64), np.ones(len(sets), dtype=bool)
        for test in range(_TESTS):
            seen = np.array([values[test] for values in self._seen]).reshape(len(self._seen), table.shape[1])
            total = modular.multiply(_padded(table, 1.0), self._seen_base[test, :, None], self._prime)[:, 0]
            total += (modular.multiply(table, seen.T, self._prime) * sets).sum(axis=1)
            result &= modular.reduce(total, self._prime) == 0.0
        return result

    def images(self, patterns: BoolArray) -> FloatArray:
        """Patterns modulo the space of each block but 0, one after the other (integers, ``k x f``)."""
        return np.asarray(patterns @ self._equations.T)

    def outside(self, images: FloatArray) -> BoolArray:
        """By pattern and block, whether it is not in the space."""
        result = np.zeros((len(images), len(self._members)), dtype=bool)
        row, place = np.nonzero(images)
        result[row, self._owners[place]] = True
        return result

    def ranks(self, images: FloatArray, patterns: BoolArray, sets: BoolArray) -> tuple[int, int]:
        """At least the ranks of the vectors of pairs ``(A, p)`` for the first unit vectors, and for the last."""
        table, rows = patterns.astype(np.float64), images * sets[:, self._owners]
        first, last = table @ self._first.T, _padded(table, 1.0) @ self._last.T
        return (
            rank_bound(np.concatenate([rows, first], axis=1), self._prime),
            rank_bound(np.concatenate([rows, last], axis=1), self._prime),
        )

    def dimension(self) -> int:
        """At least that of all ``V_B`` together."""
        width, size = self._equations.shape[1], self._below.shape[1]
        total: int = width + 1 - len(self._last)
        free = width - np.bincount(self._owners, minlength=len(self._members))
        for members, own in zip(self._members, free.tolist(), strict=True):
            total += min(size * own, self._constrained(members, own, self._below[members]))
        if len(self._base):
            own, rows = width - len(self._first), np.zeros((len(self._base) + 1, size))
            rows[:-1], rows[-1, -1] = self._below[self._base], 1.0
            total += min((size - 1) * own, self._constrained(self._base, own, rows))
        return total

    def _constrained(self, members: Indices, own: int, rows: FloatArray) -> int:
        """At least the dimension of the ``u_k`` and ``y_k`` of a block."""
        free: int = self._below.shape[1] - modular.rank(rows, self._prime)
        return len(members) * own + int(self._joined[members].sum()) * free


class _Products:
    """Products of vectors of parameters with ``T_k(p, v)``, as functions of ``p``."""

    def __init__(self, reduced: ModularNetwork, neurons: Indices, vectors: FloatArray) -> None:
        self._prime, (self._below, above, last) = reduced.prime, reduced.layers
        (first, size), middle, count = self._below.shape, len(above), len(vectors)
        self._rows = vectors[:, : first * size].reshape(count, first, size)
        inner = vectors[:, first * size : -middle - 1].reshape(count, middle, first + 1)[:, neurons]
        outer, above, last = vectors[:, -middle - 1 :], above[neurons], last[0, neurons]
        # a move of a weight to the output is one of all weights into its neuron
        inner = modular.reduce(inner * last[:, None], self._prime) + self._reduce(above * outer[:, neurons, None])
        inner = self._reduce(inner).transpose(0, 2, 1)
        self._inner, self._ends = inner[:, :first], np.concatenate([inner[:, first], outer[:, -1:]], axis=1)
        self._factors = self._reduce(above[:, :first] * last[:, None]).T

    def _reduce(self, values: FloatArray) -> FloatArray:
        return modular.reduce(values, self._prime)

    def single(self, at: FloatArray) -> FloatArray:
        """Of each vector ``t`` with every ``T_k(p, at[t])``: ``q x n_1 x n_2``."""
        values = modular.multiply(at, self._below.T, self._prime)[:, :, None]
        moved = modular.multiply(self._rows, at[:, :, None], self._prime)
        return self._reduce(self._reduce(self._inner * values) + self._reduce(moved * self._factors))

    def behind(self, at: FloatArray) -> FloatArray:
        """The same with ``T_0``, for ``(p, 1)``: ``q x (n_2 + 1)``."""
        return self._reduce(self._ends * at[:, -1:])


def _padded(table: FloatArray, value: float) -> FloatArray:
    """With one more column."""
    return np.concatenate([table, np.full((len(table), 1), value)], axis=1)
