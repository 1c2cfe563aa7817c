"""wyner train lossless: from pictures to the files of a network."""

import errno
import hashlib
import json

import pytest

torch = pytest.importorskip("torch")


from wyner import codecs  # noqa: E402
from wyner.cli import main  # noqa: E402
from wyner.cli import train as cli  # noqa: E402

SIZES = '{"full": 8, "half": 8, "quarter": 64, "hidden": 8, "trunk_blocks": [0, 1, 0]}'
QUICK = ["loop.batch=4", "loop.log_every=1", "loop.steps=2", "train.crop=16", "train.measured=1"]


def train(pictures, folder, *arguments, config="lossless"):
    command = ["train", "lossless", "--config", config, "--data", str(pictures), "-o", str(folder)]
    small = [word for change in [f"model.sizes={SIZES}", *QUICK] for word in ("-x", change)]
    return main([*command, *small, *arguments])


def export(folder, output, *arguments):
    return main(["train", "export", str(folder), "-o", str(output), *arguments])


def test_a_network_is_trained_exported_and_trained_in_part(pictures, tmp_path, capsys):
    run, model = tmp_path / "run", tmp_path / "lossless.bin"
    assert train(pictures, run) == 0
    assert train(pictures, run, "-x", "loop.steps=3") == 0  # goes on
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3] and "held_out_bpsp" in lines[-1]
    assert export(run, model, "--note", "noise") == 0
    assert "bytes, model" in capsys.readouterr().err
    card = json.loads((tmp_path / "lossless.json").read_text())
    assert card["sha256"] == hashlib.sha256(model.read_bytes()).hexdigest()
    assert card["note"] == "noise" and card["steps"] == 3 and card["last"]["step"] == 3
    part = tmp_path / "part"
    assert train(pictures, part, "--start", str(run), "-x", "train.only=trunks.d") == 0
    states = [torch.load(folder / "checkpoint.pt", weights_only=True)["model"] for folder in (run, part)]
    same = {name for name in states[0] if torch.equal(states[0][name], states[1][name])}
    assert "unet.stem.weight" in same and "trunks.d.stem.weight" not in same


def test_files_are_not_overwritten_without_f(pictures, tmp_path):
    run, model = tmp_path / "run", tmp_path / "mine.bin"
    assert train(pictures, run) == 0
    (tmp_path / "mine.json").write_text("a card")
    assert export(run, model) == 1
    assert not model.exists() and (tmp_path / "mine.json").read_text() == "a card"
    assert export(run, model, "-f") == 0 and export(run, tmp_path / "mine.json", "-f") == 2
    assert json.loads((tmp_path / "mine.json").read_text())["bytes"] == model.stat().st_size


def test_both_files_are_written_or_none(pictures, tmp_path, monkeypatch):
    run, model, card = tmp_path / "run", tmp_path / "mine.bin", tmp_path / "mine.json"
    assert train(pictures, run) == 0
    card.mkdir()
    assert export(run, model, "-f") == 1 and not model.exists()
    card.rmdir()
    write = cli.write_atomic

    def full(path, data, *, overwrite=False):
        if len(data) > 20_000:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        write(path, data, overwrite=overwrite)

    monkeypatch.setattr(cli, "write_atomic", full)
    assert export(run, model) == 1 and not model.exists() and not card.exists()
    card.write_text("a card")
    assert export(run, model, "-f") == 1 and not model.exists() and card.read_text() == "a card"


def test_a_run_does_not_go_on_as_another(pictures, tmp_path, capsys):
    run = tmp_path / "run"
    assert train(pictures, run, "-x", "train.only=trunks.d") == 0
    for only in ("trunks.h", "unet", ""):
        assert train(pictures, run, "-x", f"train.only={only}") == 2
        assert "of other parameters" in capsys.readouterr().err
    wider = f"model.sizes={SIZES.replace('8', '16', 1)}"
    assert train(pictures, run, "-x", wider) == 2
    assert train(pictures, tmp_path / "other", "-x", wider, "--start", str(run)) == 2
    assert "of another model" in capsys.readouterr().err


def test_the_shipped_files_are_what_export_makes(pictures, tmp_path, monkeypatch):
    """Files of an export in the place of the shipped ones: the codec takes them."""
    model = codecs.by_name("lossless").model
    assert train(pictures, tmp_path / "run") == 0
    weights = tmp_path / "package" / "weights"
    weights.mkdir(parents=True)
    assert export(tmp_path / "run", weights / "lossless.bin") == 0
    monkeypatch.setattr(model.resources, "files", lambda name: tmp_path / "package")
    network = model.shipped.__wrapped__()
    assert network.name == hashlib.sha256((weights / "lossless.bin").read_bytes()).digest()[:8]
    (weights / "lossless.bin").write_bytes((weights / "lossless.bin").read_bytes() + b"x")
    with pytest.raises(model.CorruptError):
        model.shipped.__wrapped__()


def test_the_plain_variant_is_trained_and_not_exported(pictures, tmp_path):
    assert train(pictures, tmp_path / "run", config="lossless-plain") == 0
    assert export(tmp_path / "run", tmp_path / "plain.bin") == 2


@pytest.mark.parametrize(
    "changes",
    [
        ["-x", "model.network=best"],
        ["-x", "model.sizes=8"],
        ["-x", "train.only=nothing"],
        ["-x", "train.crop=20"],
        ["-x", "train.crop=0"],
        ["-x", "loop.momenta=[0.9]"],
        ["--start", "nowhere"],
        ["--data", "nowhere"],
    ],
)
def test_wrong_arguments_are_usage_errors(pictures, tmp_path, changes):
    assert train(pictures, tmp_path / "run", *changes) == 2
