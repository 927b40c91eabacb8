"""Our own engine with the exact checks switched off: what exactness costs. For measurements only.

No error bounds are carried and no integer is looked at after the first points; a float decides every sign that is not
decided by the signs at the ends of an edge. The counts may be wrong, and nothing says so.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

import exactfd
from exactfd import compiled
from exactfd.budget import Budget
from exactfd.geometry import bits
from exactfd.geometry.homogeneous import homogenise
from exactfd.geometry.signs import GeneratorTable
from exactfd.geometry.skeleton import Skeleton
from exactfd.geometry.subdivision import Subdivision


class FloatTable(GeneratorTable):
    """Signs as the floats have them."""

    has_loops = False  # but those below

    def _compiled(self) -> ModuleType | None:
        return compiled.loops("benchmarks.float_loops")

    def _propagate(self, active: Any, check: Any) -> None:
        matrix, _ = self.network.float_layer(self._layer)
        inputs = self._values[: self.count]
        np.maximum(inputs, 0.0, out=inputs)
        inputs[:, :-1] *= active
        values = np.empty((2 * self.count, self._width + 1))
        np.matmul(inputs, matrix.T, out=values[: self.count, :-1])
        values[: self.count, -1] = inputs[:, -1]
        self._values, self._errors = values, np.zeros((2 * self.count, self._width + 1))
        above, below = self._clear_signs(slice(0, self.count))
        self.positive[:, : self.count], self.negative[:, : self.count] = bits.pack(above), bits.pack(below)

    def _interpolate(self, u: Any, v: Any, neuron: int, new: slice, kept: int) -> None:
        values, at_v = self._values[u, kept:], self._values[v, kept:]
        neuron -= kept
        a, b = np.abs(values[:, neuron]), np.abs(at_v[:, neuron])
        weight = b / (a + b)
        values *= weight[:, None]
        at_v *= (1.0 - weight)[:, None]
        values += at_v
        values[:, neuron] = 0.0
        self._values[new, kept:], self._values[new, :kept] = values, 0.0

    def _clear_signs(self, rows: slice) -> Any:
        values = self._values[rows, :-1]
        return values > 0.0, values < 0.0

    def _refresh(self, generators: Any, check: Any = None) -> None:
        """Nothing is decided by integers: the corners to start from are half axes."""


def float_complex(net: exactfd.Network) -> dict[str, Any]:
    """Counts of the whole complex."""
    subdivision = Subdivision(homogenise(net), None, Budget(), FloatTable)
    subdivision.run()
    counts = [table.finite_count for table in subdivision.tables]
    return {"cells": sum(counts), "regions": counts[-1], "euler": sum((-1) ** k * f for k, f in enumerate(counts))}


def float_top(net: exactfd.Network) -> dict[str, Any]:
    """Number of top cells, from vertices and edges."""
    skeleton = Skeleton(homogenise(net), Budget(), FloatTable)
    skeleton.run()
    return {"regions": len(skeleton.top_labels())}
