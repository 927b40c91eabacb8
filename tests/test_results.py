"""What every result can do: one line, a dictionary of JSON values, HTML, saving and reopening, conversions."""

from __future__ import annotations

import json
import pickle
from fractions import Fraction

import numpy as np
import pytest
import sympy
from flint import fmpq, fmpq_mat, fmpz_mat

import exactfd
from exactfd.polytopes.sampling import float_hit_and_run


def network() -> exactfd.Network:
    return exactfd.Network([([[2], [-1]], [-5, 4]), ([[1, 1]], [1])], output_activation="relu")


def results():
    net = network()
    yield exactfd.functional_dimension(net)
    yield exactfd.functional_dimension(net, budget=exactfd.Budget(time_limit=1e-9))
    yield exactfd.batch_functional_dimension(net, [[0], [1], [5]])
    yield exactfd.batch_functional_dimension(net, [[0]], budget=exactfd.Budget(time_limit=1e-9))
    yield exactfd.locate(net, ["5/2"])
    yield exactfd.symbolic_cell(net, (1, -1, 1))
    yield exactfd.canonical_complex(net)
    yield exactfd.canonical_complex(net, box=(0, 1))
    yield from exactfd.canonical_complex(net, box=(0, 5)).cells()
    yield exactfd.split_cells(net)
    yield exactfd.top_cells(net)
    yield exactfd.region_counts(net)
    yield float_hit_and_run(net, box=(0, 5), points=5, steps=2)
    yield exactfd.polytope_at(net, [10])
    yield exactfd.face_statistics(exactfd.canonical_complex(net, box=(0, 5)), simplices=True)
    yield exactfd.face_statistics_by_programs(net)
    yield exactfd.dual_graph(exactfd.canonical_complex(net))
    yield from exactfd.network_bounds(net)


@pytest.mark.parametrize("result", list(results()), ids=lambda r: type(r).__name__)
def test_results(result):
    assert "\n" not in repr(result)
    assert len(repr(result)) < 200
    assert json.loads(json.dumps(result.to_dict())) == result.to_dict()
    assert result._repr_html_()
    again = pickle.loads(pickle.dumps(result))
    assert again.to_dict() == result.to_dict()


def test_results_carry_their_certificates():
    net = network()
    whole = exactfd.functional_dimension(net)
    verdict = whole.certificate.check()
    assert verdict.valid
    assert verdict.claim.startswith("dim_fun(theta) = 5")
    assert whole.certificate is whole.certificate
    batch = exactfd.batch_functional_dimension(net, [[0], [1], [5]])
    assert batch.certificate.check().valid
    cut = exactfd.batch_functional_dimension(net, [[0], [1]], budget=exactfd.Budget(time_limit=1e-9))
    assert cut.certificate.claim["relation"] == ">="
    assert cut.certificate.check().valid


def test_matrices_convert_in_one_call():
    matrix = exactfd.jacobian(network(), [["7/2"], ["1/3"]])
    fractions = exactfd.to_fractions(matrix)
    assert fractions[0][:2] == [Fraction(7, 2), Fraction(1)]
    assert exactfd.to_numpy(matrix).dtype == np.float64
    assert exactfd.to_numpy(matrix).tolist() == [[float(entry) for entry in row] for row in fractions]
    assert exactfd.to_sympy(matrix)[0, 0] == sympy.Rational(7, 2)
    empty = exactfd.jacobian(network(), [])
    assert exactfd.to_numpy(empty).shape == exactfd.to_sympy(empty).shape == (0, 7)
    assert exactfd.to_fractions(empty) == []
    tiny = fmpq_mat([[fmpq(1, 3**1000), fmpq(3**1000)]])
    assert exactfd.to_numpy(tiny).tolist() == [[0.0, float("inf")]]


def test_a_saved_complex_is_the_whole_complex():
    net = exactfd.Network(
        [([[1, 0], [0, 1], [1, 1]], [0, 0, -1]), ([[1, 1, -1], [2, -1, "1/3"]], [0, 1]), ([[1, 1]], [0])]
    )
    whole = exactfd.canonical_complex(net)
    again = pickle.loads(pickle.dumps(whole))
    assert again.f_vector == whole.f_vector
    assert [cell.to_dict() for cell in again.cells()] == [cell.to_dict() for cell in whole.cells()]
    assert [cell.vertices() for cell in again.cells(2)] == [cell.vertices() for cell in whole.cells(2)]
    assert again.cell_containing([3, "1/7"]).labels == whole.cell_containing([3, "1/7"]).labels


def test_matrices_can_be_saved():
    for matrix in (fmpq_mat([[fmpq(1, 3), 2]]), fmpq_mat(0, 4), fmpz_mat([[10**40], [-1]]), fmpz_mat(3, 0)):
        again = pickle.loads(pickle.dumps(matrix))
        assert (type(again), again.nrows(), again.ncols()) == (type(matrix), matrix.nrows(), matrix.ncols())
        assert again == matrix


def test_cells_compare_by_identity_and_names_are_listed_once():
    cells = exactfd.top_cells(network())
    assert (cells == cells, cells == pickle.loads(pickle.dumps(cells))) == (True, False)
    assert len(dir(exactfd)) == len(set(dir(exactfd)))
    assert "functional_dimension" in dir(exactfd)
