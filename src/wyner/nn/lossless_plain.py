"""The plain variant of the lossless codec: integers z, and pixels that are independent given them.

    x --- down, down, down --- round --- z --- attention --- up, up, up --- distributions of x

It is what the shipped network is measured against, and no codec of the package. What RMS norm forgets, how
bright a place is, goes around it: layers that change resolution have none, and blocks add to their input.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .fixed_point import Attention, Conv, DoubleConv, Spread, relu
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
        self.down = nn.ModuleList([Conv(a, b, gain=1.4), Conv(b, c, gain=1.4), Conv(c, d, gain=1.4)])
        self.blocks = nn.ModuleList([DoubleConv(b, b), DoubleConv(c, c), DoubleConv(d, d)])
        self.to_z = Conv(d, LATENTS, gain=4.0)
        self.from_z = Conv(LATENTS, d)
        self.attention = Attention(d)
        self.spread = nn.ModuleList([Spread(d, c), Spread(c, b), Spread(b, a)])
        self.up = nn.ModuleList([DoubleConv(c, c), DoubleConv(b, b), DoubleConv(a, a)])
        self.out = Conv(a, CHANNELS * 3 * MIXTURE, gain=0.1)
        self.z_place = nn.Parameter(torch.zeros(LATENTS, 1, 1))
        # About as wide as z is, so that it costs little to begin with: else z vanishes before it is of use.
        self.z_log_scale = nn.Parameter(torch.full((LATENTS, 1, 1), 2.0))

    def analysed(self, pixels: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Integers Y, Co, Cg (B, 3, H, W), H and W multiples of 8: z (B, LATENTS, H/8, W/8) float32."""
        x = (pixels / 64).to(dtype, memory_format=torch.channels_last)
        x = relu(self.stem(x))
        for down, block in zip(self.down, self.blocks, strict=True):
            x = block(relu(down(F.avg_pool2d(x, 2))))
        z: Tensor = self.to_z(x).float().clamp(-Z_LIMIT, Z_LIMIT)
        return z + (z.detach().round() - z.detach())

    def params(self, z: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """z to parameters (B, 3, 3 * MIXTURE, H, W) float32 of ``mixture_bits``, of spread PIXEL_SPREAD."""
        x = self.attention(relu(self.from_z(z.to(dtype) / 4)))
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
