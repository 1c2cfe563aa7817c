"""Where commands read from and write to."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import UsageError, WynerError
from ..io import is_special, write_atomic

PIPE = "-"


def read_bytes(name: str) -> bytes:
    """The contents of a file, or of standard input for "-"."""
    return sys.stdin.buffer.read() if name == PIPE else Path(name).read_bytes()


def plan_outputs(inputs: Sequence[str], output: str | None, suffix: str) -> list[str]:
    """The output name for each input. Raises UsageError when names clash or a pipe cannot be one."""
    if inputs.count(PIPE) > 1 or (output == PIPE and len(inputs) > 1):
        raise UsageError("a pipe takes one picture")
    folder = output is not None and output != PIPE and _is_folder(output, len(inputs))
    if folder and PIPE in inputs:
        raise UsageError("standard input has no name for a file in a folder; give -o FILE")
    names = [_output_name(name, output, suffix, folder) for name in inputs]
    seen: dict[str, str] = {}
    for name, target in zip(inputs, names, strict=True):
        if target == PIPE:
            continue
        if target in seen:
            raise UsageError(f"{seen[target]} and {name} would both become {target}")
        if name != PIPE and Path(name).resolve() == Path(target).resolve():
            raise UsageError(f"{name} would overwrite itself; give -o")
        seen[target] = name
    if folder and output is not None:
        Path(output).mkdir(parents=True, exist_ok=True)
    return names


def check_writable(target: str, force: bool) -> None:
    """Raise before the work rather than after it when an output cannot be written."""
    if target == PIPE:
        if sys.stdout.isatty():
            raise UsageError("binary data does not go to a terminal; give -o FILE or redirect the output")
        return
    if os.path.isdir(target):
        raise WynerError(f"{target} is a folder")
    if os.path.exists(target) and not force and not is_special(target):
        raise WynerError(f"{target} exists; -f overwrites it")
    if not os.path.isdir(os.path.dirname(target) or "."):
        raise WynerError(f"the folder {os.path.dirname(target)} does not exist")


def write_output(target: str, data: bytes, force: bool) -> None:
    """Write a whole file at once, or to standard output for "-"."""
    if target == PIPE:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        write_atomic(target, data, overwrite=force)


def _is_folder(output: str, count: int) -> bool:
    return count > 1 or output.endswith(("/", os.sep)) or os.path.isdir(output)


def _output_name(name: str, output: str | None, suffix: str, folder: bool) -> str:
    if output is None:
        return PIPE if name == PIPE else os.path.splitext(name)[0] + suffix
    if folder:
        return os.path.join(output, os.path.splitext(os.path.basename(name))[0] + suffix)
    return output
