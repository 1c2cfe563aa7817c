"""The network of the lossless codec as it is shipped: its integers in a file, and a card about them."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from ... import _native, coder
from ...errors import CorruptError

FILE = "lossless"
NAME_BYTES = 8
SIZES = 7
"""How large a network is: channels at full, half and quarter size, and of heads; blocks of three trunks."""
WEIGHT_LIMIT = 32767
Report = Callable[[float], None]


@dataclass(frozen=True, eq=False)
class Network:
    """name: the first 8 bytes of SHA-256 over the file of its integers. native: what codes with them.

    sizes, weights, biases: as of ``unpack``.
    """

    name: bytes
    sizes: tuple[int, ...]
    weights: npt.NDArray[np.int16]
    biases: npt.NDArray[np.int32]
    native: _native.LosslessModel

    def updated(self, update: bytes) -> _native.LosslessModel:
        """What codes with the integers that an update makes of these. Raises CorruptError."""
        return _native.lossless_updated(self.sizes, self.weights, self.biases, update)


@functools.cache
def shipped() -> Network:
    """The network that the package comes with. Raises CorruptError if its files were altered."""
    folder = resources.files("wyner") / "weights"
    card = json.loads((folder / f"{FILE}.json").read_text(encoding="utf-8"))
    data = (folder / f"{FILE}.bin").read_bytes()
    digest = hashlib.sha256(data).digest()
    if digest.hex() != card["sha256"]:
        raise CorruptError("the network of the lossless codec is not the one that its card describes")
    integers = unpack(data)
    return Network(digest[:NAME_BYTES], *integers, _native.LosslessModel(*integers))


def pack(sizes: tuple[int, ...], weights: npt.NDArray[np.int16], biases: npt.NDArray[np.int32]) -> bytes:
    """The file of a network (docs/spec/lossless.md, section 9)."""
    rows = _rows(len(weights))
    spreads = np.array([np.abs(weights[row].astype(np.float64)).mean() for row in rows])
    scales = coder.scale_index(np.maximum(spreads, 0.1))
    coded = coder.encode(weights.astype(np.int32), _laplace(scales, len(weights)))
    head = np.array([*sizes, len(weights), len(biases)], "<u4").tobytes()
    return head + biases.astype("<i4").tobytes() + scales.tobytes() + coded


def unpack(data: bytes) -> tuple[tuple[int, ...], npt.NDArray[np.int16], npt.NDArray[np.int32]]:
    """Sizes, weights and biases of a file that is known to be whole."""
    numbers = np.frombuffer(data, "<u4", SIZES + 2)
    *sizes, weight_count, bias_count = (int(n) for n in numbers)
    at = numbers.nbytes
    biases = np.frombuffer(data, "<i4", bias_count, at).astype(np.int32)
    at += 4 * bias_count
    count = len(_rows(weight_count))
    scales = np.frombuffer(data, np.uint8, count, at)
    weights = coder.decode(data[at + count :], _laplace(scales, weight_count))
    return tuple(sizes), weights.astype(np.int16), biases


ROW = 64
"""Weights that share a scale."""


def _rows(weights: int) -> list[slice]:
    return [slice(start, min(start + ROW, weights)) for start in range(0, weights, ROW)]


def _laplace(scales: npt.NDArray[np.uint8], weights: int) -> Any:
    each = np.repeat(scales, ROW)[:weights]
    return coder.Parametric("laplace", np.zeros(weights, np.int32), each, -WEIGHT_LIMIT, WEIGHT_LIMIT)
