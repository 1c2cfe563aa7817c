"""Files of the lossless codec give the same samples forever, on every instruction set and thread count."""

from __future__ import annotations

import hashlib
import json
import platform
from pathlib import Path

import forced_isa
import pytest

import wyner
from wyner import container
from wyner.codecs.lossless import NETWORK, PLANES, SCREEN, UPDATED

native = pytest.importorskip("wyner._native", reason="the native core is not built")

FILES = Path(__file__).parent / "lossless"
HASHES = json.loads((FILES / "hashes.json").read_text())
X86 = platform.machine().lower() in ("x86_64", "amd64")


def digest(name: str, threads: int) -> str:
    pixels = wyner.decode((FILES / f"{name}.wyn").read_bytes(), threads=threads).pixels
    return hashlib.sha256(pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()).hexdigest()


def all_digests() -> str:
    return json.dumps({name: digest(name, 2) for name in HASHES})


def test_every_file_is_listed() -> None:
    assert HASHES.keys() == {path.stem for path in FILES.glob("*.wyn")}
    methods = {container.read((FILES / f"{name}.wyn").read_bytes()).payload[0] for name in HASHES}
    assert len(HASHES) >= 10 and methods == {NETWORK, SCREEN, UPDATED, PLANES}


@pytest.mark.parametrize("name", HASHES)
def test_the_file_is_the_released_one(name: str) -> None:
    assert hashlib.sha256((FILES / f"{name}.wyn").read_bytes()).hexdigest() == HASHES[name]["file"]


@pytest.mark.parametrize("name", HASHES)
def test_samples(name: str) -> None:
    assert [digest(name, threads) for threads in (1, 2)] == [HASHES[name]["samples"]] * 2


@pytest.mark.parametrize("isa", ["v2", "v3", "v4"] if X86 else ["base"])
def test_instruction_sets(isa: str) -> None:
    done = forced_isa.run(isa, "test_lossless_golden", "t.all_digests()")
    assert done.returncode == 0, done.stderr
    name, digests = done.stdout.split(" ", 1)
    assert name == isa and json.loads(digests) == {name: HASHES[name]["samples"] for name in HASHES}
