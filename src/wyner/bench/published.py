"""Curves of other people's papers, from files that name their sources (docs/guide/published-curves.md)."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CorruptError, UsageError

METRIC_NAMES = {
    "psnr": "psnr_db",
    "psnr_db": "psnr_db",
    "psnr db": "psnr_db",
    "psnr-rgb": "psnr_db",
    "ms_ssim": "ms_ssim",
    "msssim": "ms_ssim",
    "ms-ssim": "ms_ssim",
    "ms-ssim-rgb": "ms_ssim",
    "ms_ssim_db": "ms_ssim_db",
    "ms-ssim db": "ms_ssim_db",
    "lpips": "lpips",
    "ssimulacra2": "ssimulacra2",
}
"""What files call a metric, in small letters up to an equals sign, and what records call it."""


@dataclass(frozen=True)
class PublishedCurve:
    """A curve as published. ``image`` is None for a mean, and ``over`` says of what.

    Each point is a dict with ``bpp``, metrics by the keys of records, and ``setting`` where the file has one.
    """

    name: str
    source: str
    over: str
    image: str | None
    points: tuple[dict[str, Any], ...]


def load(
    files: Sequence[Path], names: Sequence[str] = (), images: Sequence[str] = ()
) -> list[PublishedCurve]:
    """The curves called ``names`` (all when empty) of some files; of single images, those in ``images`` only.

    A codec with points of every image in ``images`` also gets its mean over just these, setting by setting,
    which then stands in for its mean over another set. Raises UsageError for a name that no file holds,
    CorruptError for a file of another form, and OSError.
    """
    curves = [curve for path in files for curve in _read(path)]
    known = {curve.name for curve in curves}
    for name in names:
        if name not in known:
            raise UsageError(
                f"published.curves: no file holds {name!r}; there are: {', '.join(sorted(known))}"
            )
    wanted = [curve for curve in curves if not names or curve.name in names]
    sources = {curve.name: curve.source for curve in curves if curve.image is None}
    single = [
        dataclasses.replace(curve, source=sources.get(curve.name, curve.source))
        for curve in wanted
        if curve.image in images
    ]
    means = _means(single, images)
    replaced = {curve.name for curve in means}
    return [c for c in wanted if c.image is None and c.name not in replaced] + means + single


def _read(path: Path) -> list[PublishedCurve]:
    try:
        if path.suffix.lower() == ".csv":
            return _per_image(path)
        table = json.loads(path.read_text(encoding="utf-8"))
        return _from_json(path, table)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptError(
            f"{path}: not a file of published curves: {type(error).__name__} {error}"
        ) from None


def _from_json(path: Path, table: Mapping[str, Any]) -> list[PublishedCurve]:
    over = str(table.get("dataset", path.stem))
    if "codecs" in table:
        return [
            PublishedCurve(name, str(codec["source"]), over, None, _columns(codec))
            for name, codec in table["codecs"].items()
        ]
    if "series" in table:
        columns = table["columns"]
        sources = table["sources"]
        text = sources if isinstance(sources, str) else "; ".join(f"{k}: {v}" for k, v in sources.items())
        return [
            PublishedCurve(
                name, text, over, None, tuple(_point(dict(zip(columns, row, strict=True))) for row in rows)
            )
            for name, rows in table["series"].items()
        ]
    return [
        PublishedCurve(
            name, f"{codec['version']}: {codec['command']}", over, None, tuple(map(_point, codec["points"]))
        )
        for name, codec in table.items()
    ]


def _columns(codec: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """Points from parallel lists."""
    lists = {key: codec[key] for key in codec if key == "bpp" or _metric(key)}
    rows = zip(*lists.values(), strict=True)
    return tuple(_point(dict(zip(lists, row, strict=True))) for row in rows)


def _per_image(path: Path) -> list[PublishedCurve]:
    """CSV with the columns codec, image, setting, bpp and metrics; source where there is such a column."""
    points: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    sources: dict[str, str] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            points[row["codec"], row["image"]].append(_point(row))
            sources[row["codec"]] = row.get("source") or path.name
    return [
        PublishedCurve(codec, sources[codec], path.stem, image, tuple(found))
        for (codec, image), found in points.items()
    ]


def _point(row: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of a row. Values that are not finite are none: no curve passes through them.

    Raises ValueError, KeyError or TypeError without a rate.
    """
    point: dict[str, Any] = {"bpp": float(row["bpp"])}
    if not 0 < point["bpp"] < math.inf:
        raise ValueError(f"bpp of {row['bpp']}")
    for key, value in row.items():
        metric = _metric(key)
        if metric and value not in (None, "") and math.isfinite(float(value)):
            point[metric] = float(value)
    if row.get("setting") not in (None, ""):
        point["setting"] = row["setting"]
    return point


def _metric(name: str) -> str | None:
    return METRIC_NAMES.get(name.split("=")[0].strip().lower())


def over_run(count: int) -> str:
    """What a published mean is over that was taken over the images of a run."""
    return f"{count} images of this run"


def _means(single: Sequence[PublishedCurve], images: Sequence[str]) -> list[PublishedCurve]:
    """Means over ``images`` of codecs that have the same settings, without repeats, on every one of them."""
    by_name: dict[str, dict[str, PublishedCurve]] = defaultdict(dict)
    for curve in single:
        by_name[curve.name][str(curve.image)] = curve
    means = []
    for name, curves in by_name.items():
        if len(images) < 2 or set(curves) != set(images) or any(map(_is_unclear, curves.values())):
            continue
        tables = [{str(p["setting"]): p for p in curves[image].points} for image in images]
        settings = [s for s in tables[0] if all(s in table for table in tables)]
        points = tuple(_mean_point(setting, [table[setting] for table in tables]) for setting in settings)
        if points:
            source = curves[images[0]].source
            means.append(PublishedCurve(name, source, over_run(len(images)), None, points))
    return means


def _is_unclear(curve: PublishedCurve) -> bool:
    """Whether a point has no setting or that of another: nothing tells what it is to be averaged with."""
    settings = [point.get("setting") for point in curve.points]
    return None in settings or len(set(settings)) < len(settings)


def _mean_point(setting: str, points: Sequence[dict[str, Any]]) -> dict[str, Any]:
    keys = [key for key in points[0] if key != "setting" and all(key in p for p in points)]
    return {"setting": setting, **{key: sum(p[key] for p in points) / len(points) for key in keys}}
