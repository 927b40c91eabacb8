"""An upper bound on the rank of a batch that activation patterns give: three hidden layers and one output.

As in :mod:`exactfd.patterns.shallow`, let all weights to the output be nonzero, scale columns, and leave out those of
these weights. The row of the Jacobian at a point ``x`` is then the sum, over the active neurons ``i`` of the second
layer and ``k`` of the first, and ``k = 0`` for the biases of the second, of

    S_ik(p, X) = (w_ik (w_k.X) p, (c_i.p)(w_k.X), w_ik (c_i.p) X),

and of ``T_0(p, X) = X_n (p, 1)`` for the biases behind. Here ``X = (x, 1)`` has length ``n = n_0 + 1``, ``p`` says
which neurons of the third layer are active, ``w_k`` is the row of ``k`` and ``w_0`` the last unit vector, ``w_ik`` is
the weight from ``k`` to ``i``, and ``c_i`` has the weights from ``i`` times those to the output. The first part
belongs to the weights from ``i``, the second to the weight from ``k`` to ``i``, the third to the row of ``k``;
``S_i0`` has no third part. (Where a ReLU on the output is inactive, the row is zero.)

Neurons of the first layer that are active at the same points form a *block*; those that are active always, and ``k =
0``, form block 0. (Points where ``p`` is zero, or no neuron of the second layer is active, have no say in that.) Sums
over a block are ``S_ib``. For a vector ``a`` with an entry for each block let ``S_i(a, u, X)`` be the sum of all
``a_b S_ib(u, X)``; for a matrix ``v`` with rows ``v_i`` let ``T_b(v, X)`` be the sum of all ``S_ib(v_i, X)``, with
``T_0`` where that is said. The row is the sum of all ``S_i(a, p, X)``, ``i`` active, and ``T_0``, where ``a`` says
which blocks are active. The bound counts dimensions that contain them:

- *Groups*: for an ``i``, spaces ``L`` of vectors ``a`` and ``U`` of vectors ``u``, and all ``S_i(a, u, X)`` with
  these. They have first parts in ``U``. As to the other two, ``L`` is a direct sum of spaces that belong to different
  blocks. In each of these, blocks whose entries are proportional in it form a class. With each class belongs a vector
  ``Z``, the sum of all ``(c_i.u) X`` times what its entries have in common: in any sum of terms the second parts of a
  class are multiples of all ``w_k.Z``, and the third ones are those of ``w_ik Z``. So ``Z`` itself, of length ``n``,
  is counted for a class of ``n`` neurons or more; else, for a *light* class, the ``w_k.Z``, as many as there are
  neurons. Where that is more than ``n`` times the dimension of the space, ``Z`` is counted for each vector of a basis
  instead. Of all this one is taken away: ``c_i`` times the first part is the sum over ``k``, 0 among them, of
  ``w_ik`` times the second one. (Where ``c_i`` is zero on ``U``, so are the other parts.) Block 0 has one neuron more
  here.
- *Matrices*: for a block ``b``, some ``v``, and all ``T_b(v, X)``. Where the block is *touched*, only the ``w_k.X``
  are counted for each, no more than ``n`` and no more than there are neurons; else ``n``. For block 0, unit vectors
  ``X`` are looked at apart. In the first ones the biases have no say. In the last one ``T_b(v, X)`` has a part of
  ``T_0`` too, and is one dimension for each ``v``.
- *Moves*: blocks in light classes are touched; others may be. Where all that is counted up to here is zero, all
  ``w_k.Z`` of a touched block are zero, where ``Z`` now is the sum for the block and an ``i`` over all terms; the
  third part for a neuron of the block is the sum over ``i`` of ``w_ik Z``. So with ``b`` neurons these are ``b (n -
  rank of the w_k)`` more dimensions (in block 0 ``w_0`` is one of the ``w_k``, but has no third part). All this is
  about formal sums of terms: it counts what a linear map shows of them, and what vectors those give that it does not
  see.
- Modulo all that, and for a unit vector ``X``, rows depend linearly on the tensors ``a_b p_j`` (``i`` active) of
  their cells, and on ``(p, 1)`` if it is the last one. So they are no more than ``n_0 r + s``, where ``r`` and ``s``
  are the ranks of these tensors modulo those of groups and matrices. Rows that are not to be bounded so count one
  each, and no more than ``n`` in a cell.

All this holds for any groups and matrices. They have small integer entries, so the ranks of tensors are those of
small integer tables. As in :mod:`exactfd.patterns.shallow`, good ones are read off random vectors of the kernel
modulo a prime: what is in the span of the rows is to be in groups or matrices. Generic parameters and points attain
the bound nearly always, where layers are not wide.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from exactfd.budget import Budget
from exactfd.geometry import bits
from exactfd.jacobians import FloatArray, ModularNetwork, SignArray
from exactfd.linalg import modular
from exactfd.linalg.small import is_exact, small, vanishing
from exactfd.network import Network
from exactfd.patterns.groups import Groups
from exactfd.patterns.products import Quotient
from exactfd.patterns.rows import rows_of
from exactfd.patterns.terms import SPARE, Cells, Factors, Terms, extended_by_one, flat

BoolArray = np.ndarray[Any, np.dtype[np.bool_]]


def applies(network: Network) -> bool:
    """Whether a network has three hidden layers, and one output all weights to which are nonzero."""
    return network.depth == 4 and network.output_dimension == 1 and bool(network.supports[3][0, :-1].all())


def vectors_wanted(network: Network, labels: SignArray) -> int:
    """How many kernel vectors :func:`pattern_bound` asks for, for rows at points with these labels."""
    (_, second), patterns = rows_of(network, labels, by_neurons=True)
    pairs = bits.distinct(np.concatenate([second, patterns], axis=1))[0]
    return max(network.architecture[3] + 1, len(pairs)) + SPARE


def bytes_wanted(network: Network, labels: SignArray, vectors: int) -> int:
    """About how much memory so many vectors and :func:`pattern_bound` need."""
    first, second, third = network.architecture[1:4]
    slices = (first + 1 + second) * third
    of_vectors = network.parametric_dimension + 2 * first * second + second * third
    return 16 * (vectors * of_vectors + len(labels) * (len(labels) + 2 * slices))


def effort(network: Network) -> float:
    """What it takes, about, in multiplications of the ways that solve for vectors (measured)."""
    first, second, third = network.architecture[1:4]
    return 500.0 * first * second * third


def pattern_bound(
    reduced: ModularNetwork, labels: SignArray, kernel: FloatArray, budget: Budget, *, points: int = 1
) -> int:
    """An upper bound on the rank over Q of the Jacobian at smooth points with these labels (``m x N``), of a network to
    which it :func:`applies`; each label is that of so many ``points``.

    ``kernel`` are random vectors (residues, ``q x D``) of its kernel modulo the prime of the network: the bound holds
    for any vectors, and is good for these. Raises ``BudgetExceeded``.
    """
    budget.check()
    cells = Cells.of(reduced.network, labels)
    if not len(cells.counts):
        return 0
    terms = Terms(reduced, cells, kernel)
    good, size = terms.spanned(cells), reduced.network.input_dimension + 1
    alone = int(np.minimum(points * cells.counts, size)[~good].sum())
    cells = cells.take(good)
    return alone + _Count(terms, cells, Groups(terms, cells, budget), budget).total()


@dataclass(frozen=True, eq=False)
class _Matrices:
    """Matrices ``v`` for one block, with all ``T_b(v, X)`` in the span of the rows, most likely.

    Attributes
    ----------
    block
        Its number.
    tensors
        Integers, ``d x n_2 x n``.
    ends
        For block 0 and the last unit vector ``X`` the vectors of the parts of ``T_0`` (``d x (n + 1)``), else empty.
    """

    block: int
    tensors: FloatArray
    ends: FloatArray


class _Count:
    """The dimensions that the bound counts, for groups that are given."""

    def __init__(self, terms: Terms, cells: Cells, groups: Groups, budget: Budget) -> None:
        self._terms, self._cells, self._groups, self._check = terms, cells, groups, budget.check
        self._prime, self._base = terms.prime, len(cells.members) - 1
        self._size: int = terms.below.shape[1]
        shown = np.concatenate([cells.second, cells.patterns], axis=1)[cells.second.any(axis=1)]
        self._pairs = bits.distinct(shown)[0].astype(np.float64)
        self._matrices = [self._of_block(block) for block in range(self._base)]
        self._first = self._of_base(terms.first, last=False) if len(cells.members[self._base]) else None
        self._last = self._of_base(terms.last, last=True)

    def total(self) -> int:
        """All of them."""
        size, touched = self._size, self._groups.touched().tolist()
        total = len(self._last.tensors)
        for quotient in self._groups.quotients:
            total += sum(map(self._groups.cost, quotient.groups))
        for block, found in enumerate([*self._matrices, self._first]):
            number, most = 0 if found is None else len(found.tensors), size - int(block == self._base)
            moved = self._moves(block) + min(most, len(self._cells.members[block])) * number
            total += moved if touched[block] else min(moved, most * number)
        return total + (size - 1) * self._rest(self._first, last=False) + self._rest(self._last, last=True)

    def _moves(self, block: int) -> int:
        """The dimension of the moves of a block."""
        members, last = self._cells.members[block], np.eye(self._size)[-1:]
        rows = self._terms.below[members]
        rows = np.concatenate([rows, last]) if block == self._base else rows
        free: int = self._size - modular.rank(rows, self._prime)
        return len(members) * free

    def _of_block(self, block: int) -> _Matrices:
        self._check()
        ends = np.zeros((len(self._pairs), 0))
        return self._found(block, self._pairs, ends, self._terms.of_block(self._terms.factors, block))

    def _of_base(self, factors: Factors, last: bool) -> _Matrices:
        """For block 0, and unit vectors ``X``: the last one, where ``T_0`` comes in, also alone; or the others."""
        pairs, width = self._pairs, self._cells.second.shape[1]
        if not last:
            return self._found(self._base, pairs, np.zeros((len(pairs), 0)), factors)
        patterns = bits.distinct(self._cells.patterns)[0].astype(np.float64)
        pairs = np.concatenate([pairs, np.concatenate([np.zeros((len(patterns), width)), patterns], axis=1)])
        return self._found(self._base, pairs, extended_by_one(pairs[:, width:]), factors)

    def _found(self, block: int, pairs: FloatArray, ends: FloatArray, factors: Factors) -> _Matrices:
        """Combinations of pairs of activity and patterns, independent modulo the groups."""
        prime, width = self._prime, self._cells.second.shape[1]
        images = np.concatenate([self._images(block, pairs), ends], axis=1)
        chosen = sorted({row.tobytes(): i for i, row in enumerate(images) if row.any()}.values())
        pairs, images, ends = pairs[chosen], images[chosen], ends[chosen]
        matrices = pairs[:, :width, None] * pairs[:, None, width:]
        values = self._terms.of_matrices(factors, matrices)
        if ends.shape[1]:
            values = modular.reduce(values + modular.multiply(ends, self._terms.ends.T, prime), prime)
        combinations, fine = small(modular.kernel(np.ascontiguousarray(values.T), prime)[0], prime)
        combinations = combinations[fine]
        combinations = combinations[modular.independent_rows(modular.reduce(combinations @ images, prime), prime)]
        tensors = (combinations @ flat(matrices)).reshape(len(combinations), *matrices.shape[1:])
        return _Matrices(block, tensors, combinations @ ends)

    def _images(self, block: int, pairs: FloatArray) -> FloatArray:
        """What the groups leave of pairs, for one block."""
        second, patterns = np.split(pairs, [self._cells.second.shape[1]], axis=1)
        parts = [np.zeros((len(pairs), 0))]
        for neuron, quotient in enumerate(self._groups.quotients):
            parts.append((patterns @ quotient.of_block(block).T) * second[:, neuron : neuron + 1])
        return np.concatenate(parts, axis=1)

    def _rest(self, base: _Matrices | None, *, last: bool) -> int:
        """At least the rank of the tensors of the cells modulo groups and matrices, for the last unit vector ``X`` or
        for the others.
        """
        cells, blocks, quotients = self._cells, self._base + 1, self._groups.quotients
        if base is None:
            quotients = [quotient.without(self._base) for quotient in quotients]
        rows = np.concatenate([cells.active, cells.second, cells.patterns], axis=1)
        covered = np.ones(len(rows), dtype=bool)
        for neuron, quotient in enumerate(quotients):
            covered &= quotient.covers(cells.active, cells.patterns) | ~cells.second[:, neuron]
        parts = np.cumsum([blocks, cells.second.shape[1]])
        rows[covered, : parts[1]] = False
        rows = bits.distinct(rows if last else rows[~covered])[0].astype(np.float64)
        active, second, patterns = np.split(rows, parts, axis=1)
        known = self._matrices if base is None else [*self._matrices, base]
        units = [np.eye(blocks)[[found.block] * len(found.tensors)] for found in known]
        length = patterns.shape[1] + 1
        ends = [found.ends if found.ends.shape[1] else np.zeros((len(found.tensors), length)) for found in known]
        behind = extended_by_one(patterns) if last else np.zeros((len(rows), length))
        tensors = _Tensors(
            np.concatenate([*units, active]),
            np.concatenate([*(found.tensors for found in known), second[:, :, None] * patterns[:, None]]),
            np.concatenate([*ends, behind]),
        )
        number = sum(map(len, units))
        relations, fine = small(tensors.relations(quotients, number, self._prime, self._check), self._prime)
        return len(rows) - int(tensors.vanishing(quotients, relations[fine], self._check).sum())


@dataclass(frozen=True, eq=False)
class _Tensors:
    """Integer tensors: products of activity (``t x blocks``) and matrices (``t x n_2 x n``); and vectors beside."""

    active: FloatArray
    matrices: FloatArray
    behind: FloatArray

    def of_neuron(self, neuron: int) -> FloatArray:
        """``t x blocks x n``."""
        return self.active[:, :, None] * self.matrices[:, neuron, None]

    def relations(self, quotients: Sequence[Quotient], known: int, prime: int, check: Callable[[], None]) -> FloatArray:
        """Relations among them modulo the prime, and modulo groups, most likely: independent on those behind the first
        ``known`` ones.
        """
        count, random = len(self.active) + SPARE, np.random.default_rng(0)
        values = modular.random_combinations(modular.reduce(self.behind.T, prime), count, random, prime)
        for neuron, quotient in enumerate(quotients):
            check()
            tensors = self.of_neuron(neuron)
            used = np.flatnonzero(tensors.any(axis=(1, 2)))
            functionals = quotient.functionals(count, random, prime)
            values[:, used] += modular.multiply(flat(functionals), modular.reduce(flat(tensors[used]).T, prime), prime)
        space = modular.RowSpace(len(self.active), prime)
        space.add(modular.reduce(values, prime))
        return space.kernel()[space.free_columns >= known]

    def vanishing(self, quotients: Sequence[Quotient], relations: FloatArray, check: Callable[[], None]) -> BoolArray:
        """Which integer combinations certainly are zero modulo groups."""
        fine = vanishing(relations, self.behind)
        for neuron, quotient in enumerate(quotients):
            check()
            tensors = self.of_neuron(neuron)
            rows = flat(tensors)
            fine &= is_exact(relations, rows)
            fine[fine] = quotient.vanishes((relations[fine] @ rows).reshape(int(fine.sum()), *tensors.shape[1:]))
        return fine
