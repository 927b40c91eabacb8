"""Loops compiled by Numba (``pip install 'exactfd[fast]'``), each the twin of NumPy code beside it: the same results.

Where NumPy works on short arrays its calls cost more than the numbers. A module ``x_loops`` holds such loops of the
module ``x``, which asks for it by :func:`loops` and does without where the answer is None.

Loading Numba takes a third of a second, and compiling some seconds more where nothing has been kept from before. So by
default the loops are loaded once a process has worked for a second, if every limit on memory leaves room for them. The
environment variable ``EXACTFD_COMPILED`` says otherwise: ``always`` loads them at first use, ``never`` does without.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import pickle
import time
from collections.abc import Callable
from contextlib import suppress
from numbers import Number
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from exactfd.budget import has_room_for
from exactfd.errors import InputError, MissingExtraError

Function = TypeVar("Function", bound=Callable[..., Any])

VARIABLE = "EXACTFD_COMPILED"
_MODES = ("auto", "always", "never")
_WORKED = 1.0  # CPU seconds of the process after which loading pays
_NUMBA, _ROOM = 256 << 20, 64 << 20  # bytes, for Numba with the first loops, and for what compiling more takes
_PAUSE = 0.2  # CPU seconds between two looks whether there is room

_OPTIONS = {"error_model": "numpy", "nogil": True}

_loaded: dict[str, ModuleType | None] = {}
_next_look = 0.0  # CPU seconds of the process


def mode() -> str:
    """``"auto"``, ``"always"`` or ``"never"``, as the environment says. Raises ``InputError`` on anything else."""
    chosen = os.environ.get(VARIABLE) or "auto"
    if chosen not in _MODES:
        raise InputError(f"{VARIABLE}: expected {', '.join(_MODES[:-1])} or {_MODES[-1]}, found {chosen!r}")
    return chosen


def loops(name: str, *, worked: float | None = None, room: int = _ROOM) -> ModuleType | None:
    """The module of compiled loops with this full name; None where they are not to be used, or not yet: unless the
    environment says otherwise, not before the process has ``worked`` so many CPU seconds (one, if nothing else is
    said), and not where a limit on memory leaves less ``room`` than so many bytes, and some more for Numba.

    Raises ``MissingExtraError`` where they are always to be used and Numba cannot be imported.
    """
    chosen = mode()
    if chosen == "never" or (chosen == "auto" and name not in _loaded and not _pays(worked, room)):
        return None
    if _loaded.get(name) is None and (name not in _loaded or chosen == "always"):
        try:
            _loaded[name] = importlib.import_module(name)
        except Exception as error:  # a library that does not fit this machine may raise anything
            if chosen == "always" and isinstance(error, ImportError):
                raise MissingExtraError("numba", "fast", f"{VARIABLE}=always") from error
            if chosen == "always":
                raise
            _loaded[name] = None
    return _loaded[name]


def _pays(worked: float | None, room: int) -> bool:
    """Whether loops may be loaded now."""
    global _next_look
    now = time.process_time()
    if now < (_WORKED if worked is None else worked) or now < _next_look:
        return False
    if has_room_for(room if any(_loaded.values()) else room + _NUMBA):
        return True
    _next_look = now + _PAUSE
    return False


def compiled(function: Function) -> Function:
    """The function compiled when it is first called, and kept for later processes where there is a place to keep it.

    Sums are not reordered and products not fused: floats come out as the source says.
    """
    import numba

    dispatcher = numba.njit(**_OPTIONS)(function)
    if hasattr(dispatcher, "enable_caching"):  # not where compiling is switched off
        with suppress(RuntimeError):  # no folder to keep it in
            dispatcher._cache = _kept(function)
    return dispatcher  # type: ignore[no-any-return]  # Numba has no types


def _kept(function: Function) -> Any:
    """Numba's place for compiled code, made safe. Raises ``RuntimeError`` where there is none.

    * Two processes that compile for other types of arguments at the same time may overwrite each other's files: Numba
      would then run code on arrays of a layout that it was not made for. What is loaded must be for the types asked.
    * Numbers and loops that a module of loops has from other modules are part of the code, and so are the numbers that
      those loops have: numbers and files are part of the key. (Numba looks at the file of the function alone.)
    * A full disk or a spoiled file costs time only.
    """
    from numba.core.caching import FunctionCache

    modules = _modules_of_loops(function)
    files = tuple(_digest(name) for name in modules if name != function.__code__.co_filename)

    class Kept(FunctionCache):  # type: ignore[misc]  # as above
        def _index_key(self, sig: Any, codegen: Any) -> tuple[Any, ...]:
            numbers = [
                tuple(sorted((name, repr(value)) for name, value in names.items() if isinstance(value, Number)))
                for names in modules.values()
            ]
            return (*super()._index_key(sig, codegen), *numbers, *files, tuple(_OPTIONS.items()))

        def load_overload(self, sig: Any, target_context: Any) -> Any:
            try:
                found = super().load_overload(sig, target_context)
            except Exception:  # whatever reading a spoiled file may raise
                return None
            return found if found is not None and tuple(found.signature.args) == tuple(sig) else None

        def save_overload(self, sig: Any, data: Any) -> None:
            with suppress(OSError, EOFError, ValueError, pickle.UnpicklingError):
                super().save_overload(sig, data)

    return Kept(function)


def _modules_of_loops(function: Callable[..., Any]) -> dict[str, dict[str, Any]]:
    """The names in the module of a function, and in those of all loops that it may call in the end; by file."""
    found: dict[str, dict[str, Any]] = {}
    waiting = [function]
    while waiting:
        called = waiting.pop()
        name = called.__code__.co_filename
        if name not in found:
            found[name] = called.__globals__
            loops = (getattr(value, "py_func", None) for value in called.__globals__.values())
            waiting += [loop for loop in loops if loop is not None]
    return dict(sorted(found.items()))


def _digest(name: str) -> str:
    try:
        return hashlib.sha256(Path(name).read_bytes()).hexdigest()
    except OSError as error:
        raise RuntimeError(f"no file to tell whether code is of today: {error}") from error
