"""The rates of a codec that has one network for all of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

CURVE_BITS = 24
"""The curve of a cumulative density rises from 0 to 2 to this power."""
CURVE_FRACTION = 16
"""Fractional bits of places along a curve."""
LEVELS = 256
"""Rates of a frozen codec, from its greatest lambda, level 0, to its least."""


def level_lambdas(lambda_range: tuple[float, float]) -> npt.NDArray[np.float64]:
    """The lambdas of the levels, (LEVELS): in even steps of their logarithm, falling."""
    low, high = lambda_range
    return np.geomspace(high, low, LEVELS)
