"""Whether blocks are realised: by the inputs of a network, or by some network of an architecture.

A pattern is *realised* in a network when it is that of an ``n_0``-dimensional cell: of an open set of inputs with
``z_i > 0`` where the bit of neuron ``i`` is 1 and ``z_i < 0`` where it is 0 (or ``z_i = 0`` on the whole set). On the
inputs with the pattern every pre-activation is a known affine function, so this is one exact linear program, and a no
comes with Farkas multipliers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from flint import fmpq, fmpz

from exactfd import rationals
from exactfd.budget import Budget, Progress, silent
from exactfd.errors import InputError, ShapeError
from exactfd.geometry.affine import CellMaps
from exactfd.geometry.programs import Feasible, Infeasible, Row, solve
from exactfd.network import Network
from exactfd.varieties.parametrisation import OutputVariety, PatternVariety
from exactfd.varieties.patterns import (
    Architecture,
    Pattern,
    distinct_patterns,
    labels_of,
    parse_pattern,
    pattern_of,
    pattern_text,
)

_SIZE = 10  # coordinates of random points are integers of at most this size
_WORDS = 6  # neurons that a message names


@dataclass(frozen=True)
class Realisation:
    """Whether an open set of inputs of a network has a pattern.

    Attributes
    ----------
    pattern
        The pattern.
    evidence
        A point where it holds, or multipliers of conditions that contradict each other.
    neurons
        The neuron, ``(layer, number)``, both from 1, that each row of ``evidence`` is about.
    scales
        What each row of ``evidence`` is, divided by the pre-activation (up to the sign): a positive integer.
    """

    pattern: Pattern
    evidence: Feasible | Infeasible
    neurons: tuple[tuple[int, int], ...]
    scales: tuple[int, ...]

    @property
    def realised(self) -> bool:
        """Whether some open set of inputs has the pattern."""
        return isinstance(self.evidence, Feasible)

    @property
    def point(self) -> tuple[Fraction, ...] | None:
        """An input with the pattern."""
        return self.evidence.point if isinstance(self.evidence, Feasible) else None

    @property
    def multipliers(self) -> dict[tuple[int, int], int]:
        """Positive coprime weights of the conditions ``z_i > 0`` or ``-z_i > 0`` (by the bit), with ``z_i`` the
        pre-activation itself, whose sum says ``s > 0`` with a number ``s <= 0``. Empty where the pattern is realised.
        """
        if isinstance(self.evidence, Feasible):
            return {}
        weights = {self.neurons[row]: weight * self.scales[row] for row, weight in self.evidence.multipliers.items()}
        content = math.gcd(*weights.values())
        return {neuron: weight // content for neuron, weight in weights.items()}

    def check(self) -> bool:
        """Evaluate the evidence again with Python integers."""
        return self.evidence.check()

    def to_dict(self) -> dict[str, Any]:
        """Pattern, verdict, and the point or the multipliers."""
        point = self.point
        return {
            "pattern": pattern_text(self.pattern),
            "realised": self.realised,
            "point": None if point is None else [rationals.format_rational(entry) for entry in point],
            "multipliers": [
                {"layer": layer, "neuron": i, "multiplier": str(w)} for (layer, i), w in self.multipliers.items()
            ],
        }

    def __repr__(self) -> str:
        return f"Realisation({pattern_text(self.pattern)!r}, {'realised' if self.realised else 'not realised'})"

    def _repr_html_(self) -> str:
        return f"<code>{pattern_text(self.pattern)}</code> is {'' if self.realised else 'not '}realised"


def realise(network: Network, pattern: Any) -> Realisation:
    """Whether the pattern is that of an ``n_0``-dimensional cell of ``network``, with evidence. Exact.

    ``pattern`` is as for :func:`exactfd.varieties.patterns.parse_pattern`, whose errors it raises.

    >>> net = Network([([[1], [-1]], [0, 0]), ([[1, 1]], [0])])
    >>> realise(net, "10").point
    (Fraction(2, 1),)
    >>> realise(net, "11").multipliers
    {(1, 1): 1, (1, 2): 1}
    """
    parsed = parse_pattern(pattern, network.relu_widths)
    labels = labels_of([parsed])[0].tolist()
    places = [(layer, i) for layer, width in enumerate(network.relu_widths, 1) for i in range(1, width + 1)]
    denominators = [int(network.augmented(layer).numer_denom()[1]) for layer in range(1, network.depth + 1)]
    rows, neurons, scales = [], [], []
    for row, label, place in zip(CellMaps(network).neurons(labels), labels, places, strict=True):
        if label < 0 and not any(row):
            continue  # z is zero wherever the pattern holds up to here: inactive, and nothing to ask
        rows.append(Row(tuple(label * entry for entry in row[:-1]), label * row[-1]))
        neurons.append(place)
        scales.append(math.prod(denominators[: place[0]]))  # as CellMaps scales the layers
    return Realisation(parsed, solve(rows, network.input_dimension), tuple(neurons), tuple(scales))


def require_realised(network: Network, patterns: Sequence[Pattern]) -> None:
    """Raise ``InputError``, with the Farkas multipliers, for the first block that no open set of inputs has."""
    for number, pattern in enumerate(patterns, start=1):
        found = realise(network, pattern)
        if not found.realised:
            named = [f"{weight} x neuron {i} of layer {layer}" for (layer, i), weight in found.multipliers.items()]
            words = ", ".join(named[:_WORDS]) + (f" and {len(named) - _WORDS} more" if len(named) > _WORDS else "")
            raise InputError(
                f"block {number}: expected a pattern of an open set of inputs, found {pattern_text(pattern)!r}, which "
                f"none has: its conditions contradict each other ({words}); ask for empty blocks to compute anyway "
                "(allow_empty=True, --allow-empty)"
            )


@dataclass(frozen=True)
class ArchitectureRealisation:
    """Whether some network of an architecture realises blocks.

    Attributes
    ----------
    architecture, patterns
        What was asked.
    network
        A network that does, or None.
    points
        A point for each block of that network, with strict signs.
    impossible
        Why no network does, or None. Where ``network`` is None too, nothing is known.
    """

    architecture: Architecture
    patterns: tuple[Pattern, ...]
    network: Network | None
    points: tuple[tuple[Fraction, ...], ...]
    impossible: str | None

    @property
    def realised(self) -> bool | None:
        """True and False are proved; None is not known."""
        return True if self.network is not None else (False if self.impossible else None)

    def check(self) -> bool:
        """Evaluate the network at the points again; False where there is none."""
        if self.network is None:
            return False
        widths = self.network.relu_widths
        found = [pattern_of(self.network.ternary_tuple(point), widths) for point in self.points]
        return tuple(found) == self.patterns

    def to_dict(self) -> dict[str, Any]:
        """The verdict with its evidence."""
        return {
            "blocks": [pattern_text(pattern) for pattern in self.patterns],
            "realised": self.realised,
            "network": None if self.network is None else self.network.to_dict(),
            "points": [[rationals.format_rational(entry) for entry in point] for point in self.points],
            "impossible": self.impossible,
        }

    def __repr__(self) -> str:
        words = {True: "realised", False: f"not realised: {self.impossible}", None: "not known"}[self.realised]
        return f"ArchitectureRealisation({self.architecture}, {len(self.patterns)} blocks, {words})"

    def _repr_html_(self) -> str:
        return f"{self.architecture}: {', '.join(map(pattern_text, self.patterns))}: {self!r}"


def find_network(
    architecture: Architecture | Sequence[int],
    blocks: Iterable[Any],
    *,
    tries: int = 20,
    seed: int = 0,
    budget: Budget | None = None,
    progress: Progress = silent,
) -> ArchitectureRealisation:
    """Look for a network of an architecture that realises all blocks, on open sets of inputs.

    One point is drawn for each block; layer by layer and neuron by neuron a linear program then looks for weights with
    the wanted signs at the points. A network that is found is evidence. That ``tries`` draws find none proves nothing;
    a no is proved only where, without biases, a neuron behind a dead layer is to be active.

    Raises as :class:`exactfd.varieties.parametrisation.PatternVariety` does; ``BudgetExceeded``.

    >>> found = find_network((2, 3, 1), ["110", "011"])
    >>> found.realised, found.check()
    (True, True)
    """
    architecture = architecture if isinstance(architecture, Architecture) else Architecture(tuple(architecture))
    patterns = distinct_patterns(blocks, architecture.relu_widths)
    budget = budget or Budget()
    reason = None if architecture.biases else _behind_a_dead_layer(patterns)
    if reason is not None:
        return ArchitectureRealisation(architecture, patterns, None, (), reason)
    rng = np.random.default_rng(rationals.checked_seed(seed))
    for attempt in range(tries):
        progress("draws of points", attempt, tries)
        budget.check()
        table = rng.integers(-_SIZE, _SIZE + 1, size=(len(patterns), architecture.sizes[0])).tolist()
        points = [[fmpq(entry) for entry in point] for point in table]
        network = network_with_signs(architecture, points, patterns)
        if network is not None:
            exact_points = tuple(tuple(Fraction(entry) for entry in point) for point in table)
            return ArchitectureRealisation(architecture, patterns, network, exact_points, None)
    return ArchitectureRealisation(architecture, patterns, None, (), None)


def network_with_signs(
    architecture: Architecture, points: Sequence[Sequence[fmpq]], patterns: Sequence[Pattern]
) -> Network | None:
    """A network whose pre-activations at each point have the strict signs of its pattern (zero only behind a dead
    layer, without biases); None where the linear programs of some layer have no solution for what the layers before it
    chose.
    """
    values = [list(point) for point in points]
    layers = []
    for level, width in enumerate(architecture.relu_widths):
        rows, biases = [], []
        homogeneous = [[*value, fmpq(1)] if architecture.biases else value for value in values]
        if level == 0 and not all(map(any, homogeneous)):
            return None  # the origin has no strict signs without biases
        for i in range(width):
            signs = [1 if pattern[level][i] == "1" else -1 for pattern in patterns]
            asked = [(s, rationals.primitive_row(v)[0]) for s, v in zip(signs, homogeneous, strict=True) if any(v)]
            if len(asked) < len(homogeneous) and any(
                s > 0 for s, v in zip(signs, homogeneous, strict=True) if not any(v)
            ):
                return None
            answer = solve(
                [Row(tuple(sign * entry for entry in vector), fmpz(0)) for sign, vector in asked], len(homogeneous[0])
            )
            if isinstance(answer, Infeasible):
                return None
            weights = [fmpq(entry.numerator, entry.denominator) for entry in answer.point]
            rows.append(weights[: len(values[0])])
            biases.append(weights[-1] if architecture.biases else fmpq(0))
        layers.append((rows, biases))
        values = [
            [
                z if z > 0 else fmpq(0)
                for z in (
                    sum((w * v for w, v in zip(row, value, strict=True)), bias)
                    for row, bias in zip(rows, biases, strict=True)
                )
            ]
            for value in values
        ]
    if len(layers) < len(architecture.sizes) - 1:
        outputs, width = architecture.sizes[-1], architecture.sizes[-2]
        layers.append(([[fmpq(1)] * width for _ in range(outputs)], [fmpq(0)] * outputs))
    return Network(layers, output_activation=architecture.output_activation)


def _behind_a_dead_layer(patterns: Sequence[Pattern]) -> str | None:
    for number, pattern in enumerate(patterns, start=1):
        dead = next((level for level, layer in enumerate(pattern) if "1" not in layer), None)
        if dead is not None and any("1" in layer for layer in pattern[dead + 1 :]):
            return (
                f"block {number}: all of layer {dead + 1} is inactive, so that without biases everything behind it is 0"
            )
    return None


def realised_at_points(variety: OutputVariety) -> ArchitectureRealisation:
    """Whether some parameter gives the points of an output variety their patterns, with strict signs.

    The first layer is decided: each neuron has weights of its own. A network that is found is evidence for the rest.

    >>> realised_at_points(OutputVariety((1, 2, 1), [[1], [2]], ["10", "01"])).impossible
    'no weights of neuron 1 of layer 1 have the signs of the patterns at points 1, 2'
    """
    architecture, points = variety.architecture, variety.points
    patterns = variety.pattern_of_point
    reason = None if architecture.biases else _behind_a_dead_layer(patterns)
    network = None
    if reason is None:
        reason = _first_layer(architecture, points, patterns)
    if reason is None:
        network = network_with_signs(architecture, points, patterns)
    exact_points = tuple(tuple(rationals.to_fraction(entry) for entry in point) for point in points)
    return ArchitectureRealisation(architecture, patterns, network, exact_points if network else (), reason)


def _first_layer(
    architecture: Architecture, points: Sequence[Sequence[fmpq]], patterns: Sequence[Pattern]
) -> str | None:
    for i in range(architecture.relu_widths[0] if architecture.relu_widths else 0):
        rows = []
        for point, pattern in zip(points, patterns, strict=True):
            vector = rationals.primitive_row([*point, fmpq(1)] if architecture.biases else point)[0]
            sign = 1 if pattern[0][i] == "1" else -1
            rows.append(Row(tuple(sign * entry for entry in vector), fmpz(0)))
        answer = solve(rows, architecture.columns)
        if isinstance(answer, Infeasible):
            which = ", ".join(str(index + 1) for index in answer.indices)
            return f"no weights of neuron {i + 1} of layer 1 have the signs of the patterns at points {which}"
    return None


def pattern_variety(
    network: Network, blocks: Iterable[Any], *, biases: bool | None = None, allow_empty: bool = False
) -> PatternVariety:
    """The pattern variety of blocks of a network: patterns, or ternary tuples of its cells (labels at most 0 are
    inactive).

    With biases, unless ``biases=False``, which needs a network without any. Raises ``InputError`` for the first block
    that no open set of inputs has, with the Farkas multipliers, unless ``allow_empty``.

    >>> pattern_variety(Network([([[1], [-1]], [0, 0]), ([[1, 1]], [0])]), ["10", (-1, 1)])
    PatternVariety((1,2,1) with biases, blocks 10, 01)
    """
    if isinstance(blocks, str):
        raise InputError(f"blocks: expected a list of patterns, found {blocks!r}")
    widths = network.relu_widths
    patterns = []
    for number, block in enumerate(blocks, start=1):
        flat = (
            not isinstance(block, str) and isinstance(block, Iterable) and all(entry in (-1, 0, 1) for entry in block)
        )
        if flat and len(block) != sum(widths):
            raise ShapeError(f"block {number}: the network has {sum(widths)} ReLU neurons, found {len(block)} labels")
        patterns.append(pattern_of(block, widths) if flat else block)
    variety = PatternVariety(Architecture.of(network, biases=biases), patterns)
    if not allow_empty:
        require_realised(network, variety.patterns)
    return variety
