"""Campaigns on a cluster of Dask: the rows are those of one machine, whatever is killed."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from benchmarks.faults import DaskProcesses, Disturbed, contents, driver, wait_until
from exactfd.errors import ExactFDError, InputError
from exactfd.experiments import Cluster, Store, apart, parse_specification, read_specification, run_campaign, worker
from exactfd.experiments import campaign as engine
from exactfd.experiments import cluster as adapter
from exactfd.experiments.executors import ExecutorLost, UnfitWorker, WorkerDied
from exactfd.experiments.worker import work

distributed = pytest.importorskip("distributed", reason="the extra `cluster`")
SPEC = """
seed = 4
count = 12
architectures = [[1, 3, 1], [2, 3, 2, 1]]
measures = ["dimension", "batch", "cells"]
[laws.he]
weights = "he"
biases = { law = "normal", deviation = 0.5 }
[laws.integers]
weights = "integer"
biases = "integer"
"""
QUIET = {"dashboard_address": "127.0.0.1:0", "scheduler_kwargs": {"dashboard": False}}
TINY = {
    "count": 4,
    "architectures": [[1, 2, 1]],
    "measures": ["dimension"],
    "laws": {"he": {"weights": "he"}},
}


@pytest.fixture(scope="module")
def scheduler():
    """The address of a cluster within this process: one worker with one thread, to be scaled up."""
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, protocol="tcp", **QUIET
    ) as cluster:
        yield cluster
    for companion in apart._idle:
        companion.end()
    apart._idle.clear()


@pytest.fixture
def spec(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text(SPEC)
    return path


def undisturbed(spec, path):
    with ThreadPoolExecutor(1) as executor:
        run_campaign(read_specification(spec), path, executor=executor)
    return contents(path)


# --------------------------------------------------------------------------- kills


def test_kills_change_nothing(tmp_path, spec):
    """A real scheduler and real workers on loopback; SIGKILL to each kind of process."""
    spec.write_text(SPEC.replace("count = 12", "count = 150"))  # so many that something is left to the end
    with DaskProcesses() as cluster:
        campaign = Disturbed(spec, tmp_path / "a.store", cluster, random.Random(1))
        try:
            for victim in ("dask worker", "scheduler", "driver"):
                campaign.strike(victim)
            before = contents(campaign.store)
            last = driver(spec, campaign.store, "--scheduler", cluster.address)
            assert last.communicate(timeout=100)[1] == ""
        finally:
            campaign.end()
    expected = undisturbed(spec, tmp_path / "undisturbed.store")
    assert last.returncode == 0
    assert set(before) < set(expected)
    assert {"dask worker", "scheduler", "driver"} <= set(campaign.killed)
    assert contents(campaign.store) == expected


def test_an_interrupt_finishes_what_is_under_way(tmp_path, spec):
    """Ctrl-C goes to the workers of a local cluster too, and they let the driver decide."""
    store = tmp_path / "a.store"
    spec.write_text(SPEC.replace("count = 12", "count = 2000"))
    process = driver(spec, store, "--scheduler", "local", "--workers", "2")
    wait_until(lambda: bool(contents(store)) or process.poll() is not None)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.endswith(f"go on with: exactfd experiment run {spec} -o {store} --workers 2 --scheduler local\n")
    assert errors.count("\n") == 1
    assert 0 < len(contents(store)) < 8000 * 3
    assert len(contents(store)) % 3 == 0


# --------------------------------------------------------------------------- the cluster as an executor


def test_back_pressure_follows_the_size_of_the_cluster(tmp_path, scheduler, monkeypatch):
    monkeypatch.setattr(adapter, "_LOOK", 0.05)
    monkeypatch.setattr(engine, "_MOST", 3)
    states = []

    def watch(state):
        states.append(state)
        if state.done >= 10 and len(scheduler.workers) == 1:
            scheduler.scale(3)

    document = {**TINY, "count": 150}
    with Cluster(scheduler.scheduler_address) as cluster:
        summary = run_campaign(parse_specification(document), tmp_path / "a.store", executor=cluster, watch=watch)
    scheduler.scale(1)
    wait_until(lambda: len(scheduler.scheduler_info["workers"]) == 1)
    assert (summary.done, summary.bounds) == (150, 0)
    assert states[0].workers == 1
    assert max(state.workers for state in states) == 3
    assert all(state.under_way <= 2 * 3 * state.workers for state in states)
    assert [state.done for state in states] == sorted(state.done for state in states)
    assert states[-1].done == 150


def stuck(job):
    """Never comes back for one network."""
    if job.number == 1:
        time.sleep(1000)
    return work(job)


def deadly(job):
    """Ends its process for one network."""
    if job.number == 1:
        os._exit(1)
    return work(job)


@pytest.mark.parametrize(
    ("function", "seconds", "message"),
    [(stuck, 6.0, "stopped after 8 s"), (deadly, 100.0, "given up after 2 tries: its process was killed, or died")],
)
def test_a_network_that_stops_its_process(tmp_path, monkeypatch, scheduler, function, seconds, message):
    """The others are done, that one is given up, and no worker of the cluster is lost."""
    monkeypatch.setattr(engine, "attempt", function)
    patience = property(lambda job: seconds if job.number == 1 else 300.0)  # the others may take long
    monkeypatch.setattr("exactfd.experiments.worker.Job.most_seconds", patience)
    workers = set(scheduler.scheduler_info["workers"])
    with Cluster(scheduler.scheduler_address) as cluster:
        summary = run_campaign(parse_specification(TINY), tmp_path / "a.store", executor=cluster, retries=1)
    assert summary.done == 4
    assert summary.given_up == (f"network 1 of the law he at (1,2,1): {message}",)
    with Store(tmp_path / "a.store") as store:
        assert [row.status for row in store.rows()] == ["proved", "bounds", "proved", "proved"]
    assert set(scheduler.scheduler_info["workers"]) == workers


def deadly_among(jobs):
    """The same for several networks."""
    return [deadly(job) for job in jobs]


def test_a_network_that_stops_the_process_of_several(tmp_path, monkeypatch, scheduler):
    """The others of its task are done alone, that one is given up."""
    monkeypatch.setattr(engine, "attempt", deadly)
    monkeypatch.setattr(engine, "work_through", deadly_among)
    monkeypatch.setattr(engine._Engine, "_size", lambda self: 8)
    document = {**TINY, "count": 40}
    with Cluster(scheduler.scheduler_address) as cluster:
        summary = run_campaign(parse_specification(document), tmp_path / "a.store", executor=cluster, retries=1)
    assert summary.done == 40
    (given_up,) = summary.given_up
    assert given_up == "network 1 of the law he at (1,2,1): given up after 2 tries: its process was killed, or died"
    with Store(tmp_path / "a.store") as store:
        assert [row.number for row in store.rows() if row.status == "bounds"] == [1]


def test_limits_of_days(tmp_path, monkeypatch, scheduler):
    """However long the networks of a task may take together, the system can wait for them."""
    monkeypatch.setattr(engine._Engine, "_size", lambda self: 8)
    document = {**TINY, "count": 20, "limits": {"time": 10**7}}
    with Cluster(scheduler.scheduler_address) as cluster:
        summary = run_campaign(parse_specification(document), tmp_path / "a.store", executor=cluster)
    assert (summary.done, summary.bounds) == (20, 0)


def test_a_task_is_waited_for_as_long_as_its_longest_network():
    """The alarm of its own process ends each network: what is waited for here does not even heed that."""
    cluster, seen = Cluster("tcp://127.0.0.1:1"), []

    class Noting:
        def submit(self, apart, function, jobs, memory, most_seconds, versions):
            seen.append(most_seconds)
            return Future()

    cluster._executor = Noting()
    spec = parse_specification(TINY)
    law = spec.laws["he"]
    jobs = [
        worker.Job((1, 2, 1), "he", law, "identity", 0, number, spec.measures * (number + 1), spec.limits)
        for number in range(3)
    ]
    cluster.submit(worker.work_through, tuple(jobs))
    cluster.submit(work, jobs[0])
    assert seen == [jobs[2].most_seconds + worker.ENOUGH, jobs[0].most_seconds]


def test_a_cluster_without_workers(tmp_path, scheduler):
    """Its networks wait for a worker, but not for ever."""
    with distributed.LocalCluster(n_workers=0, processes=False, protocol="tcp", **QUIET) as empty:
        address = empty.scheduler_address
        with (
            Cluster(address, patience=1) as cluster,
            pytest.raises(ExactFDError, match="found none for 1 s; start some with: dask worker tcp://"),
        ):
            run_campaign(parse_specification(TINY), tmp_path / "a.store", executor=cluster)
        with Cluster(address, patience=1) as cluster:
            empty.close()
            with pytest.raises(ExactFDError, match=r"expected a scheduler of Dask, found: .* same command goes on"):
                run_campaign(parse_specification(TINY), tmp_path / "a.store", executor=cluster)
    with Cluster(scheduler.scheduler_address) as cluster:
        assert run_campaign(parse_specification(TINY), tmp_path / "a.store", executor=cluster).done == 4


def test_a_connection_that_was_lost_and_is_back(tmp_path, scheduler, monkeypatch):
    """Then the scheduler knows nothing of what was under way, and Dask does not tell of every network."""
    renewed = []
    original = Cluster.renew
    monkeypatch.setattr(Cluster, "renew", lambda self: (renewed.append(True), original(self)))
    with Cluster(scheduler.scheduler_address) as cluster:

        def watch(state):
            if not renewed:
                cluster._connection = None  # as if the client had made another one

        summary = run_campaign(
            # more than a worker is given at a time
            parse_specification({**TINY, "count": 500}),
            tmp_path / "a.store",
            executor=cluster,
            watch=watch,
        )
    assert renewed
    assert (summary.done, summary.bounds, summary.given_up) == (500, 0, ())


def test_other_versions(tmp_path, scheduler, monkeypatch):
    path, spec = tmp_path / "a.store", parse_specification(TINY)
    other = Cluster(scheduler.scheduler_address)
    other._versions = "exactfd 99"
    with pytest.raises(InputError, match=r"worker tcp://.*: expected what the driver has, exactfd 99, found exactfd 0"):
        other.__enter__()
    monkeypatch.setattr(other, "_check_versions", lambda: None)  # as of a worker that comes later
    message = r"a worker of the cluster: expected what the driver has, exactfd 99, found exactfd 0"
    with other, pytest.raises(InputError, match=message):
        run_campaign(spec, path, executor=other)
    with Cluster(scheduler.scheduler_address) as cluster:
        assert run_campaign(spec, path, executor=cluster).done == 4


def test_what_a_cluster_cannot_be_made_of(monkeypatch):
    for address in ("host", "tcp://host", "", "host:8786"):
        with pytest.raises(InputError, match=r'expected "local" or an address such as tcp://host:8786, found'):
            Cluster(address)
    for options in ({"count": 0}, {"patience": 0}):
        with pytest.raises(InputError, match="expected a positive number, found 0"):
            Cluster("local", **options)
    for address in ("tcp://127.0.0.1:1", "ftp://127.0.0.1:1"):
        with pytest.raises(InputError, match=r"expected a scheduler of Dask, found: .*; start one with: dask sched"):
            Cluster(address, patience=0.3).__enter__()


def test_a_cluster_that_is_not_open(tmp_path):
    cluster = Cluster("tcp://127.0.0.1:1")
    with pytest.raises(InputError, match="expected to be used in a with block"):
        run_campaign(parse_specification(TINY), tmp_path / "a.store", executor=cluster)


def test_what_dask_says_is_understood():
    """Only what a network did itself is held against it."""
    killed = distributed.scheduler.KilledWorker("key", None, 3)
    for error, expected, message in [
        (killed, WorkerDied, "every worker that had it died (4 of them)"),
        (ModuleNotFoundError("No module named 'exactfd'"), UnfitWorker, "No module named 'exactfd'"),
        (CancelledError(), ExecutorLost, "the scheduler is gone"),
    ]:
        future = Future()
        future.set_exception(error)
        with pytest.raises(expected, match=re.escape(message)):
            adapter._Task(future).result()


class Mortal:
    """An executor of which a worker dies whenever it has network 1, and with network 0 once."""

    def __init__(self):
        self.under_way, self.deaths = 0, []

    def workers(self):
        return 3

    def renew(self):
        raise AssertionError

    def submit(self, function, job):
        future = Future()
        if job.number == 1 or (job.number == 0 and not self.deaths):
            self.deaths.append(job.number)
            future.set_exception(WorkerDied("4 workers died"))
        else:
            future.set_result(function(job))
        return future


def test_only_the_network_that_kills_workers_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr("exactfd.experiments.worker.Job.most_seconds", 0.0)  # waiting for a worker is no fault
    executor = Mortal()
    summary = run_campaign(parse_specification(TINY), tmp_path / "a.store", executor=executor, retries=2)
    assert summary.given_up == ("network 1 of the law he at (1,2,1): given up after 3 tries: 4 workers died",)
    assert sorted(executor.deaths) == [0, 1, 1, 1, 1]  # the first time in company, which does not count
    with Store(tmp_path / "a.store") as store:
        assert [row.status for row in store.rows()] == ["proved", "bounds", "proved", "proved"]


# --------------------------------------------------------------------------- companions


@pytest.fixture
def companion():
    found = apart.Companion(1 << 30)
    yield found
    if found.usable:
        found.end()


def test_a_companion(companion):
    first = companion.run(abs, -3, 10.0)
    assert (first.value, first.failure) == (3, None)
    assert companion.run(divmod, 3, 10.0).failure.startswith("TypeError: divmod")
    assert companion.run(bytearray, 3 << 30, 10.0).failure == "MemoryError: "
    assert companion.run(os.getenv, "OPENBLAS_NUM_THREADS", 10.0).value == "1"
    assert companion.usable
    late = companion.run(time.sleep, 1000, 0.1)
    assert (late.failure, late.late, companion.usable) == ("it heeded no limit", True, False)


def test_a_companion_that_dies(companion):
    died = companion.run(os._exit, 3, 100.0)
    assert (died.failure, died.late, companion.usable) == ("its process was killed, or died", False, False)


def test_companions_are_used_again():
    one = apart._taken(1 << 30)
    apart._give_back(one)
    assert apart._taken(1 << 30) is one
    apart._give_back(one)
    other = apart._taken(1 << 31)
    assert not one.usable  # another campaign, with another limit
    other.since -= 1000
    apart._give_back(other)
    new = apart._taken(1 << 31)  # the old one may be about to end
    assert not other.usable
    assert new.usable
    new.end()


def test_a_companion_ends_with_its_worker():
    code = (
        "import time; from exactfd.experiments.apart import Companion\n"
        "c = Companion(1 << 30); c.run(abs, 1, 10.0); print(c.pid, flush=True); c.run(time.sleep, 1000, 1000.0)"
    )
    worker = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    pid = int(worker.stdout.readline())
    worker.kill()
    worker.communicate()
    wait_until(lambda: not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text(), 20)


def test_memory_that_stays_is_not_asked_for_after_every_network(monkeypatch):
    """Compiled loops take more than a network may leave behind: collecting after each would cost more than its rank."""
    sizes, collected = iter([100 << 20, 300 << 20, 299 << 20, *[301 << 20] * 9]), []
    monkeypatch.setattr(worker, "_at_start", 0)
    monkeypatch.setattr(worker, "current_memory", lambda: next(sizes))
    monkeypatch.setattr(worker.gc, "collect", lambda: collected.append(1))
    for _ in range(4):
        worker._give_back()
    assert len(collected) == 1
