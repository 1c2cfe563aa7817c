"""One file from every instruction set and number of threads: by random networks of the lossless codec."""

from __future__ import annotations

import functools
import hashlib
import platform

import forced_isa
import numpy as np
import pytest

native = pytest.importorskip("wyner._native", reason="the native extension is not built")

from lossless_samples import SMALL, picture, random_integers  # noqa: E402

X86 = platform.machine().lower() in ("x86_64", "amd64")
CASES = [
    # sizes, part of the largest sums, width, height, channels, maxval
    (SMALL, 0.05, 161, 67, 3, 255),
    ((22, 14, 128, 30, 1, 1, 1), 0.99, 75, 90, 3, 65535),
    ((128, 96, 64, 18, 0, 0, 0), 0.01, 33, 35, 1, 255),
    ((2, 2, 64, 2, 0, 0, 0), 0.02, 420, 321, 1, 65535),
]


@functools.cache
def digest(threads: int) -> str:
    """Of what is coded and what is decoded from it, which is tested to be what was given."""
    result = hashlib.sha256()
    for sizes, part, width, height, channels, maxval in CASES:
        rng = np.random.default_rng(width)
        network = random_integers(rng, sizes, part).native()
        pixels = picture(rng, "photo", width, height, channels, maxval)
        data = network.encode(pixels, maxval, threads)
        back = network.decode(data, width, height, channels, maxval, threads)
        np.testing.assert_array_equal(back, pixels)
        result.update(data)
    return result.hexdigest()


@pytest.mark.parametrize("isa", ["v2", "v3", "v4"] if X86 else ["base"])
def test_every_instruction_set_and_thread_count_agrees(isa: str) -> None:
    run = forced_isa.run(isa, "test_lossless_isa", "t.digest(1)", "t.digest(3)")
    assert run.stdout.split() == [isa, digest(1), digest(2)], run.stderr
