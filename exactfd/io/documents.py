"""JSON documents, read strictly: one object, no duplicated or unknown keys, numbers exactly as they are spelt."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

from flint import fmpq

from exactfd.errors import InputError, NonFiniteError, ShapeError
from exactfd.io.files import MAX_NUMBERS
from exactfd.rationals import parse_rational, to_fmpq

#: Most bits that the numbers of one file may take together once decimal exponents are written out (256 MiB).
MAX_TOTAL_BITS = 1 << 31


class Object(dict[str, Any]):
    """A JSON object that remembers the first key that it was given twice."""

    repeated: str | None = None


class Numeral(str):
    """A JSON integer too long for Python's conversion, or a JSON float out of range, still as text."""

    __slots__ = ()


def _object(pairs: list[tuple[str, Any]]) -> Object:
    result = Object(pairs)
    if len(result) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                result.repeated = key
                break
            seen.add(key)
    return result


def _integer(text: str) -> int | Numeral:
    return int(text) if len(text) < 1000 else Numeral(text)


def _float(text: str) -> float | Numeral:
    value = float(text)
    return Numeral(text) if math.isinf(value) else value


def decode(data: bytes) -> str:
    """Text of a UTF-8 file, with or without a byte order mark; the error names the first bad byte."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise InputError("byte 0: expected UTF-8 text, found the byte order mark of UTF-16 or UTF-32") from None
        raise InputError(
            f"byte {error.start}: expected UTF-8 text, found the byte 0x{data[error.start]:02x}; "
            "a binary file needs its own extension (.npz, .npy, .pt, .safetensors, .onnx)"
        ) from None


def parse(data: bytes) -> Any:
    """The JSON value of a file; objects are :class:`Object`. Raises ``InputError`` naming line and column."""
    text = decode(data)
    values = text.count(",") + text.count("[") + text.count("{") + 1  # before parsing: the parser builds them all
    if values > MAX_NUMBERS:
        raise InputError(f"expected at most {MAX_NUMBERS} values in one file, found about {values}")
    try:
        return json.loads(text, object_pairs_hook=_object, parse_int=_integer, parse_float=_float)
    except json.JSONDecodeError as error:
        reached = " (the file ends there)" if not text[error.pos :].strip() else ""
        raise InputError(
            f"line {error.lineno}, column {error.colno}: expected valid JSON, found: {error.msg}{reached}"
        ) from None
    except RecursionError:
        raise InputError("expected lists nested 3 deep, found nesting too deep to read") from None


def describe(value: Any) -> str:
    """Short words for a JSON value in an error message."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, dict):
        return f"an object with {len(value)} keys"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, Numeral):
        return f"the number {shorten(value)}"
    if isinstance(value, str):
        return f"the string {quote(value)}"
    return f"the number {shorten(str(value))}"


def shorten(text: str) -> str:
    """At most 40 characters of a text."""
    return text if len(text) <= 40 else f"{text[:37]}..."


def quote(text: str) -> str:
    """At most 40 characters of a text, in quotes, on one line and in ASCII."""
    return json.dumps(shorten(text))


def check_object(value: Any, place: str, *, required: Iterable[str], optional: Iterable[str] = ()) -> Object:
    """The object itself; raises ``InputError`` on another type and on missing, unknown and duplicated keys."""
    required, optional = tuple(required), tuple(optional)
    if not isinstance(value, Object):
        raise InputError(f"{place}: expected an object with the keys {_listed(required)}, found {describe(value)}")
    if value.repeated is not None:
        raise InputError(f"{place}: expected every key once, found {quote(value.repeated)} twice")
    for key in value:
        if key not in required and key not in optional:
            raise InputError(
                f"{place}: expected only the keys {_listed((*required, *optional))}, found the unknown key {quote(key)}"
            )
    for key in required:
        if key not in value:
            raise InputError(f"{place}: expected the key {quote(key)}, found {_listed(value) or 'no keys'}")
    return value


def _listed(keys: Iterable[str]) -> str:
    keys = list(keys)
    return ", ".join(quote(key) for key in keys[:8]) + (", ..." if len(keys) > 8 else "")


def check_header(value: Any, form: str, version: int, *, keys: Iterable[str], optional: Iterable[str] = ()) -> Object:
    """Check that a document is of this format and version, then its keys.

    The format comes first, so that a file of another kind is called what it is, not a list of unknown keys.
    """
    if isinstance(value, Object) and value.repeated is None:
        for key, expected in (("format", form), ("version", version)):
            found = value.get(key)
            if key in value and (type(found) is not type(expected) or found != expected):
                raise InputError(f"{key}: expected {json.dumps(expected)}, found {describe(found)}")
    return check_object(value, "top level", required=("format", "version", *keys), optional=optional)


def check_list(value: Any, place: str, what: str) -> list[Any]:
    """The list itself; raises ``ShapeError`` when it is something else or empty."""
    if not isinstance(value, list):
        raise ShapeError(f"{place}: expected {what}, found {describe(value)}")
    if not value:
        raise ShapeError(f"{place}: expected {what}, found an empty list")
    return value


class Numbers:
    """Exact conversion of the numbers of one file, with their places in errors and a bound on their total size."""

    def __init__(self) -> None:
        self._bits = 0

    def vector(self, value: Any, place: str) -> list[fmpq]:
        """List of numbers at ``place``; errors name the index."""
        entries = check_list(value, place, "a list of numbers")
        return [self.number(entry, f"{place}[{index}]") for index, entry in enumerate(entries)]

    def matrix(self, value: Any, place: str) -> list[list[fmpq]]:
        """Rows of equal length at ``place``; errors name row and column."""
        rows = [
            self.vector(row, f"{place}[{index}]")
            for index, row in enumerate(check_list(value, place, "a list of rows"))
        ]
        for index, row in enumerate(rows):
            if len(row) != len(rows[0]):
                raise ShapeError(f"{place}[{index}]: expected {len(rows[0])} numbers as in row 0, found {len(row)}")
        return rows

    def number(self, value: Any, place: str) -> fmpq:
        """One number: JSON strings are rationals, integers integers, floats the exact value of the binary64."""
        if isinstance(value, Numeral) and not value.lstrip("-").isdecimal():
            raise NonFiniteError(
                f"{place}: a JSON float is the binary64 that it parses to, and {shorten(value)} parses to an infinity; "
                "write it as a string to have it exactly"
            )
        if not isinstance(value, (int, float, str)) or isinstance(value, bool):
            raise InputError(f"{place}: expected a number, found {describe(value)}")
        try:
            result = parse_rational(value) if isinstance(value, str) else to_fmpq(value)
        except InputError as error:
            raise type(error)(f"{place}: {error}") from None
        if isinstance(value, str) and ("e" in value or "E" in value):
            self._bits += int(result.p).bit_length() + int(result.q).bit_length()
            if self._bits > MAX_TOTAL_BITS:
                raise InputError(
                    f"{place}: expected numbers of at most {MAX_TOTAL_BITS >> 23} MiB in all, "
                    "found more once their decimal exponents are written out"
                )
        return result
