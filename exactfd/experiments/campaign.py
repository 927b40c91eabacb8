"""Run a campaign: every network of a specification measured once, whatever happens in between.

The driver hands out networks, a few more than there are workers, and writes what comes back; only the driver touches
the store. Networks that take milliseconds are handed to a process some at a time. A worker that dies takes its pool
with it: the networks that were under way are then tried one at a time, so that the one to blame is known, and only that
one is given up after some tries (recorded as ``bounds``). An executor that is gone is no network's fault: what was
under way is begun again.
"""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError
from dataclasses import dataclass
from itertools import islice
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any

from exactfd.budget import Progress, silent
from exactfd.errors import ExactFDError, InputError
from exactfd.experiments.executors import (
    Executor,
    ExecutorLost,
    ManagedExecutor,
    NetworkFailed,
    Processes,
    UnfitWorker,
    WorkerDied,
    processors,
)
from exactfd.experiments.specification import Specification, text_of
from exactfd.experiments.store import Row, Store
from exactfd.experiments.worker import Job, attempt, given_up, in_words, work_through
from exactfd.io.files import StrPath

_AHEAD = 2  # tasks under way for each worker: none waits for the driver, few networks are lost with it
_TASK = 0.05  # seconds of work in a task where networks are short: handing one out costs half a millisecond
_MOST = 50  # networks in a task
_PAUSE = 0.2  # seconds after which the driver looks up, for an interrupt
_UNWRITTEN = (
    0.1  # seconds after which a result is written with those that came meanwhile: a commit costs more than a row
)
_ONE_SIGNAL = 0.5  # seconds within which two interrupts are one: `timeout` sends two
_BLOCK = 1000  # networks of each architecture and law that are looked up together
RETRIES = 3


@dataclass(frozen=True, slots=True)
class Summary:
    """How a run ended.

    Attributes
    ----------
    networks
        Of the specification.
    before, done
        Networks whose measures were all there before the run, and that the run added (some measures, at least).
    bounds
        Rows of this run with the status ``bounds``.
    given_up
        Networks of this run that killed their worker, or failed, each time: what it was, in words.
    interrupted
        Whether the run ended before the campaign did.
    seconds
        Of wall-clock time.
    """

    networks: int
    before: int
    done: int
    bounds: int
    given_up: tuple[str, ...]
    interrupted: bool
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """The keys of ``exactfd experiment run --json``."""
        return {
            "networks": self.networks,
            "done_before": self.before,
            "done": self.done,
            "left": self.networks - self.before - self.done,
            "bounds": self.bounds,
            "given_up": list(self.given_up),
            "interrupted": self.interrupted,
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True, slots=True)
class State:
    """How far a run is.

    Attributes
    ----------
    networks, before, done, bounds
        As in :class:`Summary`, so far.
    given_up
        How many networks were given up.
    under_way, workers
        Networks that are handed out, and how many the executor does at once.
    """

    networks: int
    before: int
    done: int
    bounds: int
    given_up: int
    under_way: int
    workers: int


def run_campaign(
    specification: Specification,
    store: StrPath,
    *,
    workers: int | None = None,
    executor: Executor | None = None,
    retries: int = RETRIES,
    progress: Progress = silent,
    watch: Callable[[State], object] | None = None,
) -> Summary:
    """Measure every network of a specification that the store does not hold yet.

    Parameters
    ----------
    specification
        See :func:`exactfd.experiments.read_specification`.
    store
        The file, made if it is not there. A store that was filled from another specification is refused, unless that
        one is a part of this one: more networks, architectures, laws or measures may be asked for.
    workers
        Processes; by default as many as there are processors to use.
    executor
        A :class:`exactfd.experiments.Cluster`, or anything with ``submit`` instead of processes of our own; for the
        latter ``workers`` says how many networks it does at once, limits on time and memory are checked by the measures
        alone, and nothing restarts it when it breaks.
    retries
        How often a network is tried again that killed its worker or failed.
    progress
        Called as ``progress("networks", done, total)``.
    watch
        Called with the :class:`State` a few times a second.

    Raises
    ------
    InputError
        A store that is none, in use, not writable, or filled from another specification; a worker of a cluster with
        other versions.
    ExactFDError
        No worker can be had any more.

    Notes
    -----
    The first Ctrl-C lets the networks under way finish, the second one does not. Scripts that run a campaign in
    processes of our own need ``if __name__ == "__main__":`` around the call, as for :mod:`multiprocessing`.
    """
    count = workers if workers is not None else processors()
    if count < 1:
        raise InputError(f"workers: expected a positive number, found {workers}")
    with Store(store, write=True) as opened:
        _check_growth(opened, specification)
        engine = _Engine(specification, opened, retries, progress, watch)
        if executor is not None:
            return engine.run(executor if isinstance(executor, ManagedExecutor) else _Fixed(executor, count))
        with Processes(count, specification.limits.memory) as processes:
            return engine.run(processes)


# --------------------------------------------------------------------------- what may change


def _check_growth(store: Store, specification: Specification) -> None:
    """Raise ``InputError`` unless the store is new, or holds a part of the campaign."""
    old, new = store.specification, specification.to_dict()
    if old is not None:
        for place, before, after in _changes(old, new, ""):
            raise InputError(
                f"{store.path}: expected the specification that the store was filled from, found another: "
                f"{place} was {before} and is {after}; name another store, or restore the specification "
                "(more networks, architectures, laws and measures may be added, nothing else may change)"
            )
    if old != new:
        store.set_specification(new)


def _changes(old: Any, new: Any, place: str) -> Iterator[tuple[str, Any, Any]]:
    """What is neither the same nor an addition. Numbers of networks may grow, and the name says nothing."""
    if isinstance(old, dict) and isinstance(new, dict):
        grows = place in ("", "architectures", "laws", "measures")
        for key in [*old, *(key for key in new if key not in old and not grows)]:
            where = f"{place}.{key}" if place else key
            if key not in old or key not in new:
                yield where, "there" if key in old else "not there", "there" if key in new else "not there"
            else:
                yield from _changes(old[key], new[key], where)
    elif old != new and place != "name" and not (place.startswith("architectures.") and new > old):
        yield place, old, new


# --------------------------------------------------------------------------- the engine


class _Interrupts:
    """Within the block the first Ctrl-C sets ``wanted``; a later one is a ``KeyboardInterrupt``, as ever."""

    def __init__(self) -> None:
        self.wanted = False
        self._first = 0.0
        self._before: Any = None

    def _note(self, number: int, frame: FrameType | None) -> None:
        if not self.wanted:
            self.wanted, self._first = True, time.monotonic()
        elif time.monotonic() > self._first + _ONE_SIGNAL:
            raise KeyboardInterrupt

    def __enter__(self) -> _Interrupts:
        in_main = threading.current_thread() is threading.main_thread()
        if in_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *error: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)


@dataclass(frozen=True, slots=True)
class _UnderWay:
    future: Any  # kept, so that its identity is its own
    jobs: tuple[Job, ...]
    begin: float
    alone: bool  # nothing else was under way: a worker that dies, dies of this


class _Fixed:
    """An executor of somebody else, about which nothing is known."""

    def __init__(self, executor: Executor, count: int) -> None:
        self._executor, self._count = executor, count

    def submit(self, function: Any, argument: Any, /) -> Any:
        return self._executor.submit(function, argument)

    def workers(self) -> int:
        return self._count

    def renew(self) -> None:
        raise ExactFDError("the executor is broken; what had been finished is in the store, and a new run goes on")


class _Engine:
    """One run over the networks of a specification."""

    def __init__(
        self,
        specification: Specification,
        store: Store,
        retries: int,
        progress: Progress,
        watch: Callable[[State], object] | None,
    ) -> None:
        self._specification, self._store, self._retries = specification, store, retries
        self._progress, self._watch = progress, watch
        self._before = sum(entry.networks for entry in store.counts(len(specification.measures)))
        self._done = self._bounds = 0
        self._given_up: list[str] = []
        self._unwritten: list[Row] = []
        self._written = time.monotonic()
        self._finished: SimpleQueue[Any] = SimpleQueue()
        self._under_way: dict[int, _UnderWay] = {}  # by the identity of its future
        self._again: deque[Job] = deque()  # to be handed out once more
        self._suspects: deque[Job] = deque()  # under way when a worker died: to be tried alone
        self._failures: dict[Job, int] = {}
        self._broken = False
        self._workers = 0
        self._seconds = math.inf  # of a network, on an average of the last ones

    def run(self, executor: ManagedExecutor) -> Summary:
        """All networks, until the end or an interrupt."""
        begin = time.monotonic()
        jobs = self._jobs()
        with _Interrupts() as interrupts:
            try:
                while True:
                    if self._broken and not self._under_way and not interrupts.wanted:
                        executor.renew()
                        self._broken = False
                    self._workers = executor.workers()
                    if not interrupts.wanted:
                        self._hand_out(executor, jobs)
                    if self._under_way:
                        self._collect()
                    elif interrupts.wanted or not self._broken:
                        break
            finally:  # also before an error, or an interrupt
                self._write()
        self._report()
        return Summary(
            self._specification.networks,
            self._before,
            self._done,
            self._bounds,
            tuple(self._given_up),
            interrupts.wanted and self._before + self._done < self._specification.networks,
            time.monotonic() - begin,
        )

    def _jobs(self) -> Iterator[Job]:
        """What is left to do: the first network of every architecture and law, then the second ones, and so on.

        However early a campaign ends, it then has about as many networks of each.
        """
        spec, groups = self._specification, list(self._specification.groups())
        most = max(count for _, _, count in groups)
        for low in range(0, most, _BLOCK):
            high = min(low + _BLOCK, most)
            done = [self._store.done(text_of(architecture), law, low, high) for architecture, law, _ in groups]
            for number in range(low, high):
                for (architecture, law, count), there in zip(groups, done, strict=True):
                    measures = tuple(m for m in spec.measures if m.name not in there.get(number, ()))
                    if number < count and measures:
                        yield Job(
                            architecture,
                            law,
                            spec.laws[law],
                            spec.output_activation,
                            spec.seed,
                            number,
                            measures,
                            spec.limits,
                        )

    def _hand_out(self, executor: ManagedExecutor, jobs: Iterator[Job]) -> None:
        """Keep the workers busy; one job at a time where a worker has died."""
        while not self._broken:
            if self._suspects:
                if not self._under_way:
                    self._submit(executor, (self._suspects.popleft(),), alone=True)
                return
            if len(self._under_way) >= self._workers * _AHEAD:
                return
            if self._again:
                task: tuple[Job, ...] = (self._again.popleft(),)
            else:
                task = tuple(islice(jobs, self._size() if getattr(executor, "takes_several", False) else 1))
            if not task:
                return
            self._submit(executor, task, alone=False)

    def _size(self) -> int:
        """How many networks make a task."""
        return int(min(max(_TASK / max(self._seconds, 1e-9), 1), _MOST))

    def _submit(self, executor: Executor, task: tuple[Job, ...], *, alone: bool) -> None:
        try:
            future = executor.submit(attempt, task[0]) if len(task) == 1 else executor.submit(work_through, task)
        except BrokenExecutor:
            (self._suspects if alone else self._again).extend(task)
            self._broken = True
            return
        self._under_way[id(future)] = _UnderWay(future, task, time.monotonic(), alone)
        future.add_done_callback(self._finished.put)

    def _collect(self) -> None:
        """Wait for some results; write down what was not for a while."""
        with contextlib.suppress(Empty):
            future = self._finished.get(timeout=_UNWRITTEN if self._unwritten else _PAUSE)
            while True:
                self._unwritten += self._rows_of(future)
                future = self._finished.get_nowait()
        if time.monotonic() > self._written + _UNWRITTEN:
            self._write()
            self._report()

    def _write(self) -> None:
        """What is not in the store yet, in one transaction."""
        self._written = time.monotonic()
        if self._unwritten:
            rows, self._unwritten = self._unwritten, []
            self._store.add(rows)
            self._bounds += sum(row.status == "bounds" for row in rows)

    def _report(self) -> None:
        self._progress("networks", self._before + self._done, self._specification.networks)
        if self._watch is not None:
            self._watch(self._state())

    def _state(self) -> State:
        counts = self._before, self._done, self._bounds, len(self._given_up), self._networks_under_way()
        return State(self._specification.networks, *counts, self._workers)

    def _networks_under_way(self) -> int:
        return sum(len(under_way.jobs) for under_way in self._under_way.values())

    def _rows_of(self, future: Any) -> list[Row]:
        """What came back; nothing of jobs that are to be tried again."""
        under_way = self._under_way.pop(id(future))
        jobs, seconds = under_way.jobs, time.monotonic() - under_way.begin
        try:
            found = future.result()
        except (ExecutorLost, CancelledError):
            self._broken = True
            (self._suspects if under_way.alone else self._again).extend(jobs)
            return []
        except (BrokenExecutor, WorkerDied) as error:
            of_ours = isinstance(error, BrokenExecutor)  # on a cluster it may have waited for a worker
            self._broken |= of_ours
            if not under_way.alone:
                self._suspects.extend(jobs)
                return []
            reason = "its worker process was killed, or died" if of_ours else str(error)
            late = of_ours and seconds >= jobs[0].most_seconds
            return self._failed(jobs[0], self._suspects, late, reason, seconds)
        except NetworkFailed as error:
            if len(jobs) > 1:  # which one is not known: each is a task by itself now
                self._again.extend(jobs)
                return []
            return self._failed(jobs[0], self._again, error.late, str(error), error.seconds)
        except UnfitWorker as error:
            raise InputError(f"{error}; what is finished is in the store, and a new run goes on") from None
        except Exception as error:  # a bug: the campaign goes on, and says so in the end
            found = in_words(error)
            if len(jobs) > 1:
                self._again.extend(jobs)
                return []
        found = [found] if len(jobs) == 1 else found
        self._again.extend(jobs[len(found) :])  # not begun: networks before them were long
        rows: list[Row] = []
        for job, outcome in zip(jobs, found, strict=False):
            if isinstance(outcome, str):
                rows += self._failed(job, self._again, False, outcome, seconds / len(jobs))
            else:
                self._done += 1
                self._note_seconds(sum(row.seconds for row in outcome))
                rows += outcome
        return rows

    def _note_seconds(self, seconds: float) -> None:
        self._seconds = seconds if self._seconds == math.inf else 0.9 * self._seconds + 0.1 * seconds

    def _failed(self, job: Job, again: deque[Job], late: bool, reason: str, seconds: float) -> list[Row]:
        """To be tried again, or given up."""
        self._failures[job] = self._failures.get(job, 0) + 1
        if self._failures[job] <= self._retries and not late:
            again.append(job)
            return []
        return self._gave_up(job, late, reason, seconds)

    def _gave_up(self, job: Job, late: bool, reason: str, seconds: float) -> list[Row]:
        what = f"stopped after {seconds:.0f} s" if late else f"given up after {self._failures[job]} tries: {reason}"
        self._given_up.append(f"{job}: {what}")
        self._done += 1
        return given_up(job, what, seconds)
