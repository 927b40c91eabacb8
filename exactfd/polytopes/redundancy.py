"""Facets of one polytope, in any number of inputs, by exact programs: the complex is not needed.

The closure of an ``n_0``-dimensional cell is ``{x : s_i z_i(x) >= 0}`` over the neurons whose pre-activation is not
constant there. Among rows that are positive multiples of each other one stays, among parallel ones the tightest. Such a
row is a facet if and only if some point violates it alone: the segment from an inner point to that point crosses its
hyperplane where every other row is strict, and a facet has such points on both sides. A row that touches the polytope
in a face of lower dimension, or not at all, has no such point.

Points are proposed by rays from an inner point and certified by float signs with error bounds, or exactly. What is left
is decided by exact programs against the facets known so far (Clarkson, *More output-sensitive geometric algorithms*,
FOCS 1994): either no point satisfies those and violates the row, which is then redundant, or the first row that the way
to such a point crosses is a facet.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from exactfd.errors import InputError
from exactfd.geometry.affine import CellMaps
from exactfd.geometry.box import parse_box
from exactfd.geometry.parallel import direction_of
from exactfd.geometry.programs import Feasible, Infeasible, Point, Program, Row, scaled_floats
from exactfd.network import Network

_RAYS = 64  # random directions that are tried from the inner point, besides the normals

FloatArray = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class Facet:
    """A facet: ``coefficients . x + constant >= 0`` on the polytope, with equality on the facet.

    Attributes
    ----------
    coefficients, constant
        Integers without a common factor.
    neurons
        Pairs (layer, neuron) whose pre-activations vanish on it and not on the polytope, layers from 1, neurons from 0;
        more than one where hyperplanes coincide.
    wall
        ``(coordinate, side)`` with side -1 (low) or 1 (high) where it lies in a wall of the box, else None.
    """

    coefficients: tuple[int, ...]
    constant: int
    neurons: tuple[tuple[int, int], ...]
    wall: tuple[int, int] | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values; numbers as text."""
        return {
            "coefficients": [str(entry) for entry in self.coefficients],
            "constant": str(self.constant),
            "neurons": [list(neuron) for neuron in self.neurons],
            "wall": None if self.wall is None else list(self.wall),
        }


class CellFacets:
    """Facets of the polytopes of one network, cell after cell.

    >>> net = Network([([[1, 0], [0, 1], [1, 1]], [0, 0, 1]), ([[1, 1, 1]], [0])])
    >>> [facet.neurons for facet in CellFacets(net)((1, 1, 1))]
    [((1, 0),), ((1, 1),)]
    """

    def __init__(self, network: Network, *, box: Any = None) -> None:
        self.network = network
        self.dimension = network.input_dimension
        self._maps = CellMaps(network)
        widths = network.relu_widths
        self._names = [(layer, i) for layer, width in enumerate(widths, start=1) for i in range(width)]
        self._walls: list[tuple[list[int], tuple[int, int]]] = []
        limits = parse_box(box, self.dimension)
        for j, (low, high) in enumerate(zip(*limits, strict=True) if limits is not None else ()):
            for value, side in ((low, -1), (high, 1)):
                row = [0] * (self.dimension + 1)
                row[j], row[-1] = -side * value.denominator, side * value.numerator
                self._walls.append((row, (j, side)))

    def __call__(self, labels: Sequence[int], point: Sequence[Fraction] | None = None) -> tuple[Facet, ...]:
        """Facets of the closure of the ``n_0``-cell with these labels (cut by the box), exact, walls last.

        Parameters
        ----------
        labels
            The ternary tuple.
        point
            A rational point strictly inside, if one is known; otherwise a program finds one.

        Raises
        ------
        InputError
            where no ``n_0``-dimensional cell has these labels, or the point is not strictly inside it.

        Notes
        -----
        Sources: see the head of this module.
        """
        rows = self.rows(labels)
        inner = interior(rows, self.dimension, point)
        kept = irredundant(rows, inner)
        return tuple(rows[i] for i in kept)

    def rows(self, labels: Sequence[int]) -> list[Facet]:
        """Rows that define the closure, no two of them parallel in the same direction; not all need be facets."""
        n = self.dimension
        given: list[tuple[list[Any], tuple[int, int] | None, tuple[int, int] | None]] = []
        for name, label, row in zip(self._names, labels, self._maps.neurons(labels), strict=True):
            constant = not any(row[:n])
            if label != (row[n] > 0) - (row[n] < 0) if constant else label not in (-1, 1):
                raise InputError(f"labels: no cell of dimension {n} has label {label} at neuron {name}")
            if not constant:
                given.append((row if label > 0 else [-entry for entry in row], name, None))
        given += [(row, None, wall) for row, wall in self._walls]
        tightest: dict[tuple[int, ...], tuple[Fraction, list[Any], list[Any]]] = {}
        for row, neuron, wall in given:
            direction, _, content = direction_of(row[:n])
            offset = Fraction(int(row[n]), content)
            known = tightest.get(direction)
            if known is None or offset < known[0]:
                known = tightest[direction] = (offset, [], [])
            if offset == known[0]:
                known[1].extend([neuron] * (neuron is not None))
                known[2].extend([wall] * (wall is not None))
        return [
            Facet(tuple(a * offset.denominator for a in direction), offset.numerator, tuple(names), (*walls, None)[0])
            for direction, (offset, names, walls) in tightest.items()
        ]


def interior(rows: Sequence[Facet], dimension: int, point: Sequence[Fraction] | None = None) -> Point:
    """A point where all rows are strict: the one given, once that is checked, or one that a program finds.

    Raises ``InputError`` where there is none, or where the point given is not one. Source: as
    :func:`exactfd.geometry.programs.solve`.

    >>> interior([Facet((1,), 0, ()), Facet((-1,), 1, ())], 1).fractions
    (Fraction(1, 2),)
    """
    program = _program(rows, dimension)
    if point is not None:
        given = Point.of(point)
        if len(given.numerators) != dimension or not program.holds_at(given):
            raise InputError("point: expected a point strictly inside the polytope, found one that is not")
        return given
    answer = program.solve()
    if isinstance(answer, Infeasible):
        raise InputError(f"labels: no cell of dimension {dimension} has these labels")
    return answer.solution


def irredundant(rows: Sequence[Facet], inner: Point) -> list[int]:
    """Numbers of the rows that are facets, ascending; exact.

    ``rows`` has no two positive multiples of one gradient and is strict at ``inner``. Source: see the head of this
    module.

    >>> square = [Facet((1, 0), 0, ()), Facet((-1, 0), 1, ()), Facet((0, 1), 0, ()), Facet((0, -1), 1, ())]
    >>> corner = Facet((1, 1), 0, ())  # touches the square in a point
    >>> irredundant([*square, corner], Point.of([Fraction(1, 2), Fraction(1, 3)]))
    [0, 1, 2, 3]
    """
    dimension = len(inner.numerators)
    found = _shot(rows, inner)
    undecided = [i for i in range(len(rows)) if i not in found]
    if not undecided:
        return sorted(found)
    program = _program([rows[i] for i in sorted(found)], dimension)
    floats = {i: scaled_floats((*rows[i].coefficients, rows[i].constant)) for i in undecided}
    basis = program.fresh_basis()
    while undecided:
        candidate = undecided[-1]
        answer, basis = _violate(program, rows[candidate], floats[candidate], basis)
        facet: int | None = None
        if isinstance(answer, Feasible):
            facet = _first_crossed(rows, undecided, inner, answer.solution)
            if facet is None:  # several at once: ask with all other rows, which settles this one
                count = len(program.rows)
                for i in undecided[:-1]:
                    program.push(_row(rows[i]), floats[i])
                if isinstance(_violate(program, rows[candidate], floats[candidate], basis)[0], Feasible):
                    facet = candidate
                program.truncate(count)
        if facet is None:
            undecided.pop()
        else:
            undecided.remove(facet)
            found.add(facet)
            program.push(_row(rows[facet]), floats[facet])
    return sorted(found)


def _row(row: Facet) -> Row:
    return Row(row.coefficients, row.constant)


def _program(rows: Sequence[Facet], dimension: int) -> Program:
    program = Program(dimension)
    for row in rows:
        program.push(_row(row))
    return program


def _violate(
    program: Program, row: Facet, floats: Sequence[float], basis: tuple[int, ...]
) -> tuple[Feasible | Infeasible, tuple[int, ...]]:
    """Whether some point satisfies the rows of the program strictly and violates one more; the next basis."""
    count = len(program.rows)
    program.push(Row(tuple(-entry for entry in row.coefficients), -row.constant), [-entry for entry in floats])
    answer = program.solve(basis)
    after = program.basis
    program.truncate(count)
    return answer, basis if count in after else after


def _value(row: Facet, point: Point) -> Fraction:
    total = row.constant * point.denominator
    total += sum(a * x for a, x in zip(row.coefficients, point.numerators, strict=True))
    return Fraction(total, point.denominator)


def _first_crossed(rows: Sequence[Facet], undecided: Sequence[int], inner: Point, outer: Point) -> int | None:
    """The row that the segment from an inner to an outer point crosses first; None where several are first."""
    first: list[int] = []
    least = Fraction(1)
    for i in undecided:
        outside = _value(rows[i], outer)
        if outside <= 0:
            inside = _value(rows[i], inner)
            at = inside / (inside - outside)
            if at < least:
                first, least = [], at
            if at == least:
                first.append(i)
    return first[0] if len(first) == 1 else None


def _shot(rows: Sequence[Facet], inner: Point) -> set[int]:
    """Facets that rays from the inner point leave through, certified: points where one row is surely negative and all
    others are surely positive, by float values with error bounds. What is close is left out.
    """
    if not rows:
        return set()
    n = len(inner.numerators)
    table = np.array([scaled_floats((*row.coefficients, row.constant)) for row in rows])
    gradient, constant = table[:, :n], table[:, n]
    with np.errstate(all="ignore"):
        start = np.array([_nearest(x, inner.denominator) for x in inner.numerators])
        randoms = np.random.default_rng(0).standard_normal((_RAYS, n))
        directions = np.concatenate([-gradient, randoms, -randoms])
        slope = directions @ gradient.T
        ordered = np.sort(np.where(slope < 0, (gradient @ start + constant) / -slope, np.inf), axis=1)
        near = ordered[:, 0]
        far = np.minimum(ordered[:, 1] if len(rows) > 1 else np.inf, 3 * near)  # before the second row is violated
        return _violated_alone(start + directions * ((near + far) / 2)[:, None], gradient, constant)


def _violated_alone(points: FloatArray, gradient: FloatArray, constant: FloatArray) -> set[int]:
    """Rows that are surely negative at one of the points where all others are surely positive."""
    points = points[np.isfinite(points).all(axis=1)]
    value = points @ gradient.T + constant
    size = np.abs(points)
    # as in Program.holds_at: entries within 2^-52, n products and n sums; underflow of at most 2^-1074 times |x|
    bound = size @ np.abs(gradient).T + np.abs(constant)
    bound = bound * ((points.shape[1] + 4) * 2.0**-51) + 1e-300 * (1.0 + size.sum(axis=1))[:, None]
    positive, negative = value > bound, value < -bound
    certified = (negative.sum(axis=1) == 1) & (positive.sum(axis=1) == len(constant) - 1)
    return set(np.argmax(negative[certified], axis=1).tolist())


def _nearest(top: int, bottom: int) -> float:
    try:
        return top / bottom
    except OverflowError:
        return math.inf if top > 0 else -math.inf
