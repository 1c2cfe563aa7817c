"""Plans: what makes two tasks the same, how pictures are found and named, what cannot be done."""

import dataclasses
import hashlib
import os
import sys
from importlib import resources
from pathlib import Path

import pytest
from bench_sample import picture

from wyner import io
from wyner.bench import measure, plan, registry
from wyner.bench.experiment import parse
from wyner.bench.plan import make_plan
from wyner.errors import UsageError
from wyner.image import Image

WEIGHTS = Path(str(resources.files("wyner") / "weights"))
CODECS = [{"name": "jpeg_444", "quality": [10, 20]}, {"name": "png"}]


def experiment(folder, **table):
    return parse({"name": "t", "images": ["*.png"], "codecs": CODECS, **table}, folder)


def keys(folder, **table):
    return {task.key for task in make_plan(experiment(folder, **table), folder / "run").tasks}


def write(path, seed=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    io.write(path, Image.from_array(picture(seed, 9, 9)), overwrite=True)


def test_keys_tell_measurements_apart(tmp_path, monkeypatch):
    write(tmp_path / "a.png")
    first = keys(tmp_path)
    assert len(first) == 3 and first == keys(tmp_path)
    assert first == keys(tmp_path, name="other", description="x", threads=2, keep_files=False)
    assert len(first & keys(tmp_path, codecs=[{"name": "jpeg_444", "quality": [10, 30]}])) == 1
    assert not first & keys(tmp_path, metrics=["lpips"])
    matched = keys(tmp_path, matched={"bpp": [1.0]})
    assert first < matched and len(matched) == 4
    assert len(matched & keys(tmp_path, matched={"bpp": [1.0], "tolerance": 0.1})) == 3
    write(tmp_path / "a.png", seed=2)
    assert not first & keys(tmp_path)
    write(tmp_path / "a.png")
    monkeypatch.setattr(plan, "code_of", lambda codec: "other")
    assert not first & keys(tmp_path)


def test_a_metric_that_is_installed_later_is_measured_then(tmp_path, monkeypatch):
    write(tmp_path / "a.png")
    table = {"metrics": ["ssimulacra2"]}
    monkeypatch.setattr(measure, "find_spec", lambda name: None)
    before = make_plan(experiment(tmp_path, **table), tmp_path / "run").tasks
    monkeypatch.setattr(measure, "find_spec", lambda name: name)
    after = make_plan(experiment(tmp_path, **table), tmp_path / "run").tasks
    assert not {t.key for t in before} & {t.key for t in after}
    assert [t.encode_key for t in before] == [t.encode_key for t in after]


def test_anchors_do_not_depend_on_our_codecs(tmp_path, monkeypatch):
    write(tmp_path / "a.png")
    codecs = [*CODECS, {"name": "wyner_overfit", "quality": 3}]
    before = make_plan(experiment(tmp_path, codecs=codecs), tmp_path / "run").tasks
    code_hash = plan.code_hash
    monkeypatch.setattr(
        plan, "code_hash", lambda parts: "x" if parts[0].startswith("-") else code_hash(parts)
    )
    after = make_plan(experiment(tmp_path, codecs=codecs), tmp_path / "run").tasks
    same = [a.encode_key == b.encode_key for a, b in zip(before, after, strict=True)]
    assert same == [True, True, True, False]


def test_pictures_of_folders_patterns_and_files(tmp_path):
    for name in ("in/a.png", "in/deep/b.png", "x1.png", "x2.png", "odd.dat.png"):
        write(tmp_path / name)
    (tmp_path / "in/notes.txt").write_text("no picture")
    found = make_plan(
        experiment(tmp_path, images=["in", "x?.png", "odd.dat.png", "x1.png"]), tmp_path / "run"
    )
    assert found.images == ["a", "b", "x1", "x2", "odd.dat"] and not found.problems


def test_pictures_of_one_name_get_their_folders(tmp_path):
    for name in ("one/a.png", "two/a.png", "two/b.png", "x/two/b.jpg"):
        write(tmp_path / name)
    found = make_plan(experiment(tmp_path, images=["one", "two", "x"]), tmp_path / "run")
    assert len(set(found.images)) == 4
    assert found.images[:2] == ["one/a", "two/a"]


def test_what_is_not_there_is_a_problem_and_the_rest_goes_on(tmp_path, monkeypatch):
    write(tmp_path / "a.png")
    (tmp_path / "pairs.csv").write_text("image,side\na.png,missing.png\na.png,a.png\n,\n")
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    codecs = [*CODECS, {"name": "jpegls"}, {"name": "jpegxl_e7"}]
    table = {"images": ["a.png", "gone.png", "*.nothing"], "pairs": "pairs.csv", "codecs": codecs}
    found = make_plan(experiment(tmp_path, **table), tmp_path / "run")
    told = [f"{name}: {error}" for name, error in found.problems]
    assert len(told) == 6 and not any("\n" in line for line in told)
    for part in (
        "jpegls: needs",
        "jpegxl_e7: needs",
        "no file fits",
        "line 2: there is no file",
        "gone",
        "line 4",
    ):
        assert any(part in line for line in told), part
    assert len(found.tasks) == 3  # once for the picture alone and in a pair, since no codec takes a side


def test_a_pair_list_without_its_columns(tmp_path):
    write(tmp_path / "a.png")
    (tmp_path / "pairs.csv").write_text("left,right\na.png,a.png\n")
    with pytest.raises(UsageError, match="columns image and side"):
        make_plan(experiment(tmp_path, pairs="pairs.csv"), tmp_path / "run")


def test_side_pictures_belong_to_the_key_of_codecs_that_take_them(tmp_path, monkeypatch):
    write(tmp_path / "a.png")
    write(tmp_path / "s1.png", 3)
    write(tmp_path / "s2.png", 4)
    png = registry.by_name("png")
    monkeypatch.setattr(
        registry, "_extra", {"sided": dataclasses.replace(png, name="sided", takes_side=True)}
    )
    found = []
    for side in ("s1", "s2"):
        (tmp_path / "pairs.csv").write_text(f"image,side\na.png,{side}.png\n")
        table = {"images": [], "pairs": "pairs.csv", "codecs": [{"name": "png"}, {"name": "sided"}]}
        found.append(make_plan(experiment(tmp_path, **table), tmp_path / "run").tasks)
    assert found[0][0].key == found[1][0].key and found[0][1].key != found[1][1].key


@pytest.mark.parametrize(
    "codec, models", [("wyner_learned", ("hyperprior", "factorised")), ("wyner_ndic", ("ndic", "ndic-none"))]
)
def test_a_model_that_is_replaced_is_measured_again(tmp_path, monkeypatch, codec, models):
    pytest.importorskip("wyner._native", reason="the native core is not built")
    write(tmp_path / "a.png")
    write(tmp_path / "s.png", 3)
    (tmp_path / "pairs.csv").write_text("image,side\na.png,s.png\n")
    monkeypatch.setenv("WYNER_MODELS", str(tmp_path))
    wanted = [{"name": codec, "quality": 3, "options": {"model": "mine"}}, {"name": "png"}]
    found = []
    for model in (*models, models[0]):
        data = (WEIGHTS / f"{model}.safetensors").read_bytes()
        (tmp_path / "mine.safetensors").write_bytes(data)
        os.utime(tmp_path / "mine.safetensors", (len(found), len(found)))  # clocks may be coarse
        table = {"images": [], "pairs": "pairs.csv", "codecs": wanted, "matched": {"bpp": [1.0]}}
        tasks = make_plan(experiment(tmp_path, **table), tmp_path / "run").tasks
        name = hashlib.sha256(data).hexdigest()[:16]  # as files name their model
        assert [task.model for task in tasks] == [name, None, name]
        found.append([task.encode_key for task in tasks])
    first, second, third = found
    assert first == third
    assert [a == b for a, b in zip(first, second, strict=True)] == [False, True, False]


def test_a_model_that_is_not_there_is_a_problem_and_the_rest_goes_on(tmp_path):
    pytest.importorskip("wyner._native", reason="the native core is not built")
    write(tmp_path / "a.png")
    write(tmp_path / "b.png", 2)
    options = {"model": "nobody's"}
    codecs = [{"name": "wyner_learned", "options": options}, {"name": "wyner_learned", "quality": 3}]
    found = make_plan(experiment(tmp_path, codecs=codecs), tmp_path / "run")
    ((name, error),) = found.problems
    assert name == "wyner_learned" and 'no model is called "nobody\'s"' in str(error)
    assert [(task.image, task.setting) for task in found.tasks] == [(i, {"quality": 3}) for i in "ab"]
