"""The shipped learned codecs against WebP at matched bytes, at and below 0.3 bpp, on all Kodak images.

    python benchmarks/learned_webp.py run        # appends to results/learned_webp.jsonl, goes on where it was
    python benchmarks/learned_webp.py table > benchmarks/results/learned_webp.md

A learned codec makes of each image the file of its least rate and those just within 0.1, 0.15, 0.2 and
0.3 bpp, where it gets there. WebP (method 6) is coded up to 0.31 bpp with every step of quantisation that it
has: whole qualities leave out most of the coarse ones. Beside each learned file stands the WebP file of the
lowest quality that is not smaller, and the one before it. The table
has two forms: *whole files*, without any interpolation, counting only pairs in which WebP has at most 2 %
more bytes, so that what is left of a mismatch is in its favour; and *interpolated*, WebP's metrics between
its two files, linearly in the logarithm of the rate, at the very bytes of the learned file. Differences are
paired by image, with the 95 % intervals of ``wyner.bench.intervals``.

Kodak is read from $WYNER_DATA/kodak. Every file is decoded, and measured against the original; LPIPS is that
of SqueezeNet (``wyner.metrics.lpips``).
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch

import wyner
from wyner import io
from wyner.batch import manifest
from wyner.bench import registry
from wyner.bench.intervals import Interval, paired
from wyner.bench.measure import distances
from wyner.errors import TargetMissedError

OUT = Path(__file__).resolve().parent / "results" / "learned_webp.jsonl"
MODELS = ("hyperprior", "hyperprior-ms-ssim", "hyperprior-lpips", "factorised")
TARGETS = (0.1, 0.15, 0.2, 0.3)
LEAST, SIZES = "least", "sizes"
"""Settings: of a learned file, and of the record with the sizes of WebP's files."""
MOST_BPP = 0.31
QUALITIES = tuple(round(150 * (max(k - 0.5, 0) / 127) ** 3, 6) for k in range(101))
"""One for each quantiser index of libwebp, which up to quality 75 is 127 - 127 (quality / 150)^(1/3)."""
TOLERANCE = 0.02
METRICS = ("psnr_db", "ms_ssim", "lpips", "ssimulacra2")
DIGITS = (2, 4, 3, 1)
LOWER_IS_BETTER = ("lpips",)

INTRODUCTION = """Made by `benchmarks/learned_webp.py`, which says what the two forms are. Each cell: the mean
of learned minus WebP, its 95 % interval over images, and on how many of these the learned file is better."""

Record = dict[str, Any]


# --- measuring ----------------------------------------------------------------------------------


class Picture:
    """One image, and the files that were made of it before."""

    def __init__(self, path: Path, results: manifest.Manifest) -> None:
        self.name, self.pixels, self.results = path.stem, io.read(path).pixels, results
        self.area = self.pixels[..., 0].size
        self.webp = registry.by_name("webp")
        self.measured = {(r["codec"], r["setting"]): r for r in results.records if r["image"] == self.name}

    def keep(self, codec: str, setting: str | float, **fields: Any) -> None:
        """Append a record to the results."""
        record = {"image": self.name, "codec": codec, "setting": setting, **fields}
        self.results.append(record)
        self.measured[codec, setting] = record

    def measure(self, codec: str, setting: str | float, data: bytes, decoded: np.ndarray) -> None:
        """Keep what there is to know of a file."""
        fields, notes = distances(self.pixels, decoded, ("psnr", "ms_ssim", "lpips", "ssimulacra2"))
        if notes:
            sys.exit("; ".join(notes))
        values = {metric: round(fields[metric], 6) for metric in METRICS}
        self.keep(codec, setting, bytes=len(data), bpp=8 * len(data) / self.area, **values)

    def learned(self, model: str) -> None:
        """Measure the files of a model that are not there yet."""
        options: dict[str, Any] = {"codec": "learned", "threads": 1, "options": {"model": model}}
        for setting in (LEAST, *TARGETS):
            if (model, setting) in self.measured:
                continue
            goal = {"quality": 0} if setting == LEAST else {"target_bpp": setting}
            try:
                data = wyner.encode(self.pixels, **options, **goal)
            except TargetMissedError:
                self.keep(model, setting, bytes=None)
                continue
            self.measure(model, setting, data, wyner.decode(data, threads=1).pixels)

    def beside(self) -> None:
        """Measure the WebP files beside all learned ones."""
        if ("webp", SIZES) not in self.measured:
            sizes: list[int] = []
            while not sizes or 8 * sizes[-1] / self.area < MOST_BPP:
                sizes.append(len(self.coded(QUALITIES[len(sizes)])))
            self.keep("webp", SIZES, bytes=sizes)
        sizes = self.measured["webp", SIZES]["bytes"]
        ours = [r["bytes"] for (codec, _), r in self.measured.items() if codec in MODELS and r["bytes"]]
        for size in sorted(size for size in ours if size <= sizes[-1]):
            for quality in qualities(sizes, size):
                if ("webp", quality) not in self.measured:
                    data = self.coded(quality)
                    self.measure("webp", quality, data, self.webp.decode(data, None, 1))

    def coded(self, quality: float) -> bytes:
        return self.webp.encode(self.pixels, {"quality": quality}, None, 1)


def qualities(sizes: list[int], size: int) -> list[float]:
    """The lowest quality of which WebP's file is not smaller, and the one before it if there is one."""
    place = next(k for k, found in enumerate(sizes) if found >= size)
    return [QUALITIES[k] for k in (place, place - 1) if k >= 0]


def read() -> list[Record]:
    return manifest.read(OUT) if OUT.exists() else []


def run() -> None:
    torch.set_num_threads(1)
    with closing(manifest.Manifest(OUT)) as results:
        for path in sorted((Path(os.environ["WYNER_DATA"]) / "kodak").glob("*.png")):
            picture = Picture(path, results)
            for model in MODELS:
                picture.learned(model)
            picture.beside()
            print(picture.name, len(picture.measured), file=sys.stderr, flush=True)


# --- the table ----------------------------------------------------------------------------------


def pairs(records: list[Record]) -> list[Record]:
    """Each learned file of at most 0.3 bpp with what WebP's files beside it are: metrics of both, by form."""
    known = {(r["image"], r["codec"], r["setting"]): r for r in records}
    found = []
    for ours in records:
        sizes = known[ours["image"], "webp", SIZES]["bytes"]
        if ours["codec"] not in MODELS or not ours["bytes"] or ours["bytes"] > sizes[-1]:
            continue
        near = [known[ours["image"], "webp", quality] for quality in qualities(sizes, ours["bytes"])]
        pair = {"ours": ours, "surplus": near[0]["bytes"] / ours["bytes"] - 1, "interpolated": None}
        pair["whole files"] = near[0] if pair["surplus"] <= TOLERANCE else None
        if len(near) == 2:
            rates = [math.log(r["bytes"]) for r in reversed(near)]
            at = math.log(ours["bytes"])
            pair["interpolated"] = {
                m: float(np.interp(at, rates, [r[m] for r in reversed(near)])) for m in METRICS
            }
        found.append(pair)
    return found


def differences(chosen: list[Record], form: str, metric: str) -> tuple[Interval, int] | None:
    """Learned minus WebP, where an image has several pairs their mean first, and on how many it is better."""
    gaps: dict[str, list[float]] = defaultdict(list)
    for pair in chosen:
        if pair[form] is not None:
            gaps[pair["ours"]["image"]].append(pair["ours"][metric] - pair[form][metric])
    if not gaps:
        return None
    means = {image: float(np.mean(values)) for image, values in gaps.items()}
    sign = -1 if metric in LOWER_IS_BETTER else 1
    interval = paired(dict.fromkeys(means, 0.0), means).interval
    return interval, sum(sign * mean > 0 for mean in means.values())


def print_rows(chosen: dict[str, list[Record]], form: str) -> None:
    print(
        f"\n{form}:\n\n| model | images | PSNR | MS-SSIM | LPIPS | SSIMULACRA2 |\n|---|---|---|---|---|---|"
    )
    for model, group in chosen.items():
        cells = []
        for metric, digits in zip(METRICS, DIGITS, strict=True):
            found = differences(group, form, metric)
            if found is None:
                cells.append("")
                continue
            gap, better = found
            ends = "" if gap.low is None else f" [{gap.low:+.{digits}f}, {gap.high:+.{digits}f}]"
            cells.append(f"{gap.mean:+.{digits}f}{ends}, {better}")
        images = len({pair["ours"]["image"] for pair in group if pair[form] is not None})
        print(f"| {model} | {images} | {' | '.join(cells)} |")


def print_section(title: str, found: list[Record], reach: str) -> None:
    chosen = {model: [p for p in found if p["ours"]["codec"] == model] for model in MODELS}
    print(f"\n## {title}\n\n{reach}")
    for form in ("whole files", "interpolated"):
        print_rows(chosen, form)


def reached(records: list[Record], setting: float) -> str:
    """How many images have a file within a rate, of each model and of WebP."""
    images = {r["image"] for r in records}
    area = {r["image"]: 8 * r["bytes"] / r["bpp"] for r in records if "bpp" in r}
    counts = [
        f"{model} {sum(bool(r['bytes']) for r in records if (r['codec'], r['setting']) == (model, setting))}"
        for model in MODELS
    ]
    webp = sum(8 * r["bytes"][0] / area[r["image"]] <= setting for r in records if r["setting"] == SIZES)
    return f"Images of {len(images)} with a file within the rate: {', '.join(counts)}, WebP {webp}."


def table() -> None:
    records = read()
    found = pairs(records)
    print("# Learned codecs against WebP at matched bytes, 24 Kodak images\n")
    print(INTRODUCTION)
    below = [pair for pair in found if pair["ours"]["bpp"] <= 0.2]
    several = "All files of at most 0.2 bpp (the least, 0.1, 0.15, 0.2), their mean for each image."
    print_section("At and below 0.2 bpp", below, several)
    for target in TARGETS:
        chosen = [pair for pair in found if pair["ours"]["setting"] == target]
        print_section(f"{target} bpp", chosen, reached(records, target))
    least = [pair for pair in found if pair["ours"]["setting"] == LEAST]
    rates = [
        f"{model} {np.mean([p['ours']['bpp'] for p in least if p['ours']['codec'] == model]):.3f}"
        for model in MODELS
    ]
    smaller = sum(pair["interpolated"] is not None for pair in least)
    print("\n## The least rate of each image\n")
    print(
        f"Mean bits per pixel: {', '.join(rates)}; for {smaller} of {len(least)} files WebP has one as small."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("run", "table"))
    {"run": run, "table": table}[parser.parse_args().what]()


if __name__ == "__main__":
    main()
