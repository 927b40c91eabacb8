"""Limits that the user sets, and the way long work reports how far it is."""

from __future__ import annotations

import os
import resource
import sys
import threading
import time
from contextlib import suppress
from typing import Any, Protocol
from weakref import WeakSet

from exactfd.errors import BudgetExceeded, InputError


class Progress(Protocol):
    """Called now and then as ``progress(stage, done, total)``; ``total`` is None where it is not known."""

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Take note."""


def silent(stage: str, done: int, total: int | None) -> None:
    """The default progress: say nothing."""


_limited: WeakSet[Budget] = WeakSet()  # the budgets with a limit on memory
_adding = threading.Lock()


class Budget:
    """Limits on cells, seconds and bytes of one computation; the clock starts when the budget is made.

    Parameters
    ----------
    max_cells
        Largest number of cells that an enumeration may hold.
    time_limit
        Seconds of wall-clock time.
    memory_limit
        Bytes of resident memory of the whole process (its peak so far, as the operating system counts it).
    """

    def __init__(
        self, *, max_cells: int | None = None, time_limit: float | None = None, memory_limit: int | None = None
    ) -> None:
        for name, value in (("max_cells", max_cells), ("time_limit", time_limit), ("memory_limit", memory_limit)):
            if value is not None and not value > 0:
                raise InputError(f"{name}: expected a positive number, found {value}")
        self.max_cells = max_cells
        self.time_limit = time_limit
        self.memory_limit = memory_limit
        self._start = time.monotonic()
        if memory_limit is not None:
            with _adding:
                _limited.add(self)

    @property
    def seconds(self) -> float:
        """Wall-clock seconds since the budget was made."""
        return time.monotonic() - self._start

    def check(self, *, cells: int = 0, bytes_needed: int = 0) -> None:
        """Raise ``BudgetExceeded`` when a limit has run out, or would with so many bytes more; cheap enough for once
        per batch of work.
        """
        if self.max_cells is not None and cells > self.max_cells:
            raise BudgetExceeded(f"more than {self.max_cells} cells (--max-cells); at least {cells} exist")
        if self.time_limit is not None and self.seconds > self.time_limit:
            raise BudgetExceeded(f"the time limit of {self.time_limit:g} s ran out (--time-limit)")
        if self.memory_limit is not None:
            used = self._memory(bytes_needed)
            if used > self.memory_limit:
                raise BudgetExceeded(
                    f"{used >> 20} MiB of memory {'needed' if bytes_needed else 'used'}, the limit is "
                    f"{self.memory_limit >> 20} MiB (--memory-limit)"
                )

    def _memory(self, bytes_needed: int) -> int:
        """What is compared with the limit."""
        return max(peak_memory(), current_memory() + bytes_needed)


class BudgetInWorker(Budget):
    """A budget for one of many computations in one process: what counts is the memory that this one has added.

    What earlier ones left behind, their peak or a heap that was not given back, says nothing about this one.

    Parameters
    ----------
    before
        Bytes of resident memory when the computation began.
    limits
        As for :class:`Budget`.
    """

    def __init__(self, *, before: int, **limits: Any) -> None:
        self._before = before  # first: other threads may ask from then on
        super().__init__(**limits)

    def _memory(self, bytes_needed: int) -> int:
        return current_memory() - self._before + bytes_needed


def has_room_for(bytes_needed: int) -> bool:
    """Whether so many bytes more are within the limit of every budget of this process that is still there: for what may
    be left undone.
    """
    with _adding:
        budgets = list(_limited)
    return all(budget._memory(bytes_needed) <= (budget.memory_limit or 0) for budget in budgets)


def peak_memory() -> int:
    """Peak resident memory of this process in bytes."""
    # `getrusage` says more where the process that began this one was larger
    with suppress(OSError, ValueError, IndexError):
        return int(_read("/proc/self/status").partition(b"VmHWM:")[2].split()[0]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def current_memory() -> int:
    """Resident memory of this process in bytes; its peak where the system does not say."""
    try:
        return int(_read("/proc/self/statm").split()[1]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return peak_memory()


def _read(path: str) -> bytes:
    file = os.open(path, os.O_RDONLY)  # a third of the cost of a file object
    try:
        return os.read(file, 1 << 13)
    finally:
        os.close(file)
