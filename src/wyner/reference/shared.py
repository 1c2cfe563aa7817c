"""Pictures of a set (docs/spec/shared.md, sections 2 and 3)."""

import numpy as np
from numpy.typing import NDArray

from wyner.errors import UsageError
from wyner.reference.latents import decode_latents
from wyner.reference.network import decode_network
from wyner.reference.range_decoder import RangeDecoder
from wyner.reference.synthesis import synthesise, to_samples, upsample


def decode_shared(
    networks: bytes, payload: bytes, width: int, height: int, channels: int, maxval: int
) -> NDArray[np.generic]:
    """Decode one picture of a set.

    networks: of the set, as its `M` chunk ends with them. Everything else is as `decode_overfit` takes it,
    gives it and raises it.
    """
    if width < 1 or height < 1 or channels not in (1, 3) or maxval not in (255, 65535):
        raise UsageError("decode_shared: argument out of range")
    network = decode_network(RangeDecoder(networks))
    latents = decode_latents(RangeDecoder(payload), network, width, height)
    return to_samples(synthesise(upsample(latents, network), network), channels, maxval)
