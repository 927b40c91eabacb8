"""Splitting trees: which label each neuron can have, and why it can have no other."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from exactfd.geometry.programs import Infeasible

#: What a row of a linear program stands for: ``("neuron", flat index)``, ``("lower", j)`` or ``("upper", j)`` (walls).
Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Refutation:
    """Why a label cannot occur: multipliers of the conditions on the path and of the refuted one (the last key).

    The condition of neuron ``k`` with label ``s = +1`` or ``-1`` is ``s z_k(x) > 0`` and with label 0 it is
    ``z_k(x) = 0``, where ``z_k`` is its pre-activation as an affine function on the node; those of the walls are
    ``x_j - lo_j > 0`` and ``hi_j - x_j > 0``. ``multipliers`` refers to these; ``evidence`` to the same conditions
    times positive integers, and checks itself.
    """

    multipliers: dict[Key, int]
    evidence: Infeasible


@dataclass(slots=True)
class TreeNode:
    """One node of a splitting tree; at a leaf ``neuron`` is None and ``point`` is strictly inside the cell.

    ``children`` and ``refutations`` together hold all three labels, but for the label 0 of a neuron that is not
    constant on the node (no ``n_0``-dimensional cell has it) and the labels +1 and -1 of one that is
    ``identically_zero`` (nothing to prove).
    """

    neuron: int | None = None
    identically_zero: bool = False
    children: dict[int, TreeNode] = field(default_factory=dict)
    refutations: dict[int, Refutation] = field(default_factory=dict)
    point: tuple[Fraction, ...] | None = None
