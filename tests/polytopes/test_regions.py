"""Counts of linear regions against plain enumeration with PPL, closed formulas, inequalities and symmetries."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from fractions import Fraction
from math import comb
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ppl import Linear_Expression, NNC_Polyhedron

import exactfd
from exactfd.errors import BudgetExceeded, InputError
from exactfd.geometry.affine import CellMaps
from exactfd.polytopes.components import components
from exactfd.polytopes.maps import map_classes
from exactfd.polytopes.regions import region_counts_of
from oracles import formulas, fractions_net, ppl_complex
from strategies import degenerate_networks

EXAMPLES = Path(__file__).parents[2] / "examples"


def counts(network):
    return exactfd.region_counts(network).to_dict()


def only(network, *names):
    found = counts(network)
    return tuple(found[name] for name in names)


# --------------------------------------------------------------------------- plain enumeration


class Plain:
    """Every notion, read off the cells that PPL finds, in plain ``Fraction`` arithmetic."""

    def __init__(self, network):
        self.layers, self.activation = network.to_fractions(), network.output_activation
        self.n = network.input_dimension
        cells = ppl_complex.cells(self.layers, self.activation)
        self.patterns = {tuple(label > 0 for label in cell.labels) for cell in cells}
        top = [cell.labels for cell in cells if cell.dimension == self.n]
        self.top_patterns = {tuple(label > 0 for label in labels) for labels in top}
        self.maps = [self.map(labels)[0] for labels in top]
        self.closed = [self.closure(labels) for labels in top]
        self.open = [self.closure(labels, strict=True) for labels in top]
        self.opened = self.flood(self.n - 1)
        self.touching = self.flood(0)

    def map(self, labels):
        """The affine map on a cell, and the forms of its neurons."""
        rows = [[Fraction(i == j) for j in range(self.n + 1)] for i in range(self.n)]
        forms, signs = [], iter(labels)
        for number, (weight, bias) in enumerate(self.layers):
            rows = [
                [
                    sum(w * row[j] for w, row in zip(ws, rows, strict=True)) + (b if j == self.n else 0)
                    for j in range(self.n + 1)
                ]
                for ws, b in zip(weight, bias, strict=True)
            ]
            if number < fractions_net.relu_layer_count(self.layers, self.activation):
                forms += rows
                rows = [row if next(signs) > 0 else [Fraction(0)] * (self.n + 1) for row in rows]
        return tuple(map(tuple, rows)), forms

    def closure(self, labels, strict=False):
        found = NNC_Polyhedron(self.n, "universe")
        for label, form in zip(labels, self.map(labels)[1], strict=True):
            scale = np.lcm.reduce([1, *(entry.denominator for entry in form)], dtype=object)
            integers = [int(entry * scale) * (label or 1) for entry in form]
            expression = Linear_Expression(integers[:-1], integers[-1])
            if label == 0:
                found.add_constraint(expression == 0)
            else:
                found.add_constraint(expression > 0 if strict else expression >= 0)
        return found

    def flood(self, dimension):
        """Sets of cells of one map, joined where closed cells meet in at least this dimension."""
        left, found = set(range(len(self.maps))), []
        while left:
            queue = [left.pop()]
            region = set(queue)
            while queue:
                i = queue.pop()
                for j in sorted(left):
                    common = NNC_Polyhedron(self.closed[i])
                    common.intersection_assign(self.closed[j])
                    if (
                        self.maps[i] == self.maps[j]
                        and not common.is_empty()
                        and common.affine_dimension() >= dimension
                    ):
                        left.remove(j)
                        region.add(j)
                        queue.append(j)
            found.append(region)
        return found

    def is_convex(self, region):
        """No other cell meets the convex hull in an open set."""
        hull = NNC_Polyhedron(self.n, "empty")
        for i in region:
            hull.poly_hull_assign(self.closed[i])
        return all(self.open[j].is_disjoint_from(hull) for j in set(range(len(self.open))) - region)

    def counts(self):
        convex = [self.is_convex(region) for region in self.opened]
        return {
            "R1": len(self.patterns),
            "R2": len(self.top_patterns),
            "R3": [
                sum(1 if good else 2 for good in convex),
                sum(1 if good else len(region) for good, region in zip(convex, self.opened, strict=True)),
            ],
            "R4": len(self.opened),
            "R5": len(self.touching),
            "R6": len(set(self.maps)),
        }


SMALL = [
    (kind, network)
    for kind, network in degenerate_networks(20251, 250)
    if network.input_dimension <= 3 and sum(network.relu_widths) <= 6
]


def test_against_plain_enumeration():
    """Degenerate networks; the selection holds cases that tell notions apart."""
    apart = Counter()
    names = ("R1", "R2", "R4", "R6")
    for kind, network in SMALL:
        plain = Plain(network).counts()
        assert counts(network) == plain, (kind, network.to_dict())
        apart.update(pair for pair in itertools.pairwise(names) if plain[pair[0]] != plain[pair[1]])
        apart["not convex"] += plain["R3"][0] > plain["R4"]
    assert len(SMALL) > 100
    assert min(apart[key] for key in [*itertools.pairwise(names), "not convex"]) >= 3, apart


def touching_quadrants():
    """``relu(min(x, y)) + relu(min(-x, -y))`` is 0 on the second and the fourth quadrant, which meet in one point."""
    first = ([[1, 0], [-1, 0], [1, -1], [-1, 1]], [0, 0, 0, 0])
    # min(x, y) = x - relu(x - y), min(-x, -y) = -x - relu(y - x)
    second = ([[1, -1, -1, 0], [-1, 1, 0, -1]], [0, 0])
    return exactfd.Network([first, second, ([[1, 1]], [0])])


def test_closed_regions_that_meet_in_a_point():
    """R5 < R4: both notions, and the plain enumeration."""
    network = touching_quadrants()
    assert only(network, "R4", "R5", "R6") == (6, 5, 5)
    assert counts(network) == Plain(network).counts()


def test_several_maps_that_meet_in_one_point():
    """``relu(min(x + y, 3x, 3y)) - relu(min(-x - y, -3x, -3y))``: 0, x + y, 3x and 3y, each on opposite sectors."""
    first = ([[1, 1], [-1, -1], [-2, 1], [1, -2], [2, -1], [-1, 2]], [0] * 6)
    network = exactfd.Network([first, ([[1, -1, -1, -1, 0, 0], [-1, 1, 0, 0, -1, -1]], [0, 0]), ([[1, -1]], [0])])
    assert only(network, "R4", "R5", "R6") == (8, 4, 4)
    assert counts(network) == Plain(network).counts()


def test_closed_regions_that_meet_in_a_line():
    """The same with a third input that nothing depends on: no vertex, one line."""
    first, *rest = touching_quadrants().to_fractions()
    network = exactfd.Network([([[*row, 0] for row in first[0]], first[1]), *rest])
    assert only(network, "R4", "R5", "R6") == (6, 5, 5)
    skew = exactfd.Network([([[a, b + a, a - 2 * b] for a, b in first[0]], first[1]), *rest])
    assert only(skew, "R4", "R5", "R6") == (6, 5, 5)


def test_regions_with_one_map_apart():
    """A tent: 0 on both sides of it, and these sides do not touch."""
    tent = exactfd.Network([([[1], [1], [1]], [0, -1, -2]), ([[1, -2, 1]], [0])])
    assert counts(tent) == {"R1": 4, "R2": 4, "R3": [4, 4], "R4": 4, "R5": 4, "R6": 3}


# --------------------------------------------------------------------------- known answers


def test_the_example_of_the_paper():
    network = exactfd.load(EXAMPLES / "max_min_regions.json")
    assert counts(network) == {"R1": 7, "R2": 5, "R3": [4, 5], "R4": 3, "R5": 3, "R6": 3}


@pytest.mark.parametrize(("inputs", "neurons"), [(1, 4), (2, 1), (2, 5), (3, 2), (3, 6), (4, 5)])
def test_one_hidden_layer_in_general_position(inputs, neurons):
    """All notions agree with Zaslavsky's number, unless the neurons are so few that signed sums of rows vanish."""
    rng = random.Random(inputs * 10 + neurons)
    layers = [
        (
            [[rng.randint(-99, 99) for _ in range(inputs)] for _ in range(neurons)],
            [rng.randint(-99, 99) for _ in range(neurons)],
        ),
        ([[rng.randint(1, 99) for _ in range(neurons)]], [3]),
    ]
    regions = formulas.regions(neurons, inputs)
    assert set(map(str, counts(exactfd.Network(layers)).values())) == {str(regions), str([regions, regions])}


@pytest.mark.parametrize("inputs", [1, 2, 3])
def test_one_hidden_layer_does_not_make_the_maps_differ(inputs):
    """``relu(t) - relu(-t - 1)`` in every coordinate: its pieces are t + 1, 0 and t.

    A sum over a set of k coordinates has the constants 0, ..., k, whichever of them are below -1.
    """
    units = [[int(i == j) for j in range(inputs)] for i in range(inputs)]
    rows = [row for unit in units for row in (unit, [-entry for entry in unit])]
    network = exactfd.Network([(rows, [0, -1] * inputs), ([[1, -1] * inputs], [0])])
    maps = sum(comb(inputs, k) * (k + 1) for k in range(inputs + 1))
    assert only(network, "R1", "R2", "R4", "R6") == (3**inputs, 3**inputs, 3**inputs, maps)
    even = exactfd.Network([(rows, [0, 0] * inputs), ([[1, -1] * inputs], [0])])
    assert only(even, "R1", "R2", "R3", "R4", "R5", "R6") == (3**inputs, 2**inputs, [1, 1], 1, 1, 1)


def test_no_hidden_layer():
    line = exactfd.Network([([[1, 2, 3]], [4])])
    assert counts(line) == {"R1": 1, "R2": 1, "R3": [1, 1], "R4": 1, "R5": 1, "R6": 1}
    half = exactfd.Network([([[1, 2, 3]], [4])], output_activation="relu")
    assert counts(half) == {"R1": 2, "R2": 2, "R3": [2, 2], "R4": 2, "R5": 2, "R6": 2}
    nothing = exactfd.Network([([[0, 0]], [0])], output_activation="relu")
    assert counts(nothing) == {"R1": 1, "R2": 1, "R3": [1, 1], "R4": 1, "R5": 1, "R6": 1}


def test_a_neuron_that_vanishes_on_part_of_the_plane():
    """relu(relu(x)): ternary labels (-1, 0), (0, 0), (1, 1); one pattern for the first two, and two regions."""
    network = exactfd.Network([([[1, 0]], [0]), ([[1]], [0]), ([[1]], [0])])
    assert exactfd.canonical_complex(network).f_vector == (0, 1, 2)
    assert counts(network) == {"R1": 2, "R2": 2, "R3": [2, 2], "R4": 2, "R5": 2, "R6": 2}


# --------------------------------------------------------------------------- every theta


def test_inequalities_on_degenerate_networks():
    """And patterns of top cells are different: each {0, 1} pattern of full dimension is one cell."""
    strict = Counter()
    for kind, network in degenerate_networks(7, 420):
        complex_ = exactfd.canonical_complex(network)
        found = region_counts_of(complex_)
        chain = (found.r6, found.r5, found.r4, found.r3_lower, found.r3_upper, found.r2, found.r1)
        assert list(chain) == sorted(chain), kind
        top = complex_.labels(complex_.dimension) > 0
        assert len({tuple(row) for row in top.tolist()}) == found.r2 == complex_.top_cells
        strict.update(i for i, (a, b) in enumerate(itertools.pairwise(chain)) if a < b)
    assert all(strict[i] for i in (0, 2, 4, 5)), strict


def test_invariance():
    """Positive scaling at hidden neurons and permuting them change no count; nor do copies of the output."""
    rng = random.Random(3)
    for kind, network in degenerate_networks(8, 84):
        layers = [(list(map(list, weight)), list(bias)) for weight, bias in network.to_fractions()]
        for (weight, bias), (after, _) in itertools.pairwise(layers):
            order = rng.sample(range(len(bias)), len(bias))
            scales = [Fraction(rng.randint(1, 4), rng.randint(1, 3)) for _ in bias]
            weight[:] = [[scales[i] * w for w in weight[i]] for i in order]
            bias[:] = [scales[i] * bias[i] for i in order]
            after[:] = [[row[i] / scales[i] for i in order] for row in after]
        expected = counts(network)
        assert counts(exactfd.Network(layers, output_activation=network.output_activation)) == expected, kind
        weight, bias = layers[-1]
        twice = [*layers[:-1], ([*weight, *weight], [*bias, *bias])]
        assert counts(exactfd.Network(twice, output_activation=network.output_activation)) == expected, kind


# --------------------------------------------------------------------------- classes of maps


def test_classes_of_maps_against_exact_maps():
    for kind, network in degenerate_networks(11, 210):
        labels = exactfd.canonical_complex(network).labels(network.input_dimension)
        maps, exact = CellMaps(network), {}
        classes = map_classes(network, labels).tolist()
        for number, row in zip(classes, labels.tolist(), strict=True):
            matrix, scale = maps(row)
            key = tuple(Fraction(int(entry), int(scale)) for entry in matrix.entries())
            assert exact.setdefault(key, number) == number, kind
        assert sorted(exact.values()) == list(range(len(exact)))


def test_maps_that_agree_modulo_the_first_primes():
    """Slopes that differ by a multiple of two primes that the classes begin with, and by 1 in a large number."""
    first, second = itertools.islice(exactfd.linalg.modular.primes(), 2)
    network = exactfd.Network([([[1], [-1]], [0, 0]), ([[3, first * second - 3]], [0])])
    assert only(network, "R2", "R4", "R6") == (2, 2, 2)
    network = exactfd.Network([([[1], [-1]], [0, 0]), ([[10**40, -(10**40) + 1]], [0])])
    assert only(network, "R2", "R4", "R6") == (2, 2, 2)
    network = exactfd.Network([([[1], [-1]], [0, 0]), ([[10**40, -(10**40)]], [0])])
    assert only(network, "R2", "R4", "R6") == (2, 1, 1)


@settings(deadline=None)
@given(st.integers(1, 30), st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=40))
def test_components(count, edges):
    edges = [(a, b) for a, b in edges if a < count and b < count and a != b]
    label = list(range(count))
    for _ in range(count):
        for a, b in edges:
            label[a] = label[b] = min(label[a], label[b])
    smallest = sorted(set(label))
    first, second = (np.array([edge[side] for edge in edges], dtype=np.int64) for side in (0, 1))
    assert components(count, first, second).tolist() == [smallest.index(entry) for entry in label]


# --------------------------------------------------------------------------- results and limits


def test_the_result():
    found = exactfd.region_counts(exactfd.load(EXAMPLES / "max_min_regions.json"))
    assert repr(found) == "RegionCounts(R1=7, R2=5, R3=4..5, R4=3, R5=3, R6=3)"
    assert found.r3 is None
    assert "<td>4..5</td>" in found._repr_html_()


def test_limits():
    network = exactfd.load(EXAMPLES / "max_min_regions.json")
    with pytest.raises(BudgetExceeded):
        exactfd.region_counts(network, budget=exactfd.Budget(max_cells=3))
    with pytest.raises(BudgetExceeded):
        region_counts_of(exactfd.canonical_complex(network), budget=exactfd.Budget(time_limit=1e-9))
    with pytest.raises(InputError, match="box"):
        region_counts_of(exactfd.canonical_complex(network, box=(-1, 1)))


def test_progress():
    stages = set()
    exactfd.region_counts(
        exactfd.load(EXAMPLES / "max_min_regions.json"), progress=lambda stage, done, total: stages.add(stage)
    )
    assert {"activation patterns", "affine maps", "convex regions"} <= stages
