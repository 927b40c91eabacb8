"""Where the dimension goes: mechanisms that leave parameters without effect.

Each mechanism of a parameter is a fact about its smooth ``n_0``-dimensional cells together with the kernel directions
that follow from it. The facts are read off the ternary tuples and, where the sensitivity of the output matters, off
residues; the directions are proved cell by cell, so that a fact that is none costs an attribution and nothing else.

Sources: Grigsby, Lindsey, Rolnick, arXiv 2306.06179, section 4 (mechanisms of hidden symmetries); Grigsby, Lindsey,
Meyerhoff, Wu, arXiv 2209.04036, section 7 (scalings).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any, Literal

import numpy as np
from flint import fmpq, fmpq_mat, fmpz

from exactfd import rationals
from exactfd.jacobians import ModularNetwork, SignArray
from exactfd.kernels import Vector
from exactfd.linalg import exact
from exactfd.network import Network
from exactfd.symmetry.directions import Directions
from exactfd.symmetry.places import Places

Kind = Literal[
    "not_smooth",
    "identically_zero",
    "never_active",
    "never_visible",
    "image_too_small",
    "never_active_together",
    "always_active",
    "sensitivity_too_small",
    "coinciding",
]
BoolArray = np.ndarray[Any, np.dtype[np.bool_]]
Neuron = tuple[int, int]  # (layer, neuron), both counted from 0


@dataclass(frozen=True)
class Proposal:
    """A mechanism and directions that it should have; ``cells`` are rows of the smooth labels that show it.

    The statement is true where every smooth cell annihilates all of the ``vectors``.
    """

    kind: Kind
    neurons: tuple[Neuron, ...]
    vectors: Sequence[Vector]
    statement: str
    cells: BoolArray


class Facts:
    """What the smooth cells say about every neuron.

    Attributes
    ----------
    active
        By ReLU layer, ``m x n_l``: whether the neuron has label 1 on the smooth cell.
    seen
        By ReLU layer, ``m x n_l``: whether the output depends on what the neuron puts out, as far as residues tell.
    zero
        The neurons with label 0 on every ``n_0``-dimensional cell, smooth or not.
    """

    def __init__(self, network: Network, labels: SignArray, smooth: SignArray, prime: int) -> None:
        self.network = network
        widths = network.relu_widths
        cuts = np.cumsum([0, *widths]).tolist()
        parts = list(pairwise(cuts))
        self.active: list[BoolArray] = [np.asarray(smooth[:, a:b] > 0) for a, b in parts]
        reduced = ModularNetwork.reduce(network, prime)
        assert reduced is not None  # the prime of a rank search
        slopes = reduced.sensitivities(smooth)
        self.seen: list[BoolArray] = []
        for layer in range(len(widths)):
            if layer + 1 < network.depth:
                weights = reduced.layers[layer + 1][:, :-1]
                after = reduced.product(slopes[layer + 1], np.broadcast_to(weights, (len(smooth), *weights.shape)))
                self.seen.append(np.any(after, axis=1))
            else:
                self.seen.append(np.ones((len(smooth), widths[layer]), dtype=bool))
        never = (labels == 0).all(axis=0) if len(labels) else np.zeros(sum(widths), dtype=bool)
        self.zero = {(layer, i) for layer, (a, b) in enumerate(parts) for i in np.flatnonzero(never[a:b]).tolist()}

    def shown(self, layer: int) -> BoolArray:
        """Whether a neuron is active and the output depends on it."""
        return np.asarray(self.active[layer] & self.seen[layer])

    def always_active(self, layer: int) -> list[int]:
        """Neurons of a hidden layer that the output sees on some smooth cell, and active wherever it sees them."""
        active, seen = self.active[layer], self.seen[layer]
        return np.flatnonzero(self.shown(layer).any(axis=0) & (active | ~seen).all(axis=0)).tolist()


def proposals(network: Network, facts: Facts, directions: Directions) -> Iterator[Proposal]:
    """The mechanisms of a parameter, the most local ones first."""
    yield from _inactive(network, facts)
    yield from _never_visible(network, facts)
    yield from _never_together(network, facts, directions)
    yield from _small_images(network, facts, directions)
    yield from _small_sensitivities(network, facts, directions)
    yield from _always_active(network, facts)
    yield from _proportional(network, facts, directions)


# --------------------------------------------------------------------------- one neuron


def _inactive(network: Network, facts: Facts) -> Iterator[Proposal]:
    """Neurons that are active on no smooth cell: whatever enters and leaves them is free."""
    places = Places(network)
    for layer, active in enumerate(facts.active):
        for i in np.flatnonzero(~active.any(axis=0)).tolist():
            free = [*places.row(layer, i)]
            free += places.outgoing(layer, i) if layer + 1 < network.depth else []
            kind: Kind = "identically_zero" if (layer, i) in facts.zero else "never_active"
            what = "vanishes identically" if kind == "identically_zero" else "is never active"
            statement = f"{name(layer, i)} {what}: the weights into and out of it move nothing"
            none = np.zeros(len(active), dtype=bool)
            yield Proposal(kind, ((layer, i),), [unit(network, j) for j in free], statement, none)


def _never_visible(network: Network, facts: Facts) -> Iterator[Proposal]:
    """Neurons on which the output never depends where they are active: the weights into them are free."""
    places = Places(network)
    for layer, active in enumerate(facts.active):
        for i in np.flatnonzero(active.any(axis=0) & ~facts.shown(layer).any(axis=0)).tolist():
            vectors = [unit(network, j) for j in places.row(layer, i)]
            statement = (
                f"the output never depends on {name(layer, i)} where it is active: the weights into it move nothing"
            )
            yield Proposal("never_visible", ((layer, i),), vectors, statement, active[:, i])


def _small_images(network: Network, facts: Facts, directions: Directions) -> Iterator[Proposal]:
    """Where the inputs of a neuron, on the cells that show it to the output, lie in a proper affine subspace, its
    weights move in the complement.
    """
    places = Places(network)
    for layer, width in enumerate(network.architecture[1:]):
        relu = layer < len(facts.active)
        shown = facts.shown(layer) if relu else np.ones((len(directions.smooth), width), dtype=bool)
        for i in np.flatnonzero(shown.any(axis=0)).tolist():
            vectors = directions.within(places.row(layer, i))
            if vectors:
                count = network.architecture[layer] + 1
                statement = (
                    f"where the output depends on {name(layer, i)}, its inputs and the constant 1 span "
                    f"{count - len(vectors)} of {count} dimensions: the weights into it move in the complement"
                )
                yield Proposal("image_too_small", ((layer, i),), vectors, statement, shown[:, i])


# --------------------------------------------------------------------------- two layers


def _never_together(network: Network, facts: Facts, directions: Directions) -> Iterator[Proposal]:
    """Neurons of adjacent layers that the output never sees active together: their weight is free."""
    places = Places(network)
    used: BoolArray = np.any(directions.rows, axis=0)
    for layer in range(network.depth - 1):
        for i, k in np.ndindex(network.architecture[layer + 1], network.architecture[layer + 2]):
            weight = places.weight(layer + 1, k, i)
            if used[weight]:
                continue
            where = facts.active[layer][:, i]
            seen = "the output never depends on both of them active"
            if layer + 1 < len(facts.active) and not (where & facts.active[layer + 1][:, k]).any():
                seen = "they are never active together"
            statement = f"{name(layer, i)} and {name(layer + 1, k)}: {seen}, so the weight between them moves nothing"
            both = ((layer, i), (layer + 1, k))
            yield Proposal("never_active_together", both, [unit(network, weight)], statement, where)


def _always_active(network: Network, facts: Facts) -> Iterator[Proposal]:
    """Neurons that are active wherever they are visible: their layer and the next one mix affinely there."""
    for layer in range(network.depth - 1):
        chosen = facts.always_active(layer)
        if chosen:
            shown: BoolArray = np.asarray(facts.shown(layer)[:, chosen].any(axis=1))
            who = " and ".join(name(layer, i) for i in chosen)
            are, them = ("is", "it") if len(chosen) == 1 else ("are", "them")
            mix = f"layers {layer + 1} and {layer + 2} mix"
            statement = f"{who} {are} active wherever the output depends on {them}: {mix}"
            neurons = tuple((layer, i) for i in chosen)
            yield Proposal("always_active", neurons, mixing(network, layer, chosen), statement, shown)


def mixing(network: Network, layer: int, chosen: Sequence[int]) -> list[Vector]:
    """Tangent directions of the affine map that some neurons of a hidden layer would compute for the next layer without
    their ReLUs: with ``A = [V | c]`` their rows and ``W`` the weights out of them, the solutions of
    ``dW V + W dV = 0`` and ``dW c + W dc + db = 0``.

    They are spanned by ``dA = G A, dW = -W G`` for square ``G``; by ``dc`` alone, with ``db = -W dc``; by ``dV`` with
    ``W dV = 0``; and by ``dW`` with ``dW V = 0``. (If ``dW V = -W dV``, this matrix is ``W X V`` for some ``X``, and
    ``dW - W X`` and ``dV + X V`` are of the last two kinds.)
    """
    places = Places(network)
    above, below = network.augmented(layer + 2).tolist(), network.augmented(layer + 1).tolist()
    inputs, count = network.architecture[layer], len(chosen)
    rows = [below[i] for i in chosen]
    out = [[row[i] for i in chosen] for row in above]
    result: list[dict[int, fmpq]] = []
    for a, b in np.ndindex(count, count):  # G has its one entry at (a, b)
        vector = {places.row(layer, chosen[a])[k]: entry for k, entry in enumerate(rows[b])}
        vector |= {places.weight(layer + 1, o, chosen[b]): -row[a] for o, row in enumerate(out)}
        result.append(vector)
    for a in range(count):
        vector = {places.row(layer, chosen[a])[-1]: fmpq(1)}
        vector |= {bias: -row[a] for bias, row in zip(places.biases(layer + 1), out, strict=True)}
        result.append(vector)
    for null in exact.kernel(fmpq_mat(out)):  # W u = 0: the rows move by multiples of u
        result += [{places.row(layer, i)[k]: fmpq(u) for i, u in zip(chosen, null, strict=True)} for k in range(inputs)]
    linear = fmpq_mat([row[:-1] for row in rows])
    for null in exact.kernel(linear.transpose()):  # y V = 0: the weights to one neuron move by y
        shift = sum((y * row[-1] for y, row in zip(null, rows, strict=True)), fmpq(0))
        for o in range(len(out)):
            vector = {places.weight(layer + 1, o, i): fmpq(y) for i, y in zip(chosen, null, strict=True)}
            vector[places.row(layer + 1, o)[-1]] = -shift
            result.append(vector)
    return [integral(network, vector) for vector in result if any(vector.values())]


def _small_sensitivities(network: Network, facts: Facts, directions: Directions) -> Iterator[Proposal]:
    """Where, on the cells on which a neuron is active, the output sees too few combinations of the next layer, the
    weights out of it move in the complement.
    """
    places = Places(network)
    for layer in range(network.depth - 1):
        for i in np.flatnonzero(facts.active[layer].any(axis=0)).tolist():
            vectors = directions.within(places.outgoing(layer, i))
            if vectors:
                count = network.architecture[layer + 2]
                statement = (
                    f"where {name(layer, i)} is active, the output sees {count - len(vectors)} of {count} combinations "
                    f"of layer {layer + 2}: the weights out of it move in the complement"
                )
                yield Proposal("sensitivity_too_small", ((layer, i),), vectors, statement, facts.active[layer][:, i])


# --------------------------------------------------------------------------- coinciding bent hyperplanes


def _proportional(network: Network, facts: Facts, directions: Directions) -> Iterator[Proposal]:
    """Neurons of one layer with proportional rows."""
    for layer in range(network.depth - 1):
        groups: dict[tuple[fmpz, ...], list[int]] = {}
        for i, row in enumerate(network.augmented(layer + 1).tolist()):
            if any(row[:-1]):
                primitive = rationals.primitive_row(row)[0]
                sign = 1 if next(entry for entry in primitive if entry) > 0 else -1
                groups.setdefault(tuple(sign * entry for entry in primitive), []).append(i)
        for group in groups.values():
            if len(group) > 1:
                found = _together(network, facts, directions, [(layer, i) for i in group], "have proportional rows")
                yield from found


def coinciding(
    network: Network, facts: Facts, directions: Directions, pairs: Sequence[tuple[Neuron, Neuron]]
) -> Iterator[Proposal]:
    """Pairs of neurons whose bent hyperplanes share a piece, those in adjacent layers first."""
    for pair in sorted(pairs, key=lambda pair: (abs(pair[0][0] - pair[1][0]), pair)):
        yield from _together(network, facts, directions, list(pair), "share a piece of their bent hyperplanes")


def _together(
    network: Network, facts: Facts, directions: Directions, group: Sequence[Neuron], what: str
) -> Iterator[Proposal]:
    """Directions that move at least two of these neurons, together with neurons of their layers that are always active
    and with the biases behind them.
    """
    places = Places(network)
    own = {
        (layer, i): {*places.row(layer, i), *(places.outgoing(layer, i) if layer + 1 < network.depth else ())}
        for layer, i in group
    }
    free = set().union(*own.values())
    for layer in {layer for layer, _ in group if layer + 1 < network.depth}:
        free.update(places.biases(layer + 1))
        for i in facts.always_active(layer):
            free.update(places.row(layer, i), places.outgoing(layer, i))
    moved: dict[Neuron, None] = {}
    vectors = []
    for vector in directions.within(free):
        touched = [neuron for neuron, parameters in own.items() if any(vector[j] != 0 for j in parameters)]
        if len(touched) > 1:
            vectors.append(vector)
            moved |= dict.fromkeys(touched)
    if vectors:
        who = " and ".join(name(layer, i) for layer, i in moved)
        shown = np.any([facts.active[layer][:, i] for layer, i in moved], axis=0)
        yield Proposal("coinciding", tuple(moved), vectors, f"{who} {what}: they move together", shown)


def pairs_that_coincide(
    network: Network, facets: SignArray, sides: tuple[SignArray, SignArray]
) -> list[tuple[Neuron, Neuron]]:
    """Pairs of hidden neurons that both vanish on some cell of dimension ``n_0 - 1`` (rows of ``facets``), and on
    neither of the two cells beside it (rows of ``sides``).
    """
    hidden = sum(network.architecture[1:-1])
    bends = (facets == 0) & (sides[0] != 0) & (sides[1] != 0)
    zero = bends[:, :hidden].astype(np.float64)
    shared = zero.T @ zero > 0
    neurons = [(layer, i) for layer, width in enumerate(network.architecture[1:-1]) for i in range(width)]
    return [(neurons[a], neurons[b]) for a, b in combinations(range(hidden), 2) if shared[a, b]]


# --------------------------------------------------------------------------- small things


def name(layer: int, neuron: int) -> str:
    """A neuron in words, layers from 1 on and neurons from 0 on."""
    return f"neuron {neuron} of layer {layer + 1}"


def unit(network: Network, parameter: int) -> Vector:
    """The direction of one parameter."""
    vector = [fmpz(0)] * network.parametric_dimension
    vector[parameter] = fmpz(1)
    return vector


def integral(network: Network, entries: dict[int, fmpq]) -> Vector:
    """A primitive integer multiple of a sparse vector."""
    vector = [fmpz(0)] * network.parametric_dimension
    places = sorted(entries)
    for place, entry in zip(places, rationals.primitive_row([entries[j] for j in places])[0], strict=True):
        vector[place] = entry
    return vector
