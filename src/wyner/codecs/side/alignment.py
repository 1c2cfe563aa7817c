"""Alignment of the side picture with the coded one: a field in the file, and the picture that it warps.

Until fields are coded, there is only the empty one: the side picture as it lies.
"""

from __future__ import annotations

import numpy as np

from ...errors import CorruptError
from ..base import Pixels


def field_between(x: Pixels, y: Pixels, align: bool) -> bytes:
    """The coded field that warps ``y`` onto ``x``; without ``align`` that of no motion."""
    return b""


def warp_by(
    y: Pixels, field: bytes, width: int, height: int, channels: int, maxval: int
) -> tuple[Pixels, Pixels]:
    """The side picture warped by a coded field, and where it is valid.

    Returns (height, width, channels), uint8 for maxval 255 and uint16 for 65535, and uint8 (height, width), 1
    or 0. Raises CorruptError for a field that is none of a picture of this size.
    """
    if field:
        raise CorruptError("the field is malformed")
    y = _converted(y, channels, maxval)[:height, :width]
    warped = np.zeros((height, width, channels), y.dtype)
    valid = np.zeros((height, width), np.uint8)
    warped[: y.shape[0], : y.shape[1]] = y
    valid[: y.shape[0], : y.shape[1]] = 1
    return warped, valid


def _converted(y: Pixels, channels: int, maxval: int) -> Pixels:
    wide = y.astype(np.uint32)
    if y.shape[2] != channels:
        grey = (wide[..., :1] + 2 * wide[..., 1:2] + wide[..., -1:] + 2) >> 2 if channels == 1 else wide
        wide = np.repeat(grey, channels, 2)
    if y.dtype == np.uint8 and maxval == 65535:
        wide = wide * 257
    elif y.dtype == np.uint16 and maxval == 255:
        wide = (wide * 255 + 32767) // 65535
    return wide.astype(np.uint8 if maxval == 255 else np.uint16)
