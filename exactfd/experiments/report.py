"""Tables of a campaign: for each architecture and law, what is known of how many networks.

Only what is proved counts as a yes or a no; the rest is counted as unknown. Nothing is estimated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import Any

from exactfd.experiments.specification import KINDS
from exactfd.experiments.store import Store


@dataclass
class Tally:
    """Networks for which something holds, does not hold, or is not known."""

    yes: int = 0
    no: int = 0
    unknown: int = 0

    def count(self, answer: bool | None) -> None:
        """One more."""
        if answer is None:
            self.unknown += 1
        elif answer:
            self.yes += 1
        else:
            self.no += 1

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {"yes": self.yes, "no": self.no, "unknown": self.unknown}


@dataclass
class Group:
    """The networks of one architecture and one law.

    Attributes
    ----------
    asked, networks
        How many the specification asks for, and how many have all their measures.
    rows, proved, seconds
        Rows, how many of them are ``proved``, and the time they took.
    tallies
        By measure, then by question.
    distributions
        By measure, then by what is distributed: value -> number of networks, only proved values.
    totals
        By measure, then by name: sums over networks.
    """

    architecture: tuple[int, ...]
    law: str
    asked: int
    networks: int = 0
    rows: int = 0
    proved: int = 0
    seconds: float = 0.0
    tallies: dict[str, dict[str, Tally]] = field(default_factory=dict)
    distributions: dict[str, dict[str, Counter[int]]] = field(default_factory=dict)
    totals: dict[str, Counter[str]] = field(default_factory=dict)

    def ask(self, measure: str, question: str, answer: bool | None) -> None:
        """Count an answer."""
        self.tallies.setdefault(measure, {}).setdefault(question, Tally()).count(answer)

    def note(self, measure: str, what: str, value: int | None) -> None:
        """Count a value, where it is known."""
        values = self.distributions.setdefault(measure, {}).setdefault(what, Counter())
        if value is not None:
            values[value] += 1

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values; the distributions by size."""
        return {
            "architecture": list(self.architecture),
            "law": self.law,
            "asked": self.asked,
            "networks": self.networks,
            "rows": self.rows,
            "proved": self.proved,
            "seconds": round(self.seconds, 3),
            "questions": {
                measure: {question: tally.to_dict() for question, tally in tallies.items()}
                for measure, tallies in self.tallies.items()
            },
            "distributions": {
                measure: {what: {str(k): n for k, n in sorted(values.items())} for what, values in found.items()}
                for measure, found in self.distributions.items()
            },
            "totals": {measure: dict(sorted(values.items())) for measure, values in self.totals.items()},
        }


def tabulate(store: Store) -> list[Group]:
    """A group for each architecture and law of the store's specification, in its order."""
    specification: Mapping[str, Any] = store.specification or {"architectures": {}, "laws": {}, "measures": {}}
    kinds = {name: entry["measure"] for name, entry in specification["measures"].items()}
    order = sorted(kinds, key=lambda name: KINDS.index(kinds[name]))
    groups = {
        (text, law): Group(tuple(map(int, text.split(","))), law, asked)
        for text, asked in specification["architectures"].items()
        for law in specification["laws"]
    }
    for (text, law, _), found in groupby(store.rows(), key=lambda row: (row.architecture, row.law, row.number)):
        rows = {row.measure: row for row in found}
        group = groups[text, law]
        group.networks += len(rows) == len(kinds)
        group.rows += len(rows)
        group.proved += sum(row.status == "proved" for row in rows.values())
        group.seconds += sum(row.seconds for row in rows.values())
        documents = {name: rows[name].document for name in order if name in rows}
        exact = next((document for name, document in documents.items() if kinds[name] == "dimension"), {})
        for name, document in documents.items():
            _COUNT[kinds[name]](group, name, document, exact)
    return list(groups.values())


def _bound_of(group: Group) -> int:
    sizes = group.architecture
    return sum(m * n for m, n in pairwise(sizes)) + sizes[-1]


def _attains(document: Mapping[str, Any], bound: int) -> bool | None:
    """Whether a rank between two bounds is the largest possible."""
    if document.get("lower_bound") == bound:
        return True
    return False if document.get("upper_bound", bound) < bound else None


def _dimension(group: Group, name: str, document: dict[str, Any], exact: Mapping[str, Any]) -> None:
    group.ask(name, "attains_upper_bound", _attains(document, _bound_of(group)))
    group.note(name, "deficit", document.get("deficit"))


def _batch(group: Group, name: str, document: dict[str, Any], exact: Mapping[str, Any]) -> None:
    group.ask(name, "attains_upper_bound", _attains(document, _bound_of(group)))
    below: bool | None = None
    if "upper_bound" in document and "upper_bound" in exact:
        if document["upper_bound"] < exact["lower_bound"]:
            below = True
        elif document["lower_bound"] >= exact["upper_bound"]:
            below = False
    if exact:
        group.ask(name, "below_functional_dimension", below)
    rank = document.get("rank")
    group.note(name, "deficit", None if rank is None else _bound_of(group) - rank)


def _gap(group: Group, name: str, document: dict[str, Any], exact: Mapping[str, Any]) -> None:
    below: bool | None = None
    if "upper_bound" in document:
        below = True if document["upper_bound"] < 0 else False if document["lower_bound"] == 0 else None
    group.ask(name, "below_functional_dimension", below)
    group.note(name, "batch_minus_exact", document.get("batch_minus_exact"))


def _floats(group: Group, name: str, document: dict[str, Any], exact: Mapping[str, Any]) -> None:
    for kind in ("float64", "float32"):
        group.ask(name, f"{kind}_wrong", document.get(f"{kind}_wrong"))


def _mechanisms(group: Group, name: str, document: dict[str, Any], exact: Mapping[str, Any]) -> None:
    totals = group.totals.setdefault(name, Counter())
    totals.update(document.get("mechanisms", {}))
    totals["unexplained"] += document.get("unexplained") or 0
    left = document.get("unexplained")
    group.ask(name, "explained", None if left is None else left == 0)


def _identifiability(group: Group, name: str, document: dict[str, Any], exact: Mapping[str, Any]) -> None:
    for question in ("tpic", "lra", "no_hidden_symmetries"):
        group.ask(name, question, document.get(question))


def _cells(group: Group, name: str, document: dict[str, Any], exact: Mapping[str, Any]) -> None:
    group.ask(name, "supertransversal", document.get("supertransversal"))
    group.note(name, "top_cells", document.get("top_cells"))


_COUNT = {
    "dimension": _dimension,
    "batch": _batch,
    "gap": _gap,
    "floats": _floats,
    "mechanisms": _mechanisms,
    "identifiability": _identifiability,
    "cells": _cells,
}
