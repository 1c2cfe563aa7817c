"""The command line: a thin layer over ``wyner.encode`` and ``wyner.decode``."""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Sequence

from ..errors import SideWarning, WynerError, describe
from .warned import show

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code (0 fine, otherwise that of the first failure; see errors.py)."""
    with warnings.catch_warnings():
        warnings.showwarning = show
        warnings.simplefilter("always", SideWarning)  # of each file
        return _main(argv)


def _main(argv: Sequence[str] | None) -> int:
    from .parser import build_parser

    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        # Names of files need not be text.
        sys.stdout.reconfigure(errors="backslashreplace")
    arguments = build_parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except KeyboardInterrupt:
        print("wyner: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone; leave nothing for the interpreter to flush at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (WynerError, OSError, ArithmeticError) as error:  # the last from a training that diverged
        from .report import exit_code

        print(f"wyner: {describe(error)}", file=sys.stderr)
        return exit_code(error)
