"""What is written is read back exactly; every format gives exactly the numbers that it holds."""

from __future__ import annotations

import io
import json
import os
import stat
import sys
import threading
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from flint import fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from exactfd import io as exactfd_io
from exactfd.errors import InputError
from exactfd.io import load, load_points, networks, numpy_arrays, points, safetensors, save, write_atomically
from exactfd.network import Network

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / "exactfd" / "schemas"

rationals = st.fractions() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def random_networks(draw: st.DrawFn) -> Network:
    """Small networks with zeros, huge and tiny numbers."""
    sizes = draw(st.lists(st.integers(1, 3), min_size=2, max_size=4))
    count = sum(n * (m + 1) for m, n in pairwise(sizes))
    theta = draw(st.lists(rationals, min_size=count, max_size=count))
    return Network.from_theta(sizes, theta, output_activation=draw(st.sampled_from(["identity", "relu"])))


@settings(deadline=None)
@given(random_networks())
def test_json_round_trip(network: Network) -> None:
    text = networks.dumps(network)
    assert networks.read(text.encode()) == network
    assert json.loads(text) == network.to_dict()
    jsonschema.validate(json.loads(text), json.loads((SCHEMAS / "network-v1.json").read_text()))


@given(random_networks())
@settings(max_examples=25, deadline=None)
def test_save_and_load(tmp_path_factory: pytest.TempPathFactory, network: Network) -> None:
    path = tmp_path_factory.mktemp("round") / "net.json"
    save(network, path)
    again = load(path)
    assert again == network
    assert again.digest == network.digest


@settings(deadline=None)
@given(st.integers(1, 3).flatmap(lambda n: st.lists(st.lists(rationals, min_size=n, max_size=n), min_size=1)))
def test_points_round_trip(values: list[list[Any]]) -> None:
    exact = [[Fraction(v) for v in point] for point in values]
    document = {"format": "exactfd-points", "version": 1, "points": [[str(v) for v in point] for point in exact]}
    jsonschema.validate(document, json.loads((SCHEMAS / "points-v1.json").read_text()))
    table = "\n".join(",".join(str(v) for v in point) for point in exact)
    for found in (points.read_json(json.dumps(document).encode()), points.read_csv(table.encode())):
        assert [[Fraction(int(v.p), int(v.q)) for v in point] for point in found] == exact


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_input_errors(data: bytes) -> None:

    for reader in (networks.read, points.read_json, points.read_csv, points.read_npy, numpy_arrays.read):
        for prefix in (b"", b"\x93NUMPY\x01\x00\x40\x00", b"PK\x03\x04"):
            with pytest.raises(InputError) if reader is not points.read_csv or prefix else _either():
                reader(prefix + data)
    with pytest.raises(InputError):
        safetensors.read(data)


class _either:
    """Success or ``InputError``: some bytes are a comma-separated file of numbers."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> bool:
        return kind is None or issubclass(kind, InputError)


def one_number(text: str) -> Fraction:
    """The weight of a network file with this JSON text in it."""
    document = '{"format": "exactfd-network", "version": 1, "layers": [{"weight": [[@]], "bias": [0]}]}'
    return networks.read(document.replace("@", text).encode()).theta()[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('"3"', Fraction(3)),
        ('"-7/16"', Fraction(-7, 16)),
        ('"14/-7"', None),
        ('"0.1"', Fraction(1, 10)),
        ('" +1.50e-2 "', Fraction(3, 200)),
        ('"1e999"', Fraction(10**999)),
        ("0.1", Fraction(0.1)),
        ("1e-999", Fraction(0)),
        ("-0.0", Fraction(0)),
        ("1e22", Fraction(10**22)),
        ("5e-324", Fraction(1, 2**1074)),
        ("123456789012345678901234567890", Fraction(123456789012345678901234567890)),
        ("1" + "0" * 6000, Fraction(10**6000)),
        ("-1" + "0" * 6000, Fraction(-(10**6000))),
        ('"1/1' + "0" * 6000 + '"', Fraction(1, 10**6000)),
    ],
)
def test_numbers_are_exact(text: str, value: Fraction | None) -> None:
    if value is None:
        with pytest.raises(InputError):
            one_number(text)
    else:
        assert one_number(text) == value


def schema_accepts(value: Any) -> bool:
    """Whether the schema takes this value as a weight."""
    document = {"format": "exactfd-network", "version": 1, "layers": [{"weight": [[value]], "bias": [0]}]}
    validator = jsonschema.Draft202012Validator(json.loads((SCHEMAS / "network-v1.json").read_text()))
    return validator.is_valid(document)


@pytest.mark.parametrize(
    "text",
    ["3", "-7/16", "0.125", ".5", "5.", "1e-5", "+1/010", " 2 ", "1/0", "", ".", "e5", "1/-2", "x", "1.5/2", "--1"],
)
def test_schema_and_reader_agree(text: str) -> None:
    try:
        one_number(json.dumps(text))
        read = True
    except InputError:
        read = False
    assert schema_accepts(text) == read


def test_schemas_are_schemas_and_refuse_booleans() -> None:
    for path in (SCHEMAS / "network-v1.json", SCHEMAS / "points-v1.json"):
        jsonschema.Draft202012Validator.check_schema(json.loads(path.read_text()))
    assert schema_accepts(1)
    assert not schema_accepts(True)


@pytest.mark.parametrize("dtype", ["f8", ">f8", "f4", "f2", "i8", "i4", ">i2", "u1", "u8"])
@pytest.mark.parametrize("style", ["W", "weight_"])
def test_npz_is_exact(tmp_path: Path, dtype: str, style: str) -> None:
    weight = np.array([[3, 0, 7], [1, 2, 100]]).astype(dtype)
    if weight.dtype.kind == "f":
        weight = (weight / 3).astype(dtype)
    bias = np.array([5, 6], dtype=dtype)
    names = ("W1", "b1", "W2", "b2") if style == "W" else ("weight_0", "bias_0", "weight_1", "bias_1")
    last = (np.asfortranarray(np.array([[1, 2], [3, 4], [5, 6]], dtype=dtype)), np.zeros(3, dtype=dtype))
    for writer in (np.savez, np.savez_compressed):
        writer(tmp_path / "net.npz", **dict(zip(names, (weight, bias, *last), strict=True)))
        network = load(tmp_path / "net.npz")
        assert network == Network([(weight, bias), last])
        assert network.theta()[0] == Fraction(weight[0, 0].item())
        assert network.theta()[8:14] == (1, 2, 0, 3, 4, 0)


def test_npy_points_are_exact(tmp_path: Path) -> None:
    np.save(tmp_path / "p.npy", np.array([[0.1, -2], [1e-300, 3]]))
    assert load_points(tmp_path / "p.npy") == [
        [fmpq(*(0.1).as_integer_ratio()), fmpq(-2)],
        [fmpq(*(1e-300).as_integer_ratio()), fmpq(3)],
    ]


def test_csv_points(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_bytes(b'\xef\xbb\xbfx1,x2\r\n# a comment\r\n0.1, -7/16\r\n\r\n"3",1e2\r\n')
    assert load_points(tmp_path / "p.csv", dimension=2) == [[fmpq(1, 10), fmpq(-7, 16)], [fmpq(3), fmpq(100)]]


def test_content_decides_where_the_extension_does_not(tmp_path: Path) -> None:
    network = Network([([[1, 2]], ["1/3"])])
    save(network, tmp_path / "net.txt")
    assert load(tmp_path / "net.txt") == network
    with (tmp_path / "weights").open("wb") as file:
        np.savez(file, W1=np.eye(2), b1=np.zeros(2))
    assert load(tmp_path / "weights").architecture == (2, 2)
    with (tmp_path / "points").open("wb") as file:
        np.save(file, np.eye(2))
    assert load_points(tmp_path / "points") == [[1, 0], [0, 1]]
    save(network, tmp_path / "NET.JSON")
    assert load(str(tmp_path / "NET.JSON")) == network


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network([([[1, 2]], ["1/3"])])
    text = networks.dumps(network)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert load("-") == network
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"format": "exactfd-points", "version": 1, "points": [[1]]}'))
    assert load_points("-") == [[1]]


@pytest.mark.parametrize("content", [b"0.1,2\n-7/16,3\n", b"x,y\n0.1,2\n-7/16,3", b' \n"0.1","2"\n-7/16,3\n'])
def test_points_without_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    """Standard input and pipes have no extension: what is neither JSON nor .npy is .csv."""
    expected = [[fmpq(1, 10), 2], [fmpq(-7, 16), 3]]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert load_points("-", dimension=2) == expected
    (tmp_path / "points").write_bytes(content)
    assert load_points(tmp_path / "points") == expected
    array = io.BytesIO()
    np.save(array, np.eye(2))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(array.getvalue())))
    assert load_points("-") == [[1, 0], [0, 1]]


def test_a_list_of_numbers_is_points_on_a_line(tmp_path: Path) -> None:
    np.save(tmp_path / "p.npy", np.array([0.5, 2, 3]))
    assert load_points(tmp_path / "p.npy", dimension=1) == [[fmpq(1, 2)], [2], [3]]


def test_which_formats_say_their_activation(tmp_path: Path) -> None:
    network = Network([([[1]], [2]), ([[3]], [4])])
    save(network, tmp_path / "net.json")
    np.savez(tmp_path / "net.npz", W1=[[1]], b1=[2], W2=[[3]], b2=[4])
    assert exactfd_io.load_and_tell(tmp_path / "net.json") == (network, False)
    assert exactfd_io.load_and_tell(tmp_path / "net.npz") == (network, True)
    told = exactfd_io.load_and_tell(tmp_path / "net.npz", output_activation="relu", round_to=1)
    assert (told[0].output_activation, told[1]) == ("relu", False)


def test_options(tmp_path: Path) -> None:
    network = Network([([[0.1]], [0.3]), ([[1]], [2])])
    save(network, tmp_path / "net.json")
    assert load(tmp_path / "net.json", output_activation="relu").output_activation == "relu"
    assert load(tmp_path / "net.json", output_activation="identity") == network
    assert load(tmp_path / "net.json", round_to="1/10").theta() == (Fraction(1, 10), Fraction(3, 10), 1, 2)


def test_pipes_are_read_and_written(tmp_path: Path) -> None:
    network = Network([([[1, 2]], ["1/3"])])
    pipe = tmp_path / "pipe.json"
    os.mkfifo(pipe)
    writer = threading.Thread(target=save, args=(network, pipe))
    writer.start()
    assert load(pipe) == network
    writer.join()
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_writing_keeps_links_and_permissions(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    old = os.umask(0o027)
    try:
        write_atomically(target, b"one")
    finally:
        os.umask(old)
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    target.chmod(0o600)
    link.symlink_to(target)
    write_atomically(link, "zwei \u20ac")
    assert link.is_symlink()
    assert target.read_text(encoding="utf-8") == "zwei \u20ac"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "target"]


@pytest.mark.parametrize("path", sorted(ROOT.glob("benchmarks/nets/*.npz")), ids=lambda path: path.stem)
def test_benchmark_networks_are_what_numpy_reads(path: Path) -> None:
    with np.load(path, allow_pickle=False) as arrays:
        layers = [(arrays[f"W{i}"], arrays[f"b{i}"]) for i in range(1, len(arrays.files) // 2 + 1)]
    network = load(path)
    assert network == Network(layers)
    assert "x".join(map(str, network.architecture)) == path.stem.partition("_")[0]
