"""Claims about batches of points: one that misses the supremum, and a float rank that is wrong."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

from exactfd.batches import BatchResult, batch_functional_dimension
from exactfd.budget import Budget, Progress
from exactfd.certificates import Certificate, batch_certificate
from exactfd.errors import BudgetExceeded
from exactfd.geometry.labels import is_smooth_tuple
from exactfd.network import Network
from exactfd.search.candidates import MOVE
from exactfd.search.claims import Claim, Networks, Witness, dimension_evidence, proved_dimension

#: Normal points are rounded to multiples of this, and are exact from then on.
STEP = Fraction(1, 256)


class _OfBatch(Claim):
    """Claims about the ``2 D'`` first smooth points of one sequence, the same for all networks with as many inputs.

    The sequence is that of independent standard normal points, rounded; the seed of the search fixes it.
    """

    def batch(self, network: Network) -> list[list[Fraction]]:
        """The points; those where the network is not smooth are passed over."""
        rng = random.Random(f"{self.seed} {network.input_dimension}")  # the same points for the same seed, always
        found: list[list[Fraction]] = []
        for _ in range(8 * network.upper_bound):
            point = [round(rng.gauss(0, 1) / STEP) * STEP for _ in range(network.input_dimension)]
            if is_smooth_tuple(network.ternary_tuple(point), network.relu_widths):
                found.append(point)
                if len(found) == 2 * network.upper_bound:
                    break
        return found

    def _rank(self, network: Network, budget: Budget) -> tuple[list[list[Fraction]], BatchResult | None]:
        points = self.batch(network)
        if len(points) < 2 * network.upper_bound:
            return points, None
        result = batch_functional_dimension(network, points, budget=budget)
        if result.limit is not None:
            raise BudgetExceeded(result.limit)
        return points, result


def _is_float(value: Fraction) -> bool:
    """Whether float64 holds a number of ordinary size exactly."""
    p, q = abs(value.numerator), value.denominator
    return p < 2**53 and q <= 2**1000 and q & (q - 1) == 0


class BatchMissesSupremum(_OfBatch):
    """``2 D'`` normally distributed points whose rank is below the functional dimension; both numbers are proved.

    Functional dimension is estimated in the literature by the rank on such a batch ([GLR], section 5).
    """

    name = "batch-misses-supremum"
    statement = "the rank on 2 D' normally distributed points is below dim_fun(theta)"
    architecture = (2, 5, 5, 1)
    kinds = ("normal weights", "small integers", MOVE, "small rationals")
    _gap: int | None = None

    def confirm(self, networks: Networks, budget: Budget) -> Witness | None:
        """Both numbers."""
        (network,) = networks
        self._gap = None
        points, batch = self._rank(network, budget)
        if batch is None or batch.rank == network.upper_bound:
            return None
        whole = proved_dimension(network, budget)
        self._gap = whole.lower - batch.lower
        if self._gap == 0:
            return None
        facts = {"points": len(points), "rank": batch.rank, "functional_dimension": whole.value}

        def certify(budget: Budget, progress: Progress) -> list[tuple[str, Certificate]]:
            on_batch = ("rank on the batch", batch_certificate(batch, budget=budget, progress=progress))
            return [on_batch, *dimension_evidence(whole)(budget, progress)]

        return Witness(networks, facts, certify, points)

    def score(self) -> Any:
        """How much the batch misses."""
        return self._gap


class FloatRankWrong(_OfBatch):
    """float64 singular values of the Jacobian (columns scaled to size one) give another rank than the exact one.

    The batch is smooth, the exact rank is proved, the float rank is that of NumPy's rule for the tolerance, and every
    parameter and coordinate is a float64 exactly: nothing is lost before the computation begins.
    """

    name = "float-rank-wrong"
    statement = "the float64 rank of the Jacobian on 2 D' normally distributed points is not the exact rank"
    architecture = (2, 3, 1)
    kinds = ("nearly equal neurons", "nearly equal neurons", MOVE, "normal weights")

    def confirm(self, networks: Networks, budget: Budget) -> Witness | None:
        """Both ranks."""
        (network,) = networks
        if not all(map(_is_float, network.theta())):
            return None
        points, batch = self._rank(network, budget)
        if batch is None or batch.float_agrees is not False:
            return None
        facts = {"points": len(points), "rank": batch.rank, "float_rank": batch.float_rank}

        def certify(budget: Budget, progress: Progress) -> list[tuple[str, Certificate]]:
            return [("exact rank on the batch", batch_certificate(batch, budget=budget, progress=progress))]

        return Witness(networks, facts, certify, points)
