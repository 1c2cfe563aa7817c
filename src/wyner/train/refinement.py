"""Training of the filters of docs/spec/refine.md: least squares within each class, in closed form.

Pixels of pictures coded by this package are pooled with right side pictures, with those of other pairs, and
with none, so that the filters of classes in which nothing agrees learn to leave the picture alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..codecs.base import Pixels
from ..codecs.side.refinement import (
    CHROMA_TAPS,
    LUMA_TAPS,
    Alignment,
    Int16s,
    Stage,
    View,
    grade,
    refine,
    views,
)
from ..reference.refine import CHROMA_REACH, LUMA_REACH, MEAN_REACH, Ints, box, classes, differences, planes

Floats = npt.NDArray[np.float64]

PARENT_PIXELS = 300
"""A class counts as if it held so many more pixels of the average of those with the same agreement."""
RIDGE = 1e6
"""Added to squares of samples in 1/4096 of the range: some tens of pixels that ask for no change."""
SAMPLED = 1 << 16
"""Pixels taken of a picture, at most."""


@dataclass(frozen=True, eq=False)
class Example:
    """A picture to learn from.

    original, decoded: (H, W, C) of one kind. side: any picture, or None to learn what to do without.
    payload_bytes: size of the coded picture. seed: decides which pixels are taken.
    """

    original: Pixels
    decoded: Pixels
    side: Pixels | None
    payload_bytes: int
    seed: int


class Pool:
    """Normal equations of every class for one kind of plane."""

    def __init__(self, number: int, taps: int) -> None:
        self.products = np.zeros((number, taps, taps))
        self.targets = np.zeros((number, taps))
        self.pixels = np.zeros(number)

    def add(self, chosen: npt.NDArray[np.int64], taps: npt.NDArray[np.float32], target: Floats) -> None:
        """Add pixels: their classes (n), regressors (n, taps), and what those should sum to (n)."""
        order = np.argsort(chosen, kind="stable")
        edges = np.searchsorted(chosen[order], np.arange(len(self.pixels) + 1))
        for k in np.flatnonzero(np.diff(edges)):
            rows = order[edges[k] : edges[k + 1]]
            a = taps[rows]
            self.products[k] += a.T @ a
            self.targets[k] += a.T @ target[rows].astype(np.float32)
            self.pixels[k] += len(rows)

    def solve(self, siblings: int) -> Int16s:
        """Filters (classes, taps) in 1/4096. siblings: how many neighbouring classes share a parent."""
        number, taps = self.targets.shape
        filters = np.zeros((number, taps), np.int16)
        for first in range(0, number, siblings):
            family = slice(first, first + siblings)
            share = PARENT_PIXELS / max(self.pixels[family].sum(), PARENT_PIXELS)
            products = self.products[family] + share * self.products[family].sum(0) + RIDGE * np.eye(taps)
            targets = self.targets[family] + share * self.targets[family].sum(0)
            solved = np.linalg.solve(products, targets[..., None])[..., 0]
            filters[family] = np.clip(np.rint(4096 * solved), -32767, 32767).astype(np.int16)
        return filters


def train_stage(
    examples: Iterable[Example],
    before: Sequence[Stage],
    alignments: tuple[Alignment, ...],
    grades: tuple[int, ...],
    levels: tuple[tuple[int, ...], ...],
    threads: int = 1,
) -> Stage:
    """The stage that comes after others. All examples pass once; the result depends on their order only."""
    number = int(np.prod([len(thresholds) + 1 for thresholds in levels]))
    siblings = len(levels[3]) + 1
    luma = [Pool(number, LUMA_TAPS) for _ in range(len(grades) + 1)]
    chroma = [Pool(number, CHROMA_TAPS) for _ in luma]
    for example in examples:
        pixels, size = example.decoded, example.payload_bytes
        chosen = grade(pixels, size, grades)
        if example.side is not None:
            pixels = refine(pixels, example.side, before, size, threads)
            bpp = 8 * size / (pixels.shape[0] * pixels.shape[1])
            found = views(pixels, example.side, alignments, bpp, threads)
        else:
            nothing = (np.zeros_like(pixels), np.zeros(pixels.shape[:2], np.uint8))
            found = [nothing for _ in alignments]
        _add(example, pixels, found, levels, luma[chosen], chroma[chosen])
    filters = [np.stack([pool.solve(siblings) for pool in pools]) for pools in (luma, chroma)]
    return Stage(alignments, grades, levels, *filters)


def _add(
    example: Example,
    pixels: Pixels,
    found: Sequence[View],
    levels: Sequence[Sequence[int]],
    luma: Pool,
    chroma: Pool,
) -> None:
    x, wanted = planes(pixels), planes(example.original)
    moved = [differences(x, w, v) for w, v in found]
    chosen = classes(x[0], [m[0] for m in moved], [v for _, v in found], levels).reshape(-1)
    count = min(SAMPLED, chosen.size)
    taken = np.sort(np.random.default_rng(example.seed).choice(chosen.size, count, replace=False))
    for c, plane in enumerate(x):
        reach, pool = (CHROMA_REACH, chroma) if c else (LUMA_REACH, luma)
        taps = _regressors(plane, [m[c] for m in moved], reach, taken)
        pool.add(chosen[taken], taps, (wanted[c] - plane).reshape(-1)[taken].astype(np.float64))


def _regressors(
    x: Ints, moved: Sequence[Ints], reach: int, taken: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """``wyner.reference.refine.regressors`` of some pixels only: (pixels, taps)."""
    windows = [_windows(d, reach, taken) for d in moved]
    means = [box(d, MEAN_REACH).reshape(-1, 1)[taken] for d in moved]
    own = _windows(x, reach, taken)
    middle = own.shape[1] // 2
    around = np.delete(own, middle, axis=1) - own[:, middle : middle + 1]
    parts = [part for pair in zip(windows, means, strict=True) for part in pair]
    return np.concatenate([*parts, around], axis=1).astype(np.float32)


def _windows(plane: Ints, reach: int, taken: npt.NDArray[np.int64]) -> Ints:
    padded = np.pad(plane, reach, mode="edge")
    rows, columns = np.divmod(taken, plane.shape[1])
    moves = range(2 * reach + 1)
    offsets = np.array([i * padded.shape[1] + j for i in moves for j in moves])
    found: Ints = padded.reshape(-1)[(rows * padded.shape[1] + columns)[:, None] + offsets]
    return found
