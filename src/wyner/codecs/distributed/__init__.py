"""Distributed codecs (docs/spec/distributed.md): files made without a picture that the decoder holds.

The encoder sees x alone. The latents in its file decode alike everywhere; the samples that the decoder makes
of them and of its own picture y are real numbers, and may round to a neighbour on another machine. A decoder
without y takes a grey one.
"""

from __future__ import annotations

import warnings

import numpy as np

from ...errors import SideImageError, SideUnusedWarning, UsageError
from ...nn.rates import level_lambdas
from ..base import Pixels, ProgressCallback, Settings, Side
from ..learned import payload as payloads
from ..learned import picture as pictures
from ..learned.store import Store
from .model import SideModel
from .related import shows_the_same

CODEC_ID = 5
VERSION = 1
TAKES_SIDE = False
SIDE_AT_DECODER = True
OPTIONS = ("model",)
EXACT_PIXELS = False
LOSSLESS = False

STORE = Store(SideModel)
DEFAULT = "ndic-aligned"
"""The model that is used without another one's name."""


def encode(pixels: Pixels, settings: Settings, progress: ProgressCallback | None = None) -> bytes:
    """Code ``pixels``, (H, W, C) uint8 or uint16 with C in {1, 3}, into a payload.

    Raises UnavailableError without PyTorch, and UsageError where no model has the name ``settings.model`` and
    for a target PSNR, which the encoder could not know.
    """
    if settings.target_psnr is not None:
        raise UsageError("the PSNR depends on the picture at the decoder: give a quality or a target rate")
    model = STORE.by_name(settings.model or DEFAULT)
    padded = pictures.Padded(pixels, model.card.multiple)
    with model.transforms.threads(settings.threads):
        y = model.transforms.analyse(padded.part, padded.height, padded.width)
        count = pixels.shape[0] * pixels.shape[1]
        return payloads.within(settings, count, lambda level: payloads.write(model, y, level))


def decode(
    payload: bytes,
    width: int,
    height: int,
    channels: int,
    maxval: int,
    threads: int = 1,
    side: Side | None = None,
) -> Pixels:
    """Decode a payload to (height, width, channels), uint8 for maxval 255 and uint16 for 65535.

    side: the decoder's own picture, of the size of this one; depth and channels may differ. One that shows
    something else, as far as can be seen, and that the file does not name, is not used, with a warning; nor
    is any by a model that was trained without.
    Raises SideImageError for another size, CorruptError, or UnavailableError without PyTorch or the model.
    """
    if side is not None and side.pixels.shape[:2] != (height, width):
        there = f"{side.pixels.shape[1]}x{side.pixels.shape[0]}"
        raise SideImageError(f"the side image is {there}, this picture {width}x{height}")
    model, level = payloads.head(payload, STORE)
    if side is not None and model.blind:
        warnings.warn("the file's model knows no side images: decoded without it", SideUnusedWarning, 3)
        side = None
    latents = payloads.read(payload, model, level, width, height)
    lam = float(level_lambdas(model.lambda_range)[level])
    x_latent = latents * (model.inverse[level] / 256)[:, None, None]
    y = None if side is None else pictures.Padded(side.pixels, model.card.multiple)
    out = np.empty((height, width, channels), np.uint8 if maxval == 255 else np.uint16)
    with model.transforms.threads(threads):
        if y is not None and side is not None and not side.named:
            rows, columns, middle = model.transforms.without_y(x_latent, lam)
            if not shows_the_same(middle, y.part(rows, slice(0, y.width)), columns.start):
                warnings.warn("the side image shows something else: decoded without it", SideUnusedWarning, 3)
                y = None
        for rows, columns, samples in model.transforms.reconstruct(x_latent, y, lam):
            pictures.place(out, rows, columns, samples)
    return out


def macs_per_pixel(payload: bytes) -> float:
    """Multiply-accumulates that decoding takes per pixel. Raises CorruptError or UnavailableError."""
    return payloads.head(payload, STORE)[0].macs
