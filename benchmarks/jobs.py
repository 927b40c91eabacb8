"""The jobs that are measured, ours and what a user would run instead; each prints its CPU seconds and counts."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import random
import sys
import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import exactfd
from benchmarks.measure import report
from exactfd.geometry import small
from exactfd.geometry.top import top_cells

ROOT = Path(__file__).parent.parent


def load(name: str) -> exactfd.Network:
    if name.startswith("random-"):
        from benchmarks.scaling import random_network

        return random_network(name)
    for path in (ROOT / "benchmarks" / "nets" / f"{name}_s0.npz", ROOT / "examples" / f"{name}.json"):
        if path.exists():
            return exactfd.load(path)
    raise SystemExit(f"no network called {name}")


def complex_job(net: exactfd.Network) -> dict[str, Any]:
    """Every cell of every dimension, exact, on all of R^n."""
    cells = exactfd.canonical_complex(net)
    return {"cells": sum(cells.f_vector), "regions": cells.top_cells, "euler": cells.euler_characteristic}


def box_job(net: exactfd.Network) -> dict[str, Any]:
    """Every cell of every dimension, exact, in the box [-10, 10]^n."""
    cells = exactfd.canonical_complex(net, box=(-10, 10))
    return {"cells": sum(cells.f_vector), "regions": cells.top_cells}


def float_complex_job(net: exactfd.Network) -> dict[str, Any]:
    """As ``complex``, with the exact checks switched off."""
    from benchmarks.floats import float_complex

    return float_complex(net)


def top_job(net: exactfd.Network) -> dict[str, Any]:
    """Top cells, by the engine that is expected to be fastest."""
    found = top_cells(net)
    return {"regions": len(found), "algorithm": found.algorithm}


def float_top_job(net: exactfd.Network) -> dict[str, Any]:
    """Top cells from vertices and edges, with the exact checks switched off."""
    from benchmarks.floats import float_top

    return float_top(net)


def list_job(path: str) -> dict[str, Any]:
    """Every top cell with its labels and a rational point inside, as text, by the command line."""
    text = _top_cells_of(path)
    return {"cells": sum(line[:1].isdigit() for line in text.splitlines()), "bytes": len(text.encode())}


def stream_job(path: str) -> dict[str, Any]:
    """As many of them as 20 seconds allow, and what is said at the end."""
    found = json.loads(_top_cells_of(path, "--time-limit", "20", "--json"))
    return {"engine": found["algorithm"], "cells": found["listed_cells"], "limit": found["limit"]}


def _top_cells_of(path: str, *more: str) -> str:
    from exactfd.cli.main import commands

    dimension = str(exactfd.load(path).input_dimension)
    written = io.StringIO()
    with contextlib.redirect_stdout(written), contextlib.suppress(SystemExit):
        commands.main(["cells", path, "--list", "--dimension", dimension, "--quiet", *more])
    return written.getvalue()


def saved(net: exactfd.Network) -> str:
    """Its file, which the system will clear away."""
    path = Path(tempfile.mkdtemp()) / "network.json"
    exactfd.save(net, path)
    return str(path)


def splitting_job(net: exactfd.Network) -> dict[str, Any]:
    """Top cells alone, by the splitting tree with exact linear programs."""
    return {"regions": len(exactfd.split_cells(net))}


def ppl_job(net: exactfd.Network) -> dict[str, Any]:
    """Top cells by splitting closed polyhedra with the Parma Polyhedra Library: what one would write without us."""
    import ppl
    from flint import fmpq, fmpq_mat

    from exactfd.rationals import primitive_row

    n0 = net.input_dimension
    x = [ppl.Variable(i) for i in range(n0)]

    def expression(row: list[Any]) -> Any:
        integers = [int(entry) for entry in primitive_row(row)[0]]
        return sum((c * v for c, v in zip(integers[:-1], x, strict=True)), ppl.Linear_Expression(integers[-1]))

    identity = [[fmpq(int(i == j)) for j in range(n0 + 1)] for i in range(n0 + 1)]
    cells = [(ppl.C_Polyhedron(n0, "universe"), identity)]
    for layer in range(1, len(net.relu_widths) + 1):
        following = []
        for polyhedron, inputs in cells:
            rows = (net.augmented(layer) * fmpq_mat(inputs)).tolist()
            parts = [(polyhedron, list[Any]())]
            for row in rows:
                split = []
                for part, kept in parts:
                    for sign in (1, -1):
                        half = ppl.C_Polyhedron(part)
                        half.add_constraint(sign * expression(row) >= 0)
                        if half.affine_dimension() == n0:
                            split.append((half, [*kept, row if sign > 0 else [fmpq(0)] * (n0 + 1)]))
                parts = split
            following += [(part, [*kept, identity[-1]]) for part, kept in parts]
        cells = following
    return {"regions": len(cells)}


def dim_job(net: exactfd.Network) -> dict[str, Any]:
    """Functional dimension, proved."""
    result = exactfd.functional_dimension(net)
    return {"dim_fun": result.value, "upper_bound": net.upper_bound, "status": result.status}


def numpy_batch_job(net: exactfd.Network) -> dict[str, Any]:
    """The usual experiment: float64 Jacobian at 2 D' normal points, ``numpy.linalg.matrix_rank``. Proves nothing."""
    layers = net.to_numpy()
    rng = np.random.default_rng(0)
    rows = []
    for x in rng.standard_normal((2 * net.upper_bound, net.input_dimension)):
        values, masks = [x], []
        for weight, bias in layers[:-1]:
            z = weight @ values[-1] + bias
            masks.append(z > 0)
            values.append(np.maximum(z, 0))
        sensitivity = np.eye(net.output_dimension)
        blocks = []
        for level in range(len(layers) - 1, -1, -1):
            inputs = np.append(values[level], 1.0)
            blocks.append((sensitivity[:, :, None] * inputs).reshape(net.output_dimension, -1))
            if level:
                sensitivity = (sensitivity @ layers[level][0]) * masks[level - 1]
        rows.append(np.concatenate(blocks[::-1], axis=1))
    table = np.concatenate(rows)
    return {"float_rank": int(np.linalg.matrix_rank(table)), "points": 2 * net.upper_bound}


def rank_job(net: exactfd.Network) -> dict[str, Any]:
    """Exact batch rank at the same points, proved."""
    points = np.random.default_rng(0).standard_normal((2 * net.upper_bound, net.input_dimension))
    result = exactfd.batch_functional_dimension(net, points)
    return {"rank": result.rank, "points": result.points}


def explain_job(net: exactfd.Network) -> dict[str, Any]:
    """Functional dimension, and each dimension of the deficit attributed to a mechanism."""
    found = exactfd.explain(net)
    return {"deficit": found.deficit, "attributed": found.attributed}


def equal_job(pair: tuple[exactfd.Network, exactfd.Network]) -> dict[str, Any]:
    """Whether two networks have the same function."""
    found = exactfd.compare_functions(*pair)
    return {"equal": found.equal, "method": found.method, "cells": found.cells}


def shuffled(net: exactfd.Network) -> tuple[exactfd.Network, exactfd.Network]:
    """A network, and itself after a permutation and positive scalings."""
    rng = random.Random(0)
    permutations = [rng.sample(range(n), n) for n in net.architecture[1:-1]]
    scales = [[Fraction(rng.randint(1, 9), rng.randint(1, 9)) for _ in range(n)] for n in net.architecture[1:-1]]
    return net, exactfd.Symmetry(permutations, scales).apply(net)


def beyond_symmetry(net: exactfd.Network) -> tuple[exactfd.Network, exactfd.Network]:
    """A network with a neuron split into two, and with the parts weighed otherwise: equal, by no symmetry."""
    layers = net.to_fractions()
    pair = []
    for share in (Fraction(1, 2), Fraction(1, 3)):
        (w1, b1), (w2, b2) = ([list(map(list, w)), list(b)] for w, b in layers[-2:])
        w1.append(list(w1[0]))
        b1.append(b1[0])
        for row in w2:
            row.append(row[0] * (1 - share))
            row[0] *= share
        pair.append(exactfd.Network([*layers[:-2], (w1, b1), (w2, b2)], output_activation=net.output_activation))
    return pair[0], pair[1]


def certificate_job(result: exactfd.DimensionResult) -> dict[str, Any]:
    """Writing the certificate of a functional dimension that has been computed before the clock starts."""
    from exactfd.certificates import dimension_certificate

    certificate = dimension_certificate(result)
    text = certificate.dumps().encode()
    return {"bytes": len(text), "packed": len(gzip.compress(text, compresslevel=6, mtime=0)), "value": result.value}


def check_job(document: bytes) -> dict[str, Any]:
    """Re-checking that certificate with the standard library."""
    from exactfd.check import check_bytes

    verdict = check_bytes(document)
    if not verdict.valid:
        raise SystemExit(verdict.reason)
    return {"steps": verdict.steps}


def certified(net: exactfd.Network) -> bytes:
    from exactfd.certificates import dimension_certificate

    return dimension_certificate(exactfd.functional_dimension(net)).dumps().encode()


#: What a job needs before its clock starts.
PREPARE: dict[str, Callable[[exactfd.Network], Any]] = {
    "certificate": exactfd.functional_dimension,
    "equal by symmetry": shuffled,
    "equal otherwise": beyond_symmetry,
    "check": certified,
    "list": saved,
    "stream": saved,
}
JOBS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "explain": explain_job,
    "equal by symmetry": equal_job,
    "equal otherwise": equal_job,
    "complex": complex_job,
    "box": box_job,
    "float complex": float_complex_job,
    "top": top_job,
    "float top": float_top_job,
    "list": list_job,
    "stream": stream_job,
    "splitting": splitting_job,
    "ppl": ppl_job,
    "dim": dim_job,
    "numpy": numpy_batch_job,
    "rank": rank_job,
    "certificate": certificate_job,
    "check": check_job,
}


def main(job: str, name: str, other: str | None = None) -> None:
    """Do a job on a small network, so that everything is loaded, and then with a clock on the one that is named.

    With another job both in turn.
    """
    network = load(name)
    work = [_prepared(what, network) for what in (job, other) if what is not None]
    report(*work)


def _prepared(job: str, network: exactfd.Network) -> Callable[[], dict[str, Any]]:
    prepare = PREPARE.get(job, lambda net: net)
    for limits in (small.MOST_NEURONS, {}):  # what cuts small networks, and what cuts large ones
        with mock.patch.object(small, "MOST_NEURONS", limits):
            JOBS[job](prepare(load(f"random-{network.input_dimension}x3x3x1")))
    subject = prepare(network)
    return lambda: JOBS[job](subject)


if __name__ == "__main__":
    main(*sys.argv[1:])
