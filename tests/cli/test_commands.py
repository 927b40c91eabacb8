"""What each command prints, in both forms."""

from __future__ import annotations

import json
import math
import os
import random
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

import exactfd
from exactfd.errors import BudgetExceeded


def test_version_and_help(run):
    assert run("--version").stdout.strip().endswith(exactfd.__version__)
    text = run("--help").stdout
    assert all(name in text for name in ("info", "cells", "dim", "rank", "plot"))
    for name in ("info", "cells", "dim", "rank", "plot"):
        result = run(name, "--help")
        assert result.exit_code == 0
        assert "--json" in result.stdout


# --------------------------------------------------------------------------- info


def test_info(answer, run, examples):
    found = answer("info", examples / "glmw_example_1-1.json")
    assert found["architecture"] == [1, 2, 1]
    assert found["output_activation"] == "relu"
    assert (found["parametric_dimension"], found["upper_bound"], found["max_bits"]) == (7, 5, 3)
    assert found["digest"] == exactfd.load(examples / "glmw_example_1-1.json").digest
    assert found["rounded_to"] is None
    text = run("info", examples / "glmw_example_1-1.json").stdout
    assert found["digest"] in text
    assert "(1, 2, 1), output relu" in text


def test_an_activation_that_nobody_says(answer, run, examples, tmp_path):
    path = tmp_path / "net.npz"
    np.savez(path, W1=[[1]], b1=[0], W2=[[1]], b2=[0])
    assert answer("info", path)["output_activation_assumed"] is True
    assert "assumed" in run("info", path).stdout.splitlines()[-1]
    assert "--output-activation" in run("info", path).stdout.splitlines()[-1]
    for arguments in (
        (path, "--output-activation", "relu"),
        (path, "--output-activation", "identity"),
        (examples / "diamond.json",),
    ):
        assert answer("info", *arguments)["output_activation_assumed"] is False
        assert "assumed" not in run("info", *arguments).stdout


def test_common_options(answer, examples):
    path = examples / "iris_4-5-3.json"
    plain, relu = answer("info", path), answer("info", path, "--output-activation", "relu")
    assert (plain["output_activation"], relu["output_activation"]) == ("identity", "relu")
    for text in ("2^-20", "2**-20", "1/1048576"):
        rounded = answer("info", path, "--round", text)
        assert rounded["rounded_to"] == "1/1048576"
        assert rounded["digest"] == exactfd.load(path).rounded(Fraction(1, 2**20)).digest
    assert answer("info", path, "--round", "1/10000")["rounded_to"] == "1/10000"
    assert answer("dim", path, "--round", "0.5")["rounded_to"] == "1/2"
    assert answer("cells", path, "--round", "0.5")["rounded_to"] == "1/2"


def test_standard_input(answer, examples):
    text = (examples / "diamond.json").read_text()
    assert answer("info", "-", stdin=text)["architecture"] == [2, 4, 1]
    points = '{"format": "exactfd-points", "version": 1, "points": [["1/2", "1/3"]]}'
    assert answer("rank", examples / "diamond.json", "--points", "-", stdin=points)["rank"] == 1


def test_answer_to_a_file(run, examples, tmp_path):
    out = tmp_path / "answer.json"
    out.write_text("old")
    out.chmod(0o640)
    result = run("info", examples / "diamond.json", "--json", "-o", out)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    assert json.loads(out.read_text())["architecture"] == [2, 4, 1]
    assert out.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [out]
    assert run("dim", examples / "diamond.json", "-o", tmp_path / "dim.txt").stdout == ""
    assert "dim_fun(theta) = 9 (proved), D' = 13, deficit 4" in (tmp_path / "dim.txt").read_text()
    assert run("info", examples / "diamond.json", "-o", "-").stdout.startswith("architecture")
    assert run("info", examples / "diamond.json", "-o", "/dev/null").exit_code == 0


# --------------------------------------------------------------------------- cells


def test_cells_in_numbers(answer, run, examples):
    found = answer("cells", examples / "two_layer_corner.json")
    assert found["f_vector"] == [6, 16, 11]
    assert found["total_cells"] == 33
    assert (found["top_cells"], found["smooth_top_cells"], found["bounded_top_cells"]) == (11, 11, 3)
    assert found["euler_characteristic"] == 1
    assert found["generic"] is found["supertransversal"] is found["complete"] is True
    assert found["limit"] is None
    assert "cells" not in found
    text = run("cells", examples / "two_layer_corner.json").stdout
    assert "11 (11 parametrically smooth, 3 bounded)" in text


@pytest.mark.parametrize("name", ["two_layer_corner", "diamond", "max_min_regions", "glmw_example_1-1"])
@pytest.mark.parametrize("box", [(), ("--box", "-3", "7/2")])
def test_listed_cells_are_what_they_say(answer, examples, name, box):
    path = examples / f"{name}.json"
    network = exactfd.load(path)
    found = answer("cells", path, "--list", *box)
    assert len(found["cells"]) == found["listed_cells"] == sum(found["f_vector"])
    assert found["list_complete"] is True
    seen = set()
    for cell in found["cells"]:
        assert list(network.ternary_tuple(cell["point"])) == cell["labels"]
        seen.add((tuple(cell["labels"]), tuple(cell.get("walls", ()))))
        if box:
            sides = [(x == Fraction(7, 2)) - (x == -3) for x in map(Fraction, cell["point"])]
            assert sides == cell["walls"]
            assert cell["bounded"]
    assert len(seen) == len(found["cells"])
    by_dimension = [sum(cell["dimension"] == k for cell in found["cells"]) for k in range(len(found["f_vector"]))]
    assert by_dimension == found["f_vector"]


def test_list_of_one_dimension(answer, run, examples):
    path = examples / "two_layer_corner.json"
    found = answer("cells", path, "--list", "--dimension", 0)
    assert {cell["dimension"] for cell in found["cells"]} == {0}
    assert found["listed_cells"] == 6
    assert ["2/3", "2/3"] in [cell["point"] for cell in found["cells"]]
    lines = run("cells", path, "--list", "--dimension", 0).stdout.splitlines()
    assert "0  ++|00  (2/3, 2/3)  bounded" in lines


def test_box_per_coordinate(answer, run, examples):
    found = answer("cells", examples / "two_layer_corner.json", "--box", "-1,1/2", "2,0.75")
    assert found["box"] == [["-1", "1/2"], ["2", "3/4"]]
    assert found["euler_characteristic"] == 1
    assert (
        "(-1, 1/2) to (2, 3/4)" in run("cells", examples / "two_layer_corner.json", "--box", "-1,1/2", "2,3/4").stdout
    )


@pytest.mark.parametrize("name", ["two_layer_corner", "diamond", "max_min_regions", "iris_4-5-3", "glmw_example_1-1"])
@pytest.mark.parametrize("box", [(), ("--box", "-2", "2")])
def test_both_algorithms_list_the_same_top_cells(answer, examples, name, box):
    path = examples / f"{name}.json"
    top = exactfd.load(path).input_dimension
    whole = answer("cells", path, "--list", "--dimension", top, *box)
    split = answer("cells", path, "--list", "--algorithm", "splitting", *box)
    labels = [sorted(tuple(cell["labels"]) for cell in found["cells"]) for found in (whole, split)]
    assert labels[0] == labels[1]
    assert split["f_vector"] is split["bounded_top_cells"] is split["euler_characteristic"] is None
    for key in ("top_cells", "smooth_top_cells", "complete"):
        assert split[key] == whole[key]


def test_splitting_says_what_it_leaves_out(run, answer, examples):
    result = run("cells", examples / "diamond.json", "--algorithm", "splitting", "--list")
    assert "no f-vector" in result.stdout
    assert "2  +-+-  " in result.stdout
    assert answer("cells", examples / "diamond.json", "--algorithm", "splitting")["top_cells"] == 4


def test_the_whole_complex_is_too_large(run, answer, random_network):
    """14 independent hyperplanes begin with 3^14 cells: no budget, but a plain refusal that says what to do."""
    path = random_network(14, 15, 1)
    top = ("--list", "--dimension", 14, "--max-cells", 3)
    for options in ((), ("--max-cells", 5), ("--box", 0, 1), ("--list",), ("--algorithm", "complex", *top)):
        result = run("cells", path, *options)
        assert (result.exit_code, result.stdout) == (3, "")
        assert result.stderr.startswith(f"exactfd: error: {path}: the whole complex begins with 3^14 cells")
        assert "--algorithm splitting" in result.stderr
        assert len(result.stderr.splitlines()) == 1
    found = answer("cells", path, *top, code=4)  # only top cells are asked for
    assert (found["algorithm"], found["top_cells"], len(found["cells"])) == ("splitting", 3, 3)


def test_inputs_that_the_first_layer_does_not_see(answer, tmp_path):
    """Twenty inputs, but all hyperplanes of layer 1 are parallel: a complex of three cells."""
    path = tmp_path / "net.json"
    weight = [[k * (j + 1) for j in range(20)] for k in (1, 2)] + [[0] * 20] * 18
    exactfd.save(exactfd.Network([(weight, range(20)), ([[1] * 20], [0])]), path)
    found = answer("cells", path)
    assert (found["algorithm"], found["f_vector"][-2:], found["total_cells"]) == ("complex", [2, 3], 5)


def test_no_neurons(answer, run, tmp_path):
    path = tmp_path / "affine.json"
    exactfd.save(exactfd.Network([([[1, 2]], [3])]), path)
    found = answer("cells", path, "--list")
    assert (found["f_vector"], found["cells"][0]["labels"]) == ([0, 0, 1], [])
    assert "(no labels)" in run("cells", path, "--list").stdout
    assert answer("dim", path)["functional_dimension"] == 3


# --------------------------------------------------------------------------- dim and rank


def test_dim(answer, run, examples):
    found = answer("dim", examples / "iris_4-6-6-3.json")
    assert found["functional_dimension"] == found["lower_bound"] == found["upper_bound"] == 71
    assert (found["theoretical_upper_bound"], found["parametric_dimension"]) == (81, 93)
    assert (found["status"], found["complete"], found["top_cells"]) == ("proved", True, 278)
    last = run("dim", examples / "iris_4-6-6-3.json").stdout.splitlines()[-1]
    assert last == "dim_fun(theta) = 71 (proved), D' = 81, deficit 10"
    assert answer("dim", examples / "iris_4-6-6-3.json", "--algorithm", "splitting")["functional_dimension"] == 71


def test_rank(answer, run, examples):
    batch = examples / "points" / "glmw_example_1-1_batch_4.json"
    found = answer("rank", examples / "glmw_example_1-1.json", "--points", batch)
    assert (found["rank"], found["points"], found["status"]) == (5, 5, "proved")
    assert (found["float_rank"], found["float_agrees"], found["ntk_rank"]) == (5, True, 5)
    flint = answer("rank", examples / "glmw_example_1-1.json", "--points", batch, "--algorithm", "flint")
    assert (flint["rank"], flint["method"]) == (5, "elimination over Q")
    last = run("rank", examples / "glmw_example_1-1.json", "--points", batch).stdout.splitlines()[-1]
    assert last == "rank J Ev_Z(theta) = 5 (proved) on 5 points"


def test_a_wrong_float_rank_is_called_out(run, tmp_path):
    network, points = tmp_path / "net.json", tmp_path / "points.csv"
    exactfd.save(exactfd.Network([([[1]], [10**20])]), network)
    points.write_text("1000000000000000000\n1000000000000000001\n")
    result = run("rank", network, "--points", points, "--json")
    found = json.loads(result.stdout)
    assert (found["rank"], found["float_rank"], found["float_agrees"]) == (2, 1, False)
    assert result.stderr.startswith("exactfd: warning: float64")
    assert run("rank", network, "--points", points, "--json", "-q").stderr == ""
    assert "WRONG" in run("rank", network, "--points", points).stdout


# --------------------------------------------------------------------------- budgets


def test_dim_keeps_the_bounds_it_proved(answer, run, examples):
    found = answer("dim", examples / "iris_4-6-6-3.json", "--max-cells", 5, code=4)
    assert found["functional_dimension"] is None
    assert 1 <= found["lower_bound"] <= 71 <= found["upper_bound"]
    assert (found["status"], found["complete"]) == ("bounds", False)
    assert "--max-cells" in found["limit"]
    result = run("dim", examples / "iris_4-6-6-3.json", "--max-cells", 5)
    assert result.exit_code == 4
    last = result.stdout.splitlines()[-1]
    assert f"{found['lower_bound']} <= dim_fun(theta) <= {found['upper_bound']} (bounds: more than 5 cells" in last


def test_cells_without_the_budget(answer, run, examples):
    found = answer("cells", examples / "iris_4-6-6-3.json", "--max-cells", 100, "--list", code=4)
    assert (found["f_vector"], found["complete"], found["cells"]) == (None, False, [])
    assert found["list_complete"] is False
    assert 100 < sum(found["f_vector_at_least"]) <= 105 + 533 + 1017 + 866 + 278
    assert run("cells", examples / "two_layer_corner.json", "--max-cells", 33).exit_code == 0  # exactly as many
    result = run("cells", examples / "iris_4-6-6-3.json", "--time-limit", "0.000001")
    assert result.exit_code == 4
    assert len(result.stderr.splitlines()) == 1
    assert "--time-limit" in result.stderr
    assert "the budget ran out" in result.stdout


def test_splitting_prints_the_cells_it_found(answer, run, examples):
    arguments = ("cells", examples / "iris_4-6-6-3.json", "--algorithm", "splitting", "--max-cells", 10)
    found = answer(*arguments, "--list", code=4)
    assert len(found["cells"]) == found["listed_cells"] == found["top_cells"] == 10
    assert found["complete"] is found["list_complete"] is False
    assert "at least 10 (" in run(*arguments).stdout


def test_top_cells_of_a_vast_complex_are_listed_at_once(answer, run, random_network):
    path = random_network(10, 20, 20, 1)
    for box in ((), ("--box", "-1", "1")):
        arguments = ("cells", path, "--list", "--dimension", 10, "--max-cells", 5, *box)
        found = answer(*arguments, code=4)
        assert (found["algorithm"], len(found["cells"]), found["complete"]) == ("splitting", 5, False)
        at_least = int(run(*arguments).stderr.rpartition("at least ")[2].split()[0])
        assert at_least > 5
    small = random_network(2, 4, 1)
    assert answer("cells", small, "--list", "--dimension", 2)["algorithm"] == "complex"


def test_the_skeleton_lists_what_the_complex_does(answer, run, random_network):
    path = random_network(4, 6, 5, 1)
    network = exactfd.load(path)
    by_complex = answer("cells", path, "--list", "--dimension", 4, "--algorithm", "complex")
    found = answer("cells", path, "--list", "--dimension", 4)
    assert (found["algorithm"], found["f_vector"], found["complete"], found["list_complete"]) == (
        "skeleton",
        None,
        True,
        True,
    )
    for key in ("top_cells", "smooth_top_cells", "bounded_top_cells", "listed_cells"):
        assert found[key] == by_complex[key]
    expected = {tuple(cell["labels"]): cell["bounded"] for cell in by_complex["cells"]}
    assert {tuple(cell["labels"]): cell["bounded"] for cell in found["cells"]} == expected
    for cell in found["cells"]:
        assert list(network.ternary_tuple(cell["point"])) == cell["labels"]
        assert cell["dimension"] == 4
    counted = run("cells", path, "--algorithm", "skeleton").stdout
    assert (
        f"{found['top_cells']} ({found['top_cells']} parametrically smooth, {found['bounded_top_cells']} bou" in counted
    )


def test_where_the_skeleton_cannot_another_algorithm_answers(answer, examples, random_network):
    path = examples / "diamond.json"  # four lines through a point, two by two the same
    found = answer("cells", path, "--list", "--algorithm", "skeleton")
    assert (found["algorithm"], found["top_cells"]) == ("complex", 4)
    seven = random_network(7, 7, 1, bias=0)  # seven hyperplanes through the origin: simple
    assert answer("cells", seven, "--algorithm", "skeleton")["algorithm"] == "skeleton"
    eight = random_network(7, 8, 1, bias=0)
    found = answer("cells", eight, "--algorithm", "skeleton")
    assert (found["algorithm"], found["top_cells"]) == ("splitting", 2 * sum(math.comb(7, k) for k in range(7)))


@pytest.mark.parametrize("algorithm", ["complex", "skeleton", "splitting"])
def test_a_certificate_that_is_not_finished_costs_no_answer(answer, random_network, monkeypatch, tmp_path, algorithm):
    from exactfd import certificates

    def out_of_budget(*_, **__):
        raise BudgetExceeded("enough", partial=object())

    for name in ("f_vector_certificate", "top_cells_certificate"):
        monkeypatch.setattr(certificates, name, out_of_budget)
    path, file = random_network(4, 5, 4, 1), tmp_path / "certificate.json"
    complete = answer("cells", path, "--list", "--algorithm", algorithm)
    found = answer("cells", path, "--list", "--algorithm", algorithm, "--certificate", file, code=4)
    assert complete["list_complete"] is True
    assert found == {**complete, "limit": "no certificate: enough"}
    assert not file.exists()


def test_a_box_in_many_dimensions(answer, tmp_path):
    """The complex of a box has 3^n faces to begin with."""
    rng = random.Random(0)
    rows = [[rng.randint(-9, 9) for _ in range(13)] for _ in range(2)]
    for layers, cells in (([(rows, [0, 0]), ([[1, 1]], [0])], 4), ([([[1] * 20], [0])], 1)):
        path = tmp_path / "network.json"
        exactfd.save(exactfd.Network(layers), path)
        found = answer("cells", path, "--box", -1, 1, "--list", "--dimension", len(layers[0][0][0]))
        assert (found["algorithm"], found["top_cells"]) == ("splitting", cells)


def test_limits_of_the_skeleton(answer, run, random_network):
    path = random_network(4, 6, 5, 1)
    found = answer("cells", path, "--list", "--algorithm", "skeleton", "--max-cells", 9, code=4)
    assert len(found["cells"]) == found["listed_cells"] == found["top_cells"] == 9
    assert found["complete"] is found["list_complete"] is False
    result = run("cells", path, "--algorithm", "skeleton", "--time-limit", "0.000001")
    assert (result.exit_code, "the budget ran out" in result.stdout) == (4, True)
    assert answer("cells", path, "--list", "--algorithm", "skeleton", "--time-limit", "0.000001", code=4)["cells"] == []
    assert run("cells", path, "--algorithm", "skeleton", "--box", "-1", "1").exit_code == 2
    result = run("cells", path, "--list", "--dimension", "3", "--algorithm", "skeleton")
    assert "finds cells of dimension 4 only" in result.stderr


def test_the_list_stops_in_time_and_says_so(answer, examples, monkeypatch):
    looks = iter([False, False])

    def out_of_budget(request):
        if next(looks, True):
            request.ran_out(BudgetExceeded("the time limit of 1 s ran out (--time-limit)"))
        return request.limit is not None

    monkeypatch.setattr("exactfd.cli.cells._out_of_budget", out_of_budget)
    found = answer("cells", examples / "iris_4-5-3.json", "--list", code=4)
    assert len(found["cells"]) == found["listed_cells"] == 128
    assert (found["complete"], found["list_complete"]) == (True, False)
    assert sum(found["f_vector"]) > 128


def test_memory_limit(run, examples):
    result = run("dim", examples / "iris_4-6-6-3.json", "--memory-limit", "1M")
    assert result.exit_code == 4
    assert "limit is 1 MiB" in result.stdout


LARGE_PARENT = """
import subprocess, sys
large = b"x" * (400 << 20)
sys.exit(subprocess.run([sys.executable, "-m", "exactfd", *sys.argv[1:]]).returncode)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="elsewhere the peak is that of the parent")
def test_the_memory_of_the_process_that_runs_a_command_does_not_count(examples):
    """Such as a notebook with large tables."""
    command = [sys.executable, "-c", LARGE_PARENT, "cells", str(examples / "diamond.json"), "--memory-limit", "300M"]
    found = subprocess.run(command, capture_output=True, text=True)
    assert (found.returncode, found.stderr) == (0, "")


def test_processes_change_nothing_in_an_answer(run, examples, monkeypatch):
    from exactfd.geometry import branches, workers

    for module in (workers, branches):
        monkeypatch.setattr(module, "WORTH", 0)
    monkeypatch.setattr(workers, "MERGED", 4)
    network = examples / "iris_4-6-6-3.json"
    for command in (
        ("cells", network, "--list", "--dimension", "0"),
        ("cells", network, "--algorithm", "splitting", "--list"),
        ("dim", network),
        ("faces", examples / "wine_3-5-4-3.json"),
    ):
        one = run(*command, "--json")
        assert run(*command, "--json", "--processes", "2").stdout == one.stdout
        assert one.exit_code == 0
    assert run("cells", network, "--processes", "0").exit_code == 2
