"""Splitting trees as flat lists (``docs/certificate-v1.md``, section 3)."""

from __future__ import annotations

from math import gcd
from typing import Any, Literal

from flint import fmpz

from exactfd.certificates.document import texts
from exactfd.errors import InternalError
from exactfd.geometry.trees import TreeNode

_WALL = {"lower": "lo", "upper": "hi"}


def open_tree(root: TreeNode, *, leaves: Literal["empty", "point"]) -> list[dict[str, Any]]:
    """A tree of ``n_0``-dimensional cells in preorder (mode *open*)."""
    result: list[dict[str, Any]] = []
    stack = [root]
    while stack:
        node = stack.pop()
        if node.neuron is None:
            result.append({"point": texts(node.point or ())} if leaves == "point" else {})
            continue
        entry: dict[str, Any] = {"children": list(node.children)}
        refuted = {
            str(label): _multipliers(refutation.multipliers, node.neuron)
            for label, refutation in node.refutations.items()
            if label != 0  # the zero set of a function that is not constant has no interior
        }
        if refuted:
            entry["refute"] = refuted
        result.append(entry)
        stack += reversed(node.children.values())
    return result


def _multipliers(multipliers: dict[tuple[str, int], int], neuron: int) -> dict[str, str]:
    """Integers without common factor, by condition."""
    if ("neuron", neuron) not in multipliers:
        raise InternalError(f"the refutation at neuron {neuron} does not use its hypothesis")
    common = gcd(*multipliers.values())
    return {
        str(place) if kind == "neuron" else f"{_WALL[kind]} {place}": str(fmpz(weight // common))
        for (kind, place), weight in multipliers.items()
    }
