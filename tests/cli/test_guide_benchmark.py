"""The guides about benchmarks: their experiment and commands run in their order, on small pictures."""

import csv
import json
import re
import shlex

import pytest
from bench_sample import picture
from conftest import REPOSITORY

from wyner import io
from wyner.bench.experiment import load
from wyner.bench.published import load as load_published
from wyner.bench.registry import all_codecs
from wyner.cli import main
from wyner.image import Image

GUIDE = (REPOSITORY / "docs/guide/benchmark.md").read_text(encoding="utf-8")
PUBLISHED = (REPOSITORY / "docs/guide/published-curves.md").read_text(encoding="utf-8")


def test_the_guide(tmp_path, monkeypatch, capsys, fake_codec):
    for package in ("scipy", "matplotlib"):
        pytest.importorskip(package, reason="tables and plots need the extra bench")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for seed in range(2):
        io.write(f"photos/{seed}.png", Image.from_array(picture(seed, 164, 170)))
    (experiment,) = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)
    # The stand-in for the overfit codec meets no target.
    (tmp_path / "small.toml").write_text(experiment.replace("bpp = [1.0]", "bpp = []"))
    commands = re.findall(r"^    (wyner .*)$", GUIDE, re.MULTILINE)
    assert len(commands) == 6
    for command in commands:
        arguments = shlex.split(command)[1:]
        if arguments[:3] == ["bench", "run", "small.toml"] and "-j" in arguments:
            arguments = arguments[:3]  # the stand-in is in this process only
        assert main(arguments) == 0, command
    assert "Means over the images" in capsys.readouterr().out
    with open("small.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == 2 * (15 + 4 + 3)
    assert len(list((tmp_path / "small-curves").iterdir())) == 3
    one, two = (len((tmp_path / f"parts/records-{k}-of-2.jsonl").read_text().splitlines()) for k in (1, 2))
    assert one + two == 44 and min(one, two) > 5


def test_the_experiment_is_one(tmp_path):
    (experiment,) = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)
    (tmp_path / "small.toml").write_text(experiment)
    assert load(tmp_path / "small.toml").matched.bpp == (1.0,)


def test_every_codec_is_listed():
    listed = set(
        re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`[^|]*)\|[^|]*\|[^|]*\|$", GUIDE, re.MULTILINE)))
    )
    assert listed == set(all_codecs())


def test_the_forms_of_published_curves(tmp_path):
    files = []
    for index, text in enumerate(re.findall(r"```json\n(.*?)```", PUBLISHED, re.DOTALL)):
        json.loads(text)
        files.append(tmp_path / f"{index}.json")
        files[-1].write_text(text)
    (table,) = re.findall(r"^    (codec,.*)\n    (.*)$", PUBLISHED, re.MULTILINE)
    files.append(tmp_path / "x.csv")
    files[-1].write_text("\n".join(table))
    found = load_published(files, images=["kodim01"])
    assert [curve.name for curve in found] == ["VTM", "DSIN", "jpeg2000", "Cool-Chic 5.0"]
    assert all("psnr_db" in point for curve in found for point in curve.points)
