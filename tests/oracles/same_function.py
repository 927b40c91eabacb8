"""Equality of two functions: the difference as one network, its cells by PPL, its affine map on each."""

from __future__ import annotations

from fractions import Fraction

from oracles import ppl_complex
from oracles.fractions_net import Layers, architecture, relu_layer_count, split_labels

Net = tuple[Layers, str]  # with its output activation


def _stages(net: Net, depth: int) -> list:
    """The same function with ``depth`` hidden layers: values are carried on as relu(z) and relu(-z)."""
    layers, activation = net
    stages = [([list(row) for row in w], list(b)) for w, b in layers]
    outputs = architecture(layers)[-1]
    unit = [[Fraction(i == j) for j in range(outputs)] for i in range(outputs)]
    if activation == "relu":
        stages.append((unit, [Fraction(0)] * outputs))
    while len(stages) <= depth:
        w, b = stages.pop()
        stages.append(([*w, *([-x for x in row] for row in w)], [*b, *(-x for x in b)]))
        stages.append(([[*row, *(-x for x in row)] for row in unit], [Fraction(0)] * outputs))
    return stages


def difference(first: Net, second: Net) -> Layers:
    """A network with affine outputs ``F_first - F_second``."""
    depth = max(relu_layer_count(*first), relu_layer_count(*second))
    one, other = _stages(first, depth), _stages(second, depth)
    result = []
    for number, ((w, b), (v, c)) in enumerate(zip(one, other, strict=True)):
        if depth == 0:
            weight = [[x - y for x, y in zip(row, line, strict=True)] for row, line in zip(w, v, strict=True)]
            return [(weight, [x - y for x, y in zip(b, c, strict=True)])]
        if number == 0:
            result.append(([*w, *v], [*b, *c]))
        elif number < depth:
            left, right = [Fraction(0)] * len(w[0]), [Fraction(0)] * len(v[0])
            result.append(([*([*row, *right] for row in w), *([*left, *row] for row in v)], [*b, *c]))
        else:
            weight = [[*row, *(-y for y in line)] for row, line in zip(w, v, strict=True)]
            result.append((weight, [x - y for x, y in zip(b, c, strict=True)]))
    return result


def affine_map(layers: Layers, labels: tuple[int, ...]) -> list[list[Fraction]]:
    """Rows (coefficients, constant) of a network with affine outputs on a cell."""
    n = architecture(layers)[0]
    rows = [[Fraction(i == j) for j in range(n + 1)] for i in range(n)]
    parts = [*split_labels(layers, "identity", labels), None]
    for (weight, bias), part in zip(layers, parts, strict=True):
        rows = [
            [sum((w * row[k] for w, row in zip(line, rows, strict=True)), Fraction(0)) + (b if k == n else 0)
             for k in range(n + 1)]
            for line, b in zip(weight, bias, strict=True)
        ]  # fmt: skip
        if part is not None:
            rows = [row if label > 0 else [Fraction(0)] * (n + 1) for row, label in zip(rows, part, strict=True)]
    return rows


def top_cells(layers: Layers, box: ppl_complex.Box | None = None) -> list[ppl_complex.Cell]:
    n = architecture(layers)[0]
    return [cell for cell in ppl_complex.cells(layers, "identity", box) if cell.dimension == n]


def equal(first: Net, second: Net, box: ppl_complex.Box | None = None) -> bool:
    layers = difference(first, second)
    return not any(any(map(any, affine_map(layers, cell.labels))) for cell in top_cells(layers, box))
