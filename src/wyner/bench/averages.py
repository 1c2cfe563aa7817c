"""Means over images: one point for each label and setting that every image of the label has."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .records import Record

FIELDS = (
    "bpp", "bpsp", "psnr_db", "ms_ssim", "ms_ssim_db", "lpips", "ssimulacra2", "encode_s", "encode_cpu_s",
    "decode_s", "decode_cpu_s", "peak_rss_mb", "macs_per_pixel",
)  # fmt: skip
"""What is averaged; the mean is None unless every image has the value."""


@dataclass(frozen=True)
class Point:
    """A label at one setting: one record for each image, and the means of FIELDS and psnr_of_mean_mse."""

    label: str
    setting: Mapping[str, Any]
    records: tuple[Record, ...]
    means: Mapping[str, float | None]

    @property
    def lossless(self) -> bool:
        """Whether the codec is."""
        return bool(self.records[0]["lossless"])


def mean_points(records: Iterable[Record]) -> tuple[list[Point], list[str]]:
    """The points of all records that were not made for a target rate, by label and rate.

    The second list names, one line each, the settings that some images lack and that are left out.
    """
    groups: dict[str, dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        if record["target_bpp"] is None:
            groups[record["label"]][json.dumps(record["setting"], sort_keys=True)].append(record)
    points, left_out = [], []
    for label, settings in groups.items():
        images = {record["image"] for group in settings.values() for record in group}
        for text, group in settings.items():
            if len(group) < len(images):
                left_out.append(f"{label} {text}: on {len(group)} of {len(images)} images, left out of means")
            else:
                group.sort(key=lambda record: str(record["image"]))
                points.append(Point(label, group[0]["setting"], tuple(group), means(group)))
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
