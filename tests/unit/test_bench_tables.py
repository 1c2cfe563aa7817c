"""Means, exports, BD-rates and matched rates, on records with known answers."""

import csv
import json
import re

import numpy as np
import pytest

from wyner.bench import matched
from wyner.bench.averages import mean_points
from wyner.bench.export import CSV_COLUMNS, write_compressai, write_csv
from wyner.bench.table import tables
from wyner.bench.table_text import to_text
from wyner.errors import CorruptError, UsageError

IMAGES = [f"i{n}" for n in range(6)]


def record(codec, quality, image, factor=1.0, **fields):
    """A file of a codec whose PSNR is 30 + 6 log2(rate / factor) on the first image."""
    bpp = factor * 0.1 * 2 ** (quality + 0.1 * IMAGES.index(image))
    psnr = 30 + 6 * quality + 0.5 * IMAGES.index(image)
    mse = 255**2 / 10 ** (psnr / 10)
    return {
        "key": f"{codec}-{quality}-{image}", "codec": codec, "label": codec, "setting": {"quality": quality},
        "lossless": False, "image": image, "side": None, "bit_depth": 8, "bytes": 1000, "bpp": bpp,
        "bpsp": bpp / 3, "mse": mse, "psnr_db": psnr, "identical": False, "ms_ssim": 0.9, "ms_ssim_db": 10.0,
        "lpips": None, "ssimulacra2": None, "encode_s": 2.0, "encode_cpu_s": 3.0, "decode_s": 0.5,
        "decode_cpu_s": 0.5, "peak_rss_mb": None, "macs_per_pixel": None, "version": "v", "code": "c",
        "measured": "2026-01-01", "target_bpp": None, "trials": 1, "notes": [], **fields,
    }  # fmt: skip


def all_records():
    found = [record("a", q, i) for q in range(4) for i in IMAGES]
    found += [record("b", q, i, 0.8) for q in range(4) for i in IMAGES]
    exact = {
        "lossless": True,
        "psnr_db": None,
        "mse": 0.0,
        "identical": True,
        "ms_ssim_db": None,
        "setting": {},
    }
    return [*found, *(record("z", 0, i, 90, **exact) for i in IMAGES)]


def run_folder(folder, records, **facts):
    text = "".join(json.dumps(r) + "\n" for r in records)
    (folder / "records-1-of-1.jsonl").write_text(text)
    (folder / "experiment.json").write_text(json.dumps({"name": "made", **facts}))
    return folder


def test_means():
    points, left_out = mean_points(all_records()[:-1])
    assert [(p.label, p.setting.get("quality")) for p in points[:5]] == [
        *(("a", q) for q in range(4)),
        ("b", 0),
    ]
    assert points[0].means["psnr_db"] == pytest.approx(30 + np.mean([0.5 * n for n in range(6)]))
    errors = [255**2 / 10 ** ((30 + 0.5 * n) / 10) for n in range(6)]
    assert points[0].means["psnr_of_mean_mse"] == pytest.approx(10 * np.log10(255**2 / np.mean(errors)))
    assert points[0].means["lpips"] is None
    assert len(points) == 9 and not left_out
    assert "z" in points[-1].label and points[-1].means["psnr_of_mean_mse"] is None
    _, left_out = mean_points(all_records()[1:])
    assert left_out == ['a {"quality": 0}: on 5 of 6 images, left out of means']


def test_bd_rates_of_a_constant_factor(tmp_path):
    published = {"name": "p", "source": "s", "over": "", "image": "i0"}
    points = [{"setting": q, "bpp": 0.05 * 2**q, "psnr_db": 30 + 6 * q} for q in range(4)]
    run = run_folder(tmp_path, all_records(), published=[{**published, "points": points}], reference="a")
    found = tables(run)
    rows = {(row["metric"], row["test"]): row for row in found["bd"]}
    b, p = rows["psnr_db", "b"], rows["psnr_db", "p"]
    assert len(b["images"]) == 6 and not b["without"]
    for method in ("pchip", "akima"):
        assert (b[method]["mean"], b[method]["low"], b[method]["high"]) == pytest.approx((-20, -20, -20))
    assert b["of_means"]["bd"]["percent"] == pytest.approx(-20)
    assert b["images"]["i1"]["low"] == pytest.approx(30.5) and b["images"]["i1"]["high"] == pytest.approx(
        48.5
    )
    assert p["pchip"]["mean"] == pytest.approx(-50) and len(p["without"]) == 5
    assert rows["ms_ssim_db", "b"]["pchip"] is None  # a constant: nothing to compare over
    text = to_text(found)
    assert "-20.00 [-20.00, -20.00]" in text and "none for i1, i2, i3, i4, i5: missing" in text
    assert found["images"] == IMAGES and not found["failed"]
    assert tables(run, "b")["bd"][0]["pchip"]["mean"] == pytest.approx(25)


def test_matched_rates_leave_out_what_is_too_far():
    at = {"target_bpp": 1.0}
    found = [record("a", 1, i, bpp=1.0, psnr_db=30.0 + n, **at) for n, i in enumerate(IMAGES)]
    found += [record("b", 1, i, bpp=1.015, psnr_db=31.0 + 2 * n, **at) for n, i in enumerate(IMAGES[:5])]
    found += [record("b", 1, "i5", bpp=1.03, psnr_db=99.0, **at)]
    a, b = matched.rows([*all_records(), *found], "a", 0.02)
    assert (a.label, len(a.images), a.off, a.differences) == ("a", 6, (), {})
    assert (len(b.images), b.off, b.means["bpp"]) == (5, ("i5",), pytest.approx(1.015))
    difference = b.differences["psnr_db"]
    assert (difference.mean, difference.count) == (pytest.approx(3), 5)  # 1 + n over the first five
    assert 1 < difference.low < 3 < difference.high < 5
    assert "lpips" not in b.differences


def test_csv_has_every_record(tmp_path):
    write_csv(all_records(), tmp_path / "x.csv")
    with open(tmp_path / "x.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 54 and tuple(rows[0]) == CSV_COLUMNS
    assert json.loads(rows[0]["setting"]) == {"quality": 0}
    assert float(rows[1]["bpp"]) == all_records()[1]["bpp"] and rows[0]["lpips"] == ""


def test_compressai_files(tmp_path):
    paths = write_compressai(all_records(), tmp_path / "out")
    assert [path.name for path in paths] == ["a.json", "b.json"]
    found = json.loads(paths[0].read_text())
    assert set(found) == {"name", "description", "results"} and found["name"] == "a"
    names = ["bpp", "psnr-rgb", "ms-ssim-rgb", "encoding_time", "decoding_time"]
    assert list(found["results"]) == names
    assert all(len(values) == 4 for values in found["results"].values())
    assert found["results"]["psnr-rgb"] == pytest.approx([31.25, 37.25, 43.25, 49.25])
    assert found["results"]["bpp"] == sorted(found["results"]["bpp"])


def test_references_are_checked(tmp_path):
    run = run_folder(tmp_path, all_records())
    assert tables(run)["reference"] == "a"
    with pytest.raises(UsageError, match="no codec of this run is called 'q'; there are: a, b"):
        tables(run, "q")


def test_means_say_over_how_many_images_of_the_run_they_are(tmp_path):
    run = run_folder(tmp_path, [r for r in all_records() if r["label"] != "b" or r["image"] in ("i1", "i4")])
    found = tables(run)
    assert {row["label"]: row["images"] for row in found["means"]} == {"a": 6, "b": 2, "z": 6}
    counts = dict(re.findall(r"^(\w) .*?(\d of \d)", to_text(found), re.MULTILINE))
    assert counts == {"a": "6 of 6", "b": "2 of 6", "z": "6 of 6"}


def test_compressai_files_are_of_all_images_of_the_run(tmp_path):
    half = [r for r in all_records() if r["label"] != "b" or r["image"] in ("i1", "i4")]
    assert [path.name for path in write_compressai(half, tmp_path / "half")] == ["a.json"]
    parts = [r for r in half if r["label"] == "b" or r["image"] in ("i0", "i1")]
    with pytest.raises(UsageError, match="no lossy codec was measured on all 3 images of the run"):
        write_compressai(parts, tmp_path / "none")
    assert not (tmp_path / "none").exists()
    assert write_compressai([r for r in half if r["lossless"]], tmp_path / "lossless") == []


def paired():
    """Files of a codec without side pictures, and of one that has two for one of its two images."""
    alone = [record("a", q, i) for q in range(4) for i in ("i0", "i1")]
    first = [record("b", q, i, 0.8, side="s1", side_path="s1") for q in range(4) for i in ("i0", "i1")]
    second = [record("b", q, "i0", 0.5, side="s2", side_path="s2", key=f"second {q}") for q in range(4)]
    return [*alone, *first, *second]


def test_an_image_of_two_pairs_counts_for_each(tmp_path):
    point = {"bpp": 0.05, "psnr_db": 30}
    paper = {
        "name": "p",
        "source": "s",
        "over": "",
        "image": "i0",
        "points": [point, {"bpp": 0.4, "psnr_db": 48}],
    }
    found = tables(run_folder(tmp_path, paired(), published=[paper]))
    names = ["i0 with s1", "i0 with s2", "i1"]
    assert found["images"] == names and not found["left_out"]
    b, p = (row for row in found["bd"] if row["metric"] == "psnr_db")
    assert [b["images"][name]["percent"] for name in names] == pytest.approx([-20, -50, -20])
    assert b["pchip"]["mean"] == pytest.approx(-30)
    assert b["of_means"]["images"] == tuple(names)
    assert set(p["images"]) == set(names[:2]) and set(p["without"]) == {"i1"}
    first = next(row for row in found["means"] if row["label"] == "a")
    rates = [0.1, 0.1, 0.1 * 2**0.1]  # as many times as the other codec has files of it
    assert first["images"] == 3 and first["bpp"] == pytest.approx(np.mean(rates))


def test_a_file_made_with_nothing_to_see_stands_for_all_pairs(tmp_path):
    grey = [r | {"label": "c", "side": "s1", "side_given": "none"} for r in paired() if r["label"] == "a"]
    grey = [r | {"key": f"grey {r['key']}", "codec": "c"} for r in grey]
    found = tables(run_folder(tmp_path, [*paired(), *grey]))
    assert {row["label"]: row["images"] for row in found["means"]} == {"a": 3, "b": 3, "c": 3}


def test_matched_rates_of_an_image_of_two_pairs():
    at = {"bpp": 1.0, "target_bpp": 1.0}
    alone = [record("a", 1, i, psnr_db=30.0, **at) for i in ("i0", "i1")]
    sided = [record("b", 1, i, psnr_db=33.0, side="s1", **at) for i in ("i0", "i1")]
    sided.append(record("b", 1, "i0", psnr_db=39.0, side="s2", **at))
    a, b = matched.rows([*alone, *sided], "a")
    assert set(a.images) == set(b.images) == {"i0 with s1", "i0 with s2", "i1"}
    assert (b.differences["psnr_db"].mean, b.differences["psnr_db"].count) == (pytest.approx(5), 3)


def test_a_published_curve_does_not_join_the_measured_one_of_its_name(tmp_path):
    points = [{"setting": q, "bpp": 0.05 * 2**q, "psnr_db": 30 + 6 * q} for q in range(4)]
    papers = [{"name": name, "source": "s", "over": "", "image": "i0", "points": points} for name in "ab"]
    plain = tables(run_folder(tmp_path, all_records()))
    found = tables(run_folder(tmp_path, all_records(), published=papers))
    rows = {row["test"]: row for row in found["bd"] if row["metric"] == "psnr_db"}
    assert set(rows) == {"b", "a (published)", "b (published)"} and found["reference"] == "a"
    assert rows["b"] == next(row for row in plain["bd"] if row["metric"] == "psnr_db")
    assert rows["a (published)"]["pchip"]["mean"] == pytest.approx(-50)


def test_a_reference_that_was_not_measured_is_stood_in_for_with_a_note(tmp_path):
    run = run_folder(tmp_path, all_records(), reference="later")
    found = tables(run)
    note = "The experiment's reference later was not measured; a stands in for it."
    assert (found["reference"], found["notes"]) == ("a", [note])
    assert note in to_text(found).splitlines() and found["bd"]
    assert tables(run, "b")["notes"] == []
    with pytest.raises(UsageError, match="no codec of this run is called 'later'"):
        tables(run, "later")
    effort = [r | {"label": "a e1", "setting": {**r["setting"], "effort": 1}} for r in all_records()[:24]]
    exact = [r | {"key": f"other {i}"} for i, r in enumerate(effort)] + all_records()
    assert tables(run_folder(tmp_path, exact, reference="a"))["reference"] == "a"
    lossless = [r for r in all_records() if r["lossless"]]
    assert tables(run_folder(tmp_path, lossless, reference="a"))["reference"] is None


def test_damaged_files_of_a_run_are_errors_of_ours(tmp_path):
    run = run_folder(tmp_path, all_records())
    (run / "experiment.json").write_text('{"name": "ma')
    with pytest.raises(CorruptError, match=r"experiment\.json is damaged"):
        tables(run)
    (run / "experiment.json").write_text("[1]")
    with pytest.raises(CorruptError, match=r"experiment\.json is damaged"):
        tables(run)
