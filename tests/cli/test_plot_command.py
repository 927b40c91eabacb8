"""The command ``exactfd plot``."""

from __future__ import annotations

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
    assert list(tmp_path.iterdir()) == []


def test_plot_in_one_colour(answer, examples, tmp_path):
    found = answer("plot", examples / "diamond.json", "-o", tmp_path / "a.png", "--color", "none")
    assert found["functional_dimension"] is found["rank_in_box"] is None
