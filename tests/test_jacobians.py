"""Every way to write down the Jacobian, entry by entry, against forward differentiation in plain fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import exactfd
from exactfd.jacobians import ModularNetwork, float_jacobian
from exactfd.linalg import modular
from exactfd.rationals import to_fmpq
from exactfd.symbolic import symbolic_cell
from oracles import fractions_net
from strategies import degenerate_networks


def cases(seed, count):
    """Networks with a point inside each of a few smooth open cells, and the oracle's rows there."""
    for _, network in degenerate_networks(seed, count):
        layers, activation = network.to_fractions(), network.output_activation
        cells = exactfd.split_cells(network)
        for labels, point in list(zip(cells.labels.tolist(), cells.points, strict=True))[:3]:
            if fractions_net.is_smooth(layers, activation, labels):
                yield network, tuple(labels), point, fractions_net.jacobian(layers, activation, [point])


def fractions(matrix):
    return [[Fraction(int(e.p), int(e.q)) for e in row] for row in matrix.tolist()]


@pytest.mark.parametrize("seed", range(3))
def test_exact_rows_at_points_and_on_cells(seed):
    seen = 0
    for network, labels, point, expected in cases(300 + seed, 21):
        assert fractions(exactfd.jacobian(network, [point])) == expected
        table = fractions(exactfd.cell_jacobian(network, labels))
        size, weights = len(point) + 1, [*point, Fraction(1)]
        for output, row in enumerate(expected):  # coefficient rows, combined with (x, 1)
            part = table[output * size : (output + 1) * size]
            combined = [sum(w * r[j] for w, r in zip(weights, part, strict=True)) for j in range(len(row))]
            assert combined == row
        seen += 1
    assert seen > 20


def test_rows_modulo_a_prime():
    prime = next(modular.primes())
    for network, labels, point, expected in cases(310, 21):
        reduced = ModularNetwork.reduce(network, prime)
        if reduced is None:
            continue
        table = reduced.point_rows(np.array([labels], dtype=np.int8), [[to_fmpq(x) for x in point]])
        wanted = [[e.numerator * pow(e.denominator, -1, prime) % prime for e in row] for row in expected]
        assert (table.astype(np.int64) % prime).tolist() == wanted
        cell = reduced.cell_rows(np.array([labels], dtype=np.int8)).astype(np.int64) % prime
        exact = fractions(exactfd.cell_jacobian(network, labels))
        assert cell.tolist() == [[e.numerator * pow(e.denominator, -1, prime) % prime for e in row] for row in exact]


@pytest.mark.parametrize("layers", [[([[1]], [0])], [([[1]], [0]), ([[1]], [0])]], ids=["corner", "twice"])
def test_a_zero_neuron_is_closed_in_floats(layers):
    """At a pre-activation of exactly zero ReLU has slope 0 here, as in the experiments that this path stands for."""
    network = exactfd.Network([*layers, ([[3]], [2])])
    rows = float_jacobian(network, [[0], [1]])
    assert rows[0].tolist() == [0.0] * (2 * len(layers) + 1) + [1.0]
    assert rows[1, 1] == 3.0


def test_float_rows_at_a_smooth_point_with_a_zero_neuron():
    """relu(-1 - relu(x)) at 0: the zero neuron is behind one that is closed, and the point is smooth."""
    network = exactfd.Network([([[1]], [0]), ([[-1]], [-1]), ([[5]], [2])])
    exact = fractions_net.jacobian(network.to_fractions(), "identity", [[Fraction(0)]])
    assert float_jacobian(network, [[0]]).tolist() == [[float(x) for x in row] for row in exact]


def test_float_rows_are_the_exact_ones_rounded():
    rng = np.random.default_rng(7)
    layers = [
        (rng.standard_normal((5, 3)), rng.standard_normal(5)),
        (rng.standard_normal((4, 5)), rng.standard_normal(4)),
    ]
    network = exactfd.Network([*layers, (rng.standard_normal((2, 4)), rng.standard_normal(2))])
    points = [[Fraction(int(x), 8) for x in row] for row in rng.integers(-20, 20, (12, 3))]
    exact = fractions_net.jacobian(network.to_fractions(), "identity", points)
    np.testing.assert_allclose(float_jacobian(network, points), np.array(exact, dtype=float), rtol=1e-12, atol=1e-13)


def test_symbolic_rows_at_the_parameter():
    for network, labels, point, expected in list(cases(320, 12))[:12]:
        if network.parametric_dimension > 30:
            continue
        cell = symbolic_cell(network, labels)
        values = dict(zip(cell.parameters, network.theta(), strict=True))
        values.update(zip(cell.inputs, point, strict=True))
        table = cell.jacobian.subs(values).tolist()
        assert [[Fraction(int(e.p), int(e.q)) for e in row] for row in table] == expected
        assert "frac" not in cell.latex()


def test_modular_rows_are_the_exact_ones_modulo_the_prime():
    for network, _, point, expected in list(cases(340, 25))[:25]:
        for prime in (None, 10007, 2**23 - 15):
            found = exactfd.modular_jacobian(network, [point], prime=prime)
            wanted = [
                [entry.numerator * pow(entry.denominator, -1, found.prime) % found.prime for entry in row]
                for row in expected
            ]
            assert found.residues.tolist() == wanted
            assert found.rank() <= fractions_net.rank(expected)


def test_modular_rows_need_a_usable_prime():
    network = exactfd.Network([([["1/7"]], [0])])
    for prime in (9, 2, 2**31 - 1, 7.0):
        with pytest.raises(exactfd.InputError, match="odd prime"):
            exactfd.modular_jacobian(network, [[1]], prime=prime)
    with pytest.raises(exactfd.InputError, match="7 divides a denominator"):
        exactfd.modular_jacobian(network, [[1]], prime=7)
    with pytest.raises(exactfd.InputError, match="11 divides a denominator"):
        exactfd.modular_jacobian(network, [["1/11"]], prime=11)


def test_names_in_latex_do_not_run_together():
    network = exactfd.Network([(np.ones((12, 11)), np.ones(12)), (np.ones((1, 12)), [0])])
    cell = symbolic_cell(network, [1] * 12)
    assert "W^{(2)}_{1,12}" in cell.latex()
    assert len(set(cell.latex_names)) == len(cell.latex_names) == network.parametric_dimension
    assert cell.to_dict()["parameters"][:2] == ["W1_1_1", "W1_1_2"]
    with pytest.raises(exactfd.InputError, match=r"labels\[1\]: expected -1, 0 or 1, found 2"):
        symbolic_cell(network, [1, 2, *[1] * 10])


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.longdouble, ">f8", np.int64, object])
def test_a_network_from_arrays_is_the_one_from_their_fractions(dtype):
    rng = np.random.default_rng(4)
    layers = [(rng.normal(size=(3, 2)), rng.normal(size=3)), (rng.normal(size=(1, 3)), np.array([-0.0]))]
    arrays = [(np.round(4 * w).astype(dtype), np.round(4 * b).astype(dtype)) for w, b in layers]
    network = exactfd.Network(arrays)
    same = exactfd.Network(network.to_fractions())
    assert network == same
    assert network.stored_in_floats == same.stored_in_floats
    for one, other in zip(network.nearest_layers, same.nearest_layers, strict=True):
        assert one.dtype == np.float64
        assert one.tobytes() == other.tobytes()
    arrays[0][0][0, 0] += 1  # the network keeps nothing of the arrays
    assert network.nearest_layers[0][0, 0] == same.nearest_layers[0][0, 0]
    for prime in (8388593, 4194319):
        one, other = (exactfd.jacobians.ModularNetwork.reduce(net, prime) for net in (network, same))
        assert all((a == b).all() for a, b in zip(one.layers, other.layers, strict=True))
