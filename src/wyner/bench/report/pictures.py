"""Pictures of the comparison: chosen near target rates, decoded from kept files, checked, embedded."""

from __future__ import annotations

import base64
import io
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as PilImage

from ... import io as picture_io
from ... import metrics
from ...errors import UsageError, WynerError
from .. import given, registry
from ..records import Record, real_path
from .model import MEAN, Model

Pixels = npt.NDArray[Any]
Decoder = Callable[[Path, Record], Pixels]
"""From the run folder and a record to the samples of the record's kept file."""

Crop = str | tuple[int, int] | tuple[int, int, int, int]
"""``"auto"``, ``"whole"``, (width, height) around the middle, or (x, y, width, height)."""

_SIDE = -2
"""Stands for the side picture where points of the model and MEAN, for the original, name pictures."""
_SMALLEST_CROP = 256
_TEXT_PER_PIXEL = 1.4  # of lossless WebP in base64, for photographs; only the choice of a crop depends on it
_WEBP_SIDE = 16383
_SAME_ERROR = 1e-6
_FAILURES = (WynerError, OSError, MemoryError, RuntimeError, ValueError, TypeError)


class LeftOut(Exception):
    """A picture cannot be shown; the text says why."""


@dataclass
class Album:
    """Embedded pictures as data URIs, and what they show.

    originals, sides: picture number by image; sides are side pictures as they are aligned with it. of_point:
    picture number by point of the model. crops: (x, y, width, height) by image, where only a part is shown.
    targets: the rates (bpp) near which pictures were chosen.
    """

    targets: tuple[float, ...] = ()
    uris: list[str] = field(default_factory=list)
    originals: dict[int, int] = field(default_factory=dict)
    sides: dict[int, int] = field(default_factory=dict)
    of_point: dict[int, int] = field(default_factory=dict)
    crops: dict[int, tuple[int, int, int, int]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Choice:
    """What to embed: at most ``budget`` characters of data URIs, of these images, near these rates."""

    budget: int = 32_000_000
    crop: Crop = "auto"
    images: Sequence[str] | None = None
    targets: Sequence[float] | None = None


def decode_kept(run: Path, record: Record) -> Pixels:
    """Samples (H, W, C) of a record's file, by the codec that made it.

    Raises LeftOut when there is no file, OSError, and what the codec raises.
    """
    if not record.get("file"):
        raise LeftOut("the run did not keep the file")
    codec = registry.by_name(record["codec"])
    return codec.decode((run / record["file"]).read_bytes(), given.of_record(record, run), 1)


def warped_side(run: Path, record: Record) -> Pixels:
    """Samples (H, W, C) of the side picture as a record's kept file aligns it.

    Raises LeftOut when it aligns none, OSError, and what the codec raises.
    """
    warped = registry.by_name(record["codec"]).warped
    side = given.of_record(record, run)
    if warped is None or side is None:
        raise LeftOut("its file aligns no side picture")
    return warped((run / record["file"]).read_bytes(), side)


def collect(model: Model, run: Path, choice: Choice, decode: Decoder = decode_kept) -> Album:
    """Embed pictures of all codecs, from the middle target outward and by image, while the budget lasts."""
    album = Album(targets=tuple(choice.targets or automatic_targets(model)))
    groups = _groups(model, album.targets, _wanted_images(model, choice.images))
    _choose_crops(model, album, groups, choice)
    reader = _Reader(model, run, decode, album)
    if choice.images is not None and not choice.images:
        album.notes.append("No pictures were asked for.")
    left: list[str] = []
    room = choice.budget
    for image, target, points in groups:
        added = reader.group(image, points) if not left else None
        size = sum(len(uri) for uri in added.values()) if added is not None else 0
        if added is None or size > room:
            left.append(f"{model.images[image].name} at {target:g} bpp")
            continue
        room -= size
        reader.keep(image, added)
    album.notes += [f"No picture of {what}: {why}." for what, why in reader.reasons()]
    if left:
        shown = ", ".join(left[:12]) + (f" and {len(left) - 12} more" if len(left) > 12 else "")
        budget = f"{choice.budget / 1e6:g} MB"
        album.notes.append(f"Pictures left out because they do not fit into {budget}: {shown}.")
    return album


def automatic_targets(model: Model) -> list[float]:
    """Three rates, evenly spaced in log rate, in the range that all lossy series reach (or else any does)."""
    rates: dict[int, list[float]] = defaultdict(list)
    for point in model.points:
        if point.record is not None and not model.series[point.series].lossless:
            rates[point.series].append(point.record["bpp"])
    if not rates:
        return []
    low, high = max(map(min, rates.values())), min(map(max, rates.values()))
    if low >= high:
        low, high = min(map(min, rates.values())), max(map(max, rates.values()))
    steps = [low * (high / low) ** share for share in (1 / 6, 1 / 2, 5 / 6)]
    return list(dict.fromkeys(float(f"{rate:.2g}") for rate in steps))


def _wanted_images(model: Model, names: Sequence[str] | None) -> list[int]:
    known = {picture.name: index for index, picture in enumerate(model.images)}
    for name in names or ():
        if name not in known:
            raise UsageError(f"no image of the run is called {name!r}; there are: {', '.join(known)}")
    return [known[name] for name in names] if names is not None else list(known.values())


def _groups(
    model: Model, targets: Sequence[float], images: Sequence[int]
) -> list[tuple[int, float, list[int]]]:
    """(image, target, point of each lossy series nearest to it), in the order in which they are embedded."""
    candidates: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index, point in enumerate(model.points):
        if point.image != MEAN and point.record is not None and not model.series[point.series].lossless:
            candidates[point.image, point.series].append(index)
    middle = (len(targets) - 1) / 2
    groups = []
    for target in sorted(targets, key=lambda t: abs(targets.index(t) - middle)):
        for image in images:
            points = []
            for (of_image, _), indices in candidates.items():
                if of_image == image:
                    points.append(min(indices, key=lambda i: _distance(model, i, target)))
            if points:
                groups.append((image, target, points))
    return groups


def _distance(model: Model, point: int, target: float) -> float:
    return abs(math.log((model.points[point].numbers["bpp"] or math.inf) / target))


def _choose_crops(
    model: Model, album: Album, groups: Sequence[tuple[int, float, list[int]]], choice: Choice
) -> None:
    """Set the part that is shown of each image; "auto" shows the middle of all when whole ones do not fit."""
    pictures: dict[int, set[int]] = defaultdict(set)
    for image, _, points in groups:
        pictures[image].update(points)
    sizes = {i: (model.images[i].record["width"], model.images[i].record["height"]) for i in pictures}
    need = sum(w * h * (1 + len(pictures[i])) for i, (w, h) in sizes.items()) * _TEXT_PER_PIXEL
    share = min(1.0, math.sqrt(choice.budget / need)) if need else 1.0
    for image, (width, height) in sizes.items():
        box = _box(choice.crop, width, height, share)
        if box != (0, 0, width, height):
            album.crops[image] = box


def _box(crop: Crop, width: int, height: int, share: float) -> tuple[int, int, int, int]:
    """(x, y, width, height) inside the picture. Raises UsageError for a crop that makes no sense."""
    if crop == "whole" or (crop == "auto" and share == 1):
        return 0, 0, width, height
    if crop == "auto":
        w, h = (min(side, max(_SMALLEST_CROP, int(side * share) // 8 * 8)) for side in (width, height))
        return (width - w) // 2, (height - h) // 2, w, h
    if isinstance(crop, str) or len(crop) not in (2, 4) or min(crop[-2:]) < 1 or min(crop) < 0:
        raise UsageError(f"crop must be auto, whole, width and height, or x, y, width and height, not {crop}")
    w, h = min(crop[-2], width), min(crop[-1], height)
    if len(crop) == 2:
        return (width - w) // 2, (height - h) // 2, w, h
    return min(crop[0], width - w), min(crop[1], height - h), w, h


class _Reader:
    """Makes data URIs of originals and decoded files, and remembers why some could not be made."""

    def __init__(self, model: Model, run: Path, decode: Decoder, album: Album) -> None:
        self.model, self.run, self.decode, self.album = model, run, decode, album
        self.failed: dict[int | tuple[str, int], tuple[str, str]] = {}
        self.original: tuple[int, Pixels] | None = None

    def group(self, image: int, points: Sequence[int]) -> dict[int, str]:
        """URIs that are new, by point, and the original's by MEAN; none when the original cannot be read."""
        try:
            original = self._original(image)
        except _FAILURES as error:
            name = self.model.images[image].name
            self.failed["original", image] = (f"{name}, and so none of its decoded files", _line(error))
            return {}
        added = {} if image in self.album.originals else {MEAN: self._uri(image, original)}
        for point in points:
            if point in self.album.of_point or point in self.failed:
                continue
            try:
                added[point] = self._uri(image, self._decoded(point, original))
            except (*_FAILURES, LeftOut) as error:
                self.failed[point] = (self.model.series[self.model.points[point].series].name, _line(error))
        if image not in self.album.sides:
            added.update(self._side(image, points))
        return added

    def keep(self, image: int, added: dict[int, str]) -> None:
        for point, uri in added.items():
            number = len(self.album.uris)
            if point == MEAN:
                self.album.originals[image] = number
            elif point == _SIDE:
                self.album.sides[image] = number
            else:
                self.album.of_point[point] = number
            self.album.uris.append(uri)

    def reasons(self) -> list[tuple[str, str]]:
        """(what is missing, why), the same reasons of one codec taken together."""
        counts = Counter(self.failed.values())
        return [(f"{what} ({n} files)" if n > 1 else what, why) for (what, why), n in counts.items()]

    def _original(self, image: int) -> Pixels:
        if self.original is None or self.original[0] != image:
            path = real_path(self.model.images[image].record["image_path"], self.run)
            self.original = image, picture_io.read(str(path)).pixels
        return self.original[1]

    def _side(self, image: int, points: Sequence[int]) -> dict[int, str]:
        """The aligned side picture of the first point that has the right one and its file; else nothing."""
        what = f"the side picture of {self.model.images[image].name}"
        for point in points:
            record = self.model.points[point].record
            if record and record.get("file") and record.get("side_given") in ("right", "coded"):
                try:
                    uri = self._uri(image, warped_side(self.run, record))
                except (*_FAILURES, LeftOut) as error:
                    self.failed["side", image] = what, _line(error)
                else:
                    self.failed.pop(("side", image), None)
                    return {_SIDE: uri}
        return {}

    def _decoded(self, point: int, original: Pixels) -> Pixels:
        """The decoded samples, once they are shown to be those that the record measured."""
        record = self.model.points[point].record
        assert record is not None
        decoded = self.decode(self.run, record)
        decoded = decoded[:, :, None] if decoded.ndim == 2 else decoded
        if original.shape[2] == 1:
            decoded = decoded[:, :, -2:-1] if decoded.shape[2] == 3 else decoded
        error = metrics.mse(original, np.ascontiguousarray(decoded))
        if not math.isclose(error, record["mse"], rel_tol=_SAME_ERROR):
            raise LeftOut("its file does not decode to the picture that was measured")
        return decoded

    def _uri(self, image: int, pixels: Pixels) -> str:
        height, width = pixels.shape[:2]
        x, y, w, h = self.album.crops.get(image, (0, 0, width, height))
        return data_uri(pixels[y : y + h, x : x + w])


def data_uri(pixels: Pixels) -> str:
    """Samples (H, W, 1 or 3) as a data URI of lossless WebP (PNG beyond its size); 16 bits round to 8."""
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    rgb = np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))
    sink, picture = io.BytesIO(), PilImage.fromarray(rgb)
    kind = "webp" if max(picture.size) <= _WEBP_SIDE else "png"
    options: dict[str, Any] = {"lossless": True, "method": 2, "quality": 20} if kind == "webp" else {}
    picture.save(sink, kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(sink.getvalue()).decode()}"


def _line(error: BaseException) -> str:
    """One line, without the paths of this machine: the page travels."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
