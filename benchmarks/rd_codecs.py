"""The codecs that rd.py measures: how each one turns an array into file bytes and back.

A codec is a name, a list of settings (JSON-able dicts, part of the record's key) and two functions.
Classical codecs come from Pillow and imagecodecs wheels, so anybody can repeat the run; all use one thread.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image, features

Setting = dict[str, Any]
Encoder = Callable[[np.ndarray, Setting], bytes]
Decoder = Callable[[bytes], np.ndarray]


@dataclass(frozen=True)
class Codec:
    """One codec: `encode` maps an (H, W, 3) uint8 array to file bytes, `decode` maps them back."""

    name: str
    settings: list[Setting]
    encode: Encoder
    decode: Decoder
    version: str
    note: str = field(default="")


def _pillow_encode(kind: str, fixed: Setting) -> Encoder:
    def encode(rgb: np.ndarray, setting: Setting) -> bytes:
        sink = io.BytesIO()
        Image.fromarray(rgb).save(sink, kind, **fixed, **setting)
        return sink.getvalue()

    return encode


def _pillow_decode(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def _qualities(*values: float, key: str = "quality") -> list[Setting]:
    return [{key: v} for v in values]


def jpeg() -> list[Codec]:
    """Progressive JPEG with optimised Huffman tables, with and without chroma subsampling (libjpeg-turbo)."""
    levels = _qualities(3, 5, 8, 12, 18, 25, 35, 45, 55, 65, 75, 82, 88, 92, 95)
    version = f"Pillow libjpeg-turbo {features.version('libjpeg_turbo')}"
    out = []
    for tag, subsampling in (("444", "4:4:4"), ("420", "4:2:0")):
        fixed = {"optimize": True, "progressive": True, "subsampling": subsampling}
        out.append(Codec(f"jpeg_{tag}", levels, _pillow_encode("JPEG", fixed), _pillow_decode, version))
    return out


def webp() -> list[Codec]:
    """Lossy WebP at its slowest method; Pillow cannot ask for sharp chroma downsampling."""
    levels = _qualities(0, 2, 5, 10, 20, 30, 45, 60, 72, 80, 87, 92, 96, 99)
    version = f"Pillow libwebp {features.version('webp')}"
    return [Codec("webp_m6", levels, _pillow_encode("WEBP", {"method": 6}), _pillow_decode, version)]


def avif() -> list[Codec]:
    """AVIF 4:4:4 by libaom: 8 bit tuned for PSNR through Pillow, 10 bit with default tuning (imagecodecs)."""
    import imagecodecs as ic

    fixed = {
        "codec": "aom",
        "subsampling": "4:4:4",
        "speed": 2,
        "max_threads": 1,
        "advanced": {"tune": "psnr"},
    }
    levels = _qualities(1, 5, 10, 18, 27, 37, 47, 57, 67, 77, 85)

    def encode10(rgb: np.ndarray, setting: Setting) -> bytes:
        wide = (rgb.astype(np.uint32) * 1023 + 127) // 255
        args = {"speed": 2, "bitspersample": 10, "pixelformat": "444", "codec": "aom", "numthreads": 1}
        return bytes(ic.avif_encode(wide.astype(np.uint16), level=setting["quality"], **args))

    def decode10(data: bytes) -> np.ndarray:
        wide = ic.avif_decode(data, numthreads=1).astype(np.uint32)
        return ((wide * 255 + 511) // 1023).astype(np.uint8)

    pillow = f"Pillow libavif {features.version('avif')} aom"
    return [
        Codec("avif_444_8b_psnr", levels, _pillow_encode("AVIF", fixed), _pillow_decode, pillow, "speed 2"),
        Codec("avif_444_10b", levels, encode10, decode10, f"imagecodecs {ic.avif_version()}", "speed 2"),
    ]


def jpegxl() -> list[Codec]:
    """Lossy JPEG XL at efforts 7 and 9 (it aims at perceived quality, not PSNR)."""
    import imagecodecs as ic

    levels = _qualities(0.4, 0.7, 1.0, 1.5, 2.2, 3.2, 4.5, 6.5, 9, 13, 19, 25, key="distance")

    def make(effort: int) -> Encoder:
        def encode(rgb: np.ndarray, setting: Setting) -> bytes:
            return bytes(ic.jpegxl_encode(rgb, distance=setting["distance"], effort=effort, numthreads=1))

        return encode

    def decode(data: bytes) -> np.ndarray:
        return np.asarray(ic.jpegxl_decode(data, numthreads=1))

    version = f"imagecodecs {ic.jpegxl_version()}"
    return [Codec(f"jpegxl_e{e}", levels, make(e), decode, version) for e in (7, 9)]


def wyner(settings: list[Setting], threads: int) -> Codec:
    """wyner through its public Python API; a setting holds keyword arguments of `wyner.encode`.

    A file that misses its target is measured all the same: its true rate and PSNR are what is recorded.
    """
    import wyner as package
    from wyner.errors import TargetMissedError

    def encode(rgb: np.ndarray, setting: Setting) -> bytes:
        try:
            return package.encode(rgb, threads=threads, **setting)
        except TargetMissedError as missed:
            return missed.data

    def decode(data: bytes) -> np.ndarray:
        return package.decode(data, threads=1).pixels

    version = f"wyner {getattr(package, '__version__', '?')}"
    return Codec(
        "wyner", settings, encode, decode, version, f"encoded with {threads} threads, decoded with 1"
    )


def anchors() -> list[Codec]:
    """Every classical codec, cheapest first."""
    return [*jpeg(), *webp(), *jpegxl(), *avif()]
