"""The walk through a splitting tree (see :mod:`exactfd.geometry.splitting`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from flint import fmpz, fmpz_mat

from exactfd import rationals
from exactfd.budget import Budget, Progress
from exactfd.errors import BudgetExceeded
from exactfd.geometry.box import Box, parse_box
from exactfd.geometry.parallel import Direction, ParallelRows, direction_of
from exactfd.geometry.programs import Infeasible, Point, Program, Row, scaled_floats
from exactfd.geometry.trees import Key, Refutation, TreeNode
from exactfd.network import Network


@dataclass(slots=True)
class _Layer:
    """The pre-activations of one ReLU layer on one region: ``rows / scale`` as affine functions ``(a, c)``."""

    number: int
    first: int  # flat index of its first neuron
    rows: list[list[Any]]
    scale: Any
    floats: list[list[float]]
    flat: list[bool]  # whether the gradient is zero
    directions: dict[int, Direction] = field(default_factory=dict)  # of the gradients that have been needed
    # Neurons of constant sign on a part of the path: their sign, how many rows of the program make up that part, and
    # the refutation of the other sign. Branches of one region share the layer, and most of these answers.
    settled: dict[int, tuple[int, int, Refutation]] = field(default_factory=dict)


@dataclass(slots=True)
class _Branch:
    """A child still to be visited; the rows above its own are still on the program when its turn comes."""

    neuron: int
    count: int
    layer: _Layer
    labels: tuple[int, ...]
    sign: int
    point: Point
    basis: tuple[int, ...]
    node: TreeNode | None


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the tree: its labels, a point strictly inside its region and a basis to begin with there."""

    labels: tuple[int, ...]
    point: Point
    basis: tuple[int, ...]


class Walk:
    """The depth-first walk: one program whose rows are the conditions on the current path.

    Several networks with the same inputs are walked one after the other: their common refinement.
    """

    def __init__(self, networks: Sequence[Network], box: Any, root: TreeNode | None) -> None:
        self.widths = [width for network in networks for width in network.relu_widths]
        self.total = sum(self.widths)
        self.dimension = networks[0].input_dimension
        self.program = Program(self.dimension)
        self.keys: list[tuple[Key, Any]] = []  # of the rows on the program, with their integer scales
        self.parallel = ParallelRows()  # the same rows by direction
        self.root = root
        self.matrices = [
            (*_integer_matrix(network, number + 1), number == 0)
            for network in networks
            for number in range(len(network.relu_widths))
        ]
        self.start = Point((0,) * self.dimension, 1, np.zeros(self.dimension))
        limits = parse_box(box, self.dimension)
        if limits is not None:
            self._enter_box(limits)
        self._box_rows = len(self.keys)

    def _enter_box(self, box: Box) -> None:
        lo, hi = ([rationals.to_fmpq(entry) for entry in side] for side in box)
        for j, (low, high) in enumerate(zip(lo, hi, strict=True)):
            unit = [fmpz(int(j == k)) for k in range(self.dimension)]
            # an n_0-dimensional cell meets the closed box in dimension n_0 iff it meets the open one
            for row, key, scale in (
                (Row(tuple(low.q * u for u in unit), -low.p), ("lower", j), low.q),
                (Row(tuple(-high.q * u for u in unit), high.p), ("upper", j), high.q),
            ):
                self._push(row, key, scale, direction_of(row.coefficients))
        self.start = Point.of((low + high) / 2 for low, high in zip(lo, hi, strict=True))

    def _push(
        self, row: Row, key: Key, scale: Any, direction: Direction, floats: Sequence[float] | None = None
    ) -> None:
        self.program.push(row, floats)
        self.parallel.push(row, direction)
        self.keys.append((key, scale))

    def _truncate(self, count: int) -> None:
        self.program.truncate(count)
        self.parallel.truncate(count)
        del self.keys[count:]

    # ------------------------------------------------------------------ the walk

    def cells(
        self, budget: Budget | None, progress: Progress
    ) -> Iterator[tuple[tuple[int, ...], tuple[Fraction, ...]]]:
        """Yield each cell; the deeper branches first."""
        pending: list[_Branch] = []
        found = 0
        try:
            limits = Budget() if budget is None else budget
            for leaf in self.leaves(limits, self.root_node(), self.total, pending):
                found += 1
                progress("cells", found, None)
                yield leaf.labels, leaf.point.fractions
        except BudgetExceeded as error:
            undecided = [self.total - branch.neuron - 1 for branch in pending]
            most = f", with up to {max(undecided)} of {self.total} neurons undecided" if pending else ""
            # there is a point in each, so a cell
            raise BudgetExceeded(
                f"{error}; the splitting tree has {len(pending)} open branches besides the present one{most}, "
                f"so there are at least {found + len(pending) + 1} cells"
            ) from None

    def root_node(self) -> Node:
        """Where the walk starts."""
        return Node((), self.start, self.program.fresh_basis())

    def leaves(self, limits: Budget, start: Node, depth: int, pending: list[_Branch]) -> Iterator[Node]:
        """The nodes with ``depth`` labels below one with fewer, or that one, the deeper branches first; ``pending``
        holds those still to be visited.
        """
        point, basis, node = start.point, start.basis, self.root
        labels = list(start.labels)
        layer = self._enter(labels)
        found = steps = 0
        while True:
            while len(labels) < depth:
                steps += 1
                if steps % 64 == 0:
                    limits.check(cells=found)
                if layer is None or len(labels) == layer.first + len(layer.rows):
                    layer = self._next_layer(layer, labels)
                neuron = len(labels)
                place = neuron - layer.first
                if node is not None:
                    node.neuron = neuron
                if layer.flat[place]:
                    label = _sign(layer.rows[place][-1])
                    if node is not None:
                        self._record_constant(node, neuron, layer, label)
                else:
                    label, other, basis, other_basis = self._split(layer, place, point, basis, node)
                    if other is not None:
                        branch_node = None
                        if node is not None:
                            branch_node = node.children[-label if label else -1] = TreeNode()
                        if label == 0:  # the point lies on the wall: two new points, one for each side
                            point, label = self._nudged(layer, place, point, 1), 1
                        pending.append(
                            _Branch(
                                neuron, len(self.keys), layer, tuple(labels), -label, other, other_basis, branch_node
                            )
                        )
                    self._push_neuron(layer, place, label)
                labels.append(label)
                if node is not None:
                    child = TreeNode()
                    node.children[label] = child
                    node = child
            limits.check(cells=found + 1)
            found += 1
            if node is not None:
                node.point = point.fractions
            yield Node(tuple(labels), point, basis)
            if not pending:
                return
            branch = pending.pop()
            self._truncate(branch.count)
            branch.layer.settled = {k: known for k, known in branch.layer.settled.items() if known[1] <= branch.count}
            layer, point, basis, node = branch.layer, branch.point, branch.basis, branch.node
            self._push_neuron(layer, branch.neuron - layer.first, branch.sign)
            labels = [*branch.labels, branch.sign]

    def _split(
        self, layer: _Layer, place: int, point: Point, basis: tuple[int, ...], node: TreeNode | None
    ) -> tuple[int, Point | None, tuple[int, ...], tuple[int, ...]]:
        """Sign of the neuron at the point, a point on its other side if there is one, and bases to start from on both.

        The sign can be 0; the other side is then the negative one.
        """
        if place in layer.settled:
            label, _, refutation = layer.settled[place]
            if node is not None:
                node.refutations[-label] = refutation
            return label, None, basis, basis
        label = _sign_at(layer.rows[place], layer.floats[place], point)
        if label == 0:
            return 0, self._nudged(layer, place, point, -1), basis, basis
        count = len(self.keys)
        self._push_neuron(layer, place, -label)
        answer = self.parallel.contradiction() or self.program.solve(basis)
        if isinstance(answer, Infeasible):
            refutation = self._refutation(answer)
            reach = max((index + 1 for index in answer.indices if index < count), default=0)
            layer.settled[place] = label, reach, refutation
            if node is not None:
                node.refutations[-label] = refutation
        self._truncate(count)
        if isinstance(answer, Infeasible):
            return label, None, basis, basis
        after = self.program.basis
        return label, answer.solution, basis if count in after else after, after

    def _nudged(self, layer: _Layer, place: int, point: Point, sign: int) -> Point:
        """From a point where the neuron is zero, a short step to its given side that stays inside the region."""
        gradient = layer.floats[place][:-1]
        axis = max(range(self.dimension), key=lambda j: abs(gradient[j]))
        direction = sign * _sign(layer.rows[place][axis])
        if direction == 0:  # no float saw the gradient
            axis = next(j for j in range(self.dimension) if layer.rows[place][j])
            direction = sign * _sign(layer.rows[place][axis])
        old = point.fractions
        bits = 1
        while True:  # the region is open, so some step is short enough
            moved = list(old)
            moved[axis] += Fraction(direction, 1 << bits)
            candidate = Point.of(moved)
            if self.program.holds_at(candidate):
                return candidate
            bits += 1 + bits // 4

    # ------------------------------------------------------------------ the layers as affine functions

    def _enter(self, labels: list[int]) -> _Layer | None:
        """Have no rows on the program but those of the box and of these neurons."""
        self._truncate(self._box_rows)
        layer = self._first_layer()
        for neuron, label in enumerate(labels):
            if layer is None or neuron == layer.first + len(layer.rows):
                layer = self._next_layer(layer, labels[:neuron])
            if not layer.flat[neuron - layer.first]:
                self._push_neuron(layer, neuron - layer.first, label)
        return layer

    def _first_layer(self) -> _Layer | None:
        if not self.widths:
            return None
        matrix, scale, _ = self.matrices[0]
        return _layer(0, 0, matrix.tolist(), scale)

    def _next_layer(self, layer: _Layer | None, labels: list[int]) -> _Layer:
        assert layer is not None  # there are neurons left, so there was a first layer
        n = self.dimension
        number, first = layer.number + 1, layer.first + len(layer.rows)
        matrix, scale, reads_the_inputs = self.matrices[number]
        if reads_the_inputs:
            return _layer(number, first, matrix.tolist(), scale)
        zero = [fmpz(0)] * (n + 1)
        inputs = [row if label > 0 else zero for row, label in zip(layer.rows, labels[layer.first :], strict=True)]
        rows = (matrix * fmpz_mat([*inputs, [*zero[:n], layer.scale]])).tolist()
        return _layer(number, first, rows, scale * layer.scale)

    def _push_neuron(self, layer: _Layer, place: int, sign: int) -> None:
        exact, floats = layer.rows[place], layer.floats[place]
        direction = layer.directions.get(place)
        if direction is None:
            direction = layer.directions[place] = direction_of(exact[:-1])
        if sign < 0:
            exact, floats = [-entry for entry in exact], [-entry for entry in floats]
            direction = (direction[1], direction[0], direction[2])
        self._push(Row(tuple(exact[:-1]), exact[-1]), ("neuron", layer.first + place), layer.scale, direction, floats)

    # ------------------------------------------------------------------ evidence

    def _refutation(self, answer: Infeasible) -> Refutation:
        multipliers = {}
        for index, weight in answer.multipliers.items():
            key, scale = self.keys[index]
            multipliers[key] = weight * int(scale)
        return Refutation(multipliers, answer)

    def _record_constant(self, node: TreeNode, neuron: int, layer: _Layer, label: int) -> None:
        if label == 0:
            node.identically_zero = True
            return
        exact, scale = layer.rows[neuron - layer.first], int(layer.scale)
        key = ("neuron", neuron)
        index = len(self.keys)
        wrong = Row(tuple(-label * e for e in exact[:-1]), -label * exact[-1])
        node.refutations[-label] = Refutation({key: scale}, Infeasible((index,), (wrong,), (1,)))
        equal = Row(tuple(exact[:-1]), exact[-1], "=")
        node.refutations[0] = Refutation({key: -label * scale}, Infeasible((index,), (equal,), (-label,)))


def _layer(number: int, first: int, rows: list[list[Any]], scale: Any) -> _Layer:
    floats = [scaled_floats(row) for row in rows]
    return _Layer(number, first, rows, scale, floats, [not any(row[:-1]) for row in rows])


def _integer_matrix(network: Network, number: int) -> tuple[fmpz_mat, Any]:
    """``A^l`` times one common denominator, and that denominator."""
    matrix, denominator = network.augmented(number).numer_denom()
    return matrix, denominator


def _sign(value: Any) -> int:
    return int(value > 0) - int(value < 0)


def _sign_at(exact: list[Any], floats: list[float], point: Point) -> int:
    """Exact sign of an affine function at a point; floats decide when their error bound lets them."""
    if point.floats is not None:
        value, bound, reach = floats[-1], abs(floats[-1]), 1.0
        for a, x in zip(floats, point.floats.tolist(), strict=False):
            value += a * x
            bound += abs(a * x)
            reach += abs(x)
        # entries are within 2^-52, n products and n sums follow; an underflow is off by at most 2^-1074 times |x| or 1
        bound = bound * ((len(floats) + 4) * 2.0**-51) + 1e-300 * reach
        if value > bound:
            return 1
        if value < -bound:
            return -1
    total = int(exact[-1]) * point.denominator
    for a, x in zip(exact, point.numerators, strict=False):
        total += int(a) * x
    return _sign(total)
