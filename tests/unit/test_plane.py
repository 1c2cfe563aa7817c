"""The lossless plane codec: round trips, the reference against the native decoder, sizes against PNG."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from wyner.errors import CorruptError, WynerError
from wyner.reference import decode_plane

native = pytest.importorskip("wyner._native", reason="the native extension is not built")


def maxval_of(plane: np.ndarray) -> int:
    return int(np.iinfo(plane.dtype).max)


def decode(data: bytes, plane: np.ndarray) -> np.ndarray:
    height, width = plane.shape
    return native.plane_decode(data, width, height, maxval_of(plane))


@st.composite
def planes(draw: st.DrawFn, largest: int = 24) -> np.ndarray:
    """Planes of every kind the modes are for: few values, steps, smooth, busy, noise."""
    height, width = draw(st.integers(1, largest)), draw(st.integers(1, largest))
    dtype = draw(st.sampled_from([np.uint8, np.uint16]))
    top = int(np.iinfo(dtype).max)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(["palette", "blocks", "walk", "smooth", "noise"]))
    if kind == "palette":
        values = rng.integers(0, top + 1, draw(st.integers(1, 18)))
        plane = rng.choice(values, (height, width))
    elif kind == "blocks":
        values = rng.integers(0, top + 1, draw(st.integers(1, 18)))
        plane = np.kron(rng.choice(values, (height // 4 + 1, width // 4 + 1)), np.ones((4, 4), int))
        plane = plane[:height, :width]
    elif kind == "walk":
        steps = rng.integers(-3, 4, (height, width)) * draw(st.integers(1, max(1, top // 20)))
        plane = np.clip(np.cumsum(steps, axis=1) + top // 2, 0, top)
    elif kind == "smooth":
        slope = top / (height + width)
        plane = np.rint(np.add.outer(np.arange(height), np.arange(width)) * slope)
    else:
        plane = rng.integers(0, top + 1, (height, width))
    return np.ascontiguousarray(plane.astype(dtype))


@settings(max_examples=300, deadline=None)
@given(planes(64))
def test_round_trip(plane: np.ndarray) -> None:
    back = decode(native.plane_encode(plane), plane)
    assert back.dtype == plane.dtype
    np.testing.assert_array_equal(back, plane)


@settings(max_examples=150, deadline=None)
@given(planes())
def test_reference_agrees(plane: np.ndarray) -> None:
    height, width = plane.shape
    back = decode_plane(native.plane_encode(plane), width, height, maxval_of(plane))
    assert back.dtype == plane.dtype
    np.testing.assert_array_equal(back, plane)


def outcome(decoder, data: bytes, width: int, height: int, maxval: int):
    """The decoded samples, or the class of the error."""
    try:
        return decoder(data, width, height, maxval).tolist()
    except WynerError as error:
        return type(error)


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=600),
    st.integers(0, 3),
    st.integers(1, 16),
    st.integers(1, 16),
    st.sampled_from([255, 65535]),
)
def test_arbitrary_bytes(data: bytes, mode: int, width: int, height: int, maxval: int) -> None:
    """Whatever the bytes, both decoders give the same samples or the same error."""
    if data:  # all modes alike often: they are the first two bits
        data = bytes([mode << 6 | data[0] & 63]) + data[1:]
    expected = outcome(decode_plane, data, width, height, maxval)
    assert outcome(native.plane_decode, data, width, height, maxval) == expected


@settings(max_examples=150, deadline=None)
@given(planes(), st.data())
def test_damaged(plane: np.ndarray, data: st.DataObject) -> None:
    """Cut or altered planes: both decoders alike."""
    coded = bytearray(native.plane_encode(plane))
    if coded and data.draw(st.booleans()):
        coded[data.draw(st.integers(0, len(coded) - 1))] ^= data.draw(st.integers(1, 255))
    else:
        coded = coded[: data.draw(st.integers(0, len(coded)))]
    height, width = plane.shape
    args = (bytes(coded), width, height, maxval_of(plane))
    assert outcome(native.plane_decode, *args) == outcome(decode_plane, *args)


def test_truncated_is_corrupt() -> None:
    plane = np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.uint8)
    coded = native.plane_encode(plane)
    with pytest.raises(CorruptError):
        decode(coded[: len(coded) // 2], plane)


@pytest.mark.parametrize("width,height,maxval", [(0, 4, 255), (4, 0, 255), (4, 4, 254)])
def test_bad_arguments(width: int, height: int, maxval: int) -> None:
    for decoder in (native.plane_decode, decode_plane):
        with pytest.raises(ValueError):
            decoder(b"", width, height, maxval)


def test_empty_plane_is_refused() -> None:
    with pytest.raises(ValueError):
        native.plane_encode(np.zeros((0, 4), np.uint8))


def test_long_runs_of_zero_bytes() -> None:
    """A flat rest of the plane is coded as zero bytes, of which a decoder accepts only 16 as missing."""
    plane = np.zeros((1500, 1500), np.uint8)
    plane[0, 0] = 255
    coded = native.plane_encode(plane)
    assert coded.endswith(bytes(16))
    np.testing.assert_array_equal(decode(coded, plane), plane)


# --- sizes ----------------------------------------------------------------------------------------


def png_size(plane: np.ndarray) -> int:
    buffer = io.BytesIO()
    Image.fromarray(plane).save(buffer, "PNG", optimize=True)
    return len(buffer.getvalue())


def blur(plane: np.ndarray, times: int) -> np.ndarray:
    """Repeated 1 2 1 smoothing in both directions."""
    for _ in range(times):
        for axis in (0, 1):
            plane = (np.roll(plane, 1, axis) + 2 * plane + np.roll(plane, -1, axis)) / 4
    return plane


def masks() -> dict[str, np.ndarray]:
    y, x = np.mgrid[:240, :320]
    distance = np.hypot(x - 150.3, y - 120.6)
    blobs = blur(np.random.default_rng(3).normal(size=(240, 320)), 20) > 0
    shapes = {
        "disc": distance < 90,
        "antialiased disc": np.clip(90.5 - distance, 0, 1),
        "feathered disc": np.clip((100 - distance) / 30, 0, 1),
        "blobs": blobs,
        "soft blobs": blur(blobs.astype(float), 2),
        "softer blobs": blur(blobs.astype(float), 25),
        "ramp": x / 319,
        "stripes": (x // 5 + y // 7) % 2,
    }
    return {name: np.rint(np.asarray(shape, float) * 255).astype(np.uint8) for name, shape in shapes.items()}


@pytest.mark.parametrize("name", masks())
@pytest.mark.parametrize("deep", [False, True], ids=["8-bit", "16-bit"])
def test_not_larger_than_png(name: str, deep: bool) -> None:
    plane = masks()[name]
    if deep:
        plane = plane.astype(np.uint16) * 257
    assert len(native.plane_encode(plane)) <= png_size(plane)


@pytest.mark.parametrize("value,dtype", [(0, np.uint8), (255, np.uint8), (0, np.uint16), (4711, np.uint16)])
def test_constant_plane(value: int, dtype: type) -> None:
    plane = np.full((1000, 1000), value, dtype)
    coded = native.plane_encode(plane)
    assert len(coded) <= 3
    np.testing.assert_array_equal(decode(coded, plane), plane)


def test_noise_hardly_expands() -> None:
    plane = np.random.default_rng(0).integers(0, 65536, (100, 100)).astype(np.uint16)
    assert len(native.plane_encode(plane)) <= plane.nbytes + 2
