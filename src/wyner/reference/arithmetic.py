"""The integer operations of docs/spec/overfit.md, section 1. Each works on ints and on int64 arrays."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]


def rshift(a: Any, n: int) -> Any:
    """Divide by 2^n, rounding to nearest, halves up. `>>` floors for negative numbers in Python and NumPy."""
    return a if n == 0 else (a + (1 << (n - 1))) >> n


def sat16(a: Any) -> Any:
    """Clamp to the range of a signed 16-bit integer."""
    return np.clip(a, -32768, 32767)


def relu(a: Any) -> Any:
    """max(a, 0)."""
    return np.maximum(a, 0)
