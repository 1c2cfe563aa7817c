"""Networks of integers: they are the real ones, to rounding, and exact."""

import numpy as np
import pytest

from wyner.errors import CorruptError
from wyner.nn import integer


def random_layer(seed, double=False, relu=False, shift=12, k=5):
    rng = np.random.default_rng(seed)
    weight = rng.integers(-32767, 32768, (4, 3, k, k)).astype(np.int16)
    return integer.IntegerLayer(weight, rng.integers(-(10**8), 10**8, 4), shift, double, relu)


def by_definition(layer, x):
    """In Python's integers, sum by sum."""
    x = np.clip(x, -integer.MOST, integer.MOST)
    if layer.double:
        spread = np.zeros((x.shape[0], 2 * x.shape[1], 2 * x.shape[2]), np.int64)
        spread[:, ::2, ::2] = x
        x = spread
    r = layer.weight.shape[2] // 2
    out = np.zeros((len(layer.weight), *x.shape[1:]), np.int64)
    for o, i, j in np.ndindex(*out.shape):
        total = int(layer.bias[o]) + (2**layer.shift >> 1)
        for c, dy, dx in np.ndindex(*layer.weight.shape[1:]):
            row, column = i + dy - r, j + dx - r
            if 0 <= row < x.shape[1] and 0 <= column < x.shape[2]:
                total += int(layer.weight[o, c, dy, dx]) * int(x[c, row, column])
        out[o, i, j] = total >> layer.shift
    return np.maximum(out, 0) if layer.relu else out


@pytest.mark.parametrize(("double", "relu", "shift"), [(False, True, 0), (True, False, 12), (True, True, 40)])
def test_a_layer_is_its_definition(double, relu, shift):
    layer = random_layer(1, double, relu, shift)
    x = np.random.default_rng(2).integers(-(2**21), 2**21, (3, 4, 5))
    assert np.array_equal(layer(x), by_definition(layer, x))


def test_layers_made_of_torch_ones_are_near_them():
    torch = pytest.importorskip("torch")
    from wyner.nn.convs import conv, deconv

    torch.manual_seed(0)
    up, flat = deconv(3, 6), conv(6, 4, 3, 1)
    torch.nn.init.normal_(up.bias)
    x = torch.randint(-9, 10, (1, 3, 5, 4))
    with torch.no_grad():
        wanted = flat(torch.relu(up(x.float())))[0].numpy()
    weight = up.weight.detach().numpy().transpose(1, 0, 2, 3)[:, :, ::-1, ::-1]
    layers = [
        integer.make_layer(weight, up.bias.detach().numpy(), fraction=0, double=True, relu=True),
        integer.make_layer(
            flat.weight.detach().numpy(),
            flat.bias.detach().numpy(),
            fraction=integer.FRACTION,
            double=False,
            relu=False,
        ),
    ]
    found = integer.run(layers, x[0].numpy()) / 2**integer.FRACTION
    np.testing.assert_allclose(found, wanted, atol=0.01)
    assert wanted.std() > 1


def test_layers_that_could_lose_exactness_are_refused():
    weight = np.full((1, 300, 5, 5), 32767, np.int16)
    with pytest.raises(CorruptError):
        integer.IntegerLayer(np.tile(weight, (1, 40, 1, 1)), np.zeros(1, np.int64), 0, False, False)
    with pytest.raises(CorruptError):
        integer.IntegerLayer(weight, np.zeros(2, np.int64), 0, False, False)
    with pytest.raises(CorruptError):
        integer.IntegerLayer(weight, np.zeros(1, np.int64), 41, False, False)
    with pytest.raises(ValueError):
        integer.make_layer(np.full((1, 1, 1, 1), 40.0), np.zeros(1), fraction=0, double=False, relu=False)
