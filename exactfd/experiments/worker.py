"""What happens in a worker process: one network at a time, drawn and measured, within its limits.

Nothing here knows of the store. A worker that its driver leaves behind ends by itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import platform
import resource
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from itertools import pairwise
from multiprocessing import parent_process
from multiprocessing.connection import wait as wait_for

from exactfd import __version__
from exactfd.budget import current_memory
from exactfd.errors import BudgetExceeded, InputError
from exactfd.experiments.measures import MEASURES, Document, nothing_known
from exactfd.experiments.samplers import Law, sample
from exactfd.experiments.specification import Limits, Measure, text_of
from exactfd.experiments.stages import stages
from exactfd.experiments.store import Row
from exactfd.network import Network, OutputActivation

_GRACE = 30.0  # seconds beyond its limits after which a network that heeds none of them is stopped
_ROOM = 1 << 30  # bytes of address space beyond the limit on memory: what is reserved is not all used
_LEFT_BEHIND = 64 << 20  # bytes that a network may leave in the heap of its worker
_SMALL = 10**5  # parameters of a network that the driver may draw
ENOUGH = 1.0  # seconds after which no further network of a task is begun: it was to take much less


@dataclass(frozen=True, slots=True)
class Job:
    """One network of a campaign and the measures that it lacks."""

    architecture: tuple[int, ...]
    law_name: str
    law: Law
    output_activation: OutputActivation
    seed: int
    number: int
    measures: tuple[Measure, ...]
    limits: Limits

    @property
    def most_seconds(self) -> float:
        """When a worker that still runs is stopped from outside."""
        return self.limits.time * len(self.measures) * 2 + _GRACE

    def network(self) -> Network:
        """The network, drawn (and not trained yet)."""
        return sample(
            self.architecture,
            self.law,
            seed=self.seed,
            number=self.number,
            output_activation=self.output_activation,
        )

    def __str__(self) -> str:
        return f"network {self.number} of the law {self.law_name} at ({text_of(self.architecture)})"


def work(job: Job) -> list[Row]:
    """Draw the network and take its measures, one row each."""
    if _IN_OWN_PROCESS:  # ends even a call that never comes back to Python: the default of SIGALRM ends the process
        signal.setitimer(signal.ITIMER_REAL, job.most_seconds)
        _give_back()
    try:
        rows: list[Row] = []
        start = time.perf_counter()
        for stage in stages(job):
            network = None if stage.context is None else stage.context.network
            for measure in stage.measures:
                try:
                    document = nothing_known(stage.reason)
                    if stage.context is not None:
                        document = MEASURES[measure.kind](stage.context, measure)
                except (BudgetExceeded, MemoryError, InputError) as error:  # too large, one way or another
                    document = nothing_known(str(error) or "no memory was left (limits.memory)")
                end = time.perf_counter()
                rows.append(_row(job, network, measure, document, end - start))
                start = end
        return rows
    finally:
        if _IN_OWN_PROCESS:
            signal.setitimer(signal.ITIMER_REAL, 0)


def attempt(job: Job) -> list[Row] | str:
    """The rows of one network, or what went wrong, in words: an exception might not cross to another process."""
    try:
        return work(job)
    except (Exception, SystemExit) as error:  # a bug: the campaign goes on, and says so in the end
        return in_words(error)


def work_through(jobs: Sequence[Job]) -> list[list[Row] | str]:
    """One network after the other: for each its rows, or what went wrong, in words.

    Networks that turn out to be long are handed back: the list then ends before the jobs do.
    """
    found: list[list[Row] | str] = []
    end = time.monotonic() + ENOUGH
    for job in jobs:
        if found and time.monotonic() > end:
            break
        found.append(attempt(job))
    return found


def in_words(error: BaseException) -> str:
    """What a failure is called in the summary of a campaign."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # an error with a bug of its own
        return type(error).__name__


def given_up(job: Job, reason: str, seconds: float) -> list[Row]:
    """The rows of a network that came to no end: nothing is known, and ``limit`` says why. A network that is large is
    not drawn again for its digest.
    """
    parameters = sum(n * (m + 1) for m, n in pairwise(job.architecture))
    network = None
    if job.law.training is None and parameters <= _SMALL:
        with contextlib.suppress(InputError, MemoryError):  # that may be what it was given up for
            network = job.network()
    document = nothing_known(reason)
    return [_row(job, network, measure, document, seconds / len(job.measures)) for measure in job.measures]


def _row(job: Job, network: Network | None, measure: Measure, document: Document, seconds: float) -> Row:
    return Row(
        architecture=text_of(job.architecture),
        law=job.law_name,
        number=job.number,
        measure=measure.name,
        digest="" if network is None else network.digest,
        seed=job.seed,
        versions=versions(),
        status=document["status"],
        seconds=round(seconds, 6),
        value=json.dumps({key: value for key, value in document.items() if key != "status"}),
    )


@cache
def versions() -> str:
    """Of the programs that an answer rests on, as JSON."""
    return json.dumps(
        {
            "exactfd": __version__,
            "python": platform.python_version(),
            "python-flint": version("python-flint"),
            "numpy": version("numpy"),
        }
    )


# --------------------------------------------------------------------------- a process of our own

_IN_OWN_PROCESS = False
_at_start = 0  # bytes before the first network


def start(memory: int) -> None:
    """First thing in a worker process: deaf to Ctrl-C, bounded in memory, and gone when its driver is."""
    global _IN_OWN_PROCESS
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver decides
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    _bound_memory(memory)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    _IN_OWN_PROCESS = True


def _end_with(sentinel: int) -> None:
    wait_for([sentinel])
    os._exit(1)


def _bound_memory(memory: int) -> None:
    """Let no allocation go far beyond the limit, whatever asks for it."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            reserved = int(file.read().split()[0]) * resource.getpagesize()
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        most = reserved + memory + _ROOM
        resource.setrlimit(resource.RLIMIT_AS, (most if hard < 0 else min(most, hard), hard))
    except (OSError, ValueError, IndexError, OverflowError):
        return  # a system without /proc: the checks of the budget remain


def _give_back() -> None:
    """Return the free memory of a large network to the system."""
    global _at_start
    _at_start = _at_start or current_memory()
    if current_memory() > _at_start + _LEFT_BEHIND:
        gc.collect()
        with contextlib.suppress(OSError, AttributeError):  # a C library without it
            ctypes.CDLL(None).malloc_trim(0)
        _at_start = max(_at_start, current_memory())  # modules and compiled loops stay: there is no use in asking again


def alive() -> bool:
    """A sign of life."""
    return True
