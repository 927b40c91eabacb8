"""Points inside cells: where they are, by plain fractions; floats that prove it never prove too much."""

from __future__ import annotations

import pickle
import random
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings

import exactfd
from exactfd import rationals
from exactfd.budget import Budget
from exactfd.errors import BudgetExceeded, InputError
from exactfd.geometry import interior
from exactfd.geometry import skeleton as skeleton_module
from exactfd.geometry.homogeneous import homogenise
from exactfd.geometry.location import certainly_have
from exactfd.geometry.skeleton import NotSimple, Skeleton
from exactfd.geometry.top import top_cells
from exactfd.network import Network
from oracles import fractions_net
from strategies import degenerate_networks, networks


def gaussian(sizes, seed):
    rng = np.random.default_rng(seed)
    return Network([(rng.normal(size=(n, m)), rng.normal(size=n)) for m, n in pairwise(sizes)])


def labels_at(network, point):
    return fractions_net.ternary_tuple(network.to_fractions(), network.output_activation, point)


def assert_points_are_inside(network, box=None):
    """Of every cell of every dimension; labels tell a cell, and in a box walls do."""
    whole = exactfd.canonical_complex(network, box=box)
    for k in range(network.input_dimension + 1):
        if not whole.f_vector[k]:
            continue
        for point, labels, walls in zip(whole.interior_points(k), whole.labels(k), whole.walls(k), strict=True):
            assert labels_at(network, point) == tuple(labels)
            if box is not None:
                assert [(x == box[1]) - (x == box[0]) for x in point] == list(walls)
                assert all(box[0] <= x <= box[1] for x in point)
    return whole


@pytest.mark.parametrize("seed", range(4))
def test_every_cell_of_degenerate_networks(seed):
    for number, (_, network) in enumerate(degenerate_networks(900 + seed, 84)):
        assert_points_are_inside(network, (Fraction(-4, 3), Fraction(7, 5)) if number % 3 == 0 else None)


@settings(deadline=None, max_examples=60)
@given(networks(max_inputs=3))
def test_every_cell_of_drawn_networks(network):
    assert_points_are_inside(network)


@pytest.mark.parametrize("sizes", [(1, 9, 9, 1), (2, 9, 8, 7, 2), (3, 7, 6, 1), (4, 6, 5, 1), (5, 6, 3, 1)])
def test_random_networks_have_short_points(sizes):
    network = gaussian(sizes, 3)
    whole = assert_points_are_inside(network)
    points = list(whole.interior_points(sizes[0]))
    assert max(x.denominator for point in points for x in point) <= 2**52
    assert sum(max(x.denominator for x in point) <= 2**8 for point in points) > len(points) / 2


@pytest.mark.parametrize(
    "scale",
    [
        Fraction(1, 10**320),
        Fraction(1, 10**300),
        Fraction(1, 10**40),
        Fraction(10**40),
        Fraction(10**300),
        Fraction(10**320),
    ],
)
def test_cells_where_floats_do_not_reach(scale):
    """A small triangle, or a large one, beside others: floats overflow, underflow, or see one point."""
    network = Network([([[1, 0], [0, 1], [1, 1], [1, -1]], [0, 0, -scale, 0]), ([[1, 1, -1, 2]], [-scale / 3])])
    assert_points_are_inside(network)
    assert_points_are_inside(network, (-scale, scale * 2))


def test_long_rationals_on_faces_are_as_long_as_corners_not_longer():
    """A sum of corners over their common denominator would be four times as long."""
    network = gaussian((3, 6, 4, 1), 5)
    whole = exactfd.canonical_complex(network)
    longest = max(x.denominator.bit_length() for vertex in whole.vertices() for x in vertex)
    for k in (1, 2):
        assert max(x.denominator.bit_length() for point in whole.interior_points(k) for x in point) < 1.5 * longest


# --------------------------------------------------------------------- the skeleton


def assert_skeleton_has_points(network):
    """The same cells, bounded or not, as in the complex; corners in the closure of the cell, the point inside."""
    try:
        found = Skeleton(homogenise(network), Budget())
        found.run()
    except NotSimple:
        return False
    top = network.input_dimension
    whole = exactfd.canonical_complex(network)
    bounded = dict(zip(map(tuple, whole.labels(top).tolist()), whole.bounded(top).tolist(), strict=True))
    cells = found.top_cells(simplices=True)
    labels = cells.labels
    assert dict(zip(map(tuple, labels.tolist()), cells.bounded.tolist(), strict=True)) == bounded
    assert all(len(set(row)) == found.rank + 1 for row in cells.simplices.tolist())
    by_skeleton = top_cells(network, algorithm="skeleton", points=True)
    assert by_skeleton.algorithm == "skeleton"
    assert by_skeleton.bounded.tolist() == [bounded[tuple(row)] for row in labels.tolist()]
    for point, row in zip(by_skeleton.points, by_skeleton.labels.tolist(), strict=True):
        assert labels_at(network, point) == tuple(row)
    return True


@pytest.mark.parametrize("seed", range(4))
def test_skeleton_of_degenerate_networks(seed):
    verdicts = [assert_skeleton_has_points(network) for _, network in degenerate_networks(1300 + seed, 63)]
    assert 15 < sum(verdicts) < 45, "the sample has both sorts"


@pytest.mark.parametrize("sizes", [(1, 9, 4, 1), (2, 40, 30, 1), (4, 7, 6, 1), (5, 7, 5, 1), (3, 2, 9, 9, 1)])
def test_skeleton_of_random_networks(sizes):
    assert assert_skeleton_has_points(gaussian(sizes, 1))


def test_words_that_agree_by_accident_are_mixed_otherwise(monkeypatch):
    """The first way of mixing two words into one makes different cells equal."""
    network, tried = gaussian((2, 40, 30, 1), 1), []

    class Unlucky:
        def integers(self, high, *, size, dtype):
            tried.append(size)
            return (
                np.zeros(size, dtype)
                if len(tried) == 1
                else np.random.Generator.integers(real, high, size=size, dtype=dtype)
            )

    real = np.random.default_rng(5)
    with monkeypatch.context() as patch:
        patch.setattr(np.random, "default_rng", lambda seed: Unlucky())
        assert assert_skeleton_has_points(network)
    assert len(tried) > 1


def test_cells_are_not_lost_with_what_was_asked_about_them(monkeypatch):
    network = gaussian((4, 6, 5, 1), 1)
    whole = top_cells(network, algorithm="skeleton", points=True)
    for name in ("bounded", "owners"):

        def out_of_budget(*_):
            raise BudgetExceeded("enough")

        with monkeypatch.context() as patch:
            patch.setattr(skeleton_module._Cells, name, out_of_budget)
            with pytest.raises(BudgetExceeded) as caught:
                top_cells(network, algorithm="skeleton", points=True)
        partial = caught.value.partial
        assert (partial.labels == whole.labels).all()
        assert (partial.bounded is None) == (name == "bounded")
        assert partial.points is None
        assert partial.complete


def test_every_engine_tells_points_in_the_order_of_the_labels():
    network = gaussian((3, 6, 5, 1), 2)
    for algorithm in ("complex", "skeleton", "splitting"):
        found = top_cells(network, algorithm=algorithm, points=True)
        assert found.algorithm == algorithm
        assert [labels_at(network, point) for point in found.points] == list(map(tuple, found.labels.tolist()))
        assert (found.bounded is None) == (algorithm == "splitting")
        assert top_cells(network, algorithm=algorithm).points is None
        assert found.to_dict()["points"][0] == [rationals.format_rational(x) for x in found.points[0]]
    with pytest.raises(BudgetExceeded) as caught:
        top_cells(network, algorithm="skeleton", points=True, budget=Budget(max_cells=10))
    partial = caught.value.partial
    assert (len(partial.labels), len(partial.bounded), len(partial.points)) == (10, 10, 10)
    assert labels_at(network, partial.points[9]) == tuple(partial.labels[9].tolist())


# --------------------------------------------------------------------- sequences of points


def test_a_list_of_points_is_a_sequence(monkeypatch):
    monkeypatch.setattr(interior, "_BATCH", 7)
    monkeypatch.setattr(interior, "_BLOCKS", 2)
    network = gaussian((2, 6, 5, 1), 4)
    whole = exactfd.canonical_complex(network)
    points = whole.interior_points(2)
    every = list(points)
    assert len(points) == len(every) == whole.f_vector[2] > 30
    assert [points[i] for i in range(len(every))] == every == list(reversed(list(reversed(points))))
    assert points[-1] == every[-1] == whole.interior_point(2, len(every) - 1)
    assert points[5:20:4] == every[5:20:4]
    assert list(points.first(9)) == every[:9]
    assert every[3] in points
    assert list(whole.interior_points(2, [8, 3, 3])) == [every[8], every[3], every[3]]
    assert len(points._blocks) <= 2
    for place in (len(every), -len(every) - 1):
        with pytest.raises(IndexError):
            points[place]
    bounded = whole.bounded(2)
    assert list(whole.interior_points(2, bounded)) == [point for point, is_ in zip(every, bounded, strict=True) if is_]
    assert list(whole.interior_points(2, [])) == []
    for cells in ([len(every)], [-1], [0.5], [True], "all", [[1]]):
        with pytest.raises(InputError):
            whole.interior_points(2, cells)
    for index in (len(every), -1):
        with pytest.raises(InputError):
            whole.interior_point(2, index)
    with pytest.raises(InputError):
        whole.interior_points(3)
    assert [cell.interior_point() for cell in whole.cells(2)] == every


def test_where_there_are_no_cells_there_are_no_points():
    whole = exactfd.canonical_complex(exactfd.Network([([[1, 1], [2, 2]], [0, 1]), ([[1, 1]], [0])]))  # parallel
    assert whole.f_vector == (0, 2, 3)
    assert len(whole.labels(0)) == len(whole.bounded(0)) == len(whole.interior_points(0)) == 0
    assert list(whole.interior_points(0)) == list(whole.interior_points(0, [])) == []
    with pytest.raises(InputError):
        whole.interior_points(0, [0])
    with pytest.raises(InputError, match="there are 0 cells of dimension 0, found 0"):
        whole.interior_point(0, 0)


def test_a_pickle_takes_no_points_along():
    network = gaussian((2, 6, 5, 1), 4)
    whole = exactfd.canonical_complex(network)
    every = [list(whole.interior_points(k)) for k in range(3)]
    assert {"_points", "_inside", "_simplices"} & set(vars(whole))
    assert whole.__getstate__()["_points"] == {}
    assert not {"_inside", "_simplices"} & set(whole.__getstate__())
    again = pickle.loads(pickle.dumps(whole))
    assert [list(again.interior_points(k)) for k in range(3)] == every
    found = top_cells(network, algorithm="skeleton", points=True)
    assert list(pickle.loads(pickle.dumps(found)).points) == list(found.points)


# --------------------------------------------------------------------- floats


def test_floats_prove_nothing_that_is_not_so():
    """Floats beside walls, on them, and far away; labels that hold, and labels that do not."""
    source = random.Random(7)
    proved = wrong = 0
    for _, network in degenerate_networks(70, 63):
        whole = exactfd.canonical_complex(network)
        top = network.input_dimension
        cells = whole.labels(top)
        near = [
            [rationals.nearest_float(rationals.to_fmpq(x)) for x in point]
            for k in range(top + 1)
            if whole.f_vector[k]
            for point in whole.interior_points(k)
        ]
        for point in source.sample(near, min(len(near), 12)):
            for step in (0.0, 2.0**-52, 2.0**-30, 1e30):
                moved = [x + step * source.choice((-1, 0, 1)) * max(abs(x), 1.0) for x in point]
                if not np.isfinite(moved).all():
                    continue
                true = labels_at(network, [Fraction(x) for x in moved])
                verdicts = certainly_have(network, np.array([moved] * len(cells)), cells)
                for row, verdict in zip(cells.tolist(), verdicts.tolist(), strict=True):
                    assert not verdict or tuple(row) == true
                    proved, wrong = proved + verdict, wrong + (not verdict and tuple(row) == true)
    assert proved > 1000, "the test has something to refute"
    assert wrong > 10, "and cases that floats leave open"


def test_a_cell_thinner_than_floats_gets_an_exact_point():
    """Between two parallel lines 2^-80 apart no float lies, but for those with a first coordinate of 0."""
    gap = Fraction(1, 2**80)
    network = Network([([[1, 1], [1, 1], [1, -1]], [Fraction(-1, 3), gap - Fraction(1, 3), 0]), ([[1, 1, 1]], [0])])
    whole = assert_points_are_inside(network)
    exact = [p for p in whole.interior_points(2) if max(x.denominator for x in p) > 2**53]
    assert exact
    for point in exact:
        assert Fraction(1, 3) - gap < sum(point) < Fraction(1, 3)
