"""Check a certificate of the format ``exactfd-certificate``, version 1 (docs/certificate-v1.md).

    python checker.py CERTIFICATE [--json] [--allow-trust] [--time-limit SECONDS]

Exit code 0: proved. 1: not proved. 2: usage. 3: malformed.

This file uses Python's standard library only and needs no other file. Numbers in brackets, (2.3), name the section of
the format that a function implements. Nothing in a certificate is trusted: labels, affine functions, Jacobians and
digests are recomputed here from the network, in exact arithmetic. The file is read as hostile input: sizes are bounded
before work is done, the clock is looked at in every long loop, and nothing recurses.

Arithmetic. Layer l is stored as the integers q_l A^l, where q_l > 0 is its common denominator. A "form" is a row of
integers: an affine function of the input (coefficients, then the constant), or its single value at a point. The forms
of a layer are q_1 ... q_l times the true functions (and t times, at a point that is stored as integers over t); the
last of them is the constant 1 in the same scale. A positive factor changes no sign, no zero and no rank.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import math
import os
import re
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any, NoReturn

# Limits (5). A document beyond the first group is malformed; a claim that needs more than the second is not proved.
MAX_BYTES = 64 * 2**20  # of the file, and of what it decompresses to
MAX_NESTING = 50
MAX_PARTS = 6_000_000  # commas, opening brackets and braces
MAX_DIGITS = 10_000
MAX_PARAMETERS = 100_000
MAX_MINOR = 3_000  # rows of a minor
MAX_BITS = 1_000_000  # of an integer in between
MAX_MEMORY = 2**30  # bytes of intermediate integers, estimated beforehand
TIME_LIMIT = 3600.0  # seconds

Form = tuple[int, ...]
Point = list[Fraction]
# A kernel vector: for every neuron (layer, number) whose row it meets, pairs (factor, column of the row).
Vector = dict[tuple[int, int], list[tuple[int, int]]]
# A network on a cell or at a point: the forms that enter each layer and leave the last; the labels, layer by layer.
Trace = tuple[list[list[Form]], list[list[int]]]


@dataclass(frozen=True)
class Verdict:
    """What the checker says about a certificate; ``steps`` counts nodes, refutations, leaves, vectors and minors."""

    valid: bool
    claim: str
    steps: int
    trusted_steps: int
    reason: str
    malformed: bool

    def to_dict(self) -> dict[str, Any]:
        """The same as a dictionary that JSON can hold."""
        return asdict(self)


class _MalformedError(Exception):
    """The document is not of the format: (place, reason)."""


class _NotProvedError(Exception):
    """The evidence does not prove the claim: (step, reason)."""


def _shape(condition: bool, place: str, reason: str) -> None:
    if not condition:
        raise _MalformedError(place, reason)


def _prove(condition: bool, step: str, reason: str) -> None:
    if not condition:
        raise _NotProvedError(step, reason)


class _Run:
    """The clock and the counters of one run."""

    def __init__(self, limit: float, progress: Callable[[int], None] = lambda _: None) -> None:
        self.limit = limit
        self.end = time.monotonic() + limit
        self.steps = self.trusted = 0
        self.progress = progress

    def tick(self) -> None:
        self.progress(self.steps)
        if time.monotonic() > self.end:
            raise _NotProvedError("time limit", f"{self.limit:g} s are over")

    def combine(self, terms: Iterable[tuple[int, Form]], width: int) -> Form:
        """The sum of factor times form."""
        total: Iterable[int] = (0,) * width
        for factor, form in terms:
            self.tick()
            if factor and any(form):
                total = [a + factor * b for a, b in zip(total, form, strict=True)]
        return tuple(total)


# ---------------------------------------------------------------------------------------------- reading a document


def _parse(data: bytes) -> Any:
    """JSON without duplicate keys, floats or long integers (1), within the limits (5)."""
    _shape(len(data) <= MAX_BYTES, "document", f"more than {MAX_BYTES} bytes")
    if data[:2] == b"\x1f\x8b":
        stream = zlib.decompressobj(wbits=31)
        try:
            data = stream.decompress(data, MAX_BYTES + 1)
        except zlib.error as error:
            raise _MalformedError("gzip", str(error)) from None
        _shape(len(data) <= MAX_BYTES, "document", f"more than {MAX_BYTES} bytes after decompression")
        _shape(stream.eof and not stream.unused_data, "gzip", "truncated, or data after the end")
    parts = data.count(b",") + data.count(b"[") + data.count(b"{")
    _shape(parts <= MAX_PARTS, "document", f"more than {MAX_PARTS} commas, brackets and braces")
    # The brackets outside of strings, before anything is parsed.
    plain = re.sub(rb'"[^"]*"', b"", data.replace(rb"\\", b"").replace(rb"\"", b""))
    brackets = re.sub(rb"[^][{}]+", b"", plain)
    depth = max(itertools.accumulate(1 if b in b"[{" else -1 for b in brackets), default=0)
    _shape(depth <= MAX_NESTING, "document", f"nesting deeper than {MAX_NESTING}")
    try:
        text = data.decode("utf-8")
        return json.loads(
            text, object_pairs_hook=_pairs, parse_int=_short_int, parse_float=_no_float, parse_constant=_no_float
        )
    except (ValueError, RecursionError) as error:
        raise _MalformedError("document", f"not JSON: {error}") from None


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        _shape(key not in found, "document", f"duplicate key {_show(key)}")
        found[key] = value
    return found


def _short_int(text: str) -> int:
    _shape(len(text) <= 20, "document", f"a JSON integer of {len(text)} digits; long numbers are strings")
    return int(text)


def _no_float(text: str) -> NoReturn:
    raise _MalformedError("document", f"{_show(text)} is not an integer; numbers are strings")


def _show(value: Any) -> str:
    """A short name for a hostile value: never deep, never long, ASCII only."""
    if type(value) is str:
        return ascii(value if len(value) <= 40 else value[:40] + "...")
    if value is None or type(value) in (bool, float) or (type(value) is int and value.bit_length() <= 64):
        return repr(value)
    return f"a list of {len(value)}" if type(value) is list else f"an object of type {type(value).__name__}"


@dataclass
class _Value:
    """A value of the document and its place there. What is not as a method expects it is malformed (1)."""

    value: Any
    place: str
    run: _Run

    def expected(self, what: str) -> NoReturn:
        raise _MalformedError(self.place, f"expected {what}, found {_show(self.value)}")

    def mapping(self) -> dict[str, Any]:
        """An object with any keys. (Keys of JSON are strings; a Python dictionary may have others.)"""
        if type(self.value) is not dict or any(type(key) is not str for key in self.value):
            self.expected("an object")
        return dict(self.value)

    def get(self, key: str) -> _Value:
        """What an object has at a key, or null."""
        return _Value(self.mapping().get(key), key if self.place == "document" else f"{self.place}.{key}", self.run)

    def object(self, *keys: str, optional: Iterable[str] = ()) -> dict[str, _Value]:
        """An object with exactly these keys, and perhaps the optional ones."""
        found = self.mapping()
        for key in keys:
            _shape(key in found, self.place, f"key {key!r} is missing")
        for key in found:
            _shape(key in keys or key in optional, self.place, f"unexpected key {_show(key)}")
        return {key: self.get(key) for key in found}

    def items(self, length: int | None = None) -> Iterator[_Value]:
        """The entries of a list, one at a time."""
        if type(self.value) is not list or (length is not None and len(self.value) != length):
            self.expected("a list" if length is None else f"a list of {length}")
        for index, entry in enumerate(self.value):
            self.run.tick()
            yield _Value(entry, f"{self.place}[{index}]", self.run)

    def text(self, pattern: str, what: str) -> re.Match[str]:
        match = re.fullmatch(pattern, self.value) if type(self.value) is str else None
        if match is None:
            self.expected(what)
        return match

    def word(self, *allowed: str) -> str:
        if type(self.value) is not str or self.value not in allowed:
            self.expected(" or ".join(allowed))
        return self.value

    def integer(self, low: int = 0, high: int = 2**63) -> int:
        """A JSON integer in [low, high); true and false are none."""
        if type(self.value) is not int or not low <= self.value < high:
            self.expected(f"an integer from {low} to {high - 1}")
        return self.value

    def indices(self, length: int, bound: int) -> list[int]:
        """``length`` distinct indices below ``bound``."""
        found = [entry.integer(0, bound) for entry in self.items()]
        _prove(len(found) == length, self.place, f"{length} indices are needed, found {len(found)}")
        _prove(len(set(found)) == length, self.place, "the indices are not distinct")
        return found

    def digits(self, text: str) -> int:
        """``int(text)``, in pieces that are shorter than any limit of Python's own."""
        digits, value = text.removeprefix("-"), 0
        _shape(len(digits) <= MAX_DIGITS, self.place, f"a number of {len(digits)} digits, more than {MAX_DIGITS}")
        for piece in re.findall("[0-9]{1,500}", digits):
            value = value * 10 ** len(piece) + int(piece)
        return value if digits == text else -value

    def number(self) -> Fraction:
        """A number (1): an integer or a reduced fraction, as a string."""
        match = self.text(r"(0|-?[1-9][0-9]*)(?:/([1-9][0-9]*))?", 'a number such as "-3" or "7/16"')
        top, bottom = self.digits(match[1]), self.digits(match[2] or "1")
        _shape(not match[2] or (bottom > 1 == math.gcd(top, bottom)), self.place, "the fraction is not reduced")
        return Fraction(top, bottom)

    def numbers(self, length: int) -> Point:
        return [entry.number() for entry in self.items(length)]

    def nonzero(self) -> int:
        """A nonzero integer as a string."""
        return self.digits(self.text("-?[1-9][0-9]*", 'a nonzero integer such as "-3"')[0])


# ----------------------------------------------------------------------------------------------- exact arithmetic


def _is_prime(n: int) -> bool:
    """Miller-Rabin with the first twelve primes as bases: exact below 3.1e23."""
    bases = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)
    if any(n % b == 0 for b in bases):
        return n in bases
    twos = ((n - 1) & -(n - 1)).bit_length() - 1
    for base in bases:
        x = pow(base, (n - 1) >> twos, n)
        if x != 1 and all(pow(x, 2**i, n) != n - 1 for i in range(twos)):
            return False
    return True


def _singular(matrix: list[list[int]], prime: int, run: _Run) -> bool:
    """Whether a square matrix is singular modulo a prime."""
    while matrix:
        run.tick()
        matrix.sort(key=lambda row: row[0] == 0)  # a row that can be the pivot first, if there is one
        (head, *pivot), *rows = matrix
        if head == 0:
            return True
        inverse = pow(head, -1, prime)
        tail = [entry * inverse % prime for entry in pivot]
        matrix = [[(a - x * b) % prime for a, b in zip(row, tail, strict=True)] if x else row for x, *row in rows]
    return False


def _rank(rows: Iterable[Form], run: _Run) -> int:
    """Rank over Q of integer rows, which are kept primitive so that they stay small."""
    basis: list[tuple[int, Form]] = []
    for row in rows:
        for column, pivot in basis:
            row = run.combine([(pivot[column], row), (-row[column], pivot)], len(row))
            _prove(max(x.bit_length() for x in row) <= MAX_BITS, "rank", "the numbers are too large to check")
            divisor = math.gcd(*row) or 1
            row = tuple(x // divisor for x in row)
        if any(row):
            basis.append((next(c for c, x in enumerate(row) if x), row))
    return len(basis)


# ----------------------------------------------------------------------------------------------------- networks


class _Network:
    """A network (1), validated, with its layers as integers.

    ``sizes`` (n_0, ..., n_d); ``rows[l]`` the augmented matrix A^{l+1} over Q, ``scales[l]`` its common denominator,
    ``layers[l]`` their product; ``relu_layers`` how many layers have a ReLU; ``positions`` (layer, neuron, column) of
    each parameter, where the last column is the bias.
    """

    def __init__(self, value: _Value) -> None:
        self.run = value.run
        parts = value.object("format", "version", "architecture", "output_activation", "layers")
        parts["format"].word("exactfd-network")
        parts["version"].integer(1, 2)
        self.relu_output = parts["output_activation"].word("identity", "relu") == "relu"
        self.sizes = [size.integer(1, 2**31) for size in parts["architecture"].items()]
        where, self.depth = parts["architecture"].place, len(self.sizes) - 1
        _shape(self.depth >= 1, where, "fewer than two sizes")
        self.parameters = sum(n * (m + 1) for m, n in itertools.pairwise(self.sizes))  # D
        _shape(self.parameters <= MAX_PARAMETERS, where, f"more than {MAX_PARAMETERS} parameters")
        self.upper_bound = self.parameters - sum(self.sizes[1:-1])  # D'
        self.relu_layers = self.depth if self.relu_output else self.depth - 1
        self.positions: list[tuple[int, int, int]] = []
        self.rows: list[list[Point]] = []
        self.scales: list[int] = []
        self.layers: list[list[Form]] = []
        self.bits = 0  # the size of the forms after the last layer
        for number, layer in enumerate(parts["layers"].items(self.depth)):
            self._read(number, layer)
        text = json.dumps(value.value, sort_keys=True, separators=(",", ":"))
        self.digest = hashlib.sha256(text.encode()).hexdigest()
        self.name = f"network sha256:{self.digest}"

    def _read(self, number: int, value: _Value) -> None:
        """One layer, over Q and as integers."""
        parts, (m, n) = value.object("weight", "bias"), self.sizes[number : number + 2]
        pairs = zip(parts["weight"].items(n), parts["bias"].items(n), strict=True)
        rows = [[*weights.numbers(m), bias.number()] for weights, bias in pairs]
        self.rows.append(rows)
        self.positions += itertools.product([number], range(n), range(m + 1))
        scale = 1
        for entry in itertools.chain(*rows):
            self.run.tick()
            scale = math.lcm(scale, entry.denominator)
            fits = scale.bit_length() <= MAX_BITS and scale.bit_length() // 8 * self.parameters <= MAX_MEMORY
            _prove(fits, value.place, "the common denominator is too large to check")
        layer = []
        for row in rows:
            self.run.tick()
            layer.append(tuple(x.numerator * (scale // x.denominator) for x in row))
        largest = max(scale, *(abs(x) for row in layer for x in row))
        self.scales.append(scale)
        self.layers.append(layer)
        self.bits += largest.bit_length() + m.bit_length()

    def afford(self, width: int, bits: int, step: str) -> None:
        """Refuse forms of this width, made from inputs of so many bits, that memory may not hold."""
        numbers = (sum(self.sizes) + len(self.sizes)) * (width + self.sizes[-1])
        fits = self.bits + bits <= MAX_BITS and numbers * (40 + (self.bits + bits) // 8) <= MAX_MEMORY
        _prove(fits, step, "the network, or its numbers, are too large to check")

    def affine(self, layer: int, inputs: list[Form]) -> list[Form]:
        """The pre-activations of a layer, and then the constant, from the forms that enter it (2.4)."""
        constant = inputs[-1]
        values = [self.run.combine(zip(row, inputs, strict=True), len(constant)) for row in self.layers[layer]]
        return [*values, tuple(self.scales[layer] * entry for entry in constant)]

    def trace(self, forms: list[Form], labels: list[list[int]] | None = None) -> Trace:
        """Evaluate on the cell with these labels (2.4) or, without them, at a point."""
        inputs, signs = [forms], []
        for layer in range(self.depth):
            forms = self.affine(layer, forms)
            if layer < self.relu_layers:
                signs.append(labels[layer] if labels else [(z > 0) - (z < 0) for (z,) in forms[:-1]])
                forms = _masked(forms, signs[layer])
            inputs.append(forms)
        return inputs, signs

    def at(self, point: Point, step: str) -> Trace:
        """Evaluate at a rational point."""
        longest = max(max(abs(x.numerator), x.denominator).bit_length() for x in point)
        self.afford(1, (len(point) + 1) * longest, step)
        scale = math.lcm(*(x.denominator for x in point))
        return self.trace([*((x.numerator * (scale // x.denominator),) for x in point), (scale,)])

    def slopes(self, labels: list[list[int]]) -> list[list[Form]]:
        """For each layer the columns of q_l L^l, one per neuron (2.4).

        The entry of the Jacobian for output o and parameter (l, i, k) is entry o of column i times form k of those
        that enter layer l, divided by q_1 ... q_d.
        """
        n, zero = self.sizes[-1], (0,) * self.sizes[-1]
        columns: list[Form] = [tuple(int(o == i) for o in range(n)) for i in range(n)]
        if self.relu_output:
            columns = _masked([*columns, zero], labels[-1])[:-1]
        result: list[list[Form]] = []
        for layer in reversed(range(self.depth)):
            result.append([self.run.combine([(self.scales[layer], column)], n) for column in columns])
            earlier = zip(zip(*self.layers[layer], strict=True), labels[layer - 1] if layer else (), strict=False)
            columns = [self.run.combine(zip(w, columns, strict=True), n) if s == 1 else zero for w, s in earlier]
        return result[::-1]

    def annihilated(self, vector: Vector, inputs: list[list[Form]], slopes: list[list[Form]], step: str) -> bool:
        """Whether all coefficient rows of the Jacobian are orthogonal to the vector (2.4)."""
        width = len(inputs[0][-1])
        longest = max(abs(factor).bit_length() for entries in vector.values() for factor, _ in entries)
        self.afford(width, longest + max(abs(x).bit_length() for form in inputs[0] for x in form), step)
        totals = [(0,) * width] * self.sizes[-1]
        for (layer, neuron), entries in vector.items():
            slope = slopes[layer][neuron]
            if any(slope):
                change = self.run.combine(((factor, inputs[layer][k]) for factor, k in entries), width)
                totals = [
                    self.run.combine([(1, old), (s, change)], width) for s, old in zip(slope, totals, strict=True)
                ]
        return not any(map(any, totals))

    def same(self, here: Trace, there: Trace) -> bool:
        """Whether two networks have the same outputs; the last form is the constant 1 in the scale of the others."""
        *first, (*_, a) = here[0][-1]
        *second, (*_, b) = there[0][-1]
        pairs = zip(first, second, strict=True)
        return not any(any(self.run.combine([(b, f), (-a, g)], len(f))) for f, g in pairs)


def _masked(forms: list[Form], labels: list[int]) -> list[Form]:
    """What a layer with a ReLU passes on: the neurons with label 1, and the constant (2.4)."""
    *neurons, constant = forms
    zero = (0,) * len(constant)
    return [*(form if s == 1 else zero for form, s in zip(neurons, labels, strict=True)), constant]


def _is_smooth(labels: list[list[int]]) -> bool:
    """Whether only layers before one that has no other labels than -1 hold a label 0 (2.1)."""
    dead = max((number for number, layer in enumerate(labels) if set(layer) == {-1}), default=0)
    return not any(0 in layer for layer in labels[dead:])


# -------------------------------------------------------------------------------------------------------- trees


class _Tree:
    """A walk over the ReLU neurons of one or two networks (3): labels so far, and the forms that they determine.

    ``possible`` are the labels that matter where a neuron is not identically zero: all of them, or 1 and -1 in mode
    "open"; only trees in mode "open" have a box.
    """

    def __init__(self, networks: list[_Network], mode: str, nodes: _Value, box: list[Point] | None = None) -> None:
        self.networks, self.nodes, self.run = networks, nodes, nodes.run
        self.possible = (1, -1) if mode == "open" else (1, 0, -1)
        self.box = box or [[], []]
        self.labels: list[int] = []
        self.forms: list[tuple[Form, int]] = []  # of each neuron so far, and the rest of its layer, with the scale
        self.layers: dict[int, tuple[_Network, int]] = {}  # by the first neuron of each ReLU layer
        self.bounds: list[list[int]] = []  # first neuron of each ReLU layer of each network, then the end
        self.size = 0  # N
        for network in networks:
            network.afford(network.sizes[0] + 1, 1, nodes.place)
            bounds = list(itertools.accumulate(network.sizes[1 : network.relu_layers + 1], initial=self.size))
            self.layers.update((start, (network, layer)) for layer, start in enumerate(bounds[:-1]))
            self.bounds.append(bounds)
            self.size = bounds[-1]
        self.width = networks[0].sizes[0] + 1
        self.identity: list[Form] = [tuple(int(i == k) for i in range(self.width)) for k in range(self.width)]

    def trace(self, which: int) -> Trace:
        """One of the networks on the cell of a leaf."""
        labels = [self.labels[start:stop] for start, stop in itertools.pairwise(self.bounds[which])]
        return self.networks[which].trace(self.identity, labels)

    def walk(self) -> Iterator[_Value]:
        """Check every inner node; give every leaf, with the state of the walk set to it."""
        pending = [(0, 0)]  # (depth, label that leads there) of the nodes to come, the next one last
        for node in self.nodes.items():
            _prove(bool(pending), node.place, "a node after the end of the tree")
            depth, label = pending.pop()
            if depth:
                self.labels[depth - 1 :] = [label]
            if depth in self.layers:  # all neurons of a layer at once: their forms depend on earlier layers only
                *forms, constant = self._enter(depth)
                self.forms[depth:] = [(form, constant[-1]) for form in forms]
            self.run.steps += 1
            if depth == self.size:
                yield node
            else:
                pending += [(depth + 1, child) for child in reversed(self._children(node))]
        _prove(not pending, self.nodes.place, f"the tree ends with {len(pending)} nodes missing")

    def _enter(self, depth: int) -> list[Form]:
        """The forms of the layer that starts with this neuron, and the constant."""
        network, layer = self.layers[depth]
        inputs = self.identity
        if layer:
            forms, scales = zip(*self.forms[depth - network.sizes[layer] : depth], strict=True)
            constant = tuple(scales[0] * entry for entry in self.identity[-1])
            inputs = _masked([*forms, constant], self.labels[depth - len(forms) :])
        return network.affine(layer, inputs)

    def _children(self, node: _Value) -> list[int]:
        """The labels of the children of an inner node; every other label is refuted."""
        parts = node.object("children", optional=["refute"])
        refute = parts["refute"].object(optional=["1", "0", "-1"]) if "refute" in parts else {}
        children = [child.integer(-1, 2) for child in parts["children"].items()]
        _shape(len(set(children)) == len(children), parts["children"].place, "a label occurs twice")
        neuron = len(self.labels)
        if not any(self.forms[neuron][0]):
            only_zero = children == [0] and "refute" not in parts
            _prove(only_zero, node.place, f"neuron {neuron} is identically zero, so 0 is the only child")
            return children
        for label in (1, 0, -1):
            found, needed = (label in children) + (str(label) in refute), int(label in self.possible)
            what = "neither a child nor refuted" if found < needed else "a child or refuted once too often"
            _prove(found == needed, node.place, f"label {label} of neuron {neuron} is {what}")
        for key, multipliers in refute.items():
            self._refute(int(key), multipliers)
        return children

    def _refute(self, label: int, multipliers: _Value) -> None:
        """The conditions of the node contradict that the next neuron has this label (Farkas)."""
        terms, strict, common = [], False, 1
        for key, value in multipliers.mapping().items():
            self.run.tick()
            multiplier = _Value(value, f"{multipliers.place}[{_show(key)}]", self.run)
            factor = multiplier.nonzero()
            sign, form, scale = self._condition(key, label, multipliers.place)
            _prove(sign == 0 or factor > 0, multiplier.place, "a negative multiplier of an inequality")
            strict = strict or sign != 0
            terms.append((factor * (sign or 1), form, scale))
            common = math.lcm(common, scale)
            fits = common.bit_length() <= MAX_BITS and self.width * common.bit_length() // 8 <= MAX_MEMORY
            _prove(fits, multipliers.place, "the combination is too large to check")
        same_scale = ((factor * (common // scale), form) for factor, form, scale in terms)
        *gradient, gamma = self.run.combine(same_scale, self.width)
        _prove(not any(gradient), multipliers.place, "the combination is not constant")
        # the combination is > 0 if an inequality occurs (all are strict), and 0 otherwise
        _prove(gamma <= 0 if strict else gamma != 0, multipliers.place, "the combination is no contradiction")
        self.run.steps += 1

    def _condition(self, key: str, label: int, place: str) -> tuple[int, Form, int]:
        """(s, f, scale): the condition s f > 0 when s is 1 or -1, and f = 0 when s = 0; f is scaled."""
        known = 'only keys such as "3", "lo 0" or "hi 1"'
        match = _Value(key, place, self.run).text("(lo |hi |)(0|[1-9][0-9]{0,17})", known)
        wall, j, neuron = match[1], int(match[2]), len(self.labels)
        if not wall:
            _prove(j <= neuron, place, f"a multiplier of neuron {j}, which comes after neuron {neuron}")
            return (self.labels[j] if j < neuron else label, *self.forms[j])
        bounds = self.box[wall == "hi "]
        _prove(j < len(bounds), place, f"there is no wall {key!r}")
        # x_j - lo_j > 0 and -(x_j - hi_j) > 0
        form = (*(bounds[j].denominator * x for x in self.identity[j][:-1]), -bounds[j].numerator)
        return (1 if wall == "lo " else -1), form, bounds[j].denominator


# ------------------------------------------------------------------------------------------------------- claims

_SIDES = {">=": ("lower",), "<=": ("upper",), "==": ("lower", "upper")}  # relation -> parts of the evidence
_Points = list[tuple[str, Point]]  # with their places
_Place = tuple[str, list[list[Form]], list[list[int]]]  # where a Jacobian is looked at, and the trace there


class _Checker:
    """One run over one document."""

    def __init__(self, allow_trust: bool, time_limit: float, progress: Callable[[int], None]) -> None:
        self.run = _Run(time_limit, progress)
        self.allow_trust = allow_trust
        self.claim = ""

    def document(self, value: Any) -> None:
        """A whole document (1, 2)."""
        keys = ("format", "version", "produced_by", "network", "digest", "claim", "evidence")
        parts = _Value(value, "document", self.run).object(*keys)
        parts["format"].word("exactfd-certificate")
        parts["version"].integer(1, 2)
        parts["produced_by"].text("(?s:.*)", "a string")
        self.digest = parts["digest"].text("[0-9a-f]{64}", "64 hexadecimal digits")[0]
        self.network = _Network(parts["network"])
        claims = dict.fromkeys(("batch_rank", "functional_dimension"), self._rank_of_jacobian)
        claims |= {"top_cells": self._cells, "f_vector": self._cells, "function": self._function}
        claims[parts["claim"].get("quantity").word(*claims)](parts["claim"], parts["evidence"])
        proved = self.allow_trust or not self.run.trusted
        _prove(proved, "evidence", f"{self.run.trusted} trusted steps, which nothing proves")

    def _about(self, claim: str) -> None:
        """The claim has been read; is it about this network?"""
        self.claim = claim
        _prove(self.digest == self.network.digest, "digest", f"the network has the digest {self.network.digest}")

    def _trust(self, part: _Value) -> bool:
        trusted = type(part.value) is dict and part.value == {"rule": "trust"}
        self.run.trusted += trusted
        return trusted

    def _points(self, value: _Value) -> _Points:
        return [(point.place, point.numbers(self.network.sizes[0])) for point in value.items()]

    def _smooth_points(self, points: _Points) -> Iterator[_Place]:
        """The network at each point, all of which must be smooth (2.1)."""
        for place, point in points:
            inputs, labels = self.network.at(point, place)
            _prove(_is_smooth(labels), place, "the point is not smooth")
            yield place, inputs, labels

    def _smooth_leaves(self, nodes: _Value) -> Iterator[_Place]:
        """The network on each smooth cell of a tree (2.3)."""
        tree = _Tree([self.network], "open", nodes)
        for leaf in tree.walk():
            leaf.object()
            inputs, labels = tree.trace(0)
            if _is_smooth(labels):
                yield leaf.place, inputs, labels

    def _rank_of_jacobian(self, claim: _Value, evidence: _Value) -> None:
        """``batch_rank`` (with points) and ``functional_dimension`` (2.1, 2.2, 2.3)."""
        batch, top = claim.get("quantity").value == "batch_rank", self.network.upper_bound
        parts = claim.object("quantity", "relation", "value", *(["points"] if batch else []))
        relation, value = parts["relation"].word(*_SIDES), parts["value"].integer()
        points = self._points(parts["points"]) if batch else None
        if points is None:
            subject, bound = "dim_fun(theta)", f" {'<' if value < top else '>'} {top} = D'" if value != top else " = D'"
        else:
            subject, bound = f"rank J Ev_Z(theta) for a batch Z of {len(points)} points", ""
        self._about(f"{subject} {relation.replace('==', '=')} {value}{bound} for {self.network.name}")
        sides = evidence.object(*_SIDES[relation])
        for _ in self._smooth_points(points or []):  # there is no Jacobian elsewhere, whatever the evidence
            pass
        if "lower" in sides and not self._trust(sides["lower"]):
            self._lower(sides["lower"], points, value)
        if "upper" in sides and not self._trust(sides["upper"]):
            self._upper(sides["upper"], points, value)

    def _lower(self, evidence: _Value, points: _Points | None, value: int) -> None:
        """A minor of ``value`` rows that does not vanish modulo a prime (2.1)."""
        network, outputs, place = self.network, self.network.sizes[-1], evidence.place
        parts = evidence.object("rule", "prime", "rows", "columns", *(["points"] if points is None else []))
        parts["rule"].word("minor")
        if points is None:
            points = self._points(parts["points"])
        prime, at_prime = parts["prime"].integer(2, 2**62), parts["prime"].place
        rows = parts["rows"].indices(value, len(points) * outputs)
        columns = [network.positions[c] for c in parts["columns"].indices(value, network.parameters)]
        _prove(value <= MAX_MINOR, place, f"a minor of more than {MAX_MINOR} rows")
        _prove(_is_prime(prime), at_prime, f"{prime} is not prime")
        divides = f"{prime} divides a denominator of"
        _prove(all(scale % prime for scale in network.scales), at_prime, f"{divides} the network")
        wanted: list[list[int]] = [[] for _ in points]  # outputs, by point
        for row in rows:
            wanted[row // outputs].append(row % outputs)
        matrix = []
        for chosen, (where, inputs, labels) in zip(wanted, self._smooth_points(points), strict=True):
            _prove(inputs[0][-1][0] % prime != 0, at_prime, f"{divides} {where}")
            slopes = network.slopes(labels) if chosen else []
            for output in chosen:
                self.run.tick()
                entries = ((slopes[layer][i][output], inputs[layer][k][0]) for layer, i, k in columns)
                matrix.append([slope * value % prime for slope, value in entries])
        _prove(not _singular(matrix, prime, self.run), place, f"the minor vanishes modulo {prime}")
        self.run.steps += 1

    def _upper(self, evidence: _Value, points: _Points | None, value: int) -> None:
        """Rank at most ``value``: at the points (2.2), or everywhere (2.3)."""
        network, everywhere = self.network, points is None
        keys = {"kernel": ["columns", "vectors", *(["tree"] if everywhere else [])], "theory": [], "size": []}
        rule = evidence.get("rule").word("kernel", "theory", *([] if everywhere else ["size"]))
        parts = evidence.object("rule", *keys[rule])
        if rule == "kernel":
            vectors = self._kernel(parts["columns"], parts["vectors"], value)
            cells = self._smooth_leaves(parts["tree"]) if points is None else self._smooth_points(points)
            for at, inputs, labels in cells:
                slopes = network.slopes(labels)
                for number, vector in enumerate(vectors):
                    step = f"{parts['vectors'].place}[{number}]"
                    in_kernel = network.annihilated(vector, inputs, slopes, step)
                    _prove(in_kernel, step, f"not in the kernel of the Jacobian at {at}")
        else:
            rows = len(points or []) * network.sizes[-1]
            bound, what = (rows, "the number of rows") if rule == "size" else (network.upper_bound, "D'")
            _prove(value >= bound, evidence.place, f"{what} is {bound}, above {value}")
            self.run.steps += 1

    def _kernel(self, columns: _Value, vectors: _Value, value: int) -> list[Vector]:
        """Vectors in echelon form, enough of them for rank <= ``value`` (2.2)."""
        found: list[Vector] = []
        count = sum(1 for _ in vectors.items())
        rank = self.network.parameters - count
        _prove(rank <= value, vectors.place, f"{count} vectors leave a rank of {rank}, above {value}")
        order = {column: i for i, column in enumerate(columns.indices(count, self.network.parameters))}
        for number, pairs in enumerate(vectors.items()):
            vector: Vector = {}
            last, first = -1, count  # index before; first of the columns on which the vector is not zero
            for pair in pairs.items():
                entry, factor = pair.items(2)
                index = entry.integer(0, self.network.parameters)
                _shape(index > last, pair.place, "the indices do not increase")
                layer, neuron, k = self.network.positions[index]
                vector.setdefault((layer, neuron), []).append((factor.nonzero(), k))
                last, first = index, min(first, order.get(index, first))
            _prove(first == number, pairs.place, "the vectors are not in echelon form on the columns")
            found.append(vector)
        self.run.steps += count
        return found

    def _cells(self, claim: _Value, evidence: _Value) -> None:
        """``top_cells`` and ``f_vector``: a tree, and a point in every leaf (3)."""
        network, n, box = self.network, self.network.sizes[0], None
        parts = claim.object("quantity", "relation", "value", "box")
        parts["relation"].word("==")
        every = parts["quantity"].value == "f_vector"
        if every:
            _shape(parts["box"].value is None, "claim.box", "expected null")
            value = [count.integer() for count in parts["value"].items(n + 1)]
            what = f"the f-vector ({', '.join(map(str, value))})"
        else:
            value = [0] * n + [parts["value"].integer()]
            what = f"{value[n]} cells of dimension {n}"
            if parts["box"].value is not None:
                box = [corner.numbers(n) for corner in parts["box"].items(2)]
                ordered = all(lo < hi for lo, hi in zip(*box, strict=True))
                _shape(ordered, "claim.box", "a lower bound is not below the upper bound")
                short = ([x if len(x) <= 1000 else "a long number" for x in corner] for corner in parts["box"].value)
                what += f" that meet the inside of the box [({'), ('.join(map(', '.join, short))})]"
        self._about(f"the canonical complex of {network.name} has {what}")
        nodes = evidence.object("tree")["tree"]
        if self._trust(nodes):
            return
        tree, found = _Tree([network], "all" if every else "open", nodes, box), [0] * (n + 1)
        for leaf in tree.walk():
            at = leaf.object("point")["point"]
            point = at.numbers(n)
            inside = not box or all(lo < x < hi for lo, x, hi in zip(box[0], point, box[1], strict=True))
            _prove(inside, at.place, "the point is not inside the box")
            labels = list(itertools.chain(*network.at(point, at.place)[1]))
            _prove(labels == tree.labels, at.place, "the point has other labels than the leaf")
            gradients = (form[:-1] for (form, _), s in zip(tree.forms, labels, strict=True) if s == 0)
            found[n - _rank(gradients, self.run)] += 1
        _prove(found == value, nodes.place, f"the numbers of cells by dimension are {found}")

    def _function(self, claim: _Value, evidence: _Value) -> None:
        """Two networks compute the same function, or different ones (4)."""
        parts = claim.object("quantity", "relation", "other")
        equal = parts["relation"].word("==", "!=") == "=="
        first, other = self.network, _Network(parts["other"])
        fits = (first.sizes[0], first.sizes[-1]) == (other.sizes[0], other.sizes[-1])
        _shape(fits, "claim.other", "the input or output dimensions of the two networks differ")
        self._about(f"{first.name} and {other.name} compute {'the same function' if equal else 'different functions'}")
        kind = "point" if not equal else "tree" if "tree" in evidence.mapping() else "symmetry"
        part = evidence.object(kind)[kind]
        if self._trust(part):
            return
        if kind == "point":
            point = part.object("at")["at"].numbers(first.sizes[0])
            same = first.same(first.at(point, part.place), other.at(point, part.place))
            _prove(not same, part.place, "the two networks have the same value there")
            self.run.steps += 1
        elif kind == "symmetry":
            self._symmetry(part, other)
        else:
            tree = _Tree([first, other], "open", part)
            for leaf in tree.walk():
                leaf.object()
                same = first.same(tree.trace(0), tree.trace(1))
                _prove(same, leaf.place, "the affine maps of the two networks differ")

    def _symmetry(self, evidence: _Value, other: _Network) -> None:
        first, sizes = self.network, self.network.sizes
        parts = evidence.object("permutations", "scales")
        _prove(sizes == other.sizes, evidence.place, "the architectures differ")
        _prove(first.relu_output == other.relu_output, evidence.place, "the output activations differ")
        # by layer, where inputs and outputs stay what they are
        orders, factors = [list(range(n)) for n in sizes], [[Fraction(1)] * n for n in sizes]
        permutations, scales = (parts[key].items(first.depth - 1) for key in ("permutations", "scales"))
        for layer, (permutation, scale) in enumerate(zip(permutations, scales, strict=True), start=1):
            orders[layer] = permutation.indices(sizes[layer], sizes[layer])
            factors[layer] = scale.numbers(sizes[layer])
            _prove(min(factors[layer]) > 0, scale.place, "a scale is not positive")
        for layer, rows in enumerate(other.rows):
            sources, divisors = [*orders[layer], sizes[layer]], [*factors[layer], Fraction(1)]
            for i, row in enumerate(rows):
                image, factor = first.rows[layer][orders[layer + 1][i]], factors[layer + 1][i]
                for j, entry in enumerate(row):
                    self.run.tick()
                    agree = entry * divisors[j] == image[sources[j]] * factor
                    _prove(agree, evidence.place, f"entry {j} of neuron {i} of layer {layer} does not agree")
        self.run.steps += 1


# ---------------------------------------------------------------------------------------------------- interface


def check_document(document: Any, *, allow_trust: bool = False, time_limit: float | None = None) -> Verdict:
    """Check a certificate that is a Python object already; the limit is in seconds (default 3600). Never raises."""
    return _judge(lambda: document, allow_trust, time_limit)


def check_bytes(
    data: bytes,
    *,
    allow_trust: bool = False,
    time_limit: float | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Verdict:
    """Check the contents of a certificate file, compressed or not; ``progress`` is told the steps done, very often."""
    return _judge(lambda: _parse(data), allow_trust, time_limit, progress)


def check_file(path: str | os.PathLike[str], *, allow_trust: bool = False, time_limit: float | None = None) -> Verdict:
    """Check a certificate file; ``-`` is the standard input. A file that cannot be read is malformed."""
    return _judge(lambda: _parse(_read(path)), allow_trust, time_limit)


def _read(path: str | os.PathLike[str]) -> bytes:
    """The contents of a file, and never more than the limit."""
    try:
        with sys.stdin.buffer if path == "-" else open(path, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise _MalformedError("file", f"cannot be read: {_show(str(error))}") from None


def _judge(
    read: Callable[[], Any],
    allow_trust: bool,
    time_limit: float | None,
    progress: Callable[[int], None] = lambda _: None,
) -> Verdict:
    checker = _Checker(allow_trust, TIME_LIMIT if time_limit is None else time_limit, progress)
    reason, malformed = "", False
    try:
        checker.document(read())
    except _MalformedError as error:
        reason, malformed = ": ".join(error.args), True
    except _NotProvedError as error:
        reason = ": ".join(error.args)
    except MemoryError:
        reason = "memory: too little to check this certificate"
    return Verdict(not reason, checker.claim, checker.run.steps, checker.run.trusted, reason, malformed)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and give its exit code."""
    parser = argparse.ArgumentParser(prog="checker", description="Check an exactfd certificate.")
    parser.add_argument("certificate", help="a .json or .json.gz file, or - for the standard input")
    parser.add_argument("--json", action="store_true", help="one JSON document on the standard output")
    parser.add_argument("--allow-trust", action="store_true", help="accept steps that are trusted, not proved")
    parser.add_argument("--time-limit", type=float, metavar="SECONDS", help=f"default {TIME_LIMIT:g}")
    options = parser.parse_args(arguments)
    if options.time_limit is not None and not 0 < options.time_limit < math.inf:
        parser.error("argument --time-limit: not a positive number of seconds")
    try:
        verdict = check_file(options.certificate, allow_trust=options.allow_trust, time_limit=options.time_limit)
    except KeyboardInterrupt:
        return 130
    if options.json:
        print(json.dumps(verdict.to_dict(), indent=2))
    elif verdict.valid:
        print(f"proved: {verdict.claim}\n{verdict.steps} steps checked, {verdict.trusted_steps} trusted")
    elif not verdict.malformed:
        print(f"not proved: {verdict.claim}\n{verdict.reason}")
    if verdict.malformed:
        print(f"{ascii(options.certificate)[1:-1]}: malformed: {verdict.reason}", file=sys.stderr)
    return 3 if verdict.malformed else int(not verdict.valid)


if __name__ == "__main__":
    sys.exit(main())
