"""The splitting tree finds every n_0-dimensional cell and no other, and its refutations hold without it."""

from __future__ import annotations

import random
from fractions import Fraction
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings

from exactfd.budget import Budget
from exactfd.errors import BudgetExceeded, InputError, ShapeError
from exactfd.geometry.splitting import TopCells, iterate_cells, iterate_refinement, split_cells
from exactfd.network import Network
from oracles import formulas, fractions_net, ppl_complex
from strategies import degenerate_networks, networks


def expected_labels(network, box=None):
    """Labels of the n_0-dimensional cells (in the open box, if any), by the Parma Polyhedra Library."""
    cells = ppl_complex.cells(network.to_fractions(), network.output_activation, box)
    inside = (0,) * (network.input_dimension if box else 0)
    return sorted(c.labels for c in cells if c.dimension == network.input_dimension and c.walls == inside)


def check_cells(network, cells):
    """What must hold of any list of cells; the labels are computed again in plain ``Fraction`` code."""
    assert isinstance(cells, TopCells)
    assert cells.labels.dtype == np.int8
    assert cells.labels.shape == (len(cells), sum(network.relu_widths))
    rows = list(map(tuple, cells.labels.tolist()))
    assert rows == sorted(set(rows))
    for row, point in zip(rows, cells.points, strict=True):
        assert all(isinstance(x, Fraction) for x in point)
        # A label that is 0 identically is 0 at the point too, and no other label of the point can be 0.
        assert fractions_net.ternary_tuple(network.to_fractions(), network.output_activation, point) == row
    return rows


# ------------------------------------------------------------------ which cells


@pytest.mark.parametrize(
    ("kind", "network"), [pytest.param(k, n, id=f"{i}-{k}") for i, (k, n) in enumerate(degenerate_networks(7, 105))]
)
def test_degenerate_networks_against_ppl(kind, network):
    cells = split_cells(network)
    assert cells.complete
    assert check_cells(network, cells) == expected_labels(network)


@settings(max_examples=40, deadline=None)
@given(networks())
def test_hypothesis_networks_against_ppl(network):
    assert check_cells(network, split_cells(network)) == expected_labels(network)


@pytest.mark.parametrize(("n", "m"), [(1, 5), (2, 7), (3, 6), (4, 6), (7, 8), (3, 2)])
def test_one_generic_layer_has_zaslavskys_count(n, m):
    rng = random.Random(10 * n + m)
    weight = [[rng.randint(-999, 999) for _ in range(n)] for _ in range(m)]
    network = Network([(weight, [rng.randint(-999, 999) for _ in range(m)]), ([[1] * m], [0])])
    cells = split_cells(network)
    check_cells(network, cells)
    assert len(cells) == formulas.regions(m, n)


def gaussian(sizes, seed):
    rng = np.random.default_rng(seed)
    return Network([(rng.normal(size=(n, m)), rng.normal(size=n)) for m, n in pairwise(sizes)])


@pytest.mark.parametrize("sizes", [(2, 8, 8, 1), (3, 6, 5, 1), (2, 4, 4, 4, 2), (5, 7, 1), (1, 9, 9, 1)])
def test_random_float_weights(sizes):
    """Full binary64 weights: every sampled point lies in a cell of the list, and small cases agree with PPL."""
    network = gaussian(sizes, sum(sizes))
    cells = split_cells(network)
    rows = check_cells(network, cells)
    known = set(rows)
    rng = np.random.default_rng(1)
    x = rng.normal(size=(4000, sizes[0])) * 10 ** rng.uniform(-2, 2, (4000, 1))
    activations, signs = x, []
    for weight, bias in network.to_numpy()[:-1]:
        z = activations @ weight.T + bias
        signs.append(np.where(np.abs(z) > 1e-9, np.sign(z), np.nan))
        activations = np.maximum(z, 0)
    sampled = np.hstack(signs)
    clear = sampled[~np.isnan(sampled).any(axis=1)].astype(int)
    assert len(clear) > 3000
    assert {tuple(row) for row in clear.tolist()} <= known
    if len(cells) < 200:
        assert rows == expected_labels(network)


def test_points_have_few_bits():
    cells = split_cells(gaussian((2, 8, 8, 1), 18))
    assert max(x.denominator.bit_length() for point in cells.points for x in point) <= 24


@pytest.mark.parametrize("bits", [45, 60, 200])
def test_cells_thinner_than_floats_can_see(bits):
    """Slabs and a triangle of width 2^-bits far from the origin; the middle ones exist and must be found."""
    thin = Fraction(1, 1 << bits)
    slabs = Network([([[3, 1], [3, 1], [-1, 1]], [-7, -7 - thin, 5]), ([[1, 1, 1]], [0])])
    assert check_cells(slabs, split_cells(slabs)) == expected_labels(slabs)
    assert len(split_cells(slabs)) == 6
    triangle = Network([([[1, 0], [0, 1], [1, 1]], [-5, -7, -12 - thin]), ([[1, 1, 1]], [0])])
    assert [1, 1, -1] in split_cells(triangle).labels.tolist()
    assert len(split_cells(triangle)) == 7


def test_signs_that_floats_get_wrong():
    """At the centre of the box, (3, 3) or (0, 2^1000), the neurons have the sign opposite to their float form's."""
    wide = Network([([[2**60 - 1, -(2**60)], [2**60 + 1, -(2**60)]], [2, -2]), ([[1, 1]], [0])])
    box = ([2, 2], [4, 4])
    assert check_cells(wide, split_cells(wide, box=box)) == expected_labels(wide, box)
    lost = Network([([[2**1080, 1], [-(2**1080), -1]], [-(2**990), 2**990]), ([[1, 1]], [0])])
    box = ([-1, 2**1000 - 1], [1, 2**1000 + 1])
    assert check_cells(lost, split_cells(lost, box=box)) == expected_labels(lost, box)


def test_labels_that_vanish_identically_are_kept():
    """The second neuron sees only relu(x), so it is 0 on the whole half-line where that is off."""
    network = Network([([[1]], [0]), ([[2]], [0]), ([[1]], [0])])
    assert split_cells(network).labels.tolist() == [[-1, 0], [1, 1]]
    zero = Network([([[0, 0]], [0]), ([[1]], [3])], output_activation="relu")
    assert split_cells(zero).labels.tolist() == [[0, 1]]


def test_no_relu_neuron_is_one_cell():
    cells = split_cells(Network([([[1, 2, 3]], [4])]), tree=True)
    assert cells.labels.shape == (1, 0)
    assert cells.complete
    assert len(cells.points) == 1
    assert cells.tree.neuron is None
    assert cells.tree.point == cells.points[0]


# ------------------------------------------------------------------ boxes


@pytest.mark.parametrize("seed", range(6))
def test_boxes_against_ppl(seed):
    rng = random.Random(seed)
    for kind, network in degenerate_networks(100 + seed, 6):
        n = network.input_dimension
        lo = [Fraction(rng.randint(-3, 2), rng.choice([1, 2, 3])) for _ in range(n)]
        hi = [low + Fraction(rng.choice([1, 2, 4]), rng.choice([1, 1, 5])) for low in lo]
        cells = split_cells(network, box=(lo, hi))
        assert check_cells(network, cells) == expected_labels(network, (lo, hi)), kind
        assert all(low < x < high for p in cells.points for low, x, high in zip(lo, p, hi, strict=True))
        everywhere = set(map(tuple, split_cells(network).labels.tolist()))
        assert set(map(tuple, cells.labels.tolist())) <= everywhere


def test_a_cell_that_only_touches_the_box_is_left_out():
    network = Network([([[1]], [-2]), ([[1]], [0])])
    assert split_cells(network, box=([0], [2])).labels.tolist() == [[-1]]
    assert split_cells(network, box=([0], ["2.0000000000000000000000000001"])).labels.tolist() == [[-1], [1]]


def test_bad_boxes():
    network = Network([([[1, 1]], [0]), ([[1]], [0])])
    for box in (([0, 0], [1, 0]), ([0, 2], [1, 1])):
        with pytest.raises(InputError, match="lo is below hi in every coordinate"):
            split_cells(network, box=box)
    with pytest.raises(ShapeError, match="the network has 2 inputs, found 1 coordinates"):
        split_cells(network, box=([0], [1, 1]))
    with pytest.raises(ShapeError, match="pair"):
        split_cells(network, box=3)
    with pytest.raises(ShapeError, match="2 inputs"):
        iterate_cells(network, box=([0], [1]))


# ------------------------------------------------------------------ budgets, streams


def test_budget_hands_out_what_was_found():
    network = gaussian((2, 8, 8, 1), 18)
    whole = split_cells(network)
    with pytest.raises(BudgetExceeded, match="more than 20 cells") as caught:
        split_cells(network, budget=Budget(max_cells=20), tree=True)
    partial = caught.value.partial
    assert len(partial) == 20
    assert not partial.complete
    assert partial.tree is None
    assert set(check_cells(network, partial)) < set(map(tuple, whole.labels.tolist()))
    assert len(split_cells(network, budget=Budget(max_cells=len(whole)))) == len(whole)
    with pytest.raises(BudgetExceeded, match="time limit"):
        split_cells(network, budget=Budget(time_limit=1e-9))


def test_stream_gives_the_same_cells():
    network = gaussian((3, 6, 4, 1), 4)
    calls = []
    stream = iterate_cells(network, progress=lambda *report: calls.append(report))
    first = next(stream)
    assert calls == [("cells", 1, None)]
    everything = [first, *stream]
    whole = split_cells(network)
    assert sorted(labels for labels, _ in everything) == list(map(tuple, whole.labels.tolist()))
    assert sorted(point for _, point in everything) == sorted(whole.points)
    with pytest.raises(BudgetExceeded):
        list(iterate_cells(network, budget=Budget(max_cells=3)))


# ------------------------------------------------------------------ the tree


def forms_on(layers, labels):
    """Affine forms of the layer after the given complete layers of labels, in plain ``Fraction`` code."""
    n = len(layers[0][0][0])
    inputs = [[Fraction(i == j) for j in range(n + 1)] for i in range(n)]
    for depth in range(len(labels) + 1):
        weight, bias = layers[depth]
        forms = []
        for row, b in zip(weight, bias, strict=True):
            form = [sum((w * f[j] for w, f in zip(row, inputs, strict=True)), Fraction(0)) for j in range(n + 1)]
            form[-1] += b
            forms.append(form)
        if depth < len(labels):
            inputs = [f if s > 0 else [Fraction(0)] * (n + 1) for f, s in zip(forms, labels[depth], strict=True)]
    return forms


def is_refuted(refutation, refuted, conditions):
    """Farkas on the node's own conditions ``(form, strict)`` by key; nothing but the multipliers is taken over."""
    known = {**conditions, **refuted}
    total = [Fraction(0)] * len(next(iter(known.values()))[0])
    strict = False
    for key, weight in refutation.multipliers.items():
        form, relation = known[key]
        if relation == ">" and not weight > 0:
            return False
        strict |= relation == ">"
        total = [t + weight * entry for t, entry in zip(total, form, strict=True)]
    return not any(total[:-1]) and (total[-1] < 0 or (total[-1] == 0 and strict))


def walk(network, root, box=None):
    """Check every node as a certificate's checker would; return the labels of the leaves."""
    layers, widths, n = network.to_fractions(), network.relu_widths, network.input_dimension
    walls = {}
    for j, (low, high) in enumerate(zip(*box, strict=True)) if box else ():
        unit = [Fraction(i == j) for i in range(n)]
        walls["lower", j] = ([*unit, -Fraction(low)], ">")
        walls["upper", j] = ([*(-u for u in unit), Fraction(high)], ">")
    leaves = []

    def visit(node, done, here, conditions):
        if len(here) == (widths[len(done)] if len(done) < len(widths) else -1):
            done, here = (*done, here), ()
        flat = [label for layer in (*done, here) for label in layer]
        if len(flat) == sum(widths):
            assert node.neuron is None
            assert not node.children
            assert fractions_net.ternary_tuple(layers, network.output_activation, node.point) == tuple(flat)
            leaves.append(tuple(flat))
            return
        assert node.neuron == len(flat)
        key = ("neuron", node.neuron)
        form = forms_on(layers, done)[len(here)]
        if node.identically_zero:
            assert not any(form)
            assert set(node.children) == {0}
        else:
            constant = not any(form[:-1])
            assert not set(node.children) & set(node.refutations)
            assert set(node.children) | set(node.refutations) == ({-1, 0, 1} if constant else {-1, 1})
            assert constant or 0 not in node.children
        for label, refutation in node.refutations.items():
            condition = ([label * entry for entry in form], ">") if label else (form, "=")
            assert refutation.evidence.check()
            assert list(refutation.multipliers)[-1] == key
            assert is_refuted(refutation, {key: condition}, conditions)
            # no multiplier is there for show: another value of any one of them proves nothing
            for one in refutation.multipliers if len(refutation.multipliers) > 1 else ():
                spoiled = {**refutation.multipliers, one: refutation.multipliers[one] * 2}
                assert not is_refuted(type(refutation)(spoiled, refutation.evidence), {key: condition}, conditions)
        for label, child in node.children.items():
            more = {key: ([label * entry for entry in form], ">")} if label else {}
            visit(child, done, (*here, label), {**conditions, **more})

    visit(root, (), (), walls)
    return leaves


@pytest.mark.parametrize(
    ("kind", "network"), [pytest.param(k, n, id=f"{i}-{k}") for i, (k, n) in enumerate(degenerate_networks(11, 42))]
)
def test_every_node_of_the_tree_is_proved(kind, network):
    cells = split_cells(network, tree=True)
    assert sorted(walk(network, cells.tree)) == list(map(tuple, cells.labels.tolist()))


def test_trees_in_a_box_and_with_float_weights():
    for network, half in product((gaussian((2, 5, 5, 1), 3), gaussian((4, 6, 2), 5)), (None, Fraction(7, 3))):
        n = network.input_dimension
        box = ([-half] * n, [half] * n) if half else None
        cells = split_cells(network, box=box, tree=True)
        leaves = walk(network, cells.tree, box)
        assert sorted(leaves) == list(map(tuple, cells.labels.tolist()))
        assert any(len(leaf) for leaf in leaves)
    assert split_cells(gaussian((2, 5, 5, 1), 3)).tree is None


def test_networks_of_different_inputs_have_no_refinement():
    one, two = (Network([(np.ones((1, inputs)), [0])]) for inputs in (1, 2))
    with pytest.raises(ShapeError, match=r"same number of inputs, found \[1, 2\]"):
        next(iterate_refinement([one, two]))
