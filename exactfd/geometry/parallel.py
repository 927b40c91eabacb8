"""Conditions with opposite gradients that contradict each other: found by a table, without a linear program.

Duplicated neurons, parallel hyperplanes, all neurons of a network with one input and the neurons that two networks have
in common give such pairs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from exactfd.geometry.programs import Infeasible, Row, contradiction

#: A primitive integer vector, its negative, and the positive integer by which a gradient is a multiple of the first.
Direction = tuple[tuple[int, ...], tuple[int, ...], int]


def direction_of(gradient: Iterable[Any]) -> Direction:
    """The direction of an integer vector.

    >>> direction_of((4, -6))
    ((2, -3), (-2, 3), 2)
    """
    entries = tuple(map(int, gradient))
    content = math.gcd(*entries) or 1
    if content > 1:
        entries = tuple(entry // content for entry in entries)
    return entries, tuple(-entry for entry in entries), content


class ParallelRows:
    """A stack of strict rows ``a.x + c > 0``, and of each direction of ``a`` the one that excludes most."""

    def __init__(self) -> None:
        self._rows: list[tuple[Row, Direction]] = []
        self._tightest: dict[tuple[int, ...], list[int]] = {}  # after each row of that direction

    def push(self, row: Row, direction: Direction) -> None:
        """Add a row, given the direction of its gradient."""
        place = len(self._rows)
        tightest = self._tightest.get(direction[0])
        if tightest is None:
            self._tightest[direction[0]] = [place]
        else:
            other, (_, _, content) = self._rows[tightest[-1]]
            closer = row.constant * content < other.constant * direction[2]
            tightest.append(place if closer else tightest[-1])
        self._rows.append((row, direction))

    def truncate(self, count: int) -> None:
        """Forget all rows but the first ``count``."""
        while len(self._rows) > count:
            _, (key, _, _) = self._rows.pop()
            tightest = self._tightest[key]
            tightest.pop()
            if not tightest:
                del self._tightest[key]

    def contradiction(self) -> Infeasible | None:
        """Evidence that the last row contradicts one other whose gradient is a negative multiple of its own, if so."""
        last, (_, opposite, content) = self._rows[-1]
        tightest = self._tightest.get(opposite)
        if tightest is None:
            return None
        other, (_, _, factor) = self._rows[tightest[-1]]
        return contradiction((tightest[-1], len(self._rows) - 1), (other, last), (content, factor))
