"""The cell of a point against PPL's cells, plain ``Fraction`` evaluation and a search for paths."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exactfd.errors import InputError, ShapeError
from exactfd.geometry.complex import canonical_complex
from exactfd.geometry.labels import is_smooth_tuple, smooth_mask, split_layers
from exactfd.geometry.location import locate
from exactfd.network import Network
from oracles import fractions_net, ppl_complex
from strategies import degenerate_networks, networks, points


def layers_of_widths(widths, output_activation):
    """Layers of the right shape, for the path search, which reads no weight."""
    sizes = [1, *widths] if output_activation == "relu" else [1, *widths, 2]
    return [([[Fraction(1)] * m for _ in range(n)], [Fraction(0)] * n) for m, n in pairwise(sizes)]


@pytest.mark.parametrize(
    ("kind", "network"), [pytest.param(k, n, id=f"{i}-{k}") for i, (k, n) in enumerate(degenerate_networks(23, 84))]
)
def test_one_point_of_every_cell(kind, network):
    """PPL's cells of every dimension: labels, dimension and smoothness at a point of each, and ``F`` there."""
    layers, activation = network.to_fractions(), network.output_activation
    cells = ppl_complex.cells(layers, activation)
    by_labels = {cell.labels: cell for cell in cells}
    for cell in cells[:: max(1, len(cells) // 40)]:
        found = locate(network, cell.point)
        assert found.labels == cell.labels
        assert found.dimension == by_labels[found.labels].dimension
        assert found.smooth == fractions_net.is_smooth(layers, activation, cell.labels)
        value = [
            sum((m * x for m, x in zip(row, cell.point, strict=True)), c)
            for row, c in zip(found.matrix, found.offset, strict=True)
        ]
        assert value == fractions_net.evaluate(layers, activation, cell.point)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_affine_map_holds_along_the_cell(data):
    """Any second point with the same labels is in the same cell, so the same matrix and offset give its value."""
    network = data.draw(networks())
    here, there = (data.draw(points(network.input_dimension)) for _ in range(2))
    found = locate(network, here)
    step = Fraction(1)
    for _ in range(12):
        other = [x + step * (y - x) for x, y in zip(here, there, strict=True)]
        if network.ternary_tuple(other) == found.labels:
            value = tuple(
                sum((m * x for m, x in zip(row, other, strict=True)), c)
                for row, c in zip(found.matrix, found.offset, strict=True)
            )
            assert value == network.evaluate(other)
            assert locate(network, other) == found
        step /= 4


@pytest.mark.parametrize(
    ("kind", "network"), [pytest.param(k, n, id=f"{i}-{k}") for i, (k, n) in enumerate(degenerate_networks(29, 28))]
)
def test_cells_of_points_in_a_box(kind, network):
    """A point of every cell, on the walls too, leads back to that cell; so does any point by its sides and labels."""
    low, high = Fraction(-1), Fraction(3, 2)
    complex_ = canonical_complex(network, box=(low, high))
    for cell in list(complex_.cells()):
        found = complex_.cell_containing(cell.interior_point())
        assert (found.dimension, found.index, found.walls) == (cell.dimension, cell.index, cell.walls)
    rng = np.random.default_rng(1)
    for row in rng.integers(-2, 4, (30, network.input_dimension)).tolist():
        point = [Fraction(x, 2) for x in row]
        found = complex_.cell_containing(point)
        assert found.labels == network.ternary_tuple(point)
        assert found.walls == tuple((x == high) - (x == low) for x in point)


def test_no_enumeration_in_high_dimension():
    rng = np.random.default_rng(0)
    network = Network([(rng.normal(size=(60, 50)), rng.normal(size=60)), (rng.normal(size=(3, 60)), [0, 0, 0])])
    found = locate(network, rng.integers(-3, 3, size=50))
    assert found.dimension == 50
    assert found.smooth
    assert len(found.matrix) == 3
    corner = Network([(np.eye(50), [0] * 50), ([[1] * 50], [0])])
    found = locate(corner, [0] * 20 + [1] * 30)
    assert (found.dimension, found.smooth) == (30, False)


def test_masked_zero_is_smooth():
    """relu(-1 - relu(x)): the kink of the inner neuron is behind one that is off."""
    network = Network([([[1]], [0]), ([[-1]], [-1]), ([[5]], [2])])
    found = locate(network, [0])
    assert (found.labels, found.dimension, found.smooth) == ((0, -1), 0, True)
    assert (found.matrix, found.offset) == (((Fraction(0),),), (Fraction(2),))


def test_bad_points():
    network = Network([([[1, 2]], [0])])
    with pytest.raises(ShapeError, match="2 inputs, found 3"):
        locate(network, [1, 2, 3])
    with pytest.raises(InputError, match=r"point\[1\]"):
        locate(network, [1, "x"])


# ------------------------------------------------------------------ labels


@pytest.mark.parametrize("activation", ["identity", "relu"])
@pytest.mark.parametrize("widths", [(), (1,), (3,), (2, 2), (1, 1, 1, 1), (2, 1, 2)])
def test_smoothness_rule_against_paths(widths, activation):
    """Every tuple of labels; the oracle searches for a path from a zero to an output that meets no -1."""
    if activation == "relu" and not widths:
        return
    layers = layers_of_widths(widths, activation)
    tuples = list(product((-1, 0, 1), repeat=sum(widths)))
    expected = [fractions_net.is_smooth(layers, activation, labels) for labels in tuples]
    assert [is_smooth_tuple(labels, widths) for labels in tuples] == expected
    table = np.array(tuples, dtype=np.int8).reshape(len(tuples), sum(widths))
    assert smooth_mask(table, widths).tolist() == expected


def test_split_layers():
    assert split_layers((1, -1, 0), (2, 1)) == [(1, -1), (0,)]
    assert split_layers((), ()) == []
    assert split_layers(np.array([1, 0], dtype=np.int8), (1, 1)) == [(1,), (0,)]
    with pytest.raises(ShapeError, match="need 3 labels, found 2"):
        split_layers((1, 1), (2, 1))
    with pytest.raises(ShapeError, match=r"need shape \(m, 3\)"):
        smooth_mask(np.zeros((4, 2), dtype=np.int8), (2, 1))
    assert smooth_mask(np.zeros((0, 3), dtype=np.int8), (2, 1)).shape == (0,)
