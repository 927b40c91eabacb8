"""Progress is for terminals only, and its absence changes nothing."""

from __future__ import annotations

import io
import sys

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
