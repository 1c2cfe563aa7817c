"""Multi-scale structural similarity, with NumPy only.

Wang, Simoncelli and Bovik, "Multi-scale structural similarity for image quality assessment", Asilomar 2003,
with the constants of Wang et al., "Image quality assessment: from error visibility to structural similarity",
IEEE Trans. Image Processing 13(4), 2004. What those leave open is settled as most published numbers have it:
the window is applied where it lies inside the picture, negative means count as 0, each colour plane is a
picture of its own and the values are averaged, and an odd side gets one line of zeros before its first when
it is halved.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import UsageError
from .pairs import check_pair

Plane = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the five scales, finest first (Wang et al. 2003, section 3.2)."""
TAPS, SIGMA = 11, 1.5
K1, K2 = 0.01, 0.03
MIN_SIDE = (TAPS - 1) * 2 ** (len(WEIGHTS) - 1) + 1
"""The shortest side on which the window still fits at the coarsest scale: 161."""
_STRIP_SAMPLES = 1 << 15  # of one filtered quantity: all five stay in the caches near a core


def ms_ssim(a: Plane, b: Plane, maxval: int) -> float:
    """Multi-scale structural similarity of two pictures, in 0..1; 1 for equal pictures.

    ``a`` and ``b`` are (H, W) or (H, W, C) of one shape and one integer dtype with samples in 0..``maxval``.
    Computed in float32 with sums in float64; memory is about 2 bytes per pixel beside the arguments. Raises
    UsageError for pictures that do not compare and for a side shorter than 161 pixels.
    """
    check_pair(a, b, maxval)
    if min(a.shape[:2]) < MIN_SIDE:
        raise UsageError(
            f"MS-SSIM needs {MIN_SIDE} pixels on each side for its five scales; "
            f"this picture is {a.shape[1]}x{a.shape[0]}"
        )
    planes = [(a, b)] if a.ndim == 2 else [(a[..., c], b[..., c]) for c in range(a.shape[2])]
    mean = math.fsum(_of_plane(x, y, maxval) for x, y in planes) / len(planes)
    return min(1.0, mean)  # a variance of nearly nothing may round to less than nothing


def ms_ssim_db(value: float) -> float:
    """MS-SSIM in decibels, -10 log10(1 - value); infinite for a value of 1."""
    return math.inf if value >= 1 else -10 * math.log10(1 - value)


def _of_plane(a: Plane, b: Plane, maxval: int) -> float:
    """MS-SSIM of one colour plane (H, W)."""
    product = 1.0
    for scale, weight in enumerate(WEIGHTS):
        similarity, contrast = mean_ssim(a, b, maxval)
        last = scale == len(WEIGHTS) - 1
        product *= max(0.0, similarity if last else contrast) ** weight
        if not last:
            a, b = _halve(a, maxval), _halve(b, maxval)
    return product


def mean_ssim(a: Plane, b: Plane, maxval: int) -> tuple[float, float]:
    """Means of the SSIM map and of its contrast-structure factor over one plane at one scale.

    ``a`` and ``b`` are (H, W) with sides of at least 11: integers in 0..``maxval``, or float32 in
    -0.5..0.5 as halving makes them.
    """
    height, width = a.shape
    rows = max(TAPS, _STRIP_SAMPLES // width)
    lost_similarity = lost_contrast = 0.0
    for top in range(0, height - TAPS + 1, rows):
        lines = slice(top, min(top + rows + TAPS - 1, height))
        similarity, contrast = _losses(_centred(a[lines], maxval), _centred(b[lines], maxval))
        lost_similarity += similarity
        lost_contrast += contrast
    count = (height - TAPS + 1) * (width - TAPS + 1)
    return 1 - lost_similarity / count, 1 - lost_contrast / count


def _centred(samples: Plane, maxval: int) -> Floats:
    """Samples as float32 in -0.5..0.5: variances of values near 0 lose the least to rounding."""
    if samples.dtype == np.float32:
        return samples
    out = samples.astype(np.float32)
    out *= np.float32(1 / maxval)
    out -= np.float32(0.5)
    return out


def _halve(plane: Plane, maxval: int) -> Floats:
    """Means of 2x2 samples of an integer or centred plane, centred, half the size rounded up."""
    (height, width), (top, left) = plane.shape, (plane.shape[0] % 2, plane.shape[1] % 2)
    out = np.empty(((height + top) // 2, (width + left) // 2), np.float32)
    rows = max(1, _STRIP_SAMPLES // width)
    for start in range(0, len(out), rows):
        first, last = 2 * start - top, min(2 * (start + rows) - top, height)
        lines = _centred(plane[max(first, 0) : last], maxval)
        if left or first < 0:
            lines = np.pad(lines, ((int(first < 0), 0), (left, 0)), constant_values=-0.5)
        pairs = lines[::2] + lines[1::2]
        strip = out[start : start + rows]
        np.add(pairs[:, ::2], pairs[:, 1::2], out=strip)
        strip *= np.float32(0.25)
    return out


def _window() -> list[np.float32]:
    """The inner half of the Gaussian window, up to and with its middle, summing to 1 when mirrored."""
    taps = [math.exp(-((k - TAPS // 2) ** 2) / (2 * SIGMA**2)) for k in range(TAPS)]
    return [np.float32(tap / math.fsum(taps)) for tap in taps[: TAPS // 2 + 1]]


_HALF_WINDOW = _window()


def _blur(lines: Floats, axis: int) -> Floats:
    """Filter along one axis, only where the window lies inside; TAPS - 1 shorter there."""
    count = lines.shape[axis] - TAPS + 1
    index: list[Any] = [slice(None)] * lines.ndim

    def shifted(by: int) -> Floats:
        index[axis] = slice(by, by + count)
        return lines[tuple(index)]

    middle = TAPS // 2
    out = shifted(middle) * _HALF_WINDOW[middle]
    both = np.empty_like(out)
    for k in range(middle):
        np.add(shifted(k), shifted(TAPS - 1 - k), out=both)
        both *= _HALF_WINDOW[k]
        out += both
    return out


def _losses(x: Floats, y: Floats) -> tuple[float, float]:
    """Sums of 1 - SSIM and of 1 - contrast-structure over a strip of centred lines.

    Both are written with x - y, where nothing cancels when the pictures are close:
    1 - (2 cov + c2) / (var x + var y + c2) is var(x - y) over that denominator, and likewise for the means.
    """
    difference = x - y
    stack = np.stack([x, difference, x * x, y * y, difference * difference])
    mu_x, mu_d, xx, yy, dd = _blur(_blur(stack, 1), 2)
    mu_y = mu_x - mu_d
    mu_dd = mu_d * mu_d
    contrast = (dd - mu_dd) / ((xx - mu_x * mu_x) + (yy - mu_y * mu_y) + np.float32(K2**2))
    mu_x += np.float32(0.5)
    mu_y += np.float32(0.5)
    luminance = mu_dd / (mu_x * mu_x + mu_y * mu_y + np.float32(K1**2))
    both = luminance + contrast - luminance * contrast
    return float(np.sum(both, dtype=np.float64)), float(np.sum(contrast, dtype=np.float64))
