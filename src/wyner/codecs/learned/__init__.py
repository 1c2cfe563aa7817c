"""Learned lossy codecs (docs/spec/learned.md): transforms trained on many pictures, an integer prior.

Latents decode alike everywhere; the samples that the transforms make of them are real numbers, and may round
to a neighbour on another machine.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ... import metrics
from ...errors import CorruptError
from ...nn.rates import LEVELS
from ..base import Pixels, ProgressCallback, Settings
from . import picture as pictures
from . import store
from .model import HASH_BYTES, Model

CODEC_ID = 4
VERSION = 1
TAKES_SIDE = False
OPTIONS = ("model",)
EXACT_PIXELS = False
LOSSLESS = False

PRIOR_TILE = 1024
"""Pixels a side of what is entropy coded on its own."""


def encode(pixels: Pixels, settings: Settings, progress: ProgressCallback | None = None) -> bytes:
    """Code ``pixels``, (H, W, C) uint8 or uint16 with C in {1, 3}, into a payload.

    A file within a target is searched among the model's rates; what they all miss is missed. It takes too
    little time for ``progress``, and effort changes nothing. Raises UnavailableError without PyTorch, and
    UsageError where no model has the name ``settings.model``.
    """
    model = store.by_name(settings.model or store.DEFAULT)
    padded = pictures.Padded(pixels, model.card.multiple)
    with model.transforms.threads(settings.threads):
        y = model.transforms.analyse(padded.part, padded.height, padded.width)
        return _at_goal(pixels, settings, lambda level: _payload(model, y, level))


def decode(payload: bytes, width: int, height: int, channels: int, maxval: int, threads: int = 1) -> Pixels:
    """Decode a payload to (height, width, channels), uint8 for maxval 255 and uint16 for 65535.

    Raises CorruptError, or UnavailableError without PyTorch or the model.
    """
    model, level = _head(payload)
    latents = decode_latents(payload, width, height)
    inverse = (model.inverse[level] / 256)[:, None, None]
    out = np.empty((height, width, channels), np.uint8 if maxval == 255 else np.uint16)
    sides = (pictures.padded_side(side, model.card.multiple) for side in (height, width))

    def part(rows: slice, columns: slice) -> npt.NDArray[np.float32]:
        return latents[:, rows, columns].astype(np.float32) * inverse

    with model.transforms.threads(threads):
        for rows, columns, samples in model.transforms.synthesise(part, *sides):
            pictures.place(out, rows, columns, samples)
    return out


def decode_latents(payload: bytes, width: int, height: int) -> npt.NDArray[np.int32]:
    """The latents (M, h, w) of a payload, in 1/256 steps of quantisation: the same on every machine.

    Needs no PyTorch. Raises CorruptError, or UnavailableError without the model.
    """
    model, level = _head(payload)
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


def macs_per_pixel(payload: bytes) -> float:
    """Multiply-accumulates that decoding takes per pixel. Raises CorruptError or UnavailableError."""
    return _head(payload)[0].card.macs_per_pixel()


def _head(payload: bytes) -> tuple[Model, int]:
    """The model and the level."""
    if len(payload) <= HASH_BYTES:
        raise CorruptError("the payload is truncated")
    return store.by_hash(payload[:HASH_BYTES]), payload[HASH_BYTES]


def _payload(model: Model, y: npt.NDArray[np.float32], level: int) -> bytes:
    parts = [model.digest, bytes([level])]
    for rows, columns in pictures.tiles(y.shape[1], y.shape[2], PRIOR_TILE // model.card.latent_step):
        parts.append(model.encode_tile(y[:, rows, columns], level)[0])
    return b"".join(parts)


def _at_goal(pixels: Pixels, settings: Settings, payload_at: Callable[[int], bytes]) -> bytes:
    """The payload at the level that quality asks for, or at the one that keeps just within the target."""
    if settings.quality is not None:
        return payload_at(round(settings.quality / 100 * (LEVELS - 1)))
    height, width, channels = pixels.shape
    if settings.target_psnr is not None:
        maxval = 255 if pixels.itemsize == 1 else 65535
        wanted = settings.target_psnr

        def enough(payload: bytes) -> bool:
            decoded = decode(payload, width, height, channels, maxval, settings.threads)
            return metrics.psnr(metrics.mse(pixels, decoded), maxval) >= wanted

        return pictures.first(payload_at, enough, LEVELS)
    bits = settings.target_bpp * height * width if settings.target_bpp else 8 * (settings.target_bytes or 0)
    most = int(bits / 8) - settings.overhead_bytes
    return pictures.last(payload_at, lambda payload: len(payload) <= most, LEVELS)
