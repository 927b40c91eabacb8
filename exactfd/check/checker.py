"""Check a certificate of the format ``exactfd-certificate``, version 1 (docs/certificate-v1.md).

    python checker.py CERTIFICATE [--json] [--allow-trust] [--time-limit SECONDS]

Exit code 0: proved. 1: not proved. 2: usage. 3: malformed.

This file uses Python's standard library only and needs no other file. Comments such as "(2.3)" name the section of the
format that a check implements. Nothing in the file is trusted: labels, affine functions, Jacobians and digests are
recomputed here from the network, in exact arithmetic. The certificate is read as hostile input: sizes are bounded
before work is done, the clock is looked at in every long loop, and nothing recurses.

Arithmetic. Layer l is stored as integers: q_l A^l, where q_l > 0 is its common denominator. Rows of integers that
describe functions of the input after layer l ("forms": one column per input coordinate, then the constant; or a
single column, the value at one point) are then Q_l = q_1 ... q_l times the true ones (times t for a point that is
stored as integers over t). A positive factor changes no sign, no zero and no rank.
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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any, NoReturn

# Limits (5). Beyond the first group a document is malformed; beyond the second a claim is "not proved".
MAX_BYTES = 64 * 2**20  # of the file, and of what it decompresses to
MAX_NESTING = 50
MAX_CONTAINERS = 4_000_000  # lists and objects
MAX_DIGITS = 10_000
MAX_PARAMETERS = 100_000
MAX_MINOR = 3_000  # rows of a minor
MAX_MEMORY = 2**30  # bytes of intermediate integers, estimated beforehand
TIME_LIMIT = 3600.0  # seconds

Form = tuple[int, ...]  # an affine function as integers (coefficients, constant), or its value at a point
Forms = list[Form | None]  # None is the zero function of a masked neuron
_Columns = list[list[list[int] | None]]  # layer, neuron, output: derivatives by pre-activations, None where zero


class _MalformedError(Exception):
    """The document is not of the format: (place, reason)."""


class _NotProvedError(Exception):
    """The evidence does not prove the claim: (step, reason)."""


@dataclass(frozen=True)
class Verdict:
    """What the checker says about a certificate; ``steps`` counts nodes, refutations, vectors, minors and the like."""

    valid: bool
    claim: str = ""
    steps: int = 0
    trusted_steps: int = 0
    reason: str = ""
    malformed: bool = False

    def to_dict(self) -> dict[str, Any]:
        """The same as a dictionary that JSON can hold."""
        return asdict(self)


# ---------------------------------------------------------------------------------------- reading bytes and values


def _malformed(place: str, expected: str, value: Any) -> NoReturn:
    raise _MalformedError(place, f"expected {expected}, found {_show(value)}")


def _show(value: Any) -> str:
    """A short name for a hostile value: never deep, never long, ASCII only."""
    if type(value) is str:
        return ascii(value if len(value) <= 40 else value[:40] + "...")
    if type(value) is int and value.bit_length() > 64:
        return f"an integer of {value.bit_length()} bits"
    if value is None or type(value) in (bool, int, float):
        return repr(value)
    if type(value) is list:
        return f"a list of {len(value)}"
    return "an object" if type(value) is dict else f"a {type(value).__name__}"


def _decompress(data: bytes) -> bytes:
    """Contents of a gzip file of one member, never more than the limit (5)."""
    stream = zlib.decompressobj(wbits=31)
    try:
        text = stream.decompress(data, MAX_BYTES + 1)
    except zlib.error as error:
        raise _MalformedError("gzip", str(error)) from None
    if len(text) > MAX_BYTES:
        raise _MalformedError("document", f"more than {MAX_BYTES} bytes after decompression")
    if not stream.eof or stream.unused_data:
        raise _MalformedError("gzip", "truncated" if not stream.eof else "data after the end of the compressed file")
    return text


def _parse(data: bytes) -> Any:
    """JSON without duplicate keys, floats or long integers (1), within the limits (5)."""
    if len(data) > MAX_BYTES:
        raise _MalformedError("document", f"more than {MAX_BYTES} bytes")
    if data[:2] == b"\x1f\x8b":
        data = _decompress(data)
    # brackets outside of strings, before anything is parsed: + 1 opens, - 1 closes
    plain = re.sub(rb'"[^"]*"', b"", data.replace(rb"\\", b"").replace(rb"\"", b""))
    brackets = re.sub(rb"[^][{}]+", b"", plain)
    if brackets.count(b"[") + brackets.count(b"{") > MAX_CONTAINERS:
        raise _MalformedError("document", f"more than {MAX_CONTAINERS} lists and objects")
    if max(itertools.accumulate(1 if b in b"[{" else -1 for b in brackets), default=0) > MAX_NESTING:
        raise _MalformedError("document", f"nesting deeper than {MAX_NESTING}")
    try:
        text = data.decode("utf-8")
        return json.loads(
            text, object_pairs_hook=_pairs, parse_int=_count, parse_float=_no_float, parse_constant=_no_float
        )
    except UnicodeDecodeError as error:
        raise _MalformedError(f"byte {error.start}", "not UTF-8") from None
    except json.JSONDecodeError as error:
        raise _MalformedError(f"line {error.lineno} column {error.colno}", f"not JSON: {error.msg}") from None


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _MalformedError("document", f"duplicate key {_show(next(k for k in keys if keys.count(k) > 1))}")
    return found


def _count(text: str) -> int:
    if len(text) > 20:
        raise _MalformedError("document", f"a JSON integer of {len(text)} digits; long numbers are strings")
    return int(text)


def _no_float(text: str) -> NoReturn:
    raise _MalformedError("document", f"{_show(text)} is not an integer; numbers are strings")


def _mapping(value: Any, place: str) -> dict[str, Any]:
    """An object; JSON has only strings as keys, a Python dictionary may have others."""
    if type(value) is not dict or any(type(key) is not str for key in value):
        _malformed(place, "an object", value)
    found: dict[str, Any] = value
    return found


def _object(value: Any, place: str, *keys: str, optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """An object with exactly these keys, and perhaps optional ones."""
    for key in keys:
        if key not in _mapping(value, place):
            raise _MalformedError(place, f"key {key!r} is missing")
    for key in _mapping(value, place):
        if key not in keys and key not in optional:
            raise _MalformedError(place, f"unexpected key {_show(key)}")
    return value


def _list(value: Any, place: str, length: int | None = None) -> list[Any]:
    if type(value) is not list or (length is not None and len(value) != length):
        _malformed(place, "a list" if length is None else f"a list of {length}", value)
    return value


def _integer(value: Any, place: str, low: int = 0, high: int = 2**63) -> int:
    """A JSON integer in [low, high); true and false are none."""
    if type(value) is not int or not low <= value < high:
        _malformed(place, f"an integer from {low} to {high - 1}", value)
    return value


def _indices(value: Any, place: str, length: int, bound: int) -> list[int]:
    """A list of ``length`` distinct indices below ``bound``."""
    found = [_integer(entry, f"{place}[{i}]", 0, bound) for i, entry in enumerate(_list(value, place))]
    if len(found) != length:
        raise _NotProvedError(place, f"{length} indices are needed, found {len(found)}")
    if len(set(found)) < length:
        raise _NotProvedError(place, "the indices are not distinct")
    return found


def _word(value: Any, place: str, *allowed: str) -> str:
    if type(value) is not str or value not in allowed:
        _malformed(place, " or ".join(allowed), value)
    return value


_INTEGER = re.compile(r"0|-?[1-9][0-9]*")
_NUMBER = re.compile(r"(0|-?[1-9][0-9]*)(?:/([1-9][0-9]*))?")


def _digits(text: str, place: str) -> int:
    """``int(text)``, in pieces that are shorter than any limit of Python's own."""
    digits = text.removeprefix("-")
    if len(digits) > MAX_DIGITS:
        raise _MalformedError(place, f"a number of {len(digits)} digits; at most {MAX_DIGITS} are allowed")
    value = 0
    for start in range(0, len(digits), 500):
        piece = digits[start : start + 500]
        value = value * 10 ** len(piece) + int(piece)
    return value if digits == text else -value


def _number(value: Any, place: str) -> Fraction:
    """A number (1): an integer or a reduced fraction, as a string."""
    match = _NUMBER.fullmatch(value) if type(value) is str else None
    if match is None:
        _malformed(place, 'a number such as "-3" or "7/16"', value)
    top, bottom = _digits(match[1], place), _digits(match[2] or "1", place)
    if match[2] and (bottom == 1 or math.gcd(top, bottom) > 1):
        raise _MalformedError(place, "the fraction is not reduced")
    return Fraction(top, bottom)


def _nonzero(value: Any, place: str) -> int:
    """A nonzero integer as a string."""
    if type(value) is not str or value == "0" or not _INTEGER.fullmatch(value):
        _malformed(place, 'a nonzero integer such as "-3"', value)
    return _digits(value, place)


def _numbers(value: Any, place: str, length: int) -> list[Fraction]:
    return [_number(entry, f"{place}[{i}]") for i, entry in enumerate(_list(value, place, length))]


# ----------------------------------------------------------------------------------------------------- networks


class _Clock:
    """Raises when the time is up."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.end = time.monotonic() + limit

    def tick(self) -> None:
        if time.monotonic() > self.end:
            raise _NotProvedError("time limit", f"{self.limit:g} s are over")


class _Network:
    """A network (1), validated, with its layers as integers.

    Attributes: ``sizes`` (n_0, ..., n_d); ``rows[l]`` the augmented matrix A^{l+1} over Q; ``scales[l]`` its common
    denominator q and ``layers[l]`` = q A^{l+1}; ``relu_layers`` how many of the layers have a ReLU.
    """

    def __init__(self, value: Any, place: str, clock: _Clock) -> None:
        _object(value, place, "format", "version", "architecture", "output_activation", "layers")
        _word(value["format"], f"{place}.format", "exactfd-network")
        _integer(value["version"], f"{place}.version", 1, 2)
        self.relu_output = _word(value["output_activation"], f"{place}.output_activation", "identity", "relu") == "relu"
        sizes = _list(value["architecture"], f"{place}.architecture")
        self.sizes = [_integer(n, f"{place}.architecture[{i}]", 1, 2**31) for i, n in enumerate(sizes)]
        if len(self.sizes) < 2:
            raise _MalformedError(f"{place}.architecture", "fewer than two sizes")
        self.starts = [0]  # index in theta of the first parameter of each layer
        for m, n in itertools.pairwise(self.sizes):
            self.starts.append(self.starts[-1] + n * (m + 1))
        self.parameters = self.starts[-1]
        if self.parameters > MAX_PARAMETERS:
            raise _MalformedError(f"{place}.architecture", f"more than {MAX_PARAMETERS} parameters")
        self.depth = len(self.sizes) - 1
        self.upper_bound = self.parameters - sum(self.sizes[1:-1])  # D'
        self.relu_layers = self.depth if self.relu_output else self.depth - 1
        self.rows: list[list[list[Fraction]]] = []
        for number, layer in enumerate(_list(value["layers"], f"{place}.layers", self.depth)):
            here, (m, n) = f"{place}.layers[{number}]", self.sizes[number : number + 2]
            _object(layer, here, "weight", "bias")
            weight = enumerate(_list(layer["weight"], f"{here}.weight", n))
            rows = [_numbers(row, f"{here}.weight[{i}]", m) for i, row in weight]
            bias = _numbers(layer["bias"], f"{here}.bias", n)
            self.rows.append([[*row, constant] for row, constant in zip(rows, bias, strict=True)])
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        self.digest = hashlib.sha256(text.encode("ascii")).hexdigest()
        self._scale(place, clock)

    def _scale(self, place: str, clock: _Clock) -> None:
        self.scales: list[int] = []
        self.layers: list[list[list[int]]] = []
        self.products = [1]  # Q_l
        self.bits = 0  # no form after the last layer has more, its input apart
        memory = 0
        for number, rows in enumerate(self.rows):
            scale, count = 1, self.starts[number + 1] - self.starts[number]
            for entry in itertools.chain(*rows):
                clock.tick()
                scale = math.lcm(scale, entry.denominator)
                if memory + scale.bit_length() // 8 * count > MAX_MEMORY:
                    raise _NotProvedError(f"{place}.layers[{number}]", "the common denominator is too large to check")
            memory += scale.bit_length() // 8 * count
            self.scales.append(scale)
            self.layers.append([[e.numerator * (scale // e.denominator) for e in row] for row in rows])
            self.products.append(self.products[-1] * scale)
            largest = max(max(map(abs, row)) for row in self.layers[-1])
            self.bits += max(largest, scale).bit_length() + self.sizes[number].bit_length()

    def place(self, index: int) -> tuple[int, int, int]:
        """(layer, neuron, column) of a parameter; the last column of a layer is the bias."""
        layer = bisect.bisect_right(self.starts, index) - 1
        return layer, *divmod(index - self.starts[layer], self.sizes[layer] + 1)

    def afford(self, columns: int, bits: int, step: str) -> None:
        """Refuse forms with so many columns, made from numbers of so many bits, that memory may not hold."""
        numbers = (sum(self.sizes) + 1) * (columns + self.sizes[-1])
        if numbers * (40 + (self.bits + bits) // 8) > MAX_MEMORY:
            raise _NotProvedError(step, "the network is too large to check in memory")

    def affine(self, layer: int, inputs: Forms, clock: _Clock) -> list[Form]:
        """The pre-activations of a layer from the functions that enter it (2.4; the last one is the constant)."""
        seen = [(k, form) for k, form in enumerate(inputs) if form is not None]
        result = []
        for row in self.layers[layer]:
            clock.tick()
            total = [0] * len(seen[-1][1])
            for k, form in seen:
                weight = row[k]
                if weight:
                    total = [a + weight * b for a, b in zip(total, form, strict=True)]
            result.append(tuple(total))
        return result

    def masked(self, layer: int, forms: list[Form], labels: list[int], constant: Form) -> tuple[Forms, Form]:
        """What leaves a ReLU layer, and the constant in the scale of this layer (2.4)."""
        constant = tuple(self.scales[layer] * entry for entry in constant)
        return [*(form if s == 1 else None for form, s in zip(forms, labels, strict=True)), constant], constant

    def smooth(self, labels: list[list[int]]) -> bool:
        """Whether every neuron with label 0 is masked by a later ReLU layer whose labels are all -1 (2.1)."""
        dead = [all(s == -1 for s in layer) for layer in labels]
        return all(any(dead[number + 1 :]) for number, layer in enumerate(labels) if 0 in layer)

    def derivatives(self, labels: list[list[int]], clock: _Clock) -> _Columns:
        """For each layer the columns of q_l L^l, one per neuron, None where it is zero (2.4).

        Together with the forms that enter the layer they give the Jacobian, times the positive factor Q_d: the entry
        of output o at (l, i, k) is column i, row o, times form k.
        """
        outputs = range(self.sizes[-1])
        columns: list[list[int] | None] = [[int(o == i) for o in outputs] for i in outputs]
        if self.relu_output:
            columns = [c if s == 1 else None for c, s in zip(columns, labels[-1], strict=True)]
        result: _Columns = []
        for layer in reversed(range(self.depth)):
            scale = self.scales[layer]
            result.append([None if c is None else [scale * entry for entry in c] for c in columns])
            if layer == 0:
                break
            seen = [(row, column) for row, column in zip(self.layers[layer], columns, strict=True) if column]
            columns = []
            for k, label in enumerate(labels[layer - 1]):
                clock.tick()
                total = [0 for _ in outputs]
                for row, column in seen if label == 1 else ():
                    weight = row[k]
                    if weight:
                        total = [a + weight * b for a, b in zip(total, column, strict=True)]
                columns.append(total if any(total) else None)
        return result[::-1]

    def at(self, point: list[Fraction], step: str, clock: _Clock) -> _Trace:
        """Evaluate at a rational point, as integers over a common denominator."""
        longest = max(max(abs(x.numerator), x.denominator).bit_length() for x in point)
        self.afford(1, (len(point) + 1) * longest, step)
        scale = math.lcm(*(x.denominator for x in point))
        constant: Form = (scale,)
        inputs: Forms = [*((x.numerator * (scale // x.denominator),) for x in point), constant]
        entering, labels = [], []
        for layer in range(self.depth):
            entering.append(inputs)
            forms = self.affine(layer, inputs, clock)
            signs = [(z > 0) - (z < 0) for (z,) in forms]
            if layer < self.relu_layers:
                labels.append(signs)
            else:
                signs = [1] * len(signs)  # an affine layer passes everything
            inputs, constant = self.masked(layer, forms, signs, constant)
        values = [Fraction(form[0] if form else 0, constant[0]) for form in inputs[:-1]]
        return _Trace(entering, labels, scale, values)


@dataclass
class _Trace:
    """A network at a point: what enters each layer, the labels, the point's denominator, the outputs."""

    inputs: list[Forms]
    labels: list[list[int]]
    scale: int
    values: list[Fraction]


# A kernel vector: for every row (layer, neuron) that it meets, pairs (column, number).
_Vector = list[tuple[int, int, list[tuple[int, int]]]]


def _annihilated(vector: _Vector, inputs: list[Forms], columns: _Columns, clock: _Clock) -> bool:
    """Whether every coefficient row of the Jacobian is orthogonal to the vector (2.4)."""
    width = len(inputs[0][-1] or ())
    result: dict[int, list[int]] = {}
    for layer, neuron, entries in vector:
        clock.tick()
        column = columns[layer][neuron]
        if column is None:
            continue
        entering, change = inputs[layer], [0] * width
        for k, value in entries:
            form = entering[k]
            if form is not None:
                change = [a + value * b for a, b in zip(change, form, strict=True)]
        for output, slope in enumerate(column):
            if slope:
                total = result.get(output) or [0] * width
                result[output] = [a + slope * b for a, b in zip(total, change, strict=True)]
    return not any(map(any, result.values()))


def _is_prime(n: int) -> bool:
    """Miller-Rabin with the first twelve primes as bases: exact below 3.3e24."""
    bases = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)
    if n < 2 or any(n % b == 0 for b in bases):
        return n in bases
    twos = ((n - 1) & -(n - 1)).bit_length() - 1
    for base in bases:
        x = pow(base, (n - 1) >> twos, n)
        if x != 1 and all(pow(x, 2**i, n) != n - 1 for i in range(twos)):
            return False
    return True


def _singular(matrix: list[list[int]], prime: int, clock: _Clock) -> bool:
    """Whether a square matrix is singular modulo a prime; the matrix is used up."""
    while matrix:
        found = next((i for i, row in enumerate(matrix) if row[0]), None)
        if found is None:
            return True
        pivot = matrix.pop(found)
        inverse = pow(pivot[0], -1, prime)
        tail = [entry * inverse % prime for entry in pivot[1:]]
        for i, row in enumerate(matrix):
            clock.tick()
            factor = row[0]
            matrix[i] = [(a - factor * b) % prime for a, b in zip(row[1:], tail, strict=True)] if factor else row[1:]
    return False


def _rank(rows: Sequence[Sequence[int]], clock: _Clock) -> int:
    """Rank over Q of integer rows, which are kept primitive so that they stay small."""
    basis: list[tuple[int, Sequence[int]]] = []
    for row in rows:
        for column, pivot in basis:
            clock.tick()
            if row[column]:
                a, b = pivot[column], row[column]
                row = [a * x - b * y for x, y in zip(row, pivot, strict=True)]
                divisor = math.gcd(*row) or 1
                row = [x // divisor for x in row]
        if any(row):
            basis.append((next(c for c, x in enumerate(row) if x), row))
    return len(basis)


# -------------------------------------------------------------------------------------------------------- trees


class _Tree:
    """A walk over the neurons of one or two networks (3): the labels so far, and the functions they determine."""

    def __init__(
        self, checker: _Checker, networks: list[_Network], box: list[list[Fraction]] | None, mode: str, place: str
    ) -> None:
        self.checker, self.networks, self.box, self.mode, self.place = checker, networks, box, mode, place
        n = networks[0].sizes[0]
        self.labels: list[int] = []
        self.forms: list[tuple[Form, int]] = []  # of each neuron met so far, with its scale
        self.identity: Forms = [tuple(int(i == k) for i in range(n + 1)) for k in range(n + 1)]
        self.inputs: list[list[Forms]] = [[] for _ in networks]  # what enters each layer
        self.starts: dict[int, tuple[int, int]] = {}  # first neuron of each ReLU layer -> (network, layer)
        self.first: list[list[int]] = []  # first neuron of each ReLU layer of each network, then the end
        self.size = 0
        for which, network in enumerate(networks):
            network.afford(n + 1, 1, place)
            self.first.append([])
            for layer in range(network.relu_layers):
                self.starts[self.size] = which, layer
                self.first[which].append(self.size)
                self.size += network.sizes[layer + 1]
            self.first[which].append(self.size)

    def network_labels(self, which: int) -> list[list[int]]:
        """The labels of one network, layer by layer."""
        return [self.labels[a:b] for a, b in itertools.pairwise(self.first[which])]

    def entering(self, which: int, layer: int) -> Forms:
        """The functions that enter a layer, the labels of the layers before it being known (2.4)."""
        if layer == 0:
            return self.identity
        network, (start, stop) = self.networks[which], self.first[which][layer - 1 : layer + 1]
        constant = self.inputs[which][layer - 1][-1] or ()
        forms = [form for form, _ in self.forms[start:stop]]
        return network.masked(layer - 1, forms, self.labels[start:stop], constant)[0]

    def leaf(self, which: int) -> list[Forms]:
        """At a leaf: what enters each layer of a network and, if its output has a ReLU, what leaves the last one."""
        last = self.networks[which].relu_layers
        return [*self.inputs[which][:last], self.entering(which, last)]

    def walk(self, nodes: Any) -> Iterator[tuple[Any, str]]:
        """Check every inner node; give every leaf and its place, with the state of the walk set to it."""
        pending: list[tuple[int, int]] = [(0, 0)]  # (depth, label that leads there), the next node last
        for index, node in enumerate(_list(nodes, self.place)):
            self.checker.tick()
            place = f"{self.place}[{index}]"
            if not pending:
                raise _NotProvedError(place, "a node after the end of the tree")
            depth, label = pending.pop()
            if depth:
                del self.labels[depth - 1 :]
                self.labels.append(label)
            if depth in self.starts:  # all functions of a layer at once
                which, layer = self.starts[depth]
                network = self.networks[which]
                del self.inputs[which][layer:], self.forms[depth:]
                self.inputs[which].append(self.entering(which, layer))
                forms = network.affine(layer, self.inputs[which][layer], self.checker.clock)
                self.forms.extend((form, network.products[layer + 1]) for form in forms)
            self.checker.steps += 1
            if depth == self.size:
                yield node, place
            else:
                children = self._children(node, place)
                pending.extend((depth + 1, child) for child in reversed(children))
        if pending:
            raise _NotProvedError(self.place, f"the tree ends with {len(pending)} nodes missing")

    def _children(self, node: Any, place: str) -> list[int]:
        """The labels of the children of an inner node; every other label is refuted."""
        _object(node, place, "children", optional=("refute",))
        labels = _list(node["children"], f"{place}.children")
        children = [_integer(s, f"{place}.children[{i}]", -1, 2) for i, s in enumerate(labels)]
        if len(set(children)) < len(children):
            raise _MalformedError(f"{place}.children", "a label occurs twice")
        neuron = len(self.labels)
        if not any(self.forms[neuron][0]):
            if children != [0] or "refute" in node:
                raise _NotProvedError(place, f"neuron {neuron} is identically zero: 0 must be the only child")
            return children
        refute = _mapping(node.get("refute", {}), f"{place}.refute")
        possible = (1, -1) if self.mode == "open" else (1, 0, -1)
        for child in children:
            if child not in possible:
                raise _NotProvedError(place, f"label {child} of neuron {neuron}, which is not identically zero")
        for label in possible:
            if label not in children and str(label) not in refute:
                raise _NotProvedError(place, f"label {label} of neuron {neuron} is neither a child nor refuted")
        for key, multipliers in refute.items():
            if key not in ("1", "0", "-1"):
                raise _MalformedError(f"{place}.refute", f"unexpected key {_show(key)}")
            if int(key) in children or int(key) not in possible:
                raise _NotProvedError(f"{place}.refute", f"label {key} is not one that is left out")
            self._refuted(int(key), multipliers, f"{place}.refute[{key}]")
        return children

    def _refuted(self, label: int, multipliers: Any, place: str) -> None:
        """Check that the conditions of the node and "the next neuron has this label" contradict each other."""
        neuron = len(self.labels)
        sums: dict[int, list[int]] = {}  # scale -> combination of the functions with that scale
        strict = False
        for key, text in _mapping(multipliers, place).items():
            self.checker.tick()
            value = _nonzero(text, f"{place}[{_show(key)}]")
            sign, form, scale = self._condition(key, label, neuron, place)
            if sign:
                strict = True
                if value < 0:
                    raise _NotProvedError(place, f"the multiplier of {key!r} is negative, and its condition strict")
                value *= sign
            total = sums.get(scale) or [0] * len(form)
            sums[scale] = [a + value * b for a, b in zip(total, form, strict=True)]
        common = math.lcm(*sums)
        rows = [[entry * (common // scale) for entry in row] for scale, row in sums.items()]
        *gradient, constant = map(sum, zip(*rows, strict=True)) if rows else [0]
        if any(gradient):
            raise _NotProvedError(place, "the combination is not constant")
        if not (constant < 0 or (constant == 0 and strict) or (constant > 0 and not strict)):
            raise _NotProvedError(place, "the combination is no contradiction")
        self.checker.steps += 1

    def _condition(self, key: str, label: int, neuron: int, place: str) -> tuple[int, Form, int]:
        """(s, f, scale) for the condition s f > 0, or (0, f, scale) for f = 0; f is scale times the true function."""
        if _INTEGER.fullmatch(key) and len(key) < 20:
            j = int(key)
            if not 0 <= j <= neuron:
                raise _NotProvedError(place, f"a multiplier of neuron {j}; only 0 to {neuron} have conditions")
            form, scale = self.forms[j]
            return (self.labels[j] if j < neuron else label), form, scale
        wall = re.fullmatch(r"(lo|hi) (0|[1-9][0-9]{0,18})", key)
        if not wall:
            raise _MalformedError(place, f"unexpected key {_show(key)}")
        i = int(wall[2])
        if self.box is None or i >= len(self.box[0]):
            raise _NotProvedError(place, f"there is no wall {key!r}")
        # x_i - lo_i > 0 and hi_i - x_i > 0, strict: only trees in mode "open" have a box
        bound = self.box[wall[1] == "hi"][i]
        form = tuple(bound.denominator * entry for entry in self.identity[i] or ())
        form = (*form[:-1], -bound.numerator)
        return (1 if wall[1] == "lo" else -1), form, bound.denominator


# ------------------------------------------------------------------------------------------------------- claims


_QUANTITIES = ("batch_rank", "functional_dimension", "top_cells", "f_vector", "function")
_SIDES = {">=": ("lower",), "<=": ("upper",), "==": ("lower", "upper")}  # relation -> parts of the evidence


class _Checker:
    """One run over one document."""

    def __init__(self, allow_trust: bool, time_limit: float) -> None:
        self.clock = _Clock(time_limit)
        self.tick = self.clock.tick
        self.allow_trust = allow_trust
        self.claim = ""
        self.steps = self.trusted = 0

    def document(self, value: Any) -> None:
        """Check a whole document (1, 2)."""
        _object(value, "document", "format", "version", "produced_by", "network", "digest", "claim", "evidence")
        _word(value["format"], "format", "exactfd-certificate")
        _integer(value["version"], "version", 1, 2)
        if type(value["produced_by"]) is not str:
            _malformed("produced_by", "a string", value["produced_by"])
        self.network = _Network(value["network"], "network", self.clock)
        digest = value["digest"]
        if type(digest) is not str or not re.fullmatch("[0-9a-f]{64}", digest):
            _malformed("digest", "64 hexadecimal digits", digest)
        self.digest = digest
        claim, evidence = _mapping(value["claim"], "claim"), value["evidence"]
        quantity = _word(claim.get("quantity"), "claim.quantity", *_QUANTITIES)
        if quantity == "batch_rank":
            self._batch_rank(claim, evidence)
        elif quantity == "functional_dimension":
            self._functional_dimension(claim, evidence)
        elif quantity == "function":
            self._function(claim, evidence)
        else:
            self._cells(claim, evidence, quantity)
        if self.trusted and not self.allow_trust:
            raise _NotProvedError("evidence", f"{self.trusted} trusted steps, which nothing here proves")

    def _about(self, claim: str) -> None:
        """Say what is claimed, once it is read; from here on the evidence counts."""
        self.claim = claim
        if self.digest != self.network.digest:
            raise _NotProvedError("digest", f"the digest of the network is {self.network.digest}")

    def _trust(self, part: Any) -> bool:
        trusted: bool = part == {"rule": "trust"}
        self.trusted += trusted
        return trusted

    def _point(self, value: Any, place: str) -> list[Fraction]:
        return _numbers(value, place, self.network.sizes[0])

    def _points(self, value: Any, place: str) -> list[list[Fraction]]:
        return [self._point(point, f"{place}[{i}]") for i, point in enumerate(_list(value, place))]

    def _smooth(self, point: list[Fraction], place: str) -> _Trace:
        trace = self.network.at(point, place, self.clock)
        if not self.network.smooth(trace.labels):
            raise _NotProvedError(place, "the point is not smooth")
        return trace

    # ------------------------------------------------------------------ ranks (2.1, 2.2, 2.3)

    def _batch_rank(self, claim: dict[str, Any], evidence: Any) -> None:
        _object(claim, "claim", "quantity", "relation", "value", "points")
        relation = _word(claim["relation"], "claim.relation", *_SIDES)
        value = _integer(claim["value"], "claim.value")
        points = self._points(claim["points"], "claim.points")
        batch = f"a batch Z of {len(points)} points"
        self._about(f"rank J Ev_Z(theta) {relation} {value} for {batch} and network sha256:{self.network.digest}")
        parts = _object(evidence, "evidence", *_SIDES[relation])
        for i, point in enumerate(points):  # elsewhere there is no Jacobian
            self._smooth(point, f"claim.points[{i}]")
        if "lower" in parts and not self._trust(parts["lower"]):
            part = _object(parts["lower"], "evidence.lower", "rule", "prime", "rows", "columns")
            self._minor(part, points, "claim.points", value)
        if "upper" in parts and not self._trust(parts["upper"]):
            self._batch_upper(parts["upper"], points, value)

    def _batch_upper(self, part: Any, points: list[list[Fraction]], value: int) -> None:
        place = "evidence.upper"
        rule = _word(_mapping(part, place).get("rule"), f"{place}.rule", "kernel", "size", "theory")
        if rule == "size":
            _object(part, place, "rule")
            if value < len(points) * self.network.sizes[-1]:
                raise _NotProvedError(place, f"there are {len(points) * self.network.sizes[-1]} rows")
            self.steps += 1
        elif rule == "theory":
            self._theory(part, value)
        else:
            vectors = self._kernel(_object(part, place, "rule", "columns", "vectors"), value)
            for i, point in enumerate(points):
                trace = self._smooth(point, f"claim.points[{i}]")
                columns = self.network.derivatives(trace.labels, self.clock)
                self._all_annihilated(vectors, trace.inputs, columns, f"claim.points[{i}]")

    def _functional_dimension(self, claim: dict[str, Any], evidence: Any) -> None:
        network = self.network
        _object(claim, "claim", "quantity", "relation", "value")
        relation = _word(claim["relation"], "claim.relation", *_SIDES)
        value = _integer(claim["value"], "claim.value")
        sign = "<" if value < network.upper_bound else "=" if value == network.upper_bound else ">"
        bound = f"{sign} {network.upper_bound} = D'"
        self._about(
            f"dim_fun(theta) = {value} {bound} for network sha256:{network.digest}"
            if relation == "=="
            else f"dim_fun(theta) {relation} {value} (and {value} {bound}) for network sha256:{network.digest}"
        )
        parts = _object(evidence, "evidence", *_SIDES[relation])
        if "lower" in parts and not self._trust(parts["lower"]):
            place = "evidence.lower"
            part = _object(parts["lower"], place, "rule", "prime", "points", "rows", "columns")
            self._minor(part, self._points(part["points"], f"{place}.points"), f"{place}.points", value)
        if "upper" in parts and not self._trust(parts["upper"]):
            part, place = parts["upper"], "evidence.upper"
            if _word(_mapping(part, place).get("rule"), f"{place}.rule", "kernel", "theory") == "theory":
                self._theory(part, value)
                return
            vectors = self._kernel(_object(part, place, "rule", "columns", "vectors", "tree"), value)
            tree = _Tree(self, [network], None, "open", f"{place}.tree")
            for leaf, here in tree.walk(part["tree"]):
                _object(leaf, here)
                labels = tree.network_labels(0)
                if network.smooth(labels):
                    self._all_annihilated(vectors, tree.leaf(0), network.derivatives(labels, self.clock), here)

    def _theory(self, part: Any, value: int) -> None:
        _object(part, "evidence.upper", "rule")
        if value < self.network.upper_bound:
            raise _NotProvedError("evidence.upper", f"D' = {self.network.upper_bound} is above {value}")
        self.steps += 1

    def _minor(self, part: dict[str, Any], points: list[list[Fraction]], where: str, value: int) -> None:
        """A minor of size ``value`` that does not vanish modulo a prime (2.1)."""
        network, place = self.network, "evidence.lower"
        _word(part["rule"], f"{place}.rule", "minor")
        prime = _integer(part["prime"], f"{place}.prime", 2, 2**62)
        outputs = network.sizes[-1]
        rows = _indices(part["rows"], f"{place}.rows", value, len(points) * outputs)
        columns = [network.place(c) for c in _indices(part["columns"], f"{place}.columns", value, network.parameters)]
        if value > MAX_MINOR:
            raise _NotProvedError(place, f"a minor of more than {MAX_MINOR} rows")
        if not _is_prime(prime):
            raise _NotProvedError(f"{place}.prime", f"{prime} is not prime")
        if any(scale % prime == 0 for scale in network.scales):
            raise _NotProvedError(f"{place}.prime", f"{prime} divides a denominator of the network")
        wanted: dict[int, list[int]] = {}
        for row in rows:
            wanted.setdefault(row // outputs, []).append(row % outputs)
        minor = []
        for i, point in enumerate(points):
            trace = self._smooth(point, f"{where}[{i}]")
            if trace.scale % prime == 0:
                raise _NotProvedError(f"{place}.prime", f"{prime} divides a denominator of {where}[{i}]")
            slopes = network.derivatives(trace.labels, self.clock) if i in wanted else []
            for output in wanted.get(i, ()):
                self.tick()
                entries = []
                for layer, neuron, k in columns:
                    slope, form = slopes[layer][neuron], trace.inputs[layer][k]
                    entries.append(slope[output] * form[0] % prime if slope and form else 0)
                minor.append(entries)
        if _singular(minor, prime, self.clock):
            raise _NotProvedError(place, f"the minor vanishes modulo {prime}")
        self.steps += 1

    def _kernel(self, part: dict[str, Any], value: int) -> list[_Vector]:
        """Independent vectors, enough of them for rank <= value (2.2)."""
        network, place = self.network, "evidence.upper.vectors"
        rows = _list(part["vectors"], place)
        if network.parameters - len(rows) > value:
            raise _NotProvedError(
                place, f"{len(rows)} vectors leave rank {network.parameters - len(rows)}, above {value}"
            )
        columns = _indices(part["columns"], "evidence.upper.columns", len(rows), network.parameters)
        position, vectors = {column: i for i, column in enumerate(columns)}, []
        for number, row in enumerate(rows):
            vector: _Vector = []
            last, first = -1, len(rows)  # index before, first column met
            for i, pair in enumerate(_list(row, f"{place}[{number}]")):
                self.tick()
                here = f"{place}[{number}][{i}]"
                index = _integer(_list(pair, here, 2)[0], here, 0, network.parameters)
                if index <= last:
                    raise _MalformedError(here, "the indices do not increase")
                last = index
                layer, neuron, k = network.place(index)
                if not vector or vector[-1][:2] != (layer, neuron):
                    vector.append((layer, neuron, []))
                vector[-1][2].append((k, _nonzero(pair[1], here)))
                first = min(first, position.get(index, first))
            if first != number:
                raise _NotProvedError(f"{place}[{number}]", "the vectors are not in echelon form on the columns")
            vectors.append(vector)
        self.steps += len(vectors)
        return vectors

    def _all_annihilated(self, vectors: list[_Vector], inputs: list[Forms], columns: _Columns, where: str) -> None:
        for number, vector in enumerate(vectors):
            if not _annihilated(vector, inputs, columns, self.clock):
                raise _NotProvedError(f"evidence.upper.vectors[{number}]", f"is not in the kernel at {where}")

    # ------------------------------------------------------------------ cells (3)

    def _cells(self, claim: dict[str, Any], evidence: Any, quantity: str) -> None:
        network, n = self.network, self.network.sizes[0]
        _object(claim, "claim", "quantity", "relation", "value", "box")
        _word(claim["relation"], "claim.relation", "==")
        box = None
        name = f"the canonical complex of network sha256:{network.digest}"
        if quantity == "f_vector":
            if claim["box"] is not None:
                _malformed("claim.box", "null", claim["box"])
            counts = _list(claim["value"], "claim.value", n + 1)
            value = [_integer(count, f"claim.value[{i}]") for i, count in enumerate(counts)]
            self._about(f"{name} has the f-vector ({', '.join(map(str, value))})")
        else:
            value = [0] * n + [_integer(claim["value"], "claim.value")]
            if claim["box"] is not None:
                box = self._box(claim["box"])
            self._about(f"{name} has {value[n]} cells of dimension {n}" + (" that meet the open box" if box else ""))
        part = _object(evidence, "evidence", "tree")["tree"]
        if self._trust(part):
            return
        tree = _Tree(self, [network], box, "all" if quantity == "f_vector" else "open", "evidence.tree")
        found = [0] * (n + 1)
        for leaf, place in tree.walk(part):
            point = self._point(_object(leaf, place, "point")["point"], f"{place}.point")
            if box and not all(lo < x < hi for lo, x, hi in zip(box[0], point, box[1], strict=True)):
                raise _NotProvedError(f"{place}.point", "the point is not inside the box")
            if list(itertools.chain(*network.at(point, place, self.clock).labels)) != tree.labels:
                raise _NotProvedError(f"{place}.point", "the point has other labels than the leaf")
            equalities = [f[:-1] for (f, _), s in zip(tree.forms, tree.labels, strict=True) if s == 0]
            found[n - _rank(equalities, self.clock)] += 1
        if found != value:
            raise _NotProvedError("evidence.tree", f"cells by dimension: {found}, claimed: {value}")

    def _box(self, value: Any) -> list[list[Fraction]]:
        box = [self._point(side, f"claim.box[{i}]") for i, side in enumerate(_list(value, "claim.box", 2))]
        if not all(lo < hi for lo, hi in zip(*box, strict=True)):
            raise _MalformedError("claim.box", "a lower bound is not below the upper bound")
        return box

    # ------------------------------------------------------------------ functions (4)

    def _function(self, claim: dict[str, Any], evidence: Any) -> None:
        first = self.network
        _object(claim, "claim", "quantity", "relation", "other")
        relation = _word(claim["relation"], "claim.relation", "==", "!=")
        other = _Network(claim["other"], "claim.other", self.clock)
        if (first.sizes[0], first.sizes[-1]) != (other.sizes[0], other.sizes[-1]):
            raise _MalformedError("claim.other", "the networks have other input or output dimensions")
        verb = "compute the same function" if relation == "==" else "compute different functions"
        self._about(f"network sha256:{first.digest} and network sha256:{other.digest} {verb}")
        kind = "point" if relation == "!=" else "tree" if "tree" in _mapping(evidence, "evidence") else "symmetry"
        part = _object(evidence, "evidence", kind)[kind]
        if self._trust(part):
            return
        if kind == "point":
            point = self._point(_object(part, "evidence.point", "at")["at"], "evidence.point.at")
            values = [network.at(point, "evidence.point", self.clock).values for network in (first, other)]
            if values[0] == values[1]:
                raise _NotProvedError("evidence.point", "the two networks have the same value there")
            self.steps += 1
        elif kind == "symmetry":
            self._symmetry(part, other)
        else:
            tree = _Tree(self, [first, other], None, "open", "evidence.tree")
            for leaf, place in tree.walk(part):
                _object(leaf, place)
                if self._affine_map(tree, 0) != self._affine_map(tree, 1):
                    raise _NotProvedError(place, "the two networks have different affine maps on this leaf")

    def _affine_map(self, tree: _Tree, which: int) -> list[list[Fraction]]:
        """The network on a leaf, one row per output (2.4: R^d)."""
        network, inputs = tree.networks[which], tree.leaf(which)
        outputs = inputs[-1][:-1] if network.relu_output else network.affine(network.depth - 1, inputs[-1], self.clock)
        zero = (0,) * (network.sizes[0] + 1)
        return [[Fraction(entry, network.products[-1]) for entry in form or zero] for form in outputs]

    def _symmetry(self, part: Any, other: _Network) -> None:
        first, place = self.network, "evidence.symmetry"
        _object(part, place, "permutations", "scales")
        if first.sizes != other.sizes or first.relu_output != other.relu_output:
            raise _NotProvedError(place, "the networks have different architectures or output activations")
        hidden = first.sizes[1:-1]
        permutations = [list(range(first.sizes[0]))]
        scales = [[Fraction(1)] * first.sizes[0]]
        for i, values in enumerate(_list(part["permutations"], f"{place}.permutations", len(hidden))):
            permutations.append(_indices(values, f"{place}.permutations[{i}]", hidden[i], hidden[i]))
        for i, values in enumerate(_list(part["scales"], f"{place}.scales", len(hidden))):
            scales.append(_numbers(values, f"{place}.scales[{i}]", hidden[i]))
            if min(scales[-1]) <= 0:
                raise _NotProvedError(f"{place}.scales[{i}]", "a scale is not positive")
        permutations.append(list(range(first.sizes[-1])))
        scales.append([Fraction(1)] * first.sizes[-1])
        for layer, rows in enumerate(other.rows):
            sources, divisors = [*permutations[layer], first.sizes[layer]], [*scales[layer], Fraction(1)]
            for i, row in enumerate(rows):
                source, scale = first.rows[layer][permutations[layer + 1][i]], scales[layer + 1][i]
                for j, entry in enumerate(row):
                    self.tick()
                    if entry * divisors[j] != scale * source[sources[j]]:
                        raise _NotProvedError(place, f"layer {layer}, neuron {i}, entry {j} does not agree")
        self.steps += 1


# ------------------------------------------------------------------------------------------------------ interface


def check_document(document: Any, *, allow_trust: bool = False, time_limit: float | None = None) -> Verdict:
    """Check a certificate that is a Python object already. Never raises; the limit is in seconds (default 3600)."""
    return _judge(lambda: document, allow_trust, time_limit)


def check_bytes(data: bytes, *, allow_trust: bool = False, time_limit: float | None = None) -> Verdict:
    """Check the contents of a certificate file, compressed or not."""
    return _judge(lambda: _parse(data), allow_trust, time_limit)


def check_file(path: str | os.PathLike[str], *, allow_trust: bool = False, time_limit: float | None = None) -> Verdict:
    """Check a certificate file; ``-`` is the standard input. A file that cannot be read is malformed."""
    return _judge(lambda: _parse(_read(path)), allow_trust, time_limit)


def _read(path: str | os.PathLike[str]) -> bytes:
    """Contents of a file, and never more than the limit."""
    try:
        if path == "-":
            return sys.stdin.buffer.read(MAX_BYTES + 1)
        with open(path, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise _MalformedError("file", f"cannot be read: {error}") from None


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
        reason = "memory: this machine has too little to check the certificate"
    return Verdict(not reason, checker.claim, checker.steps, checker.trusted, reason, malformed)


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise ValueError
    return value


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit code is 0 proved, 1 not proved, 2 usage, 3 malformed, 130 interrupted."""
    parser = argparse.ArgumentParser(prog="check", description="Check an exactfd certificate.")
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
        trusted = f", {verdict.trusted_steps} TRUSTED" if verdict.trusted_steps else ""
        print(f"proved: {verdict.claim}\n{verdict.steps} steps checked{trusted}")
    elif not verdict.malformed:
        print(f"not proved: {verdict.claim}\n{verdict.reason}")
    if verdict.malformed:
        print(f"{ascii(options.certificate)[1:-1]}: malformed: {verdict.reason}", file=sys.stderr)
    return 3 if verdict.malformed else int(not verdict.valid)


if __name__ == "__main__":
    sys.exit(main())
