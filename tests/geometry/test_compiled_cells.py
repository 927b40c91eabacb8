"""Compiled loops against the NumPy code beside them: the same cells, numbered alike, and the same floats."""

from __future__ import annotations

import os
import pickle
from fractions import Fraction
from functools import reduce
from itertools import pairwise
from operator import or_

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import exactfd
from exactfd import compiled
from exactfd.budget import Budget, silent
from exactfd.errors import BudgetExceeded
from exactfd.geometry import runs, signs_loops, small, tables_loops
from exactfd.geometry import signs as signs_module
from exactfd.geometry import tables as tables_module
from exactfd.geometry.bits import WORD
from exactfd.geometry.homogeneous import homogenise
from exactfd.geometry.plane import PlaneTable
from exactfd.geometry.signs import GeneratorTable
from exactfd.geometry.skeleton import NotSimple, Skeleton
from exactfd.geometry.subdivision import Subdivision
from exactfd.geometry.tables import CellTable
from exactfd.network import Network
from geometry.test_complex_engine import Countdown, assert_same, gaussian, square
from strategies import degenerate_networks, networks

MODES = "never", "always"


@pytest.fixture(autouse=True, scope="module")
def _environment():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(compiled.VARIABLE, "always")
        yield


def run(mode, network, walls=None, kind=None, progress=silent):
    os.environ[compiled.VARIABLE] = mode
    subdivision = Subdivision(homogenise(network, quotient=walls is None), walls, Budget(), kind)
    subdivision.run(progress)
    return subdivision


def assert_alike(network, kind=None):
    for walls in (None, square(network)):
        plain, fast = (run(mode, network, walls, kind) for mode in MODES)
        assert_same(fast, plain)
        one, other = fast.generators, plain.generators
        assert one.count == other.count
        assert (one.finite[: one.count] == other.finite[: one.count]).all()
        assert (one.exact.parents[: one.count] == other.exact.parents[: one.count]).all()
        assert one.exact.made == other.exact.made
        assert one.exact_evaluations == other.exact_evaluations
        rows = min(one.count, len(one._values), len(other._values))
        for name in ("_values", "_errors"):
            assert_same_floats(*(getattr(table, name)[:rows] for table in (one, other)))


# ------------------------------------------------------------------ whole complexes


@pytest.mark.parametrize("seed", range(3))
def test_degenerate_networks(seed):
    for _, network in degenerate_networks(900 + seed, 84):
        assert_alike(network)
        assert_alike(network, GeneratorTable)


def test_neurons_one_by_one():
    """As they are cut where somebody listens: many in one call give the same."""
    known = [network for _, network in degenerate_networks(903, 168)]
    random = (2, 130, 1), (2, 66, 4, 1), (2, 12, 12, 12, 1), (3, 36, 1), (3, 7, 20, 1), (3, 6, 5, 4, 1), (4, 8, 5, 1)
    for network in [*known, *(gaussian(sizes, 4) for sizes in random)]:
        for walls in (None, square(network)):
            many, one = (run("always", network, walls, None, listener) for listener in (silent, lambda *_: None))
            assert_same(many, one)
            assert many.generators.exact.made == one.generators.exact.made
            assert many.generators.exact_evaluations == one.generators.exact_evaluations


@settings(deadline=None, max_examples=60)
@given(networks(max_inputs=4))
def test_networks_that_spoil_themselves(network):
    assert_alike(network)


@pytest.mark.parametrize(
    "sizes",
    [
        *((1, 70, 66, 1), (2, 130, 1), (2, 66, 4, 1), (2, 4, 70, 1), (2, 12, 12, 12, 1), (3, 9, 8, 1), (3, 20, 1)),
        *((4, 7, 6, 1), (5, 6, 4, 1), (6, 3, 3, 1), (2, 1, 1, 1), (1, 1, 1)),
    ],
)
def test_random_networks(sizes):
    assert_alike(gaussian(sizes, 4))
    assert_alike(gaussian(sizes, 5), GeneratorTable)


@pytest.mark.parametrize("sizes", [(2, 8, 7, 3), (3, 6, 5, 2), (2, 9)])
def test_a_relu_on_the_output(sizes):
    rng = np.random.default_rng(3)
    layers = [(rng.normal(size=(n, m)), rng.normal(size=n)) for m, n in pairwise(sizes)]
    assert_alike(Network(layers, output_activation="relu"))


def test_no_relu_at_all():
    assert_alike(Network([([[1, 2], [3, 4]], [0, 1])]))


def lattice(rng, shape, scale, shift):
    """Small integers on scales that floats do not like: many lines concur."""
    n, m = shape
    weight = [[Fraction(int(x)) * scale for x in row] for row in rng.integers(-6, 7, (n, m))]
    return weight, [Fraction(int(x)) * shift for x in rng.integers(-6, 7, n)]


@pytest.mark.parametrize("inputs", [1, 2, 3])
@pytest.mark.parametrize(
    ("scale", "shift"), [(-300, 0), (300, 0), (0, -300), (-12, 9), (-17, -17), (-160, 160), (290, 290)]
)
def test_scales_that_floats_do_not_like(inputs, scale, shift):
    rng = np.random.default_rng(7)
    scales = Fraction(10) ** scale, Fraction(10) ** shift
    layers = [lattice(rng, (6, inputs), *scales), lattice(rng, (5, 6), *scales[::-1]), lattice(rng, (1, 5), 1, 1)]
    assert_alike(Network(layers))
    assert_alike(Network(layers), GeneratorTable)


def test_long_denominators():
    rng = np.random.default_rng(8)
    for inputs in (1, 2, 3):
        layers = []
        for m, n in ((inputs, 5), (5, 4), (4, 1)):
            entries = [
                [Fraction(int(x), 3**250 + int(y)) for x, y in zip(*pair, strict=True)]
                for pair in zip(rng.integers(-9, 10, (n, m + 1)), rng.integers(0, 99, (n, m + 1)), strict=True)
            ]
            layers.append(([row[:-1] for row in entries], [row[-1] * 2**20 for row in entries]))
        assert_alike(Network(layers))


def test_vertices_that_only_integers_tell_apart():
    """Nearly concurrent lines: signs stay open in floats, in the first layers and in the last."""
    tiny = Fraction(1, 10**40)
    first = [[1, 0], [0, 1], [1, 1], [1, -1], [2, 1]], [0, tiny, -tiny, 0, 3 * tiny]
    second = [[1, -1, 1, 0, tiny], [1, 1, -1, tiny, 0], [0, 1, 2, -1, -1], [1, -1, 1, tiny, 0]], [0, -tiny, tiny, 0]
    network = Network([first, second, ([[1, 1, 1, 1]], [0])])
    for kind in (None, GeneratorTable):
        assert_alike(network, kind)
        assert run("always", network, None, kind).generators.exact_evaluations > 10


def test_loops_may_come_in_the_middle(monkeypatch):
    for sizes in ((2, 70, 4, 1), (2, 4, 70, 1), (3, 7, 6, 5, 1)):
        network = gaussian(sizes, 6)
        expected = run("never", network)
        os.environ[compiled.VARIABLE] = "always"
        with monkeypatch.context() as patch:
            real, answers = compiled.loops, np.random.default_rng(1)
            patch.setattr(compiled, "loops", lambda name: real(name) if answers.random() < 0.1 else None)  # noqa: B023
            subdivision = Subdivision(homogenise(network), None, Budget())
            subdivision.run()
        assert_same(subdivision, expected)


def test_arrays_that_grow_all_the_time(monkeypatch):
    monkeypatch.setattr(tables_module, "_LEAST", 1)
    monkeypatch.setattr(signs_module, "_LEAST", 1)
    monkeypatch.setattr(runs, "_LEAST", 1)
    monkeypatch.setattr(runs, "_SMALL", 0)
    random = [gaussian((4, 5, 5, 1), 1), gaussian((3, 9, 20, 1), 1)]
    for network in [network for _, network in degenerate_networks(41, 42)] + random:
        assert_alike(network)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("spoilt", [0xA5, 0xFF])
def test_spare_room_says_nothing(monkeypatch, mode, spoilt):
    """Arrays have room that is not written to at first: with whatever is in there, the complex is the same."""
    cases = [network for _, network in degenerate_networks(43, 42)] + [gaussian((2, 70, 5, 1), 1)]
    expected, empty = [run(mode, network) for network in cases], np.empty

    def room(*shape, **kind):
        array = empty(*shape, **kind)
        array.reshape(-1).view(np.uint8)[:] = spoilt if array.dtype != bool else 1
        return array

    monkeypatch.setattr(np, "empty", room)
    found = [run(mode, network) for network in cases]
    monkeypatch.undo()
    for one, other in zip(found, expected, strict=True):
        assert_same(one, other)


@pytest.mark.parametrize("sizes", [(2, 9, 8, 1), (3, 7, 6, 1)])
def test_memory_for_some_spare_rooms_only(monkeypatch, sizes):
    """Where there is no memory for spare room beside the errors, they still have the rows that the values have."""
    answers = np.random.default_rng(5)

    def some(rows, width):
        return np.full(((4 if answers.random() < 0.5 else 1) * rows, width), np.nan)

    monkeypatch.setattr(signs_module, "_spacious", some)
    real, seen = GeneratorTable._reserve, []

    def reserve(table, needed):
        real(table, needed)
        seen.append(needed <= min(len(table._values), len(table._errors)))

    monkeypatch.setattr(GeneratorTable, "_reserve", reserve)
    for kind in (None, GeneratorTable):
        for _ in range(5):
            assert_same(*(run(mode, gaussian(sizes, 6), None, kind) for mode in MODES))
    assert all(seen)


def test_complexes_can_be_pickled():
    """Also before they are asked anything, and although modules cannot."""
    for sizes in ((2, 5, 4, 1), (3, 4, 3, 1)):
        complex_ = exactfd.canonical_complex(gaussian(sizes, 1))
        again = pickle.loads(pickle.dumps(complex_))
        assert (again.f_vector, again.vertices()) == (complex_.f_vector, complex_.vertices())


def test_complexes_can_be_pickled_before_labels_are_found():
    """Also where arrays come back that nobody may write to, as buffers beside a pickle do."""
    complex_ = exactfd.canonical_complex(gaussian((2, 5, 70, 1), 1))
    again, sealed = (pickle.loads(pickle.dumps(complex_)) for _ in range(2))
    for array in sealed._history.stages[-1].points.args[:2]:
        array.flags.writeable = False
    for k in range(3):
        assert (again.labels(k) == complex_.labels(k)).all()
        assert (sealed.labels(k) == complex_.labels(k)).all()


def test_top_cells_from_vertices_and_edges():
    for sizes in ((2, 9, 8, 1), (3, 70, 1), (4, 6, 5, 1)):
        found = []
        for mode in MODES:
            os.environ[compiled.VARIABLE] = mode
            skeleton = Skeleton(homogenise(gaussian(sizes, 2)), Budget())
            skeleton.run()
            found.append(skeleton)
        plain, fast = found
        assert (plain.ends == fast.ends)[: plain.edges].all()
        assert (plain.top_labels() == fast.top_labels()).all()
    for _, network in degenerate_networks(77, 42):
        ends = []
        for mode in MODES:
            os.environ[compiled.VARIABLE] = mode
            try:
                skeleton = Skeleton(homogenise(network), Budget())
                skeleton.run()
                ends.append(skeleton.ends[: skeleton.edges].tolist())
            except NotSimple:
                ends.append(None)
        assert ends[0] == ends[1]


# ------------------------------------------------------------------ budgets and progress


def outcome(mode, network, budget, **options):
    os.environ[compiled.VARIABLE] = mode
    try:
        return exactfd.canonical_complex(network, budget=budget, **options).f_vector
    except BudgetExceeded as error:
        return str(error), error.partial


@pytest.mark.parametrize("sizes", [(2, 9, 8, 1), (4, 5, 4, 1), (1, 9, 8, 1)])
def test_budgets_end_alike(sizes):
    network = gaussian(sizes, 6)
    for looks in range(1, 60):
        plain, fast = (outcome(mode, network, Countdown(looks), progress=lambda *_: None) for mode in MODES)
        assert plain == fast
    whole = sum(outcome("always", network, None))
    for most in (3, 30, 100, whole - 1, whole):
        plain, fast = (outcome(mode, network, Budget(max_cells=most)) for mode in MODES)
        assert plain == fast


@pytest.mark.parametrize(
    ("sizes", "most", "states"),
    [((2, 9, 8, 1), 0, 17), ((2, 9, 8, 1), 30, 9), ((2, 9, 8, 1), 1 << 13, 4), ((3, 6, 5, 1), 0, 10)],
)
def test_budgets_that_are_asked_seldom(monkeypatch, sizes, most, states):
    """Many neurons in one call: what is known when a limit runs out is a lower bound, as ever."""
    monkeypatch.setattr(runs, "_MOST", most)
    monkeypatch.setattr(small, "MOST_NEURONS", {})
    network, partial = gaussian(sizes, 6), set()
    whole = outcome("never", network, None)
    for looks in range(1, 60):
        found = outcome("always", network, Countdown(looks))
        if found[0] == "enough":
            partial.add(found[1] or (0,) * (sizes[0] + 1))
        else:
            assert found == whole
    assert all(a <= b for known in partial for a, b in zip(known, whole, strict=True))
    assert len(partial) == states


@pytest.mark.parametrize("mode", MODES)
def test_limits_are_looked_at_while_integers_are_found(monkeypatch, mode):
    """At the start of a layer they may be needed for every generator."""
    monkeypatch.setattr(signs_module, "_TOGETHER", 2)
    monkeypatch.setenv(compiled.VARIABLE, mode)
    rng, tiny = np.random.default_rng(5), Fraction(1, 10**40)

    def layer(m, n):
        weight, more, bias = (rng.integers(-9, 10, shape).tolist() for shape in ((n, m), (n, m), n))
        return [[w // 3 + tiny * x for w, x in zip(*rows, strict=True)] for rows in zip(weight, more, strict=True)], [
            tiny * b for b in bias
        ]

    subdivision = Subdivision(homogenise(Network([layer(2, 9), layer(9, 6), layer(6, 1)])), None, Budget())
    subdivision.run_layer(0)
    table, looks = subdivision.generators, []

    def check():
        looks.append(table.exact_evaluations)
        if len(looks) == 4:
            raise BudgetExceeded("enough")

    with pytest.raises(BudgetExceeded):
        table.start_layer(1, check)
    assert np.diff(looks).tolist() == [2, 2, 2]


@pytest.mark.parametrize("inputs", [2, 3])
def test_progress_is_told_alike(inputs):
    seen = []
    for mode in MODES:
        seen.append([])
        outcome(mode, gaussian((inputs, 7, 5, 1), 1), None, progress=lambda *news: seen[-1].append(news))
    assert seen[0] == seen[1]
    assert seen[0][-1] == ("neurons", 12, 12)


# ------------------------------------------------------------------ numbers

UGLY = [0.0, -0.0, 5e-324, 1e-310, 1e-300, 1e-160, 1 - 2.0**-53, 3.0, 1e155, 1e290, 1.7e308, np.inf, np.nan]


def numbers(rng, shape, share):
    """Values and bounds, a ``share`` of them infinite, no numbers, or about to overflow or to underflow."""
    values = rng.normal(size=shape) * 2.0 ** rng.integers(-3, 4, shape)
    errors = np.abs(values) * rng.choice([0.0, 2.0**-53, 2.0**-50, 2.0**-20, 0.3], shape)
    for array in (values, errors):
        array[:] = np.where(rng.random(shape) < share, rng.choice(UGLY, shape), array)
    return values * rng.choice([-1.0, 1.0], shape), errors


def assert_same_floats(fast, slow):
    """But for the signs of zeros: NumPy may begin a sum with a zero."""
    assert np.array_equal(fast, slow, equal_nan=True)


@pytest.mark.parametrize("share", [0.0, 0.03, 0.3])
def test_numbers_between_two_ends(share):
    width, count = 5, 600
    network = Network([(np.ones((width, 2)), [0] * width)], output_activation="relu")
    table = GeneratorTable(homogenise(network), [[0, 0, 1]])
    values, errors = numbers(np.random.default_rng(1), (3 * count, width + 1), share)
    u = np.arange(count)
    for neuron in range(width):
        table._values, table._errors = values.copy(), errors.copy()
        table._interpolate(u, count + u, neuron, slice(2 * count, None), 0)
        for i in range(count):
            signs_loops.interpolate(neuron, 0, i, count + i, 2 * count + i, values, errors)
        assert_same_floats(values, table._values)
        assert_same_floats(errors, table._errors)


@pytest.mark.parametrize("share", [0.0, 0.03, 0.3])
@pytest.mark.parametrize("on_edge", [False, True])
@pytest.mark.parametrize("neuron", [0, 5])
def test_numbers_in_frames(share, on_edge, neuron):
    width, count, rng = 6, 800, np.random.default_rng(2)
    network = Network([(np.ones((width, 2)), [0] * width)], output_activation="relu")
    table = PlaneTable(homogenise(network), [[0, 0, 1]])
    table._values, table._errors = numbers(rng, (3 * count, width + 1), share)
    table._heights = rng.choice([0.0, 1.0], (2, count))
    base, frames = np.arange(3 * count).reshape(count, 3).T * (width + 1), np.arange(count)
    line = np.int32(-1 if on_edge else 1)
    at, error = table._zeros(base, frames, neuron, np.full(count, line))
    slow = [table._values_at(base, table._heights, at, error, np.full(count, i)) for i in range(width)]
    flat, found = (table._values.reshape(-1), table._errors.reshape(-1)), 0
    for f in range(count):
        place, heights = tuple(base[:, f].tolist()), tuple(table._heights[:, f].tolist())
        fast = signs_loops.zero(place, heights, neuron, line, *flat)
        assert_same_floats(fast[2:], error[:, f])
        known = np.isfinite(error[:, f]).all()
        if known:
            assert_same_floats(fast[:2], at[:, f])
        for i in range(width):
            there = signs_loops.value(place, heights, fast, i, *flat)
            if known:
                assert_same_floats(there, [array[f] for array in slow[i]])
            else:  # the height is zero, of either sign
                assert not np.isfinite([there[1], slow[i][1][f]]).any()
            found += np.isfinite(there).all()
    assert found > count or share > 0.1


@pytest.mark.parametrize("share", [0.0, 0.3])
@pytest.mark.parametrize("dropped", [0, 16])
def test_numbers_from_mantissas_and_exponents(share, dropped):
    width, count, rng = 70, 40, np.random.default_rng(3)
    table = GeneratorTable(homogenise(Network([(np.ones((width, 2)), [0] * width)])), [[0, 0, 1]] * count)
    mantissas = rng.uniform(0.5, 1.0, (count, width + 1)) * rng.choice([-1.0, 1.0, 0.0], (count, width + 1))
    mantissas[0] = 0.0
    exponents = rng.integers(-3, 3, mantissas.shape)
    exponents[rng.random(mantissas.shape) < share] = -3000
    exponents[rng.random(mantissas.shape) < share] -= 935  # where floats end
    wanted, found = rng.permutation(count), []
    for mode in MODES:
        os.environ[compiled.VARIABLE] = mode
        table.positive, table.negative = np.zeros((2, 2, 1024), dtype=np.uint64)
        table._values, table._errors = np.full((2, count, width + 1 - dropped), np.nan)
        table._dropped, table._loops = dropped, None
        table._represent(wanted, mantissas, exponents)
        found.append((table.positive, table.negative, table._values, table._errors))
    for slow, fast in zip(*found, strict=True):
        assert np.array_equal(slow, fast)
    values, errors = found[0][2:]
    for v, row in zip(wanted.tolist(), range(count), strict=True):
        exact = [Fraction(m) * Fraction(2) ** int(k) for m, k in zip(mantissas[row], exponents[row], strict=True)]
        top = max((int(k) for m, k in zip(mantissas[row], exponents[row], strict=True) if m), default=0)
        for j in range(dropped, width + 1):
            true, value, error = exact[j] / Fraction(2) ** top, values[v, j - dropped], errors[v, j - dropped]
            assert abs(true - Fraction(value)) <= Fraction(error)
            assert (error == 0.0) == (true == 0)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("sizes", [(1, 200, 1), (2, 3, 130, 1), (2, 70, 66, 1), (3, 65, 3, 1), (3, 2, 129, 1)])
def test_labels_of_more_than_a_word_of_neurons(sizes, mode):
    """Those of generators in words that were done before they were made, against evaluation at points inside."""
    os.environ[compiled.VARIABLE] = mode
    rng = np.random.default_rng(sum(sizes))
    network = gaussian(sizes, 11)
    found = exactfd.canonical_complex(network)
    for k, number in enumerate(found.f_vector):
        for index in rng.choice(number, min(number, 15), replace=False).tolist():
            cell = found.cell(k, index)
            assert cell.labels == network.ternary_tuple(cell.interior_point())


@pytest.mark.parametrize("ahead", [1, signs_module._AHEAD])
@given(st.integers(0, 2**32 - 1))
def test_words_that_were_left_out(ahead, seed):
    """Each generator has what its ends have, which may be new themselves."""
    rng = np.random.default_rng(seed)
    begun, old = np.sort(rng.integers(1, 30, 4)).tolist(), int(rng.integers(2, 5))
    begun[0], count = min(old, begun[0]), 30
    parents = np.array([sorted(rng.integers(0, max(v, 1), 2)) for v in range(count)], dtype=np.int32)
    full = rng.integers(0, 2**WORD, (2, 4, count), dtype=np.uint64)
    for word, first in enumerate(begun[1:]):
        for v in range(first, count):
            full[:, word, v] = full[:, word, parents[v, 0]] | full[:, word, parents[v, 1]]
    for mode in MODES:
        os.environ[compiled.VARIABLE] = mode
        spoilt = full.copy()
        for word, first in enumerate(begun[1:]):
            spoilt[:, word, first:] = 0xA5
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(signs_module, "_AHEAD", ahead)
            signs_module.complete(spoilt[0], spoilt[1], begun, parents, count)
        assert (spoilt == full).all()


def test_words_that_were_left_out_take_linear_work(monkeypatch):
    """Each generator comes from the one before, so that there are as many steps: few are looked at in each."""
    monkeypatch.setenv(compiled.VARIABLE, "never")
    count, looked, nonzero = 2000, [], np.flatnonzero
    parents = np.repeat(np.arange(-1, count - 1, dtype=np.int32), 2).reshape(count, 2)
    positive, negative = np.zeros((2, 3, count), dtype=np.uint64)
    positive[:, 2] = 5
    monkeypatch.setattr(np, "flatnonzero", lambda flags: looked.append(len(flags)) or nonzero(flags))
    signs_module.complete(positive, negative, [2, 3, 4], parents, count)
    assert sum(looked) <= count * signs_module._AHEAD
    assert (positive[0, 2:] == 5).all()
    assert not positive[1, 3:].any()


@given(st.integers(1, 2**WORD - 1))
def test_the_lowest_bit(word):
    assert signs_loops.lowest(np.uint64(word)) == (word & -word).bit_length() - 1


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=5), min_size=1, max_size=8), st.integers(0, 2**32 - 1))
def test_unions_and_packing(rows, seed):
    """Rows in any order in the pool, and rows that are stale between them."""
    rng = np.random.default_rng(seed)
    below = rng.integers(0, 2**WORD, 10, dtype=np.uint64)
    table = CellTable(2, None, np.ones(len(rows), dtype=bool))
    pool = [0] * 3
    for c in rng.permutation(len(rows)).tolist():
        table.starts[c], table.sizes[c] = len(pool), len(rows[c])
        pool += rows[c]
    table.flat, table.used, table.stale = np.array(pool, dtype=np.int32), len(pool), 3
    result = np.zeros(len(rows), dtype=np.uint64)
    tables_loops.union(table.flat, table.starts, table.sizes, len(rows), below, result)
    assert result.tolist() == [int(np.bitwise_or.reduce(below[row])) for row in rows]
    packed = np.zeros(len(pool) - 3, dtype=np.int32)
    tables_loops.pack(table.flat, table.starts, table.sizes, len(rows), packed)
    assert packed.tolist() == [h for row in rows for h in row]
    assert table.starts[: len(rows)].tolist() == [sum(map(len, rows[:c])) for c in range(len(rows))]


@given(st.lists(st.lists(st.integers(0, 9), min_size=2, max_size=5), min_size=1, max_size=8), st.integers(0, 2**32 - 1))
@pytest.mark.parametrize("dimension", [1, 2])
def test_who_waits_at_the_start_of_a_word(dimension, rows, seed):
    rng = np.random.default_rng(seed)
    plus, minus = rng.integers(0, 2**WORD, (2, 10), dtype=np.uint64) & rng.integers(0, 2**WORD, 10, dtype=np.uint64)
    table, rows = CellTable(dimension, None, np.ones(len(rows), dtype=bool)), [row[: 5 * dimension - 3] for row in rows]
    table.replace_rows(np.concatenate(rows).astype(np.int32), np.array([len(row) for row in rows], dtype=np.int32))
    signs = [tuple(reduce(or_, (int(below[h]) for h in row)) for below in (plus, minus)) for row in rows]
    mixed = [(c, p & m) for c, (p, m) in enumerate(signs) if p & m]
    for mode in ("never", "always"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(compiled.VARIABLE, mode)
            cells, both, count = table.start_word((plus, minus))
        assert list(zip(cells[:count].tolist(), both[:count].tolist(), strict=True)) == mixed
        assert table.positive[: len(rows)].tolist() == [p for p, _ in signs]
        assert table.negative[: len(rows)].tolist() == [m for _, m in signs]


class Asking(Budget):
    """A budget that writes down how much memory is asked for, and gives no more than ``most`` bytes at a time."""

    def __init__(self, most):
        super().__init__()
        self.asked, self.most = [], most

    def check(self, *, cells=0, bytes_needed=0):
        self.asked.append(bytes_needed)
        if bytes_needed > self.most:
            raise BudgetExceeded("too much")


@pytest.mark.parametrize("mode", ["never", "always"])
@pytest.mark.parametrize("sizes", [(2, 40, 40, 1), (3, 16, 16, 1), (4, 8, 8, 1)])
def test_memory_is_asked_for_before_arrays_are_copied(monkeypatch, mode, sizes):
    monkeypatch.setenv(compiled.VARIABLE, mode)
    network = gaussian(sizes, 0)
    budget = Asking(1 << 40)
    whole = exactfd.canonical_complex(network, budget=budget)
    longest = max(budget.asked)
    assert 0 < longest <= 16 * max(whole.f_vector) * (max(sizes) + 1)
    with pytest.raises(BudgetExceeded) as caught:
        exactfd.canonical_complex(network, budget=Asking(longest - 1))
    assert all(a <= b for a, b in zip(caught.value.partial, whole.f_vector, strict=True))
