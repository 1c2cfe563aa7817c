"""Means, exports, BD-rates and matched rates, on records with known answers."""

import csv
import json

import numpy as np
import pytest

from wyner.bench import matched
from wyner.bench.averages import mean_points
from wyner.bench.export import CSV_COLUMNS, write_compressai, write_csv
from wyner.bench.table import tables
from wyner.bench.table_text import to_text
from wyner.errors import UsageError

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
