"""The convolutions of learned transforms: 5x5, halving or doubling the sides (Ballé et al. 2017).

They begin with random weights that keep the variance of white noise, and no biases: latents that start far
below the quantiser's noise take thousands of steps to rise above it.
"""

from __future__ import annotations

from torch import nn


def conv(inputs: int, outputs: int, kernel: int = 5, stride: int = 2) -> nn.Conv2d:
    """(B, inputs, H, W) to (B, outputs, ceil(H / stride), ceil(W / stride)); ``kernel`` is odd."""
    layer = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2)
    _begin(layer, inputs * kernel**2)
    return layer


def deconv(inputs: int, outputs: int, kernel: int = 5, stride: int = 2) -> nn.ConvTranspose2d:
    """(B, inputs, H, W) to (B, outputs, stride * H, stride * W); ``kernel`` is odd."""
    padding = kernel // 2
    layer = nn.ConvTranspose2d(inputs, outputs, kernel, stride, padding, output_padding=stride - 1)
    _begin(layer, inputs * kernel**2 / stride**2)
    return layer


def _begin(layer: nn.Conv2d | nn.ConvTranspose2d, terms: float) -> None:
    """Set the weights of a layer whose outputs are sums of so many terms."""
    nn.init.normal_(layer.weight, std=terms**-0.5)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
