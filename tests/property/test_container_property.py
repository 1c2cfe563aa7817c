import random
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wyner import container
from wyner.container import Container, Header
from wyner.errors import CorruptError

MEGABYTE = 1 << 20
SMALL = settings(max_examples=150, deadline=None)
DATA = st.binary(max_size=300)
METADATA = st.none() | st.binary(min_size=1, max_size=300) | st.just(bytes(5000))
HASH = st.none() | st.binary(min_size=16, max_size=16)


@st.composite
def containers(draw):
    alpha = draw(st.none() | DATA)
    header = Header(
        draw(st.integers(1, 32768)),
        draw(st.integers(1, 8192)),
        draw(st.sampled_from([1, 3])),
        draw(st.sampled_from([8, 16])),
        alpha is not None,
        draw(st.integers(0, 255)),
        draw(st.integers(0, 255)),
    )
    metadata = [draw(METADATA) for _ in range(3)]
    return Container(header, draw(DATA), alpha, *metadata, draw(HASH), draw(HASH))


@SMALL
@given(containers())
def test_round_trip(parts):
    data = container.write(parts)
    back = container.read(data)
    for name in ("header", "payload", "alpha", "exif", "icc", "xmp", "pixel_hash", "side_hash", "minor"):
        assert getattr(back, name) == getattr(parts, name)
    assert sum(size for _, size in back.chunks) + 5 == len(data)
    assert container.write(back) == data
    assert container.overhead(parts, len(parts.payload)) == len(data) - len(parts.payload)


@SMALL
@given(st.integers(0, 2**32 - 1))
def test_varints(value):
    data = container.varint(value)
    assert len(data) <= 5
    assert container.parse_varint(memoryview(data + b"x"), 0) == (value, len(data))


@SMALL
@given(st.binary(max_size=6))
def test_every_varint_that_is_read_is_canonical(data):
    try:
        value, end = container.parse_varint(memoryview(data), 0)
    except CorruptError:
        return
    assert container.varint(value) == data[:end]


@SMALL
@given(st.binary(max_size=200), st.sampled_from([0, 4, 5]))
def test_noise_is_refused(noise, kept):
    with pytest.raises((container.CorruptError, container.UnsupportedError)) as error:
        container.read((container.SIGNATURE + b"\x10")[:kept] + noise)
    assert kept == 4 or error.type is container.CorruptError


@pytest.mark.parametrize(
    "start, reason, summed",
    [
        (b"", "wrong signature", []),
        (container.PREAMBLE + b"!", "no chunk where one must be", []),
        (container.PREAMBLE + b"H" + container.varint(1 << 30), "truncated in chunk", []),
        (container.PREAMBLE + b"H" + container.varint(MEGABYTE - 4), "wrong checksum", [MEGABYTE]),
    ],
)
def test_a_megabyte_of_noise_is_looked_at_once_at_most(monkeypatch, start, reason, summed):
    found = []
    checksum = zlib.crc32

    def counted(data):
        found.append(len(data))
        return checksum(data)

    monkeypatch.setattr(zlib, "crc32", counted)
    with pytest.raises(CorruptError, match=reason):
        container.read(start + random.Random(1).randbytes(MEGABYTE))
    assert found == summed
