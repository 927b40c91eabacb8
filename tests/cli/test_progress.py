"""Progress is for terminals only, and its absence changes nothing."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import threading

import pytest

from exactfd.budget import silent
from exactfd.cli import progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_silent_unless_on_a_terminal(monkeypatch):
    with progress.reporting(quiet=False) as callback:
        assert callback is silent or sys.stderr.isatty()
    monkeypatch.setattr(sys, "stderr", Terminal())
    with progress.reporting(quiet=True) as callback:
        assert callback is silent


def test_a_quick_command_shows_no_bar(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with progress.reporting(quiet=False) as callback:
        callback("neurons", 1, 2)
    assert sys.stderr.getvalue() == ""


def test_a_bar(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(progress, "_DELAY", 0)
    monkeypatch.setattr(progress, "_PAUSE", 0)
    monkeypatch.setenv("TERM", "xterm")
    with progress.reporting(quiet=False) as callback:
        callback("neurons", 1, 2)
        callback("neurons", 2, 2)
        callback("cells", 7, None)
    text = sys.stderr.getvalue()
    assert "cells" in text


def test_no_bar_over_an_answer_on_the_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(sys, "stdout", Terminal())
    for target, shown in ((None, False), ("-", False), ("cells.json", True)):
        with progress.reporting(quiet=False, writing_to=target) as callback:
            assert (callback is not silent) == shown


def drain(control, shown):
    """Read a terminal until its other end is closed."""
    with contextlib.suppress(OSError):
        while data := os.read(control, 4096):
            shown.append(data)


@pytest.mark.parametrize("options", [(), ("--json",), ("--list", "--json"), ("--algorithm", "splitting", "--json")])
def test_the_answer_is_the_same_with_a_bar(run, examples, options):
    """On a terminal the bar is on stderr, whole; stdout is the answer and nothing else."""
    arguments = ("cells", str(examples / "iris_4-5-3.json"), *options)
    code = (
        "import sys; from exactfd.cli import progress; progress._DELAY = progress._PAUSE = 0\n"
        "from exactfd.cli.main import main; main()"
    )
    control, terminal = os.openpty()
    shown: list[bytes] = []
    reader = threading.Thread(target=drain, args=(control, shown))
    reader.start()  # a terminal that nobody reads would block the command
    try:
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=examples.parent,
            stdout=subprocess.PIPE,
            stderr=terminal,
            text=True,
            check=True,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
        )
    finally:
        os.close(terminal)
        reader.join(timeout=10)
        os.close(control)
    assert done.stdout == run(*arguments).stdout
    assert b"\x1b" in b"".join(shown)
