"""Splitting trees from a known complex: from its vertices, from programs alone, and without a complex."""

from __future__ import annotations

import json

import pytest

import exactfd
from exactfd.certificates import complex_trees, dimension_certificate, ranks
from exactfd.certificates.complex_trees import ComplexTree
from exactfd.check import check_document
from exactfd.errors import InternalError
from strategies import degenerate_networks


def networks(seed, count=20):
    for kind, network in degenerate_networks(seed, count):
        result = exactfd.functional_dimension(network)
        if result.hidden_kernel:
            yield kind, network, result


def assert_proved(certificate):
    assert "tree" in certificate.evidence["upper"]
    verdict = check_document(json.loads(certificate.dumps()))
    assert verdict.valid, verdict.reason


def test_programs_replace_vertices(monkeypatch):
    """Nothing is lost where no vertex gives a combination."""
    monkeypatch.setattr(ComplexTree, "_combination", lambda *_: None)
    for _, _, result in networks(6100):
        assert_proved(dimension_certificate(result))


def test_a_wrong_choice_of_vertices_is_mended(monkeypatch):
    def zeros(cells):
        return 0.0 * preactivations(cells)

    preactivations = complex_trees._preactivations
    monkeypatch.setattr(complex_trees, "_preactivations", zeros)
    for _, _, result in networks(6200):
        assert_proved(dimension_certificate(result))


def test_without_a_complex(monkeypatch):
    monkeypatch.setattr(ranks, "is_small", lambda _: False)
    for _, network, _ in networks(6300):
        assert_proved(dimension_certificate(exactfd.functional_dimension(network, algorithm="splitting")))


def test_tiny_and_huge_numbers():
    """Floats see nothing here."""
    small, large = "1/" + "1" * 320, "7" * 330
    network = exactfd.Network.from_arrays(
        [
            ([[small, 0], [0, large], [1, 1]], [small, 1, large]),
            ([[1, 1, large], [small, 1, 1]], [1, 1]),
            ([[1, 1]], [0]),
        ]
    )
    assert_proved(dimension_certificate(exactfd.functional_dimension(network)))


def test_a_missing_cell_is_an_error():
    """The tree of an incomplete list is never written."""
    network = exactfd.Network.from_arrays([([[1, 0], [0, 1], [1, 1]], [0, 0, -1]), ([[1, 1, -1]], [0])])
    cells = exactfd.canonical_complex(network)
    tree = ComplexTree(cells, "open")
    tree._table = tree._table[:-1]
    tree._labels.pop()
    with pytest.raises(InternalError):
        tree.build()


def test_budgets_end_it():
    cells = exactfd.canonical_complex(exactfd.Network.from_arrays([([[1], [1]], [0, 1]), ([[1, 1]], [0])]))
    with pytest.raises(exactfd.BudgetExceeded):
        ComplexTree(cells, "open", budget=exactfd.Budget(time_limit=1e-9)).build()
