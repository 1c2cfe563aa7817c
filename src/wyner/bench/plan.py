"""The tasks that follow from an experiment, and what of it cannot be done."""

from __future__ import annotations

import dataclasses
import glob
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
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

    side_name: likewise of the side picture. wrong: the side picture of another pair, if there is one that is
    unlike both.
    """

    name: str
    path: str
    side: str | None = None
    side_name: str | None = None
    wrong: str | None = None


@dataclass(frozen=True)
class _Wish:
    """A file that is made of every picture; ``depends``: what it depends on beside the pictures.

    target: the rate that it is to meet, or None. model: the hash of the codec's model, if it has several.
    """

    codec: Codec
    setting: Setting
    target: float | None
    model: str | None
    depends: Mapping[str, Any]


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

    A picture that is not there or that has no side picture for a codec that takes one, a line of a pair list
    that is wrong, and a codec or a model that is not there are problems of their own; the rest goes on.
    Raises UsageError for a pair list without its columns.
    """
    plan = Plan()
    wishes = _wishes(experiment, plan)
    measuring = {"metrics": experiment.metrics, "available": measure.available(experiment.metrics)}
    hashes: dict[str, str] = {}
    found = _with_wrong(_hashed(pictures(experiment, plan), hashes, plan), hashes)
    plan.images = list(dict.fromkeys(picture.name for picture in found))
    tasks: dict[str, Task] = {}
    for picture in found:
        lacking = {}
        for wish in wishes:
            why = _lacks(picture, wish)
            if why is None:
                task = _task(experiment, run, wish, picture, hashes, measuring)
                tasks[task.key] = task
            else:
                lacking[why] = picture.name, UsageError(why)
        plan.problems += lacking.values()
    plan.tasks = list(tasks.values())
    return plan


def _lacks(picture: Picture, wish: _Wish) -> str | None:
    """Why a file cannot be made of a picture, None if it can."""
    control = control_of(wish.setting)
    if not wish.codec.takes_side or control == "none":
        return None
    if picture.side is None:
        return f"{wish.codec.name} takes pictures of a pair list; this one is of none"
    if control == "wrong" and picture.wrong is None:
        return "side = wrong takes another pair, of other pictures; the list has none"
    return None


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
    paired = {path for path, side in found if side}
    return _named([pair for pair in dict.fromkeys(found) if pair[1] or pair[0] not in paired])


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
    names = _names({path for path, _ in found})
    sides = _names({side for _, side in found if side})
    return [Picture(names[path], path, side, sides[side] if side else None) for path, side in found]


def _names(paths: Collection[str]) -> dict[str, str]:
    """By path the file's stem; files of one stem get as many folders before it as tell them apart."""

    def name(path: str, depth: int) -> str:
        return "/".join(Path(path).with_suffix("").parts[-depth:])

    depths = dict.fromkeys(paths, 1)
    for _ in range(max((len(Path(path).parts) for path in depths), default=0)):
        names = [name(path, depth) for path, depth in depths.items()]
        twins = {n for n in names if names.count(n) > 1}
        if not twins:
            break
        depths = {path: depth + (name(path, depth) in twins) for path, depth in depths.items()}
    return {path: name(path, depth) for path, depth in depths.items()}


def _wishes(experiment: Experiment, plan: Plan) -> list[_Wish]:
    """The files that are made of one picture; what of them cannot be made is added to the plan's problems."""
    codecs: dict[str, tuple[Codec, dict[str, Any]]] = {}
    for name in dict.fromkeys(curve.codec for curve in experiment.curves):
        try:
            codec = registry.by_name(name)
            codecs[name] = codec, _codec_part(codec)
        except WynerError as error:
            plan.problems.append((name, error))
    wishes, problems = [], {}
    for name, setting, target in _points(experiment, codecs):
        codec, part = codecs[name]
        try:
            model = codec.model(setting)
        except (WynerError, OSError) as error:
            problems[name, str(error)] = name, error
            continue
        goal = None if target is None else [target, experiment.matched.tolerance]
        depends = {**part, "setting": setting, "goal": goal, **({"model": model} if model else {})}
        wishes.append(_Wish(codec, setting, target, model, depends))
    plan.problems += problems.values()
    return wishes


def _points(
    experiment: Experiment, codecs: Mapping[str, tuple[Codec, Any]]
) -> Iterator[tuple[str, Setting, float | None]]:
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
    wish: _Wish,
    picture: Picture,
    hashes: Mapping[str, str],
    measuring: dict[str, Any],
) -> Task:
    codec, setting = wish.codec, wish.setting
    with_side = codec.takes_side and picture.side is not None
    given = {"wrong": picture.wrong, "none": None}.get(control_of(setting), picture.side)
    side_path = given if with_side else None
    contents = [hashes[path] for path in (picture.path, side_path) if path]
    encode_key = task_key(wish.depends, *contents)
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
        side=picture.side_name if with_side else None,
        side_path=side_path,
        side_hash=hashes[side_path] if side_path else None,
        metrics=experiment.metrics,
        run=str(run),
        code=code,
        threads=experiment.threads,
        keep=experiment.keep_files,
        target_bpp=wish.target,
        tolerance=experiment.matched.tolerance,
        model=wish.model,
    )


def _codec_part(codec: Codec) -> dict[str, Any]:
    """What a codec's files depend on beside setting and picture."""
    encoder = code_hash(codec.code_parts)
    return {"codec": codec.name, "version": codec.version(), "fixed": codec.fixed, "code": encoder}
