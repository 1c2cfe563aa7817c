"""Rate and distortion with a side image on stereo pairs, in file bytes: the rows that belong together.

    python benchmarks/side_rd.py run -e 3 -q 15 27 40 46 52 --rows alone right
    python benchmarks/side_rd.py run -e 3 -q 27 52 --rows wrong coded thesis_unaligned thesis_latents
    python benchmarks/side_rd.py table

Pairs are the eight KITTI 2012 test pairs and two of Middlebury, from $WYNER_DATA/stereo; the left one is
coded. Rows: ``alone`` no side image. ``right`` the decoder holds the right one (as users get it: a side
image that does not help is left out). ``wrong`` the right picture of the next pair. ``coded`` the right
picture after our own codec at the same quality and effort. ``thesis_unaligned`` the right picture
unaligned, in the entropy model alone; ``thesis_latents`` the right picture's own fitted latents there (VUB
2025, on C3). One JSON line per file in benchmarks/results/side_rd.jsonl; what is there already is skipped.
PSNR is over RGB, of the decoded file.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from rd import psnr, read_records
from side_refine import coded_path

import wyner
from wyner import io
from wyner.batch.manifest import Manifest
from wyner.bench.bd import Curve, bd_rate
from wyner.errors import NoOverlapError
from wyner.metrics import ms_ssim

RESULTS = Path(__file__).resolve().parent / "results" / "side_rd.jsonl"
MIDDLEBURY = ("2003_teddy", "2014_motorcycle_skimage")
ROWS = ("alone", "right", "wrong", "coded", "thesis_unaligned", "thesis_latents")
Pair = tuple[np.ndarray, np.ndarray]


def pair_names() -> list[str]:
    """The test pairs, as ``set/name``."""
    kitti = sorted(path.name[: -len("_left.webp")] for path in (stereo() / "kitti2012").glob("*_left.webp"))
    return [f"kitti2012/{name}" for name in kitti[-8:]] + [f"middlebury/{name}" for name in MIDDLEBURY]


def stereo() -> Path:
    """Where the pairs lie."""
    root = os.environ.get("WYNER_DATA")
    if not root:
        sys.exit("set WYNER_DATA to the folder that holds stereo/")
    return Path(root) / "stereo"


@lru_cache(maxsize=4)
def load(name: str) -> Pair:
    """The left and the right picture of a pair, (H, W, 3) uint8."""
    left, right = (io.read(stereo() / f"{name}_{side}.webp").pixels for side in ("left", "right"))
    return left, right


def next_of_set(name: str) -> str:
    """Another pair of the same set, for a wrong side image."""
    same = [other for other in pair_names() if other.split("/")[0] == name.split("/")[0]]
    return same[(same.index(name) + 1) % len(same)]


@lru_cache(maxsize=2)
def coded_right(name: str, quality: float, effort: int, threads: int) -> bytes:
    """The file of the right picture alone."""
    return wyner.encode(load(name)[1], quality=quality, effort=effort, threads=threads)


def side_of(name: str, row: str, quality: float, effort: int, threads: int) -> Any:
    """What the decoder holds in a row: pixels, the bytes of a file, or None."""
    if row == "alone":
        return None
    if row == "wrong":
        return load(next_of_set(name))[1]
    if row in ("coded", "thesis_latents"):
        return coded_right(name, quality, effort, threads)
    return load(name)[1]


OPTIONS: dict[str, dict[str, Any]] = {
    "thesis_unaligned": {"side_mode": "arm", "side_align": 0},
    "thesis_latents": {"side_mode": "latents"},
}


def measure(
    name: str, row: str, quality: float, effort: int, threads: int, keep: Path | None
) -> dict[str, Any]:
    """Encode and decode the left picture of a pair once; its record. keep: folder for files of ``alone``."""
    left, _ = load(name)
    side = side_of(name, row, quality, effort, threads)
    begin, begin_cpu = time.perf_counter(), time.process_time()
    data = wyner.encode(
        left,
        side=side,
        quality=quality,
        effort=effort,
        threads=threads,
        options=OPTIONS.get(row, {}),
    )
    middle, middle_cpu = time.perf_counter(), time.process_time()
    if keep is not None and row == "alone":
        coded_path(keep, io.read(stereo() / f"{name}_left.webp"), quality, effort).write_bytes(data)
    back = wyner.decode(data, side=side, threads=threads).pixels
    end = time.perf_counter()
    height, width = left.shape[:2]
    return {
        "pair": name, "row": row, "quality": quality, "effort": effort, "bytes": len(data),
        "bpp": round(8 * len(data) / (width * height), 6), "psnr_db": round(psnr(left, back), 5),
        "ms_ssim": round(ms_ssim(left, back, 255), 6), "encode_s": round(middle - begin, 2),
        "encode_cpu_s": round(middle_cpu - begin_cpu, 2), "decode_s": round(end - middle, 4),
        "side_used": wyner.info(data).side_hash is not None, "version": f"wyner {wyner.__version__}",
    }  # fmt: skip


def run(args: argparse.Namespace) -> None:
    """Measure what is not there yet."""
    names = args.pairs or pair_names()
    with closing(Manifest(RESULTS)) as kept:
        done = {(r["pair"], r["row"], r["quality"], r["effort"]) for r in kept.records}
        for quality, name, row in ((q, n, r) for q in args.quality for n in names for r in args.rows):
            if (name, row, quality, args.effort) in done:
                continue
            record = measure(name, row, quality, args.effort, args.threads, args.keep)
            kept.append(record)
            print(
                f"{name} {row} q{quality:g}: {record['bpp']:.4f} bpp {record['psnr_db']:.2f} dB", flush=True
            )


def curve(records: list[dict[str, Any]], name: str, row: str) -> dict[float, tuple[float, float]]:
    """Quality -> (bpp, PSNR) of one row of one pair."""
    return {r["quality"]: (r["bpp"], r["psnr_db"]) for r in records if (r["pair"], r["row"]) == (name, row)}


def rate_change(reference: list[tuple[float, float]], test: list[tuple[float, float]]) -> float | None:
    """BD-rate in percent, or None where the curves do not share 0.5 dB."""
    try:
        return bd_rate(Curve.of(reference), Curve.of(test), min_overlap=0.5).percent
    except NoOverlapError:
        return None


def table(args: argparse.Namespace) -> None:
    """BD-rate of every row against ``alone``, and of ours against x265 used the same way."""
    records = [r for r in read_records(RESULTS) if r["effort"] == args.effort]
    for row in ROWS[1:]:
        print_changes(row, records, "alone", records, row)
    others = RESULTS.with_name("side_x265.jsonl")
    if not others.exists():
        return
    x265 = [{**r, "row": r["mode"], "quality": r["qp"]} for r in read_records(others)]
    for ours, mode in (("alone", "alone"), ("right", "conditional")):
        print_changes(f"{ours} to x265", x265, mode, records, ours)


def print_changes(
    title: str,
    references: list[dict[str, Any]],
    reference: str,
    tests: list[dict[str, Any]],
    test: str,
) -> None:
    """BD-rates of a row of ``tests`` against one of ``references``: of each pair, and means of sets."""
    of_set: dict[str, list[float]] = {}
    for name in pair_names():
        before, after = (
            list(curve(*one).values()) for one in ((references, name, reference), (tests, name, test))
        )
        change = rate_change(before, after) if len(before) > 1 and len(after) > 1 else None
        if change is not None:
            of_set.setdefault(name.split("/")[0], []).append(change)
    for group, changes in of_set.items():
        each = " ".join(f"{change:+.1f}" for change in changes)
        print(f"{title:18s} {group:11s} {np.mean(changes):+7.1f} %  of {len(changes)} pairs: {each}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(required=True)
    runs = commands.add_parser("run")
    runs.add_argument("-q", "--quality", nargs="+", type=float, required=True)
    runs.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    runs.add_argument("-j", "--threads", type=int, default=1)
    runs.add_argument("--pairs", nargs="+", help="only these")
    runs.add_argument("--keep", type=Path, help="folder for the files of alone, which side_refine.py takes")
    runs.set_defaults(call=run)
    tables = commands.add_parser("table")
    tables.set_defaults(call=table)
    for sub in (runs, tables):
        sub.add_argument("-e", "--effort", type=int, default=3)
    args = parser.parse_args()
    args.call(args)


if __name__ == "__main__":
    main()
