"""``wyner demo``: a real photograph, compressed here, beside JPEG and WebP of the same size."""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image as PilImage
from PIL import ImageDraw

from .. import api, metrics
from ..errors import CorruptError, WynerError
from ..image import Array
from ..io import write_atomic
from .progress import ProgressLine

QUALITY, EFFORT = 40, 2
_LABEL_ROWS = 24


def demo(arguments: argparse.Namespace) -> int:
    """Encode, decode, verify, print a table, write the files."""
    photo = _photograph()
    folder = Path(arguments.output)
    folder.mkdir(parents=True, exist_ok=True)
    height, width = photo.shape[:2]
    quality = QUALITY if arguments.quality is None else arguments.quality
    effort = EFFORT if arguments.effort is None else arguments.effort
    print(f"photograph of {width}x{height}, quality {quality:g}, effort {effort}")
    start = time.monotonic()
    line = ProgressLine("fitting")
    try:
        data = api.encode(
            photo,
            quality=quality,
            effort=effort,
            threads=arguments.threads,
            progress=line,
            store_hash=True,
        )
    finally:
        line.close()
    encoded = time.monotonic()
    decoded = api.decode(data, threads=arguments.threads, check_hash=True).pixels
    done = time.monotonic()
    again = api.decode(data, threads=1).pixels
    if not np.array_equal(decoded, again):
        raise CorruptError("two decodings differ: please report this")
    times = f"encoded in {encoded - start:.1f} s, decoded in {1000 * (done - encoded):.0f} ms"
    print(f"{times}; decoded again on one thread: the same pixels\n")
    results = [("wyner", data, decoded), *_rivals(photo, len(data))]
    _print_table(photo, results)
    _write_files(folder, photo, results)
    return 0


def _photograph() -> Array:
    try:
        from skimage import data
    except ImportError:
        raise WynerError("the demo takes a photograph from scikit-image: pip install 'wyner[demo]'") from None
    return np.ascontiguousarray(data.astronaut())


def _rivals(photo: Array, size: int) -> list[tuple[str, bytes, Array]]:
    """JPEG (the better of 4:2:0 and 4:4:4) and WebP, each the smallest file not smaller than ``size``."""
    picture = PilImage.fromarray(photo)

    def jpeg(subsampling: int) -> Callable[[int], bytes]:
        def save(quality: int) -> bytes:
            out = io.BytesIO()
            picture.save(
                out, "JPEG", quality=quality, subsampling=subsampling, optimize=True, progressive=True
            )
            return out.getvalue()

        return save

    def webp(quality: int) -> bytes:
        out = io.BytesIO()
        picture.save(out, "WEBP", quality=quality, method=6)
        return out.getvalue()

    candidates = [_search(jpeg(subsampling), size) for subsampling in (2, 0)]
    # At the lowest rates even the lowest quality of one subsampling may be far too large.
    best = min(candidates, key=lambda data: (len(data) > 1.1 * size, -_psnr(photo, _open(data))))
    other = _search(webp, size)
    return [("JPEG", best, _open(best)), ("WebP", other, _open(other))]


def _search(save: Callable[[int], bytes], size: int) -> bytes:
    """The file of the lowest quality, 1..95, that has at least ``size`` bytes (they grow with it)."""
    low, high = 1, 95
    while low < high:
        middle = (low + high) // 2
        if len(save(middle)) >= size:
            high = middle
        else:
            low = middle + 1
    return save(low)


def _open(data: bytes) -> Array:
    return np.asarray(PilImage.open(io.BytesIO(data)).convert("RGB"))


def _psnr(photo: Array, decoded: Array) -> float:
    return metrics.psnr(metrics.mse(photo, decoded), 255)


def _print_table(photo: Array, results: list[tuple[str, bytes, Array]]) -> None:
    pixels = photo.shape[0] * photo.shape[1]
    print("codec      bytes      bpp      PSNR")
    for name, data, decoded in results:
        print(f"{name:<8}{len(data):>8}{8 * len(data) / pixels:>9.4f}{_psnr(photo, decoded):>7.2f} dB")


def _write_files(folder: Path, photo: Array, results: list[tuple[str, bytes, Array]]) -> None:
    """The .wyn file and a picture of all results side by side. Files of an earlier demo are replaced."""
    wyn, sheet = folder / "astronaut.wyn", folder / "side-by-side.png"
    write_atomic(wyn, results[0][1], overwrite=True)
    panels = [("original", photo)]
    panels += [
        (f"{name}  {len(data)} bytes  {_psnr(photo, decoded):.2f} dB", decoded)
        for name, data, decoded in results
    ]
    height, width = photo.shape[:2]
    canvas = PilImage.new("RGB", (2 * width, 2 * (height + _LABEL_ROWS)), "white")
    draw = ImageDraw.Draw(canvas)
    for index, (label, pixels) in enumerate(panels):
        x, y = index % 2 * width, index // 2 * (height + _LABEL_ROWS)
        draw.text((x + 6, y + 6), label, fill="black")
        canvas.paste(PilImage.fromarray(pixels), (x, y + _LABEL_ROWS))
    out = io.BytesIO()
    canvas.save(out, "PNG")
    write_atomic(sheet, out.getvalue(), overwrite=True)
    print(f"\nwritten: {wyn} and {sheet}")
