"""Make the golden files of a format version, once: every later decoder must decode them to the same pixels.

    python tools/make_golden.py tests/golden/files

Files that are there already are never replaced; a new kind of file is added to the list below. hashes.json
gets the SHA-256 of each file and of its decoded samples, on which the NumPy reference and the native decoder
must agree, and the name of its side picture: a golden file too, so that it stays the same.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from skimage import data

import wyner
from wyner import container
from wyner.container import Container, Header

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "unit"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "golden"))
from random_overfit import random_stream
from test_golden_files import decode_slowly

SCENE = data.astronaut()  # by NASA, in the public domain
PHOTO = np.ascontiguousarray(SCENE[60:124, 170:267])
# Its halves, moved apart, and in part out of it.
MOVED = np.concatenate([SCENE[62:94, 175:272], SCENE[91:123, 163:260]])


def photo(quality: float, effort: int) -> bytes:
    return wyner.encode(PHOTO, quality=quality, effort=effort, store_hash=True)


def deep_alpha() -> bytes:
    """16 bit RGBA with metadata."""
    height, width = 21, 34
    alpha = (np.add.outer(np.arange(height), np.arange(width)) * 1200).astype(np.uint16)
    colour = PHOTO[:height, :width].astype(np.uint16) * 257
    picture = wyner.Image(colour, alpha, icc=b"a profile", exif=None, xmp=b"<x/>")
    return wyner.encode(picture, quality=50, effort=1, store_hash=True)


def random_payload(
    seed: int, width: int, height: int, channels: int, depth: int, model: int, grids: int
) -> bytes:
    """Random parameters and latents, which reach values that fits seldom do."""
    payload = random_stream(np.random.default_rng(seed), width, height, model, grids).encode()
    return container.write(Container(Header(width, height, channels, depth, False, 1, 1), payload))


@dataclass(frozen=True)
class Beside:
    """A file that needs the picture in another file of the folder, its side picture."""

    side: str
    picture: np.ndarray
    mode: str = "full"

    def __call__(self) -> bytes:
        settings = {"quality": 60, "effort": 1, "options": {"side_mode": self.mode}, "store_hash": True}
        return wyner.encode(self.picture, side=contents(self.side), codec="side", **settings)


FILES: dict[str, Callable[[], bytes]] = {
    "photo_q10_e1": lambda: photo(10, 1),
    "photo_q45_e1": lambda: photo(45, 1),
    "photo_q70_e1": lambda: photo(70, 1),
    "photo_q45_e4": lambda: photo(45, 4),
    "photo_q70_e4": lambda: photo(70, 4),
    "grey_1x1": lambda: wyner.encode(np.full((1, 1), 77, np.uint8), effort=1, store_hash=True),
    "grey_300x1": lambda: wyner.encode(PHOTO[:3, :, 0].reshape(1, -1), quality=80, effort=1, store_hash=True),
    "deep_alpha": deep_alpha,
    "random_small": lambda: random_payload(1, 45, 71, 3, 8, 0, 7),
    "random_medium": lambda: random_payload(2, 130, 19, 1, 16, 1, 9),
    "random_large": lambda: random_payload(3, 33, 65, 3, 16, 2, 3),
    "random_large_low_rate": lambda: random_payload(4, 64, 64, 3, 8, 6, 7),
    "side_rgb": Beside("photo_q70_e4", MOVED),
    "side_grey": Beside("photo_q70_e4", MOVED[:, :, 1]),
    "side_deep": Beside("photo_q45_e4", MOVED[20:50, 30:90, 0].astype(np.uint16) * 257),
    "side_arm": Beside("deep_alpha", MOVED[:40, :40], "arm"),
    "side_latents": Beside("photo_q45_e4", MOVED, "latents"),
}


def contents(name: str) -> bytes:
    return (Path(sys.argv[1]) / f"{name}.wyn").read_bytes()


def samples_hash(file: bytes, side: bytes | None) -> str:
    """SHA-256 of the decoded samples, colour then alpha; native and reference must agree."""
    image = wyner.decode(file, side=side, check_hash=True)
    if not np.array_equal(decode_slowly(file, side), image.pixels):
        raise SystemExit("the native decoder and the reference disagree")
    alpha = b"" if image.alpha is None else image.alpha.tobytes()
    return hashlib.sha256(image.pixels.tobytes() + alpha).hexdigest()


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / "hashes.json"
    hashes = json.loads(table.read_text()) if table.exists() else {}
    for name, make in FILES.items():
        path = folder / f"{name}.wyn"
        if path.exists():
            continue
        file, side = make(), {"side": make.side} if isinstance(make, Beside) else {}
        samples = samples_hash(file, contents(make.side) if isinstance(make, Beside) else None)
        hashes[name] = {"file": hashlib.sha256(file).hexdigest(), "samples": samples, **side}
        path.write_bytes(file)
        print(f"{path}: {len(file)} bytes")
    table.write_text(json.dumps(hashes, indent=1) + "\n")


if __name__ == "__main__":
    main()
