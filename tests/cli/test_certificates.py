"""``--certificate`` and ``exactfd verify`` from end to end."""

from __future__ import annotations

import json

import pytest


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("dim", "iris_4-5-3.json"), "dim_fun(theta) = 38 = D'"),
        (("dim", "width_one_chain.json"), "dim_fun(theta) = 4 < 5 = D'"),
        (("rank", "glmw_example_1-1.json", "--points", "points/glmw_example_1-1_batch_3.json"), "= 4"),
        (("cells", "diamond.json"), "f-vector"),
        (("cells", "diamond.json", "--box", "0", "1/2"), "1 cell"),
        (("cells", "diamond.json", "--algorithm", "splitting"), "4 cells"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_what_is_written_is_proved(answer, run, examples, tmp_path, arguments, sentence):
    target = tmp_path / "certificate.json.gz"
    places = [examples / part if part.endswith(".json") else part for part in arguments]
    found = answer(*places, "--certificate", target)
    assert found["certificate"] == {"file": str(target), "bytes": target.stat().st_size}
    verdict = answer("verify", target)
    assert verdict["valid"] is True
    assert verdict["trusted_steps"] == 0
    assert verdict["steps"] > 0
    assert sentence in verdict["claim"]
    assert f"proved: {verdict['claim']}" in run("verify", target).stdout
    assert r"\begin{proposition}" in run("verify", target, "--latex").stdout


def test_a_false_claim_exits_1(answer, run, examples, tmp_path):
    target = tmp_path / "certificate.json"
    run("dim", examples / "width_one_chain.json", "--certificate", target)
    document = json.loads(target.read_text())
    document["claim"]["value"] = 5
    target.write_text(json.dumps(document))
    verdict = answer("verify", target, code=1)
    assert verdict["valid"] is False
    result = run("verify", target)
    assert "NOT PROVED" in result.stdout
    assert "reason:" in result.stdout


def test_trust_is_counted_and_refused(answer, examples, run, tmp_path):
    target = tmp_path / "certificate.json"
    run("dim", examples / "width_one_chain.json", "--certificate", target)
    document = json.loads(target.read_text())
    document["evidence"]["upper"] = {"rule": "trust"}
    target.write_text(json.dumps(document))
    assert answer("verify", target, code=1)["trusted_steps"] == 1
    assert answer("verify", target, "--allow-trust")["trusted_steps"] == 1


@pytest.mark.parametrize("content", [b"", b"{", b"[1, 2]", b"\x1f\x8bnot gzip", b"{}"])
def test_malformed_files_exit_3(run, tmp_path, content):
    target = tmp_path / "broken.json"
    target.write_bytes(content)
    result = run("verify", target)
    assert result.exit_code == 3
    assert len(result.stderr.splitlines()) == 1
    assert "broken.json" in result.stderr
    assert run("verify", tmp_path / "missing.json").exit_code == 3


def test_bounds_still_give_a_certificate(answer, examples, tmp_path):
    target = tmp_path / "certificate.json"
    found = answer("dim", examples / "iris_4-6-6-3.json", "--max-cells", "100", "--certificate", target, code=4)
    assert found["functional_dimension"] is None
    assert f">= {found['lower_bound']}" in answer("verify", target)["claim"]


def test_a_folder_that_is_not_there_is_refused_before_the_work(run, examples, tmp_path):
    result = run("dim", examples / "diamond.json", "--certificate", tmp_path / "nowhere" / "c.json")
    assert result.exit_code == 3
    assert "nowhere" in result.stderr


def test_latex_states_only_what_is_proved(run, examples, tmp_path):
    target = tmp_path / "certificate.json"
    run("dim", examples / "width_one_chain.json", "--certificate", target)
    document = json.loads(target.read_text())
    document["claim"]["value"] = 77
    document["evidence"] = {part: {"rule": "trust"} for part in ("lower", "upper")}
    target.write_text(json.dumps(document))
    result = run("verify", target, "--allow-trust", "--latex")
    assert result.exit_code == 2
    assert "proved" in result.stderr
    assert "if the 2 trusted steps are true" in run("verify", target, "--allow-trust").stdout


def test_a_malformed_file_is_told_in_json_too(run, tmp_path):
    target = tmp_path / "certificate.json"
    target.write_text("{}")
    result = run("verify", target, "--json")
    assert result.exit_code == 3
    verdict = json.loads(result.stdout)
    assert (verdict["valid"], verdict["steps"]) == (False, 0)
    assert verdict["reason"] in result.stderr


def test_a_certificate_from_standard_input(run, examples, tmp_path):
    target = tmp_path / "certificate.json"
    run("dim", examples / "width_one_chain.json", "--certificate", target)
    result = run("verify", "-", "--latex", stdin=target.read_text())
    assert result.exit_code == 0
    assert r"\begin{proposition}" in result.stdout


def test_the_kernel_of_example_1_1(answer, run, examples):
    found = answer("dim", examples / "glmw_example_1-1.json", "--kernel")
    assert sorted(found["kernel"]) == [
        ["0", "0", "-1", "4", "0", "-1", "0"],
        ["2", "-5", "0", "0", "-1", "0", "0"],
    ]
    assert "kernel: (2, -5, 0, 0, -1, 0, 0)" in run("dim", examples / "glmw_example_1-1.json", "--kernel").stdout
