"""Networks for tests: degenerate on purpose, from Hypothesis (with shrinking) or from a seed (the same every time).

Each kind is one function that spoils a plain random network. The functions ask a ``Source`` for integers, so the same
code serves both ways in. Kinds cycle in ``degenerate_networks``; ``networks`` draws them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any, Literal, TypeVar

import numpy as np
from hypothesis import strategies as st

from exactfd.geometry.labels import smooth_mask
from exactfd.geometry.location import ternary_tuples
from exactfd.network import Network
from exactfd.points import Points, checked_points

T = TypeVar("T")
Integer = Callable[[int, int], int]  # inclusive bounds
Rows = list[list[Fraction]]  # one augmented matrix, rows [weights | bias]
Activation = Literal["identity", "relu"]


class Source:
    """Choices, all made of bounded integers."""

    def __init__(self, integer: Integer) -> None:
        self.integer = integer

    def choice(self, options: Sequence[T]) -> T:
        return options[self.integer(0, len(options) - 1)]

    def chance(self, percent: int) -> bool:
        return self.integer(0, 99) >= 100 - percent  # shrinks towards "no"

    def fraction(self, size: int = 3, denominators: Sequence[int] = (1, 1, 2)) -> Fraction:
        return Fraction(self.integer(-size, size), self.choice(denominators))

    def positive(self) -> Fraction:
        return Fraction(self.integer(1, 5), self.integer(1, 3))

    def nonzero(self, size: int = 3) -> Fraction:
        return Fraction(self.integer(1, size) * self.choice((1, -1)))


HIDDEN: dict[int, tuple[tuple[int, ...], ...]] = {
    1: ((2,), (3,), (4,), (2, 2), (3, 2), (2, 2, 2), (3, 3, 3)),
    2: ((2,), (3,), (2, 2), (3, 2), (2, 1, 2), (3, 3), (2, 2, 2)),
    3: ((2,), (3,), (4,), (2, 2), (3, 2), (3, 3)),
    4: ((2,), (3,), (4,), (2, 2), (3, 2)),
}


def _plain(source: Source, architecture: Sequence[int]) -> list[Rows]:
    return [[[source.fraction() for _ in range(m + 1)] for _ in range(n)] for m, n in pairwise(architecture)]


def _some_layer(source: Source, layers: list[Rows], *, width: int = 1, first: int = 0) -> Rows:
    """A layer of at least ``width`` neurons, a hidden one where there is one; the last resort is the last layer."""
    wide = [rows for rows in layers[first:-1] if len(rows) >= width] or [layers[-1]]
    return source.choice(wide)


def _two_neurons(source: Source, rows: Rows) -> tuple[int, int]:
    first = source.integer(0, len(rows) - 1)
    return first, (first + 1) % len(rows)


# ------------------------------------------------------------------ ways to spoil a network


def generic(source: Source, layers: list[Rows]) -> None:
    """Nothing on purpose; larger numbers, so that little happens by accident."""
    for rows in layers:
        for row in rows:
            row[:] = [source.fraction(9, (1, 2, 3, 5, 7)) for _ in row]


def small_integers(source: Source, layers: list[Rows]) -> None:
    """Entries in {-1, 0, 1}: coincidences of every sort by accident."""
    for rows in layers:
        for row in rows:
            row[:] = [Fraction(source.integer(-1, 1)) for _ in row]


def zero_row(source: Source, layers: list[Rows]) -> None:
    """A neuron that does not look at its input; with bias 0 its label is 0 everywhere."""
    row = source.choice(_some_layer(source, layers))
    row[:] = [Fraction(0)] * (len(row) - 1) + [Fraction(source.choice((0, 0, 1, -1)))]


def duplicated_neuron(source: Source, layers: list[Rows]) -> None:
    rows = _some_layer(source, layers, width=2)
    first, second = _two_neurons(source, rows)
    rows[second][:] = rows[first]


def parallel_rows(source: Source, layers: list[Rows]) -> None:
    """Parallel hyperplanes, in the same or in opposite directions, with different offsets."""
    rows = _some_layer(source, layers, width=2)
    first, second = _two_neurons(source, rows)
    factor = source.nonzero()
    rows[second][:] = [factor * entry for entry in rows[first]]
    rows[second][-1] += source.choice((1, -1)) * source.positive()


def opposite_rows(source: Source, layers: list[Rows]) -> None:
    """One hyperplane, seen from both sides."""
    rows = _some_layer(source, layers, width=2)
    first, second = _two_neurons(source, rows)
    factor = source.positive()
    rows[second][:] = [-factor * entry for entry in rows[first]]


def concurrent_hyperplanes(source: Source, layers: list[Rows]) -> None:
    """All hyperplanes of the first layer through one point."""
    point = [source.fraction() for _ in layers[0][0][:-1]]
    for row in layers[0]:
        row[-1] = -sum((w * x for w, x in zip(row[:-1], point, strict=True)), Fraction(0))


def zero_biases(source: Source, layers: list[Rows]) -> None:
    for rows in layers:
        for row in rows:
            row[-1] = Fraction(0)


def rank_deficient(source: Source, layers: list[Rows]) -> None:
    """Every weight row of one layer is a multiple of one row (the first layer half the time)."""
    rows = layers[0] if source.chance(50) else _some_layer(source, layers, width=2)
    for row in rows[1:]:
        factor = source.fraction(2)
        row[:-1] = [factor * entry for entry in rows[0][:-1]]


def dead_neuron(source: Source, layers: list[Rows]) -> None:
    """Never active: a constant below zero, or nonpositive weights on ReLUs and a negative bias."""
    index = source.integer(0, max(len(layers) - 2, 0))
    row = source.choice(layers[index])
    row[:-1] = [-abs(entry) if index else Fraction(0) for entry in row[:-1]]
    row[-1] = -source.positive()


def always_active(source: Source, layers: list[Rows]) -> None:
    index = source.integer(0, max(len(layers) - 2, 0))
    row = source.choice(layers[index])
    row[:-1] = [abs(entry) if index else Fraction(0) for entry in row[:-1]]
    row[-1] = source.positive()


def vanishing_neuron(source: Source, layers: list[Rows]) -> None:
    """A later neuron that repeats one earlier ReLU: identically 0 on the open set where that one is off."""
    index = 1 if len(layers) > 2 else len(layers) - 1
    row = source.choice(layers[index])
    row[:] = [Fraction(0)] * len(row)
    row[source.integer(0, len(row) - 2)] = source.nonzero()


def coincident_bends(source: Source, layers: list[Rows]) -> None:
    """A later neuron that vanishes exactly on a hyperplane of the first layer: relu(a) - relu(-a) = a."""
    if len(layers) < 2 or len(layers[0]) < 2:
        return
    factor = source.positive()
    layers[0][1][:] = [-factor * entry for entry in layers[0][0]]
    row = source.choice(layers[1])
    row[:] = [Fraction(0)] * len(row)
    row[0] = source.nonzero()
    row[1] = -row[0] / factor


def many_zeros(source: Source, layers: list[Rows]) -> None:
    for rows in layers:
        for row in rows:
            row[:] = [entry if source.chance(30) else Fraction(0) for entry in row]


def big_denominators(source: Source, layers: list[Rows]) -> None:
    """Numerators and denominators of about 400 bits, none of them dyadic."""
    for rows in layers:
        for row in rows:
            row[:] = [Fraction(source.integer(-(2**400), 2**400), 2**400 - source.integer(1, 2**390)) for _ in row]


def tiny_weights(source: Source, layers: list[Rows]) -> None:
    """Weights near 10^-300 beside ordinary ones: products underflow binary64."""
    for rows in layers:
        for row in rows:
            row[:] = [entry / 10 ** (300 if source.chance(50) else 0) for entry in row]


def almost_coincident(source: Source, layers: list[Rows]) -> None:
    """Two hyperplanes that binary64 cannot tell apart (2^-70 of a difference), or can just (2^-40)."""
    rows = _some_layer(source, layers, width=2)
    first, second = _two_neurons(source, rows)
    rows[second][:] = rows[first]
    for _ in range(2):
        rows[second][source.integer(0, len(rows[first]) - 1)] += source.nonzero() / 2 ** source.choice((40, 70, 200))


def two_at_once(source: Source, layers: list[Rows]) -> None:
    spoils = (zero_row, duplicated_neuron, zero_biases, rank_deficient, dead_neuron, many_zeros)
    for _ in range(2):
        source.choice(spoils)(source, layers)


def one_input(source: Source, layers: list[Rows]) -> None:
    """n_0 = 1 (the architecture is the point)."""


def width_one(source: Source, layers: list[Rows]) -> None:
    """Every hidden layer has one neuron (the architecture is the point)."""


def one_layer(source: Source, layers: list[Rows]) -> None:
    """No hidden layer (the architecture is the point)."""


KINDS: dict[str, Callable[[Source, list[Rows]], None]] = {
    spoil.__name__: spoil
    for spoil in (
        generic,
        small_integers,
        zero_row,
        duplicated_neuron,
        parallel_rows,
        opposite_rows,
        concurrent_hyperplanes,
        zero_biases,
        rank_deficient,
        dead_neuron,
        always_active,
        vanishing_neuron,
        coincident_bends,
        many_zeros,
        big_denominators,
        tiny_weights,
        almost_coincident,
        two_at_once,
        one_input,
        width_one,
        one_layer,
    )
}


def _architecture(source: Source, kind: str, inputs: int) -> tuple[int, ...]:
    outputs = source.choice((1, 1, 2))
    if kind == "one_layer":
        return (inputs, source.choice((1, 2, 3)))
    if kind == "width_one":
        return (inputs, *[1] * source.choice((1, 2, 3, 4)), outputs)
    return (inputs, *source.choice(HIDDEN[inputs]), outputs)


def build(source: Source, kind: str, inputs: int, output_activation: Activation) -> Network:
    inputs = 1 if kind == "one_input" else inputs
    layers = _plain(source, _architecture(source, kind, inputs))
    KINDS[kind](source, layers)
    return Network(
        [([row[:-1] for row in rows], [row[-1] for row in rows]) for rows in layers],
        output_activation=output_activation,
    )


def degenerate_networks(seed: int, count: int) -> Iterator[tuple[str, Network]]:
    """``count`` pairs (kind, network): every kind in turn, both output activations, ``n_0`` = 1 to 4.

    Any 8 consecutive turns of one kind meet every pair (activation, ``n_0``). The same arguments give the same
    networks.
    """
    generator = random.Random(seed)
    source = Source(generator.randint)
    names = list(KINDS)
    activations: tuple[Activation, Activation] = ("identity", "relu")
    for index in range(count):
        turn, which = divmod(index, len(names))
        activation = activations[(turn + which) % 2]
        yield names[which], build(source, names[which], 1 + (turn // 2 + which) % 4, activation)


# ------------------------------------------------------------------ Hypothesis


@st.composite
def networks(draw: Any, kinds: Sequence[str] = tuple(KINDS), max_inputs: int = 3) -> Network:
    """A network of one of ``kinds``; shrinks towards zeros, few inputs and the first kind."""
    source = Source(lambda low, high: draw(st.integers(low, high)))
    kind = draw(st.sampled_from(list(kinds)))
    inputs = source.integer(1, max_inputs)
    return build(source, kind, inputs, draw(st.sampled_from(("identity", "relu"))))


def fractions(size: int = 5, denominator: int = 4) -> st.SearchStrategy[Fraction]:
    return st.builds(Fraction, st.integers(-size, size), st.integers(1, denominator))


def positive_fractions() -> st.SearchStrategy[Fraction]:
    return st.builds(Fraction, st.integers(1, 9), st.integers(1, 9))


def smooth(network: Network, batch: Any) -> Points:
    """Those of some points that are parametrically smooth."""
    batch = checked_points(batch, network.input_dimension)
    mask = smooth_mask(ternary_tuples(network, batch), network.relu_widths)
    return batch.take(np.flatnonzero(mask).tolist())


def points(dimension: int) -> st.SearchStrategy[tuple[Fraction, ...]]:
    return st.tuples(*[fractions()] * dimension)


@st.composite
def invertible_matrices(draw: Any, size: int) -> list[list[Fraction]]:
    """A product of a unit lower triangular, a nonzero diagonal, a permutation and a unit upper triangular matrix."""
    lower = [[Fraction(i == j) if i <= j else draw(fractions(2, 2)) for j in range(size)] for i in range(size)]
    upper = [[Fraction(i == j) if i >= j else draw(fractions(2, 2)) for j in range(size)] for i in range(size)]
    scales = [draw(positive_fractions()) * draw(st.sampled_from((1, -1))) for _ in range(size)]
    order = draw(st.permutations(range(size)))
    middle = [[scales[i] * (order[i] == j) for j in range(size)] for i in range(size)]
    return product(product(lower, middle), upper)


def product(left: Sequence[Sequence[Fraction]], right: Sequence[Sequence[Fraction]]) -> list[list[Fraction]]:
    columns = list(zip(*right, strict=True))
    return [[sum((a * b for a, b in zip(row, column, strict=True)), Fraction(0)) for column in columns] for row in left]
