"""Tunings of the lossless codec's distributions (docs/spec/lossless.md, section 7)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wyner.reference.coder import parametric
from wyner.reference.lossless_network import PHASES, Ints, Known, half, neighbour_count, rounded
from wyner.reference.range_decoder import RangeDecoder

TUNED_LEVELS = 3
TAP_LIMIT = 2**14
WIDTH_LIMIT, SLOPE_LIMIT = 64, 32
LOCATION_LIMIT = 2**25
CROSS = ((-1, 0), (0, -1), (0, 1), (1, 0))
SQUARE = tuple((dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1))
AROUND: tuple[tuple[tuple[tuple[int, int], ...], ...], ...] = ((), (CROSS,), (SQUARE,), (SQUARE, SQUARE))
"""Of each pass: where, in each plane that is seen, samples of the phase itself are looked at."""


@dataclass(frozen=True)
class Mixtures:
    """Of each position, all (3, h, w)."""

    weight: Ints
    location: Ints
    scale: Ints

    def at(self, y: int, x: int) -> tuple[list[int], list[int], list[int]]:
        """Weights, locations and scales of a position."""
        weight, location, scale = (a[:, y, x].tolist() for a in (self.weight, self.location, self.scale))
        return weight, location, scale


@dataclass(frozen=True)
class Tuning:
    """taps: one for each number of ``numbers_of``, and one for the mean."""

    width: int
    slope: int
    taps: list[int]

    def applied(self, given: Mixtures, numbers: Ints, base: Ints) -> Mixtures:
        """numbers: (taps - 1, h, w). base: (h, w)."""
        mean = ((given.weight * given.location).sum(0) >> 16) - 64 * base
        taps = np.array(self.taps, np.int64)
        shift = rounded(64 * np.tensordot(taps[:-1], numbers, 1) + taps[-1] * mean, 10)
        wider = self.width + (self.slope * (given.scale - 72) >> 6)
        wider = np.clip(wider, -WIDTH_LIMIT, WIDTH_LIMIT)
        centre = 64 * base + mean
        stretched = (given.location - centre) * half(16 * (WIDTH_LIMIT - wider)) >> 11
        location = np.clip(centre + shift + stretched, -LOCATION_LIMIT, LOCATION_LIMIT)
        return Mixtures(given.weight, location, np.clip(given.scale + wider, 0, 255))


def numbers_of(head: int, plane: int, known: Known, residuals: Ints) -> Ints:
    """What a tuning sees, all but the mean, (taps - 1, h, w).

    residuals: (3, h, w), of samples of this phase less their base, in quarters; 0 where they are not known.
    """
    _, height, width = residuals.shape
    differences = 4 * known.samples - known.base
    seen = list(differences[:, : plane + 1].transpose(1, 0, 2, 3).reshape(-1, height, width))
    padded = np.pad(residuals, ((0, 0), (1, 1), (1, 1)))
    for around, of_plane in zip(AROUND[head], padded, strict=False):
        seen += [of_plane[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width] for dy, dx in around]
    return np.stack(seen)


def tap_count(phase: str, head: int) -> int:
    """Numbers that a tuning sees, the mean included."""
    planes = max(1, head)
    return planes * neighbour_count(phase) + sum(map(len, AROUND[head])) + 1


def even(decoder: RangeDecoder, low: int, high: int) -> int:
    """A number about equally likely everywhere in low..high."""
    return low + decoder.interval(*parametric("logistic", 128 * (low + high), 255, low, high), 24)


def read_tunings(decoder: RangeDecoder, channels: int) -> dict[tuple[int, str, int], Tuning]:
    """The tunings of a tile that are used, by level, phase and pass."""
    tunings = {}
    for level in range(TUNED_LEVELS):
        for phase in PHASES:
            for head in range(2 if channels == 1 else 4):
                if even(decoder, 0, 1):
                    width = even(decoder, -WIDTH_LIMIT, WIDTH_LIMIT)
                    slope = even(decoder, -SLOPE_LIMIT, SLOPE_LIMIT)
                    edges = parametric("laplace", 0, even(decoder, 0, 255), -TAP_LIMIT, TAP_LIMIT)
                    taps = [decoder.interval(*edges, 24) - TAP_LIMIT for _ in range(tap_count(phase, head))]
                    tunings[level, phase, head] = Tuning(width, slope, taps)
    return tunings
