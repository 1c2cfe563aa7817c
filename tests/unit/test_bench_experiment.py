"""Experiments: what is read from TOML, and errors that name the key."""

import dataclasses
import textwrap

import pytest

from wyner.bench import registry
from wyner.bench.experiment import load
from wyner.errors import UsageError

GOOD = """
name = "mine"
images = ["a.png"]
[[codecs]]
name = "jpeg_444"
"""


def write(folder, text):
    path = folder / "mine.toml"
    path.write_text(textwrap.dedent(text))
    return path


def test_everything_that_can_be_said(tmp_path, monkeypatch):
    monkeypatch.setenv("PLACE", str(tmp_path / "place"))
    path = write(
        tmp_path,
        """
        name = "all"
        description = "All keys"
        images = ["$PLACE/a.png", "sub/*.png"]
        pairs = "list.csv"
        metrics = ["ms_ssim", "lpips"]
        reference = "jpeg_444"
        threads = 2
        keep_files = false
        output = "../out"
        [matched]
        bpp = [1, 0.25]
        tolerance = 0.05
        [published]
        folder = "${PLACE}/curves"
        files = ["one.json"]
        curves = ["VTM"]
        [[codecs]]
        name = "jpeg_444"
        quality = [10, 50.5]
        [[codecs]]
        name = "wyner_overfit"
        effort = [1, 2]
        quality = [30, 60]
        options = {seed = 3}
        [[codecs]]
        name = "png"
        """,
    )
    found = load(path)
    assert found.images == (str(tmp_path / "place/a.png"), str(tmp_path / "sub/*.png"))
    assert found.pairs == (tmp_path / "list.csv",)
    assert found.metrics == ("psnr", "ms_ssim", "lpips")
    assert (found.reference, found.threads, found.keep_files) == ("jpeg_444", 2, False)
    assert found.output == tmp_path.parent / "out"
    assert (found.matched.bpp, found.matched.tolerance) == ((0.25, 1.0), 0.05)
    assert found.published.files == (tmp_path / "place/curves/one.json",)
    jpeg, wyner, png = found.curves
    assert jpeg.settings == ({"quality": 10}, {"quality": 50.5})
    assert len(wyner.settings) == 4
    assert wyner.settings[1] == {"effort": 1, "quality": 60, "options": {"seed": 3}}
    assert png.settings == ({},)


def test_the_lossless_codec_has_efforts_and_no_rates(tmp_path):
    text = GOOD + "[[codecs]]\nname = 'wyner_lossless'\n"
    assert load(write(tmp_path, text)).curves[1].settings == ({"effort": 5},)
    found = load(write(tmp_path, text + "effort = [1, 9]")).curves[1]
    assert found.settings == ({"effort": 1}, {"effort": 9})


def test_a_codec_without_settings_of_its_own(tmp_path, monkeypatch):
    bare = dataclasses.replace(registry.by_name("jpeg_444"), name="bare", ladder=())
    monkeypatch.setattr(registry, "_extra", {"bare": bare})
    text = GOOD.replace("jpeg_444", "bare")
    with pytest.raises(UsageError, match=r"codecs\[0\]: name a rate; bare has none of its own"):
        load(write(tmp_path, text))
    assert load(write(tmp_path, text + "quality = 3")).curves[0].settings == ({"quality": 3},)


def test_defaults(tmp_path):
    found = load(write(tmp_path, GOOD))
    assert found.metrics == ("psnr", "ms_ssim") and found.threads == 1 and found.keep_files
    assert len(found.curves[0].settings) > 5
    effort = load(write(tmp_path, GOOD + '[[codecs]]\nname = "wyner_overfit"\neffort = [1, 2]\n'))
    assert {(s["effort"], "quality" in s) for s in effort.curves[1].settings} == {(1, True), (2, True)}


@pytest.mark.parametrize(
    "text, named",
    [
        ("name = 'x'", "images:"),
        ("images = ['a']", "name: missing"),
        ("name = 'a/b'\nimages = ['a']", "name:"),
        ("name = 3", "name: 3 must be text"),
        (GOOD.replace("images", "pictures"), "pictures: unknown key"),
        (GOOD.replace("[[", "threads = 0\n[["), "threads: 0"),
        (GOOD.replace("[[", "threads = true\n[["), "threads: True must be a whole number"),
        (GOOD.replace("[[", "keep_files = 1\n[["), "keep_files: 1 must be true or false"),
        (GOOD.replace("[[", "metrics = ['vmaf']\n[["), "metrics: unknown 'vmaf'"),
        (GOOD.replace("a.png", "$NOT_SET_ANYWHERE/a.png"), "images: .*NOT_SET_ANYWHERE"),
        ("name = 'x'\nimages = ['a']", "codecs: missing"),
        ("name = 'x'\nimages = ['a']\ncodecs = []", "codecs: name at least one"),
        (GOOD.replace("jpeg_444", "jpeg"), r"codecs\[0\].name: no bench codec is called 'jpeg'"),
        (GOOD.replace('name = "jpeg_444"', "quality = 3"), r"codecs\[0\].name: missing"),
        (GOOD + "distance = 3", r"codecs\[0\].distance: jpeg_444 has no setting"),
        (GOOD + "quality = [10, 200]", r"codecs\[0\]: quality: 200 must be from 1 to 100"),
        (GOOD + "quality = 'high'", r"codecs\[0\]: quality: 'high' must be a number"),
        (GOOD + "quality = [10, 10]", "codecs: jpeg_444 .*named twice"),
        (GOOD + "quality = []", r"codecs\[0\].quality: name at least one value"),
        (GOOD + "[[codecs]]\nname = 'wyner_overfit'\neffort = []", r"codecs\[1\].effort: name at least one"),
        (
            GOOD + "[[codecs]]\nname = 'wyner_lossless'\nquality = 9",
            r"codecs\[1\].quality: wyner_lossless has no",
        ),
        (GOOD + "[[codecs]]\nname = 'wyner_lossless'\neffort = 11", r"codecs\[1\]: effort is 11"),
        (GOOD + "[[codecs]]\nname = 'wyner_overfit'\neffort = 11", r"codecs\[1\]: effort is 11"),
        (
            GOOD + "[[codecs]]\nname = 'wyner_overfit'\nquality = 1\ntarget_bpp = 1",
            r"codecs\[1\]: give exactly",
        ),
        (GOOD + "[matched]\nrates = [1]", "matched.rates: unknown key"),
        (GOOD + "[matched]\nbpp = [0.5, -1]", "matched.bpp: -1 must be positive"),
        (GOOD + "[matched]\nbpp = ['x']", "matched.bpp: 'x' must be a number"),
        (GOOD + "[published]\nfiles = 3", "published.files: 3 must be text"),
        ("name = ", "is not TOML"),
    ],
)
def test_errors_name_the_key(tmp_path, monkeypatch, text, named):
    monkeypatch.delenv("NOT_SET_ANYWHERE", raising=False)
    with pytest.raises(UsageError, match=named) as error:
        load(write(tmp_path, text))
    assert "mine.toml" in str(error.value) and "\n" not in str(error.value)
