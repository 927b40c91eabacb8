"""Exact signs of pre-activations at vertices and rays, at the speed of floats.

Every generator (vertex or ray) carries its pre-activations in the current layer as float64 together with rigorous
error bounds, with respect to one fixed positive multiple of its exact homogeneous coordinates. A sign is taken from
the float only when the value exceeds its bound. The zeros that are zero by construction (a generator on the neuron
that made it) are carried with error bound exactly 0, which no other value ever has. What neither decides is computed
in exact integers from the generator's ancestry, once, and the float values of that generator are then refreshed from
them.

Invariant, for every entry: ``|true - value| <= error``, and ``error == 0`` if and only if the entry is known to be
exactly zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from flint import fmpz, fmpz_mat

from exactfd.geometry.homogeneous import HomogeneousNetwork, scaled_float

FloatArray = np.ndarray[Any, np.dtype[np.float64]]
IntArray = np.ndarray[Any, np.dtype[np.integer[Any]]]
SignArray = np.ndarray[Any, np.dtype[np.int8]]

_UNIT = 2.0**-53  # unit roundoff of binary64
_SLACK = 1.0 + 1e-9  # covers the rounding errors made while computing the bounds themselves
_FLOOR = 1e-300  # covers underflow; added to every nonzero entry's bound
_TINY = 1e-280  # smaller exact values are represented by this one, with an error bound as large
_HUGE = 1e290  # beyond this a float may have overflowed on the way: treat as unknown


class GeneratorTable:
    """Vertices and rays of a subdivision in the making: signs now, exact coordinates on demand.

    ``parents[v]`` are the two ends of the edge on which generator ``v`` was made and ``origin[v]`` the neuron
    ``(layer, index)`` whose zero it is; initial generators have given integer coordinates.
    """

    def __init__(self, network: HomogeneousNetwork, initial: Sequence[Sequence[int]]) -> None:
        self.network = network
        self.count = len(initial)
        self.finite = np.array([row[-1] != 0 for row in initial])
        self._coordinates: dict[int, list[fmpz]] = {v: [fmpz(c) for c in row] for v, row in enumerate(initial)}
        self._inputs: list[dict[int, list[fmpz]]] = [{} for _ in network.layers]
        self._parents = np.full((self.count, 2), -1, dtype=np.int64)
        self._origin = np.full((self.count, 2), -1, dtype=np.int32)
        self._layer = -1
        self._values: FloatArray = np.zeros((self.count, 0))
        self._errors: FloatArray = np.zeros((self.count, 0))
        self._signs: SignArray = np.zeros((self.count, 0), dtype=np.int8)
        self.exact_evaluations = 0

    # ------------------------------------------------------------------ layers

    def start_layer(self, layer: int) -> None:
        """Move to the next layer: ReLU of the present pre-activations, then the affine map of ``layer``."""
        if layer != self._layer + 1:
            raise ValueError(f"layers come in order: expected {self._layer + 1}, found {layer}")
        self._layer = layer
        width = self.network.widths[layer]
        if layer == 0:
            self._values = np.zeros((self.count, width + 1))
            self._errors = np.zeros((self.count, width + 1))
            self._signs = np.zeros((self.count, width), dtype=np.int8)
            self._refresh(list(range(self.count)))
            return
        matrix, magnitude = self.network.float_layer(layer)
        values, errors = self._values[: self.count], self._errors[: self.count]
        active = np.empty(values.shape, dtype=bool)
        active[:, :-1] = self._signs[: self.count] > 0
        active[:, -1] = self.finite[: self.count]
        inputs = np.where(active, np.maximum(values, 0.0), 0.0)
        size = np.where(active, np.maximum(inputs, 1e-250), 0.0)
        bound = np.where(active, errors, 0.0) + (matrix.shape[1] + 6) * _UNIT * size
        new_values = np.empty((self.count, width + 1))
        new_errors = np.empty((self.count, width + 1))
        np.matmul(inputs, matrix.T, out=new_values[:, :-1])
        np.matmul(bound, magnitude.T, out=new_errors[:, :-1])
        new_errors[:, :-1] *= _SLACK
        new_values[:, -1], new_errors[:, -1] = values[:, -1], errors[:, -1]
        self._values, self._errors = new_values, new_errors
        self._signs = np.zeros((self.count, width), dtype=np.int8)

    def signs(self, neuron: int) -> SignArray:
        """Exact signs of one neuron of the current layer at every generator."""
        values, errors = self._values[: self.count, neuron], self._errors[: self.count, neuron]
        size = np.abs(values)
        undecided = np.flatnonzero(~(((size > errors) & (size < _HUGE)) | (errors == 0.0)))
        if undecided.size:
            self._refresh(undecided.tolist())
        result = np.where(errors == 0.0, 0.0, np.sign(values)).astype(np.int8)
        self._signs[: self.count, neuron] = result
        return result

    def add(self, ends: IntArray, neuron: int) -> IntArray:
        """Put the zero of ``neuron`` on each edge (rows of ``ends``, where its signs are opposite).

        Returns the indices of the new generators.
        """
        first, last = self.count, self.count + len(ends)
        self._reserve(last)
        u, v = ends[:, 0], ends[:, 1]
        at_u, at_v = np.abs(self._values[u, neuron]), np.abs(self._values[v, neuron])
        error_u, error_v = self._errors[u, neuron], self._errors[v, neuron]
        with np.errstate(all="ignore"):  # a bound that overflows is a bound: such entries are then decided exactly
            total = at_u + at_v
            weight = at_v / total
            certain = np.maximum(total - error_u - error_v, 0.25 * total)
            # quotients first: a product of two small numbers may underflow, and the bound with it
            drift = (error_v / total * (at_u / certain) + error_u / total * (at_v / certain)) * _SLACK + 8 * _UNIT
            drift = np.where(total - error_u - error_v > 0.25 * total, np.minimum(drift, 1.0), 1.0)
            weight, drift = np.where(np.isfinite(weight), weight, 0.5), np.where(np.isfinite(drift), drift, 1.0)
            w, m, d = weight[:, None], (1.0 - weight)[:, None], drift[:, None]
            vu, vv, eu, ev = self._values[u], self._values[v], self._errors[u], self._errors[v]
            values = w * vu + m * vv
            errors = w * eu + m * ev + d * (np.abs(vu - vv) + eu + ev) + 8 * _UNIT * (w * np.abs(vu) + m * np.abs(vv))
            errors = np.where((eu == 0.0) & (ev == 0.0), 0.0, errors * _SLACK + _FLOOR)  # NaN stays: it is unknown
        errors[:, neuron] = 0.0
        values[errors == 0.0] = 0.0
        self._values[first:last], self._errors[first:last] = values, errors
        # on the edge every neuron treated so far has one weak sign: the new point takes the nonzero one
        signs = self._signs[u] | self._signs[v]
        signs[:, neuron] = 0
        self._signs[first:last] = signs
        self.finite[first:last] = self.finite[u] | self.finite[v]
        self._parents[first:last] = ends
        self._origin[first:last] = (self._layer, neuron)
        self.count = last
        return np.arange(first, last)

    def _reserve(self, needed: int) -> None:
        if needed <= len(self._values):
            return
        extra = max(needed, 2 * len(self._values)) - len(self._values)

        def grown(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
            return np.concatenate([array, np.zeros((extra, *array.shape[1:]), dtype=array.dtype)])

        self._values, self._errors, self._signs = grown(self._values), grown(self._errors), grown(self._signs)
        self.finite, self._parents, self._origin = (
            grown(self.finite[: len(self._parents)]),
            grown(self._parents),
            grown(self._origin),
        )

    def close(self) -> None:
        """Forget the floats; exact coordinates stay available."""
        self._values, self._errors = np.zeros((0, 0)), np.zeros((0, 0))
        self._signs = np.zeros((0, 0), dtype=np.int8)
        self._parents, self._origin = self._parents[: self.count].copy(), self._origin[: self.count].copy()
        self.finite = self.finite[: self.count].copy()
        self._inputs = [{} for _ in self.network.layers]

    # ------------------------------------------------------------------ exact integers

    def coordinates(self, generators: Iterable[int]) -> list[list[fmpz]]:
        """Exact primitive integer coordinates ``(y_1, ..., y_r, t)`` of some generators."""
        wanted = [int(v) for v in generators]
        self._resolve(wanted)
        return [self._coordinates[v] for v in wanted]

    def _resolve(self, wanted: list[int]) -> None:
        missing: set[int] = set()
        frontier = {v for v in wanted if v not in self._coordinates}
        while frontier:
            missing |= frontier
            ends = {int(p) for v in frontier for p in self._parents[v]}
            frontier = {v for v in ends if v not in self._coordinates and v not in missing}
        for v in sorted(missing):  # parents have smaller indices
            layer, neuron = (int(k) for k in self._origin[v])
            u, w = (int(p) for p in self._parents[v])
            at_u, at_w = self._value(u, layer, neuron), self._value(w, layer, neuron)
            if (at_u > 0) == (at_w > 0) or at_u == 0 or at_w == 0:
                raise AssertionError("an edge was split by a neuron that does not change sign on it")
            a, b = abs(at_w), abs(at_u)
            point = [a * x + b * y for x, y in zip(self._coordinates[u], self._coordinates[w], strict=True)]
            content = fmpz(0)
            for entry in point:
                content = content.gcd(entry)
            self._coordinates[v] = [entry // content for entry in point]

    def _value(self, generator: int, layer: int, neuron: int) -> fmpz:
        """Exact pre-activation of one neuron, in the integer scaling of the layer."""
        matrix = self.network.layers[layer]
        inputs = self._layer_inputs(generator, layer)
        total = fmpz(0)
        for j, entry in enumerate(inputs):
            if entry != 0:
                total += matrix[neuron, j] * entry
        return total

    def _layer_inputs(self, generator: int, layer: int) -> list[fmpz]:
        if layer == 0:
            return self._coordinates[generator]
        known = self._inputs[layer].get(generator)
        if known is None:
            before = self._layer_inputs(generator, layer - 1)
            z: list[fmpz] = (self.network.layers[layer - 1] * fmpz_mat(len(before), 1, before)).entries()
            known = [value if value > 0 else fmpz(0) for value in z] + [before[-1]]
            self._inputs[layer][generator] = known
        return known

    def _refresh(self, generators: list[int]) -> None:
        """Replace the floats of some generators by the exact values, rounded (a new positive multiple).

        Values that may underflow keep their exact sign.
        """
        self._resolve(generators)
        self.exact_evaluations += len(generators)
        matrix = self.network.layers[self._layer]
        shifts = [*self.network.exponents[self._layer], 0]
        for v in generators:
            inputs = self._layer_inputs(v, self._layer)
            z: list[fmpz] = [*(matrix * fmpz_mat(len(inputs), 1, inputs)).entries(), inputs[-1]]
            top = max((e.bit_length() - k for e, k in zip(z, shifts, strict=True) if e != 0), default=0)
            for j, (entry, k) in enumerate(zip(z, shifts, strict=True)):
                if entry == 0:
                    self._values[v, j] = self._errors[v, j] = 0.0
                else:
                    value = scaled_float(entry, k + top)
                    size = abs(value)
                    if size < _TINY:  # possibly underflowed: keep the sign, which is exact, and a bound that covers it
                        value, size = (_TINY if entry > 0 else -_TINY), 2.0**51 * _TINY
                    self._values[v, j] = value
                    self._errors[v, j] = size * 2.0**-51 + _FLOOR
