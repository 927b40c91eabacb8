"""Equations of varieties against closed formulas, plain fractions, SymPy and published numbers."""

from __future__ import annotations

import random
from fractions import Fraction
from itertools import combinations_with_replacement
from math import comb

import numpy as np
import pytest
import sympy
from flint import fmpq, fmpz_mat
from hypothesis import given, settings
from hypothesis import strategies as st

from exactfd.budget import Budget
from exactfd.errors import BudgetExceeded, InputError
from exactfd.varieties import profiles
from exactfd.varieties.dimension import variety_dimension
from exactfd.varieties.equations import memory_needed, variety_equations
from exactfd.varieties.families import rank_conditions
from exactfd.varieties.lifting import Residues
from exactfd.varieties.monomials import MonomialsByWeight, number_of_monomials
from exactfd.varieties.parametrisation import OutputVariety, PatternVariety
from exactfd.varieties.patterns import Architecture
from exactfd.varieties.polynomials import Polynomial
from exactfd.varieties.vanishing import Expansion, RandomPoints
from varieties import hilbert

DEEP = PatternVariety((3, 3, 2, 3, 3), ["111/11/111", "011/11/111"])


def codimension_of(variety):
    dimension = variety_dimension(variety)
    return dimension.ambient - dimension.value


# ------------------------------------------------------------------ worked numbers


def test_output_variety_of_the_paper():
    variety = OutputVariety.generic((4, 3, 4), ["110"], 8)
    found = variety_equations(variety, 3)
    assert found.generator_counts == {1: 16, 3: 16}
    assert all(report.minimal and report.status == "proved" for report in found.degrees)
    assert codimension_of(variety) == 20
    assert profiles.of_matrices(variety)[0].degree() == 20
    assert found.hilbert_function == tuple(hilbert.determinantal(4, 4, 2, d) for d in range(4))


@pytest.mark.parametrize(
    ("sizes", "blocks", "counts", "codimension"),
    [
        ((2, 2, 2), ["10", "01"], {2: 2}, 2),
        ((3, 3, 3), ["110", "011"], {3: 3}, 3),
        ((3, 3, 2, 3, 3), ["111/11/111", "011/11/111"], {2: 9, 3: 10}, 6),
    ],
)
def test_pattern_varieties(sizes, blocks, counts, codimension):
    variety = PatternVariety(sizes, blocks)
    found = variety_equations(variety, 3)
    assert found.generator_counts == counts
    assert found.status == "proved"
    assert found.complete_to == 3
    assert all(report.minimal for report in found.degrees)
    assert codimension_of(variety) == codimension


def test_three_blocks_need_more_than_minors():
    """(3,4,3) with 1100, 1010, 1001: six cubic minors and, in degree 5, equations that are no minors."""
    variety = PatternVariety((3, 4, 3), ["1100", "1010", "1001"])
    found = variety_equations(variety, 5)
    assert found.generator_counts == {3: 6, 5: 45}
    assert found.status == "proved"
    assert found.degrees[4].minimal
    assert found.hilbert_function == (1, 27, 378, 3648, 27243, 167598)
    assert {g.proof for g in found.generators if g.polynomial.degree == 3} == {"rank bound"}
    assert {g.proof for g in found.generators if g.polynomial.degree == 5} == {"expansion"}
    assert codimension_of(variety) == 7  # six equations are too few


# ------------------------------------------------------------------ closed formulas


@settings(deadline=None, max_examples=25)
@given(st.data())
def test_hilbert_functions_of_independent_profiles(data):
    n_in, n_out = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))
    profile_sets = [[(1, 0), (0, 1)], [(1, 1), (1, 0)], [(1, 1)], [(1, 0)], [(0, 1)], []]
    chosen = data.draw(st.sampled_from(profile_sets))
    counts = [data.draw(st.integers(1, 2)) for _ in chosen]
    bits = [profile for profile, count in zip(chosen, counts, strict=True) for _ in range(count)]
    bits += [(0, 0)] * data.draw(st.integers(0 if bits else 1, 1))
    data.draw(st.permutations(bits))
    blocks = ["".join(str(profile[b]) for profile in bits) for b in range(2)]
    if blocks[0] == blocks[1]:
        blocks = blocks[:1]
    variety = PatternVariety((n_in, len(bits), n_out), blocks)
    found = variety_equations(variety, 3, seed=data.draw(st.integers(0, 5)))
    parts = [[hilbert.determinantal(n_out, n_in, count, d) for d in range(4)] for count in counts]
    assert list(found.hilbert_function) == (hilbert.product(parts) if parts else [1, 0, 0, 0])
    assert found.status == "proved"
    known = profiles.of(variety)
    assert found.generator_counts == {d: count for d, count in known.generator_counts().items() if d <= 3}


def test_hypersurface():
    variety = PatternVariety((3, 2, 3), ["11"])
    found = variety_equations(variety, 6)
    assert found.generator_counts == {3: 1}
    assert found.hilbert_function == tuple(comb(8 + d, d) - (comb(5 + d, d - 3) if d > 2 else 0) for d in range(7))
    (generator,) = found.sympy()
    determinant = sympy.Matrix(3, 3, found.symbols).det()
    assert sympy.expand(generator - determinant) == 0


@pytest.mark.parametrize(
    "variety",
    [
        PatternVariety((2, 2, 1), ["11", "01"]),
        PatternVariety((1, 1, 1), ["1", "0"]),
        PatternVariety((1, 1, 1), ["0"]),
        PatternVariety((2, 2), [""]),
        PatternVariety((1, 2, 2, 1), ["11/10", "10/11"]),
        PatternVariety((2, 1, 1, 2), ["1/1"]),
        PatternVariety(Architecture((1, 1, 2), biases=True), ["1", "0"]),
        PatternVariety(Architecture((1, 2, 1, 1), biases=True), ["11/1", "10/1"]),
        PatternVariety(Architecture((2, 2, 2), output_activation="relu"), ["11/10", "10/11"]),
        OutputVariety((1, 2, 2), [[1], [2], ["-1/3"]], ["11", "11", "10"]),
        OutputVariety((2, 2, 1), [[1, 0], [0, 0], [1, 0]], "10"),
        OutputVariety(Architecture((1, 1, 1), biases=True), [[0], [1], [2], [5]], ["1", "1", "1", "0"]),
        OutputVariety((1, 1, 1), [["1e-300"], [1]], "1"),
    ],
    ids=str,
)
def test_against_plain_interpolation(variety):
    """All monomials at random rational points, no grading, no symmetry, no primes: the rank is the Hilbert function."""
    degree = 3 if len(variety.coordinates) <= 5 else 2
    found = variety_equations(variety, degree)
    numbers = random.Random(5)
    for d in range(1, degree + 1):
        monomials = list(combinations_with_replacement(range(len(variety.coordinates)), d))
        rows = []
        for _ in range(len(monomials) + 5):
            point = variety.image([fmpq(numbers.randrange(-50, 50)) for _ in range(variety.parameters)])
            row = []
            for monomial in monomials:
                value = fmpq(1)
                for number in monomial:
                    value *= point[number]
                row.append(value)
            rows.append(row)
        scale = [[entry * fmpq(10) ** (300 * d) * fmpq(3) ** (2 * d) for entry in row] for row in rows]
        assert found.hilbert_function[d] == fmpz_mat([[int(entry.p) for entry in row] for row in scale]).rank()
    assert found.status == "proved"
    check_vanishing(found)


def check_vanishing(found, most=20):
    """By SymPy, which shares nothing with the proofs."""
    values = dict(zip(found.symbols, found.variety.expressions(), strict=True))
    for expression in found.sympy()[:most]:
        assert sympy.expand(expression.xreplace(values)) == 0


# ------------------------------------------------------------------ invariance


@pytest.mark.parametrize(
    "variety",
    [
        DEEP,
        PatternVariety((2, 3, 3), ["110", "011", "101"]),
        PatternVariety(Architecture((2, 2, 2), biases=True), ["10", "11"]),
        OutputVariety.generic((2, 2, 2), ["11", "10"], 3),
    ],
    ids=str,
)
def test_every_way_gives_the_same_numbers(variety):
    expected = variety_equations(variety, 3)
    check_vanishing(expected, 1 if variety is DEEP else 20)
    for options in ({"families": False}, {"symmetry": False}, {"seed": 7}, {"families": False, "symmetry": False}):
        found = variety_equations(variety, 3, **options)
        assert found.generator_counts == expected.generator_counts
        assert found.hilbert_function == expected.hilbert_function
        assert found.status == "proved"


def test_renaming_neurons_and_dead_neurons_change_nothing():
    expected = variety_equations(PatternVariety((2, 3, 3), ["110", "011"]), 3)
    for blocks in (["011", "110"], ["101", "110"], ["1100", "0110"]):
        found = variety_equations(PatternVariety((2, len(blocks[0]), 3), blocks), 3)
        assert found.hilbert_function == expected.hilbert_function


# ------------------------------------------------------------------ probable, unlucky, limited


def test_without_expansion_it_is_only_probable():
    found = variety_equations(PatternVariety((2, 2, 2), ["11", "10"]), 2, families=False, max_terms=1)
    assert found.status == "probable"
    assert found.complete_to == 1
    assert {g.proof for g in found.generators} == {"random points"}
    assert 0 < found.failure_probability < Fraction(1, 10**20)
    assert not found.degrees[-1].minimal


class Unwritten(PatternVariety):
    """Its expressions are too long to be written down."""

    def expressions(self):
        raise InputError("too long")


def test_expressions_that_are_too_long_are_no_error():
    found = variety_equations(Unwritten((2, 2, 2), ["11", "10"]), 2, families=False)
    assert found.status == "probable"
    assert found.failure_probability == 2 * Fraction(2 * 2, 2**40) ** 2
    assert variety_equations(Unwritten((2, 2, 2), ["11", "10"]), 2).status == "proved"  # by ranks


def test_more_minors_than_are_written_down(monkeypatch):
    monkeypatch.setattr("exactfd.varieties.equations.MAX_MINORS", 0)
    found = variety_equations(PatternVariety((3, 2, 3), ["10", "01"]), 2)
    assert found.generator_counts == {2: 18}
    assert {g.proof for g in found.generators} == {"expansion"}


class Unlucky(PatternVariety):
    """The first points are special: all images lie on a smaller variety."""

    def __init__(self, *given, times):
        super().__init__(*given)
        self.times = times

    def images(self, prime, parameters):
        values = super().images(prime, parameters)
        if len(parameters) > 2 and self.times:
            self.times -= 1
            values[:, :4] = 0
        return values


def test_unlucky_points_are_noticed():
    found = variety_equations(Unlucky((2, 2, 2), ["10", "01"], times=1), 2)
    assert found.generator_counts == {2: 2}
    assert found.status == "proved"


def test_hopeless_points_give_bounds_and_no_wrong_equation():
    found = variety_equations(Unlucky((2, 2, 2), ["10", "01"], times=10**9), 2)
    assert found.status == "bounds"
    assert len(found.degrees) == 1
    assert not found.generators
    assert found.degrees[0].hilbert_function == 4  # a lower bound of 8


def test_memory_is_estimated_before_the_work():
    variety = PatternVariety((3, 4, 3), ["1100", "1010", "1001"])
    with pytest.raises(
        BudgetExceeded, match=r"degree 9 in 27 coordinates has 70607460 monomials: about .* MiB"
    ) as error:
        variety_equations(variety, 9)
    assert len(error.value.partial.degrees) == 1
    with pytest.raises(BudgetExceeded, match="the limit is 1 MiB"):
        variety_equations(variety, 4, memory=1 << 20)
    assert memory_needed(variety.grading, 3, 2**30) < memory_needed(variety.grading, 4, 2**30) < 2**30


def test_time_runs_out_between_degrees():
    seen = []

    def progress(stage, done, total):
        seen.append((stage, done, total))
        if stage == "equations of degree 3":
            budget._start -= 100

    budget = Budget(time_limit=60)
    with pytest.raises(BudgetExceeded, match="degrees up to 2 are finished") as error:
        variety_equations(DEEP, 3, budget=budget, progress=progress)
    assert error.value.partial.generator_counts == {2: 9}
    assert error.value.partial.complete_to == 2
    assert ("equations of degree 2", 0, 4) in seen


class NoCone:
    """The line (t, 1)."""

    coordinates = ("x", "y")
    parameters = 1
    grading = np.zeros((0, 2), dtype=np.int64)

    def images(self, prime, parameters):
        return np.concatenate([parameters, np.ones_like(parameters)], axis=1)


@pytest.mark.parametrize(
    ("variety", "degree", "message"),
    [
        (DEEP, 0, "degree: expected a whole number at least 1, found 0"),
        (DEEP, True, "degree: expected"),
        (DEEP, 2.5, "degree: expected"),
        (DEEP, 40, "degree: 40 is too large for 18 coordinates"),
        (NoCone(), 1, "expected a cone"),
    ],
)
def test_bad_input(variety, degree, message):
    with pytest.raises(InputError, match=message):
        variety_equations(variety, degree)


# ------------------------------------------------------------------ parts


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_rank_bounds_hold_at_every_parameter(data):
    widths = data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=2))
    architecture = Architecture(
        (data.draw(st.integers(1, 3)), *widths, data.draw(st.integers(1, 3))), biases=data.draw(st.booleans())
    )
    pattern = st.tuples(*(st.text("01", min_size=n, max_size=n) for n in widths)).map("/".join)
    blocks = data.draw(st.lists(pattern, min_size=1, max_size=3, unique=True))
    if data.draw(st.booleans()):
        variety = PatternVariety(architecture, blocks)
    else:
        variety = OutputVariety.generic(architecture, blocks, data.draw(st.integers(1, 3)))
    entries = st.integers(-3, 3).map(fmpq)
    points = [
        variety.image(data.draw(st.lists(entries, min_size=variety.parameters, max_size=variety.parameters))),
        RandomPoints(variety).points(1)[0],
    ]
    for condition in rank_conditions(variety):
        for point in points:
            table = [
                [sum((point[i] * c for i, c in form.items()), fmpq(0)) for form in row] for row in condition.matrix
            ]
            common = 1
            for row in table:
                for entry in row:
                    common = common * int(entry.q)
            assert fmpz_mat([[int(entry.p) * (common // int(entry.q)) for entry in row] for row in table]).rank() <= (
                condition.rank
            )


def test_minors_are_determinants():
    variety = PatternVariety((3, 3, 3), ["110", "011"])
    symbols = [sympy.Symbol(name) for name in variety.coordinates]
    first, second = sympy.Matrix(3, 3, symbols[:9]), sympy.Matrix(3, 3, symbols[9:])
    minors = {c.label: list(c.polynomials()) for c in rank_conditions(variety)}
    assert set(minors) == {"M1", "M2", "M1 - M2"}
    for label, matrix in (("M1", first), ("M2", second), ("M1 - M2", first - second)):
        (polynomial,) = minors[label]
        difference = sympy.expand(polynomial.sympy(symbols) - matrix.det(method="berkowitz"))
        assert difference == 0


def test_expansion_tells_what_vanishes():
    variety = PatternVariety((2, 1, 2), ["1"])
    expansion = Expansion(variety)
    assert expansion.vanishes(Polynomial.from_dict({(0, 3): 1, (1, 2): -1})) is True
    assert expansion.vanishes(Polynomial.from_dict({(0, 3): 1, (1, 2): 1})) is False
    assert Expansion(variety, max_terms=1).vanishes(Polynomial.from_dict({(0, 3): 1, (1, 2): -1})) is None
    points = RandomPoints(variety)
    assert points.vanishes(Polynomial.from_dict({(0, 3): 1, (1, 2): -1}))
    assert not points.vanishes(Polynomial.from_dict({(0, 3): 1, (1, 2): 1}))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.fractions(-49, 49, max_denominator=50), min_size=1, max_size=6))
def test_rational_reconstruction(values):
    primes = [8388593, 8388587, 8388571, 8388547, 8388539, 8388473, 8388461, 8388451]
    residues = [[x.numerator * pow(x.denominator, -1, p) % p for x in values] for p in primes]
    known = Residues([residues[0]], primes[0])
    for prime, row in zip(primes[1:], residues[1:], strict=True):
        known.add([row], prime)
    vector = known.integer_vector(0)
    scale = next((Fraction(v) / x for v, x in zip(vector, values, strict=True) if x), Fraction(1))
    assert [Fraction(v) for v in vector] == [x * scale for x in values]
    assert scale > 0


def weights_with_counts(grading, degree):
    """Numbers of monomials by weight, coordinate by coordinate, without listing them."""
    found = [{(0,) * len(grading): 1}, *({} for _ in range(degree))]  # by degree, over the coordinates so far
    for column in grading.T.tolist():
        for total in range(1, degree + 1):  # ascending: a coordinate is used any number of times
            for weight, count in found[total - 1].items():
                raised = tuple(a + b for a, b in zip(weight, column, strict=True))
                found[total][raised] = found[total].get(raised, 0) + count
    return found[degree]


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 3), st.integers(1, 4), st.integers(1, 4), st.data())
def test_monomials_by_weight(rows, columns, degree, data):
    grading = np.array(
        data.draw(
            st.lists(st.lists(st.integers(-2, 2), min_size=columns, max_size=columns), min_size=rows, max_size=rows)
        ),
        dtype=np.int64,
    ).reshape(rows, columns)
    groups = MonomialsByWeight(grading, degree)
    counts = weights_with_counts(grading, degree)
    assert {weight: len(groups.of(weight)) for weight in groups.places} == counts
    assert groups.largest == max(counts.values())
    assert sum(counts.values()) == number_of_monomials(columns, degree)
    listed = [tuple(row) for weight in groups.places for row in groups.of(weight).tolist()]
    assert sorted(listed) == sorted(combinations_with_replacement(range(columns), degree))
    for weight in groups.places:
        assert groups.of(weight).tolist() == sorted(groups.of(weight).tolist())
    assert len(groups.of([99] * rows)) == (0 if rows else len(listed))


@settings(deadline=None)
@given(st.dictionaries(st.tuples(st.integers(0, 2), st.integers(0, 2)), st.integers(-5, 5)))
def test_polynomials_say_the_same_in_every_language(terms):
    polynomial = Polynomial.from_dict(terms)
    x = sympy.symbols("x0:3")
    names = [str(symbol) for symbol in x]
    expression = polynomial.sympy(x)
    assert sympy.expand(sympy.sympify(polynomial.text(names).replace("^", "**")) - expression) == 0
    point = [fmpq(2, 3), fmpq(-1), fmpq(5)]
    exact = expression.subs(dict(zip(x, [sympy.Rational(2, 3), -1, 5], strict=True)))
    assert Fraction(str(polynomial.evaluate(point))) == Fraction(str(exact))
    assert Polynomial.from_dict({m: c for c, m in polynomial.terms}) == polynomial
    original = sympy.Add(*(c * x[i] * x[j] for (i, j), c in terms.items()))
    if sympy.expand(original) != 0:
        assert sympy.simplify(original / expression).is_number


def test_reports():
    found = variety_equations(PatternVariety((2, 2, 2), ["10", "01"]), 2)
    document = found.to_dict()
    assert document["complete_to"] == 2
    assert document["hilbert_function"] == [1, 8, 34]
    assert document["generators"][0] == {
        "degree": 2,
        "polynomial": "m1_11*m1_22 - m1_12*m1_21",
        "proof": "rank bound",
        "source": "minor of M1, rank at most 1",
    }
    assert "<table>" in found._repr_html_()
    assert r"M^{(1)}_{1,1} M^{(1)}_{2,2} - M^{(1)}_{1,2} M^{(1)}_{2,1}" in found.latex()
    assert repr(found) == "Equations(degree <= 2, generators: 2 of degree 2, proved)"


def test_rank_conditions_of_another_variety_are_refused():
    """``det M2`` was "proved" to vanish on pairs whose second matrix has rank 2."""
    here, other = PatternVariety((2, 2, 2), ["01", "11"]), PatternVariety((2, 2, 2), ["10", "01"])
    wrong = [condition for condition in rank_conditions(other) if condition.label == "M2"]
    with pytest.raises(InputError, match=r"families: .* found a minor of M2, rank at most 1"):
        variety_equations(here, 2, families=wrong)


@pytest.mark.parametrize("degree", [62, 10**20])
def test_huge_degrees_are_refused_at_once(degree):
    with pytest.raises(InputError, match="too large"):
        variety_equations(PatternVariety((2, 2, 2), ["10", "01"]), degree)
    with pytest.raises(InputError, match="too large"):
        variety_equations(PatternVariety((1, 1, 1), ["1"]), degree)


def test_ambient_spaces_that_cannot_be_listed():
    with pytest.raises(BudgetExceeded, match="an ambient space of 10000000000 entries"):
        PatternVariety((10**5, 1, 10**5), ["1"])
    with pytest.raises(BudgetExceeded, match="an identity matrix of 10000100000 entries"):
        PatternVariety((10**5, 1, 1), ["1"])
