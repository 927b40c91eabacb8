"""The commands ``exactfd search`` and ``exactfd identifiability``."""

from __future__ import annotations

import json
import signal
import time

import pytest

import exactfd
from exactfd.search import CLAIMS


def test_found_and_saved(answer, run, tmp_path):
    found = answer("search", "hidden-symmetry", "--architecture", "1,2,1", "--save", tmp_path)
    assert found["found"] is True
    assert found["network"]["architecture"] == [1, 2, 1]
    assert exactfd.check.check_bytes(json.dumps(found["certificate"]).encode()).valid
    files = [entry["file"] for entry in found["saved"]]
    assert sorted(map(str, tmp_path.iterdir())) == sorted(files)
    assert run("verify", files[-1]).exit_code == 0
    assert answer("dim", files[0])["functional_dimension"] == found["facts"]["functional_dimension"]


def test_in_words(run, tmp_path):
    text = run("search", "fiber-dimension", "--keep-architecture", "--save", tmp_path / "a.json").stdout
    assert text.count("(1, 1, 2, 1), output identity") == 2
    assert "certificate            equality of the two functions" in text
    assert f"{tmp_path / 'a-2.json'} (network 2)" in text
    assert text.endswith("found\n")


def test_nothing_found(run, answer):
    found = answer("search", "width-one-chain", "--tries", 30, code=1)
    assert (found["found"], found["network"], found["certificate"]) == (False, None, None)
    assert sum(found["tried"].values()) == 30
    text = run("search", "width-one-chain", "--tries", 30, "--seed", 4).stdout
    assert "nothing found: none of the candidates tried, which says nothing about any other" in text
    assert "seed 4" in text


def test_the_list(run, answer):
    assert [claim["name"] for claim in answer("search", "--list")["claims"]] == list(CLAIMS)
    assert all(name in run("search", "--list").stdout for name in CLAIMS)


def test_no_such_claim(run):
    result = run("search", "perpetual-motion")
    assert (result.exit_code, result.stdout) == (3, "")
    assert all(name in result.stderr for name in CLAIMS)
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("hidden-symmetry", "--tries", "0"),
        ("hidden-symmetry", "--time-limit", "0"),
        ("hidden-symmetry", "--seed", "-1"),
        ("hidden-symmetry", "--architecture", "2"),
        ("hidden-symmetry", "--architecture", "2,x"),
        ("hidden-symmetry", "--architecture", "2,0,1"),
        ("hidden-symmetry", "--architecture", "-1,2"),
    ],
)
def test_usage(run, options):
    assert run("search", *options).exit_code == 2


@pytest.mark.parametrize(
    "options",
    [
        ("tpic-without-lra", "--architecture", "2,3,1"),
        ("hidden-symmetry", "--save", "no/such/folder/a.json"),
        ("no_such_module:function",),
        ("no_such_file.py:function",),
        ("json:no_such_function",),
    ],
)
def test_refused(run, tmp_path, monkeypatch, options):
    monkeypatch.chdir(tmp_path)
    result = run("search", *options)
    assert (result.exit_code, result.stdout) == (3, "")
    assert len(result.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_find_is_printed_even_where_it_cannot_be_saved(run, tmp_path):
    (tmp_path / "a-2.json").mkdir()
    result = run("search", "fiber-dimension", "--keep-architecture", "--json", "--save", tmp_path / "a.json")
    assert result.exit_code == 3
    assert json.loads(result.stdout)["found"] is True
    assert "a-2.json" in result.stderr


def test_a_predicate_from_a_file(answer, run, tmp_path, monkeypatch):
    (tmp_path / "wanted.py").write_text("def wanted(net):\n    return net.evaluate([3])[0] == 5\n")
    monkeypatch.chdir(tmp_path)
    for claim in ("wanted.py:wanted", "wanted:wanted"):
        found = answer("search", claim, "--architecture", "1,1", "--tries", 2000)
        assert found["claim"] == "wanted"
        network = exactfd.Network([(layer["weight"], layer["bias"]) for layer in found["network"]["layers"]])
        assert network.evaluate([3]) == (5,)
    (tmp_path / "broken.py").write_text("def wanted(:\n")
    assert run("search", "broken.py:wanted").exit_code == 3


def test_a_predicate_that_raises(run, tmp_path, monkeypatch):
    (tmp_path / "wanted.py").write_text("def wanted(net):\n    return 1 / 0\n")
    monkeypatch.chdir(tmp_path)
    result = run("search", "wanted.py:wanted", "--architecture", "1,1")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "raised ZeroDivisionError: division by zero" in result.stderr
    (kept,) = (path for path in tmp_path.iterdir() if path.suffix == ".json")
    assert kept.name in result.stderr
    assert exactfd.load(kept).architecture == (1, 1)


def test_a_predicate_that_raises_later(answer, tmp_path, monkeypatch):
    lines = ("calls = []", "def wanted(net):", "    calls.append(net)", "    if calls[2:]:", "        raise OSError")
    (tmp_path / "wanted.py").write_text("\n".join([*lines, "    return True", ""]))
    monkeypatch.chdir(tmp_path)
    found = answer("search", "wanted.py:wanted")
    assert found["found"] is True
    (kept,) = (path for path in tmp_path.iterdir() if path.suffix == ".json")
    assert kept.name in found["notes"][-1]


@pytest.mark.parametrize("found", [False, True])
def test_interrupted(spawn, tmp_path, found):
    """Ctrl-C prints what there is by then, and exits with 130."""
    lines = [
        "import pathlib, time",
        "def wanted(net):",
        f"    pathlib.Path({str(tmp_path / 'running')!r}).touch()",
        f"    time.sleep(0.01 if not {found} else 0.3)",
        f"    return {found}",
        "",
    ]
    (tmp_path / "wanted.py").write_text("\n".join(lines))
    process = spawn("search", f"{tmp_path / 'wanted.py'}:wanted", "--json", "--save", tmp_path / "out.json")
    deadline = time.monotonic() + 60
    while not (tmp_path / "running").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.8)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    document = json.loads(out)
    assert (document["found"], document["stopped"]) == (found, "interrupted")
    assert sum(document["tried"].values()) >= 1
    assert (tmp_path / "out.json").exists() == found


def test_identifiability(answer, run, examples):
    found = answer("identifiability", examples / "two_layer_corner.json")
    assert len(found["pairs"]) == 4
    text = run("identifiability", examples / "two_layer_corner.json").stdout
    assert "TPIC" in text
    assert "LRA" in text
    rounded = run("identifiability", examples / "iris_4-5-3.json", "--round", "1/4").stdout
    assert "multiples of 1/4" in rounded


def test_identifiability_without_the_budget(run, answer, examples):
    result = run("identifiability", examples / "two_layer_corner.json", "--max-cells", 3)
    assert result.exit_code == 4
    assert "--max-cells" in result.stderr
    whole = answer("identifiability", examples / "two_layer_corner.json")
    cut = answer("identifiability", examples / "two_layer_corner.json", "--max-cells", 3, code=4)
    assert list(cut) == list(whole)
    assert cut["tpic"] is cut["no_hidden_symmetries"] is None


def test_predicates_that_leave_or_print(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loud.py").write_text(
        "import sys\nprint('imported')\n"
        "def leaves(net): sys.exit(0)\n"
        "def prints(net):\n    print('called')\n    return True\n"
    )
    result = run("search", "loud.py:leaves", "--json")
    assert result.exit_code == 3
    assert "SystemExit" in result.stderr
    assert result.stdout == ""
    result = run("search", "loud.py:prints", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["found"]


def test_certificates_along_a_path_are_named_by_their_places(answer):
    found = answer("search", "not-semicontinuous")
    assert [entry["about"] for entry in found["certificates"]][:2] == [
        "functional dimension of the parameter at t = 0",
        "functional dimension of the parameter at t = 1/4",
    ]


def test_searches_that_make_no_sense_are_refused(run):
    result = run("search", "signs-turned", "--output-activation", "relu")
    assert result.exit_code == 3
    assert "identity" in result.stderr
    result = run("search", "attains-upper-bound", "--architecture", "9999,9999,1", "--tries", 5)
    assert result.exit_code == 3
    assert "parameters" in result.stderr


def test_the_closest_candidate_is_kept(answer, run, tmp_path):
    target = tmp_path / "w.json"
    result = run("search", "width-one-chain", "--tries", 40, "--save", target, "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert found["closest"] is not None
    assert [entry["file"] for entry in found["saved"]] == [str(tmp_path / "w.closest.json")]
    assert exactfd.load(tmp_path / "w.closest.json").to_dict() == found["closest"]
    assert not target.exists()
