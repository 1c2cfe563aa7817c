"""The codecs of this package, through ``wyner.encode`` and ``wyner.decode`` as users call them."""

from __future__ import annotations

from typing import cast

from .. import __version__, api, codecs, container
from ..codecs.base import Settings
from ..errors import TargetMissedError
from .codec import Codec, Pixels, Setting

QUALITIES = (17, 31, 45, 59, 70)
_KEYS = frozenset({"quality", "target_bpp", "target_psnr", "target_size", "effort", "options"})
# What no encoder, decoder or container depends on, so that a change there keeps the records valid.
_OUTSIDE = ("bench", "batch", "cli", "train", "pillow.py", "__main__.py")


def all_codecs() -> list[Codec]:
    """One bench codec for each codec of the package, called ``wyner_NAME``."""
    return [_adapter(name) for name in sorted(codecs.MODULES)]


def _adapter(name: str) -> Codec:
    def encode(pixels: Pixels, setting: Setting, side: Pixels | None, threads: int) -> bytes:
        try:
            return api.encode(pixels, side=side, codec=name, threads=threads, **setting)
        except TargetMissedError as missed:  # the true rate of the file is what is recorded
            return missed.data

    def decode(data: bytes, side: Pixels | None, threads: int) -> Pixels:
        return cast(Pixels, api.decode(data, side=side, threads=threads).pixels)

    return Codec(
        f"wyner_{name}",
        ".wyn",
        encode,
        decode,
        lambda: f"wyner {__version__}, {name} {codecs.by_name(name).VERSION}",
        tuple({"effort": 5, "quality": quality} for quality in QUALITIES),
        _KEYS,
        depths=(8, 16),
        takes_side=name == "side",
        own_target=True,
        macs_per_pixel=lambda data: codecs.by_name(name).macs_per_pixel(container.read(data).payload),
        code_parts=tuple(f"-{part}" for part in _OUTSIDE),
        check=_check,
    )


def _check(setting: Setting) -> None:
    fields = {key: value for key, value in setting.items() if key not in ("options", "target_size")}
    Settings(**fields, target_bytes=setting.get("target_size"))
