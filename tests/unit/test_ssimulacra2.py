"""SSIMULACRA2: that arrays reach the package as the pictures they are, and what it cannot do."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from wyner import metrics
from wyner.errors import UnavailableError, UsageError


@pytest.fixture
def pair(photo: Any) -> tuple[Any, Any]:
    noise = np.random.default_rng(2).integers(-12, 13, photo.shape)
    return photo, np.clip(photo + noise, 0, 255).astype(np.uint8)


@pytest.fixture
def package() -> Any:
    return pytest.importorskip("ssimulacra2", reason="pip install 'wyner[bench]'")


def test_is_the_packages_score_of_the_files(package: Any, pair: tuple[Any, Any], tmp_path: Path) -> None:
    for planes in (np.s_[:], np.s_[..., 0]):
        paths = tmp_path / "a.png", tmp_path / "b.png"
        for path, pixels in zip(paths, pair, strict=True):
            Image.fromarray(pixels[planes]).save(path)
        score = metrics.ssimulacra2(pair[0][planes], pair[1][planes], 255)
        assert score == pytest.approx(package.compute_ssimulacra2(*map(str, paths)), abs=1e-9)
        assert score < 90


def test_equal_pictures_score_100_and_worse_ones_less(package: Any, pair: tuple[Any, Any]) -> None:
    a, b = pair
    assert metrics.ssimulacra2(a, a, 255) == 100
    middle = ((a.astype(int) + b) // 2).astype(np.uint8)
    assert metrics.ssimulacra2(a, b, 255) < metrics.ssimulacra2(a, middle, 255) < 100
    grey = metrics.ssimulacra2(a[..., :1], b[..., :1], 255)
    assert grey == metrics.ssimulacra2(a[..., [0, 0, 0]], b[..., [0, 0, 0]], 255)


def test_what_it_cannot_do_is_said(pair: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = pair
    with pytest.raises(UsageError, match="needs 8 pixels on each side; 45x7 is less"):
        metrics.ssimulacra2(a[:7], b[:7], 255)
    with pytest.raises(UsageError, match="not for 2 planes"):
        metrics.ssimulacra2(a[..., :2], b[..., :2], 255)
    with pytest.raises(UsageError, match="cannot compare"):
        metrics.ssimulacra2(a, b[1:], 255)
    with pytest.raises(UnavailableError, match="8-bit"):
        metrics.ssimulacra2(a.astype(np.uint16), b.astype(np.uint16), 65535)
    monkeypatch.setitem(sys.modules, "ssimulacra2", None)
    with pytest.raises(UnavailableError, match=r"wyner\[bench\]"):
        metrics.ssimulacra2(a, b, 255)
