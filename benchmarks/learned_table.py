"""The tables of the study of learned codecs, at matched rates, beside codecs measured before.

    python benchmarks/learned_table.py learned_study.jsonl kodak_six.jsonl > learned_study.md

Learned codecs have files within 2 % of each rate. The others are those of the second list, interpolated for
each image, linearly in the logarithm of the rate, between their own files. Means are over the images for
which every codec of a table has values; one that reaches a rate on less than half of the images has no row
there. Differences are paired by image, with the 95 % intervals of ``wyner.bench.intervals`` from five images.
"""

from __future__ import annotations

import json
import math
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from wyner.bench.intervals import paired

METRICS = ("psnr_db", "ms_ssim", "lpips", "ssimulacra2")
DIGITS = (2, 4, 3, 1)
OTHERS = ("jpeg_420", "webp", "avif_444", "wyner_overfit e3")
PLAIN, ORDINARY = "hyperprior-mse", "webp"
TOLERANCE = 0.02

Record = dict[str, object]
Values = dict[str, dict[str, list[float]]]
"""Metrics by codec and image."""


def read(path: str) -> list[Record]:
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def learned(records: list[Record]) -> dict[float, Values]:
    """Metrics by rate, of files that are near it."""
    found: dict[float, Values] = defaultdict(lambda: defaultdict(dict))
    for record in records:
        target = record["target_bpp"]
        if target is not None and abs(record["bpp"] / target - 1) <= TOLERANCE:
            model = record["setting"].get("options", {}).get("model")
            if model is not None:
                found[target][model][record["image"]] = [record[metric] for metric in METRICS]
    return found


def between(records: list[Record], label: str, image: str, bpp: float) -> list[float] | None:
    """A codec's metrics on an image at a rate, None beyond its files."""
    mine = sorted((r for r in records if r["label"] == label and r["image"] == image), key=lambda r: r["bpp"])
    rates = [math.log(r["bpp"]) for r in mine]
    if not rates or not rates[0] <= math.log(bpp) <= rates[-1]:
        return None
    return [float(np.interp(math.log(bpp), rates, [r[metric] for r in mine])) for metric in METRICS]


def print_table(bpp: float, values: Values) -> None:
    images = sorted(set.intersection(*(set(found) for found in values.values())))
    print(f"\n## {bpp} bpp: {len(images)} images, {' '.join(images)}\n")
    if not images:
        return
    print("| codec | PSNR | MS-SSIM | LPIPS | SSIMULACRA2 |\n|---|---|---|---|---|")
    for label, found in values.items():
        means = np.mean([found[image] for image in images], axis=0)
        print(f"| {label} | {' | '.join(f'{m:.{d}f}' for m, d in zip(means, DIGITS, strict=True))} |")
    for reference in (PLAIN, ORDINARY):
        if reference in values:
            print_differences(reference, values, images)


def print_differences(reference: str, values: Values, images: list[str]) -> None:
    print(f"\nminus {reference}:\n\n| codec | PSNR | MS-SSIM | LPIPS | SSIMULACRA2 |\n|---|---|---|---|---|")
    for label, found in values.items():
        if label in OTHERS or label == reference:
            continue
        cells = []
        for k, digits in enumerate(DIGITS):
            one, two = ({image: v[image][k] for image in images} for v in (values[reference], found))
            gap = paired(one, two).interval
            text = f"{gap.mean:+.{digits}f}"
            cells.append(
                text if gap.low is None else f"{text} [{gap.low:+.{digits}f}, {gap.high:+.{digits}f}]"
            )
        print(f"| {label} | {' | '.join(cells)} |")


def main(study: str, others: str) -> None:
    print("# Learned codecs at matched rates\n")
    print("Made by `benchmarks/learned_table.py`, which says what is interpolated and averaged.")
    known = read(others)
    for bpp, models in sorted(learned(read(study)).items()):
        every = {image for found in models.values() for image in found}
        values = {label: found for label, found in models.items() if 2 * len(found) >= len(every)}
        for label in OTHERS:
            found = {image: between(known, label, image, bpp) for image in every}
            there = {image: value for image, value in found.items() if value is not None}
            if 2 * len(there) >= len(every):
                values[label] = there
        print_table(bpp, values)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
