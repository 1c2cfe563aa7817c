"""What the shipped learned codecs reach with gains beyond those that they were trained at.

    python benchmarks/learned_coarser.py > benchmarks/results/learned_coarser.md

The gains go on in a straight line (tools/coarser_model.py), for up to eight times the greatest lambda of
the training. Nothing is trained. Bytes are of all Kodak images ($WYNER_DATA/kodak), metrics of files of the
six of the study, decoded again, beside the smallest files that WebP (method 6) and JPEG (4:2:0) make of
these. Below each is the way that is left to WebP for fewer bytes: the picture at half of its width and
height, made large again (both bicubic), with the lowest quality of which the file is not smaller.
"""

from __future__ import annotations

import os
import sys
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import wyner
from wyner import io
from wyner.bench import registry
from wyner.bench.measure import distances
from wyner.codecs import learned
from wyner.codecs.learned.model import Model
from wyner.nn.rates import LEVELS, level_lambdas

sys.path.append(str(Path(__file__).resolve().parents[1] / "tools"))
from coarser_model import coarser

MODELS = ("hyperprior", "hyperprior-ms-ssim", "hyperprior-lpips", "factorised")
STUDY = ("kodim01", "kodim05", "kodim08", "kodim13", "kodim19", "kodim23")
FACTORS = (1, 2, 4, 8)
"""Of lambda, to the greatest of the training."""
RATES = (0.05, 0.1, 0.15)
METRICS = ("psnr_db", "ms_ssim", "lpips", "ssimulacra2")
DIGITS = (2, 4, 3, 1)
SMALLEST = (("webp", {"quality": 0}), ("jpeg_420", {"quality": 1}))
HALF_QUALITIES = (*np.arange(0, 2, 0.1), *np.arange(2, 40, 1))

Row = dict[str, Any]


def make(name: str, folder: Path) -> dict[int, float]:
    """A model's file with gains for all factors, called as it but with "coarser-", and their qualities."""
    path = Path(str(learned.__file__)).parents[2] / "weights" / f"{name}.safetensors"
    about = Model(path.read_bytes()).card.about
    low, high = about["lambda_range"]
    trained = about.get("trained_to", high)
    data = coarser(path.read_bytes(), FACTORS[-1] * trained / high)
    (folder / f"coarser-{path.name}").write_bytes(data)
    lambdas = level_lambdas((low, FACTORS[-1] * trained))
    levels = {factor: np.abs(np.log(lambdas / (trained * factor))).argmin() for factor in FACTORS}
    return {factor: 100 * float(level) / (LEVELS - 1) for factor, level in levels.items()}


def record(label: str, data: bytes, pixels: np.ndarray, decoded: np.ndarray) -> Row:
    fields, _ = distances(pixels, decoded, ("psnr", "ms_ssim", "lpips", "ssimulacra2"))
    bpp = 8 * len(data) / pixels[..., 0].size
    return {"label": label, "bpp": bpp, **{metric: fields[metric] for metric in METRICS}}


def small(name: str, setting: dict[str, int], pixels: np.ndarray) -> Row:
    codec = registry.by_name(name)
    data = codec.encode(pixels, setting, None, 1)
    return record(f"{name} {setting['quality']}", data, pixels, codec.decode(data, None, 1))


def resized(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC))


def half_size(pixels: np.ndarray, size: int) -> Row:
    """Of the first WebP file of half the sides that has so many bytes."""
    webp, (height, width) = registry.by_name("webp"), pixels.shape[:2]
    half = resized(pixels, width // 2, height // 2)
    files = (webp.encode(half, {"quality": float(quality)}, None, 1) for quality in HALF_QUALITIES)
    data = next(data for data in files if len(data) >= size)
    return record("webp at half size", data, pixels, resized(webp.decode(data, None, 1), width, height))


def measured(path: Path, qualities: dict[str, dict[int, float]]) -> tuple[dict[Any, float], list[Row]]:
    """Rates of an image by model and factor, and records of files whose metrics are asked for."""
    pixels = io.read(path).pixels
    in_study = path.stem in STUDY
    half = lru_cache(lambda size: half_size(pixels, size))
    rows = [small(codec, setting, pixels) for codec, setting in SMALLEST if in_study]
    rates = {}
    for name in MODELS:
        for factor in FACTORS:
            options: dict[str, Any] = {"options": {"model": f"coarser-{name}"}, "threads": 1}
            data = wyner.encode(pixels, codec="learned", quality=qualities[name][factor], **options)
            rates[name, factor] = 8 * len(data) / pixels[..., 0].size
            if in_study:
                decoded = wyner.decode(data, threads=1).pixels
                rows += [record(f"{name}, lambda x {factor}", data, pixels, decoded), half(len(data))]
    print(path.stem, file=sys.stderr, flush=True)
    return rates, rows


def print_counts(rates: list[dict[Any, float]]) -> None:
    print(f"Images of {len(rates)} with a file of at most {', '.join(map(str, RATES))} bpp:\n")
    print("| model |" + "".join(f" lambda x {factor} |" for factor in FACTORS))
    print("|---|" + "---|" * len(FACTORS))
    for name in MODELS:
        cells = []
        for factor in FACTORS:
            found = [rate[name, factor] for rate in rates]
            cells.append(", ".join(str(sum(rate <= most for rate in found)) for most in RATES))
        print(f"| {name} | {' | '.join(cells)} |")


def print_gaps(images: list[list[Row]]) -> None:
    """Means over images of each learned file minus what stands below it."""
    print("\nLearned minus WebP at half size, means of the six images; first what bytes WebP has more:\n")
    print("| file | bytes | PSNR | MS-SSIM | LPIPS | SSIMULACRA2 |\n|---|---|---|---|---|---|")
    for at in range(len(SMALLEST), len(images[0]), 2):
        pairs = [(rows[at], rows[at + 1]) for rows in images]
        surplus = np.mean([webp["bpp"] / ours["bpp"] - 1 for ours, webp in pairs])
        gaps = [np.mean([ours[m] - webp[m] for ours, webp in pairs]) for m in METRICS]
        cells = [f"{gap:+.{digits}f}" for gap, digits in zip(gaps, DIGITS, strict=True)]
        print(f"| {pairs[0][0]['label']} | {100 * surplus:+.0f} % | {' | '.join(cells)} |")


def print_rows(name: str, rows: list[Row]) -> None:
    print(f"\n## {name}\n\n| file | bpp | PSNR | MS-SSIM | LPIPS | SSIMULACRA2 |\n|---|---|---|---|---|---|")
    for row in rows:
        cells = [f"{row[metric]:.{digits}f}" for metric, digits in zip(METRICS, DIGITS, strict=True)]
        print(f"| {row['label']} | {row['bpp']:.4f} | {' | '.join(cells)} |")


def main() -> None:
    torch.set_num_threads(1)
    paths = sorted((Path(os.environ["WYNER_DATA"]) / "kodak").glob("*.png"))
    with tempfile.TemporaryDirectory() as folder:
        os.environ["WYNER_MODELS"] = folder
        qualities = {name: make(name, Path(folder)) for name in MODELS}
        found = {path.stem: measured(path, qualities) for path in paths}
    print("# Gains beyond the greatest lambda\n\nMade by `benchmarks/learned_coarser.py`, which says how.\n")
    print_counts([rates for rates, _ in found.values()])
    print_gaps([found[name][1] for name in STUDY])
    for name in STUDY:
        print_rows(name, found[name][1])


if __name__ == "__main__":
    main()
