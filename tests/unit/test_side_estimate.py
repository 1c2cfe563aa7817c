"""The estimator of fields: known motions are found, real pairs are predicted, odd input does no harm."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wyner.codecs.side import align
from wyner.errors import UsageError

Scene = Callable[[np.ndarray, np.ndarray], np.ndarray]


def scene(seed: int) -> Scene:
    """A smooth random texture that can be sampled anywhere: waves of 5 to 60 pixels."""
    rng = np.random.default_rng(seed)
    angle, phase = rng.uniform(0, 2 * np.pi, (2, 60))
    frequency = 2 * np.pi / np.exp(rng.uniform(np.log(5), np.log(60), 60))

    def sample(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        total = sum(
            np.sin(f * (x * np.cos(a) + y * np.sin(a)) + p)
            for f, a, p in zip(frequency, angle, phase, strict=True)
        )
        return np.clip(np.rint(127 + 7 * total), 0, 255).astype(np.uint8)[:, :, None]

    return sample


def grid(width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.mgrid[:height, :width].astype(float)
    return columns, rows


def rms(a: np.ndarray, b: np.ndarray, valid: np.ndarray) -> float:
    """Of the differences where valid, their mean over the picture taken off."""
    difference = a[valid == 1].astype(float) - b[valid == 1]
    return float(np.std(difference))


def inner(field: align.Field, margin: int) -> np.ndarray:
    """Vectors of the blocks whose content lies in both pictures."""
    assert field.valid[margin:-margin, margin:-margin].all()
    return field.vectors[margin:-margin, margin:-margin].reshape(-1, 2)


@pytest.mark.parametrize("shift", [(0, 0), (-3, 0), (17, 1), (-61, 0), (40, -9), (2, 30)])
@pytest.mark.parametrize("block_size", [8, 16, 32])
def test_whole_pixel_shifts_are_found(shift: tuple[int, int], block_size: int) -> None:
    columns, rows = grid(320, 256)
    x = scene(1)(columns, rows)
    y = scene(1)(columns - shift[0], rows - shift[1])
    field = align.estimate_field(x, y, block_size=block_size)
    vectors = inner(field, 64 // block_size)
    assert (vectors == 4 * np.array(shift)).all(axis=1).mean() > 0.98


@pytest.mark.parametrize("quarters", [(1, 0), (-2, 0), (3, 2), (-81, 5)])
def test_quarter_pixel_shifts_are_found(quarters: tuple[int, int]) -> None:
    columns, rows = grid(256, 192)
    x = scene(2)(columns, rows)
    y = scene(2)(columns - quarters[0] / 4, rows - quarters[1] / 4)
    field = align.estimate_field(x, y, rate=4.0, block_size=16)
    assert (inner(field, 2) == quarters).all(axis=1).mean() > 0.95
    warped, valid = align.warp(y, field, 256, 192)
    middle = np.s_[32:-32, 32:-32]
    assert rms(x[middle], warped[middle], valid[middle]) < 2


def test_rotation_and_vertical_displacement() -> None:
    columns, rows = grid(400, 300)
    angle = np.radians(1.5)
    x = scene(3)(columns, rows)
    y = scene(3)(
        np.cos(angle) * columns - np.sin(angle) * rows + 12,
        np.sin(angle) * columns + np.cos(angle) * rows - 15,
    )
    warped, valid = align.warp(y, align.estimate_field(x, y), 400, 300)
    assert valid.mean() > 0.85
    assert rms(x, warped, valid) < 0.2 * rms(x, y, valid)


def test_steps_of_depth() -> None:
    """A near rectangle before a far plane, as two cameras see them."""
    columns, rows = grid(360, 240)

    def view(shift_far: float, shift_near: float) -> np.ndarray:
        near_columns = columns + shift_near
        near = (abs(near_columns - 200) < 60) & (abs(rows - 120) < 50)
        return np.where(near[:, :, None], scene(5)(near_columns, rows), scene(4)(columns + shift_far, rows))

    x, y = view(0, 0), view(6, 40)
    field = align.estimate_field(x, y, block_size=8)
    found = {tuple(v) for v in field.vectors.reshape(-1, 2)}
    assert {(-24, 0), (-160, 0)} <= found
    warped, valid = align.warp(y, field, 360, 240)
    assert rms(x, warped, valid) < 0.2 * rms(x, y, valid)


@pytest.mark.parametrize("gain,offset", [(1.0, 40), (0.7, 10), (0.8, -15)])
def test_exposure_does_not_matter(gain: float, offset: float) -> None:
    columns, rows = grid(320, 200)
    x = scene(6)(columns, rows)
    y = np.clip(scene(6)(columns - 21, rows - 2) * gain + offset, 0, 255).astype(np.uint8)
    vectors = inner(align.estimate_field(x, y, block_size=16), 3)
    assert (vectors == (84, 8)).all(axis=1).mean() > 0.9


@pytest.mark.parametrize("deep_x,deep_y,grey_x", [(True, False, True), (False, True, False)])
def test_depths_and_channels_may_differ(deep_x: bool, deep_y: bool, grey_x: bool) -> None:
    columns, rows = grid(200, 150)
    x, y = scene(7)(columns, rows), scene(7)(columns - 9, rows)
    x, y = (x, np.repeat(y, 3, axis=2)) if grey_x else (np.repeat(x, 3, axis=2), y)
    x = x.astype(np.uint16) * 257 if deep_x else x
    y = y.astype(np.uint16) * 257 if deep_y else y
    field = align.estimate_field(x, y, block_size=16)
    assert (inner(field, 2) == (36, 0)).all(axis=1).mean() > 0.95
    warped, valid = align.warp(y, field, 200, 150, channels=x.shape[2], maxval=int(np.iinfo(x.dtype).max))
    assert warped.dtype == x.dtype and warped.shape == x.shape
    assert rms(x, warped, valid) < 0.12 * rms(x, np.zeros_like(x), valid)


def test_same_view_later_costs_a_few_bytes() -> None:
    columns, rows = grid(512, 384)
    rng = np.random.default_rng(0)
    x = scene(8)(columns, rows)
    y = np.clip(x + rng.normal(0, 4, x.shape), 0, 255).astype(np.uint8)
    field = align.estimate_field(x, y)
    assert len(align.encode_field(field)) <= 8
    assert field.valid.all() and not field.vectors.any()


def test_change_is_marked_not_valid() -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (384, 512, 1)).astype(float)
    x = (sum(np.roll(noise, (i, j), (0, 1)) for i in range(3) for j in range(3)) / 9).astype(np.uint8)
    y = x.copy()
    y[96:192, 128:320] = rng.integers(0, 256, (96, 192, 1))
    field = align.estimate_field(x, y, block_size=32)
    changed = field.valid[3:6, 4:10]
    assert changed.mean() < 0.1 and field.valid.sum() - changed.sum() >= field.valid.size - changed.size - 2


def test_unrelated_picture_costs_little() -> None:
    columns, rows = grid(512, 384)
    x = scene(10)(columns, rows)
    y = np.random.default_rng(0).integers(0, 256, x.shape).astype(np.uint8)
    field = align.estimate_field(x, y)
    assert field.valid.mean() < 0.05
    assert len(align.encode_field(field)) < 40


def test_stereo_pair() -> None:
    """The motorcycle of Middlebury 2014, 741x500, disparities to 60 pixels."""
    data = pytest.importorskip("skimage.data")
    left, right, _ = data.stereo_motorcycle()
    height, width, _ = left.shape
    field = align.estimate_field(left, right)
    warped, valid = align.warp(right, field, width, height)
    assert valid.mean() > 0.9
    assert rms(left, warped, valid) < 0.4 * rms(left, right, valid)
    assert len(align.encode_field(field)) * 8 < 0.06 * width * height


def test_lower_rates_have_simpler_fields() -> None:
    data = pytest.importorskip("skimage.data")
    left, right, _ = data.stereo_motorcycle()
    sizes = [
        len(align.encode_field(align.estimate_field(left, right, rate=rate))) for rate in (0.05, 0.2, 0.8)
    ]
    assert sizes == sorted(sizes) and sizes[0] < 0.7 * sizes[2]


sides = st.integers(1, 70)


@settings(max_examples=40, deadline=None)
@given(sides, sides, sides, sides, st.integers(0, 2**32 - 1), st.sampled_from([None, 8, 16, 32]))
def test_any_sizes(xw: int, xh: int, yw: int, yh: int, seed: int, block_size: int | None) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, (xh, xw, 3)).astype(np.uint8)
    y = rng.integers(0, 65536, (yh, yw, 1)).astype(np.uint16)
    field = align.estimate_field(x, y, rate=0.5, block_size=block_size)
    assert field == align.estimate_field(x, y, rate=0.5, block_size=block_size)
    assert align.decode_field(align.encode_field(field), xw, xh) == field
    warped, valid = align.warp(y, field, xw, xh, channels=3, maxval=255)
    assert warped.shape == x.shape and valid.shape == x.shape[:2]


def test_arrays_that_cannot_be_written() -> None:
    x = np.zeros((20, 30, 3), np.uint8)
    x.setflags(write=False)
    field = align.estimate_field(x, x[::-1])
    for array in (field.vectors, field.valid):
        array.setflags(write=False)
    assert align.decode_field(align.encode_field(field), 30, 20) == field
    warped, _ = align.warp(x, field, 30, 20)
    np.testing.assert_array_equal(warped, x)


def test_bad_arguments() -> None:
    x = np.zeros((8, 8, 3), np.uint8)
    for arguments in ({"rate": 0.0}, {"rate": 1e-7}, {"rate": float("inf")}, {"block_size": 12}):
        with pytest.raises(UsageError):
            align.estimate_field(x, x, **arguments)
    for bad in (np.zeros((8, 8), np.uint8), np.zeros((8, 8, 2), np.uint8), np.zeros((8, 8, 3), np.float32)):
        with pytest.raises(UsageError):
            align.estimate_field(x, bad)
    with pytest.raises(UsageError):
        align.estimate_field(x, np.zeros((0, 8, 3), np.uint8))
