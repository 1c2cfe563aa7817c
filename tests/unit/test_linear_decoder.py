"""The plain shared decoder: gradients, decoding, reproducible fits, arguments."""

import numpy as np
import pytest

from wyner.cli.synthetic import synthetic_pictures
from wyner.errors import UsageError

native = pytest.importorskip("wyner._native", reason="the native core is not built")
NAMES = ("weights", "bias", "codes")


def _three(size):
    pictures = synthetic_pictures(size).values()
    return np.stack([np.float32(picture.pixels.ravel()) / 255 for picture in pictures])


def _random(pixels, latents, count=5, spread=1.0):
    """Images, and parameters to match, some of which drive the sigmoid to its ends."""
    rng = np.random.default_rng(pixels + latents)
    images = rng.random((count, pixels), np.float32)
    images[:, ::2] = np.round(images[:, ::2])  # 0 and 1 themselves
    shapes = (pixels, latents), (pixels,), (count, latents)
    return images, [spread * rng.standard_normal(shape, np.float32) for shape in shapes]


@pytest.mark.parametrize("spread", [0.3, 2.0])
@pytest.mark.parametrize(("height", "width", "latents"), [(1, 1, 1), (1, 1, 9), (1, 7, 3), (37, 53, 8)])
def test_gradients_are_those_of_float64_autograd(height, width, latents, spread):
    torch = pytest.importorskip("torch", reason="the gradient oracle needs the [torch] extra")
    images, params = _random(height * width, latents, spread=spread)
    w, b, z = exact = [torch.from_numpy(p).double().requires_grad_() for p in params]
    loss = ((torch.sigmoid(z @ w.T + b) - torch.from_numpy(images).double()) ** 2).mean()
    loss.backward()
    fit = native.LinearFit(images, latents)
    fit.set_params(*params)
    found = fit.gradients()
    assert found["loss"] == pytest.approx(loss.item(), rel=1e-5) == fit.loss()
    for name, tensor in zip(NAMES, exact, strict=True):
        error = np.linalg.norm(found[name] - tensor.grad.numpy()) / np.linalg.norm(tensor.grad.numpy())
        assert error < 1e-5, name


def test_decodes_what_the_formula_says():
    _, (weights, bias, codes) = _random(37 * 53, 8, spread=3.0)
    t = codes.astype(np.float64) @ weights.T.astype(np.float64) + bias
    decoded = native.linear_decode(weights, bias, codes)
    assert decoded.dtype == np.float32 and np.abs(decoded - 1 / (1 + np.exp(-t))).max() < 1e-6


def test_a_fit_depends_on_its_seed_alone():
    images = _three(9)
    fits = [native.LinearFit(images, 4, seed) for seed in (7, 7, 8)]
    fits[0].run(30, 0.03)
    for fit in fits[1:]:
        for _ in range(3):
            fit.run(10, 0.03)
    for name in NAMES:
        first, same, other = (getattr(fit, name) for fit in fits)
        assert first.tobytes() == same.tobytes() != other.tobytes()


def test_two_latents_hold_the_three_pictures_and_one_does_not():
    # The logits of three pictures lie in a plane: a bias and two latents reach all of it, one a line.
    images = _three(32)
    losses = {latents: native.LinearFit(images, latents).run(1000, 0.03) for latents in (1, 2, 8)}
    assert native.LinearFit(images, 8).loss() > 0.1
    assert losses[8] < 1e-5 and losses[2] < 3e-5 and losses[1] > 0.01


def test_a_code_for_another_picture_leaves_the_decoder_alone():
    images = _three(16)
    fit = native.LinearFit(images, 8)
    fit.run(500, 0.03)
    weights, bias = fit.weights, fit.bias
    again = native.LinearFit.of_codes(images[1:2], weights, bias)
    assert again.run(1000, 0.03) < 1e-4  # a picture that the decoder was fitted to
    assert np.array_equal(again.weights, weights) and np.array_equal(again.bias, bias)
    between = images[:2].mean(0, keepdims=True)
    other = native.LinearFit.of_codes(between, weights, bias)
    assert other.run(500, 0.03) < 0.5 * between.var()


def test_wrong_arguments_are_refused():
    images, (weights, bias, codes) = _random(6, 2)
    fit = native.LinearFit(images, 2)
    nan = np.full_like(bias, np.nan)
    wide = np.zeros((1, 1 << 16), np.float32)
    for call, text in [
        (lambda: native.LinearFit(images, 0), "latents must be"),
        (lambda: native.LinearFit(wide, 1024), "at most 67108864 numbers"),
        (lambda: native.LinearFit(images[:0], 2), "at least one image"),
        (lambda: native.LinearFit(images[:, :0], 2), "at least one image"),
        (lambda: native.LinearFit(images + 1, 2), "values in 0..1"),
        (lambda: native.LinearFit(images * np.float32(np.nan), 2), "values in 0..1"),
        (lambda: native.LinearFit.of_codes(images[:, 1:].copy(), weights, bias), "as many pixels"),
        (lambda: native.LinearFit.of_codes(images, weights, bias[1:]), "a row for each pixel"),
        (lambda: native.linear_decode(weights, bias, codes[:, :1].copy()), "as many columns"),
        (lambda: native.linear_decode(weights, nan, codes), "bias must be finite"),
        (lambda: fit.set_params(weights, bias, codes[1:]), "a row for each image"),
        (lambda: fit.set_params(weights[1:], bias[1:], codes), "shape .pixels, latents."),
        (lambda: fit.run(0, 0.1), "steps must be"),
        (lambda: fit.run(1, float("nan")), "lr must be"),
    ]:
        with pytest.raises(UsageError, match=text):
            call()
