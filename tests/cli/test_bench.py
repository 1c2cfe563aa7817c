"""wyner bench as people run it: resuming after a kill, shards, processes, bad input, tables and exports."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from bench_sample import picture
from conftest import REPOSITORY

from wyner import io
from wyner.bench import records
from wyner.cli import main
from wyner.image import Image

EXPERIMENT = """
name = "mine"
images = ["*.png"]
metrics = ["ms_ssim"]
reference = "jpeg_420"
[matched]
bpp = [1.0]
[[codecs]]
name = "jpeg_420"
quality = [5, 10, 20, 40, 80]
[[codecs]]
name = "webp"
quality = [0, 30, 60, 90]
[[codecs]]
name = "png"
"""
TASKS = 2 * 12


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for index, name in enumerate(("a", "b")):
        io.write(f"{name}.png", Image.from_array(picture(index, 96, 64)))
    (tmp_path / "mine.toml").write_text(EXPERIMENT)
    return tmp_path


def program(*arguments, **options):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", "wyner", "bench", *arguments]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, **options)


def facts(run, *fields):
    """What records say that does not depend on when and where they were measured, sorted."""
    kept = ("key", "bytes", "file", "file_hash", "mse", "psnr_db", "ms_ssim", "setting", *fields)
    return sorted(json.dumps({k: r[k] for k in kept}) for r in records.read_run(run)[0])


def test_run_and_rerun(folder, capsys):
    assert main(["bench", "run", "mine.toml"]) == 0
    told = capsys.readouterr().err.splitlines()
    assert told[0] == f"{TASKS} files to measure, 0 of them on record" and len(told) == 1 + TASKS
    assert re.fullmatch(
        r"\[1/24\] a jpeg_420 quality=5: \d+ bytes  0\.\d+ bpp  \d+\.\d+ dB  0\.\d\d s", told[1]
    )
    content = (folder / "mine-run/records-1-of-1.jsonl").read_bytes()
    assert main(["bench", "run", "mine.toml", "-o", "mine-run", "-j", "2"]) == 0
    assert capsys.readouterr().err.splitlines() == [f"{TASKS} files to measure, {TASKS} of them on record"]
    assert (folder / "mine-run/records-1-of-1.jsonl").read_bytes() == content


def test_json_lines(folder, capsys):
    assert main(["bench", "run", "mine.toml", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == TASKS and all(line["ok"] and line["command"] == "bench run" for line in lines)
    assert {line["key"] for line in lines} == {r["key"] for r in records.read_run(folder / "mine-run")[0]}


def test_processes_and_shards_give_the_same_files(folder):
    assert main(["bench", "run", "mine.toml", "-o", "one"]) == 0
    assert main(["bench", "run", "mine.toml", "-o", "two", "-j", "2"]) == 0
    for shard in ("3/3", "1/3", "2/3"):
        assert main(["bench", "run", "mine.toml", "-o", "three", "--shard", shard]) == 0
    assert len(list((folder / "three").glob("records-*-of-3.jsonl"))) == 3
    one = facts(folder / "one")
    assert len(one) == TASKS
    assert one == facts(folder / "two") == facts(folder / "three")


def test_ray_gives_the_same_files(folder, monkeypatch):
    pytest.importorskip("ray", reason="Ray is not installed")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    assert main(["bench", "run", "mine.toml", "-o", "here"]) == 0
    assert main(["bench", "run", "mine.toml", "-o", "ray", "--executor", "ray", "-j", "2"]) == 0
    assert facts(folder / "ray") == facts(folder / "here")


@pytest.mark.skipif(os.name != "posix", reason="processes are killed as on POSIX")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_continues(folder, capsys, how):
    text = EXPERIMENT.replace("[5, 10, 20, 40, 80]", str(list(range(1, 96))))
    (folder / "mine.toml").write_text(text)
    log = folder / "mine-run/records-1-of-1.jsonl"
    process = program("run", "mine.toml", cwd=folder)
    deadline = time.monotonic() + 60
    while (log.read_bytes().count(b"\n") if log.exists() else 0) < 20 and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(how)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == (130 if how == signal.SIGINT else -signal.SIGKILL), errors
    before = records.read_run(folder / "mine-run")[0]
    total = 2 * (95 + 4 + 1 + 2)
    assert 20 <= len(before) < total
    assert main(["bench", "run", "mine.toml"]) == 0
    told = capsys.readouterr().err.splitlines()
    assert told[0] == f"{total} files to measure, {len(before)} of them on record"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(lines) == len({line["key"] for line in lines}) == total  # nothing lost, nothing twice
    assert lines[: len(before)] == before
    assert not list((folder / "mine-run").rglob("*.part"))


def test_two_runs_do_not_write_one_shard(folder, capsys):
    pytest.importorskip("fcntl", reason="files are locked as on POSIX")
    from wyner.batch.manifest import Manifest

    (folder / "mine-run").mkdir()
    held = Manifest(folder / "mine-run/records-1-of-1.jsonl")
    assert main(["bench", "run", "mine.toml"]) == 1
    held.close()
    assert "written by another run" in capsys.readouterr().err


def test_bad_input_is_told_of_and_the_rest_goes_on(folder, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    (folder / "c.png").write_bytes((folder / "a.png").read_bytes()[:60])
    (folder / "pairs.csv").write_text("image,side\na.png,gone.png\n")
    extra = '[[codecs]]\nname = "jpegls"\n'
    (folder / "mine.toml").write_text(EXPERIMENT.replace("metrics", 'pairs = "pairs.csv"\nmetrics') + extra)
    assert main(["bench", "run", "mine.toml"]) == 1
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("wyner: ")]
    assert len(told) == 3
    assert told[0].startswith("wyner: jpegls: needs the package imagecodecs")
    assert told[1].endswith("pairs.csv: line 2: there is no file " + str(folder / "gone.png"))
    assert told[2].startswith("wyner: c: ") and str(folder / "c.png") in told[2]
    assert len(records.read_run(folder / "mine-run")[0]) == TASKS
    assert main(["bench", "run", "mine.toml"]) == 1  # still wrong, and still told of
    (folder / "c.png").unlink()
    (folder / "pairs.csv").unlink()
    (folder / "mine.toml").write_text(EXPERIMENT)
    assert main(["bench", "run", "mine.toml"]) == 0


@pytest.mark.parametrize(
    "change, text",
    [
        (("jpeg_420", "jpg"), "codecs[0].name: no bench codec is called 'jpg'"),
        (("images", "image"), "image: unknown key"),
        (("[5, ", "[500, "), "codecs[0]: quality: 500 must be from 1 to 100"),
    ],
)
def test_wrong_experiments(folder, capsys, change, text):
    (folder / "mine.toml").write_text(EXPERIMENT.replace(*change))
    assert main(["bench", "run", "mine.toml"]) == 2
    assert text in capsys.readouterr().err
    assert not (folder / "mine-run").exists()


@pytest.mark.parametrize(
    "arguments, code",
    [
        (["run", "none.toml"], 1),
        (["run", "mine.toml", "--shard", "3/2"], 2),
        (["run", "mine.toml", "-j", "0"], 2),
        (["table", "nowhere"], 2),
        (["export", "nowhere", "--csv", "x.csv"], 2),
        (["export", "nowhere"], 2),
    ],
)
def test_wrong_usage(folder, capsys, arguments, code):
    assert main(["bench", *arguments]) == code
    assert capsys.readouterr().err.splitlines()[-1].startswith("wyner: ")


def test_table_and_export(folder, capsys):
    pytest.importorskip("scipy", reason="BD-rates need SciPy")
    assert main(["bench", "run", "mine.toml"]) == 0
    capsys.readouterr()
    assert main(["bench", "table", "mine-run"]) == 0
    text = capsys.readouterr().out
    assert "Means over the images" in text and "against" not in text.splitlines()[0]
    assert re.search(r"PSNR +webp +2 +[+-]\d+\.\d\d", text)
    assert re.search(r"^1 +webp +2 of 2 +(0\.9|1\.0)\d+", text, re.MULTILINE)
    assert main(["bench", "table", "mine-run", "--json", "--reference", "webp"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["reference"] == "webp" and {row["test"] for row in found["bd"]} == {"jpeg_420"}
    assert main(["bench", "export", "mine-run", "--csv", "x.csv", "--compressai", "out"]) == 0
    assert len((folder / "x.csv").read_text().splitlines()) == 1 + TASKS
    assert sorted(os.listdir(folder / "out")) == ["jpeg_420.json", "webp.json"]
    assert main(["bench", "export", "mine-run", "--csv", "x.csv"]) == 1
    assert main(["bench", "export", "mine-run", "--csv", "x.csv", "-f"]) == 0


def test_report_and_plots(folder, capsys):
    for package in ("scipy", "matplotlib"):
        pytest.importorskip(package, reason="reports and plots need the extra bench")
    assert main(["bench", "run", "mine.toml"]) == 0
    capsys.readouterr()
    assert main(["bench", "report", "mine-run", "--plots", "plots", "--title", "Two <pictures>"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == os.path.join("mine-run", "report.html")
    page = (folder / "mine-run/report.html").read_text(encoding="utf-8")
    assert "Two &lt;pictures&gt;" in page and "jpeg_420" in page
    assert {path.suffix for path in (folder / "plots").iterdir()} == {".svg", ".png"}
    assert main(["bench", "report", "mine-run"]) == 1
    assert main(["bench", "report", "mine-run", "-f", "--images", "a", "--crop", "32x32"]) == 0
    assert main(["bench", "report", "mine-run", "-f", "--reference", "nothing"]) == 2


def test_lossless_files_are_verified(folder, capsys):
    names = ["png", "webp_lossless", "jpegxl_lossless", "jpegls"]
    pytest.importorskip("imagecodecs", reason="JPEG XL and JPEG-LS come from imagecodecs")
    table = "".join(f'[[codecs]]\nname = "{name}"\n' for name in names)
    (folder / "mine.toml").write_text(f'name = "mine"\nimages = ["*.png"]\n{table}')
    assert main(["bench", "run", "mine.toml"]) == 0
    found = records.read_run(folder / "mine-run")[0]
    assert len(found) == 8 and all(r["identical"] and r["psnr_db"] is None for r in found)


def test_the_experiment_of_the_project_can_be_read(monkeypatch):
    from wyner.bench.experiment import load
    from wyner.bench.registry import all_codecs

    monkeypatch.setenv("WYNER_DATA", "/somewhere")
    found = load(REPOSITORY / "benchmarks" / "kodak_six.toml")
    assert len(found.images) == 6
    others = {f"wyner_{name}" for name in ("side", "refine", "ndic", "learned", "lossless")}
    assert {curve.codec for curve in found.curves} == set(all_codecs()) - others
    assert any(curve.codec == "wyner_overfit" and len(curve.settings) >= 5 for curve in found.curves)
