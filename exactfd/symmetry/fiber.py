"""Walking along the fiber of a parameter: other parameters with the same function, each proved.

A hidden infinitesimal symmetry is a tangent direction. Along the directions of most mechanisms the function stays the
same on a straight line, at least for a while: weights of a neuron that is never active, weights that move in a
complement, the mixing of two layers (``A -> (1 + t E) A``, ``W -> W (1 - t E)`` with ``E^2 = 0``) and its shifts. So a
step is a straight line with a length that is tried and proved, never assumed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from flint import fmpq

from exactfd import rationals
from exactfd.budget import Budget, Progress, silent
from exactfd.dimension import DimensionResult
from exactfd.errors import BudgetExceeded, InputError, ShapeError
from exactfd.kernels import Vector
from exactfd.network import Network
from exactfd.symmetry.canonical import equivalence
from exactfd.symmetry.directions import named, parameter_names
from exactfd.symmetry.equality import EqualityResult, compare_functions
from exactfd.symmetry.explanation import Explanation, explain
from exactfd.symmetry.mechanisms import Neuron

_STEPS = 1000  # refinements spent on a symmetry between two parameters
_LANDMARKS = 3  # lengths for which a parameter becomes zero
_HALVINGS = (0, 1, 3, 6, 12, 24)  # lengths 2^-k of a direction of size one


@dataclass(frozen=True)
class FiberPoint:
    """One step along a fiber.

    Attributes
    ----------
    network
        The new parameter, ``theta + t direction``.
    kind, neurons
        The mechanism that the direction belongs to (layers counted from 1, neurons from 0); ``"unexplained"`` and no
        neurons where none does.
    direction, length
        The straight line from the parameter before, and ``t``.
    equality
        The proof that its function is that of the *first* parameter of the walk.
    dimension
        Its functional dimension.
    """

    network: Network
    kind: str
    neurons: tuple[Neuron, ...]
    direction: Vector = field(repr=False)
    length: Fraction
    equality: EqualityResult = field(repr=False, compare=False)
    dimension: DimensionResult = field(compare=False)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values; numbers as exact text."""
        return {
            "kind": self.kind,
            "neurons": [list(neuron) for neuron in self.neurons],
            "direction": named(parameter_names(self.network), self.direction),
            "length": rationals.format_rational(self.length),
            "equal_by": self.equality.method,
            "functional_dimension": self.dimension.value,
            "status": self.dimension.status,
            "network": self.network.to_dict(),
        }


@dataclass(frozen=True)
class FiberWalk:
    """Parameters with one function, in the order of the walk.

    Attributes
    ----------
    start
        The deficit of the first parameter, taken apart.
    points
        The steps; fewer than were asked for where no direction leads on, or a budget ran out.
    reason
        Why there are not more, or None.
    limit
        The message of the budget that ran out, or None.
    """

    start: Explanation
    points: list[FiberPoint]
    reason: str | None = None
    limit: str | None = None

    @property
    def dimensions(self) -> list[int | None]:
        """The functional dimensions along the walk, that of the start first; None where one is not proved."""
        return [self.start.result.value, *(point.dimension.value for point in self.points)]

    def to_dict(self) -> dict[str, Any]:
        """The keys of ``exactfd fiber --json``."""
        return {
            "digest": self.start.network.digest,
            "functional_dimension": self.start.result.value,
            "deficit": self.start.deficit,
            "steps": [point.to_dict() for point in self.points],
            "dimensions": self.dimensions,
            "reason": self.reason,
            "limit": self.limit,
        }

    def __repr__(self) -> str:
        return f"FiberWalk({len(self.points)} steps, functional dimensions {self.dimensions})"

    def _repr_html_(self) -> str:
        return f"<code>{self!r}</code>"


def move(network: Network, direction: Sequence[Any], length: Any = 1) -> Network:
    """The parameter ``theta + length * direction``, exact.

    Raises ``ShapeError`` where the direction has not ``D`` entries.

    >>> line = Network([([[1], [-1]], [-2, 2]), ([[1, -1]], [2])])
    >>> move(line, [0, -1, 0, 1, 0, 0, 1], "1/2").to_fractions()[0][1]
    [Fraction(-5, 2), Fraction(5, 2)]
    """
    if len(direction) != network.parametric_dimension:
        raise ShapeError(f"a direction has D = {network.parametric_dimension} entries, found {len(direction)}")
    t = rationals.to_fmpq(length)
    theta = [
        rationals.to_fmpq(old) + t * rationals.to_fmpq(v) for old, v in zip(network.theta(), direction, strict=True)
    ]
    return Network.from_theta(network.architecture, theta, output_activation=network.output_activation)


def walk_fiber(
    network: Network,
    *,
    steps: int = 1,
    seed: int = 0,
    budget: Budget | None = None,
    progress: Progress = silent,
) -> FiberWalk:
    """Walk along the fiber of a parameter: ``steps`` new parameters with the same function, no two of them related by
    permutations and positive scalings, each with its functional dimension.

    Parameters
    ----------
    network
        Where to start.
    steps, seed
        How many new parameters; every seed gives the same walk again, another seed another one.
    budget, progress
        Limits, and a callback. A budget that runs out is no error: the walk is shorter then.

    Notes
    -----
    Each step is ``theta + t v`` with ``v`` a hidden infinitesimal symmetry (:func:`exactfd.explain`); the new function
    is proved to be that of the *start* (:func:`exactfd.compare_functions`). Lengths ``t`` for which a parameter
    vanishes are tried first: the functional dimension is likeliest to change there. Hidden symmetries need not be
    straight: where no straight step is found the walk ends and says so.

    Source: Grigsby, Lindsey, Meyerhoff, Wu, arXiv 2209.04036, section 7 (fibers on which the dimension changes).

    Examples
    --------
    >>> walk = walk_fiber(Network([([[1], [-1]], [-2, 2]), ([[1, -1]], [2])]), steps=2)
    >>> walk.dimensions, [point.kind for point in walk.points]
    ([4, 4, 4], ['coinciding', 'coinciding'])
    """
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 0:
        raise InputError(f"steps: expected a number of steps, found {steps!r}")
    here = start = explain(network, budget=budget, progress=progress)
    points: list[FiberPoint] = []
    met = [network]
    while len(points) < steps:
        progress("steps", len(points), steps)
        limit = here.result.limit or here.limit
        if limit is not None:
            return FiberWalk(start, points, "a budget ran out", limit)
        try:
            step = _step(here, met, random.Random(f"{seed} {len(points)}"), budget)
            if step is None:
                return FiberWalk(start, points, _no_way_on(here))
            moved, kind, neurons, direction, length, equality = step
            met.append(moved)
            here = explain(moved, budget=budget, progress=progress)
        except BudgetExceeded as error:
            return FiberWalk(start, points, "a budget ran out", str(error))
        points.append(FiberPoint(moved, kind, neurons, direction, length, equality, here.result))
    return FiberWalk(start, points)


def _no_way_on(here: Explanation) -> str:
    if here.deficit == 0:
        return "the functional dimension is D': there is no hidden infinitesimal symmetry"
    if not here.mechanisms and not here.unexplained:
        return "the functional dimension is not proved, so that no direction is known"
    return "no straight step along a known direction keeps the function"


def _step(
    here: Explanation, met: Sequence[Network], draw: random.Random, budget: Budget | None
) -> tuple[Network, str, tuple[Neuron, ...], Vector, Fraction, EqualityResult] | None:
    """The first step that keeps the function; short directions first, in an order that the dice decide."""
    choices: list[tuple[str, tuple[Neuron, ...], Vector]] = []
    choices += [(m.kind, m.neurons, v) for m in here.mechanisms for v in m.directions]
    choices += [("unexplained", (), v) for v in here.unexplained or []]
    draw.shuffle(choices)
    choices.sort(key=lambda choice: max(entry.bit_length() for entry in choice[2]) // 32)
    theta = [rationals.to_fmpq(entry) for entry in here.network.theta()]
    for kind, neurons, direction in choices:
        for length in _lengths(theta, direction, draw):
            if budget is not None:
                budget.check()
            moved = move(here.network, direction, length)
            if moved in met:
                continue
            equality = compare_functions(met[0], moved, budget=budget)
            if equality.equal is None:
                raise BudgetExceeded(str(equality.limit))
            if equality.equal and not any(_related(old, moved, budget) for old in met):
                return moved, kind, neurons, direction, length, equality
    return None


def _related(first: Network, second: Network, budget: Budget | None) -> bool:
    """Whether permutations and positive scalings take one to the other, as far as a moderate search tells."""
    with suppress(BudgetExceeded):
        return equivalence(first, second, budget=budget, max_steps=_STEPS) is not None
    return False


def _lengths(theta: Sequence[fmpq], direction: Vector, draw: random.Random) -> Iterator[Fraction]:
    """Lengths to try: where a parameter vanishes, the shortest numbers first; then shorter and shorter ones."""
    zeros = {-old / v for old, v in zip(theta, direction, strict=True) if v != 0 and old != 0}
    by_size = sorted(zeros, key=lambda t: (t.p.bit_length() + t.q.bit_length(), t))
    yield from map(rationals.to_fraction, by_size[:_LANDMARKS])
    size = max(abs(entry) for entry in direction)
    for halvings in _HALVINGS:
        sign = draw.choice((1, -1))
        for t in (sign, -sign):
            yield Fraction(t, int(size) << halvings)
