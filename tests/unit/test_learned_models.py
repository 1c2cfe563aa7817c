"""Layers and models of learned codecs against their definitions."""

import os
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from wyner import metrics  # noqa: E402
from wyner.nn.entropy import FactorisedPrior, GaussianConditional, bits, quantise  # noqa: E402
from wyner.nn.gdn import GDN, lower_bound  # noqa: E402
from wyner.nn.learned import PACE, Gains, LearnedCodec, ModelConfig  # noqa: E402
from wyner.nn.perceptual import LpipsDistance, MsSsim  # noqa: E402

SMALL = {"widths": (6, 8, 8), "latents": 10, "hyper": 4}
PRIORS = ("factorised", "gaussian", "hyperprior", "mean-scale")


def test_gdn_is_its_equation():
    torch.manual_seed(0)
    x, layer = torch.randn(2, 5, 3, 4), GDN(5)
    with torch.no_grad():
        layer.gamma.uniform_(0, 1)
        layer.beta.uniform_(0.5, 1)
    gamma, beta = layer.gamma**2, layer.beta**2
    root = torch.sqrt(beta[:, None, None] + torch.einsum("ij,bjhw->bihw", gamma, x**2))
    assert torch.allclose(layer(x), x / root, atol=1e-6)
    layer.inverse = True
    assert torch.allclose(layer(x), x * root, atol=1e-6)


def test_a_bound_lets_only_gradients_pass_that_lead_back():
    x = torch.tensor([-1.0, -1.0, 2.0], requires_grad=True)
    lower_bound(x, 0.0).backward(torch.tensor([1.0, -1.0, 1.0]))
    assert x.grad.tolist() == [0, -1, 1]


def test_probabilities_sum_to_one():
    torch.manual_seed(1)
    values = torch.arange(-300.0, 301).view(1, 1, 1, -1).expand(1, 3, 1, -1)
    density, conditional = FactorisedPrior(3), GaussianConditional()
    assert torch.allclose(density.likelihoods(values).sum((0, 2, 3)), torch.ones(3), atol=1e-4)
    assert torch.allclose(density.likelihoods(values / 4, 1 / 4).sum((0, 2, 3)), torch.ones(3), atol=2e-2)
    scales = torch.tensor([0.01, 1.0, 40.0]).view(1, 3, 1, 1)
    assert torch.allclose(conditional.likelihoods(values, scales).sum((0, 2, 3)), torch.ones(3), atol=1e-4)


def test_the_density_is_the_difference_of_its_cumulative():
    torch.manual_seed(2)
    density = FactorisedPrior(3)
    edges = torch.arange(-5.5, 6).expand(3, -1)
    values = torch.arange(-5.0, 6).view(1, 1, 1, -1).expand(1, 3, 1, -1)
    assert torch.allclose(
        density.cumulative(edges).diff(dim=1), density.likelihoods(values)[0, :, 0], atol=1e-6
    )


def test_quantisers():
    x = torch.randn(4, 50)
    rounded, noisy = quantise(x, "round")[0], quantise(x, "noise")[0]
    assert torch.equal(rounded, x.round()) and 0.4 < (noisy - x).abs().max() <= 0.5
    x.requires_grad_()
    straight = quantise(x, "straight")[0]
    assert torch.allclose(straight, x.round(), atol=1e-6)
    straight.sum().backward()
    assert torch.equal(x.grad, torch.ones_like(x))


def test_bits_of_a_batch():
    assert bits(torch.tensor([[[0.5, 0.25]], [[1.0, 0.125]]])).tolist() == [3, 3]


def test_gains_are_interpolated_in_the_logarithm():
    gains = Gains(2, (1e-3, 1e-1), 3)
    with torch.no_grad():
        gains.log2_gain.copy_(torch.tensor([[2.0, 0], [1, 0], [0, 0]]) / PACE)
    lam = torch.tensor([1e-4, 1e-3, 10**-2.5, 1e-2, 1e-1, 1.0])
    assert gains(lam)[0][:, 0, 0, 0].log2().tolist() == pytest.approx([2, 2, 1.5, 1, 0, 0], abs=1e-5)
    assert gains(lam)[0].shape == (6, 2, 1, 1)
    single = Gains(2, (1e-3, 1e-3), 1)
    assert torch.isfinite(single(lam)[0]).all()


@pytest.mark.parametrize("prior", PRIORS)
def test_every_part_of_a_model_gets_a_gradient(prior):
    torch.manual_seed(4)
    model = LearnedCodec(ModelConfig(prior=prior, **SMALL))
    x = torch.rand(2, 3, 64, 128)
    out = model(x, torch.tensor([1e-3, 2e-2]), "noise")
    assert out.x_hat.shape == x.shape and out.bits.shape == (2,) and (out.bits > 0).all()
    (out.bits.sum() + (out.x_hat - x).square().sum()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
    assert x.shape[2] % model.multiple == 0


@pytest.mark.parametrize("prior", PRIORS)
def test_noise_estimates_what_rounding_costs(prior):
    """With steps far below the latents' size, both give the same rate."""
    torch.manual_seed(5)
    model = LearnedCodec(ModelConfig(prior=prior, **SMALL))
    with torch.no_grad():
        model.gains.log2_gain.fill_(7 / PACE)
    x, lam = torch.rand(4, 3, 64, 64), torch.full((4,), 1e-3)
    with torch.no_grad():
        noisy, rounded = (model(x, lam, mode).bits.mean() for mode in ("noise", "round"))
    assert float(noisy) == pytest.approx(float(rounded), rel=0.05)


def random_pair(height, width):
    rng = np.random.default_rng(6)
    smooth = np.kron(rng.integers(40, 200, (-(-height // 8), -(-width // 8), 3)), np.ones((8, 8, 1)))
    a = smooth[:height, :width] + rng.integers(-20, 20, (height, width, 3))
    return a.astype(np.uint8), (a + rng.normal(0, 12, a.shape)).clip(0, 255).astype(np.uint8)


def tensors(*pictures):
    return [torch.from_numpy(p.transpose(2, 0, 1)[None].astype(np.float32) / 255) for p in pictures]


@pytest.mark.parametrize("size", [(176, 192), (177, 163)])
def test_ms_ssim_is_the_metric(size):
    a, b = random_pair(*size)
    assert float(MsSsim()(*tensors(a, b))) == pytest.approx(metrics.ms_ssim(a, b, 255), abs=1e-5)


def test_lpips_is_the_metric_and_has_finite_gradients(monkeypatch):
    folder = Path(os.environ.get("WYNER_DATA", Path(__file__).parents[3] / "shared" / "data"))
    weights = folder / "weights" / "lpips_squeeze_state.pt"
    if not weights.exists():
        pytest.skip("no LPIPS weights; set WYNER_DATA")
    a, b = random_pair(40, 48)
    x, y = tensors(a, b)
    x.requires_grad_()
    distance = LpipsDistance(torch.device("cpu"), weights)(x, y)
    assert distance.item() == pytest.approx(metrics.lpips(a, b, 255, weights), rel=1e-4)
    distance.sum().backward()
    assert torch.isfinite(x.grad).all() and x.grad.abs().max() > 0
