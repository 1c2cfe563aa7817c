"""What happens where the system gives fewer threads than were asked for."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

SCRIPT = """
import resource, sys
import numpy as np
from wyner import _native

threads, spare = int(sys.argv[1]), int(sys.argv[2])
image = np.random.default_rng(3).random((3, 24, 20), np.float32)
used = resource.getpagesize() * int(open("/proc/self/statm").read().split()[0])
if spare:  # for the stacks of a few threads, of 8 MiB each
    resource.setrlimit(resource.RLIMIT_AS, (used + spare, used + spare))
fitter = _native.Fitter(image, 0, 2, threads)
for _ in range(3):
    result = fitter.run(5, 0.01, 0.01, 0.3, 0.2, 1e-3, False, 0.0, 1)
started = int(open("/proc/self/status").read().split("Threads:")[1].split()[0])
print(started, *map(repr, result))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="limits and stacks as with glibc on Linux")
def test_a_fitter_does_with_the_threads_that_there_are() -> None:
    import resource

    def large_stacks() -> None:
        hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
        resource.setrlimit(resource.RLIMIT_STACK, (8 << 20, hard))

    def fit(threads: int, spare: int) -> list[str]:
        command = [sys.executable, "-c", SCRIPT, str(threads), str(spare)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, preexec_fn=large_stacks)
        return done.stdout.split()

    many, few = fit(64, 0), fit(64, 120 << 20)
    assert int(few[0]) < int(many[0]) >= 64
    assert few[1:] == many[1:]
