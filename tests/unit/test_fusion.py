"""The native fusion of a picture with warped pictures against the reference, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wyner import _native
from wyner.errors import UsageError
from wyner.reference import refine as reference

LUMA_TAPS, CHROMA_TAPS = 76, 28
SHORT = [[40], [90], [20, 60], [30]]


def filters(rng: np.random.Generator, number: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    return tuple(rng.integers(-size, size + 1, (number, taps)).astype(np.int16) for taps in (76, 28))


@st.composite
def inputs(draw: st.DrawFn):
    """A picture and two views of it: noise, near to one another or not, at full contrast or not."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (draw(st.integers(1, 24)), draw(st.integers(1, 24)), draw(st.sampled_from([1, 3])))
    dtype = draw(st.sampled_from([np.uint8, np.uint16]))
    top = int(np.iinfo(dtype).max)
    x = rng.integers(0, top + 1, shape)
    if draw(st.booleans()):
        x = np.where(x > top // 2, top, 0)
    spread = draw(st.sampled_from([0.0, 0.01, 0.1, 1.0])) * top
    warped = [np.clip(x + spread * rng.standard_normal(shape), 0, top).astype(dtype) for _ in range(2)]
    valid = [
        (rng.random(shape[:2]) < draw(st.sampled_from([0.0, 0.8, 1.0]))).astype(np.uint8) for _ in warped
    ]
    levels = [sorted(rng.integers(0, 600, draw(st.integers(0, 3))).tolist()) for _ in range(4)]
    number = int(np.prod([len(thresholds) + 1 for thresholds in levels]))
    luma, chroma = filters(rng, number, draw(st.sampled_from([0, 50, 1700])))
    return x.astype(dtype), warped, valid, levels, luma, chroma


@settings(max_examples=150, deadline=None)
@given(inputs(), st.integers(1, 4))
def test_native_equals_the_reference(case, threads: int) -> None:
    got = _native.side_fuse(*case, threads)
    expected = reference.fuse(*case)
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected)


def test_zero_filters_change_nothing() -> None:
    rng = np.random.default_rng(1)
    x = rng.integers(0, 256, (9, 11, 3)).astype(np.uint8)
    view, valid = rng.integers(0, 256, x.shape).astype(np.uint8), np.ones((9, 11), np.uint8)
    zeros = np.zeros((24, 76), np.int16), np.zeros((24, 28), np.int16)
    np.testing.assert_array_equal(_native.side_fuse(x, [view] * 2, [valid] * 2, SHORT, *zeros), x)


def test_bad_arguments_are_refused() -> None:
    x, valid = np.zeros((4, 5, 3), np.uint8), np.ones((4, 5), np.uint8)
    luma, chroma = np.zeros((24, 76), np.int16), np.zeros((24, 28), np.int16)

    def fuse(**changes):
        arguments = {
            "x": x,
            "warped": [x, x],
            "valid": [valid, valid],
            "levels": SHORT,
            "luma": luma,
            "chroma": chroma,
        } | changes
        return _native.side_fuse(**arguments)

    assert fuse().shape == x.shape
    huge = luma.copy()
    huge[3] = 32767
    for changes in (
        {"warped": [x, x[1:]]},
        {"warped": [x, x[:, :, :1].copy()]},
        {"valid": [valid, valid[:, 1:].copy()]},
        {"levels": [[5, 4], [90], [20, 60], [30]]},
        {"levels": [[40], [90], [20], [30]]},
        {"levels": [list(range(16)), [], [], []]},
        {"luma": luma[1:]},
        {"luma": huge},
        {"chroma": luma},
        {"x": x[:0], "warped": [x[:0]] * 2, "valid": [valid[:0]] * 2},
        {"threads": 0},
    ):
        with pytest.raises((UsageError, ValueError)):
            fuse(**changes)
