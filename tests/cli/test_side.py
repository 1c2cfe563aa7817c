"""``--side`` on the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image as PilImage
from skimage import data

from wyner.cli import main

pytest.importorskip("wyner._native", reason="the native extension is not built")

PHOTO = np.ascontiguousarray(data.astronaut()[60:124, 160:230])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    PilImage.fromarray(PHOTO).save("left.png")
    PilImage.fromarray(PHOTO // 2 + 60).save("right.png")
    return tmp_path


def test_encode_decode_test_and_info(folder, capsys):
    assert main(["encode", "left.png", "--side", "right.png", "-e", "1", "--hash"]) == 0
    assert main(["info", "left.wyn", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["codec"] == "side"
    assert main(["decode", "left.wyn", "--side", "right.png", "-o", "out.png"]) == 0
    assert PilImage.open("out.png").size == (70, 64)
    assert main(["test", "left.wyn", "--side", "right.png"]) == 0
    assert main(["compare", "left.png", "left.wyn", "--side", "right.png", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["psnr_db"] > 25
    assert main(["compare", "left.png", "left.wyn"]) == 7
    assert main(["test", "left.wyn"]) == 7
    assert main(["decode", "left.wyn", "--side", "left.png", "-o", "other.png"]) == 7
    assert not (folder / "other.png").exists()


def test_modes(folder):
    assert main(["encode", "right.png", "-e", "1"]) == 0
    command = ["encode", "left.png", "-e", "1", "-f", "-x"]
    assert main([*command, "side_mode=latents", "--side", "right.wyn"]) == 0
    assert main(["test", "left.wyn", "--side", "right.wyn"]) == 0
    assert main([*command, "side_mode=arm", "--side", "right.png"]) == 0
    assert main(["test", "left.wyn", "--side", "right.png"]) == 0
    assert main([*command, "side_mode=all", "--side", "right.png"]) == 2
    assert main([*command, "side_mode=arm"]) == 2


def test_a_side_picture_that_cannot_be_read(folder):
    assert main(["encode", "left.png", "--side", "none.png"]) == 1
    (folder / "bad.png").write_bytes(b"nothing")
    assert main(["encode", "left.png", "--side", "bad.png"]) != 0
    assert not (folder / "left.wyn").exists()


def test_another_side_picture_is_another_task(folder, capsys):
    command = ["encode", "left.png", "-o", "out/", "-e", "1", "--resume", "--json", "--side"]
    (folder / "out").mkdir()
    PilImage.fromarray(PHOTO // 2 + 61).save("third.png")
    for side, skipped in (("right.png", False), ("right.png", True), ("third.png", False)):
        assert main([*command, side]) == 0
        assert json.loads(capsys.readouterr().out).get("skipped", False) == skipped
