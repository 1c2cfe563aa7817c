"""Whether a decoder's picture shows what a file does: a wrong one is worse than none.

Both are made small and freed of what is coarser than a block. A block of a rectified pair has its like in the
same rows of the other picture, a few rows above or below it has not; between pictures of two streets, say,
there is no such difference, however alike they are as a whole.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

AREA = 16_384
"""Pixels, about, that pictures are brought down to; and always to half their sides."""
BLOCK = (8, 16)
BLUR = 9
"""Side of the box whose twofold mean is taken off."""
REACH, MOST_REACH = 6, 128
"""How far blocks are looked for across: the width of y over this, either way, and at most so many pixels."""
SAME_ROWS, OTHER_ROWS = (-1, 0, 1), (-10, -7, -4, 4, 7, 10)
LEAST = 0.07
"""How much better blocks of a pair match in the same rows, as correlations; see docs/decisions/0014."""
TELLING = 0.25
"""As much with itself at least has a picture whose rows can be told apart."""
FEWEST_BLOCKS = 12
"""With fewer there is no telling."""


def shows_the_same(x: npt.NDArray[np.float32], y: npt.NDArray[np.float32], left: int) -> bool:
    """Whether y is a picture of what x shows, as far as x has enough for an answer.

    x: (3, h, w), decoded, of any quality. y: (3, h, w') of the same rows and more columns, with x's first at
    ``left``. Samples about in 0..1.
    """
    margin = row_margin(x, y, left)
    if margin is None or margin >= LEAST:
        return True
    return (row_margin(x, x, 0) or 0.0) < TELLING


def row_margin(x: npt.NDArray[np.float32], y: npt.NDArray[np.float32], left: int) -> float | None:
    """Mean correlation, -1..1, of blocks of x with the best of y in the same rows, less that in other rows.

    Blocks count by their contrast. About 0 where the rows of x are alike; None where it has too few blocks.
    Arguments as of ``shows_the_same``.
    """
    factor = max(2, math.ceil(math.sqrt(x[0].size / AREA)))
    rows, columns = (side // factor // block * block for side, block in zip(x.shape[1:], BLOCK, strict=True))
    if rows * columns < FEWEST_BLOCKS * math.prod(BLOCK):
        return None
    reach = min(y.shape[2] // factor // REACH, MOST_REACH)
    first = max(left - reach * factor, left % factor)  # so that x's first column begins a pixel of both
    seen = y[:, :, first : left + (columns + reach) * factor]
    small_x, small_y = _small(x, factor)[:rows, :columns], _small(seen, factor)
    above, before = max(OTHER_ROWS), reach - (left - first) // factor
    padded = np.pad(small_y, ((above, above), (before, columns + reach)))
    contrast = np.sqrt(_block_sums(small_x**2))

    def match(down: int) -> float:
        best = np.full(contrast.shape, -1.0)
        for across in range(2 * reach + 1):
            there = padded[above + down :, across:][:rows, :columns]
            norms = contrast * np.sqrt(_block_sums(there**2)) + 1e-9
            np.maximum(best, _block_sums(small_x * there) / norms, out=best)
        return float((best * contrast).sum() / (contrast.sum() + 1e-9))

    return max(map(match, SAME_ROWS)) - max(map(match, OTHER_ROWS))


def _small(picture: npt.NDArray[np.float32], factor: int) -> Floats:
    """The mean of the colours, smaller by a factor, less what is coarse."""
    rows, columns = (side // factor for side in picture.shape[1:])
    grey = picture.mean(0, dtype=np.float64)[: rows * factor, : columns * factor]
    small = grey.reshape(rows, factor, columns, factor).mean((1, 3))
    return small - _box(_box(small))


def _box(a: Floats) -> Floats:
    """Means of the squares around each sample; the border is repeated."""
    sums = np.pad(a, BLUR // 2, mode="edge").cumsum(0).cumsum(1)
    sums = np.pad(sums, ((1, 0), (1, 0)))
    whole = sums[BLUR:, BLUR:] - sums[:-BLUR, BLUR:] - sums[BLUR:, :-BLUR] + sums[:-BLUR, :-BLUR]
    return whole / BLUR**2


def _block_sums(a: Floats) -> Floats:
    rows, columns = BLOCK
    return a.reshape(a.shape[0] // rows, rows, a.shape[1] // columns, columns).sum((1, 3))
