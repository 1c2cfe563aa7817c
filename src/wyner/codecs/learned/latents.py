"""The latents of a tile in a file: all that their distributions depend on is in integers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ... import coder
from ...container import parse_varint, varint
from ...errors import CorruptError
from ...nn.integer import FRACTION, IntegerLayer, run
from ...nn.rates import CURVE_BITS, CURVE_FRACTION

ONE = 256
"""A step of quantisation in the integers of decoded latents."""
MOST_SYMBOL = 32767
MOST_TABLE = 1024
"""Symbols of a table that is made of a curve."""
TAIL_COUNTS = 1 << CURVE_BITS - 15
"""What a table may leave beyond each of its ends, of a curve."""

Floats = npt.NDArray[np.floating]
Integers = npt.NDArray[np.int32]
Tensors = Mapping[str, npt.NDArray[Any]]


class TableLatents:
    """Whole numbers with a table for each channel (C, width + 1), that begins with the symbol low (C)."""

    def __init__(self, cdfs: Integers, low: Integers) -> None:
        """Raises CorruptError for tables that are none."""
        ends = np.all(cdfs[:, 0] == 0) and np.all(cdfs[:, -1] == 65536)
        rises = np.all(cdfs[:, 1:] > cdfs[:, :-1])
        if not (ends and rises and np.all((low >= -MOST_SYMBOL) & (low <= MOST_SYMBOL))):
            raise CorruptError("the tables of the model are malformed")
        self.cdfs, self.low = cdfs, low.astype(np.int32)[:, None, None]

    def quantise(self, values: Floats) -> Integers:
        """The symbols nearest to values (C, h, w), of those that the tables have."""
        rounded = np.rint(values).astype(np.int32)
        return np.clip(rounded, self.low, self.low + self.cdfs.shape[1] - 2)

    def encode(self, symbols: Integers) -> bytes:
        """Symbols (C, h, w), after their number of bytes."""
        return _framed(coder.encode(symbols - self.low, self._model(symbols.shape)))

    def decode(self, data: memoryview, at: int, shape: tuple[int, ...]) -> tuple[Integers, int]:
        """Symbols (C, h, w), and where their bytes end. Raises CorruptError."""
        part, at = _unframed(data, at)
        return coder.decode(part, self._model(shape)) + self.low, at

    def _model(self, shape: tuple[int, ...]) -> coder.Tables:
        rows = np.arange(len(self.cdfs), dtype=np.int32)
        return coder.Tables(self.cdfs, np.broadcast_to(rows[:, None, None], shape))


class DensityCurves:
    """Tables for all levels, from one curve for each channel (docs/spec/learned.md, section 6).

    "y.curve": (M, N + 1), counts that rise from 0 to 2^CURVE_BITS. "y.zero": (M), where on it 0 lies, and
    "y.step": (LEVELS, M), how far apart symbols are, with CURVE_FRACTION fractional bits.
    """

    def __init__(self, tensors: Tensors) -> None:
        """Raises CorruptError for curves that are none."""
        self.curve, self.zero, self.step = (
            tensors[f"y.{name}"].astype(np.int64) for name in ("curve", "zero", "step")
        )
        ends = np.all(self.curve[:, 0] == 0) and np.all(self.curve[:, -1] == 1 << CURVE_BITS)
        zeros = np.all((self.zero > -1 << 40) & (self.zero < 1 << 40))
        steps = np.all((self.step > 0) & (self.step < 1 << 40))
        if not (ends and zeros and steps and np.all(np.diff(self.curve) >= 0)):
            raise CorruptError("the curves of the model are malformed")

    def at(self, level: int) -> TableLatents:
        """The tables of a level."""
        symbols = np.arange(-MOST_TABLE // 2, MOST_TABLE // 2 + 1)
        below = self._cumulative((2 * symbols - 1) * self.step[level][:, None] >> 1)
        first = np.maximum((below < TAIL_COUNTS).sum(1) - 1, 0)
        last = MOST_TABLE - (below > (1 << CURVE_BITS) - TAIL_COUNTS).sum(1)
        width = int(np.clip((last - first).max() + 1, 2, MOST_TABLE))
        first = np.minimum(first, MOST_TABLE - width)
        counts = np.take_along_axis(below, first[:, None] + np.arange(width + 1), 1)
        counts[:, 0], counts[:, -1] = 0, 1 << CURVE_BITS  # the ends have what lies beyond them
        scaled = (counts * (65536 - width) + (1 << CURVE_BITS >> 1)) >> CURVE_BITS
        return TableLatents((scaled + np.arange(width + 1)).astype(np.int32), symbols[first].astype(np.int32))

    def _cumulative(self, offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Counts below places at offsets (M, K) from 0, on straight lines between the curves' points."""
        cells = self.curve.shape[1] - 1
        place = np.clip(self.zero[:, None] + offsets, 0, cells << CURVE_FRACTION)
        cell = np.minimum(place >> CURVE_FRACTION, cells - 1)
        begin, end = (np.take_along_axis(self.curve, index, 1) for index in (cell, cell + 1))
        return begin + ((end - begin) * (place - (cell << CURVE_FRACTION)) >> CURVE_FRACTION)


class Moments:
    """Where Gaussians of y lie and how wide they are, as ``wyner.coder`` has them."""

    def __init__(self, location: Integers, scale: npt.NDArray[np.uint8]) -> None:
        """location: in 1/256 steps of quantisation. scale: indices. Both (M, h, w)."""
        self.location, self.scale = location, scale

    def quantise(self, values: Floats) -> Integers:
        """Whole steps from the locations to values (M, h, w), which are in steps of quantisation."""
        symbols = np.rint(values - self.location.astype(np.float32) / ONE)
        return np.clip(symbols, -MOST_SYMBOL, MOST_SYMBOL).astype(np.int32)

    def encode(self, symbols: Integers) -> bytes:
        """Symbols (M, h, w), after their number of bytes and the largest of them."""
        most = int(np.abs(symbols).max(initial=0))
        return varint(most) + _framed(coder.encode(symbols, self._model(most)))

    def decode(self, data: memoryview, at: int) -> tuple[Integers, int]:
        """Symbols (M, h, w), and where their bytes end. Raises CorruptError."""
        most, at = parse_varint(data, at)
        if most > MOST_SYMBOL:
            raise CorruptError("a latent is out of range")
        part, at = _unframed(data, at)
        return coder.decode(part, self._model(most)), at

    def bits(self, symbols: Integers) -> float:
        """Ideal code length of symbols (M, h, w)."""
        return coder.ideal_bits(symbols, self._model(int(np.abs(symbols).max(initial=0))))

    def values(self, symbols: Integers) -> Integers:
        """What symbols stand for, in 1/256 steps of quantisation."""
        return symbols * ONE + self.location

    def _model(self, most: int) -> coder.Parametric:
        return coder.Parametric("gaussian", 0, self.scale, -most, most)


class ChannelMoments:
    """The moments of a Gaussian prior: one for each channel."""

    def __init__(self, tensors: Tensors) -> None:
        self.location, self.scale = tensors["y.location"], tensors["y.scale"]

    def at(self, level: int, height: int, width: int) -> Moments:
        """Those of latents (M, height, width) at a level."""
        shape = (self.location.shape[1], height, width)
        location, scale = (table[level][:, None, None] for table in (self.location, self.scale))
        return Moments(np.broadcast_to(location, shape).copy(), np.broadcast_to(scale, shape).copy())


class HyperMoments:
    """The moments that h_s, in integers, makes of z."""

    def __init__(self, tensors: Tensors, latents: int) -> None:
        """Raises CorruptError for layers that could lose exactness."""
        self.latents = latents
        self.log2_gain, self.gain = (
            tensors[name].astype(np.int64)[:, :, None, None] for name in ("log2_gain", "integer_gain")
        )
        self.layers = [
            IntegerLayer(
                tensors[f"h_s.{k}.weight"],
                tensors[f"h_s.{k}.bias"],
                int(tensors[f"h_s.{k}.shift"]),
                double=k < 2,
                relu=k < 2,
            )
            for k in range(3)
        ]

    def at(self, level: int, z: Integers) -> Moments:
        """Those of latents (M, 4 h, 4 w) of z (N, h, w) at a level."""
        found = run(self.layers, z.astype(np.int64))
        log2_scale, mean = found[: self.latents], found[self.latents :]
        sixteenths = (16 * (log2_scale + self.log2_gain[level]) + (1 << FRACTION >> 1)) >> FRACTION
        scale = np.clip(sixteenths + 72, 0, 255).astype(np.uint8)
        if not len(mean):
            return Moments(np.zeros(scale.shape, np.int32), scale)
        shift = 2 * FRACTION - 8  # both factors have FRACTION bits, a location has 8
        location = (mean * self.gain[level] + (1 << shift >> 1)) >> shift
        return Moments(np.clip(location, -(2**22), 2**22).astype(np.int32), scale)


def _framed(data: bytes) -> bytes:
    return varint(len(data)) + data


def _unframed(data: memoryview, at: int) -> tuple[bytes, int]:
    size, at = parse_varint(data, at)
    if size > len(data) - at:
        raise CorruptError("the payload is truncated")
    return bytes(data[at : at + size]), at + size
