"""Pictures of facets, boundedness and layers; histograms; pages for a browser."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest

import exactfd
from exactfd import plot
from exactfd.errors import InputError, MissingExtraError
from exactfd.plot.display import UNBOUNDED, layer_color
from exactfd.plot.histogram import histogram_document, mean_facets
from oracles import formulas
from strategies import degenerate_networks

EXAMPLES = Path(__file__).parents[2] / "examples"


def load(name):
    return exactfd.load(EXAMPLES / f"{name}.json")


def triangle():
    """Three lines in general position: a triangle, three sides, three corners."""
    return exactfd.Network([([[1, 0], [0, 1], [1, 1]], [0, 0, -1]), ([[1, 1, 1]], [0])])


# --------------------------------------------------------------------------- scenes


@pytest.mark.parametrize("box", [None, (-5, 5), ("1/10", "2/5")])
def test_facets_are_those_of_the_whole_polytope(box):
    """Whatever the box cuts off."""
    scene = plot.make_scene(triangle(), box=box, color="facets")
    expected = {
        (1, 1, -1): 3,
        (-1, 1, -1): 3,
        (1, -1, -1): 3,
        (1, 1, 1): 3,
        (-1, -1, -1): 2,
        (-1, 1, 1): 2,
        (1, -1, 1): 2,
    }
    assert {region.labels: region.facets for region in scene.regions}.items() <= expected.items()
    assert all(region.bounded == (region.labels == (1, 1, -1)) for region in scene.regions)
    assert len(scene.regions) == (7 if box in (None, (-5, 5)) else 1)


def test_facets_against_cells():
    """In a box that holds every vertex, a polytope has the facets of its part in the box that are no walls."""
    for _, network in degenerate_networks(31, 168):
        if network.input_dimension > 2:
            continue
        scene = plot.make_scene(network, color="facets")
        inside = exactfd.canonical_complex(network, box=scene.box)
        for cell in inside.cells(inside.dimension):
            (region,) = [region for region in scene.regions if region.labels == cell.labels]
            assert region.facets == sum(not any(facet.walls) for facet in cell.facets())
            assert region.bounded == (not any(any(facet.walls) for facet in cell.facets()))


def test_nothing_is_counted_unless_asked_for():
    for color in ("rank", "layer", "none"):
        scene = plot.make_scene(triangle(), color=color)
        assert {(region.facets, region.bounded) for region in scene.regions} == {(None, None)}
        assert (scene.dimension is None) == (color != "rank")
    assert plot.make_scene(triangle(), color="facets").to_dict()["color"] == "facets"


# --------------------------------------------------------------------------- matplotlib


def keys_of(figure):
    legend = figure.axes[0].get_legend()
    return [] if legend is None else [text.get_text() for text in legend.get_texts()]


def test_colours_of_facets():
    figure = plot.plot_complex(triangle(), color="facets")
    axes, bar = figure.axes
    assert [float(tick) for tick in bar.get_yticks()] == [2, 3]
    assert bar.get_ylabel() == "facets of the whole polytope (the box adds no walls)"
    (faces,) = [c for c in axes.collections if type(c).__name__ == "PolyCollection"]
    assert Counter(Counter(map(tuple, faces.get_facecolors().tolist())).values()) == {3: 1, 4: 1}


def test_colours_of_boundedness():
    figure = plot.plot_complex(triangle(), color="bounded")
    assert len(figure.axes) == 1
    assert {"bounded polytope", "unbounded polytope"} <= set(keys_of(figure))
    assert "bounded polytope" not in keys_of(plot.plot_complex(load("diamond"), color="bounded"))


def test_colours_of_layers():
    figure = plot.plot_complex(load("two_layer_corner"), color="layer")
    lines = [c for c in figure.axes[0].collections if type(c).__name__ == "LineCollection"]
    from matplotlib.colors import to_rgba

    assert [tuple(line.get_colors()[0]) for line in lines] == [to_rgba(layer_color(layer)) for layer in (1, 2)]
    assert {"bent by layer 1", "bent by layer 2"} <= set(keys_of(figure))
    assert keys_of(plot.plot_complex(load("glmw_example_1-1"), color="layer")) == ["bent by layer 1"]
    assert layer_color(100) == layer_color(8) != layer_color(7)


@pytest.mark.parametrize("color", plot.COLORS)
@pytest.mark.parametrize("name", ["diamond", "glmw_example_1-1", "fiber_dim_1"])
def test_every_colour_of_every_kind(name, color, tmp_path):
    scene = plot.make_scene(load(name), color=color)
    for suffix in ("png", "svg"):
        plot.save_picture(plot.draw(scene), tmp_path / f"a.{suffix}")
    plot.save_html(plot.interactive(scene), tmp_path / "a.html")
    again = plot.interactive(scene).to_html(include_plotlyjs=True, full_html=True, div_id="exactfd")
    assert (tmp_path / "a.html").read_text(encoding="utf-8") == again


# --------------------------------------------------------------------------- histograms


@pytest.mark.parametrize(("inputs", "neurons"), [(1, 3), (2, 4), (3, 5)])
def test_histogram_in_general_position(inputs, neurons):
    """Each wall has two sides: the sum of the facets is twice the number of cells of codimension one."""
    rows = [[(i + 2) ** j for j in range(inputs)] for i in range(neurons)]
    network = exactfd.Network([(rows, [(i + 2) ** inputs for i in range(neurons)]), ([[1] * neurons], [0])])
    counts = plot.facets_per_polytope(exactfd.canonical_complex(network))
    assert sum(counts.values()) == formulas.regions(neurons, inputs)
    assert mean_facets(counts) == Fraction(2 * formulas.faces(neurons, inputs, inputs - 1), sum(counts.values()))
    assert mean_facets(counts) < 2 * inputs


def test_histogram_in_a_box():
    assert plot.facets_per_polytope(exactfd.canonical_complex(load("diamond"))) == {2: 4}
    assert plot.facets_per_polytope(exactfd.canonical_complex(load("diamond"), box=(-1, 1))) == {4: 4}


def test_histogram_pictures(tmp_path):
    counts = {2: 3, 5: 1}
    figure = plot.draw_histogram(counts, title="here", walls_counted=True)
    axes = figure.axes[0]
    assert [(bar.get_x() + bar.get_width() / 2, bar.get_height()) for bar in axes.patches] == [(2, 3), (5, 1)]
    assert axes.lines[0].get_xdata()[0] == 2.75
    assert axes.get_title() == "here"
    assert "walls of the box included" in axes.get_xlabel()
    plot.save_picture(figure, tmp_path / "a.svg")
    page = plot.interactive_histogram(counts, title="here")
    assert (tuple(page.data[0].x), tuple(page.data[0].y)) == ((2, 5), (3, 1))
    assert page.layout.xaxis.title.text == "facets of the polytope (mean 11/4 = 2.750)"
    assert histogram_document(counts, False)["mean_facets"] == "11/4"


@pytest.mark.parametrize("counts", [{}, {2: 0}, {2: -1}, {-1: 2}, {"2": 1}, {2: 1.5}])
def test_no_histogram(counts):
    for drawing in (plot.draw_histogram, plot.interactive_histogram):
        with pytest.raises(InputError, match="histogram"):
            drawing(counts)


# --------------------------------------------------------------------------- pages


def test_a_page_says_what_is_exact():
    scene = plot.make_scene(triangle(), color="facets")
    figure = plot.interactive(scene)
    cells = [trace for trace in figure.data if trace.fill == "toself"]
    assert len(cells) == 7
    (inner,) = [trace for trace in cells if trace.text.startswith("++-")]
    assert inner.text == "++-<br>3 facets<br>bounded<br>corners (0, 0), (1, 0), (0, 1)"
    assert sorted(zip(inner.x[:-1], inner.y[:-1], strict=True)) == [(0, 0), (0, 1), (1, 0)]
    assert Counter(trace.name for trace in cells if trace.showlegend) == {"2": 1, "3": 1}
    assert {trace.fillcolor for trace in cells if trace.name == "2"}.isdisjoint(
        trace.fillcolor for trace in cells if trace.name == "3"
    )
    bounded = plot.interactive(plot.make_scene(triangle(), color="bounded"))
    assert sum(trace.fillcolor == UNBOUNDED for trace in bounded.data) == 6
    ranks = plot.interactive(plot.make_scene(triangle()))
    assert "adds" in ranks.data[0].text


def test_a_page_of_a_graph():
    network = load("glmw_example_1-1")
    figure = plot.interactive(plot.make_scene(network, box=(0, 6), color="layer"))
    (line,) = figure.data
    assert list(line.x) == [0, 2.5, 2.5, 4, 4, 6]
    assert list(line.y) == [float(network.evaluate([x])[0]) for x in line.x]
    assert line.text[1].startswith("F(5/2) = 5/2<br>-+|+")


def test_a_page_holds_all_it_needs(tmp_path):
    plot.save_html(plot.interactive(plot.make_scene(triangle(), color="facets")), tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert not re.search(r'<(?:script|link)[^>]*(?:src|href)="?http', page)
    assert json.dumps("++-<br>3 facets")[1:-1].replace("<", "\\u003c").replace(">", "\\u003e") in page
    with pytest.raises(InputError, match=r"\.html"):
        plot.save_html(plot.interactive(plot.make_scene(triangle())), tmp_path / "a.png")
    with pytest.raises(InputError, match=r"\.png or \.svg, found '\.html'"):
        plot.save_picture(plot.plot_complex(triangle()), tmp_path / "a.html")


def test_without_plotly(monkeypatch):
    for name in ("plotly", "plotly.graph_objects"):
        monkeypatch.setitem(sys.modules, name, None)
    for drawing in (lambda: plot.interactive(plot.make_scene(triangle())), lambda: plot.interactive_histogram({2: 1})):
        with pytest.raises(MissingExtraError, match=r"exactfd\[html\]"):
            drawing()
    plot.draw_histogram({2: 1})


def test_pages_without_matplotlib(monkeypatch):
    for name in ("matplotlib", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, name, None)
    assert plot.interactive_histogram({2: 1}).data
    assert plot.interactive(plot.make_scene(triangle(), color="facets")).data
    with pytest.raises(MissingExtraError, match=r"exactfd\[plot\]"):
        plot.draw_histogram({2: 1})
