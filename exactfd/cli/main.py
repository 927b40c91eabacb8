"""The group of commands: finds them lazily and turns every way to end into an exit code."""

from __future__ import annotations

import sys
import traceback
from importlib import import_module
from typing import Any, NoReturn

import click

from exactfd import __version__
from exactfd.cli import exits
from exactfd.cli.options import debug_option, debug_wanted
from exactfd.cli.output import silence_stdout

#: Each is a module of this room with a click command named ``command``.
COMMANDS = (
    "info",
    "cells",
    "dim",
    "rank",
    "explain",
    "fiber",
    "equal",
    "identifiability",
    "search",
    "faces",
    "variety",
    "experiment",
    "verify",
    "plot",
)


class Commands(click.Group):
    """Commands that are imported when called for; no exception leaves :meth:`main` but ``SystemExit``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of a first reading."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, or None."""
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = import_module(f"exactfd.cli.{cmd_name}").command
        return found

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; errors become one line on stderr and an exit code."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except BrokenPipeError:  # here, because click would make it exit code 1, "answered and false"
            silence_stdout()
            return exits.BROKEN_PIPE
        except Exception as error:
            return _code_of(error, debug=debug_wanted(ctx))

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        """Run, and exit with the code that the contract names."""
        extra["standalone_mode"] = False
        try:
            code = super().main(*args, **extra)
        except click.ClickException as error:
            error.show()
            code = error.exit_code
        except (click.Abort, KeyboardInterrupt):
            code = exits.INTERRUPTED
        sys.exit(code if isinstance(code, int) else exits.ANSWERED)


def _code_of(error: Exception, *, debug: bool) -> int:
    from exactfd.errors import BudgetExceeded, EngineError, ExactFDError, InputError, MissingExtraError

    if isinstance(error, (InputError, MissingExtraError)):
        return _fail(exits.BAD_INPUT, str(error))
    if isinstance(error, BudgetExceeded):
        return _fail(exits.BUDGET, str(error))
    if isinstance(error, MemoryError):
        return _fail(exits.BUDGET, "the machine ran out of memory; try fewer cells (--max-cells) or --memory-limit")
    if type(error) in (ExactFDError, EngineError):  # the machine's fault, said in the message
        return _fail(exits.INTERNAL, str(error))
    if debug:
        traceback.print_exc()
        return exits.INTERNAL
    return _fail(
        exits.INTERNAL,
        f"this is a bug in exactfd, please report it ({type(error).__name__}: {error}); --debug shows where",
    )


def _fail(code: int, message: str) -> int:
    """One line on stderr, whatever the message holds."""
    line = " ".join(message.splitlines())
    click.echo(f"exactfd: error: {line}", err=True)
    return code


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="exactfd")
@debug_option
def commands() -> None:
    """Exact functional dimension, cells and ranks of ReLU networks with rational parameters.

    NET is a network file: .json, .npz, .pt, .safetensors or .onnx; "-" reads JSON from standard input.

    Exit codes: 0 answered, 1 answered and false (equal, verify), 2 usage, 3 malformed input, 4 a budget ran out (what
    was proved is still printed), 130 interrupted.
    """


def main() -> NoReturn:
    """Entry point of the command ``exactfd``."""
    try:
        commands.main(prog_name="exactfd")
    except KeyboardInterrupt:  # between the handlers
        sys.exit(exits.INTERRUPTED)
