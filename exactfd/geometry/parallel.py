"""Conditions with opposite gradients that contradict each other: found by a table, without a linear program.

Duplicated neurons, parallel hyperplanes, all neurons of a network with one input and the neurons that two networks have
in common give such pairs.
"""

from __future__ import annotations

import math

from exactfd.geometry.programs import Infeasible, Row, contradiction

Direction = tuple[int, ...]


class ParallelRows:
    """A stack of strict rows ``a.x + c > 0`` by the direction of ``a``."""

    def __init__(self) -> None:
        self._rows: list[tuple[Row, Direction, int]] = []  # with the primitive gradient and its integer factor
        self._places: dict[Direction, list[int]] = {}

    def push(self, row: Row) -> None:
        """Add a row."""
        gradient = tuple(map(int, row.coefficients))
        content = math.gcd(*gradient) or 1
        direction = tuple(a // content for a in gradient) if content > 1 else gradient
        self._places.setdefault(direction, []).append(len(self._rows))
        self._rows.append((row, direction, content))

    def truncate(self, count: int) -> None:
        """Forget all rows but the first ``count``."""
        while len(self._rows) > count:
            _, direction, _ = self._rows.pop()
            self._places[direction].pop()
            if not self._places[direction]:
                del self._places[direction]

    def contradiction(self) -> Infeasible | None:
        """Evidence that the last row contradicts one other whose gradient is a negative multiple of its own, if so."""
        last, direction, content = self._rows[-1]
        for place in reversed(self._places.get(tuple(-a for a in direction), ())):
            other, _, factor = self._rows[place]
            evidence = contradiction((place, len(self._rows) - 1), (other, last), (content, factor))
            if evidence is not None:
                return evidence
        return None
