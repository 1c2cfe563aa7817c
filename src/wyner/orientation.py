"""EXIF orientation: found in raw EXIF bytes, applied to samples once, then recorded as upright."""

from __future__ import annotations

import dataclasses
import re
import struct
from typing import Any

import numpy as np
import numpy.typing as npt

from .image import Image

_TAG = 0x0112
_SHORT = 3
_XMP_ORIENTATION = re.compile(rb"""(tiff:Orientation(?:\s*=\s*["']|>))[2-8]""")


def upright(image: Image) -> Image:
    """Turn and mirror the samples as the EXIF orientation tells, and set that tag to 1 in EXIF and XMP."""
    found = _find(image.exif)
    if image.exif is None or found is None or found[1] == 1:
        return image
    at, orientation = found
    order = "<H" if image.exif[:2] == b"II" else ">H"
    exif = image.exif[:at] + struct.pack(order, 1) + image.exif[at + 2 :]
    xmp = image.xmp and _XMP_ORIENTATION.sub(rb"\g<1>1", image.xmp)
    alpha = None if image.alpha is None else _turn(image.alpha, orientation)
    return dataclasses.replace(
        image, pixels=_turn(image.pixels, orientation), alpha=alpha, exif=exif, xmp=xmp
    )


def orientation(exif: bytes | None) -> int:
    """The orientation, 1..8, that EXIF bytes (from the TIFF header on) tell; 1 when they tell none."""
    found = _find(exif)
    return 1 if found is None else found[1]


def _find(exif: bytes | None) -> tuple[int, int] | None:
    """(position of the value, value 1..8) of the orientation in IFD0; None when absent or malformed."""
    if exif is None or exif[:2] not in (b"II", b"MM"):
        return None
    order = "<" if exif[:2] == b"II" else ">"
    try:
        magic, start = struct.unpack_from(order + "HI", exif, 2)
        (count,) = struct.unpack_from(order + "H", exif, start)
        for index in range(count):
            at = start + 2 + 12 * index
            tag, kind, values = struct.unpack_from(order + "HHI", exif, at)
            if tag == _TAG:
                (value,) = struct.unpack_from(order + "H", exif, at + 8)
                usable = magic == 42 and kind == _SHORT and values == 1 and 1 <= value <= 8
                return (at + 8, value) if usable else None
    except struct.error:
        pass
    return None


def _turn(array: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    if orientation >= 5:
        array = array.swapaxes(0, 1)
    # After the transposition of 5..8: 5 = as is, 6 = mirrored, 7 = both, 8 = upside down.
    flip_columns = orientation in (2, 3, 6, 7)
    flip_rows = orientation in (3, 4, 7, 8)
    return np.ascontiguousarray(array[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1])
