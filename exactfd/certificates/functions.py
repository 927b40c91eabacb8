"""Certificates that two networks have the same function on all of ``R^{n_0}``, or not."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from flint import fmpq

from exactfd.budget import Budget, Progress, silent
from exactfd.certificates.document import Certificate, texts
from exactfd.certificates.trees import open_tree
from exactfd.errors import InternalError, ShapeError
from exactfd.geometry.location import locate
from exactfd.geometry.splitting import TreeNode, common_refinement
from exactfd.network import Network


def function_certificate(
    first: Network, second: Network, *, budget: Budget | None = None, progress: Progress = silent
) -> Certificate:
    """Decide whether two networks have the same function, and prove it: by the affine maps on every cell of their
    common refinement, or by one rational point where the values differ.

    Architectures may differ; raises ``ShapeError`` where inputs or outputs do not agree in number.
    """
    for name in ("input_dimension", "output_dimension"):
        sizes = getattr(first, name), getattr(second, name)
        if sizes[0] != sizes[1]:
            raise ShapeError(f"the networks have different {name.replace('_', 's ')}s: {sizes[0]} and {sizes[1]}")
    claim = {"quantity": "function", "relation": "==", "other": second.to_dict()}
    tree = common_refinement([first, second], budget=budget, progress=progress)
    for point in _leaf_points(tree):
        one, two = locate(first, point), locate(second, point)
        if (one.matrix, one.offset) != (two.matrix, two.offset):
            evidence = {"point": {"at": texts(_separating_point(first, second, point))}}
            return Certificate(first, {**claim, "relation": "!="}, evidence)
    return Certificate(first, claim, {"tree": open_tree(tree, leaves="empty")})


def symmetry_certificate(
    first: Network, second: Network, permutations: list[list[int]], scales: list[list[fmpq]]
) -> Certificate:
    """Certificate of equality by a permutation and positive scales for each hidden layer (``certificate-v1``,
    section 4).
    """
    claim = {"quantity": "function", "relation": "==", "other": second.to_dict()}
    symmetry = {"permutations": permutations, "scales": [texts(layer) for layer in scales]}
    return Certificate(first, claim, {"symmetry": symmetry})


def _leaf_points(tree: TreeNode) -> Any:
    stack = [tree]
    while stack:
        node = stack.pop()
        if node.neuron is None:
            yield node.point
        stack += node.children.values()


def _separating_point(first: Network, second: Network, point: tuple[Fraction, ...]) -> tuple[Fraction, ...]:
    """A point of the same cell where two different affine maps differ: the given one or a displaced one.

    Affine maps that agree at ``n_0 + 1`` affinely independent points are equal.
    """
    if first.evaluate(point) != second.evaluate(point):
        return point
    labels = first.ternary_tuple(point), second.ternary_tuple(point)
    for axis in range(len(point)):
        for bits in range(0, 1 << 20, 4):
            moved = (*point[:axis], point[axis] + Fraction(1, 1 << bits), *point[axis + 1 :])
            if first.evaluate(moved) != second.evaluate(moved):
                return moved
            if (first.ternary_tuple(moved), second.ternary_tuple(moved)) == labels:
                break  # inside the cell and equal: this axis does not tell them apart
    raise InternalError("two different affine maps agree at n_0 + 1 independent points")
