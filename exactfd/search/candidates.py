"""Where a search looks: small integers, small rationals, structured families, random starts, and moves from the best.

Every candidate is an exact rational network. Floats choose some of them (normal weights, rounded to short dyadics);
they decide nothing. The same seed gives the same candidates in the same order.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise, product

from exactfd.network import Network, OutputActivation

Rows = list[list[Fraction]]  # one augmented matrix, rows (weights, bias)
Family = Callable[[random.Random, list[Rows]], None]

#: All parameters with entries in {-1, 0, 1} are tried where there are no more than this.
MOST_PARAMETERS = 20_000


def rows_of(network: Network) -> list[Rows]:
    """The augmented matrices as lists that can be changed."""
    return [[[*row, b] for row, b in zip(weight, bias, strict=True)] for weight, bias in network.to_fractions()]


def network_of(layers: Sequence[Rows], output_activation: OutputActivation) -> Network:
    """The network of augmented matrices."""
    return Network(
        [([row[:-1] for row in rows], [row[-1] for row in rows]) for rows in layers],
        output_activation=output_activation,
    )


# --------------------------------------------------------------------------- families


def small_integers(rng: random.Random, layers: list[Rows]) -> None:
    """Entries in ``{-size, ..., size}``, ``size`` from 1 to 3."""
    size = rng.randint(1, 3)
    _fill(layers, lambda fan_in: Fraction(rng.randint(-size, size)))


def integers_from_minus_one_to_two(rng: random.Random, layers: list[Rows]) -> None:
    """Entries in ``{-1, 0, 1, 2}``."""
    _fill(layers, lambda fan_in: Fraction(rng.randint(-1, 2)))


def small_rationals(rng: random.Random, layers: list[Rows]) -> None:
    """Numerators up to 4, denominators up to 3."""
    _fill(layers, lambda fan_in: Fraction(rng.randint(-4, 4), rng.randint(1, 3)))


def normal_weights(rng: random.Random, layers: list[Rows]) -> None:
    """He-normal weights (variance 2 / fan-in) and normal biases, rounded to multiples of 1/64."""
    _fill(layers, lambda fan_in: _dyadic(rng.gauss(0, (2 / fan_in) ** 0.5)))
    for rows in layers:
        for row in rows:
            row[-1] = _dyadic(rng.gauss(0, 0.5))


def zero_biases(rng: random.Random, layers: list[Rows]) -> None:
    """Small integers, every bias zero."""
    small_integers(rng, layers)
    for rows in layers:
        for row in rows:
            row[-1] = Fraction(0)


def duplicated_neuron(rng: random.Random, layers: list[Rows]) -> None:
    """Small integers; two neurons of a layer have the same row, or opposite ones."""
    small_integers(rng, layers)
    first, second = _two_rows(rng, layers)
    sign = rng.choice((1, -1))
    second[:] = [sign * entry for entry in first]


def parallel_neurons(rng: random.Random, layers: list[Rows]) -> None:
    """Small integers; two neurons of a layer have parallel hyperplanes."""
    small_integers(rng, layers)
    first, second = _two_rows(rng, layers)
    sign = rng.choice((1, -1))
    second[:-1] = [sign * entry for entry in first[:-1]]


def dead_neuron(rng: random.Random, layers: list[Rows]) -> None:
    """Small integers; one hidden neuron is never active."""
    small_integers(rng, layers)
    index = rng.randrange(max(len(layers) - 1, 1))
    row = rng.choice(layers[index])
    row[:-1] = [-abs(entry) if index else Fraction(0) for entry in row[:-1]]
    row[-1] = Fraction(-1)


def nearly_equal_neurons(rng: random.Random, layers: list[Rows]) -> None:
    """Small integers; two rows of a layer differ by a power of two that float64 still holds."""
    small_integers(rng, layers)
    first, second = _two_rows(rng, layers)
    second[:] = first
    second[rng.randrange(len(second))] += Fraction(1, 2 ** rng.choice((20, 40, 46, 48, 50)))


def turnable_signs(rng: random.Random, layers: list[Rows]) -> None:
    """Small integers; each output weighs the last hidden layer so that the linear parts of its neurons cancel.

    The rows of the last hidden layer have weights of one sign and a bias of the other, so that each vanishes somewhere
    on every axis of its inputs. The last weights are orthogonal to the columns of those weights, where small integers
    with that property are found: the signs of all neurons of the last hidden layer can then be turned.
    """
    small_integers(rng, layers)
    for row in layers[-2] if len(layers) > 1 else ():
        sign = rng.choice((1, -1))
        row[:] = [Fraction(sign * rng.randint(1, 3)) for _ in row[:-1]] + [Fraction(-sign * rng.randint(1, 10))]
    for row in layers[-1]:
        annihilate(layers, row)


def annihilate(layers: list[Rows], row: list[Fraction]) -> None:
    """Replace the weights of a last row by integers that annihilate those of the last hidden layer, if it works."""
    width = len(row) - 1
    if len(layers) < 2 or width > 5:
        return
    columns = list(zip(*layers[-2], strict=True))[:-1]
    for size in (1, 2, 3):
        for weights in product(range(-size, size + 1), repeat=width):
            if all(weights):
                vector = [Fraction(w) for w in weights]
                if all(sum(w * e for w, e in zip(vector, column, strict=True)) == 0 for column in columns):
                    row[:-1] = vector
                    return


def _fill(layers: list[Rows], entry: Callable[[int], Fraction]) -> None:
    for rows in layers:
        for row in rows:
            row[:] = [entry(len(row) - 1) for _ in row]


def _dyadic(value: float) -> Fraction:
    return Fraction(round(value * 64), 64)


def _two_rows(rng: random.Random, layers: list[Rows]) -> tuple[list[Fraction], list[Fraction]]:
    """Two rows of a hidden layer of at least two neurons, where there is one."""
    wide = [rows for rows in layers[:-1] if len(rows) >= 2] or [layers[-1]]
    rows = rng.choice(wide)
    first = rng.randrange(len(rows))
    return rows[first], rows[(first + 1) % len(rows)]


TURNABLE = "turnable signs"
FAMILIES: dict[str, Family] = {
    "small integers": small_integers,
    "integers -1 to 2": integers_from_minus_one_to_two,
    "small rationals": small_rationals,
    "normal weights": normal_weights,
    "zero biases": zero_biases,
    "duplicated neuron": duplicated_neuron,
    "parallel neurons": parallel_neurons,
    "dead neuron": dead_neuron,
    "nearly equal neurons": nearly_equal_neurons,
    TURNABLE: turnable_signs,
}
EVERY = "all entries in {-1, 0, 1}"
MOVE = "local moves"
TURNABLE_MOVE = "local moves with turnable signs"
#: What a claim that asks for nothing special is searched in.
GENERAL = (
    "small integers",
    MOVE,
    "small rationals",
    "normal weights",
    MOVE,
    "zero biases",
    "duplicated neuron",
    "parallel neurons",
    "dead neuron",
    EVERY,
)


# --------------------------------------------------------------------------- local moves


def local_move(rng: random.Random, network: Network) -> Network:
    """One or two parameters changed: by one, to zero, to the opposite, to the double or the half."""
    layers = rows_of(network)
    places = [(rows, i, j) for rows in layers for i in range(len(rows)) for j in range(len(rows[i]))]
    for rows, i, j in rng.sample(places, rng.randint(1, min(2, len(places)))):
        value = rows[i][j]
        rows[i][j] = rng.choice((value + 1, value - 1, Fraction(0), -value, 2 * value, value / 2))
    return network_of(layers, network.output_activation)


def _made_turnable(network: Network) -> Network:
    layers = rows_of(network)
    for row in layers[-1]:
        annihilate(layers, row)
    return network_of(layers, network.output_activation)


class Candidates:
    """An endless, deterministic sequence of candidates of one architecture.

    Parameters
    ----------
    kinds
        Names of families, taken in turn; ``MOVE`` changes the best candidate so far, ``EVERY`` goes once through all
        parameters with entries in {-1, 0, 1} where those are few.
    """

    def __init__(
        self, architecture: Sequence[int], output_activation: OutputActivation, kinds: Sequence[str], seed: int
    ) -> None:
        self._architecture = tuple(architecture)
        self._activation = output_activation
        self._rng = random.Random(seed)
        parameters = sum(n * (m + 1) for m, n in pairwise(self._architecture))
        self._every = iter(self._all(parameters)) if 3**parameters <= MOST_PARAMETERS else iter(())
        self._kinds = [kind for kind in kinds if kind != EVERY or 3**parameters <= MOST_PARAMETERS]
        self._turn = 0
        self.exhausted = False  # whether EVERY has come to its end

    def _all(self, parameters: int) -> Iterator[Network]:
        for theta in product((0, 1, -1), repeat=parameters):
            yield Network.from_theta(self._architecture, theta, output_activation=self._activation)

    def next(self, best: Network | None) -> tuple[str, Network]:
        """Kind and candidate; ``best`` is where local moves begin."""
        while True:
            kind = self._kinds[self._turn % len(self._kinds)]
            self._turn += 1
            if kind in (MOVE, TURNABLE_MOVE) and best is not None:
                moved = local_move(self._rng, best)
                return kind, moved if kind == MOVE else _made_turnable(moved)
            if kind == EVERY:
                network = next(self._every, None)
                if network is not None:
                    return kind, network
                self.exhausted = True
                self._kinds = [other for other in self._kinds if other != EVERY]
            if kind in FAMILIES:
                layers = [[[Fraction(0)] * (m + 1) for _ in range(n)] for m, n in pairwise(self._architecture)]
                FAMILIES[kind](self._rng, layers)
                return kind, network_of(layers, self._activation)
