"""Run by the interpreter that has the peers: ``python peerjobs.py PEER FILE RADIUS`` prints one JSON line.

Imports nothing of this project, so that the peers may live in an environment of their own. Exits with 3 where the peer
cannot be imported.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

SHORT, CALLS = 0.5, 5  # as in measure.py
Layers = list[tuple[Any, Any]]


def regioncam(layers: Layers, radius: float) -> Callable[[], int]:
    """Float32, two inputs, the box ``[-radius, radius]^2``."""
    from regioncam import Regioncam

    single = [(w.T.astype(np.float32).copy(), b.astype(np.float32)) for w, b in layers[:-1]]

    def work() -> int:
        regions = Regioncam(size=radius)
        for weight, bias in single:
            regions.linear(weight, bias)
            regions.relu()
        return int(regions.num_faces)

    return work


def relucent(layers: Layers, radius: float) -> Callable[[], int]:
    """Float64, a linear program for each facet; all of space."""
    from relucent import Complex, convert

    network = convert(layers)

    def work() -> int:
        regions = Complex(network)
        regions.bfs(verbose=0, nworkers=1)
        return len(regions)

    return work


PEERS = {"regioncam": regioncam, "relucent": relucent}


def cpu_seconds() -> float:
    """Of this process and of the workers that it has joined."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def timed(work: Callable[[], int]) -> tuple[int, float]:
    """The number of regions and the seconds."""
    start = cpu_seconds()
    regions = work()
    return regions, cpu_seconds() - start


if __name__ == "__main__":
    peer, path, radius = sys.argv[1], sys.argv[2], float(sys.argv[3])
    stored = np.load(path)
    depth = len(stored.files) // 2
    try:
        work = PEERS[peer]([(stored[f"W{i}"], stored[f"b{i}"]) for i in range(1, depth + 1)], radius)
    except ImportError as error:
        print(f"{peer}: {error}", file=sys.stderr)
        raise SystemExit(3) from None
    regions, seconds = timed(work)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if seconds < SHORT:
        again, start = [], cpu_seconds()
        while len(again) < CALLS or cpu_seconds() < start + SHORT:
            again.append(timed(work)[1])
        seconds = statistics.median(again)
    print(json.dumps({"seconds": seconds, "memory": memory, "counts": {"regions": regions}}))
