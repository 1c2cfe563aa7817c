"""One experiment: a TOML file as frozen dataclasses (docs/guide/benchmark.md lists the keys)."""

from __future__ import annotations

import itertools
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UnavailableError, UsageError
from . import registry
from .codec import Codec, Setting, label
from .measure import METRICS

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TOP = (
    "name", "description", "images", "pairs", "metrics", "codecs", "matched", "published", "reference",
    "threads", "keep_files", "output",
)  # fmt: skip


@dataclass(frozen=True)
class Curve:
    """A codec and the settings that it is run with, one file for each."""

    codec: str
    settings: tuple[Setting, ...]


@dataclass(frozen=True)
class Matched:
    """Rates (bits per pixel) at which every lossy codec is also measured, met within ``tolerance``."""

    bpp: tuple[float, ...] = ()
    tolerance: float = 0.02


@dataclass(frozen=True)
class Published:
    """Data files of published curves; ``curves`` names those to show, all when it is empty."""

    files: tuple[Path, ...] = ()
    curves: tuple[str, ...] = ()


@dataclass(frozen=True)
class Experiment:
    """What is measured. ``images`` and ``pairs`` are as written, with variables expanded and paths absolute.

    reference: the codec that others are compared with in tables, None for the first one.
    threads: of one encoder or decoder. keep_files: False removes each file once it is measured.
    """

    name: str
    images: tuple[str, ...]
    pairs: tuple[Path, ...]
    curves: tuple[Curve, ...]
    description: str = ""
    metrics: tuple[str, ...] = ("psnr", "ms_ssim")
    matched: Matched = Matched()
    published: Published = Published()
    reference: str | None = None
    threads: int = 1
    keep_files: bool = True
    output: Path | None = None


def load(path: str | os.PathLike[str]) -> Experiment:
    """Read an experiment. Relative paths start at the file's folder, ``$NAME`` is an environment variable.

    Raises UsageError, naming the key, for anything that is unknown, missing, of another type or out of range,
    and OSError when the file cannot be read.
    """
    source = Path(path)
    text = source.read_text(encoding="utf-8")
    toml = _toml()
    try:
        table = toml.loads(text)
    except toml.TOMLDecodeError as error:
        raise UsageError(f"{path} is not TOML: {error}") from None
    try:
        return parse(table, source.parent)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def parse(table: Mapping[str, Any], folder: Path) -> Experiment:
    """An experiment from the tables of its TOML file, which lies in ``folder``. Raises UsageError."""
    keys = _Keys(table, "", _TOP)
    name = keys.get("name", str)
    if not _NAME.fullmatch(name):
        raise UsageError(f"name: {name!r} must be of letters, digits, '.', '_' and '-'")
    metrics = keys.list("metrics", str, ("psnr", "ms_ssim"))
    for metric in metrics:
        _one_of("metrics", metric, METRICS)
    images = tuple(_path("images", text, folder) for text in keys.list("images", str, ()))
    pairs = tuple(Path(_path("pairs", text, folder)) for text in keys.list("pairs", str, ()))
    if not images and not pairs:
        raise UsageError("images: name files, folders or patterns here, or pair lists in pairs")
    output = keys.get("output", str, "")
    return Experiment(
        name=name,
        images=images,
        pairs=pairs,
        curves=_curves(keys),
        description=keys.get("description", str, ""),
        metrics=tuple(dict.fromkeys(("psnr", *metrics))),
        matched=_matched(keys),
        published=_published(keys, folder),
        reference=keys.get("reference", str, "") or None,
        threads=keys.positive("threads", 1),
        keep_files=keys.get("keep_files", bool, True),
        output=Path(_path("output", output, folder)) if output else None,
    )


def settings_of(table: Mapping[str, Any]) -> list[Setting]:
    """All combinations of the values that are lists, in the order in which the keys stand."""
    names = list(table)
    choices = [value if isinstance(value, list) else [value] for value in table.values()]
    return [dict(zip(names, values, strict=True)) for values in itertools.product(*choices)]


class _Keys:
    """Typed reading of a table's keys, with errors that name them."""

    def __init__(self, table: Any, where: str, known: tuple[str, ...]) -> None:
        if not isinstance(table, Mapping):
            raise UsageError(f"{where.rstrip('.')}: must be a table")
        self._table, self._where = table, where
        for key in table:
            _one_of(where + key, key, known, what="unknown key")

    def get(self, key: str, kind: type, default: Any = None) -> Any:
        """The value of a key, of one type; without a default the key must be there."""
        if key not in self._table:
            if default is None:
                raise UsageError(f"{self._where}{key}: missing")
            return default
        return _typed(self._where + key, self._table[key], kind)

    def list(self, key: str, kind: type, default: tuple[Any, ...] | None = None) -> tuple[Any, ...]:
        """A list of values of one type; a single value stands for a list of one."""
        if key not in self._table:
            if default is None:
                raise UsageError(f"{self._where}{key}: missing")
            return default
        value = self._table[key]
        items = value if isinstance(value, list) else [value]
        return tuple(_typed(f"{self._where}{key}", item, kind) for item in items)

    def positive(self, key: str, default: int) -> int:
        """A whole number of at least 1."""
        value = int(self.get(key, int, default))
        if value < 1:
            raise UsageError(f"{self._where}{key}: {value} must be at least 1")
        return value

    def table(self, key: str, known: tuple[str, ...]) -> _Keys:
        """A table of its own inside this one, empty when it is absent."""
        return _Keys(self._table.get(key, {}), f"{self._where}{key}.", known)


def _curves(keys: _Keys) -> tuple[Curve, ...]:
    curves = []
    for index, table in enumerate(keys.list("codecs", dict)):
        where = f"codecs[{index}]"
        entry = dict(table)
        name = _typed(f"{where}.name", entry.pop("name", None), str)
        try:
            codec = registry.by_name(name)
        except UsageError as error:
            raise UsageError(f"{where}.name: {error}") from None
        for key, value in entry.items():
            _one_of(f"{where}.{key}", key, tuple(sorted(codec.keys)), what=f"{name} has no setting")
            if value == []:
                raise UsageError(f"{where}.{key}: name at least one value")
        settings = _complete(codec, settings_of(entry))
        if not settings:
            raise UsageError(f"{where}: name a rate; {name} has none of its own")
        for setting in settings:
            try:
                codec.check(setting)
            except (UsageError, TypeError) as error:
                raise UsageError(f"{where}: {error}") from None
        curves.append(Curve(name, tuple(settings)))
    if not curves:
        raise UsageError("codecs: name at least one codec")
    _no_twins(curves)
    return tuple(curves)


def _complete(codec: Codec, settings: list[Setting]) -> list[Setting]:
    """Settings that name no rate get those of the codec's own ladder; a lossless codec has no rates there."""
    rates = {key for rung in codec.ladder for key in rung} & codec.rate_keys
    complete: list[Setting] = []
    for setting in settings:
        if codec.rate_keys & set(setting):
            complete.append(setting)
        else:
            complete += [{**rung, **setting} for rung in codec.ladder if rates <= set(rung)]
    return complete


def _no_twins(curves: list[Curve]) -> None:
    seen = set()
    for curve in curves:
        for setting in curve.settings:
            identity = (curve.codec, repr(sorted(setting.items(), key=str)))
            if identity in seen:
                raise UsageError(f"codecs: {label(curve.codec, setting)} {dict(setting)} is named twice")
            seen.add(identity)


def _matched(keys: _Keys) -> Matched:
    table = keys.table("matched", ("bpp", "tolerance"))
    rates = table.list("bpp", float, ())
    tolerance = table.get("tolerance", float, 0.02)
    for key, values in (("bpp", rates), ("tolerance", (tolerance,))):
        for value in values:
            if not 0 < value < 1000:
                raise UsageError(f"matched.{key}: {value:g} must be positive")
    return Matched(tuple(sorted(set(rates))), tolerance)


def _published(keys: _Keys, folder: Path) -> Published:
    table = keys.table("published", ("folder", "files", "curves"))
    files = table.list("files", str, ())
    base = Path(_path("published.folder", table.get("folder", str, "."), folder))
    return Published(
        tuple(Path(_path("published.files", name, base)) for name in files), table.list("curves", str, ())
    )


def _path(key: str, text: str, folder: Path) -> str:
    """A path with ``~`` and variables expanded, absolute."""

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name not in os.environ:
            raise UsageError(f"{key}: {text!r} needs the environment variable {name}")
        return os.environ[name]

    expanded = os.path.expanduser(re.sub(r"\$(?:(\w+)|\{(\w+)\})", value, text))
    return os.path.normpath(os.path.join(os.path.abspath(folder), expanded))


def _typed(key: str, value: Any, kind: type) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        names = {
            str: "text",
            float: "a number",
            int: "a whole number",
            bool: "true or false",
            dict: "a table",
        }
        raise UsageError(f"{key}: {'missing' if value is None else f'{value!r} must be {names[kind]}'}")
    return value


def _one_of(key: str, value: str, known: tuple[str, ...], what: str = "unknown") -> None:
    if value not in known:
        raise UsageError(f"{key}: {what} {value!r}; there are: {', '.join(known) or 'none'}")


def _toml() -> Any:
    if sys.version_info >= (3, 11):
        import tomllib

        return tomllib
    try:
        import tomli
    except ImportError:
        raise UnavailableError("experiments need Python 3.11, or: pip install 'wyner[bench]'") from None
    return tomli
