"""BD-rates of every curve of a report against every other, as data for its table."""

from __future__ import annotations

from typing import Any

from ...errors import NoOverlapError, UnavailableError
from ..bd import METHODS, MIN_OVERLAP, Curve, bd_rate, by_image
from ..published import over_run
from .model import MEAN, Metric, Model


def tables(model: Model) -> dict[str, Any]:
    """By metric, reference and test series: mean over images, per image, and of the mean curve.

    Percentages and qualities are rounded to what a table shows. Where a value is refused, the reason stands
    instead. Series numbers are strings, as JSON has them. Empty, with a note in the model, without SciPy.
    """
    try:
        found = {metric.id: _table(model, metric) for metric in model.metrics() if not metric.of_mean}
    except UnavailableError as error:
        model.notes.append(f"No BD-rates: {error}")
        return {}
    return {name: table for name, table in found.items() if table}


def _table(model: Model, metric: Metric) -> dict[str, dict[str, Any]]:
    curves = _curves(model, metric)
    table: dict[str, dict[str, Any]] = {}
    for reference in curves:
        rows = {
            str(test): _pair(model, metric, curves, reference, test) for test in curves if test != reference
        }
        rows = {test: row for test, row in rows.items() if row["curve"] or row["images"]}
        if rows:
            table[str(reference)] = rows
    return table


def _curves(model: Model, metric: Metric) -> dict[int, dict[int, Curve]]:
    """Curves by series and image number (MEAN too), of lossy series with at least one."""
    curves: dict[int, dict[int, Curve]] = {}
    for index, series in enumerate(model.series):
        if not series.lossless:
            points = {i: model.curve(index, i, metric.id) for i in range(MEAN, len(model.images))}
            curves[index] = {i: Curve.of(p, lower_is_better=metric.lower) for i, p in points.items() if p}
    return {index: by_image for index, by_image in curves.items() if by_image}


def _pair(
    model: Model, metric: Metric, curves: dict[int, dict[int, Curve]], reference: int, test: int
) -> dict[str, Any]:
    least = MIN_OVERLAP[metric.id]
    common = sorted((curves[reference].keys() & curves[test].keys()) - {MEAN})
    row: dict[str, Any] = {
        "mean": None,
        "images": {},
        "curve": _of_means(model, curves, reference, test, least),
    }
    named = [{str(i): curves[codec][i] for i in common} for codec in (reference, test)]
    for method in METHODS:
        result = by_image(*named, method=method, min_overlap=least)
        for image, bd in result.images.items():
            cell = row["images"].setdefault(image, {"low": round(bd.low, 4), "high": round(bd.high, 4)})
            cell[method] = round(bd.percent, 2)
        row["images"].update({image: {"refused": why} for image, why in result.without.items()})
        if result.mean is not None:
            row["mean"] = row["mean"] or {"count": result.mean.count}
            row["mean"][method] = round(result.mean.mean, 2)
            if result.mean.low is not None and result.mean.high is not None:
                row["mean"][f"{method}_interval"] = [round(result.mean.low, 2), round(result.mean.high, 2)]
    return row


def _of_means(
    model: Model, curves: dict[int, dict[int, Curve]], reference: int, test: int, least: float
) -> dict[str, Any] | None:
    pair = [curves[codec].get(MEAN) for codec in (reference, test)]
    if pair[0] is None or pair[1] is None:
        return None
    if not _same_images(model, reference, test):
        return {"refused": "means of different images"}
    try:
        found = {method: bd_rate(pair[0], pair[1], method=method, min_overlap=least) for method in METHODS}
    except NoOverlapError as error:
        return {"refused": str(error)}
    one = found[METHODS[0]]
    values = {method: round(bd.percent, 2) for method, bd in found.items()}
    return {"low": round(one.low, 4), "high": round(one.high, 4), **values}


def _same_images(model: Model, reference: int, test: int) -> bool:
    """Whether two mean curves are over the images of the run, or are published over the same set."""
    run = over_run(len(model.images))
    pair = (model.series[codec] for codec in (reference, test))
    sets = {series.over if series.published else run for series in pair}
    return len(sets) == 1 and "" not in sets
