"""``exactfd rank``: the batch functional dimension."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from exactfd.cli import exits
from exactfd.cli.options import (
    Answer,
    Source,
    answer_options,
    certificate_option,
    limit_options,
    network_options,
)
from exactfd.cli.output import aligned, certificate_line, saved, shape, write_answer
from exactfd.cli.progress import reporting

if TYPE_CHECKING:
    from exactfd.batches import BatchResult
    from exactfd.budget import Budget


@click.command("rank", short_help="Rank of the Jacobian on a batch of points.")
@network_options
@click.option(
    "--points",
    required=True,
    metavar="FILE",
    help='Points: .json, .csv or .npy; "-" reads any of them from standard input.',
)
@click.option(
    "--algorithm",
    type=click.Choice(["auto", "flint"]),
    default="auto",
    show_default=True,
    help="auto: a minor modulo a prime and a verified kernel; flint: elimination over Q.",
)
@limit_options
@certificate_option
@answer_options
def command(
    source: Source,
    points: str,
    algorithm: Any,
    make_budget: Callable[[], Budget],
    certificate: str | None,
    answer: Answer,
) -> int:
    """Exact rank of the Jacobian of the network on a batch of points, with the float rank beside it.

    A certificate of bounds proves the lower one.
    """
    if source.net == points == "-":
        raise click.UsageError("NET and --points cannot both be standard input")
    from exactfd import io

    budget = make_budget()
    network = source.load()
    batch = io.load_points(points, dimension=network.input_dimension)
    from exactfd.batches import batch_functional_dimension

    with reporting(quiet=answer.quiet) as progress:
        with io.located(points):
            result = batch_functional_dimension(network, batch, algorithm=algorithm, budget=budget, progress=progress)
        document = {**result.to_dict(), "rounded_to": source.rounded_to}
        if certificate is not None:
            from exactfd.certificates import batch_certificate

            # no budget for a result that a budget has cut short: its certificate needs no further work
            written = batch_certificate(result, budget=None if result.limit else budget, progress=progress)
            document["certificate"] = saved(written, certificate)
    if result.float_agrees is False and not answer.quiet:
        what = "the float64 Jacobian overflows"
        if result.float_rank is not None:
            what = f"float64 singular values give rank {result.float_rank}"
        click.echo(f"exactfd: warning: {what}; the exact rank is {result.rank}", err=True)
    write_answer(answer, document, [*_lines(result, source.rounded_to), *certificate_line(document)])
    return exits.ANSWERED if result.limit is None else exits.BUDGET


def _lines(result: BatchResult, rounded_to: str | None) -> list[str]:
    network = result.network
    rows = [
        ("architecture", shape(network.architecture, network.output_activation)),
        ("parameters D", str(network.parametric_dimension)),
        ("upper bound D'", str(network.upper_bound)),
        ("points", str(result.points)),
        ("method", result.method),
        ("rank modulo a prime", str(result.modular_rank)),
    ]
    if result.float_result is not None:
        agrees = {True: "agrees", False: "WRONG", None: "the exact rank is not known"}[result.float_agrees]
        found = "none: overflow" if result.float_rank is None else str(result.float_rank)
        rows.append(("float64 rank, columns scaled", f"{found} ({agrees})"))
    if result.ntk_rank is not None:
        rows.append(("rank of the NTK Gram matrix", str(result.ntk_rank)))
    if rounded_to is not None:
        rows.insert(3, ("rounded to", f"multiples of {rounded_to}"))
    return [*aligned(rows), verdict(result)]


def verdict(result: BatchResult) -> str:
    """The answer in one line."""
    where = f"on {result.points} points"
    if result.rank is not None:
        return f"rank J Ev_Z(theta) = {result.rank} (proved) {where}"
    return f"{result.lower} <= rank J Ev_Z(theta) <= {result.upper} (bounds: {result.limit}) {where}"
