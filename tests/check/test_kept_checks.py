"""Checks on which no other test depends; each was found by mutating the checker (docs/checker-assurance.md)."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from check import plain
from check.plain import NETS, Net
from check.test_hostile import malformed, put, refused
from exactfd.check import check_document, check_file, checker

AFFINE = NETS["affine"]


def test_a_file_is_not_trusted_by_default(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    document = plain.functional_dimension(NETS["absolute"], "<=", "theory")
    path.write_text(json.dumps(put(document, "evidence.upper", {"rule": "trust"})))
    assert check_file(path).reason == "evidence: 1 trusted steps, which nothing proves"
    assert check_file(path, allow_trust=True).valid


def test_no_more_is_read_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless(io.RawIOBase):
        def read(self, size: int | None = -1) -> bytes:
            assert size is not None
            assert 0 <= size <= checker.MAX_BYTES + 2
            return bytes(size)

    monkeypatch.setattr(sys, "stdin", type("Stream", (), {"buffer": Endless()}))
    assert check_file("-").reason == "document: more than 67108864 bytes"


def test_symmetries_of_networks_without_hidden_layers() -> None:
    good: dict[str, Any] = {"permutations": [], "scales": []}
    document = plain.function(AFFINE, AFFINE, "==", {"symmetry": good})
    assert check_document(document).valid
    for key, value in (("scales", [["1"]]), ("permutations", [[0]]), ("scales", {}), ("permutations", None)):
        malformed(put(document, f"evidence.symmetry.{key}", value), f"evidence.symmetry.{key}")


@pytest.mark.parametrize("which", [0, 1])
def test_values_of_either_network_may_be_too_large(which: int, monkeypatch: pytest.MonkeyPatch) -> None:
    nets = [Net([[1, 0]]), Net([[1, 0]])]
    nets[which] = Net([[2**400, 1]])
    monkeypatch.setattr(checker, "MAX_BITS", 300)
    document = plain.function(nets[0], nets[1], "!=", {"point": {"at": ["1"]}})
    refused(document, "evidence.point", "the network, or its numbers, are too large to check")


@pytest.mark.parametrize("length", [1, 499, 500, 501, 999, 1000, 1001, 1234, 4000])
def test_long_numbers_are_read_digit_by_digit(length: int) -> None:
    digits = "".join(str((7 * i * i + i) % 9 + 1) for i in range(length))
    read = {
        text: checker._Value(text, "x", checker._Run(9.0)).number() for text in (digits, f"-{digits}", f"1/{digits}0")
    }
    assert read == {text: plain.Fraction(text) for text in read}
    assert checker._Value(f"-{digits}", "x", checker._Run(9.0)).nonzero() == -int(digits)


# -------------------------------------------------------------------------- limits, as section 5 of the format has them

# a layer whose largest integer is the denominator, one with large entries, another number of neurons in each
LONG = Net([[plain.Fraction(1, 3**61), 0, 0]] * 3, [[2**98, 1, 0, plain.Fraction(1, 7)]] * 4, [[1, 0, 0, 0, 0]] * 5)


def bits_of(net: Net) -> int:
    """B."""
    total = 0
    for layer in net.layers:
        q = plain.math.lcm(*(x.denominator for row in layer for x in row))
        largest = max(q, *(abs(int(q * x)) for row in layer for x in row))
        total += largest.bit_length() + (len(layer[0]) - 1).bit_length()
    return total


def at_a_point(net: Net) -> tuple[dict[str, Any], str, int, int]:
    """(document, step, bits b, width w)."""
    point = ["5/1048577", "-3"]
    document = plain.batch_rank(net, [[1, 2]], "<=", "size")
    return put(document, "claim.points.0", point), "claim.points[0]", 3 * (2**20 + 1).bit_length(), 1


def on_cells(net: Net) -> tuple[dict[str, Any], str, int, int]:
    return plain.top_cells(net), "evidence.tree", 1, 3


@pytest.mark.parametrize("make", [at_a_point, on_cells])
def test_sizes_of_forms(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    document, step, b, width = make(LONG)
    if make is on_cells:
        document["evidence"]["tree"] = plain.tree([LONG], "open", points=True)
    bits, reason = bits_of(LONG) + b, "the network, or its numbers, are too large to check"
    numbers = (sum(LONG.sizes) + len(LONG.sizes)) * (width + LONG.sizes[-1])
    assert bits > 72
    assert bits % 8 > 0
    for limit, value in (("MAX_BITS", bits), ("MAX_MEMORY", numbers * (40 + bits // 8))):
        monkeypatch.setattr(checker, limit, value)
        # points of the leaves of a tree have longer numbers
        assert check_document(document).valid or not check_document(document).reason.startswith(f"{step}: {reason}")
        monkeypatch.setattr(checker, limit, value - 1)
        refused(document, step, reason)
        monkeypatch.undo()
    assert check_document(document).valid


def test_sizes_of_common_denominators(monkeypatch: pytest.MonkeyPatch) -> None:
    document = plain.functional_dimension(LONG, "<=", "theory")
    bits = (3**61).bit_length()
    assert bits % 8 > 0
    for limit, value in (("MAX_BITS", bits), ("MAX_MEMORY", bits // 8 * LONG.D)):
        monkeypatch.setattr(checker, limit, value)
        assert check_document(document).valid
        monkeypatch.setattr(checker, limit, value - 1)
        refused(document, "network.layers[0]", "the common denominator is too large to check")
        monkeypatch.undo()


def test_sizes_of_refutations(monkeypatch: pytest.MonkeyPatch) -> None:
    """x > 0 and a wall with a long denominator."""
    wall = plain.Fraction(1, 3**61)
    document = plain.top_cells(Net([[1, 0, 0]], relu=True), [[wall, 0], [1, 1]])
    bits = (3**61).bit_length()
    for limit, value in (("MAX_BITS", bits), ("MAX_MEMORY", 3 * bits // 8)):
        monkeypatch.setattr(checker._Network, "afford", lambda *_: None)
        monkeypatch.setattr(checker, limit, value)
        assert check_document(document).valid
        monkeypatch.setattr(checker, limit, value - 1)
        refused(document, "evidence.tree[0].refute.-1", "the combination is too large to check")
        monkeypatch.undo()


def test_sizes_in_the_rank_of_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, run = [(3, 5), (7, 11)], checker._Run(9.0)  # 3 (7, 11) - 7 (3, 5) = (0, -2)
    monkeypatch.setattr(checker, "MAX_BITS", 2)
    assert checker._rank(rows, run) == 2
    monkeypatch.setattr(checker, "MAX_BITS", 1)
    with pytest.raises(checker._NotProvedError, match="too large"):
        checker._rank(rows, run)


def test_what_is_malformed_has_no_claim() -> None:
    assert check_document({}).claim == ""


def test_sizes_of_points_in_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    document = plain.top_cells(Net([[1, 0]], relu=True))
    monkeypatch.setattr(checker, "MAX_BITS", 30)
    assert check_document(document).valid
    long = put(document, "evidence.tree.1.point", [str(2**20)])
    refused(long, "evidence.tree[1].point", "the network, or its numbers, are too large to check")
    monkeypatch.undo()
    assert check_document(long).valid


def test_every_base_of_the_primality_test_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof that twelve bases are enough (below 3.1e23) is about these; no composite number tells them apart."""
    tried: list[int] = []

    def power(base: int, exponent: int, modulus: int) -> int:
        tried.append(base)
        return pow(base, exponent, modulus)

    monkeypatch.setattr(checker, "pow", power, raising=False)
    assert checker._is_prime(2**31 - 1)
    assert [base for base in tried if base < 40] == [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37]


def test_limits_of_the_format() -> None:
    """Section 5 of docs/certificate-v1.md; constants are not mutated."""
    assert (checker.MAX_BYTES, checker.MAX_NESTING, checker.MAX_PARTS) == (64 * 2**20, 50, 6_000_000)
    assert (checker.MAX_DIGITS, checker.MAX_PARAMETERS, checker.MAX_MINOR) == (10_000, 100_000, 3_000)
    assert (checker.MAX_BITS, checker.MAX_MEMORY, checker.TIME_LIMIT) == (10**6, 2**30, 3600.0)


def written(network: dict[str, Any], claim: dict[str, Any], evidence: dict[str, Any]) -> dict[str, Any]:
    """A document by hand."""
    text = json.dumps(network, sort_keys=True, separators=(",", ":"))
    return {
        "format": "exactfd-certificate",
        "version": 1,
        "produced_by": "hand",
        "network": network,
        "digest": hashlib.sha256(text.encode()).hexdigest(),
        "claim": claim,
        "evidence": evidence,
    }


def network_of(*layers: tuple[list[list[str]], list[str]]) -> dict[str, Any]:
    return {
        "format": "exactfd-network",
        "version": 1,
        "architecture": [len(layers[0][0][0]), *(len(bias) for _, bias in layers)],
        "output_activation": "identity",
        "layers": [{"weight": weight, "bias": bias} for weight, bias in layers],
    }


def test_a_refutation_cannot_lean_on_a_later_neuron_of_its_layer() -> None:
    """|x| has two top cells; "the first neuron is not negative" would follow from the sign of the second one."""
    network = network_of(([["1"], ["-1"]], ["0", "0"]), ([["1", "1"]], ["0"]))
    later, earlier = {"0": "1", "1": "1"}, {"0": "1", "1": "1"}
    tree = [{"children": [1], "refute": {"-1": later}}, {"children": [-1], "refute": {"1": earlier}}, {"point": ["1"]}]
    claim = {"quantity": "top_cells", "relation": "==", "value": 1, "box": None}
    verdict = check_document(written(network, claim, {"tree": tree}))
    assert not verdict.valid
    assert verdict.reason.startswith("evidence.tree[0]")


@pytest.mark.parametrize("output", [0, 1, 2])
def test_a_kernel_vector_that_fails_in_one_output_alone(output: int) -> None:
    """An affine network with three outputs has dimension 6; each vector changes one of them."""
    network = network_of(([["1"], ["1"], ["1"]], ["0", "0", "0"]))
    vector = {"columns": [2 * output], "vectors": [[[2 * output, "1"]]], "tree": [{}]}
    claim = {"quantity": "functional_dimension", "relation": "<=", "value": 5}
    verdict = check_document(written(network, claim, {"upper": {"rule": "kernel", **vector}}))
    assert not verdict.valid
    assert "not in the kernel" in verdict.reason


def chain(inputs: int, depth: int, digits: int) -> dict[str, Any]:
    """A kernel vector with a long entry for every neuron of a deep network of many inputs."""
    sizes = [inputs, 1, *[30] * depth, 1]
    layers = [([["1"] * m for _ in range(n)], ["1"] * n) for m, n in itertools.pairwise(sizes)]
    places = itertools.accumulate((m + 1 for m, n in itertools.pairwise(sizes) for _ in range(n)), initial=0)
    vector = [[place, "9" * digits] for place in places][:-1]
    tree: list[Any] = [{"children": [1, -1]}] * sum(sizes[1:-1])
    parameters = sum(n * (m + 1) for m, n in itertools.pairwise(sizes))
    claim = {"quantity": "functional_dimension", "relation": "<=", "value": parameters - 1}
    upper = {"rule": "kernel", "columns": [0], "vectors": [vector], "tree": [*tree, {}]}
    return written(network_of(*layers), claim, {"upper": upper})


def test_long_entries_of_a_kernel_vector_count_for_the_memory() -> None:
    """9 GB at first: one number as long as an entry of the vector for each neuron and input."""
    verdict = check_document(chain(900, 77, 9999))
    assert not verdict.valid
    assert verdict.reason == "evidence.upper.vectors[0]: the network, or its numbers, are too large to check"
    assert "not in the kernel" in check_document(chain(20, 3, 2000)).reason


def test_the_clock_is_looked_at_while_a_layer_is_brought_to_one_denominator() -> None:
    zeros = "0" * 2000
    rows = [[f"1/1{zeros}1"] * 99 for _ in range(84)]  # one denominator, until the last row brings many more
    rows.append([f"1/{k}{zeros}7" for k in range(1, 41)] + ["1"] * 59)
    document = plain.functional_dimension(NETS["affine"], "<=", "theory")
    document["network"] = network_of((rows, ["0"] * 85))
    start = time.monotonic()
    verdict = check_document(document, time_limit=2)
    assert verdict.reason == "time limit: 2 s are over"
    assert time.monotonic() - start < 15  # nobody looked for half a minute


def test_long_coordinates_count_with_long_entries() -> None:
    """Each fits alone: a point of 11 000 bits, and an entry of 33 000 bits; their product, 500 times over, does not."""
    network = network_of(([["0"]] * 500, ["0"] * 500))
    points = [["1" + "0" * 3311]]
    claim = {"quantity": "batch_rank", "relation": "<=", "value": 999, "points": points}
    upper = {"rule": "kernel", "columns": [0], "vectors": [[[0, "9" * 9999]]]}
    verdict = check_document(written(network, claim, {"upper": upper}))
    assert verdict.reason == "evidence.upper.vectors[0]: the network, or its numbers, are too large to check"
    upper = {"rule": "kernel", "columns": [0], "vectors": [[[0, "9" * 5000]]]}
    assert "not in the kernel" in check_document(written(network, claim, {"upper": upper})).reason
