"""The native `overfit` decoder against the reference decoder, which was written from the specification alone.

Random networks, from near the prior to the edge of the bounds, with latents from none to the largest: both
decoders must give the same samples. For damaged payloads they must give the same samples or the same error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wyner.errors import UnsupportedError, WynerError
from wyner.reference import decode_overfit
from wyner.reference.arithmetic import rshift
from wyner.reference.latents import decode_latents, grid_shape
from wyner.reference.network import Header, decode_network, is_absent, models, priors
from wyner.reference.range_decoder import RangeDecoder

native = pytest.importorskip("wyner._native", reason="the native extension is not built")

ROW_BUDGET = (2**31 - 2**20 - 1) // 2**15  # the most that section 6 allows for sum |w| without a bias


@dataclass(repr=False)
class Source:
    """What a payload says: everything that overfit_encode takes."""

    width: int
    height: int
    model: int
    header: Header
    parameters: dict[str, np.ndarray]
    latents: list[np.ndarray]

    def encode(self) -> bytes:
        h = self.header
        flat = np.concatenate([values.ravel() for values in self.parameters.values()]).astype(np.int32)
        latents = [q.astype(np.int32) for q in self.latents]
        return native.overfit_encode(self.width, self.height, self.model, h.fa, h.fu, h.k, h.s, flat, latents)


def random_precisions(rng: np.random.Generator, kdef: list[int], fa: int, fu: int, wild: bool) -> list[int]:
    """Fractional bits of the 12 groups, within the rules of section 6."""
    k = [int(v) for v in (rng.integers(0, 14, 12) if wild else np.array(kdef) + rng.integers(-2, 3, 12))]
    k[2] = max(k[2], 6 - fa)
    k[8] = max(k[8], 10 - fu)
    k[3] = min(k[3], k[0] + fa, k[1] + fa, k[2] + fa)
    k[9] = min(k[9], k[7] + fu, k[8] + fu, 11)  # past 11 the prior of syn.b2 is too large for a parameter
    k[11] = min(k[11], k[10] + 10)
    return k


# A weight tensor, the one that shares its rows' budget, and the bias with its shift.
ROWS: list[tuple[tuple[str, ...], str | None, Callable[[Header], int]]] = [
    (("arm.w1",), "arm.b1", lambda h: h.k[0] + h.fa - h.k[3]),
    (("arm.w2",), "arm.b2", lambda h: h.k[1] + h.fa - h.k[3]),
    (("arm.wo", "arm.wl"), "arm.bo", lambda h: h.k[2] + h.fa - h.k[3]),
    (("ifc.w",), "ifc.b", lambda h: h.fa),
    (("up.t",), None, lambda h: 0),
    (("pre.t",), None, lambda h: 0),
    (("syn.w1",), "syn.b1", lambda h: h.k[7] + h.fu - h.k[9]),
    (("syn.w2", "syn.wl"), "syn.b2", lambda h: h.k[8] + h.fu - h.k[9]),
    (("syn.c1",), "syn.d1", lambda h: h.k[10] + 10 - h.k[11]),
    (("syn.c2",), "syn.d2", lambda h: h.k[10] + 10 - h.k[11]),
]


def shrink_to_bounds(header: Header, p: dict[str, np.ndarray]) -> None:
    """Scale rows down, in place, until section 6 holds; rows that were too large end close to the bound."""
    for names, bias_name, shift in ROWS:
        room = np.full(1, float(ROW_BUDGET))
        if bias_name is not None:
            largest = 2**30 >> shift(header)  # half of the accumulator
            np.clip(p[bias_name], -largest, largest, out=p[bias_name])
            room = ROW_BUDGET - np.ceil(np.abs(p[bias_name] << shift(header)) / 2**15)
        axes = 1 if names[0] in ("syn.c1", "syn.c2") else -1
        rows = [p[name].reshape(3, -1) if axes == 1 else p[name] for name in names]
        taps = np.array([1, 2, 2, 2]) if names[0] == "pre.t" else 1
        sums = sum((np.abs(row) * taps).sum(axis=-1) for row in rows)
        factor = np.minimum(1, room / np.maximum(sums, 1))
        for name, row in zip(names, rows, strict=True):
            p[name] = np.trunc(row * factor[..., None]).astype(np.int64).reshape(p[name].shape)


def random_parameters(rng: np.random.Generator, header: Header, spread: float) -> dict[str, np.ndarray]:
    """Parameters around the prior: `spread` is the noise in units of 1 / sqrt(inputs); 30 saturates."""
    p = {}
    for tensor, mean, _ in priors(header):
        centre = rshift(mean, 14 - header.k[tensor.group])
        scale = spread * 2.0 ** header.k[tensor.group] / np.sqrt(tensor.shape[-1])
        change = np.clip(np.rint(rng.laplace(0, scale, tensor.shape)), -32767, 32767).astype(np.int64)
        values = np.clip(centre + change, -32767, 32767)
        for index in np.ndindex(tensor.shape):
            if is_absent(tensor.name, index, header.grids):
                values[index] = 0
        p[tensor.name] = values
    shrink_to_bounds(header, p)
    return p


def random_latents(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    kind = rng.integers(5)
    if kind == 0:
        return np.zeros(shape, np.int64)
    if kind == 1:
        return rng.integers(-4095, 4096, shape)
    if kind == 2:  # isolated large values: escapes
        return np.where(rng.random(shape) < 0.05, rng.choice([-4095, -700, 300, 4095], shape), 0)
    if kind == 3:
        return rng.choice([-4095, 4095], shape)
    return np.rint(rng.laplace(0, rng.choice([0.3, 2, 20]), shape)).astype(np.int64)


@st.composite
def sources(draw: st.DrawFn, max_height: int = 40, max_width: int = 50) -> Source:
    height, width = draw(st.integers(1, max_height)), draw(st.integers(1, max_width))
    model = draw(st.integers(0, len(models()) - 1))
    grids, fa, fu = draw(st.integers(1, 9)), draw(st.integers(4, 11)), draw(st.integers(2, 11))
    spread, wild = draw(st.sampled_from([0.0, 0.1, 1.0, 30.0])), draw(st.booleans())
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    k = random_precisions(rng, models()[model]["kdef"], fa, fu, wild)
    s = [int(v) for v in rng.integers(*((-64, 65) if wild else (-3, 4)), 12)]
    header = Header(models()[model], grids, fa, fu, k, s)
    latents = [random_latents(rng, grid_shape(width, height, i)) for i in range(grids)]
    return Source(width, height, model, header, random_parameters(rng, header, spread), latents)


FORMATS = [(channels, maxval) for channels in (1, 3) for maxval in (255, 65535)]


@settings(max_examples=80, deadline=None)
@given(sources(), st.sampled_from(FORMATS), st.integers(1, 3))
def test_same_samples(source: Source, samples: tuple[int, int], threads: int) -> None:
    payload = source.encode()
    size = (source.width, source.height)
    expected = decode_overfit(payload, *size, *samples)
    actual = native.overfit_decode(payload, *size, *samples, threads=threads)
    assert actual.dtype == expected.dtype
    np.testing.assert_array_equal(actual, expected)


@settings(max_examples=40, deadline=None)
@given(sources(20, 20))
def test_reference_reads_what_was_written(source: Source) -> None:
    decoder = RangeDecoder(source.encode())
    network = decode_network(decoder)
    assert network.header == source.header
    for name, values in source.parameters.items():
        np.testing.assert_array_equal(network.p[name], values, err_msg=name)
    latents = decode_latents(decoder, network, source.width, source.height)
    for actual, expected in zip(latents, source.latents, strict=True):
        np.testing.assert_array_equal(actual, expected)


# --- damaged payloads -----------------------------------------------------------------------------


def outcome(decoder: Callable[..., Any], payload: bytes, width: int, height: int) -> Any:
    """The samples, or the class of the error."""
    try:
        return decoder(payload, width, height, 3, 255).tolist()
    except WynerError as error:
        return type(error)


def assert_same_outcome(payload: bytes, width: int, height: int) -> None:
    expected = outcome(decode_overfit, payload, width, height)
    assert outcome(native.overfit_decode, payload, width, height) == expected


@settings(max_examples=80, deadline=None)
@given(sources(10, 10), st.data())
def test_damaged(source: Source, data: st.DataObject) -> None:
    payload = bytearray(source.encode())
    if data.draw(st.booleans()):
        payload[data.draw(st.integers(0, len(payload) - 1))] ^= data.draw(st.integers(1, 255))
    else:
        del payload[data.draw(st.integers(0, len(payload))) :]
    assert_same_outcome(bytes(payload), source.width, source.height)


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 3), st.integers(0, 15), st.integers(0, 2**32 - 1), st.integers(1, 20), st.integers(1, 20)
)
def test_random_bytes(model: int, grids: int, seed: int, width: int, height: int) -> None:
    """Random bytes are random symbols: they reach places that no encoder goes."""
    rng = np.random.default_rng(seed)
    start = bytes([model, grids << 4 | int(rng.integers(2, 13)), int(rng.integers(1, 13)) << 4])
    assert_same_outcome(start + rng.bytes(20000), width, height)


def edge_source(filter_sum: int) -> Source:
    """One grid of the lowest latents, under a filter d whose d0 + 2(d1 + d2 + d3) is as given."""
    rng = np.random.default_rng(0)
    model = models()[0]
    k = list(model["kdef"])
    header = Header(model, 1, 8, 8, k, [40] * 12)
    p = random_parameters(rng, header, 0.0)
    side, centre = filter_sum // 2, filter_sum % 2
    p["pre.t"][0] = [centre, side - 2 * (side // 3), side // 3, side // 3]
    return Source(8, 8, 0, header, p, [np.full((8, 8), -4095)])


def test_accumulator_at_the_bound() -> None:
    """-32768 on every input of the largest filter that section 6 allows."""
    source = edge_source(ROW_BUDGET)
    payload = source.encode()
    np.testing.assert_array_equal(
        native.overfit_decode(payload, 8, 8, 3, 255, threads=1), decode_overfit(payload, 8, 8, 3, 255)
    )


def test_encoder_refuses_weights_past_the_bound() -> None:
    with pytest.raises(ValueError):
        edge_source(ROW_BUDGET + 1).encode()


def test_unknown_model_is_unsupported() -> None:
    for decoder in (native.overfit_decode, decode_overfit):
        with pytest.raises(UnsupportedError):
            decoder(b"\xf0" + bytes(range(1, 200)), 4, 4, 3, 255)
