"""Runs an expression of a test module in a process of its own that is held to one instruction set."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def run(isa: str, module: str, *expressions: str) -> subprocess.CompletedProcess[str]:
    """Print the instruction set in use and each expression, in which ``t`` is the test module.

    Skips the test where the processor lacks the instruction set.
    """
    script = f"import {module} as t; print({', '.join(['t.native.active_isa()', *expressions])})"
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    environment = {**os.environ, "WYNER_ISA": isa, "PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    if "not available on this processor" in done.stderr:
        pytest.skip(f"{isa} is not available here")
    return done
