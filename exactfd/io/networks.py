"""Network files: JSON of version 1 (``schemas/network-v1.json``)."""

from __future__ import annotations

import json
from typing import Any

from exactfd.errors import InputError, ShapeError
from exactfd.io.documents import Numbers, check_header, check_list, check_object, describe, parse
from exactfd.network import FORMAT, VERSION, Network
from exactfd.rationals import MAX_DIGITS


def read(data: bytes) -> Network:
    """Network of a JSON file. Raises ``InputError`` naming the layer, the row and the column."""
    document = check_header(
        parse(data), FORMAT, VERSION, keys=["layers"], optional=["architecture", "output_activation"]
    )
    activation = document.get("output_activation", "identity")
    if activation not in ("identity", "relu"):
        raise InputError(f'output_activation: expected "identity" or "relu", found {describe(activation)}')
    numbers = Numbers()
    layers = []
    for index, value in enumerate(check_list(document["layers"], "layers", "a list of layers"), start=1):
        layer = check_object(value, f"layer {index}", required=("weight", "bias"))
        weight = numbers.matrix(layer["weight"], f"layer {index}: weight")
        layers.append((weight, numbers.vector(layer["bias"], f"layer {index}: bias")))
    network = Network(layers, output_activation=activation)
    if "architecture" in document:
        _check_architecture(document["architecture"], network.architecture)
    return network


def _check_architecture(claimed: Any, actual: tuple[int, ...]) -> None:
    sizes = check_list(claimed, "architecture", "a list of sizes")
    for index, size in enumerate(sizes):
        if type(size) is not int:
            raise InputError(f"architecture[{index}]: expected an integer, found {describe(size)}")
    if len(sizes) != len(actual):
        raise ShapeError(f"architecture: expected {len(actual)} sizes as the layers have, found {len(sizes)}")
    for index, (size, expected) in enumerate(zip(sizes, actual, strict=True)):
        if size != expected:
            where = f"layer {index} has {expected} neurons" if index else f"layer 1 has {expected} inputs"
            raise ShapeError(f"architecture[{index}]: expected {expected}, since {where}, found {size}")


def dumps(network: Network) -> str:
    """Text of the JSON file, one row of a matrix to a line. :func:`read` gives the same network back.

    >>> network = Network([([[1, 2]], ["1/3"])])
    >>> read(dumps(network).encode()) == network
    True
    """
    document = network.to_dict()
    layers = []
    for index, layer in enumerate(document.pop("layers"), start=1):
        for numeral in (*layer["bias"], *(entry for row in layer["weight"] for entry in row)):
            if len(numeral) > MAX_DIGITS:
                raise InputError(
                    f"layer {index}: a number in a file has at most {MAX_DIGITS} characters, found {len(numeral)}"
                )
        rows = ",\n      ".join(json.dumps(row) for row in layer["weight"])
        layers.append(f'    {{"weight": [\n      {rows}],\n     "bias": {json.dumps(layer["bias"])}}}')
    head = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in document.items())
    return "{\n" + head + ',\n  "layers": [\n' + ",\n".join(layers) + "\n  ]\n}\n"
