"""Names for contents and for tasks: hashes that are equal when the results would be."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_DIGITS = 32


def content_key(source: bytes | str | os.PathLike[str]) -> str:
    """SHA-256 of bytes, or of the file at a path, cut to 32 hexadecimal digits. Raises OSError."""
    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    return hashlib.sha256(data).hexdigest()[:_DIGITS]


def task_key(settings: Mapping[str, Any], *contents: str) -> str:
    """32 hexadecimal digits that name a task: all that its result depends on.

    settings: JSON values in any order; 60 and 60.0 differ. contents: ``content_key`` of each input. Raises
    TypeError or ValueError for what is not JSON, NaN and infinities included.
    """
    text = json.dumps([settings, *contents], sort_keys=True, separators=(",", ":"), allow_nan=False)
    return content_key(text.encode())
