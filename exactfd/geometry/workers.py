"""The whole complex by several processes.

All of them subdivide by the first layers, the same work and so no time lost, until there are cells to deal out; each
goes on with its part, and this process puts the parts together. The result is that of one process in every number.
"""

from __future__ import annotations

import time
from math import comb
from typing import Any

from exactfd.budget import Budget, Progress, silent
from exactfd.errors import BudgetExceeded, InternalError
from exactfd.geometry.homogeneous import HomogeneousNetwork
from exactfd.geometry.merging import merge
from exactfd.geometry.parts import Part, PartResult, closure, groups
from exactfd.geometry.start import Walls
from exactfd.geometry.subdivision import Subdivision
from exactfd.geometry.tables import Lengths
from exactfd.processes import Crew, Report, SharedBudget

#: Least expected number of cells (as if all neurons were hyperplanes in general position) for a second process.
WORTH = 1 << 20
#: Cells of the highest dimension, for each process, from which on they are dealt out.
DEALT = 32

_PAUSE = 0.2  # seconds between two reports of a process


def subdivide(
    network: HomogeneousNetwork,
    walls: Walls | None,
    budget: Budget,
    progress: Progress = silent,
    processes: int = 1,
) -> Subdivision:
    """The finished subdivision. One process works where more would not help: few cells are expected, or there is one
    layer only.

    Raises ``BudgetExceeded`` with the f-vector so far, and ``EngineError`` where another process fails.
    """
    whole = Subdivision(network, walls, budget)
    expected = comb(sum(network.widths), network.rank) << network.rank
    if processes == 1 or len(network.widths) < 2 or expected < WORTH:
        whole.run(progress)
        return whole
    with Crew(processes - 1) as crew:
        together = _Together(whole, crew, progress)
        for place in range(processes - 1):
            crew.begin(place, _begin, network, walls, together.budget.for_others(), DEALT * processes)
        try:
            first, begun, parts = together.run(DEALT * processes, processes)
        except BudgetExceeded as error:
            error.partial = together.at_least(error.partial)
            raise
    whole.budget = budget
    merge(whole, first, begun, parts, progress)
    return whole


class _Together:
    """The work of this process beside others."""

    def __init__(self, whole: Subdivision, crew: Crew, progress: Progress) -> None:
        self.whole, self.crew, self.progress = whole, crew, progress
        self.budget = whole.budget = SharedBudget(whole.budget, crew)
        self.part: Part | None = None
        self.found: dict[int, Any] = {}

    def run(self, least: int, processes: int) -> tuple[int, list[list[Lengths]], list[PartResult]]:
        """The layer from which on there are parts, the cells that each begins with, and what became of them."""
        whole = self.whole
        first = _run_first(whole, least, self._watch)
        dealt = groups(whole, first, processes)
        counts = [table.count for table in whole.tables]
        for place, cells in enumerate(dealt[1:]):
            self.crew.begin(place, _go_on, cells, counts)
        self.part = Part(whole, dealt[0])
        begun = [self.part.numbers, *(closure(whole.tables, cells) for cells in dealt[1:])]
        own = self.part.run_rest(first, self._watch)
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
        return tuple(map(max, bounds, partial or bounds))


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


def _go_on(report: Report, cells: Lengths, counts: list[int]) -> PartResult:
    """One part, told by its cells of the highest dimension; reports its f-vector now and then."""
    ((whole, first),) = _begun
    if counts != [table.count for table in whole.tables]:
        raise InternalError("two processes find different complexes")
    part, due = Part(whole, cells), time.monotonic()

    def tell(stage: str, done: int, total: int | None) -> None:
        nonlocal due
        if time.monotonic() >= due:
            report(part.f_vector)
            due = time.monotonic() + _PAUSE

    return part.run_rest(first, tell)
