"""Laws: exact entries, determined by seed and number alone, with the variances that their names promise."""

from __future__ import annotations

import math
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

from exactfd.errors import InputError
from exactfd.experiments.samplers import KINDS, Distribution, Law, Shape, sample, stream

ZERO = Distribution.of("zero")


def entries(distribution, rows, columns, count=1):
    """Draws of an hidden layer, as one array."""
    drawn = [distribution.draw(stream(number), Shape(rows, columns, columns, rows)) for number in range(count)]
    return np.array(drawn, dtype=float)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("architecture", [(1, 1), (2, 3, 2, 1), (3, 7, 2)])
def test_networks_are_determined_by_seed_and_number(kind, architecture):
    biases = Distribution.of("normal" if kind == "orthogonal" else kind)
    law = Law(Distribution.of(kind), biases)
    drawn = [[sample(architecture, law, seed=s, number=i) for i in range(4)] for s in (0, 1)]
    again = [[sample(architecture, law, seed=s, number=i) for i in (3, 1, 2, 0)] for s in (0, 1)]
    assert drawn == [[row[3], row[1], row[2], row[0]] for row in again]
    assert all(network.architecture == architecture for row in drawn for network in row)
    if kind not in ("zero", "integer", "rational"):
        assert len({network.digest for row in drawn for network in row}) == 8


def test_another_process_draws_the_same():
    law = "Law(Distribution.of('he'), Distribution.of('rational'))"
    code = (
        "from exactfd.experiments.samplers import *\n"
        f"print(sample((2, 3, 1), {law}, seed=5, number=7, output_activation='relu').digest)"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    here = Law(Distribution.of("he"), Distribution.of("rational"))
    assert there == sample((2, 3, 1), here, seed=5, number=7, output_activation="relu").digest


def test_floats_are_taken_exactly():
    law = Law(Distribution.of("he"), Distribution.of("uniform", low=-1, high=1))
    network = sample((2, 3, 1), law, seed=0, number=0)
    weight = Distribution.of("he").draw(stream("network", 0, 0, (2, 3, 1), law.to_dict()), Shape(3, 2, 2, 3))
    assert network.to_fractions()[0][0] == [[Fraction(x) for x in row] for row in weight]
    for entry in network.theta():
        assert Fraction(float(entry)) == entry


def test_integers_and_rationals_keep_to_their_bounds():
    law = Law(Distribution.of("integer", low=-2, high=1), Distribution.of("rational", numerator=3, denominator=5))
    for number in range(50):
        for weight, bias in sample((2, 4, 2), law, seed=0, number=number).to_fractions():
            assert all(entry in (-2, -1, 0, 1) for row in weight for entry in row)
            assert all(abs(entry) <= 3 and entry.denominator <= 5 for entry in bias)


@pytest.mark.parametrize(
    ("distribution", "variance"),
    [
        (Distribution.of("he"), 2 / 8),
        (Distribution.of("he", form="uniform"), 2 / 8),
        (Distribution.of("xavier"), 2 / (8 + 4)),
        (Distribution.of("xavier", form="uniform"), 2 / (8 + 4)),
        (Distribution.of("normal", deviation=3), 9),
        (Distribution.of("uniform", low=-2, high=4), 36 / 12),
        (Distribution.of("integer", low=-3, high=3), 4),
        (Distribution.of("orthogonal", gain=2), 4 / 8),
        (Distribution.of("rational", numerator=1, denominator=2), Fraction(2, 3) * Fraction(5, 8)),
    ],
    ids=str,
)
def test_variances(distribution, variance):
    values = entries(distribution, 4, 8, count=2000).ravel()
    mean = 1.0 if distribution.kind == "uniform" else 0.0
    deviation = math.sqrt(variance / len(values))
    assert abs(values.mean() - mean) < 5 * deviation
    centred = values - mean
    fourth = (centred**4).mean()  # the variance of the sample variance, from the sample itself
    assert abs((centred**2).mean() - variance) < 5 * math.sqrt(fourth / len(values))


@pytest.mark.parametrize(("rows", "columns"), [(3, 5), (5, 3), (4, 4), (1, 6)])
def test_orthogonal_up_to_rounding(rows, columns):
    matrix = entries(Distribution.of("orthogonal", gain=0.5), rows, columns)[0]
    small = matrix if rows <= columns else matrix.T
    assert np.allclose(small @ small.T, 0.25 * np.eye(min(rows, columns)), atol=1e-14)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("cauchy", {}, "law: expected one of he, .* found 'cauchy'"),
        ("he", {"deviation": 1}, r"deviation: expected an option of the law 'he' \(its options are form\)"),
        ("zero", {"low": 1}, "has no options"),
        ("he", {"form": "round"}, 'form: expected "normal" or "uniform", found \'round\''),
        ("normal", {"deviation": 0}, "deviation: expected a positive number, found 0"),
        ("normal", {"deviation": math.nan}, "deviation: expected a finite number"),
        ("uniform", {"low": 2}, "low: expected at most high = 1.0, found 2.0"),
        ("integer", {"high": 1.5}, "high: expected an integer, found 1.5"),
        ("rational", {"denominator": 0}, "denominator: expected a positive integer, found 0"),
    ],
)
def test_bad_options(kind, options, message):
    with pytest.raises(InputError, match=message):
        Distribution.of(kind, **options)


def test_biases_are_not_orthogonal():
    with pytest.raises(InputError, match=r"biases: .* 'orthogonal'"):
        Law(ZERO, Distribution.of("orthogonal"))
