"""Options that several commands share, each group packed into one object."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

if TYPE_CHECKING:
    from exactfd.budget import Budget
    from exactfd.network import Network

F = TypeVar("F", bound=Callable[..., Any])

_POWER = re.compile(r"(\d{1,9})(?:\^|\*\*)([+-]?\d{1,4})", re.ASCII)
_SIZE = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)\s*([kmgt]?)(?:i?b)?", re.ASCII | re.IGNORECASE)
_SECONDS = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)\s*([smh]?)", re.ASCII | re.IGNORECASE)


# --------------------------------------------------------------------------- kinds of values


def _rational(text: str) -> Fraction:
    """``"3"``, ``"-7/16"``, ``"0.125"`` or ``"2^-20"``."""
    from exactfd import rationals

    match = _POWER.fullmatch(text.strip())
    if match is not None:
        base, exponent = int(match.group(1)), int(match.group(2))
        if base == 0 and exponent < 0:
            raise ValueError(f"0 has no power {exponent}")
        return Fraction(base) ** exponent
    return rationals.to_fraction(rationals.parse_rational(text))


def step(text: str) -> Fraction:
    """A positive rational."""
    try:
        value = _rational(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}; write it as 2^-20, 1/10000 or 0.001") from None
    if value <= 0:
        raise click.BadParameter(f"expected a positive number, found {value}")
    return value


def corner(text: str) -> tuple[Fraction, ...] | Fraction:
    """One rational for all coordinates, or one for each, separated by commas."""
    try:
        entries = tuple(_rational(entry) for entry in text.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{error}; write a corner as -1 or as -1,-1/2") from None
    return entries if len(entries) > 1 else entries[0]


def size(text: str) -> int:
    """Bytes: ``500M``, ``2G``, ``1.5GiB``; powers of 1024."""
    match = _SIZE.fullmatch(text.strip())
    if match is None or float(match.group(1)) == 0:
        raise click.BadParameter(f"expected a positive size such as 500M or 2G, found {text!r}")
    return int(Fraction(match.group(1)) * 1024 ** " kmgt".index(match.group(2).lower() or " "))


def seconds(text: str) -> float:
    """Seconds: ``30``, ``1.5``, ``5m``, ``2h``."""
    match = _SECONDS.fullmatch(text.strip())
    if match is None or float(match.group(1)) == 0:
        raise click.BadParameter(f"expected a positive time such as 30, 5m or 2h, found {text!r}")
    return float(match.group(1)) * {"": 1, "s": 1, "m": 60, "h": 3600}[match.group(2).lower()]


# --------------------------------------------------------------------------- debugging


def _remember_debug(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        ctx.meta["exactfd.debug"] = True


def debug_wanted(ctx: click.Context) -> bool:
    """Whether ``--debug`` was given anywhere on the command line."""
    return bool(ctx.meta.get("exactfd.debug"))


debug_option = click.option(
    "--debug",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_remember_debug,
    help="Show the traceback of an internal error.",
)


# --------------------------------------------------------------------------- groups of options


@dataclass(frozen=True)
class Source:
    """The network that a command is about, and how to read it."""

    net: str
    output_activation: Literal["identity", "relu"] | None
    round_to: Fraction | None

    def load(self) -> Network:
        """Read it. Raises ``InputError``."""
        return self.load_and_tell()[0]

    def load_and_tell(self) -> tuple[Network, bool]:
        """Read it; also whether its output activation is assumed, since nobody says it."""
        from exactfd import io

        return io.load_and_tell(self.net, output_activation=self.output_activation, round_to=self.round_to)

    @property
    def rounded_to(self) -> str | None:
        """What every result records."""
        return None if self.round_to is None else str(self.round_to)


_round_option = click.option(
    "--round",
    "round_to",
    type=step,
    metavar="STEP",
    help="Round every parameter to a multiple of STEP (2^-20, 1/10000). Default: every number exactly.",
)


def network_options(function: F) -> F:
    """``NET --output-activation --round``, passed on as ``source``."""

    @click.argument("net")
    @click.option(
        "--output-activation",
        type=click.Choice(["identity", "relu"]),
        help="Activation of the output layer, instead of what the file says.",
    )
    @_round_option
    @functools.wraps(function)
    def wrapped(*args: Any, net: str, output_activation: Any, round_to: Fraction | None, **others: Any) -> Any:
        return function(*args, source=Source(net, output_activation, round_to), **others)

    return wrapped  # type: ignore[return-value]  # click hands over keyword arguments only


def pair_options(function: F) -> F:
    """``A B --output-activation --round``, passed on as ``sources``, a pair."""

    @click.argument("first", metavar="A")
    @click.argument("second", metavar="B")
    @click.option(
        "--output-activation",
        type=click.Choice(["identity", "relu"]),
        multiple=True,
        help="Activation of the output layer, instead of what the files say; give it twice for A and B apart.",
    )
    @_round_option
    @functools.wraps(function)
    def wrapped(
        *args: Any, first: str, second: str, output_activation: Any, round_to: Fraction | None, **others: Any
    ) -> Any:
        if first == second == "-":
            raise click.UsageError("standard input holds one network; name a file for the other")
        if len(output_activation) > 2:
            raise click.UsageError("--output-activation is given once for both networks, or twice for A and B")
        activations = (*output_activation, *output_activation, None, None)[:2]
        pair = tuple(Source(net, said, round_to) for net, said in zip((first, second), activations, strict=True))
        return function(*args, sources=pair, **others)

    return wrapped  # type: ignore[return-value]  # as in network_options


def limit_options(function: F) -> F:
    """``--time-limit --memory-limit``, passed on as ``make_budget`` (the clock starts when called)."""

    @click.option("--time-limit", type=seconds, metavar="TIME", help="Give up after TIME (30, 5m, 2h).")
    @click.option("--memory-limit", type=size, metavar="SIZE", help="Give up beyond SIZE of memory (500M, 2G).")
    @functools.wraps(function)
    def wrapped(*args: Any, time_limit: float | None, memory_limit: int | None, **others: Any) -> Any:
        max_cells = others.pop("max_cells", None)

        def make_budget() -> Budget:
            from exactfd.budget import Budget

            return Budget(max_cells=max_cells, time_limit=time_limit, memory_limit=memory_limit)

        return function(*args, make_budget=make_budget, **others)

    return wrapped  # type: ignore[return-value]  # as in network_options


def budget_options(function: F) -> F:
    """``--max-cells --time-limit --memory-limit``, passed on as ``make_budget``."""
    return click.option(
        "--max-cells",
        type=click.IntRange(min=1),
        metavar="N",
        help="Give up beyond N cells: of every dimension in the whole complex, of top dimension in a splitting tree.",
    )(limit_options(function))


def processes_option(function: F) -> F:
    """``--processes N``, passed on as ``processes``."""
    return click.option(
        "--processes",
        type=click.IntRange(min=1),
        default=1,
        show_default=True,
        metavar="N",
        help="Share the search for cells, where it is long enough, among N processes; the answer is the same.",
    )(function)


@dataclass(frozen=True)
class Answer:
    """Where the answer goes and in which form."""

    json: bool
    output: str | None
    quiet: bool


def check_folder(path: str) -> None:
    """Refuse before the work, not after it, a file that cannot be written."""
    from exactfd.errors import InputError

    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    if path != "-" and (os.path.isdir(target) or not os.path.isdir(folder)):
        found = "a directory" if os.path.isdir(target) else f"no directory {folder}"
        raise InputError(f"{path}: expected the name of a file to write, found {found}")


def answer_options(function: F) -> F:
    """``--json -o -q --debug``, passed on as ``answer``."""

    @click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")
    @click.option("-o", "--output", metavar="FILE", help="Write the answer to FILE, atomically, instead of stdout (-).")
    @click.option("-q", "--quiet", is_flag=True, help="No progress and no warnings on stderr.")
    @debug_option
    @functools.wraps(function)
    def wrapped(*args: Any, as_json: bool, output: str | None, quiet: bool, **others: Any) -> Any:
        if output is not None:
            check_folder(output)
            certificate = others.get("certificate")
            if certificate is not None and os.path.realpath(output) == os.path.realpath(certificate):
                raise click.UsageError("-o and --certificate name the same file; give each its own")
        return function(*args, answer=Answer(as_json, output, quiet), **others)

    return wrapped  # type: ignore[return-value]  # as in network_options


def certificate_option(function: F) -> F:
    """``--certificate FILE``, passed on as ``certificate``; a folder that is not there is refused before the work."""

    def check(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
        if value == "-":
            raise click.BadParameter("standard output is for the answer; name a file (one called - is ./-)")
        if value is not None:
            check_folder(value)
        return value

    return click.option(
        "--certificate",
        metavar="FILE",
        callback=check,
        help="Also write a certificate that `exactfd verify` re-checks (.json or .json.gz).",
    )(function)


def box_option(function: F) -> F:
    """``--box LO HI``, as a pair that :func:`exactfd.geometry.box.parse_box` reads, or None."""
    return click.option(
        "--box",
        nargs=2,
        type=corner,
        metavar="LO HI",
        help="Stay in the closed box from LO to HI: one rational for all coordinates, or one each (-1,0 2,3/2).",
    )(function)
