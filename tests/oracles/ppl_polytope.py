"""One closed polyhedron with the Parma Polyhedra Library: facets, vertices, rays, boundedness; the volume by a fan."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations
from math import factorial, lcm
from typing import Any

from ppl import C_Polyhedron, Linear_Expression, Variable

from oracles import fractions_net

Row = Sequence[Fraction]  # coefficients, then the constant: the row is at least zero


def rows_of_cell(layers: fractions_net.Layers, output_activation: str, labels: Sequence[int]) -> list[list[Fraction]]:
    """All rows ``s_i z_i >= 0`` of the closure of a cell, by products of masked matrices."""
    n0 = len(layers[0][0][0])
    inputs = [[Fraction(i == k) for k in range(n0 + 1)] for i in range(n0)]
    result = []
    for (weight, bias), signs in zip(
        layers, fractions_net.split_labels(layers, output_activation, labels), strict=False
    ):
        forms = []
        for row, b in zip(weight, bias, strict=True):
            form = [sum((w * inputs[i][k] for i, w in enumerate(row)), Fraction(0)) for k in range(n0 + 1)]
            form[-1] += b
            forms.append(form)
        result += [[sign * entry for entry in form] for sign, form in zip(signs, forms, strict=True) if sign]
        inputs = [form if sign > 0 else [Fraction(0)] * (n0 + 1) for sign, form in zip(signs, forms, strict=True)]
    return result


def box_rows(box: Any, n0: int) -> list[list[Fraction]]:
    if box is None:
        return []
    low, high = box
    result = []
    for j in range(n0):
        unit = [Fraction(i == j) for i in range(n0)]
        result += [[*unit, -Fraction(low[j])], [*(-c for c in unit), Fraction(high[j])]]
    return result


class Polyhedron:
    def __init__(self, rows: Sequence[Row], n0: int) -> None:
        self.n0 = n0
        self.polyhedron = C_Polyhedron(n0, "universe")
        for row in rows:
            scale = lcm(*(entry.denominator for entry in row))
            integers = [int(entry * scale) for entry in row]
            self.polyhedron.add_constraint(Linear_Expression(integers[:-1], integers[-1]) >= 0)
        self.generators = list(self.polyhedron.minimized_generators())

    @property
    def facets(self) -> int:
        """A minimal system of a full-dimensional polyhedron has one inequality for each facet."""
        constraints = list(self.polyhedron.minimized_constraints())
        assert not any(c.is_equality() for c in constraints), "not of full dimension"
        return len(constraints)

    @property
    def bounded(self) -> bool:
        return bool(self.polyhedron.is_bounded())

    def _of_kind(self, kind: str) -> list[Any]:
        return [g for g in self.generators if getattr(g, kind)()]

    @property
    def vertices(self) -> set[tuple[Fraction, ...]]:
        return {
            tuple(Fraction(int(g.coefficient(Variable(j))), int(g.divisor())) for j in range(self.n0))
            for g in self._of_kind("is_point")
        }

    @property
    def rays(self) -> set[tuple[int, ...]]:
        return {tuple(int(g.coefficient(Variable(j))) for j in range(self.n0)) for g in self._of_kind("is_ray")}

    @property
    def lines(self) -> int:
        return len(self._of_kind("is_line"))


def f_vector_by_subsets(rows: Sequence[Row], n0: int) -> tuple[int, ...]:
    """Faces of a polyhedron: every set of rows made into equations, told apart by PPL's own comparison."""
    faces: list[Any] = []
    for size in range(len(rows) + 1):
        for chosen in combinations(rows, size):
            part = Polyhedron([*rows, *([-entry for entry in row] for row in chosen)], n0).polyhedron
            if not part.is_empty() and not any(part == other for other in faces):
                faces.append(part)
    counts = [0] * (n0 + 1)
    for face in faces:
        counts[face.affine_dimension()] += 1
    return tuple(counts)


def volume_by_lawrence(rows: Sequence[Row], n0: int, vertices: Sequence[Sequence[Fraction]]) -> Fraction:
    """Volume of a simple polytope from its vertices: Lawrence, *Polytope volume computation*, Math. Comp. 57 (1991).

    No triangulation is involved: each vertex contributes ``(c.v)^n / (n! |det| prod gamma_i)`` for a linear function
    ``c`` that is constant on no edge, ``c = sum gamma_i a_i`` over the ``n`` rows that are tight there.
    """
    direction = [Fraction(7**k + 3, 5 + k) for k in range(n0)]
    total = Fraction(0)
    for vertex in vertices:
        tight = [
            [-entry for entry in row[:-1]]
            for row in rows
            if sum((a * x for a, x in zip(row[:-1], vertex, strict=True)), Fraction(row[-1])) == 0
        ]
        assert len(tight) == n0, "not simple"
        columns = [list(column) for column in zip(*tight, strict=True)]
        determinant = fractions_net.determinant(tight)
        gammas = []
        for i in range(n0):
            replaced = [[*row[:i], c, *row[i + 1 :]] for row, c in zip(columns, direction, strict=True)]
            gammas.append(fractions_net.determinant(replaced) / fractions_net.determinant(columns))
        value = sum((c * x for c, x in zip(direction, vertex, strict=True)), Fraction(0))
        product = Fraction(1)
        for gamma in gammas:
            assert gamma, "the linear function is constant on an edge"
            product *= gamma
        total += value**n0 / (factorial(n0) * abs(determinant) * product)
    return total
