"""PyTorch, scikit-learn, safetensors and ONNX models become the exact network that they are."""

from __future__ import annotations

import json
import pickle
import struct
import sys
from collections import OrderedDict
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor

from exactfd.errors import InputError, MissingExtraError, ShapeError
from exactfd.frameworks import layers_of_sklearn, layers_of_torch
from exactfd.io import load
from exactfd.network import Network

W1, B1 = np.array([[0.1, 2.0], [3.0, -4.5], [5.0, 1e-30]]), np.array([1.0, 0.0, -0.3])
W2, B2 = np.array([[1.0, 0.2, -1.0]]), np.array([7.0])
NETWORK = Network([(W1, B1), (W2, B2)])


# ---------------------------------------------------------------------- duck-typed PyTorch


class Tensor:
    """As much of ``torch.Tensor`` as is needed."""

    def __init__(self, array: Any) -> None:
        self.array = np.asarray(array)
        self.dtype = f"torch.{self.array.dtype.name}"

    def detach(self) -> Tensor:
        return self

    def cpu(self) -> Tensor:
        return self

    def numpy(self) -> np.ndarray[Any, Any]:
        return self.array


class Module:
    def forward(self) -> None: ...


class Sequential(Module):
    def __init__(self, *modules: Module) -> None:
        self._modules = {str(i): module for i, module in enumerate(modules)}

    def forward(self) -> None: ...


class Linear(Module):
    def __init__(self, weight: Any, bias: Any = None) -> None:
        self.weight = Tensor(weight)
        self.bias = None if bias is None else Tensor(bias)

    def forward(self) -> None: ...


class ReLU(Module):
    def forward(self) -> None: ...


class Dropout(Module):
    def forward(self) -> None: ...


class Flatten(Module):
    def forward(self) -> None: ...


class Tanh(Module):
    def forward(self) -> None: ...


class Doubled(Linear):
    """A subclass that computes something else."""

    def forward(self) -> None: ...


class Named(Sequential):
    """A subclass that computes the same."""


def test_sequential() -> None:
    model = Named(Flatten(), Sequential(Linear(W1, B1), ReLU(), Dropout()), Linear(W2, B2))
    assert Network.from_torch(model) == NETWORK
    assert Network.from_torch(Linear(W1)) == Network([(W1, [0, 0, 0])])


def test_one_relu_used_twice_counts_twice() -> None:
    relu = ReLU()
    layers, activation = layers_of_torch(Sequential(Linear(W1, B1), relu, Linear(W2, B2), relu))
    assert (len(layers), activation) == (2, "relu")


BAD_MODELS: list[tuple[Any, str]] = [
    (Sequential(Linear(W1), Linear(W2)), r"module '1' \(Linear\): expected a ReLU between"),
    (Sequential(Linear(W1), Sequential(Dropout(), Linear(W2))), r"module '1\.1' \(Linear\): expected a ReLU"),
    (Sequential(Linear(W1), Tanh(), Linear(W2)), r"module '1' \(Tanh\): expected only Sequential, Linear"),
    (Sequential(Doubled(W1)), r"module '0' \(Doubled\)"),
    (Sequential(ReLU(), Linear(W1)), r"module '0' \(ReLU\): expected a Linear before"),
    (Sequential(), "at least one Linear"),
    (Tanh(), r"model \(Tanh\).*state_dict"),
    (3, r"model \(int\)"),
    (Sequential(Linear(W1 > 0)), r"module '0' \(Linear\): weight: expected real numbers.*bool"),
    (Sequential(Linear(W1[0])), r"module '0' \(Linear\): weight: expected a 2-dimensional"),
    ({}, "state_dict: expected tensors"),
    ({3: Tensor(W1)}, "tensor 3: "),
    ({"a.bias": Tensor(B1)}, r"tensor 'a\.bias': .*no weight beside it"),
    ({"a.weight": Tensor(W1), "a.running_mean": Tensor(B1)}, r"tensor 'a\.running_mean'"),
    ({"a.weight": Tensor(B1)}, r"tensor 'a\.weight': expected the 2-dimensional.*\(3,\)"),
    ({"a.weight": Tensor(np.zeros((2, 2, 3, 3)))}, r"tensor 'a\.weight': .*\(2, 2, 3, 3\)"),
    ({"a.weight": Tensor(W1), "a.bias": Tensor(W1)}, r"tensor 'a\.bias': expected the 1-dimensional"),
    ({"a.weight": "text"}, r"tensor 'a\.weight': expected a tensor, found str"),
    ({"a.weight": Tensor(W1 * 1j)}, r"tensor 'a\.weight': expected real numbers.*complex128"),
    ({"a.weight": Tensor(W1), "b.weight": Tensor(W1)}, "layer 2: weight has 2 columns"),
    ({"a.weight": Tensor(W1 * np.nan)}, r"layer 1: weight\[0\]\[0\].*nan"),
]


@pytest.mark.parametrize(("model", "message"), BAD_MODELS)
def test_models_that_are_not_relu_networks(model: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        Network.from_torch(model)
    assert "\n" not in str(error.value)


def test_state_dict() -> None:
    tensors = OrderedDict([("net.0.bias", B1), ("net.0.weight", W1), ("net.2.weight", W2), ("net.2.bias", B2)])
    assert Network.from_torch({k: Tensor(v) for k, v in tensors.items()}) == NETWORK
    assert Network.from_torch(tensors, output_activation="relu").output_activation == "relu"
    assert Network.from_torch({"weight": W1}) == Network([(W1, [0, 0, 0])])


# ---------------------------------------------------------------------- real PyTorch


def test_real_torch_modules() -> None:
    torch = pytest.importorskip("torch")
    nn, relu = torch.nn, torch.nn.ReLU()
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(2, 3), relu, nn.Dropout(), nn.Sequential(nn.Linear(3, 3, bias=False), relu),
        nn.Identity(), nn.Linear(3, 1),
    )  # fmt: skip
    for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
        network = Network.from_torch(model.to(dtype))
        assert network.architecture == (2, 3, 3, 1)
        assert network == Network.from_torch(model.state_dict())
        assert network.theta()[0] == Fraction(model[1].weight[0, 0].item())
        assert network.theta()[11] == Fraction(model[4][0].weight[0, 2].item())
        assert network.theta()[12] == 0
    model = model.to(torch.float64).eval()
    exact = Network.from_torch(model).evaluate([0.5, -0.25])
    assert float(exact[0]) == pytest.approx(model(torch.tensor([[0.5, -0.25]], dtype=torch.float64)).item(), rel=1e-12)
    assert Network.from_torch(nn.Sequential(nn.Linear(1, 1), relu)).output_activation == "relu"


def test_real_torch_modules_that_are_refused() -> None:
    torch = pytest.importorskip("torch")
    nn = torch.nn
    eye = torch.eye(2)
    for model, found in [
        (nn.Sequential(nn.Linear(1, 1), nn.Sequential(nn.Linear(1, 1))), r"module '1\.0'"),
        (nn.Sequential(nn.Linear(1, 1), nn.GELU()), "found GELU"),
        (nn.Sequential(nn.Linear(1, 1, device="meta")), "on meta"),
        (nn.Sequential(nn.LazyLinear(1)), "lazy"),
        (nn.Conv2d(1, 1, 1).state_dict(), r"\(1, 1, 1, 1\)"),
        (nn.BatchNorm1d(3).state_dict(), "running_mean"),
        (nn.LayerNorm(3).state_dict(), r"\(3,\)"),
        ({"a.weight": eye.to_sparse()}, "sparse"),
        ({"a.weight": eye.to(torch.complex64)}, "complex64"),
        ({"a.weight": eye.bool()}, "bool"),
    ]:
        with pytest.raises(InputError, match=found):
            Network.from_torch(model)


def test_real_torch_files(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    network = Network.from_torch(model)
    for name, options in (("net.pt", {}), ("net.pth", {"_use_new_zipfile_serialization": False})):
        torch.save(model.state_dict(), tmp_path / name, **options)
        assert load(tmp_path / name) == network
    torch.save({"0.weight": torch.ones(1).expand(10**6, 10**6)}, tmp_path / "expanded.pt")
    torch.save(model, tmp_path / "model.pt")
    torch.save({"epoch": 3, "model": model.state_dict()}, tmp_path / "checkpoint.pt")
    torch.save({"model": model.state_dict()}, tmp_path / "nested.pt")
    torch.save(model.state_dict()["0.weight"], tmp_path / "tensor.pt")
    torch.save({"0.weight": torch.tensor([[float("nan")]])}, tmp_path / "nan.pt")
    (tmp_path / "cut.pt").write_bytes((tmp_path / "net.pt").read_bytes()[:-100])
    (tmp_path / "garbage.pt").write_bytes(b"garbage")
    for name, found in [
        ("expanded", "at most"), ("model", "only tensors"), ("checkpoint", "inner state_dict"),
        ("nested", "inner state_dict"),
        ("tensor", "state_dict, found Tensor"), ("nan", r"layer 1: weight\[0\]\[0\].*nan"), ("cut", "zip archive"),
        ("garbage", "only tensors"),
    ]:  # fmt: skip
        with pytest.raises(InputError, match=found) as error:
            load(tmp_path / f"{name}.pt")
        assert str(error.value).startswith(f"{tmp_path / name}.pt: ")
        assert "\n" not in str(error.value)


class Evil:
    """Creates a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_pickles_are_never_run(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    (tmp_path / "net.pt").write_bytes(pickle.dumps(Evil(tmp_path / "touched"), protocol=2))
    with pytest.raises(InputError, match="only tensors"):
        load(tmp_path / "net.pt")
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize(("package", "name"), [("torch", "net.pt"), ("torch", "net.pth"), ("onnx", "net.onnx")])
def test_missing_extras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, name: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    (tmp_path / name).write_bytes(b"anything")
    with pytest.raises(MissingExtraError, match=rf"{name}: .*pip install 'exactfd\[{package}\]'") as error:
        load(tmp_path / name)
    assert "\n" not in str(error.value)


# ---------------------------------------------------------------------- scikit-learn


def test_sklearn() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(60, 2))
    mlp = MLPRegressor(hidden_layer_sizes=(4, 3), solver="lbfgs", max_iter=20, random_state=0, tol=1.0).fit(
        points, points.sum(axis=1)
    )
    network = Network.from_sklearn(mlp)
    assert network.architecture == (2, 4, 3, 1)
    assert network.theta()[1] == Fraction(mlp.coefs_[0][1, 0])
    assert network.theta()[2] == Fraction(mlp.intercepts_[0][0])
    for point, value in zip(points[:5], mlp.predict(points[:5]), strict=True):
        assert float(network.evaluate(point)[0]) == pytest.approx(value, rel=1e-9)
    mlp.coefs_[0][0, 1] = np.inf
    with pytest.raises(InputError, match=r"layer 1: weight\[1\]\[0\].*inf"):
        Network.from_sklearn(mlp)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (MLPClassifier(), r"mlp \(MLPClassifier\): expected a fitted model"),
        (MLPRegressor(activation="tanh"), "expected activation=\"relu\", found activation='tanh'"),
        (object(), "expected an MLPRegressor or MLPClassifier, found object"),
        (SimpleNamespace(activation="relu", coefs_=[W1 > 0], intercepts_=[B1]), r"coefs_\[0\]: expected real"),
    ],
)
def test_sklearn_models_that_are_refused(model: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        layers_of_sklearn(model)


# ---------------------------------------------------------------------- safetensors, byte by byte


def safetensors(header: Any, body: bytes = b"") -> bytes:
    """The bytes of a file with this header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def tensors(**arrays: tuple[str, np.ndarray[Any, Any]]) -> bytes:
    """The bytes of a file with these tensors; ``__`` stands for a dot in names."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    body = b""
    for name, (kind, array) in arrays.items():
        end = len(body) + array.nbytes
        header[name.replace("__", ".")] = {"dtype": kind, "shape": array.shape, "data_offsets": [len(body), end]}
        body += array.tobytes()
    return safetensors(header, body)


def test_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    path.write_bytes(
        tensors(l10__bias=("F64", B2), l10__weight=("F64", W2), l9__bias=("F64", B1), l9__weight=("F64", W1))
    )
    assert load(path) == NETWORK
    for kind, dtype in [("F32", "f4"), ("F16", "f2"), ("I64", "i8"), ("U8", "u1"), ("I16", "i2")]:
        weight = np.array([[1, 2]], dtype=dtype)
        weight = (weight / 3).astype(dtype) if dtype[0] == "f" else weight
        path.write_bytes(tensors(weight=(kind, weight)))
        assert load(path) == Network([(weight, [0])])
    path.write_bytes(tensors(weight=("BF16", np.array([[0x3FC0, 0xC000]], dtype="u2"))))
    assert load(path).theta() == (Fraction(3, 2), -2, 0)


def test_safetensors_of_the_package(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    from safetensors.numpy import save_file

    save_file({"0.weight": W1, "0.bias": B1, "2.weight": W2, "2.bias": B2}, tmp_path / "net.safetensors")
    assert load(tmp_path / "net.safetensors") == NETWORK


def one(**changes: Any) -> bytes:
    """A file of one tensor whose header entry has some values replaced."""
    entry = {"dtype": "F64", "shape": [1, 2], "data_offsets": [0, 16], **changes}
    return safetensors({"weight": {k: v for k, v in entry.items() if v is not None}}, bytes(16))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"abc", "safetensors header"),
        (struct.pack("<Q", 1 << 60) + b"{}", "a length of 1152921504606846976 bytes in a file of 10"),
        (safetensors(b"{"), "header: line 1, column 2"),
        (safetensors(b"[" * 100_000), "header: .*nesting"),
        (safetensors([]), "header: expected an object"),
        (safetensors(b'{"a": 1, "a": 2}'), 'header: expected every tensor once, found "a" twice'),
        (safetensors({}), "found none"),
        (safetensors({"weight": 3}), 'tensor "weight": expected an object'),
        (one(dtype="F8_E4M3"), 'tensor "weight": expected one of the types F64'),
        (one(dtype="BOOL"), 'tensor "weight": expected one of the types F64'),
        (one(dtype=None), 'tensor "weight": expected the key "dtype"'),
        (one(more=1), 'unknown key "more"'),
        (one(shape=[1, 3]), "as many bytes as its shape says"),
        (one(shape=[10**30, 10**30]), "as many bytes as its shape says"),
        (one(shape=[10**30, 0], data_offsets=[0, 0]), "NumPy cannot hold"),
        (one(shape=[True, 2]), "shape: expected a list of whole numbers"),
        (one(shape=[-1, -2]), "shape: expected a list of whole numbers"),
        (one(shape=[1] * 9), "inside the file"),
        (one(data_offsets=[0, 17]), "inside the file"),
        (one(data_offsets=[16, 0]), "inside the file"),
        (one(data_offsets=[0]), "inside the file"),
        (one(shape=[2]), r"tensor 'weight': expected the 2-dimensional weight"),
        (tensors(weight=("F64", np.array([[1.0, np.inf]]))), r'tensor "weight"\[0\]\[1\]: a rational number is finite'),
        (tensors(fc__weight=("F64", W1), out__weight=("F64", W2)), "names that number the layers"),
    ],
)  # fmt: skip
def test_bad_safetensors(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "net.safetensors"
    path.write_bytes(data)
    with pytest.raises(InputError, match=message) as error:
        load(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


# ---------------------------------------------------------------------- ONNX


def model_bytes(nodes: list[tuple[str, list[str], dict[str, Any]]], **constants: Any) -> bytes:
    """A model of nodes in a chain; ``""`` among the inputs is the result of the node before."""
    helper = pytest.importorskip("onnx.helper")
    numpy_helper = pytest.importorskip("onnx.numpy_helper")
    made, current = [], "x"
    for index, (kind, inputs, options) in enumerate(nodes):
        made.append(
            helper.make_node(kind, [name or current for name in inputs], [f"y{index}"], name=f"n{index}", **options)
        )
        current = f"y{index}"
    arrays = [v if hasattr(v, "dims") else numpy_helper.from_array(v, k) for k, v in constants.items()]
    values = [helper.make_tensor_value_info(name, 1, None) for name in ("x", current)]
    model: bytes = helper.make_model(helper.make_graph(made, "g", values[:1], values[1:], arrays)).SerializeToString()
    return model


def test_onnx(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    gemm = ("Gemm", ["", "w", "b"], {"transB": 1})
    path.write_bytes(
        model_bytes(
            [("Flatten", [""], {}), gemm, ("Relu", [""], {}), ("MatMul", ["", "v"], {}), ("Add", ["c", ""], {})],
            w=W1,
            b=B1,
            v=W2.T.copy(),
            c=B2,
        )
    )
    assert load(path) == NETWORK
    path.write_bytes(
        model_bytes([("Gemm", ["", "w", "b"], {"alpha": 0.5, "beta": 3.0}), ("Relu", [""], {})], w=W1.T.copy(), b=B1)
    )
    half = Network(
        [([[Fraction(v) / 2 for v in row] for row in W1], [3 * Fraction(v) for v in B1])], output_activation="relu"
    )
    assert load(path) == half
    path.write_bytes(model_bytes([("Gemm", ["", "w", "b"], {"transB": 1})], w=W1.astype("f2"), b=np.array(2.0)))
    assert load(path) == Network([(W1.astype("f2"), [2, 2, 2])])


def test_bad_onnx(tmp_path: Path) -> None:
    helper = pytest.importorskip("onnx.helper")
    gemm, relu, product = ("Gemm", ["", "w"], {"transB": 1}), ("Relu", [""], {}), ("MatMul", ["", "w"], {})
    outside = helper.make_tensor("w", 1, [1, 1], [0.0])
    outside.data_location = 1
    lying = helper.make_tensor("w", 1, [1, 1], [0.0])
    lying.dims[0] = 10**12
    model = pytest.importorskip("onnx").load_model_from_string(model_bytes([gemm], w=W1))
    model.graph.initializer.append(helper.make_tensor("w", 1, [1, 1], [0.0]))
    table: list[tuple[bytes, str]] = [
        (b"garbage", "expected an ONNX model"),
        (model.SerializeToString(), "expected every initializer once, found 'w' twice"),
        (model_bytes([gemm, ("Tanh", [""], {})], w=W1), r"node 1 \('Tanh', 'n1'\): expected only Gemm"),
        (model_bytes([gemm, gemm], w=np.eye(2)), r"node 1 .*expected a Relu between"),
        (model_bytes([relu, gemm], w=W1), "node 0 .*affine layer before"),
        (model_bytes([("Add", ["", "w"], {}), gemm], w=W1), "node 0 .*right after MatMul"),
        (model_bytes([gemm, relu, gemm], w=W1), "layer 2: weight has 2 columns"),
        (model_bytes([("Gemm", ["", "w"], {"transA": 1})], w=W1), "node 0 .*not transposed"),
        (model_bytes([("Gemm", ["", "w"], {"alpha": float("nan")})], w=W1), "node 0 .*alpha.*nan"),
        (model_bytes([("Gemm", [""], {})]), "node 0 .*two inputs, found 1"),
        (model_bytes([("MatMul", ["w", ""], {})], w=W1), "node 0 .*first factor"),
        (model_bytes([("MatMul", ["", ""], {})], w=W1), "node 0 .*a chain of nodes"),
        (model_bytes([("MatMul", ["", "q"], {})], w=W1), "node 0 .*initializer 'q'"),
        (model_bytes([product, ("Add", ["", "b"], {})], w=W1, b=B2[:0]), "node 1 .*expected 2 numbers"),
        (model_bytes([product], w=B1), "node 0 .*2-dimensional"),
        (model_bytes([product], w=np.array([[1.0, np.nan]])), r"node 0 .*'w'\[0\]\[1\].*finite"),
        (model_bytes([product], w=W1 > 0), "node 0 .*real numbers or integers"),
        (model_bytes([product], w=outside), "node 0 .*in another file"),
        (model_bytes([product], w=lying), "node 0 .*damaged"),
        (model_bytes([("Flatten", [""], {"axis": 0}), gemm], w=W1), "node 0 .*axis=1"),
        (model_bytes([("Gemm", ["", "w"], {"gamma": 1})], w=W1), "node 0 .*attribute 'gamma'"),
        (model_bytes([("Flatten", [""], {})]), "ends at the output"),
    ]
    for data, message in table:
        (tmp_path / "net.onnx").write_bytes(data)
        with pytest.raises(InputError, match=message) as error:
            load(tmp_path / "net.onnx")
        assert "\n" not in str(error.value)


def test_shapes_are_checked_by_the_network() -> None:
    with pytest.raises(ShapeError, match="layer 2"):
        Network.from_torch(Sequential(Linear(W1), ReLU(), Linear(W1)))
