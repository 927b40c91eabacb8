"""``exactfd plot``: a picture of the complex."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from exactfd.cli import exits
from exactfd.cli.options import Answer, Source, answer_options, box_option, budget_options, network_options
from exactfd.cli.output import write_answer
from exactfd.cli.progress import reporting
from exactfd.errors import BudgetExceeded

if TYPE_CHECKING:
    from exactfd.budget import Budget
    from exactfd.network import Network


@click.command("plot", short_help="Picture of the complex (2 inputs) or graph (1 input).")
@network_options
@box_option
@click.option(
    "--color",
    type=click.Choice(["rank", "facets", "layer", "bounded", "none"]),
    help="Colour cells by what they add to the rank, largest cells first (default), by their number of facets or by "
    "whether they are bounded; or lines by the layer that bends there; or nothing.",
)
@click.option(
    "--histogram", is_flag=True, help="Draw how many facets the polytopes have instead (any number of inputs)."
)
@budget_options
@answer_options
def command(
    source: Source, box: Any, color: Any, histogram: bool, make_budget: Callable[[], Budget], answer: Answer
) -> int:
    """Picture of the complex of a network with two inputs, or graph of one with one input; -o names the file.

    Without --box the picture shows every vertex. FILE.html is a page on which cells answer to the mouse.
    """
    if answer.output is None:
        raise click.UsageError("missing option '-o FILE': the picture to write, .png, .svg or .html")
    if answer.output == "-":
        raise click.UsageError("'-o -': a picture is not written to standard output; name a file, .png, .svg or .html")
    if histogram and color is not None:
        raise click.UsageError("--color is about cells; a histogram has one colour")
    budget = make_budget()
    from exactfd import plot

    page = plot.check_suffix(answer.output) == ".html"
    (plot.require_plotly if page else plot.require_matplotlib)()  # before the work, not after it
    network = source.load()
    if histogram:
        return _histogram(source, network, box, budget, answer, page)
    known = {"color": color or "rank", "theoretical_upper_bound": network.upper_bound}
    try:
        with reporting(quiet=answer.quiet) as progress:
            scene = plot.make_scene(network, box=box, color=color or "rank", budget=budget, progress=progress)
    except BudgetExceeded as error:
        return _no_picture(source, network, answer, str(error), _UNKNOWN, known)
    _save(plot.interactive(scene) if page else plot.draw(scene), answer.output, page)
    document = {**scene.to_dict(), "rounded_to": source.rounded_to, "output": answer.output}
    where = " to ".join(f"({', '.join(map(str, side))})" for side in scene.box)
    summary = f"{answer.output}: {len(scene.regions)} cells in the box {where}; {scene.headline}"
    write_answer(Answer(answer.json, None, answer.quiet), document, [summary])
    if scene.limit is None:
        return exits.ANSWERED
    click.echo(f"exactfd: the picture is whole, its title gives bounds: {scene.limit}", err=True)
    return exits.BUDGET


def _histogram(source: Source, network: Network, box: Any, budget: Budget, answer: Answer, page: bool) -> int:
    """How many facets the polytopes have; in a box they are cut by it and its walls count."""
    from exactfd import plot
    from exactfd.geometry.complex import canonical_complex
    from exactfd.plot.histogram import histogram_document, mean_text

    assert answer.output is not None  # the command has seen to it
    try:
        with reporting(quiet=answer.quiet) as progress:
            complex_ = canonical_complex(network, box=box, budget=budget, progress=progress)
    except BudgetExceeded as error:
        return _no_picture(source, network, answer, str(error), _UNKNOWN_FACETS, {"walls_counted": box is not None})
    counts, cut = plot.facets_per_polytope(complex_), box is not None
    title = f"architecture ({', '.join(map(str, network.architecture))}), {complex_.top_cells} polytopes"
    drawing = plot.interactive_histogram if page else plot.draw_histogram
    _save(drawing(counts, title=title, walls_counted=cut), answer.output, page)
    corners = complex_.to_dict()["box"]
    document = {
        **_subject(source, network),
        "box": corners,
        "top_cells": complex_.top_cells,
        **histogram_document(counts, cut),
        "limit": None,
        "output": answer.output,
    }
    walls = ", walls of the box included" if cut else ""
    summary = f"{answer.output}: {complex_.top_cells} polytopes, facets per polytope{walls}: {mean_text(counts)}"
    write_answer(Answer(answer.json, None, answer.quiet), document, [summary])
    return exits.ANSWERED


def _save(figure: Any, path: str, page: bool) -> None:
    from exactfd import plot

    (plot.save_html if page else plot.save_picture)(figure, path)


_UNKNOWN = ("box", "top_cells", "smooth_top_cells", "rank_in_box", "functional_dimension")
_UNKNOWN_FACETS = ("box", "top_cells", "facet_histogram", "mean_facets")


def _subject(source: Source, network: Network) -> dict[str, Any]:
    return {
        "architecture": list(network.architecture),
        "output_activation": network.output_activation,
        "digest": network.digest,
        "rounded_to": source.rounded_to,
    }


def _no_picture(
    source: Source, network: Network, answer: Answer, limit: str, unknown: tuple[str, ...], known: dict[str, Any]
) -> int:
    """Part of a complex would look like another complex: say so, and draw nothing."""
    if answer.json:
        document = {**_subject(source, network), **dict.fromkeys(unknown), **known, "limit": limit, "output": None}
        write_answer(Answer(True, None, answer.quiet), document, [])
    click.echo(
        f"exactfd: {answer.output}: no picture was written, since not all cells are known: {limit}; "
        "raise the limit, or show a smaller --box",
        err=True,
    )
    return exits.BUDGET
