"""Relations among the rows of a batch over Q: the other way to bound a rank from above.

In a batch of few rows or few cells there are fewer and shorter relations among its rows than vectors in its kernel.
They are proposed and proved like those (:mod:`exactfd.kernels`), with rows and columns exchanged.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from flint import fmpz

from exactfd import rationals
from exactfd.annihilation import Sizes, SparseVectors
from exactfd.budget import Budget, Progress, silent
from exactfd.errors import InternalError
from exactfd.jacobians import Reducible, SignArray
from exactfd.kernels import ExactRows, independent
from exactfd.linalg import exact, modular
from exactfd.network import Network
from exactfd.points import Points
from exactfd.rankproof import RankSearch, chunks

Relation = list[fmpz]  # one entry a row (point by point, inside that output by output)


class Relations:
    """The relations ``w J = 0`` among the rows of a search over points: one for each row that depends on rows before
    it, and an identity block on those up to scale. Raises ``BudgetExceeded``.

    Attributes
    ----------
    lengths
        How many rows each has, modulo the prime of the search, besides the one that depends on them.
    """

    def __init__(self, search: RankSearch, budget: Budget | None = None) -> None:
        names = [search.row(number) for number in range(search.seen)]
        if budget is not None:
            budget.check(bytes_needed=16 * len(names) * len(search.columns))
        self._search, self._rows, self._table = search, ExactRows(search, names), search.residues(names).T
        self._space = modular.RowSpace(len(names), search.prime)
        self._space.add(self._table.astype(np.float64))
        self.lengths = (self._space.tail != 0).sum(axis=0)

    def solved(self, *, budget: Budget | None = None, progress: Progress = silent) -> list[Relation]:
        """Integer vectors over Q. Each is right on as many columns as determine it on the support that it has modulo
        the prime; whether on *all* columns is for :func:`vanish` to say. Raises ``BudgetExceeded``.
        """
        space, search, result = self._space, self._search, []
        pivots = np.array(space.pivot_columns, dtype=np.int64)
        for number, free in enumerate(space.free_columns.tolist()):
            if budget is not None:
                budget.check()
            progress("relations", number, len(space.free_columns))
            support = sorted(pivots[space.tail[:, number] != 0].tolist())
            columns = independent(self._table, support, search.prime)
            parameters = [int(search.columns[j]) for j in columns]
            entries = [self._rows.entries(row, parameters) for row in [*support, free]]
            equations = [rationals.primitive_row(equation)[0] for equation in zip(*entries, strict=True)]
            relation, places = [fmpz(0)] * space.columns, range(len(support) + 1)
            by_row = [[row[j] for row in equations] for j in places]
            (found,) = exact.dependencies(by_row[:-1], by_row[-1:])
            for row, entry in zip([*support, free], found, strict=True):
                relation[row] = entry
            result.append(relation)
        return result


def vanish(
    network: Network,
    candidates: Sequence[Relation],
    labels: SignArray,
    points: Points,
    *,
    budget: Budget | None = None,
    progress: Progress = silent,
) -> bool:
    """Whether ``w J = 0`` exactly for every candidate, ``J`` being the Jacobian at the points.

    Raises ``BudgetExceeded``.
    """
    if not candidates:
        return True
    bounds = _bounds(network, candidates, points)
    order = sorted(range(len(candidates)), key=lambda i: -bounds[i])
    table = SparseVectors([candidates[i] for i in order], range(len(candidates[0])))
    bounds = [bounds[i] for i in order]
    used = sorted({row // network.output_dimension for row in table.support})
    place = {point: i for i, point in enumerate(used)}
    outputs, product, pending = network.output_dimension, 1, len(order)
    wanted = [place[row // outputs] * outputs + row % outputs for row in table.support]
    reducible, at = Reducible(network), points.take(used)
    for prime in modular.primes():
        reduced = reducible.modulo(prime)
        rows = None if reduced is None else reduced.point_rows(labels[used], at)
        if rows is None:
            continue
        rows = rows[wanted]
        for places, matrix in table.modulo(prime, pending):
            for part in chunks(network.parametric_dimension, len(places)):
                if budget is not None:
                    budget.check()
                if modular.multiply(matrix.T, rows[places, part], prime).any():
                    return False
        product *= prime
        progress("proof of the relations", len(order) - pending, len(order))
        while pending and bounds[pending - 1] < product:
            pending -= 1
        if not pending:
            return True
    raise InternalError("ran out of primes below 2^23")


def _bounds(network: Network, candidates: Sequence[Relation], points: Points) -> list[int]:
    """More than twice the numerators of ``w J``.

    The entries of the row at a point with denominator ``s`` are integers over ``s q_1 ... q_d``; a relation is brought
    over the least common multiple of the denominators of its points.
    """
    entry, outputs = Sizes.of(network).entry(), network.output_dimension
    scales = points.scales()
    result = []
    for relation in candidates:
        terms = [(abs(int(w)), *scales[row // outputs]) for row, w in enumerate(relation) if w != 0]
        common = math.lcm(*(s for _, s, _ in terms))
        result.append(2 * entry * sum(w * size * (common // s) for w, s, size in terms) + 1)
    return result
