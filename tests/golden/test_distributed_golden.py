"""Files of shipped distributed codecs decode to the same latents forever, and to a picture like theirs."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("wyner._native", reason="the native core is not built")

import wyner
from wyner import container, metrics
from wyner.codecs import distributed
from wyner.codecs.learned import payload

FILES = Path(__file__).parent / "distributed"
HASHES = json.loads((FILES / "hashes.json").read_text())
MODELS = ("ndic-aligned", "ndic", "ndic-none")


def pair() -> list[np.ndarray]:
    """Left and right (61, 130, 3) of the motorcycle."""
    data = pytest.importorskip("skimage.data")
    return [np.ascontiguousarray(p[60:304:4, 100:620:4]) for p in data.stereo_motorcycle()[:2]]


def test_every_file_is_listed() -> None:
    assert HASHES.keys() == {path.stem for path in FILES.glob("*.wyn")}
    assert HASHES.keys() == {f"{model}_q{q}" for model in MODELS for q in (30, 80)}


@pytest.mark.parametrize("name", HASHES)
def test_the_file_is_the_released_one(name: str) -> None:
    assert hashlib.sha256((FILES / f"{name}.wyn").read_bytes()).hexdigest() == HASHES[name]["file"]


@pytest.mark.parametrize("name", HASHES)
def test_latents(name: str) -> None:
    parts = container.read((FILES / f"{name}.wyn").read_bytes())
    model, level = payload.head(parts.payload, distributed.STORE)
    latents = payload.read(parts.payload, model, level, parts.header.width, parts.header.height)
    assert hashlib.sha256(latents.astype("<i4").tobytes()).hexdigest() == HASHES[name]["latents"]


@pytest.mark.parametrize("name", HASHES)
@pytest.mark.filterwarnings("ignore::wyner.errors.SideWarning")
def test_the_picture(name: str) -> None:
    pytest.importorskip("torch")
    x, y = pair()
    data = (FILES / f"{name}.wyn").read_bytes()
    for key, side in (("with_y", y), ("without", None)):
        psnr_db = metrics.psnr(metrics.mse(x, wyner.decode(data, side=side).pixels), 255)
        assert psnr_db == pytest.approx(HASHES[name]["psnr_db"][key], abs=0.1)
