"""NumPy's ``.npy`` and ``.npz``, decoded here: no pickles, and no memory that the bytes of the file do not cover."""

from __future__ import annotations

import ast
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from exactfd.errors import InputError, NonFiniteError, ShapeError
from exactfd.frameworks import tensor_array
from exactfd.io.files import MAX_FILE_BYTES, MAX_NUMBERS
from exactfd.network import Network

Array = np.ndarray[Any, Any]

_MAGIC = b"\x93NUMPY"
_NAMES = "W1, b1, W2, b2, ... or weight_0, bias_0, weight_1, bias_1, ..."
_MAX_MEMBERS = 10_000


def read_array(data: bytes, what: str) -> Array:
    """The array of a ``.npy`` file, reals or integers only, all finite.

    Raises ``InputError`` on anything else: pickled objects, complex or structured types, a header that claims more
    than the file holds.
    """
    if not data.startswith(_MAGIC):
        raise InputError(f"{what}: expected the header of a .npy array, found other data")
    try:
        width = {1: 2, 2: 4, 3: 4}[data[6]]
        size = int.from_bytes(data[8 : 8 + width], "little")
        start = 8 + width + size
        if size > 4096 or start > len(data) or b"\\" in data[:start]:
            raise InputError(f"{what}: expected a plain .npy header, found one of {size} bytes in {len(data)}")
        header = ast.literal_eval(data[8 + width : start].decode("latin-1").strip())
        descr, fortran, shape = header["descr"], header["fortran_order"], header["shape"]
    except (KeyError, IndexError, TypeError, ValueError, SyntaxError, MemoryError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{what}: expected the header of a .npy array, found a damaged one") from None
    if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
        raise InputError(f"{what}: expected a shape of whole numbers in the .npy header, found {str(shape)[:40]}")
    kind = descr if isinstance(descr, str) else "structured"
    if not re.fullmatch(r"[<>|=][fiu][1248]", kind):
        hint = "; pickled objects are never loaded" if "O" in kind else ""
        raise InputError(f"{what}: expected real numbers or integers, found an array of type {kind[:20]!r}{hint}")
    try:
        dtype = np.dtype(kind)
    except TypeError:
        raise InputError(f"{what}: expected a type that NumPy has, found {kind!r}") from None
    count = 1
    for n in shape:
        count *= n
    found = (len(data) - start) / dtype.itemsize
    if count != found:
        raise InputError(f"{what}: expected {_size(count)} numbers as its shape {_shape(shape)} says, found {found:g}")
    try:
        array = np.frombuffer(data, dtype=dtype, offset=start).reshape(shape, order="F" if fortran else "C")
    except (ValueError, OverflowError):  # no numbers and one absurd size, or too many axes
        raise InputError(f"{what}: expected a shape that NumPy can hold, found {_shape(shape)}") from None
    return checked(array, what)


def _size(count: int) -> str:
    return str(count) if count < 10**18 else "more than 10^18"


def _shape(shape: tuple[int, ...]) -> str:
    return "(" + ", ".join(_size(n) for n in shape[:8]) + (", ...)" if len(shape) > 8 else ")")


def checked(array: Any, what: str) -> Array:
    """The array when it holds real numbers or integers, not too many, all finite; errors name the first bad index."""
    if getattr(array, "size", 0) > MAX_NUMBERS:
        raise InputError(f"{what}: expected at most {MAX_NUMBERS} numbers, found {array.size}")
    numbers = tensor_array(array, what)
    if numbers.dtype.kind == "f":
        bad = np.argwhere(~np.isfinite(numbers))
        if len(bad):
            index = "".join(f"[{i}]" for i in bad[0])
            raise NonFiniteError(f"{what}{index}: a rational number is finite, found {numbers[tuple(bad[0])]}")
    return numbers


def check_total(arrays: Mapping[str, Array]) -> None:
    """Raise ``InputError`` when the arrays of one file hold too many numbers together (bytes cost one byte each)."""
    total = sum(array.size for array in arrays.values())
    if total > MAX_NUMBERS:
        raise InputError(f"expected at most {MAX_NUMBERS} numbers in one file, found {total}")


def check_archive(data: bytes) -> list[zipfile.ZipInfo]:
    """Members of a zip file; raises ``InputError`` when it is damaged or unpacks to more than the size limit."""
    try:
        if data.count(b"PK\x01\x02") > _MAX_MEMBERS:
            raise InputError(f"expected at most {_MAX_MEMBERS} members in the archive, found more")
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, OSError, struct.error, ValueError, EOFError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"expected a complete zip archive, found a damaged one ({error})") from None
    total = sum(member.file_size for member in members)
    if total > MAX_FILE_BYTES:
        raise InputError(
            f"expected an archive that unpacks to at most {MAX_FILE_BYTES >> 20} MiB, found {total} bytes in it"
        )
    return members


def read_archive(data: bytes) -> dict[str, Array]:
    """Arrays of a ``.npz`` file by name, each as in :func:`read_array`."""
    arrays: dict[str, Array] = {}
    for member, content in _members(data):
        name = member.filename
        if not name.endswith(".npy"):
            hint = "; a PyTorch file is read when its name ends in .pt" if name.endswith("data.pkl") else ""
            raise InputError(f"expected arrays named {_NAMES}, found the member {_short(name)}{hint}")
        name = name.removesuffix(".npy")
        if name in arrays:
            raise InputError(f"expected every array once, found {_short(name)} twice")
        arrays[name] = read_array(content, _short(name))
        check_total(arrays)
    return arrays


def _members(data: bytes) -> Iterator[tuple[zipfile.ZipInfo, bytes]]:
    check_archive(data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for member in archive.infolist():
            place = _short(member.filename)
            if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise InputError(f"{place}: expected a plain or deflated member, found another kind")
            try:
                with archive.open(member) as file:
                    content = file.read(member.file_size + 1)
            except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OSError, ValueError, EOFError):
                raise InputError(f"{place}: expected a whole member, found damaged data") from None
            yield member, content


def _short(name: str) -> str:
    return repr(name if len(name) <= 40 else name[:37] + "...") if not re.fullmatch(r"\w{1,40}", name) else name


def read(data: bytes) -> Network:
    """Network of a ``.npz`` file with the arrays ``W1, b1, W2, b2, ...`` or ``weight_0, bias_0, ...``.

    ``W`` has shape ``n_l x n_{l-1}``; every float and integer is taken exactly. Raises ``InputError`` by array name.
    """
    arrays = read_archive(data)
    if not arrays:
        raise InputError(f"expected arrays named {_NAMES}, found none")
    weight, bias, first = ("weight_", "bias_", 0) if any("_" in name for name in arrays) else ("W", "b", 1)
    names = [(f"{weight}{i}", f"{bias}{i}") for i in range(first, first + (len(arrays) + 1) // 2)]
    expected = {name for pair in names for name in pair}
    for name in arrays:
        if re.fullmatch(rf"({weight}|{bias})(0|[1-9][0-9]{{0,5}})", name) is None:
            raise InputError(f"expected arrays named {_NAMES}, found {_short(name)}")
    for name in sorted(expected):
        if name not in arrays:
            raise InputError(f"expected the array {name}, found only {', '.join(sorted(arrays)[:8])}")
    for pair in names:
        for name, ndim in zip(pair, (2, 1), strict=True):
            if arrays[name].ndim != ndim:
                raise ShapeError(f"{name}: expected a {ndim}-dimensional array, found shape {arrays[name].shape}")
    return Network([(arrays[w], arrays[b]) for w, b in names])
