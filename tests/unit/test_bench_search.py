"""The search for a rate: near, few trials, and the nearest where near is out of reach."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wyner.bench.codec import Knob
from wyner.bench.search import MAX_TRIALS, nearest


def sizes(knob, slope, curve):
    """A monotone size for each value of the knob, in bytes."""

    def size(value):
        part = (value - knob.low) / (knob.high - knob.low)
        return max(1, round(math.exp(6 + slope * (part if knob.rising else 1 - part) ** curve)))

    return size


KNOBS = [
    Knob("quality", 0, 100, True),
    Knob("distance", 0.05, 25, False, logarithmic=True),
    Knob("ratio", 1.5, 2000, False, logarithmic=True),
]


@pytest.mark.parametrize("knob", KNOBS)
@given(slope=st.floats(2, 8), curve=st.floats(0.5, 2), part=st.floats(0.02, 0.98))
def test_smooth_knobs_come_within_two_per_cent(knob, slope, curve, part):
    size = sizes(knob, slope, curve)
    middle = knob.low + part * (knob.high - knob.low)
    found = nearest(lambda value: (size(value), value), knob, size(middle), 0.02)
    assert abs(size(found.value) / size(middle) - 1) <= 0.02
    assert found.result == found.value and found.trials <= MAX_TRIALS


@given(
    st.lists(st.integers(1, 10**6), min_size=2, max_size=300),
    st.integers(1, 10**6),
    st.booleans(),
)
def test_whole_numbers_find_the_nearest_of_all(values, target, rising):
    table = sorted(values, reverse=not rising)
    knob = Knob("quality", 0, len(table) - 1, rising, integer=True)
    found = nearest(lambda value: (table[int(value)], None), knob, target, 1e-9)
    best = min(abs(math.log(size / target)) for size in table)
    if found.trials < MAX_TRIALS:
        assert abs(math.log(table[int(found.value)] / target)) == pytest.approx(best)


@pytest.mark.parametrize("knob", [*KNOBS, Knob("quality", 0, 100, True, integer=True)])
@pytest.mark.parametrize("target, largest", [(1, False), (10**9, True)])
def test_out_of_reach_gives_the_end_of_the_range(knob, target, largest):
    found = nearest(lambda value: (sizes(knob, 4, 1)(value), None), knob, target)
    end = knob.high if largest == knob.rising else knob.low
    assert found.value == pytest.approx(end, rel=1e-3, abs=0.2)
