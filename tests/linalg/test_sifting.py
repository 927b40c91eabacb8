"""Rows that are sifted on their way into a row space: the same space as without, from far fewer eliminated rows."""

import numpy as np
import pytest
from flint import nmod_mat

from exactfd.linalg import modular
from exactfd.linalg.sifting import SiftedRows

PRIME = next(modular.primes())


def rank_by_flint(table):
    return nmod_mat(*table.shape, [int(entry) % PRIME for entry in table.reshape(-1).tolist()], PRIME).rank()


def low_rank(seed, rows, columns, rank):
    rng = np.random.default_rng(seed)
    left, right = rng.integers(-3, 4, (rows, rank)), rng.integers(-3, 4, (rank, columns))
    table = (left * (rng.random(left.shape) < 0.3)) @ right
    table[rng.random(rows) < 0.2] = 0
    return modular.reduce(table.astype(np.float64), PRIME)


@pytest.mark.parametrize("step", [1, 7, 100, 255, 256, 257, 2000])
@pytest.mark.parametrize("shape", [(900, 60, 20), (40, 5, 5), (700, 400, 330), (300, 10, 0), (513, 700, 513)])
def test_the_same_space_as_without(shape, step):
    table = low_rank(step, *shape)
    sifted = SiftedRows(shape[1], PRIME)
    for start in range(0, len(table), step):
        sifted.add(table[start : start + step])
        assert sifted.space.rank + sifted.waiting >= rank_by_flint(table[: start + step]) or step < 100
    sifted.settle()
    assert sifted.seen == len(table)
    assert sifted.waiting == 0
    rows = sifted.pivot_rows
    assert sifted.space.rank == len(rows) == rank_by_flint(table) == rank_by_flint(table[rows])
    assert rank_by_flint(table[rows][:, sifted.space.pivot_columns]) == len(rows)
    assert not modular.multiply(table, sifted.space.kernel().T, PRIME).any()


def test_few_rows_are_eliminated():
    table = low_rank(0, 5000, 80, 30)
    sifted = SiftedRows(80, PRIME)
    for start in range(0, 5000, 500):
        sifted.add(table[start : start + 500])
    sifted.settle()
    assert sifted.space.rank == 30
    assert sifted.space.seen <= 300


def test_random_vectors_of_the_kernel():
    table = low_rank(1, 50, 40, 12)
    space = modular.RowSpace(40, PRIME)
    space.add(table)
    vectors = space.random_kernel(100, np.random.default_rng(0))
    assert vectors.shape == (100, 40)
    assert not modular.multiply(table, vectors.T, PRIME).any()
    assert rank_by_flint(vectors) == 40 - space.rank


def test_rows_passed_over_wrongly_leave_a_lower_bound(monkeypatch):
    table = low_rank(2, 600, 50, 40)
    monkeypatch.setattr(modular.RowSpace, "random_kernel", lambda self, count, random: np.zeros((count, self.columns)))
    sifted = SiftedRows(50, PRIME)
    sifted.add(table[:20])
    sifted.settle()
    found = sifted.space.rank
    sifted.add(table[20:])
    sifted.settle()
    assert 0 < sifted.space.rank == found < rank_by_flint(table)
