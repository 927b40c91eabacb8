"""Dimensions of pattern and output varieties, with what proves them.

The dimension of the closure of an image is the generic rank of the Jacobian of the map. From below: its rank at one
point modulo one prime (a nonzero minor there is a nonzero polynomial). From above: the number of coordinates, the
number of parameters minus independent symmetries (:mod:`exactfd.varieties.symmetries`), the linear span
(:mod:`exactfd.varieties.spans`), sums over parts of the blocks, or what :mod:`exactfd.varieties.shallow` knows of
networks with one hidden layer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from itertools import islice
from typing import Any, Literal

import numpy as np
from flint import nmod_mat

from exactfd.budget import Budget, Progress, silent
from exactfd.errors import BudgetExceeded, InputError
from exactfd.jacobians import FloatArray
from exactfd.linalg import modular
from exactfd.rationals import checked_seed
from exactfd.varieties.blocks import BlockParametrisation
from exactfd.varieties.shallow import shallow_bound, shallow_dimension
from exactfd.varieties.spans import span_dimension
from exactfd.varieties.symmetries import Symmetries

Status = Literal["proved", "bounds"]
#: An upper bound and what it is.
Bound = tuple[int, str]
_MOST_BLOCKS, _MOST_PARAMETERS = 5, 300  # up to which all partitions of the blocks are tried
_MOST_BYTES = 4 << 30  # of a Jacobian, unless a limit says otherwise
_TRIALS = 3  # points, each modulo a prime of its own, where no upper bound meets the first rank


@dataclass(frozen=True)
class VarietyDimension:
    """Dimension of a variety, and how it is known.

    Attributes
    ----------
    variety
        The parametrisation.
    lower, upper
        Proved bounds; they meet exactly when ``status`` is ``"proved"``.
    reason
        In words: what gives the upper bound.
    ambient
        Number of coordinates.
    symmetries
        Independent vector fields along which the parametrisation is constant that were found; None where another
        bound made them unnecessary.
    prime, seed, trial
        The point of the lower bound: see :meth:`point`.
    trials
        How many points were tried; the lower bound is the largest rank.
    limit
        The message of the budget that ran out, or None.
    """

    variety: BlockParametrisation = field(repr=False)
    lower: int
    upper: int
    reason: str
    ambient: int
    symmetries: int | None
    prime: int
    seed: int
    trial: int
    trials: int
    limit: str | None = None

    @property
    def status(self) -> Status:
        """``"proved"`` or ``"bounds"``."""
        return "proved" if self.lower == self.upper else "bounds"

    @property
    def value(self) -> int | None:
        """The dimension when it is proved."""
        return self.lower if self.lower == self.upper else None

    @property
    def failure_probability(self) -> Fraction | None:
        """Where the dimension is not proved it is ``lower``, unless all the points were unlucky: at random points that
        has at most this probability, if the primes keep the generic rank. None where it is proved.

        A minor of size ``r`` has degree at most ``r (d - 1)`` for ``d`` layers (Schwartz 1980, Zippel 1979).
        """
        if self.status == "proved":
            return None
        degree = self.upper * max(1, len(self.variety.architecture.sizes) - 2)
        bound = Fraction(1)
        for prime in _primes(self.variety, self.trials):
            bound *= min(Fraction(1), Fraction(degree, prime))
        return bound

    @cached_property
    def orbit(self) -> int | None:
        """Dimension of the orbit of the gauge group of the patterns at :meth:`point`: parameters that no block sees,
        and mixings of neurons (scalings; all of ``GL`` where neurons have one profile over all blocks). For almost all
        points it is this one. None where a budget ran out.
        """
        if self.limit is not None:
            return None
        return Symmetries(self.variety, self.prime, self.point()).gauge_rank(budget=Budget())

    @property
    def expected(self) -> int | None:
        """``min(ambient, parameters - orbit)``: what a count with the gauge group of the patterns makes one expect.

        Never below the dimension, and equal to it where ``defect`` is 0. None where a budget ran out.
        """
        if self.orbit is None:
            return None
        return min(self.ambient, self.variety.parameters - self.orbit)

    @property
    def defect(self) -> int | None:
        """``expected`` minus the dimension, when that is proved."""
        return None if self.value is None or self.expected is None else self.expected - self.value

    @property
    def fills(self) -> bool | None:
        """Whether the variety is the whole ambient space; None where that is not proved."""
        if self.upper < self.ambient:
            return False
        return True if self.lower == self.ambient else None

    def point(self) -> FloatArray:
        """The parameter modulo ``prime`` at which the Jacobian has rank ``lower``."""
        return _point(self.variety, self.prime, self.seed, self.trial)

    def check(self) -> bool:
        """Compute both bounds again: the lower one from the exact Jacobian at the point, reduced and eliminated by
        FLINT.
        """
        point = self.point()
        exact_jacobian = self.variety.jacobian([int(entry) for entry in point.tolist()])
        rows = [
            [int(entry.p) * pow(int(entry.q), -1, self.prime) % self.prime for entry in row]
            for row in exact_jacobian.tolist()
        ]
        if nmod_mat(rows, self.prime).rank() < self.lower:
            return False
        again = variety_dimension(self.variety, seed=self.seed)
        return again.upper <= self.upper

    def to_dict(self) -> dict[str, Any]:
        """The keys of ``exactfd variety --json`` about the dimension."""
        probability = self.failure_probability
        return {
            "dimension": self.value,
            "lower_bound": self.lower,
            "upper_bound": self.upper,
            "status": self.status,
            "reason": self.reason,
            "probable": self.lower if self.value is None else None,
            "failure_probability": None if probability is None else f"{float(probability):.3g}",
            "ambient": self.ambient,
            "expected": self.expected,
            "defect": self.defect,
            "fills": self.fills,
            "parameters": self.variety.parameters,
            "symmetries": self.symmetries,
            "prime": self.prime,
            "seed": self.seed,
            "trial": self.trial,
            "limit": self.limit,
        }

    def __repr__(self) -> str:
        what = str(self.value) if self.status == "proved" else f"in [{self.lower}, {self.upper}]"
        return f"VarietyDimension({what} of {self.ambient}, {self.status}, {self.reason})"

    def _repr_html_(self) -> str:
        what = f"= {self.value}" if self.status == "proved" else f"&isin; [{self.lower}, {self.upper}]"
        return f"dim V {what} in {self.ambient} coordinates ({self.status}); {self.reason}"


def variety_dimension(
    variety: BlockParametrisation,
    *,
    algorithm: Literal["auto", "general"] = "auto",
    seed: int = 0,
    budget: Budget | None = None,
    progress: Progress = silent,
) -> VarietyDimension:
    """Dimension of a pattern variety or an output variety.

    ``algorithm="general"`` leaves aside what is known of shallow networks alone. Same answer for the same seed. Where
    the bounds do not meet, the ranks at two more random points are taken: the dimension then is probably the lower
    bound, and ``failure_probability`` says how probably it is not.

    A budget that runs out is no error: the result then holds the bounds proved so far and says which ``limit`` it was.
    Raises ``InputError`` for another algorithm.

    >>> from exactfd.varieties.parametrisation import PatternVariety
    >>> variety_dimension(PatternVariety((2, 2, 2), ["10", "01"]))
    VarietyDimension(6 of 8, proved, closed formula for independent profiles)
    """
    if algorithm not in ("auto", "general"):
        raise InputError(f'algorithm: expected "auto" or "general", found {algorithm!r}')
    seed, budget = checked_seed(seed), budget or Budget()
    ambient = variety.dimension_of_ambient_space
    use_formula = algorithm == "auto"
    ranks: list[int] = []
    bounds: list[Bound] = [(ambient, "number of coordinates")]
    symmetries: int | None = None
    limit = None
    try:
        for trial, prime in enumerate(_primes(variety, _TRIALS)):
            progress("points", trial, _TRIALS)
            at = _bounds_at(variety, prime, seed, trial, use_formula=use_formula, budget=budget)
            ranks.append(at.rank)
            symmetries = at.symmetries if symmetries is None else max(symmetries, at.symmetries or 0)
            bounds = at.bounds + bounds
            if trial == 0 and at.rank < min(map(_bound, bounds)) and len(variety.patterns) > 1:
                split = _by_parts(variety, prime, seed, use_formula=use_formula, budget=budget)
                bounds.append((split, "dimensions of parts of the blocks, added up"))
            if max(ranks) == min(map(_bound, bounds)):
                break
    except BudgetExceeded as error:
        limit = str(error)
        if isinstance(error.partial, _AtPoint) and error.partial.variety is variety:
            ranks.append(error.partial.rank)
            bounds = error.partial.bounds + bounds
    upper, reason = min(bounds, key=_bound)  # the first of the least
    lower = max(ranks, default=0)
    best = ranks.index(lower) if ranks else 0
    return VarietyDimension(
        variety=variety,
        lower=lower,
        upper=upper,
        reason=reason,
        ambient=ambient,
        symmetries=symmetries,
        prime=_primes(variety, _TRIALS)[best],
        seed=seed,
        trial=best,
        trials=len(ranks),
        limit=None if lower == upper else limit,
    )


def _bound(given: Bound) -> int:
    return given[0]


@dataclass(frozen=True)
class _AtPoint:
    """What one point says: the rank there, symmetries, and upper bounds with their reasons."""

    variety: BlockParametrisation
    rank: int
    symmetries: int | None
    bounds: list[Bound]


def _bounds_at(
    variety: BlockParametrisation, prime: int, seed: int, trial: int, *, use_formula: bool, budget: Budget
) -> _AtPoint:
    """Raises ``BudgetExceeded``, with what is known by then as ``partial``."""
    ambient, parameters = variety.dimension_of_ambient_space, variety.parameters
    bounds: list[Bound] = [(ambient, "number of coordinates")]
    if use_formula and (formula := shallow_dimension(variety)) is not None:
        bounds.insert(0, (formula, "closed formula for independent profiles"))
    if use_formula and (combined := shallow_bound(variety)) is not None:
        bounds.append((combined, "ranks of combinations of the blocks"))
    rank, symmetries = 0, None
    try:
        _check_memory(ambient, parameters, budget)
        point = _point(variety, prime, seed, trial)
        jacobian = variety.jacobian_modular(prime, point)
        rank = _rank(jacobian, prime)
        if rank < min(map(_bound, bounds)):
            symmetries = Symmetries(variety, prime, point).rank(jacobian, enough=parameters - rank, budget=budget)
            bounds.append((parameters - symmetries, "parameters minus independent symmetries"))
    except BudgetExceeded as error:
        error.partial = _AtPoint(variety, rank, None, bounds)
        raise
    if rank < min(map(_bound, bounds)):
        bounds.append((span_dimension(variety), "linear forms that vanish on the variety"))
    return _AtPoint(variety, rank, symmetries, bounds)


def _check_memory(ambient: int, parameters: int, budget: Budget) -> None:
    """Raise ``BudgetExceeded`` where the Jacobian needs more than the limit, or more than 4 GiB without one."""
    needed = 2 * 8 * ambient * parameters
    if budget.memory_limit is None and needed > _MOST_BYTES:
        raise BudgetExceeded(
            f"a Jacobian of {ambient} x {parameters} entries needs {needed >> 30} GiB of memory; "
            "allow it with --memory-limit"
        )
    budget.check(bytes_needed=needed)


def _by_parts(variety: BlockParametrisation, prime: int, seed: int, *, use_formula: bool, budget: Budget) -> int:
    """The least sum of upper bounds over partitions of the blocks (of large ones: the partition into single blocks):
    the variety lies in the product of its projections.
    """
    count = len(variety.patterns)
    least: dict[int, int] = {}  # by set of blocks, as bits
    alone = count > _MOST_BLOCKS or variety.parameters > _MOST_PARAMETERS
    sets = [1 << b for b in range(count)] if alone else list(range(1, (1 << count) - 1))
    for members in sets:
        part = variety.restricted([b for b in range(count) if members >> b & 1])
        at = _bounds_at(part, prime, seed, 0, use_formula=use_formula, budget=budget)
        least[members] = min([*map(_bound, at.bounds), *_splits(members, least)])
    if alone:
        return sum(least.values())
    return min(_splits((1 << count) - 1, least))


def _splits(members: int, least: dict[int, int]) -> Iterator[int]:
    """Sums over the partitions of a set into two; all proper subsets are in ``least`` (or none but it)."""
    part = (members - 1) & members
    while part:
        if part in least and members ^ part in least:
            yield least[part] + least[members ^ part]
        part = (part - 1) & members


def _rank(jacobian: FloatArray, prime: int) -> int:
    rows, columns = jacobian.shape
    return modular.rank(jacobian if columns <= rows else np.ascontiguousarray(jacobian.T), prime)


def _primes(variety: BlockParametrisation, count: int) -> list[int]:
    """The largest primes that divide no denominator of the data."""

    def usable(prime: int) -> bool:
        try:
            variety.check_prime(prime)
        except InputError:
            return False
        return True

    return list(islice(filter(usable, modular.primes()), count))


def _point(variety: BlockParametrisation, prime: int, seed: int, trial: int) -> FloatArray:
    """A random parameter modulo a prime, by seed and trial."""
    rng = np.random.default_rng([seed, trial])
    residues = rng.integers(0, prime, size=variety.parameters)
    return modular.reduce(residues.astype(np.float64), prime)
