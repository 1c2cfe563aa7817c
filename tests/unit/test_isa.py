"""One picture from every machine: each instruction set, thread counts, the program here and on arm64."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import compiled
import forced_isa
import numpy as np
import pytest
from numpy.typing import NDArray

import wyner
from wyner import container
from wyner.container import Container, Header
from wyner.image import Image, pixel_hash

native = pytest.importorskip("wyner._native", reason="the native extension is not built")

from random_overfit import random_stream  # noqa: E402

X86 = platform.machine().lower() in ("x86_64", "amd64")
# width, height, channels, bit depth, alpha, model, grids
CASES = [
    (77, 53, 3, 8, False, 0, 7),
    (33, 130, 1, 16, True, 1, 5),
    (1, 1, 3, 16, False, 2, 9),
    (130, 19, 3, 8, True, 2, 3),
]


@dataclass(frozen=True)
class Sample:
    """A file and what it must decode to: colour (H, W, C), alpha as one more plane."""

    data: bytes
    payload: bytes
    alpha: bytes | None
    header: Header

    @property
    def maxval(self) -> int:
        return (1 << self.header.bit_depth) - 1

    def decode(self, threads: int) -> NDArray[np.generic]:
        h = self.header
        colour = native.overfit_decode(
            self.payload, h.width, h.height, h.channels, self.maxval, threads=threads
        )
        if self.alpha is None:
            return colour
        return np.dstack([colour, native.plane_decode(self.alpha, h.width, h.height, self.maxval)])


@cache
def samples() -> list[Sample]:
    made = []
    for seed, (width, height, channels, depth, with_alpha, model, grids) in enumerate(CASES):
        rng = np.random.default_rng(100 + seed)
        payload = random_stream(rng, width, height, model, grids).encode()
        alpha = None
        if with_alpha:
            ramp = np.add.outer(np.arange(height), np.arange(width)) * 300 % (1 << depth)
            alpha = native.plane_encode(ramp.astype(np.uint8 if depth == 8 else np.uint16))
        header = Header(width, height, channels, depth, with_alpha, 1, 1)
        data = container.write(Container(header, payload, alpha))
        made.append(Sample(data, payload, alpha, header))
    return made


def digest(threads: int) -> str:
    h = hashlib.sha256()
    for sample in samples():
        h.update(sample.data)
        h.update(np.ascontiguousarray(sample.decode(threads)).tobytes())
    return h.hexdigest()


@pytest.mark.parametrize("isa", ["v2", "v3", "v4"] if X86 else ["base"])
def test_every_instruction_set_and_thread_count_agrees(isa: str) -> None:
    run = forced_isa.run(isa, "test_isa", "t.digest(1)", "t.digest(2)")
    assert run.stdout.split() == [isa, digest(1), digest(1)], run.stderr


def decoder_sources() -> list[Path]:
    """What the program needs: not the encoder, whose fitting kernels take long to compile."""
    folders = ["base", "container", "kernels", "overfit", "plane", "tools"]
    paths = sorted(path for folder in folders for path in (compiled.NATIVE / folder).glob("*.cpp"))
    return [path for path in paths if not path.name.startswith(("fit_", "soap", "encode", "weight_"))]


@pytest.fixture(scope="module", params=["here", "arm64"])
def decoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command that runs wyner_decode: for any machine of this kind, or for arm64 in an emulator."""
    folder = tmp_path_factory.mktemp(request.param)
    return compiled.command(request.param, decoder_sources(), folder, "wyner_decode")


def read_picture(data: bytes, shape: tuple[int, ...], maxval: int) -> NDArray[np.generic]:
    """The samples of a PGM, PPM or PAM file, whose header must be the one of this shape."""
    height, width, planes = shape
    if planes in (1, 3):
        start = f"P{5 if planes == 1 else 6}\n{width} {height}\n{maxval}\n"
    else:
        kind = "GRAYSCALE_ALPHA" if planes == 2 else "RGB_ALPHA"
        start = (
            f"P7\nWIDTH {width}\nHEIGHT {height}\nDEPTH {planes}\nMAXVAL {maxval}\nTUPLTYPE {kind}\nENDHDR\n"
        )
    assert data.startswith(start.encode())
    return np.frombuffer(data, ">u2" if maxval > 255 else "u1", offset=len(start)).reshape(shape)


@pytest.mark.parametrize("threads", ["1", "2"])
def test_the_program_decodes_the_same_samples(decoder: list[str], threads: str, tmp_path: Path) -> None:
    for sample in samples():
        (tmp_path / "in.wyn").write_bytes(sample.data)
        out = tmp_path / "out.pnm"
        subprocess.run([*decoder, "-t", threads, str(tmp_path / "in.wyn"), str(out)], check=True)
        expected = sample.decode(1)
        np.testing.assert_array_equal(read_picture(out.read_bytes(), expected.shape, sample.maxval), expected)


def test_the_program_decodes_golden_files(decoder: list[str], tmp_path: Path) -> None:
    """With -c the program verifies the pixel hash where there is one; all are compared with the library.

    It takes no side pictures; of files that need one it says so.
    """
    files = sorted((Path(__file__).parents[1] / "golden" / "files").glob("*.wyn"))
    beside = [path for path in files if container.read(path.read_bytes()).side_hash is not None]
    for path in beside:
        run = subprocess.run([*decoder, str(path), str(tmp_path / "out.pnm")], capture_output=True)
        assert run.returncode == 7
    alone = [path for path in files if path not in beside]
    assert beside and alone
    for path in alone:
        image = wyner.decode(path.read_bytes())
        expected = image.pixels if image.alpha is None else np.dstack([image.pixels, image.alpha])
        out = tmp_path / "out.pnm"
        subprocess.run([*decoder, "-c", str(path), str(out)], check=True)
        np.testing.assert_array_equal(read_picture(out.read_bytes(), expected.shape, image.maxval), expected)
        out.unlink()


def test_exit_codes_of_the_program(decoder: list[str], tmp_path: Path) -> None:
    plain = Container(Header(4, 4, 1, 8, False, 1, 1), b"")
    files = {
        3: samples()[0].data[:-1],
        4: container.write(Container(Header(4, 4, 1, 8, False, 9, 1), b"")),
        5: container.write(Container(Header(40000, 4, 1, 8, False, 1, 1), b"")),
        7: container.write(Container(plain.header, b"", side_hash=bytes(16))),
    }
    out = tmp_path / "out.pnm"
    for code, data in files.items():
        (tmp_path / "in.wyn").write_bytes(data)
        run = subprocess.run([*decoder, str(tmp_path / "in.wyn"), str(out)], capture_output=True)
        assert run.returncode == code and not out.exists(), run.stderr
    for digest, code in ((pixel_hash(Image.from_array(samples()[1].decode(1))), 0), (bytes(16), 3)):
        parts = container.read(samples()[1].data)
        (tmp_path / "in.wyn").write_bytes(container.write(replace(parts, pixel_hash=digest)))
        command = [*decoder, "-t", "2", "-c", str(tmp_path / "in.wyn"), str(out)]
        assert subprocess.run(command, capture_output=True).returncode == code
        assert out.exists() == (code == 0)
        out.unlink(missing_ok=True)
    for code, arguments in (
        (1, [str(tmp_path / "absent.wyn"), str(out)]),
        (2, []),
        (2, ["-t", "0", "a", "b"]),
        (2, ["-x", "a", "b"]),
    ):
        assert subprocess.run([*decoder, *arguments], capture_output=True).returncode == code
