"""The whole complex against an enumeration by another library (PPL) on networks of every degenerate kind."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from functools import cache

import pytest
from hypothesis import given, settings

import exactfd
from exactfd.network import Network
from strategies import KINDS, degenerate_networks, fractions, networks

pytest.importorskip("ppl", reason="the independent enumeration needs the test extra pplpy")
from oracles import fractions_net, ppl_complex

SEED, COUNT, CHUNK = 20, 20 * len(KINDS), 14
BOXED = 120


@cache
def all_networks() -> tuple[tuple[str, Network], ...]:
    return tuple(degenerate_networks(SEED, COUNT))


def box_around(number: int, dimension: int) -> tuple[list[Fraction], list[Fraction]]:
    """Boxes of several shapes; integer walls through many hyperplanes of these networks, or not through any."""
    shapes = (
        (Fraction(-1), Fraction(1)),
        (Fraction(0), Fraction(2)),
        (Fraction(-7, 3), Fraction(5, 11)),
        (Fraction(1, 10**6), Fraction(1, 10**6) + Fraction(1, 2**60)),
    )
    sides = [shapes[(number + j) % len(shapes)] for j in range(dimension)]
    return [low for low, _ in sides], [high for _, high in sides]


def assert_same_complex(network: Network, box: tuple[list[Fraction], list[Fraction]] | None = None) -> None:
    layers, activation, n0 = network.to_fractions(), network.output_activation, network.input_dimension
    expected = ppl_complex.cells(layers, activation, box)
    computed = exactfd.canonical_complex(network, box=box)
    cells = list(computed.cells())

    found = Counter((cell.labels, cell.walls, cell.dimension, cell.bounded) for cell in cells)
    wanted = Counter((cell.labels, cell.walls, cell.dimension, cell.bounded) for cell in expected)
    assert found - wanted == Counter(), "cells that do not exist"
    assert wanted - found == Counter(), "cells that were missed"

    for cell in cells:
        point = cell.interior_point()
        assert fractions_net.ternary_tuple(layers, activation, point) == cell.labels
        if box is not None:
            assert tuple(wall_label(*entry) for entry in zip(point, *box, strict=True)) == cell.walls

    top = [cell for cell in expected if cell.dimension == n0]
    smooth = [cell for cell in top if fractions_net.is_smooth(layers, activation, cell.labels)]
    assert computed.f_vector == ppl_complex.f_vector(expected, n0)
    assert computed.euler_characteristic == (1 if box is not None else (-1) ** n0)
    assert computed.top_cells == len(top)
    assert computed.bounded_top_cells == sum(cell.bounded for cell in top)
    assert computed.smooth_top_cells == len(smooth)
    for dimension in range(n0 + 1):
        selected = {(cell.labels, cell.walls) for cell in computed.cells(dimension=dimension)}
        assert selected == {(cell.labels, cell.walls) for cell in expected if cell.dimension == dimension}


def wall_label(value: Fraction, low: Fraction, high: Fraction) -> int:
    assert low <= value <= high
    return (value == high) - (value == low)


def chunks(total: int) -> list[range]:
    return [range(start, min(start + CHUNK, total)) for start in range(0, total, CHUNK)]


def test_the_sample_is_what_it_claims():
    """At least 300 networks; every kind, every n_0 with both output activations, every kind with both."""
    sample = all_networks()
    assert len(sample) >= 300
    assert {kind for kind, _ in sample} == set(KINDS)
    assert {(network.input_dimension, network.output_activation) for _, network in sample} == {
        (n0, activation) for n0 in (1, 2, 3, 4) for activation in ("identity", "relu")
    }
    assert {(kind, network.output_activation) for kind, network in sample} == {
        (kind, activation) for kind in KINDS for activation in ("identity", "relu")
    }
    assert [network for _, network in degenerate_networks(SEED, 30)] == [network for _, network in sample[:30]]
    flat_labels = sum(
        cell.dimension == network.input_dimension and 0 in cell.labels
        for _, network in sample[:60]
        for cell in ppl_complex.cells(network.to_fractions(), network.output_activation)
    )
    assert flat_labels > 20, "neurons that vanish identically on full-dimensional cells belong in the sample"


@pytest.mark.parametrize("chunk", chunks(COUNT), ids=lambda chunk: f"{chunk.start}-{chunk.stop - 1}")
def test_every_cell_of_every_dimension(chunk):
    for number in chunk:
        assert_same_complex(all_networks()[number][1])


@pytest.mark.parametrize("chunk", chunks(BOXED), ids=lambda chunk: f"{chunk.start}-{chunk.stop - 1}")
def test_every_cell_in_a_closed_box(chunk):
    """The inputs stop at 3: a box multiplies the cells by up to 3^n_0."""
    for number in chunk:
        network = all_networks()[number][1]
        if network.input_dimension <= 3:
            assert_same_complex(network, box_around(number, network.input_dimension))


@settings(max_examples=40, deadline=None)
@given(networks())
def test_every_cell_with_shrinking(network):
    assert_same_complex(network)


@settings(max_examples=20, deadline=None)
@given(networks(max_inputs=2), fractions(), fractions(), fractions(), fractions())
def test_boxes_with_shrinking(network, a, b, c, d):
    low = [a, b][: network.input_dimension]
    high = [a + abs(c) + Fraction(1, 7), b + abs(d) + Fraction(1, 2)][: network.input_dimension]
    assert_same_complex(network, (low, high))


# ------------------------------------------------------------------ relations between cells


def is_face(small: tuple[int, ...], large: tuple[int, ...]) -> bool:
    """A cell lies in the closure of another exactly when its label agrees or is 0 at every neuron.

    Pre-activations are continuous, so labels can only turn to 0 in the closure; and where they agree or vanish, the
    affine forms of the larger cell give the same values, so the point satisfies its weak inequalities.
    """
    return all(s in (0, t) for s, t in zip(small, large, strict=True))


@pytest.mark.parametrize("chunk", chunks(84), ids=lambda chunk: f"{chunk.start}-{chunk.stop - 1}")
def test_face_relation_and_adjacency(chunk):
    for number in chunk:
        network = all_networks()[number][1]
        n0 = network.input_dimension
        expected = ppl_complex.cells(network.to_fractions(), network.output_activation)
        if len(expected) > 150:
            continue
        computed = exactfd.canonical_complex(network)
        poset = computed.face_poset()
        labels = {node: tuple(data["labels"]) for node, data in poset.nodes(data=True)}
        assert sorted(labels.values()) == sorted(cell.labels for cell in expected)
        covers = {(labels[below], labels[above]) for below, above in poset.edges}
        assert covers == {
            (small.labels, large.labels)
            for small in expected
            for large in expected
            if small.dimension + 1 == large.dimension and is_face(small.labels, large.labels)
        }
        dual = computed.dual_graph()
        top = {node: tuple(data["labels"]) for node, data in dual.nodes(data=True)}
        assert sorted(top.values()) == sorted(cell.labels for cell in expected if cell.dimension == n0)
        neighbours = {frozenset((top[a], top[b])) for a, b in dual.edges}
        assert neighbours == {
            frozenset(large for large in top.values() if is_face(wall.labels, large))
            for wall in expected
            if wall.dimension == n0 - 1
        }


# ------------------------------------------------------------------ genericity


@pytest.mark.parametrize("chunk", chunks(126), ids=lambda chunk: f"{chunk.start}-{chunk.stop - 1}")
def test_generic_and_supertransversal(chunk):
    """Generic by ranks of every subset of rows; supertransversal by counting zeros on PPL's cells."""
    for number in chunk:
        network = all_networks()[number][1]
        layers, n0 = network.to_fractions(), network.input_dimension
        computed = exactfd.canonical_complex(network)
        expected = ppl_complex.cells(layers, network.output_activation)
        assert computed.supertransversal == all(cell.labels.count(0) == n0 - cell.dimension for cell in expected)
        relu_layers = layers[: len(network.relu_widths)]
        assert computed.generic == all(is_generic(weight, bias) for weight, bias in relu_layers)


def is_generic(weight, bias) -> bool:
    """Every k hyperplanes meet in codimension k, or not at all: checked on every subset of the rows.

    A neuron with zero weights has no hyperplane, so its layer is not generic, whatever its bias is.
    """
    size = len(bias)
    if not all(any(row) for row in weight):
        return False
    for mask in range(1, 2**size):
        chosen = [i for i in range(size) if mask >> i & 1]
        rows = [weight[i] for i in chosen]
        extended = [[*weight[i], bias[i]] for i in chosen]
        rank = fractions_net.rank(rows)
        meets = rank == fractions_net.rank(extended)
        if meets and rank != len(chosen):
            return False
    return True
