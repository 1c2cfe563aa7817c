import dataclasses
import json

import numpy as np
import pytest
from skimage import data

pytest.importorskip("wyner._native", reason="the native extension is not built")

import wyner
from wyner import container, io
from wyner.cli import main
from wyner.image import Image


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working folder with a photograph in it, and one of 16 bits with alpha and a profile."""
    monkeypatch.chdir(tmp_path)
    photo = data.astronaut()[60:90, 160:200]
    io.write("a.png", Image.from_array(photo))
    deep = np.dstack([photo.astype(np.uint16) * 255 + 7, photo[:, :, :1].astype(np.uint16) * 257])
    image = Image.from_array(deep)
    io.write("b.png", Image(image.pixels, image.alpha, icc=bytes(range(200))))
    return tmp_path


def test_encode_and_decode(folder, capsys):
    assert main(["encode", "--lossless", "--hash", "a.png", "b.png"]) == 0
    assert main(["test", "a.wyn", "b.wyn"]) == 0
    for name in "ab":
        assert main(["decode", f"{name}.wyn", "-o", f"{name}2.png"]) == 0
        assert io.read(f"{name}2.png") == io.read(f"{name}.png")
    assert main(["info", "a.wyn"]) == 0
    assert "lossless version 1" in capsys.readouterr().out
    assert main(["compare", "a.png", "a.wyn"]) == 0
    assert "inf dB" in capsys.readouterr().out
    assert (folder / "a.wyn").stat().st_size < 0.8 * (folder / "a.png").stat().st_size


@pytest.mark.parametrize(
    "goal", [["-q", "80"], ["--target-bpp", "1"], ["--target-psnr", "40"], ["--target-size", "9k"]]
)
def test_no_quality_and_no_target(folder, goal, capsys):
    assert main(["encode", "--lossless", *goal, "a.png"]) == 2
    assert "lossless" in capsys.readouterr().err
    assert not (folder / "a.wyn").exists()


def test_what_is_told_of_a_lossless_file(folder, capsys):
    assert main(["encode", "--lossless", "a.png", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["output"], told["psnr_db"]) == ("a.wyn", None)
    assert told["bytes"] == (folder / "a.wyn").stat().st_size


def test_an_unknown_codec_is_unsupported(folder, capsys):
    assert main(["encode", "--lossless", "a.png"]) == 0
    parts = container.read((folder / "a.wyn").read_bytes())
    header = dataclasses.replace(parts.header, codec_id=99)
    (folder / "later.wyn").write_bytes(container.write(dataclasses.replace(parts, header=header)))
    assert main(["decode", "later.wyn", "-o", "later.png"]) == 4
    assert "codec 99" in capsys.readouterr().err and not (folder / "later.png").exists()


def test_only_a_fit_that_is_to_be_needs_torch(folder, monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    io.write("large.png", Image.from_array(data.astronaut()[:200, :200]))
    assert main(["encode", "--lossless", "-e", "9", "a.png", "b.png"]) == 0  # small, and of 16 bits
    assert main(["encode", "--lossless", "-e", "9", "large.png"]) == 1
    assert "wyner[torch]" in capsys.readouterr().err


def test_too_many_columns(folder):
    with pytest.raises(wyner.LimitError, match="1048576"):
        wyner.encode(np.random.default_rng(4).integers(0, 256, (1, 1048577), np.uint8), codec="lossless")
