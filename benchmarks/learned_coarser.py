"""What the shipped learned codecs would reach with gains beyond those that they were trained at.

    python benchmarks/learned_coarser.py > benchmarks/results/learned_coarser.md

The logarithms of gains and of what undoes them are straight in log lambda over the last eighth of their
range; here they go on along these lines, for up to four times the greatest lambda, in a model's file of its
own. A level is a row of that file's tables, so that the format stays as it is, but whoever decodes needs the
file. Nothing is trained. Bytes are of all Kodak images ($WYNER_DATA/kodak), metrics of files of the six of
the study, decoded again, beside the smallest files that WebP (method 6) and JPEG (4:2:0) make of these.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

import wyner
from wyner import io
from wyner.bench import registry
from wyner.bench.measure import distances
from wyner.codecs import learned
from wyner.nn import safetensors
from wyner.nn.integer import FRACTION
from wyner.nn.rates import LEVELS

MODELS = ("hyperprior", "hyperprior-ms-ssim", "hyperprior-lpips", "factorised")
STUDY = ("kodim01", "kodim05", "kodim08", "kodim13", "kodim19", "kodim23")
OCTAVES = (2.0, 1.5, 1.0, 0.5, 0.0)
"""Of lambda beyond the greatest, at levels 0..4 of the files that are made here."""
STRETCH = LEVELS // 8
RATES = (0.1, 0.15)
METRICS = ("psnr_db", "ms_ssim", "lpips", "ssimulacra2")
DIGITS = (2, 4, 3, 1)
SMALLEST = (("webp", {"quality": 0}), ("jpeg_420", {"quality": 1}))


def coarser(name: str) -> bytes:
    """A model's file with the gains of its first levels replaced."""
    model = learned.STORE.by_name(name)
    low, high = model.card.about["lambda_range"]
    span = np.log2(high / low) * STRETCH / (LEVELS - 1)
    tensors = {key: value.copy() for key, value in model.tensors.items()}
    further = np.array(OCTAVES)[:, None]
    first = slice(len(OCTAVES))
    logs = {}
    for key in ("gain", "inverse"):
        log2 = np.log2(tensors[key].astype(np.float64))
        logs[key] = log2[0] + further * (log2[0] - log2[STRETCH]) / span
        tensors[key][first] = 2.0 ** logs[key]
    if "log2_gain" in tensors:
        tensors["log2_gain"][first] = np.rint(logs["gain"] * 2**FRACTION)
        tensors["integer_gain"][first] = np.rint(2.0 ** logs["gain"] * 2**FRACTION)
    else:
        moved = logs["gain"] - np.log2(model.gain[0].astype(np.float64))
        index, location = (model.tensors[f"y.{key}"][0] for key in ("scale", "location"))
        tensors["y.scale"][first] = np.clip(np.rint(index + 16 * moved), 0, 255)
        tensors["y.location"][first] = np.rint(location * 2.0**moved)
    return safetensors.write(tensors, {"card": json.dumps(model.fields)})


def row(label: str, data: bytes, pixels: np.ndarray, decoded: np.ndarray) -> str:
    fields, _ = distances(pixels, decoded, ("psnr", "ms_ssim", "lpips", "ssimulacra2"))
    cells = [f"{fields[metric]:.{digits}f}" for metric, digits in zip(METRICS, DIGITS, strict=True)]
    return f"| {label} | {8 * len(data) / pixels[..., 0].size:.4f} | {' | '.join(cells)} |"


def small(name: str, setting: dict[str, int], pixels: np.ndarray) -> str:
    codec = registry.by_name(name)
    data = codec.encode(pixels, setting, None, 1)
    return row(f"{name} {setting['quality']}", data, pixels, codec.decode(data, None, 1))


def measured(path: Path) -> tuple[dict[tuple[str, int], float], list[str]]:
    """Rates of an image by model and level, and rows of files whose metrics are asked for."""
    pixels = io.read(path).pixels
    in_study = path.stem in STUDY
    rows = [small(codec, setting, pixels) for codec, setting in SMALLEST if in_study]
    rates = {}
    for name in MODELS:
        for level, octaves in enumerate(OCTAVES):
            options: dict[str, Any] = {"options": {"model": f"coarser-{name}"}, "threads": 1}
            data = wyner.encode(pixels, codec="learned", quality=100 * level / (LEVELS - 1), **options)
            rates[name, level] = 8 * len(data) / pixels[..., 0].size
            if in_study and octaves in (0, 1, 2):
                decoded = wyner.decode(data, threads=1).pixels
                rows.append(row(f"{name}, lambda x {2**octaves:g}", data, pixels, decoded))
    return rates, rows


def main() -> None:
    torch.set_num_threads(1)
    paths = sorted((Path(os.environ["WYNER_DATA"]) / "kodak").glob("*.png"))
    with tempfile.TemporaryDirectory() as folder:
        for name in MODELS:
            (Path(folder) / f"coarser-{name}.safetensors").write_bytes(coarser(name))
        os.environ["WYNER_MODELS"] = folder
        found = {path.stem: measured(path) for path in paths}
    print("# Gains beyond the greatest lambda\n\nMade by `benchmarks/learned_coarser.py`, which says how.\n")
    print(f"Images of {len(paths)} with a file of at most {' and '.join(map(str, RATES))} bpp:\n")
    print("| model |" + "".join(f" lambda x {2**octaves:.3g} |" for octaves in reversed(OCTAVES)))
    print("|---|" + "---|" * len(OCTAVES))
    for name in MODELS:
        cells = []
        for level in reversed(range(len(OCTAVES))):
            rates = [rates[name, level] for rates, _ in found.values()]
            cells.append(", ".join(str(sum(rate <= most for rate in rates)) for most in RATES))
        print(f"| {name} | {' | '.join(cells)} |")
    for name in STUDY:
        print(
            f"\n## {name}\n\n| file | bpp | PSNR | MS-SSIM | LPIPS | SSIMULACRA2 |\n|---|---|---|---|---|---|"
        )
        print("\n".join(found[name][1]))


if __name__ == "__main__":
    main()
