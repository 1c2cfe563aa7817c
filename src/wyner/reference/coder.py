"""The coder of arrays (docs/spec/coder.md), decoding only, slow and plain."""

import json
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path

from wyner.errors import CorruptError
from wyner.reference.range_decoder import RangeDecoder

TABLES: dict[str, list[int]] = json.loads(Path(__file__).with_name("coder_tables.json").read_text())

Edge = Callable[[int], int]
"""Lower edge of symbol i of 0..n-1; at n, the sum of all probabilities."""


def cumulative(kind: str, location: int, scale: int, k: int) -> int:
    """Probability, out of 2^32, of what lies below the symbol k (section 3)."""
    x = 256 * k - 128 - location
    t = min(abs(x) * TABLES["INVSCALE"][scale], 2**38 - 1)
    tail = TABLES[kind.upper()]
    above, below = tail[t >> 28], tail[(t >> 28) + 1]
    beyond = above - ((above - below) * ((t >> 12) & 0xFFFF) >> 16)
    return beyond if x < 0 else 2**32 - beyond


def edges_of(probability: Callable[[int], int], low: int, high: int) -> tuple[Edge, int]:
    """The lower edges, out of 2^24, of low..high, and how many symbols these are.

    probability(k): out of 2^32, of what lies below the symbol k.
    """
    n = high - low + 1

    def edge(i: int) -> int:
        if i == 0 or i == n:
            return 2**24 if i else 0
        return i + (probability(low + i) * (2**24 - n) >> 32)

    return edge, n


def parametric(kind: str, location: int, scale: int, low: int, high: int) -> tuple[Edge, int]:
    """Edges of one logistic, Laplace or Gaussian distribution."""
    return edges_of(lambda k: cumulative(kind, location, scale, k), low, high)


def mixture(
    weight: Sequence[int], location: Sequence[int], scale: Sequence[int], low: int, high: int
) -> tuple[Edge, int]:
    """Edges of a mixture of logistic distributions."""

    def probability(k: int) -> int:
        parts = zip(weight, location, scale, strict=True)
        return sum(w * cumulative("logistic", at, s, k) for w, at, s in parts) >> 16

    return edges_of(probability, low, high)


def decode_symbols(
    data: bytes, count: int, distribution: Callable[[int], tuple[Edge, int]], bits: int
) -> list[int]:
    """The symbols, as indices from 0, of all streams (section 4).

    distribution(i): edges of symbol i, out of 2^bits, and how many it has.
    Raises CorruptError.
    """
    streams, position = varint(data, 0)
    if not 1 <= streams <= min(65536, max(count, 1)):
        raise CorruptError("the number of streams is out of range")
    sizes = []
    for _ in range(streams - 1):
        size, position = varint(data, position)
        sizes.append(size)
    starts = list(accumulate(sizes, initial=position))
    if starts[-1] > len(data):
        raise CorruptError("the streams are longer than the data")
    symbols: list[int] = []
    for s, (begin, end) in enumerate(zip(starts, [*starts[1:], len(data)], strict=True)):
        decoder = RangeDecoder(data[begin:end])
        for i in range(count * s // streams, count * (s + 1) // streams):
            symbols.append(decoder.interval(*distribution(i), bits))
    return symbols


def varint(data: bytes, position: int) -> tuple[int, int]:
    """A number of at most 9 bytes, 7 bits each, and the position after it."""
    value = 0
    for i, byte in enumerate(data[position : position + 9]):
        value |= (byte & 127) << (7 * i)
        if byte < 128:
            return value, position + i + 1
    raise CorruptError("a number in the header is too long, or ends too early")
