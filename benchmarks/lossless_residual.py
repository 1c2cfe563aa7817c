"""Would the overfitted codec make a lossless one? A lossy file of it, and what it lacks coded without loss.

    python benchmarks/lossless_residual.py -q 40 60 80 -e 3

For each Kodak image and quality: bits per sub-pixel of the lossy file, and of the differences to the
original, taken modulo 256 and coded, whichever is least, by JPEG XL (effort 7), WebP, or our own lossless
codec. The sum is what such a file would take, but for a few bytes. Beside it the lossless codec as it is.
Writes results/lossless_residual.json. Needs `WYNER_DATA`.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import imagecodecs
import numpy as np
from rd import RESULTS, kodak

import wyner

IMAGES = ("kodim05", "kodim20", "kodim23")


def residual_bytes(residual: np.ndarray) -> dict[str, int]:
    """Bytes of the differences, (H, W, 3) uint8, by each coder; all are read back."""
    files = {
        "jpegxl_e7": imagecodecs.jpegxl_encode(residual, lossless=True, effort=7),
        "webp": imagecodecs.webp_encode(residual, lossless=True),
        "wyner": wyner.encode(residual, codec="lossless"),
    }
    decoders = {
        "jpegxl_e7": imagecodecs.jpegxl_decode,
        "webp": imagecodecs.webp_decode,
        "wyner": lambda file: wyner.decode(file).pixels,
    }
    for name, file in files.items():
        if not np.array_equal(decoders[name](file), residual):
            raise ValueError(f"{name} is not lossless here")
    return {name: len(file) for name, file in files.items()}


def row(image: str, quality: float, effort: int, direct: int) -> dict[str, Any]:
    """Bits per sub-pixel of the parts."""
    pixels = kodak(image)
    file = wyner.encode(pixels, quality=quality, effort=effort, threads=1)
    # 128 in the middle: coders that predict see no jump from 0 to 255.
    residual = (pixels.astype(int) - wyner.decode(file).pixels + 128).astype(np.uint8)
    found = residual_bytes(residual)
    best = min(found, key=lambda name: found[name])
    bits = 8 / pixels.size
    return {
        "image": image,
        "quality": quality,
        "effort": effort,
        "lossy_bpsp": round(bits * len(file), 4),
        "residual_bpsp": {name: round(bits * size, 4) for name, size in found.items()},
        "sum_bpsp": round(bits * (len(file) + found[best]), 4),
        "lossless_bpsp": round(bits * direct, 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-q", "--qualities", type=float, nargs="+", default=[40.0, 60.0, 80.0])
    parser.add_argument("-e", "--effort", type=int, default=3)
    arguments = parser.parse_args()
    rows = []
    for image in IMAGES:
        direct = len(wyner.encode(kodak(image), codec="lossless"))
        for quality in arguments.qualities:
            rows.append(row(image, quality, arguments.effort, direct))
            print(rows[-1], flush=True)
    (RESULTS / "lossless_residual.json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
