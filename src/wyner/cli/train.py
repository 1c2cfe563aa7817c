"""``wyner train``: trainings of networks, under torchrun or alone."""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import UnavailableError, UsageError
from ..io import write_atomic
from .files import check_writable, write_output


def learned(arguments: argparse.Namespace) -> int:
    """``wyner train learned``."""
    require_torch()
    from ..train.learned import LearnedConfig, train

    return _trained(LearnedConfig.of, train, [Path(path) for path in arguments.data], arguments)


def lossless(arguments: argparse.Namespace) -> int:
    """``wyner train lossless``."""
    require_torch()
    from ..train.lossless import LosslessConfig, train

    return _trained(LosslessConfig.of, train, [Path(path) for path in arguments.data], arguments)


def _trained(
    config_of: Callable[[dict[str, Any]], object],
    train: Callable[..., Any],
    data: Path | list[Path],
    arguments: argparse.Namespace,
) -> int:
    train(
        config_of(config_tables(arguments)),
        data,
        Path(arguments.output),
        device=arguments.device,
        start=start_of(arguments),
        tensorboard=arguments.tensorboard,
        report=report,
    )
    return 0


def distributed(arguments: argparse.Namespace) -> int:
    """``wyner train distributed``."""
    require_torch()
    from ..train.distributed import DistributedConfig, train

    if len(arguments.data) != 1:
        raise UsageError("give one folder as --data; the sources are in the configuration")
    if arguments.model is not None:
        arguments.changes.append(f"model.kind={arguments.model}")
    return _trained(DistributedConfig.of, train, Path(arguments.data[0]), arguments)


def require_torch() -> None:
    """Raise UnavailableError, which says what to install, without PyTorch."""
    if importlib.util.find_spec("torch") is None:
        raise UnavailableError("training needs PyTorch: pip install 'wyner[torch]'")


def config_tables(arguments: argparse.Namespace) -> dict[str, Any]:
    """The tables that --config, -x and --minutes give."""
    from ..train.config import read_config

    changes = []
    for text in arguments.changes:
        name, equals, value = text.partition("=")
        if not equals or "." not in name:
            raise UsageError(f"{text!r} is not of the form table.key=value")
        changes.append((name, value))
    if arguments.minutes is not None:
        changes.append(("loop.minutes", str(arguments.minutes)))
    return read_config(arguments.config, changes)


def start_of(arguments: argparse.Namespace) -> Path | None:
    """The checkpoint that --start names. Raises UsageError if it is not there."""
    from ..train.folder import CHECKPOINT

    if arguments.start is None:
        return None
    path = Path(arguments.start) / CHECKPOINT
    if not path.is_file():
        raise UsageError(f"there is no {path}")
    return path


def report(line: dict[str, Any]) -> None:
    """Tell of a line of the log on standard error."""
    print("  ".join(f"{name} {value:.6g}" for name, value in line.items()), file=sys.stderr, flush=True)


def export(arguments: argparse.Namespace) -> int:
    """``wyner train export``."""
    require_torch()
    from ..train import distributed, learned, lossless

    folder = Path(arguments.run_folder)
    if lossless.is_run(folder):
        data, card = lossless.export(folder, arguments.note)
        _write_with_card(Path(arguments.output), data, card, arguments.force)
    else:
        data = (distributed if distributed.is_run(folder) else learned).export(folder, arguments.note)
        write_output(arguments.output, data, arguments.force)
    print(
        f"{arguments.output}: {len(data)} bytes, model {hashlib.sha256(data).hexdigest()[:16]}",
        file=sys.stderr,
    )
    return 0


def _write_with_card(path: Path, data: bytes, card: str, force: bool) -> None:
    """Both files or none. Raises WynerError and OSError where they cannot be written."""
    beside = path.with_suffix(".json")
    if beside == path:
        raise UsageError(f"{path} is the place of the card; give -o NAME.bin")
    for place in (path, beside):
        check_writable(str(place), force)
    before = beside.read_bytes() if beside.is_file() else None
    write_atomic(beside, card.encode(), overwrite=force)
    try:
        write_atomic(path, data, overwrite=force)
    except BaseException:
        if before is None:
            beside.unlink()
        else:
            write_atomic(beside, before, overwrite=True)
        raise
