"""The plain variant of the lossless codec: integers z, and pixels that are independent given them.

    x --- down, down, down --- round --- z --- attention --- up, up, up --- distributions of x

It is what the shipped network is measured against, and no codec of the package.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .fixed_point import Attention, Conv, DoubleConv, Spread, norm_relu
from .lossless import CHANNELS, MIXTURE, mixture_bits

WIDTHS = (48, 64, 96, 128)
LATENTS = 24
"""Channels of z."""
Z_LIMIT = 127
PIXEL_SPREAD = 16.0
"""Grey levels that a unit of the network's output stands for."""


class Plain(nn.Module):
    """``forward`` gives bits, as that of ``Lossless``; ``analysed`` and ``params`` serve a codec."""

    def __init__(self) -> None:
        super().__init__()
        a, b, c, d = WIDTHS
        self.stem = Conv(CHANNELS, a, 3)
        self.down = nn.ModuleList([DoubleConv(a, a), DoubleConv(a, b), DoubleConv(b, c), DoubleConv(c, d)])
        self.to_z = Conv(d, LATENTS, gain=4.0)
        self.from_z = Conv(LATENTS, d)
        self.attention = Attention(d)
        self.spread = nn.ModuleList([Spread(d, c), Spread(c, b), Spread(b, a)])
        self.up = nn.ModuleList([DoubleConv(c, c), DoubleConv(b, b), DoubleConv(a, a)])
        self.out = Conv(a, CHANNELS * 3 * MIXTURE, 3, gain=0.1)
        self.z_place = nn.Parameter(torch.zeros(LATENTS, 1, 1))
        self.z_log_scale = nn.Parameter(torch.zeros(LATENTS, 1, 1))

    def analysed(self, pixels: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """pixels (B, 3, H, W), H and W multiples of 8, of integers Y, Co, Cg: z (B, LATENTS, H/8, W/8) float32."""
        x = (pixels / 64).to(dtype, memory_format=torch.channels_last)
        x = norm_relu(self.stem(x))
        for number, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if number else x)
        z: Tensor = self.to_z(x).float().clamp(-Z_LIMIT, Z_LIMIT)
        return z + (z.detach().round() - z.detach())

    def params(self, z: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """z to parameters of mixtures (B, 3, 3 * MIXTURE, H, W) float32, of base 0 and spread PIXEL_SPREAD."""
        x = self.attention(norm_relu(self.from_z(z.to(dtype) / 4)))
        for spread, block in zip(self.spread, self.up, strict=True):
            x = block(spread(x))
        found: Tensor = self.out(x).float()
        return found.unflatten(1, (CHANNELS, 3 * MIXTURE))

    def z_bits(self, z: Tensor) -> Tensor:
        """Bits (B) of z under a logistic distribution for each channel."""
        inverse = torch.exp2(-self.z_log_scale)
        x = (z - self.z_place).abs()
        mass = torch.sigmoid((0.5 - x) * inverse) - torch.sigmoid((-0.5 - x) * inverse)
        return -torch.log2(mass.clamp(min=0) + 2.0**-23).sum((1, 2, 3))

    def forward(self, pixels: Tensor, level: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Bits (B, 3) of Y, Co and Cg, each with a third of z's. level: not looked at."""
        z = self.analysed(pixels, dtype)
        base = torch.zeros_like(pixels)
        base[:, 0] = 128
        lowest = -255.0 * (torch.arange(CHANNELS, device=pixels.device) > 0).view(CHANNELS, 1, 1)
        bits = mixture_bits(self.params(z, dtype), base, torch.full_like(base, PIXEL_SPREAD), pixels, lowest)
        return bits.sum((2, 3)) + self.z_bits(z)[:, None] / CHANNELS
