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

FILES = Path(__file__).parent / "files"
HASHES = json.loads((FILES / "hashes.json").read_text())
X86 = platform.machine().lower() in ("x86_64", "amd64")


def samples_hash(name: str, threads: int) -> str:
    image = wyner.decode((FILES / f"{name}.wyn").read_bytes(), threads=threads, check_hash=True)
    alpha = b"" if image.alpha is None else image.alpha.tobytes()
    return hashlib.sha256(image.pixels.tobytes() + alpha).hexdigest()


def test_every_file_is_listed() -> None:
    assert {path.stem for path in FILES.glob("*.wyn")} == set(HASHES)
    models = {container.read(path.read_bytes()).payload[0] for path in FILES.glob("*.wyn")}
    assert len(models) >= 6


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
    data = (FILES / f"{name}.wyn").read_bytes()
    parts, image = container.read(data), wyner.decode(data)
    head = parts.header
    slow = decode_overfit(parts.payload, head.width, head.height, head.channels, (1 << head.bit_depth) - 1)
    np.testing.assert_array_equal(slow, image.pixels)
