"""The TOML file of a campaign: architectures x laws x measures, read and checked before anything runs.

Every error names the key, what was expected and what was found.
"""

from __future__ import annotations

import ast
import math
import operator
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

from exactfd.budget import Budget, BudgetInWorker
from exactfd.errors import InputError
from exactfd.experiments.samplers import Distribution, Law, sample
from exactfd.io.files import StrPath, located, read_bytes
from exactfd.network import Network, OutputActivation, checked_architecture

#: Kinds of measures; those with points need a batch.
KINDS = ("dimension", "batch", "gap", "floats", "mechanisms", "identifiability", "cells")
WITH_POINTS = ("batch", "gap", "floats")
#: Most points of a batch, networks of one architecture and law, and seconds of one measure.
MOST_POINTS, MOST_NETWORKS, MOST_SECONDS = 100_000, 10**9, 10**7

_KEYS = {
    "name": "campaign",
    "seed": 0,
    "count": None,
    "output_activation": "identity",
    "architectures": None,
    "laws": None,
    "measures": None,
    "limits": {},
}
_LIMITS = {"time": 60, "memory": "2G", "cells": 0}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}", re.ASCII)
_SIZE = re.compile(r"(\d{1,9})\s*([KMGT])", re.ASCII)
_OPERATORS: Mapping[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


@dataclass(frozen=True, slots=True)
class Formula:
    """A number of points in terms of ``D'``, ``D`` and ``n`` (the number of inputs), rounded up.

    >>> Formula("2D'").at((2, 5, 5, 1)), Formula("D + n/2").at((1, 2, 1))
    (82, 8)
    """

    text: str

    def at(self, architecture: tuple[int, ...]) -> int:
        """Its value at an architecture. Raises ``InputError``."""
        parameters = sum(n * (m + 1) for m, n in pairwise(architecture))
        names = {
            "D": Fraction(parameters),
            "Dp": Fraction(parameters - sum(architecture[1:-1])),
            "n": Fraction(architecture[0]),
        }
        code = re.sub(r"(?<=\d)\s*(?=[Dn(])", "*", self.text.strip().replace("D'", "Dp"))
        try:
            if len(code) > 100:
                raise ValueError
            value = math.ceil(_value(ast.parse(code, mode="eval").body, names))
        except (SyntaxError, ValueError, ZeroDivisionError, RecursionError, MemoryError):
            raise InputError(
                f"points: expected a formula of D', D, n and numbers with + - * / ( ), such as \"2*D'\", "
                f"found {self.text[:100]!r}"
            ) from None
        if not 1 <= value <= MOST_POINTS:
            raise InputError(
                f"points: expected between 1 and {MOST_POINTS} points, found {self.text} = {value} "
                f"at the architecture {list(architecture)}"
            )
        return value


def _value(node: ast.expr, names: Mapping[str, Fraction]) -> Fraction:
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_value(node.left, names), _value(node.right, names))
    if isinstance(node, ast.Name) and node.id in names:
        return names[node.id]
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return Fraction(str(node.value))
    raise ValueError


@dataclass(frozen=True, slots=True)
class Measure:
    """What is computed of every network.

    Attributes
    ----------
    name
        Its name in the store.
    kind
        One of :data:`KINDS`.
    points, inputs
        Size of the batch and law of its coordinates, for the kinds that have one.
    """

    name: str
    kind: str
    points: Formula | None = None
    inputs: Distribution | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        document: dict[str, Any] = {"measure": self.kind}
        if self.points is not None and self.inputs is not None:
            document |= {"points": self.points.text, "inputs": self.inputs.to_dict()}
        return document


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one measure of one network: seconds, bytes that the network adds to its worker, cells."""

    time: float
    memory: int
    cells: int | None

    def budget(self, before: int) -> Budget:
        """A budget whose clock starts now; ``before`` are the bytes that the process held before the network."""
        return BudgetInWorker(before=before, max_cells=self.cells, time_limit=self.time, memory_limit=self.memory)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {"time": self.time, "memory": self.memory, "cells": self.cells}


@dataclass(frozen=True)
class Specification:
    """A campaign, checked: the product of architectures (each with a number of networks), laws and measures."""

    name: str
    seed: int
    architectures: Mapping[tuple[int, ...], int]
    laws: Mapping[str, Law]
    measures: tuple[Measure, ...]
    limits: Limits
    output_activation: OutputActivation = "identity"

    @property
    def networks(self) -> int:
        """How many networks there are."""
        return len(self.laws) * sum(self.architectures.values())

    def groups(self) -> Iterator[tuple[tuple[int, ...], str, int]]:
        """Architecture, name of the law, number of networks, in the order of the file."""
        for architecture, count in self.architectures.items():
            for law in self.laws:
                yield architecture, law, count

    def network(self, architecture: Sequence[int], law: str, number: int) -> Network:
        """The network of a row, drawn again."""
        if law not in self.laws:
            raise InputError(f"law: expected one of {', '.join(self.laws)}, found {law!r}")
        return sample(
            architecture, self.laws[law], seed=self.seed, number=number, output_activation=self.output_activation
        )

    def to_dict(self) -> dict[str, Any]:
        """The canonical form, which a store keeps."""
        return {
            "name": self.name,
            "seed": self.seed,
            "output_activation": self.output_activation,
            "architectures": {text_of(sizes): count for sizes, count in self.architectures.items()},
            "laws": {name: law.to_dict() for name, law in self.laws.items()},
            "measures": {measure.name: measure.to_dict() for measure in self.measures},
            "limits": self.limits.to_dict(),
        }


def text_of(architecture: tuple[int, ...]) -> str:
    """``2,5,5,1``, the name of an architecture in a store."""
    return ",".join(map(str, architecture))


# --------------------------------------------------------------------------- reading


def read_specification(path: StrPath) -> Specification:
    """The specification in a TOML file. Raises ``InputError`` naming file, key, what was expected and found."""
    with located(path):
        try:
            document = tomllib.loads(read_bytes(path).decode())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InputError(f"expected a TOML file, found: {error}") from None
        return parse_specification(document)


def parse_specification(document: Mapping[str, Any]) -> Specification:
    """The specification of a TOML document.

    >>> spec = parse_specification({
    ...     "count": 2, "architectures": [[1, 2, 1]], "laws": {"he": {"weights": "he"}}, "measures": ["dimension"],
    ... })
    >>> spec.networks, spec.laws["he"].biases.kind
    (2, 'zero')
    """
    entries = _table(document, _KEYS, "")
    seed = _integer(entries["seed"], "seed", low=0, high=2**63 - 1)
    activation = entries["output_activation"]
    if activation not in ("identity", "relu"):
        raise InputError(f'output_activation: expected "identity" or "relu", found {activation!r}')
    architectures = _architectures(entries["architectures"], entries["count"])
    laws = _laws(entries["laws"])
    measures = _measures(entries["measures"], architectures)
    return Specification(
        _name(entries["name"], "name"), seed, architectures, laws, measures, _limits(entries["limits"]), activation
    )


def _table(value: Any, keys: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The table with its defaults. Raises ``InputError`` on an unknown key."""
    if not isinstance(value, Mapping):
        raise InputError(f"{where or 'specification'}: expected a table, found {_found(value)}")
    for key in value:
        if key not in keys:
            place = f"{where}.{key}" if where else key
            raise InputError(f"{place}: expected one of the keys {', '.join(keys)}, found {key!r}")
    return {**keys, **value}


def _found(value: Any) -> str:
    return "nothing" if value is None else repr(value)[:100]


def _integer(value: Any, where: str, *, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InputError(f"{where}: expected an integer from {low} to {high}, found {_found(value)}")
    return value


def _name(value: Any, where: str) -> str:
    if not isinstance(value, str) or _NAME.fullmatch(value) is None:
        raise InputError(f"{where}: expected a name of letters, digits and _.+-, found {_found(value)}")
    return value


def _list(value: Any, where: str, of: str) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise InputError(f"{where}: expected a list of {of}, found {_found(value)}")
    return value


def _architectures(value: Any, count: Any) -> dict[tuple[int, ...], int]:
    result: dict[tuple[int, ...], int] = {}
    for place, entry in enumerate(_list(value, "architectures", "architectures such as [[2, 5, 1]]")):
        where = f"architectures[{place}]"
        table = _table(entry, {"sizes": None, "count": count}, where) if isinstance(entry, dict) else {"sizes": entry}
        try:
            sizes = checked_architecture(table["sizes"] if isinstance(table["sizes"], list) else ())
        except InputError:
            raise InputError(
                f"{where}: expected at least two positive sizes such as [2, 5, 1], found {_found(table['sizes'])}"
            ) from None
        if sizes in result:
            raise InputError(f"{where}: expected each architecture once, found {list(sizes)} again")
        number = table.get("count", count)
        result[sizes] = _integer(number, "count" if number is count else f"{where}.count", low=1, high=MOST_NETWORKS)
    return result


def _laws(value: Any) -> dict[str, Law]:
    if not isinstance(value, dict) or not value:
        raise InputError(f"laws: expected tables such as [laws.he], found {_found(value)}")
    result = {}
    for name, entry in value.items():
        where = f"laws.{_name(name, 'laws')}"
        table = _table(entry, {"weights": None, "biases": "zero"}, where)
        parts = [distribution(table[part], f"{where}.{part}") for part in ("weights", "biases")]
        try:
            result[name] = Law(*parts)
        except InputError as error:
            raise InputError(f"{where}.{error}") from None
    return result


def distribution(value: Any, where: str) -> Distribution:
    """``"he"`` or ``{law = "integer", low = -2, high = 2}``. Raises ``InputError``."""
    table = {"law": value} if isinstance(value, str) else value
    if not isinstance(table, dict) or not isinstance(table.get("law"), str):
        raise InputError(
            f'{where}: expected the name of a law or a table such as {{law = "he"}}, found {_found(value)}'
        )
    try:
        return Distribution.of(table["law"], **{str(key): entry for key, entry in table.items() if key != "law"})
    except InputError as error:
        raise InputError(f"{where}.{error}") from None


def _measures(value: Any, architectures: Mapping[tuple[int, ...], int]) -> tuple[Measure, ...]:
    result: dict[str, Measure] = {}
    for place, entry in enumerate(_list(value, "measures", f"measures: {', '.join(KINDS)}")):
        where = f"measures[{place}]"
        given = {"measure": entry} if isinstance(entry, str) else entry
        table = _table(given, {"measure": None, "name": None, "points": "2*D'", "inputs": "normal"}, where)
        kind = table["measure"]
        if kind not in KINDS:
            raise InputError(f"{where}: expected one of {', '.join(KINDS)}, found {_found(kind)}")
        points, inputs = None, None
        if kind in WITH_POINTS:
            points, inputs = _batch(table, where, architectures)
        elif "points" in given or "inputs" in given:
            raise InputError(f"{where}: expected no points and no inputs for the measure {kind!r}, which has no batch")
        name = kind if table["name"] is None else _name(table["name"], f"{where}.name")
        if name in result:
            raise InputError(f"{where}: expected another name, found {name!r} again; give one with name = ...")
        result[name] = Measure(name, kind, points, inputs)
    return tuple(result.values())


def _batch(
    table: Mapping[str, Any], where: str, architectures: Mapping[tuple[int, ...], int]
) -> tuple[Formula, Distribution]:
    text = table["points"]
    if isinstance(text, bool) or not isinstance(text, (str, int)):
        raise InputError(f"{where}.points: expected a number or a formula of D', D and n, found {_found(text)}")
    formula, inputs = Formula(str(text)), distribution(table["inputs"], f"{where}.inputs")
    if inputs.kind in ("he", "xavier", "orthogonal", "zero"):
        raise InputError(f"{where}.inputs: expected normal, uniform, integer or rational, found {inputs.kind!r}")
    try:
        for architecture in architectures:
            formula.at(architecture)
    except InputError as error:
        raise InputError(f"{where}.{error}") from None
    return formula, inputs


def _limits(value: Any) -> Limits:
    table = _table(value, _LIMITS, "limits")
    time, memory = table["time"], table["memory"]
    if isinstance(time, bool) or not isinstance(time, (int, float)) or not 0 < time <= MOST_SECONDS:
        raise InputError(f"limits.time: expected a positive number of seconds, found {_found(time)}")
    match = _SIZE.fullmatch(memory) if isinstance(memory, str) else None
    if match is None or int(match.group(1)) == 0:
        raise InputError(f'limits.memory: expected a size such as "500M" or "2G", found {_found(memory)}')
    size = int(match.group(1)) * 1024 ** " KMGT".index(match.group(2))
    cells = _integer(table["cells"], "limits.cells", low=0, high=2**62)
    return Limits(float(time), size, cells or None)
