"""Check a certificate of the format ``exactfd-certificate``, version 1 (docs/certificate-v1.md).

    python checker.py CERTIFICATE [--json] [--allow-trust] [--time-limit SECONDS]

Exit code 0: proved. 1: not proved. 2: usage. 3: malformed.

This file uses Python's standard library only and needs no other file. Numbers in brackets, (2.3), name the section of
the format that a function implements. Nothing in a certificate is trusted: labels, affine functions, Jacobians and
digests are recomputed here from the network, in exact arithmetic. The file is read as hostile input: sizes are bounded
before work is done, the clock is looked at in every long loop, and nothing recurses.

Arithmetic. Layer l is stored as the integers q_l A^l, where q_l > 0 is its common denominator. A "form" is a row of
integers: an affine function of the input (coefficients, then the constant), or its single value at a point. Forms that
belong to layer l are Q_l = q_1 ... q_l times the true functions (and t times, at a point stored as integers over t). A
positive factor changes no sign, no zero and no rank. The empty form () is the zero function of a masked neuron.
"""

from __future__ import annotations

import argparse
import bisect
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
from typing import Any, NamedTuple, NoReturn

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
Vector = list[tuple[int, int, list[tuple[int, int]]]]


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


# ---------------------------------------------------------------------------------------- reading bytes and values


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


def _expected(place: str, expected: str, value: Any) -> NoReturn:
    raise _MalformedError(place, f"expected {expected}, found {_show(value)}")


def _mapping(value: Any, place: str) -> dict[str, Any]:
    """An object. (Keys of JSON are strings; a Python dictionary may have others.)"""
    if type(value) is not dict or any(type(key) is not str for key in value):
        _expected(place, "an object", value)
    return dict(value)


def _object(value: Any, place: str, *keys: str, optional: str = "") -> dict[str, Any]:
    """An object with exactly these keys, and perhaps the optional one."""
    found = _mapping(value, place)
    for key in keys:
        _shape(key in found, place, f"key {key!r} is missing")
    for key in found:
        _shape(key in keys or (key == optional != ""), place, f"unexpected key {_show(key)}")
    return found


def _list(value: Any, place: str, length: int | None = None) -> list[Any]:
    if type(value) is not list or (length is not None and len(value) != length):
        _expected(place, "a list" if length is None else f"a list of {length}", value)
    return value


def _word(value: Any, place: str, *allowed: str) -> str:
    if type(value) is not str or value not in allowed:
        _expected(place, " or ".join(allowed), value)
    return value


def _integer(value: Any, place: str, low: int = 0, high: int = 2**63) -> int:
    """A JSON integer in [low, high); true and false are none."""
    if type(value) is not int or not low <= value < high:
        _expected(place, f"an integer from {low} to {high - 1}", value)
    return value


def _indices(value: Any, place: str, length: int, bound: int) -> list[int]:
    """``length`` distinct indices below ``bound``."""
    found = [_integer(entry, f"{place}[{i}]", 0, bound) for i, entry in enumerate(_list(value, place))]
    _prove(len(found) == length, place, f"{length} indices are needed, found {len(found)}")
    _prove(len(set(found)) == length, place, "the indices are not distinct")
    return found


_INTEGER = re.compile(r"0|-?[1-9][0-9]*")
_NUMBER = re.compile(r"(0|-?[1-9][0-9]*)(?:/([1-9][0-9]*))?")


def _digits(text: str, place: str) -> int:
    """``int(text)``, in pieces that are shorter than any limit of Python's own."""
    digits = text.removeprefix("-")
    _shape(len(digits) <= MAX_DIGITS, place, f"a number of {len(digits)} digits, more than {MAX_DIGITS}")
    value = 0
    for start in range(0, len(digits), 500):
        piece = digits[start : start + 500]
        value = value * 10 ** len(piece) + int(piece)
    return value if digits == text else -value


def _number(value: Any, place: str) -> Fraction:
    """A number (1): an integer or a reduced fraction, as a string."""
    match = _NUMBER.fullmatch(value) if type(value) is str else None
    if match is None:
        _expected(place, 'a number such as "-3" or "7/16"', value)
    top, bottom = _digits(match[1], place), _digits(match[2] or "1", place)
    _shape(not match[2] or (bottom > 1 == math.gcd(top, bottom)), place, "the fraction is not reduced")
    return Fraction(top, bottom)


def _numbers(value: Any, place: str, length: int) -> Point:
    return [_number(entry, f"{place}[{i}]") for i, entry in enumerate(_list(value, place, length))]


def _nonzero(value: Any, place: str) -> int:
    """A nonzero integer as a string."""
    if type(value) is not str or value == "0" or not _INTEGER.fullmatch(value):
        _expected(place, 'a nonzero integer such as "-3"', value)
    return _digits(value, place)


# ----------------------------------------------------------------------------------------------- exact arithmetic


class _Run:
    """The clock and the counters of one run."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.end = time.monotonic() + limit
        self.steps = self.trusted = 0

    def tick(self) -> None:
        if time.monotonic() > self.end:
            raise _NotProvedError("time limit", f"{self.limit:g} s are over")

    def combine(self, terms: Iterable[tuple[int, Form]], width: int) -> Form:
        """The sum of factor times form; the empty form is zero."""
        self.tick()
        total = [0] * width
        for factor, form in terms:
            if factor and form:
                self.tick()
                total = [a + factor * b for a, b in zip(total, form, strict=True)]
        return tuple(total)


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
    """Whether a square matrix is singular modulo a prime; the matrix is used up."""
    while matrix:
        found = next((i for i, row in enumerate(matrix) if row[0]), None)
        if found is None:
            return True
        pivot = matrix.pop(found)
        inverse = pow(pivot[0], -1, prime)
        tail = [entry * inverse % prime for entry in pivot[1:]]
        for i, row in enumerate(matrix):
            run.tick()
            factor = row[0]
            matrix[i] = [(a - factor * b) % prime for a, b in zip(row[1:], tail, strict=True)] if factor else row[1:]
    return False


def _rank(rows: Iterable[Form], run: _Run) -> int:
    """Rank over Q of integer rows, which are kept primitive so that they stay small."""
    basis: list[tuple[int, Form]] = []
    for row in rows:
        for column, pivot in basis:
            row = run.combine([(pivot[column], row), (-row[column], pivot)], len(row))
            _prove(max(x.bit_length() for x in row) <= MAX_BITS, "rank", "the numbers are too large to check")
            divisor = math.gcd(*row)
            row = tuple(x // divisor for x in row) if divisor else row
        if any(row):
            basis.append((next(c for c, x in enumerate(row) if x), row))
    return len(basis)


# ----------------------------------------------------------------------------------------------------- networks


class _Trace(NamedTuple):
    """A network at a point: what enters each layer, and leaves the last; labels by layer; the point's denominator."""

    inputs: list[list[Form]]
    labels: list[list[int]]
    scale: int


class _Network:
    """A network (1), validated, with its layers as integers.

    ``sizes`` (n_0, ..., n_d); ``rows[l]`` the augmented matrix A^{l+1} over Q, ``scales[l]`` its common denominator,
    ``layers[l]`` their product; ``products[l]`` = Q_l; ``relu_layers`` how many of the layers have a ReLU.
    """

    def __init__(self, value: Any, place: str, run: _Run) -> None:
        self.run = run
        _object(value, place, "format", "version", "architecture", "output_activation", "layers")
        _word(value["format"], f"{place}.format", "exactfd-network")
        _integer(value["version"], f"{place}.version", 1, 2)
        self.relu_output = _word(value["output_activation"], f"{place}.output_activation", "identity", "relu") == "relu"
        where = f"{place}.architecture"
        self.sizes = [_integer(n, f"{where}[{i}]", 1, 2**31) for i, n in enumerate(_list(value["architecture"], where))]
        _shape(len(self.sizes) >= 2, where, "fewer than two sizes")
        self.starts = [0]  # index in theta of the first parameter of each layer
        for m, n in itertools.pairwise(self.sizes):
            self.starts.append(self.starts[-1] + n * (m + 1))
        self.parameters = self.starts[-1]  # D
        _shape(self.parameters <= MAX_PARAMETERS, where, f"more than {MAX_PARAMETERS} parameters")
        self.depth = len(self.sizes) - 1
        self.upper_bound = self.parameters - sum(self.sizes[1:-1])  # D'
        self.relu_layers = self.depth if self.relu_output else self.depth - 1
        self.rows: list[list[Point]] = []
        for number, layer in enumerate(_list(value["layers"], f"{place}.layers", self.depth)):
            here, (m, n) = f"{place}.layers[{number}]", self.sizes[number : number + 2]
            _object(layer, here, "weight", "bias")
            weight = _list(layer["weight"], f"{here}.weight", n)
            rows = [_numbers(row, f"{here}.weight[{i}]", m) for i, row in enumerate(weight)]
            bias = _numbers(layer["bias"], f"{here}.bias", n)
            self.rows.append([[*row, constant] for row, constant in zip(rows, bias, strict=True)])
        text = json.dumps(value, sort_keys=True, separators=(",", ":"))
        self.digest = hashlib.sha256(text.encode("ascii")).hexdigest()
        self.name = f"network sha256:{self.digest}"
        self._to_integers(place)

    def _to_integers(self, place: str) -> None:
        self.scales: list[int] = []
        self.layers: list[list[Form]] = []
        self.products = [1]
        self.bits = memory = 0  # the size of the forms after the last layer; bytes of the integers
        for number, rows in enumerate(self.rows):
            scale, count = 1, self.starts[number + 1] - self.starts[number]
            for entry in itertools.chain(*rows):
                self.run.tick()
                scale = math.lcm(scale, entry.denominator)
                fits = scale.bit_length() <= MAX_BITS and memory + scale.bit_length() // 8 * count <= MAX_MEMORY
                _prove(fits, f"{place}.layers[{number}]", "the common denominator is too large to check")
            memory += scale.bit_length() // 8 * count
            layer = [tuple(x.numerator * (scale // x.denominator) for x in row) for row in rows]
            largest = max(scale, *(abs(x) for row in layer for x in row))
            self.bits += largest.bit_length() + self.sizes[number].bit_length()
            self.scales.append(scale)
            self.layers.append(layer)
            self.products.append(self.products[-1] * scale)
            memory += self.products[-1].bit_length() // 8
            fits = self.products[-1].bit_length() <= MAX_BITS and memory <= MAX_MEMORY
            _prove(fits, f"{place}.layers[{number}]", "the product of the denominators is too large to check")

    def afford(self, width: int, bits: int, step: str) -> None:
        """Refuse forms of this width, made from inputs of so many bits, that memory may not hold."""
        numbers = (sum(self.sizes) + 1) * (width + self.sizes[-1])
        fits = self.bits + bits <= MAX_BITS and numbers * (40 + (self.bits + bits) // 8) <= MAX_MEMORY
        _prove(fits, step, "the network, or its numbers, are too large to check")

    def position(self, index: int) -> tuple[int, int, int]:
        """(layer, neuron, column) of a parameter; the last column of a layer is the bias."""
        layer = bisect.bisect_right(self.starts, index) - 1
        return layer, *divmod(index - self.starts[layer], self.sizes[layer] + 1)

    def affine(self, layer: int, inputs: list[Form]) -> list[Form]:
        """The pre-activations of a layer from the forms that enter it, the last of which is the constant (2.4)."""
        width = len(inputs[-1])
        return [self.run.combine(zip(row, inputs, strict=True), width) for row in self.layers[layer]]

    def masked(self, layer: int, forms: list[Form], labels: list[int], constant: Form) -> list[Form]:
        """What a layer passes on: neurons with label 1, and the constant in the scale of this layer (2.4)."""
        passed: list[Form] = [form if s == 1 else () for form, s in zip(forms, labels, strict=True)]
        return [*passed, tuple(self.scales[layer] * entry for entry in constant)]

    def smooth(self, labels: list[list[int]]) -> bool:
        """Whether every neuron with label 0 is masked: a later ReLU layer has only labels -1 (2.1)."""
        masked = False
        for layer in reversed(labels):
            self.run.tick()
            if 0 in layer and not masked:
                return False
            masked = masked or all(s == -1 for s in layer)
        return True

    def slopes(self, labels: list[list[int]]) -> list[list[Form]]:
        """For each layer the columns of q_l L^l, one per neuron, empty where zero (2.4).

        The entry of the Jacobian for output o and parameter (l, i, k) is entry o of column i times form k of those
        that enter layer l, divided by Q_d.
        """
        n = self.sizes[-1]
        columns: list[Form] = []
        for i in range(n):
            self.run.tick()
            columns.append(tuple(int(o == i) for o in range(n)))
        if self.relu_output:
            columns = [column if s == 1 else () for column, s in zip(columns, labels[-1], strict=True)]
        result: list[list[Form]] = []
        for layer in reversed(range(self.depth)):
            result.append([tuple(self.scales[layer] * entry for entry in column) for column in columns])
            earlier: list[Form] = []
            for k, s in enumerate(labels[layer - 1] if layer else ()):
                terms = zip((row[k] for row in self.layers[layer]), columns, strict=True) if s == 1 else ()
                column = self.run.combine(terms, n)
                earlier.append(column if any(column) else ())
            columns = earlier
        return result[::-1]

    def annihilated(self, vector: Vector, inputs: list[list[Form]], slopes: list[list[Form]]) -> bool:
        """Whether all coefficient rows of the Jacobian are orthogonal to the vector (2.4)."""
        width = len(inputs[0][-1])
        sums: list[Form] = [() for _ in range(self.sizes[-1])]
        for layer, neuron, entries in vector:
            if slopes[layer][neuron]:
                change = self.run.combine(((factor, inputs[layer][k]) for factor, k in entries), width)
                for output, slope in enumerate(slopes[layer][neuron]):
                    if slope:
                        sums[output] = self.run.combine([(1, sums[output]), (slope, change)], width)
        return not any(map(any, sums))

    def at(self, point: Point, step: str) -> _Trace:
        """Evaluate at a rational point."""
        longest = max(max(abs(x.numerator), x.denominator).bit_length() for x in point)
        self.afford(1, (len(point) + 1) * longest, step)
        scale = math.lcm(*(x.denominator for x in point))
        forms: list[Form] = [(x.numerator * (scale // x.denominator),) for x in point]
        forms.append((scale,))
        inputs, labels = [forms], []
        for layer in range(self.depth):
            values = self.affine(layer, forms)
            signs = [(z > 0) - (z < 0) for (z,) in values]
            if layer < self.relu_layers:
                labels.append(signs)
            else:
                signs = [1 for _ in signs]  # an affine layer passes everything
            forms = self.masked(layer, values, signs, forms[-1])
            inputs.append(forms)
        return _Trace(inputs, labels, scale)

    def equal(self, first: list[Form], second: list[Form]) -> bool:
        """Whether forms agree; each list ends with the constant 1, which has the scale of the list."""
        width, a, b = len(first[-1]), first[-1][-1], second[-1][-1]
        both = zip(first, second, strict=True)
        return all(self.run.combine([(b, f), (-a, g)], width) == (0,) * width for f, g in both)


# -------------------------------------------------------------------------------------------------------- trees


class _Tree:
    """A walk over the ReLU neurons of one or two networks (3): labels so far, and the forms that they determine.

    ``mode`` is "open" or "all"; only trees in mode "open" have a box.
    """

    def __init__(self, networks: list[_Network], mode: str, place: str, box: list[Point] | None = None) -> None:
        self.networks, self.mode, self.place, self.box = networks, mode, place, box
        self.run = networks[0].run
        self.labels: list[int] = []
        self.forms: list[tuple[Form, int]] = []  # of each neuron met so far, with the scale
        self.inputs: list[list[list[Form]]] = [[] for _ in networks]  # forms that enter each layer of each network
        self.layers: dict[int, tuple[int, int]] = {}  # first neuron of each ReLU layer -> (network, layer)
        self.bounds: list[list[int]] = []  # first neuron of each ReLU layer of each network, then the end
        self.size = 0  # N
        for which, network in enumerate(networks):
            network.afford(network.sizes[0] + 1, 1, place)
            self.bounds.append([self.size])
            for layer in range(network.relu_layers):
                self.layers[self.size] = which, layer
                self.size += network.sizes[layer + 1]
                self.bounds[which].append(self.size)
        n = networks[0].sizes[0]
        self.identity: list[Form] = [tuple(int(i == k) for i in range(n + 1)) for k in range(n + 1)]

    def layer_labels(self, which: int) -> list[list[int]]:
        """At a leaf, the labels of one network, layer by layer."""
        return [self.labels[start:stop] for start, stop in itertools.pairwise(self.bounds[which])]

    def entering(self, which: int, layer: int) -> list[Form]:
        """The forms that enter a layer (2.4: R^l), the labels of the layers before it being known."""
        if layer == 0:
            return self.identity
        start, stop = self.bounds[which][layer - 1 : layer + 1]
        forms = [form for form, _ in self.forms[start:stop]]
        constant = self.inputs[which][layer - 1][-1]
        return self.networks[which].masked(layer - 1, forms, self.labels[start:stop], constant)

    def leaf_inputs(self, which: int) -> list[list[Form]]:
        """At a leaf, the forms that enter each layer, and those that leave the last one."""
        network, last = self.networks[which], self.networks[which].relu_layers
        inputs = [*self.inputs[which][:last], self.entering(which, last)]
        for layer in range(last, network.depth):  # an affine layer passes everything
            outputs = network.affine(layer, inputs[layer])
            inputs.append(network.masked(layer, outputs, [1 for _ in outputs], inputs[layer][-1]))
        return inputs

    def walk(self, nodes: Any) -> Iterator[tuple[Any, str]]:
        """Check every inner node; give every leaf and its place, with the state of the walk set to it."""
        pending = [(0, 0)]  # (depth, label that leads there) of the nodes to come, the next one last
        for index, node in enumerate(_list(nodes, self.place)):
            self.run.tick()
            place = f"{self.place}[{index}]"
            _prove(bool(pending), place, "a node after the end of the tree")
            depth, label = pending.pop()
            if depth:
                self.labels[depth - 1 :] = [label]
            if depth in self.layers:  # all neurons of a layer at once: their forms depend on earlier layers only
                which, layer = self.layers[depth]
                network = self.networks[which]
                self.inputs[which][layer:] = [self.entering(which, layer)]
                forms = network.affine(layer, self.inputs[which][layer])
                self.forms[depth:] = [(form, network.products[layer + 1]) for form in forms]
            self.run.steps += 1
            if depth == self.size:
                yield node, place
            else:
                pending += [(depth + 1, child) for child in reversed(self._children(node, place))]
        _prove(not pending, self.place, f"the tree ends with {len(pending)} nodes missing")

    def _children(self, node: Any, place: str) -> list[int]:
        """The labels of the children of an inner node; every other label is refuted."""
        found = _object(node, place, "children", optional="refute")
        refute = _mapping(found.get("refute", {}), f"{place}.refute")
        labels = _list(found["children"], f"{place}.children")
        children = [_integer(s, f"{place}.children[{i}]", -1, 2) for i, s in enumerate(labels)]
        _shape(len(set(children)) == len(children), f"{place}.children", "a label occurs twice")
        neuron = len(self.labels)
        if not any(self.forms[neuron][0]):
            only_zero = children == [0] and "refute" not in found
            _prove(only_zero, place, f"neuron {neuron} is identically zero, so 0 is the only child")
            return children
        possible = (1, -1) if self.mode == "open" else (1, 0, -1)
        for child in children:
            _prove(child in possible, place, f"0 is a child, and neuron {neuron} is not identically zero")
        for label in possible:
            covered = label in children or str(label) in refute
            _prove(covered, place, f"label {label} of neuron {neuron} is neither a child nor refuted")
        for key, multipliers in refute.items():
            where = f"{place}.refute[{_show(key)}]"
            _shape(key in ("1", "0", "-1"), where, "not a label")
            _prove(int(key) in possible and int(key) not in children, where, "this label needs no refutation")
            self._refute(int(key), multipliers, where)
        return children

    def _refute(self, label: int, multipliers: Any, place: str) -> None:
        """The conditions of the node contradict that the next neuron has this label (Farkas)."""
        terms: dict[int, list[tuple[int, Form]]] = {}  # by the scale of the forms
        strict = False
        for key, text in _mapping(multipliers, place).items():
            self.run.tick()
            value = _nonzero(text, f"{place}[{_show(key)}]")
            sign, form, scale = self._condition(key, label, place)
            _prove(sign == 0 or value > 0, f"{place}[{_show(key)}]", "a negative multiplier of an inequality")
            strict = strict or sign != 0
            terms.setdefault(scale, []).append((value * (sign or 1), form))
        width, common = len(self.identity), 1
        for scale in terms:
            self.run.tick()
            common = math.lcm(common, scale)
            _prove(common.bit_length() <= MAX_BITS, place, "the common denominator is too large to check")
        fits = width * common.bit_length() // 8 <= MAX_MEMORY
        _prove(fits, place, "the combination is too large to check")
        sums = ((common // scale, self.run.combine(group, width)) for scale, group in terms.items())
        *gradient, gamma = self.run.combine(sums, width)
        _prove(not any(gradient), place, "the combination is not constant")
        # the combination is > 0 if an inequality occurs (all are strict), and 0 otherwise
        _prove(gamma <= 0 if strict else gamma != 0, place, "the combination is no contradiction")
        self.run.steps += 1

    def _condition(self, key: str, label: int, place: str) -> tuple[int, Form, int]:
        """(s, f, scale): the condition s f > 0 when s is 1 or -1, and f = 0 when s = 0; f is scaled."""
        neuron = len(self.labels)
        if key.isascii() and key.isdigit() and str(int(key[:19])) == key:
            j = int(key)
            _prove(j <= neuron, place, f"a multiplier of neuron {j}, which comes after neuron {neuron}")
            return (self.labels[j] if j < neuron else label, *self.forms[j])
        wall = re.fullmatch(r"(lo|hi) (0|[1-9][0-9]{0,17})", key)
        if wall is None:
            raise _MalformedError(place, f"unexpected key {_show(key)}")
        i, box = int(wall[2]), self.box or [[], []]
        _prove(i < len(box[0]), place, f"there is no wall {key!r}")
        # x_i - lo_i > 0 and hi_i - x_i > 0, strict in mode "open"
        bound = box[wall[1] == "hi"][i]
        form = (*(bound.denominator * x for x in self.identity[i][:-1]), -bound.numerator)
        return (1 if wall[1] == "lo" else -1), form, bound.denominator


# ------------------------------------------------------------------------------------------------------- claims

_SIDES = {">=": ("lower",), "<=": ("upper",), "==": ("lower", "upper")}  # relation -> parts of the evidence


class _Checker:
    """One run over one document."""

    def __init__(self, allow_trust: bool, time_limit: float) -> None:
        self.run = _Run(time_limit)
        self.allow_trust = allow_trust
        self.claim = ""

    def document(self, value: Any) -> None:
        """A whole document (1, 2)."""
        _object(value, "document", "format", "version", "produced_by", "network", "digest", "claim", "evidence")
        _word(value["format"], "format", "exactfd-certificate")
        _integer(value["version"], "version", 1, 2)
        _shape(type(value["produced_by"]) is str, "produced_by", "expected a string")
        self.digest = value["digest"]
        is_digest = type(self.digest) is str and re.fullmatch("[0-9a-f]{64}", self.digest) is not None
        _shape(is_digest, "digest", "expected 64 hexadecimal digits")
        self.network = _Network(value["network"], "network", self.run)
        claims = {
            "batch_rank": self._rank_of_jacobian,
            "functional_dimension": self._rank_of_jacobian,
            "top_cells": self._cells,
            "f_vector": self._cells,
            "function": self._function,
        }
        claim = _mapping(value["claim"], "claim")
        claims[_word(claim.get("quantity"), "claim.quantity", *claims)](claim, value["evidence"])
        _prove(
            self.allow_trust or not self.run.trusted,
            "evidence",
            f"{self.run.trusted} trusted steps, which nothing proves",
        )

    def _about(self, claim: str) -> None:
        """The claim has been read; is it about this network?"""
        self.claim = claim
        _prove(self.digest == self.network.digest, "digest", f"the network has the digest {self.network.digest}")

    def _trust(self, part: Any) -> bool:
        trusted = type(part) is dict and part == {"rule": "trust"}
        self.run.trusted += trusted
        return trusted

    def _points(self, value: Any, place: str) -> list[Point]:
        return [_numbers(x, f"{place}[{i}]", self.network.sizes[0]) for i, x in enumerate(_list(value, place))]

    def _smooth(self, point: Point, place: str) -> _Trace:
        trace = self.network.at(point, place)
        _prove(self.network.smooth(trace.labels), place, "the point is not smooth")
        return trace

    def _rank_of_jacobian(self, claim: dict[str, Any], evidence: Any) -> None:
        """``batch_rank`` and ``functional_dimension`` (2.1, 2.2, 2.3)."""
        network, batch = self.network, claim["quantity"] == "batch_rank"
        _object(claim, "claim", "quantity", "relation", "value", *(["points"] if batch else []))
        relation, value = _word(claim["relation"], "claim.relation", *_SIDES), _integer(claim["value"], "claim.value")
        points, where = [], "claim.points"
        if batch:
            points = self._points(claim["points"], where)
            subject, bound = f"rank J Ev_Z(theta) for a batch Z of {len(points)} points", ""
        else:
            top = network.upper_bound
            subject, bound = "dim_fun(theta)", f" {'<' if value < top else '>'} {top} = D'" if value != top else " = D'"
        self._about(f"{subject} {relation.replace('==', '=')} {value}{bound} for {network.name}")
        parts = _object(evidence, "evidence", *_SIDES[relation])
        for i, point in enumerate(points):  # there is no Jacobian elsewhere, whatever the evidence
            self._smooth(point, f"{where}[{i}]")
        if "lower" in parts and not self._trust(parts["lower"]):
            own = [] if batch else ["points"]
            part = _object(parts["lower"], "evidence.lower", "rule", "prime", "rows", "columns", *own)
            if not batch:
                where = "evidence.lower.points"
            self._minor(part, points if batch else self._points(part["points"], where), where, value)
        if "upper" in parts and not self._trust(parts["upper"]):
            self._upper(_mapping(parts["upper"], "evidence.upper"), points if batch else None, value)

    def _minor(self, part: dict[str, Any], points: list[Point], where: str, value: int) -> None:
        """A minor of ``value`` rows that does not vanish modulo a prime (2.1)."""
        network, outputs, place = self.network, self.network.sizes[-1], "evidence.lower"
        _word(part["rule"], f"{place}.rule", "minor")
        prime = _integer(part["prime"], f"{place}.prime", 2, 2**62)
        rows = _indices(part["rows"], f"{place}.rows", value, len(points) * outputs)
        columns = [
            network.position(c) for c in _indices(part["columns"], f"{place}.columns", value, network.parameters)
        ]
        _prove(value <= MAX_MINOR, place, f"a minor of more than {MAX_MINOR} rows")
        _prove(_is_prime(prime), f"{place}.prime", f"{prime} is not prime")
        divides = f"{prime} divides a denominator of"
        _prove(all(scale % prime for scale in network.scales), f"{place}.prime", f"{divides} the network")
        matrix = []
        for i, point in enumerate(points):
            trace = self._smooth(point, f"{where}[{i}]")
            _prove(trace.scale % prime != 0, f"{place}.prime", f"{divides} {where}[{i}]")
            wanted = [row % outputs for row in rows if row // outputs == i]
            slopes = network.slopes(trace.labels) if wanted else []
            for output in wanted:
                self.run.tick()
                entries = ((slopes[layer][neuron], trace.inputs[layer][k]) for layer, neuron, k in columns)
                matrix.append([slope[output] * form[0] % prime if slope and form else 0 for slope, form in entries])
        _prove(not _singular(matrix, prime, self.run), place, f"the minor vanishes modulo {prime}")
        self.run.steps += 1

    def _upper(self, part: dict[str, Any], points: list[Point] | None, value: int) -> None:
        """Rank at most ``value``: at the points (2.2), or everywhere (2.3)."""
        network, place = self.network, "evidence.upper"
        rules = ["kernel", "theory"] if points is None else ["kernel", "theory", "size"]
        rule = _word(part.get("rule"), f"{place}.rule", *rules)
        if rule == "theory":
            _object(part, place, "rule")
            _prove(value >= network.upper_bound, place, f"D' = {network.upper_bound} is above {value}")
            self.run.steps += 1
        elif rule == "size":
            _object(part, place, "rule")
            rows = len(points or ()) * network.sizes[-1]
            _prove(value >= rows, place, f"the Jacobian has {rows} rows")
            self.run.steps += 1
        elif points is None:
            vectors = self._kernel(_object(part, place, "rule", "columns", "vectors", "tree"), value)
            tree = _Tree([network], "open", f"{place}.tree")
            for leaf, where in tree.walk(part["tree"]):
                _object(leaf, where)
                labels = tree.layer_labels(0)
                if network.smooth(labels):
                    self._annihilated(vectors, tree.leaf_inputs(0), labels, where)
        else:
            vectors = self._kernel(_object(part, place, "rule", "columns", "vectors"), value)
            for i, point in enumerate(points):
                trace = self._smooth(point, f"claim.points[{i}]")
                self._annihilated(vectors, trace.inputs, trace.labels, f"claim.points[{i}]")

    def _kernel(self, part: dict[str, Any], value: int) -> list[Vector]:
        """Vectors in echelon form, enough of them for rank <= ``value`` (2.2)."""
        network, place, vectors = self.network, "evidence.upper.vectors", []
        rows = _list(part["vectors"], place)
        rank = network.parameters - len(rows)
        _prove(rank <= value, place, f"{len(rows)} vectors leave a rank of {rank}, above {value}")
        columns = _indices(part["columns"], "evidence.upper.columns", len(rows), network.parameters)
        order = {column: number for number, column in enumerate(columns)}
        for number, row in enumerate(rows):
            vector: Vector = []
            last, first = -1, len(rows)  # index before; first of the columns on which the vector is not zero
            for i, pair in enumerate(_list(row, f"{place}[{number}]")):
                self.run.tick()
                here = f"{place}[{number}][{i}]"
                index = _integer(_list(pair, here, 2)[0], here, 0, network.parameters)
                _shape(index > last, here, "the indices do not increase")
                layer, neuron, k = network.position(index)
                if not vector or vector[-1][:2] != (layer, neuron):
                    vector.append((layer, neuron, []))
                vector[-1][2].append((_nonzero(pair[1], here), k))
                last, first = index, min(first, order.get(index, first))
            _prove(first == number, f"{place}[{number}]", "the vectors are not in echelon form on the columns")
            vectors.append(vector)
        self.run.steps += len(vectors)
        return vectors

    def _annihilated(self, vectors: list[Vector], inputs: list[list[Form]], labels: list[list[int]], at: str) -> None:
        slopes = self.network.slopes(labels)
        for number, vector in enumerate(vectors):
            in_kernel = self.network.annihilated(vector, inputs, slopes)
            _prove(in_kernel, f"evidence.upper.vectors[{number}]", f"not in the kernel of the Jacobian at {at}")

    def _cells(self, claim: dict[str, Any], evidence: Any) -> None:
        """``top_cells`` and ``f_vector``: a tree, and a point in every leaf (3)."""
        network, n, box = self.network, self.network.sizes[0], None
        _object(claim, "claim", "quantity", "relation", "value", "box")
        _word(claim["relation"], "claim.relation", "==")
        if claim["quantity"] == "f_vector":
            _shape(claim["box"] is None, "claim.box", "expected null")
            counts = _list(claim["value"], "claim.value", n + 1)
            value = [_integer(count, f"claim.value[{i}]") for i, count in enumerate(counts)]
            what = f"the f-vector ({', '.join(map(str, value))})"
        else:
            value = [0] * n + [_integer(claim["value"], "claim.value")]
            what = f"{value[n]} cells of dimension {n}"
            if claim["box"] is not None:
                box = self._points(_list(claim["box"], "claim.box", 2), "claim.box")
                ordered = all(lo < hi for lo, hi in zip(*box, strict=True))
                _shape(ordered, "claim.box", "a lower bound is not below the upper bound")
                what += f" that meet the inside of the box [({'), ('.join(', '.join(map(_text, x)) for x in box)})]"
        self._about(f"the canonical complex of {network.name} has {what}")
        nodes = _object(evidence, "evidence", "tree")["tree"]
        if self._trust(nodes):
            return
        tree = _Tree([network], "all" if claim["quantity"] == "f_vector" else "open", "evidence.tree", box)
        found = [0] * (n + 1)
        for leaf, place in tree.walk(nodes):
            point = _numbers(_object(leaf, place, "point")["point"], f"{place}.point", n)
            if box:
                inside = all(lo < x < hi for lo, x, hi in zip(box[0], point, box[1], strict=True))
                _prove(inside, f"{place}.point", "the point is not inside the box")
            labels = list(itertools.chain(*network.at(point, place).labels))
            _prove(labels == tree.labels, f"{place}.point", "the point has other labels than the leaf")
            gradients = (form[:-1] for (form, _), s in zip(tree.forms, labels, strict=True) if s == 0)
            found[n - _rank(gradients, self.run)] += 1
        _prove(found == value, "evidence.tree", f"the numbers of cells by dimension are {found}")

    def _function(self, claim: dict[str, Any], evidence: Any) -> None:
        """Two networks compute the same function, or different ones (4)."""
        _object(claim, "claim", "quantity", "relation", "other")
        equal = _word(claim["relation"], "claim.relation", "==", "!=") == "=="
        first, other = self.network, _Network(claim["other"], "claim.other", self.run)
        fits = (first.sizes[0], first.sizes[-1]) == (other.sizes[0], other.sizes[-1])
        _shape(fits, "claim.other", "the input or output dimensions of the two networks differ")
        self._about(f"{first.name} and {other.name} compute {'the same function' if equal else 'different functions'}")
        kind = "point" if not equal else "tree" if "tree" in _mapping(evidence, "evidence") else "symmetry"
        part, place = _object(evidence, "evidence", kind)[kind], f"evidence.{kind}"
        if self._trust(part):
            return
        if kind == "point":
            point = _numbers(_object(part, place, "at")["at"], f"{place}.at", first.sizes[0])
            same = first.equal(first.at(point, place).inputs[-1], other.at(point, place).inputs[-1])
            _prove(not same, place, "the two networks have the same value there")
            self.run.steps += 1
        elif kind == "symmetry":
            self._symmetry(_object(part, place, "permutations", "scales"), other, place)
        else:
            tree = _Tree([first, other], "open", place)
            for leaf, where in tree.walk(part):
                _object(leaf, where)
                same = first.equal(tree.leaf_inputs(0)[-1], tree.leaf_inputs(1)[-1])
                _prove(same, where, "the affine maps of the two networks differ")

    def _symmetry(self, part: dict[str, Any], other: _Network, place: str) -> None:
        first, hidden = self.network, self.network.sizes[1:-1]
        _prove(first.sizes == other.sizes, place, "the architectures differ")
        _prove(first.relu_output == other.relu_output, place, "the output activations differ")
        # inputs and outputs stay where they are
        permutations, scales = ([list(range(first.sizes[0]))], [[Fraction(1)] * first.sizes[0]])
        for i, values in enumerate(_list(part["permutations"], f"{place}.permutations", len(hidden))):
            permutations.append(_indices(values, f"{place}.permutations[{i}]", hidden[i], hidden[i]))
        for i, values in enumerate(_list(part["scales"], f"{place}.scales", len(hidden))):
            scales.append(_numbers(values, f"{place}.scales[{i}]", hidden[i]))
            _prove(min(scales[-1]) > 0, f"{place}.scales[{i}]", "a scale is not positive")
        permutations.append(list(range(first.sizes[-1])))
        scales.append([Fraction(1)] * first.sizes[-1])
        for layer, rows in enumerate(other.rows):
            sources, divisors = [*permutations[layer], first.sizes[layer]], [*scales[layer], Fraction(1)]
            for i, row in enumerate(rows):
                image, scale = first.rows[layer][permutations[layer + 1][i]], scales[layer + 1][i]
                for j, entry in enumerate(row):
                    self.run.tick()
                    agree = entry * divisors[j] == image[sources[j]] * scale
                    _prove(agree, place, f"entry {j} of neuron {i} of layer {layer} does not agree")
        self.run.steps += 1


def _text(value: Fraction) -> str:
    """A number for a sentence; Python refuses to write very long ones."""
    short = max(abs(value.numerator), value.denominator).bit_length() <= 1000
    return str(value) if short else "a long number"


# ---------------------------------------------------------------------------------------------------- interface


def check_document(document: Any, *, allow_trust: bool = False, time_limit: float | None = None) -> Verdict:
    """Check a certificate that is a Python object already; the limit is in seconds (default 3600). Never raises."""
    return _judge(lambda: document, allow_trust, time_limit)


def check_bytes(data: bytes, *, allow_trust: bool = False, time_limit: float | None = None) -> Verdict:
    """Check the contents of a certificate file, compressed or not."""
    return _judge(lambda: _parse(data), allow_trust, time_limit)


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


def _judge(read: Callable[[], Any], allow_trust: bool, time_limit: float | None) -> Verdict:
    checker = _Checker(allow_trust, TIME_LIMIT if time_limit is None else time_limit)
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


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise ValueError
    return value


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and give its exit code."""
    parser = argparse.ArgumentParser(prog="checker", description="Check an exactfd certificate.")
    parser.add_argument("certificate", help="a .json or .json.gz file, or - for the standard input")
    parser.add_argument("--json", action="store_true", help="one JSON document on the standard output")
    parser.add_argument("--allow-trust", action="store_true", help="accept steps that are trusted, not proved")
    parser.add_argument("--time-limit", type=_seconds, metavar="SECONDS", help=f"default {TIME_LIMIT:g}")
    options = parser.parse_args(arguments)
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
