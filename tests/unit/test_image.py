import hashlib
import struct

import numpy as np
import pytest
from PIL import Image as PilImage

from wyner.errors import UnsupportedError, UsageError
from wyner.image import Image, pixel_hash


@pytest.mark.parametrize(
    "shape, channels, alpha",
    [
        ((4, 6), 1, False),
        ((4, 6, 1), 1, False),
        ((4, 6, 2), 1, True),
        ((4, 6, 3), 3, False),
        ((4, 6, 4), 3, True),
    ],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, ">u2"])
def test_from_array_splits_off_alpha(shape, channels, alpha, dtype):
    array = (np.arange(np.prod(shape)).reshape(shape) * 7 % 251).astype(dtype)
    image = Image.from_array(array)
    assert (image.width, image.height, image.channels) == (6, 4, channels)
    assert (image.alpha is not None) == alpha
    assert image.bit_depth == 8 * array.dtype.itemsize and image.maxval == 2**image.bit_depth - 1
    assert image.pixels.dtype.isnative
    assert np.array_equal(np.asarray(image), array.reshape(4, 6) if shape[2:] == (1,) else array)


def test_from_array_takes_bool_as_black_and_white():
    assert Image.from_array(np.array([[True, False]])).pixels.ravel().tolist() == [255, 0]


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 2), np.float32),
        np.zeros((2, 2), np.int64),
        np.zeros((2, 2, 5), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros((0, 2), np.uint8),
        np.zeros((2, 0, 3), np.uint8),
    ],
)
def test_from_array_refuses_others(array):
    with pytest.raises(UsageError):
        Image.from_array(array)


def test_constructor_checks():
    pixels = np.zeros((2, 3, 3), np.uint8)
    with pytest.raises(ValueError, match="alpha must be"):
        Image(pixels, np.zeros((3, 2), np.uint8))
    with pytest.raises(UsageError, match="alpha is uint16"):
        Image(pixels, np.zeros((2, 3), np.uint16))
    with pytest.raises(UsageError, match="exif"):
        Image(pixels, exif=b"")
    with pytest.raises(UsageError, match="shape"):
        Image(pixels[:, :, 0])


def test_equality_includes_dtype_and_metadata():
    pixels = np.ones((2, 3, 1), np.uint8)
    assert Image(pixels) == Image(pixels.copy())
    assert Image(pixels) != Image(pixels.astype(np.uint16))
    assert Image(pixels) != Image(pixels, icc=b"profile")
    assert Image(pixels) != Image(pixels, pixels[:, :, 0])


@pytest.mark.parametrize(
    "mode, colour, expected",
    [
        ("1", 1, (255,)),
        ("L", 7, (7,)),
        ("LA", (7, 9), (7, 9)),
        ("RGB", (1, 2, 3), (1, 2, 3)),
        ("RGBA", (1, 2, 3, 4), (1, 2, 3, 4)),
        ("RGBX", (1, 2, 3, 4), (1, 2, 3)),
        ("CMYK", (255, 0, 0, 0), (0, 255, 255)),
        ("YCbCr", (100, 128, 128), (100, 100, 100)),
        ("I", 40000, (40000,)),
        ("I;16", 40000, (40000,)),
        ("I;16B", 40000, (40000,)),
    ],
)
def test_from_pil_takes_every_mode(mode, colour, expected):
    image = Image.from_pil(PilImage.new(mode, (3, 2), colour))
    assert (image.width, image.height) == (3, 2)
    assert np.atleast_1d(np.asarray(image)[1, 2]).tolist() == list(expected)


def test_from_pil_refuses_what_does_not_fit():
    with pytest.raises(UnsupportedError):
        Image.from_pil(PilImage.new("I", (1, 1), 70000))
    with pytest.raises(UnsupportedError):
        Image.from_pil(PilImage.new("F", (1, 1), 0.5))


def test_lab_becomes_srgb():
    red, green, blue = np.asarray(Image.from_pil(PilImage.new("LAB", (2, 2), (128, 128, 128))))[0, 0]
    assert abs(int(red) - int(green)) < 4 and abs(int(green) - int(blue)) < 4 and 100 < red < 140


def test_palettes_expand_with_and_without_alpha():
    pil = PilImage.new("P", (2, 1), 1)
    pil.putpalette([9, 9, 9, 10, 20, 30])
    assert np.asarray(Image.from_pil(pil))[0, 0].tolist() == [10, 20, 30]
    pil.info["transparency"] = 1
    assert np.asarray(Image.from_pil(pil))[0, 0].tolist() == [10, 20, 30, 0]


@pytest.mark.parametrize("planes", [1, 2, 3, 4])
def test_pil_round_trip(planes):
    array = np.random.default_rng(0).integers(0, 256, (5, 4, planes), np.uint8)
    image = Image.from_array(array, icc=b"icc", exif=b"MM\x00*", xmp=b"<x/>")
    assert Image.from_pil(image.to_pil()) == image


def test_16_bit_to_pil():
    grey = Image.from_array(np.array([[0, 1, 65535]], np.uint16))
    assert Image.from_pil(grey.to_pil()) == grey
    colour = Image.from_array(np.array([[[0, 65535, 257 * 5 + 128]]], np.uint16))
    assert np.asarray(colour.to_pil()).tolist() == [[[0, 255, 5]]]


def test_pixel_hash_is_as_specified():
    array = np.arange(24, dtype=np.uint16).reshape(2, 3, 4) * 1000
    image = Image.from_array(array, icc=b"not hashed")
    message = struct.pack("<IIBBB", 3, 2, 3, 16, 1)
    message += array[:, :, :3].astype("<u2").tobytes() + array[:, :, 3].astype("<u2").tobytes()
    assert pixel_hash(image) == hashlib.sha256(message).digest()[:16]
