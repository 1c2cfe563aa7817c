"""Train the filters of `wyner decode --refine`: least squares, NumPy only, the same result every time.

    python tools/train_refinement.py pairs.csv --cache DIR

Each line of the list is `left,right,licence`, with paths relative to the list. The left pictures are coded at
every quality, into the cache, from which an interrupted run goes on; then each stage is solved, and kept in
the cache as well. Every other picture is also given the right picture of another pair, so that filters learn
when not to trust it, and every sixth none. Writes src/wyner/weights/refinement.bin, and .json: what is in it
and what it was trained on.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import os
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import wyner
from wyner import container, io
from wyner.codecs.side.filters import NAME, serialise
from wyner.codecs.side.refinement import Alignment, Stage
from wyner.image import pixel_hash
from wyner.train.refinement import Example, train_stage

WEIGHTS = Path(__file__).parents[1] / "src/wyner/weights"
ALIGNMENTS = (
    (Alignment(16, 3, 30.0), Alignment(8, 1, 15.0)),
    (Alignment(16, 1, 15.0), Alignment(8, 0, 8.0)),
)
GRADES = tuple(int(2**e) for e in (31.8, 33.7, 35.4, 37.2))
LEVELS = ((8, 26, 64), (30, 60, 100, 180), (40, 100), (25, 70))
ANOTHER = 5  # pairs further on in the list


@dataclass(frozen=True)
class Pair:
    """A line of the list."""

    left: Path
    right: Path
    licence: str


def read_pairs(path: Path) -> list[Pair]:
    with path.open(newline="", encoding="utf-8") as lines:
        return [
            Pair(path.parent / left, path.parent / right, text) for left, right, text in csv.reader(lines)
        ]


def coded(image: wyner.Image, quality: float, effort: int, cache: Path) -> bytes:
    """The picture's file, from the cache if it is there."""
    path = cache / f"{pixel_hash(image).hex()[:16]}-q{quality:g}-e{effort}.wyn"
    if not path.exists():
        part = path.with_suffix(f".{os.getpid()}")
        part.write_bytes(wyner.encode(image, quality=quality, effort=effort))
        part.rename(path)
    return path.read_bytes()


def examples(pairs: list[Pair], qualities: list[float], effort: int, cache: Path) -> Iterator[Example]:
    count = 0
    for index, pair in enumerate(pairs):
        left, right = io.read(pair.left), io.read(pair.right)
        for quality in qualities:
            data = coded(left, quality, effort, cache)
            size, decoded = len(container.read(data).payload), wyner.decode(data)
            sides = [right.pixels]
            if count % 2 == 0:
                sides.append(io.read(pairs[(index + ANOTHER) % len(pairs)].right).pixels)
            if count % 6 == 0:
                sides.append(None)
            for kind, side in enumerate(sides):
                yield Example(left.pixels, decoded.pixels, side, size, 3 * count + kind)
            count += 1


def train(pairs: list[Pair], arguments: argparse.Namespace) -> tuple[Stage, ...]:
    settings = (
        ALIGNMENTS,
        GRADES,
        LEVELS,
        arguments.quality,
        arguments.effort,
        [pixel_hash(io.read(p.left)) for p in pairs],
    )
    key = hashlib.sha256(repr(settings).encode()).hexdigest()[:16]
    stages: tuple[Stage, ...] = ()
    for number, alignments in enumerate(ALIGNMENTS[: arguments.stages]):
        kept = arguments.cache / f"stage{number}-{key}.pickle"
        if not kept.exists():
            found = train_stage(
                examples(pairs, arguments.quality, arguments.effort, arguments.cache),
                stages,
                alignments,
                GRADES,
                LEVELS,
            )
            kept.write_bytes(pickle.dumps(found))
        stages += (pickle.loads(kept.read_bytes()),)  # our own file
    return stages


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--quality", type=float, nargs="+", default=[8, 25, 42, 60])
    parser.add_argument("--effort", type=int, default=1)
    parser.add_argument("--stages", type=int, default=len(ALIGNMENTS))
    parser.add_argument("-o", dest="output", type=Path, default=WEIGHTS)
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    pairs = read_pairs(arguments.pairs)
    stages = train(pairs, arguments)
    sources: dict[str, int] = {}
    for pair in pairs:
        sources[pair.licence] = sources.get(pair.licence, 0) + 1
    about = {
        "what": "filters of docs/spec/refine.md",
        "made_by": "python tools/train_refinement.py pairs.csv --cache DIR",
        "pairs_by_source_and_licence": sources,
        "qualities": arguments.quality,
        "effort": arguments.effort,
    }
    card, data = serialise(stages, about)
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / f"{NAME}.bin").write_bytes(data)
    (arguments.output / f"{NAME}.json").write_text(card, encoding="utf-8")


if __name__ == "__main__":
    main()
