"""What a report shows, from the records of a run: points of series, for each image and for their mean."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ...errors import UsageError
from ..averages import means
from ..codec import RATE_KEYS, rate_text
from ..published import PublishedCurve
from ..records import Record, picture_names

MEAN = -1
"""Image number of a point that stands for the mean over all images."""

VALUES = ("bpp", "bpsp", "bytes", "encode_s", "decode_s", "macs_per_pixel")
"""Numbers of a point beside its metrics."""


_ImageKey = tuple[str, str]


@dataclass(frozen=True)
class Metric:
    """A quality measure: its key in a record, name, unit, decimals, and whether less is better."""

    id: str
    name: str
    unit: str
    digits: int
    lower: bool = False
    of_mean: bool = False


PSNR = Metric("psnr_db", "PSNR", "dB", 2)
PSNR_OF_MEAN_MSE = Metric("psnr_of_mean_mse", "PSNR of mean MSE", "dB", 2, of_mean=True)
METRICS = (
    PSNR,
    PSNR_OF_MEAN_MSE,
    Metric("ms_ssim_db", "MS-SSIM", "dB", 2),
    Metric("lpips", "LPIPS", "", 4, lower=True),
    Metric("ssimulacra2", "SSIMULACRA2", "", 2),
)


@dataclass(frozen=True)
class Series:
    """One curve: a codec with all its settings that are not the rate, or a curve of somebody's paper.

    ``source`` and ``over`` (of which images a mean is) are empty for measured curves.
    """

    name: str
    note: str = ""
    source: str = ""
    over: str = ""
    published: bool = False
    lossless: bool = False


@dataclass(frozen=True)
class Picture:
    """An image of the run. ``record`` is any of its records, for path, size and bit depth."""

    name: str
    record: Record


@dataclass(frozen=True)
class Point:
    """One file, a mean, or a published value.

    ``numbers`` holds VALUES and metrics by key; ``record`` is None for means and papers. ``drawn`` is False
    for files of the matched mode, whose settings differ between images, unless a series has no others.
    """

    series: int
    image: int
    setting: str
    numbers: dict[str, float | None]
    record: Record | None = None
    drawn: bool = True


@dataclass
class Model:
    """Everything that is drawn or listed, in drawing order."""

    series: list[Series] = field(default_factory=list)
    images: list[Picture] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def metrics(self) -> list[Metric]:
        """The metrics that at least one lossy measured point has."""
        seen = {
            key
            for point in self.points
            if not self.series[point.series].lossless and not self.series[point.series].published
            for key, value in point.numbers.items()
            if value is not None
        }
        means = any(point.image == MEAN for point in self.points)
        return [m for m in METRICS if m.id in seen and (means or not m.of_mean)]

    def curve(self, series: int, image: int, metric: str) -> list[tuple[float, float]]:
        """(bpp, value) of a series on an image (or MEAN), by rate; points without the metric are left out."""
        found = [p.numbers for p in self.points if p.drawn and p.series == series and p.image == image]
        pairs = [(n["bpp"], n[metric]) for n in found if n.get(metric) is not None]
        return sorted((rate, value) for rate, value in pairs if rate is not None and value is not None)


def from_records(
    measured: Sequence[Record], failed: Sequence[Record], published: Iterable[PublishedCurve] = ()
) -> Model:
    """The model of a run. Raises UsageError when nothing was measured."""
    if not measured:
        raise UsageError("the run holds no measured file; see its records for the errors")
    model = Model()
    series: dict[str, int] = {}
    names = picture_names(measured)
    records: dict[_ImageKey, Record] = {}
    for record in reversed(measured):
        records |= dict.fromkeys(_image_keys(record, names), record)
    images = {key: index for index, key in enumerate(sorted(records))}
    model.images = _pictures(images, records)
    swept = {record["label"] for record in measured if record["target_bpp"] is None}
    for record in measured:
        index = series.setdefault(record["label"], len(series))
        if index == len(model.series):
            model.series.append(_series(record))
        drawn = record["target_bpp"] is None or record["label"] not in swept
        for key in _image_keys(record, names):
            model.points.append(_measured_point(record, index, images[key], drawn))
    _add_means(model)
    _add_published(model, published)
    model.notes += [_failure(record) for record in failed]
    return model


def _image_keys(record: Record, names: Callable[[Record], list[str]]) -> list[_ImageKey]:
    """Name and content of the pictures that a record tells of."""
    return [(name, record.get("image_hash", "")) for name in names(record)]


def _pictures(images: Collection[_ImageKey], records: Mapping[_ImageKey, Record]) -> list[Picture]:
    """Names tell pictures apart: the hash is added where the name alone does not."""
    names = [name for name, _ in images]
    return [
        Picture(name if names.count(name) == 1 else f"{name} ({digest[:6]})", records[name, digest])
        for name, digest in images
    ]


def _series(record: Record) -> Series:
    """The codec, with its version and all that was set beside the rate as a note."""
    settings = {**record.get("fixed", {}), **record["setting"]}
    fixed = " ".join(f"{key}={value}" for key, value in settings.items() if key not in RATE_KEYS)
    note = ", ".join(part for part in (record.get("version", ""), fixed) if part)
    return Series(record["label"], note=note, lossless=bool(record.get("lossless")))


def _measured_point(record: Record, series: int, image: int, drawn: bool) -> Point:
    numbers = {key: record.get(key) for key in (*VALUES, *(m.id for m in METRICS))}
    numbers["psnr_of_mean_mse"] = record.get("psnr_db")
    setting = rate_text(record["setting"])
    if record.get("target_bpp") is not None:
        setting = f"{setting} for {record['target_bpp']:g} bpp".strip()
    return Point(series, image, setting, numbers, record, drawn)


def _setting_key(record: Record) -> tuple[float | None, str]:
    """Equal for the files of all images that make one point of a mean curve."""
    target = record.get("target_bpp")
    return target, "" if target is not None else json.dumps(record["setting"], sort_keys=True)


def _add_means(model: Model) -> None:
    """Add the mean points of each series, of settings that were measured on every image of the run."""
    for index, series in enumerate(model.series):
        groups: dict[tuple[float | None, str], dict[int, Point]] = defaultdict(dict)
        for point in model.points:
            if point.series == index and point.record is not None and point.drawn:
                groups[_setting_key(point.record)].setdefault(point.image, point)
        whole = {key: group for key, group in groups.items() if len(group) == len(model.images)}
        for (target, _), group in whole.items():
            model.points.append(_mean_point(index, target, list(group.values())))
        missing = len(groups) - len(whole)
        if missing and not series.lossless:
            model.notes.append(
                f"{series.name}: the mean curve leaves out {missing} of {len(groups)} settings, which were "
                f"not measured on all {len(model.images)} images."
            )


def _mean_point(series: int, target: float | None, points: list[Point]) -> Point:
    numbers = means([point.record for point in points if point.record is not None])
    setting = points[0].setting if target is None else f"target {target:g} bpp"
    return Point(series, MEAN, setting, dict(numbers))


def _add_published(model: Model, published: Iterable[PublishedCurve]) -> None:
    """Add curves of papers; a curve of an image that is not in the run is left out."""
    numbers_of = {picture.record["image"]: index for index, picture in enumerate(model.images)}
    indices: dict[str, int] = {}
    for curve in sorted(published, key=lambda curve: curve.image is not None):
        image = MEAN if curve.image is None else numbers_of.get(curve.image)
        if image is None:
            continue
        if curve.name not in indices:
            indices[curve.name] = len(model.series)
            model.series.append(
                Series(curve.name, source=curve.source, over="" if image >= 0 else curve.over, published=True)
            )
        for point in curve.points:
            values = {m.id: point.get(m.id) for m in METRICS}
            values["psnr_of_mean_mse"] = None if image == MEAN else values["psnr_db"]
            setting = str(point.get("setting", ""))
            model.points.append(
                Point(indices[curve.name], image, setting, {"bpp": float(point["bpp"]), **values})
            )


def _failure(record: Record) -> str:
    setting = rate_text(record.get("setting", {}))
    what = " ".join(part for part in (record.get("codec", ""), setting) if part)
    return f"Failed: {what} on {record.get('image', '?')}: {record['error']}"
