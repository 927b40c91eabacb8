"""Answers on their way out: standard output or an atomic file, JSON documents written as they grow, plain tables."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, TextIO

from exactfd.cli.options import Answer
from exactfd.errors import InputError


@contextlib.contextmanager
def opened(path: str | None) -> Iterator[TextIO]:
    """Standard output (None or ``-``), or a file that appears, whole, when the block ends without an exception.

    Raises ``InputError`` when the file cannot be written; checked before the block runs.
    """
    if path is None or path == "-":
        yield sys.stdout
        sys.stdout.flush()
        return
    target = os.path.realpath(path)
    try:
        mode = os.stat(target).st_mode if os.path.exists(target) else None
        if mode is not None and stat.S_ISDIR(mode):
            raise IsADirectoryError(None, "it is a directory")
        if mode is not None and not stat.S_ISREG(mode):  # a pipe or a device
            with open(target, "w", encoding="utf-8") as device:
                yield device
            return
        folder, name = os.path.split(target)
        handle, temporary = tempfile.mkstemp(prefix=f".{name[:40]}.", suffix=".tmp", dir=folder)
    except OSError as error:
        raise _unwritable(path, error) from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            yield file
            try:
                file.flush()
                os.fsync(file.fileno())
                os.chmod(temporary, _default_mode() if mode is None else stat.S_IMODE(mode))
                os.replace(temporary, target)
            except OSError as error:
                raise _unwritable(path, error) from None
    except BaseException:  # an interrupt too
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _unwritable(path: str, error: OSError) -> InputError:
    return InputError(f"{path}: expected a writable file, found: {error.strerror or error}")


def _default_mode() -> int:
    mask = os.umask(0o022)  # it can only be read by setting it
    os.umask(mask)
    return 0o666 & ~mask


class JsonDocument:
    """One JSON object, a key to a line, written while it is being made: a long list never sits in memory.

    >>> with JsonDocument(sys.stdout) as document:
    ...     document.items({"rank": 3, "points": [1, 2]})
    ...     document.stream("cells", iter([{"dimension": 0}, {"dimension": 1}]))
    {
      "rank": 3,
      "points": [1, 2],
      "cells": [
        {"dimension": 0},
        {"dimension": 1}
      ]
    }
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._separator = "{\n  "
        self._encode = json.JSONEncoder(allow_nan=False).encode

    def __enter__(self) -> JsonDocument:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._stream.write("{}\n" if self._separator.startswith("{") else "\n}\n")

    def items(self, values: Mapping[str, Any]) -> None:
        """Write keys with their values."""
        for key, value in values.items():
            self._stream.write(f"{self._separator}{self._encode(key)}: {self._encode(value)}")
            self._separator = ",\n  "

    def stream(self, key: str, entries: Iterable[Any]) -> None:
        """Write a key whose value is a list, entry by entry."""
        write, encode = self._stream.write, self._encode
        write(f"{self._separator}{encode(key)}: [")
        before = "\n    "
        for entry in entries:
            write(f"{before}{encode(entry)}")
            before = ",\n    "
        write("\n  ]" if before.startswith(",") else "]")
        self._separator = ",\n  "


def write_answer(answer: Answer, document: Mapping[str, Any], lines: Iterable[str]) -> None:
    """The whole answer at once: ``document`` with ``--json``, else ``lines``."""
    with opened(answer.output) as stream:
        if answer.json:
            with JsonDocument(stream) as out:
                out.items(document)
        else:
            stream.writelines(f"{line}\n" for line in lines)


def aligned(rows: Sequence[tuple[str, str]]) -> list[str]:
    """Two columns of text.

    >>> aligned([("rank", "3"), ("points", "5")])
    ['rank    3', 'points  5']
    """
    width = max((len(name) for name, _ in rows), default=0)
    return [f"{name:<{width}}  {value}".rstrip() for name, value in rows]


def yes_no(value: bool | None) -> str:
    """Three-valued truth in words."""
    return "unknown" if value is None else "yes" if value else "no"


def shape(architecture: Sequence[int], output_activation: str) -> str:
    """An architecture in words: ``(2, 5, 1), output identity``."""
    return f"({', '.join(map(str, architecture))}), output {output_activation}"


def ternary(labels: Sequence[int], widths: Sequence[int]) -> str:
    """A ternary tuple as text, layers apart: ``++0|-+``.

    >>> ternary((1, 0, -1), (2, 1))
    '+0|-'
    """
    signs = iter(labels)
    return "|".join("".join("-0+"[next(signs) + 1] for _ in range(width)) for width in widths)


def certificate_line(document: Mapping[str, Any]) -> list[str]:
    """The line that names the certificate, if there is one."""
    if "certificate" not in document:
        return []
    found = document["certificate"]
    return [f"certificate: {found['file']} ({found['bytes']} bytes); check it with: exactfd verify {found['file']}"]
