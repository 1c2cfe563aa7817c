"""x265 with a side image at both ends, as a conditional codec, and alone, on stereo pairs.

    python benchmarks/side_x265.py run            # about half an hour of a core; needs x265 and ffmpeg
    python benchmarks/side_x265.py table          # BD-rates of conditional against alone

Pairs are the eight KITTI 2012 test pairs and two of Middlebury, from $WYNER_DATA/stereo; the left picture x
is coded, the right one y is what both ends hold. ``alone``: x is one intra picture. ``conditional``: the
stream is y near-lossless (QP 4), x as a B picture, and y once more as a P picture, since bi-prediction needs
a second reference. ``p``, measured with --modes p, has y and then x as a P picture. Bytes are those of x's
NAL unit with its start code; y's are free, and parameter sets (``header_bytes``) are counted in no mode
unless ``table --headers``. Constant QP for each picture, 4:4:4, 8 bit, full-range BT.709, placebo, tune psnr.

PSNR is over 8-bit RGB of what ffmpeg decodes from the stream. Every stream is decoded so, and a picture that
differs in one byte from x265's own reconstruction is an error. One JSON line per file in
benchmarks/results/side_x265.jsonl; what is there already is skipped.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from rd import RESULTS, psnr, read_records
from side_rd import load, pair_names

from wyner.batch.manifest import Manifest
from wyner.bench import bd

OUTPUT = RESULTS / "side_x265.jsonl"
SIDE_QP = 4
QPS = {
    "alone": (24, 28, 31, 34, 37, 40, 44, 48),
    "conditional": (25, 27, 30, 33, 36, 39, 43, 47),
    "p": (25, 27, 30, 33, 36, 39, 43, 47),
}
OPTIONS = (
    "--preset placebo --tune psnr --me umh --merange 512 --subme 7 --ref 1 --weightp --weightb --b-adapt 0 "
    "--no-scenecut --keyint -1 --no-wpp --frame-threads 1 --pools none --no-info"
).split()
FIRST_NON_SLICE = 32  # NAL unit types below it are coded slices

KR, KB = 0.2126, 0.0722
TO_YCBCR = np.array(
    [
        [KR, 1 - KR - KB, KB],
        [-KR / (2 - 2 * KB), -(1 - KR - KB) / (2 - 2 * KB), 0.5],
        [0.5, -(1 - KR - KB) / (2 - 2 * KR), -KB / (2 - 2 * KR)],
    ]
)
OFFSET = np.array([0, 128, 128])


def to_planes(rgb: np.ndarray) -> np.ndarray:
    """(3, H, W) uint8 YCbCr of (H, W, 3) uint8 RGB."""
    return np.clip(np.rint(rgb @ TO_YCBCR.T + OFFSET), 0, 255).astype(np.uint8).transpose(2, 0, 1)


def to_rgb(planes: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB of (3, H, W) uint8 YCbCr."""
    rgb = (planes.transpose(1, 2, 0) - OFFSET) @ np.linalg.inv(TO_YCBCR).T
    return np.clip(np.rint(rgb), 0, 255).astype(np.uint8)


def nal_units(stream: bytes) -> list[tuple[int, int]]:
    """Type and size, start code included, of each NAL unit of an Annex B stream."""
    codes = list(re.finditer(b"\0?\0\0\1", stream))
    ends = [*(code.start() for code in codes[1:]), len(stream)]
    return [
        ((stream[code.end()] >> 1) & 63, end - code.start()) for code, end in zip(codes, ends, strict=True)
    ]


def coded(pictures: list[np.ndarray], kinds: str, qps: list[int]) -> tuple[list[int], int, np.ndarray]:
    """Code (3, H, W) uint8 pictures, in order of display, with slice types ``kinds`` ("I", "P", "b").

    Gives the bytes of each slice in order of coding, those of everything else, and the (N, 3, H, W) pictures
    that ffmpeg decodes from the stream. Raises RuntimeError when x265's reconstruction is another.
    """
    _, height, width = pictures[0].shape
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in.yuv").write_bytes(b"".join(picture.tobytes() for picture in pictures))
        lines = [f"{i} {kind} {qp}\n" for i, (kind, qp) in enumerate(zip(kinds, qps, strict=True))]
        (folder / "qps").write_text("".join(lines))
        source = f"--input in.yuv --input-res {width}x{height} --input-csp i444 --input-depth 8 --fps 25"
        limits = f"--output-depth 8 --bframes {kinds.count('b')} --qp 30 --qpfile qps"
        output = "--log-level warning --no-progress --recon recon.yuv --output x.hevc"
        command = ["x265", *source.split(), *OPTIONS, *limits.split(), *output.split()]
        subprocess.run(command, check=True, cwd=folder)
        decode = "ffmpeg -v error -xerror -i x.hevc -vsync passthrough -f rawvideo -pix_fmt yuv444p back.yuv"
        subprocess.run(decode.split(), check=True, cwd=folder, stdin=subprocess.DEVNULL)
        decoded = (folder / "back.yuv").read_bytes()
        if decoded != (folder / "recon.yuv").read_bytes():
            raise RuntimeError("ffmpeg decodes other pictures than x265 has coded")
        units = nal_units((folder / "x.hevc").read_bytes())
    slices = [size for kind, size in units if kind < FIRST_NON_SLICE]
    if len(slices) != len(pictures):
        raise RuntimeError(f"{len(slices)} slices of {len(pictures)} pictures")
    others = sum(size for kind, size in units if kind >= FIRST_NON_SLICE)
    return slices, others, np.frombuffer(decoded, np.uint8).reshape(len(pictures), 3, height, width)


def measure(name: str, mode: str, qp: int, version: str) -> dict[str, Any]:
    """Code the left picture of a pair once; its record."""
    left, right = load(name)
    x, y = to_planes(left), to_planes(right)
    pictures, kinds, qps = {
        "alone": ([x], "I", [qp]),
        "conditional": ([y, x, y], "IbP", [SIDE_QP, qp, SIDE_QP]),
        "p": ([y, x], "IP", [SIDE_QP, qp]),
    }[mode]
    slices, others, decoded = coded(pictures, kinds, qps)
    size = slices[-1]  # x is coded last in every mode
    height, width, _ = left.shape
    return {
        "pair": name, "mode": mode, "qp": qp, "bytes": size, "bpp": round(8 * size / (width * height), 6),
        "psnr_db": round(psnr(left, to_rgb(decoded[0 if mode == "alone" else 1])), 5),
        "header_bytes": others,
        "side_psnr_db": None if mode == "alone" else round(psnr(right, to_rgb(decoded[0])), 3),
        "codec": f"x265 {version} placebo, tune psnr, 4:4:4, 8 bit",
    }  # fmt: skip


def x265_version() -> str:
    """As ``3.5+1-f0c1022b6``."""
    result = subprocess.run(["x265", "--version"], capture_output=True, text=True, check=True)
    return (result.stdout + result.stderr).split("version ")[1].split()[0]


def run(args: argparse.Namespace) -> None:
    """Measure what is not there yet."""
    version = x265_version()
    names = args.pairs or pair_names()
    with closing(Manifest(OUTPUT)) as kept:
        done = {(r["pair"], r["mode"], r["qp"]) for r in kept.records}
        for name, mode, qp in ((n, m, q) for n in names for m in args.modes for q in QPS[m]):
            if (name, mode, qp) in done:
                continue
            record = measure(name, mode, qp, version)
            kept.append(record)
            print(f"{name} {mode} qp {qp}: {record['bpp']:.4f} bpp {record['psnr_db']:.2f} dB", flush=True)


def curves(records: list[dict[str, Any]], mode: str, headers: bool) -> dict[str, bd.Curve]:
    """Curve of each pair, in bytes."""
    points: dict[str, list[tuple[float, float]]] = {}
    for r in records:
        if r["mode"] == mode:
            size = r["bytes"] + (r["header_bytes"] if headers else 0)
            points.setdefault(r["pair"], []).append((size, r["psnr_db"]))
    return {pair: bd.Curve.of(p) for pair, p in points.items()}


def table(args: argparse.Namespace) -> None:
    """BD-rate of each mode against the reference, for each pair and on average of each set."""
    records = read_records(OUTPUT)
    for mode in sorted({r["mode"] for r in records} - {args.reference}):
        test, reference = (curves(records, name, args.headers) for name in (mode, args.reference))
        for group in ("kitti2012", "middlebury"):
            names = [name for name in pair_names() if name.startswith(group) and name in test]
            result = bd.by_image(reference, test, names)
            if result.mean is not None:
                print(f"{mode} against {args.reference}, {group}: {result.mean.mean:+.2f} %")
            for name, r in result.images.items():
                print(f"    {name:34s} {r.percent:+7.2f} %  {r.low:.2f} to {r.high:.2f} dB")
            for name, why in result.without.items():
                print(f"    {name:34s}       -    {why}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(required=True)
    runs = commands.add_parser("run")
    runs.add_argument("--modes", nargs="+", choices=list(QPS), default=["alone", "conditional"])
    runs.add_argument("--pairs", nargs="+", help="as kitti2012/000070_10; default: all")
    runs.set_defaults(call=run)
    tables = commands.add_parser("table")
    tables.add_argument("--reference", choices=list(QPS), default="alone")
    tables.add_argument("--headers", action="store_true", help="count parameter sets, in both modes")
    tables.set_defaults(call=table)
    args = parser.parse_args()
    args.call(args)


if __name__ == "__main__":
    main()
