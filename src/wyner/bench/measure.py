"""What is measured of one file: time, memory, and how far the decoded picture is from the original."""

from __future__ import annotations

import contextlib
import ctypes
import math
import platform
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from .. import metrics
from ..errors import UnavailableError, WynerError
from ..framing import default_threads
from .codec import Pixels

METRICS = ("psnr", "ms_ssim", "lpips", "ssimulacra2", "memory")
"""What an experiment may ask for; ``psnr`` (with the mean squared error) is always measured."""

_REPEAT_BELOW_S = 0.1
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def available(wanted: Sequence[str]) -> dict[str, bool]:
    """Which metrics can be computed here; part of a record's key, so that installing one measures again."""
    packages = {"lpips": "torch", "ssimulacra2": "ssimulacra2"}
    found = {name: name not in packages or find_spec(packages[name]) is not None for name in wanted}
    if "memory" in found:
        found["memory"] = _CLEAR.exists()
    if found.get("lpips"):
        found["lpips"] = _has_weights()
    return found


def distances(original: Pixels, decoded: Pixels, wanted: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """The metrics fields of a record, None for each that was not asked for or failed, and why it failed."""
    maxval = int(np.iinfo(original.dtype).max)
    error = metrics.mse(original, decoded)
    fields: dict[str, Any] = {
        "mse": error,
        "psnr_db": metrics.psnr(error, maxval) if error else None,
        "identical": error == 0,
        "ms_ssim": None,
        "ms_ssim_db": None,
        "lpips": None,
        "ssimulacra2": None,
    }
    notes = []
    for name in (name for name in wanted if name not in ("psnr", "memory")):
        try:
            fields[name] = getattr(metrics, name)(original, decoded, maxval)
        except WynerError as reason:
            notes.append(f"{name}: {' '.join(str(reason).split())}")
    if fields["ms_ssim"] is not None:
        decibels = metrics.ms_ssim_db(fields["ms_ssim"])
        fields["ms_ssim_db"] = decibels if math.isfinite(decibels) else None
    return fields, notes


def timed(call: Callable[[], Any], repeats: int = 1) -> tuple[Any, float, float]:
    """Result of a call, its wall seconds, and its core-seconds over all threads of this process.

    A call that takes less than 0.1 s is repeated up to ``repeats`` times and the fastest one counts.
    """
    best = (math.inf, math.inf)
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        result = call()
        best = min(best, (time.perf_counter() - wall, time.process_time() - cpu))
        if best[0] > _REPEAT_BELOW_S:
            break
    return result, best[0], best[1]


class PeakMemory:
    """How much the resident memory of this process grows while something runs; Linux only.

    Memory that earlier work freed is given back to the system first (glibc), so that the growth does not
    depend on what the process did before. That costs milliseconds: the pages are faulted in again.
    """

    def __init__(self) -> None:
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
        try:
            _CLEAR.write_text("5")  # the peak counts from here on
        except OSError:
            self._before = None
        else:
            self._before = _status_kib("VmRSS")

    def growth_mb(self) -> float | None:
        """Peak resident memory since the start less that at the start, in megabytes (10^6), or None."""
        peak = _status_kib("VmHWM")
        if self._before is None or peak is None:
            return None
        return round(max(0, peak - self._before) * 1024 / 1e6, 1)


def _status_kib(name: str) -> int | None:
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), None)


@lru_cache(maxsize=1)
def machine() -> dict[str, Any]:
    """The processor's name and the cores that this process may use."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": names[0] if names else platform.processor() or platform.machine(),
        "cores": default_threads(),
    }


def _has_weights() -> bool:
    from ..metrics.lpips import find_weights

    try:
        find_weights()
    except UnavailableError:
        return False
    return True
