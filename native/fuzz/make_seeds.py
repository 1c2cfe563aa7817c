"""Write seeds, small valid inputs, for fuzz targets that would not find any by chance.

    python native/fuzz/make_seeds.py FOLDER

FOLDER/fuzz_x gets those of native/fuzz/fuzz_x.cpp, which tells what its inputs are made of.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "unit"))

from random_overfit import models, random_stream

from wyner import _native, container, decode
from wyner.container import Container, Header
from wyner.image import pixel_hash


def picture_file(index: int) -> bytes:
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


def containers() -> Iterator[bytes]:
    yield from map(picture_file, range(12))


def payloads() -> Iterator[bytes]:
    for index in range(12):
        rng = np.random.default_rng(index)
        width, height = (int(side) for side in rng.integers(1, 33, 2))
        stream = random_stream(rng, width, height, index % len(models()), 1 + index % 9)
        yield bytes([width - 1, height - 1, index % 16]) + stream.encode()


def sets() -> Iterator[bytes]:
    for index in range(8):
        rng = np.random.default_rng(index)
        width, height, grids = (int(n) for n in rng.integers(1, 9, 3))
        base, own = (random_stream(rng, width, height, index % len(models()), grids) for _ in range(2))
        networks = _native.set_encode_networks(
            base.model, grids, base.fa, base.fu, base.k, base.s, base.params
        )
        payload = _native.set_encode_latents(networks, width, height, base.latents)
        if index % 2:
            changed = own.fa, own.fu, own.k, own.s, own.params
            payload = _native.set_encode_own(networks, *changed, width, height, own.latents)
        head = bytes([width - 1, height - 1, index % 4]) + len(networks).to_bytes(2, "little")
        yield head + networks + payload


def planes() -> Iterator[bytes]:
    for index, levels in enumerate((2, 3, 200, 65536)):
        rng = np.random.default_rng(index)
        width, height, deep = 5 + index, 7, levels > 256
        plane = rng.integers(0, levels, (height, width)).astype(np.uint16 if deep else np.uint8)
        yield bytes([width - 1, height - 1, deep]) + _native.plane_encode(plane)


def fields() -> Iterator[bytes]:
    for index, block in enumerate((8, 16, 32)):
        rng = np.random.default_rng(index)
        width, height = 100, 70
        shape = (-(-height // block), -(-width // block))
        vectors = np.cumsum(rng.integers(-3, 4, (*shape, 2)), 1).astype(np.int32)
        valid = rng.integers(0, 4, shape) > 0
        field = _native.side_encode_field(block, vectors, valid, width, height)
        yield b"".join((n - 1).to_bytes(2, "little") for n in (width, height)) + field


SEEDS = {
    "fuzz_container": containers,
    "fuzz_overfit": payloads,
    "fuzz_plane": planes,
    "fuzz_set": sets,
    "fuzz_side_field": fields,
}


def main() -> None:
    for target, seeds in SEEDS.items():
        folder = Path(sys.argv[1]) / target
        folder.mkdir(parents=True, exist_ok=True)
        for index, seed in enumerate(seeds()):
            (folder / f"seed{index:02}").write_bytes(seed)


if __name__ == "__main__":
    main()
