"""Distributed codecs: x is coded without y, and decoded with it (Wyner and Ziv 1976).

All models take ``(x, y, lam, mode)`` and give an ``Output``; a grey picture in the place of y makes of each
the same network without side information. An encoder needs ``g_a`` and ``latents``; a decoder ``latents`` and
``reconstruct``. Lambdas are as in ``wyner.nn.learned``: mean squared error of samples in 0..1 for a bit per
pixel, which is 1 / (255^2 lambda) where a paper weighs the error in 8-bit steps by lambda.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import RowAttention, row_attention
from .entropy import FactorisedPrior, Mode, bits, uniform_noise
from .learned import Gains, ModelConfig, Prior, analysis, make_prior, synthesis

Kind = Literal["ndic", "attention", "aligned", "dsin"]

COMMON_VARIANCE = 0.001
"""Of the noise that the common information w gets in training."""
GREY = 0.5
"""Samples of the picture that stands for no y."""


@dataclass(frozen=True)
class SideModelConfig:
    """Sizes of a model.

    kind: which one. width: channels N of hidden layers. latents: channels M of x's and y's latents and of the
    common information. prior, lambda_range, anchors: see ``wyner.nn.learned.ModelConfig``; "factorised" is
    the backbone of Ballé et al. 2017, "hyperprior" that of Ballé et al. 2018. codes_y: whether NDIC codes y
    as well in training, which alpha and beta of its loss are about.
    """

    kind: Kind = "ndic"
    prior: Prior = "factorised"
    width: int = 64
    latents: int = 64
    lambda_range: tuple[float, float] = (2e-3, 0.16)
    anchors: int = 6
    codes_y: bool = True

    @property
    def codec(self) -> ModelConfig:
        """The codec without y that a model is built on."""
        widths = (self.width, self.width, self.width)
        return ModelConfig(self.prior, widths, self.latents, self.width, self.lambda_range, self.anchors)


@dataclass(frozen=True)
class Output:
    """x_hat (B, 3, H, W), about 0..1, and bits_x (B), what the file holds.

    base: x before it was improved by y, where a model has that. y_hat, bits_y, bits_w: of the private latents
    of y and the common information, in training and where a model has them.
    """

    x_hat: Tensor
    bits_x: Tensor
    base: Tensor | None = None
    y_hat: Tensor | None = None
    bits_y: Tensor | None = None
    bits_w: Tensor | None = None


class Latents(nn.Module):
    """Gains, quantisation and the entropy model of latents."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gains = Gains(config.latents, config.lambda_range, config.anchors)
        self.prior = make_prior(config)

    def forward(self, latent: Tensor, lam: Tensor, mode: Mode) -> tuple[Tensor, Tensor]:
        """(B, M, h, w) and lambda (B) to what a decoder has of the latents, and the bits (B) they take."""
        gain, inverse = self.gains(lam)
        quantised, taken = self.prior(latent, gain, mode)
        return quantised * inverse, taken


class Ndic(nn.Module):
    """Mital, Özyılkan, Garjani and Gündüz, "Neural distributed image compression using common information",
    DCC 2022: x is decoded from its private latents and from w = f(y), neither quantised nor sent.

    The noise of w is uniform, of the variance that theirs has.
    """

    def __init__(self, config: SideModelConfig) -> None:
        super().__init__()
        codec = config.codec
        self.g_a, self.f = (analysis(codec.widths, codec.latents) for _ in range(2))
        self.g_s = synthesis(codec.widths, 2 * codec.latents)
        self.latents = Latents(codec)
        self.codes_y = config.codes_y
        if config.codes_y:
            self.g_ay = analysis(codec.widths, codec.latents)
            self.g_sy = synthesis(codec.widths, 2 * codec.latents)
            self.latents_y, self.prior_w = Latents(codec), FactorisedPrior(codec.latents)

    def forward(self, x: Tensor, y: Tensor, lam: Tensor, mode: Mode) -> Output:
        """x and y (B, 3, H, W) in 0..1, H and W multiples of 16, of 64 with a hyperprior; lam (B)."""
        x_latent, bits_x = self.latents(self.g_a(x - 0.5), lam, mode)
        pyramid = _pyramid(self.f, y - 0.5)
        if not self.training:
            x_hat, base = self._decoded(x_latent, pyramid, y, lam)
            return Output(x_hat, bits_x, base)
        w = pyramid[-1]
        pyramid[-1] = w = w + (12 * COMMON_VARIANCE) ** 0.5 * uniform_noise(w)
        x_hat, base = self._decoded(x_latent, pyramid, y, lam)
        if not self.codes_y:
            return Output(x_hat, bits_x, base)
        y_latent, bits_y = self.latents_y(self.g_ay(y - 0.5), lam, mode)
        y_hat = self.g_sy(torch.cat([y_latent, w], 1)) + 0.5
        return Output(x_hat, bits_x, base, y_hat, bits_y, bits(self.prior_w.likelihoods(w)))

    def reconstruct(self, x_latent: Tensor, y: Tensor, lam: Tensor) -> Tensor:
        """x_hat (B, 3, H, W) from the latents of x as decoded, y and lam (B)."""
        return self._decoded(x_latent, _pyramid(self.f, y - 0.5), y, lam)[0]

    def _decoded(
        self, x_latent: Tensor, pyramid: list[Tensor], y: Tensor, lam: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        return self.g_s(torch.cat([x_latent, pyramid[-1]], 1)) + 0.5, None


def _pyramid(f: nn.Sequential, y: Tensor) -> list[Tensor]:
    """What an analysis gives at 1/2, 1/4, 1/8 and 1/16."""
    found = []
    for layer in f:
        found.append(y := layer(y))
    return [*found[1::2], found[-1]]


class AttentionNdic(Ndic):
    """NDIC whose synthesis also looks y's features up, at 1/8 and 1/4, by cross attention along rows.

    Cross attention between decoders of two cameras is of Mital et al., "Neural distributed image compression
    with cross-attention feature alignment", WACV 2023, there over whole pictures; windows along rows keep
    its cost linear in the size of the picture.
    """

    def __init__(self, config: SideModelConfig) -> None:
        super().__init__(config)
        self.lookups = nn.ModuleList(RowAttention(config.width, window) for window in (16, 32))

    def _decoded(
        self, x_latent: Tensor, pyramid: list[Tensor], y: Tensor, lam: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        state = torch.cat([x_latent, pyramid[-1]], 1)
        first, first_norm, second, second_norm, *rest = self.g_s
        state = self.lookups[0](first_norm(first(state)), pyramid[2])
        state = self.lookups[1](second_norm(second(state)), pyramid[1])
        for layer in rest:
            state = layer(state)
        return state + 0.5, None


class AlignedNdic(Ndic):
    """NDIC, and then y brought to where x shows the same and fused with it: ours.

    Descriptors of the picture that NDIC decodes are matched with those of y along rows. What y has there, and
    how sure the match is, goes with the state of the synthesis into a residual network at half resolution.
    """

    def __init__(self, config: SideModelConfig, window: int = 48) -> None:
        """window: the reach of the matching, either way, in pairs of columns."""
        super().__init__(config)
        self.greatest = config.lambda_range[1]
        self.describe, self.describe_y = Descriptors(32), Descriptors(32)
        # The two begin alike, so that equal content matches from the first step on.
        self.describe_y.load_state_dict(self.describe.state_dict())
        self.bias = nn.Parameter(torch.zeros(1, 2 * window + 1))
        self.fusion = Fusion(12 + config.width + 12 + 2, 48, 4)

    def _decoded(
        self, x_latent: Tensor, pyramid: list[Tensor], y: Tensor, lam: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        features = self.g_s[:-1](torch.cat([x_latent, pyramid[-1]], 1))
        base = self.g_s[-1](features) + 0.5
        halves, halves_y = (F.pixel_unshuffle(picture - 0.5, 2) for picture in (base, y))
        values = torch.cat([halves_y, torch.ones_like(halves_y[:, :1])], 1)
        found = row_attention(self.describe(halves), self.describe_y(halves_y), values, self.bias)
        rate = (self.greatest / lam).log()[:, None, None, None].expand_as(found[:, :1])
        change = self.fusion(torch.cat([halves, features, found, rate], 1))
        return base + F.pixel_shuffle(change, 2), base


class Descriptors(nn.Module):
    """Vectors that tell places of a picture apart, of what is near and, coarser, of what is around."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.near = nn.Sequential(
            nn.Conv2d(12, channels, 3, padding=1), nn.ReLU(), nn.Conv2d(channels, channels, 3, padding=1)
        )
        self.around = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, 2, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )
        self.log_sharpness = nn.Parameter(torch.tensor([2.0, 2.0]))

    def forward(self, halves: Tensor) -> Tensor:
        """(B, 12, h, w), h and w even, to (B, 2 channels, h, w)."""
        near = self.near(halves)
        around = F.interpolate(self.around(near), scale_factor=2.0, mode="bilinear")
        # Cosines of what differs from the picture's mean; their sharpness is shared out between x and y.
        units = (F.normalize(F.instance_norm(part), dim=1) for part in (near, around))
        roots = (self.log_sharpness / 2).exp()
        return torch.cat([unit * root for unit, root in zip(units, roots, strict=True)], 1)


class Fusion(nn.Module):
    """3x3 convolutions, those in the middle residual; begins as zero."""

    def __init__(self, inputs: int, width: int, middle: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, width, 3, padding=1)
        self.middle = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(middle))
        self.last = nn.Conv2d(width, 12, 3, padding=1)
        nn.init.zeros_(self.last.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) to (B, 12, h, w)."""
        state = torch.relu(self.first(x))
        for layer in self.middle:
            state = state + torch.relu(layer(state))
        return self.last(state)
