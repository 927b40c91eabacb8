"""Layers of PyTorch modules and scikit-learn MLPs, read without importing either."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np

from exactfd.errors import InputError, ShapeError

Layers = list[tuple[Any, Any]]

_SKIPPED = frozenset({"Flatten", "Identity", "Dropout"})
_KNOWN = ("Sequential", "Linear", "ReLU", *sorted(_SKIPPED))
_READABLE = "Sequential, Linear, ReLU, Flatten, Identity and Dropout"


def layers_of_torch(model: Any) -> tuple[Layers, Literal["identity", "relu"]]:
    """Pairs ``(W, b)`` of an ``nn.Sequential`` or of a ``state_dict``, and the output activation.

    ``W`` has shape ``n_l x n_{l-1}``, ``b`` has shape ``n_l`` (zeros where a layer has no bias); the numbers are those
    of the tensors, exactly. ``Flatten``, ``Identity`` and ``Dropout`` are read past: the network is the one that
    ``model.eval()`` computes. A ``state_dict`` does not hold activations: the output is then called ``"identity"``.

    Raises
    ------
    InputError
        naming the module or the tensor that is not part of a ReLU network.

    Examples
    --------
    >>> layers_of_torch({"0.weight": np.array([[1.0, 2.0]]), "0.bias": np.array([3.0])})
    ([(array([[1., 2.]]), array([3.]))], 'identity')
    """
    if isinstance(model, Mapping):
        return layers_of_state_dict(model), "identity"
    layers: Layers = []
    rectified = True  # nothing to separate before the first Linear
    for path, kind, module in _walk(model, ""):
        if kind == "Linear":
            if not rectified:
                raise InputError(
                    f"{path}: expected a ReLU between two Linear modules, found Linear after Linear; "
                    "multiply the two into one"
                )
            layers.append(_linear(module, path))
            rectified = False
        elif not layers:
            raise InputError(f"{path}: expected a Linear before the first ReLU, found ReLU")
        else:
            rectified = True  # a ReLU after a ReLU changes nothing
    if not layers:
        raise InputError("model: expected at least one Linear module, found none")
    return layers, "relu" if rectified else "identity"


def _walk(module: Any, name: str) -> Iterator[tuple[str, str, Any]]:
    """Every ``Linear`` and ``ReLU`` in the order of evaluation, with its place in the model."""
    kind = _kind(module)
    place = f"module {name!r} ({type(module).__name__})" if name else f"model ({type(module).__name__})"
    if kind == "Sequential":
        # Not named_children(): it leaves out a module that occurs twice, such as one ReLU used after every layer.
        for child, inner in module._modules.items():
            yield from _walk(inner, f"{name}.{child}" if name else str(child))
    elif kind in ("Linear", "ReLU"):
        yield place, kind, module
    elif kind is None:
        hint = "" if name else "; pass model.state_dict() if a ReLU stands between its Linear modules"
        raise InputError(f"{place}: expected only {_READABLE}, found {type(module).__name__}{hint}")


def _kind(module: Any) -> str | None:
    """Name of the module class that is known here; a subclass counts when it inherits ``forward``."""
    for base in type(module).__mro__:
        if base.__name__ in _KNOWN and getattr(type(module), "forward", None) is getattr(base, "forward", None):
            return base.__name__
    return None


def _linear(module: Any, place: str) -> tuple[Any, Any]:
    weight = tensor_array(module.weight, f"{place}: weight")
    if weight.ndim != 2:
        raise ShapeError(f"{place}: weight: expected a 2-dimensional tensor, found shape {weight.shape}")
    bias = getattr(module, "bias", None)
    if bias is None:
        return weight, np.zeros(weight.shape[0], dtype=np.int64)
    return weight, tensor_array(bias, f"{place}: bias")


def layers_of_state_dict(tensors: Mapping[Any, Any]) -> Layers:
    """Pairs ``(W, b)`` of ``*.weight`` and ``*.bias`` tensors, in the order of the weights; no bias means zeros.

    Raises ``InputError`` on a name that is neither, ``ShapeError`` on a weight that is not a matrix: such tensors
    belong to convolutions, normalisations or embeddings.
    """
    prefixes: list[str] = []
    for name in tensors:
        stem, _, last = name.rpartition(".") if isinstance(name, str) else ("", "", "")
        if last == "weight":
            prefixes.append(stem)
        elif last != "bias" or _joined(stem, "weight") not in tensors:
            partner = "no weight beside it" if last == "bias" else "another name"
            raise InputError(
                f"tensor {_short(name)}: expected names that end in .weight and .bias, in pairs, found {partner}"
            )
    if not prefixes:
        raise InputError("state_dict: expected tensors named *.weight and *.bias, found none")
    layers: Layers = []
    for stem in prefixes:
        arrays: list[np.ndarray[Any, Any]] = []
        for last, ndim in (("weight", 2), ("bias", 1)):
            name = _joined(stem, last)
            if name not in tensors:
                arrays.append(np.zeros(arrays[0].shape[0], dtype=np.int64))
                continue
            array = tensor_array(tensors[name], f"tensor {_short(name)}")
            if array.ndim != ndim:
                hint = " (a convolution or a normalisation?)" if last == "weight" else ""
                raise ShapeError(
                    f"tensor {_short(name)}: expected the {ndim}-dimensional {last} of a Linear, "
                    f"found shape {tuple(array.shape)}{hint}"
                )
            arrays.append(array)
        layers.append((arrays[0], arrays[1]))
    return layers


def _joined(stem: str, last: str) -> str:
    return f"{stem}.{last}" if stem else last


def _short(name: Any) -> str:
    text = repr(name)
    return text if len(text) <= 80 else text[:77] + "..."


def tensor_array(tensor: Any, what: str) -> np.ndarray[Any, Any]:
    """The numbers of a tensor (or array) as a NumPy array of reals or integers, every one kept exactly.

    Raises ``InputError`` on complex, boolean, quantised, sparse and not yet initialised tensors and on anything else.
    """
    if isinstance(tensor, np.ndarray):
        array = tensor
    else:
        found = str(getattr(tensor, "dtype", type(tensor).__name__)).removeprefix("torch.")
        if type(tensor).__name__ == "UninitializedParameter":
            raise InputError(f"{what}: expected numbers, found a lazy parameter; run the model once first")
        if not hasattr(tensor, "detach"):
            raise InputError(f"{what}: expected a tensor, found {found}")
        try:
            tensor = tensor.detach().cpu()
            if found == "bfloat16" or found.startswith("float8"):
                tensor = tensor.float()  # NumPy has no such types; float32 holds all their values
            array = np.asarray(tensor.numpy())
        except (TypeError, RuntimeError, NotImplementedError):  # sparse, quantised, on the meta device
            raise InputError(
                f"{what}: expected a dense tensor of real numbers, found {found} "
                f"({getattr(tensor, 'layout', 'no layout')}, on {getattr(tensor, 'device', 'no device')})"
            ) from None
    if array.dtype.name == "bfloat16":  # the extension type of ml_dtypes, which ONNX uses
        array = array.astype(np.float32)
    if array.dtype.kind not in "fiu":
        raise InputError(f"{what}: expected real numbers or integers, found an array of {array.dtype.name}")
    return array


def layers_of_sklearn(mlp: Any) -> Layers:
    """Pairs ``(W, b)`` of a fitted scikit-learn MLP, ``W`` of shape ``n_l x n_{l-1}`` (scikit-learn keeps transposes).

    Every float is taken exactly; the output is the last pre-activation.

    Raises
    ------
    InputError
        when the model is not fitted, not an MLP, or its activation is not ``"relu"``.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> layers_of_sklearn(SimpleNamespace(activation="relu", coefs_=[np.array([[1.0], [2.0]])], intercepts_=[[0.5]]))
    [(array([[1., 2.]]), array([0.5]))]
    """
    name = type(mlp).__name__
    if not hasattr(mlp, "activation"):
        raise InputError(f"mlp: expected an MLPRegressor or MLPClassifier, found {name}")
    if mlp.activation != "relu":
        raise InputError(f'mlp ({name}): expected activation="relu", found activation={mlp.activation!r}')
    if not hasattr(mlp, "coefs_") or not hasattr(mlp, "intercepts_"):
        raise InputError(f"mlp ({name}): expected a fitted model, found one without coefs_; call its fit(X, y) first")
    return [
        (
            tensor_array(np.asarray(weight).T, f"coefs_[{index}]"),
            tensor_array(np.asarray(bias), f"intercepts_[{index}]"),
        )
        for index, (weight, bias) in enumerate(zip(mlp.coefs_, mlp.intercepts_, strict=True))
    ]
