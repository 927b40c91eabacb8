"""Small certificates by plain code: fractions, brute force, and nothing of the project.

Refutations come from trying all sets of at most n_0 + 1 conditions (a minimal contradiction has no more), points of
cells from averaging the vertices of the cell in a large box.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from fractions import Fraction
from typing import Any

Row = list[Fraction]
FAR = 10_000


def fractions(rows: Any) -> Any:
    return [fractions(row) for row in rows] if isinstance(rows, list | tuple) else Fraction(rows)


def text(value: Any) -> Any:
    return [text(v) for v in value] if isinstance(value, list | tuple) else str(Fraction(value))


def sign(x: Fraction) -> int:
    return (x > 0) - (x < 0)


def dot(a: Any, b: Any) -> Fraction:
    return sum((x * y for x, y in zip(a, b, strict=True)), Fraction(0))


def reduced(rows: list[Row]) -> tuple[list[Row], list[int]]:
    """Reduced row echelon form without zero rows, and its pivot columns."""
    rows, pivots = [list(row) for row in rows], []
    for column in range(len(rows[0]) if rows else 0):
        found = next((r for r in range(len(pivots), len(rows)) if rows[r][column]), None)
        if found is None:
            continue
        here = len(pivots)
        rows[here], rows[found] = rows[found], rows[here]
        rows[here] = [x / rows[here][column] for x in rows[here]]
        for r in range(len(rows)):
            if r != here:
                rows[r] = [x - rows[r][column] * y for x, y in zip(rows[r], rows[here], strict=True)]
        pivots.append(column)
    return rows[: len(pivots)], pivots


def nullspace(rows: list[Row], width: int) -> tuple[list[Row], list[int]]:
    """Basis, and for each vector a column in which it is 1 and the others 0."""
    echelon, pivots = reduced(rows)
    free = [c for c in range(width) if c not in pivots]
    basis = []
    for c in free:
        vector = [Fraction(int(i == c)) for i in range(width)]
        for row, pivot in zip(echelon, pivots, strict=True):
            vector[pivot] = -row[c]
        basis.append(vector)
    return basis, free


def integral(vector: Row) -> list[int]:
    scale = math.lcm(*(x.denominator for x in vector))
    whole = [int(x * scale) for x in vector]
    return [x // (math.gcd(*whole) or 1) for x in whole]


class Net:
    """Augmented matrices over Q."""

    def __init__(self, *layers: Any, relu: bool = False) -> None:
        self.layers: list[list[Row]] = [fractions(layer) for layer in layers]
        self.relu = relu
        self.sizes = [len(self.layers[0][0]) - 1, *(len(layer) for layer in self.layers)]
        self.relu_layers = self.layers if relu else self.layers[:-1]
        self.D = sum(len(layer) * len(layer[0]) for layer in self.layers)
        self.top = self.D - sum(self.sizes[1:-1])

    def document(self) -> dict[str, Any]:
        return {
            "format": "exactfd-network",
            "version": 1,
            "architecture": self.sizes,
            "output_activation": "relu" if self.relu else "identity",
            "layers": [
                {"weight": text([row[:-1] for row in layer]), "bias": text([row[-1] for row in layer])}
                for layer in self.layers
            ],
        }

    def labels(self, point: Any) -> list[int]:
        """The ternary tuple, flat."""
        values, found = fractions(point), []
        for layer in self.relu_layers:
            z = [dot(row, [*values, 1]) for row in layer]
            found += [sign(v) for v in z]
            values = [max(v, Fraction(0)) for v in z]
        return found

    def by_layer(self, labels: list[int]) -> list[list[int]]:
        rest = iter(labels)
        return [[next(rest) for _ in layer] for layer in self.relu_layers]

    def smooth(self, labels: list[int]) -> bool:
        layers = self.by_layer(labels)
        return all(
            s != 0 or any(set(later) == {-1} for later in layers[number + 1 :])
            for number, layer in enumerate(layers)
            for s in layer
        )

    def forms(self, labels: list[int]) -> tuple[list[Row], list[Row]]:
        """Affine functions of all ReLU neurons, and of the outputs, for given labels (missing ones count as -1)."""
        n = self.sizes[0]
        inputs = [[Fraction(int(i == k)) for i in range(n + 1)] for k in range(n + 1)]
        rest, neurons = iter(labels), []
        for number, layer in enumerate(self.layers):
            z = [[dot(row, column) for column in zip(*inputs, strict=True)] for row in layer]
            if number < len(self.relu_layers):
                neurons += z
                z = [row if next(rest, -1) == 1 else [Fraction(0)] * (n + 1) for row in z]
            inputs = [*z, [Fraction(0)] * n + [Fraction(1)]]
        return neurons, inputs[:-1]

    def value(self, point: Any) -> Row:
        _, outputs = self.forms(self.labels(point))
        return [dot(row, [*fractions(point), 1]) for row in outputs]

    def jacobian(self, labels: list[int]) -> list[list[Row]]:
        """Rows by output and coefficient: each parameter is changed by 1, all labels kept (F is affine in each)."""
        _, here = self.forms(labels)
        columns = []
        for layer in self.layers:
            for row in layer:
                for k in range(len(row)):
                    row[k] += 1
                    columns.append(self.forms(labels)[1])
                    row[k] -= 1
        return [
            [[column[o][c] - here[o][c] for column in columns] for c in range(self.sizes[0] + 1)]
            for o in range(self.sizes[-1])
        ]

    def rows_at(self, points: Any) -> list[Row]:
        """The Jacobian of Ev_Z."""
        rows = []
        for point in fractions(points):
            weights = [*point, Fraction(1)]
            for block in self.jacobian(self.labels(point)):
                rows += [[dot(weights, column) for column in zip(*block, strict=True)]]
        return rows


def refutation(conditions: list[tuple[str, int, Row]]) -> dict[str, str] | None:
    """Multipliers that show that the last of the conditions (key, sign, form) contradicts the others, or None."""
    n = len(conditions[-1][2]) - 1
    for size in range(n + 1):
        for chosen in itertools.combinations(conditions[:-1], size):
            used = [*chosen, conditions[-1]]
            signed = [[(s or 1) * x for x in form] for _, s, form in used]
            basis, _ = nullspace([list(column) for column in zip(*(f[:-1] for f in signed), strict=True)], len(used))
            if len(basis) != 1:
                continue
            for factor in (1, -1):
                values = [factor * x for x in integral(basis[0])]
                gamma = sum(v * f[-1] for v, f in zip(values, signed, strict=True))
                strict = any(v and s for v, (_, s, _) in zip(values, used, strict=True))
                positive = all(v >= 0 for v, (_, s, _) in zip(values, used, strict=True) if s)
                if positive and values[-1] and (gamma <= 0 if strict else gamma != 0):
                    return {key: str(v) for v, (key, _, _) in zip(values, used, strict=True) if v}
    return None


def tree(nets: list[Net], mode: str, *, box: Any = None, points: bool = False) -> list[dict[str, Any]]:
    """Nodes in preorder."""
    n = nets[0].sizes[0]
    size = sum(len(layer) for net in nets for layer in net.relu_layers)
    walls = []
    for i in range(n if box else 0):
        unit = [Fraction(int(i == k)) for k in range(n)]
        walls.append((f"lo {i}", 1, [*unit, -Fraction(box[0][i])]))
        walls.append((f"hi {i}", 1, [*(-x for x in unit), Fraction(box[1][i])]))
    nodes: list[dict[str, Any]] = []
    stack: list[list[int]] = [[]]
    while stack:
        labels = stack.pop()
        forms, rest = [], labels
        for net in nets:
            own = net.forms(rest)[0]
            forms += own
            rest = rest[len(own) :]
        conditions = [*walls, *((str(j), s, forms[j]) for j, s in enumerate(labels))]
        if len(labels) == size:
            nodes.append({"point": text(inside(conditions, n))} if points else {})
            continue
        form = forms[len(labels)]
        if not any(form):
            nodes.append({"children": [0]})
            stack.append([*labels, 0])
            continue
        children, refute = [], {}
        for label in (1, -1) if mode == "open" else (1, 0, -1):
            found = refutation([*conditions, (str(len(labels)), label, form)])
            if found is None:
                children.append(label)
            else:
                refute[str(label)] = found
        nodes.append({"children": children, **({"refute": refute} if refute else {})})
        stack += [[*labels, label] for label in reversed(children)]
    return nodes


def inside(conditions: list[tuple[str, int, Row]], n: int) -> Row:
    """A point of a nonempty cell: the average of the vertices of its closure in a large box."""
    bounds = []
    for i in range(n):
        unit = [Fraction(int(i == k)) for k in range(n)]
        bounds += [("", 1, [*unit, Fraction(FAR)]), ("", 1, [*(-x for x in unit), Fraction(FAR)])]
    everything = [*conditions, *bounds]
    vertices = []
    for chosen in itertools.combinations(everything, n):
        echelon, pivots = reduced([form for _, _, form in chosen])
        if pivots == list(range(n)):
            vertex = [-row[-1] for row in echelon]
            values = [(s, dot(form, [*vertex, 1])) for _, s, form in everything]
            if all(v == 0 if s == 0 else s * v >= 0 for s, v in values):
                vertices.append(vertex)
    return [sum(column, Fraction(0)) / len(vertices) for column in zip(*vertices, strict=True)]


# ---------------------------------------------------------------------------------------------------- documents


def digest(network: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(network, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def certificate(net: Net, claim: dict[str, Any], evidence: dict[str, Any]) -> dict[str, Any]:
    network = net.document()
    return {
        "format": "exactfd-certificate",
        "version": 1,
        "produced_by": "by hand",
        "network": network,
        "digest": digest(network),
        "claim": claim,
        "evidence": evidence,
    }


def minor(rows: list[Row], prime: int = 2**61 - 1) -> dict[str, Any]:
    """Independent rows and columns."""
    _, columns = reduced(rows)
    _, independent = reduced([list(column) for column in zip(*rows, strict=True)])
    return {"rule": "minor", "prime": prime, "rows": independent, "columns": columns}


def kernel(rows: list[Row], width: int) -> dict[str, Any]:
    basis, free = nullspace(rows, width)
    vectors = [[[i, str(x)] for i, x in enumerate(integral(vector)) if x] for vector in basis]
    return {"rule": "kernel", "columns": free, "vectors": vectors}


def smooth_leaves(net: Net) -> list[list[int]]:
    """Labels of the smooth cells of full dimension."""
    cells = (node["point"] for node in tree([net], "open", points=True) if "point" in node)
    return [labels for labels in map(net.labels, cells) if net.smooth(labels)]


def batch_rank(net: Net, points: Any, relation: str = "==", upper: str = "kernel") -> dict[str, Any]:
    rows = net.rows_at(points)
    rank = len(reduced(rows)[1])
    value = {"kernel": rank, "size": len(rows), "theory": net.top}[upper]
    lower = minor(rows)
    parts = {"lower": lower, "upper": kernel(rows, net.D) if upper == "kernel" else {"rule": upper}}
    wanted = {"==": ["lower", "upper"], ">=": ["lower"], "<=": ["upper"]}[relation]
    claim = {"quantity": "batch_rank", "relation": relation, "value": value, "points": text(points)}
    return certificate(net, claim, {key: parts[key] for key in wanted})


def spread(net: Net) -> list[Row]:
    """In every smooth cell of full dimension n_0 + 1 points that no hyperplane contains."""
    points = []
    for node in tree([net], "open", points=True):
        if "point" in node and net.smooth(net.labels(node["point"])):
            centre = fractions(node["point"])
            points.append(centre)
            for i in range(len(centre)):
                step = Fraction(1)
                while net.labels(moved := [x + step * (i == k) for k, x in enumerate(centre)]) != net.labels(centre):
                    step /= 2
                points.append(moved)
    return points


def functional_dimension(net: Net, relation: str = "==", upper: str = "kernel") -> dict[str, Any]:
    rows = [row for labels in smooth_leaves(net) for block in net.jacobian(labels) for row in block]
    points = spread(net)
    lower = {**minor(net.rows_at(points)), "points": text(points)}
    value = net.top if upper == "theory" else len(lower["rows"])
    whole = {**kernel(rows, net.D), "tree": tree([net], "open")}
    parts = {"lower": lower, "upper": whole if upper == "kernel" else {"rule": upper}}
    wanted = {"==": ["lower", "upper"], ">=": ["lower"], "<=": ["upper"]}[relation]
    claim = {"quantity": "functional_dimension", "relation": relation, "value": value}
    return certificate(net, claim, {key: parts[key] for key in wanted})


def top_cells(net: Net, box: Any = None) -> dict[str, Any]:
    nodes = tree([net], "open", box=box, points=True)
    value = sum("point" in node for node in nodes)
    claim = {"quantity": "top_cells", "relation": "==", "value": value, "box": text(box) if box else None}
    return certificate(net, claim, {"tree": nodes})


def f_vector(net: Net) -> dict[str, Any]:
    nodes = tree([net], "all", points=True)
    counts = [0] * (net.sizes[0] + 1)
    for node in nodes:
        if "point" in node:
            labels = net.labels(node["point"])
            zero = [f[:-1] for f, s in zip(net.forms(labels)[0], labels, strict=True) if s == 0]
            counts[net.sizes[0] - len(reduced(zero)[1])] += 1
    claim = {"quantity": "f_vector", "relation": "==", "value": counts, "box": None}
    return certificate(net, claim, {"tree": nodes})


def function(net: Net, other: Net, relation: str, evidence: dict[str, Any]) -> dict[str, Any]:
    claim = {"quantity": "function", "relation": relation, "other": other.document()}
    return certificate(net, claim, evidence)


def same_function(net: Net, other: Net) -> dict[str, Any]:
    return function(net, other, "==", {"tree": tree([net, other], "open")})


def moved(net: Net, permutations: list[list[int]], scales: Any) -> Net:
    """Neurons of the hidden layers permuted and rescaled."""
    layers = [[list(row) for row in layer] for layer in net.layers]
    for number, (order, factors) in enumerate(zip(permutations, fractions(scales), strict=True)):
        layers[number] = [[s * x for x in layers[number][k]] for k, s in zip(order, factors, strict=True)]
        layers[number + 1] = [
            [*(row[k] / s for k, s in zip(order, factors, strict=True)), row[-1]] for row in layers[number + 1]
        ]
    return Net(*layers, relu=net.relu)


# ------------------------------------------------------------------------------------------------------ networks

NETS = {
    # Example 1.1 of arXiv 2209.04036
    "glmw": Net([[2, -5], [-1, 4]], [[1, 1, 1]], relu=True),
    "absolute": Net([[1, 0], [-1, 0]], [[1, 1, 0]]),
    "corner": Net([[1, 0, 0], [0, 1, 0]], [[1, -1, "1/2"]]),
    "fractional": Net([["1/2", "-1/3", 1], ["2/7", 1, "-1/5"], [1, 1, 0]], [["3/4", 1, -2, "1/9"], [1, -1, 1, 0]]),
    "two layers": Net([[1, "1/3", 0], ["-1/2", 1, 1]], [[1, -2, "1/2"], [1, 1, -3]], [[1, -1, 0]], relu=True),
    "dead": Net([[1, 0], [-1, 0]], [[-1, -1, -1], [1, -1, "1/2"]], [[1, 1, 0]]),
    "duplicate": Net([[1, 1], [2, 2], [0, 0]], [[1, -1, 1, 0]]),
    "chain": Net([[1, 0]], [[1, -1]], [["-1/2", 2]], [[1, 1]]),
    "parallel": Net([[1, 0, 0], [1, 0, 1], [0, 0, 1]], [[1, 1, 1, -5]], relu=True),
    "three outputs": Net([[1, 2], [-1, "1/2"]], [[1, 1, 0], ["1/3", -1, 1], [0, 2, -1]]),
    "two inputs, three outputs": Net([[1, -1, "1/2"]], [[1, 0], [-2, 1], [1, "-1/5"]], relu=True),
    # denominators that no float holds, different ones in the two layers
    "long": Net([[1 + Fraction(1, 3**40), 0]], [[1 + Fraction(1, 5**31), Fraction(1, 7)]], relu=True),
    "affine": Net([[1, 2, 3]]),
    "always zero": Net([[1, 0]], [[1, 0], [-1, 0]], [[0, 0, 0], [1, 1, 0]], [[1, 1, 0]]),
}
