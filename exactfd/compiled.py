"""Loops compiled by Numba (``pip install 'exactfd[fast]'``), each the twin of NumPy code beside it: the same results.

Where NumPy works on short arrays its calls cost more than the numbers. A module ``x_loops`` holds such loops of the
module ``x``, which asks for it by :func:`loops` and does without where the answer is None.

Loading Numba takes a third of a second, and compiling some seconds more where nothing has been kept from before. So by
default the loops are loaded once a process has worked for a second. The environment variable ``EXACTFD_COMPILED`` says
otherwise: ``always`` loads them at first use, ``never`` does without.
"""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar

from exactfd.errors import InputError, MissingExtraError

Function = TypeVar("Function", bound=Callable[..., Any])

VARIABLE = "EXACTFD_COMPILED"
_MODES = ("auto", "always", "never")
_WORKED = 1.0  # CPU seconds of the process after which loading pays

_loaded: dict[str, ModuleType | None] = {}


def mode() -> str:
    """``"auto"``, ``"always"`` or ``"never"``, as the environment says. Raises ``InputError`` on anything else."""
    chosen = os.environ.get(VARIABLE) or "auto"
    if chosen not in _MODES:
        raise InputError(f"{VARIABLE}: expected {', '.join(_MODES[:-1])} or {_MODES[-1]}, found {chosen!r}")
    return chosen


def loops(name: str) -> ModuleType | None:
    """The module of compiled loops with this full name; None where they are not to be used, or not yet.

    Raises ``MissingExtraError`` where they are always to be used and Numba cannot be imported.
    """
    chosen = mode()
    if chosen == "never" or (chosen == "auto" and name not in _loaded and time.process_time() < _WORKED):
        return None
    if _loaded.get(name) is None and (name not in _loaded or chosen == "always"):
        try:
            _loaded[name] = importlib.import_module(name)
        except ImportError as error:
            if chosen == "always":
                raise MissingExtraError("numba", "fast", f"{VARIABLE}=always") from error
            _loaded[name] = None
    return _loaded[name]


def compiled(function: Function) -> Function:
    """The function compiled when it is first called, and kept for later processes where there is a place to keep it.

    Sums are not reordered and products not fused: floats come out as the source says.
    """
    import numba

    options = {"nogil": True, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(function)  # type: ignore[no-any-return]
    except RuntimeError:  # no folder to keep it in
        return numba.njit(**options)(function)  # type: ignore[no-any-return]
