"""The field of a side picture and the warp by it: round trips, the reference, damaged data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wyner.codecs.side import align
from wyner.codecs.side.align import Field
from wyner.errors import CorruptError, LimitError, UsageError, WynerError
from wyner.reference import side_field


def rng_of(draw: st.DrawFn) -> np.random.Generator:
    return np.random.default_rng(draw(st.integers(0, 2**32 - 1)))


def blocks_of(length: int, size: int) -> int:
    return -(-length // size)


@st.composite
def fields(draw: st.DrawFn, width: int, height: int) -> Field:
    """Fields of every kind: still, smooth, wild, with holes."""
    size = draw(st.sampled_from([8, 16, 32]))
    shape = (blocks_of(height, size), blocks_of(width, size))
    rng = rng_of(draw)
    kind = draw(st.sampled_from(["still", "ramp", "walk", "near", "wild"]))
    if kind == "still":
        vectors = np.zeros((*shape, 2))
    elif kind == "ramp":
        vectors = np.add.outer(np.arange(shape[0]), np.arange(shape[1]))[:, :, None] * rng.integers(-9, 10, 2)
    elif kind == "walk":
        vectors = np.cumsum(rng.integers(-3, 4, (*shape, 2)), axis=1)
    elif kind == "near":
        vectors = rng.integers(-40, 41, (*shape, 2))
    else:
        vectors = rng.integers(-4095, 4096, (*shape, 2))
    holes = draw(st.sampled_from([0.0, 0.1, 0.7, 1.0]))
    valid = (rng.random(shape) >= holes).astype(np.uint8)
    vectors = np.clip(vectors, -4095, 4095) * valid[:, :, None]
    return Field(size, vectors.astype(np.int16), valid)


@st.composite
def pictures(draw: st.DrawFn, largest: int = 40) -> np.ndarray:
    """Noise, as every sample then counts, at full contrast."""
    shape = (draw(st.integers(1, largest)), draw(st.integers(1, largest)), draw(st.sampled_from([1, 3])))
    dtype = draw(st.sampled_from([np.uint8, np.uint16]))
    top = int(np.iinfo(dtype).max)
    samples = rng_of(draw).integers(0, top + 1, shape)
    if draw(st.booleans()):
        samples = np.where(samples > top // 2, top, 0)
    return samples.astype(dtype)


sizes = st.tuples(st.integers(1, 130), st.integers(1, 130))


def equal(a: tuple, b: Field) -> bool:
    return Field(*a) == b


@settings(max_examples=200, deadline=None)
@given(st.data(), sizes)
def test_round_trip_and_reference(data: st.DataObject, size: tuple[int, int]) -> None:
    field = data.draw(fields(*size))
    coded = align.encode_field(field)
    assert align.decode_field(coded, *size) == field
    assert equal(side_field.decode_field(coded, *size), field)


def outcome(decoder, data: bytes, size: tuple[int, int]):
    """The field as lists, or the class of the error."""
    try:
        field = decoder(data, *size)
    except WynerError as error:
        return type(error)
    block, vectors, valid = (
        field if isinstance(field, tuple) else (field.block_size, field.vectors, field.valid)
    )
    return block, vectors.tolist(), valid.tolist()


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), sizes)
def test_arbitrary_bytes(data: bytes, size: tuple[int, int]) -> None:
    """Whatever the bytes, both decoders give the same field or the same error."""
    assert outcome(align.decode_field, data, size) == outcome(side_field.decode_field, data, size)


@settings(max_examples=200, deadline=None)
@given(st.data(), sizes)
def test_damaged(data: st.DataObject, size: tuple[int, int]) -> None:
    """Cut or altered fields: both decoders alike."""
    coded = bytearray(align.encode_field(data.draw(fields(*size))))
    if coded and data.draw(st.booleans()):
        coded[data.draw(st.integers(0, len(coded) - 1))] ^= data.draw(st.integers(1, 255))
    else:
        coded = coded[: data.draw(st.integers(0, len(coded)))]
    assert outcome(align.decode_field, bytes(coded), size) == outcome(
        side_field.decode_field, bytes(coded), size
    )


def test_truncated_is_corrupt() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.integers(-4095, 4096, (20, 20, 2)).astype(np.int16)
    coded = align.encode_field(Field(8, vectors, np.ones((20, 20), np.uint8)))
    with pytest.raises(CorruptError):
        align.decode_field(coded[: len(coded) // 2], 160, 160)


def test_vector_out_of_range_is_corrupt() -> None:
    """Differences that add up past the limit: found by decoding noise until one comes."""
    rng = np.random.default_rng(1)
    found = set()
    for _ in range(300):
        try:
            align.decode_field(rng.bytes(400), 200, 200)
        except CorruptError as error:
            found.add(str(error))
    assert "field: vector out of range" in found and "field: bad block size" in found


def test_zero_motion_is_nearly_free() -> None:
    for size in (8, 16, 32):
        shape = (blocks_of(375, size), blocks_of(1242, size))
        field = Field(size, np.zeros((*shape, 2), np.int16), np.ones(shape, np.uint8))
        assert len(align.encode_field(field)) <= 3
        assert align.decode_field(align.encode_field(field), 1242, 375) == field


def test_limits() -> None:
    with pytest.raises(LimitError):
        align.decode_field(b"", 1 << 20, 1 << 20)
    with pytest.raises(LimitError):
        align.decode_field(b"", 1 << 30, 1)
    for width, height in ((0, 5), (5, 0), (-1, 5)):
        with pytest.raises(UsageError):
            align.decode_field(b"", width, height)


def test_bad_fields_are_refused() -> None:
    ones, zeros = np.ones((2, 3), np.uint8), np.zeros((2, 3, 2), np.int16)
    for field in (
        Field(12, zeros, ones),
        Field(8, zeros, 2 * ones),
        Field(8, zeros + np.int16(4096), ones),
        Field(8, zeros.astype(np.int32), ones),
        Field(8, zeros[:1], ones),
        Field(8, zeros[:0], ones[:0]),
    ):
        with pytest.raises(UsageError):
            align.encode_field(field)


# --- warp -----------------------------------------------------------------------------------------


@settings(max_examples=120, deadline=None)
@given(st.data(), pictures(), st.integers(1, 40), st.integers(1, 40))
def test_warp_agrees_with_the_reference(data: st.DataObject, y: np.ndarray, width: int, height: int) -> None:
    field = data.draw(fields(width, height))
    channels, maxval = data.draw(st.sampled_from([1, 3])), data.draw(st.sampled_from([255, 65535]))
    threads = data.draw(st.integers(1, 4))
    warped, valid = align.warp(y, field, width, height, channels=channels, maxval=maxval, threads=threads)
    blocks = (field.block_size, field.vectors, field.valid)
    expected, expected_valid = side_field.warp(y, blocks, width, height, channels, maxval)
    assert warped.dtype == expected.dtype and valid.dtype == np.uint8
    np.testing.assert_array_equal(valid, expected_valid)
    np.testing.assert_array_equal(warped, expected)


@settings(max_examples=50, deadline=None)
@given(pictures(70))
def test_still_field_copies(y: np.ndarray) -> None:
    height, width, _ = y.shape
    field = align.decode_field(align.encode_field(still(width, height)), width, height)
    warped, valid = align.warp(y, field, width, height)
    np.testing.assert_array_equal(warped, y)
    assert valid.all()


def still(width: int, height: int, size: int = 16) -> Field:
    shape = (blocks_of(height, size), blocks_of(width, size))
    return Field(size, np.zeros((*shape, 2), np.int16), np.ones(shape, np.uint8))


def test_whole_pixels_move() -> None:
    y = np.random.default_rng(2).integers(0, 65536, (60, 90, 3)).astype(np.uint16)
    field = still(50, 40)
    field.vectors[:] = (4 * 7, -4 * 2)
    warped, valid = align.warp(y, field, 50, 40)
    np.testing.assert_array_equal(valid[:2], 0)
    np.testing.assert_array_equal(valid[2:], 1)
    np.testing.assert_array_equal(warped[2:], y[:38, 7:57])
    assert not warped[:2].any()


def test_depths_convert_exactly() -> None:
    every = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1)
    eight, _ = align.warp(every, still(256, 256), 256, 256, maxval=255)
    np.testing.assert_array_equal(eight, np.rint(every / 257))
    back, _ = align.warp(eight, still(256, 256), 256, 256, maxval=65535)
    np.testing.assert_array_equal(back, eight.astype(np.uint16) * 257)


def test_warp_refuses_a_field_of_another_size() -> None:
    y = np.zeros((20, 20, 3), np.uint8)
    with pytest.raises(UsageError):
        align.warp(y, still(40, 20), 20, 20)
    for wrong in ({"channels": 2}, {"maxval": 1023}, {"threads": 0}):
        with pytest.raises(UsageError):
            align.warp(y, still(20, 20), 20, 20, **wrong)
