"""Bootstrap intervals against SciPy's, their coverage, and paired differences."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wyner.bench import intervals
from wyner.bench.intervals import bootstrap_mean, paired
from wyner.errors import UnavailableError, UsageError

pytest.importorskip("scipy", reason="intervals need SciPy: pip install 'wyner[bench]'")
values = st.lists(st.floats(-100, 100), min_size=intervals.MIN_IMAGES, max_size=30)


@pytest.mark.parametrize("count", [12, 24, 100])
def test_is_scipys_percentile_interval_at_the_expanded_level(count: int) -> None:
    from scipy import stats

    sample = np.random.default_rng(count).gamma(2, 3, count)
    tail = stats.norm.cdf(stats.t.ppf(0.025, count - 1) * np.sqrt(count / (count - 1)))
    oracle = stats.bootstrap(
        (sample,),
        np.mean,
        n_resamples=60_000,
        method="percentile",
        confidence_level=1 - 2 * tail,
        random_state=1,
    ).confidence_interval
    mine = bootstrap_mean(sample.tolist(), rounds=60_000)
    error = 0.05 * sample.std() / np.sqrt(count)
    assert (mine.low, mine.high) == (
        pytest.approx(oracle.low, abs=error),
        pytest.approx(oracle.high, abs=error),
    )


def test_six_images_are_covered_nearly_as_often_as_claimed() -> None:
    rng = np.random.default_rng(3)
    hits = 0
    for seed in range(400):
        interval = bootstrap_mean(rng.normal(5, 2, 6).tolist(), rounds=1000, seed=seed)
        hits += interval.low is not None and interval.high is not None and interval.low <= 5 <= interval.high
    assert 0.90 < hits / 400 < 0.97


@settings(deadline=None)
@given(values, st.randoms(use_true_random=False))
def test_properties(sample: list[float], random: object) -> None:
    interval = bootstrap_mean(sample, rounds=300)
    assert interval.low is not None and interval.high is not None
    assert min(sample) - 1e-9 <= interval.low <= interval.high <= max(sample) + 1e-9
    assert interval.mean == pytest.approx(np.mean(sample), abs=1e-9)
    assert bootstrap_mean(sorted(sample), rounds=300) == interval
    moved = bootstrap_mean([10 + 2 * v for v in sample], rounds=300)
    assert moved.low == pytest.approx(10 + 2 * interval.low, abs=1e-6)
    narrow = bootstrap_mean(sample, rounds=300, level=0.5)
    assert narrow.low is not None and narrow.low >= interval.low - 1e-12


def test_seeds() -> None:
    sample = [1.0, 4.0, 2.0, 8.0, 5.0, 7.0]
    assert bootstrap_mean(sample, rounds=200) == bootstrap_mean(sample, rounds=200)
    assert bootstrap_mean(sample, rounds=200) != bootstrap_mean(sample, rounds=200, seed=1)


def test_few_images_have_a_mean_only() -> None:
    interval = bootstrap_mean([1.0, 2.0, 3.0, 6.0])
    assert (interval.mean, interval.low, interval.high, interval.count) == (3, None, None, 4)
    assert str(interval) == "+3.00"
    assert str(bootstrap_mean([2.0] * 5)) == "+2.00 [+2.00, +2.00]"


def test_paired_differences() -> None:
    reference = {f"i{k}": float(k) for k in range(8)} | {"only": 3.0}
    test = {f"i{k}": k + 0.1 + 0.01 * k for k in range(8)} | {"other": 3.0}
    result = paired(reference, test)
    assert list(result.differences) == [f"i{k}" for k in range(8)]
    assert result.differences["i3"] == pytest.approx(0.13)
    assert result.interval.mean == pytest.approx(0.135)
    # Each codec alone varies by units between images; what is left of the pairs varies by hundredths.
    assert result.interval.low is not None and result.interval.low > 0.1
    assert result.interval == bootstrap_mean(list(result.differences.values()))


def test_wrong_arguments_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for sample in ([], [1.0, float("inf")], [float("nan")]):
        with pytest.raises(UsageError, match="finite values"):
            bootstrap_mean(sample)
    with pytest.raises(UsageError, match="level"):
        bootstrap_mean([1.0] * 6, level=95)
    with pytest.raises(UsageError, match="nothing to pair"):
        paired({"a": 1.0}, {"b": 1.0})
    monkeypatch.setitem(sys.modules, "scipy.special", None)
    with pytest.raises(UnavailableError, match=r"wyner\[bench\]"):
        bootstrap_mean([1.0] * 6)
