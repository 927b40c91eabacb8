"""Systematic mutations of a certificate, each of which makes it prove nothing; used by the tests of the checker.

Only mutations that change the meaning are made: multiplying a whole refutation by a positive number, for instance, does
not, and neither does changing a kernel entry in a column in which every Jacobian is zero.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

Mutation = tuple[str, Any]
_IGNORED = {"produced_by"}


def paths(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value, the containers included."""
    if here:
        yield here
    if isinstance(value, dict):
        for key in value:
            yield from paths(value[key], (*here, key))
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from paths(entry, (*here, index))


def at(document: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        document = document[step]
    return document


def changed(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    result = copy.deepcopy(document)
    at(result, path[:-1])[path[-1]] = value
    return result


def without(document: Any, path: tuple[Any, ...]) -> Any:
    result = copy.deepcopy(document)
    del at(result, path[:-1])[path[-1]]
    return result


def _entry_of_a_vector(path: tuple[Any, ...]) -> bool:
    return "vectors" in path and len(path) > path.index("vectors") + 2


def wrong_types(document: Any) -> Iterator[Mutation]:
    """A null, a boolean or a float in the place of anything."""
    for path in paths(document):
        if path[0] in _IGNORED or (path == ("claim", "box") and document["claim"]["box"] is None):
            continue
        for value in (None, True, 1.5):
            yield f"{value!r} at {path}", changed(document, path, value)


def missing_parts(document: Any) -> Iterator[Mutation]:
    """Any key or any element taken away."""
    for path in paths(document):
        # another batch is another claim, which may well be true
        if not _entry_of_a_vector(path) and path[:-1] != ("claim", "points"):
            yield f"without {path}", without(document, path)


def unknown_keys(document: Any) -> Iterator[Mutation]:
    """A key that the format does not know, in every object that is read by key."""
    for path in [(), *paths(document)]:
        if isinstance(at(document, path), dict):
            yield f"unknown key at {path}", changed(document, (*path, "surprise"), "1")


def other_claims(document: Any) -> Iterator[Mutation]:
    """The same evidence for a larger or a smaller number, another relation, another network."""
    claim = document["claim"]
    value = claim.get("value")
    if isinstance(value, int):
        for step in (-1, 1, 2, -value - 1):
            yield f"value {value + step}", changed(document, ("claim", "value"), value + step)
    elif value is not None:
        for index in range(len(value)):
            for step in (-1, 1):
                wrong = [*value[:index], value[index] + step, *value[index + 1 :]]
                yield f"value {wrong}", changed(document, ("claim", "value"), wrong)
        yield "value reversed", changed(document, ("claim", "value"), [*value[::-1], 0][: len(value) + 1])
    for relation in (">=", "<=", "==", "!=", ">", ""):
        if relation != claim["relation"]:
            yield f"relation {relation}", changed(document, ("claim", "relation"), relation)
    for quantity in ("functional_dimension", "batch_rank", "top_cells", "f_vector", "function", "rank"):
        if quantity != claim["quantity"]:
            yield f"quantity {quantity}", changed(document, ("claim", "quantity"), quantity)


def other_networks(document: Any) -> Iterator[Mutation]:
    """One weight changed under the digest of the old network; a digit of the digest."""
    for number, layer in enumerate(document["network"]["layers"]):
        for path in paths(layer):
            text = at(layer, path)
            if isinstance(text, str):
                for new in (f"{text}1", "-" + text.lstrip("-") + "7", "0" if text != "0" else "1"):
                    if new != text:
                        yield (
                            f"layer {number} {path}: {new}",
                            changed(document, ("network", "layers", number, *path), new),
                        )
    digest = document["digest"]
    for index in range(0, len(digest), 7):
        other = "0" if digest[index] != "0" else "1"
        yield f"digest[{index}]", changed(document, ("digest",), digest[:index] + other + digest[index + 1 :])
    activation = document["network"]["output_activation"]
    other = "relu" if activation == "identity" else "identity"
    yield "activation", changed(document, ("network", "output_activation"), other)


def multipliers(document: Any) -> Iterator[Mutation]:
    """Wrong, zero and negative multipliers, refutations that lean on another condition, refutations exchanged."""
    for path in paths(document["evidence"]):
        if len(path) < 3 or path[-2] != "refute":
            continue
        full = ("evidence", *path)
        weights = at(document, full)
        for key, text in weights.items():
            for new in ("0", "-0", f"-{text}", f"{text}/2", f"+{text}", f" {text}", f"0{text}", ""):
                if not (new == f"-{text}" and _only_equalities(document, full)):
                    yield f"{path} {key}: {new}", changed(document, (*full, key), new)
            if len(weights) > 1:  # one condition alone may be multiplied by anything
                yield f"{path} {key} + 1", changed(document, (*full, key), str(int(text) + 1))
            for other in {"-1", "99999", "lo 0", "x", f"0{key}"} - {key}:
                moved = {(other if k == key else k): v for k, v in weights.items()}
                yield f"{path} {key} -> {other}", changed(document, full, moved)


def _only_equalities(document: Any, path: tuple[Any, ...]) -> bool:
    """Refuting label 0 by equalities alone works with both signs."""
    return document["claim"]["quantity"] == "f_vector"


def trees(document: Any) -> Iterator[Mutation]:
    """Children dropped with their subtrees, duplicated, given twice, given other labels; a second tree behind."""
    for path in paths(document["evidence"]):
        if path[-1] != "children":
            continue
        full = ("evidence", *path)
        children = at(document, full)
        yield f"{path} none", changed(document, full, [])
        yield f"{path} twice", changed(document, full, [*children, children[0]])
        yield f"{path} label 2", changed(document, full, [2, *children[1:]])
        tree, index = at(document, full[:-2]), full[-2]
        for number in range(len(children)):
            kept = children[:number] + children[number + 1 :]
            if kept:
                start = index + 1
                for _ in range(number):
                    start = _end(tree, start)
                pruned = tree[:start] + tree[_end(tree, start) :]
                node = {**tree[index], "children": kept}
                yield (
                    f"{path} without child {children[number]}",
                    changed(document, full[:-2], [*pruned[:index], node, *pruned[index + 1 :]]),
                )
    for path in paths(document["evidence"]):
        if path[-1] == "tree":
            tree = at(document["evidence"], path)
            yield "a node too many", changed(document, ("evidence", *path), [*tree, {}])
            yield "the tree twice", changed(document, ("evidence", *path), tree + tree)
            yield "no tree", changed(document, ("evidence", *path), [])


def _end(tree: list[Any], start: int) -> int:
    """Index after the subtree that starts at ``start``."""
    open_nodes, index = 1, start
    while open_nodes:
        open_nodes += len(tree[index].get("children", [])) - 1
        index += 1
    return index


def minors(document: Any) -> Iterator[Mutation]:
    """Primes that are none, rows and columns given twice or out of range."""
    lower = document["evidence"].get("lower")
    if lower is None:
        return
    for prime in (0, 1, 4, -7, 2**61 - 3, lower["prime"] + 1, lower["prime"] ** 2, str(lower["prime"]), 2**89 - 1):
        yield f"prime {prime}", changed(document, ("evidence", "lower", "prime"), prime)
    for part in ("rows", "columns"):
        indices = lower[part]
        for number in range(len(indices)):
            for wrong in (-1, 10**6, indices[number - 1] if len(indices) > 1 else -2):
                new = [*indices[:number], wrong, *indices[number + 1 :]]
                yield f"{part}[{number}] = {wrong}", changed(document, ("evidence", "lower", part), new)


def kernels(document: Any, dead_columns: set[int]) -> Iterator[Mutation]:
    """Kernel entries changed or dropped, vectors exchanged for others, echelon columns broken.

    ``dead_columns`` are the parameters whose column of the Jacobian is zero everywhere: entries there are free.
    """
    upper = document["evidence"].get("upper")
    if upper is None or upper["rule"] != "kernel":
        return
    full = ("evidence", "upper", "vectors")
    for number, vector in enumerate(upper["vectors"]):
        for place, (column, text) in enumerate(vector):
            for wrong in (-1, 10**6, str(column)):
                yield f"vector {number} index {wrong}", changed(document, (*full, number, place), [wrong, text])
            for new in ("0", "1/2", f"{text}.0", "x"):
                yield f"vector {number}[{column}] = {new}", changed(document, (*full, number, place), [column, new])
            if column not in dead_columns and len(vector) > 1:  # one entry alone may be multiplied by anything
                new = str(int(text) * 3)
                yield f"vector {number}[{column}] = {new}", changed(document, (*full, number, place), [column, new])
                yield f"vector {number} without {column}", without(document, (*full, number, place))
        if number:
            previous = upper["vectors"][number - 1]
            yield f"vector {number} again", changed(document, (*full, number), previous)
    for number in range(len(upper["columns"])):
        yield f"column {number}", changed(document, ("evidence", "upper", "columns", number), -1)


def texts(document: Any) -> Iterator[tuple[str, bytes]]:
    """Files that are cut short or are no such document at all."""
    whole = json.dumps(document).encode()
    for parts in range(1, 20):
        yield f"cut at {parts}/20", whole[: len(whole) * parts // 20]
    yield "two documents", whole + whole
    yield "duplicated key", whole.replace(b'"version": 1', b'"version": 1, "version": 1', 1)
    yield "not ASCII JSON", b"\xff\xfe" + whole
    yield "a bomb of brackets", b"[" * 10**5
    yield "a bomb of objects", b'{"a":' * 10**5
    yield "a long number", whole.replace(b'"version": 1', b'"version": ' + b"1" * 10**6, 1)
    yield "a long weight", json.dumps(changed(document, ("network", "layers", 0, "bias", 0), "1" * 10**6)).encode()
    yield "a long digest", json.dumps(changed(document, ("digest",), "a" * 10**6)).encode()
    yield "nothing", b""
    yield "a list", b"[]"


def all_mutations(document: Any, dead_columns: set[int]) -> Iterator[Mutation]:
    """All of them for one document (but for :func:`texts`)."""
    yield from other_claims(document)
    yield from other_networks(document)
    yield from wrong_types(document)
    yield from missing_parts(document)
    yield from unknown_keys(document)
    yield from multipliers(document)
    yield from trees(document)
    yield from minors(document)
    yield from kernels(document, dead_columns)
