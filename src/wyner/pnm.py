"""Binary PGM and PPM: reading those of more than 8 bits, which Pillow would reduce, and writing all."""

from __future__ import annotations

import re

import numpy as np

from .container import Limits
from .errors import CorruptError, UnsupportedError
from .image import Image

_GAP = rb"(?:\s|#[^\n\r]*[\n\r])+"
_HEADER = re.compile(rb"P([56])" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,5})\s")


def is_16_bit(data: bytes) -> bool:
    """Whether ``data`` begins like a binary PGM or PPM file with two bytes a sample."""
    match = _HEADER.match(data[:4096])
    return match is not None and int(match[4]) > 255


def decode(data: bytes, limits: Limits) -> Image:
    """Decode a file for which ``is_16_bit`` holds; samples are scaled to 0..65535."""
    match = _HEADER.match(data[:4096])
    if match is None:
        raise CorruptError("the PNM header is malformed")
    planes = 3 if match[1] == b"6" else 1
    width, height, maxval = int(match[2]), int(match[3]), int(match[4])
    if width == 0 or height == 0 or not 256 <= maxval <= 65535:
        raise CorruptError("the PNM header is malformed")
    limits.check_size(width, height)
    count = width * height * planes
    if len(data) < match.end() + 2 * count:
        raise CorruptError("the PNM file is truncated")
    samples = np.frombuffer(data, ">u2", count, match.end()).astype(np.uint16)
    if maxval != 65535:
        if samples.max() > maxval:
            raise CorruptError(f"the PNM file has samples over its greatest value {maxval}")
        samples = ((samples.astype(np.uint32) * 65535 + maxval // 2) // maxval).astype(np.uint16)
    return Image(samples.reshape(height, width, planes))


def encode(image: Image) -> bytes:
    """A P5 (grey) or P6 (RGB) file of the image's own depth; metadata has no place in it."""
    if image.alpha is not None:
        raise UnsupportedError("PGM and PPM files hold no alpha; write PNG, TIFF or WebP")
    kind = "P5" if image.channels == 1 else "P6"
    header = f"{kind}\n{image.width} {image.height}\n{image.maxval}\n".encode("ascii")
    return header + np.ascontiguousarray(image.pixels, image.pixels.dtype.newbyteorder(">")).tobytes()
