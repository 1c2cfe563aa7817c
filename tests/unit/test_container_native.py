"""The parser of the C interface against wyner.container: the same files, the same classes of error."""

from __future__ import annotations

import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wyner import container
from wyner.container import Container, Header, Limits
from wyner.errors import CorruptError, LimitError, UnsupportedError, WynerError

native = pytest.importorskip("wyner._native", reason="the native extension is not built")

SMALL = settings(max_examples=200, deadline=None)
START = container.SIGNATURE + b"\x10"
DATA = st.binary(max_size=200)
# Zlib streams are valid here: only Python looks into them.
METADATA = st.one_of(
    DATA.map(lambda data: b"\x00" + data),
    st.binary(min_size=1, max_size=200).map(lambda data: b"\x01" + zlib.compress(data)),
    st.sampled_from([b"", b"\x00", b"\x01", b"\x02", b"\x02xy", b"\xff"]),
)


def chunk(kind: str, payload: bytes) -> bytes:
    body = kind.encode() + container.varint(len(payload)) + payload
    return body + zlib.crc32(body).to_bytes(4, "big")


def seen_by_python(data: bytes, limits: Limits) -> dict[str, Any] | type[WynerError]:
    try:
        parts = container.read(data, limits)
    except WynerError as error:
        return type(error)
    return {**vars(parts.header), "minor": parts.minor, "chunks": parts.chunks}


def seen_by_native(data: bytes, limits: Limits) -> dict[str, Any] | type[WynerError]:
    """As ``seen_by_python``, once it is clear that payloads are where the parser says."""
    try:
        seen: dict[str, Any] = native.container_parse(data, limits.pixels, limits.side)
    except WynerError as error:
        return type(error)
    at, sizes = len(START), []
    for kind, offset, length in seen["chunks"]:
        begin, at = at, offset + length + 4
        assert data[begin:at] == chunk(kind, data[offset : offset + length])
        sizes.append((kind, at - begin))
    assert at == len(data)
    return {**seen, "chunks": tuple(sizes)}


def compare(data: bytes, limits: Limits | None = None) -> Any:
    limits = limits or Limits()
    expected = seen_by_python(data, limits)
    assert seen_by_native(data, limits) == expected
    return expected


@st.composite
def files(draw: st.DrawFn) -> bytes:
    alpha = draw(st.none() | DATA)
    header = Header(
        draw(st.integers(1, 2**32 - 1) | st.integers(1, 50000)),
        draw(st.integers(1, 2**32 - 1) | st.integers(1, 50000)),
        draw(st.sampled_from([1, 3])),
        draw(st.sampled_from([8, 16])),
        alpha is not None,
        draw(st.integers(0, 255)),
        draw(st.integers(0, 255)),
    )
    metadata = st.none() | st.binary(min_size=1, max_size=200) | st.just(bytes(3000))
    digest = st.none() | st.binary(min_size=16, max_size=16)
    parts = Container(
        header,
        draw(DATA),
        alpha,
        exif=draw(metadata),
        icc=draw(metadata),
        xmp=draw(metadata),
        pixel_hash=draw(digest),
        side_hash=draw(digest),
    )
    return container.write(parts)


@SMALL
@given(files(), st.integers(1, 2**33), st.integers(1, 2**33))
def test_valid_files(data: bytes, pixels: int, side: int) -> None:
    assert isinstance(compare(data, Limits(pixels=2**64 - 1, side=2**64 - 1)), dict)
    compare(data)
    compare(data, Limits(pixels, side))


HEADERS = st.builds(
    lambda size, rest: b"".join(map(container.varint, size)) + rest,
    st.tuples(st.sampled_from([0, 1, 300, 40000]), st.sampled_from([0, 1, 300, 20000])),
    st.tuples(st.sampled_from([0, 1, 3, 7, 8, 128]), st.integers(0, 255), st.integers(0, 255)).map(bytes),
)
CHUNKS = st.one_of(
    st.tuples(st.just("H"), HEADERS | DATA),
    st.tuples(st.sampled_from("eix"), METADATA),
    st.tuples(st.sampled_from("hS"), st.sampled_from([bytes(16), bytes(15), b""])),
    st.tuples(st.sampled_from("ADzZ0"), DATA),
)


@SMALL
@given(HEADERS, st.lists(CHUNKS, max_size=5), st.booleans(), st.binary(max_size=1))
def test_any_chunks_in_any_order(
    header: bytes, middle: list[tuple[str, bytes]], closed: bool, after: bytes
) -> None:
    parts = [chunk("H", header), *(chunk(*part) for part in middle), chunk("D", b"data") if closed else b""]
    compare(START + b"".join(parts) + after)
    compare(START + b"".join(parts[1:]) + after)


def test_all_pairs_of_chunks() -> None:
    special = [b"", b"\x00", b"\x00x", b"\x01", b"\x02", b"\x02xy"]
    bodies = [
        ("e", b"\x00" + bytes(15)),
        ("h", bytes(16)),
        ("S", bytes(16)),
        ("h", bytes(15)),
        ("S", bytes(17)),
    ]
    bodies += [
        ("h", b""),
        ("A", b"alpha"),
        ("A", b""),
        ("H", bytes([7, 5, 1, 1, 1])),
        ("D", b""),
        ("z", b"?"),
    ]
    bodies += [("Z", b""), ("0", b""), *((kind, payload) for kind in "eix" for payload in special)]
    middle = [b"", *(chunk(*body) for body in bodies)]
    accepted = 0
    for flags in (1, 5, 8):
        start = START + chunk("H", bytes([7, 5, flags, 1, 1]))
        for first in middle:
            for second in middle:
                accepted += isinstance(compare(start + first + second + chunk("D", b"data")), dict)
    assert accepted > 50


@SMALL
@given(st.binary(max_size=60), st.integers(0, 7))
def test_noise(noise: bytes, kept: int) -> None:
    compare((START + b"H\x05")[:kept] + noise)


SAMPLE = container.write(
    Container(
        Header(300, 5, 3, 8, True, 1, 1), b"payload", b"alpha", exif=b"II*\x00", icc=bytes(90), xmp=b"<x/>",
        pixel_hash=bytes(16), side_hash=bytes(16),
    )
)  # fmt: skip


def test_every_truncation() -> None:
    assert isinstance(compare(SAMPLE), dict)
    for end in range(len(SAMPLE)):
        assert compare(SAMPLE[:end]) is CorruptError


def test_every_bit_flip() -> None:
    for bit in range(8 * len(SAMPLE)):
        damaged = bytearray(SAMPLE)
        damaged[bit // 8] ^= 1 << bit % 8
        newer_minor = bit // 8 == 4 and bit % 8 < 4
        assert isinstance(compare(bytes(damaged)), dict) == newer_minor


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"\x05\x05\x08\x01\x01", UnsupportedError),
        (b"\x05\x05\x01\x01", CorruptError),
        (b"\x05\x05\x01\x01\x01\x00", CorruptError),
        (b"\x85\x00\x05\x01\x01\x01", CorruptError),  # a varint that is longer than it need be
        (b"\xff\xff\xff\xff\x1f\x05\x01\x01\x01", CorruptError),  # and one of more than 32 bits
        (b"\xff\xff\xff\xff\x0f\xff\xff\xff\xff\x0f\x01\x01\x01", LimitError),
        (b"\x80\x80\x02\x80\x80\x02\x01\x01\x01", LimitError),  # 32768 x 32768
    ],
)
def test_headers(payload: bytes, expected: type[WynerError]) -> None:
    assert compare(START + chunk("H", payload) + chunk("D", b"")) is expected


def test_metadata_over_the_limit() -> None:
    header = chunk("H", bytes([7, 5, 1, 1, 1]))
    for extra, expected in ((0, dict), (1, LimitError)):
        data = START + header + chunk("x", bytes(1 + (64 << 20) + extra)) + chunk("D", b"")
        seen = compare(data)
        assert seen is expected or isinstance(seen, expected)
