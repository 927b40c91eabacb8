"""``python -m benchmarks.peers [--python PATH] [--quick]``: ours and the peers from PyPI, same files, one run.

The peers are looked for in the interpreter at PATH (this one by default); one that is absent is skipped. Each is
compared on its own ground: regioncam (float32) in the box [-10, 10]^2, relucent (float64) on all of space.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from typing import Any

from benchmarks.measure import COMPILED, NUMPY, ONE_THREAD, ROOT, median_of, table

RADIUS = 10
COMPARED = {
    "regioncam": ["2x8x8x1", "2x16x16x1", "2x32x32x1", "2x64x64x64x1"],
    "relucent": ["2x8x8x1", "3x8x8x1", "2x16x16x1", "2x32x32x1"],
}
OURS = {"regioncam": "box", "relucent": "top"}


class Absent(Exception):
    """The peer cannot be imported."""


def peer_median(python: str, peer: str, name: str, runs: int) -> dict[str, Any]:
    """As :func:`benchmarks.measure.median_of`, for one peer."""
    path = ROOT / "benchmarks" / "nets" / f"{name}_s0.npz"
    command = [python, str(ROOT / "benchmarks" / "peerjobs.py"), peer, str(path), str(RADIUS)]
    results = []
    for _ in range(runs):
        done = subprocess.run(command, env={**os.environ, **ONE_THREAD}, capture_output=True, text=True)
        if done.returncode == 3:
            raise Absent(done.stderr.strip())
        if done.returncode:
            raise RuntimeError(f"{peer} {name} failed:\n{done.stderr}")
        results.append(json.loads(done.stdout.splitlines()[-1]))
    return {
        "seconds": statistics.median(result["seconds"] for result in results),
        "memory": max(result["memory"] for result in results),
        "counts": results[0]["counts"],
    }


def main(python: str = sys.executable, *, quick: bool = False) -> None:
    runs = 1 if quick else 5
    rows = []
    for peer, names in COMPARED.items():
        for name in names[:2] if quick else names:
            try:
                theirs = peer_median(python, peer, name, 1 if peer == "relucent" and name == "2x32x32x1" else runs)
            except Absent as error:
                print(f"Skipped: {error} (pip install {peer}, or --python PATH of an environment that has it)\n")
                break
            numpy, ours = (median_of(OURS[peer], name, runs=runs, loops=loops) for loops in (NUMPY, COMPILED))
            if numpy["counts"] != ours["counts"]:
                raise SystemExit(f"{name}: compiled loops count differently")
            counts = [result["counts"]["regions"] for result in (ours, theirs)]
            rows.append(
                [
                    name,
                    peer,
                    f"{counts[0]}",
                    f"{counts[1]}" + ("" if counts[0] == counts[1] else " (differs)"),
                    f"{1000 * numpy['seconds']:.2f}",
                    f"{1000 * ours['seconds']:.2f}",
                    f"{1000 * theirs['seconds']:.2f}",
                    f"{theirs['seconds'] / ours['seconds']:.2f}",
                    f"{ours['memory'] >> 20}",
                    f"{theirs['memory'] >> 20}",
                ]
            )
    print("Peers, on their own ground (regioncam: float32, box [-10, 10]^2; relucent: all of space).\n")
    heads = ["net", "peer", "regions, ours", "regions, peer", "ours, NumPy, CPU ms", "ours, compiled, CPU ms"]
    table([*heads, "peer, CPU ms", "peer / compiled", "MiB", "MiB"], rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description="Ours beside the peers from PyPI.")
    parser.add_argument("--quick", action="store_true", help="single runs of two small networks")
    parser.add_argument("--python", metavar="PATH", default=sys.executable, help="an interpreter that has the peers")
    main(**vars(parser.parse_args()))
