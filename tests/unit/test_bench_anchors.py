"""Classical codecs behind one interface: lossless ones lose nothing, rates follow their knobs."""

import io
import sys

import numpy as np
import pytest
from bench_sample import picture
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PilImage

from wyner.bench import anchors
from wyner.errors import UnavailableError, UsageError

CODECS = {codec.name: codec for codec in anchors.all_codecs()}
LOSSY = [name for name, codec in CODECS.items() if not codec.lossless]
LOSSLESS = [name for name, codec in CODECS.items() if codec.lossless]


def at_hand(name):
    try:
        CODECS[name].version()
    except UnavailableError as error:
        pytest.skip(str(error))
    return CODECS[name]


def shapes(codec):
    return st.tuples(
        st.integers(1, 20), st.integers(1, 20), st.sampled_from([1, 3]), st.sampled_from(codec.depths)
    )


@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless_codecs_are(name):
    codec = at_hand(name)

    @settings(max_examples=12, deadline=None)
    @given(shapes(codec), st.integers(0, 2**32 - 1))
    def check(shape, seed):
        height, width, channels, depth = shape
        noise = np.random.default_rng(seed).integers(0, 1 << depth, (height, width, channels))
        pixels = noise.astype(np.uint8 if depth == 8 else np.uint16)
        back = codec.decode(codec.encode(pixels, {}, None, 1), None, 1).reshape(height, width, -1)
        assert back.dtype == pixels.dtype
        assert np.array_equal(back[:, :, :channels], pixels)

    check()


@pytest.mark.parametrize("name", LOSSY)
def test_rate_and_quality_follow_the_knob(name):
    codec = at_hand(name)
    pixels = picture(3, 64, 80)
    found = []
    for setting in (codec.ladder[1], codec.ladder[len(codec.ladder) // 2], codec.ladder[-2]):
        codec.check(setting)
        data = codec.encode(pixels, setting, None, 1)
        back = codec.decode(data, None, 1)
        assert back.shape == pixels.shape and back.dtype == np.uint8
        found.append((len(data), -float(np.mean((back.astype(float) - pixels) ** 2))))
    for values in zip(*found, strict=True):
        assert list(values) == sorted(values, reverse=not codec.knob.rising)
        assert len(set(values)) == 3


@pytest.mark.parametrize("name", LOSSY)
def test_grey_pictures(name):
    codec = at_hand(name)
    pixels = picture(4, 40, 33)[:, :, :1]
    best = codec.ladder[-1 if codec.knob.rising else 0]
    back = codec.decode(codec.encode(pixels, best, None, 1), None, 1)
    planes = back.reshape(40, 33, -1)
    error = planes[:, :, planes.shape[2] // 2].astype(float) - pixels[:, :, 0]
    assert np.mean(error**2) < pixels.var() / 10


@pytest.mark.parametrize("quality", [1, 10, 49, 50, 75, 99, 100])
@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_tables_at_whole_qualities_are_those_of_the_library(quality, channels):
    pixels = picture(5, 48, 48)[:, :, :channels]
    sink = io.BytesIO()
    PilImage.fromarray(pixels.squeeze()).save(
        sink, "JPEG", quality=quality, optimize=True, progressive=True, subsampling="4:4:4"
    )
    assert CODECS["jpeg_444"].encode(pixels, {"quality": quality}, None, 1) == sink.getvalue()


@given(st.floats(1, 100), st.floats(1, 100))
def test_jpeg_tables_grow_as_quality_falls(a, b):
    low, high = (anchors.quantisation_tables(q) for q in sorted((a, b)))
    assert all(x >= y for tables in zip(low, high, strict=True) for x, y in zip(*tables, strict=True))
    assert all(1 <= x <= 255 for table in (*low, *high) for x in table)


@pytest.mark.parametrize(
    "name, setting, text",
    [
        ("jpeg_420", {"quality": 0}, "quality: 0 must be from 1 to 100"),
        ("jpeg_420", {}, "quality: None must be a number"),
        ("jpeg_420", {"quality": True}, "quality"),
        ("avif_444", {"quality": 50.5}, "whole number"),
        ("jpegxl_e7", {"distance": float("nan")}, "from 0.05 to 25"),
    ],
)
def test_settings_out_of_range(name, setting, text):
    with pytest.raises(UsageError, match=text):
        CODECS[name].check(setting)


@pytest.mark.parametrize("name", ["jpegxl_e9", "jpegls", "avif_444_10b"])
def test_a_missing_package_is_told_in_one_line(monkeypatch, name):
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    with pytest.raises(UnavailableError, match="pip install 'wyner\\[bench\\]'") as error:
        CODECS[name].version()
    assert "\n" not in str(error.value)
