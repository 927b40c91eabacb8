"""``python -m benchmarks.campaigns [--quick] [--dask]``: what a campaign costs beside its networks.

- Two workers against one: networks a second by the clock, and CPU seconds of a network, which a busy machine changes
  less. With ``--dask`` also on a local Dask cluster.
- The driver: its CPU seconds for each network, as a share of a second in which 100 networks are done.
- A store of a million rows: CPU seconds until ``status`` and ``report`` have answered, interpreter and all.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.measure import ONE_THREAD, ROOT, table
from exactfd.experiments import Cluster, Row, Store, parse_specification, run_campaign

CAMPAIGN = {
    "architectures": [[2, 5, 5, 1]],
    "laws": {"he": {"weights": "he", "biases": {"law": "normal", "deviation": 0.1}}},
    "measures": ["dimension"],
}
LIGHT = {**CAMPAIGN, "architectures": [[1, 1]]}  # next to nothing to compute: the driver is all that is seen
STORED = {
    **CAMPAIGN,
    "count": 50,
    "architectures": [[1, 3, 1], [2, 3, 2, 1]],
    "measures": ["dimension", "batch", "gap", "floats", "mechanisms"],
}
WORDS = {"status": "how far it is", "report": "tables"}


@dataclass(frozen=True)
class Cost:
    """Of one campaign: networks, seconds of the clock, CPU seconds of the driver and of its workers."""

    networks: int
    wall: float
    driver: float
    workers: float


def _cpu(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def cost(document: dict[str, object], workers: int, *, dask: bool) -> Cost:
    """A campaign in a new store. The time that the first processes take to start is counted, where there are any."""
    spec = parse_specification(document)
    before = _cpu(resource.RUSAGE_SELF), _cpu(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        with Cluster("local", count=workers) if dask else nullcontext() as cluster:
            begin = time.perf_counter()
            done = run_campaign(spec, Path(folder) / "a.store", workers=workers, executor=cluster)
            wall = time.perf_counter() - begin
        if done.done != spec.networks or done.bounds:
            raise SystemExit(f"{done.done} of {spec.networks} networks, {done.bounds} rows with bounds")
    after = _cpu(resource.RUSAGE_SELF), _cpu(resource.RUSAGE_CHILDREN)
    return Cost(spec.networks, wall, after[0] - before[0], after[1] - before[1])


def speed(*, quick: bool, dask: bool) -> None:
    """Two workers against one, in turn; the best of some runs, for others use the machine too."""
    document = {**CAMPAIGN, "count": 200 if quick else 4000}
    rows = []
    for place in (False, True) if dask else (False,):
        runs = [[cost(document, workers, dask=place) for workers in (1, 2)] for _ in range(1 if quick else 3)]
        one, two = (min((run[i] for run in runs), key=lambda c: c.wall) for i in (0, 1))
        for found, workers in ((one, 1), (two, 2)):
            row = ["Dask" if place else "processes", str(workers), f"{found.networks / found.wall:.1f}"]
            row += [f"{1000 * found.workers / found.networks:.2f}", f"{1000 * found.driver / found.networks:.2f}"]
            rows.append([*row, f"{one.wall / found.wall:.2f}"])
    print(f"{document['count']} networks (2, 5, 5, 1), the functional dimension of each.\n")
    names = ["workers", "of them", "networks a second", "CPU ms of workers each", "CPU ms of driver each", "speed"]
    table(names, rows)


def overhead(*, quick: bool, dask: bool) -> None:
    """The driver's part of a second at 100 networks in that second."""
    rows = []
    for place in (False, True) if dask else (False,):
        few, many = (cost({**LIGHT, "count": n}, 1, dask=place) for n in ((500, 1000) if quick else (1000, 6000)))
        each = (many.driver - few.driver) / (many.networks - few.networks)  # what each one more adds
        row = ["Dask" if place else "processes", f"{many.networks / many.wall:.0f}", f"{1000 * each:.3f}"]
        rows.append([*row, f"{100 * 100 * each:.1f} %"])
    print("The driver, with networks (1, 1) that cost next to nothing.\n")
    table(["workers", "networks a second", "CPU ms of driver each", "at 100 a second"], rows)


def fill(path: Path, rows: int) -> None:
    """A store with that many rows: those of real networks again and again, with other numbers of cells and digests."""
    spec, rng = parse_specification(STORED), random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        run_campaign(spec, Path(folder) / "a.store")
        with Store(Path(folder) / "a.store") as store:
            real = list(store.rows())
    times = rows // len(real)
    with Store(path, write=True) as store:
        store.set_specification(parse_specification({**STORED, "count": 50 * times}).to_dict())
        for number in range(times):
            store.add([_another(row, number, rng) for row in real])


def _another(row: Row, times: int, rng: random.Random) -> Row:
    document = row.document
    if "top_cells" in document:
        document["top_cells"] = rng.randint(3, 3000)
    digest = f"{rng.getrandbits(256):064x}"
    return replace(row, number=row.number + 50 * times, digest=digest, value=json.dumps(document))


def large_store(*, quick: bool) -> None:
    """``status`` and ``report`` of a store with a million rows."""
    size, rows = 100_000 if quick else 1_000_000, []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.store"
        fill(path, size)
        for word, what in WORDS.items():
            before, begin = _cpu(resource.RUSAGE_CHILDREN), time.perf_counter()
            command = [sys.executable, "-m", "exactfd", "experiment", word, str(path), "--json"]
            subprocess.run(command, cwd=ROOT, env={**os.environ, **ONE_THREAD}, check=True, capture_output=True)
            cpu, wall = _cpu(resource.RUSAGE_CHILDREN) - before, time.perf_counter() - begin
            rows.append([f"`{word}`, {what}", f"{size}", f"{path.stat().st_size >> 20}", f"{cpu:.1f}", f"{wall:.1f}"])
    print("A large store.\n")
    table(["command", "rows", "MiB", "CPU s", "s by the clock"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--dask", action="store_true", help="also a local Dask cluster (extra: cluster)")
    options = parser.parse_args()
    overhead(quick=options.quick, dask=options.dask)
    speed(quick=options.quick, dask=options.dask)
    large_store(quick=options.quick)


if __name__ == "__main__":
    main()
