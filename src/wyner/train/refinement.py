"""Training of the network of docs/spec/refine.md, section 6, in PyTorch (extra ``torch``).

The network sees, of pictures coded by this package, what ``refinement.network_inputs`` makes of right side
pictures and, every few steps, of those of other pairs, from which it learns what not to trust. The loss is
the mean square error over that of the decoded picture, so that all rates count alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..codecs.base import Pixels
from ..codecs.side.refinement import INPUTS, Layer, colour_planes, grade, network_inputs

UNIT = 1024.0
"""Integers of planes and activations for 1 of the floating-point network."""
MOST_SHIFT = 12
WRONG_EVERY = 4
"""One step in so many is on wrong side pictures."""


@dataclass(frozen=True, eq=False)
class Example:
    """A crop of a picture.

    change: (3, H, W), what its planes lack. right, wrong: (INPUTS, H, W), what the network is given with the
    right and with a wrong side picture. level, error: those of the whole picture; error is the mean square
    in R, G and B of what it lacks, in 8-bit steps.
    """

    change: npt.NDArray[np.int16]
    right: npt.NDArray[np.int16]
    wrong: npt.NDArray[np.int16]
    level: int
    error: float


class Network(nn.Module):
    """3x3 layers on planes of half the size; those in the middle add to what they are given."""

    def __init__(self, channels: int = 24, middle: int = 5) -> None:
        super().__init__()
        sizes = [4 * INPUTS + 1, *[channels] * (middle + 1), 12]
        layers = [nn.Conv2d(a, b, 3, padding=1, padding_mode="replicate") for a, b in pairwise(sizes)]
        nn.init.zeros_(layers[-1].weight)
        assert layers[-1].bias is not None
        nn.init.zeros_(layers[-1].bias)
        self.layers = nn.ModuleList(layers)

    def forward(self, planes: Tensor, level: Tensor) -> Tensor:
        """planes (B, INPUTS, H, W), H and W even, and level (B), over UNIT: the change (B, 3, H, W)."""
        halves = F.pixel_unshuffle(planes, 2)
        state = torch.cat([halves, level.view(-1, 1, 1, 1).expand(-1, 1, *halves.shape[2:])], 1)
        first, *middle, last = self.layers
        state = F.relu(first(state))
        for layer in middle:
            state = F.relu(layer(state) + state)
        return F.pixel_shuffle(last(state), 2)

    def integers(self) -> list[Layer]:
        """The layers as docs/spec/refine.md has them, each of the largest shift that cannot overflow."""
        found = []
        for index, layer in enumerate(self.layers):
            weights, biases = (p.detach().double().numpy().copy() for p in layer.parameters())
            if 0 < index < len(self.layers) - 1:
                weights[range(len(weights)), range(len(weights)), 1, 1] += 1
            found.append(_integer_layer(weights, biases))
        return found


def _integer_layer(weights: npt.NDArray[np.float64], biases: npt.NDArray[np.float64]) -> Layer:
    for shift in range(MOST_SHIFT, -1, -1):
        w, b = np.rint(weights * 2.0**shift), np.rint(biases * UNIT * 2.0**shift)
        largest = 32768 * np.abs(w).sum((1, 2, 3)) + np.abs(b) + 2.0**shift
        if largest.max() < 2**31 and np.abs(w).max() <= 32767:
            return w.astype(np.int16), b.astype(np.int32), shift
    raise ValueError("weights of this network are too large for integers")


def square_error(change: Tensor) -> Tensor:
    """Mean square in R, G and B, in 8-bit steps, of changes (B, 3, H, W) of planes over UNIT: (B)."""
    y, co, cg = change[:, 0], change[:, 1], change[:, 2]
    squares = (y - cg / 2 + co / 2) ** 2 + (y + cg / 2) ** 2 + (y - cg / 2 - co / 2) ** 2
    return squares.mean((1, 2)) / 3 * (UNIT * 255 / 4096) ** 2


def examples_of(
    original: Pixels, decoded: Pixels, right: Pixels, wrong: Pixels, payload_bytes: int, crop: int, seed: int
) -> list[Example]:
    """Crops of one picture, about one for each 128x256 pixels, at most five; none if nothing was matched.

    All pictures (H, W, 3). crop: their side, less where the picture is smaller, even.
    """
    given = network_inputs(decoded, right, payload_bytes, least_valid=0)
    other = network_inputs(decoded, wrong, payload_bytes, least_valid=0)
    if given is None or other is None:
        return []
    change = (colour_planes(original) - colour_planes(decoded)).astype(np.int16)
    level = grade(given, payload_bytes)
    height, width = decoded.shape[:2]
    rows, columns = (min(crop, size) // 2 * 2 for size in (height, width))
    rng = np.random.default_rng(seed)
    error = max(float(square_error(torch.from_numpy(change[None].astype(np.float32)) / UNIT)), 1e-3)
    found = []
    for _ in range(min(5, max(1, height * width // (128 * 256)))):
        r, c = int(rng.integers(0, height - rows + 1)), int(rng.integers(0, width - columns + 1))
        cut = [a[:, r : r + rows, c : c + columns].copy() for a in (change, given, other)]
        found.append(Example(cut[0], cut[1], cut[2], level, error))
    return found


class Trainer:
    """Adam with a one-cycle schedule (Smith and Topin 2019) on random patches; ``state`` lets it go on."""

    def __init__(
        self, groups: Sequence[Sequence[Example]], steps: int, *, rate: float = 3e-3, seed: int = 0
    ) -> None:
        """groups: batches take of each alike, as many."""
        torch.manual_seed(seed)
        self.network = Network()
        self.groups = groups
        self.steps = steps
        self.step = 0
        self.optimiser = torch.optim.Adam(self.network.parameters(), rate)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser, rate, total_steps=steps, pct_start=0.1
        )
        self.seed = seed

    def state(self) -> dict[str, object]:
        """All that a later ``resume`` needs."""
        return {
            "step": self.step,
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
        }

    def resume(self, state: dict[str, object]) -> None:
        """Go on from the ``state`` of a trainer with the same arguments."""
        self.step = state["step"]  # type: ignore[assignment]
        self.network.load_state_dict(state["network"])  # type: ignore[arg-type]
        self.optimiser.load_state_dict(state["optimiser"])  # type: ignore[arg-type]
        self.schedule.load_state_dict(state["schedule"])  # type: ignore[arg-type]

    def run(
        self, until: int, report: Callable[[int, float], None], *, batch: int = 8, patch: int = 96
    ) -> None:
        """Train to step ``until``. report: called with each step's number and loss."""
        while self.step < min(until, self.steps):
            rng = np.random.default_rng((self.seed, self.step))
            loss = self._loss(self._batch(rng, batch, patch))
            self.optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            self.optimiser.step()
            self.schedule.step()
            self.step += 1
            report(self.step, loss.item())

    def _batch(
        self, rng: np.random.Generator, batch: int, patch: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        wrong = self.step % WRONG_EVERY == WRONG_EVERY - 1
        rows, chosen = [], []
        for k in range(batch):
            group = self.groups[k % len(self.groups)]
            example = group[int(rng.integers(len(group)))]
            planes = np.concatenate([example.change, example.wrong if wrong else example.right])
            r, c = (int(rng.integers(0, size - patch + 1)) for size in planes.shape[1:])
            planes = planes[:, r : r + patch, c : c + patch]
            rows.append(planes[:, :: rng.choice([1, -1]), :: rng.choice([1, -1])])
            chosen.append(example)
        stacked = torch.from_numpy(np.stack(rows).astype(np.float32) / UNIT)
        levels = torch.tensor([e.level / UNIT for e in chosen])
        errors = torch.tensor([e.error for e in chosen])
        return stacked[:, :3], stacked[:, 3:], levels, errors

    def _loss(self, batch: tuple[Tensor, Tensor, Tensor, Tensor]) -> Tensor:
        change, planes, levels, errors = batch
        return (square_error(change - self.network(planes, levels)) / errors).mean()
