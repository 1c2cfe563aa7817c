"""Runs and their records: resuming, merging, what is newest."""

import shutil
from contextlib import closing

import pytest
from bench_sample import picture

from wyner import io
from wyner.batch.executor import InlineExecutor
from wyner.batch.manifest import Manifest
from wyner.batch.shard import Shard
from wyner.bench import records
from wyner.bench.experiment import parse
from wyner.bench.plan import make_plan
from wyner.bench.run import describe_run, execute, pending, read_description
from wyner.errors import CorruptError, UsageError
from wyner.image import Image


@pytest.fixture
def plan(tmp_path):
    for index, name in enumerate("ab"):
        io.write(tmp_path / f"{name}.png", Image.from_array(picture(index, 24, 30)))
    table = {
        "name": "t",
        "images": ["a.png", "b.png"],
        "codecs": [{"name": "jpeg_444", "quality": [9, 50, 90]}],
    }
    return make_plan(parse(table, tmp_path), tmp_path / "run")


def run(folder, tasks, shard=None, window=2):
    """Run tasks, and return their records."""
    folder.mkdir(exist_ok=True)
    with closing(Manifest(folder / (shard or Shard()).file_name("records"))) as log:
        return list(execute(pending(tasks, folder), InlineExecutor(), log, window))


def test_a_rerun_has_nothing_to_do(tmp_path, plan):
    folder = tmp_path / "run"
    first = run(folder, plan.tasks)
    assert len(first) == 6 and not pending(plan.tasks, folder)
    measured, failed = records.read_run(folder)
    assert measured == first and not failed


def test_a_torn_line_costs_that_task_only(tmp_path, plan):
    folder = tmp_path / "run"
    run(folder, plan.tasks)
    path = folder / "records-1-of-1.jsonl"
    path.write_bytes(path.read_bytes()[:-40])
    left = pending(plan.tasks, folder)
    assert [task.key for task in left] == [plan.tasks[-1].key]
    assert left[0].reuse is None
    assert len(run(folder, plan.tasks)) == 1
    assert len(records.read_run(folder)[0]) == 6


def test_a_damaged_line_is_told_of(tmp_path, plan):
    run(tmp_path / "run", plan.tasks)
    path = tmp_path / "run/records-1-of-1.jsonl"
    path.write_bytes(b"#" + path.read_bytes())
    with pytest.raises(CorruptError, match="line 1"):
        records.read_run(tmp_path / "run")


def test_shards_together_are_the_whole(tmp_path, plan):
    folders = []
    for number in (1, 2, 3):
        shard = Shard(number, 3)
        folders.append(tmp_path / f"machine{number}")
        mine = [task for task in plan.tasks if shard.holds(task.key)]
        run(folders[-1], mine, shard)
    for folder in folders[1:]:
        shutil.copytree(folder, folders[0], dirs_exist_ok=True)
    merged, _ = records.read_run(folders[0])
    assert {record["key"] for record in merged} == {task.key for task in plan.tasks}
    assert not pending(plan.tasks, folders[0])


def test_failures_are_tried_again_and_forgotten_once_measured(tmp_path, plan):
    folder = tmp_path / "run"
    content = (tmp_path / "b.png").read_bytes()
    (tmp_path / "b.png").unlink()
    told = run(folder, plan.tasks, window=1)
    assert [("error" in record) for record in told] == [False] * 3 + [True]
    assert len(records.read_run(folder)[1]) == 1
    (tmp_path / "b.png").write_bytes(content)
    assert len(run(folder, plan.tasks)) == 3
    measured, failed = records.read_run(folder)
    assert len(measured) == 6 and not failed


def test_an_unreadable_picture_is_told_of_once(tmp_path, plan):
    (tmp_path / "a.png").write_bytes(b"garbage")
    told = run(
        tmp_path / "run", plan.tasks, window=2
    )  # a second task of it is under way when the first fails
    assert [record.get("kind") for record in told] == ["InputError", None, None, None]


def test_the_newest_record_counts():
    old = {
        "key": "1",
        "codec": "c",
        "setting": {"q": 1},
        "label": "c",
        "image": "i",
        "measured": "2026-01-01",
    }
    new = {**old, "key": "2", "measured": "2026-01-02"}
    other = {**old, "key": "3", "setting": {"q": 2}}
    assert records.newest([new, old, other]) == [new, other]
    matched = [{**new, "target_bpp": 0.5, "setting": {"q": q}, "key": str(q)} for q in (7, 8)]
    assert len(records.newest(matched)) == 1  # one rate asked for, whatever setting was found


def test_merging_keeps_the_first_of_equals():
    a, twin = {"key": "1", "n": 1}, {"key": "1", "n": 2}
    bad, worse = {"key": "1", "error": "x"}, {"key": "2", "error": "y"}
    assert records.merge([bad, a, twin, worse]) == ([a], [worse])


def test_paths_survive_another_place(tmp_path, monkeypatch):
    data, run_folder = tmp_path / "data", tmp_path / "runs/one"
    for path in (data / "set/a.png", tmp_path / "runs/b.png"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    monkeypatch.setenv("WYNER_DATA", str(data))
    inside = records.portable_path(str(data / "set/a.png"), run_folder)
    outside = records.portable_path(str(tmp_path / "runs/b.png"), run_folder)
    assert (inside, outside) == ("$WYNER_DATA/set/a.png", "../b.png")
    run_folder.mkdir()
    assert records.real_path(inside, run_folder).samefile(data / "set/a.png")
    assert records.real_path(outside, run_folder).samefile(tmp_path / "runs/b.png")
    monkeypatch.delenv("WYNER_DATA")
    with pytest.raises(UsageError, match="set WYNER_DATA"):
        records.real_path(inside, run_folder)


def test_descriptions(tmp_path, plan):
    table = {"name": "n", "images": ["a.png"], "codecs": [{"name": "png"}], "matched": {"bpp": [1]}}
    describe_run(parse(table, tmp_path), tmp_path / "run", [])
    found = read_description(tmp_path / "run")
    assert (found["name"], found["matched"]["bpp"], found["published"]) == ("n", [1.0], [])
    assert read_description(tmp_path / "nothing")["name"] == "nothing"
    for damage in (b'{"name": ', b"[]", b"\xff"):
        (tmp_path / "run" / "experiment.json").write_bytes(damage)
        with pytest.raises(CorruptError, match=r"experiment\.json is damaged"):
            read_description(tmp_path / "run")


def test_a_folder_without_records(tmp_path):
    with pytest.raises(UsageError, match="holds no records"):
        records.read_run(tmp_path)
