"""The guide about collections: its commands run in their order, on tiny pictures and at effort 1."""

import glob
import os
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from conftest import REPOSITORY

import wyner
from wyner import io
from wyner.cli import main
from wyner.cli.parser import build_parser
from wyner.image import Image

pytest.importorskip("wyner._native", reason="the native core is not built")

TEXT = (REPOSITORY / "docs" / "guide" / "collections.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^    wyner ([^\n]*)$|```python\n(.*?)```", TEXT, re.MULTILINE | re.DOTALL)


def test_the_guide(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = ("a.png", "holiday/a.png", "holiday/b.jpg")
    for index, name in enumerate(names):
        os.makedirs(os.path.dirname(f"photos/{name}"), exist_ok=True)
        io.write(f"photos/{name}", Image.from_array(np.full((9, 12, 3), 50 * index, np.uint8)))
    os.makedirs("tiles")
    for index, name in enumerate(("tiles/tile_06.png", "tiles/tile_07.png", "another.png")):
        io.write(name, Image.from_array(np.full((9, 12, 3), 50 * index, np.uint8)))
    Path("wanted.txt").write_text("photos/holiday/b.jpg\n")
    ran = 0
    for command, code in BLOCKS:
        words = shlex.split(command.replace("-j 8", "-j 2"), comments=True)
        arguments = [name for word in words for name in (sorted(glob.glob(word)) or [word])]
        if code:
            exec(compile(code, "collections.md", "exec"), {})
        elif "ray" in arguments:  # needs more than a moment; tests of its own
            build_parser().parse_args(arguments)
        else:
            assert main([*arguments, *(["-e", "1"] if arguments[0] == "encode" else [])]) == 0, command
            ran += 1
    output = capsys.readouterr().out
    assert ran >= 10 and "3 files, " in output

    def found(folder):
        return sorted(
            str(path.relative_to(folder)) for path in Path(folder).rglob("*.*") if path.suffix != ".jsonl"
        )

    assert found("packed") == found("parts") == ["a.wyn", "holiday/a.wyn", "holiday/b.wyn"]
    assert found("unpacked") == ["a.png", "holiday/a.png", "holiday/b.png"]
    assert found("tiles") == ["tile_06.png", "tile_07.png"] and io.read("one.png").width == 12
    assert "set of 2" in output and len(wyner.decode_set(Path("tiles.wyn").read_bytes())) == 3
    assert found("chosen") == ["photos/holiday/b.wyn"]
