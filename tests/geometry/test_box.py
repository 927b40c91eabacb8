"""Boxes: pairs of numbers or of sequences, exactly."""

from fractions import Fraction

import pytest

import exactfd
from exactfd.errors import ExactFDError
from exactfd.geometry.box import parse_box
from exactfd.geometry.start import Walls, cube


def test_one_box_in_several_ways():
    """Two plain numbers are remembered; 1, 1.0 and Fraction(1) are the same box, in whatever order they come."""
    expected = ((Fraction(-1), Fraction(-1)), (Fraction(1, 2), Fraction(1, 2)))
    for box in [(-1, 0.5), (-1.0, 0.5), [-1, "1/2"], (Fraction(-1), [0.5, "1/2"]), (-1, 0.5)]:
        assert parse_box(box, 2) == expected
    assert parse_box((-1, 0.5), 1) == ((Fraction(-1),), (Fraction(1, 2),))
    assert parse_box((-0.1, 0.1), 1)[1] == (Fraction(0.1),) != (Fraction(1, 10),)


@pytest.mark.parametrize("box", [(1, 0), (0, 0.0), (float("nan"), 1), (0, float("inf")), (True, 2), (1, 2, 3), (), 5])
def test_no_box(box):
    parse_box((0, 1), 2)
    for _ in range(2):
        with pytest.raises(ExactFDError):
            parse_box(box, 2)


def test_what_is_kept_for_a_box_is_that_of_this_box():
    for low, high in [(0, 1), (-2, 3), (0, 1), (-0.5, 0.25)]:
        walls = Walls.of(parse_box((low, high), 2))
        corners = {tuple(Fraction(x, row[-1]) for x in row[:-1]) for row in cube(walls).generators}
        assert corners == {(Fraction(x), Fraction(y)) for x in (low, high) for y in (low, high)}
    network = exactfd.Network([([[1, 0], [0, 1]], ["-1/2", "1/4"]), ([[1, 1]], [0])])
    counts = [exactfd.canonical_complex(network, box=box).top_cells for box in ((0, 1), (-2, 3), (1, 2), (0, 1))]
    assert counts == [2, 4, 1, 2]
