"""Every odd file that Pillow opens, through the lossless codec and back.

    python benchmarks/lossless_odd.py   # writes benchmarks/results/lossless_odd.json, prints what stands out

Files are those of $WYNER_DATA/odd. A picture must come back sample for sample, with its alpha, ICC profile,
EXIF and XMP; a file that wyner cannot read must give an error of its own. For PNG files sizes are compared.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np

import wyner
from wyner import io
from wyner.errors import WynerError

RESULTS = Path(__file__).resolve().parent / "results" / "lossless_odd.json"


def same(a: wyner.Image, b: wyner.Image) -> bool:
    """Whether two pictures are equal in all that a file keeps."""
    if a.alpha is None or b.alpha is None:
        equal_alpha = a.alpha is b.alpha
    else:
        equal_alpha = np.array_equal(a.alpha, b.alpha)
    meta = (a.icc, a.exif, a.xmp) == (b.icc, b.exif, b.xmp)
    return np.array_equal(a.pixels, b.pixels) and a.pixels.dtype == b.pixels.dtype and equal_alpha and meta


def through(path: Path) -> dict[str, object]:
    """What becomes of a file."""
    record: dict[str, object] = {"file": path.name, "file_bytes": path.stat().st_size}
    try:
        image = io.read(path)
    except WynerError as error:
        return {**record, "error": type(error).__name__}
    data = wyner.encode(image, codec="lossless", threads=2)
    if not same(image, wyner.decode(data, threads=2)):
        sys.exit(f"{path.name} does not come back as it was")
    chunks = {chunk.type: chunk.bytes for chunk in wyner.info(data).chunks}
    size = [image.width, image.height, image.channels, image.bit_depth, image.alpha is not None]
    return {
        **record,
        "picture": size,
        "wyn_bytes": len(data),
        "pixel_bytes": chunks["D"] + chunks.get("A", 0),
    }


def main() -> None:
    root = os.environ.get("WYNER_DATA") or sys.exit("set WYNER_DATA to the folder that holds odd/")
    records = [through(path) for path in sorted((Path(root) / "odd").iterdir()) if path.suffix != ".csv"]
    RESULTS.write_text(json.dumps(records, indent=0) + "\n")
    read = [r for r in records if "error" not in r]
    larger = [
        r
        for r in read
        if str(r["file"]).endswith(".png") and int(str(r["wyn_bytes"])) > int(str(r["file_bytes"]))
    ]
    print(f"{len(read)} of {len(records)} files are pictures, and came back as they were")
    for record in records:
        if "error" in record:
            print("  not read:", record["file"], record["error"])
    for record in larger:
        print("  larger than the PNG:", record)


if __name__ == "__main__":
    main()
