"""Functional dimension against brute force, and under everything that provably keeps, raises or lowers it."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import exactfd
from exactfd.network import Network
from oracles import fractions_net, functional_dimension
from strategies import (
    KINDS,
    degenerate_networks,
    fractions,
    invertible_matrices,
    networks,
    positive_fractions,
    product,
)

SEED, COUNT, CHUNK = 41, 8 * len(KINDS), 7

#: Kinds whose numbers are short, so that a failure is readable; the long ones are in the seeded comparison.
SHORT = tuple(kind for kind in KINDS if kind not in ("big_denominators", "tiny_weights", "almost_coincident"))
WITH_HIDDEN = tuple(kind for kind in SHORT if kind != "one_layer")


def dimension(network: Network) -> int:
    result = exactfd.functional_dimension(network)
    assert result.status == "proved"
    assert 0 <= result.value <= network.upper_bound
    return result.value


def rebuilt(layers, network: Network) -> Network:
    return Network(layers, output_activation=network.output_activation)


# ------------------------------------------------------------------ brute force


@cache
def all_networks() -> tuple[tuple[str, Network], ...]:
    return tuple(degenerate_networks(SEED, COUNT))


def assert_same_dimension(network: Network) -> None:
    rows = functional_dimension.stacked_jacobian(network.to_fractions(), network.output_activation)
    expected = fractions_net.rank(rows)
    result = exactfd.functional_dimension(network)
    assert (result.status, result.value, result.lower, result.upper) == ("proved", expected, expected, expected)
    kernel = result.kernel
    assert all(annihilates(row, vector) for row in rows for vector in kernel)
    for direction in scaling_directions(network):
        assert all(annihilates(row, direction) for row in rows)
    if result.upper < network.upper_bound or len(kernel) == network.parametric_dimension - expected:
        assert fractions_net.rank(kernel) == len(kernel) == network.parametric_dimension - expected


def annihilates(row, vector) -> bool:
    return sum((a * b for a, b in zip(row, vector, strict=True) if a and b), Fraction(0)) == 0


def scaling_directions(network: Network):
    """For each hidden neuron: its own row, minus its outgoing column."""
    layers = network.to_fractions()
    for index in range(len(layers) - 1):
        for neuron in range(len(layers[index][1])):
            direction = []
            for k, (weight, bias) in enumerate(layers):
                for i, (row, b) in enumerate(zip(weight, bias, strict=True)):
                    if (k, i) == (index, neuron):
                        direction += [*row, b]
                    elif k == index + 1:
                        direction += [-w if j == neuron else Fraction(0) for j, w in enumerate(row)] + [Fraction(0)]
                    else:
                        direction += [Fraction(0)] * (len(row) + 1)
            yield direction


def test_the_sample_is_what_it_claims():
    assert COUNT >= 150
    assert {kind for kind, _ in all_networks()} == set(KINDS)
    deficits = [network.upper_bound - dimension(network) for _, network in all_networks()]
    assert sum(deficit > 0 for deficit in deficits) > 60
    assert sum(deficit == 0 for deficit in deficits) > 5


@pytest.mark.parametrize("start", range(0, COUNT, CHUNK))
def test_brute_force(start):
    for _, network in all_networks()[start : start + CHUNK]:
        assert_same_dimension(network)


@pytest.mark.parametrize("start", range(0, 84, 14))
def test_both_engines(start):
    for _, network in all_networks()[start : start + 14]:
        values = {
            exactfd.functional_dimension(network, algorithm=algorithm).value for algorithm in ("complex", "splitting")
        }
        assert values == {dimension(network)}


@settings(max_examples=40, deadline=None)
@given(networks(max_inputs=2))
def test_brute_force_with_shrinking(network):
    assert_same_dimension(network)


# ------------------------------------------------------------------ what keeps it


@settings(max_examples=40, deadline=None)
@given(networks(WITH_HIDDEN), st.data())
def test_permuting_a_hidden_layer(network, data):
    layers = network.to_fractions()
    for index in range(len(layers) - 1):
        weight, bias = layers[index]
        order = data.draw(st.permutations(range(len(bias))))
        layers[index] = [weight[i] for i in order], [bias[i] for i in order]
        following, offsets = layers[index + 1]
        layers[index + 1] = [[row[i] for i in order] for row in following], offsets
    assert dimension(rebuilt(layers, network)) == dimension(network)


@settings(max_examples=40, deadline=None)
@given(networks(WITH_HIDDEN), st.data())
def test_positive_scaling_at_hidden_neurons(network, data):
    layers = network.to_fractions()
    for index in range(len(layers) - 1):
        weight, bias = layers[index]
        scales = [data.draw(positive_fractions()) for _ in bias]
        layers[index] = (
            [[c * w for w in row] for c, row in zip(scales, weight, strict=True)],
            [c * b for c, b in zip(scales, bias, strict=True)],
        )
        following, offsets = layers[index + 1]
        layers[index + 1] = [[w / c for w, c in zip(row, scales, strict=True)] for row in following], offsets
    scaled = rebuilt(layers, network)
    point = [data.draw(fractions()) for _ in range(network.input_dimension)]
    assert scaled.evaluate(point) == network.evaluate(point)
    assert dimension(scaled) == dimension(network)


@settings(max_examples=40, deadline=None)
@given(networks(SHORT), st.data())
def test_affine_change_of_input(network, data):
    """``F(Bx + c)``: the parameter changes by a linear isomorphism and the points by an affine one."""
    n0 = network.input_dimension
    change = data.draw(invertible_matrices(n0))
    shift = [data.draw(fractions()) for _ in range(n0)]
    (weight, bias), *rest = network.to_fractions()
    moved = [b + added for b, (added,) in zip(bias, product(weight, [[s] for s in shift]), strict=True)]
    changed = rebuilt([(product(weight, change), moved), *rest], network)
    point = [data.draw(fractions()) for _ in range(n0)]
    image = [sum((a * x for a, x in zip(row, point, strict=True)), s) for row, s in zip(change, shift, strict=True)]
    assert changed.evaluate(point) == network.evaluate(image)
    assert dimension(changed) == dimension(network)


@settings(max_examples=30, deadline=None)
@given(networks(SHORT), st.data())
def test_affine_change_of_an_affine_output(network, data):
    assume(network.output_activation == "identity")
    size = network.output_dimension
    change = data.draw(invertible_matrices(size))
    *rest, (weight, bias) = network.to_fractions()
    moved = [row[0] + data.draw(fractions()) for row in product(change, [[b] for b in bias])]
    assert dimension(rebuilt([*rest, (product(change, weight), moved)], network)) == dimension(network)


# ------------------------------------------------------------------ one more neuron


def with_neuron(network: Network, index: int, row, bias, outgoing) -> Network:
    """One more neuron at the end of hidden layer ``index`` (from 0)."""
    layers = network.to_fractions()
    weight, offsets = layers[index]
    layers[index] = [*weight, row], [*offsets, bias]
    following, later = layers[index + 1]
    layers[index + 1] = [[*old, new] for old, new in zip(following, outgoing, strict=True)], later
    return rebuilt(layers, network)


def hidden_layer(network: Network, data) -> tuple[int, int, int]:
    """A hidden layer and the widths before and after it."""
    index = data.draw(st.integers(0, network.depth - 2), label="hidden layer")
    return index, network.architecture[index], network.architecture[index + 2]


@settings(max_examples=50, deadline=None)
@given(networks(WITH_HIDDEN), st.data())
def test_a_neuron_that_is_never_active(network, data):
    """Label -1 everywhere, and for nearby parameters too on every bounded set: nothing else changes.

    Its incoming parameters act on nothing and its outgoing weights multiply 0, so its columns of the Jacobian vanish at
    every point; paths through it are blocked, so the same points are smooth. The functional dimension stays, while
    ``D'`` grows by the widths before and after: the deficit grows by exactly that.
    """
    index, before, after = hidden_layer(network, data)
    row = [-abs(data.draw(fractions())) if index else Fraction(0) for _ in range(before)]
    outgoing = [data.draw(fractions()) for _ in range(after)]
    larger = with_neuron(network, index, row, -data.draw(positive_fractions()), outgoing)
    assert larger.upper_bound == network.upper_bound + before + after
    assert dimension(larger) == dimension(network)


@settings(max_examples=30, deadline=None)
@given(networks(WITH_HIDDEN), st.data())
def test_a_constant_neuron_that_nobody_listens_to(network, data):
    """Weights 0, positive bias, outgoing weights 0: its outgoing columns are multiples of the next layer's bias columns
    and its incoming ones vanish. It opens paths, though, and a neuron that is zero on an open set is no kink only as
    long as all its paths are blocked: see the case below."""
    assume(not (exactfd.top_cells(network).labels == 0).any())
    index, before, after = hidden_layer(network, data)
    row = [Fraction(0)] * before
    larger = with_neuron(network, index, row, data.draw(positive_fractions()), [Fraction(0)] * after)
    assert dimension(larger) == dimension(network)


def test_a_constant_neuron_opens_the_paths_of_neurons_that_are_zero():
    """Found by the property above: with it no cell is parametrically smooth any more."""
    layers = [([[1], [0]], [0, 0]), ([[1, 1], [0, 1]], [1, 0]), ([[-1, 0], [0, -1]], [-1, -1]), ([[1, 1]], [1])]
    network = Network(layers)
    assert dimension(network) == 1
    assert dimension(with_neuron(network, 2, [Fraction(0)] * 2, Fraction(1), [Fraction(0)])) == 0


@settings(max_examples=40, deadline=None)
@given(networks(WITH_HIDDEN), st.data())
def test_a_live_neuron_that_nobody_listens_to(network, data):
    """Outgoing weights 0: the old columns stay and only the ``n_{l+1}`` outgoing ones are new.

    It is put into the first layer with nonzero weights: it then only cuts cells in two, and every smooth cell keeps a
    smooth part.
    """
    before, after = network.architecture[0], network.architecture[2]
    row = [data.draw(positive_fractions())] + [data.draw(fractions()) for _ in range(before - 1)]
    larger = with_neuron(network, 0, row, data.draw(fractions()), [Fraction(0)] * after)
    assert dimension(network) <= dimension(larger) <= dimension(network) + after


def test_a_live_neuron_can_raise_it():
    """A new bend at x = -5 with outgoing weight 0: switching it on is a direction of its own."""
    network = Network([([[1], [-1]], [0, 1]), ([[1, 1]], [0])])
    larger = with_neuron(network, 0, [Fraction(1)], Fraction(5), [Fraction(0)])
    assert dimension(larger) == dimension(network) + 1


@settings(max_examples=30, deadline=None)
@given(networks(WITH_HIDDEN), st.data())
def test_a_neuron_that_is_zero_everywhere(network, data):
    """Weights 0 and bias 0 in the last hidden layer before an affine output: no point is smooth any more.

    (Every neighbourhood of such a parameter holds functions that do and functions that do not use the neuron.)
    """
    assume(network.output_activation == "identity")
    index, after = network.depth - 2, network.output_dimension
    row = [Fraction(0)] * network.architecture[index]
    outgoing = [data.draw(fractions()) for _ in range(after)]
    larger = with_neuron(network, index, row, Fraction(0), outgoing)
    assert exactfd.canonical_complex(larger).smooth_top_cells == 0
    assert dimension(larger) == 0
