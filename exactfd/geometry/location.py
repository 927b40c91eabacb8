"""Where one rational point lies: its cell, the affine map there, and whether the point is smooth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat

from exactfd import compiled, rationals
from exactfd.errors import ShapeError
from exactfd.geometry.bits import BoolArray, SignArray
from exactfd.geometry.bounds import UNIT, FloatArray
from exactfd.geometry.labels import is_smooth_tuple
from exactfd.network import Network
from exactfd.points import Point, Points


@dataclass(frozen=True, slots=True)
class Location:
    """The cell of the canonical polyhedral complex that contains a point, and ``F`` on it.

    Attributes
    ----------
    labels
        Ternary tuple of the cell, flat.
    dimension
        Dimension of the cell.
    matrix, offset
        ``F(x) = matrix x + offset`` on the cell, ``n_d`` rows of ``n_0`` fractions and ``n_d`` fractions; neurons
        with label 0 are masked like those with label -1 (their output is 0 on the cell either way).
    smooth
        Whether the points of the cell are parametrically smooth.
    """

    labels: tuple[int, ...]
    dimension: int
    matrix: tuple[tuple[Fraction, ...], ...]
    offset: tuple[Fraction, ...]
    smooth: bool

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values; numbers as exact text."""
        return {
            "labels": list(self.labels),
            "dimension": self.dimension,
            "matrix": [[rationals.format_rational(entry) for entry in row] for row in self.matrix],
            "offset": [rationals.format_rational(entry) for entry in self.offset],
            "smooth": self.smooth,
        }

    def __repr__(self) -> str:
        marks = "".join("-0+"[label + 1] for label in self.labels)
        return f"Location({marks}, dimension {self.dimension}, {'smooth' if self.smooth else 'not smooth'})"

    def _repr_html_(self) -> str:
        rows = " ".join(f"[{', '.join(map(rationals.format_rational, row))}]" for row in self.matrix)
        offset = ", ".join(map(rationals.format_rational, self.offset))
        return f"<code>{self!r}</code>: F(x) = {rows} x + [{offset}]"


_FAIR = (1e-60, 1e60)  # sizes of numbers with which nothing overflows or underflows on the way


def ternary_tuples(network: Network, points: Sequence[Point]) -> SignArray:
    """Exact ternary tuples of many rational points, shape ``k x sum(relu_widths)``.

    Floats with rigorous error bounds decide most of them; a point with one sign that they leave open is evaluated
    exactly. Source: arXiv 2209.04036, Definition 2.4.

    >>> net = Network([([[2], [-1]], [-5, 4]), ([[1, 1]], [1])], output_activation="relu")
    >>> ternary_tuples(net, [[fmpq(5, 2)], [fmpq(0)]]).tolist()
    [[0, 1, 1], [-1, 1, 1]]
    """
    widths = network.relu_widths
    result = np.zeros((len(points), sum(widths)), dtype=np.int8)
    values = Points.of(points, network.input_dimension).nearest
    layers = network.nearest_layers[: len(widths)]
    fair = _fair(values).all(axis=1) & all(_fair(layer).all() for layer in layers)
    errors, start = UNIT * np.abs(values), 0
    loops = compiled.loops("exactfd.geometry.location_loops")
    for layer in layers:
        if loops is not None:
            columns = np.array(layer.T, order="C")
            values, errors = loops.layer_signs(values, errors, columns, *_FAIR, fair, result, start)
            start += len(layer)
            continue
        z, bound = _affine(values, errors, layer)
        fair &= (np.abs(z) > bound).all(axis=1) & _fair(z).all(axis=1)
        signs = np.where(z > 0, 1, -1).astype(np.int8)
        result[:, start : start + len(layer)] = signs
        start += len(layer)
        values, errors = np.where(signs > 0, z, 0.0), np.where(signs > 0, bound, 0.0)
    for i in np.flatnonzero(~fair).tolist():
        result[i] = network.ternary_tuple(points[i])
    return result


def certainly_have(network: Network, points: FloatArray, labels: SignArray) -> BoolArray:
    """Which of the points, floats that are meant exactly, lie in the cells of full dimension with these labels, one row
    for each point. False also where floats leave it open.

    A neuron with label 0 vanishes on the whole region on which the labels of the layers before are the same, so nothing
    is asked of it.
    """
    layers = network.nearest_layers[: len(network.relu_widths)]
    fair: BoolArray = np.array(_fair(points).all(axis=1))
    fair &= all(_fair(layer).all() for layer in layers)
    values, errors, start = points, np.zeros_like(points), 0
    for layer in layers:
        wanted = labels[:, start : start + len(layer)]
        start += len(layer)
        z, bound = _affine(values, errors, layer)
        with np.errstate(invalid="ignore"):
            fair &= ((wanted == 0) | ((z * wanted > bound) & _fair(z))).all(axis=1)
        values, errors = np.where(wanted > 0, z, 0.0), np.where(wanted > 0, bound, 0.0)
    return fair


def _affine(values: FloatArray, errors: FloatArray, layer: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Pre-activations and bounds on their errors, for numbers that are :func:`_fair`, or 0 with error 0."""
    with np.errstate(all="ignore"):  # what overflows is not fair any more
        sizes, weights = np.abs(values), np.abs(layer)
        z = values @ layer[:, :-1].T + layer[:, -1]
        # each weight is off by one unit, each of the n + 1 products and sums by another
        reach = sizes @ weights[:, :-1].T + weights[:, -1]
        bound = (errors @ weights[:, :-1].T) * (1 + 8 * UNIT) + (layer.shape[1] + 6) * UNIT * reach
        return z, bound * (1 + 1e-9) + 1e-100


def _fair(values: FloatArray) -> BoolArray:
    sizes = np.abs(values)
    fair: BoolArray = (sizes == 0) | ((sizes > _FAIR[0]) & (sizes < _FAIR[1]))
    return fair


def locate(network: Network, point: Any) -> Location:
    """Find the cell of a rational point without enumerating any other cell. Exact.

    On the cell each layer is the affine map with the neurons of label at most 0 masked, and the cell is the part of
    the common zero set of its 0-labelled neurons where the other neurons keep their signs. So its dimension is ``n_0``
    minus the rank of the gradients of its 0-labelled neurons.

    Raises ``ShapeError`` or ``InputError`` where the point is not ``n_0`` rational numbers.

    Source: Grigsby, Lindsey, Meyerhoff, Wu, arXiv 2209.04036, Definition 2.4 and Lemma 2.8.

    >>> net = Network([([[2], [-1]], [-5, 4]), ([[1, 1]], [1])], output_activation="relu")
    >>> found = locate(net, ["5/2"])
    >>> found.labels, found.dimension, found.smooth
    ((0, 1, 1), 0, False)
    >>> found.matrix, found.offset
    (((Fraction(-1, 1),),), (Fraction(5, 1),))
    """
    n = network.input_dimension
    x = rationals.vector(point, what="point")
    if len(x) != n:
        raise ShapeError(f"point: the network has {n} inputs, found {len(x)} coordinates")
    column = fmpq_mat(n + 1, 1, [*x, fmpq(1)])
    # rows of `inputs`: the coordinates of the layer's input as affine functions of x, and the constant 1 last
    inputs = [[fmpq(int(i == j)) for j in range(n + 1)] for i in range(n + 1)]
    one = inputs[n]
    labels: list[int] = []
    walls: list[list[fmpq]] = []
    for layer in range(1, network.depth + 1):
        outputs = network.augmented(layer) * fmpq_mat(inputs)
        rows: list[list[fmpq]] = outputs.tolist()
        if layer <= len(network.relu_widths):
            values: list[fmpq] = (outputs * column).entries()
            signs = [(value > 0) - (value < 0) for value in values]
            labels += signs
            walls += [row[:n] for row, sign in zip(rows, signs, strict=True) if sign == 0]
            rows = [row if sign > 0 else [fmpq(0)] * (n + 1) for row, sign in zip(rows, signs, strict=True)]
        inputs = [*rows, one]
    exact = [[rationals.to_fraction(entry) for entry in row] for row in inputs[:-1]]
    return Location(
        labels=tuple(labels),
        dimension=n - (fmpq_mat(walls).rref()[1] if walls else 0),
        matrix=tuple(tuple(row[:n]) for row in exact),
        offset=tuple(row[n] for row in exact),
        smooth=is_smooth_tuple(labels, network.relu_widths),
    )
