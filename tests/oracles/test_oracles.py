"""The oracles themselves, on numbers that papers print or that a pencil finds."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import combinations, pairwise
from pathlib import Path

import pytest

from oracles import formulas, fractions_net, functional_dimension, ppl_complex

WITNESSES = json.loads((Path(__file__).parents[1] / "data" / "witnesses.json").read_text())["witnesses"]


def layers_of(*augmented):
    """Layers from augmented matrices ``[W | b]``."""
    return [([[Fraction(e) for e in row[:-1]] for row in a], [Fraction(row[-1]) for row in a]) for a in augmented]


def points_of(*values):
    return [(Fraction(value),) for value in values]


EXAMPLE = layers_of([[2, -5], [-1, 4]], [[1, 1, 1]])  # arXiv 2209.04036, Example 1.1, ReLU output
FIBER_ONE = layers_of([[1, 0]], [[-1, -1], [-1, -2]], [[1, 1, -1]])
FIBER_TWO = layers_of([[1, 0]], [[1, 1], [1, 2]], [[1, -1, 0]])


def test_evaluation_and_labels():
    assert fractions_net.theta(EXAMPLE) == [2, -5, -1, 4, 1, 1, 1]
    assert fractions_net.evaluate(EXAMPLE, "relu", (Fraction(0),)) == [5]
    assert fractions_net.evaluate(EXAMPLE, "relu", (Fraction(5),)) == [6]
    assert fractions_net.ternary_tuple(EXAMPLE, "relu", (Fraction(5, 2),)) == (0, 1, 1)
    assert fractions_net.ternary_tuple(EXAMPLE, "identity", (Fraction(5, 2),)) == (0, 1)
    assert fractions_net.evaluate(layers_of([[1, -2]]), "relu", (Fraction(0),)) == [0]
    assert fractions_net.evaluate(layers_of([[1, -2]]), "identity", (Fraction(0),)) == [-2]


def test_jacobian_by_hand():
    # At x = 5 only the first neuron is active: F = w (2x - 5) + 1.
    assert fractions_net.jacobian(EXAMPLE, "relu", points_of(5)) == [[5, 1, 0, 0, 5, 0, 1]]
    # At x = 3 both are: pre-activations 1 and 1.
    assert fractions_net.jacobian(EXAMPLE, "relu", points_of(3)) == [[3, 1, 3, 1, 1, 1, 1]]


def test_jacobian_against_exact_differences():
    """F is a polynomial of degree <= 1 in each single parameter inside a cell, so small differences are exact."""
    layers = layers_of([[1, 2, -1], [-3, 1, 2]], [[2, -1, 1], [1, 1, -1]], [[1, -2, 3], [5, 1, 0]])
    point = (Fraction(1, 3), Fraction(1, 7))
    row_by_row = fractions_net.jacobian(layers, "identity", [point])
    step = Fraction(1, 10**9)
    flat = fractions_net.theta(layers)
    for index in range(len(flat)):
        moved = list(flat)
        moved[index] += step
        entries = iter(moved)
        perturbed = []
        for weight, bias in layers:
            rows = [[next(entries) for _ in range(len(weight[0]) + 1)] for _ in bias]
            perturbed.append(([row[:-1] for row in rows], [row[-1] for row in rows]))
        before = fractions_net.evaluate(layers, "identity", point)
        after = fractions_net.evaluate(perturbed, "identity", point)
        for output in range(2):
            assert (after[output] - before[output]) / step == row_by_row[output][index]


@pytest.mark.parametrize(("batch", "rank"), [((0, 1, 2), 2), ((0, 3, 5), 3), ((0, 1, 5, 6), 4), ((1, 2, 3, 5, 6), 5)])
def test_batch_ranks_of_example(batch, rank):
    assert fractions_net.rank(fractions_net.jacobian(EXAMPLE, "relu", points_of(*batch))) == rank


def test_dimension_and_kernel_of_example():
    rows = functional_dimension.stacked_jacobian(EXAMPLE, "relu")
    assert fractions_net.rank(rows) == 5
    expected = [[2, -5, 0, 0, -1, 0, 0], [0, 0, -1, 4, 0, -1, 0]]
    assert fractions_net.same_span(fractions_net.kernel(rows, 7), expected)


def test_one_fiber_two_dimensions():
    for x in (-3, Fraction(-1, 2), 0, Fraction(1, 2), 4):
        assert fractions_net.evaluate(FIBER_ONE, "identity", (Fraction(x),)) == [-1]
        assert fractions_net.evaluate(FIBER_TWO, "identity", (Fraction(x),)) == [-1]
    assert functional_dimension.functional_dimension(FIBER_ONE, "identity") == 1
    assert functional_dimension.functional_dimension(FIBER_TWO, "identity") == 2


@pytest.mark.parametrize("t", [Fraction(-2), Fraction(0), Fraction(1, 3), Fraction(7)])
def test_hidden_one_parameter_family(t):
    layers = layers_of([[1, -t], [-1, t]], [[1, -1, t]])
    assert fractions_net.evaluate(layers, "identity", (Fraction(11, 5),)) == [Fraction(11, 5)]
    assert functional_dimension.functional_dimension(layers, "identity") == 4


@pytest.mark.parametrize("witness", WITNESSES, ids=lambda w: "-".join(map(str, w["architecture"])))
def test_witnesses(witness):
    layers = layers_of(*witness["layers"])
    n0 = witness["architecture"][0]
    found = ppl_complex.cells(layers, "identity")
    assert sum(cell.dimension == n0 for cell in found) == witness["top_cells"]
    assert functional_dimension.functional_dimension(layers, "identity") == witness["functional_dimension"]


def test_smoothness_by_paths():
    two_layers = layers_of([[1, 0], [1, 0]], [[1, 1, 0]], [[1, 0]])
    assert fractions_net.is_smooth(two_layers, "identity", (1, 1, 1))
    assert not fractions_net.is_smooth(two_layers, "identity", (0, 1, 1))
    assert fractions_net.is_smooth(two_layers, "identity", (0, 1, -1))  # masked by the neuron behind it
    assert not fractions_net.is_smooth(two_layers, "identity", (1, 1, 0))
    assert not fractions_net.is_smooth(two_layers, "identity", (0, 0, 0))
    # A ReLU on the output masks everything, and is itself a place to break.
    assert fractions_net.is_smooth(two_layers, "relu", (0, 0, 0, -1))
    assert not fractions_net.is_smooth(two_layers, "relu", (1, 1, 1, 0))
    # Weights do not matter: the outgoing weight of the first neuron is zero, its neighbours' are not.
    silent = layers_of([[1, 0], [1, 0]], [[0, 1, 0]])
    assert not fractions_net.is_smooth(silent, "identity", (0, 1))
    with pytest.raises(fractions_net.NotSmooth):
        fractions_net.jacobian(silent, "identity", points_of(0))


def test_elimination():
    rows = [[Fraction(e) for e in row] for row in ([1, 2, 3, 4], [2, 4, 6, 8], [0, 0, 1, 1], [1, 2, 4, 5])]
    assert fractions_net.rank(rows) == 2
    basis = fractions_net.kernel(rows, 4)
    assert len(basis) == 2
    assert fractions_net.rank(basis) == 2
    assert all(sum(a * b for a, b in zip(row, v, strict=True)) == 0 for row in rows for v in basis)
    assert fractions_net.kernel([], 2) == [[1, 0], [0, 1]]
    assert fractions_net.rank([]) == 0
    assert fractions_net.determinant([[2, 1], [7, 4]]) == 1
    assert fractions_net.determinant([[1, 2, 3], [4, 5, 6], [7, 8, 10]]) == -3
    assert not fractions_net.same_span([[1, 0]], [[0, 1]])


# ------------------------------------------------------------------ complexes


def test_complex_on_the_line():
    found = {cell.labels: cell for cell in ppl_complex.cells(EXAMPLE, "identity")}
    assert {key: (cell.dimension, cell.bounded) for key, cell in found.items()} == {
        (-1, 1): (1, False),
        (0, 1): (0, True),
        (1, 1): (1, True),
        (1, 0): (0, True),
        (1, -1): (1, False),
    }


def test_identically_vanishing_labels_are_kept():
    """A zero row gives the label 0 on cells of full dimension."""
    zero_row = layers_of([[0, 0, 0], [1, 0, 0]], [[1, 1, 0]])
    found = {cell.labels: cell.dimension for cell in ppl_complex.cells(zero_row, "identity")}
    assert found == {(0, -1): 2, (0, 0): 1, (0, 1): 2}


def test_labels_of_the_points_found():
    layers = layers_of([[1, 2, -1], [-3, 1, 2], [1, 1, 0]], [[2, -1, 1, -1], [1, 1, -1, 0]], [[1, -2, 3]])
    for output_activation in ("identity", "relu"):
        found = ppl_complex.cells(layers, output_activation)
        assert len({cell.labels for cell in found}) == len(found)
        for cell in found:
            assert fractions_net.ternary_tuple(layers, output_activation, cell.point) == cell.labels
        assert ppl_complex.euler_characteristic(found) == 1


def test_no_relu_neuron_is_one_cell():
    (cell,) = ppl_complex.cells(layers_of([[1, 2, 3, 4]]), "identity")
    assert (cell.labels, cell.dimension, cell.bounded) == ((), 3, False)


def test_closed_box_without_hyperplanes_through_it():
    box = ((Fraction(0), Fraction(0)), (Fraction(1), Fraction(2)))
    found = ppl_complex.cells(layers_of([[1, 1, 10]], [[1, 0]]), "identity", box)
    assert ppl_complex.f_vector(found, 2) == (4, 4, 1)
    assert ppl_complex.euler_characteristic(found) == 1
    assert all(cell.labels == (1,) and cell.bounded for cell in found)
    assert {cell.walls for cell in found if cell.dimension == 2} == {(0, 0)}
    assert {cell.walls for cell in found if cell.dimension == 0} == {(-1, -1), (-1, 1), (1, -1), (1, 1)}


def test_closed_box_cut_by_a_diagonal():
    box = ((Fraction(0), Fraction(0)), (Fraction(1), Fraction(1)))
    found = ppl_complex.cells(layers_of([[1, -1, 0]], [[1, 0]]), "identity", box)
    assert ppl_complex.f_vector(found, 2) == (4, 5, 2)


@pytest.mark.parametrize(("n", "m"), [(n, m) for m in (1, 2, 3) for n in range(1, 6)])
def test_formulas_against_ppl(n, m):
    """Hyperplanes on the moment curve, in general position by Vandermonde (checked all the same)."""
    rows = [[Fraction(t) ** k for k in range(1, m + 1)] + [Fraction(t) ** (m + 1)] for t in range(1, n + 1)]
    for size in range(1, m + 2):
        for chosen in combinations(rows, size):
            assert fractions_net.rank(chosen) == size
            assert fractions_net.rank([row[:-1] for row in chosen]) == min(size, m)
    layers = [([row[:-1] for row in rows], [row[-1] for row in rows]), ([[Fraction(1)] * n], [Fraction(0)])]
    found = ppl_complex.cells(layers, "identity")
    assert ppl_complex.f_vector(found, m) == formulas.f_vector(n, m)
    for k in range(m + 1):
        assert sum(cell.bounded for cell in found if cell.dimension == k) == formulas.bounded_faces(n, m, k)
    assert ppl_complex.euler_characteristic(found) == (-1) ** m


def test_formulas_by_hand():
    assert formulas.f_vector(3, 2) == (3, 9, 7)
    assert formulas.bounded_regions(3, 2) == 1
    assert formulas.f_vector(1, 3) == (0, 0, 1, 2)
    assert [a < b for a, b in pairwise(formulas.regions(n, 5) for n in range(13))] == [True] * 12
    assert formulas.bounded_faces(3, 2, 0) == 3
