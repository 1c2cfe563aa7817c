"""The guide about files for a decoder with a picture of its own: its commands, and its configuration."""

import re
import shlex

import pytest
from conftest import REPOSITORY

pytest.importorskip("wyner._native", reason="the native core is not built")
torch = pytest.importorskip("torch")

from skimage import data  # noqa: E402

from wyner import io  # noqa: E402
from wyner.cli import main  # noqa: E402
from wyner.image import Image  # noqa: E402
from wyner.train.config import read_config  # noqa: E402
from wyner.train.distributed import DistributedConfig  # noqa: E402

TEXT = (REPOSITORY / "docs" / "guide" / "distributed.md").read_text(encoding="utf-8")
QUICK = ["-x", "loop.steps=1", "-x", "loop.batch=1", "-x", "model.width=4", "-x", "model.latents=4"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """left.png and right.png of the guide, and pairs where its training looks for them."""
    for eye, pixels in zip(("left", "right"), data.stereo_motorcycle()[:2], strict=True):
        picture = Image.from_array(pixels[: 128 * 3 : 3, : 440 * 3 : 3][:, :246].copy())
        io.write(tmp_path / f"{eye}.png", picture)
        for source in ("kitti2012_128x256/train", "kitti2012"):
            (tmp_path / "stereo" / source).mkdir(parents=True, exist_ok=True)
            for name in range(9):
                wide = Image.from_array(pixels[:256:2, :512:2].copy())
                io.write(tmp_path / "stereo" / source / f"{name}_{eye}.png", wide)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WYNER_MODELS", ".")
    return tmp_path


def test_the_commands(folder):
    for line in re.findall(r"^    (?:WYNER_MODELS=. )?wyner (.*)$", TEXT, re.MULTILINE):
        command = shlex.split(line.replace("$WYNER_DATA", ".").replace("cuda", "cpu"))
        command += QUICK if command[:2] == ["train", "distributed"] else []
        command += ["-f"] if command[0] == "encode" else []
        assert main(command) == 0, line
    assert io.read("decoded.png").pixels.shape == (128, 246, 3)


def test_the_configuration(tmp_path):
    [text] = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    (tmp_path / "mine.toml").write_text(text + "[loop]\nsteps = 1\n")
    config = DistributedConfig.of(read_config(str(tmp_path / "mine.toml"), []))
    assert config.sources[0].centre == (370, 740) and config.model.kind == "aligned"
