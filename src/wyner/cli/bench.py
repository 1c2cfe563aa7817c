"""``wyner bench``: run, table, export and report."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import closing
from pathlib import Path

from ..batch.executor import make_executor
from ..batch.manifest import Manifest
from ..batch.shard import Shard
from ..bench import experiment as experiments
from ..bench import records
from ..bench.codec import rate_text
from ..bench.plan import make_plan
from ..bench.published import load as load_published
from ..bench.run import describe_run, execute, pending
from ..bench.task import InputError, SideInputError
from ..errors import UsageError, WynerError
from .report import Reporter

_UNREAD = (InputError.__name__, SideInputError.__name__)

_WINDOW = 64
_RAY_WINDOW = 4096  # more than a cluster has cores


def run(arguments: argparse.Namespace) -> int:
    """``wyner bench run``."""
    shard = Shard.parse(arguments.shard)
    experiment = experiments.load(arguments.experiment)
    folder = Path(arguments.output or experiment.output or f"{experiment.name}-run")
    reporter = Reporter("bench run", arguments.json)
    plan = make_plan(experiment, folder.resolve())
    for name, error in plan.problems:
        reporter.failure(name, error)
    curves = load_published(experiment.published.files, experiment.published.curves, plan.images)
    describe_run(experiment, folder, curves)
    mine = [task for task in plan.tasks if shard.holds(task.key)]
    tasks = pending(mine, folder)
    print(f"{len(mine)} files to measure, {len(mine) - len(tasks)} of them on record", file=sys.stderr)
    window = _RAY_WINDOW if arguments.executor == "ray" else max(_WINDOW, 4 * (arguments.jobs or 1))
    with closing(Manifest(folder / shard.file_name("records"))) as log:
        if tasks:
            executor = make_executor(
                arguments.executor, arguments.jobs, address=arguments.ray_address, cores=experiment.threads
            )
            with closing(executor):
                for number, record in enumerate(execute(tasks, executor, log, window), 1):
                    _tell(reporter, record, f"[{number}/{len(tasks)}]")
    return reporter.code


def export(arguments: argparse.Namespace) -> int:
    """``wyner bench export``."""
    from ..bench.export import write_compressai, write_csv

    if not arguments.csv and not arguments.compressai:
        raise UsageError("give --csv FILE, --compressai DIR, or both")
    measured, _ = records.read_run(Path(arguments.folder))
    if arguments.csv:
        write_csv(measured, Path(arguments.csv), overwrite=arguments.force)
    if arguments.compressai:
        write_compressai(measured, Path(arguments.compressai), overwrite=arguments.force)
    return 0


def report(arguments: argparse.Namespace) -> int:
    """``wyner bench report``."""
    from ..bench.report import build

    run_folder = Path(arguments.folder)
    made = build(
        run_folder,
        arguments.output or run_folder / "report.html",
        title=arguments.title,
        reference=arguments.reference,
        images=arguments.images,
        crop=arguments.crop,
        overwrite=arguments.force,
    )
    print(made)
    if arguments.plots:
        from ..bench.plots import write_plots

        for path in write_plots(run_folder, arguments.plots, overwrite=arguments.force):
            print(path)
    return 0


def table(arguments: argparse.Namespace) -> int:
    """``wyner bench table``."""
    from ..bench.table import tables
    from ..bench.table_text import to_text

    found = tables(Path(arguments.folder), arguments.reference)
    print(json.dumps(found) if arguments.json else to_text(found))
    return 0


def _tell(reporter: Reporter, record: records.Record, counter: str) -> None:
    rate = f"bpp={record['target_bpp']:g}" if record["target_bpp"] else rate_text(record["setting"])
    name = " ".join(part for part in (record["image"], record["label"], rate) if part)
    if "error" in record:
        error = WynerError(record["error"])
        error.exit_code = record["exit_code"]
        reporter.failure(record["image"] if record["kind"] in _UNREAD else name, error, record)
        return
    quality = "identical" if record["identical"] else f"{record['psnr_db']:.2f} dB"
    text = f"{counter} {name}: {record['bytes']} bytes  {record['bpp']:.4f} bpp  {quality}"
    reporter.success(name, f"{text}  {record['encode_s']:.2f} s", record)
