import base64
import hashlib
import io
import json
import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from bench_sample import PUBLISHED, make
from PIL import Image as PilImage
from report_records import RATES, curve, record, write_run

from wyner.bench import bd
from wyner.bench.published import PublishedCurve
from wyner.bench.records import read_run
from wyner.bench.report import build, load, page
from wyner.bench.report.model import MEAN
from wyner.bench.report.pictures import data_uri
from wyner.errors import CorruptError, UsageError

pytest.importorskip("scipy", reason="BD-rates need SciPy")

CODECS = [
    {"name": "jpeg_444", "quality": [5, 25, 65, 85]},
    {"name": "webp", "quality": [0, 30, 80, 95]},
    {"name": "png"},
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make(tmp_path_factory.mktemp("sample"), codecs=CODECS)


@pytest.fixture(scope="module")
def html(run, tmp_path_factory):
    return build(run, tmp_path_factory.mktemp("page") / "report.html").read_text(encoding="utf-8")


def data_of(text):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)[1])


def uris_of(text):
    found = re.findall(r'<script type="text/plain" id="picture-(\d+)">(.*?)</script>', text)
    assert [int(number) for number, _ in found] == list(range(len(found)))
    return [uri for _, uri in found]


def pixels_of(uri):
    return np.asarray(PilImage.open(io.BytesIO(base64.b64decode(uri.split(",", 1)[1]))).convert("RGB"))


def report(folder, records, *, facts=None, **options):
    """Text and data of a report of made-up records, which have no pictures unless told."""
    options.setdefault("images", [])
    target = folder / "report.html"
    text = build(write_run(folder, records, **(facts or {})), target, overwrite=True, **options).read_text(
        "utf-8"
    )
    return text, data_of(text)


def rows_of(data):
    return [dict(zip(data["columns"], row, strict=True)) for row in data["points"]]


# --- the page ---------------------------------------------------------------------------------


def test_nothing_on_the_page_points_outside_of_it(html):
    markup = re.sub(r"<script.*?</script>|<style.*?</style>", "", html, flags=re.S)
    assert not re.findall(r'(?:src|href)="(?!#|data:)', markup)
    assert set(re.findall(r"\b\w+://[^\s\"']*", re.sub(r'id="data">.*?</script>', "", html, flags=re.S))) == {
        "http://www.w3.org/2000/svg"
    }


def test_the_policy_allows_this_script_and_style_and_nothing_else(html):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    for tag, name in (("script", "script-src"), ("style", "style-src")):
        body = re.search(rf"<{tag}>(.*?)</{tag}>", html, re.S)[1]
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{name} 'sha256-{digest}'" in policy


EVIL = '</script><img src=x onerror="window.evil=1"><!--<script>\'&\u2028\u2029$title'


class Elements(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, tuple(name for name, _ in attrs)))


def test_names_from_records_and_papers_cannot_become_markup(tmp_path, html):
    paper = PublishedCurve(EVIL, EVIL, EVIL, None, ({"bpp": 0.5, "psnr_db": 30.0, "setting": EVIL},))
    records = [r | {"label": EVIL, "version": EVIL} for r in curve("c", EVIL)]
    failed = {"key": "f", "codec": EVIL, "setting": {}, "image": EVIL, "error": EVIL, "label": EVIL}
    text, data = report(
        tmp_path,
        [*records, failed | {"target_bpp": None}],
        facts={"name": EVIL, "description": EVIL},
        published=[paper],
    )
    seen, usual = Elements(), Elements()
    seen.feed(text)
    usual.feed(re.sub(r'<script type="text/plain".*?</script>\n?', "", html))
    assert seen.found == usual.found
    assert {series["name"] for series in data["series"]} == {EVIL}
    assert data["images"][0]["name"] == EVIL and EVIL in data["missing"][0]


def test_modules_are_put_together_in_order_and_only_in_forms_that_are_understood():
    folder = page.files(page.__package__) / "assets"
    assert sorted(f"{name}.js" for name in page.SCRIPTS) == sorted(
        p.name for p in folder.iterdir() if p.suffix == ".js"
    )
    for index, name in enumerate(page.SCRIPTS):
        imported = re.findall(r'from "\./(\w+)\.js"', page.asset(f"{name}.js"))
        assert set(imported) <= set(page.SCRIPTS[:index]), name
    with pytest.raises(ValueError, match="named imports"):
        page.bundle({"a": 'import thing from "./b.js";\n'})
    with pytest.raises(ValueError, match="named imports"):
        page.bundle({"a": "export default 3;\n"})


# --- the data ---------------------------------------------------------------------------------


def test_every_record_is_on_the_page_with_its_numbers(run, html):
    data = data_of(html)
    rows = [r for r in rows_of(data) if r["image"] != MEAN and not data["series"][r["series"]]["published"]]
    shown = sorted(
        (data["series"][r["series"]]["name"], data["images"][r["image"]]["name"], r["bytes"]) for r in rows
    )
    records, _ = read_run(run)
    assert shown == sorted((r["label"], r["image"], r["bytes"]) for r in records)
    by_bytes = {(r["label"], r["image"], r["bytes"]): r for r in records}
    for row in rows:
        of = by_bytes[
            data["series"][row["series"]]["name"], data["images"][row["image"]]["name"], row["bytes"]
        ]
        for key in ("bpp", "bpsp", "psnr_db", "ms_ssim_db", "encode_s", "decode_s"):
            assert row[key] == (of[key] if of[key] is None else pytest.approx(of[key], abs=1e-6))
        assert row["identical"] == of["identical"]


def test_metrics_without_data_are_not_offered(html, tmp_path):
    assert [m["id"] for m in data_of(html)["metrics"]] == ["psnr_db", "psnr_of_mean_mse", "ms_ssim_db"]
    _, data = report(tmp_path, curve("a", "x"))
    assert [m["id"] for m in data["metrics"]] == ["psnr_db", "psnr_of_mean_mse", "lpips"]
    assert [m["lower"] for m in data["metrics"]] == [False, False, True]


def test_means_are_over_all_images_or_not_at_all(tmp_path):
    records = [*curve("a", "x", 0), *curve("a", "y", 2), *curve("b", "x"), *curve("b", "y", rates=RATES[:3])]
    _, data = report(tmp_path, records)
    means = [r for r in rows_of(data) if r["image"] == MEAN]
    assert [sum(r["series"] == i for r in means) for i in (0, 1)] == [5, 3]
    assert data["missing"][:-1] == [
        "b: the mean curve leaves out 2 of 5 settings, which were not measured on all 2 images."
    ]
    first = min((r for r in means if r["series"] == 0), key=lambda r: r["bpp"])
    x, y = (36 + gain + 3 * math.log2(0.1) for gain in (0, 2))
    assert first["psnr_db"] == pytest.approx((x + y) / 2, abs=1e-6)
    mean_error = (10 ** (-x / 10) + 10 ** (-y / 10)) / 2
    assert first["psnr_of_mean_mse"] == pytest.approx(-10 * math.log10(mean_error), abs=1e-6)


def test_matched_files_are_listed_but_part_of_no_curve_unless_there_is_no_other(tmp_path):
    def matched(label, image):
        setting = {"quality": len(label + image)}
        return record(label, image, 0.5, 33.0, target_bpp=0.5, setting=setting, key=label + image)

    records = [*curve("a", "x"), *curve("a", "y"), *(matched(c, i) for c in "ab" for i in "xy")]
    _, data = report(tmp_path, records)
    rows = rows_of(data)
    assert [r["drawn"] for r in rows if r["bpp"] == 0.5 and r["image"] != MEAN] == [0, 0, 1, 1]
    means = [(r["series"], data["settings"][r["setting"]]) for r in rows if r["image"] == MEAN]
    assert (1, "target 0.5 bpp") in means and len(means) == 6


def test_images_of_one_name_are_told_apart(tmp_path):
    records = [
        *curve("a", "x"),
        *(r | {"image_hash": "abcdef99", "key": r["key"] + "2"} for r in curve("a", "x", 5)),
    ]
    # Same name, another file: the newest record of each identity would win, so they differ in side image too.
    sides = ("l" if r["image_hash"] == "x" else "r" for r in records)
    records = [r | {"side": side, "side_path": side} for r, side in zip(records, sides, strict=True)]
    _, data = report(tmp_path, records)
    assert [image["name"] for image in data["images"]] == ["x with l", "x with r"]


def test_an_image_of_two_pairs_is_two_pictures_and_files_without_a_side_picture_are_of_both(tmp_path):
    def sided(image, side):
        given = {"side": side, "side_path": side, "side_given": "right"}
        return [r | given | {"key": r["key"] + side} for r in curve("sided", image)]

    records = [
        *sided("x", "l"),
        *sided("x", "r"),
        *sided("y", "l"),
        *curve("plain", "x"),
        *curve("plain", "y"),
    ]
    _, data = report(tmp_path, records)
    assert [image["name"] for image in data["images"]] == ["x with l", "x with r", "y"]
    for series in (0, 1):
        counts = [
            sum(r["series"] == series and r["image"] == i for r in rows_of(data)) for i in (0, 1, 2, MEAN)
        ]
        assert len(set(counts)) == 1 and counts[0] > 1


def test_published_curves_are_drawn_as_published_and_named_with_their_source(html):
    data = data_of(html)
    series = next(s for s in data["series"] if s["published"])
    assert (series["name"], series["source"], series["over"]) == (
        PUBLISHED.name,
        PUBLISHED.source,
        PUBLISHED.over,
    )
    rows = [r for r in rows_of(data) if data["series"][r["series"]] is series]
    assert [(r["bpp"], r["psnr_db"]) for r in rows] == [(p["bpp"], p["psnr_db"]) for p in PUBLISHED.points]


def test_lossless_codecs_have_a_table_of_their_own(html, run):
    files = [r for r in read_run(run)[0] if r["label"] == "png"]
    (row,) = data_of(html)["lossless"]
    assert (row["name"], row["images"]) == ("png", 2)
    assert row["bpsp"] == pytest.approx(sum(r["bpsp"] for r in files) / 2)


def test_a_run_of_lossless_codecs_has_no_metrics_and_its_table(tmp_path):
    _, data = report(tmp_path, [record("png", "x", 9.0, None)])
    assert (data["metrics"], data["bd"], data["reference"]) == ([], {}, -1)
    assert [row["name"] for row in data["lossless"]] == ["png"]


def test_failures_are_told(tmp_path):
    failed = record("a", "z", 0.1, 20.0) | {"error": "it broke", "key": "other", "setting": {"quality": 7}}
    _, data = report(tmp_path, [*curve("a", "x"), failed])
    assert data["missing"][0] == "Failed: a quality=7 on z: it broke"


# --- BD-rates ---------------------------------------------------------------------------------


def test_bd_rates_are_those_of_the_bench(tmp_path):
    records = [*curve("a", "x"), *curve("a", "y", 1), *curve("b", "x", 0.6), *curve("b", "y", 1.9)]
    _, data = report(tmp_path, records)
    row = data["bd"]["psnr_db"]["0"]["1"]
    percents = []
    for index, gain in enumerate((0.6, 0.9)):
        expected = 100 * (2 ** (-gain / 3) - 1)  # straight lines in log rate: the same shift everywhere
        assert row["images"][str(index)]["pchip"] == pytest.approx(expected, abs=0.01)
        assert row["images"][str(index)]["akima"] == pytest.approx(expected, abs=0.01)
        percents.append(expected)
    assert row["mean"]["pchip"] == pytest.approx(sum(percents) / 2, abs=0.01)
    assert row["curve"]["pchip"] == pytest.approx(100 * (2 ** (-0.75 / 3) - 1), abs=0.01)
    low, high = (36 + gain + 3 * math.log2(rate) for gain, rate in ((0.6, 0.1), (0, 1.6)))
    assert (row["images"]["0"]["low"], row["images"]["0"]["high"]) == pytest.approx((low, high), abs=1e-4)
    back = data["bd"]["psnr_db"]["1"]["0"]["images"]["0"]["pchip"]
    assert (1 + back / 100) * (1 + percents[0] / 100) == pytest.approx(1, abs=1e-3)


def test_five_images_have_an_interval(tmp_path):
    gains = (0.5, 0.7, 0.4, 0.9, 0.6)
    records = [r for i, gain in enumerate(gains) for r in (*curve("a", f"i{i}"), *curve("b", f"i{i}", gain))]
    _, data = report(tmp_path, records)
    mean = data["bd"]["psnr_db"]["0"]["1"]["mean"]
    expected = bd.bootstrap_mean([100 * (2 ** (-gain / 3) - 1) for gain in gains])
    assert mean["count"] == 5
    assert mean["pchip_interval"] == pytest.approx([expected.low, expected.high], abs=0.01)


def test_a_bd_rate_that_would_extrapolate_is_refused_with_the_reason(tmp_path):
    _, data = report(tmp_path, [*curve("a", "x"), *curve("b", "x", 30)])
    row = data["bd"]["psnr_db"]["0"]["1"]
    assert (
        row["mean"] is None
        and "overlap" in row["images"]["0"]["refused"]
        and "overlap" in row["curve"]["refused"]
    )


def test_lpips_counts_downward(tmp_path):
    better = [r | {"lpips": r["lpips"] * 0.8} for r in curve("b", "x")]
    _, data = report(tmp_path, [*curve("a", "x"), *better])
    assert data["bd"]["lpips"]["0"]["1"]["images"]["0"]["pchip"] < -10


@pytest.mark.parametrize(
    "over, comparable",
    [
        ("Kodak, 24 images", False),
        ("Kodak, 2 images", False),
        ("", False),
        ("3 images of this run", False),
        ("2 images of this run", True),
    ],
)
def test_means_over_different_images_are_not_compared(tmp_path, over, comparable):
    points = tuple({"bpp": r["bpp"], "psnr_db": r["psnr_db"]} for r in curve("p", "x"))
    paper = PublishedCurve("paper", "a paper", over, None, points)
    _, data = report(tmp_path, [*curve("a", "x"), *curve("a", "y")], published=[paper])
    assert ("refused" not in data["bd"]["psnr_db"]["0"]["1"]["curve"]) == comparable


@pytest.mark.parametrize("over, comparable", [("Kodak, 24 images", True), ("", False)])
def test_published_means_over_one_set_are_compared(tmp_path, over, comparable):
    points = tuple({"bpp": r["bpp"], "psnr_db": r["psnr_db"]} for r in curve("p", "x"))
    papers = [PublishedCurve(name, "a paper", over, None, points) for name in "pq"]
    _, data = report(tmp_path, [*curve("a", "x"), *curve("a", "y")], published=papers)
    assert ("refused" not in data["bd"]["psnr_db"]["1"]["2"]["curve"]) == comparable


def test_a_measured_codec_goes_before_a_published_curve_of_its_name(tmp_path):
    paper = PublishedCurve(
        "b", "s", "o", None, ({"bpp": 0.5, "psnr_db": 30.0}, {"bpp": 1.0, "psnr_db": 33.0})
    )
    records = [*curve("a", "x"), *(r | {"label": "b e5"} for r in curve("b", "x", 1))]
    _, data = report(tmp_path, records, published=[paper], reference="b")
    assert data["series"][data["reference"]]["name"] == "b e5"
    _, data = report(tmp_path, curve("a", "x"), published=[paper], reference="b")
    assert data["series"][data["reference"]]["published"]


def test_damaged_files_of_a_run_are_errors_of_ours(tmp_path):
    run = write_run(tmp_path / "run", curve("a", "x"))
    for name, damage in (("records-1-of-1.jsonl", "#\n{}\n"), ("experiment.json", "{")):
        content = (run / name).read_text()
        (run / name).write_text(damage)
        with pytest.raises(CorruptError, match="damaged"):
            build(run, tmp_path / "r.html")
        (run / name).write_text(content)


def test_the_reference_is_found_by_label_or_codec(run, tmp_path, html):
    assert data_of(html)["series"][data_of(html)["reference"]]["name"] == "jpeg_444"
    paper = PublishedCurve("paper", "s", "o", None, ({"bpp": 0.5, "psnr_db": 30.0},))
    _, data = report(tmp_path / "none", curve("only", "x"), published=[paper])
    assert data["reference"] == 0  # nothing was asked for: the first codec, not a paper
    text = build(run, tmp_path / "r.html", reference="webp", images=[]).read_text("utf-8")
    assert data_of(text)["series"][data_of(text)["reference"]]["name"] == "webp"
    with pytest.raises(UsageError, match=r"no lossy codec.*jpeg_444, webp"):
        build(run, tmp_path / "s.html", reference="png")


# --- pictures ---------------------------------------------------------------------------------


def test_pictures_are_the_decoded_files_nearest_to_the_targets(run, html):
    data, uris = data_of(html), uris_of(html)
    assert data["targets"] == [0.8, 1.6]
    shown = [r for r in rows_of(data) if r["picture"] >= 0]
    assert len(shown) == 2 * 2 * 2 and len(uris) == len(shown) + 2  # images, codecs, rates; and the originals
    records = {(r["label"], r["image"], r["bytes"]): r for r in read_run(run)[0]}
    for row in shown:
        of = records[
            data["series"][row["series"]]["name"], data["images"][row["image"]]["name"], row["bytes"]
        ]
        assert of["target_bpp"] is not None
        assert np.array_equal(pixels_of(uris[row["picture"]]), np.asarray(PilImage.open(run / of["file"])))
    for image in data["images"]:
        original = np.asarray(PilImage.open(run.parent / "pictures" / f"{image['name']}.png"))
        assert np.array_equal(pixels_of(uris[image["original"]]), original)


@pytest.mark.parametrize("budget", [0, 300_000, 700_000, 5_000_000])
def test_the_budget_holds_and_what_it_leaves_out_is_told(run, tmp_path, budget):
    text = build(run, tmp_path / "r.html", budget=budget or 1, crop="whole").read_text("utf-8")
    data, uris = data_of(text), uris_of(text)
    assert sum(map(len, uris)) <= max(budget, 1)
    missing = 4 - len(
        {
            (r["image"], data["settings"][r["setting"]].split(" for ")[-1])
            for r in rows_of(data)
            if r["picture"] >= 0
        }
    )
    told = [note for note in data["missing"] if "left out" in note]
    assert len(told) == (missing > 0)
    assert not told or len(re.findall(r" at [\d.]+ bpp", told[0])) == missing


def test_crops_by_size_place_and_need(run, tmp_path):
    for crop, box in (((64, 48), (64, 64, 64, 48)), ((7, 9, 32, 1000), (7, 0, 32, 176)), ("whole", None)):
        text = build(run, tmp_path / "r.html", crop=crop, overwrite=True).read_text("utf-8")
        data, uris = data_of(text), uris_of(text)
        assert data["images"][0]["crop"] == (list(box) if box else None)
        original = np.asarray(PilImage.open(run.parent / "pictures" / "first.png"))
        x, y, w, h = box or (0, 0, 192, 176)
        assert np.array_equal(pixels_of(uris[data["images"][0]["original"]]), original[y : y + h, x : x + w])


def test_automatic_crops_make_room_in_large_pictures(tmp_path):
    run = make(
        tmp_path,
        codecs=[{"name": "jpeg_444", "quality": [30, 60]}],
        size=(400, 600),
        metrics=("psnr",),
        matched=(),
    )
    data = data_of(build(run, tmp_path / "r.html", budget=1_000_000).read_text("utf-8"))
    x, y, w, h = data["images"][0]["crop"]
    assert (w, h) == (360, 256) or (256 <= w < 600 and 256 <= h < 400)
    assert (x, y) == ((600 - w) // 2, (400 - h) // 2)
    assert all(image["original"] >= 0 for image in data["images"])


def test_a_file_that_is_not_what_was_measured_is_not_shown(tmp_path):
    run = make(
        tmp_path, codecs=[{"name": "jpeg_444", "quality": [20, 40, 60]}], matched=(), metrics=("psnr",)
    )
    files = {r["setting"]["quality"]: r for r in read_run(run)[0] if r["image"] == "first"}
    (run / files[20]["file"]).write_bytes((run / files[40]["file"]).read_bytes())
    (run / files[60]["file"]).unlink()
    targets = [files[q]["bpp"] for q in (20, 40, 60)]
    data = data_of(build(run, tmp_path / "r.html", images=["first"], targets=targets).read_text("utf-8"))
    shown = [r["bytes"] for r in rows_of(data) if r["picture"] >= 0]
    assert shown == [files[40]["bytes"]]
    assert (
        "No picture of jpeg_444: its file does not decode to the picture that was measured."
        in data["missing"]
    )
    assert any("no such file" in note for note in data["missing"])


def test_a_missing_original_leaves_its_image_out(tmp_path):
    run = make(tmp_path, codecs=[{"name": "jpeg_444", "quality": [20]}], matched=(), metrics=("psnr",))
    (tmp_path / "pictures" / "first.png").unlink()
    data = data_of(build(run, tmp_path / "r.html").read_text("utf-8"))
    assert [image["original"] >= 0 for image in data["images"]] == [False, True]
    assert any(
        note.startswith("No picture of first, and so none of its decoded files") for note in data["missing"]
    )


def test_a_run_without_kept_files_says_why_it_shows_none(tmp_path):
    PilImage.new("RGB", (64, 48)).save(tmp_path / "x.png")
    text, data = report(tmp_path, curve("a", "x"), images=["x"])
    assert [uri.split(",")[0] for uri in uris_of(text)] == ["data:image/webp;base64"]
    assert "No picture of a (3 files): the run did not keep the file." in data["missing"]


def test_sixteen_bits_and_grey_become_eight_bits_of_rgb():
    wide = np.array([0, 128, 129, 257, 65406, 65407, 65535], np.uint16).reshape(1, -1, 1)
    expected = np.round(wide[0, :, 0] / 257).astype(np.uint8)
    assert np.array_equal(pixels_of(data_uri(wide))[0], np.repeat(expected[:, None], 3, 1))
    long = np.zeros((1, 16384, 3), np.uint8)
    assert data_uri(long).startswith("data:image/png") and pixels_of(data_uri(long)).shape == long.shape


def test_wrong_arguments_have_one_clear_line(run, tmp_path):
    for options, words in (
        ({"images": ["nobody"]}, "no image of the run is called 'nobody'; there are: first, second"),
        ({"targets": [0.5, 0]}, "must be positive"),
        ({"crop": (0, 5)}, "crop must be"),
        ({"crop": "middle"}, "crop must be"),
    ):
        with pytest.raises(UsageError, match=words):
            build(run, tmp_path / "r.html", **options)
    (tmp_path / "there.html").write_text("mine")
    with pytest.raises(FileExistsError):
        build(run, tmp_path / "there.html", images=[])
    assert (tmp_path / "there.html").read_text() == "mine"
    with pytest.raises(UsageError, match="no records"):
        load(tmp_path)
    with pytest.raises(UsageError, match="no measured file"):
        load(write_run(tmp_path / "failed", [record("a", "x", 1, 1.0) | {"error": "no"}]))
