import io

import numpy as np
import pytest
from PIL import Image as PilImage
from PIL import ImageOps

from wyner.image import Image
from wyner.orientation import orientation, upright


def _exif(value, order):
    exif = PilImage.Exif()
    exif[0x010F] = "maker"
    exif[0x0112] = value
    exif.endian = order
    return exif.tobytes().removeprefix(b"Exif\x00\x00")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("value", range(1, 9))
def test_agrees_with_pillow_and_resets_the_tag(value, order):
    array = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
    exif = _exif(value, order)
    turned = upright(Image.from_array(array, exif=exif))
    out = io.BytesIO()
    PilImage.fromarray(array).save(out, "PNG", exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(PilImage.open(out)))
    assert np.array_equal(np.asarray(turned), expected)
    assert orientation(exif) == value and orientation(turned.exif) == 1
    assert len(turned.exif) == len(exif) and b"maker" in turned.exif
    assert upright(turned) == turned


def test_xmp_is_reset_too():
    xmp = b'<x tiff:Orientation="6"/><tiff:Orientation>6</tiff:Orientation>'
    image = upright(Image.from_array(np.zeros((2, 3), np.uint8), exif=_exif(6, ">"), xmp=xmp))
    assert image.xmp == xmp.replace(b"6", b"1")


@pytest.mark.parametrize(
    "exif", [b"II", b"II*\x00", b"MM\x00*\x00\x00\x00\x08\xff\xff", b"nonsense", b"II*\x00" + b"\xff" * 9]
)
def test_malformed_exif_means_upright(exif):
    image = Image.from_array(np.zeros((2, 3), np.uint8), exif=exif)
    assert upright(image) is image
