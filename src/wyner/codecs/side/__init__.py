"""The overfit codec with a side picture that encoder and decoder hold (docs/spec/side.md).

The side picture, aligned block by block, is an input of the synthesis and of the entropy model. The latents
and networks that are fitted then hold what it does not tell.
"""

from __future__ import annotations

import dataclasses

from ... import _native
from ...errors import SideImageError, UsageError
from ..base import Pixels, ProgressCallback, Settings, Side
from ..overfit.fit import fit_and_code
from ..overfit.goal import expected_rate
from ..overfit.model import payload_macs_per_pixel
from ..overfit.stream import Picture
from . import align
from .inputs import EXTRAS, Inputs, WarpedInputs, check_of, latent_inputs
from .payload import Head, parse, write
from .worth import useful as useful

CODEC_ID = 2
VERSION = 1
TAKES_SIDE = True
OPTIONS = ("side_mode", "side_align")
EXACT_PIXELS = True
LOSSLESS = False
SIDE_AT_DECODER = False


def encode(
    pixels: Pixels, settings: Settings, progress: ProgressCallback | None = None, *, side: Side
) -> bytes:
    """Fit the codec to ``pixels``, (H, W, C) uint8 or uint16 with C in {1, 3}, given the side picture.

    The same pixels, side picture, settings and instruction set give the same bytes for any number of threads.
    Raises SideImageError in mode "latents" if the side picture came without a payload, FloatingPointError if
    the fit diverges, and whatever ``progress`` raises.
    """
    if settings.side_mode == "latents":
        field = check_of(side)
    else:
        field = side.field or align.encode_field(_field(pixels, side.pixels, settings))
    head = Head(settings.side_mode, field)
    start = write(head)
    settings = dataclasses.replace(settings, overhead_bytes=settings.overhead_bytes + len(start))
    height, width, channels = pixels.shape
    maxval = 255 if pixels.itemsize == 1 else 65535
    inputs = _inputs(head, side, width, height, channels, maxval, settings.threads)
    picture = Picture(pixels, inputs.full, inputs.half, inputs.gain(pixels))
    return start + fit_and_code(picture, settings, progress).payloads[0]


def decode(
    payload: bytes, width: int, height: int, channels: int, maxval: int, threads: int = 1, *, side: Side
) -> Pixels:
    """Decode a payload to (height, width, channels), uint8 for maxval 255 and uint16 for 65535.

    Raises CorruptError, UnsupportedError, or SideImageError if the payload is of another side picture.
    """
    head, rest = parse(payload)
    if head.mode == "latents" and check_of(side) != head.field:
        raise SideImageError("the side image's file is not the one that this file was made with")
    inputs = _inputs(head, side, width, height, channels, maxval, threads)
    decoded: Pixels = _native.overfit_decode(rest, width, height, channels, maxval, threads, inputs.full)
    return decoded


def aligned(
    payload: bytes, width: int, height: int, channels: int, maxval: int, threads: int = 1, *, side: Side
) -> Pixels:
    """The side picture as the payload aligns it with the picture, 0 where nothing is known; to look at.

    Returns (height, width, channels), uint8 for maxval 255 and uint16 for 65535. Raises UsageError for a
    payload of mode "latents", and as ``decode``.
    """
    head, _ = parse(payload)
    if head.mode == "latents":
        raise UsageError("this file aligns no side picture")
    return _warped(head, side, width, height, channels, maxval, threads)[0]


def macs_per_pixel(payload: bytes) -> float:
    """Multiply-accumulates per pixel of decoding. Raises CorruptError or UnsupportedError."""
    head, rest = parse(payload)
    return payload_macs_per_pixel(rest, EXTRAS[head.mode])


def _inputs(
    head: Head, side: Side, width: int, height: int, channels: int, maxval: int, threads: int
) -> Inputs:
    if head.mode == "latents":
        return latent_inputs(side, width, height)
    warped, valid = _warped(head, side, width, height, channels, maxval, threads)
    return WarpedInputs(warped, valid, head.mode == "full")


def _field(x: Pixels, y: Pixels, settings: Settings) -> align.Field:
    height, width = x.shape[:2]
    if not settings.side_align:
        return align.still_field(width, height)
    return align.estimate_field(x, y, rate=expected_rate(settings, width * height))


def _warped(
    head: Head, side: Side, width: int, height: int, channels: int, maxval: int, threads: int
) -> tuple[Pixels, Pixels]:
    field = align.decode_field(head.field, width, height)
    return align.warp(side.pixels, field, width, height, channels=channels, maxval=maxval, threads=threads)
