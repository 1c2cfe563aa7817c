"""Damage to files of the lossless codec: cut at every byte, bits flipped, two hundred random cases each.

A file either decodes to a picture of its size or ends in an error of ours.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from skimage import data

pytest.importorskip("wyner._native", reason="the native extension is not built")

from damage import damaged

import wyner
from wyner import _native, container
from wyner.codecs.lossless import NETWORK, SCREEN, UPDATED, model

CASES = 200
PHOTO = np.ascontiguousarray(data.astronaut()[60:69, 160:171])
NOISE = np.random.default_rng(2).integers(0, 250, (*PHOTO.shape[:2], 1)).astype(np.uint16)
STROKES = np.random.default_rng(0).integers(0, 2, (6, 6, 1)).astype(np.uint8)
PICTURES: dict[str, np.ndarray[Any, Any]] = {
    "photo": PHOTO,
    "updated": PHOTO,
    "deep": PHOTO[:, :, :1].astype(np.uint16) * 250 + NOISE,
    "palette": np.tile(STROKES * np.array([9, 200, 77], np.uint8), (4, 4, 1)),
    "colours": np.tile(np.random.default_rng(1).integers(0, 256, (20, 20, 3)).astype(np.uint8), (2, 1, 1)),
}
METHODS = {"photo": NETWORK, "updated": UPDATED, "deep": NETWORK, "palette": SCREEN, "colours": SCREEN}


def update(network: model.Network) -> bytes:
    """One that changes little: a gain of an output, and of an input, of the first layer."""
    layers = _native.lossless_layers(network.sizes)
    numbers = np.zeros(sum(o + i + rows * o for o, i, _, rows, _ in layers), np.int16)
    numbers[[3, layers[0][0] + 5]] = 2, -1
    data: bytes = _native.lossless_update(network.sizes, numbers)
    return data


def made(name: str) -> bytes:
    """The file; with the network, even where a picture is so small that the other method does better."""
    pixels, method = PICTURES[name], METHODS[name]
    parts = container.read(wyner.encode(pixels, codec="lossless"))
    if method != SCREEN:
        network = model.shipped()
        native, head = network.native, bytes([method]) + network.name
        if method == UPDATED:
            changes = update(network)
            native, head = network.updated(changes), head + len(changes).to_bytes(4, "big") + changes
        coded = native.encode(pixels.astype(np.uint16), int(np.iinfo(pixels.dtype).max))
        parts = dataclasses.replace(parts, payload=head + coded)
    return container.write(parts)


FILES = {name: made(name) for name in PICTURES}
each = pytest.mark.parametrize("name", PICTURES)


def outcome(file: bytes, name: str) -> str:
    """ "picture", or the name of our error; any other exception goes through."""
    try:
        image = wyner.decode(file, threads=1)
    except wyner.WynerError as error:
        return type(error).__name__
    assert image.pixels.shape == PICTURES[name].shape and image.pixels.dtype == PICTURES[name].dtype
    return "picture"


def with_payload(name: str, change: Callable[[bytes], bytes]) -> bytes:
    """The file with another payload and checksums that agree, as someone who means harm would write it."""
    parts = container.read(FILES[name])
    return container.write(dataclasses.replace(parts, payload=change(parts.payload)))


@each
def test_the_files_are_what_they_are_to_be(name: str) -> None:
    assert container.read(FILES[name]).payload[0] == METHODS[name]
    assert outcome(with_payload(name, lambda payload: payload), name) == "picture"


@each
def test_files_cut_at_every_byte(name: str) -> None:
    for length in range(len(FILES[name])):
        assert outcome(FILES[name][:length], name) == "CorruptError"


@each
def test_payloads_cut_at_every_byte(name: str) -> None:
    """What is left may last for a picture: past its end a decoder reads zeros, but no more than 16."""
    length = len(container.read(FILES[name]).payload)
    found = Counter(outcome(with_payload(name, lambda p, n=n: p[:n]), name) for n in range(length))
    assert set(found) <= {"CorruptError", "picture"} and found["CorruptError"] > 0, found


@each
def test_damaged_files(name: str) -> None:
    found = Counter(outcome(damaged(FILES[name], np.random.default_rng(seed)), name) for seed in range(CASES))
    assert "picture" not in found and found["CorruptError"] > CASES // 2, found


@each
def test_damaged_payloads(name: str) -> None:
    def change(seed: int) -> Callable[[bytes], bytes]:
        return lambda payload: damaged(payload, np.random.default_rng(seed))

    found = Counter(outcome(with_payload(name, change(seed)), name) for seed in range(CASES))
    assert set(found) <= {"CorruptError", "UnsupportedError", "picture"}, found
    assert found["CorruptError"] > 0 and (found["picture"] > 0 or name == "colours"), found


@each
def test_flipped_bits_of_payloads(name: str) -> None:
    """Each of the first bytes, where headers are, and some of the others."""
    payload = container.read(FILES[name]).payload
    start = 1 if METHODS[name] == SCREEN else 1 + model.NAME_BYTES
    for bit in [*range(8 * start, 8 * (start + 16)), *range(8 * (start + 16), 8 * len(payload), 61)]:
        flipped = bytearray(payload)
        flipped[bit // 8] ^= 1 << bit % 8
        assert outcome(with_payload(name, lambda _, to=bytes(flipped): to), name) in (
            "picture",
            "CorruptError",
        )


@pytest.mark.parametrize("name", ["photo", "updated", "deep"])
def test_other_networks(name: str) -> None:
    for byte in range(1, 1 + model.NAME_BYTES):
        file = with_payload(name, lambda p, at=byte: p[:at] + bytes([p[at] ^ 128]) + p[at + 1 :])
        assert outcome(file, name) == "UnsupportedError"


@each
def test_payloads_for_another_size(name: str) -> None:
    """The header says another size, depth or number of colours than the payload was made for."""
    parts = container.read(FILES[name])
    header = parts.header
    others = (
        {"width": 500},
        {"height": 1},
        {"width": 1, "height": 1},
        {"width": 3000, "height": 2000},
        {"bit_depth": 24 - header.bit_depth},
        {"channels": 4 - header.channels},
    )
    for change in others:
        file = container.write(dataclasses.replace(parts, header=dataclasses.replace(header, **change)))
        try:
            wyner.decode(file)
        except (wyner.CorruptError, wyner.LimitError):
            pass


def test_empty_and_unknown() -> None:
    for payload in (b"", b"\2", b"\xff" * 100, b"\0", b"\1"):
        assert outcome(with_payload("photo", lambda _, to=payload: to), "photo") in (
            "CorruptError",
            "picture",
        )
    assert outcome(with_payload("photo", lambda _: b""), "photo") == "CorruptError"
