"""Files of format version 1.0, byte by byte. These never change."""

import numpy as np
import pytest

from wyner import container
from wyner.container import Container, Header
from wyner.image import Image, pixel_hash

HASH = bytes(range(16))
GOLDEN = {
    "plain": (
        Container(Header(768, 512, 3, 8, False, 1, 1), b"payload"),
        "8f57594e104807800680040101018693f96244077061796c6f6164b0f2fad7",
    ),
    "everything": (
        Container(
            Header(1, 300, 1, 16, True, 1, 1), b"", b"alpha", b"II*\x00", b"icc", b"<x/>", HASH, HASH[::-1]
        ),
        "8f57594e10480601ac02060101429927d753100f0e0d0c0b0a0908070605040302010050b9250c6810000102"
        "030405060708090a0b0c0d0e0fa2a599b165050049492a00e213405f690400696363b6d4a1d87805003c782f"
        "3e21448bb64105616c706861391ffe774400d5cc98fe",
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_bytes(name):
    parts, expected = GOLDEN[name]
    assert container.write(parts).hex() == expected
    back = container.read(bytes.fromhex(expected))
    assert (back.header, back.payload, back.alpha) == (parts.header, parts.payload, parts.alpha)
    assert (back.exif, back.icc, back.xmp) == (parts.exif, parts.icc, parts.xmp)
    assert (back.pixel_hash, back.side_hash) == (parts.pixel_hash, parts.side_hash)


def test_pixel_hashes():
    grey = Image.from_array(np.array([[0, 1], [2, 255]], np.uint8))
    deep = Image.from_array(np.array([[[1, 2, 3, 4]]], np.uint16))
    assert pixel_hash(grey).hex() == "415d8b3f01e96e918fd96d05dab56c7d"
    assert pixel_hash(deep).hex() == "cf54089f88a730a4a6eff5f69d958d20"
