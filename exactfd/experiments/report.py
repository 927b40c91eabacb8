"""Tables of a campaign: for each architecture and law, what is known of how many networks.

Only what is proved counts as a yes or a no; the rest is counted as unknown. Nothing is estimated.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any

from exactfd.experiments.specification import KINDS
from exactfd.experiments.store import Store

_MOST = 100_000  # documents that are held at a time


@dataclass
class Tally:
    """Networks for which something holds, does not hold, or is not known."""

    yes: int = 0
    no: int = 0
    unknown: int = 0

    def count(self, answer: bool | None, networks: int = 1) -> None:
        """So many more."""
        if answer is None:
            self.unknown += networks
        elif answer:
            self.yes += networks
        else:
            self.no += networks

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
        By measure, then by what is distributed: value -> number of networks (of polytopes, for their facets), only
        proved values.
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

    def ask(self, measure: str, question: str, answer: bool | None, networks: int = 1) -> None:
        """Count an answer."""
        self.tallies.setdefault(measure, {}).setdefault(question, Tally()).count(answer, networks)

    def note(self, measure: str, what: str, value: int | None, networks: int = 1) -> None:
        """Count a value, where it is known."""
        values = self.distributions.setdefault(measure, {}).setdefault(what, Counter())
        if value is not None:
            values[value] += networks

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
    steps = {name: entry.get("step") for name, entry in specification["measures"].items()}
    groups = {
        (text, law): Group(tuple(map(int, text.split(","))), law, asked)
        for text, asked in specification["architectures"].items()
        for law in specification["laws"]
    }
    for text, law, networks, rows, proved, seconds in store.counts(len(kinds)):
        group = groups[text, law]
        group.networks, group.rows, group.proved, group.seconds = networks, rows, proved, seconds
    for text, law, name, value, bounds, networks in _alike(store, kinds, steps):
        _COUNT[kinds[name]](groups[text, law], name, json.loads(value), bounds, networks)
    order = sorted(kinds, key=lambda name: KINDS.index(kinds[name]))
    for group in groups.values():
        group.tallies = {name: group.tallies[name] for name in order if name in group.tallies}
        group.distributions = {name: group.distributions[name] for name in order if name in group.distributions}
        group.totals = {name: group.totals[name] for name in order if name in group.totals}
    return list(groups.values())


_Bounds = tuple[int, ...] | None  # two on the functional dimension, none when it came to no end; None: not measured
_BESIDE_THE_DIMENSION = ("batch", "identifiability")  # measures that are compared with it
_Alike = tuple[str, str, str, str, _Bounds, int]


def _alike(store: Store, kinds: Mapping[str, str], steps: Mapping[str, Any]) -> Iterator[_Alike]:
    """Architecture, law, measure, value, bounds on the functional dimension beside it (after as many steps of a
    training), number of such networks.

    Most networks of a campaign look like others. The same may come again, so that memory stays bounded.
    """
    exact_names = {steps[name]: name for name, kind in kinds.items() if kind == "dimension"}
    beside = {name: exact_names.get(steps[name]) for name, kind in kinds.items() if kind in _BESIDE_THE_DIMENSION}
    bounds_of: dict[str, _Bounds] = {}
    for (text, law), of_group in groupby(store.values(), key=itemgetter(0, 1)):
        networks: dict[tuple[str, str, _Bounds], int] = {}
        for _, found in groupby(of_group, key=itemgetter(2)):
            values = {name: value for _, _, _, name, value in found}
            for name, value in values.items():
                exact = values.get(beside.get(name) or "")
                if exact is not None and exact not in bounds_of:
                    bounds_of = {} if len(bounds_of) > _MOST else bounds_of
                    bounds_of[exact] = _bounds(json.loads(exact))
                key = name, value, None if exact is None else bounds_of[exact]
                networks[key] = networks.get(key, 0) + 1
            if len(networks) > _MOST:
                yield from ((text, law, *key, count) for key, count in networks.items())
                networks.clear()
        yield from ((text, law, *key, count) for key, count in networks.items())


def _bounds(document: Mapping[str, Any]) -> _Bounds:
    return (document["lower_bound"], document["upper_bound"]) if "upper_bound" in document else ()


def bound_of(sizes: Sequence[int]) -> int:
    """``D'`` of an architecture.

    >>> bound_of((2, 3, 1))
    10
    """
    return sum(m * n for m, n in pairwise(sizes)) + sizes[-1]


def _attains(document: Mapping[str, Any], bound: int) -> bool | None:
    """Whether a rank between two bounds is the largest possible."""
    if document.get("lower_bound") == bound:
        return True
    return False if document.get("upper_bound", bound) < bound else None


def share_of_neurons(group: Group, measure: str, *, layer: int) -> tuple[float, float] | None:
    """The share of the neurons of a ReLU layer that are never active, and its standard error over the networks.

    None where it was not measured. Neurons of one network are not independent, networks are.
    """
    counts = group.distributions.get(measure, {}).get(f"never_active_in_layer_{layer}")
    total = 0 if counts is None else sum(counts.values())
    if counts is None or not total:
        return None
    shares = {count / group.architecture[layer]: networks for count, networks in counts.items()}
    mean = sum(share * networks for share, networks in shares.items()) / total
    variance = sum((share - mean) ** 2 * networks for share, networks in shares.items()) / max(total - 1, 1)
    return mean, math.sqrt(variance / total)


def _dimension(group: Group, name: str, document: dict[str, Any], exact: _Bounds, networks: int) -> None:
    group.ask(name, "attains_upper_bound", _attains(document, bound_of(group.architecture)), networks)
    group.note(name, "deficit", document.get("deficit"), networks)


def _batch(group: Group, name: str, document: dict[str, Any], exact: _Bounds, networks: int) -> None:
    group.ask(name, "attains_upper_bound", _attains(document, bound_of(group.architecture)), networks)
    below: bool | None = None
    if "upper_bound" in document and exact:
        if document["upper_bound"] < exact[0]:
            below = True
        elif document["lower_bound"] >= exact[1]:
            below = False
    if exact is not None:
        group.ask(name, "below_functional_dimension", below, networks)
    rank = document.get("rank")
    group.note(name, "deficit", None if rank is None else bound_of(group.architecture) - rank, networks)


def _gap(group: Group, name: str, document: dict[str, Any], exact: _Bounds, networks: int) -> None:
    below: bool | None = None
    if "upper_bound" in document:
        below = True if document["upper_bound"] < 0 else False if document["lower_bound"] == 0 else None
    group.ask(name, "below_functional_dimension", below, networks)
    group.note(name, "batch_minus_exact", document.get("batch_minus_exact"), networks)


def _floats(group: Group, name: str, document: dict[str, Any], exact: _Bounds, networks: int) -> None:
    for kind in ("float64", "float32"):
        group.ask(name, f"{kind}_wrong", document.get(f"{kind}_wrong"), networks)


def _mechanisms(group: Group, name: str, document: dict[str, Any], exact: _Bounds, networks: int) -> None:
    totals = group.totals.setdefault(name, Counter())
    for kind, dimension in document.get("mechanisms", {}).items():
        totals[kind] += networks * dimension
    left = document.get("unexplained")
    totals["unexplained"] += networks * (left or 0)
    group.ask(name, "explained", None if left is None else left == 0, networks)


def _identifiability(group: Group, name: str, document: dict[str, Any], exact: _Bounds, networks: int) -> None:
    for question in ("tpic", "lra", "no_hidden_symmetries"):
        group.ask(name, question, document.get(question), networks)
    if exact and document.get("tpic") is not None:
        where = "where_tpic" if document["tpic"] else "where_not_tpic"
        attains = _attains(dict(zip(("lower_bound", "upper_bound"), exact, strict=True)), bound_of(group.architecture))
        group.ask(name, f"dimension_attains_upper_bound_{where}", attains, networks)


def _cells(group: Group, name: str, document: dict[str, Any], exact: _Bounds, networks: int) -> None:
    group.ask(name, "supertransversal", document.get("supertransversal"), networks)
    group.note(name, "top_cells", document.get("top_cells"), networks)


def _facets(group: Group, name: str, document: dict[str, Any], exact: _Bounds, networks: int) -> None:
    for facets, polytopes in (document.get("facet_histogram") or {}).items():
        group.note(name, "facets_of_polytopes", int(facets), networks * polytopes)


def _inactive(group: Group, name: str, document: dict[str, Any], exact: _Bounds, networks: int) -> None:
    for what in ("never_active", "always_active", "never_active_on_data", "always_active_on_data"):
        for layer, count in enumerate(document.get(what) or (), start=1):
            group.note(name, f"{what}_in_layer_{layer}", count, networks)


def _loss(group: Group, name: str, document: dict[str, Any], exact: _Bounds, networks: int) -> None:
    group.note(name, "float64_correct", document.get("float64_correct"), networks)


_COUNT = {
    "dimension": _dimension,
    "batch": _batch,
    "gap": _gap,
    "floats": _floats,
    "mechanisms": _mechanisms,
    "identifiability": _identifiability,
    "cells": _cells,
    "facets": _facets,
    "inactive": _inactive,
    "loss": _loss,
}
