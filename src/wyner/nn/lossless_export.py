"""The integers of a trained network, in the order of docs/spec/lossless.md, section 4."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .fixed_point import VALUE_BITS, WEIGHT_BITS, Conv, DoubleConv, Spread
from .lossless import PHASES, Head, Lossless, Trunk, UNet

Integers = tuple[npt.NDArray[np.int16], npt.NDArray[np.int32]]
"""Weights (outputs, inputs, taps) and biases (rows, outputs) of a layer."""


def layers(network: Lossless) -> Iterator[Integers]:
    """Every layer of the network."""
    yield from _unet(network.unet)
    for phase in PHASES:
        trunk = network.trunks[phase]
        assert isinstance(trunk, Trunk)
        yield from _trunk(trunk)


def flat(network: Lossless) -> Integers:
    """All weights and all biases, each in one row."""
    found = list(layers(network))
    return np.concatenate([w.ravel() for w, _ in found]), np.concatenate([b.ravel() for _, b in found])


def sizes_of(network: Lossless) -> tuple[int, int, int, int, int, int, int]:
    """What ``_native.LosslessModel`` takes."""
    s = network.sizes
    return (s.full, s.half, s.quarter, s.hidden, *s.trunk_blocks)


def _integers(weight: Tensor, biases: Tensor) -> Integers:
    """weight (outputs, inputs, kernel, kernel), biases (rows, outputs)."""
    w = torch.round(weight.detach().double() * 2.0**WEIGHT_BITS)
    b = torch.round(biases.detach().double() * 2.0 ** (WEIGHT_BITS + VALUE_BITS))
    if w.abs().max() > 32767 or b.abs().max() >= 2**28:
        raise ValueError("a weight is too large for integers")
    return w.flatten(2).to(torch.int16).cpu().numpy(), b.to(torch.int32).cpu().numpy()


def _bias(conv: Conv) -> Tensor:
    assert conv.bias is not None
    return conv.bias


def _conv(conv: Conv) -> Integers:
    return _integers(conv.weight, _bias(conv)[None])


def _double(block: DoubleConv) -> Iterator[Integers]:
    yield _conv(block.first)
    yield _conv(block.second)


def _spread(layer: Spread) -> Integers:
    # From four outputs for each channel to a block of channels for each of four places.
    weight, bias = layer.conv.weight, _bias(layer.conv)
    weight = weight.view(-1, 4, *weight.shape[1:]).transpose(0, 1).flatten(0, 1)
    return _integers(weight, bias.view(-1, 4).t().reshape(1, -1))


def _unet(unet: UNet) -> Iterator[Integers]:
    yield _integers(unet.stem.weight, _bias(unet.stem) + unet.stem.of_level)
    yield from _double(unet.down_full)
    yield from _double(unet.down_half)
    yield from _double(unet.down_quarter)
    yield _conv(unet.attention.to_qkv)
    yield _conv(unet.attention.out)
    yield _spread(unet.spread_half)
    yield from _double(unet.up_half)
    yield _spread(unet.spread_full)
    yield from _double(unet.up_full)


def _trunk(trunk: Trunk) -> Iterator[Integers]:
    weight = torch.cat([trunk.stem.weight, trunk.context.weight], 1)
    yield _integers(weight, _bias(trunk.stem) + _bias(trunk.context) + trunk.stem.of_level)
    for block in trunk.blocks:
        assert isinstance(block, DoubleConv)
        yield from _double(block)
    for head in trunk.heads:
        assert isinstance(head, Head)
        yield from _head(head)


def _head(head: Head) -> Iterator[Integers]:
    trunk, bias = _conv(head.trunk)
    if head.known is None:
        yield trunk, bias
    else:
        weight = head.known.weight
        if weight.shape[1] == 1:  # of Y alone: the decoder's pair has Co too
            weight = torch.cat([weight, torch.zeros_like(weight)], 1)
        known, more = _integers(weight, _bias(head.known)[None])
        yield trunk, bias + more
        yield known, np.zeros((0, known.shape[0]), np.int32)
    yield _conv(head.hidden)
    yield _conv(head.out)
