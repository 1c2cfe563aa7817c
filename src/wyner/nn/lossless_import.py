"""Layers in the order of docs/spec/lossless.md, section 4, to parameters: ``lossless_export`` reversed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from .fixed_point import VALUE_BITS, WEIGHT_BITS
from .lossless import PHASES, Head, Lossless, Trunk, feature_count


@dataclass(frozen=True)
class LayerTensors:
    """weights: (outputs, inputs, taps), biases: (rows, outputs), in the units of the file, floating-point.

    Gradients reach them through ``parameters_of``.
    """

    weights: Tensor
    biases: Tensor


def parameters_of(network: Lossless, layers: Iterable[LayerTensors]) -> dict[str, Tensor]:
    """The parameters of ``network`` by name, as ``torch.func.functional_call`` takes them.

    network: tells which there are; its own are not looked at. layers: all of them.
    """
    found = _Found(layers)
    _unet(found)
    for phase in PHASES:
        trunk = network.trunks[phase]
        assert isinstance(trunk, Trunk)
        _trunk(found, f"trunks.{phase}", trunk, feature_count(phase))
    assert next(found.layers, None) is None, "there are more layers than the network has"
    return found.parameters


class _Found:
    """Takes layers one after another and names their parameters."""

    def __init__(self, layers: Iterable[LayerTensors]) -> None:
        self.layers = iter(layers)
        self.parameters: dict[str, Tensor] = {}

    def take(self) -> tuple[Tensor, Tensor]:
        layer = next(self.layers)
        outputs, inputs, taps = layer.weights.shape
        side = 3 if taps == 9 else 1
        weight = layer.weights.view(outputs, inputs, side, side) * 2.0**-WEIGHT_BITS
        return weight, layer.biases * 2.0 ** -(WEIGHT_BITS + VALUE_BITS)

    def put(self, name: str, weight: Tensor, bias: Tensor) -> None:
        self.parameters[f"{name}.weight"], self.parameters[f"{name}.bias"] = weight, bias

    def conv(self, name: str) -> None:
        weight, biases = self.take()
        self.put(name, weight, biases[0])

    def double(self, name: str) -> None:
        self.conv(f"{name}.first")
        self.conv(f"{name}.second")

    def spread(self, name: str) -> None:
        weight, biases = self.take()
        weight = weight.view(4, -1, *weight.shape[1:]).transpose(0, 1).flatten(0, 1)
        self.put(f"{name}.conv", weight, biases.view(4, -1).t().reshape(-1))

    def levels(self, name: str, weight: Tensor, biases: Tensor) -> None:
        """A layer whose rows of biases are all of its levels'."""
        self.put(name, weight, torch.zeros_like(biases[0]))
        self.parameters[f"{name}.of_level"] = biases


def _unet(found: _Found) -> None:
    found.levels("unet.stem", *found.take())
    for name in ("down_full", "down_half", "down_quarter"):
        found.double(f"unet.{name}")
    found.conv("unet.attention.to_qkv")
    found.conv("unet.attention.out")
    found.spread("unet.spread_half")
    found.double("unet.up_half")
    found.spread("unet.spread_full")
    found.double("unet.up_full")


def _trunk(found: _Found, name: str, trunk: Trunk, features: int) -> None:
    weight, biases = found.take()
    found.levels(f"{name}.stem", weight[:, :features], biases)
    found.put(f"{name}.context", weight[:, features:], torch.zeros_like(biases[0]))
    for i in range(len(trunk.blocks)):
        found.double(f"{name}.blocks.{i}")
    for i, head in enumerate(trunk.heads):
        assert isinstance(head, Head)
        _head(found, f"{name}.heads.{i}", head)


def _head(found: _Found, name: str, head: Head) -> None:
    found.conv(f"{name}.trunk")
    if head.known is not None:
        weight, _ = found.take()
        seen = head.known.weight.shape[1]  # the decoder's pair has Co where a head sees Y alone
        found.put(f"{name}.known", weight[:, :seen], torch.zeros_like(weight[:, 0, 0, 0]))
    found.conv(f"{name}.hidden")
    found.conv(f"{name}.out")
