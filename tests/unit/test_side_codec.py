"""The codec with a side picture from end to end. Pictures are tiny: fits take moments."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

import wyner
from wyner import container
from wyner.bench import registry
from wyner.codecs import side as codec
from wyner.codecs.base import SIDE_MODES
from wyner.codecs.side.inputs import half_size
from wyner.codecs.side.payload import Head, parse, write
from wyner.errors import CorruptError, SideImageError, UnsupportedError, UsageError, WynerError

PHOTO = np.ascontiguousarray(data.astronaut()[60:156, 160:300])


def like(pixels: np.ndarray, seed: int = 0) -> np.ndarray:
    """The same scene in other light, with noise."""
    noise = np.random.default_rng(seed).normal(0, 3, pixels.shape)
    return np.clip(pixels * 0.9 + 10 + noise, 0, 255).astype(np.uint8)


SIDE = like(PHOTO)
SIDE_FILE = wyner.encode(SIDE, quality=50, effort=1)
FILES = {
    mode: wyner.encode(
        PHOTO,
        side=SIDE_FILE if mode == "latents" else SIDE,
        quality=40,
        effort=1,
        options={"side_mode": mode},
        store_hash=True,
    )
    for mode in SIDE_MODES
}
each_mode = pytest.mark.parametrize("mode", SIDE_MODES)


def side_of(mode: str) -> Any:
    return SIDE_FILE if mode == "latents" else SIDE


def psnr(file: bytes, side: Any = None) -> float:
    error = wyner.decode(file, side=side).pixels.astype(float) - PHOTO
    return float(10 * np.log10(255**2 / np.mean(error**2)))


@each_mode
def test_comes_back(mode: str) -> None:
    image = wyner.decode(FILES[mode], side=side_of(mode), check_hash=True)
    assert image.pixels.shape == PHOTO.shape and image.pixels.dtype == np.uint8
    assert psnr(FILES[mode], side_of(mode)) > 26
    assert wyner.info(FILES[mode]).codec == "side"
    assert codec.macs_per_pixel(container.read(FILES[mode]).payload) <= 4096


def test_a_good_side_picture_saves_most_of_the_file() -> None:
    alone = wyner.encode(PHOTO, quality=40, effort=1)
    with_side = FILES["full"]
    assert psnr(with_side, SIDE) >= psnr(alone)
    assert len(with_side) < len(alone) / 3
    assert len(FILES["arm"]) < 0.8 * len(alone)


def test_a_useless_side_picture_costs_little() -> None:
    other = np.random.default_rng(0).integers(0, 256, PHOTO.shape).astype(np.uint8)
    alone = wyner.encode(PHOTO, quality=40, effort=2)
    with_side = wyner.encode(PHOTO, quality=40, effort=2, side=other, codec="side")
    assert psnr(with_side, other) > psnr(alone) - 0.5
    assert len(with_side) < 1.1 * len(alone)


def test_what_the_bench_calls() -> None:
    bench = registry.by_name("wyner_side")
    data = bench.encode(PHOTO, {"quality": 20, "effort": 1}, SIDE, 1)
    assert bench.takes_side and bench.decode(data, SIDE, 1).shape == PHOTO.shape
    assert bench.macs_per_pixel is not None and bench.macs_per_pixel(data) > 100


def test_threads_do_not_change_a_byte() -> None:
    big, side = np.tile(PHOTO, (4, 2, 1)), np.tile(SIDE, (4, 2, 1))
    one, two = (wyner.encode(big, side=side, quality=40, effort=1, threads=n) for n in (1, 2))
    assert one == two


def test_alpha_and_metadata_stay() -> None:
    picture = wyner.Image(PHOTO, PHOTO[:, :, 0].copy(), icc=b"a profile", exif=b"II*\x00", xmp=b"<x/>")
    file = wyner.encode(picture, side=SIDE, quality=30, effort=1, store_hash=True)
    assert wyner.info(file).codec == "side"
    back = wyner.decode(file, side=SIDE, check_hash=True)
    assert (back.icc, back.exif, back.xmp) == (picture.icc, picture.exif, picture.xmp)
    np.testing.assert_array_equal(back.alpha, picture.alpha)


def test_a_target_is_met() -> None:
    left, right = (np.ascontiguousarray(p[150:280, 300:460]) for p in data.stereo_motorcycle()[:2])
    file = wyner.encode(left, side=right, target_bpp=0.5, effort=2)
    assert 8 * len(file) / (130 * 160) == pytest.approx(0.5, rel=0.02)


@settings(max_examples=12, deadline=None)
@given(
    st.sampled_from(["full", "arm"]),
    st.tuples(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3])),
    st.tuples(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3])),
    st.sampled_from([np.uint8, np.uint16]),
    st.sampled_from([np.uint8, np.uint16]),
    st.integers(0, 100),
)
def test_any_size_depth_and_channels(
    mode: str, shape: Any, side_shape: Any, dtype: Any, side_dtype: Any, quality: int
) -> None:
    rng = np.random.default_rng(quality)
    x = rng.integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)
    y = rng.integers(0, np.iinfo(side_dtype).max + 1, side_shape).astype(side_dtype)
    options = {"side_mode": mode, "side_align": quality % 2}
    file = wyner.encode(x, side=y, codec="side", quality=quality, effort=1, options=options, store_hash=True)
    image = wyner.decode(file, side=y, check_hash=True)
    assert image.pixels.shape == shape and image.pixels.dtype == dtype


# --- the side picture ---------------------------------------------------------------------------------


@each_mode
def test_a_missing_or_another_side_picture_is_an_error(mode: str) -> None:
    with pytest.raises(SideImageError, match="needs"):
        wyner.decode(FILES[mode])
    changed = SIDE.copy()
    changed[5, 6, 1] ^= 1
    for other in (changed, SIDE[:-1], PHOTO, wyner.encode(SIDE, quality=10, effort=1)):
        with pytest.raises(SideImageError):
            wyner.decode(FILES[mode], side=other)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, SIDE.size - 1), st.integers(1, 255))
def test_any_change_of_the_side_picture_is_seen(at: int, change: int) -> None:
    changed = SIDE.copy()
    changed.reshape(-1)[at] ^= change
    with pytest.raises(SideImageError):
        wyner.decode(FILES["full"], side=changed)


def test_latents_need_the_file_itself() -> None:
    decoded = wyner.decode(SIDE_FILE).pixels
    with pytest.raises(SideImageError, match=r"as a \.wyn file"):
        wyner.decode(FILES["latents"], side=decoded)
    with pytest.raises(SideImageError, match=r"as a \.wyn file"):
        wyner.encode(PHOTO, side=decoded, effort=1, options={"side_mode": "latents"})


def test_the_payload_of_the_side_picture_is_checked() -> None:
    """Another file of the very same pixels is seen by the check in the payload."""
    parts = container.read(FILES["latents"])
    head, rest = parse(parts.payload)
    payload = write(dataclasses.replace(head, field=bytes(4))) + rest
    with pytest.raises(SideImageError, match="file"):
        wyner.decode(container.write(dataclasses.replace(parts, payload=payload)), side=SIDE_FILE)


def test_a_side_picture_may_be_a_file(tmp_path: Any) -> None:
    wyner.decode(SIDE_FILE).to_pil().save(tmp_path / "y.png")
    (tmp_path / "y.wyn").write_bytes(SIDE_FILE)
    file = wyner.encode(PHOTO, side=tmp_path / "y.png", quality=20, effort=1)
    for side in (tmp_path / "y.wyn", SIDE_FILE, (tmp_path / "y.png").read_bytes()):
        assert wyner.decode(file, side=side).pixels.shape == PHOTO.shape


def test_codecs_and_side_pictures_must_fit() -> None:
    with pytest.raises(UsageError, match="takes no side"):
        wyner.encode(PHOTO, side=SIDE, codec="overfit")
    with pytest.raises(UsageError, match="needs a side"):
        wyner.encode(PHOTO, codec="side")
    with pytest.raises(UsageError, match="side_mode"):
        wyner.encode(PHOTO, options={"side_mode": "arm"})
    with pytest.raises(UsageError, match="side_mode"):
        wyner.encode(PHOTO, side=SIDE, options={"side_mode": "some"})
    with pytest.raises(UsageError, match="side_align"):
        wyner.encode(PHOTO, side=SIDE, options={"side_align": 2})


def test_a_file_without_the_hash_is_corrupt() -> None:
    parts = dataclasses.replace(container.read(FILES["full"]), side_hash=None)
    with pytest.raises(CorruptError, match="hash"):
        wyner.decode(container.write(parts))


# --- damaged payloads ---------------------------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(SIDE_MODES), st.data())
def test_damage_is_an_error_or_a_picture(mode: str, draw: st.DataObject) -> None:
    payload = bytearray(container.read(FILES[mode]).payload)
    kind = draw.draw(st.integers(0, 2))
    if kind == 0:
        payload[draw.draw(st.integers(0, len(payload) - 1))] ^= draw.draw(st.integers(1, 255))
    elif kind == 1:
        del payload[draw.draw(st.integers(0, len(payload))) :]
    else:
        payload[: draw.draw(st.integers(0, 30))] = draw.draw(st.binary(max_size=30))
    parts = dataclasses.replace(container.read(FILES[mode]), payload=bytes(payload))
    try:
        image = wyner.decode(container.write(parts), side=side_of(mode))
    except WynerError:
        return
    assert image.pixels.shape == PHOTO.shape


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        (b"", CorruptError),
        (b"\x00", CorruptError),
        (b"\x00\x05abc", CorruptError),
        (b"\x00\xff\xff\xff\xff\x0f", CorruptError),
        (b"\x02abc", CorruptError),
        (b"\x03abc", UnsupportedError),
    ],
)
def test_malformed_heads(payload: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        parse(payload)


@given(st.sampled_from(SIDE_MODES), st.binary(max_size=300), st.binary(max_size=9))
def test_heads_come_back(mode: str, field: bytes, rest: bytes) -> None:
    head = Head(mode, field if mode != "latents" else (field + bytes(4))[:4])
    assert parse(write(head) + rest) == (head, rest)


# --- half size ----------------------------------------------------------------------------------------


def test_half_size_is_the_mean_of_what_is_valid() -> None:
    warped = np.arange(15, dtype=np.uint8).reshape(3, 5, 1) * 10
    valid = np.array([[1, 1, 0, 1, 1], [1, 1, 0, 0, 0], [0, 1, 0, 0, 1]], np.uint8)
    small, known = half_size(warped, valid)
    np.testing.assert_array_equal(known, [[1, 1, 1], [1, 0, 1]])
    np.testing.assert_array_equal(small[..., 0], [[30, 30, 40], [110, 0, 140]])
