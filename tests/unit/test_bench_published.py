"""Published curves, as the guide describes their files."""

import json
import os
from pathlib import Path

import pytest
from conftest import REPOSITORY

from wyner.bench.published import load
from wyner.errors import CorruptError, UsageError

MEANS = {
    "dataset": "Set, 24 images",
    "codecs": {
        "A": {"source": "paper A", "bpp": [0.1, 0.2], "psnr_db": [30, 33], "ms_ssim": [0.9, 0.95]},
        "B": {"source": "paper B", "bpp": [0.3], "psnr_db": [31], "params": 5},
    },
}
SINGLE = """codec,image,setting,bpp,psnr_db,msssim
A,one,1,0.1,30,0.9
A,one,2,0.3,34,0.95
A,two,2,0.5,36,
A,two,1,0.2,32,
A,three,1,9,9,9
C,one,1,0.4,35,0.9
"""


@pytest.fixture
def files(tmp_path):
    (tmp_path / "means.json").write_text(json.dumps(MEANS))
    (tmp_path / "single.csv").write_text(SINGLE)
    return [tmp_path / "means.json", tmp_path / "single.csv"]


def test_means_are_as_published(files):
    a, b = load(files[:1])
    assert (a.name, a.source, a.over, a.image) == ("A", "paper A", "Set, 24 images", None)
    assert a.points[1] == {"bpp": 0.2, "psnr_db": 33.0, "ms_ssim": 0.95}
    assert b.points == ({"bpp": 0.3, "psnr_db": 31.0},)


def test_images_of_the_run_and_their_mean(files):
    found = load(files, images=["one", "two"])
    assert [(c.name, c.image) for c in found] == [
        ("B", None), ("A", None), ("A", "one"), ("A", "two"), ("C", "one"),
    ]  # fmt: skip
    mean = found[1]
    assert mean.over == "2 images of this run" and mean.source == "paper A"
    assert mean.points == (
        {"setting": "1", "bpp": pytest.approx(0.15), "psnr_db": 31.0},
        {"setting": "2", "bpp": 0.4, "psnr_db": 35.0},
    )
    assert found[2].source == "paper A" and found[4].source == "single.csv"


def test_without_every_image_the_published_mean_stays(files):
    found = load(files, ["A"], images=["one", "nowhere"])
    assert [(c.name, c.image, c.over) for c in found] == [
        ("A", None, "Set, 24 images"),
        ("A", "one", "single"),
    ]


def test_other_forms(tmp_path):
    series = {
        "dataset": "D",
        "columns": ["bpp", "MS-SSIM dB = -10log10(1-x)"],
        "sources": {"X": "u", "Y": "v"},
    }
    (tmp_path / "s.json").write_text(json.dumps({**series, "series": {"X": [[0.1, 12]]}}))
    measured = {"J": {"version": "v1", "command": "c", "points": [{"quality": 3, "bpp": 1, "psnr": 30}]}}
    (tmp_path / "m.json").write_text(json.dumps(measured))
    x, j = load([tmp_path / "s.json", tmp_path / "m.json"])
    assert x.points == ({"bpp": 0.1, "ms_ssim_db": 12},) and x.source == "X: u; Y: v"
    assert j.points == ({"bpp": 1.0, "psnr_db": 30.0},) and j.source == "v1: c"


def test_columns_of_a_series_that_nobody_knows_are_left_out(tmp_path):
    table = {
        "sources": "u",
        "columns": ["bpp", "VMAF", "PSNR dB", "seconds"],
        "series": {"X": [[0.1, 80, 30, 7]]},
    }
    (tmp_path / "s.json").write_text(json.dumps(table))
    assert load([tmp_path / "s.json"])[0].points == ({"bpp": 0.1, "psnr_db": 30.0},)
    table["columns"][0] = "rate"
    (tmp_path / "s.json").write_text(json.dumps(table))
    with pytest.raises(CorruptError, match="KeyError 'bpp'"):
        load([tmp_path / "s.json"])


@pytest.mark.parametrize(
    "rows",
    ["A,one,,0.1,30\nA,one,,0.3,34\n", "A,one,1,0.1,30\nA,one,,0.3,34\n", "A,one,1,0.1,30\nA,one,1,0.3,34\n"],
)
def test_points_that_cannot_be_told_apart_have_no_mean(tmp_path, rows):
    both = rows + rows.replace("one", "two")
    (tmp_path / "x.csv").write_text(f"codec,image,setting,bpp,psnr_db\n{both}")
    (tmp_path / "means.json").write_text(json.dumps(MEANS))
    found = load([tmp_path / "means.json", tmp_path / "x.csv"], ["A"], images=["one", "two"])
    assert [(curve.image, curve.over) for curve in found] == [
        (None, "Set, 24 images"), ("one", "x"), ("two", "x"),
    ]  # fmt: skip
    assert all(len(curve.points) == 2 for curve in found)


@pytest.mark.parametrize("value", ["inf", "-inf", "nan"])
def test_values_that_are_not_finite_are_none(tmp_path, value):
    (tmp_path / "x.csv").write_text(f"codec,image,setting,bpp,psnr_db,msssim\nA,one,1,0.1,{value},0.9\n")
    assert load([tmp_path / "x.csv"], images=["one"])[0].points == (
        {"bpp": 0.1, "ms_ssim": 0.9, "setting": "1"},
    )
    number = json.dumps(float(value))
    (tmp_path / "s.json").write_text(
        f'{{"columns": ["bpp", "PSNR"], "sources": "u", "series": {{"X": [[0.1, {number}]]}}}}'
    )
    assert load([tmp_path / "s.json"])[0].points == ({"bpp": 0.1},)


@pytest.mark.parametrize("rate", ["inf", "nan", "0", "-1"])
def test_rates_that_are_none(tmp_path, rate):
    (tmp_path / "x.csv").write_text(f"codec,image,setting,bpp,psnr_db\nA,one,1,{rate},30\n")
    with pytest.raises(CorruptError, match=f"x.csv: not a file of published curves: .*bpp of {rate}"):
        load([tmp_path / "x.csv"], images=["one"])


def test_unknown_names(files):
    with pytest.raises(UsageError, match=r"published.curves: no file holds 'Z'; there are: A, B, C"):
        load(files, ["Z"])


@pytest.mark.parametrize("text", ["", "[]", "[1]", '{"codecs": {"A": {"bpp": [1]}}}', '{"A": 3}'])
def test_other_files(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(CorruptError, match=r"x\.json: not a file of published curves"):
        load([tmp_path / "x.json"])


def test_the_curves_beside_the_data():
    data = Path(os.environ.get("WYNER_DATA", REPOSITORY.parent / "shared" / "data"))
    folder = data.parent / "anchors"
    if not folder.is_dir():
        pytest.skip(f"no published points in {folder}; set WYNER_DATA to a folder with anchors beside it")
    files = [path for path in sorted(folder.glob("k*_*.*")) if "lossless" not in path.name]
    found = load([f for f in files if "matched" not in f.name], images=["kodim01", "kodim23"])
    names = {curve.name for curve in found}
    assert {"VTM", "Cool-Chic 5.0", "jpeg2000", "DSIN"} <= names
    assert all(curve.points and curve.source for curve in found)
