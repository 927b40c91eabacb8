"""``python -m exactfd``, and the command ``exactfd``: an interrupt is quiet from the moment that this file runs."""

import os
import signal
import sys
from typing import NoReturn

_INTERRUPTED = 130  # as in exactfd.cli.exits, which is not imported yet


def _leave(number: int, frame: object) -> NoReturn:
    os._exit(_INTERRUPTED)


def main() -> NoReturn:
    """Run the command line.

    While it is being imported an interrupt ends the process at once: ``KeyboardInterrupt`` in the middle of an import
    prints tracebacks, also from places where nothing can catch it.
    """
    importing = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # and not ignored, as under nohup
    try:
        if importing:
            signal.signal(signal.SIGINT, _leave)
        from exactfd.cli.main import main as command_line

        if importing:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        command_line()
    except KeyboardInterrupt:  # between two handlers
        sys.exit(_INTERRUPTED)
    finally:
        # Under -m, Python ends a process by the signal, whatever its exit code was to be, if an interrupt came while a
        # string was being executed (as a dataclass does that is being made); another one that is makes it forget that.
        exec("")


if __name__ == "__main__":
    main()
