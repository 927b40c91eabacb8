"""An upper bound on the rank of a batch that activation patterns give: two hidden layers and several outputs.

All is as in :mod:`exactfd.patterns.deep`, with outputs in place of the neurons of the third layer: at a point the row
of an output has as pattern ``p`` its unit vector, ``c_i`` has the weights from ``i`` to the outputs, ``T_0 = X_n p``,
and no weights come after that. No column is scaled or left out. As each point has a row for every output, all linear
combinations ``p`` come together: a group has ``U = R^d``, a matrix ``v`` is ``m_i p`` for any ``p``, and what is
counted for one ``p`` is counted ``d`` times, ``d`` being the number of outputs; all but second and third parts of
groups, and moves, which are there once. So patterns are left out of the tables.

*Points*: where the rows of a cell ``(a, s)`` (``s`` says which neurons of the second layer are active, ``a`` may be any
activity) are not in the span of the rows, those of the same cell with one more neuron ``i``, or one less, may be. Its
points then add no more than ``S_i(a, p, X)``: a second and third part for each, and the first parts ``p`` with ``c_i.p
= 0``, ``d - 1`` dimensions for all of them, and for a group of ``i``, together. (Where ``c_i`` is zero there are first
parts alone, no more than ``d``, which is what a group counts for them, or the first point.)
"""

from __future__ import annotations

import numpy as np

from exactfd.budget import Budget
from exactfd.geometry import bits
from exactfd.jacobians import FloatArray, ModularNetwork, SignArray, masks_of
from exactfd.network import Network
from exactfd.patterns.counts import Count
from exactfd.patterns.groups import Groups
from exactfd.patterns.terms import SPARE, Cells, Terms


def applies(network: Network) -> bool:
    """Whether a network has two hidden layers and several outputs, without ReLU on them."""
    return network.depth == 3 and network.output_dimension > 1 and network.output_activation == "identity"


def vectors_wanted(network: Network, labels: SignArray) -> int:
    """How many kernel vectors :func:`pattern_bound` asks for, for rows at points with these labels."""
    patterns = bits.distinct(masks_of(labels, network.relu_widths)[1] > 0)[0]
    return max(len(patterns), network.architecture[1]) + 1 + SPARE


def bytes_wanted(network: Network, labels: SignArray, vectors: int) -> int:
    """About how much memory so many vectors and :func:`pattern_bound` need."""
    first, second = network.architecture[1:3]
    of_vectors = network.parametric_dimension + 2 * first * second
    return 16 * (vectors * of_vectors + len(labels) * (len(labels) + 2 * (first + 1 + second) + 3 * second * second))


def effort(network: Network) -> float:
    """What it takes, about, in multiplications of the ways that solve for vectors (measured)."""
    first, second = network.architecture[1:3]
    return 500.0 * first * second


def pattern_bound(
    reduced: ModularNetwork, labels: SignArray, kernel: FloatArray, budget: Budget, *, points: int = 1
) -> int:
    """An upper bound on the rank over Q of the Jacobian at smooth points with these labels (``m x N``), of a network to
    which it :func:`applies`; each label is that of so many ``points``.

    ``kernel`` are random vectors (residues, ``q x D``) of its kernel modulo the prime of the network: the bound holds
    for any vectors, and is good for these. Raises ``BudgetExceeded``.
    """
    budget.check()
    cells = Cells.of_several_outputs(reduced.network, labels)
    if not len(cells.counts):
        return 0
    terms, size = Terms(reduced, cells, kernel), reduced.network.input_dimension + 1
    good = terms.spanned(cells)
    others, cells = cells.take(~good), cells.take(good)
    neurons = cells.second.shape[1]
    places, moved = np.indices((len(others.counts), neurons)).reshape(2, -1)
    candidates = others.moved(places, moved)
    near = terms.spanned(candidates).reshape(-1, neurons)
    budget.check()
    # one neuron for each cell: such as many of them have
    chosen = np.where(near.any(axis=1), (near * (near.sum(axis=0) + 1)).argmax(axis=1), -1)
    numbers = np.minimum(points * others.counts, size)
    costs = cells.outputs * numbers[chosen < 0].sum()
    found = np.flatnonzero(chosen >= 0)
    cells = cells.joined(others.moved(found, chosen[found]))
    groups = Groups(terms, cells, budget)
    for neuron in np.unique(chosen[found]).tolist():
        costs += numbers[chosen == neuron].sum() + (0 if groups.quotients[neuron].groups else cells.outputs - 1)
    return int(costs) + Count(terms, cells, groups, budget).total()
