"""The lossless codec: its payloads, networks, their file, and what ``wyner.encode`` makes of pictures."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from skimage import data as pictures

native = pytest.importorskip("wyner._native", reason="the native extension is not built")

from lossless_samples import SMALL, Integers, picture, random_integers, shapes  # noqa: E402

import wyner  # noqa: E402
from wyner import container  # noqa: E402
from wyner.codecs import lossless  # noqa: E402
from wyner.codecs.base import Settings  # noqa: E402
from wyner.codecs.lossless import model  # noqa: E402
from wyner.errors import CorruptError, UnsupportedError  # noqa: E402
from wyner.image import Image  # noqa: E402
from wyner.reference import decode_lossless  # noqa: E402

TINY = (2, 2, 64, 2, 0, 0, 0)
PHOTO = np.ascontiguousarray(pictures.astronaut()[60:100, 160:216])


def made(part: float = 0.05) -> Integers:
    return random_integers(np.random.default_rng(0), SMALL, part)


# --- pictures -------------------------------------------------------------------------------------


def drawing() -> np.ndarray:
    """Text-like strokes in few colours, which repeat."""
    tile = np.random.default_rng(1).integers(0, 2, (8, 8, 1)).astype(np.uint8)
    return np.tile(tile * np.array([200, 30, 90], np.uint8), (8, 8, 1))


def method(pixels: np.ndarray) -> int:
    data = wyner.encode(pixels, codec="lossless")
    np.testing.assert_array_equal(wyner.decode(data).pixels, pixels)
    return container.read(data).payload[0]


def test_photographs_go_through_the_network_and_drawings_do_not() -> None:
    assert method(PHOTO) == lossless.NETWORK
    assert method(drawing()) == lossless.SCREEN
    assert method(np.zeros((50, 50, 1), np.uint8)) == lossless.SCREEN


def test_the_network_is_worth_its_time() -> None:
    """The other method has adaptive predictions; what was learned must beat them on a photograph."""
    samples = PHOTO.astype(np.uint16)
    assert len(model.shipped().native.encode(samples, 255)) < 0.95 * len(native.screen_encode(samples, 255))


@pytest.mark.parametrize("planes", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_alpha_and_depth(planes: int, dtype: type) -> None:
    rng = np.random.default_rng(planes)
    pixels = picture(rng, "photo", 21, 17, 3, np.iinfo(dtype).max).astype(dtype)
    alpha = rng.integers(0, 2, (17, 21, 1)).astype(dtype) * np.iinfo(dtype).max
    image = Image.from_array(
        np.dstack([pixels, alpha])[:, :, {1: [0], 2: [0, 3], 3: [0, 1, 2], 4: range(4)}[planes]]
    )
    image = dataclasses.replace(image, icc=rng.bytes(200), exif=b"II*\0" + bytes(20), xmp=b"<x/>")
    data = wyner.encode(image, codec="lossless", store_hash=True)
    assert wyner.decode(data, check_hash=True) == image
    info = wyner.info(data)
    assert (info.codec, info.codec_version, info.bit_depth) == ("lossless", 1, 8 * np.dtype(dtype).itemsize)


def test_quality_and_targets_are_refused() -> None:
    for setting in ({"quality": 50}, {"target_bpp": 1.0}, {"target_psnr": 40.0}, {"target_size": 1000}):
        with pytest.raises(wyner.UsageError, match="lossless"):
            wyner.encode(PHOTO, codec="lossless", **setting)


def test_deep_colour_of_all_values() -> None:
    """Differences of colours that take more than 65536 values: the planes are coded as they are."""
    rng = np.random.default_rng(2)
    pixels = rng.integers(0, 65536, (9, 9, 3)).astype(np.uint16)
    pixels[0, 0], pixels[0, 1] = (65535, 0, 0), (0, 0, 65535)
    network = made().native()
    coded = network.encode(pixels, 65535)
    assert coded[0] == 1
    np.testing.assert_array_equal(network.decode(coded, 9, 9, 3, 65535), pixels)
    assert network.encode(pixels // 4, 65535)[0] == 0


def test_progress_comes_and_may_stop_the_encoder() -> None:
    told: list[float] = []
    network = made().native()
    samples = PHOTO.astype(np.uint16)
    coded = network.encode(samples, 255, report=told.append)
    assert coded == network.encode(samples, 255)
    assert told == sorted(told) and 0 < told[0] and told[-1] == pytest.approx(1)

    def stop(done: float) -> None:
        raise KeyError("enough")

    with pytest.raises(KeyError):
        network.encode(samples, 255, report=stop)
    steps: list[Any] = []
    wyner.encode(PHOTO, codec="lossless", progress=steps.append)
    assert steps and steps[-1].step == steps[-1].steps == 100


def test_damage_in_any_stream_is_an_error_on_any_thread() -> None:
    """Several streams, decoded at once: what one of them throws must not end the process."""
    network = random_integers(np.random.default_rng(0), TINY).native()
    samples = picture(np.random.default_rng(3), "noise", 500, 400, 1, 255)
    coded = network.encode(samples, 255)
    for cut in (1000, 10000):
        for threads in (1, 2, 3):
            with pytest.raises(CorruptError):
                network.decode(coded[:-cut], 500, 400, 1, 255, threads)


def test_threads_do_not_change_streams() -> None:
    network = random_integers(np.random.default_rng(0), TINY).native()
    samples = picture(np.random.default_rng(4), "photo", 500, 400, 1, 255)
    coded = network.encode(samples, 255, 1)
    assert network.encode(samples, 255, 3) == coded
    np.testing.assert_array_equal(network.decode(coded, 500, 400, 1, 255, 3), samples)


def test_tiles_in_both_directions() -> None:
    network = random_integers(np.random.default_rng(0), TINY).native()
    samples = picture(np.random.default_rng(5), "photo", 770, 770, 3, 255)
    coded = network.encode(samples, 255, 2)
    for threads in (1, 3):
        np.testing.assert_array_equal(network.decode(coded, 770, 770, 3, 255, threads), samples)


def test_any_number_of_threads() -> None:
    network, samples = made().native(), np.full((3, 3, 1), 7, np.uint16)
    coded = network.encode(samples, 255, 10**6)
    np.testing.assert_array_equal(network.decode(coded, 3, 3, 1, 255, 10**6), samples)


# --- payloads -------------------------------------------------------------------------------------


def payload() -> bytes:
    return container.read(wyner.encode(PHOTO, codec="lossless")).payload


def decoded(data: bytes) -> np.ndarray:
    return lossless.decode(data, PHOTO.shape[1], PHOTO.shape[0], 3, 255)


def test_payloads_that_name_another_network() -> None:
    whole = payload()
    assert whole[0] == lossless.NETWORK and whole[1:9] == model.shipped().name
    other = whole[:4] + bytes([whole[4] ^ 1]) + whole[5:]
    for call in (decoded, lossless.macs_per_pixel):
        with pytest.raises(UnsupportedError, match="network"):
            call(other)
        for wrong in (b"", b"\4" + whole[1:], b"\xff", whole[:1], whole[:8]):
            with pytest.raises(CorruptError):
                call(wrong)


def test_multiply_accumulates() -> None:
    sizes = (8, 6, 64, 4, 1, 0, 2)
    integers = random_integers(np.random.default_rng(0), sizes)
    per_size = dict.fromkeys((0, 1, 2), 0)
    down = [0, 0, 0, 1, 1, 2, 2, 2, 2, 2, 1, 1, 1, 0, 0]  # halvings: the UNet's layers as the table has them
    for shape, halvings in zip(shapes(sizes), down, strict=False):
        per_size[halvings] += shape.inputs * shape.outputs * shape.taps
    for shape in shapes(sizes)[len(down) :]:
        per_size[0] += shape.inputs * shape.outputs * shape.taps
    expected = sum(macs / 3 / 4**halvings for halvings, macs in per_size.items())
    assert integers.native().macs_per_pixel == pytest.approx(expected)
    assert lossless.macs_per_pixel(payload()) == model.shipped().native.macs_per_pixel
    assert lossless.macs_per_pixel(b"\1") == 300


def varints(*values: int) -> bytes:
    return b"".join(container.varint(v) for v in values)


@pytest.mark.parametrize(
    "head",
    [
        b"\2" + varints(0, 510),  # no such colours
        b"\0" + varints(510, 0),  # high below low
        b"\0" + varints(0, 512),  # beyond maxval
        b"\0" + varints(511, 0),
        b"\0" + b"\x80" * 9 + b"\1",  # a number too long
    ],
)
def test_wrong_headers(head: bytes) -> None:
    with pytest.raises(CorruptError):
        made().native().decode(head + bytes(40), 4, 4, 1, 255)


@pytest.mark.parametrize(
    "head", [b"", b"\0", b"\0" + varints(0), b"\0\0\x80", b"\0" + varints(0, 510) + b"\x80"]
)
def test_headers_that_end_early(head: bytes) -> None:
    with pytest.raises(CorruptError):
        made().native().decode(head, 500, 400, 1, 255)


def test_ranges_of_more_than_16_bits() -> None:
    with pytest.raises(CorruptError, match="range"):
        made().native().decode(b"\0" + varints(1, 2 * 65535) + bytes(40), 4, 4, 1, 65535)


def test_streams_longer_than_the_data() -> None:
    network = made().native()
    for sizes in (varints(100), varints(2**32 - 1), b"\x80", b""):
        with pytest.raises(CorruptError):
            network.decode(
                b"\0" + varints(0, 510) + sizes + bytes(50)[: 50 if sizes else 0], 500, 400, 1, 255
            )


def test_samples_beyond_their_range_are_corrupt() -> None:
    """Planes that the inverse colour transform takes out of 0..255: ranges are free, samples are not."""
    pixels = np.full((5, 5, 3), 255, np.uint16)
    network = made().native()
    coded = network.encode(pixels, 255)
    assert coded[1:].startswith(varints(510, 510, 0, 0, 0, 0))
    moved = coded[:1] + varints(510, 510, 2, 2, 0, 0) + coded[7 + 2 :]
    with pytest.raises(CorruptError, match="sample"):
        network.decode(moved, 5, 5, 3, 255)


@pytest.mark.parametrize(
    "width, height, channels, maxval", [(0, 4, 1, 255), (4, 0, 3, 255), (4, 4, 2, 255), (4, 4, 1, 254)]
)
def test_wrong_shapes(width: int, height: int, channels: int, maxval: int) -> None:
    network, samples = made().native(), np.zeros((height, width, channels), np.uint16)
    for call in (
        lambda: network.decode(b"", width, height, channels, maxval),
        lambda: native.screen_decode(b"", width, height, channels, maxval),
        lambda: network.encode(samples, maxval),
        lambda: native.screen_encode(samples, maxval),
    ):
        with pytest.raises(ValueError):
            call()


def test_samples_above_maxval_and_no_threads() -> None:
    samples = np.full((2, 2, 1), 256, np.uint16)
    network = made().native()
    for call in (lambda: network.encode(samples, 255), lambda: native.screen_encode(samples, 255)):
        with pytest.raises(ValueError, match="maxval"):
            call()
    with pytest.raises(ValueError, match="threads"):
        network.encode(samples, 65535, 0)
    with pytest.raises(ValueError, match="threads"):
        network.decode(b"", 2, 2, 1, 255, 0)


# --- networks -------------------------------------------------------------------------------------


def test_networks_of_wrong_counts() -> None:
    good = made()
    for wrong in (
        replace(good, weights=good.weights[1:]),
        replace(good, weights=np.append(good.weights, np.int16(0))),
        replace(good, biases=good.biases[1:]),
        replace(good, biases=np.append(good.biases, np.int32(0))),
        replace(good, sizes=(8, 8, 64, 8, 1, 1, 1)),
    ):
        with pytest.raises(ValueError, match="not the weights"):
            wrong.native()


@pytest.mark.parametrize(
    "sizes",
    [
        (0, 8, 64, 8, 1, 1, 1), (7, 8, 64, 8, 1, 1, 1), (130, 8, 64, 8, 1, 1, 1), (8, 8, 32, 8, 1, 1, 1),
        (8, 8, 192, 8, 1, 1, 1), (8, 8, 64, -2, 1, 1, 1), (8, 8, 64, 8, -1, 1, 1), (8, 8, 64, 8, 1, 1, 9),
    ],
)  # fmt: skip
def test_networks_of_wrong_sizes(sizes: tuple[int, ...]) -> None:
    with pytest.raises(ValueError):
        native.LosslessModel(sizes, np.zeros(0, np.int16), np.zeros(0, np.int32))


def test_networks_whose_sums_could_overflow() -> None:
    """Each layer by itself is held to its bound: one weight more and the network is refused."""
    layers = shapes(SMALL)
    count = sum(s.inputs * s.outputs * s.taps for s in layers)
    biases = np.zeros(sum(s.outputs * s.bias_rows for s in layers), np.int32)
    start = 0
    for shape in layers:
        row = shape.inputs * shape.taps
        most = (shape.bound - 1) // shape.largest
        each = np.full(row, most // row)
        each[: most % row] += 1
        fits = each.max() <= 32767
        weights = np.zeros(count, np.int16)
        weights[start : start + row] = each.clip(max=32767)
        native.LosslessModel(SMALL, weights, biases)
        if fits:
            weights[start + row - 1] *= -1
            weights[start] += 1
            with pytest.raises(ValueError, match="overflow"):
                native.LosslessModel(SMALL, weights, biases)
        start += row * shape.outputs
    with pytest.raises(ValueError, match="bias"):
        native.LosslessModel(SMALL, np.zeros(count, np.int16), np.append(biases[1:], np.int32(1 << 28)))


# --- the file of a network ------------------------------------------------------------------------


def test_pack_and_unpack() -> None:
    for seed, part in ((0, 0.005), (1, 0.99)):
        good = random_integers(np.random.default_rng(seed), SMALL, part)
        data = model.pack(good.sizes, good.weights, good.biases)
        sizes, weights, biases = model.unpack(data)
        assert sizes == good.sizes and weights.dtype == np.int16 and biases.dtype == np.int32
        np.testing.assert_array_equal(weights, good.weights)
        np.testing.assert_array_equal(biases, good.biases)
        assert len(data) < 2 * len(weights) + 4 * len(biases)


def test_the_shipped_network_must_be_that_of_its_card(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    folder = model.resources.files("wyner") / "weights"
    (tmp_path / "weights").mkdir()
    for name in ("lossless.json", "lossless.bin"):
        (tmp_path / "weights" / name).write_bytes((folder / name).read_bytes())
    monkeypatch.setattr(model.resources, "files", lambda package: tmp_path)
    assert model.shipped.__wrapped__().name == model.shipped().name
    with (tmp_path / "weights" / "lossless.bin").open("r+b") as file:
        file.seek(5000)
        file.write(b"\0\1")
    with pytest.raises(CorruptError, match="card"):
        model.shipped.__wrapped__()


def noise(channels: int, dtype: type) -> np.ndarray:
    high = np.iinfo(dtype).max + 1
    return np.random.default_rng(3).integers(0, high, (20, 30, channels)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_noise_takes_hardly_more_than_its_samples(channels, dtype):
    """Planes by themselves: neither the network nor repeats foresee anything."""
    pixels = noise(channels, dtype)
    payload = lossless.encode(pixels, Settings(quality=100.0))
    assert payload[0] == lossless.PLANES and len(payload) <= pixels.nbytes + 16
    maxval = int(np.iinfo(dtype).max)
    for decode in (lossless.decode, decode_lossless):
        decoded = decode(payload, 30, 20, channels, maxval)
        assert decoded.dtype == dtype and np.array_equal(decoded, pixels)


def test_planes_that_the_payload_does_not_have():
    payload = bytearray(lossless.encode(noise(3, np.uint8), Settings(quality=100.0)))
    payload[1:5] = b"\xff" * 4
    for decode in (lossless.decode, decode_lossless):
        for data in (bytes(payload), bytes(payload[:4])):
            with pytest.raises(CorruptError):
                decode(data, 30, 20, 3, 255)
