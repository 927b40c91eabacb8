"""The rank over Q of the rows that the weights into the last hidden neurons have at some points, before one output.

There the sensitivity to a neuron is its weight to the output where it is live, and zero elsewhere. So, neuron by neuron
up to that weight, the row at a point is ``pi (x) r``: which neurons are live, and the inputs ``(r, 1)`` of the layer.
For all points with one ``pi`` the inputs lie in a space that activity of the layers before gives, with a short basis
of small integers: a unit vector for each neuron that is active at some of the points only, and linear functions of the
inputs for those that are always active. All products ``pi (x) b`` with elements ``b`` of such bases span the rows.

Among these products there are few relations, and small ones. With as many relations over Q as modulo a prime the rank
is the same over Q as there, and the kernel modulo the prime is the reduction of the one over Q.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from flint import fmpq, fmpz, fmpz_mat

from exactfd import rationals
from exactfd.budget import Budget
from exactfd.geometry import bits
from exactfd.linalg import exact, modular
from exactfd.network import Network
from exactfd.points import Points

FloatArray = np.ndarray[Any, np.dtype[np.float64]]
BoolArray = np.ndarray[Any, np.dtype[np.bool_]]
Indices = np.ndarray[Any, np.dtype[np.intp]]
Vector = list[fmpz]

_LONG = 150  # rows in a relation that is not sought


class PatternRows:
    """Products ``pi (x) b`` that span the rows at some points of the weights into the neurons of a hidden layer.

    Parameters
    ----------
    network, layer
        The layer, counted from 0, has one output behind it.
    active, live
        ``m x n`` by layer before this one, which neurons are active; and in this one, which are live.
    points
        The ``m`` points.
    prime
        Divides no denominator.
    """

    def __init__(
        self,
        network: Network,
        layer: int,
        active: Sequence[BoolArray],
        live: BoolArray,
        points: Points,
        prime: int,
        budget: Budget,
    ) -> None:
        self.prime, self._budget = prime, budget
        self._active, self._points, self._size = active[:layer], points, network.input_dimension + 1
        self._layers: list[tuple[fmpz_mat, fmpz]] = []  # integer matrices, and what they have been multiplied by
        for number in range(1, layer + 1):
            matrix = network.augmented(number)
            scale = rationals.common_denominator(matrix.entries())
            entries = [(entry * scale).p for entry in matrix.entries()]
            self._layers.append((fmpz_mat(matrix.nrows(), matrix.ncols(), entries), scale))
        patterns, groups = bits.distinct(live)
        _, regions = bits.distinct(np.concatenate([np.zeros((len(live), 1), bool), *self._active], axis=1))
        bases = []
        for number, pattern in enumerate(patterns.astype(int).tolist()):
            if any(pattern):
                budget.check()
                members = np.flatnonzero(groups == number)
                bases.append((pattern, self._basis(members, regions)))
        bases.sort(key=lambda pair: -len(pair[1]))  # relations are shorter where large bases come first (measured)
        self._patterns = [pattern for pattern, basis in bases for _ in basis]
        self._inputs = [vector for _, basis in bases for vector in basis]
        width: int = network.architecture[layer] + 1
        residues = np.array([[int(entry) % prime for entry in vector] for vector in self._inputs], dtype=np.float64)
        residues = modular.reduce(residues.reshape(-1, width), prime)
        budget.check(bytes_needed=16 * len(residues) * width * live.shape[1])
        chosen = np.array(self._patterns, dtype=np.float64).reshape(-1, live.shape[1])
        products = chosen[:, :, None] * residues[:, None, :]
        self._table = products.reshape(len(residues), width * live.shape[1])

    def __len__(self) -> int:
        return len(self._table)

    def _basis(self, members: Indices, regions: Indices) -> list[Vector]:
        """Integer vectors whose span holds the inputs at some points: the fewer of those from the points together, and
        those of the points of each region of the layers before on their own.
        """
        together = self._span(members)
        if len(self._active) == 0 or len(together) <= self._size:
            return together
        apart = [v for region in np.unique(regions[members]) for v in self._span(members[regions[members] == region])]
        return together if len(together) <= len(apart) else apart

    def _span(self, members: Indices) -> list[Vector]:
        """By induction over the layers: a neuron that is active at some of the points only gives a unit vector; the
        others are linear functions of the inputs of their layer, or zero.
        """
        if len(members) < self._size:
            vectors = [rationals.primitive_row([*point, fmpq(1)])[0] for point in self._points.take(members.tolist())]
        else:
            vectors = _units(range(self._size), self._size)
        for (matrix, scale), active in zip(self._layers, self._active, strict=True):
            inside = active[members]
            always: BoolArray = np.asarray(inside.all(axis=0))
            sometimes, width = np.flatnonzero(inside.any(axis=0) & ~always).tolist(), len(always) + 1
            kept = [*np.flatnonzero(always).tolist(), width - 1]
            if len(kept) <= len(vectors):
                images = _units(kept, width)
            else:
                values = (fmpz_mat(vectors) * matrix.transpose()).tolist()
                mask = always.tolist()
                images = [
                    [*(z if keep else fmpz(0) for z, keep in zip(row, mask, strict=True)), vector[-1] * scale]
                    for row, vector in zip(values, vectors, strict=True)
                ]
            vectors = [*_units(sometimes, width), *images]
        return vectors

    def space(self) -> modular.RowSpace:
        """The span of the rows modulo the prime."""
        self._budget.check(bytes_needed=16 * self._table.size)
        space = modular.RowSpace(self._table.shape[1], self.prime)
        space.add(self._table)
        return space

    def has_rank(self, rank: int) -> bool:
        """Whether this is the rank, over Q and modulo the prime; False also where relations modulo the prime are not
        those over Q, or are long.
        """
        self._budget.check(bytes_needed=16 * self._table.size)
        space = modular.RowSpace(len(self._table), self.prime)
        space.add(np.ascontiguousarray(self._table.T))
        if space.rank != rank or ((space.tail != 0).sum(axis=0) > _LONG).any():
            return False
        pivots = np.array(space.pivot_columns, dtype=np.int64)
        for number, free in enumerate(space.free_columns.tolist()):
            self._budget.check()
            support = sorted(pivots[space.tail[:, number] != 0].tolist())
            if not self._vanishes(self._relation(support, free), [*support, free]):
                return False
        return True

    def _relation(self, support: list[int], free: int) -> list[fmpz]:
        """Coefficients of some independent rows and one that depends on them, right on as many columns as there are
        independent rows.
        """
        columns = np.flatnonzero(self._table[support].any(axis=0))
        chosen = modular.independent_rows(np.ascontiguousarray(self._table[support][:, columns].T), self.prime)
        width = len(self._inputs[0])
        places = [divmod(place, width) for place in columns[chosen].tolist()]
        rows = [(self._patterns[row], self._inputs[row]) for row in (*support, free)]
        columns_of = [[vector[k] if pattern[i] else fmpz(0) for i, k in places] for pattern, vector in rows]
        (relation,) = exact.dependencies(columns_of[:-1], columns_of[-1:])
        return relation

    def _vanishes(self, relation: list[fmpz], rows: list[int]) -> bool:
        """Whether a combination of rows, the last one with a factor that is not zero, is zero."""
        profiles = set(zip(*(self._patterns[row] for row in rows), strict=True))  # many neurons have the same
        factors = [[factor if live else fmpz(0) for factor, live in zip(relation, p, strict=True)] for p in profiles]
        product = fmpz_mat(factors) * fmpz_mat([self._inputs[row] for row in rows])
        return relation[-1] != 0 and not any(product.entries())


def _units(places: Sequence[int], width: int) -> list[Vector]:
    return [[fmpz(int(i == place)) for i in range(width)] for place in places]
