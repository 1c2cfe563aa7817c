"""MS-SSIM against pytorch-msssim, its single scale against scikit-image, and its properties."""

from __future__ import annotations

import math
import sys
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wyner import metrics
from wyner.errors import UsageError
from wyner.metrics.ms_ssim import MIN_SIDE, mean_ssim

Picture = np.ndarray[Any, Any]


def picture(shape: tuple[int, ...], maxval: int = 255, seed: int = 1) -> Picture:
    """Random areas, edges and texture of every scale."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    field = np.zeros(shape)
    for scale in (2, 7, 31, 90):
        coarse = rng.random((shape[0] // scale + 1, shape[1] // scale + 1, *shape[2:]))
        field += coarse[y // scale, x // scale] * rng.uniform(0.1, 0.5)
    return np.clip(field * maxval, 0, maxval).astype(np.uint8 if maxval == 255 else np.uint16)


def noisy(original: Picture, maxval: int, strength: float, seed: int = 2) -> Picture:
    noise = np.random.default_rng(seed).normal(0, strength * maxval, original.shape)
    return np.clip(original + noise, 0, maxval).round().astype(original.dtype)


def oracle(a: Picture, b: Picture, maxval: int) -> float:
    """The package's value in double precision, with a window in double precision as well.

    Its own window is rounded to float32 and so does not sum to 1: variances lose 1e-7 of the squared mean.
    """
    torch = pytest.importorskip("torch", reason="the oracle needs PyTorch")
    package = pytest.importorskip("pytorch_msssim", reason="pip install --no-deps -r .ci/oracles.txt")

    def batch(x: Picture) -> Any:
        return torch.from_numpy(np.atleast_3d(x).astype(np.float64)).permute(2, 0, 1)[None]

    window = torch.exp(-((torch.arange(11, dtype=torch.float64) - 5) ** 2) / (2 * 1.5**2))
    planes = 1 if a.ndim == 2 else a.shape[2]
    window = (window / window.sum()).repeat(planes, 1, 1, 1)
    return float(package.ms_ssim(batch(a), batch(b), data_range=maxval, win=window))


@pytest.mark.parametrize("strength", [0.002, 0.05, 0.4])
@pytest.mark.parametrize(
    ("shape", "maxval"),
    [
        ((256, 320, 3), 255),
        ((161, 163, 3), 255),  # the smallest, and odd at every scale
        ((205, 402), 255),
        ((170, 350, 1), 1023),
        ((230, 311, 3), 65535),
    ],
)
def test_agrees_with_pytorch_msssim(shape: tuple[int, ...], maxval: int, strength: float) -> None:
    a = picture(shape, maxval)
    b = noisy(a, maxval, strength)
    mine, theirs = metrics.ms_ssim(a, b, maxval), oracle(a, b, maxval)
    assert mine == pytest.approx(theirs, abs=1e-6)
    assert metrics.ms_ssim_db(mine) == pytest.approx(metrics.ms_ssim_db(theirs), abs=1e-4)


@pytest.mark.parametrize("maxval", [255, 65535])
def test_one_scale_agrees_with_scikit_image(maxval: int) -> None:
    package = pytest.importorskip("skimage.metrics", reason="needs scikit-image")
    a = picture((100, 131), maxval)
    b = noisy(a, maxval, 0.03)
    theirs = package.structural_similarity(
        a.astype(np.float64), b.astype(np.float64), data_range=maxval,
        gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
    )  # fmt: skip
    assert mean_ssim(a, b, maxval)[0] == pytest.approx(theirs, abs=1e-6)


def test_strips_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    a = picture((171, 190))
    b = noisy(a, 255, 0.03)
    whole = metrics.ms_ssim(a, b, 255)
    for samples in (1, 3000, 1 << 30):
        monkeypatch.setattr(sys.modules["wyner.metrics.ms_ssim"], "_STRIP_SAMPLES", samples)
        assert metrics.ms_ssim(a, b, 255) == pytest.approx(whole, abs=1e-12)


def test_flat_bright_pictures_lose_nothing_to_rounding() -> None:
    a = np.full((200, 200), 65535, np.uint16)
    a[::2, ::2] -= 20
    assert metrics.ms_ssim(a, a - 1, 65535) == pytest.approx(oracle(a, a - 1, 65535), abs=1e-6)


def test_equal_pictures_give_one() -> None:
    a = picture((190, 222, 3))
    assert metrics.ms_ssim(a, a.copy(), 255) == 1.0
    assert metrics.ms_ssim_db(1.0) == math.inf


def test_decibels() -> None:
    assert metrics.ms_ssim_db(0.99) == pytest.approx(20)
    assert metrics.ms_ssim_db(0.0) == 0


def test_a_negative_is_worth_nothing() -> None:
    a = picture((200, 200))
    assert metrics.ms_ssim(a, 255 - a, 255) == 0


@settings(max_examples=12, deadline=None)
@given(
    height=st.integers(MIN_SIDE, 230),
    width=st.integers(MIN_SIDE, 230),
    strength=st.floats(0.0, 0.5),
    seed=st.integers(0, 1000),
)
def test_properties(height: int, width: int, strength: float, seed: int) -> None:
    a = picture((height, width, 3), seed=seed)
    b = noisy(a, 255, strength, seed)
    value = metrics.ms_ssim(a, b, 255)
    assert 0 <= value <= 1
    assert metrics.ms_ssim(b, a, 255) == pytest.approx(value, abs=1e-7)
    assert metrics.ms_ssim(a.swapaxes(0, 1), b.swapaxes(0, 1), 255) == pytest.approx(value, abs=1e-7)
    deep_a, deep_b = a.astype(np.int32) * 257, b.astype(np.int32) * 257
    assert metrics.ms_ssim(deep_a, deep_b, 65535) == pytest.approx(value, abs=1e-7)
    planes = [metrics.ms_ssim(a[..., c], b[..., c], 255) for c in range(3)]
    assert value == pytest.approx(sum(planes) / 3, abs=1e-9)


def test_memory_is_bounded() -> None:
    a = picture((1500, 2000, 3))
    b = noisy(a, 255, 0.05)
    tracemalloc.start()
    metrics.ms_ssim(a, b, 255)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * 1500 * 2000 + 4_000_000


def test_wrong_arguments_say_so() -> None:
    a = np.zeros((160, 400), np.uint8)
    with pytest.raises(UsageError, match=r"needs 161 pixels on each side .* 400x160"):
        metrics.ms_ssim(a, a, 255)
    with pytest.raises(UsageError, match="cannot compare"):
        metrics.ms_ssim(a, a.astype(np.uint16), 255)
    with pytest.raises(UsageError, match="cannot compare"):
        metrics.ms_ssim(a, a.T, 255)
    with pytest.raises(UsageError, match="samples are integers"):
        metrics.ms_ssim(a.astype(np.float32), a.astype(np.float32), 255)
    with pytest.raises(UsageError, match="a picture is"):
        metrics.ms_ssim(a[0], a[0], 255)
    with pytest.raises(UsageError, match="must be positive"):
        metrics.ms_ssim(a, a, 0)
