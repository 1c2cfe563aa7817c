"""The tables of a run as plain data."""

from __future__ import annotations

import dataclasses
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import NoOverlapError, UsageError
from . import matched, records
from .averages import mean_points
from .bd import LOWER_IS_BETTER, METHODS, MIN_OVERLAP, Curve, by_image, of_means
from .records import Record
from .run import read_description

METRICS = ("psnr_db", "ms_ssim_db", "lpips", "ssimulacra2")
Table = dict[str, Any]
_Codec = dict[str, dict[Any, tuple[float, float]]]
"""(bpp, quality) by image and setting."""


def tables(run: Path, reference: str | None = None) -> Table:
    """Means, BD-rates against a reference and matched rates of a run folder, JSON-able.

    reference: a label, or a codec with one label; default the experiment's, else the first lossy codec.
    Raises UsageError for an unknown reference or a folder without records, UnavailableError without SciPy.
    """
    measured, failed = records.read_run(run)
    if not measured:
        raise UsageError(f"{run} holds no measured file; its records tell why")
    facts = read_description(run)
    labels = list(dict.fromkeys(r["label"] for r in measured if not r["lossless"]))
    points, left_out = mean_points(measured)
    base = _reference(reference or facts["reference"], labels)
    tolerance = facts["matched"]["tolerance"]
    return {
        "name": facts["name"],
        "description": facts["description"],
        "images": sorted({record["image"] for record in measured}),
        "reference": base,
        "means": [
            {"label": p.label, "setting": dict(p.setting), "lossless": p.lossless, **p.means} for p in points
        ],
        "left_out": left_out,
        "bd": _bd_rows(measured, facts["published"], base) if base else [],
        "matched": [dataclasses.asdict(row) for row in matched.rows(measured, base or "", tolerance)],
        "failed": [f"{record['label']} on {record['image']}: {record['error']}" for record in failed],
    }


def _reference(wanted: str | None, labels: Sequence[str]) -> str | None:
    if wanted is None:
        return labels[0] if labels else None
    fitting = [label for label in labels if label == wanted or label.split(" ")[0] == wanted]
    if not fitting:
        raise UsageError(f"no codec of this run is called {wanted!r}; there are: {', '.join(labels)}")
    return fitting[0]


def _bd_rows(measured: Sequence[Record], published: Sequence[Table], base: str) -> list[Table]:
    """One row for each codec and metric, measured or published image by image."""
    rows = []
    images = {str(record["image"]) for record in measured}
    for metric in METRICS:
        points = _points(measured, published, metric)
        for label in points:
            if label != base and points.get(base):
                rows.append(
                    {"metric": metric, "test": label, **_bd(points[base], points[label], metric, images)}
                )
    return rows


def _points(measured: Sequence[Record], published: Sequence[Table], metric: str) -> dict[str, _Codec]:
    """(bpp, metric) by label, image and setting, of lossy files that were not made for a target rate."""
    found: dict[str, _Codec] = defaultdict(lambda: defaultdict(dict))
    for record in measured:
        if record["target_bpp"] is None and not record["lossless"] and record[metric] is not None:
            setting = json.dumps(record["setting"], sort_keys=True)
            found[record["label"]][str(record["image"])][setting] = record["bpp"], record[metric]
    for curve in published:
        if curve["image"] is not None:
            for index, point in enumerate(curve["points"]):
                if metric in point:
                    setting = point.get("setting", index)
                    found[curve["name"]][curve["image"]][setting] = point["bpp"], point[metric]
    return found


def _bd(
    reference: _Codec,
    test: _Codec,
    metric: str,
    images: set[str],
) -> Table:
    lower = metric in LOWER_IS_BETTER
    base, other = (
        {image: Curve.of(points.values(), lower_is_better=lower) for image, points in codec.items()}
        for codec in (reference, test)
    )
    row: Table = {}
    for method in METHODS:
        each = by_image(base, other, sorted(images), method=method, min_overlap=MIN_OVERLAP[metric])
        row[method] = None if each.mean is None else dataclasses.asdict(each.mean)
        if method == METHODS[0]:
            row["images"] = {image: dataclasses.asdict(bd) for image, bd in each.images.items()}
            row["without"] = each.without
    row["of_means"] = _of_means(reference, test, metric)
    return row


def _of_means(
    reference: _Codec,
    test: _Codec,
    metric: str,
) -> Table | None:
    """BD-rate of the mean curves; None with too little overlap."""
    lower = metric in LOWER_IS_BETTER
    try:
        mean = of_means(reference, test, min_overlap=MIN_OVERLAP[metric], lower_is_better=lower)
    except NoOverlapError:
        return None
    return dataclasses.asdict(mean)
