"""What encoding and decoding one picture and a set of them have in common."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Union

import numpy as np

from . import container
from .codecs.base import DEFAULT_QUALITY, TARGET_TOLERANCE, Settings
from .container import Container, Header
from .errors import CorruptError, TargetMissedError, UsageError
from .image import Array, Image, pixel_hash

if TYPE_CHECKING:
    from PIL import Image as PilImage

ImageLike = Union[Image, Array, "PilImage.Image", str, "os.PathLike[str]"]
"""A picture: an Image, an array as ``Image.from_array`` takes it, a PIL image, or the path of a file."""

_COMMON_OPTIONS = ("seed",)


def as_image(image: ImageLike) -> Image:
    """An Image of whatever ``encode`` takes. Raises UsageError for other types."""
    if isinstance(image, Image):
        return image
    if isinstance(image, np.ndarray):
        return Image.from_array(image)
    if isinstance(image, (str, os.PathLike)):
        from . import io

        return io.read(image)
    from PIL import Image as PilImage

    if isinstance(image, PilImage.Image):
        return Image.from_pil(image)
    raise UsageError(f"a picture is an Image, an array, a PIL image or a path, not {type(image).__name__}")


def default_threads() -> int:
    """The cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # absent outside Linux
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def thread_count(threads: int | None) -> int:
    """The given number of threads, or all cores. Raises UsageError for less than 1."""
    if threads is None:
        return default_threads()
    if threads < 1:
        raise UsageError(f"threads is {threads}, it must be at least 1")
    return threads


def settings_of(
    quality: float | None,
    effort: int,
    target_bpp: float | None,
    target_psnr: float | None,
    target_size: int | None,
    threads: int | None,
    options: Mapping[str, str | int | float] | None,
    more: tuple[str, ...] = (),
) -> Settings:
    """What an encoder is asked for; without a goal, the default quality.

    target_bpp: bits per pixel. target_psnr: dB. target_size: bytes. options: further fields by name. more:
    names that these may have beside those of every codec. Raises UsageError for others, and wrong values.
    """
    if all(goal is None for goal in (quality, target_bpp, target_psnr, target_size)):
        quality = DEFAULT_QUALITY
    settings = Settings(
        quality=quality,
        effort=effort,
        target_bpp=target_bpp,
        target_psnr=target_psnr,
        target_bytes=target_size,
        threads=thread_count(threads),
    )
    return _with_options(settings, options or {}, more)


def check_size(data: bytes, size: int, area: int, settings: Settings) -> None:
    """Raise TargetMissedError, with ``data``, if ``size`` bytes for ``area`` pixels are over a target."""
    wanted = settings.target_bytes
    if settings.target_bpp is not None:
        wanted = int(settings.target_bpp * area / 8)
    if wanted is not None and size > wanted * (1 + TARGET_TOLERANCE):
        raise TargetMissedError(f"there are {size} bytes, the target was {wanted}", data)


def check_psnr(data: bytes, reached: float, settings: Settings) -> None:
    """Raise TargetMissedError, with ``data``, if a PSNR of ``reached`` dB is under the target."""
    wanted = settings.target_psnr
    if wanted is not None and reached < wanted * (1 - TARGET_TOLERANCE):
        raise TargetMissedError(f"the PSNR is {reached:.2f} dB, the target was {wanted:g} dB", data)


def _with_options(
    settings: Settings, options: Mapping[str, str | int | float], more: tuple[str, ...]
) -> Settings:
    """Settings with further fields set by name, each converted to the type of the field's default."""
    allowed: dict[str, Any] = {
        f.name: f.default for f in dataclasses.fields(settings) if f.name in _COMMON_OPTIONS or f.name in more
    }
    changes: dict[str, Any] = {}
    for name, value in options.items():
        if name not in allowed:
            raise UsageError(f"no option is called {name!r}; there are: {', '.join(sorted(allowed))}")
        kind = type(allowed[name])
        try:
            changes[name] = kind(value)
        except (TypeError, ValueError, OverflowError):
            raise UsageError(f"option {name} takes a value of type {kind.__name__}, not {value!r}") from None
    return dataclasses.replace(settings, **changes)


def frame_of(
    picture: Image, codec_id: int, version: int, store_hash: bool, side_hash: bytes | None = None
) -> Container:
    """Everything that a file holds of a picture but its payload; a pixel hash is a place-holder of 0."""
    header = Header(
        picture.width,
        picture.height,
        picture.channels,
        picture.bit_depth,
        picture.alpha is not None,
        codec_id,
        version,
    )
    alpha = None
    if picture.alpha is not None:
        from . import _native

        alpha = _native.plane_encode(np.ascontiguousarray(picture.alpha))
    return Container(
        header,
        b"",
        alpha,
        exif=picture.exif,
        icc=picture.icc,
        xmp=picture.xmp,
        pixel_hash=bytes(container.HASH_BYTES) if store_hash else None,
        side_hash=side_hash,
    )


def assembled(parts: Container, pixels: Array, check_hash: bool) -> Image:
    """The picture whose colour samples were decoded to ``pixels``. Raises CorruptError."""
    alpha = None
    if parts.alpha is not None:
        from . import _native

        header = parts.header
        alpha = _native.plane_decode(parts.alpha, header.width, header.height, header.maxval)
    image = Image(pixels, alpha, parts.icc, parts.exif, parts.xmp)
    if check_hash and parts.pixel_hash is not None and pixel_hash(image) != parts.pixel_hash:
        raise CorruptError("the decoded pixels do not have the hash that the file states")
    return image
