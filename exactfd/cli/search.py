"""``exactfd search``: a network with a property, as small as it can be made, with its certificate."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from exactfd.cli import exits
from exactfd.cli.options import Answer, answer_options, budget_options
from exactfd.cli.output import aligned, shape, write_answer
from exactfd.cli.progress import reporting
from exactfd.errors import InputError

if TYPE_CHECKING:
    from exactfd.budget import Budget
    from exactfd.network import Network
    from exactfd.search import SearchResult


def sizes(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[int, ...] | None:
    """``2,5,5,1``."""
    if text is None:
        return None
    if re.fullmatch(r"\d{1,6}( ?, ?\d{1,6})+", text.strip(), re.ASCII) is None:
        raise click.BadParameter(f"expected sizes of layers such as 2,5,5,1, found {text!r}")
    found = tuple(int(entry) for entry in text.split(","))
    if 0 in found:
        raise click.BadParameter(f"expected positive sizes of layers, found {text!r}")
    return found


@click.command("search", short_help="A counterexample, or a network with a property.")
@click.argument("claim", required=False)
@click.option("--list", "listing", is_flag=True, help="List the claims that have names.")
@click.option("--architecture", callback=sizes, metavar="SIZES", help="Where to search, such as 2,5,5,1.")
@click.option("--output-activation", type=click.Choice(["identity", "relu"]), help="Activation of the output layer.")
@click.option("--tries", type=click.IntRange(min=1), metavar="N", help="Look at no more than N candidates.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Another sequence of candidates."
)
@click.option("--keep-architecture", is_flag=True, help="Leave no neuron out when a find is made small.")
@click.option(
    "--save",
    "place",
    metavar="PLACE",
    help="Write the networks and certificates: a folder, or NAME.json for the first.",
)
@budget_options
@answer_options
def command(
    claim: str | None,
    listing: bool,
    architecture: tuple[int, ...] | None,
    output_activation: Any,
    tries: int | None,
    seed: int,
    keep_architecture: bool,
    place: str | None,
    make_budget: Callable[[], Budget],
    answer: Answer,
) -> int:
    """Search for a network with a property, make it small, and certify what was found.

    CLAIM is one of `exactfd search --list`, or a Python predicate of a network: FILE.py:FUNCTION or MODULE:FUNCTION.
    Without --tries and --time-limit the search ends after 60 seconds.

    Exit codes: 0 found, 1 nothing found in the budget, 130 interrupted (what there is by then is printed).
    """
    from exactfd.search import CLAIMS, PredicateError, search

    if listing:
        return _list(answer)
    if claim is None:
        raise click.UsageError("missing argument 'CLAIM'; exactfd search --list shows those that have names")
    budget = make_budget()
    wanted: Any = claim if claim in CLAIMS or ":" not in claim else predicate(claim)
    if place is not None:
        from exactfd.search.saving import base_of

        base_of(place, "search")  # before the work, not after it
    try:
        with reporting(quiet=answer.quiet) as progress:
            result = search(
                wanted,
                architecture=architecture,
                output_activation=output_activation,
                tries=tries,
                seed=seed,
                keep_architecture=keep_architecture,
                budget=budget,
                progress=progress,
            )
    except PredicateError as error:
        raise InputError(f"{claim}: {error}; {_keep(error.network)}") from None
    document = result.to_dict()
    if result.raised is not None:
        document["notes"].append(_keep(result.raised))
    document["saved"], failure = [], None
    if place is not None:
        from exactfd.search.saving import save_result

        try:
            document["saved"] = save_result(result, place)
        except InputError as error:
            failure = error
    write_answer(answer, document, _lines(result, document))
    if failure is not None:  # after the answer, which would be lost otherwise
        raise failure
    if result.stopped == "interrupted":
        return exits.INTERRUPTED
    return exits.ANSWERED if result.found else exits.FALSE


def _list(answer: Answer) -> int:
    from exactfd.search import CLAIMS

    claims = [
        {"name": name, "statement": claim.statement, "architecture": list(claim.architecture)}
        for name, claim in CLAIMS.items()
    ]
    rows = [(name, f"{_comma(claim.architecture)} {claim.statement}") for name, claim in CLAIMS.items()]
    write_answer(answer, {"claims": claims}, aligned(rows))
    return exits.ANSWERED


def predicate(text: str) -> Callable[[Network], Any]:
    """The function of ``FILE.py:FUNCTION`` or ``MODULE:FUNCTION``. Raises ``InputError``."""
    place, _, name = text.rpartition(":")
    try:
        if place.endswith(".py"):
            spec = importlib.util.spec_from_file_location("exactfd_search_predicate", place)
            if spec is None or spec.loader is None or not os.path.isfile(place):
                raise InputError(f"{place}: expected a Python file, found none")
            module = importlib.util.module_from_spec(spec)
            with contextlib.redirect_stdout(sys.stderr):
                spec.loader.exec_module(module)
        else:
            sys.path.insert(0, os.getcwd())
            try:
                with contextlib.redirect_stdout(sys.stderr):
                    module = importlib.import_module(place)
            finally:
                sys.path.remove(os.getcwd())
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        raise InputError(f"{text}: expected a Python module, found: {type(error).__name__}: {error}") from None
    function: Any = getattr(module, name, None)
    if not callable(function):
        raise InputError(f"{text}: expected a function named {name!r} in {place}, found {type(function).__name__}")
    found: Callable[[Network], Any] = function
    return found


def _keep(network: Network) -> str:
    from exactfd.io import save

    name = f"exactfd-search-{network.digest[:12]}.json"
    try:
        save(network, name)
    except InputError as error:
        return f"the network that made it raise could not be saved: {error}"
    return f"the network that made it raise is in {name}"


# --------------------------------------------------------------------------- in words


def _lines(result: SearchResult, document: dict[str, Any]) -> list[str]:
    total = sum(result.tried.values())
    rows = [("claim", f"{result.claim}: {result.statement}")]
    rows.append(("searched", f"{total} candidates at {_comma(result.architecture)}, seed {result.seed}"))
    for kind, count in result.tried.items():
        rows.append(("", f"{count} {kind}"))
    if result.skipped:
        rows.append(("", f"{result.skipped} of them undecided within the limits"))
    for number, network in enumerate(result.networks, 1):
        name = "network" if len(result.networks) == 1 else f"network {number}"
        rows.append((name, shape(network.architecture, network.output_activation)))
        rows += [("", line) for line in _layers(network)]
    rows += [(name.replace("_", " "), _short(value)) for name, value in result.facts.items()]
    if result.closest is not None:
        rows.append(("closest", shape(result.closest.architecture, result.closest.output_activation)))
        rows += [("", line) for line in _layers(result.closest)]
    rows += [("note", note) for note in document["notes"]]
    rows += [("certificate", about) for about, _ in result.certificates]
    rows += [("saved", f"{entry['file']} ({entry['what']})") for entry in document["saved"]]
    return [*aligned(rows), _verdict(result)]


def _verdict(result: SearchResult) -> str:
    stopped = ", interrupted" if result.stopped == "interrupted" else ""
    if result.found:
        return f"found{stopped}"
    return f"nothing found{stopped}: none of the candidates tried, which says nothing about any other"


def _layers(network: Network) -> list[str]:
    lines = []
    for layer in range(1, network.depth + 1):
        rows = network.augmented(layer).tolist()
        table = ", ".join(f"[{' '.join(map(str, row[:-1]))} | {row[-1]}]" for row in rows)
        lines.append(f"[W{layer} | b{layer}] = {table}")
    return lines


def _short(value: Any) -> str:
    """A fact on one line; the whole of it is in the JSON document."""
    if isinstance(value, dict):
        return ", ".join(f"{name.replace('_', ' ')} {_short(entry)}" for name, entry in value.items())
    if isinstance(value, list):
        if any(isinstance(entry, dict) for entry in value):
            return f"{len(value)}, the first: {_short(value[0])}"
        return f"({', '.join(map(_short, value))})"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _comma(architecture: tuple[int, ...]) -> str:
    return f"({', '.join(map(str, architecture))})"
