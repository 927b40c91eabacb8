"""The engine for the whole complex against its slow twin, which never believes a float, and in layers of many words."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from flint import fmpz
from hypothesis import given, settings
from hypothesis import strategies as st

import exactfd
from benchmarks.floats import float_complex, float_top
from exactfd import compiled
from exactfd.budget import Budget
from exactfd.errors import BudgetExceeded
from exactfd.geometry import bits
from exactfd.geometry import signs as signs_module
from exactfd.geometry import tables as tables_module
from exactfd.geometry.homogeneous import homogenise
from exactfd.geometry.plane import PlaneTable
from exactfd.geometry.signs import GeneratorTable
from exactfd.geometry.skeleton import Skeleton
from exactfd.geometry.start import Walls
from exactfd.geometry.subdivision import Subdivision
from exactfd.network import Network
from oracles import formulas, fractions_net
from strategies import degenerate_networks, networks


@pytest.fixture(autouse=True, scope="module", params=["never", "always"])
def _loops(request):
    """Everything once by NumPy and once by compiled loops."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(compiled.VARIABLE, request.param)
        yield


def gaussian(sizes, seed):
    rng = np.random.default_rng(seed)
    return Network([(rng.normal(size=(n, m)), rng.normal(size=n)) for m, n in pairwise(sizes)])


class Distrustful(GeneratorTable):
    """Decides every sign that the ends of an edge leave open in exact integers."""

    has_loops = False

    def _clear_signs(self, rows):
        nothing = np.zeros((rows.stop - rows.start, self._values.shape[1] - 1), dtype=bool)
        return nothing, nothing.copy()


class DistrustfulPlane(PlaneTable):
    """As above, also in the last layer of a network on a plane."""

    has_loops = False
    _clear_signs = Distrustful._clear_signs

    def _signs_at(self, base, heights, at, error, neurons):
        return np.zeros(len(neurons), dtype=bool), np.zeros(len(neurons), dtype=bool)


def run(network, generators, walls=None):
    subdivision = Subdivision(homogenise(network, quotient=walls is None), walls, Budget(), generators)
    subdivision.run()
    return subdivision


def assert_same(fast, slow):
    for k, (one, other) in enumerate(zip(fast.tables, slow.tables, strict=True)):
        assert one.count == other.count
        everyone = np.arange(one.count)
        assert (one.finite == other.finite).all()
        assert (fast.history.labels(k, everyone) == slow.history.labels(k, everyone)).all()
        if k:
            for left, right in zip(one.rows(everyone), other.rows(everyone), strict=True):
                assert (left == right).all()
    exact = [table.generators.coordinates(range(table.generators.count)) for table in (fast, slow)]
    assert exact[0] == exact[1]


@pytest.mark.parametrize("seed", range(5))
def test_floats_change_nothing_on_degenerate_networks(seed):
    for _, network in degenerate_networks(500 + seed, 84):
        assert_same(run(network, GeneratorTable), run(network, Distrustful))


@pytest.mark.parametrize(
    "sizes", [(2, 12, 12, 12, 1), (3, 9, 8, 1), (4, 7, 6, 1), (2, 66, 4, 1), (2, 4, 70, 1), (1, 80, 70, 1)]
)
def test_floats_change_nothing_on_random_networks(sizes):
    fast, slow = (run(gaussian(sizes, 4), kind) for kind in (GeneratorTable, Distrustful))
    assert_same(fast, slow)
    assert fast.generators.exact_evaluations < 60 < slow.generators.exact_evaluations


def square(network):
    n = network.input_dimension
    return Walls((fmpz(-2),) * n, (fmpz(1),) * n, fmpz(1))


@settings(deadline=None, max_examples=60)
@given(networks(max_inputs=2).filter(lambda network: network.input_dimension == 2))
def test_frames_change_nothing(network):
    """The last layer by frames of polygons, by numbers carried from vertex to vertex, and by integers."""
    for walls in (None, square(network)):
        expected = run(network, GeneratorTable, walls)
        kind = PlaneTable if expected.dimension == 2 else GeneratorTable  # a first layer of rank one is a line
        assert_same(run(network, None, walls), expected)
        assert_same(run(network, kind, walls), expected)
        if kind is PlaneTable:
            assert_same(run(network, DistrustfulPlane, walls), expected)


@pytest.mark.parametrize("sizes", [(2, 70, 1), (2, 12, 12, 12, 1), (2, 66, 4, 1), (2, 4, 70, 1), (2, 1, 1, 1)])
def test_frames_change_nothing_on_random_networks(sizes):
    network = gaussian(sizes, 4)
    fast, carried = run(network, None), run(network, GeneratorTable)
    assert_same(fast, carried)
    assert fast.generators.exact_evaluations <= carried.generators.exact_evaluations + 5


class NoisyPlane(PlaneTable):
    """Every number in the last layer is off by as much as its bound, which is large, may allow."""

    noise = 0.0

    def _scale_vertices(self):
        super()._scale_vertices()
        size = np.abs(self._values).max(axis=1, keepdims=True) * self.noise
        self._errors[:] = np.where(self._errors > 0.0, np.maximum(self._errors, size), 0.0)
        off = np.random.default_rng(0).choice([-0.999, 0.999], self._values.shape)
        self._values[:, :-1] += (off * self._errors)[:, :-1]


@pytest.mark.parametrize("noise", [1e-4, 1e-6, 1e-8])
@pytest.mark.parametrize("sizes", [(2, 30, 1), (2, 9, 9, 1), (2, 8, 8, 8, 1)])
def test_numbers_that_are_off_by_their_bounds_decide_nothing_wrongly(noise, sizes):
    kind = type("Noisy", (NoisyPlane,), {"noise": noise})
    for seed in range(4):
        network = gaussian(sizes, seed)
        for walls in (None, square(network)):
            noisy, expected = run(network, kind, walls), run(network, GeneratorTable, walls)
            assert_same(noisy, expected)
            decided_exactly = noisy.generators.exact_evaluations / noisy.generators.count
            assert decided_exactly < 0.1 or noise > 1e-8


def test_zeros_at_a_vertex_of_unknown_height_stay_zeros():
    """Floats do not know how far away the vertex is; a neuron that reads nothing is 0 there, and no number else."""
    seen = []

    class Seen(PlaneTable):
        def start_cells(self, tables):
            super().start_cells(tables)
            if self._frames is not None:
                seen.append((self._values.copy(), self._errors.copy()))

    first = ([[1, 0], [0, 1], [1, 0]], [0, 0, -(Fraction(10) ** 250)])
    network = Network([first, ([[0, 0, 0], [1, 1, 0]], [0, -1]), ([[1, 1]], [0])])
    assert_same(run(network, Seen), run(network, GeneratorTable))
    ((values, errors),) = seen
    assert np.isinf(errors[:, -1]).any()
    assert (values[errors == 0.0] == 0.0).all()


@pytest.mark.parametrize(("shift", "scale"), [(0, -300), (0, 300), (-300, 0), (12, -9), (-17, -17), (-30, 5)])
def test_frames_on_scales_that_floats_do_not_like(shift, scale):
    """Biases and weights of a layer shrunk or blown up by powers of ten; small integers, so many lines concur."""
    rng = np.random.default_rng(5)
    layers = []
    for m, n in ((2, 9), (9, 8)):
        weight = [[Fraction(int(x)) * Fraction(10) ** scale for x in row] for row in rng.integers(-9, 10, (n, m))]
        bias = [Fraction(int(x)) * Fraction(10) ** shift for x in rng.integers(-9, 10, n)]
        layers.append((weight, bias))
    network = Network([*layers, ([[1] * 8], [0])])
    assert_same(run(network, None), run(network, DistrustfulPlane))
    assert_same(run(network, None, square(network)), run(network, GeneratorTable, square(network)))


@pytest.mark.parametrize(("n", "m"), [(63, 2), (64, 2), (65, 2), (130, 2), (200, 1), (67, 3)])
def test_layers_of_several_words_have_the_closed_formula(n, m):
    complex_ = exactfd.canonical_complex(gaussian((m, n, 1), n))
    assert complex_.f_vector == formulas.f_vector(n, m)


def test_layers_of_several_words_one_after_the_other():
    network = gaussian((2, 65, 5, 66, 1), 8)
    complex_ = exactfd.canonical_complex(network)
    skeleton = Skeleton(homogenise(network), Budget())
    skeleton.run()
    assert (complex_.labels(2).shape[1], complex_.euler_characteristic) == (136, 1)
    assert sorted(map(tuple, complex_.labels(2).tolist())) == list(map(tuple, skeleton.top_labels().tolist()))
    layers = network.to_fractions()
    for k in range(3):
        for index in range(0, complex_.f_vector[k], 97):
            point = complex_.interior_point(k, index)
            assert fractions_net.ternary_tuple(layers, "identity", point) == complex_.cell(k, index).labels


def late(network):
    """A complex whose labels in the last layer, of several words, are found when somebody asks; and what asks."""
    complex_ = exactfd.canonical_complex(network)
    return complex_, lambda: [complex_.labels(k).tolist() for k in range(network.input_dimension, -1, -1)]


def test_labels_asked_for_again_after_an_interrupt(monkeypatch):
    network, real = gaussian((2, 3, 66, 1), 2), tables_module.CellTable.union
    expected = late(network)[1]()
    for stop in range(8):  # unions: two dimensions, two signs, two words
        _, ask = late(network)
        calls = iter(range(8))

        def union(*arguments, stop=stop, calls=calls):
            if next(calls) == stop:
                raise KeyboardInterrupt
            return real(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(tables_module.CellTable, "union", union)
            with pytest.raises(KeyboardInterrupt):
                ask()
        assert ask() == expected


def test_labels_asked_for_in_several_threads(monkeypatch):
    network = gaussian((2, 3, 66, 1), 2)
    expected, real = late(network)[1](), tables_module.CellTable.union
    complex_, _ = late(network)

    def union(*arguments):
        time.sleep(0.001)  # others go on
        return real(*arguments)

    monkeypatch.setattr(tables_module.CellTable, "union", union)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda k: complex_.labels(k).tolist(), (2, 1, 0, 2)))
    assert found == [*expected, expected[0]]


def test_blocks_and_chunks_change_nothing(monkeypatch):
    networks = [network for _, network in degenerate_networks(31, 42)] + [gaussian((3, 8, 7, 1), 1)]
    whole = [run(network, GeneratorTable) for network in networks]
    monkeypatch.setattr(signs_module, "_BLOCK", 30)
    monkeypatch.setattr(tables_module, "_CHUNK", 7)
    for network, expected in zip(networks, whole, strict=True):
        assert_same(run(network, GeneratorTable), expected)
        assert_same(run(network, None), expected)


def test_listing_and_looking_up_agree():
    complex_ = exactfd.canonical_complex(gaussian((2, 9, 7, 1), 2), box=(-1, 1))
    for k in range(3):
        listed = list(complex_.cells(k))
        assert [cell.labels for cell in listed] == list(map(tuple, complex_.labels(k).tolist()))
        assert [cell.walls for cell in listed] == list(map(tuple, complex_.walls(k).tolist()))
        assert [complex_.cell(k, i) for i in range(len(listed))] == listed


def test_a_budget_leaves_lower_bounds():
    network = gaussian((3, 10, 9, 1), 6)
    whole = exactfd.canonical_complex(network).f_vector
    for most in (30, 300, 2000, sum(whole) - 1):
        with pytest.raises(BudgetExceeded) as caught:
            exactfd.canonical_complex(network, budget=Budget(max_cells=most))
        partial = caught.value.partial
        assert sum(partial) > most
        assert all(found <= final for found, final in zip(partial, whole, strict=True))
    assert exactfd.canonical_complex(network, budget=Budget(max_cells=sum(whole))).f_vector == whole


class Countdown(Budget):
    """Runs out at the given look."""

    def __init__(self, looks):
        super().__init__()
        self.looks = looks

    def check(self, *, cells=0, bytes_needed=0):
        self.looks -= 1
        if not self.looks:
            raise BudgetExceeded("enough")


def test_a_budget_that_runs_out_inside_a_step_leaves_lower_bounds():
    network = gaussian((4, 5, 4, 1), 6)
    whole = exactfd.canonical_complex(network).f_vector
    found = []
    for looks in range(2, 30):
        with pytest.raises(BudgetExceeded) as caught:
            exactfd.canonical_complex(network, budget=Countdown(looks))
        found.append(caught.value.partial)
    assert all(a <= b for before, after in pairwise([*found, whole]) for a, b in zip(before, after, strict=True))
    assert len(set(found)) > 2


def test_unchecked_engine_of_the_benchmark_counts_the_same_on_easy_networks():
    for sizes in ((2, 12, 12, 1), (3, 8, 8, 1), (4, 7, 6, 1)):
        network = gaussian(sizes, 7)
        complex_ = exactfd.canonical_complex(network)
        assert float_complex(network)["cells"] == sum(complex_.f_vector)
        assert float_top(network)["regions"] == complex_.top_cells


@given(st.integers(0, 5), st.integers(1, 200), st.integers(0, 2**32 - 1))
def test_bits_and_back(count, width, seed):
    labels = np.random.default_rng(seed).integers(-1, 2, size=(count, width)).astype(np.int8)
    positive, negative = bits.pack(labels > 0), bits.pack(labels < 0)
    assert positive.shape == (bits.words_for(width), count)
    assert (bits.ternary(positive, negative, width) == labels).all()
    word, bit = bits.bit_of(width - 1)
    assert ((positive[word] & bit) != 0).tolist() == (labels[:, -1] > 0).tolist()


def test_vertices_of_cells_as_arrays():
    for _, network in degenerate_networks(7700, 30):
        for box in (None, (-1, 2)):
            cells = exactfd.canonical_complex(network, box=box)
            points = cells.vertices()
            assert len(points) == cells.f_vector[0]
            for k in range(network.input_dimension + 1):
                flat, sizes = cells.vertices_of(k)
                assert len(sizes) == cells.f_vector[k]
                parts = np.split(flat, np.cumsum(sizes)[:-1]) if len(sizes) else []
                for cell, part in zip(cells.cells(k), parts, strict=True):
                    lineality = cells.f_vector[0] == 0
                    assert lineality or {points[i] for i in part.tolist()} == set(cell.vertices())
                    assert len(set(part.tolist())) == len(part)


def test_vertices_in_floats():
    for _, network in degenerate_networks(7800, 20):
        for box in (None, (-1, 2)):
            cells = exactfd.canonical_complex(network, box=box)
            exact = [[float(x) for x in vertex] for vertex in cells.vertices()]
            found = cells.float_vertices()
            assert found.shape == (len(exact), network.input_dimension)
            assert np.allclose(found, np.array(exact).reshape(found.shape), rtol=1e-9, atol=1e-9)
