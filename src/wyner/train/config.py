"""Configurations of trainings: TOML files, presets of the package, and single values over them."""

from __future__ import annotations

import dataclasses
import json
import typing
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from ..errors import UnavailableError, UsageError

T = TypeVar("T")


def read_config(name: str, changes: list[tuple[str, str]]) -> dict[str, Any]:
    """The tables of a .toml or .json file, or of a preset, with changes ("table.key", JSON value).

    A value that is not JSON is a string. Raises UsageError for a file that is not there or cannot be read and
    for a change of what is not in a table, and UnavailableError where Python has no TOML reader.
    """
    text = _text(name)
    try:
        tables: Any = json.loads(text) if name.endswith(".json") else _toml(text)
    except ValueError as error:  # the base of both readers' errors
        raise UsageError(f"{name}: {error}") from None
    if not isinstance(tables, dict):
        raise UsageError(f"{name} has no tables")
    for path, given in changes:
        table, _, key = path.partition(".")
        try:
            value = json.loads(given)
        except ValueError:
            value = given
        if not isinstance(tables.setdefault(table, {}), dict):
            raise UsageError(f"{table} is not a table, so that {path} cannot be set")
        tables[table][key] = value
    return tables


def from_table(kind: type[T], table: dict[str, Any]) -> T:
    """A frozen dataclass from a table of its fields, tables in it for fields that are dataclasses.

    Fields that the table lacks have their defaults. Raises UsageError for unknown names and wrong types.
    """
    hints = typing.get_type_hints(kind)
    unknown = set(table) - set(hints)
    if unknown:
        raise UsageError(f"no setting is called {', '.join(sorted(unknown))}; there are: {', '.join(hints)}")
    values = {}
    for name, hint in hints.items():
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            inner = table.get(name, {})
            if not isinstance(inner, dict):
                raise UsageError(f"{name} must be a table, not {inner!r}")
            values[name] = from_table(hint, inner)
        elif name in table:
            values[name] = _converted(name, hint, table[name])
    try:
        return kind(**values)
    except TypeError as error:
        raise UsageError(str(error).partition("() ")[2]) from None


def _converted(name: str, hint: Any, value: Any) -> Any:
    """The value, with integers for real numbers and lists for tuples accepted."""
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, dict):
            raise UsageError(f"{name} must be a table, not {value!r}")
        return from_table(hint, value)
    choices = typing.get_args(hint)
    wrong = UsageError(f"{name} cannot be {value!r}")
    if typing.get_origin(hint) is typing.Literal:
        if value not in choices:
            raise UsageError(f"{name} is one of {', '.join(choices)}, not {value!r}")
        return value
    if typing.get_origin(hint) is tuple:
        if not isinstance(value, list) or (choices[-1] is not ... and len(value) != len(choices)):
            raise wrong
        return tuple(_converted(name, choices[0], entry) for entry in value)
    kinds = choices or (hint,)
    if float in kinds and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not any(type(value) is kind for kind in kinds):
        raise wrong
    return value


def _toml(text: str) -> dict[str, Any]:
    try:
        import tomllib
    except ImportError:  # before Python 3.11
        try:
            import tomli as tomllib
        except ImportError:
            raise UnavailableError("TOML files need a package here: pip install tomli") from None
    return tomllib.loads(text)


def _text(name: str) -> str:
    if name.endswith((".toml", ".json")):
        try:
            return Path(name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot read {name}: {error}") from None
    folder = resources.files("wyner") / "presets"
    preset = folder / f"{name}.toml"
    if not preset.is_file():
        names = sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir())
        raise UsageError(f"no preset is called {name!r}; there are: {', '.join(names)}")
    return preset.read_text(encoding="utf-8")
