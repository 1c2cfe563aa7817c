"""Fitting the network to a picture, at high effort: what changes of it is sent if it pays."""

from __future__ import annotations

import importlib.util
import math
import time

import numpy as np

from ... import _native
from ...errors import UnavailableError
from ..base import Pixels, Progress, ProgressCallback
from .model import Network

STEPS = {9: 200, 10: 600}
"""Of gradient descent, by effort; none below."""
LEAST_PIXELS = 1 << 15
"""Fewer never win back the kilobyte or more that an update takes."""
LEAST_SIDE = 32


def steps_of(effort: int) -> int:
    """How many steps an effort takes. Raises UnavailableError if it takes any and PyTorch is not there."""
    steps = STEPS.get(effort, 0)
    if steps and importlib.util.find_spec("torch") is None:
        raise UnavailableError(
            "lossless effort 9 and 10 fit the network to the picture, which needs PyTorch: "
            "pip install 'wyner[torch]', or take a lower effort"
        )
    return steps


def fits(pixels: Pixels) -> bool:
    """Whether ``pixels``, (H, W, C), are of a kind and size that updates are fitted to."""
    height, width, _ = pixels.shape
    return pixels.dtype == np.uint8 and height * width >= LEAST_PIXELS and min(height, width) >= LEAST_SIDE


def fit(network: Network, pixels: Pixels, steps: int, progress: ProgressCallback | None) -> bytes:
    """An update (docs/spec/lossless.md, section 10) for ``pixels`` that ``fits``.

    Minutes for a picture of some hundred thousand pixels. Raises whatever ``progress`` raises.
    """
    from ...nn import lossless_update

    begun = time.monotonic()

    def report(step: int) -> None:
        if progress is not None:
            eta_s = (time.monotonic() - begun) * (steps / step - 1)
            progress(Progress(step, steps, math.nan, math.inf, eta_s, "fit"))

    integers = lossless_update.Integers(network.sizes, network.weights, network.biases)
    numbers = lossless_update.fit(integers, _planes(pixels), pixels.shape[2], steps, report)
    update: bytes = _native.lossless_update(network.sizes, numbers)
    return update


def _planes(pixels: Pixels) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Y, Co and Cg, (3, H, W)."""
    samples = pixels.astype(np.int64).transpose(2, 0, 1)
    if len(samples) == 1:
        return np.concatenate([samples, np.zeros_like(samples), np.zeros_like(samples)])
    r, g, b = samples
    co = r - b
    t = b + (co >> 1)
    cg = g - t
    return np.stack([t + (cg >> 1), co, cg])
