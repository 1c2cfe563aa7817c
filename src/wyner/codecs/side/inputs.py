"""What the codec is given of a side picture, at the picture's size and at half of it."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from ... import _native
from ...errors import SideImageError
from ..base import Pixels, Side
from ..overfit.model import Extras, Ints

EXTRAS: dict[str, Extras] = {"full": (4, 6), "arm": (4, 0), "latents": (4, 0)}
"""Contexts of the entropy model and planes of the synthesis in each mode."""


class Inputs(Protocol):
    """Inputs for the whole picture, and for the picture at half its size that a fit may begin with."""

    @property
    def full(self) -> _native.SideInputs:
        """Inputs for the picture."""
        ...

    def half(self) -> _native.SideInputs:
        """Inputs for the picture at half its size, odd sizes rounded up."""
        ...

    def gain(self, pixels: Pixels) -> float:
        """How much of the side picture the reconstruction of ``pixels`` should begin with, 0..1."""
        ...


@dataclass(frozen=True)
class WarpedInputs:
    """From a warped side picture (H, W, C) uint8 or uint16 and where it is valid, uint8 (H, W).

    planes: whether the synthesis sees it, or the entropy model alone.
    """

    warped: Pixels
    valid: Pixels
    planes: bool

    def gain(self, pixels: Pixels) -> float:
        return start_gain(pixels, self.warped, self.valid)

    @cached_property
    def full(self) -> _native.SideInputs:
        return _native.SideInputs.of_picture(self.warped, self.valid, self.planes)

    def half(self) -> _native.SideInputs:
        return _native.SideInputs.of_picture(*half_size(self.warped, self.valid), self.planes)


@dataclass(frozen=True)
class LatentInputs:
    """From the latents of the side picture's own file, for a picture of width x height."""

    latents: list[Ints]
    width: int
    height: int

    def gain(self, pixels: Pixels) -> float:
        return 1.0  # the synthesis sees nothing

    @cached_property
    def full(self) -> _native.SideInputs:
        return _native.SideInputs.of_latents(self.latents, self.width, self.height)

    def half(self) -> _native.SideInputs:
        return _native.SideInputs.of_latents(self.latents[1:], (self.width + 1) // 2, (self.height + 1) // 2)


def half_size(warped: Pixels, valid: Pixels) -> tuple[Pixels, Pixels]:
    """Means of the valid pixels of 2x2, and where there are any."""
    height, width, channels = warped.shape
    edges = ((0, height % 2), (0, width % 2))
    mask = np.pad((valid != 0).astype(np.int64), edges)
    samples = np.pad(warped.astype(np.int64), (*edges, (0, 0))) * mask[..., None]
    shape = (mask.shape[0] // 2, 2, mask.shape[1] // 2, 2)
    count = mask.reshape(shape).sum((1, 3))
    total = samples.reshape(*shape, channels).sum((1, 3))
    divisor = np.maximum(count, 1)[..., None]
    mean = (2 * total + divisor) // (2 * divisor)
    return mean.astype(warped.dtype), (count > 0).astype(np.uint8)


def start_gain(pixels: Pixels, warped: Pixels, valid: Pixels) -> float:
    """How much of the warped side picture predicts ``pixels`` best, 0..1, by regression where valid."""
    mask = valid != 0
    if not mask.any():
        return 0.0
    a, b = (p[mask].astype(np.float64).mean(1) for p in (pixels, warped))
    variance = b.var()
    covariance = np.mean((a - a.mean()) * (b - b.mean()))
    return float(np.clip(covariance / variance, 0, 1)) if variance > 0 else 0.0


def check_of(side: Side) -> bytes:
    """Four bytes by which the payload of a side picture's file is known again.

    Raises SideImageError if the side picture did not come as a file of the codec ``overfit``.
    """
    if side.payload is None:
        raise SideImageError("the side image must be given as a .wyn file of the codec overfit")
    return zlib.crc32(side.payload).to_bytes(4, "big")


def latent_inputs(side: Side, width: int, height: int) -> LatentInputs:
    """Inputs from the file of a side picture, which must have come as one."""
    seen = _native.overfit_inspect(side.payload, side.pixels.shape[1], side.pixels.shape[0])
    return LatentInputs(seen["latents"], width, height)
