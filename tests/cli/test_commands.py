import json
import os
import sys

import numpy as np
import pytest

import wyner
from wyner import io
from wyner.cli import main
from wyner.cli.parser import size
from wyner.image import Image


@pytest.fixture
def folder(tmp_path, monkeypatch, photo, fake_codec):
    """An empty working folder with a picture in it."""
    monkeypatch.chdir(tmp_path)
    io.write("a.png", Image.from_array(photo))
    return tmp_path


class Streams:
    """Binary standard streams, of which stdout may claim to be a terminal."""

    def __init__(self, monkeypatch, stdin=b"", terminal=False):
        import io as stdio

        self.out = stdio.BytesIO()
        monkeypatch.setattr("sys.stdin", stdio.TextIOWrapper(stdio.BytesIO(stdin)))
        wrapper = stdio.TextIOWrapper(self.out)
        wrapper.isatty = lambda: terminal
        monkeypatch.setattr("sys.stdout", wrapper)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_encode_decode_compare(folder, photo, capsys):
    assert main(["encode", "a.png", "-q", "100", "--hash"]) == 0
    assert "a.png -> a.wyn" in capsys.readouterr().err
    assert main(["decode", "a.wyn", "-o", "b.png"]) == 0
    assert np.array_equal(io.read("b.png").pixels, photo)
    assert main(["test", "a.wyn"]) == 0
    assert "pixel hash agree" in capsys.readouterr().out
    assert main(["compare", "a.png", "a.wyn"]) == 0
    assert "inf dB" in capsys.readouterr().out
    assert main(["info", "a.wyn"]) == 0
    out = capsys.readouterr().out
    assert "45x31 RGB, 8 bits" in out and "overfit version 1" in out and "D " in out
    assert names(folder) == ["a.png", "a.wyn", "b.png"]


def test_compare_names_the_file_that_fails(folder, capsys):
    main(["encode", "a.png"])
    (folder / "broken.png").write_bytes((folder / "a.png").read_bytes()[:-20])
    (folder / "broken.wyn").write_bytes((folder / "a.wyn").read_bytes()[:-1])
    for original, other in (("broken.png", "a.wyn"), ("broken.wyn", "a.wyn"), ("a.png", "broken.wyn")):
        capsys.readouterr()
        assert main(["compare", original, other, "--json"]) == 3
        assert json.loads(capsys.readouterr().out)["input"].startswith("broken")


def test_two_names_of_one_output_are_refused(folder, capsys):
    os.link("a.png", "a.webp")
    assert main(["encode", "a.png", os.path.join(".", "a.webp"), "-f"]) == 2
    assert "would both become" in capsys.readouterr().err and not (folder / "a.wyn").exists()


def test_a_list_with_ends_of_names_that_are_no_lines(folder, capsys):
    (folder / "list").write_bytes(b"a.png\0a.png\0")
    assert main(["encode", "--list", "list", "-o", "out"]) == 2
    assert "one a line" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere all names are text")
def test_names_that_are_no_text(folder, monkeypatch):
    os.rename("a.png", b"caf\xe9.png")
    name = os.fsdecode(b"caf\xe9.wyn")
    assert main(["encode", os.fsdecode(b"caf\xe9.png")]) == 0
    streams = Streams(monkeypatch)
    assert main(["info", name, name]) == 0
    sys.stdout.flush()
    assert streams.out.getvalue().count(b"45x31 RGB") == 2


def test_decode_names_its_output(folder):
    main(["encode", "a.png"])
    os.rename("a.wyn", "c.wyn")
    assert main(["decode", "c.wyn"]) == 0
    assert main(["decode", "c.wyn", "--format", "ppm"]) == 0
    assert names(folder) == ["a.png", "c.png", "c.ppm", "c.wyn"]
    assert main(["decode", "c.wyn", "-o", "c.xyz"]) == 2


def test_nothing_is_overwritten_without_force(folder, capsys):
    (folder / "a.wyn").write_bytes(b"mine")
    assert main(["encode", "a.png"]) == 1
    assert "exists; -f" in capsys.readouterr().err
    assert (folder / "a.wyn").read_bytes() == b"mine"
    assert main(["encode", "-f", "a.png"]) == 0
    assert main(["decode", "a.wyn"]) == 1
    assert main(["decode", "a.wyn", "-f"]) == 0


def test_devices_are_written_to(folder):
    assert main(["encode", "a.png", "-o", "/dev/null"]) == 0
    assert os.path.exists("/dev/null") and not os.path.isfile("/dev/null")


def test_several_files_into_a_folder(folder, photo):
    io.write("b.png", Image.from_array(photo[::-1]))
    assert main(["encode", "a.png", "b.png", "-o", "out"]) == 0
    assert names(folder / "out") == ["a.wyn", "b.wyn"]
    assert main(["decode", "out/a.wyn", "out/b.wyn", "-o", "back", "-j", "2"]) == 0
    assert names(folder / "back") == ["a.png", "b.png"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["encode"],
        ["encode", "a.png", "--shard", "3/2", "-o", "out"],
        ["encode", "a.png", "--ray-address", "auto"],
        ["encode", "a.png", "--resume"],
        ["encode", "a.png", "a.jpg"],
        ["encode", "x/a.png", "y/a.png", "-o", "out"],
        ["encode", "a.png", "b.png", "-o", "-"],
        ["encode", "-", "-"],
        ["encode", "a.png", "-o", "./a.png"],
        ["encode", "a.png", "-q", "120"],
        ["encode", "a.png", "-e", "0"],
        ["encode", "a.png", "--codec", "nothing"],
        ["encode", "a.png", "-x", "nothing=1"],
        ["encode", "a.png", "-j", "0"],
        ["encode", "a.png", "--threads", "0"],
        ["encode", "a.png", "-o", "-", "--json"],
    ],
)
def test_wrong_usage(folder, arguments, capsys):
    assert main(arguments) == 2
    assert "wyner: " in capsys.readouterr().err
    assert names(folder) == ["a.png"]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nothing"],
        ["encode", "a.png", "-q", "5", "--target-bpp", "1"],
        ["encode", "a.png", "-x", "q"],
    ],
)
def test_argparse_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


def test_one_failure_does_not_stop_the_rest(folder, capsys):
    (folder / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "note.png").write_text("hello")
    assert main(["encode", "none.png", "bad.png", "note.png", "a.png", "-o", "out"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4 and lines[0] == "wyner: none.png: No such file or directory"
    assert main(["encode", "-f", "bad.png", "none.png", "a.png", "-o", "out"]) == 3
    assert main(["encode", "-f", "note.png", "bad.png", "-o", "out"]) == 4
    assert names(folder / "out") == ["a.wyn"]


def test_a_fit_that_diverges_is_one_line(folder, fake_codec, monkeypatch, capsys):
    def diverge(*_):
        raise FloatingPointError("the fit diverged")

    monkeypatch.setattr(fake_codec, "encode", diverge, raising=False)
    assert main(["encode", "a.png"]) == 1
    assert capsys.readouterr().err == "wyner: a.png: the fit diverged\n"


def test_exit_codes_of_damaged_files(folder, fake_codec):
    main(["encode", "a.png", "--hash"])
    data = (folder / "a.wyn").read_bytes()
    for command in ("decode", "test", "info"):
        for content, code in ((data[:-1], 3), (b"\x8fWYN\x20" + data[5:], 4), (b"", 3)):
            (folder / "x.wyn").write_bytes(content)
            assert main([command, "x.wyn"]) == code
    assert main(["decode", "a.wyn", "-o", "b.png", "--max-pixels", "100"]) == 5
    assert main(["info", "a.wyn", "--max-side", "40"]) == 5
    fake_codec.macs = 1e30
    assert main(["test", "a.wyn"]) == 5
    assert names(folder) == ["a.png", "a.wyn", "x.wyn"]


def test_side_images(folder):
    import dataclasses

    from wyner import container
    from wyner.image import pixel_hash

    parts = container.read(wyner.encode("a.png", quality=100))
    side_hash = pixel_hash(io.read("a.png"))
    (folder / "s.wyn").write_bytes(container.write(dataclasses.replace(parts, side_hash=side_hash)))
    assert main(["test", "s.wyn"]) == 7
    assert main(["test", "s.wyn", "--side", "a.png"]) == 0
    assert main(["decode", "s.wyn", "--side", "a.png", "-o", "b.png"]) == 0


def test_a_missed_target_leaves_the_file_and_tells(folder, capsys):
    assert main(["encode", "a.png", "--target-size", "100", "--json"]) == 6
    line = json.loads(capsys.readouterr().out)
    assert line["ok"] is False and line["exit_code"] == 6 and line["output"] == "a.wyn"
    assert main(["test", "a.wyn"]) == 0


def test_json_lines(folder, capsys):
    assert main(["encode", "a.png", "none.png", "-o", "out", "--json", "-e", "2", "-x", "seed=3"]) == 1
    captured = capsys.readouterr()
    good, bad = map(json.loads, captured.out.splitlines())
    assert good["ok"] and good["command"] == "encode" and good["bytes"] == os.path.getsize("out/a.wyn")
    assert good["bpp"] == pytest.approx(8 * good["bytes"] / (45 * 31), abs=1e-5)
    assert not bad["ok"] and bad["input"] == "none.png" and bad["exit_code"] == 1
    assert main(["info", "out/a.wyn", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert [chunk["type"] for chunk in facts["chunks"]] == ["H", "D"]
    assert main(["compare", "a.png", "a.png", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["psnr_db"] is None and found["identical"] is True


def test_json_of_test(folder, capsys):
    assert main(["encode", "a.png", "--hash"]) == 0
    assert main(["encode", "a.png", "-o", "b.wyn"]) == 0
    capsys.readouterr()
    assert main(["test", "a.wyn", "b.wyn", "--json"]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["pixel_hash_checked"] for line in told] == [True, False]


def test_limits(folder, capsys):
    assert main(["encode", "a.png", "--max-pixels", "1394"]) == 5
    assert "1395 pixels" in capsys.readouterr().err
    assert names(folder) == ["a.png"]
    assert main(["encode", "a.png", "--max-pixels", "1395"]) == 0
    assert main(["decode", "a.wyn", "-o", "b.png", "--max-pixels", "1394"]) == 5
    assert names(folder) == ["a.png", "a.wyn"]


def test_a_side_picture_that_is_not_there(folder, capsys):
    assert main(["encode", "a.png"]) == 0
    capsys.readouterr()
    assert main(["decode", "a.wyn", "-o", "b.png", "--side", "none.png"]) == 1
    assert "none.png" in capsys.readouterr().err
    assert names(folder) == ["a.png", "a.wyn"]


def test_pipes(folder, monkeypatch, photo):
    streams = Streams(monkeypatch, stdin=(folder / "a.png").read_bytes())
    assert main(["encode", "-", "-q", "100"]) == 0
    data = streams.out.getvalue()
    assert np.array_equal(wyner.decode(data).pixels, photo)
    streams = Streams(monkeypatch, stdin=data)
    assert main(["decode", "-", "--format", "ppm"]) == 0
    assert np.array_equal(io.read(streams.out.getvalue()).pixels, photo)
    Streams(monkeypatch, stdin=data)
    assert main(["decode", "-", "-o", "b.png"]) == 0
    assert np.array_equal(io.read("b.png").pixels, photo)


def test_binary_never_goes_to_a_terminal(folder, monkeypatch, capsys):
    streams = Streams(monkeypatch, terminal=True)
    assert main(["encode", "a.png", "-o", "-"]) == 2
    assert streams.out.getvalue() == b""


def test_first_frame(folder, capsys):
    from PIL import Image as PilImage

    frames = [PilImage.new("P", (4, 4), index) for index in range(2)]
    frames[0].putpalette([0, 0, 0, 255, 255, 255])
    frames[1].putpalette([0, 0, 0, 255, 255, 255])
    frames[0].save("b.gif", save_all=True, append_images=frames[1:])
    assert main(["encode", "b.gif"]) == 4
    assert "--first-frame" in capsys.readouterr().err
    assert main(["encode", "b.gif", "--first-frame"]) == 0


@pytest.mark.parametrize(
    "text, value",
    [("40000", 40000), ("40k", 40000), ("1.5M", 1500000), ("2Ki", 2048), ("1.5MiB", 1572864), ("9b", 9)],
)
def test_sizes(text, value):
    assert size(text) == value


@pytest.mark.parametrize("text", ["", "k", "-3", "1e3", "4G", "3i"])
def test_wrong_sizes(text):
    import argparse

    with pytest.raises(argparse.ArgumentTypeError):
        size(text)
