"""The arithmetic floor of a fitting step: its multiply-adds over what one core can do at most."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np


def forward_macs(S: int, F: int, N: int, M: int, G: int, height: int, width: int) -> dict[str, int]:
    """Multiply-adds of one forward pass by part, counting each tap of a filter once (symmetric pairs too)."""
    sizes = [(-(-height >> i), -(-width >> i)) for i in range(G)]
    areas = [h * w for h, w in sizes]
    A = S + F
    arm = sum(areas) * (A * N + N * N + 2 * N + 2 * A)
    features = sum(areas[j] * 2 * F for i in range(G - 1) for j in range(i + 1, min(i + 4, G)))
    smoothing = sum(areas[1:]) * 6
    prefilter = sum(areas) * 2 * 7
    upsampling = 0
    for i in range(G - 1):
        planes, (rows, cols), coarse_cols = G - 1 - i, sizes[i], sizes[i + 1][1]
        upsampling += planes * 4 * (rows * coarse_cols + rows * cols)
    synthesis = height * width * (M * G + 3 * M + 3 * G + 2 * 81)
    return {
        "arm": arm, "features": features + smoothing, "filters": prefilter + upsampling,
        "synthesis": synthesis,
    }  # fmt: skip


def step_macs(S: int, F: int, N: int, M: int, G: int, height: int, width: int) -> dict[str, int]:
    """Multiply-adds of a step: forward, gradients by inputs and gradients by weights are equally many.

    Left out, and so a lower bound: exponentials, logarithms, soft rounding, noise, Adam, all of memory.
    """
    return {name: 3 * n for name, n in forward_macs(S, F, N, M, G, height, width).items()}


def _compiled_peak(folder: Path) -> float:
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
    if not compiler:
        return 0.0
    program = folder / f"wyner_peak_fma_{os.getpid()}"
    source = Path(__file__).with_name("peak_fma.cpp")
    try:
        flags = ["-O3", "-march=native", "-ffp-contract=fast"]
        subprocess.run([compiler, *flags, str(source), "-o", str(program)], check=True)
        return float(subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout)
    except (subprocess.CalledProcessError, OSError):
        return 0.0
    finally:
        program.unlink(missing_ok=True)


def _matmul_peak(size: int = 1024) -> float:
    """By single-precision matrix products in numpy, in CPU time of all its threads."""
    a = np.ones((size, size), dtype=np.float32)
    best = 0.0
    for _ in range(5):
        start = time.process_time()
        a @ a
        best = max(best, size**3 / (time.process_time() - start))
    return best


def peak_fma(folder: Path) -> tuple[float, str]:
    """(multiply-adds per second of one core, how they were measured); `folder` takes a temporary program."""
    compiled, matmul = _compiled_peak(folder), _matmul_peak()
    return (compiled, "peak_fma.cpp") if compiled >= matmul else (matmul, "numpy matrix product")
