"""Files of JSON lines that remember what was done, whenever the program that writes them is killed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import CorruptError, WynerError
from ..io import write_atomic
from .content import content_key

try:
    import fcntl
except ImportError:  # not a POSIX system: nothing keeps two programs from writing the same manifest
    fcntl = None  # type: ignore[assignment]

Record = dict[str, Any]


class Manifest:
    """One file of records (JSON objects, a line each), opened for appending; made when it does not exist.

    A last line that was cut short, by a kill or a power failure, is removed. ``records``: what the file held
    when it was opened, in order.

    Raises CorruptError when another line is damaged, WynerError while another program has it open, OSError.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._file = open(self._path, "a+b")
        try:
            _lock(self._file, self._path)
            self._file.seek(0)
            self.records, sound = _parse(self._file.read(), self._path)
            self._file.truncate(sound)
        except BaseException:
            self._file.close()
            raise

    def append(self, record: Mapping[str, Any]) -> None:
        """Add a line; when this returns, it is on the disk. Raises OSError, TypeError or ValueError."""
        self._file.write(json.dumps(record, allow_nan=False).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Let others write. May be called twice."""
        self._file.close()


def read(path: str | os.PathLike[str]) -> list[Record]:
    """The records of a manifest, which may be growing; a last line that is cut short is left out.

    Raises CorruptError when another line is damaged, and OSError.
    """
    return _parse(Path(path).read_bytes(), Path(path))[0]


def merge(
    paths: Iterable[str | os.PathLike[str]], target: str | os.PathLike[str], *, by: str = "key"
) -> list[Record]:
    """Write the records of several manifests into one, and return them.

    by: the field that names what a record is about. Of records that agree in it the last one counts, in the
    order of ``paths`` and of the lines. They come out sorted by it. The file appears at once and whole.

    Raises CorruptError for a damaged line or one without the field ``by``, and OSError.
    """
    newest: dict[str, Record] = {}
    for path in paths:
        for number, record in enumerate(read(path), 1):
            if by not in record:
                raise CorruptError(f"{path}: record {number} has no field {by!r}")
            newest[str(record[by])] = record
    records = [newest[name] for name in sorted(newest)]
    lines = b"".join(json.dumps(record, allow_nan=False).encode() + b"\n" for record in records)
    write_atomic(target, lines, overwrite=True)
    return records


def latest(paths: Iterable[str | os.PathLike[str]], by: str) -> dict[str, list[Record]]:
    """The last record of each manifest about each thing, under the value of the field ``by`` that names it.

    Records without the field are left out. Raises CorruptError for a damaged line, and OSError.
    """
    found: dict[str, list[Record]] = {}
    for path in paths:
        for name, record in {record[by]: record for record in read(path) if by in record}.items():
            found.setdefault(str(name), []).append(record)
    return found


def is_done(record: Mapping[str, Any], key: str, path: str | os.PathLike[str]) -> bool:
    """Whether a record says that the task ``key`` was done and its output is still there as it was written.

    The record's "key" must be ``key`` and its "output_hash" the ``content_key`` of the file at ``path``.
    """
    return record.get("key") == key and is_intact(record, path)


def is_intact(record: Mapping[str, Any], path: str | os.PathLike[str]) -> bool:
    """Whether the file at ``path`` has the content that "output_hash" of the record tells."""
    return os.path.isfile(path) and content_key(path) == record.get("output_hash")


def _parse(data: bytes, path: Path) -> tuple[list[Record], int]:
    """The records, and the number of bytes that they take."""
    records: list[Record] = []
    sound = 0
    lines = data.splitlines(keepends=True)
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line) if line.endswith(b"\n") else None
        except ValueError:
            record = None
        if not isinstance(record, dict):
            if number == len(lines):
                break
            raise CorruptError(f"{path}: line {number} is damaged; remove it, and what it told is done again")
        records.append(record)
        sound += len(line)
    return records, sound


def _lock(file: BinaryIO, path: Path) -> None:
    if fcntl is None:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise WynerError(
            f"{path} is being written by another run; wait for its end, or take another shard"
        ) from None
