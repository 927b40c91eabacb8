"""Where the dimension goes: numbers that add up, directions that nothing notices, and the sharp deficits."""

from __future__ import annotations

import pickle
import random
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import exactfd
from exactfd import Budget, Network, explain, functional_dimension
from exactfd.symmetry import explanation, mechanisms
from exactfd.symmetry.directions import Directions, UnluckyPrimeError, parameter_names
from oracles import fractions_net
from oracles import functional_dimension as oracle
from strategies import degenerate_networks

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


def load(name):
    return exactfd.load(EXAMPLES / f"{name}.json")


def all_directions(found):
    return [v for mechanism in found.mechanisms for v in mechanism.directions] + (found.unexplained or [])


def scalings(network):
    """The tangents of the scalings, from the definition."""
    layers, result = network.to_fractions(), []
    for level in range(len(layers) - 1):
        for i in range(len(layers[level][1])):
            tangent = []
            for number, (weight, bias) in enumerate(layers):
                for k, row in enumerate(weight):
                    into = number == level and k == i
                    tangent += [
                        value if into else -value if number == level + 1 and j == i else Fraction(0)
                        for j, value in enumerate(row)
                    ]
                    tangent.append(bias[k] if into else Fraction(0))
            result.append(tangent)
    return result


@pytest.mark.parametrize("seed", range(20))
def test_degenerate_networks(seed):
    """Attributed and unexplained dimensions add up, all together are independent, and every smooth cell annihilates
    each direction, says an oracle that differentiates with dual numbers at points of every cell.
    """
    for kind, network in degenerate_networks(8000 + seed, 25):
        found = explain(network)
        assert found.deficit == network.upper_bound - found.result.value
        assert found.attributed + len(found.unexplained) == found.deficit, kind
        directions = [[Fraction(int(entry)) for entry in vector] for vector in all_directions(found)]
        assert found.check()
        if network.input_dimension > 2 or network.parametric_dimension > 40:
            continue
        table = oracle.stacked_jacobian(network.to_fractions(), network.output_activation)
        for row in table:
            for vector in directions:
                assert sum((a * b for a, b in zip(row, vector, strict=True)), Fraction(0)) == 0, kind
        hidden = fractions_net.rank([*scalings(network), *directions])
        # a lost scaling direction is replaced by nothing here
        lost = len(scalings(network)) - fractions_net.rank(scalings(network))
        assert hidden >= len(scalings(network)) - lost + len(directions) - lost, kind
        if not lost:
            assert hidden == len(scalings(network)) + len(directions), kind


def test_worked_examples():
    def kinds(name):
        return [(m.kind, m.neurons, m.dimension) for m in explain(load(name)).mechanisms]

    assert kinds("glmw_example_1-1") == []
    assert kinds("hidden_family_t_2") == [("coinciding", ((1, 0), (1, 1)), 1)]
    assert kinds("fiber_dim_1") == [
        ("never_active", ((2, 0),), 2),
        ("never_active", ((2, 1),), 2),
        ("never_visible", ((1, 0),), 1),
    ]
    assert kinds("width_one_chain") == [("always_active", ((2, 0),), 1)]


def random_network(rng, sizes, spoil):
    layers = [
        [[Fraction(rng.randint(-99, 99), rng.choice((1, 2, 3, 7))) for _ in range(m + 1)] for _ in range(n)]
        for m, n in pairwise(sizes)
    ]
    spoil(layers)
    return Network([([row[:-1] for row in rows], [row[-1] for row in rows]) for rows in layers])


def dead(layer, neuron):
    """Negative weights and bias behind a ReLU; a zero row with a negative bias in the first layer."""

    def spoil(layers):
        row = layers[layer][neuron]
        row[:] = [-abs(entry) - 1 for entry in row] if layer else [Fraction(0)] * (len(row) - 1) + [Fraction(-1)]

    return spoil


def always(layer, count):
    def spoil(layers):
        for row in layers[layer][:count]:
            row[:] = [abs(entry) + 1 for entry in row]

    return spoil


@pytest.mark.parametrize("sizes", [(2, 2, 3, 1), (2, 3, 2, 1), (2, 4, 4, 1), (2, 3, 4, 2)])
def test_a_dead_neuron_costs_its_neighbours(sizes):
    """At least n_{l-1} + n_{l+1}, all from this neuron."""
    rng = random.Random(sum(sizes))
    for _ in range(6):
        found = explain(random_network(rng, sizes, dead(1, 0)))
        (mechanism,) = [m for m in found.mechanisms if (2, 0) in m.neurons and m.kind == "never_active"]
        assert mechanism.dimension == sizes[1] + sizes[3]
        assert mechanism.cells.shape[0] == 0


@pytest.mark.parametrize(("sizes", "count"), [((2, 3, 3, 3, 1), 1), ((2, 3, 3, 3, 1), 2), ((2, 2, 4, 2, 1), 3)])
def test_always_active_neurons_mix_two_layers(sizes, count):
    """k (n_{l-1} + n_{l+1}) - r (n_{l-1} + n_{l+1} - r) with r = min(k, n_{l-1}, n_{l+1})."""
    rng = random.Random(count)
    near = sizes[1] + sizes[3]
    rank = min(count, sizes[1], sizes[3])
    costs, named = [], set()
    for _ in range(12):
        network = random_network(rng, sizes, always(1, count))
        found = explain(network)
        assert found.deficit >= count * near - rank * (near - rank)
        named.update(m.neurons for m in found.mechanisms if m.kind == "always_active")
        mixing = [[Fraction(int(e)) for e in v] for v in mechanisms.mixing(network, 1, range(count))]
        known = scalings(network)
        costs.append(fractions_net.rank([*known, *mixing]) - fractions_net.rank(known))
    assert tuple((2, i) for i in range(count)) in named
    assert set(costs) == {count * near - rank * (near - rank)}


def test_mixing_is_the_kernel_of_the_product():
    """Against the differential of (A, W, b) -> (W V, W c + b), written out."""
    rng = random.Random(5)
    for sizes, chosen in [
        ((2, 3, 3, 2), [0, 2]),
        ((3, 2, 4, 1), [0, 1, 2]),
        ((1, 4, 2, 3), [1]),
        ((2, 2, 3, 2), [0, 1, 2]),
    ]:
        network = random_network(rng, sizes, lambda layers: None)
        directions = [[Fraction(int(e)) for e in v] for v in mechanisms.mixing(network, 1, chosen)]
        layers = network.to_fractions()
        weight, bias = layers[1]
        out = layers[2][0]

        def image(vector, layers=layers, chosen=chosen, weight=weight, bias=bias, out=out, sizes=sizes):
            start = sizes[1] * (sizes[0] + 1)
            width, after = sizes[1] + 1, start + sizes[2] * (sizes[1] + 1)
            rows = {i: vector[start + i * width : start + (i + 1) * width] for i in range(sizes[2])}
            assert all(not any(rows[i]) for i in rows if i not in chosen)
            values = []
            for o in range(sizes[3]):
                moved = vector[after + o * (sizes[2] + 1) : after + (o + 1) * (sizes[2] + 1)]
                values += [
                    sum(moved[i] * weight[i][k] + out[o][i] * rows[i][k] for i in chosen) for k in range(sizes[1])
                ]
                values.append(sum(moved[i] * bias[i] + out[o][i] * rows[i][-1] for i in chosen) + moved[-1])
            return values

        assert all(not any(image(vector)) for vector in directions)
        unknowns = len(chosen) * (sizes[1] + 1 + sizes[3]) + sizes[3]
        rank = min(len(chosen), sizes[1])  # of V, generically
        image_rank = sizes[3] * rank + sizes[1] * min(len(chosen), sizes[3]) - rank * min(len(chosen), sizes[3])
        assert fractions_net.rank(directions) == unknowns - image_rank - sizes[3]


def test_budgets():
    network = load("iris_4-6-6-3")
    cut = explain(network, budget=Budget(max_cells=20))
    assert cut.deficit is None
    assert cut.mechanisms == []
    assert cut.to_dict()["unexplained"] is None
    assert "20" in cut.to_dict()["limit"]
    result = functional_dimension(network)
    late = explain(result, budget=Budget(time_limit=1e-9))
    assert (late.attributed, len(late.unexplained)) == (0, 10)
    assert late.check()
    assert late.to_dict()["limit"]


def test_false_facts_cost_nothing(monkeypatch):
    """A mechanism whose directions are none is left out, and the rest still adds up."""

    def wrong(network, facts, directions):
        none = np.zeros(len(directions.smooth), dtype=bool)
        units = [mechanisms.unit(network, j) for j in range(network.parametric_dimension)]
        yield mechanisms.Proposal("never_active", ((0, 0),), units, "wrong", none)
        yield from proposals(network, facts, directions)

    proposals = mechanisms.proposals
    network = load("iris_4-6-6-3")
    monkeypatch.setattr(explanation, "proposals", wrong)
    found = explain(network)
    assert found.check()
    assert found.attributed + len(found.unexplained) == 10


def test_another_prime_when_the_scalings_lose_rank(monkeypatch):
    tried = []

    class Unlucky(Directions):
        def __init__(self, search, smooth):
            tried.append(search.prime)
            if len(tried) < 3:
                raise UnluckyPrimeError(search.prime)
            super().__init__(search, smooth)

    monkeypatch.setattr(explanation, "Directions", Unlucky)
    found = explain(load("iris_4-6-6-3"))
    assert len(set(tried)) >= 2
    assert found.attributed == 10


def test_a_scaling_that_vanishes_modulo_the_prime():
    """The weight on the gauge column is a multiple of the first prime."""
    prime = functional_dimension(load("diamond")).search.prime
    network = Network([([[prime], [prime]], [prime, prime]), ([[prime, prime]], [0])])
    found = explain(network)
    assert found.check()
    same = explain(Network([([[1], [1]], [1, 1]), ([[1, 1]], [0])]))
    assert found.attributed + len(found.unexplained) == found.deficit == same.deficit


def test_lost_scalings():
    """A hidden neuron that nothing enters or leaves."""
    network = Network([([[0], [1]], [0, 0]), ([[0, -1]], [-1]), ([[1]], [0])])
    found = explain(network)
    assert found.check()
    assert found.attributed + len(found.unexplained) == found.deficit == network.upper_bound - 1


def test_as_values():
    found = explain(load("iris_4-6-6-3"))
    document = found.to_dict()
    assert document["mechanisms"][0]["neurons"] == [[2, 5]]
    assert document["mechanisms"][0]["direction"] == {"W2[5,0]": "1"}
    assert repr(found) == "Explanation(deficit=10, attributed=10, unexplained=0)"
    assert "never_active" in found._repr_html_()
    assert pickle.loads(pickle.dumps(found)).to_dict() == document
    names = parameter_names(found.network)
    assert len(set(names)) == len(names) == found.network.parametric_dimension


# ------------------------------------------------------------------ what the sentences say

PRIME = 8388593  # the first one that is tried


def sensitivities(network, labels, layer):
    """Derivatives of the outputs by what the neurons of a hidden layer (from 0) put out, on a cell; plain fractions."""
    layers = network.to_fractions()
    parts = fractions_net.split_labels(layers, network.output_activation, labels)
    outputs = len(layers[-1][1])
    slope = [[Fraction(int(i == j)) for j in range(outputs)] for i in range(outputs)]
    for number in range(len(layers) - 1, layer, -1):
        weight = layers[number][0]
        masked = number >= len(parts)  # no ReLU behind the last layer
        active = [masked or label > 0 for label in (parts[number] if not masked else [1] * len(weight))]
        slope = [
            [sum(row[k] * weight[k][j] for k in range(len(weight)) if active[k]) for j in range(len(weight[0]))]
            for row in slope
        ]
    return slope


@pytest.mark.parametrize("seed", range(6))
def test_sentences_about_neurons_are_true(seed):
    checked = 0
    for _, network in degenerate_networks(8700 + seed, 30):
        found = explain(network)
        cells = exactfd.split_cells(network).labels.tolist()
        widths = network.relu_widths
        start = [sum(widths[:k]) for k in range(len(widths))]
        layers, activation = network.to_fractions(), network.output_activation
        smooth = [labels for labels in cells if fractions_net.is_smooth(layers, activation, labels)]
        for mechanism in found.mechanisms:
            assert mechanism.statement.startswith("on the smooth cells, ") == (
                len(smooth) < len(cells) and mechanism.kind != "not_smooth"
            )
            if mechanism.kind == "not_smooth":
                assert not smooth
                continue
            for layer, i in mechanism.neurons:
                active = [labels for labels in smooth if layer > len(widths) or labels[start[layer - 1] + i] > 0]
                if mechanism.kind in ("never_active", "identically_zero"):
                    assert not active
                    zero = all(labels[start[layer - 1] + i] == 0 for labels in cells)
                    assert (mechanism.kind == "identically_zero") == zero
                elif mechanism.kind == "never_visible" and layer < network.depth:
                    assert active
                    assert not any(any(row[i] for row in sensitivities(network, x, layer - 1)) for x in active)
                elif mechanism.kind == "always_active":
                    seen = [x for x in smooth if any(row[i] for row in sensitivities(network, x, layer - 1))]
                    assert seen
                    assert all(x in active for x in seen)
                else:
                    continue
                checked += 1
            if mechanism.kind == "never_active_together":
                (one, i), (_, k) = mechanism.neurons
                both = [
                    x for x in smooth if x[start[one - 1] + i] > 0 and (one + 1 > len(widths) or x[start[one] + k] > 0)
                ]
                if "never active together" in mechanism.statement:
                    assert not both
                if one + 1 < network.depth:
                    assert not any(any(row[k] for row in sensitivities(network, x, one)) for x in both)
                checked += 1
    assert checked > 20


@pytest.mark.parametrize(
    "layers",
    [
        [([[0]], [0]), ([[PRIME]], [0])],
        [([[0]], [-1]), ([[PRIME]], [0])],
        [([[1]], [0]), ([[0]], [-1]), ([[PRIME]], [0])],
    ],
)
def test_scalings_that_vanish_modulo_the_first_prime(layers):
    """Multiples of the prime are as good as any other weight."""
    found = explain(Network(layers))
    assert found.attributed + len(found.unexplained) == found.deficit
    assert found.check()
    plain = explain(Network([([[w // PRIME or w for w in row] for row in weight], b) for weight, b in layers]))
    assert (found.deficit, found.attributed) == (plain.deficit, plain.attributed)


def test_counts_in_sentences():
    """They are about the kernel over Q, not modulo a prime."""
    found = explain(Network([([[PRIME], [0]], [PRIME, 1]), ([[1, 1]], [0])]))
    (small,) = [m for m in found.mechanisms if m.kind == "image_too_small"]
    assert "span 2 of 3 dimensions" in small.statement
    assert small.dimension == 1


def test_coinciding_names_what_moves():
    net = Network([([[1], [-1]], [-1, 2]), ([[-1, -2], [-1, 1]], [2, 1]), ([[-1, -1]], [0])])
    found = [m for m in explain(net).mechanisms if m.kind == "coinciding"]
    assert [m.neurons for m in found] == [((1, 0), (2, 0)), ((1, 1), (2, 1))]
    assert all("share a piece" in m.statement for m in found)
    names = parameter_names(net)
    for mechanism in found:
        for layer, i in mechanism.neurons:
            into, out = (f"W{layer}[{i},", f"b{layer}[{i}]"), f"W{layer + 1}["
            own = [
                k
                for k, text in enumerate(names)
                if text.startswith(into) or (text[:3] == out and text.endswith(f",{i}]"))
            ]
            assert any(vector[k] != 0 for vector in mechanism.directions for k in own)


def test_neurons_that_nobody_sees_are_not_called_always_active():
    net = Network([([[1], [1]], [0, 0]), ([[1, 0]], [1]), ([[-1]], [1])])
    assert all((1, 1) not in m.neurons for m in explain(net).mechanisms if m.kind == "always_active")
