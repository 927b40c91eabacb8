"""Small integer vectors from residues, against FLINT over Q."""

import numpy as np
import pytest
from flint import fmpz_mat

from exactfd import compiled
from exactfd.linalg import modular
from exactfd.linalg.small import equations, rank_bound, rank_bound_of_parts, small

PRIME = 8388593


@pytest.fixture(params=["never", "always"], autouse=True)
def both_ways(request, monkeypatch):
    monkeypatch.setenv(compiled.VARIABLE, request.param)


def rank_over_q(table):
    return fmpz_mat(table.astype(int).tolist()).rank() if table.size else 0


@pytest.mark.parametrize("seed", range(40))
def test_rank_of_small_tables(seed):
    """Exact for tables of zeros and ones of small rank, and never less than the rank for others."""
    rng = np.random.default_rng(seed)
    rows, columns, rank = rng.integers(1, 40, 3)
    table = rng.integers(0, 2, (rows, columns)).astype(float)
    assert rank_over_q(table) <= rank_bound(table, PRIME) <= np.count_nonzero(table.any(axis=1))
    simple = table[rng.integers(0, min(rank, rows), 60)]  # many twins
    assert rank_bound(simple, PRIME) >= rank_over_q(simple)
    assert rank_bound(np.repeat(np.eye(columns), 2, axis=0), PRIME) == columns


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("prime", [PRIME, 5])
def test_tall_tables_in_parts(seed, prime):
    """Relations among columns, true in all parts: the last one may have the only row that breaks one."""
    rng = np.random.default_rng(seed)
    rows, columns = int(rng.integers(60, 300)), int(rng.integers(2, 20))
    table = rng.integers(0, 2, (rows, columns)).astype(float)
    table[:, -1] = table[:, 0]
    parts = np.array_split(table, 4)
    bound = rank_bound_of_parts(lambda: parts, columns, prime)
    assert rank_over_q(table) <= bound <= columns
    if prime == PRIME:
        assert bound == rank_over_q(table)
    table[-1, -1] += prime  # unseen modulo the prime
    assert rank_bound_of_parts(lambda: parts, columns, prime) >= rank_over_q(table) == columns
    assert rank_bound(table, prime) == columns


@pytest.mark.parametrize("prime", [3, 5, 7, 101])
def test_small_primes_do_not_make_ranks_smaller(prime):
    rng, seen = np.random.default_rng(prime), 0
    for _ in range(200):
        table = rng.integers(-prime, prime + 1, rng.integers(1, 9, 2)).astype(float)
        table[rng.random(len(table)) < 0.3] *= prime
        bound = rank_bound(table, prime)
        assert bound >= rank_over_q(table)
        seen += modular.rank(modular.reduce(table, prime), prime) < rank_over_q(table)
    assert seen > 20  # where the prime alone would have misled


def test_numbers_that_floats_do_not_add_exactly_prove_nothing():
    table = np.array([[2.0**51, 2.0**51 + 1], [2.0**52, 2.0**52 + 2]])
    assert rank_bound(table, PRIME) == 2  # one in truth


@pytest.mark.parametrize("seed", range(40))
def test_equations_are_independent_and_describe_small_spaces(seed):
    rng = np.random.default_rng(seed)
    width = int(rng.integers(2, 12))
    space = rng.integers(0, 2, (rng.integers(0, width), width)).astype(float)  # spanned by small vectors
    annihilators = modular.kernel(space, PRIME)[0]
    numbers = modular.random_numbers(rng, width + 3, len(annihilators))
    found = equations(modular.multiply(numbers, annihilators, PRIME), PRIME)
    assert rank_over_q(found) == len(found) == width - rank_over_q(space)
    assert not (found @ space.T).any()


def test_equations_that_are_not_small():
    """Zeros of one equation with large coefficients: only the small ones among them are kept."""
    table = np.array([[1.0, 54321.0, 0.0, 0.0], [0.0, 0.0, 1.0, -1.0]])
    found = equations(table, PRIME)
    assert rank_over_q(found) == len(found)
    assert not (found @ np.array([0.0, 0.0, 1.0, 1.0])).any()
    assert (found @ np.array([1.0, 0.0, 0.0, 0.0])).any()
    assert (found @ np.array([0.0, 1.0, 0.0, 0.0])).any()


def test_denominators():
    half = modular.reduce(np.array([[1.0, float(pow(2, -1, PRIME)), 0.0]]), PRIME)
    values, fine = small(half, PRIME)
    assert (values.tolist(), fine.tolist()) == ([[2.0, 1.0, 0.0]], [True])
    assert not small(np.array([[1.0, 123456.0]]), PRIME)[1].any()
