"""The native decoder of the lossless codec against the reference, written from docs/spec/lossless.md."""

from __future__ import annotations

import functools
from dataclasses import replace
from itertools import accumulate, pairwise, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

native = pytest.importorskip("wyner._native", reason="the native extension is not built")

from lossless_samples import (  # noqa: E402
    KINDS,
    SMALL,
    Array,
    Integers,
    picture,
    pictures,
    random_integers,
)

import wyner  # noqa: E402
from wyner import container  # noqa: E402
from wyner.codecs.lossless import model  # noqa: E402
from wyner.errors import UnsupportedError, UsageError, WynerError  # noqa: E402
from wyner.reference import decode_lossless  # noqa: E402
from wyner.reference.coder import varint  # noqa: E402
from wyner.reference.lossless import Setting, decode_picture  # noqa: E402
from wyner.reference.lossless_network import Network, read_network  # noqa: E402
from wyner.reference.lossless_tuning import read_tunings  # noqa: E402
from wyner.reference.range_decoder import RangeDecoder  # noqa: E402

NAME = b"eight by"
SIZES = (SMALL, (2, 2, 64, 2, 0, 0, 0), (10, 16, 128, 6, 1, 2, 0))


@functools.cache
def integers(sizes: tuple[int, ...], part: float) -> Integers:
    return random_integers(np.random.default_rng(sum(sizes)), sizes, part)


@functools.cache
def shipped() -> Network:
    data = (model.resources.files("wyner") / "weights" / "lossless.bin").read_bytes()
    return Network(model.shipped().name, *model.unpack(data))


@settings(max_examples=40, deadline=None)
@given(pictures(20), st.sampled_from(SIZES), st.sampled_from([0.005, 0.05, 0.99]))
def test_random_networks(sample: tuple[Array, int], sizes: tuple[int, ...], part: float) -> None:
    pixels, maxval = sample
    height, width, channels = pixels.shape
    made = integers(sizes, part)
    payload = b"\0" + NAME + made.native().encode(pixels, maxval)
    back = decode_lossless(payload, width, height, channels, maxval, made.reference(NAME))
    np.testing.assert_array_equal(back, pixels)


@settings(max_examples=80, deadline=None)
@given(pictures(20))
def test_drawn(sample: tuple[Array, int]) -> None:
    pixels, maxval = sample
    height, width, channels = pixels.shape
    payload = b"\1" + native.screen_encode(pixels, maxval)
    np.testing.assert_array_equal(decode_lossless(payload, width, height, channels, maxval), pixels)


@pytest.mark.parametrize(
    "width, height, channels, maxval",
    [(24, 20, 3, 255), (19, 23, 1, 255), (13, 9, 3, 65535), (1, 1, 3, 255), (1, 7, 1, 255), (7, 1, 3, 255)],
)
def test_the_shipped_network(width: int, height: int, channels: int, maxval: int) -> None:
    pixels = picture(np.random.default_rng(width), "photo", width, height, channels, maxval)
    payload = b"\0" + shipped().name + model.shipped().native.encode(pixels, maxval)
    back = decode_lossless(payload, width, height, channels, maxval, shipped())
    assert back.dtype == (np.uint8 if maxval == 255 else np.uint16)
    np.testing.assert_array_equal(back, pixels)


def test_tiles() -> None:
    """Two tiles, beside and below each other."""
    made = integers((2, 2, 64, 2, 0, 0, 0), 0.05)
    for width, height in ((770, 2), (2, 769)):
        pixels = picture(np.random.default_rng(3), "photo", width, height, 1, 255)
        payload = b"\0" + NAME + made.native().encode(pixels, 255)
        back = decode_lossless(payload, width, height, 1, 255, made.reference(NAME))
        np.testing.assert_array_equal(back, pixels)


def streams_in(data: bytes, channels: int, count: int) -> list[RangeDecoder]:
    """Those of the data of method 0 of one tile."""
    position, sizes = 1, []
    for _ in range(2 * channels + count - 1):
        size, position = varint(data, position)
        sizes.append(size)
    pieces = list(accumulate(sizes[2 * channels :], initial=position))
    return [RangeDecoder(data[a:b]) for a, b in pairwise([*pieces, len(data)])]


def test_two_streams() -> None:
    """All levels but the finest of the smallest picture that has two streams: the reference is slow."""
    made = integers((2, 2, 64, 2, 0, 0, 0), 0.05)
    pixels = picture(np.random.default_rng(4), "photo", 362, 363, 1, 255)
    decoders = streams_in(made.native().encode(pixels, 255), 1, 2)
    range_of = int(pixels.min()), int(pixels.max())
    setting = Setting(made.reference(), decoders, [range_of], 0, read_tunings(decoders[0], 1))
    planes = decode_picture(setting, 181, 182, level=1)
    np.testing.assert_array_equal(planes[0], pixels[::2, ::2, 0])


def test_tunings() -> None:
    """A picture that this network knows little of: every pass is tuned."""
    made = integers((2, 2, 64, 2, 0, 0, 0), 0.05)
    y, x = np.mgrid[:98, :96]
    waves = 110 + 60 * np.sin(x / 5) + 40 * np.cos((x + 2 * y) / 9)
    noise = np.random.default_rng(9).integers(0, 6, (98, 96, 3))
    pixels = (np.dstack([waves, 220 - waves, 0.5 * waves]) + noise).astype(np.uint16)
    data = made.native().encode(pixels, 255)
    tunings = read_tunings(streams_in(data, 3, 1)[0], 3)
    assert {(phase, head) for _, phase, head in tunings} == set(product("dhv", range(4)))
    payload = b"\0" + NAME + data
    np.testing.assert_array_equal(decode_lossless(payload, 96, 98, 3, 255, made.reference(NAME)), pixels)


def outcome(decode: Any, *arguments: Any) -> Any:
    """The decoded samples, or the class of the error."""
    try:
        return decode(*arguments).tolist()
    except WynerError as error:
        return type(error)


@settings(max_examples=60, deadline=None)
@given(pictures(10), st.data())
def test_damaged(sample: tuple[Array, int], data: st.DataObject) -> None:
    """Cut or altered payloads: both decoders give the same samples or the same error."""
    pixels, maxval = sample
    made = integers(SMALL, 0.05)
    drawn = data.draw(st.booleans())
    coded = bytearray(native.screen_encode(pixels, maxval) if drawn else made.native().encode(pixels, maxval))
    if coded and data.draw(st.booleans()):
        coded[data.draw(st.integers(0, len(coded) - 1))] ^= data.draw(st.integers(1, 255))
    else:
        coded = coded[: data.draw(st.integers(0, len(coded)))]
    height, width, channels = pixels.shape
    size = (width, height, channels, maxval)
    decode = native.screen_decode if drawn else made.native().decode
    payload = b"\1" + coded if drawn else b"\0" + NAME + coded
    expected = outcome(decode_lossless, bytes(payload), *size, made.reference(NAME))
    assert outcome(decode, bytes(coded), *size) == expected


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200), st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3]))
def test_arbitrary_bytes(data: bytes, width: int, height: int, channels: int) -> None:
    made = integers(SMALL, 0.05)
    for maxval in (255, 65535):
        size = (width, height, channels, maxval)
        drawn = outcome(decode_lossless, b"\1" + data, *size)
        assert outcome(native.screen_decode, data, *size) == drawn
        coded = outcome(decode_lossless, b"\0" + NAME + data, *size, made.reference(NAME))
        assert outcome(made.native().decode, data, *size) == coded


def test_files_of_networks() -> None:
    """The reference reads what the package packs (section 9)."""
    made = integers((2, 2, 64, 2, 0, 0, 0), 0.05)
    network = read_network(model.pack(made.sizes, made.weights, made.biases))
    pixels = picture(np.random.default_rng(5), "photo", 9, 7, 3, 255)
    payload = b"\0" + network.name + made.native().encode(pixels, 255)
    np.testing.assert_array_equal(decode_lossless(payload, 9, 7, 3, 255, network), pixels)


@pytest.mark.parametrize("kind", KINDS)
def test_payloads_of_files(kind: str) -> None:
    pixels = picture(np.random.default_rng(7), kind, 12, 10, 3, 255).astype(np.uint8)
    payload = container.read(wyner.encode(pixels, codec="lossless")).payload
    np.testing.assert_array_equal(decode_lossless(payload, 12, 10, 3, 255, shipped()), pixels)


def test_errors() -> None:
    pixels = np.zeros((2, 2, 1), np.uint16)
    payload = b"\0" + NAME + integers(SMALL, 0.05).native().encode(pixels, 255)
    with pytest.raises(UnsupportedError):
        decode_lossless(payload, 2, 2, 1, 255)
    with pytest.raises(UsageError):
        decode_lossless(payload, 2, 2, 2, 255)
    made = integers(SMALL, 0.05)
    for wrong in (
        replace(made, weights=made.weights[:-1]),
        replace(made, weights=np.append(made.weights, np.int16(1))),
        replace(made, biases=np.append(made.biases, np.int32(1))),
        replace(made, biases=np.full_like(made.biases, 1 << 28)),
        replace(made, weights=np.full_like(made.weights, 32767)),
        replace(made, sizes=(8, 8, 32, 8, 1, 0, 1)),
    ):
        with pytest.raises(UsageError):
            wrong.reference()
        with pytest.raises(ValueError):
            wrong.native()
