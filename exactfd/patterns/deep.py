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
- *Relations*: where matrices ``v_b`` of several blocks, each ``e_b v_b`` taken as a tensor, add up to one of groups,
  all sums of ``T_b(v_b, X)`` are in the span of groups. So what is counted of the coordinates of these sums, for each
  unit vector ``X`` with the matrices that belong to it (for the last one without a part of ``T_0``), is counted in
  vain: the dimension of the vectors that consist of all ``v_b (w_k.X)``, or ``v_b X``, is taken away again. (Formal
  sums less their groups are zero as rows; these vectors are what is counted of them for matrices alone.)
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

import numpy as np

from exactfd.budget import Budget
from exactfd.geometry import bits
from exactfd.jacobians import FloatArray, ModularNetwork, SignArray
from exactfd.network import Network
from exactfd.patterns.counts import Count
from exactfd.patterns.groups import Groups
from exactfd.patterns.rows import rows_of
from exactfd.patterns.terms import SPARE, Cells, Terms


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
    return alone + Count(terms, cells, Groups(terms, cells, budget), budget).total()
