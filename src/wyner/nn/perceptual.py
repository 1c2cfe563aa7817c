"""The measures of ``wyner.metrics`` that training minimises, on batches and with gradients."""

from __future__ import annotations

import math
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..metrics.lpips import Lpips
from ..metrics.lpips_weights import find_weights, load_weights
from ..metrics.ms_ssim import K1, K2, SIGMA, TAPS, WEIGHTS


class MsSsim(nn.Module):
    """Multi-scale structural similarity as ``wyner.metrics.ms_ssim`` has it (Wang et al. 2003)."""

    window: Tensor

    def __init__(self) -> None:
        super().__init__()
        taps = torch.tensor([math.exp(-((k - TAPS // 2) ** 2) / (2 * SIGMA**2)) for k in range(TAPS)])
        self.register_buffer("window", taps / taps.sum(), persistent=False)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """The similarity, at most 1, of each pair of (B, C, H, W) in 0..1 with sides of at least 161: (B)."""
        x, y = (x - 0.5).contiguous(), (y - 0.5).contiguous()
        product = torch.ones(x.shape[:2], device=x.device)
        for scale, weight in enumerate(WEIGHTS):
            similarity, contrast = self._means(x, y)
            last = scale == len(WEIGHTS) - 1
            # A power of nothing has no gradient.
            product = product * (similarity if last else contrast).clamp_min(1e-4) ** weight
            if not last:
                x, y = _halved(x), _halved(y)
        return product.mean(1)

    def _means(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Means over each plane (B, C) of SSIM and of its contrast-structure factor; see metrics.ms_ssim."""
        d = x - y
        mu_x, mu_d, xx, yy, dd = self._blur(torch.cat([x, d, x * x, y * y, d * d], 1)).chunk(5, 1)
        mu_y = mu_x - mu_d
        contrast = (dd - mu_d**2) / (xx - mu_x**2 + yy - mu_y**2 + K2**2)
        luminance = mu_d**2 / ((mu_x + 0.5) ** 2 + (mu_y + 0.5) ** 2 + K1**2)
        lost = luminance + contrast - luminance * contrast
        return 1 - lost.mean((2, 3)), 1 - contrast.mean((2, 3))

    def _blur(self, planes: Tensor) -> Tensor:
        count = planes.shape[1]
        for shape in ((1, 1, TAPS, 1), (1, 1, 1, TAPS)):
            planes = F.conv2d(planes, self.window.view(shape).expand(count, -1, -1, -1), groups=count)
        return planes


def _halved(planes: Tensor) -> Tensor:
    """Means of 2x2 samples; an odd side gets a line of zeros (samples of -1/2) before its first."""
    rows, columns = (size % 2 for size in planes.shape[2:])
    return F.avg_pool2d(F.pad(planes, (columns, 0, rows, 0), value=-0.5), 2)


class LpipsDistance:
    """LPIPS as ``wyner.metrics.lpips`` has it (Zhang et al. 2018), on a device."""

    def __init__(self, device: torch.device, weights: Path | str | None = None) -> None:
        """weights, and the errors where they are missing, as of ``wyner.metrics.lpips``."""
        tensors = load_weights(find_weights(weights))
        self._lpips = Lpips({name: tensor.to(device) for name, tensor in tensors.items()})

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """The distance of each pair of (B, 3, H, W) in 0..1 with sides of at least 17: (B)."""
        distances = []
        for features, head in self._lpips.stages(2 * torch.cat([x, y]) - 1):
            # Under the root, the small number keeps gradients of features near 0 finite.
            unit = features * (features.square().sum(1, keepdim=True) + 1e-10).rsqrt()
            a, b = unit.chunk(2)
            distances.append(((a - b).square().mean((2, 3)) * head.flatten()).sum(1))
        return torch.stack(distances).sum(0)
