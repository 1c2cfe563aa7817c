"""What the bench gives for a side picture: right, coded, wrong, none; on record and in the report."""

import dataclasses
import json
import re
from contextlib import closing

import numpy as np
import pytest
from bench_sample import picture
from conftest import REPOSITORY

from wyner import api, io
from wyner.batch.executor import InlineExecutor
from wyner.batch.manifest import Manifest
from wyner.bench import given, registry
from wyner.bench.experiment import load, parse
from wyner.bench.plan import make_plan
from wyner.bench.records import read_run
from wyner.bench.run import describe_run, execute, pending
from wyner.bench.task import run_task
from wyner.errors import UsageError
from wyner.image import Image

pytest.importorskip("wyner._native", reason="the native core is not built")

CODECS = [
    {"name": "wyner_overfit", "effort": 1, "quality": 40},
    {"name": "wyner_side", "effort": 1, "quality": 40, "side": list(given.CONTROLS)},
]


def write_pairs(folder, count=2):
    """Pairs of (40, 56, 3) in which each side picture is the picture, 3 pixels to the left and darker."""
    rows = ["image,side"]
    for seed in range(count):
        wide = picture(seed, 40, 59)
        io.write(folder / f"x{seed}.png", Image.from_array(wide[:, :-3]), overwrite=True)
        io.write(folder / f"y{seed}.png", Image.from_array(wide[:, 3:] - 5), overwrite=True)
        rows.append(f"x{seed}.png,y{seed}.png")
    (folder / "pairs.csv").write_text("\n".join(rows))


def plan_of(folder, **table):
    table = {"name": "t", "pairs": "pairs.csv", "codecs": CODECS, "metrics": [], **table}
    experiment = parse(table, folder)
    return experiment, make_plan(experiment, folder / "run")


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A run of two pairs with all controls: its folder, and the records of the first by what was given."""
    folder = tmp_path_factory.mktemp("pairs")
    write_pairs(folder)
    experiment, plan = plan_of(folder)
    assert not plan.problems and len(plan.tasks) == 10
    run = folder / "run"
    describe_run(experiment, run, [])
    with closing(Manifest(run / "records-1-of-1.jsonl")) as log:
        records = list(execute(plan.tasks, InlineExecutor(), log, window=4))
    assert not [record["error"] for record in records if "error" in record]
    return run, {record["side_given"]: record for record in records if record["image"] == "x0"}


def test_records_tell_what_was_given(measured):
    run, records = measured
    assert set(records) == {None, *given.CONTROLS}
    assert {key: record["side"] for key, record in records.items()} == {
        None: None,
        **dict.fromkeys(given.CONTROLS, "y0"),
    }
    assert [records[key]["side_path"] for key in (None, *given.CONTROLS)] == [
        None, "../y0.png", "../y1.png", "../y0.png", None,
    ]  # fmt: skip
    assert records["wrong"]["label"] == "wyner_side e1 side=wrong"
    assert [key for key, record in records.items() if record["side_file"]] == ["coded"]
    side_file = (run / records["coded"]["side_file"]).read_bytes()
    assert api.info(side_file).codec == "overfit" and len(side_file) == records["coded"]["side_file_bytes"]


def test_the_right_one_is_worth_most(measured):
    size = {key: record["bytes"] for key, record in measured[1].items()}
    assert size["right"] < 0.95 * min(size["wrong"], size["none"])
    assert size["coded"] < min(size["wrong"], size["none"])


def test_each_record_is_decoded_again(measured):
    run, records = measured
    original = io.read(run.parent / "x0.png").pixels.astype(float)
    for record in records.values():
        side = given.of_record(record, run)
        decoded = registry.by_name(record["codec"]).decode((run / record["file"]).read_bytes(), side, 1)
        assert np.mean((decoded - original) ** 2) == pytest.approx(record["mse"])
    coded = (run / records["coded"]["file"]).read_bytes()
    side = api.decode((run / records["coded"]["side_file"]).read_bytes())
    assert np.array_equal(api.decode(coded, side=side).pixels, api.decode(coded, side=side.pixels).pixels)


def test_a_kept_file_is_taken_over_with_its_side_file(measured, monkeypatch):
    run, records = measured
    _, plan = plan_of(run.parent, metrics=["ms_ssim"])
    task = next(t for t in pending(plan.tasks, run) if t.setting.get("side") == "coded" and t.image == "x0")
    with monkeypatch.context() as patch:
        patch.setattr(given, "make", None)  # neither coded nor read again
        again = run_task(task)
    assert again["file_hash"] == records["coded"]["file_hash"] and "earlier run" in again["notes"][0]
    path = run / records["coded"]["side_file"]
    data = path.read_bytes()
    path.write_bytes(data + b"x")
    assert "encoded by an earlier run" not in run_task(task)["notes"]
    assert path.read_bytes() == data


def test_files_that_are_not_kept(measured, tmp_path):
    write_pairs(tmp_path)
    codecs = [{**CODECS[1], "side": "coded"}]
    _, plan = plan_of(tmp_path, codecs=codecs, keep_files=False, matched={"bpp": [2.0]})
    record = run_task(next(task for task in plan.tasks if task.target_bpp))
    assert record["setting"]["target_bpp"] == 2.0 and record["side_file"] is None
    assert not [path for path in (tmp_path / "run").rglob("*") if path.is_file()]


def test_the_report_shows_the_aligned_side_picture(measured, tmp_path):
    pytest.importorskip("scipy", reason="BD-rates need SciPy")
    from wyner.bench.report import build
    from wyner.bench.report.pictures import LeftOut, warped_side

    run, records = measured
    text = build(run, tmp_path / "report.html").read_text(encoding="utf-8")
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)[1])
    assert [image["name"] for image in data["images"]] == ["x0", "x1"]  # and not once more as pairs
    pictures = {image[key] for image in data["images"] for key in ("original", "side")}
    assert len(pictures) == 4 and min(pictures) >= 0
    assert not [note for note in data["missing"] if "side picture" in note]
    warped = warped_side(run, records["right"]).astype(int)
    original = io.read(run.parent / "x0.png").pixels.astype(int)
    assert np.median(np.abs(warped - original)) < 8 < np.median(np.abs(warped[:, 3:] - original[:, :-3]))
    with pytest.raises(LeftOut):
        warped_side(run, records[None])


def test_latents_of_the_coded_side_picture(measured, tmp_path):
    write_pairs(tmp_path)
    codecs = [{**CODECS[1], "side": "coded", "options": {"side_mode": "latents"}}]
    _, plan = plan_of(tmp_path, codecs=codecs)
    record = run_task(plan.tasks[0])
    assert record["side_given"] == "coded" and record["bytes"] > 0


def test_a_wrong_one_is_unlike_both_of_the_pair():
    pairs = [("a", "b"), ("c", "d"), ("e", "f"), ("g", "h"), ("i", "j")]
    assert given.wrong_ones(pairs) == [2, 3, 4, 0, 1]
    assert given.wrong_ones([("a", "b"), ("b", "a")]) == [None, None]
    assert given.wrong_ones([("a", "b"), ("b", "a"), ("c", "d")]) == [2, 2, 0]
    assert given.wrong_ones([("a", "s"), ("b", "s")]) == [None, None]
    assert given.wrong_ones([]) == []


def test_one_pair_has_no_wrong_side_picture(tmp_path):
    write_pairs(tmp_path, 1)
    _, plan = plan_of(tmp_path)
    assert [str(error) for _, error in plan.problems] == [
        "side = wrong takes another pair, of other pictures; the list has none"
    ]
    assert [task.setting.get("side") for task in plan.tasks] == [None, "right", "coded", "none"]


def test_keys_follow_what_is_given(tmp_path):
    def keys():
        return {t.setting.get("side"): t.encode_key for t in plan_of(tmp_path)[1].tasks if t.image == "x0"}

    write_pairs(tmp_path)
    before = keys()
    io.write(tmp_path / "y1.png", Image.from_array(picture(9, 40, 56)), overwrite=True)
    after = keys()
    assert len(set(before.values())) == 5
    assert [key for key in before if before[key] != after[key]] == ["wrong"]


def test_settings_that_are_none(tmp_path):
    write_pairs(tmp_path)
    with pytest.raises(UsageError, match="'left' is none of right, wrong, coded, none"):
        plan_of(tmp_path, codecs=[{"name": "wyner_side", "side": "left"}])
    with pytest.raises(UsageError, match="has no setting"):
        plan_of(tmp_path, codecs=[{"name": "wyner_overfit", "side": "right"}])


def test_a_wrong_one_that_cannot_be_read_does_not_end_the_picture(tmp_path):
    write_pairs(tmp_path)
    (tmp_path / "y1.png").write_text("junk")
    _, plan = plan_of(tmp_path)
    tasks = {(task.image, task.setting.get("side")): task for task in plan.tasks}
    assert run_task(tasks["x0", "wrong"])["kind"] == "SideInputError"
    assert run_task(tasks["x1", "right"])["kind"] == "SideInputError"
    unable = dataclasses.replace(registry.by_name("wyner_side"), code_side=None)
    with pytest.raises(UsageError, match="codes no side pictures"):
        given.make(unable, {"side": "coded"}, picture(0, 8, 8), picture(0, 8, 8), 1)


def test_an_unreadable_side_picture_is_told_of_once_and_stops_no_other_task(tmp_path):
    write_pairs(tmp_path)
    (tmp_path / "y0.png").write_text("junk")
    codecs = [{**CODECS[1], "side": ["right", "coded", "wrong", "none"]}, CODECS[0]]
    _, plan = plan_of(tmp_path, codecs=codecs)
    (tmp_path / "run").mkdir()
    with closing(Manifest(tmp_path / "run" / "records-1-of-1.jsonl")) as log:
        records = list(execute(plan.tasks, InlineExecutor(), log, window=1))
    failed = [record for record in records if "error" in record]
    assert [(record["image"], record["kind"]) for record in failed] == [("x0", "SideInputError")]
    assert str(tmp_path / "y0.png") in failed[0]["error"]
    done = [(record["image"], record["side_given"]) for record in records if "error" not in record]
    assert done == [
        ("x0", "wrong"), ("x0", "none"), ("x0", None),
        ("x1", "right"), ("x1", "coded"), ("x1", "none"), ("x1", None),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["wyner_side", "wyner_refine", "wyner_ndic"])
def test_pictures_without_a_side_picture_are_told_of_and_not_measured(tmp_path, name):
    write_pairs(tmp_path)
    io.write(tmp_path / "alone.png", Image.from_array(picture(7, 40, 56)))
    codecs = [{"name": name, "quality": [20, 40], "side": ["right", "none"]}, CODECS[0]]
    _, plan = plan_of(tmp_path, images=["alone.png", "x0.png"], codecs=codecs)
    assert [(what, str(error)) for what, error in plan.problems] == [
        ("alone", f"{name} takes pictures of a pair list; this one is of none")
    ]
    found = [(task.image, task.setting.get("side")) for task in plan.tasks]
    assert sorted(set(found), key=str) == [
        ("alone", "none"), ("alone", None),
        *((image, side) for image in ("x0", "x1") for side in ("none", "right", None)),
    ]  # fmt: skip
    assert len(found) == 2 * (1 + 2 + 2) + 3 and plan.images == ["alone", "x0", "x1"]
    codec = registry.by_name(name)
    with pytest.raises(UsageError, match="takes a side picture, and there is none"):
        given.make(codec, {"side": "right"}, None, picture(0, 8, 8), 1)


def test_side_pictures_of_one_name_are_told_apart(tmp_path):
    wide = picture(1, 40, 56)
    io.write(tmp_path / "left.png", Image.from_array(wide))
    for folder, dark in (("d1", 5), ("d2", 9)):
        (tmp_path / folder).mkdir()
        io.write(tmp_path / folder / "right.png", Image.from_array(wide - dark))
    (tmp_path / "pairs.csv").write_text("image,side\nleft.png,d1/right.png\nleft.png,d2/right.png\n")
    experiment, plan = plan_of(tmp_path, codecs=[{**CODECS[1], "side": ["right", "none"]}, CODECS[0]])
    assert plan.images == ["left"]
    describe_run(experiment, tmp_path / "run", [])
    with closing(Manifest(tmp_path / "run" / "records-1-of-1.jsonl")) as log:
        list(execute(plan.tasks, InlineExecutor(), log, window=4))
    found = {(r["side"], r["side_given"]) for r in read_run(tmp_path / "run")[0]}
    assert found >= {("d1/right", "right"), ("d2/right", "right"), (None, None)}


def test_the_experiment_of_the_project(tmp_path, monkeypatch):
    monkeypatch.setenv("WYNER_DATA", str(tmp_path))
    experiment = load(REPOSITORY / "benchmarks" / "stereo.toml")
    (listed,) = experiment.pairs
    for number, line in enumerate(listed.read_text().splitlines()[1:]):
        for seed, name in enumerate(line.split(",")):
            path = tmp_path / name.removeprefix("$WYNER_DATA/")
            path.parent.mkdir(parents=True, exist_ok=True)
            io.write(path, Image.from_array(picture(2 * number + seed, 9, 9)))
    plan = make_plan(experiment, tmp_path / "run")
    assert len(plan.images) == 3 and len(plan.tasks) == 3 * 4 * 5


def test_refined_files_know_of_no_side_picture(tmp_path):
    write_pairs(tmp_path)
    codecs = [
        {"name": "wyner_overfit", "effort": 1, "quality": 25},
        {"name": "wyner_refine", "effort": 1, "quality": 25, "side": list(given.CONTROLS)},
    ]
    experiment, plan = plan_of(tmp_path, codecs=codecs)
    describe_run(experiment, tmp_path / "run", [])
    with closing(Manifest(tmp_path / "run" / "records-1-of-1.jsonl")) as log:
        records = list(execute(plan.tasks, InlineExecutor(), log, window=4))
    assert not [record["error"] for record in records if "error" in record]
    for image in ("x0", "x1"):
        of = {record["side_given"]: record for record in records if record["image"] == image}
        assert set(of) >= set(given.CONTROLS)
        assert len({record["file_hash"] for record in of.values()}) == 1
        assert of["none"]["psnr_db"] == of[None]["psnr_db"]
