"""Small networks of the lossless codec with random integers, and pictures of many kinds, for tests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from wyner import _native
from wyner.reference.lossless_network import Network

Sizes = tuple[int, int, int, int, int, int, int]
Array = np.ndarray
SMALL: Sizes = (8, 8, 64, 8, 1, 0, 1)
KINDS = ("photo", "flat", "noise", "palette", "extremes", "ramp")


@dataclass(frozen=True)
class Shape:
    """A layer: rows of weights, each with the bound that the specification sets for its sum."""

    inputs: int
    outputs: int
    taps: int = 1
    bias_rows: int = 1
    largest: int = 4095
    bound: int = 3 << 29


def shapes(sizes: Sizes) -> list[Shape]:
    """All layers in the order of docs/spec/lossless.md, section 4."""
    full, half, quarter, hidden, *blocks = sizes

    def double(inputs: int, outputs: int) -> list[Shape]:
        return [Shape(inputs, outputs, 9), Shape(outputs, outputs, 9)]

    found = [Shape(54, full, 1, 3, 12288), *double(full, full), *double(full, half), *double(half, quarter)]
    found += [Shape(quarter, 3 * quarter), Shape(quarter, quarter), Shape(quarter, 4 * half)]
    found += [*double(2 * half, half), Shape(half, 4 * full), *double(2 * full, full)]
    for features, count in zip((54, 78, 126), blocks, strict=True):
        found += [Shape(features + full, full, 1, 3, 12288), *(double(full, full) * count)]
        for head in range(4):
            found.append(Shape(full, hidden, bound=3 << 28))
            if head:
                found.append(Shape(2, hidden, 9, 0, bound=3 << 28))
            found += [Shape(hidden, hidden), Shape(hidden, 9)]
    return found


@dataclass(frozen=True)
class Integers:
    """What a network is made of."""

    sizes: Sizes
    weights: Array
    biases: Array

    def native(self) -> _native.LosslessModel:
        return _native.LosslessModel(self.sizes, self.weights, self.biases)

    def reference(self, name: bytes = bytes(8)) -> Network:
        return Network(name, self.sizes, self.weights, self.biases)


def random_integers(rng: np.random.Generator, sizes: Sizes = SMALL, part: float = 0.02) -> Integers:
    """part: of the largest sums that a network may have, that its rows have; above 0, below 1."""
    weights, biases = [], []
    for s in shapes(sizes):
        rows = rng.normal(size=(s.outputs, s.inputs * s.taps))
        rows *= part * s.bound / s.largest / np.abs(rows).sum(1, keepdims=True)
        weights.append(np.trunc(rows).clip(-32767, 32767).astype(np.int16).ravel())
        biases.append(rng.integers(-(2**18), 2**18, s.outputs * s.bias_rows).astype(np.int32))
    return Integers(sizes, np.concatenate(weights), np.concatenate(biases))


def random_update(rng: np.random.Generator, sizes: Sizes = SMALL, gain: int = 8, bias: int = 60) -> Array:
    """Numbers of an update, int16: about one in three rows has some, up to gain and bias in magnitude."""
    rows = []
    for s in shapes(sizes):
        for count, most in ((s.outputs, gain), (s.inputs, gain), *[(s.outputs, bias)] * s.bias_rows):
            rows.append(rng.integers(-most, most + 1, count) * (rng.random() < 0.35))
    return np.concatenate(rows).astype(np.int16)


def picture(
    rng: np.random.Generator, kind: str, width: int, height: int, channels: int, maxval: int
) -> Array:
    """Samples (height, width, channels) uint16."""
    y, x = np.mgrid[:height, :width]
    shape = (height, width, channels)
    if kind == "photo":
        slopes = rng.normal(size=(2, channels)) * maxval / 60
        smooth = maxval / 2 + y[..., None] * slopes[0] + x[..., None] * slopes[1]
        values = smooth + rng.normal(size=shape) * maxval / 100
    elif kind == "flat":
        values = np.broadcast_to(rng.integers(0, maxval + 1, channels), shape)
    elif kind == "noise":
        values = rng.integers(0, maxval + 1, shape)
    elif kind == "palette":
        colours = rng.integers(0, maxval + 1, (int(rng.integers(1, 300)), channels))
        values = colours[rng.integers(0, len(colours), (height, width)) // 3]
    elif kind == "extremes":
        period = int(rng.integers(1, 4))
        values = np.broadcast_to(((x // period + y) % 2)[..., None] * maxval, shape).copy()
        values[..., 1:] = maxval - values[..., 1:]
    else:
        values = (x * 3 + y * 5)[..., None] * [1, 2, 3][:channels]
    return np.ascontiguousarray(np.clip(np.rint(values), 0, maxval).astype(np.uint16))


@st.composite
def pictures(draw: st.DrawFn, largest: int) -> tuple[Array, int]:
    """Samples up to largest x largest, and their maxval."""
    width, height = draw(st.integers(1, largest)), draw(st.integers(1, largest))
    channels, maxval = draw(st.sampled_from([1, 3])), draw(st.sampled_from([255, 65535]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return picture(rng, draw(st.sampled_from(KINDS)), width, height, channels, maxval), maxval
