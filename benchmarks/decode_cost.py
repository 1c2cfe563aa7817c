"""Time and peak memory of decoding, for a Kodak image and for its enlargements up to 24 megapixels.

    python benchmarks/decode_cost.py                          # default effort for Kodak, effort 1 above
    python benchmarks/decode_cost.py --megapixels 1 4 --keep files/
    python benchmarks/decode_cost.py --files a.wyn b.wyn      # files that exist already

The image is read from $WYNER_DATA/kodak and enlarged with a Lanczos filter. Only the entropy decoder's work
depends on the content, so a large smooth image costs about what any large image costs at that rate. Each file
is decoded in a process of its own; memory is the peak resident set of that process after its first decode,
beside that of a process that imports the same and decodes a 1x1 image. Writes results/decode_cost.json.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rd import RESULTS, kodak
from step_cost import machine

BYTES_PER_PIXEL, BYTES_FIXED = 20, 30e6
"""The stated limit of a decoder's memory."""


# --- worker -------------------------------------------------------------------------------------


def peak_bytes() -> int:
    """Peak resident set of this process; on Linux from /proc, as ru_maxrss also counts the parent at fork."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


def work(path: Path, threads: int, repeats: int) -> None:
    """Decode a file some times and print the measurements as JSON."""
    import wyner

    data = path.read_bytes()
    wall, cpu = [], []
    for _ in range(repeats):
        start, start_cpu = time.perf_counter(), time.process_time()
        image = wyner.decode(data, threads=threads)
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - start_cpu)
        if repeats > 1 and len(wall) == 1:
            first_peak = peak_bytes()
    peak = first_peak if repeats > 1 else peak_bytes()  # a second image beside the first is not the decoder's
    pixels = image.width * image.height
    print(json.dumps({"wall": wall, "cpu": cpu, "peak": peak, "pixels": pixels, "bytes": len(data)}))


# --- parent -------------------------------------------------------------------------------------


def measure(path: Path, threads: int, repeats: int) -> dict[str, Any]:
    """Run the worker on one file."""
    command = [sys.executable, __file__, "--worker", str(path), str(threads), str(repeats)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def enlarged(name: str, megapixels: float) -> np.ndarray:
    """A Kodak image enlarged to a number of megapixels, at its aspect ratio; 0 leaves it as it is."""
    rgb = kodak(name)
    if not megapixels:
        return rgb
    scale = (megapixels * 1e6 / (rgb.shape[0] * rgb.shape[1])) ** 0.5
    size = (round(rgb.shape[1] * scale), round(rgb.shape[0] * scale))
    return np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.LANCZOS))


def encoded(folder: Path, args: argparse.Namespace, megapixels: float) -> Path:
    """The file of one size, made unless it is in the folder."""
    import wyner

    effort = args.large_effort if megapixels else args.effort
    path = folder / f"{args.image}_{megapixels:g}mpx_e{effort}_q{args.quality:g}.wyn"
    if not path.exists():
        print(f"encoding {path.name}", file=sys.stderr)
        path.write_bytes(wyner.encode(enlarged(args.image, megapixels), effort=effort, quality=args.quality))
    return path


def entry(path: Path, threads: int, repeats: int, base: int) -> dict[str, Any]:
    m = measure(path, threads, repeats)
    limit = BYTES_PER_PIXEL * m["pixels"] + BYTES_FIXED
    over_base = m["peak"] - base
    return {
        "file": path.name, "pixels": m["pixels"], "bytes": m["bytes"], "threads": threads,
        "bpp": round(8 * m["bytes"] / m["pixels"], 4),
        "wall_ms": round(1000 * float(np.median(m["wall"])), 3),
        "wall_ms_best": round(1000 * min(m["wall"]), 3), "wall_ms_first": round(1000 * m["wall"][0], 3),
        "core_ms": round(1000 * float(np.median(m["cpu"])), 3),
        "peak_mb": round(m["peak"] / 1e6, 2), "peak_over_import_mb": round(over_base / 1e6, 2),
        "bytes_per_pixel_over_import": round(over_base / m["pixels"], 3),
        "limit_mb": round(limit / 1e6, 2), "within_limit": over_base <= limit,
    }  # fmt: skip


def show(e: dict[str, Any]) -> None:
    print(
        f"{e['file']} {e['pixels'] / 1e6:.2f} Mpx {e['bpp']:.3f} bpp, {e['threads']} threads: "
        f"{e['wall_ms']:.1f} ms, peak {e['peak_mb']:.1f} MB, {e['peak_over_import_mb']:.1f} over import "
        f"({e['limit_mb']:.1f} allowed)"
    )


def run(folder: Path, args: argparse.Namespace) -> None:
    import wyner

    tiny = folder / "tiny.wyn"
    tiny.write_bytes(wyner.encode(np.zeros((1, 1, 3), np.uint8), effort=1))
    base = measure(tiny, 1, 1)["peak"]
    paths = args.files or [encoded(folder, args, m) for m in (0, *args.megapixels)]
    entries = []
    for path in paths:
        for threads in args.threads:
            entries.append(entry(path, threads, args.repeats, base))
            show(entries[-1])
    result = {
        "command": "python benchmarks/decode_cost.py " + " ".join(sys.argv[1:]), "machine": machine(),
        "import_peak_mb": round(base / 1e6, 2), "decodes": entries,
    }  # fmt: skip
    args.output.write_text(json.dumps(result, indent=1) + "\n")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--image", default="kodim08")
    parser.add_argument("--megapixels", type=float, nargs="*", default=[1, 4, 12, 24])
    parser.add_argument("-e", "--effort", type=int, default=5, help="for the image as it is")
    parser.add_argument("--large-effort", type=int, default=1, help="for enlarged images")
    parser.add_argument("-q", "--quality", type=float, default=60)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--files", type=Path, nargs="+", help="decode these instead")
    parser.add_argument("--keep", type=Path, help="folder for the encoded files, reused when they are there")
    parser.add_argument("--output", type=Path, default=RESULTS / "decode_cost.json")
    return parser.parse_args()


def main() -> None:
    if sys.argv[1:2] == ["--worker"]:
        work(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
        return
    args = parse_args()
    args.output.parent.mkdir(parents=True, exist_ok=True)
    if args.keep:
        args.keep.mkdir(parents=True, exist_ok=True)
        run(args.keep, args)
        return
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder), args)


if __name__ == "__main__":
    main()
