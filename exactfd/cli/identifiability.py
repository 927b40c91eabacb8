"""``exactfd identifiability``: TPIC, LRA, stable neurons, and the verdict where it can be given."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from exactfd.cli import exits
from exactfd.cli.options import Answer, Source, answer_options, budget_options, network_options
from exactfd.cli.output import aligned, shape, write_answer
from exactfd.cli.progress import reporting
from exactfd.errors import BudgetExceeded

if TYPE_CHECKING:
    from exactfd.budget import Budget
    from exactfd.symmetry.identifiability import IdentifiabilityResult

_ANSWERS = (
    "tpic",
    "pairs",
    "failing_pairs",
    "lra",
    "same_map",
    "stably_active",
    "stably_inactive",
    "flips",
    "hypotheses",
    "no_hidden_symmetries",
)


@click.command("identifiability", short_help="TPIC, LRA, stable neurons.")
@network_options
@budget_options
@answer_options
def command(source: Source, make_budget: Callable[[], Budget], answer: Answer) -> int:
    """Do the bent hyperplanes of adjacent layers meet, do adjacent cells carry different maps, and what follows.

    The verdict "no hidden symmetries" is given only where every hypothesis of it is verified.
    """
    budget = make_budget()
    network = source.load()
    from exactfd.symmetry.identifiability import identifiability

    try:
        with reporting(quiet=answer.quiet) as progress:
            result = identifiability(network, budget=budget, progress=progress)
    except BudgetExceeded as error:
        head = {
            "architecture": list(network.architecture),
            "output_activation": network.output_activation,
            "digest": network.digest,
        }
        document: dict[str, Any] = {**head, **dict.fromkeys(_ANSWERS), "limit": str(error)}
        write_answer(answer, {**document, "rounded_to": source.rounded_to}, ["not all cells are known: no answer"])
        click.echo(f"exactfd: {error}", err=True)
        return exits.BUDGET
    document = {**result.to_dict(), "limit": None, "rounded_to": source.rounded_to}
    write_answer(answer, document, _lines(result, source.rounded_to))
    return exits.ANSWERED


def _lines(result: IdentifiabilityResult, rounded_to: str | None) -> list[str]:
    network = result.network
    rows = [("architecture", shape(network.architecture, network.output_activation))]
    if rounded_to is not None:
        rows.append(("rounded to", f"multiples of {rounded_to}"))
    pairs, failing = len(result.pairs), result.failing_pairs
    rows.append(("TPIC", f"holds ({pairs} pairs)" if result.tpic else f"fails for {len(failing)} of {pairs} pairs"))
    for pair in failing[:5]:
        how = "do not meet" if pair.point is None else f"meet at {_point(pair.point)}, not transversely"
        rows.append(("", f"neuron {pair.first} of layer {pair.layer}, {pair.second} of layer {pair.layer + 1}: {how}"))
    if len(failing) > 5:
        rows.append(("", f"... and {len(failing) - 5} more"))
    same = result.same_map
    fails = (
        "" if same is None else f"fails: one affine map in the adjacent cells of {_point(same[0])}, {_point(same[1])}"
    )
    rows.append(("LRA", fails or "holds"))
    rows.append(("stably active", _neurons(result.stably_active)))
    rows.append(("stably inactive", _neurons(result.stably_inactive)))
    if result.flips is not None:
        layer, neurons = result.flips
        rows.append(("signs to turn", f"neurons {', '.join(map(str, neurons))} of layer {layer}, all at once"))
    missing = [name.replace("_", " ") for name, value in result.hypotheses.items() if value is not True]
    if missing:
        return [*aligned(rows), f"no verdict on hidden symmetries: not verified: {', '.join(missing)}"]
    return [*aligned(rows), "no hidden symmetries (every hypothesis is verified)"]


def _point(point: Any) -> str:
    return f"({', '.join(map(str, point))})"


def _neurons(neurons: list[tuple[int, int]]) -> str:
    return ", ".join(f"{number} of layer {layer}" for layer, number in neurons) or "none"
