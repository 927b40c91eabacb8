"""Bounds on ranks of batches that activation patterns give, against elimination over Q."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

import exactfd
from exactfd import batchproofs, compiled, patternbounds
from exactfd.batchproofs import BatchRows
from exactfd.budget import Budget, silent
from exactfd.errors import BudgetExceeded
from exactfd.geometry.location import ternary_tuples
from exactfd.jacobians import ModularNetwork, jacobian
from exactfd.linalg import exact, modular, small
from exactfd.patternbounds import applies, pattern_bound, vectors_wanted
from exactfd.points import checked_points
from oracles import fractions_net
from strategies import smooth

PRIME = next(modular.primes())


@pytest.fixture(params=["never", "always"])
def both_ways(request, monkeypatch):
    monkeypatch.setenv(compiled.VARIABLE, request.param)


def random_network(seed, sizes):
    rng = np.random.default_rng(seed)
    return exactfd.Network(
        [(rng.standard_normal((n, m)) * np.sqrt(2 / m), rng.standard_normal(n) / 10) for m, n in pairwise(sizes)]
    )


def degenerate_network(rng):
    """Two hidden layers and one output, or one and some, spoiled in several ways at once."""
    sizes = [*rng.integers(1, 4, 1), *rng.integers(1, 7, 2), 1]
    dyadic = rng.random() < 0.5

    def matrix(n, m):
        table = np.round(rng.standard_normal((n, m)) * 64) / 64 if dyadic else rng.integers(-3, 4, (n, m)).astype(float)
        return np.where(rng.random((n, m)) < 0.4 * (rng.random() < 0.3), 0.0, table)

    (a, b), (c, d), last = ((matrix(n, m), matrix(n, 1)[:, 0]) for m, n in pairwise(sizes))
    if rng.random() < 0.3:  # twins
        a[-1], b[-1] = a[0], b[0]
    elif rng.random() < 0.3 and len(a) > 1:  # opposite neurons
        a[-1], b[-1] = -a[0], -b[0]
    if rng.random() < 0.3:  # some are always active
        b[: (len(b) + 1) // 2] += 50
    if rng.random() < 0.3:
        d += 9
    if rng.random() < 0.2:  # nothing leaves a neuron
        c[:, rng.integers(len(a))] = 0
    last[0][last[0] == 0] = 1
    layers = [(a, b), (c, d), last][: rng.choice([2, 3, 3])]
    return exactfd.Network(layers, output_activation="relu" if rng.random() < 0.3 else "identity")


def batch(rng, network):
    """Smooth points on a grid, on a line, near each other, or anywhere; two of them twice."""
    n, kind, count = network.input_dimension, rng.integers(4), int(rng.choice([1, 3, 8, 40, 120]))
    points = rng.integers(-40, 41, (count, n)) / 8
    if kind == 1:
        points = np.outer(rng.integers(-9, 10, count) / 4, rng.integers(-2, 3, n)) + 1 / 8
    if kind == 2:
        points = points / 16
    if kind == 3:
        points = rng.standard_normal((count, n))
    return smooth(network, np.concatenate([points, points[:2]]))


def true_rank(network, points):
    return exact.rank(jacobian(network, points)) if len(points) else 0


def eliminated(reduced, points):
    rows = BatchRows(reduced, ternary_tuples(reduced.network, points), points)
    rows.eliminate(Budget(), silent)
    return rows


def bound_of(rows, budget=None):
    """The bound for all rows, by vectors of their kernel."""
    none = np.zeros(len(rows.numbers), dtype=bool)
    kernel = rows.kernel_vectors(vectors_wanted(rows.network), none)
    return pattern_bound(rows.reduced, rows.labels, kernel, budget or Budget())


@pytest.mark.parametrize("prime", [PRIME, 3, 5, 7, 101])
def test_never_less_than_the_rank_whatever_the_vectors(prime, both_ways):
    """Small primes mislead, and so do kernels of other rows, or none; the bound holds, and often is the rank."""
    rng, seen, tight = np.random.default_rng(prime), 0, 0
    for _ in range(60):
        network = degenerate_network(rng)
        points, reduced = batch(rng, network), ModularNetwork.reduce(network, prime)
        if not len(points) or reduced is None or points.modulo(prime) is None:
            continue
        truth, count, size = true_rank(network, points), vectors_wanted(network), network.parametric_dimension
        labels = ternary_tuples(network, points)
        table = reduced.point_rows(labels, points)
        for share in (0.0, 0.5, 0.9, 1.0):
            basis = modular.kernel(table[rng.random(len(table)) < share], prime)[0]
            for some in (basis, basis[: len(basis) // 2]):
                vectors = np.zeros((count, size))
                if len(some):
                    vectors = modular.multiply(modular.random_numbers(rng, count, len(some)), some, prime)
                bound = pattern_bound(reduced, labels, vectors, Budget())
                assert bound >= truth
                seen, tight = seen + 1, tight + (bound == truth)
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
    assert bound_of(eliminated(ModularNetwork.reduce(network, PRIME), checked_points(keep, 2))) >= rank


def by_hand(*layers, points, output_activation="identity"):
    """The true rank and the bound."""
    network = exactfd.Network(layers, output_activation=output_activation)
    points = smooth(network, points)
    return true_rank(network, points), bound_of(eliminated(ModularNetwork.reduce(network, PRIME), points))


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
    assert rows.rank < true_rank(network, points) <= bound_of(rows)


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
            patch.setattr(batchproofs, "applies", lambda _: False)
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
    monkeypatch.setattr(batchproofs, "pattern_bound", None)
    result = exactfd.batch_functional_dimension(network, points)
    assert result.rank == exactfd.batch_functional_dimension(network, points, algorithm="flint").rank


def test_many_cells_are_taken_in_parts(monkeypatch):
    """An absolute value in the first layer: hardly any space is good, and there are more pairs than equations."""
    rng, tall = np.random.default_rng(0), []

    def noted(parts, width, prime):
        bound = small.rank_bound_of_parts(parts, width, prime)
        tall.append((sum(map(len, parts())), width, bound))
        return bound

    monkeypatch.setattr(patternbounds, "rank_bound_of_parts", noted)
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
            bound_of(rows, budget)
