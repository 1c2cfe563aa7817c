"""decode, info, test and compare."""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from .. import api, codecs, framing, io
from ..container import is_set
from ..errors import SideUnusedWarning, UsageError
from .files import (
    PIPE,
    WYN,
    Job,
    check_writable,
    limits_of,
    plan,
    read_bytes,
    read_side,
    refinement_of,
    side_of,
    write_output,
)
from .report import FAILURES, Reporter
from .warned import about


def decode(arguments: argparse.Namespace) -> int:
    """``wyner decode``."""
    limits = limits_of(arguments)
    jobs = plan(arguments, f".{arguments.format}", (WYN,))
    reporter, side = Reporter("decode", arguments.json), side_of(arguments)
    refine = refinement_of(arguments)
    threads = _threads_per_file(arguments)
    alone = len(jobs) == 1 and not jobs[0].source.collected

    def work(job: Job) -> None:
        name, target, start = job.source.path, job.target, time.monotonic()
        given = job.side or arguments.side
        try:
            data = read_bytes(name)
            if is_set(data):
                from .sets import decode_together

                decode_together(arguments, job, data, alone, threads, reporter)
                return
            if arguments.picture is not None:
                raise UsageError("--picture chooses from a set: this file holds one picture")
            check_writable(target, arguments.force)
            suffix = f".{arguments.format}" if target == PIPE else Path(target).suffix
            if suffix.lower() not in io.SUFFIXES:
                raise UsageError(f"unknown suffix {suffix!r}; there are: {' '.join(io.SUFFIXES)}")
            facts = api.info(data, limits=limits)
            known = facts.codec in codecs.MODULES  # decoding tells of one that is not
            used = facts.side_hash is not None or (known and codecs.by_name(facts.codec).SIDE_AT_DECODER)
            own = read_side(job.side) if used and job.side is not None else side
            with about(name) as warned:
                image = api.decode(data, side=own, refine=refine, limits=limits, threads=threads)
            helped = used and SideUnusedWarning not in warned
            write_output(target, io.encode_file(image, suffix), arguments.force)
        except FAILURES as error:
            reporter.failure(name, error)
            return
        fields: dict[str, Any] = {"output": target, "width": image.width, "height": image.height}
        if job.side is not None:
            fields["side"] = job.side
        if given is not None:
            fields["side_used"] = helped
            if not used:
                reporter.note(f"{name} was made without a side picture: {given} was not needed")
        text = f"{name} -> {target}: {image.width}x{image.height}"
        reporter.success(name, text, fields | {"seconds": round(time.monotonic() - start, 3)})

    _run_all(work, jobs, arguments.jobs)
    return reporter.code


def info(arguments: argparse.Namespace) -> int:
    """``wyner info``."""
    limits, reporter = limits_of(arguments), Reporter("info", arguments.json)
    for name in arguments.inputs:
        try:
            data = read_bytes(name)
            if is_set(data):
                from .sets import tell

                tell(name, data, limits, reporter)
                continue
            facts = api.info(data, limits=limits)
        except FAILURES as error:
            reporter.failure(name, error)
            continue
        reporter.result(name, _info_text(name, facts), dataclasses.asdict(facts))
    return reporter.code


def test(arguments: argparse.Namespace) -> int:
    """``wyner test``."""
    limits, reporter = limits_of(arguments), Reporter("test", arguments.json)
    side = side_of(arguments)
    for name in arguments.inputs:
        try:
            data = read_bytes(name)
            if is_set(data):
                from .sets import verify

                hashed = verify(data, limits, arguments.threads)
            else:
                with about(name):
                    api.decode(data, side=side, limits=limits, threads=arguments.threads, check_hash=True)
                hashed = api.info(data, limits=limits).pixel_hash is not None
        except FAILURES as error:
            reporter.failure(name, error)
            continue
        found = "checksums and pixel hash agree" if hashed else "checksums agree, it holds no pixel hash"
        reporter.result(name, f"{name}: fine ({found})", {"pixel_hash_checked": hashed})
    return reporter.code


def compare(arguments: argparse.Namespace) -> int:
    """``wyner compare``."""
    reporter, limits = Reporter("compare", arguments.json), limits_of(arguments)
    name = arguments.original
    try:
        original, _ = api.load(read_bytes(name), limits)
        name = arguments.other
        found = api.compare(
            original,
            read_bytes(name),
            side=side_of(arguments),
            refine=refinement_of(arguments),
            limits=limits,
        )
    except FAILURES as error:
        reporter.failure(name, error)
        return reporter.code
    text = f"{name}: {found.psnr_db:.3f} dB  {found.bpp:.4f} bpp  {found.file_bytes} bytes"
    text += f"  greatest difference {found.max_error}" + ("" if found.alpha_equal else "  alpha differs")
    identical = found.max_error == 0 and found.alpha_equal
    fields = {"original": arguments.original, **dataclasses.asdict(found), "identical": identical}
    reporter.result(name, text, fields)
    return reporter.code


def _info_text(name: str, facts: api.Info) -> str:
    colour = ("grey" if facts.channels == 1 else "RGB") + (" + alpha" if facts.has_alpha else "")
    lines = [
        f"{name}: {facts.width}x{facts.height} {colour}, {facts.bit_depth} bits a sample",
        f"  codec   {facts.codec} version {facts.codec_version}, format {facts.format_version}",
        f"  size    {facts.file_bytes} bytes, {facts.bpp:.4f} bpp",
        f"  chunks  {', '.join(f'{chunk.type} {chunk.bytes}' for chunk in facts.chunks)} (bytes)",
    ]
    if facts.pixel_hash:
        lines.append(f"  hash    {facts.pixel_hash}")
    if facts.side_hash:
        optional = facts.codec in codecs.MODULES and codecs.by_name(facts.codec).SIDE_AT_DECODER
        what = "that it is better with" if optional else "that it needs"
        lines.append(f"  side    {facts.side_hash} (hash of the side picture {what})")
    return "\n".join(lines)


def _threads_per_file(arguments: argparse.Namespace) -> int | None:
    """The threads asked for; with several jobs and no wish, the cores are shared between them."""
    if arguments.threads is not None or arguments.jobs == 1:
        return None if arguments.threads is None else int(arguments.threads)
    return max(1, framing.default_threads() // int(arguments.jobs))


def _run_all(work: Callable[[Job], None], jobs: Sequence[Job], parallel: int) -> None:
    """Do the work on every file, on several threads when asked to. After an interrupt nothing more starts."""
    if parallel == 1:
        for job in jobs:
            work(job)
        return
    with ThreadPoolExecutor(parallel) as pool:
        try:
            for future in [pool.submit(work, job) for job in jobs]:
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
