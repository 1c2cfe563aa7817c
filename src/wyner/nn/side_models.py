"""Distributed models by name, and their files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from . import safetensors
from .distributed import AlignedNdic, AttentionNdic, Ndic, SideModelConfig
from .dsin import Dsin
from .frozen import freeze_latents, half_precision

MODELS: dict[str, Callable[[SideModelConfig], nn.Module]] = {
    "ndic": Ndic, "attention": AttentionNdic, "aligned": AlignedNdic, "dsin": Dsin
}  # fmt: skip
CODING = (
    "g_a.",
    "g_s.",
    "f.",
    "lookups.",
    "describe.",
    "describe_y.",
    "bias",
    "fusion.",
    "latents.prior.h_a.",
)
"""How the parameters begin that coding needs, but for those of the entropy model, which a file has frozen."""


def make_model(config: SideModelConfig) -> nn.Module:
    """The untrained model."""
    return MODELS[config.kind](config)


def side_model_file(model: nn.Module, config: SideModelConfig, about: Mapping[str, Any]) -> bytes:
    """The model's file (docs/spec/distributed.md); ``about``, in its card, tells how it was trained.

    Raises ValueError for weights that integers cannot hold.
    """
    codec = config.codec
    card = {
        "kind": config.kind,
        "prior": codec.prior,
        "widths": codec.widths,
        "latents": codec.latents,
        "hyper": codec.hyper,
        "lambda_range": codec.lambda_range,
        "macs": macs_per_pixel(model),
        "about": dict(about),
    }
    latents: Any = model.latents
    frozen = freeze_latents(latents.gains, latents.prior, codec.lambda_range)
    return safetensors.write(half_precision(model, CODING) | frozen, {"card": json.dumps(card)})


@torch.no_grad()
def macs_per_pixel(model: nn.Module) -> float:
    """Multiply-accumulates of the convolutions that ``reconstruct`` runs, for a pixel of x."""
    total = 0.0

    def count(layer: nn.Module, given: tuple[Tensor, ...], result: Tensor) -> None:
        nonlocal total
        if isinstance(layer, nn.Conv2d):
            total += result.numel() * layer.weight[0].numel()
        elif isinstance(layer, nn.ConvTranspose2d):
            total += given[0].numel() * layer.weight[0].numel()

    hooks = [layer.register_forward_hook(count) for layer in model.modules()]
    net: Any = model
    first = next(model.parameters())
    y = torch.zeros((1, 3, 64, 64), device=first.device)
    channels = net.latents.gains.log2_gain.shape[1]
    net.reconstruct(torch.zeros((1, channels, 4, 4), device=first.device), y, y[0, 0, 0, :1] + 0.01)
    for hook in hooks:
        hook.remove()
    return total / y[0, 0].numel()


def load_side_model(config: SideModelConfig, tensors: Mapping[str, npt.NDArray[Any]]) -> nn.Module:
    """The model with the weights of a file, for coding. Raises RuntimeError where they do not fit."""
    model = make_model(config)
    found = {
        name: torch.from_numpy(value.astype(np.float32))
        for name, value in tensors.items()
        if name.startswith(CODING)
    }
    missing, unknown = model.load_state_dict(found, strict=False)
    lacking = [name for name in missing if name.startswith(CODING)]
    if lacking or unknown:
        raise RuntimeError(f"weights that lack or are too many: {', '.join([*lacking, *unknown])}")
    return model.eval().requires_grad_(False)
