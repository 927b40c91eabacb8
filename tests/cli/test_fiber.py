"""``exactfd fiber``."""

from __future__ import annotations

import json

import exactfd


def test_steps(answer, run, examples, tmp_path):
    found = answer("fiber", examples / "hidden_family_t_2.json", "--steps", 3, "--save", tmp_path / "new" / "walk")
    assert found["dimensions"] == [4, 4, 4, 4]
    assert [step["functional_dimension"] for step in found["steps"]] == [4, 4, 4]
    for path, step in zip(found["files"], found["steps"], strict=True):
        assert exactfd.load(path).to_dict() == step["network"]
        assert run("equal", examples / "hidden_family_t_2.json", path).exit_code == 0


def test_fewer_steps_than_asked_for(run, examples):
    result = run("fiber", examples / "glmw_example_1-1.json")
    assert result.exit_code == 1
    assert "no further step: the functional dimension is D'" in result.stdout


def test_a_budget(run, examples):
    result = run("fiber", examples / "iris_4-6-6-3.json", "--max-cells", 20)
    assert result.exit_code == 4


def test_a_folder_that_cannot_be_made(run, examples, tmp_path):
    (tmp_path / "file").write_text("")
    result = run("fiber", examples / "hidden_family_t_2.json", "--save", tmp_path / "file" / "walk")
    assert result.exit_code == 3
    assert "directory" in result.stderr


def test_the_document_is_json(run, examples):
    result = run("fiber", examples / "hidden_family_t_2.json", "--steps", 1, "--json")
    assert json.loads(result.stdout)["steps"][0]["kind"] == "coinciding"
