"""Rows of the weights into the last hidden neurons: spanned by few small rows, whose rank relations prove."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from flint import fmpq, fmpq_mat

import exactfd
from exactfd import batchproofs
from exactfd.budget import Budget
from exactfd.errors import BudgetExceeded
from exactfd.geometry.location import ternary_tuples
from exactfd.jacobians import ModularNetwork, jacobian, masks_of
from exactfd.linalg import exact, modular
from exactfd.patternrows import PatternRows
from exactfd.points import Points, checked_points
from strategies import smooth

PRIME = next(modular.primes())


def small_network(rng) -> exactfd.Network:
    """One output, its weights not zero; duplicated, dead and always active neurons among the others."""
    sizes = [int(rng.integers(1, 4)), *rng.integers(1, 6, size=rng.integers(1, 4)).tolist(), 1]
    layers = [(rng.integers(-2, 3, (n, m)), rng.integers(-2, 3, n)) for m, n in pairwise(sizes)]
    if rng.random() < 0.3:
        layers[0][0][-1], layers[0][1][-1] = layers[0][0][0], layers[0][1][0]
    if rng.random() < 0.3:
        layers[-2][1][:] += 9
    layers[-1][0][layers[-1][0] == 0] = 1
    return exactfd.Network(layers, output_activation=("identity", "relu")[int(rng.integers(2))])


def batch(rng, network: exactfd.Network) -> Points:
    """Points at random, on a line, or many near each other; some of them twice."""
    n, kind, count = network.input_dimension, rng.integers(3), int(rng.choice([1, 5, 40]))
    points = rng.integers(-12, 13, (count, n)) / 4
    if kind == 1:
        points = np.outer(rng.integers(-9, 10, count) / 4, rng.integers(-2, 3, n)) + 1 / 8
    if kind == 2:
        points = points / 16
    return smooth(network, np.concatenate([points, points[:2]]))


def pattern_rows(network, points, prime, budget=None) -> PatternRows:
    layer, labels = network.depth - 2, ternary_tuples(network, points)
    masks = [mask > 0 for mask in masks_of(labels, network.relu_widths)]
    live = masks[layer] & masks[-1] if len(masks) == network.depth else masks[layer]
    return PatternRows(network, layer, masks, live, points, prime, budget or Budget())


def true_rank(network, points) -> int:
    """Rank over Q of the columns of the exact Jacobian that belong to the last hidden neurons, by elimination."""
    sizes = [n * (m + 1) for m, n in pairwise(network.architecture)]
    rows = [row[sum(sizes[:-2]) : sum(sizes[:-1])] for row in jacobian(network, points).tolist()]
    return exact.rank(fmpq_mat(rows))


def modular_rank(rows: PatternRows) -> int:
    return modular.rank(rows._table, rows.prime)


@pytest.mark.parametrize("prime", [PRIME, 3, 5, 7])
def test_a_rank_that_is_proved_is_no_less_than_that_of_the_jacobian(prime):
    """Small primes mislead: they divide minors. What is proved is true all the same, and usually it is proved."""
    rng, seen, proved, tight = np.random.default_rng(prime), 0, 0, 0
    for _ in range(300):
        network = small_network(rng)
        points = batch(rng, network)
        if not len(points) or ModularNetwork.reduce(network, prime) is None:
            continue
        rows, truth = pattern_rows(network, points, prime), true_rank(network, points)
        if not len(rows):
            assert truth == 0
            continue
        rank, seen = modular_rank(rows), seen + 1
        if rows.has_rank(rank):
            assert truth <= rank
            proved, tight = proved + 1, tight + (truth == rank)
        assert not rows.has_rank(rank - 1)
        assert not rows.has_rank(rank + 1)
    assert seen > 150
    assert proved > 0.5 * seen
    assert tight > (0.5 if prime == PRIME else 0.3) * proved


def test_the_rows_span_those_of_the_jacobian():
    """Over Q, by elimination: with the rows of the Jacobian the rank stays the same."""
    rng, seen = np.random.default_rng(8), 0
    for _ in range(60):
        network = small_network(rng)
        points = batch(rng, network)
        if not len(points):
            continue
        rows = pattern_rows(network, points, PRIME)
        products = [
            [entry * bit for bit in pattern for entry in vector]
            for pattern, vector in zip(rows._patterns, rows._inputs, strict=True)
        ]
        sizes = [n * (m + 1) for m, n in pairwise(network.architecture)]
        weights = network.augmented(network.depth).tolist()[0][:-1]
        width = network.architecture[-3] + 1
        found = [
            [entry / weights[j // width] for j, entry in enumerate(row[sum(sizes[:-2]) : sum(sizes[:-1])])]
            for row in jacobian(network, points).tolist()
        ]
        rank = exact.rank(fmpq_mat([[fmpq(entry) for entry in row] for row in products])) if products else 0
        assert exact.rank(fmpq_mat([*([fmpq(entry) for entry in row] for row in products), *found])) == rank
        seen += 1
    assert seen > 40


def test_a_rank_that_only_the_prime_has_is_not_proved():
    """Modulo 5 three always active neurons do not see the second input."""
    network = exactfd.Network([([[1, 0], [6, 5], [2, 10]], [9, 9, 9]), ([[1, 1, 1]], [60]), ([[1]], [0])])
    points = checked_points([[1, 0], [2, 1], [0, 1], [1, 2], [2, 2]], 2)
    rows = pattern_rows(network, points, 5)
    assert modular_rank(rows) == 2 < true_rank(network, points) == 3
    assert not rows.has_rank(2)
    assert pattern_rows(network, points, PRIME).has_rank(3)


def test_batches_of_networks_with_two_inputs(monkeypatch):
    """Ranks by elimination over Q; for some of them no kernel vector is needed, which without these rows there is."""
    monkeypatch.setattr(batchproofs, "pattern_way", lambda _: None)  # patterns alone would do
    counted = 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        network = exactfd.Network(
            [(rng.standard_normal((n, m)), rng.standard_normal(n) / 10) for m, n in pairwise((2, 7, 7, 1))]
        )
        points = rng.standard_normal((2 * network.upper_bound, 2))
        result = exactfd.batch_functional_dimension(network, points)
        assert result.rank == exactfd.batch_functional_dimension(network, points, algorithm="flint").rank
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(PatternRows, "has_rank", lambda *_: False)
            other = exactfd.batch_functional_dimension(network, points)
        assert other.rank == result.rank
        assert len(result.proof.vectors) <= len(other.proof.vectors)
        counted += len(result.proof.vectors) < len(other.proof.vectors)
        if seed == 0:
            assert result.certificate.check().valid
    assert counted > 0


def test_a_budget_ends_it():
    rng = np.random.default_rng(1)
    layers = [(rng.standard_normal((n, m)), rng.standard_normal(n)) for m, n in pairwise((2, 6, 6, 1))]
    network = exactfd.Network(layers)
    points = checked_points(rng.standard_normal((60, 2)), 2)
    with pytest.raises(BudgetExceeded):
        pattern_rows(network, points, PRIME, Budget(time_limit=1e-9))
    with pytest.raises(BudgetExceeded):
        pattern_rows(network, points, PRIME, Budget(memory_limit=1))
    spent = Budget()
    rows = pattern_rows(network, points, PRIME, spent)
    spent.time_limit = 1e-9
    with pytest.raises(BudgetExceeded):
        rows.has_rank(modular_rank(rows))
