"""Which code made a record: a hash of the files of this package that its numbers depend on."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
MEASURING = (
    "bench/task.py", "bench/given.py", "bench/measure.py", "bench/search.py", "metrics", "image.py", "io.py",
    "png16.py", "pnm.py", "orientation.py", "pil_modes.py",
)  # fmt: skip
_SUFFIXES = (".py", ".json", ".toml", ".so", ".pyd", ".safetensors")


@cache
def code_hash(parts: tuple[str, ...]) -> str:
    """12 hexadecimal digits of the named files and folders of the package.

    A part with a leading ``-`` is left out; when all have one, everything else is in.
    """
    wanted = [PACKAGE / part for part in parts if not part.startswith("-")] or [PACKAGE]
    unwanted = tuple(part[1:] for part in parts if part.startswith("-"))
    digest = hashlib.sha256()
    for path in sorted({file for part in wanted for file in _files(part)}):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith(unwanted or ("-",)):
            content = hashlib.sha256(path.read_bytes()).digest()
            digest.update(name.encode() + b"\0" + content)
    return digest.hexdigest()[:12]


def _files(part: Path) -> list[Path]:
    if part.is_file():
        return [part]
    return [path for path in part.rglob("*") if path.suffix in _SUFFIXES]
