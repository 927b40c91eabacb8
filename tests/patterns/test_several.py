"""The bound on ranks of batches for two hidden layers and several outputs, against elimination over Q."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import exactfd
from batches import (
    PRIME,
    Ticking,
    bound_of,
    bounds_by_any_vectors,
    eliminated,
    random_network,
    reduced_batches,
    with_random_matrices,
)
from exactfd import batchproofs
from exactfd.budget import Budget
from exactfd.errors import BudgetExceeded
from exactfd.jacobians import ModularNetwork
from exactfd.linalg import modular
from exactfd.patterns import counts, groups, pattern_way, several
from exactfd.patterns.products import Group, Space
from exactfd.points import checked_points
from strategies import smooth


def degenerate(rng):
    """Two hidden layers and two to four outputs, spoiled in several ways at once."""
    sizes = [*rng.integers(1, 4, 1), *rng.integers(1, 7, 2), int(rng.integers(2, 5))]
    dyadic = rng.random() < 0.5

    def matrix(n, m):
        table = np.round(rng.standard_normal((n, m)) * 64) / 64 if dyadic else rng.integers(-3, 4, (n, m)).astype(float)
        return np.where(rng.random((n, m)) < 0.4 * (rng.random() < 0.4), 0.0, table)

    layers = [(matrix(n, m), matrix(n, 1)[:, 0]) for m, n in pairwise(sizes)]
    for (a, b), (c, _) in pairwise(layers):
        if rng.random() < 0.3:  # twins
            a[-1], b[-1] = a[0], b[0]
        elif rng.random() < 0.3 and len(a) > 1:  # opposite neurons
            a[-1], b[-1] = -a[0], -b[0]
        if rng.random() < 0.3:  # some are always active
            b[: (len(b) + 1) // 2] += 50
        if rng.random() < 0.2:  # nothing leaves a neuron
            c[:, rng.integers(len(a))] = 0
        if rng.random() < 0.2:  # neurons that say the same
            c[:, -1] = 2 * c[:, 0]
    if rng.random() < 0.3:  # outputs that depend on each other
        layers[-1][0][-1], layers[-1][1][-1] = layers[-1][0][0], layers[-1][1][0]
    return exactfd.Network(layers)


@pytest.mark.parametrize("prime", [PRIME, 3, 5, 7, 101])
def test_never_less_than_the_rank_whatever_the_vectors(prime, both_ways):
    """Small primes mislead, and so do kernels of other rows, or none; the bound holds, and often is the rank."""
    rng, seen, tight = np.random.default_rng(prime), 0, 0
    for reduced, labels, table, truth in reduced_batches(rng, prime, (degenerate(rng) for _ in range(60))):
        assert several.applies(reduced.network)
        bounds = list(bounds_by_any_vectors(several, rng, reduced, labels, table))
        assert min(bounds) >= truth
        seen, tight = seen + len(bounds), tight + bounds.count(truth)
    assert tight > 0.1 * seen > 30


@pytest.mark.parametrize("prime", [PRIME, 3, 7])
def test_never_less_than_the_rank_whatever_the_groups_and_matrices(prime, monkeypatch):
    """The proof asks nothing of them, nor of the neuron by which a cell is moved: here they are random."""
    rng, taken = np.random.default_rng(prime), []
    everything = Space(np.ones((1, 1)), np.zeros((0, 1)))

    def random_groups(self):
        for _ in range(self._cells.second.shape[1]):
            length, number = len(self._cells.members), rng.integers(0, 3)
            rows = rng.integers(-1, 2, (number, length)) * (rng.random(length) < 0.7)
            space = Space.spanned(rows.astype(float), prime)
            taken.append(space is not None and space.dimension > 0)
            yield [Group(space, everything)] if taken[-1] else []

    spanned = several.Terms.spanned

    def random_span(self, cells):
        return spanned(self, cells) ^ (rng.random(len(cells.counts)) < 0.3)

    monkeypatch.setattr(groups.Groups, "_whole", random_groups)
    monkeypatch.setattr(counts.Count, "_found", with_random_matrices(rng))
    monkeypatch.setattr(several.Terms, "spanned", random_span)
    seen = 0
    for reduced, labels, table, truth in reduced_batches(rng, prime, (degenerate(rng) for _ in range(150))):
        count = several.vectors_wanted(reduced.network, labels)
        basis = modular.kernel(table[rng.random(len(table)) < rng.choice([0.5, 1.0])], prime)[0]
        vectors = modular.random_combinations(basis, count, rng, prime)
        assert several.pattern_bound(reduced, labels, vectors, Budget()) >= truth
        seen += truth > 3
    assert seen > 30
    assert sum(taken) > 100


@pytest.mark.parametrize("sizes", [(2, 8, 8, 2), (2, 6, 7, 3), (1, 6, 5, 2), (3, 6, 6, 2)])
def test_generic_networks_need_no_kernel_vectors(sizes, both_ways, monkeypatch):
    """Also where it is not left to other ways because they are cheap."""
    monkeypatch.setattr(batchproofs, "_effort", lambda _: 1e9)
    proved = 0
    for seed in range(6):
        network = random_network(seed, sizes)
        points = np.random.default_rng(seed).standard_normal((2 * network.upper_bound, sizes[0]))
        result = exactfd.batch_functional_dimension(network, points)
        assert result.rank == exactfd.batch_functional_dimension(network, points, algorithm="flint").rank
        proved += not getattr(result.proof, "vectors", []) and not getattr(result.proof, "relations", [])
    assert proved >= 4


def test_relations_among_matrices_of_several_blocks_count(monkeypatch):
    """At width 16 the bound is the rank for most networks, and without these relations for few."""
    excess = {True: [], False: []}
    dependent = counts.Count._dependent
    for seed in (1, 2, 5):
        network = random_network(seed, (2, 16, 16, 2))
        points = checked_points(np.random.default_rng(seed).standard_normal((644, 2)), 2)
        rows = eliminated(ModularNetwork.reduce(network, PRIME), points)
        alone = rows.alone()
        labels = rows.labels[~alone]
        kernel = rows.kernel_vectors(several.vectors_wanted(network, labels), alone)
        for way in (True, False):
            monkeypatch.setattr(counts.Count, "_dependent", dependent if way else lambda *_: 0)
            bound = several.pattern_bound(rows.reduced, labels, kernel, Budget()) + 2 * int(alone.sum())
            excess[way].append(bound - rows.rank)
    assert min(excess[True]) == 0 <= max(excess[True]) < max(excess[False])
    assert all(a <= b for a, b in zip(excess[True], excess[False], strict=True))


def test_where_it_applies():
    """With ReLU on the outputs points have rows for some of them only."""
    layers = [([[1, 2], [3, -1]], [1, 0]), ([[1, 1], [2, -1]], [0, 1]), ([[1, 0], [0, 0]], [1, 1])]
    assert several.applies(exactfd.Network(layers))
    assert pattern_way(exactfd.Network(layers, output_activation="relu")) is None


@pytest.mark.parametrize("looks", range(0, 24, 3))
def test_a_budget_may_run_out_anywhere(looks):
    network = random_network(0, (2, 5, 5, 2))
    points = smooth(network, np.random.default_rng(0).standard_normal((60, 2)))
    rows = eliminated(ModularNetwork.reduce(network, PRIME), points)
    with pytest.raises(BudgetExceeded):
        bound_of(several, rows, Ticking(looks))
