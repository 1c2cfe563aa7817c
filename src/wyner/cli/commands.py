"""encode, decode, info, test and compare."""

from __future__ import annotations

import argparse
import dataclasses
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from PIL import Image as PilImage

from .. import api, io
from ..container import Limits
from ..errors import TargetMissedError, UsageError, WynerError
from .files import PIPE, check_writable, plan_outputs, read_bytes, write_output
from .progress import Cancelled, ProgressLine
from .report import Reporter

# What one file may end in while the rest go on; ArithmeticError is a fit that diverged.
_FAILURES = (WynerError, OSError, MemoryError, ArithmeticError)


def encode(arguments: argparse.Namespace) -> int:
    """``wyner encode``."""
    limits = _limits(arguments)
    targets = plan_outputs(arguments.inputs, arguments.output, ".wyn")
    _check_pipes(arguments, targets)
    reporter, cancel = Reporter("encode", arguments.json), threading.Event()
    threads = _threads_per_file(arguments)

    def work(name: str, target: str) -> None:
        line = ProgressLine(name, cancel, show=arguments.jobs == 1)
        start = time.monotonic()
        missed: TargetMissedError | None = None
        try:
            check_writable(target, arguments.force)
            image = io.read(read_bytes(name), first_frame=arguments.first_frame, limits=limits)
            try:
                data = _encode_one(image, arguments, threads, line)
            except TargetMissedError as error:
                missed, data = error, error.data
            write_output(target, data, arguments.force)
        except _FAILURES as error:
            line.close()
            reporter.failure(name, error)
            return
        finally:
            line.close()
        fields = _encode_fields(image, data, target, line, time.monotonic() - start)
        if missed is not None:
            reporter.failure(name, missed, fields)
        else:
            reporter.success(name, _encode_text(name, fields), fields)

    _run_all(work, list(zip(arguments.inputs, targets, strict=True)), arguments.jobs, cancel)
    return reporter.code


def decode(arguments: argparse.Namespace) -> int:
    """``wyner decode``."""
    limits = _limits(arguments)
    targets = plan_outputs(arguments.inputs, arguments.output, f".{arguments.format}")
    _check_pipes(arguments, targets)
    reporter, side = Reporter("decode", arguments.json), _side(arguments, limits)
    threads = _threads_per_file(arguments)

    def work(name: str, target: str) -> None:
        start = time.monotonic()
        try:
            check_writable(target, arguments.force)
            suffix = f".{arguments.format}" if target == PIPE else Path(target).suffix
            if suffix.lower() not in io.SUFFIXES:
                raise UsageError(f"unknown suffix {suffix!r}; there are: {' '.join(io.SUFFIXES)}")
            image = api.decode(read_bytes(name), side=side, limits=limits, threads=threads)
            write_output(target, io.encode_file(image, suffix), arguments.force)
        except _FAILURES as error:
            reporter.failure(name, error)
            return
        fields = {"output": target, "width": image.width, "height": image.height}
        text = f"{name} -> {target}: {image.width}x{image.height}"
        reporter.success(name, text, fields | {"seconds": round(time.monotonic() - start, 3)})

    _run_all(work, list(zip(arguments.inputs, targets, strict=True)), arguments.jobs, threading.Event())
    return reporter.code


def info(arguments: argparse.Namespace) -> int:
    """``wyner info``."""
    limits, reporter = _limits(arguments), Reporter("info", arguments.json)
    for name in arguments.inputs:
        try:
            facts = api.info(read_bytes(name), limits=limits)
        except _FAILURES as error:
            reporter.failure(name, error)
            continue
        reporter.result(name, _info_text(name, facts), dataclasses.asdict(facts))
    return reporter.code


def test(arguments: argparse.Namespace) -> int:
    """``wyner test``."""
    limits, reporter = _limits(arguments), Reporter("test", arguments.json)
    side = _side(arguments, limits)
    for name in arguments.inputs:
        try:
            data = read_bytes(name)
            api.decode(data, side=side, limits=limits, threads=arguments.threads, check_hash=True)
            hashed = api.info(data, limits=limits).pixel_hash is not None
        except _FAILURES as error:
            reporter.failure(name, error)
            continue
        found = "checksums and pixel hash agree" if hashed else "checksums agree, it holds no pixel hash"
        reporter.result(name, f"{name}: fine ({found})", {"pixel_hash_checked": hashed})
    return reporter.code


def compare(arguments: argparse.Namespace) -> int:
    """``wyner compare``."""
    reporter, limits = Reporter("compare", arguments.json), _limits(arguments)
    name = arguments.other
    try:
        found = api.compare(read_bytes(arguments.original), read_bytes(name), limits=limits)
    except _FAILURES as error:
        reporter.failure(name, error)
        return reporter.code
    text = f"{name}: {found.psnr_db:.3f} dB  {found.bpp:.4f} bpp  {found.file_bytes} bytes"
    text += f"  greatest difference {found.max_error}" + ("" if found.alpha_equal else "  alpha differs")
    identical = found.max_error == 0 and found.alpha_equal
    fields = {"original": arguments.original, **dataclasses.asdict(found), "identical": identical}
    reporter.result(name, text, fields)
    return reporter.code


def _encode_one(
    image: io.Image, arguments: argparse.Namespace, threads: int | None, line: ProgressLine
) -> bytes:
    return api.encode(
        image,
        codec=arguments.codec,
        quality=arguments.quality,
        effort=arguments.effort,
        target_bpp=arguments.target_bpp,
        target_psnr=arguments.target_psnr,
        target_size=arguments.target_size,
        threads=threads,
        progress=line,
        options=dict(arguments.options),
        store_hash=arguments.hash,
    )


def _encode_fields(
    image: io.Image, data: bytes, target: str, line: ProgressLine, seconds: float
) -> dict[str, Any]:
    return {
        "output": target,
        "width": image.width,
        "height": image.height,
        "bytes": len(data),
        "bpp": round(8 * len(data) / (image.width * image.height), 6),
        "psnr_db": round(line.last.psnr_db, 4) if line.last else None,
        "seconds": round(seconds, 3),
    }


def _encode_text(name: str, fields: dict[str, Any]) -> str:
    quality = f"  {fields['psnr_db']:.2f} dB" if fields["psnr_db"] is not None else ""
    return (
        f"{name} -> {fields['output']}: {fields['bytes']} bytes  {fields['bpp']:.4f} bpp{quality}  "
        f"{fields['seconds']:.1f} s"
    )


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
    return "\n".join(lines)


def _limits(arguments: argparse.Namespace) -> Limits:
    # Pillow's own guard is global and lower than ours; each picture's size is checked against ours instead.
    PilImage.MAX_IMAGE_PIXELS = None
    return Limits(pixels=arguments.max_pixels, side=arguments.max_side, macs=arguments.max_macs)


def _side(arguments: argparse.Namespace, limits: Limits) -> io.Image | None:
    return None if arguments.side is None else io.read(arguments.side, limits=limits)


def _check_pipes(arguments: argparse.Namespace, targets: Sequence[str]) -> None:
    if arguments.json and PIPE in targets:
        raise UsageError("--json and the file cannot both go to standard output; give -o FILE")
    if arguments.jobs < 1:
        raise UsageError(f"-j is {arguments.jobs}, it must be at least 1")


def _threads_per_file(arguments: argparse.Namespace) -> int | None:
    """The threads asked for; with several jobs and no wish, the cores are shared between them."""
    if arguments.threads is not None or arguments.jobs == 1:
        return None if arguments.threads is None else int(arguments.threads)
    return max(1, api.default_threads() // int(arguments.jobs))


def _run_all(
    work: Callable[[str, str], None], files: Sequence[tuple[str, str]], jobs: int, cancel: threading.Event
) -> None:
    """Do the work on every file. An interrupt stops running encoders and nothing more starts."""
    if jobs == 1:
        for name, target in files:
            work(name, target)
        return

    def guarded(name: str, target: str) -> None:
        if not cancel.is_set():
            try:
                work(name, target)
            except Cancelled:
                pass

    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(guarded, name, target) for name, target in files]
        try:
            for future in futures:
                future.result()
        except BaseException:
            cancel.set()
            raise
