"""Overfit payloads: encode, inspect, decode; every instruction set and thread count; hostile bytes."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import forced_isa
import numpy as np
import pytest

from wyner.codecs.overfit.model import load_model
from wyner.codecs.overfit.weights import prior_mean, prior_scale
from wyner.errors import CorruptError, LimitError, UnsupportedError, WynerError
from wyner.reference import decode_overfit

native = pytest.importorskip("wyner._native", reason="the native extension is not built")

from random_overfit import Stream, random_stream  # noqa: E402

SIZES = [(1, 1), (1, 7), (7, 1), (53, 37), (200, 129), (17, 300), (300, 18), (96, 64)]
CASES = [(w, h, i % 3, 1 + (5 * i + h) % 9) for i, (w, h) in enumerate(SIZES)]
CASES += [(40, 35, model, grids) for model in range(3) for grids in (1, 2, 7, 9)]


@pytest.fixture(params=CASES, ids=lambda c: "{}x{}-m{}-g{}".format(*c))
def stream(request: pytest.FixtureRequest) -> Stream:
    width, height, model, grids = request.param
    return random_stream(np.random.default_rng(width * 1000 + height + grids), width, height, model, grids)


def test_inspect_returns_what_was_encoded(stream: Stream) -> None:
    data = stream.encode()
    seen = native.overfit_inspect(data, stream.width, stream.height)
    for name in ("model", "fa", "fu", "k", "s"):
        assert seen[name] == getattr(stream, name)
    np.testing.assert_array_equal(seen["params"], stream.params)
    assert len(seen["latents"]) == seen["grids"] == len(stream.latents)
    for ours, theirs in zip(seen["latents"], stream.latents, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    network, grids = native.overfit_bits(*stream.arguments())
    assert seen["network_bytes"] == network / 8
    assert seen["grid_bytes"] == [g / 8 for g in grids]
    ideal = (network + sum(grids)) / 8
    assert ideal - 4 <= len(data) <= ideal * 1.003 + 4
    assert 0 < network - parameter_bits(stream) < 12 * 60


def parameter_bits(stream: Stream) -> float:
    """What the encoder's choice of weights counts for the parameters, all but the header."""
    model = load_model(stream.model, len(stream.latents))
    index = np.flatnonzero(model.coded)
    k, s = (np.asarray(values, np.int32)[model.group[index]] for values in (stream.k, stream.s))
    symbols = np.asarray(stream.params, np.int32)[index] - prior_mean(model, index, k)
    return float(native.laplace_bits(symbols, prior_scale(model, index, k, s)).sum())


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("maxval", [255, 65535])
def test_decode_is_render_on_any_threads(stream: Stream, channels: int, maxval: int) -> None:
    data = stream.encode()
    one = native.overfit_decode(data, stream.width, stream.height, channels, maxval)
    assert one.shape == (stream.height, stream.width, channels)
    assert one.dtype == (np.uint8 if maxval == 255 else np.uint16)
    for threads in (1, 2, 3):
        again = native.overfit_decode(data, stream.width, stream.height, channels, maxval, threads=threads)
        np.testing.assert_array_equal(again, one)
        np.testing.assert_array_equal(stream.render(channels, maxval, threads), one)


@pytest.mark.parametrize("seed", range(6))
def test_reference_agrees(seed: int) -> None:
    rng = np.random.default_rng(seed)
    width, height = rng.integers(1, 40, 2).tolist()
    stream = random_stream(rng, width, height, seed % 3, int(rng.integers(1, 10)))
    data = stream.encode()
    channels, maxval = (1, 255) if seed % 2 else (3, 65535)
    expected = decode_overfit(data, width, height, channels, maxval)
    np.testing.assert_array_equal(native.overfit_decode(data, width, height, channels, maxval), expected)


def digest() -> str:
    """Hash of everything the native code computes for a few streams."""
    h = hashlib.sha256()
    for i, (width, height, grids) in enumerate([(77, 53, 7), (33, 130, 5), (1, 1, 9), (130, 5, 3)]):
        stream = random_stream(np.random.default_rng(i), width, height, i % 3, grids, noise=0.4 * (i % 2))
        data = stream.encode()
        h.update(data)
        h.update(native.overfit_decode(data, width, height, 3, 255).tobytes())
        h.update(native.overfit_decode(data, width, height, 1, 65535).tobytes())
    return h.hexdigest()


@pytest.mark.parametrize("isa", ["v2", "v3", "v4"])
def test_every_instruction_set_agrees(isa: str) -> None:
    run = forced_isa.run(isa, "test_overfit_stream", "t.digest()")
    assert run.stdout.split() == [isa, digest()], run.stderr


def decodes_or_fails_cleanly(data: bytes, width: int, height: int) -> bool:
    """Whether it decodes."""
    try:
        out = native.overfit_decode(data, width, height, 3, 255)
    except (CorruptError, UnsupportedError):
        return False
    assert out.shape == (height, width, 3)
    return True


@pytest.mark.parametrize("model", range(3))
def test_truncated_and_flipped_payloads(model: int) -> None:
    rng = np.random.default_rng(model)
    stream = random_stream(rng, 37, 53, model, 7)
    data = stream.encode()
    # What is cut off reads as zeros, which may by chance be a picture; the container's checksum is not here.
    lengths = [0, 1, 2, 5, *rng.integers(0, len(data), 40).tolist()]
    assert sum(decodes_or_fails_cleanly(data[:length], 37, 53) for length in lengths) < len(lengths) / 4
    for position in [*range(16), *rng.integers(0, len(data), 100).tolist()]:
        flipped = bytearray(data)
        flipped[position] ^= 1 << int(rng.integers(0, 8))
        decodes_or_fails_cleanly(bytes(flipped), 37, 53)


def test_random_payloads() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        data = bytes([int(rng.integers(0, 4))]) + rng.bytes(int(rng.integers(0, 3000)))
        decodes_or_fails_cleanly(data, int(rng.integers(1, 50)), int(rng.integers(1, 50)))


def test_unknown_model_is_unsupported() -> None:
    with pytest.raises(UnsupportedError):
        native.overfit_decode(b"\xfa" + bytes(50), 8, 8, 3, 255)


def small() -> Stream:
    return random_stream(np.random.default_rng(1), 20, 10, 0, 3)


def with_param(stream: Stream, index: int, value: int) -> Stream:
    params = stream.params.copy()
    params[index] = value
    return replace(stream, params=params)


def with_latent(stream: Stream, value: int) -> Stream:
    latents = [q.copy() for q in stream.latents]
    latents[1][2, 3] = value
    return stream.with_latents(latents)


@pytest.mark.parametrize("value", [-4095, 4095])
def test_extreme_latents(value: int) -> None:
    stream = small().with_latents([np.full_like(q, value) for q in small().latents])
    data = stream.encode()
    np.testing.assert_array_equal(
        native.overfit_decode(data, 20, 10, 3, 255), decode_overfit(data, 20, 10, 3, 255)
    )


def test_all_zero_latents() -> None:
    stream = small().with_latents([np.zeros_like(q) for q in small().latents])
    _network, grids = native.overfit_bits(*stream.arguments())
    assert grids == [1, 1, 1]
    seen = native.overfit_inspect(stream.encode(), 20, 10)
    assert all(not q.any() for q in seen["latents"])


@pytest.mark.parametrize(
    "broken",
    [
        lambda s: replace(s, model=3),
        lambda s: replace(s, fa=3),
        lambda s: replace(s, fu=12),
        lambda s: replace(s, k=[14, *s.k[1:]]),
        lambda s: replace(s, k=s.k[:-1]),
        lambda s: replace(s, k=[0, 0, 0, 13, *s.k[4:]]),
        lambda s: replace(s, s=[65, *s.s[1:]]),
        lambda s: replace(s, params=s.params[:-1]),
        lambda s: replace(s, width=21),
        lambda s: s.with_latents([*s.latents[:-1], s.latents[0]]),
        lambda s: s.with_latents([]),
        lambda s: with_latent(s, 4096),
        lambda s: with_latent(s, -(2**20)),
        lambda s: with_param(s, 0, 32768),
        lambda s: replace(s, params=np.full_like(s.params, 32767)),
    ],
)
def test_what_a_decoder_would_reject_is_not_encoded(broken) -> None:
    stream = broken(small())
    with pytest.raises(ValueError):
        stream.encode()
    with pytest.raises(ValueError):
        native.overfit_bits(*stream.arguments())


@pytest.mark.parametrize("picture", [(0, 5, 1, 255), (5, -1, 1, 255), (5, 5, 2, 255), (5, 5, 1, 256)])
def test_impossible_pictures(picture: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError):
        native.overfit_decode(bytes(100), *picture)


def test_pictures_that_are_too_wide() -> None:
    with pytest.raises(LimitError, match="131072"):
        native.overfit_decode(bytes(100), (1 << 17) + 1, 1, 1, 255)


def test_native_errors_are_package_errors() -> None:
    with pytest.raises(WynerError):
        native.overfit_decode(b"", 5, 5, 1, 255)
