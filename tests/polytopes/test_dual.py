"""Distances in the dual graph: against networkx, and where theory gives them."""

from __future__ import annotations

import networkx
import numpy as np
import pytest

import exactfd
from exactfd.budget import Budget
from exactfd.errors import BudgetExceeded, InputError
from exactfd.network import Network
from exactfd.polytopes import dual
from exactfd.polytopes.dual import dual_graph
from strategies import KINDS, degenerate_networks

COUNT = 6 * len(KINDS)


@pytest.mark.parametrize("box", [None, (-1, 1)])
@pytest.mark.parametrize(("searches", "words"), [(16, 16), (1, 1), (3, 2)])
def test_against_networkx(searches, words, box, monkeypatch):
    """By pruned searches, by many sources in one word (in blocks of one word too), and by both."""
    monkeypatch.setattr(dual, "_ROUND", searches)
    monkeypatch.setattr(dual, "_WORDS", words)
    for _, network in degenerate_networks(33, COUNT):
        if network.input_dimension > 3 and box is not None:
            continue
        whole = exactfd.canonical_complex(network, box=box)
        graph, expected = dual_graph(whole), whole.dual_graph()
        assert len(graph) == expected.number_of_nodes()
        assert graph.edges == expected.number_of_edges()
        assert graph.degrees.tolist() == [expected.degree(i) for i in range(len(graph))]
        eccentricity = networkx.eccentricity(expected)
        assert graph.eccentricities().tolist() == [eccentricity[i] for i in range(len(graph))]
        assert graph.diameter_and_radius() == (networkx.diameter(expected), networkx.radius(expected))
        lengths = networkx.single_source_shortest_path_length(expected, 0)
        assert graph.distances(0).tolist() == [lengths[i] for i in range(len(graph))]
        assert exactfd.facet_counts(whole, walls=False).tolist() == graph.degrees.tolist()


def test_one_layer_distances_are_separating_hyperplanes():
    rng = np.random.default_rng(2)
    for inputs, width in ((1, 5), (2, 6), (3, 5), (4, 6)):
        rows = rng.integers(-9, 9, (width, inputs + 1)).tolist()
        rows += [[-2 * e for e in rows[0]], rows[1]]  # the same hyperplanes again: they count once
        net = Network([([row[:-1] for row in rows], [row[-1] for row in rows]), ([[1] * (width + 2)], [0])])
        whole = exactfd.canonical_complex(net)
        labels = whole.labels(inputs)[:, :width]
        graph = dual_graph(whole)
        for source in range(len(graph)):
            assert graph.distances(source).tolist() == (labels != labels[source]).sum(axis=1).tolist()
        assert graph.diameter_and_radius()[0] == width


def test_deep_distances_are_at_least_the_separating_neurons():
    rng = np.random.default_rng(5)
    longer = 0
    for _ in range(6):
        net = Network([(rng.integers(-99, 99, (n, m)), rng.integers(-99, 99, n)) for m, n in ((2, 6), (6, 6), (6, 1))])
        whole = exactfd.canonical_complex(net)
        assert whole.supertransversal
        labels, graph = whole.labels(2), dual_graph(whole)
        for source in range(len(graph)):
            separating = (labels != labels[source]).sum(axis=1)
            assert (graph.distances(source) >= separating).all()
            longer += int((graph.distances(source) > separating).sum())
        assert graph.diameter_and_radius()[0] <= 7 * 7 - 1
    assert longer  # for deep networks the two need not agree


def test_edges_name_the_neurons_that_change():
    net = Network([([[1, 0], [-2, 0], [0, 1]], [0, 0, 0]), ([[1, 1, 1]], [-1]), ([[1]], [0])])
    graph = exactfd.canonical_complex(net).dual_graph()
    for one, other, data in graph.edges(data=True):
        first, second = graph.nodes[one]["labels"], graph.nodes[other]["labels"]
        assert data["neurons"] == tuple(i for i, (a, b) in enumerate(zip(first, second, strict=True)) if a != b)
    assert {data["neurons"] for _, _, data in graph.edges(data=True)} >= {(0, 1), (2,), (3,)}
    assert not any(data["bounded"] for _, data in graph.nodes(data=True) if set(data["labels"]) == {-1})


def test_one_polytope():
    graph = dual_graph(exactfd.canonical_complex(Network([([[1, 2]], [3])])))
    assert (len(graph), graph.edges, graph.diameter_and_radius()) == (1, 0, (0, 0))
    assert graph.eccentricities().tolist() == [0]
    with pytest.raises(InputError, match="found number 1"):
        graph.distances(1)


def test_the_clock_is_heeded():
    rng = np.random.default_rng(0)
    net = Network([(rng.integers(-99, 99, (8, 2)), rng.integers(-99, 99, 8)), ([[1] * 8], [0])])
    graph = dual_graph(exactfd.canonical_complex(net))
    for work in (graph.diameter_and_radius, graph.eccentricities):
        with pytest.raises(BudgetExceeded):
            work(budget=Budget(time_limit=1e-9))
