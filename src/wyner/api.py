"""``wyner.encode``, ``decode``, ``info`` and ``compare``: all codecs stand behind these."""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import numpy as np

from . import codecs, container, metrics
from .codecs.base import DEFAULT_EFFORT, Codec, ProgressCallback, Settings, Side, SideCodec
from .container import Container, Limits
from .errors import (
    CorruptError,
    SideImageError,
    SideWarning,
    UsageError,
)
from .facts import ChunkInfo, Comparison, Info
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

SideLike = ImageLike | bytes
"""A side picture: a picture, or the bytes of a file, ``.wyn`` files among them."""


def encode(
    image: ImageLike,
    *,
    side: SideLike | None = None,
    codec: str | None = None,
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
    """Compress a picture into the bytes of a ``.wyn`` file.

    side: a picture like it that the decoder holds as well (the other eye, an earlier date), of any size; it
    must be given to ``decode`` again, every sample the same. (The encoder of "ndic" does not look at it: it
    only names it in the file, and any picture of the size of this one may be given to ``decode``.) codec:
    default "overfit" without a side picture; with one "side", or "overfit" if it does not help; ``info``
    tells which; "lossless" gives the very samples back and takes no quality. quality: 0..100, default 60; or
    one of target_bpp (bits per pixel), target_psnr (dB) and target_size (bytes), all of the whole file.
    effort: 1 (fast) .. 10 (small). threads: default all cores; the result does not depend on it. progress:
    called now and then; an exception from it stops the encoder. options: further settings of the codec by
    name. store_hash: add 22 bytes by which ``wyner test`` verifies pixels.

    Raises UsageError for bad arguments; TargetMissedError (with the finished file in its ``data``) when the
    file is over a target rate or under a target PSNR by more than 2 %; LimitError for more than 131072
    columns or rows ("overfit", "side"; 1048576 of "lossless"); FloatingPointError if the fit diverges;
    UnavailableError for what needs PyTorch or a model that is not at hand; the errors of ``wyner.io.read``;
    and those of ``decode`` where a ``.wyn`` file is given as ``side``.
    """
    picture = as_image(image)
    chosen = codecs.by_name(codec or ("overfit" if side is None else "side"))
    if store_hash and not chosen.EXACT_PIXELS:
        raise UsageError("this codec's pixels may differ a little between machines: no hash can be stored")
    known = _encoder_side(chosen, picture, side)
    targets = (target_bpp, target_psnr, target_size)
    if chosen.LOSSLESS and not all(goal is None for goal in (quality, *targets)):
        raise UsageError("a lossless codec takes neither a quality nor a target")
    settings = settings_of(quality, effort, *targets, threads, options, chosen.OPTIONS)
    frame, settings = _framed(picture, chosen, known, settings, store_hash)
    if codec is None and known.side is not None:
        known = _if_useful(chosen, known, picture, settings)
        if known.side is None:
            chosen = codecs.by_name("overfit")
            frame, settings = _framed(picture, chosen, known, settings, store_hash)
    payload = chosen.encode(picture.pixels, settings, progress, **known.argument)
    frame = dataclasses.replace(frame, payload=payload)
    if not (store_hash or target_psnr is not None):
        data = container.write(frame)
        check_size(data, len(data), picture.width * picture.height, settings)
        return data
    decoded = chosen.decode(
        payload,
        picture.width,
        picture.height,
        picture.channels,
        picture.maxval,
        settings.threads,
        **known.argument,
    )
    if store_hash:
        frame = dataclasses.replace(
            frame, pixel_hash=pixel_hash(dataclasses.replace(picture, pixels=decoded))
        )
    data = container.write(frame)
    check_size(data, len(data), picture.width * picture.height, settings)
    check_psnr(data, metrics.psnr(metrics.mse(picture.pixels, decoded), picture.maxval), settings)
    return data


def decode(
    data: bytes | bytearray | memoryview,
    *,
    side: SideLike | None = None,
    refine: SideLike | None = None,
    limits: Limits | None = None,
    threads: int | None = None,
    check_hash: bool = False,
) -> Image:
    """Decode the bytes of a ``.wyn`` file.

    side: the side image, for files that were made with one or, of the codec "ndic", for one; for others it is
    not looked at. refine: a picture like it, of any size, that the encoder did not know (the other eye, an
    earlier date), to bring the result nearer to the original; one of another scene changes nothing, or next
    to nothing. check_hash: compare the samples with the file's pixel hash where it has one; it is that of the
    picture before it is refined. The result does not depend on ``threads`` (default all cores).

    Raises CorruptError, UnsupportedError, LimitError, SideImageError; UsageError when asked to refine a file
    that was made with a side image or is lossless; UnavailableError for a learned file whose model, or
    PyTorch, is not at hand; and the errors of ``wyner.io.read`` for ``side`` and ``refine``.
    """
    limits = limits or Limits()
    parts = container.read(data, limits)
    header = parts.header
    codec = codecs.by_id(header.codec_id, header.codec_version)
    known = _decoder_side(parts, codec, side, limits)
    if refine is not None and (codec.TAKES_SIDE or codec.SIDE_AT_DECODER):
        raise UsageError("this file is decoded with a side image; only others can be refined")
    if refine is not None and codec.LOSSLESS:
        raise UsageError("this file is lossless: there is nothing to refine")
    limits.check_macs(codec.macs_per_pixel(parts.payload) * header.width * header.height)
    pixels = codec.decode(
        parts.payload,
        header.width,
        header.height,
        header.channels,
        header.maxval,
        thread_count(threads),
        **known.argument,
    )
    image = assembled(parts, pixels, check_hash)
    return image if refine is None else _refined(image, refine, parts, limits, thread_count(threads))


def _refined(image: Image, refine: SideLike, parts: Container, limits: Limits, threads: int) -> Image:
    from .codecs.side import network, refinement

    y, _ = load(refine, limits)
    pixels = refinement.refine(image.pixels, y.pixels, network.shipped(), len(parts.payload), threads)
    return dataclasses.replace(image, pixels=pixels)


def info(data: bytes | bytearray | memoryview, *, limits: Limits | None = None) -> Info:
    """What a ``.wyn`` file tells about itself, without decoding it. Raises as ``wyner.container.read``."""
    parts = container.read(data, limits)
    header, size = parts.header, len(memoryview(data))
    return Info(
        width=header.width,
        height=header.height,
        channels=header.channels,
        bit_depth=header.bit_depth,
        has_alpha=header.has_alpha,
        codec=codecs.IDS.get(header.codec_id, f"unknown ({header.codec_id})"),
        codec_version=header.codec_version,
        format_version=f"{container.MAJOR}.{parts.minor}",
        file_bytes=size,
        bpp=8 * size / (header.width * header.height),
        pixel_hash=parts.pixel_hash.hex() if parts.pixel_hash else None,
        side_hash=parts.side_hash.hex() if parts.side_hash else None,
        chunks=tuple(ChunkInfo(kind, count) for kind, count in parts.chunks),
    )


def compare(
    original: ImageLike | bytes,
    other: ImageLike | bytes,
    *,
    side: SideLike | None = None,
    refine: SideLike | None = None,
    limits: Limits | None = None,
) -> Comparison:
    """Compare two pictures of one size, depth and number of colour planes.

    Each is a picture as in ``encode``, the path of a ``.wyn`` file, or the bytes of a file of either kind.
    side: the side image of ``other``, if it is a file that was made with one. refine: as in ``decode``.
    Raises UsageError when the two cannot be compared, and the errors of reading and decoding.
    """
    (a, _), (b, size) = load(original, limits), load(other, limits, side, refine)
    error = metrics.mse(a.pixels, b.pixels)
    worst = max(
        int(np.abs(row_a.astype(np.int32) - row_b).max())
        for row_a, row_b in zip(a.pixels, b.pixels, strict=True)
    )
    same_alpha = (
        np.array_equal(a.alpha, b.alpha)
        if a.alpha is not None and b.alpha is not None
        else a.alpha is b.alpha
    )
    return Comparison(
        width=a.width,
        height=a.height,
        psnr_db=metrics.psnr(error, a.maxval),
        mse=error,
        max_error=worst,
        alpha_equal=same_alpha,
        file_bytes=size,
        bpp=None if size is None else 8 * size / (a.width * a.height),
    )


def load(
    source: ImageLike | bytes,
    limits: Limits | None = None,
    side: SideLike | None = None,
    refine: SideLike | None = None,
) -> tuple[Image, int | None]:
    """A picture and, when it came as a file, the file's size in bytes, else None.

    source: as ``compare`` takes it; side, refine: as in ``decode``, for a ``.wyn`` file. Raises as ``decode``
    and ``wyner.io.read``.
    """
    if isinstance(source, (str, os.PathLike)):
        source = Path(source).read_bytes()
    if not isinstance(source, bytes):
        return as_image(source), None
    if source.startswith(container.SIGNATURE):
        return decode(source, side=side, refine=refine, limits=limits), len(source)
    from . import io

    return io.read(source, limits=limits), len(source)


def _framed(
    picture: Image, codec: Codec, known: _Known, settings: Settings, store_hash: bool
) -> tuple[Container, Settings]:
    """The file without its payload, and settings that know its overhead."""
    frame = frame_of(picture, codec.CODEC_ID, codec.VERSION, store_hash, known.hash)
    return frame, dataclasses.replace(settings, overhead_bytes=_overhead(frame, picture, settings))


def _overhead(frame: Container, picture: Image, settings: Settings) -> int:
    if settings.target_bytes is not None:
        expected = settings.target_bytes
    elif settings.target_bpp is not None:
        expected = int(settings.target_bpp * picture.width * picture.height / 8)
    else:
        expected = picture.width * picture.height // 8
    return container.overhead(frame, min(expected, 2**32 - 1))


@dataclasses.dataclass(frozen=True)
class _Known:
    """What is known of a side picture: its pixel hash, and what a codec that takes one is given."""

    hash: bytes | None = None
    side: Side | None = None

    @property
    def argument(self) -> dict[str, Side]:
        return {} if self.side is None else {"side": self.side}


def _encoder_side(codec: Codec, picture: Image, side: SideLike | None) -> _Known:
    if side is not None and codec.SIDE_AT_DECODER:
        named = _load_side(side, None)  # whose samples must not reach the encoder
        if named.side is not None and named.side.pixels.shape[:2] != picture.pixels.shape[:2]:
            raise UsageError("this codec's decoder takes a side image of the size of the picture")
        return _Known(named.hash)
    if codec.TAKES_SIDE == (side is not None):
        return _Known() if side is None else _load_side(side, None)
    raise UsageError("this codec needs a side image" if side is None else "this codec takes no side image")


def _if_useful(codec: Codec, known: _Known, picture: Image, settings: Settings) -> _Known:
    """The side picture, aligned already; nothing where the picture is better coded without it."""
    assert known.side is not None
    side = cast(SideCodec, codec).useful(picture.pixels, settings, known.side)
    return _Known() if side is None else _Known(known.hash, side)


def _decoder_side(parts: Container, codec: Codec, side: SideLike | None, limits: Limits) -> _Known:
    if codec.SIDE_AT_DECODER:
        return _unseen_side(parts, side, limits)
    if parts.side_hash is None:
        if codec.TAKES_SIDE:
            raise CorruptError("the file lacks the hash of its side image")
        return _Known()
    if side is None:
        raise SideImageError("this file needs the side image that it was made with (--side)")
    known = _load_side(side, limits)
    if known.hash != parts.side_hash:
        raise SideImageError("the side image is not the one that this file was made with")
    return known if codec.TAKES_SIDE else _Known(known.hash)


def _unseen_side(parts: Container, side: SideLike | None, limits: Limits) -> _Known:
    """A side picture that the encoder did not see: any will do, but the right one gives the best result."""
    if side is None:
        warnings.warn("decoded without a side image: with one the picture is better", SideWarning, 4)
        return _Known()
    known = _load_side(side, limits)
    if parts.side_hash not in (None, known.hash):
        warnings.warn("the side image is not quite the one that was named when encoding", SideWarning, 4)
    assert known.side is not None
    named = known.hash == parts.side_hash
    return dataclasses.replace(known, side=dataclasses.replace(known.side, named=named))


def _load_side(side: SideLike, limits: Limits | None) -> _Known:
    payload = None
    if isinstance(side, (str, os.PathLike)):
        side = Path(side).read_bytes()
    if isinstance(side, bytes):
        if side.startswith(container.SIGNATURE):
            parts = container.read(side, limits)
            payload = parts.payload if codecs.IDS.get(parts.header.codec_id) == "overfit" else None
        image, _ = load(side, limits)
    else:
        image = as_image(side)
    return _Known(pixel_hash(image), Side(image.pixels, payload))
