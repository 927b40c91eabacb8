"""ONNX models (``.onnx``): a chain of Gemm, MatMul, Add, Relu and Flatten, through the ``onnx`` package."""

from __future__ import annotations

import importlib
import math
from typing import Any

from flint import fmpq

from exactfd.errors import InputError, MissingExtraError, NonFiniteError, ShapeError
from exactfd.io.numpy_arrays import Array, checked
from exactfd.network import Network
from exactfd.rationals import matrix_rows, to_fmpq, vector

_READABLE = "Gemm, MatMul, Add, Relu and Flatten"


def read(data: bytes) -> Network:
    """Network of an ONNX model; weights, biases, ``alpha`` and ``beta`` are taken and multiplied exactly.

    A final ``Relu`` gives ``output_activation="relu"``. Raises ``MissingExtraError`` without the ``onnx`` package,
    ``InputError`` naming the node that is not part of a plain ReLU network.
    """
    try:
        onnx = importlib.import_module("onnx")
        helper = importlib.import_module("onnx.numpy_helper")
    except ImportError:
        raise MissingExtraError("onnx", "onnx", "reading .onnx") from None
    try:
        graph = onnx.load_model_from_string(data).graph
    except Exception:  # protobuf has its own tree of errors
        raise InputError("expected an ONNX model, found other or damaged data") from None
    return _Chain(graph, helper).network()


class _Chain:
    """Walks the nodes in order; they have to form one chain from the input to the output."""

    def __init__(self, graph: Any, helper: Any) -> None:
        if graph.sparse_initializer:
            raise InputError("expected dense initializers, found a sparse one")
        self.graph = graph
        self.helper = helper
        self.constants: dict[str, Any] = {}
        for tensor in graph.initializer:
            if tensor.name in self.constants:
                raise InputError(f"expected every initializer once, found {tensor.name[:40]!r} twice")
            self.constants[tensor.name] = tensor
        self.layers: list[tuple[list[list[fmpq]], list[fmpq]]] = []
        self.rectified = True

    def network(self) -> Network:
        """The layers of the whole chain."""
        inputs = [value.name for value in self.graph.input if value.name not in self.constants]
        if len(inputs) != 1 or len(self.graph.output) != 1:
            raise InputError(
                f"expected a model with one input and one output, found {len(inputs)} and {len(self.graph.output)}"
            )
        current = inputs[0]
        for index, node in enumerate(self.graph.node):
            place = f"node {index} ({node.op_type[:40]!r}, {node.name[:40]!r})"
            step = {"Gemm": self.gemm, "MatMul": self.matmul, "Add": self.add, "Relu": self.relu, "Flatten": flatten}
            if node.op_type not in step or node.domain not in ("", "ai.onnx"):
                raise InputError(f"{place}: expected only {_READABLE}, found {node.op_type[:40]}")
            if list(node.input).count(current) != 1 or len(node.output) != 1:
                raise InputError(f"{place}: expected a chain of nodes, each on the result of the one before")
            if node.op_type in ("Gemm", "MatMul", "Add") and len(node.input) < 2:
                raise InputError(f"{place}: expected two inputs, found {len(node.input)}")
            step[node.op_type](node, current, place)
            current = node.output[0]
        if current != self.graph.output[0].name or not self.layers:
            raise InputError(f"expected a chain of {_READABLE} that ends at the output, found another graph")
        return Network(self.layers, output_activation="relu" if self.rectified else "identity")

    def gemm(self, node: Any, current: str, place: str) -> None:
        """``alpha x W + beta C`` with ``W`` or its transpose."""
        options = attributes(node, place, {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 0})
        if node.input[0] != current or options["transA"]:
            raise InputError(f"{place}: expected the data as the first factor, not transposed")
        weight = self.weight(node.input[1], place, transposed=bool(options["transB"]))
        alpha, beta = to_fmpq(options["alpha"]), to_fmpq(options["beta"])
        bias = [fmpq(0)] * len(weight)
        if len(node.input) > 2 and node.input[2]:
            bias = [beta * value for value in self.bias(node.input[2], place, len(weight))]
        self.affine([[alpha * value for value in row] for row in weight], bias, place)

    def matmul(self, node: Any, current: str, place: str) -> None:
        """``x W``; a bias comes by ``Add``."""
        if node.input[0] != current:
            raise InputError(f"{place}: expected the data as the first factor, found it as the second")
        weight = self.weight(node.input[1], place, transposed=False)
        self.affine(weight, [fmpq(0)] * len(weight), place)

    def affine(self, weight: list[list[fmpq]], bias: list[fmpq], place: str) -> None:
        """Begin a layer."""
        if not self.rectified:
            raise InputError(f"{place}: expected a Relu between two affine layers, found none; multiply them into one")
        self.layers.append((weight, bias))
        self.rectified = False

    def add(self, node: Any, current: str, place: str) -> None:
        """Add a constant to the layer before it."""
        if self.rectified:
            raise InputError(f"{place}: expected Add right after MatMul or Gemm")
        weight, bias = self.layers[-1]
        shift = self.bias(node.input[1 if node.input[0] == current else 0], place, len(weight))
        self.layers[-1] = (weight, [a + b for a, b in zip(bias, shift, strict=True)])

    def relu(self, node: Any, current: str, place: str) -> None:
        """End a layer."""
        if not self.layers:
            raise InputError(f"{place}: expected an affine layer before the first Relu")
        self.rectified = True

    def weight(self, name: str, place: str, *, transposed: bool) -> list[list[fmpq]]:
        """Rows of ``W`` as ``n_l x n_{l-1}``; ONNX multiplies from the right, so it usually keeps the transpose."""
        array = self.constant(name, place)
        if array.ndim != 2 or 0 in array.shape:
            raise ShapeError(f"{place}: expected a 2-dimensional weight {name[:40]!r}, found shape {array.shape}")
        return matrix_rows(array if transposed else array.T, what=f"{place}: {name[:40]!r}")

    def bias(self, name: str, place: str, width: int) -> list[fmpq]:
        """Bias of ``width`` numbers; one number alone is added everywhere."""
        array = self.constant(name, place)
        if array.shape not in ((width,), (1, width), (), (1,), (1, 1)):
            raise ShapeError(f"{place}: expected {width} numbers in {name[:40]!r}, found shape {array.shape}")
        values = vector(array.ravel(), what=f"{place}: {name[:40]!r}")
        return values if len(values) == width else values * width

    def constant(self, name: str, place: str) -> Array:
        """The initializer of this name."""
        if name not in self.constants:
            raise InputError(f"{place}: expected the initializer {name[:40]!r}, found none of that name")
        tensor = self.constants[name]
        if tensor.data_location or tensor.external_data:  # never open a file that a file names
            raise InputError(f"{place}: expected the numbers of {name[:40]!r} in the model, found them in another file")
        try:
            array = self.helper.to_array(tensor)
        except Exception:  # sizes, types and byte counts that contradict each other
            raise InputError(f"{place}: expected the tensor {name[:40]!r}, found damaged data") from None
        return checked(array, f"{place}: {name[:40]!r}")


def flatten(node: Any, current: str, place: str) -> None:
    """Nothing to do on vectors."""
    if attributes(node, place, {"axis": 1})["axis"] != 1:
        raise InputError(f"{place}: expected axis=1")


def attributes(node: Any, place: str, defaults: dict[str, float]) -> dict[str, float]:
    """Numeric attributes of a node (alpha and beta are binary32, exactly); others are refused by name."""
    result = dict(defaults)
    for attribute in node.attribute:
        if attribute.name not in defaults:
            raise InputError(f"{place}: expected only {', '.join(defaults)}, found attribute {attribute.name[:40]!r}")
        value = attribute.f if isinstance(defaults[attribute.name], float) else attribute.i
        if not math.isfinite(value):
            raise NonFiniteError(f"{place}: {attribute.name}: a rational number is finite, found {value}")
        result[attribute.name] = value
    return result
