import dataclasses
import zlib

import numpy as np
import pytest
from damage import no_more_memory_than

import wyner
from wyner import container
from wyner.container import Container, Header, Limits
from wyner.errors import CorruptError, LimitError, UnsupportedError

HEADER = Header(7, 5, 3, 8, True, 1, 1)
PARTS = Container(
    HEADER,
    b"payload",
    b"alpha",
    exif=b"II*\x00",
    icc=bytes(90),
    xmp=b"<x/>",
    pixel_hash=bytes(16),
    side_hash=bytes(16),
)
FILE = container.write(PARTS)


def chunk(kind, payload):
    body = kind.encode() + container.varint(len(payload)) + payload
    return body + zlib.crc32(body).to_bytes(4, "big")


H = chunk("H", bytes([7, 5, 1, 1, 1]))
D = chunk("D", b"payload")
START = container.SIGNATURE + b"\x10"


def test_the_layout_is_as_specified():
    assert container.read(START + H + D).payload == b"payload"
    assert [kind for kind, _ in container.read(FILE).chunks] == list("HSheixAD")


@pytest.mark.parametrize("end", range(len(FILE)))
def test_every_truncation_is_corrupt(end):
    with pytest.raises(CorruptError):
        container.read(FILE[:end])


def test_every_bit_flip_is_found():
    for bit in range(8 * len(FILE)):
        damaged = bytearray(FILE)
        damaged[bit // 8] ^= 1 << bit % 8
        if bit // 8 == 4 and bit % 8 < 4:  # the minor version: newer ones are fine
            assert container.read(damaged).payload == PARTS.payload
        else:
            with pytest.raises((CorruptError, UnsupportedError)):
                container.read(damaged)


def test_bit_flips_of_a_whole_file_never_change_the_picture(fake_codec):
    picture = np.arange(4 * 4 * 4, dtype=np.uint8).reshape(4, 4, 4)
    data = wyner.encode(picture, quality=100)
    good = wyner.decode(data)
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            assert wyner.decode(damaged) == good
        except (CorruptError, UnsupportedError, LimitError):
            pass


@pytest.mark.parametrize(
    "data, error, message",
    [
        (b"", CorruptError, "empty"),
        (b"\x89PNG\r\n\x1a\n", CorruptError, "signature"),
        (container.SIGNATURE, CorruptError, "truncated"),
        (container.SIGNATURE + b"\x20" + H + D, UnsupportedError, "2.0"),
        (container.SIGNATURE + b"\x00" + H + D, UnsupportedError, "0.0"),
        (START + D, CorruptError, "header"),
        (START + chunk("e", b"\x00x") + H + D, CorruptError, "header"),
        (START + H + H + D, CorruptError, "header"),
        (START + H, CorruptError, "missing"),
        (START + H + D + b"\x00", CorruptError, "1 bytes follow"),
        (START + H + D + D, CorruptError, "follow"),
        (START + H + chunk("A", b"") + D, CorruptError, "alpha"),
        (START + chunk("H", bytes([7, 5, 5, 1, 1])) + D, CorruptError, "alpha"),
        (START + H + chunk("Q", b"") + D, UnsupportedError, "'Q'"),
        (START + H + b"\x80\x00" + D, CorruptError, "no chunk"),
        (START + H + chunk("i", b"\x00x") * 2 + D, CorruptError, "twice"),
        (START + H + chunk("i", b"\x00") + D, CorruptError, "empty"),
        (START + H + chunk("i", b"") + D, CorruptError, "empty"),
        (START + H + chunk("i", b"\x07x") + D, UnsupportedError, "method 7"),
        (START + H + chunk("i", b"\x01xxxx") + D, CorruptError, "decompressed"),
        (START + H + chunk("i", b"\x01" + zlib.compress(b"x")[:-1]) + D, CorruptError, "truncated"),
        (START + H + chunk("i", b"\x01" + zlib.compress(b"x") + b"y") + D, CorruptError, "trailing"),
        (START + H + chunk("h", bytes(15)) + D, CorruptError, "16 bytes"),
        (START + H + chunk("S", bytes(17)) + D, CorruptError, "16 bytes"),
        (START + chunk("H", bytes([0, 5, 1, 1, 1])) + D, CorruptError, "malformed"),
        (START + chunk("H", bytes([5, 0, 1, 1, 1])) + D, CorruptError, "malformed"),
        (START + chunk("H", bytes([5, 5, 1, 1])) + D, CorruptError, "malformed"),
        (START + chunk("H", bytes([5, 5, 1, 1, 1, 1])) + D, CorruptError, "malformed"),
        (START + chunk("H", bytes([5, 5, 8, 1, 1])) + D, UnsupportedError, "flags"),
        (START + chunk("H", bytes([0x85, 0x00, 5, 1, 1, 1])) + D, CorruptError, "canonical"),
        (START + H + b"D\x87\x00payload" + bytes(4), CorruptError, "canonical"),
        (START + H + b"D\xff\xff\xff\xff\x0f", CorruptError, "truncated"),
        (START + H + b"D\xff\xff\xff\xff\x1f", CorruptError, "canonical"),
        (START + H + b"D\xff\xff\xff\xff\xff\x01", CorruptError, "canonical"),
    ],
)
def test_broken_rules(data, error, message):
    with pytest.raises(error, match=message):
        container.read(data)


def test_newer_minor_versions_and_unknown_ancillary_chunks_are_fine():
    extra = chunk("q", b"from the future")
    parts = container.read(container.SIGNATURE + b"\x1f" + H + extra + extra + D)
    assert parts.minor == 15 and parts.payload == b"payload"


def test_limits():
    huge = container.write(Container(dataclasses.replace(HEADER, width=2**32 - 1, has_alpha=False), b""))
    with pytest.raises(LimitError, match="a side"):
        container.read(huge)
    wide = container.write(
        Container(dataclasses.replace(HEADER, width=30000, height=30000, has_alpha=False), b"")
    )
    with pytest.raises(LimitError, match="pixels"):
        container.read(wide)
    assert container.read(wide, Limits(pixels=10**9)).header.width == 30000


def test_a_metadata_bomb_is_not_inflated():
    bomb = START + H + chunk("x", b"\x01" + zlib.compress(bytes(10**6), 9)) + D
    with no_more_memory_than(10**5), pytest.raises(LimitError, match="metadata"):
        container.read(bomb, Limits(metadata_bytes=10**4))
    with pytest.raises(LimitError, match="metadata"):
        container.read(bomb, Limits(metadata_bytes=10**6 - 1))
    assert container.read(bomb, Limits(metadata_bytes=10**6)).xmp == bytes(10**6)
    with pytest.raises(LimitError, match="metadata"):
        container.read(START + H + chunk("x", bytes(100)) + D, Limits(metadata_bytes=98))


def test_writing_checks_its_arguments():
    for parts in (
        dataclasses.replace(PARTS, alpha=None),
        dataclasses.replace(PARTS, pixel_hash=b"short"),
        dataclasses.replace(PARTS, header=dataclasses.replace(HEADER, channels=2)),
        dataclasses.replace(PARTS, header=dataclasses.replace(HEADER, height=0)),
    ):
        with pytest.raises(wyner.UsageError):
            container.write(parts)
