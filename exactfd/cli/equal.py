"""``exactfd equal``: whether two networks have the same function."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from exactfd.cli import exits
from exactfd.cli.options import (
    Answer,
    Source,
    answer_options,
    box_option,
    budget_options,
    certificate_option,
    pair_options,
)
from exactfd.cli.output import aligned, certificate_line, saved, shape, write_answer
from exactfd.cli.progress import reporting

if TYPE_CHECKING:
    from exactfd.budget import Budget
    from exactfd.symmetry.equality import EqualityResult


@click.command("equal", short_help="Whether two networks have the same function.")
@pair_options
@box_option
@budget_options
@certificate_option
@answer_options
def command(
    sources: tuple[Source, Source],
    box: Any,
    make_budget: Callable[[], Budget],
    certificate: str | None,
    answer: Answer,
) -> int:
    """Whether two networks have the same function, on all of space or on a closed box; proved either way.

    Architectures may differ; the numbers of inputs and of outputs may not. Exit code 0: equal, 1: different, with a
    rational point where they differ. --max-cells counts cells of top dimension of the common refinement.
    """
    if certificate is not None and box is not None:
        raise click.UsageError("--certificate is about all of space; leave out --box, or make two runs")
    budget = make_budget()
    first, second = (source.load() for source in sources)
    from exactfd.symmetry.equality import compare_functions

    with reporting(quiet=answer.quiet) as progress:
        result = compare_functions(
            first, second, box=box, budget=budget, progress=progress, tree=certificate is not None
        )
        document = {**result.to_dict(), "rounded_to": sources[0].rounded_to}
        if certificate is not None and result.equal is not None:
            document["certificate"] = saved(result.certificate, certificate)
    names = tuple(source.net for source in sources)
    write_answer(answer, document, [*_lines(result, names, sources[0].rounded_to), *certificate_line(document)])
    if result.equal is None:
        return exits.BUDGET
    return exits.ANSWERED if result.equal else exits.FALSE


def _lines(result: EqualityResult, names: tuple[str, ...], rounded_to: str | None) -> list[str]:
    rows = [
        (name, shape(network.architecture, network.output_activation))
        for name, network in zip(names, (result.first, result.second), strict=True)
    ]
    if rounded_to is not None:
        rows.append(("rounded to", f"multiples of {rounded_to}"))
    if result.box is not None:
        rows.append(("box", " to ".join(f"({', '.join(side)})" for side in result.to_dict()["box"])))
    rows.append(("method", _method(result)))
    if result.witness is not None:
        found = {key: f"({', '.join(values)})" for key, values in result.witness.to_dict().items()}
        rows += [("point", found["point"]), ("first value", found["first"]), ("second value", found["second"])]
    return [*aligned(rows), _verdict(result)]


def _method(result: EqualityResult) -> str:
    match result.method:
        case "identical parameters":
            return "identical parameters"
        case "symmetry":
            return "a permutation of the hidden neurons and positive scalings map the first to the second"
        case "sample point":
            return "values at a point"
        case "common refinement":
            return f"affine maps on cells of the common refinement ({result.cells} compared)"
        case None:
            return f"none decided: {result.cells} cells of the common refinement compared, all equal"


def _verdict(result: EqualityResult) -> str:
    """The answer in one sentence."""
    where = "all of space" if result.box is None else "the box"
    if result.equal is None:
        return f"undecided: a budget ran out ({result.limit})"
    if result.equal:
        return f"the two networks have the same function on {where} (proved)"
    return "the two networks have different functions (proved): they differ at the point"
