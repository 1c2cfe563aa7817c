"""The file around a codec's payload: signature, header, chunks (docs/spec/container.md is normative)."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from .errors import CorruptError, LimitError, UnsupportedError, UsageError

SIGNATURE = b"\x8fWYN"
MAJOR, MINOR = 1, 0
PREAMBLE = SIGNATURE + bytes([MAJOR << 4 | MINOR])
HASH_BYTES = 16
_FLAG_RGB, _FLAG_16_BIT, _FLAG_ALPHA = 1, 2, 4
_ONCE = frozenset("HADSheix")
_METADATA = {"e": "exif", "i": "icc", "x": "xmp"}


@dataclass(frozen=True)
class Limits:
    """What decoding may cost, checked before memory is allocated. Raises UsageError for values
    below 1, of ``metadata_bytes`` below 0.

    pixels: width x height. side: the greater of width and height. metadata_bytes: of each of ICC, EXIF
    and XMP, uncompressed. macs: multiply-accumulates of the whole decoding process.
    """

    pixels: int = 1 << 28
    side: int = 32768
    metadata_bytes: int = 64 << 20
    macs: int = 1 << 43

    def __post_init__(self) -> None:
        if min(self.pixels, self.side, self.macs) < 1 or self.metadata_bytes < 0:
            raise UsageError("limits must be at least 1, that of metadata at least 0")

    def check_size(self, width: int, height: int) -> None:
        """Raise LimitError when a picture of this size is over the limits."""
        if max(width, height) > self.side:
            raise LimitError(f"the picture is {width}x{height}; the limit is {self.side} a side")
        self.check_pixels(width * height)

    def check_pixels(self, count: int) -> None:
        """Raise LimitError when so many pixels to be decoded are over the limit."""
        if count > self.pixels:
            raise LimitError(f"there are {count} pixels to decode; the limit is {self.pixels}")

    def check_macs(self, macs: float) -> None:
        """Raise LimitError when decoding takes so many multiply-accumulates that they are over the limit."""
        if not macs <= self.macs:
            raise LimitError(f"decoding takes {macs:.3g} multiply-accumulates; the limit is {self.macs:.3g}")

    def check_metadata(self, size: int) -> None:
        """Raise LimitError when ICC, EXIF or XMP of ``size`` bytes is over the limit."""
        if size > self.metadata_bytes:
            raise LimitError(f"metadata is larger than the limit of {self.metadata_bytes} bytes")


@dataclass(frozen=True)
class Header:
    """The H chunk. width, height: 1 to 2^32 - 1; channels: 1 or 3; bit_depth: 8 or 16."""

    width: int
    height: int
    channels: int
    bit_depth: int
    has_alpha: bool
    codec_id: int
    codec_version: int

    @property
    def maxval(self) -> int:
        """The greatest sample: 255 or 65535."""
        return (1 << self.bit_depth) - 1


@dataclass(frozen=True)
class Container:
    """A whole file taken apart.

    payload: the codec's data. alpha: the coded alpha plane, present if and only if the header says so.
    exif, icc, xmp: uncompressed, or None. pixel_hash, side_hash: 16 bytes or None.
    minor: minor version of the format. chunks: (type, bytes in the file) in file order; filled by ``read``.
    """

    header: Header
    payload: bytes
    alpha: bytes | None = None
    exif: bytes | None = None
    icc: bytes | None = None
    xmp: bytes | None = None
    pixel_hash: bytes | None = None
    side_hash: bytes | None = None
    minor: int = MINOR
    chunks: tuple[tuple[str, int], ...] = ()


def write(container: Container) -> bytes:
    """Serialise; the inverse of ``read``. Raises UsageError when header and contents do not agree."""
    return PREAMBLE + write_picture(container)


def write_picture(container: Container, previous: Header | None = None) -> bytes:
    """The chunks of one picture. previous: header of the picture before it in a set, not written again."""
    header = container.header
    _check_writable(container)
    parts = [chunk("H", b"" if header == previous else _header_payload(header))]
    if container.side_hash is not None:
        parts.append(chunk("S", container.side_hash))
    if container.pixel_hash is not None:
        parts.append(chunk("h", container.pixel_hash))
    for kind, name in _METADATA.items():
        value = getattr(container, name)
        if value:
            parts.append(chunk(kind, pack_metadata(value)))
    if container.alpha is not None:
        parts.append(chunk("A", container.alpha))
    parts.append(chunk("D", container.payload))
    return b"".join(parts)


def overhead(container: Container, payload_bytes: int) -> int:
    """Bytes that ``write`` adds to a payload of about ``payload_bytes`` (exact for that very number)."""
    return len(write(container)) - len(chunk("D", container.payload)) + 5 + len(varint(payload_bytes))


def read(data: bytes | bytearray | memoryview, limits: Limits | None = None) -> Container:
    """Take a file apart.

    Raises CorruptError (not a .wyn file, damaged, truncated, trailing bytes), UnsupportedError (newer major
    version, unknown critical chunk or flag) or LimitError, before any memory is allocated that the size of
    ``data`` does not justify.
    """
    limits = limits or Limits()
    view = memoryview(data)
    minor = check_preamble(view)
    if next_chunk(view, len(PREAMBLE))[0] == "M":
        raise UnsupportedError(
            "the file holds a set of pictures: wyner decode or wyner.decode_set takes it apart"
        )
    return read_picture(view, len(PREAMBLE), limits, minor)[0]


def is_set(data: bytes | bytearray | memoryview) -> bool:
    """Whether a file is a set of pictures (docs/spec/shared.md), by its first bytes."""
    start = bytes(data[: len(PREAMBLE) + 1])
    return start.startswith(SIGNATURE) and start[len(PREAMBLE) :] == b"M"


def read_picture(
    view: memoryview,
    at: int,
    limits: Limits,
    minor: int = MINOR,
    previous: Header | None = None,
    last: bool = True,
) -> tuple[Container, int]:
    """The picture whose chunks begin at ``at``, and the position after it.

    previous: header of the picture before it, which in a set may stand for its own. last: whether the file
    must end with it. Raises as ``read``.
    """
    found: dict[str, bytes] = {}
    sizes: list[tuple[str, int]] = []
    header: Header | None = None
    while "D" not in found:
        kind, payload, end = next_chunk(view, at)
        if (kind == "H") != (header is None):
            raise CorruptError("the header chunk must be the first and only one")
        if kind in found:
            raise CorruptError(f"chunk {kind!r} appears twice")
        if kind in _ONCE:
            found[kind] = bytes(payload)
        elif kind.isupper():
            raise UnsupportedError(
                f"the file needs a feature (chunk {kind!r}) that this version does not know"
            )
        if kind == "H":
            header = previous if previous and not payload else _parse_header(found["H"], limits)
        sizes.append((kind, end - at))
        at = end
    if last and at != len(view):
        raise CorruptError(f"{len(view) - at} bytes follow the end of the file")
    if header is None:  # the loop ends with D only after H
        raise AssertionError
    return _assemble(header, found, limits, minor, tuple(sizes)), at


def varint(value: int) -> bytes:
    """LEB128: seven bits a byte, least significant first, the top bit set on all bytes but the last."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def parse_varint(view: memoryview, at: int) -> tuple[int, int]:
    """Return (value, position after it). Canonical and below 2^32; CorruptError otherwise."""
    value = 0
    for index in range(5):
        if at + index >= len(view):
            raise CorruptError("the file is truncated")
        byte = view[at + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            if (byte == 0 and index > 0) or value >= 1 << 32:
                break
            return value, at + index + 1
    raise CorruptError("a number is not in its canonical form")


def chunk(kind: str, payload: bytes) -> bytes:
    """A chunk with its length and checksum."""
    body = kind.encode("ascii") + varint(len(payload)) + payload
    return body + zlib.crc32(body).to_bytes(4, "big")


def _header_payload(header: Header) -> bytes:
    flags = (
        _FLAG_RGB * (header.channels == 3)
        | _FLAG_16_BIT * (header.bit_depth == 16)
        | _FLAG_ALPHA * header.has_alpha
    )
    size = varint(header.width) + varint(header.height)
    return size + bytes([flags, header.codec_id, header.codec_version])


def pack_metadata(value: bytes) -> bytes:
    """The method, and the data as they are or, where it is smaller, compressed."""
    packed = zlib.compress(value, 9)
    return b"\x01" + packed if len(packed) < len(value) else b"\x00" + value


def _check_writable(container: Container) -> None:
    header = container.header
    if header.channels not in (1, 3) or header.bit_depth not in (8, 16):
        raise UsageError(f"cannot store {header.channels} colour planes of {header.bit_depth} bits")
    if not (1 <= header.width < 1 << 32 and 1 <= header.height < 1 << 32):
        raise UsageError(f"cannot store a picture of {header.width}x{header.height}")
    if (container.alpha is not None) != header.has_alpha:
        raise UsageError("header and alpha do not agree")
    for digest in (container.pixel_hash, container.side_hash):
        if digest is not None and len(digest) != HASH_BYTES:
            raise UsageError(f"a hash has {HASH_BYTES} bytes, not {len(digest)}")


def check_preamble(view: memoryview) -> int:
    """Check the signature and the version; return the minor version. Raises as ``read``."""
    signature = bytes(view[: len(SIGNATURE)])
    if signature != SIGNATURE:
        if signature and SIGNATURE.startswith(signature):
            raise CorruptError("the file is truncated")
        raise CorruptError("this is not a .wyn file (wrong signature)" if signature else "the file is empty")
    if len(view) == len(SIGNATURE):
        raise CorruptError("the file is truncated")
    major, minor = divmod(view[len(SIGNATURE)], 16)
    if major != MAJOR:
        raise UnsupportedError(f"the file has format version {major}.{minor}; this version reads {MAJOR}.x")
    return minor


def next_chunk(view: memoryview, at: int) -> tuple[str, memoryview, int]:
    """Return (type, payload, position after the chunk), its CRC verified. Raises CorruptError."""
    if at >= len(view):
        raise CorruptError("the file is truncated: a chunk is missing")
    kind = chr(view[at])
    if not (kind.isascii() and kind.isalpha()):
        raise CorruptError("the file is damaged: no chunk where one must be")
    length, start = parse_varint(view, at + 1)
    end = start + length + 4
    if end > len(view):
        raise CorruptError(f"the file is truncated in chunk {kind!r}")
    if zlib.crc32(view[at : start + length]) != int.from_bytes(view[start + length : end], "big"):
        raise CorruptError(f"the file is damaged: chunk {kind!r} has a wrong checksum")
    return kind, view[start : start + length], end


def _parse_header(payload: bytes, limits: Limits) -> Header:
    view = memoryview(payload)
    width, at = parse_varint(view, 0)
    height, at = parse_varint(view, at)
    if len(view) != at + 3 or width == 0 or height == 0:
        raise CorruptError("the header is malformed")
    flags, codec_id, codec_version = view[at:]
    if flags & ~(_FLAG_RGB | _FLAG_16_BIT | _FLAG_ALPHA):
        raise UnsupportedError(f"the header has flags (0x{flags:02x}) that this version does not know")
    limits.check_size(width, height)
    channels = 3 if flags & _FLAG_RGB else 1
    bit_depth = 16 if flags & _FLAG_16_BIT else 8
    return Header(width, height, channels, bit_depth, bool(flags & _FLAG_ALPHA), codec_id, codec_version)


def _assemble(
    header: Header, found: dict[str, bytes], limits: Limits, minor: int, sizes: tuple[tuple[str, int], ...]
) -> Container:
    if ("A" in found) != header.has_alpha:
        raise CorruptError("the header and the alpha chunk do not agree")
    for kind in "hS":
        if len(found.get(kind, bytes(HASH_BYTES))) != HASH_BYTES:
            raise CorruptError(f"chunk {kind!r} must have {HASH_BYTES} bytes")
    metadata = {kind: unpack_metadata(found[kind], limits) for kind in _METADATA if kind in found}
    return Container(
        header,
        found["D"],
        found.get("A"),
        exif=metadata.get("e"),
        icc=metadata.get("i"),
        xmp=metadata.get("x"),
        pixel_hash=found.get("h"),
        side_hash=found.get("S"),
        minor=minor,
        chunks=sizes,
    )


def unpack_metadata(payload: bytes, limits: Limits) -> bytes:
    """The inverse of ``pack_metadata``. Raises CorruptError, UnsupportedError or LimitError."""
    method, stored = payload[:1], payload[1:]
    value = stored
    if method == b"\x01":
        inflate = zlib.decompressobj()
        try:
            value = inflate.decompress(stored, limits.metadata_bytes + 1)
        except zlib.error as error:
            raise CorruptError(f"metadata cannot be decompressed: {error}") from None
        if len(value) <= limits.metadata_bytes and (not inflate.eof or inflate.unused_data):
            raise CorruptError("metadata is truncated or has trailing bytes")
    elif method not in (b"", b"\x00"):
        raise UnsupportedError(f"metadata is compressed by method {method[0]}, which is not known")
    limits.check_metadata(len(value))
    if not value:
        raise CorruptError("a metadata chunk is empty")
    return value
