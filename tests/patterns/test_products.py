"""Spaces over Q by small integers, and tensors modulo products of them, against FLINT."""

from __future__ import annotations

import numpy as np
import pytest
from flint import fmpz_mat

from exactfd.linalg import modular
from exactfd.patterns.products import Extent, Group, Quotient, Space

PRIME = 8388593


pytestmark = pytest.mark.usefixtures("both_ways")


def rank(*tables):
    table = np.concatenate(tables)
    return fmpz_mat(table.astype(int).tolist()).rank() if table.size else 0


def random_rows(rng, most, length):
    return (rng.integers(-1, 2, (rng.integers(1, most), length)) * (rng.random(length) < 0.8)).astype(float)


@pytest.mark.parametrize("prime", [PRIME, 3, 5, 101])
def test_spaces_are_exact(prime):
    """Modulo a small prime too: what cannot be told with it is no space."""
    rng, exact, none = np.random.default_rng(prime), 0, 0
    for _ in range(200):
        rows = random_rows(rng, 5, 6)
        for space in (Space.spanned(rows, prime), Space.of_zeros(rows, prime)):
            if space is None:
                none += 1
                continue
            assert rank(space.basis) == len(space.basis) == space.dimension
            assert rank(space.equations) == len(space.equations) == 6 - space.dimension
            assert not (space.basis @ space.equations.T).any()
            exact += 1
            if prime == PRIME:
                assert {space.dimension, 6 - space.dimension} & {rank(rows)}
    assert exact > 100
    if prime == PRIME:
        assert none < 10


def test_long_numbers_are_no_space():
    assert Space.spanned(np.array([[1000.0, 777.0, 1.0], [3.0, 1.0, 999.0]]), PRIME) is None


@pytest.mark.parametrize("size", [2, 3, 4])
def test_extents_are_no_less_than_what_they_bound(size):
    """For random vectors of neurons, for parallel ones, and for none; generic ones attain the bound nearly always."""
    rng, tight = np.random.default_rng(size), 0
    for trial in range(150):
        counts = rng.integers(0, 4, 5).tolist()
        left = random_rows(rng, 4, 5)
        extent = Extent.of(Space.spanned(left, PRIME).basis, counts, size)
        neurons = rng.integers(-9, 10, (sum(counts), size)).astype(float)
        if trial % 3 == 0:
            neurons[:] = neurons[:1]
        owner = np.repeat(np.arange(5), counts)

        def products(rows, neurons=neurons, owner=owner):
            return np.concatenate([np.zeros((0, len(owner))), *((row[owner] * neurons.T) for row in rows)])

        assert rank(products(left)) <= rank(products(extent.rows)) <= extent.dimension
        assert rank(extent.rows, left) == rank(extent.rows)
        tight += rank(products(extent.rows)) == extent.dimension
        # all sums of vectors X times the entries of blocks that are not light are counted too
        heavy = np.where(extent.light, 0.0, extent.rows)
        sums = np.concatenate([np.zeros((0, 5 * size)), *(np.kron(row, np.eye(size)) for row in heavy)])
        assert rank(np.concatenate([products(extent.rows), sums], axis=1)) <= extent.dimension
    assert tight >= 60


def random_group(rng, blocks, width, prime=PRIME):
    while True:
        left = Space.spanned(random_rows(rng, 3, blocks), prime)
        right = Space.spanned(random_rows(rng, 3, width), prime)
        if left and right and left.dimension and right.dimension:
            return Group(left, right)


def span_of(groups, blocks, width):
    rows = [np.outer(a, u).ravel() for group in groups for a in group.left.basis for u in group.right.basis]
    return np.array(rows).reshape(len(rows), blocks * width)


@pytest.mark.parametrize("prime", [PRIME, 5])
@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_what_vanishes_in_a_quotient_is_in_its_groups(prime, number):
    """And all of the groups vanishes; as do functionals on it, modulo the prime."""
    rng, blocks, width, inside, apart = np.random.default_rng(number), 4, 6, 0, 0
    for _ in range(60):
        given = [random_group(rng, blocks, width, prime) for _ in range(number)]
        quotient = Quotient.by(given, (blocks, width), prime)
        span = span_of(quotient.groups, blocks, width)
        apart += len(quotient.groups) > 1
        tensors = rng.integers(-1, 2, (12, blocks * width)).astype(float) * (rng.random((12, 1)) < 0.5)
        if len(span):
            tensors[:6] = rng.integers(-2, 3, (6, len(span))) @ span
            assert quotient.vanishes(span.reshape(-1, blocks, width)).all()
            functionals = quotient.functionals(5, rng, prime).reshape(5, -1)
            assert not modular.multiply(functionals, modular.reduce(span.T, prime), prime).any()
        vanishing = quotient.vanishes(tensors.reshape(-1, blocks, width))
        assert [rank(span, row[None]) == rank(span) for row in tensors] == vanishing.tolist()
        inside += vanishing[:6].sum()
        active, patterns = rng.integers(0, 2, (9, blocks)).astype(bool), rng.integers(0, 2, (9, width)).astype(bool)
        products = (active[:, :, None] & patterns[:, None]).astype(float)
        assert quotient.covers(active, patterns).tolist() == quotient.vanishes(products).tolist()
        for block in range(blocks):
            images = patterns @ quotient.of_block(block).T
            units = np.eye(blocks)[block][None, :, None] * patterns[:, None]
            assert (~images.any(axis=1)).tolist() == quotient.vanishes(units).tolist()
            free = quotient.without(block)
            assert free.vanishes(units).all()
            wider = np.concatenate([span, np.kron(np.eye(blocks)[block : block + 1], np.eye(width))])
            found = free.vanishes(tensors.reshape(-1, blocks, width))
            assert [rank(wider, row[None]) == rank(wider) for row in tensors] == found.tolist()
    assert inside > 60
    if number == 2:
        assert apart > 10
