"""The tasks that follow from an experiment, and what of it cannot be done."""

from __future__ import annotations

import dataclasses
import glob
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import io
from ..batch.content import content_key, task_key
from ..batch.expand import expand
from ..batch.pairs import read_pairs
from ..errors import UsageError, WynerError
from . import measure, registry
from .code import code_hash
from .codec import RATE_KEYS, Codec, Setting, label
from .experiment import Experiment
from .given import control_of, wrong_ones
from .task import Task, code_of

SUFFIXES = frozenset((*io.SUFFIXES, ".bmp", ".gif", ".avif", ".jp2"))
"""What is taken from a folder; files that are named or fit a pattern are taken whatever their suffix."""


@dataclass(frozen=True)
class Picture:
    """A picture, and its side picture where a pair list names one. ``name`` is unique in an experiment.

    wrong: the side picture of another pair, if there is one that is unlike both.
    """

    name: str
    path: str
    side: str | None = None
    wrong: str | None = None


@dataclass
class Plan:
    """Tasks in the order in which they should run; images: the names of all pictures that are there.

    problems: (what, error) for what of the experiment cannot be done.
    """

    tasks: list[Task] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    problems: list[tuple[str, WynerError | OSError]] = field(default_factory=list)


def make_plan(experiment: Experiment, run: Path) -> Plan:
    """All tasks of an experiment whose records go to the folder ``run``.

    A picture that is not there, a line of a pair list that is wrong and a codec that is not installed are
    problems of their own; everything else goes on. Raises UsageError for a pair list without its columns.
    """
    plan = Plan()
    codecs: dict[str, tuple[Codec, dict[str, Any]]] = {}
    for name in dict.fromkeys(curve.codec for curve in experiment.curves):
        try:
            codec = registry.by_name(name)
            codecs[name] = codec, _codec_part(codec)
        except WynerError as error:
            plan.problems.append((name, error))
    measuring = {"metrics": experiment.metrics, "available": measure.available(experiment.metrics)}
    hashes: dict[str, str] = {}
    for picture in _with_wrong(_hashed(pictures(experiment, plan), hashes, plan), hashes):
        plan.images.append(picture.name)
        for name, setting, target in _wishes(experiment, codecs):
            codec, part = codecs[name]
            if picture.side and codec.takes_side and control_of(setting) == "wrong" and not picture.wrong:
                problem = UsageError("side = wrong takes another pair, of other pictures; the list has none")
                plan.problems.append((picture.name, problem))
                continue
            plan.tasks.append(
                _task(experiment, run, codec, part, setting, target, picture, hashes, measuring)
            )
    plan.tasks = list({task.key: task for task in plan.tasks}.values())
    return plan


def _hashed(found: Sequence[Picture], hashes: dict[str, str], plan: Plan) -> list[Picture]:
    """The pictures whose files can be read, the keys of their contents added to ``hashes`` by path."""
    sound = []
    for picture in found:
        try:
            for path in (picture.path, picture.side):
                if path is not None and path not in hashes:
                    hashes[path] = content_key(path)
        except OSError as error:
            plan.problems.append((picture.name, error))
        else:
            sound.append(picture)
    return sound


def _with_wrong(found: Sequence[Picture], hashes: Mapping[str, str]) -> list[Picture]:
    """The same pictures, each of a pair with the side picture of another."""
    paired = [picture for picture in found if picture.side]
    contents = [(hashes[picture.path], hashes[picture.side]) for picture in paired if picture.side]
    wrong = {
        picture: None if other is None else paired[other].side
        for picture, other in zip(paired, wrong_ones(contents), strict=True)
    }
    return [dataclasses.replace(picture, wrong=wrong.get(picture)) for picture in found]


def pictures(experiment: Experiment, plan: Plan) -> list[Picture]:
    """The pictures of an experiment, each once; what names none is added to the plan's problems."""
    found: list[tuple[str, str | None]] = []
    for text in experiment.images:
        try:
            found += [(path, None) for path in _expand(text)]
        except (WynerError, OSError) as error:
            plan.problems.append((text, error))
    for path in experiment.pairs:
        found += _pairs(path, plan)
    return _named(list(dict.fromkeys(found)))


def _expand(text: str) -> list[str]:
    """The files that an entry of ``images`` stands for: a folder (with those below), a file, or a pattern."""
    if os.path.exists(text) or not glob.has_magic(text):  # a missing file is told of when it is read
        return [source.path for source in expand([text], (), SUFFIXES)]
    found = sorted(glob.glob(text, recursive=True))
    if not found:
        raise UsageError("no file fits this pattern")
    return found


def _pairs(path: Path, plan: Plan) -> list[tuple[str, str | None]]:
    """The pairs of a list whose files are there; the other rows are problems."""
    pairs, wrong = read_pairs(path)
    wrong += [UsageError(f"line {p.line}: there is no file {p.missing}") for p in pairs if p.missing]
    plan.problems += [(str(path), error) for error in wrong]
    return [(pair.image.path, pair.side) for pair in pairs if not pair.missing]


def _named(found: Sequence[tuple[str, str | None]]) -> list[Picture]:
    """Named by the file's stem; pictures of one stem get as many folders before it as tell them apart."""

    def name(path: str, depth: int) -> str:
        return "/".join(Path(path).with_suffix("").parts[-depth:])

    depths = dict.fromkeys((path for path, _ in found), 1)
    for _ in range(max((len(Path(path).parts) for path in depths), default=0)):
        names = [name(path, depth) for path, depth in depths.items()]
        twins = {n for n in names if names.count(n) > 1}
        if not twins:
            break
        depths = {path: depth + (name(path, depth) in twins) for path, depth in depths.items()}
    return [Picture(name(path, depths[path]), path, side) for path, side in found]


def _wishes(experiment: Experiment, codecs: dict[str, Any]) -> Iterator[tuple[str, Setting, float | None]]:
    """(codec, setting, matched rate or None) for each file that is made of one picture."""
    for curve in experiment.curves:
        if curve.codec in codecs:
            yield from ((curve.codec, setting, None) for setting in curve.settings)
    seen = set()
    for curve in experiment.curves:
        if curve.codec not in codecs or codecs[curve.codec][0].lossless:
            continue
        for setting in curve.settings:
            rest = {key: value for key, value in setting.items() if key not in RATE_KEYS}
            name = label(curve.codec, rest)
            if name not in seen:
                seen.add(name)
                yield from ((curve.codec, rest, bpp) for bpp in experiment.matched.bpp)


def _task(
    experiment: Experiment,
    run: Path,
    codec: Codec,
    part: dict[str, Any],
    setting: Setting,
    target: float | None,
    picture: Picture,
    hashes: Mapping[str, str],
    measuring: dict[str, Any],
) -> Task:
    with_side = codec.takes_side and picture.side is not None
    given = {"wrong": picture.wrong, "none": None}.get(control_of(setting), picture.side)
    side_path = given if with_side else None
    goal = None if target is None else [target, experiment.matched.tolerance]
    contents = [hashes[path] for path in (picture.path, side_path) if path]
    encode_key = task_key({**part, "setting": setting, "goal": goal}, *contents)
    code = code_of(codec)
    return Task(
        key=task_key({**measuring, "code": code}, encode_key),
        encode_key=encode_key,
        experiment=experiment.name,
        codec=codec.name,
        setting=setting,
        label=label(codec.name, setting),
        image=picture.name,
        image_path=picture.path,
        image_hash=hashes[picture.path],
        side=Path(picture.side).stem if with_side and picture.side else None,
        side_path=side_path,
        side_hash=hashes[side_path] if side_path else None,
        metrics=experiment.metrics,
        run=str(run),
        code=code,
        threads=experiment.threads,
        keep=experiment.keep_files,
        target_bpp=target,
        tolerance=experiment.matched.tolerance,
    )


def _codec_part(codec: Codec) -> dict[str, Any]:
    """What a codec's files depend on beside setting and picture."""
    encoder = code_hash(codec.code_parts)
    return {"codec": codec.name, "version": codec.version(), "fixed": codec.fixed, "code": encoder}
