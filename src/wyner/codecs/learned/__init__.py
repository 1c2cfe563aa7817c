"""Learned lossy codecs (docs/spec/learned.md): transforms trained on many pictures, an integer prior.

Latents decode alike everywhere; the samples that the transforms make of them are real numbers, and may round
to a neighbour on another machine.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ... import metrics
from ...nn.rates import LEVELS
from ..base import Pixels, ProgressCallback, Settings
from . import payload as payloads
from . import picture as pictures
from .model import Model
from .store import Store

CODEC_ID = 4
VERSION = 1
TAKES_SIDE = False
OPTIONS = ("model",)
EXACT_PIXELS = False
LOSSLESS = False
SIDE_AT_DECODER = False

STORE = Store(Model)
DEFAULT = "hyperprior-lpips"
"""The model that is used without another one's name."""


def encode(pixels: Pixels, settings: Settings, progress: ProgressCallback | None = None) -> bytes:
    """Code ``pixels``, (H, W, C) uint8 or uint16 with C in {1, 3}, into a payload.

    A file within a target is searched among the model's rates; what they all miss is missed. It takes too
    little time for ``progress``, and effort changes nothing. Raises UnavailableError without PyTorch, and
    UsageError where no model has the name ``settings.model``.
    """
    model = STORE.by_name(settings.model or DEFAULT)
    padded = pictures.Padded(pixels, model.card.multiple)
    with model.transforms.threads(settings.threads):
        y = model.transforms.analyse(padded.part, padded.height, padded.width)
        return _at_goal(pixels, settings, lambda level: payloads.write(model, y, level))


def decode(payload: bytes, width: int, height: int, channels: int, maxval: int, threads: int = 1) -> Pixels:
    """Decode a payload to (height, width, channels), uint8 for maxval 255 and uint16 for 65535.

    Raises CorruptError, or UnavailableError without PyTorch or the model.
    """
    model, level = payloads.head(payload, STORE)
    latents = payloads.read(payload, model, level, width, height)
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
    """The latents of a payload, as ``payload.read`` has them, for which no PyTorch is needed."""
    model, level = payloads.head(payload, STORE)
    return payloads.read(payload, model, level, width, height)


def macs_per_pixel(payload: bytes) -> float:
    """Multiply-accumulates that decoding takes per pixel. Raises CorruptError or UnavailableError."""
    return payloads.head(payload, STORE)[0].card.macs_per_pixel()


def _at_goal(pixels: Pixels, settings: Settings, payload_at: Callable[[int], bytes]) -> bytes:
    """The payload at the level that quality asks for, or at the one that keeps just within the target."""
    height, width, channels = pixels.shape
    wanted = settings.target_psnr
    if wanted is None:
        return payloads.within(settings, height * width, payload_at)
    maxval = 255 if pixels.itemsize == 1 else 65535

    def enough(payload: bytes) -> bool:
        decoded = decode(payload, width, height, channels, maxval, settings.threads)
        return metrics.psnr(metrics.mse(pixels, decoded), maxval) >= wanted

    return pictures.first(payload_at, enough, LEVELS)
