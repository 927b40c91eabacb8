"""The search itself: candidates in turn, an exact decision for each, and what is found made small and certified."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Any, Literal

from exactfd.budget import Budget, Progress, silent
from exactfd.certificates import Certificate
from exactfd.errors import BudgetExceeded, InputError
from exactfd.network import Network, OutputActivation, checked_architecture
from exactfd.rationals import format_rational
from exactfd.search.candidates import EVERY, Candidates
from exactfd.search.claims import Claim, Networks, Predicate, PredicateError, Witness
from exactfd.search.named import CLAIMS
from exactfd.search.shrink import Descent

Stop = Literal["found", "tries", "limit", "interrupted"]

#: Seconds of a search without any limit.
_MOST_PARAMETERS = 100_000
DEFAULT_TIME = 60.0
#: Seconds that certificates of a find may take beyond the time limit of the search.
GRACE = 10.0


@dataclass(frozen=True)
class SearchResult:
    """What a search found, or what it tried.

    Attributes
    ----------
    claim, statement
        The name of the claim and what a find shows.
    networks
        The networks found, made small; empty when nothing was found.
    first
        The same before they were made small.
    facts
        What was proved about them, JSON-ready, by name.
    points
        The batch of points that belongs to them, or None.
    certificates
        What each is about, and the certificate.
    tried
        Number of candidates by kind.
    skipped
        How many of them the limits left undecided.
    stopped
        ``"found"``, ``"tries"`` (all were used), ``"limit"`` (a budget ran out) or ``"interrupted"``.
    closest
        Without a find: the candidate that came closest, where the claim says what that means.
    raised
        What made a predicate raise while the find was made small, or None.
    notes
        What was left undone.
    """

    claim: str
    statement: str
    architecture: tuple[int, ...]
    seed: int
    networks: Networks
    first: Networks = field(repr=False)
    facts: dict[str, Any]
    points: list[list[Fraction]] | None = field(repr=False)
    certificates: list[tuple[str, Certificate]] = field(repr=False)
    tried: dict[str, int]
    skipped: int
    stopped: Stop
    closest: Network | None
    raised: Network | None
    notes: list[str]

    @property
    def found(self) -> bool:
        """Whether anything was found."""
        return bool(self.networks)

    @property
    def network(self) -> Network | None:
        """The (first) network found."""
        return self.networks[0] if self.networks else None

    @property
    def certificate(self) -> Certificate | None:
        """The first certificate."""
        return self.certificates[0][1] if self.certificates else None

    def to_dict(self) -> dict[str, Any]:
        """The keys of ``exactfd search --json``; networks and the first certificate are whole documents."""
        return {
            "claim": self.claim,
            "statement": self.statement,
            "found": self.found,
            "network": None if self.network is None else self.network.to_dict(),
            "networks": [network.to_dict() for network in self.networks],
            "facts": self.facts,
            "points": None if self.points is None else [[format_rational(x) for x in point] for point in self.points],
            "searched_architecture": list(self.architecture),
            "seed": self.seed,
            "tried": self.tried,
            "skipped": self.skipped,
            "stopped": self.stopped,
            "closest": None if self.closest is None else self.closest.to_dict(),
            "notes": self.notes,
            "certificate": None if self.certificate is None else self.certificate.to_dict(),
            "certificates": [{"about": about, "claim": _short(c)} for about, c in self.certificates],
        }

    def __repr__(self) -> str:
        total = sum(self.tried.values())
        if not self.found:
            return f"SearchResult({self.claim}: nothing found among {total} candidates, {self.stopped})"
        shapes = " and ".join(str(network.architecture) for network in self.networks)
        return f"SearchResult({self.claim}: found {shapes} after {total} candidates)"

    def _repr_html_(self) -> str:
        return f"<code>{self!r}</code>"


def _short(certificate: Certificate) -> dict[str, Any]:
    return {key: value for key, value in certificate.claim.items() if key not in ("points", "other")}


def search(
    claim: str | Callable[[Network], Any],
    *,
    architecture: Sequence[int] | None = None,
    output_activation: OutputActivation | None = None,
    tries: int | None = None,
    seed: int = 0,
    keep_architecture: bool = False,
    budget: Budget | None = None,
    progress: Progress = silent,
) -> SearchResult:
    """Search for a network with a property, make what is found small, and certify it.

    Parameters
    ----------
    claim
        A name (``exactfd.search.CLAIMS``), or any function of a network; what it returns is taken as true or false.
    architecture, output_activation
        Of the candidates; each claim has its own default.
    tries
        Most candidates to look at.
    seed
        The same seed, claim, architecture and tries give the same answer on every machine unless a time limit ends it.
    keep_architecture
        Leave no neuron out when what is found is made small.
    budget
        Limits; 60 seconds when neither ``tries`` nor a time limit is given. Half of the time that is left goes to
        making a find small; certificates may take up to 10 seconds beyond the limit. A limit on cells or memory passes
        over candidates that need more.

    Returns
    -------
    SearchResult
        An interrupt (``KeyboardInterrupt``) ends the search and returns what there is by then, ``stopped`` being
        ``"interrupted"``. Nothing found means nothing but that.

    Raises
    ------
    InputError
        for a claim that does not exist (the message lists those that do), or an architecture it is not about.
    PredicateError
        where a predicate raises; its ``network`` is what made it raise.

    Examples
    --------
    >>> result = search("hidden-symmetry", architecture=(1, 2, 1))
    >>> result.facts["functional_dimension"], result.facts["upper_bound"], result.certificate.check().valid
    (4, 5, True)
    >>> constant = search(lambda net: net.evaluate([1]) == net.evaluate([2]) == (3,), architecture=(1, 1), tries=500)
    >>> constant.network.theta()
    (Fraction(0, 1), Fraction(3, 1))
    """
    if tries is not None and (not isinstance(tries, int) or isinstance(tries, bool) or tries < 1):
        raise InputError(f"tries: expected a positive integer, found {tries!r}")
    budget = budget or Budget()
    if tries is None and budget.time_limit is None:
        budget = Budget(time_limit=DEFAULT_TIME, max_cells=budget.max_cells, memory_limit=budget.memory_limit)
    wanted = _claim(claim, seed)
    sizes = checked_architecture(wanted.architecture if architecture is None else architecture)
    wanted.check_architecture(sizes)
    activation = output_activation or wanted.output_activation
    if activation not in wanted.activations:
        raise InputError(
            f"output activation: {wanted.name} is about {' or '.join(wanted.activations)}, found {activation}"
        )
    parameters = sum(n * (m + 1) for m, n in pairwise(sizes))
    if parameters > _MOST_PARAMETERS:
        raise InputError(
            f"architecture: {sizes} has {parameters} parameters, the search takes up to {_MOST_PARAMETERS}"
        )
    candidates = Candidates(sizes, activation, wanted.kinds, seed)
    hunt = _Hunt(wanted, candidates, tries, budget, progress)
    notes: list[str] = []
    try:
        hunt.run()
        if hunt.witness is not None:
            hunt.shrink(keep_architecture, notes)
    except KeyboardInterrupt:
        hunt.stopped = "interrupted"
    witness, certificates = hunt.smallest, []
    if witness is not None:
        try:
            certificates = _certificates(witness, budget, progress, notes)
        except KeyboardInterrupt:
            hunt.stopped = "interrupted"
            notes.append("no certificate was written: interrupted")
    if candidates.exhausted:
        notes.append(f"{EVERY}: all of them were tried")
    return SearchResult(
        claim=wanted.name,
        statement=wanted.statement,
        architecture=sizes,
        seed=seed,
        networks=() if witness is None else witness.networks,
        first=() if hunt.witness is None else hunt.witness.networks,
        facts={} if witness is None else witness.facts,
        points=None if witness is None else witness.points,
        certificates=certificates,
        tried=dict(sorted(hunt.tried.items())),
        skipped=hunt.skipped,
        stopped=hunt.stopped,
        closest=None if witness is not None else hunt.closest,
        raised=hunt.raised,
        notes=notes,
    )


def _claim(claim: str | Callable[[Network], Any], seed: int) -> Claim:
    if isinstance(claim, str):
        if claim not in CLAIMS:
            raise InputError(f"claim: expected one of {', '.join(CLAIMS)}, or a Python predicate, found {claim!r}")
        return CLAIMS[claim](seed)
    if not callable(claim):
        raise InputError(f"claim: expected a name or a function of a network, found {type(claim).__name__}")
    return Predicate(claim)


class _Hunt:
    """The state of one search, readable after an interrupt at any moment."""

    def __init__(
        self, claim: Claim, candidates: Candidates, tries: int | None, budget: Budget, progress: Progress
    ) -> None:
        self._claim, self._candidates, self._tries = claim, candidates, tries
        self._budget, self._progress = budget, progress
        self._descent: Descent[Witness] | None = None
        self._best: Any = None
        self.tried: Counter[str] = Counter()
        self.skipped = 0
        self.closest: Network | None = None
        self.raised: Network | None = None
        self.witness: Witness | None = None
        self.stopped: Stop = "found"

    @property
    def smallest(self) -> Witness | None:
        """The find, as small as it has been made."""
        return self.witness if self._descent is None else self._descent.witness

    def run(self) -> None:
        """Look at candidates until one is a witness or the budget runs out."""
        last: Network | None = None
        while self._tries is None or sum(self.tried.values()) < self._tries:
            try:
                self._budget.check()
            except BudgetExceeded:
                self.stopped = "limit"
                return
            kind, network = self._candidates.next(last if self.closest is None else self.closest)
            self.tried[kind] += 1
            try:
                self.witness = self._claim.examine(network, self._budget)
            except BudgetExceeded:
                self.skipped += 1
                continue
            self._progress("candidates", sum(self.tried.values()), self._tries)
            if self.witness is not None:
                return
            score = self._claim.score()
            # ties go to the newer one, so that local moves wander over a plateau
            if score is not None and (self._best is None or score >= self._best):
                self._best, self.closest = score, network
            last = network
        self.stopped = "tries"

    def shrink(self, keep_architecture: bool, notes: list[str]) -> None:
        """Make the witness small within half of the time that is left."""
        if self.witness is None:
            return
        free = self._claim.free
        descent = self._descent = Descent(
            self.witness.networks[:free],
            self.witness,
            lambda networks: self._holds(networks, limits),
            keep_architecture=keep_architecture or self._claim.fixed,
            progress=self._progress,
        )
        left = _left(self._budget)
        limits = Budget(
            time_limit=None if left is None else max(left / 2, 0.01),
            max_cells=self._budget.max_cells,
            memory_limit=self._budget.memory_limit,
        )
        try:
            descent.run(limits)
        except PredicateError as error:
            self.raised = error.network
            notes.append(f"making it smaller ended early: {error}")
            return
        if not descent.finished:
            notes.append("the limit ended the attempts to make it smaller")

    def _holds(self, networks: Networks, limits: Budget) -> Witness | None:
        return self._claim.confirm(networks, limits)


def _left(budget: Budget) -> float | None:
    return None if budget.time_limit is None else max(budget.time_limit - budget.seconds, 0.0)


def _certificates(
    witness: Witness, budget: Budget, progress: Progress, notes: list[str]
) -> list[tuple[str, Certificate]]:
    """All certificates, or none where they take longer than the time that is left and a little more."""
    left = _left(budget)
    limits = Budget(time_limit=None if left is None else max(left, GRACE), memory_limit=budget.memory_limit)
    try:
        return witness.certify(limits, progress)
    except BudgetExceeded as error:
        notes.append(f"no certificate was written: {error}")
        return []
