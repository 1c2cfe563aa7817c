"""Training of the models of ``wyner.nn.learned``: what is minimised, and how a configuration says so."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..nn.entropy import Mode
from ..nn.learned import LearnedCodec, ModelConfig
from ..nn.perceptual import LpipsDistance, MsSsim
from .config import from_table
from .loop import Draw, Loop, LoopSettings, join_ranks
from .pictures import Crops, read_pictures


@dataclass(frozen=True)
class LossConfig:
    """lambda * rate + MSE + beta * (1 - MS-SSIM) + gamma * LPIPS, with lambda drawn for each crop.

    Rate is in bits per pixel, MSE that of samples in 0..1. quantiser: what the synthesis sees while training,
    "noise" or "straight" (see ``wyner.nn.entropy``). crop: pixels a side, at least 161 with beta.
    half_precision: transforms in bfloat16, on devices other than the CPU.
    """

    beta: float = 0.0
    gamma: float = 0.0
    quantiser: Mode = "noise"
    crop: int = 256
    half_precision: bool = True


@dataclass(frozen=True)
class LearnedConfig:
    """A whole training; a TOML file has one table for each field."""

    model: ModelConfig
    loss: LossConfig
    loop: LoopSettings

    @staticmethod
    def of(tables: dict[str, Any]) -> LearnedConfig:
        """From the tables of a file. Raises UsageError for names and values that do not fit."""
        return from_table(LearnedConfig, tables)


class Objective:
    """The loss of one step, on random crops at random rates."""

    def __init__(self, model: LearnedCodec, crops: Crops, loss: LossConfig, device: torch.device) -> None:
        """Raises UnavailableError if gamma is not 0 and the weights of LPIPS are missing."""
        self.model, self.crops, self.loss, self.device = model, crops, loss, device
        self.ms_ssim = MsSsim().to(device) if loss.beta else None
        self.lpips = LpipsDistance(device) if loss.gamma else None
        low, high = model.config.lambda_range
        self.octaves = math.log2(low), math.log2(high)

    def __call__(self, draw: Draw) -> dict[str, Tensor]:
        """Means over this rank's crops of the loss and of its terms."""
        x = self.crops.batch(draw).contiguous(memory_format=torch.channels_last)
        lam = self._lambdas(draw)
        out = self.model(x, lam, self.loss.quantiser)
        rate = out.bits / x[0, 0].numel()
        mse = (out.x_hat - x).square().mean((1, 2, 3))
        terms = {"bpp": rate, "mse": mse}
        loss = lam * rate + mse
        if self.ms_ssim is not None:
            terms["ms_ssim"] = self.ms_ssim(out.x_hat, x)
            loss = loss + self.loss.beta * (1 - terms["ms_ssim"])
        if self.lpips is not None:
            terms["lpips"] = self.lpips(out.x_hat, x)
            loss = loss + self.loss.gamma * terms["lpips"]
        # The loss is about lambda^0.4 along a codec's curve; with the root all rates count much alike.
        middle = 2.0 ** (sum(self.octaves) / 2)
        terms["loss"] = loss / (lam * middle).sqrt()
        return {name: values.mean() for name, values in terms.items()}

    def _lambdas(self, draw: Draw) -> Tensor:
        low, high = self.octaves
        drawn = low + (high - low) * draw.rng.random(draw.batch)[draw.rows]
        return torch.from_numpy(drawn).float().to(self.device).exp2()


def train(
    config: LearnedConfig,
    data: list[Path],
    folder: Path,
    *,
    device: str = "cpu",
    start: Path | None = None,
    tensorboard: bool = False,
    report: Any = None,
) -> LearnedCodec:
    """Train in a folder, which keeps config.json, the checkpoint and the log; returns the model.

    data: folders and tar shards of pictures. start: checkpoint of a model of these sizes to begin with.
    report: called with each line of the log. Raises as ``read_pictures``, ``Loop`` and ``Objective``.
    """
    place = join_ranks(device)
    torch.backends.cudnn.benchmark = True  # shapes never change
    torch.manual_seed(config.loop.seed)
    model = LearnedCodec(config.model).to(place)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    model.half_precision = config.loss.half_precision and place.type != "cpu"
    crops = Crops(read_pictures(data, config.loss.crop), config.loss.crop, place)
    objective = Objective(model, crops, config.loss, place)
    loop = Loop(model, objective, config.loop, folder, start=start, tensorboard=tensorboard)
    if loop.rank == 0:
        (folder / "config.json").write_text(json.dumps(dataclasses.asdict(config), indent=2) + "\n")
    loop.run(report)
    return model
