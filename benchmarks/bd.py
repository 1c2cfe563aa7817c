"""BD-rates of wyner per image and on average, from committed records and published points.

    python benchmarks/bd.py                        # every wyner setting against every reference
    python benchmarks/bd.py --test jpegxl_e9       # any other recorded codec
    python benchmarks/bd.py --points               # each file against the reference at its PSNR, too
    python benchmarks/bd.py --plot rd.png          # a plot as well (needs matplotlib)

BD-rates are those of wyner.bench.bd (needs the extra `bench`): per image, over the PSNR that both curves
cover and at least 1 dB of it, by PCHIP unless --method says otherwise. The average is over images, of the
per-image percentages, with its 95 % interval from resampling the images.

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
from pathlib import Path
from typing import Any

from rd import IMAGES, RESULTS, read_records

from wyner.bench import bd

REFERENCES = (
    "Cool-Chic 3.4", "Cool-Chic 5.0", "HM 16 (4:4:4)", "jpeg_444", "jpeg_420", "mozjpeg_444", "webp_m6",
    "webp_m6_sharp", "avif_444_8b_psnr", "avif_444_10b", "jpegxl_e7", "jpegxl_e9",
)  # fmt: skip
FROM_CLASSICAL = ("mozjpeg_444", "webp_m6_sharp")
RATE_KEYS = ("quality", "distance", "target_bpp", "target_psnr", "target_size", "lam")


Curves = dict[str, dict[str, bd.Curve]]
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
    return {codec: {i: bd.Curve.of(p) for i, p in images.items()} for codec, images in points.items()}


def load_csv(path: Path, only: tuple[str, ...] = ()) -> Curves:
    """Points of a published table."""
    points: dict[str, dict[str, list]] = defaultdict(lambda: defaultdict(list))
    with path.open(newline="") as source:
        for row in csv.DictReader(source):
            if not only or row["codec"] in only:
                points[row["codec"]][row["image"]].append((float(row["bpp"]), float(row["psnr_db"])))
    return {codec: {i: bd.Curve.of(p) for i, p in images.items()} for codec, images in points.items()}


def load_all(anchors: Path) -> Curves:
    curves = load_csv(anchors / "kodak_lossy_per_image.csv")
    curves |= load_csv(anchors / "kodak_classical_per_image.csv", FROM_CLASSICAL)
    return curves | load_records(RESULTS)


def compare(curves: Curves, test: str, reference: str, images: list[str], method: str) -> dict[str, Any]:
    """BD-rates of one codec against another on the images that both have."""
    result = bd.by_image(curves.get(reference, {}), curves.get(test, {}), images, method=method)
    mean = result.mean
    return {
        "test": test,
        "reference": reference,
        "method": method,
        "mean": None if mean is None else round(mean.mean, 3),
        "interval": None if mean is None or mean.low is None else [round(mean.low, 3), round(mean.high, 3)],
        "images": {
            image: {
                "bd_rate": round(r.percent, 3),
                "psnr": [round(r.low, 3), round(r.high, 3)],
                "dropped": r.dominated + r.infinite,
            }
            for image, r in result.images.items()
        },
        "without": result.without,
    }


def show(result: dict[str, Any]) -> None:
    mean = "-" if result["mean"] is None else f"{result['mean']:+.2f} %"
    if result["interval"] is not None:
        mean += " [{:+.2f}, {:+.2f}]".format(*result["interval"])
    print(f"{result['test']} against {result['reference']}: {mean} over {len(result['images'])} images")
    for image, r in result["images"].items():
        dropped = f", {r['dropped']} points dropped" if r["dropped"] else ""
        print(f"    {image} {r['bd_rate']:+7.2f} %  {r['psnr'][0]:.2f} to {r['psnr'][1]:.2f} dB{dropped}")
    for image, why in result["without"].items():
        print(f"    {image}       -    {why}")


def show_points(curves: Curves, test: str, reference: str, images: list[str], method: str) -> None:
    """How many more bits each file takes than the reference at the PSNR of the file."""
    for image in images:
        files, curve = curves.get(test, {}).get(image), curves.get(reference, {}).get(image)
        if files is None or curve is None:
            continue
        for rate, quality in zip(files.rate, files.quality, strict=True):
            other = bd.rate_at(curve, quality, method=method)
            more = "      -  " if other is None else f"{100 * (rate / other - 1):+7.2f} %"
            print(f"    {image} {rate:.4f} bpp {quality:.2f} dB  {more}")


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
                axis.plot(curve.rate, curve.quality, marker="o", markersize=3, linewidth=width, label=name)
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
    parser.add_argument("--method", choices=bd.METHODS, default="pchip")
    parser.add_argument("--points", action="store_true", help="also print each file against the curve")
    parser.add_argument("--json", type=Path, help="also write all results here")
    parser.add_argument("--plot", type=Path, help="also draw the curves into this picture")
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    curves = load_all(args.anchors)
    tests = args.test or sorted(name for name in curves if name.startswith("wyner"))
    pairs = [(t, r) for t in tests for r in args.reference if r in curves and r != t]
    results = [compare(curves, t, r, args.images, args.method) for t, r in pairs]
    for result in results:
        show(result)
        if args.points:
            show_points(curves, result["test"], result["reference"], args.images, args.method)
    if args.json:
        args.json.write_text(json.dumps(results, indent=1) + "\n")
    if args.plot:
        plot(curves, list(dict.fromkeys([*tests, *args.reference])), args.images, args.plot)


if __name__ == "__main__":
    main()
