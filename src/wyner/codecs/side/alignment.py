"""Alignment of the side picture with the coded one, as bytes of the payload."""

from __future__ import annotations

import numpy as np

from ..base import Pixels
from .align import Field, decode_field, encode_field, estimate_field, warp

_COARSEST = 32


def field_between(x: Pixels, y: Pixels, rate: float | None) -> bytes:
    """The coded field that warps ``y`` onto ``x``; that of no motion without a ``rate``.

    x, y: (H, W, C) uint8 or uint16, of any sizes. rate: bits per pixel of the file, about, > 0.
    """
    if rate is not None:
        return encode_field(estimate_field(x, y, rate=rate))
    rows, columns = (-(-size // _COARSEST) for size in x.shape[:2])
    return encode_field(
        Field(_COARSEST, np.zeros((rows, columns, 2), np.int16), np.ones((rows, columns), np.uint8))
    )


def warp_by(
    y: Pixels, field: bytes, width: int, height: int, channels: int, maxval: int, threads: int
) -> tuple[Pixels, Pixels]:
    """The side picture warped by a coded field, and where it is valid.

    Returns (height, width, channels), uint8 for maxval 255 and uint16 for 65535, and uint8 (height, width), 1
    or 0. Raises CorruptError for a field that is none of a picture of this size.
    """
    decoded = decode_field(field, width, height)
    return warp(y, decoded, width, height, channels=channels, maxval=maxval, threads=threads)
