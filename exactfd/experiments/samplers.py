"""Random networks: He, Xavier, orthogonal, normal, uniform, integer and rational laws for weights and biases.

Every draw is an exact rational: integers and fractions as drawn, floats as the dyadic rationals that they are. A
network depends on its seed, its number, its architecture and its law alone; not on the order of work, on how many
networks are drawn, or on the process that draws it. (Normal draws go through the logarithm and the cosine of the C
library, whose last bit may differ from one to another; the digest of a network tells.)

Sources: He et al., arXiv 1502.01852, section 2.2 (variance 2 / fan-in); Glorot, Bengio, AISTATS 2010, formula (12)
(variance 2 / (fan-in + fan-out)); Saxe et al., arXiv 1312.6120 (orthogonal).
"""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

from exactfd.errors import InputError
from exactfd.experiments.training import Recipe
from exactfd.network import Network, OutputActivation, checked_architecture

_LARGEST = 1e300  # of an option that floats are drawn with: no draw overflows

Entry = int | float | Fraction
Matrix = list[list[Entry]]


@dataclass(frozen=True, slots=True)
class Shape:
    """What a matrix is drawn for: its size, and the sizes that variances depend on."""

    rows: int
    columns: int
    fan_in: int
    fan_out: int


def _entries(shape: Shape, draw: Callable[[], Entry]) -> Matrix:
    return [[draw() for _ in range(shape.columns)] for _ in range(shape.rows)]


def _centred(rng: random.Random, shape: Shape, deviation: float, form: str) -> Matrix:
    if form == "uniform":
        bound = math.sqrt(3) * deviation
        return _entries(shape, lambda: rng.uniform(-bound, bound))
    return _entries(shape, lambda: rng.gauss(0.0, deviation))


def _he(rng: random.Random, shape: Shape, form: str) -> Matrix:
    return _centred(rng, shape, math.sqrt(2 / shape.fan_in), form)


def _xavier(rng: random.Random, shape: Shape, form: str) -> Matrix:
    return _centred(rng, shape, math.sqrt(2 / (shape.fan_in + shape.fan_out)), form)


def _normal(rng: random.Random, shape: Shape, deviation: float) -> Matrix:
    return _centred(rng, shape, deviation, "normal")


def _uniform(rng: random.Random, shape: Shape, low: float, high: float) -> Matrix:
    return _entries(shape, lambda: rng.uniform(low, high))


def _integer(rng: random.Random, shape: Shape, low: int, high: int) -> Matrix:
    return _entries(shape, lambda: rng.randint(low, high))


def _rational(rng: random.Random, shape: Shape, numerator: int, denominator: int) -> Matrix:
    return _entries(shape, lambda: Fraction(rng.randint(-numerator, numerator), rng.randint(1, denominator)))


def _zero(rng: random.Random, shape: Shape) -> Matrix:
    return _entries(shape, lambda: 0)


def _orthogonal(rng: random.Random, shape: Shape, gain: float) -> Matrix:
    """Gram-Schmidt, twice over, on normal vectors: as many orthonormal rows (or columns) as there can be."""
    few, length = sorted((shape.rows, shape.columns))
    basis: list[list[float]] = []
    while len(basis) < few:
        vector = [rng.gauss(0.0, 1.0) for _ in range(length)]
        for _ in range(2):
            for other in basis:
                product = math.fsum(a * b for a, b in zip(vector, other, strict=True))
                vector = [a - product * b for a, b in zip(vector, other, strict=True)]
        size = math.sqrt(math.fsum(a * a for a in vector))
        basis.append([a / size for a in vector])
    scaled: Matrix = [[gain * a for a in vector] for vector in basis]
    return scaled if shape.rows <= shape.columns else [list(row) for row in zip(*scaled, strict=True)]


@dataclass(frozen=True, slots=True)
class _Kind:
    draw: Callable[..., Matrix]
    defaults: Mapping[str, Any]


KINDS: Mapping[str, _Kind] = {
    "he": _Kind(_he, {"form": "normal"}),
    "xavier": _Kind(_xavier, {"form": "normal"}),
    "orthogonal": _Kind(_orthogonal, {"gain": 1.0}),
    "normal": _Kind(_normal, {"deviation": 1.0}),
    "uniform": _Kind(_uniform, {"low": -1.0, "high": 1.0}),
    "integer": _Kind(_integer, {"low": -3, "high": 3}),
    "rational": _Kind(_rational, {"numerator": 4, "denominator": 3}),
    "zero": _Kind(_zero, {}),
}


@dataclass(frozen=True, slots=True)
class Distribution:
    """A law of the entries of a matrix, with its options; make it with :meth:`of`."""

    kind: str
    options: tuple[tuple[str, Any], ...]

    @classmethod
    def of(cls, kind: str, /, **options: Any) -> Distribution:
        """The distribution with that name; options not given have their defaults.

        ``he`` and ``xavier`` take ``form`` (``"normal"`` or ``"uniform"``, of the same variance), ``orthogonal`` takes
        ``gain``, ``normal`` takes ``deviation``, ``uniform`` and ``integer`` take ``low`` and ``high`` (integers
        inclusive), ``rational`` takes ``numerator`` and ``denominator`` (the largest ones), ``zero`` takes nothing.

        Raises ``InputError`` naming the option, what was expected and what was found.

        >>> Distribution.of("integer", high=5).to_dict()
        {'law': 'integer', 'low': -3, 'high': 5}
        """
        if kind not in KINDS:
            raise InputError(f"law: expected one of {', '.join(KINDS)}, found {kind!r}")
        defaults = KINDS[kind].defaults
        for key, value in options.items():
            if key not in defaults:
                known = f"its options are {', '.join(defaults)}" if defaults else "it has no options"
                raise InputError(f"{key}: expected an option of the law {kind!r} ({known})")
            _check_option(kind, key, value, defaults[key])
        chosen = {
            key: float(options.get(key, value)) if isinstance(value, float) else options.get(key, value)
            for key, value in defaults.items()
        }
        if "low" in chosen and chosen["low"] > chosen["high"]:
            raise InputError(f"low: expected at most high = {chosen['high']}, found {chosen['low']}")
        return cls(kind, tuple(chosen.items()))

    def draw(self, rng: random.Random, shape: Shape) -> Matrix:
        """A matrix of exact entries."""
        return KINDS[self.kind].draw(rng, shape, **dict(self.options))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {"law": self.kind, **dict(self.options)}


def _check_option(kind: str, key: str, value: Any, default: Any) -> None:
    if isinstance(default, str):
        good, what = value in ("normal", "uniform"), '"normal" or "uniform"'
    elif isinstance(value, bool) or not (isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))):
        good, what = False, "a finite number"
    elif isinstance(default, float) and not abs(value) <= _LARGEST:
        good, what = False, f"a number of size at most {_LARGEST:g}"
    elif isinstance(default, float):
        positive = key in ("gain", "deviation")
        good, what = value > 0 or not positive, "a positive number"
    else:
        positive = kind == "rational"
        good, what = isinstance(value, int) and (value > 0 or not positive), "an integer"
        what = "a positive integer" if positive else what
    if not good:
        raise InputError(f"{key}: expected {what}, found {value!r}")


@dataclass(frozen=True, slots=True)
class Law:
    """How a network is drawn: weights and biases of every layer, independently; and how it is trained then, if it is.

    For biases ``he`` and ``xavier`` are laws of independent entries with the variance of the weights; ``orthogonal`` is
    for weights only.
    """

    weights: Distribution
    biases: Distribution
    training: Recipe | None = None

    def __post_init__(self) -> None:
        if self.biases.kind == "orthogonal":
            raise InputError("biases: expected a law of single numbers, found 'orthogonal', which is for weights")

    def draws(self) -> dict[str, Any]:
        """What a draw depends on, as JSON-ready values: the training comes after it."""
        return {"weights": self.weights.to_dict(), "biases": self.biases.to_dict()}

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return self.draws() if self.training is None else {**self.draws(), "training": self.training.to_dict()}


def stream(*key: Any) -> random.Random:
    """A generator of its own for every key of JSON-ready values (its SHA-256 is the seed).

    >>> stream(1, "a").random() == stream(1, "a").random() != stream(1, "b").random()
    True
    """
    text = json.dumps(key, sort_keys=True, separators=(",", ":"))
    return random.Random(int.from_bytes(hashlib.sha256(text.encode()).digest(), "big"))


def sample(
    architecture: Sequence[int],
    law: Law,
    *,
    seed: int,
    number: int,
    output_activation: OutputActivation = "identity",
) -> Network:
    """Network ``number`` of a law at an architecture, as it is drawn.

    It depends on the arguments alone, and different numbers are independent draws. Laws that differ in the training
    alone draw the same networks.

    >>> law = Law(Distribution.of("integer"), Distribution.of("rational"))
    >>> sample((1, 2, 1), law, seed=0, number=3) == sample((1, 2, 1), law, seed=0, number=3)
    True
    """
    sizes = checked_architecture(architecture)
    rng = stream("network", seed, number, sizes, law.draws())
    layers = []
    for m, n in pairwise(sizes):
        weight = law.weights.draw(rng, Shape(n, m, m, n))
        bias = law.biases.draw(rng, Shape(n, 1, m, n))
        layers.append((weight, [row[0] for row in bias]))
    return Network(layers, output_activation=output_activation)


def sample_point(inputs: Distribution, dimension: int, rng: random.Random) -> list[Entry]:
    """One point of ``R^dimension`` with independent coordinates."""
    return inputs.draw(rng, Shape(1, dimension, dimension, 1))[0]
