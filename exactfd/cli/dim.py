"""``exactfd dim``: the functional dimension."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from exactfd.cli import exits
from exactfd.cli.options import (
    Answer,
    Source,
    answer_options,
    budget_options,
    certificate_option,
    network_options,
    processes_option,
)
from exactfd.cli.output import aligned, certificate_line, saved, shape, write_answer
from exactfd.cli.progress import reporting

if TYPE_CHECKING:
    from exactfd.budget import Budget
    from exactfd.dimension import DimensionResult


@click.command("dim", short_help="Functional dimension of the parameter, proved.")
@network_options
@click.option(
    "--algorithm",
    type=click.Choice(["auto", "complex", "skeleton", "splitting"]),
    default="auto",
    show_default=True,
    help="How to enumerate cells when sample points do not settle it.",
)
@click.option("--kernel", is_flag=True, help="Also print the known kernel directions: scaling ones, then hidden ones.")
@processes_option
@budget_options
@certificate_option
@answer_options
def command(
    source: Source,
    algorithm: Any,
    kernel: bool,
    processes: int,
    make_budget: Callable[[], Budget],
    certificate: str | None,
    answer: Answer,
) -> int:
    """Functional dimension of the parameter, proved, or the bounds that the budget left.

    A certificate of bounds proves the lower one.
    """
    budget = make_budget()
    network = source.load()
    from exactfd.dimension import functional_dimension
    from exactfd.rationals import format_rational

    with reporting(quiet=answer.quiet) as progress:
        result = functional_dimension(
            network,
            algorithm=algorithm,
            budget=budget,
            progress=progress,
            processes=processes,
            kernel=kernel or certificate is not None,
        )
        document = {**result.to_dict(), "rounded_to": source.rounded_to}
        if kernel:
            document["kernel"] = [[format_rational(entry) for entry in vector] for vector in result.kernel]
        if certificate is not None:
            from exactfd.certificates import dimension_certificate

            # no budget for a result that a budget has cut short: its certificate needs no further cells
            written = dimension_certificate(result, budget=None if result.limit else budget, progress=progress)
            document["certificate"] = saved(written, certificate)
    directions = [f"kernel: ({', '.join(vector)})" for vector in document.get("kernel", [])]
    write_answer(answer, document, [*directions, *_lines(result, source.rounded_to), *certificate_line(document)])
    return exits.ANSWERED if result.limit is None else exits.BUDGET


ENGINES = {"complex": "whole complex", "skeleton": "skeleton", "splitting": "splitting tree"}


def _lines(result: DimensionResult, rounded_to: str | None) -> list[str]:
    network = result.network
    rows = [
        ("architecture", shape(network.architecture, network.output_activation)),
        ("parameters D", str(network.parametric_dimension)),
        ("upper bound D'", str(network.upper_bound)),
    ]
    if rounded_to is not None:
        rows.append(("rounded to", f"multiples of {rounded_to}"))
    if result.top_cells is not None:
        what = "all" if result.complete else "not all"
        rows.append(("top cells", f"{result.top_cells} ({what}, by the {ENGINES[result.engine or 'complex']})"))
    rows.append(("method", result.method))
    return [*aligned(rows), verdict(result)]


def verdict(result: DimensionResult) -> str:
    """The answer in one line."""
    bound = result.network.upper_bound
    if result.value is not None:
        none = "; no cell is parametrically smooth" if "none is parametrically smooth" in result.method else ""
        return f"dim_fun(theta) = {result.value} (proved), D' = {bound}, deficit {bound - result.value}{none}"
    why = result.limit or result.method
    return f"{result.lower} <= dim_fun(theta) <= {result.upper} (bounds: {why}), D' = {bound}"
