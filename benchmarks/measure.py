"""One measured job per process: CPU seconds, peak memory and counts, with one BLAS thread.

What is done once a process (loading modules and compiled loops) is done before the clock starts, and short jobs are the
median of several calls.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


SHORT = 0.5  # seconds below which a job is called again, five times at least and for as many seconds
CALLS = 5
Work = Callable[[], dict[str, Any]]
NUMPY, COMPILED = {"EXACTFD_COMPILED": "never"}, {"EXACTFD_COMPILED": "always"}


def median_of(job: str, argument: str, *, runs: int = 3, loops: dict[str, str] = NUMPY) -> dict[str, Any]:
    """Run ``python -m benchmarks.jobs JOB ARGUMENT`` a few times; median CPU seconds, largest memory, the counts.

    Counts must be the same in every run. ``loops`` tells whether compiled loops are used.
    """
    results = [_run(job, argument, loops=loops) for _ in range(runs)]
    if any(result["counts"] != results[0]["counts"] for result in results):
        raise RuntimeError(f"{job} {argument}: the counts differ between runs")
    return {
        "seconds": statistics.median(result["seconds"] for result in results),
        "memory": max(result["memory"] for result in results),
        "counts": results[0]["counts"],
    }


def ratio_of(job: str, other: str, argument: str, *, loops: dict[str, str] = NUMPY) -> float:
    """CPU seconds of a job over those of another one with the same counts, both in turn in one process: a machine that
    is now slow and now fast changes both. Medians.
    """
    result = _run(job, argument, other, loops=loops)
    ratio: float = result["seconds"] / result["other"]
    return ratio


def _run(*arguments: str, loops: dict[str, str]) -> Any:
    command = [sys.executable, "-m", "benchmarks.jobs", *arguments]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **ONE_THREAD, **loops}, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)} failed:\n{done.stderr}")
    return json.loads(done.stdout)


def table(header: list[str], rows: list[list[str]]) -> None:
    """Print a table in Markdown."""
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)
    print()


def report(work: Work, other: Work | None = None) -> None:
    """Time ``work`` (which returns its counts) by CPU seconds, beside ``other`` if given, and print one JSON line."""
    counts, seconds = _timed(work)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    jobs, again, start = [work] if other is None else [work, other], [], time.process_time()
    if seconds < SHORT or other is not None:
        while len(again) < CALLS or time.process_time() < start + SHORT:
            again.append([_timed(job) for job in jobs])
        if any(found != counts for calls in again for found, _ in calls):
            raise SystemExit("the counts differ between calls")
        seconds, *rest = (statistics.median(calls[i][1] for calls in again) for i in range(len(jobs)))
    document = {"seconds": seconds, "memory": memory, "counts": counts}
    print(json.dumps(document if other is None else {**document, "other": rest[0]}))


def _timed(work: Work) -> tuple[dict[str, Any], float]:
    start = time.process_time()
    counts = work()
    return counts, time.process_time() - start


def startup(arguments: list[str], *, runs: int = 5) -> float:
    """Median wall-clock seconds of a whole command, interpreter included."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "exactfd", *arguments], cwd=ROOT, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times)
