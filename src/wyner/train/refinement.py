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
from ..codecs.side.refinement import Alignment, Int16s, Stage, View, refine, views
from ..reference.refine import CHROMA_REACH, LUMA_REACH, classes, differences, planes, regressors

Floats = npt.NDArray[np.float64]

PARENT_PIXELS = 300
"""A class counts as if it held so many more pixels of the average of those with the same agreement."""
RIDGE = 1e6
"""Added to squares of samples in 1/4096 of the range: some tens of pixels that ask for no change."""
SAMPLED = 1 << 16
"""Pixels taken of a picture, at most."""


@dataclass(frozen=True, eq=False)
class Example:
    """A picture to learn from. original, decoded, side: (H, W, C) of one depth. side: None to learn what to do
    without. bpp: bits per pixel of the coded picture. seed: decides which pixels are taken."""

    original: Pixels
    decoded: Pixels
    side: Pixels | None
    bpp: float
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
    levels: tuple[tuple[int, ...], ...],
    threads: int = 1,
) -> Stage:
    """The stage that comes after others. All examples pass once; the result depends on their order only."""
    number = int(np.prod([len(thresholds) + 1 for thresholds in levels]))
    siblings = number // ((len(levels[0]) + 1) * (len(levels[1]) + 1))
    luma, chroma = Pool(number, _taps(LUMA_REACH)), Pool(number, _taps(CHROMA_REACH))
    for example in examples:
        pixels = example.decoded
        if example.side is not None:
            pixels = refine(pixels, example.side, before, example.bpp, threads)
            found = views(pixels, example.side, alignments, example.bpp, threads)
        else:
            nothing = (np.zeros_like(pixels), np.zeros(pixels.shape[:2], np.uint8))
            found = [nothing for _ in alignments]
        _add(example, pixels, found, levels, luma, chroma)
    return Stage(alignments, levels, luma.solve(siblings), chroma.solve(siblings))


def _taps(reach: int) -> int:
    """Coefficients of a filter: two views with a mean each, and the picture's own neighbours."""
    return 3 * (2 * reach + 1) ** 2 + 1


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
        columns = regressors(plane, [m[c] for m in moved], reach)
        taps = np.stack([column.reshape(-1)[taken] for column in columns], 1).astype(np.float32)
        pool.add(chosen[taken], taps, (wanted[c] - plane).reshape(-1)[taken].astype(np.float64))
