"""Distributed models: shapes, what the encoder depends on, attention and patch search by definition."""

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

from wyner.errors import UsageError  # noqa: E402
from wyner.nn import dsin  # noqa: E402
from wyner.nn.attention import row_attention  # noqa: E402
from wyner.nn.distributed import GREY, SideModelConfig  # noqa: E402
from wyner.nn.dsin import matched_patches  # noqa: E402
from wyner.nn.perceptual import MsSsim  # noqa: E402
from wyner.nn.side_models import MODELS, make_model  # noqa: E402
from wyner.train.distributed import LossConfig, losses, make_distance  # noqa: E402

KINDS = list(MODELS)


def mse(a, b):
    return (a - b).square().mean((1, 2, 3))


def make(kind, prior="factorised"):
    torch.manual_seed(0)
    return make_model(SideModelConfig(kind, prior, width=6, latents=5))


def pictures(batch=2, height=64, width=128):
    generator = torch.Generator().manual_seed(1)
    x = torch.rand((batch, 3, height, width), generator=generator)
    return x, x.roll(-4, 3)


@pytest.mark.parametrize(("kind", "prior"), list(itertools.product(KINDS, ["factorised", "hyperprior"])))
def test_models_give_pictures_bits_and_gradients(kind, prior):
    model, (x, y), lam = make(kind, prior), pictures(), torch.tensor([0.003, 0.1])
    output = model(x, y, lam, "straight")
    terms = losses(output, x, y, lam, LossConfig(), mse)
    assert output.x_hat.shape == x.shape and output.bits_x.shape == (2,)
    assert output.bits_x[0] > output.bits_x[1]  # the lower lambda asks for fewer bits' worth of error
    assert all(term.shape == (2,) for term in terms.values())
    terms["loss"].sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_the_encoder_never_sees_y(kind):
    model, (x, y), lam = make(kind).eval(), pictures(), torch.tensor([0.01, 0.01])
    right, none = model(x, y, lam, "round"), model(x, torch.full_like(y, GREY), lam, "round")
    assert torch.equal(right.bits_x, none.bits_x)
    x_latent, _ = model.latents(model.g_a(x - 0.5), lam, "round")
    assert torch.equal(right.x_hat, model.reconstruct(x_latent, y, lam))


def test_a_batch_is_decoded_as_its_samples_are():
    for kind in KINDS:
        model, (x, y), lam = make(kind).eval(), pictures(), torch.tensor([0.003, 0.1])
        whole = model(x, y, lam, "round").x_hat
        parts = [model(x[k : k + 1], y[k : k + 1], lam[k : k + 1], "round").x_hat for k in range(2)]
        torch.testing.assert_close(whole, torch.cat(parts), rtol=0, atol=1e-5)


def test_losses_weigh_as_the_paper_has_it():
    """With lambda of the paper: (R_x + l D_x) + alpha (R_y + l D_y) + beta R_w, divided by l."""
    model, (x, y), lam = make("ndic"), pictures(), torch.tensor([0.01, 0.05])
    loss = LossConfig(alpha=0.5, beta=0.25)
    terms = losses(model(x, y, lam, "straight"), x, y, lam, loss, mse)
    of_x = terms["bpp"] + terms["mse"] / lam
    of_y = terms["y_bpp"] + terms["y_mse"] / lam
    torch.testing.assert_close(terms["loss"] / lam, of_x + 0.5 * of_y + 0.25 * terms["w_bpp"])


def test_both_distortions():
    x, y = pictures(2, 176, 176)
    for name, wanted in (("mse", mse(x, y)), ("ms_ssim", 1 - MsSsim()(x, y))):
        distance = make_distance(LossConfig(distortion=name), torch.device("cpu"))
        torch.testing.assert_close(distance(x, y), wanted)
        model, lam = make("aligned"), torch.tensor([0.01, 0.05])
        output = model(x, y, lam, "straight")
        terms = losses(output, x, y, lam, LossConfig(distortion=name), distance)
        torch.testing.assert_close(terms[f"base_{name}"], distance(output.base, x))


def test_row_attention_by_its_definition():
    generator = torch.Generator().manual_seed(2)
    (height, width), rows, reach = (4, 37), 1, 5
    q, k, v = (torch.randn((1, c, height, width), generator=generator) for c in (3, 3, 2))
    bias = torch.randn((2 * rows + 1, 2 * reach + 1), generator=generator)
    found = row_attention(q, k, v, bias)
    for row, column in [(0, 0), (1, 17), (3, 36), (2, 31), (2, 32)]:
        weights, total = [], torch.zeros(2)
        for down, across in itertools.product(range(-rows, rows + 1), range(-reach, reach + 1)):
            r, c = row + down, column + across
            if 0 <= r < height and 0 <= c < width:
                logit = q[0, :, row, column] @ k[0, :, r, c] + bias[down + rows, across + reach]
                weights.append(logit.exp())
                total += weights[-1] * v[0, :, r, c]
        torch.testing.assert_close(found[0, :, row, column], total / (1 + sum(weights)))


def test_patches_are_found_where_they_went():
    x, _ = pictures(1, 40, 72)
    y = x.roll(-7, 3)
    moved = matched_patches(x, y, y, (10, 12))
    assert torch.equal(moved[..., 12:60], x[..., 12:60])


def test_patches_of_sizes_that_do_not_divide_the_picture():
    x, y = pictures(2, 48, 64)
    assert matched_patches(x, y, y).shape == x.shape


class Largest(TorchDispatchMode):
    """How many numbers the largest tensor has that is made meanwhile."""

    numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        if isinstance(found, torch.Tensor):
            self.numbers = max(self.numbers, found.numel())
        return found


def test_the_search_of_patches_needs_bounded_memory_and_finds_the_same(monkeypatch):
    x, y = pictures(2, 96, 160)
    whole = matched_patches(x, y, y)
    monkeypatch.setattr(dsin, "AT_ONCE", 3 * 2 * 100 * 168)  # three patches
    with Largest() as largest:
        parts = matched_patches(x, y, y)
    assert torch.equal(parts, whole)
    assert largest.numbers <= 3 * dsin.AT_ONCE


@pytest.mark.parametrize("prior", ["gaussian", "mean-scale"])
def test_dsin_takes_no_prior_with_means(prior):
    with pytest.raises(UsageError, match="without means"):
        make("dsin", prior)


@pytest.mark.parametrize("kind", ["aligned", "attention"])
def test_any_resolution(kind):
    model = make(kind).eval()
    for height, width in [(16, 16), (16, 208), (96, 32)]:
        x, y = pictures(1, height, width)
        with torch.no_grad():
            assert model(x, y, torch.tensor([0.01]), "round").x_hat.shape == x.shape


def test_alignment_finds_displaced_content_before_any_training():
    """The two descriptors begin alike: where x decodes well, y is brought to it."""
    model = make("aligned").eval()
    picture = torch.nn.functional.interpolate(
        torch.from_numpy(np.random.default_rng(3).random((1, 3, 32, 64))).float(), scale_factor=2.0
    )
    halves = torch.nn.functional.pixel_unshuffle(picture - 0.5, 2)
    moved = halves.roll(-5, 3)
    with torch.no_grad():
        found = row_attention(model.describe(halves), model.describe_y(moved), moved, model.bias)
    inner = (slice(None), slice(None), slice(None), slice(12, -12))
    error = (found - halves)[inner].square().mean() / halves[inner].square().mean()
    assert error < 0.25
