"""Learned lossy codecs: transforms g_a and g_s, priors of the latents y, and one network for all rates.

    model = LearnedCodec(ModelConfig(prior="mean-scale"))
    out = model(x, lam, "noise")      # out.x_hat, out.bits

The priors: "factorised" and "hyperprior" are those of Ballé, Laparra and Simoncelli, "End-to-end optimized
image compression", ICLR 2017, and of Ballé et al., "Variational image compression with a scale hyperprior",
ICLR 2018; "mean-scale" is that of Minnen, Ballé and Toderici, NeurIPS 2018, without its autoregression;
"gaussian" is one Gaussian for each channel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from ..errors import UsageError
from .convs import conv, deconv
from .entropy import FactorisedPrior, GaussianConditional, Mode, bits, quantise
from .gdn import GDN, lower_bound
from .sizes import Sizes

Prior = Literal["factorised", "gaussian", "hyperprior", "mean-scale"]

PACE = 5.0
"""How much faster than weights the logarithms learn that stand alone: they have octaves to go."""
FIRST_LOG2_GAIN = -2.2
"""At lambda 1. With it, latents of unit variance begin at a few steps of quantisation at usual rates."""
LEAST_LOG2_SCALE, MOST_LOG2_SCALE = -4.5, 11.4
"""Of ``wyner.coder``, in steps of the quantised latents."""


@dataclass(frozen=True)
class ModelConfig(Sizes):
    """Sizes of a codec.

    prior, widths, latents, hyper: see ``Sizes``. lambda_range: the least and the greatest lambda that it
    serves, in mean squared error of samples in 0..1 for a bit per pixel; anchors: lambdas between them where
    gains are learned, 1 for a codec of one rate.

    Raises UsageError for sizes that are none.
    """

    prior: Prior = "mean-scale"
    widths: tuple[int, ...] = (48, 72, 96)
    latents: int = 96
    hyper: int = 48
    lambda_range: tuple[float, float] = (3e-4, 4e-2)
    anchors: int = 8

    def __post_init__(self) -> None:
        low, high = self.lambda_range
        if not 0 < low <= high < math.inf:
            raise UsageError(f"a range of lambdas must be above 0 and rise, unlike {low}, {high}")
        if self.anchors < 1:
            raise UsageError("a model has at least one anchor")
        self.check_sizes()


@dataclass(frozen=True)
class Output:
    """x_hat: (B, 3, H, W), about 0..1. bits: of all latents of a picture, (B)."""

    x_hat: Tensor
    bits: Tensor


def analysis(widths: tuple[int, ...], latents: int) -> nn.Sequential:
    """g_a: (B, 3, H, W) to (B, latents, H / 2^n, W / 2^n), n one more than there are widths."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise((3, *widths)):
        layers += [conv(inputs, outputs), GDN(outputs)]
    return nn.Sequential(*layers, conv(widths[-1], latents))


def synthesis(widths: tuple[int, ...], latents: int) -> nn.Sequential:
    """g_s, which mirrors g_a."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise((latents, *reversed(widths))):
        layers += [deconv(inputs, outputs), GDN(outputs, inverse=True)]
    return nn.Sequential(*layers, deconv(widths[0], 3))


class Gains(nn.Module):
    """Steps of quantisation for each channel and lambda: y is coded as round(gain * y).

    Logarithms of gains and of what undoes them are learned at some lambdas and interpolated in log lambda
    between (Cui et al., "Asymmetric gained deep image compression with continuous rate adaptation", CVPR
    2021, section 3.2).
    """

    def __init__(self, channels: int, lambda_range: tuple[float, float], anchors: int) -> None:
        super().__init__()
        self.low, self.high = (math.log2(lam) for lam in lambda_range)
        octaves = torch.linspace(self.low, self.high, anchors)
        # Where rates are high, lambda is in proportion to the square of the step.
        first = FIRST_LOG2_GAIN - octaves[:, None].expand(anchors, channels) / 2
        self.log2_gain = nn.Parameter(first / PACE)
        self.log2_inverse = nn.Parameter(-first / PACE)

    def forward(self, lam: Tensor) -> tuple[Tensor, Tensor]:
        """Gains and inverse gains, (B, channels, 1, 1), for lambdas (B), clipped to their range."""
        last = len(self.log2_gain) - 1
        place = (lam.log2() - self.low) / max(self.high - self.low, 1e-9) * last
        place = place.clamp(0, last)
        below = place.floor().long().clamp(max=max(last - 1, 0))
        share = (place - below)[:, None]
        above = (below + 1).clamp(max=last)
        mixed = [
            (PACE * (table[below] * (1 - share) + table[above] * share)).exp2()[:, :, None, None]
            for table in (self.log2_gain, self.log2_inverse)
        ]
        return mixed[0], mixed[1]


class DensityPrior(nn.Module):
    """A density of its own for each channel of y, of any shape, at all rates."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.density = FactorisedPrior(config.latents, first_scale=1.0)

    def forward(self, y: Tensor, gain: Tensor, mode: Mode) -> tuple[Tensor, Tensor]:
        """gain * y, quantised, and the bits of each picture (B)."""
        y_hat, values = quantise(y * gain, mode)
        return y_hat, bits(self.density.likelihoods(values / gain, 1 / gain))


class GaussianPrior(nn.Module):
    """A Gaussian for each channel of y, at all rates."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(config.latents, 1, 1))
        self.log2_scale = nn.Parameter(torch.zeros(config.latents, 1, 1))
        self.conditional = GaussianConditional()

    def forward(self, y: Tensor, gain: Tensor, mode: Mode) -> tuple[Tensor, Tensor]:
        """As of ``DensityPrior``."""
        scale = self.scale() * gain
        y_hat, likelihoods = self.conditional(y * gain, scale, self.mean * gain, mode)
        return y_hat, bits(likelihoods)

    def scale(self) -> Tensor:
        """Standard deviations of y, (M, 1, 1)."""
        return (PACE * self.log2_scale).exp2()


class Hyperprior(nn.Module):
    """A Gaussian for each sample of y, whose scale, and mean if ``means``, h_s finds from coded z.

    h_s gives log2 of the scales (and means) of y itself; the gains bring them to quantised latents.
    """

    def __init__(self, config: ModelConfig, means: bool) -> None:
        super().__init__()
        n, m = config.hyper, config.latents
        self.means = means
        self.h_a = nn.Sequential(conv(m, n, 3, 1), nn.ReLU(), conv(n, n), nn.ReLU(), conv(n, n))
        outputs = 2 * m if means else m
        self.h_s = nn.Sequential(deconv(n, n), nn.ReLU(), deconv(n, n), nn.ReLU(), conv(n, outputs, 3, 1))
        self.density = FactorisedPrior(n)
        self.conditional = GaussianConditional()

    def forward(self, y: Tensor, gain: Tensor, mode: Mode) -> tuple[Tensor, Tensor]:
        """As of ``DensityPrior``; the sides of y (B, M, H, W) are multiples of 4."""
        z_hat, z_likelihoods = self.density(self.h_a(y if self.means else y.abs()), mode)
        scale, *mean = self.h_s(z_hat).split(y.shape[1], 1)
        scale = lower_bound(scale, 2 * LEAST_LOG2_SCALE).clamp(max=MOST_LOG2_SCALE).exp2() * gain
        y_hat, y_likelihoods = self.conditional(y * gain, scale, mean[0] * gain if mean else None, mode)
        return y_hat, bits(y_likelihoods) + bits(z_likelihoods)


class LearnedCodec(nn.Module):
    """A codec in training: real numbers, noise for rounding, probabilities for files."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.g_a = analysis(config.widths, config.latents)
        self.g_s = synthesis(config.widths, config.latents)
        self.gains = Gains(config.latents, config.lambda_range, config.anchors)
        self.prior = make_prior(config)
        self.half_precision = False
        """Whether the transforms run in bfloat16 where the device has it."""

    @property
    def multiple(self) -> int:
        """What the sides of a picture must be multiples of."""
        return self.config.multiple

    def forward(self, x: Tensor, lam: Tensor, mode: Mode) -> Output:
        """x: (B, 3, H, W) in 0..1, H and W multiples of ``multiple``. lam: (B)."""
        gain, inverse = self.gains(lam)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.half_precision):
            y = self.g_a(x - 0.5)
        y_hat, found = self.prior(y.float(), gain, mode)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.half_precision):
            x_hat = self.g_s(y_hat * inverse)
        return Output(x_hat.float() + 0.5, found)


def make_prior(config: ModelConfig) -> nn.Module:
    """The prior that a configuration names."""
    if config.prior == "factorised":
        return DensityPrior(config)
    if config.prior == "gaussian":
        return GaussianPrior(config)
    return Hyperprior(config, means=config.prior == "mean-scale")
