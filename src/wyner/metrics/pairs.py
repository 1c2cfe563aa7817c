"""The check that every metric of two pictures begins with."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import UsageError


def check_pair(a: npt.NDArray[Any], b: npt.NDArray[Any], maxval: int) -> None:
    """Raise UsageError unless both are (H, W) or (H, W, C) of one shape and one integer dtype, 0 < maxval."""
    if a.shape != b.shape or a.dtype != b.dtype:
        raise UsageError(f"cannot compare {a.shape} {a.dtype} with {b.shape} {b.dtype}")
    if a.ndim not in (2, 3) or a.size == 0:
        raise UsageError(f"cannot compare arrays of shape {a.shape}; a picture is (H, W) or (H, W, C)")
    if not np.issubdtype(a.dtype, np.integer):
        raise UsageError(f"cannot compare pictures of {a.dtype}; samples are integers")
    if maxval < 1:
        raise UsageError(f"the largest sample value must be positive, not {maxval}")
