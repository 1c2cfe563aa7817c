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
    PilImage.fromarray(data.chelsea()[40:104, 100:170]).save("cat.png")
    return tmp_path


def test_encode_decode_test_and_info(folder, capsys):
    assert main(["encode", "left.png", "--side", "right.png", "-e", "1", "--hash"]) == 0
    assert main(["info", "left.wyn", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["codec"] == "side" and len(told["side_hash"]) == 32
    assert main(["decode", "left.wyn", "--side", "right.png", "-o", "out.png"]) == 0
    assert PilImage.open("out.png").size == (70, 64)
    assert main(["test", "left.wyn", "--side", "right.png"]) == 0
    assert main(["compare", "left.png", "left.wyn", "--side", "right.png", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["psnr_db"] > 25
    assert main(["compare", "left.png", "left.wyn"]) == 7
    assert main(["test", "left.wyn"]) == 7
    assert main(["decode", "left.wyn", "--side", "left.png", "-o", "wrong.png"]) == 7
    assert not (folder / "wrong.png").exists()


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
    assert main(["encode", "left.png", "--side", "bad.png"]) == 4
    assert not (folder / "left.wyn").exists()


def test_another_side_picture_is_another_task(folder, capsys):
    command = ["encode", "left.png", "-o", "out/", "-e", "1", "--resume", "--json", "--side"]
    (folder / "out").mkdir()
    PilImage.fromarray(PHOTO // 2 + 61).save("third.png")
    for side, skipped in (("right.png", False), ("right.png", True), ("third.png", False)):
        assert main([*command, side]) == 0
        assert json.loads(capsys.readouterr().out).get("skipped", False) == skipped


def test_a_side_picture_that_does_not_help(folder, capsys):
    assert main(["encode", "left.png", "-e", "1", "-o", "alone.wyn"]) == 0
    capsys.readouterr()
    assert main(["encode", "left.png", "-e", "1", "--side", "cat.png", "--json"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["side_used"] is False
    assert told.err == "wyner: cat.png does not help to code left.png: coded without it\n"
    assert (folder / "left.wyn").read_bytes() == (folder / "alone.wyn").read_bytes()
    assert main(["decode", "left.wyn", "--side", "cat.png", "-o", "out.png", "--json"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["side_used"] is False
    assert told.err == "wyner: left.wyn was made without a side picture: cat.png was not needed\n"
    command = ["encode", "left.png", "-e", "1", "--side", "cat.png", "--codec", "side", "-f", "--json"]
    assert main(command) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["side_used"] is True and told.err == ""
    assert main(["decode", "left.wyn", "-o", "none.png"]) == 7


def test_naming_the_codec_is_another_task(folder, capsys):
    (folder / "out").mkdir()
    command = ["encode", "left.png", "-o", "out/", "-e", "1", "--resume", "--json", "--side", "cat.png"]
    for more, skipped, used in (([], 0, False), ([], 1, False), (["--codec", "side"], 0, True)):
        assert main([*command, *more]) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told.get("skipped", 0), told["side_used"]) == (skipped, used)
