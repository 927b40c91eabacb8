"""Statistics over all polytopes: against PPL, closed formulas, and theorems on the mean."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings

import exactfd
from exactfd.budget import Budget
from exactfd.errors import BudgetExceeded
from exactfd.network import Network
from exactfd.polytopes.faces import (
    FacetTally,
    face_statistics,
    face_statistics_by_programs,
    facet_counts,
    layer_statistics,
)
from oracles import formulas
from strategies import KINDS, degenerate_networks, networks

pytest.importorskip("ppl", reason="the independent polyhedra need the test extra pplpy")
from oracles import ppl_complex, ppl_polytope

COUNT = 4 * len(KINDS)


@cache
def some_networks() -> tuple[tuple[str, Network], ...]:
    return tuple(degenerate_networks(61, COUNT))


def random_network(sizes, seed: int, size: int = 9999) -> Network:
    rng = np.random.default_rng(seed)
    return Network([(rng.integers(-size, size, (n, m)), rng.integers(-size, size, n)) for m, n in pairwise(sizes)])


def histograms_by_ppl(network: Network, box=None):
    """Facets of every top cell: all, the bounded ones, and those that are in no wall."""
    layers, activation, n0 = network.to_fractions(), network.output_activation, network.input_dimension
    every, bounded, inside = Counter(), Counter(), Counter()
    for cell in ppl_complex.cells(layers, activation, box):
        if cell.dimension < n0:
            continue
        rows = ppl_polytope.rows_of_cell(layers, activation, cell.labels)
        walls = ppl_polytope.box_rows(box, n0)
        facets = ppl_polytope.Polyhedron([*rows, *walls], n0).facets
        every[facets] += 1
        bounded[facets] += cell.bounded
        tight = [ppl_polytope.Polyhedron([*rows, *walls, [-e for e in wall]], n0).polyhedron for wall in walls]
        on_walls = sum(not part.is_empty() and part.affine_dimension() == n0 - 1 for part in tight)
        inside[facets - on_walls] += 1
    return every, bounded, inside


def assert_same_statistics(network: Network, box=None) -> None:
    every, bounded, inside = histograms_by_ppl(network, box)
    found = face_statistics(exactfd.canonical_complex(network, box=box))
    assert Counter(found.facets.histogram) == every
    assert Counter(found.facets.bounded) == +bounded
    assert found.top_cells == every.total()
    assert found.bounded_top_cells == bounded.total()
    inner = found.facets_without_walls if box is not None else found.facets
    assert Counter(inner.histogram) == inside
    assert sum(found.facets_by_layer) == sum(k * count for k, count in inside.items())
    programs = face_statistics_by_programs(network, box=box)
    assert programs.facets.histogram == found.facets.histogram
    assert programs.facets_by_layer == found.facets_by_layer
    assert (programs.facets_without_walls is None) == (box is None)
    assert programs.facets_without_walls is None or programs.facets_without_walls.histogram == inner.histogram


@pytest.mark.parametrize("first", range(0, COUNT, len(KINDS)))
def test_degenerate_networks(first):
    for _, network in some_networks()[first : first + len(KINDS)]:
        assert_same_statistics(network)


@pytest.mark.parametrize("first", range(0, COUNT, 2 * len(KINDS)))
def test_degenerate_networks_in_a_box(first):
    for _, network in some_networks()[first : first + len(KINDS)]:
        if network.input_dimension <= 3:
            n = network.input_dimension
            assert_same_statistics(network, ([Fraction(-1)] * n, [Fraction(0), *[Fraction(5, 3)] * (n - 1)]))


@settings(max_examples=25, deadline=None)
@given(networks(max_inputs=2))
def test_any_network(network):
    assert_same_statistics(network)


@pytest.mark.parametrize(("n", "m"), [(n, m) for m in (1, 2, 3, 4) for n in (1, 3, 6)])
def test_one_hidden_layer_by_formula(n, m):
    found = face_statistics(exactfd.canonical_complex(random_network((m, n, 1), seed=10 * n + m)))
    assert found.f_vector == formulas.f_vector(n, m)
    assert found.bounded_top_cells == formulas.bounded_regions(n, m)
    assert found.facets.mean == Fraction(2 * formulas.faces(n, m, m - 1), formulas.regions(n, m))
    assert found.facets.mean < 2 * m


@pytest.mark.parametrize(("m", "mean"), [(3, Fraction(112, 29)), (4, Fraction(11, 2))])
def test_central_arrangements(m, mean):
    rng = np.random.default_rng(m)
    net = Network([(rng.integers(-99, 99, (8, m)), [0] * 8), ([[1] * 8], [0])])
    found = face_statistics(exactfd.canonical_complex(net))
    assert found.facets.mean == mean
    assert found.bounded_top_cells == 0


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("sizes", [(2, 3, 1), (2, 7, 5, 1), (2, 4, 4, 4, 4, 1), (2, 12, 9, 2)])
def test_walls_make_the_mean_four_in_the_plane(sizes, seed):
    """Euler's formula: inner vertices have degree 4, those on a wall 3, corners 2; so the mean says nothing."""
    net = random_network(sizes, seed)
    for box in ((-1, 1), ([Fraction(-1, 7), -3], [Fraction(2, 3), Fraction(1, 5)])):
        whole = exactfd.canonical_complex(net, box=box)
        found = face_statistics(whole)
        assert found.facets.mean == 4
        assert found.walls_counted
        assert found.facets_without_walls.mean < 4
        assert found.facets.bounded == found.facets.histogram


def test_the_mean_need_not_be_four_out_of_general_position():
    net = Network([([[1, 0], [0, 1], [1, 1]], [0, 0, 0]), ([[1, 1, 1]], [0])])
    assert face_statistics(exactfd.canonical_complex(net, box=(-1, 1))).facets.mean == Fraction(10, 3)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("sizes", [(2, 9, 9, 1), (3, 7, 7, 1), (4, 5, 5, 2)])
def test_at_most_twice_the_inputs_on_average(sizes, seed):
    whole = exactfd.canonical_complex(random_network(sizes, seed))
    assert whole.generic
    assert whole.supertransversal
    assert face_statistics(whole).facets.mean <= 2 * sizes[0]


def test_mean_and_variance_by_hand():
    tally = FacetTally({2: 1, 3: 2, 7: 1}, None)
    counts = [2, 3, 3, 7]
    mean = Fraction(sum(counts), 4)
    assert tally.mean == mean
    assert tally.variance == sum((c - mean) ** 2 for c in counts) / 4
    assert (FacetTally({}, None).mean, FacetTally({}, None).variance) == (None, None)


def test_each_facet_is_shared_by_two_polytopes():
    for _, network in some_networks()[: 2 * len(KINDS)]:
        whole = exactfd.canonical_complex(network)
        assert facet_counts(whole).sum() == 2 * (whole.f_vector[-2] if whole.dimension else 0)


def test_layers():
    net = random_network((2, 5, 4, 3, 1), 1)
    first, second, third = layer_statistics(net)
    assert first.f_vector == formulas.f_vector(5, 2)
    assert third.facets.histogram == face_statistics(exactfd.canonical_complex(net)).facets.histogram
    assert third.facets_by_layer[:1] != (0,)
    assert [len(found.facets_by_layer) for found in (first, second, third)] == [1, 2, 3]


def test_facets_by_layer_where_both_layers_vanish():
    """The second layer repeats a hyperplane of the first: the facet belongs to the first."""
    net = Network([([[1, 0], [-1, 0], [0, 1]], [0, 0, 0]), ([[1, -1, 0], [1, -1, 1]], [0, -1]), ([[1, 1]], [0])])
    found = face_statistics(exactfd.canonical_complex(net))
    assert found.facets_by_layer[0] == 2 * sum(
        1 for cell in exactfd.canonical_complex(net).cells(1) if 0 in cell.labels[:3]
    )


def test_neurons_and_scales_do_not_matter():
    net = random_network((3, 5, 4, 1), 5)
    (w1, b1), second, last = net.to_fractions()
    order = [2, 0, 4, 1, 3]
    changed = Network(
        [
            ([[(i + 1) * e for e in w1[i]] for i in order], [(i + 1) * b1[i] for i in order]),
            ([[row[i] / (i + 1) for i in order] for row in second[0]], second[1]),
            last,
        ]
    )
    one, other = (face_statistics(exactfd.canonical_complex(n)).to_dict() for n in (net, changed))
    assert one == other


def test_programs_stop_with_what_they_have():
    net = random_network((3, 5, 4, 1), 5)
    with pytest.raises(BudgetExceeded) as caught:
        face_statistics_by_programs(net, budget=Budget(max_cells=7))
    partial = caught.value.partial
    assert (partial.top_cells, partial.complete) == (7, False)
    assert sum(partial.facets.histogram.values()) == 7
    assert "at least 7" in repr(partial)
