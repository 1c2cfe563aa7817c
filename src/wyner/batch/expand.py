"""From names, folders and lists to files."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError

PIPE = "-"


@dataclass(frozen=True)
class Source:
    """One file to work on.

    path: where it is, as given or under the given folder; "-" is standard input. name: what it is called
    below an output folder, with the folders that it keeps, suffix included. collected: it was found in a
    folder or named by a list.
    """

    path: str
    name: str
    collected: bool = False


def expand(names: Iterable[str], lists: Iterable[str], suffixes: Collection[str]) -> list[Source]:
    """The files that ``names`` and ``lists`` stand for.

    names: of files, which need not exist and keep no folder; of folders, whose files with one of ``suffixes``
    (".png", ..., any case) are taken, those in folders below too, sorted; hidden ones are left out, links to
    folders are not followed. lists: files of names, one a line, "-" for standard input; a relative name keeps
    its folders.

    Raises UsageError when nothing is given, or a folder or list holds nothing, and OSError for what cannot be
    listed or read.
    """
    found: list[Source] = []
    for name in names:
        found += _folder(name, "", suffixes) if os.path.isdir(name) else [Source(name, _own(name))]
    for name in lists:
        lines = _lines(name)
        if not lines:
            raise UsageError(f"the list {name} names no files")
        for line in lines:
            kept = kept_name(line)
            found += _folder(line, kept, suffixes) if os.path.isdir(line) else [Source(line, kept, True)]
    if not found:
        raise UsageError("nothing to do: name files, folders or a list")
    return found


def _folder(folder: str, prefix: str, suffixes: Collection[str]) -> list[Source]:
    found = []
    for parent, folders, files in os.walk(folder, onerror=_fail):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in suffixes:
                path = os.path.join(parent, name)
                kept = os.path.normpath(os.path.join(prefix, os.path.relpath(path, folder)))
                found.append(Source(path, kept, True))
    if not found:
        raise UsageError(f"the folder {folder} holds no files of a known kind ({' '.join(sorted(suffixes))})")
    return found


def _fail(error: OSError) -> None:
    raise error


def _lines(name: str) -> list[str]:
    data = sys.stdin.buffer.read() if name == PIPE else Path(name).read_bytes()
    if b"\0" in data:
        raise UsageError(f"the list {name} is no text: names stand in it one a line")
    lines = (os.fsdecode(line.rstrip(b"\r")) for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n"))
    return [line for line in lines if line.strip()]


def kept_name(line: str) -> str:
    """The name below an output folder of what a list names: a place outside of it keeps no folders."""
    name = os.path.normpath(line)
    return _own(line) if os.path.isabs(name) or name.split(os.sep)[0] == os.pardir else name


def _own(name: str) -> str:
    last = os.path.basename(os.path.normpath(name))
    return "" if last in (os.curdir, os.pardir) else last
