"""Records: one JSON line per measured file, appended by processes that may die, merged from many machines."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..errors import UsageError

Record = dict[str, Any]
"""One line, with the keys of docs/decisions/0006-bench.md; those with ``error`` tell of a failed task."""

_DATA = "$WYNER_DATA"
_NAME = re.compile(r"records-(\d+)-of-(\d+)\.jsonl")


def shard_path(run: Path, shard: tuple[int, int] = (1, 1)) -> Path:
    """The file that shard k of N appends to."""
    return run / f"records-{shard[0]}-of-{shard[1]}.jsonl"


def hash_of(*parts: Any) -> str:
    """32 hexadecimal digits of JSON-able values."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def append(path: Path, record: Record) -> None:
    """Add one line in a single write. Numbers that are not finite become null.

    A torn line that an earlier process left at the end stays a line of its own.
    """
    line = json.dumps(_finite(record), allow_nan=False, ensure_ascii=False).encode() + b"\n"
    with open(path, "ab+") as file:
        if file.tell() > 0:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                line = b"\n" + line
        file.write(line)


def read_lines(path: Path) -> tuple[list[Record], int]:
    """All whole records of a file, in order, and the number of lines that are none."""
    records, torn = [], 0
    for line in path.read_bytes().splitlines():
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if isinstance(record, dict) and "key" in record:
            records.append(record)
        else:
            torn += 1
    return records, torn


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
    return hash_of(record["codec"], point, record["image"], record.get("side"), target)


def newest(measured: Iterable[Record]) -> list[Record]:
    """One record for each identity: the one measured last, since older ones are of older code."""
    last: dict[str, Record] = {}
    for record in measured:
        name = identity(record)
        if name not in last or last[name]["measured"] <= record["measured"]:
            last[name] = record
    return list(last.values())


def record_files(run: Path) -> list[Path]:
    """The record files of all shards in a run folder."""
    return [path for path in sorted(run.glob("records-*.jsonl")) if _NAME.fullmatch(path.name)]


def read_run(run: Path) -> tuple[list[Record], list[Record]]:
    """(measured, failed) records of all shards of a run folder. Raises UsageError when there is none."""
    paths = record_files(run)
    if not paths:
        raise UsageError(f"{run} holds no records-*.jsonl; is it the output folder of wyner bench run?")
    return merge(record for path in paths for record in read_lines(path)[0])


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


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (list, tuple)) else value
