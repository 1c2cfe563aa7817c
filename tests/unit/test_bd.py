"""BD-rates against the `bjontegaard` package, against closed forms, and what has no BD-rate."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wyner.bench import bd
from wyner.bench.bd import Curve, bd_rate
from wyner.errors import NoOverlapError, UnavailableError, UsageError
from wyner.metrics import psnr

pytest.importorskip("scipy", reason="BD-rates need SciPy: pip install 'wyner[bench]'")
BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
methods = pytest.mark.parametrize("method", bd.METHODS)
seeds = st.integers(0, 2**32 - 1)


def points(seed: int, shift: float = 0.0, count: int = 6) -> list[tuple[float, float]]:
    rng = np.random.default_rng(seed)
    rate = np.cumsum(rng.uniform(0.1, 0.5, count))
    quality = 30 + 6 * np.log2(rate) + np.cumsum(rng.uniform(0, 0.3, count)) + shift
    return list(zip(rate.tolist(), quality.tolist(), strict=True))


def curve(seed: int, shift: float = 0.0, count: int = 6) -> Curve:
    return Curve.of(points(seed, shift, count))


@methods
@pytest.mark.parametrize("count", [2, 3, 4, 9])
@pytest.mark.filterwarnings("ignore:Insufficient curve overlap")
def test_is_the_bjontegaard_packages(method: str, count: int) -> None:
    package = pytest.importorskip("bjontegaard", reason="pip install bjontegaard")
    for seed in range(8):
        a, b = curve(seed, count=count), curve(seed + 100, shift=0.4)
        oracle = package.bd_rate(
            a.rate, a.quality, b.rate, b.quality, method=method, require_matching_points=False, min_overlap=0
        )
        assert bd_rate(a, b, method=method, min_overlap=0.01).percent == pytest.approx(oracle, abs=1e-6)


@methods
@settings(deadline=None)
@given(seed=seeds, factor=st.floats(0.1, 10))
def test_a_constant_factor_is_found_exactly(method: str, seed: int, factor: float) -> None:
    a = curve(seed)
    result = bd_rate(a, Curve(a.rate * factor, a.quality), method=method)
    assert result.percent == pytest.approx(100 * (factor - 1), abs=1e-8)
    assert (result.low, result.high) == (a.quality[0], a.quality[-1])


@methods
def test_straight_lines_have_a_closed_form(method: str) -> None:
    a = Curve.of([(math.exp(q / 10), q) for q in (20.0, 26.0, 33.0, 40.0)])
    b = Curve.of([(math.exp(q / 8 - 1), q) for q in (24.0, 30.0, 44.0)])
    result = bd_rate(a, b, method=method)
    assert (result.low, result.high) == (24, 40)
    assert result.percent == pytest.approx(100 * math.expm1(32 / 8 - 1 - 32 / 10))


@methods
@settings(deadline=None)
@given(seed=seeds, other=seeds)
def test_exchanging_the_codecs_inverts_the_factor(method: str, seed: int, other: int) -> None:
    a, b = curve(seed), curve(other, shift=0.5)
    try:
        there, back = bd_rate(a, b, method=method), bd_rate(b, a, method=method)
    except NoOverlapError:
        return
    assert (1 + there.percent / 100) * (1 + back.percent / 100) == pytest.approx(1)
    assert (there.low, there.high) == (back.low, back.high)


@methods
@settings(deadline=None)
@given(seed=seeds, place=st.floats(0, 1))
def test_the_rate_at_a_quality_lies_on_the_curve(method: str, seed: int, place: float) -> None:
    straight = Curve.of([(math.exp(q / 10), q) for q in (20.0, 26.0, 33.0, 40.0)])
    at = 20 + 20 * place
    assert bd.rate_at(straight, at, method=method) == pytest.approx(math.exp(at / 10))
    mirrored = Curve.of([(math.exp(q / 10), -q) for q in (20.0, 26.0, 33.0, 40.0)], lower_is_better=True)
    assert bd.rate_at(mirrored, -at, method=method) == pytest.approx(math.exp(at / 10))
    bent = curve(seed)
    for rate, quality in zip(bent.rate, bent.quality, strict=True):
        assert bd.rate_at(bent, quality, method=method) == pytest.approx(rate)


def test_no_rate_beyond_the_curve() -> None:
    bent = curve(0)
    assert bd.rate_at(bent, bent.quality[0] - 1e-6) is None
    assert bd.rate_at(bent, bent.quality[-1] + 1e-6) is None
    assert bd.rate_at(Curve.of([(1.0, 30.0)]), 30.0) is None


@settings(deadline=None)
@given(seed=seeds)
def test_lower_is_better_mirrors_the_quality(seed: int) -> None:
    up = [Curve.of(points(s, 0.2 * s)) for s in (seed, seed + 1)]
    down = [
        Curve.of([(r, -q) for r, q in points(s, 0.2 * s)], lower_is_better=True) for s in (seed, seed + 1)
    ]
    try:
        expected = bd_rate(*up)
    except NoOverlapError:
        with pytest.raises(NoOverlapError):
            bd_rate(*down)
        return
    result = bd_rate(*down)
    assert result.percent == expected.percent
    assert (result.low, result.high) == (-expected.high, -expected.low)


def test_nothing_is_extrapolated() -> None:
    a = curve(3)
    span = a.quality[-1] - a.quality[0]
    near, far = Curve(a.rate, a.quality + span - 0.9), Curve(a.rate, a.quality + 100)
    with pytest.raises(NoOverlapError, match=r"overlap by 0\.9, less than 1"):
        bd_rate(a, near)
    with pytest.raises(NoOverlapError, match="overlap by 0, less than 1"):
        bd_rate(a, far)
    result = bd_rate(a, near, min_overlap=0.8)
    assert (result.low, result.high) == (near.quality[0], a.quality[-1])
    with pytest.raises(NoOverlapError):
        bd_rate(a, Curve(a.rate, a.quality + span), min_overlap=0)
    with pytest.raises(NoOverlapError, match="fewer than two points"):
        bd_rate(a, Curve.of([(1.0, 30.0)]))


def test_the_overlap_ends_where_the_shorter_curve_does() -> None:
    a, b = points(5), points(6)
    longer = [(a[0][0] / 1000, a[0][1] - 30), *a]
    result = bd_rate(Curve.of(longer), Curve.of(b))
    assert result.low == b[0][1]
    assert result.high == min(a[-1][1], b[-1][1])


def test_dominated_points_are_dropped_and_counted() -> None:
    c = Curve.of([(1.5, 30.5), (1.0, 30.0), (1.2, 29.9), (1.5, 31.0), (1.0, 30.0)])
    assert c.quality.tolist() == [30.0, 31.0]
    assert c.rate.tolist() == [1.0, 1.5]
    assert c.dominated == 2
    assert bd_rate(c, Curve.of([(1.0, 29.0), (2.0, 32.0)])).dominated == 2


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0.01, 9), st.floats(0, 60)), max_size=12), st.randoms())
def test_curves_are_the_unbeaten_points(given_points: list[tuple[float, float]], random: Any) -> None:
    c = Curve.of(given_points)
    kept = set(zip(c.rate.tolist(), c.quality.tolist(), strict=True))
    distinct = set(given_points)

    def beaten(p: tuple[float, float]) -> bool:
        return any(q != p and q[0] <= p[0] and q[1] >= p[1] for q in distinct)

    assert kept == {p for p in distinct if not beaten(p)}
    assert c.dominated == len(distinct) - len(kept)
    random.shuffle(given_points)
    assert Curve.of(given_points).rate.tolist() == c.rate.tolist()


def test_lossless_points_are_left_out_but_beat_worse_ones() -> None:
    c = Curve.of([(1.0, 30.0), (2.0, 35.0), (3.0, math.inf), (4.0, 50.0)])
    assert c.quality.tolist() == [30.0, 35.0]
    assert (c.dominated, c.infinite) == (1, 1)
    assert bd_rate(c, c).infinite == 2


def test_wrong_arguments_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    a = curve(1)
    for point in ((0.0, 30.0), (-1.0, 30.0), (math.inf, 30.0), (math.nan, 30.0), (1.0, math.nan)):
        with pytest.raises(UsageError, match="no point of a curve"):
            Curve.of([point])
    with pytest.raises(UsageError, match="pchip and akima"):
        bd_rate(a, a, method="cubic")
    with pytest.raises(UsageError, match="where lower is"):
        bd_rate(a, Curve.of([(1.0, 0.2), (2.0, 0.1)], lower_is_better=True))
    monkeypatch.setitem(sys.modules, "scipy.interpolate", None)
    with pytest.raises(UnavailableError, match=r"wyner\[bench\]"):
        bd_rate(a, a)


# --- over images --------------------------------------------------------------------------------


def test_by_image() -> None:
    reference = {f"i{k}": curve(k) for k in range(7)}
    test = {name: Curve(c.rate * (1 + 0.01 * int(name[1])), c.quality) for name, c in reference.items()}
    test["i6"] = Curve(test["i6"].rate, test["i6"].quality + 50)
    test["extra"] = curve(9)
    result = bd.by_image(reference, test)
    assert [round(result.images[f"i{k}"].percent, 6) for k in range(6)] == [0, 1, 2, 3, 4, 5]
    assert result.without == {"i6": "the curves overlap by 0, less than 1", "extra": "missing"}
    assert result.mean is not None and result.mean.mean == pytest.approx(2.5)
    assert result.mean.low is not None and 0 <= result.mean.low < 1.5
    assert bd.by_image(reference, test, ["i3"]).images == {"i3": result.images["i3"]}
    assert bd.by_image(reference, test, ["i6"]).mean is None


def image_points(seed: int, shift: float = 0.0) -> dict[str, tuple[float, float]]:
    return {f"q{k}": point for k, point in enumerate(points(seed, shift))}


def test_mean_curve_is_of_mean_rate_and_mean_quality() -> None:
    reference = {f"i{k}": image_points(k) for k in range(6)}
    test = {f"i{k}": image_points(k + 50, 0.3) for k in range(6)}
    means = [np.mean([[image[s] for s in image] for image in c.values()], axis=0) for c in (reference, test)]
    expected = bd_rate(*(Curve.of(map(tuple, mean)) for mean in means))
    result = bd.of_means(reference, test, rounds=200)
    assert result.bd.percent == pytest.approx(expected.percent)
    assert (result.bd.low, result.bd.high) == pytest.approx((expected.low, expected.high))
    assert result.low is not None and result.high is not None
    assert result.low < result.bd.percent < result.high
    assert result == bd.of_means(reference, dict(reversed(test.items())), rounds=200)
    assert result.failed == result.left_out == 0


def test_mean_curve_keeps_to_what_every_image_has() -> None:
    reference = {f"i{k}": image_points(k) for k in range(6)}
    test = {name: {s: (2 * r, q) for s, (r, q) in image.items()} for name, image in reference.items()}
    test["i2"].pop("q3")
    test["other"] = {}
    result = bd.of_means(reference, test, rounds=50)
    assert result.images == tuple(f"i{k}" for k in range(6))
    assert result.left_out == 1
    assert result.bd.percent == pytest.approx(100, abs=5)
    few = {name: reference[name] for name in ("i0", "i1")}
    assert (bd.of_means(few, test).low, bd.of_means(few, test).failed) == (None, 0)
    with pytest.raises(NoOverlapError, match="no image"):
        bd.of_means(reference, {"other": image_points(1)})
    with pytest.raises(NoOverlapError, match="fewer than two"):
        bd.of_means(reference, {name: {name: (1.0, 30.0)} for name in reference})


def test_mean_curve_of_mean_squared_errors() -> None:
    """PSNR of the mean error and mean PSNR differ; both codecs here have equal ones of the first kind."""
    reference = {"a": {q: (q, 100 / q) for q in (1, 2, 4)}, "b": {q: (q, 20 / q) for q in (1, 2, 4)}}
    test = {"a": {q: (q, 60 / q) for q in (1, 2, 4)}, "b": {q: (q, 60 / q) for q in (1, 2, 4)}}
    result = bd.of_means(reference, test, of_mean=lambda mse: psnr(mse, 255))
    assert result.bd.percent == pytest.approx(0, abs=1e-9)
    assert result.bd.low == pytest.approx(psnr(60, 255))


def test_no_interval_where_too_many_resamples_have_no_overlap() -> None:
    reference = {f"i{k}": image_points(1) for k in range(6)}
    test = {f"i{k}": image_points(1, shift=1.15 * (k - 2.5)) for k in range(6)}
    span = curve(1).quality[-1] - curve(1).quality[0]
    result = bd.of_means(reference, test, rounds=100, min_overlap=span - 0.5)
    assert result.low is None and result.high is None
    assert 5 < result.failed < 100


# --- the script ---------------------------------------------------------------------------------


@pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="benchmarks/ is not part of this tree")
def test_the_script_on_published_points(tmp_path: Path) -> None:
    rows = ["codec,image,setting,bpp,psnr_db"]
    rows += [f"one,i{k},{n},{r},{q}" for k in range(6) for n, (r, q) in enumerate(points(k))]
    rows += [f"two,i{k},{n},{0.9 * r},{q}" for k in range(6) for n, (r, q) in enumerate(points(k))]
    for name in ("kodak_lossy_per_image.csv", "kodak_classical_per_image.csv"):
        (tmp_path / name).write_text("\n".join(rows) + "\n")
    options = ["--test", "two", "--reference", "one", "--anchors", tmp_path, "--json", tmp_path / "out.json"]
    options += ["--points"]
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "bd.py", *options, "--images", *(f"i{k}" for k in range(7))],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "two against one: -10.00 % [-10.00, -10.00] over 6 images" in done.stdout
    assert "i6       -    missing" in done.stdout
    rate, quality = points(3)[2]
    assert f"i3 {0.9 * rate:.4f} bpp {quality:.2f} dB   -10.00 %" in done.stdout
    (result,) = json.loads((tmp_path / "out.json").read_text())
    assert result["images"]["i3"]["bd_rate"] == -10
    assert result["images"]["i3"]["psnr"] == pytest.approx([points(3)[0][1], points(3)[-1][1]], abs=1e-3)
