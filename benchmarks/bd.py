"""BD-rates of wyner per image and on average, from committed records and published points.

    python benchmarks/bd.py                        # every wyner setting against every reference
    python benchmarks/bd.py --test jpegxl_e9       # any other recorded codec
    python benchmarks/bd.py --plot rd.png          # a plot as well (needs matplotlib)

A BD-rate is the mean difference of log rate at equal PSNR over the interval of PSNR that both curves cover,
by monotone cubic (PCHIP) interpolation of log rate over PSNR. Nothing is extrapolated: a pair whose curves
overlap by less than 1 dB has no BD-rate. The average is over images, of the per-image percentages.

Published points come from kodak_lossy_per_image.csv (columns codec, image, setting, bpp, psnr_db) in the
folder --anchors, by default `anchors` beside $WYNER_DATA; kodak_classical_per_image.csv there adds mozjpeg
and WebP with sharp chroma, which have no wheels.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rd import IMAGES, RESULTS, read_records

MIN_OVERLAP_DB = 1.0
REFERENCES = (
    "Cool-Chic 3.4", "Cool-Chic 5.0", "HM 16 (4:4:4)", "jpeg_444", "jpeg_420", "mozjpeg_444", "webp_m6",
    "webp_m6_sharp", "avif_444_8b_psnr", "avif_444_10b", "jpegxl_e7", "jpegxl_e9",
)  # fmt: skip
FROM_CLASSICAL = ("mozjpeg_444", "webp_m6_sharp")
RATE_KEYS = ("quality", "distance", "target_bpp", "target_psnr", "target_size", "lam")


class NoOverlapError(ValueError):
    """Two curves share too short an interval of PSNR."""


@dataclass(frozen=True)
class Curve:
    """Points of one codec on one image, PSNR (dB) and rate (bits per pixel) both strictly increasing."""

    psnr: np.ndarray
    bpp: np.ndarray
    dropped: int

    @staticmethod
    def of(points: Iterable[tuple[float, float]]) -> Curve:
        """From (bpp, psnr) points; a point with another of no more bits and no less PSNR is dropped."""
        ordered = sorted(set(points), key=lambda p: (p[0], -p[1]))
        kept: list[tuple[float, float]] = []
        for bpp, psnr in ordered:
            if not kept or psnr > kept[-1][1]:
                kept.append((bpp, psnr))
        array = np.array(kept, dtype=np.float64).reshape(-1, 2)
        return Curve(array[:, 1], array[:, 0], len(ordered) - len(kept))


# --- PCHIP --------------------------------------------------------------------------------------


def _end_slope(h0: float, h1: float, d0: float, d1: float) -> float:
    """Three-point end slope, limited so as to keep the shape."""
    slope = ((2 * h0 + h1) * d0 - h0 * d1) / (h0 + h1)
    if slope * d0 <= 0:
        return 0.0
    return 3 * d0 if d0 * d1 <= 0 and abs(slope) > 3 * abs(d0) else slope


def pchip_slopes(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Slopes at the knots: weighted harmonic means of the secants (Fritsch and Butland 1984)."""
    h, d = np.diff(x), np.diff(y) / np.diff(x)
    if len(x) == 2:
        return np.array([d[0], d[0]])
    slopes = np.zeros(len(x))
    for k in range(1, len(x) - 1):
        if d[k - 1] * d[k] > 0:
            w1, w2 = 2 * h[k] + h[k - 1], h[k] + 2 * h[k - 1]
            slopes[k] = (w1 + w2) / (w1 / d[k - 1] + w2 / d[k])
    slopes[0] = _end_slope(h[0], h[1], d[0], d[1])
    slopes[-1] = _end_slope(h[-1], h[-2], d[-1], d[-2])
    return slopes


def _pieces(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Coefficients (pieces, 4) of each cubic in t = x - x_k, constant term first."""
    h, d, m = np.diff(x), np.diff(y) / np.diff(x), pchip_slopes(x, y)
    c2 = (3 * d - 2 * m[:-1] - m[1:]) / h
    c3 = (m[:-1] + m[1:] - 2 * d) / h**2
    return np.stack([y[:-1], m[:-1], c2, c3], axis=1)


def pchip(x: np.ndarray, y: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Interpolate at points within [x[0], x[-1]]; ValueError outside."""
    if np.any(at < x[0]) or np.any(at > x[-1]):
        raise ValueError("no extrapolation")
    k = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(x) - 2)
    c, t = _pieces(x, y)[k], at - x[k]
    return c[:, 0] + t * (c[:, 1] + t * (c[:, 2] + t * c[:, 3]))


def pchip_integral(x: np.ndarray, y: np.ndarray, lo: float, hi: float) -> float:
    """Exact integral of the interpolant over [lo, hi], within [x[0], x[-1]]."""
    if lo < x[0] or hi > x[-1]:
        raise ValueError("no extrapolation")
    a, b = np.clip(lo, x[:-1], x[1:]) - x[:-1], np.clip(hi, x[:-1], x[1:]) - x[:-1]
    powers = np.arange(1, 5)
    return float(np.sum(_pieces(x, y) * (b[:, None] ** powers - a[:, None] ** powers) / powers))


def bd_rate(reference: Curve, test: Curve) -> tuple[float, float, float]:
    """(BD-rate in percent, low and high end of the PSNR interval); negative: `test` needs fewer bits."""
    if min(len(reference.psnr), len(test.psnr)) < 2:
        raise NoOverlapError("fewer than two points")
    lo = max(reference.psnr[0], test.psnr[0])
    hi = min(reference.psnr[-1], test.psnr[-1])
    if hi - lo < MIN_OVERLAP_DB:
        raise NoOverlapError(f"overlap of {max(0.0, hi - lo):.2f} dB")
    area = pchip_integral(test.psnr, np.log(test.bpp), lo, hi)
    area -= pchip_integral(reference.psnr, np.log(reference.bpp), lo, hi)
    return 100 * float(np.expm1(area / (hi - lo))), float(lo), float(hi)


# --- records ------------------------------------------------------------------------------------

Curves = dict[str, dict[str, Curve]]
"""Curve by codec label and image."""


def label(record: dict[str, Any]) -> str:
    """Codec name, with the settings that are not the rate (so each wyner effort is a codec of its own)."""
    setting = {**record["setting"], **record["setting"].get("options", {})}
    fixed = {k: v for k, v in sorted(setting.items()) if k not in (*RATE_KEYS, "options")}
    names = {"effort": "e"}
    return " ".join([record["codec"], *(f"{names.get(k, k + '=')}{v}" for k, v in fixed.items())])


def load_records(folder: Path) -> Curves:
    """All rd_*.jsonl of a folder."""
    points: dict[str, dict[str, list]] = defaultdict(lambda: defaultdict(list))
    for path in sorted(folder.glob("rd_*.jsonl")):
        for r in read_records(path):
            points[label(r)][r["image"]].append((r["bpp"], r["psnr_db"]))
    return {codec: {i: Curve.of(p) for i, p in images.items()} for codec, images in points.items()}


def load_csv(path: Path, only: tuple[str, ...] = ()) -> Curves:
    """Points of a published table."""
    points: dict[str, dict[str, list]] = defaultdict(lambda: defaultdict(list))
    with path.open(newline="") as source:
        for row in csv.DictReader(source):
            if not only or row["codec"] in only:
                points[row["codec"]][row["image"]].append((float(row["bpp"]), float(row["psnr_db"])))
    return {codec: {i: Curve.of(p) for i, p in images.items()} for codec, images in points.items()}


def load_all(anchors: Path) -> Curves:
    curves = load_csv(anchors / "kodak_lossy_per_image.csv")
    curves |= load_csv(anchors / "kodak_classical_per_image.csv", FROM_CLASSICAL)
    return curves | load_records(RESULTS)


def compare(curves: Curves, test: str, reference: str, images: list[str]) -> dict[str, Any]:
    """BD-rates of one codec against another on the images that both have."""
    rates, notes = {}, {}
    for image in images:
        a, b = curves.get(reference, {}).get(image), curves.get(test, {}).get(image)
        if a is None or b is None:
            notes[image] = "missing"
            continue
        try:
            rate, lo, hi = bd_rate(a, b)
        except NoOverlapError as error:
            notes[image] = str(error)
            continue
        rates[image] = {"bd_rate": round(rate, 3), "psnr": [round(lo, 3), round(hi, 3)], "dropped": b.dropped}
    mean = round(float(np.mean([r["bd_rate"] for r in rates.values()])), 3) if rates else None
    return {"test": test, "reference": reference, "mean": mean, "images": rates, "without": notes}


def show(result: dict[str, Any]) -> None:
    mean = "-" if result["mean"] is None else f"{result['mean']:+.2f} %"
    print(f"{result['test']} against {result['reference']}: {mean} over {len(result['images'])} images")
    for image, r in result["images"].items():
        dropped = f", {r['dropped']} dominated points dropped" if r["dropped"] else ""
        print(f"    {image} {r['bd_rate']:+7.2f} %  {r['psnr'][0]:.2f} to {r['psnr'][1]:.2f} dB{dropped}")
    for image, why in result["without"].items():
        print(f"    {image}       -    {why}")


def plot(curves: Curves, names: list[str], images: list[str], path: Path) -> None:
    """One panel per image: PSNR over rate, rate logarithmic."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    columns = min(3, len(images))
    rows = -(-len(images) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(6 * columns, 4.5 * rows), squeeze=False)
    for axis, image in zip(axes.flat, images, strict=False):
        for name in names:
            curve = curves.get(name, {}).get(image)
            if curve is not None:
                width = 2.4 if name.startswith("wyner") else 1.2
                axis.plot(curve.bpp, curve.psnr, marker="o", markersize=3, linewidth=width, label=name)
        axis.set(title=image, xscale="log", xlim=(0.04, 2.6), xlabel="bits per pixel", ylabel="PSNR (dB)")
        axis.grid(alpha=0.3)
    axes.flat[0].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def default_anchors() -> Path:
    return Path(os.environ.get("WYNER_DATA", ".")).parent / "anchors"


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--test", nargs="+", help="codec labels; default: every wyner setting on record")
    parser.add_argument("--reference", nargs="+", default=list(REFERENCES))
    parser.add_argument("--images", nargs="+", default=list(IMAGES))
    parser.add_argument("--anchors", type=Path, default=default_anchors())
    parser.add_argument("--json", type=Path, help="also write all results here")
    parser.add_argument("--plot", type=Path, help="also draw the curves into this picture")
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    curves = load_all(args.anchors)
    tests = args.test or sorted(name for name in curves if name.startswith("wyner"))
    pairs = [(t, r) for t in tests for r in args.reference if r in curves and r != t]
    results = [compare(curves, t, r, args.images) for t, r in pairs]
    for result in results:
        show(result)
    if args.json:
        args.json.write_text(json.dumps(results, indent=1) + "\n")
    if args.plot:
        plot(curves, list(dict.fromkeys([*tests, *args.reference])), args.images, args.plot)


if __name__ == "__main__":
    main()
