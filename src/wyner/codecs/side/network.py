"""The network of ``refinement`` as it is shipped: numbers in a file, and a card that describes them."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Sequence
from importlib import resources
from typing import Any

import numpy as np

from ...errors import CorruptError
from .refinement import Layer

NAME = "refinement"
_MOST_CHANNELS = 70


@functools.cache
def shipped() -> tuple[Layer, ...]:
    """The layers that the package comes with. Raises CorruptError if its files were altered."""
    folder = resources.files("wyner") / "weights"
    card = (folder / f"{NAME}.json").read_text(encoding="utf-8")
    return parse(card, (folder / f"{NAME}.bin").read_bytes())


def parse(card: str, data: bytes) -> tuple[Layer, ...]:
    """Layers of the JSON card that describes them and of their numbers (docs/spec/refine.md, section 8).

    Raises CorruptError if the two do not belong together or the card is not one.
    """
    try:
        described = json.loads(card)
        if hashlib.sha256(data).hexdigest() != described["sha256"]:
            raise CorruptError("the network is not the one that its card describes")
        shapes = [_shape(entry) for entry in described["layers"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CorruptError(f"the card of the network is damaged: {error!r}") from None
    if len(data) != sum(outputs * (18 * inputs + 4) for outputs, inputs, _ in shapes):
        raise CorruptError("the network has not the size that its card says")
    layers, start = [], 0
    for outputs, inputs, shift in shapes:
        middle = start + 18 * outputs * inputs
        weights = np.frombuffer(data[start:middle], "<i2").astype(np.int16).reshape(outputs, inputs, 3, 3)
        start = middle + 4 * outputs
        layers.append((weights, np.frombuffer(data[middle:start], "<i4").astype(np.int32), shift))
    return tuple(layers)


def serialise(layers: Sequence[Layer], about: dict[str, Any]) -> tuple[str, bytes]:
    """The card, with ``about`` in it, and the numbers of layers."""
    data = b"".join(w.astype("<i2").tobytes() + b.astype("<i4").tobytes() for w, b, _ in layers)
    entries = [
        {"outputs": int(w.shape[0]), "inputs": int(w.shape[1]), "shift": int(shift)} for w, _, shift in layers
    ]
    card = {**about, "sha256": hashlib.sha256(data).hexdigest(), "layers": entries}
    return json.dumps(card, indent=2) + "\n", data


def _shape(entry: Any) -> tuple[int, int, int]:
    """Outputs, inputs and shift of a layer. Raises ValueError and its like."""
    outputs, inputs, shift = (int(entry[name]) for name in ("outputs", "inputs", "shift"))
    if not (1 <= outputs <= _MOST_CHANNELS and 1 <= inputs <= _MOST_CHANNELS and 0 <= shift <= 30):
        raise ValueError("a layer is out of range")
    return outputs, inputs, shift
