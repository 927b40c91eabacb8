"""Pictures: exact scenes, deterministic files."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

import exactfd
from exactfd.errors import BudgetExceeded, InputError
from exactfd.plot import make_scene, plot_complex, save_picture
from exactfd.plot.scene import around, default_box

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
PLANE = ["two_layer_corner", "diamond", "max_min_regions", "wine_2-6-3", "witnesses/2-3-3-3-1"]
LINE = ["glmw_example_1-1", "hidden_family_t_2", "fiber_dim_1", "width_one_chain"]


def load(name):
    return exactfd.load(EXAMPLES / f"{name}.json")


def inside(point, corners):
    """Strictly inside a counterclockwise polygon."""
    turns = [
        (q[0] - p[0]) * (point[1] - p[1]) - (q[1] - p[1]) * (point[0] - p[0])
        for p, q in zip(corners, [*corners[1:], corners[0]], strict=True)
    ]
    return all(turn > 0 for turn in turns)


# --------------------------------------------------------------------------- scenes


@pytest.mark.parametrize("name", PLANE)
@pytest.mark.parametrize("box", [None, (-2, "5/2")])
def test_polygons_tile_the_box(name, box):
    network = load(name)
    scene = make_scene(network, box=box)
    (x0, y0), (x1, y1) = scene.box
    assert sum(region.size for region in scene.regions) == (x1 - x0) * (y1 - y0)
    for region in scene.regions:
        center = tuple(sum(axis) / len(region.corners) for axis in zip(*region.corners, strict=True))
        assert network.ternary_tuple(center) == region.labels
        assert inside(center, region.corners)


@pytest.mark.parametrize("name", LINE)
def test_intervals_tile_the_box(name):
    scene = make_scene(load(name))
    (low,), (high,) = scene.box
    assert sum(region.size for region in scene.regions) == high - low
    assert all(len(region.corners) == 2 for region in scene.regions)


@pytest.mark.parametrize("name", [*PLANE, *LINE])
def test_what_cells_add_sums_to_the_functional_dimension(name):
    """The default box holds every vertex; all top cells of these examples meet it."""
    network = load(name)
    scene = make_scene(network)
    whole = exactfd.canonical_complex(network)
    assert {region.labels for region in scene.regions} == set(map(tuple, whole.labels(whole.dimension).tolist()))
    assert scene.rank == exactfd.functional_dimension(network).value
    most = network.output_dimension * (network.input_dimension + 1)
    assert all((region.added is None) != region.smooth for region in scene.regions)
    assert all(0 <= region.added <= most for region in scene.regions if region.smooth)


def test_default_box_holds_every_vertex():
    for name in PLANE:
        network = load(name)
        low, high = default_box(network)
        for cell in exactfd.canonical_complex(network).cells(0):
            (vertex,) = cell.vertices()
            assert all(a < x < b for a, x, b in zip(low, vertex, high, strict=True))


@pytest.mark.parametrize(
    "layers",
    [
        [([[1, 1], [1, 1]], [0, -3]), ([[1, 1]], [0])],  # parallel lines
        [([[0, 0]], [1]), ([[1]], [0])],  # no line at all
        [([[1, 2]], [3])],  # no neuron
        [([[1, 0], [0, 1], [1, 1]], [0, 0, 0]), ([[1, 1, 1]], [0])],  # one vertex
    ],
)
def test_a_default_box_without_vertices(layers):
    network = exactfd.Network(layers)
    scene = make_scene(network)
    assert len(scene.regions) == exactfd.canonical_complex(network).top_cells
    plot_complex(network)


def test_a_dead_neuron_bends_nothing():
    """Neuron 1 is zero everywhere: walls belong to the neuron that changes sign there."""
    network = exactfd.Network([([[0, 0], [1, 0]], [0, 0]), ([[1, 1], [0, 2]], [0, -1]), ([[1, 1]], [0])])
    scene = make_scene(network)
    assert {(wall.layer, wall.ends[0][0]) for wall in scene.walls} == {(1, 0), (2, Fraction(1, 2))}
    assert not any(region.smooth for region in scene.regions)
    assert scene.rank == 0
    figure = plot_complex(network)
    assert [c.get_hatch() for c in figure.axes[0].collections if c.get_hatch()] == ["////"]
    assert "not parametrically smooth" in keys_of(figure)


def test_around_is_exact():
    tiny = Fraction(1, 10**30)
    corners = [(0, 0), (1, 1), (1, 1 + tiny), (0, 1)]
    assert around([corners[i] for i in (2, 0, 3, 1)]) == corners


@pytest.mark.parametrize("name", ["iris_4-5-3", "digits_3-8-8-1"])
def test_other_numbers_of_inputs(name):
    with pytest.raises(InputError, match=r"1 or 2 inputs.*exactfd cells"):
        plot_complex(load(name))


def test_bad_arguments(tmp_path):
    with pytest.raises(InputError, match="color"):
        make_scene(load("diamond"), color="red")
    with pytest.raises(BudgetExceeded):
        make_scene(load("diamond"), budget=exactfd.Budget(max_cells=1))
    with pytest.raises(InputError, match=r"\.png or \.svg"):
        save_picture(plot_complex(load("diamond")), tmp_path / "a.gif")
    assert list(tmp_path.iterdir()) == []


# --------------------------------------------------------------------------- figures


def test_labels_when_few():
    figure = plot_complex(load("two_layer_corner"))
    axes = figure.axes[0]
    assert axes.get_title() == "architecture (2, 2, 2, 1), dim_fun = 11, D' = 11"
    assert "++|-+" in {text.get_text() for text in axes.texts}
    assert len(axes.texts) == 11
    assert not plot_complex(load("witnesses/2-3-3-3-1")).axes[0].texts  # 49 cells


def keys_of(figure):
    """What the legend below says."""
    legend = figure.axes[0].get_legend()
    return [] if legend is None else [text.get_text() for text in legend.get_texts()]


def boxes(figure):
    """Every label with the rectangle that it covers, in the coordinates of the picture."""
    axes = figure.axes[0]
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    return [(t.get_text(), t.get_window_extent(renderer).transformed(axes.transData.inverted())) for t in axes.texts]


@pytest.mark.parametrize("name", PLANE)
def test_labels_stay_inside_their_cells(name):
    scene = make_scene(load(name))
    figure = plot_complex(load(name))
    corners = {figure_text(region, scene): region.corners for region in scene.regions}
    written = boxes(figure)
    for text, box in written:
        for corner in box.corners():
            center = ((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2)
            shrunk = [c + 0.93 * (x - c) for c, x in zip(center, corner, strict=True)]
            assert inside(shrunk, corners[text]), text
    left_out = len(scene.regions) - len(written)
    assert all(text.get_fontsize() >= 6 for text in figure.axes[0].texts)
    said = [key for key in keys_of(figure) if "left out" in key]
    assert said == ([f"{left_out} label{'s' * (left_out > 1)} left out for lack of room"] if left_out else [])


def figure_text(region, scene):
    signs = iter(region.labels)
    return "|".join("".join("-0+"[next(signs) + 1] for _ in range(n)) for n in scene.network.relu_widths)


def test_a_sliver_has_no_label():
    network = exactfd.Network([([[1, 0], [1, 0], [0, 1]], [0, "-1/1000", 0]), ([[1, 1, 1]], [0])])
    figure = plot_complex(network, box=(-1, 1))
    assert {text.get_text() for text in figure.axes[0].texts} == {"+++", "--+", "++-", "---"}
    assert keys_of(figure) == ["2 labels left out for lack of room"]
    line = exactfd.Network([([[1], [1]], [0, "-1/1000"]), ([[1, 1], [1, 2]], [0, 0])])
    figure = plot_complex(line, box=(-1, 1))
    assert {text.get_text() for text in figure.axes[0].texts} == {"--", "++"}
    assert keys_of(figure) == ["1 label left out for lack of room"]
    (inner,) = figure.axes[0].artists
    assert [text.get_text() for text in inner.get_texts()] == ["$F_{1}$", "$F_{2}$"]


def test_a_complex_in_a_box_is_drawn_as_it_is():
    complex_ = exactfd.canonical_complex(load("diamond"), box=(-3, 2))
    axes = plot_complex(complex_).axes[0]
    assert (axes.get_xlim(), axes.get_ylim()) == ((-3, 2), (-3, 2))
    assert plot_complex(complex_, box=(-1, 1)).axes[0].get_xlim() == (-1, 1)
    assert plot_complex(exactfd.canonical_complex(load("diamond"))).axes[0].get_xlim() == (-1, 1)


def test_without_colours():
    figure = plot_complex(load("diamond"), color="none")
    assert len(figure.axes) == 1
    assert figure.axes[0].get_title() == "architecture (2, 4, 1)"


def test_the_graph_of_a_function():
    network = load("glmw_example_1-1")
    axes = plot_complex(network, box=(0, 6)).axes[0]
    xs, ys = axes.lines[0].get_data()
    assert list(xs) == [0, 2.5, 4, 6]
    assert list(ys) == [float(network.evaluate([x])[0]) for x in xs.tolist()]


@pytest.mark.parametrize("name", ["two_layer_corner", "glmw_example_1-1"])
def test_svg_is_the_same_in_another_process(name, tmp_path):
    save_picture(plot_complex(load(name)), tmp_path / "here.svg")
    command = [
        sys.executable,
        "-m",
        "exactfd",
        "plot",
        str(EXAMPLES / f"{name}.json"),
        "-o",
        str(tmp_path / "there.svg"),
    ]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    here, there = ((tmp_path / f"{where}.svg").read_text() for where in ("here", "there"))
    assert here == there
    assert "<dc:date>" not in here


def test_png(tmp_path):
    save_picture(plot_complex(load("diamond")), tmp_path / "a.PNG")
    assert (tmp_path / "a.PNG").read_bytes().startswith(b"\x89PNG")


def test_too_large_to_draw():
    with pytest.raises(InputError, match=r"1e\+150"):
        plot_complex(load("diamond"), box=(0, 10**400))
    with pytest.raises(InputError, match=r"1e\+150"):
        plot_complex(exactfd.Network([([[10**200]], [0])]), box=(0, 1))
    with pytest.raises(InputError, match="too thin"):
        plot_complex(load("diamond"), box=(10**20, 10**20 + 1))


@pytest.mark.parametrize("box", [(-(10**140), 10**140), (0, "1e-250"), (10**9, 10**9 + 1)])
@pytest.mark.parametrize("name", ["diamond", "glmw_example_1-1"])
def test_extreme_boxes_that_can_be_drawn(name, box, tmp_path):
    """No overflow on the way (a warning is an error here)."""
    save_picture(plot_complex(load(name), box=box), tmp_path / "a.png")
