"""The whole complex by several processes.

All of them subdivide by the first layers, the same work and so no time lost, until there are cells to deal out; each
goes on with its part, and this process puts the parts together. The result is that of one process in every number.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from math import comb
from typing import Any

import numpy as np

from exactfd.budget import Budget, Progress, silent
from exactfd.errors import BudgetExceeded, InternalError
from exactfd.geometry import small
from exactfd.geometry.bits import SignArray
from exactfd.geometry.homogeneous import HomogeneousNetwork
from exactfd.geometry.merging import merge
from exactfd.geometry.parts import Part, closure, groups
from exactfd.geometry.small import Cells
from exactfd.geometry.start import Walls
from exactfd.geometry.subdivision import Subdivision
from exactfd.geometry.tables import Lengths
from exactfd.processes import Crew, Report, SharedBudget

#: Least expected number of cells (as if all neurons were hyperplanes in general position) for a second process.
WORTH = 1 << 20
#: Up to this dimension parts are put together in less time than they take to find.
MERGED = 3
#: Cells of the highest dimension, for each process, from which on they are dealt out.
DEALT = 32

_PAUSE = 0.2  # seconds between two reports of a process


def subdivide(
    network: HomogeneousNetwork,
    walls: Walls | None,
    budget: Budget,
    progress: Progress = silent,
    processes: int = 1,
) -> Subdivision | Cells:
    """The finished subdivision. One process works where more would not help, and one compiled call where that is enough
    and nobody wants to know after each neuron.

    Raises ``BudgetExceeded`` with the f-vector so far, and ``EngineError`` where another process fails.
    """
    alone = network.rank > MERGED or not is_worth(network, processes)
    if alone and progress is silent and budget.max_cells is None:
        found = small.subdivide(network, walls, budget)
        if found is not None:
            return found
    whole = Subdivision(network, walls, budget)
    if alone:
        whole.run(progress)
        return whole
    with Crew(processes - 1) as crew:
        first, begun, parts = _Together(whole, walls, crew, progress).run(Part.result)
    whole.budget = budget
    merge(whole, first, begun, parts, progress)
    return whole


def top_labels(network: HomogeneousNetwork, budget: Budget, progress: Progress, processes: int) -> SignArray:
    """Ternary tuples of the cells of the highest dimension, in no special order, by several processes.

    Nothing else is put together, so a limit on the cells of all dimensions cannot be heeded. Raises as there.
    """
    whole = Subdivision(network, None, budget)
    with Crew(processes - 1) as crew:
        _, _, found = _Together(whole, None, crew, progress).run(Part.top_labels)
    before = whole.history.labels(whole.dimension, np.arange(whole.tables[-1].count))
    return np.concatenate([np.concatenate([before[cells], labels], axis=1) for cells, labels in found])


def is_worth(network: HomogeneousNetwork, processes: int) -> bool:
    """Whether more than one process is to work."""
    neurons, rank = sum(network.widths), network.rank
    return processes > 1 and len(network.widths) > 1 and comb(neurons, rank) << rank >= WORTH


class _Together:
    """The work of this process beside others, which have begun when this is made."""

    def __init__(self, whole: Subdivision, walls: Walls | None, crew: Crew, progress: Progress) -> None:
        self.whole, self.crew, self.progress = whole, crew, progress
        self.budget = whole.budget = SharedBudget(whole.budget, crew)
        self.part: Part | None = None
        self.found: dict[int, Any] = {}
        self.processes = 1 + len(crew)
        self.least = DEALT * self.processes
        for place in range(len(crew)):
            crew.begin(place, _begin, whole.network, walls, self.budget.for_others(), self.least)

    def run(self, finish: Callable[[Part], Any]) -> tuple[int, list[list[Lengths]], list[Any]]:
        """The layer from which on there are parts, the cells that each begins with, and what it comes to in the end."""
        try:
            return self._run(finish)
        except BudgetExceeded as error:
            error.partial = self.at_least(error.partial)
            raise

    def _run(self, finish: Callable[[Part], Any]) -> tuple[int, list[list[Lengths]], list[Any]]:
        whole = self.whole
        first = _run_first(whole, self.least, self._watch)
        dealt = groups(whole, first, self.processes)
        counts = [table.count for table in whole.tables]
        for place, cells in enumerate(dealt[1:]):
            self.crew.begin(place, _go_on, cells, counts, finish)
        self.part = Part(whole, dealt[0])
        whole.generators.close()
        begun = [self.part.numbers, *(closure(whole.tables, cells) for cells in dealt[1:])]
        self.part.run_rest(first, self._watch)
        own = finish(self.part)
        while len(self.found) < len(dealt) - 1:
            self.progress("parts", 1 + len(self.found), len(dealt))
            self._listen(_PAUSE)
        return first, begun, [own, *(self.found[place] for place in range(len(dealt) - 1))]

    def _watch(self, stage: str, done: int, total: int | None) -> None:
        self.progress(stage, done, total)
        self._listen(0.0)

    def _listen(self, timeout: float) -> None:
        for place, result in self.crew.results(timeout):
            if result is not None:
                self.found[place] = result
        self.budget.check(cells=0 if self.budget.max_cells is None else sum(self.at_least(None)))

    def at_least(self, partial: tuple[int, ...] | None) -> tuple[int, ...]:
        """Numbers of cells by dimension that there are for certain; ``partial`` is one that somebody has found."""
        if self.part is None:
            return self.whole.f_vector
        parts = [self.part.f_vector, *(found for found in self.crew.reports if found is not None)]
        bounds = [max(column) for column in zip(*parts, strict=True)]
        bounds[-1] = sum(found[-1] for found in parts)  # cells of the highest dimension are in one part only
        return tuple(map(max, bounds, partial or bounds, self.whole.f_vector))


def _run_first(whole: Subdivision, least: int, progress: Progress) -> int:
    """Cut by the first layers until there are cells to deal out; the next layer, which is the last one at most."""
    for layer in range(len(whole.network.widths) - 1):
        whole.run_layer(layer, progress)
        if whole.tables[-1].count >= least:
            break
    return layer + 1


# --------------------------------------------------------------------------- in the other processes

_begun: list[tuple[Subdivision, int]] = []


def _begin(
    report: Report, network: HomogeneousNetwork, walls: Walls | None, limits: dict[str, Any], least: int
) -> None:
    """The layers before there are parts."""
    whole = Subdivision(network, walls, Budget(**limits))
    _begun[:] = [(whole, _run_first(whole, least, silent))]


def _go_on(report: Report, cells: Lengths, counts: list[int], finish: Callable[[Part], Any]) -> Any:
    """One part, told by its cells of the highest dimension; reports its f-vector now and then."""
    ((whole, first),) = _begun
    if counts != [table.count for table in whole.tables]:
        raise InternalError("two processes find different complexes")
    part, due = Part(whole, cells), time.monotonic()
    whole.generators.close()

    def tell(stage: str, done: int, total: int | None) -> None:
        nonlocal due
        if time.monotonic() >= due:
            report(part.f_vector)
            due = time.monotonic() + _PAUSE

    part.run_rest(first, tell)
    return finish(part)
