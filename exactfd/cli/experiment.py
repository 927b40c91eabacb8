"""``exactfd experiment``: campaigns over many networks, each network once, resumable at any moment."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import click

from exactfd.cli import exits
from exactfd.cli.options import Answer, answer_options, debug_option
from exactfd.cli.output import aligned, write_answer
from exactfd.cli.watching import watching
from exactfd.errors import InputError

if TYPE_CHECKING:
    from exactfd.experiments import Cluster, Group, Summary


@click.group("experiment", short_help="Many random networks, measured exactly and kept.")
def command() -> None:
    """Measure many random networks exactly, and keep what was found.

    SPEC is a TOML file of architectures, laws and measures; STORE is one SQLite file.
    """


@command.command("run", short_help="Fill a store; goes on where it was left.")
@click.argument("spec")
@click.option("-o", "--output", "store", metavar="STORE", required=True, help="The store, made if it is not there.")
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Processes.  [default: all processors]")
@click.option(
    "--retries",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    metavar="N",
    help="Try a network again that killed its worker.",
)
@click.option(
    "--scheduler", metavar="ADDRESS", help='Dask: tcp://host:port, or "local" for a cluster on this machine.  [extra]'
)
@click.option(
    "--patience",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="Wait so long for a scheduler that went away, or for workers.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")
@click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")
@debug_option
def run(
    spec: str,
    store: str,
    workers: int | None,
    retries: int,
    scheduler: str | None,
    patience: float,
    as_json: bool,
    quiet: bool,
) -> int:
    """Measure the networks of SPEC that STORE does not hold yet.

    Run it again after any interruption, with the same SPEC or a larger one: nothing is done twice, nothing finished is
    lost. Ctrl-C lets the networks under way finish, a second one does not.
    """
    from exactfd.experiments import read_specification, run_campaign

    specification = read_specification(spec)
    if workers is not None and scheduler not in (None, "local"):
        raise click.UsageError("--workers is for processes of this machine; the scheduler knows its own")
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(_cluster(scheduler, workers, patience)) if scheduler is not None else None
        watch = stack.enter_context(watching(quiet=quiet))
        summary = run_campaign(specification, store, workers=workers, executor=cluster, retries=retries, watch=watch)
    document = {"store": store, **summary.to_dict()}
    write_answer(Answer(as_json, None, quiet), document, _run_lines(summary))
    for what in summary.given_up:
        click.echo(f"exactfd: warning: {what}", err=True)
    if summary.interrupted:
        where = [] if workers is None else ["--workers", str(workers)]
        where += [] if scheduler is None else ["--scheduler", scheduler]
        again = shlex.join(["exactfd", "experiment", "run", spec, "-o", store, *where])
        click.echo(f"exactfd: interrupted; what is finished is in the store; go on with: {again}", err=True)
        return exits.INTERRUPTED
    return exits.ANSWERED


@contextlib.contextmanager
def _cluster(address: str, workers: int | None, patience: float) -> Iterator[Cluster]:
    """A cluster that leaves stderr to the command, which says in one line what Dask logs in many."""
    import logging

    from exactfd.experiments import Cluster

    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with Cluster(address, count=workers, patience=patience) as cluster:
            yield cluster
    finally:
        logging.disable(before)


def _run_lines(summary: Summary) -> list[str]:
    rate = f" ({summary.done / summary.seconds:.3g} a second)" if summary.done and summary.seconds else ""
    left = summary.networks - summary.before - summary.done
    rows = [
        ("networks", str(summary.networks)),
        ("there before", str(summary.before)),
        ("done now", f"{summary.done} in {summary.seconds:.1f} s{rate}"),
        ("left", str(left)),
    ]
    if summary.bounds:
        rows.append(("bounds only", f"{summary.bounds} rows"))
    return aligned(rows)


@command.command("status", short_help="How far a store is.")
@click.argument("store")
@answer_options
def status(store: str, answer: Answer) -> int:
    """How far STORE is, also while it is being filled."""
    from exactfd.experiments import Store

    with Store(store) as opened:
        specification = _specification(opened)
        found = {(entry.architecture, entry.law): entry for entry in opened.counts(len(specification["measures"]))}
    groups = []
    for text, asked in specification["architectures"].items():
        for law in specification["laws"]:
            _, _, networks, rows, proved, seconds = found.get((text, law), (text, law, 0, 0, 0, 0.0))
            groups.append(
                {
                    "architecture": [int(size) for size in text.split(",")],
                    "law": law,
                    "asked": asked,
                    "networks": networks,
                    "rows": rows,
                    "proved": proved,
                    "seconds": round(seconds, 3),
                }
            )
    names = ("asked", "networks", "rows", "proved", "seconds")
    asked, networks, *others = (sum(group[name] for group in groups) for name in names)
    document = {
        "store": store,
        "measures": list(specification["measures"]),
        "networks": asked,
        "left": asked - networks,
        **dict(zip(names[2:4], others, strict=False)),
        "seconds": round(others[-1], 3),
        "groups": groups,
    }
    table = [
        [_sizes(group), group["law"], *(f"{group[a]} of {group[b]}" for a, b in (names[1::-1], names[3:1:-1]))]
        for group in groups
    ]
    write_answer(answer, document, _table([["architecture", "law", "networks", "rows proved"], *table]))
    return exits.ANSWERED


@command.command("report", short_help="Tables and figures of what a store holds.")
@click.argument("store")
@click.option("--html", "page", metavar="FILE", help="Write tables and figures as one page too (extra plot).")
@click.option("--figures", "folder", metavar="DIR", help="Write the figures as .svg and .png files too (extra plot).")
@answer_options
def report(store: str, page: str | None, folder: str | None, answer: Answer) -> int:
    """For each architecture and law: what is proved of how many networks.

    Only what is proved counts as yes or no; the rest is unknown.
    """
    from exactfd.experiments import Store, save_figures, save_page, tabulate

    with Store(store) as opened:
        specification = _specification(opened)
        groups = tabulate(opened)
        figures = [] if folder is None else save_figures(opened, folder)
        if page is not None:
            save_page(opened, page)
    document = {
        "store": store,
        "name": specification["name"],
        "seed": specification["seed"],
        "measures": specification["measures"],
        "groups": [group.to_dict() for group in groups],
        "page": page,
        "figures": figures,
    }
    lines = [line for group in groups for line in _group_lines(group)]
    lines += [f"{name}: written" for name in (*figures, *([page] if page else []))]
    write_answer(answer, document, lines)
    return exits.ANSWERED


@command.command("export", short_help="A store as one table.")
@click.argument("store")
@click.option("-o", "--output", "place", metavar="FILE", required=True, help="Where to: .csv, or .parquet (extra).")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a line.")
@debug_option
def export(store: str, place: str, as_json: bool) -> int:
    """Write STORE as one table, a line for every measure of every network."""
    from exactfd.experiments import Store, export_table

    with Store(store) as opened:
        rows = export_table(opened, place)
    document = {"store": store, "file": place, "rows": rows}
    write_answer(Answer(as_json, None, False), document, [f"{place}: {rows} rows"])
    return exits.ANSWERED


def _specification(store: Any) -> dict[str, Any]:
    found: dict[str, Any] | None = store.specification
    if found is None:
        raise InputError(f"{store.path}: expected a store with a campaign, found an empty one")
    return found


# --------------------------------------------------------------------------- in words


def _sizes(group: Any) -> str:
    return f"({', '.join(map(str, group['architecture']))})"


def _table(rows: list[list[str]]) -> list[str]:
    """Columns of text.

    >>> _table([["law", "networks"], ["integers", "3"]])
    ['law       networks', 'integers  3']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _group_lines(group: Group) -> list[str]:
    found = group.to_dict()
    rows = [("networks", f"{group.networks} of {group.asked}"), ("rows proved", _percent(group.proved, group.rows))]
    for measure in dict.fromkeys((*group.tallies, *group.distributions)):
        for question, tally in group.tallies.get(measure, {}).items():
            known = tally.yes + tally.no
            unknown = f"; {tally.unknown} unknown" if tally.unknown else ""
            rows.append((f"{measure}: {question.replace('_', ' ')}", _percent(tally.yes, known) + unknown))
        for what, values in group.distributions.get(measure, {}).items():
            if values:
                text = ", ".join(f"{value}: {count}" for value, count in sorted(values.items()))
                rows.append((f"{measure}: {what.replace('_', ' ')}", text))
        lost = [f"{name} {count}" for name, count in sorted(group.totals.get(measure, {}).items()) if count]
        if lost:
            text = ", ".join(lost)
            rows.append((f"{measure}: dimensions lost", text))
    return [f"{_sizes(found)} {group.law}", *(f"  {line}" for line in aligned(rows))]


def _percent(part: int, whole: int) -> str:
    if not whole:
        return "0 of 0"
    tenths = round(Fraction(1000 * part, whole))
    return f"{part} of {whole} ({tenths // 10}.{tenths % 10} %)"
