"""The network that is trained, in floating point, against the one of integers that codes."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
native = pytest.importorskip("wyner._native", reason="the native extension is not built")

from lossless_samples import picture, shapes  # noqa: E402

from wyner.nn import (  # noqa: E402
    fixed_point,
    lossless,
    lossless_export,
    lossless_import,
    lossless_update,
)
from wyner.reference import lossless_network as integers  # noqa: E402
from wyner.reference.lossless_update import updated  # noqa: E402

SIZES = lossless.Sizes(full=16, half=12, quarter=64, hidden=10, trunk_blocks=(1, 0, 2))
STEP = 1 / 256


def values(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Integers as layers give them: many zeros, few large ones."""
    return np.trunc(rng.exponential(300, shape) * rng.integers(0, 2, shape)).clip(0, 4095).astype(np.int64)


def layer(conv: fixed_point.Conv) -> integers.Layer:
    """The integers of a convolution, whose own numbers are set to them."""
    with torch.no_grad():
        conv.bias.normal_(std=0.3)
        conv.bias.copy_(torch.round(conv.bias * 2**18) / 2**18)
    weights, biases = lossless_export._conv(conv)
    return integers.Layer(weights.astype(np.int64), biases.astype(np.int64))


def run(module: torch.nn.Module, x: np.ndarray, step: float = STEP) -> np.ndarray:
    """What the module makes of integers in 1/256, in units of ``step``."""
    with torch.no_grad():
        return module.double()(torch.from_numpy(x[None] * STEP))[0].numpy() / step


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(5)


@pytest.mark.parametrize("kernel", [1, 3])
def test_convolutions_are_exact(kernel: int) -> None:
    conv = fixed_point.Conv(10, 6, kernel).double()
    ours, x = layer(conv), values(np.random.default_rng(0), 10, 9, 7)
    np.testing.assert_array_equal(ours.sums(x), run(conv, x, 2.0**-18))


def test_norm() -> None:
    rng = np.random.default_rng(1)
    for scale in (100, 2**14, 2**18, 2**21):
        sums = np.rint(rng.normal(size=(12, 20, 20)) * scale).astype(np.int64)
        sums += sums % 2048 == 1024  # the two round halves differently
        with torch.no_grad():
            exact = fixed_point.norm_relu(torch.from_numpy(sums[None] / 2.0**18))[0].numpy() / STEP
        # A unit, and what the mean square loses: its fraction, and all but the first ten bits.
        mean = (np.clip(integers.rounded(sums, 11), -4095, 4095) ** 2).mean(0) + 16
        assert np.all(np.abs(integers.norm(sums) - exact) <= 1 + exact * (1 / 1000 + 0.5 / mean))


def test_double_convolutions_pools_and_spreads() -> None:
    x = values(np.random.default_rng(2), 8, 12, 16)
    for outputs in (8, 6):  # with and without the sum
        module = fixed_point.DoubleConv(8, outputs).double()
        ours = integers.Double(layer(module.first), layer(module.second))(x)
        difference = np.abs(ours - run(module, x))
        # A unit in what lies between moves a few more.
        assert difference.max() <= 6 and difference.mean() < 0.3
    np.testing.assert_array_equal(integers.pool(x), run(torch.nn.MaxPool2d(2), x))
    spread = fixed_point.Spread(8, 6).double()
    with torch.no_grad():
        spread.conv.bias.normal_()
    weights, biases = lossless_export._spread(spread)
    ours = integers.spread(integers.Layer(weights.astype(np.int64), biases.astype(np.int64)), x)
    assert np.abs(ours - run(spread, x)).max() <= 1


@pytest.mark.parametrize("height, width", [(16, 16), (20, 35), (3, 5)])
def test_attention(height: int, width: int) -> None:
    module = fixed_point.Attention(64).double()
    x = values(np.random.default_rng(3), 64, height, width)
    ours = integers.attention(layer(module.to_qkv), layer(module.out), x)
    difference = np.abs(ours - run(module, x))
    # The parts of 256 keys are cut to 14 bits, so that they sum to less than 1.
    assert difference.max() <= 3 and difference.mean() < 0.5


@pytest.mark.parametrize("phase", lossless.PHASES)
@pytest.mark.parametrize("kind", ["photo", "noise", "flat", "extremes"])
def test_what_is_known_of_a_phase(phase: str, kind: str) -> None:
    samples = picture(np.random.default_rng(4), kind, 32, 24, 3, 255).astype(np.int64)
    level = torch.from_numpy(samples.transpose(2, 0, 1)[None].astype(np.float32))
    planes = lossless.phases_of(level)
    exact = lossless.known_of(phase, planes)
    ours = integers.known_of(phase, {name: p[0].numpy().astype(np.int64) for name, p in planes.items()})
    count = integers.neighbour_count(phase)
    np.testing.assert_array_equal(ours.base, exact.base[0].numpy() * 4)
    np.testing.assert_allclose(ours.spread, exact.spread[0].numpy() * 4 * count, rtol=1e-5)
    assert np.abs(ours.features(0) - exact.features[0].numpy() / STEP).max() <= 1


def network() -> lossless.Lossless:
    """Random, with biases that tell levels apart, and heads that do not all say the same."""
    made = lossless.Lossless(SIZES)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if name.endswith("of_level"):
                parameter.normal_(std=0.5)
            elif name.endswith("out.weight"):
                parameter.mul_(4)
    return made


def test_integers_of_a_network_have_the_order_of_the_specification() -> None:
    sizes = lossless_export.sizes_of(network())
    found = [(w.shape, b.shape) for w, b in lossless_export.layers(network())]
    expected = [((s.outputs, s.inputs, s.taps), (s.bias_rows, s.outputs)) for s in shapes(sizes)]
    assert found == expected


def to_planes(pixels: np.ndarray) -> torch.Tensor:
    """Y, Co, Cg (1, 3, H, W) float32 of RGB (H, W, 3)."""
    r, g, b = pixels.astype(np.int64).transpose(2, 0, 1)
    co = r - b
    t = b + (co >> 1)
    cg = g - t
    return torch.from_numpy(np.stack([t + (cg >> 1), co, cg])[None].astype(np.float32))


@pytest.mark.parametrize("kind", ["photo", "noise", "palette"])
def test_bits_of_pictures(kind: str) -> None:
    """What training counts is what the coder takes, in levels 0 to 2 of pictures too small to be tuned."""
    made = network()
    coder = native.LosslessModel(lossless_export.sizes_of(made), *lossless_export.flat(made))
    counted = taken = 0.0
    for seed in range(5):
        pixels = picture(np.random.default_rng(seed), kind, 64, 32, 3, 255)
        # Training takes all planes to have all values; these are in every level that is coded.
        pixels[0, ::8] = [[r, g, b] for r in (0, 255) for g in (0, 255) for b in (0, 255)]
        planes = to_planes(pixels)
        with torch.no_grad():
            for level in range(3):
                counted += made(planes, torch.tensor([level])).sum().item()
                planes = planes[..., ::2, ::2]
        rest = np.ascontiguousarray(pixels[::8, ::8])
        taken += 8 * (len(coder.encode(pixels, 255)) - len(coder.encode(rest, 255)))
    assert taken == pytest.approx(counted, rel=0.005)


def fitted_layers(made: lossless.Lossless) -> list[lossless_update.LayerUpdate]:
    """What a fit to a picture begins with."""
    whole = lossless_update.Integers(lossless_export.sizes_of(made), *lossless_export.flat(made))
    return whole.updates()


def test_parameters_of_integers_are_those_that_were_exported() -> None:
    made = network()
    parameters = lossless_import.parameters_of(made, [layer() for layer in fitted_layers(made)])
    assert parameters.keys() == {name for name, _ in made.named_parameters()}
    inputs = to_planes(picture(np.random.default_rng(1), "photo", 32, 32, 3, 255)), torch.tensor([1])
    with torch.no_grad():
        bits = torch.func.functional_call(made, parameters, inputs)
        torch.testing.assert_close(bits, made(*inputs), rtol=1e-3, atol=0)  # biases were not rounded before


def test_updates_that_are_fitted_are_those_that_are_decoded() -> None:
    made = network()
    layers = fitted_layers(made)
    with torch.no_grad():
        for layer in layers:
            for row in layer.rows():
                row.normal_(std=2)
    sizes = lossless_export.sizes_of(made)
    start = integers.Network(b"", sizes, *lossless_export.flat(made))
    decoded = updated(start, native.lossless_update(sizes, lossless_update.numbers_of(layers)))
    for ours, fitted in zip(decoded.layers, (layer() for layer in layers), strict=True):
        assert np.abs(ours.weights - fitted.weights.detach().numpy()).max() <= 0.5
        np.testing.assert_array_equal(ours.biases, fitted.biases.detach().numpy())
