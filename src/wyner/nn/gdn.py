"""Generalised divisive normalisation (Ballé, Laparra and Simoncelli, "Density modeling of images using a
generalized normalization transformation", ICLR 2016)."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEAST_BETA = 1e-6
FIRST_GAMMA = 0.1
_PEDESTAL = 2.0**-36


class _LowerBound(torch.autograd.Function):
    """max(x, bound) whose gradient still reaches an x below the bound when it would raise it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, bound: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.bound = bound
        return x.clamp_min(bound)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        grad = grads[0]
        return torch.where((x >= ctx.bound) | (grad < 0), grad, 0.0), None


def lower_bound(x: Tensor, bound: float) -> Tensor:
    """max(x, bound), elementwise; below the bound only gradients that raise x pass."""
    bounded: Tensor = _LowerBound.apply(x, bound)  # type: ignore[no-untyped-call]
    return bounded


class GDN(nn.Module):
    """y_i = x_i / sqrt(beta_i + sum_j gamma_ij x_j^2), or times that root if ``inverse`` (equation 2).

    (B, channels, H, W) in and out. beta >= 1e-6 and gamma >= 0 are kept as roots, so that no step of an
    optimiser makes them negative and small ones change slowly (Ballé 2018, "Efficient nonlinear transforms").
    """

    def __init__(self, channels: int, inverse: bool = False) -> None:
        super().__init__()
        self.inverse = inverse
        self.beta = nn.Parameter(torch.full((channels,), 1 + _PEDESTAL).sqrt())
        self.gamma = nn.Parameter((FIRST_GAMMA * torch.eye(channels) + _PEDESTAL).sqrt())

    def forward(self, x: Tensor) -> Tensor:
        beta = lower_bound(self.beta, (LEAST_BETA + _PEDESTAL) ** 0.5).square() - _PEDESTAL
        gamma = lower_bound(self.gamma, _PEDESTAL**0.5).square() - _PEDESTAL
        norm = F.conv2d(x.square(), gamma[:, :, None, None], beta)
        root = norm.sqrt() if self.inverse else norm.rsqrt()
        return x * root.to(x.dtype)  # autocast makes one of them float32
