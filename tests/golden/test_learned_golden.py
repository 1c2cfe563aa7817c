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


def test_every_file_is_listed() -> None:
    assert HASHES.keys() == {path.stem for path in FILES.glob("*.wyn")}


@pytest.mark.parametrize("name", HASHES)
def test_latents(name: str) -> None:
    parts = container.read((FILES / f"{name}.wyn").read_bytes())
    latents = learned.decode_latents(parts.payload, parts.header.width, parts.header.height)
    assert hashlib.sha256(latents.astype("<i4").tobytes()).hexdigest() == HASHES[name]


@pytest.mark.parametrize("name", HASHES)
def test_the_picture(name: str) -> None:
    pytest.importorskip("torch")
    data = pytest.importorskip("skimage.data")
    photo = np.ascontiguousarray(data.astronaut()[60:124, 170:267])
    decoded = wyner.decode((FILES / f"{name}.wyn").read_bytes()).pixels
    assert metrics.psnr(metrics.mse(photo, decoded), 255) > (28 if name.endswith("q80") else 22)
