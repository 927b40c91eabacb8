"""``exactfd equal``: answers, exit codes, files of every kind, options for two networks."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest

import exactfd
from exactfd import Network, Symmetry, save
from exactfd.cli import exits
from oracles import fractions_net


@pytest.fixture
def file(tmp_path):
    def make(name, network):
        save(network, tmp_path / name)
        return tmp_path / name

    return make


HINGE = Network([([[1, 2], [3, -4]], [5, "1/7"]), ([[1, -1]], [2])])
MOVED = Symmetry([[1, 0]], [[2, "3/5"]]).apply(HINGE)
OTHER = Network([([[1, 2], [3, -4]], [5, "1/7"]), ([[1, -1]], [3])])


def test_equal_by_a_symmetry(answer, file):
    document = answer("equal", file("a.json", HINGE), file("b.json", MOVED))
    assert document["equal"] is True
    assert (document["status"], document["method"], document["witness"]) == ("proved", "symmetry", None)
    assert Symmetry(**document["symmetry"]).apply(HINGE) == MOVED
    assert [entry["digest"] for entry in document["networks"]] == [HINGE.digest, MOVED.digest]


def test_different_with_a_witness(answer, file):
    document = answer("equal", file("a.json", HINGE), file("b.json", OTHER), code=exits.FALSE)
    assert document["equal"] is False
    point = [Fraction(x) for x in document["witness"]["point"]]
    for name, network in (("first", HINGE), ("second", OTHER)):
        values = fractions_net.evaluate(network.to_fractions(), "identity", point)
        assert [Fraction(x) for x in document["witness"][name]] == values


def test_words(run, file, examples):
    same = run("equal", file("a.json", HINGE), file("b.json", MOVED))
    assert same.exit_code == exits.ANSWERED
    assert "a permutation of the hidden neurons and positive scalings" in same.stdout
    assert same.stdout.endswith("the two networks have the same function on all of space (proved)\n")
    twice = run("equal", file("a.json", HINGE), file("a.json", HINGE))
    assert "identical parameters" in twice.stdout
    different = run("equal", file("a.json", HINGE), file("c.json", OTHER), "--round", "1/7")
    assert different.exit_code == exits.FALSE
    for part in ("rounded to", "multiples of 1/7", "point", "first value", "second value", "(proved): they differ"):
        assert part in different.stdout


def test_files_of_every_kind(run, tmp_path, file):
    whole = Network([([[1, 2], [3, -4]], [5, "1/8"]), ([[1, -1]], [2])])
    np.savez(
        tmp_path / "a.npz", **{k: np.array(v) for k, v in
        {"W1": [[1.0, 2.0], [3.0, -4.0]], "b1": [5.0, 0.125], "W2": [[1.0, -1.0]], "b2": [2.0]}.items()}
    )  # fmt: skip
    path = file("a.json", whole)
    assert run("equal", tmp_path / "a.npz", path).exit_code == exits.ANSWERED
    assert run("equal", path, tmp_path / "a.npz").exit_code == exits.ANSWERED
    assert run("equal", path, "-", stdin=path.read_text()).exit_code == exits.ANSWERED
    assert run("equal", "-", path, stdin=path.read_text()).exit_code == exits.ANSWERED


def test_output_activations(run, file):
    """A line and its ReLU: once for both files, twice for each its own."""
    line = file("line.json", Network([([[1]], [0])]))
    hinge = file("hinge.json", Network([([[1]], [0])], output_activation="relu"))
    assert run("equal", line, hinge).exit_code == exits.FALSE
    assert run("equal", line, hinge, "--output-activation", "relu").exit_code == exits.ANSWERED
    apart = ("--output-activation", "identity", "--output-activation", "relu")
    assert run("equal", line, hinge, *apart).exit_code == exits.FALSE
    assert run("equal", hinge, line, *apart).exit_code == exits.FALSE
    assert run("equal", line, line, *apart).exit_code == exits.FALSE
    assert run("equal", line, line, *apart, "--output-activation", "relu").exit_code == 2


def test_rounding_is_for_both(answer, file):
    nearly = Network([([[1, 2], [3, -4]], [5, "1/7"]), ([[1, -1]], ["2001/1000"])])
    paths = file("a.json", HINGE), file("b.json", nearly)
    answer("equal", *paths, code=exits.FALSE)
    assert answer("equal", *paths, "--round", "1/100")["rounded_to"] == "1/100"


def test_on_a_box(answer, run, file):
    line = file("line.json", Network([([[1, 0]], [0])]))
    hinge = file("hinge.json", Network([([[1, 0]], [0])], output_activation="relu"))
    document = answer("equal", line, hinge, "--box", "0,-1", "2,1")
    assert (document["equal"], document["method"], document["cells"]) == (True, "common refinement", 1)
    assert document["box"] == [["0", "-1"], ["2", "1"]]
    found = answer("equal", line, hinge, "--box", "-1/1000", "2", code=exits.FALSE)["witness"]["point"]
    assert Fraction(-1, 1000) < Fraction(found[0]) < 0
    text = run("equal", line, hinge, "--box", "0,-1", "2,1").stdout
    assert "(0, -1) to (2, 1)" in text
    assert "on the box" in text
    assert run("equal", line, hinge, "--box", "1", "1").exit_code == exits.BAD_INPUT
    assert run("equal", line, hinge, "--box", "0,0,0", "1").exit_code == exits.BAD_INPUT


def test_a_difference_on_a_speck(answer, file):
    e = Fraction(1, 2**300)
    bump = file("bump.json", Network([([[1], [1], [1]], [0, -e, -2 * e]), ([[1, -2, 1]], [0])]))
    zero = file("zero.json", Network([([[0]], [0])]))
    document = answer("equal", bump, zero, code=exits.FALSE)
    assert 0 < Fraction(document["witness"]["point"][0]) < 2 * e


@pytest.mark.parametrize(
    ("second", "code"),
    [("hidden_family_t_1-3", exits.ANSWERED), ("hidden_family_t_2", exits.ANSWERED), ("fiber_dim_1", exits.FALSE)],
)
def test_certificates(answer, run, examples, tmp_path, second, code):
    target = tmp_path / "c.json.gz"
    pair = examples / "hidden_family_t_2.json", examples / f"{second}.json"
    document = answer("equal", *pair, "--certificate", target, code=code)
    assert document["certificate"] == {"file": str(target), "bytes": target.stat().st_size}
    assert exactfd.check_file(str(target)).valid
    assert str(target) in run("equal", *pair, "--certificate", target).stdout
    with_box = run("equal", *pair, "--certificate", target, "--box", "-1", "1")
    assert with_box.exit_code == 2
    assert "leave out --box" in with_box.stderr


def test_a_budget_that_runs_out(answer, run, examples, tmp_path):
    pair = examples / "hidden_family_t_2.json", examples / "hidden_family_t_1-3.json"
    document = answer("equal", *pair, "--max-cells", 1, "--certificate", tmp_path / "c.json", code=exits.BUDGET)
    assert (document["equal"], document["status"], document["cells"]) == (None, "undecided", 1)
    assert "--max-cells" in document["limit"]
    assert "certificate" not in document
    assert not (tmp_path / "c.json").exists()
    text = run("equal", *pair, "--max-cells", 1).stdout
    assert "undecided: a budget ran out" in text


def test_what_cannot_be_compared(run, file, examples, tmp_path):
    result = run("equal", examples / "diamond.json", examples / "fiber_dim_1.json")
    assert result.exit_code == exits.BAD_INPUT
    assert "2 and 1 inputs" in result.stderr
    outputs = run("equal", file("a.json", Network([([[1]], [0])])), file("b.json", Network([([[1], [1]], [0, 0])])))
    assert outputs.exit_code == exits.BAD_INPUT
    assert "1 and 2 outputs" in outputs.stderr
    missing = run("equal", examples / "diamond.json", tmp_path / "none.json")
    assert missing.exit_code == exits.BAD_INPUT
    assert "none.json" in missing.stderr
    (tmp_path / "broken.json").write_text('{"format": "exactfd-network"}')
    broken = run("equal", tmp_path / "broken.json", examples / "diamond.json")
    assert broken.exit_code == exits.BAD_INPUT
    assert "broken.json" in broken.stderr
    assert run("equal", "-", "-", stdin="{}").exit_code == 2
    assert run("equal", examples / "diamond.json").exit_code == 2


def test_the_answer_in_a_file(run, examples, tmp_path):
    pair = examples / "hidden_family_t_2.json", examples / "fiber_dim_1.json"
    result = run("equal", *pair, "--json", "-o", tmp_path / "answer.json", "-q")
    assert (result.exit_code, result.stdout) == (exits.FALSE, "")
    assert json.loads((tmp_path / "answer.json").read_text())["equal"] is False
