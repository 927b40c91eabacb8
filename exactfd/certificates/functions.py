"""Certificates that two networks have the same function on all of ``R^{n_0}``, or not."""

from __future__ import annotations

from flint import fmpq

from exactfd.budget import Budget, Progress, silent
from exactfd.certificates.document import Certificate, texts
from exactfd.certificates.trees import open_tree
from exactfd.errors import BudgetExceeded, InputError
from exactfd.network import Network
from exactfd.symmetry.equality import EqualityResult, compare_functions


def function_certificate(
    first: Network, second: Network, *, budget: Budget | None = None, progress: Progress = silent
) -> Certificate:
    """Decide whether two networks have the same function, and prove it: by a permutation and positive scales, by the
    affine maps on every cell of their common refinement, or by one rational point where the values differ.

    Architectures may differ; raises ``ShapeError`` where inputs or outputs do not agree in number, and
    ``BudgetExceeded`` when a limit runs out.
    """
    result = compare_functions(first, second, budget=budget, progress=progress, tree=True)
    if result.limit is not None:
        raise BudgetExceeded(result.limit)
    return equality_certificate(result)


def equality_certificate(
    result: EqualityResult, *, budget: Budget | None = None, progress: Progress = silent
) -> Certificate:
    """The certificate of a comparison. The cells are walked again (within ``budget``) where their tree was not kept.

    Raises ``InputError`` where nothing is proved, or equality on a box alone, which no certificate can say.
    """
    first, second = result.first, result.second
    claim = {"quantity": "function", "relation": "==", "other": second.to_dict()}
    if result.equal is None:
        raise InputError(f"a certificate needs an answer, found none: {result.limit}")
    if result.witness is not None:
        return Certificate(first, {**claim, "relation": "!="}, {"point": {"at": texts(result.witness.point)}})
    if result.symmetry is not None:
        return Certificate(first, claim, {"symmetry": result.symmetry.to_dict()})
    if result.box is not None:
        raise InputError("certificates of equality are about all of space, found equality on a box; leave out the box")
    if result.tree is None:
        return function_certificate(first, second, budget=budget, progress=progress)
    return Certificate(first, claim, {"tree": open_tree(result.tree, leaves="empty")})


def symmetry_certificate(
    first: Network, second: Network, permutations: list[list[int]], scales: list[list[fmpq]]
) -> Certificate:
    """Certificate of equality by a permutation and positive scales for each hidden layer (``certificate-v1``,
    section 4).
    """
    claim = {"quantity": "function", "relation": "==", "other": second.to_dict()}
    symmetry = {"permutations": permutations, "scales": [texts(layer) for layer in scales]}
    return Certificate(first, claim, {"symmetry": symmetry})
