"""A look at a codec in training: crops beside what it makes of them."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..nn.learned import LearnedCodec


@torch.no_grad()
def sheet(model: LearnedCodec, x: Tensor) -> Image.Image:
    """Crops (B, 3, S, S) in 0..1, and below them what files at the highest, middle and lowest lambda hold."""
    low, high = model.config.lambda_range
    rows = [x]
    for lam in (high, (low * high) ** 0.5, low):
        rows.append(model(x, torch.full((len(x),), lam, device=x.device), "round").x_hat)
    tall = torch.cat([torch.cat(list(row), 2) for row in rows], 1)
    samples = (tall.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    return Image.fromarray(np.ascontiguousarray(samples))
