"""Splitting trees as flat lists (``docs/certificate-v1.md``, section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import gcd, lcm
from typing import Any, Literal

from flint import fmpz, fmpz_mat

from exactfd.budget import Budget, Progress
from exactfd.certificates.document import texts
from exactfd.errors import InternalError
from exactfd.geometry.programs import Infeasible, Row, solve
from exactfd.geometry.splitting import TreeNode
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
        str(place) if kind == "neuron" else f"{_WALL[kind]} {place}": str(weight // common)
        for (kind, place), weight in multipliers.items()
    }


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
        self.neurons = sum(network.relu_widths)
        self._nodes: list[dict[str, Any]] = []

    def build(self) -> list[dict[str, Any]]:
        """The tree in preorder. Recursion is over layers; inside a layer neurons are walked in a loop."""
        self._layer(0, 0, self._inputs(), sorted(self.points, reverse=True), [])
        return self._nodes

    def _inputs(self) -> list[list[fmpz]]:
        n = self.network.input_dimension
        return [[fmpz(int(i == j)) for j in range(n + 1)] for i in range(n + 1)]

    def _layer(
        self,
        number: int,
        first: int,
        inputs: list[list[fmpz]],
        members: list[tuple[int, ...]],
        path: list[tuple[int, Row]],
    ) -> None:
        if number == len(self.network.relu_widths):
            (leaf,) = members
            self._nodes.append({"point": texts(self.points[leaf])})
            self._leaves += 1
            self._progress("certificate", self._leaves, len(self.points))
            self._budget.check()
            return
        matrix, denominator = self.network.augmented(number + 1).numer_denom()
        rows = (matrix * fmpz_mat(inputs)).tolist()
        scale = denominator * inputs[-1][-1]
        self._neuron(number, first, 0, rows, scale, members, path)

    def _neuron(
        self,
        number: int,
        first: int,
        place: int,
        rows: list[list[fmpz]],
        scale: Any,
        members: list[tuple[int, ...]],
        path: list[tuple[int, Row]],
    ) -> None:
        if place == len(rows):
            labels = members[0][first : first + place]
            zero = [fmpz(0)] * len(rows[0])
            kept = [row if label > 0 else zero for row, label in zip(rows, labels, strict=True)]
            one = [*zero[:-1], fmpz(scale)]
            self._layer(number + 1, first + place, [*kept, one], members, path)
            return
        k = first + place
        groups = {s: [m for m in members if m[k] == s] for s in (1, 0, -1)}
        children = [s for s in (1, 0, -1) if groups[s]]
        entry: dict[str, Any] = {"children": children}
        if any(rows[place]):
            refuted = {str(s): self._refuted(path, k, rows[place], s) for s in (1, 0, -1) if not groups[s]}
            if refuted:
                entry["refute"] = refuted
        self._nodes.append(entry)
        for s in children:
            step = [] if not any(rows[place]) else [(k, _condition(rows[place], s))]
            self._neuron(number, first, place + 1, rows, scale, groups[s], path + step)

    def _refuted(self, path: list[tuple[int, Row]], k: int, row: list[fmpz], label: int) -> dict[str, str]:
        conditions = [*path, (k, _condition(row, label))]
        answer = solve([condition for _, condition in conditions], self.network.input_dimension)
        if not isinstance(answer, Infeasible):
            raise InternalError(f"a cell with label {label} at neuron {k} is missing from the complex")
        # conditions are integer multiples of the true ones, all of one layer by the same positive factor
        weights = {
            str(conditions[i][0]): Fraction(weight) * self._factor(conditions[i][0])
            for i, weight in answer.multipliers.items()
        }
        common = lcm(*(weight.denominator for weight in weights.values()))
        return {key: str(int(weight * common)) for key, weight in weights.items()}

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
