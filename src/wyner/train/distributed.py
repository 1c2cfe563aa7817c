"""Training of the models of ``wyner.nn.distributed`` and ``dsin``: configuration, loss and measurement.

The loss is (R_x + lambda D_x) + alpha (R_y + lambda D_y) + beta R_w (Mital et al., DCC 2022, equation 4),
here divided by lambda and with lambda of each sample of a batch drawn from the range of the model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ..errors import UsageError
from ..metrics.ms_ssim import MIN_SIDE as MS_SSIM_SIDE
from ..nn.distributed import GREY, Output, SideModelConfig
from ..nn.entropy import Mode
from ..nn.perceptual import MsSsim
from ..nn.side_models import make_model, side_model_file
from .config import from_table
from .folder import CHECKPOINT, is_run_of, load_weights, read_checkpoint, read_tables, write_config
from .loop import Draw, Loop, LoopSettings, join_ranks
from .recorded import Inputs
from .stereo import PairCrops, Source, load_source

Distance = Callable[[Tensor, Tensor], Tensor]
Pairs = list[list[Tensor]]
"""Of each pair of pictures its versions, uint8 (6, H, W)."""
SIDES = ("right", "wrong", "none")
"""What a measurement gives a decoder for y: the true one, that of the next pair, a grey one."""


@dataclass(frozen=True)
class LossConfig:
    """alpha, beta: of the loss above. distortion: D, the mean square error of samples in 0..1, or
    1 - MS-SSIM, for which crops need 161 rows and columns. refined: the part of D_x that is of the refined
    picture in models that refine a base; the rest is of the base. quantiser: see ``wyner.nn.entropy``.

    crop: rows and columns. wrong, without: parts of the samples, in 0..1, whose y is that of another sample,
    or grey; with without = 1 the network is trained as one that has no side information. jitter: of
    brightness, see ``PairCrops``.
    """

    alpha: float = 1.0
    beta: float = 1e-3
    distortion: Literal["mse", "ms_ssim"] = "mse"
    refined: float = 0.7
    quantiser: Mode = "straight"
    crop: tuple[int, int] = (128, 256)
    wrong: float = 0.0
    without: float = 0.0
    jitter: float = 0.0


@dataclass(frozen=True)
class DistributedConfig:
    """A whole training; a TOML file has one table for each field, and an array of tables for ``sources``."""

    model: SideModelConfig
    loss: LossConfig
    loop: LoopSettings
    sources: tuple[Source, ...]

    @staticmethod
    def of(tables: dict[str, Any]) -> DistributedConfig:
        """From the tables of a file. Raises UsageError for names and values that do not fit."""
        return from_table(DistributedConfig, tables)


class Objective:
    """The loss of one step, on random crops at random rates."""

    def __init__(self, model: nn.Module, crops: PairCrops, config: DistributedConfig) -> None:
        self.model, self.crops, self.loss = model, crops, config.loss
        self.distance = make_distance(config.loss, next(model.parameters()).device)
        self.octaves = [math.log2(lam) for lam in config.model.lambda_range]

    def inputs(self, draw: Draw) -> Inputs:
        """x and y (rows, 3, H, W) and lambda (rows)."""
        x, y = self.crops.batch(draw)
        low, high = self.octaves
        drawn = low + (high - low) * draw.rng.random(draw.batch)[draw.rows]
        return x, y, torch.from_numpy(drawn).to(x).exp2()

    def __call__(self, inputs: Inputs) -> dict[str, Tensor]:
        """Means over the crops of the loss and of its terms."""
        x, y, lam = inputs
        low, high = self.octaves
        output = self.model(x, y, lam, self.loss.quantiser)
        terms = losses(output, x, y, lam, self.loss, self.distance)
        # As in ``wyner.train.learned``: all rates count much alike.
        terms["loss"] = terms["loss"] / (lam * 2.0 ** ((low + high) / 2)).sqrt()
        return {name: values.mean() for name, values in terms.items()}


def make_distance(loss: LossConfig, device: torch.device) -> Distance:
    """D of two batches (B, 3, H, W) of samples in 0..1, for each sample: (B)."""
    if loss.distortion == "mse":
        return _square_error
    similarity = MsSsim().to(device)
    return lambda a, b: 1 - similarity(a, b)


def losses(
    output: Output, x: Tensor, y: Tensor, lam: Tensor, loss: LossConfig, distance: Distance
) -> dict[str, Tensor]:
    """The "loss" of each sample (B), and what it is made of: "bpp", D by its name and, of some models, the
    same of the base and of y ("base_mse", "y_mse"), "y_bpp" and "w_bpp"."""
    pixels, name = x[0, 0].numel(), loss.distortion
    terms = {"bpp": output.bits_x / pixels, name: distance(output.x_hat, x)}
    distortion = terms[name]
    if output.base is not None:
        terms[f"base_{name}"] = distance(output.base, x)
        distortion = loss.refined * distortion + (1 - loss.refined) * terms[f"base_{name}"]
    total = lam * terms["bpp"] + distortion
    if output.y_hat is not None and output.bits_y is not None and output.bits_w is not None:
        terms["y_bpp"], terms["w_bpp"] = output.bits_y / pixels, output.bits_w / pixels
        terms[f"y_{name}"] = distance(output.y_hat, y)
        total = total + loss.alpha * (lam * terms["y_bpp"] + terms[f"y_{name}"])
        total = total + loss.beta * lam * terms["w_bpp"]
    return {"loss": total, **terms}


def load_sources(config: DistributedConfig, root: Path) -> Pairs:
    """The pairs of all sources. Raises as ``load_source``."""
    return [versions for source in config.sources for versions in load_source(source, root)]


def make_loop(
    config: DistributedConfig,
    root: Path,
    folder: Path,
    *,
    device: str = "cpu",
    start: Path | None = None,
    tensorboard: bool = False,
    pairs: Pairs | None = None,
) -> Loop:
    """A training in a folder, which keeps config.json, the checkpoint and the log; see ``train``.

    pairs: what ``load_sources`` has read, for several trainings on the same.
    """
    _check_crop(config)
    place = join_ranks(device)
    torch.backends.cudnn.benchmark = True  # shapes never change
    torch.manual_seed(config.loop.seed)
    model = make_model(config.model).to(place)
    if place.type == "cuda":
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if pairs is None:
        pairs = load_sources(config, root)
    loss = config.loss
    crops = PairCrops(
        pairs, loss.crop, place, wrong=loss.wrong, without=loss.without, jitter=loss.jitter
    )  # fmt: skip
    objective = Objective(model, crops, config)
    loop = Loop(model, objective, config.loop, folder, start=start, tensorboard=tensorboard, record=True)
    if loop.rank == 0:
        write_config(folder, config)
    return loop


def _check_crop(config: DistributedConfig) -> None:
    multiple = config.model.codec.multiple
    least = max(multiple, MS_SSIM_SIDE if config.loss.distortion == "ms_ssim" else 0)
    if any(side % multiple or side < least for side in config.loss.crop):
        raise UsageError(
            f"loss.crop must be of multiples of {multiple}, and here of at least {least}, "
            f"not {config.loss.crop[0]}x{config.loss.crop[1]}"
        )


def train(
    config: DistributedConfig,
    root: Path,
    folder: Path,
    *,
    device: str = "cpu",
    start: Path | None = None,
    tensorboard: bool = False,
    report: Callable[[dict[str, Any]], None] | None = None,
) -> nn.Module:
    """Train in a folder; returns the model.

    root: what the paths of the sources are relative to. start: checkpoint of a model of these sizes to begin
    with. report: called with each line of the log. Raises as ``load_source``, ``PairCrops``, ``make_model``
    and ``Loop``, and UsageError for a crop that does not fit.
    """
    loop = make_loop(config, root, folder, device=device, start=start, tensorboard=tensorboard)
    loop.run(report)
    return loop.model


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a run of a distributed model."""
    return is_run_of("kind", folder)


def export(folder: Path, note: str = "") -> bytes:
    """The file of the model (docs/spec/distributed.md, section 2) that a run has come to.

    note: for its card, such as what it was trained on. Raises UsageError when something is missing, and as
    ``side_model_file``.
    """
    tables = read_tables(folder)
    config = DistributedConfig.of(tables)
    model = make_model(config.model)
    state = read_checkpoint(folder / CHECKPOINT)
    load_weights(model, state["model"], folder / CHECKPOINT)
    about = {name: tables[name] for name in ("loss", "loop", "sources")}
    about |= {"steps": state["step"], "seconds": state["seconds"], "note": note}
    return side_model_file(model, config.model, about)


@torch.no_grad()
def measure(
    model: nn.Module, pairs: Sequence[tuple[str, Tensor]], lambdas: Sequence[float]
) -> Iterator[dict[str, Any]]:
    """Estimated rates and PSNR: a row for each picture, lambda and entry of ``SIDES``.

    pairs: names, and uint8 (6, H, W) whose sides the model takes. "bpp" is of likelihoods, no file; "psnr_db"
    is of x_hat rounded to 8 bits. The model is left in evaluation mode.
    """
    model.eval()
    device = next(model.parameters()).device
    pictures = [(name, both[None].to(device).float() / 255) for name, both in pairs]
    for index, (name, both) in enumerate(pictures):
        x, y = both.split(3, 1)
        wrong = pictures[(index + 1) % len(pictures)][1][:, 3:]
        for lam in lambdas:
            for side, given in zip(SIDES, (y, wrong, torch.full_like(y, GREY)), strict=True):
                output = model(x, given, torch.full((1,), lam, device=device), "round")
                error = float(_square_error(torch.round(output.x_hat.clamp(0, 1) * 255) / 255, x))
                yield {
                    "image": name,
                    "lambda": lam,
                    "side": side,
                    "bpp": float(output.bits_x) / x[0, 0].numel(),
                    "psnr_db": -10 * math.log10(max(error, 1e-12)),
                }


def _square_error(a: Tensor, b: Tensor) -> Tensor:
    """The mean over each sample of a batch: (B)."""
    return (a - b).square().mean((1, 2, 3))
