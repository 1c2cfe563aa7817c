"""PNG files of 16 bits a sample, which Pillow would reduce to 8: a decoder and an encoder."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from .container import Limits
from .errors import CorruptError, UnsupportedError
from .image import Array, Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PLANES = {0: 1, 2: 3, 4: 2, 6: 4}
_KEYED = (0, 2)  # colour types without alpha, which alone may have a colour that is clear
_COLOUR_TYPE = {planes: kind for kind, planes in _PLANES.items()}
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_XMP_KEYWORD = b"XML:com.adobe.xmp\x00"
_DEFLATE_RATIO = 1032  # DEFLATE cannot expand by more
_ROWS_PER_BLOCK = 256


@dataclass
class _Parts:
    """What the chunks of a file tell."""

    header: tuple[int, int, int, int, int, int, int]  # width, height, depth, colour type, 0, 0, interlace
    data: list[bytes] = field(default_factory=list)
    colour_key: tuple[int, ...] | None = None
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    animated: bool = False


def is_16_bit(data: bytes) -> bool:
    """Whether ``data`` begins like a PNG file of 16 bits a sample."""
    return data[:8] == SIGNATURE and data[12:16] == b"IHDR" and data[24:25] == b"\x10"


def verify(data: bytes) -> None:
    """Raise CorruptError when a PNG file of any depth is truncated or a critical checksum is wrong.

    Pillow ignores the checksums of the samples, and a damaged picture would pass as a good one.
    """
    for _ in _chunks(data):
        pass


def decode(data: bytes, limits: Limits, first_frame: bool = False) -> Image:
    """Decode a 16-bit PNG file of any colour type, interlaced or not. The EXIF orientation is not applied.

    Raises CorruptError, LimitError, or UnsupportedError for an animation unless ``first_frame``.
    """
    parts = _parse(data, limits)
    if parts.animated and not first_frame:
        raise UnsupportedError("this is an animation; ask for its first frame (--first-frame) or split it")
    width, height, _, colour_type, _, _, interlace = parts.header
    planes = _PLANES[colour_type]
    passes = _ADAM7 if interlace else ((0, 0, 1, 1),)
    grid = [(x, y, dx, dy, -(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in passes]
    grid = [entry for entry in grid if entry[4] > 0 and entry[5] > 0]
    raw = _inflate(b"".join(parts.data), sum(h * (1 + 2 * planes * w) for *_, w, h in grid))
    samples = np.empty((height, width, planes), np.uint16)
    at = 0
    for x, y, dx, dy, w, h in grid:
        size = h * (1 + 2 * planes * w)
        rows = np.frombuffer(raw, np.uint8, size, at).reshape(h, -1)
        samples[y::dy, x::dx] = _unfilter(rows, 2 * planes).view(">u2").reshape(h, w, planes)
        at += size
    if parts.colour_key is not None and len(parts.colour_key) == planes:
        clear = np.all(samples == np.array(parts.colour_key, np.uint16), axis=2)
        samples = np.dstack([samples, np.where(clear, 0, 65535).astype(np.uint16)])
    return Image.from_array(samples, icc=parts.icc, exif=parts.exif, xmp=parts.xmp)


def encode(image: Image) -> bytes:
    """Encode a 16-bit image as a non-interlaced PNG file, metadata included."""
    samples = np.asarray(image).reshape(image.height, image.width, -1)
    planes = samples.shape[2]
    header = struct.pack(">IIBBBBB", image.width, image.height, 16, _COLOUR_TYPE[planes], 0, 0, 0)
    out = [SIGNATURE, _chunk(b"IHDR", header)]
    if image.icc:
        out.append(_chunk(b"iCCP", b"ICC Profile\x00\x00" + zlib.compress(image.icc, 9)))
    if image.exif:
        out.append(_chunk(b"eXIf", image.exif))
    if image.xmp:
        out.append(_chunk(b"iTXt", _XMP_KEYWORD + b"\x00\x00\x00\x00" + image.xmp))
    deflate = zlib.compressobj(6)
    rows = np.ascontiguousarray(samples, ">u2").reshape(image.height, -1).view(np.uint8)
    for start in range(0, image.height, _ROWS_PER_BLOCK):
        out.extend(_data_chunk(deflate.compress(_filter(rows, start, 2 * planes))))
    out.extend(_data_chunk(deflate.flush()))
    return b"".join([*out, _chunk(b"IEND", b"")])


def _chunk(kind: bytes, payload: bytes) -> bytes:
    body = kind + payload
    return len(payload).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")


def _data_chunk(payload: bytes) -> list[bytes]:
    return [_chunk(b"IDAT", payload)] if payload else []


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (type, payload). A damaged critical chunk is an error, a damaged ancillary one is left out."""
    at = len(SIGNATURE)
    while True:
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        end = at + 12 + length
        if end > len(data):
            raise CorruptError("the PNG file is truncated")
        if zlib.crc32(data[at + 4 : end - 4]) == int.from_bytes(data[end - 4 : end], "big"):
            yield kind, data[at + 8 : end - 4]
        elif kind[:1].isupper():
            raise CorruptError(
                f"the PNG file is damaged: chunk {kind.decode('latin-1')} has a wrong checksum"
            )
        if kind == b"IEND":
            return
        at = end


def _parse(data: bytes, limits: Limits) -> _Parts:
    chunks = _chunks(data)
    kind, payload = next(chunks)
    if kind != b"IHDR" or len(payload) != 13:
        raise CorruptError("the PNG file has no header")
    parts = _Parts(struct.unpack(">IIBBBBB", payload))
    width, height, depth, colour_type, compression, filtering, interlace = parts.header
    if 0 in (width, height) or depth != 16 or colour_type not in _PLANES:
        raise CorruptError("the PNG header is malformed")
    if compression or filtering or interlace > 1:
        raise UnsupportedError("the PNG file uses an unknown compression, filter or interlace method")
    limits.check_size(width, height)
    for kind, payload in chunks:
        if kind == b"IDAT":
            parts.data.append(payload)
        elif kind == b"tRNS" and colour_type in _KEYED and len(payload) == 2 * _PLANES[colour_type]:
            parts.colour_key = struct.unpack(f">{_PLANES[colour_type]}H", payload)
        elif kind == b"iCCP":
            parts.icc = _inflate_text(payload.partition(b"\x00")[2][1:], limits)
        elif kind == b"eXIf":
            parts.exif = payload
        elif kind == b"iTXt" and payload.startswith(_XMP_KEYWORD):
            parts.xmp = _international_text(payload[len(_XMP_KEYWORD) :], limits)
        elif kind == b"acTL":
            parts.animated = int.from_bytes(payload[:4], "big") > 1
    return parts


def _international_text(payload: bytes, limits: Limits) -> bytes | None:
    """The text of an iTXt chunk after its keyword: flag, method, language, translated keyword, text."""
    fields = payload[2:].split(b"\x00", 2)
    if len(fields) != 3:
        return None
    return _inflate_text(fields[2], limits) if payload[:1] == b"\x01" else fields[2]


def _inflate_text(stored: bytes, limits: Limits) -> bytes | None:
    inflate = zlib.decompressobj()
    try:
        value = inflate.decompress(stored, limits.metadata_bytes + 1)
    except zlib.error as error:
        raise CorruptError(f"the PNG file has damaged metadata: {error}") from None
    limits.check_metadata(len(value))
    return value


def _inflate(stored: bytes, size: int) -> bytes:
    """Exactly ``size`` bytes, allocated only when the compressed data can hold as many."""
    if size > _DEFLATE_RATIO * (len(stored) + 1):
        raise CorruptError("the PNG file is truncated")
    try:
        raw = zlib.decompressobj().decompress(stored, size)
    except zlib.error as error:
        raise CorruptError(f"the PNG file is damaged: {error}") from None
    if len(raw) != size:
        raise CorruptError("the PNG file is truncated")
    return raw


def _unfilter(rows: Array, bpp: int) -> Array:
    """Undo the row filters. rows: (h, 1 + w*bpp) uint8, a filter type first in each; returns (h, w*bpp).

    A byte needs its neighbours to the left, above and above left, so a whole anti-diagonal of pixels is
    computed at once; in a padded buffer, a diagonal is a strided view.
    """
    height, width = rows.shape[0], (rows.shape[1] - 1) // bpp
    filters = rows[:, :1].astype(np.intp)
    if filters.max() > 4:
        raise CorruptError("the PNG file is damaged: unknown row filter")
    padded = np.zeros((height + 1, (width + 1) * bpp), np.uint8)
    padded[1:, bpp:] = rows[:, 1:]
    if not filters.any():
        return np.ascontiguousarray(padded[1:, bpp:])
    stride = padded.shape[1]
    for t in range(width + height - 1):
        first, last = max(0, t - width + 1), min(height - 1, t)
        shape, strides = (last - first + 1, bpp), (stride - bpp, 1)
        at = (first + 1) * stride + (t - first + 1) * bpp

        cell, left, up, corner = (
            np.ndarray(shape, np.uint8, padded, at - back, strides) for back in (0, bpp, stride, stride + bpp)
        )
        a, b, c = left.astype(np.int16), up.astype(np.int16), corner.astype(np.int16)
        choices = [np.zeros_like(a), a, b, (a + b) >> 1, _paeth(a, b, c)]
        cell += np.choose(filters[first : last + 1], choices).astype(np.uint8)
    return np.ascontiguousarray(padded[1:, bpp:])


def _paeth(a: Array, b: Array, c: Array) -> Array:
    """The PNG predictor of left, up and corner, int16 arrays of values 0..255."""
    to_a, to_b, to_c = np.abs(b - c), np.abs(a - c), np.abs(a + b - 2 * c)
    nearest_of_b_c: Array = np.where(to_b <= to_c, b, c)
    return np.where((to_a <= to_b) & (to_a <= to_c), a, nearest_of_b_c)


def _filter(rows: Array, start: int, bpp: int) -> bytes:
    """Filter a block of rows, each with the filter of the least sum of absolute residuals."""
    block = rows[start : start + _ROWS_PER_BLOCK].astype(np.int16)
    padded = np.zeros((block.shape[0] + 1, block.shape[1] + bpp), np.int16)
    padded[1:, bpp:] = block
    if start:
        padded[0, bpp:] = rows[start - 1]
    a, b, c = padded[1:, :-bpp], padded[:-1, bpp:], padded[:-1, :-bpp]
    residuals = [
        (block - prediction).astype(np.uint8)
        for prediction in (np.zeros_like(block), a, b, (a + b) >> 1, _paeth(a, b, c))
    ]
    costs = [
        np.abs(residual.view(np.int8).astype(np.int16)).sum(axis=1, dtype=np.int64) for residual in residuals
    ]
    chosen = np.argmin(costs, axis=0)
    out = np.empty((block.shape[0], block.shape[1] + 1), np.uint8)
    out[:, 0] = chosen
    out[:, 1:] = np.choose(chosen[:, None], residuals)
    return out.tobytes()
