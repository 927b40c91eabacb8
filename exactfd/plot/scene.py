"""What a picture shows, exactly: polygons, bent lines and what is known of each cell. No drawing here."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, get_args

import numpy as np

from exactfd.budget import Budget, Progress, silent
from exactfd.dimension import DimensionResult, functional_dimension
from exactfd.errors import InputError
from exactfd.geometry.box import Box
from exactfd.geometry.complex import CanonicalComplex, canonical_complex
from exactfd.geometry.labels import is_smooth_tuple
from exactfd.network import Network
from exactfd.rankproof import RankSearch
from exactfd.rationals import format_rational

Point = tuple[Fraction, ...]
Color = Literal["rank", "facets", "layer", "bounded", "none"]
COLORS: tuple[Color, ...] = get_args(Color)

_MARGIN = Fraction(1, 8)  # of the width, on each side of the outermost vertices


@dataclass(frozen=True)
class Region:
    """One cell of top dimension inside the box.

    Attributes
    ----------
    corners
        Its vertices: around the polygon, or the two ends of an interval.
    labels
        Ternary tuple.
    smooth
        Whether its points are parametrically smooth.
    size
        Area or length.
    added
        By how much its coefficient rows raise the rank of those of the cells before it (larger ones first); None when
        not asked for and on cells that are not smooth.
    facets, bounded
        Number of facets of the whole polytope, and whether it is bounded: the box neither cuts it nor adds walls. None
        unless asked for.
    """

    corners: tuple[Point, ...]
    labels: tuple[int, ...]
    smooth: bool
    size: Fraction
    added: int | None
    facets: int | None = None
    bounded: bool | None = None


@dataclass(frozen=True)
class Wall:
    """One cell of codimension one that does not lie on the box: a piece of a bent line, or a breakpoint.

    ``layer`` is the first layer, counted from 1, with a neuron that is zero there.
    """

    ends: tuple[Point, ...]
    layer: int


@dataclass(frozen=True)
class Scene:
    """Everything that a picture shows."""

    network: Network
    box: Box
    regions: tuple[Region, ...]
    walls: tuple[Wall, ...]
    vertices: tuple[Point, ...]
    color: Color
    dimension: DimensionResult | None

    @property
    def limit(self) -> str | None:
        """The budget that ran out while the functional dimension was sought, or None."""
        return None if self.dimension is None else self.dimension.limit

    @property
    def rank(self) -> int | None:
        """Rank of all smooth cells in the box."""
        return None if self.dimension is None else sum(region.added or 0 for region in self.regions)

    @property
    def headline(self) -> str:
        """The title of the picture."""
        sizes = ", ".join(str(n) for n in self.network.architecture)
        if self.dimension is None:
            return f"architecture ({sizes})"
        found = self.dimension
        known = f"dim_fun = {found.value}" if found.value is not None else f"{found.lower} <= dim_fun <= {found.upper}"
        return f"architecture ({sizes}), {known}, D' = {self.network.upper_bound}"

    def to_dict(self) -> dict[str, Any]:
        """The keys of ``exactfd plot --json``."""
        found = self.dimension
        return {
            "architecture": list(self.network.architecture),
            "output_activation": self.network.output_activation,
            "digest": self.network.digest,
            "box": [[format_rational(entry) for entry in side] for side in self.box],
            "top_cells": len(self.regions),
            "smooth_top_cells": sum(region.smooth for region in self.regions),
            "color": self.color,
            "rank_in_box": self.rank,
            "functional_dimension": None if found is None else found.value,
            "theoretical_upper_bound": self.network.upper_bound,
            "limit": self.limit,
        }


def make_scene(
    network: Network,
    *,
    box: Any = None,
    color: Color = "rank",
    budget: Budget | None = None,
    progress: Progress = silent,
) -> Scene:
    """The picture of the canonical polyhedral complex of a network with one or two inputs.

    Parameters
    ----------
    box
        As for :func:`~exactfd.geometry.complex.canonical_complex`; by default :func:`default_box`.
    color
        ``"rank"``: what each cell adds to the rank of the Jacobian of the evaluation map, modulo a prime, larger cells
        first; ``"facets"``: number of facets of its whole polytope, walls of the box not counted; ``"bounded"``:
        whether that is bounded; ``"layer"``: the layer that bends at each wall; ``"none"``: nothing.
    budget, progress
        Limits and progress.

    Raises
    ------
    InputError
        for another number of inputs, another ``color`` or an unusable box.
    BudgetExceeded
        when a limit runs out before the cells are known.

    Examples
    --------
    >>> net = Network([([[1, 0], [0, 1]], [0, 0]), ([[1, 1]], [0])])
    >>> scene = make_scene(net)
    >>> [(region.labels, region.added) for region in scene.regions], scene.headline
    ([((1, 1), 3), ((-1, 1), 3), ((1, -1), 1), ((-1, -1), 0)], "architecture (2, 2, 1), dim_fun = 7, D' = 7")
    """
    inputs = network.input_dimension
    if inputs not in (1, 2):
        raise InputError(
            f"plot: expected a network with 1 or 2 inputs, found {inputs}; fix the other inputs (fold them into the "
            "bias of layer 1), or list the cells with: exactfd cells NET --list"
        )
    if color not in COLORS:
        raise InputError(f"plot: color is one of {', '.join(COLORS)}, found {color!r}")
    limits = default_box(network, budget=budget, progress=progress) if box is None else box
    inside = canonical_complex(network, box=limits, budget=budget, progress=progress)
    return scene_of(inside, color=color, budget=budget, progress=progress)


def scene_of(
    complex_: CanonicalComplex, *, color: Color = "rank", budget: Budget | None = None, progress: Progress = silent
) -> Scene:
    """The picture of a complex in a box; see :func:`make_scene`."""
    network, top = complex_.network, complex_.dimension
    assert complex_.box is not None  # make_scene and plot_complex see to it
    corners = [around(cell.vertices()) for cell in complex_.cells(top)]
    labels = [tuple(row) for row in complex_.labels(top).tolist()]
    smooth = [is_smooth_tuple(row, network.relu_widths) for row in labels]
    sizes = [_size(polygon) for polygon in corners]
    found = functional_dimension(network, budget=budget, progress=progress) if color == "rank" else None
    added: list[int | None] = [None] * len(corners)
    if found is not None:
        order = sorted((i for i, good in enumerate(smooth) if good), key=lambda i: (-sizes[i], i))
        for i, growth in zip(order, _growth(network, [labels[i] for i in order], found.upper), strict=True):
            added[i] = growth
    shapes: list[tuple[int | None, bool | None]] = [(None, None)] * len(corners)
    if color in ("facets", "bounded"):
        whole = _shapes(canonical_complex(network, budget=budget, progress=progress))
        shapes = [whole[row] for row in labels]
    return Scene(
        network=network,
        box=complex_.box,
        regions=tuple(
            Region(*parts, *shape)
            for *parts, shape in zip(map(tuple, corners), labels, smooth, sizes, added, shapes, strict=True)
        ),
        walls=_walls(complex_),
        vertices=tuple(cell.vertices()[0] for cell in complex_.cells(0) if not any(cell.walls)),
        color=color,
        dimension=found,
    )


def _shapes(complex_: CanonicalComplex) -> dict[tuple[int, ...], tuple[int, bool]]:
    """Number of facets and boundedness of every polytope, by ternary tuple."""
    top = complex_.dimension
    facets, bounded = complex_.facets(top)[1].tolist(), complex_.bounded(top).tolist()
    return dict(zip(map(tuple, complex_.labels(top).tolist()), zip(facets, bounded, strict=True), strict=True))


def _growth(network: Network, labels: Sequence[tuple[int, ...]], goal: int) -> list[int]:
    """What each cell adds to the rank of those before it, modulo a prime."""
    search = RankSearch.start(network)
    result = []
    for row in labels:
        before = search.rank
        search.add_cells(np.array([row], dtype=np.int8).reshape(1, -1), stop_at=goal)
        result.append(search.rank - before)
    return result


def _walls(complex_: CanonicalComplex) -> tuple[Wall, ...]:
    """Cells of codimension one inside the box, each with the first layer that bends there.

    A neuron that is zero on both sides as well does not bend.
    """
    top = complex_.dimension
    flat, lengths = complex_.facets(top)
    beside = np.repeat(complex_.labels(top) != 0, lengths, axis=0)
    labels = complex_.labels(top - 1)
    alive = np.zeros(labels.shape, dtype=bool)
    np.logical_or.at(alive, flat, beside)
    layer_of = np.repeat(np.arange(1, len(complex_.network.relu_widths) + 1), complex_.network.relu_widths)
    result = []
    for cell in complex_.cells(top - 1):
        if not any(cell.walls):
            neuron = int(np.argmax((labels[cell.index] == 0) & alive[cell.index]))
            result.append(Wall(tuple(cell.vertices()), int(layer_of[neuron])))
    return tuple(result)


# --------------------------------------------------------------------------- exact plane geometry


def around(points: Sequence[Point]) -> list[Point]:
    """Vertices of a convex polygon counterclockwise, by exact comparison of directions; an interval from low to high.

    >>> [tuple(map(int, p)) for p in around([(0, 0), (2, 2), (2, 0), (0, 2)])]
    [(0, 0), (2, 0), (2, 2), (0, 2)]
    """
    if len(points[0]) == 1 or len(points) < 3:
        return sorted(points)
    first = min(points)

    def turn(p: Point, q: Point) -> int:
        """Negative when q is to the left of the ray from ``first`` through p."""
        cross = (p[0] - first[0]) * (q[1] - first[1]) - (p[1] - first[1]) * (q[0] - first[0])
        return (cross < 0) - (cross > 0)

    # all others are strictly on one side of the vertical through the lowest leftmost vertex, so directions are ordered
    return [first, *sorted((p for p in points if p != first), key=functools.cmp_to_key(turn))]


def _size(corners: Sequence[Point]) -> Fraction:
    if len(corners[0]) == 1:
        return Fraction(corners[-1][0] - corners[0][0])
    twice = sum(
        (p[0] * q[1] - p[1] * q[0] for p, q in zip(corners, [*corners[1:], corners[0]], strict=True)), Fraction(0)
    )
    return abs(twice) / 2


def default_box(network: Network, *, budget: Budget | None = None, progress: Progress = silent) -> Box:
    """A box around every vertex, with a margin; around points of the lines when no lines cross, around 0 without lines.

    Its corners are short dyadic numbers.

    >>> default_box(Network([([[1, 0], [0, 1]], [0, -1]), ([[1, 1]], [0])]))
    ((Fraction(-1, 1), Fraction(0, 1)), (Fraction(1, 1), Fraction(2, 1)))
    """
    whole = canonical_complex(network, budget=budget, progress=progress)
    top = whole.dimension
    lowest = next(k for k, count in enumerate(whole.f_vector) if count)
    points = [cell.interior_point() for cell in whole.cells(lowest)] if lowest < top else [(Fraction(0),) * top]
    low = [min(p[i] for p in points) for i in range(top)]
    high = [max(p[i] for p in points) for i in range(top)]
    widest = max(b - a for a, b in zip(low, high, strict=True))
    for i in range(top):
        width = high[i] - low[i]
        margin = width * _MARGIN if width else widest / 2 or Fraction(1)
        unit = Fraction(2) ** (_log2(margin) - 2)
        low[i] = (low[i] - margin) // unit * unit
        high[i] = -((-high[i] - margin) // unit) * unit
    return tuple(low), tuple(high)


def _log2(value: Fraction) -> int:
    """A whole number next to the binary logarithm."""
    return value.numerator.bit_length() - value.denominator.bit_length()
