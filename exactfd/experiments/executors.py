"""Where the work of a campaign is done: what the engine asks of an executor, and the processes of this machine."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from multiprocessing import get_context, resource_tracker
from typing import Any, Protocol, runtime_checkable

from exactfd.errors import ExactFDError
from exactfd.experiments.worker import alive, start
from exactfd.processes import THREADS, interrupts_wait

_STARTS = 10  # pools that may die at once, one after the other


class Future(Protocol):
    """What the engine needs of a future (those of the standard library and of Dask have it)."""

    def result(self) -> Any:
        """The result, or the exception."""

    def add_done_callback(self, callback: Any, /) -> Any:
        """Call ``callback(future)`` when it is done."""


class Executor(Protocol):
    """Anything with ``submit`` that takes a function and its argument, both picklable."""

    def submit(self, function: Any, argument: Any, /) -> Any:
        """Begin, and give a :class:`Future`."""


@runtime_checkable
class ManagedExecutor(Executor, Protocol):
    """An executor that knows its size and can be mended.

    One with an attribute ``takes_several`` that is true is handed short networks some at a time: its ``submit`` is then
    called with a function of one job and a job, or with a function of some jobs and a tuple of them.
    """

    def workers(self) -> int:
        """How many networks it does at once: now, for it may change. Cheap enough to be asked all the time."""

    def renew(self) -> None:
        """Make a broken one usable again. Raises ``ExactFDError`` when that fails."""


class WorkerDied(Exception):
    """A worker died with this network and maybe with others: which one is to blame is not known."""


class ExecutorLost(BrokenExecutor):
    """The executor is gone, and no network is to blame."""


class NetworkFailed(Exception):
    """A network failed, or killed the process that its task had for itself.

    Attributes
    ----------
    seconds
        That it took, waiting not counted.
    late
        Whether it was stopped because it heeded no limit.
    """

    def __init__(self, reason: str, seconds: float, *, late: bool) -> None:
        super().__init__(reason)
        self.seconds, self.late = seconds, late


class UnfitWorker(Exception):
    """A worker that cannot do this campaign: other versions, no exactfd."""


def processors() -> int:
    """How many this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


class Processes:
    """A pool of processes that can be made anew after a worker has died."""

    takes_several = True

    def __init__(self, count: int, memory: int) -> None:
        self._count, self._memory = count, memory
        self._pool = self._made()

    def _made(self) -> ProcessPoolExecutor:
        # spawned, not forked: threads of this process and its lock on the store stay here
        return ProcessPoolExecutor(
            self._count, mp_context=get_context("spawn"), initializer=start, initargs=(self._memory,)
        )

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *error: object) -> None:
        self._end()

    def workers(self) -> int:
        """As many as there were to be."""
        return self._count

    def submit(self, function: Any, argument: Any, /) -> Any:
        """Begin; the first calls also start the processes, each with one BLAS thread."""
        with contextlib.nullcontext() if len(self._pool._processes or ()) == self._count else _starting():
            return self._pool.submit(function, argument)

    def renew(self) -> None:
        """Another pool in place of a broken one. Raises ``ExactFDError`` when its workers die at once."""
        for _ in range(_STARTS):
            self._end()
            self._pool = self._made()
            try:
                with _starting():
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
def _starting() -> Iterator[None]:
    """Processes that are started in the block have one BLAS thread, and no Ctrl-C reaches them."""
    resource_tracker.ensure_running()  # it lets interrupts through again when it is started
    with one_thread_each(), interrupts_wait():
        yield


@contextlib.contextmanager
def one_thread_each() -> Iterator[None]:
    """Processes that are started in the block have one BLAS thread."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
