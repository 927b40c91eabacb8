"""Proving the rank of a stack of Jacobian rows over Q: from below modulo a prime, from above by kernel vectors.

From below: rank modulo a prime that divides no denominator. From above: explicit integer kernel vectors, each checked
to annihilate every row of the stack (:mod:`exactfd.kernels`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from flint import fmpq

from exactfd.budget import Budget, Progress, silent
from exactfd.errors import InternalError
from exactfd.gauge import Gauge
from exactfd.jacobians import FloatArray, ModularNetwork, SignArray, parameter_places
from exactfd.linalg import modular
from exactfd.network import Network

Point = Sequence[fmpq]

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


class RankSearch:
    """A stack of Jacobian rows of one network, over cells (coefficient rows) and points, that grows.

    ``rank`` is a proved lower bound at any time.
    """

    def __init__(self, network: Network, prime: int, reduced: ModularNetwork) -> None:
        self.network = network
        self.prime = prime
        self._reduced = reduced
        self.gauge = Gauge.of(network)
        fixed = set(self.gauge.columns)
        # Layer by layer, and inside a layer by the neuron that a weight comes from: kernel vectors have shorter
        # supports when the weights from one neuron stand together (measured).
        order = sorted((level, k, i, j) for j, (level, i, k) in enumerate(parameter_places(network)) if j not in fixed)
        self.columns = np.array([j for *_, j in order], dtype=np.int64)
        self.space = modular.RowSpace(len(self.columns), prime)
        self._chunks: list[_Chunk] = []
        self._labels: list[SignArray] = []
        self.points: list[Point | None] = []  # by item; None for a cell

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

    def afresh(self) -> RankSearch:
        """An empty search modulo the same prime."""
        return RankSearch(self.network, self.prime, self._reduced)

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
        width = self.network.parametric_dimension
        first = len(self.points)
        self._labels.append(labels)
        self.points += [None] * len(labels)
        for part in chunks(len(labels), outputs * size * width):
            for some in chunks(size, outputs * width):  # the rows of one cell may be too many
                if stop_at is not None and self.rank >= stop_at:
                    return
                coefficients, items = range(size)[some], range(len(labels))[part]
                self._check(budget, len(items) * outputs * len(coefficients))
                self._take(
                    self._reduced.cell_rows(labels[part], coefficients),
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
        outputs, first = self.network.output_dimension, len(self.points)
        self._labels.append(labels)
        self.points += points
        for part in chunks(len(labels), outputs * self.network.parametric_dimension):
            items = range(len(labels))[part]
            self._check(budget, len(items) * outputs)
            rows = self._reduced.point_rows(labels[part], points[part])
            if rows is None:
                return False
            self._take(rows, range(first + items.start, first + items.stop), range(1))
            progress("rank", self.rank, None)
        return True

    def _check(self, budget: Budget | None, rows: int) -> None:
        if budget is not None:
            basis = (self.rank + rows) * len(self.columns)
            budget.check(bytes_needed=8 * (4 * rows * self.network.parametric_dimension + 2 * basis))

    def _take(self, rows: FloatArray, items: range, coefficients: range) -> None:
        self._chunks.append(_Chunk(self.space.seen, items, coefficients))
        self.space.add(rows[:, self.columns])

    # ------------------------------------------------------------------ what is known

    def labels(self) -> SignArray:
        """Ternary tuples of the items so far, one row each."""
        none = np.zeros((0, sum(self.network.relu_widths)), dtype=np.int8)
        return np.concatenate([none, *self._labels])

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

    def pivot_rows(self) -> list[Row]:
        """The independent rows, in order of arrival."""
        return [self.row(number) for number in self.space.pivot_rows]

    def residues(self, rows: Sequence[Row]) -> Any:
        """Some rows modulo the prime, on the columns that are not fixed; float32, which holds the residues exactly."""
        labels, outputs, size = self.labels(), self.network.output_dimension, self.network.input_dimension + 1
        result = np.empty((len(rows), len(self.columns)), dtype=np.float32)
        order = sorted(range(len(rows)), key=lambda i: rows[i])
        for part in chunks(len(order), outputs * size * self.network.parametric_dimension):
            for cells in (True, False):
                some = [i for i in order[part] if (self.points[rows[i].item] is None) == cells]
                items = sorted({rows[i].item for i in some})
                if not items:
                    continue
                points = [point for item in items if (point := self.points[item]) is not None]
                table = (
                    self._reduced.cell_rows(labels[items]) if cells else self._reduced.point_rows(labels[items], points)
                )
                if table is None:
                    raise InternalError("a prime that was usable no longer is")
                place, width = {item: i for i, item in enumerate(items)}, size if cells else 1
                wanted = [
                    (place[row.item] * outputs + row.output) * width + row.coefficient
                    for row in map(rows.__getitem__, some)
                ]
                result[some] = table[wanted][:, self.columns]
        return result

    def unused_pivots(self, budget: Budget | None = None) -> list[int]:
        """Numbers of the pivot rows that no other row depends on: without them the rank is less by as many.

        A random combination of all dependent rows is written in terms of the pivot rows. (One that it misses by bad
        luck is found out by the rank of the other rows.)
        """
        pivots = self.space.pivot_columns
        if not pivots:
            return []
        rng, independent = np.random.default_rng(0), np.array(self.space.pivot_rows)
        total = np.zeros((1, len(pivots)))
        for chunk, rows in self._rows_again():
            if budget is not None:
                budget.check()
            factors = np.rint(rng.uniform(-(2**20), 2**20, size=(1, len(rows))))
            inside = independent[(independent >= chunk.first_row) & (independent < chunk.first_row + len(rows))]
            factors[:, inside - chunk.first_row] = 0
            total = modular.reduce(total + modular.multiply(factors, rows[:, pivots], self.prime), self.prime)
        square = self.residues(self.pivot_rows())[:, pivots].astype(np.float64)
        solution = modular.RowSpace(len(pivots) + 1, self.prime)
        solution.add(np.concatenate([square, total]).T)
        used = np.zeros(len(pivots), dtype=bool)
        used[solution.pivot_columns] = solution.tail[:, 0] != 0
        return [number for number, is_used in zip(self.space.pivot_rows, used.tolist(), strict=True) if not is_used]

    def _rows_again(self) -> Iterable[tuple[_Chunk, FloatArray]]:
        """The rows as they came in."""
        labels = self.labels()
        for chunk in self._chunks:
            items = slice(chunk.items.start, chunk.items.stop)
            points = [point for point in self.points[items] if point is not None]
            rows = (
                self._reduced.point_rows(labels[items], points)
                if points
                else self._reduced.cell_rows(labels[items], chunk.coefficients)
            )
            if rows is None:
                raise InternalError("a prime that was usable no longer is")
            yield chunk, rows[:, self.columns]


def chunks(count: int, weight: int) -> Iterable[slice]:
    """Slices of ``range(count)`` in which ``weight`` entries each make a table of moderate size."""
    step = max(1, _ENTRIES // max(weight, 1))
    return (slice(start, min(start + step, count)) for start in range(0, count, step))
