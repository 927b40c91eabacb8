"""An upper bound on the rank of a batch that activation patterns give: two hidden layers and one output, or one.

Let all weights to the output be nonzero. Up to nonzero factors of the columns, and but for the columns of those
weights, the row of the Jacobian at a point ``x`` is the sum, over the active neurons ``k`` of the first layer and ``k
= 0``, of

    T_k(p, X) = ((w_k.X) p, (c_k.p) X),    T_0(p, X) = X_n (p, 1),

where ``X = (x, 1)`` has length ``n = n_0 + 1``, ``p`` says which neurons of the second layer are active, ``w_k`` is
the row of ``k``, and ``c_k`` has the weights from ``k`` times those to the output. The first part of ``T_k`` belongs
to the weights from ``k``, the second to its row, ``T_0`` to the biases behind. (Scalings show the columns left out as
combinations of the others. Where a ReLU on the output is inactive, the row is zero.) With one hidden layer, and any
number of outputs, all is the same if ``p`` is a unit vector, the output that the row belongs to, ``c_k`` has the
weights from ``k``, and ``T_0 = X_n p``. All is linear in ``X``, and in ``(p, 1)``; this, and where ``T_k`` lies, is
all that the bound uses.

Neurons that are active at the same points form a *block* ``B``; those that are active at all points, and ``k = 0``,
form block 0. (At points where ``p`` is zero all ``T_k`` but ``T_0`` are zero, so these points have no say in that.)
``T_B`` is the sum over a block. Let ``U_B`` be any space of patterns.

- Let ``V_B`` be the span of all ``T_B(u, v)`` with ``u`` in ``U_B``. Its dimension is at most ``n dim U_B``. Its
  vectors consist of ``u_k`` in ``U_B`` and ``y_k`` of length ``n``, ``k`` in ``B``, with ``c_j.u_k = w_k.y_j`` for
  all ``j`` and ``k``, and ``y_k = 0`` where ``c_k = 0``. So with ``b`` neurons in ``B``, ``b'`` of them with a
  nonzero ``c_k``, another bound is ``b dim U_B + b' (n - rank of the w_k)``.
- Block 0 has one space ``U`` for ``v`` with ``v_n = 0``, where ``T_0`` is zero, and another one ``U'`` of vectors
  ``(u, a)`` for the last unit vector. ``V_0`` is spanned by both kinds. Its dimension is at most ``dim U' + n_0 dim
  U``; and at most ``dim U'`` more than the other bound for ``U``, with the last unit vector among the ``w_k``, as the
  last entry of ``y_j`` is ``c_j.u`` with the vector ``(u, a)`` of the part of ``T_0``.
- For a set ``A`` of blocks, 0 among them, let ``T(A, p, X)`` be the sum of their ``T_B(p, X)``. Modulo all ``V_B``,
  and for a unit vector ``X``, it depends linearly on the vector that consists of all ``p mod U_B`` with ``B`` in
  ``A``, and zeros for the other blocks. So for some pairs ``(A, p)`` all ``T(A, p, X)`` add no more than ``n_0 r +
  s`` dimensions, ``r`` and ``s`` being the ranks of these vectors for the first unit vectors and for the last.
- Any other row, which is ``T(A, p, X)`` with ``A`` the active blocks, counts one, and those with the same ``A`` and
  ``p`` together no more than ``n``.

If the spaces have small integer bases, all this is ranks of small integer tables: neither parameters nor points enter
with their digits. Which spaces and pairs are good is read off random vectors of the kernel modulo a prime: ``U_B`` is
to hold the small ``u`` with all ``T_B(u, v)`` in the span of the rows. Generic parameters and points attain the bound
nearly always. Chance and unlucky primes can make it larger, but never wrong.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from exactfd.budget import Budget
from exactfd.geometry import bits
from exactfd.jacobians import FloatArray, ModularNetwork, SignArray
from exactfd.linalg import modular
from exactfd.linalg.small import equations, rank_bound, rank_bound_of_parts
from exactfd.network import Network
from exactfd.patterns.rows import rows_of

BoolArray = np.ndarray[Any, np.dtype[np.bool_]]
Indices = np.ndarray[Any, np.dtype[np.intp]]

_SPARE = 4  # kernel vectors beyond the length of a pattern
_TOGETHER = 256  # pairs whose vectors are held together
_TESTS = 3  # kernel vectors that tell whether something is in the span of the rows


def applies(network: Network) -> bool:
    """Whether a network has one hidden layer, or two, and one output all weights to which are nonzero."""
    if network.depth == 3 and network.output_dimension == 1:
        return bool(network.supports[2][0, :-1].all())
    return network.depth == 2


def vectors_wanted(network: Network, labels: SignArray) -> int:
    """How many kernel vectors :func:`pattern_bound` asks for, for rows at points with these labels."""
    return network.architecture[2] + 1 + _SPARE


def bytes_wanted(network: Network, labels: SignArray, vectors: int) -> int:
    """About how much memory so many vectors and :func:`pattern_bound` need."""
    first, second = network.architecture[1:3]
    vectors = vectors * (network.parametric_dimension + 2 * first * second)
    return (
        16 * vectors + 32 * len(labels) * network.output_dimension * (first + second) + (8 * _TOGETHER * first * second)
    )


def pattern_bound(
    reduced: ModularNetwork, labels: SignArray, kernel: FloatArray, budget: Budget, *, points: int = 1
) -> int:
    """An upper bound on the rank over Q of the Jacobian at smooth points with these labels (``m x N``), of a network to
    which it :func:`applies`; each label is that of so many ``points``.

    ``kernel`` are random vectors (residues, ``q x D``, ``q > 2``) of its kernel modulo the prime of the network: the
    bound holds for any vectors, and is good for these. Raises ``BudgetExceeded``.
    """
    (active,), live = rows_of(reduced.network, labels, by_neurons=reduced.network.depth == 3)
    if not len(live):
        return 0
    budget.check()
    neurons, size = np.flatnonzero(live.any(axis=0)), reduced.network.input_dimension + 1
    live = live[:, neurons]
    blocks = _Blocks(reduced, active, np.asarray(live.any(axis=1)), neurons, kernel, budget)
    cells, cell = bits.distinct(np.concatenate([blocks.active, live], axis=1))
    sets, patterns = np.split(cells, [blocks.active.shape[1]], axis=1)
    good = blocks.spanned(sets, patterns)
    alone = int(np.minimum(points * np.bincount(cell), size)[~good].sum())
    first, last = blocks.ranks(sets[good], patterns[good])
    return alone + blocks.dimension() + (size - 1) * first + last


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
        self,
        reduced: ModularNetwork,
        active: BoolArray,
        live: BoolArray,
        neurons: Indices,
        kernel: FloatArray,
        budget: Budget,
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
        seen = [self._sum(single, members) for members in self._members]
        self._seen: FloatArray = np.array(seen).reshape(len(seen), count, len(neurons))
        self._seen_base = self._with_bias(single, products, at)
        self._check, tables = budget.check, []
        for table in self._seen:
            self._check()
            tables.append(equations(table, self._prime))
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
            total = modular.multiply(self._extended(table), self._seen_base[test, :, None], self._prime)[:, 0]
            total += (modular.multiply(table, self._seen[:, test].T, self._prime) * sets).sum(axis=1)
            result &= modular.reduce(total, self._prime) == 0.0
        return result

    def ranks(self, sets: BoolArray, patterns: BoolArray) -> tuple[int, int]:
        """At least the ranks of the vectors of pairs ``(A, p)`` for the first unit vectors, and for the last."""
        table = patterns.astype(np.float64)
        return self._rank(sets, table, self._first), self._rank(sets, self._extended(table), self._last)

    def _rank(self, sets: BoolArray, patterns: FloatArray, base: FloatArray) -> int:
        """The same, with the equations of the space of block 0."""
        length = self._equations.shape[1]

        def part(pairs: slice) -> FloatArray:
            self._check()
            images = (patterns[pairs, :length] @ self._equations.T) * sets[pairs][:, self._owners]
            return np.concatenate([images, patterns[pairs] @ base.T], axis=1)

        width = len(self._equations) + len(base)
        if len(sets) <= width:
            return rank_bound(part(slice(None)), self._prime)
        places = [slice(start, start + _TOGETHER) for start in range(0, len(sets), _TOGETHER)]
        return rank_bound_of_parts(lambda: map(part, places), width, self._prime)

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
