"""Mean squared error and what follows from it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import UsageError


def mse(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float:
    """Mean squared difference over all samples of two arrays of one shape and dtype, in sample units."""
    if a.shape != b.shape or a.dtype != b.dtype:
        raise UsageError(f"cannot compare {a.shape} {a.dtype} with {b.shape} {b.dtype}")
    total = 0.0
    for row_a, row_b in zip(a, b, strict=True):  # row by row: a float copy of a large picture takes gigabytes
        difference = row_a.astype(np.float64) - row_b
        total += float(np.vdot(difference, difference))
    return total / a.size


def psnr(mean_squared_error: float, maxval: int) -> float:
    """Peak signal-to-noise ratio in dB; infinite for an error of 0."""
    if mean_squared_error == 0:
        return math.inf
    return 10 * math.log10(maxval**2 / mean_squared_error)
