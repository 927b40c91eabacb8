"""Upper bounds on ranks of batches that activation patterns give, whatever the digits of weights and points are."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from exactfd.budget import Budget
from exactfd.jacobians import FloatArray, ModularNetwork, SignArray
from exactfd.network import Network
from exactfd.patterns import deep, several, shallow


class PatternBound(Protocol):
    """An upper bound on the rank of rows at smooth points."""

    def __call__(
        self, reduced: ModularNetwork, labels: SignArray, kernel: FloatArray, budget: Budget, *, points: int = 1
    ) -> int:
        """By a network modulo a prime, labels (``m x N``) of so many points each, and vectors (``q x D``).

        Raises ``BudgetExceeded``.
        """


class PatternWay(NamedTuple):
    """How patterns bound ranks for networks of some kind.

    Attributes
    ----------
    vectors_wanted, bytes_wanted
        How many kernel vectors the bound asks for, for rows at points with some labels (``m x N``), and about how much
        memory so many and the bound need.
    effort
        What that takes, about, in multiplications of the ways that solve for vectors.
    value
        The bound.
    """

    vectors_wanted: Callable[[Network, SignArray], int]
    bytes_wanted: Callable[[Network, SignArray, int], int]
    effort: float
    value: PatternBound


def pattern_way(network: Network) -> PatternWay | None:
    """The way to bound ranks for a network, if there is one."""
    if shallow.applies(network):
        return PatternWay(shallow.vectors_wanted, shallow.bytes_wanted, 0.0, shallow.pattern_bound)
    for way in (deep, several):
        if way.applies(network):
            return PatternWay(way.vectors_wanted, way.bytes_wanted, way.effort(network), way.pattern_bound)
    return None
