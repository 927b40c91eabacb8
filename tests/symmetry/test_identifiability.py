"""TPIC, LRA and stable neurons against cells from PPL and angles of directions around a point."""

from __future__ import annotations

import json
from fractions import Fraction
from functools import cmp_to_key
from itertools import pairwise

import pytest

import exactfd
from exactfd import Network, identifiability
from oracles import fractions_net, functional_dimension, ppl_complex
from strategies import KINDS, degenerate_networks

SMALL = [
    (kind, network)
    for kind, network in degenerate_networks(7, 12 * len(KINDS))
    if network.input_dimension <= 2 and network.hidden_neurons <= 6
]
DEEP = [pytest.param(n, id=f"{i}-{kind}") for i, (kind, n) in enumerate(SMALL) if len(n.relu_widths) >= 2]
SOLID = [
    pytest.param(n, id=f"{i}-{kind}")
    for i, (kind, n) in enumerate(degenerate_networks(8, 4 * len(KINDS)))
    if n.input_dimension == 3 and n.hidden_neurons <= 5
]

#: Generic, supertransversal, TPIC, LRA and a zero deficit; all three neurons of layer 2 can be turned at once.
TURNABLE = Network([([[1, 0], [0, 1]], [0, 0]), ([[-1, -1], [1, 2], [-2, -1]], [1, -3, 10]), ([[-3, -1, 1]], [0])])
TURNED = Network([([[1, 0], [0, 1]], [0, 0]), ([[1, 1], [-1, -2], [2, 1]], [-1, 3, -10]), ([[-3, -1, 1]], [10])])
GOOD = Network([([[1, 0], [0, 1]], [0, 0]), ([[1, 2], [-2, -1]], [-1, 3]), ([[1, -1]], [0])])


def all_cells(network):
    return ppl_complex.cells(network.to_fractions(), network.output_activation)


def flat_pairs(network):
    start = 0
    for layer, (m, n) in enumerate(pairwise(network.relu_widths), 1):
        for i in range(m):
            for j in range(n):
                yield (layer, i, j), (start + i, start + m + j)
        start += m


# ------------------------------------------------------------------ oracles


def touching(network, cells, point):
    """The cells whose closure contains the point: the segment to a point inside stays inside up to the end."""
    layers, activation = network.to_fractions(), network.output_activation
    here = fractions_net.ternary_tuple(layers, activation, point)
    for cell in cells:
        if any(sign not in (0, label) for sign, label in zip(here, cell.labels, strict=True)):
            continue  # signs are continuous
        direction = [q - p for q, p in zip(cell.point, point, strict=True)]
        for step in (Fraction(1, 2), Fraction(1, 2**40), Fraction(1, 2**900)):
            moved = [p + step * d for p, d in zip(point, direction, strict=True)]
            if fractions_net.ternary_tuple(layers, activation, moved) != cell.labels:
                break
        else:
            yield cell, direction


def half(direction):
    return 0 if direction[1] > 0 or (direction[1] == 0 and direction[0] > 0) else 1


def by_angle(one, two):
    if half(one[1]) != half(two[1]):
        return half(one[1]) - half(two[1])
    cross = one[1][0] * two[1][1] - one[1][1] * two[1][0]
    return -1 if cross > 0 else 1 if cross < 0 else 0


def crosses(network, cells, point, first, second):
    """In the plane: going around the point the two neurons vanish alternately, twice each, never both."""
    around = [entry for entry in touching(network, cells, point) if entry[0].dimension > 0]
    if any(0 in (c.labels[first], c.labels[second]) for c, _ in around if c.dimension == 2):
        return False
    rays = sorted(((c, d) for c, d in around if c.dimension == 1), key=cmp_to_key(by_angle))
    word = ["i" * (c.labels[first] == 0) + "j" * (c.labels[second] == 0) for c, _ in rays]
    return [letter for letter in word if letter] in (list("ijij"), list("jiji"))


def affine_map(network, point):
    layers, activation = network.to_fractions(), network.output_activation
    base, *others = functional_dimension.simplex_around(layers, activation, point)
    value = fractions_net.evaluate(layers, activation, base)
    slopes = []
    for axis, other in enumerate(others):
        step = other[axis] - base[axis]
        moved = fractions_net.evaluate(layers, activation, other)
        slopes.append([(b - a) / step for a, b in zip(value, moved, strict=True)])
    offset = [v - sum(s[o] * x for s, x in zip(slopes, base, strict=True)) for o, v in enumerate(value)]
    return slopes, offset


def satisfies_lra(network, cells):
    n0 = network.input_dimension
    top = [cell for cell in cells if cell.dimension == n0]
    for wall in (cell for cell in cells if cell.dimension == n0 - 1):
        one, two = (cell for cell, _ in touching(network, top, wall.point))
        if affine_map(network, one.point) == affine_map(network, two.point):
            return False
    return True


# ------------------------------------------------------------------ comparisons


@pytest.mark.parametrize("network", DEEP)
def test_tpic_against_ppl(network):
    cells = all_cells(network)
    found = {(p.layer, p.first, p.second): p for p in identifiability(network).pairs}
    expected = dict(flat_pairs(network))
    assert list(found) == list(expected)
    for name, (first, second) in expected.items():
        both = [cell for cell in cells if cell.labels[first] == cell.labels[second] == 0]
        pair = found[name]
        assert (pair.point is not None) == bool(both)
        if both:
            labels = fractions_net.ternary_tuple(network.to_fractions(), network.output_activation, pair.point)
            assert labels[first] == labels[second] == 0
        transverse = (
            network.input_dimension == 2
            and bool(both)
            and all(cell.dimension == 0 for cell in both)
            and all(crosses(network, cells, cell.point, first, second) for cell in both)
        )
        assert pair.transverse == transverse


@pytest.mark.parametrize("network", SOLID)
def test_pairs_that_meet_in_space(network):
    cells = all_cells(network)
    found = {(p.layer, p.first, p.second): p for p in identifiability(network).pairs}
    for name, (first, second) in flat_pairs(network):
        both = [cell for cell in cells if cell.labels[first] == cell.labels[second] == 0]
        assert (found[name].point is not None) == bool(both)
        if found[name].transverse:
            assert max(cell.dimension for cell in both) == 1
        if any(cell.dimension >= 2 for cell in both):
            assert not found[name].transverse


@pytest.mark.parametrize("network", [pytest.param(n, id=f"{i}-{kind}") for i, (kind, n) in enumerate(SMALL)])
def test_lra_and_stable_neurons_against_ppl(network):
    cells = all_cells(network)
    found = identifiability(network)
    assert found.lra == satisfies_lra(network, cells)
    if found.same_map is not None:
        assert affine_map(network, found.same_map[0]) == affine_map(network, found.same_map[1])
        assert found.same_map[0] != found.same_map[1]
    names = [(layer, i) for layer, width in enumerate(network.relu_widths, 1) for i in range(width)]
    top = [cell.labels for cell in cells if cell.dimension == network.input_dimension]
    for value, stable in ((1, found.stably_active), (-1, found.stably_inactive)):
        assert stable == [name for k, name in enumerate(names) if all(labels[k] == value for labels in top)]


def test_the_comparisons_meet_both_answers():
    """Otherwise they would prove little."""
    verdicts = [identifiability(parameter.values[0]) for parameter in DEEP]
    pairs = [pair for found in verdicts for pair in found.pairs]
    assert sum(pair.transverse for pair in pairs) > 20
    assert sum(pair.point is not None and not pair.transverse for pair in pairs) > 20
    assert sum(pair.point is None for pair in pairs) > 20
    lra = [identifiability(network).lra for _, network in SMALL]
    assert 10 < sum(lra) < len(lra) - 10


# ------------------------------------------------------------------ transversality by hand


def pair_of(*layers):
    (pair,) = identifiability(Network([*layers, ([[1]], [0])])).pairs
    return pair.point is not None, pair.transverse


def plane(second, bias=0):
    """One line x = 0 in layer 1 and one neuron in layer 2, which reads (relu(x), relu(y), relu(-y), relu(-x))."""
    rows = [[1, 0], [0, 1], [0, -1], [-1, 0]]
    network = Network([(rows, [0, 0, 0, 0]), ([second], [bias]), ([[1]], [0])])
    pair = identifiability(network).pairs[0]
    return pair.point is not None, pair.transverse


def test_crossing_touching_and_missing():
    assert plane([0, 1, -1, 0]) == (True, True)  # y: crosses x = 0 at the origin
    assert plane([1, 1, -1, 0]) == (True, True)  # relu(x) + y: bends there
    assert plane([1, 0, 0, -1]) == (True, False)  # x itself: the same line
    assert plane([1, 1, 1, 1]) == (True, False)  # |x| + |y|: one point, nothing crosses
    assert plane([0, 1, 1, 0]) == (True, False)  # |y| vanishes on a line and has one sign
    assert plane([1, -1, -1, 0]) == (True, False)  # relu(x) - |y|: touches from the right
    assert plane([1, 0, 0, 0]) == (True, False)  # relu(x): zero on a half plane
    assert plane([1, 0, 0, 0], -1) == (False, False)  # x = 1
    assert plane([0, 0, 0, 0], 1) == (False, False)  # no hyperplane at all


def test_a_cross_is_no_hyperplane():
    """2x = y through the point where |x| = |y| has four arms: all pairs of signs occur, and nothing is transverse."""
    rows = [[2, -1], [1, 0], [-1, 0], [0, 1], [0, -1]]
    network = Network([(rows, [0] * 5), ([[0, 1, 1, -1, -1]], [0]), ([[1]], [0])])
    pair = identifiability(network).pairs[0]
    assert (pair.point, pair.transverse) == ((0, 0), False)


def space(bias):
    """The plane x = 0 in R^3 and |y| + |z| - 2 relu(y - 3/2) + bias in layer 2."""
    rows = [[1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1], [0, 1, 0]]
    biases = [0, 0, 0, 0, 0, Fraction(-3, 2)]
    pair = identifiability(Network([(rows, biases), ([[0, 1, 1, 1, 1, -2]], [bias]), ([[1]], [0])])).pairs[0]
    return pair.point is not None, pair.transverse


def test_an_intersection_is_pure():
    """In the plane x = 0: a bent line; the same and a point that only touches; the same and a small diamond."""
    assert space(Fraction(1, 4)) == (True, True)
    assert space(0) == (True, False)
    assert space(Fraction(-1, 4)) == (True, True)


@pytest.mark.parametrize("network", [p for p in DEEP if p.values[0].input_dimension == 2])
def test_a_third_input_that_nothing_sees(network):
    """One more coordinate, after a change of coordinates of R^3, changes no answer."""
    change = [[1, 2, -1], [0, 1, 3], [0, 0, 1]]
    (weight, bias), *rest = network.to_fractions()
    wider = [[sum(row[k] * change[k][j] for k in range(2)) for j in range(3)] for row in weight]
    same = Network([(wider, bias), *rest], output_activation=network.output_activation)
    here, there = identifiability(network), identifiability(same)
    assert [p.transverse for p in here.pairs] == [p.transverse for p in there.pairs]
    assert [p.point is None for p in here.pairs] == [p.point is None for p in there.pairs]
    assert (here.lra, here.stably_active, here.flips) == (there.lra, there.stably_active, there.flips)
    assert here.hypotheses == there.hypotheses


def test_one_input_is_outside():
    found = identifiability(Network([([[1], [1]], [0, -1]), ([[1, 1]], [-1]), ([[1]], [0])]))
    assert not found.tpic
    assert found.hypotheses["at_least_two_inputs"] is False
    assert found.no_hidden_symmetries is None


def test_an_output_with_relu_takes_part():
    affine = Network([([[1, 0], [0, 1]], [0, 0]), ([[1, 1]], [-1])])
    layers = affine.to_fractions()
    assert identifiability(affine).pairs == []
    relu = identifiability(Network(layers, output_activation="relu"))
    assert (len(relu.pairs), relu.tpic, relu.lra) == (2, True, False)
    assert relu.no_hidden_symmetries is None


# ------------------------------------------------------------------ the verdict


def test_the_verdict_needs_more_than_tpic_and_lra():
    """Everything holds, and still there is a second parameter with the same function: all signs of layer 2 turned."""
    found = identifiability(TURNABLE)
    assert (found.tpic, found.lra, found.flips, found.no_hidden_symmetries) == (True, True, (2, (0, 1, 2)), None)
    missing = [name for name, value in found.hypotheses.items() if value is not True]
    assert missing == ["no_sign_flips"]
    assert exactfd.functional_dimension(TURNABLE).value == TURNABLE.upper_bound
    certificate = exactfd.function_certificate(TURNABLE, TURNED)
    assert certificate.claim["relation"] == "=="
    assert certificate.check().valid


def test_where_the_verdict_is_given_nothing_is_lost():
    """A necessary condition, computed without TPIC or LRA: the functional dimension is the bound."""
    given = [GOOD]
    for _, network in degenerate_networks(3, 25 * len(KINDS)):
        small = 2 <= network.input_dimension <= 3 and network.hidden_neurons <= 6
        if small and identifiability(network).no_hidden_symmetries:
            given.append(network)
    assert len(given) > 3
    for network in given:
        layers = network.to_fractions()
        assert functional_dimension.functional_dimension(layers, "identity") == network.upper_bound


@pytest.mark.parametrize(
    ("rows", "biases", "weights", "expected"),
    [
        ([[1, 0], [1, 0]], [0, 1], [1, -1], (1, (0, 1))),  # relu(x) - relu(x + 1)
        ([[1, 0], [1, 0]], [0, 1], [1, 1], None),
        ([[1, 0], [0, 1], [1, 1]], [0, 0, 1], [2, 2, -2], (1, (0, 1, 2))),
        ([[1, 0], [0, 1], [1, 1]], [0, 0, 1], [2, 2, -1], None),
        ([[1, 0], [0, 1]], [0, 0], [1, 0], (1, (1,))),  # an invisible neuron
    ],
)
def test_flips(rows, biases, weights, expected):
    network = Network([(rows, biases), ([weights], [0])])
    assert identifiability(network).flips == expected


def test_wide_layers_leave_the_flips_open():
    rows = [[1, k] for k in range(21)]
    network = Network([(rows, [k * k for k in range(21)]), ([[3**k for k in range(21)]], [0])])
    found = identifiability(network)
    assert found.hypotheses["no_sign_flips"] is None
    assert found.no_hidden_symmetries is None
    vandermonde = [[k**j for k in range(21)] for j in range(21)]
    independent = Network([(rows, [k * k for k in range(21)]), (vandermonde, [0] * 21)])
    assert identifiability(independent).hypotheses["no_sign_flips"] is True


def test_one_layer():
    found = identifiability(Network([([[1, 2]], [3])]))
    assert (found.tpic, found.lra, found.pairs, found.no_hidden_symmetries) == (True, True, [], True)


def test_reports():
    found = identifiability(TURNABLE)
    document = json.loads(json.dumps(found.to_dict()))
    assert document["flips"] == {"layer": 2, "neurons": [0, 1, 2]}
    assert document["pairs"][0]["point"] == ["0", "1"]
    assert repr(found) == "IdentifiabilityResult(TPIC holds (6 pairs), LRA holds, nothing concluded)"
    assert repr(found) in found._repr_html_()
    assert repr(found.pairs[0]) == "Pair((1,0) and (2,0): transverse)"
    with pytest.raises(exactfd.BudgetExceeded):
        identifiability(TURNABLE, budget=exactfd.Budget(max_cells=5))
