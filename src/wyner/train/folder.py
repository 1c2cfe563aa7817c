"""The folder of a run: its configuration, its checkpoint and its log."""

from __future__ import annotations

import dataclasses
import json
import pickle
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..errors import UsageError, describe
from ..io import write_atomic

CONFIG, CHECKPOINT, LOG = "config.json", "checkpoint.pt", "log.jsonl"
_STATE = {"step", "seconds", "model", "optimisers"}
_UNREADABLE = (
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    LookupError,
    AttributeError,
    pickle.UnpicklingError,
)
"""What PyTorch raises for files that are no checkpoints."""


def write_config(folder: Path, config: Any) -> None:
    """Keep the configuration of a run, a dataclass, in one rename."""
    text = json.dumps(dataclasses.asdict(config), indent=2) + "\n"
    write_atomic(folder / CONFIG, text.encode(), overwrite=True)


def read_tables(folder: Path) -> dict[str, Any]:
    """The tables of a run's configuration. Raises UsageError when there are none."""
    try:
        tables = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{folder} is not the folder of a run: {describe(error)}") from None
    if not isinstance(tables, dict):
        raise UsageError(f"{folder} is not the folder of a run: {CONFIG} has no tables")
    return tables


def is_run_of(setting: str, folder: Path) -> bool:
    """Whether a folder is that of a run whose model has a setting of this name."""
    try:
        return setting in read_tables(folder).get("model", {})
    except UsageError:
        return False


def read_checkpoint(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """What ``Loop.keep`` wrote. Raises UsageError for what is no checkpoint."""
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except _UNREADABLE as error:
        raise UsageError(f"cannot read the checkpoint {path}: {describe(error)}") from None
    if not isinstance(state, dict) or not _STATE <= state.keys():
        raise UsageError(f"{path} is not a checkpoint")
    return state


def load_weights(model: nn.Module, weights: dict[str, Any], path: Path) -> None:
    """Give a model the weights of a run's file. Raises UsageError where they are those of another model."""
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        first = next((line.strip() for line in str(error).splitlines()[1:]), str(error))
        raise UsageError(f"{path} is of another model: {first}") from None


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The lines of a log, but for those that an interruption tore. Raises OSError when there is none."""
    found = []
    for text in (folder / LOG).read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            found.append(json.loads(text))
        except ValueError:
            continue
    return found


def last_line(folder: Path, step: int) -> dict[str, Any]:
    """Of the log, up to a step: a training that goes on may be ahead of its checkpoint.

    Empty where no line is kept of so early. Raises UsageError without a log.
    """
    try:
        lines = read_log(folder)
    except OSError as error:
        raise UsageError(f"{folder} has no log: {describe(error)}") from None
    found = [line for line in lines if line["step"] <= step]
    return found[-1] if found else {}
