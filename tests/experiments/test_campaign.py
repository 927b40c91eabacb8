"""Campaigns: the numbers are those of a plain loop, and nothing that happens on the way changes them."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import random
import re
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import pytest

import exactfd
from exactfd.budget import current_memory
from exactfd.errors import BudgetExceeded, ExactFDError, InputError, MissingExtraError
from exactfd.experiments import Store, parse_specification, report, run_campaign, sample, tabulate, worker
from exactfd.experiments import campaign as engine
from exactfd.experiments.measures import smooth_points
from exactfd.experiments.specification import Limits
from exactfd.experiments.worker import work

ROOT = Path(__file__).parents[2]
SMALL = {
    "seed": 4,
    "count": 6,
    "architectures": [[1, 3, 1], [2, 3, 2, 1]],
    "laws": {
        "he": {"weights": "he", "biases": {"law": "normal", "deviation": 0.5}},
        "integers": {"weights": "integer", "biases": "integer"},
    },
    "measures": [
        "dimension",
        {"measure": "batch", "points": "2*D'"},
        "gap",
        "floats",
        "mechanisms",
        "identifiability",
        "cells",
    ],
}


def toml(document):
    """The specification as a file."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in document.items() if not isinstance(value, (dict, list))]
    lines.append(f"architectures = {json.dumps(document['architectures'])}")
    inline = (json.dumps(entry).replace('":', '" =') for entry in document["measures"])
    lines.append(f"measures = [{', '.join(inline)}]")
    for name, law in document["laws"].items():
        lines.append(f"[laws.{name}]")
        lines += [f"{key} = " + json.dumps(value).replace('":', '" =') for key, value in law.items()]
    return "\n".join(lines) + "\n"


def contents(path):
    """All rows, seconds aside."""
    with Store(path) as store:
        return [
            (r.architecture, r.law, r.number, r.measure, r.digest, r.seed, r.versions, r.status, r.value)
            for r in store.rows()
        ]


@pytest.fixture
def threads():
    with ThreadPoolExecutor(1) as executor:
        yield executor


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A store that nothing happened to."""
    path = tmp_path_factory.mktemp("undisturbed") / "a.store"
    with ThreadPoolExecutor(1) as executor:
        run_campaign(parse_specification(SMALL), path, executor=executor)
    return path


# --------------------------------------------------------------------------- numbers


def test_numbers_are_those_of_a_plain_loop(undisturbed):
    spec = parse_specification(SMALL)
    with Store(undisturbed) as store:
        rows = {(r.architecture, r.law, r.number, r.measure): r for r in store.rows()}
        groups = {(group.architecture, group.law): group for group in tabulate(store)}
    assert len(rows) == 2 * 2 * 6 * 7
    for architecture, law, count in spec.groups():
        deficits, attained, missed, wrong = {}, 0, 0, 0
        lost: dict[str, int] = {}
        for number in range(count):
            network = sample(architecture, spec.laws[law], seed=4, number=number)
            assert network == spec.network(architecture, law, number)
            measure = spec.measures[1]
            key = (4, number, architecture, spec.laws[law].to_dict())
            points = smooth_points(network, measure.points, measure.inputs, key)
            exact = exactfd.functional_dimension(network)
            batch = exactfd.batch_functional_dimension(network, points) if points else None
            rank = batch.rank if batch else 0
            deficit = network.upper_bound - exact.value
            deficits[deficit] = deficits.get(deficit, 0) + 1
            attained += rank == network.upper_bound
            missed += rank < exact.value
            wrong += batch is not None and not batch.float_agrees
            found = exactfd.explain(network)
            for mechanism in found.mechanisms:
                lost[mechanism.kind] = lost.get(mechanism.kind, 0) + mechanism.dimension
            verdict, cells = exactfd.identifiability(network), exactfd.canonical_complex(network)
            name = ",".join(map(str, architecture))
            documents = {m.name: rows[name, law, number, m.name].document for m in spec.measures}
            assert {rows[name, law, number, m.name].digest for m in spec.measures} == {network.digest}
            assert documents["dimension"]["functional_dimension"] == exact.value
            assert documents["batch"]["rank"] == rank
            assert documents["gap"]["batch_minus_exact"] == rank - exact.value
            assert documents["mechanisms"]["deficit"] == deficit
            assert documents["mechanisms"]["unexplained"] == len(found.unexplained)
            assert documents["identifiability"]["tpic"] == verdict.tpic
            assert documents["identifiability"]["lra"] == verdict.lra
            assert documents["cells"]["f_vector"] == list(cells.f_vector)
        group = groups[architecture, law]
        assert (group.networks, group.asked, group.rows, group.proved) == (count, count, 7 * count, 7 * count)
        assert group.distributions["dimension"]["deficit"] == deficits
        assert group.tallies["dimension"]["attains_upper_bound"].yes == deficits.get(0, 0)
        assert group.tallies["batch"]["attains_upper_bound"].yes == attained
        assert group.tallies["batch"]["below_functional_dimension"].yes == missed
        assert group.tallies["gap"]["below_functional_dimension"].yes == missed
        assert group.tallies["floats"]["float64_wrong"].yes == wrong
        assert {kind: n for kind, n in group.totals["mechanisms"].items() if n} == lost


def test_larger_batches_hold_the_smaller_ones():
    spec = parse_specification(
        {**SMALL, "measures": [{"measure": "batch", "name": str(k), "points": k} for k in (3, 8)]}
    )
    network = sample((2, 3, 2, 1), spec.laws["he"], seed=0, number=0)
    few, many = (smooth_points(network, m.points, m.inputs, (0, 0)) for m in spec.measures)
    assert few == many[:3]
    assert len(many) == 8
    assert all(Fraction(x).denominator & (Fraction(x).denominator - 1) == 0 for p in many for x in p)


def test_a_network_without_smooth_points(tmp_path, threads):
    laws = {"zero": {"weights": "zero"}}
    spec = parse_specification({**SMALL, "architectures": [[1, 2, 1]], "count": 1, "laws": laws})
    run_campaign(spec, tmp_path / "a.store", executor=threads)
    with Store(tmp_path / "a.store") as store:
        found = {row.measure: row.document for row in store.rows()}
    assert found["dimension"]["functional_dimension"] == found["batch"]["rank"] == found["batch"]["points"] == 0
    assert found["gap"]["batch_minus_exact"] == 0
    assert found["floats"]["float64_wrong"] is False


def test_limits_are_rows_with_bounds(tmp_path, threads):
    document = {**SMALL, "count": 2, "architectures": [[2, 6, 6, 1]], "limits": {"cells": 3}}
    summary = run_campaign(parse_specification(document), tmp_path / "a.store", executor=threads)
    assert summary.bounds > 0
    with Store(tmp_path / "a.store") as store:
        for row in store.rows():
            bounds = row.status == "bounds"
            if row.measure in ("cells", "identifiability"):
                assert bounds
                assert "more than 3 cells" in row.document["limit"]
            if row.measure == "dimension":
                assert bounds == (row.document["functional_dimension"] is None)
        for group in tabulate(store):
            tally = group.tallies["identifiability"]["tpic"]
            assert (tally.yes, tally.no, tally.unknown) == (0, 0, 2)
            assert group.proved < group.rows


def test_memory_of_earlier_networks_does_not_count():
    Limits(60, 50 << 20, None).budget(before=current_memory()).check()  # this process holds more than 50 MiB
    with pytest.raises(BudgetExceeded, match="MiB of memory"):
        Limits(60, 50 << 20, None).budget(before=current_memory()).check(bytes_needed=60 << 20)


def test_progress_counts_what_was_there(tmp_path, threads):
    document = {**SMALL, "count": 2, "measures": ["dimension"]}
    seen = []
    run_campaign(parse_specification(document), tmp_path / "a.store", executor=threads)
    grown = parse_specification({**document, "count": 4})
    run_campaign(grown, tmp_path / "a.store", executor=threads, progress=lambda *args: seen.append(args))
    assert {(stage, total) for stage, _, total in seen} == {("networks", 16)}
    counts = [done for _, done, _ in seen]
    assert counts == sorted(counts)
    assert counts[0] >= 8
    assert counts[-1] == 16


def test_networks_that_look_alike_are_counted_together(undisturbed, monkeypatch):
    """However few documents are held at a time, the tables are the same."""
    with Store(undisturbed) as store:
        whole = [group.to_dict() for group in tabulate(store)]
        monkeypatch.setattr(report, "_MOST", 2)
        assert [group.to_dict() for group in tabulate(store)] == whole
        assert list(store.values()) == [(r.architecture, r.law, r.number, r.measure, r.value) for r in store.rows()]
    assert [list(group["distributions"]) for group in whole] == [["dimension", "batch", "gap", "cells"]] * 4


# --------------------------------------------------------------------------- resuming


def test_resuming_adds_what_is_missing(tmp_path, undisturbed, threads):
    path = tmp_path / "a.store"
    small = {**SMALL, "count": 2, "architectures": SMALL["architectures"][:1], "measures": SMALL["measures"][:2]}
    first = run_campaign(parse_specification(small), path, executor=threads)
    assert (first.networks, first.before, first.done) == (4, 0, 4)
    spec = parse_specification(SMALL)
    second = run_campaign(spec, path, executor=threads)
    assert (second.networks, second.before, second.done) == (24, 0, 24)
    assert contents(path) == contents(undisturbed)
    renamed = parse_specification({**SMALL, "name": "another"})
    third = run_campaign(renamed, path, executor=threads)
    assert (third.before, third.done) == (24, 0)
    assert contents(path) == contents(undisturbed)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 5}, "seed was 4 and is 5"),
        ({"count": 5}, "architectures.1,3,1 was 6 and is 5"),
        ({"output_activation": "relu"}, "output_activation was identity and is relu"),
        ({"architectures": [[1, 3, 1]]}, "architectures.2,3,2,1 was there and is not there"),
        ({"measures": ["dimension"]}, "measures.batch was there and is not there"),
        ({"limits": {"time": 5}}, r"limits.time was 60.0 and is 5.0"),
        ({"laws": {**SMALL["laws"], "he": {"weights": "he"}}}, "laws.he.biases.law was normal and is zero"),
    ],
)
def test_another_specification_is_refused(undisturbed, threads, change, message):
    before = contents(undisturbed)
    with pytest.raises(InputError, match=f"expected the specification .* found another: {message}"):
        run_campaign(parse_specification({**SMALL, **change}), undisturbed, executor=threads)
    assert contents(undisturbed) == before


class Stopping:
    """An executor that breaks after some networks."""

    def __init__(self, count):
        self.count = count

    def submit(self, function, argument):
        if self.count == 0:
            raise BrokenExecutor
        self.count -= 1
        future = Future()
        future.set_result(function(argument))
        return future


def test_a_broken_executor_loses_nothing(tmp_path, undisturbed):
    path = tmp_path / "a.store"
    for _ in range(3):
        with pytest.raises(ExactFDError, match="the executor is broken"):
            run_campaign(parse_specification(SMALL), path, executor=Stopping(5))
    with Store(path) as store:
        assert sorted(entry.networks for entry in store.counts(7)) == [3, 4, 4, 4]  # of each about as many
    run_campaign(parse_specification(SMALL), path, executor=Stopping(24))
    assert contents(path) == contents(undisturbed)


class Failing:
    """An executor in which one network always fails, and another one at first."""

    def __init__(self):
        self.seen = []

    def submit(self, function, job):
        future = Future()
        self.seen.append(job.number)
        if job.number == 0 or (job.number == 1 and self.seen.count(1) <= 2):
            future.set_exception(ZeroDivisionError("here"))
        else:
            future.set_result(function(job))
        return future


def test_a_network_that_fails_is_given_up_and_said(tmp_path):
    document = {**SMALL, "count": 3, "architectures": [[1, 2, 1]], "laws": {"he": {"weights": "he"}}}
    executor = Failing()
    summary = run_campaign(parse_specification(document), tmp_path / "a.store", executor=executor, retries=2)
    assert (summary.done, executor.seen.count(0), executor.seen.count(1)) == (3, 3, 3)
    (given_up,) = summary.given_up
    assert given_up.startswith("network 0 of the law he at (1,2,1): given up after 3 tries: ZeroDivisionError: here")
    with Store(tmp_path / "a.store") as store:
        for row in store.rows():
            assert (row.status == "bounds") == (row.number == 0)
            assert row.number or "ZeroDivisionError" in row.document["limit"]
        assert tabulate(store)[0].tallies["dimension"]["attains_upper_bound"].unknown == 1


class Several:
    """An executor in this process that takes several networks at a time; it breaks with some, and can be mended."""

    takes_several = True

    def __init__(self, breaks):
        self.tasks, self._breaks, self._broken = [], set(breaks), False

    def workers(self):
        return 2

    def renew(self):
        self._broken = False

    def submit(self, function, argument):
        future = Future()
        numbers = [job.number for job in (argument if isinstance(argument, tuple) else [argument])]
        self.tasks.append(numbers)
        self._broken |= not self._breaks.isdisjoint(numbers)
        if self._broken:
            self._breaks -= set(numbers)
            future.set_exception(BrokenExecutor())
            return future
        try:
            future.set_result(function(argument))
        except Exception as error:
            future.set_exception(error)
        return future


FORTY = {**SMALL, "count": 40, "architectures": [[1, 2, 1]], "laws": {"he": {"weights": "he"}}, "measures": ["floats"]}


@pytest.mark.parametrize("breaks", [[], [0], [17, 18, 30], range(40)])
def test_tasks_of_several_networks(tmp_path, breaks, monkeypatch):
    """Each network is done once, whatever breaks; what was under way then is tried alone."""
    monkeypatch.setattr(engine, "_TASK", 1e9)
    monkeypatch.setattr(engine, "_MOST", 7)
    executor = Several(breaks)
    summary = run_campaign(parse_specification(FORTY), tmp_path / "a.store", executor=executor)
    assert (summary.done, summary.given_up, max(map(len, executor.tasks))) == (40, (), 7)
    run_campaign(parse_specification(FORTY), tmp_path / "b.store", executor=ThreadPoolExecutor(1))
    assert contents(tmp_path / "a.store") == contents(tmp_path / "b.store")


def divides(job):
    """Fails with two networks, at any time."""
    return [] if job.number not in (20, 21) else 1 / 0


def test_a_failure_among_several(tmp_path, monkeypatch):
    """It is counted for its own network."""
    monkeypatch.setattr(engine, "_TASK", 1e9)
    monkeypatch.setattr("exactfd.experiments.worker.work", divides)
    executor = Several([])
    summary = run_campaign(parse_specification(FORTY), tmp_path / "a.store", executor=executor, retries=1)
    assert summary.done == 40
    assert sorted(text.partition(" of")[0] for text in summary.given_up) == ["network 20", "network 21"]
    assert all("given up after 2 tries: ZeroDivisionError" in text for text in summary.given_up)
    seen = [number for task in executor.tasks for number in task]
    assert [seen.count(number) for number in (19, 20, 21, 22)] == [1, 2, 2, 1]


class Intolerant(Several):
    """An executor that fails with any task of several networks that one of them is in."""

    def submit(self, function, argument):
        if isinstance(argument, tuple) and any(job.number == 20 for job in argument):
            future = Future()
            future.set_exception(MemoryError("no room for the answer"))
            self.tasks.append([job.number for job in argument])
            return future
        return super().submit(function, argument)


def test_a_task_that_fails_as_a_whole(tmp_path, monkeypatch):
    """None of its networks is held responsible: each is done by itself."""
    monkeypatch.setattr(engine, "_TASK", 1e9)
    executor = Intolerant([])
    summary = run_campaign(parse_specification(FORTY), tmp_path / "a.store", executor=executor, retries=0)
    assert (summary.done, summary.given_up) == (40, ())
    (failed,) = [task for task in executor.tasks if 20 in task and len(task) > 1]
    assert all([number] in executor.tasks for number in failed)


def test_networks_of_a_task_that_are_long_after_all(tmp_path, monkeypatch):
    """They do not keep one worker busy for long: those that were not begun are handed back."""
    monkeypatch.setattr(engine, "_TASK", 1e9)
    monkeypatch.setattr(engine, "_MOST", 7)
    monkeypatch.setattr(worker, "ENOUGH", 0.0)
    executor = Several([])
    summary = run_campaign(parse_specification(FORTY), tmp_path / "a.store", executor=executor, retries=0)
    assert (summary.done, summary.given_up) == (40, ())
    assert max(map(len, executor.tasks)) == 7
    assert [[number] in executor.tasks for number in range(40)].count(True) > 30
    with Store(tmp_path / "a.store") as store:
        assert [row.number for row in store.rows()] == list(range(40))


class Mute(Exception):
    """An error that cannot say what it is."""

    def __str__(self):
        raise ValueError


def test_facets(tmp_path):
    """Each row beside the complex of its network, the report beside their sum; and a limit."""
    document = {**SMALL, "count": 3, "architectures": [[1, 3, 1], [2, 3, 2, 1], [3, 3, 1]], "measures": ["facets"]}
    spec, store = parse_specification(document), tmp_path / "a.store"
    run_campaign(spec, store, executor=ThreadPoolExecutor(1))
    expected: dict[tuple[str, str], dict[int, int]] = {}
    with Store(store) as opened:
        for row in opened.rows():
            architecture = tuple(map(int, row.architecture.split(",")))
            cells = exactfd.canonical_complex(spec.network(architecture, row.law, row.number))
            top = cells.dimension
            sizes = [len(list(cell.facets())) for cell in cells.cells(top)]
            histogram = {k: sizes.count(k) for k in sorted(set(sizes))}
            assert row.status == "proved"
            assert row.document["facet_histogram"] == {str(k): n for k, n in histogram.items()}
            assert Fraction(row.document["mean_facets"]) == Fraction(sum(sizes), len(sizes))
            assert (row.document["top_cells"], sum(row.document["facets_by_layer"])) == (len(sizes), sum(sizes))
            total = expected.setdefault((row.architecture, row.law), {})
            for k, n in histogram.items():
                total[k] = total.get(k, 0) + n
        for group in tabulate(opened):
            name = ",".join(map(str, group.architecture))
            assert group.distributions["facets"]["facets_of_polytopes"] == expected[name, group.law]
    document |= {"architectures": [[2, 6, 6, 1]], "limits": {"cells": 3}}
    run_campaign(parse_specification(document), tmp_path / "b.store", executor=ThreadPoolExecutor(1))
    with Store(tmp_path / "b.store") as opened:
        for row in opened.rows():
            assert (row.status, row.document["facet_histogram"]) == ("bounds", None)
            assert "cells" in row.document["limit"]


def test_a_store_that_is_taken_away_is_noticed(tmp_path):
    """Rows would go to a file that nobody finds."""
    spec = parse_specification({**FORTY, "count": 5})

    class Removing(Several):
        def submit(self, function, argument):
            for path in tmp_path.glob("a.store*"):
                path.unlink()
            return super().submit(function, argument)

    with pytest.raises(InputError, match="was removed or replaced meanwhile"):
        run_campaign(spec, tmp_path / "a.store", executor=Removing([]))


def test_a_link_is_the_same_store(tmp_path):
    run_campaign(parse_specification({**FORTY, "count": 2}), tmp_path / "a.store", executor=Several([]))
    (tmp_path / "b.store").symlink_to(tmp_path / "a.store")
    with Store(tmp_path / "a.store", write=True), pytest.raises(InputError, match="that nobody else fills"):
        Store(tmp_path / "b.store", write=True)


def test_a_damaged_store_promises_nothing(tmp_path):
    spec = parse_specification({**FORTY, "count": 40})
    run_campaign(spec, tmp_path / "a.store", executor=Several([]))
    data = (tmp_path / "a.store").read_bytes()
    (tmp_path / "b.store").write_bytes(data[: len(data) // 2 // 4096 * 4096])
    with pytest.raises(InputError, match="expected a whole store, found a damaged one"):
        run_campaign(spec, tmp_path / "b.store", executor=Several([]))


def test_a_network_that_cannot_be_drawn_is_no_other_networks_fault(tmp_path, monkeypatch):
    """Where memory is short, it is said so at once; any other failure is given up, and not drawn by the driver."""
    draw = worker.sample
    for error, words in ((MemoryError(), "no memory was left to draw the network"), (InputError("too wild"), "wild")):

        def some(*arguments, number, error=error, **others):
            if number == 1:
                raise error
            return draw(*arguments, number=number, **others)

        monkeypatch.setattr("exactfd.experiments.worker.sample", some)
        store = tmp_path / f"{type(error).__name__}.store"
        summary = run_campaign(parse_specification({**FORTY, "count": 3}), store, executor=Several([]), retries=1)
        assert summary.done == 3
        with Store(store) as opened:
            rows = list(opened.rows())
        assert [row.status == "bounds" for row in rows] == [False, True, False]
        assert words in rows[1].document["limit"]


class Local(Exception):
    """An error that no other process can read."""

    def __init__(self, one, two):
        super().__init__(f"{one} {two}")


@pytest.mark.parametrize("error", [SystemExit(3), Local("never", "again"), Mute(), MemoryError()])
def test_whatever_a_network_raises_is_said_in_words(tmp_path, monkeypatch, error):
    """By the process that did it: an exception may end what it is handed to, or not arrive at all."""

    def fails(job):
        raise error

    monkeypatch.setattr("exactfd.experiments.worker.work", fails)
    document = {**SMALL, "count": 1, "architectures": [[1, 2, 1]], "laws": {"he": {"weights": "he"}}}
    summary = run_campaign(parse_specification(document), tmp_path / "a.store", executor=Several([]), retries=0)
    (given_up,) = summary.given_up
    assert f"given up after 1 tries: {type(error).__name__}" in given_up
    assert worker.attempt(None) == worker.in_words(error)


def test_a_large_network_that_is_given_up_is_not_drawn_by_the_driver(monkeypatch):
    monkeypatch.setattr(worker, "sample", lambda *_, **__: 1 / 0)
    spec = parse_specification(SMALL)
    name, law = next(iter(spec.laws.items()))
    job = worker.Job((1000, 1000, 1), name, law, "identity", 0, 0, spec.measures, spec.limits)
    (row, *_) = worker.given_up(job, "it died", 1.0)
    assert (row.digest, row.status, row.document["limit"]) == ("", "bounds", "it died")


def test_an_error_without_words():
    assert worker.in_words(ZeroDivisionError("here")) == "ZeroDivisionError: here"
    assert worker.in_words(Mute()) == "Mute"


def test_a_missing_package_is_said_by_another_process():
    """An error that cannot be read ends the pool of the process that raised it."""
    error = MissingExtraError("numba", "fast", "this", "make numba")
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.package, copy.extra) == (str(error), "numba", "fast")


# --------------------------------------------------------------------------- the store


def test_duplicates_are_impossible(undisturbed):
    with Store(undisturbed, write=True) as store:
        row = next(store.rows())
        with pytest.raises(InputError, match="UNIQUE constraint failed"):
            store.add([row])
    assert len(contents(undisturbed)) == 2 * 2 * 6 * 7


def test_two_drivers(tmp_path, undisturbed, threads):
    before = contents(undisturbed)
    with Store(undisturbed, write=True):
        with pytest.raises(InputError, match="found another campaign at work on it"):
            run_campaign(parse_specification(SMALL), undisturbed, executor=threads)
        assert contents(undisturbed) == before  # readers may look
    run_campaign(parse_specification(SMALL), undisturbed, executor=threads)
    assert not undisturbed.with_name("a.store.lock").exists()


def test_stores_that_are_none(tmp_path):
    text = tmp_path / "text"
    text.write_text("no database, but long enough to be read as one\n" * 100)
    other = tmp_path / "other"
    with contextlib.closing(sqlite3.connect(other)) as db:
        db.execute("CREATE TABLE t (x)")
    newer = tmp_path / "newer"
    Store(newer, write=True).close()
    with contextlib.closing(sqlite3.connect(newer)) as db:
        db.execute("PRAGMA user_version = 2")
    for path, message in [
        (text, "expected a store, found a file that is none"),
        (other, "found another SQLite file"),
        (newer, "expected a store of version 1, found version 2"),
        (tmp_path, "found a directory"),
        (tmp_path / "absent", "found no such file"),
        (tmp_path / "absent" / "a", "found no"),
    ]:
        data = path.read_bytes() if path.is_file() else None
        for write in (False, True) if path.exists() or path.parent.name == "absent" else (False,):
            with pytest.raises(InputError, match=message):
                Store(path, write=write)
        assert data is None or path.read_bytes() == data


@pytest.mark.parametrize(
    ("pragma", "message"),
    [("max_page_count = 1", "database or disk is full"), ("query_only = 1", "attempt to write a readonly database")],
)
def test_no_room_and_read_only(tmp_path, undisturbed, threads, monkeypatch, pragma, message):
    path = tmp_path / "a.store"
    small = {**SMALL, "count": 1}
    run_campaign(parse_specification(small), path, executor=threads)
    before = contents(path)
    original = engine._check_growth

    def then_no_room(store, specification):
        original(store, specification)
        store._db.execute(f"PRAGMA {pragma}")

    monkeypatch.setattr(engine, "_check_growth", then_no_room)
    with pytest.raises(InputError, match=f"{message}; what it holds is kept"):
        run_campaign(parse_specification(SMALL), path, executor=threads)
    monkeypatch.undo()
    assert set(before) <= set(contents(path))
    run_campaign(parse_specification(SMALL), path, executor=threads)
    assert contents(path) == contents(undisturbed)


@contextlib.contextmanager
def nobody():
    """Root may write everywhere; for the length of the block nobody is root."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_a_finished_store_that_is_read_only(undisturbed):
    with tempfile.TemporaryDirectory() as name:
        folder, data = Path(name), undisturbed.read_bytes()
        path = folder / "a.store"
        path.write_bytes(data)
        path.chmod(0o444)
        try:
            folder.chmod(0o777)
            with nobody():
                with pytest.raises(InputError, match="attempt to write a readonly database; what it holds is kept"):
                    Store(path, write=True)
                assert len(contents(path)) == 2 * 2 * 6 * 7
            folder.chmod(0o555)
            with nobody():
                assert len(contents(path)) == 2 * 2 * 6 * 7
                with pytest.raises(InputError, match="expected a writable file"):
                    Store(path, write=True)
        finally:
            folder.chmod(0o777)
        assert path.read_bytes() == data


def test_a_disk_that_is_full(tmp_path, undisturbed):
    """No file may grow beyond a limit: the driver ends with one line, and goes on when there is room."""
    spec, store = tmp_path / "a.toml", tmp_path / "a.store"
    spec.write_text(toml(SMALL))
    command = [sys.executable, "-m", "exactfd", "experiment", "run", spec, "-o", store, "--workers", "1", "--quiet"]

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, preexec_fn=limited, check=False)
    assert done.returncode == 3
    message = r"exactfd: error: .*a\.store: expected to use the store, found: .*(full|error); .*\n"
    assert re.fullmatch(message, done.stderr)
    assert set(contents(store)) < set(contents(undisturbed))
    with ThreadPoolExecutor(1) as executor:
        run_campaign(parse_specification(SMALL), store, executor=executor)
    assert contents(store) == contents(undisturbed)


# --------------------------------------------------------------------------- kills


def workers_of(pid):
    """Worker processes of a driver, from /proc."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[1]) == pid and b"spawn_main" in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
    return found


def driver(spec, store):
    options = ["--workers", "2", "--retries", "9", "--quiet"]
    return subprocess.Popen(
        [sys.executable, "-m", "exactfd", "experiment", "run", spec, "-o", store, *options],
        cwd=ROOT,
        start_new_session=True,  # a process group of its own, as under a shell
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def rows_so_far(path):
    """The contents of a store that may not have been begun."""
    try:
        return set(contents(path))
    except InputError as error:
        if re.search("found (an empty one|no such file)", str(error)) is None:
            raise
        return set()


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes in /proc")


@needs_proc
@pytest.mark.parametrize("delay", [0.0, 0.1, 0.2])
def test_an_interrupt_while_workers_are_importing(tmp_path, delay):
    spec, store = tmp_path / "a.toml", tmp_path / "a.store"
    spec.write_text(toml(SMALL))
    process = driver(spec, store)
    deadline = time.monotonic() + 60
    while not workers_of(process.pid):  # they have begun, and import for half a second
        assert time.monotonic() < deadline
        assert process.poll() is None
    time.sleep(delay)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert re.fullmatch(r"\n?exactfd: interrupted; what is finished is in the store; go on with: .*\n", errors)


@needs_proc
def test_kills_change_nothing(tmp_path, undisturbed):
    spec, store, rng = tmp_path / "a.toml", tmp_path / "a.store", random.Random(0)
    spec.write_text(toml(SMALL))
    for _ in range(3):
        process = driver(spec, store)
        workers = []
        try:
            for _ in range(2):
                deadline = time.monotonic() + rng.uniform(0.5, 3.0)
                while time.monotonic() < deadline and process.poll() is None:
                    time.sleep(0.02)
                workers = workers_of(process.pid)
                if workers:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(rng.choice(workers), signal.SIGKILL)
            time.sleep(rng.uniform(0, 1))
            workers = workers_of(process.pid)
        finally:
            process.kill()
            process.communicate()
        deadline = time.monotonic() + 20
        while any(Path(f"/proc/{pid}").exists() for pid in workers):  # they end when their driver is gone
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert rows_so_far(store) <= set(contents(undisturbed))
    last = driver(spec, store)
    _, errors = last.communicate(timeout=120)
    assert (last.returncode, errors) == (0, "")
    assert contents(store) == contents(undisturbed)


@needs_proc
def test_an_interrupt_finishes_what_is_under_way(tmp_path, undisturbed):
    spec, store = tmp_path / "a.toml", tmp_path / "a.store"
    spec.write_text(toml({**SMALL, "count": 500}))
    process = driver(spec, store)
    deadline = time.monotonic() + 30
    while not rows_so_far(store):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # workers hear it too
    process.send_signal(signal.SIGINT)  # as `timeout -s INT` does
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"go on with: exactfd experiment run {spec} -o {store}" in errors
    rows = contents(store)
    assert 0 < len(rows) < 500 * 4 * 7
    assert len(rows) % 7 == 0
    assert f"left          {2000 - len(rows) // 7}" in output


def stuck(job):
    """Never comes back for one network, however often it is asked."""
    if job.number == 1:
        time.sleep(1000)
    return work(job)


def deadly(job):
    """Ends its process for one network."""
    if job.number == 1:
        os._exit(1)
    return work(job)


def deadly_among(jobs):
    """The same for several networks."""
    return [deadly(job) for job in jobs]


def test_a_network_that_ends_the_worker_of_several(tmp_path, monkeypatch):
    """Only that one is given up, and the others are done."""
    monkeypatch.setattr(engine, "attempt", deadly)
    monkeypatch.setattr(engine, "work_through", deadly_among)
    monkeypatch.setattr(engine._Engine, "_size", lambda self: 8)
    summary = run_campaign(parse_specification(FORTY), tmp_path / "a.store", workers=2, retries=1)
    assert summary.done == 40
    (given_up,) = summary.given_up
    assert given_up.startswith("network 1 of the law he at (1,2,1): given up after 2 tries: its worker process was")
    with Store(tmp_path / "a.store") as store:
        assert [row.number for row in store.rows() if row.status == "bounds"] == [1]


@pytest.mark.parametrize(("function", "message"), [(stuck, "stopped after"), (deadly, "given up after 2 tries")])
def test_a_network_that_stops_its_worker(tmp_path, monkeypatch, function, message):
    """The others are done, that one is given up."""
    document = {**SMALL, "count": 4, "architectures": [[1, 2, 1]], "measures": ["dimension"]}
    document |= {"laws": {"he": {"weights": "he"}}}  # with the usual limits: on a busy machine the others take long
    monkeypatch.setattr(engine, "attempt", function)
    monkeypatch.setattr("exactfd.experiments.worker.Job.most_seconds", property(patience))
    if function is stuck:
        monkeypatch.setattr(engine, "attempt", alarmed)
    summary = run_campaign(parse_specification(document), tmp_path / "a.store", workers=2, retries=1)
    assert summary.done == 4
    assert message in summary.given_up[0]
    with Store(tmp_path / "a.store") as store:
        assert [row.status for row in store.rows()] == ["proved", "bounds", "proved", "proved"]


def patience(job):
    """Little, for the one network that is to be stopped."""
    return 1.0 if job.number == 1 else 300.0


def alarmed(job):
    """As a worker sets its alarm."""
    signal.setitimer(signal.ITIMER_REAL, patience(job))  # what the driver was given: nothing is patched here
    try:
        return stuck(job)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
