"""Per image and codec, the setting whose file comes nearest to a size."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from .codec import Knob

T = TypeVar("T")
MAX_TRIALS = 16
_INNER = 0.1  # an interpolated trial stays this far, as a part of the bracket, from both of its ends


@dataclass(frozen=True)
class Found(Generic[T]):
    """The nearest trial: the knob's value, what the trial gave, and how many trials there were."""

    value: float
    result: T
    trials: int


@dataclass
class _End:
    """One end of the bracket in the knob's own scale; ``miss`` is log(size / target) where it was tried."""

    at: float
    miss: float | None = None


def nearest(
    trial: Callable[[float], tuple[int, T]], knob: Knob, target_bytes: float, tolerance: float = 0.02
) -> Found[T]:
    """Search a monotone knob for a file of ``target_bytes``; ``trial`` maps a value to (bytes, anything).

    It stops within half of ``tolerance`` (relative), when a whole-numbered knob has no value left between, or
    after 16 trials, and returns the trial nearest in log size: a coarse knob may not reach the tolerance.
    """
    tried: dict[float, tuple[float, T]] = {}

    def look(at: float) -> float:
        value = _value(knob, at)
        if value not in tried:
            size, result = trial(value)
            tried[value] = (math.log(size / target_bytes), result)
        return tried[value][0]

    small, large = _End(_scale(knob, knob.low)), _End(_scale(knob, knob.high))
    if not knob.rising:
        small, large = large, small
    while len(tried) < MAX_TRIALS:
        at = _between(knob, small, large)
        if at is None or _value(knob, at) in tried:
            break
        miss = look(at)
        if abs(math.expm1(miss)) <= tolerance / 2:
            break
        if miss > 0:
            large = _End(at, miss)
        else:
            small = _End(at, miss)
    for end in (small, large):  # a target outside of what the codec reaches
        if end.miss is None and _closest(tried) > tolerance:
            look(end.at)
    value = min(tried, key=lambda v: abs(tried[v][0]))
    return Found(value, tried[value][1], len(tried))


def _between(knob: Knob, small: _End, large: _End) -> float | None:
    """Where to look next: interpolated in log size where both ends are known, halfway otherwise."""
    part = 0.5
    if small.miss is not None and large.miss is not None:
        part = min(1 - _INNER, max(_INNER, -small.miss / (large.miss - small.miss)))
    at = small.at + part * (large.at - small.at)
    if not knob.integer:
        return at if abs(large.at - small.at) > 1e-4 * abs(_scale(knob, knob.high)) else None
    low, high = sorted((small.at, large.at))
    first = low if (small if low == small.at else large).miss is None else low + 1
    last = high if (small if high == small.at else large).miss is None else high - 1
    return None if first > last else float(min(last, max(first, round(at))))


def _closest(tried: dict[float, tuple[float, T]]) -> float:
    return min((abs(math.expm1(miss)) for miss, _ in tried.values()), default=math.inf)


def _scale(knob: Knob, value: float) -> float:
    return math.log(value) if knob.logarithmic else float(value)


def _value(knob: Knob, at: float) -> float:
    """The knob's value at a place of its scale, with the few digits that records show."""
    if knob.integer:
        return round(at)
    value = math.exp(at) if knob.logarithmic else at
    return float(f"{min(knob.high, max(knob.low, value)):.5g}")
