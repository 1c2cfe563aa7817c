"""The arguments of ``wyner bench``."""

from __future__ import annotations

import argparse
from collections.abc import Callable

Commands = argparse._SubParsersAction  # type: ignore[type-arg]
AddCommand = Callable[[Commands, str, str, str], argparse.ArgumentParser]


def add_bench(commands: Commands, add_command: AddCommand) -> None:
    """Add the command and its own commands; ``add_command`` makes a parser that runs "module.function"."""
    summary = "measure rate and distortion of codecs"
    parser = commands.add_parser("bench", help=summary, description=summary)
    inner = parser.add_subparsers(dest="bench", required=True, metavar="COMMAND")
    _add_run(inner, add_command)
    table = add_command(inner, "table", "bench.table", "print means, BD-rates and matched rates of a run")
    _add_folder(table)
    table.add_argument(
        "--reference", metavar="LABEL", help="codec to compare with (default: as the experiment says)"
    )
    table.add_argument("--json", action="store_true", help="the tables as one JSON object")
    export = add_command(inner, "export", "bench.export", "write a run for other programs")
    _add_folder(export)
    export.add_argument("--csv", metavar="FILE", help="all records, one row each")
    export.add_argument("--compressai", metavar="DIR", help="one JSON of means per codec, as CompressAI has")
    report = add_command(inner, "report", "bench.report", "make one HTML file of a run, to look at")
    _add_folder(report)
    report.add_argument("-o", dest="output", metavar="FILE", help="default: DIR/report.html")


def _add_run(commands: Commands, add_command: AddCommand) -> None:
    run = add_command(commands, "run", "bench.run", "measure what an experiment asks for, once")
    run.add_argument("experiment", metavar="EXPERIMENT.toml")
    run.add_argument("-o", dest="output", metavar="DIR", help="folder of the run (default: NAME-run)")
    run.add_argument("-j", "--jobs", type=int, metavar="N", help="tasks at the same time (default 1)")
    run.add_argument("--shard", default="1/1", metavar="k/N", help="only the k-th of N parts of the tasks")
    run.add_argument(
        "--executor",
        default="local",
        choices=("local", "ray"),
        help="where tasks run: processes here (default), or Ray",
    )
    run.add_argument(
        "--ray-address", metavar="A", help="Ray cluster to join, host:port or auto (default: a new Ray here)"
    )
    run.add_argument("--json", action="store_true", help="each new record as a line on standard output")


def _add_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DIR", help="folder of a run")
