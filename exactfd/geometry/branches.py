"""The splitting tree by several processes, each in branches of its own; the cells come as from one.

This process walks down until there are branches enough and hands them out, those that the walk would visit first
before the others. It gives the cells in that order, and hands out no branch that lies far behind, so that few cells
wait here for their turn.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from math import comb
from typing import Any

from exactfd.budget import Budget, Progress
from exactfd.errors import BudgetExceeded
from exactfd.geometry.box import parse_box
from exactfd.geometry.walk import Node, Walk
from exactfd.network import Network
from exactfd.processes import Crew, Report, SharedBudget

#: Least expected number of cells (as if all neurons were hyperplanes in general position) for other processes.
WORTH = 4000
#: Branches for each process, at least.
BRANCHES = 64

_AHEAD = 16  # branches for each process between the one whose cells are given and the last one handed out
_PAUSE = 0.2  # seconds between two looks at the limits
_GRACE = 2.0  # seconds for other processes to tell what they found when time runs out

#: Labels, numerators and denominator: fractions are slow to pickle.
_Plain = tuple[tuple[int, ...], tuple[int, ...], int]
Cell = tuple[tuple[int, ...], tuple[Fraction, ...]]


def is_worth(network: Network, processes: int, budget: Budget) -> bool:
    """Whether processes beside this one are to work."""
    neurons, inputs = sum(network.relu_widths), network.input_dimension
    expected = sum(comb(neurons, k) for k in range(inputs + 1))
    return processes > 1 and min(expected, budget.max_cells or expected) >= WORTH


def cells_by_processes(
    network: Network, box: Any, budget: Budget, progress: Progress, processes: int
) -> Iterator[Cell]:
    """As :meth:`~exactfd.geometry.walk.Walk.cells`, and ``EngineError`` where another process fails."""
    found, box = 0, parse_box(box, network.input_dimension)  # plain fractions: anything else might not be pickled
    with Crew(processes) as crew:
        handout = _Handout(network, box, SharedBudget(budget, crew), crew)
        try:
            for cell in handout.cells():
                if found == budget.max_cells:
                    handout.unknown += 1
                    budget.check(cells=found + 1)
                found += 1
                progress("cells", found, None)
                yield cell
        except BudgetExceeded as error:
            raise BudgetExceeded(
                f"{error}; {handout.untouched} of {len(handout.nodes)} branches of the splitting tree have not been "
                f"looked at, so there are at least {found + handout.at_least} cells"
            ) from None


class _Handout:
    """Who walks where, and what was found so far."""

    def __init__(self, network: Network, box: Any, budget: SharedBudget, crew: Crew) -> None:
        self.budget, self.crew = budget, crew
        for place in range(len(crew)):  # they begin while this process walks down
            crew.begin(place, _prepare, network, box)
        self.nodes = _branches(network, box, budget, BRANCHES * len(crew))
        self._next = 0  # node to be handed out
        self._busy: dict[int, int] = {}  # process -> node
        self._found: dict[int, list[_Plain]] = {}  # node -> its cells
        self.unknown = 0  # cells that are there for certain, though nobody has told of them: one for each limit met

    @property
    def untouched(self) -> int:
        """Number of nodes of which nothing is known but that a cell is below."""
        return len(self.nodes) - self._next

    @property
    def at_least(self) -> int:
        """How many cells there are besides those found: one below each node that nobody has told of. (A limit is looked
        at before a cell is given, so one that was met hides a cell as well.)
        """
        return self.untouched + len(self._busy) + self.unknown

    def cells(self) -> Iterator[Cell]:
        """Node after node. When a limit runs out, what is known below later nodes comes before ``BudgetExceeded``."""
        try:
            for number in range(len(self.nodes)):
                while True:
                    self._hand_out(number + _AHEAD * len(self.crew))
                    if number in self._found:
                        break
                    self._listen(_PAUSE)
                    self.budget.check()
                yield from map(_cell, self._found.pop(number))
        except BudgetExceeded:
            limit = self.budget.time_limit
            while self._busy and limit is not None and limit < self.budget.seconds < limit + _GRACE:
                with contextlib.suppress(BudgetExceeded):
                    self._listen(_PAUSE)
            for number in sorted(self._found):
                yield from map(_cell, self._found[number])
            raise

    def _hand_out(self, end: int) -> None:
        for place in range(len(self.crew)):
            if place not in self._busy and self._next < min(end, len(self.nodes)):
                self.crew.begin(place, _below, self.budget.for_others(), self.nodes[self._next])
                self._busy[place] = self._next
                self._next += 1

    def _listen(self, timeout: float) -> None:
        for place, result in self.crew.results(timeout):
            if result is not None:
                cells, limit = result
                self._found[self._busy.pop(place)] = cells
                if limit is not None:
                    self.unknown += 1
                    raise BudgetExceeded(limit)


def _branches(network: Network, box: Any, budget: Budget, least: int) -> list[Node]:
    """Nodes of one depth below which are all cells, in the order of the walk; as many as that, if there are."""
    walk = Walk([network], box, None)
    nodes, depth = [walk.root_node()], 0
    while depth < walk.total and len(nodes) < least:
        depth += 1
        nodes = [leaf for node in nodes for leaf in walk.leaves(budget, node, depth, [])]
    return nodes


def _cell(plain: _Plain) -> Cell:
    labels, numerators, denominator = plain
    return labels, tuple(Fraction(top, denominator) for top in numerators)


# --------------------------------------------------------------------------- in the other processes

_walk: list[Walk] = []


def _prepare(report: Report, network: Network, box: Any) -> None:
    _walk[:] = [Walk([network], box, None)]


def _below(report: Report, limits: dict[str, Any], node: Node) -> tuple[list[_Plain], str | None]:
    """The cells below a node; when a limit runs out, those found by then, and which it was."""
    (walk,), cells = _walk, []
    try:
        for leaf in walk.leaves(Budget(**limits), node, walk.total, []):
            point = leaf.point
            cells.append((leaf.labels, point.numerators, point.denominator))
    except BudgetExceeded as error:
        return cells, str(error)
    return cells, None
