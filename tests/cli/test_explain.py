"""``exactfd explain``."""

from __future__ import annotations


def test_numbers_add_up(answer, examples):
    found = answer("explain", examples / "iris_4-6-6-3.json")
    assert (found["functional_dimension"], found["deficit"], found["attributed"]) == (71, 10, 10)
    assert sum(m["dimension"] for m in found["mechanisms"]) == 10
    assert found["unexplained"] == {"dimension": 0, "directions": []}
    assert found["mechanisms"][0]["kind"] == "never_active"
    assert len(found["mechanisms"][0]["directions"]) == 9


def test_full_dimension(run, examples):
    result = run("explain", examples / "glmw_example_1-1.json")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "dim_fun(theta) = 5 (proved), D' = 5, deficit 0"


def test_a_budget(run, examples):
    result = run("explain", examples / "iris_4-6-6-3.json", "--max-cells", 20)
    assert result.exit_code == 4
    assert "not known" in result.stdout
    assert "limit: " in result.stdout


def test_an_unexplained_direction_with_long_numbers(run, examples):
    result = run(
        "explain", examples.parent / "benchmarks" / "nets" / "2x8x8x1_s0.npz", "--output-activation", "identity"
    )
    assert result.exit_code == 0
    left = result.stdout.split("unexplained")[1]
    assert "parameters, numbers of up to" in left
    assert "--json has them" in left
