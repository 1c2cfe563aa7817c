"""report.html: one file with plots, tables and a comparison of pictures, made from the records of a run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ...io import write_atomic
from ..published import PublishedCurve
from ..records import read_run
from ..run import read_description
from . import bdrates, data, page
from .model import Model, from_records
from .pictures import Choice, Crop, Decoder, collect, decode_kept

_METHOD = (
    "Rates are bytes of files. Every file was decoded again, and the decoded picture was measured.",
    "A mean curve is the mean of rates and the mean of values (in dB where they are) over the images at one "
    "setting; PSNR of mean MSE averages the squared error instead.",
    "BD-rates integrate log rate over quality between the ends of the interval that both curves cover, with "
    "PCHIP or Akima interpolation. Their mean is that of the percentages of the images.",
    "The pictures here are lossless copies of decoded files. For each was checked that its error is the one "
    "on record.",
)


def load(run_folder: str | os.PathLike[str], published: Sequence[PublishedCurve] | None = None) -> Model:
    """The model of a run folder. ``published`` replaces the published curves that the run was described with.

    Raises UsageError when the folder holds no measured record, CorruptError for a damaged record or
    description, and OSError.
    """
    run = Path(run_folder)
    if published is None:
        published = [PublishedCurve(**curve) for curve in read_description(run)["published"]]
    return from_records(*read_run(run), published)


def build(
    run_folder: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    title: str | None = None,
    published: Sequence[PublishedCurve] | None = None,
    reference: str | None = None,
    images: Sequence[str] | None = None,
    targets: Sequence[float] | None = None,
    crop: Crop = "auto",
    budget: int = 32_000_000,
    overwrite: bool = False,
    decode: Decoder = decode_kept,
) -> Path:
    """Write the report of a run folder and return its path.

    title, published, reference (a label or a codec's name): those of the run's description by default.
    images: names of the images whose pictures are embedded, all by default; [] embeds none. targets: rates
    (bits per pixel) near which files are chosen; the run's matched rates, or three in the range that all
    codecs reach, by default. crop: "whole" pictures, the part (width, height) around their middle or (x, y,
    width, height) of each, or "auto": whole ones if they fit, else parts around the middle. budget: most
    characters of all embedded pictures together; what it leaves out is said on the page. decode: gives the
    samples of a record's file, for codecs that are not registered.

    Raises UsageError for a folder without records, an unknown image or reference, targets that are not
    positive and a crop that makes no sense; CorruptError for a damaged record or description; FileExistsError
    unless ``overwrite``; OSError.
    """
    run = Path(run_folder)
    facts = read_description(run)
    model = load(run, published)
    chosen = targets if targets is not None else facts["matched"]["bpp"]
    if any(target <= 0 for target in chosen):
        raise UsageError(f"target rates must be positive, not {min(chosen):g}")
    wanted = reference if reference is not None else facts["reference"]
    number = _reference(model, wanted, strict=reference is not None)
    album = collect(model, run, Choice(budget, crop, images, sorted(chosen)), decode)
    content = data.block(model, album, bdrates.tables(model), number)
    content["lossless"] = data.lossless_rows(model)
    content["notes"] = _METHOD
    content["missing"] = [*model.notes, *album.notes]
    texts = {
        "title": title or facts["name"],
        "description": facts["description"],
        "facts": " · ".join(_facts(model)),
    }
    text = page.assemble(texts, data.to_script(content), album.uris)
    write_atomic(output, text.encode(), overwrite=overwrite)
    return Path(output)


def _reference(model: Model, wanted: str | None, strict: bool) -> int:
    """The series that BD-rates are against at first: by label, by codec, as published, or the first one."""
    lossy = [i for i, series in enumerate(model.series) if not series.lossless]
    codecs = {p.series: p.record["codec"] for p in reversed(model.points) if p.record is not None}
    papers = {i: model.series[i].name for i in lossy if model.series[i].published}
    labels = {i: model.series[i].name for i in lossy if i not in papers}
    for names in (labels, codecs, papers):
        for index in lossy:
            if wanted is not None and names.get(index) == wanted:
                return index
    if strict:
        known = ", ".join(model.series[i].name for i in lossy)
        raise UsageError(f"no lossy codec of the run is called {wanted!r}; there are: {known}")
    return lossy[0] if lossy else -1


def _facts(model: Model) -> list[str]:
    """One line of what was measured, with what and where."""
    records: list[dict[str, Any]] = [p.record for p in model.points if p.record is not None]
    codecs = len({record["label"] for record in records})
    machines = {f"{r['machine']['cpu']}, {r['machine']['cores']} cores" for r in records if r.get("machine")}
    versions = {record["code"].split("+")[0] for record in records if record.get("code")}
    days = sorted({record["measured"][:10] for record in records if record.get("measured")})
    return [
        _plural(len(model.images), "image"),
        _plural(codecs, "codec"),
        _plural(len(records), "file"),
        *(f"wyner {version}" for version in sorted(versions)),
        *([" to ".join(dict.fromkeys((days[0], days[-1])))] if days else []),
        *(sorted(machines) if len(machines) < 3 else [f"{len(machines)} kinds of machine"]),
    ]


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
