import subprocess
import sys
from xml.etree import ElementTree

import pytest
from PIL import Image as PilImage
from report_records import curve, record, write_run

from wyner.bench.plots import write_plots
from wyner.bench.published import PublishedCurve
from wyner.errors import CorruptError, UsageError

pytest.importorskip("matplotlib", reason="plots need Matplotlib")


@pytest.fixture
def run(tmp_path):
    paper = {"name": "paper $x$ <b>", "source": "s", "over": "o", "image": None}
    paper["points"] = [{"bpp": 0.2, "psnr_db": 31.0}, {"bpp": 0.9, "psnr_db": 36.0}]
    records = [
        *curve("_first $1$ & co", "x"),
        *curve("_first $1$ & co", "y", 1),
        record("png", "x", 9.0, None),
    ]
    return write_run(tmp_path / "run", records, published=[paper])


def texts(path):
    return [node.text for node in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text")]


def test_one_plot_for_each_metric_image_and_format(run, tmp_path):
    paths = write_plots(run, tmp_path / "out", formats=["svg"])
    assert [path.name for path in paths] == [
        "psnr_db-mean.svg",
        "psnr_of_mean_mse-mean.svg",
        "lpips-mean.svg",
    ]
    paths = write_plots(run, tmp_path / "out", metrics=["lpips"], images=(None, "y"), overwrite=True)
    assert [path.name for path in paths] == [
        f"lpips-{image}.{form}" for image in ("mean", "y") for form in ("svg", "png")
    ]
    for path in paths:
        if path.suffix == ".png":
            with PilImage.open(path) as image:
                assert image.size == (1080, 690)


def test_damaged_records_are_an_error_of_ours(run, tmp_path):
    path = run / "records-1-of-1.jsonl"
    path.write_text("#" + path.read_text())
    with pytest.raises(CorruptError, match="line 1 is damaged"):
        write_plots(run, tmp_path / "out")


def test_names_stand_in_the_plot_as_they_are(run, tmp_path):
    (path,) = write_plots(run, tmp_path, metrics=["psnr_db"], formats=["svg"])
    found = texts(path)
    assert "\u200b_first $1$ & co" in found and "paper $x$ <b> (published)" in found
    assert "PSNR (dB)" in found and "Mean of 2 images" in found
    assert not any("png" in (text or "") for text in found)  # lossless: no point on a curve


def test_published_curves_are_dashed(run, tmp_path):
    (path,) = write_plots(run, tmp_path, metrics=["psnr_db"], formats=["svg"])
    assert path.read_text().count("stroke-dasharray") == 2  # the curve and its entry in the legend
    (path,) = write_plots(run, tmp_path, metrics=["psnr_db"], formats=["svg"], published=[], overwrite=True)
    assert "stroke-dasharray" not in path.read_text()


def test_the_rate_axis_is_logarithmic_or_starts_at_zero(run, tmp_path):
    (path,) = write_plots(run, tmp_path, metrics=["psnr_db"], formats=["svg"])
    assert {"0.1", "0.2", "0.5", "1"} <= set(texts(path))
    (path,) = write_plots(run, tmp_path, metrics=["psnr_db"], formats=["svg"], log=False, overwrite=True)
    assert {"0.00", "0.0"} & set(texts(path))


def test_equal_runs_give_equal_files(run, tmp_path):
    first, second = (write_plots(run, tmp_path / name, metrics=["lpips"]) for name in "ab")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_a_plot_without_points_is_drawn_all_the_same(run, tmp_path):
    paper = PublishedCurve("paper", "s", "o", None, ({"bpp": 1.0, "psnr_db": 30.0},))
    only_matched = write_run(tmp_path / "one", curve("a", "x")[:1])
    assert len(write_plots(only_matched, tmp_path, images=["x"], published=[paper], formats=["svg"])) == 3


def test_wrong_arguments(run, tmp_path):
    for options, words in (
        ({"metrics": ["ssim"]}, "no metric 'ssim'; there are: psnr_db"),
        ({"images": ["z"]}, "no image of the run is called 'z'; there are: x, y"),
        ({"formats": ["pdf"]}, "not as 'pdf'"),
    ):
        with pytest.raises(UsageError, match=words):
            write_plots(run, tmp_path, **options)
    paths = write_plots(run, tmp_path, metrics=["lpips"], formats=["svg"])
    with pytest.raises(FileExistsError):
        write_plots(run, tmp_path, metrics=["lpips"], formats=["svg"])
    assert paths[0].exists()


def test_matplotlib_and_scipy_are_imported_only_when_used():
    code = "import sys, wyner.bench.plots; print([m for m in ('matplotlib', 'scipy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
