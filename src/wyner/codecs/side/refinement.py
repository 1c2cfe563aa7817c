"""Strict Wyner-Ziv decoding: a picture whose encoder never saw y, refined by y (docs/spec/refine.md).

     x_hat ---+--> coarse field --> range of displacements --> soft match, twice --+
              |                                                                    |
     y ------ | --> fine field --> warped y ---------------------------------------+--> network --> change
              |                                                                    |
              +--------------------------------------------------------------------+

The decoder finds by itself where y shows what the decoded picture shows. Nothing is sent, and the file
decodes without y. A soft match weighs all displacements by how likely they are, so where nothing fits well
its result is a mean with a large variance, which the network has learnt not to trust.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ... import _native
from ..base import Pixels
from .align import USE, Field, warp

Planes = npt.NDArray[np.int16]
Layer = tuple[npt.NDArray[np.int16], npt.NDArray[np.int32], int]
"""Weights (outputs, inputs, 3, 3), biases (outputs,) in units of the sums, and the shift of the sums."""

INPUTS = 17
"""Planes that the network takes."""
LEAST_VALID = 0.8
"""Share of the fine field's blocks that must find something in y, or the two are not taken for one scene."""
MARGIN = 6
"""Displacements looked at beyond those of nearly all blocks, in pixels."""
SMALL = 1 << 17
"""Pictures of at most so many pixels are matched in cells of 2x2 pixels, larger ones of 4x4, or more."""
MOST_BELIEFS = 1 << 24
"""Cells times displacements; with more, cells are made larger, and then displacements fewer."""
LARGEST_CELL = 32


@dataclass(frozen=True)
class Alignment:
    """How a field is estimated between a decoded picture and y.

    block_size: 8, 16 or 32 pixels. blur: 3x3 binomial filters of y before matching, as a coded picture lacks
    detail. noise: mean square error, in 8-bit steps, expected at one bit per pixel.
    """

    block_size: int
    blur: int
    noise: float


COARSE, FINE = Alignment(16, 3, 30.0), Alignment(8, 1, 15.0)
SOFT = ((3, 150), (1, 40))
"""Blur and temperature of the soft matches."""


def refine(
    pixels: Pixels, y: Pixels, layers: Sequence[Layer], payload_bytes: int, threads: int = 1
) -> Pixels:
    """Bring a decoded picture nearer to the original by a side picture.

    pixels, y: (H, W, C) uint8 or uint16, C in {1, 3}; sizes, channels and depths may differ. payload_bytes:
    size of what was decoded, >= 1. Returns a picture like ``pixels``: itself, if y does not seem to show the
    same scene. Does not depend on ``threads``. Raises UsageError or LimitError.
    """
    planes = network_inputs(pixels, y, payload_bytes, threads)
    if planes is None:
        return pixels
    change = _native.side_restore(planes, grade(planes, payload_bytes), list(layers), threads)
    return changed(pixels, change)


def network_inputs(
    pixels: Pixels, y: Pixels, payload_bytes: int, threads: int = 1, least_valid: float = LEAST_VALID
) -> Planes | None:
    """What the network is given, (INPUTS, H, W) int16 (section 5).

    None if less than ``least_valid`` of the fine field, or nothing of the coarse one, is valid (section 2).
    """
    height, width, channels = pixels.shape
    rate = 8 * payload_bytes / (height * width)
    coarse, fine = (estimate(pixels, y, alignment, rate) for alignment in (COARSE, FINE))
    if fine.valid.mean() < least_valid or not coarse.valid.any():
        return None
    own, looked_at = colour_planes(pixels), search(coarse, height, width)
    planes = np.zeros((INPUTS, height, width), np.int16)
    planes[:3] = own
    planes[0] -= 2048
    for first, (blur, temperature) in zip((3, 8), SOFT, strict=True):
        found = _native.side_soft_match(pixels, y, *looked_at, blur, temperature, threads)
        planes[first : first + 3] = difference(found[:channels], own, y.shape[2])
        planes[first + 3 : first + 5] = np.minimum(16 * found[channels:].astype(np.int32), 32767)
    maxval = int(np.iinfo(pixels.dtype).max)
    warped, valid = warp(y, fine, width, height, channels=channels, maxval=maxval, threads=threads)
    planes[13:16] = difference(colour_planes(warped), own, y.shape[2]) * valid
    planes[16] = 1024 * valid.astype(np.int16)
    return planes


def estimate(pixels: Pixels, y: Pixels, alignment: Alignment, rate: float) -> Field:
    """The field between a decoded picture of ``rate`` bits per pixel and y (section 2)."""
    noise = min(max(alignment.noise / rate, 1.0), 5000.0)
    return Field(*_native.side_estimate(pixels, blurred(y, alignment.blur), alignment.block_size, noise, USE))


def blurred(y: Pixels, times: int) -> npt.NDArray[np.uint16]:
    """The luma of y in 16 bits, (H, W, 1), filtered so many times by the 3x3 binomial, edges repeated."""
    samples = y.astype(np.int32) * (257 if y.dtype == np.uint8 else 1)
    plane = samples[..., 0]
    if y.shape[2] == 3:
        plane = (77 * plane + 150 * samples[..., 1] + 29 * samples[..., 2] + 128) >> 8
    for _ in range(times):
        p = np.pad(plane, 1, mode="edge")
        rows = p[:, :-2] + 2 * p[:, 1:-1] + p[:, 2:]
        plane = (rows[:-2] + 2 * rows[1:-1] + rows[2:] + 8) >> 4
    return plane.astype(np.uint16)[..., None]


def search(field: Field, height: int, width: int) -> tuple[int, int, int, int]:
    """What a soft match looks at: least and largest horizontal displacement, the vertical one, all in pixels,
    and the side of the squares of pixels that share probabilities (section 3).
    """
    across, down = (np.sort(field.vectors[..., k][field.valid == 1]) for k in (0, 1))
    rank, middle = len(across) // 50, len(across) // 2
    low, high = (int(across[rank]) >> 2) - MARGIN, -(-int(across[-1 - rank]) >> 2) + MARGIN
    cell = 2 if height * width <= SMALL else 4
    while cell < LARGEST_CELL and _cells(height, width, cell) * (high - low + 1) > MOST_BELIEFS:
        cell *= 2
    most = max(MOST_BELIEFS // _cells(height, width, cell), 1)
    if high - low >= most:
        low = min(max(low, (int(across[middle]) >> 2) - most // 2), high - most + 1)
        high = low + most - 1
    return low, high, (int(down[middle]) + 2) >> 2, cell


def _cells(height: int, width: int, cell: int) -> int:
    return -(-height // cell) * -(-width // cell)


def colour_planes(pixels: Pixels) -> npt.NDArray[np.int32]:
    """Y, Co and Cg, (3, H, W), in units of 1/4096 of the range; of grey Co and Cg are 0 (section 1)."""
    maxval = int(np.iinfo(pixels.dtype).max)
    t = (4096 * pixels.astype(np.int32) + maxval // 2) // maxval
    if pixels.shape[2] == 1:
        return np.stack([t[..., 0], np.zeros_like(t[..., 0]), np.zeros_like(t[..., 0])])
    red, green, blue = t[..., 0], t[..., 1], t[..., 2]
    return np.stack([(red + 2 * green + blue + 2) >> 2, red - blue, (2 * green - red - blue) >> 1])


def difference(
    seen: npt.NDArray[Any], own: npt.NDArray[np.int32], side_channels: int
) -> npt.NDArray[np.int32]:
    """What is seen less what was decoded, (3, H, W); 0 in colours that one of the two lacks."""
    found = np.zeros_like(own)
    channels = min(len(seen), side_channels)
    found[:channels] = seen[:channels] - own[:channels]
    return found


def grade(planes: Planes, payload_bytes: int) -> int:
    """How coarsely a picture was coded, about 1/1024 of an octave of error, -32768..32767 (section 5).

    The ratio of detail, to the fourth, to bits, to the third, goes with the square error that coding left.
    """
    luma = planes[0].astype(np.int64)
    detail = int(np.abs(np.diff(luma, axis=0)).sum() + np.abs(np.diff(luma, axis=1)).sum())
    ratio = max((detail**4 << 64) // (luma.size * (8 * payload_bytes) ** 3), 1)
    whole = ratio.bit_length() - 1
    level = 256 * (whole - 64) + ((ratio << 8) >> whole) - 256
    return min(max((level >> 2), -32768), 32767)


def changed(pixels: Pixels, change: Planes) -> Pixels:
    """A picture whose planes are changed so, clamped to its range (section 7)."""
    maxval = int(np.iinfo(pixels.dtype).max)
    y, co, cg = change.astype(np.int64)
    twice = np.stack(
        [2 * y] if pixels.shape[2] == 1 else [2 * y - cg + co, 2 * y + cg, 2 * y - cg - co], axis=-1
    )
    moved = pixels + ((twice * maxval + 4096) >> 13)
    return np.clip(moved, 0, maxval).astype(pixels.dtype)
