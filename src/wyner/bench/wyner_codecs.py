"""The codecs of this package, through ``wyner.encode`` and ``wyner.decode`` as users call them."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any, cast

from .. import __version__, api, codecs, container
from ..codecs.base import DEFAULT_QUALITY, Settings, Side
from ..errors import SideWarning, TargetMissedError, UsageError
from .codec import Codec, Pixels, Setting, SidePicture
from .given import CONTROLS, control_of

QUALITIES = (17, 31, 45, 59, 70)
_KEYS = frozenset({"quality", "target_bpp", "target_psnr", "target_size", "effort", "options"})
# What no encoder, decoder or container depends on, so that a change there keeps the records valid.
_OUTSIDE = ("bench", "batch", "cli", "train", "pillow.py", "__main__.py")


def all_codecs() -> list[Codec]:
    """One bench codec for each codec of the package, called ``wyner_NAME``, and ``wyner_refine``."""
    return [*(_SPECIAL.get(name, _adapter)(name) for name in sorted(codecs.MODULES)), _refining()]


def _lossless(name: str) -> Codec:
    """Files of one size for each effort, without a quality to choose."""
    return dataclasses.replace(
        _adapter(name),
        ladder=({"effort": 5},),
        keys=frozenset({"effort", "options"}),
        lossless=True,
        own_target=False,
        check=_check_lossless,
    )


def _learned(name: str) -> Codec:
    """Files of models that have names, and may be replaced by others of the same name."""

    def model(setting: Setting) -> str | None:
        return codecs.model_hash(name, setting.get("options", {}))

    return dataclasses.replace(_adapter(name), model=model)


def _unseeing(name: str) -> Codec:
    """Files whose encoder has no side picture and whose decoder has one; one grey pixel stands for none."""

    def encode(pixels: Pixels, setting: Setting, side: SidePicture | None, threads: int) -> bytes:
        return _encode(pixels, name, _without(setting, "side"), None, threads)

    def decode(data: bytes, side: SidePicture | None, threads: int) -> Pixels:
        absent = side is None or (not isinstance(side, bytes) and side.shape[:2] == (1, 1))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SideWarning)
            return cast(Pixels, api.decode(data, side=None if absent else side, threads=threads).pixels)

    return dataclasses.replace(
        _learned(name),
        encode=encode,
        decode=decode,
        keys=_KEYS | {"side"},
        takes_side=True,
        code_side=_code_side,
    )


_SPECIAL = {"lossless": _lossless, "learned": _learned, "ndic": _unseeing}


def _refining() -> Codec:
    """Ordinary files, whose encoder has no side picture; the decoder is given one to refine them by."""
    plain = _adapter("overfit")

    def encode(pixels: Pixels, setting: Setting, side: SidePicture | None, threads: int) -> bytes:
        return _encode(pixels, "overfit", _without(setting, "side"), None, threads)

    def decode(data: bytes, side: SidePicture | None, threads: int) -> Pixels:
        return cast(Pixels, api.decode(data, refine=side, threads=threads).pixels)

    return dataclasses.replace(
        plain,
        name="wyner_refine",
        encode=encode,
        decode=decode,
        keys=_KEYS | {"side"},
        takes_side=True,
        code_side=_code_side,
    )


def _adapter(name: str) -> Codec:
    def encode(pixels: Pixels, setting: Setting, side: SidePicture | None, threads: int) -> bytes:
        return _encode(pixels, name, _without(setting, "side"), side, threads)

    def decode(data: bytes, side: SidePicture | None, threads: int) -> Pixels:
        return cast(Pixels, api.decode(data, side=side, threads=threads).pixels)

    takes_side = name == "side"
    return Codec(
        f"wyner_{name}",
        ".wyn",
        encode,
        decode,
        lambda: f"wyner {__version__}, {name} {codecs.by_name(name).VERSION}",
        tuple({"effort": 5, "quality": quality} for quality in QUALITIES),
        _KEYS | {"side"} if takes_side else _KEYS,
        depths=(8, 16),
        takes_side=takes_side,
        own_target=True,
        code_side=_code_side if takes_side else None,
        warped=_warped if takes_side else None,
        macs_per_pixel=lambda data: codecs.by_name(name).macs_per_pixel(container.read(data).payload),
        code_parts=tuple(f"-{part}" for part in _OUTSIDE),
        check=_check,
    )


def _encode(pixels: Pixels, name: str, setting: Setting, side: SidePicture | None, threads: int) -> bytes:
    try:
        return api.encode(pixels, side=side, codec=name, threads=threads, **setting)
    except TargetMissedError as missed:  # the true rate of the file is what is recorded
        return missed.data


def _code_side(pixels: Pixels, setting: Setting, threads: int) -> bytes:
    """The side picture's own file, of all settings that do not concern side pictures."""
    options = setting.get("options", {})
    kept = {key: value for key, value in options.items() if not key.startswith("side_")}
    own = {**_without(setting, "side"), "options": kept}
    return _encode(pixels, "overfit", own, None, threads)


def _warped(data: bytes, side: SidePicture) -> Pixels:
    from ..codecs.side import aligned

    parts = container.read(data)
    header = parts.header
    pixels = api.decode(side).pixels if isinstance(side, bytes) else side
    maxval = (1 << header.bit_depth) - 1
    return aligned(parts.payload, header.width, header.height, header.channels, maxval, side=Side(pixels))


def _check(setting: Setting) -> None:
    if control_of(setting) not in CONTROLS:
        raise UsageError(f"side: {setting['side']!r} is none of {', '.join(CONTROLS)}")
    Settings(**_without(setting, "options", "target_size", "side"), target_bytes=setting.get("target_size"))


def _check_lossless(setting: Setting) -> None:
    Settings(**_without(setting, "options"), quality=DEFAULT_QUALITY)  # without a goal there are no settings


def _without(setting: Setting, *keys: str) -> dict[str, Any]:
    return {key: value for key, value in setting.items() if key not in keys}
