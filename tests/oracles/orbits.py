"""Whether permutations and positive scalings relate two parameters: every permutation tried, scales solved for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import permutations, product

from oracles.fractions_net import Layers, architecture

Node = tuple[int, int]  # layer (0: inputs), neuron; biases are attached to (-1, 0)


def image(layers: Layers, orders: Sequence[Sequence[int]], scales: Sequence[Sequence[Fraction]]) -> list:
    """The formula of docs/certificate-v1.md, section 4, entry by entry."""
    sizes = architecture(layers)
    pi = [range(sizes[0]), *orders, range(sizes[-1])]
    s = [[Fraction(1)] * sizes[0], *scales, [Fraction(1)] * sizes[-1]]
    result = []
    for number, (weight, bias) in enumerate(layers, start=1):
        rows = [
            [
                s[number][i] * weight[pi[number][i]][pi[number - 1][j]] / s[number - 1][j]
                for j in range(sizes[number - 1])
            ]
            for i in range(sizes[number])
        ]
        result.append((rows, [s[number][i] * bias[pi[number][i]] for i in range(sizes[number])]))
    return result


def _ratios(first: Layers, second: Layers) -> Iterator[tuple[Node, Node, Fraction | None]]:
    """For each pair of entries that are not both zero: (to, from, second / first), None where that is not positive."""
    for number, ((w, b), (v, c)) in enumerate(zip(first, second, strict=True), start=1):
        for i, (row, other) in enumerate(zip(w, v, strict=True)):
            pairs = [((number - 1, j), *entries) for j, entries in enumerate(zip(row, other, strict=True))]
            for source, x, y in [*pairs, ((-1, 0), b[i], c[i])]:
                if x or y:
                    yield (number, i), source, y / x if x * y > 0 else None


def scales_exist(first: Layers, second: Layers) -> bool:
    """Whether positive scales alone carry one parameter to the other: a potential on the graph of nonzero weights."""
    depth = len(first)
    edges: dict[Node, list[tuple[Node, Fraction]]] = {}
    for target, source, ratio in _ratios(first, second):
        if ratio is None:
            return False
        edges.setdefault(target, []).append((source, 1 / ratio))  # scale of the source = scale of the target / ratio
        edges.setdefault(source, []).append((target, ratio))
    known = {node: Fraction(1) for node in edges if node[0] in (-1, 0, depth)}
    queue = list(known)
    for start in [*edges, None]:
        for node in queue:
            for other, factor in edges.get(node, []):
                if other not in known:
                    known[other] = known[node] * factor
                    queue.append(other)
                elif known[other] != known[node] * factor:
                    return False
        if start is not None and start not in known:
            known[start] = Fraction(1)
            queue = [start]
        else:
            queue = []
    return True


def related(first: Layers, second: Layers) -> bool:
    if architecture(first) != architecture(second):
        return False
    hidden = architecture(first)[1:-1]
    ones = [[Fraction(1)] * n for n in hidden]
    choices = product(*(permutations(range(n)) for n in hidden))
    return any(scales_exist(image(first, orders, ones), second) for orders in choices)
