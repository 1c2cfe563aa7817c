"""What `wyner decode --refine` gains: PSNR and BD-rate against the same files decoded without it.

    python benchmarks/side_refine.py --cache DIR
    python benchmarks/side_refine.py --cache DIR --effort 2 --sets kitti2012

Files are coded once, into DIR, or `side_rd.py run --keep DIR` put them there.

Sets, from $WYNER_DATA/stereo: the last eight pairs of KITTI 2012 (kitti2012), the test pairs of
kitti2012_128x256, and two of Middlebury. Each file is decoded plain, with the right side picture and with
that of another pair of the set. Prints means per quality and mean BD-rates of pictures, and, for
kitti2012_128x256, how far our mean curve lies above those published, of $WYNER_DATA/../anchors (KITTI
Stereo at that size: their rates are likelihoods and their test set is larger). Writes a line per file to
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
from wyner import io, metrics
from wyner.bench import bd
from wyner.image import pixel_hash

QUALITIES = {
    "kitti2012_128x256": (0, 4, 14, 24, 36, 48),
    "kitti2012": (15, 27, 40, 46, 52),
    "middlebury": (15, 27, 40, 46, 52),
}
MIDDLEBURY = ("2003_teddy", "2014_motorcycle_skimage")
KINDS = ("right", "shuffled")


def published() -> dict[str, list[tuple[float, float]]]:
    """Curves of (bpp, PSNR) on KITTI Stereo at 128x256, by codec."""
    path = Path(os.environ["WYNER_DATA"]).parent / "anchors" / "kitti_stereo_psnr.json"
    return json.loads(path.read_text())["series"]


def pairs(name: str) -> list[Path]:
    stereo = Path(os.environ["WYNER_DATA"]) / "stereo"
    if name == "middlebury":
        return [stereo / name / f"{pair}_left.webp" for pair in MIDDLEBURY]
    folder = stereo / name / "test" if name.endswith("128x256") else stereo / name
    found = sorted(folder.glob("*_left.webp"))
    return found[-8:] if name == "kitti2012" else found


def coded_path(cache: Path, image: wyner.Image, quality: float, effort: int) -> Path:
    """Where the file of a picture is kept."""
    return cache / f"{pixel_hash(image).hex()[:16]}-q{quality:g}-e{effort}.wyn"


def coded(image: wyner.Image, quality: float, effort: int, cache: Path) -> bytes:
    path = coded_path(cache, image, quality, effort)
    if not path.exists():
        path.write_bytes(wyner.encode(image, quality=quality, effort=effort))
    return path.read_bytes()


def ms_ssim(x: wyner.Image, other: wyner.Image) -> float:
    """Its five scales need 161 pixels on each side; not a number in smaller pictures."""
    return metrics.ms_ssim(x.pixels, other.pixels, 255) if min(x.width, x.height) > 160 else float("nan")


def measure(name: str, effort: int, cache: Path) -> list[dict]:
    found, rows = pairs(name), []
    for index, left in enumerate(found):
        x = io.read(left)
        sides = {
            kind: io.read(Path(str(found[(index + step) % len(found)]).replace("_left", "_right")))
            for kind, step in (("right", 0), ("shuffled", 1))
        }
        for quality in QUALITIES[name]:
            data = coded(x, quality, effort, cache)
            start = time.process_time()
            plain = wyner.decode(data)
            row = {"set": name, "image": left.stem, "quality": quality, "effort": effort}
            row["bpp"] = 8 * len(data) / (x.width * x.height)
            row["plain_cpu_s"] = time.process_time() - start
            row["plain"] = metrics.psnr(metrics.mse(x.pixels, plain.pixels), 255)
            row["plain_ms_ssim"] = ms_ssim(x, plain)
            for kind, side in sides.items():
                start = time.process_time(), time.monotonic()
                refined = wyner.decode(data, refine=side)
                row[f"{kind}_cpu_s"] = time.process_time() - start[0]
                row[f"{kind}_s"] = time.monotonic() - start[1]
                row[kind] = metrics.psnr(metrics.mse(x.pixels, refined.pixels), 255)
                row[f"{kind}_ms_ssim"] = ms_ssim(x, refined)
            row = {key: value for key, value in row.items() if value == value}
            rows.append(row)
            print(json.dumps(row), flush=True)
    return rows


def summary(name: str, rows: list[dict]) -> dict:
    """Means by quality, and the mean over pictures of BD-rates against plain decoding."""
    table = []
    for quality in QUALITIES[name]:
        at = [row for row in rows if row["quality"] == quality]
        keys = (
            "bpp",
            "plain",
            "right",
            "plain_ms_ssim",
            "right_ms_ssim",
            "plain_cpu_s",
            "right_s",
            "right_cpu_s",
        )
        mean = {key: float(np.mean([row[key] for row in at])) for key in keys if key in at[0]}
        gains = {f"gain_{kind}": float(np.mean([row[kind] - row["plain"] for row in at])) for kind in KINDS}
        table.append({"quality": quality, **{k: round(v, 4) for k, v in (mean | gains).items()}})
    rates = {kind: [] for kind in KINDS}
    for image in sorted({row["image"] for row in rows}):
        mine = [row for row in rows if row["image"] == image]
        curves = {key: bd.Curve.of((row["bpp"], row[key]) for row in mine) for key in ("plain", *KINDS)}
        for kind in KINDS:
            rates[kind].append(bd.bd_rate(curves["plain"], curves[kind]).percent)
    found = {
        "rates": table,
        "bd_rate_percent": {k: round(float(np.mean(v)), 2) for k, v in rates.items()},
        "bd_rate_percent_of_pictures": [round(v, 1) for v in rates["right"]],
        "mean_gain_shuffled_db": round(float(np.mean([row["shuffled"] - row["plain"] for row in rows])), 4),
    }
    if name == "kitti2012_128x256":
        found["db_above_published"] = above_published(table)
    return found


def above_published(table: list[dict]) -> dict[str, list[tuple[float, float]]]:
    """(bpp, dB) at published points within our range of rates: how far our mean refined curve lies above."""
    ours = np.array([(np.log(row["bpp"]), row["right"]) for row in table])
    return {
        codec: [
            (bpp, round(float(np.interp(np.log(bpp), *ours.T)) - psnr_db, 2))
            for bpp, psnr_db in points
            if ours[0, 0] <= np.log(bpp) <= ours[-1, 0]
        ]
        for codec, points in published().items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sets", nargs="+", default=list(QUALITIES))
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--effort", type=int, default=3)
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    results, lines = RESULTS / "side_refine.json", RESULTS / "side_refine.jsonl"
    for name in arguments.sets:
        rows = measure(name, arguments.effort, arguments.cache)
        kept = [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else []
        kept = [row for row in kept if (row["set"], row["effort"]) != (name, arguments.effort)]
        lines.write_text("".join(json.dumps(row) + "\n" for row in kept + rows))
        means = json.loads(results.read_text()) if results.exists() else {}
        means[f"{name}, effort {arguments.effort}"] = found = summary(name, rows)
        results.write_text(json.dumps(means, indent=1) + "\n")
        print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
