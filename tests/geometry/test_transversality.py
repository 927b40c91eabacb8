"""General position of one layer against the definition, and large layers in bounded time."""

from __future__ import annotations

import random
import time
from itertools import combinations

import pytest
from flint import fmpq, fmpq_mat

from exactfd.geometry import transversality
from exactfd.geometry.transversality import is_generic


def by_definition(rows):
    """Every k hyperplanes meet in codimension k or not at all."""
    for k in range(1, len(rows) + 1):
        for part in combinations(rows, k):
            weights, whole = fmpq_mat([row[:-1] for row in part]).rank(), fmpq_mat(list(part)).rank()
            if weights < k and whole == weights:
                return False
            if k == 1 and weights == 0:
                return False  # no hyperplane
    return True


def layer(rng):
    """A small layer with duplicated, parallel and concurrent hyperplanes, sometimes of low rank."""
    m, n, most = rng.randint(1, 4), rng.randint(1, 6), rng.choice([1, 2, 5])
    rows = [[fmpq(rng.randint(-most, most)) for _ in range(m + 1)] for _ in range(n)]
    if rng.random() < 0.4:
        basis = [[fmpq(rng.randint(-2, 2), rng.randint(1, 3)) for _ in range(m)] for _ in range(rng.randint(1, 2))]
        for row in rows:
            factors = [rng.randint(-2, 2) for _ in basis]
            row[:m] = [sum((f * v[j] for f, v in zip(factors, basis, strict=True)), fmpq(0)) for j in range(m)]
    if rng.random() < 0.4:
        row = rng.choice(rows)
        rows[rng.randrange(n)] = [rng.choice([-1, 1, 2]) * x for x in row[:m]] + [row[m] + rng.randint(0, 2)]
    return rows


def test_small_layers():
    rng = random.Random(3)
    seen = {True: 0, False: 0}
    for _ in range(400):
        rows = layer(rng)
        expected = by_definition(rows)
        assert is_generic(fmpq_mat(rows)) is expected, rows
        seen[expected] += 1
    assert min(seen.values()) > 50


def large(rank, *, concurrent, size=64, seed=0):
    rng = random.Random(seed)
    basis = fmpq_mat([[fmpq(*rng.gauss(0, 1).as_integer_ratio()) for _ in range(size)] for _ in range(rank)])
    factors = fmpq_mat([[fmpq(rng.randint(-9, 9)) for _ in range(rank)] for _ in range(size)])
    weight = (factors * basis).tolist()
    return fmpq_mat([[*row, row[0] + row[1] if concurrent else fmpq(rng.randint(-9999, 9999))] for row in weight])


@pytest.mark.parametrize(
    ("rank", "concurrent", "expected"),
    [(1, True, False), (32, False, None), (60, True, None), (63, True, None), (63, False, True)],
)
def test_large_singular_layers_take_seconds(rank, concurrent, expected):
    """64 hyperplanes with dependent normals: the same question in coordinates of the span of the normals."""
    augmented = large(rank, concurrent=concurrent)
    start = time.process_time()
    assert is_generic(augmented) is expected
    assert time.process_time() - start < 10


def test_many_parallels_are_generic():
    """Exact looks at pairs only: what holds two parallel hyperplanes meets nowhere."""
    rng = random.Random(1)
    rows = [[fmpq(1 + i // 8), fmpq(2), fmpq(rng.randint(0, 10**9))] for i in range(64)]
    assert is_generic(fmpq_mat(rows)) is True
    assert is_generic(fmpq_mat([*rows[:-1], rows[0]])) is False


def test_an_unlucky_prime(monkeypatch):
    """Everything vanishes modulo a divisor of the weights, and nothing goes wrong."""
    monkeypatch.setattr(transversality, "_PRIME", 3)
    assert is_generic(fmpq_mat([[3, 1, 1], [3, 4, 2], [6, 1, 7]])) is by_definition(
        [[fmpq(x) for x in row] for row in [[3, 1, 1], [3, 4, 2], [6, 1, 7]]]
    )
    rng = random.Random(9)
    for _ in range(100):
        rows = layer(rng)
        assert is_generic(fmpq_mat(rows)) is by_definition(rows)
