"""A certificate as a LaTeX fragment: the claim, the minor and the kernel, ready for a paper."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

from exactfd.network import Network

_SYMBOL = {">=": r"\ge", "<=": r"\le", "==": "=", "!=": r"\ne"}


def fragment(document: dict[str, Any]) -> str:
    """LaTeX (``amsmath``) of what a checked certificate states.

    Kernel vectors are written in the basis ``e`` of the parameter space, ``e_{W^2_{1,3}}`` being the direction of the
    weight in row 1, column 3 of layer 2 and ``e_{b^2_1}`` that of a bias.
    """
    claim, evidence = document["claim"], document["evidence"]
    producer = document["produced_by"]  # the one string that nobody checks: not into a paper as it stands
    if not re.fullmatch(r"[A-Za-z0-9 .+_-]{1,60}", producer, re.ASCII):
        producer = "an unnamed program"
    names = _parameters(document["network"]["architecture"])
    lines = [
        r"% made by " + producer,
        r"\begin{proposition}",
        rf"Let $\theta$ be the parameter of architecture ${tuple(document['network']['architecture'])}$ with "
        rf"{_output(document['network'])} whose canonical form has SHA-256 \texttt{{{document['digest'][:16]}\dots}}. "
        rf"Then {_statement(claim)}.",
        r"\end{proposition}",
    ]
    if "lower" in evidence or "upper" in evidence:
        lines.append(r"\begin{proof}")
        lines += _lower(evidence.get("lower"))
        lines += _upper(evidence.get("upper"), names)
        lines.append(r"\end{proof}")
    return "\n".join(lines)


def _output(network: dict[str, Any]) -> str:
    return "a ReLU on the output" if network["output_activation"] == "relu" else "affine output"


def _statement(claim: dict[str, Any]) -> str:
    sign: str = _SYMBOL[claim["relation"]]
    value: Any = claim.get("value")
    quantity = claim["quantity"]
    if quantity == "functional_dimension":
        return rf"$\dim_{{\mathrm{{fun}}}}(\theta) {sign} {value}$"
    if quantity == "batch_rank":
        points = ", ".join("(" + ", ".join(point) + ")" for point in claim["points"])
        return rf"$\operatorname{{rank}} J\mathrm{{Ev}}_Z(\theta) {sign} {value}$ for $Z = \{{{points}\}}$"
    place = (
        ""
        if claim.get("box") is None
        else " that meet the interior of the box from ${}$ to ${}$".format(
            *("(" + ", ".join(corner) + ")" for corner in claim["box"])
        )
    )
    if quantity == "top_cells":
        cells = "cell" if value == 1 else "cells"
        return rf"the canonical polyhedral complex has exactly {value} {cells} of full dimension{place}"
    if quantity == "f_vector":
        return rf"the canonical polyhedral complex has $f$-vector $({', '.join(map(str, value))})$"
    relation = "the same function as" if claim["relation"] == "==" else "another function than"
    other = Network(
        [(layer["weight"], layer["bias"]) for layer in claim["other"]["layers"]],
        output_activation=claim["other"]["output_activation"],
    )
    return rf"it realises {relation} the parameter with SHA-256 \texttt{{{other.digest[:16]}\dots}}"


def _lower(lower: dict[str, Any] | None) -> list[str]:
    if lower is None or lower["rule"] != "minor":
        return []
    size = len(lower["rows"])
    where = ""
    if "points" in lower:
        points = ", ".join("(" + ", ".join(point) + ")" for point in lower["points"])
        where = rf" at the parametrically smooth points ${points}$"
    return [
        rf"The ${size} \times {size}$ minor of $J\mathrm{{Ev}}_Z$ on rows {_numbers(lower['rows'])} and columns "
        rf"{_numbers(lower['columns'])}{where} is nonzero modulo the prime "
        rf"${lower['prime']}$, which divides no denominator."
    ]


def _upper(upper: dict[str, Any] | None, names: list[str]) -> list[str]:
    if upper is None or upper["rule"] == "trust":
        return []
    if upper["rule"] == "theory":
        return [r"The upper bound is $D' = D - \sum_{l=1}^{d-1} n_l$, which holds for every parameter."]
    if upper["rule"] == "size":
        return ["The upper bound is the number of rows."]
    where = "every smooth cell of full dimension" if "tree" in upper else "the points of $Z$"
    lines = [
        rf"The following {len(upper['vectors'])} linearly independent directions are annihilated by the Jacobian on "
        rf"{where}:",
        r"\begin{gather*}",
    ]
    rows = [" ".join(_term(names[index], number) for index, number in vector) for vector in upper["vectors"]]
    lines += [row.removeprefix("+ ") + (r" \\" if i < len(rows) - 1 else "") for i, row in enumerate(rows)]
    return [*lines, r"\end{gather*}"]


def _term(name: str, number: str) -> str:
    sign, size = ("-", number[1:]) if number.startswith("-") else ("+", number)
    return f"{sign} {'' if size == '1' else size + chr(92) + ','}e_{{{name}}}"


def _numbers(values: list[int]) -> str:
    return "none" if not values else "$" + ", ".join(str(value + 1) for value in values) + "$"


def _parameters(architecture: list[int]) -> list[str]:
    names = []
    for layer, (m, n) in enumerate(pairwise(architecture), start=1):
        for i in range(1, n + 1):
            names += [rf"W^{{{layer}}}_{{{i},{j}}}" for j in range(1, m + 1)] + [rf"b^{{{layer}}}_{{{i}}}"]
    return names
