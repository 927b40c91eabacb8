"""Contradictions between parallel conditions: found exactly when two of them have no common point."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from exactfd.geometry.parallel import ParallelRows, direction_of
from exactfd.geometry.programs import Row, solve

ENTRIES = st.integers(-2, 2)
ROWS = st.tuples(st.tuples(ENTRIES, ENTRIES).filter(any), st.integers(-3, 3), st.integers(1, 6))


@given(st.lists(ROWS, min_size=1, max_size=8), st.integers(0, 7), ROWS)
def test_against_linear_programs(given_rows, kept, last):
    """After rows have come and gone: the last row and one other, tried by a linear program each."""
    rows = [Row(tuple(k * a for a in gradient), k * constant) for gradient, constant, k in [*given_rows, last]]
    table = ParallelRows()
    for row in rows[:-1]:
        table.push(row, direction_of(row.coefficients))
    table.truncate(kept)
    rows = [*rows[:-1][:kept], rows[-1]]
    table.push(rows[-1], direction_of(rows[-1].coefficients))
    evidence = table.contradiction()
    last = rows[-1]
    clashing = [
        row
        for row in rows[:-1]
        if row.coefficients[0] * last.coefficients[1] == row.coefficients[1] * last.coefficients[0]
        and hasattr(solve([row, last], 2), "multipliers")
    ]
    assert (evidence is not None) == bool(clashing)
    if evidence is not None:
        assert evidence.check()
        first, second = evidence.indices
        assert (rows[first], rows[second]) == evidence.rows
        assert second == len(rows) - 1


def test_the_tightest_refutes():
    table = ParallelRows()
    for row in (Row((2,), -2), Row((1,), -3), Row((3,), 0), Row((-1,), 1)):
        table.push(row, direction_of(row.coefficients))
    assert table.contradiction().indices == (1, 3)
    table.truncate(1)
    table.push(Row((-1,), 1), direction_of((-1,)))
    assert table.contradiction().weights == (1, 2)
