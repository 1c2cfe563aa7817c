"""Lossless codecs side by side, in file bytes, on Kodak, other photographs and drawn pictures.

    python benchmarks/lossless.py [--only wyner jxl_e10 ...]   # measures what is missing, prints the table
    python benchmarks/lossless.py --table

Pictures come from $WYNER_DATA: kodak/; twelve photographs that no network here was trained on (train/cid22
and train/photos, those of lossy origin at half the size); pictures of odd/ that a program drew. One JSON line
for each codec and picture is appended to benchmarks/results/lossless.jsonl; records there are not measured
again. Every file is decoded and compared. Times are wall-clock seconds of this process, threads as each codec
takes them (wyner: two, but for the fit of effort 9). Needs the extras bench and torch, and pyoxipng.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

import wyner
from wyner.batch import manifest

RESULTS = Path(__file__).resolve().parent / "results" / "lossless.jsonl"
DRAWN = (
    "screen_codec_wiki screen_gmessages screen_imac_dark screen_terminal screen_windows95 palette64_screen "
    "palette256_dithered bilevel c_gradient c_checker1"
).split()
# By name, every sixteenth is held out from training, and of photos/ every other one was not used at all.
EXACT_PHOTOS, LOSSY_PHOTOS = 4, 8

Array = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Picture:
    """pixels: (H, W, 3) uint8. png: the file that held them, if it was one."""

    group: str
    name: str
    pixels: Array
    png: bytes | None


@dataclass(frozen=True)
class Codec:
    """encode: pixels to a file; decode: back."""

    name: str
    encode: Callable[[Array], bytes]
    decode: Callable[[bytes], Array]


def _data() -> Path:
    root = os.environ.get("WYNER_DATA")
    if not root:
        sys.exit("set WYNER_DATA to the folder that holds kodak/, train/ and odd/")
    return Path(root)


def _rgb(path: Path, halved: bool = False) -> Array:
    with Image.open(path) as image:
        rgb = image.convert("RGB")
    if halved:
        rgb = rgb.resize((rgb.width // 2, rgb.height // 2), Image.Resampling.LANCZOS)
    return np.asarray(rgb)


def pictures() -> Iterator[Picture]:
    """All pictures, in a fixed order."""
    root = _data()
    for path in sorted((root / "kodak").glob("*.png")):
        yield Picture("kodak", path.stem, _rgb(path), path.read_bytes())
    exact = sorted((root / "train" / "cid22").iterdir())
    lossy = sorted((root / "train" / "photos").iterdir())
    for path in exact[::16][:EXACT_PHOTOS]:
        yield Picture("photos", path.stem, _rgb(path), None)
    unused = lossy[::2]
    for path in unused[:: len(unused) // LOSSY_PHOTOS][:LOSSY_PHOTOS]:
        yield Picture("photos", path.stem, _rgb(path, halved=True), None)
    for name in DRAWN:
        path = root / "odd" / f"{name}.png"
        yield Picture("drawn", name, _rgb(path), path.read_bytes())


def _pillow(kind: str, **options: object) -> Codec:
    def encode(pixels: Array) -> bytes:
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, kind, **options)
        return out.getvalue()

    def decode(data: bytes) -> Array:
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))

    return Codec({"PNG": "png", "WEBP": "webp"}[kind], encode, decode)


def _wyner(name: str, effort: int) -> Codec:
    return Codec(
        name,
        lambda a: wyner.encode(a, codec="lossless", effort=effort, threads=2),
        lambda d: wyner.decode(d, threads=2).pixels,
    )


def codecs() -> list[Codec]:
    """wyner first, then the others."""
    import imagecodecs
    import oxipng

    png = _pillow("PNG", optimize=True)
    found = [
        _wyner("wyner", 5),
        _wyner("wyner_e9", 9),
        png,
        Codec("oxipng", lambda a: oxipng.optimize_from_memory(png.encode(a), level=6), png.decode),
        _pillow("WEBP", lossless=True, quality=100, method=6),
        Codec("jpegls", imagecodecs.jpegls_encode, imagecodecs.jpegls_decode),
        Codec(
            "jpeg2000",
            lambda a: imagecodecs.jpeg2k_encode(a, level=0, reversible=True, mct=True, codecformat="J2K"),
            imagecodecs.jpeg2k_decode,
        ),
    ]
    for effort in (7, 9, 10):
        found.append(
            Codec(
                f"jxl_e{effort}",
                lambda a, effort=effort: imagecodecs.jpegxl_encode(a, lossless=True, effort=effort),
                imagecodecs.jpegxl_decode,
            )
        )
    return found


def measure(codec: Codec, picture: Picture) -> dict[str, object]:
    """One record. Exits if the file does not decode to the pixels."""
    begun = time.perf_counter()
    data = codec.encode(picture.pixels)
    encoded = time.perf_counter()
    decoded = codec.decode(data)
    done = time.perf_counter()
    if not np.array_equal(decoded, picture.pixels):
        sys.exit(f"{codec.name} does not give {picture.name} back")
    return {
        "codec": codec.name,
        "group": picture.group,
        "picture": picture.name,
        "samples": picture.pixels.size,
        "bytes": len(data),
        "encode_s": round(encoded - begun, 3),
        "decode_s": round(done - encoded, 3),
    }


def read() -> list[dict[str, object]]:
    return manifest.read(RESULTS) if RESULTS.exists() else []


def table(records: list[dict[str, object]]) -> str:
    """Means of bits per sub-pixel, and medians of seconds, by group and codec."""
    names = list(dict.fromkeys(str(r["codec"]) for r in records))
    rows = []
    for group in dict.fromkeys(str(r["group"]) for r in records):
        rows.append(f"\n{group}")
        for name in names:
            mine = [r for r in records if r["codec"] == name and r["group"] == group]
            if not mine:
                continue
            rates = [8 * int(str(r["bytes"])) / int(str(r["samples"])) for r in mine]
            total = sum(int(str(r["bytes"])) for r in mine)
            seconds = [
                float(np.median([float(str(r[key])) for r in mine])) for key in ("encode_s", "decode_s")
            ]
            rows.append(
                f"  {name:12} {len(mine):3} files {total:10} bytes  {np.mean(rates):7.4f} bits a sample  "
                f"encode {seconds[0]:7.2f} s  decode {seconds[1]:6.2f} s"
            )
    return "\n".join(rows)


def run(results: manifest.Manifest, only: list[str] | None, groups: list[str] | None) -> None:
    """Measure what is not there yet."""
    done = {(r["codec"], r["picture"]) for r in results.records}
    for picture in pictures():
        for codec in codecs() if not groups or picture.group in groups else ():
            if (only and codec.name not in only) or (codec.name, picture.name) in done:
                continue
            record = measure(codec, picture)
            results.append(record)
            print(record, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="CODEC")
    parser.add_argument("--groups", nargs="+", metavar="GROUP")
    parser.add_argument("--table", action="store_true", help="measure nothing")
    arguments = parser.parse_args()
    if not arguments.table:
        with closing(manifest.Manifest(RESULTS)) as results:
            run(results, arguments.only, arguments.groups)
    print(table(read()))


if __name__ == "__main__":
    main()
