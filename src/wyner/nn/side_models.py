"""Distributed models by name, and their files."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ..errors import UnsupportedError
from . import safetensors
from .distributed import AlignedNdic, AttentionNdic, Ndic, SideModelConfig
from .dsin import Dsin
from .frozen import freeze_latents, half_precision

MODELS: dict[str, Callable[[SideModelConfig], nn.Module]] = {
    "ndic": Ndic, "attention": AttentionNdic, "aligned": AlignedNdic, "dsin": Dsin
}  # fmt: skip
TRAINING = ("g_ay.", "g_sy.", "latents_y.", "prior_w.")
"""How the parameters begin that only training needs."""
GAINS = "latents.gains."
FROZEN = (
    GAINS,
    "latents.prior.density.",
    "latents.prior.h_s.",
    "latents.prior.mean",
    "latents.prior.log2_scale",
)
"""Those of the entropy model, which a file has in integers."""


def make_model(config: SideModelConfig) -> nn.Module:
    """The untrained model. Raises UsageError for sizes, and a prior, that it cannot have."""
    return MODELS[config.kind](config)


def coding_weights(model: nn.Module) -> dict[str, Tensor]:
    """The parameters that a file holds as they are: those that coding needs, but for the entropy model."""
    codes_y = isinstance(model, Dsin)  # at its decoder, with the gains of any lambda
    left_out = tuple(prefix for prefix in TRAINING + FROZEN if not (codes_y and prefix == GAINS))
    return {name: value for name, value in model.state_dict().items() if not name.startswith(left_out)}


def side_model_file(model: nn.Module, config: SideModelConfig, about: Mapping[str, Any]) -> bytes:
    """The model's file (docs/spec/distributed.md); ``about``, in its card, tells how it was trained.

    Raises UsageError for weights that a file cannot hold.
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
    return safetensors.write(half_precision(coding_weights(model)) | frozen, {"card": json.dumps(card)})


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


def load_side_model(config: SideModelConfig, weights: Mapping[str, npt.NDArray[Any]]) -> nn.Module:
    """The model with the weights of a file, for coding; its anchors are those of the weights, if they tell.

    Raises RuntimeError where they do not fit, and UnsupportedError for DSIN without its gains.
    """
    gains = weights.get(GAINS + "log2_gain")
    if gains is not None and gains.shape[1:] == (config.latents,):
        config = dataclasses.replace(config, anchors=len(gains))
    model = make_model(config)
    wanted = coding_weights(model)
    lacking, unknown = sorted(wanted.keys() - weights.keys()), sorted(weights.keys() - wanted.keys())
    if any(name.startswith(GAINS) for name in lacking):
        raise UnsupportedError("this dsin model's file lacks its gains, as files once did: export it again")
    if lacking or unknown:
        raise RuntimeError(f"weights that lack or are too many: {', '.join([*lacking, *unknown])}")
    found = {name: torch.from_numpy(value.astype(np.float32)) for name, value in weights.items()}
    model.load_state_dict(model.state_dict() | found)
    return model.eval().requires_grad_(False)
