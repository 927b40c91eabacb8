"""Processes beside this one, for the parts of one computation.

They are programs of their own that only import this package: a script needs no ``if __name__ == "__main__":``, a
notebook and an interactive session can use them as well, and threads and open files of this process stay here. Each
has one BLAS thread, takes no notice of Ctrl-C, which is for this process to handle, and ends when this process does.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pickle
import queue
import resource
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import Any

from exactfd.budget import Budget
from exactfd.errors import BudgetExceeded, EngineError, InputError, InternalError

#: Variables that give a process one BLAS thread.
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")

_PROGRAM = (
    "import signal\n"
    "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    "import json, sys\n"
    "sys.path[:] = json.loads(sys.argv[1])\n"
    "from exactfd.processes import serve\n"
    "serve(int(sys.argv[2]))"
)

_MOST = 1024  # processes

Report = Callable[[Any], None]


def check_count(processes: Any) -> int:
    """The number of processes that a user asks for. Raises ``InputError`` on anything but a positive integer, and on
    more than any machine is good for: they are all started.

    >>> check_count(2)
    2
    """
    if isinstance(processes, bool) or not isinstance(processes, int) or processes < 1:
        raise InputError(f"processes: expected a positive integer, found {processes!r}")
    if processes > _MOST:
        raise InputError(f"processes: at most {_MOST}, found {processes}")
    return processes


@contextlib.contextmanager
def interrupts_wait() -> Iterator[None]:
    """In the block a Ctrl-C waits; and in a process that is started in it, for good or until it has said what is to
    become of it: while it imports, an interrupt would end it with a traceback.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


class Crew:
    """Some processes beside this one; they are ended when the block is left, in whatever way.

    A task is a function of a module that can be imported, called as ``function(report, *arguments)`` over there;
    what it hands to ``report`` on its way arrives here. Arguments, reports and results are pickled.

    Parameters
    ----------
    count
        How many to start. Raises ``EngineError`` where no Python can be started.
    """

    def __init__(self, count: int) -> None:
        self.reports: list[Any] = [None] * count  # the last of each process
        self._processes: list[subprocess.Popen[bytes]] = []
        self._connections: list[Connection] = []
        try:
            for _ in range(count):
                self._start()
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        path = json.dumps([os.path.abspath(entry) for entry in sys.path])
        try:
            ours, theirs = Pipe()
            self._connections.append(ours)
            with theirs:
                # not in the place of a standard stream that is closed here: it has another one there
                descriptor = fcntl.fcntl(theirs.fileno(), fcntl.F_DUPFD_CLOEXEC, 3)
            try:
                with interrupts_wait():
                    process = subprocess.Popen(
                        # -P: no module is looked for in the current directory
                        [sys.executable, "-P", "-c", _PROGRAM, path, str(descriptor)],
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.DEVNULL,
                        env={**os.environ, **dict.fromkeys(THREADS, "1")},
                        pass_fds=[descriptor],
                    )
                    self._processes.append(process)
            finally:
                os.close(descriptor)
        except (OSError, ValueError) as error:
            raise EngineError(
                f"processes: another Python does not start ({sys.executable or 'its path is not known'}: {error}); "
                "go on with one process"
            ) from None

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __len__(self) -> int:
        """How many there are."""
        return len(self._processes)

    def close(self) -> None:
        """End all of them."""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()
        for connection in self._connections:
            connection.close()
        self._processes, self._connections = [], []

    def begin(self, place: int, function: Callable[..., Any], *arguments: Any) -> None:
        """Give a task to one process."""
        try:
            _send(self._connections[place], (function, arguments))
        except OSError:  # nobody reads any more
            self._died(place)

    def results(self, timeout: float | None) -> Iterator[tuple[int, Any]]:
        """``(place, result)`` of the tasks that are done, after waiting ``timeout`` seconds at most for one message.

        Raises ``BudgetExceeded`` where a task did, and ``EngineError`` where a process was killed or ran out of memory.
        """
        for connection in wait(self._connections, timeout):
            assert isinstance(connection, Connection)
            place = self._connections.index(connection)
            try:
                kind, content = _receive(connection)
            except (EOFError, OSError):
                self._died(place)
            if kind == "report":
                self.reports[place] = content
            elif kind == "done":
                yield place, content
            elif kind == "budget":
                raise BudgetExceeded(*content)
            elif kind == "memory":
                raise EngineError(f"{self._name(place)} ran out of memory; {_ADVICE}")
            else:
                raise InternalError(f"{self._name(place)} failed:\n{content}")

    def memory(self) -> int:
        """Resident bytes of all of them, where the system tells."""
        total = 0
        for process in self._processes:
            with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{process.pid}/statm", "rb") as file:
                total += int(file.read().split()[1]) * resource.getpagesize()
        return total

    def _name(self, place: int) -> str:
        return f"processes: number {place + 2} of {len(self._processes) + 1}"

    def _died(self, place: int) -> None:
        self._processes[place].kill()  # whatever still runs does not answer
        code = self._processes[place].wait()
        how = f"was killed ({_signal(-code)})" if code < 0 else f"ended by itself (exit code {code})"
        raise EngineError(f"{self._name(place)} {how}, maybe for want of memory; {_ADVICE}")


_ADVICE = "nothing is known of its part: set fewer processes, or a limit on memory"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class SharedBudget(Budget):
    """The budget of a computation that goes on in other processes as well: their memory counts too."""

    def __init__(self, own: Budget, crew: Crew) -> None:
        self.__dict__.update(own.__dict__)
        self._own, self._crew = own, crew

    def _memory(self, bytes_needed: int) -> int:
        return self._own._memory(bytes_needed) + self._crew.memory()

    def for_others(self) -> dict[str, Any]:
        """What :class:`~exactfd.budget.Budget` is made with in another process."""
        left = None if self.time_limit is None else max(self.time_limit - self.seconds, 1e-9)
        return {"max_cells": self.max_cells, "time_limit": left, "memory_limit": self.memory_limit}


# --------------------------------------------------------------------------- in the other process


def serve(descriptor: int) -> None:
    """What another process does: one task after the other, until this end of the line is closed."""
    connection = Connection(descriptor)
    tasks: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(connection, tasks), daemon=True).start()
    while True:
        function, arguments = tasks.get()
        try:
            answer = "done", function(lambda content: _send(connection, ("report", content)), *arguments)
        except BudgetExceeded as error:
            answer = "budget", (str(error), error.partial)
        except MemoryError:
            answer = "memory", None
        except Exception:
            answer = "failed", traceback.format_exc()
        try:
            _send(connection, answer)
        except OSError:
            os._exit(1)


def _listen(connection: Connection, tasks: queue.SimpleQueue[Any]) -> None:
    while True:
        try:
            task = _receive(connection)
        except (EOFError, OSError):
            os._exit(1)  # in the middle of a task too: nobody waits for it
        except Exception as error:  # a class that only the other side knows, or no room: who waits is to be told
            task = _raise, (error,)
        tasks.put(task)


def _raise(report: Report, error: Exception) -> None:
    raise error


# --------------------------------------------------------------------------- the line between them


def _send(connection: Connection, message: Any) -> None:
    """One message; the contents of arrays are not copied on their way to the line."""
    arrays: list[pickle.PickleBuffer] = []
    head = pickle.dumps(message, protocol=5, buffer_callback=arrays.append)
    connection.send((head, len(arrays)))
    for array in arrays:
        connection.send_bytes(array.raw())


def _receive(connection: Connection) -> Any:
    head, count = connection.recv()
    return pickle.loads(head, buffers=[connection.recv_bytes() for _ in range(count)])
