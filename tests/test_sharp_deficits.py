"""The table of docs/sharp-deficits.md: every row is about its case, and the quick ones are found again."""

from __future__ import annotations

import ast
from pathlib import Path

from benchmarks.deficits import Case, cases

PAGE = Path(__file__).parent.parent / "docs" / "sharp-deficits.md"


def rows():
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0].startswith("(2,"):
            count, kind = cells[1].split(" ", 1)
            yield Case(ast.literal_eval(cells[0]), kind, int(count)), [int(cell) for cell in cells[2:6]], cells[6]


def test_every_case_has_a_row():
    assert [case for case, _, _ in rows()] == list(cases())


def test_the_columns_fit_together():
    for case, (bound, cost, goal, found), tried in rows():
        assert (bound, cost, goal) == (case.upper_bound, case.predicted, bound - case.predicted)
        assert found <= goal
        assert ("not reached" in tried) == (found < goal)


def test_what_is_found_quickly_is_found_again():
    again = 0
    for case, (_, _, _, found), tried in rows():
        if tried.isdigit() and int(tried) <= 12:
            assert case.largest(int(tried)) == (found, int(tried)), case
            again += 1
    assert again > 60


def test_where_the_prediction_is_not_reached():
    """As the page says: one neuron in the first layer, or a layer whose only neuron is dead."""
    for case, _, tried in rows():
        _, before, width, _, _ = case.architecture
        if "not reached" in tried:
            assert before == 1 or (case.kind == "dead" and width == 1), case
