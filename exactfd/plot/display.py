"""What the pictures of both kinds share: colours, text, and the one place where coordinates become floats."""

from __future__ import annotations

import os
from collections.abc import Sequence
from fractions import Fraction

from exactfd import rationals
from exactfd.errors import InputError
from exactfd.plot.scene import Region, Scene

INK = "#1f2933"
PLAIN = "#dfe8f1"
ROUGH = "#ffffff"  # not parametrically smooth
UNBOUNDED = "#f3d9b1"
#: Lines that are bent by layer 1, 2, ...; the last one for all further layers.
LAYERS = ("#1f2933", "#c2410c", "#0f766e", "#7e22ce", "#1d4ed8", "#be185d", "#4d7c0f", "#6b7280")
#: Quantities that a cell is coloured by, with what they mean.
MEANING = {
    "rank": "added to the rank, largest cell first (sum in this box: {rank})",
    "facets": "facets of the whole polytope (the box adds no walls)",
}
MATPLOTLIB = (".png", ".svg")
PICTURES = (*MATPLOTLIB, ".html")
_FARTHEST = 1e150  # products of two coordinates are still floats


def check_suffix(path: str | os.PathLike[str], allowed: Sequence[str] = PICTURES) -> str:
    """The suffix of a picture, in lower case; raises ``InputError`` unless it can be written."""
    suffix = os.path.splitext(os.fspath(path))[1].lower()
    if suffix not in allowed:
        found = repr(suffix) if suffix else "none"
        raise InputError(f"{os.fspath(path)}: a picture has the suffix {' or '.join(allowed)}, found {found}")
    return suffix


def layer_color(layer: int) -> str:
    """Colour of what layer ``layer`` (from 1) bends."""
    return LAYERS[min(layer, len(LAYERS)) - 1]


def quantity(scene: Scene, region: Region) -> int | None:
    """The number that a region is coloured by, or None."""
    return {"rank": region.added, "facets": region.facets}.get(scene.color)


def quantities(scene: Scene) -> range:
    """From the least to the largest number that regions are coloured by; ranks from 0."""
    known = [value for region in scene.regions if (value := quantity(scene, region)) is not None]
    if scene.color == "rank":
        known.append(0)
    return range(min(known), max(known) + 1)


def shade(scene: Scene, value: int) -> float:
    """Place of a quantity on the colour scale, from 0 to 1; a rank of 0 has the lightest."""
    known = quantities(scene)
    depth = 0.42 if scene.color == "rank" else 0.6
    return 0.06 + depth * (value - known[0]) / max(known[-1] - known[0], 1)


def tuple_text(scene: Scene, region: Region) -> str:
    """``++0|-+``, layers apart."""
    signs = iter(region.labels)
    return "|".join("".join("-0+"[next(signs) + 1] for _ in range(width)) for width in scene.network.relu_widths)


def floats(point: Sequence[Fraction]) -> tuple[float, ...]:
    """Rounded once, for display only."""
    result = tuple(rationals.nearest_float(rationals.to_fmpq(entry)) for entry in point)
    if not all(abs(entry) <= _FARTHEST for entry in result):
        raise InputError(f"plot: a coordinate is beyond {_FARTHEST:g} and cannot be drawn; choose a smaller --box")
    return result


def check_box(scene: Scene) -> None:
    """Raise ``InputError`` where floats cannot tell the sides of the box apart."""
    for low, high in zip(*map(floats, scene.box), strict=True):
        if not high - low > max(1e-12 * max(abs(low), abs(high)), 1e-280):
            raise InputError("plot: the box is too thin to be drawn in binary64; choose a larger --box")
