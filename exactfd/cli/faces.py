"""``exactfd faces``: shapes of the polytopes, the dual graph, and bounds beside the exact numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import click

from exactfd.budget import Progress
from exactfd.cli import exits
from exactfd.cli.cells import too_large
from exactfd.cli.options import (
    Answer,
    Source,
    answer_options,
    box_option,
    budget_options,
    corner,
    network_options,
    processes_option,
)
from exactfd.cli.output import aligned, shape, write_answer
from exactfd.cli.progress import reporting
from exactfd.errors import BudgetExceeded, InputError
from exactfd.rationals import format_rational

if TYPE_CHECKING:
    from exactfd.budget import Budget
    from exactfd.geometry.box import Box
    from exactfd.geometry.complex import CanonicalComplex
    from exactfd.network import Network
    from exactfd.polytopes.bounds import Bound
    from exactfd.polytopes.faces import FaceStatistics


class _SliceCommand(click.Command):
    """``--slice P Q R`` takes three points; ``--slice FILE`` is short for ``--slice-file FILE``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Tell the two apart by what follows: a point, or the name of a file."""
        for place, (option, value) in enumerate(pairwise(args)):
            if option == "--slice":
                try:
                    corner(value)
                except click.BadParameter:
                    args = [*args[:place], "--slice-file", *args[place + 1 :]]
        return super().parse_args(ctx, args)


@dataclass
class Survey:
    """What was asked for and what has been found when the budget ran out, or when all is done."""

    network: Network  # restricted to the slice, if there is one
    box: Box | None
    budget: Budget
    simplices: bool
    by_layer: bool
    eccentricities: bool
    processes: int = 1
    statistics: FaceStatistics | None = None
    limit: str | None = None
    found: dict[str, Any] = field(default_factory=dict)
    bounds: list[dict[str, Any]] = field(default_factory=list)

    def run(self, algorithm: str, progress: Progress) -> None:
        """Everything, in the order in which it is worth having."""
        from exactfd.polytopes.faces import face_statistics_by_programs, layer_statistics

        complex_: CanonicalComplex | None = None
        try:
            if algorithm == "complex":
                complex_ = self._complex(progress)
            else:
                self.statistics = face_statistics_by_programs(
                    self.network, box=self.box, budget=self.budget, progress=progress
                )
            if self.by_layer:
                layers = layer_statistics(self.network, box=self.box, budget=self.budget, progress=progress)
                self.found["layers"] = [_layer_entry(number, layer) for number, layer in enumerate(layers, start=1)]
            if complex_ is not None:
                self._regions(complex_, progress)
                self._graph(complex_, progress)
        except BudgetExceeded as error:
            self.limit = str(error)
            if algorithm == "programs" and self.statistics is None:
                self.statistics = error.partial
            elif self.statistics is None:
                self.found["f_vector_at_least"] = list(error.partial or ())
        self._compare(complex_)

    def _complex(self, progress: Progress) -> CanonicalComplex:
        from exactfd.geometry.complex import canonical_complex
        from exactfd.polytopes.faces import face_statistics

        complex_ = canonical_complex(
            self.network, box=self.box, budget=self.budget, progress=progress, processes=self.processes
        )
        self.statistics = face_statistics(complex_, simplices=self.simplices)
        return complex_

    def _regions(self, complex_: CanonicalComplex, progress: Progress) -> None:
        from exactfd.polytopes.regions import region_counts_of

        if self.box is None:
            self.found["region_counts"] = region_counts_of(complex_, budget=self.budget, progress=progress).to_dict()

    def _graph(self, complex_: CanonicalComplex, progress: Progress) -> None:
        from exactfd.polytopes.dual import dual_graph

        graph = dual_graph(complex_)
        if self.eccentricities:
            values = Counter(graph.eccentricities(budget=self.budget, progress=progress).tolist())
            self.found["diameter"], self.found["radius"] = max(values), min(values)
            self.found["eccentricity_histogram"] = {str(value): values[value] for value in sorted(values)}
        else:
            extremes = graph.diameter_and_radius(budget=self.budget, progress=progress)
            self.found["diameter"], self.found["radius"] = extremes

    def _compare(self, complex_: CanonicalComplex | None) -> None:
        """The bounds, each beside the exact number where that is known."""
        from exactfd.polytopes.bounds import network_bounds

        regular = None
        if complex_ is not None:
            generic = complex_.generic
            regular = complex_.supertransversal and generic if generic is not False else False
        exact: dict[str, Any] = {"diameter": self.found.get("diameter")}
        if self.statistics is not None and self.statistics.complete:
            inner = self.statistics.facets_without_walls or self.statistics.facets
            exact["regions"], exact["mean_facets"] = self.statistics.top_cells, inner.mean
            exact["bounded_regions"] = self.statistics.bounded_top_cells
        for bound in network_bounds(self.network, whole_space=self.box is None, supertransversal=regular):
            self.bounds.append(_bound_entry(bound, exact.get(bound.quantity)))


@click.command("faces", cls=_SliceCommand, short_help="Shapes of the polytopes: facets, dual graph, bounds.")
@network_options
@box_option
@click.option(
    "--slice",
    "points",
    nargs=3,
    type=corner,
    metavar="P Q R | FILE",
    help="The section by the plane through three points (1,0,2 ...), or the three in a points file; a box is then one "
    "of s and t in P + s (Q - P) + t (R - P).",
)
@click.option("--slice-file", hidden=True)
@click.option(
    "--algorithm",
    type=click.Choice(["auto", "complex", "programs"]),
    default="auto",
    show_default=True,
    help="complex: every cell of every dimension; programs: facets cell by cell, for many inputs; auto: programs where "
    "the complex is too large to begin with.",
)
@click.option("--simplices", is_flag=True, help="Also count the simplices that bounded polytopes are cut into.")
@click.option("--by-layer", is_flag=True, help="Also the polytopes of the first 1, 2, ... layers.")
@click.option("--eccentricities", is_flag=True, help="Also the largest distance from every polytope, as a histogram.")
@processes_option
@budget_options
@answer_options
def command(
    source: Source,
    box: Any,
    points: tuple[Any, ...] | None,
    slice_file: str | None,
    algorithm: str,
    simplices: bool,
    by_layer: bool,
    eccentricities: bool,
    processes: int,
    make_budget: Callable[[], Budget],
    answer: Answer,
) -> int:
    """Facets of every polytope: histogram, mean, variance; diameter of the dual graph; bounds from the literature.

    In a box, facets in the walls are counted first and left out second. Mean facets with the walls of a plane box
    counted are 4 for every network in general position: look at the numbers without walls.
    """
    if points is not None and slice_file is not None:
        raise click.UsageError("--slice is given once: three points, or a file of three points")
    budget = make_budget()
    network = source.load()
    plane = _plane(points, slice_file, network.input_dimension)
    from exactfd.geometry.box import parse_box
    from exactfd.polytopes.slices import restrict_to_plane

    looked_at = network if plane is None else restrict_to_plane(network, plane)
    limits = parse_box(box, looked_at.input_dimension)
    reason = None if algorithm == "programs" else too_large(looked_at, limits)
    if reason is not None and algorithm == "complex":
        raise InputError(f"{source.net}: {reason}; for facets alone use --algorithm programs")
    chosen = "programs" if reason is not None or algorithm == "programs" else "complex"
    if chosen == "programs" and (simplices or by_layer or eccentricities):
        why = f"{source.net}: {reason}" if reason is not None else "--algorithm programs"
        raise InputError(f"{why}; --simplices, --by-layer and --eccentricities need the whole complex")
    survey = Survey(looked_at, limits, budget, simplices, by_layer, eccentricities, processes)
    with reporting(quiet=answer.quiet, writing_to=answer.output) as progress:
        survey.run(chosen, progress)
    document = _document(survey, network, source, plane, chosen)
    write_answer(answer, document, _lines(document))
    if survey.limit is None:
        return exits.ANSWERED
    click.echo(f"exactfd: {survey.limit}", err=True)
    return exits.BUDGET


def _plane(points: tuple[Any, ...] | None, slice_file: str | None, inputs: int) -> Sequence[Any] | None:
    if slice_file is not None:
        from exactfd import io

        return io.load_points(slice_file, dimension=inputs)
    if points is None:
        return None
    return [point if isinstance(point, tuple) else (point,) * inputs for point in points]


_STATISTICS = (
    "complete",
    "top_cells",
    "bounded_top_cells",
    "f_vector",
    "facet_histogram",
    "facet_histogram_bounded",
    "mean_facets",
    "variance_facets",
    "walls_counted",
    "without_walls",
    "facets_by_layer",
    "simplices",
)


def _document(
    survey: Survey, network: Network, source: Source, plane: Sequence[Any] | None, algorithm: str
) -> dict[str, Any]:
    statistics = survey.statistics
    known = {**dict.fromkeys(_STATISTICS), "complete": False, "walls_counted": survey.box is not None}
    if statistics is not None:
        known = {key: value for key, value in statistics.to_dict().items() if key in _STATISTICS}
    return {
        "architecture": list(network.architecture),
        "output_activation": network.output_activation,
        "digest": network.digest,
        "rounded_to": source.rounded_to,
        "slice": None if plane is None else [[format_rational(e) for e in point] for point in plane],
        "box": None if survey.box is None else [[format_rational(entry) for entry in side] for side in survey.box],
        "algorithm": algorithm,
        **known,
        **dict.fromkeys(("region_counts", "diameter", "radius")),
        **survey.found,
        "bounds": survey.bounds,
        "limit": survey.limit,
    }


def _layer_entry(number: int, statistics: FaceStatistics) -> dict[str, Any]:
    keys = ("top_cells", "bounded_top_cells", "f_vector", *_STATISTICS[4:10])
    found = statistics.to_dict()
    return {"layers": number, **{key: found[key] for key in keys}}


def _bound_entry(bound: Bound, exact: Any) -> dict[str, Any]:
    return {**bound.to_dict(), "found": None if exact is None else format_rational(Fraction(exact))}


# --------------------------------------------------------------------------- text


def _decimal(text: str | None) -> str:
    """A fraction, and about how much that is."""
    if text is None:
        return "none"
    return text if "/" not in text else f"{text} = {float(Fraction(text)):.4f}..."


def _lines(document: dict[str, Any]) -> list[str]:
    rows = [("architecture", shape(document["architecture"], document["output_activation"]))]
    if document["rounded_to"] is not None:
        rows.append(("rounded to", f"multiples of {document['rounded_to']}"))
    if document["slice"] is not None:
        rows.append(("slice", "the plane through three points; s and t are its inputs"))
    if document["box"] is not None:
        rows.append(("box", " to ".join(f"({', '.join(side)})" for side in document["box"])))
    if document["top_cells"] is None:
        if document.get("f_vector_at_least"):
            rows.append(("cells", "at least " + "  ".join(map(str, document["f_vector_at_least"]))))
        return [*aligned(rows), "the budget ran out before the complex was complete", *_bound_lines(document)]
    some = "" if document["complete"] else "at least "
    bounded = document["bounded_top_cells"]
    rows.append(
        ("polytopes", f"{some}{document['top_cells']}" + (f" ({bounded} bounded)" if bounded is not None else ""))
    )
    if document["f_vector"] is not None:
        rows.append(("f-vector", "  ".join(map(str, document["f_vector"]))))
    rows.append(("facets by layer", "  ".join(map(str, document["facets_by_layer"])) or "none"))
    rows += [(f"mean facets{note}", _spread(part)) for note, part in _tallies(document)]
    if document["simplices"] is not None:
        rows.append(("simplices", f"{document['simplices']} in the bounded polytopes"))
    if document["region_counts"] is not None:
        rows.append(("linear regions", _regions_text(document["region_counts"])))
    if document["diameter"] is not None:
        rows.append(("dual graph", f"diameter {document['diameter']}, radius {document['radius']}"))
    lines = aligned(rows)
    for entry in document.get("layers", ()):
        mean = _decimal((entry["without_walls"] or entry)["mean_facets"])
        lines.append(f"up to layer {entry['layers']}: {entry['top_cells']} polytopes, mean facets {mean}")
    return [*lines, *_histogram_lines(document), *_bound_lines(document)]


def _regions_text(counts: dict[str, Any]) -> str:
    """``R1 7, R2 5, R3 4 to 5, R4 3, R5 3, R6 3``."""
    texts = {name: value if isinstance(value, list) else [value] for name, value in counts.items()}
    return ", ".join(f"{name} {' to '.join(map(str, dict.fromkeys(values)))}" for name, values in texts.items())


def _tallies(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    if document["without_walls"] is None:
        return [("", document)]
    return [(", walls counted", document), (", without walls", document["without_walls"])]


def _spread(part: dict[str, Any]) -> str:
    return f"{_decimal(part['mean_facets'])}, variance {_decimal(part['variance_facets'])}"


def _histogram_lines(document: dict[str, Any]) -> list[str]:
    tallies = [part for _, part in _tallies(document)]
    numbers = sorted({int(key) for part in tallies for key in part["facet_histogram"]})
    columns = {"polytopes": document["facet_histogram"], "bounded": document["facet_histogram_bounded"]}
    if len(tallies) > 1:
        columns["without walls"] = tallies[1]["facet_histogram"]
    known = {name: histogram for name, histogram in columns.items() if histogram is not None}
    table = [[str(number), *(str(h.get(str(number), 0)) for h in known.values())] for number in numbers]
    return _columns([["facets", *known], *table], right=True)


def _bound_lines(document: dict[str, Any]) -> list[str]:
    """Bounds whose hypotheses hold, each beside the exact number."""
    table = [["quantity", "exact", "kind", "bound", "by"]]
    for entry in document["bounds"]:
        if entry["value"] is not None:
            found = "?" if entry["found"] is None else entry["found"]
            name = entry["quantity"].replace("_", " ")
            table.append([name, found, entry["kind"], entry["value"], f"{entry['name']} ({entry['source']})"])
    return _columns(table, right=False)


def _columns(table: list[list[str]], *, right: bool) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    justify = str.rjust if right else str.ljust
    return ["  ".join(map(justify, row, widths)).rstrip() for row in table]
