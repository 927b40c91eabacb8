from __future__ import annotations

import json
import pickle
import random
from fractions import Fraction
from itertools import pairwise

import pytest

from exactfd.budget import Budget
from exactfd.errors import BudgetExceeded, InputError, ShapeError
from exactfd.geometry.top import top_cells
from exactfd.network import Network
from exactfd.polytopes.sampling import float_hit_and_run
from exactfd.varieties.dimension import variety_dimension
from exactfd.varieties.equations import variety_equations
from exactfd.varieties.occurrence import occurring_blocks
from exactfd.varieties.parametrisation import OutputVariety, PatternVariety
from exactfd.varieties.patterns import Architecture, pattern_of
from exactfd.varieties.realisation import find_network, pattern_variety, realise, realised_at_points
from strategies import degenerate_networks


def all_patterns(widths):
    result = [()]
    for width in widths:
        result = [(*p, f"{bits:0{width}b}") for p in result for bits in range(2**width)]
    return result


def test_realised_patterns_are_those_of_the_cells():
    """Every pattern of small networks, degenerate ones among them, against the list of all cells."""
    kinds = {"yes": 0, "no": 0}
    for _, net in degenerate_networks(11, 44):
        widths = net.relu_widths
        if sum(widths) > 6:
            continue
        cells = {pattern_of(row, widths) for row in top_cells(net).labels.tolist()}
        for pattern in all_patterns(widths):
            found = realise(net, pattern)
            assert found.realised == (pattern in cells), (net, pattern)
            assert found.check()
            kinds["yes" if found.realised else "no"] += 1
            if found.realised:
                assert pattern_of(net.ternary_tuple(found.point), widths) == pattern
                assert found.multipliers == {}
            else:
                assert all(weight > 0 for weight in found.multipliers.values())
    assert min(kinds.values()) > 100


def diamond():
    return Network([([[1, 0], [-1, 0], [0, 1]], [0, 0, 0]), ([[1, 1, 1]], [0])])


def test_blocks_that_no_input_has_are_refused():
    with pytest.raises(InputError, match=r"block 2: expected a pattern .* found '111', .*1 x neuron 1 of layer 1"):
        pattern_variety(diamond(), ["101", "111"])
    assert pattern_variety(diamond(), ["101", "111"], allow_empty=True).patterns == (("101",), ("111",))
    assert pattern_variety(diamond(), [(1, -1, 1), (-1, 1, 0)]).patterns == (("101",), ("010",))
    with pytest.raises(ShapeError, match="block 1: the network has 3 ReLU neurons, found 2 labels"):
        pattern_variety(diamond(), [(1, 1)])
    with pytest.raises(InputError, match="block 1: layer 1: expected the digits 0 and 1, found 2"):
        pattern_variety(diamond(), [(2, 1, 1)])
    with pytest.raises(InputError, match="block 1: expected text"):
        pattern_variety(diamond(), [7])
    with pytest.raises(InputError, match="expected a list of patterns"):
        pattern_variety(diamond(), "101")


@pytest.mark.parametrize(
    ("architecture", "blocks"),
    [
        ((3, 3, 3), ["110", "011"]),
        ((3, 4, 3), ["1100", "1010", "1001"]),
        ((3, 3, 2, 3, 3), ["111/11/111", "011/11/111"]),
        (Architecture((2, 3, 2), True), ["000", "110", "011"]),
        (Architecture((2, 3, 2), True, "relu"), ["010/01", "110/10"]),
        ((2, 2, 2), ["11"]),
    ],
)
def test_networks_that_have_the_blocks(architecture, blocks):
    found = find_network(architecture, blocks)
    assert found.realised
    assert found.check()
    assert all(realise(found.network, pattern).realised for pattern in found.patterns)
    assert json.loads(json.dumps(found.to_dict())) == found.to_dict()
    assert pickle.loads(pickle.dumps(found)).to_dict() == found.to_dict()
    assert "\n" not in repr(found) + found._repr_html_()


def test_what_is_not_realised_is_said_with_a_reason_or_not_at_all():
    dead = find_network((2, 2, 2, 1), ["00/11"])
    assert dead.realised is False
    assert "all of layer 1 is inactive" in dead.impossible
    assert not dead.check()
    line = find_network((1, 2, 1), ["10", "01", "11"])  # a line without biases has two directions
    assert line.realised is None
    assert line.network is None


def test_data_that_cannot_have_the_patterns():
    collinear = OutputVariety(Architecture((1, 1, 1), True), [[0], [1], [2]], ["1", "0", "1"])
    found = realised_at_points(collinear)
    assert found.realised is False
    assert "points 1, 2, 3" in found.impossible
    fine = realised_at_points(OutputVariety(Architecture((1, 1, 1), True), [[0], [1], [2]], ["1", "1", "0"]))
    assert fine.realised
    assert fine.check()
    assert realised_at_points(OutputVariety((1, 1, 1), [[0]], ["1"])).realised is False


def test_evidence_can_be_read():
    found = realise(diamond(), "111")
    assert json.loads(json.dumps(found.to_dict())) == found.to_dict()
    assert found.to_dict()["multipliers"] == [
        {"layer": 1, "neuron": 1, "multiplier": "1"},
        {"layer": 1, "neuron": 2, "multiplier": "1"},
    ]
    assert realise(diamond(), "101").to_dict()["realised"]
    assert pickle.loads(pickle.dumps(found)).check()
    assert repr(found) == "Realisation('111', not realised)"
    assert "not" in found._repr_html_()


def test_tiny_cells_are_seen():
    """A slab of width 10^-300."""
    net = Network([([[1], [-1]], [0, Fraction(1, 10**300)]), ([[1, 1]], [0])])
    assert realise(net, "11").realised
    assert not realise(net, "00").realised


def test_a_budget():
    with pytest.raises(BudgetExceeded):
        find_network((1, 2, 1), ["10", "01", "11"], budget=Budget(time_limit=1e-9))


def test_multipliers_are_those_of_the_pre_activations_themselves():
    """Across layers with different denominators; compared with plain fractions, not with the rows of the program."""
    net = Network(
        [([[Fraction(2, 3)]], [0]), ([[2]], [Fraction(1, 3)]), ([[Fraction(-3, 2)]], [Fraction(1, 3)])]
    )  # z_1 = 2/3 x > 0 and -z_2 = -(4/3 x + 1/3) > 0: 2 z_1 - z_2 = -1/3
    assert realise(net, ("1", "0")).multipliers == {(1, 1): 2, (2, 1): 1}
    rng = random.Random(5)
    refuted = 0
    for _ in range(60):
        sizes = [rng.randint(1, 2) for _ in range(4)]
        layers = [
            (
                [[Fraction(rng.randint(-3, 3), rng.choice((1, 2, 3))) for _ in range(m)] for _ in range(n)],
                [Fraction(rng.randint(-3, 3), rng.choice((1, 2, 3))) for _ in range(n)],
            )
            for m, n in pairwise(sizes)
        ]
        net = Network(layers)
        for pattern in all_patterns(net.relu_widths):
            found = realise(net, pattern)
            assert found.check()
            if found.realised:
                continue
            refuted += 1
            total = [Fraction(0)] * (sizes[0] + 1)
            for neuron, weight in found.multipliers.items():
                sign, form = pre_activation(layers, pattern, neuron)
                total = [a + weight * sign * b for a, b in zip(total, form, strict=True)]
            assert not any(total[:-1]), (layers, pattern)
            assert total[-1] <= 0
    assert refuted > 100


def pre_activation(layers, pattern, neuron):
    """The sign that its bit asks for, and its affine function where the pattern holds."""
    inputs = len(layers[0][0][0])
    forms = [[Fraction(i == j) for j in range(inputs + 1)] for i in range(inputs)]
    for level, (weights, biases) in enumerate(layers, start=1):
        z = [
            [sum(w * form[j] for w, form in zip(row, forms, strict=True)) for j in range(inputs + 1)] for row in weights
        ]
        z = [[*form[:-1], form[-1] + bias] for form, bias in zip(z, biases, strict=True)]
        bits = pattern[level - 1]
        if level == neuron[0]:
            return (1 if bits[neuron[1] - 1] == "1" else -1), z[neuron[1] - 1]
        forms = [form if bit == "1" else [Fraction(0)] * (inputs + 1) for form, bit in zip(z, bits, strict=True)]
    raise AssertionError


@pytest.mark.parametrize("seed", [-1, 0.5, True, None])
def test_seeds_that_are_none(seed):
    network = Network([([[1, 0], [0, 1]], [0, 0]), ([[1, 1]], [0])])
    variety = PatternVariety((2, 2, 1), ["10", "01"])
    for work in (
        lambda: find_network((2, 2, 1), ["10"], seed=seed),
        lambda: OutputVariety.generic((2, 2, 1), ["10"], 3, seed=seed),
        lambda: variety_dimension(variety, seed=seed),
        lambda: variety_equations(variety, 2, seed=seed),
        lambda: next(occurring_blocks(network, seed=seed)),
        lambda: float_hit_and_run(network, box=(-1, 1), seed=seed),
    ):
        with pytest.raises(InputError, match=f"seed: expected an integer from 0 on, found {seed}"):
            work()
