"""What `wyner decode --refine` gains: PSNR and BD-rate against the same files decoded without it.

    python benchmarks/side_refine.py --cache DIR                # files are coded once, into DIR
    python benchmarks/side_refine.py --cache DIR --effort 2 --sets kitti2012

Sets, from $WYNER_DATA/stereo: the last eight pairs of KITTI 2012, and the test pairs of
kitti2012_128x256. Each file is decoded plain, with the right side picture, with that of another pair of the
set, and with the side picture masked everywhere (the same filters, which then act as a filter of the decoded
picture alone). Prints means per quality and mean BD-rates of pictures; writes a line per file to
results/side_refine.jsonl and the means to results/side_refine.json, where it keeps those of other sets.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
from rd import RESULTS

import wyner
from wyner import _native, container, io, metrics
from wyner.bench import bd
from wyner.codecs.side import filters, refinement
from wyner.image import pixel_hash

QUALITIES = (6, 20, 34, 48, 63)
KINDS = ("right", "shuffled", "masked")


def pairs(name: str) -> list[Path]:
    stereo = Path(os.environ["WYNER_DATA"]) / "stereo"
    folder = stereo / name / "test" if name.endswith("128x256") else stereo / name
    found = sorted(folder.glob("*_left.webp"))
    return found[-8:] if name == "kitti2012" else found


def coded(image: wyner.Image, quality: float, effort: int, cache: Path) -> bytes:
    path = cache / f"{pixel_hash(image).hex()[:16]}-q{quality:g}-e{effort}.wyn"
    if not path.exists():
        path.write_bytes(wyner.encode(image, quality=quality, effort=effort))
    return path.read_bytes()


def masked(pixels: np.ndarray, payload_bytes: int) -> np.ndarray:
    """The result where no pixel of the side picture is valid."""
    nothing, invalid = np.zeros_like(pixels), np.zeros(pixels.shape[:2], np.uint8)
    stages = filters.shipped()
    grades = [refinement.grade(pixels, payload_bytes, stage.grades) for stage in stages]
    for stage, g in zip(stages, grades, strict=True):
        pixels = _native.side_fuse(
            pixels, [nothing] * 2, [invalid] * 2, stage.levels, stage.luma[g], stage.chroma[g]
        )
    return pixels


def measure(name: str, effort: int, cache: Path) -> list[dict]:
    found, rows = pairs(name), []
    for index, left in enumerate(found):
        x = io.read(left)
        sides = {
            kind: io.read(Path(str(found[(index + step) % len(found)]).replace("_left", "_right")))
            for kind, step in (("right", 0), ("shuffled", 1))
        }
        for quality in QUALITIES:
            data = coded(x, quality, effort, cache)
            plain, payload = wyner.decode(data), container.read(data).payload
            row = {"set": name, "image": left.stem, "quality": quality, "effort": effort}
            row["bpp"] = 8 * len(data) / (x.width * x.height)
            row["plain"] = metrics.psnr(metrics.mse(x.pixels, plain.pixels), 255)
            for kind, side in sides.items():
                start = time.process_time(), time.monotonic()
                refined = wyner.decode(data, refine=side)
                row[f"{kind}_cpu_s"] = time.process_time() - start[0]
                row[f"{kind}_s"] = time.monotonic() - start[1]
                row[kind] = metrics.psnr(metrics.mse(x.pixels, refined.pixels), 255)
            row["masked"] = metrics.psnr(metrics.mse(x.pixels, masked(plain.pixels, len(payload))), 255)
            rows.append(row)
            print(json.dumps(row), flush=True)
    return rows


def summary(rows: list[dict]) -> dict:
    """Means by quality, and the mean over pictures of BD-rates against plain decoding."""
    table = []
    for quality in QUALITIES:
        at = [row for row in rows if row["quality"] == quality]
        mean = {
            key: float(np.mean([row[key] for row in at]))
            for key in ("bpp", "plain", "right_s", "right_cpu_s")
        }
        gains = {f"gain_{kind}": float(np.mean([row[kind] - row["plain"] for row in at])) for kind in KINDS}
        table.append({"quality": quality, **{k: round(v, 4) for k, v in (mean | gains).items()}})
    rates = {kind: [] for kind in KINDS}
    for image in sorted({row["image"] for row in rows}):
        mine = [row for row in rows if row["image"] == image]
        curves = {key: bd.Curve.of((row["bpp"], row[key]) for row in mine) for key in ("plain", *KINDS)}
        for kind in KINDS:
            rates[kind].append(bd.bd_rate(curves["plain"], curves[kind]).percent)
    return {"rates": table, "bd_rate_percent": {k: round(float(np.mean(v)), 2) for k, v in rates.items()}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sets", nargs="+", default=["kitti2012_128x256", "kitti2012"])
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--effort", type=int, default=1)
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    results, lines = RESULTS / "side_refine.json", RESULTS / "side_refine.jsonl"
    for name in arguments.sets:
        rows = measure(name, arguments.effort, arguments.cache)
        kept = [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else []
        kept = [row for row in kept if (row["set"], row["effort"]) != (name, arguments.effort)]
        lines.write_text("".join(json.dumps(row) + "\n" for row in kept + rows))
        means = json.loads(results.read_text()) if results.exists() else {}
        means[f"{name}, effort {arguments.effort}"] = found = summary(rows)
        results.write_text(json.dumps(means, indent=1) + "\n")
        print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
