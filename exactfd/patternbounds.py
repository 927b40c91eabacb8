"""An upper bound on the rank of a batch that activation patterns give: two hidden layers and one output, or one.

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

A row is ``T(A, p, X)`` with ``A`` the active blocks. With one hidden layer, and any number of outputs, all is the same
if ``p`` is a unit vector, the output that the row belongs to, ``c_k`` the weights from ``k``, and ``T_0 = X_n p``.

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
    """Whether a network has one hidden layer, or two, and one output all weights to which are nonzero."""
    if network.depth == 3 and network.output_dimension == 1:
        return bool(network.supports[2][0, :-1].all())
    return network.depth == 2


def vectors_wanted(network: Network) -> int:
    """How many kernel vectors :func:`pattern_bound` asks for."""
    return network.architecture[2] + 1 + _SPARE


def pattern_bound(reduced: ModularNetwork, labels: SignArray, kernel: FloatArray, budget: Budget) -> int:
    """An upper bound on the rank over Q of the Jacobian at smooth points with these labels (``m x N``), of a network to
    which it :func:`applies`.

    ``kernel`` are random vectors (``q x D``) of its kernel modulo the prime of the network: the bound holds for any
    vectors, and is good for these. Raises ``BudgetExceeded``.
    """
    active, live = _rows(reduced.network, labels)
    if not len(live):
        return 0
    size, count = reduced.network.input_dimension + 1, len(kernel) * max(reduced.network.architecture[1:3])
    budget.check(bytes_needed=32 * active.shape[1] * (count + len(live)))
    neurons = np.flatnonzero(live.any(axis=0))
    live = live[:, neurons]
    blocks = _Blocks(reduced, active, np.asarray(live.any(axis=1)), neurons, kernel)
    cells, cell = bits.distinct(np.concatenate([blocks.active, live], axis=1))
    sets, patterns = np.split(cells, [blocks.active.shape[1]], axis=1)
    good = blocks.spanned(sets, patterns)
    alone = int(np.minimum(np.bincount(cell), size)[~good].sum())
    budget.check()
    first, last = blocks.ranks(sets[good], patterns[good])
    return alone + blocks.dimension() + (size - 1) * first + last


def _rows(network: Network, labels: SignArray) -> tuple[BoolArray, BoolArray]:
    """By row of the Jacobian which neurons of the first layer are active, and its pattern; without rows of zeros."""
    masks = [mask > 0 for mask in masks_of(labels, network.relu_widths)]
    if network.depth == 3:
        shown = masks[2][:, 0] if len(masks) == 3 else slice(None)
        return masks[0][shown], masks[1][shown]
    point, output = np.indices((len(labels), network.output_dimension)).reshape(2, -1)
    if len(masks) == 2:
        point, output = masks[1].nonzero()
    return masks[0][point], np.eye(network.output_dimension, dtype=bool)[output]


class _Blocks:
    """The blocks and their spaces, each the common zeros of small integer vectors.

    Parameters
    ----------
    active, live
        Which neurons of the first layer are active (``m x n_1``), and which rows have a pattern that is not zero.
    neurons
        The neurons of the second layer that the patterns are about.
    kernel
        As for :func:`pattern_bound`.

    Attributes
    ----------
    active
        By row and block, but for block 0.
    """

    def __init__(
        self, reduced: ModularNetwork, active: BoolArray, live: BoolArray, neurons: Indices, kernel: FloatArray
    ) -> None:
        self._prime, self._below, self._ends = reduced.prime, reduced.layers[0], reduced.network.depth - 2
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
        return modular.reduce(self._extended(self._sum(single, self._base), 0.0) + products.behind(at), self._prime)

    def _extended(self, patterns: FloatArray, value: float = 1.0) -> FloatArray:
        """With one more entry where there is a bias behind the patterns."""
        return np.concatenate([patterns, np.full((len(patterns), self._ends), value)], axis=1)

    def spanned(self, sets: BoolArray, patterns: BoolArray) -> BoolArray:
        """For pairs ``(A, p)`` (``k x blocks``, ``k x n_2``) whether all ``T(A, p, X)`` are in the span of the rows
        modulo the prime, most likely.
        """
        table, result = patterns.astype(np.float64), np.ones(len(sets), dtype=bool)
        for test in range(_TESTS):
            seen = np.array([values[test] for values in self._seen]).reshape(len(self._seen), table.shape[1])
            total = modular.multiply(self._extended(table), self._seen_base[test, :, None], self._prime)[:, 0]
            total += (modular.multiply(table, seen.T, self._prime) * sets).sum(axis=1)
            result &= modular.reduce(total, self._prime) == 0.0
        return result

    def ranks(self, sets: BoolArray, patterns: BoolArray) -> tuple[int, int]:
        """At least the ranks of the vectors of pairs ``(A, p)`` for the first unit vectors, and for the last."""
        table = patterns.astype(np.float64)
        rows = (table @ self._equations.T) * sets[:, self._owners]
        first, last = table @ self._first.T, self._extended(table) @ self._last.T
        return (
            rank_bound(np.concatenate([rows, first], axis=1), self._prime),
            rank_bound(np.concatenate([rows, last], axis=1), self._prime),
        )

    def dimension(self) -> int:
        """At least that of all ``V_B`` together."""
        width, size = self._equations.shape[1], self._below.shape[1]
        total: int = width + self._ends - len(self._last)
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
        self._prime, (self._below, above) = reduced.prime, reduced.layers[:2]
        (first, size), middle, count = self._below.shape, len(above), len(vectors)
        self._rows, inner, outer = np.split(vectors, np.cumsum([first * size, middle * (first + 1)]), axis=1)
        self._rows, inner = self._rows.reshape(count, first, size), inner.reshape(count, middle, first + 1)
        above, inner = above[neurons], inner[:, neurons]
        if len(reduced.layers) == 3:  # a move of a weight to the output is one of all weights into its neuron
            last = reduced.layers[2][0, neurons]
            inner = self._reduce(inner * last[:, None]) + self._reduce(above * outer[:, neurons, None])
            inner, above = self._reduce(inner), self._reduce(above * last[:, None])
        inner, self._factors = inner.transpose(0, 2, 1), above[:, :first].T
        self._inner, self._ends = inner[:, :first], np.concatenate([inner[:, first], outer[:, middle:]], axis=1)

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
