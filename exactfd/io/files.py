"""Bytes in and out: bounded reads, atomic writes, and errors that begin with the name of the file."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import stat
import sys
import threading
from collections.abc import Iterator
from typing import BinaryIO, NoReturn

from exactfd.errors import InputError, MissingExtraError

StrPath = str | os.PathLike[str]

#: Largest file that is read, before and after decompression.
MAX_FILE_BYTES = 256 << 20
#: Most numbers that are read from one file; keeps memory within a few GiB whatever the file claims.
MAX_NUMBERS = 1 << 24

STDIN = "-"
#: Exit code of a process that SIGTERM ended while it was writing.
TERMINATED = 143


def display(path: StrPath) -> str:
    """Name of the file as error messages show it."""
    return "<stdin>" if path == STDIN else os.fspath(path)


@contextlib.contextmanager
def located(path: StrPath) -> Iterator[None]:
    """Put the name of the file before the message of any ``InputError``, and keep the message on one line."""
    try:
        yield
    except MissingExtraError as error:
        raise MissingExtraError(error.package, error.extra, f"{display(path)}: {error.purpose}") from None
    except InputError as error:
        raise type(error)(" ".join(f"{display(path)}: {error}".splitlines())) from None


def read_bytes(path: StrPath) -> bytes:
    """The whole file, or standard input for ``-``; at most ``MAX_FILE_BYTES``, checked before reading.

    Raises ``InputError`` (without the name of the file: see :func:`located`) when it cannot be read or is too large.
    """
    try:
        if path == STDIN:
            if sys.stdin is None:
                raise InputError("expected a readable file, found: standard input is closed")
            stream = getattr(sys.stdin, "buffer", sys.stdin)
            data = stream.read(MAX_FILE_BYTES + 1)
            if isinstance(data, str):  # a text stream put in place of standard input
                data = data.encode()
        else:
            status = os.stat(path)
            if stat.S_ISDIR(status.st_mode):
                raise InputError("expected a file, found a directory")
            if status.st_size > MAX_FILE_BYTES:
                _too_large(f"{status.st_size} bytes")
            with open(path, "rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)  # bounded again: pipes and devices have no size
    except OSError as error:
        raise InputError(f"expected a readable file, found: {error.strerror or error}") from None
    except ValueError as error:  # a null byte in the name, or standard input closed
        if isinstance(error, InputError):
            raise
        raise InputError(f"expected a readable file, found: {error}") from None
    if len(data) > MAX_FILE_BYTES:
        _too_large(f"more than {MAX_FILE_BYTES} bytes")
    if not data:
        raise InputError("expected data, found an empty file")
    return bytes(data)


def _too_large(found: str) -> NoReturn:
    raise InputError(f"expected a file of at most {MAX_FILE_BYTES >> 20} MiB, found {found}")


def write_atomically(path: StrPath, content: str | bytes) -> None:
    """Write a whole file or nothing, as :func:`open_atomically` does; text is written as UTF-8."""
    with open_atomically(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextlib.contextmanager
def open_atomically(path: StrPath) -> Iterator[BinaryIO]:
    """A binary file that takes the place of ``path``, whole, when the block ends without an exception.

    Until then it is a temporary file in the same directory. An existing file keeps its permissions, a symbolic link
    stays one, and a pipe or a device (``/dev/stdout``) is written to directly. Raises ``InputError`` when the file
    cannot be written, before the block runs where that can be known; an interrupt, or SIGTERM in a process that would
    die of it, leaves nothing behind.
    """
    try:
        target, mode = _target(path)
        if mode is not None and not stat.S_ISREG(mode):
            with open(target, "wb") as device:
                yield device
            return
        directory, name = os.path.split(target)
        temporary = os.path.join(directory, f".{name[:40]}.{secrets.token_hex(8)}.tmp")
        with _terminated_in_order():
            try:
                with open(temporary, "xb", opener=_private) as file:
                    yield file
                    file.flush()
                    os.fsync(file.fileno())
                os.chmod(temporary, _new_file_mode() if mode is None else stat.S_IMODE(mode))
                os.replace(temporary, target)
            except BaseException:  # also on an interrupt
                with contextlib.suppress(OSError):
                    os.unlink(temporary)
                raise
    except OSError as error:
        raise InputError(f"{os.fspath(path)}: expected a writable file, found: {error.strerror or error}") from None


def _target(path: StrPath) -> tuple[str, int | None]:
    """The file itself behind symbolic links, and its mode if it is there."""
    name = os.fspath(path)
    if name == STDIN:
        raise InputError("-: expected the name of a file to write; a file of that name is ./-")
    try:
        target = os.path.realpath(name)
        mode = _mode(target)
    except ValueError as error:  # a null byte
        raise InputError(f"{name!r}: expected the name of a file to write, found: {error}") from None
    if mode is not None and stat.S_ISDIR(mode):
        raise InputError(f"{name}: expected the name of a file to write, found a directory")
    return target, mode


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


@contextlib.contextmanager
def _terminated_in_order() -> Iterator[None]:
    """SIGTERM ends the process by ``SystemExit(143)`` within the block, where it would have killed it.

    Only within the block: Python runs no handler during a long call into FLINT, which the signal should still end.
    """
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return

    def end(number: int, frame: object) -> NoReturn:
        signal.signal(number, signal.SIG_IGN)  # until the file is gone: `timeout` may send two
        raise SystemExit(TERMINATED)

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _mode(path: str) -> int | None:
    try:
        return os.stat(path).st_mode
    except FileNotFoundError:
        return None


def _new_file_mode() -> int:
    """Permissions that ``open`` would give; the mask can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return 0o666 & ~mask
