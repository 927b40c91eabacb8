"""The ``.safetensors`` format: a length, a JSON header, the raw numbers. Needs no package but NumPy."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from exactfd.errors import InputError
from exactfd.frameworks import layers_of_state_dict
from exactfd.io.documents import Object, check_object, describe, parse, quote
from exactfd.io.numpy_arrays import Array, check_total, checked
from exactfd.network import Network

_TYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2",
    "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1",
}  # fmt: skip


def read_tensors(data: bytes) -> dict[str, Array]:
    """Tensors by name, in the order of the header, every number exactly. Raises ``InputError`` by tensor name."""
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or size > len(data) - 8:
        raise InputError(f"expected a safetensors header, found a length of {size} bytes in a file of {len(data)}")
    try:
        header = parse(data[8 : 8 + size])
    except InputError as error:
        raise InputError(f"header: {error}") from None
    if not isinstance(header, Object):
        raise InputError(f"header: expected an object of tensors, found {describe(header)}")
    if header.repeated is not None:
        raise InputError(f"header: expected every tensor once, found {quote(header.repeated)} twice")
    body = memoryview(data)[8 + size :]
    tensors = {name: _tensor(name, entry, body) for name, entry in header.items() if name != "__metadata__"}
    check_total(tensors)
    return tensors


def _tensor(name: str, entry: Any, body: memoryview) -> Array:
    what = f"tensor {quote(name)}"
    check_object(entry, what, required=("dtype", "shape", "data_offsets"))
    kind, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(kind, str) or kind not in _TYPES:
        raise InputError(f"{what}: expected one of the types {', '.join(_TYPES)}, found {describe(kind)}")
    for key, value in (("shape", shape), ("data_offsets", offsets)):
        if not isinstance(value, list) or not all(type(n) is int and n >= 0 for n in value):
            raise InputError(f"{what}: {key}: expected a list of whole numbers, found {describe(value)}")
    if len(shape) > 8 or len(offsets) != 2 or not offsets[0] <= offsets[1] <= len(body):
        raise InputError(f"{what}: expected data inside the file, found a place outside its {len(body)} bytes")
    count = 1
    for n in shape:
        count *= n
    dtype = np.dtype(_TYPES[kind])
    if count * dtype.itemsize != offsets[1] - offsets[0]:
        raise InputError(f"{what}: expected as many bytes as its shape says, found {offsets[1] - offsets[0]} bytes")
    try:
        array = np.frombuffer(body[offsets[0] : offsets[1]], dtype=dtype).reshape(shape)
    except (ValueError, OverflowError):  # an empty tensor with one absurd size
        raise InputError(f"{what}: expected a shape that fits its data, found one that NumPy cannot hold") from None
    if kind == "BF16":  # the upper half of a binary32
        array = (array.astype(np.uint32) << 16).view(np.float32)
    return checked(array, what)


def read(data: bytes) -> Network:
    """Network of the pairs ``*.weight`` and ``*.bias``, in the order of the numbers in their names.

    The format does not keep the order in which tensors were saved, so the names have to tell it. Raises ``InputError``
    when they do not, or as :func:`exactfd.frameworks.layers_of_state_dict` does.
    """
    tensors = read_tensors(data)
    stems = {re.sub(r"\d+", "#", name.rpartition(".")[0]) for name in tensors}
    if len(stems) > 1 and sum(name.endswith("weight") for name in tensors) > 1:
        raise InputError(
            "expected names that number the layers, such as 0.weight and 2.weight, since the file keeps no order; "
            f"found {', '.join(quote(name) for name in sorted(tensors)[:6])}"
            "; load it with safetensors and pass an ordered dict to Network.from_torch"
        )
    ordered = sorted(tensors, key=lambda name: [int(n) for n in re.findall(r"\d{1,18}", name)])
    return Network(layers_of_state_dict({name: tensors[name] for name in ordered}))
