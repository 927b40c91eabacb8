"""When compiled loops are used, and that nothing needs them."""

import errno
import os
import subprocess
import sys

import pytest

from exactfd import compiled
from exactfd.budget import Budget, BudgetInWorker, current_memory, peak_memory
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


def test_nothing_is_loaded_that_does_not_fit_in_a_limit_on_memory(monkeypatch, no_loops_yet):
    """Neither where the limit is one for the process nor where it is one for what a computation adds."""
    monkeypatch.delenv(compiled.VARIABLE, raising=False)
    monkeypatch.setattr(compiled.time, "process_time", lambda: 1.1)
    for make in (
        lambda room: Budget(memory_limit=peak_memory() + room),
        lambda room: BudgetInWorker(before=current_memory(), memory_limit=room),
    ):
        monkeypatch.setattr(compiled, "_loaded", {})
        monkeypatch.setattr(compiled, "_next_look", 0.0)
        budgets = [make(1 << 34), make(200 << 20)]
        assert compiled.loops("json") is None
        monkeypatch.setenv(compiled.VARIABLE, "always")
        assert compiled.loops("json").__name__ == "json"
        monkeypatch.delenv(compiled.VARIABLE)
        monkeypatch.setattr(compiled, "_loaded", {})
        del budgets[1]
        assert compiled.loops("json") is None  # nobody looks all the time
        monkeypatch.setattr(compiled, "_next_look", 1.0)
        assert compiled.loops("json").__name__ == "json"


LIMITED = """
import sys
from exactfd import Network, canonical_complex, compiled
from exactfd.budget import Budget, current_memory, peak_memory
from exactfd.geometry import small
compiled._WORKED = small._WORKED = 0.0
limit = current_memory() + (int(sys.argv[1]) << 20)
weights = [[[(7 * i * i + 5 * j + 3 * i * j) % 19 - 9 for j in range(m)] for i in range(6)] for m in (3, 6)]
layers = [(weight, [i % 5 - 2 for i in range(6)]) for weight in weights]
for inputs in (2, 3):
    first = [row[:inputs] for row in weights[0]], layers[0][1]
    cells = canonical_complex(Network([first, layers[1], ([[1] * 6], [0])]), budget=Budget(memory_limit=limit))
    print(cells.f_vector, "numba" in sys.modules, peak_memory() <= limit)
"""


def test_a_limit_on_memory_is_kept_whatever_the_loops_take(tmp_path):
    """Nothing has been compiled before."""
    seen = {}
    environment = {**os.environ, compiled.VARIABLE: "auto", "NUMBA_CACHE_DIR": str(tmp_path)}
    for room in (100, 1000):
        command = [sys.executable, "-c", LIMITED, str(room)]
        lines = subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout.splitlines()
        seen[room] = [line.rpartition(")")[0] for line in lines]
        loaded = room == 1000
        assert [line.rpartition(")")[2].split() for line in lines] == [[str(loaded), "True"]] * 2
    assert seen[100] == seen[1000]


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


# ------------------------------------------------------------------ code that is kept

KEPT_LOOP = """
from exactfd.compiled import compiled
from loops_of_others import start
from numbers_of_others import SHIFT

@compiled
def weighted(table):
    total = SHIFT + start()
    for i in range(table.shape[0]):
        for j in range(table.shape[1]):
            total += (i + 1) * table[i, j]
    return total
"""
LOOP_OF_OTHERS = """
from exactfd.compiled import compiled
from more_numbers import START

@compiled
def start():
    return 2 * START
"""
USE_IT = """
import sys
import numpy as np
from kept_loop import weighted

table = np.arange(24.0).reshape(6, 4)
for kind in sys.argv[1]:
    print(weighted(table[::2] if kind == "A" else table[:3]))
print(sum(weighted.stats.cache_hits.values()))
"""


@pytest.fixture
def kept(tmp_path):
    """A loop in a module of its own, with a folder for its code: call with the layouts of the arrays to use it on."""
    pytest.importorskip("numba")
    (tmp_path / "kept_loop.py").write_text(KEPT_LOOP)
    (tmp_path / "numbers_of_others.py").write_text("SHIFT = 0.0\n")
    (tmp_path / "loops_of_others.py").write_text(LOOP_OF_OTHERS)
    (tmp_path / "more_numbers.py").write_text("START = 0.0\n")

    def use(kinds, cache="cache"):
        path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
        environment = {**os.environ, "PYTHONPATH": path, "NUMBA_CACHE_DIR": str(tmp_path / cache)}
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        run = subprocess.run([sys.executable, "-c", USE_IT, kinds], capture_output=True, text=True, env=environment)
        assert not run.returncode, run.stderr
        return [float(line) for line in run.stdout.split()]

    return use


CONTIGUOUS, STRIDED = 1 * 6.0 + 2 * 22.0 + 3 * 38.0, 1 * 6.0 + 2 * 38.0 + 3 * 70.0


def test_code_is_kept(kept):
    assert kept("CA") == [CONTIGUOUS, STRIDED, 0]
    assert kept("CA") == [CONTIGUOUS, STRIDED, 2]


def test_files_that_two_processes_have_mixed_up(kept, tmp_path):
    """Numba numbers the files of a function: two processes that begin together may both write number 1."""
    kept("C", "one")
    kept("A", "other")
    (code,) = (tmp_path / "one").rglob("kept_loop*.1.nbc")
    (place,) = (tmp_path / "other").rglob("kept_loop*.1.nbc")
    place.write_bytes(code.read_bytes())
    assert kept("A", "other") == [STRIDED, 0]
    assert kept("A", "other") == [STRIDED, 1]


@pytest.mark.parametrize("length", [0, 40])
@pytest.mark.parametrize("ending", ["nbi", "nbc"])
def test_files_that_are_cut_short(kept, tmp_path, ending, length):
    kept("C")
    (file,) = (tmp_path / "cache").rglob(f"kept_loop*.{ending}")
    os.truncate(file, length)
    assert kept("C") == [CONTIGUOUS, 0]


def test_numbers_of_other_modules_are_part_of_the_code(kept, tmp_path):
    kept("C")
    (tmp_path / "numbers_of_others.py").write_text("SHIFT = 1000.0\n")
    assert kept("C") == [1000.0 + CONTIGUOUS, 0]


def test_loops_of_other_modules_are_part_of_the_code(kept, tmp_path):
    """Numba looks at the file of the function that calls them alone."""
    kept("C")
    (tmp_path / "more_numbers.py").write_text("START = 1.0\n")
    assert kept("C") == [2.0 + CONTIGUOUS, 0]
    (tmp_path / "loops_of_others.py").write_text(LOOP_OF_OTHERS.replace("2", "3"))
    assert kept("C") == [3.0 + CONTIGUOUS, 0]
    assert kept("C") == [3.0 + CONTIGUOUS, 1]


def test_a_disk_that_is_full(monkeypatch, tmp_path):
    caching = pytest.importorskip("numba.core.caching")

    def save(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(caching.IndexDataCacheFile, "save", save)
    twice = compiled.compiled(double)
    assert twice(3) == 6


def double(x):
    return 2 * x
