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
    type=click.Choice(["rank", "none"]),
    default="rank",
    show_default=True,
    help="Colour each cell by what it adds to the rank, largest cells first, or not at all.",
)
@budget_options
@answer_options
def command(source: Source, box: Any, color: Any, make_budget: Callable[[], Budget], answer: Answer) -> int:
    """Picture of the complex of a network with two inputs, or graph of one with one input; -o names the file.

    Without --box the picture shows every vertex.
    """
    if answer.output is None:
        raise click.UsageError("missing option '-o FILE': the picture to write, .png or .svg")
    if answer.output == "-":
        raise click.UsageError("'-o -': a picture is not written to standard output; name a file, .png or .svg")
    budget = make_budget()
    from exactfd.plot import check_suffix, draw, make_scene, require_matplotlib, save_picture

    check_suffix(answer.output)
    require_matplotlib()  # before the work, not after it
    network = source.load()
    try:
        with reporting(quiet=answer.quiet) as progress:
            scene = make_scene(network, box=box, color=color, budget=budget, progress=progress)
    except BudgetExceeded as error:
        return _no_picture(source, network, answer, str(error))
    save_picture(draw(scene), answer.output)
    document = {**scene.to_dict(), "rounded_to": source.rounded_to, "output": answer.output}
    where = " to ".join(f"({', '.join(map(str, side))})" for side in scene.box)
    summary = f"{answer.output}: {len(scene.regions)} cells in the box {where}; {scene.headline}"
    write_answer(Answer(answer.json, None, answer.quiet), document, [summary])
    if scene.limit is None:
        return exits.ANSWERED
    click.echo(f"exactfd: the picture is whole, its title gives bounds: {scene.limit}", err=True)
    return exits.BUDGET


def _no_picture(source: Source, network: Network, answer: Answer, limit: str) -> int:
    """Part of a complex would look like another complex: say so, and draw nothing."""
    if answer.json:
        unknown = ("box", "top_cells", "smooth_top_cells", "rank_in_box", "functional_dimension")
        document = {
            "architecture": list(network.architecture),
            "output_activation": network.output_activation,
            "digest": network.digest,
            **dict.fromkeys(unknown),
            "theoretical_upper_bound": network.upper_bound,
            "limit": limit,
            "rounded_to": source.rounded_to,
            "output": None,
        }
        write_answer(Answer(True, None, answer.quiet), document, [])
    click.echo(
        f"exactfd: {answer.output}: no picture was written, since not all cells are known: {limit}; "
        "raise the limit, or show a smaller --box",
        err=True,
    )
    return exits.BUDGET
