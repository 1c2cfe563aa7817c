"""What files of the shipped learned codecs cost and hold: bits against the estimate, PSNR, seconds, memory.

    python benchmarks/learned_cost.py rates
    python benchmarks/learned_cost.py bd --published benchmarks/published_balle.json kodak_lossy_mean.json
    python benchmarks/learned_cost.py times

All write benchmarks/results/learned_cost.json, model by model. Every Kodak picture ($WYNER_DATA/kodak) is
coded at several qualities and decoded again. The estimate is what the loss of training is made of, the
probabilities that the network gives to rounded latents: in real numbers throughout, while a file is made with
rounded scales, locations and activations. Only z has the tables of the model's file, and Gaussians for each
channel are read off all its levels, as their real parameters are not kept.

BD-rates are against published mean curves, of PSNR and of mean MS-SSIM in decibels.

Seconds, of the wall and of cores, are those of ``wyner.encode`` at one quality and of ``wyner.decode`` in a
process that has done both once, the least of three; the large picture is a mosaic of sixteen. Memory is that
of the process after its imports, without a picture, and what the first call of each adds at its peak to what
was there before it, in 10^6 bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

import wyner
from wyner import coder, container, io, metrics
from wyner.bench import published
from wyner.bench.bd import Curve, bd_rate
from wyner.codecs import learned
from wyner.codecs.learned.latents import HyperMoments
from wyner.codecs.learned.model import Model
from wyner.codecs.learned.picture import Padded
from wyner.errors import NoOverlapError
from wyner.nn.entropy import GaussianConditional, bits
from wyner.nn.integer import FRACTION
from wyner.nn.learned import LearnedCodec, ModelConfig
from wyner.nn.rates import LEVELS

OUT = Path(__file__).resolve().parent / "results" / "learned_cost.json"
MODELS = ("hyperprior", "hyperprior-ms-ssim", "hyperprior-lpips", "factorised")
QUALITIES = (0, 5, 20, 35, 50, 65, 80, 95)
TIMED_QUALITY = 50
MIN_OVERLAP = 0.5
_CHILD = """
import json, sys, time
import torch, numpy, wyner, wyner.io, wyner.codecs.learned.transforms
from pathlib import Path
from wyner.bench.measure import PeakMemory
model, quality, mosaic, threads = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
lines = open("/proc/self/status")
kib = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
found = {"imports_megabytes": round(kib * 1024 / 1e6, 1)}
pictures = [wyner.io.read(path).pixels for path in map(Path, sys.argv[5:])]
rows = [numpy.hstack(pictures[k : k + mosaic]) for k in range(0, mosaic**2, mosaic)]
pixels = numpy.vstack(rows)
del pictures, rows
def seconds(work):
    times = []
    for _ in range(3):
        wall, core = time.perf_counter(), time.process_time()
        work()
        times.append((time.perf_counter() - wall, time.process_time() - core))
    return [round(min(part), 3) for part in zip(*times)]
def encode():
    return wyner.encode(pixels, codec="learned", quality=quality, threads=threads, options={"model": model})
def decode():
    return wyner.decode(data, threads=threads)
memory = PeakMemory()
data = encode()
found["encode_megabytes"], memory = memory.growth_mb(), PeakMemory()
decode()
found["decode_megabytes"] = memory.growth_mb()
found |= {"size": f"{pixels.shape[1]}x{pixels.shape[0]}", "threads": threads, "file_bytes": len(data)}
found["encode_wall_s"], found["encode_core_s"] = seconds(encode)
found["decode_wall_s"], found["decode_core_s"] = seconds(decode)
print(json.dumps(found))
"""

Row = dict[str, Any]


# --- the estimate -------------------------------------------------------------------------------


class Estimate:
    """Bits of the latents of a picture by a model in real numbers."""

    def __init__(self, model: Model, pixels: npt.NDArray[np.uint8]) -> None:
        """pixels: (H, W, 3)."""
        self.model = model
        padded = Padded(pixels, model.card.multiple)
        y = model.transforms.analyse(padded.part, padded.height, padded.width)
        self.y = torch.from_numpy(y).double()
        self.z_bits = 0.0
        prior = model._prior
        if isinstance(prior, HyperMoments):
            z = model._z_tables.quantise(model.transforms.hyper_analysis(y))
            symbols = z - model._z_tables.low
            self.z_bits = coder.ideal_bits(symbols, model._z_tables._model(symbols.shape))
            self.log2_scale, self.mean = real_layers(prior, z).chunk(2)
        else:
            self.log2_scale, self.mean = channel_moments(model)

    def bits(self, level: int) -> float:
        """At a level, of z and y."""
        gain = torch.from_numpy(self.model.gain[level]).double()[:, None, None]
        values = torch.round(self.y * gain - self.mean * gain)
        likelihoods = GaussianConditional().likelihoods(values, self.log2_scale.exp2() * gain)
        return self.z_bits + float(bits(likelihoods[None]))


def real_layers(prior: HyperMoments, z: npt.NDArray[np.int32]) -> Tensor:
    """h_s of z (N, h, w) in real numbers: log2 of scales, then means, (2 M, 4 h, 4 w)."""
    x = torch.from_numpy(z).double()[None]
    for index, layer in enumerate(prior.layers):
        scale = layer.shift + (FRACTION if index == 0 else 0)  # fractional bits of its weights
        weight = torch.from_numpy(layer.weight.astype(np.float64)) / 2.0**scale
        bias = torch.from_numpy(layer.bias.astype(np.float64)) / 2.0 ** (layer.shift + FRACTION)
        if layer.double:
            wide = x.new_zeros((1, x.shape[1], 2 * x.shape[2], 2 * x.shape[3]))
            wide[:, :, ::2, ::2] = x
            x = wide
        x = F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)
        x = x.relu() if layer.relu else x
    return x[0]


def channel_moments(model: Model) -> tuple[Tensor, Tensor]:
    """log2 of scales and means of y, (M, 1, 1) each: what is rounded at each level, averaged over levels."""
    gain = model.gain.astype(np.float64)
    index = model.tensors["y.scale"].astype(np.float64)
    log2_scale = np.ma.masked_where((index == 0) | (index == 255), (index - 72) / 16 - np.log2(gain)).mean(0)
    mean = (model.tensors["y.location"] / 256 / gain).mean(0)
    return tuple(torch.from_numpy(np.asarray(v))[:, None, None] for v in (log2_scale.filled(-9), mean))


# --- rates --------------------------------------------------------------------------------------


def rates_of(name: str, pictures: Sequence[Path]) -> list[dict[str, float]]:
    """Means over pictures at each quality."""
    model = learned.STORE.by_name(name)
    sums: dict[float, dict[str, float]] = {quality: {} for quality in QUALITIES}
    for picture in pictures:
        image = io.read(picture).pixels
        estimate = Estimate(model, image)
        for quality, total in sums.items():
            data = wyner.encode(image, codec="learned", quality=quality, threads=1, options={"model": name})
            decoded = wyner.decode(data, threads=1).pixels
            found = {
                "psnr_db": metrics.psnr(metrics.mse(image, decoded), 255),
                "ms_ssim": metrics.ms_ssim(image, decoded, 255),
                "file_bits": 8 * len(data),
                "payload_bits": 8 * len(container.read(data).payload),
                "estimated_bits": estimate.bits(round(quality / 100 * (LEVELS - 1))),
                "pixels": image[..., 0].size,
            }
            for key, value in found.items():
                total[key] = total.get(key, 0.0) + value
        print(name, picture.name, file=sys.stderr, flush=True)
    return [row_of(quality, total, len(pictures)) for quality, total in sums.items()]


def row_of(quality: float, total: dict[str, float], count: int) -> dict[str, float]:
    """Of sums over pictures, which are all of one size."""
    file, payload, estimate = (total[f"{name}_bits"] for name in ("file", "payload", "estimated"))
    return {
        "quality": quality,
        "file_bpp": file / total["pixels"],
        "estimated_bpp": estimate / total["pixels"],
        "payload_over_estimate": payload / estimate,
        "file_over_estimate": file / estimate,
        "payload_bytes_over_estimate": (payload - estimate) / 8 / count,
        "psnr_db": total["psnr_db"] / count,
        "ms_ssim": total["ms_ssim"] / count,
    }


def bd_rates(rates: list[dict[str, float]], curves: list[published.PublishedCurve], metric: str) -> Row:
    """Against each published mean curve that has the metric: per cent, over which qualities."""
    found: Row = {}
    for curve in curves:
        points = [point for point in curve.points if metric in point]
        if curve.image is not None or len(points) < 2:
            continue
        theirs, ours = (
            Curve.of((p[key], quality_of(p, metric)) for p in part)
            for part, key in ((points, "bpp"), (rates, "file_bpp"))
        )
        try:
            bd = bd_rate(theirs, ours, min_overlap=MIN_OVERLAP)
        except NoOverlapError as error:
            found[curve.name] = str(error)
        else:
            found[curve.name] = {
                "percent": round(bd.percent, 1),
                "over": [round(bd.low, 2), round(bd.high, 2)],
            }
    return found


def quality_of(point: Mapping[str, float], metric: str) -> float:
    """Of a point of a curve, in decibels."""
    return metrics.ms_ssim_db(point[metric]) if metric == "ms_ssim" else point[metric]


def parameters(name: str) -> dict[str, int]:
    """Counts of what is trained, by part. The encoder takes all but g_s, the decoder all but g_a and h_a."""
    card = learned.STORE.by_name(name).card
    config = ModelConfig(card.prior, card.widths, card.latents, card.hyper)  # type: ignore[arg-type]
    codec = LearnedCodec(config)
    counts = {"g_a": 0, "g_s": 0, "h_a": 0, "h_s": 0, "densities": 0, "gains": 0}
    for key, value in codec.named_parameters():
        part = next((p for p in ("g_a", "g_s", "h_a", "h_s", "gains") if f"{p}." in key), "densities")
        counts[part] += value.numel()
    total = sum(counts.values())
    analysis, synthesis = counts["g_a"] + counts["h_a"], counts["g_s"]
    return counts | {"encoder": total - synthesis, "decoder": total - analysis, "total": total}


# --- times --------------------------------------------------------------------------------------


def times_of(name: str, pictures: Sequence[Path]) -> list[Row]:
    """Of one picture and of a mosaic, with one thread and two."""
    wide = [picture for picture in pictures if io.read(picture).pixels.shape[:2] == (512, 768)]
    found = []
    for mosaic in (1, 4):
        for threads in (1, 2):
            chosen = [str(picture) for picture in wide[: mosaic**2]]
            command = [name, str(TIMED_QUALITY), str(mosaic), str(threads), *chosen]
            done = subprocess.run(
                [sys.executable, "-c", _CHILD, *command], capture_output=True, text=True, check=True
            )
            found.append(json.loads(done.stdout) | {"load_average": round(os.getloadavg()[0], 1)})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("rates", "bd", "times"))
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--published", nargs="+", type=Path, default=[], help="as wyner bench reads them")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    pictures = sorted((Path(os.environ["WYNER_DATA"]) / "kodak").glob("*.png"))
    found = json.loads(OUT.read_text(encoding="utf-8")) if OUT.exists() else {}
    found |= {"pictures": len(pictures), "torch": torch.__version__}
    for name in arguments.models:
        row = found.setdefault("models", {}).setdefault(name, {})
        if arguments.what == "times":
            row["times"] = times_of(name, pictures)
        elif arguments.what == "bd":
            curves = published.load(arguments.published)
            row["bd_rate"] = {
                metric: bd_rates(row["rates"], curves, metric) for metric in ("psnr_db", "ms_ssim")
            }
        else:
            model = learned.STORE.by_name(name)
            row["parameters"], row["macs_per_pixel"] = parameters(name), model.card.macs_per_pixel()
            row["rates"] = rates_of(name, pictures)
        OUT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
