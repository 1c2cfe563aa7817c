"""Train the network of `wyner decode --refine`. Needs the extra `torch`; goes on where it was interrupted.

    python tools/train_refinement.py pairs.csv --cache DIR

Each line of the list is `group,left,right,licence,qualities`, with paths relative to the list and spaces
between qualities; batches take of each group alike. The left pictures are coded at each quality, into the
cache; what the network is to be given is computed, into the cache; then the network is trained, and kept in
the cache every few minutes. The wrong side picture of a pair is that of the pair ANOTHER lines on. Writes
src/wyner/weights/refinement.bin, and .json: what is in it and what it was trained on.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import os
import pickle
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

import wyner
from wyner import container, io
from wyner.codecs.side.network import NAME, serialise
from wyner.image import pixel_hash
from wyner.train.refinement import Example, Trainer, examples_of

WEIGHTS = Path(__file__).parents[1] / "src/wyner/weights"
ANOTHER = 5
CROP = 192
KEEP_EVERY = 250  # steps


@dataclass(frozen=True)
class Pair:
    """A line of the list."""

    group: str
    left: Path
    right: Path
    licence: str
    qualities: tuple[float, ...]


def read_pairs(path: Path) -> list[Pair]:
    with path.open(newline="", encoding="utf-8") as lines:
        return [
            Pair(group, path.parent / left, path.parent / right, text, tuple(map(float, qualities.split())))
            for group, left, right, text, qualities in csv.reader(lines)
        ]


def coded(image: wyner.Image, quality: float, effort: int, cache: Path) -> bytes:
    """The picture's file, from the cache if it is there."""
    path = cache / f"{pixel_hash(image).hex()[:16]}-q{quality:g}-e{effort}.wyn"
    if not path.exists():
        part = path.with_suffix(f".{os.getpid()}")
        part.write_bytes(wyner.encode(image, quality=quality, effort=effort))
        part.rename(path)
    return path.read_bytes()


def examples(pairs: list[Pair], index: int, effort: int, cache: Path) -> list[Example]:
    """Those of one pair at all its qualities, from the cache if they are there."""
    left, right = io.read(pairs[index].left), io.read(pairs[index].right)
    wrong = io.read(pairs[(index + ANOTHER) % len(pairs)].right)
    qualities = pairs[index].qualities
    settings = repr((qualities, effort, CROP, [pixel_hash(image) for image in (left, right, wrong)]))
    path = cache / f"examples-{hashlib.sha256(settings.encode()).hexdigest()[:16]}.pickle"
    if not path.exists():
        found: list[Example] = []
        for number, quality in enumerate(qualities):
            data = coded(left, quality, effort, cache)
            pictures = (p.pixels for p in (left, wyner.decode(data), right, wrong))
            size = len(container.read(data).payload)
            found += examples_of(*pictures, size, CROP, len(qualities) * index + number)
        part = path.with_suffix(f".{os.getpid()}")
        part.write_bytes(pickle.dumps(found, protocol=4))
        part.rename(path)
    loaded: list[Example] = pickle.loads(path.read_bytes())  # our own file
    return loaded


def train(groups: list[list[Example]], arguments: argparse.Namespace) -> Trainer:
    """A trainer that has done all its steps."""
    trainer = Trainer(groups, arguments.steps)
    kept = arguments.cache / f"trainer-{arguments.steps}.pt"
    if kept.exists():
        trainer.resume(torch.load(kept))
    losses: list[float] = []
    start = time.monotonic()
    while trainer.step < arguments.steps:
        trainer.run(trainer.step + KEEP_EVERY, lambda _, loss: losses.append(loss))
        part = kept.with_suffix(".part")
        torch.save(trainer.state(), part)
        part.rename(kept)
        seconds = time.monotonic() - start
        left = seconds / len(losses) * (arguments.steps - trainer.step)
        print(f"step {trainer.step}: loss {np.mean(losses[-KEEP_EVERY:]):.4f}, {left:.0f} s left", flush=True)
    return trainer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--effort", type=int, default=1)
    parser.add_argument("--steps", type=int, default=12000)
    parser.add_argument("--shard", type=int, nargs=2, metavar=("K", "N"), help="only prepare pairs K mod N")
    parser.add_argument("-o", dest="output", type=Path, default=WEIGHTS)
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    pairs = read_pairs(arguments.pairs)
    groups: dict[str, list[Example]] = {pair.group: [] for pair in pairs}
    for index, pair in enumerate(pairs):
        if arguments.shard is None or index % arguments.shard[1] == arguments.shard[0]:
            groups[pair.group] += examples(pairs, index, arguments.effort, arguments.cache)
    if arguments.shard is not None:
        return
    print({group: len(found) for group, found in groups.items()}, flush=True)
    trainer = train(list(groups.values()), arguments)
    sources: dict[str, int] = {}
    for pair in pairs:
        sources[f"{pair.group}, {pair.licence}"] = sources.get(f"{pair.group}, {pair.licence}", 0) + 1
    about = {
        "what": "network of docs/spec/refine.md",
        "made_by": "python tools/train_refinement.py pairs.csv --cache DIR",
        "pairs_by_source_and_licence": sources,
        "qualities": sorted({quality for pair in pairs for quality in pair.qualities}),
        "effort": arguments.effort,
        "steps": arguments.steps,
    }
    card, data = serialise(trainer.network.integers(), about)
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / f"{NAME}.bin").write_bytes(data)
    (arguments.output / f"{NAME}.json").write_text(card, encoding="utf-8")


if __name__ == "__main__":
    main()
