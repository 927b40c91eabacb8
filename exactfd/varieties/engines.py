"""Groebner tasks through an external engine, Singular or Macaulay2, where one is installed; none are done here.

An engine is looked for on the search path (``Singular``, ``M2``), then in the packages of the extra ``algebra``. What
it says is believed as far as it has the expected form: results that rest on it name it. Polynomials are sent expanded.
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from exactfd.budget import Budget
from exactfd.errors import BudgetExceeded, EngineError, InputError, MissingExtraError
from exactfd.varieties.polynomials import Polynomial

Name = Literal["Singular", "Macaulay2"]

_PROGRAMS: dict[Name, str] = {"Singular": "Singular", "Macaulay2": "M2"}
_OLDEST: dict[Name, tuple[int, ...]] = {"Singular": (4, 0), "Macaulay2": (1, 15)}
MARK = "exactfd-answer"
_VERSION = re.compile(r"\b(\d+(?:\.\d+)+)\b")
_TIME_LIMIT = 600.0
_LONGEST = 1e6  # seconds of silence, whatever the limit
_MOST_OUTPUT = 16 << 20  # bytes that an engine may print
_TAIL = 200  # characters of an engine's output in an error message


@dataclass(frozen=True)
class Engine:
    """An engine that was found and said which version it is."""

    name: Name
    path: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True)
class IdealReport:
    """What an engine says of the ideal of some polynomials over Q.

    Attributes
    ----------
    dimension, degree
        Of the variety of the polynomials (affine dimension of the cone; degree of the part of top dimension, with
        multiplicity).
    components
        Number of minimal primes over Q; None if it was not asked for.
    prime
        Whether the ideal is prime over Q; None if it was not asked for.
    engine
        Which one said so.
    """

    dimension: int
    degree: int
    components: int | None
    prime: bool | None
    engine: Engine

    def to_dict(self) -> dict[str, Any]:
        """The numbers and the engine."""
        return {
            "dimension": self.dimension,
            "degree": self.degree,
            "components": self.components,
            "prime": self.prime,
            "engine": str(self.engine),
        }


def find_engine(name: str | None = None) -> Engine:
    """The engine of a name (``"Singular"``, ``"Macaulay2"``, or a path to one of them), or the first there is.

    Raises
    ------
    MissingExtraError
        Where there is none; the message says how to get one.
    EngineError
        Where it does not start, does not say its version, or is too old.
    InputError
        For another name.
    """
    if name is None:
        for known in _PROGRAMS:
            path = _locate(known)
            if path is not None:
                return _started(known, path)
        raise MissingExtraError(
            "passagemath-singular", "algebra", "a Groebner basis (no Singular or M2 is on the path)"
        )
    for known, program in _PROGRAMS.items():
        if name.lower() in (known.lower(), program.lower()):
            path = _locate(known)
            if path is None:
                package = f"passagemath-{known.lower()}"
                command = None if known == "Singular" else f"pip install --no-deps {package}"  # not in the extra
                raise MissingExtraError(package, "algebra", f"the engine {known}", command)
            return _started(known, path)
        if os.sep in name and os.path.basename(name) == program:
            return _started(known, name)
    raise InputError(f"engine: expected Singular, Macaulay2 or a path to Singular or M2, found {name!r}")


def _locate(name: Name) -> str | None:
    path = shutil.which(_PROGRAMS[name])
    if path is not None:
        return path
    spec = find_spec("sage_wheels")
    for folder in spec.submodule_search_locations or [] if spec is not None else []:
        candidate = Path(folder) / "bin" / _PROGRAMS[name]
        if os.access(candidate, os.X_OK):
            return str(candidate)
    return None


def _started(name: Name, path: str) -> Engine:
    output = _run([path, "--version"], "", 60.0, name)
    match = _VERSION.search(output)
    if match is None:
        raise EngineError(f"{name} ({path}): expected a version, found {shortened(output)}")
    if tuple(map(int, match.group(1).split("."))) < _OLDEST[name]:
        oldest = ".".join(map(str, _OLDEST[name]))
        raise EngineError(f"{name} ({path}): expected version {oldest} or newer, found {match.group(1)}")
    return Engine(name, path, match.group(1))


def ideal_report(
    polynomials: Sequence[Polynomial],
    coordinates: int,
    *,
    primality: bool = False,
    engine: Engine | None = None,
    time_limit: float | None = None,
    budget: Budget | None = None,
) -> IdealReport:
    """Dimension and degree of the variety of some polynomials over Q, and on request whether they generate a prime
    ideal, by an engine.

    Raises ``EngineError`` when the engine dies or answers nonsense, ``BudgetExceeded`` when it takes longer than
    ``time_limit`` seconds (600 by default, less where the budget has less left), ``MissingExtraError`` without one.
    """
    engine = engine or find_engine()
    names = [f"x{number}" for number in range(max(coordinates, 1))]
    ideal = ",".join(polynomial.text(names).replace(" ", "") for polynomial in polynomials)
    script = (_singular if engine.name == "Singular" else _macaulay2)(names, ideal, primality)
    answer = _ask(
        engine,
        script,
        ["dimension", "degree", *(["components", "prime"] if primality else [])],
        seconds_for(time_limit, budget),
    )
    dimension = answer["dimension"] - (1 if coordinates == 0 else 0)
    if not 0 <= dimension <= coordinates or answer["degree"] < 1 or answer.get("prime", 0) not in (0, 1):
        raise EngineError(f"{engine}: expected a dimension up to {coordinates} and a degree, found {answer}")
    if primality and (answer["components"] < 1 or (answer["prime"] and answer["components"] != 1)):
        raise EngineError(f"{engine}: expected one component for a prime ideal and no fewer for others, found {answer}")
    return IdealReport(
        dimension,
        answer["degree"],
        answer.get("components"),
        bool(answer["prime"]) if primality else None,
        engine,
    )


def seconds_for(time_limit: float | None, budget: Budget | None) -> float:
    """How long an engine may take: 600 s unless something else is asked for, and no longer than a budget lasts."""
    seconds = _TIME_LIMIT if time_limit is None else time_limit
    if not seconds > 0:
        raise InputError(f"time_limit: expected a positive number of seconds, found {time_limit}")
    if budget is not None and budget.time_limit is not None:
        seconds = min(seconds, max(budget.time_limit - budget.seconds, 0.001))
    return seconds


def _singular(names: Sequence[str], ideal: str, primality: bool) -> str:
    lines = [
        f"ring r=0,({','.join(names)}),dp;",
        f"ideal i={ideal or '0'};",
        "ideal s=std(i);",
        f'print("{MARK} dimension "+string(dim(s)));',
        f'print("{MARK} degree "+string(mult(s)));',
    ]
    if primality:
        lines += [
            'LIB "primdec.lib";',
            "list l=minAssGTZ(i);",
            "int p=0;",
            "if(size(l)==1){p=(size(reduce(l[1],s))==0);}",
            f'print("{MARK} components "+string(size(l)));',
            f'print("{MARK} prime "+string(p));',
        ]
    return "\n".join([*lines, "quit;", ""])


def _macaulay2(names: Sequence[str], ideal: str, primality: bool) -> str:
    lines = [
        f"r=QQ[{','.join(names)}];",
        f"i=ideal({ideal or '0_r'});",
        f'print("{MARK} dimension "|toString(dim i));',
        f'print("{MARK} degree "|toString(degree i));',
    ]
    if primality:
        lines += [
            "l=minimalPrimes i;",
            f'print("{MARK} components "|toString(#l));',
            f'print("{MARK} prime "|toString(if #l==1 and l#0==i then 1 else 0));',
        ]
    return "\n".join([*lines, "exit 0", ""])


def _ask(engine: Engine, script: str, keys: Sequence[str], seconds: float) -> dict[str, int]:
    """Integers that a script prints behind a mark; anything else is an error."""
    output = run_script(engine, script, seconds)
    found: dict[str, int] = {}
    for line in output.splitlines():
        words = line.split()
        if words[:1] == [MARK] and len(words) == 3 and re.fullmatch(r"-?\d{1,18}", words[2], re.ASCII):
            if words[1] in found:
                raise EngineError(f"{engine}: expected one answer for {words[1]}, found {shortened(output)}")
            found[words[1]] = int(words[2])
    if sorted(found) != sorted(keys):
        raise EngineError(f"{engine}: expected {', '.join(keys)}, found {shortened(output)}")
    return found


def run_script(engine: Engine, script: str, seconds: float) -> str:
    """What a script prints. Raises ``EngineError`` when it fails, ``BudgetExceeded`` when it takes longer."""
    with tempfile.TemporaryDirectory(prefix="exactfd-") as folder:
        file = Path(folder) / "script"
        file.write_text(script, encoding="ascii")
        arguments = ["-q", str(file)] if engine.name == "Singular" else ["--script", str(file)]
        return _run([engine.path, *arguments], folder, seconds, str(engine))


def _run(command: Sequence[str], folder: str, seconds: float, what: str) -> str:
    """Output of a program in a process group of its own, which is ended as a whole when it takes too long."""
    try:
        process = subprocess.Popen(
            command,
            cwd=folder or None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise EngineError(f"{what}: {command[0]} does not start: {error.strerror or error}") from None
    try:
        output = _read(process, seconds)
    except BaseException as error:  # also when the user interrupts
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            raise BudgetExceeded(f"{what}: no answer within {seconds:g} s; it was stopped") from None
        if isinstance(error, _TooLong):
            raise EngineError(f"{what}: printed more than {_MOST_OUTPUT >> 20} MiB; it was stopped") from None
        raise
    finally:
        process.stdout.close()  # type: ignore[union-attr]  # it is a pipe
    text = output.decode("utf-8", errors="replace")
    if process.returncode != 0:
        how = f"signal {-process.returncode}" if process.returncode < 0 else f"exit code {process.returncode}"
        raise EngineError(f"{what}: ended with {how}, saying {shortened(text)}")
    return text


class _TooLong(Exception):
    """A program printed more than any answer is long."""


def _read(process: subprocess.Popen[bytes], seconds: float) -> bytes:
    """All that a process prints until it ends, but no more than is kept. Raises ``TimeoutExpired``, ``_TooLong``."""
    deadline = time.monotonic() + seconds
    parts, size = [], 0
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)  # type: ignore[arg-type]  # it is a pipe
        while True:
            if not selector.select(min(max(deadline - time.monotonic(), 0), _LONGEST)):
                raise subprocess.TimeoutExpired(process.args, seconds)
            part = os.read(process.stdout.fileno(), 1 << 16)  # type: ignore[union-attr]  # it is a pipe
            if not part:
                break
            parts.append(part)
            size += len(part)
            if size > _MOST_OUTPUT:
                raise _TooLong
    process.wait(timeout=min(max(deadline - time.monotonic(), 0), _LONGEST))
    return b"".join(parts)


def shortened(text: str) -> str:
    """The end of an engine's output, for a message."""
    text = " ".join(text.split())
    return repr(text if len(text) <= _TAIL else f"...{text[-_TAIL:]}") if text else "nothing"
