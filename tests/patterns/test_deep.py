"""The bound on ranks of batches for three hidden layers, against elimination over Q."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import exactfd
from batches import (
    PRIME,
    bound_of,
    bounds_by_any_vectors,
    degenerate_network,
    eliminated,
    random_network,
    reduced_batches,
    true_rank,
    with_random_matrices,
)
from exactfd import batchproofs
from exactfd.budget import Budget
from exactfd.errors import BudgetExceeded
from exactfd.jacobians import ModularNetwork
from exactfd.linalg import modular
from exactfd.patterns import counts, deep, groups, products
from exactfd.patterns.deep import applies, pattern_bound, vectors_wanted
from exactfd.patterns.products import Group, Space
from exactfd.points import checked_points
from oracles import fractions_net
from strategies import smooth


@pytest.mark.parametrize("prime", [PRIME, 3, 5, 7, 101])
def test_never_less_than_the_rank_whatever_the_vectors(prime, both_ways):
    """Small primes mislead, and so do kernels of other rows, or none; the bound holds, and often is the rank."""
    rng, seen, tight = np.random.default_rng(prime), 0, 0
    for reduced, labels, table, truth in reduced_batches(rng, prime, (degenerate_network(rng, 3) for _ in range(50))):
        bounds = list(bounds_by_any_vectors(deep, rng, reduced, labels, table))
        assert min(bounds) >= truth
        seen, tight = seen + len(bounds), tight + bounds.count(truth)
    assert tight > 0.2 * seen > 50


@pytest.mark.parametrize("prime", [PRIME, 3, 7])
def test_never_less_than_the_rank_whatever_the_groups_and_matrices(prime, monkeypatch):
    """The proof asks nothing of them: here they are random, and hardly any are in the span of the rows."""
    rng, taken = np.random.default_rng(prime), []

    def random_space(length):
        rows = rng.integers(-1, 2, (rng.integers(1, 3), length)) * (rng.random(length) < 0.7)
        space = Space.spanned(rows.astype(float), prime)
        return space if space and space.dimension else None

    def random_groups(self, _):
        number, blocks, neurons = rng.integers(0, 4), len(self._cells.members), self._cells.patterns.shape[1]
        spaces = [(random_space(blocks), random_space(neurons)) for _ in range(number)]
        taken.append(number)
        return [Group(*pair) for pair in spaces if None not in pair]

    monkeypatch.setattr(groups.Groups, "_joined", random_groups)
    monkeypatch.setattr(counts.Count, "_found", with_random_matrices(rng))
    seen = 0
    for reduced, labels, table, truth in reduced_batches(rng, prime, (degenerate_network(rng, 3) for _ in range(150))):
        count = vectors_wanted(reduced.network, labels)
        basis = modular.kernel(table[rng.random(len(table)) < rng.choice([0.5, 1.0])], prime)[0]
        vectors = modular.random_combinations(basis, count, rng, prime)
        assert pattern_bound(reduced, labels, vectors, Budget()) >= truth
        seen += truth > 3
    assert seen > 30
    assert sum(taken) > 300


@pytest.mark.parametrize("sizes", [(2, 6, 6, 6, 1), (1, 6, 5, 4, 1), (3, 5, 6, 5, 1), (2, 7, 4, 6, 1)])
def test_generic_networks_need_no_kernel_vectors(sizes, both_ways, monkeypatch):
    """With many cells and with few, where it is not left to other ways because they are cheap."""
    monkeypatch.setattr(batchproofs, "_LITTLE", 0.0)
    monkeypatch.setattr(batchproofs, "_effort", lambda _: 1e9)
    proved = 0
    for seed in range(4):
        network = random_network(seed, sizes)
        for count in (2 * network.upper_bound, network.upper_bound // 2):
            points = np.random.default_rng(seed).standard_normal((count, sizes[0]))
            result = exactfd.batch_functional_dimension(network, points)
            assert result.rank == exactfd.batch_functional_dimension(network, points, algorithm="flint").rank
            proved += not getattr(result.proof, "vectors", []) and not getattr(result.proof, "relations", [])
    assert proved >= 7


@pytest.mark.parametrize("share", [0.5, 2.0])
def test_the_bound_is_the_rank_for_most_generic_batches(share):
    """Rows that no other depends on left out, as the proof does."""
    tight = 0
    for seed in range(12):
        network = random_network(seed, (2, 8, 8, 8, 1))
        count = int(share * network.upper_bound)
        points = checked_points(np.random.default_rng(seed).standard_normal((count, 2)), 2)
        rows = eliminated(ModularNetwork.reduce(network, PRIME), points)
        alone = rows.alone()
        labels = rows.labels[~alone]
        kernel = rows.kernel_vectors(vectors_wanted(network, labels), alone)
        bound = pattern_bound(rows.reduced, labels, kernel, Budget()) + alone.sum()
        assert bound >= rows.rank
        tight += bound == rows.rank
    assert tight >= 9


@pytest.mark.parametrize("seed", range(3))
def test_by_plain_fractions(seed):
    """Nothing of the package in the other rank: derivatives and elimination by Fractions."""
    network = random_network(seed, (2, 3, 4, 3, 1))
    points = np.random.default_rng(seed).standard_normal((30, 2))
    points = [[Fraction(round(x * 16), 16) for x in point] for point in points.tolist()]
    tables = [network.augmented(number).tolist() for number in (1, 2, 3, 4)]
    layers = [
        ([[Fraction(str(x)) for x in row[:-1]] for row in a], [Fraction(str(row[-1])) for row in a]) for a in tables
    ]
    labels = [fractions_net.ternary_tuple(layers, "identity", x) for x in points]
    keep = [x for x, s in zip(points, labels, strict=True) if fractions_net.is_smooth(layers, "identity", s)]
    rank = fractions_net.rank(fractions_net.jacobian(layers, "identity", keep))
    assert exactfd.batch_functional_dimension(network, keep).rank == rank
    assert bound_of(deep, eliminated(ModularNetwork.reduce(network, PRIME), checked_points(keep, 2))) >= rank


GRID = [[x / 2, y / 3] for x in range(-4, 5) for y in range(-5, 6)]
LAST = ([[1, 2], [1, -1]], [0, "1/3"]), ([[1, 1]], [0])
CASES = {
    "an affine function": (([[1, 0], [0, 1]], [9, 9]), ([[1, 1], [1, 2]], [9, 9]), ([[1, 1], [2, 1]], [9, 9]), LAST[1]),
    "a constant": (([[1, 0], [0, 1]], [-9, -9]), ([[1, 1], [1, 2]], [9, -9]), *LAST),
    "nothing but a bias": (([[1, 0]], ["1/7"]), ([[1]], [-90]), ([[1]], [3]), ([[1]], [2])),
    "a neuron that nothing leaves": (([[1, 2], [3, -1]], ["1/7", "1/5"]), ([[1, 0], [2, 0]], [1, -1]), *LAST),
    "opposite neurons": (([[1, 2], [-1, -2]], ["1/7", "-1/7"]), ([[1, 1], [2, -1]], [0, 1]), *LAST),
    "four neurons that are active together": (
        ([[1, 2], [2, 4], [3, 6], [4, 8], [1, -1]], ["1/7", "2/7", "3/7", "4/7", "1/5"]),
        ([[1, 1, -1, 2, 1], [2, -1, 1, 1, 1]], [0, 1]),
        *LAST,
    ),
    "always active with a twin": (([[1, 2], [1, 2]], [90, 90]), ([[1, 1], [2, -3]], [0, "1/7"]), *LAST),
    "a second layer of twins": (([[1, 2], [3, -1]], ["1/7", "1/5"]), ([[1, 1], [1, 1]], ["1/9", "1/9"]), *LAST),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("activation", ["identity", "relu"])
def test_cases_by_hand(case, activation):
    network = exactfd.Network(CASES[case], output_activation=activation)
    points = smooth(network, GRID)
    truth, bound = true_rank(network, points), bound_of(deep, eliminated(ModularNetwork.reduce(network, PRIME), points))
    assert truth <= bound <= truth + 4


@pytest.mark.parametrize("case", ["an affine function", "a constant", "nothing but a bias"])
def test_ranks_that_patterns_give_exactly(case):
    network = exactfd.Network(CASES[case])
    points = smooth(network, GRID)
    rank = true_rank(network, points)
    assert bound_of(deep, eliminated(ModularNetwork.reduce(network, PRIME), points)) == rank


def test_where_the_bound_is_too_large_another_proof_is_found(monkeypatch):
    network = random_network(0, (2, 6, 6, 6, 1))
    points = np.random.default_rng(0).standard_normal((60, 2))
    rank = exactfd.batch_functional_dimension(network, points).rank
    monkeypatch.setattr(batchproofs, "pattern_way", lambda _: None)
    assert exactfd.batch_functional_dimension(network, points).rank == rank


def test_which_networks():
    assert applies(random_network(0, (2, 3, 3, 3, 1)))
    assert not any(applies(random_network(0, sizes)) for sizes in [(2, 3, 3, 1), (2, 3, 3, 3, 2), (2, 3, 3, 3, 3, 1)])
    layers = CASES["opposite neurons"]
    assert applies(exactfd.Network(layers))
    assert not applies(exactfd.Network([*layers[:3], ([[0, 1]], [0])]))


def test_a_budget_ends_it():
    network = random_network(1, (2, 6, 6, 6, 1))
    points = checked_points(np.random.default_rng(1).standard_normal((80, 2)), 2)
    rows = eliminated(ModularNetwork.reduce(network, PRIME), points)
    with pytest.raises(BudgetExceeded, match="time limit"):
        bound_of(deep, rows, Budget(time_limit=1e-9))
    with pytest.raises(BudgetExceeded, match="memory"):
        bound_of(deep, rows, Budget(memory_limit=1))


def test_a_group_of_all_activity_and_all_patterns(both_ways, monkeypatch):
    """Where all of the first layer is always active, and there are many cells."""
    rng, whole, make = np.random.default_rng(0), [], products.Quotient.by.__func__

    def by(cls, some, shape, prime):
        whole.extend(not group.left.equations.size and not group.right.equations.size for group in some)
        return make(cls, some, shape, prime)

    monkeypatch.setattr(products.Quotient, "by", classmethod(by))
    first = rng.integers(-9, 10, (2, 2)), rng.integers(400, 600, 2)
    second = rng.integers(-9, 10, (24, 2))
    layers = [first, (second, rng.integers(-60, 60, 24) - second @ first[1])]
    layers += [(rng.integers(-9, 10, (4, 24)), rng.integers(-90, 90, 4)), (rng.integers(1, 9, (1, 4)), [1])]
    network = exactfd.Network(layers)
    points = smooth(network, rng.integers(-64, 65, (600, 2)) / 8 + 1 / 32)
    rows = eliminated(ModularNetwork.reduce(network, PRIME), points)
    assert len(np.unique(rows.labels, axis=0)) > 100
    assert bound_of(deep, rows) >= true_rank(network, points)
    assert any(whole)
