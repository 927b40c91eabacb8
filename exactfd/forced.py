"""Kernel directions that the activation patterns force, counted without writing them down.

At a point of a batch only the live neurons matter: those that are active and that a path of active neurons with nonzero
weights joins to the output. Patterns alone then bound some ranks from above (:class:`_Patterns`), and force

- directions of the weights into one neuron: orthogonal to its inputs at the points where it is live;
- directions of the weights out of one neuron: in the kernel of the sensitivities at the points where it is active;
- mixings of neurons that are active together: ``dA_a = A_b`` with ``dW_b = -W_a`` for the rows ``A`` of the neurons
  and the columns ``W`` of the weights out of them, where ``a`` and ``b`` are both active or both not wherever the
  output can see ``a``; ``dc_a = 1`` with ``db = -W_a`` where ``a`` is active wherever the output can see it; and all
  moves of the rows of such neurons by multiples of a ``u`` with ``W u = 0``.

The last ones are explicit. The first ones are kernels of small matrices ``M`` over Q: where the rank of ``M`` modulo a
prime reaches the bound that the patterns give, it is the rank over Q, and the kernel modulo the prime is the reduction
of the one over Q. The dimension modulo the prime of the span of all such reductions is then a lower bound for the
dimension of the kernel over Q: vectors whose reductions are independent are independent.

Sources: Grigsby, Lindsey, Rolnick, arXiv 2306.06179, section 4 (mechanisms); arXiv 2209.04036, section 7 (scalings).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np
from flint import fmpz_mat

from exactfd.budget import Budget
from exactfd.gauge import Gauge
from exactfd.geometry import bits
from exactfd.jacobians import Factors, FloatArray, ModularNetwork, SignArray, masks_of
from exactfd.linalg import modular
from exactfd.patternrows import PatternRows
from exactfd.points import Points

BoolArray = np.ndarray[Any, np.dtype[np.bool_]]
Indices = np.ndarray[Any, np.dtype[np.intp]]
Counts = np.ndarray[Any, np.dtype[np.int64]]

_STEP = 256  # directions eliminated between two looks at the budget
_KEPT = 1 << 18  # random numbers that are drawn once
_FEW = 4000  # entries of a matrix that is not made smaller first
_SMALL = 1 << 18  # entries of directions that are multiplied together
_TIMES = 2  # as many relations as directions that they prove
_SPARE = 4  # random combinations of the rows of a matrix beyond the rank that is wanted


class ForcedDirections:
    """What activation patterns force in the kernel of the rows at some smooth points.

    Parameters
    ----------
    reduced, gauge
        The network modulo a prime that divides no denominator of the points either, and its scaling directions.
    labels, points, factors
        Ternary tuples, the points, and the factors of the rows there (``ModularNetwork.factors``).
    budget
        Whose limits raise ``BudgetExceeded``, here and later.
    """

    def __init__(
        self,
        reduced: ModularNetwork,
        gauge: Gauge,
        labels: SignArray,
        points: Points,
        factors: Factors,
        budget: Budget | None = None,
    ) -> None:
        self.prime, self._budget = reduced.prime, budget or Budget()
        self._patterns = _Patterns(reduced, labels, points, factors)
        self._found = _Directions(reduced, gauge, self._budget)
        self._span: _Span | None = None
        for layer in range(reduced.network.depth):
            _into(self._patterns, self._found, layer)
        for layer in range(reduced.network.depth - 1):
            _out_of(self._patterns, self._found, layer)
            _mixings(self._patterns, self._found, layer)

    def dimension(self, most: int) -> int:
        """A proved lower bound for the dimension of the kernel over Q, scaling directions included: all that is forced,
        unless that is more than ``most`` (or chance has it otherwise).
        """
        found = self._dimension(most)
        if found < most:  # what is dearer to find
            for layer in range(self._patterns.network.depth - 1):
                _before_a_line(self._patterns, self._found, layer)
            found = self._dimension(most)
        if found < most:
            dimension, more = partial(self._dimension, most), None
            try:
                more = _before_one_output(self._patterns, self._found, found, dimension, self._budget)
            finally:
                if more is None:
                    self._span = None  # it may hold directions that were withdrawn
            found = more or found
        return found

    def _dimension(self, most: int) -> int:
        """The same for what has been found so far."""
        if self._span is None or self._span.most < most + _SPARE:
            self._span = _Span(self._found.is_unit, most + _SPARE, self.prime)
        return self._span.grown(self._found, most, self._budget)

    def missing(self, parameters: Sequence[int]) -> list[int]:
        """Numbers of some of the parameters, all others being independent on the forced directions: those that come
        first, if it may be.

        Vectors of the kernel over Q that are each nonzero on one of the missing parameters and zero on all the others
        are independent of the forced directions, and of each other.
        """
        bound = [i for i, parameter in enumerate(parameters) if not self._found.is_unit[parameter]]
        space = modular.RowSpace(len(bound), self.prime)
        space.add(self._found.table()[:, [parameters[i] for i in bound]])
        return [bound[i] for i in space.free_columns.tolist()]


class _Patterns:
    """Activity of the neurons at some points, and what it says about ranks. Layers are counted from 0.

    Attributes
    ----------
    active
        By layer, ``m x n``: which neurons are active (all of them in an output layer without ReLU).
    seen
        By layer, ``m x n``: which neurons a path of active neurons with nonzero weights joins to the output.
    live
        By layer, ``m x n``: both.
    reached, slopes
        Inputs ``m x (n + 1)`` and sensitivities ``m x n_d x n`` of each layer modulo the prime.
    """

    def __init__(self, reduced: ModularNetwork, labels: SignArray, points: Points, factors: Factors) -> None:
        self.reduced, self.network, self.points = reduced, reduced.network, points
        self.outputs = self.network.output_dimension
        self.slopes, reached = factors
        self.reached = [table[:, :, 0] for table in reached]
        everywhere = np.ones((len(labels), self.outputs), dtype=bool)
        self.active: list[BoolArray] = [mask > 0 for mask in masks_of(labels, self.network.relu_widths)]
        if len(self.active) < self.network.depth:
            self.active.append(everywhere)
        self.seen, self.live = [everywhere], [self.active[-1]]
        for layer in range(self.network.depth - 2, -1, -1):
            joined = self.network.supports[layer + 1][:, :-1].astype(np.float32)
            self.seen.insert(0, self.live[0].astype(np.float32) @ joined > 0)
            self.live.insert(0, self.seen[0] & self.active[layer])

    def input_ranks(self, layer: int, where: BoolArray) -> Counts:
        """For each column of ``where`` (``m x k``, some points), at least the rank of the inputs ``(r, 1)`` of a layer
        at these points.

        By induction over the layers before: a neuron that is active nowhere adds nothing, one that is active somewhere
        adds one dimension, and those that are active everywhere are linear functions of the inputs of their layer.
        """
        sizes: Counts = where.sum(axis=0)
        ranks: Counts = np.minimum(sizes, self.network.input_dimension + 1)
        for active in self.active[:layer]:
            sometimes, always = _activity(where, active)
            ranks = np.minimum(sizes, sometimes + np.minimum(always + 1, ranks))
        return ranks

    def slope_ranks(self, layer: int, where: BoolArray) -> Counts:
        """For each column of ``where``, at least the rank of the sensitivities to a layer at these points: the same
        induction from the output down.
        """
        sometimes, always = _activity(where, self.active[-1])
        ranks = sometimes + always
        for active in reversed(self.active[layer:-1]):
            sometimes, always = _activity(where, active)
            ranks = sometimes + np.minimum(always, ranks)
        return ranks

    def input_kernel(self, layer: int, where: BoolArray, bound: float) -> FloatArray | None:
        """The reduction of the kernel of the inputs of a layer at some points; None where its rank is not known."""
        kernel, rank = self._kernel(self.reached[layer][where], bound)
        if rank < bound:  # the points of each region of the layers before on their own
            regions = _classes([active[where] for active in self.active[:layer]], where.sum())
            parts = np.zeros((len(where), regions.max() + 1), dtype=bool)
            parts[np.flatnonzero(where), regions] = True
            bound = self.input_ranks(layer, parts).sum()
        return kernel if rank == bound else None

    def slope_kernel(self, layer: int, where: BoolArray, bound: float) -> FloatArray | None:
        """The reduction of the kernel of the sensitivities to a layer at some points; None where their rank is not
        known.
        """
        table = self.slopes[layer][where]
        kernel, rank = self._kernel(table.reshape(-1, table.shape[2]), bound)
        if rank < bound:  # as many sensitivities as there are patterns of this layer and those behind it
            bound = self.outputs * (_classes([active[where] for active in self.active[layer:]], where.sum()).max() + 1)
        return kernel if rank == bound else None

    def weight_kernel(self, layer: int, neurons: Sequence[int]) -> FloatArray:
        """The reduction of the kernel of the weights from some neurons of a layer to the next one, as far as the output
        depends on that; no rows where its rank is not known.
        """
        table = self.reduced.layers[layer + 1][self.live[layer + 1].any(axis=0)][:, neurons]
        kernel, rank = self._kernel(table, len(table))
        return kernel if rank == len(table) else kernel[:0]

    def _kernel(self, table: FloatArray, bound: float) -> tuple[FloatArray, int]:
        """Kernel modulo the prime of a matrix, and its rank there, if that is ``bound`` (which it does not exceed);
        else perhaps a larger one and a smaller rank.
        """
        if not bound:
            return np.eye(table.shape[1]), 0
        if table.size > _FEW:
            table = _combined(table, int(bound) + _SPARE, self.reduced.prime)
        return modular.kernel(table, self.reduced.prime)


def _combined(table: FloatArray, count: int, prime: int) -> FloatArray:
    """So many random combinations of the rows of a table, or its rows where those are no more."""
    if len(table) <= count:
        return table
    return modular.multiply(_factors(count, len(table)), table, prime)


@lru_cache(maxsize=1)
def _kept_factors() -> FloatArray:
    return _drawn(_KEPT)


def _drawn(size: int) -> FloatArray:
    return modular.random_numbers(np.random.default_rng(0), size)


def _factors(rows: int, columns: int) -> FloatArray:
    size = rows * columns
    return (_kept_factors()[:size] if size <= _KEPT else _drawn(size)).reshape(rows, columns)


def _activity(where: BoolArray, active: BoolArray) -> tuple[Counts, Counts]:
    """For each column of ``where`` how many neurons are active at some of these points only, and how many at all."""
    weights = where.T.astype(np.float64)
    counts = weights @ active
    sizes = np.maximum(weights.sum(axis=1, keepdims=True), 1.0)  # none of no points
    sometimes, always = (counts > 0.0).sum(axis=1), (counts == sizes).sum(axis=1)
    return sometimes - always, always


def _classes(tables: Sequence[BoolArray], count: int) -> Indices:
    """Equal rows of some tables side by side have equal numbers, from 0 on."""
    keys = np.packbits(np.concatenate([np.zeros((count, 1), dtype=bool), *tables], axis=1), axis=1)
    numbers: dict[bytes, int] = {}
    return np.array([numbers.setdefault(key.tobytes(), len(numbers)) for key in keys], dtype=np.intp)


class _Directions:
    """Directions modulo the prime, first the scaling directions.

    Attributes
    ----------
    is_unit
        By parameter, whether it may move alone.
    parts
        Tables of the other directions, ``k x D`` each, in the order in which they were found.
    """

    def __init__(self, reduced: ModularNetwork, gauge: Gauge, budget: Budget) -> None:
        self.reduced, self.network, self._budget = reduced, reduced.network, budget
        self._starts = np.cumsum([0, *(layer.size for layer in reduced.layers)]).tolist()
        self.parts: list[FloatArray] = []
        self.is_unit: BoolArray = np.zeros(self.network.parametric_dimension, dtype=bool)
        for layer in range(self.network.depth - 1):
            neurons = [neuron for level, neuron in gauge.neurons if level == layer]
            self.mix(layer, neurons, neurons)

    def row(self, layer: int, neuron: int) -> slice:
        """The weights into a neuron, and its bias last."""
        width = self.network.architecture[layer] + 1
        return slice(self._starts[layer] + neuron * width, self._starts[layer] + (neuron + 1) * width)

    def column(self, layer: int, source: int) -> slice:
        """The weights of a layer from a neuron of the layer before; from ``n`` on its biases."""
        return slice(self._starts[layer] + source, self._starts[layer + 1], self.network.architecture[layer] + 1)

    def move(self, places: slice, values: FloatArray) -> None:
        """Directions (rows of values) of some parameters."""
        if len(values) == values.shape[1]:  # independent, as a kernel is
            self.is_unit[places] = True
            return
        table = self._zeros(len(values))
        table[:, places] = values
        self.parts.append(table)

    def mix(self, layer: int, first: Sequence[int], second: Sequence[int]) -> None:
        """``dA_a = A_b`` and ``dW_b = -W_a`` for pairs of neurons of a hidden layer."""
        below, above = self.reduced.layers[layer : layer + 2]
        table = self._zeros(len(first))
        for vector, a, b in zip(table, first, second, strict=True):
            vector[self.row(layer, a)] = below[b]
            vector[self.column(layer + 1, b)] = -above[:, a]
        self.parts.append(table)

    def shift(self, layer: int, neurons: Sequence[int]) -> None:
        """``dc_a = 1`` and ``db = -W_a`` for neurons of a hidden layer."""
        inputs, width = self.network.architecture[layer : layer + 2]
        above, table = self.reduced.layers[layer + 1], self._zeros(len(neurons))
        for vector, a in zip(table, neurons, strict=True):
            vector[self.row(layer, a)][inputs] = 1.0
            vector[self.column(layer + 1, width)] = -above[:, a]
        self.parts.append(table)

    def move_oppositely(self, layer: int, one: tuple[int, float], other: tuple[int, float], values: FloatArray) -> None:
        """The rows of two neurons move by multiples (residues) of the same directions."""
        table = self._zeros(len(values))
        for neuron, factor in (one, other):
            table[:, self.row(layer, neuron)] = modular.reduce(values * factor, self.reduced.prime)
        self.parts.append(table)

    def move_layer(self, layer: int, neurons: Indices, values: FloatArray) -> None:
        """Directions (rows of values) of the weights into some hidden neurons before one output, each neuron times its
        weight to that.
        """
        weights = modular.inverses(self.reduced.layers[layer + 1][0, neurons], self.reduced.prime)
        table, size = self._zeros(len(values)), self.network.architecture[layer] + 1
        for number, neuron in enumerate(neurons.tolist()):
            part = values[:, number * size : (number + 1) * size] * weights[number]
            table[:, self.row(layer, neuron)] = modular.reduce(part, self.reduced.prime)
        self.parts.append(table)

    def withdraw(self) -> None:
        """Forget the last directions."""
        self.parts.pop()

    def move_together(self, layer: int, neurons: Sequence[int], multiples: FloatArray) -> None:
        """The rows of some neurons move by the multiples (rows) of any vector."""
        width = self.network.architecture[layer] + 1
        table = self._zeros(len(multiples) * width)
        for number, factors in enumerate(multiples):
            for neuron, factor in zip(neurons, factors.tolist(), strict=True):
                table[number * width : (number + 1) * width, self.row(layer, neuron)] = factor * np.eye(width)
        self.parts.append(table)

    def table(self) -> FloatArray:
        """The other directions, ``k x D``."""
        self._budget.check(bytes_needed=16 * sum(map(len, self.parts)) * self.network.parametric_dimension)
        return np.concatenate([self._zeros(0), *self.parts])

    def _zeros(self, count: int) -> FloatArray:
        self._budget.check(bytes_needed=8 * count * self.network.parametric_dimension)
        return np.zeros((count, self.network.parametric_dimension))


class _Span:
    """The span of directions that are found one after the other: random combinations of their columns, as many as the
    dimension that is asked for and some more. Parameters that may move alone at the start are left out and counted.
    """

    def __init__(self, is_unit: BoolArray, most: int, prime: int) -> None:
        self.most, self.prime = most, prime
        self._units, self._kept = int(is_unit.sum()), np.flatnonzero(~is_unit)
        width = len(self._kept)
        self._factors = _factors(most, width).T if most < width else None
        self._space = modular.RowSpace(min(most, width), prime)
        self._parts = 0  # taken in already, and which parameters that may move alone
        self._singles: BoolArray = np.zeros(width, dtype=bool)

    def grown(self, found: _Directions, most: int, budget: Budget) -> int:
        """The dimension with what has been found since, or ``most`` once that is reached."""
        fresh = np.flatnonzero(found.is_unit[self._kept] & ~self._singles)
        parts = found.parts[self._parts :]
        count, size = len(fresh) + sum(map(len, parts)), self._space.columns
        budget.check(bytes_needed=16 * count * size + 8 * max(map(len, parts), default=0) * len(self._kept))
        singles = np.zeros((len(fresh), len(self._kept)))
        singles[np.arange(len(fresh)), fresh] = 1.0
        tables = [singles, *(part[:, self._kept] for part in parts)]
        if count * len(self._kept) < _SMALL:  # one product
            tables = [np.concatenate(tables)]
        rows = np.concatenate([np.zeros((0, size)), *map(self._combined, tables)])
        for start in range(0, count, _STEP):
            if self._units + self._space.rank >= most:
                break
            budget.check()
            self._space.add(rows[start : start + _STEP])
        self._singles[fresh] = True
        self._parts += len(parts)
        return self._units + self._space.rank

    def _combined(self, table: FloatArray) -> FloatArray:
        if self._factors is None:
            return table
        used = np.flatnonzero(table.any(axis=0))  # most directions are those of few neurons
        return modular.multiply(table[:, used], self._factors[used], self.prime)


def _into(patterns: _Patterns, found: _Directions, layer: int) -> None:
    """Directions of the weights into one neuron, orthogonal to its inputs at the points where it is live."""
    live = patterns.live[layer]
    bounds = patterns.input_ranks(layer, live)
    for neuron in np.flatnonzero(bounds < patterns.network.architecture[layer] + 1).tolist():
        kernel = patterns.input_kernel(layer, live[:, neuron], bounds[neuron])
        if kernel is not None:
            found.move(found.row(layer, neuron), kernel)


def _out_of(patterns: _Patterns, found: _Directions, layer: int) -> None:
    """Directions of the weights out of one neuron that no sensitivity sees at the points where it is active."""
    active = patterns.active[layer]
    bounds = patterns.slope_ranks(layer + 1, active)
    for neuron in np.flatnonzero(bounds < patterns.network.architecture[layer + 2]).tolist():
        kernel = patterns.slope_kernel(layer + 1, active[:, neuron], bounds[neuron])
        if kernel is not None:
            found.move(found.column(layer + 1, neuron), kernel)


def _mixings(patterns: _Patterns, found: _Directions, layer: int) -> None:
    """Neurons that are active together wherever the output can see them."""
    active, seen, live = patterns.active[layer], patterns.seen[layer], patterns.live[layer]
    shown: BoolArray = np.asarray(live.any(axis=0))
    on, off = live.astype(np.float64), (seen & ~active).astype(np.float64)
    apart = on.T @ ~active + off.T @ active  # points where a is seen, and a and b are not both active or both not
    pairs: BoolArray = (apart == 0) & shown[:, None] & np.asarray(active.any(axis=0))
    np.fill_diagonal(pairs, False)  # those are scalings
    first, second = np.nonzero(pairs)
    found.mix(layer, first.tolist(), second.tolist())
    found.shift(layer, np.flatnonzero(shown & ~off.any(axis=0)).tolist())
    alike: dict[bytes, list[int]] = {}
    for neuron in np.flatnonzero(shown).tolist():
        alike.setdefault(active[:, neuron].tobytes() + seen[:, neuron].tobytes(), []).append(neuron)
    for neurons in alike.values():
        if len(neurons) > 1:
            found.move_together(layer, neurons, patterns.weight_kernel(layer, neurons))


def _before_a_line(patterns: _Patterns, found: _Directions, layer: int) -> None:
    """More where the sensitivities to the layer behind a hidden one are multiples of one vector (as with one output, or
    one live neuron): those to the hidden layer are then a fixed vector times the pattern of live neurons, up to
    multiples, and as independent as the patterns are.

    Two neurons of that layer can move by any direction orthogonal to their inputs at the points where one is live and
    the other one is not, in opposite directions as the output sees it.
    """
    live, slopes = patterns.live[layer], patterns.slopes[layer]
    if patterns.slope_ranks(layer + 1, np.asarray(live.any(axis=1))[:, None])[0] != 1:
        return
    first, second = np.triu_indices(live.shape[1], 1)
    together: BoolArray = np.asarray(live[:, first] & live[:, second])
    apart: BoolArray = np.asarray(live[:, first] != live[:, second])
    bounds = patterns.input_ranks(layer, apart)
    meet: BoolArray = np.asarray(together.any(axis=0))
    for pair in np.flatnonzero((bounds < patterns.network.architecture[layer] + 1) & meet).tolist():
        point, a, b = int(together[:, pair].argmax()), int(first[pair]), int(second[pair])
        output = int((slopes[point, :, a] != 0).argmax())
        one, other = slopes[point, output, [a, b]].tolist()
        kernel = patterns.input_kernel(layer, apart[:, pair], bounds[pair])
        if kernel is not None and one and other:
            found.move_oppositely(layer, (a, other), (b, -one), kernel)
    for neuron in range(patterns.network.architecture[layer] if layer else 0):
        where = patterns.active[layer - 1][:, neuron]
        rows = bits.distinct(live[where])[0].astype(np.int64)
        kernel = patterns.slope_kernel(layer, where, fmpz_mat(rows.tolist()).rank() if len(rows) else 0)
        if kernel is not None:
            found.move(found.column(layer, neuron), kernel)


def _before_one_output(
    patterns: _Patterns, found: _Directions, before: int, dimension: Callable[[], int], budget: Budget
) -> int | None:
    """The whole kernel of the weights into the last hidden neurons before one output; the dimension with it, if that is
    more than ``before``.

    The rows of these weights, each neuron divided by its weight to the output, are spanned by those of
    :mod:`exactfd.patternrows`, modulo the prime too: it divides none of the factors. Where few relations show that the
    latter have the same rank over Q, their kernel modulo the prime is the reduction of one over Q, and that annihilates
    both.
    """
    layer, prime = patterns.network.depth - 2, patterns.reduced.prime
    if layer < 0 or patterns.outputs > 1:
        return None
    live = patterns.live[layer]
    neurons = np.flatnonzero(live.any(axis=0))
    if not len(neurons) or not patterns.reduced.layers[-1][0, neurons].all():  # the prime divides one of them
        return None
    rows = PatternRows(patterns.network, layer, patterns.active, live[:, neurons], patterns.points, prime, budget)
    space = rows.space()
    if len(space.free_columns) > _TIMES * len(live):  # long tables for few points
        return None
    found.move_layer(layer, neurons, space.kernel())
    proved = False
    try:
        after = dimension()
        few = len(rows) - space.rank < _TIMES * (after - before)
        proved = after > before and few and rows.has_rank(space.rank)
    finally:
        if not proved:  # nor where a budget ran out meanwhile
            found.withdraw()
    return after if proved else None
