"""``python -m benchmarks.processes``: what other processes save, in seconds by the clock, single runs."""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import Any

import exactfd
from benchmarks.measure import COMPILED, NUMPY, ONE_THREAD, table
from benchmarks.scaling import random_network

CASES = [
    ("2x256x256x256x1", "every cell", lambda net, n: sum(exactfd.canonical_complex(net, processes=n).f_vector)),
    ("3x64x64x1", "every cell", lambda net, n: sum(exactfd.canonical_complex(net, processes=n).f_vector)),
    ("8x10x10x1", "top cells, by the splitting tree", lambda net, n: len(exactfd.split_cells(net, processes=n))),
]


def main() -> None:
    argparse.ArgumentParser(prog="python -m benchmarks.processes", description=__doc__).parse_args()
    if not ONE_THREAD.items() <= os.environ.items():  # NumPy reads them when it is loaded
        os.execve(sys.executable, [sys.executable, "-m", "benchmarks.processes"], {**os.environ, **ONE_THREAD})
    rows = []
    for name, what, work in CASES:
        network = random_network(f"random-{name}")
        times, counts = [], set[Any]()
        for loops in (NUMPY, COMPILED):
            os.environ.update(loops)
            work(random_network(f"random-{network.input_dimension}x3x3x1"), 1)  # loads what has to be loaded
            for processes in (1, 2):
                start = time.perf_counter()
                counts.add(work(network, processes))
                times.append(f"{time.perf_counter() - start:.1f}")
        if len(counts) > 1:
            raise SystemExit(f"{name}: processes count differently: {counts}")
        rows.append([name, f"{counts.pop()} ({what})", *times])
    print("Seconds by the clock, single runs: one process and two.\n")
    table(["net", "cells", "NumPy: one", "two", "compiled: one", "two"], rows)


if __name__ == "__main__":
    main()
