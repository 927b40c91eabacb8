"""Elimination modulo a prime and long integers modulo a prime, against FLINT and Python's own integers."""

from itertools import islice

import numpy as np
import pytest
from flint import nmod_mat
from hypothesis import given
from hypothesis import strategies as st

from exactfd.linalg import modular
from exactfd.linalg.residues import DyadicTable

PRIME = next(modular.primes())


def _table(seed: int) -> np.ndarray:
    """A product of two thin matrices, perhaps with zero rows and repeated ones."""
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(1, 60, 2)
    inner = rng.integers(0, min(rows, columns) + 1)
    table = rng.integers(-3, 4, (rows, inner)) @ rng.integers(-3, 4, (inner, columns))
    table[rng.random(rows) < 0.1] = 0
    return np.concatenate([table, table[rng.random(rows) < 0.1]])


def _rank(table: np.ndarray) -> int:
    return int(nmod_mat(*table.shape, [int(x) % PRIME for x in table.ravel()], PRIME).rank())


@pytest.mark.parametrize("seed", range(60))
def test_row_space(seed):
    table = _table(seed)
    space = modular.RowSpace(table.shape[1], PRIME)
    grown = [space.add(part.astype(float)) for part in np.array_split(table, 1 + seed % 4)]
    assert space.rank == sum(grown) == _rank(table)
    assert space.seen == len(table)
    pivots = table[space.pivot_rows][:, space.pivot_columns]
    assert _rank(pivots) == space.rank
    kernel = space.kernel()
    assert len(kernel) == table.shape[1] - space.rank == _rank(kernel)
    assert not (table.astype(object) @ kernel.astype(int).astype(object).T % PRIME).any()


def test_row_space_of_more_rows_than_one_block():
    rng = np.random.default_rng(5)
    table = rng.integers(-9, 10, (700, 40)) @ rng.integers(-9, 10, (40, 500))
    space = modular.RowSpace(500, PRIME)
    space.add(modular.reduce(table.astype(float), PRIME))
    assert space.rank == 40
    assert space.pivot_rows == list(range(40))  # the first independent rows
    wide = modular.RowSpace(40, PRIME)
    wide.add(modular.reduce(table[:, :40].astype(float), PRIME))
    assert wide.rank == 40
    assert wide.add(np.ones((3, 40))) == 0
    assert wide.kernel().shape == (0, 40)


@given(st.lists(st.integers() | st.integers(-(2**3000), 2**3000) | st.integers(-(2**17), 2**17), max_size=40))
def test_long_integers(values):
    found = modular.Integers(values).modulo(PRIME)
    assert found.shape == (len(values),)
    assert [int(x) % PRIME for x in found] == [value % PRIME for value in values]
    assert (abs(found) <= PRIME / 2 + 2).all()


@pytest.mark.parametrize("sign", [1, -1])
def test_floats_just_below_a_power_of_two(sign):
    """The multiple of a prime nearest to their mantissa is beyond 2^53, where not every integer is a float."""
    mantissas = [2**53 - k for k in (1, 2, 3, 5, 1000, 2**20 + 1, 2**22 - 1)]
    for prime in [3, 5, 7, 11, 13, 65537, *islice(modular.primes(), 60)]:
        table = DyadicTable(np.array([[sign * float(m) * 2.0**-60 for m in mantissas]]))
        residues = [int(x) % prime for x in table.modulo(prime)[0]]
        assert residues == [sign * m * pow(2, -60, prime) % prime for m in mantissas]


@pytest.mark.parametrize("count", [0, 1, 3, 70])
@pytest.mark.parametrize("left_rows", [0, 1, 4])
@pytest.mark.parametrize("inner", [0, 1, 5])
@pytest.mark.parametrize("columns", [0, 1, 6])
def test_products_of_stacks_of_any_shape(count, left_rows, inner, columns):
    """Also of matrices without rows or columns, as spaces without equations have."""
    random = np.random.default_rng(count)
    one = modular.random_numbers(random, left_rows, inner)
    many = modular.random_numbers(random, count, inner, columns)
    wanted = np.array([(one.astype(object) @ table.astype(object)) % PRIME for table in many], dtype=float)
    found = modular.multiply(one, many, PRIME)
    assert found.shape == (count, left_rows, columns)
    assert np.array_equal(found % PRIME, wanted.reshape(found.shape))
    assert modular.multiply(many.transpose(0, 2, 1), one.T, PRIME).shape == (count, columns, left_rows)
