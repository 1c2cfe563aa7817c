"""Layers whose numbers are those of integers (docs/spec/lossless.md, section 4), trained in floating point.

Every number is rounded to the step that the integers have, and gradients pass the rounding unchanged
(the straight-through estimator of Bengio, Léonard and Courville 2013). ``lossless_export`` gives what the
decoder holds.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WEIGHT_BITS = 10
"""Weights are multiples of 2^-10."""
VALUE_BITS = 8
"""What a layer is given is a multiple of 2^-8, below 16 in magnitude."""
RAW_BITS = 7
"""What RMS norm is given is a multiple of 2^-7, below 32 in magnitude."""
LIMIT = 4095
"""The largest integer that stands for either."""
NORM_FLOOR = 16
"""Added to the mean square of integers of RAW_BITS."""


class _Rounded(torch.autograd.Function):
    """To the nearest multiple of a step; the gradient passes unchanged."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, bits: int) -> Tensor:
        return x.mul(2.0**bits).round_().mul_(2.0**-bits)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        return gradient, None


def round_to(x: Tensor, bits: int) -> Tensor:
    """x, any shape, to the nearest multiple of 2^-bits; the gradient is that of x.

    Numbers of bfloat16 stay as they are: those of most layers have fewer bits than that already.
    """
    rounded: Tensor = x if x.dtype == torch.bfloat16 else _Rounded.apply(x, bits)
    return rounded


def limited(x: Tensor, bits: int) -> Tensor:
    """x in multiples of 2^-bits whose integers are at most LIMIT in magnitude."""
    return round_to(x.clamp(-LIMIT * 2.0**-bits, LIMIT * 2.0**-bits), bits)


class Conv(nn.Conv2d):
    """A convolution, kernel 1 or 3, zero padding, with weights in multiples of 2^-WEIGHT_BITS."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, *, gain: float = 1.0) -> None:
        super().__init__(inputs, outputs, kernel, padding=kernel // 2)
        assert self.bias is not None
        nn.init.normal_(self.weight, std=gain * (inputs * kernel * kernel) ** -0.5)
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, inputs, H, W): (B, outputs, H, W), not rounded."""
        assert self.bias is not None
        weight = round_to(self.weight, WEIGHT_BITS).to(x.dtype)
        return F.conv2d(x, weight, self.bias.to(x.dtype), padding=self.padding)


class Spread(nn.Module):
    """A transposed convolution, kernel 2, stride 2: a 1x1 layer to four outputs each, then depth to space."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = Conv(inputs, 4 * outputs, gain=1.4)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, inputs, H, W): (B, outputs, 2H, 2W), at least 0."""
        return relu(F.pixel_shuffle(self.conv(x), 2))


def rms_norm(x: Tensor) -> Tensor:
    """x (B, C, H, W), each position over the root of its mean square over C (Zhang and Sennrich 2019)."""
    raw = limited(x, RAW_BITS).permute(0, 2, 3, 1)
    return F.rms_norm(raw, raw.shape[-1:], eps=NORM_FLOOR * 4.0**-RAW_BITS).permute(0, 3, 1, 2)


def norm_relu(x: Tensor) -> Tensor:
    """ReLU of the RMS norm, in multiples of 2^-VALUE_BITS."""
    return round_to(F.relu(rms_norm(x)), VALUE_BITS)


def relu(x: Tensor) -> Tensor:
    """ReLU without norm: 0 to LIMIT."""
    return round_to(x.clamp(0, LIMIT * 2.0**-VALUE_BITS), VALUE_BITS)


class DoubleConv(nn.Module):
    """Two 3x3 layers, each with RMS norm and ReLU; added to the input where it has as many channels."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = Conv(inputs, outputs, 3, gain=1.4)
        self.second = Conv(outputs, outputs, 3, gain=1.4)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, inputs, H, W), at least 0: (B, outputs, H, W), at least 0."""
        y = norm_relu(self.second(norm_relu(self.first(x))))
        return (x + y).clamp(max=LIMIT * 2.0**-VALUE_BITS) if x.shape[1] == y.shape[1] else y


class Attention(nn.Module):
    """Multi-head self-attention in windows of WINDOW x WINDOW positions (Vaswani et al. 2017), added to x.

    Positions beyond the picture, where a window is cut, are left out.
    """

    WINDOW = 16

    def __init__(self, channels: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.to_qkv = Conv(channels, 3 * channels)
        self.out = Conv(channels, channels, gain=0.5)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, C, H, W), at least 0: the same shape, at least 0."""
        batch, channels, height, width = x.shape
        window = self.WINDOW
        down, right = -height % window, -width % window
        qkv = limited(self.to_qkv(x), VALUE_BITS).clamp(-8 + 2.0**-VALUE_BITS, 8 - 2.0**-VALUE_BITS)
        rows, columns = (height + down) // window, (width + right) // window
        qkv = F.pad(qkv, (0, right, 0, down)).view(
            batch, 3, self.heads, channels // self.heads, rows, window, columns, window
        )
        q, k, v = qkv.permute(1, 0, 4, 6, 2, 5, 7, 3).flatten(5, 6).flatten(1, 3).unbind(0)
        mask = None
        if down or right:
            valid = F.pad(torch.ones(height, width, dtype=torch.bool, device=x.device), (0, right, 0, down))
            valid = (
                valid.view(rows, window, columns, window).transpose(1, 2).reshape(1, rows * columns, 1, 1, -1)
            )
            mask = valid.expand(batch, -1, -1, -1, -1).flatten(0, 1)
        # The scores are powers of two: e^(s log 2).
        mixed = F.scaled_dot_product_attention(q, k, v, mask, scale=0.6931471805599453 * 2.0**-2)
        mixed = mixed.view(batch, rows, columns, self.heads, window, window, -1).permute(0, 3, 6, 1, 4, 2, 5)
        mixed = mixed.reshape(batch, channels, height + down, width + right)[..., :height, :width]
        return relu(x + self.out(limited(mixed, VALUE_BITS)))
