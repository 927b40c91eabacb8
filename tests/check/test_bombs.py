"""Small files that once made the checker run on beyond its time limit, or hold numbers without bound."""

from __future__ import annotations

import json
import time

import pytest

from check import plain
from exactfd.check import check_document


def document(layers, claim, evidence):
    """With layers (weight, bias) that are not turned into fractions."""
    document = plain.certificate(plain.NETS["affine"], claim, evidence)
    document["network"]["architecture"] = [len(layers[0][0][0]), *(len(bias) for _, bias in layers)]
    document["network"]["layers"] = [
        {"weight": [[str(x) for x in row] for row in weight], "bias": [str(x) for x in bias]} for weight, bias in layers
    ]
    document["digest"] = plain.digest(document["network"])
    return document


def test_the_clock_is_looked_at_while_nothing_but_zeros_is_added():
    network = [([[0]] * 3000, [0] * 3000)]
    lower = {"rule": "minor", "prime": 101, "rows": [], "columns": [], "points": [["0"]] * 20_000}
    claim = {"quantity": "functional_dimension", "relation": ">=", "value": 0}
    start = time.process_time()
    verdict = check_document(document(network, claim, {"lower": lower}), time_limit=1)
    assert "time limit" in verdict.reason
    assert time.process_time() - start < 20


def test_products_of_denominators_are_bounded():
    """The product is never made: where no form is needed, its size does not matter."""
    layers = [([[f"1/{10**200 + 2 * i + 1}"]], [0]) for i in range(2500)]
    claim = {"quantity": "functional_dimension", "relation": "<=", "value": 10**6}
    assert check_document(document(layers, claim, {"upper": {"rule": "theory"}})).valid
    kernel = {"rule": "kernel", "columns": [], "vectors": [], "tree": [{}]}
    claim_of_points = {"quantity": "batch_rank", "relation": "<=", "value": 10**6, "points": [["0"]]}
    for where, hostile in (
        ("evidence.upper.tree", document(layers, claim, {"upper": kernel})),
        ("claim.points[0]", document(layers, claim_of_points, {"upper": {"rule": "theory"}})),
    ):
        verdict = check_document(hostile)
        assert verdict.reason == f"{where}: the network, or its numbers, are too large to check"
        assert not verdict.malformed


def test_common_denominators_of_all_layers_together_are_bounded():
    """Many layers, each of which has a long common denominator and many numbers."""
    weights = [f"1/{10**4000 + 2 * i + 1}" for i in range(20)]
    layers = [([[w, *[0] * 99] for w in weights] + [[0] * 100] * 80, [0] * 100)] * 8
    network = [([["1"]] * 100, [0] * 100), *layers]
    claim = {"quantity": "functional_dimension", "relation": "<=", "value": 10**6}
    verdict = check_document(document(network, claim, {"upper": {"rule": "theory"}}))
    assert verdict.reason == "network.layers[1]: the common denominator is too large to check"


@pytest.mark.parametrize("size", [600])
def test_combinations_of_walls_are_bounded(size):
    primes = [10**1500 + 2 * i + 1 for i in range(size)]
    network = [([[1, *[0] * (size - 1)]], [0]), ([[1]], [0])]
    box = [[f"1/{p}" for p in primes], ["2"] * size]
    claim = {"quantity": "top_cells", "relation": "==", "value": 1, "box": box}
    multipliers = {"0": "1", **{f"lo {i}": "1" for i in range(size)}}
    tree = [{"children": [1], "refute": {"-1": multipliers}}, {"point": ["1"] * size}]
    verdict = check_document(json.loads(json.dumps(document(network, claim, {"tree": tree}))))
    assert not verdict.valid
    assert "too large" in verdict.reason
