"""``wyner encode``: plans the files, has them encoded, reports and remembers what was done."""

from __future__ import annotations

import argparse
import glob
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, redirect_stdout

from ..batch.executor import Finished, make_executor, run
from ..batch.manifest import Manifest, Record, latest
from ..batch.shard import Shard
from ..errors import TargetMissedError, UsageError
from .encode_file import Request, encode_file
from .files import PICTURES, PIPE, WYN, Job, limits_of, plan, side_of
from .report import FAILURES, Reporter


def encode(arguments: argparse.Namespace) -> int:
    """``wyner encode``."""
    if arguments.codec == "shared":
        from .sets import encode_together

        return encode_together(arguments)
    if arguments.append:
        raise UsageError("--append adds to a set: it goes with --codec shared")
    shard = Shard.parse(arguments.shard)
    jobs = [job for job in plan(arguments, WYN, PICTURES) if shard.holds(job.name)]
    pipe = any(PIPE in (job.source.path, job.target) for job in jobs)
    if pipe and arguments.executor == "ray":
        raise UsageError("a pipe cannot reach a Ray cluster; name files, or leave out --executor ray")
    parallel = arguments.jobs
    if arguments.executor == "local":
        parallel = 1 if pipe else min(arguments.jobs or 1, len(jobs))
    reporter = Reporter("encode", arguments.json)
    with ExitStack() as stack:
        manifest: Manifest | None = None
        records: dict[str, list[Record]] = {}
        if arguments.resume:
            manifest, records = _remembered(arguments.output, shard)
            stack.enter_context(closing(manifest))
        common = side_of(arguments)
        requests = [_request(arguments, job, common, parallel, records.get(job.name, [])) for job in jobs]
        for request, done in _outcomes(arguments, requests, parallel, stack):
            side = request.job.side or arguments.side
            if manifest is not None and done.error is None and not done.result.get("skipped"):
                names = {"input": request.job.source.path, "output": request.job.name}
                names |= {} if side is None else {"side": side}
                manifest.append({**names, **done.result, "attempts": done.attempts})
            _report(reporter, request.job, side, done)
    return reporter.code


def _outcomes(
    arguments: argparse.Namespace, requests: list[Request], parallel: int | None, stack: ExitStack
) -> Iterator[tuple[Request, Finished]]:
    if not requests:
        return
    if arguments.executor == "ray":  # which prints notices, where the lines of JSON are to go
        stack.enter_context(redirect_stdout(sys.stderr))
    executor = make_executor(
        arguments.executor, parallel, address=arguments.ray_address, cores=arguments.threads or 1
    )
    stack.enter_context(closing(executor))
    yield from run(executor, encode_file, requests)


def _remembered(output: str | None, shard: Shard) -> tuple[Manifest, dict[str, list[Record]]]:
    """The manifest of this shard, and what all manifests in the output folder tell, by output."""
    if output is None or not os.path.isdir(output):
        raise UsageError("--resume keeps its manifest in the output folder; give -o FOLDER/")
    manifest = Manifest(os.path.join(output, shard.file_name("manifest")))
    paths = sorted(glob.glob(os.path.join(glob.escape(output), "manifest-*-of-*.jsonl")))
    return manifest, latest(paths, "output")


def _request(
    arguments: argparse.Namespace, job: Job, side: bytes | None, parallel: int | None, records: list[Record]
) -> Request:
    settings = {
        "codec": arguments.codec,
        "quality": arguments.quality,
        "effort": arguments.effort,
        "target_bpp": arguments.target_bpp,
        "target_psnr": arguments.target_psnr,
        "target_size": arguments.target_size,
        "options": dict(arguments.options),
        "store_hash": arguments.hash,
    }
    here = arguments.executor == "local" and parallel == 1
    return Request(
        job,
        side=side,
        # The workers of a cluster have another current folder.
        folder=os.getcwd() if arguments.executor == "ray" else "",
        settings=settings,
        limits=limits_of(arguments),
        first_frame=arguments.first_frame,
        threads=arguments.threads if here else arguments.threads or 1,
        force=arguments.force,
        records=tuple(records) if arguments.resume else None,
        show=here,
    )


def _report(reporter: Reporter, job: Job, side: str | None, done: Finished) -> None:
    name = job.source.path
    if done.error is not None:
        if not isinstance(done.error, FAILURES):
            print(done.trace, file=sys.stderr, end="")
        reporter.failure(name, done.error)
        return
    if not done.result.get("side_used", True):
        reporter.note(f"{side} does not help to code {name}: coded without it")
    shown = ("width", "height", "bytes", "bpp", "psnr_db", "seconds", "skipped", "side_used")
    fields = {"output": job.target, **{key: done.result[key] for key in shown if key in done.result}}
    if job.side is not None:
        fields["side"] = job.side
    if done.attempts > 1:  # a worker died before
        fields["attempts"] = done.attempts
    if done.result.get("missed") is not None:
        reporter.failure(name, TargetMissedError(done.result["missed"]), fields)
    else:
        reporter.success(name, _text(name, fields), fields)


def _text(name: str, fields: Record) -> str:
    if fields.get("skipped"):
        return f"{name} -> {fields['output']}: done already"
    quality = f"  {fields['psnr_db']:.2f} dB" if fields["psnr_db"] is not None else ""
    again = f"  (attempt {fields['attempts']})" if "attempts" in fields else ""
    return (
        f"{name} -> {fields['output']}: {fields['bytes']} bytes  {fields['bpp']:.4f} bpp{quality}  "
        f"{fields['seconds']:.1f} s{again}"
    )
