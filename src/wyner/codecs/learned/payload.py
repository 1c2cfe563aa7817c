"""Payloads of codecs with a frozen entropy model: the model's hash, the level, and tiles of latents."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ...errors import CorruptError
from ...nn.rates import LEVELS
from ..base import Settings
from . import picture as pictures
from .model import HASH_BYTES, Model
from .store import M, Store

PRIOR_TILE = 1024
"""Pixels a side of what is entropy coded on its own."""


def head(payload: bytes, store: Store[M]) -> tuple[M, int]:
    """The model and the level. Raises CorruptError, or UnavailableError without the model."""
    if len(payload) <= HASH_BYTES:
        raise CorruptError("the payload is truncated")
    return store.by_hash(payload[:HASH_BYTES]), payload[HASH_BYTES]


def write(model: Model, y: npt.NDArray[np.float32], level: int) -> bytes:
    """The payload of latents y (M, h, w), not yet quantised, at a level."""
    parts = [model.digest, bytes([level])]
    for rows, columns in pictures.tiles(y.shape[1], y.shape[2], PRIOR_TILE // model.card.latent_step):
        parts.append(model.encode_tile(y[:, rows, columns], level)[0])
    return b"".join(parts)


def read(payload: bytes, model: Model, level: int, width: int, height: int) -> npt.NDArray[np.int32]:
    """The latents (M, h, w) of a picture, in 1/256 steps of quantisation: the same on every machine.

    Needs no PyTorch. Raises CorruptError.
    """
    step = model.card.latent_step
    h, w = (pictures.padded_side(side, model.card.multiple) // step for side in (height, width))
    latents = np.empty((model.card.latents, h, w), np.int32)
    data, at = memoryview(payload), HASH_BYTES + 1
    for rows, columns in pictures.tiles(h, w, PRIOR_TILE // step):
        size = rows.stop - rows.start, columns.stop - columns.start
        latents[:, rows, columns], at = model.decode_tile(data, at, level, *size)
    if at != len(payload):
        raise CorruptError("bytes follow the payload's end")
    return latents


def within(settings: Settings, pixels: int, payload_at: Callable[[int], bytes]) -> bytes:
    """The payload at the level of the quality, or the last that is within the target rate of the file.

    pixels: of the picture. One of quality, target_bpp and target_bytes is set.
    """
    if settings.quality is not None:
        return payload_at(round(settings.quality / 100 * (LEVELS - 1)))
    bits = settings.target_bpp * pixels if settings.target_bpp else 8 * (settings.target_bytes or 0)
    most = int(bits / 8) - settings.overhead_bytes
    return pictures.last(payload_at, lambda payload: len(payload) <= most, LEVELS)
