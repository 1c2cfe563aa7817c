"""Analysis and synthesis of distributed codecs, and what codes their latents at any rate of a range."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .convs import conv, deconv
from .entropy import FactorisedPrior, GaussianConditional, Mode, bits, round_straight, uniform_noise
from .gdn import GDN

STRIDE = 16
"""Pixels of a picture for one place of the latents, down and across."""


class Analysis(nn.Module):
    """g_a of Ballé et al. 2017: four 5x5 convolutions of stride 2, GDN after the first three."""

    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        sizes = (3, width, width, width, outputs)
        self.down = nn.ModuleList(conv(a, b) for a, b in zip(sizes[:-1], sizes[1:], strict=True))
        self.norms = nn.ModuleList(GDN(width) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) in 0..1, H and W multiples of 16, to (B, outputs, H/16, W/16)."""
        return self.pyramid(x)[-1]

    def pyramid(self, x: Tensor) -> list[Tensor]:
        """Features at 1/2, 1/4 and 1/8, and the result, at 1/16."""
        state, found = x - 0.5, []
        for down, norm in zip(self.down, (*self.norms, nn.Identity()), strict=True):
            state = norm(down(state))
            found.append(state)
        return found


class Synthesis(nn.Module):
    """g_s of Ballé et al. 2017, the mirror of ``Analysis``."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        sizes = (inputs, width, width, width)
        self.up = nn.ModuleList(deconv(a, b) for a, b in zip(sizes[:-1], sizes[1:], strict=True))
        self.norms = nn.ModuleList(GDN(width, inverse=True) for _ in range(3))
        self.last = deconv(width, 3)

    def forward(self, latent: Tensor) -> Tensor:
        """(B, inputs, H/16, W/16) to a picture (B, 3, H, W), about 0..1."""
        return self.picture(self.features(latent))

    def features(self, latent: Tensor) -> Tensor:
        """(B, width, H/2, W/2), the state before the last layer."""
        for up, norm in zip(self.up, self.norms, strict=True):
            latent = norm(up(latent))
        return latent

    def picture(self, features: Tensor) -> Tensor:
        return self.last(features) + 0.5


class Gains(nn.Module):
    """Factors of each channel before and after quantisation, piecewise linear in the logarithm of lambda.

    Cui et al., "Asymmetric gained deep image compression with continuous rate adaptation", CVPR 2021. They
    begin at the square root of lambda, which is right at high rates.
    """

    def __init__(self, channels: int, lambdas: tuple[float, float], knots: int = 6) -> None:
        super().__init__()
        self.low, self.high = (math.log(value) for value in lambdas)
        first = torch.linspace(self.low - self.high, self.high - self.low, knots) / 4
        self.log_gain = nn.Parameter(first[:, None].repeat(1, channels))
        self.log_back = nn.Parameter(-first[:, None].repeat(1, channels))

    def forward(self, lmbda: Tensor) -> tuple[Tensor, Tensor]:
        """lambda (B) to the factors before and after, both (B, channels, 1, 1)."""
        last = len(self.log_gain) - 1
        place = ((lmbda.log() - self.low) / (self.high - self.low) * last).clamp(0, last)
        knot = place.long().clamp_max(last - 1)
        part = (place - knot)[:, None]
        both = (torch.lerp(log[knot], log[knot + 1], part).exp() for log in (self.log_gain, self.log_back))
        gain, back = (factor[:, :, None, None] for factor in both)
        return gain, back


class FactorisedLatents(nn.Module):
    """Latents coded by one density for each channel, in steps that follow lambda (Ballé et al. 2017)."""

    def __init__(self, channels: int, lambdas: tuple[float, float]) -> None:
        super().__init__()
        self.gains = Gains(channels, lambdas)
        self.prior = FactorisedPrior(channels)

    def forward(self, y: Tensor, lmbda: Tensor, mode: Mode) -> tuple[Tensor, Tensor]:
        """y (B, C, h, w) and lambda (B) to y_hat, and the bits (B) that it takes."""
        gain, back = self.gains(lmbda)
        scaled = y * gain
        noisy = torch.round(scaled) if mode == "round" else scaled + uniform_noise(scaled)
        passed = round_straight(scaled) if mode == "straight" else noisy
        # The density is that of y itself, whatever the rate: only the interval depends on lambda.
        return passed * back, bits(self.prior.likelihoods(noisy / gain, 1 / gain))


class HyperpriorLatents(nn.Module):
    """Latents with Gaussians whose scales come from coded hyperlatents (Ballé et al. 2018, figure 4)."""

    def __init__(self, channels: int, lambdas: tuple[float, float], width: int) -> None:
        super().__init__()
        self.gains = Gains(channels, lambdas)
        self.prior = FactorisedPrior(width)
        self.conditional = GaussianConditional()
        self.h_a = nn.Sequential(
            conv(channels, width, 3, 1), nn.ReLU(), conv(width, width), nn.ReLU(), conv(width, width)
        )
        self.h_s = nn.Sequential(
            deconv(width, width),
            nn.ReLU(),
            deconv(width, width),
            nn.ReLU(),
            conv(width, channels, 3, 1),
            nn.ReLU(),
        )

    def forward(self, y: Tensor, lmbda: Tensor, mode: Mode) -> tuple[Tensor, Tensor]:
        """y (B, C, h, w), h and w of any size, and lambda (B) to y_hat, and the bits (B) that it takes."""
        gain, back = self.gains(lmbda)
        scaled = y * gain
        z_hat, z_likelihoods = self.prior(self.h_a(scaled.abs()), mode)
        scales = self.h_s(z_hat)[:, :, : y.shape[2], : y.shape[3]]
        passed, y_likelihoods = self.conditional(scaled, scales, mode=mode)
        return passed * back, bits(y_likelihoods) + bits(z_likelihoods)
