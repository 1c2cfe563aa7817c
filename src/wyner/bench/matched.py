"""Codecs at matched rates: means of every metric, and paired differences with their intervals."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .averages import FIELDS
from .averages import means as means_of
from .intervals import Interval, paired
from .records import Record

METRICS = ("psnr_db", "ms_ssim", "ms_ssim_db", "lpips", "ssimulacra2")


@dataclass(frozen=True)
class Row:
    """A codec at one rate. The means are over ``images``, whose files are within the tolerance of ``bpp``.

    off: images whose nearest file is further away; they count nowhere. differences: by metric, this codec
    minus the reference over the images of both; empty for the reference itself.
    """

    bpp: float
    label: str
    images: tuple[str, ...]
    off: tuple[str, ...]
    means: dict[str, float | None]
    differences: dict[str, Interval]


def rows(records: Iterable[Record], reference: str, tolerance: float = 0.02) -> list[Row]:
    """All matched records of a run as rows, by rate and in the order of the records.

    Raises UnavailableError without SciPy when an interval is called for.
    """
    groups: dict[tuple[float, str], list[Record]] = {}
    for record in records:
        if record["target_bpp"] is not None:
            groups.setdefault((record["target_bpp"], record["label"]), []).append(record)
    near = {key: [r for r in group if _is_near(r, tolerance)] for key, group in groups.items()}
    table = []
    for (bpp, label), group in groups.items():
        found = near[bpp, label]
        images = tuple(str(record["image"]) for record in found)
        off = tuple(str(record["image"]) for record in group if not _is_near(record, tolerance))
        means = means_of(found) if found else dict.fromkeys(FIELDS)
        compared = {} if label == reference else _differences(near.get((bpp, reference), []), found)
        table.append(Row(bpp, label, images, off, means, compared))
    return sorted(table, key=lambda row: row.bpp)


def _is_near(record: Record, tolerance: float) -> bool:
    return abs(float(record["bpp"]) / float(record["target_bpp"]) - 1) <= tolerance


def _differences(reference: list[Record], test: list[Record]) -> dict[str, Interval]:
    found = {}
    for metric in METRICS:
        values = [
            {str(record["image"]): record[metric] for record in group if record[metric] is not None}
            for group in (reference, test)
        ]
        if values[0].keys() & values[1].keys():
            found[metric] = paired(values[0], values[1]).interval
    return found
