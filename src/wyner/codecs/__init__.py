"""The codecs by name and by the id that files carry. Modules are imported when they are first used."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, cast

from ..errors import CorruptError, UnsupportedError, UsageError
from .base import Codec

MODULES: dict[str, str] = {
    "overfit": "wyner.codecs.overfit",
    "side": "wyner.codecs.side",
    "lossless": "wyner.codecs.lossless",
    "learned": "wyner.codecs.learned",
    "ndic": "wyner.codecs.distributed",
}
IDS: dict[int, str] = {1: "overfit", 2: "side", 3: "lossless", 4: "learned", 5: "ndic"}
IN_SETS = 6
"""The id of the codec ``shared``, whose pictures come in sets alone (wyner.sets)."""


def by_name(name: str) -> Codec:
    """Return the codec called ``name``. Raises UsageError for an unknown name."""
    if name not in MODULES:
        raise UsageError(f"no codec is called {name!r}; there are: {', '.join(sorted(MODULES))}")
    return cast(Codec, importlib.import_module(MODULES[name]))


def model_hash(name: str, options: Mapping[str, Any]) -> str | None:
    """Hex digits of the hash of the model that an encoder's options name; None of codecs without models.

    A model may be replaced by another of its name. Raises UsageError where there is none, and CorruptError.
    """
    codec: Any = by_name(name)
    if "model" not in codec.OPTIONS:
        return None
    return str(codec.STORE.by_name(str(options.get("model") or codec.DEFAULT)).digest.hex())


def by_id(codec_id: int, version: int) -> Codec:
    """Return the codec with this id in a file of one picture.

    Raises UnsupportedError for an unknown id or version, CorruptError for one of sets alone.
    """
    if codec_id == IN_SETS:
        raise CorruptError("the file holds a picture of a set without its set")
    if codec_id not in IDS:
        raise UnsupportedError(f"the file uses codec {codec_id}, which this version of wyner does not know")
    codec = by_name(IDS[codec_id])
    if version != codec.VERSION:
        raise UnsupportedError(
            f"the file uses version {version} of the codec {IDS[codec_id]!r}; "
            f"this version of wyner decodes version {codec.VERSION}"
        )
    return codec
