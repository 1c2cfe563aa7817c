"""The tables of a run as plain data."""

from __future__ import annotations

import dataclasses
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..errors import NoOverlapError, UsageError
from . import matched, records
from .averages import Point, mean_points
from .bd import LOWER_IS_BETTER, METHODS, MIN_OVERLAP, Curve, by_image, of_means
from .records import Record
from .run import read_description

METRICS = ("psnr_db", "ms_ssim_db", "lpips", "ssimulacra2")
Table = dict[str, Any]
_Codec = dict[str, dict[Any, tuple[float, float]]]
"""(bpp, quality) by image and setting."""
_Names = Callable[[Record], list[str]]


def tables(run: Path, reference: str | None = None) -> Table:
    """Means, BD-rates against a reference and matched rates of a run folder, JSON-able.

    reference: a label, or a codec with one label; default the experiment's if it was measured, else the first
    lossy codec. Raises UsageError for an unknown reference or a folder without records, CorruptError for a
    damaged record or description, UnavailableError without SciPy, and OSError.
    """
    measured, failed = records.read_run(run)
    if not measured:
        raise UsageError(f"{run} holds no measured file; its records tell why")
    facts = read_description(run)
    labels = list(dict.fromkeys(r["label"] for r in measured if not r["lossless"]))
    points, left_out = mean_points(measured)
    names = records.picture_names(measured)
    base, notes = _reference(reference, facts["reference"], labels)
    tolerance = facts["matched"]["tolerance"]
    return {
        "name": facts["name"],
        "description": facts["description"],
        "images": sorted({name for record in measured for name in names(record)}),
        "reference": base,
        "notes": notes,
        "means": [_mean_row(point) for point in points],
        "left_out": left_out,
        "bd": _bd_rows(measured, facts["published"], base, names) if base else [],
        "matched": [dataclasses.asdict(row) for row in matched.rows(measured, base or "", tolerance)],
        "failed": [f"{record['label']} on {record['image']}: {record['error']}" for record in failed],
    }


def _mean_row(point: Point) -> Table:
    """``images``: over how many the means are, which may be fewer than the run has."""
    start = {"label": point.label, "setting": dict(point.setting), "lossless": point.lossless}
    return {**start, "images": len(point.records), **point.means}


def _reference(
    asked: str | None, described: str | None, labels: Sequence[str]
) -> tuple[str | None, list[str]]:
    """The label that others are compared with, and a note where it is not the one that was described."""
    wanted = asked or described
    for known in (labels, [label.split(" ")[0] for label in labels]):
        if wanted in known:
            return labels[known.index(wanted)], []
    if asked:
        raise UsageError(f"no codec of this run is called {wanted!r}; there are: {', '.join(labels)}")
    if not labels:
        return None, []
    note = f"The experiment's reference {wanted} was not measured; {labels[0]} stands in for it."
    return labels[0], [note] if wanted else []


def _bd_rows(measured: Sequence[Record], published: Sequence[Table], base: str, names: _Names) -> list[Table]:
    """One row for each codec and metric, measured or published image by image."""
    rows = []
    images = {name for record in measured for name in names(record)}
    for metric in METRICS:
        points = _points(measured, published, metric, names)
        for label in points:
            if label != base and points.get(base):
                rows.append(
                    {"metric": metric, "test": label, **_bd(points[base], points[label], metric, images)}
                )
    return rows


def _points(
    measured: Sequence[Record], published: Sequence[Table], metric: str, names: _Names
) -> dict[str, _Codec]:
    """(bpp, metric) by label, image and setting, of lossy files that were not made for a target rate.

    Published curves with the name of a measured one say what they are in theirs.
    """
    found: dict[str, _Codec] = defaultdict(lambda: defaultdict(dict))
    for record in measured:
        if record["target_bpp"] is None and not record["lossless"] and record[metric] is not None:
            setting = json.dumps(record["setting"], sort_keys=True)
            for name in names(record):
                found[record["label"]][name][setting] = record["bpp"], record[metric]
    labels = {record["label"] for record in measured}
    for curve in published:
        label = f"{curve['name']} (published)" if curve["name"] in labels else curve["name"]
        for name in names(curve) if curve["image"] is not None else ():
            for index, point in enumerate(curve["points"]):
                if metric in point:
                    found[label][name][point.get("setting", index)] = point["bpp"], point[metric]
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
