"""Networks on planes: the same labels and values at the same points, and sections of known shapes."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import exactfd
from exactfd.errors import InputError, ShapeError
from exactfd.network import Network
from exactfd.polytopes.slices import restrict, restrict_to_plane
from strategies import fractions, networks, points

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_labels_and_values_agree(data):
    net = data.draw(networks(max_inputs=4))
    n = net.input_dimension
    count = data.draw(st.integers(1, n))
    base = data.draw(points(n))
    # unit vectors in an order, with what is drawn below the diagonal: independent for sure
    order = data.draw(st.permutations(range(n)))
    directions = []
    for k in range(count):
        direction = [Fraction(0)] * n
        for j in range(k):
            direction[order[j]] = data.draw(fractions())
        direction[order[k]] = data.draw(st.sampled_from((Fraction(1), Fraction(-2, 3))))
        directions.append(direction)
    section = restrict(net, base, directions)
    assert section.architecture == (count, *net.architecture[1:])
    u = data.draw(points(count))
    x = [b + sum(c * d[i] for c, d in zip(u, directions, strict=True)) for i, b in enumerate(base)]
    assert section.ternary_tuple(u) == net.ternary_tuple(x)
    assert section.evaluate(u) == net.evaluate(x)


def test_a_cube_cut_across_its_diagonal_is_a_hexagon():
    """The six walls of [-1, 1]^3 as neurons; the plane x + y + z = 0."""
    unit = [[int(i == j) for j in range(3)] for i in range(3)]
    rows = unit + [[-e for e in row] for row in unit]
    net = Network([(rows, [1] * 6), ([[1] * 6], [0])])
    plane = restrict_to_plane(net, [[0, 0, 0], [1, -1, 0], [0, 1, -1]])
    hexagon = exactfd.polytope_at(plane, [0, 0])
    assert hexagon.f_vector == (6, 6, 1)
    assert hexagon.volume == 3  # of 12 triangles (0, 0), (1, 0), ... in the coordinates of the plane
    corners = [tuple(s * a + t * b for a, b in zip((1, -1, 0), (0, 1, -1), strict=True)) for s, t in hexagon.vertices]
    assert all(sorted(map(abs, corner)) == [0, 1, 1] for corner in corners)


def test_the_trained_digits():
    net = exactfd.load(EXAMPLES / "digits_64-32-32-10.npz")
    three = exactfd.load_points(EXAMPLES / "points" / "digits_0_1_2.json")
    plane = restrict_to_plane(net, three)
    assert [plane.evaluate(u) for u in ((0, 0), (1, 0), (0, 1))] == [net.evaluate(x) for x in three]
    found = exactfd.face_statistics(exactfd.canonical_complex(plane))
    assert found.top_cells == 1280
    assert found.facets.mean <= 4


def test_what_is_refused():
    net = Network([([[1, 2, 3]], [4]), ([[1]], [0])])
    with pytest.raises(InputError, match="on a line"):
        restrict_to_plane(net, [[0, 0, 0], [1, 1, 1], [2, 2, 2]])
    with pytest.raises(ShapeError, match="three points, found 2"):
        restrict_to_plane(net, [[0, 0, 0], [1, 1, 1]])
    with pytest.raises(ShapeError, match=r"slice point 1: .* 3 inputs, found 2"):
        restrict_to_plane(net, [[0, 0, 0], [1, 1], [2, 2, 2]])
    with pytest.raises(InputError, match="independent"):
        restrict(net, [0, 0, 0], [])
    with pytest.raises(ShapeError, match=r"directions\[0\]"):
        restrict(net, [0, 0, 0], [[1, 2]])
    with pytest.raises(InputError, match=r"base\[1\]"):
        restrict(net, [0, "nan", 0], [[1, 2, 3]])
