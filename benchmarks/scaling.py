"""``python -m benchmarks.scaling [--quick] [--large]``: how time and memory grow with cells, inputs and bits.

Networks are made from their names: ``random-2x64x64x1`` has He-normal weights and normal biases of variance 0.01 from a
fixed seed; ``random-3x16x16x1-200`` has the same up to rounding, with 200 bits behind the point; ``random-2x16^20x1``
has twenty layers of 16.
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

import exactfd
from benchmarks.measure import COMPILED, NUMPY, median_of, table

FLAT = {
    "Two inputs, one hidden layer": [f"random-2x{w}x1" for w in (22, 70, 220, 700)],
    "Two inputs, three hidden layers": [f"random-2x{w}x{w}x{w}x1" for w in (8, 16, 32, 64, 128, 256)],
    "Three inputs, two hidden layers": [f"random-3x{w}x{w}x1" for w in (6, 8, 16, 32, 46, 64, 92)],
    "Two inputs, layers of 16": [f"random-2x16^{n}x1" for n in (4, 8, 12, 16, 20)],
}
MILLION = 1_200_000  # cells, about: so far the time for each of them is to stay the same
LARGE = {  # a million regions; the last one takes minutes and 7 GB
    "Two inputs, one hidden layer": "random-2x1400x1",
    "Three inputs, two hidden layers": "random-3x96x96x1",
    "Two inputs, three hidden layers": "random-2x492x492x492x1",
}
INPUTS = [f"random-{n}x9x9x1" for n in range(1, 7)]
HIGH = [f"random-{n}x15x1" for n in range(4, 13, 2)]
BITS = [f"random-3x16x16x1-{k}" for k in (8, 24, 53, 200, 1000)]


def layer_sizes(shape: str) -> list[int]:
    """``2x16^3x1`` as 2, 16, 16, 16, 1."""
    parts = (part.partition("^") for part in shape.split("x"))
    return [int(size) for size, _, times in parts for _ in range(int(times or 1))]


def random_network(name: str) -> exactfd.Network:
    """The network of a name."""
    shape, _, bits = name.removeprefix("random-").partition("-")
    sizes, precision = layer_sizes(shape), int(bits or 53)
    rng = random.Random(0)

    def entry(scale: float) -> Fraction:
        value, below = rng.gauss(0.0, scale), rng.getrandbits(max(precision, 53) - 52)
        if precision <= 53:
            return Fraction(round(value * 2**precision), 2**precision)
        return Fraction(round(value * 2**52) * 2 ** (precision - 52) + below, 2**precision)

    return exactfd.Network(
        [
            ([[entry((2 / m) ** 0.5) for _ in range(m)] for _ in range(n)], [entry(0.1) for _ in range(n)])
            for m, n in pairwise(sizes)
        ]
    )


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Slope of the least-squares line through the logarithms."""
    x, y = ([math.log(value) for value in column] for column in (sizes, values))
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / sum((a - mean_x) ** 2 for a in x)


def _row(name: str, job: str, runs: int) -> tuple[dict[str, Any], list[str]]:
    numpy, found = (median_of(job, name, runs=runs, loops=loops) for loops in (NUMPY, COMPILED))
    counts = found["counts"]
    if counts != numpy["counts"]:
        raise SystemExit(f"{name}: compiled loops count differently")
    cells = counts.get("cells", counts["regions"])
    return found, [
        name.removeprefix("random-"),
        str(counts["regions"]),
        str(cells),
        f"{numpy['seconds']:.4f}",
        f"{found['seconds']:.4f}",
        f"{1e6 * found['seconds'] / cells:.2f}",
        *(str(each["memory"] >> 20) for each in (numpy, found)),
    ]


HEADER = ["net", "regions", "cells", "CPU s, NumPy", "CPU s, compiled", "µs per cell", "MiB, NumPy", "MiB, compiled"]


def main(*, quick: bool = False, large: bool = False) -> None:
    runs = 1 if quick else 5
    for title, names in FLAT.items():
        rows, cells, seconds, memory, neurons = [], [], [], [], []
        for name in [*(names[:4] if quick else names), *([LARGE[title]] if large and title in LARGE else [])]:
            found, row = _row(name, "complex", 1 if name in LARGE.values() else runs)
            rows.append(row)
            cells.append(found["counts"]["cells"])
            seconds.append(found["seconds"])
            memory.append(max(found["memory"] - 45 * 2**20, 2**18))  # less the interpreter
            neurons.append(sum(layer_sizes(row[0])[1:-1]))
        print(f"{title}: every cell of every dimension.\n")
        table(HEADER, rows)
        late = slice(-3, None)  # small networks are all overhead
        each = [1e6 * taken / count for taken, count in zip(seconds, cells, strict=True)]
        some = [value for value, count in zip(each, cells, strict=True) if count <= MILLION]
        print(f"Microseconds per cell, compiled, up to a million cells: from {min(some):.2f} to {max(some):.2f}.\n")
        print(
            f"Fitted: cells ~ neurons^{exponent(neurons, cells):.2f}; over the last three, "
            f"seconds ~ cells^{exponent(cells[late], seconds[late]):.2f}, "
            f"memory ~ cells^{exponent(cells[late], memory[late]):.2f}.\n"
        )
    print("Number of inputs: every cell of every dimension; then top cells alone.\n")
    table(HEADER, [_row(name, "complex", runs)[1] for name in INPUTS])
    table(["net", "regions", "found", *HEADER[3:]], [_row(name, "top", runs)[1] for name in HIGH])
    print("Bits of the parameters: every cell of every dimension.\n")
    measured = [_row(name, "complex", runs) for name in (BITS[:4] if quick else BITS)]
    table(["net-bits", *HEADER[1:]], [row for _, row in measured])
    bits = [int(name.rpartition("-")[2]) for name in BITS]
    slope = exponent(bits[: len(measured)], [found["seconds"] for found, _ in measured])
    print(f"Fitted: seconds ~ bits^{slope:.2f}.\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description="Time and memory against size.")
    parser.add_argument("--quick", action="store_true", help="single runs of the small networks")
    parser.add_argument("--large", action="store_true", help="also networks with a million regions")
    main(**vars(parser.parse_args()))
