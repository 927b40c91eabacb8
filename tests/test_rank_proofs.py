"""The pieces of a proof of a rank, against direct elimination; and what budgets leave."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from flint import fmpq_mat, fmpz, fmpz_mat

import exactfd
from batches import Ticking
from exactfd import rationals
from exactfd.annihilation import annihilates
from exactfd.batchproofs import BatchRows, RelationProof, spanning_points
from exactfd.budget import Budget, peak_memory, silent
from exactfd.jacobians import ModularNetwork, smooth_labels
from exactfd.kernels import kernel
from exactfd.linalg import exact
from exactfd.points import checked_points
from exactfd.rankproof import RankSearch
from exactfd.relations import Relations, vanish
from strategies import degenerate_networks


def random_network(seed: int, architecture: tuple[int, ...]) -> exactfd.Network:
    rng = np.random.default_rng(seed)
    layers = [
        (rng.standard_normal((n, m)) * np.sqrt(2 / m), rng.standard_normal(n) / 10) for m, n in pairwise(architecture)
    ]
    return exactfd.Network(layers)


def batch_of(seed: int, network: exactfd.Network, count: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, network.input_dimension))


@pytest.mark.parametrize("architecture", [(2, 6, 6, 1), (3, 4, 3), (1, 5, 4, 2), (2, 4, 4, 4, 1)])
@pytest.mark.parametrize("count", [3, 12, 40, 150])
def test_batches_that_miss_the_supremum(architecture, count):
    """Deficits of every size: few points, clusters of points in one cell, many points."""
    network = random_network(count, architecture)
    points = batch_of(1, network, count)
    points[count // 2 :] = points[: count - count // 2] + 2.0**-20  # pairs in one cell
    result = exactfd.batch_functional_dimension(network, points)
    assert result.status == "proved"
    assert result.rank == exact.rank(exactfd.jacobian(network, points))
    if isinstance(result.proof, RelationProof):
        hidden = len(result.proof.relations) + len(result.proof.spanned)
        assert len(points) * network.output_dimension - hidden == result.rank
        for number, (relation, row) in enumerate(zip(result.proof.relations, result.proof.rows, strict=True)):
            assert [other[row] != 0 for other in result.proof.relations] == [
                i == number for i in range(len(result.proof.relations))
            ]
            rows = exactfd.jacobian(network, points)
            assert not any(entry != 0 for entry in (fmpq_mat(1, len(relation), relation) * rows).entries())
    elif result.proof is not None:
        hidden, left_out = result.proof.forced + len(result.proof.vectors), len(result.proof.left_out)
        assert network.parametric_dimension - hidden + left_out == result.rank
        rows = exact.integer_rows(exactfd.jacobian(network, points))
        aside = {*result.proof.left_out, *result.proof.spanned}
        kept = [row for i, row in enumerate(rows.tolist()) if i not in aside]
        rows = fmpz_mat(len(kept), rows.ncols(), [entry for row in kept for entry in row])
        assert rows.ncols() - rows.rank() == hidden
        for vector in result.proof.vectors:
            assert not any(entry != 0 for entry in (rows * fmpz_mat(len(vector), 1, vector)).entries())


def eliminated(network: exactfd.Network, points) -> BatchRows:
    points = checked_points(points, network.input_dimension)
    reduced = ModularNetwork.reduce(network, primes_below(2**23, 1)[0])
    rows = BatchRows(reduced, smooth_labels(network, points), points)
    rows.eliminate(Budget(), silent)
    return rows


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("seed", range(12))
def test_rows_that_no_other_row_depends_on(seed, outputs):
    network = random_network(seed, (2, 5, 4, outputs))
    found = eliminated(network, batch_of(seed, network, 30))
    rows = exact.integer_rows(exactfd.jacobian(network, found.points)).tolist()
    whole = fmpz_mat(rows).rank()
    assert found.rank == whole
    alone = [fmpz_mat(rows[:i] + rows[i + 1 :]).rank() < whole for i in range(len(rows))]
    assert found.alone().tolist() == [all(alone[i : i + outputs]) for i in range(0, len(rows), outputs)]
    assert seed or any(alone)  # the first one has some


@pytest.mark.parametrize("seed", range(8))
def test_batches_eliminated_by_rows(seed, monkeypatch):
    """As where there are many points: no row is left out, and the rank and its proof are right all the same."""
    network = random_network(seed, [(2, 5, 4, 1), (3, 4, 4, 2), (4, 6, 1), (1, 4, 4, 1)][seed % 4])
    points = batch_of(seed, network, [12, 60][seed // 4])
    monkeypatch.setattr("exactfd.batchproofs._MANY", 0)
    result = exactfd.batch_functional_dimension(network, points)
    assert result.rank == exact.rank(exactfd.jacobian(network, points))
    assert result.modular_rank == result.rank
    assert not getattr(result.proof, "left_out", [])
    assert result.certificate.check().valid


def test_points_stand_for_a_cell_only_when_they_span_it():
    network = exactfd.Network([([[1, 0], [0, 1], [0, 0]], [0, 0, -1]), ([[1, 1, 1]], [0])])
    points = checked_points([[1, 1], [2, 2], [3, 3], [-1, 1], [-2, 1], [-1, 3], [1, -1], [-5, 2], [4, 4]], 2)
    labels = smooth_labels(network, points)
    prime = primes_below(2**23, 1)[0]
    assert spanning_points(prime, labels, points) == [[0, 1, 2, 8], [3, 4, 5], [6]]  # a line of four
    more = [*points, [1, -3], [-2, -1], [-7, -5], [-1, -9], *([x, 1 + x * x] for x in range(5, 25))]
    result = exactfd.batch_functional_dimension(network, more)
    assert result.rank == exact.rank(exactfd.jacobian(network, more))
    assert result.proof.spanned == [2, 7, 8, *range(14, 33)]


def test_a_vector_that_misses_one_row_is_no_kernel_vector():
    """Every entry of a kernel vector changed in turn, by one and by a multiple of the prime of the search."""
    network = random_network(3, (2, 4, 4, 1))
    points = checked_points(batch_of(0, network, 25), 2)
    labels = smooth_labels(network, points)
    search = RankSearch.start(network)
    search.add_points(labels, points)
    vectors = kernel(search)
    assert annihilates(network, vectors, labels, points)
    vectors = [vector for vector in vectors if sum(entry != 0 for entry in vector) > 1]  # not a weight without effect
    assert vectors
    for vector in vectors:
        for j in [j for j, entry in enumerate(vector) if entry != 0]:
            for change in (1, search.prime):
                wrong = [entry + change * (i == j) for i, entry in enumerate(vector)]
                assert not annihilates(network, [wrong], labels, points)


# modulo many primes at once; by prefixes, modulo one after the other, block by block or layer by layer; by columns
@pytest.mark.parametrize(
    ("together", "cost", "block"), [(0, 0.0, 0.0), (1e9, 0.0, 0.0), (1e9, 0.0, 1e9), (1e9, 1e9, 0.0)]
)
@pytest.mark.parametrize("output_activation", ["identity", "relu"])
@pytest.mark.parametrize("architecture", [(2, 5, 4, 3, 2), (1, 4, 3), (3, 5), (2, 4, 4, 1)])
def test_all_ways_to_multiply_with_cells(architecture, output_activation, together, cost, block, monkeypatch):
    """Products modulo many primes, from shared factors and from the table of columns: right vectors pass, wrong entries
    are seen.
    """
    monkeypatch.setattr("exactfd.annihilation._TOGETHER", together)
    monkeypatch.setattr("exactfd.annihilation._APART", cost)
    monkeypatch.setattr("exactfd.annihilation._BLOCK", block)
    layers = random_network(5, architecture).to_fractions()
    network = exactfd.Network(layers, output_activation=output_activation)
    result = exactfd.functional_dimension(network)
    labels = exactfd.top_cells(network).labels
    rows = exact.integer_rows(
        fmpq_mat([row for one in labels.tolist() for row in exactfd.cell_jacobian(network, one).tolist()])
    )
    columns = rows.transpose().tolist()
    assert result.status == "proved"
    vectors = [list(vector) for vector in result.hidden_kernel]
    vectors += [rationals.primitive_row(vector)[0] for vector in result.search.gauge.vectors]
    assert annihilates(network, vectors, labels)
    for number, vector in enumerate(vectors):
        for j in range(number % 5, len(vector), 5):
            if any(entry != 0 for entry in columns[j]):
                wrong = [entry + (i == j) for i, entry in enumerate(vector)]
                assert not annihilates(network, [*vectors[:number], wrong, *vectors[number:]], labels)


def test_a_relation_with_one_wrong_entry_is_none():
    network = random_network(4, (3, 4, 2))
    points = checked_points([[1, 2, 3], ["2/3", 2, 3], ["1/3", 2, 3], [1, 2, 3], [-4, "1/7", 2]], 3)
    labels = smooth_labels(network, points)
    search = RankSearch.start(network)
    search.add_points(labels, points)
    found = Relations(search).solved()
    assert len(found) == 10 - search.rank > 0
    assert vanish(network, found, labels, points)
    for relation in found:
        for i in range(len(relation)):
            for change in (1, search.prime):
                wrong = [entry + change * (i == j) for j, entry in enumerate(relation)]
                assert not vanish(network, [wrong], labels, points)


def test_few_rows_of_a_wide_network():
    """More columns than any elimination over Q would like: duplicated points, and more of one cell than span it."""
    network = random_network(0, (30, 6, 3))
    rng = np.random.default_rng(2)
    points = rng.integers(0, 9, (12, 30)).astype(float)
    points[6:9] = points[:3]
    points[9] = (points[0] + points[1]) / 2
    result = exactfd.batch_functional_dimension(network, points)
    assert isinstance(result.proof, RelationProof)
    assert result.rank == exact.rank(exactfd.jacobian(network, points)) < 36
    assert "relations" in result.method


def test_time_limit_of_a_rank_leaves_bounds():
    network = random_network(0, (2, 8, 8, 1))
    points = batch_of(0, network, 60)
    full = exactfd.batch_functional_dimension(network, points)
    cut = exactfd.batch_functional_dimension(network, points, budget=Budget(time_limit=1e-9))
    assert (cut.status, cut.rank, cut.ntk_rank, cut.float_rank, cut.float_agrees) == ("bounds", None, None, None, None)
    assert cut.lower <= full.rank <= cut.upper == min(network.upper_bound, 60)
    assert "time limit" in cut.limit
    assert cut.to_dict()["rank"] is None


@pytest.mark.parametrize("of", ["batch", "cells"])
def test_wherever_a_budget_runs_out_the_bounds_are_true(of):
    network = random_network(1, (2, 6, 6, 1))
    points = batch_of(0, network, 40)

    def run(budget):
        if of == "batch":
            return exactfd.batch_functional_dimension(network, points, budget=budget)
        return exactfd.functional_dimension(network, budget=budget)

    truth = run(None)
    assert truth.status == "proved"
    seen, looks = set(), 0
    while True:
        result = run(Ticking(looks))
        assert result.lower <= truth.lower <= result.upper
        seen.add((result.lower, result.status))
        if result.status == "proved":
            break
        looks += 1
    assert len(seen) >= 2


def test_kernel_vectors_proved_before_a_budget_ran_out_lower_the_upper_bound(monkeypatch):
    monkeypatch.setattr("exactfd.kernels._SHORT", 1)  # long is what has more than one nonzero entry
    network = random_network(11, (2, 6, 6, 1))
    truth = exactfd.functional_dimension(network)
    cells = exactfd.top_cells(network).labels.tolist()
    rows = fmpq_mat([row for labels in cells for row in exactfd.cell_jacobian(network, labels).tolist()])
    uppers, looks = set(), 0
    while True:
        result = exactfd.functional_dimension(network, budget=Ticking(looks))
        known = len(result.hidden_kernel)
        for vector in result.hidden_kernel:
            assert not any(entry != 0 for entry in (rows * fmpq_mat(len(vector), 1, vector)).entries())
        if known:
            assert result.upper == min(
                network.upper_bound, network.parametric_dimension - len(result.search.gauge.columns) - known
            )
        uppers.add(result.upper)
        if result.status == "proved":
            break
        assert result.certificate.check().valid
        looks += 1
    assert result.value == truth.value
    assert len(uppers) >= 3


def test_memory_that_would_not_suffice_is_not_asked_for():
    """One cell of this network has 785 x 10 rows of 12 730 entries: 800 MB at once, and far more to eliminate."""
    rng = np.random.default_rng(0)
    sizes = (784, 16, 10)
    network = exactfd.Network([(rng.integers(-3, 4, (n, m)), rng.integers(-3, 4, n)) for m, n in pairwise(sizes)])
    result = exactfd.functional_dimension(network, budget=Budget(memory_limit=peak_memory() + 500 * 2**20))
    assert result.status == "bounds"
    assert "memory" in result.limit
    assert 0 < result.lower < result.upper == network.upper_bound


@pytest.mark.parametrize("number", range(0, 120, 3))
def test_rows_of_one_cell_in_parts(number, monkeypatch):
    """Where the rows of one cell are too many for one table the answer and the names of the pivots stay the same."""
    name, network = list(degenerate_networks(7, 120))[number]
    usual = exactfd.functional_dimension(network)
    monkeypatch.setattr("exactfd.rankproof._ENTRIES", 5)
    parts = exactfd.functional_dimension(network)
    assert (parts.lower, parts.upper) == (usual.lower, usual.upper), name
    labels = parts.search.labels()
    for row, residues in zip(parts.search.pivot_rows(), parts.search.residues(parts.search.pivot_rows()), strict=True):
        exact_row = exactfd.cell_jacobian(network, labels[row.item].tolist()).tolist()[
            row.output * (network.input_dimension + 1) + row.coefficient
        ]
        expected = [_modulo(exact_row[j], parts.search.prime) for j in parts.search.columns.tolist()]
        assert [int(entry) % parts.search.prime for entry in residues] == expected


def _modulo(value, prime: int) -> int:
    fraction = Fraction(int(value.p), int(value.q))
    return fraction.numerator * pow(fraction.denominator, -1, prime) % prime


def primes_below(limit: int, count: int) -> list[int]:
    found: list[int] = []
    while len(found) < count:
        limit -= 1
        if fmpz(limit).is_prime():
            found.append(limit)
    return found


def test_a_parameter_that_defeats_every_large_prime():
    """Modulo each of the 66 largest primes this network has a smaller rank."""
    product = math.prod(primes_below(2**23, 66))
    network = exactfd.Network([([[product]], [1]), ([[product]], [product])])
    result = exactfd.functional_dimension(network)
    assert (result.value, result.search.prime) == (3, primes_below(2**23, 67)[-1])
    assert result.certificate.check().valid
    batch = exactfd.batch_functional_dimension(network, [[1], [2], [-1]])
    assert batch.rank == 3
    assert batch.certificate.check().valid
    assert (batch.float_rank, batch.float_agrees) == (None, False)  # the float Jacobian overflows


def test_coordinates_with_different_denominators_are_not_brought_to_a_common_one():
    """The common denominator of these 600 coordinates has 240 000 bits; each of them has 400."""
    network = exactfd.Network([([[1, -2], [3, 1], [-1, -1]], [1, 0, 2]), ([[1, 2, -1]], [0])])
    generator = random.Random(0)
    points = [[Fraction(generator.getrandbits(402), generator.getrandbits(400) | 1) for _ in "xy"] for _ in range(300)]
    before = peak_memory()
    result = exactfd.batch_functional_dimension(network, points)
    assert result.status == "proved"
    assert result.rank == exact.rank(exactfd.jacobian(network, points[:60])) == 9 < network.upper_bound
    assert peak_memory() < before + 100 * 2**20


def test_a_few_rows_on_a_wide_network_are_related_before_anything_is_forced():
    """Almost all of the kernel is forced then: writing it down once took 40 s and 1.5 GB here."""
    rng, sizes = np.random.default_rng(1), (10, 40, 40, 1)
    network = exactfd.Network([(rng.standard_normal((n, m)), rng.standard_normal(n)) for m, n in pairwise(sizes)])
    points = rng.standard_normal((6, 10))
    points[1] = points[0]
    result = exactfd.batch_functional_dimension(network, points)
    assert result.rank == 5
    assert isinstance(result.proof, RelationProof)
    assert len(result.proof.relations) == 1
