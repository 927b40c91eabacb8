"""Run a campaign: every network of a specification measured once, whatever happens in between.

The driver hands out networks, a few more than there are workers, and writes what comes back; only the driver touches
the store. A worker that dies takes its pool with it: the networks that were under way are then tried one at a time, so
that the one to blame is known, and only that one is given up after some tries (recorded as ``bounds``).
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any, Protocol

from exactfd.budget import Progress, silent
from exactfd.errors import ExactFDError, InputError
from exactfd.experiments.specification import Specification, text_of
from exactfd.experiments.store import Row, Store
from exactfd.experiments.worker import Job, alive, given_up, start, work
from exactfd.io.files import StrPath

_AHEAD = 2  # networks under way for each worker: none waits for the driver, few are lost with it
_PAUSE = 0.2  # seconds after which the driver looks up, for an interrupt
_ONE_SIGNAL = 0.5  # seconds within which two interrupts are one: `timeout` sends two
_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
_BLOCK = 1000  # networks of each architecture and law that are looked up together
_STARTS = 10  # pools that may die at once, one after the other
RETRIES = 3


class Future(Protocol):
    """What the engine needs of a future (those of the standard library and of Dask have it)."""

    def result(self) -> Any:
        """The result, or the exception."""

    def add_done_callback(self, callback: Any, /) -> Any:
        """Call ``callback(future)`` when it is done."""


class Executor(Protocol):
    """Where the work is done: anything with ``submit`` that takes a function and its argument, both picklable."""

    def submit(self, function: Any, argument: Any, /) -> Any:
        """Begin, and give a :class:`Future`."""


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


def run_campaign(
    specification: Specification,
    store: StrPath,
    *,
    workers: int | None = None,
    executor: Executor | None = None,
    retries: int = RETRIES,
    progress: Progress = silent,
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
        Anything with ``submit`` instead of processes of our own; ``workers`` then says how many networks it does at
        once. Limits on time and memory are then checked by the measures alone, and nothing restarts it when it breaks.
    retries
        How often a network is tried again that killed its worker or failed.
    progress
        Called as ``progress("networks", done, total)``.

    Notes
    -----
    The first Ctrl-C lets the networks under way finish, the second one does not. Scripts that run a campaign in
    processes of our own need ``if __name__ == "__main__":`` around the call, as for :mod:`multiprocessing`.
    """
    count = workers if workers is not None else _processors()
    if count < 1:
        raise InputError(f"workers: expected a positive number, found {workers}")
    with Store(store, write=True) as opened:
        _check_growth(opened, specification)
        engine = _Engine(specification, opened, count, retries, progress)
        with contextlib.ExitStack() as stack:
            if executor is None:
                executor = stack.enter_context(_Processes(count, specification.limits.memory))
            return engine.run(executor)


def _processors() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


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


# --------------------------------------------------------------------------- processes


class _Processes:
    """A pool of processes that can be made anew after a worker has died."""

    def __init__(self, count: int, memory: int) -> None:
        self._count, self._memory = count, memory
        self._pool = self._made()

    def _made(self) -> ProcessPoolExecutor:
        # spawned, not forked: threads of this process and its lock on the store stay here
        return ProcessPoolExecutor(
            self._count, mp_context=get_context("spawn"), initializer=start, initargs=(self._memory,)
        )

    def __enter__(self) -> _Processes:
        return self

    def __exit__(self, *error: object) -> None:
        self._end()

    def submit(self, function: Any, argument: Any, /) -> Any:
        """Begin; the first call also starts the processes, each with one BLAS thread."""
        with _one_thread_each():
            return self._pool.submit(function, argument)

    def renew(self) -> None:
        """Another pool in place of a broken one. Raises ``ExactFDError`` when its workers die at once."""
        for _ in range(_STARTS):
            self._end()
            self._pool = self._made()
            try:
                with _one_thread_each():
                    sign = self._pool.submit(alive)
                sign.result()
                return
            except BrokenExecutor:
                continue
        raise ExactFDError(
            f"worker processes end as soon as they begin ({_STARTS} times); a script that runs a campaign needs "
            '`if __name__ == "__main__":` around the call, and the machine needs memory for its workers; '
            "what is finished is in the store, and a new run goes on"
        )

    def _end(self) -> None:
        processes = list((self._pool._processes or {}).values())
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


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
    job: Job
    begin: float
    alone: bool  # nothing else was under way: a worker that dies, dies of this


class _Engine:
    """One run over the networks of a specification."""

    def __init__(
        self, specification: Specification, store: Store, workers: int, retries: int, progress: Progress
    ) -> None:
        self._specification, self._store, self._progress = specification, store, progress
        self._ahead, self._retries = workers * _AHEAD, retries
        self._before = sum(entry.networks for entry in store.counts(len(specification.measures)))
        self._done = self._bounds = 0
        self._given_up: list[str] = []
        self._finished: SimpleQueue[Any] = SimpleQueue()
        self._under_way: dict[int, _UnderWay] = {}  # by the identity of its future
        self._suspects: deque[Job] = deque()  # under way when a worker died
        self._failures: dict[Job, int] = {}
        self._pool_is_broken = False

    def run(self, executor: Executor) -> Summary:
        """All networks, until the end or an interrupt."""
        begin = time.monotonic()
        jobs = self._jobs()
        with _Interrupts() as interrupts:
            while True:
                if not interrupts.wanted:
                    if self._pool_is_broken and not self._under_way:
                        self._renew(executor)
                    self._hand_out(executor, jobs)
                if self._under_way:
                    self._collect()
                elif interrupts.wanted or not self._pool_is_broken:
                    break
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

    def _hand_out(self, executor: Executor, jobs: Iterator[Job]) -> None:
        """Keep the workers busy; one job at a time where a worker has died."""
        while not self._pool_is_broken:
            if self._suspects:
                if not self._under_way:
                    self._submit(executor, self._suspects.popleft(), alone=True)
                return
            if len(self._under_way) >= self._ahead:
                return
            job = next(jobs, None)
            if job is None:
                return
            self._submit(executor, job, alone=False)

    def _submit(self, executor: Executor, job: Job, *, alone: bool) -> None:
        try:
            future = executor.submit(work, job)
        except BrokenExecutor:
            self._suspects.append(job)
            self._pool_is_broken = True
            return
        self._under_way[id(future)] = _UnderWay(future, job, time.monotonic(), alone)
        future.add_done_callback(self._finished.put)

    def _renew(self, executor: Executor) -> None:
        if not isinstance(executor, _Processes):
            raise ExactFDError("the executor is broken; what had been finished is in the store, and a new run goes on")
        executor.renew()
        self._pool_is_broken = False

    def _collect(self) -> None:
        """Wait for some results and write them down together."""
        rows: list[Row] = []
        with contextlib.suppress(Empty):
            future = self._finished.get(timeout=_PAUSE)
            while True:
                rows += self._rows_of(future)
                future = self._finished.get_nowait()
        if rows:
            self._store.add(rows)
            self._bounds += sum(row.status == "bounds" for row in rows)
        self._progress("networks", self._before + self._done, self._specification.networks)

    def _rows_of(self, future: Any) -> list[Row]:
        """What came back; nothing where the job is to be tried again."""
        under_way = self._under_way.pop(id(future))
        job, seconds = under_way.job, time.monotonic() - under_way.begin
        try:
            rows: list[Row] = future.result()
        except BrokenExecutor:
            self._pool_is_broken = True
            if not under_way.alone:
                self._suspects.append(job)
                return []
            return self._failed(job, "its worker process was killed, or died", seconds)
        except Exception as error:  # a bug, or a cancelled future: the campaign goes on, and says so in the end
            return self._failed(job, f"{type(error).__name__}: {error}", seconds)
        self._done += 1
        return rows

    def _failed(self, job: Job, reason: str, seconds: float) -> list[Row]:
        """Try again, or give up."""
        self._failures[job] = self._failures.get(job, 0) + 1
        late = seconds >= job.most_seconds
        if self._failures[job] <= self._retries and not late:
            self._suspects.append(job)
            return []
        what = f"stopped after {seconds:.0f} s" if late else f"given up after {self._failures[job]} tries: {reason}"
        self._given_up.append(f"{job}: {what}")
        self._done += 1
        return given_up(job, what, seconds)
