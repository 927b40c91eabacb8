"""Campaigns on a cluster of Dask: an executor for :func:`exactfd.experiments.run_campaign`.

Each thread of a Dask worker has a process of its own beside it for one task at a time (``apart.py``): limits on time
and memory hold as on one machine, and no network can take a worker of the cluster with it.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any

from exactfd.errors import ExactFDError, InputError, MissingExtraError
from exactfd.experiments.apart import Outcome, run_apart, versions_here
from exactfd.experiments.executors import (
    ExecutorLost,
    NetworkFailed,
    UnfitWorker,
    WorkerDied,
    one_thread_each,
    processors,
)
from exactfd.experiments.worker import ENOUGH, Job

PATIENCE = 60.0
_CONNECT = 10.0  # seconds of one attempt to reach a scheduler
_LOOK = 1.0  # seconds between two questions how many workers there are
_ANSWER = 5.0  # seconds that the scheduler has for an answer
_ADDRESS = re.compile(r"[a-z]+://\S+:\d+", re.ASCII)
_GOES_ON = "what is finished is in the store, and the same command goes on"
# in the workers of a local cluster: Ctrl-C is for the driver to decide, and standard error is the driver's
_PRELOAD = "import logging, signal; logging.disable(logging.CRITICAL); signal.signal(signal.SIGINT, signal.SIG_IGN)"


class Cluster:
    """The workers behind a Dask scheduler; use it in a ``with`` block as the ``executor`` of a campaign.

    A scheduler that goes away is waited for: when it is back, the networks that were under way are begun again. Dask
    gives the network of a worker that dies to another one.

    Parameters
    ----------
    address
        ``"tcp://host:port"`` (or ``tls://``, with the certificates of Dask's configuration), or ``"local"`` for a
        cluster on this machine.
    count
        Worker processes of a local cluster; by default as many as there are processors to use.
    patience
        Seconds to wait for the scheduler, and for any worker at all.

    Raises
    ------
    MissingExtraError
        Dask distributed is not installed.
    InputError
        No address, no scheduler there, or a worker with other versions of what the results depend on.
    ExactFDError
        The scheduler, or every worker, is gone for longer than ``patience``.
    """

    def __init__(self, address: str, *, count: int | None = None, patience: float = PATIENCE) -> None:
        try:
            import distributed
        except ImportError:
            raise MissingExtraError("distributed", "cluster", "a campaign on a cluster") from None
        if address != "local" and _ADDRESS.fullmatch(address) is None:
            raise InputError(f'scheduler: expected "local" or an address such as tcp://host:8786, found {address!r}')
        for name, value in (("count", count), ("patience", patience)):
            if value is not None and not value > 0:
                raise InputError(f"{name}: expected a positive number, found {value}")
        self.address = address
        self._versions = versions_here()
        self._dask, self._count, self._patience = distributed, count or processors(), patience
        self._local: Any = None
        self._client: Any = None
        self._executor: Any = None
        self._connection: Any = None
        self._futures: set[Any] = set()  # not all of them are told when a client loses its scheduler
        self._workers, self._looked, self._seen = 0, 0.0, 0.0

    def __enter__(self) -> Cluster:
        try:
            self._connect(time.monotonic() + min(self._patience, _CONNECT))
            self._check_versions()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._end()

    # ------------------------------------------------------------------ what the engine asks for

    takes_several = True

    def submit(self, function: Callable[[Any], Any], argument: Job | tuple[Job, ...], /) -> Any:
        """Begin ``function(argument)`` on a worker, for a job or some, in a process of its own with their limits."""
        jobs = argument if isinstance(argument, tuple) else (argument,)
        seconds = max(job.most_seconds for job in jobs) + (ENOUGH if len(jobs) > 1 else 0)
        limits = jobs[0].limits.memory, seconds
        try:
            future = self._executor.submit(run_apart, function, argument, *limits, self._versions)
        except Exception as error:  # a client that is closed says so in many ways
            if self._client.status == "running" and not isinstance(error, OSError):
                raise
            raise ExecutorLost(str(error)) from None
        self._futures.add(future)
        future.add_done_callback(self._futures.discard)
        return _Task(future)

    def workers(self) -> int:
        """Threads of all workers, as of a second ago, and not less than one: work may call new workers up.

        Raises ``ExactFDError`` when there was none for long.
        """
        if self._client is None:
            raise InputError("Cluster: expected to be used in a with block, found one that is not open")
        now = time.monotonic()
        if self._client.status != "running" or self._client.scheduler_comm is not self._connection:
            # the scheduler is gone, or was and is back: it knows nothing of what it was to do
            self._seen = now
            for future in list(self._futures):
                future.cancel()
        elif now >= self._looked + _LOOK:
            self._workers = sum(self._threads().values())
            self._looked = now = time.monotonic()
        if self._workers:
            self._seen = now
        elif now > self._seen + self._patience:
            raise ExactFDError(
                f"{self.address}: expected workers behind the scheduler, found none for {self._patience:g} s; start "
                f"some with: dask worker {self.address}; {_GOES_ON}"
            )
        return max(self._workers, 1)

    def renew(self) -> None:
        """Wait for the scheduler to be back, or make a new local cluster."""
        self._end()
        try:
            self._connect(time.monotonic() + self._patience)
        except InputError as error:
            raise ExactFDError(f"{error}; {_GOES_ON}") from None

    # ------------------------------------------------------------------ connections

    def _connect(self, deadline: float) -> None:
        if self.address == "local":
            self._local = self._started()
        while self._client is None:
            left = max(0.1, min(_CONNECT, deadline - time.monotonic()))
            try:
                self._client = self._dask.Client(self._local or self.address, timeout=left, set_as_default=False)
            except (OSError, ValueError, ImportError) as error:
                if time.monotonic() >= deadline or not isinstance(error, OSError):
                    raise InputError(
                        f"{self.address}: expected a scheduler of Dask, found: {error}; start one with: dask scheduler"
                    ) from None
                time.sleep(0.2)
        self._connection = self._client.scheduler_comm
        self._executor = self._client.get_executor(pure=False)
        self._looked, self._seen = 0.0, time.monotonic()

    def _started(self) -> Any:
        try:
            with one_thread_each():
                return self._dask.LocalCluster(
                    n_workers=self._count,
                    threads_per_worker=1,
                    processes=True,
                    host="127.0.0.1",
                    dashboard_address="127.0.0.1:0",
                    scheduler_kwargs={"dashboard": False},
                    memory_limit=0,  # the processes that do the work have their own limit
                    preload=[_PRELOAD],
                )
        except (OSError, RuntimeError) as error:
            raise ExactFDError(
                f"local: expected a cluster on this machine to start, found: {error}; a script that starts one needs "
                '`if __name__ == "__main__":` around the call'
            ) from None

    def _end(self) -> None:
        """Close what is open; networks under way are forgotten, and end at their own limits."""
        for thing in (self._client, self._local):
            if thing is not None:
                with contextlib.suppress(Exception):  # it may be gone already
                    thing.close(timeout=_ANSWER)
        self._client = self._local = self._executor = None

    def _threads(self) -> dict[str, int]:
        """Threads of each worker; of none while the scheduler does not answer."""
        try:
            found: dict[str, int] = self._client.sync(self._client.scheduler.ncores, callback_timeout=_ANSWER)
        except Exception:  # gone, or about to go: the futures tell
            return {}
        return found

    def _check_versions(self) -> None:
        """Raise ``InputError`` unless the workers that are there have what the results depend on, as it is here."""
        found = self._client.run(versions_here, on_error="return")
        for worker, answer in found.items():
            if isinstance(answer, OSError):
                continue  # it went away while it was asked
            if isinstance(answer, Exception):
                answer = f"{type(answer).__name__}: {answer}"
            if answer != self._versions:
                raise InputError(
                    f"worker {worker}: expected what the driver has, {self._versions}, found {answer}; "
                    "install the same on both, with: pip install 'exactfd[cluster]'"
                )


class _Task:
    """The future of a network on the cluster, with the engine's exceptions."""

    def __init__(self, future: Any) -> None:
        self._future = future

    def add_done_callback(self, callback: Callable[[_Task], Any], /) -> None:
        """Call ``callback(self)`` when it is done."""
        self._future.add_done_callback(lambda _: callback(self))

    def result(self) -> Any:
        """The rows, or one of the exceptions of ``executors.py``."""
        from distributed.scheduler import KilledWorker

        try:
            outcome: Outcome = self._future.result()
        except CancelledError:
            raise ExecutorLost("the scheduler is gone") from None
        except KilledWorker as error:
            raise WorkerDied(f"every worker that had it died ({error.allowed_failures + 1} of them)") from None
        except Exception as error:  # of Dask: ours come as values
            raise UnfitWorker(f"a worker cannot do this campaign: {type(error).__name__}: {error}") from None
        if outcome.unfit is not None:
            raise UnfitWorker(f"a worker of the cluster: {outcome.unfit}")
        if outcome.failure is not None:
            raise NetworkFailed(outcome.failure, outcome.seconds, late=outcome.late)
        return outcome.value
