"""Means over images: one point for each label and setting that every image of the label has.

An image of several pairs counts once for each (records.picture_names).
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from .records import Record, picture_names

FIELDS = (
    "bpp", "bpsp", "psnr_db", "ms_ssim", "ms_ssim_db", "lpips", "ssimulacra2", "encode_s", "encode_cpu_s",
    "decode_s", "decode_cpu_s", "peak_rss_mb", "macs_per_pixel",
)  # fmt: skip
"""What is averaged; the mean is None unless every image has the value."""


@dataclass(frozen=True)
class Point:
    """A label at one setting: one record for each image, and the means of FIELDS and psnr_of_mean_mse.

    total: the number of images of the run, of which the label may lack some.
    """

    label: str
    setting: Mapping[str, Any]
    records: tuple[Record, ...]
    means: Mapping[str, float | None]
    total: int

    @property
    def lossless(self) -> bool:
        """Whether the codec is."""
        return bool(self.records[0]["lossless"])


def mean_points(records: Collection[Record]) -> tuple[list[Point], list[str]]:
    """The points of all records of a run that were not made for a target rate, by label and rate.

    The second list names, one line each, the settings that some images lack and that are left out.
    """
    names = picture_names(records)
    run: set[str] = set()
    groups: dict[str, dict[str, dict[str, Record]]] = defaultdict(lambda: defaultdict(dict))
    for record in records:
        found = names(record)
        run.update(found)
        if record["target_bpp"] is None:
            setting = json.dumps(record["setting"], sort_keys=True)
            groups[record["label"]][setting].update(dict.fromkeys(found, record))
    points, left_out = [], []
    for label, settings in groups.items():
        images = set().union(*settings.values())
        for text, group in settings.items():
            if len(group) < len(images):
                left_out.append(f"{label} {text}: on {len(group)} of {len(images)} images, left out of means")
            else:
                files = [group[name] for name in sorted(group)]
                points.append(Point(label, files[0]["setting"], tuple(files), means(files), len(run)))
    order = {label: index for index, label in enumerate(groups)}
    return sorted(points, key=lambda p: (order[p.label], p.means["bpp"] or 0)), left_out


def means(group: list[Record]) -> dict[str, float | None]:
    """Means of FIELDS over records, and ``psnr_of_mean_mse`` in dB (None when that is 0 or depths differ)."""
    found = {name: _mean([record.get(name) for record in group]) for name in FIELDS}
    depths = {record["bit_depth"] for record in group}
    error = _mean([record["mse"] for record in group])
    peak = (1 << max(depths)) - 1
    found["psnr_of_mean_mse"] = 10 * math.log10(peak**2 / error) if error and len(depths) == 1 else None
    return found


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known and len(known) == len(values) else None
