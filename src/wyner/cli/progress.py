"""Live progress of an encoder on stderr: one line that changes on a terminal, sparse lines elsewhere."""

from __future__ import annotations

import math
import sys
import time

from ..codecs.base import Progress

_QUIET_S = 2.0  # what takes less is not worth a line
_REFRESH_S = 0.1
_SPARSE_S = 15.0


class ProgressLine:
    """A progress callback for one file. ``last``: what it was called with last, None before."""

    def __init__(self, name: str, show: bool = True) -> None:
        self._name = name
        self._show = show
        self._live = sys.stderr.isatty()
        self._start = time.monotonic()
        self._next = self._start + _QUIET_S
        self._width = 0
        self.last: Progress | None = None

    def __call__(self, progress: Progress) -> None:
        """Take note of where the encoder stands, and show it when it is time."""
        self.last = progress
        now = time.monotonic()
        if not self._show or now < self._next:
            return
        self._next = now + (_REFRESH_S if self._live else _SPARSE_S)
        text = self._text(progress)
        if self._live:
            padding = " " * max(0, self._width - len(text))
            print(f"\r{text}{padding}", end="", file=sys.stderr, flush=True)
            self._width = len(text)
        else:
            print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Wipe the live line, so that the next message starts on a clean one."""
        if self._width:
            print("\r" + " " * self._width + "\r", end="", file=sys.stderr, flush=True)
            self._width = 0

    def _text(self, progress: Progress) -> str:
        parts = [f"{self._name}: {progress.phase} {progress.step}/{progress.steps}"]
        if math.isfinite(progress.bpp):
            parts.append(f"{progress.bpp:.3f} bpp")
        if math.isfinite(progress.psnr_db):
            parts.append(f"{progress.psnr_db:.2f} dB")
        return "  ".join([*parts, f"{_clock(progress.eta_s)} left"])


def _clock(seconds: float) -> str:
    whole = max(0, round(seconds))
    return f"{whole // 60}:{whole % 60:02d}"
