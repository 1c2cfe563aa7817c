"""Alignment of a side picture y with the coded picture x (docs/spec/side.md, sections 1 to 4).

A field says for each block of x where in y it is found; warping y by it gives a prediction of x. The encoder
estimates the field, the file holds it, and both ends warp, in integers, to the same samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ... import _native
from ...errors import UsageError
from ...image import Image
from ..base import Pixels

DEFAULT_RATE = 0.3
COARSEST = 32
"""The largest size of a block, in pixels."""
NOISE_AT_ONE_BIT = 9.0
"""Mean square error, in 8-bit steps, assumed at one bit per pixel."""
USE = 0.6
"""Share of the bits that a prediction could save which the codec is taken to save."""


@dataclass(frozen=True, eq=False)
class Field:
    """Where the blocks of a picture are found in its side picture.

    block_size: 8, 16 or 32 pixels.
    vectors: (rows, columns, 2) int16, x before y, quarter pixels in -4095..4095. The block's sample at (x, y)
        is predicted from (x + vx / 4, y + vy / 4) of the side picture. Zeros where not valid.
    valid: (rows, columns) uint8, 1 or, for a block without a prediction, 0.

    A picture of W x H has ceil(W / block_size) columns and ceil(H / block_size) rows of blocks.
    """

    block_size: int
    vectors: npt.NDArray[np.int16]
    valid: npt.NDArray[np.uint8]

    def __eq__(self, other: object) -> bool:
        """Same blocks."""
        if not isinstance(other, Field):
            return NotImplemented
        return (
            self.block_size == other.block_size
            and np.array_equal(self.vectors, other.vectors)
            and np.array_equal(self.valid, other.valid)
        )

    __hash__ = None  # type: ignore[assignment]  # the arrays can change


def estimate_field(
    x: Pixels, y: Pixels, *, rate: float = DEFAULT_RATE, block_size: int | None = None
) -> Field:
    """Find the field that makes x cheapest to code beside y. Deterministic.

    x, y: (H, W, C) uint8 or uint16, C in {1, 3}; sizes, channels and depths may differ. rate: bits per pixel
    that the file will have, about, 1e-6 to 1e6: the lower, the simpler the field. block_size: 8, 16, 32 or,
    for the best of them, None. Raises UsageError for other arguments, LimitError for a picture past 2^31
    pixels.
    """
    if not 1e-6 <= rate <= 1e6:
        raise UsageError(f"rate is {rate:g}, it must lie in 1e-6..1e6")
    if block_size not in (None, 8, 16, 32):
        raise UsageError(f"block size is {block_size}, it must be 8, 16 or 32")
    return Field(*_native.side_estimate(_checked(x), _checked(y), block_size or 0, noise_at(rate), USE))


def noise_at(rate: float) -> float:
    """The mean square error, in 8-bit steps, that a file of so many bits per pixel is taken to leave.

    It goes with the multiplier of a fit that is expected to end at this rate (``expected_rate``).
    """
    return float(NOISE_AT_ONE_BIT / rate**1.5)


def still_field(width: int, height: int) -> Field:
    """The field of no motion, valid everywhere, for a picture of width x height pixels, each at least 1."""
    rows, columns = (-(-size // COARSEST) for size in (height, width))
    return Field(COARSEST, np.zeros((rows, columns, 2), np.int16), np.ones((rows, columns), np.uint8))


def encode_field(field: Field) -> bytes:
    """Code a field. Raises UsageError if it is not as the description of ``Field`` says."""
    size, (vectors, valid) = field.block_size, _arrays(field)
    rows, columns = valid.shape
    data: bytes = _native.side_encode_field(size, vectors, valid, columns * size, rows * size)
    return data


def decode_field(data: bytes, width: int, height: int) -> Field:
    """Decode the field of a picture of width x height (each at least 1).

    Raises CorruptError, UsageError, or LimitError for a picture past 2^31 pixels.
    """
    return Field(*_native.side_decode_field(data, width, height))


def warp(
    y: Pixels,
    field: Field,
    width: int,
    height: int,
    *,
    channels: int | None = None,
    maxval: int | None = None,
    threads: int = 1,
) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8]]:
    """Predict a picture of width x height from y.

    y: (H, W, C) uint8 or uint16, C in {1, 3}. channels (1 or 3) and maxval (255 or 65535) are those of the
    picture to predict, y's own if None. threads: at least 1, never changes the result.

    Returns (warped, valid): (height, width, channels), uint8 for maxval 255 and uint16 for 65535; and
    (height, width) uint8, 1 where there is a prediction. Elsewhere warped is 0 and means nothing.

    Raises UsageError for arguments out of range or a field that does not fit the size, or LimitError.
    """
    pixels, (vectors, valid) = _checked(y), _arrays(field)
    channels = pixels.shape[2] if channels is None else channels
    maxval = int(np.iinfo(pixels.dtype).max) if maxval is None else maxval
    if channels not in (1, 3) or maxval not in (255, 65535) or threads < 1:
        raise UsageError("channels must be 1 or 3, maxval 255 or 65535, threads at least 1")
    warped: tuple[npt.NDArray[Any], npt.NDArray[np.uint8]] = _native.side_warp(
        pixels, field.block_size, vectors, valid, width, height, channels, maxval, threads
    )
    return warped


def _checked(pixels: Pixels) -> Pixels:
    """C-contiguous samples in the machine's byte order; UsageError if they are not those of a picture."""
    samples: Pixels = np.ascontiguousarray(Image(pixels).pixels)
    return samples.astype(samples.dtype.newbyteorder("="), copy=False)


def _arrays(field: Field) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.uint8]]:
    vectors, valid = np.asarray(field.vectors), np.asarray(field.valid)
    if valid.ndim != 2 or vectors.shape != (*valid.shape, 2) or 0 in valid.shape:
        raise UsageError(f"vectors {vectors.shape} and valid {valid.shape} are not those of one field")
    if vectors.dtype != np.int16 or valid.dtype != np.uint8:
        raise UsageError(f"vectors must be int16 and valid uint8, not {vectors.dtype} and {valid.dtype}")
    return np.ascontiguousarray(vectors), np.ascontiguousarray(valid)
