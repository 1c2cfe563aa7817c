"""One file from every instruction set and number of threads: by random networks of the lossless codec.

And a golden file of the shipped network on arm64, for which see ``compiled``.
"""

from __future__ import annotations

import functools
import hashlib
import platform
import subprocess
from pathlib import Path

import compiled
import forced_isa
import numpy as np
import pytest

native = pytest.importorskip("wyner._native", reason="the native extension is not built")

from lossless_samples import SMALL, picture, random_integers  # noqa: E402

import wyner  # noqa: E402
from wyner import container  # noqa: E402
from wyner.codecs.lossless import UPDATED, model  # noqa: E402

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


def job_of(parts: container.Container) -> bytes:
    """What ``lossless_decode.cpp`` is given of a file."""
    network, h, data = model.shipped(), parts.header, parts.payload[1 + model.NAME_BYTES :]
    update = b""
    if parts.payload[0] == UPDATED:
        size = int.from_bytes(data[:4], "big")
        update, data = data[4 : 4 + size], data[4 + size :]
    shape = (h.width, h.height, h.channels, (1 << h.bit_depth) - 1)
    counts = (len(network.weights), len(network.biases))
    numbers = np.array([*network.sizes, *counts, *shape, len(update)], "<i4")
    return b"".join([numbers.tobytes(), network.weights.tobytes(), network.biases.tobytes(), update, data])


def test_a_golden_file_on_arm64(tmp_path: Path) -> None:
    folders = [path for name in ("base", "lossless") for path in (compiled.NATIVE / name).glob("*.cpp")]
    sources = [path for path in folders if path.stem not in ("screen", "sha256")]
    sources += [compiled.NATIVE / "kernels" / name for name in ("dispatch.cpp", "lossless_conv_kernel.cpp")]
    sources.append(Path(__file__).with_name("lossless_decode.cpp"))
    program = compiled.command("arm64", sources, tmp_path, "lossless_decode")
    files = Path(__file__).parents[1] / "golden" / "lossless"
    file = (files / "photo_updated.wyn").read_bytes()
    (tmp_path / "job").write_bytes(job_of(container.read(file)))
    subprocess.run([*program, str(tmp_path / "job"), str(tmp_path / "out")], check=True)
    samples = np.fromfile(tmp_path / "out", "<u2")
    np.testing.assert_array_equal(samples, wyner.decode(file).pixels.ravel())
