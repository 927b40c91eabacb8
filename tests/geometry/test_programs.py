"""Exact linear programs: right on every system, float-visible or not, and evidence that a falsifier cannot keep."""

from __future__ import annotations

import dataclasses
import math
import random
from fractions import Fraction

import pytest
from flint import fmpq, fmpz
from hypothesis import given, settings
from hypothesis import strategies as st
from ppl import Linear_Expression, NNC_Polyhedron

from exactfd.errors import InputError, ShapeError
from exactfd.geometry.programs import Feasible, Infeasible, Point, Program, Row, scaled_floats, solve

BOTH = pytest.mark.parametrize("algorithm", ["auto", "exact"])


def feasible_by_ppl(rows, dimension):
    polyhedron = NNC_Polyhedron(dimension, "universe")
    for row in rows:
        expression = Linear_Expression([int(a) for a in row.coefficients], int(row.constant))
        conditions = {">": expression > 0, ">=": expression >= 0, "=": expression == 0}
        polyhedron.add_constraint(conditions[row.relation])
    return not polyhedron.is_empty()


def contradicts(rows, answer):
    """Farkas and Motzkin in plain ``Fraction`` code, from the question's rows and the multipliers alone."""
    weights = answer.multipliers
    assert weights
    assert all(weight > 0 for i, weight in weights.items() if rows[i].relation != "=")
    assert all(rows[i] == row for i, row in zip(answer.indices, answer.rows, strict=True))
    for column in range(len(rows[0].coefficients)):
        assert sum(Fraction(weight) * int(rows[i].coefficients[column]) for i, weight in weights.items()) == 0
    total = sum(Fraction(weight) * int(rows[i].constant) for i, weight in weights.items())
    return total < 0 or (total == 0 and any(rows[i].relation == ">" for i in weights))


def solves(rows, point):
    for row in rows:
        value = int(row.constant) + sum(int(a) * x for a, x in zip(row.coefficients, point, strict=True))
        if not {">": value > 0, ">=": value >= 0, "=": value == 0}[row.relation]:
            return False
    return True


def decide(rows, dimension, algorithm="auto"):
    """The answer as a truth value, after an independent look at the evidence."""
    rows = [Row(*row) for row in rows]
    answer = solve(rows, dimension, algorithm=algorithm)
    assert answer.check()
    if isinstance(answer, Feasible):
        assert solves(rows, answer.point)
        return True
    assert contradicts(rows, answer)
    assert len(answer.rows) <= dimension + 1
    return False


@st.composite
def systems(draw):
    dimension = draw(st.integers(0, 4))
    size = draw(st.sampled_from([1, 2, 9]))
    entry = st.integers(-size, size)
    row = st.builds(Row, st.tuples(*[entry] * dimension), entry, st.sampled_from([">", ">", ">", ">=", "="]))
    rows = draw(st.lists(row, max_size=9))
    if rows:  # duplicates, opposites and multiples, on purpose
        for source in draw(st.lists(st.sampled_from(rows), max_size=3)):
            factor = draw(st.sampled_from([-1, 1, 3]))
            rows.append(Row(tuple(factor * a for a in source.coefficients), factor * source.constant, source.relation))
    return rows, dimension


@settings(max_examples=250, deadline=None)
@given(systems())
def test_both_algorithms_agree_with_ppl(system):
    rows, dimension = system
    expected = feasible_by_ppl(rows, dimension)
    assert decide(rows, dimension, "auto") == expected
    assert decide(rows, dimension, "exact") == expected


@BOTH
@pytest.mark.parametrize(
    ("rows", "dimension", "expected"),
    [
        ([], 0, True),
        ([], 3, True),
        ([((), 1)], 0, True),
        ([((), 0)], 0, False),
        ([((0, 0), 1)], 2, True),
        ([((0, 0), 0)], 2, False),
        ([((0, 0), 0, ">=")], 2, True),
        ([((0, 0), -1, ">=")], 2, False),
        ([((0, 0), 0, "=")], 2, True),
        ([((0, 0), -1, "=")], 2, False),
        ([((1, 2), 0), ((1, 2), 0), ((1, 2), 0)], 2, True),
        ([((1, 2), 0), ((-1, -2), 0)], 2, False),
        ([((1, 2), 0, ">="), ((-1, -2), 0)], 2, False),
        ([((1, 2), 0, ">="), ((-1, -2), 0, ">=")], 2, True),
        ([((1, 2), 0, "="), ((-2, -4), 1, "=")], 2, False),
        ([((3,), -1, "="), ((1,), 0)], 1, True),
        ([((3,), -1, "="), ((-3,), 1)], 1, False),
        # a triangle pinched to its corner, open and closed, and three concurrent half-planes
        ([((1, 0), 0), ((0, 1), 0), ((-1, -1), 0)], 2, False),
        ([((1, 0), 0, ">="), ((0, 1), 0, ">="), ((-1, -1), 0, ">=")], 2, True),
        ([((1, 0), 0, ">="), ((0, 1), 0, ">="), ((-1, -1), 0, ">="), ((1, 1), 0)], 2, False),
        ([((1, 0), 0, ">="), ((-1, 0), -1, ">=")], 2, False),
        # unbounded, in the direction of no row
        ([((1, 1, 0), -(10**6))], 3, True),
    ],
)
def test_corner_cases(rows, dimension, expected, algorithm):
    assert decide(rows, dimension, algorithm) == expected


@BOTH
@pytest.mark.parametrize("bits", [45, 52, 60, 200, 1100])
@pytest.mark.parametrize("dimension", [1, 2, 7])
def test_thin_slabs(bits, dimension, algorithm):
    """``1 < a.x < 1 + 2^-bits`` has a solution; one more row makes it miss by as little."""
    a = tuple((-3) ** k << bits for k in range(dimension))
    opposite = tuple(-entry for entry in a)
    slab = [Row(a, -(1 << bits)), Row(opposite, (1 << bits) + 1)]
    assert decide(slab, dimension, algorithm)
    assert not decide([*slab, Row(opposite, 1 << bits)], dimension, algorithm)
    assert not decide([*slab, Row(opposite, (1 << bits) - 1)], dimension, algorithm)


@BOTH
def test_rows_of_wildly_different_scale(algorithm):
    tiny, huge = 1, 10**300
    wedge = [Row((tiny, 0), 0), Row((-huge, tiny), 0)]  # x > 0 and y > 1e300 x
    assert decide(wedge, 2, algorithm)
    assert not decide([*wedge, Row((0, -tiny), 0)], 2, algorithm)
    beyond = 10**700  # no binary64
    assert decide([Row((1, 0), -beyond), Row((-1, beyond), 0)], 2, algorithm)
    assert not decide([Row((1, 0), -beyond), Row((-beyond, 0), 1)], 2, algorithm)


@BOTH
def test_long_denominators(algorithm):
    """A triangle around a point whose coordinates have 400-bit denominators, and the same triangle turned outward."""
    rng = random.Random(5)
    x, y = (Fraction(rng.getrandbits(400), rng.getrandbits(400) | 1) for _ in range(2))
    sides = [(1, 0), (0, 1), (-1, -1)]
    width = Fraction(1, 1 << 420)
    for slack, expected in ((width, True), (0, False), (-width, False)):
        rows = []
        for a, b in sides:
            c = slack - a * x - b * y
            rows.append(Row((a * c.denominator, b * c.denominator), c.numerator))
        assert decide(rows, 2, algorithm) == expected


def random_question(rng, dimension, count, bits=53):
    """Gaussian half-spaces around a random point, one of them turned away from it."""
    anchor = [rng.gauss(0, 1) for _ in range(dimension)]
    rows = []
    for index in range(count):
        a, c = [rng.gauss(0, 1) for _ in range(dimension)], rng.gauss(0, 1)
        sign = 1 if sum(s * t for s, t in zip(a, anchor, strict=True)) + c > 0 else -1
        sign = -sign if index == count - 1 else sign
        rows.append(Row(tuple(fmpz(sign * int(v * 2**bits)) for v in a), fmpz(sign * int(c * 2**bits))))
    return rows


@pytest.mark.parametrize(("dimension", "count"), [(2, 40), (3, 25), (6, 30)])
def test_random_questions_have_one_answer(dimension, count):
    rng = random.Random(dimension)
    answers = []
    for _ in range(20):
        rows = random_question(rng, dimension, count)
        answers.append(decide(rows, dimension, "auto"))
        assert answers[-1] == decide(rows, dimension, "exact")
    assert len(set(answers)) == 2, "the examples should have both answers"


def test_large_questions_stay_in_float_and_are_certified():
    rng = random.Random(0)
    for count in (60, 300):
        program = Program(20)
        for row in random_question(rng, 20, count):
            program.push(row)
        assert program.solve().check()
        assert program.fallbacks == 0


def test_points_have_few_bits():
    rows = random_question(random.Random(3), 4, 12)
    rows[-1] = Row(tuple(-a for a in rows[-1].coefficients), -rows[-1].constant)
    answer = solve(rows, 4)
    assert isinstance(answer, Feasible)
    assert answer.solution.denominator <= 2**10


@pytest.mark.parametrize("dimension", [1, 3])
def test_a_stack_of_rows_answers_like_fresh_questions(dimension):
    """Pushing, asking, truncating: warm bases may speed up an answer but not change it."""
    rng = random.Random(dimension)
    program = Program(dimension)
    for _ in range(150):
        program.truncate(rng.randrange(len(program.rows) + 1) if rng.random() < 0.3 else len(program.rows))
        program.push(Row(tuple(rng.randint(-3, 3) for _ in range(dimension)), rng.randint(-1, 4)))
        start = program.basis if all(member < len(program.rows) for member in program.basis) else None
        answer = program.solve(start)
        assert answer.check()
        assert isinstance(answer, Feasible) == feasible_by_ppl(program.rows, dimension)
        if isinstance(answer, Infeasible):
            program.truncate(len(program.rows) - 1)


def test_filter_abstains_rather_than_errs():
    """Cancellation to one unit in 2^-200, entries that underflow, and coordinates near the end of the range."""
    program = Program(2)
    program.push(Row((1 << 200, -(1 << 200)), 1))
    assert program.holds_at(Point.of([1, 1]))
    program.push(Row((1 << 200, -(1 << 200)), -1))
    assert not program.holds_at(Point.of([1, 1]))
    wide = Program(2)  # 2^60 +- 1 rounds to 2^60, which shifts the value by 3 at (3, 3)
    wide.push(Row(((1 << 60) + 1, -(1 << 60)), -2))
    assert wide.holds_at(Point.of([3, 3]))
    wide.push(Row(((1 << 60) - 1, -(1 << 60)), 2))
    assert not wide.holds_at(Point.of([3, 3]))
    far = Fraction(2) ** 1000
    for constant, expected in ((-far * far / 2, True), (-far * far * 2, False), (-far * far, False)):
        underflow = Program(2)  # 2^1000 y + constant: its float form is 0.x + 2^-1080 y + constant and loses y
        underflow.push(Row((1, 1 << 1000), int(constant)))
        underflow.push(Row((1 << 1080, 1), 1))
        assert underflow.holds_at(Point.of([0, far])) == expected
    lost = Program(2)
    lost.push(Row((1 << 1080, 1), -(1 << 990)))
    assert lost.holds_at(Point.of([0, far]))
    lost.push(Row((1 << 1080, -1), 1))
    assert not lost.holds_at(Point.of([0, far]))


def test_scaled_floats_are_within_their_error():
    rng = random.Random(1)
    for _ in range(50):
        row = [rng.getrandbits(rng.choice([3, 60, 500])) - 1 for _ in range(4)]
        size = max(map(abs, row[:-1])).bit_length()
        for entry, value in zip(row, scaled_floats(row), strict=True):
            exact = Fraction(entry, 1 << size)
            assert abs(Fraction(value) - exact) <= abs(exact) * Fraction(1, 1 << 52) + Fraction(1, 1 << 1074)
    assert math.inf in scaled_floats((1, 1 << 3000))


def test_evidence_does_not_survive_changes():
    rows = [Row((2, 1), 1), Row((-3, 0), 5, ">="), Row((0, -5), -25), Row((1, 1), 10**9)]
    answer = solve(rows, 2)
    assert isinstance(answer, Infeasible)
    assert sorted(answer.indices) == [0, 1, 2]
    assert answer.check()
    for place, weight in enumerate(answer.weights):
        for wrong in (weight + 1, -weight, 0):
            weights = (*answer.weights[:place], wrong, *answer.weights[place + 1 :])
            assert not dataclasses.replace(answer, weights=weights).check()
        shorter = [part[:place] + part[place + 1 :] for part in (answer.indices, answer.rows, answer.weights)]
        assert not Infeasible(*shorter).check()
        source = answer.rows[place]
        changed = (*answer.rows[:place], source._replace(constant=source.constant + 100), *answer.rows[place + 1 :])
        assert not dataclasses.replace(answer, rows=changed).check()
    assert not Infeasible((), (), ()).check()
    assert not Infeasible((0,), (Row((0,), 0, ">="),), (1,)).check()
    point = solve([Row((1,), 0), Row((-1,), 1)], 1)
    assert isinstance(point, Feasible)
    assert point.check()
    for wrong_point in (Point((0,), 1), Point((1,), 1), Point((-1,), 2)):
        assert not dataclasses.replace(point, solution=wrong_point).check()


def test_points_convert_exactly():
    point = Point.of([fmpq(1, 3), fmpz(2), Fraction(-1, 2), 4])
    assert point.fractions == (Fraction(1, 3), Fraction(2), Fraction(-1, 2), Fraction(4))
    assert point.floats is None
    assert Point.of([Fraction(10) ** 400]).floats is None
    assert Point.of([0.5]).floats.tolist() == [0.5]


def test_bad_questions():
    with pytest.raises(ShapeError, match="row 1: expected 2 coefficients, found 1"):
        solve([((1, 2), 3), ((1,), 2)], 2)
    with pytest.raises(InputError, match='"auto" or "exact"'):
        solve([], 2, algorithm="fast")
