"""``exactfd fiber``: other parameters with the same function."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from exactfd.cli import exits
from exactfd.cli.options import Answer, Source, answer_options, budget_options, network_options
from exactfd.cli.output import aligned, shape, write_answer
from exactfd.cli.progress import reporting
from exactfd.errors import InputError

if TYPE_CHECKING:
    from exactfd.budget import Budget
    from exactfd.symmetry.fiber import FiberWalk


@click.command("fiber", short_help="Other parameters with the same function, proved.")
@network_options
@click.option("--steps", type=click.IntRange(min=1), default=5, show_default=True, help="How many new parameters.")
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed, another walk.")
@click.option("--save", "folder", metavar="DIR", help="Write each new network to DIR/step-K.json; DIR is made.")
@budget_options
@answer_options
def command(
    source: Source, steps: int, seed: int, folder: str | None, make_budget: Callable[[], Budget], answer: Answer
) -> int:
    """Walk along the fiber of a parameter: new parameters with the same function, and their functional dimensions.

    Each step follows a hidden infinitesimal symmetry and is proved to have the function of NET. Exit code 1: fewer
    steps than asked for.
    """
    budget = make_budget()
    network = source.load()
    if folder is not None and os.path.lexists(folder) and not os.path.isdir(folder):
        raise InputError(f"{folder}: expected a directory to write to, found a file")
    from exactfd.io import save
    from exactfd.symmetry.fiber import walk_fiber

    with reporting(quiet=answer.quiet, writing_to=answer.output) as progress:
        walk = walk_fiber(network, steps=steps, seed=seed, budget=budget, progress=progress)
    document: dict[str, Any] = {**walk.to_dict(), "rounded_to": source.rounded_to}
    if folder is not None:
        _make(folder)
        document["files"] = [os.path.join(folder, f"step-{k}.json") for k in range(1, len(walk.points) + 1)]
        for path, point in zip(document["files"], walk.points, strict=True):
            save(point.network, path)
    write_answer(answer, document, _lines(walk, document))
    if walk.limit is not None:
        return exits.BUDGET
    return exits.ANSWERED if len(walk.points) == steps else exits.FALSE


def _make(folder: str) -> None:
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: expected a directory to write to, found: {error.strerror}") from None


def _lines(walk: FiberWalk, document: dict[str, Any]) -> list[str]:
    network = walk.start.network
    rows = [("architecture", shape(network.architecture, network.output_activation))]
    if document["rounded_to"] is not None:
        rows.append(("rounded to", f"multiples of {document['rounded_to']}"))
    lines = [*aligned(rows), f"step 0: dim_fun(theta) {_value(walk.start.result.value)}"]
    for number, (point, entry) in enumerate(zip(walk.points, document["steps"], strict=True), start=1):
        who = ", ".join(f"{i} of layer {layer}" for layer, i in entry["neurons"])
        what = f"{point.kind} ({'neurons' if len(entry['neurons']) > 1 else 'neuron'} {who})" if who else point.kind
        lines.append(f"step {number}: dim_fun(theta) {_value(point.dimension.value)}, along {what}")
        changed = list(entry["direction"])
        shown = ", ".join(changed[:6]) + (f" and {len(changed) - 6} more" if len(changed) > 6 else "")
        lines.append(f"        moved: {shown}; equal by {entry['equal_by']}")
    if walk.reason is not None:
        lines.append(f"no further step: {walk.reason}" + (f" ({walk.limit})" if walk.limit else ""))
    if document.get("files"):
        lines.append(f"networks: {document['files'][0]} ... {document['files'][-1]}")
    return lines


def _value(value: int | None) -> str:
    return "is not proved" if value is None else f"= {value} (proved)"
