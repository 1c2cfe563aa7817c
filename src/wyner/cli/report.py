"""What a command tells: results on stdout (text or JSON lines), errors on stderr, one exit code."""

from __future__ import annotations

import json
import math
import sys
from typing import Any

from ..errors import WynerError, describe

FAILURES = (WynerError, OSError, MemoryError, ArithmeticError)
"""What one file may end in while the rest go on; ArithmeticError is a fit that diverged."""


def exit_code(error: BaseException) -> int:
    """The exit code for an error: its own, or 1."""
    return error.exit_code if isinstance(error, WynerError) else 1


class Reporter:
    """Collects the outcome of each file; ``code`` is that of the first failure, 0 when there is none."""

    def __init__(self, command: str, as_json: bool) -> None:
        self._command = command
        self._as_json = as_json
        self._out = sys.stdout
        self.code = 0

    def success(self, name: str, text: str, fields: dict[str, Any]) -> None:
        """Report a file that went well. text: for people, to stderr; fields: for the JSON line."""
        if self._as_json:
            self._line({"input": name, "ok": True, **fields})
        else:
            print(text, file=sys.stderr)

    def result(self, name: str, text: str, fields: dict[str, Any]) -> None:
        """Report what was asked for: as JSON, or as text on stdout."""
        if self._as_json:
            self._line({"input": name, "ok": True, **fields})
        else:
            print(text, flush=True)

    def note(self, text: str) -> None:
        """Tell people something that is no failure, on stderr in any case."""
        print(f"wyner: {text}", file=sys.stderr)

    def failure(self, name: str, error: BaseException, fields: dict[str, Any] | None = None) -> None:
        """Report a file that failed, on stderr in any case."""
        code = exit_code(error)
        self.code = self.code or code
        message = describe(error)
        shown = message if message.startswith(f"{name}: ") else f"{name}: {message}"
        print(f"wyner: {shown}", file=sys.stderr)
        if self._as_json:
            outcome = {"ok": False, "error": message, "exit_code": code, "kind": type(error).__name__}
            self._line({"input": name, **outcome, **(fields or {})})

    def _line(self, fields: dict[str, Any]) -> None:
        finite = {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in fields.items()
        }
        print(json.dumps({"command": self._command, **finite}), file=self._out, flush=True)
