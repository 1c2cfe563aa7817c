"""Refinement by a side picture at the decoder, from docs/spec/refine.md: the oracle of native code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Samples = npt.NDArray[Any]

REACH, LEAST_WEIGHT, SCALE, STRIPES = 2, 4, 4096, 8
TABLE = np.cumprod(np.concatenate([[1.0], np.full(147, 0.93941306281347581)])).astype(np.float32)


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
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(plane, reach, mode="edge"), (n, n))
    return mean(windows.sum((2, 3)), n * n)


def mean(total: Any, count: Any) -> Any:
    """A quotient rounded to the nearest integer, halves up."""
    return (2 * total + count) // (2 * count)


def contrast(luma: Ints, blur: int = 0) -> Ints:
    """Section 4: twice a 10-bit luma, filtered so many times, less its local mean."""
    for _ in range(blur):
        luma = smooth(luma)
    return 2 * luma - box(luma, 5)


def costs(x: Ints, z: Ints, low: int, high: int, vertical: int, cell: int) -> Ints:
    """Section 4: (rows, columns, labels) of contrasts x and z."""
    height, width = x.shape
    rows, columns, side = -(-height // cell), -(-width // cell), cell + 2 * REACH
    down = np.minimum(np.arange(-REACH, rows * cell + REACH), height - 1)
    across = np.arange(-REACH, columns * cell + REACH)
    own = x[np.clip(down, 0, None)][:, np.clip(across, 0, width - 1)]
    found = np.empty((rows, columns, high - low + 1), np.int64)
    for index, label in enumerate(range(low, high + 1)):
        at = np.clip(down + vertical, 0, z.shape[0] - 1)
        squares = (own - z[at][:, np.clip(across + label, 0, z.shape[1] - 1)]) ** 2
        for j in range(rows):
            lines = squares[j * cell : j * cell + side].sum(0) >> 4
            for i in range(columns):
                found[j, i, index] = lines[i * cell : i * cell + side].sum()
    return found


def spread(p: Floats) -> Floats:
    """Section 4, messages, of p (..., padded labels)."""
    stripes = np.zeros((*p.shape[:-1], STRIPES), np.float32)
    for k in range(0, p.shape[-1], STRIPES):
        stripes = stripes + p[..., k : k + STRIPES]
    total = np.zeros(p.shape[:-1], np.float32)
    for k in range(STRIPES):
        total = total + stripes[..., k]
    q = np.pad(p, [(0, 0)] * (p.ndim - 1) + [(2, 2)])
    near = np.float32(0.6) * p + np.float32(0.15) * (q[..., 1:-3] + q[..., 3:-1])
    near = near + np.float32(0.03) * (q[..., :-4] + q[..., 4:])
    found: Floats = near * (np.float32(1) / total)[..., None] + np.float32(0.02) / np.float32(p.shape[-1])
    return found


def beliefs(likelihood: Floats) -> Floats:
    """Section 4: likelihoods (rows, columns, padded labels) times the messages from four sides."""
    product = likelihood.copy()
    for turned in (False, True):
        own, result = ((a.swapaxes(0, 1) if turned else a) for a in (likelihood, product))
        for way in (1, -1):
            p, r = own[:, ::way], result[:, ::way]
            message = spread(p[:, 0])
            for i in range(1, p.shape[1]):
                r[:, i] *= message
                message = spread(p[:, i] * message)
    return product


def expectation(
    belief: Floats,
    least: Ints,
    labels: Sequence[int],
    vertical: int,
    cell: int,
    side: list[Ints],
    shape: tuple[int, int],
) -> list[Ints]:
    """Section 4: E of each plane of ``side``, V and M, for a picture of ``shape``."""
    height, width = shape
    weights = np.zeros((height, width), np.int64)
    sums, squares, mismatch = (
        [np.zeros_like(weights) for _ in side],
        np.zeros_like(weights),
        np.zeros_like(weights),
    )
    window = cell + 2 * REACH
    tent = np.concatenate([np.arange(1, 2 * cell, 2), np.arange(2 * cell - 1, 0, -2)])
    for j, i in np.ndindex(*belief.shape[:2]):
        p = belief[j, i, : len(labels)]
        w = (p * (np.float32(255) / p.max())).astype(np.int64)
        w[w < LEAST_WEIGHT] = 0
        w = SCALE * w // w.sum()
        rows, columns = (np.arange(k * cell - cell // 2, k * cell + cell + cell // 2) for k in (j, i))
        inside = np.ix_((rows >= 0) & (rows < height), (columns >= 0) & (columns < width))
        own = np.multiply.outer(tent, tent)[inside]
        rows, columns = rows[(rows >= 0) & (rows < height)], columns[(columns >= 0) & (columns < width)]
        at = np.ix_(rows, columns)
        mismatch[at] += own * SCALE * least[j, i]
        for weight, label in zip(w, labels, strict=True):
            if weight == 0:
                continue
            there = np.ix_(
                np.clip(rows + vertical, 0, side[0].shape[0] - 1),
                np.clip(columns + label, 0, side[0].shape[1] - 1),
            )
            weights[at] += own * weight
            for total, plane in zip(sums, side, strict=True):
                total[at] += own * weight * plane[there]
            squares[at] += own * weight * (side[0][there] >> 2) ** 2
    variance = np.maximum(0, mean(squares, weights) - mean(sums[0], 4 * weights) ** 2)
    error = (mismatch / (weights * (window * window / 4))).astype(np.int64)
    roots = [np.minimum(np.floor(np.sqrt(v)), 32767).astype(np.int64) for v in (variance, error)]
    return [mean(total, weights) for total in sums] + roots


def soft_match(
    x: Ints,
    z: Ints,
    side: list[Ints],
    low: int,
    high: int,
    vertical: int,
    cell: int,
    blur: int,
    temperature: int,
) -> list[Ints]:
    """Section 4, of the 10-bit luma x of the picture and z of y, and the planes of y."""
    found = costs(contrast(x), contrast(z, blur), low, high, vertical, cell)
    least = found.min(2)
    window = cell + 2 * REACH
    factor = np.float32(8 / (4.0 * window * window * temperature))
    steps = np.minimum((found - least[..., None]).astype(np.float32) * factor, np.float32(147))
    likelihood = np.pad(TABLE[steps.astype(np.int64)], [(0, 0), (0, 0), (0, -found.shape[2] % STRIPES)])
    shape = (x.shape[0], x.shape[1])
    return expectation(beliefs(likelihood), least, range(low, high + 1), vertical, cell, side, shape)


def restore(planes: Ints, level: int, layers: Sequence[tuple[Samples, Samples, int]]) -> Ints:
    """Section 6: (count, H, W) to (outputs / 4, H, W)."""
    count, height, width = planes.shape
    even = np.pad(planes, [(0, 0), (0, height % 2), (0, width % 2)], mode="edge").astype(np.int64)
    parts = [even[k, j::2, i::2] for k in range(count) for j in (0, 1) for i in (0, 1)]
    state = np.stack([*parts, np.full_like(parts[0], level)])
    for index, (weights, biases, shift) in enumerate(layers):
        p = np.pad(state, [(0, 0), (1, 1), (1, 1)], mode="edge")
        windows = np.lib.stride_tricks.sliding_window_view(p, (3, 3), axis=(1, 2))
        sums = (
            np.einsum("oiab,ihwab->ohw", weights.astype(np.int64), windows)
            + biases.astype(np.int64)[:, None, None]
        )
        sums = (sums + (1 << shift >> 1)) >> shift
        state = np.clip(sums, -32768 if index == len(layers) - 1 else 0, 32767)
    out = np.empty((len(state) // 4, 2 * state.shape[1], 2 * state.shape[2]), np.int64)
    for k, plane in enumerate(state):
        out[k // 4, k % 4 // 2 :: 2, k % 2 :: 2] = plane
    return out[:, :height, :width]
