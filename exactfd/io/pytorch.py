"""PyTorch ``state_dict`` files (``.pt``, ``.pth``), through PyTorch itself and without running what they hold."""

from __future__ import annotations

import importlib
import io
import warnings
from collections.abc import Mapping
from typing import Any

from exactfd.errors import InputError, MissingExtraError
from exactfd.frameworks import layers_of_state_dict
from exactfd.io.files import MAX_NUMBERS
from exactfd.io.numpy_arrays import check_archive, checked
from exactfd.network import Network


def read(data: bytes) -> Network:
    """Network of a saved ``state_dict``; ReLU is assumed between its layers and every float is taken exactly.

    Only tensors are loaded (``weights_only=True``). Raises ``MissingExtraError`` without PyTorch, ``InputError`` when
    the file holds anything but tensors named ``*.weight`` and ``*.bias``.
    """
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        raise MissingExtraError("torch", "torch", "reading .pt") from None
    if data.startswith(b"PK"):
        check_archive(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content: Any = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception:  # a damaged pickle may raise anything at all
        raise InputError(
            "expected a PyTorch state_dict that holds only tensors, found other or damaged data; "
            "write it with torch.save(model.state_dict(), path)"
        ) from None
    if not isinstance(content, Mapping):
        raise InputError(f"expected a PyTorch state_dict, found {type(content).__name__}")
    total = 0
    for name, value in content.items():
        if isinstance(value, Mapping):
            raise InputError(f"{name!r:.60}: expected a tensor, found a dict; save the inner state_dict by itself")
        total += value.numel() if hasattr(value, "numel") else 0  # a small file can hold a huge expanded tensor
        if total > MAX_NUMBERS:
            raise InputError(f"{name!r:.60}: expected at most {MAX_NUMBERS} numbers in all, found more")
    layers = layers_of_state_dict(content)
    return Network(
        (checked(weight, f"layer {index}: weight"), checked(bias, f"layer {index}: bias"))
        for index, (weight, bias) in enumerate(layers, start=1)
    )
