"""Other parameters with the same function: each step against evaluation and against cells found by PPL."""

from __future__ import annotations

import random
from fractions import Fraction
from itertools import combinations
from pathlib import Path

import pytest

import exactfd
from exactfd import Budget, Network, compare_functions, functional_dimension, move, walk_fiber
from oracles import fractions_net, ppl_complex
from oracles.functional_dimension import simplex_around
from strategies import degenerate_networks

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


def load(name):
    return exactfd.load(EXAMPLES / f"{name}.json")


def beside(first, second):
    """Layers of both networks side by side: the cells of this network are those of the common refinement."""
    result = []
    for number, ((w1, b1), (w2, b2)) in enumerate(zip(first, second, strict=True)):
        if number == 0:
            rows = [list(row) for row in (*w1, *w2)]
        else:
            rows = [[*row, *[Fraction(0)] * len(w2[0])] for row in w1]
            rows += [[*[Fraction(0)] * len(w1[0]), *row] for row in w2]
        result.append((rows, [*b1, *b2]))
    return result


def assert_same_function(one, other):
    """At n_0 + 1 affinely independent points of every cell of the common refinement, and at random points."""
    first, second = one.to_fractions(), other.to_fractions()
    activation = one.output_activation
    both = beside(first, second)
    cells = [c for c in ppl_complex.cells(both, activation) if c.dimension == one.input_dimension]
    points = [point for cell in cells for point in simplex_around(both, activation, cell.point)]
    draw = random.Random(len(points))
    points += [
        tuple(Fraction(draw.randint(-9999, 9999), draw.randint(1, 99)) for _ in range(one.input_dimension))
        for _ in range(len(cells) + 10)
    ]
    for point in points:
        left = fractions_net.evaluate(first, activation, point)
        assert left == fractions_net.evaluate(second, activation, point)


@pytest.mark.parametrize("seed", range(8))
def test_steps_keep_the_function(seed):
    taken = 0
    for _, network in degenerate_networks(9100 + seed, 20):
        if network.input_dimension > 2 or network.parametric_dimension > 40:
            continue
        walk = walk_fiber(network, steps=3, seed=seed)
        before = network
        for point in walk.points:
            assert_same_function(network, point.network)
            assert point.network == move(before, point.direction, point.length)
            assert point.dimension.value == functional_dimension(point.network).value
            before = point.network
        met = [network, *(point.network for point in walk.points)]
        for one, other in combinations(met, 2):
            assert exactfd.equivalence(one, other) is None
        assert (walk.reason is None) == (len(walk.points) == 3)
        taken += len(walk.points)
    assert taken > 15


def test_dimension_is_not_constant_on_a_fiber():
    """From [[1|0]], [[-1|-1],[-1|-2]], [[1,1|-1]] to [[1|0]], [[1|1],[1|2]], [[1,-1|0]]; each step computes -1."""
    start, end = load("fiber_dim_1"), load("fiber_dim_2")
    names = exactfd.symmetry.directions.parameter_names(start)
    steps = [
        {"W3[0,0]": -1, "W3[0,1]": -1},  # both neurons are never active: what leaves them is free
        {"W2[0,0]": 2, "b2[0]": 2, "W2[1,0]": 2, "b2[1]": 4},  # now nothing leaves them: what enters them is free
        {"W3[0,0]": 1, "W3[0,1]": -1, "b3[0]": 1},  # (h + 1) - (h + 2) + 1 = 0
    ]
    here, dimensions = start, [functional_dimension(start).value]
    for step in steps:
        here = move(here, [step.get(name, 0) for name in names])
        assert compare_functions(start, here).equal
        assert_same_function(start, here)
        dimensions.append(functional_dimension(here).value)
    assert here == end
    assert (dimensions[0], dimensions[-1]) == (1, 2)


def test_the_walk_finds_another_dimension_itself():
    walk = walk_fiber(load("max_min_regions"), steps=3)
    assert len(set(walk.dimensions)) > 1
    for point in walk.points:
        assert_same_function(load("max_min_regions"), point.network)


def test_the_hidden_one_parameter_symmetry():
    """relu(x - t) - relu(-x + t) + t for every t."""
    walk = walk_fiber(load("hidden_family_t_2"), steps=4)
    shifts = set()
    for point in walk.points:
        (w1, b1), (w2, b2) = point.network.to_fractions()
        t = b2[0]
        assert (w1, b1, w2) == ([[1], [-1]], [-t, t], [[1, -1]])
        shifts.add(t)
    assert len(shifts) == 4


def test_the_same_walk_again_and_another_one():
    network = load("max_min_regions")
    assert walk_fiber(network, steps=2, seed=5).to_dict() == walk_fiber(network, steps=2, seed=5).to_dict()
    walks = {tuple(p.network.digest for p in walk_fiber(network, steps=2, seed=s).points) for s in range(4)}
    assert len(walks) > 1


def test_no_hidden_symmetry():
    walk = walk_fiber(load("glmw_example_1-1"), steps=2)
    assert walk.points == []
    assert "D'" in walk.reason


def test_curved_directions_are_not_followed():
    """Each straight step must keep the function everywhere, also far away: for some networks no length does."""
    for _, network in degenerate_networks(77, 60):
        walk = walk_fiber(network, steps=1)
        if walk.reason is not None and "straight" in walk.reason:
            assert walk.start.deficit > 0
            return
    raise AssertionError("none among these")


def test_budgets():
    walk = walk_fiber(load("iris_4-6-6-3"), steps=3, budget=Budget(max_cells=20))
    assert walk.points == []
    assert walk.limit
    with pytest.raises(exactfd.InputError):
        walk_fiber(load("diamond"), steps=-1)


def test_moves():
    network = Network([([[1]], [0])])
    assert move(network, [1, "1/2"], 2).theta() == (3, 1)
    with pytest.raises(exactfd.ExactFDError):
        move(network, [1])
