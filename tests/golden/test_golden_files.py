"""Released files decode forever: the same samples on every instruction set, with one or two threads."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import wyner
from wyner import container
from wyner.reference import decode_overfit
from wyner.reference.side_payload import decode_side

FILES = Path(__file__).parent / "files"
HASHES = json.loads((FILES / "hashes.json").read_text())
X86 = platform.machine().lower() in ("x86_64", "amd64")


def contents(name: str) -> tuple[bytes, bytes | None]:
    """A file, and the file that its side picture is in, if it needs one."""
    names = [name, HASHES[name].get("side")]
    file, side = (None if name is None else (FILES / f"{name}.wyn").read_bytes() for name in names)
    return file, side


def decode_slowly(file: bytes, side: bytes | None) -> np.ndarray:
    """By the reference."""
    parts = container.read(file)
    head = parts.header
    size = (head.width, head.height, head.channels, (1 << head.bit_depth) - 1)
    if side is None:
        return decode_overfit(parts.payload, *size)
    return decode_side(parts.payload, *size, wyner.decode(side).pixels, container.read(side).payload)


def samples_hash(name: str, threads: int) -> str:
    file, side = contents(name)
    image = wyner.decode(file, side=side, threads=threads, check_hash=True)
    alpha = b"" if image.alpha is None else image.alpha.tobytes()
    return hashlib.sha256(image.pixels.tobytes() + alpha).hexdigest()


def test_every_file_is_listed() -> None:
    assert {path.stem for path in FILES.glob("*.wyn")} == set(HASHES)
    alone = [container.read(contents(name)[0]) for name in HASHES if "side" not in HASHES[name]]
    assert len({parts.payload[0] for parts in alone}) >= 6  # models
    beside = [container.read(contents(name)[0]) for name in HASHES if "side" in HASHES[name]]
    assert {parts.payload[0] for parts in beside} == {0, 1, 2}  # modes


@pytest.mark.parametrize("name", HASHES)
def test_the_file_is_the_released_one(name: str) -> None:
    assert hashlib.sha256((FILES / f"{name}.wyn").read_bytes()).hexdigest() == HASHES[name]["file"]


@pytest.mark.parametrize("isa", ["v2", "v3", "v4"] if X86 else ["base"])
def test_native_decoder(isa: str) -> None:
    script = "import json, test_golden_files as t, wyner._native as n\n"
    script += (
        "print(json.dumps([n.active_isa(), *({k: t.samples_hash(k, i) for k in t.HASHES} for i in (1, 2))]))"
    )
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    environment = {**os.environ, "WYNER_ISA": isa, "PYTHONPATH": path}
    run = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    if "not available on this processor" in run.stderr:
        pytest.skip(f"{isa} is not available here")
    expected = {name: hashes["samples"] for name, hashes in HASHES.items()}
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == [isa, expected, expected]


@pytest.mark.parametrize("name", HASHES)
def test_reference_decoder(name: str) -> None:
    file, side = contents(name)
    np.testing.assert_array_equal(decode_slowly(file, side), wyner.decode(file, side=side).pixels)
