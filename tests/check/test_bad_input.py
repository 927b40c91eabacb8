"""Each kind of bad input, from the file to the exit code, with the step or the place and the reason."""

from __future__ import annotations

import copy
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from check import plain
from check.plain import NETS, Net
from check.test_hostile import put, tree_of_three
from exactfd.check import check_document, checker

DIMENSION = plain.functional_dimension(NETS["absolute"])
LOWER, UPPER = "evidence.lower", "evidence.upper"
TREE, NUMBER = tree_of_three()
REFUTE = f"evidence.tree.{NUMBER}.refute.1"
AT = f"evidence.tree[{NUMBER}].refute.1"
VECTORS = DIMENSION["evidence"]["upper"]["vectors"]


def reordered() -> dict[str, Any]:
    """Two children exchanged, but not their subtrees."""
    return put(TREE, "evidence.tree.0.children", TREE["evidence"]["tree"][0]["children"][::-1])


def dropped() -> dict[str, Any]:
    """A child and its subtree, which is a leaf, left out of the tree and of the count."""
    document = plain.top_cells(NETS["absolute"])
    last = document["evidence"]["tree"].pop()
    assert "point" in last
    document["evidence"]["tree"].pop()
    document["evidence"]["tree"][0]["children"].pop()
    document["claim"]["value"] -= 1
    return document


def fraction(prime: int) -> dict[str, Any]:
    return put(plain.batch_rank(Net([["1/3", 0]], [[1, "2/5"]]), [["1/7"], ["-1/7"]], ">="), f"{LOWER}.prime", prime)


def not_smooth() -> dict[str, Any]:
    points = DIMENSION["evidence"]["lower"]["points"]
    return put(DIMENSION, f"{LOWER}.points", [["0"], *points[1:]])


def other_network(net: Net) -> dict[str, Any]:
    document, network = copy.deepcopy(DIMENSION), net.document()
    document["claim"]["relation"] = "<="
    del document["evidence"]["lower"]
    return {**document, "network": network, "digest": plain.digest(network)}


# name -> (document, exit code, how the reason begins)
DOCUMENTS: dict[str, tuple[Callable[[], dict[str, Any]], int, str]] = {
    "wrong digest": (lambda: put(DIMENSION, "digest", "0" * 64), 1, "digest: the network has the digest "),
    "mutated digit": (lambda: put(DIMENSION, "network.layers.0.weight.0.0", "11"), 1, "digest: the network has "),
    "no digest": (lambda: put(DIMENSION, "digest", "sha256"), 3, "digest: expected 64 hexadecimal digits"),
    "reordered children": (reordered, 1, "evidence.tree["),
    "dropped child": (dropped, 1, "evidence.tree[0]: label -1 of neuron 0 is neither a child nor refuted"),
    "dropped node": (
        lambda: put(TREE, "evidence.tree.-1", ...),
        1,
        "evidence.tree: the tree ends with 1 nodes missing",
    ),
    "negative": (lambda: put(TREE, REFUTE, {"1": "-1", "2": "1"}), 1, f"{AT}['1']: a negative multiplier"),
    "zero": (lambda: put(TREE, REFUTE, {"1": "0", "2": "1"}), 3, f"{AT}['1']: expected a nonzero integer"),
    "too long": (lambda: put(TREE, REFUTE, {"1": "9" * 10_001, "2": "1"}), 3, f"{AT}['1']: a number of 10001 digits"),
    "another inequality": (lambda: put(TREE, REFUTE, {"0": "1", "1": "1"}), 1, f"{AT}: the combination is no contra"),
    "not constant": (lambda: put(TREE, REFUTE, {"1": "1", "2": "2"}), 1, f"{AT}: the combination is not constant"),
    "no identity block": (
        lambda: put(DIMENSION, f"{UPPER}.vectors.1", VECTORS[0]),
        1,
        f"{UPPER}.vectors[1]: the vectors are not in echelon form on the columns",
    ),
    "kernel of another network": (
        lambda: other_network(Net([[1, 0], [-1, 1]], [[1, 1, 0]])),
        1,
        f"{UPPER}.",
    ),
    "kernel of another network, same cells": (
        lambda: other_network(Net([[1, 0], [-1, 0]], [[1, 2, 0]])),
        1,
        f"{UPPER}.vectors[1]: not in the kernel of the Jacobian at {UPPER}.tree[",
    ),
    "not prime": (lambda: put(DIMENSION, f"{LOWER}.prime", 2**61 + 1), 1, f"{LOWER}.prime: {2**61 + 1} is not prime"),
    "no prime": (lambda: put(DIMENSION, f"{LOWER}.prime", 2**62), 3, f"{LOWER}.prime: expected an integer from 2 to "),
    "divides a weight": (lambda: fraction(3), 1, f"{LOWER}.prime: 3 divides a denominator of the network"),
    "divides a bias": (lambda: fraction(5), 1, f"{LOWER}.prime: 5 divides a denominator of the network"),
    "divides a point": (lambda: fraction(7), 1, f"{LOWER}.prime: 7 divides a denominator of claim.points[0]"),
    "not smooth": (not_smooth, 1, f"{LOWER}.points[0]: the point is not smooth"),
    "long weight": (
        lambda: put(DIMENSION, "network.layers.0.bias.0", "1" * 10**6),
        3,
        "network.layers[0].bias[0]: a number of 1000000 digits",
    ),
    "long multiplier": (lambda: put(TREE, REFUTE, {"1": "9" * 10**6}), 3, f"{AT}['1']: a number of 1000000 digits"),
    "long coordinate": (
        lambda: put(DIMENSION, f"{LOWER}.points.0.0", "1/" + "7" * 10**6),
        3,
        f"{LOWER}.points[0][0]: a number of 1000000 digits",
    ),
}
FILES: dict[str, tuple[bytes, str]] = {
    "deep lists": (b"[" * 10**5 + b"]" * 10**5, "document: nesting deeper than 50"),
    "deep objects": (b'{"a":' * 10**5 + b"1" + b"}" * 10**5, "document: nesting deeper than 50"),
    "long integer": (b'{"version": ' + b"7" * 10**6 + b"}", "document: a JSON integer of 1000000 digits"),
    "compressed zeros": (gzip.compress(bytes(80 * 2**20), mtime=0), "document: more than 67108864 bytes after decom"),
    "cut short": (gzip.compress(json.dumps(DIMENSION).encode(), mtime=0)[:-5], "gzip: truncated"),
}


def rejected(path: Path, code: int, reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert checker.main([str(path), "--json"]) == code
    verdict = json.loads(capsys.readouterr().out)
    assert verdict["reason"].startswith(reason), verdict["reason"]
    assert verdict["malformed"] is (code == 3)
    assert verdict["valid"] is False


def test_what_is_made_bad_was_good() -> None:
    assert check_document(DIMENSION).valid
    assert check_document(TREE).valid


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make, code, reason = DOCUMENTS[name]
    path = tmp_path / "c.json"
    path.write_text(json.dumps(make()))
    rejected(path, code, reason, capsys)


@pytest.mark.parametrize("name", FILES)
def test_files(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.json"
    path.write_bytes(FILES[name][0])
    rejected(path, 3, FILES[name][1], capsys)


def test_a_file_of_a_gigabyte(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.json"
    with path.open("wb") as file:
        file.truncate(10**9)
    rejected(path, 3, "document: more than 67108864 bytes", capsys)
