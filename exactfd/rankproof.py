"""Proving the rank of a stack of Jacobian rows over Q: from below modulo a prime, from above by kernel vectors.

From below: rank modulo a prime that divides no denominator. From above: explicit integer kernel vectors, each checked
to annihilate every row of the stack (:mod:`exactfd.kernels`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from flint import fmpq

from exactfd.budget import Budget, Progress, silent
from exactfd.errors import InternalError
from exactfd.gauge import Gauge
from exactfd.jacobians import FloatArray, ModularNetwork, SignArray, parameter_places
from exactfd.linalg import modular
from exactfd.linalg.sifting import SiftedRows
from exactfd.network import Network
from exactfd.points import Point, Points

Indices = np.ndarray[Any, np.dtype[np.int64]]

_ENTRIES = 2_000_000  # matrix entries built at once: 16 MB


class Row(NamedTuple):
    """One row of a stack: of which item (cell or point, in order of arrival), which output, which coefficient."""

    item: int
    output: int
    coefficient: int


class _Chunk(NamedTuple):
    """Rows that arrived together: consecutive items, each with its outputs and some consecutive coefficients."""

    first_row: int
    items: range
    coefficients: range


class _Part(NamedTuple):
    """Items that arrived together, all cells (then there are no points) or all points."""

    first_item: int
    labels: SignArray
    points: Points | None


class RankSearch:
    """A stack of Jacobian rows of one network, over cells (coefficient rows) and points, that grows.

    ``rank`` is a proved lower bound at any time.
    """

    def __init__(self, network: Network, prime: int, reduced: ModularNetwork) -> None:
        self.network = network
        self.prime = prime
        self.reduced = reduced
        self.gauge = Gauge.of(network)
        self.columns = free_of_gauge(network.architecture, tuple(self.gauge.columns))
        self._rows = SiftedRows(len(self.columns), prime)
        self.space = self._rows.space
        self._chunks: list[_Chunk] = []
        self._parts: list[_Part] = []
        self._items = 0

    @classmethod
    def start(cls, network: Network, *, skip: int = 0) -> RankSearch:
        """Search modulo the first usable prime, after passing over ``skip`` of them."""
        usable = 0
        for prime in modular.primes():
            reduced = ModularNetwork.reduce(network, prime)
            if reduced is None:
                continue
            if usable == skip:
                return cls(network, prime, reduced)
            usable += 1
        raise InternalError("every prime below 2^23 divides a denominator of this network")

    @classmethod
    def modulo(cls, network: Network, prime: int) -> RankSearch | None:
        """Search modulo a given prime; None when it divides a denominator."""
        reduced = ModularNetwork.reduce(network, prime)
        return None if reduced is None else cls(network, prime, reduced)

    # ------------------------------------------------------------------ rows in

    @property
    def rank(self) -> int:
        """Rank of the rows so far modulo the prime: at most their rank over Q."""
        return self.space.rank

    def add_cells(
        self,
        labels: SignArray,
        *,
        stop_at: int | None = None,
        budget: Budget | None = None,
        progress: Progress = silent,
    ) -> None:
        """Stack the coefficient rows of cells (labels ``m x N``); stops once the rank reaches ``stop_at``.

        Raises ``BudgetExceeded``; what was stacked by then stays.
        """
        outputs, size = self.network.output_dimension, self.network.input_dimension + 1
        width, first = self.network.parametric_dimension, self._arrive(labels, None)
        with self._settling():
            for part in chunks(len(labels), outputs * size * width):
                for some in chunks(size, outputs * width):  # the rows of one cell may be too many
                    if stop_at is not None and self.rank + self._rows.waiting >= stop_at:
                        self._rows.settle()
                        if self.rank >= stop_at:
                            return
                    coefficients, items = range(size)[some], range(len(labels))[part]
                    self._check(budget, len(items) * outputs * len(coefficients))
                    self._take(
                        self.reduced.cell_rows(labels[part], coefficients, self.columns),
                        range(first + items.start, first + items.stop),
                        coefficients,
                    )
                    progress("rank", self.rank, stop_at)

    def add_points(
        self,
        labels: SignArray,
        points: Sequence[Point],
        *,
        budget: Budget | None = None,
        progress: Progress = silent,
    ) -> bool:
        """Stack the Jacobian rows at points; False when the prime divides a denominator of a point.

        Raises ``BudgetExceeded``; what was stacked by then stays.
        """
        outputs, points = self.network.output_dimension, Points.of(points, self.network.input_dimension)
        first = self._arrive(labels, points)
        with self._settling():
            for part in chunks(len(labels), outputs * self.network.parametric_dimension):
                items = range(len(labels))[part]
                self._check(budget, len(items) * outputs)
                rows = self.reduced.point_rows(labels[part], points[part], self.columns)
                if rows is None:
                    return False
                self._take(rows, range(first + items.start, first + items.stop), range(1))
                progress("rank", self.rank, None)
        return True

    @contextmanager
    def _settling(self) -> Iterator[None]:
        """At the end no row waits to be eliminated, however it ends."""
        try:
            yield
        finally:
            self._rows.settle()

    def _arrive(self, labels: SignArray, points: Points | None) -> int:
        first = self._items
        self._parts.append(_Part(first, labels, points))
        self._items += len(labels)
        return first

    def _check(self, budget: Budget | None, rows: int) -> None:
        if budget is not None:
            basis = (self.rank + rows) * len(self.columns)
            budget.check(bytes_needed=8 * (4 * rows * self.network.parametric_dimension + 2 * basis))

    def _take(self, rows: FloatArray, items: range, coefficients: range) -> None:
        self._chunks.append(_Chunk(self._rows.seen, items, coefficients))
        self._rows.add(rows)

    # ------------------------------------------------------------------ what is known

    def labels(self) -> SignArray:
        """Ternary tuples of the items so far, one row each."""
        none = np.zeros((0, sum(self.network.relu_widths)), dtype=np.int8)
        return np.concatenate([none, *(part.labels for part in self._parts)])

    def point(self, item: int) -> list[fmpq] | None:
        """The point with a number, in order of arrival; None for a cell."""
        part = self._part(item)
        return None if part.points is None else part.points[item - part.first_item]

    def _part(self, item: int) -> _Part:
        return self._parts[bisect_right(self._parts, item, key=lambda part: part.first_item) - 1]

    def row(self, number: int) -> Row:
        """What the row with a number, in order of arrival, is."""
        chunk = self._chunks[bisect_right(self._chunks, number, key=lambda chunk: chunk.first_row) - 1]
        rest, coefficient = divmod(number - chunk.first_row, len(chunk.coefficients))
        item, output = divmod(rest, self.network.output_dimension)
        return Row(chunk.items[item], output, chunk.coefficients[coefficient])

    def pivot_columns(self) -> list[int]:
        """Parameters of the pivots, in the order of the pivot rows."""
        return [int(self.columns[j]) for j in self.space.pivot_columns]

    def free_columns(self) -> list[int]:
        """Parameters that are neither pivot nor gauge, ordered as ``columns``: one for each vector of the kernel."""
        return [int(self.columns[j]) for j in self.space.free_columns]

    @property
    def seen(self) -> int:
        """How many rows have come."""
        return self._rows.seen

    @property
    def pivot_numbers(self) -> list[int]:
        """Numbers of the independent rows, in the order of :meth:`pivot_columns`."""
        return self._rows.pivot_rows

    def pivot_rows(self) -> list[Row]:
        """These rows."""
        return [self.row(number) for number in self.pivot_numbers]

    def kernel_vectors(self, count: int) -> FloatArray:
        """So many random vectors of the kernel modulo the prime, zero on the gauge: ``count x D``."""
        result = np.zeros((count, self.network.parametric_dimension))
        result[:, self.columns] = self.space.random_kernel(count, np.random.default_rng(0))
        return result

    def residues(self, rows: Sequence[Row]) -> Any:
        """Some rows modulo the prime, on the columns that are not fixed; float32, which holds the residues exactly."""
        outputs, size = self.network.output_dimension, self.network.input_dimension + 1
        result = np.empty((len(rows), len(self.columns)), dtype=np.float32)
        numbers: dict[int, list[int]] = {}
        for i in sorted(range(len(rows)), key=lambda i: rows[i]):
            numbers.setdefault(self._part(rows[i].item).first_item, []).append(i)
        for first, order in numbers.items():
            width = size if self._part(first).points is None else 1
            for piece in chunks(len(order), outputs * width * self.network.parametric_dimension):
                some = order[piece]
                items = sorted({rows[i].item for i in some})
                table, place = self._rows_of(self._part(first), items), {item: i for i, item in enumerate(items)}
                wanted = [
                    (place[row.item] * outputs + row.output) * width + row.coefficient
                    for row in map(rows.__getitem__, some)
                ]
                result[some] = table[wanted]
        return result

    def _rows_of(self, part: _Part, items: Sequence[int], coefficients: range | None = None) -> FloatArray:
        """The rows of some items that arrived together, on the columns that are not fixed."""
        numbers = [item - part.first_item for item in items]
        if part.points is None:
            return self.reduced.cell_rows(part.labels[numbers], coefficients, self.columns)
        rows = self.reduced.point_rows(part.labels[numbers], part.points.take(numbers), self.columns)
        if rows is None:
            raise InternalError("a prime that was usable no longer is")
        return rows


@lru_cache(maxsize=64)
def free_of_gauge(architecture: tuple[int, ...], fixed: tuple[int, ...]) -> Indices:
    """All parameters but the fixed ones: layer by layer, and inside a layer by the neuron that a weight comes from,
    because kernel vectors have shorter supports when the weights from one neuron stand together (measured).
    """
    places, skipped = parameter_places(architecture), set(fixed)
    order = sorted((level, k, i, j) for j, (level, i, k) in enumerate(places) if j not in skipped)
    result = np.array([j for *_, j in order], dtype=np.int64)
    result.flags.writeable = False
    return result


def chunks(count: int, weight: int) -> Iterable[slice]:
    """Slices of ``range(count)`` in which ``weight`` entries each make a table of moderate size."""
    step = max(1, _ENTRIES // max(weight, 1))
    return (slice(start, min(start + step, count)) for start in range(0, count, step))
