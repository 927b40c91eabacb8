"""The worked numbers of the literature, through the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
WITNESSES = sorted((EXAMPLES / "witnesses").glob("*.json"))


def test_all_witnesses_are_there():
    assert len(WITNESSES) == 20


@pytest.mark.parametrize("path", WITNESSES, ids=lambda path: path.stem)
def test_witnesses_attain_the_bound(answer, path):
    found = answer("dim", path)
    assert found["status"] == "proved"
    assert found["functional_dimension"] == found["theoretical_upper_bound"]


@pytest.mark.parametrize(
    ("name", "dimension"),
    [
        ("glmw_example_1-1", 5),
        ("fiber_dim_1", 1),
        ("fiber_dim_2", 2),
        ("hidden_family_t_1-3", 4),
        ("hidden_family_t_2", 4),
    ],
)
def test_functional_dimensions(answer, name, dimension):
    found = answer("dim", EXAMPLES / f"{name}.json")
    assert (found["status"], found["functional_dimension"]) == ("proved", dimension)


def test_width_one_never_reaches_the_bound(answer):
    found = answer("dim", EXAMPLES / "width_one_chain.json")
    assert found["functional_dimension"] < found["theoretical_upper_bound"] == 5


@pytest.mark.parametrize(("batch", "rank"), [(1, 2), (2, 3), (3, 4), (4, 5)])
def test_batches_of_example_1_1(answer, batch, rank):
    points = EXAMPLES / "points" / f"glmw_example_1-1_batch_{batch}.json"
    found = answer("rank", EXAMPLES / "glmw_example_1-1.json", "--points", points)
    assert found["rank"] == found["ntk_rank"] == rank
