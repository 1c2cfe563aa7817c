"""The decoding processes of `docs/spec/`, in plain Python and NumPy: slow, exact, and easy to read.

This package is the oracle the native decoder is tested against, and the place to look when writing another
decoder. It was written from the specification alone. All arithmetic is on Python integers or int64 arrays,
where none of the values the specification allows can overflow.

One file per group of sections: `range_decoder` (2), `laplace` (3), `network` (4-6), `latents` (7),
`synthesis` (8-9), `plane` for the lossless planes of `docs/spec/plane.md`, and `side_field` (1-4),
`side_payload` (5) and `side` (6-8) for `docs/spec/side.md`; `coder` for `docs/spec/coder.md`; `lossless`
(1, 2, 6, 7), `lossless_network` (3-5, 9), `lossless_tuning` (7) and `drawn` (8) for `docs/spec/lossless.md`;
`shared` (2, 3) for `docs/spec/shared.md`.
"""

import numpy as np
from numpy.typing import NDArray

from wyner.errors import UsageError
from wyner.reference.latents import decode_latents
from wyner.reference.lossless import decode_lossless
from wyner.reference.network import decode_network
from wyner.reference.plane import decode_plane
from wyner.reference.range_decoder import RangeDecoder
from wyner.reference.shared import decode_shared
from wyner.reference.synthesis import synthesise, to_samples, upsample

__all__ = ["decode_lossless", "decode_overfit", "decode_plane", "decode_shared"]


def decode_overfit(
    payload: bytes, width: int, height: int, channels: int, maxval: int
) -> NDArray[np.generic]:
    """Decode an `overfit` payload (docs/spec/overfit.md).

    Args:
        payload: the coded bytes, without the container header.
        width, height: picture size, each >= 1.
        channels: 1 (grey) or 3 (RGB).
        maxval: 255 or 65535.

    Returns:
        Samples in 0..maxval, shape (height, width, channels), uint8 if maxval is 255, else uint16.

    Raises:
        CorruptError: the payload breaks a rule of the specification.
        UnsupportedError: the payload names a model this version does not have.
        UsageError: an argument is outside its range.
    """
    if width < 1 or height < 1 or channels not in (1, 3) or maxval not in (255, 65535):
        raise UsageError("decode_overfit: argument out of range")
    decoder = RangeDecoder(payload)
    network = decode_network(decoder)
    latents = decode_latents(decoder, network, width, height)
    planes = upsample(latents, network)
    return to_samples(synthesise(planes, network), channels, maxval)
