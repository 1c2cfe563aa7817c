"""Encoding one file, in whatever process."""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass
from typing import Any

from PIL import Image as PilImage

from .. import __version__, api, codecs, io
from ..batch.content import content_key, task_key
from ..batch.manifest import Record, is_done, is_intact
from ..container import Limits
from ..errors import TargetMissedError
from .files import PIPE, Job, check_writable, read_bytes, read_side, write_output
from .progress import ProgressLine


@dataclass(frozen=True)
class Request:
    """What is to be done with one file.

    job: source, target and perhaps a side picture. side: contents of the side picture's file that all jobs
    share, or None. folder: that the relative names of the job start from, "" for the current one. settings:
    arguments of ``wyner.encode`` on which the result depends. threads: as ``wyner.encode`` takes it. records:
    what manifests tell of the target; None when none is kept. show: tell the progress on standard error.
    """

    job: Job
    side: bytes | None
    folder: str
    settings: dict[str, Any]
    limits: Limits
    first_frame: bool
    threads: int | None
    force: bool
    records: tuple[Record, ...] | None
    show: bool

    @property
    def path(self) -> str:
        """The picture, as this process finds it."""
        return self._place(self.job.source.path)

    @property
    def target(self) -> str:
        """The file to be written, as this process finds it."""
        return self._place(self.job.target)

    def side_bytes(self) -> bytes | None:
        """Contents of the side picture's file. Raises WynerError when the job's own cannot be read."""
        return self.side if self.job.side is None else read_side(self._place(self.job.side))

    def _place(self, name: str) -> str:
        return name if name == PIPE else os.path.join(self.folder, name)


def encode_file(request: Request) -> Record:
    """Encode one picture into its file, unless ``request.records`` tell that this has been done.

    Returns width, height, bytes, bpp, psnr_db (None when unknown or infinite), seconds and missed (None, or
    how the target was missed); with a side picture also side_used; with records also key and output_hash. Of
    a file that was there: skipped, and what its record tells. Raises the errors of reading, encoding and
    writing.

    With records, a file at the target is replaced if it is what a record tells, or what was just encoded.
    """
    start = time.monotonic()
    check_writable(request.target, request.force or request.records is not None)
    source, side = read_bytes(request.path), request.side_bytes()
    known: Record = {}
    if request.records is not None:
        known["key"] = _key(request, source, side)
        for record in request.records:
            if is_done(record, known["key"], request.target):
                return {**record, "skipped": True}
    data, fields = _encode(request, source, side)
    if request.records is not None:
        known["output_hash"] = content_key(data)
    write_output(request.target, data, request.force or _is_ours(request, known))
    return {**fields, "seconds": round(time.monotonic() - start, 3), **known}


def _encode(request: Request, source: bytes, side: bytes | None) -> tuple[bytes, Record]:
    # Pillow's own guard is global and lower than ours; the picture's size is checked against ours instead.
    PilImage.MAX_IMAGE_PIXELS = None
    line = ProgressLine(request.job.source.path, request.show)
    missed = None
    try:
        image = io.read(source, first_frame=request.first_frame, limits=request.limits)
        data = api.encode(image, side=side, **request.settings, threads=request.threads, progress=line)
    except TargetMissedError as error:
        missed, data = str(error), error.data
    finally:
        line.close()
    psnr_db = line.last.psnr_db if line.last else math.inf
    used = {} if side is None else {"side_used": api.info(data).side_hash is not None}
    return data, {
        "width": image.width,
        "height": image.height,
        "bytes": len(data),
        "bpp": round(8 * len(data) / (image.width * image.height), 6),
        "psnr_db": round(psnr_db, 4) if math.isfinite(psnr_db) else None,
        "missed": missed,
        **used,
    }


def _key(request: Request, source: bytes, side: bytes | None) -> str:
    sides = () if side is None else (content_key(side),)
    named = request.settings["codec"]
    possible = [named] if named is not None else ["overfit", *("side" for _ in sides)]
    versions = {name: codecs.by_name(name).VERSION for name in possible}
    settings = {**request.settings, "codec": versions, "first_frame": request.first_frame}
    model = codecs.model_hash(possible[0], request.settings["options"])
    if model is not None:
        settings["model"] = model
    return task_key({"wyner": __version__, **settings}, content_key(source), *sides)


def _is_ours(request: Request, known: Record) -> bool:
    """Whether a run like this one wrote what is at the target, if only just before it was killed."""
    if request.records is None or request.target == PIPE:
        return False
    return any(is_intact(record, request.target) for record in (*request.records, known))
