"""What files of learned codecs cost and hold: bits against the estimate of training, PSNR, seconds, memory.

    python benchmarks/learned_cost.py RUN... --pictures FOLDER -o results.json [--published CURVES.json]

A run is the folder of a training. Its model is exported, and every picture coded at several rates. The
estimate is that of the network in training, in floating point, for rounded latents; it is compared with the
payload and with the whole ``.wyn`` file. PSNR is averaged over pictures; BD-rates are against published mean
curves of it. Seconds are those of ``wyner.encode`` at a given quality and of ``wyner.decode``, the least of
two; memory is the peak of a process that does both, and of one that only imports.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

import wyner
from wyner import container, io, metrics
from wyner.bench.bd import Curve, bd_rate
from wyner.codecs.learned import store
from wyner.nn.learned import LearnedCodec
from wyner.nn.rates import LEVELS, level_lambdas
from wyner.train.learned import export, restore

QUALITIES = (5, 35, 65, 95)
CURVES = ("BMS", "MBT")
"""Ballé et al. 2018, and Minnen et al. 2018 with its autoregression."""
_MEMORY = """
import sys, torch, wyner, wyner.codecs.learned.transforms
if sys.argv[1:]:
    source, model, threads = sys.argv[1:]
    data = wyner.encode(source, codec="learned", quality=50, threads=int(threads), options={"model": model})
    wyner.decode(data, threads=int(threads))
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


def estimated_bits(model: LearnedCodec, pixels: np.ndarray, quality: float) -> float:
    """Of the latents of a picture (H, W, 3) uint8, by the network in training."""
    height, width = pixels.shape[:2]
    rows, columns = -height % model.multiple, -width % model.multiple
    padded = np.pad(pixels, ((0, rows), (0, columns), (0, 0)), mode="edge")
    x = torch.from_numpy(padded.transpose(2, 0, 1)[None] / np.float32(255))
    lam = level_lambdas(model.config.lambda_range)[round(quality / 100 * (LEVELS - 1))]
    with torch.inference_mode():
        return float(model(x, torch.tensor([lam]).float(), "round").bits[0])


def least_seconds(work: object, times: int = 2) -> float:
    """The least time of some calls."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        work()  # type: ignore[operator]
        found.append(time.perf_counter() - start)
    return min(found)


def peak_megabytes(*arguments: str) -> float:
    done = subprocess.run(
        [sys.executable, "-c", _MEMORY, *arguments], capture_output=True, text=True, check=True
    )
    return int(done.stdout) / 1024


def rate_of(
    model: LearnedCodec, pictures: list[Path], quality: float, coding: dict[str, object]
) -> dict[str, float]:
    """Means over pictures at one quality."""
    estimate, real, payload, pixels, psnrs = 0.0, 0, 0, 0, []
    for picture in pictures:
        image = io.read(picture).pixels
        data = wyner.encode(image, codec="learned", quality=quality, **coding)
        decoded = wyner.decode(data, threads=coding["threads"]).pixels
        psnrs.append(metrics.psnr(metrics.mse(image, decoded), 255))
        estimate += estimated_bits(model, image, quality)
        real += 8 * len(data)
        payload += 8 * len(container.read(data).payload)
        pixels += image[..., 0].size
    return {
        "quality": quality,
        "file_bpp": real / pixels,
        "estimated_bpp": estimate / pixels,
        "payload_over_estimate": payload / estimate,
        "file_over_estimate": real / estimate,
        "psnr_db": float(np.mean(psnrs)),
    }


def bd_rates(rates: list[dict[str, float]], published: Path | None) -> dict[str, float]:
    """Against the published mean curves of these names, in per cent."""
    if published is None:
        return {}
    curves = json.loads(published.read_text(encoding="utf-8"))["codecs"]
    ours = Curve.of((rate["file_bpp"], rate["psnr_db"]) for rate in rates)
    theirs = {
        name: Curve.of(zip(*(curves[name][k] for k in ("bpp", "psnr_db")), strict=True)) for name in CURVES
    }
    return {name: bd_rate(curve, ours).percent for name, curve in theirs.items()}


def measure(
    run: Path, pictures: list[Path], arguments: argparse.Namespace, folder: Path
) -> dict[str, object]:
    """The row of one run."""
    path = folder / f"{run.name}.safetensors"
    path.write_bytes(export(run))
    os.environ["WYNER_MODELS"] = str(folder)
    model, threads = restore(run), arguments.threads
    coding = {"threads": threads, "options": {"model": str(path)}}
    rates = [rate_of(model, pictures, quality, coding) for quality in QUALITIES]
    image = io.read(pictures[0]).pixels
    data = wyner.encode(image, codec="learned", quality=50, **coding)
    return {
        "run": run.name,
        "parameters": sum(p.numel() for p in model.parameters()),
        "model_bytes": path.stat().st_size,
        "macs_per_pixel": store.by_name(str(path)).card.macs_per_pixel(),
        "rates": rates,
        "bd_rate_percent": bd_rates(rates, arguments.published),
        "timed_picture": f"{pictures[0].name} {image.shape[1]}x{image.shape[0]}",
        "encode_seconds": least_seconds(lambda: wyner.encode(image, codec="learned", quality=50, **coding)),
        "decode_seconds": least_seconds(lambda: wyner.decode(data, threads=threads)),
        "peak_megabytes": peak_megabytes(str(pictures[0]), str(path), str(threads)),
        "peak_megabytes_of_imports": peak_megabytes(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("-o", dest="output", type=Path, required=True)
    parser.add_argument("--published", type=Path, help="mean curves, as wyner bench reads them")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    pictures = sorted(arguments.pictures.glob("*.png"))
    with tempfile.TemporaryDirectory() as folder:
        rows = [measure(run, pictures, arguments, Path(folder)) for run in arguments.runs]
    found = {
        "pictures": len(pictures),
        "threads": arguments.threads,
        "torch": torch.__version__,
        "load_average": os.getloadavg()[0],
        "runs": rows,
    }
    arguments.output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
