"""The C interface (native/include/wyner/decode.h) against wyner.decode: pixels, limits, hash, statuses."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wyner
from wyner import container
from wyner.container import Container, Header, Limits
from wyner.errors import LimitError, WynerError
from wyner.image import Image, pixel_hash

native = pytest.importorskip("wyner._native", reason="the native extension is not built")

from random_overfit import random_stream  # noqa: E402

from wyner.codecs import overfit  # noqa: E402
from wyner.codecs.overfit.model import load_model  # noqa: E402

OK, ARGUMENT, CORRUPT, UNSUPPORTED, LIMIT, SIDE_IMAGE = 0, 2, 3, 4, 5, 7
MODELS = len(native.overfit_models())
# width, height, channels, bit depth, alpha, model, grids
SHAPES = [
    (1, 1, 1, 8, False, 0, 1),
    (37, 21, 3, 8, True, 1, 7),
    (5, 40, 1, 16, True, 2, 9),
    (64, 3, 3, 16, False, MODELS - 1, 4),
]


def picture_file(shape: tuple[int, int, int, int, bool, int, int]) -> Container:
    """A random picture of this shape, with its pixel hash."""
    width, height, channels, depth, with_alpha, model, grids = shape
    rng = np.random.default_rng(width)
    payload = random_stream(rng, width, height, model, grids).encode()
    alpha = None
    if with_alpha:
        dtype = np.uint8 if depth == 8 else np.uint16
        alpha = native.plane_encode(rng.integers(0, 1 << depth, (height, width), dtype))
    parts = Container(Header(width, height, channels, depth, with_alpha, 1, 1), payload, alpha)
    return replace(parts, pixel_hash=pixel_hash(wyner.decode(container.write(parts))))


FILES = [picture_file(shape) for shape in SHAPES]
each_file = pytest.mark.parametrize("parts", FILES)


def status_of(data: bytes, limits: Limits) -> int:
    """The exit code of what ``wyner.decode`` does."""
    try:
        wyner.decode(data, limits=limits, threads=1)
    except WynerError as error:
        return error.exit_code
    return OK


def samples_of(image: Image) -> tuple[bytes, bytes]:
    return image.pixels.tobytes(), b"" if image.alpha is None else image.alpha.tobytes()


@each_file
def test_the_same_samples(parts: Container) -> None:
    data = container.write(parts)
    status, samples, alpha = native.c_decode(data)
    assert (status, (samples, alpha)) == (OK, samples_of(wyner.decode(data)))


@each_file
def test_threads_and_alpha_that_is_not_asked_for(parts: Container) -> None:
    data = container.write(parts)
    expected = native.c_decode(data)
    assert native.c_decode(data, threads=3) == expected
    assert native.c_decode(data, with_alpha=False) == (OK, expected[1], b"")
    for threads in (0, -1):
        assert native.c_decode(data, threads=threads)[0] == ARGUMENT


@each_file
def test_buffers_that_are_too_small_are_not_written_to(parts: Container) -> None:
    data = container.write(parts)
    status, samples, alpha = native.c_decode(data, samples_short=1)
    assert status == ARGUMENT and not any(samples) and not any(alpha)
    if parts.header.has_alpha:
        status, samples, alpha = native.c_decode(data, alpha_short=1)
        assert status == ARGUMENT and not any(samples) and not any(alpha)


# --- limits -------------------------------------------------------------------------------------


def counted_macs(index: int) -> float:
    """Section 10 of the specification, from the shapes of the tensors of section 5."""
    model = load_model(index, 7)
    weights = {name: math.prod(shape) for name, (_, shape) in model.offsets.items()}
    total = float(sum(weights[f"syn.{name}"] for name in ("w1", "w2", "wl", "c1", "c2")))
    for i in range(7):
        latents = 0.25**i
        total += latents * sum(weights[f"arm.{name}"] for name in ("w1", "w2", "wo", "wl"))
        total += latents * 2 * 7  # prefilter
        total += 0.25 ** (i + 1) * (weights["ifc.w"] / 7 + 9)  # the 9 are those of the sum over 3x3
        total += (6 - i) * latents * (4 / 2 + 4)  # columns of half the width, then whole rows
    return total


def first_symbol(value: int) -> bytes:
    """The start of a payload whose first bits(8) is ``value``."""
    return (value * ((2**64 - 1) >> 8)).to_bytes(8, "big")


@pytest.mark.parametrize("index", range(MODELS))
def test_macs_of_every_model(index: int) -> None:
    payload = first_symbol(index)
    counted = counted_macs(index)
    assert native.overfit_macs_per_pixel(payload) == overfit.macs_per_pixel(payload) == counted
    # So that a picture of as many pixels as are allowed by default is never refused for its arithmetic.
    assert counted * Limits().pixels <= Limits().macs


@given(st.binary(max_size=20))
def test_macs_of_any_payload(payload: bytes) -> None:
    assert native.overfit_macs_per_pixel(payload) == overfit.macs_per_pixel(payload)


def test_macs_of_models_that_do_not_exist() -> None:
    most = max(counted_macs(index) for index in range(MODELS))
    for payload in (first_symbol(MODELS), first_symbol(255), bytes([255] * 8)):
        assert native.overfit_macs_per_pixel(payload) == most


@settings(deadline=None)
@given(st.sampled_from(FILES), st.data())
def test_limits_as_in_python(parts: Container, draw: Any) -> None:
    header = parts.header
    pixels, side = header.width * header.height, max(header.width, header.height)
    macs = int(pixels * overfit.macs_per_pixel(parts.payload))
    near = [draw.draw(st.integers(max(value - 1, 1), value + 1)) for value in (pixels, side, macs)]
    limits = Limits(pixels=near[0], side=near[1], macs=near[2])
    data = container.write(parts)
    status = native.c_decode(data, limits.pixels, limits.side, limits.macs)[0]
    assert status == status_of(data, limits)
    assert status in (OK, LIMIT)


@each_file
def test_the_edge_of_the_arithmetic(parts: Container) -> None:
    data = container.write(parts)
    exact = parts.header.width * parts.header.height * overfit.macs_per_pixel(parts.payload)
    assert native.c_decode(data, max_macs=math.ceil(exact))[0] == OK
    assert native.c_decode(data, max_macs=math.ceil(exact) - 1)[0] == LIMIT
    with pytest.raises(LimitError, match="multiply"):
        wyner.decode(data, limits=Limits(macs=math.ceil(exact) - 1))


@pytest.mark.parametrize(
    "change",
    [
        {"side_hash": bytes(16)},
        {"header": replace(FILES[0].header, codec_id=9)},
        {"header": replace(FILES[0].header, codec_version=2)},
        {"payload": b"\xff" * 40},
        {"header": replace(FILES[0].header, width=1 << 31, height=1 << 31)},
    ],
)
@pytest.mark.parametrize("macs", [1, 1 << 40])
def test_which_error_comes_first(change: dict[str, Any], macs: int) -> None:
    data = container.write(replace(FILES[0], **change))
    expected = status_of(data, Limits(macs=macs))
    assert expected != OK and native.c_decode(data, max_macs=macs)[0] == expected


def test_the_defaults_are_those_of_python() -> None:
    big = Header(1 << 15, (1 << 13) + 1, 3, 8, False, 1, 1)
    for header in (big, replace(big, width=32769, height=1)):
        data = container.write(Container(header, b""))
        assert native.c_decode(data)[0] == status_of(data, Limits()) == LIMIT


# --- the pixel hash -----------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=200), max_size=6))
def test_sha256_of_parts(parts: list[bytes]) -> None:
    assert native.sha256(parts) == hashlib.sha256(b"".join(parts)).digest()


def test_sha256_of_every_length() -> None:
    for length in range(260):
        data = bytes(i * 37 % 256 for i in range(length))
        expected = hashlib.sha256(data).digest()
        assert native.sha256([data]) == native.sha256([data[: length // 3], data[length // 3 :]]) == expected
    assert native.sha256([b"\xa5" * (1 << 20)] * 5) == hashlib.sha256(b"\xa5" * (5 << 20)).digest()


@each_file
def test_the_hash_of_the_right_samples(parts: Container) -> None:
    data = container.write(parts)
    _, samples, alpha = native.c_decode(data)
    assert native.c_check_hash(data, samples, alpha) == OK
    assert native.c_check_hash(data, samples + b"more", alpha) == OK  # the buffers may be larger
    assert native.c_check_hash(data, samples[:-1], alpha) == ARGUMENT
    assert native.c_check_hash(data[:-1], samples, alpha) == CORRUPT


@each_file
@pytest.mark.parametrize("where", [0.0, 0.4, 1.0])
def test_the_hash_of_wrong_samples(parts: Container, where: float) -> None:
    data = container.write(parts)
    _, samples, alpha = native.c_decode(data)

    def changed(plane: bytes) -> bytes:
        wrong = bytearray(plane)
        wrong[int(where * (len(plane) - 1))] ^= 1
        return bytes(wrong)

    assert native.c_check_hash(data, changed(samples), alpha) == CORRUPT
    if parts.header.has_alpha:
        assert native.c_check_hash(data, samples, changed(alpha)) == CORRUPT
        assert native.c_check_hash(data, samples, alpha[:-1]) == ARGUMENT


@each_file
def test_a_wrong_hash_and_none(parts: Container) -> None:
    _, samples, alpha = native.c_decode(container.write(parts))
    assert parts.pixel_hash is not None
    wrong = bytes([parts.pixel_hash[0] ^ 1]) + parts.pixel_hash[1:]
    for digest, expected in ((wrong, CORRUPT), (parts.pixel_hash[::-1], CORRUPT), (None, OK)):
        data = container.write(replace(parts, pixel_hash=digest))
        assert native.c_decode(data)[0] == OK  # decoding alone does not look at it
        assert native.c_check_hash(data, samples, alpha) == expected
