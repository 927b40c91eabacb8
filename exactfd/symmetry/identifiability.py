"""When the function determines the parameter up to permutation and positive scaling: TPIC, LRA and what goes with them.

The *bent hyperplane* of a neuron is the set where its pre-activation, as a function on ``R^{n_0}``, is zero. All
questions are answered from the canonical polyhedral complex, which holds every cell with its labels, so each answer is
exact for every parameter, degenerate or not.

Sources: Grigsby, Lindsey, Rolnick, *Hidden symmetries of ReLU networks*, ICML 2023, arXiv 2306.06179 ([GLR]: TPIC, LRA
and the theorem); Grigsby, Lindsey, arXiv 2008.09052 (bent hyperplanes); Masden, arXiv 2207.07696 (supertransversal).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat

from exactfd import rationals
from exactfd.budget import Budget, Progress, silent
from exactfd.errors import InternalError
from exactfd.geometry.complex import CanonicalComplex, canonical_complex
from exactfd.geometry.location import locate
from exactfd.geometry.tables import Indices
from exactfd.jacobians import ModularNetwork
from exactfd.linalg import exact, modular
from exactfd.network import Network

Point = tuple[Fraction, ...]
BoolArray = np.ndarray[Any, np.dtype[np.bool_]]
IntArray = np.ndarray[Any, np.dtype[np.int64]]
FloatArray = np.ndarray[Any, np.dtype[np.float64]]

#: Layers wider than this are not searched for subsets of neurons that could be flipped (2^20 sums): they have none
#: where the linear parts of their neurons are independent, and else the question stays open.
MAX_FLIPS = 20


@dataclass(frozen=True, slots=True)
class Pair:
    """How the bent hyperplanes of two neurons of adjacent ReLU layers meet.

    Attributes
    ----------
    layer, first, second
        Neuron ``first`` of ``layer`` and neuron ``second`` of ``layer + 1``; layers count from 1, neurons from 0.
    point
        A rational point on both, inside a cell of largest dimension among those; None when they do not meet.
    transverse
        Whether they meet, and transversely (see :func:`identifiability`).
    """

    layer: int
    first: int
    second: int
    point: Point | None
    transverse: bool

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values; numbers as exact text."""
        point = None if self.point is None else [rationals.format_rational(x) for x in self.point]
        return {
            "neurons": [[self.layer, self.first], [self.layer + 1, self.second]],
            "meet": self.point is not None,
            "transverse": self.transverse,
            "point": point,
        }

    def __repr__(self) -> str:
        how = "transverse" if self.transverse else "do not meet" if self.point is None else "not transverse"
        return f"Pair(({self.layer},{self.first}) and ({self.layer + 1},{self.second}): {how})"


@dataclass(frozen=True)
class IdentifiabilityResult:
    """What :func:`identifiability` found.

    Attributes
    ----------
    pairs
        Every pair of neurons of adjacent ReLU layers.
    same_map
        Points inside two adjacent ``n_0``-cells on which ``F`` is the same affine map, or None: LRA holds.
    stably_active, stably_inactive
        Neurons ``(layer, neuron)``, layers from 1 and neurons from 0, whose label is 1 (or -1) on every ``n_0``-cell.
    flips
        ``(layer, neurons)`` of a set of hidden neurons whose signs can be turned without changing the function (see
        :func:`identifiability`), or None.
    hypotheses
        What the verdict needs, by name: True, False, or None where it is too expensive to decide.
    """

    network: Network
    pairs: list[Pair] = field(repr=False)
    same_map: tuple[Point, Point] | None
    stably_active: list[tuple[int, int]]
    stably_inactive: list[tuple[int, int]]
    flips: tuple[int, tuple[int, ...]] | None
    hypotheses: dict[str, bool | None]

    @property
    def tpic(self) -> bool:
        """Whether every pair meets, transversely; true where there is no pair."""
        return all(pair.transverse for pair in self.pairs)

    @property
    def failing_pairs(self) -> list[Pair]:
        """The pairs that do not meet transversely."""
        return [pair for pair in self.pairs if not pair.transverse]

    @property
    def lra(self) -> bool:
        """Whether no two adjacent ``n_0``-cells carry the same affine map."""
        return self.same_map is None

    @property
    def no_hidden_symmetries(self) -> bool | None:
        """True where every hypothesis is verified, else None: nothing is concluded then."""
        return True if all(value is True for value in self.hypotheses.values()) else None

    def to_dict(self) -> dict[str, Any]:
        """The keys of ``exactfd identifiability --json``."""
        same = None if self.same_map is None else [[rationals.format_rational(x) for x in p] for p in self.same_map]
        return {
            "architecture": list(self.network.architecture),
            "output_activation": self.network.output_activation,
            "digest": self.network.digest,
            "tpic": self.tpic,
            "pairs": [pair.to_dict() for pair in self.pairs],
            "failing_pairs": len(self.failing_pairs),
            "lra": self.lra,
            "same_map": same,
            "stably_active": [list(neuron) for neuron in self.stably_active],
            "stably_inactive": [list(neuron) for neuron in self.stably_inactive],
            "flips": None if self.flips is None else {"layer": self.flips[0], "neurons": list(self.flips[1])},
            "hypotheses": dict(self.hypotheses),
            "no_hidden_symmetries": self.no_hidden_symmetries,
        }

    def __repr__(self) -> str:
        verdict = "no hidden symmetries" if self.no_hidden_symmetries else "nothing concluded"
        pairs = f"{_word(self.tpic)} ({len(self.pairs)} pairs)"
        return f"IdentifiabilityResult(TPIC {pairs}, LRA {_word(self.lra)}, {verdict})"

    def _repr_html_(self) -> str:
        return f"<code>{self!r}</code>"


def _word(value: bool) -> str:
    return "holds" if value else "fails"


def identifiability(
    network: Network, *, budget: Budget | None = None, progress: Progress = silent
) -> IdentifiabilityResult:
    """TPIC, LRA, stable neurons and, where its hypotheses are verified, the verdict "no hidden symmetries".

    *TPIC* ([GLR]): the bent hyperplanes of each pair of neurons in adjacent layers have a nonempty and transverse
    intersection. Here layers are the ReLU layers, so an output layer takes part when it has a ReLU. An intersection
    counts as transverse when

    - each of its cells lies in the closure of an ``(n_0 - 2)``-cell of it, and none is larger;
    - around each such ``(n_0 - 2)``-cell exactly two ``(n_0 - 1)``-cells carry the label 0 of the one neuron, exactly
      two others that of the other, and all four pairs of signs occur: going around the cell, the two bent hyperplanes
      alternate.

    Where no other label vanishes on the ``(n_0 - 2)``-cell this says that the gradients of the two pre-activations are
    independent on each of the four ``n_0``-cells around it. Other labels may vanish too (a duplicated neuron, three
    bent hyperplanes through one point): the definition looks at the two bent hyperplanes only. A pre-activation that
    vanishes identically on an ``n_0``-cell where the two meet is never transverse there, nor are two bent hyperplanes
    that share an ``(n_0 - 1)``-cell, or touch without crossing. For ``n_0 = 1`` bent hyperplanes are points and no pair
    is transverse.

    *LRA* ([GLR]): no two ``n_0``-cells with a common ``(n_0 - 1)``-dimensional face carry the same affine map.

    *No hidden symmetries* means that every parameter with the same function comes from this one by permutations and
    positive scalings. [GLR] conclude it from TPIC and LRA for generic, supertransversal parameters with affine output
    and ``n_0 >= 2``; that theorem is quoted here, not proved. Two further hypotheses are verified, because exact
    parameters may lie in the set of measure zero where the conclusion is false without them: ``nonzero_weights`` (no
    weight between two hidden layers is zero, so that bent hyperplanes do bend where they cross) and
    ``no_sign_flips`` (no nonempty set ``S`` of neurons of a hidden layer has ``W^{l+1}[:, S] W^l[S, :] = 0``). Where
    such a set exists, ``relu(z) = relu(-z) + z`` turns the signs of all its neurons at the price of a change of biases,
    and the function stays the same.

    Raises ``BudgetExceeded``; the whole complex is needed, so this is for few inputs.

    Two bent lines that cross both axes; then three whose signs can be turned together:

    >>> net = Network([([[1, 0], [0, 1]], [0, 0]), ([[1, 2], [-2, -1]], [-1, 3]), ([[1, -1]], [0])])
    >>> found = identifiability(net)
    >>> found.tpic, found.lra, found.no_hidden_symmetries
    (True, True, True)
    >>> second, third = ([[-1, -1], [1, 2], [-2, -1]], [1, -3, 10]), ([[-3, -1, 1]], [0])
    >>> found = identifiability(Network([([[1, 0], [0, 1]], [0, 0]), second, third]))
    >>> found.tpic, found.lra, found.no_hidden_symmetries, found.flips
    (True, True, None, (2, (0, 1, 2)))
    """
    limits = budget or Budget()
    cells = canonical_complex(network, budget=limits, progress=progress)
    labels = cells.labels(network.input_dimension)
    pairs = list(_pairs(cells, limits, progress))
    same = _same_map(cells)
    decided, flips = _flips(network)
    hypotheses: dict[str, bool | None] = {
        "at_least_two_inputs": network.input_dimension >= 2,
        "affine_output": network.output_activation == "identity",
        "generic": cells.generic,
        "supertransversal": cells.supertransversal,
        "tpic": all(pair.transverse for pair in pairs),
        "lra": same is None,
        "nonzero_weights": all(
            all(entry != 0 for row in network.augmented(layer).tolist() for entry in row[:-1])
            for layer in range(2, network.depth)
        ),
        "no_sign_flips": flips is None if decided else None,
    }
    return IdentifiabilityResult(
        network,
        pairs,
        same,
        _neurons(network, (labels == 1).all(axis=0)),
        _neurons(network, (labels == -1).all(axis=0)),
        flips,
        hypotheses,
    )


def _neurons(network: Network, chosen: BoolArray) -> list[tuple[int, int]]:
    names = [(layer, i) for layer, width in enumerate(network.relu_widths, 1) for i in range(width)]
    return [name for name, keep in zip(names, chosen.tolist(), strict=True) if keep]


# --------------------------------------------------------------------------- pairs


class _Faces:
    """For the ``(n_0 - 2)``-cells: which ``(n_0 - 1)``- and ``n_0``-cells lie around them."""

    def __init__(self, cells: CanonicalComplex) -> None:
        top = cells.dimension
        self._walls = _cofaces(cells, top - 1)
        self._tops = _cofaces(cells, top)
        self._wall_zero = cells.labels(top - 1) == 0
        self._signs = cells.labels(top)

    def cross(self, cell: int, first: int, second: int) -> bool:
        """Whether two neurons (flat numbers) that vanish on the cell alternate around it."""
        walls = self._walls(cell)
        zero = self._wall_zero[walls][:, [first, second]]
        if zero.sum(axis=0).tolist() != [2, 2] or zero.all(axis=1).any():
            return False
        tops = np.unique(np.concatenate([self._tops(wall) for wall in walls.tolist()]))
        return set(map(tuple, self._signs[tops][:, [first, second]].tolist())) == {(1, 1), (1, -1), (-1, 1), (-1, -1)}


def _cofaces(cells: CanonicalComplex, dimension: int) -> Any:
    """Given the number of a cell of one dimension less, the cells of ``dimension`` of which it is a facet."""
    flat, sizes = cells.facets(dimension)
    owner = np.repeat(np.arange(len(sizes)), sizes)
    order = np.argsort(flat, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(flat, minlength=cells.f_vector[dimension - 1]))])
    owner = owner[order]
    return lambda cell: owner[starts[cell] : starts[cell + 1]]


def _pairs(cells: CanonicalComplex, budget: Budget, progress: Progress) -> Iterator[Pair]:
    top, widths = cells.dimension, cells.network.relu_widths
    zero = [cells.labels(k) == 0 for k in range(top + 1)]
    faces = _Faces(cells) if top >= 2 else None
    total = sum(m * n for m, n in pairwise(widths))
    start, done = 0, 0
    for layer, (m, n) in enumerate(pairwise(widths), 1):
        for i in range(m):
            for j in range(n):
                first, second = start + i, start + m + j
                budget.check()
                done += 1
                progress("pairs of neurons", done, total)
                both = [np.flatnonzero(table[:, first] & table[:, second]) for table in zero]
                largest = max((k for k in range(top + 1) if len(both[k])), default=None)
                point = None if largest is None else cells.interior_point(largest, int(both[largest][0]))
                transverse = faces is not None and _transverse(cells, faces, both, first, second)
                yield Pair(layer, i, j, point, transverse)
        start += m


def _transverse(cells: CanonicalComplex, faces: _Faces, both: list[IntArray], first: int, second: int) -> bool:
    """``both``: by dimension, the cells on which the two neurons vanish."""
    top = cells.dimension
    if not len(both[top - 2]) or len(both[top - 1]) or len(both[top]):
        return False
    for k in range(top - 2):  # the intersection is pure: each cell is a facet of a larger one in it
        if len(both[k]) and not np.isin(both[k], _facets_of(cells, k + 1, both[k + 1])).all():
            return False
    return all(faces.cross(cell, first, second) for cell in both[top - 2].tolist())


def _facets_of(cells: CanonicalComplex, dimension: int, chosen: IntArray) -> Indices:
    flat, sizes = cells.facets(dimension)
    owner = np.repeat(np.arange(len(sizes)), sizes)
    return flat[np.isin(owner, chosen)]


# --------------------------------------------------------------------------- LRA


def _same_map(cells: CanonicalComplex) -> tuple[Point, Point] | None:
    """Points of two adjacent ``n_0``-cells with the same affine map, the first pair in the order of their wall.

    Maps that differ modulo a prime differ; only the others are compared exactly.
    """
    top = cells.dimension
    flat, sizes = cells.facets(top)
    owner = np.repeat(np.arange(len(sizes)), sizes)
    order = np.argsort(flat, kind="stable")
    facet, cell = flat[order], owner[order]
    between = np.flatnonzero(facet[1:] == facet[:-1])
    maps = _modular_maps(cells)
    left, right = cell[between], cell[between + 1]
    alike = (maps[left] == maps[right]).all(axis=1)
    for one, two in zip(left[alike].tolist(), right[alike].tolist(), strict=True):
        points = cells.interior_point(top, one), cells.interior_point(top, two)
        here, there = (locate(cells.network, point) for point in points)
        if (here.matrix, here.offset) == (there.matrix, there.offset):
            return points
    return None


def _modular_maps(cells: CanonicalComplex) -> FloatArray:
    """Coefficients of ``F`` on every ``n_0``-cell modulo a prime, one row a cell.

    ``F = L^1 W^1 x + sum_l L^l b^l``, ``L^l`` being the derivative of ``F`` in the pre-activations of layer ``l``.
    """
    network = cells.network
    reduced = next(filter(None, (ModularNetwork.reduce(network, prime) for prime in modular.primes())), None)
    if reduced is None:
        raise InternalError("every prime below 2^23 divides a denominator")
    labels = cells.labels(cells.dimension)
    derivatives = reduced.sensitivities(labels)
    slope = reduced.product(derivatives[0], reduced.layers[0][:, :-1])
    offset = np.zeros((len(labels), network.output_dimension, 1))
    for derivative, layer in zip(derivatives, reduced.layers, strict=True):
        offset = modular.reduce(offset + reduced.product(derivative, layer[:, -1:]), reduced.prime)
    rows = np.concatenate([slope, offset], axis=2).reshape(len(labels), -1)
    residues: FloatArray = np.mod(rows, reduced.prime)  # one representative for each
    return residues


# --------------------------------------------------------------------------- flips


def _flips(network: Network) -> tuple[bool, tuple[int, tuple[int, ...]] | None]:
    """Whether the question was decided, and a set of neurons of a hidden layer that can be flipped."""
    decided = True
    for layer in range(1, network.depth):
        terms = _linear_parts(network, layer)
        if network.architecture[layer] > MAX_FLIPS:  # independent terms have no vanishing sum
            decided &= exact.rank(fmpq_mat(terms)) == len(terms)
            continue
        found = _flip_of_layer(terms)
        if found is not None:
            return True, (layer, found)
    return decided, None


def _linear_parts(network: Network, layer: int) -> list[list[fmpq]]:
    """For each neuron ``i`` of a hidden layer the matrix ``W^{l+1}[:, i] W^l[i, :]``, as one row."""
    inner, outer = network.augmented(layer).tolist(), network.augmented(layer + 1).tolist()
    return [[row[i] * entry for row in outer for entry in inner[i][:-1]] for i in range(len(inner))]


def _flip_of_layer(terms: list[list[fmpq]]) -> tuple[int, ...] | None:
    """The least nonempty set of rows, as a bit mask, whose sum is zero.

    The sums over all subsets of random combinations of entries modulo a prime vanish where the sums do.
    """
    width, prime = len(terms), 2**31 - 1
    integers = [entry for row in terms for entry in row]
    common = int(rationals.common_denominator(integers))
    weights = np.random.default_rng(0).integers(1, prime, size=len(terms[0])).tolist()
    hashes = [sum(w * int((e * common).p) for w, e in zip(weights, row, strict=True)) % prime for row in terms]
    sums = np.zeros(1, dtype=np.int64)
    for value in hashes:
        sums = np.concatenate([sums, (sums + value) % prime])
    for mask in np.flatnonzero(sums == 0).tolist()[1:]:
        chosen = [i for i in range(width) if mask >> i & 1]
        if all(sum((terms[i][k] for i in chosen), fmpq(0)) == 0 for k in range(len(terms[0]))):
            return tuple(chosen)
    return None
