"""Equality of functions against the Parma Polyhedra Library, and on pairs made to be hard to tell apart."""

from __future__ import annotations

import itertools
import json
import random
import time
from fractions import Fraction
from pathlib import Path

import pytest
from flint import fmpz_mat
from hypothesis import given, settings
from hypothesis import strategies as st

import exactfd
import strategies
from exactfd import Budget, InputError, Network, Symmetry, compare_functions, difference_maps, equivalence
from exactfd.check import check_document
from exactfd.errors import ShapeError
from exactfd.symmetry import equality
from oracles import fractions_net, same_function
from strategies import degenerate_networks, networks, positive_fractions

ROOT = Path(__file__).parents[2]


def plain(network):
    return network.to_fractions(), network.output_activation


def layers_of(network):
    return [([list(row) for row in weight], list(bias)) for weight, bias in network.to_fractions()]


def assert_right(result, expected, box=None):
    """The answer, and whatever it shows for it, by plain arithmetic."""
    assert result.equal is expected
    assert result.status == "proved"
    assert result.limit is None
    json.dumps(result.to_dict())
    if expected:
        assert result.witness is None
        if result.symmetry is not None:
            assert result.symmetry.apply(result.first) == result.second
        return
    found = result.witness
    values = [tuple(fractions_net.evaluate(*plain(network), found.point)) for network in (result.first, result.second)]
    assert values == [found.first, found.second]
    assert values[0] != values[1]
    if box is not None:
        assert all(low < x < high for low, x, high in zip(box[0], found.point, box[1], strict=True))


def assert_certified(result):
    verdict = check_document(json.loads(result.certificate.dumps()))
    assert verdict.valid, verdict.reason
    assert verdict.trusted_steps == 0


# --------------------------------------------------------------------------- ways to change a parameter


def split_neuron(network, rng):
    """One more neuron in a hidden layer: a copy, with the outgoing weights shared between both."""
    layers = layers_of(network)
    if len(layers) == 1:
        return network
    level = rng.randrange(len(layers) - 1)
    weight, bias = layers[level]
    i, share = rng.randrange(len(bias)), Fraction(rng.randint(-3, 3), 2)
    weight.append(list(weight[i]))
    bias.append(bias[i])
    for row in layers[level + 1][0]:
        row.append(row[i] * share)
        row[i] *= 1 - share
    return Network(layers, output_activation=network.output_activation)


def dead_neuron(network, rng):
    """One more neuron, never active, with outgoing weights."""
    layers = layers_of(network)
    if len(layers) == 1:
        return network
    level = rng.randrange(len(layers) - 1)
    weight, bias = layers[level]
    weight.append([Fraction(0)] * len(weight[0]) if level == 0 else [Fraction(-rng.randint(0, 2)) for _ in weight[0]])
    bias.append(Fraction(-rng.randint(0, 2)))
    for row in layers[level + 1][0]:
        row.append(Fraction(rng.randint(-2, 2)))
    return Network(layers, output_activation=network.output_activation)


def one_layer_more(network, rng):
    """The outputs carried through a hidden layer as relu(z) - relu(-z), or relu(relu(z)) where they have a ReLU."""
    layers = layers_of(network)
    weight, bias = layers.pop()
    n = len(bias)
    unit = [[Fraction(i == j) for j in range(n)] for i in range(n)]
    if network.output_activation == "relu":
        activation = rng.choice(("relu", "identity"))  # the same function: a ReLU twice
        return Network([*layers, (weight, bias), (unit, [0] * n)], output_activation=activation)
    layers.append(([*weight, *([-x for x in row] for row in weight)], [*bias, *(-x for x in bias)]))
    return Network([*layers, ([[*row, *(-x for x in row)] for row in unit], [0] * n)])


def symmetric(network, rng):
    widths = network.architecture[1:-1]
    scales = [[Fraction(rng.randint(1, 5), rng.randint(1, 5)) for _ in range(n)] for n in widths]
    return Symmetry([rng.sample(range(n), n) for n in widths], scales).apply(network)


def one_entry(network, rng):
    theta = list(network.theta())
    theta[rng.randrange(len(theta))] += rng.choice((Fraction(1), Fraction(-1, 2), Fraction(1, 2**80)))
    return Network.from_theta(network.architecture, theta, output_activation=network.output_activation)


def other_output(network, rng):
    other = {"relu": "identity", "identity": "relu"}[network.output_activation]
    return Network(network.to_fractions(), output_activation=other)


SAME = (split_neuron, dead_neuron, one_layer_more, symmetric)
ANY = (*SAME, one_entry, other_output)
#: Kinds of which PPL finds the cells fast.
KINDS = [kind for kind in strategies.KINDS if kind not in ("generic", "big_denominators")]


@given(networks(max_inputs=3), st.lists(st.sampled_from(SAME), min_size=1, max_size=3), st.integers(0, 10**6))
@settings(max_examples=60)
def test_changes_that_keep_the_function(network, changes, seed):
    rng = random.Random(seed)
    other = network
    for change in changes:
        other = change(other, rng)
    assert_right(compare_functions(network, other), True)
    assert_right(compare_functions(other, network), True)


@given(networks(KINDS, max_inputs=2), st.lists(st.sampled_from(ANY), min_size=1, max_size=2), st.integers(0, 10**6))
@settings(max_examples=80)
def test_against_ppl(network, changes, seed):
    rng = random.Random(seed)
    other = network
    for change in changes:
        other = change(other, rng)
    expected = same_function.equal(plain(network), plain(other))
    assert_right(compare_functions(network, other), expected)


@given(
    networks(KINDS, max_inputs=2),
    st.sampled_from((one_entry, other_output)),
    st.integers(0, 10**6),
    st.tuples(st.integers(-3, 2), positive_fractions()),
)
@settings(max_examples=50)
def test_on_a_box_against_ppl(network, change, seed, side):
    other = change(network, random.Random(seed))
    n = network.input_dimension
    box = ((Fraction(side[0]),) * n, (side[0] + side[1],) * n)
    expected = same_function.equal(plain(network), plain(other), box)
    result = compare_functions(network, other, box=box)
    assert_right(result, expected, box)
    assert result.box == box


def test_degenerate_networks_and_their_certificates():
    rng = random.Random(5)
    equal = 0
    for number, (kind, network) in enumerate(degenerate_networks(91, 84)):
        if network.input_dimension > 2 or kind == "big_denominators":
            continue
        other = ANY[number % len(ANY)](network, rng)
        result = compare_functions(network, other, tree=True)
        assert_right(result, same_function.equal(plain(network), plain(other)))
        assert_certified(result)
        equal += result.equal
    assert equal > 10


@given(networks(KINDS, max_inputs=2), st.sampled_from(ANY), st.integers(0, 10**6))
@settings(max_examples=40)
def test_difference_maps(network, change, seed):
    other = change(network, random.Random(seed))
    cells = list(difference_maps(network, other))
    assert len({(cell.first_labels, cell.second_labels) for cell in cells}) == len(cells)
    for cell in cells:
        assert cell.first_labels == fractions_net.ternary_tuple(*plain(network), cell.point)
        assert cell.second_labels == fractions_net.ternary_tuple(*plain(other), cell.point)
        step = Fraction(1)
        for axis in [None, *range(network.input_dimension)]:
            while True:  # a point of the same cell for each axis: the affine map at n_0 + 1 independent points
                moved = [x + step * (j == axis) for j, x in enumerate(cell.point)]
                labels = [fractions_net.ternary_tuple(*plain(n), moved) for n in (network, other)]
                if labels == [cell.first_labels, cell.second_labels]:
                    break
                step /= 2**20
            one, two = (fractions_net.evaluate(*plain(n), moved) for n in (network, other))
            shown = [
                sum((a * x for a, x in zip(row, moved, strict=True)), c)
                for row, c in zip(cell.matrix, cell.offset, strict=True)
            ]
            assert shown == [a - b for a, b in zip(one, two, strict=True)]
    assert compare_functions(network, other).equal == all(cell.is_zero for cell in cells)
    if network.output_activation == other.output_activation == "identity" and network.depth == other.depth:
        layers = same_function.difference(plain(network), plain(other))
        assert len(cells) == len(same_function.top_cells(layers))


def test_difference_maps_in_a_box():
    hinge, line = Network([([[1]], [0]), ([[1]], [0])]), Network([([[1]], [0])])
    assert {cell.first_labels for cell in difference_maps(hinge, line, box=(-1, 1))} == {(-1,), (1,)}
    assert {cell.first_labels for cell in difference_maps(hinge, line, box=(0, 1))} == {(1,)}


# --------------------------------------------------------------------------- far apart in all but a speck


def speck(network, size, height=1):
    """``network`` (two inputs, two hidden layers) plus ``height`` times a pyramid of diameter about ``size`` at
    (1/3, 1/5): relu(tent(x) - |y|).
    """
    layers = layers_of(network)
    (w1, b1), (w2, b2), (w3, _) = layers
    for k in range(3):
        w1.append([1, 0])
        b1.append(-Fraction(1, 3) - k * size)
    for sign in (1, -1):
        w1.append([0, sign])
        b1.append(-sign * Fraction(1, 5))
    for row in w2:
        row += [0] * 5
    w2.append([0] * (len(w1) - 5) + [1, -2, 1, -1, -1])
    b2.append(0)
    for row in w3:
        row.append(Fraction(height))
    return Network(layers)


SMALL = Network(
    [([[1, 2], [-1, 1], [3, -1]], [1, 0, "-1/2"]), ([[1, -1, 2], [-2, 1, 1]], ["1/3", -1]), ([[1, -2]], [0])]
)


@pytest.mark.parametrize(("size", "height"), [(1, 1), (200, 1), (300, 300), (1000, 0)])
def test_a_difference_on_a_speck(size, height):
    size, height = Fraction(1, 2**size), Fraction(1, 2**height)
    flat, high, higher = (speck(SMALL, size, h) for h in (0, height, 2 * height))
    for one, other in ((SMALL, high), (flat, high), (high, higher)):
        result = compare_functions(one, other)
        assert_right(result, False)
        assert abs(result.witness.point[0] - Fraction(1, 3)) <= 2 * size
        assert abs(result.witness.point[1] - Fraction(1, 5)) <= 2 * size
        assert_certified(result)
    assert_right(compare_functions(SMALL, flat), True)


def test_equal_away_from_the_speck():
    size = Fraction(1, 2**200)
    high = speck(SMALL, size)
    assert_right(compare_functions(SMALL, high, box=((Fraction(1, 3) + 2 * size, -5), (2, 5))), True)
    box = ((Fraction(1, 3), -5), (2, 5))
    assert_right(compare_functions(SMALL, high, box=box), False, box)


def test_witnesses_stay_inside_a_box_of_which_little_differs():
    hinge, zero = Network([([[1]], [0]), ([[1]], [0])]), Network([([[0]], [0])])
    for k in range(1, 30):
        box = (Fraction(-1),), (Fraction(k, 7 * 2**200),)
        result = compare_functions(hinge, zero, box=box)
        assert_right(result, False, box)
        assert result.method == "common refinement"
    for bits in range(5, 40):  # the nearest short number is outside
        low, high = Fraction(6, 10 << bits), Fraction(9, 10 << bits)
        late = Network([([[1]], [-low]), ([[1]], [0])])
        assert_right(compare_functions(late, zero, box=(-1, high)), False, ((-1,), (high,)))


def test_a_step_from_a_zero_of_the_difference_stays_in_the_box():
    one, other = Network([([[1, 0]], [0])]), Network([([[-1, 0]], [0])])
    box = ((Fraction(-1, 2**90), Fraction(-1)), (Fraction(1, 2**90), Fraction(1)))
    found = equality._separating(one, other, (Fraction(0), Fraction(0)), fmpz_mat([[2, 0, 0]]), box)
    assert (found.first, found.second) == (found.point[:1], (-found.point[0],))
    assert 0 < found.point[0] < box[1][0]


def test_a_tiny_difference_everywhere():
    tiny = Fraction(1, 2**300)
    layers = layers_of(SMALL)
    layers[2][1][0] += tiny
    result = compare_functions(SMALL, Network(layers))
    assert_right(result, False)
    assert result.witness.point == (0, 0)


def test_a_difference_that_vanishes_at_the_point_inside():
    """The point inside the only cell may be a zero of the difference: x is not -x, and not 0."""
    line = Network([([[1, 0]], [0])])
    for other in (Network([([[-1, 0]], [0])]), Network([([[0, 0]], [0])]), Network([([[1, "1/3"]], [0])])):
        assert_right(compare_functions(line, other), False)
        box = ((-1, -1), (1, 1))
        assert_right(compare_functions(line, other, box=box), False, box)


# --------------------------------------------------------------------------- equal, but not by a symmetry


@pytest.mark.parametrize(
    ("one", "other"), [("hidden_family_t_2", "hidden_family_t_1-3"), ("fiber_dim_1", "fiber_dim_2")]
)
def test_examples_with_hidden_symmetries(one, other):
    first, second = (exactfd.load(ROOT / "examples" / f"{name}.json") for name in (one, other))
    assert equivalence(first, second) is None
    for tree in (True, False):
        result = compare_functions(first, second, tree=tree)
        assert_right(result, True)
        assert result.method == "common refinement"
        assert_certified(result)


def always_active_pair(network):
    """Neurons 0 and 1 of layer 2 made always active; and the same function with the two mixed."""
    layers = layers_of(network)
    weight, bias = layers[1]
    for i in (0, 1):
        weight[i], bias[i] = [abs(x) for x in weight[i]], abs(bias[i]) + 1
    first = Network(layers)
    weight[0] = [x + y for x, y in zip(*weight[:2], strict=True)]
    bias[0] += bias[1]
    for row in layers[2][0]:
        row[1] -= row[0]
    return first, Network(layers)


def split_in_place(network):
    """Neuron 1 of layer 1 in place of neuron 0 too; and the same function with the outgoing weights shared."""
    layers = layers_of(network)
    (weight, bias), (following, _) = layers[:2]
    weight[0], bias[0] = list(weight[1]), bias[1]
    for row in following:
        row[0] = Fraction(0)
    first = Network(layers)
    for row in following:
        row[0] = row[1] = row[1] / 2
    return first, Network(layers)


@pytest.fixture(scope="module")
def wide():
    return exactfd.load(ROOT / "benchmarks" / "nets" / "2x16x16x1_s0.npz")


def cpu_seconds(function):
    start = time.process_time()
    result = function()
    return result, time.process_time() - start


def test_sixteen_neurons_twice_by_a_symmetry(wide):
    other = symmetric(wide, random.Random(1))
    result, seconds = cpu_seconds(lambda: compare_functions(wide, other))
    assert_right(result, True)
    assert result.method == "symmetry"
    assert_certified(result)
    assert seconds < 0.2


@pytest.mark.parametrize("make", [always_active_pair, split_in_place])
def test_sixteen_neurons_twice_by_a_hidden_symmetry(wide, make):
    first, second = make(wide)
    second = symmetric(second, random.Random(2))
    assert equivalence(first, second) is None
    result, seconds = cpu_seconds(lambda: compare_functions(first, second))
    assert_right(result, True)
    assert seconds < 60


def test_sixteen_neurons_twice_that_differ(wide):
    for size in (10, 300):
        result, seconds = cpu_seconds(lambda size=size: compare_functions(wide, speck(wide, Fraction(1, 2**size))))
        assert_right(result, False)
        assert seconds < 60


# --------------------------------------------------------------------------- the ways to end


def test_methods_in_their_order():
    line = Network([([[1]], [0])])
    assert compare_functions(line, Network([([[1]], [0])])).method == "identical parameters"
    assert compare_functions(line, Network([([[1]], [1])])).method == "sample point"
    far = Network([([[1]], [-(10**6)]), ([[1]], [0])])
    result = compare_functions(far, Network([([[0]], [0])]))
    assert_right(result, False)
    assert (result.method, result.cells) == ("common refinement", 2)


def test_cells_are_walked_one_by_one():
    """Memory and time of one path: the whole refinement has far more cells than the budget."""
    rng = random.Random(3)
    rows = [[rng.randint(-9, 9) for _ in range(8)] for _ in range(40)]
    first = Network([(rows, [rng.randint(-9, 9) for _ in rows]), ([[1] * 40], [0])])
    second = Network([(rows, [rng.randint(-9, 9) for _ in rows]), ([[1] * 40], [0])])
    found = list(itertools.islice(difference_maps(first, second, budget=Budget(max_cells=3)), 3))
    assert len({(cell.first_labels, cell.second_labels) for cell in found}) == 3


def test_a_budget_that_runs_out_leaves_the_question_open(wide):
    first, second = always_active_pair(wide)
    result = compare_functions(first, second, budget=Budget(max_cells=5))
    assert (result.equal, result.status, result.method, result.cells) == (None, "undecided", None, 5)
    assert "--max-cells" in result.limit
    assert "undecided" in repr(result)
    with pytest.raises(InputError, match="needs an answer"):
        _ = result.certificate
    late = compare_functions(first, second, budget=Budget(time_limit=1e-9))
    assert (late.equal, late.cells) == (None, 0)


def test_functions_on_different_spaces_are_refused():
    for other in (Network([([[1, 1]], [0])]), Network([([[1], [1]], [0, 0])])):
        for compare in (compare_functions, lambda a, b: list(difference_maps(a, b))):
            with pytest.raises(ShapeError, match="same spaces"):
                compare(Network([([[1]], [0])]), other)
    with pytest.raises(InputError, match="lo is below hi"):
        compare_functions(Network([([[1]], [0])]), Network([([[2]], [0])]), box=(1, 1))


def test_no_certificate_for_a_box_alone():
    hinge, line = Network([([[1]], [0]), ([[1]], [0])]), Network([([[1]], [0])])
    result = compare_functions(hinge, line, box=(0, 1))
    assert_right(result, True)
    with pytest.raises(InputError, match="all of space"):
        _ = result.certificate
    assert_certified(compare_functions(hinge, line, box=(-1, 1)))


def test_results_show_themselves():
    hinge, line = Network([([[1]], [0]), ([[1]], [0])]), Network([([[1]], [0])])
    for result in (compare_functions(hinge, line), *difference_maps(hinge, line)):
        assert "\n" not in repr(result)
        assert result._repr_html_().startswith("<code>")


def test_all_pairs_of_small_networks_on_a_line():
    """(1, 1, 1) with weights 0, 1, -1: equal exactly when the values at five points are."""
    nets = [
        Network.from_theta((1, 1, 1), theta, output_activation=activation)
        for theta in itertools.product((0, 1, -1), repeat=4)
        for activation in ("identity", "relu")
    ]
    points = [[Fraction(x)] for x in (-3, -2, Fraction(-1, 2), Fraction(1, 2), 2, 3)]
    tables = [tuple(tuple(fractions_net.evaluate(*plain(net), x)) for x in points) for net in nets]
    for (one, left), (other, right) in itertools.islice(
        itertools.combinations(zip(nets, tables, strict=True), 2), 0, None, 3
    ):
        assert compare_functions(one, other).equal == (left == right)
