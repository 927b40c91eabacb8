"""Bounds on ranks of batches that activation patterns give, against elimination over Q."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

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
)
from exactfd import batchproofs
from exactfd.batchproofs import BatchRows
from exactfd.budget import Budget
from exactfd.errors import BudgetExceeded
from exactfd.jacobians import ModularNetwork
from exactfd.linalg import small
from exactfd.patterns import shallow
from exactfd.patterns.shallow import applies
from exactfd.points import checked_points
from oracles import fractions_net
from strategies import smooth


@pytest.mark.parametrize("prime", [PRIME, 3, 5, 7, 101])
def test_never_less_than_the_rank_whatever_the_vectors(prime, both_ways):
    """Small primes mislead, and so do kernels of other rows, or none; the bound holds, and often is the rank."""
    rng, seen, tight = np.random.default_rng(prime), 0, 0
    networks = (degenerate_network(rng, 2, cut=rng.random() < 1 / 3) for _ in range(60))
    for reduced, labels, table, truth in reduced_batches(rng, prime, networks):
        bounds = list(bounds_by_any_vectors(shallow, rng, reduced, labels, table))
        assert min(bounds) >= truth
        seen, tight = seen + len(bounds), tight + bounds.count(truth)
    assert tight > 0.2 * seen > 50


@pytest.mark.parametrize(
    "sizes", [(2, 7, 7, 1), (1, 6, 5, 1), (3, 5, 6, 1), (2, 1, 6, 1), (2, 6, 1, 1), (2, 12, 1), (2, 6, 3)]
)
def test_generic_networks_need_no_kernel_vectors(sizes, both_ways):
    proved = 0
    for seed in range(8):
        network = random_network(seed, sizes)
        points = np.random.default_rng(seed).standard_normal((2 * network.upper_bound, sizes[0]))
        result = exactfd.batch_functional_dimension(network, points)
        assert result.rank == exactfd.batch_functional_dimension(network, points, algorithm="flint").rank
        proved += not getattr(result.proof, "vectors", []) and not getattr(result.proof, "relations", [])
    assert proved >= 7


@pytest.mark.parametrize("seed", range(4))
def test_by_plain_fractions(seed):
    """Nothing of the package in the other rank: derivatives and elimination by Fractions."""
    network = random_network(seed, (2, 4, 4, 1))
    points = np.random.default_rng(seed).standard_normal((40, 2))
    points = [[Fraction(round(x * 16), 16) for x in point] for point in points.tolist()]
    tables = [network.augmented(number).tolist() for number in (1, 2, 3)]
    layers = [
        ([[Fraction(str(x)) for x in row[:-1]] for row in a], [Fraction(str(row[-1])) for row in a]) for a in tables
    ]
    keep = [
        x
        for x in points
        if fractions_net.is_smooth(layers, "identity", fractions_net.ternary_tuple(layers, "identity", x))
    ]
    rank = fractions_net.rank(fractions_net.jacobian(layers, "identity", keep))
    assert exactfd.batch_functional_dimension(network, keep).rank == rank
    assert bound_of(shallow, eliminated(ModularNetwork.reduce(network, PRIME), checked_points(keep, 2))) >= rank


def by_hand(*layers, points, output_activation="identity"):
    """The true rank and the bound."""
    network = exactfd.Network(layers, output_activation=output_activation)
    points = smooth(network, points)
    return true_rank(network, points), bound_of(shallow, eliminated(ModularNetwork.reduce(network, PRIME), points))


GRID = [[x / 2, y / 3] for x in range(-4, 5) for y in range(-5, 6)]
CASES = {
    "an affine function": (([[1, 0], [0, 1]], [9, 9]), ([[1, 1], [1, 2]], [9, 9]), ([[1, 1]], [0])),
    "a constant": (([[1, 0], [0, 1]], [-9, -9]), ([[1, 1], [1, 2]], [9, -9]), ([[1, 1]], [0])),
    "nothing but a bias": (([[1, 0]], ["1/7"]), ([[1]], [-90]), ([[1]], [3])),
    "a weight of zero to the output": (
        ([[1, 2], [3, -1]], ["1/7", "1/5"]),
        ([[1, 1], [1, 2]], [1, 1]),
        ([[0, 1]], [0]),
    ),
    "a neuron that nothing leaves": (([[1, 2], [3, -1]], ["1/7", "1/5"]), ([[1, 0], [2, 0]], [1, -1]), ([[1, 1]], [0])),
    "opposite neurons": (([[1, 2], [-1, -2]], ["1/7", "-1/7"]), ([[1, 1], [2, -1]], [0, 1]), ([[1, -1]], [0])),
    "one hidden layer, a neuron of which is always active": (
        ([[1, 2], [3, 1]], [90, "1/7"]),
        ([[1, 2], [0, 1]], [0, 1]),
    ),
    "always active with a twin": (([[1, 2], [1, 2]], [90, 90]), ([[1, 1], [2, -3]], [0, "1/7"]), ([[1, 1]], [0])),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("activation", ["identity", "relu"])
def test_cases_by_hand(case, activation):
    truth, bound = by_hand(*CASES[case], points=GRID, output_activation=activation)
    assert truth <= bound <= truth + 2


@pytest.mark.parametrize("case", ["an affine function", "a constant", "nothing but a bias"])
def test_ranks_that_patterns_give_exactly(case):
    truth, bound = by_hand(*CASES[case], points=GRID)
    assert truth == bound


def test_a_rank_that_only_the_prime_has_is_not_proved():
    """Points on a line modulo 5 but not over Q: the kernel there is too large, and is no proof."""
    layers = [([[1, 0], [6, 5], [2, 10]], [9, 9, 9]), ([[1, 1, 1], [1, 2, 5]], [60, 60]), ([[1, 5]], [0])]
    network = exactfd.Network(layers)
    points = checked_points([[1, 0], [2, 5], [0, 5], [1, 10], [2, 10], [6, 5]], 2)
    rows = eliminated(ModularNetwork.reduce(network, 5), points)
    assert rows.rank < true_rank(network, points) <= bound_of(shallow, rows)


@pytest.mark.parametrize("depth", [2, 3])
def test_points_that_are_one_modulo_the_prime(depth):
    """The bound does not meet the rank there; the next prime tells."""
    layers = [([[1, 2], [3, -1]], [2**40] * 2), ([[1, 3]] if depth == 2 else [[1, 1], [1, 2]], [1] * (depth - 1))]
    network = exactfd.Network([*layers, ([[1, 3]], [0])][:depth])
    points = [[3 + PRIME * x, PRIME * y] for x in range(4) for y in range(3)]
    result = exactfd.batch_functional_dimension(network, points)
    assert result.rank == true_rank(network, checked_points(points, 2)) == 3
    assert result.prime < PRIME


def test_where_patterns_do_not_suffice_another_proof_is_found():
    """With the bound switched off all is as it was, and so are the ranks."""
    for seed in range(6):
        network = random_network(seed, (2, 6, 6, 1))
        points = np.random.default_rng(seed).standard_normal((2 * network.upper_bound, 2))
        result = exactfd.batch_functional_dimension(network, points)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(batchproofs, "pattern_way", lambda _: None)
            assert exactfd.batch_functional_dimension(network, points).rank == result.rank
        if seed == 0:
            assert result.certificate.check().valid


@pytest.mark.parametrize("limits", ["no room", "few points"])
def test_where_it_would_cost_too_much_it_is_left_out(limits, monkeypatch):
    """The kernel vectors may be larger than all rows; a limit on memory is no reason to give up what else there is."""
    network = random_network(1, (2, 6, 6, 1))
    points = np.random.default_rng(1).standard_normal((80 if limits == "no room" else 6, 2))
    points = np.concatenate([points, points[:1]])
    if limits == "no room":
        monkeypatch.setattr(batchproofs, "has_room_for", lambda _: False)
    monkeypatch.setattr(BatchRows, "kernel_vectors", None)
    result = exactfd.batch_functional_dimension(network, points)
    assert result.rank == exactfd.batch_functional_dimension(network, points, algorithm="flint").rank


def test_many_cells_are_taken_in_parts(monkeypatch):
    """An absolute value in the first layer: hardly any space is good, and there are more pairs than equations."""
    rng, tall = np.random.default_rng(0), []

    def noted(parts, width, prime):
        bound = small.rank_bound_of_parts(parts, width, prime)
        tall.append((sum(map(len, parts())), width, bound))
        return bound

    monkeypatch.setattr(shallow, "rank_bound_of_parts", noted)
    for _ in range(4):
        layers = [[rng.standard_normal((n, m)), rng.standard_normal(n)] for m, n in pairwise((3, 5, 4, 1))]
        layers[0][0][1], layers[0][1][1], layers[1][0][:, 1] = -layers[0][0][0], -layers[0][1][0], layers[1][0][:, 0]
        network, points = exactfd.Network(layers), 3 * rng.standard_normal((300, 3))
        result = exactfd.batch_functional_dimension(network, points)
        assert result.rank == exactfd.batch_functional_dimension(network, points, algorithm="flint").rank
    assert tall
    assert all(pairs > width >= bound for pairs, width, bound in tall)


def test_which_networks():
    assert all(applies(random_network(0, sizes)) for sizes in [(2, 3, 3, 1), (2, 3, 1), (1, 2, 4)])
    assert not any(applies(random_network(0, sizes)) for sizes in [(2, 3, 3, 2), (2, 3, 3, 3, 1), (2, 1)])
    layers = ([[1, 2], [3, -1]], ["1/7", "1/5"]), ([[1, 1], [1, 2]], [1, 1])
    assert applies(exactfd.Network([*layers, ([[2, 1]], [0])]))
    assert not applies(exactfd.Network([*layers, ([[0, 1]], [0])]))


def test_a_budget_ends_it():
    network = random_network(1, (2, 9, 9, 1))
    points = checked_points(np.random.default_rng(1).standard_normal((100, 2)), 2)
    rows = eliminated(ModularNetwork.reduce(network, PRIME), points)
    for budget in (Budget(time_limit=1e-9), Budget(memory_limit=1)):
        with pytest.raises(BudgetExceeded):
            bound_of(shallow, rows, budget)
