"""Laplace-distributed symbols (docs/spec/overfit.md, section 3)."""

import json
from functools import cache
from importlib import resources

from wyner.errors import CorruptError
from wyner.reference.range_decoder import RangeDecoder

IDX_MAX = 208
VALUE_MAX = 32767


@cache
def tables() -> tuple[list[int], list[int], list[int]]:
    """EXP2 (256 entries), INVB (209) and WINDOW (209)."""
    data = json.loads(resources.files("wyner.reference").joinpath("tables.json").read_text())
    return data["EXP2"], data["INVB"], data["WINDOW"]


def _tail(d: int, idx: int) -> int:
    """Probability (out of 65536) that a Laplace variable of scale `idx` exceeds its mean by d >= 0 (Q6)."""
    exp2, invb, _ = tables()
    t = d * invb[idx]
    n = t >> 18
    return 0 if n >= 16 else exp2[(t >> 10) & 255] >> n


def _cdf(x: int, idx: int) -> int:
    """Probability (out of 65536) of lying below mean + x, x in Q6."""
    return 65536 - _tail(x, idx) if x >= 0 else _tail(-x, idx)


def _escape(decoder: RangeDecoder, idx: int) -> int:
    """The excess beyond the window, Exp-Golomb of an order that grows with the scale."""
    order = max(0, (idx - 80) >> 4)
    ones = 0
    while decoder.bits(1):
        ones += 1
        if ones > 15:
            raise CorruptError("escape too long")
    left = ones + order
    value = 0
    while left:
        n = min(16, left)
        value = (value << n) | decoder.bits(n)
        left -= n
    return (((1 << ones) - 1) << order) + value


def symbol(decoder: RangeDecoder, mu: int, idx: int) -> int:
    """Read an integer with mean mu (Q6) and scale 2^((idx - 80)/16), idx in 0..208.

    The window around the mean has one entry per value, each of probability at least 1/65536, between two
    escape entries. Returns a value in -32767..32767; raises CorruptError beyond.
    """
    centre = (mu + 32) >> 6
    w = tables()[2][idx]
    n = 2 * w + 3

    def lower_edge(i: int) -> int:
        if i == 0:
            return 0
        if i == n:
            return 65536
        x = (centre - w + i - 1) * 64 - 32 - mu
        return i + ((_cdf(x, idx) * (65536 - n)) >> 16)

    i = decoder.interval(lower_edge, n)
    value = centre - w + i - 1
    if i == 0:
        value = centre - w - 1 - _escape(decoder, idx)
    elif i == n - 1:
        value = centre + w + 1 + _escape(decoder, idx)
    if abs(value) > VALUE_MAX:
        raise CorruptError("symbol out of range")
    return value
