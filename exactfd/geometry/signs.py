"""Exact signs of pre-activations at vertices and rays, at the speed of floats.

Every generator (vertex or ray) carries its pre-activations in the current layer as float64 together with rigorous
error bounds, with respect to one fixed positive multiple of its exact homogeneous coordinates. Its signs are two words
of bits for 64 neurons and always exact:

* A new generator lies inside an edge. Where the signs of the ends agree, or one of them is 0, the sign is that of the
  other end and no number is looked at. Only neurons that change sign on this very edge ask the floats.
* A float answers when the value exceeds its bound.
* Zeros that are zero by construction (a generator on the neuron that made it, a neuron that reads nothing but zeros)
  are carried with error bound exactly 0, which no other value ever has.
* What is still open is computed in exact integers from the generator's ancestry, once for all neurons of the layer,
  and the floats of that generator are then refreshed from them. Where none are carried, the open signs alone are.

The invariant of values and bounds is that of :mod:`exactfd.geometry.bounds`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
from flint import fmpz, fmpz_mat

from exactfd import compiled
from exactfd.geometry import bits, bounds
from exactfd.geometry.ancestry import Ancestry, Coordinates, IntArray, kept_for_few
from exactfd.geometry.bits import BoolArray, Words
from exactfd.geometry.bounds import FAINT, FLOOR, HUGE, SLACK, TINY, UNIT, FloatArray, rectified
from exactfd.geometry.homogeneous import HomogeneousNetwork, rounded, scaled
from exactfd.geometry.tables import CellTable, Indices

Exponents = np.ndarray[Any, np.dtype[np.int64]]

_BLOCK = 1 << 16
_LEAST = 1024  # room for generators at the beginning
_FORGOTTEN = 16  # neurons of which the values are dropped together; a multiple of 8
_TOGETHER = 256  # generators of which integers are found between two looks at limits
_AHEAD = 256  # generators looked at together when signs that were left out are found


#: Values, bounds on their errors, the number of columns that are dropped, whether those of finished neurons are.
Numbers = tuple[FloatArray, FloatArray, int, bool]
#: Whether there are any; frames, heights, carriers, the number of the first frame of a polygon.
Frames = tuple[bool, IntArray, FloatArray, IntArray, int]

_NO_FRAMES: Frames = (False, np.zeros((3, 0), np.int64), np.zeros((2, 0)), np.zeros((0, 2), np.int32), 0)
_NO_SIGNS: Words = np.zeros((0, 1), dtype=np.uint64)
_NO_NUMBERS: FloatArray = np.zeros((0, 1))


class GeneratorTable:
    """Vertices and rays of a subdivision in the making: signs now, exact coordinates on demand.

    Attributes
    ----------
    exact
        Where they are: from what edges they come.
    positive, negative
        Exact signs in the current layer, ``words x capacity``; the first ``count`` columns are meant.
    finite
        Which generators are vertices.
    never_zero
        Words with the bits of the neurons, among those not yet cut, that vanish at no generator.
    """

    #: Whether compiled loops may do the work of :meth:`add`: not where a class overrides what it calls.
    has_loops: ClassVar[bool] = True

    def __init__(self, network: HomogeneousNetwork, initial: Sequence[Sequence[int]]) -> None:
        self.network = network
        self.count = len(initial)
        room = max(self.count, _LEAST)
        self.finite: BoolArray = np.empty(room, dtype=bool)
        self.finite[: self.count] = [row[-1] != 0 for row in initial]
        self.positive: Words = _NO_SIGNS
        self.negative: Words = _NO_SIGNS
        self.never_zero: Words = _NO_SIGNS[:, 0]
        given = tuple(map(tuple, initial))
        self._axes = _half_axes(given)
        self.exact = Ancestry(network.layers, given, room)
        self._layer = -1
        self._width = 0
        self._begun: list[int] = []  # number of generators when each word of the layer began
        self._dropped = 0  # columns of finished neurons that no later layer asks for; a multiple of 8
        self._values: FloatArray = _NO_NUMBERS  # the last column is t
        self._errors: FloatArray = _NO_NUMBERS
        self._has_numbers = True  # new generators get them, beside their signs
        self.exact_evaluations = 0
        self._loops: ModuleType | None = None

    # ------------------------------------------------------------------ layers

    def start_layer(self, layer: int, check: Callable[[], None] = lambda: None) -> None:
        """Move to the next layer: ReLU of the present pre-activations, then the affine map of ``layer``.

        ``check`` is called now and then, and may raise; nothing more can be asked of the table then.
        """
        if layer != self._layer + 1:
            raise ValueError(f"layers come in order: expected {self._layer + 1}, found {layer}")
        self.complete()
        active = bits.unpack(self.positive[:, : self.count], self._width).view(bool) if layer else None
        self._layer, self._width = layer, self.network.widths[layer]
        words = bits.words_for(self._width)
        self.positive, self.negative = (np.empty((words, len(self.finite)), dtype=np.uint64) for _ in range(2))
        if active is None:
            self._values, self._errors = np.empty((2, self.count, self._width + 1))
            everyone = np.arange(self.count)
            if self._axes is None:
                self._refresh(everyone, check)
            else:
                self._represent(everyone, *self._on_axes(*self._axes))
        else:
            self._propagate(active, check)
        self.never_zero = np.bitwise_and.reduce(self.positive[:, : self.count] | self.negative[:, : self.count], axis=1)

    def _propagate(self, active: BoolArray, check: Callable[[], None]) -> None:
        """Values, error bounds and signs in the next layer. The bounds are added up in float32 where that is what it
        says, at half the price.
        """
        matrix, nonzero = self.network.float_layer(self._layer)
        kind = bounds.kind_of_bounds()
        magnitude = np.where(nonzero, np.maximum(np.abs(matrix), FAINT), 0.0).astype(kind)
        values, errors, loops = self._values, self._errors, self._compiled()
        count = matrix.shape[1]
        rounding, slack = (count + 6) * UNIT, SLACK + (count + 8) * 2.0**-23
        if values.shape[1] != self._width + 1:
            self._values, self._errors = (_spacious(self.count, self._width + 1) for _ in range(2))
        for rows in blocks(0, self.count, values.shape[1]):  # in place, where the layers are equally wide
            before = values[rows], errors[rows], active[rows], self.finite[rows]
            t = values[rows, -1].copy(), errors[rows, -1].copy()
            new_values, new_errors = self._values[rows], self._errors[rows]
            with np.errstate(all="ignore"):  # what overflows is unknown, and decided exactly
                inputs, doubts, sizes = loops.rectify(*before, rounding) if loops else rectified(*before, rounding)
                shares = np.matmul(doubts.astype(kind, copy=False), magnitude.T)
                new_values[:, :-1] = np.matmul(inputs, matrix.T)
                new_values[:, -1], new_errors[:, -1] = t
                sizes *= slack
                if loops is not None:
                    asked = loops.judge(new_values, new_errors, shares, sizes, rows.start, self.positive, self.negative)
                    self._refresh(asked, check)
                    continue
                new_errors[:, :-1] = np.where(shares > 0.0, shares * sizes[:, None], 0.0)
                large = ~(np.abs(new_values[:, :-1]) < HUGE)  # a sum may have overflowed on the way
            new_errors[:, :-1][large] = np.inf
            above, below = self._clear_signs(rows)
            self.positive[:, rows], self.negative[:, rows] = bits.pack(above), bits.pack(below)
            above |= below
            above |= new_errors[:, :-1] == 0.0
            self._refresh(rows.start + np.flatnonzero(~above.all(axis=1)), check)

    def start_neuron(self, neuron: int) -> None:
        """The neurons of the layer before ``neuron`` are done, all of them. To be called before :meth:`add`."""
        if neuron % bits.WORD == 0:
            self._begun.append(self.count)
        self._forget(neuron)

    def complete(self) -> None:
        """Signs of all neurons of the layer at all generators, when it is done: words that were done before a generator
        was made are left out until then.
        """
        complete(self.positive, self.negative, self._begun, self.exact.parents, self.count)
        self._begun = []

    def signs_later(self) -> Callable[[], tuple[Words, Words]]:
        """What :meth:`complete` finds out, when somebody asks for it."""
        found = self.positive[:, : self.count], self.negative[:, : self.count]
        return partial(self._complete_later, *found, self._begun)

    def _complete_later(self, positive: Words, negative: Words, begun: Sequence[int]) -> tuple[Words, Words]:
        if not positive.flags.writeable:  # as a complex may come out of a pickle
            positive, negative = positive.copy(), negative.copy()
        complete(positive, negative, begun, self.exact.parents, positive.shape[1])
        return positive, negative

    @property
    def _is_last(self) -> bool:
        """Whether no layer comes after the present one."""
        return self._layer + 1 == len(self.network.layers)

    def _forget(self, neuron: int) -> None:
        """In the last layer nobody asks for the values of the neurons before ``neuron``."""
        if not self._is_last or neuron == self._dropped or neuron % _FORGOTTEN:
            return
        for name in ("_values", "_errors"):
            old = getattr(self, name)
            width = old.shape[1] - (neuron - self._dropped)
            new = old.reshape(-1)[: old.size // width * width].reshape(-1, width)
            for rows in blocks(0, self.count, old.shape[1]):  # in place: a row moves to where earlier rows were
                new[rows] = old[rows, -width:].copy()
            setattr(self, name, new)
        self._dropped = neuron

    def _clear_signs(self, rows: slice) -> tuple[BoolArray, BoolArray]:
        """Which entries are certainly positive, and which certainly negative."""
        values, errors = self._values[rows, :-1], self._errors[rows, :-1]
        return values > errors, values < -errors

    def start_cells(self, tables: Sequence[CellTable]) -> None:
        """Take note of the cells at the start of the layer; here nothing is asked of them."""

    def add(self, ends: IntArray, neuron: int, edges: IntArray | None = None, cells: IntArray | None = None) -> None:
        """Put the zero of ``neuron`` on each edge (rows of ``ends``, where its signs are opposite).

        ``edges`` and ``cells`` are the numbers of these edges and of the 2-cells that are cut; not needed here.
        """
        first, last = self.count, self.count + len(ends)
        self._reserve(last)
        kept = neuron - self._dropped if self._is_last else 0  # as :meth:`_forget`
        loops = self._compiled()
        if loops is not None:
            asked = np.empty(len(ends), dtype=np.int64)
            numbers = self._dropped, kept, self._values, self._errors
            count = loops.add(ends, first, neuron, *numbers, *self.columns, asked)
            self.note_added(neuron, len(ends), asked[:count])
            return
        u, v = ends.T.astype(np.intp, order="C")
        for rows in blocks(first, last, self._values.shape[1]):
            part = slice(rows.start - first, rows.stop - first)
            self._interpolate(u[part], v[part], neuron - self._dropped, rows, kept)
        positive, negative, crossing = self._enter(ends, u, v, neuron)
        undecided: IntArray | None = None
        if crossing.any():
            above, below = np.zeros_like(positive), np.zeros_like(negative)
            words, skipped = divmod(self._dropped, bits.WORD)
            for rows in blocks(first, last, self._width):
                part = slice(rows.start - first, rows.stop - first)
                packed = (bits.pack(each, skipped)[neuron // bits.WORD - words :] for each in self._clear_signs(rows))
                above[:, part], below[:, part] = packed
            positive ^= crossing & ~above
            negative ^= crossing & ~below
            undecided = np.flatnonzero((crossing & ~(above | below)).any(axis=0))
        self._note_signs(first, neuron, positive, negative, undecided)

    def _enter(self, ends: IntArray, u: IntArray, v: IntArray, neuron: int) -> tuple[Words, Words, Words]:
        """Enter new generators between ``u`` and ``v``; returns the bits of the neurons that are positive at one end or
        more, negative at one or more, and those that are both, in the words that are not done.
        """
        new = slice(self.count, self.count + len(ends))
        self.finite[new] = self.finite.take(u) | self.finite.take(v)
        self.exact.parents[new] = ends
        self.exact.made.append((self.count, self._layer, neuron))
        self.count = new.stop
        word, bit = bits.bit_of(neuron)
        above, below = self.positive[word:], self.negative[word:]
        positive = above.take(u, axis=1) | above.take(v, axis=1)
        negative = below.take(u, axis=1) | below.take(v, axis=1)
        positive[0] &= ~bit
        negative[0] &= ~bit
        return positive, negative, positive & negative

    def _note_signs(
        self, first: int, neuron: int, positive: Words, negative: Words, undecided: IntArray | None
    ) -> None:
        """Signs of the generators from ``first`` on, zeros of ``neuron``, in the words that are not done; integers tell
        those of the ``undecided`` among them.
        """
        new, words = slice(first, self.count), slice(neuron // bits.WORD, None)
        self.positive[words, new], self.negative[words, new] = positive, negative
        if undecided is not None and len(undecided):
            self._settle(first + undecided, neuron)
            positive, negative = self.positive[words, new], self.negative[words, new]
        self.never_zero[words] &= np.bitwise_and.reduce(positive | negative, axis=1)

    def _compiled(self) -> ModuleType | None:
        """The loops; asked for until they are there, since they may come in the middle of a long work."""
        if self._loops is None and self.has_loops:
            self._loops = compiled.loops("exactfd.geometry.signs_loops")
        return self._loops

    @property
    def columns(self) -> tuple[Words, Words, BoolArray, IntArray]:
        """What the loops write to beside the floats."""
        return self.positive, self.negative, self.finite, self.exact.parents

    # ------------------------------------------------------------------ many neurons at a time

    @property
    def stride(self) -> int:
        """Neurons, from a multiple on, between two for which :meth:`start_neuron` has something to do."""
        return _FORGOTTEN if self._is_last else bits.WORD

    @property
    def numbers(self) -> tuple[Numbers, Frames]:
        """What the loop over many neurons reads: numbers at generators, and frames."""
        return (self._values, self._errors, self._dropped, self._is_last), _NO_FRAMES

    def reserve(self, points: int, edges: int) -> None:
        """Room for so many generators, on so many edges."""
        self._reserve(points)

    def note_run(self, points: int, edges: int, made: Iterable[tuple[int, int]]) -> None:
        """How many generators and edges there are after some neurons; and for each neuron the first generator that it
        made, or -1.
        """
        self.count = points
        self.exact.made += [(first, self._layer, neuron) for neuron, first in made if first >= 0]

    def note_added(self, neuron: int, added: int, undecided: IntArray) -> None:
        """Loops have added generators; integers tell the signs of the ``undecided`` among them.

        Only at those may a neuron vanish that has vanished nowhere: at another one the sign is that of an end, and
        zero where it is zero at both.
        """
        self.exact.made.append((self.count, self._layer, neuron))
        self.count += added
        if len(undecided):
            self._settle(undecided, neuron)
            words = slice(neuron // bits.WORD, None)
            known = self.positive[words, undecided] | self.negative[words, undecided]
            self.never_zero[words] &= np.bitwise_and.reduce(known, axis=1)

    def _interpolate(self, u: IntArray, v: IntArray, neuron: int, new: slice, kept: int) -> None:
        """Float values and error bounds at the zero of ``neuron`` on the edges ``uv``, of the columns from ``kept`` on;
        what is before them is unknown.
        """
        values, at_v, errors, error_v = (a[w, kept:] for a in (self._values, self._errors) for w in (u, v))
        neuron -= kept
        with np.errstate(all="ignore"):  # a bound that overflows is a bound: such entries are then decided exactly
            w, d = bounds.weights(values[:, neuron], at_v[:, neuron], errors[:, neuron], error_v[:, neuron])
            m = 1.0 - w
            spread = values - at_v
            values *= w[:, None]
            at_v *= m[:, None]
            values += at_v
            # true weight within d of w; rounding below 8 units of w |at u| + m |at v|, at most |value| + spread
            errors *= ((w + d) * SLACK)[:, None]
            error_v *= ((m + d) * SLACK)[:, None]
            errors += error_v
            np.abs(spread, out=spread)
            spread *= ((d + 10 * UNIT) * SLACK)[:, None]
            errors += spread
            np.abs(values, out=at_v)
            at_v *= 10 * UNIT
            errors += at_v
            np.add(errors, FLOOR, out=errors, where=errors > 0.0)  # NaN stays: it is unknown
        errors[:, neuron] = values[:, neuron] = 0.0
        self._values[new, kept:], self._errors[new, kept:] = values, errors
        self._values[new, :kept], self._errors[new, :kept] = 0.0, np.inf

    def _reserve(self, needed: int) -> None:
        """Room for so many generators."""
        for name in ("_values", "_errors"):  # one may have less room to spare than the other
            old = getattr(self, name)
            if needed > len(old):
                new = _spacious(needed, old.shape[1])
                new[: self.count] = old[: self.count]
                setattr(self, name, new)
        self._reserve_signs(needed)

    def bytes_to_add(self, added: int) -> int:
        """Bytes of the numbers at so many new generators, and of the longest array that has to be copied before, if one
        has to.
        """
        rows, width = self._values.shape
        copied = 8 * self.count * width if self.count + added > rows else 0
        return int(16 * added * width + copied)

    def bytes_of_layer(self, layer: int) -> int:
        """Bytes that the numbers of the next layer take while those of the present one are there; none where they take
        their places.
        """
        width = self.network.widths[layer] + 1
        return 16 * self.count * width if width != self._values.shape[1] else 0

    def _reserve_signs(self, needed: int) -> None:
        def room(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
            larger = np.empty((max(needed, 2 * len(array)), *array.shape[1:]), dtype=array.dtype)
            larger[: self.count] = array[: self.count]
            return larger

        if needed > len(self.finite):
            self.finite, self.exact.parents = room(self.finite), room(self.exact.parents)
        if needed > self.positive.shape[1]:
            capacity = max(needed, 2 * self.positive.shape[1])
            self.positive = bits.grown(self.positive, self.count, capacity)
            self.negative = bits.grown(self.negative, self.count, capacity)

    def close(self) -> None:
        """Forget the floats; exact coordinates stay available."""
        self._values = self._errors = _NO_NUMBERS
        self.exact.close(self.count)
        self.finite = self.finite[: self.count].copy()
        self.positive = self.negative = _NO_SIGNS
        self._loops = None

    def part(self, generators: IntArray) -> GeneratorTable:
        """A table of some generators alone, between two layers; this one must be kept for their exact coordinates."""
        part = copy.copy(self)
        part.count = len(generators)
        for name in ("finite", "_values", "_errors"):
            setattr(part, name, getattr(self, name)[generators])
        part.positive, part.negative = self.positive[:, generators], self.negative[:, generators]
        part.exact, part._begun = self.exact.part(generators), []
        part.exact_evaluations = 0
        return part

    def guessed_signs(self, layer: int, most: int) -> tuple[Words, Words]:
        """What floats say of the first neurons of the next layer, one word at most: for estimates, not for deciding."""
        matrix = self.network.float_layer(layer)[0][: min(most, bits.WORD)]
        with np.errstate(all="ignore"):
            values = np.maximum(self._values[: self.count], 0.0)
            values[:, :-1] *= bits.unpack(self.positive[:, : self.count], self._width)
            guess = values @ matrix.T
        return bits.pack(guess > 0.0)[0], bits.pack(guess < 0.0)[0]

    def ancestry(self) -> Indices:
        """The two ends of the edge on which each generator was made; -1 for those that were there before."""
        return self.exact.parents[: self.count]

    def note_made(self, layer: int, neuron: int, first: int) -> None:
        """The generators from ``first`` on are zeros of a neuron, until this is called again."""
        self.exact.made.append((first, layer, neuron))

    def replace(self, parents: Indices, finite: BoolArray) -> None:
        """All generators, when all neurons are done: the new ones of :meth:`note_made` have ``parents``."""
        parents[: self.count] = self.ancestry()
        self.exact.parents, self.finite, self.count = parents, finite, len(parents)

    # ------------------------------------------------------------------ exact integers

    def coordinates(self, generators: Iterable[int]) -> list[list[fmpz]]:
        """Exact integer coordinates ``(y_1, ..., y_r, t)`` of some generators: those given, and primitive ones."""
        return self.exact.coordinates(generators)

    def _settle(self, generators: IntArray, neuron: int) -> None:
        """Exact signs of zeros of ``neuron`` that have just been entered."""
        if self._has_numbers:
            self._refresh(generators)
            return
        word, layer = neuron // bits.WORD, self._layer
        self.exact_evaluations += len(generators)
        for v in generators.tolist():
            u, w = self.exact.parents[v].tolist()
            at_u, at_w = (abs(self.exact.value(end, layer, neuron)) for end in (u, w))
            above, below = ((signs[word:, u] | signs[word:, w]) for signs in (self.positive, self.negative))
            crossing = above & below & ~(self.positive[word:, v] | self.negative[word:, v])
            crossing[0] &= ~bits.bit_of(neuron)[1]
            for open_ in np.flatnonzero(bits.unpack(crossing[:, None], self._width - word * bits.WORD)[0]).tolist():
                other = word * bits.WORD + open_
                # neurons are linear on the edge, and v is at_w * u + at_u * w
                value = at_w * self.exact.value(u, layer, other) + at_u * self.exact.value(w, layer, other)
                place, bit = bits.bit_of(other)
                if value != 0:
                    (self.positive if value > 0 else self.negative)[place, v] |= bit

    def _refresh(self, generators: IntArray, check: Callable[[], None] = lambda: None) -> None:
        """Exact signs of some generators; their floats become the exact values, rounded (a new positive multiple)."""
        for first in range(0, len(generators), _TOGETHER):
            some = generators[first : first + _TOGETHER]
            check()
            self._represent(some, *self._exact_values(some.tolist()))

    def _represent(self, wanted: IntArray, mantissas: FloatArray, exponents: Exponents) -> None:
        """Note signs, and numbers up to a positive multiple for each generator (see :meth:`_exact_values`)."""
        loops = self._compiled()
        if loops is not None:
            numbers = self._has_numbers, self._dropped, self._values, self._errors
            loops.represent(mantissas, exponents, wanted, *numbers, self.positive, self.negative)
            return
        signs = bits.pack(np.concatenate([mantissas[:, :-1] > 0.0, mantissas[:, :-1] < 0.0]))
        self.positive[:, wanted], self.negative[:, wanted] = signs[:, : len(wanted)], signs[:, len(wanted) :]
        if not self._has_numbers:
            return
        tops = np.where(mantissas != 0.0, exponents, np.iinfo(np.int64).min).max(axis=1)
        kept = slice(self._dropped, None)
        mantissas, exponents = mantissas[:, kept], exponents[:, kept] - tops[:, None]
        values = scaled(mantissas, exponents)
        errors = np.where(values != 0.0, np.abs(values) * 2.0**-51 + FLOOR, 0.0)
        # possibly underflowed: keep the sign, which is exact, and a bound that covers it
        tiny = (mantissas != 0.0) & (np.abs(values) < TINY)
        values[tiny] = np.copysign(TINY, mantissas[tiny])
        errors[tiny] = TINY + FLOOR
        self._values[wanted], self._errors[wanted] = values, errors

    def _on_axes(self, axes: IntArray, sides: FloatArray) -> tuple[FloatArray, Exponents]:
        """Pre-activations in the first layer, and ``t``, on half axes: there they are weights."""
        weights, powers = self.network.rounded_layers[0]
        mantissas = np.empty((len(axes), len(weights) + 1))
        exponents = np.empty(mantissas.shape, dtype=np.int64)
        np.multiply(weights.T.take(axes, axis=0), sides[:, None], out=mantissas[:, :-1])
        np.subtract(powers.T.take(axes, axis=0), self.network.exponents[0][:-1], out=exponents[:, :-1])
        mantissas[:, -1], exponents[:, -1] = axes + 1 == weights.shape[1], 0
        return mantissas, exponents

    def _exact_values(self, wanted: list[int]) -> tuple[FloatArray, Exponents]:
        """Pre-activations of some generators and ``t``, rounded from exact integers to mantissas and exponents (see
        :func:`~exactfd.geometry.homogeneous.rounded`), in the scale of the float layers.
        """
        self.exact_evaluations += len(wanted)
        inputs = [self.exact.layer_inputs(v, self._layer) for v in wanted]
        # rows of the layer by columns of inputs: FLINT goes along both, and copies nothing long
        product = self.network.layers[self._layer] * fmpz_mat(inputs).transpose()
        mantissas, exponents = rounded([*product.tolist(), [row[-1] for row in inputs]])
        return np.ascontiguousarray(mantissas.T), exponents.T - self.network.exponents[self._layer]


@kept_for_few
def _half_axes(points: Coordinates) -> tuple[IntArray, FloatArray] | None:
    """The axis on which each point lies, and on which side, if all are unit vectors or the opposite of one."""
    places = [(j, entry) for row in points for j, entry in enumerate(row) if entry]
    if len(places) != len(points) or any(abs(entry) != 1 for _, entry in places) or not all(map(any, points)):
        return None
    axes, sides = zip(*places, strict=True)
    return np.array(axes), np.array(sides, dtype=np.float64)


def complete(positive: Words, negative: Words, begun: Sequence[int], parents: IntArray, count: int) -> None:
    """Signs of ``count`` generators in the words that were left out: from the generators that there were when the next
    word began, see ``begun``, on. No edge had two signs of a neuron that was done, so a new generator has those of the
    ends, its ``parents``.

    Doing it twice, or in two threads at once, does no harm.
    """
    if len(begun) < 2:
        return
    loops = compiled.loops("exactfd.geometry.signs_loops")
    if loops is not None:
        loops.complete(positive, negative, np.array(begun, dtype=np.int64), parents, count)
        return
    for words, (first, last) in enumerate(pairwise([*begun[1:], count]), 1):
        step = _AHEAD
        while first < last:
            # a generator comes after its parents, and in one step those are taken whose parents are known; few more are
            # looked at than that
            stop = min(first + step, last)
            late = np.flatnonzero(parents[first:stop].max(axis=1) >= first)
            stop = first + int(late[0]) if len(late) else stop
            u, v = parents[first:stop].T.astype(np.intp)
            for signs in (*positive[:words], *negative[:words]):
                signs[first:stop] = signs.take(u) | signs.take(v)
            step, first = max(_AHEAD, 2 * (stop - first)), stop


def _spacious(rows: int, width: int) -> FloatArray:
    """Room for ``rows`` and some more: pages that are never written to cost nothing, copies do."""
    try:
        return np.empty((4 * rows, width))
    except MemoryError:
        return np.empty((rows, width))


def blocks(first: int, last: int, width: int) -> Iterator[slice]:
    """Rows ``first`` to ``last`` in blocks of about ``_BLOCK`` entries, so that temporary arrays stay in the cache."""
    step = max(1, _BLOCK // width)
    return (slice(start, min(start + step, last)) for start in range(first, last, step))
