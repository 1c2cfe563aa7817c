"""Unusual picture files: each is read, or refused with a clear error of the right kind."""

import numpy as np
import pytest
from PIL import Image as PilImage
from PIL import features

from wyner import io
from wyner.errors import CorruptError, UnsupportedError

REFUSED = {
    "anim.gif": (UnsupportedError, "5 frames"),
    "bad_empty.png": (CorruptError, "empty"),
    "bad_truncated.jpg": (CorruptError, "truncated"),
    "bad_truncated.png": (CorruptError, "truncated"),
    "heic_sample.heic": (UnsupportedError, "HEIC"),
    "pngsuite_xc1n0g08.png": (CorruptError, "damaged"),
    "pngsuite_xcsn0g01.png": (CorruptError, "checksum"),
    "pngsuite_xd0n2c08.png": (CorruptError, "damaged"),
    "pngsuite_xs1n0g01.png": (UnsupportedError, "format"),
}


def test_each_is_read_or_refused(odd_files):
    for path in odd_files:
        if path.name in REFUSED:
            error, message = REFUSED[path.name]
            with pytest.raises(error, match=message):
                io.read(path)
            continue
        if path.suffix == ".avif" and not features.check("avif"):
            continue
        image = io.read(path)
        with PilImage.open(path) as opened:
            assert {image.width, image.height} == set(opened.size), path.name
        deep = any(
            mark in path.name for mark in ("grey16", "rgb16", "10in16", "a16.png", "g16.png", "c16.png")
        )
        assert image.bit_depth == (16 if deep else 8), path.name


def test_orientations_agree(odd_files):
    shots = [io.read(path) for path in odd_files if path.name.startswith("exif_landscape_")]
    assert len(shots) == 5
    assert {(shot.width, shot.height) for shot in shots} == {(1800, 1200)}
    thumbnails = [np.asarray(shot.to_pil().resize((12, 8)), np.float64) for shot in shots]
    for thumbnail in thumbnails[1:]:
        assert np.abs(thumbnail - thumbnails[0]).mean() < 12


def test_depth_is_not_reduced(odd_files):
    (path,) = (path for path in odd_files if path.name == "rgb16_photo.png")
    assert len(np.unique(io.read(path).pixels)) > 256


def test_samples_agree_with_other_decoders(odd_files):
    imagecodecs = pytest.importorskip("imagecodecs")
    chosen = [path for path in odd_files if path.name.endswith("16.png") and path.name not in REFUSED]
    assert len(chosen) == 5
    for path in chosen:
        expected = imagecodecs.png_decode(path.read_bytes())
        assert np.array_equal(np.asarray(io.read(path)), expected), path.name


def test_16_bit_pictures_survive_rewriting(odd_files):
    chosen = [path for path in odd_files if "16_photo" in path.name]
    assert len(chosen) == 3
    for path in chosen:
        image = io.read(path)
        assert io.read(io.encode_file(image, ".png")) == image
