"""Small files that once made the checker run on beyond its time limit, or hold numbers without bound."""

from __future__ import annotations

import json
import time

import pytest

from exactfd import Network
from exactfd.check import check_document


def document(network, claim, evidence):
    return {
        "format": "exactfd-certificate",
        "version": 1,
        "produced_by": "a test",
        "network": network.to_dict(),
        "digest": network.digest,
        "claim": claim,
        "evidence": evidence,
    }


def test_the_clock_is_looked_at_while_nothing_but_zeros_is_added():
    network = Network([([[0]] * 3000, [0] * 3000)])
    lower = {"rule": "minor", "prime": 101, "rows": [], "columns": [], "points": [["0"]] * 20_000}
    claim = {"quantity": "functional_dimension", "relation": ">=", "value": 0}
    start = time.process_time()
    verdict = check_document(document(network, claim, {"lower": lower}), time_limit=1)
    assert "time limit" in verdict.reason
    assert time.process_time() - start < 20


def test_products_of_denominators_are_bounded():
    layers = [([[f"1/{10**200 + 2 * i + 1}"]], [0]) for i in range(2500)]
    claim = {"quantity": "functional_dimension", "relation": "<=", "value": 10**6}
    verdict = check_document(document(Network(layers), claim, {"upper": {"rule": "theory"}}))
    assert not verdict.valid
    assert "denominators is too large" in verdict.reason


@pytest.mark.parametrize("size", [600])
def test_combinations_of_walls_are_bounded(size):
    primes = [10**1500 + 2 * i + 1 for i in range(size)]
    network = Network([([[1, *[0] * (size - 1)]], [0]), ([[1]], [0])])
    box = [[f"1/{p}" for p in primes], ["2"] * size]
    claim = {"quantity": "top_cells", "relation": "==", "value": 1, "box": box}
    multipliers = {"0": "1", **{f"lo {i}": "1" for i in range(size)}}
    tree = [{"children": [1], "refute": {"-1": multipliers}}, {"point": ["1"] * size}]
    verdict = check_document(json.loads(json.dumps(document(network, claim, {"tree": tree}))))
    assert not verdict.valid
    assert "too large" in verdict.reason
