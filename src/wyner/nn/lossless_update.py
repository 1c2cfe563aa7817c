"""Updates of the lossless codec's network for one picture (docs/spec/lossless.md, section 10).

Each layer has a gain for each output and each input, and a change of each bias: multiplicative vectors as of
Liu et al. (IA3, 2022) instead of low-rank matrices (Hu et al., LoRA, 2021), which gained less for their bytes
on the one picture tried (docs/decisions/0016-lossless.md). They are fitted by gradients to the picture's bits
and their own.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.func import functional_call

from .. import _native
from .fixed_point import round_to
from .lossless import Lossless, Sizes
from .lossless_import import LayerTensors, parameters_of

GAIN_BITS, GAIN_LIMIT = 5, 127
BIAS_BITS, BIAS_LIMIT = 11, 4096
GAIN_RATE, BIAS_RATE = 1.0, 2.0
"""Adam's first rates, in units of the numbers that the file has."""
LEVELS = 3
CROP, LEAST_CROP = 128, 32
"""Sides of crops are multiples of the least, whose coarsest level has a whole position at quarter size."""
PLACE = 8
"""Where crops begin, so that the finest level is cut at positions of quarter size."""
SEED = 1
Report = Callable[[int], None]
_ALONE = threading.Lock()  # PyTorch has one number of threads for all fits of a process
Numbers = npt.NDArray[np.int16]


@dataclass(frozen=True)
class Integers:
    """A network: sizes, weights int16 and biases int32, flat, in the order of the specification."""

    sizes: Sequence[int]
    weights: npt.NDArray[np.int16]
    biases: npt.NDArray[np.int32]

    def layers(self) -> Iterator[LayerTensors]:
        """As floating-point numbers."""
        w = b = 0
        for outputs, inputs, taps, rows, _ in _native.lossless_layers(self.sizes):
            weights = self.weights[w : w + outputs * inputs * taps].astype(np.float32)
            biases = self.biases[b : b + rows * outputs].astype(np.float32)
            w, b = w + weights.size, b + biases.size
            yield LayerTensors(
                torch.from_numpy(weights).view(outputs, inputs, taps),
                torch.from_numpy(biases).view(rows, outputs),
            )

    def updates(self) -> list[LayerUpdate]:
        """One that changes nothing of each layer."""
        most = [shape[-1] for shape in _native.lossless_layers(self.sizes)]
        return [LayerUpdate(*layer) for layer in zip(self.layers(), most, strict=True)]

    def names(self) -> Lossless:
        """A network of these sizes that has no numbers."""
        full, half, quarter, hidden, d, h, v = self.sizes
        with torch.device("meta"):
            return Lossless(Sizes(full, half, quarter, hidden, (d, h, v)))


class LayerUpdate(nn.Module):
    """The numbers of a layer, before they are rounded; all 0 at first."""

    def __init__(self, layer: LayerTensors, most: int) -> None:
        """most: what the magnitudes of an output's weights may sum to."""
        super().__init__()
        self.layer, self.most = layer, most
        self.magnitudes = layer.weights.abs().sum((1, 2))
        outputs, inputs, _ = layer.weights.shape
        self.outputs = nn.Parameter(torch.zeros(outputs))
        self.inputs = nn.Parameter(torch.zeros(inputs))
        self.biases = nn.Parameter(torch.zeros_like(layer.biases))

    def rows(self) -> list[Tensor]:
        """In the order of the file, each with numbers that share a distribution."""
        return [self.outputs, self.inputs, *self.biases]

    @torch.no_grad()
    def restrict(self) -> None:
        """Lower the gains of outputs whose weights, rounded, could sum to more than a network may have."""
        excess = self().weights.abs().sum((1, 2)) + self.layer.weights[0].numel() / 2 - self.most
        steps = excess * 2.0**GAIN_BITS / self.magnitudes.clamp(min=1) + 1
        self.outputs.sub_(torch.where(excess > 0, steps, 0.0))

    def forward(self) -> LayerTensors:
        gains = round_to(self.outputs, 0)[:, None, None] + round_to(self.inputs, 0)[:, None]
        return LayerTensors(
            self.layer.weights * (1 + gains * 2.0**-GAIN_BITS),
            self.layer.biases + round_to(self.biases, 0) * 2.0**BIAS_BITS,
        )


def fit(
    network: Integers, planes: npt.NDArray[np.int64], channels: int, steps: int, report: Report
) -> Numbers:
    """The numbers of an update for a picture, int16, in the order of the file.

    planes: Y, Co, Cg (3, H, W), Co and Cg 0 in grey pictures; H and W at least LEAST_CROP. channels: 1 or 3.
    report: called with the number of each step that is done. On one thread, so that a picture has one result
    on a machine.
    """
    with _ALONE:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return _fit(network, torch.from_numpy(planes.astype(np.float32)), channels, steps, report)
        finally:
            torch.set_num_threads(threads)


def _fit(network: Integers, planes: Tensor, channels: int, steps: int, report: Report) -> Numbers:
    empty = network.names()
    updates = network.updates()
    gains = [p for u in updates for p in (u.outputs, u.inputs)]
    groups = [
        {"params": gains, "lr": GAIN_RATE},
        {"params": [u.biases for u in updates if u.biases.numel()], "lr": BIAS_RATE},
    ]
    optimiser = torch.optim.Adam(groups, betas=(0.9, 0.97))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step, steps))
    rng = np.random.default_rng(SEED)
    for step in range(steps):
        crop = _crop(planes, rng)
        parameters = parameters_of(empty, [update() for update in updates])
        bits = _bits(empty, parameters, crop, channels) * (planes[0].numel() / crop[0, 0].numel())
        (bits + _cost(updates)).backward()
        optimiser.step()
        for update in updates:
            update.restrict()
        schedule.step()
        optimiser.zero_grad()
        report(step + 1)
    return numbers_of(updates)


def _rate(step: int, steps: int) -> float:
    return min(1.0, (step + 1) / 10) * (0.05 + 0.475 * (1 + math.cos(math.pi * step / steps)))


def _crop(planes: Tensor, rng: np.random.Generator) -> Tensor:
    """A part of them, (1, 3, h, w)."""
    ranges = []
    for side in planes.shape[1:]:
        size = min(CROP, side // LEAST_CROP * LEAST_CROP)
        start = PLACE * int(rng.integers(0, (side - size) // PLACE + 1))
        ranges.append(slice(start, start + size))
    return planes[None, :, ranges[0], ranges[1]]


def _bits(empty: Lossless, parameters: dict[str, Tensor], pixels: Tensor, channels: int) -> Tensor:
    """Bits of the finest levels of a crop."""
    total = torch.zeros(())
    for level in range(LEVELS):
        bits = functional_call(empty, parameters, (pixels, torch.tensor([level])))
        total = total + bits[:, :channels].sum()
        pixels = pixels[..., ::2, ::2]
    return total


def _cost(updates: list[LayerUpdate]) -> Tensor:
    """About what the numbers take, as far as it has a gradient: each row of a Laplace distribution."""
    rows = [row for update in updates for row in update.rows()]
    bits = [row.abs().sum() / row.detach().abs().mean().clamp(min=0.5) for row in rows]
    return torch.stack(bits).sum() / math.log(2)


def numbers_of(updates: list[LayerUpdate]) -> Numbers:
    """What the file has of them, rounded and within its limits."""
    rows = []
    for update in updates:
        rows += [row.detach().clamp(-GAIN_LIMIT, GAIN_LIMIT) for row in (update.outputs, update.inputs)]
        rows.append(update.biases.detach().clamp(-BIAS_LIMIT, BIAS_LIMIT).flatten())
    return torch.cat(rows).round().to(torch.int16).numpy()
