"""``wyner.encode_set``, ``add_to_set``, ``decode_set``, ``decode_picture`` and ``set_info``.

Several pictures in one file, with the networks that they share (docs/spec/shared.md).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from . import container, metrics, set_container
from .codecs import shared
from .codecs.base import DEFAULT_EFFORT, ProgressCallback, Settings
from .container import Container, Limits
from .errors import UnsupportedError, UsageError
from .facts import SetInfo, SetPicture
from .framing import (
    ImageLike,
    as_image,
    assembled,
    check_psnr,
    check_size,
    frame_of,
    settings_of,
    thread_count,
)
from .image import Image, pixel_hash
from .set_container import SetFile


def encode_set(
    images: Sequence[ImageLike],
    *,
    names: Sequence[str] | None = None,
    quality: float | None = None,
    effort: int = DEFAULT_EFFORT,
    target_bpp: float | None = None,
    target_psnr: float | None = None,
    target_size: int | None = None,
    threads: int | None = None,
    progress: ProgressCallback | None = None,
    options: Mapping[str, str | int | float] | None = None,
    store_hash: bool = False,
) -> bytes:
    """Compress pictures together into the bytes of one ``.wyn`` file, from which each can be decoded alone.

    images: at least one, of any sizes and kinds; what they have in common is paid for once. names: one for
    each picture, no two the same, each fit to name a file; None to store none. quality or a target: as
    ``encode`` takes it; targets are for the file, and for the mean over all pixels. progress: as in
    ``encode``; in the end it may be called from other threads. The rest is as in ``encode``.

    Raises UsageError for bad arguments, TargetMissedError (with the finished file in its ``data``) when the
    file is over a target rate or under a target PSNR by more than 2 %, LimitError for more than 131072
    columns or rows, FloatingPointError if the fit diverges, and the errors of ``wyner.io.read``.
    """
    if isinstance(images, (str, bytes)) or isinstance(names, str):
        raise UsageError("a set is made of a list of pictures, and of one of names")
    if len(images) == 0:
        raise UsageError("a set needs at least one picture")
    pictures = [as_image(image) for image in images]
    settings = settings_of(quality, effort, target_bpp, target_psnr, target_size, threads, options)
    frames = [frame_of(p, shared.CODEC_ID, shared.VERSION, store_hash) for p in pictures]
    parts = SetFile(
        shared.CODEC_ID, shared.VERSION, b"", tuple(frames), None if names is None else tuple(names)
    )
    overhead = _overhead(parts, settings, sum(p.width * p.height for p in pictures))
    settings = dataclasses.replace(settings, overhead_bytes=overhead)
    networks, payloads = shared.encode([p.pixels for p in pictures], settings, progress)
    parts = dataclasses.replace(
        parts,
        networks=networks,
        pictures=tuple(
            _with_payload(frame, networks, payload, picture, settings.threads)
            for frame, payload, picture in zip(frames, payloads, pictures, strict=True)
        ),
    )
    return _checked(set_container.write(parts), parts, pictures, settings)


def add_to_set(
    data: bytes,
    image: ImageLike,
    *,
    name: str | None = None,
    quality: float | None = None,
    effort: int = DEFAULT_EFFORT,
    target_bpp: float | None = None,
    target_psnr: float | None = None,
    target_size: int | None = None,
    threads: int | None = None,
    progress: ProgressCallback | None = None,
    options: Mapping[str, str | int | float] | None = None,
    limits: Limits | None = None,
) -> bytes:
    """A set with one more picture at its end. Its networks, and the pictures that it has, stay as they are.

    data: the set. name: of the new picture, needed if and only if the set has names. A quality means what it
    means for the whole set; targets are for the new picture and what it adds to the file. A pixel hash is
    stored if the set has them. Otherwise as ``encode_set``. Raises as that does, and for ``data`` as
    ``decode_set``.
    """
    parts = _read(data, limits)
    picture = as_image(image)
    if (name is None) != (parts.names is None):
        known = "names: give one" if name is None else "no names"
        raise UsageError(f"the pictures of this set have {known}")
    names = None if name is None or parts.names is None else (*parts.names, name)
    settings = settings_of(quality, effort, target_bpp, target_psnr, target_size, threads, options)
    store_hash = parts.pictures[-1].pixel_hash is not None
    frame = frame_of(picture, shared.CODEC_ID, shared.VERSION, store_hash)
    overhead = len(set_container.appended(data, parts, frame, names)) - len(data)
    settings = dataclasses.replace(settings, overhead_bytes=max(overhead, 0))
    area = sum(p.header.width * p.header.height for p in parts.pictures)
    payload = shared.encode_more(parts.networks, area, picture.pixels, settings, progress)
    frame = _with_payload(frame, parts.networks, payload, picture, settings.threads)
    result = set_container.appended(data, parts, frame, names)
    _checked(
        result, dataclasses.replace(parts, pictures=(frame,)), [picture], settings, len(result) - len(data)
    )
    return result


def decode_set(
    data: bytes | bytearray | memoryview,
    *,
    limits: Limits | None = None,
    threads: int | None = None,
    check_hash: bool = False,
) -> list[Image]:
    """Decode all pictures of a set, which together must be within ``limits``. Otherwise as ``decode``.

    Raises CorruptError, UnsupportedError, LimitError, and UsageError for a file that is no set.
    """
    return list(decode_each(data, limits=limits, threads=threads, check_hash=check_hash))


def decode_picture(
    data: bytes | bytearray | memoryview,
    picture: int | str,
    *,
    limits: Limits | None = None,
    threads: int | None = None,
    check_hash: bool = False,
) -> Image:
    """Decode one picture of a set, by its number, from 0, or its name. Otherwise as ``decode``.

    Raises as ``decode_set``, and UsageError when the set has no such picture.
    """
    return next(decode_each(data, [picture], limits=limits, threads=threads, check_hash=check_hash))


def decode_each(
    data: bytes | bytearray | memoryview,
    which: Sequence[int | str] | None = None,
    *,
    limits: Limits | None = None,
    threads: int | None = None,
    check_hash: bool = False,
) -> Iterator[Image]:
    """Decode pictures of a set one after another, as they are asked for.

    which: their numbers or names; None for all. Together they must be within ``limits``. Otherwise, and in
    what it raises, as ``decode_picture``.
    """
    limits = limits or Limits()
    parts = _read(data, limits)
    chosen = list(parts.pictures)
    if which is not None:
        chosen = [parts.pictures[_index(parts, picture)] for picture in which]
    area = sum(p.header.width * p.header.height for p in chosen)
    limits.check_pixels(area)
    limits.check_macs(shared.macs_per_pixel(parts.networks) * area)
    return _decoded(parts.networks, chosen, thread_count(threads), check_hash)


def set_info(data: bytes | bytearray | memoryview, *, limits: Limits | None = None) -> SetInfo:
    """What a set tells about itself, without decoding it. Raises as ``wyner.set_container.read``."""
    parts = set_container.read(data, limits)
    size = len(memoryview(data))
    area = sum(p.header.width * p.header.height for p in parts.pictures)
    return SetInfo(
        codec=shared.NAME if parts.codec_id == shared.CODEC_ID else f"unknown ({parts.codec_id})",
        codec_version=parts.codec_version,
        format_version=f"{container.MAJOR}.{parts.minor}",
        file_bytes=size,
        shared_bytes=parts.shared_bytes,
        bpp=8 * size / area,
        pictures=tuple(
            SetPicture(
                name=None if parts.names is None else parts.names[k],
                width=p.header.width,
                height=p.header.height,
                channels=p.header.channels,
                bit_depth=p.header.bit_depth,
                has_alpha=p.header.has_alpha,
                bytes=sum(count for _, count in p.chunks),
                pixel_hash=p.pixel_hash.hex() if p.pixel_hash else None,
            )
            for k, p in enumerate(parts.pictures)
        ),
    )


def _read(data: bytes | bytearray | memoryview, limits: Limits | None) -> SetFile:
    """A set that this version can decode."""
    parts = set_container.read(data, limits)
    if (parts.codec_id, parts.codec_version) != (shared.CODEC_ID, shared.VERSION):
        raise UnsupportedError(
            f"the set uses version {parts.codec_version} of codec {parts.codec_id}, "
            "which this version of wyner does not know"
        )
    shared.check(parts.networks)
    return parts


def _index(parts: SetFile, picture: int | str) -> int:
    if not isinstance(picture, int):
        if parts.names is None or picture not in parts.names:
            known = "it has no names" if parts.names is None else "there are: " + ", ".join(parts.names[:20])
            raise UsageError(f"the set has no picture called {picture!r}; {known}")
        return parts.names.index(picture)
    if not 0 <= picture < len(parts.pictures):
        raise UsageError(f"the set has {len(parts.pictures)} pictures, none of number {picture}")
    return picture


def _decoded(
    networks: bytes, pictures: Sequence[Container], threads: int, check_hash: bool
) -> Iterator[Image]:
    for picture in pictures:
        header = picture.header
        size = header.width, header.height, header.channels, header.maxval
        pixels = shared.decode(networks, picture.payload, *size, threads)
        yield assembled(picture, pixels, check_hash)


def _overhead(parts: SetFile, settings: Settings, area: int) -> int:
    """Bytes of the file beside networks and payloads, if the rate is about what is asked for."""
    expected = settings.target_bytes or int((settings.target_bpp or 0.5) * area / 8)
    count = len(parts.pictures)
    lengths = len(container.varint(min(expected // count, 2**32 - 1))) - 1
    return len(set_container.write(parts)) + count * lengths + 1


def _with_payload(
    frame: Container, networks: bytes, payload: bytes, picture: Image, threads: int
) -> Container:
    """The frame filled, with the hash of what it decodes to where it has a place for one."""
    frame = dataclasses.replace(frame, payload=payload)
    if frame.pixel_hash is None:
        return frame
    size = picture.width, picture.height, picture.channels, picture.maxval
    pixels = shared.decode(networks, payload, *size, threads)
    return dataclasses.replace(frame, pixel_hash=pixel_hash(dataclasses.replace(picture, pixels=pixels)))


def _checked(
    data: bytes, parts: SetFile, pictures: Sequence[Image], settings: Settings, size: int | None = None
) -> bytes:
    """``data``, unless a target is missed. size: bytes that count, where these are not all of them."""
    area = sum(p.width * p.height for p in pictures)
    check_size(data, len(data) if size is None else size, area, settings)
    if settings.target_psnr is not None:
        error = 0.0
        decoded = _decoded(parts.networks, parts.pictures, settings.threads, False)
        for picture, image in zip(pictures, decoded, strict=True):
            share = picture.width * picture.height / area
            error += share * metrics.mse(picture.pixels, image.pixels) / picture.maxval**2
        check_psnr(data, metrics.psnr(error, 1), settings)
    return data
