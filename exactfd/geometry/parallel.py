"""Conditions with opposite gradients that contradict each other: found by a table, without a linear program.

Duplicated neurons, parallel hyperplanes, all neurons of a network with one input and the neurons that two networks have
in common give such pairs.
"""

from __future__ import annotations

import math

from exactfd.geometry.programs import Infeasible, Row, contradiction

Direction = tuple[int, ...]


class ParallelRows:
    """A stack of strict rows ``a.x + c > 0``, and of each direction of ``a`` the one that excludes most."""

    def __init__(self) -> None:
        self._rows: list[tuple[Row, Direction, int]] = []  # with the primitive gradient and its integer factor
        self._tightest: dict[Direction, list[int]] = {}  # after each row of that direction

    def push(self, row: Row) -> None:
        """Add a row."""
        gradient = tuple(map(int, row.coefficients))
        content = math.gcd(*gradient) or 1
        direction = tuple(a // content for a in gradient) if content > 1 else gradient
        tightest = self._tightest.setdefault(direction, [])
        place = len(self._rows)
        if tightest:
            other, _, factor = self._rows[tightest[-1]]
            if row.constant * factor >= other.constant * content:
                place = tightest[-1]
        tightest.append(place)
        self._rows.append((row, direction, content))

    def truncate(self, count: int) -> None:
        """Forget all rows but the first ``count``."""
        while len(self._rows) > count:
            _, direction, _ = self._rows.pop()
            self._tightest[direction].pop()
            if not self._tightest[direction]:
                del self._tightest[direction]

    def contradiction(self) -> Infeasible | None:
        """Evidence that the last row contradicts one other whose gradient is a negative multiple of its own, if so."""
        last, direction, content = self._rows[-1]
        opposite = self._tightest.get(tuple(-a for a in direction))
        if opposite is None:
            return None
        other, _, factor = self._rows[opposite[-1]]
        return contradiction((opposite[-1], len(self._rows) - 1), (other, last), (content, factor))
