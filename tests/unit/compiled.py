"""Programs of the native core, compiled for machines of this kind or for arm64, which an emulator then runs.

arm64 needs aarch64-linux-gnu-g++ and qemu-aarch64 on the PATH (Debian: g++-aarch64-linux-gnu,
qemu-user), and is skipped without. With WYNER_REQUIRE_ARM64=1, for CI, a missing tool is a failure instead.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

NATIVE = Path(__file__).parents[2] / "native"


def find(*names: str) -> str:
    """Path of the first of these programs that there is; skips the test without one."""
    for name in names:
        if path := shutil.which(name):
            return path
    pytest.skip(f"{' or '.join(names)} is not on the PATH")


def need(*names: str) -> str:
    """As ``find``, for what CI may insist on."""
    if os.environ.get("WYNER_REQUIRE_ARM64") == "1" and not any(map(shutil.which, names)):
        pytest.fail(f"{' or '.join(names)} is not on the PATH")
    return find(*names)


def command(machine: str, sources: Iterable[Path], folder: Path, name: str) -> list[str]:
    """How to run the program that is made of ``sources`` in ``folder``. machine: "here" or "arm64"."""
    emulator, link = [], []
    if machine == "arm64":
        compiler = need("aarch64-linux-gnu-g++")
        emulator = [need("qemu-aarch64", "qemu-aarch64-static")]
        link = ["-static"]  # the emulator then needs none of the other machine's libraries
    else:
        compiler = find("c++", "g++", "clang++")
    flags = ["-std=gnu++20", "-O1", "-fno-math-errno", "-ffp-contract=off", "-DWYNER_HAVE_base=1"]
    flags += ["-DWYNER_ISA=base", f"-I{NATIVE}", f"-I{NATIVE / 'include'}"]

    def compile_one(source: Path) -> str:
        target = str(folder / f"{source.parent.name}_{source.stem}.o")
        run = subprocess.run(
            [compiler, *flags, "-c", str(source), "-o", target], capture_output=True, text=True
        )
        assert run.returncode == 0, run.stderr
        return target

    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        objects = list(pool.map(compile_one, sources))
    program = str(folder / name)
    subprocess.run([compiler, *link, "-pthread", *objects, "-o", program], check=True)
    return [*emulator, program]
