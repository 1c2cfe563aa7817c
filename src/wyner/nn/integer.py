"""Convolutional networks in exact integers, with NumPy alone: the same numbers on every machine.

Activations are integers of ``FRACTION`` fractional bits, weights have 16 bits. Sums are taken in float64,
which has every integer below 2^53 exactly, so that neither their order nor fused operations can change them;
the bounds are checked when a layer is made.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import CorruptError, UsageError

FRACTION = 10
"""Fractional bits of activations between layers and of results."""
MOST = 2**20
"""Bound of the integers that enter a layer; what is beyond is clipped."""
_EXACT = 2**53
_FINEST = 14

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class IntegerLayer:
    """y = (w * x + bias + half) >> shift, with zeros around x.

    weight: (outputs, inputs, k, k) int16, k odd, applied as a correlation. bias: (outputs) int64. shift:
    0..40. double: put zeros between the samples of x first, and after the last, as a transposed convolution
    of stride 2 does. relu: negative results become 0.

    Raises CorruptError for other types and shapes, and where a sum could lose its exactness.
    """

    weight: npt.NDArray[np.int16]
    bias: Integers
    shift: int
    double: bool
    relu: bool

    def __post_init__(self) -> None:
        if self.weight.dtype != np.int16 or self.bias.dtype != np.int64:
            raise CorruptError("a layer of integers has other numbers")
        if self.weight.ndim != 4 or self.bias.shape != self.weight.shape[:1] or not 0 <= self.shift <= 40:
            raise CorruptError("a layer of integers is malformed")
        largest = np.abs(self.weight.astype(np.float64)).sum((1, 2, 3)) * MOST
        if np.any(largest + np.abs(self.bias.astype(np.float64)) + 2.0**self.shift >= _EXACT):
            raise CorruptError("a layer of integers could overflow")

    def __call__(self, x: Integers) -> Integers:
        """(inputs, H, W) to (outputs, H, W), both sides doubled if ``double``."""
        clipped = np.clip(x, -MOST, MOST).astype(np.float64)
        sums = _correlate(_doubled(clipped) if self.double else clipped, self.weight.astype(np.float64))
        half = (1 << self.shift) >> 1
        y = (sums.astype(np.int64) + self.bias[:, None, None] + half) >> self.shift
        return np.maximum(y, 0) if self.relu else y


def run(layers: list[IntegerLayer], x: Integers) -> Integers:
    """What the last of the layers gives for x (C, H, W)."""
    for layer in layers:
        x = layer(x)
    return x


def make_layer(
    weight: npt.NDArray[np.floating],
    bias: npt.NDArray[np.floating],
    *,
    fraction: int,
    double: bool,
    relu: bool,
) -> IntegerLayer:
    """The layer nearest to a real one whose inputs have so many fractional bits.

    weight: as ``IntegerLayer`` has it. Raises UsageError for weights beyond what 16 bits hold.
    """
    for scale in range(_FINEST, FRACTION - fraction - 1, -1):
        w = np.rint(weight.astype(np.float64) * 2.0**scale)
        if np.abs(w).max(initial=0) <= 32767:
            shift = fraction + scale - FRACTION
            b = np.rint(bias.astype(np.float64) * 2.0 ** (fraction + scale))
            return IntegerLayer(w.astype(np.int16), b.astype(np.int64), shift, double, relu)
    raise UsageError("the weights of a layer are too large for integers")


def _doubled(x: Floats) -> Floats:
    out = np.zeros((x.shape[0], 2 * x.shape[1], 2 * x.shape[2]))
    out[:, ::2, ::2] = x
    return out


def _correlate(x: Floats, weight: Floats) -> Floats:
    """Sums of products of the weights with what lies around each sample, zeros beyond the edges."""
    outputs, inputs, k, _ = weight.shape
    _, height, width = x.shape
    padded = np.pad(x, ((0, 0), (k // 2, k // 2), (k // 2, k // 2)))
    total = np.zeros((outputs, height * width))
    for dy in range(k):
        for dx in range(k):
            part = padded[:, dy : dy + height, dx : dx + width].reshape(inputs, -1)
            total += weight[:, :, dy, dx] @ part
    return total.reshape(outputs, height, width)
