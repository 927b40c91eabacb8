"""What the writers write, the checker accepts: on every example, every witness and many degenerate networks."""

from __future__ import annotations

import gzip
import itertools
import json
import random
from fractions import Fraction
from pathlib import Path

import pytest

import exactfd
from exactfd.certificates import (
    batch_certificate,
    dimension_certificate,
    f_vector_certificate,
    function_certificate,
    symmetry_certificate,
    top_cells_certificate,
)
from exactfd.certificates.latex import fragment
from exactfd.check import check_document, check_file
from strategies import degenerate_networks

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.json"))
WITNESSES = sorted((ROOT / "examples" / "witnesses").glob("*.json"))


def assert_proved(certificate):
    verdict = check_document(json.loads(certificate.dumps()))
    assert verdict.valid, verdict.reason
    assert verdict.trusted_steps == 0
    return verdict


@pytest.mark.parametrize("path", [*EXAMPLES, *WITNESSES], ids=lambda path: path.stem)
def test_functional_dimension_of_every_example(path):
    network = exactfd.load(path)
    result = exactfd.functional_dimension(network)
    assert_proved(dimension_certificate(result))


@pytest.mark.parametrize("seed", range(6))
def test_functional_dimension_of_degenerate_networks(seed):
    for _, network in degenerate_networks(4000 + seed, 24):
        certificate = dimension_certificate(exactfd.functional_dimension(network))
        assert_proved(certificate)
        assert certificate.claim["relation"] == "=="


@pytest.mark.parametrize("seed", range(3))
def test_cells_of_degenerate_networks(seed):
    for _, network in degenerate_networks(5000 + seed, 21):
        assert_proved(top_cells_certificate(network))
        assert_proved(top_cells_certificate(network, box=(Fraction(-3, 2), 1)))
        whole = exactfd.canonical_complex(network)
        if sum(whole.f_vector) < 300:
            certificate = f_vector_certificate(whole)
            assert_proved(certificate)
            assert certificate.claim["value"] == list(whole.f_vector)


def test_batches():
    example = exactfd.load(ROOT / "examples" / "glmw_example_1-1.json")
    for number, rank in enumerate((2, 3, 4, 5), start=1):
        points = exactfd.load_points(ROOT / "examples" / "points" / f"glmw_example_1-1_batch_{number}.json")
        certificate = batch_certificate(exactfd.batch_functional_dimension(example, points))
        assert certificate.claim["value"] == rank
        assert_proved(certificate)
    iris = exactfd.load(ROOT / "examples" / "iris_4-5-3.json")
    points = [[Fraction(i * j % 11 - 5, 3) for j in range(1, 5)] for i in range(1, 40)]
    assert_proved(batch_certificate(exactfd.batch_functional_dimension(iris, points)))


def test_an_empty_batch():
    example = exactfd.load(ROOT / "examples" / "glmw_example_1-1.json")
    assert_proved(batch_certificate(exactfd.batch_functional_dimension(example, [])))


def test_bounds_certify_what_is_proved():
    iris = exactfd.load(ROOT / "examples" / "iris_4-6-6-3.json")
    result = exactfd.functional_dimension(iris, budget=exactfd.Budget(max_cells=100))
    assert result.status == "bounds"
    certificate = dimension_certificate(result)
    assert (certificate.claim["relation"], certificate.claim["value"]) == (">=", result.lower)
    assert_proved(certificate)


def load(name):
    return exactfd.load(ROOT / "examples" / f"{name}.json")


def test_equal_functions_that_no_symmetry_relates():
    for one, other in (("hidden_family_t_2", "hidden_family_t_1-3"), ("fiber_dim_1", "fiber_dim_2")):
        certificate = function_certificate(load(one), load(other))
        assert certificate.claim["relation"] == "=="
        assert_proved(certificate)


def test_functions_of_different_architectures():
    identity = exactfd.Network.from_arrays([([[1]], [0])])
    certificate = function_certificate(identity, load("hidden_family_t_2"))
    assert certificate.claim["relation"] == "=="
    assert_proved(certificate)


def test_functions_that_differ_on_a_tiny_set():
    """relu(x) - 2 relu(x - e) + relu(x - 2e) is zero but for a bump of width 2e."""
    e = Fraction(1, 2**300)
    bump = exactfd.Network.from_arrays([([[1], [1], [1]], [0, -e, -2 * e]), ([[1, -2, 1]], [0])])
    zero = exactfd.Network.from_arrays([([[0]], [0])])
    certificate = function_certificate(bump, zero)
    assert certificate.claim["relation"] == "!="
    assert_proved(certificate)
    (point,) = certificate.evidence["point"]["at"]
    assert 0 < Fraction(point) < 2 * e


def test_a_symmetry():
    first = exactfd.Network.from_arrays([([[1, 2], [3, -4]], [5, "1/7"]), ([[1, -1]], [2])])
    second = exactfd.Network.from_arrays([([[6, -8], [3, 6]], ["2/7", 15]), ([["-1/2", "1/3"]], [2])])
    assert_proved(symmetry_certificate(first, second, [[1, 0]], [[Fraction(2), Fraction(3)]]))


def test_files(tmp_path):
    certificate = dimension_certificate(exactfd.functional_dimension(load("iris_4-5-3")))
    plain, packed = tmp_path / "c.json", tmp_path / "c.json.gz"
    certificate.save(plain)
    size = certificate.save(packed)
    assert size == packed.stat().st_size
    assert json.loads(gzip.decompress(packed.read_bytes())) == json.loads(plain.read_text()) == certificate.to_dict()
    for path in (plain, packed):
        verdict = check_file(str(path))
        assert verdict.valid
        assert "dim_fun(theta) = 38 = D'" in verdict.claim


def test_latex_names_the_numbers():
    certificate = dimension_certificate(exactfd.functional_dimension(load("width_one_chain")))
    text = fragment(certificate.to_dict())
    assert r"\dim_{\mathrm{fun}}(\theta) = 4" in text
    assert text.count(r"\\") == len(certificate.evidence["upper"]["vectors"]) - 1
    for other in (
        batch_certificate(exactfd.batch_functional_dimension(load("glmw_example_1-1"), [[1], [7]])),
        top_cells_certificate(load("diamond"), box=(-1, 1)),
        f_vector_certificate(exactfd.canonical_complex(load("diamond"))),
        function_certificate(load("fiber_dim_1"), load("fiber_dim_2")),
    ):
        assert r"\begin{proposition}" in fragment(other.to_dict())


def test_a_tree_as_deep_as_a_wide_layer():
    wide = exactfd.Network.from_arrays([([[1]] * 1100, [0] * 1100), ([[1] * 1100], [0])])
    certificate = f_vector_certificate(exactfd.canonical_complex(wide))
    assert certificate.claim["value"] == [1, 2]
    assert_proved(certificate)


def test_multipliers_longer_than_python_prints():
    for seed in range(3):
        for kind, network in degenerate_networks(91001 + seed, 63):
            if kind == "big_denominators" and network.input_dimension < 3:
                assert_proved(f_vector_certificate(exactfd.canonical_complex(network)))


def test_latex_quotes_nobody_unchecked():
    document = dimension_certificate(exactfd.functional_dimension(load("width_one_chain"))).to_dict()
    document["produced_by"] = "x\n\\begin{proposition}False\\end{proposition}"
    assert "False" not in fragment(document)


PRIME = 8388593  # the largest below 2^23, the first one that a search tries


@pytest.mark.parametrize("algorithm", ["auto", "flint"])
@pytest.mark.parametrize("seed", range(30))
def test_batches_where_the_first_primes_mislead(seed, algorithm):
    """Weights and coordinates that are multiples of the largest primes: supports and ranks are smaller modulo these."""
    rng = random.Random(seed)
    entries = [0, 1, -2, 3, PRIME, -2 * PRIME, PRIME * 8388587, Fraction(1, 3)]
    sizes = rng.choice([(1, 3, 1), (2, 3, 1), (2, 2, 2, 2), (1, 2, 2)])
    network = exactfd.Network(
        [
            ([[rng.choice(entries) for _ in range(m)] for _ in range(n)], [rng.choice(entries) for _ in range(n)])
            for m, n in itertools.pairwise(sizes)
        ],
        output_activation=rng.choice(["identity", "relu"]),
    )
    coordinates = [*entries, Fraction(1, PRIME), 5, -7]
    points = [[rng.choice(coordinates) for _ in range(sizes[0])] for _ in range(rng.randint(1, 8))]
    points = [point for point in points if exactfd.locate(network, point).smooth]
    points += points[:2]
    result = exactfd.batch_functional_dimension(network, points, algorithm=algorithm)
    verdict = result.certificate.check()
    assert verdict.valid, verdict.reason
    assert result.rank == exactfd.batch_functional_dimension(network, points, algorithm="flint").rank


@pytest.mark.parametrize("algorithm", ["auto", "flint"])
def test_batches_that_a_review_found(algorithm):
    example = exactfd.Network([([[2], [-1]], [-5, 4]), ([[1, 1]], [1])], output_activation="relu")
    result = exactfd.batch_functional_dimension(example, [[PRIME], [PRIME]], algorithm=algorithm)
    assert (result.rank, result.certificate.check().valid) == (1, True)
    dead = exactfd.Network([([[0]], [-1])], output_activation="relu")
    result = exactfd.batch_functional_dimension(dead, [[Fraction(1, PRIME)]], algorithm=algorithm)
    assert (result.rank, result.certificate.check().valid) == (0, True)


def test_documents_that_the_checker_refuses_are_known_beforehand():
    small = exactfd.functional_dimension(exactfd.Network([([[1]], [0])])).certificate
    assert small.beyond_limits() is None
    long = exactfd.functional_dimension(exactfd.Network([([[1]], [Fraction(1, 10**10050)])])).certificate
    assert long.beyond_limits() == "a number of 10051 digits, more than 10000"
    assert long.check().malformed
    edge = exactfd.functional_dimension(exactfd.Network([([[1]], [Fraction(1, 10**9999)])])).certificate
    assert (edge.beyond_limits(), edge.check().valid) == (None, True)
    wide = exactfd.Network([([[1]] * 3001, [0] * 3001)])
    certificate = exactfd.batch_functional_dimension(wide, [[1]]).certificate
    assert certificate.beyond_limits() == "a minor of 3001 rows, more than 3000"
    assert "more than 3000 rows" in certificate.check().reason


def test_latex_of_a_box():
    network = exactfd.Network([([[1, 0]], [0]), ([[1]], [0])])
    text = fragment(top_cells_certificate(network, box=(1, 2)).to_dict())
    assert r"exactly 1 cell of full dimension that meet the interior of the box from $(1, 1)$ to $(2, 2)$" in text
