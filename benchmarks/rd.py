"""Rate and distortion of wyner and of classical codecs on Kodak images, in file bytes.

    python benchmarks/rd.py anchors                                  # JPEG, WebP, JPEG XL, AVIF
    python benchmarks/rd.py wyner -e 3 6 --target-bpp 0.08 0.2 0.5 0.9 1.5
    python benchmarks/rd.py wyner -e 6 -q 20 40 60 80 95 -x seed=1

Kodak is read from $WYNER_DATA/kodak. One JSON line per (codec, image, setting) is appended to
benchmarks/results/rd_<anchors|wyner>.jsonl as soon as it is measured; records already there are skipped, so
a run may be stopped and started again. One run at a time writes a file: others take another --output. PSNR is
over RGB, 8 bit, of the decoded file; bpp counts every byte.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rd_codecs import Codec, Setting, anchors, wyner

from wyner.batch import manifest

RESULTS = Path(__file__).resolve().parent / "results"
IMAGES = ("kodim01", "kodim05", "kodim08", "kodim13", "kodim19", "kodim23")


def kodak(name: str) -> np.ndarray:
    """A Kodak image as an (H, W, 3) uint8 array."""
    root = os.environ.get("WYNER_DATA")
    if not root:
        sys.exit("set WYNER_DATA to the folder that holds kodak/")
    return np.asarray(Image.open(Path(root) / "kodak" / f"{name}.png").convert("RGB"))


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """PSNR in dB of two uint8 arrays, over all samples."""
    if a.shape != b.shape:
        raise ValueError(f"decoded shape {b.shape}, source {a.shape}")
    mse = np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2)
    return float("inf") if mse == 0 else float(10 * np.log10(255**2 / mse))


def record_key(record: dict[str, Any]) -> str:
    """What makes two records the same measurement."""
    return json.dumps([record["codec"], record["image"], record["setting"]], sort_keys=True)


def read_records(path: Path) -> list[dict[str, Any]]:
    """All whole records of a JSONL file; a torn last line (an interrupted run) is ignored."""
    return manifest.read(path) if path.exists() else []


def timed(call: Callable[[], Any]) -> tuple[Any, float, float]:
    """Result of a call, its wall seconds, and its CPU seconds over all threads of this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = call()
    return result, time.perf_counter() - wall, time.process_time() - cpu


def measure(codec: Codec, image: str, rgb: np.ndarray, setting: Setting) -> dict[str, Any]:
    """Encode and decode one image once; the record that goes into the file."""
    data, encode_s, encode_cpu = timed(lambda: codec.encode(rgb, setting))
    back, decode_s, decode_cpu = timed(lambda: codec.decode(data))
    height, width = rgb.shape[:2]
    return {
        "codec": codec.name, "image": image, "setting": setting, "width": width, "height": height,
        "bytes": len(data), "bpp": round(8 * len(data) / (width * height), 6),
        "psnr_db": round(psnr(rgb, back), 5),
        "encode_s": round(encode_s, 4), "encode_cpu_s": round(encode_cpu, 4),
        "decode_s": round(decode_s, 4), "decode_cpu_s": round(decode_cpu, 4),
        "version": codec.version, "note": codec.note,
    }  # fmt: skip


def sweep(codecs: list[Codec], images: list[str], path: Path) -> None:
    """Measure what `path` does not hold yet, one line at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(manifest.Manifest(path)) as kept:
        done = {record_key(r) for r in kept.records}
        for codec, image, setting in ((c, i, s) for c in codecs for s in c.settings for i in images):
            if record_key({"codec": codec.name, "image": image, "setting": setting}) in done:
                continue
            record = measure(codec, image, kodak(image), setting)
            kept.append(record)
            print(
                f"{codec.name} {image} {setting}: {record['bpp']:.4f} bpp {record['psnr_db']:.3f} dB, "
                f"encode {record['encode_cpu_s']:.1f} core-s, decode {1000 * record['decode_s']:.0f} ms",
                flush=True,
            )


def extra_settings(pairs: list[str]) -> Setting:
    """`key=value` options as keyword arguments; values are read as JSON where they parse."""
    out: Setting = {}
    for pair in pairs:
        key, _, text = pair.partition("=")
        try:
            out[key] = json.loads(text)
        except json.JSONDecodeError:
            out[key] = text
    return out


def wyner_settings(args: argparse.Namespace) -> list[Setting]:
    """One setting for each effort and rate point asked for."""
    points = [{"quality": q} for q in args.quality]
    points += [{"target_bpp": b} for b in args.target_bpp]
    points += [{"options": {"lam": value}} for value in args.lam]
    extra = extra_settings(args.x)

    def setting(effort: int, point: Setting) -> Setting:
        options = {**point.get("options", {}), **extra}
        return {"effort": effort, **point, **({"options": options} if options else {})}

    return [setting(e, p) for e in args.effort for p in points]


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=["anchors", "wyner"])
    parser.add_argument("--images", nargs="+", default=list(IMAGES))
    parser.add_argument("--only", nargs="+", default=[], help="names of anchor codecs to run")
    parser.add_argument("-e", "--effort", nargs="+", type=int, default=[5])
    parser.add_argument("-q", "--quality", nargs="+", type=float, default=[])
    parser.add_argument("--target-bpp", nargs="+", type=float, default=[])
    parser.add_argument("--lam", nargs="+", type=float, default=[])
    parser.add_argument(
        "-x", action="append", default=[], metavar="KEY=VALUE", help="codec options of wyner.encode"
    )
    parser.add_argument("-j", "--threads", type=int, default=2, help="threads of wyner.encode")
    parser.add_argument("--output", type=Path, help="default: benchmarks/results/rd_<what>.jsonl")
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if args.what == "anchors":
        codecs = [c for c in anchors() if not args.only or c.name in args.only]
    else:
        codecs = [wyner(wyner_settings(args), args.threads)]
    sweep(codecs, args.images, args.output or RESULTS / f"rd_{args.what}.jsonl")


if __name__ == "__main__":
    main()
