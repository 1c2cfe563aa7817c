"""Results for other programs: CSV of all records, and the JSON of CompressAI's result files."""

from __future__ import annotations

import csv
import io as text_io
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import UsageError
from ..io import write_atomic
from .averages import Point, mean_points
from .codec import slug
from .records import Record

CSV_COLUMNS = (
    "experiment", "codec", "label", "setting", "target_bpp", "lossless", "image", "side", "width", "height",
    "channels", "bit_depth", "bytes", "bpp", "bpsp", "mse", "psnr_db", "identical", "ms_ssim", "ms_ssim_db",
    "lpips", "ssimulacra2", "encode_s", "encode_cpu_s", "decode_s", "decode_cpu_s", "peak_rss_mb",
    "macs_per_pixel", "trials", "version", "code", "measured", "key", "notes",
)  # fmt: skip

_COMPRESSAI = {
    "bpp": "bpp",
    "psnr-rgb": "psnr_db",
    "ms-ssim-rgb": "ms_ssim",
    "encoding_time": "encode_s",
    "decoding_time": "decode_s",
}


def write_csv(records: Sequence[Record], path: Path, *, overwrite: bool = False) -> None:
    """One row for each record, columns as in CSV_COLUMNS, empty for null; settings and notes as JSON.

    Raises FileExistsError unless ``overwrite``.
    """
    sink = text_io.StringIO()
    writer = csv.DictWriter(sink, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for record in records:
        row = {name: record.get(name) for name in CSV_COLUMNS}
        row["setting"] = json.dumps(record["setting"], sort_keys=True)
        row["notes"] = json.dumps(record["notes"]) if record["notes"] else ""
        writer.writerow(row)
    write_atomic(path, sink.getvalue().encode(), overwrite=overwrite)


def write_compressai(records: Sequence[Record], folder: Path, *, overwrite: bool = False) -> list[Path]:
    """One file for each lossy curve, named by its label, and return their paths.

    The form is that of the files under results/image in CompressAI: name, description, and lists of means
    over the images by rate. PSNR is the mean over images, in dB; MS-SSIM is not in dB; times are in seconds.
    A metric that some file lacks is left out, and so are lossless codecs, whose PSNR is infinite, and curves
    that lack images of the run, as such means do not compare with others. Raises UsageError when all curves
    do, and FileExistsError unless ``overwrite``.
    """
    curves: dict[str, list[Point]] = defaultdict(list)
    lossy = [point for point in mean_points(records)[0] if not point.lossless]
    for point in lossy:
        if len(point.records) == point.total:
            curves[point.label].append(point)
    if lossy and not curves:
        raise UsageError(f"no lossy codec was measured on all {lossy[0].total} images of the run")
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for label, points in curves.items():
        path = folder / f"{slug(label)}.json"
        text = json.dumps(_compressai(label, points), indent=2) + "\n"
        write_atomic(path, text.encode(), overwrite=overwrite)
        paths.append(path)
    return paths


def _compressai(label: str, points: Sequence[Point]) -> dict[str, Any]:
    lists = {name: [point.means[field] for point in points] for name, field in _COMPRESSAI.items()}
    first = points[0].records[0]
    count = len(points[0].records)
    return {
        "name": label,
        "description": f"{first['version']}; {count} images, bytes of files; wyner bench {__version__}",
        "results": {name: values for name, values in lists.items() if None not in values},
    }
