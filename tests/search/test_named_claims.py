"""What each named claim finds, judged by code that shares nothing with the search."""

from __future__ import annotations

import time
from fractions import Fraction
from functools import cache

import numpy as np
import pytest

import exactfd
from exactfd import Budget, Network
from exactfd.errors import InputError
from exactfd.search import CLAIMS, SearchResult, search
from oracles import fractions_net, functional_dimension, ppl_complex

IMPOSSIBLE = "width-one-chain"
FOUND = [name for name in CLAIMS if name != IMPOSSIBLE]


@cache
def find(name: str, *sizes: int, keep: bool = False, seed: int = 0) -> SearchResult:
    return search(name, architecture=sizes or None, keep_architecture=keep, seed=seed, budget=Budget(time_limit=60))


def dimension(network: Network) -> int:
    return functional_dimension.functional_dimension(network.to_fractions(), network.output_activation)


def grid(inputs: int):
    values = [Fraction(k, 3) for k in (-20, -7, -3, -1, 0, 1, 2, 5, 9, 25)]
    if inputs == 1:
        return [(x,) for x in values]
    return [(x, y) for x in values for y in values]


def assert_everywhere_smooth(network: Network) -> None:
    layers, activation = network.to_fractions(), network.output_activation
    for cell in ppl_complex.cells(layers, activation):
        assert cell.dimension < network.input_dimension or fractions_net.is_smooth(layers, activation, cell.labels)


def value(network: Network, point):
    return fractions_net.evaluate(network.to_fractions(), network.output_activation, point)


@pytest.mark.parametrize("name", FOUND)
def test_found_certified_and_small(name):
    result = find(name)
    assert result.found
    assert result.stopped == "found"
    assert result.notes == []
    assert result.certificates
    for about, certificate in result.certificates:
        assert certificate.check().valid, about
    heights = [sum(abs(x.numerator) + x.denominator for x in n.theta() if x) for n in result.networks]
    before = [sum(abs(x.numerator) + x.denominator for x in n.theta() if x) for n in result.first]
    assert sum(heights) <= sum(before)


@pytest.mark.parametrize("name", FOUND)
def test_the_same_seed_gives_the_same_answer(name):
    again = search(name, budget=Budget(time_limit=60))
    assert again.to_dict() == find(name).to_dict()


# ------------------------------------------------------------------ must be reached within a minute


def test_a_hidden_symmetry_of_the_smallest_network():
    start = time.monotonic()
    result = find("hidden-symmetry", 1, 2, 1, keep=True)
    assert time.monotonic() - start < 60
    (network,) = result.networks
    assert network.architecture == (1, 2, 1)
    assert dimension(network) == result.facts["functional_dimension"] < network.upper_bound == 5
    rows = functional_dimension.stacked_jacobian(network.to_fractions(), "identity")
    direction = [Fraction(entry) for entry in result.facts["direction"]]
    assert any(direction)
    assert all(sum(a * b for a, b in zip(row, direction, strict=True)) == 0 for row in rows)
    a, b, c, d, v, w, _ = network.theta()
    scalings = [[a, b, 0, 0, -v, 0, 0], [0, 0, c, d, 0, -w, 0]]
    assert fractions_net.rank([direction, *scalings]) == 3
    assert all((a, c, v, w))


def test_a_fiber_on_which_the_functional_dimension_varies():
    start = time.monotonic()
    result = find("fiber-dimension", 1, 1, 2, 1, keep=True)
    assert time.monotonic() - start < 60
    first, second = result.networks
    assert first.architecture == second.architecture == (1, 1, 2, 1)
    assert all(value(first, point) == value(second, point) for point in grid(1))
    assert len({tuple(value(first, point)) for point in grid(1)}) > 1
    assert [dimension(first), dimension(second)] == result.facts["functional_dimensions"]
    assert dimension(first) != dimension(second)
    assert_everywhere_smooth(first)
    assert_everywhere_smooth(second)
    assert result.certificate.claim["relation"] == "=="


def test_values_at_points_prove_no_equality(monkeypatch):
    """Two points suggest that many functions are equal; those that are found are."""
    monkeypatch.setattr("exactfd.search.pairs._probes", lambda inputs: [[Fraction(0)], [Fraction(1)]])
    for seed in range(3):
        result = search("fiber-dimension", seed=seed, budget=Budget(time_limit=60))
        first, second = result.networks
        assert all(value(first, point) == value(second, point) for point in grid(1))


def test_a_batch_that_misses_the_supremum():
    start = time.monotonic()
    result = find("batch-misses-supremum", 2, 5, 5, 1)
    assert time.monotonic() - start < 60
    assert result.first[0].architecture == (2, 5, 5, 1)
    (network,) = result.networks
    assert len(result.points) == 2 * network.upper_bound
    rows = fractions_net.jacobian(network.to_fractions(), network.output_activation, result.points)
    assert fractions_net.rank(rows) == result.facts["rank"] < result.facts["functional_dimension"]
    assert result.facts["functional_dimension"] == dimension(network)


def test_the_batch_is_normal():
    points = find("batch-misses-supremum", 2, 5, 5, 1, keep=True).points
    table = np.array([[float(x) for x in point] for point in points])
    assert len(table) == 82
    assert abs(table.mean()) < 0.3
    assert 0.7 < table.std() < 1.3


# ------------------------------------------------------------------ the others


def test_the_upper_bound():
    for name, attained in (("attains-upper-bound", True), ("misses-upper-bound", False)):
        (network,) = find(name).networks
        assert (dimension(network) == network.upper_bound) == attained


def test_a_jump_along_a_path():
    result = find("not-semicontinuous")
    start, end = result.networks
    times = [Fraction(t) for t in result.facts["times"]]
    assert times[0] == 0
    assert all(0 < t <= Fraction(1, 4) for t in times[1:])
    values = []
    for t in times:
        theta = [(1 - t) * a + t * b for a, b in zip(start.theta(), end.theta(), strict=True)]
        assert_everywhere_smooth(Network.from_theta(start.architecture, theta))
        values.append(dimension(Network.from_theta(start.architecture, theta)))
    assert values == result.facts["functional_dimensions"]
    assert values[0] < values[1] == values[-1]
    assert result.facts["jump"] == "up"


def test_the_functional_dimension_is_lower_semicontinuous():
    """No path of these has a start above its close points: nothing else was ever found."""
    for seed in range(1, 6):
        assert find("not-semicontinuous", seed=seed).facts["jump"] == "up"


def test_a_full_dimension_without_tpic():
    result = find("full-dimension-without-tpic")
    (network,) = result.networks
    assert dimension(network) == network.upper_bound
    cells = ppl_complex.cells(network.to_fractions(), network.output_activation)
    offsets = np.cumsum([0, *network.relu_widths])
    for pair in result.facts["failing_pairs"]:
        first, second = (int(offsets[layer - 1]) + neuron for layer, neuron in pair["neurons"])
        assert pair["meet"] == any(cell.labels[first] == cell.labels[second] == 0 for cell in cells)
    assert result.facts["failing_pairs"]


def test_tpic_without_lra():
    result = find("tpic-without-lra")
    (network,) = result.networks
    cells = ppl_complex.cells(network.to_fractions(), network.output_activation)
    assert all(pair["meet"] and pair["transverse"] for pair in result.facts["pairs"])
    for pair in result.facts["pairs"]:
        point = [Fraction(x) for x in pair["point"]]
        labels = fractions_net.preactivations(network.to_fractions(), point)
        assert all(labels[layer - 1][neuron] == 0 for layer, neuron in pair["neurons"])
    one, two = ([Fraction(x) for x in point] for point in result.facts["same_map"])
    layers = network.to_fractions()
    labels = [fractions_net.ternary_tuple(layers, "identity", p) for p in (one, two)]
    assert all(0 not in row for row in labels)
    assert labels[0] != labels[1]
    differing = [k for k in range(len(labels[0])) if labels[0][k] != labels[1][k]]
    wall = tuple(0 if k in differing else label for k, label in enumerate(labels[0]))
    assert any(cell.labels == wall and cell.dimension == 1 for cell in cells)
    rows = [fractions_net.jacobian(layers, "identity", [p]) for p in (one, two)]
    assert rows  # smooth
    around = [functional_dimension.simplex_around(layers, "identity", tuple(p)) for p in (one, two)]
    values = [[value(network, p) for p in simplex] for simplex in around]
    slopes = [
        [(v[0] - simplex_values[0][0]) / (p[axis] - simplex[0][axis]) for axis, (p, v) in enumerate(rest)]
        for simplex, simplex_values in zip(around, values, strict=True)
        for rest in [list(zip(simplex[1:], simplex_values[1:], strict=True))]
    ]
    assert slopes[0] == slopes[1]


def test_signs_turned():
    first, second = find("signs-turned").networks
    assert all(value(first, point) == value(second, point) for point in grid(2))
    assert dimension(first) == first.upper_bound  # no infinitesimal symmetry shows it
    ours, theirs = ({tuple(row) for row in n.to_fractions()[1][0]} for n in (first, second))

    def positive(row):
        return tuple(x / max(map(abs, row)) for x in row)

    swaps = [lambda row: row, lambda row: row[::-1]]
    assert first.to_fractions()[0] == second.to_fractions()[0]
    # scaling a neuron of layer 1 by s scales a column: signs of entries stay, up to the order of rows and columns
    signs = [sorted(tuple((x > 0) - (x < 0) for x in swap(positive(row))) for row in ours) for swap in swaps]
    turned = sorted(tuple((x > 0) - (x < 0) for x in positive(row)) for row in theirs)
    assert turned not in signs


def test_the_average_number_of_facets_drops():
    result = find("facets-drop")
    means = []
    for network in result.networks:
        cells = ppl_complex.cells(network.to_fractions(), network.output_activation)
        n0 = network.input_dimension
        top, walls = (sum(cell.dimension == k for cell in cells) for k in (n0, n0 - 1))
        means.append(Fraction(2 * walls, top))
    after, before = means
    assert after < before
    assert {"before": str(before), "after": str(after)} == result.facts["mean_facets"]
    larger, smaller = (network.hidden_neurons for network in result.networks)
    assert larger == smaller + 1


def test_a_float_rank_that_is_wrong():
    result = find("float-rank-wrong")
    (network,) = result.networks
    assert all(Fraction(float(x)) == x for x in network.theta())
    rows = fractions_net.jacobian(network.to_fractions(), "identity", result.points)
    table = np.array([[float(x) for x in row] for row in rows])
    size = np.abs(table).max(axis=0)
    assert fractions_net.rank(rows) == result.facts["rank"]
    assert np.linalg.matrix_rank(table / np.where(size > 0, size, 1)) == result.facts["float_rank"]
    assert result.facts["rank"] != result.facts["float_rank"]


def test_chains_of_width_one_say_only_what_was_tried():
    result = search(IMPOSSIBLE, tries=300)
    assert not result.found
    assert (result.stopped, sum(result.tried.values())) == ("tries", 300)
    assert result.networks == result.first == ()
    assert result.certificate is result.network is None
    assert dimension(result.closest) == 4
    assert search(IMPOSSIBLE, architecture=(1, 1, 1), tries=300).found  # two layers attain their bound


# ------------------------------------------------------------------ where a claim makes no sense


@pytest.mark.parametrize(
    ("name", "sizes", "words"),
    [
        (IMPOSSIBLE, (1, 2, 1), "one neuron each"),
        ("hidden-symmetry", (2, 1), "at least 1 hidden layer,"),
        ("tpic-without-lra", (2, 3, 1), "at least 2 hidden layers"),
        ("full-dimension-without-tpic", (1, 2, 2, 1), "at least 2 inputs"),
        ("facets-drop", (2, 1, 1), "at least 2 neurons"),
        ("fiber-dimension", (2, 0, 1), "positive sizes"),
        ("fiber-dimension", (2,), "positive sizes"),
    ],
)
def test_architectures_that_a_claim_is_not_about(name, sizes, words):
    with pytest.raises(InputError, match=words):
        search(name, architecture=sizes)


# ------------------------------------------------------------------ parts


def test_along_path_refuses_other_architectures():
    one, other = Network([([[1]], [0])]), Network([([[1, 2]], [0])])
    with pytest.raises(InputError, match="one architecture"):
        exactfd.along_path(one, other)
    with pytest.raises(InputError, match=r"times\[1\]"):
        exactfd.along_path(one, one, [0, "x"])
