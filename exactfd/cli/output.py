"""Answers on their way out: standard output or an atomic file, JSON documents written as they grow, plain tables."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

import click

from exactfd.cli.options import Answer
from exactfd.errors import InputError

if TYPE_CHECKING:
    from exactfd.certificates import Certificate


@contextlib.contextmanager
def opened(path: str | None) -> Iterator[TextIO]:
    """Standard output (None or ``-``), or a file that appears, whole, when the block ends without an exception.

    Raises ``InputError`` when the file cannot be written; checked before the block runs where that can be known.
    """
    if path is None or path == "-":
        if sys.stdout is None:
            raise InputError("<stdout>: expected room for the answer, found: standard output is closed")
        try:
            yield sys.stdout
            sys.stdout.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            silence_stdout()
            raise InputError(f"<stdout>: expected room for the answer, found: {error.strerror or error}") from None
        return
    from exactfd.io.files import open_atomically

    with open_atomically(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="\n")
        try:
            yield text
        finally:
            with contextlib.suppress(ValueError):  # a device that failed has closed itself
                text.detach()


def silence_stdout() -> None:
    """Nobody reads any more, or there is no room: keep the interpreter from saying so when it flushes at the end."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):  # standard output is no real file
        return


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


def saved(certificate: Certificate, path: str) -> dict[str, Any]:
    """Write a certificate and say where; a warning on stderr when the checker will refuse it for its size."""
    beyond = certificate.beyond_limits()
    if beyond is not None:
        click.echo(f"exactfd: warning: {path} is beyond the limits of the checker: {beyond}", err=True)
    return {"file": path, "bytes": certificate.save(path)}


def certificate_line(document: Mapping[str, Any]) -> list[str]:
    """The line that names the certificate, if there is one."""
    if "certificate" not in document:
        return []
    found = document["certificate"]
    return [f"certificate: {found['file']} ({found['bytes']} bytes); check it with: exactfd verify {found['file']}"]
