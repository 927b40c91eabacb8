"""The same pictures for a browser, with plotly (``pip install 'exactfd[html]'``): cells answer to the mouse.

The files hold everything they need and are the same for the same picture. What is drawn is exact
(:mod:`exactfd.plot.scene`); coordinates are rounded for display only, and the text at a cell is exact.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from exactfd.errors import MissingExtraError
from exactfd.plot.display import (
    INK,
    MEANING,
    PLAIN,
    ROUGH,
    UNBOUNDED,
    check_box,
    check_suffix,
    floats,
    layer_color,
    quantity,
    shade,
    tuple_text,
)
from exactfd.plot.histogram import BAR, axis_text, mean_facets, mean_text
from exactfd.plot.scene import Point, Region, Scene
from exactfd.rationals import format_rational

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_MOST_CORNERS = 8  # that are written at a cell
_SCALE = "YlGnBu"


def require_plotly() -> None:
    """Raise ``MissingExtraError`` unless plotly is installed."""
    try:
        import plotly.graph_objects  # noqa: F401  # asked for its presence only
    except ImportError:
        raise MissingExtraError("plotly", "html", "drawing an interactive picture") from None


def interactive(scene: Scene) -> Figure:
    """The plotly figure of a scene.

    Raises ``MissingExtraError`` without plotly, ``InputError`` beyond binary64.

    >>> from exactfd.network import Network
    >>> from exactfd.plot.scene import make_scene
    >>> net = Network([([[1, 0], [0, 1]], [0, 0]), ([[1, 1]], [0])])
    >>> interactive(make_scene(net, color="facets")).data[0].text
    '++<br>2 facets<br>unbounded<br>corners (0, 0), (1, 0), (1, 1), (0, 1)'
    """
    require_plotly()
    from plotly.graph_objects import Figure

    check_box(scene)
    figure = Figure()
    told: set[str] = set()
    plane = scene.network.input_dimension == 2
    for region in scene.regions:
        name, color = _kind(scene, region)
        corners = [floats(corner) for corner in region.corners]
        if not plane:
            (start,), (end,) = corners
            figure.add_vrect(x0=start, x1=end, fillcolor=color, line_width=0, layer="below")
            continue
        figure.add_scatter(
            x=[x for x, _ in [*corners, corners[0]]],
            y=[y for _, y in [*corners, corners[0]]],
            mode="lines",
            line={"width": 0},
            fill="toself",
            fillcolor=color,
            hoveron="fills",
            hoverinfo="text",
            text=_text(scene, region),
            name=name,
            legendgroup=name,
            showlegend=bool(name) and name not in told,
        )
        told.add(name)
    (_add_walls if plane else _add_graph)(figure, scene)
    _finish(figure, scene.headline)
    (low, *_), (high, *_) = (floats(side) for side in scene.box)
    figure.update_xaxes(title="x<sub>1</sub>" if plane else "x", range=[low, high])
    if plane:
        figure.update_yaxes(title="x<sub>2</sub>", range=[floats(side)[1] for side in scene.box])
        if scene.color in MEANING:
            figure.update_layout(legend_title_text=MEANING[scene.color].format(rank=scene.rank))
    else:
        figure.update_yaxes(title="F(x)")
    return figure


def interactive_histogram(counts: Mapping[int, int], *, title: str = "", walls_counted: bool = False) -> Figure:
    """The plotly figure of a histogram; arguments and errors as for :func:`~exactfd.plot.histogram.draw_histogram`.

    Source: as there.

    >>> interactive_histogram({2: 3, 3: 4}).data[0].y
    (3, 4)
    """
    require_plotly()
    from plotly.graph_objects import Figure

    text = mean_text(counts)
    figure = Figure()
    figure.add_bar(
        x=list(counts),
        y=list(counts.values()),
        marker_color=BAR,
        hovertemplate="%{y} polytopes with %{x} facets<extra></extra>",
    )
    figure.add_vline(x=float(mean_facets(counts)), line_dash="dash", line_color=INK, line_width=1)
    _finish(figure, title)
    figure.update_xaxes(title=axis_text(text, walls_counted))
    figure.update_yaxes(title="polytopes")
    return figure


def save_html(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a page with the picture and everything it needs, atomically; the same bytes for the same picture.

    Raises ``InputError`` for another suffix than ``.html`` or where the file cannot be written.
    """
    from exactfd.io import write_atomically

    check_suffix(path, (".html",))
    text: str = figure.to_html(include_plotlyjs=True, full_html=True, div_id="exactfd")
    write_atomically(path, text.encode("utf-8"))


# --------------------------------------------------------------------------- parts


def _finish(figure: Figure, title: str) -> None:
    figure.update_layout(
        title=title,
        template="plotly_white",
        hovermode="closest",
        font_color=INK,
        hoverlabel={"bgcolor": "#ffffff", "font_family": "monospace"},
    )


def _kind(scene: Scene, region: Region) -> tuple[str, str]:
    """What the legend calls a region ("" for nothing), and its colour."""
    from plotly.colors import sample_colorscale

    if not region.smooth and scene.color in ("rank", "layer", "none"):
        return "not parametrically smooth", ROUGH
    if scene.color == "bounded":
        return ("bounded", PLAIN) if region.bounded else ("unbounded", UNBOUNDED)
    if scene.color not in MEANING:
        return "", PLAIN
    value = quantity(scene, region) or 0
    color: str = sample_colorscale(_SCALE, [shade(scene, value)])[0]
    return str(value), color


def _text(scene: Scene, region: Region) -> str:
    """What is shown at the mouse: exact."""
    lines = [tuple_text(scene, region)]
    if region.facets is not None:
        lines.append(f"{region.facets} facet{'s' * (region.facets != 1)}")
    if region.bounded is not None:
        lines.append("bounded" if region.bounded else "unbounded")
    if region.added is not None:
        lines.append(f"adds {region.added} to the rank")
    if not region.smooth:
        lines.append("not parametrically smooth")
    if len(region.corners) <= _MOST_CORNERS:
        lines.append(f"corners {', '.join(map(_coordinates, region.corners))}")
    return "<br>".join(line for line in lines if line)


def _coordinates(point: Point) -> str:
    return f"({', '.join(map(format_rational, point))})"


def _add_walls(figure: Figure, scene: Scene) -> None:
    """Bent lines, a trace for each layer."""
    for layer in sorted({wall.layer for wall in scene.walls}):
        xs: list[float | None] = []
        ys: list[float | None] = []
        for wall in scene.walls:
            if wall.layer == layer:
                ends = [floats(end) for end in wall.ends]
                xs += [*(x for x, _ in ends), None]
                ys += [*(y for _, y in ends), None]
        color = layer_color(layer) if scene.color == "layer" else INK
        figure.add_scatter(
            x=xs,
            y=ys,
            mode="lines",
            line={"color": color, "width": 1.9 * 0.62 ** (layer - 1)},
            hoverinfo="skip",
            name=f"bent by layer {layer}",
        )


def _add_graph(figure: Figure, scene: Scene) -> None:
    """Graph of every output, piece by piece, with what is known of each piece."""
    for k in range(scene.network.output_dimension):
        xs: list[float | None] = []
        ys: list[float | None] = []
        texts: list[str] = []
        for region in sorted(scene.regions, key=lambda region: region.corners):
            for x in region.corners:
                value = scene.network.evaluate(x)[k]
                xs.append(floats(x)[0])
                ys.append(floats((value,))[0])
                texts.append(f"F({format_rational(x[0])}) = {format_rational(value)}<br>{_text(scene, region)}")
        figure.add_scatter(x=xs, y=ys, mode="lines+markers", hoverinfo="text", text=texts, name=f"F<sub>{k + 1}</sub>")
    for wall in scene.walls:
        color = layer_color(wall.layer) if scene.color == "layer" else INK
        figure.add_vline(x=floats(wall.ends[0])[0], line_dash="dot", line_width=0.7, line_color=color)
