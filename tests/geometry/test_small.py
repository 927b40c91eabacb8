"""Small networks in one compiled call: the same cells as by NumPy, neuron by neuron."""

from __future__ import annotations

import pickle
from fractions import Fraction

import numpy as np
import pytest
from flint import fmpz
from hypothesis import given, settings

import exactfd
from exactfd import compiled
from exactfd.budget import Budget
from exactfd.errors import BudgetExceeded
from exactfd.geometry import small
from exactfd.geometry.homogeneous import homogenise
from exactfd.geometry.start import Walls
from exactfd.geometry.subdivision import Subdivision
from geometry.test_complex_engine import Countdown, assert_same, gaussian, square
from strategies import degenerate_networks, networks

LONG = fmpz(3) ** 300


def boxes(network):
    """All of space, a box, and one whose corners have long coordinates."""
    n = network.input_dimension
    return None, square(network), Walls((-LONG,) * n, (LONG + 1,) * n, LONG + 7)


def both(monkeypatch, network, walls):
    """The cells in one call, or None; and neuron by neuron, without compiled loops."""
    homogeneous = homogenise(network, quotient=walls is None)
    monkeypatch.setenv(compiled.VARIABLE, "always")
    fast = small.subdivide(homogeneous, walls, Budget())
    monkeypatch.setenv(compiled.VARIABLE, "never")
    slow = Subdivision(homogeneous, walls, Budget())
    slow.run()
    for found in (fast, slow):
        if found is not None:
            found.generators.close()
    return fast, slow


def assert_all_the_same(fast, slow):
    assert_same(fast, slow)
    one, other = fast.generators, slow.generators
    assert one.count == other.count
    assert (one.finite == other.finite).all()
    assert (one.exact.parents == other.exact.parents).all()
    assert one.exact.made == other.exact.made
    for ours, theirs in zip(fast.tables, slow.tables, strict=True):
        for name in ("ends", "flat", "starts", "sizes", "finite"):
            left, right = getattr(ours, name), getattr(theirs, name)
            assert left.dtype == right.dtype
            assert left.shape == right.shape
            assert (left == right).all()


@pytest.mark.parametrize("seed", range(3))
def test_degenerate_networks(monkeypatch, seed):
    done, left = {2: 0, 3: 0}, {2: 0, 3: 0}
    for _, network in degenerate_networks(950 + seed, 126):
        for walls in boxes(network):
            fast, slow = both(monkeypatch, network, walls)
            if fast is not None:
                assert_all_the_same(fast, slow)
            if slow.dimension in (2, 3):
                (left if fast is None else done)[slow.dimension] += 1
    assert min(done.values()) > 20
    assert min(left.values()) > 5  # integers had to tell a sign


@pytest.mark.parametrize(
    "sizes",
    [(2, 1, 1), (2, 2, 1), (2, 22, 1), (2, 64, 1), (2, 8, 8, 1), (2, 5, 4, 3, 3, 2), (2, 16, 16, 16, 1), (4, 2, 9)],
)
def test_random_networks(monkeypatch, sizes):
    for seed in range(3):
        network = gaussian(sizes, seed)
        for walls in boxes(network):
            fast, slow = both(monkeypatch, network, walls)
            assert (fast is not None) == (slow.dimension in (2, 3))
            if fast is not None:
                assert_all_the_same(fast, slow)


@settings(deadline=None, max_examples=60)
@given(network=networks(max_inputs=3))
def test_networks_that_spoil_themselves(network):
    with pytest.MonkeyPatch.context() as patch:
        for walls in boxes(network):
            fast, slow = both(patch, network, walls)
            if fast is not None:
                assert_all_the_same(fast, slow)


def test_numbers_out_of_the_range_of_floats(monkeypatch):
    """They are left to integers."""
    rows = [[1, 2], [3, -1], [2, 5]], [1, -1, 3]
    for far in (2**1100, Fraction(1, 2**1100), Fraction(3**800, 7**500)):
        wide, last = exactfd.Network([([[far, 2], *rows[0]], [1, *rows[1]])], output_activation="relu"), 3 * [far]
        deep = exactfd.Network([rows, ([last], [1])], output_activation="relu")
        high = exactfd.Network([rows, ([[1, 1, 1]], [far])], output_activation="relu")
        for network in (wide, deep, high):
            for walls in boxes(network):
                fast, slow = both(monkeypatch, network, walls)
                if fast is not None:
                    assert_all_the_same(fast, slow)
    network = exactfd.Network([rows], output_activation="relu")
    huge = fmpz(2) ** 1100
    for walls in (Walls((-huge,) * 2, (huge,) * 2, fmpz(1)), Walls((fmpz(-1),) * 2, (fmpz(1),) * 2, huge)):
        assert both(monkeypatch, network, walls)[0] is None


def test_without_room(monkeypatch):
    """A network that folds the plane more often than hyperplanes cut it."""
    tent = [[2, 0], [4, 0], [0, 2], [0, 4]], [0, -2, 0, -2]
    fold = [[1, -1, 0, 0], [1, -1, 0, 0], [0, 0, 1, -1], [0, 0, 1, -1]]
    fold = [[a * x for x in row] for a, row in zip((2, 4, 2, 4), fold, strict=True)]
    network = exactfd.Network([tent, *[(fold, [Fraction(-1, 3), -2, Fraction(-1, 5), -2])] * 6])
    fast, slow = both(monkeypatch, network, None)
    assert fast is None
    assert max(slow.f_vector) > 64 + 2 * 28 * 34
    monkeypatch.setenv(compiled.VARIABLE, "always")
    assert exactfd.canonical_complex(network).f_vector == slow.f_vector


def test_when_it_is_called(monkeypatch):
    monkeypatch.setenv(compiled.VARIABLE, "always")
    calls, original = [], small.subdivide
    monkeypatch.setattr(small, "subdivide", lambda *arguments: calls.append(1) or original(*arguments))
    network = gaussian((2, 6, 5, 1), 3)
    whole = exactfd.canonical_complex(network)
    assert len(calls) == 1
    exactfd.canonical_complex(network, progress=lambda *_: None)
    exactfd.canonical_complex(network, budget=Budget(max_cells=10**6))
    assert len(calls) == 1
    with pytest.raises(BudgetExceeded):
        exactfd.canonical_complex(network, budget=Countdown(1))
    assert exactfd.canonical_complex(network, budget=Countdown(2)).f_vector == whole.f_vector
    monkeypatch.setenv(compiled.VARIABLE, "never")
    assert original(homogenise(network), None, Budget()) is None
    monkeypatch.setenv(compiled.VARIABLE, "always")
    for sizes, is_small in (((2, 64, 1), True), ((2, 65, 1), False), ((3, 24, 1), True), ((3, 25, 1), False)):
        assert (original(homogenise(gaussian(sizes, 1)), None, Budget()) is not None) == is_small


def test_compiling_may_take_longer_than_a_limit_on_time(monkeypatch):
    asked = []
    monkeypatch.setattr(small.compiled, "loops", lambda name, **when: asked.append(when["worked"]))
    homogeneous = homogenise(gaussian((2, 6, 5, 1), 3))
    for budget in (Budget(), Budget(time_limit=3600.0)):
        assert small.subdivide(homogeneous, None, budget) is None
    assert asked == [10.0, np.inf]


def test_what_is_kept_is_no_larger_than_the_cells(monkeypatch):
    fast, _ = both(monkeypatch, gaussian((3, 4, 3, 1), 2), None)
    for stage in fast.history.stages:
        arrays = [*stage.origin, *stage.origin_dimension, *(signs.base for pair in stage.known for signs in pair)]
        assert sum(array.base is None for array in arrays) == len(arrays)


def test_it_can_be_saved(monkeypatch):
    monkeypatch.setenv(compiled.VARIABLE, "always")
    complex_ = exactfd.canonical_complex(gaussian((2, 7, 6, 1), 8), box=(-1, 2))
    again = pickle.loads(pickle.dumps(complex_))
    for k in range(3):
        assert (complex_.labels(k) == again.labels(k)).all()
        assert (complex_.walls(k) == again.walls(k)).all()
        for point in again.interior_points(k)[:20]:
            assert all(isinstance(entry, Fraction) for entry in point)
    assert complex_.vertices() == again.vertices()
    assert np.array_equal(complex_.bounded(2), again.bounded(2))
