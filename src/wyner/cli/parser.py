"""The arguments of every command."""

from __future__ import annotations

import argparse
import re

from .. import __version__
from ..container import Limits
from .bench_parser import add_bench
from .train_parser import add_train

_EXIT_CODES = """exit codes: 0 fine, 1 failure, 2 usage, 3 corrupt file, 4 unsupported, 5 limit exceeded,
6 target missed (the file is written all the same), 7 side image wrong or missing, 130 interrupted"""
_SIZE = re.compile(r"(\d+(?:\.\d+)?)([kKmM]?)(i?)[bB]?")


def build_parser() -> argparse.ArgumentParser:
    """The parser; the parsed arguments have ``run``, a function of them that returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="wyner",
        description="Neural image compression fitted to each image, with a bit-exact integer decoder.",
        epilog=_EXIT_CODES,
    )
    parser.add_argument("--version", action="version", version=f"wyner {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_encode(commands)
    _add_decode(commands)
    _add_inspection(commands)
    _add_demo(commands)
    add_bench(commands, _command)
    add_train(commands, _command)
    return parser


def size(text: str) -> int:
    """Bytes from "40000", "40k", "1.5M" (powers of 1000) or "40Ki", "1Mi" (powers of 1024)."""
    match = _SIZE.fullmatch(text)
    if not match or (match[3] and not match[2]):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 40000, 40k or 1.5M")
    base = 1024 if match[3] else 1000
    return int(float(match[1]) * base ** {"": 0, "k": 1, "m": 2}[match[2].lower()])


def option(text: str) -> tuple[str, str]:
    """Name and value from "name=value"."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form name=value")
    return name, value


def _add_encode(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _command(commands, "encode", "encode.encode", "compress pictures into .wyn files")
    _add_inputs(parser, "picture file, folder of pictures, or - for standard input")
    _add_outputs(parser, ".wyn file or folder (default: beside the picture; - is standard output)")
    goal = parser.add_mutually_exclusive_group()
    goal.add_argument("-q", "--quality", type=float, metavar="Q", help="0..100 (default 60)")
    goal.add_argument("--target-bpp", type=float, metavar="BPP", help="bits per pixel of the whole file")
    goal.add_argument("--target-psnr", type=float, metavar="DB", help="peak signal-to-noise ratio in dB")
    goal.add_argument("--target-size", type=size, metavar="BYTES", help="file size such as 40000, 40k, 1.5M")
    parser.add_argument(
        "-e", "--effort", type=int, default=5, metavar="E", help="1 fast .. 10 small (default 5)"
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--codec",
        help="codec (default overfit, and side with --side where it helps); shared: one file for all",
    )
    which.add_argument(
        "--lossless", dest="codec", action="store_const", const="lossless", help="keep every sample as it is"
    )
    parser.add_argument(
        "--side", metavar="REF", help="picture like it, or .wyn file, that whoever decodes has as well"
    )
    parser.add_argument(
        "--pairs", metavar="CSV", help="encode its column image, each with the picture in its column side"
    )
    parser.add_argument(
        "-x",
        dest="options",
        type=option,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="codec option",
    )
    parser.add_argument(
        "--append", action="store_true", help="with --codec shared: add the pictures to the set that OUT is"
    )
    parser.add_argument(
        "--hash", action="store_true", help="store a hash of the pixels for wyner test (22 bytes)"
    )
    parser.add_argument("--first-frame", action="store_true", help="take the first frame of an animation")
    _add_bulk(parser)
    _add_common(parser)


def _add_decode(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _command(commands, "decode", "commands.decode", "turn .wyn files into pictures")
    _add_inputs(parser, ".wyn file, folder of them, or - for standard input")
    _add_outputs(parser, "picture file or folder (default: beside the .wyn file; - is standard output)")
    parser.add_argument(
        "--format",
        default="png",
        choices=("png", "tiff", "ppm", "pgm", "jpg", "webp"),
        help="format where the output's name does not tell it (default png)",
    )
    parser.add_argument("--side", metavar="REF", help="side image, for files that were made with one")
    parser.add_argument(
        "--picture", metavar="P", help="of a set this one alone: its name, or its number from 1 on"
    )
    _add_refine(parser)
    parser.add_argument(
        "--pairs", metavar="CSV", help="the list that encoded them; IN, if given, is the folder they went to"
    )
    _add_common(parser)


def _add_inspection(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _command(commands, "info", "commands.info", "tell what .wyn files hold")
    parser.add_argument("inputs", nargs="+", metavar="IN", help=".wyn file, or - for standard input")
    _add_common(parser, parallel=False)
    parser = _command(commands, "test", "commands.test", "decode .wyn files and verify their pixels")
    parser.add_argument("inputs", nargs="+", metavar="IN", help=".wyn file, or - for standard input")
    parser.add_argument("--side", metavar="REF", help="side image, for files that were made with one")
    _add_common(parser)
    parser = _command(commands, "compare", "commands.compare", "measure a compressed picture")
    parser.add_argument("original", metavar="ORIGINAL", help="picture or .wyn file")
    parser.add_argument("other", metavar="OTHER", help="picture or .wyn file; its size gives the bit rate")
    parser.add_argument("--side", metavar="REF", help="side image of OTHER, if it was made with one")
    _add_refine(parser)
    _add_common(parser, parallel=False)


def _add_refine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--refine", metavar="REF", help="picture like it, unknown to the encoder, to improve the result by"
    )


def _add_demo(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _command(commands, "demo", "demo.demo", "compress a photograph and compare with JPEG and WebP")
    parser.add_argument("-o", dest="output", default="wyner-demo", metavar="DIR", help="folder for the files")
    parser.add_argument("-q", "--quality", type=float, metavar="Q", help="0..100 (default 40)")
    parser.add_argument("-e", "--effort", type=int, metavar="E", help="1..10 (default 2)")
    parser.add_argument("--threads", type=int, metavar="N", help="threads (default: all cores)")
    others = parser.add_subparsers(metavar="[shared]", help="another demo: one decoder for a set of pictures")
    _add_demo_shared(others)


def _add_demo_shared(demos: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    summary = "fit one decoder to a set of grey pictures, a plain and a useful one"
    parser = _command(demos, "shared", "demo_shared.demo_shared", summary)
    parser.add_argument(
        "inputs", nargs="*", metavar="PGM", help="grey pictures of one size (default: three synthetic ones)"
    )
    # No default: that of the demo itself holds, and an -o before "shared" too.
    parser.add_argument(
        "-o", dest="output", default=argparse.SUPPRESS, metavar="DIR", help="folder for the files"
    )
    parser.add_argument(
        "-q", "--quality", type=float, default=argparse.SUPPRESS, metavar="Q", help="of the set (default 70)"
    )
    parser.add_argument(
        "-e", "--effort", type=int, default=argparse.SUPPRESS, metavar="E", help="of the set (default 3)"
    )
    parser.add_argument(
        "--threads", type=int, default=argparse.SUPPRESS, metavar="N", help="threads (default: all cores)"
    )
    parser.add_argument("--latents", type=int, default=8, metavar="D", help="numbers of a code (default 8)")
    parser.add_argument("--epochs", type=int, default=1000, metavar="N", help="steps of Adam (default 1000)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the first codes (default 0)")
    parser.add_argument(
        "--size", type=int, default=64, metavar="N", help="side of the synthetic pictures (default 64)"
    )


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, target: str, summary: str
) -> argparse.ArgumentParser:
    """A sub-command that runs ``target``, "module.function" of this package, imported only then."""
    parser = commands.add_parser(name, help=summary, description=summary, epilog=_EXIT_CODES)

    def run(arguments: argparse.Namespace) -> int:
        import importlib

        module, function = target.split(".")
        return int(getattr(importlib.import_module(f".{module}", __package__), function)(arguments))

    parser.set_defaults(run=run)
    return parser


def _add_inputs(parser: argparse.ArgumentParser, summary: str) -> None:
    parser.add_argument("inputs", nargs="*", metavar="IN", help=summary)
    parser.add_argument(
        "--list",
        dest="lists",
        action="append",
        default=[],
        metavar="FILE",
        help="take further names from a file, one a line (- is standard input)",
    )


def _add_bulk(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(jobs=None)
    parser.add_argument("--shard", default="1/1", metavar="k/N", help="only the k-th of N parts of the files")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="keep a manifest in the output folder; skip what it has as done",
    )
    parser.add_argument(
        "--executor",
        default="local",
        choices=("local", "ray"),
        help="where the jobs run: processes here (default), or Ray, by default with one job for each core",
    )
    parser.add_argument(
        "--ray-address", metavar="A", help="Ray cluster to join, host:port or auto (default: a new Ray here)"
    )


def _add_outputs(parser: argparse.ArgumentParser, summary: str) -> None:
    parser.add_argument("-o", dest="output", metavar="OUT", help=summary)
    parser.add_argument("-f", "--force", action="store_true", help="overwrite existing files")
    parser.add_argument(
        "-j", "--jobs", type=int, default=1, metavar="N", help="files at the same time (default 1)"
    )


def _add_common(parser: argparse.ArgumentParser, parallel: bool = True) -> None:
    if parallel:
        parser.add_argument("--threads", type=int, metavar="N", help="threads per file (default: all cores)")
    parser.add_argument("--json", action="store_true", help="one line of JSON per file on standard output")
    defaults = Limits()
    for name, default, unit in (
        ("max-pixels", defaults.pixels, "pixels"),
        ("max-side", defaults.side, "columns or rows"),
        ("max-macs", defaults.macs, "multiply-accumulates"),
    ):
        parser.add_argument(
            f"--{name}",
            type=int,
            default=default,
            metavar="N",
            help=f"refuse files of more {unit} ({default})",
        )
