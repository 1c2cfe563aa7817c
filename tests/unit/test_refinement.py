"""Decoding with a side picture that the encoder did not know."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PilImage
from skimage import data

import wyner
from wyner import _native
from wyner.cli import main
from wyner.codecs.side import filters, refinement
from wyner.errors import CorruptError, UsageError
from wyner.reference import refine as reference

LEFT, RIGHT, _ = data.stereo_motorcycle()
X, Y = np.ascontiguousarray(LEFT[100:260, 200:420]), np.ascontiguousarray(RIGHT[100:260, 170:420])
OTHER = np.ascontiguousarray(data.astronaut()[100:260, 100:350])


@pytest.fixture(scope="module")
def coded() -> bytes:
    return wyner.encode(X, quality=25, effort=1, store_hash=True)


def psnr(a: np.ndarray) -> float:
    return wyner.compare(X, a).psnr_db


def test_the_right_picture_helps_and_a_wrong_one_hardly_hurts(coded: bytes) -> None:
    plain = psnr(wyner.decode(coded).pixels)
    assert psnr(wyner.decode(coded, refine=Y, check_hash=True).pixels) > plain + 0.3
    losses = [
        plain - psnr(wyner.decode(coded, refine=wrong).pixels)
        for wrong in (
            OTHER,
            np.zeros_like(Y),
            Y[::-1],
            np.random.default_rng(0).integers(0, 256, Y.shape, np.uint8),
        )
    ]
    assert np.mean(losses) < 0.05 and max(losses) < 0.2, losses


def test_threads_and_instruction_sets_do_not_matter(coded: bytes) -> None:
    one = wyner.decode(coded, refine=Y, threads=1).pixels
    np.testing.assert_array_equal(wyner.decode(coded, refine=Y, threads=3).pixels, one)


def test_it_is_the_reference(coded: bytes) -> None:
    pixels, size = wyner.decode(coded).pixels, len(wyner.container.read(coded).payload)
    expected = pixels
    grades = [reference.grade(pixels, size, stage.grades) for stage in filters.shipped()]
    for stage, grade in zip(filters.shipped(), grades, strict=True):
        views = refinement.views(expected, Y, stage.alignments, 8 * size / (X.shape[0] * X.shape[1]))
        warped, valid = [v[0] for v in views], [v[1] for v in views]
        expected = reference.fuse(
            expected, warped, valid, stage.levels, stage.luma[grade], stage.chroma[grade]
        )
    np.testing.assert_array_equal(wyner.decode(coded, refine=Y).pixels, expected)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_grade_is_that_of_the_reference(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    shape = (data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9)), data.draw(st.sampled_from([1, 3])))
    dtype = data.draw(st.sampled_from([np.uint8, np.uint16]))
    x = rng.integers(0, int(np.iinfo(dtype).max) + 1, shape).astype(dtype)
    size, thresholds = data.draw(st.integers(1, 10000)), [1, 1 << 10, 1 << 20, 1 << 30, 1 << 40]
    assert refinement.grade(x, size, thresholds) == reference.grade(x, size, thresholds)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_pictures(data: st.DataObject) -> None:
    """Sizes from 1x1, grey and colour, both depths, any side picture: a picture of the first one's kind."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))

    def picture() -> np.ndarray:
        shape = (
            data.draw(st.integers(1, 40)),
            data.draw(st.integers(1, 40)),
            data.draw(st.sampled_from([1, 3])),
        )
        dtype = data.draw(st.sampled_from([np.uint8, np.uint16]))
        return rng.integers(0, int(np.iinfo(dtype).max) + 1, shape).astype(dtype)

    x, y = picture(), picture()
    refined = refinement.refine(x, y, filters.shipped(), data.draw(st.integers(1, 5000)))
    assert refined.shape == x.shape and refined.dtype == x.dtype


def test_files_made_with_a_side_picture_are_refused(coded: bytes) -> None:
    with_side = wyner.encode(X[:64, :64], side=Y[:64, :64], effort=1)
    with pytest.raises(UsageError, match="made with a side image"):
        wyner.decode(with_side, side=Y[:64, :64], refine=Y)
    with pytest.raises(UsageError, match="without a side image"):
        wyner.decode(coded, side=Y)


def test_command_line(tmp_path, monkeypatch, capsys, coded: bytes) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "left.wyn").write_bytes(coded)
    PilImage.fromarray(X).save("left.png")
    PilImage.fromarray(Y).save("right.png")
    assert main(["decode", "left.wyn", "--refine", "right.png", "-o", "out.png"]) == 0
    np.testing.assert_array_equal(np.array(PilImage.open("out.png")), wyner.decode(coded, refine=Y).pixels)
    assert main(["compare", "left.png", "left.wyn", "--refine", "right.png", "--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["psnr_db"] > psnr(wyner.decode(coded).pixels) and found["file_bytes"] == len(coded)
    assert main(["decode", "left.wyn", "--refine", "none.png", "-o", "no.png"]) == 1
    PilImage.fromarray(X[:64, :64]).save("small.png")
    assert main(["encode", "small.png", "--side", "right.png", "-e", "1"]) == 0
    assert main(["decode", "small.wyn", "--side", "right.png", "--refine", "right.png", "-o", "no.png"]) == 2
    assert not (tmp_path / "no.png").exists()


# --- the shipped files ----------------------------------------------------------------------------


def small() -> tuple[refinement.Stage, ...]:
    alignments = (refinement.Alignment(16, 3, 30.0), refinement.Alignment(8, 1, 15.0))
    rng = np.random.default_rng(0)
    luma, chroma = (rng.integers(-9, 9, (2, 6, taps)).astype(np.int16) for taps in (76, 28))
    return (refinement.Stage(alignments, (5,), ((1,), (), (3, 4), ()), luma, chroma),)


def test_weights_round_trip() -> None:
    card, values = filters.serialise(small(), {"what": "a test"})
    (stage,), (expected,) = filters.parse(card, values), small()
    assert (stage.alignments, stage.grades, stage.levels) == (
        expected.alignments,
        expected.grades,
        expected.levels,
    )
    np.testing.assert_array_equal(stage.luma, expected.luma)
    np.testing.assert_array_equal(stage.chroma, expected.chroma)


def test_shipped_weights_are_small_and_safe() -> None:
    for stage in filters.shipped():
        for kind in (stage.luma, stage.chroma):
            assert np.abs(kind.astype(np.int64)).sum(-1).max() <= 1 << 17


def test_damaged_weights_are_corrupt() -> None:
    card, values = filters.serialise(small(), {})
    described = json.loads(card)
    cards = ["", "{", "[]", "1", "{}", "[" * 100000]
    for change in (
        {"sha256": "0"},
        {"stages": 3},
        {"stages": [{}]},
        {"stages": []},
        {"stages": described["stages"] * 2},
        {"stages": [described["stages"][0] | {"levels": [[1]] * 5}]},
        {"stages": [described["stages"][0] | {"levels": [list(range(99)), [], [], []]}]},
        {"stages": [described["stages"][0] | {"alignments": []}]},
        {"stages": [described["stages"][0] | {"alignments": [{"block_size": 9, "blur": 1, "noise": 1}] * 2}]},
        {"stages": [described["stages"][0] | {"grades": "x"}]},
    ):
        cards.append(json.dumps(described | change))
    for bad in cards:
        with pytest.raises(CorruptError):
            filters.parse(bad, values)
    with pytest.raises(CorruptError):
        filters.parse(card, values[:-2])
    assert _native.side_detail(X) > 0
