"""The table of the study of learned codecs: means at matched rates, and the flagship between its rates.

    python benchmarks/learned_table.py learned_study.jsonl kodak_six.jsonl > learned_study.md

Rows are means over the images that every codec has within 2 % of the rate. Those of ``wyner_overfit e3`` are
interpolated for each image, linearly in the logarithm of the rate, between its files in the second list; they
stand where all of these images have files on both sides of the rate. ``wyner bench table`` has intervals.
"""

from __future__ import annotations

import json
import math
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

METRICS = ("psnr_db", "ms_ssim", "lpips", "ssimulacra2")
FLAGSHIP = "wyner_overfit e3"
TOLERANCE = 0.02

Record = dict[str, object]


def read(path: str) -> list[Record]:
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def between(records: list[Record], image: str, bpp: float) -> list[float] | None:
    """The flagship's metrics on an image at a rate."""
    mine = [r for r in records if r["label"] == FLAGSHIP and r["image"] == image and r["target_bpp"] is None]
    mine.sort(key=lambda r: r["bpp"])
    rates = [math.log(r["bpp"]) for r in mine]
    if not rates or not rates[0] <= math.log(bpp) <= rates[-1]:
        return None
    return [float(np.interp(math.log(bpp), rates, [r[metric] for r in mine])) for metric in METRICS]


def main(study: str, flagship: str) -> None:
    known = read(flagship)
    rates: dict[float, dict[str, dict[str, Record]]] = defaultdict(lambda: defaultdict(dict))
    for record in read(study):
        target = record["target_bpp"]
        if target is not None and abs(record["bpp"] / target - 1) <= TOLERANCE:
            rates[target][record["label"]][record["image"]] = record
    for bpp, labels in sorted(rates.items()):
        every = {image for found in labels.values() for image in found}
        # A codec that reaches the rate on less than half of the images has no row.
        labels = {label: found for label, found in labels.items() if 2 * len(found) >= len(every)}
        images = sorted(set.intersection(*(set(found) for found in labels.values())))
        print(f"\n{bpp} bpp, {len(images)} images: {' '.join(images)}\n")
        print("| codec | PSNR | MS-SSIM | LPIPS | SSIMULACRA2 |\n|---|---|---|---|---|")
        rows = {
            label: np.mean([[found[image][m] for m in METRICS] for image in images], axis=0)
            for label, found in labels.items()
        }
        own = [between(known, image, bpp) for image in images]
        if images and all(values is not None for values in own):
            rows[f"{FLAGSHIP}, interpolated"] = np.mean(own, axis=0)
        for label, (psnr, ms_ssim, lpips, score) in rows.items():
            print(f"| {label} | {psnr:.2f} | {ms_ssim:.4f} | {lpips:.3f} | {score:.1f} |")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
