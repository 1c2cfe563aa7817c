"""Neural image compression fitted to each image, with a bit-exact integer decoder.

    data = wyner.encode("photo.png", quality=60)     # also a NumPy array or a PIL image
    image = wyner.decode(data)                       # image.pixels is (H, W, C)

Names are loaded when first used, so that ``import wyner`` costs next to nothing; nothing here imports torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import compare, decode, encode, info
    from .codecs.base import Progress
    from .container import Limits
    from .errors import (
        CorruptError,
        LimitError,
        SideImageError,
        TargetMissedError,
        UnsupportedError,
        UsageError,
        WynerError,
    )
    from .facts import ChunkInfo, Comparison, Info, SetInfo, SetPicture
    from .image import Image
    from .sets import add_to_set, decode_each, decode_picture, decode_set, encode_set, set_info

__version__ = "0.1.0"

_HOMES = {
    "api": ("compare", "decode", "encode", "info"),
    "codecs.base": ("Progress",),
    "container": ("Limits",),
    "errors": (
        "CorruptError",
        "LimitError",
        "SideImageError",
        "TargetMissedError",
        "UnsupportedError",
        "UsageError",
        "WynerError",
    ),
    "facts": ("ChunkInfo", "Comparison", "Info", "SetInfo", "SetPicture"),
    "image": ("Image",),
    "sets": ("add_to_set", "decode_each", "decode_picture", "decode_set", "encode_set", "set_info"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "ChunkInfo",
    "Comparison",
    "CorruptError",
    "Image",
    "Info",
    "LimitError",
    "Limits",
    "Progress",
    "SetInfo",
    "SetPicture",
    "SideImageError",
    "TargetMissedError",
    "UnsupportedError",
    "UsageError",
    "WynerError",
    "__version__",
    "add_to_set",
    "compare",
    "decode",
    "decode_each",
    "decode_picture",
    "decode_set",
    "encode",
    "encode_set",
    "info",
    "set_info",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'wyner' has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOME_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
