"""One task: the record agrees with the file that was kept, and failures are one line."""

import dataclasses
import hashlib
import json
import os
import platform
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from bench_sample import picture
from PIL import Image as PilImage

from wyner import io
from wyner.bench import measure, registry, task
from wyner.bench.codec import Codec
from wyner.bench.experiment import parse
from wyner.bench.plan import make_plan
from wyner.bench.records import real_path
from wyner.bench.task import run_task
from wyner.image import Image


def toy(name="toy", **changes):
    """A codec that deflates, or loses low bits when told to; with a side picture it codes the difference."""

    def encode(pixels, setting, side, threads):
        kept = pixels if side is None else pixels - side
        shift = setting.get("quality", 0)
        return bytes([*kept.shape[:2], kept.shape[2]]) + zlib.compress((kept >> shift << shift).tobytes())

    def decode(data, side, threads):
        pixels = np.frombuffer(zlib.decompress(data[3:]), np.uint8).reshape(*data[:3])
        return pixels if side is None else pixels + side

    fields = {"ladder": ({},), "keys": frozenset({"quality"}), "code_parts": ("errors.py",), **changes}
    return Codec(name, ".toy", encode, decode, lambda: "toy 1", **fields)


@pytest.fixture
def codecs(monkeypatch):
    monkeypatch.setattr(registry, "_extra", {})
    return registry.register


def tasks(folder, *codecs, **table):
    """The tasks of an experiment on one picture, (40, 50, 3), and its plan."""
    if not (folder / "a.png").exists():
        io.write(folder / "a.png", Image.from_array(picture(1, 40, 50)))
    table = {"name": "t", "images": ["a.png"], "codecs": list(codecs), **table}
    return make_plan(parse(table, folder), folder / "run").tasks


def only(found):
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("name, setting", [("jpeg_420", {"quality": 30}), ("webp", {"quality": 60})])
def test_the_record_is_of_the_kept_file(tmp_path, name, setting):
    record = run_task(only(tasks(tmp_path, {"name": name, **setting})))
    path = tmp_path / "run" / record["file"]
    original = np.asarray(PilImage.open(tmp_path / "a.png"), float)
    error = np.mean((np.asarray(PilImage.open(path).convert("RGB"), float) - original) ** 2)
    assert record["mse"] == pytest.approx(error, abs=1e-9)
    assert record["psnr_db"] == pytest.approx(10 * np.log10(255**2 / error), abs=1e-9)
    assert record["bytes"] == path.stat().st_size
    assert (record["bpp"], record["bpsp"]) == pytest.approx((record["bytes"] / 250, record["bytes"] / 750))
    assert (record["width"], record["height"], record["channels"], record["bit_depth"]) == (50, 40, 3, 8)
    assert record["setting"] == setting and not record["identical"]
    assert record["ms_ssim"] is None and "ms_ssim" in record["notes"][0]  # the picture is too small for it
    assert min(record[key] for key in ("encode_s", "encode_cpu_s", "decode_s", "decode_cpu_s")) >= 0
    assert real_path(record["image_path"], tmp_path / "run").samefile(tmp_path / "a.png")
    json.dumps(record, allow_nan=False)


def test_a_wyner_codec_counts_its_work(tmp_path):
    pytest.importorskip("wyner._native", reason="the native core is not built")
    record = run_task(only(tasks(tmp_path, {"name": "wyner_overfit", "effort": 1, "quality": 30})))
    assert record["label"] == "wyner_overfit e1"
    assert 100 < record["macs_per_pixel"] < 10000
    assert record["psnr_db"] > 20


def test_the_lossless_codec_is_measured(tmp_path):
    pytest.importorskip("wyner._native", reason="the native core is not built")
    record = run_task(only(tasks(tmp_path, {"name": "wyner_lossless"}, matched={"bpp": [4.0]})))
    assert record["identical"] and record["lossless"] and record["psnr_db"] is None
    assert (record["label"], record["setting"]) == ("wyner_lossless e5", {"effort": 5})


def test_matched_rates(tmp_path):
    table = {"matched": {"bpp": [4.0]}}
    found = tasks(tmp_path, {"name": "jpeg_444", "quality": 10}, {"name": "png"}, **table)
    assert [task.target_bpp for task in found] == [None, None, 4.0]  # a lossless codec has no rate
    record = run_task(found[2])
    assert record["bpp"] == pytest.approx(4.0, rel=0.02) and record["trials"] > 1
    assert record["label"] == "jpeg_444" and 1 <= record["setting"]["quality"] <= 100
    far = run_task(dataclasses.replace(found[2], target_bpp=0.001))
    assert far["setting"]["quality"] < 3 and any("the nearest found" in note for note in far["notes"])


def test_memory_is_the_growth_while_it_runs(tmp_path, codecs):
    def encode(pixels, setting, side, threads):
        np.ones(setting["quality"] * 10**6, np.uint8).sum()
        return zlib.compress(pixels.tobytes())

    def decode(data, side, threads):
        return np.frombuffer(zlib.decompress(data), np.uint8).reshape(40, 50, 3)

    codecs(dataclasses.replace(toy(), encode=encode, decode=decode))
    found = [
        run_task(only(tasks(tmp_path, {"name": "toy", "quality": mb}, metrics=["memory"])))
        for mb in (200, 20, 200)
    ]
    if found[0]["peak_rss_mb"] is None:
        pytest.skip("this system does not tell the peak of memory")
    assert [record["peak_rss_mb"] for record in found] == pytest.approx([200, 20, 200], abs=60)


def test_a_codec_that_claims_to_be_lossless_is_checked(tmp_path, codecs):
    codecs(toy(lossless=True))
    good, bad = (run_task(task) for task in tasks(tmp_path, {"name": "toy", "quality": [0, 2]}))
    assert good["identical"] and good["psnr_db"] is None and good["mse"] == 0
    assert bad["error"] == "toy is lossless, but the picture came back changed" and bad["exit_code"] == 1


def test_side_pictures_reach_the_codecs_that_take_them(tmp_path, codecs):
    codecs(toy("with_side", takes_side=True, lossless=True))
    codecs(toy("without", lossless=True))
    io.write(tmp_path / "b.png", Image.from_array(picture(1, 40, 50) - 3))
    (tmp_path / "pairs.csv").write_text("image,side\na.png,b.png\n")
    table = {"images": [], "pairs": "pairs.csv"}
    one, other = (
        run_task(task) for task in tasks(tmp_path, {"name": "with_side"}, {"name": "without"}, **table)
    )
    assert one["identical"] and other["identical"]
    assert one["bytes"] < other["bytes"] / 10
    assert (one["side"], other["side"]) == ("b", None) and one["side_hash"] and not other["side_hash"]


def test_a_kept_file_spares_the_encoder(tmp_path, codecs):
    codecs(toy())
    first = run_task(only(tasks(tmp_path, {"name": "toy"})))

    def refuse(*_):
        raise AssertionError("encoded again")

    codecs(dataclasses.replace(toy(), encode=refuse))
    task = only(tasks(tmp_path, {"name": "toy"}, metrics=["ssimulacra2"]))
    assert task.key != first["key"] and task.encode_key == first["encode_key"]
    again = run_task(dataclasses.replace(task, reuse=first))
    assert again["file_hash"] == first["file_hash"] and again["encode_s"] == first["encode_s"]
    assert "encoded by an earlier run" in again["notes"]
    if measure.available(["memory"])["memory"]:  # the earlier run did not look at it
        with pytest.raises(AssertionError, match="encoded again"):
            run_task(dataclasses.replace(task, reuse=first, metrics=("memory",)))
        known = {**first, "peak_rss_mb": 7.5}
        assert run_task(dataclasses.replace(task, reuse=known, metrics=("memory",)))["peak_rss_mb"] == 7.5
    (tmp_path / "run" / first["file"]).write_bytes(b"something else")
    with pytest.raises(AssertionError, match="encoded again"):
        run_task(dataclasses.replace(task, reuse=first))


def test_files_go_when_they_are_not_wanted(tmp_path, codecs):
    codecs(toy())
    record = run_task(only(tasks(tmp_path, {"name": "toy"}, keep_files=False)))
    assert record["file"] is None and record["bytes"] > 0
    assert not [path for path in (tmp_path / "run").rglob("*") if path.is_file()]


@pytest.mark.parametrize("damage", ["missing", "garbage"])
def test_an_unreadable_picture(tmp_path, codecs, damage):
    codecs(toy())
    task = only(tasks(tmp_path, {"name": "toy"}))
    if damage == "missing":
        (tmp_path / "a.png").unlink()
    else:
        (tmp_path / "a.png").write_bytes(b"not a picture")
    record = run_task(task)
    assert record["kind"] == "InputError" and str(tmp_path / "a.png") in record["error"]
    assert "\n" not in record["error"] and record["key"] == task.key


def test_a_picture_that_a_codec_cannot_hold(tmp_path):
    io.write(tmp_path / "a.png", Image.from_array(picture(1, 9, 9).astype(np.uint16) * 257))
    record = run_task(only(tasks(tmp_path, {"name": "jpeg_444", "quality": 50})))
    assert record["error"] == "jpeg_444 holds 8 bits a sample, the picture has 16"


def test_a_decoder_that_returns_another_shape(tmp_path, codecs):
    codecs(dataclasses.replace(toy(), decode=lambda *_: np.zeros((3, 3, 3), np.uint8)))
    assert "decoded to (3, 3, 3)" in run_task(only(tasks(tmp_path, {"name": "toy"})))["error"]


def test_a_worker_with_other_code_refuses(tmp_path):
    task = only(tasks(tmp_path, {"name": "png"}))
    record = run_task(dataclasses.replace(task, code="0.0.9+abc.def"))
    assert "this worker runs wyner" in record["error"]


def test_the_model_is_on_record_and_a_worker_with_another_refuses(tmp_path, codecs):
    codecs(toy(model=lambda setting: "first"))
    task = only(tasks(tmp_path, {"name": "toy"}))
    assert run_task(task)["model"] == "first"
    codecs(toy(model=lambda setting: "second"))
    assert "has the model second, the run was planned with first" in run_task(task)["error"]
    assert only(tasks(tmp_path, {"name": "toy"})).encode_key != task.encode_key


def test_alpha_is_left_out_and_told_of(tmp_path):
    array = np.dstack([picture(1, 20, 20), picture(2, 20, 20)[:, :, 0]])
    io.write(tmp_path / "a.png", Image.from_array(array))
    record = run_task(only(tasks(tmp_path, {"name": "png"})))
    assert record["identical"] and record["channels"] == 3 and "alpha was left out" in record["notes"]


def test_no_half_file_is_ever_seen(tmp_path, codecs, monkeypatch):
    codecs(toy())
    task = only(tasks(tmp_path, {"name": "toy"}))

    def full(self, data):
        with open(self, "wb") as file:
            file.write(data[:5])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert run_task(task)["error"].endswith("No space left on device")
    assert not [path for path in (tmp_path / "run").rglob("*") if path.is_file()]


@pytest.mark.skipif(os.name != "posix", reason="there is no harmless signal to ask with")
def test_what_a_killed_run_was_writing_goes(tmp_path):
    """And what another process is writing stays."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    path = tmp_path / "a[1].jpg"
    made = task._write_whole(path, b"first")
    assert [p.name for p in tmp_path.iterdir()] == ["a[1].jpg"] and made == path
    node = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
    for process in (ended.pid, os.getppid()):
        (tmp_path / f".a[1].jpg.{node}.{process}.part").write_bytes(b"half")
    task._write_whole(path, b"second")
    assert path.read_bytes() == b"second"
    assert [p.name for p in tmp_path.glob(".*")] == [f".a[1].jpg.{node}.{os.getppid()}.part"]
