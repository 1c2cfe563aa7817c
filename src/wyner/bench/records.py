"""Records: one JSON line per measured file, appended by processes that may die, from one machine or many."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ..batch import manifest
from ..batch.content import task_key
from ..errors import UsageError

Record = dict[str, Any]
"""One line, with the keys of docs/decisions/0006-bench.md; those with ``error`` tell of a failed task."""

_DATA = "$WYNER_DATA"
_NAME = re.compile(r"records-(\d+)-of-(\d+)\.jsonl")


def merge(records: Iterable[Record]) -> tuple[list[Record], list[Record]]:
    """(measured, failed): one record for each key, the first of equals; failures of keys without another."""
    measured: dict[str, Record] = {}
    failed: dict[str, Record] = {}
    for record in records:
        (failed if "error" in record else measured).setdefault(record["key"], record)
    return list(measured.values()), [r for key, r in failed.items() if key not in measured]


def identity(record: Record) -> str:
    """What a record is about, whichever code measured it: codec, setting or matched rate, and pictures."""
    target = record.get("target_bpp")
    point = record["setting"] if target is None else record["label"]
    return task_key(
        {"codec": record["codec"], "point": point, "target": target},
        record["image"],
        record.get("side_path") or "",
    )


def newest(measured: Iterable[Record]) -> list[Record]:
    """One record for each identity: the one measured last, since older ones are of older code."""
    last: dict[str, Record] = {}
    for record in measured:
        name = identity(record)
        if name not in last or last[name]["measured"] <= record["measured"]:
            last[name] = record
    return list(last.values())


def picture_names(records: Iterable[Record]) -> Callable[[Record], list[str]]:
    """The names of the pictures of a run that a record tells of.

    An image of several pairs is a picture for each of them, and a file without a side picture tells of all.
    """
    sides: dict[str, set[str]] = defaultdict(set)
    for record in records:
        if record.get("side"):
            sides[record["image"]].add(record["side"])

    def names(record: Record) -> list[str]:
        image, known = record["image"], sides.get(record["image"], set())
        if len(known) < 2:
            return [image]
        side = None if record.get("side_given") == "none" else record.get("side")
        return [f"{image} with {name}" for name in ([side] if side else sorted(known))]

    return names


def record_files(run: Path) -> list[Path]:
    """The record files of all shards in a run folder."""
    return [path for path in sorted(run.glob("records-*.jsonl")) if _NAME.fullmatch(path.name)]


def on_record(run: Path) -> list[Record]:
    """All measured records of a run folder, of older code too; none when the folder is not there.

    Raises CorruptError for a damaged line, and OSError.
    """
    return merge(record for path in record_files(run) for record in manifest.read(path))[0]


def read_run(run: Path) -> tuple[list[Record], list[Record]]:
    """(measured, failed) as a run stands: the newest record of everything, and failures of what has none.

    Raises UsageError when the folder holds no records, and CorruptError for a damaged line.
    """
    paths = record_files(run)
    if not paths:
        raise UsageError(f"{run} holds no records-*.jsonl; is it the output folder of wyner bench run?")
    measured, failed = merge(record for path in paths for record in manifest.read(path))
    current = newest(measured)
    known = {identity(record) for record in current}
    return current, [record for record in failed if identity(record) not in known]


def portable_path(path: str, run: Path) -> str:
    """A picture's path as records hold it: from $WYNER_DATA where it lies there, else from the run folder."""
    data = os.environ.get("WYNER_DATA")
    if data:
        inside = os.path.relpath(os.path.realpath(path), os.path.realpath(data))
        if not inside.startswith(os.pardir):
            return f"{_DATA}/{Path(inside).as_posix()}"
    return Path(os.path.relpath(os.path.realpath(path), os.path.realpath(run))).as_posix()


def real_path(path: str, run: Path) -> Path:
    """Where the picture of a record's ``image_path`` or ``side_path`` is here. Raises UsageError."""
    if not path.startswith(_DATA):
        return run / path
    if "WYNER_DATA" not in os.environ:
        raise UsageError(f"set WYNER_DATA to the folder that holds {path[len(_DATA) + 1 :]}")
    return Path(os.environ["WYNER_DATA"] + path[len(_DATA) :])
