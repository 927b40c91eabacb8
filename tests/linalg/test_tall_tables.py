"""Elimination with a memory, folded tables, and the compiled loops beside NumPy, against FLINT."""

import numpy as np
import pytest
from flint import nmod_mat
from hypothesis import given, settings
from hypothesis import strategies as st

from exactfd import compiled
from exactfd.linalg import modular
from exactfd.linalg.factors import Factors
from exactfd.linalg.sketches import TallTable, _Fold

PRIME = 8388593
SMALL = 4194319  # a prime above 2^22, the least that is used


@pytest.fixture(params=["never", "always"], autouse=True)
def both_ways(request, monkeypatch):
    monkeypatch.setenv(compiled.VARIABLE, request.param)


def residues(rng, rows, columns, prime=PRIME):
    return modular.reduce(rng.integers(0, prime, (rows, columns)).astype(float), prime)


def table_of_rank(rng, rows, columns, rank, prime=PRIME):
    return modular.multiply(residues(rng, rows, rank, prime), residues(rng, rank, columns, prime), prime)


def flint_rank(table, prime=PRIME):
    rows = table.astype(int).tolist()
    return nmod_mat(len(rows), table.shape[1], [x % prime for row in rows for x in row], prime).rank()


def with_lonely_rows(rng, rows, columns, rank, lonely, prime=PRIME):
    """A table and the set of its rows that no other row depends on, if the other rows are enough to be dependent."""
    table = table_of_rank(rng, rows, columns, rank, prime)
    places = np.sort(rng.choice(rows, lonely, replace=False))
    table[places] = residues(rng, lonely, columns, prime)
    return table, places


TABLES = pytest.mark.parametrize(
    ("rows", "columns", "rank", "lonely"),
    [
        (60, 20, 7, 5),
        (300, 150, 60, 0),
        (700, 300, 150, 40),
        (400, 300, 30, 250),  # almost every row counts for itself: folding loses many of them
        (1500, 200, 199, 0),
        (310, 300, 120, 3),  # hardly taller than wide: not folded
        (300, 140, 0, 9),
        (450, 150, 150, 0),
    ],
)


@TABLES
@pytest.mark.parametrize("prime", [PRIME, SMALL])
def test_rank_and_lonely_rows_of_tall_tables(rows, columns, rank, lonely, prime):
    rng = np.random.default_rng([rows, columns, rank, lonely])
    table, places = with_lonely_rows(rng, rows, columns, rank, lonely, prime)
    tall = TallTable(table, prime)
    tall.eliminate()
    assert tall.rank == flint_rank(table, prime) == rank + lonely
    assert np.flatnonzero(tall.alone).tolist() == places.tolist()


def test_rows_that_are_alone_are_those_without_which_the_rank_falls():
    rng = np.random.default_rng(5)
    table = rng.integers(-1, 2, (160, 140)).astype(float) * (rng.random((160, 140)) < 0.02)
    tall = TallTable(table, PRIME)
    tall.eliminate()
    falls = [flint_rank(np.delete(table, i, axis=0)) < tall.rank for i in range(len(table))]
    assert tall.rank == flint_rank(table)
    assert tall.alone.tolist() == falls
    assert 5 < sum(falls) < 155


def test_a_rank_is_a_lower_bound_whenever_it_is_asked_for():
    rng = np.random.default_rng(7)
    table, ranks = table_of_rank(rng, 900, 400, 333), []
    tall = TallTable(table, PRIME)

    def check():
        ranks.append(tall.rank)
        if len(ranks) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tall.eliminate(check)
    assert ranks == sorted(ranks)
    assert 0 < tall.rank < 333


@given(st.integers(0, 10**6))
@settings(max_examples=25)
def test_combinations_give_the_vectors(seed):
    rng = np.random.default_rng(seed)
    columns, factors, parts = int(rng.integers(1, 300)), None, []
    factors = Factors(columns, PRIME)
    for _ in range(int(rng.integers(1, 4))):
        rows = int(rng.integers(1, 200))
        parts.append(table_of_rank(rng, rows, columns, int(rng.integers(0, columns + 1))))
        before = factors.rank
        grown = factors.add(parts[-1])
        assert factors.rank == before + grown == flint_rank(np.concatenate(parts))
    table = np.concatenate(parts)
    vectors = modular.multiply(residues(rng, 3, len(table)), table, PRIME)
    found = factors.combinations(vectors)
    assert not modular.reduce(modular.multiply(found, table, PRIME) - vectors, PRIME).any()


def test_what_is_folded_is_that_matrix_times_the_table_and_its_transpose():
    rng = np.random.default_rng(3)
    fold = _Fold(23, 7, rng)
    matrix = fold.apply(np.eye(23))
    assert ((matrix != 0).sum(axis=0) == 2).all()
    assert (fold.transposed(np.eye(7)) == matrix).all()
    with pytest.raises(ValueError, match="five-hundredth"):
        _Fold(501, 1, rng)


# --------------------------------------------------------------------------- compiled loops, float by float


def test_compiled_loops_give_the_same_floats(monkeypatch):
    rng = np.random.default_rng(11)
    long = np.concatenate([rng.integers(-(2**53) + PRIME, 2**53 - PRIME, 9000), PRIME * rng.integers(-999, 999, 999)])
    half = np.array([PRIME // 2, PRIME // 2 + 1, -PRIME // 2, 0, PRIME, -PRIME] * 1000)
    block = table_of_rank(rng, 31, 90, 17)
    sparse = rng.integers(1, PRIME, (100, 150)).astype(float) // 2 * (rng.random((100, 150)) < 0.02)
    table, product = residues(rng, 80, 120), rng.integers(-(2**52), 2**52, (80, 70)).astype(float)
    columns = np.sort(rng.choice(120, 70, replace=False))
    found = []
    for way in ("never", "always"):
        monkeypatch.setenv(compiled.VARIABLE, way)
        basis, rows, pivots = modular.reduced_basis(block, PRIME, 60)
        found.append(
            [
                modular.reduce(long.astype(float), PRIME),
                modular.reduce(half.astype(float).reshape(3, 2000)[:, ::2], PRIME),
                modular.difference(table, columns, product.copy(), PRIME),
                basis,
                np.array([rows, pivots]),
                *map(np.array, modular.reduced_basis(sparse, PRIME)),
                *map(np.array, modular.reduced_basis(sparse[:9, :60], PRIME)),
            ]
        )
    assert all((one == other).all() for one, other in zip(*found, strict=True))
    assert not found[0][0][9000:].any()


@pytest.mark.parametrize("seed", range(30))
def test_kernels_and_independent_rows(seed):
    """Small tables, for which there is a loop, and larger ones."""
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(0, [90, 12]) if seed % 3 else rng.integers(80, 120, 2)
    table = table_of_rank(rng, rows, columns, int(rng.integers(0, columns + 1)))
    table[rng.random(rows) < 0.3] = 0.0
    before, truth = table.copy(), flint_rank(table)
    kernel, rank = modular.kernel(table, PRIME)
    assert rank == truth
    assert kernel.shape == (columns - truth, columns)
    assert flint_rank(kernel) == columns - truth
    assert not modular.multiply(table, kernel.T, PRIME).any()
    chosen = modular.independent_rows(table, PRIME)
    assert chosen == sorted(set(chosen))
    assert len(chosen) == truth == flint_rank(table[chosen])
    assert (table == before).all()


@TABLES
@pytest.mark.parametrize("prime", [PRIME, SMALL])
def test_vectors_of_the_kernel_of_all_rows_but_some(rows, columns, rank, lonely, prime):
    """They annihilate the other rows, no fewer of them do than there are, and they tell the rows left out apart."""
    rng = np.random.default_rng([rows, columns, rank, lonely])
    table, places = with_lonely_rows(rng, rows, columns, rank, lonely, prime)
    tall = TallTable(table, prime)
    tall.eliminate()
    but = np.zeros(rows, dtype=bool)
    but[places[: lonely // 2]] = True
    assert (but <= tall.alone).all()
    for some in (but, np.zeros_like(but)):
        vectors = tall.kernel_vectors(12, some)
        products = modular.multiply(table, vectors.T, prime)
        assert not products[~some].any()
        assert products[some].any(axis=1).all()
        assert modular.rank(vectors, prime) == min(12, columns - modular.rank(table[~some], prime))
