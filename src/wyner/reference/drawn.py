"""Pictures that were drawn (docs/spec/lossless.md, section 8), decoding only."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from wyner.errors import CorruptError
from wyner.reference.plane import Bits, Differences, neighbours
from wyner.reference.range_decoder import RangeDecoder

MOST_TRUST = 3
MASK = (1 << 64) - 1


@dataclass
class Entry:
    """What followed, the last time, on the same surroundings."""

    colour: int = 0
    trust: int = 0

    def learn(self, colour: int) -> None:
        """Take note of what followed this time."""
        if self.trust > 0 and self.colour == colour:
            self.trust = min(self.trust + 1, MOST_TRUST)
        elif self.trust > 1:
            self.trust = 1
        else:
            self.colour, self.trust = colour, 1


class Memory:
    """Entries by the hash of a list of colours."""

    def __init__(self) -> None:
        self._entries: dict[int, Entry] = {}

    def entry(self, *colours: int) -> Entry:
        """The entry of these colours, which others may share."""
        x = len(colours)
        for c in colours:
            x = (x ^ c) * 0x9E3779B97F4A7C15 & MASK
            x ^= x >> 29
        return self._entries.setdefault(x >> 48, Entry())


class Spelling(Protocol):
    """How colours that none of the candidates has are coded."""

    def spell(self, y: int, x: int, west: int) -> int:
        """Read the colour at (y, x). west: the colour to the left of it, 0 outside of the picture."""

    def note(self, y: int, x: int, colour: int, spelled: bool) -> None:
        """Take note of the colour at (y, x), spelled or not."""


class ByIndex:
    """Colours spelled out by their number in a palette."""

    def __init__(self, bits: Bits, palette: list[int]) -> None:
        self._bits = bits
        self._palette = palette

    def spell(self, y: int, x: int, west: int) -> int:
        """Read the colour at (y, x)."""
        left = min(sum(c < west for c in self._palette), 255)
        length = (len(self._palette) - 1).bit_length()
        t = 1
        for _ in range(length):
            t = 2 * t + self._bits("index", left, t)
        if t - (1 << length) >= len(self._palette):
            raise CorruptError("drawn: palette index out of range")
        return self._palette[t - (1 << length)]

    def note(self, y: int, x: int, colour: int, spelled: bool) -> None:
        """Nothing is learned from colours."""


class BySamples:
    """Colours spelled out by their samples, as differences to a prediction."""

    def __init__(self, decoder: RangeDecoder, width: int, height: int, channels: int, maxval: int) -> None:
        self._channels, self._maxval, self._width = channels, maxval, width
        self._planes = [[[0] * width for _ in range(height)] for _ in range(channels)]
        self._models = [Differences(Bits(decoder), maxval, selects=True) for _ in range(channels)]

    def spell(self, y: int, x: int, west: int) -> int:
        """Read the colour at (y, x)."""
        u = [
            model.decode(y, x, neighbours(plane, y, x, self._width))
            for model, plane in zip(self._models, self._planes, strict=True)
        ]
        if self._channels == 1:
            return u[0]
        k, maxval = (self._maxval + 1) // 2, self._maxval
        return (u[1] + u[0] - k & maxval) << 32 | u[0] << 16 | (u[2] + u[0] - k & maxval)

    def note(self, y: int, x: int, colour: int, spelled: bool) -> None:
        """Take note of the colour at (y, x)."""
        k, maxval = (self._maxval + 1) // 2, self._maxval
        red, green, blue = colour >> 32, colour >> 16 & 65535, colour & 65535
        u = [blue] if self._channels == 1 else [green, red - green + k & maxval, blue - green + k & maxval]
        for model, plane, symbol in zip(self._models, self._planes, u, strict=True):
            plane[y][x] = symbol
            if not spelled:
                model.skip(x)


def _palette(decoder: RangeDecoder, channels: int, maxval: int) -> list[int]:
    count = decoder.bits(9)
    if count > 256:
        raise CorruptError("drawn: the palette is too large")
    colours = []
    for _ in range(count):
        colour = 0
        for _ in range(channels):
            colour = colour << 16 | decoder.bits(maxval.bit_length())
        colours.append(colour)
    if any(b <= a for a, b in pairwise(colours)):
        raise CorruptError("drawn: the palette does not ascend")
    return colours


def _candidates(around: dict[str, int], wide: Entry, narrow: Entry) -> list[tuple[int, int]]:
    """Colours that the pixel may have, all different, each with its kind."""
    kinds: dict[int, int] = {}
    if wide.trust:
        kinds[wide.colour] = wide.trust
    if narrow.trust:
        kinds.setdefault(narrow.colour, 3 + narrow.trust)
    for kind, name in enumerate(("W", "N", "NE", "NW", "WW", "NN"), 7):
        kinds.setdefault(around[name], kind)
    return list(kinds.items())


def _choose(bits: Bits, around: dict[str, int], candidates: list[tuple[int, int]]) -> int:
    pairs = (("N", "W"), ("NW", "W"), ("NW", "N"), ("NE", "N"), ("WW", "W"), ("NN", "N"))
    context = sum((around[a] == around[b]) << i for i, (a, b) in enumerate(pairs))
    for colour, kind in candidates[:-1]:
        if bits("chosen", kind, context):
            return colour
    return candidates[-1][0]


def decode_drawn(data: bytes, width: int, height: int, channels: int, maxval: int) -> NDArray[np.int64]:
    """Samples (height, width, channels) of the data of method 1. Raises CorruptError."""
    decoder = RangeDecoder(data)
    palette = _palette(decoder, channels, maxval)
    bits = Bits(decoder)
    spelling: Spelling = BySamples(decoder, width, height, channels, maxval)
    if palette:
        spelling = ByIndex(bits, palette)
    memory = Memory()
    colours: dict[tuple[int, int], int] = {}
    was_spelled: set[tuple[int, int]] = set()
    offsets = {"W": (0, -1), "WW": (0, -2), "NW": (-1, -1), "N": (-1, 0), "NE": (-1, 1), "NN": (-2, 0)}
    for y in range(height):
        for x in range(width):
            around = {name: colours.get((y + dy, x + dx), 0) for name, (dy, dx) in offsets.items()}
            w, n, ne = around["W"], around["N"], around["NE"]
            wide = memory.entry(w, n, around["NW"], ne, around["WW"], around["NN"])
            narrow = memory.entry(w, n, ne)
            near = sum((y + offsets[p][0], x + offsets[p][1]) in was_spelled for p in ("W", "NW", "N", "NE"))
            same = (n == w) + 2 * (ne == n) + 4 * (around["WW"] == w)
            spelled = bool(bits("spelled", near, wide.trust, same))
            if spelled:
                colour = spelling.spell(y, x, w)
                was_spelled.add((y, x))
            else:
                colour = _choose(bits, around, _candidates(around, wide, narrow))
            spelling.note(y, x, colour, spelled)
            wide.learn(colour)
            narrow.learn(colour)
            colours[y, x] = colour
    flat = np.array([colours[y, x] for y in range(height) for x in range(width)], np.int64)
    shifts = np.arange(16 * (channels - 1), -1, -16)
    return (flat[:, None] >> shifts & 65535).reshape(height, width, channels)
