"""Alignment of stereo pairs: quality of the warped picture, bytes of the field, time.

    python benchmarks/side_alignment.py                       # everything, about ten minutes of a core
    python benchmarks/side_alignment.py --sets middlebury --rates 0.3

The left picture is predicted from the right one, for each rate that the field is estimated for and each block
size. Sets, from $WYNER_DATA/stereo: the training pairs of KITTI 2012 (all names but the last eight),
Middlebury, and others (two dates, satellite views, traffic). Means over the pairs of a set:

    psnr_db, psnr_unwarped_db   on valid pixels, of the warped picture and of the side picture where it lies
    valid                       share of pixels with a prediction
    field_bytes, field_bpp
    total_bpp                   the field's bits and a stand-in for those of the picture beside the warped one
    without_bpp                 the stand-in for the picture alone
    estimate_s, warp_s          core seconds (process time, one thread)

The stand-in is that of wyner.codecs.side.worth. No codec is run: it ranks fields, its gain is not a codec's.
Writes results/side_alignment.json, where it keeps the rows of sets that it was not asked for.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from rd import RESULTS
from step_cost import machine

from wyner import io
from wyner.codecs.side import align
from wyner.codecs.side.worth import stand_in

OTHERS = ("levir_cd_bitemporal", "satellite_pleiades", "sid_driving", "kitti_raw_seq")
BLOCK_SIZES = (8, 16, 32, None)


def pairs(name: str) -> list[Path]:
    """Paths of left pictures."""
    stereo = Path(os.environ["WYNER_DATA"]) / "stereo"
    folders = OTHERS if name == "others" else (name,)
    found = [path for folder in folders for path in sorted((stereo / folder).glob("*_left.webp"))]
    return found[:-8] if name == "kitti2012" else found


def psnr(a: np.ndarray, b: np.ndarray, valid: np.ndarray) -> float:
    error = np.mean((a[valid == 1].astype(float) - b[valid == 1]) ** 2)
    return float(10 * np.log10(255**2 / error))


def measure(x: np.ndarray, y: np.ndarray, rate: float, block_size: int | None) -> dict[str, float]:
    """One pair."""
    height, width, _ = x.shape
    start = time.process_time()
    field = align.estimate_field(x, y, rate=rate, block_size=block_size)
    estimated = time.process_time()
    warped, valid = align.warp(y, field, width, height)
    done = time.process_time()

    still = align.Field(field.block_size, np.zeros_like(field.vectors), np.ones_like(field.valid))
    unwarped, there = align.warp(y, still, width, height)  # of x's size, which y need not have
    without, beside = stand_in(x, warped, valid, align.noise_at(rate))
    field_bytes = len(align.encode_field(field))
    field_bpp = 8 * field_bytes / valid.size
    return {
        "psnr_db": psnr(x, warped, valid),
        "psnr_unwarped_db": psnr(x, unwarped, valid & there),
        "valid": float(valid.mean()),
        "field_bytes": field_bytes,
        "field_bpp": field_bpp,
        "total_bpp": beside / valid.size + field_bpp,
        "without_bpp": without / valid.size,
        "estimate_s": estimated - start,
        "warp_s": done - estimated,
        "block_size": field.block_size,
    }


def measure_set(name: str, rate: float, block_size: int | None) -> dict[str, Any]:
    """Means over a set."""
    rows = []
    for left in pairs(name):
        x, y = (
            io.read(left.with_name(left.name.replace("_left", side))).pixels for side in ("_left", "_right")
        )
        rows.append(measure(x, y, rate, block_size))
    means: dict[str, Any] = {key: round(float(np.mean([row[key] for row in rows])), 4) for key in rows[0]}
    chosen = [int(row["block_size"]) for row in rows]
    means["block_size"] = block_size or {str(size): chosen.count(size) for size in sorted(set(chosen))}
    return {"set": name, "pairs": len(rows), "rate": rate, **means}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", default=["kitti2012", "middlebury", "others"])
    parser.add_argument("--rates", nargs="+", type=float, default=[0.05, 0.2, 0.8])
    arguments = parser.parse_args()
    target = RESULTS / "side_alignment.json"
    before = json.loads(target.read_text())["results"] if target.exists() else []
    results = [row for row in before if row["set"] not in arguments.sets]
    for name in arguments.sets:
        for rate in arguments.rates:
            for block_size in BLOCK_SIZES:
                results.append(measure_set(name, rate, block_size))
                print(json.dumps(results[-1]), flush=True)
    rows = ",\n".join(json.dumps(row) for row in results)
    target.write_text(f'{{"machine": {json.dumps(machine())}, "results": [\n{rows}\n]}}\n')


if __name__ == "__main__":
    main()
