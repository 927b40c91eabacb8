"""When compiled loops are used, and that nothing needs them."""

import os
import subprocess
import sys

import pytest

from exactfd import compiled
from exactfd.errors import InputError, MissingExtraError


@pytest.fixture
def no_loops_yet(monkeypatch):
    monkeypatch.setattr(compiled, "_loaded", {})


def test_an_unknown_mode_is_named(monkeypatch):
    monkeypatch.setenv(compiled.VARIABLE, "yes")
    with pytest.raises(InputError, match="EXACTFD_COMPILED: expected auto, always or never, found 'yes'"):
        compiled.mode()


def test_by_default_a_process_works_for_a_second_first(monkeypatch, no_loops_yet):
    monkeypatch.delenv(compiled.VARIABLE, raising=False)
    monkeypatch.setattr(compiled.time, "process_time", lambda: 0.9)
    assert compiled.loops("json") is None
    monkeypatch.setattr(compiled.time, "process_time", lambda: 1.1)
    assert compiled.loops("json").__name__ == "json"
    monkeypatch.setattr(compiled.time, "process_time", lambda: 0.9)  # what is loaded stays
    assert compiled.loops("json").__name__ == "json"
    monkeypatch.setenv(compiled.VARIABLE, "never")
    assert compiled.loops("json") is None


def test_what_cannot_be_imported_is_done_without_unless_it_is_asked_for(monkeypatch, no_loops_yet):
    monkeypatch.delenv(compiled.VARIABLE, raising=False)
    monkeypatch.setattr(compiled.time, "process_time", lambda: 1.1)
    assert compiled.loops("exactfd.nowhere") is None
    monkeypatch.setenv(compiled.VARIABLE, "always")
    with pytest.raises(MissingExtraError, match=r"EXACTFD_COMPILED=always .* pip install 'exactfd\[fast\]'"):
        compiled.loops("exactfd.nowhere")


WITHOUT_NUMBA = """
import sys
sys.modules["numba"] = None
from exactfd import Network, batch_functional_dimension, canonical_complex, compiled
compiled._WORKED = 0.0
net = Network([([[1, 0], [0, 1], [1, 1]], [0, 0, -1]), ([[1, 1, -1]], [0])])
points = [[2 * i - 9, 17 - i * i] for i in range(20)]
print(canonical_complex(net).f_vector, batch_functional_dimension(net, points).rank)
"""


@pytest.mark.parametrize("mode", ["auto", "never", "always"])
def test_without_numba(mode):
    environment = {**os.environ, compiled.VARIABLE: mode}
    run = subprocess.run([sys.executable, "-c", WITHOUT_NUMBA], capture_output=True, text=True, env=environment)
    if mode == "always":
        assert run.returncode
        assert "pip install 'exactfd[fast]'" in run.stderr
    else:
        assert run.stdout == "(3, 9, 7) 7\n"
