"""The TOML file of a campaign: architectures x laws x measures, read and checked before anything runs.

Every error names the key, what was expected and what was found.
"""

from __future__ import annotations

import ast
import math
import operator
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from exactfd.budget import Budget, BudgetInWorker
from exactfd.errors import InputError
from exactfd.experiments.data import Data, read_data
from exactfd.experiments.samplers import Distribution, Law, sample, stream
from exactfd.experiments.training import Checkpoint, Recipe, train
from exactfd.experiments.training_torch import require_torch
from exactfd.io.files import STDIN, StrPath, located, read_bytes
from exactfd.network import Network, OutputActivation, checked_architecture

#: Kinds of measures; those with points need a batch, those of training need it.
KINDS = (
    "dimension",
    "batch",
    "gap",
    "floats",
    "mechanisms",
    "identifiability",
    "cells",
    "facets",
    "inactive",
    "loss",
)
WITH_POINTS = ("batch", "gap", "floats")
OF_TRAINING = ("loss",)
#: The inputs of a batch that are those of the training.
DATA: Literal["data"] = "data"
#: Most points of a batch, networks of one architecture and law, seconds of one measure, and steps of a training.
MOST_POINTS, MOST_NETWORKS, MOST_SECONDS, MOST_STEPS = 100_000, 10**9, 10**7, 10**7

_KEYS = {
    "name": "campaign",
    "seed": 0,
    "count": None,
    "output_activation": "identity",
    "steps": None,
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
        Size of the batch and law of its coordinates, for the kinds that have one; all inputs of the training are
        ``"data"``, without a size.
    step
        Of the training, where networks are trained: ``name`` ends in ``@step`` then.
    """

    name: str
    kind: str
    points: Formula | None = None
    inputs: Distribution | Literal["data"] | None = None
    step: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        document: dict[str, Any] = {"measure": self.kind}
        if isinstance(self.inputs, Distribution):
            document |= {"points": self.points.text if self.points else None, "inputs": self.inputs.to_dict()}
        elif self.inputs is not None:
            document["inputs"] = self.inputs
        return document if self.step is None else {**document, "step": self.step}

    def at(self, step: int) -> Measure:
        """The same measure after so many steps of training."""
        return replace(self, name=f"{self.name}@{step}", step=step)


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
    """A campaign, checked: the product of architectures (each with a number of networks), laws and measures.

    Where networks are trained, each measure is there once for each step at which the training is looked at.
    """

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

    def network(self, architecture: Sequence[int], law: str, number: int, step: int | None = None) -> Network:
        """The network of a row, drawn again, and trained for so many steps.

        Raises ``InputError`` where there is no such law, no training, or no network any more after that many steps.
        """
        if law not in self.laws:
            raise InputError(f"law: expected one of {', '.join(self.laws)}, found {law!r}")
        drawn = sample(
            architecture, self.laws[law], seed=self.seed, number=number, output_activation=self.output_activation
        )
        if step is None:
            return drawn
        (found,) = checkpoints(drawn, self.laws[law], [step], seed=self.seed, number=number)
        if found.network is None:
            raise InputError(f"step: expected a step before the training diverges, found {step}")
        return found.network

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


def checkpoints(
    drawn: Network, law: Law, steps: Sequence[int], *, seed: int, number: int, time_limit: float | None = None
) -> Iterator[Checkpoint]:
    """The training of network ``number``; minibatches depend on what the network depends on."""
    if law.training is None:
        raise InputError("step: expected a law with a training, found one without")
    rng = stream("minibatches", seed, number, drawn.architecture, law.draws())
    return train(drawn, law.training, steps, rng=rng, time_limit=time_limit)


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
        return parse_specification(document, folder="." if path == STDIN else Path(path).parent)


def parse_specification(document: Mapping[str, Any], *, folder: StrPath = ".") -> Specification:
    """The specification of a TOML document; files of data are looked for in ``folder``.

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
    laws = _laws(entries["laws"], folder)
    steps = _steps(entries["steps"], laws)
    for name, law in laws.items():
        if law.training is not None:
            _check_training(law.training, f"laws.{name}.training", architectures)
    measures = _measures(entries["measures"], architectures, steps)
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


def _laws(value: Any, folder: StrPath) -> dict[str, Law]:
    if not isinstance(value, dict) or not value:
        raise InputError(f"laws: expected tables such as [laws.he], found {_found(value)}")
    result = {}
    for name, entry in value.items():
        where = f"laws.{_name(name, 'laws')}"
        table = _table(entry, {"weights": None, "biases": "zero", "training": None}, where)
        weights, biases = (distribution(table[part], f"{where}.{part}") for part in ("weights", "biases"))
        training = None if table["training"] is None else _recipe(table["training"], f"{where}.training", folder)
        try:
            result[name] = Law(weights, biases, training)
        except InputError as error:
            raise InputError(f"{where}.{error}") from None
    return result


def _recipe(value: Any, where: str, folder: StrPath) -> Recipe:
    table = _table(value, {field.name: None for field in fields(Recipe)}, where)
    given = {key: entry for key, entry in table.items() if entry is not None}
    if not isinstance(given.get("data"), str):
        raise InputError(f"{where}.data: expected the name of a CSV file, found {_found(given.get('data'))}")
    try:
        data: Data = read_data(Path(folder) / given.pop("data"))
    except InputError as error:
        raise InputError(f"{where}.data: {error}") from None
    try:
        recipe = Recipe(data, **given)
    except InputError as error:
        raise InputError(f"{where}.{error}") from None
    if recipe.engine == "torch":
        require_torch()  # before the work, not in every worker
    return recipe


def _steps(value: Any, laws: Mapping[str, Law]) -> tuple[int, ...]:
    """The steps at which a training is looked at; none where nothing is trained."""
    without = [name for name, law in laws.items() if law.training is None]
    if value is None:
        if len(without) < len(laws):
            raise InputError("steps: expected numbers of steps such as [0, 10, 100], since laws have a training")
        return ()
    if without:
        raise InputError(f"laws.{without[0]}.training: expected a training in every law, since there are steps")
    steps = [_integer(step, "steps", low=0, high=MOST_STEPS) for step in _list(value, "steps", "numbers of steps")]
    if len(set(steps)) < len(steps):
        raise InputError(f"steps: expected each number once, found {_found(value)}")
    return tuple(steps)


def _check_training(recipe: Recipe, where: str, architectures: Iterable[tuple[int, ...]]) -> None:
    for architecture in architectures:
        try:
            recipe.check_architecture(architecture)
        except InputError as error:
            raise InputError(f"{where}: {error}") from None


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


def _measures(value: Any, architectures: Mapping[tuple[int, ...], int], steps: tuple[int, ...]) -> tuple[Measure, ...]:
    result: dict[str, Measure] = {}
    for place, entry in enumerate(_list(value, "measures", f"measures: {', '.join(KINDS)}")):
        where = f"measures[{place}]"
        given = {"measure": entry} if isinstance(entry, str) else entry
        table = _table(given, {"measure": None, "name": None, "points": "2*D'", "inputs": "normal"}, where)
        kind = table["measure"]
        if kind not in KINDS:
            raise InputError(f"{where}: expected one of {', '.join(KINDS)}, found {_found(kind)}")
        if kind in OF_TRAINING and not steps:
            raise InputError(f"{where}: expected laws with a training for the measure {kind!r}, found none")
        points: Formula | None = None
        inputs: Distribution | Literal["data"] | None = None
        if kind in WITH_POINTS and table["inputs"] == DATA:
            if "points" in given or not steps:
                found = "points" if "points" in given else "no training"
                raise InputError(f'{where}.inputs: expected a training and no points with "data", found {found}')
            inputs = DATA
        elif kind in WITH_POINTS:
            points, inputs = _batch(table, where, architectures)
        elif "points" in given or "inputs" in given:
            raise InputError(f"{where}: expected no points and no inputs for the measure {kind!r}, which has no batch")
        name = kind if table["name"] is None else _name(table["name"], f"{where}.name")
        if name in result:
            raise InputError(f"{where}: expected another name, found {name!r} again; give one with name = ...")
        result[name] = Measure(name, kind, points, inputs)
    if not steps:
        return tuple(result.values())
    return tuple(measure.at(step) for measure in result.values() for step in steps)


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
