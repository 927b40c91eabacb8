"""Directions that activation patterns force: never more than the kernel, and all of it where they explain it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from flint import fmpz

import exactfd
from exactfd import forced, rationals
from exactfd.budget import Budget
from exactfd.errors import BudgetExceeded
from exactfd.forced import ForcedDirections
from exactfd.gauge import Gauge
from exactfd.geometry.location import ternary_tuples
from exactfd.jacobians import ModularNetwork
from exactfd.linalg import exact, modular
from exactfd.points import Points
from oracles import fractions_net
from strategies import degenerate_networks, smooth

PRIME = next(modular.primes())


def forced_dimension(network: exactfd.Network, points: Points, prime: int = PRIME) -> int:
    reduced = ModularNetwork.reduce(network, prime)
    labels = ternary_tuples(network, points)
    factors = reduced.point_factors(labels, points)
    found = ForcedDirections(reduced, Gauge.of(network), labels, points, factors)
    return found.dimension(network.parametric_dimension)


def kernel_dimension(network: exactfd.Network, points: Points) -> int:
    if len(points) > 4:  # the plain one is slow
        return network.parametric_dimension - exact.rank(exactfd.jacobian(network, points))
    batch = [[rationals.to_fraction(entry) for entry in point] for point in points]
    rows = fractions_net.jacobian(network.to_fractions(), network.output_activation, batch)
    return network.parametric_dimension - fractions_net.rank(rows)


def networks():
    rng = np.random.default_rng(3)
    yield from degenerate_networks(11, 90)
    for number in range(60):
        sizes = rng.integers(1, 5, size=rng.integers(2, 6)).tolist()
        layers = [(rng.integers(-2, 3, (n, m)), rng.integers(-2, 3, n)) for m, n in pairwise(sizes)]
        yield f"{number}: {sizes}", exactfd.Network(layers, output_activation=("identity", "relu")[number % 2])


@pytest.mark.parametrize("count", [1, 4, 25])
def test_never_more_than_the_kernel(count):
    rng, tight, seen = np.random.default_rng(count), 0, 0
    for name, network in networks():
        points = smooth(network, rng.integers(-20, 21, (count, network.input_dimension)) / 4)
        if not len(points) or ModularNetwork.reduce(network, PRIME) is None:
            continue
        truth, found = kernel_dimension(network, points), forced_dimension(network, points)
        assert found <= truth, name
        seen, tight = seen + 1, tight + (found == truth)
    assert tight > 0.7 * seen > 70


@pytest.mark.parametrize("sizes", [(5, 5, 5, 5, 1), (3, 6, 6, 1), (2, 4, 4, 4, 1), (4, 5, 3)])
@pytest.mark.parametrize("seed", range(6))
def test_random_networks(seed, sizes):
    rng = np.random.default_rng(seed)
    network = exactfd.Network(
        [(rng.standard_normal((n, m)) * np.sqrt(2 / m), rng.standard_normal(n) / 10) for m, n in pairwise(sizes)]
    )
    points = smooth(network, rng.standard_normal((2 * network.upper_bound, sizes[0])))
    truth = network.parametric_dimension - exact.rank(exactfd.jacobian(network, points))
    assert len(Gauge.of(network).columns) <= forced_dimension(network, points) <= truth


@pytest.mark.parametrize("proved", [True, False])
def test_asked_again_for_more_or_for_less(monkeypatch, proved):
    """Directions that could not be proved are forgotten."""
    if not proved:
        monkeypatch.setattr("exactfd.patternrows.PatternRows.has_rank", lambda *_: False)
    rng, tight = np.random.default_rng(9), 0
    for seed in range(12):
        layers = [(rng.standard_normal((n, m)), rng.standard_normal(n) / 10) for m, n in pairwise((2, 5, 5, 1))]
        network = exactfd.Network(layers)
        points = smooth(network, rng.standard_normal((2 * network.upper_bound, 2)))
        truth = kernel_dimension(network, points)
        reduced, labels = ModularNetwork.reduce(network, PRIME), ternary_tuples(network, points)
        factors = reduced.point_factors(labels, points)
        found = ForcedDirections(reduced, Gauge.of(network), labels, points, factors)
        answers = [found.dimension(most) for most in (truth // 2, truth, truth + 9, truth, truth + 50)]
        assert answers[0] >= truth // 2 or answers[0] == answers[1], seed
        assert max(answers) <= truth, seed
        assert answers[1:] == sorted(answers[1:]), seed
        tight += answers[1] == truth
    assert tight > 3 if proved else tight < 12


def one_by_one(*layers, points, output_activation="identity"):
    network = exactfd.Network(layers, output_activation=output_activation)
    return network, smooth(network, points)


GRID = [[x / 2, y / 3] for x in range(-4, 5) for y in range(-5, 6)]
ONES = ([[1, 1, 1]], [0])
#: Networks some of whose kernel the function that is named finds on its own.
CASES = {
    "a neuron that is never active": (
        one_by_one(([[1, 0], [0, 1], [0, 0]], [0, 0, -1]), ONES, points=[[1, 2], [3, -1], [-1, 4], *GRID]),
        "_into",
    ),
    "a neuron that is active at one point": (
        one_by_one(([[1, 0], [0, 1], [1, 1]], [0, 0, -9]), ONES, points=[[8, 8], *GRID]),
        "_into",
    ),
    "a neuron before two that are active wherever it is": (
        one_by_one(
            ([[1, 0], [-1, 0], [0, 1]], ["1/7"] * 3),
            ([[2, 0, 1], [1, -2, 0]], ["-1/4", "2/3"]),
            ([[1, 1]], [0]),
            points=GRID,
        ),
        "_out_of",
    ),
    "two neurons that are always active": (
        one_by_one(([[1, 0], [0, 1], [-1, 1]], [9, 9, "1/7"]), ONES, points=GRID),
        "_mixings",
    ),
    "two neurons that are active together but for one point": (
        one_by_one(([[1, 0], [1, "1/9"], [-1, 1]], ["1/7", "1/7", "1/7"]), ONES, points=GRID),
        "_before_a_line",
    ),
    "weights into the last hidden neurons, few patterns of which occur": (
        one_by_one(
            ([[-2, -2], [2, 0]], ["1/7", "1/7"]),
            ([[0, 1], [-2, 2], [-1, 1]], ["-5/7", 1, "-2/7"]),
            ([[2, 1, -2]], ["1/7"]),
            points=GRID,
        ),
        "_before_one_output",
    ),
}


MECHANISMS = {"_into", "_out_of", "_mixings", "_before_a_line", "_before_one_output"}


@pytest.mark.parametrize("case", CASES)
def test_each_mechanism_on_its_own(case, monkeypatch):
    (network, points), function = CASES[case]
    whole = forced_dimension(network, points)
    for other in MECHANISMS - {function}:
        monkeypatch.setattr(forced, other, lambda *_: None)
    assert len(Gauge.of(network).columns) < forced_dimension(network, points) <= whole
    monkeypatch.setattr(forced, function, lambda *_: None)
    assert forced_dimension(network, points) == len(Gauge.of(network).columns)
    assert whole <= kernel_dimension(network, points)


def test_one_point_where_two_neurons_differ_ends_their_mixing():
    layers = [([[1, 0], [0, 1]], [10, 10]), ([[1, 3], [2, -1]], [50, 60]), ([[1, 1]], [0])]
    network = exactfd.Network(layers)
    together = smooth(network, GRID)
    apart = smooth(network, [*GRID, [-11, 1]])
    assert forced_dimension(network, together) == kernel_dimension(network, together)
    assert forced_dimension(network, apart) <= kernel_dimension(network, apart) < kernel_dimension(network, together)


@pytest.mark.parametrize("prime", [3, 5, 7, 11])
def test_primes_that_divide_weights_and_minors_never_force_too_much(prime):
    """Residues of multiples of the prime vanish: what is counted is still true over Q."""
    assert fmpz(prime).is_prime()
    rng, seen = np.random.default_rng(prime), 0
    for _ in range(60):
        sizes = rng.integers(1, 4, size=4).tolist()
        layers = [
            (rng.choice([-prime, -1, 0, 1, prime, 2], (n, m)), rng.integers(-2, 3, n)) for m, n in pairwise(sizes)
        ]
        network = exactfd.Network(layers)
        points = smooth(network, rng.integers(-9, 10, (12, sizes[0])))
        if len(points):
            seen += 1
            assert forced_dimension(network, points, prime) <= kernel_dimension(network, points)
    assert seen > 30


def test_a_budget_ends_it():
    rng = np.random.default_rng(1)
    network = exactfd.Network(
        [(rng.standard_normal((n, m)), rng.standard_normal(n)) for m, n in pairwise((3, 6, 6, 1))]
    )
    points = smooth(network, rng.standard_normal((6, 3)))
    reduced, labels = ModularNetwork.reduce(network, PRIME), ternary_tuples(network, points)
    factors = reduced.point_factors(labels, points)
    with pytest.raises(BudgetExceeded):
        ForcedDirections(reduced, Gauge.of(network), labels, points, factors, Budget(time_limit=1e-9))
    spent = Budget()
    found = ForcedDirections(reduced, Gauge.of(network), labels, points, factors, spent)
    spent.time_limit = 1e-9
    for run in (lambda: found.dimension(network.parametric_dimension), lambda: found.missing(range(5))):
        with pytest.raises(BudgetExceeded):
            run()


def test_a_budget_that_ends_a_proof_leaves_nothing_unproved(monkeypatch):
    """Two points that are one modulo the prime: the kernel there is too large, and what would tell is cut short."""
    weights = ([[0, 0], [1, 2]], [2, 0]), ([[1, 1]], [0])
    network, points = one_by_one(*weights, points=[[3, -4], [3 - PRIME, -4]])
    truth, most = kernel_dimension(network, points), network.parametric_dimension

    def stop(*_):
        raise BudgetExceeded("the time limit ran out")

    reduced, labels = ModularNetwork.reduce(network, PRIME), ternary_tuples(network, points)
    found = ForcedDirections(reduced, Gauge.of(network), labels, points, reduced.point_factors(labels, points))
    before = found._dimension(most)
    monkeypatch.setattr("exactfd.patternrows.PatternRows.has_rank", stop)
    with pytest.raises(BudgetExceeded):
        found.dimension(most)
    assert before == found._dimension(most) <= truth
    assert most - len(found.missing(range(most))) <= truth
