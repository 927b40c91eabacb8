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
