"""wyner.coder: round trips, the reference decoder, code lengths, damaged data, arguments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wyner import coder
from wyner.errors import CorruptError, UsageError
from wyner.reference import coder as reference

SEEDS = st.integers(0, 2**32 - 1)


@dataclass
class Case:
    """A model, symbols that it holds, and the reference's view of it."""

    model: coder.Model
    symbols: np.ndarray
    first: int
    bits: int
    distribution: Any

    def reference(self, data: bytes) -> np.ndarray:
        indices = reference.decode_symbols(data, self.symbols.size, self.distribution, self.bits)
        return (np.array(indices, int) + self.first).reshape(self.symbols.shape)


def random_cdfs(rng: np.random.Generator, rows: int, symbols: int) -> np.ndarray:
    inner = np.stack([np.sort(rng.choice(65535, symbols - 1, replace=False)) + 1 for _ in range(rows)])
    return np.hstack([np.zeros((rows, 1), int), inner, np.full((rows, 1), 65536)])


def tables_case(rng: np.random.Generator, count: int) -> Case:
    symbols = int(rng.choice([1, 2, 3, 17, 256, 65536]))
    cdfs = random_cdfs(rng, int(rng.integers(1, 4)), symbols)
    index = rng.integers(0, len(cdfs), count)
    points = rng.integers(0, 65536, count)
    values = np.array(
        [np.searchsorted(cdfs[i], p, "right") - 1 for i, p in zip(index, points, strict=True)], int
    )
    rows = cdfs.tolist()
    return Case(
        coder.Tables(cdfs, index),
        values,
        0,
        16,
        lambda i: (rows[index[i]].__getitem__, len(rows[index[i]]) - 1),
    )


def random_alphabet(rng: np.random.Generator) -> tuple[int, int]:
    low = int(rng.choice([0, -1, -128, -65536, 65535, rng.integers(-65536, 65536)]))
    size = int(rng.choice([1, 2, 256, 65536, rng.integers(1, 65537)]))
    return low, min(low + size - 1, 65535)


def random_parameters(
    rng: np.random.Generator, shape: tuple[int, ...], low: int, high: int
) -> tuple[np.ndarray, np.ndarray]:
    """Locations, mostly in the alphabet, and scales."""
    location = rng.integers(256 * low - 500, 256 * high + 501, shape)
    extreme = rng.choice([-(2**25), 2**25], shape)
    return np.where(rng.random(shape) < 0.05, extreme, location), rng.integers(0, 256, shape)


def random_values(
    rng: np.random.Generator, location: np.ndarray, scale: np.ndarray, low: int, high: int
) -> np.ndarray:
    """Values about the locations, with some anywhere in the alphabet."""
    near = np.rint(location / 256 + rng.logistic(size=location.shape) * 2 ** ((scale - 72) / 16))
    anywhere = rng.integers(low, high + 1, location.shape)
    return np.clip(np.where(rng.random(location.shape) < 0.1, anywhere, near), low, high).astype(int)


def parametric_case(rng: np.random.Generator, count: int) -> Case:
    kind, (low, high) = str(rng.choice(coder.KINDS)), random_alphabet(rng)
    location, scale = random_parameters(rng, (count,), low, high)
    values = random_values(rng, location, scale, low, high)
    parameters = list(zip(location.tolist(), scale.tolist(), strict=True))
    return Case(
        coder.Parametric(kind, location, scale, low, high), values, low, 24,
        lambda i: reference.parametric(kind, *parameters[i], low, high),
    )  # fmt: skip


def mixture_case(rng: np.random.Generator, count: int) -> Case:
    components, (low, high) = int(rng.integers(1, 6)), random_alphabet(rng)
    location, scale = random_parameters(rng, (count, components), low, high)
    weight = coder.weight_counts(rng.random((count, components)) ** 4 + 1e-12)
    values = random_values(rng, location[:, -1], scale[:, -1], low, high)
    parameters = list(zip(weight.tolist(), location.tolist(), scale.tolist(), strict=True))
    return Case(
        coder.LogisticMixture(weight, location, scale, low, high), values, low, 24,
        lambda i: reference.mixture(*parameters[i], low, high),
    )  # fmt: skip


CASES = {"tables": tables_case, "parametric": parametric_case, "mixture": mixture_case}
SIZES = st.one_of(st.sampled_from([0, 1, 2]), st.integers(3, 300))


@pytest.mark.parametrize("kind", CASES)
@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, count=SIZES, streams=st.integers(1, 9), threads=st.integers(1, 4))
def test_round_trip(kind: str, seed: int, count: int, streams: int, threads: int) -> None:
    case = CASES[kind](np.random.default_rng(seed), count)
    streams = min(streams, max(count, 1))
    data = coder.encode(case.symbols, case.model, streams=streams, threads=threads)
    back = coder.decode(data, case.model, threads=threads)
    assert back.dtype == np.int32
    np.testing.assert_array_equal(back, case.symbols)
    assert data == coder.encode(case.symbols, case.model, streams=streams)  # whatever the threads
    ideal = coder.ideal_bits(case.symbols, case.model)
    assert len(data) * 8 <= ideal * 1.0005 + 72 * streams


@pytest.mark.parametrize("kind", CASES)
@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, count=st.integers(0, 30), streams=st.integers(1, 4))
def test_reference_agrees(kind: str, seed: int, count: int, streams: int) -> None:
    case = CASES[kind](np.random.default_rng(seed), count)
    data = coder.encode(case.symbols, case.model, streams=min(streams, max(count, 1)))
    np.testing.assert_array_equal(case.reference(data), case.symbols)


@pytest.mark.parametrize("symbols", [1, 2, 3, 17, 256, 257, 65535, 65536])
def test_few_tables_for_many_symbols(symbols: int) -> None:
    """Decoders then look symbols up: every symbol near an edge or a 256th count."""
    cdfs = random_cdfs(np.random.default_rng(symbols), 2, symbols)
    points = np.add.outer(np.arange(0, 65537, 256), [-1, 0, 1]).ravel().clip(0, 65535)
    values = np.stack([np.searchsorted(row, points, "right") - 1 for row in cdfs])
    model = coder.Tables(cdfs, np.repeat([[0], [1]], points.size, axis=1))
    np.testing.assert_array_equal(coder.decode(coder.encode(values, model), model), values)


def test_shapes_are_kept() -> None:
    model = coder.Parametric("laplace", np.zeros((3, 1), int), np.arange(60, 65), -9, 9)
    symbols = np.random.default_rng(0).integers(-9, 10, (3, 5)).astype(np.int8)
    np.testing.assert_array_equal(coder.decode(coder.encode(symbols, model), model), symbols)
    scalar = coder.Parametric("laplace", 0, 72, -9, 9)
    assert coder.decode(coder.encode(-4, scalar), scalar) == -4
    mixture = coder.LogisticMixture([32768, 32768], np.zeros((2, 3, 2), int), 80, 0, 5)
    assert coder.decode(coder.encode(np.full((2, 3), 4), mixture), mixture).tolist() == [[4] * 3] * 2


PINNED = {
    "tables": "02060000000054bc000147fb4a6880",
    "logistic": "020e00000000000000147fe3f87ed518927d199ff66fc3e37237ce38c4",
    "laplace": "020f00000000000000028ffcf98b979760a0c3ffe6dd0a43a48b224a",
    "gaussian": "0214000000000000000000ffff00ffff01fffe0421f09dbf6bc14268c2c9df81aa60",
    "mixture": "0205454bc9a28991839841e3200e14d5c663a20d80",
}


@pytest.mark.parametrize("name", PINNED)
def test_the_format_stays(name: str) -> None:
    """Bytes of version 1."""
    i = np.arange(24)
    if name == "tables":
        model: coder.Model = coder.Tables([[0, 1, 60000, 65536], [0, 30000, 50000, 65536]], i % 2)
    elif name == "mixture":
        location, scale = np.add.outer(256 * i, [0, -900, 77]), np.add.outer(9 * i, [0, 20, 40])
        model = coder.LogisticMixture([6000, 9536, 50000], location, scale, -3, 200)
    else:
        model = coder.Parametric(name, 293 * i, 10 * i, 0, 255)
    symbols = i * i // 9 % (3 if name == "tables" else 60)
    assert coder.encode(symbols, model, streams=2).hex() == PINNED[name]
    np.testing.assert_array_equal(coder.decode(bytes.fromhex(PINNED[name]), model), symbols)


# --- code lengths -------------------------------------------------------------------------------


def parameters_on_a_grid() -> tuple[np.ndarray, np.ndarray]:
    """Real locations at many phases, and real scales that lie between those of the coder."""
    phase, scale = np.linspace(-0.5, 0.5, 9), 2 ** (np.arange(-4.1, 7, 0.29))
    return tuple(a.ravel() for a in np.meshgrid(phase + 127.001, scale))  # type: ignore[return-value]


def probabilities(model: coder.Parametric, low: int, high: int) -> np.ndarray:
    """(n, high - low + 1): of the integer model, from the reference."""
    rows = []
    for location, scale in zip(
        np.ravel(model.location).tolist(), np.ravel(model.scale).tolist(), strict=True
    ):
        edge, n = reference.parametric(model.kind, location, scale, low, high)
        rows.append(np.diff([edge(i) for i in range(n + 1)]) / 2**24)
    return np.array(rows)


def exact(kind: str, location: np.ndarray, scale: np.ndarray, low: int, high: int) -> np.ndarray:
    """The same of the real distribution; the first and the last symbol have all that lies beyond."""
    from scipy import stats

    distribution = {"logistic": stats.logistic, "laplace": stats.laplace, "gaussian": stats.norm}[kind]
    sides = (np.arange(low + 1, high + 1) - 0.5 - location[:, None]) / scale[:, None]
    below, above = distribution.cdf(sides), distribution.sf(sides)
    left = np.diff(below, prepend=0, append=1)
    right = -np.diff(above, prepend=1, append=0)
    return np.where(np.abs(left) < 0.1, np.where(left > right, right, left), left).clip(1e-300)


@pytest.mark.parametrize("kind", coder.KINDS)
def test_loss_to_the_real_distribution(kind: str) -> None:
    """Rounded parameters, tables and floors cost at most 0.001 bit a symbol, and 0.0004 on average."""
    location, scale = parameters_on_a_grid()
    p = exact(kind, location, scale, 0, 255)
    q = probabilities(coder.Parametric.nearest(kind, location, scale, 0, 255), 0, 255)
    np.testing.assert_allclose(q.sum(axis=1), 1, rtol=1e-12)
    loss = (p * np.log2(p / q)).sum(axis=1)
    assert loss.max() < 0.001
    assert loss.mean() < 0.0004


@pytest.mark.parametrize("scale", [0.7, 30.0, 2000.0])
def test_loss_of_a_wide_alphabet(scale: float) -> None:
    """65536 symbols, each with a floor of 2^-24: 0.0057 bit more."""
    location, wide = np.array([30000.3]), np.array([scale])
    p = exact("logistic", location, wide, 0, 65535)
    q = probabilities(coder.Parametric.nearest("logistic", location, wide, 0, 65535), 0, 65535)
    assert (p * np.log2(p / q)).sum() < 0.0067


def test_mixture_of_one_is_a_logistic() -> None:
    rng = np.random.default_rng(0)
    location, scale = random_parameters(rng, (500,), 0, 255)
    values = random_values(rng, location, scale, 0, 255)
    one = coder.Parametric("logistic", location, scale, 0, 255)
    mixed = coder.LogisticMixture([[65536]], location[:, None], scale[:, None], 0, 255)
    assert coder.encode(values, mixed) == coder.encode(values, one)


def test_ideal_bits_are_those_of_the_reference() -> None:
    location, scale = np.array([-300, 40, 7]), np.array([100, 72, 20])
    values = [0, 5, 3]
    expected = 0.0
    for at, s, value in zip(location.tolist(), scale.tolist(), values, strict=True):
        edge, _ = reference.parametric("gaussian", at, s, 0, 9)
        expected -= np.log2((edge(value + 1) - edge(value)) / 2**24)
    ours = coder.ideal_bits(values, coder.Parametric("gaussian", location, scale, 0, 9))
    assert ours == pytest.approx(expected, rel=1e-12)


def test_rate_beside_constriction() -> None:
    """Not more than constriction's range coder with its quantised Gaussians, but for 0.1 %."""
    constriction = pytest.importorskip("constriction")
    rng = np.random.default_rng(0)
    location, scale = rng.uniform(20, 230, 20000), 2 ** rng.uniform(-2, 5, 20000)
    values = np.clip(np.rint(rng.normal(location, scale)), 0, 255).astype(np.int32)
    theirs = constriction.stream.queue.RangeEncoder()
    theirs.encode(values, constriction.stream.model.QuantizedGaussian(0, 255), location, scale)
    ours = coder.encode(values, coder.Parametric.nearest("gaussian", location, scale, 0, 255))
    assert len(ours) <= theirs.get_compressed().nbytes * 1.001 + 8


# --- damaged data -------------------------------------------------------------------------------


def outcome(decoder: Any, data: bytes) -> Any:
    """The decoded symbols, or the class of the error."""
    try:
        return np.asarray(decoder(data)).tolist()
    except CorruptError:
        return CorruptError


@pytest.mark.parametrize("kind", CASES)
@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, count=st.integers(1, 20), position=st.integers(0, 400), flip=st.integers(0, 255))
def test_damaged(kind: str, seed: int, count: int, position: int, flip: int) -> None:
    """Data cut or altered anywhere: symbols or CorruptError, from both decoders alike."""
    case = CASES[kind](np.random.default_rng(seed), count)
    data = bytearray(coder.encode(case.symbols, case.model, streams=min(3, count)))
    position %= len(data)
    if flip:
        data[position] ^= flip
    else:
        del data[position:]
    assert outcome(lambda d: coder.decode(d, case.model), bytes(data)) == outcome(case.reference, bytes(data))


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=80), streams=st.integers(0, 5), seed=SEEDS)
def test_arbitrary_bytes(data: bytes, streams: int, seed: int) -> None:
    case = mixture_case(np.random.default_rng(seed), 6)
    data = bytes([streams]) + data
    assert outcome(lambda d: coder.decode(d, case.model), data) == outcome(case.reference, data)


@pytest.mark.parametrize(
    "data",
    [b"", b"\0", b"\x80", b"\xff" * 30, b"\x03", b"\x02", b"\x02\x05abc", b"\x02" + b"\x80" * 9 + b"\1"],
    ids=["empty", "no stream", "cut", "long", "more than symbols", "no size", "beyond the end", "long size"],
)
def test_bad_headers(data: bytes) -> None:
    with pytest.raises(CorruptError):
        coder.decode(data, coder.Parametric("laplace", [0, 0], 72, -9, 9))


def test_truncated_is_corrupt() -> None:
    model = coder.Parametric("logistic", np.zeros(3000, int), 120, 0, 255)
    data = coder.encode(np.random.default_rng(0).integers(0, 256, 3000), model)
    with pytest.raises(CorruptError):
        coder.decode(data[: len(data) // 2], model)


# --- arguments ----------------------------------------------------------------------------------

ONE = coder.Parametric("laplace", [0], 72, -9, 9)
ROW = [0, 10, 65536]
BAD = {
    "a symbol above": lambda: coder.encode([10], ONE),
    "a symbol below": lambda: coder.encode([-10], ONE),
    "bits of a symbol above": lambda: coder.ideal_bits([10], ONE),
    "a huge symbol": lambda: coder.encode([2**40], ONE),
    "real symbols": lambda: coder.encode([0.5], ONE),
    "another shape": lambda: coder.encode([0, 0], ONE),
    "no streams": lambda: coder.encode([0], ONE, streams=0),
    "more streams than symbols": lambda: coder.encode([0], ONE, streams=2),
    "too many streams": lambda: coder.encode([0], ONE, streams=2**40),
    "no threads": lambda: coder.decode(b"\1", ONE, threads=0),
    "a table that does not rise": lambda: coder.encode([0], coder.Tables([[0, 5, 5, 65536]], [0])),
    "a table that begins above 0": lambda: coder.encode([0], coder.Tables([[1, 5, 65536]], [0])),
    "a table that ends early": lambda: coder.encode([0], coder.Tables([[0, 5, 65535]], [0])),
    "a table without symbols": lambda: coder.Tables([[0]], [0]),
    "tables of one dimension": lambda: coder.Tables(ROW, [0]),
    "an index above": lambda: coder.decode(b"\1", coder.Tables([ROW], [1])),
    "an index below": lambda: coder.decode(b"\1", coder.Tables([ROW], [-1])),
    "an unknown kind": lambda: coder.Parametric("cauchy", [0], [0], 0, 1),
    "a location too far": lambda: coder.encode([0], coder.Parametric("laplace", [2**25 + 1], 0, 0, 1)),
    "a scale too large": lambda: coder.Parametric("laplace", [0], 256, 0, 1),
    "shapes that differ": lambda: coder.Parametric("laplace", [0, 0], [0, 0, 0], 0, 1),
    "low above high": lambda: coder.Parametric("laplace", [0], [0], 1, 0),
    "too wide": lambda: coder.encode([0], coder.Parametric("laplace", [0], [0], -1, 65535)),
    "six components": lambda: coder.LogisticMixture([[65536] + [0] * 5], 0, 0, 0, 1),
    "no components": lambda: coder.LogisticMixture(np.zeros((2, 0), int), 0, 0, 0, 1),
    "a mixture without an axis": lambda: coder.LogisticMixture(65536, 0, 0, 0, 1),
    "weights too small": lambda: coder.encode([0], coder.LogisticMixture([[65535]], 0, 0, 0, 1)),
    "a negative weight": lambda: coder.encode([0], coder.LogisticMixture([[65537, -1]], 0, 0, 0, 1)),
    "a scale of 0": lambda: coder.scale_index([1, 0]),
    "a location that is not finite": lambda: coder.location_steps([np.nan]),
    "weights of 0": lambda: coder.weight_counts([0, 0]),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_arguments(name: str) -> None:
    with pytest.raises(UsageError):
        BAD[name]()


def test_from_real_numbers() -> None:
    assert coder.location_steps([0.5, -1.25, 1e9]).tolist() == [128, -320, 2**25]
    assert coder.scale_index([1, 2, 2**-4.5, 1e-9, 1e9]).tolist() == [72, 88, 0, 0, 255]
    weights = np.random.default_rng(0).random((50, 5))
    counts = coder.weight_counts(weights)
    assert (counts.sum(axis=1) == 65536).all()
    assert np.abs(counts - 65536 * weights / weights.sum(axis=1, keepdims=True)).max() <= 1
