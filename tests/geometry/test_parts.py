"""Several processes against one: the same cells under the same numbers, whatever the network."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import exactfd
from exactfd import processes as processes_module
from exactfd.budget import Budget
from exactfd.errors import BudgetExceeded, EngineError, InputError, InternalError
from exactfd.geometry import branches, workers
from exactfd.geometry.homogeneous import homogenise
from exactfd.geometry.merging import merge
from exactfd.geometry.parts import Part, closure, groups
from exactfd.geometry.start import Walls
from exactfd.geometry.subdivision import Subdivision
from exactfd.network import Network
from exactfd.processes import Crew
from strategies import networks


def gaussian(sizes, seed):
    rng = np.random.default_rng(seed)
    return Network([(rng.normal(size=(n, m)), rng.normal(size=n)) for m, n in pairwise(sizes)])


def finished(subdivision):
    subdivision.generators.close()
    return subdivision


def whole(network, walls=None):
    subdivision = Subdivision(homogenise(network, quotient=walls is None), walls, Budget())
    subdivision.run()
    return finished(subdivision)


def in_parts(network, count, first, walls=None):
    """Parts of the complex after ``first`` layers, one after the other in this process."""
    subdivision = Subdivision(homogenise(network, quotient=walls is None), walls, Budget())
    for layer in range(first):
        subdivision.run_layer(layer)
    dealt = groups(subdivision, first, count)
    assert sorted(np.concatenate(dealt).tolist()) == list(range(subdivision.tables[-1].count))
    parts = [Part(subdivision, cells) for cells in dealt]
    subdivision.generators.close()  # its floats are not needed any more, its exact coordinates are
    for part in parts:
        part.run_rest(first, lambda *_: None)
    begun, results = [closure(subdivision.tables, cells) for cells in dealt], [part.result() for part in parts]
    merge(subdivision, first, begun, results)
    return finished(subdivision), len(dealt)


def assert_same(one, other):
    """Everything that a complex is made of, number by number."""
    assert one.f_vector == other.f_vector
    for first, second in zip(one.tables, other.tables, strict=True):
        assert first.count == second.count
        assert (first.finite == second.finite).all()
        for mine, theirs in zip(first.all_rows(), second.all_rows(), strict=True):
            assert mine.tolist() == theirs.tolist()
    assert one.generators.finite.tolist() == other.generators.finite.tolist()
    assert one.generators.ancestry().tolist() == other.generators.ancestry().tolist()
    everyone = range(one.tables[0].count)
    assert one.generators.coordinates(everyone) == other.generators.coordinates(everyone)
    for k, table in enumerate(one.tables):
        cells = np.arange(table.count)
        assert (one.history.labels(k, cells) == other.history.labels(k, cells)).all()


UGLY = {
    "duplicates": [([[1, 0], [1, 0], [0, 1], [2, 0]], [0, 0, 1, 0]), ([[1, 1, 1, 1]] * 3, [-1, -1, -2])],
    "parallel": [([[1, 0], [1, 0], [0, 1], [0, 1]], [0, 1, 0, 1]), ([[1, -1, 1, -1], [1, -1, 1, 1]], [0, 0])],
    "concurrent": [([[1, 0], [0, 1], [1, 1], [1, -1]], [0] * 4), ([[1, -1, 1, 2], [-3, 1, 1, 0]], [0, 0])],
    "zero rows": [([[1, 2], [0, 0], [0, 0], [2, -1]], [1, 0, -1, 0]), ([[0] * 4, [1, 1, 1, -1]], [0, -2])],
    "one line": [([[1], [-1], [2], [0]], [0, 3, 1, 2]), ([[1, -2, 1, 1], [1, 1, -1, 0]], [0, 1]), ([[1, -1]], [0])],
    "rank one of three": [([[1, 2, 3], [2, 4, 6], [-1, -2, -3]], [0, 1, 5]), ([[1, -1, 2], [1, 1, -1]], [-1, 0])],
    "rank zero": [([[0, 0], [0, 0]], [1, -1]), ([[1, 1]], [1])],
    "dead after one": [([[1, 0], [0, 1]], [0, 0]), ([[-1, -1], [-1, 0]], [-1, 0]), ([[1, 1], [2, 3]], [0, 1])],
    "tiny and long": [
        ([[Fraction(1, 10**300), 1], [1, Fraction(3**250, 2**400)], [1, 1]], [0, Fraction(1, 10**300), -1]),
        ([[1, Fraction(-1, 10**300), 1], [1, 1, 1]], [Fraction(-1, 10**300), -1]),
        ([[1, -1], [3, 1]], [Fraction(1, 10**300), 0]),
    ],
}


@pytest.mark.parametrize("name", UGLY)
@pytest.mark.parametrize("count", [2, 3])
def test_degenerate_complexes_in_parts(name, count):
    network = Network(UGLY[name], output_activation="relu")
    expected = whole(network)
    for first in range(1, len(network.relu_widths)):
        assert_same(in_parts(network, count, first)[0], expected)
    walls = Walls((-2,) * network.input_dimension, (3,) * network.input_dimension, 1)
    assert_same(in_parts(network, count, 1, walls)[0], whole(network, walls))


@pytest.mark.parametrize(
    ("sizes", "first", "count", "at_least"),
    [((1, 9, 7, 1), 1, 4, 4), ((2, 9, 8, 7, 1), 2, 5, 5), ((3, 7, 6, 1), 1, 3, 3), ((4, 6, 5, 1), 1, 2, 2)],
)
def test_random_complexes_in_parts(sizes, first, count, at_least):
    for seed in range(3):
        network = gaussian(sizes, seed)
        parted, parts = in_parts(network, count, first)
        assert parts >= at_least
        assert_same(parted, whole(network))


def test_more_than_a_word_of_neurons_in_parts():
    network = gaussian((2, 67, 66, 1), 3)
    assert_same(in_parts(network, 3, 1)[0], whole(network))


@settings(max_examples=60, deadline=None)
@given(networks(), st.integers(2, 4))
def test_any_complex_in_parts(network, count):
    expected = whole(network)
    for first in range(1, len(network.relu_widths)):
        assert_same(in_parts(network, count, first)[0], expected)


# --------------------------------------------------------------------------- processes


@pytest.fixture
def eager(monkeypatch):
    """Processes are worth while always."""
    monkeypatch.setattr(workers, "WORTH", 0)
    monkeypatch.setattr(workers, "MERGED", 9)
    monkeypatch.setattr(workers, "DEALT", 2)
    monkeypatch.setattr(branches, "WORTH", 0)
    monkeypatch.setattr(branches, "BRANCHES", 4)


@pytest.mark.parametrize("count", [2, 3])
def test_processes_find_the_complex_of_one(eager, count):
    for network, box in [
        (gaussian((2, 9, 8, 1), 5), None),
        (gaussian((3, 6, 5, 1), 1), (-1, 1)),
        (gaussian((4, 5, 4, 1), 1), None),
    ]:
        one, several = (exactfd.canonical_complex(network, box=box, processes=n) for n in (1, count))
        assert one.to_dict() == several.to_dict()
        assert one.vertices() == several.vertices()
        for k in range(network.input_dimension + 1):
            assert (one.labels(k) == several.labels(k)).all()
            assert (one.walls(k) == several.walls(k)).all()
            assert (one.bounded(k) == several.bounded(k)).all()
            for mine, theirs in zip(one.facets(k), several.facets(k), strict=True):
                assert mine.tolist() == theirs.tolist()
        assert several.cell(1, 3).interior_point() == one.cell(1, 3).interior_point()


@pytest.mark.parametrize("algorithm", ["complex", "skeleton", "splitting"])
def test_processes_find_the_top_cells_of_one(eager, algorithm):
    for network in (gaussian((2, 8, 7, 1), 2), Network(UGLY["rank one of three"])):
        one, several = (exactfd.top_cells(network, algorithm=algorithm, processes=n) for n in (1, 2))
        assert one.algorithm == several.algorithm
        assert one.labels.tolist() == several.labels.tolist()
        limited = exactfd.top_cells(network, algorithm=algorithm, processes=2, budget=Budget(max_cells=10_000))
        assert limited.labels.tolist() == one.labels.tolist()


@pytest.mark.parametrize("box", [None, (-1, "3/2")])
def test_processes_walk_the_tree_of_one(eager, box):
    for network in (gaussian((3, 5, 4, 1), 2), Network(UGLY["zero rows"]), Network([([[1, 2]], [3])])):
        one, several = (exactfd.split_cells(network, box=box, processes=n) for n in (1, 3))
        assert one.labels.tolist() == several.labels.tolist()
        assert one.points == several.points
        assert exactfd.split_cells(network, box=box, processes=2, tree=True).tree is not None


def test_a_single_layer_and_no_layer_are_left_to_one_process(eager):
    for network in (Network([([[1, 2]], [3])]), gaussian((2, 5, 1), 0)):
        assert exactfd.canonical_complex(network, processes=2).f_vector == exactfd.canonical_complex(network).f_vector


@pytest.mark.parametrize("processes", [0, -1, 1.5, True, "2"])
def test_numbers_of_processes_that_are_none(processes):
    network = gaussian((2, 3, 2, 1), 0)
    for function in (exactfd.canonical_complex, exactfd.top_cells, exactfd.split_cells, exactfd.functional_dimension):
        with pytest.raises(InputError, match="positive integer"):
            function(network, processes=processes)


# --------------------------------------------------------------------------- limits and accidents


def test_a_limit_on_cells_is_that_of_one_process(eager):
    network = gaussian((2, 9, 8, 7, 1), 5)
    whole_vector = exactfd.canonical_complex(network).f_vector
    total = sum(whole_vector)
    assert exactfd.canonical_complex(network, processes=2, budget=Budget(max_cells=total)).f_vector == whole_vector
    for most in (60, total // 2, total - 1):
        with pytest.raises(BudgetExceeded, match="cells") as caught:
            exactfd.canonical_complex(network, processes=2, budget=Budget(max_cells=most))
        assert sum(caught.value.partial) > most
        assert all(low <= exact for low, exact in zip(caught.value.partial, whole_vector, strict=True))
    cells = exactfd.split_cells(network)
    assert len(exactfd.split_cells(network, processes=2, budget=Budget(max_cells=len(cells)))) == len(cells)
    with pytest.raises(BudgetExceeded, match="at least") as caught:
        exactfd.split_cells(network, processes=2, budget=Budget(max_cells=20))
    known = set(map(tuple, cells.labels.tolist()))
    assert len(caught.value.partial) == 20
    assert {tuple(row) for row in caught.value.partial.labels.tolist()} <= known


def test_limits_on_time_and_memory(eager):
    network = gaussian((2, 9, 8, 1), 5)
    for limits in ({"time_limit": 1e-9}, {"memory_limit": 1 << 20}):
        for function in (exactfd.canonical_complex, exactfd.split_cells):
            with pytest.raises(BudgetExceeded):
                function(network, processes=2, budget=Budget(**limits))


def test_a_limit_that_runs_out_elsewhere(eager, monkeypatch):
    monkeypatch.setattr(processes_module.SharedBudget, "for_others", lambda budget: {"time_limit": 1e-9})
    network = gaussian((2, 9, 8, 1), 5)
    for function in (exactfd.canonical_complex, exactfd.split_cells):
        with pytest.raises(BudgetExceeded, match="time limit"):
            function(network, processes=2)


def children():
    """Processes that this one has started and not yet buried."""
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
        return set(file.read().split())


needs_proc = pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="children are counted through /proc")


@needs_proc
def test_nobody_is_left_behind_by_a_callback_that_raises(eager):
    before = children()

    def stop(stage, done, total):
        if stage == "cells" or done > 9:
            raise KeyboardInterrupt

    for function in (exactfd.canonical_complex, exactfd.split_cells):
        with pytest.raises(KeyboardInterrupt):
            function(gaussian((2, 9, 8, 1), 5), processes=3, progress=stop)
    assert children() == before


@needs_proc
def test_a_process_that_is_killed_is_named(eager):
    before = children()

    def kill(stage, done, total):
        for child in children() - before:
            os.kill(int(child), signal.SIGKILL)

    with pytest.raises(EngineError, match=r"number 2 of 2 was killed \(SIGKILL\)"):
        exactfd.canonical_complex(gaussian((2, 9, 8, 1), 5), processes=2, progress=kill)
    assert children() == before


def test_what_goes_wrong_elsewhere_is_told():
    with Crew(2) as crew:
        crew.begin(0, closure)
        with pytest.raises(InternalError, match=r"(?s)number 2 of 3 failed.*TypeError"):
            list(crew.results(None))
        crew.begin(1, out_of_memory)
        with pytest.raises(EngineError, match="number 3 of 3 ran out of memory"):
            list(crew.results(None))


def out_of_memory(report):
    raise MemoryError


def test_without_another_python(eager, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(EngineError, match="another Python does not start"):
        exactfd.canonical_complex(gaussian((2, 9, 8, 1), 5), processes=2)


SCRIPT = textwrap.dedent(
    """
    import numpy as np, os, sys
    import exactfd
    from exactfd.geometry import workers
    workers.WORTH, workers.DEALT = 0, 2
    rng = np.random.default_rng(0)
    layers = [(rng.normal(size=(n, m)), rng.normal(size=n)) for m, n in [(2, 9), (9, 8), (8, 1)]]
    network = exactfd.Network(layers)
    def tell(stage, done, total):
        print(*open(f"/proc/self/task/{os.getpid()}/children").read().split(), flush=True)
        STOP
    print(exactfd.canonical_complex(network, processes=2, progress=tell).f_vector)
    """
)


def test_a_script_without_a_guard(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.replace("STOP", "pass").replace("print(*open", "0 and print(*open"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
    done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("(")
    assert done.stdout.count("\n") == 1


@needs_proc
def test_processes_end_with_the_one_that_started_them(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.replace("STOP", "os.kill(os.getpid(), 9)"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
    done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    (child,) = done.stdout.split()
    for _ in range(200):
        try:
            with open(f"/proc/{child}/stat", encoding="ascii") as file:
                if file.read().rsplit(")", 1)[1].split()[0] == "Z":
                    return  # nobody buries it here
        except FileNotFoundError:
            return
        time.sleep(0.05)
    pytest.fail("a process outlives the one that started it")


# --------------------------------------------------------------------------- what a hostile reviewer found


def test_a_limit_that_runs_out_with_the_last_branch_invents_no_cell(eager, monkeypatch):
    network = gaussian((2, 5, 4, 1), 0)
    listen, total = branches._Handout._listen, len(exactfd.split_cells(network))

    def late(handout, timeout):
        listen(handout, timeout)
        if not handout._busy and not handout.untouched:
            handout.budget._start -= 1e6

    monkeypatch.setattr(branches._Handout, "_listen", late)
    with pytest.raises(BudgetExceeded, match=f"at least {total} cells") as caught:
        exactfd.split_cells(network, processes=2, budget=Budget(time_limit=1000))
    assert len(caught.value.partial) == total


@pytest.mark.parametrize("most", [1, 5, 20, 46])
def test_cells_that_are_there_at_least_are_there(eager, most):
    network = gaussian((2, 5, 4, 1), 0)
    total = len(exactfd.split_cells(network))
    with pytest.raises(BudgetExceeded, match="at least") as caught:
        exactfd.split_cells(network, processes=2, budget=Budget(max_cells=most))
    assert most < int(str(caught.value).rsplit("at least ", 1)[1].split()[0]) <= total


class Unknown:
    """Another process cannot make one."""

    def __reduce__(self):
        return no_such_thing, ()


def no_such_thing():
    raise RuntimeError("made in tests alone")


def test_a_task_that_cannot_be_read_is_told_of():
    with Crew(1) as crew:
        crew.begin(0, closure, Unknown())
        with pytest.raises(InternalError, match="number 2 of 2 failed"):
            list(crew.results(60.0))


class Halves(Fraction):
    """Fractions that a script may call its own."""

    def __reduce__(self):
        raise TypeError("not to be pickled")


def test_a_box_of_any_numbers(eager):
    network = gaussian((2, 5, 4, 1), 0)
    found = [exactfd.split_cells(network, box=(Halves(-1), Halves(1)), processes=n) for n in (1, 2)]
    assert found[0].points == found[1].points


def test_modules_of_the_current_directory_are_not_imported(tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    with Crew(1) as crew:
        crew.begin(0, place)
        assert list(crew.results(20.0)) == [(0, str(tmp_path))]


def place(report):
    return os.getcwd()


def test_standard_streams_that_are_closed(tmp_path):
    script, told = tmp_path / "script.py", tmp_path / "told"
    script.write_text(
        "from exactfd.processes import Crew\n"
        "from test_parts import answer\n"
        "found = []\n"
        "with Crew(2) as crew:\n"
        "    for place in (0, 1):\n"
        "        crew.begin(place, answer, [3, 1])\n"
        "    while len(found) < 2:\n"
        "        found += crew.results(None)\n"
        f"open({str(told)!r}, 'w').write(str(sorted(found)))\n"
    )
    here = os.path.dirname(os.path.abspath(__file__))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([here, *map(os.path.abspath, sys.path)])}
    command = 'exec "$0" "$1" <&- >&-'
    subprocess.run(["sh", "-c", command, sys.executable, str(script)], env=environment, check=True, timeout=60)
    assert told.read_text() == "[(0, [1, 3]), (1, [1, 3])]"


def answer(report, numbers):
    return sorted(numbers)


def test_more_processes_than_any_machine_is_good_for(eager):
    for function in (exactfd.canonical_complex, exactfd.split_cells):
        with pytest.raises(InputError, match="at most"):
            function(gaussian((2, 5, 4, 1), 0), processes=10**20)
