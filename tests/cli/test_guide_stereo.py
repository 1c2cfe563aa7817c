"""The guide about stereo rigs: its list, commands and experiment in their order, on small pairs."""

import re
import shlex
from pathlib import Path

import pytest
from conftest import REPOSITORY
from skimage import data

from wyner import io
from wyner.bench.records import read_run
from wyner.cli import main
from wyner.image import Image

pytest.importorskip("wyner._native", reason="the native core is not built")

TEXT = (REPOSITORY / "docs" / "guide" / "stereo.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^    wyner ([^\n]*)$|```python\n(.*?)```", TEXT, re.MULTILINE | re.DOTALL)


@pytest.fixture
def rig(tmp_path, monkeypatch):
    """The rig of the guide: parts of the motorcycle, (40, 48, 3), shrunk four times."""
    monkeypatch.chdir(tmp_path)
    for side, pixels in zip(("left", "right"), data.stereo_motorcycle()[:2], strict=True):
        Path("rig", side).mkdir(parents=True)
        for number in range(3):
            part = pixels[100 + 60 * number :, 200:][:160:4, :192:4]
            io.write(f"rig/{side}/{number:03d}.png", Image.from_array(part.copy()))
    (pairs,) = re.findall(r"```csv\n(.*?)```", TEXT, re.DOTALL)
    Path("rig/pairs.csv").write_text(pairs)
    (experiment,) = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    few = experiment.replace("[20, 35, 50, 65]", "[20, 65]").replace(
        '"ms_ssim"', ""
    )  # which needs larger ones
    Path("stereo.toml").write_text(few)


def test_the_guide(rig, capsys):
    pytest.importorskip("scipy", reason="tables need the extra bench")
    for command, code in BLOCKS:
        if code:
            exec(compile(code, "stereo.md", "exec"), {})
            continue
        arguments = shlex.split(command.replace("-j 4", "-j 2"))
        extra = ["-e", "1"] if arguments[0] == "encode" else []
        assert main([*arguments, *extra]) == 0, command
    assert "left/002.png 48 40 " in capsys.readouterr().out
    names = [f"left/{number:03d}" for number in range(3)]
    for folder, suffix in (("packed", ".wyn"), ("unpacked", ".png")):
        found = sorted(path.relative_to(folder) for path in Path(folder, "left").iterdir())
        assert [str(path) for path in found] == [name + suffix for name in names]
    measured, failed = read_run(Path("stereo-run"))
    assert not failed and len(measured) == 3 * 2 * 5
    assert Path("stereo-run/report.html").exists()


def test_another_pixel_of_the_side_picture_is_exit_code_7(rig):
    command = ["encode", "rig/left/000.png", "--side", "rig/right/000.png", "-e", "1", "--codec", "side"]
    assert main(command) == 0
    pixels = io.read("rig/right/000.png").pixels.copy()
    pixels[0, 0, 0] ^= 1
    io.write("rig/right/000.png", Image.from_array(pixels), overwrite=True)
    assert main(["decode", "rig/left/000.wyn", "--side", "rig/right/000.png", "-o", "x.png"]) == 7
    assert not Path("x.png").exists()
