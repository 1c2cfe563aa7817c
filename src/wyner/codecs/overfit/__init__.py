"""The overfitted codec: everything a picture needs, fitted to it (docs/spec/overfit.md).

It follows COOL-CHIC (Ladune et al. 2023) and C3 (Kim et al. 2024): integer latent grids at resolutions 1,
1/2, 1/4, ...; a small autoregressive network (ARM) that gives a Laplace distribution for each latent; learned
upsampling; a small synthesis. Fitting is native and in floats, decoding native and in integers.
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from ... import _native
from ..base import Pixels, ProgressCallback, Settings
from .fit import fit_and_code
from .model import payload_macs_per_pixel
from .stream import Picture

CODEC_ID = 1
VERSION = 1
TAKES_SIDE = False
OPTIONS: tuple[str, ...] = ()
EXACT_PIXELS = True
LOSSLESS = False
SIDE_AT_DECODER = False


def encode(pixels: Pixels, settings: Settings, progress: ProgressCallback | None = None) -> bytes:
    """Fit the codec to ``pixels``, (H, W, C) uint8 or uint16 with C in {1, 3}, and return the payload.

    The same pixels, settings and instruction set give the same bytes for any number of threads.
    Raises LimitError, FloatingPointError if the fit diverges, and whatever ``progress`` raises.
    """
    return fit_and_code(Picture(pixels), settings, progress).payloads[0]


def decode(
    payload: bytes, width: int, height: int, channels: int, maxval: int, threads: int = 1
) -> npt.NDArray[Any]:
    """Decode a payload to (height, width, channels), uint8 for maxval 255 and uint16 for 65535.

    Raises CorruptError, UnsupportedError or LimitError.
    """
    decoded: npt.NDArray[Any] = _native.overfit_decode(payload, width, height, channels, maxval, threads)
    return decoded


def macs_per_pixel(payload: bytes) -> float:
    """Multiply-accumulates per pixel of decoding, from the payload's first bytes."""
    return payload_macs_per_pixel(payload)
