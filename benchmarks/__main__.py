"""``python -m benchmarks [TABLE ...] [--quick] [--large] [--python PATH]``: tables of ``docs/performance.md``.

In Markdown; all of them, or those named. ``--large`` adds networks with a million regions; ``--python`` names an
interpreter that has the peers (``peers.py``).
"""

from __future__ import annotations

import argparse
import sys

from benchmarks import peers, scaling
from benchmarks.measure import COMPILED, NUMPY, median_of, ratio_of, startup, table

COMPLEX = [
    "2x8x8x1",
    "2x32x32x1",
    "3x16x16x1",
    "3x24x24x1",
    "4x12x12x1",
    "5x10x10x1",
    "2x64x64x64x1",
]
TOP = ["3x24x24x1", "4x12x12x1", "5x10x10x1", "6x12x12x1", "10x15x1"]
LISTED = ["2x32x32x1", "2x64x64x64x1", "4x12x12x1", "5x10x10x1", "6x12x12x1", "10x15x1"]
STREAMED = ["random-10x20x20x1", "random-20x40x40x1"]
COMPARED = {"2x8x8x1", "2x32x32x1", "3x16x16x1"}  # PPL takes minutes on the others
CERTIFIED = ["iris_4-6-6-3", "2x16x16x1", "3x8x8x1"]
EXPLAINED = ["2x8x8x1", "iris_4-6-6-3", "2x16x16x1"]
DIMENSION = ["iris_4-5-3", "iris_4-6-6-3", "2x8x8x1", "3x8x8x1", "2x16x16x1", "2x32x32x1"]


def every_cell(*, quick: bool) -> None:
    """Every cell of every dimension, beside floats alone, the splitting tree and PPL."""
    runs = 1 if quick else 5
    rows = []
    for name in COMPLEX[:3] if quick else COMPLEX:
        whole = median_of("complex", name, runs=runs)
        counts = whole["counts"]
        loops = median_of("complex", name, runs=runs, loops=COMPILED)
        if loops["counts"] != counts:
            raise SystemExit(f"{name}: compiled loops count differently")
        row = [name, f"{counts['regions']}", f"{counts['cells']}"]
        row += [f"{found['seconds']:.4f}" for found in (whole, loops)]
        row += [f"{1e6 * loops['seconds'] / counts['cells']:.2f}"]
        row += [f"{found['memory'] >> 20}" for found in (whole, loops)]
        row += [f"{ratio_of('complex', 'float complex', name, loops=mode):.2f}" for mode in (NUMPY, COMPILED)]
        top = median_of("splitting", name, runs=1) if counts["regions"] < 14_000 else None
        if top is not None and top["counts"]["regions"] != counts["regions"]:
            raise SystemExit(f"{name}: the two engines disagree")
        row.append(f"{top['seconds']:.2f}" if top else "-")
        other = median_of("ppl", name, runs=1) if name in COMPARED else None
        if other is not None and other["counts"]["regions"] != counts["regions"]:
            raise SystemExit(f"{name}: PPL disagrees")
        row += [f"{other['seconds']:.2f}", f"{other['seconds'] / whole['seconds']:.0f}"] if other else ["-", "-"]
        rows.append(row)
    print("Every cell of every dimension on all of R^n, exact; ours with the exact checks off; splitting tree; PPL.\n")
    table(
        [
            "net",
            "regions",
            "cells",
            "CPU s, NumPy",
            "CPU s, compiled",
            "µs per cell",
            "MiB, NumPy",
            "MiB, compiled",
            "exact / unchecked, NumPy",
            "exact / unchecked, compiled",
            "splitting, s",
            "PPL (regions), s",
            "PPL / ours",
        ],
        rows,
    )


def top_cells(*, quick: bool) -> None:
    """Top cells by the engine picked, beside vertices and edges by floats alone."""
    runs = 1 if quick else 5
    rows = []
    for name in TOP[1:3] if quick else TOP:
        top, unchecked = median_of("top", name, runs=runs), median_of("float top", name, runs=runs)
        loops = median_of("top", name, runs=runs, loops=COMPILED)
        if not top["counts"]["regions"] == loops["counts"]["regions"] == unchecked["counts"]["regions"]:
            raise SystemExit(f"{name}: floats alone, or compiled loops, count differently")
        row = [name, f"{top['counts']['regions']}", top["counts"]["algorithm"]]
        row += [f"{found['seconds']:.3f}" for found in (top, loops)]
        row += [f"{1e6 * loops['seconds'] / top['counts']['regions']:.2f}"]
        row += [f"{found['memory'] >> 20}" for found in (top, loops)]
        rows.append([*row, f"{unchecked['seconds']:.3f}"])
    print("Top cells on all of R^n, exact, by the engine picked; and vertices and edges with the exact checks off.\n")
    heads = ["net", "regions", "engine", "CPU s, NumPy", "CPU s, compiled", "µs per region"]
    table([*heads, "MiB, NumPy", "MiB, compiled", "skeleton, unchecked, s"], rows)


def listed(*, quick: bool) -> None:
    """Top cells written as text."""
    runs = 1 if quick else 5
    rows = []
    for name in LISTED[:2] if quick else LISTED:
        found = median_of("list", name, runs=runs, loops=COMPILED)
        counts = found["counts"]
        row = [name, str(counts["cells"]), f"{found['seconds']:.2f}"]
        row += [f"{1e6 * found['seconds'] / counts['cells']:.0f}", f"{counts['bytes'] / 1e6:.1f}"]
        rows.append([*row, f"{found['memory'] >> 20}"])
    print("`exactfd cells --list --dimension n`: every top cell with its labels and a rational point, as text.\n")
    table(["net", "cells", "CPU s", "µs per cell", "MB written", "MiB"], rows)


def streamed(*, quick: bool) -> None:
    """Cells listed until a limit on time ends it."""
    rows = []
    for name in STREAMED[:1] if quick else STREAMED:
        found = median_of("stream", name, runs=1)
        rows.append([name.removeprefix("random-"), *(str(count) for count in found["counts"].values())])
    print("`exactfd cells --list --dimension n --time-limit 20` where all of the cells are out of reach.\n")
    table(["net", "engine", "cells listed", "at the end"], rows)


def dimensions(*, quick: bool) -> None:
    """Functional dimensions, and ranks of batches beside NumPy."""
    runs = 1 if quick else 5
    rows = []
    for name in DIMENSION[:3] if quick else DIMENSION:
        ours, batch, numpy = (median_of(job, name, runs=runs) for job in ("dim", "rank", "numpy"))
        rows.append(
            [
                name,
                str(ours["counts"]["upper_bound"]),
                f"{ours['counts']['dim_fun']} ({ours['counts']['status']})",
                f"{ours['seconds']:.2f}",
                f"{batch['counts']['rank']}",
                f"{batch['seconds']:.2f}",
                f"{numpy['counts']['float_rank']}",
                f"{numpy['seconds']:.2f}",
            ]
        )
    print("Functional dimension, proved; and at 2 D' normal points the exact rank and NumPy's float rank.\n")
    table(
        ["net", "D'", "dim_fun", "CPU s", "exact batch rank", "CPU s", "float batch rank", "NumPy, CPU s"],
        rows,
    )


def certificates(*, quick: bool) -> None:
    """Certificates written and checked."""
    runs = 1 if quick else 5
    rows = []
    for name in CERTIFIED[:1] if quick else CERTIFIED:
        dim, write, check = (median_of(job, name, runs=runs) for job in ("dim", "certificate", "check"))
        rows.append(
            [
                name,
                str(write["counts"]["value"]),
                f"{dim['seconds']:.2f}",
                f"{write['seconds']:.2f}",
                f"{write['counts']['bytes'] / 1e6:.2f}",
                f"{write['counts']['packed'] / 1e6:.2f}",
                str(check["counts"]["steps"]),
                f"{check['seconds']:.2f}",
            ]
        )
    print("Certificates of `dim_fun = r`: written beside the computation, checked by the standard library alone.\n")
    table(["net", "dim_fun", "computing, s", "writing, s", "MB", "MB packed", "steps", "checking, s"], rows)


def explained(*, quick: bool) -> None:
    """Deficits taken apart, and equality."""
    runs = 1 if quick else 5
    rows = []
    for name in EXPLAINED[:1] if quick else EXPLAINED:
        jobs = ("dim", "explain", "equal by symmetry", "equal otherwise")
        dim, explained, same, other = (median_of(job, name, runs=runs) for job in jobs)
        counts = explained["counts"]
        rows.append(
            [
                name,
                f"{counts['attributed']} of {counts['deficit']}",
                f"{dim['seconds']:.2f}",
                f"{explained['seconds']:.2f}",
                f"{explained['seconds'] / dim['seconds']:.1f}",
                f"{same['seconds']:.2f}",
                f"{other['seconds']:.2f}",
                str(other["counts"]["cells"]),
            ]
        )
    print("The deficit taken apart; and equality, by permutation and scaling, and where no symmetry shows it.\n")
    names = ["net", "attributed", "dim, s", "explain, s", "explain / dim", "equal by symmetry, s", "equal otherwise, s"]
    table([*names, "cells compared"], rows)


def command(*, quick: bool) -> None:
    """A whole command that computes next to nothing."""
    taken = startup(["info", "examples/diamond.json"], runs=1 if quick else 5)
    print(f"`exactfd info examples/diamond.json`: {taken:.2f} s wall clock.")


TABLES = {
    "complex": every_cell,
    "top": top_cells,
    "list": listed,
    "stream": streamed,
    "scaling": scaling.main,
    "peers": peers.main,
    "dimension": dimensions,
    "certificates": certificates,
    "explain": explained,
    "command": command,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="The tables of docs/performance.md.")
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=f"one or more of {', '.join(TABLES)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="single runs of the small networks")
    parser.add_argument("--large", action="store_true", help="also networks with a million regions, in 'scaling'")
    parser.add_argument("--python", metavar="PATH", default=sys.executable, help="an interpreter that has the peers")
    options = parser.parse_args()
    unknown = [name for name in options.tables if name not in TABLES]
    if unknown:
        parser.error(f"no table {', '.join(unknown)}: there are {', '.join(TABLES)}")
    special = {"scaling": {"large": options.large}, "peers": {"python": options.python}}
    for name in options.tables or TABLES:
        TABLES[name](quick=options.quick, **special.get(name, {}))


if __name__ == "__main__":
    main()
