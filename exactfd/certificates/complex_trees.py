"""Splitting trees of the ``n_0``-dimensional cells of a complex that is known already.

Its labels say which children every node has; its vertices say why it has no others. A pre-activation of one sign on the
region of a node is closest to zero at a vertex of the region, and is a nonnegative combination of the conditions that
are tight there plus a constant (linear programming duality at a simple vertex): these are the multipliers. Floats only
choose the vertex. Where the combination is none after all (a vertex that is not simple, or a wrong choice), an exact
program decides.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import gcd
from typing import Any

import numpy as np
from flint import fmpz, fmpz_mat

from exactfd import rationals
from exactfd.budget import Budget, Progress, silent
from exactfd.errors import InternalError
from exactfd.geometry.complex import CanonicalComplex
from exactfd.geometry.programs import Infeasible, Row, contradiction, solve

#: Multipliers by neuron, and the label that each neuron but the last must have for them to mean anything.
_Known = tuple[dict[str, str], tuple[tuple[int, int], ...]]


@dataclass(slots=True)
class _Layer:
    """The pre-activations ``rows / scale`` of one layer on the region where it begins: the cells ``first, ..., last``
    in order.
    """

    number: int
    first: int  # flat index of its first neuron
    rows: list[list[fmpz]]
    scale: fmpz
    nearest: list[int]  # the vertex of the region where each neuron is closest to zero; -1 where it has both signs
    known: dict[int, list[_Known]] = field(default_factory=dict)


@dataclass(slots=True)
class _Node:
    """The region of the cells ``lo, ..., hi - 1`` in front of neuron ``depth``."""

    depth: int
    lo: int
    hi: int
    layer: _Layer


class ComplexTree:
    """Builds the tree of mode *open* (``docs/certificate-v1.md``, section 3) from a complex on all of space."""

    def __init__(self, cells: CanonicalComplex, budget: Budget | None = None, progress: Progress = silent) -> None:
        self.network = network = cells.network
        self._budget, self._progress = budget or Budget(), progress
        labels = cells.labels(network.input_dimension)
        order = np.lexsort(labels.T[::-1]) if labels.shape[1] else np.arange(len(labels))
        self._table = labels[order]
        self._labels: list[list[int]] = self._table.tolist()
        self._neurons = labels.shape[1]
        flat, sizes = cells.vertices_of(network.input_dimension)
        starts = np.concatenate([[0], np.cumsum(sizes)])
        self._vertices = np.concatenate([flat[starts[i] : starts[i + 1]] for i in order.tolist()])
        self._starts = np.concatenate([[0], np.cumsum(sizes[order])]).tolist()
        zero = cells.labels(0) == 0
        self._zeros: list[list[int]] = [np.flatnonzero(row).tolist() for row in zero]
        self._sizes = np.abs(_preactivations(cells))
        self._sizes[zero] = 0.0
        self._scales: list[tuple[fmpz_mat, fmpz]] = [
            network.augmented(number + 1).numer_denom() for number in range(len(network.relu_widths))
        ]
        self._path: dict[int, tuple[int, Row, fmpz]] = {}  # by neuron: label, condition, scale

    def build(self) -> list[dict[str, Any]]:
        """The nodes in preorder; leaves are empty."""
        nodes: list[dict[str, Any]] = []
        if not self._neurons:
            return [{}]
        n = self.network.input_dimension
        identity = [[fmpz(int(i == j)) for j in range(n + 1)] for i in range(n + 1)]
        stack = [_Node(0, 0, len(self._labels), self._layer(0, 0, identity, 0, len(self._labels)))]
        done = 0
        while stack:
            node = stack.pop()
            while self._path and next(reversed(self._path)) >= node.depth:
                self._path.popitem()
            done += self._descend(node, nodes, stack)
            self._progress("certificate", done, len(self._labels))
            self._budget.check()
        return nodes

    def _descend(self, node: _Node, nodes: list[dict[str, Any]], stack: list[_Node]) -> int:
        """Walk down to the leaf of the cell ``lo``; branches that are left go to the stack. The last condition on the
        path of a branch is that of the neuron before it.
        """
        layer, lo, hi = node.layer, node.lo, node.hi
        labels = self._labels[lo]
        if node.depth:
            self._enter(layer, node.depth - 1, labels[node.depth - 1])
        for depth in range(node.depth, self._neurons):
            if depth == layer.first + len(layer.rows):
                layer = self._next_layer(layer, lo, hi)
            label = labels[depth]
            row = layer.rows[depth - layer.first]
            if label == 0:
                nodes.append({"children": [0]})
                continue
            if self._labels[hi - 1][depth] != label:
                middle = bisect_left(range(lo, hi), 1, key=lambda i: self._labels[i][depth]) + lo
                nodes.append({"children": [-1, 1]})
                stack.append(_Node(depth + 1, middle, hi, layer))
                hi = middle
            elif any(row[:-1]):
                nodes.append({"children": [label], "refute": {str(-label): self._refute(layer, depth, label, lo, hi)}})
            else:
                nodes.append({"children": [label], "refute": {str(-label): {str(depth): "1"}}})
                continue
            self._enter(layer, depth, label)
        nodes.append({})
        return lo + 1

    def _enter(self, layer: _Layer, depth: int, label: int) -> None:
        row = layer.rows[depth - layer.first]
        if any(row[:-1]):
            self._path[depth] = label, _strict(row, label), layer.scale

    # ------------------------------------------------------------------ layers

    def _layer(self, number: int, first: int, inputs: list[list[fmpz]], lo: int, hi: int) -> _Layer:
        matrix, denominator = self._scales[number]
        rows: list[list[fmpz]] = (matrix * fmpz_mat(inputs)).tolist()
        part = self._table[lo:hi, first : first + len(rows)]
        vertices = self._vertices[self._starts[lo] : self._starts[hi]]
        nearest = [-1] * len(rows)
        if len(vertices):
            one_sign = (part == part[0]).all(axis=0)
            nearest = vertices[self._sizes[vertices, first : first + len(rows)].argmin(axis=0)]
            nearest = np.where(one_sign, nearest, -1).tolist()
        return _Layer(number, first, rows, denominator * inputs[-1][-1], nearest)

    def _next_layer(self, layer: _Layer, lo: int, hi: int) -> _Layer:
        zero = [fmpz(0)] * len(layer.rows[0])
        stop = layer.first + len(layer.rows)
        labels = self._labels[lo][layer.first : stop]
        kept = [row if label > 0 else zero for row, label in zip(layer.rows, labels, strict=True)]
        return self._layer(layer.number + 1, stop, [*kept, [*zero[:-1], layer.scale]], lo, hi)

    # ------------------------------------------------------------------ refutations

    def _refute(self, layer: _Layer, depth: int, label: int, lo: int, hi: int) -> dict[str, str]:
        """Multipliers that refute the label ``-label`` of neuron ``depth``."""
        place = depth - layer.first
        candidates = layer.known.setdefault(place, [])
        for multipliers, needed in candidates:
            if all(self._path[neuron][0] == wanted for neuron, wanted in needed):
                return multipliers
        hypothesis = _strict(layer.rows[place], -label)
        vertices = self._vertices[self._starts[lo] : self._starts[hi]]
        answer: tuple[list[int], Infeasible] | None = None
        if layer.nearest[place] >= 0:
            answer = self._at_vertex(layer.nearest[place], layer.first, depth, hypothesis)
        elif len(vertices):
            vertex = int(vertices[self._sizes[vertices, depth].argmin()])
            answer = self._at_vertex(vertex, depth, depth, hypothesis)
        if answer is None:
            answer = self._program(list(self._path), depth, hypothesis)
        if answer is None:
            raise InternalError(f"a cell with label {-label} at neuron {depth} is missing from the complex")
        used, evidence = answer
        weights = {used[i]: weight for i, weight in evidence.multipliers.items()}
        if depth not in weights:
            raise InternalError(f"the refutation at neuron {depth} does not use its hypothesis")
        # the rows are positive multiples of the true functions
        exact = {j: fmpz(w) * (layer.scale if j == depth else self._path[j][2]) for j, w in weights.items()}
        common = gcd(*map(int, exact.values()))
        multipliers = {str(j): str(weight // common) for j, weight in exact.items()}
        candidates.append((multipliers, tuple((j, self._path[j][0]) for j in exact if j != depth)))
        return multipliers

    def _at_vertex(self, vertex: int, limit: int, depth: int, hypothesis: Row) -> tuple[list[int], Infeasible] | None:
        """A contradiction of the hypothesis with conditions before neuron ``limit`` that are tight at a vertex."""
        tight = [j for j in self._zeros[vertex] if j < limit and j in self._path]
        rows = [self._path[j][1] for j in tight]
        if len(tight) == self.network.input_dimension:
            kernel, nullity = fmpz_mat([[*row.coefficients] for row in (*rows, hypothesis)]).transpose().nullspace()
            if nullity == 1:
                weights = [kernel[i, 0] for i in range(len(rows) + 1)]
                weights = [-weight for weight in weights] if weights[-1] < 0 else weights
                evidence = contradiction(range(len(rows) + 1), (*rows, hypothesis), weights)
                return None if evidence is None else ([*tight, depth], evidence)
        return self._program(tight, depth, hypothesis)

    def _program(self, neurons: Sequence[int], depth: int, hypothesis: Row) -> tuple[list[int], Infeasible] | None:
        rows = [self._path[j][1] for j in neurons]
        answer = solve([*rows, hypothesis], self.network.input_dimension)
        return ([*neurons, depth], answer) if isinstance(answer, Infeasible) else None


def _strict(row: Sequence[fmpz], label: int) -> Row:
    if label < 0:
        return Row(tuple(-entry for entry in row[:-1]), -row[-1])
    return Row(tuple(row[:-1]), row[-1])


def _preactivations(cells: CanonicalComplex) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Pre-activations at the vertices in floats: only for choosing among them."""
    network = cells.network
    points = [[rationals.nearest_float(rationals.to_fmpq(x)) for x in vertex] for vertex in cells.vertices()]
    values = np.array(points, dtype=np.float64).reshape(len(points), network.input_dimension)
    layers = []
    with np.errstate(all="ignore"):
        for weight, bias in network.to_numpy()[: len(network.relu_widths)]:
            layers.append(values @ weight.T + bias)
            values = np.maximum(layers[-1], 0.0)
    return np.concatenate(layers, axis=1) if layers else np.zeros((len(points), 0))
