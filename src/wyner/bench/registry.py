"""All codecs that an experiment can name."""

from __future__ import annotations

from ..errors import UsageError
from . import anchors, wyner_codecs
from .codec import Codec

_extra: dict[str, Codec] = {}


def register(codec: Codec) -> None:
    """Add a codec of one's own, in every process that runs tasks of it; replaces one of the same name."""
    _extra[codec.name] = codec


def all_codecs() -> dict[str, Codec]:
    """Every codec by name, installed or not."""
    listed = {codec.name: codec for codec in (*wyner_codecs.all_codecs(), *anchors.all_codecs())}
    return {**listed, **_extra}


def by_name(name: str) -> Codec:
    """The codec called ``name``. Raises UsageError for an unknown name."""
    known = all_codecs()
    if name not in known:
        raise UsageError(f"no bench codec is called {name!r}; there are: {', '.join(known)}")
    return known[name]
