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


def row(label: str, data: bytes, pixels: np.ndarray, decoded: np.ndarray) -> str:
    fields, _ = distances(pixels, decoded, ("psnr", "ms_ssim", "lpips", "ssimulacra2"))
    cells = [f"{fields[metric]:.{digits}f}" for metric, digits in zip(METRICS, DIGITS, strict=True)]
    return f"| {label} | {8 * len(data) / pixels[..., 0].size:.4f} | {' | '.join(cells)} |"


def small(name: str, setting: dict[str, int], pixels: np.ndarray) -> str:
    codec = registry.by_name(name)
    data = codec.encode(pixels, setting, None, 1)
    return row(f"{name} {setting['quality']}", data, pixels, codec.decode(data, None, 1))


def resized(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC))


def half_size(pixels: np.ndarray, size: int) -> str:
    """The row of the first WebP file of half the sides that has so many bytes."""
    webp, (height, width) = registry.by_name("webp"), pixels.shape[:2]
    half = resized(pixels, width // 2, height // 2)
    files = (webp.encode(half, {"quality": float(quality)}, None, 1) for quality in HALF_QUALITIES)
    data = next(data for data in files if len(data) >= size)
    return row("webp at half size", data, pixels, resized(webp.decode(data, None, 1), width, height))


def measured(path: Path, qualities: dict[str, dict[int, float]]) -> tuple[dict[Any, float], list[str]]:
    """Rates of an image by model and factor, and rows of files whose metrics are asked for."""
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
                rows += [row(f"{name}, lambda x {factor}", data, pixels, decoded), half(len(data))]
    print(path.stem, file=sys.stderr, flush=True)
    return rates, rows


def main() -> None:
    torch.set_num_threads(1)
    paths = sorted((Path(os.environ["WYNER_DATA"]) / "kodak").glob("*.png"))
    with tempfile.TemporaryDirectory() as folder:
        os.environ["WYNER_MODELS"] = folder
        qualities = {name: make(name, Path(folder)) for name in MODELS}
        found = {path.stem: measured(path, qualities) for path in paths}
    print("# Gains beyond the greatest lambda\n\nMade by `benchmarks/learned_coarser.py`, which says how.\n")
    print(f"Images of {len(paths)} with a file of at most {', '.join(map(str, RATES))} bpp:\n")
    print("| model |" + "".join(f" lambda x {factor} |" for factor in FACTORS))
    print("|---|" + "---|" * len(FACTORS))
    for name in MODELS:
        cells = []
        for factor in FACTORS:
            rates = [rates[name, factor] for rates, _ in found.values()]
            cells.append(", ".join(str(sum(rate <= most for rate in rates)) for most in RATES))
        print(f"| {name} | {' | '.join(cells)} |")
    for name in STUDY:
        print(
            f"\n## {name}\n\n| file | bpp | PSNR | MS-SSIM | LPIPS | SSIMULACRA2 |\n|---|---|---|---|---|---|"
        )
        print("\n".join(found[name][1]))


if __name__ == "__main__":
    main()
