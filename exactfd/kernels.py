"""Kernel vectors of a stack of Jacobian rows over Q, proposed by solving.

Modulo the prime of a search all kernel vectors are known from its elimination. Their supports are usually small, and
then each is over Q the solution of a small system of some of the independent rows. That it annihilates *every* row is
for :mod:`exactfd.annihilation` to prove.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat, fmpz, fmpz_mat

from exactfd import rationals
from exactfd.budget import Budget, Progress, silent
from exactfd.geometry.labels import split_layers
from exactfd.jacobians import exact_factors, parameter_places
from exactfd.linalg import exact, modular
from exactfd.rankproof import RankSearch, Row

Vector = list[fmpz]  # of length D

_GROUP = 16  # vectors solved for together, at most
_LARGER = 1.2  # than the longest support: what those of vectors that are solved for together may have in common
_SHORT = 150  # nonzero entries beyond which a vector is solved for, and proved, after all shorter ones


def kernel_parts(
    search: RankSearch,
    numbers: Sequence[int] | None = None,
    *,
    budget: Budget | None = None,
    progress: Progress = silent,
) -> Iterator[dict[int, Vector]]:
    """Integer vectors (length ``D``, zero on the gauge) that span the kernel of the independent rows of a search modulo
    the scaling directions, by the number of their free column: one for each column that is neither pivot nor gauge (or
    for those ``numbers`` that are given), with an identity block on those columns up to scale. First those with few
    nonzero entries, which are cheap and usually almost all; then the others.

    Each annihilates as many independent rows as determine it on the support that it has modulo the prime, or on the
    union of some such supports that are much the same: these vectors are solved for together. Whether it annihilates
    the *other* rows is for :func:`exactfd.annihilation.annihilates` to say. Raises ``BudgetExceeded``.
    """
    if numbers is not None and not len(numbers):
        return
    names = search.pivot_rows()
    rows, table = ExactRows(search, names), search.residues(names)
    pivots, tail = np.array(search.space.pivot_columns, dtype=np.int64), search.space.tail
    lengths = (tail != 0).sum(axis=0)
    chosen = np.arange(len(lengths)) if numbers is None else np.array(numbers, dtype=np.int64)
    done = 0
    for wanted in (chosen[lengths[chosen] < _SHORT], chosen[lengths[chosen] >= _SHORT]):
        part: dict[int, Vector] = {}
        ordered = wanted[np.argsort(lengths[wanted], kind="stable")].tolist()
        supports = [set(pivots[tail[:, number] != 0].tolist()) for number in ordered]
        for some in _alike(supports):
            if budget is not None:
                budget.check()
            progress("kernel", done, len(chosen))
            numbers_of = [ordered[i] for i in some]
            support = sorted(set().union(*(supports[i] for i in some)))
            dependent = search.columns[search.space.free_columns[numbers_of]].tolist()
            equations = independent(table, support, search.prime)
            vectors = rows.solved(equations, search.columns[support].tolist(), dependent)
            part.update(zip(numbers_of, vectors, strict=True))
            done += len(some)
        yield part


def kernel(
    search: RankSearch,
    numbers: Sequence[int] | None = None,
    *,
    budget: Budget | None = None,
    progress: Progress = silent,
) -> list[Vector]:
    """All vectors of :func:`kernel_parts`, in the order of the free columns."""
    found: dict[int, Vector] = {}
    for part in kernel_parts(search, numbers, budget=budget, progress=progress):
        found.update(part)
    return [found[number] for number in sorted(found)]


class ExactRows:
    """Rows of a search: exact entries on demand."""

    def __init__(self, search: RankSearch, rows: Sequence[Row]) -> None:
        self.search = search
        self.rows = rows
        self._places = parameter_places(search.network.architecture)
        self._labels = search.labels()
        self._factors: dict[int, Any] = {}
        self._integers: dict[int, Any] = {}
        augmented = [search.network.augmented(number) for number in range(1, search.network.depth + 1)]
        self._scales = [rationals.common_denominator(a.entries()) for a in augmented]
        self._matrices = [  # each layer times its common denominator
            fmpz_mat(a.nrows(), a.ncols(), [(entry * scale).p for entry in a.entries()])
            for a, scale in zip(augmented, self._scales, strict=True)
        ]

    def entries(self, number: int, parameters: Sequence[int]) -> list[fmpq]:
        """Exact entries of one row at some parameters."""
        item, output, coefficient = self.rows[number]
        if item not in self._factors:
            size, point = self.search.network.input_dimension + 1, self.search.point(item)
            inputs = (
                fmpq_mat(size, size, [fmpq(int(i == j)) for i in range(size) for j in range(size)])
                if point is None
                else fmpq_mat(size, 1, [*point, fmpq(1)])
            )
            self._factors[item] = exact_factors(self.search.network, self._labels[item].tolist(), inputs)
        left, right = self._factors[item]
        return [
            left[level][output][i] * right[level][k][coefficient]
            for level, i, k in map(self._places.__getitem__, parameters)
        ]

    def solved(self, numbers: Sequence[int], pivots: Sequence[int], dependent: Sequence[int]) -> list[Vector]:
        """For each dependent parameter the primitive vector (length ``D``) on it and the pivots that some rows leave.

        There are as many rows as pivots, and they are independent there.
        """
        places, count = [self._places[parameter] for parameter in (*pivots, *dependent)], len(pivots)
        scales = [self._scales[level] for level, *_ in places]
        rows = [self._scaled(number, places) for number in numbers]
        columns = [[row[j] for row in rows] for j in range(len(places))]
        for j, column in enumerate(columns):  # a weight to the output is often a common factor
            factor = _content(column)
            if factor > 1:
                columns[j], scales[j] = [entry // factor for entry in column], scales[j] * factor
        found = exact.dependencies(columns[:count], columns[count:])
        return [
            self._unscaled([*pivots, parameter], entries, [*scales[:count], scale])
            for parameter, entries, scale in zip(dependent, found, scales[count:], strict=True)
        ]

    def _unscaled(self, parameters: Sequence[int], entries: Sequence[fmpz], scales: Sequence[fmpz]) -> Vector:
        """The primitive vector of the entries over the scales."""
        common, vector = fmpz(1), [fmpz(0)] * self.search.network.parametric_dimension
        for scale in set(scales):
            common = common.lcm(scale)
        entries = [entry * (common // scale) for entry, scale in zip(entries, scales, strict=True)]
        factor = _content(entries)
        for parameter, entry in zip(parameters, entries, strict=True):
            vector[parameter] = entry // factor
        return vector

    def _scaled(self, number: int, places: Sequence[tuple[int, int, int]]) -> list[fmpz]:
        """Integer entries of one row: the entries times one number for the whole row, and divided by the common
        denominator of the layer.
        """
        item, output, coefficient = self.rows[number]
        if item not in self._integers:
            self._integers[item] = self._integer_factors(item)
        left, right = self._integers[item]
        entries = [left[level][output][i] * right[level][k][coefficient] for level, i, k in places]
        factor = _content(entries)
        return entries if factor == 1 else [entry // factor for entry in entries]

    def _integer_factors(self, item: int) -> tuple[list[list[list[fmpz]]], list[list[list[fmpz]]]]:
        """The factors of the rows of one item (:func:`exactfd.jacobians.exact_factors`), those of each layer times the
        common denominators of the layers that they depend on.
        """
        network, labels, point = self.search.network, self._labels[item].tolist(), self.search.point(item)
        size, masks = network.input_dimension + 1, split_layers(labels, network.relu_widths)
        if point is None:
            right = [[[fmpz(int(i == j)) for j in range(size)] for i in range(size)]]
        else:
            right = [[[entry] for entry in rationals.primitive_row([*point, fmpq(1)])[0]]]
        for a, scale, mask in zip(self._matrices[:-1], self._scales, masks, strict=False):
            values = (a * fmpz_mat(right[-1])).tolist()
            kept = [row if label > 0 else [fmpz(0)] * len(row) for row, label in zip(values, mask, strict=True)]
            right.append([*kept, [entry * scale for entry in right[-1][-1]]])
        outputs = network.output_dimension
        last = masks[-1] if len(masks) == network.depth else [1] * outputs
        left = [[[fmpz(int(i == j and last[i] > 0)) for j in range(outputs)] for i in range(outputs)]]
        for a, mask in zip(self._matrices[:0:-1], masks[: network.depth - 1][::-1], strict=True):
            values = [row[:-1] for row in (fmpz_mat(left[0]) * a).tolist()]  # without the bias
            kept = [[e if label > 0 else fmpz(0) for e, label in zip(row, mask, strict=True)] for row in values]
            left.insert(0, kept)
        return left, right


def _content(entries: Iterable[fmpz]) -> fmpz:
    """Greatest common divisor, one if they all vanish."""
    result = fmpz(0)
    for entry in entries:
        result = result.gcd(entry)
        if result == 1:
            break
    return result if result else fmpz(1)


def _alike(supports: Sequence[set[int]]) -> Iterator[list[int]]:
    """Numbers of sets that have much the same elements, from short to long: their union is hardly larger."""
    group: list[int] = []
    union: set[int] = set()
    for number, support in enumerate(supports):
        if group and (len(group) == _GROUP or len(union | support) > _LARGER * len(support)):
            yield group
            group, union = [], set()
        group.append(number)
        union |= support
    if group:
        yield group


def independent(table: Any, columns: list[int], prime: int) -> list[int]:
    """Numbers of rows that are independent on some columns modulo the prime, as many as there are."""
    candidates = np.flatnonzero(table[:, columns].any(axis=1))
    space = modular.RowSpace(len(candidates), prime)
    space.add(np.ascontiguousarray(table[candidates][:, columns].T.astype(np.float64)))
    return sorted(candidates[space.pivot_columns].tolist())
