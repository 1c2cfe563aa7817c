"""The rates of a codec that has one network for all of them, and what training and files agree on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

CURVE_BITS = 24
"""The curve of a cumulative density rises from 0 to 2 to this power."""
CURVE_FRACTION = 16
"""Fractional bits of places along a curve."""
HYPER = ("hyperprior", "mean-scale")
"""Priors that code z as well."""
MOST_WIDTHS = 7
"""Layers of an analysis but the last, so that the codec's tiles have the latents of whole z."""
LEVELS = 256
"""Rates of a frozen codec, from its greatest lambda, level 0, to its least."""


def level_lambdas(lambda_range: tuple[float, float]) -> npt.NDArray[np.float64]:
    """The lambdas of the levels, (LEVELS): in even steps of their logarithm, falling."""
    low, high = lambda_range
    return np.geomspace(high, low, LEVELS)
