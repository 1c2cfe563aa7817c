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
    _add_force(export)
    export.add_argument("--csv", metavar="FILE", help="all records, one row each")
    export.add_argument("--compressai", metavar="DIR", help="one JSON of means per codec, as CompressAI has")
    _add_report(inner, add_command)


def _add_report(commands: Commands, add_command: AddCommand) -> None:
    report = add_command(commands, "report", "bench.report", "make one HTML file of a run, to look at")
    _add_folder(report)
    _add_force(report)
    report.add_argument("-o", dest="output", metavar="FILE", help="default: DIR/report.html")
    report.add_argument("--title", help="default: the experiment's name")
    report.add_argument("--reference", metavar="LABEL", help="codec that BD-rates are against at first")
    report.add_argument("--images", nargs="*", metavar="NAME", help="images to compare by eye (default: all)")
    report.add_argument("--crop", type=crop, default="auto", metavar="WxH", help="their part, or whole")
    report.add_argument("--plots", metavar="DIR", help="write SVG and PNG plots there as well")


def crop(text: str) -> str | tuple[int, int]:
    """What part of pictures is shown: "auto", "whole", or (width, height) from "640x480"."""
    if text in ("auto", "whole"):
        return text
    width, cross, height = text.partition("x")
    if not (cross and width.isdigit() and height.isdigit() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f"{text!r} is not auto, whole or a size such as 640x480")
    return int(width), int(height)


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


def _add_force(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-f", "--force", action="store_true", help="overwrite existing files")
