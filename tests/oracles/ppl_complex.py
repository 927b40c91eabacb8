"""Every cell of the canonical polyhedral complex by recursive splitting with the Parma Polyhedra Library.

A partial ternary tuple describes a relatively open polyhedron on which the next neuron is an affine form (a product of
masked matrices). The polyhedron is cut into the three parts where that form is positive, zero or negative; empty
parts are dropped. PPL's ``NNC_Polyhedron`` handles strict inequalities and equalities exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import product
from math import lcm
from typing import Any

from ppl import Linear_Expression, NNC_Polyhedron, Variable

from oracles.fractions_net import Layers, architecture, relu_layer_count

Box = tuple[Sequence[Fraction], Sequence[Fraction]]
Labels = tuple[int, ...]
Form = list[Fraction]  # coefficients, then the constant


@dataclass(frozen=True)
class Cell:
    """A cell: its flat ternary tuple, its wall labels (``()`` without a box), dimension, boundedness, a point in it."""

    labels: tuple[int, ...]
    walls: tuple[int, ...]
    dimension: int
    bounded: bool
    point: tuple[Fraction, ...]


def _constraint(form: Form, label: int) -> Any:
    denominator = lcm(*(entry.denominator for entry in form))
    integers = [int(entry * denominator) for entry in form]
    # A length-n expression even when trailing coefficients vanish; the constant form is a legal constraint too.
    expression = Linear_Expression(integers[:-1], integers[-1])
    if label > 0:
        return expression > 0
    return expression < 0 if label < 0 else expression == 0


def _split(polyhedron: Any, form: Form) -> Iterator[tuple[int, Any]]:
    for label in (-1, 0, 1):
        part = NNC_Polyhedron(polyhedron)
        part.add_constraint(_constraint(form, label))
        if not part.is_empty():
            yield label, part


def _start(n0: int, box: Box | None) -> Iterator[tuple[tuple[int, ...], Any]]:
    if box is None:
        yield (), NNC_Polyhedron(n0, "universe")
        return
    low, high = box
    for walls in product((-1, 0, 1), repeat=n0):
        polyhedron = NNC_Polyhedron(n0, "universe")
        for j, wall in enumerate(walls):
            coordinate = [Fraction(i == j) for i in range(n0)]
            above, below = [*coordinate, -Fraction(low[j])], [*(-c for c in coordinate), Fraction(high[j])]
            polyhedron.add_constraint(_constraint(above, 0 if wall == -1 else 1))
            polyhedron.add_constraint(_constraint(below, 0 if wall == 1 else 1))
        if not polyhedron.is_empty():
            yield walls, polyhedron


def _forms(rows: Sequence[Sequence[Fraction]], bias: Sequence[Fraction], inputs: Sequence[Form]) -> list[Form]:
    """The affine forms of the next layer, from those of its inputs."""
    width = len(inputs[0])
    result = []
    for row, b in zip(rows, bias, strict=True):
        form = [sum((w * inputs[i][k] for i, w in enumerate(row)), Fraction(0)) for k in range(width)]
        form[-1] += b
        result.append(form)
    return result


def interior_point(polyhedron: Any, n0: int) -> tuple[Fraction, ...]:
    """The mean of all points and closure points of the generators, moved along the sum of the rays.

    The relative interior of the closure is where all those weights are positive.
    """
    total, count, shift = [Fraction(0)] * n0, 0, [Fraction(0)] * n0
    for generator in polyhedron.minimized_generators():
        coordinates = [Fraction(int(generator.coefficient(Variable(j)))) for j in range(n0)]
        if generator.is_point() or generator.is_closure_point():
            divisor = int(generator.divisor())
            total = [a + c / divisor for a, c in zip(total, coordinates, strict=True)]
            count += 1
        elif generator.is_ray():
            shift = [a + c for a, c in zip(shift, coordinates, strict=True)]
    return tuple(a / count + c for a, c in zip(total, shift, strict=True))


def cells(layers: Layers, output_activation: str, box: Box | None = None) -> list[Cell]:
    """All cells of every dimension, on ``R^{n0}`` or on a closed box ``(lo, hi)``."""
    n0 = architecture(layers)[0]
    depth = relu_layer_count(layers, output_activation)
    identity = [[Fraction(i == k) for k in range(n0 + 1)] for i in range(n0)]
    zero = [Fraction(0)] * (n0 + 1)

    @cache  # The forms depend on which neurons of the layer pass, nothing else.
    def forms_after(passed: tuple[tuple[bool, ...], ...]) -> list[Form]:
        weight, bias = layers[len(passed)]
        inputs = identity
        if passed:
            previous = forms_after(passed[:-1])
            inputs = [form if keep else zero for form, keep in zip(previous, passed[-1], strict=True)]
        return _forms(weight, bias, inputs)

    found: list[Cell] = []

    def descend(polyhedron: Any, walls: Labels, done: tuple[Labels, ...], here: Labels) -> None:
        if len(done) == depth:
            labels = tuple(label for layer in done for label in layer)
            point = interior_point(polyhedron, n0)
            found.append(Cell(labels, walls, polyhedron.affine_dimension(), polyhedron.is_bounded(), point))
            return
        forms = forms_after(tuple(tuple(label == 1 for label in layer) for layer in done))
        for label, part in _split(polyhedron, forms[len(here)]):
            longer = (*here, label)
            if len(longer) == len(forms):
                descend(part, walls, (*done, longer), ())
            else:
                descend(part, walls, done, longer)

    for walls, polyhedron in _start(n0, box):
        descend(polyhedron, walls, (), ())
    return found


def f_vector(found: Sequence[Cell], n0: int) -> tuple[int, ...]:
    return tuple(sum(cell.dimension == k for cell in found) for k in range(n0 + 1))


def euler_characteristic(found: Sequence[Cell]) -> int:
    return sum((-1) ** cell.dimension for cell in found)
