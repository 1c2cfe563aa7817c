"""The arguments of ``wyner train``."""

from __future__ import annotations

import argparse

from .bench_parser import AddCommand, Commands


def add_train(commands: Commands, add_command: AddCommand) -> None:
    """Add the command and its own commands; ``add_command`` makes a parser that runs "module.function"."""
    summary = "train networks (needs the extra torch)"
    parser = commands.add_parser("train", help=summary, description=summary)
    inner = parser.add_subparsers(dest="train", required=True, metavar="COMMAND")
    learned = add_command(inner, "learned", "train.learned", "train a learned lossy codec on pictures")
    add_training(learned, "folder of pictures, or tar file of them")
    lossless = add_command(inner, "lossless", "train.lossless", "train the network of the lossless codec")
    add_training(lossless, "folder of pictures, or tar file of them")
    distributed = add_command(
        inner, "distributed", "train.distributed", "train a codec whose decoder has a picture of its own"
    )
    add_training(distributed, "folder that the configuration's paths start at, such as $WYNER_DATA")
    distributed.add_argument("--model", metavar="KIND", help="ndic, attention, aligned or dsin")
    export = add_command(inner, "export", "train.export", "make the file of a model that codecs take")
    export.add_argument("run_folder", metavar="DIR", help="folder of a run of any of these trainings")
    export.add_argument(
        "-o",
        dest="output",
        required=True,
        metavar="FILE",
        help="NAME.safetensors, or of lossless NAME.bin, with NAME.json beside it",
    )
    export.add_argument("--note", default="", metavar="TEXT", help="for its card: data, licences, purpose")
    export.add_argument("-f", "--force", action="store_true", help="overwrite an existing file")


def add_training(parser: argparse.ArgumentParser, data: str) -> None:
    """The arguments that all trainings have; ``data`` says what they train on."""
    parser.add_argument("--config", required=True, metavar="NAME", help="preset, or a .toml or .json file")
    parser.add_argument("--data", required=True, nargs="+", metavar="PATH", help=data)
    parser.add_argument(
        "-o", dest="output", required=True, metavar="DIR", help="folder of the run; goes on if it is one"
    )
    parser.add_argument("--minutes", type=float, metavar="M", help="end after so long, over all resumes")
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda, cuda:1, ...")
    parser.add_argument("--start", metavar="DIR", help="run whose weights to begin with")
    parser.add_argument("--tensorboard", action="store_true", help="log for TensorBoard as well")
    parser.add_argument(
        "-x",
        dest="changes",
        action="append",
        default=[],
        metavar="TABLE.KEY=VALUE",
        help="a setting of the configuration",
    )
