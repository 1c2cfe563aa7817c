"""SSIMULACRA2 (Jon Sneyers, Cloudinary) as the package `ssimulacra2` computes it."""

from __future__ import annotations

import io
from typing import Any

import numpy.typing as npt

from ..errors import UnavailableError, UsageError
from .pairs import check_pair

MIN_SIDE = 8


def ssimulacra2(a: npt.NDArray[Any], b: npt.NDArray[Any], maxval: int) -> float:
    """SSIMULACRA2 score of two sRGB pictures: 100 for equal ones, below 0 for very bad ones.

    ``a`` is the original and ``b`` the distorted picture (the score is not symmetric); both are (H, W),
    (H, W, 1) or (H, W, 3) uint8, grey standing for three equal planes. Raises UsageError for pictures that do
    not compare and for sides shorter than 8, and UnavailableError for other depths than 8 bits, which the
    package cannot read, and where the package is not installed.
    """
    check_pair(a, b, maxval)
    if min(a.shape[:2]) < MIN_SIDE:
        raise UsageError(
            f"SSIMULACRA2 needs {MIN_SIDE} pixels on each side; {a.shape[1]}x{a.shape[0]} is less"
        )
    if a.ndim == 3 and a.shape[2] not in (1, 3):
        raise UsageError(f"SSIMULACRA2 is for grey and RGB pictures, not for {a.shape[2]} planes")
    if a.dtype != "uint8" or maxval != 255:
        raise UnavailableError("SSIMULACRA2 is computed for 8-bit pictures only")
    try:
        from ssimulacra2 import compute_ssimulacra2
    except ImportError:
        raise UnavailableError("SSIMULACRA2 needs a package: pip install 'wyner[bench]'") from None
    return float(compute_ssimulacra2(_as_file(a), _as_file(b)))


def _as_file(pixels: npt.NDArray[Any]) -> io.BytesIO:
    """The picture as an uncompressed file, since files are all that the package takes."""
    grey = pixels.ndim == 2 or pixels.shape[2] == 1
    header = b"P%d\n%d %d\n255\n" % (5 if grey else 6, pixels.shape[1], pixels.shape[0])
    return io.BytesIO(header + pixels.tobytes())
