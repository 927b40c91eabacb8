"""``exactfd explain``: where the dimension went."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from exactfd.cli import exits
from exactfd.cli.dim import verdict
from exactfd.cli.options import Answer, Source, answer_options, budget_options, network_options
from exactfd.cli.output import aligned, shape, write_answer
from exactfd.cli.progress import reporting

if TYPE_CHECKING:
    from exactfd.budget import Budget
    from exactfd.symmetry.explanation import Explanation

_TERMS = 6  # parameters of a direction that is printed
_DIGITS = 60  # characters of one


@click.command("explain", short_help="Where the dimension went: mechanisms and their neurons.")
@network_options
@budget_options
@answer_options
def command(source: Source, make_budget: Callable[[], Budget], answer: Answer) -> int:
    """Attribute each dimension of the deficit D' - dim_fun to a mechanism, or list its direction as unexplained.

    Layers are counted from 1, neurons and entries of matrices from 0. Every direction is proved.
    """
    budget = make_budget()
    network = source.load()
    from exactfd.symmetry.explanation import explain

    with reporting(quiet=answer.quiet, writing_to=answer.output) as progress:
        found = explain(network, budget=budget, progress=progress)
    document = {**found.to_dict(), "rounded_to": source.rounded_to}
    write_answer(answer, document, _lines(found, document))
    return exits.ANSWERED if document["limit"] is None else exits.BUDGET


def _lines(found: Explanation, document: dict[str, Any]) -> list[str]:
    network = found.network
    lines = aligned([("architecture", shape(network.architecture, network.output_activation))])
    if document["rounded_to"] is not None:
        lines += aligned([("rounded to", f"multiples of {document['rounded_to']}")])
    lines.append(verdict(found.result))
    for mechanism in document["mechanisms"]:
        lines.append(f"{mechanism['dimension']:>4}  {mechanism['kind']}: {mechanism['statement']}")
        lines += _directions(mechanism["directions"])
    left = document["unexplained"]
    if left is None:
        lines.append("the rest is not known: the functional dimension is not proved")
    elif left["dimension"]:
        lines.append(f"{left['dimension']:>4}  unexplained")
        lines += _directions(left["directions"])
    if document["limit"] is not None:
        lines.append(f"limit: {document['limit']}")
    return lines


def _directions(directions: Sequence[dict[str, str]]) -> list[str]:
    """The first direction, written out where it is short."""
    first = directions[0]
    text = ", ".join(f"{name}: {value}" for name, value in first.items())
    if len(first) > _TERMS or len(text) > _DIGITS:
        longest = max(len(value.lstrip("-")) for value in first.values())
        text = f"{len(first)} parameters, numbers of up to {longest} digits (--json has them)"
    more = f" and {len(directions) - 1} more" if len(directions) > 1 else ""
    return [f"      direction ({text}){more}"]
