"""``wyner train distributed``: an exact resume, ranks that share a batch, configuration and measurement."""

import json
import os
import subprocess
import sys
from importlib import resources

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from PIL import Image  # noqa: E402

from wyner.cli import main  # noqa: E402
from wyner.errors import UsageError  # noqa: E402
from wyner.nn.distributed import SideModelConfig  # noqa: E402
from wyner.nn.side_models import MODELS, make_model  # noqa: E402
from wyner.train.config import read_config  # noqa: E402
from wyner.train.distributed import DistributedConfig, measure  # noqa: E402
from wyner.train.loop import CHECKPOINT, LOG  # noqa: E402

TABLES = {
    "model": {"kind": "aligned", "width": 4, "latents": 4},
    "loss": {"crop": [32, 64], "wrong": 0.2, "without": 0.1},
    "loop": {"steps": 4, "batch": 2, "warmup": 1, "log_every": 1},
    "sources": [{"layout": "flat", "path": "pairs"}],
}


@pytest.fixture
def root(tmp_path):
    (tmp_path / "pairs").mkdir()
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        blocks = rng.integers(0, 256, (12, 20, 3)).repeat(4, 0).repeat(4, 1).astype(np.uint8)
        for eye, shift in (("left", 0), ("right", 4)):
            Image.fromarray(blocks[:, shift : shift + 72]).save(tmp_path / "pairs" / f"{name}_{eye}.png")
    (tmp_path / "tiny.json").write_text(json.dumps(TABLES))
    return tmp_path


def command(root, name, *more):
    config = ["--config", str(root / "tiny.json"), "--data", str(root), "-o", str(root / name)]
    return ["train", "distributed", *config, *more]


def weights(folder):
    return torch.load(folder / CHECKPOINT, weights_only=True)["model"]


def log_of(folder):
    return [json.loads(line) for line in (folder / LOG).read_text().splitlines()]


@pytest.mark.parametrize("kind", ["ndic", "dsin"])
def test_an_interrupted_training_ends_as_another(root, kind):
    assert main(command(root, "straight", "--model", kind)) == 0
    assert main(command(root, "broken", "--model", kind, "-x", "loop.steps=2")) == 0
    assert main(command(root, "broken", "--model", kind)) == 0
    assert [line["step"] for line in log_of(root / "broken")] == [1, 2, 3, 4]
    for name, value in weights(root / "straight").items():
        assert torch.equal(value, weights(root / "broken")[name]), name


# The handler is registered first and therefore runs last. A thread of the group that outlived the interpreter
# could end the process with an error.
RANK = """
import atexit, os, pathlib, sys
def last_words():
    tasks = pathlib.Path("/proc/self/task")
    left = 0
    for task in tasks.iterdir() if tasks.exists() else []:
        try:
            left += "gloo" in (task / "comm").read_text()
        except OSError:  # it ends just now
            pass
    pathlib.Path(__file__).with_name("left-" + os.environ["RANK"]).write_text(str(left))
atexit.register(last_words)
from wyner.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_two_ranks_have_the_curve_of_one(root):
    assert main(command(root, "one")) == 0
    (root / "rank.py").write_text(RANK)
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    two_ranks = [*launch, str(root / "rank.py"), *command(root, "two")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(two_ranks, check=True, env=environment, timeout=120)
    assert [(root / f"left-{rank}").read_text() for rank in (0, 1)] == ["0", "0"]
    one, two = log_of(root / "one"), log_of(root / "two")
    assert one[0]["loss"] == pytest.approx(two[0]["loss"], rel=1e-6)
    # Adam divides by the root of squares: it makes the last digits of small gradients matter.
    assert [line["loss"] for line in one] == pytest.approx([line["loss"] for line in two], rel=1e-3)


def test_a_run_becomes_a_codec(root, monkeypatch):
    assert main(command(root, "run", "--model", "ndic")) == 0
    assert main(["train", "export", str(root / "run"), "-o", str(root / "mine.safetensors")]) == 0
    monkeypatch.setenv("WYNER_MODELS", str(root))
    left, right = (str(root / "pairs" / f"a_{eye}.png") for eye in ("left", "right"))
    coded = str(root / "a.wyn")
    assert main(["encode", left, "--codec", "ndic", "-x", "model=mine", "-o", coded]) == 0
    assert main(["decode", coded, "--side", right, "-o", str(root / "a.png")]) == 0
    assert Image.open(root / "a.png").size == Image.open(left).size


def test_presets_are_configurations():
    folder = resources.files("wyner") / "presets"
    for name in ("ndic", "ndic-balle2018", "ndic-attention", "ndic-aligned", "dsin"):
        assert (folder / f"{name}.toml").is_file()
        config = DistributedConfig.of(read_config(name, []))
        assert config.model.kind in MODELS and len(config.sources) == 2


@pytest.mark.parametrize(
    "changes",
    [
        ["loss.crop=[40,64]"],
        ["loss.crop=[0,64]"],
        ["loss.distortion=ms_ssim"],
        ["model.prior=hyperprior"],  # whose crops are multiples of 64
        ["model.kind=dsin", "model.prior=mean-scale"],
        ["model.width=0"],
        ["sources.held_out=3"],
        ["loop.steps=0"],
    ],
)
def test_settings_that_do_not_fit_are_usage_errors(root, changes):
    assert main(command(root, "run", *(word for change in changes for word in ("-x", change)))) == 2


@pytest.mark.parametrize("sources", [[], [{"layout": "flat", "path": "pairs", "held_out": 3}]])
def test_without_pairs_nothing_is_trained(root, sources, capsys):
    (root / "tiny.json").write_text(json.dumps(TABLES | {"sources": sources}))
    assert main(command(root, "run")) == 2
    assert "no pairs to train on" in capsys.readouterr().err


def test_a_run_does_not_go_on_as_another(root):
    assert main(command(root, "run", "-x", "loop.steps=1")) == 0
    assert main(command(root, "run", "-x", "model.latents=6")) == 2
    # It is left as it was.
    assert main(["train", "export", str(root / "run"), "-o", str(root / "m.safetensors")]) == 0


def test_an_export_needs_a_checkpoint(root):
    assert main(command(root, "run", "-x", "loop.steps=1")) == 0
    (root / "run" / CHECKPOINT).unlink()
    assert main(["train", "export", str(root / "run"), "-o", str(root / "m.safetensors")]) == 2


def test_one_root_is_given(root, capsys):
    assert main(command(root, "out", "--data", "a", "b")) == 2
    assert "one folder" in capsys.readouterr().err


def test_unknown_settings_are_refused():
    with pytest.raises(UsageError, match="no setting is called width2"):
        DistributedConfig.of({"model": {"width2": 3}, "sources": []})


def test_measurements():
    torch.manual_seed(0)
    model = make_model(SideModelConfig(width=4, latents=4))
    both = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (6, 32, 48)).astype(np.uint8))
    rows = list(measure(model, [("a", both), ("b", both.flip(0))], [0.01, 0.1]))
    assert len(rows) == 2 * 2 * 3
    [right, wrong, none] = rows[:3]
    assert [row["side"] for row in rows[:3]] == ["right", "wrong", "none"]
    assert right["bpp"] == wrong["bpp"] == none["bpp"] > 0
    assert len({row["psnr_db"] for row in rows[:3]}) == 3
