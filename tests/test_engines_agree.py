"""The two engines for n0-dimensional cells share no code; they must give the same cells wherever both run."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

import exactfd
from strategies import degenerate_networks, networks

NETS = Path(__file__).parent.parent / "benchmarks" / "nets"


def rows(table):
    return sorted(map(tuple, table.tolist()))


def assert_same_top_cells(network, box=None):
    whole = exactfd.canonical_complex(network, box=box)
    alone = exactfd.split_cells(network, box=box)
    assert alone.complete
    assert rows(alone.labels) == rows(whole.labels(network.input_dimension))


@pytest.mark.parametrize("seed", range(8))
def test_on_degenerate_networks(seed):
    for _, network in degenerate_networks(900 + seed, 40):
        assert_same_top_cells(network)


def test_in_boxes():
    for number, (_, network) in enumerate(degenerate_networks(77, 120)):
        n0 = network.input_dimension
        low = [Fraction(-1 - number % 3, 1 + i) for i in range(n0)]
        high = [Fraction(1 + (number + i) % 2, 3) for i in range(n0)]
        assert_same_top_cells(network, (low, high))


@settings(deadline=None, max_examples=60)
@given(networks())
def test_on_drawn_networks(network):
    assert_same_top_cells(network)


@pytest.mark.parametrize("name", ["2x16x16x1_s0", "3x8x8x1_s0", "3x16x16x1_s0", "4x12x12x1_s0"])
def test_on_random_float_networks(name):
    assert_same_top_cells(exactfd.load(NETS / f"{name}.npz"))


def test_every_top_cell_is_where_its_point_says():
    network = exactfd.load(NETS / "3x8x8x1_s0.npz")
    found = exactfd.split_cells(network)
    assert len(found) == 794
    for labels, point in zip(found.labels.tolist(), found.points, strict=True):
        assert network.ternary_tuple(point) == tuple(labels)


@pytest.mark.parametrize("algorithm", ["complex", "splitting"])
def test_functional_dimension_does_not_depend_on_the_engine(algorithm):
    for _, network in degenerate_networks(5, 60):
        reference = exactfd.functional_dimension(network)
        other = exactfd.functional_dimension(network, algorithm=algorithm)
        assert reference.status == other.status == "proved"
        assert reference.value == other.value


def test_floats_are_not_trusted_near_a_triple_point():
    """Three lines through one point but for 2^-200: the small triangle is there, and it is bounded."""
    gap = Fraction(1, 2**200)
    network = exactfd.Network.from_arrays([([[1, 0], [0, 1], [1, 1]], [0, 0, gap]), ([[1, 1, 1]], [0])])
    whole = exactfd.canonical_complex(network)
    assert whole.f_vector == (3, 9, 7)
    assert whole.bounded_top_cells == 1
    (small,) = (cell for cell in whole.cells(2) if cell.bounded)
    assert max(abs(x) for vertex in small.vertices() for x in vertex) == gap
    assert network.ternary_tuple(small.interior_point()) == small.labels
    assert_same_top_cells(network)
    np.testing.assert_array_equal(whole.bounded(2).sum(), 1)
