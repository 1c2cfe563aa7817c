"""The network of the lossless codec (docs/spec/lossless.md, sections 3 to 5 and 9)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wyner.errors import UsageError
from wyner.reference.coder import decode_symbols, parametric

Ints = NDArray[np.int64]

_TABLES: dict[str, list[int]] = json.loads(Path(__file__).with_name("lossless_tables.json").read_text())
INVROOT, POWER, LOG2 = (np.array(_TABLES[name], np.int64) for name in ("INVROOT", "POWER", "LOG2"))

LIMIT = 4095
FEATURE_LIMIT = 12288
MOST_SUM = 3 << 29
MOST_BIAS = 1 << 28
LEVELS = 3
PHASES = ("d", "h", "v")
WINDOW, ATTENTION_HEADS, QKV_LIMIT = 16, 4, 2047
MIXTURE = 3


def blen(v: Ints) -> Ints:
    """The number of bits of each v in 0..2^40 - 1."""
    return sum(((v >> k) > 0).astype(np.int64) for k in range(40)) + np.zeros_like(v)


def rounded(v: Ints, n: int | Ints) -> Ints:
    """v / 2^n to the nearest integer, n >= 1."""
    return (v + (np.int64(1) << (n - 1))) >> n


def log2(v: Ints) -> Ints:
    """256 times the logarithm to base 2 of v >= 1, by a table."""
    m = blen(v) - 1
    return 256 * m + LOG2[(v << np.maximum(8 - m, 0) >> np.maximum(m - 8, 0)) & 255]


def half(t: Ints) -> Ints:
    """2^15 times 2^(-t/256), t >= 0, by a table."""
    return POWER[t & 255] >> np.minimum(t >> 8, 63)


# --- layers -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Layer:
    """weights: (outputs, inputs, taps), 1 or 9 taps. biases: (rows, outputs)."""

    weights: Ints
    biases: Ints

    def sums(self, x: Ints, level: int = 0) -> Ints:
        """Of inputs (I, h, w): (O, h, w)."""
        _, height, width = x.shape
        taps = [x]
        if self.weights.shape[2] == 9:
            padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
            taps = [padded[:, dy : dy + height, dx : dx + width] for dy in range(3) for dx in range(3)]
        total = np.tensordot(self.weights, np.stack(taps, 1), axes=2)
        if len(self.biases):
            total += self.biases[min(level, len(self.biases) - 1), :, None, None]
        return total


def norm(sums: Ints, before: Ints | int = 0) -> Ints:
    """ReLU of sums (n, h, w) over their root mean square at each position, added to ``before``."""
    raw = np.clip(rounded(sums, 11), -LIMIT, LIMIT)
    m = (raw**2).sum(0) // len(raw) + 16
    z = (32 - blen(m)) & ~1
    r = INVROOT[(m << z >> 22) - 256]
    return np.clip(rounded(np.maximum(raw, 0) * r, 23 - z // 2) + before, 0, LIMIT)


def limit(sums: Ints, low: int) -> Ints:
    """Sums as values of at least ``low``."""
    return np.clip(rounded(sums, 10), low, LIMIT)


@dataclass(frozen=True)
class Double:
    """Two layers of 9 taps."""

    first: Layer
    second: Layer

    def __call__(self, x: Ints) -> Ints:
        """Of (I, h, w): (O, h, w)."""
        out = self.second.sums(norm(self.first.sums(x)))
        return norm(out, x if len(x) == len(out) else 0)


def pool(x: Ints) -> Ints:
    """The greatest of each 2x2: (n, h, w) to (n, h/2, w/2)."""
    n, height, width = x.shape
    return x.reshape(n, height // 2, 2, width // 2, 2).max((2, 4))


def spread(layer: Layer, x: Ints) -> Ints:
    """(I, h, w) to (O/4, 2h, 2w)."""
    _, height, width = x.shape
    values = limit(layer.sums(x), 0).reshape(2, 2, -1, height, width)
    return values.transpose(2, 3, 0, 4, 1).reshape(-1, 2 * height, 2 * width)


def attend(q: Ints, k: Ints, v: Ints) -> Ints:
    """One head in one window: all (channels, positions)."""
    score = (q.T @ k) >> 10
    p = half(score.max(1, keepdims=True) - score)
    part = p * ((1 << 30) // p.sum(1, keepdims=True)) >> 16
    return rounded(v @ part.T, 14)


def attention(to_qkv: Layer, out: Layer, x: Ints) -> Ints:
    """(n, h, w) to (n, h, w)."""
    n, height, width = x.shape
    qkv = np.clip(limit(to_qkv.sums(x), -LIMIT), -QKV_LIMIT, QKV_LIMIT)
    qkv = qkv.reshape(3, ATTENTION_HEADS, n // ATTENTION_HEADS, height, width)
    mixed = np.zeros_like(qkv[0])
    for top in range(0, height, WINDOW):
        for left in range(0, width, WINDOW):
            window = np.s_[..., top : top + WINDOW, left : left + WINDOW]
            for q, k, v, to in zip(*(part[window] for part in (*qkv, mixed)), strict=True):
                flat = (a.reshape(len(a), -1) for a in (q, k, v))
                to[:] = attend(*flat).reshape(q.shape)
    return np.clip(limit(out.sums(mixed.reshape(x.shape)), -LIMIT) + x, 0, LIMIT)


# --- what is known of a phase (section 5) -------------------------------------------------------

NEAREST = {
    "d": (("a", 0, 0), ("a", 0, 1), ("a", 1, 0), ("a", 1, 1)),
    "h": (("a", 0, 0), ("a", 0, 1), ("d", -1, 0), ("d", 0, 0)),
    "v": (("a", 0, 0), ("a", 1, 0), ("d", 0, -1), ("d", 0, 0)),
}
BLOCKS = {
    "d": (("a", range(-1, 3), range(-1, 3)),),
    "h": (("a", range(-1, 2), range(-1, 3)), ("d", range(-2, 2), range(-1, 2))),
    "v": (
        ("a", range(-1, 3), range(-1, 2)),
        ("d", range(-1, 2), range(-2, 2)),
        ("h", range(-1, 3), range(-2, 2)),
    ),
}


def neighbour_count(phase: str) -> int:
    """Neighbours of a phase."""
    return sum(len(rows) * len(columns) for _, rows, columns in BLOCKS[phase])


def feature_count(phase: str) -> int:
    """Features of a phase."""
    return 3 * neighbour_count(phase) + 6


@dataclass(frozen=True)
class Known:
    """base, spread: (3, h, w). samples: the neighbours, (n, 3, h, w)."""

    base: Ints
    spread: Ints
    samples: Ints

    def ratio(self, quarters: Ints) -> Ints:
        """Quarters of a step, (..., 3, h, w), over the spread."""
        return rounded(quarters * ((len(self.samples) << 32) // self.spread), 24)

    def features(self, depth: int) -> Ints:
        """(F, h, w)."""
        _, _, height, width = self.samples.shape
        ratios = self.ratio(4 * self.samples - self.base).reshape(-1, height, width)
        logs = np.maximum((self.log_spread() - 256 * depth - 512) >> 1, -512)
        return np.concatenate([ratios, logs, self.base >> (1 + depth)])

    def log_spread(self) -> Ints:
        """log2 of the mean distance from the base, in samples."""
        return log2(self.spread) - log2(np.array(4 * len(self.samples)))


def known_of(phase: str, planes: dict[str, Ints]) -> Known:
    """planes: completed phases (3, h, w), by name."""
    height, width = planes["a"].shape[1:]
    padded = {name: np.pad(p, ((0, 0), (2, 2), (2, 2)), mode="edge") for name, p in planes.items()}

    def shifted(name: str, dy: int, dx: int) -> Ints:
        return padded[name][:, 2 + dy : 2 + dy + height, 2 + dx : 2 + dx + width]

    base = sum((shifted(*place) for place in NEAREST[phase]), np.zeros((3, height, width), np.int64))
    samples = np.stack(
        [shifted(name, dy, dx) for name, rows, columns in BLOCKS[phase] for dy in rows for dx in columns]
    )
    return Known(base, len(samples) + np.abs(4 * samples - base).sum(0), samples)


# --- the whole network --------------------------------------------------------------------------


@dataclass(frozen=True)
class Head:
    """known is None in the first head of a phase."""

    trunk: Layer
    known: Layer | None
    inner: Layer
    out: Layer

    def parameters(self, state: Ints, seen: Ints) -> Ints:
        """state (full, h, w), seen (2, h, w): (9, h, w)."""
        sums = self.trunk.sums(state)
        if self.known is not None:
            sums = sums + self.known.sums(seen)
        return self.out.sums(limit(self.inner.sums(limit(sums, 0)), 0))


@dataclass(frozen=True)
class Trunk:
    """What is left to do for a phase once there is context."""

    stem: Layer
    blocks: tuple[Double, ...]
    heads: tuple[Head, ...]

    def state(self, features: Ints, context: Ints, level: int) -> Ints:
        """features (F, h, w), context (full, h, w): (full, h, w)."""
        x = norm(self.stem.sums(np.concatenate([features, context]), level))
        for block in self.blocks:
            x = block(x)
        return x


class _Reader:
    """Cuts rows of weights and biases into layers, and checks the bounds of section 4."""

    def __init__(self, weights: Ints, biases: Ints) -> None:
        self._weights, self._biases = weights, biases
        self._at = [0, 0]
        self.layers: list[Layer] = []

    def layer(self, inputs: int, outputs: int, taps: int = 1, rows: int = 1, part: int = 1) -> Layer:
        """rows: of biases. part: 2 if the sums of two layers are added."""
        weights = self._take(0, self._weights, outputs * inputs * taps).reshape(outputs, inputs, taps)
        biases = self._take(1, self._biases, rows * outputs).reshape(rows, outputs)
        largest = FEATURE_LIMIT if rows == LEVELS else LIMIT
        if np.abs(weights).sum((1, 2)).max() * largest >= MOST_SUM // part:
            raise UsageError("a sum of the network could overflow")
        if rows and np.abs(biases).max() >= MOST_BIAS:
            raise UsageError("a bias of the network is too large")
        self.layers.append(Layer(weights, biases))
        return self.layers[-1]

    def double(self, inputs: int, outputs: int) -> Double:
        return Double(self.layer(inputs, outputs, 9), self.layer(outputs, outputs, 9))

    def head(self, full: int, hidden: int, first: bool) -> Head:
        trunk = self.layer(full, hidden, part=2)
        known = None if first else self.layer(2, hidden, 9, rows=0, part=2)
        return Head(trunk, known, self.layer(hidden, hidden), self.layer(hidden, 3 * MIXTURE))

    def trunk(self, phase: str, full: int, hidden: int, blocks: int) -> Trunk:
        stem = self.layer(feature_count(phase) + full, full, rows=LEVELS)
        doubles = tuple(self.double(full, full) for _ in range(blocks))
        return Trunk(stem, doubles, tuple(self.head(full, hidden, first=i == 0) for i in range(4)))

    def end(self) -> None:
        if self._at != [len(self._weights), len(self._biases)]:
            raise UsageError("the network has more weights or biases than its sizes say")

    def _take(self, which: int, values: Ints, count: int) -> Ints:
        at = self._at[which]
        if at + count > len(values):
            raise UsageError("the network has fewer weights or biases than its sizes say")
        self._at[which] += count
        return values[at : at + count]


class Network:
    """A network by its sizes, weights (M) and biases in the order of section 4.

    name: that by which payloads call it. layers: all of them, in that order.

    Raises UsageError if they break a rule of section 4.
    """

    def __init__(
        self, name: bytes, sizes: Sequence[int], weights: NDArray[np.integer], biases: NDArray[np.integer]
    ):
        full, half_size, quarter, hidden, *blocks = sizes
        widths_fit = all(2 <= n <= 128 and n % 2 == 0 for n in (full, half_size, quarter, hidden))
        if not (widths_fit and quarter % 64 == 0 and all(0 <= b <= 8 for b in blocks)):
            raise UsageError("a size of the network is out of range")
        self.name, self.sizes = name, tuple(sizes)
        read = _Reader(weights.astype(np.int64), biases.astype(np.int64))
        self._stem = read.layer(feature_count("d"), full, rows=LEVELS)
        self._down_full, self._down_half = read.double(full, full), read.double(full, half_size)
        self._down_quarter = read.double(half_size, quarter)
        self._qkv, self._attention_out = read.layer(quarter, 3 * quarter), read.layer(quarter, quarter)
        self._spread_half = read.layer(quarter, 4 * half_size)
        self._up_half = read.double(2 * half_size, half_size)
        self._spread_full = read.layer(half_size, 4 * full)
        self._up_full = read.double(2 * full, full)
        self.trunks = {p: read.trunk(p, full, hidden, b) for p, b in zip(PHASES, blocks, strict=True)}
        read.end()
        self.layers = tuple(read.layers)

    def context(self, features: Ints, level: int) -> Ints:
        """features of phase d, (F, h, w), h and w multiples of 4: (full, h, w)."""
        f = self._down_full(norm(self._stem.sums(features, level)))
        g = self._down_half(pool(f))
        quarter = attention(self._qkv, self._attention_out, self._down_quarter(pool(g)))
        u = self._up_half(np.concatenate([g, spread(self._spread_half, quarter)]))
        return self._up_full(np.concatenate([f, spread(self._spread_full, u)]))


def read_network(data: bytes) -> Network:
    """The network of a file (section 9)."""
    *sizes, weights, biases = (int(n) for n in np.frombuffer(data, "<u4", 9))
    at = 36 + 4 * biases
    scales = data[at : at + -(-weights // 64)]
    symbols = decode_symbols(
        data[at + len(scales) :],
        weights,
        lambda i: parametric("laplace", 0, scales[i // 64], -32767, 32767),
        24,
    )
    name = hashlib.sha256(data).digest()[:8]
    return Network(name, sizes, np.array(symbols) - 32767, np.frombuffer(data, "<i4", biases, 36))
