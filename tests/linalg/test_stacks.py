"""Residues modulo many primes at once, against those modulo one prime after the other and Python's own integers."""

from itertools import islice

import numpy as np
import pytest
from flint import fmpq, fmpq_mat

from exactfd import compiled
from exactfd.linalg import modular, stacks
from exactfd.linalg.residues import DyadicTable, RationalTable, usable

PRIMES = [3, 5, 101, *islice(modular.primes(), 6)]


@pytest.fixture(params=["never", "always"], autouse=True)
def both_ways(request, monkeypatch):
    monkeypatch.setenv(compiled.VARIABLE, request.param)
    monkeypatch.setattr(stacks, "_LONG", 1)


def equal(table, residues) -> bool:
    """Residues of either sign, prime by prime."""
    return all(
        (int(x) - y) % prime == 0
        for prime, one, other in zip(PRIMES, table, residues, strict=True)
        for x, y in zip(np.ravel(one).tolist(), np.ravel(other).tolist(), strict=True)
    )


@pytest.mark.parametrize("inner", [1, 7, 256, 257, 600])
def test_products(inner):
    rng = np.random.default_rng(inner)
    left, right = (
        np.stack([rng.integers(-(p // 2), p // 2 + 1, shape) for p in PRIMES]) for shape in [(4, inner), (inner, 3)]
    )
    product = stacks.multiply(left.astype(float), right.astype(float), stacks.moduli(PRIMES, 3))
    truth = [a.astype(object) @ b.astype(object) for a, b in zip(left, right, strict=True)]
    assert equal(product, truth)
    assert (np.abs(product) <= stacks.moduli(PRIMES, 3) / 2 + 2).all()


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_residues_in_place_and_not(order, overwrite):
    rng = np.random.default_rng(3)
    moduli = stacks.moduli(PRIMES, 3)
    values = np.asarray(rng.integers(-(2**52), 2**52, (len(PRIMES), 5, 7)).astype(float), order=order)
    values[:, 0] = 0.0
    values[:, 1] = moduli[:, 0] * rng.integers(-1000, 1000, (len(PRIMES), 7))
    before = values.copy()
    found = stacks.reduce(values, moduli, overwrite=overwrite)
    assert equal(found, before)
    assert (np.abs(found) <= moduli / 2 + 2).all()
    assert ((found == 0) == (before.astype(object) % moduli.astype(int).astype(object) == 0)).all()
    assert overwrite or (values == before).all()
    alone = np.stack([modular.reduce(part, prime) for part, prime in zip(before, PRIMES, strict=True)])
    assert (found == alone).all()


def test_long_integers():
    rng = np.random.default_rng(0)
    values = [0, 1, -1, 2**16, -(2**16), 2**31 - 1, PRIMES[-1] ** 9, -(10**300)]
    values += [int(rng.integers(-9, 10)) * 7 ** int(rng.integers(0, 400)) for _ in range(40)]
    assert equal(stacks.integers_modulo(modular.Integers(values), PRIMES), [values] * len(PRIMES))
    assert stacks.integers_modulo(modular.Integers([]), PRIMES).shape == (len(PRIMES), 0)


def test_floats_of_every_size():
    rng = np.random.default_rng(1)
    values = rng.standard_normal((5, 4)) * 10.0 ** rng.integers(-300, 300, (5, 4))
    values[0] = [0.0, 5e-324, -(2.0**53) + 1, 1.7e308]
    table = DyadicTable(values)
    assert equal(table.modulo_all(PRIMES), [table.modulo(prime) for prime in PRIMES])


def test_rationals_and_the_primes_that_divide_their_denominators():
    table = RationalTable(fmpq_mat([[fmpq(1, 3), fmpq(7, 101**2)], [fmpq(2**400 + 1, 11**50), fmpq(0)]]))
    assert usable([table, DyadicTable(np.ones(2))], PRIMES) == [prime for prime in PRIMES if prime not in (3, 101)]
    kept = usable([table], PRIMES)
    assert (table.modulo_all(kept) == np.stack([table.modulo(prime) for prime in kept])).all()
    assert table.modulo_all([]).shape == (0, 2, 2)
    assert [prime for prime in PRIMES if table.modulo(prime) is None] == [3, 101]
    assert table.usable([]) == []
    assert DyadicTable(np.ones((3, 2))).modulo_all([]).shape == (0, 3, 2)
