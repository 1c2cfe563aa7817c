"""Distributed codecs: x is coded without y, and decoded with it (Wyner and Ziv 1976).

All models take ``(x, y, lambda, mode)`` and give an ``Output``; a picture of one grey in the place of y makes
of each the same network without side information. ``analyse`` is all that an encoder needs and
``reconstruct`` all that a decoder does beside the entropy model ``latents``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from .attention import RowAttention, row_attention
from .entropy import FactorisedPrior, Mode, bits
from .transforms import Analysis, FactorisedLatents, HyperpriorLatents, Synthesis

Backbone = Literal["balle2017", "balle2018"]

COMMON_NOISE = 0.001**0.5
"""Standard deviation of the noise that the common information w gets in training."""
GREY = 0.5
"""Samples of the picture that stands for no y."""


@dataclass(frozen=True)
class Sizes:
    """width: channels N of hidden layers. latents: channels M of x's, y's and the common information.

    lambdas: the lowest and highest lambda. backbone: the entropy model, that of Ballé et al. 2017 or 2018.
    """

    width: int = 64
    latents: int = 96
    lambdas: tuple[float, float] = (1e-4, 6e-3)
    backbone: Backbone = "balle2017"

    def entropy_model(self) -> nn.Module:
        if self.backbone == "balle2017":
            return FactorisedLatents(self.latents, self.lambdas)
        return HyperpriorLatents(self.latents, self.lambdas, self.width)


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


class Ndic(nn.Module):
    """Mital, Özyılkan, Garjani and Gündüz, "Neural distributed image compression using common information",
    DCC 2022: x is decoded from its private latents and from w = f(y), neither quantised nor sent."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.g_a, self.g_ay, self.f = (Analysis(sizes.width, sizes.latents) for _ in range(3))
        self.g_s, self.g_sy = (Synthesis(2 * sizes.latents, sizes.width) for _ in range(2))
        self.latents, self.latents_y = sizes.entropy_model(), sizes.entropy_model()
        self.prior_w = FactorisedPrior(sizes.latents)

    def forward(self, x: Tensor, y: Tensor, lmbda: Tensor, mode: Mode) -> Output:
        """x and y (B, 3, H, W) in 0..1, H and W multiples of 16; lambda (B)."""
        x_latent, bits_x = self.latents(self.g_a(x), lmbda, mode)
        pyramid = self.f.pyramid(y)
        if not self.training:
            x_hat, base = self._decoded(x_latent, pyramid, y, lmbda)
            return Output(x_hat, bits_x, base)
        pyramid[-1] = w = pyramid[-1] + COMMON_NOISE * torch.randn_like(pyramid[-1])
        x_hat, base = self._decoded(x_latent, pyramid, y, lmbda)
        y_latent, bits_y = self.latents_y(self.g_ay(y), lmbda, mode)
        y_hat = self.g_sy(torch.cat([y_latent, w], 1))
        return Output(x_hat, bits_x, base, y_hat, bits_y, bits(self.prior_w.likelihoods(w)))

    def reconstruct(self, x_latent: Tensor, y: Tensor, lmbda: Tensor) -> Tensor:
        """x_hat (B, 3, H, W) from the decoded latents of x, y and lambda (B)."""
        return self._decoded(x_latent, self.f.pyramid(y), y, lmbda)[0]

    def _decoded(
        self, x_latent: Tensor, pyramid: list[Tensor], y: Tensor, lmbda: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        return self.g_s(torch.cat([x_latent, pyramid[-1]], 1)), None


class AttentionNdic(Ndic):
    """NDIC whose synthesis also looks y's features up, at 1/8 and 1/4, by cross attention along rows.

    Cross attention between decoders of two cameras is of Mital et al., "Neural distributed image compression
    with cross-attention feature alignment", WACV 2023, there over whole pictures; windows along rows keep
    its cost linear in the size of the picture.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.lookups = nn.ModuleList(RowAttention(sizes.width, window) for window in (16, 32))

    def _decoded(
        self, x_latent: Tensor, pyramid: list[Tensor], y: Tensor, lmbda: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        state = torch.cat([x_latent, pyramid[-1]], 1)
        for stage, (up, norm) in enumerate(zip(self.g_s.up, self.g_s.norms, strict=True)):
            state = norm(up(state))
            if stage < len(self.lookups):
                state = self.lookups[stage](state, pyramid[2 - stage])
        return self.g_s.picture(state), None


class AlignedNdic(Ndic):
    """NDIC, and then y brought to where x shows the same and fused with it: ours.

    Descriptors of the picture that NDIC decodes are matched with those of y along rows. What y has there, and
    how sure the match is, goes with the state of the synthesis into a residual network at half resolution.
    """

    def __init__(self, sizes: Sizes, descriptor: int = 32, window: int = 48, middle: int = 4) -> None:
        super().__init__(sizes)
        self.lambdas = sizes.lambdas
        self.describe, self.describe_y = Descriptors(descriptor), Descriptors(descriptor)
        # The two begin alike, so that equal content matches from the first step on.
        self.describe_y.load_state_dict(self.describe.state_dict())
        self.bias = nn.Parameter(torch.zeros(1, 2 * window + 1))
        self.fusion = Fusion(12 + sizes.width + 12 + 2, 48, middle)

    def _decoded(
        self, x_latent: Tensor, pyramid: list[Tensor], y: Tensor, lmbda: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        features = self.g_s.features(torch.cat([x_latent, pyramid[-1]], 1))
        base = self.g_s.picture(features)
        halves, halves_y = (nn.functional.pixel_unshuffle(picture - 0.5, 2) for picture in (base, y))
        values = torch.cat([halves_y, torch.ones_like(halves_y[:, :1])], 1)
        found = row_attention(self.describe(halves), self.describe_y(halves_y), values, self.bias)
        rate = (lmbda / self.lambdas[0]).log()[:, None, None, None].expand_as(found[:, :1])
        change = self.fusion(torch.cat([halves, features, found, rate], 1))
        return base + nn.functional.pixel_shuffle(change, 2), base


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
        around = nn.functional.interpolate(self.around(near), scale_factor=2.0, mode="bilinear")
        # Cosines of what differs from the picture's mean; their sharpness is shared out between x and y.
        units = (nn.functional.normalize(nn.functional.instance_norm(part), dim=1) for part in (near, around))
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
