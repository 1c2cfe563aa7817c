"""Quantisation and entropy models of learned codecs: what training sees in place of coding.

``mode`` says what a quantiser gives: "noise" adds uniform noise (Ballé et al. 2017); "straight" rounds and
passes the gradient (Theis et al. 2017), while probabilities are still those of noisy values (Minnen and Singh
2020); "round" is what a file holds. Probabilities are of values in steps of 1 and never below 1e-9.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Literal

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from .gdn import lower_bound

Mode = Literal["noise", "straight", "round"]

LEAST_PROBABILITY = 1e-9
LEAST_SCALE = 2.0**-4.5
"""The smallest scale that ``wyner.coder`` has."""


def uniform_noise(x: Tensor) -> Tensor:
    """Noise in -1/2..1/2, float32, of the shape and on the device of x.

    Under torchrun each rank draws for all and takes its part: a batch split over ranks gets the noise that it
    would get in one process.
    """
    ranks, rank = (dist.get_world_size(), dist.get_rank()) if dist.is_initialized() else (1, 0)
    noise = torch.rand((ranks * x.shape[0], *x.shape[1:]), device=x.device) - 0.5
    return noise[rank * x.shape[0] : (rank + 1) * x.shape[0]]


def round_straight(x: Tensor) -> Tensor:
    """x rounded to the nearest integer, with the gradient of x."""
    return x + (torch.round(x) - x).detach()


def bits(likelihoods: Tensor) -> Tensor:
    """Ideal code length of each sample of a batch, (B, ...) to (B), in bits."""
    return -likelihoods.flatten(1).log2().sum(1)


def quantise(x: Tensor, mode: Mode) -> tuple[Tensor, Tensor]:
    """What goes on to the synthesis, and what probabilities are asked of; both of the shape of x."""
    if mode == "round":
        rounded = torch.round(x)
        return rounded, rounded
    noisy = x + uniform_noise(x)
    return (noisy, noisy) if mode == "noise" else (round_straight(x), noisy)


class FactorisedPrior(nn.Module):
    """A density of each channel as the derivative of a small monotonous network.

    Ballé, Minnen, Singh, Hwang and Johnston, "Variational image compression with a scale hyperprior", ICLR
    2018, appendix 6.1. ``filters``: widths of the inner layers. ``first_scale``: rough width, in symbols, of
    the density before training.
    """

    def __init__(
        self, channels: int, filters: tuple[int, ...] = (3, 3, 3, 3), first_scale: float = 10.0
    ) -> None:
        super().__init__()
        self.channels = channels
        sizes = (1, *filters, 1)
        scale = first_scale ** (1 / (len(filters) + 1))
        self.matrices, self.biases, self.factors = (nn.ParameterList() for _ in range(3))
        for inputs, outputs in pairwise(sizes):
            first = math.log(math.expm1(1 / (scale * outputs)))
            self.matrices.append(nn.Parameter(torch.full((channels, outputs, inputs), first)))
            self.biases.append(nn.Parameter(torch.rand(channels, outputs, 1) - 0.5))
        for outputs in filters:
            self.factors.append(nn.Parameter(torch.zeros(channels, outputs, 1)))

    def forward(self, z: Tensor, mode: Mode) -> tuple[Tensor, Tensor]:
        """z_hat and likelihoods, both (B, channels, H, W) float32 like z."""
        z_hat, values = quantise(z, mode)
        return z_hat, self.likelihoods(values)

    def likelihoods(self, values: Tensor, step: Tensor | float = 1.0) -> Tensor:
        """Probabilities of the intervals of width ``step`` around values (B, channels, H, W)."""
        columns = values.transpose(0, 1).flatten(1).unsqueeze(1)  # (channels, 1, B H W)
        if isinstance(step, Tensor):
            step = step.expand_as(values).transpose(0, 1).flatten(1).unsqueeze(1)
        lower, upper = self._logits(torch.cat([columns - step / 2, columns + step / 2], 2)).chunk(2, 2)
        # The tail on the side where a sigmoid is far from 1 does not lose its digits.
        sign = -torch.sign(lower + upper).detach()
        probability = (torch.sigmoid(sign * upper) - torch.sigmoid(sign * lower)).abs()
        batch, _, *rest = values.shape
        shaped = probability.view(self.channels, batch, *rest).transpose(0, 1)
        return lower_bound(shaped, LEAST_PROBABILITY)

    def cumulative(self, edges: Tensor) -> Tensor:
        """Probability that channel c is below edges (channels, N): (channels, N), in 0..1."""
        return torch.sigmoid(self._logits(edges.unsqueeze(1))).squeeze(1)

    def _logits(self, x: Tensor) -> Tensor:
        """Of the cumulative of each channel, (channels, 1, N)."""
        for index, (matrix, bias) in enumerate(zip(self.matrices, self.biases, strict=True)):
            x = torch.baddbmm(bias, F.softplus(matrix), x)
            if index < len(self.factors):
                x = x + torch.tanh(self.factors[index]) * torch.tanh(x)
        return x


class GaussianConditional(nn.Module):
    """Values with a Gaussian distribution each, of given scale and mean (Ballé et al. 2018, section 3)."""

    def forward(
        self, y: Tensor, scales: Tensor, means: Tensor | None = None, mode: Mode = "noise"
    ) -> tuple[Tensor, Tensor]:
        """y_hat and likelihoods of y (B, C, H, W); scales (at least 2^-4.5) and means broadcast.

        With means the differences from them are quantised (Minnen, Ballé and Toderici 2018).
        """
        centred = y if means is None else y - means
        quantised, values = quantise(centred, mode)
        return quantised if means is None else quantised + means, self.likelihoods(values, scales)

    def likelihoods(self, values: Tensor, scales: Tensor) -> Tensor:
        """Probabilities of the intervals of width 1 around values, with mean 0."""
        distance = values.abs()
        root = math.sqrt(0.5) / lower_bound(scales, LEAST_SCALE)
        probability = (torch.erfc((distance - 0.5) * root) - torch.erfc((distance + 0.5) * root)) / 2
        return lower_bound(probability, LEAST_PROBABILITY)
