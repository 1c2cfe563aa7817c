"""Updates of the lossless codec's network: the native core against the reference, and what is refused."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

native = pytest.importorskip("wyner._native", reason="the native extension is not built")

from lossless_samples import (  # noqa: E402
    SMALL,
    Array,
    Integers,
    picture,
    pictures,
    random_integers,
    random_update,
    shapes,
)

import wyner  # noqa: E402
from wyner import container  # noqa: E402
from wyner.codecs import lossless as codecs_lossless  # noqa: E402
from wyner.codecs.base import Settings  # noqa: E402
from wyner.codecs.lossless import NETWORK, UPDATED, adaptation, model  # noqa: E402
from wyner.errors import CorruptError, UnavailableError, WynerError  # noqa: E402
from wyner.reference import decode_lossless  # noqa: E402
from wyner.reference.lossless_network import Network  # noqa: E402
from wyner.reference.lossless_update import updated  # noqa: E402

NAME = b"eight by"


@functools.cache
def integers(part: float = 0.05) -> Integers:
    return random_integers(np.random.default_rng(8), SMALL, part)


def network(made: Integers) -> model.Network:
    return model.Network(NAME, made.sizes, made.weights, made.biases, made.native())


def payload_of(update: bytes, data: bytes) -> bytes:
    return bytes([UPDATED]) + NAME + len(update).to_bytes(4, "big") + update + data


@settings(max_examples=25, deadline=None)
@given(pictures(14), st.integers(0, 2**32 - 1), st.sampled_from([(1, 9), (20, 500), (127, 4096)]))
def test_both_decoders_agree(sample: tuple[Array, int], seed: int, most: tuple[int, int]) -> None:
    pixels, maxval = sample
    height, width, channels = pixels.shape
    made = integers(0.02)  # small enough for any gain
    update = native.lossless_update(made.sizes, random_update(np.random.default_rng(seed), made.sizes, *most))
    coder = network(made).updated(update)
    data = coder.encode(pixels, maxval)
    np.testing.assert_array_equal(coder.decode(data, width, height, channels, maxval), pixels)
    back = decode_lossless(payload_of(update, data), width, height, channels, maxval, made.reference(NAME))
    np.testing.assert_array_equal(back, pixels)


def test_the_golden_file() -> None:
    file = (Path(__file__).parents[1] / "golden" / "lossless" / "photo_updated.wyn").read_bytes()
    parts, shipped = container.read(file), model.shipped()
    reference = Network(shipped.name, shipped.sizes, shipped.weights, shipped.biases)
    back = decode_lossless(parts.payload, parts.header.width, parts.header.height, 3, 255, reference)
    np.testing.assert_array_equal(back, wyner.decode(file).pixels)


def test_layers_are_those_of_the_specification() -> None:
    expected = [(s.outputs, s.inputs, s.taps, s.bias_rows, (s.bound - 1) // s.largest) for s in shapes(SMALL)]
    assert native.lossless_layers(SMALL) == expected


def test_updates_take_little_more_than_their_numbers() -> None:
    assert len(native.lossless_update(SMALL, 0 * random_update(np.random.default_rng(0)))) <= 30


def outcome(decode: Any, *arguments: Any) -> Any:
    """What is decoded, or the class of the error."""
    try:
        return decode(*arguments)
    except WynerError as error:
        return type(error)


def test_overflow_is_refused() -> None:
    """Sums near their limit, weights near theirs, and a bias."""
    numbers = 0 * random_update(np.random.default_rng(0))
    cases = []
    for part, at, value in ((0.99, 0, 127), (0.99, 8, 127), (0.05, 8 + 54, 4096)):
        changed = numbers.copy()
        changed[at] = value
        cases.append((integers(part), changed))
    full = integers(0.05)
    weights = full.weights.copy()
    weights[0] = 20000  # of the stem, whose sums it leaves below the limit
    cases.append((Integers(full.sizes, weights, full.biases), cases[0][1]))
    biases = np.full_like(full.biases, (1 << 28) - 1)
    cases.append((Integers(full.sizes, full.weights, biases), cases[2][1]))
    refused = []
    for made, changed in cases:
        update = native.lossless_update(SMALL, changed)
        refused.append(outcome(network(made).updated, update) is CorruptError)
        assert (outcome(updated, made.reference(), update) is CorruptError) == refused[-1]
    assert refused == [True, True, False, True, True]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damaged_updates(data: st.DataObject) -> None:
    """Both make the same network of them, or both refuse."""
    made = integers(0.6)
    update = bytearray(native.lossless_update(SMALL, random_update(np.random.default_rng(3))))
    if data.draw(st.booleans()):
        update[data.draw(st.integers(0, len(update) - 1))] ^= data.draw(st.integers(1, 255))
    else:
        update = update[: data.draw(st.integers(0, len(update)))]
    pixels = picture(np.random.default_rng(4), "photo", 6, 5, 3, 255)
    expected = outcome(updated, made.reference(NAME), bytes(update))
    coder = outcome(network(made).updated, bytes(update))
    if isinstance(expected, type):
        assert coder is expected
    else:
        coded = payload_of(bytes(update), coder.encode(pixels, 255))
        np.testing.assert_array_equal(decode_lossless(coded, 6, 5, 3, 255, made.reference(NAME)), pixels)


def test_payloads_that_end_within_the_update(monkeypatch: pytest.MonkeyPatch) -> None:
    made = network(integers())
    monkeypatch.setattr(model, "shipped", lambda: made)
    codec = wyner.codecs.by_name("lossless")
    update = native.lossless_update(SMALL, random_update(np.random.default_rng(5)))
    pixels = picture(np.random.default_rng(4), "photo", 6, 5, 3, 255)
    payload = payload_of(update, made.updated(update).encode(pixels, 255))
    np.testing.assert_array_equal(codec.decode(payload, 6, 5, 3, 255), pixels)
    assert codec.macs_per_pixel(payload) == made.native.macs_per_pixel
    for end in range(9, 9 + 4 + len(update)):
        for decode in (codec.decode, functools.partial(decode_lossless, network=integers().reference(NAME))):
            assert outcome(decode, payload[:end], 6, 5, 3, 255) is CorruptError


def test_numbers_out_of_range() -> None:
    numbers = random_update(np.random.default_rng(0))
    for wrong in (numbers[:-1], np.append(numbers, np.int16(0)), np.full_like(numbers, 128)):
        with pytest.raises(ValueError):
            native.lossless_update(SMALL, wrong)


def test_pytorch_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adaptation.importlib.util, "find_spec", lambda name: None)
    pixels = picture(np.random.default_rng(4), "photo", 182, 182, 3, 255).astype(np.uint8)
    with pytest.raises(UnavailableError, match=r"wyner\[torch\]"):
        wyner.encode(pixels, codec="lossless", effort=9)
    small = pixels[:16, :16]  # no fit would pay
    assert wyner.encode(small, codec="lossless", effort=9) == wyner.encode(small, codec="lossless", effort=8)


def waves(channels: int) -> Array:
    """(72, 64, channels) uint8."""
    y, x = np.mgrid[:72, :64]
    smooth = 110 + 60 * np.sin(x / 5) + 40 * np.cos((x + 2 * y) / 9)
    noise = np.random.default_rng(9).integers(0, 9, (72, 64, channels))
    return (smooth[..., None] + noise).clip(0, 255).astype(np.uint8)


def only_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other methods do better than a random network."""
    monkeypatch.setattr(codecs_lossless, "_encode_planes", lambda samples, maxval: bytes(10**5))
    monkeypatch.setattr(native, "screen_encode", lambda samples, maxval: bytes(10**5))


def test_a_fit_pays_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """A random network has much to gain."""
    pytest.importorskip("torch")
    made = network(integers())
    monkeypatch.setattr(model, "shipped", lambda: made)
    monkeypatch.setattr(adaptation, "LEAST_PIXELS", 0)
    monkeypatch.setattr(adaptation, "STEPS", {9: 12})
    only_the_network(monkeypatch)
    told: list[str] = []
    files = [
        wyner.encode(waves(1), codec="lossless", effort=effort, progress=lambda p: told.append(p.phase))
        for effort in (8, 9)
    ]
    assert [container.read(file).payload[0] for file in files] == [NETWORK, UPDATED]
    assert told.count("fit") == 12 and len(files[1]) < len(files[0])
    np.testing.assert_array_equal(wyner.decode(files[1]).pixels, waves(1))


def test_fits_keep_to_what_a_network_may_have() -> None:
    """Sums near their limit, and gains that go far beyond."""
    torch = pytest.importorskip("torch")
    from wyner.nn import lossless_update

    made, lowered = integers(0.9), 0
    for layer in lossless_update.Integers(made.sizes, made.weights, made.biases).updates():
        with torch.no_grad():
            layer.outputs += 9 * torch.rand(len(layer.outputs))
            layer.inputs += 3 * torch.randn(len(layer.inputs))
        before, gains = layer().weights.round().abs().sum((1, 2)), layer.outputs.clone()
        layer.restrict()
        assert (layer().weights.round().abs().sum((1, 2)) <= layer.most).all()
        assert (layer.outputs < gains)[before > layer.most].all()
        lowered += int((before > layer.most).sum())
    assert lowered > 50


def test_a_fit_in_colour() -> None:
    pytest.importorskip("torch")
    made, pixels = network(integers()), waves(3)
    update = adaptation.fit(made, pixels, 12, None)
    coders = (made.native, made.updated(update))
    before, after = (len(coder.encode(pixels.astype(np.uint16), 255)) for coder in coders)
    assert after < before


@pytest.mark.parametrize("gain", [8, 60])
def test_what_does_not_pay_is_not_sent(monkeypatch: pytest.MonkeyPatch, gain: int) -> None:
    """Nor what makes no network: the greater gains let weights overflow."""
    made = network(integers())
    monkeypatch.setattr(model, "shipped", lambda: made)
    monkeypatch.setattr(adaptation, "steps_of", lambda effort: 1)  # whether there is PyTorch or not
    monkeypatch.setattr(adaptation, "fits", lambda pixels: True)
    bad = native.lossless_update(SMALL, random_update(np.random.default_rng(0), gain=gain))
    monkeypatch.setattr(adaptation, "fit", lambda *arguments: bad)
    codec = wyner.codecs.by_name("lossless")
    only_the_network(monkeypatch)
    assert codec.encode(waves(3), Settings(quality=60, effort=9))[0] == NETWORK
