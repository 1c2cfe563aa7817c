"""The BD-rate of benchmarks/bd.py against SciPy and the `bjontegaard` package, where installed."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
bd = pytest.importorskip("bd", reason="benchmarks/ is not part of this tree")


def curve(seed: int, shift: float = 0.0, count: int = 6) -> bd.Curve:
    rng = np.random.default_rng(seed)
    bpp = np.cumsum(rng.uniform(0.1, 0.5, count))
    psnr = 30 + 6 * np.log2(bpp) + np.cumsum(rng.uniform(0, 0.3, count)) + shift
    return bd.Curve.of(zip(bpp.tolist(), psnr.tolist(), strict=True))


def test_a_constant_factor_is_found_exactly() -> None:
    a = curve(1)
    b = bd.Curve(a.psnr, a.bpp * 0.9, 0)
    rate, lo, hi = bd.bd_rate(a, b)
    assert rate == pytest.approx(-10.0)
    assert (lo, hi) == (a.psnr[0], a.psnr[-1])


def test_interpolant_is_scipys() -> None:
    interpolate = pytest.importorskip("scipy.interpolate")
    for seed in range(20):
        c = curve(seed, count=2 + seed % 6)
        y = np.log(c.bpp) * (1 if seed % 2 else np.cos(np.arange(len(c.bpp))))
        oracle = interpolate.PchipInterpolator(c.psnr, y)
        at = np.linspace(c.psnr[0], c.psnr[-1], 101)
        np.testing.assert_allclose(bd.pchip(c.psnr, y, at), oracle(at), rtol=1e-10, atol=1e-12)
        lo, hi = at[13], at[90]
        assert bd.pchip_integral(c.psnr, y, lo, hi) == pytest.approx(oracle.integrate(lo, hi))


def test_rate_is_the_bjontegaard_packages() -> None:
    package = pytest.importorskip("bjontegaard")
    for seed in range(10):
        a, b = curve(seed), curve(seed + 100, shift=0.4)
        oracle = package.bd_rate(
            a.bpp, a.psnr, b.bpp, b.psnr, method="pchip", require_matching_points=False, min_overlap=0
        )
        assert bd.bd_rate(a, b)[0] == pytest.approx(oracle, rel=1e-6)


def test_nothing_is_extrapolated() -> None:
    a = curve(3)
    far = bd.Curve(a.psnr + 100, a.bpp, 0)
    with pytest.raises(bd.NoOverlapError):
        bd.bd_rate(a, far)
    with pytest.raises(ValueError, match="extrapolation"):
        bd.pchip(a.psnr, a.bpp, np.array([a.psnr[-1] + 0.1]))


def test_dominated_points_are_dropped() -> None:
    c = bd.Curve.of([(1.0, 30.0), (1.2, 29.9), (1.5, 31.0), (1.5, 30.5)])
    assert c.psnr.tolist() == [30.0, 31.0]
    assert c.dropped == 2
