"""Splitting trees of the cells of a complex that is known already (``docs/certificate-v1.md``, section 3).

Its labels say which children every node has; its vertices say why it has no others. A function of one sign on the
region of a node is closest to zero at a vertex of the region, and is a constant plus a combination of the conditions
that are tight there, nonnegative on inequalities (linear programming duality at a simple vertex): these are the
multipliers. Floats only choose the vertex. Where the combination is none after all (a vertex that is not simple, or a
wrong choice), an exact program decides.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import gcd
from typing import Any, Literal

import numpy as np
from flint import fmpz, fmpz_mat

from exactfd.budget import Budget, Progress, silent
from exactfd.certificates.document import texts
from exactfd.errors import InternalError
from exactfd.geometry.complex import CanonicalComplex
from exactfd.geometry.programs import Infeasible, Row, solve

Weights = dict[int, fmpz]  # by neuron
#: Refutations of the labels that a neuron has not, and the labels of other neurons that they presuppose.
_Known = tuple[dict[str, dict[str, str]], tuple[tuple[int, int], ...]]


@dataclass(slots=True)
class _Layer:
    """The pre-activations ``rows / scale`` of one layer on the region where it begins."""

    number: int
    first: int  # flat index of its first neuron
    rows: list[list[fmpz]]
    scale: fmpz
    nearest: list[int]  # the vertex of the region where each neuron is closest to zero; -1 where it has several labels
    known: dict[int, list[_Known]] = field(default_factory=dict)


@dataclass(slots=True)
class _Node:
    """The region of the cells ``lo, ..., hi - 1`` in front of neuron ``depth``."""

    depth: int
    lo: int
    hi: int
    layer: _Layer


@dataclass(frozen=True, slots=True)
class _Condition:
    """What the label of a neuron on the path says: ``row`` is positive, or zero where the label is 0."""

    label: int
    row: list[fmpz]
    scale: fmpz


class ComplexTree:
    """Builds the tree of a complex on all of space: ``mode="open"`` of its ``n_0``-dimensional cells, with empty
    leaves; ``mode="all"`` of its cells of every dimension, with a point in every leaf.
    """

    def __init__(
        self,
        cells: CanonicalComplex,
        mode: Literal["open", "all"],
        *,
        budget: Budget | None = None,
        progress: Progress = silent,
    ) -> None:
        self.cells, self.mode, self.network = cells, mode, cells.network
        self._budget, self._progress = budget or Budget(), progress
        top = self.network.input_dimension
        parts = [(k, cells.labels(k), *cells.vertices_of(k)) for k in ([top] if mode == "open" else range(top + 1))]
        table = np.concatenate([labels for _, labels, _, _ in parts])
        order = np.lexsort(table.T[::-1]) if table.shape[1] else np.arange(len(table))
        flat, sizes = (np.concatenate([part[i] for part in parts]) for i in (2, 3))
        starts = np.concatenate([[0], np.cumsum(sizes)])
        self._table = table[order]
        self._labels: list[list[int]] = self._table.tolist()
        names = [(k, i) for k, labels, _, _ in parts for i in range(len(labels))]
        self._names = [names[i] for i in order.tolist()]  # dimension and number of each cell
        none = np.zeros(0, dtype=np.int32)
        self._vertices = np.concatenate([none, *(flat[starts[i] : starts[i + 1]] for i in order.tolist())])
        self._starts: list[int] = np.concatenate([[0], np.cumsum(sizes[order])]).tolist()
        zero = cells.labels(0) == 0
        self._zeros: list[list[int]] = [np.flatnonzero(row).tolist() for row in zero]
        self._sizes = np.abs(_preactivations(cells))
        self._sizes[zero] = 0.0
        self._scales: list[tuple[fmpz_mat, fmpz]] = [
            self.network.augmented(number + 1).numer_denom() for number in range(len(self.network.relu_widths))
        ]
        self._path: dict[int, _Condition] = {}  # by neuron

    def build(self) -> list[dict[str, Any]]:
        """The nodes in preorder."""
        nodes: list[dict[str, Any]] = []
        n, count = self.network.input_dimension, len(self._labels)
        if not self._scales:
            return [self._leaf(0)]
        identity = [[fmpz(int(i == j)) for j in range(n + 1)] for i in range(n + 1)]
        stack = [_Node(0, 0, count, self._layer(0, 0, identity, 0, count))]
        done = 0
        while stack:
            node = stack.pop()
            while self._path and next(reversed(self._path)) >= node.depth - 1:
                self._path.popitem()
            done += self._descend(node, nodes, stack)
            self._progress("certificate", done, count)
            self._budget.check()
        return nodes

    def _descend(self, node: _Node, nodes: list[dict[str, Any]], stack: list[_Node]) -> int:
        """Walk down to the leaf of the first cell; the branches that are left go to the stack. Returns 1, the leaf."""
        layer, lo, hi = node.layer, node.lo, node.hi
        labels = self._labels[lo]
        if node.depth:
            self._enter(layer, node.depth - 1, labels[node.depth - 1])
        for depth in range(node.depth, len(labels)):
            if depth == layer.first + len(layer.rows):
                layer = self._next_layer(layer, lo, hi)
            parts = list(self._parts(depth, lo, hi))
            entry: dict[str, Any] = {"children": [label for label, _, _ in parts]}
            row = layer.rows[depth - layer.first]
            if len(parts) == 1 and any(row):
                refuted = self._refuted(layer, depth, labels[depth], lo, hi)
                if refuted:
                    entry["refute"] = refuted
            nodes.append(entry)
            stack += [_Node(depth + 1, first, last, layer) for _, first, last in reversed(parts[1:])]
            hi = parts[0][2]
            self._enter(layer, depth, labels[depth])
        nodes.append(self._leaf(lo))
        return 1

    def _parts(self, depth: int, lo: int, hi: int) -> Iterator[tuple[int, int, int]]:
        """Labels of a neuron in a region, with the cells that have them."""
        while lo < hi:
            label = self._labels[lo][depth]
            stop = hi
            if self._labels[hi - 1][depth] != label:
                stop = lo + bisect_left(range(lo, hi), label + 1, key=lambda i: self._labels[i][depth])
            yield label, lo, stop
            lo = stop

    def _leaf(self, cell: int) -> dict[str, Any]:
        return {} if self.mode == "open" else {"point": texts(self.cells.interior_point(*self._names[cell]))}

    def _enter(self, layer: _Layer, depth: int, label: int) -> None:
        row = layer.rows[depth - layer.first]
        if any(row[:-1]):
            self._path[depth] = _Condition(label, [-entry for entry in row] if label < 0 else row, layer.scale)

    # ------------------------------------------------------------------ layers

    def _layer(self, number: int, first: int, inputs: list[list[fmpz]], lo: int, hi: int) -> _Layer:
        matrix, denominator = self._scales[number]
        rows: list[list[fmpz]] = (matrix * fmpz_mat(inputs)).tolist()
        part = self._table[lo:hi, first : first + len(rows)]
        vertices = self._vertices[self._starts[lo] : self._starts[hi]]
        nearest = [-1] * len(rows)
        if len(vertices):
            one_label = (part == part[0]).all(axis=0)
            closest = vertices[self._sizes[vertices, first : first + len(rows)].argmin(axis=0)]
            nearest = np.where(one_label, closest, -1).tolist()
        return _Layer(number, first, rows, denominator * inputs[-1][-1], nearest)

    def _next_layer(self, layer: _Layer, lo: int, hi: int) -> _Layer:
        zero = [fmpz(0)] * len(layer.rows[0])
        stop = layer.first + len(layer.rows)
        labels = self._labels[lo][layer.first : stop]
        kept = [row if label > 0 else zero for row, label in zip(layer.rows, labels, strict=True)]
        return self._layer(layer.number + 1, stop, [*kept, [*zero[:-1], layer.scale]], lo, hi)

    # ------------------------------------------------------------------ refutations

    def _refuted(self, layer: _Layer, depth: int, label: int, lo: int, hi: int) -> dict[str, dict[str, str]]:
        """Multipliers that refute the other labels of a neuron that has one label on a region (but not the label 0 in
        mode *open*, of which there is nothing to prove).
        """
        if label == 0 and self.mode == "open":
            raise InternalError(f"neuron {depth} has the label 0 on an open set and does not vanish there")
        candidates = layer.known.setdefault(depth - layer.first, [])
        for refuted, needed in candidates:
            if all(self._path[neuron].label == wanted for neuron, wanted in needed):
                return refuted
        row = layer.rows[depth - layer.first]
        if not any(row[:-1]):  # constant: the hypothesis contradicts itself
            weights: Weights | None = {}
        elif label == 0:
            weights = self._combination(self._zero_neurons(), row)
        else:
            weights = self._at_vertices(layer, depth, [label * entry for entry in row], lo, hi)
        refuted = self._by_combination(layer, depth, label, weights) if weights is not None else {}
        if not refuted:
            weights, refuted = self._by_programs(layer, depth, label, row)
        candidates.append((refuted, tuple((j, self._path[j].label) for j in weights or {})))
        return refuted

    def _at_vertices(self, layer: _Layer, depth: int, row: list[fmpz], lo: int, hi: int) -> Weights | None:
        """``row``, which is positive on the region, as a nonnegative combination of tight conditions and a constant."""
        vertices = self._vertices[self._starts[lo] : self._starts[hi]]
        place = depth - layer.first
        if layer.nearest[place] >= 0:  # conditions of earlier layers alone: good for more regions
            found = self._tight(layer.nearest[place], layer.first)
            if len(found) == self.network.input_dimension:
                return self._combination(found, row)
        if not len(vertices):
            return None
        found = self._tight(int(vertices[self._sizes[vertices, depth].argmin()]), depth)
        return self._combination(found, row) if len(found) == self.network.input_dimension else None

    def _tight(self, vertex: int, limit: int) -> list[int]:
        """Neurons before ``limit`` whose conditions on the path are tight at a vertex."""
        return [j for j in self._zeros[vertex] if j < limit and j in self._path]

    def _zero_neurons(self) -> list[int]:
        return [j for j, condition in self._path.items() if condition.label == 0]

    def _combination(self, neurons: Sequence[int], row: list[fmpz]) -> Weights | None:
        """Weights with which the gradient of ``row`` is a combination of those of conditions, and under the key -1 the
        factor of ``row`` that makes them integers; None where it is none.
        """
        gradients = [self._path[j].row[:-1] for j in neurons]
        kernel, nullity = fmpz_mat([*gradients, row[:-1]]).transpose().nullspace()
        for column in range(nullity):
            last = kernel[len(neurons), column]
            if last != 0:
                sign = -1 if last > 0 else 1
                weights = {j: sign * kernel[i, column] for i, j in enumerate(neurons) if kernel[i, column] != 0}
                return {**weights, -1: abs(last)}
        return None

    def _by_combination(self, layer: _Layer, depth: int, label: int, weights: Weights) -> dict[str, dict[str, str]]:
        """The refutations that ``unit * row = sum weights * conditions + constant`` gives; empty where it gives none.

        For the label 1 or -1 ``row`` times the label is meant.
        """
        unit = weights.pop(-1, fmpz(1))
        row = layer.rows[depth - layer.first]
        value = (label or 1) * unit * row[-1]  # of the constant in the end
        for j, weight in weights.items():
            condition = self._path[j]
            if condition.label != 0 and weight < 0:
                return {}
            value -= weight * condition.row[-1]
        strict = any(self._path[j].label != 0 for j in weights)
        if value < 0 or (label == 0 and (value != 0 or strict)):
            return {}
        if label == 0:
            above = self._scaled(layer, depth, {depth: unit, **{j: -w for j, w in weights.items()}})
            return {"1": above, "-1": self._scaled(layer, depth, {depth: unit, **weights})}
        refuted = {str(-label): self._scaled(layer, depth, {depth: unit, **weights})}
        if self.mode == "all":
            if value == 0 and not strict:
                return {}
            refuted["0"] = self._scaled(layer, depth, {depth: -label * unit, **weights})
        return refuted

    def _by_programs(
        self, layer: _Layer, depth: int, label: int, row: list[fmpz]
    ) -> tuple[Weights, dict[str, dict[str, str]]]:
        """The refutations by one exact program each; and the neurons that they use."""
        others = [-label] if self.mode == "open" else [s for s in (1, -1, 0) if s != label]
        used: Weights = {}
        refuted = {}
        for other in others:
            names = [*self._path, depth]
            rows = [_program_row(self._path[j].row, self._path[j].label) for j in self._path]
            hypothesis = _program_row([-entry for entry in row] if other < 0 else row, other)
            answer = solve([*rows, hypothesis], self.network.input_dimension)
            if not isinstance(answer, Infeasible):
                raise InternalError(f"a cell with label {other} at neuron {depth} is missing from the complex")
            weights = {names[i]: fmpz(weight) for i, weight in answer.multipliers.items()}
            if depth not in weights:
                raise InternalError(f"the refutation at neuron {depth} does not use its hypothesis")
            used |= {j: weight for j, weight in weights.items() if j != depth}
            refuted[str(other)] = self._scaled(layer, depth, weights)
        return used, refuted

    def _scaled(self, layer: _Layer, depth: int, weights: Weights) -> dict[str, str]:
        """Integers without common factor for the true functions, of which the rows are positive multiples."""
        exact = {j: w * (layer.scale if j == depth else self._path[j].scale) for j, w in weights.items()}
        common = gcd(*map(int, exact.values()))
        return {str(j): str(weight // common) for j, weight in exact.items()}


def _program_row(row: Sequence[fmpz], label: int) -> Row:
    return Row(tuple(row[:-1]), row[-1], ">" if label else "=")


def _preactivations(cells: CanonicalComplex) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Pre-activations at the vertices in floats: only for choosing among them."""
    network = cells.network
    values, layers = cells.float_vertices(), []
    count = len(values)
    with np.errstate(all="ignore"):
        for weight, bias in network.to_numpy()[: len(network.relu_widths)]:
            layers.append(values @ weight.T + bias)
            values = np.maximum(layers[-1], 0.0)
    return np.concatenate(layers, axis=1) if layers else np.zeros((count, 0))
