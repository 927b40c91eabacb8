"""A process for one task at a time, beside a worker of a cluster, which is not ours to bound or to kill.

The worker of the cluster waits. Its companion has the limits of :mod:`exactfd.experiments.worker`: bounded memory, one
BLAS thread, an end when it heeds no limit, an end when the worker is gone. Whatever happens to it, a network of this
task is to blame. (A worker of Dask is a daemon, which :mod:`multiprocessing` lets have no children.)
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

from exactfd.experiments.worker import in_words, start, versions
from exactfd.processes import THREADS

_CODE = "from exactfd.experiments.apart import companion; companion()"
_GRACE = 2.0  # seconds that a companion has to end by its own alarm
_START = 120.0  # seconds that a companion has to begin: a shared disk can be slow
_STARTS = 3  # of them that may fail one after the other
_WAIT = 1e6  # seconds of one wait: not all that a specification may ask for fit into the system's counter
_IDLE = 60.0  # seconds without work after which a companion ends; after half of them it is given no more


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a task: a value, or words about what went wrong. It crosses the network, so nothing else.

    Attributes
    ----------
    value
        What the function gave: rows.
    failure
        Why there are none.
    seconds, late
        As in :class:`exactfd.experiments.executors.NetworkFailed`.
    unfit
        Why this worker did not even try.
    """

    value: Any = None
    failure: str | None = None
    seconds: float = 0.0
    late: bool = False
    unfit: str | None = None


def run_apart(function: Any, argument: Any, memory: int, most_seconds: float, expected: str) -> Outcome:
    """``function(argument)`` in a companion of this process, which must have the ``expected`` versions.

    ``memory`` is what the companion may add, in bytes; after ``most_seconds`` it is killed.
    """
    found = versions_here()
    if found != expected:
        return Outcome(unfit=f"expected what the driver has, {expected}, found {found}")
    try:
        companion = _taken(memory)
    except OSError as error:
        return Outcome(unfit=f"expected to start a process beside it, found: {error}")
    outcome = companion.run(function, argument, most_seconds)
    if companion.usable:
        _give_back(companion)
    return outcome


@cache
def versions_here() -> str:
    """What must be the same on the driver and on every worker: samples and pickles depend on it.

    The last number of Python's version may differ.
    """
    found = json.loads(versions())
    found["python"] = found["python"].rpartition(".")[0]
    found["distributed"] = version("distributed")
    return ", ".join(f"{name} {number}" for name, number in found.items())


# --------------------------------------------------------------------------- on the side of the worker


class Companion:
    """A process of our own that does one thing at a time.

    Parameters
    ----------
    memory
        Bytes that it may add.

    Raises
    ------
    OSError
        It did not come to life.
    """

    def __init__(self, memory: int) -> None:
        self.memory = memory
        self.usable = True
        self.since = time.monotonic()
        self._ours, theirs = Pipe()
        path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _CODE, str(theirs.fileno()), str(memory)],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.PIPE,  # closed by the system when this process ends, however it ends
                env={**os.environ, **dict.fromkeys(THREADS, "1"), "PYTHONPATH": path},
            )
        try:
            if not self._ours.poll(_START):
                raise TimeoutError(f"it did not begin within {_START:g} s")
            self._ours.recv()  # imports do not count for the first network
        except (EOFError, OSError) as error:
            self.end()
            raise OSError(str(error) or "it ended at once") from None

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def run(self, function: Any, argument: Any, most_seconds: float) -> Outcome:
        """``function(argument)``, both picklable, or why there is no result."""
        begin = time.monotonic()
        try:
            self._ours.send((function, argument))
            if self._answers(begin + most_seconds + _GRACE):
                value, failure = self._ours.recv()
                self.since = time.monotonic()
                return Outcome(value, failure, self.since - begin)
            reason = "it heeded no limit"
        except (EOFError, OSError):
            reason = "its process was killed, or died"
        seconds = time.monotonic() - begin
        self.end()
        return Outcome(failure=reason, seconds=seconds, late=seconds >= most_seconds)

    def _answers(self, deadline: float) -> bool:
        """Whether it does before the deadline, which may be months away: the system waits for less at a time."""
        while not self._ours.poll(max(0.0, min(deadline - time.monotonic(), _WAIT))):
            if time.monotonic() >= deadline:
                return False
        return True

    def end(self) -> None:
        """Kill it."""
        self.usable = False
        self._process.kill()
        self._process.wait()
        self._ours.close()
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()


_idle: list[Companion] = []
_idle_lock = threading.Lock()  # a worker of Dask may have several threads


def _taken(memory: int) -> Companion:
    """An idle companion with that limit, or a new one. What was idle for long, or has another limit, is ended."""
    with _idle_lock:
        fresh = time.monotonic() - _IDLE / 2
        good = [companion for companion in _idle if companion.memory == memory and companion.since > fresh]
        bad = [companion for companion in _idle if companion not in good]
        taken = good.pop() if good else None
        _idle[:] = good
    for companion in bad:
        companion.end()
    return taken or _started(memory)


def _started(memory: int) -> Companion:
    for _ in range(_STARTS - 1):
        with contextlib.suppress(OSError):  # killed while it began
            return Companion(memory)
    return Companion(memory)


def _give_back(companion: Companion) -> None:
    with _idle_lock:
        _idle.append(companion)


# --------------------------------------------------------------------------- on the other side


def companion() -> None:
    """The main function of the process."""
    descriptor, memory = map(int, sys.argv[1:])
    connection = Connection(descriptor)
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    start(memory)
    connection.send("ready")
    while connection.poll(_IDLE):
        try:
            function, argument = connection.recv()
            answer: tuple[Any, str | None] = (function(argument), None)
        except EOFError:
            return
        except Exception as error:  # the driver says it in the end
            answer = (None, in_words(error))
        connection.send(answer)


def _end_with_stdin() -> None:
    os.read(0, 1)
    os._exit(1)
