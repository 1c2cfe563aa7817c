"""Refinement by a side picture: native against the reference, its network's file, and what it may not do."""

import json

import numpy as np
import pytest
from skimage import data as photographs

import wyner
from wyner import _native
from wyner.codecs.side import network, refinement
from wyner.codecs.side.align import Field
from wyner.errors import CorruptError, UsageError
from wyner.reference import refine as reference

PHOTOGRAPHS = photographs.astronaut, photographs.coffee


def picture(height, width, channels=1, seed=0, dtype=np.uint8):
    """Smooth structure with some noise."""
    rng = np.random.default_rng(seed)
    waves = sum(
        np.sin(np.add.outer(np.arange(height) * fy, np.arange(width) * fx) + p)
        for fy, fx, p in rng.uniform(0.05, 0.9, (6, 3))
    )
    planes = waves[..., None] * 14 + rng.normal(0, 4, (height, width, channels)) + 120
    top = np.iinfo(dtype).max
    return np.clip(np.rint(planes * (top / 255)), 0, top).astype(dtype)


def moved(x, by, seed=1):
    noise = np.random.default_rng(seed).normal(0, 2, x.shape)
    return np.clip(np.rint(np.roll(x, by, axis=1) + noise), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(
    ("size", "low", "high", "vertical", "cell", "blur", "temperature"),
    [
        ((18, 25), -4, 7, 0, 2, 0, 60),
        ((33, 40), -9, 3, 2, 4, 3, 150),
        ((21, 17), 0, 0, -1, 4, 1, 9),
        ((5, 3), -2, 2, 0, 4, 1, 40),
        ((30, 31), -3, 20, 0, 8, 1, 40),
    ],
)
def test_soft_match_is_the_reference(size, low, high, vertical, cell, blur, temperature, threads):
    x = picture(*size)
    y = moved(x, 3)
    found = _native.side_soft_match(x, y, low, high, vertical, cell, blur, temperature, threads)
    u, v = (4 * p[..., 0].astype(np.int64) for p in (x, y))
    expected = reference.soft_match(u, v, reference.planes(y), low, high, vertical, cell, blur, temperature)
    np.testing.assert_array_equal(found, np.stack(expected))


def test_soft_match_finds_what_was_moved():
    x = picture(48, 64, 3, seed=4)
    y = np.roll(x, 5, axis=1)
    found = _native.side_soft_match(x, y, -8, 8, 0, 4, 0, 10)[:, :, 10:-10]
    error = np.abs(found[0] - np.stack(reference.planes(x))[0][:, 10:-10])
    assert np.median(error) <= 8  # half a step of 8 bits is that much


@pytest.mark.parametrize(
    "change", [{"cell": 3}, {"cell": 34}, {"high": -5}, {"temperature": 0}, {"blur": -1}]
)
def test_soft_match_refuses(change):
    x = picture(8, 8)
    search = {"low": -4, "high": 4, "vertical": 0, "cell": 4, "blur": 1, "temperature": 40} | change
    with pytest.raises(ValueError, match="search"):
        _native.side_soft_match(x, x, **search)


def random_layers(planes, seed, widths=(6, 5, 12)):
    rng = np.random.default_rng(seed)
    layers, inputs = [], 4 * planes + 1
    for outputs in widths:
        weights = rng.integers(-300, 300, (outputs, inputs, 3, 3)).astype(np.int16)
        layers.append((weights, rng.integers(-(1 << 20), 1 << 20, outputs).astype(np.int32), 12))
        inputs = outputs
    return layers


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (7, 64), (37, 129)])
def test_network_is_the_reference(size, threads):
    rng = np.random.default_rng(sum(size))
    planes = rng.integers(-32768, 32768, (4, *size)).astype(np.int16)
    layers = random_layers(4, seed=9)
    found = _native.side_restore(planes, -777, layers, threads)
    np.testing.assert_array_equal(found, reference.restore(planes, -777, layers))


def test_network_refuses_sums_that_could_overflow():
    weights = np.full((12, 5, 3, 3), 32767, np.int16)
    with pytest.raises(ValueError, match="layers"):
        _native.side_restore(np.zeros((1, 4, 4), np.int16), 0, [(weights, np.zeros(12, np.int32), 12)])


@pytest.mark.parametrize("outputs", [11, 4])
def test_network_refuses_layers_that_do_not_fit(outputs):
    layers = random_layers(2, seed=1, widths=(6, outputs))
    planes = np.zeros((2 if outputs == 11 else 3, 4, 4), np.int16)
    with pytest.raises(ValueError, match="layers"):
        _native.side_restore(planes, 0, layers)


def test_network_file_comes_back():
    layers = random_layers(4, seed=2)
    card, data = network.serialise(layers, {"what": "a test"})
    for (w, b, s), (w2, b2, s2) in zip(layers, network.parse(card, data), strict=True):
        assert s == s2 and np.array_equal(w, w2) and np.array_equal(b, b2)


@pytest.mark.parametrize(
    "damage",
    [
        lambda card, data: (card, data[:-1]),
        lambda card, data: (card, bytes([data[0] ^ 1]) + data[1:]),
        lambda card, data: (card[:-9], data),
        lambda card, data: ("[]", data),
        lambda card, data: (json.dumps(json.loads(card) | {"layers": [{"outputs": 3}]}), data),
        lambda card, data: (json.dumps(json.loads(card) | {"layers": []}), data),
    ],
)
def test_damaged_network_files_are_refused(damage):
    with pytest.raises(CorruptError):
        network.parse(*damage(*network.serialise(random_layers(4, seed=2), {})))


@pytest.mark.parametrize(
    ("height", "width", "reach", "expected"),
    [(60, 80, 40, 2), (375, 1242, 60, 4), (4000, 6000, 90, 16), (4000, 6000, 4000, 32)],
)
def test_search_is_bounded(height, width, reach, expected):
    rows, columns = -(-height // 16), -(-width // 16)
    vectors = np.zeros((rows, columns, 2), np.int16)
    vectors[..., 0] = np.linspace(-reach, reach, rows * columns).astype(np.int16).reshape(rows, columns)
    vectors[..., 1] = -5
    field = Field(16, vectors, np.ones((rows, columns), np.uint8))
    low, high, vertical, cell = refinement.search(field, height, width)
    assert cell == expected and vertical == -1
    assert low <= 0 <= high
    assert -(-height // cell) * -(-width // cell) * (high - low + 1) <= 1 << 24
    if reach < 4000:
        assert low <= -0.95 * reach / 4 - 6 and high >= 0.95 * reach / 4 + 6


# --- the whole ---------------------------------------------------------------------------------------------


def scene(dtype=np.uint8, channels=3):
    """Two views of a textured scene, the right one 6 pixels along."""
    wide = picture(96, 172, channels, seed=11, dtype=dtype)
    return wide[:, 6:166], wide[:, :160]


def test_y_brings_the_picture_nearer():
    x, y = scene()
    data = wyner.encode(x, quality=15, effort=1)
    plain, refined = wyner.decode(data), wyner.decode(data, refine=y)
    before, after = (np.mean((p.pixels.astype(float) - x) ** 2) for p in (plain, refined))
    assert after < 0.9 * before


@pytest.mark.parametrize("quality", [15, 40])
def test_an_unrelated_photograph_changes_nothing(quality):
    """Textures of one kind may pass for each other; photographs are far from it."""
    x, other = (np.ascontiguousarray(photo()[100:196, 150:310]) for photo in PHOTOGRAPHS)
    file = wyner.encode(x, quality=quality, effort=1)
    assert np.array_equal(wyner.decode(file, refine=other).pixels, wyner.decode(file).pixels)


@pytest.mark.parametrize(
    ("channels", "side_channels", "dtype", "side_dtype"),
    [
        (1, 1, np.uint8, np.uint8),
        (3, 1, np.uint8, np.uint16),
        (1, 3, np.uint16, np.uint8),
        (3, 3, np.uint16, np.uint16),
    ],
)
def test_kinds_may_differ_and_threads_do_not_matter(channels, side_channels, dtype, side_dtype):
    x = scene(dtype, channels)[0]
    y = scene(side_dtype, side_channels)[1][5:, :151]
    layers = network.shipped()
    one, many = (refinement.refine(x, y, layers, 900, threads) for threads in (1, 3))
    assert one.dtype == dtype and one.shape == x.shape and np.array_equal(one, many)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (3, 2), (16, 5)])
def test_small_pictures(size):
    x, y = picture(*size, 3), picture(7, 11, 3, seed=5)
    assert refinement.refine(x, y, network.shipped(), 20).shape == x.shape
    assert refinement.refine(x, x, network.shipped(), 20).shape == x.shape


def test_a_file_made_with_a_side_picture_is_not_refined():
    x, y = scene()
    data = wyner.encode(x, side=y, codec="side", quality=10, effort=1)
    with pytest.raises(UsageError, match="refined"):
        wyner.decode(data, side=y, refine=y)


def test_result_is_made_of_what_the_specification_says():
    x, y = scene()
    planes = refinement.network_inputs(x, y, 700)
    assert planes is not None and planes.shape == (refinement.INPUTS, *x.shape[:2])
    change = reference.restore(planes, refinement.grade(planes, 700), network.shipped()).astype(np.int16)
    expected = refinement.changed(x, change)
    assert np.array_equal(refinement.refine(x, y, network.shipped(), 700), expected)


def test_there_is_nothing_to_refine_in_a_lossless_file() -> None:
    file = wyner.encode(np.zeros((8, 8, 3), np.uint8), codec="lossless")
    with pytest.raises(wyner.UsageError, match="lossless"):
        wyner.decode(file, refine=np.zeros((8, 8, 3), np.uint8))


def test_a_search_of_more_labels_than_weights_can_tell_is_refused() -> None:
    flat = np.zeros((8, 8, 1), np.uint8)
    assert _native.side_soft_match(flat, flat, 0, 4095, 0, 4, 0, 10, 1) is not None
    with pytest.raises(wyner.UsageError, match="out of range"):
        _native.side_soft_match(flat, flat, 0, 4096, 0, 4, 0, 10, 1)
