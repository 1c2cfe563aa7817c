"""Warnings on standard error, each with the file that it is about."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


class _Now(threading.local):
    """What this thread is at: a file, and the kinds of warnings there were about it."""

    def __init__(self) -> None:
        self.name = ""
        self.kinds: list[type[Warning]] = []


_now = _Now()


@contextmanager
def about(name: str) -> Iterator[list[type[Warning]]]:
    """While a file is worked on; gives the kinds of warnings that there were, a list that grows."""
    _now.name, _now.kinds = name, []
    try:
        yield _now.kinds
    finally:
        _now.name = ""


def show(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print a warning, but not where in the code; in the place of ``warnings.showwarning``."""
    _now.kinds.append(category)
    print(f"wyner: {_now.name}: {message}" if _now.name else f"wyner: {message}", file=sys.stderr)
