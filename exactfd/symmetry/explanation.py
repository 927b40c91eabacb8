"""``explain``: each dimension of the deficit attributed to a mechanism, or listed as unexplained with its direction.

The deficit ``D' - dim_fun(theta)`` is the dimension of the kernel of the stacked Jacobian modulo the scaling
directions. (Where a scaling direction is lost because the weights of a set of neurons join nothing else, the limit of
nearby ones takes its place: the bias of one of these neurons, on which nothing depends.)
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from exactfd.annihilation import annihilates
from exactfd.budget import Budget, Progress, silent
from exactfd.dimension import DimensionResult, functional_dimension
from exactfd.errors import BudgetExceeded
from exactfd.gauge import Gauge
from exactfd.geometry.complex import canonical_complex
from exactfd.geometry.homogeneous import homogenise
from exactfd.geometry.labels import smooth_mask
from exactfd.geometry.top import is_small
from exactfd.jacobians import ModularNetwork, SignArray
from exactfd.kernels import Vector
from exactfd.linalg import modular
from exactfd.network import Network
from exactfd.rankproof import RankSearch
from exactfd.symmetry.directions import Directions, Span, UnluckyPrimeError, named, parameter_names
from exactfd.symmetry.mechanisms import (
    Facts,
    Kind,
    Neuron,
    Proposal,
    coinciding,
    pairs_that_coincide,
    proposals,
    unit,
)
from exactfd.symmetry.places import Places

_EXAMPLES = 3  # cells that an explanation shows
_ATTEMPTS = 5  # primes that are tried


@dataclass(frozen=True)
class Mechanism:
    """Dimensions of the deficit with a common reason.

    Attributes
    ----------
    kind
        One of the names in :data:`exactfd.symmetry.mechanisms.Kind`.
    neurons
        ``(layer, neuron)``, layers counted from 1 and neurons from 0.
    directions
        Integer vectors of length ``D``, one for each dimension: every smooth cell annihilates them (proved), and
        together with the scaling directions and those of the mechanisms before they are independent.
    statement
        The reason in words.
    cells
        Ternary tuples of smooth cells that show it.
    """

    kind: Kind
    neurons: tuple[Neuron, ...]
    directions: list[Vector] = field(repr=False)
    statement: str
    cells: SignArray = field(repr=False, compare=False)

    @property
    def dimension(self) -> int:
        """How much of the deficit it is."""
        return len(self.directions)

    def to_dict(self, names: Sequence[str]) -> dict[str, Any]:
        """JSON-ready values; ``names`` are those of the parameters."""
        return {
            "kind": self.kind,
            "neurons": [list(neuron) for neuron in self.neurons],
            "dimension": self.dimension,
            "statement": self.statement,
            "direction": named(names, self.directions[0]),
            "directions": [named(names, vector) for vector in self.directions],
            "cells": {"count": len(self.cells), "labels": self.cells[:_EXAMPLES].tolist()},
        }


@dataclass(frozen=True)
class Explanation:
    """The deficit of one parameter, taken apart.

    Attributes
    ----------
    result
        The functional dimension. Where it is not ``proved``, mechanisms are known (and proved) only if all cells are.
    mechanisms
        In order of attribution.
    unexplained
        Kernel directions that complete those of the mechanisms; None where the functional dimension is not proved, or
        the ``limit`` came before a kernel that nobody had asked for yet.
    limit
        The message of the budget that ran out, or None.
    """

    result: DimensionResult
    mechanisms: list[Mechanism]
    unexplained: list[Vector] | None = field(repr=False)
    limit: str | None = None

    @property
    def network(self) -> Network:
        """What it is about."""
        return self.result.network

    @property
    def deficit(self) -> int | None:
        """``D' - dim_fun(theta)``, or None where that is not proved."""
        value = self.result.value
        return None if value is None else self.network.upper_bound - value

    @property
    def attributed(self) -> int:
        """The sum over the mechanisms."""
        return sum(mechanism.dimension for mechanism in self.mechanisms)

    def check(self) -> bool:
        """Whether every direction is annihilated by every smooth cell, and the numbers add up; proved again."""
        directions = [v for mechanism in self.mechanisms for v in mechanism.directions] + (self.unexplained or [])
        deficit = self.deficit
        if self.unexplained is not None and len(directions) != deficit:
            return False
        cells = self.result.cells
        if cells is None or not directions:
            return not directions
        smooth = cells.labels[smooth_mask(cells.labels, self.network.relu_widths)]
        independent = any(
            len(span.add(directions)) == len(directions)
            for span in itertools.islice(_spans(self.network, self.result.search.gauge), _ATTEMPTS)
        )
        return independent and annihilates(self.network, directions, smooth)

    def to_dict(self) -> dict[str, Any]:
        """The keys of ``exactfd explain --json``."""
        names = parameter_names(self.network)
        unexplained = self.unexplained
        return {
            "architecture": list(self.network.architecture),
            "output_activation": self.network.output_activation,
            "digest": self.network.digest,
            "functional_dimension": self.result.value,
            "theoretical_upper_bound": self.network.upper_bound,
            "status": self.result.status,
            "deficit": self.deficit,
            "attributed": self.attributed,
            "mechanisms": [mechanism.to_dict(names) for mechanism in self.mechanisms],
            "unexplained": None
            if unexplained is None
            else {"dimension": len(unexplained), "directions": [named(names, vector) for vector in unexplained]},
            "limit": self.result.limit or self.limit,
        }

    def __repr__(self) -> str:
        left = "not proved" if self.unexplained is None else len(self.unexplained)
        return f"Explanation(deficit={self.deficit}, attributed={self.attributed}, unexplained={left})"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{m.dimension}</td><td>{m.kind}</td><td>{m.statement}</td></tr>" for m in self.mechanisms
        )
        return f"<code>{self!r}</code><table>{rows}</table>"


def explain(
    network: Network | DimensionResult, *, budget: Budget | None = None, progress: Progress = silent
) -> Explanation:
    """Attribute the deficit ``D' - dim_fun(theta)`` of a parameter to mechanisms.

    Parameters
    ----------
    network
        A network, or the result of :func:`exactfd.functional_dimension` to go on from.
    budget, progress
        As there. A budget that runs out is no error: see :class:`Explanation`.

    Notes
    -----
    Exact: each direction is proved to be annihilated by every smooth cell. The attributed dimensions and the number of
    ``unexplained`` directions add up to the deficit. Which mechanism a dimension belongs to depends on their order
    where mechanisms share directions; the most local ones come first.

    Examples
    --------
    >>> net = Network([([[1], [-1]], [0, 1]), ([[1, 1]], [0])])
    >>> [(m.kind, m.dimension) for m in explain(net).mechanisms]
    []
    >>> dead = Network([([[1, 0], [0, 1]], [0, 0]), ([[-1, -1], [1, 1]], [-1, 1]), ([[1, 1]], [0])])
    >>> found = explain(dead)
    >>> found.deficit, [(m.kind, m.neurons, m.dimension) for m in found.mechanisms]
    (4, [('never_active', ((2, 0),), 3), ('always_active', ((2, 1),), 1)])
    """
    result = (
        network
        if isinstance(network, DimensionResult)
        else functional_dimension(network, budget=budget, progress=progress, kernel=True)
    )
    network = result.network
    if result.cells is None or not result.complete or result.lower == network.upper_bound:
        return Explanation(result, [], [] if result.status == "proved" else None)
    smooth = result.cells.labels[smooth_mask(result.cells.labels, network.relu_widths)]
    if not len(smooth):
        return _nothing_smooth(result)
    search = result.search
    try:
        for attempt in range(_ATTEMPTS):
            last = attempt == _ATTEMPTS - 1
            with suppress(UnluckyPrimeError):
                return _Attribution(result, search, smooth, budget, progress).run(keep_going=last)
            search = RankSearch.start(network, skip=attempt + 1)
            search.add_cells(smooth, budget=budget, progress=progress)
        result.solve(budget=budget, progress=progress)
        return _unattributed(result, None)
    except BudgetExceeded as error:
        return _unattributed(result, str(error))


def _unattributed(result: DimensionResult, limit: str | None) -> Explanation:
    """The kernel as it was proved, with no reason given."""
    if result.value is None or result.solved is None:
        return Explanation(result, [], None, limit=limit)
    deficit, kernel = result.network.upper_bound - result.value, result.hidden_kernel
    for span in _spans(result.network, result.search.gauge):
        known = [kernel[i] for i in span.add(kernel)]
        if len(known) == deficit:  # else the prime divides a minor
            break
    return Explanation(result, [], known, limit=limit)


def _span_modulo(network: Network, gauge: Gauge, prime: int) -> Span | None:
    """The span of the scaling directions, and of a substitute for each one that is lost, modulo a prime that divides no
    denominator; None where these are not as independent as they are over Q: as many as there are hidden neurons.
    """
    places, span = Places(network), Span(network, prime)
    substitutes = [unit(network, places.row(layer, i)[-1]) for layer, i in gauge.left_out]
    span.add([*gauge.vectors, *substitutes])
    return span if span.dimension == sum(network.architecture[1:-1]) else None


def _spans(network: Network, gauge: Gauge) -> Iterator[Span]:
    """That span modulo one prime after the other."""
    for prime in modular.primes():
        if ModularNetwork.reduce(network, prime) is not None:
            span = _span_modulo(network, gauge, prime)
            if span is not None:
                yield span


def _nothing_smooth(result: DimensionResult) -> Explanation:
    """No cell is smooth: the function is not differentiable in theta anywhere, and everything is in the kernel."""
    network = result.network
    span = next(_spans(network, result.search.gauge))
    units = [unit(network, j) for j in range(network.parametric_dimension)]
    vectors = [units[j] for j in span.add(units)]
    statement = "no cell of full dimension is parametrically smooth: the supremum is over empty batches"
    return Explanation(result, [Mechanism("not_smooth", (), vectors, statement, np.zeros((0, 0), dtype=np.int8))], [])


class _Attribution:
    """One run over the mechanisms of a parameter whose cells are all known."""

    def __init__(
        self,
        result: DimensionResult,
        search: RankSearch,
        smooth: SignArray,
        budget: Budget | None,
        progress: Progress,
    ) -> None:
        self.result, self.network, self.smooth, self.search = result, result.network, smooth, search
        self._budget, self._progress = budget, progress
        self._directions = Directions(search, smooth)
        assert result.cells is not None
        self._facts = Facts(self.network, result.cells.labels, smooth, search.prime)
        # of the kernel modulo the prime: at least that over Q
        self._whole = self.network.parametric_dimension - search.rank
        self._span = Span(self.network, search.prime)
        self._dimension = self.network.input_dimension
        self._rejected: set[tuple[int, ...]] = set()
        self._mechanisms: list[Mechanism] = []
        self._claimed: list[Vector] = []
        self._prefix = "" if len(smooth) == len(result.cells.labels) else "on the smooth cells, "

    def run(self, *, keep_going: bool) -> Explanation:
        """All mechanisms, then what is left; everything proved at once in the end, also directions that only statements
        rest on.

        A direction that is none in the end means that the prime shows a kernel that is too large: raises
        ``UnluckyPrimeError``, or with ``keep_going`` leaves out the mechanisms with such a direction. Raises it, too,
        where directions are dependent modulo the prime and not over Q.
        """
        while True:
            span = _span_modulo(self.network, self.search.gauge, self.search.prime)
            if span is None:
                raise UnluckyPrimeError(self.search.prime)
            self._span = span
            self._mechanisms, self._claimed = [], []
            self._take(proposals(self.network, self._facts, self._directions))
            if self._span.dimension < self._whole and is_small(homogenise(self.network)):
                self._take(self._other_coincidences())
            left = self._left()
            vectors = list({_key(vector): vector for vector in (*self._claimed, *left)}.values())
            proved = self._directions.proved(vectors, budget=self._budget, progress=self._progress)
            if len(proved) == len(vectors):
                found = Explanation(self.result, self._mechanisms, left if self.result.status == "proved" else None)
                if found.deficit not in (None, found.attributed + len(left)):  # dependent modulo the prime alone
                    raise UnluckyPrimeError(self.search.prime)
                return found
            if not keep_going:
                raise UnluckyPrimeError(self.search.prime)
            self._rejected |= set(map(_key, vectors)) - set(map(_key, proved))

    def _take(self, found: Iterable[Proposal]) -> None:
        for proposal in found:
            self._progress("mechanisms", self._span.dimension, self._whole)
            if self._budget is not None:
                self._budget.check()
            if self._rejected and any(_key(vector) in self._rejected for vector in proposal.vectors):
                continue
            vectors = self._new(proposal.vectors)
            if vectors:
                self._claimed += proposal.vectors
                neurons = tuple((layer + 1, i) for layer, i in proposal.neurons)
                cells, statement = self.smooth[proposal.cells], self._prefix + proposal.statement
                self._mechanisms.append(Mechanism(proposal.kind, neurons, vectors, statement, cells))
            if self._span.dimension == self._whole:
                return

    def _new(self, vectors: Sequence[Vector]) -> list[Vector]:
        """Vectors that enlarge the span."""
        if self._rejected:
            vectors = [vector for vector in vectors if _key(vector) not in self._rejected]
        return [vectors[i] for i in self._span.add(vectors)]

    def _other_coincidences(self) -> Iterable[Proposal]:
        cells, top = canonical_complex(self.network, budget=self._budget, progress=self._progress), self._dimension
        flat, sizes = cells.facets(top)
        owner = np.repeat(np.arange(len(sizes)), sizes)
        order = np.argsort(flat, kind="stable")
        facets, beside = flat[order[::2]], owner[order].reshape(-1, 2)  # on all of space each facet has two sides
        labels = cells.labels(top)
        sides = labels[beside[:, 0]], labels[beside[:, 1]]
        pairs = pairs_that_coincide(self.network, cells.labels(top - 1)[facets], sides)
        yield from coinciding(self.network, self._facts, self._directions, pairs)

    def _left(self) -> list[Vector]:
        """Directions that complete the span to the kernel, as local as possible: in one layer, then two, then any."""
        places, depth = Places(self.network), self.network.depth
        result: list[Vector] = []
        supports = [[layer] for layer in range(depth)] + [[layer, layer + 1] for layer in range(depth - 1)]
        for layers in supports:
            if self._span.dimension < self._whole:
                result += self._new(self._directions.within(j for layer in layers for j in places.layer(layer)))
        if self._span.dimension < self._whole:
            result += self._new(list(self.result.solve(budget=self._budget, progress=self._progress).values()))
        return result


def _key(vector: Vector) -> tuple[int, ...]:
    return tuple(map(int, vector))
