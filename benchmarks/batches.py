"""``python -m benchmarks.batches``: exact ranks of batches of 2 D' points beside float ranks of the same Jacobians.

Random networks (He-normal weights, bias variance 0.01) and normal points. "matrix_rank" is `numpy.linalg.matrix_rank`
on the Jacobian alone, "loop" with a Python loop that builds it point by point, as such experiments do. "compiled" is
with the compiled loops of the extra `fast`.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from statistics import fmean, median
from typing import Any

import numpy as np

import exactfd
from benchmarks.jobs import numpy_batch_job
from benchmarks.measure import COMPILED, NUMPY, ONE_THREAD, table
from exactfd.jacobians import float_jacobian

#: Architectures, with how many networks of each.
CASES = [
    ((5, 5, 5, 5, 1), 1000),
    ((8, 8, 8, 8, 1), 50),
    ((9, 9, 9, 9, 1), 50),
    ((10, 10, 10, 10, 10, 10, 1), 60),
    ((14, 14, 14, 14, 14, 14, 1), 10),
    ((15, 15, 15, 15, 15, 15, 1), 20),
    ((20, 20, 20, 20, 20, 20, 1), 3),
    ((2, 8, 8, 1), 20),
    ((2, 16, 16, 1), 20),
    ((2, 32, 32, 1), 5),
    ((2, 44, 44, 1), 3),
    ((2, 40, 1), 20),
    ((2, 8, 8, 2), 20),
    ((2, 16, 16, 2), 20),
    ((2, 24, 24, 2), 5),
    ((2, 8, 8, 8, 1), 20),
    ((2, 12, 12, 12, 1), 20),
    ((2, 16, 16, 16, 1), 10),
    ((2, 20, 20, 20, 1), 5),
]


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    begin = time.process_time()
    result = work()
    return result, time.process_time() - begin


def main() -> None:
    argparse.ArgumentParser(prog="python -m benchmarks.batches", description=__doc__).parse_args()
    if not ONE_THREAD.items() <= os.environ.items():  # NumPy reads them when it is loaded
        os.execve(sys.executable, [sys.executable, "-m", "benchmarks.batches"], {**os.environ, **ONE_THREAD})
    rows = []
    for sizes, count in CASES:
        times: dict[str, list[float]] = {"NumPy": [], "compiled": [], "matrix_rank": [], "loop": []}
        forced, wrong = 0, 0
        for seed in range(-1, count):  # the first one loads whatever has to be loaded
            rng = np.random.default_rng(abs(seed))
            laws = [(np.sqrt(2 / m), n, m) for m, n in pairwise(sizes)]
            layers = [(a * rng.standard_normal((n, m)), rng.standard_normal(n) / 10) for a, n, m in laws]
            points = rng.standard_normal((2 * exactfd.Network(layers).upper_bound, sizes[0]))
            taken, ranks = {}, set()
            for way, loops in (("NumPy", NUMPY), ("compiled", COMPILED)):
                os.environ.update(loops)
                network = exactfd.Network(layers)
                result, taken[way] = timed(lambda n=network, x=points: exactfd.batch_functional_dimension(n, x))
                ranks.add(result.rank)
            if len(ranks) > 1 or None in ranks:
                raise SystemExit(f"{sizes}, seed {seed}: not proved, or not the same: {ranks}")
            jacobian = float_jacobian(network, points)
            found, taken["matrix_rank"] = timed(lambda table=jacobian: int(np.linalg.matrix_rank(table)))
            _, taken["loop"] = timed(lambda n=network: numpy_batch_job(n))
            if seed >= 0:
                forced += not getattr(result.proof, "vectors", [])
                wrong += found != result.rank
                for way, seconds in taken.items():
                    times[way].append(seconds)
        best, mean = ({way: 1000 * f(seconds) for way, seconds in times.items()} for f in (median, fmean))
        rows.append(
            [str(sizes), str(network.parametric_dimension), str(count)]
            + [f"{best[way]:.1f} ({mean[way]:.1f})" for way in ("NumPy", "compiled", "matrix_rank", "loop")]
            + [f"{best['compiled'] / best['matrix_rank']:.1f}"]
            + [f"{1000 / mean[way]:.1f}" for way in ("compiled", "loop")]
            + [f"{mean['loop'] / mean[way]:.1f}" for way in ("NumPy", "compiled")]
            + [f"{forced} of {count}", str(wrong)]
        )
    print("Ranks of batches of 2 D' points, exact and proved; NumPy on the same Jacobians. CPU ms: median (mean).\n")
    heads = ["architecture", "D", "networks", "exact, NumPy", "exact, compiled", "matrix_rank", "loop"]
    heads += [
        "compiled / matrix_rank",
        "networks a second, compiled",
        "loop",
        "throughput against the loop, NumPy",
        "compiled",
    ]
    table([*heads, "without kernel vectors", "float rank wrong"], rows)


if __name__ == "__main__":
    main()
