"""Files of shipped learned codecs decode to the same latents forever, and to a picture like theirs."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("wyner._native", reason="the native core is not built")

import wyner
from wyner import container, metrics
from wyner.codecs import learned

FILES = Path(__file__).parent / "learned"
HASHES = json.loads((FILES / "hashes.json").read_text())
MODELS = ("hyperprior", "hyperprior-lpips", "hyperprior-ms-ssim", "factorised")


def test_every_file_is_listed() -> None:
    assert HASHES.keys() == {path.stem for path in FILES.glob("*.wyn")}
    assert HASHES.keys() == {f"{model}_q{q}" for model in MODELS for q in (20, 80)}


@pytest.mark.parametrize("name", HASHES)
def test_the_file_is_the_released_one(name: str) -> None:
    assert hashlib.sha256((FILES / f"{name}.wyn").read_bytes()).hexdigest() == HASHES[name]["file"]


@pytest.mark.parametrize("name", HASHES)
def test_latents(name: str) -> None:
    parts = container.read((FILES / f"{name}.wyn").read_bytes())
    latents = learned.decode_latents(parts.payload, parts.header.width, parts.header.height)
    assert hashlib.sha256(latents.astype("<i4").tobytes()).hexdigest() == HASHES[name]["latents"]


@pytest.mark.parametrize("name", HASHES)
def test_the_picture(name: str) -> None:
    pytest.importorskip("torch")
    data = pytest.importorskip("skimage.data")
    photo = np.ascontiguousarray(data.astronaut()[60:124, 170:267])
    decoded = wyner.decode((FILES / f"{name}.wyn").read_bytes()).pixels
    psnr_db = metrics.psnr(metrics.mse(photo, decoded), 255)
    assert psnr_db == pytest.approx(HASHES[name]["psnr_db"], abs=0.1)
