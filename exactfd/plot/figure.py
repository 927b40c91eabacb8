"""Drawing a scene with matplotlib, through its objects only: no global state, no window, the same bytes every time."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from exactfd import rationals
from exactfd.budget import Budget, Progress, silent
from exactfd.errors import InputError, MissingExtraError
from exactfd.geometry.complex import CanonicalComplex
from exactfd.network import Network
from exactfd.plot.scene import Color, Region, Scene, make_scene, scene_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg")
#: With more cells than this their labels would hide the picture.
MAX_LABELLED = 25
_MAX_DOTS = 150

_INK = "#1f2933"
_NOTHING = "#eef1f4"  # adds nothing to the rank
_PLAIN = "#dfe8f1"
_ROUGH = "#ffffff"  # not parametrically smooth
_SCALE = "YlGnBu"


def plot_complex(
    network_or_complex: Network | CanonicalComplex,
    *,
    box: Any = None,
    color: Color = "rank",
    budget: Budget | None = None,
    progress: Progress = silent,
) -> Figure:
    """Picture of the canonical polyhedral complex: cells in the plane, or the graph of a function of one variable.

    Cells are coloured by what they add to the rank of the Jacobian of the evaluation map, larger cells first; cells
    that are not parametrically smooth are hatched; ternary tuples are written where there are at most 25 cells. The
    title states ``dim_fun(theta)`` and the bound ``D'``.

    Parameters
    ----------
    network_or_complex
        A network with one or two inputs, or its complex (in a box: that box is shown).
    box, color, budget, progress
        As for :func:`~exactfd.plot.scene.make_scene`.

    Raises
    ------
    InputError
        for another number of inputs.
    MissingExtraError
        when matplotlib is not installed.

    Examples
    --------
    >>> net = Network([([[1, 0], [0, 1]], [0, 0]), ([[1, 1]], [0])])
    >>> plot_complex(net).axes[0].get_title()
    "architecture (2, 2, 1), dim_fun = 7, D' = 7"
    """
    require_matplotlib()
    if isinstance(network_or_complex, CanonicalComplex):
        complex_ = network_or_complex
        if complex_.box is not None and box is None and complex_.dimension in (1, 2):
            return draw(scene_of(complex_, color=color, budget=budget, progress=progress))
        network_or_complex = complex_.network
    return draw(make_scene(network_or_complex, box=box, color=color, budget=budget, progress=progress))


def draw(scene: Scene) -> Figure:
    """The figure of a scene. Raises ``MissingExtraError`` without matplotlib, ``InputError`` beyond binary64."""
    require_matplotlib()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.6, 6.2), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(scene.headline, fontsize=11, color=_INK, pad=10)
    colors = _Colors(scene)
    if scene.network.input_dimension == 1:
        _draw_graph(axes, scene, colors)
    else:
        _draw_plane(axes, scene, colors)
    for spine in axes.spines.values():
        spine.set_color("#9aa5b1")
    axes.tick_params(colors="#52606d", labelsize=8)
    colors.add_bar(figure, axes, scene)
    return figure


def save_picture(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure, atomically: ``.png`` or ``.svg`` (the same bytes for the same picture).

    Raises ``InputError`` for another suffix or where the file cannot be written.
    """
    import matplotlib

    from exactfd.io import write_atomically

    suffix = check_suffix(path)
    buffer = io.BytesIO()
    metadata = {"Date": None} if suffix == ".svg" else {"Software": None}
    with matplotlib.rc_context({"svg.hashsalt": "exactfd", "svg.fonttype": "path"}):
        figure.savefig(buffer, format=suffix[1:], metadata=metadata)
    write_atomically(path, buffer.getvalue())


def check_suffix(path: str | os.PathLike[str]) -> str:
    """The suffix of a picture, in lower case; raises ``InputError`` unless it can be written."""
    suffix = os.path.splitext(os.fspath(path))[1].lower()
    if suffix not in SUFFIXES:
        found = repr(suffix) if suffix else "none"
        raise InputError(f"{os.fspath(path)}: a picture has the suffix {' or '.join(SUFFIXES)}, found {found}")
    return suffix


def require_matplotlib() -> None:
    """Raise ``MissingExtraError`` unless matplotlib is installed."""
    try:
        import matplotlib.figure  # noqa: F401  # asked for its presence only
    except ImportError:
        raise MissingExtraError("matplotlib", "plot", "drawing a picture") from None


# --------------------------------------------------------------------------- colours


class _Colors:
    """Face colours of regions, and the bar that explains them."""

    def __init__(self, scene: Scene) -> None:
        import matplotlib
        from matplotlib.colors import BoundaryNorm, ListedColormap

        self.most = max((region.added or 0 for region in scene.regions), default=0)
        scale = matplotlib.colormaps[_SCALE]
        steps = [scale(0.06 + 0.42 * k / max(self.most, 1)) for k in range(1, self.most + 1)]
        self.map = ListedColormap([_NOTHING, *steps])
        self.norm = BoundaryNorm([k - 0.5 for k in range(self.most + 2)], self.most + 1)
        self.plain = scene.color == "none"

    def face(self, region: Region) -> Any:
        """Colour of one region."""
        if not region.smooth:
            return _ROUGH
        return _PLAIN if self.plain else self.map(region.added or 0)

    def add_bar(self, figure: Figure, axes: Axes, scene: Scene) -> None:
        """Colour bar, unless nothing is coloured."""
        from matplotlib.cm import ScalarMappable

        if self.plain:
            return
        bar = figure.colorbar(ScalarMappable(norm=self.norm, cmap=self.map), ax=axes, fraction=0.045, pad=0.02)
        step = max(1, math.ceil((self.most + 1) / 12))
        bar.set_ticks(list(range(0, self.most + 1, step)))
        bar.minorticks_off()
        bar.ax.tick_params(length=0, labelsize=8, colors="#52606d")
        bar.outline.set_edgecolor("#9aa5b1")
        shown = f"added to the rank, largest cell first (sum in this box: {scene.rank})"
        bar.set_label(shown, fontsize=9, color=_INK)


# --------------------------------------------------------------------------- two inputs


def _draw_plane(axes: Axes, scene: Scene, colors: _Colors) -> None:
    from matplotlib.collections import LineCollection, PolyCollection

    for smooth in (True, False):
        regions = [region for region in scene.regions if region.smooth == smooth]
        shapes = [[_floats(corner) for corner in region.corners] for region in regions]
        if shapes:
            axes.add_collection(
                PolyCollection(
                    shapes,
                    facecolors=[colors.face(region) for region in regions],
                    edgecolors="none" if smooth else "#b8c0c8",
                    linewidths=0,
                    hatch=None if smooth else "////",
                    antialiaseds=False,  # no seams between neighbours
                )
            )
    depth = max((wall.layer for wall in scene.walls), default=0)
    crowd = max(0.35, min(1.0, 12 / math.sqrt(len(scene.regions) + 1)))
    for layer in range(1, depth + 1):
        segments = [[_floats(end) for end in wall.ends] for wall in scene.walls if wall.layer == layer]
        if segments:
            width = 1.9 * 0.62 ** (layer - 1) * crowd
            label = f"bent by layer {layer}"
            lines = LineCollection(segments, label=label, colors=_INK, linewidths=width, capstyle="round", zorder=3)
            axes.add_collection(lines)
    if depth > 1:
        axes.legend(
            loc="upper right",
            bbox_to_anchor=(1, -0.04),
            ncols=min(depth, 6),
            fontsize=8,
            frameon=False,
            handlelength=1.6,
        )
    if 0 < len(scene.vertices) <= _MAX_DOTS:
        dots = [_floats(vertex) for vertex in scene.vertices]
        axes.plot(*zip(*dots, strict=True), "o", color=_INK, markersize=3.4 * crowd, zorder=4)
    low, high = (_floats(side) for side in scene.box)
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(low[1], high[1])
    axes.set_xlabel("$x_1$", color=_INK)
    axes.set_ylabel("$x_2$", color=_INK)
    if len(scene.regions) <= MAX_LABELLED:
        spans = (high[0] - low[0], high[1] - low[1])
        for region in scene.regions:
            _write_label(axes, scene, region, spans)


def _write_label(axes: Axes, scene: Scene, region: Region, spans: Sequence[float]) -> None:
    """The ternary tuple at the centre of mass, as large as the cell has room for."""
    from matplotlib.patheffects import withStroke

    text = _tuple_text(scene, region)
    if not text:
        return
    corners = [_floats(corner) for corner in region.corners]
    x, y = _centroid(corners)
    width = 2 * min(abs(_crossing(corners, y, side) - x) for side in (-1, 1))
    size = max(4.5, min(11.0, _room(width / spans[0], text)))
    axes.text(
        x,
        y,
        text,
        ha="center",
        va="center",
        fontsize=size,
        family="monospace",
        color=_INK,
        zorder=5,
        path_effects=[withStroke(linewidth=2.2, foreground="#ffffffd0")],
    )


def _room(share: float, text: str) -> float:
    """Font size at which a text fills this share of the width of the axes (some 430 points)."""
    return share * 430 / (0.66 * len(text))


def _centroid(corners: Sequence[tuple[float, ...]]) -> tuple[float, float]:
    total = x = y = 0.0
    origin = corners[0]
    for p, q in pairwise(corners[1:]):
        area = (p[0] - origin[0]) * (q[1] - origin[1]) - (p[1] - origin[1]) * (q[0] - origin[0])
        total += area
        x += area * (origin[0] + p[0] + q[0]) / 3
        y += area * (origin[1] + p[1] + q[1]) / 3
    return (x / total, y / total) if total else (origin[0], origin[1])


def _crossing(corners: Sequence[tuple[float, ...]], y: float, side: int) -> float:
    """Where the horizontal through the centre leaves the polygon, on one side."""
    found = []
    for p, q in zip(corners, [*corners[1:], corners[0]], strict=True):
        if min(p[1], q[1]) <= y <= max(p[1], q[1]) and p[1] != q[1]:
            found.append(p[0] + (q[0] - p[0]) * (y - p[1]) / (q[1] - p[1]))
    return (max if side > 0 else min)(found, default=corners[0][0])


# --------------------------------------------------------------------------- one input


def _draw_graph(axes: Axes, scene: Scene, colors: _Colors) -> None:
    """Graph of every output, with its breakpoints, over intervals coloured by what they add to the rank."""
    for region in scene.regions:
        start, end = (_floats(corner)[0] for corner in region.corners)
        span = axes.axvspan(start, end, facecolor=colors.face(region), edgecolor="#b8c0c8", linewidth=0, zorder=0)
        if not region.smooth:
            span.set_hatch("////")
    (low,), (high,) = scene.box
    stops = sorted({low, high, *(vertex[0] for vertex in scene.vertices)})
    values = [scene.network.evaluate([stop]) for stop in stops]
    xs = [_floats((stop,))[0] for stop in stops]
    outputs = scene.network.output_dimension
    for k in range(outputs):
        ys = [_floats((value[k],))[0] for value in values]
        color = _INK if outputs == 1 else f"C{k % 10}"
        axes.plot(xs, ys, color=color, linewidth=1.8, label=f"$F_{{{k + 1}}}$", zorder=3)
        inner = slice(1, -1)
        axes.plot(xs[inner], ys[inner], "o", color=color, markersize=4, zorder=4)
    for wall in scene.walls:
        axes.axvline(_floats(wall.ends[0])[0], color=_INK, linewidth=0.7, linestyle=":", zorder=2)
    if 1 < outputs <= 10:
        axes.legend(fontsize=8, framealpha=0.9, edgecolor="#d2d8de")
    axes.set_xlim(xs[0], xs[-1])
    axes.margins(y=0.12)
    axes.set_xlabel("$x$", color=_INK)
    axes.set_ylabel("$F(x)$", color=_INK)
    if len(scene.regions) <= MAX_LABELLED:
        for region in scene.regions:
            start, end = (_floats(corner)[0] for corner in region.corners)
            text = _tuple_text(scene, region)
            upright = not text or _room((end - start) / (xs[-1] - xs[0]), text) < 9
            axes.text(
                (start + end) / 2,
                0.98,
                text,
                transform=axes.get_xaxis_transform(),
                ha="center",
                va="top",
                rotation=90 if upright else 0,
                family="monospace",
                fontsize=9,
                color=_INK,
                zorder=5,
            )


# --------------------------------------------------------------------------- text and floats


def _tuple_text(scene: Scene, region: Region) -> str:
    """``++0|-+``, layers apart."""
    signs = iter(region.labels)
    return "|".join("".join("-0+"[next(signs) + 1] for _ in range(width)) for width in scene.network.relu_widths)


def _floats(point: Sequence[Fraction]) -> tuple[float, ...]:
    """Rounded once, for display only."""
    result = tuple(rationals.nearest_float(rationals.to_fmpq(entry)) for entry in point)
    if not all(math.isfinite(entry) for entry in result):
        raise InputError("plot: a coordinate is beyond 1.8e308 and cannot be drawn; choose a smaller --box")
    return result
