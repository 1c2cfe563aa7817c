"""The file of a set: the networks that its pictures share, names, the pictures (docs/spec/shared.md)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .container import (
    MINOR,
    PREAMBLE,
    Container,
    Limits,
    check_preamble,
    chunk,
    next_chunk,
    pack_metadata,
    parse_varint,
    read_picture,
    unpack_metadata,
    varint,
    write_picture,
)
from .errors import CorruptError, LimitError, UnsupportedError, UsageError

MAX_PICTURES = 65536
MAX_NAME_BYTES = 200
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\0-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]')
"""What file systems reserve, control characters, line separators, directions, halves of pairs."""


@dataclass(frozen=True)
class SetFile:
    """A whole set taken apart.

    codec_id, codec_version: of all its pictures. networks: what these share, as the codec defines. pictures:
    at least one; each as ``container.read`` gives it. names: one for each picture, or None. minor: minor
    version of the format. shared_bytes: of the file, that belong to no picture; filled by ``read``.
    """

    codec_id: int
    codec_version: int
    networks: bytes
    pictures: tuple[Container, ...]
    names: tuple[str, ...] | None = None
    minor: int = MINOR
    shared_bytes: int = 0


def write(parts: SetFile) -> bytes:
    """Serialise; the inverse of ``read``. Raises UsageError when the parts do not agree."""
    _check_writable(parts)
    pieces = [PREAMBLE, _head(parts)]
    if parts.names is not None:
        pieces.append(_names_chunk(parts.names))
    previous = None
    for picture in parts.pictures:
        pieces.append(write_picture(picture, previous))
        previous = picture.header
    return b"".join(pieces)


def read(data: bytes | bytearray | memoryview, limits: Limits | None = None) -> SetFile:
    """Take a set apart. Each picture is within ``limits`` by its size, all metadata together by theirs.

    Raises as ``container.read``, and UsageError for a file that is no set.
    """
    limits, view = limits or Limits(), memoryview(data)
    minor = check_preamble(view)
    kind, head, at = next_chunk(view, len(PREAMBLE))
    if kind != "M":
        raise UsageError("the file holds one picture, where a set is expected")
    count, start = parse_varint(head, 0)
    if not 1 <= count <= MAX_PICTURES or len(head) < start + 2:
        raise CorruptError("the header of the set is malformed")
    names, at = _read_names(view, at, count, limits)
    shared = at
    pictures: list[Container] = []
    for index in range(count):
        previous = pictures[-1].header if pictures else None
        picture, at = read_picture(view, at, limits, minor, previous, index == count - 1)
        used = sum(len(value) for value in (picture.icc, picture.exif, picture.xmp) if value is not None)
        limits.check_metadata(used)
        limits = replace(limits, metadata_bytes=limits.metadata_bytes - used)
        if (picture.header.codec_id, picture.header.codec_version) != (head[start], head[start + 1]):
            raise CorruptError("a picture is of another codec than its set")
        if picture.side_hash is not None:
            raise CorruptError("a picture of a set has no side image")
        pictures.append(picture)
    networks = bytes(head[start + 2 :])
    return SetFile(head[start], head[start + 1], networks, tuple(pictures), names, minor, shared)


def _read_names(view: memoryview, at: int, count: int, limits: Limits) -> tuple[tuple[str, ...] | None, int]:
    """The names, and the position of the first picture. Skips what is ancillary and not known."""
    names: tuple[str, ...] | None = None
    while True:
        kind, payload, end = next_chunk(view, at)
        if kind == "H":
            return names, at
        if kind in "MADSheix":
            raise CorruptError(f"chunk {kind!r} is not where it may be")
        if kind.isupper():
            raise UnsupportedError(
                f"the file needs a feature (chunk {kind!r}) that this version does not know"
            )
        if kind == "n":
            if names is not None:
                raise CorruptError("chunk 'n' appears twice")
            most = count * (MAX_NAME_BYTES + 1)
            names = _parse_names(_unpacked(payload, replace(limits, metadata_bytes=most)), count)
        at = end


def _unpacked(payload: memoryview, limits: Limits) -> bytes:
    try:
        return unpack_metadata(bytes(payload), limits)
    except LimitError:
        raise CorruptError("the names of the pictures are too long") from None


def _parse_names(data: bytes, count: int) -> tuple[str, ...]:
    if data.count(b"\n") != count - 1:
        raise CorruptError(f"there are {count} pictures and another number of names")
    try:
        names = tuple(data.decode().split("\n"))
    except UnicodeDecodeError:
        raise CorruptError("the names of the pictures are not UTF-8") from None
    if len(names) != count or len(set(names)) != count or not all(map(is_name, names)):
        raise CorruptError("the names of the pictures are malformed")
    return names


def is_name(name: str) -> bool:
    """Whether a picture may be called so: a name for a file anywhere, without its suffix."""
    size = len(name.encode("utf-8", "surrogatepass"))
    return 0 < size <= MAX_NAME_BYTES and name[0] not in ". -" and not _FORBIDDEN.search(name)


def usable_names(wanted: Sequence[str]) -> tuple[str, ...]:
    """Names like the wanted ones that a set can hold: each allowed, and no two the same."""
    names: dict[str, None] = {}
    numbers: dict[str, int] = {}
    for text in wanted:
        safe = _FORBIDDEN.sub("_", text).lstrip(". -")
        base = safe.encode()[: MAX_NAME_BYTES - 8].decode("utf-8", "ignore") or "picture"
        name = base
        while name in names:
            numbers[base] = numbers.get(base, 1) + 1
            name = f"{base}_{numbers[base]}"
        names[name] = None
    return tuple(names)


def appended(data: bytes, parts: SetFile, picture: Container, names: Sequence[str] | None) -> bytes:
    """A set with one more picture at its end; everything else stays as it is, byte by byte.

    parts: what ``read`` made of ``data``. names: of all pictures, or None if the set has none. Raises
    UsageError when picture or names do not fit.
    """
    grown = replace(parts, pictures=(*parts.pictures, picture), names=None if names is None else tuple(names))
    _check_writable(grown)
    view = memoryview(data)
    _, _, at = next_chunk(view, len(PREAMBLE))
    pieces = [bytes(view[: len(PREAMBLE)]), _head(grown)]
    while True:
        kind, _, end = next_chunk(view, at)
        if kind == "H":
            break
        if kind != "n":
            pieces.append(bytes(view[at:end]))
        elif names is not None:
            pieces.append(_names_chunk(names))
        at = end
    pieces += [bytes(view[at:]), write_picture(picture, parts.pictures[-1].header)]
    return b"".join(pieces)


def _head(parts: SetFile) -> bytes:
    head = varint(len(parts.pictures)) + bytes([parts.codec_id, parts.codec_version])
    return chunk("M", head + parts.networks)


def _names_chunk(names: Sequence[str]) -> bytes:
    return chunk("n", pack_metadata("\n".join(names).encode()))


def _check_writable(parts: SetFile) -> None:
    if not 1 <= len(parts.pictures) <= MAX_PICTURES:
        raise UsageError(f"a set holds 1 to {MAX_PICTURES} pictures, not {len(parts.pictures)}")
    codec = (parts.codec_id, parts.codec_version)
    if any((p.header.codec_id, p.header.codec_version) != codec or p.side_hash for p in parts.pictures):
        raise UsageError("all pictures of a set are of its codec, without a side image")
    if parts.names is not None:
        if len(parts.names) != len(parts.pictures) or len(set(parts.names)) != len(parts.names):
            raise UsageError("a set needs one name for each picture, no two the same")
        for name in parts.names:
            if not isinstance(name, str) or not is_name(name):
                raise UsageError(f"{name!r} is no name for a picture of a set")
