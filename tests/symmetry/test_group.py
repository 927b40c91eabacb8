"""The group acts as docs/certificate-v1.md says, keeps functions, and obeys the laws of a group."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exactfd import InputError, Network, Symmetry
from exactfd.errors import ShapeError
from oracles import fractions_net, orbits
from strategies import networks, points, positive_fractions


@st.composite
def symmetries(draw, widths):
    orders = [draw(st.permutations(range(n))) for n in widths]
    scales = [[draw(positive_fractions()) for _ in range(n)] for n in widths]
    return Symmetry(orders, scales)


@given(st.data())
def test_the_image_has_the_entries_of_the_formula_and_the_same_function(data):
    network = data.draw(networks())
    g = data.draw(symmetries(network.architecture[1:-1]))
    image = g.apply(network)
    layers = network.to_fractions()
    assert image.to_fractions() == orbits.image(layers, g.permutations, g.scales)
    assert image.output_activation == network.output_activation
    point = data.draw(points(network.input_dimension))
    values = [fractions_net.evaluate(n.to_fractions(), n.output_activation, point) for n in (network, image)]
    assert values[0] == values[1]


@given(st.data())
def test_the_laws_of_a_group_action(data):
    network = data.draw(networks())
    widths = network.architecture[1:-1]
    g, h, k = (data.draw(symmetries(widths)) for _ in range(3))
    one = Symmetry.identity(network.architecture)
    assert (g @ h).apply(network) == g.apply(h.apply(network))
    assert (g @ h) @ k == g @ (h @ k)
    assert g @ one == one @ g == g
    assert g @ g.inverse() == g.inverse() @ g == one
    assert g.inverse().apply(g.apply(network)) == network
    assert one.apply(network) == network
    assert Symmetry(**g.to_dict()) == g


def test_values_are_hashable_and_exact():
    g = Symmetry([[1, 0]], [["1/3", 0.1]])
    assert g.scales == ((Fraction(1, 3), Fraction(0.1)),)
    assert len({g, Symmetry(((1, 0),), ((Fraction(1, 3), Fraction(0.1)),))}) == 1
    assert repr(g) == "Symmetry(widths (2,): 2 neurons moved, 2 rescaled)"


@pytest.mark.parametrize(
    ("permutations", "scales", "message"),
    [
        ([[0, 0]], [[1, 1]], "hidden layer 1: expected a permutation of 0, ..., 1"),
        ([[0], [1, 2]], [[1], [1, 1]], "hidden layer 2: expected a permutation"),
        ([["a"]], [[1]], "expected a permutation"),
        ([[0.0]], [[1]], "expected a permutation"),
        ([[0]], [[0]], "expected a positive number"),
        ([[0]], [[-2]], "expected a positive number"),
        ([[0]], [[float("nan")]], "finite"),
        ([[0]], [[1, 1]], "as many scales"),
        ([[0]], [], "as many scales"),
    ],
)
def test_what_is_no_element_is_refused(permutations, scales, message):
    with pytest.raises(InputError, match=message):
        Symmetry(permutations, scales)


def test_widths_that_do_not_fit_are_refused():
    g = Symmetry([[1, 0]], [[1, 1]])
    with pytest.raises(ShapeError, match=r"hidden widths \(2,\)"):
        g.apply(Network([([[1]], [0])]))
    with pytest.raises(ShapeError, match="same hidden widths"):
        _ = g @ Symmetry([[0]], [[1]])
