"""wyner train: what users type, from pictures to a file that a codec takes."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from conftest import REPOSITORY  # noqa: E402
from PIL import Image  # noqa: E402

import wyner  # noqa: E402
from wyner.cli import main  # noqa: E402
from wyner.nn.safetensors import read  # noqa: E402

SMALL = ["-x", "model.widths=[4,4,4]", "-x", "model.latents=6", "-x", "model.hyper=4", "-x", "loss.crop=64"]
SIZES = '{"full": 8, "half": 8, "quarter": 64, "hidden": 8, "trunk_blocks": [0, 1, 0]}'
SMALL_LOSSLESS = ["-x", f"model.sizes={SIZES}", "-x", "train.crop=16", "-x", "train.measured=1"]
QUICK = ["-x", "loop.batch=2", "-x", "loop.log_every=1"]


def train(pictures, folder, steps, *arguments):
    command = [
        "train",
        "learned",
        "--config",
        "learned-hyperprior",
        "--data",
        str(pictures),
        "-o",
        str(folder),
    ]
    return main([*command, *SMALL, *QUICK, "-x", f"loop.steps={steps}", *arguments])


def test_a_model_is_trained_exported_and_codes_pictures(pictures, tmp_path, monkeypatch, capsys):
    run, model = tmp_path / "run", tmp_path / "mine.safetensors"
    assert train(pictures, run, 3) == 0
    assert train(pictures, run, 5) == 0  # goes on
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5]
    assert Image.open(run / "sheet.png").size == (6 * 64, 4 * 64)
    assert main(["train", "export", str(run), "-o", str(model)]) == 0
    assert "bytes, model" in capsys.readouterr().err
    monkeypatch.setenv("WYNER_MODELS", str(tmp_path))
    coded, decoded = tmp_path / "0.wyn", tmp_path / "0.png"
    source = str(pictures / "0.png")
    assert main(["encode", source, "-o", str(coded), "--codec", "learned", "-x", "model=mine"]) == 0
    assert main(["decode", str(coded), "-o", str(decoded)]) == 0
    assert wyner.info(coded.read_bytes()).codec == "learned"
    assert Image.open(decoded).size == (80, 72)


def test_every_term_of_the_loss_is_logged(pictures, tmp_path):
    assert train(pictures, tmp_path / "run", 1, "-x", "loss.quantiser=noise", "--minutes", "1") == 0
    line = json.loads((tmp_path / "run" / "log.jsonl").read_text())
    lam = 2 ** ((np.log2(3e-4) + np.log2(4e-2)) / 2)
    assert line.keys() == {"step", "seconds", "bpp", "mse", "loss"} and line["loss"] > line["mse"] / lam / 20


@pytest.mark.parametrize(
    "changes",
    [
        ["--config", "no-such"],
        ["--config", "no-such.toml"],
        ["-x", "model.nothing=1"],
        ["-x", "nothing.prior=1"],
        ["-x", "model.prior=best"],
        ["-x", "loop.steps=many"],
        ["-x", "noequals"],
        ["-x", "loss.crop=72"],
        ["-x", "loss.beta=1"],
        ["-x", "loss.crop=0"],
        ["-x", "model.widths=[]"],
        ["-x", "model.latents=0"],
        ["-x", "model.lambda_range=[0,1]"],
        ["-x", "loop.steps=0"],
        ["-x", "loop.batch=0"],
        ["-x", "loop.log_every=0"],
        ["-x", "loop.measure_every=0"],
        ["-x", "loop.rate=-1"],
        ["-x", "loop.rate=NaN"],
        ["-x", "loop.momenta=[0.9,1]"],
        ["-x", "loop.seed=-1"],
        ["--minutes", "0"],
        ["--device", "toaster"],
        ["--start", "nowhere"],
        ["--data", "nowhere"],
    ],
)
def test_wrong_arguments_are_usage_errors(pictures, tmp_path, changes):
    assert train(pictures, tmp_path / "run", 1, *changes) == 2


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there(pictures, tmp_path, capsys):
    assert train(pictures, tmp_path / "run", 1, "--device", "cuda") == 2
    assert "no device 'cuda'" in capsys.readouterr().err


def test_a_run_does_not_go_on_as_another(pictures, tmp_path, capsys):
    run = tmp_path / "run"
    assert train(pictures, run, 1) == 0
    assert train(pictures, run, 2, "-x", "model.latents=8") == 2
    assert "of another model" in capsys.readouterr().err
    assert train(pictures, run, 2, "-x", "loop.optimiser=adam") == 2
    assert "of another optimiser" in capsys.readouterr().err
    (run / "checkpoint.pt").write_bytes(b"no checkpoint")
    assert train(pictures, run, 2) == 2
    assert "cannot read the checkpoint" in capsys.readouterr().err


def test_an_export_tells_of_the_checkpoint_and_not_of_later_steps(pictures, tmp_path, capsys):
    run, model = tmp_path / "run", tmp_path / "mine.safetensors"
    log = run / "log.jsonl"
    assert train(pictures, run, 2) == 0
    export = ["train", "export", str(run), "-o", str(model), "-f"]
    with log.open("a") as file:
        file.write('{"step": 3, "loss": 0.5}\n{"step": 4, "lo')
    for text, step in ((log.read_text(), 2), ("", None)):
        log.write_text(text)
        assert main(export) == 0
        card = json.loads(read(model.read_bytes())[1]["card"])
        assert card["about"]["last"].get("step") == step
    log.unlink()
    assert main(export) == 2
    assert "has no log" in capsys.readouterr().err


def test_what_is_not_a_run_cannot_be_exported(tmp_path):
    assert main(["train", "export", str(tmp_path), "-o", str(tmp_path / "m.safetensors")]) == 2


def test_the_guide(pictures, tmp_path, monkeypatch):
    """The commands of docs/guide/train.md, with a small model and few steps."""
    text = (REPOSITORY / "docs" / "guide" / "train.md").read_text(encoding="utf-8")
    commands = re.findall(r"^    (?:WYNER_MODELS=\. )?wyner ([^\n]*)$", text, re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WYNER_MODELS", ".")
    pictures.rename("photos")
    shutil.copy("photos/0.png", "photo.png")
    settings = {"learned": SMALL, "lossless": SMALL_LOSSLESS}
    for command in commands:
        arguments = shlex.split(command.replace("cuda", "cpu"))
        small = [*settings[arguments[1]], *QUICK, "-x", "loop.steps=2"] if "--minutes" in arguments else []
        # What so small a model makes of a picture misses the target.
        assert main([*arguments, *small]) in (0, 6), command
    assert len(commands) == 6 and json.loads(Path("lossless.json").read_text())["note"]
    assert Image.open("decoded.png").size == (80, 72)


def test_a_packed_run_is_exported(pictures, tmp_path):
    """What tools/pack_runs.py brings back from another machine is a run as well, in half precision."""
    run, archive = tmp_path / "run", tmp_path / "models.tar.xz"
    assert train(pictures, run, 1) == 0
    command = [sys.executable, str(REPOSITORY / "tools" / "pack_runs.py"), str(archive), str(run)]
    assert subprocess.run(command).returncode == 0
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path / "unpacked", filter="data")
    for folder in (run, tmp_path / "unpacked" / "run"):
        assert main(["train", "export", str(folder), "-o", str(folder / "m.safetensors")]) == 0
    first, second = (
        read((f / "m.safetensors").read_bytes())[0] for f in (run, tmp_path / "unpacked" / "run")
    )
    assert first.keys() == second.keys() and np.array_equal(first["g_a.0.weight"], second["g_a.0.weight"])
