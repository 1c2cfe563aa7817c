"""Whether a side picture is used: by those that help, and by no others unless the codec is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

import wyner

pytest.importorskip("wyner._native", reason="the native extension is not built")

from wyner.codecs.side import align
from wyner.codecs.side.worth import stand_in

PHOTO = np.ascontiguousarray(data.astronaut()[60:156, 160:300])
OTHER = np.ascontiguousarray(data.chelsea()[40:160, 100:240])
LIKE = np.clip(np.roll(PHOTO, 5, 1) * 0.8 + 20, 0, 255).astype(np.uint8)


def deep_grey(pixels: np.ndarray) -> np.ndarray:
    return pixels[:, :, :1].astype(np.uint16) * 257


def encode(x: np.ndarray, **arguments: Any) -> bytes:
    return wyner.encode(x, **{"quality": 40, "effort": 1} | arguments)


# --- what does not help -------------------------------------------------------------------------------


@settings(max_examples=8, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([{}, {"quality": 15}, {"quality": 80}, {"quality": None, "target_bpp": 0.6}]),
    st.sampled_from([None, deep_grey]),
    st.booleans(),
)
def test_shuffled_side_pictures_give_the_very_bytes_of_no_side_picture(
    seed: int, goal: Any, converted: Any, store_hash: bool
) -> None:
    x = PHOTO if converted is None else converted(PHOTO)
    shuffled = np.random.default_rng(seed).permutation(PHOTO.reshape(-1, 3)).reshape(PHOTO.shape)
    alone = encode(x, store_hash=store_hash, **goal)
    assert encode(x, store_hash=store_hash, side=shuffled, **goal) == alone


@pytest.mark.parametrize("side", [OTHER, PHOTO[::-1], np.full((9, 9), 77, np.uint8)], ids="osf")
def test_other_scenes_are_not_used(side: np.ndarray) -> None:
    assert encode(PHOTO, side=side) == encode(PHOTO)


def test_alpha_and_metadata_stay() -> None:
    picture = wyner.Image(PHOTO, PHOTO[:, :, 0].copy(), icc=b"a profile", exif=None, xmp=b"<x/>")
    file = encode(picture, side=OTHER)
    assert file == encode(picture)
    back = wyner.decode(file)
    assert back.icc == b"a profile" and np.array_equal(back.alpha, picture.alpha)


@pytest.mark.parametrize(
    "arguments",
    [{"codec": "side"}, {"options": {"side_mode": "arm"}}, {"options": {"side_align": 0}}],
)
def test_whoever_names_the_codec_or_another_way_gets_it(arguments: Any) -> None:
    file = encode(PHOTO, side=OTHER, **arguments)
    assert wyner.info(file).codec == "side"
    with pytest.raises(wyner.SideImageError):
        wyner.decode(file)


def test_files_without_a_side_picture_take_no_notice_of_one() -> None:
    file = encode(PHOTO)
    np.testing.assert_array_equal(wyner.decode(file, side=OTHER).pixels, wyner.decode(file).pixels)


# --- what helps ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("goal", [{}, {"quality": 5}, {"quality": None, "target_bpp": 0.4}])
def test_what_helps_is_used_as_if_the_codec_were_named(goal: Any, monkeypatch: Any) -> None:
    calls = []
    estimate = align.estimate_field

    def counted(*arguments: Any, **keywords: Any) -> align.Field:
        calls.append(keywords)
        return estimate(*arguments, **keywords)

    named = encode(PHOTO, side=LIKE, codec="side", **goal)
    monkeypatch.setattr(align, "estimate_field", counted)
    file = encode(PHOTO, side=LIKE, **goal)
    assert file == named and len(calls) == 1  # it is the slow part
    assert wyner.info(file).side_hash == wyner.image.pixel_hash(wyner.Image(LIKE)).hex()


def test_real_pairs_help() -> None:
    left, right = (np.ascontiguousarray(p[150:278, 300:460]) for p in data.stereo_motorcycle()[:2])
    for x in (left, left[:, :, :1], deep_grey(left)):
        assert wyner.info(encode(x, side=right)).codec == "side"


# --- the stand-in -------------------------------------------------------------------------------------


def expected_bits(plane: np.ndarray, noise: float) -> np.ndarray:
    """Of each 8x8 block, by another implementation of the DCT."""
    fft = pytest.importorskip("scipy.fft", reason="needs the extra bench")
    height, width = plane.shape
    padded = np.pad(plane, ((0, -height % 8), (0, -width % 8)), mode="edge")
    blocks = padded.reshape(padded.shape[0] // 8, 8, padded.shape[1] // 8, 8).transpose(0, 2, 1, 3)
    c = fft.dctn(blocks, axes=(2, 3), norm="ortho")
    c[:, 1:, 0, 0] -= c[:, :-1, 0, 0].copy()
    return 0.5 * np.log2(1 + c * c / noise).sum((2, 3))


@pytest.mark.parametrize("shape", [(96, 140), (13, 31), (1, 1), (8, 9)])
@pytest.mark.parametrize("noise", [1.0, 90.0])
def test_stand_in_counts_the_bits_of_coefficients(shape: tuple[int, int], noise: float) -> None:
    x, warped = (p[: shape[0], : shape[1]] for p in (PHOTO, LIKE))
    valid = np.ones(shape, np.uint8)
    own, other = (p @ np.array([0.299, 0.587, 0.114]) for p in (x, warped))
    alone, beside = stand_in(x, warped, valid, noise)
    bits, bits_left = expected_bits(own, noise), expected_bits(own - other, noise)
    assert alone == pytest.approx(bits.sum())
    assert beside == pytest.approx(np.minimum(bits, bits_left).sum())


def test_stand_in_of_what_is_known_of_nothing_and_of_all() -> None:
    nothing, all_of_it = (np.full(PHOTO.shape[:2], flag, np.uint8) for flag in (0, 1))
    alone, beside = stand_in(PHOTO, np.zeros_like(PHOTO), nothing, 30.0)
    assert 0.98 * alone < beside <= alone  # the mean of a row of blocks is no prediction
    assert stand_in(PHOTO, PHOTO, all_of_it, 30.0) == (alone, 0)


def test_stand_in_counts_in_eight_bit_steps() -> None:
    valid = np.ones(PHOTO.shape[:2], np.uint8)
    grey, like = PHOTO[:, :, :1], LIKE[:, :, :1]
    deep = stand_in(deep_grey(grey), deep_grey(like), valid, 30.0)
    assert deep == pytest.approx(stand_in(grey, like, valid, 30.0))
    grey_rgb = np.repeat(grey, 3, 2), np.repeat(like, 3, 2)
    assert stand_in(*grey_rgb, valid, 30.0) == pytest.approx(stand_in(grey, like, valid, 30.0))
