"""One task: encode, write the file, decode *that file*, measure. It runs in any process; returns a record."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import platform
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from .. import __version__, io
from ..batch.content import content_key
from ..container import Limits
from ..errors import UnsupportedError, UsageError, WynerError, describe
from ..image import Image
from . import given, measure, registry
from .code import MEASURING, code_hash
from .codec import Codec, Pixels, Setting, SidePicture, rate_text, slug
from .records import Record, portable_path
from .search import nearest

DECODES = 3
"""Decoding that takes less than 0.1 s is timed so often, and the fastest counts."""
# What a picture or a codec may fail with; anything else is a fault of this program and stops the run.
FAILURES = (WynerError, OSError, MemoryError, ArithmeticError, RuntimeError, ValueError, TypeError)


@dataclass(frozen=True)
class Task:
    """Everything that a worker needs; it can be pickled. ``file`` is relative to the folder ``run``.

    encode_key tells files that are the same apart, key measurements. side: name of the side picture of the
    pair; side_path: the picture that is given in its place (given.py). target_bpp: search the codec's
    rate within ``tolerance`` of it. model: the hash of the codec's model, None of codecs without.
    reuse: the record of the same file with other metrics, to spare encoding.
    """

    key: str
    encode_key: str
    experiment: str
    codec: str
    setting: Setting
    label: str
    image: str
    image_path: str
    image_hash: str
    side: str | None
    side_path: str | None
    side_hash: str | None
    metrics: tuple[str, ...]
    run: str
    code: str
    threads: int = 1
    keep: bool = True
    target_bpp: float | None = None
    tolerance: float = 0.02
    model: str | None = None
    reuse: Record | None = None


class InputError(WynerError):
    """The picture cannot be read: no other task of that picture can do better."""


class SideInputError(WynerError):
    """The side picture cannot be read: no other task that is given it can do better."""


@dataclass
class _Encoded:
    """A file on its way into a record."""

    data: bytes
    encode_s: float | None
    encode_cpu_s: float | None
    setting: Setting
    trials: int = 1
    notes: list[str] = field(default_factory=list)
    peak_mb: float | None = None
    side_data: bytes | None = None


def run_task(task: Task) -> Record:
    """The record of one task, with ``error`` when it fails. Raises only what interrupts a program."""
    try:
        return _measured(task)
    except FAILURES as error:
        return failure(task, error)


def failure(task: Task, error: BaseException) -> Record:
    """The line for a task that failed."""
    return {
        "key": task.key,
        "experiment": task.experiment,
        "codec": task.codec,
        "setting": dict(task.setting),
        "label": task.label,
        "image": task.image,
        "side": task.side,
        "target_bpp": task.target_bpp,
        "error": describe(error),
        "kind": type(error).__name__,
        "exit_code": getattr(error, "exit_code", 1),
    }


def code_of(codec: Codec) -> str:
    """The version of wyner and hashes of the code that measures and of the code that encodes."""
    return f"{__version__}+{code_hash(MEASURING)}.{code_hash(codec.code_parts)}"


def _measured(task: Task) -> Record:
    codec = registry.by_name(task.codec)
    version = codec.version()
    if code_of(codec) != task.code:
        raise UsageError(f"this worker runs wyner {code_of(codec)}, the run was planned with {task.code}")
    model = codec.model(task.setting)
    if model != task.model:
        raise UsageError(f"this worker has the model {model}, the run was planned with {task.model}")
    picture = _read(task.image_path, InputError)
    pixels, notes = _colour(picture)
    _check_fits(codec, pixels)
    reused = _reused(task)
    side = (reused and reused.side_data) or _side(task, codec, pixels)
    memory = measure.PeakMemory() if "memory" in task.metrics else None
    coded = reused or _encode(codec, task, pixels, side)
    path = _write(task, codec, coded)
    side_path = _write_side(path, side) if isinstance(side, bytes) else None
    stored = path.read_bytes()
    decoded, decode_s, decode_cpu_s = measure.timed(
        lambda: codec.decode(stored, side, task.threads), repeats=DECODES
    )
    if memory is not None and reused is None:
        coded.peak_mb = memory.growth_mb()
        notes += [] if coded.peak_mb is not None else ["peak_rss_mb: only Linux tells it"]
    fields, why = measure.distances(pixels, _like(decoded, pixels), task.metrics)
    if codec.lossless and not fields["identical"]:
        raise WynerError(f"{task.codec} is lossless, but the picture came back changed")
    if not task.keep:
        path.unlink()
        if side_path is not None:
            side_path.unlink()
    size, area = len(stored), pixels.shape[0] * pixels.shape[1]
    return {
        "key": task.key,
        "encode_key": task.encode_key,
        "experiment": task.experiment,
        "codec": task.codec,
        "setting": dict(coded.setting),
        "fixed": dict(codec.fixed),
        "label": task.label,
        "lossless": codec.lossless,
        "image": task.image,
        "image_path": portable_path(task.image_path, Path(task.run)),
        "image_hash": task.image_hash,
        "side": task.side,
        "side_path": portable_path(task.side_path, Path(task.run)) if task.side_path else None,
        "side_hash": task.side_hash,
        "side_given": given.control_of(task.setting) if codec.takes_side else None,
        "side_file": side_path.relative_to(task.run).as_posix() if side_path and task.keep else None,
        "side_file_hash": content_key(side) if isinstance(side, bytes) else None,
        "side_file_bytes": len(side) if isinstance(side, bytes) else None,
        "width": int(pixels.shape[1]),
        "height": int(pixels.shape[0]),
        "channels": int(pixels.shape[2]),
        "bit_depth": 8 * pixels.dtype.itemsize,
        "bytes": size,
        "bpp": 8 * size / area,
        "bpsp": 8 * size / pixels.size,
        "file": path.relative_to(task.run).as_posix() if task.keep else None,
        "file_hash": content_key(stored),
        **fields,
        "encode_s": coded.encode_s,
        "encode_cpu_s": coded.encode_cpu_s,
        "decode_s": decode_s,
        "decode_cpu_s": decode_cpu_s,
        "peak_rss_mb": coded.peak_mb,
        "macs_per_pixel": codec.macs_per_pixel(stored) if codec.macs_per_pixel else None,
        "version": version,
        "model": task.model,
        "code": task.code,
        "machine": measure.machine(),
        "target_bpp": task.target_bpp,
        "trials": coded.trials,
        "measured": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        "notes": [*notes, *coded.notes, *_missed(task, size, area), *why],
    }


def _read(path: str, kind: type[WynerError]) -> Image:
    """The picture at a path. Raises an error of this kind, which names the path."""
    try:
        return io.read(path, limits=Limits())
    except (WynerError, OSError) as error:
        text = describe(error)
        raise kind(text if path in text else f"{path}: {text}") from None


def _side(task: Task, codec: Codec, pixels: Pixels) -> SidePicture | None:
    """What the codec is given beside the picture."""
    if not codec.takes_side:
        return None
    setting = task.setting if task.target_bpp is None else _at_target(task)
    side = _read(task.side_path, SideInputError).pixels if task.side_path else None
    return given.make(codec, setting, side, pixels, task.threads)


def _at_target(task: Task) -> Setting:
    """The setting by which a codec is told the rate to meet."""
    return {**task.setting, "target_bpp": task.target_bpp}


def _colour(picture: Image) -> tuple[Pixels, list[str]]:
    """The colour planes, which are all that is compared, and a note when there was more."""
    return picture.pixels, [] if picture.alpha is None else ["alpha was left out"]


def _check_fits(codec: Codec, pixels: Pixels) -> None:
    depth = 8 * pixels.dtype.itemsize
    if depth not in codec.depths:
        raise UnsupportedError(f"{codec.name} holds {codec.depths[0]} bits a sample, the picture has {depth}")


def _encode(codec: Codec, task: Task, pixels: Pixels, side: SidePicture | None) -> _Encoded:
    def encode(setting: Setting) -> tuple[bytes, float, float]:
        return measure.timed(lambda: codec.encode(pixels, setting, side, task.threads))

    if task.target_bpp is None:
        return _Encoded(*encode(task.setting), task.setting)
    if codec.own_target:
        setting = _at_target(task)
        return _Encoded(*encode(setting), setting)
    if codec.knob is None:
        raise UsageError(f"{codec.name} has no rate to search")
    knob = codec.knob
    target = task.target_bpp * pixels.shape[0] * pixels.shape[1] / 8

    def trial(value: float) -> tuple[int, tuple[bytes, float, float]]:
        done = encode({**task.setting, knob.key: value})
        return len(done[0]), done

    found = nearest(trial, knob, target, task.tolerance)
    setting = {**task.setting, knob.key: found.value}
    return _Encoded(*found.result, setting, found.trials)


def _reused(task: Task) -> _Encoded | None:
    """The kept file of an earlier record of the same encoding, when it and its side file are unchanged."""
    old = task.reuse
    if old is None or not old.get("file"):
        return None
    if old["peak_rss_mb"] is None and measure.available(task.metrics).get("memory"):
        return None
    with contextlib.suppress(OSError):
        files = [old["file"], old.get("side_file")]
        hashes = [old["file_hash"], old.get("side_file_hash")]
        data, side = (None if name is None else (Path(task.run) / name).read_bytes() for name in files)
        if data is not None and [data and content_key(data), side and content_key(side)] == hashes:
            note = "encoded by an earlier run"
            times = old["encode_s"], old["encode_cpu_s"]
            return _Encoded(data, *times, old["setting"], old["trials"], [note], old["peak_rss_mb"], side)
    return None


def _write(task: Task, codec: Codec, coded: _Encoded) -> Path:
    """The file under run/files, written so that nobody sees half of it."""
    folder = Path(task.run) / "files" / slug(task.image)
    folder.mkdir(parents=True, exist_ok=True)
    rate = f"bpp={task.target_bpp:g}" if task.target_bpp is not None else rate_text(coded.setting)
    path = folder / f"{slug(' '.join((task.label, rate)).strip())}-{task.encode_key[:8]}{codec.suffix}"
    return _write_whole(path, coded.data)


def _write_side(path: Path, side: bytes) -> Path:
    """The side picture's own file, beside the one that was made with it."""
    return _write_whole(path.with_name(f"{path.stem}-side.wyn"), side)


def _write_whole(path: Path, data: bytes) -> Path:
    node = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
    for orphan in path.parent.glob(f".{glob.escape(path.name)}.{node}.[0-9]*.part"):
        if not _alive(int(orphan.name.split(".")[-2])):  # of a run that was killed
            orphan.unlink(missing_ok=True)
    part = path.with_name(f".{path.name}.{node}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def _alive(process: int) -> bool:
    """Whether a process of this machine may still run."""
    if os.name != "posix":
        return True  # there is no harmless signal to ask with
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _like(decoded: Pixels, original: Pixels) -> Pixels:
    """The decoded picture in the original's shape; grey from formats without it is their green plane."""
    planes = decoded[:, :, None] if decoded.ndim == 2 else decoded
    if original.shape[2] == 1 and planes.shape[2] == 3:
        planes = planes[:, :, 1:2]
    if planes.shape != original.shape or planes.dtype != original.dtype:
        raise WynerError(f"decoded to {planes.shape} {planes.dtype}, not {original.shape} {original.dtype}")
    return np.ascontiguousarray(planes)


def _missed(task: Task, size: int, area: int) -> list[str]:
    if task.target_bpp is None:
        return []
    off = 8 * size / area / task.target_bpp - 1
    return [] if abs(off) <= task.tolerance else [f"rate is {off:+.1%} from the target, the nearest found"]
