"""Derivatives along integer vectors modulo many primes, against the exact Jacobian times the vectors."""

from __future__ import annotations

from itertools import islice
from math import prod

import numpy as np
import pytest
from flint import fmpq, fmpq_mat, fmpz

import exactfd
from exactfd import tangents
from exactfd.annihilation import annihilates
from exactfd.budget import Budget
from exactfd.errors import BudgetExceeded
from exactfd.geometry.location import ternary_tuples
from exactfd.jacobians import cell_jacobian, jacobian
from exactfd.linalg import exact, modular
from exactfd.points import Points, checked_points
from exactfd.tangents import Tangents
from strategies import degenerate_networks, smooth

PRIMES = list(islice(modular.primes(), 5))


def divisible(product: fmpq_mat, primes: list[int]) -> bool:
    """Whether all numerators are divisible by every prime (which divides no denominator)."""
    return all(entry.p % prime == 0 for entry in product.entries() for prime in primes)


@pytest.mark.parametrize("entries", [1 << 18, 1])  # of the arrays: all points together, one point after the other
def test_products_with_the_jacobian(entries, monkeypatch):
    monkeypatch.setattr(tangents, "_ENTRIES", entries)
    rng, seen, zero = np.random.default_rng(5), 0, 0
    for name, network in degenerate_networks(5, 25):
        points = smooth(network, rng.integers(-20, 21, (8, network.input_dimension)) / 4)
        if not len(points):
            continue
        labels, table = ternary_tuples(network, points), jacobian(network, points)
        vectors = exact.kernel(table)[:3]  # then wrong ones: one entry more, by a product of primes too
        wrong = [[entry + (j == i) for j, entry in enumerate(v)] for i, v in enumerate(vectors)]
        vectors += wrong + [
            [entry + prod(PRIMES[:2]) * (j == i) for j, entry in enumerate(v)] for i, v in enumerate(wrong)
        ]
        vectors += [[fmpz(int(x)) for x in rng.integers(-2, 3, network.parametric_dimension)]]
        for vector in vectors:
            product = table * fmpq_mat([[fmpq(entry)] for entry in vector])
            for primes in (PRIMES, PRIMES[:2], [3, 5]):
                found, size = Tangents(network, labels, points, [vector]).vanish(primes, 1)
                kept = [prime for prime in primes if size % prime == 0]
                assert size == prod(kept)
                assert found == divisible(product, kept), name
            assert annihilates(network, [vector], labels, points) == (not any(product.entries())), name
            zero += not any(product.entries())
        seen += len(vectors)
    assert seen > zero > 30


@pytest.mark.parametrize("entries", [1 << 18, 1])
def test_products_with_the_coefficient_rows_of_cells(entries, monkeypatch):
    """Against the exact rows of each cell; a neuron with label 0 is inactive there."""
    monkeypatch.setattr(tangents, "_ENTRIES", entries)
    rng, seen, zero = np.random.default_rng(6), 0, 0
    for name, network in degenerate_networks(6, 25):
        labels = exactfd.top_cells(network).labels
        if len(labels) > 12:
            labels = labels[rng.permutation(len(labels))[:12]]
        table = fmpq_mat([row for one in labels.tolist() for row in cell_jacobian(network, one).tolist()])
        vectors = exact.kernel(table)[:3]
        wrong = [[entry + (j == i) for j, entry in enumerate(v)] for i, v in enumerate(vectors)]
        vectors += wrong + [
            [entry + prod(PRIMES[:2]) * (j == i) for j, entry in enumerate(v)] for i, v in enumerate(wrong)
        ]
        for vector in vectors:
            product = table * fmpq_mat([[fmpq(entry)] for entry in vector])
            for primes in (PRIMES, PRIMES[:2], [3, 5]):
                found, size = Tangents(network, labels, None, [vector]).vanish(primes, 1)
                kept = [prime for prime in primes if size % prime == 0]
                assert size == prod(kept)
                assert found == divisible(product, kept), name
            assert annihilates(network, [vector], labels) == (not any(product.entries())), name
            zero += not any(product.entries())
        seen += len(vectors)
    assert seen > zero > 30


def test_only_the_first_vectors_are_asked_about():
    network = exactfd.Network([([[1, 2], [3, -1]], [5, 7]), ([[1, 1]], [0])])
    points = checked_points([[1, 1], [2, 0], [0, 1]], 2)
    labels = ternary_tuples(network, points)
    zero, wrong = [fmpz(0)] * 9, [fmpz(int(i == 8)) for i in range(9)]
    found = Tangents(network, labels, points, [zero, wrong])
    assert found.vanish(PRIMES, 1) == (True, prod(PRIMES))
    assert found.vanish(PRIMES, 2)[0] is False
    with pytest.raises(BudgetExceeded):
        found.vanish(PRIMES, 2, Budget(time_limit=1e-9))


def test_size_of_points():
    """Integers up to the size are a positive multiple of ``(x, 1)``, whether points are kept as floats or not."""
    rng = np.random.default_rng(3)
    for _ in range(50):
        floats = rng.standard_normal((3, 2)) * 10.0 ** rng.integers(-30, 30, (3, 2))
        floats[0, 0] = rng.choice([0.0, 5e-324, 1.0, -4.0])
        points = Points(floats, 2)
        assert points.size() >= max(size for _, size in points.scales()) == Points(list(points), 2).size()
    assert Points(np.zeros((0, 2)), 2).size() == 1
