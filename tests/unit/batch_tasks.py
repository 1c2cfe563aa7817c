"""Tasks for the tests of executors: worker processes import them by name."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from wyner.errors import CorruptError, TargetMissedError


class Stubborn(Exception):
    """Goes into a pickle and does not come out: it needs two arguments and keeps one."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(first + second)


def double(number: int) -> int:
    return 2 * number


def where(_: Any) -> dict[str, Any]:
    return {"pid": os.getpid(), "folder": os.getcwd(), "threads": os.environ.get("OMP_NUM_THREADS")}


def fail(kind: str) -> Any:
    if kind == "corrupt":
        raise CorruptError("damaged")
    if kind == "missing":
        return Path("no-such-file").read_bytes()
    if kind == "missed":
        raise TargetMissedError("too large", b"data")
    if kind == "stubborn":
        raise Stubborn("a", "b")
    return lambda: None


def speak(text: str) -> None:
    print(text, flush=True)
    os.write(1, text.encode())


def kill_me(_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def leave(code: int) -> None:
    sys.exit(code)


def note(payload: tuple[str, int]) -> int:
    """Leave a file for every start; the first start of an odd number does not survive."""
    folder, number = payload
    starts = len(list(Path(folder).glob(f"{number}-*")))
    Path(folder, f"{number}-{os.getpid()}").touch()
    if number % 2 and starts == 0:
        kill_me(None)
    return number


def sleep(payload: tuple[str, float]) -> int:
    """Sleep, and tell by a file called as the process that it does."""
    folder, seconds = payload
    try:
        Path(folder, str(os.getpid())).touch()
        time.sleep(seconds)
    finally:
        Path(folder, f"{os.getpid()}.cleaned").touch()
    return os.getpid()
