"""Fusion of a decoded picture with warped side pictures, written from docs/spec/refine.md: the oracle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Samples = npt.NDArray[Any]

UNKNOWN = 512
LUMA_REACH, CHROMA_REACH, MEAN_REACH, FEATURE_REACH, REGION_REACH = 2, 1, 5, 3, 24


def planes(pixels: Samples) -> list[Ints]:
    """Section 1: Y, or Y, Co and Cg, of (H, W, C) samples, in units of 1/4096 of the range."""
    maxval = int(np.iinfo(pixels.dtype).max)
    t = (4096 * pixels.astype(np.int64) + maxval // 2) // maxval
    if pixels.shape[2] == 1:
        return [t[..., 0]]
    red, green, blue = t[..., 0], t[..., 1], t[..., 2]
    return [(red + 2 * green + blue + 2) >> 2, red - blue, (2 * green - red - blue) >> 1]


def smooth(plane: Ints) -> Ints:
    """The 3x3 binomial mean, edges repeated."""
    p = np.pad(plane, 1, mode="edge")
    rows = p[:, :-2] + 2 * p[:, 1:-1] + p[:, 2:]
    return (rows[:-2] + 2 * rows[1:-1] + rows[2:] + 8) >> 4


def box(plane: Ints, reach: int) -> Ints:
    """Means of squares of 2 reach + 1 samples each way, edges repeated."""
    n = 2 * reach + 1
    p = np.pad(plane, reach, mode="edge")
    total = np.zeros((p.shape[0] + 1, p.shape[1] + 1), np.int64)
    total[1:, 1:] = p.cumsum(0).cumsum(1)
    sums = total[n:, n:] - total[:-n, n:] - total[n:, :-n] + total[:-n, :-n]
    return (2 * sums + n * n) // (2 * n * n)


def window(plane: Ints, reach: int) -> list[Ints]:
    """The plane moved by every offset of a square, row by row."""
    height, width = plane.shape
    p = np.pad(plane, reach, mode="edge")
    moves = range(2 * reach + 1)
    return [p[i : i + height, j : j + width] for i in moves for j in moves]


def differences(x: list[Ints], warped: Samples, valid: Samples) -> list[Ints]:
    """Section 2: warped less x in each plane, 0 where there is no prediction."""
    return [np.where(valid > 0, w - p, 0) for w, p in zip(planes(warped), x, strict=True)]


def mismatch(luma: Ints, valid: Samples) -> Ints:
    """Section 3: how far a warped picture seems to be from x, of its luma differences."""
    error = np.abs(smooth(luma) - box(luma, MEAN_REACH))
    return np.where(valid > 0, error, UNKNOWN)


def classes(x: Ints, luma: Sequence[Ints], valid: Sequence[Samples], levels: Sequence[Sequence[int]]) -> Ints:
    """Section 3: the class of each pixel. luma: differences of the two warped pictures."""
    first, second = (mismatch(d, v) for d, v in zip(luma, valid, strict=True))
    predicted = x + luma[0]
    detail = np.abs(predicted - smooth(predicted))
    features = [
        box(np.where(valid[1] > 0, 0, 256), REGION_REACH),
        box(first, FEATURE_REACH),
        box(second, FEATURE_REACH),
        box(detail, FEATURE_REACH),
    ]
    index = np.zeros(x.shape, np.int64)
    for feature, thresholds in zip(features, levels, strict=True):
        index = index * (len(thresholds) + 1) + np.searchsorted(np.asarray(thresholds), feature, side="right")
    return index


def regressors(x: Ints, moved: Sequence[Ints], reach: int) -> list[Ints]:
    """Section 4: what the filter of a plane is applied to, in the order of its coefficients."""
    found: list[Ints] = []
    for d in moved:
        found += [*window(d, reach), box(d, MEAN_REACH)]
    around = window(x, reach)
    middle = len(around) // 2
    return found + [a - x for a in around[:middle] + around[middle + 1 :]]


def grade(pixels: Samples, payload_bytes: int, thresholds: Sequence[int]) -> int:
    """Section 6: how coarsely a decoded picture was coded, 0 for the finest, by its detail and its rate."""
    x = planes(pixels)[0]
    detail = int(np.abs(np.diff(x, axis=0)).sum() + np.abs(np.diff(x, axis=1)).sum())
    scale = x.size * (8 * payload_bytes) ** 3
    return sum(detail**4 >= threshold * scale for threshold in thresholds)


def fuse(
    pixels: Samples,
    warped: Sequence[Samples],
    valid: Sequence[Samples],
    levels: Sequence[Sequence[int]],
    luma_filters: Samples,
    chroma_filters: Samples,
) -> Samples:
    """Sections 1 to 5: one stage.

    pixels, warped: (H, W, C); valid: (H, W); filters: (classes, taps) int16.
    """
    x = planes(pixels)
    moved = [differences(x, w, v) for w, v in zip(warped, valid, strict=True)]
    chosen = classes(x[0], [m[0] for m in moved], valid, levels)
    change = []
    for c, plane in enumerate(x):
        reach, filters = (CHROMA_REACH, chroma_filters) if c else (LUMA_REACH, luma_filters)
        total = np.full(plane.shape, 2048, np.int64)
        for k, r in enumerate(regressors(plane, [m[c] for m in moved], reach)):
            total += filters[chosen, k].astype(np.int64) * r
        change.append(total >> 12)
    return _changed(pixels, change)


def _changed(pixels: Samples, change: list[Ints]) -> Samples:
    """Section 5: the picture with its planes changed so."""
    maxval = int(np.iinfo(pixels.dtype).max)
    if len(change) == 1:
        twice = [2 * change[0]]
    else:
        y, co, cg = change
        twice = [2 * y - cg + co, 2 * y + cg, 2 * y - cg - co]
    moved = pixels + ((np.stack(twice, -1) * maxval + 4096) >> 13)
    return np.clip(moved, 0, maxval).astype(pixels.dtype)
