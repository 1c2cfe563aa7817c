import zlib

import numpy as np
import pytest

from wyner import io, png16
from wyner.container import Limits
from wyner.errors import CorruptError, LimitError, UnsupportedError
from wyner.image import Image


def _picture(height, width, planes, seed=0):
    y, x = np.mgrid[0:height, 0:width]
    smooth = (y * 311 + x * 97)[:, :, None] + np.arange(planes) * 5000
    noise = np.random.default_rng(seed).integers(0, 300, (height, width, planes))
    return ((smooth + noise) % 65536).astype(np.uint16)


def _file(array, filter_type, interlace=False, extra=b""):
    """A PNG file by the plainest possible encoder: one filter type (or row number mod 5 when None)."""
    height, width, planes = array.shape
    passes = png16._ADAM7 if interlace else ((0, 0, 1, 1),)
    raw = b""
    for x, y, dx, dy in passes:
        part = array[y::dy, x::dx]
        if part.size:
            raw += _filtered(
                np.ascontiguousarray(part, ">u2").reshape(part.shape[0], -1).view(np.uint8),
                2 * planes,
                filter_type,
            )
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[planes]
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([16, colour_type, 0, 0, interlace])
    chunks = png16._chunk(b"IHDR", header) + extra
    return png16.SIGNATURE + chunks + png16._chunk(b"IDAT", zlib.compress(raw)) + png16._chunk(b"IEND", b"")


def _filtered(rows, bpp, filter_type):
    out = bytearray()
    above = [0] * rows.shape[1]
    for number, row in enumerate(rows.tolist()):
        kind = number % 5 if filter_type is None else filter_type
        out.append(kind)
        for i, value in enumerate(row):
            a, b, c = row[i - bpp] if i >= bpp else 0, above[i], above[i - bpp] if i >= bpp else 0
            paeth = min((abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c))[2]
            out.append((value - (0, a, b, (a + b) // 2, paeth)[kind]) & 255)
        above = row
    return bytes(out)


@pytest.mark.parametrize("planes", [1, 2, 3, 4])
@pytest.mark.parametrize("interlace", [False, True])
@pytest.mark.parametrize("filter_type", [0, 1, 2, 3, 4, None])
def test_decodes_every_filter_and_interlace(planes, interlace, filter_type):
    array = _picture(11, 13, planes)
    image = png16.decode(_file(array, filter_type, interlace), Limits())
    assert np.array_equal(np.asarray(image).reshape(array.shape), array)


@pytest.mark.parametrize("height, width", [(1, 1), (1, 9), (9, 1), (3, 2), (300, 7)])
@pytest.mark.parametrize("interlace", [False, True])
def test_decodes_small_and_thin_pictures(height, width, interlace):
    array = _picture(height, width, 3)
    assert np.array_equal(png16.decode(_file(array, None, interlace), Limits()).pixels, array)


@pytest.mark.parametrize("planes", [1, 2, 3, 4])
def test_round_trip_with_metadata(planes):
    image = Image.from_array(
        _picture(300, 21, planes), icc=b"profile" * 9, exif=b"II*\x00", xmp="<é/>".encode()
    )
    assert png16.decode(png16.encode(image), Limits()) == image


def test_agrees_with_libpng():
    imagecodecs = pytest.importorskip("imagecodecs")
    array = _picture(40, 50, 4)
    ours = png16.encode(Image.from_array(array))
    assert np.array_equal(imagecodecs.png_decode(ours), array)
    assert np.array_equal(np.asarray(io.read(imagecodecs.png_encode(array))), array)


def test_colour_key_becomes_alpha():
    array = _picture(4, 4, 3)
    key = b"".join(int(v).to_bytes(2, "big") for v in array[1, 2])
    image = png16.decode(_file(array, 4, extra=png16._chunk(b"tRNS", key)), Limits())
    assert image.alpha is not None
    assert np.argwhere(image.alpha == 0).tolist() == [[1, 2]] and image.alpha.max() == 65535


@pytest.mark.parametrize("planes, colour_type", [(2, 4), (4, 6)])
def test_a_colour_key_beside_alpha_means_nothing(planes, colour_type):
    array = _picture(2, 2, planes)
    image = png16.decode(_file(array, 4, extra=png16._chunk(b"tRNS", bytes(2 * planes))), Limits())
    assert image == Image.from_array(array)


def test_refuses_animations_unless_told():
    data = _file(_picture(2, 2, 1), 0, extra=png16._chunk(b"acTL", bytes([0, 0, 0, 3]) + bytes(4)))
    with pytest.raises(UnsupportedError, match="first-frame"):
        png16.decode(data, Limits())
    assert png16.decode(data, Limits(), first_frame=True).width == 2


def test_every_truncation_and_bit_flip_is_an_error_or_harmless():
    array = _picture(5, 4, 3)
    data = _file(array, None)
    for end in range(len(data)):
        with pytest.raises((CorruptError, UnsupportedError)):
            io.read(data[:end])
    for bit in range(8 * 8, 8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises((CorruptError, UnsupportedError, LimitError)):
            io.read(bytes(damaged))


def test_size_is_believed_only_with_data_for_it():
    header = (30000).to_bytes(4, "big") * 2 + bytes([16, 6, 0, 0, 0])
    data = (
        png16.SIGNATURE
        + png16._chunk(b"IHDR", header)
        + png16._chunk(b"IDAT", b"x")
        + png16._chunk(b"IEND", b"")
    )
    with pytest.raises(LimitError):
        png16.decode(data, Limits())
    with pytest.raises(CorruptError, match="truncated"):
        png16.decode(data, Limits(pixels=1 << 40))
