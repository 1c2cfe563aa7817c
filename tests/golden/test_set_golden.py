"""Released sets decode forever: the same samples on every instruction set, with one or two threads."""

from __future__ import annotations

import hashlib
import json
import platform
from pathlib import Path

import forced_isa
import numpy as np
import pytest

import wyner
from wyner import set_container
from wyner.reference import decode_shared

native = pytest.importorskip("wyner._native", reason="the native core is not built")

FILES = Path(__file__).parent / "sets"
HASHES = json.loads((FILES / "hashes.json").read_text())
X86 = platform.machine().lower() in ("x86_64", "amd64")


def samples_hash(name: str, threads: int) -> str:
    found = hashlib.sha256()
    for image in wyner.decode_set((FILES / f"{name}.wyn").read_bytes(), threads=threads, check_hash=True):
        found.update(image.pixels.tobytes())
        found.update(b"" if image.alpha is None else image.alpha.tobytes())
    return found.hexdigest()


def all_hashes() -> str:
    return json.dumps([{name: samples_hash(name, threads) for name in HASHES} for threads in (1, 2)])


def test_every_file_is_listed() -> None:
    assert {path.stem for path in FILES.glob("*.wyn")} == HASHES.keys()
    assert len(HASHES) >= 4


@pytest.mark.parametrize("name", HASHES)
def test_the_file_is_the_released_one(name: str) -> None:
    assert hashlib.sha256((FILES / f"{name}.wyn").read_bytes()).hexdigest() == HASHES[name]["file"]


@pytest.mark.parametrize("isa", ["v2", "v3", "v4"] if X86 else ["base"])
def test_native_decoder(isa: str) -> None:
    done = forced_isa.run(isa, "test_set_golden", "t.all_hashes()")
    assert done.returncode == 0, done.stderr
    name, hashes = done.stdout.split(" ", 1)
    assert name == isa
    assert json.loads(hashes) == [{name: HASHES[name]["samples"] for name in HASHES}] * 2


@pytest.mark.parametrize("name", HASHES)
def test_reference_decoder(name: str) -> None:
    file = (FILES / f"{name}.wyn").read_bytes()
    parts = set_container.read(file)
    for picture, image in zip(parts.pictures, wyner.decode_set(file), strict=True):
        head = picture.header
        size = head.width, head.height, head.channels, head.maxval
        np.testing.assert_array_equal(decode_shared(parts.networks, picture.payload, *size), image.pixels)


def test_names_and_metadata() -> None:
    file = (FILES / "photographs.wyn").read_bytes()
    facts = wyner.set_info(file)
    assert [picture.name for picture in facts.pictures] == [
        "first",
        "second",
        "dritte Größe",
        "pixel",
        "added",
    ]
    assert wyner.decode_picture(file, "second").icc == b"a profile"
    assert wyner.decode_picture(file, 2).alpha is not None
