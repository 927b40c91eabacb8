"""The command ``exactfd plot``."""

from __future__ import annotations

import sys

import pytest


def test_plot(answer, run, examples, tmp_path):
    out = tmp_path / "a.svg"
    found = answer("plot", examples / "two_layer_corner.json", "-o", out)
    assert (found["top_cells"], found["rank_in_box"], found["functional_dimension"]) == (11, 11, 11)
    assert found["output"] == str(out)
    assert found["box"] == [["-1/4", "-1/4"], ["9/4", "9/4"]]
    assert out.read_text().startswith("<?xml")
    text = run("plot", examples / "two_layer_corner.json", "-o", out, "--box", "0", "1,1/2").stdout
    assert "(0, 0) to (1, 1/2)" in text
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("options", [("--max-cells", 3), ("--time-limit", "0.000001")])
def test_plot_without_the_budget(run, examples, tmp_path, options):
    result = run("plot", examples / "two_layer_corner.json", "-o", tmp_path / "a.png", *options)
    assert (result.exit_code, result.stdout) == (4, "")
    assert len(result.stderr.splitlines()) == 1
    assert "a.png: no picture was written" in result.stderr
    assert options[0] in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_no_picture_in_json(answer, examples, tmp_path):
    path = examples / "two_layer_corner.json"
    whole = answer("plot", path, "-o", tmp_path / "a.png")
    found = answer("plot", path, "-o", tmp_path / "b.png", "--max-cells", 3, code=4)
    assert found.keys() == whole.keys()
    assert found["output"] is found["top_cells"] is None
    assert "--max-cells" in found["limit"]
    assert not (tmp_path / "b.png").exists()


def test_a_picture_with_bounds_in_its_title(run, examples, tmp_path, monkeypatch):
    """The cells are known in time, the functional dimension is not."""
    from exactfd.errors import BudgetExceeded
    from exactfd.plot import scene

    real = scene.functional_dimension

    def short_of_time(network, **options):
        class Out:
            def check(self, **counts):
                raise BudgetExceeded("the time limit of 1 s ran out (--time-limit)")

        return real(network, **{**options, "budget": Out()})

    monkeypatch.setattr(scene, "functional_dimension", short_of_time)
    result = run("plot", examples / "diamond.json", "-o", tmp_path / "a.png")
    assert result.exit_code == 4
    assert "<= dim_fun <=" in result.stdout
    assert "the picture is whole, its title gives bounds: the time limit" in result.stderr
    assert (tmp_path / "a.png").exists()


def test_plot_in_one_colour(answer, examples, tmp_path):
    found = answer("plot", examples / "diamond.json", "-o", tmp_path / "a.png", "--color", "none")
    assert found["functional_dimension"] is found["rank_in_box"] is None


@pytest.mark.parametrize("color", ["facets", "layer", "bounded"])
def test_plot_in_other_colours(answer, examples, tmp_path, color):
    found = answer("plot", examples / "diamond.json", "-o", tmp_path / "a.svg", "--color", color)
    assert (found["color"], found["top_cells"], found["functional_dimension"]) == (color, 4, None)
    assert answer("plot", examples / "diamond.json", "-o", tmp_path / "a.svg")["color"] == "rank"


@pytest.mark.parametrize("suffix", ["svg", "html"])
def test_histogram(answer, run, examples, tmp_path, suffix):
    out = tmp_path / f"h.{suffix}"
    found = answer("plot", examples / "digits_3-8-8-1.json", "--histogram", "-o", out)
    assert sum(found["facet_histogram"].values()) == found["top_cells"]
    assert (found["walls_counted"], found["box"]) == (False, None)
    assert out.exists()
    boxed = answer("plot", examples / "diamond.json", "--histogram", "-o", out, "--box", "-1", "1")
    assert (boxed["facet_histogram"], boxed["mean_facets"], boxed["walls_counted"]) == ({"4": 4}, "4", True)
    text = run("plot", examples / "diamond.json", "--histogram", "-o", out, "--box", "-1", "1").stdout
    assert "facets per polytope, walls of the box included: mean 4" in text
    assert list(tmp_path.iterdir()) == [out]


def test_no_histogram_without_the_budget(answer, examples, tmp_path):
    path = examples / "diamond.json"
    whole = answer("plot", path, "--histogram", "-o", tmp_path / "a.svg")
    found = answer("plot", path, "--histogram", "-o", tmp_path / "b.svg", "--max-cells", 2, code=4)
    assert found.keys() == whole.keys()
    assert found["facet_histogram"] is found["output"] is None
    assert not (tmp_path / "b.svg").exists()


def test_a_histogram_has_one_colour(run, examples, tmp_path):
    result = run("plot", examples / "diamond.json", "--histogram", "--color", "facets", "-o", tmp_path / "a.svg")
    assert result.exit_code == 2


def test_a_page_needs_plotly(run, examples, tmp_path, monkeypatch):
    run_ok = run("plot", examples / "diamond.json", "-o", tmp_path / "a.html", "--color", "facets")
    assert run_ok.exit_code == 0
    monkeypatch.setitem(sys.modules, "plotly", None)
    monkeypatch.setitem(sys.modules, "plotly.graph_objects", None)
    result = run("plot", examples / "diamond.json", "-o", tmp_path / "b.html")
    assert result.exit_code == 3
    assert "pip install 'exactfd[html]'" in result.stderr
    assert not (tmp_path / "b.html").exists()
    assert run("plot", examples / "diamond.json", "-o", tmp_path / "b.svg").exit_code == 0
