"""Training of the models of ``wyner.nn.learned``: what is minimised, and how a configuration says so."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import UsageError, describe
from ..metrics.lpips import MIN_SIDE as LPIPS_SIDE
from ..metrics.ms_ssim import MIN_SIDE as MS_SSIM_SIDE
from ..nn import safetensors
from ..nn.entropy import Mode
from ..nn.frozen import model_file
from ..nn.learned import LearnedCodec, ModelConfig
from ..nn.perceptual import LpipsDistance, MsSsim
from .config import from_table
from .folder import CHECKPOINT, last_line, load_weights, read_checkpoint, read_tables, write_config
from .loop import Draw, Loop, LoopSettings, join_ranks
from .pictures import Crops, read_pictures
from .recorded import Inputs
from .sheet import sheet

SHEET_CROPS = 6
PACKED = "weights.safetensors"
"""What tools/pack_runs.py leaves in the place of a checkpoint."""


@dataclass(frozen=True)
class LossConfig:
    """lambda * rate + MSE + beta * (1 - MS-SSIM) + gamma * LPIPS, with lambda drawn for each crop.

    Rate is in bits per pixel, MSE that of samples in 0..1. quantiser: what the synthesis sees while training,
    "noise" or "straight" (see ``wyner.nn.entropy``). crop: pixels a side, at least 161 with beta and 17 with
    gamma. half_precision: transforms in bfloat16, on devices other than the CPU.
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

    def inputs(self, draw: Draw) -> Inputs:
        """x (rows, 3, size, size) and lambda (rows)."""
        x = self.crops.batch(draw).contiguous(memory_format=torch.channels_last)
        return x, self._lambdas(draw)

    def __call__(self, inputs: Inputs) -> dict[str, Tensor]:
        """Means over the crops of the loss and of its terms."""
        x, lam = inputs
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
    report: Callable[[dict[str, Any]], None] | None = None,
) -> LearnedCodec:
    """Train in a folder; returns the model.

    The folder keeps config.json, the checkpoint, the log, and sheet.png, made anew at lines 1, 2, 4, 8, ...
    of the log: some crops and what the codec makes of them, for an early look at where it goes.

    data: folders and tar shards of pictures. start: checkpoint of a model of these sizes to begin with.
    report: called with each line of the log. Raises as ``read_pictures``, ``Loop`` and ``Objective``, and
    UsageError for a crop that does not fit.
    """
    _check_crop(config)
    place = join_ranks(device)
    torch.backends.cudnn.benchmark = True  # shapes never change
    torch.manual_seed(config.loop.seed)
    model = LearnedCodec(config.model).to(place)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    model.half_precision = config.loss.half_precision and place.type != "cpu"
    crops = Crops(read_pictures(data, config.loss.crop), config.loss.crop, place)
    objective = Objective(model, crops, config.loss, place)
    loop = Loop(model, objective, config.loop, folder, start=start, tensorboard=tensorboard, record=True)
    if loop.rank == 0:
        write_config(folder, config)
    seen = crops.batch(Draw(np.random.default_rng(0), SHEET_CROPS, slice(0, SHEET_CROPS)))

    def look(line: dict[str, Any]) -> None:
        number = line["step"] // config.loop.log_every
        if number & (number - 1) == 0:
            sheet(model, seen).save(folder / "sheet.png")
        if report is not None:
            report(line)

    loop.run(look)
    return model


def _check_crop(config: LearnedConfig) -> None:
    loss, multiple = config.loss, config.model.multiple
    least = max(multiple, MS_SSIM_SIDE if loss.beta else 0, LPIPS_SIDE if loss.gamma else 0)
    if loss.crop % multiple or loss.crop < least:
        raise UsageError(
            f"loss.crop must be a multiple of {multiple}, and here at least {least}, not {loss.crop}"
        )


def restore(folder: Path) -> LearnedCodec:
    """The model that a run has come to.

    folder: with config.json and a checkpoint, or weights.safetensors in its place, as tools/pack_runs.py
    leaves it. Raises UsageError when something is missing.
    """
    return _restored(folder)[0]


def export(folder: Path, note: str = "") -> bytes:
    """The file of the model (docs/spec/learned.md, section 2) that a run has come to.

    folder: as of ``restore``, with its log. note: for its card, such as what it was trained on. Raises
    UsageError when something is missing, and as ``freeze``.
    """
    model, step = _restored(folder)
    tables = read_tables(folder)
    about = {name: tables[name] for name in ("loss", "loop")} | {"last": last_line(folder, step)}
    about |= {"lambda_range": list(model.config.lambda_range), "note": note}
    return model_file(model, about)


def _restored(folder: Path) -> tuple[LearnedCodec, int]:
    """The model, and the step that its weights are of."""
    model = LearnedCodec(LearnedConfig.of(read_tables(folder)).model)
    path = folder / CHECKPOINT
    if path.exists():
        state = read_checkpoint(path)
        weights, step = state["model"], state["step"]
    else:
        path = folder / PACKED
        try:
            arrays, metadata = safetensors.read(path.read_bytes())
        except OSError as error:
            raise UsageError(f"{folder} is not the folder of a run: {describe(error)}") from None
        weights = {name: torch.from_numpy(array.astype(np.float32)) for name, array in arrays.items()}
        step = int(metadata["step"])
    load_weights(model, weights, path)
    return model, step
