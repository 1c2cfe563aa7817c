"""One field, warped and refined picture from every instruction set and number of threads."""

from __future__ import annotations

import hashlib
import platform

import forced_isa
import numpy as np
import pytest

from wyner.codecs.side import align, network, refinement

native = pytest.importorskip("wyner._native", reason="the native extension is not built")

X86 = platform.machine().lower() in ("x86_64", "amd64")


def pair(width: int, height: int, dtype: type) -> tuple[np.ndarray, np.ndarray]:
    """Two blurred noises, one moved against the other by different amounts in its halves."""
    rng = np.random.default_rng(width)
    noise = rng.integers(0, np.iinfo(dtype).max + 1, (height, width + 40, 3)).astype(float)
    blurred = sum(np.roll(noise, (i, j), (0, 1)) for i in range(4) for j in range(4)) / 16
    y = blurred[:, 20 : width + 20]
    x = np.concatenate([blurred[: height // 2, 8 : width + 8], blurred[height // 2 :, 33 : width + 33]])
    return x.astype(dtype), y.astype(dtype)


def digest(threads: int) -> str:
    """Of the estimated and the wild fields, and of what they make of pictures of full contrast."""
    result = hashlib.sha256()
    for width, height, dtype in ((170, 99, np.uint8), (77, 130, np.uint16), (1, 1, np.uint8)):
        x, y = pair(width, height, dtype)
        fields = [align.estimate_field(x, y, block_size=size) for size in (8, 16, 32)]
        rng = np.random.default_rng(height)
        wild = rng.integers(-300, 301, fields[0].vectors.shape).astype(np.int16)
        fields.append(align.Field(8, wild, np.ones(wild.shape[:2], np.uint8)))
        extremes = np.where(y > np.iinfo(dtype).max // 2, np.iinfo(dtype).max, 0).astype(dtype)
        for field in fields:
            result.update(align.encode_field(field))
            for part in align.warp(extremes, field, width, height, threads=threads):
                result.update(part.tobytes())
    return result.hexdigest()


def refined(threads: int) -> str:
    """Of pictures refined by the part of them that the other one shows, and of what the network was given."""
    result = hashlib.sha256()
    for width, height, dtype in ((170, 99, np.uint8), (77, 130, np.uint16)):
        x, y = pair(width, height, dtype)
        planes = refinement.network_inputs(x, y, 2000, threads, least_valid=0)
        assert planes is not None
        result.update(planes.tobytes())
        change = native.side_restore(planes, 2200, list(network.shipped()), threads)
        result.update(refinement.changed(x, change).tobytes())
    return result.hexdigest()


@pytest.mark.parametrize("isa", ["v2", "v3", "v4"] if X86 else ["base"])
def test_every_instruction_set_refines_alike(isa: str) -> None:
    run = forced_isa.run(isa, "test_side_isa", "t.refined(1)", "t.refined(3)")
    assert run.stdout.split() == [isa, refined(1), refined(1)], run.stderr


@pytest.mark.parametrize("isa", ["v2", "v3", "v4"] if X86 else ["base"])
def test_every_instruction_set_and_thread_count_agrees(isa: str) -> None:
    run = forced_isa.run(isa, "test_side_isa", "t.digest(1)", "t.digest(3)")
    assert run.stdout.split() == [isa, digest(1), digest(1)], run.stderr
