"""Trained codecs as files: real transforms, and a prior of integers from which every machine reads the same.

``freeze`` makes the tensors of a file from a model in training, which stays as it is. What the decoder's
symbols depend on is in integers: h_s, log2 of the gains, distributions of z. Transforms are kept in half
precision.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ..errors import UsageError
from . import safetensors
from .integer import FRACTION, IntegerLayer, make_layer
from .learned import DensityPrior, Gains, GaussianPrior, Hyperprior, LearnedCodec
from .rates import CURVE_BITS, CURVE_FRACTION, level_lambdas
from .safetensors import Arrays

TAIL = 2.0**-15
"""Probability that a table of z leaves beyond each of its ends."""
MOST_WIDTH = 1024
CURVE_POINTS = 2048
"""Distances along the curve of a cumulative density, between the places where nearly all of it lies."""


def model_file(model: LearnedCodec, about: Mapping[str, Any]) -> bytes:
    """The model's file (docs/spec/learned.md, section 2); ``about``, in its card, tells how it was trained.

    Raises UsageError for weights that a file cannot hold.
    """
    config = model.config
    card = {
        "prior": config.prior,
        "widths": list(config.widths),
        "latents": config.latents,
        "hyper": config.hyper,
        "about": dict(about),
    }
    return safetensors.write(freeze(model), {"card": json.dumps(card)})


@torch.no_grad()
def freeze(model: LearnedCodec) -> Arrays:
    """The tensors of a file of the model, by name. Raises UsageError for weights that one cannot hold."""
    transforms = {
        name: value
        for name, value in model.state_dict().items()
        if name.startswith(("g_a.", "g_s.", "prior.h_a."))
    }
    return half_precision(transforms) | freeze_latents(model.gains, model.prior, model.config.lambda_range)


def half_precision(weights: Mapping[str, Tensor]) -> Arrays:
    """Weights as float16. Raises UsageError for those that it does not hold."""
    found: Arrays = {}
    for name, value in weights.items():
        half = value.detach().half()
        if not half.isfinite().all():
            raise UsageError(f"half precision cannot hold {name}")
        found[name] = half.cpu().numpy()
    return found


@torch.no_grad()
def freeze_latents(gains: Gains, prior: nn.Module, lambda_range: tuple[float, float]) -> Arrays:
    """The tensors of gains and a prior. Raises UsageError for weights that a file cannot hold."""
    lam = torch.tensor(level_lambdas(lambda_range)).float().to(gains.log2_gain.device)
    exact, inverse = (table[:, :, 0, 0] for table in gains(lam))
    tensors = half_precision({"gain": exact, "inverse": inverse})
    gain = exact.double().cpu().numpy()
    if isinstance(prior, Hyperprior):
        tensors |= _hyperprior(prior, gain)
    elif isinstance(prior, GaussianPrior):
        tensors |= _gaussian(prior, gain)
    elif isinstance(prior, DensityPrior):
        tensors |= _curves(prior.density, gain)
    return tensors


def _hyperprior(prior: Hyperprior, gain: npt.NDArray[np.float64]) -> Arrays:
    one = 2**FRACTION
    found: Arrays = {
        "log2_gain": np.rint(np.log2(gain) * one).astype(np.int16),
        "integer_gain": np.rint(gain * one).astype(np.int32),
        **_tables("z", prior.density, np.ones(prior.density.channels)),
    }
    for index, layer in enumerate(integer_layers(prior.h_s)):
        found[f"h_s.{index}.weight"] = layer.weight
        found[f"h_s.{index}.bias"] = layer.bias
        found[f"h_s.{index}.shift"] = np.array(layer.shift, np.int32)
    return found


def integer_layers(h_s: nn.Sequential) -> list[IntegerLayer]:
    """h_s in integers: its input has whole numbers, its results FRACTION fractional bits."""
    layers: list[IntegerLayer] = []
    for index, module in enumerate(h_s):
        if isinstance(module, nn.ReLU):
            continue
        assert isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)) and module.bias is not None
        weight = module.weight.detach().cpu().numpy()
        double = isinstance(module, nn.ConvTranspose2d)
        if double:  # as a correlation with spread samples
            weight = weight.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1]
        layers.append(
            make_layer(
                weight,
                module.bias.detach().cpu().numpy(),
                fraction=FRACTION if layers else 0,
                double=double,
                relu=index + 1 < len(h_s),
            )
        )
    return layers


def _gaussian(prior: GaussianPrior, gain: npt.NDArray[np.float64]) -> Arrays:
    """Location, in 1/256 steps, and index of the scale (``wyner.coder``) of each level and channel."""
    mean, scale = (p.detach().cpu().double().numpy().ravel() for p in (prior.mean, prior.scale()))
    index = np.rint(16 * np.log2(scale * gain)) + 72
    return {
        "y.location": np.rint(256 * mean * gain).astype(np.int32),
        "y.scale": np.clip(index, 0, 255).astype(np.uint8),
    }


def _tables(name: str, density: nn.Module, steps: npt.NDArray[np.float64]) -> Arrays:
    """Cumulative counts (channels, width + 1) of the symbols low.. of each channel, in units of ``steps``."""
    size = torch.tensor(steps)[:, None]
    exact = copy.deepcopy(density).cpu().double()

    def cumulative(edges: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        found: Tensor = exact.cumulative(torch.from_numpy(edges) * size)  # type: ignore[operator]
        return found.numpy()

    symbols = np.arange(-MOST_WIDTH // 2, MOST_WIDTH // 2 + 1)
    below = cumulative(np.tile(symbols - 0.5, (len(steps), 1)))
    first = (below < TAIL).sum(1) - 1
    last = MOST_WIDTH - (below > 1 - TAIL).sum(1)
    width = int(max((last - first).max() + 1, 2))
    low = np.clip(symbols[np.maximum(first, 0)], symbols[0], symbols[-1] - width)
    edges = low[:, None] + np.arange(width + 1) - 0.5
    counts = cumulative(edges)
    counts[:, 0], counts[:, -1] = 0, 1  # the ends have what lies beyond them
    whole = np.rint(counts * (65536 - width)).astype(np.int32) + np.arange(width + 1, dtype=np.int32)
    return {f"{name}.cdfs": whole, f"{name}.low": low.astype(np.int32)}


def _curves(density: nn.Module, gain: npt.NDArray[np.float64]) -> Arrays:
    """Of each channel the cumulative density at even distances, and where symbols lie on it at each level.

    One curve serves all levels: it is of y itself, and a level only sets how far apart symbols are.
    """
    exact = copy.deepcopy(density).cpu().double()

    def cumulative(places: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        found: Tensor = exact.cumulative(torch.from_numpy(places))  # type: ignore[operator]
        return found.numpy()

    def quantile(wanted: float) -> npt.NDArray[np.float64]:
        low, high = np.full((gain.shape[1], 1), -1e4), np.full((gain.shape[1], 1), 1e4)
        for _ in range(60):
            middle = (low + high) / 2
            less = cumulative(middle) < wanted
            low, high = np.where(less, middle, low), np.where(less, high, middle)
        return low

    begin, end = quantile(TAIL / 2), quantile(1 - TAIL / 2)
    distance = np.maximum(end - begin, 1e-6) / CURVE_POINTS
    counts = np.rint(cumulative(begin + np.arange(CURVE_POINTS + 1) * distance) * 2.0**CURVE_BITS)
    counts[:, 0], counts[:, -1] = 0, 2**CURVE_BITS
    one = 2**CURVE_FRACTION / distance[:, 0]
    return {
        "y.curve": np.maximum.accumulate(counts, 1).astype(np.int32),
        "y.zero": np.rint(-begin[:, 0] * one).astype(np.int64),
        "y.step": np.maximum(np.rint(one / gain), 1).astype(np.int64),
    }


def load_transform(transform: nn.Sequential, tensors: Mapping[str, npt.NDArray[Any]], prefix: str) -> None:
    """Give a transform its weights of a file. Raises RuntimeError when names or shapes do not fit."""
    found = {
        name.removeprefix(prefix): torch.from_numpy(value.astype(np.float32))
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
    transform.load_state_dict(found)
    transform.requires_grad_(False)
