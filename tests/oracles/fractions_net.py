"""Evaluation, labels, differentiation and elimination in plain ``Fraction`` arithmetic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

Layers = Sequence[tuple[Sequence[Sequence[Fraction]], Sequence[Fraction]]]
Point = Sequence[Fraction]


class NotSmooth(ValueError):
    """A derivative was asked for at a point where a ReLU that matters sits at zero."""


def sign(value: Fraction) -> int:
    return (value > 0) - (value < 0)


def architecture(layers: Layers) -> tuple[int, ...]:
    return (len(layers[0][0][0]), *(len(bias) for _, bias in layers))


def relu_layer_count(layers: Layers, output_activation: str) -> int:
    return len(layers) if output_activation == "relu" else len(layers) - 1


def preactivations(layers: Layers, point: Point) -> list[list[Fraction]]:
    """``z^1, ..., z^d``; every layer but the last feeds its ReLU into the next."""
    result = []
    x = [Fraction(value) for value in point]
    for weight, bias in layers:
        z = [sum((w * v for w, v in zip(row, x, strict=True)), b) for row, b in zip(weight, bias, strict=True)]
        result.append(z)
        x = [max(value, Fraction(0)) for value in z]
    return result


def evaluate(layers: Layers, output_activation: str, point: Point) -> list[Fraction]:
    z = preactivations(layers, point)[-1]
    return [max(value, Fraction(0)) for value in z] if output_activation == "relu" else z


def ternary_tuple(layers: Layers, output_activation: str, point: Point) -> tuple[int, ...]:
    z = preactivations(layers, point)[: relu_layer_count(layers, output_activation)]
    return tuple(sign(value) for layer in z for value in layer)


def split_labels(layers: Layers, output_activation: str, labels: Sequence[int]) -> list[list[int]]:
    """The flat tuple cut into its layers."""
    result, start = [], 0
    for _, bias in layers[: relu_layer_count(layers, output_activation)]:
        result.append(list(labels[start : start + len(bias)]))
        start += len(bias)
    assert start == len(labels)
    return result


def is_smooth(layers: Layers, output_activation: str, labels: Sequence[int]) -> bool:
    """Literal search: no path that starts at a neuron labelled 0 and meets no -1 reaches an output.

    Every pair of neurons of adjacent layers is an arc, whatever the weight is: parameters nearby have it nonzero.
    """
    by_layer = split_labels(layers, output_activation, labels)
    sizes = [len(bias) for _, bias in layers]
    last = len(sizes) - 1

    def reaches_output(layer: int, neuron: int) -> bool:
        if layer < len(by_layer) and by_layer[layer][neuron] == -1:
            return False
        if layer == last:
            return True
        return any(reaches_output(layer + 1, successor) for successor in range(sizes[layer + 1]))

    return not any(
        label == 0 and reaches_output(layer, neuron)
        for layer, row in enumerate(by_layer)
        for neuron, label in enumerate(row)
    )


# ------------------------------------------------------------------ differentiation by dual numbers


Dual = tuple[Fraction, Fraction]


def theta(layers: Layers) -> list[Fraction]:
    """Layers in order, row by row, (weights, bias)."""
    return [entry for weight, bias in layers for row, b in zip(weight, bias, strict=True) for entry in (*row, b)]


def _parameter_slots(layers: Layers) -> Iterator[tuple[int, int, int]]:
    """(layer, row, column) in the order of ``theta``; the last column is the bias."""
    for layer, (weight, _) in enumerate(layers):
        for row, entries in enumerate(weight):
            for column in range(len(entries) + 1):
                yield layer, row, column


def _derivative(layers: Layers, output_activation: str, point: Point, slot: tuple[int, int, int]) -> list[Fraction]:
    """Derivative of every output along one parameter: one pass with dual numbers ``value + derivative * epsilon``."""
    x: list[Dual] = [(Fraction(value), Fraction(0)) for value in point]
    relu_layers = relu_layer_count(layers, output_activation)
    for layer, (weight, bias) in enumerate(layers):
        z: list[Dual] = []
        for row, (entries, b) in enumerate(zip(weight, bias, strict=True)):
            value, derivative = b, Fraction((layer, row, len(entries)) == slot)
            for column, (w, (xv, xd)) in enumerate(zip(entries, x, strict=True)):
                seed = Fraction((layer, row, column) == slot)
                value += w * xv
                derivative += w * xd + seed * xv
            z.append((value, derivative))
        # A zero value is only met where it is masked (the caller has checked), so its one-sided choice is free.
        x = [(v, d) if v > 0 else (Fraction(0), Fraction(0)) for v, d in z] if layer < relu_layers else z
    return [d for _, d in x]


def jacobian(layers: Layers, output_activation: str, points: Sequence[Point]) -> list[list[Fraction]]:
    """Rows point by point and output by output inside a point; columns in the order of ``theta``."""
    rows: list[list[Fraction]] = []
    for point in points:
        labels = ternary_tuple(layers, output_activation, point)
        if not is_smooth(layers, output_activation, labels):
            raise NotSmooth(f"{list(map(str, point))} has labels {labels}")
        columns = [_derivative(layers, output_activation, point, slot) for slot in _parameter_slots(layers)]
        rows += [list(row) for row in zip(*columns, strict=True)]
    return rows


# ------------------------------------------------------------------ elimination


def _reduced(rows: Sequence[Sequence[Fraction]]) -> tuple[list[list[Fraction]], list[int]]:
    """Reduced row echelon form (nonzero rows) and its pivot columns."""
    echelon: list[list[Fraction]] = []
    pivots: list[int] = []
    for source in rows:
        row = [Fraction(entry) for entry in source]
        for pivot, known in zip(pivots, echelon, strict=True):
            if row[pivot] != 0:
                factor = row[pivot]
                row = [a - factor * b for a, b in zip(row, known, strict=True)]
        column = next((j for j, entry in enumerate(row) if entry != 0), None)
        if column is None:
            continue
        head = row[column]
        row = [entry / head for entry in row]
        for index, known in enumerate(echelon):
            if known[column] != 0:
                factor = known[column]
                echelon[index] = [a - factor * b for a, b in zip(known, row, strict=True)]
        echelon.append(row)
        pivots.append(column)
    return echelon, pivots


def rank(rows: Sequence[Sequence[Fraction]]) -> int:
    return len(_reduced(rows)[1])


def kernel(rows: Sequence[Sequence[Fraction]], columns: int) -> list[list[Fraction]]:
    """A basis of ``{v : rows v = 0}``."""
    echelon, pivots = _reduced(rows)
    basis = []
    for free in sorted(set(range(columns)) - set(pivots)):
        vector = [Fraction(0)] * columns
        vector[free] = Fraction(1)
        for pivot, row in zip(pivots, echelon, strict=True):
            vector[pivot] = -row[free]
        basis.append(vector)
    return basis


def same_span(first: Sequence[Sequence[Fraction]], second: Sequence[Sequence[Fraction]]) -> bool:
    return rank(first) == rank(second) == rank([*first, *second])


def determinant(rows: Sequence[Sequence[Fraction | int]]) -> Fraction | int:
    """Laplace expansion along the first row: exponential, and nothing to get wrong. Integers stay integers."""
    if not rows:
        return 1
    return sum(
        (-1) ** j * entry * determinant([[*row[:j], *row[j + 1 :]] for row in rows[1:]])
        for j, entry in enumerate(rows[0])
        if entry != 0
    )
