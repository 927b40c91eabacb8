"""The example files are valid and are the functions that their table says they are."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from exactfd.io import load, load_points
from exactfd.network import Network

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
GRID = [Fraction(k, 3) for k in range(-12, 13)]


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.json")), ids=lambda path: path.stem)
def test_every_example_is_read_and_follows_its_schema(path: Path) -> None:
    is_points = path.parent.name == "points"
    schema = ROOT / "exactfd" / "schemas" / ("points-v1.json" if is_points else "network-v1.json")
    jsonschema.validate(json.loads(path.read_text()), json.loads(schema.read_text()))
    if is_points:
        assert load_points(path, dimension=64 if path.stem.startswith("digits") else 1)
    else:
        shape = re.search(r"(\d+-)+\d+$", path.stem)
        network = load(path)
        if shape and (path.parent.name == "witnesses" or ("_t_" not in path.stem and "example" not in path.stem)):
            assert "-".join(map(str, network.architecture)) == shape.group()


def example(name: str) -> Network:
    """The example of this name."""
    return load(example_file(name))


def example_file(name: str) -> Path:
    """Its one file."""
    (path,) = (EXAMPLES / f"{name}{suffix}" for suffix in (".json", ".npz") if (EXAMPLES / f"{name}{suffix}").exists())
    return path


def test_example_1_1() -> None:
    network = example("glmw_example_1-1")
    assert network.theta() == (2, -5, -1, 4, 1, 1, 1)
    assert (network.output_activation, network.parametric_dimension, network.upper_bound) == ("relu", 7, 5)
    batches = [load_points(EXAMPLES / "points" / f"glmw_example_1-1_batch_{i}.json") for i in range(1, 5)]
    assert batches == [[[x] for x in batch] for batch in ([0, 1, 2], [0, 3, 5], [0, 1, 5, 6], [1, 2, 3, 5, 6])]


def test_functions() -> None:
    for x in GRID:
        assert example("fiber_dim_1").evaluate([x]) == example("fiber_dim_2").evaluate([x]) == (-1,)
        assert example("hidden_family_t_1-3").evaluate([x]) == example("hidden_family_t_2").evaluate([x]) == (x,)
        for y in GRID[::3]:
            assert example("max_min_regions").evaluate([x, y]) == (max(-y, min(Fraction(0), -x)),)
            assert example("diamond").evaluate([x, y]) == (abs(x) + abs(y) - 1,)


def test_twenty_witnesses() -> None:
    assert len(list((EXAMPLES / "witnesses").glob("*.json"))) == 20


def test_three_images_for_a_plane_section() -> None:
    """The network tells the three digits apart, so its values on the corners of the section are known."""
    network = example("digits_64-32-32-10")
    points = load_points(EXAMPLES / "points" / "digits_0_1_2.json", dimension=64)
    values = [network.evaluate(point) for point in points]
    assert [row.index(max(row)) for row in values] == [0, 1, 2]


def test_accuracies_in_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trained files do on the real data what ``README.md`` says."""
    spec = importlib.util.spec_from_file_location("exactfd_example_train", EXAMPLES / "train.py")
    assert spec is not None
    assert spec.loader is not None
    train: Any = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, train)
    spec.loader.exec_module(train)
    table = (EXAMPLES / "README.md").read_text()
    tasks = train.tasks()
    assert len(tasks) >= 3
    for task in tasks:
        network = example(task.name)
        file = example_file(task.name).name
        row = next(line for line in table.splitlines() if f"`{file}`" in line)
        shape = ", ".join(str(n) for n in network.architecture)
        assert row == f"| `{file}` | {task.about} | ({shape}) | {train.accuracy(network, task):.3f} |"
