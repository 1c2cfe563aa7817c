import io

import numpy as np
import pytest
from PIL import Image as PilImage
from PIL import UnidentifiedImageError

import wyner
import wyner.pillow


@pytest.mark.parametrize("mode, planes", [("L", 1), ("LA", 2), ("RGB", 3), ("RGBA", 4)])
def test_open_and_save(fake_codec, tmp_path, mode, planes):
    array = np.random.default_rng(4).integers(0, 256, (6, 5, planes), np.uint8)
    image = wyner.Image.from_array(array, icc=b"icc", exif=b"II*\x00", xmp=b"<x/>")
    image.to_pil().save(tmp_path / "a.wyn", quality=100, effort=2, threads=1)
    assert fake_codec.seen[-1].effort == 2
    with PilImage.open(tmp_path / "a.wyn") as opened:
        assert (opened.format, opened.mode, opened.size) == ("WYNER", mode, (5, 6))
        assert PilImage.MIME[opened.format] == "image/x-wyner"
        assert opened.info["icc_profile"] == b"icc"
        assert wyner.Image.from_pil(opened) == image
        assert opened.resize((2, 2)).size == (2, 2)


def test_16_bits(fake_codec):
    grey = np.array([[1, 40000]], np.uint16)
    opened = PilImage.open(io.BytesIO(wyner.encode(grey, quality=100)))
    assert opened.mode == "I;16" and np.array_equal(np.asarray(opened), grey)
    colour = np.array([[[0, 257, 65535]]], np.uint16)
    opened = PilImage.open(io.BytesIO(wyner.encode(colour, quality=100)))
    assert opened.mode == "RGB" and np.asarray(opened).tolist() == [[[0, 1, 255]]]


def test_damage(fake_codec):
    data = wyner.encode(np.zeros((4, 4), np.uint8))
    with pytest.raises(UnidentifiedImageError):
        PilImage.open(io.BytesIO(data[:-1]))
    fake_codec.macs = 1e30
    with pytest.raises(OSError, match="multiply"):
        PilImage.open(io.BytesIO(data)).load()


def test_save_takes_what_encode_takes(tmp_path):
    image = PilImage.new("RGB", (4, 4), "navy")
    image.save(tmp_path / "a.wyn", codec="lossless")
    assert wyner.info((tmp_path / "a.wyn").read_bytes()).codec == "lossless"
    with pytest.raises(wyner.UsageError, match="side"):
        image.save(tmp_path / "b.wyn", codec="overfit", side=image)
    assert not (tmp_path / "b.wyn").exists()


def test_a_missed_target_leaves_the_file_and_warns(fake_codec, tmp_path):
    noise = np.random.default_rng(5).integers(0, 256, (16, 16, 3), np.uint8)
    with pytest.warns(UserWarning, match="target was 60"):
        PilImage.fromarray(noise).save(tmp_path / "a.wyn", target_size=60)
    assert np.array_equal(np.asarray(PilImage.open(tmp_path / "a.wyn")), noise)


def test_a_failed_load_fails_again(fake_codec):
    opened = PilImage.open(io.BytesIO(wyner.encode(np.zeros((4, 4), np.uint8))))
    fake_codec.macs = 1e30
    for _ in range(2):
        with pytest.raises(OSError, match="multiply"):
            opened.load()
    fake_codec.macs = 1.0
    assert np.asarray(opened).shape == (4, 4)
