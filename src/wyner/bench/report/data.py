"""The data block of a report: the model as compact JSON that the page's script reads."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from .model import MEAN, METRICS, VALUES, Model, Point
from .pictures import Album

_DIGITS = 6


def block(model: Model, album: Album, bd: dict[str, Any], reference: int) -> dict[str, Any]:
    """JSON-able data: series, images, metrics, points as rows of ``columns``, BD-rates and targets.

    A point's ``picture`` is the number of an embedded picture or -1, its ``setting`` an index.
    """
    settings = {text: index for index, text in enumerate(dict.fromkeys(p.setting for p in model.points))}
    numbers = (*VALUES, *(metric.id for metric in METRICS))
    return {
        "series": [vars(series) for series in model.series],
        "images": [
            {
                "name": picture.name,
                "width": picture.record["width"],
                "height": picture.record["height"],
                "original": album.originals.get(index, -1),
                "side": album.sides.get(index, -1),
                "crop": album.crops.get(index),
            }
            for index, picture in enumerate(model.images)
        ],
        "metrics": [vars(metric) for metric in model.metrics()],
        "settings": list(settings),
        "columns": ["series", "image", "setting", "picture", "drawn", "identical", *numbers],
        "points": [_row(p, settings, album.of_point.get(i, -1), numbers) for i, p in enumerate(model.points)],
        "targets": list(album.targets),
        "reference": reference,
        "bd": bd,
    }


def _row(point: Point, settings: dict[str, int], picture: int, numbers: tuple[str, ...]) -> list[Any]:
    identical = bool(point.record and point.record.get("identical"))
    values = [_short(point.numbers.get(key)) for key in numbers]
    return [point.series, point.image, settings[point.setting], picture, int(point.drawn), identical, *values]


def _short(value: float | None) -> float | None:
    return value if value is None or isinstance(value, int) else round(value, _DIGITS)


def to_script(data: dict[str, Any]) -> str:
    """JSON that can stand inside a script element: nothing in it can end the element or open a comment."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def lossless_rows(model: Model) -> list[dict[str, Any]]:
    """For each lossless codec: name, number of images, and means of bpp, bpsp and seconds over them."""
    groups: dict[int, list[Point]] = defaultdict(list)
    for point in model.points:
        if point.image != MEAN and model.series[point.series].lossless:
            groups[point.series].append(point)
    rows = []
    for index, points in groups.items():
        row: dict[str, Any] = {"name": model.series[index].name, "images": len({p.image for p in points})}
        for key in ("bpp", "bpsp", "encode_s", "decode_s"):
            known = [value for p in points if (value := p.numbers.get(key)) is not None]
            row[key] = sum(known) / len(known) if known else None
        rows.append(row)
    return sorted(rows, key=lambda row: (-row["images"], row["bpp"]))
