"""Time and peak memory of decoding, for a Kodak image and for mosaics of it up to 24 megapixels.

    python benchmarks/decode_cost.py                          # kodim08 at the default effort
    python benchmarks/decode_cost.py --megapixels 1 4 --keep files/
    python benchmarks/decode_cost.py --files a.wyn b.wyn      # files that exist already

The image is read from $WYNER_DATA/kodak and fitted once. A mosaic repeats the latents of that fit and keeps
its network, so that every size has the same model and nearly the same bits per pixel without hours of
fitting; a decoder cannot tell it from a fit. Each file is decoded in a process of its own; memory is the peak
resident set of that process after its first decode, over that of a process that decodes a 1x1 image. Times
are of the call wyner.decode; core_ms is the processor time of all threads, which other work on the machine
disturbs least.
Writes results/decode_cost.json.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
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


def mosaic(data: bytes, megapixels: float) -> bytes:
    """A file of a number of megapixels, at the aspect ratio of the given file, that repeats its latents."""
    from wyner import _native, container

    parts = container.read(data)
    header = parts.header
    fit = _native.overfit_inspect(parts.payload, header.width, header.height)
    step = 1 << (fit["grids"] - 1)
    if header.width % step or header.height % step:
        sys.exit(f"a mosaic needs sides that are multiples of {step}")
    scale = (megapixels * 1e6 / (header.width * header.height)) ** 0.5
    width, height = round(header.width * scale), round(header.height * scale)
    latents = []
    for i, grid in enumerate(fit["latents"]):
        rows, columns = -(-height // 2**i), -(-width // 2**i)
        copies = (-(-rows // grid.shape[0]), -(-columns // grid.shape[1]))
        latents.append(np.ascontiguousarray(np.tile(grid, copies)[:rows, :columns]))
    payload = _native.overfit_encode(
        width, height, *(fit[name] for name in ("model", "fa", "fu", "k", "s", "params")), latents
    )
    return container.write(
        replace(parts, header=replace(header, width=width, height=height), payload=payload)
    )


def encoded(folder: Path, args: argparse.Namespace) -> list[Path]:
    """The image's file and its mosaics, each made unless it is in the folder."""
    import wyner

    stem = f"{args.image}_e{args.effort}_q{args.quality:g}"
    paths = [folder / f"{stem}.wyn", *(folder / f"{stem}_{m:g}mpx.wyn" for m in args.megapixels)]
    if not paths[0].exists():
        print(f"fitting {paths[0].name}", file=sys.stderr)
        paths[0].write_bytes(wyner.encode(kodak(args.image), effort=args.effort, quality=args.quality))
    for path, megapixels in zip(paths[1:], args.megapixels, strict=True):
        if not path.exists():
            path.write_bytes(mosaic(paths[0].read_bytes(), megapixels))
    return paths


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
        "core_ms_best": round(1000 * min(m["cpu"]), 3),
        "peak_mb": round(m["peak"] / 1e6, 2), "peak_over_import_mb": round(over_base / 1e6, 2),
        "bytes_per_pixel_over_import": round(over_base / m["pixels"], 3),
        "limit_mb": round(limit / 1e6, 2), "within_limit": over_base <= limit,
    }  # fmt: skip


def show(e: dict[str, Any]) -> None:
    print(
        f"{e['file']} {e['pixels'] / 1e6:.2f} Mpx {e['bpp']:.3f} bpp, {e['threads']} threads: "
        f"{e['wall_ms']:.1f} ms, {e['core_ms']:.1f} ms of a core, peak {e['peak_mb']:.1f} MB, "
        f"{e['peak_over_import_mb']:.1f} over import ({e['limit_mb']:.1f} allowed)"
    )


def run(folder: Path, args: argparse.Namespace) -> None:
    import wyner

    tiny = folder / "tiny.wyn"
    tiny.write_bytes(wyner.encode(np.zeros((1, 1, 3), np.uint8), effort=1))
    base = measure(tiny, 1, 1)["peak"]
    paths = args.files or encoded(folder, args)
    load = round(os.getloadavg()[0], 2)  # of other work: beside it, wall times tell little
    entries = []
    for path in paths:
        for threads in args.threads:
            entries.append(entry(path, threads, args.repeats, base))
            show(entries[-1])
    result = {
        "command": "python benchmarks/decode_cost.py " + " ".join(sys.argv[1:]), "machine": machine(),
        "load_average": load, "import_peak_mb": round(base / 1e6, 2), "decodes": entries,
    }  # fmt: skip
    args.output.write_text(json.dumps(result, indent=1) + "\n")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--image", default="kodim08")
    parser.add_argument("--megapixels", type=float, nargs="*", default=[1, 4, 12, 24])
    parser.add_argument("-e", "--effort", type=int, default=5)
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
