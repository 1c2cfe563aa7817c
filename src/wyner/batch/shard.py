"""Dividing work among machines that need not talk to each other."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from ..errors import UsageError


@dataclass(frozen=True)
class Shard:
    """Part ``number`` of ``count``, both >= 1. Raises UsageError when there is no such part."""

    number: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise UsageError(f"shard {self.number}/{self.count} does not exist; k/N goes from 1/N to N/N")

    @classmethod
    def parse(cls, text: str) -> Shard:
        """The shard that "k/N" names, such as "2/8". Raises UsageError."""
        match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
        if not match:
            raise UsageError(f"shard {text!r} is not of the form k/N, such as 2/8")
        return cls(int(match[1]), int(match[2]))

    def holds(self, name: str) -> bool:
        """Whether ``name`` (of a file, with "/" or "\\" between folders, or a key) belongs to this shard.

        Exactly one of the ``count`` shards holds a name, whatever other names there are.
        """
        unix = name.replace("\\", "/").encode("utf-8", "surrogateescape")
        return int.from_bytes(hashlib.sha256(unix).digest()[:8], "big") % self.count == self.number - 1

    def file_name(self, stem: str) -> str:
        """The name of this shard's file of JSON lines: "stem-k-of-N.jsonl"."""
        return f"{stem}-{self.number}-of-{self.count}.jsonl"
