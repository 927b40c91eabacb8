"""The checker needs Python's standard library and nothing else; its command line."""

from __future__ import annotations

import ast
import gzip
import io
import itertools
import json
import math
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest

from check import plain
from check.plain import NETS, Net
from check.test_claims import documents
from exactfd.check import __main__ as entry
from exactfd.check import check_document, checker

SOURCE = Path(checker.__file__)
BLOCK = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        ours = name == "exactfd" or name.startswith("exactfd.check")
        if name.split(".")[0] not in sys.stdlib_module_names and not ours:
            raise ImportError(f"{name} may not be imported here")
sys.meta_path.insert(0, Blocked())
for forbidden in ("numpy", "flint", "click", "rich", "exactfd.network", "exactfd.errors", "exactfd.certificates"):
    try:
        __import__(forbidden)
    except ImportError:
        continue
    raise SystemExit(f"{forbidden} can be imported")
"""


def write(path: Path, document: dict[str, Any]) -> str:
    path.write_text(json.dumps(document))
    return str(path)


def test_imports_only_the_standard_library() -> None:
    for node in ast.walk(ast.parse(SOURCE.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names = [str(node.module)]
        assert all(name.split(".")[0] in sys.stdlib_module_names for name in names)


def test_one_file_alone_in_a_bare_interpreter(tmp_path: Path) -> None:
    shutil.copy(SOURCE, tmp_path / "checker.py")
    false = plain.top_cells(NETS["corner"])
    false["claim"]["value"] = 5
    for number, (document, code) in enumerate([*((d, 0) for d in documents().values()), (false, 1), ({}, 3)]):
        name = write(tmp_path / f"{number}.json", document)
        command = [sys.executable, "-I", "-S", "-B", "checker.py", name]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == code, done
        assert done.stdout.startswith({0: "proved: ", 1: "not proved: ", 3: ""}[code])
        assert done.stderr == ("" if code < 3 else f"{name}: malformed: document: key 'format' is missing\n")


def test_as_a_module_where_nothing_else_can_be_imported(tmp_path: Path) -> None:
    name = write(tmp_path / "c.json", documents()["dimension"])
    code = (
        f"{BLOCK}\nimport runpy\nsys.argv = ['check', {name!r}]\nrunpy.run_module('exactfd.check', run_name='__main__')"
    )
    root = str(SOURCE.parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False, env={"PYTHONPATH": root}
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("proved: dim_fun(theta) = 4 < 5 = D' for network sha256:")


def test_python_m(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert entry.main is checker.main
    name = write(tmp_path / "c.json", documents()["dimension"])
    monkeypatch.setattr(sys, "argv", ["check", name])
    for run in (
        lambda: runpy.run_path(str(entry.__file__), run_name="__main__"),
        lambda: runpy.run_path(str(SOURCE), run_name="__main__"),
    ):
        with pytest.raises(SystemExit) as done:
            run()
        assert done.value.code == 0
        assert capsys.readouterr().out.startswith("proved: ")


# ---------------------------------------------------------------------------------------------------- command line


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = checker.main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = documents()["different"]
    name = write(tmp_path / "c.json", document)
    claim = check_document(document).claim
    assert run(capsys, name) == (0, f"proved: {claim}\n1 steps checked, 0 trusted\n", "")
    document["evidence"]["point"] = {"rule": "trust"}
    name = write(tmp_path / "c.json", document)
    reason = "evidence: 1 trusted steps, which nothing proves"
    assert run(capsys, name) == (1, f"not proved: {claim}\n{reason}\n", "")
    assert run(capsys, name, "--allow-trust") == (0, f"proved: {claim}\n0 steps checked, 1 trusted\n", "")
    name = write(tmp_path / "c.json", {**document, "claim": 1})
    assert run(capsys, name) == (3, "", f"{name}: malformed: claim: expected an object, found 1\n")


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = documents()["different"]
    good = write(tmp_path / "good.json", document)
    code, out, err = run(capsys, good, "--json")
    assert (code, err) == (0, "")
    expected = {"valid": True, "steps": 1, "trusted_steps": 0, "reason": "", "malformed": False}
    assert json.loads(out) == {"claim": check_document(document).claim, **expected}
    document["evidence"]["point"]["at"] = ["1/0"]
    code, out, err = run(capsys, write(tmp_path / "bad.json", document), "--json")
    assert code == 3
    assert json.loads(out)["malformed"] is True
    assert "bad.json: malformed: evidence.point.at[0]: " in err
    code, out, err = run(capsys, good, "--json", "--time-limit", "1e-9")
    assert (code, err) == (1, "")
    assert json.loads(out)["reason"] == "time limit: 1e-09 s are over"


def test_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = write(tmp_path / "c.json", documents()["different"])
    for limit in ("0", "-1", "nan", "inf", "x", ""):
        with pytest.raises(SystemExit) as done:
            checker.main([name, "--time-limit", limit])
        assert done.value.code == 2
    for arguments in ([], [name, name], [name, "--quiet"]):
        with pytest.raises(SystemExit) as done:
            checker.main(arguments)
        assert done.value.code == 2
    capsys.readouterr()
    with pytest.raises(SystemExit) as done:
        checker.main(["--help"])
    assert done.value.code == 0
    out = capsys.readouterr().out
    assert all(word in out for word in ("--json", "--allow-trust", "--time-limit SECONDS", "default 3600"))


def test_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    data = gzip.compress(json.dumps(documents()["different"]).encode())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert run(capsys, "-")[0] == 0


def test_strange_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, str(tmp_path / "\udcff\n\u2028"))
    assert (code, out) == (3, "")
    assert err.isascii()
    assert err.count("\n") == 1
    assert "malformed: file: cannot be read: " in err


def test_interrupt(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(checker, "check_file", interrupted)
    assert run(capsys, "x") == (130, "", "")


# ------------------------------------------------------------------------------------------------------ arithmetic


def test_primes_up_to_two_thousand_and_strong_pseudoprimes() -> None:
    sieve = [n for n in range(2, 2000) if all(n % d for d in range(2, n))]
    assert [n for n in range(2, 2000) if checker._is_prime(n)] == sieve
    # the least strong pseudoprimes to the first 1, 2, ... prime bases (OEIS A014233)
    pseudoprimes = [2047, 1373653, 25326001, 3215031751, 2152302898747, 3474749660383, 341550071728321]
    for n in (*pseudoprimes, 3825123056546413051):
        assert not checker._is_prime(n)
    for n in (41 * 43, 2**61 - 3, 2**32 + 1, 561, 1105, 41041, 825265):
        assert not checker._is_prime(n)
    for n in (2**13 - 1, 2**31 - 1, 2**61 - 1, 2**62 - 57, 2**16 + 1, 18446744073709551557):
        assert checker._is_prime(n)


def test_derivatives_and_values_against_plain_code() -> None:
    """Every Jacobian and every output, at points of every cell."""
    run = checker._Run(60.0)
    nets = [*NETS.values(), Net([["1/2", 1]], [[2, "1/3"], [-1, 1]], [["5/7", 1, 0], [1, "-1/2", 2]], relu=True)]
    for net in nets:
        network = checker._Network(checker._Value(net.document(), "network", run))
        points = [point for point in plain.spread(net) if net.smooth(net.labels(point))]
        for point in points:
            inputs, labels = network.at(point, "x")
            assert [s for layer in labels for s in layer] == net.labels(point)
            scale = inputs[-1][-1][0]
            assert [plain.Fraction(sum(form), scale) for form in inputs[-1][:-1]] == net.value(point)
            slopes = network.slopes(labels)
            rows = net.rows_at([point])
            for index in range(net.D):
                layer, neuron, k = network.positions[index]
                for output, row in enumerate(rows):
                    slope, form = slopes[layer][neuron], inputs[layer][k]
                    assert (slope[output] * form[0] if slope and form else 0) == scale * row[index]


def test_determinants_modulo_primes() -> None:
    run = checker._Run(60.0)
    random = Random(1)
    for prime in (2, 3, 5, 2**61 - 1):
        for size in (0, 1, 2, 3, 4):
            for _ in range(60):
                matrix = [[random.randrange(min(prime, 4)) for _ in range(size)] for _ in range(size)]
                determinant = 0
                for order in itertools.permutations(range(size)):
                    inversions = sum(a > b for a, b in itertools.combinations(order, 2))
                    determinant += (-1) ** inversions * math.prod(matrix[i][k] for i, k in enumerate(order))
                assert checker._singular([list(row) for row in matrix], prime, run) is (determinant % prime == 0)


def test_ranks_of_integer_matrices() -> None:
    run = checker._Run(60.0)
    random = Random(2)
    for _ in range(400):
        width = random.randint(1, 4)
        rows = [[random.randint(-2, 2) for _ in range(width)] for _ in range(random.randint(0, 5))]
        rank = len(plain.reduced(plain.fractions(rows))[1])
        assert checker._rank(map(tuple, rows), run) == rank


def test_smoothness_of_all_tuples() -> None:
    """Every path from a neuron with label 0 to the output passes a neuron with label -1."""
    for labels in itertools.product((1, 0, -1), repeat=6):
        layers = [list(labels[i : i + 2]) for i in (0, 2, 4)]
        blocked = True
        for number, layer in enumerate(layers):
            for path in itertools.product((0, 1), repeat=2 - number):
                open_path = all(later[k] != -1 for later, k in zip(layers[number + 1 :], path, strict=True))
                blocked = blocked and not (0 in layer and open_path)
        assert checker._is_smooth(layers) is blocked
