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


SHORT = 0.5  # seconds below which a job is called again
CALLS = 5
NUMPY, COMPILED = {"EXACTFD_COMPILED": "never"}, {"EXACTFD_COMPILED": "always"}


def median_of(job: str, argument: str, *, runs: int = 3, loops: dict[str, str] = NUMPY) -> dict[str, Any]:
    """Run ``python -m benchmarks.jobs JOB ARGUMENT`` a few times; median CPU seconds, largest memory, the counts.

    Counts must be the same in every run. ``loops`` tells whether compiled loops are used.
    """
    command = [sys.executable, "-m", "benchmarks.jobs", job, argument]
    results = []
    for _ in range(runs):
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **ONE_THREAD, **loops}, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f"{job} {argument} failed:\n{done.stderr}")
        results.append(json.loads(done.stdout))
    if any(result["counts"] != results[0]["counts"] for result in results):
        raise RuntimeError(f"{job} {argument}: the counts differ between runs")
    return {
        "seconds": statistics.median(result["seconds"] for result in results),
        "memory": max(result["memory"] for result in results),
        "counts": results[0]["counts"],
    }


def table(header: list[str], rows: list[list[str]]) -> None:
    """Print a table in Markdown."""
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)
    print()


def report(work: Callable[[], dict[str, Any]]) -> None:
    """Time ``work`` (which returns its counts) by CPU seconds and print one JSON line."""
    counts, seconds = _timed(work)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if seconds < SHORT:
        again = [_timed(work) for _ in range(CALLS)]
        if any(found != counts for found, _ in again):
            raise SystemExit("the counts differ between calls")
        seconds = statistics.median(taken for _, taken in again)
    print(json.dumps({"seconds": seconds, "memory": memory, "counts": counts}))


def _timed(work: Callable[[], dict[str, Any]]) -> tuple[dict[str, Any], float]:
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
