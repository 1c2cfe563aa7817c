"""Where the models of learned codecs are: in the package, and in folders that WYNER_MODELS names."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Generic, TypeVar

from ...errors import CorruptError, UnavailableError, UsageError
from .model import Model, content_hash

SUFFIX = ".safetensors"
FOLDERS = "WYNER_MODELS"

M = TypeVar("M", bound=Model)


class Store(Generic[M]):
    """The models of one codec, by name and by hash."""

    def __init__(self, make: Callable[[bytes], M]) -> None:
        """make: from a file's contents; raises CorruptError."""
        self.make = make
        self._load = functools.lru_cache(maxsize=4)(self._read)

    def by_name(self, name: str) -> M:
        """The model of a file, or of a name in a folder of WYNER_MODELS or in the package.

        Raises UsageError when there is none, and CorruptError.
        """
        if name.endswith(SUFFIX):
            if not Path(name).is_file():
                raise UsageError(f"there is no {name}")
            return self._load(*_version(Path(name)))
        names = []
        for path in self._files():
            if path.name.removesuffix(SUFFIX) == name:
                return self._load(*_version(path))
            names.append(path.name.removesuffix(SUFFIX))
        raise UsageError(f"no model is called {name!r}; there are: {', '.join(sorted(names)) or 'none'}")

    def by_hash(self, digest: bytes) -> M:
        """The model that a file was made with. Raises UnavailableError, which says what to fetch."""
        for path in self._files():
            if _hash_of(*_version(path)) == digest:
                return self._load(*_version(path))
        raise UnavailableError(
            f"this file needs the model {digest.hex()}, which is not here: "
            f"put its {SUFFIX} file into a folder and name that in {FOLDERS}"
        )

    @staticmethod
    def _files() -> Iterator[Path]:
        folders = [Path(folder) for folder in os.environ.get(FOLDERS, "").split(os.pathsep) if folder]
        for folder in (*folders, Path(str(resources.files("wyner") / "weights"))):
            if folder.is_dir():
                yield from sorted(folder.glob(f"*{SUFFIX}"))

    def _read(self, path: str, changed: int, size: int) -> M:
        try:
            return self.make(Path(path).read_bytes())
        except CorruptError as error:
            raise CorruptError(f"{path}: {error}") from None


def _version(path: Path) -> tuple[str, int, int]:
    """A file as it is now: caches must not outlive it."""
    status = path.stat()
    return str(path), status.st_mtime_ns, status.st_size


@functools.lru_cache(maxsize=1000)
def _hash_of(path: str, changed: int, size: int) -> bytes:
    return content_hash(Path(path).read_bytes())
