"""The lossless plane codec (docs/spec/plane.md), decoding only."""

from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wyner.errors import CorruptError, UsageError
from wyner.reference.range_decoder import RangeDecoder

PREDICTORS = 7


class BitModel:
    """An adaptive probability (section 2)."""

    def __init__(self) -> None:
        self.fast = self.slow = 32768
        self.age = 0

    def decode(self, decoder: RangeDecoder) -> int:
        """Read one bit and learn from it."""
        p = (self.fast + self.slow) >> 1
        bit = 1 - decoder.interval(lambda i: (0, p, 65536)[i], 2)  # the first piece stands for a 1
        self.age = min(self.age + 1, 127)
        rate = self.age.bit_length()
        self.fast = self._moved(self.fast, bit, min(rate, 4))
        self.slow = self._moved(self.slow, bit, rate)
        return bit

    @staticmethod
    def _moved(v: int, bit: int, rate: int) -> int:
        return v + ((65536 - v) >> rate) if bit else v - (v >> rate)


class Bits:
    """All models of one plane. A model is named by a tuple and made when first used."""

    def __init__(self, decoder: RangeDecoder) -> None:
        self._decoder = decoder
        self._models: defaultdict[tuple[Any, ...], BitModel] = defaultdict(BitModel)

    def __call__(self, *name: Any) -> int:
        return self._models[name].decode(self._decoder)


def neighbours(u: list[list[int]], y: int, x: int, width: int) -> dict[str, int]:
    """The symbols around row y, column x, by compass name (section 3)."""

    def at(row: int, column: int) -> int:
        if row == y and column < 0:
            row, column = y - 1, 0
        return u[row][min(max(column, 0), width - 1)] if row >= 0 else 0

    above = {
        name: at(y - 1, x + dx) for name, dx in [("NWW", -2), ("NW", -1), ("N", 0), ("NE", 1), ("NEE", 2)]
    }
    two_above = {name: at(y - 2, x + dx) for name, dx in [("NNW", -1), ("NN", 0), ("NNE", 1)]}
    return {"W": at(y, x - 1), "WW": at(y, x - 2), **above, **two_above}


def _number(*bits: bool) -> int:
    """The number with these bits, least significant first."""
    return sum(1 << i for i, bit in enumerate(bits) if bit)


class Palette:
    """Symbols of mode 0 (section 4), for n >= 2 values."""

    def __init__(self, bits: Bits, n: int) -> None:
        self._bits = bits
        self._n = n

    def decode(self, y: int, x: int, p: dict[str, int]) -> int:
        """The symbol at (y, x), given its neighbours."""
        bits, n = self._bits, self._n
        w, north, ne, nw = p["W"], p["N"], p["NE"], p["NW"]
        around = ("N", "NE", "NW", "WW", "NN", "NNW", "NNE", "NWW", "NEE")
        if bits("is_w", _number(*(p[name] == w for name in around))):
            return w
        if n == 2:
            return 1 - w
        if north != w and bits("is_n", _number(ne == north, nw == north, p["NN"] == north)):
            return north
        if ne not in (w, north) and bits("is_ne", _number(p["NEE"] == ne, p["NNE"] == ne)):
            return ne
        if nw not in (w, north, ne) and bits("is_nw"):
            return nw
        length = (n - 1).bit_length()
        t = 1
        for _ in range(length):
            t = 2 * t + bits("index", w, t)
        if t - (1 << length) >= n:
            raise CorruptError("plane: palette index out of range")
        return t - (1 << length)


class Differences:
    """Symbols of modes 1 and 2 (section 5), in 0..top."""

    def __init__(self, bits: Bits, top: int, selects: bool) -> None:
        self._bits = bits
        self._top = top
        self._selects = selects
        self._run = [0] * PREDICTORS
        # By position (y, x); positions outside the picture and skipped ones are not written: zeros.
        self._errors: defaultdict[tuple[int, int], int] = defaultdict(int)
        self._costs: defaultdict[tuple[int, int], list[int]] = defaultdict(lambda: [0] * PREDICTORS)

    def skip(self, x: int) -> None:
        """Pass over the symbol of column x, coded by other means, as if its guess had been right."""
        self._run = [run >> 1 if x else 0 for run in self._run]

    def decode(self, y: int, x: int, p: dict[str, int]) -> int:
        """The symbol at (y, x), given its neighbours."""
        if x == 0:
            self._run = [0] * PREDICTORS
        guesses = self._guesses(p)
        k = 0
        if self._selects:
            north, ne = self._costs[y - 1, x], self._costs[y - 1, x + 1]
            scores = [self._run[k] + north[k] + ne[k] for k in range(PREDICTORS)]
            k = scores.index(min(scores))
        guess = guesses[k]

        error = self._error(
            guess, p, self._errors[y, x - 1], self._errors[y - 1, x], self._errors[y - 1, x + 1]
        )
        u = guess + error
        if not 0 <= u <= self._top:
            raise CorruptError("plane: sample out of range")
        costs = [abs(u - g) for g in guesses]
        self._run = [(run >> 1) + cost for run, cost in zip(self._run, costs, strict=True)]
        self._errors[y, x] = error
        self._costs[y, x] = costs
        return u

    def _guesses(self, p: dict[str, int]) -> list[int]:
        w, n, ne, nw = p["W"], p["N"], p["NE"], p["NW"]
        median = min(max(w + n - nw, min(w, n)), max(w, n))
        guesses = [
            median,
            (w + n) >> 1,
            w + ((ne - nw) >> 1),
            w + n - nw,
            2 * w - p["WW"],
            2 * n - p["NN"],
            (3 * (w + n) - 2 * nw + 2) >> 2,
        ]
        return [min(max(g, 0), self._top) for g in guesses]

    def _error(self, guess: int, p: dict[str, int], error_w: int, error_n: int, error_ne: int) -> int:
        """Read u - guess."""
        bits = self._bits
        gradient = abs(p["W"] - p["NW"]) + abs(p["N"] - p["NW"]) + abs(p["N"] - p["NE"])
        a = gradient + 2 * abs(error_w) + abs(error_n) + abs(error_ne)
        m = a.bit_length() - 1
        busy = a if a < 2 else 2 * m + ((a >> (m - 1)) & 1)
        edge = 0 if guess == 0 else 1 if guess == self._top else 2

        if bits("zero", busy, edge):
            return 0
        negative = edge
        if edge == 2:
            negative = bits("negative", min(busy, 15), _sign(error_w), _sign(error_n))
        length = 0
        while length < 15 and bits("longer", busy, length):
            length += 1
        d = 1
        for i in reversed(range(length)):
            d = 2 * d + (bits("high", length, d) if length - i <= 3 else bits("low", length, i))
        return -d if negative else d


def _sign(e: int) -> int:
    return (e > 0) - (e < 0) + 1


def _decode_symbols(
    decode: Callable[[int, int, dict[str, int]], int], width: int, height: int
) -> list[list[int]]:
    u: list[list[int]] = []
    for y in range(height):
        u.append([0] * width)
        for x in range(width):
            u[y][x] = decode(y, x, neighbours(u, y, x, width))
    return u


def _ascending(decoder: RangeDecoder, count: int, sample_bits: int) -> list[int]:
    values = [decoder.bits(sample_bits) for _ in range(count)]
    if any(b <= a for a, b in pairwise(values)):
        raise CorruptError("plane: palette not ascending")
    return values


def decode_plane(data: bytes, width: int, height: int, maxval: int) -> NDArray[np.generic]:
    """Decode a plane (docs/spec/plane.md).

    Args:
        data: the coded bytes.
        width, height: size, each >= 1.
        maxval: 255 or 65535.

    Returns:
        Samples in 0..maxval, shape (height, width), uint8 if maxval is 255, else uint16.

    Raises:
        CorruptError: the data breaks a rule of the specification.
        UsageError: an argument is outside its range.
    """
    if width < 1 or height < 1 or maxval not in (255, 65535):
        raise UsageError("decode_plane: argument out of range")
    decoder = RangeDecoder(data)
    bits = Bits(decoder)
    sample_bits = maxval.bit_length()
    mode = decoder.bits(2)
    if mode == 0:
        n = decoder.bits(4) + 1
        values = np.array(_ascending(decoder, n, sample_bits))
        u = _decode_symbols(Palette(bits, n).decode, width, height) if n > 1 else [[0] * width] * height
        samples = values[np.array(u)]
    elif mode == 3:
        samples = np.array([[decoder.bits(sample_bits) for _ in range(width)] for _ in range(height)])
    else:
        base, step, top = (decoder.bits(sample_bits) for _ in range(3))
        if step < 1 or top < 1 or base + step * top > maxval:
            raise CorruptError("plane: bad range of values")
        samples = base + step * np.array(
            _decode_symbols(Differences(bits, top, mode == 2).decode, width, height)
        )
    return samples.astype(np.uint8 if maxval == 255 else np.uint16)
