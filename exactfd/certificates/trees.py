"""Splitting trees as flat lists (``docs/certificate-v1.md``, section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import gcd
from typing import Any, Literal

from flint import fmpz, fmpz_mat

from exactfd.budget import Budget, Progress
from exactfd.certificates.document import texts
from exactfd.errors import InternalError
from exactfd.geometry.programs import Infeasible, Row, solve
from exactfd.geometry.trees import TreeNode
from exactfd.network import Network

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


@dataclass(frozen=True)
class _Place:
    """Where the walk is: in front of neuron ``place`` of a layer whose neurons are ``rows / scale`` on the node."""

    number: int
    first: int  # flat index of the first neuron of the layer
    place: int
    rows: list[list[fmpz]]
    scale: Any
    members: list[tuple[int, ...]]  # the cells below this node
    path: list[tuple[int, Row]]


class AllLabels:
    """Builds the tree over all three labels (mode *all*) from a complete list of cells of every dimension."""

    def __init__(
        self,
        network: Network,
        cells: Sequence[tuple[tuple[int, ...], Sequence[Fraction]]],
        budget: Budget,
        progress: Progress,
    ) -> None:
        self.network = network
        self._budget, self._progress, self._leaves = budget, progress, 0
        self.points = dict(cells)

    def build(self) -> list[dict[str, Any]]:
        """The tree in preorder, walked with a stack: a path is as long as the network has neurons."""
        n = self.network.input_dimension
        identity = [[fmpz(int(i == j)) for j in range(n + 1)] for i in range(n + 1)]
        nodes: list[dict[str, Any]] = []
        stack = [self._layer(0, 0, identity, sorted(self.points, reverse=True), [])]
        while stack:
            here = stack.pop()
            if here.place == len(here.rows):
                if here.number < len(self.network.relu_widths):
                    stack.append(self._next_layer(here))
                    continue
                (leaf,) = here.members
                nodes.append({"point": texts(self.points[leaf])})
                self._leaves += 1
                self._progress("certificate", self._leaves, len(self.points))
                self._budget.check()
                continue
            row, k = here.rows[here.place], here.first + here.place
            groups = {s: [m for m in here.members if m[k] == s] for s in (1, 0, -1)}
            children = [s for s in (1, 0, -1) if groups[s]]
            entry: dict[str, Any] = {"children": children}
            if any(row):
                refuted = {str(s): self._refuted(here.path, k, row, s) for s in (1, 0, -1) if not groups[s]}
                if refuted:
                    entry["refute"] = refuted
            nodes.append(entry)
            for s in reversed(children):
                step = [(k, _condition(row, s))] if any(row) else []
                stack.append(replace(here, place=here.place + 1, members=groups[s], path=here.path + step))
        return nodes

    def _layer(
        self,
        number: int,
        first: int,
        inputs: list[list[fmpz]],
        members: list[tuple[int, ...]],
        path: list[tuple[int, Row]],
    ) -> _Place:
        """The beginning of layer ``number`` (counted from 0), or the end of the walk."""
        if number == len(self.network.relu_widths):
            return _Place(number, first, 0, [], fmpz(1), members, path)
        matrix, denominator = self.network.augmented(number + 1).numer_denom()
        rows = (matrix * fmpz_mat(inputs)).tolist()
        return _Place(number, first, 0, rows, denominator * inputs[-1][-1], members, path)

    def _next_layer(self, here: _Place) -> _Place:
        labels = here.members[0][here.first : here.first + here.place]
        zero = [fmpz(0)] * len(here.rows[0])
        kept = [row if label > 0 else zero for row, label in zip(here.rows, labels, strict=True)]
        inputs = [*kept, [*zero[:-1], fmpz(here.scale)]]
        return self._layer(here.number + 1, here.first + here.place, inputs, here.members, here.path)

    def _refuted(self, path: list[tuple[int, Row]], k: int, row: list[fmpz], label: int) -> dict[str, str]:
        conditions = [*path, (k, _condition(row, label))]
        answer = solve([condition for _, condition in conditions], self.network.input_dimension)
        if not isinstance(answer, Infeasible):
            raise InternalError(f"a cell with label {label} at neuron {k} is missing from the complex")
        # conditions are integer multiples of the true ones, all of one layer by the same positive factor
        weights = {
            conditions[i][0]: weight * self._factor(conditions[i][0]) for i, weight in answer.multipliers.items()
        }
        common = gcd(*weights.values())
        return {str(neuron): str(fmpz(weight // common)) for neuron, weight in weights.items()}

    def _factor(self, neuron: int) -> int:
        """What the true pre-activation of a neuron has been multiplied by: the denominators of the layers up to it."""
        factor, last = 1, 0
        for number, width in enumerate(self.network.relu_widths, start=1):
            factor *= int(self.network.augmented(number).numer_denom()[1])
            last += width
            if neuron < last:
                break
        return factor


def _condition(row: list[Any], label: int) -> Row:
    if label < 0:
        return Row(tuple(-entry for entry in row[:-1]), -row[-1])
    return Row(tuple(row[:-1]), row[-1], ">" if label else "=")
