"""Whatever a certificate holds, the checker answers "not proved" or "malformed", with the place, and soon."""

from __future__ import annotations

import copy
import gzip
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from check import plain
from check.plain import NETS, Net
from check.test_claims import documents
from exactfd.check import check_bytes, check_document, check_file, checker

ABSOLUTE, GLMW = NETS["absolute"], NETS["glmw"]
DOCUMENTS = documents()


def put(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with another value at a path such as "evidence.lower.rows.0"; Ellipsis deletes."""
    result = copy.deepcopy(document)
    *steps, last = path.split(".")
    here: Any = result
    for step in steps:
        here = here[int(step) if isinstance(here, list) else step]
    key = int(last) if isinstance(here, list) else last
    if value is ...:
        del here[key]
    else:
        here[key] = value
    return result


def malformed(document: Any, place: str, reason: str = "") -> None:
    verdict = check_document(document)
    assert verdict.malformed, verdict
    assert not verdict.valid
    assert verdict.reason.startswith(place + ": "), verdict.reason
    assert reason in verdict.reason


def refused(document: Any, place: str, reason: str = "") -> None:
    verdict = check_document(document)
    assert not verdict.valid
    assert not verdict.malformed, verdict
    assert verdict.reason.startswith(place + ": "), verdict.reason
    assert reason in verdict.reason


# ------------------------------------------------------------------------------------------------ bytes and JSON


def encoded(document: Any) -> bytes:
    return json.dumps(document).encode()


def bad_bytes(data: bytes, reason: str) -> None:
    start = time.process_time()
    verdict = check_bytes(data)
    assert verdict.malformed, verdict
    assert not verdict.valid
    assert reason in verdict.reason, verdict.reason
    assert len(verdict.reason) < 300
    assert time.process_time() - start < 20


def test_plain_and_compressed() -> None:
    data = encoded(DOCUMENTS["dimension"])
    assert check_bytes(data).valid
    assert check_bytes(gzip.compress(data)).valid
    assert check_bytes(data, time_limit=1e-9).reason == "time limit: 1e-09 s are over"
    trusting = encoded(put(DOCUMENTS["dimension"], "evidence.upper", {"rule": "trust"}))
    assert not check_bytes(trusting).valid
    assert check_bytes(trusting, allow_trust=True).valid
    assert check_bytes(b" \n" + data + b"\n").valid


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not JSON"),
        (b"not json", "line 1 column 1"),
        (b"\xff\xfe{}", "not JSON: 'utf-8'"),
        (b"\xef\xbb\xbf{}", "BOM"),
        (b"[]", "document: expected an object, found a list of 0"),
        (b"null", "document: expected an object, found None"),
        (b"{}", "document: key 'format' is missing"),
        (b'"' + b"x" * 100, "not JSON"),
        (b'{"a": 1, "a": 1}', "duplicate key 'a'"),
        (b'{"x": {"b": 1, "c": 2, "\\u0062": 3}}', "duplicate key 'b'"),
        (b'{"a": NaN}', "'NaN' is not an integer"),
        (b'{"a": -Infinity}', "'-Infinity' is not an integer"),
        (b'{"a": 1.0}', "'1.0' is not an integer"),
        (b'{"a": 1e3}', "'1e3' is not an integer"),
        (b'{"a": 123456789012345678901}', "a JSON integer of 21 digits"),
        (b'{"a": 12345678901234567890}', "key 'format' is missing"),
        (b'{"a": ' + b"9" * 10**6 + b"}", "a JSON integer of 1000000 digits"),
        (b'{"a": ' + b"9" * 10**6 + b".5}", "is not an integer"),
        (b'"\\ud800"', "document: expected an object"),
        (b"[" * 51 + b"]" * 51, "nesting deeper than 50"),
        (b"[" * 50 + b"]" * 50, "expected an object"),
        (b"[" * 100_000, "nesting deeper than 50"),
        (b'{"a":' * 100_000, "nesting deeper than 50"),
        (b'["\\"", ' + b"[" * 100_000, "nesting deeper than 50"),
        (b'["\\\\", ' + b"[" * 100_000, "nesting deeper than 50"),
        (b'["' + b"[" * 100_000 + b'"]', "expected an object"),
        # quotes behind, between which brackets do not count if the escapes in front are misread
        (b'["\\\\", ' + b"[" * 60 + b'"x"' + b"]" * 61, "nesting deeper than 50"),
        (b'["\\"", ' + b"[" * 60 + b'"x"' + b"]" * 61, "nesting deeper than 50"),
        (b'["\\\\\\"", ' + b"[" * 60 + b'"x"' + b"]" * 61, "nesting deeper than 50"),
        (b"[" + b"[]," * 100 + b"[" * 60 + b"]" * 61, "nesting deeper than 50"),
        (b"]" * 100 + b"[" * 100, "not JSON"),
        (b"[" + b"[]," * 3_000_000 + b"[]]", "more than 6000000 commas, brackets and braces"),
        (b"[" + b"{}," * 3_000_000 + b"{}]", "more than 6000000 commas, brackets and braces"),
        (b"[" + b"1," * 6_000_000 + b"1]", "more than 6000000 commas, brackets and braces"),
        (b" " * (64 * 2**20 + 1), "more than 67108864 bytes"),
        (gzip.compress(b" " * (64 * 2**20 + 1), mtime=0), "more than 67108864 bytes after decompression"),
        (gzip.compress(b"{}", mtime=0)[:-9], "gzip: truncated"),
        (gzip.compress(b"{}", mtime=0)[:-1], "gzip: truncated"),
        (gzip.compress(b"{}", mtime=0) + b"x", "data after the end"),
        (gzip.compress(b"{}", mtime=0) * 2, "data after the end"),
        (gzip.compress(b"{}", mtime=0)[:-8] + bytes(8), "gzip: Error"),
        (b"\x1f\x8b", "gzip: truncated"),
        (b"\x1f\x8b not gzip at all", "gzip: Error"),
    ],
    ids=lambda value: value[:24] if isinstance(value, bytes) else None,
)
def test_bytes(data: bytes, reason: str) -> None:
    bad_bytes(data, reason)


def test_limits_are_reached_but_not_passed() -> None:
    assert "nesting" not in check_bytes(b"[" * 50 + b"]" * 50).reason
    assert "commas" not in check_bytes(b"[" + b"[]," * 2_999_999 + b"[]]").reason
    assert "bytes" not in check_bytes(b" " * 64 * 2**20).reason
    assert "bytes" not in check_bytes(gzip.compress(b" " * 64 * 2**20)).reason


def test_a_gzip_bomb_takes_little_memory(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.json.gz"
    with gzip.open(bomb, "wb", compresslevel=9) as file:
        for _ in range(1024):
            file.write(bytes(2**20))
    assert bomb.stat().st_size < 2**21
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (2**29, 2**29));"
        "from exactfd.check import check_file; print(check_file(sys.argv[1]).reason)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(bomb)], capture_output=True, text=True, check=True)
    assert "after decompression" in done.stdout


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_bytes(encoded(DOCUMENTS["dimension"]))
    assert check_file(path).valid
    assert check_file(str(path)).valid
    path.write_bytes(gzip.compress(path.read_bytes()))
    assert check_file(path).valid
    with path.open("wb") as file:
        file.truncate(10**9)  # sparse
    start = time.process_time()
    assert check_file(path).reason == "document: more than 67108864 bytes"
    assert time.process_time() - start < 5
    for missing in (tmp_path / "missing", tmp_path, "a\0b"):
        verdict = check_file(missing)
        assert verdict.malformed
        assert verdict.reason.startswith("file: cannot be read: ")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_truncated_files(name: str) -> None:
    data = encoded(DOCUMENTS[name])
    for end in range(0, len(data), max(1, len(data) // 100)):
        assert check_bytes(data[:end]).malformed
    data = gzip.compress(data)
    for end in range(0, len(data), 10):
        assert check_bytes(data[:end]).malformed


# ------------------------------------------------------------------------------------------- values of wrong kinds

JUNK: list[Any] = [
    None,
    True,
    False,
    1.0,
    float("nan"),
    -1,
    10**30,
    10**5000,
    "",
    "x",
    "-0",
    "01",
    "1/1",
    "2/4",
    "0/3",
    "1/0",
    "1/-2",
    "1/02",
    "-1/02",
    "+1",
    " 1",
    "1\n",
    "1.5",
    "1e3",
    "1_0",
    "²",
    "１",
    "٣",
    "inf",
    "9" * 10_001,
    "1/" + "9" * 10_001,
    "9" * 10**6,
    [],
    [[]],
    [None],
    {},
    {"rule": "x"},
    {1: 2},
    (1, 2),
    b"1",
    object(),
]


def places(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [here] if here else []
    if isinstance(value, dict):
        for key in value:
            found += places(value[key], (*here, key))
    elif isinstance(value, list):
        for index in range(len(value)):
            found += places(value[index], (*here, index))
    return found


@pytest.mark.parametrize("name", DOCUMENTS)
def test_junk_in_every_place(name: str) -> None:
    """No crash anywhere; and no junk is accepted, the few places apart where it is a true statement."""
    document = copy.deepcopy(DOCUMENTS[name])
    network = document["network"]
    for path in places(document):
        here: Any = document
        for step in path[:-1]:
            here = here[step]
        old = here[path[-1]]
        for junk in JUNK:
            here[path[-1]] = junk
            verdict = check_document(document)
            same = type(junk) is type(old) and junk == old
            allowed = same or (path == ("produced_by",) and type(junk) is str)
            if allowed:
                assert verdict.valid
            elif verdict.valid:
                # a list of children of an empty node, a refutation that is not needed
                assert path[0] in ("evidence",), (path, junk)
                assert junk in ({}, []), (path, junk)
            else:
                assert 0 < len(verdict.reason) < 400
                assert verdict.reason.isascii()
        here[path[-1]] = old
    assert document["network"] is network
    assert check_document(document).valid


@pytest.mark.parametrize("name", DOCUMENTS)
def test_missing_and_unexpected_keys(name: str) -> None:
    document = DOCUMENTS[name]
    for path in [(), *places(document)]:
        value: Any = document
        for step in path:
            value = value[step]
        if isinstance(value, dict):
            where = ".".join(map(str, path))
            more = put(document, f"{where}.surplus" if path else "surplus", "1")
            assert not check_document(more).valid, path
            for key in value:
                if key != "refute" or value["refute"]:
                    assert not check_document(put(document, f"{where}.{key}" if path else key, ...)).valid, path


def test_places_in_messages() -> None:
    document = DOCUMENTS["dimension"]
    malformed(put(document, "format", "exactfd-network"), "format", "expected exactfd-certificate")
    malformed(put(document, "version", 2), "version", "expected an integer from 1 to 1, found 2")
    malformed(put(document, "version", True), "version", "found True")
    malformed(put(document, "produced_by", 1), "produced_by")
    malformed(put(document, "digest", "0" * 63), "digest")
    malformed(put(document, "digest", "A" * 64), "digest")
    malformed(put(document, "digest", 5), "digest")
    refused(put(document, "digest", "0" * 64), "digest", plain.digest(document["network"]))
    malformed(put(document, "surplus", 1), "document", "unexpected key 'surplus'")
    malformed(put(document, "claim", ...), "document", "key 'claim' is missing")
    malformed(put(document, "claim.quantity", "volume"), "claim.quantity", "batch_rank or functional_dimension")
    malformed(put(document, "claim.quantity", ...), "claim.quantity")
    malformed(put(document, "claim.relation", ">"), "claim.relation")
    malformed(put(document, "claim.relation", "!="), "claim.relation")
    malformed(put(document, "claim.value", "4"), "claim.value")
    malformed(put(document, "claim.points", []), "claim", "unexpected key 'points'")
    malformed(put(document, "claim", [1]), "claim", "found a list of 1")
    malformed(put(document, "claim", {3: 4}), "claim", "expected an object, found an object of type dict")
    malformed(put(document, "evidence.lower", ...), "evidence", "key 'lower' is missing")
    malformed(put(document, "claim.relation", "<="), "evidence", "unexpected key 'lower'")
    malformed(put(document, "evidence.lower.rule", "kernel"), "evidence.lower.rule")
    malformed(put(document, "evidence.upper.rule", "size"), "evidence.upper.rule", "kernel or theory, found 'size'")
    malformed(put(document, "evidence.upper.rule", "x" * 99), "evidence.upper.rule", "found 'xxxx")
    malformed(put(document, "evidence.upper", {"rule": "theory", "tree": []}), "evidence.upper")
    malformed(put(document, "evidence.upper.tree.0.children.0", 2), "evidence.upper.tree[0].children[0]")
    malformed(put(document, "evidence.upper.tree.0.children.0", -2), "evidence.upper.tree[0].children[0]")
    malformed(put(document, "evidence.upper.tree.0.children.0", "1"), "evidence.upper.tree[0].children[0]")
    malformed(put(document, "evidence.upper.tree.0.children", [1, 1]), "evidence.upper.tree[0].children", "twice")
    malformed(put(document, "evidence.upper.tree.0.kids", []), "evidence.upper.tree[0]", "unexpected key 'kids'")
    malformed(put(document, "evidence.upper.tree.0", {}), "evidence.upper.tree[0]", "key 'children' is missing")
    malformed(put(document, "evidence.upper.tree.2.x", "y"), "evidence.upper.tree[2]")
    malformed(put(document, "evidence.upper.tree", {}), "evidence.upper.tree", "expected a list")
    assert check_document(put(document, "claim.value", 2**63 - 1)).reason.startswith("evidence.lower.rows: 9223372036")
    malformed(put(document, "claim.value", 2**63), "claim.value", "an integer from 0 to 9223372036854775807")
    batch = DOCUMENTS["batch"]
    malformed(put(batch, "evidence.upper", {"rule": "size", "columns": []}), "evidence.upper")
    malformed(put(batch, "evidence.upper", {"rule": "guess"}), "evidence.upper.rule")
    malformed(put(batch, "evidence.upper.tree", []), "evidence.upper", "unexpected key 'tree'")
    malformed(put(batch, "evidence.lower.points", []), "evidence.lower", "unexpected key 'points'")
    malformed(put(batch, "claim.points.0", ["1", "2"]), "claim.points[0]", "expected a list of 1, found a list of 2")
    malformed(put(batch, "claim.points.1.0", "0.5"), "claim.points[1][0]", "found '0.5'")
    cells = DOCUMENTS["top cells"]
    malformed(put(cells, "claim.relation", ">="), "claim.relation")
    malformed(put(cells, "claim.box", [["0", "0"]]), "claim.box", "expected a list of 2")
    malformed(put(cells, "claim.box.1", ["-1", "1"]), "claim.box", "not below")
    malformed(put(cells, "claim.box.1", ["1", "-1"]), "claim.box", "not below")
    malformed(put(cells, "claim.box.0", ["-1"]), "claim.box[0]")
    malformed(put(cells, "claim.box", ...), "claim", "key 'box' is missing")
    malformed(put(cells, "claim.value", [0, 0, 2]), "claim.value")
    vector = DOCUMENTS["f-vector"]
    malformed(put(vector, "claim.box", [["0"], ["1"]]), "claim.box", "expected null")
    malformed(put(vector, "claim.value", [2, 3, 0]), "claim.value", "expected a list of 2")
    malformed(put(vector, "claim.value.1", -1), "claim.value[1]")
    leaf = next(i for i, node in enumerate(vector["evidence"]["tree"]) if "point" in node)
    malformed(put(vector, f"evidence.tree.{leaf}", {}), f"evidence.tree[{leaf}]", "key 'point' is missing")
    malformed(put(vector, f"evidence.tree.{leaf}.point", ["0", "0"]), f"evidence.tree[{leaf}].point")
    function = DOCUMENTS["equal by symmetry"]
    malformed(put(function, "claim.relation", ">="), "claim.relation")
    malformed(put(function, "evidence", {}), "evidence", "key 'symmetry' is missing")
    malformed(put(function, "evidence.tree", []), "evidence", "unexpected key 'symmetry'")
    malformed(put(function, "evidence.symmetry.permutations", []), "evidence.symmetry.permutations")
    malformed(put(function, "evidence.symmetry.scales", []), "evidence.symmetry.scales")
    malformed(put(function, "evidence.symmetry.scales", [["2", "3"], ["1"]]), "evidence.symmetry.scales")
    malformed(put(function, "evidence.symmetry.scales.0", ["1"]), "evidence.symmetry.scales[0]")
    malformed(put(function, "evidence.symmetry.permutations.0.0", 2), "evidence.symmetry.permutations[0][0]")
    refused(put(function, "evidence.symmetry.permutations.0", [0]), "evidence.symmetry.permutations[0]")
    malformed(put(function, "claim.other.layers.0.bias.1", "1/1"), "claim.other.layers[0].bias[1]", "not reduced")
    other = Net([[1, 1, 0], [-1, 0, 0]], [[1, 1, 0]]).document()
    malformed(put(function, "claim.other", other), "claim.other", "dimensions of the two networks differ")
    other = Net([[1, 0], [-1, 0]], [[1, 1, 0], [1, 1, 0]]).document()
    malformed(put(function, "claim.other", other), "claim.other", "dimensions of the two networks differ")
    malformed(put(DOCUMENTS["different"], "evidence.point.at", ["0", "0"]), "evidence.point.at")


def test_networks() -> None:
    document = DOCUMENTS["dimension"]
    for path, value in (
        ("format", "exactfd-certificate"),
        ("version", 2),
        ("version", "1"),
        ("output_activation", "tanh"),
        ("architecture", [1, 2]),
        ("architecture", [1, 2, 2]),
        ("architecture", [1, 3, 1]),
        ("architecture", [1, 2, 1, 1]),
        ("architecture", [2, 2, 1]),
        ("architecture", [1]),
        ("architecture", []),
        ("architecture.0", 0),
        ("architecture.0", True),
        ("architecture.0", 2**31),
        ("layers", []),
        ("layers.0.weight", []),
        ("layers.0.weight.0", []),
        ("layers.0.weight.0", ["1", "2"]),
        ("layers.0.bias", ["1"]),
        ("layers.0.bias", ["1", "1", "1"]),
        ("layers.1.weight.0.1", 1),
        ("layers.1.weight.0.1", "1.0"),
        ("layers.1.gain", "1"),
    ):
        verdict = check_document(put(document, f"network.{path}", value))
        assert verdict.malformed, path
        assert verdict.reason.startswith("network."), verdict.reason
    big = {**document, "network": {**document["network"], "architecture": [99_999, 1], "layers": []}}
    malformed(big, "network.layers", "expected a list of 1")
    big["network"]["architecture"] = [100_000, 1]
    malformed(big, "network.architecture", "more than 100000 parameters")
    # an identical network written otherwise has another digest, and numbers have one form only
    for path, value in (("output_activation", "relu"), ("layers.0.weight.0.0", "2")):
        refused(put(document, f"network.{path}", value), "digest")


def test_numbers_of_ten_thousand_digits() -> None:
    digits = "9" * 10_000
    document = plain.function(ABSOLUTE, NETS["chain"], "!=", {"point": {"at": [digits]}})
    assert check_document(document).valid
    document["evidence"]["point"]["at"] = [f"-1/{digits}"]
    assert check_document(document).valid
    document["evidence"]["point"]["at"] = ["1" + digits]
    malformed(document, "evidence.point.at[0]", "a number of 10001 digits")
    document["evidence"]["point"]["at"] = ["1/1" + digits]
    malformed(document, "evidence.point.at[0]", "a number of 10001 digits")
    before = sys.get_int_max_str_digits()
    tree = plain.top_cells(ABSOLUTE)
    node = next(node for node in tree["evidence"]["tree"] if "refute" in node)
    (label,) = node["refute"]
    node["refute"][label] = {key: value + "0" * 9_999 for key, value in node["refute"][label].items()}
    assert check_document(tree).valid
    node["refute"][label] = {key: value + "0" for key, value in node["refute"][label].items()}
    assert check_document(tree).malformed
    assert sys.get_int_max_str_digits() == before
    vectors = plain.functional_dimension(ABSOLUTE)
    vector = vectors["evidence"]["upper"]["vectors"][0]
    vectors["evidence"]["upper"]["vectors"][0] = [[index, value + "0" * 9_990] for index, value in vector]
    assert check_document(vectors).valid


# ---------------------------------------------------------------------------------------------------- proof steps


def test_primes() -> None:
    document = DOCUMENTS["dimension"]
    where = "evidence.lower.prime"
    for composite in (4, 9, 2**61 + 1, 2**62 - 1, 3215031751, 341550071728321, 3825123056546413051, 1847 * 1861):
        if composite < 2**62:
            refused(put(document, where, composite), where, f"{composite} is not prime")
    for junk in (0, 1, -7, 2**62, 2**64 + 13, True, "7", 7.0, None):
        malformed(put(document, where, junk), where)
    for prime in (2**31 - 1, 2**61 - 1, 4611686018427387847):
        assert check_document(put(document, where, prime)).valid
    halves = plain.batch_rank(Net([["1/3", 0]], [[1, "2/5"]]), [["1/7"], ["-1/7"]], ">=")
    assert check_document(put(halves, where, 11)).valid
    for prime in (3, 5):
        refused(put(halves, where, prime), where, f"{prime} divides a denominator of the network")
    refused(put(halves, where, 7), where, "7 divides a denominator of claim.points[0]")
    other = plain.functional_dimension(Net([["1/3", 0]], [[1, "2/5"]]), ">=")
    other["evidence"]["lower"]["points"].append(["1/13"])
    index = len(other["evidence"]["lower"]["points"]) - 1
    refused(put(other, where, 13), where, f"13 divides a denominator of evidence.lower.points[{index}]")
    assert check_document(put(plain.batch_rank(Net([[1, 0]]), [[0], [1]], ">="), where, 2)).valid
    # rank 1 modulo 3, where the rank over Q is 2
    three = plain.batch_rank(Net([[1, 0]]), [[0], [3]], ">=")
    assert check_document(three).valid
    refused(put(three, where, 3), "evidence.lower", "the minor vanishes modulo 3")


def test_minors() -> None:
    document = DOCUMENTS["dimension"]
    lower = document["evidence"]["lower"]
    rows, columns = lower["rows"], lower["columns"]
    place = "evidence.lower"
    refused(put(document, f"{place}.rows", rows[:-1]), f"{place}.rows", "4 indices are needed, found 3")
    refused(put(document, f"{place}.columns", columns[:-1]), f"{place}.columns", "4 indices are needed, found 3")
    refused(put(document, f"{place}.rows", [*rows, 0]), f"{place}.rows", "4 indices are needed, found 5")
    refused(put(document, f"{place}.rows.1", rows[0]), f"{place}.rows", "the indices are not distinct")
    refused(put(document, f"{place}.columns.1", columns[0]), f"{place}.columns", "the indices are not distinct")
    for bad in (-1, len(lower["points"]), True, "0"):
        malformed(put(document, f"{place}.rows.0", bad), f"{place}.rows[0]")
    for bad in (-1, 7, True, None):
        malformed(put(document, f"{place}.columns.0", bad), f"{place}.columns[0]")
    zeros = next(c for c in range(7) if c not in columns)
    verdict = check_document(put(document, f"{place}.columns", [*columns[:-1], zeros]))
    assert verdict.valid or "the minor vanishes" in verdict.reason
    # a point that is not smooth, also where no row needs it
    smooth = put(document, f"{place}.points", [*lower["points"], ["0"]])
    index = len(lower["points"])
    refused(smooth, f"{place}.points[{index}]", "the point is not smooth")
    # the same points and rows do not prove the rank for another network
    flat = Net([[1, 0], [1, 0]], [[0, 0, 0]]).document()
    wrong = {**document, "network": flat, "digest": plain.digest(flat)}
    assert not check_document(wrong).valid


def test_large_minors_are_refused_before_work(monkeypatch: pytest.MonkeyPatch) -> None:
    document = DOCUMENTS["dimension"]
    monkeypatch.setattr(checker, "MAX_MINOR", 4)
    assert check_document(document).valid
    monkeypatch.setattr(checker, "MAX_MINOR", 3)
    refused(document, "evidence.lower", "a minor of more than 3 rows")


def test_vectors() -> None:
    document = DOCUMENTS["dimension"]
    place = "evidence.upper.vectors"
    upper = document["evidence"]["upper"]
    malformed(put(document, f"{place}.0.0", [7, "1"]), f"{place}[0][0][0]")
    malformed(put(document, f"{place}.0.0", [-1, "1"]), f"{place}[0][0][0]")
    malformed(put(document, f"{place}.0.0", [0]), f"{place}[0][0]")
    malformed(put(document, f"{place}.0.0", [0, "1", "1"]), f"{place}[0][0]")
    for entry in ("0", "-0", "1/2", 1, None, "01", "1.0", "-"):
        malformed(put(document, f"{place}.0.0.1", entry), f"{place}[0][0][1]")
    pairs = upper["vectors"][0]
    assert len(pairs) > 1
    malformed(put(document, f"{place}.0", pairs[::-1]), f"{place}[0][1]", "the indices do not increase")
    malformed(put(document, f"{place}.0", [pairs[0], *pairs]), f"{place}[0][1]", "the indices do not increase")
    refused(put(document, f"{place}.0", []), f"{place}[0]", "not in echelon form")
    refused(put(document, f"{place}.0", ...), place, "2 vectors leave a rank of 5, above 4")
    refused(put(document, "evidence.upper.columns", upper["columns"][1:]), "evidence.upper.columns", "3 indices")
    malformed(put(document, "evidence.upper.columns.0", 7), "evidence.upper.columns[0]")
    refused(put(document, "evidence.upper.columns.0", upper["columns"][1]), "evidence.upper.columns", "not distinct")


def tree_of_three() -> tuple[dict[str, Any], int]:
    """x > 0, then x - 1 > 0 or not, then x - 2 where everything can be refuted; and a node with a refutation."""
    document = plain.top_cells(Net([[1, 0], [1, -1], [1, -2]], [[1, 1, 1, 0]]))
    nodes = document["evidence"]["tree"]
    number = next(i for i, node in enumerate(nodes) if node.get("refute") == {"1": {"1": "1", "2": "1"}})
    return document, number


def test_refutations() -> None:
    document, number = tree_of_three()
    assert check_document(document).valid
    node = f"evidence.tree.{number}"
    here = f"evidence.tree[{number}]"
    refute = f"{node}.refute.1"
    step = f"{here}.refute.1"
    # any positive multiple will do, and more conditions than needed
    for good in ({"1": "3", "2": "3"}, {"2": "1", "1": "1"}):
        assert check_document(put(document, refute, good)).valid
    refused(put(document, refute, {"1": "1", "2": "2"}), step, "the combination is not constant")
    refused(put(document, refute, {"1": "1"}), step, "the combination is not constant")
    refused(put(document, refute, {}), step, "the combination is no contradiction")
    refused(put(document, refute, {"1": "-1", "2": "-1"}), f"{step}['1']", "a negative multiplier of an inequality")
    refused(put(document, refute, {"1": "1", "2": "-1"}), f"{step}['2']", "a negative multiplier of an inequality")
    for junk in ("0", "-0", "1/2", 1, None, "1.5", "x", "", "--1", "1 "):
        malformed(put(document, refute, {"1": junk, "2": "1"}), f"{step}['1']", "expected a nonzero integer")
    for key in ("00", "01", "-1", "lo", "lo 00", "lo  0", "lo0", "lo -1", "hi x", "", "x", " 1", "1 ", "²", "1" * 30):
        malformed(put(document, refute, {"1": "1", "2": "1", key: "1"}), step, "expected only keys such as")
    refused(put(document, refute, {"1": "1", "2": "1", "3": "1"}), step, "neuron 3, which comes after neuron 2")
    refused(put(document, refute, {"1": "1", "2": "1", "9" * 18: "1"}), step, "which comes after neuron 2")
    refused(put(document, refute, {"1": "1", "2": "1", "lo 0": "1"}), step, "there is no wall 'lo 0'")
    malformed(put(document, refute, []), step, "expected an object")
    malformed(put(document, refute, {1: "1"}), step, "expected an object")
    malformed(put(document, f"{node}.refute", [1]), f"{here}.refute", "expected an object")
    # which labels are refuted
    for key in ("2", "+1", "", "x", "-0", "01"):
        malformed(put(document, f"{node}.refute.{key}", {"0": "1"}), f"{here}.refute", f"unexpected key '{key}'")
    refused(put(document, f"{node}.refute.0", {"0": "1"}), here, "label 0 of neuron 2 is a child or refuted once too")
    refused(put(document, f"{node}.refute.-1", {"0": "1"}), here, "label -1 of neuron 2 is a child or refuted once too")
    refused(put(document, f"{node}.refute", ...), here, "label 1 of neuron 2 is neither a child nor refuted")
    refused(put(document, f"{node}.refute", {}), here, "label 1 of neuron 2 is neither a child nor refuted")
    refused(
        put(document, f"{node}.children", [0, -1]), here, "label 0 of neuron 2 is a child or refuted once too often"
    )
    refused(put(document, f"{node}.children", []), here, "label -1 of neuron 2 is neither a child nor refuted")
    # the other label is not empty, and nothing refutes it
    swapped = put(document, f"{node}.children", [1])
    for multipliers in ({"1": "1", "2": "1"}, {"1": "1", "2": "-1"}, {"2": "1"}, {"0": "1", "1": "1"}):
        swapped["evidence"]["tree"][number]["refute"] = {"-1": multipliers}
        assert not check_document(swapped).valid
    # an order of the children that is not that of the subtrees
    assert not check_document(put(document, "evidence.tree.0.children", [-1, 1])).valid


def single(net: Net, mode: str, nodes: list[dict[str, Any]], value: Any, box: Any = None) -> dict[str, Any]:
    quantity = "top_cells" if mode == "open" else "f_vector"
    claim = {"quantity": quantity, "relation": "==", "value": value, "box": box}
    return plain.certificate(net, claim, {"tree": nodes})


def test_the_three_contradictions() -> None:
    one = Net([[0, 1]], relu=True)  # the constant 1
    leaf = {"point": ["0"]}
    good = [{"children": [1], "refute": {"0": {"0": "1"}, "-1": {"0": "1"}}}, leaf]
    assert check_document(single(one, "all", good, [0, 1])).valid
    good[0]["refute"] = {"0": {"0": "-5"}, "-1": {"0": "2"}}  # an equality may have either sign
    assert check_document(single(one, "all", good, [0, 1])).valid
    good[0]["refute"] = {"0": {"0": "1"}, "-1": {"0": "-1"}}
    refused(single(one, "all", good, [0, 1]), "evidence.tree[0].refute.-1['0']", "a negative multiplier")
    wrong = [{"children": [-1], "refute": {"0": {"0": "1"}, "1": {"0": "1"}}}, leaf]
    refused(single(one, "all", wrong, [0, 1]), "evidence.tree[0].refute.1", "no contradiction")
    # gamma = 0 with strict conditions: x > 0 and -x > 0
    twice = Net([[1, 0], [1, 0]], relu=True)
    assert check_document(plain.f_vector(twice)).valid
    nodes = plain.f_vector(twice)["evidence"]["tree"]
    assert nodes[1]["refute"]["-1"] == {"0": "1", "1": "1"}
    # gamma = 0 without: 0 = 0 is no contradiction
    assert [node["children"] for node in nodes if "children" in node] == [[1, 0, -1], [1], [0], [-1]]
    at = next(i for i, node in enumerate(nodes) if node.get("children") == [0])
    for label in ("1", "-1"):
        wrong = copy.deepcopy(nodes)
        wrong[at]["refute"][label] = {"0": "1"}
        refused(single(twice, "all", wrong, [1, 2]), f"evidence.tree[{at}].refute.{label}", "is not constant")
    # gamma > 0 with an equality and a strict condition: x = 0 and x + 1 > 0 is no contradiction
    shifted = Net([[1, 0], [1, 1]], relu=True)
    nodes = plain.f_vector(shifted)["evidence"]["tree"]
    at = next(i for i, node in enumerate(nodes) if node.get("refute", {}).get("0", {}).get("0") == "-1")
    assert nodes[at]["children"] == [1]
    wrong = copy.deepcopy(nodes)
    wrong[at] = {"children": [0], "refute": {"1": {"0": "-1", "1": "1"}, "-1": nodes[at]["refute"]["-1"]}}
    refused(single(shifted, "all", wrong, [2, 3]), f"evidence.tree[{at}].refute.1", "no contradiction")
    # x = 0 and x = 0 again: the equality 0 = 0 refutes nothing
    at = next(i for i, node in enumerate(plain.f_vector(twice)["evidence"]["tree"]) if node.get("children") == [0])
    wrong = copy.deepcopy(plain.f_vector(twice)["evidence"]["tree"])
    wrong[at] = {"children": [], "refute": {**wrong[at]["refute"], "0": {"0": "1", "1": "-1"}}}
    refused(single(twice, "all", wrong, [0, 2]), f"evidence.tree[{at}].refute.0", "no contradiction")


def test_identically_zero_neurons() -> None:
    zero = Net([[0, 0]], relu=True)
    leaf = {"point": ["0"]}
    for mode, value in (("open", 1), ("all", [0, 1])):
        assert check_document(single(zero, mode, [{"children": [0]}, leaf], value)).valid
        for node in (
            {"children": [1]},
            {"children": []},
            {"children": [0, 1]},
            {"children": [0], "refute": {}},
            {"children": [0], "refute": {"1": {"0": "1"}}},
            {"children": [], "refute": {"0": {"0": "1"}, "1": {"0": "1"}, "-1": {"0": "1"}}},
        ):
            refused(single(zero, mode, [node, leaf], value), "evidence.tree[0]", "neuron 0 is identically zero")
    line = Net([[1, 0]], relu=True)
    nodes = [{"children": [1, -1]}, {"point": ["1"]}, {"point": ["-1"]}]
    assert check_document(single(line, "open", nodes, 2)).valid
    nodes[0]["refute"] = {}
    assert check_document(single(line, "open", nodes, 2)).valid
    refused(single(line, "all", nodes, [0, 2]), "evidence.tree[0]", "label 0 of neuron 0 is neither")
    nodes = [{"children": [1, 0, -1]}, {"point": ["1"]}, {"point": ["0"]}, {"point": ["-1"]}]
    refused(single(line, "open", nodes, 3), "evidence.tree[0]", "label 0 of neuron 0 is a child or")
    assert check_document(single(line, "all", nodes, [1, 2])).valid


def test_walls() -> None:
    line = Net([[1, 0]], relu=True)
    box = [["1"], ["2"]]
    leaf = {"point": ["3/2"]}
    for multipliers, good in (
        ({"0": "1", "lo 0": "1"}, True),
        ({"lo 0": "2", "0": "2"}, True),
        ({"0": "1", "hi 0": "1"}, False),
        ({"0": "1", "lo 0": "-1"}, False),
        ({"lo 0": "1", "hi 0": "1"}, False),
        ({"0": "1", "lo 1": "1"}, False),
        ({"0": "1", "hi 1": "1"}, False),
        ({"0": "1", "lo 0": "1", "hi 0": "1"}, False),
    ):
        document = single(line, "open", [{"children": [1], "refute": {"-1": multipliers}}, leaf], 1, box)
        assert check_document(document).valid is good, multipliers
    # a wall through the hyperplane is enough: inside the box x > 0 strictly
    for box, label, wall, point in (([["0"], ["1/3"]], 1, "lo 0", "1/4"), ([["-1/3"], ["0"]], -1, "hi 0", "-1/4")):
        node = {"children": [label], "refute": {str(-label): {"0": "1", wall: "1"}}}
        assert check_document(single(line, "open", [node, {"point": [point]}], 1, box)).valid
    # nothing is inside a box that is cut away
    node = {"children": [], "refute": {"1": {"0": "1", "hi 0": "1"}, "-1": {"0": "1", "lo 0": "1"}}}
    assert not check_document(single(line, "open", [node], 0, [["-1"], ["1"]])).valid
    # walls of another coordinate; fractions
    plane = Net([[0, 3, "-1/2"]], relu=True)
    box = [["-5", "1/5"], ["5", "7/3"]]
    node = {"children": [1], "refute": {"-1": {"lo 1": "3", "0": "1"}}}
    assert check_document(single(plane, "open", [node, {"point": ["0", "1"]}], 1, box)).valid
    node["refute"]["-1"] = {"lo 0": "3", "0": "1"}
    refused(single(plane, "open", [node, {"point": ["0", "1"]}], 1, box), "evidence.tree[0].refute.-1", "constant")
    box[0][1] = "1/7"
    node["refute"]["-1"] = {"lo 1": "3", "0": "1"}
    refused(single(plane, "open", [node, {"point": ["0", "1"]}], 1, box), "evidence.tree[0].refute.-1", "no contra")


# ---------------------------------------------------------------------------------------------------------- limits


def test_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    for document in DOCUMENTS.values():
        verdict = check_document(document, time_limit=-1)
        assert verdict.reason == "time limit: -1 s are over"
        assert not verdict.malformed
    # wherever the time ends, the answer is the same
    for name, document in DOCUMENTS.items():
        for calls in range(1, 400, 3):
            ticks = iter([0.0] * calls)
            monkeypatch.setattr(checker.time, "monotonic", lambda ticks=ticks: next(ticks, 9e9))
            verdict = check_document(document)
            assert verdict.valid or verdict.reason == "time limit: 3600 s are over", name


def test_deep_chains_take_bounded_time_and_memory() -> None:
    """Weights of 10 000 digits in hundreds of layers: numbers would grow without bound."""
    weight = "9" * 10_000
    net = plain.Net([[1, 0]]).document()
    depth = 300
    net["architecture"] = [1] * (depth + 1)
    net["layers"] = [{"weight": [[weight]], "bias": [weight]} for _ in range(depth)]
    document = put(DOCUMENTS["dimension"], "network", net)
    document["digest"] = plain.digest(net)
    for name in ("top cells", "f-vector", "equal by tree", "batch", "dimension"):
        claim = {"value": [0, 0]} if name == "f-vector" else {}
        hostile = {**DOCUMENTS[name], "network": net, "digest": document["digest"]}
        hostile["claim"] = {**hostile["claim"], **claim}
        if name == "top cells":
            hostile["claim"]["box"] = None
        start = time.process_time()
        verdict = check_document(hostile)
        assert time.process_time() - start < 30
        assert not verdict.valid
    refused(
        {**DOCUMENTS["equal by tree"], "network": net, "digest": document["digest"]},
        "evidence.tree",
        "too large to check",
    )


def test_denominators_without_common_factors() -> None:
    """The least common denominator of a layer can be as long as all of them together."""
    primes = [n for n in range(2, 4000) if checker._is_prime(n)]
    rows = [[f"1/{p**700}" for p in primes[100:300]]]
    net = {
        "format": "exactfd-network",
        "version": 1,
        "architecture": [200, 1],
        "output_activation": "identity",
        "layers": [{"weight": rows, "bias": ["0"]}],
    }
    document = {**DOCUMENTS["dimension"], "network": net, "digest": plain.digest(net)}
    start = time.process_time()
    refused(document, "network.layers[0]", "the common denominator is too large to check")
    assert time.process_time() - start < 30


def test_memory_is_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    document = plain.functional_dimension(NETS["fractional"])
    monkeypatch.setattr(checker, "MAX_BITS", 5)
    assert not check_document(document).valid
    monkeypatch.undo()
    assert check_document(document).valid
    monkeypatch.setattr(checker, "MAX_MEMORY", 1000)
    assert check_document(document).reason.endswith("are too large to check")
    monkeypatch.setattr(checker, "MAX_MEMORY", 3)
    refused(document, "network.layers[0]", "the common denominator is too large to check")
    wide = plain.Net([[1, 0]]).document()
    wide.update(architecture=[40_000, 1], layers=[{"weight": [["1"] * 40_000], "bias": ["0"]}])
    monkeypatch.undo()
    hostile = {**plain.functional_dimension(ABSOLUTE, "<="), "network": wide, "digest": plain.digest(wide)}
    hostile["claim"]["value"] = 40_001
    hostile["evidence"]["upper"].update(columns=[], vectors=[], tree=[{}])
    refused(hostile, "evidence.upper.tree", "too large to check")


def test_growth_in_the_rank_of_equalities(monkeypatch: pytest.MonkeyPatch) -> None:
    net = Net([[3, 5, 0], [7, 11, 0]], relu=True)
    document = plain.f_vector(net)
    assert check_document(document).valid
    monkeypatch.setattr(checker, "MAX_BITS", 1)
    run = checker._Run(10.0)
    with pytest.raises(checker._NotProvedError, match="rank"):
        checker._rank([(3, 5), (7, 11)], run)


def test_out_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def greedy(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(checker, "_is_prime", greedy)
    verdict = check_document(DOCUMENTS["dimension"])
    assert verdict.reason == "memory: too little to check this certificate"
    assert not verdict.malformed
    assert not verdict.valid


def test_long_trees_are_walked_without_recursion() -> None:
    depth = 5000
    net = plain.Net([[1, 0]]).document()
    net.update(architecture=[1, depth, 1])
    net["layers"] = [
        {"weight": [["0"]] * depth, "bias": ["0"] * depth},
        {"weight": [["0"] * depth], "bias": ["0"]},
    ]
    claim = {"quantity": "top_cells", "relation": "==", "value": 1, "box": None}
    evidence = {"tree": [{"children": [0]}] * depth + [{"point": ["0"]}]}
    document = {**DOCUMENTS["dimension"], "network": net, "digest": plain.digest(net)}
    document.update(claim=claim, evidence=evidence)
    assert check_document(document).valid
