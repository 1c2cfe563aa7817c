"""Lists of pairs: CSV that names pictures, each with the side picture that belongs to it."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass

from ..errors import UsageError
from .expand import Source, kept_name

COLUMNS = ("image", "side")


@dataclass(frozen=True)
class Pair:
    """A row. image: the file to work on, named as a list would name it. side: path of its side picture."""

    image: Source
    side: str
    line: int

    @property
    def missing(self) -> str | None:
        """The first of the two paths where no file is, or None."""
        return next((path for path in (self.image.path, self.side) if not os.path.isfile(path)), None)


def read_pairs(path: str | os.PathLike[str]) -> tuple[list[Pair], list[UsageError]]:
    """The rows of a CSV (UTF-8) with the columns image and side, and perhaps others.

    Relative paths start at the folder of the CSV; ``$NAME`` is a variable of the environment. The files need
    not exist. Returns the pairs, and an error for each row that names less than two files.

    Raises UsageError when a column is missing, there are no rows or it is no such text, and OSError.
    """
    pairs: list[Pair] = []
    problems: list[UsageError] = []
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            if not set(COLUMNS) <= set(reader.fieldnames or ()):
                raise UsageError(f"{path}: a pair list is CSV with the columns image and side")
            for row in reader:
                image, side = (os.path.expandvars((row[column] or "").strip()) for column in COLUMNS)
                if image and side:
                    pairs.append(_pair(os.path.dirname(path), image, side, reader.line_num))
                else:
                    lacking = "side" if image else "image"
                    problems.append(UsageError(f"line {reader.line_num}: the column {lacking} is empty"))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path}: this is not CSV in UTF-8 ({error})") from None
    if not pairs and not problems:
        raise UsageError(f"{path}: the pair list has no rows")
    return pairs, problems


def _pair(folder: str, image: str, side: str, line: int) -> Pair:
    source = Source(os.path.join(folder, image), kept_name(image), True)
    return Pair(source, os.path.join(folder, side), line)
