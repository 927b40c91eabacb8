"""Every malformed file is one line of ``InputError`` that names the file and the place in it, and nothing else."""

from __future__ import annotations

import io
import json
import os
import signal
import struct
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flint import fmpq, fmpz

from exactfd import io as exactfd_io
from exactfd.errors import InputError
from exactfd.io import files, load, load_points, save, write_atomically
from exactfd.network import Network

GOOD = {
    "format": "exactfd-network",
    "version": 1,
    "architecture": [2, 2, 1],
    "output_activation": "identity",
    "layers": [
        {"weight": [["1", "2"], ["3", "4"]], "bias": ["5", "6"]},
        {"weight": [["7", "8"]], "bias": ["9"]},
    ],
}


def good(**changes: Any) -> str:
    """The good document with some of its top-level keys replaced."""
    return json.dumps({**GOOD, **changes})


def layers(*pairs: tuple[Any, Any]) -> str:
    """A document with these layers and no architecture."""
    document = {key: value for key, value in GOOD.items() if key != "architecture"}
    return json.dumps({**document, "layers": [{"weight": w, "bias": b} for w, b in pairs]})


def entry(text: str) -> str:
    """A document whose second layer has this JSON text in row 0, column 1."""
    return layers(([["1", "2"], ["3", "4"]], ["5", "6"]), ([["7", "@"]], ["9"])).replace('"@"', text)


PLACE = "layer 2: weight[0][1]"

NETWORK_JSON: list[tuple[str, str | bytes, list[str]]] = [
    ("empty", "", ["empty file"]),
    ("blank", "  \n ", ["line 2, column 2", "valid JSON"]),
    ("truncated", good()[:-30], ["line 1, column", "the file ends there"]),
    ("truncated in a string", good()[:8], ["line 1, column", "Unterminated string"]),
    ("trailing text", good() + "x", ["Extra data"]),
    ("garbage", bytes(range(256)), ["byte 128", "UTF-8", "0x80"]),
    ("utf-16", good().encode("utf-16"), ["byte 0", "UTF-8", "found the byte order mark of UTF-16"]),
    ("deep", "[" * 100_000, ["nesting"]),
    ("deep and closed", "[" * 100_000 + "]" * 100_000, ["nesting"]),
    ("deep objects", '{"a":' * 100_000, ["nesting"]),
    ("a list", "[]", ["top level", "an object", "a list of 0"]),
    ("a number", "3", ["top level", "the number 3"]),
    ("no keys", "{}", ["top level", '"format"', "no keys"]),
    ("unknown format", good(format="pickle"), ["format", '"exactfd-network"', '"pickle"']),
    ("points as network", good(format="exactfd-points"), ["format", '"exactfd-points"']),
    ("version 2", good(version=2), ["version", "expected 1", "2"]),
    ("version true", good(version=True), ["version", "expected 1", "true"]),
    ("version 1.0", good(version=1.0), ["version", "expected 1", "1.0"]),
    ("version text", good(version="1"), ["version", "expected 1", '"1"']),
    ("unknown key", good(comment="x"), ["top level", "unknown key", '"comment"']),
    ("key with a newline", good(**{"a\nb": 1}), ["unknown key", r"\n"]),
    ("duplicated key", good()[:-1] + ', "version": 1}', ["top level", '"version" twice']),
    ("duplicated key in a layer", good().replace('"bias": ["5", "6"]', '"bias": [], "bias": []'), ["layer 1", "twice"]),
    ("no layers key", json.dumps({k: v for k, v in GOOD.items() if k != "layers"}), ["top level", '"layers"']),
    ("no layers", good(layers=[]), ["layers", "empty list"]),
    ("layers is an object", good(layers={}), ["layers", "a list of layers", "an object"]),
    ("layer is a list", good(layers=[[]]), ["layer 1", "an object", "a list of 0"]),
    ("missing bias", good(layers=[{"weight": [[1]]}]), ["layer 1", '"bias"']),
    ("unknown key in a layer", good(layers=[{"weight": [[1]], "bias": [1], "act": 1}]), ["layer 1", '"act"']),
    ("empty weight", layers(([], [])), ["layer 1: weight", "empty"]),
    ("empty row", layers(([[]], ["1"])), ["layer 1: weight[0]", "empty"]),
    ("empty bias", layers(([[1]], [])), ["layer 1: bias", "empty"]),
    ("weight is a number", layers((3, [1])), ["layer 1: weight", "a list of rows", "3"]),
    ("row is text", layers((["12"], [1])), ["layer 1: weight[0]", "a list of numbers", '"12"']),
    ("ragged", layers(([[1, 2], [3]], [1, 2])), ["layer 1: weight[1]", "expected 2", "found 1"]),
    ("too many columns", layers(([[1]], [1]), ([[1, 2]], [1])), ["layer 2", "2 columns", "1 neurons"]),
    ("transposed", layers(([[1], [1]], [1, 1]), ([[1], [1]], [1, 1])), ["layer 2", "transpose"]),
    ("bias too long", layers(([[1]], [1, 2])), ["layer 1", "1 rows", "2 entries"]),
    ("nested bias", layers(([[1]], [[1]])), ["layer 1: bias[0]", "a number", "a list of 1"]),
    ("architecture", good(architecture=[2, 3, 1]), ["architecture[1]", "expected 2", "found 3"]),
    ("architecture inputs", good(architecture=[3, 2, 1]), ["architecture[0]", "2 inputs", "found 3"]),
    ("architecture length", good(architecture=[2, 1]), ["architecture", "expected 3", "found 2"]),
    ("architecture of booleans", good(architecture=[2, 2, True]), ["architecture[2]", "an integer", "true"]),
    ("architecture of floats", good(architecture=[2, 2, 1.0]), ["architecture[2]", "an integer", "1.0"]),
    ("architecture text", good(architecture="2,2,1"), ["architecture", "a list"]),
    ("architecture huge", good().replace("[2, 2, 1]", "[2, 2, 1" + "0" * 5000 + "]"), ["architecture[2]"]),
    ("activation", good(output_activation="tanh"), ["output_activation", '"identity" or "relu"', '"tanh"']),
    ("activation list", good(output_activation=["relu"]), ["output_activation", "a list of 1"]),
    ("zero denominator", entry('"1/0"'), [PLACE, "denominator is zero", "1/0"]),
    ("zero over zero", entry('"0/0"'), [PLACE, "denominator is zero"]),
    ("NaN", entry("NaN"), [PLACE, "finite", "nan"]),
    ("Infinity", entry("Infinity"), [PLACE, "finite", "inf"]),
    ("minus Infinity", entry("-Infinity"), [PLACE, "finite", "-inf"]),
    ("1e999", entry("1e999"), [PLACE, "1e999", "as a string"]),
    ("string nan", entry('"nan"'), [PLACE, "finite", "nan"]),
    ("string inf", entry('"-inf"'), [PLACE, "finite", "-inf"]),
    ("huge exponent", entry('"1e999999999999"'), [PLACE, "exponent"]),
    ("huge numeral", entry('"' + "9" * 100_001 + '"'), [PLACE, "at most 100000 characters"]),
    ("huge integer", entry("9" * 100_001), [PLACE, "at most 100000 characters"]),
    ("boolean", entry("true"), [PLACE, "a number", "true"]),
    ("null", entry("null"), [PLACE, "a number", "null"]),
    ("word", entry('"one"'), [PLACE, "rational number", "'one'"]),
    ("empty text", entry('""'), [PLACE, "rational number"]),
    ("non-ASCII digits", entry('"\u0663"'), [PLACE, "rational number"]),
    ("newline in a number", entry(r'"1\n2"'), [PLACE, "rational number"]),
    ("object as number", entry("{}"), [PLACE, "a number", "an object"]),
    ("lone surrogate", entry(r'"\ud800"'), [PLACE, "rational number"]),
]  # fmt: skip


def check(error: pytest.ExceptionInfo[InputError], name: str, fragments: list[str]) -> None:
    """One line, first the file, then the place, what was expected, what was found."""
    message = str(error.value)
    assert len(message.splitlines()) == 1
    assert len(message) < 600
    assert message.startswith(name)
    for fragment in fragments:
        assert fragment in message, message


@pytest.mark.parametrize(("content", "fragments"), [pytest.param(c, f, id=i) for i, c, f in NETWORK_JSON])
def test_network_json(tmp_path: Path, content: str | bytes, fragments: list[str]) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError) as error:
        load(path)
    check(error, f"{path}: ", fragments)


def test_the_table_starts_from_a_good_file(tmp_path: Path) -> None:
    path = tmp_path / "good.json"
    path.write_text(good())
    assert load(path).architecture == (2, 2, 1)
    path.write_text(entry("1"))
    assert load(path).architecture == (2, 2, 1)


def npy(array: Any) -> bytes:
    """Bytes of a ``.npy`` file."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def header(text: str, body: bytes = b"") -> bytes:
    """A ``.npy`` file with a header of our own."""
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + body


def npz(**arrays: Any) -> bytes:
    """Bytes of a ``.npz`` file; ``bytes`` are put in as they are."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            archive.writestr(f"{name}.npy", array if isinstance(array, bytes) else npy(array))
    return buffer.getvalue()


def bomb() -> bytes:
    """A small archive that claims to unpack to 400 MB."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("W1.npy", "w") as f,
    ):
        for _ in range(400):
            f.write(bytes(1 << 20))
    return buffer.getvalue()


def members(*names: str) -> bytes:
    """An archive of empty members, names repeated as given."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            with archive.open(zipfile.ZipInfo(name), "w") as f:
                f.write(npy(np.eye(1)))
    return buffer.getvalue()


ONE = np.eye(2)
WITH_NAN = np.array([[1.0, 2.0], [np.nan, 4.0]])

NPZ: list[tuple[str, bytes, list[str]]] = [
    ("garbage", b"\x00\x01garbage", ["zip archive", "damaged"]),
    ("truncated", npz(W1=ONE, b1=ONE[0])[:-40], ["zip archive", "damaged"]),
    ("empty archive", npz(), ["W1, b1", "found none"]),
    ("bomb", bomb(), ["unpacks to at most 256 MiB", "419430400"]),
    ("a PyTorch file", members("archive/data.pkl"), ["archive/data.pkl", ".pt"]),
    ("not an array", members("readme.txt"), ["readme.txt"]),
    ("unknown name", npz(W1=ONE, b1=ONE[0], lr=ONE), ["found lr"]),
    ("missing bias", npz(W1=ONE, b1=ONE[0], W2=ONE), ["array b2", "W2"]),
    ("gap", npz(W1=ONE, b1=ONE[0], W3=ONE, b3=ONE[0]), ["array W2"]),
    ("counted from 0", npz(W0=ONE, b0=ONE[0]), ["array W1"]),
    ("one-dimensional weight", npz(W1=ONE[0], b1=ONE[0]), ["W1", "2-dimensional", "(2,)"]),
    ("two-dimensional bias", npz(W1=ONE, b1=ONE), ["b1", "1-dimensional", "(2, 2)"]),
    ("scalar", npz(W1=np.float64(1), b1=ONE[0]), ["W1", "2-dimensional", "()"]),
    ("empty weight", npz(W1=np.zeros((0, 2)), b1=np.zeros(0)), ["layer 1", "empty"]),
    ("wrong shapes", npz(W1=ONE, b1=np.zeros(3)), ["layer 1", "2 rows", "3 entries"]),
    ("chain", npz(W1=ONE, b1=ONE[0], W2=np.eye(3), b2=np.zeros(3)), ["layer 2", "3 columns", "2 neurons"]),
    ("nan", npz(W1=WITH_NAN, b1=ONE[0]), ["W1[1][0]", "finite", "nan"]),
    ("infinity", npz(W1=ONE, b1=np.array([0, -np.inf])), ["b1[1]", "finite", "-inf"]),
    ("objects", npz(W1=np.array([[1, "x"]], dtype=object), b1=ONE[0]), ["W1", "O", "never loaded"]),
    ("booleans", npz(W1=ONE > 0, b1=ONE[0]), ["W1", "real numbers or integers", "b1"]),
    ("complex", npz(W1=ONE * 1j, b1=ONE[0]), ["W1", "real numbers or integers", "c16"]),
    ("text", npz(W1=np.array([["1/2"]]), b1=ONE[0]), ["W1", "real numbers or integers", "U3"]),
    ("dates", npz(W1=np.array([["2020-01-01"]], dtype="M8[ns]"), b1=ONE[0]), ["W1", "M8"]),
    ("records", npz(W1=np.zeros(2, dtype=[("a", "f8")]), b1=ONE[0]), ["W1", "structured"]),
    ("not npy inside", npz(W1=b"hello", b1=ONE[0]), ["W1", ".npy array"]),
    ("version 9", npz(W1=b"\x93NUMPY\x09\x00" + bytes(80), b1=ONE[0]), ["W1", "damaged"]),
    ("only the magic", npz(W1=b"\x93NUMPY", b1=ONE[0]), ["W1", "damaged"]),
    ("truncated inside", npz(W1=npy(ONE)[:-8], b1=ONE[0]), ["W1", "expected 4 numbers", "found 3"]),
    ("too long inside", npz(W1=npy(ONE) + bytes(8), b1=ONE[0]), ["W1", "expected 4 numbers", "found 5"]),
    (
        "huge claim",
        npz(W1=header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 1000000000000)}")),
        ["W1", "more than 10^18 numbers", "found 0"],
    ),
    (
        "huge empty claim",
        npz(W1=header("{'descr': '<f8', 'fortran_order': False, 'shape': (10" + "0" * 40 + ", 0)}")),
        ["W1", "shape"],
    ),
    ("many axes", npz(W1=header("{'descr': '<f8', 'fortran_order': False, 'shape': (" + "0," * 99 + ")}")), ["W1"]),
    ("negative", npz(W1=header("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, -1)}", b"x" * 8)), ["W1", "-1"]),
    ("boolean shape", npz(W1=header("{'descr': '<f8', 'fortran_order': False, 'shape': (True,)}", b"x" * 8)), ["True"]),
    ("shape list", npz(W1=header("{'descr': '<f8', 'fortran_order': False, 'shape': [1]}", b"x" * 8)), ["W1", "shape"]),
    ("header is code", npz(W1=header("__import__('os').system('false')")), ["W1", "damaged"]),
    ("header is text", npz(W1=header("'descr'")), ["W1", "damaged"]),
    ("header escapes", npz(W1=header(r"{'descr': '\d'}")), ["W1", "plain .npy header"]),
    ("deep header", npz(W1=header("(" * 3000)), ["W1", "damaged"]),
    ("long header", npz(W1=header(" " * 5000)), ["W1", "5000 bytes"]),
    ("no such type", npz(W1=header("{'descr': '<f1', 'fortran_order': False, 'shape': ()}", b"x")), ["W1", "<f1"]),
    ("extended floats", npz(W1=header("{'descr': '<f16', 'fortran_order': False, 'shape': ()}", bytes(16))), ["<f16"]),
]  # fmt: skip


@pytest.mark.parametrize(("content", "fragments"), [pytest.param(c, f, id=i) for i, c, f in NPZ])
def test_npz(tmp_path: Path, content: bytes, fragments: list[str]) -> None:
    path = tmp_path / "bad.npz"
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        load(path)
    check(error, f"{path}: ", fragments)


def test_npz_with_a_name_twice(tmp_path: Path) -> None:
    path = tmp_path / "bad.npz"
    with pytest.warns(UserWarning, match="Duplicate"):
        path.write_bytes(members("W1.npy", "W1.npy"))
    with pytest.raises(InputError, match="found W1 twice"):
        load(path)


@pytest.mark.parametrize("position", range(0, 400, 3))
def test_npz_with_one_flipped_byte(tmp_path: Path, position: int) -> None:
    data = bytearray(npz(W1=ONE, b1=ONE[0]))
    data[position % len(data)] ^= 0xFF
    path = tmp_path / "flipped.npz"
    path.write_bytes(data)
    try:
        network = load(path)
    except InputError as error:
        message = str(error)
    else:  # a byte that nobody reads, such as a date
        assert network.architecture == (2, 2)
        return
    assert message.startswith(f"{path}: ")


def points_json(points: Any) -> str:
    """A points document."""
    return json.dumps({"format": "exactfd-points", "version": 1, "points": points})


POINTS: list[tuple[str, str, str | bytes, list[str]]] = [
    ("none", "p.json", points_json([]), ["points", "empty"]),
    ("not a list", "p.json", points_json(3), ["points", "a list of rows"]),
    ("flat", "p.json", points_json([1, 2]), ["points[0]", "a list of numbers"]),
    ("ragged", "p.json", points_json([[1, 2], [3]]), ["points[1]", "expected 2", "found 1"]),
    ("division by zero", "p.json", points_json([[1, "1/0"]]), ["points[0][1]", "denominator is zero"]),
    ("network as points", "p.json", good(), ["format", '"exactfd-points"', '"exactfd-network"']),
    ("wrong dimension", "p.json", points_json([[1, 2]]), ["3 inputs", "2 coordinates"]),
    ("csv empty", "p.csv", "# nothing\n\n", ["at least one point"]),
    ("csv header only", "p.csv", "x,y\n", ["at least one point"]),
    ("csv ragged", "p.csv", "x,y\n1,2\n\n3\n", ["line 4", "expected 2 numbers as in line 2", "found 1"]),
    ("csv word", "p.csv", "1,2\n3,four\n", ["line 2, column 2", "'four'"]),
    ("csv missing", "p.csv", "1,,3\n", ["line 1, column 2", "''"]),
    ("csv nan", "p.csv", "nan,inf\n", ["line 1, column 1", "finite"]),
    ("csv zero", "p.csv", "1/0,1\n", ["line 1, column 1", "denominator is zero"]),
    ("csv quotes", "p.csv", '1,"2\n', ["line 1", "comma-separated"]),
    ("csv huge field", "p.csv", "1," + "2" * 200_000, ["line 1"]),
    ("csv binary", "p.csv", b"\x93NUMPY", ["byte 0", "UTF-8"]),
    ("npy garbage", "p.npy", "hello", ["points", ".npy"]),
    ("npy flat", "p.npy", npy(np.zeros(3)), ["points", "2-dimensional", "(3,)", "(-1, 1) for points on a line"]),
    ("npy empty", "p.npy", npy(np.zeros((0, 3))), ["points", "(0, 3)"]),
    ("npy nan", "p.npy", npy(WITH_NAN), ["points[1][0]", "nan"]),
    ("npy objects", "p.npy", npy(np.array([[None]])), ["points", "never loaded"]),
    ("npz as points", "p.npz", npz(W1=ONE), ["expected one of the formats .json, .csv, .npy", ".npz"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "fragments"), [pytest.param(*row[1:], id=row[0]) for row in POINTS])
def test_points(tmp_path: Path, name: str, content: str | bytes, fragments: list[str]) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError) as error:
        load_points(path, dimension=3)
    check(error, f"{path}: ", fragments)


@pytest.mark.parametrize("reader", [load, load_points])
def test_files_that_cannot_be_read(tmp_path: Path, reader: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for path, found in [(tmp_path, "directory"), (tmp_path / "no.json", "No such file"), ("a\0b.json", "null")]:
        with pytest.raises(InputError, match=found) as error:
            reader(path)
        check(error, f"{path}: ", [])
    closed = tmp_path / "closed.json"
    closed.write_text(good())

    def refuse(*arguments: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(files, "open", refuse, raising=False)
    with pytest.raises(InputError, match=r"closed\.json: expected a readable file, found: Permission denied"):
        reader(closed)


def test_no_permission(tmp_path: Path) -> None:
    path = tmp_path / "closed.json"
    path.write_text(good())
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("the superuser may read every file")
    with pytest.raises(InputError, match="Permission denied"):
        load(path)


@pytest.mark.parametrize("name", ["big.json", "big.npz", "big.csv", "big.pt", "big.onnx", "big.safetensors", "big"])
def test_a_file_of_one_gigabyte_is_not_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with path.open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(InputError, match=r"expected a file of at most 256 MiB, found 1073741824 bytes"):
        load(path)


def test_endless_input_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 1000)
    with pytest.raises(InputError, match="/dev/zero: expected a file of at most"):
        load("/dev/zero")


def test_too_many_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exactfd_io.documents, "MAX_NUMBERS", 100)
    path = tmp_path / "many.json"
    path.write_text("[" + "[]," * 1000 + "[]]")
    with pytest.raises(InputError, match="at most 100 values"):
        load(path)


def test_too_many_numbers_in_arrays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exactfd_io.numpy_arrays, "MAX_NUMBERS", 100)
    monkeypatch.setattr(exactfd_io.points, "MAX_NUMBERS", 100)
    wide, tall = np.zeros((1, 101), dtype="u1"), np.zeros((99, 1), dtype="u1")
    (tmp_path / "one.npz").write_bytes(npz(W1=wide, b1=ONE[0]))
    (tmp_path / "all.npz").write_bytes(npz(W1=tall, b1=tall[:, 0]))
    (tmp_path / "one.csv").write_text("1," * 101 + "1")
    for reader, name, found in [(load, "one.npz", "101"), (load, "all.npz", "198"), (load_points, "one.csv", "more")]:
        with pytest.raises(InputError, match=rf"expected at most 100 numbers.*, found {found}$"):
            reader(tmp_path / name)  # type: ignore[operator]  # readers of one list with different results
    monkeypatch.setattr(exactfd_io.numpy_arrays, "_MAX_MEMBERS", 1)
    with pytest.raises(InputError, match="at most 1 members"):
        load(tmp_path / "all.npz")


def test_exponents_cannot_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exactfd_io.documents, "MAX_TOTAL_BITS", 1 << 20)
    path = tmp_path / "points.csv"
    path.write_text("1e10000\n" * 1000)
    with pytest.raises(InputError, match="line 32, column 1: expected numbers of at most"):
        load_points(path)


@pytest.mark.parametrize("name", ["net.txt", "net", "net.h5", "net.npy"])
def test_unknown_extension(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"hello")
    with pytest.raises(InputError, match=r"\.json, \.npz, \.pt, \.pth, \.safetensors, \.onnx, found the extension"):
        load(path)


def test_a_name_with_a_newline_stays_on_one_line(tmp_path: Path) -> None:
    path = tmp_path / "two\nlines.json"
    path.write_text("")
    with pytest.raises(InputError, match="empty file") as error:
        load(path)
    assert "\n" not in str(error.value)


def test_bad_options(tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    path.write_text(good())
    with pytest.raises(InputError, match="output_activation"):
        load(path, output_activation="tanh")  # type: ignore[arg-type]  # the wrong value is the test
    for step in ("0", "-1/2", "x", "1/0"):
        with pytest.raises(InputError, match="round_to: "):
            load(path, round_to=step)


def test_standard_input_that_is_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    for content, found in [(b"", "empty"), (b"\xff", "UTF-8"), (b"{", "line 1")]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        with pytest.raises(InputError, match=f"<stdin>: .*{found}"):
            load("-")


def test_writing_where_nothing_can_be_written(tmp_path: Path) -> None:
    network = Network([([[1]], [1])])
    places = [(tmp_path, "directory"), (tmp_path / "no" / "net.json", "No such file")]
    # `load` would take JSON for something else there
    places += [
        (tmp_path / f"net{extension}", r"expected the extension \.json") for extension in (".npz", ".PT", ".onnx")
    ]
    for path, found in places:
        with pytest.raises(InputError, match=found):
            save(network, path)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "net.json"
    write_atomically(path, "old")

    def interrupt(*arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_termination_between_two_writes(tmp_path: Path) -> None:
    """SIGTERM leaves the old file alone there too, and its handler is there only while a temporary file is."""
    path = tmp_path / "net.json"
    write_atomically(path, "old")
    before = signal.getsignal(signal.SIGTERM)

    def terminated() -> None:
        with files.open_atomically(path) as file:
            file.write(b"new")
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10)

    with pytest.raises(SystemExit) as ended:
        terminated()
    assert ended.value.code == 143
    assert signal.getsignal(signal.SIGTERM) == before
    assert path.read_text() == "old"
    write_atomically(path, "new")
    assert signal.getsignal(signal.SIGTERM) == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_handler_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
    try:
        with files.open_atomically(tmp_path / "a") as file:
            os.kill(os.getpid(), signal.SIGTERM)
            file.write(b"x")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (seen, (tmp_path / "a").read_bytes()) == ([signal.SIGTERM], b"x")


def test_a_file_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for path, found in [("-", r"\./-"), ("a\0b", "null")]:
        with pytest.raises(InputError, match=found):
            write_atomically(path, "x")
    assert list(tmp_path.iterdir()) == []
    write_atomically("./-", "x")
    assert Path("-").read_text() == "x"


def test_numerals_too_long_to_be_read_back_are_not_saved(tmp_path: Path) -> None:
    longest = Network([([[fmpq(fmpz(10) ** 99_999)]], [0])])
    save(longest, tmp_path / "net.json")
    assert load(tmp_path / "net.json") == longest
    with pytest.raises(InputError, match=r"new\.json: layer 1: a number in a file has at most 100000 characters"):
        save(Network([([[fmpq(fmpz(10) ** 100_000)]], [0])]), tmp_path / "new.json")
    assert not (tmp_path / "new.json").exists()
