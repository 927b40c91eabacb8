"""Ternary tuples of many points at once against one exact evaluation each: floats may only decide what is sure."""

from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq

import exactfd
from exactfd import compiled
from exactfd.geometry.location import ternary_tuples
from oracles import fractions_net
from strategies import degenerate_networks


@pytest.fixture(params=["never", "always"], autouse=True)
def both_ways(request, monkeypatch):
    monkeypatch.setenv(compiled.VARIABLE, request.param)


def _expected(network, points):
    layers = network.to_fractions()
    return [
        list(fractions_net.ternary_tuple(layers, network.output_activation, [Fraction(int(x.p), int(x.q)) for x in p]))
        for p in points
    ]


@pytest.mark.parametrize("number", range(0, 160, 4))
def test_degenerate_networks(number):
    _, network = list(degenerate_networks(11, 160))[number]
    rng = np.random.default_rng(number)
    n = network.input_dimension
    points = [[fmpq(int(x), int(rng.integers(1, 9))) for x in row] for row in rng.integers(-6, 7, (20, n))]
    points += [[fmpq(0)] * n, [fmpq(1, 3**400)] * n, [fmpq(3**700)] * n]
    assert ternary_tuples(network, points).tolist() == _expected(network, points)


@pytest.mark.parametrize("bits", [30, 52, 53, 54, 60, 105, 400, 1100])
def test_points_beside_a_wall(bits):
    """A step of 2^-bits off a hyperplane, through cancellation in both layers; underflow included."""
    third = fmpq(1, 3)
    network = exactfd.Network([([["1/3", "2/7"], ["1/3", "-1/5"]], ["-1/9", 0]), ([[1, -1]], [0]), ([[1]], [0])])
    step = fmpq(1, 2**bits)
    on_the_wall = (fmpq(1, 9) - third * third) / fmpq(2, 7)
    points = [[third, on_the_wall + side * step] for side in (-1, 0, 1)]
    points += [[step * x, step * y] for x, y in ((1, 2), (-1, 0), (3, -1))]
    found = ternary_tuples(network, points)
    assert found.tolist() == _expected(network, points)
    assert found[:3, 0].tolist() == [-1, 0, 1]


def test_layers_whose_numbers_no_float_holds():
    tiny, huge = fmpq(1, 10**350), fmpq(10**350)
    network = exactfd.Network([([[tiny], [huge]], [-tiny, huge]), ([[huge, tiny]], [-1]), ([[1]], [0])])
    points = [[fmpq(1)], [fmpq(2)], [1 + tiny], [-1 - tiny], [huge]]
    assert ternary_tuples(network, points).tolist() == _expected(network, points)


def test_error_bounds_are_needed():
    """Sums that cancel to rounding errors: the naive float sign is wrong somewhere, the answer never."""
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(40):
        weights = rng.standard_normal((1, 8))
        point = rng.standard_normal(8)
        exact = [fmpq(*float(x).as_integer_ratio()) for x in point]
        bias = -sum((fmpq(*float(w).as_integer_ratio()) * x for w, x in zip(weights[0], exact, strict=True)), fmpq(0))
        bias += fmpq(int(rng.integers(-1, 2)), 2**70)
        network = exactfd.Network([(weights, [bias]), ([[1]], [0])])
        found = ternary_tuples(network, [exact]).tolist()
        assert found == _expected(network, [exact])
        (w, b), *_ = network.to_numpy()
        wrong += int(np.sign(w @ point + b)[0]) != found[0][0]
    assert wrong > 5
