"""Damage to files, for tests of what decoders make of it, and of what it costs them."""

from __future__ import annotations

import contextlib
import tracemalloc
from collections.abc import Iterator

import numpy as np


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Bits flipped, a run of bytes overwritten, bytes inserted, or the end cut off; never ``data`` itself."""
    at = int(rng.integers(len(data)))
    kind = rng.integers(4)
    if kind == 0:
        flipped = bytearray(data)
        for bit in rng.choice(8 * len(data), int(rng.integers(1, 5)), replace=False):
            flipped[bit // 8] ^= 1 << (bit % 8)
        return bytes(flipped)
    if kind == 1:
        run = bytearray(rng.bytes(int(rng.integers(1, 40))))
        run[0] = data[at] ^ int(rng.integers(1, 256))
        return data[:at] + run[: len(data) - at] + data[at + len(run) :]
    if kind == 2:
        return data[:at] + rng.bytes(int(rng.integers(1, 40))) + data[at:]
    return data[:at]


@contextlib.contextmanager
def no_more_memory_than(size: int) -> Iterator[None]:
    """Fail where Python objects made within take more than ``size`` bytes at a time."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= size
