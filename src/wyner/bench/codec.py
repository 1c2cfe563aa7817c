"""What the bench needs to know of a codec: array to file bytes and back, its settings and its rate knob."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt

from ..errors import UsageError

Pixels = npt.NDArray[Any]
"""(H, W, C) samples, uint8 or uint16, C = 1 (grey) or 3 (RGB)."""

SidePicture = Pixels | bytes
"""Samples of a side picture, or its whole ``.wyn`` file."""

Setting = Mapping[str, Any]
"""What one file is made with: JSON-able values by name."""

RATE_KEYS = ("quality", "distance", "ratio", "target_bpp", "target_psnr", "target_size")
"""Settings that choose a point on a curve; all others choose the curve."""


@dataclass(frozen=True)
class Knob:
    """The setting that moves the rate. Bytes grow (``rising``) or shrink with it, over [low, high]."""

    key: str
    low: float
    high: float
    rising: bool
    integer: bool = False
    logarithmic: bool = False

    def check(self, setting: Setting) -> None:
        """Raise UsageError unless the setting has a value of this knob within its range."""
        value: Any = setting.get(self.key)
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not (whole or (isinstance(value, float) and not self.integer)):
            raise UsageError(f"{self.key}: {value!r} must be a {'whole ' * self.integer}number")
        if not self.low <= value <= self.high:
            raise UsageError(f"{self.key}: {value:g} must be from {self.low:g} to {self.high:g}")


@dataclass(frozen=True)
class Codec:
    """One codec as the bench runs it.

    encode: (pixels, setting, side picture or None, threads) to the bytes of a whole file.
    decode: (those bytes, side picture or None, threads) back to (H, W, C); single-channel pictures may come
        back with three equal planes. Both raise what the codec raises; a missing package is UnavailableError.
    version: the libraries' names and versions; raises UnavailableError when they are not installed.
    ladder: settings used when an experiment names none. keys: the settings that it understands.
    fixed: what is always set beside them, recorded with every file.
    knob: None for lossless codecs and for those that meet a rate by themselves through ``target_bpp``.
    check: raises UsageError for a setting out of range, before anything is run.
    code_side: (side pixels, setting, threads) to the file of a side picture coded at the same rate; codecs
        with the setting ``side`` only (given.py).
    warped: (file, side picture) to the side picture as the file aligns it with the picture; None where there
        is no such thing.
    macs_per_pixel: multiply-accumulates of decoding, from the file; None where nobody counts them.
    model: hash of the model that a setting names, None of codecs that have no several; raises UsageError when
        there is none of that name, CorruptError and OSError.
    """

    name: str
    suffix: str
    encode: Callable[[Pixels, Setting, SidePicture | None, int], bytes]
    decode: Callable[[bytes, SidePicture | None, int], Pixels]
    version: Callable[[], str]
    ladder: tuple[Setting, ...]
    keys: frozenset[str]
    fixed: Setting = field(default_factory=dict)
    lossless: bool = False
    knob: Knob | None = None
    depths: tuple[int, ...] = (8,)
    takes_side: bool = False
    own_target: bool = False
    code_side: Callable[[Pixels, Setting, int], bytes] | None = None
    warped: Callable[[bytes, SidePicture], Pixels] | None = None
    macs_per_pixel: Callable[[bytes], float] | None = None
    model: Callable[[Setting], str | None] = lambda setting: None
    code_parts: tuple[str, ...] = ("bench/anchors.py",)
    check: Callable[[Setting], None] = lambda setting: None

    @property
    def rate_keys(self) -> frozenset[str]:
        """Those of its settings that choose a point on its curve."""
        return self.keys & frozenset(RATE_KEYS)


def label(name: str, setting: Setting) -> str:
    """A codec's name with all its settings that are not the rate: ``wyner_overfit e5 seed=1``."""
    flat = {**setting, **setting.get("options", {})}
    fixed = {key: flat[key] for key in sorted(flat) if key not in (*RATE_KEYS, "options")}
    return " ".join([name, *(f"e{v}" if k == "effort" else f"{k}={v}" for k, v in fixed.items())])


def rate_text(setting: Setting) -> str:
    """The rate of a setting for people and file names: ``quality=75``; empty for lossless codecs."""
    return " ".join(f"{key}={setting[key]:g}" for key in RATE_KEYS if key in setting)


def slug(text: str) -> str:
    """A file name of at most 120 letters that every system takes."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "._=-") else "_" for c in text)[:120]
