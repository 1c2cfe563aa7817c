"""``wyner encode --codec shared`` and what the other commands do with the set that it writes."""

import json

import numpy as np
import pytest
from skimage import data

pytest.importorskip("wyner._native", reason="the native extension is not built")

import wyner
from wyner import io
from wyner.cli import main
from wyner.image import Image

FAST = ["--codec", "shared", "-q", "30", "-e", "1"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with three pictures in it, and one in another folder that has a name of these."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "more").mkdir()
    photo = data.astronaut()
    for k, name in enumerate(["a.png", "b.png", "c.ppm", "more/a.png"]):
        io.write(name, Image.from_array(np.ascontiguousarray(photo[80:112, 170 + 40 * k : 210 + 40 * k])))
    return tmp_path


@pytest.fixture(scope="module")
def files():
    """A set of two pictures, and a file of one."""
    photo = data.astronaut()
    pictures = [np.ascontiguousarray(photo[80:112, x : x + 40]) for x in (170, 210)]
    one = wyner.encode(pictures[0], quality=30, effort=1)
    return wyner.encode_set(pictures, names=["a", "b"], quality=30, effort=1), one


def test_what_another_program_added_meanwhile_is_not_lost(folder, monkeypatch, capsys):
    assert main(["encode", *FAST, "a.png", "b.png", "-o", "s.wyn"]) == 0
    add = wyner.sets.add_to_set

    def slow(set_file, image, **arguments):
        io.write_atomic("s.wyn", add(set_file, image, **{**arguments, "name": "other"}), overwrite=True)
        return add(set_file, image, **arguments)

    monkeypatch.setattr("wyner.sets.add_to_set", slow)
    assert main(["encode", *FAST, "c.ppm", "-o", "s.wyn", "--append"]) == 1
    assert "another program has changed" in capsys.readouterr().err
    assert [picture.name for picture in wyner.set_info((folder / "s.wyn").read_bytes()).pictures] == [
        "a", "b", "other"
    ]  # fmt: skip


def test_a_set_from_files_to_files(folder, capsys):
    assert main(["encode", *FAST, "a.png", "b.png", "more", "-o", "s.wyn", "--hash", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["pictures"], told["bytes"]) == (3, (folder / "s.wyn").stat().st_size)
    before = wyner.decode_set((folder / "s.wyn").read_bytes())
    assert main(["encode", *FAST, "c.ppm", "-o", "s.wyn", "--append"]) == 0
    assert "s.wyn: 4 pictures" in capsys.readouterr().err
    assert main(["test", "s.wyn"]) == 0
    assert "checksums and pixel hash agree" in capsys.readouterr().out
    assert main(["info", "s.wyn"]) == 0
    text = capsys.readouterr().out
    assert "set of 4" in text and "2   b  40x32 RGB, 8 bits" in text and "3   a_2  40x32" in text
    assert main(["decode", "s.wyn"]) == 0
    assert sorted(path.name for path in (folder / "s-pictures").iterdir()) == [
        "a.png",
        "a_2.png",
        "b.png",
        "c.png",
    ]
    for name, image in zip(["a", "b", "a_2"], before, strict=True):
        assert io.read(folder / "s-pictures" / f"{name}.png") == image
    for which in ("b", "2"):
        assert main(["decode", "s.wyn", "--picture", which, "-o", "one.ppm", "-f"]) == 0
        assert io.read("one.ppm") == before[1]
    assert main(["decode", "s.wyn", "--picture", "c", "--format", "tiff"]) == 0
    assert io.read("c.tiff").width == 40


def test_nothing_is_overwritten_without_force(folder, files, capsys):
    (folder / "s.wyn").write_bytes(files[0])
    (folder / "s-pictures").mkdir()
    (folder / "s-pictures" / "b.png").write_bytes(b"mine")
    assert main(["decode", "s.wyn"]) == 1
    assert "b.png exists" in capsys.readouterr().err
    assert (folder / "s-pictures" / "b.png").read_bytes() == b"mine"
    assert main(["decode", "s.wyn", "-f"]) == 0
    assert io.read("s-pictures/b.png").pixels.shape == (32, 40, 3)


def test_the_json_of_info_and_decode(folder, capsys):
    assert main(["encode", *FAST, "a.png", "b.png", "-o", "s.wyn"]) == 0
    capsys.readouterr()
    assert main(["info", "--json", "s.wyn"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert [picture["name"] for picture in facts["pictures"]] == ["a", "b"]
    assert facts["shared_bytes"] + sum(p["bytes"] for p in facts["pictures"]) == facts["file_bytes"]
    assert main(["decode", "--json", "s.wyn", "-o", "out"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["picture"], line["ok"]) for line in lines] == [("a", True), ("b", True)]


def test_several_sets_go_to_folders_of_their_own(folder, capsys):
    for name in ("x", "y"):
        (folder / "packed" / name).mkdir(parents=True)
        assert (
            main(["encode", *FAST, f"{'a' if name == 'x' else 'b'}.png", "-o", f"packed/{name}/s.wyn"]) == 0
        )
    assert main(["decode", "packed", "-o", "out"]) == 0
    found = sorted(path.relative_to(folder / "out").as_posix() for path in (folder / "out").rglob("*.png"))
    assert found == ["x/s-pictures/a.png", "y/s-pictures/b.png"]
    assert main(["decode", "packed", "--picture", "1", "-o", "one"]) == 0
    assert sorted(
        path.relative_to(folder / "one").as_posix() for path in (folder / "one").rglob("*.png")
    ) == [
        "x/s.png",
        "y/s.png",
    ]


def test_a_missed_target_of_one_leaves_out_none(folder, files, capsys):
    (folder / "s.wyn").write_bytes(files[0])
    add = ["encode", "--codec", "shared", "-e", "1", "--target-size", "15", "a.png", "c.ppm", "-o", "s.wyn"]
    assert main([*add, "--append"]) == 6
    text = capsys.readouterr().err
    assert "a: there are" in text and "c: there are" in text
    assert len(wyner.decode_set((folder / "s.wyn").read_bytes())) == 4


def test_a_missed_target_is_told_and_the_file_written(folder, capsys):
    assert (
        main(["encode", "--codec", "shared", "-e", "1", "--target-size", "60", "a.png", "-o", "s.wyn"]) == 6
    )
    assert "the target was 60" in capsys.readouterr().err
    assert len(wyner.decode_set((folder / "s.wyn").read_bytes())) == 1


def everything(folder):
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        (["encode", *FAST, "a.png"], 2, "give -o FILE.wyn"),
        (["encode", *FAST, "a.png", "-o", "more"], 2, "give -o FILE.wyn"),
        (["encode", *FAST, "-o", "s.wyn"], 2, "nothing to do"),
        (["encode", *FAST, "a.png", "-o", "old.wyn"], 1, "old.wyn exists"),
        (["encode", *FAST, "a.png", "-o", "one.wyn", "--append"], 2, "holds one picture"),
        (["encode", *FAST, "a.png", "-o", "none.wyn", "--append"], 1, "none.wyn"),
        (["encode", *FAST, "none.png", "-o", "s.wyn"], 1, "none.png"),
        (["encode", *FAST, "a.png", "-o", "s.wyn", "--side", "b.png"], 2, "takes no side image"),
        (["encode", *FAST, "a.png", "-o", "s.wyn", "--shard", "1/2"], 2, "fitted as a whole"),
        (["encode", *FAST, "a.png", "-o", "old.wyn", "--append", "--hash"], 2, "no --hash"),
        (["encode", *FAST, "a.png", "-o", "a.png", "-f"], 2, "a.png would overwrite itself"),
        (["encode", *FAST, "a.png", "old.wyn", "-o", "s.wyn"], 4, "old.wyn: "),
        (["encode", "a.png", "--append"], 2, "goes with --codec shared"),
        (["decode", "one.wyn", "--picture", "1", "-o", "x.png"], 2, "holds one picture"),
        (["decode", "old.wyn", "-o", "x.png"], 2, "holds a set of 2"),
        (["decode", "old.wyn", "--picture", "3", "-o", "x.png"], 2, "there are: a b"),
        (["decode", "old.wyn", "--side", "a.png"], 2, "without another picture"),
        (["decode", "old.wyn", "-o", "-"], 2, "holds a set of 2"),
        (["decode", "old.wyn", "--max-pixels", "1000"], 5, "limit"),
        (["compare", "a.png", "old.wyn"], 4, "a set of pictures"),
    ],
)
def test_what_goes_wrong_writes_nothing(folder, files, capsys, monkeypatch, command, code, message):
    monkeypatch.setattr("sys.stdout.isatty", lambda: False, raising=False)
    old, one = files
    (folder / "old.wyn").write_bytes(old)
    (folder / "one.wyn").write_bytes(one)
    kept = everything(folder)
    capsys.readouterr()
    assert main(command) == code
    assert message in capsys.readouterr().err
    assert everything(folder) == kept
