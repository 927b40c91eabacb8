"""A sampling baseline in floats: polytopes hit by random points, facets hit by random lines. Not exact.

Faces are counted in this way by Fan et al., *Deep ReLU networks have surprisingly simple polytopes* (arXiv 2305.09145).
Points are drawn from a box, each one gives the inequalities of its polytope, and hit-and-run (Berbee et al.,
*Mathematical Programming* 37, 1987) tells which are not redundant: from a point inside take a random line, the first
inequalities that it meets on both sides are facets, go on from a random point between them. What this cannot see:
polytopes that no point falls into, facets that no line hits, and everything outside the box. It proves no number; it is
here to be compared with the exact one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from exactfd.budget import Budget, Progress, silent
from exactfd.errors import InputError
from exactfd.geometry.box import parse_box
from exactfd.network import Network
from exactfd.rationals import checked_seed, nearest_float, to_fmpq

FloatArray = np.ndarray[Any, np.dtype[np.float64]]
BoolArray = np.ndarray[Any, np.dtype[np.bool_]]

_ENTRIES = 1 << 22  # of a table of inequalities that is held at once


@dataclass(frozen=True, slots=True, eq=False)
class FloatFacetSample:
    """What random points and random lines have seen, in floats: nothing here is proved.

    Attributes
    ----------
    facets
        For each polytope that was seen, by its activation pattern in ``{0, 1}^N``: how many of its facets were seen.
        Walls of the box are not counted.
    points, steps, seed
        How many points were drawn, how many lines for each polytope, and the seed.
    """

    facets: Mapping[tuple[int, ...], int]
    points: int
    steps: int
    seed: int

    @property
    def histogram(self) -> dict[int, int]:
        """Number of facets seen -> number of polytopes, in increasing order."""
        return dict(sorted(Counter(self.facets.values()).items()))

    def __len__(self) -> int:
        """Number of polytopes seen."""
        return len(self.facets)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values; the names say that they are of floats."""
        return {
            "float_polytopes_seen": len(self),
            "float_facet_histogram": {str(facets): count for facets, count in self.histogram.items()},
            "points": self.points,
            "steps": self.steps,
            "seed": self.seed,
        }

    def __repr__(self) -> str:
        return f"FloatFacetSample({len(self)} polytopes seen, {sum(self.facets.values())} facets seen; not exact)"

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><td>{facets}</td><td>{count}</td></tr>" for facets, count in self.histogram.items())
        return f"<table><tr><th>facets seen (floats)</th><th>polytopes seen</th></tr>{rows}</table>"


def float_hit_and_run(
    network: Network,
    *,
    box: Any,
    points: int = 1000,
    steps: int = 100,
    seed: int = 0,
    budget: Budget | None = None,
    progress: Progress = silent,
) -> FloatFacetSample:
    """Facets per polytope as far as sampling sees them, in floats. Not exact; mostly too few.

    Two neurons that vanish on one hyperplane can count twice, once for each rounding.

    Parameters
    ----------
    box
        ``(lo, hi)``, rationals per coordinate: points are uniform in it, and its walls bound the lines.
    points, steps, seed
        Points drawn, random lines for each polytope, and the seed of the generator.
    budget, progress
        Limits, and a callback ``progress(stage, done, total)``.

    Raises
    ------
    InputError
        for a box that does not fit the network, or fewer than one point or step.
    BudgetExceeded
        when a limit runs out, without a partial result.

    Notes
    -----
    Source: Fan et al., arXiv 2305.09145 (counting faces by hit-and-run); see the head of this module.

    Examples
    --------
    Three lines cut the plane into seven polytopes with 18 facets in all; one is a triangle too small to be seen:

    >>> lines = Network([([[1, 0], [0, 1], [1, 1]], [0, 0, "-1/1000000"]), ([[1, 1, 1]], [0])])
    >>> seen = float_hit_and_run(lines, box=(-8, 8), points=500)
    >>> len(seen), (1, 1, 0) in seen.facets
    (6, False)
    """
    for name, value in (("points", points), ("steps", steps)):
        if value < 1:
            raise InputError(f"{name}: expected at least 1, found {value}")
    limits = budget or Budget()
    corners = parse_box(box, network.input_dimension)
    if corners is None:
        raise InputError("hit and run: expected a box, found none; points are uniform in it")
    low, high = (np.array([nearest_float(to_fmpq(entry)) for entry in side]) for side in corners)
    with np.errstate(all="ignore"):  # what overflows shows as nonsense: this path promises nothing
        return _sample(network, low, high, (points, steps, seed), limits, progress)


def _sample(
    network: Network,
    low: FloatArray,
    high: FloatArray,
    numbers: tuple[int, int, int],
    limits: Budget,
    progress: Progress,
) -> FloatFacetSample:
    points, steps, seed = numbers
    generator = np.random.default_rng(checked_seed(seed))
    layers = [np.column_stack(layer) for layer in network.to_numpy()[: len(network.relu_widths)]]
    drawn = low + (high - low) * generator.random((points, network.input_dimension))
    sampled = _patterns(layers, drawn)
    first = sorted({row: i for i, row in reversed(list(enumerate(map(tuple, sampled.tolist()))))}.values())
    patterns, inside = sampled[first], drawn[first]
    facets: dict[tuple[int, ...], int] = {}
    rows = patterns.shape[1] + 2 * network.input_dimension
    batch = max(1, _ENTRIES // (rows * (network.input_dimension + 1)))
    for start in range(0, len(patterns), batch):
        part = slice(start, start + batch)
        seen = _hit_and_run(layers, patterns[part], inside[part], (low, high), steps, generator, limits)
        counts = seen[:, : patterns.shape[1]].sum(axis=1)
        facets.update(zip(map(tuple, patterns[part].tolist()), counts.tolist(), strict=True))
        progress("polytopes", len(facets), len(patterns))
    return FloatFacetSample(facets, points, steps, seed)


def _patterns(layers: list[FloatArray], drawn: FloatArray) -> np.ndarray[Any, np.dtype[np.int8]]:
    """Which pre-activations are positive at each point, as floats see it."""
    values, found = drawn, [np.zeros((len(drawn), 0), dtype=np.int8)]
    for layer in layers:
        z = values @ layer[:, :-1].T + layer[:, -1]
        found.append((z > 0).astype(np.int8))
        values = np.maximum(z, 0)
    return np.concatenate(found, axis=1)


def _inequalities(
    layers: list[FloatArray], patterns: np.ndarray[Any, np.dtype[np.int8]], low: FloatArray, high: FloatArray
) -> FloatArray:
    """Rows ``(a, c)`` with ``a x + c >= 0``: one a neuron, then the walls; shape ``m x (N + 2 n_0) x (n_0 + 1)``."""
    inputs = len(low)
    rows = np.broadcast_to(np.eye(inputs + 1), (len(patterns), inputs + 1, inputs + 1))
    found, start = [], 0
    for layer in layers:
        z = layer @ rows
        mask = patterns[:, start : start + len(layer), None]
        found.append(np.where(mask > 0, z, -z))
        rows = np.concatenate([z * mask, rows[:, -1:]], axis=1)
        start += len(layer)
    walls = np.concatenate([np.column_stack([np.eye(inputs), -low]), np.column_stack([-np.eye(inputs), high])])
    return np.concatenate([*found, np.broadcast_to(walls, (len(patterns), *walls.shape))], axis=1)


def _hit_and_run(
    layers: list[FloatArray],
    patterns: np.ndarray[Any, np.dtype[np.int8]],
    inside: FloatArray,
    box: tuple[FloatArray, FloatArray],
    steps: int,
    generator: np.random.Generator,
    limits: Budget,
) -> BoolArray:
    """Which inequalities of each polytope a random line has met first."""
    rows = _inequalities(layers, patterns, *box)
    seen: BoolArray = np.zeros(rows.shape[:2], dtype=bool)
    each = np.arange(len(rows))
    x = inside
    for _ in range(steps):
        limits.check()
        direction = generator.standard_normal(x.shape)
        slack = np.einsum("mij,mj->mi", rows[:, :, :-1], x) + rows[:, :, -1]
        speed = np.einsum("mij,mj->mi", rows[:, :, :-1], direction)
        time = -slack / speed  # infinite, or no number, on lines that run along an inequality
        forward = np.where(speed < 0, np.maximum(time, 0.0), np.inf)
        backward = np.where(speed > 0, np.minimum(time, 0.0), -np.inf)
        ahead, behind = forward.argmin(axis=1), backward.argmax(axis=1)
        seen[each, ahead] = seen[each, behind] = True
        start, end = backward[each, behind], forward[each, ahead]
        x = x + (start + (end - start) * generator.random(len(x)))[:, None] * direction
    return seen
