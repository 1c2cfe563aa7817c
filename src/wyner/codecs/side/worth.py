"""Whether a side picture is worth having, by a stand-in for the bits of a picture with it and without.

No codec is run. Each coefficient c of an 8x8 DCT of luma, in 8-bit steps, counts 0.5 log2(1 + c^2 / D) bits,
where D is the mean square error that goes with the rate. The sum is not the size of a file, but the ratio of
two sums tells pictures that belong together from others (docs/decisions/0012-side-fallback.md).
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from ..base import Pixels, Settings, Side
from ..overfit.goal import expected_rate
from . import align

FIXED_BYTES = 50
"""What a file with a useless side picture takes beside its field: its hash, and wider networks."""

_BLOCK = 8
_DCT = np.cos(np.pi / _BLOCK * np.outer(np.arange(_BLOCK), np.arange(_BLOCK) + 0.5)) * np.sqrt(2 / _BLOCK)
_DCT[0] /= np.sqrt(2)


def useful(pixels: Pixels, settings: Settings, side: Side) -> Side | None:
    """The side picture together with its field, or None if ``pixels`` are better coded without it.

    pixels: (H, W, C) uint8 or uint16, C in {1, 3}. Only the mode "full" with alignment is judged; in others
    the side picture comes back as it is.
    """
    if settings.side_mode != "full" or not settings.side_align:
        return side
    height, width, channels = pixels.shape
    rate = expected_rate(settings, width * height)
    field = align.estimate_field(pixels, side.pixels, rate=rate)
    maxval = int(np.iinfo(pixels.dtype).max)
    warped, valid = align.warp(
        side.pixels, field, width, height, channels=channels, maxval=maxval, threads=settings.threads
    )
    coded = align.encode_field(field)
    alone, beside = stand_in(pixels, warped, valid, align.noise_at(rate))
    total = beside + 8 * (len(coded) + FIXED_BYTES)
    return dataclasses.replace(side, field=coded) if total < alone else None


def stand_in(x: Pixels, warped: Pixels, valid: npt.NDArray[np.uint8], noise: float) -> tuple[float, float]:
    """Bits of x alone, and of x beside the warped side picture, each block the cheaper way; no field counted.

    x, warped: (H, W, C) of one dtype, uint8 or uint16, C in {1, 3}. valid: (H, W), 1 where warped is. noise:
    mean square error in 8-bit steps, > 0.
    """
    alone = beside = 0.0
    for top in range(0, len(x), _BLOCK):  # a row of blocks at a time, so that memory does not count
        rows = np.s_[top : top + _BLOCK]
        own = _luma(x[rows])
        predicted = np.where(valid[rows] == 1, _luma(warped[rows]), own.mean())
        bits, bits_left = _block_bits(own, noise), _block_bits(own - predicted, noise)
        alone += float(bits.sum())
        beside += float(np.minimum(bits, bits_left).sum())
    return alone, beside


def _luma(pixels: Pixels) -> npt.NDArray[np.float64]:
    """(H, W) in 8-bit steps."""
    weights = np.ones(1) if pixels.shape[2] == 1 else np.array([0.299, 0.587, 0.114])
    luma: npt.NDArray[np.float64] = pixels @ (weights * (255 / np.iinfo(pixels.dtype).max))
    return luma


def _block_bits(rows: npt.NDArray[np.float64], noise: float) -> npt.NDArray[np.float64]:
    """Bits of each block of one row of them, (up to 8, W); means count by their difference to the left."""
    height, width = rows.shape
    padded = np.pad(rows, ((0, _BLOCK - height), (0, -width % _BLOCK)), mode="edge")
    c = _DCT @ padded.reshape(_BLOCK, -1, _BLOCK).swapaxes(0, 1) @ _DCT.T
    c[1:, 0, 0] = np.diff(c[:, 0, 0])
    bits: npt.NDArray[np.float64] = 0.5 * np.log2(1 + c * c / noise).sum((1, 2))
    return bits
