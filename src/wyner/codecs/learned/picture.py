"""Pictures as the transforms take and give them, and the search for a rate."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from ..base import Pixels


class Padded:
    """A picture whose last row and column are repeated until its sides are multiples."""

    def __init__(self, pixels: Pixels, multiple: int) -> None:
        """pixels: (H, W, C) uint8 or uint16, C in {1, 3}; grey stands for three equal planes."""
        self.pixels = pixels
        self.height, self.width = (padded_side(side, multiple) for side in pixels.shape[:2])

    def part(self, rows: slice, columns: slice) -> npt.NDArray[np.float32]:
        """Samples in 0..1, (3, h, w)."""
        height, width = self.pixels.shape[:2]
        row = np.minimum(np.arange(rows.start, rows.stop), height - 1)
        column = np.minimum(np.arange(columns.start, columns.stop), width - 1)
        cut = self.pixels[row[:, None], column].transpose(2, 0, 1)
        samples = cut.astype(np.float32) / np.float32(255 if self.pixels.itemsize == 1 else 65535)
        return np.ascontiguousarray(np.broadcast_to(samples, (3, *samples.shape[1:])))


def padded_side(side: int, multiple: int) -> int:
    """The least multiple that is not less than a side."""
    return -(-side // multiple) * multiple


def tiles(height: int, width: int, side: int) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of the tiles of an array, row by row; the last ones may be smaller."""
    for top in range(0, height, side):
        for left in range(0, width, side):
            yield slice(top, min(top + side, height)), slice(left, min(left + side, width))


def place(out: Pixels, rows: slice, columns: slice, samples: npt.NDArray[np.float32]) -> None:
    """Write samples (3, h, w) of a padded picture, about in 0..1, into (H, W, C), rounded; grey is a mean."""
    maxval = 255 if out.itemsize == 1 else 65535
    inside = out[rows, columns]
    cut = samples[:, : inside.shape[0], : inside.shape[1]]
    if out.shape[2] == 1:
        cut = cut.mean(0, keepdims=True)
    inside[...] = np.rint(np.clip(cut, 0, 1) * np.float32(maxval)).astype(out.dtype).transpose(1, 2, 0)


def first(make: Callable[[int], bytes], fits: Callable[[bytes], bool], count: int) -> bytes:
    """What is made at the first of levels 0..count - 1 that fits, where all after one that fits do.

    Without one that fits, what is made at the last.
    """
    low, high, best = 0, count - 1, None
    while low < high:
        middle = (low + high) // 2
        made = make(middle)
        if fits(made):
            high, best = middle, made
        else:
            low = middle + 1
    return make(high) if best is None or high == count - 1 else best


def last(make: Callable[[int], bytes], fits: Callable[[bytes], bool], count: int) -> bytes:
    """What is made at the last level that fits, where all before one that fits do; else at level 0."""
    low, high, best = 0, count - 1, None
    while low <= high:
        middle = (low + high) // 2
        made = make(middle)
        if fits(made):
            low, best = middle + 1, made
        else:
            high = middle - 1
    return make(0) if best is None else best
