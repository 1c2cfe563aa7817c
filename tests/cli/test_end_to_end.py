"""The real codec and the real native core behind the command line and the Pillow plugin."""

import json
import subprocess
import sys
from io import BytesIO

import numpy as np
import pytest
from PIL import Image as PilImage
from PIL import UnidentifiedImageError

import wyner
import wyner.pillow
from wyner import io
from wyner.cli import main
from wyner.image import Image


@pytest.mark.parametrize("dtype, planes", [(np.uint8, 4), (np.uint16, 2), (np.uint8, 1), (np.uint16, 3)])
def test_files_survive(tmp_path, monkeypatch, capsys, photo, dtype, planes):
    monkeypatch.chdir(tmp_path)
    depth = 257 if dtype == np.uint16 else 1
    array = np.dstack([photo, photo[:, :, 0] // 64 * 85])[:, :, -planes:].astype(dtype) * dtype(depth)
    image = Image.from_array(array, icc=b"icc profile", exif=b"II*\x00", xmp=b"<x/>")
    io.write("a.png", image)
    assert main(["encode", "a.png", "-e", "1", "-q", "70", "--hash"]) == 0
    assert main(["test", "a.wyn"]) == 0
    assert main(["decode", "a.wyn", "-o", "b.png", "--threads", "1"]) == 0
    back = wyner.decode((tmp_path / "a.wyn").read_bytes(), threads=2)
    written = io.read("b.png")
    assert np.array_equal(np.asarray(back), np.asarray(written))
    assert (back.icc, back.exif, back.xmp) == (image.icc, image.exif, image.xmp)
    if image.alpha is not None:
        assert back.alpha is not None and np.array_equal(back.alpha, image.alpha)
    capsys.readouterr()
    assert main(["compare", "a.png", "a.wyn", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["psnr_db"] > 25 and found["alpha_equal"]


def test_the_pillow_plugin(tmp_path, photo):
    image = Image.from_array(np.dstack([photo, photo[:, :, 0]]), icc=b"icc profile")
    image.to_pil().save(tmp_path / "a.wyn", quality=70, effort=1)
    with PilImage.open(tmp_path / "a.wyn") as opened:
        assert Image.from_pil(opened) == wyner.decode((tmp_path / "a.wyn").read_bytes())
    assert wyner.compare(image, (tmp_path / "a.wyn").read_bytes()).psnr_db > 25


def test_pillow_opens_no_sets_nor_what_needs_a_side_picture(photo):
    with pytest.raises(UnidentifiedImageError):
        PilImage.open(BytesIO(wyner.encode_set([photo], quality=30, effort=1)))
    other = np.clip(photo.astype(int) + 9, 0, 255).astype(np.uint8)
    file = wyner.encode(photo, side=other, codec="side", quality=30, effort=1)
    with pytest.raises(OSError, match="side"):
        PilImage.open(BytesIO(file)).load()


def test_one_pixel():
    pixel = np.full((1, 1, 3), 77, np.uint8)
    assert wyner.decode(wyner.encode(pixel, effort=1)).pixels.shape == (1, 1, 3)


def test_damage_never_passes_as_a_picture(photo):
    data = wyner.encode(photo, effort=1, quality=30)
    good = wyner.decode(data)
    for bit in range(0, 8 * len(data), 37):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            assert wyner.decode(damaged) == good
        except (wyner.CorruptError, wyner.UnsupportedError, wyner.LimitError):
            pass


def test_a_codec_payload_of_noise_is_an_error_or_a_picture(photo):
    from wyner import container

    noise = np.random.default_rng(9).bytes
    for size in (0, 1, 20, 300):
        header = container.Header(9, 9, 3, 8, False, 1, 1)
        data = container.write(container.Container(header, noise(size)))
        try:
            assert wyner.decode(data).pixels.shape == (9, 9, 3)
        except wyner.WynerError:
            pass


def test_the_program(tmp_path, photo):
    io.write(tmp_path / "a.png", Image.from_array(photo))
    for arguments in (["encode", "a.png", "-e", "1"], ["decode", "a.wyn", "-o", "b.png"]):
        done = subprocess.run([sys.executable, "-m", "wyner", *arguments], cwd=tmp_path, capture_output=True)
        assert done.returncode == 0, done.stderr
    assert io.read(tmp_path / "b.png").pixels.shape == photo.shape
