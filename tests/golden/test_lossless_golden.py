"""Files of the lossless codec give the same samples forever, on every instruction set and thread count."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("wyner._native", reason="the native core is not built")

import wyner
from wyner import _native

FILES = Path(__file__).parent / "lossless"
HASHES = json.loads((FILES / "hashes.json").read_text())
SETS = ("v2", "v3", "v4")


def digest(name: str, threads: int) -> str:
    pixels = wyner.decode((FILES / f"{name}.wyn").read_bytes(), threads=threads).pixels
    return hashlib.sha256(pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()).hexdigest()


def test_every_file_is_listed() -> None:
    assert HASHES.keys() == {path.stem for path in FILES.glob("*.wyn")}


@pytest.mark.parametrize("name", HASHES)
def test_samples(name: str) -> None:
    assert [digest(name, threads) for threads in (1, 2)] == [HASHES[name]] * 2


@pytest.mark.parametrize("isa", SETS)
def test_instruction_sets(isa: str) -> None:
    if _native.active_isa() not in SETS[SETS.index(isa) :]:
        pytest.skip(f"this processor has no {isa}")
    code = (
        "import json, sys; sys.path.insert(0, sys.argv[1]); "
        "from test_lossless_golden import HASHES, digest; "
        "print(json.dumps({name: digest(name, 2) for name in HASHES}))"
    )
    environment = {**os.environ, "WYNER_ISA": isa}
    done = subprocess.run(
        [sys.executable, "-c", code, str(Path(__file__).parent)],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == HASHES
