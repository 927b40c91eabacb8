"""Specifications: what is read, and errors that name the key, what was expected and what was found."""

from __future__ import annotations

import copy
import re

import pytest

from exactfd.errors import InputError
from exactfd.experiments import parse_specification, read_specification
from exactfd.experiments.specification import Formula

GOOD = {
    "seed": 3,
    "count": 2,
    "architectures": [[1, 2, 1], {"sizes": [2, 3, 1], "count": 5}],
    "laws": {"he": {"weights": "he", "biases": {"law": "normal", "deviation": 0.1}}},
    "measures": ["dimension", {"measure": "batch", "points": "D'"}, {"measure": "batch", "name": "b2", "points": 7}],
    "limits": {"time": 1.5, "memory": "300M", "cells": 10},
}


def test_a_good_one():
    found = parse_specification(GOOD)
    assert found.architectures == {(1, 2, 1): 2, (2, 3, 1): 5}
    assert found.networks == 7
    assert [measure.name for measure in found.measures] == ["dimension", "batch", "b2"]
    assert (found.limits.time, found.limits.memory, found.limits.cells) == (1.5, 300 << 20, 10)
    assert found.output_activation == "identity"


def test_the_examples(request):
    for path in (request.config.rootpath / "examples" / "experiments").glob("*.toml"):
        assert read_specification(path).networks > 0


@pytest.mark.parametrize(
    ("text", "value"),
    [("2*D'", 26), ("2D'", 26), ("D", 17), ("n", 2), ("D'/2 + n", 9), ("3", 3), ("(D-D')*2.5", 10), ("D' - 2(n+1)", 7)],
)
def test_formulas(text, value):
    assert Formula(text).at((2, 4, 1)) == value


@pytest.mark.parametrize(
    "text",
    ["", "D''", "x", "D'**9", "__import__('os')", "D'/0", "D' if n else 1", "1" * 200, "-" * 90 + "1", "D;n", "\0"],
)
def test_bad_formulas(text):
    with pytest.raises(InputError, match="points: expected a formula"):
        Formula(text).at((2, 4, 1))


CHANGES = [
    ({"seeed": 1}, "seeed: expected one of the keys name, seed, .* found 'seeed'"),
    ({"seed": -1}, "seed: expected an integer from 0 to .* found -1"),
    ({"seed": True}, "seed: expected an integer .* found True"),
    ({"count": 0}, "count: expected an integer from 1 .* found 0"),
    ({"count": None}, "count: expected an integer .* found nothing"),
    ({"output_activation": "tanh"}, 'output_activation: expected "identity" or "relu", found \'tanh\''),
    ({"name": "a b"}, "name: expected a name .* found 'a b'"),
    ({"architectures": []}, r"architectures: expected a list of architectures .* found \[\]"),
    ({"architectures": [2, 3, 1]}, r"architectures\[0\]: expected at least two positive sizes .* found 2"),
    ({"architectures": [[2, 0, 1]]}, r"architectures\[0\]: .* found \[2, 0, 1\]"),
    ({"architectures": [[2, 1], [2, 1]]}, r"architectures\[1\]: expected each architecture once, found \[2, 1\] again"),
    ({"architectures": [{"sizes": [2, 1], "cuont": 1}]}, r"architectures\[0\]\.cuont: expected one of the keys"),
    ({"architectures": [{"sizes": [2, 1], "count": 0}]}, r"architectures\[0\]\.count: expected an integer"),
    ({"laws": {}}, "laws: expected tables"),
    ({"laws": {"a,b": {"weights": "he"}}}, "laws: expected a name .* found 'a,b'"),
    ({"laws": {"a": {}}}, "laws.a.weights: expected the name of a law .* found nothing"),
    ({"laws": {"a": {"weights": "hee"}}}, "laws.a.weights.law: expected one of he, .* found 'hee'"),
    ({"laws": {"a": {"weights": {"law": "he", "x": 1}}}}, "laws.a.weights.x: expected an option of the law 'he'"),
    ({"laws": {"a": {"weights": "he", "biases": "orthogonal"}}}, "laws.a.biases: expected a law of single numbers"),
    ({"measures": ["rank"]}, r"measures\[0\]: expected one of dimension, batch, .* found 'rank'"),
    ({"laws": {"a": {"weights": {"law": "he", "kind": "uniform"}}}}, r"laws\.a\.weights\.kind: expected an option"),
    ({"laws": {"a": {"weights": {"law": "he", "cls": 1}}}}, r"laws\.a\.weights\.cls: expected an option"),
    (
        {"laws": {"a": {"weights": {"law": "uniform", "low": -(10**400), "high": 1}}}},
        r"laws\.a\.weights\.low: .* at most 1e\+300",
    ),
    (
        {"laws": {"a": {"weights": {"law": "normal", "deviation": 1e308}}}},
        r"laws\.a\.weights\.deviation: .* at most 1e\+300",
    ),
    ({"measures": ["cells", "cells"]}, r"measures\[1\]: expected another name, found 'cells' again"),
    ({"measures": [{"measure": "cells", "points": 3}]}, r"measures\[0\]: expected no points"),
    ({"measures": [{"measure": "batch", "points": 0}]}, r"measures\[0\].points: expected between 1 and"),
    ({"measures": [{"measure": "batch", "points": "1e"}]}, r"measures\[0\].points: expected a formula"),
    ({"measures": [{"measure": "batch", "points": 1.5}]}, r"measures\[0\].points: expected a number or a formula"),
    ({"measures": [{"measure": "batch", "inputs": "zero"}]}, r"measures\[0\].inputs: expected normal, .* found 'zero'"),
    ({"limits": {"time": 0}}, "limits.time: expected a positive number of seconds, found 0"),
    ({"limits": {"memory": 5}}, "limits.memory: expected a size .* found 5"),
    ({"limits": []}, r"limits: expected a table, found \[\]"),
]


@pytest.mark.parametrize(("change", "message"), CHANGES, ids=[re.sub(r"\W+", "-", str(c))[:50] for c, _ in CHANGES])
def test_bad_specifications(change, message):
    with pytest.raises(InputError, match=f"^{message}"):
        parse_specification({**copy.deepcopy(GOOD), **change})


def test_bad_files(tmp_path):
    path = tmp_path / "a.toml"
    with pytest.raises(InputError, match=r"a\.toml: expected a readable file"):
        read_specification(path)
    path.write_text("seed = \n")
    with pytest.raises(InputError, match=r"a\.toml: expected a TOML file, found: .*line 1"):
        read_specification(path)
    path.write_text("count = 1\n")
    with pytest.raises(InputError, match=r"a\.toml: architectures: expected a list of .* found nothing"):
        read_specification(path)
