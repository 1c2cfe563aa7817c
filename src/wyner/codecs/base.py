"""What a codec takes and gives: settings, progress, and the protocol between it and the container."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..errors import UsageError

Pixels = npt.NDArray[Any]
"""Samples of dtype uint8 or uint16: (H, W, C) for colour with C in {1, 3}, (H, W) for one plane."""

DEFAULT_QUALITY = 60.0
DEFAULT_EFFORT = 5
TARGET_TOLERANCE = 0.02
"""A target counts as met within this relative distance on its bad side."""


SIDE_MODES = ("full", "arm", "latents")


@dataclass(frozen=True)
class Side:
    """The side picture that encoder and decoder hold.

    pixels: (H, W, C) uint8 or uint16, of any size, depth and channels. payload: of the codec ``overfit``, if
    the side picture came as such a file, else None. field: for an encoder, coded, how the side picture is
    aligned with the picture; None to have it found. named: for a decoder, whether it is the very one that
    the file names.
    """

    pixels: Pixels
    payload: bytes | None = None
    field: bytes | None = None
    named: bool = False


@dataclass(frozen=True)
class Settings:
    """What an encoder is asked for. Exactly one of ``quality`` and the three targets is not None.

    quality: 0 (smallest file) to 100 (nearest to the original), in visually even steps.
    effort: 1 (fastest) to 10 (smallest file).
    target_bpp: bits per pixel of the whole *file*, > 0.
    target_psnr: dB against the given pixels, > 0.
    target_bytes: size of the whole *file*, >= 1.
    overhead_bytes: bytes of the file beside the codec's payload (container, metadata, alpha), so that
        targets can be met in bytes of the file.
    threads: worker threads, >= 1; never changes the result.
    seed: of all randomness in the encoder, 0 to 2^32 - 1.
    side_mode: what sees the side picture, of codecs that take one: "full", "arm" (the entropy model alone) or
        "latents" (the entropy model alone, and of the side picture's file only its latents).
    side_align: 1 aligns the side picture block by block, 0 takes it as it lies.
    model: name or file of the model, of codecs that have several; "" for the usual one.

    Raises UsageError when a value is out of range or when not exactly one goal is given.
    """

    quality: float | None = None
    effort: int = DEFAULT_EFFORT
    target_bpp: float | None = None
    target_psnr: float | None = None
    target_bytes: int | None = None
    overhead_bytes: int = 0
    threads: int = 1
    seed: int = 0
    side_mode: str = SIDE_MODES[0]
    side_align: int = 1
    model: str = ""

    def __post_init__(self) -> None:
        goals = (self.quality, self.target_bpp, self.target_psnr, self.target_bytes)
        if sum(goal is not None for goal in goals) != 1:
            raise UsageError("give exactly one of: quality, target bpp, target PSNR, target size")
        if self.quality is not None and not 0 <= self.quality <= 100:
            raise UsageError(f"quality is {self.quality:g}, it goes from 0 to 100")
        for name, goal in (("bpp", self.target_bpp), ("PSNR", self.target_psnr), ("size", self.target_bytes)):
            if goal is not None and not (goal > 0 and math.isfinite(goal)):
                raise UsageError(f"target {name} is {goal:g}, it must be positive and finite")
        if not (isinstance(self.effort, Integral) and 1 <= self.effort <= 10):
            raise UsageError(f"effort is {self.effort}, it is a whole number from 1 to 10")
        if not (isinstance(self.seed, Integral) and 0 <= self.seed < 2**32):
            raise UsageError(f"seed is {self.seed}, it is a whole number from 0 to 4294967295")
        if self.side_mode not in SIDE_MODES or self.side_align not in (0, 1):
            raise UsageError(f"side_mode must be one of {', '.join(SIDE_MODES)}, and side_align 0 or 1")
        if self.threads < 1 or self.overhead_bytes < 0:
            raise UsageError("threads must be at least 1 and overhead_bytes at least 0")


@dataclass(frozen=True)
class Progress:
    """Where an encoder stands.

    step of steps: iterations done and planned. bpp: estimated bits per pixel of the whole file.
    psnr_db: of the present state against the given pixels. eta_s: seconds left.
    phase: a short word for people ("fit", "quantise", ...).
    """

    step: int
    steps: int
    bpp: float
    psnr_db: float
    eta_s: float
    phase: str


ProgressCallback = Callable[[Progress], None]
"""Called now and then by an encoder. An exception that it raises stops the encoder and reaches the caller."""


class Codec(Protocol):
    """A module or object that codes the colour planes of one picture.

    TAKES_SIDE: whether it needs a side picture. Only then are ``encode`` and ``decode`` given ``side``.
    OPTIONS: settings that it alone looks at. EXACT_PIXELS: whether it decodes to the same samples everywhere.
    LOSSLESS: whether those are the samples that it was given, so that there is no quality to choose.
    SIDE_AT_DECODER: whether files are made without a side picture and decoded with one, if there is one.
    """

    CODEC_ID: int
    VERSION: int
    TAKES_SIDE: bool
    OPTIONS: tuple[str, ...]
    EXACT_PIXELS: bool
    LOSSLESS: bool
    SIDE_AT_DECODER: bool

    def encode(
        self, pixels: Pixels, settings: Settings, progress: ProgressCallback | None, **side: Side
    ) -> bytes:
        """Code ``pixels``, (H, W, C) uint8 or uint16 with C in {1, 3}, into a payload."""
        ...

    def decode(
        self, payload: bytes, width: int, height: int, channels: int, maxval: int, threads: int, **side: Side
    ) -> np.ndarray[Any, Any]:
        """Decode a payload to (height, width, channels), uint8 if ``maxval`` is 255, uint16 if 65535.

        Raises CorruptError, UnsupportedError, LimitError or SideImageError.
        """
        ...

    def macs_per_pixel(self, payload: bytes) -> float:
        """Multiply-accumulates that decoding takes per pixel, found without decoding."""
        ...


class SideCodec(Codec, Protocol):
    """A codec with TAKES_SIDE."""

    def useful(self, pixels: Pixels, settings: Settings, side: Side) -> Side | None:
        """The side picture, perhaps with its field, or None if ``pixels`` are better coded without it."""
        ...
