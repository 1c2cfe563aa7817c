"""Strict Wyner-Ziv decoding: a picture whose encoder never saw y, refined by y (docs/spec/refine.md).

The decoder aligns y to the decoded picture by itself and fuses the two with fixed filters, chosen for each
pixel by how well the two agree there. Nothing is sent, and the file decodes without y.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ... import _native
from ..base import Pixels
from .align import USE, Field, warp

Int16s = npt.NDArray[np.int16]
View = tuple[npt.NDArray[Any], npt.NDArray[np.uint8]]
"""A warped side picture, (H, W, C), and where it is valid, (H, W) uint8."""

LUMA_TAPS, CHROMA_TAPS = 76, 28
"""Coefficients of a filter."""
LEAST_NOISE, MOST_NOISE = 1.0, 5000.0


@dataclass(frozen=True)
class Alignment:
    """How a stage aligns y.

    block_size: 8, 16 or 32 pixels. blur: 3x3 binomial filters of y before matching, as a coded picture lacks
    detail. noise: mean square error, in 8-bit steps, expected at one bit per pixel.
    """

    block_size: int
    blur: int
    noise: float


@dataclass(frozen=True, eq=False)
class Stage:
    """One round of alignment and fusion.

    alignments: two. grades: ascending thresholds of ``grade``. levels: ascending thresholds of the four
    features that make the class of a pixel. luma: (grades, classes, 76), chroma: (grades, classes, 28)
    int16, filters in 1/4096.
    """

    alignments: tuple[Alignment, ...]
    grades: tuple[int, ...]
    levels: tuple[tuple[int, ...], ...]
    luma: Int16s
    chroma: Int16s


def refine(
    pixels: Pixels, y: Pixels, stages: Sequence[Stage], payload_bytes: int, threads: int = 1
) -> Pixels:
    """Bring a decoded picture nearer to the original by a side picture.

    pixels, y: (H, W, C) uint8 or uint16, C in {1, 3}; sizes, channels and depths may differ. payload_bytes:
    size of what was decoded, >= 1. The result, like ``pixels``, does not depend on ``threads``.
    Raises UsageError or LimitError.
    """
    bpp = 8 * payload_bytes / (pixels.shape[0] * pixels.shape[1])
    grades = [grade(pixels, payload_bytes, stage.grades) for stage in stages]
    for stage, chosen in zip(stages, grades, strict=True):
        found = views(pixels, y, stage.alignments, bpp, threads)
        if unrelated(found):
            break
        pixels = _native.side_fuse(
            pixels,
            [v[0] for v in found],
            [v[1] for v in found],
            [list(thresholds) for thresholds in stage.levels],
            stage.luma[chosen],
            stage.chroma[chosen],
            threads,
        )
    return pixels


def unrelated(found: Sequence[View]) -> bool:
    """Whether the views seem not to show the picture's scene: too little of the finer one is valid.

    On stereo pairs at least 0.90 of it was valid; with pictures of other places, similar ones too, 0.86 at most
    and mostly under 0.6.
    """
    return int(np.count_nonzero(found[1][1])) * 4 < found[1][1].size * 3


def grade(pixels: Pixels, payload_bytes: int, thresholds: Sequence[int]) -> int:
    """How coarsely a decoded picture was coded, 0 for the finest, up to the number of thresholds.

    The ratio of its detail, to the fourth, to its bits, to the third, goes with the square error it was left.
    """
    detail, bits = _native.side_detail(pixels), 8 * payload_bytes
    scale = pixels.shape[0] * pixels.shape[1] * bits**3
    return sum(detail**4 >= threshold * scale for threshold in thresholds)


def views(
    pixels: Pixels, y: Pixels, alignments: Sequence[Alignment], bpp: float, threads: int = 1
) -> list[View]:
    """The side picture warped onto a decoded picture, once for each way of aligning them."""
    height, width, channels = pixels.shape
    maxval = int(np.iinfo(pixels.dtype).max)

    def view(alignment: Alignment) -> View:
        noise = min(max(alignment.noise / bpp, LEAST_NOISE), MOST_NOISE)
        field = Field(
            *_native.side_estimate(pixels, blurred(y, alignment.blur), alignment.block_size, noise, USE)
        )
        return warp(y, field, width, height, channels=channels, maxval=maxval)

    if threads == 1:
        return [view(alignment) for alignment in alignments]
    with ThreadPoolExecutor(min(threads, len(alignments))) as pool:
        return list(pool.map(view, alignments))


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
