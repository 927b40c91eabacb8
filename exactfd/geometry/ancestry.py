"""Exact integers on demand: the coordinates of a generator come from the edge on which it was made."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, wraps
from typing import Any, TypeVar

import numpy as np
from flint import fmpz, fmpz_mat

from exactfd.errors import InternalError
from exactfd.geometry.tables import Indices
from exactfd.rationals import primitive

IntArray = np.ndarray[Any, np.dtype[np.integer[Any]]]
Coordinates = tuple[tuple[int, ...], ...]
Result = TypeVar("Result")

_FEW = 16  # generators to begin with up to which what follows from them is kept for the next network


def kept_for_few(function: Callable[[Coordinates], Result]) -> Callable[[Coordinates], Result]:
    """What follows from the coordinates of the generators to begin with, kept where these are few: the same ones come
    again. Nobody is to write to it.
    """
    kept = lru_cache(maxsize=16)(function)

    @wraps(function)
    def found(initial: Coordinates) -> Result:
        return kept(initial) if len(initial) <= _FEW else function(initial)

    return found


class Ancestry:
    """Where the generators of a subdivision are, exactly.

    Parameters
    ----------
    layers
        The integer layers of the network (see :mod:`exactfd.geometry.homogeneous`).
    initial
        Integer coordinates ``(y_1, ..., y_r, t)`` of the generators to begin with.
    room
        How many generators there is room for.

    Attributes
    ----------
    parents
        Rows: the two ends of the edge on which each generator was made; -1 and -1 for those that were given. There may
        be room behind the last one.
    made
        ``(v, layer, neuron)``: the generators from ``v`` on are zeros of this neuron, as far as the next entry.
    """

    def __init__(self, layers: Sequence[fmpz_mat], initial: Coordinates, room: int) -> None:
        self.parents: Indices = np.empty((room, 2), dtype=np.int32)
        self.parents[: len(initial)] = -1
        self.made: list[tuple[int, int, int]] = []
        self._layers = layers
        self._coordinates = _given(initial).copy()
        self._inputs: list[dict[int, list[fmpz]]] = [{} for _ in layers]

    def part(self, generators: IntArray) -> Ancestry:
        """That of some generators alone, as if they had been given; this one is asked for their coordinates."""
        part = Ancestry(self._layers, (), len(generators))
        part.parents[:] = -1
        part._coordinates = _Inherited(self, generators)
        return part

    def close(self, count: int) -> None:
        """No room for more than ``count`` generators; forget what can be computed again."""
        self.parents = self.parents[:count].copy()
        self._inputs = [{} for _ in self._layers]

    def coordinates(self, generators: Iterable[int]) -> list[list[fmpz]]:
        """Exact integer coordinates ``(y_1, ..., y_r, t)`` of some generators: those given, and primitive ones."""
        wanted = [int(v) for v in generators]
        self._resolve(wanted)
        return [self._coordinates[v] for v in wanted]

    def _resolve(self, wanted: list[int]) -> None:
        missing: set[int] = set()
        frontier = {v for v in wanted if v not in self._coordinates}
        while frontier:
            missing |= frontier
            ends = {int(p) for v in frontier for p in self.parents[v]}
            frontier = {v for v in ends if v not in self._coordinates and v not in missing}
        for v in sorted(missing):  # parents have smaller indices
            _, layer, neuron = self.made[bisect_right(self.made, v, key=lambda made: made[0]) - 1]
            u, w = (int(p) for p in self.parents[v])
            at_u, at_w = self.value(u, layer, neuron), self.value(w, layer, neuron)
            if (at_u > 0) == (at_w > 0) or at_u == 0 or at_w == 0:
                raise InternalError("an edge was split by a neuron that does not change sign on it")
            a, b = abs(at_w), abs(at_u)
            ends_of_edge = zip(self._coordinates[u], self._coordinates[w], strict=True)
            self._coordinates[v] = primitive([a * x + b * y for x, y in ends_of_edge])

    def value(self, generator: int, layer: int, neuron: int) -> fmpz:
        """Exact pre-activation of one neuron, in the integer scaling of the layer."""
        matrix = self._layers[layer]
        total = fmpz(0)
        for j, entry in enumerate(self.layer_inputs(generator, layer)):
            if entry != 0:
                total += matrix[neuron, j] * entry
        return total

    def layer_inputs(self, generator: int, layer: int) -> list[fmpz]:
        """What the layer reads at a generator, and ``t``."""
        if layer == 0:
            self._resolve([generator])
            return self._coordinates[generator]
        known = self._inputs[layer].get(generator)
        if known is None:
            before = self.layer_inputs(generator, layer - 1)
            z: list[fmpz] = (self._layers[layer - 1] * fmpz_mat(len(before), 1, before)).entries()
            known = [value if value > 0 else fmpz(0) for value in z] + [before[-1]]
            self._inputs[layer][generator] = known
        return known


@kept_for_few
def _given(initial: Coordinates) -> dict[int, list[fmpz]]:
    return {v: [fmpz(c) for c in row] for v, row in enumerate(initial)}


class _Inherited(dict[int, list[fmpz]]):
    """Coordinates in a part; those of the generators that it began with are asked of the whole when they are needed."""

    def __init__(self, whole: Ancestry, generators: IntArray) -> None:
        super().__init__()
        self._whole, self._generators = whole, generators

    def __contains__(self, generator: object) -> bool:
        return super().__contains__(generator) or (isinstance(generator, int) and generator < len(self._generators))

    def __missing__(self, generator: int) -> list[fmpz]:
        (self[generator],) = self._whole.coordinates([int(self._generators[generator])])
        return self[generator]
