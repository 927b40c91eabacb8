"""Canonical forms are equal exactly on orbits: against every permutation by force, and on graphs that are hard to tell
apart.
"""

from __future__ import annotations

import itertools
import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exactfd import Budget, BudgetExceeded, Network, Symmetry, canonical_form, equivalence
from oracles import orbits
from strategies import degenerate_networks, networks, positive_fractions


def scrambled(network, seed):
    rng = random.Random(seed)
    widths = network.architecture[1:-1]
    orders = [rng.sample(range(n), n) for n in widths]
    scales = [[Fraction(rng.randint(1, 9), rng.randint(1, 9)) for _ in range(n)] for n in widths]
    return Symmetry(orders, scales).apply(network)


@given(networks(), st.integers(0, 10**6))
def test_an_orbit_has_one_form(network, seed):
    other = scrambled(network, seed)
    one, two = canonical_form(network), canonical_form(other)
    assert one.network == two.network == canonical_form(one.network).network
    assert one.symmetry.apply(network) == one.network
    found = equivalence(network, other)
    assert found is not None
    assert found.apply(network) == other


def test_many_degenerate_networks():
    for number, (_, network) in enumerate(degenerate_networks(77, 420)):
        other = scrambled(network, number)
        assert equivalence(network, other).apply(network) == other


SMALL = ((1, 2, 1), (1, 3, 1), (2, 2, 2, 1), (1, 1, 2, 1), (1, 3, 2, 1), (1, 2, 3, 1), (1, 3, 3, 1), (1, 2, 2, 2, 1))


@st.composite
def near_pairs(draw):
    """Two parameters with few different entries, many zeros and no reason to be related, or nearly related."""
    architecture = draw(st.sampled_from(SMALL))
    size = sum(n * (m + 1) for m, n in itertools.pairwise(architecture))
    entries = st.sampled_from((0, 0, 0, 1, 1, -1, 2))
    theta = draw(st.lists(entries, min_size=size, max_size=size))
    first = Network.from_theta(architecture, theta)
    other = list(scrambled(first, draw(st.integers(0, 10**6))).theta())
    for _ in range(draw(st.integers(0, 2))):
        i, j = draw(st.integers(0, size - 1)), draw(st.integers(0, size - 1))
        match draw(st.integers(0, 2)):
            case 0:
                other[i], other[j] = other[j], other[i]
            case 1:
                other[i] *= draw(positive_fractions())
            case 2:
                other[i] = Fraction(draw(entries))
    return first, Network.from_theta(architecture, other)


@given(near_pairs())
def test_against_all_permutations(pair):
    first, second = pair
    expected = orbits.related(first.to_fractions(), second.to_fractions())
    found = equivalence(first, second)
    assert (found is not None) == expected
    assert (canonical_form(first).network == canonical_form(second).network) == expected
    if found is not None:
        assert found.apply(first) == second


def test_all_small_parameters_fall_into_the_right_number_of_orbits():
    """(1, 2, 1) with weights 0, 1, -1 and no output bias: classes by canonical form are those by force."""
    forms, representatives = {}, []
    for theta in itertools.product((0, 1, -1), repeat=6):
        network = Network.from_theta((1, 2, 1), [*theta, 0])
        form = canonical_form(network).network
        if form not in forms:
            layers = network.to_fractions()
            assert not any(orbits.related(layers, other) for other in representatives)
            representatives.append(layers)
            forms[form] = layers
        else:
            assert orbits.related(network.to_fractions(), forms[form])


def test_output_activations_and_architectures_are_told_apart():
    one = Network([([[1], [1]], [0, 0]), ([[1, 2]], [0])])
    relu = Network([([[1], [1]], [0, 0]), ([[1, 2]], [0])], output_activation="relu")
    wider = Network([([[1], [1], [0]], [0, 0, 0]), ([[1, 2, 0]], [0])])
    assert equivalence(one, relu) is None
    assert equivalence(one, wider) is None


def test_no_hidden_layer():
    line = Network([([[1, 2]], [3])])
    assert equivalence(line, line) == Symmetry((), ())
    assert canonical_form(line).network == line
    assert equivalence(line, Network([([[2, 4]], [6])])) is None


@pytest.mark.parametrize("first", [Fraction(1, 10**300), Fraction(3, 2**400 - 1)])
def test_extreme_numbers(first):
    network = Network([([[first, 1], [2, -first]], [0, first]), ([[1, first]], [0])])
    assert equivalence(network, scrambled(network, 1)).apply(network) == scrambled(network, 1)
    moved = Network([([[first, 1], [2, -first]], [0, first * (1 + Fraction(1, 2**300))]), ([[1, first]], [0])])
    assert equivalence(network, moved) is None


# --------------------------------------------------------------------------- graphs


def incidence(vertices, edges, *, grounded, factors=None):
    """Neurons of layer 1 are vertices, those of layer 2 edges; all weights are equal where ``factors`` is not given."""
    one = int(grounded)
    rows = [[0] * vertices for _ in edges]
    for k, ends in enumerate(edges):
        for end, vertex in enumerate(ends):
            rows[k][vertex] = 1 if factors is None else factors[k][end]
    return Network([([[one]] * vertices, [0] * vertices), (rows, [0] * len(edges)), ([[one] * len(edges)], [0])])


def cycles(*lengths):
    edges, start = [], 0
    for length in lengths:
        edges += [(start + i, start + (i + 1) % length) for i in range(length)]
        start += length
    return start, edges


def shrikhande():
    steps = {(0, 1), (0, 3), (1, 0), (3, 0), (1, 1), (3, 3)}
    pairs = itertools.combinations(range(16), 2)
    return 16, [(a, b) for a, b in pairs if ((a // 4 - b // 4) % 4, (a % 4 - b % 4) % 4) in steps]


def rook():
    return 16, [(a, b) for a, b in itertools.combinations(range(16), 2) if a // 4 == b // 4 or a % 4 == b % 4]


PETERSEN = (10, [*cycles(5)[1], *((5 + i, 5 + (i + 2) % 5) for i in range(5)), *((i, i + 5) for i in range(5))])


@pytest.mark.parametrize("grounded", [True, False])
@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (cycles(6), cycles(6), True),
        (cycles(6), cycles(3, 3), False),
        (cycles(12), cycles(3, 3, 3, 3), False),
        (cycles(4, 3), cycles(3, 4), True),
        (PETERSEN, PETERSEN, True),
        (rook(), rook(), True),
        (rook(), shrikhande(), False),
    ],
)
def test_graphs_that_colours_alone_do_not_tell_apart(one, other, same, grounded):
    first, second = (scrambled(incidence(*graph, grounded=grounded), seed) for seed, graph in enumerate((one, other)))
    found = equivalence(first, second)
    assert (found is not None) == same
    if same:
        assert found.apply(first) == second


def test_the_product_around_a_cycle_is_an_invariant():
    """A cycle of neurons without inputs, biases and outputs: scales change each weight, but not this product."""
    six = cycles(6)
    plain = incidence(*six, grounded=False)
    twisted = incidence(*six, grounded=False, factors=[(2, 1), *[(1, 1)] * 5])
    moved = incidence(*six, grounded=False, factors=[*[(1, 1)] * 3, (1, "1/2"), *[(1, 1)] * 2])
    backwards = incidence(*six, grounded=False, factors=[(1, 2), *[(1, 1)] * 5])
    three = incidence(*six, grounded=False, factors=[(3, 1), *[(1, 1)] * 5])
    assert equivalence(plain, twisted) is None
    assert equivalence(twisted, three) is None
    for other in (moved, backwards):
        assert equivalence(twisted, scrambled(other, 4)).apply(twisted) == scrambled(other, 4)


def squares(*tables):
    """Graphs of Latin squares side by side (strongly regular: colours see nothing), joined by one neuron."""
    blocks = []
    for table in tables:
        cells = [(i, j, k) for i, row in enumerate(table) for j, k in enumerate(row)]
        same = [[sum(x == y for x, y in zip(a, b, strict=True)) for b in cells] for a in cells]
        blocks.append([[{3: 2, 1: 1}.get(count, 0) for count in row] for row in same])
    size, rows, start = sum(map(len, blocks)), [], 0
    for block in blocks:
        rows += [[0] * start + row + [0] * (size - start - len(row)) for row in block]
        start += len(block)
    rows.append([1] * size)
    return Network([([[1]] * size, [0] * size), (rows, [0] * (size + 1)), ([[1] * (size + 1)], [0])])


PATH = (4, [(0, 1), (1, 2), (2, 3)])
TADPOLE = (6, [*cycles(4)[1], (3, 4), (4, 5)])


@pytest.mark.parametrize(
    "network",
    [
        incidence(*PATH, grounded=False),
        incidence(*TADPOLE, grounded=False),
        incidence(*TADPOLE, grounded=False, factors=[(k, 1) for k in range(1, 7)]),
        incidence(*cycles(3, 4, 5, 3), grounded=True),
        # copies of a neuron, more of one kind than of another that differs in nothing else
        Network([([[1]] * 3, [0] * 3), ([[1, 1, 0], [0, 0, 1]], [0, 0]), ([[1, 1]], [0])]),
        Network([([[0]] * 3, [0] * 3), ([[1, 1, 0], [0, 0, 1]], [0, 0]), ([[1, 1]], [0])]),
        Network([([[1]] * 3, [0] * 3), ([[1, 1, 0], [0, 0, 1], [1, 1, 1]], [0] * 3), ([[1, 1, 1]], [0])]),
        # cycles of several lengths joined by one neuron: ties whose ways to be broken are not alike
        Network([([[1]] * 12, [0] * 12), ([*incidence(*cycles(3, 4, 5), grounded=True).to_fractions()[1][0], [1] * 12],
                 [0] * 13), ([[1] * 13], [0])]),
        squares([[(i + j) % 4 for j in range(4)] for i in range(4)], [[i ^ j for j in range(4)] for i in range(4)]),
    ],
    ids=[
        *("path", "tadpole", "weighted", "cycles", "copies-apart", "copies-ungrounded", "copies-joined"),
        *("cycles-joined", "squares"),
    ],
)  # fmt: skip
def test_one_form_whatever_the_order(network):
    """The search meets its ties in another order each time."""
    assert len({canonical_form(scrambled(network, seed)).network for seed in range(8)}) == 1


def test_many_neurons_alike_take_no_time():
    """No permutation of 64 interchangeable neurons, or parts, is tried twice."""
    n = 64
    identity = [[int(i == j) for j in range(n)] for i in range(n)]
    budget = Budget(time_limit=30)
    for network in (
        Network([([[0]] * n, [0] * n), ([[0] * n] * n, [0] * n), ([[0] * n], [1])]),
        Network([([[2]] * n, [1] * n), ([[1] * n] * n, [0] * n), ([[1] * n], [1])]),
        Network([([[2]] * n, [1] * n), (identity, [0] * n), ([[1] * n], [1])]),
        Network([([[0]] * n, [0] * n), (identity, [0] * n), ([[0] * n], [1])]),
    ):
        other = scrambled(network, 9)
        assert equivalence(network, other, budget=budget, max_steps=1000).apply(network) == other


def test_a_budget_ends_the_search():
    network = incidence(*rook(), grounded=True)
    with pytest.raises(BudgetExceeded, match="more than 3 refinements"):
        canonical_form(network, max_steps=3)
