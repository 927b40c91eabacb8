"""Files in and out: one module per format; every bad file is one ``InputError`` on one line, never anything else."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any, TypeVar

from exactfd.errors import InputError, ShapeError
from exactfd.io import networks, numpy_arrays, onnx, points, pytorch, safetensors
from exactfd.io.files import MAX_FILE_BYTES, MAX_NUMBERS, STDIN, StrPath, located, read_bytes, write_atomically
from exactfd.network import Network, OutputActivation

__all__ = [
    "MAX_FILE_BYTES",
    "MAX_NUMBERS",
    "load",
    "load_and_tell",
    "load_points",
    "located",
    "save",
    "write_atomically",
]

_T = TypeVar("_T")

_NETWORKS: dict[str, Callable[[bytes], Network]] = {
    ".json": networks.read,
    ".npz": numpy_arrays.read,
    ".pt": pytorch.read,
    ".pth": pytorch.read,
    ".safetensors": safetensors.read,
    ".onnx": onnx.read,
}
#: Formats that hold no activation: the output is called affine unless the caller knows better.
_SILENT = (numpy_arrays.read, pytorch.read, safetensors.read)


def load(path: StrPath, *, output_activation: OutputActivation | None = None, round_to: Any | None = None) -> Network:
    """Network of a file: ``.json``, ``.npz``, ``.pt``, ``.pth``, ``.safetensors``, ``.onnx``; ``-`` is JSON on stdin.

    Parameters
    ----------
    path
        Name of the file. With another extension the content decides: JSON begins with ``{``, ``.npz`` is a zip file.
    output_activation
        ``"identity"`` or ``"relu"`` in place of what the file says (``.npz``, ``.pt`` and ``.safetensors`` do not say:
        identity).
    round_to
        A positive rational: round every parameter to its nearest multiple. By default every number is taken exactly.

    Raises
    ------
    InputError
        naming the file, the place in it, what was expected and what was found.
    MissingExtraError
        when PyTorch or ONNX is needed and not installed.
    """
    return load_and_tell(path, output_activation=output_activation, round_to=round_to)[0]


def load_and_tell(
    path: StrPath, *, output_activation: OutputActivation | None = None, round_to: Any | None = None
) -> tuple[Network, bool]:
    """As :func:`load`; also whether the output activation is assumed, since neither file nor caller says it."""
    with located(path):
        data = read_bytes(path)
        reader = _reader(path, data, _NETWORKS)
        network = reader(data)
        if output_activation is not None:
            network = Network(_layers(network), output_activation=output_activation)
        assumed = output_activation is None and reader in _SILENT
        return network if round_to is None else _rounded(network, round_to), assumed


def load_points(path: StrPath, *, dimension: int | None = None) -> points.Points:
    """Read a points file: ``.json``, ``.csv`` or ``.npy``; ``-`` is stdin. One list of exact numbers per point.

    Without an extension, as on stdin and in pipes, the content decides: JSON begins with ``{`` or ``[``, and what is
    not ``.npy`` either is read as ``.csv``. With ``dimension`` given, points of another dimension are refused. Raises
    ``InputError`` naming the file, the point and the coordinate.
    """
    readers: dict[str, Callable[[bytes], points.Points]] = {
        ".json": points.read_json,
        ".csv": points.read_csv,
        ".npy": functools.partial(points.read_npy, dimension=dimension),
    }
    with located(path):
        data = read_bytes(path)
        result = _reader(path, data, readers, unnamed=".csv")(data)
        if dimension is not None and len(result[0]) != dimension:
            raise ShapeError(
                f"points: the network has {dimension} inputs, found points with {len(result[0])} coordinates"
            )
        return result


def save(network: Network, path: StrPath) -> None:
    """Write the JSON file of a network, atomically; :func:`load` reads the same network back, exactly.

    Raises ``InputError`` when the file cannot be written, or has an extension by which it would be read as something
    else.
    """
    with located(path):
        extension = os.path.splitext(os.fspath(path))[1].lower()
        if _NETWORKS.get(extension, networks.read) is not networks.read:
            raise InputError(f"networks are written as JSON: expected the extension .json, found {extension}")
        text = networks.dumps(network)
    write_atomically(path, text)


def _reader(
    path: StrPath, data: bytes, readers: dict[str, Callable[[bytes], _T]], *, unnamed: str | None = None
) -> Callable[[bytes], _T]:
    """Reader by the extension, else by the content; ``unnamed`` is the format without extension that has no sign."""
    extension = "" if path == STDIN else os.path.splitext(os.fspath(path))[1].lower()
    if extension in readers:
        return readers[extension]
    start = data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if start == b"{" or (start == b"[" and not extension) or (path == STDIN and unnamed is None):
        return readers[".json"]
    for magic, sniffed in ((b"PK\x03\x04", ".npz"), (b"\x93NUMPY", ".npy")):
        if data.startswith(magic) and sniffed in readers:
            return readers[sniffed]
    if unnamed is not None and not extension:
        return readers[unnamed]
    raise InputError(f"expected one of the formats {', '.join(readers)}, found the extension {extension!r:.40}")


def _rounded(network: Network, step: Any) -> Network:
    try:
        return network.rounded(step)
    except InputError as error:
        raise type(error)(f"round_to: {error}") from None


def _layers(network: Network) -> list[tuple[Any, Any]]:
    rows = [network.augmented(layer).tolist() for layer in range(1, network.depth + 1)]
    return [([row[:-1] for row in layer], [row[-1] for row in layer]) for layer in rows]
