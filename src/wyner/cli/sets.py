"""Sets of pictures: ``wyner encode --codec shared``, and what other commands do with a set."""

from __future__ import annotations

import argparse
import dataclasses
import os
import time
from pathlib import Path
from typing import Any

from .. import io, sets
from ..batch.expand import expand
from ..container import Limits
from ..errors import TargetMissedError, UsageError, WynerError
from ..image import Image
from ..set_container import usable_names
from .files import PICTURES, PIPE, Job, check_writable, limits_of, read_bytes, write_output
from .progress import ProgressLine
from .report import FAILURES, Reporter

FOLDER_SUFFIX = "-pictures"
"""Of the folder that a set is decoded into, after its name: the name alone may be where they came from."""


def encode_together(arguments: argparse.Namespace) -> int:
    """Encode all pictures into one file, or add them to the one that is there."""
    _check(arguments)
    reporter, target = Reporter("encode", arguments.json), str(arguments.output)
    start = time.monotonic()
    line = ProgressLine(target)
    missed: list[str] = []
    try:
        if not arguments.append:
            check_writable(target, arguments.force)
        paths = [source.path for source in expand(arguments.inputs, arguments.lists, PICTURES)]
        images = [_read(arguments, path, target) for path in paths]
        names = [os.path.splitext(os.path.basename(path))[0] for path in paths]
        make = _added if arguments.append else _made
        data = make(arguments, images, names, line, missed)
        write_output(target, data, arguments.force or arguments.append)
    except FAILURES as error:
        reporter.failure(target, error)
        return reporter.code
    finally:
        line.close()
    facts = sets.set_info(data, limits=limits_of(arguments))
    seconds = round(time.monotonic() - start, 3)
    count = len(facts.pictures)
    fields: dict[str, Any] = {
        "inputs": paths,
        "output": target,
        "pictures": count,
        "bytes": len(data),
        "bpp": round(facts.bpp, 6),
        "shared_bytes": facts.shared_bytes,
        "seconds": seconds,
    }
    if missed:
        reporter.failure(target, TargetMissedError("; ".join(missed)), fields)
        return reporter.code
    size = f"{len(data)} bytes, {facts.shared_bytes} of them shared"
    text = f"{target}: {count} picture{'s' * (count > 1)}  {size}  {facts.bpp:.4f} bpp  {seconds:.1f} s"
    reporter.success(target, text, fields)
    return reporter.code


def _read(arguments: argparse.Namespace, path: str, target: str) -> Image:
    """A picture; errors name its file."""
    if path != PIPE and target != PIPE and Path(path).resolve() == Path(target).resolve():
        raise UsageError(f"{path} would overwrite itself; give another -o")
    try:
        return io.read(read_bytes(path), first_frame=arguments.first_frame, limits=limits_of(arguments))
    except WynerError as error:
        raise type(error)(f"{path}: {error}") from None


def _check(arguments: argparse.Namespace) -> None:
    if arguments.side is not None or arguments.pairs is not None:
        raise UsageError("a set takes no side image")
    if arguments.resume or arguments.shard != "1/1" or arguments.executor != "local":
        raise UsageError("a set is fitted as a whole: leave out --resume, --shard and --executor")
    if arguments.output is None or os.path.isdir(arguments.output):
        raise UsageError("a set is one file: give -o FILE.wyn")
    if arguments.json and arguments.output == PIPE:
        raise UsageError("--json and the file cannot both go to standard output; give -o FILE")
    if arguments.append and (arguments.output == PIPE or arguments.hash):
        raise UsageError("--append adds to a file, with hashes if that has them: no pipe, no --hash")


def _common(arguments: argparse.Namespace, line: ProgressLine) -> dict[str, Any]:
    return {
        "quality": arguments.quality,
        "effort": arguments.effort,
        "target_bpp": arguments.target_bpp,
        "target_psnr": arguments.target_psnr,
        "target_size": arguments.target_size,
        "threads": arguments.threads,
        "progress": line,
        "options": dict(arguments.options),
    }


def _made(
    arguments: argparse.Namespace,
    images: list[Image],
    names: list[str],
    line: ProgressLine,
    missed: list[str],
) -> bytes:
    common = _common(arguments, line)
    try:
        return sets.encode_set(images, names=usable_names(names), store_hash=arguments.hash, **common)
    except TargetMissedError as error:
        missed.append(str(error))
        return error.data


def _added(
    arguments: argparse.Namespace,
    images: list[Image],
    names: list[str],
    line: ProgressLine,
    missed: list[str],
) -> bytes:
    limits, before = limits_of(arguments), Path(arguments.output).read_bytes()
    data = before
    for image, name in zip(images, names, strict=True):
        known = [picture.name for picture in sets.set_info(data, limits=limits).pictures]
        named = [other for other in known if other is not None]
        new = usable_names([*named, name])[-1] if named else None
        try:
            data = sets.add_to_set(data, image, name=new, limits=limits, **_common(arguments, line))
        except TargetMissedError as error:
            missed.append(f"{name}: {error}")
            data = error.data
    if Path(arguments.output).read_bytes() != before:
        raise WynerError("another program has changed the set meanwhile; nothing was added, do it again")
    return data


def decode_together(
    arguments: argparse.Namespace,
    job: Job,
    data: bytes,
    alone: bool,
    threads: int | None,
    reporter: Reporter,
) -> None:
    """Decode the pictures of a set into a folder, or the chosen one into a file. Raises as these do.

    alone: whether it is the only file of the command, so that the output is for it alone.
    """
    if arguments.side is not None or arguments.refine is not None:
        raise UsageError("the pictures of a set are decoded without another picture")
    limits, start = limits_of(arguments), time.monotonic()
    facts = sets.set_info(data, limits=limits)
    names = [
        picture.name or f"{k + 1:0{len(str(len(facts.pictures)))}d}"
        for k, picture in enumerate(facts.pictures)
    ]
    if arguments.picture is None:
        folder, suffix = _folder(arguments, job, alone, len(names))
        chosen = [(k, os.path.join(folder, name + suffix)) for k, name in enumerate(names)]
    else:
        k = _number(arguments.picture, names)
        chosen = [(k, _single(arguments, job, alone, names[k]))]
    for _, target in chosen:
        check_writable(target, arguments.force)
    images = sets.decode_each(data, [k for k, _ in chosen], limits=limits, threads=threads)
    for (k, target), image in zip(chosen, images, strict=True):
        suffix = f".{arguments.format}" if target == PIPE else os.path.splitext(target)[1]
        write_output(target, io.encode_file(image, suffix), arguments.force)
        fields = {"output": target, "picture": names[k], "width": image.width, "height": image.height}
        seconds, start = round(time.monotonic() - start, 3), time.monotonic()
        text = f"{job.source.path} -> {target}: {image.width}x{image.height}"
        reporter.success(job.source.path, text, fields | {"seconds": seconds})


def _number(wanted: str, names: list[str]) -> int:
    """The place of a picture, from 0, by its name or by its number from 1."""
    if wanted in names:
        return names.index(wanted)
    if wanted.isdecimal() and 1 <= int(wanted) <= len(names):
        return int(wanted) - 1
    more = " ..." if len(names) > 20 else ""
    raise UsageError(f"the set has no picture {wanted!r}; there are: {' '.join(names[:20])}{more}")


def _folder(arguments: argparse.Namespace, job: Job, alone: bool, count: int) -> tuple[str, str]:
    """Where the pictures of a set go, and the suffix of their files."""
    output = arguments.output
    if not alone:
        output = os.path.splitext(job.target)[0] + FOLDER_SUFFIX
    elif output is None and job.source.path != PIPE:
        output = os.path.splitext(job.source.path)[0] + FOLDER_SUFFIX
    suffix = os.path.splitext(output)[1].lower() if output is not None else ""
    if output is None or output == PIPE or (suffix in io.SUFFIXES and not os.path.isdir(output)):
        raise UsageError(
            f"the file holds a set of {count}: give a folder (-o FOLDER) or choose one (--picture)"
        )
    os.makedirs(output, exist_ok=True)
    return output, f".{arguments.format}"


def _single(arguments: argparse.Namespace, job: Job, alone: bool, name: str) -> str:
    """The file that one picture of a set goes to."""
    if not alone:
        return job.target
    output = arguments.output
    if output is None:
        output = PIPE if job.source.path == PIPE else os.path.dirname(job.source.path)
    if output == PIPE:
        return PIPE
    if output == "" or output.endswith(("/", os.sep)) or os.path.isdir(output):
        return os.path.join(output, f"{name}.{arguments.format}")
    if os.path.splitext(output)[1].lower() not in io.SUFFIXES:
        raise UsageError(f"unknown suffix of {output}; there are: {' '.join(io.SUFFIXES)}")
    return str(output)


def verify(data: bytes, limits: Limits, threads: int | None) -> bool:
    """Decode all of a set; whether each picture had a hash to compare. Raises as ``wyner.decode_set``."""
    for _ in sets.decode_each(data, limits=limits, threads=threads, check_hash=True):
        pass
    return all(picture.pixel_hash for picture in sets.set_info(data, limits=limits).pictures)


def tell(name: str, data: bytes, limits: Limits, reporter: Reporter) -> None:
    """What ``wyner info`` tells of a set."""
    facts = sets.set_info(data, limits=limits)
    lines = [
        f"{name}: set of {len(facts.pictures)}",
        f"  codec   {facts.codec} version {facts.codec_version}, format {facts.format_version}",
        f"  size    {facts.file_bytes} bytes, {facts.bpp:.4f} bpp; {facts.shared_bytes} bytes are shared",
    ]
    for k, picture in enumerate(facts.pictures):
        colour = ("grey" if picture.channels == 1 else "RGB") + (" + alpha" if picture.has_alpha else "")
        text = f"{picture.width}x{picture.height} {colour}, {picture.bit_depth} bits, {picture.bytes} bytes"
        lines.append(f"  {k + 1:>5}   {picture.name or ''}  {text}")
    reporter.result(name, "\n".join(lines), dataclasses.asdict(facts))
