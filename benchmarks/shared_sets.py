"""Eight pictures as a set (`--codec shared`) against a file for each: bytes at equal PSNR.

    python benchmarks/shared_sets.py run            # appends to results/shared_sets.jsonl, and may be stopped
    python benchmarks/shared_sets.py table

tiles: of kodim08, 192x256. pan: windows of 256x256 of kodim19, each 3 columns and 2 rows on from the last, as
frames of a moving camera. streets: left pictures of KITTI 2012 at 128x256, of different scenes. scans: tiles
of 128x256 of the microscope slide that scikit-image ships. PSNR is of the mean error over all pixels of
decoded files; bytes are those of whole files, names left out. "at this PSNR" compares the set with the curve
of the single files, log bytes by PCHIP over PSNR, at the set's own PSNR. Kodak and KITTI are read from
`WYNER_DATA`.
"""

from __future__ import annotations

import argparse
import os
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from rd import RESULTS, kodak, read_records
from scipy.interpolate import PchipInterpolator

import wyner
from wyner.batch.manifest import Manifest
from wyner.bench import bd

RECORDS = RESULTS / "shared_sets.jsonl"
QUALITIES = (8.0, 18.0, 28.0, 38.0, 50.0)
EFFORT = 3
Pixels = npt.NDArray[np.uint8]


def sets() -> dict[str, list[Pixels]]:
    """Eight pictures each, by name."""
    from skimage import data

    photo, wide, slide = kodak("kodim08"), kodak("kodim19"), data.immunohistochemistry()
    streets = sorted(Path(os.environ["WYNER_DATA"]).glob("stereo/kitti2012_128x256/test/*_left.webp"))[:8]
    return {
        "tiles": [photo[y : y + 256, x : x + 192] for y in (0, 256) for x in range(0, 768, 192)],
        "pan": [wide[200 + 2 * k : 456 + 2 * k, 100 + 3 * k : 356 + 3 * k] for k in range(8)],
        "streets": [np.asarray(Image.open(path).convert("RGB")) for path in streets],
        "scans": [slide[y : y + 128, x : x + 256] for y in range(0, 512, 128) for x in (0, 256)],
    }


def psnr_db(pictures: list[Pixels], decoded: list[Pixels]) -> float:
    """Of all samples together."""
    errors = [(a.astype(float) - b).ravel() for a, b in zip(pictures, decoded, strict=True)]
    return float(10 * np.log10(255**2 / np.mean(np.concatenate(errors) ** 2)))


def measured(pictures: list[Pixels], how: str, quality: float, effort: int) -> dict[str, Any]:
    """Bytes, PSNR and seconds of a core."""
    start = time.process_time()
    shared = 0
    if how == "set":
        file = wyner.encode_set(pictures, quality=quality, effort=effort, threads=1)
        size, shared = len(file), wyner.set_info(file).shared_bytes
        seconds = time.process_time() - start
        decoded = [image.pixels for image in wyner.decode_set(file)]
    else:
        files = [wyner.encode(picture, quality=quality, effort=effort, threads=1) for picture in pictures]
        size = sum(map(len, files))
        seconds = time.process_time() - start
        decoded = [wyner.decode(file).pixels for file in files]
    pixels = sum(picture.shape[0] * picture.shape[1] for picture in pictures)
    return {
        "bytes": size,
        "shared_bytes": shared,
        "bpp": round(8 * size / pixels, 5),
        "psnr_db": round(psnr_db(pictures, decoded), 4),
        "core_s": round(seconds, 1),
    }


def run(effort: int, qualities: list[float]) -> None:
    """Measure what is not in the records."""
    keys = ("set", "how", "quality", "effort")
    with closing(Manifest(RECORDS)) as kept:
        done = {tuple(r[key] for key in keys) for r in kept.records}
        for name, pictures in sets().items():
            pictures = [np.ascontiguousarray(picture) for picture in pictures]
            for quality, how in ((q, h) for q in qualities for h in ("set", "files")):
                key = (name, how, quality, effort)
                if key in done:
                    continue
                record = dict(zip(keys, key, strict=True)) | measured(pictures, how, quality, effort)
                kept.append(record)
                print(record, flush=True)


def table() -> None:
    """What the sets save."""
    records = read_records(RECORDS)
    for name, effort in sorted({(r["set"], r["effort"]) for r in records}):
        mine = [r for r in records if (r["set"], r["effort"]) == (name, effort)]
        by = {
            how: sorted((r for r in mine if r["how"] == how), key=lambda r: r["bytes"])
            for how in ("set", "files")
        }
        curves = {how: bd.Curve.of([(r["bpp"], r["psnr_db"]) for r in rows]) for how, rows in by.items()}
        rate = bd.bd_rate(curves["files"], curves["set"])
        print(f"{name}, effort {effort}: BD-rate {rate.percent:+.1f} %")
        files = sorted(by["files"], key=lambda r: r["psnr_db"])
        at = PchipInterpolator(
            [r["psnr_db"] for r in files], np.log([r["bytes"] for r in files]), extrapolate=False
        )
        for r in by["set"]:
            more = 100 * (r["bytes"] / np.exp(at(r["psnr_db"])) - 1)
            against = "beyond the files' PSNR" if np.isnan(more) else f"{more:+.1f} % at this PSNR"
            print(
                f"  q {r['quality']:4g}  {r['bpp']:.3f} bpp  {r['psnr_db']:.2f} dB  {r['bytes']} bytes, "
                f"{r['shared_bytes']} shared  {against}  {r['core_s']} core-s"
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("-e", "--effort", type=int, default=EFFORT)
    parser.add_argument("-q", "--qualities", type=float, nargs="+", default=list(QUALITIES))
    arguments = parser.parse_args()
    run(arguments.effort, arguments.qualities) if arguments.what == "run" else table()
