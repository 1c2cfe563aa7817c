"""Training of the network of the lossless codec, and of the variant that it is measured against."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from .. import _native
from ..codecs.lossless.model import pack, unpack
from ..errors import CorruptError, UsageError
from ..nn.lossless import Lossless, Sizes
from ..nn.lossless_export import flat, sizes_of
from ..nn.lossless_plain import Plain
from .config import from_table
from .folder import CHECKPOINT, is_run_of, last_line, load_weights, read_checkpoint, read_tables, write_config
from .loop import Draw, Loop, LoopSettings, join_ranks
from .lossless_data import LEVEL_ODDS, Batch, Crops, read_sources
from .recorded import Inputs

MULTIPLE = 8
"""What the sides of crops are multiples of."""
CODED_PART = 0.75
"""Of a level's samples, those that the network codes; the others are the next level."""


@dataclass(frozen=True)
class ModelConfig:
    """network: "lossless", the codec's, of these ``sizes``, or "plain" (``wyner.nn.lossless_plain``)."""

    network: Literal["lossless", "plain"] = "lossless"
    sizes: Sizes = field(default_factory=Sizes)


@dataclass(frozen=True)
class TrainConfig:
    """only: train the parameters whose names begin so, such as "trunks". crop: pixels a side, multiple of 8.

    coarse_chroma: the part of crops at full resolution that get chroma of half the resolution, as most
    pictures of the world have had. measured: batches of held-out crops in a measurement. half_precision:
    layers in bfloat16, on devices other than the CPU.
    """

    only: str = ""
    crop: int = 128
    coarse_chroma: float = 0.4
    measured: int = 8
    half_precision: bool = True


@dataclass(frozen=True)
class LosslessConfig:
    """A whole training; a TOML file has one table for each field."""

    model: ModelConfig
    train: TrainConfig
    loop: LoopSettings

    @staticmethod
    def of(tables: dict[str, Any]) -> LosslessConfig:
        """From the tables of a file. Raises UsageError for names and values that do not fit."""
        return from_table(LosslessConfig, tables)


def make_network(config: ModelConfig) -> Lossless | Plain:
    """A network before training, from PyTorch's generator."""
    return Lossless(config.sizes) if config.network == "lossless" else Plain()


class Objective:
    """Bits per sub-pixel of random crops, each level weighed by its part of a picture's samples."""

    def __init__(
        self, network: Lossless | Plain, crops: Crops, held_out: Crops, config: LosslessConfig
    ) -> None:
        self.network, self.crops, self.held_out, self.config = network, crops, held_out, config
        half = config.train.half_precision and crops.device.type != "cpu"
        self.dtype = torch.bfloat16 if half else torch.float32
        self.part = CODED_PART if isinstance(network, Lossless) else 1.0

    def inputs(self, draw: Draw) -> Inputs:
        """This rank's crops."""
        return self.crops.batch(draw)

    def __call__(self, inputs: Inputs) -> dict[str, Tensor]:
        """Means over crops, the fields of a ``Batch``: of all samples, and of those of Y, Co and Cg."""
        y, co, cg = self._rates(Batch(*inputs))
        return {"loss": (y + co + cg) / 3, "y": y, "co": co, "cg": cg}

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        """The same of held-out pictures, always of the same crops."""
        total = torch.zeros(3, device=self.crops.device)
        batch, count = self.config.loop.batch, self.config.train.measured
        for number in range(count):
            draw = Draw(np.random.default_rng((self.config.loop.seed, number)), batch, slice(0, batch))
            total += self._rates(self.held_out.batch(draw)) / count
        names = ("held_out_y", "held_out_co", "held_out_cg")
        return {"held_out_bpsp": float(total.mean()), **dict(zip(names, total.tolist(), strict=True))}

    def _rates(self, batch: Batch) -> Tensor:
        """Bits per sub-pixel (3)."""
        samples = batch.pixels[0, 0].numel() * self.part
        bits: Tensor = self.network(batch.pixels, batch.level, self.dtype)
        return (bits * batch.weight[:, None]).mean(0) / samples


def train(
    config: LosslessConfig,
    data: list[Path],
    folder: Path,
    *,
    device: str = "cpu",
    start: Path | None = None,
    tensorboard: bool = False,
    report: Callable[[dict[str, Any]], None] | None = None,
) -> Lossless | Plain:
    """Train in a folder, which keeps config.json, the checkpoint and the log; returns the network.

    data: folders and tar shards of pictures, one in ``HELD_OUT`` of which only measures. start: checkpoint of
    a network of these sizes whose weights to begin with. report: called with each line of the log. Raises as
    ``read_sources``, ``Crops`` and ``Loop``, and UsageError for settings that do not fit.
    """
    if config.train.crop < MULTIPLE or config.train.crop % MULTIPLE:
        raise UsageError(f"train.crop must be a multiple of {MULTIPLE}, not {config.train.crop}")
    place = join_ranks(device)
    torch.backends.cudnn.benchmark = True  # shapes never change
    torch.manual_seed(config.loop.seed)
    network = make_network(config.model).to(place)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if start is not None:
        load_weights(network, read_checkpoint(start, place)["model"], start)
    _freeze_others(network, config.train.only)
    objective = Objective(network, *_crops(config, data, place), config)
    loop = Loop(network, objective, config.loop, folder, measure=objective.measure, tensorboard=tensorboard)
    if loop.rank == 0:
        write_config(folder, config)
    loop.run(report)
    return network


def _crops(config: LosslessConfig, data: list[Path], device: torch.device) -> tuple[Crops, Crops]:
    """To train on, and held out: these as they are."""
    trained, held_out = read_sources(data)
    odds = LEVEL_ODDS if config.model.network == "lossless" else (1.0,)
    size = config.train.crop
    return (
        Crops(trained, size, device, odds=odds, coarse_chroma=config.train.coarse_chroma),
        Crops(held_out, size, device, odds=odds),
    )


def _freeze_others(network: nn.Module, only: str) -> None:
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name.startswith(only))
    if not any(parameter.requires_grad for parameter in network.parameters()):
        parts = ", ".join(name for name, _ in network.named_children())
        raise UsageError(f"no parameter's name begins with {only!r}; there are: {parts}")


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a run of this training."""
    return is_run_of("network", folder)


def restore(folder: Path) -> Lossless | Plain:
    """The network that a run has come to. Raises UsageError when something is missing."""
    return _restored(folder)[2]


def export(folder: Path, note: str = "") -> tuple[bytes, str]:
    """The file of the network (docs/spec/lossless.md, section 9) that a run has come to, and its card, JSON.

    note: for the card, such as what it was trained on. Raises UsageError when something is missing, when the
    network is not that of the codec, and when its integers would be too large.
    """
    tables, state, network = _restored(folder)
    if not isinstance(network, Lossless):
        raise UsageError("this network is for measurements; no codec takes it")
    try:
        data = pack(sizes_of(network), *flat(network))
        _native.LosslessModel(*unpack(data))
    except (ValueError, CorruptError) as error:
        raise UsageError(f"no decoder can hold this network: {error}") from None
    card = {
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "sizes": dataclasses.asdict(network.sizes),
        "note": note,
        "steps": state["step"],
        "minutes": round(state["seconds"] / 60, 1),
        "last": last_line(folder, state["step"]),
        **{name: tables[name] for name in ("train", "loop")},
    }
    return data, json.dumps(card, indent=2) + "\n"


def _restored(folder: Path) -> tuple[dict[str, Any], dict[str, Any], Lossless | Plain]:
    """The tables of the configuration, what the checkpoint holds, and the network."""
    tables = read_tables(folder)
    state = read_checkpoint(folder / CHECKPOINT)
    network = make_network(LosslessConfig.of(tables).model)
    load_weights(network, state["model"], folder / CHECKPOINT)
    return tables, state, network
