"""``--pairs``: many pictures, each with a side picture of its own, there and back."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PilImage
from skimage import data

from wyner.batch.manifest import read
from wyner.cli import main

pytest.importorskip("wyner._native", reason="the native extension is not built")

PHOTO = np.ascontiguousarray(data.astronaut()[60:108, 160:216])
NAMES = ("0", "1", "2")
ENCODE = ["encode", "--pairs", "rig/pairs.csv", "-o", "packed", "-e", "1", "--json"]


@pytest.fixture
def rig(tmp_path, monkeypatch):
    """Three pairs and their list in the folder rig of the current folder."""
    monkeypatch.chdir(tmp_path)
    rows = ["image,side,note"]
    for index, name in enumerate(NAMES):
        for folder, pixels in (("left", PHOTO + index), ("right", PHOTO // 2 + 40 + index)):
            os.makedirs(f"rig/{folder}", exist_ok=True)
            PilImage.fromarray(pixels.astype(np.uint8)).save(f"rig/{folder}/{name}.png")
        rows.append(f"left/{name}.png,right/{name}.png,day {index}")
    Path("rig/pairs.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "rig"


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def outputs(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(Path(folder).rglob("*.wyn"))}


def test_there_and_back(rig, capsys):
    assert main([*ENCODE, "--resume"]) == 0
    told = {line["input"]: line["side"] for line in lines(capsys.readouterr().out)}
    assert told == {f"rig/left/{name}.png": f"rig/right/{name}.png" for name in NAMES}
    assert sorted(outputs("packed")) == [f"left/{name}.wyn" for name in NAMES]
    records = {record["output"]: record["side"] for record in read("packed/manifest-1-of-1.jsonl")}
    assert records == {f"left/{name}.wyn": f"rig/right/{name}.png" for name in NAMES}
    for name in NAMES:
        alone = ["encode", f"rig/left/{name}.png", "--side", f"rig/right/{name}.png", "-e", "1"]
        assert main([*alone, "-o", f"{name}.wyn"]) == 0
        assert Path(f"{name}.wyn").read_bytes() == Path(f"packed/left/{name}.wyn").read_bytes()
    # Whoever decodes has the list and the side pictures, and not the pictures.
    for name in NAMES:
        (rig / f"left/{name}.png").unlink()
    capsys.readouterr()
    decode = ["decode", "packed", "--pairs", "rig/pairs.csv", "-o", "out", "-j", "2", "--json"]
    assert main(decode) == 0
    assert {line["input"]: line["side"] for line in lines(capsys.readouterr().out)} == {
        f"packed/left/{name}.wyn": f"rig/right/{name}.png" for name in NAMES
    }
    for index, name in enumerate(NAMES):
        found = np.asarray(PilImage.open(f"out/left/{name}.png")).astype(int)
        assert np.abs(found - PHOTO - index).mean() < 12


def test_nothing_is_overwritten_without_force(rig, capsys):
    assert main(ENCODE) == 0
    os.makedirs("out/left")
    Path("out/left/1.png").write_bytes(b"mine")
    decode = ["decode", "packed", "--pairs", "rig/pairs.csv", "-o", "out"]
    assert main(decode) == 1
    assert "1.png exists" in capsys.readouterr().err
    assert Path("out/left/1.png").read_bytes() == b"mine"
    assert main([*decode, "-f"]) == 0
    assert PilImage.open("out/left/1.png").size == (56, 48)


def test_a_folder_of_which_not_all_need_their_side_pictures(rig, capsys):
    PilImage.fromarray(data.chelsea()[40:88, 100:156]).save(rig / "right/1.png")
    assert main([*ENCODE, "--resume", "-j", "2"]) == 0
    told = capsys.readouterr()
    used = {f"rig/left/{name}.png": name != "1" for name in NAMES}
    assert {line["input"]: line["side_used"] for line in lines(told.out)} == used
    notes = [line for line in told.err.splitlines() if line.startswith("wyner: ")]
    assert notes == ["wyner: rig/right/1.png does not help to code rig/left/1.png: coded without it"]
    records = {record["input"]: record["side_used"] for record in read("packed/manifest-1-of-1.jsonl")}
    assert records == used
    (rig / "right/1.png").unlink()  # which nobody needs
    assert main(["decode", "packed", "--pairs", "rig/pairs.csv", "-o", "out", "--json"]) == 0
    told = capsys.readouterr()
    assert [line["side_used"] for line in lines(told.out)] == [True, False, True]
    assert told.err.count("was not needed") == 1


def test_beside_the_pictures_and_a_list_of_the_files_themselves(rig):
    assert main(["encode", "--pairs", "rig/pairs.csv", "-e", "1"]) == 0
    assert sorted(outputs("rig")) == [f"left/{name}.wyn" for name in NAMES]
    assert main(["decode", "--pairs", "rig/pairs.csv", "-o", "one", "--format", "ppm"]) == 0
    (rig / "files.csv").write_text("side,image\n" + "".join(f"right/{n}.png,left/{n}.wyn\n" for n in NAMES))
    assert main(["decode", "--pairs", "rig/files.csv", "-o", "two", "--format", "ppm"]) == 0
    for name in NAMES:
        assert Path(f"one/left/{name}.ppm").read_bytes() == Path(f"two/left/{name}.ppm").read_bytes()


def test_jobs_and_shards_make_the_same_files(rig, capsys):
    assert main(ENCODE) == 0
    expected = outputs("packed")
    assert main([*ENCODE[:4], "jobs", *ENCODE[5:], "-j", "2"]) == 0
    assert outputs("jobs") == expected
    capsys.readouterr()
    seen = 0
    for shard in ("1/2", "2/2"):
        assert main([*ENCODE[:4], "parts", *ENCODE[5:], "--shard", shard, "--resume"]) == 0
        seen += len(lines(capsys.readouterr().out))
    assert seen == len(NAMES) and outputs("parts") == expected


def test_another_side_picture_is_another_task(rig, capsys):
    def done():
        assert main([*ENCODE, "--resume"]) == 0
        return [os.path.basename(x["input"]) for x in lines(capsys.readouterr().out) if not x.get("skipped")]

    assert done() == ["0.png", "1.png", "2.png"]
    assert done() == []
    PilImage.fromarray(PHOTO // 2).save(rig / "right/1.png")
    assert done() == ["1.png"]
    text = (rig / "pairs.csv").read_text()
    (rig / "pairs.csv").write_text(text.replace("right/2.png", "right/0.png"))
    assert done() == ["2.png"]
    # Decoded with the list that has the picture that belongs to it, and not with the older one.
    assert main(["decode", "packed", "--pairs", "rig/pairs.csv", "-o", "out"]) == 0
    (rig / "pairs.csv").write_text(text)
    assert main(["decode", "packed", "--pairs", "rig/pairs.csv", "-o", "out", "-f"]) == 7


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_missing_files_are_one_line_each(rig, capsys, jobs):
    (rig / "left/0.png").unlink()
    (rig / "right/2.png").unlink()
    assert main([*ENCODE, "-j", jobs]) == 1
    errors = sorted(x for x in capsys.readouterr().err.splitlines() if x.startswith("wyner: "))
    assert errors == [
        "wyner: rig/left/0.png: No such file or directory",
        "wyner: rig/left/2.png: its side picture rig/right/2.png: No such file or directory",
    ]
    assert sorted(outputs("packed")) == ["left/1.wyn"]
    assert main(["decode", "packed", "--pairs", "rig/pairs.csv", "-o", "out"]) == 1
    assert [path.name for path in Path("out").rglob("*.png")] == ["1.png"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("left,right\na.png,b.png\n", "columns image and side"),
        ("", "columns image and side"),
        ("image,side\n", "has no rows"),
        ("image,side\nleft/0.png,right/0.png\nleft/1.png\n", "line 3: the column side is empty"),
        ("image,side\n, right/0.png\n", "line 2: the column image is empty"),
        ("image,side\nleft/0.png,right/0.png\nleft/0.png,right/1.png\n", "would both become"),
        (b"image,side\n\xff\xfe,b\n", "not CSV in UTF-8"),
    ],
)
def test_lists_that_are_wrong(rig, capsys, text, message):
    (rig / "pairs.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert main(ENCODE) == 2
    assert message in capsys.readouterr().err
    assert not Path("packed").exists()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ([*ENCODE, "--side", "rig/right/0.png"], "leave out --side"),
        ([*ENCODE, "--list", "rig/pairs.csv"], "leave out --side and --list"),
        ([*ENCODE, "rig/left/0.png"], "leave out IN"),
        ([*ENCODE, "--codec", "overfit"], "takes no side image"),
        (["decode", "rig/left/0.png", "--pairs", "rig/pairs.csv"], "IN is one folder"),
        (["decode", "rig", "rig", "--pairs", "rig/pairs.csv"], "IN is one folder"),
        (["decode", "--pairs", "rig/pairs.csv", "--side", "rig/right/0.png"], "leave out --side"),
    ],
)
def test_what_does_not_go_with_a_list(rig, capsys, command, message):
    assert main(command) == 2
    assert message in capsys.readouterr().err
