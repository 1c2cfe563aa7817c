"""Three pictures that need no file: a radial gradient, a sine wave and a checkerboard."""

from __future__ import annotations

import numpy as np

from ..errors import UsageError
from ..image import Image

_PERIODS = 4
_SQUARES = 8
_SIZES = range(1, 2049)


def synthetic_pictures(size: int) -> dict[str, Image]:
    """Grey 8-bit pictures (size, size, 1) by name, over 0..255. Raises UsageError unless size is 1..2048."""
    if size not in _SIZES:
        raise UsageError(f"the size of the synthetic pictures must be {_SIZES[0]}..{_SIZES[-1]}, not {size}")
    y, x = np.mgrid[0:size, 0:size]
    centre = (size - 1) / 2
    distance = np.hypot(y - centre, x - centre)
    samples = {
        "radial-gradient": 1 - distance / max(1, distance.max()),
        "sine-wave": 0.5 + 0.5 * np.sin(2 * np.pi * _PERIODS * x / size),
        "checkerboard": (x * _SQUARES // size + y * _SQUARES // size) % 2,
    }
    return {name: Image.from_array(np.round(255 * v).astype(np.uint8)) for name, v in samples.items()}
