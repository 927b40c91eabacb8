"""Bounds against brute force over their own definitions, known values, and networks."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, product
from math import comb, prod

import numpy as np
import pytest

import exactfd
from exactfd.errors import InputError
from exactfd.geometry.transversality import is_simple
from exactfd.network import Network
from exactfd.polytopes import bounds
from oracles import formulas, fractions_net
from strategies import degenerate_networks

SIZES = [(2, (3, 3)), (2, (2, 2)), (1, (2, 3, 2)), (3, (5, 2, 4)), (4, (3, 6)), (9, (2, 2)), (2, (1, 3)), (3, (4,))]


def serra_by_definition(inputs, widths):
    total = 0
    for chosen in product(*[range(n + 1) for n in widths]):
        left = [n - j for n, j in zip(widths, chosen, strict=True)]
        limits = [min([inputs, n, *left[:i]]) for i, n in enumerate(widths)]
        if all(j <= limit for j, limit in zip(chosen, limits, strict=True)):
            total += prod(comb(n, j) for n, j in zip(widths, chosen, strict=True))
    return total


def test_serra_known_values():
    assert bounds.serra_upper(2, (3, 3)) == 40
    assert bounds.montufar_2017(2, (3, 3)) == 49
    assert bounds.serra_upper(784, (11, 11)) == 2449868
    assert bounds.serra_upper(2, (2, 2)) == 11


@pytest.mark.parametrize(("inputs", "widths"), SIZES)
def test_upper_bounds_by_definition(inputs, widths):
    assert bounds.serra_upper(inputs, widths) == serra_by_definition(inputs, widths)
    assert bounds.hinz_van_de_geer(inputs, widths) == serra_by_definition(inputs, widths)
    smallest = [min((inputs, *widths[:i])) for i in range(len(widths))]
    expected = prod(formulas.regions(n, m) for n, m in zip(widths, smallest, strict=True))
    assert bounds.montufar_2017(inputs, widths) == expected
    assert bounds.hinz_van_de_geer(inputs, widths, histogram="full") == expected
    assert bounds.serra_upper(inputs, widths) <= expected <= 2 ** sum(widths)


def test_the_serra_bound_is_reached():
    net = Network([([[1, 0], [0, 1]], [0, 0]), ([[1, 2], [2, 1]], [-2, -2]), ([[1, 1]], [0])])
    assert exactfd.canonical_complex(net).top_cells == 11 == bounds.serra_upper(2, (2, 2))


def test_lower_bounds_by_hand():
    assert bounds.montufar_2014(2, (4, 4)) == (4 // 2) ** 2 * (1 + 4 + 6)
    assert bounds.montufar_2014(2, (5,)) == bounds.serra_lower(2, (6,)) - 6 == 16
    assert bounds.serra_lower(1, (3, 3)) == 16  # every neuron folds: (3 + 1)(3 + 1)
    for widths in ((3, 3), (4, 6), (6, 6, 6)):
        for inputs in (1, 2):
            if min(widths) >= 3 * inputs:
                assert bounds.montufar_2014(inputs, widths) <= bounds.serra_lower(inputs, widths)
                assert bounds.serra_lower(inputs, widths) <= bounds.serra_upper(inputs, widths)
    with pytest.raises(InputError, match="at least 3"):
        bounds.montufar_2014(3, (2, 4))
    with pytest.raises(InputError, match="at least 6"):
        bounds.serra_lower(2, (5, 6))


def test_the_lower_bound_of_serra_is_reached_on_the_line():
    """The zigzag with three neurons (4 pieces), folded into itself: 16 regions."""
    zigzag = ([[3], [6], [6]], [0, -2, -4])
    folded = ([[3 * e for e in (1, -1, 1)], [6 * e for e in (1, -1, 1)], [6 * e for e in (1, -1, 1)]], [0, -2, -4])
    net = Network([zigzag, folded, ([[1, -1, 1]], [0])])
    assert exactfd.canonical_complex(net).top_cells <= bounds.regions_on_a_line((3, 3)) == bounds.serra_lower(1, (3, 3))


@pytest.mark.parametrize(("n", "m"), [(n, m) for n in range(9) for m in range(1, 5)])
def test_affine_formulas_against_the_other_ones(n, m):
    assert [bounds.affine_faces(n, m, k) for k in range(m + 1)] == list(formulas.f_vector(n, m))
    assert [bounds.affine_bounded_faces(n, m, k) for k in range(m + 1)] == [
        formulas.bounded_faces(n, m, k) for k in range(m + 1)
    ]
    central = [bounds.central_faces(n, m, k) for k in range(m + 1)]
    assert sum((-1) ** k * f for k, f in enumerate(central)) == (-1) ** m  # Euler characteristic of all of space
    # slice a central arrangement at height 1 and -1 along one hyperplane more: an affine one, twice, and the hyperplane
    if n >= 1:
        for k in range(1, m + 1):
            section = 2 * bounds.affine_faces(n - 1, m - 1, k - 1)
            rest = bounds.central_faces(n - 1, m - 1, k) if k < m else 0
            assert central[k] == section + rest


@pytest.mark.parametrize(("n", "m"), [(1, 3), (2, 3), (3, 3), (6, 3), (5, 4), (7, 2)])
def test_central_formula_against_complexes(n, m):
    rng = np.random.default_rng(n + m)
    net = Network([(rng.integers(-99, 99, (n, m)), [0] * n), ([[1] * n], [0])])
    whole = exactfd.canonical_complex(net)
    assert whole.f_vector == tuple(bounds.central_faces(n, m, k) for k in range(m + 1))
    assert is_simple(net.augmented(1), central=True)


def test_means_tend_to_their_limits():
    for m in (2, 3, 4):
        affine = [bounds.arrangement_mean_facets(n, m) for n in (10, 100, 1000, 100000)]
        central = [bounds.arrangement_mean_facets(n, m, central=True) for n in (10, 100, 1000, 100000)]
        assert affine == sorted(affine)
        assert 2 * m - Fraction(1, 1000) < affine[-1] < 2 * m
        assert 2 * (m - 1) - Fraction(1, 1000) < central[-1] <= 2 * (m - 1)
    assert bounds.arrangement_mean_facets(8, 3, central=True) == Fraction(112, 29)
    assert bounds.arrangement_mean_facets(8, 4, central=True) == Fraction(11, 2)


def test_every_degenerate_network_obeys():
    for _, network in degenerate_networks(7, 126):
        if network.input_dimension > 3:
            continue
        whole = exactfd.canonical_complex(network)
        diameter, _ = exactfd.dual_graph(whole).diameter_and_radius()
        found = exactfd.face_statistics(whole)
        exact = {
            "regions": found.top_cells,
            "bounded_regions": found.bounded_top_cells,
            "mean_facets": found.facets.mean,
            "diameter": diameter,
        }
        regular = bool(whole.generic and whole.supertransversal)
        for bound in bounds.network_bounds(network, supertransversal=regular):
            value = exact[bound.quantity]
            if bound.kind == "upper" and bound.value is not None:
                assert value <= bound.value, bound
            if bound.kind == "exact" and bound.value is not None:
                assert value == bound.value, bound
            assert (bound.value is None) == (not bound.holds)


def is_simple_by_ranks(rows, m, *, central=False):
    normals = [row[:m] for row in rows]
    small = all(
        fractions_net.rank([normals[i] for i in part]) == min(len(rows), m)
        for part in combinations(range(len(rows)), min(len(rows), m))
    )
    if central:
        return small and not any(row[m] for row in rows)
    large = all(fractions_net.rank([rows[i] for i in part]) == m + 1 for part in combinations(range(len(rows)), m + 1))
    return small and large


def test_simple_arrangements_by_ranks():
    verdicts = set()
    for _, network in degenerate_networks(17, 252):
        rows, m = [[*w, b] for w, b in zip(*network.to_fractions()[0], strict=True)], network.input_dimension
        for central in (False, True):
            verdict = is_simple(network.augmented(1), central=central)
            assert verdict == is_simple_by_ranks(rows, m, central=central)
            verdicts.add((central, verdict))
    assert len(verdicts) == 4


def test_hypotheses_are_checked():
    parallel = Network([([[1, 0], [1, 0], [0, 1]], [0, 1, 0]), ([[1, 1, 1]], [0])])
    found = {(b.name, b.quantity): b for b in bounds.network_bounds(parallel)}
    assert found["Zaslavsky", "regions"].holds is False
    assert found["Zaslavsky", "regions"].value is None
    deep = bounds.known_bounds(3, (2, 9), whole_space=False, supertransversal=True)
    assert {b.name for b in deep if b.kind == "exact"} == set()
    assert {b.name: b.holds for b in deep if b.quantity == "mean_facets"} == {"2 n_0": False, "2 (n_0 - 1)": False}
    assert [b.holds for b in deep if b.kind == "reached"] == [False, False]
    with pytest.raises(InputError):
        bounds.known_bounds(0, (2,))
    with pytest.raises(InputError):
        bounds.affine_faces(3, 2, 3)
    with pytest.raises(InputError, match="binomial"):
        bounds.hinz_van_de_geer(2, (3,), histogram="other")


def test_without_relu_neurons_there_is_one_region():
    for function in (bounds.montufar_2014, bounds.montufar_2017, bounds.serra_lower, bounds.serra_upper):
        assert function(3, ()) == 1
    assert bounds.hinz_van_de_geer(3, ()) == bounds.regions_on_a_line(()) == 1
