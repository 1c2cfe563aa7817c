"""Fixtures: a stand-in codec for tests of everything around the codecs, and the test pictures."""

from __future__ import annotations

import os
import signal
import sys
import types
import zlib
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
from PIL import Image as PilImage

import wyner
from wyner.codecs.base import Progress, ProgressCallback, Settings
from wyner.errors import CorruptError

REPOSITORY = Path(__file__).parents[1]

# Shells make what they run in the background ignore interrupts, and children inherit that; tests send some.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Everything else stays as hypothesis has it, here or in CI; but machines are busy, and no test is of speed.
hypothesis.settings.register_profile("wyner", hypothesis.settings(), deadline=None)
hypothesis.settings.load_profile("wyner")


@pytest.fixture(autouse=True)
def pillow_guards(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program lifts Pillow's own limit, which is of the process; after a test it is back."""
    monkeypatch.setattr(PilImage, "MAX_IMAGE_PIXELS", PilImage.MAX_IMAGE_PIXELS)


class FakeCodec(types.ModuleType):
    """A codec that drops low bits and deflates: same interface and ids as the real one, no fitting."""

    CODEC_ID = 1
    VERSION = 1
    TAKES_SIDE = False
    OPTIONS = ()
    EXACT_PIXELS = True
    LOSSLESS = False
    SIDE_AT_DECODER = False

    def __init__(self) -> None:
        super().__init__("wyner.codecs.overfit")
        self.seen: list[Settings] = []
        self.macs = 10.0

    def encode(
        self, pixels: np.ndarray[Any, Any], settings: Settings, progress: ProgressCallback | None
    ) -> bytes:
        self.seen.append(settings)
        step = 1 if settings.quality is None else 1 + int(100 - settings.quality) // 10
        payload = zlib.compress((pixels // step * step).astype(pixels.dtype.newbyteorder("<")).tobytes(), 1)
        for index in range(3):
            if progress is not None:
                progress(Progress(index, 3, 1.0, 30.0, 3.0 - index, "fit"))
        return payload

    def decode(
        self, payload: bytes, width: int, height: int, channels: int, maxval: int, threads: int
    ) -> np.ndarray[Any, Any]:
        dtype = np.dtype("<u1" if maxval == 255 else "<u2")
        try:
            raw = zlib.decompressobj().decompress(payload, width * height * channels * dtype.itemsize)
            samples = np.frombuffer(raw, dtype).reshape(height, width, channels)
        except (zlib.error, ValueError) as error:
            raise CorruptError(str(error)) from None
        return samples.astype(np.uint8 if maxval == 255 else np.uint16)

    def macs_per_pixel(self, payload: bytes) -> float:
        return self.macs


class FakeNative(types.ModuleType):
    """Stands in for the plane coder of the native core."""

    def __init__(self) -> None:
        super().__init__("wyner._native")

    def plane_encode(self, plane: np.ndarray[Any, Any]) -> bytes:
        return zlib.compress(plane.tobytes())

    def plane_decode(self, data: bytes, width: int, height: int, maxval: int) -> np.ndarray[Any, Any]:
        dtype = np.uint8 if maxval == 255 else np.uint16
        try:
            return np.frombuffer(zlib.decompress(data), dtype).reshape(height, width)
        except (zlib.error, ValueError) as error:
            raise CorruptError(str(error)) from None


@pytest.fixture
def fake_codec(monkeypatch: pytest.MonkeyPatch) -> FakeCodec:
    """Replace the overfit codec and the native plane coder for one test."""
    codec, native = FakeCodec(), FakeNative()
    monkeypatch.setitem(sys.modules, "wyner.codecs.overfit", codec)
    monkeypatch.setitem(sys.modules, "wyner._native", native)
    monkeypatch.setattr(wyner, "_native", native, raising=False)
    return codec


@pytest.fixture(scope="session")
def odd_files() -> list[Path]:
    """The unusual picture files; skips the test where they are not at hand."""
    folder = Path(os.environ.get("WYNER_DATA", REPOSITORY.parent / "shared" / "data")) / "odd"
    if not folder.is_dir():
        pytest.skip(f"no test pictures in {folder}; set WYNER_DATA")
    return sorted(path for path in folder.iterdir() if path.suffix != ".csv")


@pytest.fixture
def photo() -> np.ndarray[Any, Any]:
    """A small smooth picture (31, 45, 3) uint8 with noise."""
    y, x = np.mgrid[0:31, 0:45]
    noise = np.random.default_rng(1).integers(0, 8, (31, 45, 3))
    return (np.dstack([3 * x + y, 5 * y, 200 - 2 * x]) + noise).clip(0, 255).astype(np.uint8)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of three small pictures to train on."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    rng = np.random.default_rng(1)
    for k in range(3):
        coarse = rng.integers(0, 256, (9, 10, 3)).astype(np.uint8)
        PilImage.fromarray(coarse).resize((80, 72)).save(folder / f"{k}.png")
    return folder
