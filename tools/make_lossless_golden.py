"""Make the golden files of the lossless codec, once: every later decoder must give the same samples.

    python tools/make_lossless_golden.py tests/golden/lossless

Files that are there already are never replaced, nor what hashes.json tells of them: the SHA-256 of the file
and of its samples, those of 16 bits little endian. photo_updated, with an update in it, is not made here. A
network that is no longer shipped must stay where the codec finds it.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from skimage import data

import wyner

PHOTO = np.ascontiguousarray(data.astronaut()[60:124, 170:267])  # by NASA, in the public domain


def pictures() -> dict[str, npt.NDArray[np.generic]]:
    """Samples by the name of their file."""
    y, x = np.mgrid[:40, :56]
    drawn = np.stack([(x // 8 + y // 8) % 2 * 200, (x == y) * 255, np.full_like(x, 30)], -1).astype(np.uint8)
    return {
        "photo": PHOTO,
        "photo_grey": PHOTO[..., 1].copy(),
        "photo_16": PHOTO[:33, :40].astype(np.uint16) * 257 - (PHOTO[:33, :40] // 3),
        "photo_tuned": np.ascontiguousarray(data.astronaut()[0:200, 120:320]),
        "row": PHOTO[:1, :31].copy(),
        "pixel": PHOTO[:1, :1].copy(),
        "drawn": drawn,
        "noise_16": np.random.default_rng(0).integers(0, 1 << 16, (9, 11, 3)).astype(np.uint16),
        "gradient": np.stack([4 * x + y, 3 * y, 255 - 4 * x], -1).astype(np.uint8),
    }


def samples_hash(file: bytes) -> str:
    pixels = wyner.decode(file).pixels
    return hashlib.sha256(pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()).hexdigest()


def main(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    table = folder / "hashes.json"
    hashes = json.loads(table.read_text()) if table.exists() else {}
    for name, pixels in pictures().items():
        path = folder / f"{name}.wyn"
        if not path.exists():
            file = wyner.encode(pixels, codec="lossless")
            path.write_bytes(file)
            hashes[name] = {"file": hashlib.sha256(file).hexdigest(), "samples": samples_hash(file)}
    table.write_text(json.dumps(hashes, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
