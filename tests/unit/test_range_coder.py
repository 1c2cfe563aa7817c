"""The range coder and its Laplace symbols: round trips, and the encoder against the reference decoder."""

from __future__ import annotations

import numpy as np
import pytest

from wyner.errors import CorruptError
from wyner.reference.laplace import symbol
from wyner.reference.range_decoder import RangeDecoder

native = pytest.importorskip("wyner._native", reason="the native extension is not built")


def check(steps: np.ndarray) -> bytes:
    steps = np.ascontiguousarray(steps, np.uint32)
    data = native.range_encode(steps)
    assert native.range_decode(data, steps) == len(steps)
    return data


def random_steps(rng: np.random.Generator, count: int) -> np.ndarray:
    low = rng.integers(0, 65536, count)
    high = np.minimum(65536, low + 1 + (rng.random(count) ** 8 * 65536).astype(int))
    n = np.where(rng.random(count) < 0.7, 0, rng.integers(1, 17, count))
    value = rng.integers(0, 65536, count) & ((1 << n) - 1)
    return np.stack([n, np.where(n == 0, low, value), np.where(n == 0, high, 0)], axis=1)


@pytest.mark.parametrize("seed", range(20))
def test_random_steps(seed: int) -> None:
    rng = np.random.default_rng(seed)
    steps = random_steps(rng, int(rng.integers(0, 3000)))
    n, low, high = steps.T
    ideal = np.sum(np.where(n == 0, 16 - np.log2(np.maximum(high - low, 1)), n))
    assert len(check(steps)) <= ideal / 8 + 4 + 0.0002 * ideal


@pytest.mark.parametrize("seed", range(20))
def test_carries(seed: int) -> None:
    """Runs that keep `low` just below a power of two, then may or may not carry through all of them."""
    rng = np.random.default_rng(seed)
    edges = [(32767, 32769), (65535, 65536), (0, 1), (32768, 65536), (0, 32768), (65534, 65536)]
    pick = rng.choice(len(edges), size=400, p=[0.3, 0.3, 0.2, 0.05, 0.05, 0.1])
    check(np.array([(0, *edges[i]) for i in pick]))


@pytest.mark.parametrize(
    "step", [(0, 0, 1), (0, 65535, 65536), (0, 0, 65536), (16, 0, 0), (16, 65535, 0), (1, 1, 0)]
)
@pytest.mark.parametrize("count", [0, 1, 2, 5, 300])
def test_runs(step: tuple[int, int, int], count: int) -> None:
    check(np.array([(0, 1, 3)] + [step] * count + [(3, 5, 0)]))
    check(np.array([step] * count).reshape(-1, 3))


def random_symbols(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    mu = np.clip(np.rint(rng.laplace(0, 300, count)), -262144, 262144)
    mu[rng.random(count) < 0.01] = rng.choice([-262144, 262144])
    scale = rng.integers(0, 209, count)
    spread = 2.0 ** ((scale - 80) / 16) * np.where(rng.random(count) < 0.1, 20, 1)
    values = np.clip(np.rint(mu / 64 + rng.laplace(0, 1, count) * spread), -32767, 32767)
    values[rng.random(count) < 0.005] = rng.choice([-32767, 32767])
    return values.astype(np.int32), mu.astype(np.int32), scale.astype(np.int32)


@pytest.mark.parametrize("seed", range(5))
def test_laplace_round_trip(seed: int) -> None:
    values, mu, scale = random_symbols(np.random.default_rng(seed), 3000)
    data = native.laplace_encode(values, mu, scale)
    np.testing.assert_array_equal(native.laplace_decode(data, mu, scale), values)
    reference = RangeDecoder(data)
    pairs = zip(mu[:500].tolist(), scale[:500].tolist(), strict=True)
    assert [symbol(reference, *pair) for pair in pairs] == values[:500].tolist()


def test_every_scale_and_phase() -> None:
    """Every value of the window and both escapes, at every scale and fraction of mu."""
    rng = np.random.default_rng(0)
    scale, phase = (a.ravel() for a in np.meshgrid(np.arange(209), np.arange(-32, 33), indexing="ij"))
    mu = phase + 64 * rng.integers(-4000, 4001, phase.size)
    window = np.minimum(255, np.ceil(5 * 2 ** ((scale - 80) / 16)) + 1)
    values = np.rint(mu / 64 + rng.uniform(-1.1, 1.1, mu.size) * (window + 1))
    arrays = [np.ascontiguousarray(a, np.int32) for a in (values, mu, scale)]
    data = native.laplace_encode(*arrays)
    np.testing.assert_array_equal(native.laplace_decode(data, *arrays[1:]), arrays[0])


def test_bad_arguments() -> None:
    one = np.zeros(1, np.int32)
    for values, mu, scale in [(one + 32768, one, one), (one, one + 262145, one), (one, one, one + 209)]:
        with pytest.raises(ValueError):
            native.laplace_encode(values, mu, scale)
    with pytest.raises(ValueError):
        native.range_encode(np.array([[0, 5, 5]], np.uint32))


def test_data_that_ends_too_early() -> None:
    rng = np.random.default_rng(0)
    values, mu, scale = random_symbols(rng, 3000)
    data = native.laplace_encode(values, mu, scale)
    with pytest.raises(CorruptError):
        native.laplace_decode(data[: len(data) // 2], mu, scale)
