"""``exactfd cells``: the canonical polyhedral complex, counted or listed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

import click

from exactfd.budget import Progress, silent
from exactfd.cli import exits
from exactfd.cli.options import (
    Answer,
    Source,
    answer_options,
    box_option,
    budget_options,
    certificate_option,
    network_options,
    processes_option,
)
from exactfd.cli.output import JsonDocument, aligned, certificate_line, opened, saved, shape, ternary, yes_no
from exactfd.cli.progress import reporting
from exactfd.errors import BudgetExceeded, InputError
from exactfd.rationals import format_rational

if TYPE_CHECKING:
    from exactfd.budget import Budget
    from exactfd.geometry.box import Box
    from exactfd.geometry.complex import CanonicalComplex
    from exactfd.geometry.interior import Point
    from exactfd.network import Network

_STRIDE = 64  # cells listed between two looks at the clock


@dataclass
class Request:
    """What was asked for, and the budget that runs out while it is answered."""

    network: Network
    box: Box | None
    listing: bool
    dimension: int | None
    budget: Budget
    rounded_to: str | None
    certificate: str | None
    processes: int
    progress: Progress = silent
    limit: str | None = None
    listed: int = 0
    list_complete: bool = True
    tally: dict[str, Any] = field(default_factory=dict)

    def ran_out(self, error: BudgetExceeded) -> None:
        """The budget has ended before the last cell that was asked for."""
        self.limit, self.list_complete = str(error), False

    def head(self, algorithm: str) -> dict[str, Any]:
        """Keys that are known before any cell is."""
        return {
            "architecture": list(self.network.architecture),
            "output_activation": self.network.output_activation,
            "digest": self.network.digest,
            "rounded_to": self.rounded_to,
            "box": None if self.box is None else [[format_rational(entry) for entry in side] for side in self.box],
            "algorithm": algorithm,
        }


@click.command("cells", short_help="Cells of the canonical polyhedral complex.")
@network_options
@box_option
@click.option("--list", "listing", is_flag=True, help="List the cells: ternary tuple, dimension, a point inside.")
@click.option("--dimension", type=click.IntRange(min=0), metavar="K", help="List the cells of dimension K only.")
@click.option(
    "--algorithm",
    type=click.Choice(["auto", "complex", "skeleton", "splitting"]),
    default="auto",
    show_default=True,
    help="complex: cells of every dimension; skeleton: those of top dimension only, from vertices and edges, in all of "
    "space; splitting: the same one after another, for many inputs, without vertices; auto: complex, or what is "
    "expected to be fastest where --list --dimension asks for cells of top dimension only.",
)
@processes_option
@budget_options
@certificate_option
@answer_options
def command(
    source: Source,
    box: Any,
    listing: bool,
    dimension: int | None,
    algorithm: str,
    processes: int,
    make_budget: Callable[[], Budget],
    certificate: str | None,
    answer: Answer,
) -> int:
    """Cells of the canonical polyhedral complex, of every dimension, on all of space or in a closed box.

    A certificate proves the f-vector; in a box, or where cells of top dimension alone are found, their number.
    """
    budget = make_budget()
    if dimension is not None and not listing:
        raise click.UsageError("--dimension restricts --list; add --list")
    network = source.load()
    _check_dimension(dimension, network.input_dimension, algorithm)
    from exactfd.geometry.box import parse_box

    limits = parse_box(box, network.input_dimension)
    if algorithm == "skeleton" and limits is not None:
        raise click.UsageError(
            "--algorithm skeleton looks for cells in all of space; leave out --box, or use another one"
        )
    if algorithm in ("auto", "complex") and (found := too_large(network, limits)):
        if algorithm == "complex" or dimension is None or dimension < network.input_dimension:
            raise InputError(f"{source.net}: {found}; for the cells of top dimension alone use --algorithm splitting")
        algorithm = "splitting"
    if algorithm == "auto" and dimension == network.input_dimension:
        algorithm = _expected(network, limits)
    request = Request(network, limits, listing, dimension, budget, source.rounded_to, certificate, processes)
    if algorithm == "skeleton":
        algorithm = _skeleton(request, answer)
    if algorithm == "splitting":
        _splitting(request, answer)
    elif algorithm != "skeleton":
        _whole_complex(request, answer)
    if request.limit is None:
        return exits.ANSWERED
    click.echo(f"exactfd: {request.limit}", err=True)
    return exits.BUDGET


def _expected(network: Network, box: Box | None) -> str:
    """What is expected to list the top cells soonest. The skeleton knows no box; the complex, in many dimensions, takes
    long to begin.
    """
    from exactfd.geometry.homogeneous import homogenise
    from exactfd.geometry.top import engine_after_skeleton, expected_engine

    homogeneous = homogenise(network, quotient=box is None)
    engine = expected_engine(homogeneous)
    return engine_after_skeleton(homogeneous) if box is not None and engine == "skeleton" else engine


def too_large(network: Network, box: Box | None) -> str | None:
    """Why the whole complex cannot even be begun, if so."""
    from flint import fmpq_mat

    from exactfd.geometry.subdivision import MAX_DIMENSION
    from exactfd.linalg import exact

    inputs = network.input_dimension
    if inputs <= MAX_DIMENSION or (box is None and not network.relu_widths):
        return None
    if box is None:  # directions that the first layer does not see cost nothing
        inputs = min(inputs, network.relu_widths[0])
        if inputs > MAX_DIMENSION:
            inputs = exact.rank(fmpq_mat([row[:-1] for row in network.augmented(1).tolist()]))
    if inputs <= MAX_DIMENSION:
        return None
    what = "inputs of a box" if box is not None else "independent rows of layer 1"
    return (
        f"the whole complex begins with 3^{inputs} cells for {inputs} {what}; "
        f"expected at most {MAX_DIMENSION} to look for cells of every dimension"
    )


def _check_dimension(dimension: int | None, top: int, algorithm: str) -> None:
    if dimension is None:
        return
    if dimension > top:
        raise InputError(f"--dimension: the network has {top} inputs, found {dimension}")
    if algorithm in ("skeleton", "splitting") and dimension != top:
        raise InputError(f"--dimension: --algorithm {algorithm} finds cells of dimension {top} only, found {dimension}")


@contextlib.contextmanager
def _writing(request: Request, answer: Answer) -> Iterator[TextIO]:
    """Where the answer goes, with progress of what is listed on the way."""
    with reporting(quiet=answer.quiet, writing_to=answer.output) as request.progress, opened(answer.output) as stream:
        yield stream


# --------------------------------------------------------------------------- the whole complex


def _whole_complex(request: Request, answer: Answer) -> None:
    from exactfd.geometry.complex import canonical_complex

    cells: Iterator[dict[str, Any]] = iter(())
    try:
        with reporting(quiet=answer.quiet) as progress:
            complex_ = canonical_complex(
                request.network,
                box=request.box,
                budget=request.budget,
                progress=progress,
                processes=request.processes,
            )
            found = {**complex_.to_dict(), **_certified(request, complex_)}
            total = sum(complex_.f_vector) if request.dimension is None else complex_.f_vector[request.dimension]
            cells = _listed(request, (cell.to_dict() for cell in complex_.cells(request.dimension)), total)
    except BudgetExceeded as error:
        request.ran_out(error)
        # cutting by further neurons only adds cells: the counts so far are lower bounds
        found = {**dict.fromkeys(_COUNTS), "complete": False, "f_vector_at_least": list(error.partial or ())}
    _write(request, answer, "complex", found, cells)


def _write(
    request: Request, answer: Answer, algorithm: str, found: dict[str, Any], cells: Iterator[dict[str, Any]]
) -> None:
    """Counts, and then the cells if they were asked for."""
    with _writing(request, answer) as stream:
        if answer.json:
            with JsonDocument(stream) as document:
                document.items({**request.head(algorithm), **found})
                if request.listing:
                    document.stream("cells", cells)
                document.items(_tail(request))
            return
        stream.writelines(f"{line}\n" for line in [*_summary(request, found), *certificate_line(found)])
        if request.listing:
            stream.writelines(_text(request, cell) for cell in cells)


_COUNTS = (
    "f_vector",
    "total_cells",
    "top_cells",
    "smooth_top_cells",
    "bounded_top_cells",
    "euler_characteristic",
    "generic",
    "supertransversal",
)


def _listed(request: Request, cells: Iterator[dict[str, Any]], total: int) -> Iterator[dict[str, Any]]:
    """Cells one by one, until the budget runs out."""
    for number, cell in enumerate(cells):
        if number % _STRIDE == 0 and _out_of_budget(request):
            return
        request.listed += 1
        request.progress("list", request.listed, total)
        yield cell


def _out_of_budget(request: Request) -> bool:
    try:
        request.budget.check()
    except BudgetExceeded as error:
        request.ran_out(error)
        return True
    return False


def _tail(request: Request) -> dict[str, Any]:
    """Keys that are known at the end only."""
    tail: dict[str, Any] = {"limit": request.limit}
    if request.listing:
        tail = {"listed_cells": request.listed, "list_complete": request.list_complete, **tail}
    return tail


# --------------------------------------------------------------------------- top cells alone


def _skeleton(request: Request, answer: Answer) -> str:
    """Answer from vertices and edges; returns which algorithm has answered, or has to where a vertex is not simple."""
    from exactfd.geometry.homogeneous import homogenise
    from exactfd.geometry.labels import smooth_mask
    from exactfd.geometry.skeleton import NotSimple
    from exactfd.geometry.top import engine_after_skeleton, skeleton_cells

    homogeneous = homogenise(request.network)
    found: dict[str, Any] = {**dict.fromkeys(_COUNTS), "complete": False}
    cells: Iterator[dict[str, Any]] = iter(())
    try:
        with reporting(quiet=answer.quiet) as progress:
            top = skeleton_cells(
                request.network, homogeneous, request.budget, progress, bounded=True, points=request.listing
            )
            certified = _certified(request, None)
    except NotSimple:
        return engine_after_skeleton(homogeneous)
    except BudgetExceeded as error:
        request.ran_out(error)
        top, certified = error.partial, {}
    if top is not None:
        found["top_cells"], found["complete"] = len(top), top.complete
        found["smooth_top_cells"] = int(smooth_mask(top.labels, request.network.relu_widths).sum())
        if top.bounded is not None:
            found["bounded_top_cells"] = int(top.bounded.sum())
        if top.bounded is not None and top.points is not None:
            rows = zip(top.labels.tolist(), top.bounded.tolist(), top.points, strict=True)
            cells = _listed(request, (_entry(request, *row) for row in rows), len(top))
    _write(request, answer, "skeleton", {**found, **certified}, cells)
    return "skeleton"


def _entry(request: Request, labels: Sequence[int], bounded: bool | None, point: Point) -> dict[str, Any]:
    return {
        "labels": list(labels),
        "dimension": request.network.input_dimension,
        "bounded": bounded,
        "point": [format_rational(x) for x in point],
    }


def _splitting(request: Request, answer: Answer) -> None:
    nothing = dict.fromkeys(key for key in _COUNTS if key not in ("top_cells", "smooth_top_cells"))
    if not request.listing:
        with reporting(quiet=answer.quiet) as request.progress:
            for _ in _walk(request):
                pass
    with _writing(request, answer) as stream:
        if answer.json:
            with JsonDocument(stream) as document:
                document.items({**request.head("splitting"), **nothing})
                if request.listing:
                    document.stream("cells", _walk(request))
                document.items({**request.tally, **_certified(request, None), **_tail(request)})
            return
        if request.listing:  # the counts come last: no list is held in memory
            stream.writelines(_text(request, cell) for cell in _walk(request))
        found = {**nothing, **request.tally, **_certified(request, None)}
        stream.writelines(f"{line}\n" for line in [*_summary(request, found), *certificate_line(found)])


def _walk(request: Request) -> Iterator[dict[str, Any]]:
    """Top cells one by one as the splitting tree finds them; counts go to ``request.tally``."""
    from exactfd.geometry.labels import is_smooth_tuple
    from exactfd.geometry.splitting import iterate_cells

    widths = request.network.relu_widths
    found = smooth = 0
    try:
        for labels, point in iterate_cells(
            request.network,
            box=request.box,
            budget=request.budget,
            progress=request.progress,
            processes=request.processes,
        ):
            found += 1
            smooth += is_smooth_tuple(labels, widths)
            request.listed += request.listing
            yield _entry(request, labels, None, point)
    except BudgetExceeded as error:
        request.ran_out(error)
    request.tally = {"top_cells": found, "smooth_top_cells": smooth, "complete": request.limit is None}


def _certified(request: Request, complex_: CanonicalComplex | None) -> dict[str, Any]:
    """Write the certificate that was asked for: of the f-vector, or of the number of top cells."""
    if request.certificate is None or request.limit is not None:
        return {}
    from exactfd.certificates import f_vector_certificate, top_cells_certificate

    try:
        if complex_ is not None and request.box is None:
            written = f_vector_certificate(complex_, budget=request.budget, progress=request.progress)
        else:
            written = top_cells_certificate(
                request.network, box=request.box, budget=request.budget, progress=request.progress
            )
    except BudgetExceeded as error:  # the cells are found, and what is known of them stays
        request.limit = f"no certificate: {error}"
        return {}
    return {"certificate": saved(written, request.certificate)}


# --------------------------------------------------------------------------- text


def _text(request: Request, cell: dict[str, Any]) -> str:
    """One cell on one line."""
    bounded = {True: "bounded", False: "unbounded", None: ""}[cell["bounded"]]
    labels = ternary(cell["labels"], request.network.relu_widths) or "(no labels)"
    line = f"{cell['dimension']}  {labels}  ({', '.join(cell['point'])})  {bounded}".rstrip()
    if any(cell.get("walls", ())):
        line += f"  walls {ternary(cell['walls'], (len(cell['walls']),))}"
    return f"{line}\n"


def _summary(request: Request, found: dict[str, Any]) -> list[str]:
    """The counts as a table."""
    network, top = request.network, request.network.input_dimension
    rows = [("architecture", shape(network.architecture, network.output_activation))]
    if request.rounded_to is not None:
        rows.append(("rounded to", f"multiples of {request.rounded_to}"))
    if request.box is not None:
        rows.append(("box", " to ".join(f"({', '.join(map(format_rational, side))})" for side in request.box)))
    if found["top_cells"] is None:
        if found.get("f_vector_at_least"):
            rows.append(("cells", "at least " + "  ".join(str(count) for count in found["f_vector_at_least"])))
        return [
            *aligned(rows),
            "the budget ran out before there were cells to count; raise it, or list top cells one after the other "
            "with --algorithm splitting",
        ]
    if found["f_vector"] is not None:
        widths = [len(str(count)) for count in found["f_vector"]]
        columns = list(zip(range(top + 1), found["f_vector"], widths, strict=True))
        rows += [
            ("dimension", "  ".join(f"{k:>{w}}" for k, _, w in columns)),
            ("cells", "  ".join(f"{f:>{w}}" for _, f, w in columns)),
        ]
    at_least = "" if found["complete"] else "at least "
    parts = [f"{found['smooth_top_cells']} parametrically smooth"]
    if found["bounded_top_cells"] is not None:
        parts.append(f"{found['bounded_top_cells']} bounded")
    rows.append(("top cells", f"{at_least}{found['top_cells']} ({', '.join(parts)})"))
    if found["f_vector"] is None:
        return [*aligned(rows), f"(cells of dimension {top} only: no f-vector)"]
    rows += [
        ("Euler characteristic", str(found["euler_characteristic"])),
        ("generic", yes_no(found["generic"])),
        ("supertransversal", yes_no(found["supertransversal"])),
    ]
    return aligned(rows)
