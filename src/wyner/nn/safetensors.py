"""Files of tensors in the safetensors format, read and written with NumPy alone.

The format (Hugging Face, https://github.com/huggingface/safetensors, README, "Format"): 8 bytes, the length
N of the header, little endian; N bytes of JSON, an object of {"dtype", "shape", "data_offsets": [begin, end]}
by name, offsets counting from the end of the header, and perhaps "__metadata__", an object of strings; then
the numbers, little endian, in C order, without gaps.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import CorruptError, UsageError

_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "|i1",
    "U8": "|u1",
}
_NAMES = {np.dtype(kind): name for name, kind in _DTYPES.items()}
_MOST_HEADER = 100_000_000  # as the format says

Arrays = dict[str, npt.NDArray[Any]]


def write(tensors: Mapping[str, npt.NDArray[Any]], metadata: Mapping[str, str]) -> bytes:
    """The file of tensors, whose order it keeps, and metadata. Raises UsageError for other dtypes."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    parts, at = [], 0
    for name, tensor in tensors.items():
        little = tensor.astype(tensor.dtype.newbyteorder("<"))
        if little.dtype not in _NAMES:
            raise UsageError(f"a file of tensors holds no {tensor.dtype}")
        part = little.tobytes()
        header[name] = {
            "dtype": _NAMES[little.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [at, at + len(part)],
        }
        parts.append(part)
        at += len(part)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # so that numbers are aligned
    return len(text).to_bytes(8, "little") + text + b"".join(parts)


def read(data: bytes) -> tuple[Arrays, dict[str, str]]:
    """Tensors and metadata of a file. Raises CorruptError for what is not such a file, or another dtype."""
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or size > min(len(data) - 8, _MOST_HEADER):
        raise CorruptError("this is not a file of tensors")
    try:
        header = json.loads(data[8 : 8 + size])
        metadata = header.pop("__metadata__", {})
        if not all(isinstance(value, str) for value in metadata.values()):
            raise ValueError("metadata that is not text")
        body = memoryview(data)[8 + size :]
        entries = sorted(header.items(), key=lambda item: item[1]["data_offsets"])
        tensors, at = {}, 0
        for name, entry in entries:
            tensors[name], at = _tensor(entry, body, at)
        if at != len(body):
            raise ValueError("bytes that belong to no tensor")
        return {name: tensors[name] for name in header}, metadata
    except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError) as error:
        raise CorruptError(f"the file of tensors is damaged: {error}") from None


def _tensor(entry: dict[str, Any], body: memoryview, at: int) -> tuple[npt.NDArray[Any], int]:
    """A tensor that begins at ``at``, and where it ends."""
    dtype, shape = np.dtype(_DTYPES[entry["dtype"]]), tuple(entry["shape"])
    begin, end = entry["data_offsets"]
    if not all(type(side) is int and side >= 0 for side in shape):
        raise ValueError("a shape that is none")
    if begin != at or end != at + math.prod(shape) * dtype.itemsize or end > len(body):
        raise ValueError("a tensor that does not fit its place")
    return np.frombuffer(body[begin:end], dtype).reshape(shape), end
