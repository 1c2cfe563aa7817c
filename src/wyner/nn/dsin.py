"""DSIN: a decoded picture improved by patches of the side picture.

Ayzik and Avidan, "Deep image compression using decoder side information", ECCV 2020. Here over the backbones
of ``wyner.nn.distributed`` instead of its context model, and compared in R, G and B.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import UsageError
from .distributed import Latents, Output, SideModelConfig
from .entropy import Mode
from .learned import analysis, synthesis

PATCH = (20, 24)
"""Rows and columns of a patch (section 3)."""
DILATIONS = (1, 2, 4, 8, 16, 32, 64, 128, 1)
PRIOR_WIDTH = 0.5
"""Standard deviation of the Gaussian position prior, in sides of the picture."""
AT_ONCE = 1 << 22
"""Places of all patches that are compared at once: about 0.2 GB."""
MEANS = ("gaussian", "mean-scale")
"""Priors that round around means."""


class Dsin(nn.Module):
    """An autoencoder, the patch search and the fusion network."""

    def __init__(self, config: SideModelConfig) -> None:
        """Raises UsageError for a prior with means: a decoder's file lacks those of y."""
        super().__init__()
        if config.prior in MEANS:
            raise UsageError(f"dsin takes a prior without means, not {config.prior}")
        codec = config.codec
        self.g_a, self.g_s = analysis(codec.widths, codec.latents), synthesis(codec.widths, codec.latents)
        self.latents = Latents(codec)
        widths = (6, *[32] * len(DILATIONS))
        layers: list[nn.Module] = []
        for inputs, outputs, dilation in zip(widths[:-1], widths[1:], DILATIONS, strict=True):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation), nn.LeakyReLU(0.2)]
            nn.init.dirac_(layers[-2].weight)  # type: ignore[arg-type]
        self.fusion = nn.Sequential(*layers, nn.Conv2d(32, 3, 1))

    def forward(self, x: Tensor, y: Tensor, lam: Tensor, mode: Mode) -> Output:
        """x and y (B, 3, H, W) in 0..1, H and W multiples of 16, of 64 with a hyperprior; lam (B)."""
        x_latent, bits_x = self.latents(self.g_a(x - 0.5), lam, mode)
        x_hat, base = self._decoded(x_latent, y, lam)
        return Output(x_hat, bits_x, base)

    def reconstruct(self, x_latent: Tensor, y: Tensor, lam: Tensor) -> Tensor:
        """x_hat (B, 3, H, W) from the decoded latents of x, y and lam (B)."""
        return self._decoded(x_latent, y, lam)[0]

    def _decoded(self, x_latent: Tensor, y: Tensor, lam: Tensor) -> tuple[Tensor, Tensor]:
        base = self.g_s(x_latent) + 0.5
        with torch.no_grad():
            gain, inverse = self.latents.gains(lam)
            y_coded = self.g_s(torch.round(self.g_a(y - 0.5) * gain) * inverse) + 0.5
            y_moved = matched_patches(base.float(), y_coded.float(), y)
        return self.fusion(torch.cat([base, y_moved], 1) - 0.5) + 0.5, base


def matched_patches(x: Tensor, y_like_x: Tensor, y: Tensor, patch: tuple[int, int] = PATCH) -> Tensor:
    """y put together anew, (B, 3, H, W): for each patch of x the one of y at the place that fits best.

    The place has the greatest Pearson correlation of the patch of x with ``y_like_x``, which is y after the
    codec of x, times a Gaussian of its distance. x, y_like_x, y: (B, 3, H, W) of any one size of at least a
    patch; patches at the lower and right border reach beyond it.
    """
    height, width = x.shape[2:]
    rows, columns = patch
    below, right = -height % rows, -width % columns
    padded, padded_y_like, padded_y = (
        F.pad(t, (0, right, 0, below), mode="replicate") for t in (x, y_like_x, y)
    )
    patches = F.unfold(padded, patch, stride=patch)  # (B, 3 rows columns, P)
    tops = torch.arange(0, height + below, rows, device=x.device)
    lefts = torch.arange(0, width + right, columns, device=x.device)
    places = torch.cartesian_prod(tops, lefts)  # (P, 2)
    best = _best_places(patches, places, padded_y_like, patch)
    across = padded_y.shape[3] - columns + 1
    top, left = best // across, best % across
    all_rows = top[..., None, None] + torch.arange(rows, device=x.device)[:, None]
    all_columns = left[..., None, None] + torch.arange(columns, device=x.device)
    samples = torch.arange(len(y), device=x.device)[:, None, None, None]
    found = padded_y[samples, :, all_rows, all_columns]  # (B, P, rows, columns, 3)
    found = found.permute(0, 4, 2, 3, 1).flatten(1, 3)
    whole = F.fold(found, (height + below, width + right), patch, stride=patch)
    return whole[:, :, :height, :width]


def _best_places(patches: Tensor, places: Tensor, y: Tensor, patch: tuple[int, int]) -> Tensor:
    """Of patches (B, 3 rows columns, P), which lie at places (P, 2), the flat index of the best of y's H' W'
    places: (B, P)."""
    batch, length, count = patches.shape
    height, width = y.shape[2:]
    spectrum = torch.fft.rfft2(y)[:, None]
    mean, square = (F.avg_pool2d(t.mean(1, keepdim=True), patch, 1) for t in (y, y.square()))
    deviation = ((square - mean.square()).clamp_min(1e-6) * length).sqrt()
    best, step = [], max(1, AT_ONCE // (batch * height * width))
    for first in range(0, count, step):
        some = slice(first, first + step)
        correlation = _pearson(patches[:, :, some], spectrum, deviation, patch, (height, width))
        prior = _position_prior(places[some], correlation.shape[2:])
        best.append((correlation * prior).flatten(2).argmax(2))
    return torch.cat(best, 1)


def _pearson(
    patches: Tensor, spectrum: Tensor, deviation: Tensor, patch: tuple[int, int], size: tuple[int, int]
) -> Tensor:
    """Of each patch (B, 3 rows columns, P) with all places of a y of this size: (B, P, H', W').

    spectrum: of y. deviation: of y around each place, (B, 1, H', W').
    """
    batch, _, count = patches.shape
    centred = patches - patches.mean(1, keepdim=True)
    kernels = centred.transpose(1, 2).reshape(batch, count, 3, *patch)
    product = spectrum * torch.fft.rfft2(kernels, s=size).conj()
    covariance = torch.fft.irfft2(product.sum(2), s=size)
    covariance = covariance[:, :, : size[0] - patch[0] + 1, : size[1] - patch[1] + 1]
    return covariance / (deviation * centred.norm(dim=1)[..., None, None].clamp_min(1e-6))


def _position_prior(places: Tensor, size: torch.Size) -> Tensor:
    """Gaussians around the P places (P, 2): (P, rows, columns) for a field of this size."""
    rows, columns = (torch.arange(count, device=places.device) for count in size)
    down = ((rows - places[:, :1]) / (PRIOR_WIDTH * size[0])).square()
    across = ((columns - places[:, 1:]) / (PRIOR_WIDTH * size[1])).square()
    return (-(down[:, :, None] + across[:, None, :]) / 2).exp()
