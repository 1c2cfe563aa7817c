"""Codecs at matched rates: means of every metric, and paired differences with their intervals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from .averages import FIELDS
from .averages import means as means_of
from .intervals import Interval, paired
from .records import Record, picture_names

METRICS = ("psnr_db", "ms_ssim", "ms_ssim_db", "lpips", "ssimulacra2")


@dataclass(frozen=True)
class Row:
    """A codec at one rate. The means are over ``images``, whose files are within the tolerance of ``bpp``.

    off: images whose nearest file is further away; they count nowhere. differences: by metric, this codec
    minus the reference over the images of both; empty for the reference itself. An image of several pairs
    counts once for each (records.picture_names).
    """

    bpp: float
    label: str
    images: tuple[str, ...]
    off: tuple[str, ...]
    means: dict[str, float | None]
    differences: dict[str, Interval]


def rows(records: Collection[Record], reference: str, tolerance: float = 0.02) -> list[Row]:
    """All matched records of a run as rows, by rate and in the order of the records.

    Raises UnavailableError without SciPy when an interval is called for.
    """
    names = picture_names(records)
    near: dict[tuple[float, str], dict[str, Record]] = defaultdict(dict)
    off: dict[tuple[float, str], list[str]] = defaultdict(list)
    for record in records:
        if record["target_bpp"] is None:
            continue
        key = record["target_bpp"], record["label"]
        found = names(record)
        is_near = _is_near(record, tolerance)
        near[key].update(dict.fromkeys(found if is_near else (), record))
        off[key] += () if is_near else found
    table = []
    for (bpp, label), files in near.items():
        means = means_of(list(files.values())) if files else dict.fromkeys(FIELDS)
        compared = {} if label == reference else _differences(near.get((bpp, reference), {}), files)
        table.append(Row(bpp, label, tuple(files), tuple(off[bpp, label]), means, compared))
    return sorted(table, key=lambda row: row.bpp)


def _is_near(record: Record, tolerance: float) -> bool:
    return abs(float(record["bpp"]) / float(record["target_bpp"]) - 1) <= tolerance


def _differences(reference: Mapping[str, Record], test: Mapping[str, Record]) -> dict[str, Interval]:
    found = {}
    for metric in METRICS:
        values = [
            {name: record[metric] for name, record in group.items() if record[metric] is not None}
            for group in (reference, test)
        ]
        if values[0].keys() & values[1].keys():
            found[metric] = paired(values[0], values[1]).interval
    return found
