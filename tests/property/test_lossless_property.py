"""The lossless codec gives back every picture, by both of its methods and with networks of all sizes."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

native = pytest.importorskip("wyner._native", reason="the native extension is not built")

from lossless_samples import SMALL, Array, pictures, random_integers  # noqa: E402

import wyner  # noqa: E402

SIZES = (SMALL, (2, 2, 64, 2, 0, 0, 0), (18, 12, 128, 10, 0, 2, 1), (128, 6, 64, 128, 1, 1, 1))
PARTS = (0.005, 0.05, 0.99)


@functools.cache
def network(sizes: tuple[int, ...], part: float) -> native.LosslessModel:
    return random_integers(np.random.default_rng(sum(sizes)), sizes, part).native()


@settings(max_examples=40, deadline=None)
@given(pictures(40), st.sampled_from(SIZES), st.sampled_from(PARTS), st.integers(1, 3))
def test_any_network(sample: tuple[Array, int], sizes: tuple[int, ...], part: float, threads: int) -> None:
    """Whatever a network says, it says the same to both ends: also at the edge of what sums may be."""
    pixels, maxval = sample
    height, width, channels = pixels.shape
    model = network(sizes, part)
    data = model.encode(pixels, maxval, threads)
    assert data == model.encode(pixels, maxval, 1)
    np.testing.assert_array_equal(model.decode(data, width, height, channels, maxval, threads), pixels)


@settings(max_examples=150, deadline=None)
@given(pictures(40))
def test_drawn(sample: tuple[Array, int]) -> None:
    pixels, maxval = sample
    height, width, channels = pixels.shape
    data = native.screen_encode(pixels, maxval)
    np.testing.assert_array_equal(native.screen_decode(data, width, height, channels, maxval), pixels)


@settings(max_examples=30, deadline=None)
@given(pictures(40), st.booleans())
def test_files(sample: tuple[Array, int], store_hash: bool) -> None:
    """With the shipped network, through files."""
    pixels = sample[0].astype(np.uint8 if sample[1] == 255 else np.uint16)
    data = wyner.encode(pixels, codec="lossless", threads=2, store_hash=store_hash)
    np.testing.assert_array_equal(wyner.decode(data, check_hash=True).pixels, pixels)
