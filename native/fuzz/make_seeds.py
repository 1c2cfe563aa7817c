"""Write seed files for fuzz_container: small valid files of every kind. Usage: make_seeds.py FOLDER."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "unit"))

from random_overfit import models, random_stream

from wyner import _native, container, decode
from wyner.container import Container, Header
from wyner.image import pixel_hash


def seed_file(index: int) -> bytes:
    """File ``index`` of 12: every model, depth, colour and alpha; some with metadata, some with a hash."""
    rng = np.random.default_rng(index)
    width, height = (int(side) for side in rng.integers(1, 33, 2))
    channels, depth, with_alpha = 1 + 2 * (index % 2), 8 * (1 + index // 2 % 2), index % 3 == 1
    alpha = None
    if with_alpha:
        levels = np.asarray([0, 2**depth - 1], np.uint8 if depth == 8 else np.uint16)
        alpha = _native.plane_encode(levels[rng.integers(0, 2, (height, width))])
    stream = random_stream(rng, width, height, index % len(models()), 1 + index % 9)
    extra = {"exif": b"II*\x00" + bytes(90), "icc": rng.bytes(40), "xmp": b"<x/>"} if index % 2 else {}
    header = Header(width, height, channels, depth, with_alpha, 1, 1)
    parts = Container(header, stream.encode(), alpha, **extra)
    if index == 11:
        return container.write(replace(parts, side_hash=bytes(16), pixel_hash=bytes(16)))
    decoded = decode(container.write(parts)) if index % 4 < 2 else None
    return container.write(replace(parts, pixel_hash=pixel_hash(decoded) if decoded else None))


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(12):
        (folder / f"seed{index:02}.wyn").write_bytes(seed_file(index))


if __name__ == "__main__":
    main()
