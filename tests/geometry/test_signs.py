"""The bounds behind the float filter, against sums in exact integers."""

from __future__ import annotations

import random
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from flint import fmpq, fmpq_mat, fmpz

from exactfd import compiled
from exactfd.geometry import bits, bounds
from exactfd.geometry.homogeneous import _fractions, homogenise, rounded, scaled
from exactfd.geometry.plane import PlaneTable
from exactfd.geometry.signs import GeneratorTable
from exactfd.network import Network


def shifted_down(entry, exponent):
    return Fraction(int(entry)) / Fraction(2) ** exponent


def exact_layer(homogeneous, layer):
    """The layer that ``float_layer`` rounds."""
    columns, shifts = homogeneous.exponents[layer - 1].tolist(), homogeneous.exponents[layer].tolist()[:-1]
    return [
        [shifted_down(entry, k - shift) for entry, shift in zip(row, columns, strict=True)]
        for row, k in zip(homogeneous.layers[layer].tolist(), shifts, strict=True)
    ]


@pytest.mark.parametrize("bits_", [1, 53, 54, 64, 65, 1000, 1025, 9000])
def test_rounding_of_integers(bits_):
    """Both branches: a row with an entry that overflows a float takes the other one."""
    rng = random.Random(bits_)
    entries = [rng.choice((-1, 1)) * (rng.getrandbits(bits_) | 1 << (bits_ - 1)) for _ in range(20)]
    entries += [0, 1, -1, 2**bits_ - 1, 1 - 2**bits_]
    mantissas, exponents = rounded([[fmpz(entry) for entry in entries]])
    for entry, mantissa, exponent in zip(entries, mantissas[0].tolist(), exponents[0].tolist(), strict=True):
        assert (mantissa == 0.0) == (entry == 0)
        assert abs(Fraction(mantissa) * Fraction(2) ** exponent - entry) <= Fraction(abs(entry), 2**52)
    shifted = scaled(mantissas, exponents - exponents.max())
    assert np.abs(shifted).max() <= 1.0
    assert (np.sign(shifted[shifted != 0.0]) == np.sign(mantissas[shifted != 0.0])).all()


def entry_of_a_float(rng, lowest):
    """Zeros, the shortest and the longest powers that ``lowest`` allows, and what lies between."""
    return rng.choice((0.0, -0.0, 1.0, rng.gauss(0, 1), 2.0**lowest, -3.0 * 2.0**lowest, 2.0**900 * rng.gauss(0, 1)))


@pytest.mark.parametrize("quotient", [True, False])
@pytest.mark.parametrize("lowest", [-2, -1021, -1022, -1023, -1024, -1074])  # 1023: the longest common denominator
def test_integers_are_multiples_of_the_layers(lowest, quotient):
    """By positive numbers, on inputs that are multiplied by theirs; and floats of them are rounded correctly."""
    rng = random.Random(lowest)
    for _ in range(60):
        sizes = [rng.randint(1, 3) for _ in range(4)]
        entries = []
        for m, n in pairwise(sizes):
            power = rng.choice((lowest, -2))
            entries.append(np.array([[entry_of_a_float(rng, power) for _ in range(m + 1)] for _ in range(n)]))
        network = Network([(table[:, :-1].copy(), table[:, -1].copy()) for table in entries])
        homogeneous = homogenise(network, quotient=quotient)
        assert homogeneous == homogenise(network, quotient=quotient)
        scales = None
        for number, (layer, (mantissas, exponents)) in enumerate(
            zip(homogeneous.layers, homogeneous.rounded_layers, strict=True)
        ):
            for row, *floats in zip(layer.tolist(), mantissas.tolist(), exponents.tolist(), strict=True):
                for integer, mantissa, exponent in zip(row, *floats, strict=True):
                    off = abs(Fraction(mantissa) * Fraction(2) ** exponent - int(integer))
                    assert off <= Fraction(abs(int(integer)), 2**52)
            exact = [[Fraction(x) for x in row] for row in entries[number].tolist()]
            if number == 0 and quotient:
                lift = [[Fraction(int(x.p), int(x.q)) for x in row] for row in homogeneous.lift.tolist()]
                lift.append([Fraction(0)] * homogeneous.rank + [Fraction(1)])
                exact = [
                    [
                        sum((a * row[k] for a, row in zip(line, lift, strict=True)), Fraction(0))
                        for k in range(len(lift[0]))
                    ]
                    for line in exact
                ]
            scales = [*(scales or [1] * homogeneous.rank), 1]
            outputs = []
            for row, line in zip(layer.tolist(), exact, strict=True):
                ratios = {int(a) * scale / b for a, b, scale in zip(row, line, scales, strict=True) if b != 0}
                assert all((a == 0) == (b == 0) for a, b in zip(row, line, strict=True))
                assert len(ratios) <= 1
                assert all(ratio > 0 for ratio in ratios)
                outputs.append(ratios.pop() if ratios else None)
            if None in outputs:  # a neuron that is zero: any number would do
                break
            scales = outputs


@pytest.fixture(params=["never", "always"])
def both_ways(request, monkeypatch):
    monkeypatch.setenv(compiled.VARIABLE, request.param)


def test_products_that_are_shorter_than_they_say_are_noticed(monkeypatch):
    """A library may be told to multiply float32 as bfloat16."""
    bounds.kind_of_bounds.cache_clear()
    assert bounds.kind_of_bounds() is np.float32

    def short(left, right):
        cut = [np.ldexp(np.rint(np.frexp(x)[0] * 2**8) / 2**8, np.frexp(x)[1]).astype(x.dtype) for x in (left, right)]
        return left @ right if left.dtype == np.float64 else cut[0] @ cut[1]

    bounds.kind_of_bounds.cache_clear()
    monkeypatch.setattr(np, "matmul", short)
    assert bounds.kind_of_bounds() is np.float64
    monkeypatch.undo()
    bounds.kind_of_bounds.cache_clear()


@pytest.fixture(params=[np.float32, np.float64])
def either_kind(request, monkeypatch):
    monkeypatch.setattr(bounds, "kind_of_bounds", lambda: request.param)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.usefixtures("both_ways")
def test_bounds_cover_the_rounding_of_a_layer(seed):
    """Floats that are exact before a layer are not exact after it: products and sums round, whatever came before.

    The bounds of the first layer are taken away, so that nothing else can cover what the second one rounds.
    """
    rng = np.random.default_rng(seed)
    width = int(rng.integers(2, 40))
    first = (rng.standard_normal((width, 2)), rng.standard_normal(width))
    second = (rng.standard_normal((6, width)) * 2.0 ** rng.integers(-30, 30, (6, 1)), rng.standard_normal(6))
    homogeneous = homogenise(Network([first, second, (np.ones((1, 6)), [0])]))
    points = [[*map(int, row), 1] for row in rng.integers(-9, 10, (20, 2))] + [[1, 0, 0], [0, -1, 0]]
    table = GeneratorTable(homogeneous, points)
    table.start_layer(0)
    table._errors[table._values != 0] = 1e-300
    before, active = table._values.copy(), bits.unpack(table.positive, width) > 0
    table._refresh = lambda *_: None  # else a value that is open would be replaced by an exact one
    table.start_layer(1)
    matrix, rounded = exact_layer(homogeneous, 1), 0
    for v in range(len(points)):
        inputs = [Fraction(x) if on else Fraction(0) for x, on in zip(before[v], [*active[v], True], strict=True)]
        for j, row in enumerate(matrix):
            true = sum((a * x for a, x in zip(row, inputs, strict=True)), Fraction(0))
            distance = abs(true - Fraction(table._values[v, j]))
            assert distance <= Fraction(table._errors[v, j])
            rounded += distance > Fraction(1e-290)
    assert rounded > 50


@pytest.mark.parametrize("spread", [0, 20, 60, 300])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.usefixtures("both_ways", "either_kind")
def test_bounds_cover_what_a_layer_is_given(seed, spread):
    """For any true inputs that the bounds allow, of very different sizes; and only zeros that must be are known."""
    rng, random_ = np.random.default_rng([seed, spread]), random.Random(seed)
    width, count = int(rng.integers(2, 20)), 12
    weights = rng.standard_normal((6, width)) * rng.integers(0, 2, (6, width)) * 10.0 ** rng.integers(-spread, 1, width)
    network = Network([(rng.standard_normal((width, 1)), [1.0] * width), (weights, [0.0] * 6), (np.ones((1, 6)), [0])])
    homogeneous = homogenise(network)
    table = GeneratorTable(homogeneous, [[k, 1] for k in range(count)])
    table.start_layer(0)
    shape = table._values.shape
    values = rng.standard_normal(shape) * 10.0 ** rng.integers(-spread, spread + 1, shape)
    errors = np.abs(values) * 10.0 ** rng.integers(-16, -2, shape) + 1e-300
    known = rng.random(shape) < 0.3
    values[known], errors[known] = 0.0, 0.0
    values[:, -1], errors[:, -1] = 1.0, 1e-300
    zeros_alone = count - 1  # what reads nothing but zeros
    values[zeros_alone, :-1] = errors[zeros_alone, :-1] = 0.0
    table._values, table._errors = values, errors
    true = [[shifted_by(v, e, random_) for v, e in zip(*row, strict=True)] for row in zip(values, errors, strict=True)]
    table.positive = bits.pack(np.array([[x > 0 for x in row[:-1]] for row in true]))
    active, asked = bits.unpack(table.positive[:, :count], width) > 0, []
    table._refresh = lambda generators, _: asked.extend(generators.tolist())
    table.start_layer(1)
    matrix, decided = exact_layer(homogeneous, 1), 0
    above_below = [bits.unpack(words[:, :count], 6) > 0 for words in (table.positive, table.negative)]
    for v in range(count):
        inputs = [x if on else Fraction(0) for x, on in zip(true[v], [*active[v], True], strict=True)]
        for j, row in enumerate(matrix):
            exact = sum((a * x for a, x in zip(row, inputs, strict=True)), Fraction(0))
            value, error = table._values[v, j], table._errors[v, j]
            assert abs(exact - Fraction(value)) <= Fraction(error)
            nothing = all(
                a == 0 or not on or errors[v, k] == 0
                for k, (a, on) in enumerate(zip(row, [*active[v], True], strict=True))
            )
            assert (error == 0) == nothing
            assert not above_below[0][v, j] or exact > 0
            assert not above_below[1][v, j] or exact < 0
            if not (above_below[0][v, j] or above_below[1][v, j] or error == 0):
                assert v in asked
            decided += bool(above_below[0][v, j] or above_below[1][v, j])
    assert decided > 10 or spread == 300


def test_what_overflows_before_or_in_a_layer_is_unknown(monkeypatch):
    """By NumPy and by loops alike, number by number."""
    found = []
    for way in ("never", "always"):
        monkeypatch.setenv(compiled.VARIABLE, way)
        rng = np.random.default_rng(5)
        width, count = 70, 40
        layers = [(rng.standard_normal((width, 2)), rng.standard_normal(width)) for _ in range(1)]
        layers += [(rng.standard_normal((width, width)), rng.standard_normal(width)), (np.ones((1, width)), [0])]
        table = GeneratorTable(
            homogenise(Network(layers)), [[*map(int, row), 1] for row in rng.integers(-9, 9, (count, 2))]
        )
        table.start_layer(0)
        odd = [0.0, np.inf, np.nan, 1e308, 1e-308, 5e-324, -1.0]
        chosen = rng.random(table._values.shape) < 0.01
        table._values[chosen] = rng.choice(odd, chosen.sum())
        chosen = rng.random(table._values.shape) < 0.01
        table._errors[chosen] = rng.choice(odd[:-1], chosen.sum())
        asked = []
        table._refresh = lambda generators, _, asked=asked: asked.append(generators.tolist())
        with np.errstate(all="ignore"):
            table.start_layer(1)
        found.append((table._values, table._errors, table.positive[:, :count], table.negative[:, :count]))
        unknown = ~np.isfinite(table._values[:, :-1]) | ~np.isfinite(table._errors[:, :-1])
        assert unknown.any()
        assert not unknown.all()
        assert {v for part in asked for v in part} >= set(np.flatnonzero(unknown.any(axis=1)).tolist())
    assert all(np.array_equal(a, b, equal_nan=a.dtype == float) for a, b in zip(*found, strict=True))


def shifted_by(value, error, rng):
    """A number within ``error`` of ``value``, mostly at the end of what is allowed; zeros without error stay zeros."""
    return Fraction(value) + Fraction(error) * rng.choice((-1, 1, Fraction(rng.randint(-99, 99), 100)))


def in_frame(first, second, heights):
    """Exact coordinates of the zero of two neurons in a frame, scaled to height one; none where the height is 0."""
    x = [
        first[1] * second[2] - first[2] * second[1],
        first[2] * second[0] - first[0] * second[2],
        first[0] * second[1] - first[1] * second[0],
    ]
    height = x[0] + heights[0] * x[1] + heights[1] * x[2]
    return [entry / height for entry in x] if height else None


def frames(rng, count, width, spread, doubt):
    """Values (three rows a frame), bounds, true values within them, and heights of ``count`` frames.

    The last neurons nearly vanish where the first two do.
    """
    values, errors, heights = np.zeros((3 * count, width + 1)), np.zeros((3 * count, width + 1)), np.ones((2, count))
    for f in range(count):
        heights[:, f] = rng.choice(((1, 1), (1, 0), (0, 1), (0, 0)))
        for row in range(3 * f, 3 * f + 3):
            for i in range(width // 2):
                values[row, i] = rng.choice((1, 1, 1, 1, 1, 0)) * rng.gauss(0, 1) * 2.0 ** rng.randint(-spread, spread)
        for i in range(width // 2, width):  # the same combination in all three rows, but for little
            u, v = rng.randint(-3, 3), rng.choice((-2, -1, 1, 2))
            values[3 * f : 3 * f + 3, i] = u * values[3 * f : 3 * f + 3, 0] + v * values[3 * f : 3 * f + 3, 1]
            values[3 * f + rng.randint(0, 2), i] *= 1 + rng.choice((-1, 1)) * 2.0 ** -rng.randint(1, 53)
        for row in range(3 * f, 3 * f + 3):
            errors[row] = np.abs(values[row]) * [2.0 ** -rng.choice((1000, *doubt)) for _ in range(width + 1)]
            errors[row] += np.where(values[row] != 0.0, 1e-300, 0.0)
    true = [[shifted_by(v, e, rng) for v, e in zip(*row, strict=True)] for row in zip(values, errors, strict=True)]
    return values, errors, true, heights


@pytest.mark.parametrize("doubt", [(1000,), (50,), (20, 30), (2, 8)])
@pytest.mark.parametrize("spread", [0, 10, 80, 400, 900])
@pytest.mark.parametrize("backwards", [False, True])
def test_bounds_cover_zeros_in_frames(spread, doubt, backwards):
    """Coordinates in a frame and signs there, for any true values that the bounds of the frame allow."""
    rng, count, width = random.Random(1000 * spread + doubt[0]), 150, 14
    values, errors, true, heights = frames(rng, count, width, spread, doubt)
    neuron, other = 0, 1
    if backwards:
        neuron, other = width - 1, width - 2
        order = [*reversed(range(width)), width]
        values, errors, true = values[:, order], errors[:, order], [[row[i] for i in order] for row in true]
    assert np.isfinite(values).all()
    table = PlaneTable(homogenise(Network([(np.eye(2), [0, 0]), (np.ones((width, 2)), [0] * width)])), [[0, 0, 1]])
    table._values, table._errors, table._heights = values, errors, heights
    base, all_frames = np.arange(3 * count).reshape(count, 3).T * (width + 1), np.arange(count)
    decided = found = 0
    for on_edge in (False, True):
        line = np.full(count, -1 if on_edge else other)
        if on_edge:
            base[2] = base[0]
            heights[1] = 1.0
        at, error = table._zeros(base, all_frames, neuron, line)
        points = []
        for f in range(count):
            rows = [true[place // (width + 1)] for place in base[:, f].tolist()]
            second = [0, 0, 1] if on_edge else [row[other] for row in rows]
            points.append(in_frame([row[neuron] for row in rows], second, [int(h) for h in heights[:, f]]))
            if np.isfinite(error[:, f]).all():
                found += 1
                for m in (1, 2):
                    assert abs(points[f][m] - Fraction(at[m - 1, f])) <= Fraction(error[m - 1, f])
        for i in range(width):
            above, below = table._signs_at(base, heights, at, error, np.full(count, i))
            for f in np.flatnonzero(above | below).tolist():
                rows = [true[place // (width + 1)] for place in base[:, f].tolist()]
                value = sum(x * row[i] for x, row in zip(points[f], rows, strict=True))
                assert value > 0 if above[f] else value < 0
                decided += 1
    assert spread > 100 or doubt == (2, 8) or (found > count // 2 and decided > count)


def test_long_denominators_are_not_added_up():
    """A common denominator of a layer would have as many bits as all of them together, and so would each entry."""
    rng = random.Random(1)
    long = fmpq_mat([[fmpq(rng.getrandbits(400), rng.getrandbits(400) | 1) for _ in range(4)] for _ in range(3)])
    assert _fractions(long, floats=False) is None
    short = fmpq_mat([[fmpq(1, 6), fmpq(-3, 4)], [fmpq(0), fmpq(5)]])
    numerators, denominator = _fractions(short, floats=False)
    assert (numerators.tolist(), denominator) == ([[2, -9], [0, 60]], 12)
    floats = fmpq_mat([[fmpq(*x.as_integer_ratio()) for x in (5e-324, 1e300)]])
    numerators, denominator = _fractions(floats, floats=True)
    assert [entry / denominator for entry in fmpq_mat(numerators).entries()] == floats.entries()
