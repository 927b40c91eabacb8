"""Claims about two parameters: a fiber on which the functional dimension varies, and a path along which it jumps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from exactfd import rationals
from exactfd.budget import Budget, Progress, silent
from exactfd.certificates import Certificate, function_certificate
from exactfd.dimension import DimensionResult, functional_dimension
from exactfd.errors import InputError
from exactfd.network import Network
from exactfd.search.candidates import GENERAL, MOVE
from exactfd.search.claims import (
    Claim,
    Networks,
    Witness,
    dimension_evidence,
    everywhere_smooth,
    proved_dimension,
    require_proof,
)


class FiberDimension(Claim):
    """Two points of one fiber with different functional dimension.

    Two parameters of one architecture whose functions are equal on all of ``R^{n_0}`` and not constant, and whose
    functional dimensions are different; all of this is proved. Every ``n_0``-cell of both is parametrically smooth, so
    that no point is left out of either supremum. Candidates are sorted by their exact values at some fixed rational
    points; equal values only suggest equal functions, which are then proved cell by cell.

    Source of the question: Grigsby, Lindsey, Meyerhoff, Wu, arXiv 2209.04036, where the functional dimension is shown
    not to be constant on fibers.
    """

    name = "fiber-dimension"
    statement = "two parameters with the same function, not constant, and different functional dimension"
    architecture = (1, 1, 2, 1)
    kinds = ("integers -1 to 2",)
    free = 2

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self._known: defaultdict[Any, dict[int, Network]] = defaultdict(dict)

    def examine(self, network: Network, budget: Budget) -> Witness | None:
        """Compare with the candidates before that have the same values."""
        key = tuple(_values(network))
        if len(set(key)) == 1:
            return None
        value = proved_dimension(network, budget).lower
        if not everywhere_smooth(network, budget):
            return None
        known = self._known[key]
        others = [other for dimension, other in sorted(known.items()) if dimension != value]
        known.setdefault(value, network)
        for other in others:
            witness = self.confirm((other, network), budget)
            if witness is not None:
                return witness
        return None

    def confirm(self, networks: Networks, budget: Budget) -> Witness | None:
        """Two functional dimensions, and then a proof that the functions are equal."""
        first, second = networks
        values_at_probes = _values(first)
        if len(set(values_at_probes)) == 1 or values_at_probes != _values(second):
            return None
        results = [proved_dimension(network, budget) for network in networks]
        values = [result.value for result in results]
        if values[0] == values[1] or not all(everywhere_smooth(network, budget) for network in networks):
            return None
        equality = function_certificate(first, second, budget=budget)
        if equality.claim["relation"] != "==":
            return None

        def certify(budget: Budget, progress: Progress) -> list[tuple[str, Certificate]]:
            rest = dimension_evidence(*results)(budget, progress)
            return [("equality of the two functions", equality), *rest]

        return Witness(networks, {"functional_dimensions": values}, certify)


def _values(network: Network) -> list[tuple[Fraction, ...]]:
    """``F`` at the probes: the functions are constant only if these are all equal, and equal only if these are."""
    return [network.evaluate(point) for point in _probes(network.input_dimension)]


def _probes(dimension: int) -> list[list[Fraction]]:
    """Rational points, always the same: the origin, and points on the axes and off them."""
    distances = (Fraction(-5), Fraction(-3, 2), Fraction(-1, 3), Fraction(1, 2), Fraction(7, 5), Fraction(4))
    points = [[Fraction(0)] * dimension]
    for axis in range(dimension):
        points += [[d if j == axis else Fraction(0) for j in range(dimension)] for d in distances]
    if dimension > 1:
        points += [[d * (-1) ** j + Fraction(j, 7) for j in range(dimension)] for d in distances]
    return points


#: Where along a path the functional dimension is computed beside the start: halfway and ever closer.
TIMES = tuple(Fraction(1, 4**k) for k in range(1, 6))


def along_path(
    start: Network,
    end: Network,
    times: Sequence[Any] = TIMES,
    *,
    budget: Budget | None = None,
    progress: Progress = silent,
) -> list[DimensionResult]:
    """Functional dimension at ``theta_t = (1 - t) theta_0 + t theta_1``: at ``t = 0``, then at the given ``t``.

    Each value is proved or a pair of bounds, at these exact rational ``t`` and at no other.

    Raises ``InputError`` where the networks differ in architecture or output activation.

    >>> start = Network([([[1], [1]], [0, 0]), ([[1, 1]], [0])])
    >>> end = Network([([[1], [2]], [0, 1]), ([[1, 1]], [0])])
    >>> [result.value for result in along_path(start, end, ["1/4", "1/16"])]
    [3, 5, 5]
    """
    if (start.architecture, start.output_activation) != (end.architecture, end.output_activation):
        raise InputError(f"a path joins parameters of one architecture, found {start!r} and {end!r}")
    results = []
    steps = [Fraction(0), *map(rationals.to_fraction, rationals.vector(list(times), what="times"))]
    for number, t in enumerate(steps):
        theta = [(1 - t) * a + t * b for a, b in zip(start.theta(), end.theta(), strict=True)]
        network = Network.from_theta(start.architecture, theta, output_activation=start.output_activation)
        results.append(functional_dimension(network, budget=budget))
        progress("points of the path", number + 1, len(steps))
    return results


class NotSemicontinuous(Claim):
    """The functional dimension jumps at the start of a straight path.

    The two networks are the ends of ``theta_t = (1 - t) theta_0 + t theta_1``. The functional dimension is proved at
    ``t = 0`` and at ``t = 1/4, 1/16, ..., 1/1024``; a find has one and the same value at all of the latter and another
    one at 0. Every ``n_0``-cell is parametrically smooth at all of them. Nothing is claimed about other ``t``.

    A value at 0 *below* the others is a failure of upper semicontinuity if it persists as ``t`` goes to 0. A value
    above them can only be an effect of too large ``t``: the batches that attain ``dim_fun(theta_0)`` stay smooth, and
    keep their rank, in a neighbourhood of ``theta_0``, so the functional dimension is lower semicontinuous. Both would
    be reported; ``jump`` says which.
    """

    name = "not-semicontinuous"
    statement = "dim_fun at the start of a path differs from its one value at points of the path close to the start"
    architecture = (1, 2, 1)
    kinds = tuple(kind for kind in GENERAL if kind != MOVE)
    free = 2

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self._last: Network | None = None

    def examine(self, network: Network, budget: Budget) -> Witness | None:
        """Paths from the candidate to the one before it, and back."""
        last, self._last = self._last, network
        if last is None:
            return None
        return self.confirm((network, last), budget) or self.confirm((last, network), budget)

    def confirm(self, networks: Networks, budget: Budget) -> Witness | None:
        """Compute at all times; a start like everything near it is found out at the first."""
        start, end = networks
        at_start, closest = along_path(start, end, TIMES[-1:], budget=budget)
        if at_start.value == closest.value:
            return None
        results = along_path(start, end, budget=budget)
        if not all(everywhere_smooth(result.network, budget) for result in results):
            return None
        for result in results:
            require_proof(result)
        values = [result.value for result in results]
        if len(set(values[1:])) != 1:
            return None
        facts: dict[str, Any] = {
            "times": ["0", *map(str, TIMES)],
            "functional_dimensions": values,
            "jump": "up" if at_start.lower < closest.lower else "down",
        }
        names = [f"the parameter at t = {t}" for t in facts["times"]]
        return Witness(networks, facts, dimension_evidence(*results, names=names))
