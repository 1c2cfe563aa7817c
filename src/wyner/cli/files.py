"""Where commands read from and write to."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image as PilImage

from ..batch.expand import PIPE, Source, expand
from ..batch.pairs import Pair, read_pairs
from ..container import Limits
from ..errors import UsageError, WynerError, describe
from ..io import SUFFIXES, is_special, write_atomic

WYN = ".wyn"
PICTURES = (*SUFFIXES, ".bmp")
"""Suffixes of the files that are taken for pictures in a folder."""


def read_bytes(name: str) -> bytes:
    """The contents of a file, or of standard input for "-"."""
    return sys.stdin.buffer.read() if name == PIPE else Path(name).read_bytes()


@dataclass(frozen=True)
class Job:
    """One file to turn into another.

    name: of the output below the output folder, else its path as given. side: path of its own side picture.
    """

    source: Source
    target: str
    name: str
    side: str | None = None


def plan(arguments: argparse.Namespace, suffix: str, known: Collection[str]) -> list[Job]:
    """The jobs that a command's inputs, lists and output ask for.

    suffix: of the outputs; known: of the inputs that are taken from folders. Raises UsageError and OSError.
    """
    if arguments.jobs is not None and arguments.jobs < 1:
        raise UsageError(f"-j is {arguments.jobs}, it must be at least 1")
    if arguments.pairs is None:
        jobs = plan_outputs(expand(arguments.inputs, arguments.lists, known), arguments.output, suffix)
    else:
        jobs = _plan_pairs(arguments, suffix)
    if arguments.json and any(job.target == PIPE for job in jobs):
        raise UsageError("--json and the file cannot both go to standard output; give -o FILE")
    return jobs


def _plan_pairs(arguments: argparse.Namespace, suffix: str) -> list[Job]:
    """The jobs of a pair list: of its pictures, or of the files that were made of them."""
    if arguments.side is not None or arguments.lists:
        raise UsageError("a pair list names files and side pictures; leave out --side and --list")
    pairs, wrong = read_pairs(arguments.pairs)
    if wrong:
        raise UsageError(f"{arguments.pairs}: {wrong[0]}")
    if suffix != WYN:
        sources = [_made(pair, _folder_of(arguments)) for pair in pairs]
    elif arguments.inputs:
        raise UsageError("a pair list names the pictures; leave out IN")
    else:
        sources = [pair.image for pair in pairs]
    jobs = plan_outputs(sources, arguments.output, suffix)
    return [dataclasses.replace(job, side=pair.side) for job, pair in zip(jobs, pairs, strict=True)]


def _folder_of(arguments: argparse.Namespace) -> str | None:
    """Where the files of a pair list lie, if not beside its pictures."""
    if not arguments.inputs:
        return None
    folder = str(arguments.inputs[0])
    if len(arguments.inputs) > 1 or not os.path.isdir(folder):
        raise UsageError("with a pair list IN is one folder, that of the .wyn files")
    return folder


def _made(pair: Pair, folder: str | None) -> Source:
    """The file that ``wyner encode --pairs`` made of a pair's picture, beside it or in its output folder."""
    path, name = (os.path.splitext(text)[0] + WYN for text in (pair.image.path, pair.image.name))
    return Source(path if folder is None else os.path.join(folder, name), name, True)


def limits_of(arguments: argparse.Namespace) -> Limits:
    """The limits that a command's options set."""
    # Pillow's own guard is global and lower than ours; each picture's size is checked against ours instead.
    PilImage.MAX_IMAGE_PIXELS = None
    return Limits(pixels=arguments.max_pixels, side=arguments.max_side, macs=arguments.max_macs)


def side_of(arguments: argparse.Namespace) -> bytes | None:
    """The contents of the side picture's file, if one is given for all files."""
    return None if arguments.side is None else Path(arguments.side).read_bytes()


def refinement_of(arguments: argparse.Namespace) -> bytes | None:
    """The contents of the file to refine by, if one is given."""
    return None if arguments.refine is None else read_side(arguments.refine)


def read_side(path: str) -> bytes:
    """The contents of a file's own side picture. Raises WynerError that tells it from the file itself."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise WynerError(f"its side picture {describe(error)}") from None


def plan_outputs(sources: Sequence[Source], output: str | None, suffix: str) -> list[Job]:
    """The output for each input. Raises UsageError when names clash or a pipe cannot be one."""
    paths = [source.path for source in sources]
    if paths.count(PIPE) > 1 or (output == PIPE and len(sources) > 1):
        raise UsageError("a pipe takes one picture")
    folder = output if output is not None and output != PIPE and _is_folder(output, sources) else None
    if folder is not None and PIPE in paths:
        raise UsageError("standard input has no name for a file in a folder; give -o FILE")
    jobs = [_job(source, output, suffix, folder) for source in sources]
    seen: dict[str, str] = {}
    for job in jobs:
        path = job.source.path
        if job.target == PIPE:
            continue
        place = os.path.realpath(job.target)
        if place in seen:
            raise UsageError(f"{seen[place]} and {path} would both become {job.target}")
        if path != PIPE and Path(path).resolve() == Path(job.target).resolve():
            raise UsageError(f"{path} would overwrite itself; give -o")
        seen[place] = path
    if folder is not None:
        for parent in {os.path.dirname(job.target) for job in jobs}:
            os.makedirs(parent, exist_ok=True)
    return jobs


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


def _is_folder(output: str, sources: Sequence[Source]) -> bool:
    several = len(sources) > 1 or any(source.collected for source in sources)
    return several or output.endswith(("/", os.sep)) or os.path.isdir(output)


def _job(source: Source, output: str | None, suffix: str, folder: str | None) -> Job:
    if folder is not None:
        name = os.path.splitext(source.name)[0] + suffix
        return Job(source, os.path.join(folder, name), name)
    if output is None:
        output = PIPE if source.path == PIPE else os.path.splitext(source.path)[0] + suffix
    return Job(source, output, os.path.normpath(output))
