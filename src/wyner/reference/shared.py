"""Pictures of a set (docs/spec/shared.md, sections 2 and 3)."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from wyner.errors import CorruptError, UsageError
from wyner.reference.arithmetic import rshift
from wyner.reference.laplace import IDX_MAX, VALUE_MAX, symbol
from wyner.reference.latents import decode_latents
from wyner.reference.network import (
    GROUPS,
    Header,
    Network,
    check_bounds,
    decode_network,
    is_absent,
    layout,
)
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
    decoder = RangeDecoder(payload)
    if decoder.bits(1):
        network = _own_networks(decoder, network)
    latents = decode_latents(decoder, network, width, height)
    return to_samples(synthesise(upsample(latents, network), network), channels, maxval)


def _own_networks(decoder: RangeDecoder, base: Network) -> Network:
    header, changed = _own_header(decoder, base.header)
    p = {}
    for tensor in layout(base.header.model, base.header.grids):
        g = tensor.group
        values = base.p[tensor.name].copy()
        if changed[g]:
            for index in np.ndindex(values.shape):
                if not is_absent(tensor.name, index, base.header.grids):
                    values[index] = _own_value(
                        decoder, int(values[index]), header.k[g], base.header.k[g], header.s[g]
                    )
        p[tensor.name] = values
    network = Network(header, p)
    check_bounds(network)
    return network


def _own_header(decoder: RangeDecoder, base: Header) -> tuple[Header, list[bool]]:
    fa, fu = decoder.bits(4), decoder.bits(4)
    k, s, changed = list(base.k), [0] * GROUPS, []
    for g in range(GROUPS):
        changed.append(bool(decoder.bits(1)))
        if changed[g]:
            k[g] = base.k[g] + symbol(decoder, 0, 72)
            s[g] = symbol(decoder, 0, 88)
    in_range = all(0 <= k[g] <= 13 and -64 <= s[g] <= 64 for g in range(GROUPS))
    if not (4 <= fa <= 11 and 2 <= fu <= 11 and in_range):
        raise CorruptError("a field of the picture's own networks is out of range")
    return dataclasses.replace(base, fa=fa, fu=fu, k=k, s=s), changed


def _own_value(decoder: RangeDecoder, value: int, k: int, base_k: int, s: int) -> int:
    mean = value << (k - base_k) if k >= base_k else int(rshift(value, base_k - k))
    idx = min(max(32 + 16 * (k - base_k) + 4 * s, 0), IDX_MAX)
    own = mean + symbol(decoder, 0, idx)
    if abs(own) > VALUE_MAX:
        raise CorruptError("parameter out of range")
    return own
