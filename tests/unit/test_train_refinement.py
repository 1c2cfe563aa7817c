"""Training of the refinement's network: its integers are its numbers, and it goes on where it stopped."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from wyner import _native  # noqa: E402
from wyner.codecs.side.refinement import INPUTS  # noqa: E402
from wyner.train.refinement import UNIT, Example, Network, Trainer, examples_of, square_error  # noqa: E402


def test_integers_are_the_network():
    torch.manual_seed(3)
    net = Network()
    torch.nn.init.normal_(net.layers[-1].weight, std=0.05)
    planes = np.random.default_rng(0).integers(-2000, 2000, (INPUTS, 14, 22)).astype(np.int16)
    with torch.no_grad():
        wanted = net(torch.from_numpy(planes[None] / np.float32(UNIT)), torch.tensor([700 / UNIT]))[0].numpy()
    found = _native.side_restore(planes, 700, net.integers())
    assert np.abs(wanted).max() > 0.05
    np.testing.assert_allclose(found / UNIT, wanted, atol=8 / UNIT)


def test_weights_too_large_for_the_finest_integers_get_coarser_ones():
    net = Network()
    with torch.no_grad():
        net.layers[0].weight.fill_(0.1)
    assert net.integers()[0][2] < 12


def random_group(seed):
    rng = np.random.default_rng(seed)

    def planes(count):
        return rng.integers(-300, 300, (count, 32, 40)).astype(np.int16)

    return [Example(planes(3), planes(INPUTS), planes(INPUTS), 100 * k, 50.0) for k in range(3)]


def test_an_interrupted_training_ends_as_another():
    groups = [random_group(0), random_group(1)]
    straight, broken = Trainer(groups, 6), Trainer(groups, 6)
    losses = []
    straight.run(6, lambda step, loss: losses.append((step, loss)), batch=2, patch=16)
    broken.run(4, lambda *_: None, batch=2, patch=16)
    resumed = Trainer(groups, 6)
    resumed.resume(broken.state())
    resumed.run(6, lambda *_: None, batch=2, patch=16)
    assert [step for step, _ in losses] == [1, 2, 3, 4, 5, 6]
    for a, b in zip(straight.network.parameters(), resumed.network.parameters(), strict=True):
        assert torch.equal(a, b)


def test_training_lowers_the_loss():
    """The change wanted is there to be read from an input."""
    rng = np.random.default_rng(5)
    given = rng.integers(-200, 200, (INPUTS, 32, 32)).astype(np.int16)
    change = given[3:6]
    error = float(square_error(torch.from_numpy(change[None].astype(np.float32)) / UNIT))
    trainer = Trainer([[Example(change, given, given, 0, error)]], 60)
    losses = []
    trainer.run(60, lambda _, loss: losses.append(loss), batch=2, patch=32)
    assert losses[0] == pytest.approx(1, rel=0.2) and np.mean(losses[-5:]) < 0.5


def test_examples_are_cut_from_a_picture():
    rng = np.random.default_rng(1)
    original = np.repeat(np.repeat(rng.integers(0, 256, (12, 20, 3)), 8, 0), 8, 1).astype(np.uint8)
    decoded = np.clip(original + rng.normal(0, 5, original.shape), 0, 255).astype(np.uint8)
    [one] = examples_of(original, decoded, original, decoded[::-1].copy(), 800, 64, seed=0)
    assert one.change.shape == (3, 64, 64) and one.right.shape == one.wrong.shape == (INPUTS, 64, 64)
    assert one.error == pytest.approx(25, rel=0.2)
    assert np.array_equal(one.right[:3], one.wrong[:3])  # the decoded picture itself
