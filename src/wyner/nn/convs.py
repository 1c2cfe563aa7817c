"""The convolutions of learned transforms: 5x5, halving or doubling the sides (Ballé et al. 2017)."""

from __future__ import annotations

from torch import nn


def conv(inputs: int, outputs: int, kernel: int = 5, stride: int = 2) -> nn.Conv2d:
    """(B, inputs, H, W) to (B, outputs, ceil(H / stride), ceil(W / stride)); ``kernel`` is odd."""
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2)


def deconv(inputs: int, outputs: int, kernel: int = 5, stride: int = 2) -> nn.ConvTranspose2d:
    """(B, inputs, H, W) to (B, outputs, stride * H, stride * W); ``kernel`` is odd."""
    padding = kernel // 2
    return nn.ConvTranspose2d(inputs, outputs, kernel, stride, padding, output_padding=stride - 1)
