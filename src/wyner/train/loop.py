"""The training loop of all models: checkpoints, an exact resume, a log, and several processes.

Everything random in a step follows from (seed, step), so that on a CPU a training of so many steps that was
interrupted ends with the very weights of one that was not; with a limit of minutes the learning rate follows
the clock, and it does not. Under torchrun the ranks share each batch, and the curve is that of
one process with the same batch, up to the order in which sums are taken. On a GPU a process of its own
records a step once (``wyner.train.recorded``) and then repeats it: the launches of small networks' thousand
kernels take longer than the kernels.
"""

from __future__ import annotations

import atexit
import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from ..errors import UnavailableError, UsageError, describe
from ..io import write_atomic
from .folder import CHECKPOINT, LOG, load_weights, read_checkpoint, read_log
from .muon import Muon
from .recorded import Inputs, Recorded


@dataclass(frozen=True)
class LoopSettings:
    """How to train.

    steps: the most. minutes: of training, over all resumes; None for no limit. batch: samples of a step over
    all ranks. optimiser: "muon" is Muon for weights (out, in, k, k) and Adam for others. momenta: of Adam.
    weight_decay: what such weights lose in a step of Adam, over the rate (Loshchilov and Hutter 2019). rate:
    reached after ``warmup`` steps; from the fraction ``decay_from`` of the training (of steps or of minutes,
    whichever is further) it falls linearly to 0. clip: the largest gradient norm. log_every: steps.
    measure_every: steps, a multiple of log_every, between lines of the log with what the model is measured
    to be; the last line has it always. keep_seconds: the least time between checkpoints.

    Raises UsageError for values out of range.
    """

    steps: int
    batch: int = 8
    optimiser: Literal["adam", "muon"] = "adam"
    momenta: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    rate: float = 1e-3
    warmup: int = 200
    decay_from: float = 0.5
    clip: float = 1.0
    seed: int = 0
    minutes: float | None = None
    log_every: int = 50
    measure_every: int = 500
    keep_seconds: float = 30.0

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "log_every", "measure_every"):
            if getattr(self, name) < 1:
                raise UsageError(f"loop.{name} must be at least 1, not {getattr(self, name)}")
        for name in ("weight_decay", "rate", "clip"):
            if not 0 <= getattr(self, name) < math.inf:
                raise UsageError(f"loop.{name} must be a number of at least 0, not {getattr(self, name)}")
        if not all(0 <= momentum < 1 for momentum in self.momenta):
            raise UsageError(f"loop.momenta must be in 0..1, and below 1, unlike {self.momenta}")
        if not 0 <= self.seed < 2**63:
            raise UsageError(f"loop.seed must be in 0..2^63 - 1, not {self.seed}")
        if self.minutes is not None and not self.minutes > 0:
            raise UsageError(f"loop.minutes must be above 0, not {self.minutes}")


@dataclass(frozen=True)
class Draw:
    """What is random in a step.

    rng: from (seed, step), alike on all ranks. PyTorch's generators are seeded from these as well. batch:
    samples of all ranks. rows: those of this rank.
    """

    rng: np.random.Generator
    batch: int
    rows: slice


class Objective(Protocol):
    """What is minimised."""

    def inputs(self, draw: Draw) -> Inputs:
        """What is drawn in a step, for this rank: on the device, and of the same shapes in each step."""
        ...

    def __call__(self, inputs: Inputs) -> dict[str, Tensor]:
        """The means over this rank's samples of what is logged; "loss" among them is what is minimised.

        Where a step is recorded, nothing in here may depend on values, but on tensors alone.
        """
        ...


Measure = Callable[[], dict[str, float]]
"""What else is logged now and then; called on rank 0 alone."""


def join_ranks(device: str) -> torch.device:
    """The device of this process: under torchrun, one of a group that is formed here.

    Raises UsageError for a device that is not there.
    """
    cuda = device.startswith("cuda")
    alone = int(os.environ.get("WORLD_SIZE", "1")) == 1
    place = _device(device if alone or not cuda else f"cuda:{os.environ['LOCAL_RANK']}")
    if alone:
        if cuda and place.index is not None:
            torch.cuda.set_device(place)  # where steps are recorded
        return place
    if not dist.is_initialized():
        # The first optimiser imports this, and it keeps a group that is there by then: the group's threads
        # would live on, and end the process if they free a tensor once the interpreter is gone.
        import_module("torch._dynamo")

        dist.init_process_group("nccl" if cuda else "gloo")
        atexit.register(dist.destroy_process_group)
    return place


def _device(name: str) -> torch.device:
    try:
        place = torch.device(name)
        torch.empty(1, device=place)  # a name alone does not ask whether it is there
    except (RuntimeError, AssertionError) as error:  # the latter of a PyTorch that was built without it
        raise UsageError(f"there is no device {name!r} here: {describe(error)}") from None
    return place


class Loop:
    """A training in a folder that holds its checkpoint and log; if they are there it goes on."""

    def __init__(
        self,
        model: nn.Module,
        objective: Objective,
        settings: LoopSettings,
        folder: Path,
        *,
        measure: Measure | None = None,
        start: Path | None = None,
        tensorboard: bool = False,
        record: bool = False,
    ) -> None:
        """model: on its device. start: a checkpoint whose weights and moments to begin with. record: whether
        steps can be recorded, on a GPU.

        Raises UsageError for a batch that the ranks cannot share, and for a checkpoint that is not of this
        model, these trained parameters and this optimiser.
        """
        self.model, self.objective, self.settings, self.folder = model, objective, settings, folder
        self.measure = measure
        self.ranks, self.rank = (dist.get_world_size(), dist.get_rank()) if dist.is_initialized() else (1, 0)
        if settings.batch % self.ranks:
            raise UsageError(f"a batch of {settings.batch} cannot be shared by {self.ranks} processes")
        self.names = [name for name, p in model.named_parameters() if p.requires_grad]
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.device = self.parameters[0].device
        self.recorded = record and self.device.type == "cuda" and self.ranks == 1
        self._update_by = Recorded(self._update) if self.recorded else self._update
        self.optimisers = self._optimisers()
        self.step, self.seconds = 0, 0.0
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / CHECKPOINT).exists():
            self._load(folder / CHECKPOINT, resume=True)
        elif start is not None:
            self._load(start, resume=False)
        if self.ranks > 1:
            for parameter in self.parameters:
                dist.broadcast(parameter.data, 0)
        self._board = _tensorboard(folder, self.step) if tensorboard and self.rank == 0 else None

    def run(self, report: Callable[[dict[str, Any]], None] | None = None) -> None:
        """Train to the last step or minute. report: called on rank 0 with each line of the log.

        Raises FloatingPointError when the loss or a weight is no longer finite; the checkpoint is from before
        that.
        """
        self.begin()
        while self.advance(report):
            pass

    def begin(self) -> None:
        """To be called before the first ``advance``: the clock starts here."""
        self._begun, self._kept = time.monotonic() - self.seconds, time.monotonic()
        self._sums: dict[str, Tensor] = {}
        self._logged = self.step
        if self.rank == 0:
            _cut_log(self.folder, self.step)
        self._done = self._progress()

    def advance(self, report: Callable[[dict[str, Any]], None] | None = None) -> bool:
        """One step of ``run``; whether there are more. Several trainings can so take turns on one device."""
        if self._done < 1:
            for name, value in self._one_step(self._done).items():
                self._sums[name] = self._sums[name] + value if name in self._sums else value.clone()
            self.step += 1
            self.seconds = time.monotonic() - self._begun
            self._done = self._progress()
            if self.step % self.settings.log_every == 0 or self._done >= 1:
                self._look(report)
        if self._done >= 1:
            self.keep()
        return self._done < 1

    def _look(self, report: Callable[[dict[str, Any]], None] | None) -> None:
        """A line of the log, and a checkpoint when it is time for one."""
        measured = self.step % self.settings.measure_every == 0 or self._done >= 1
        line = self._log(self._sums, self.step - self._logged, measured)
        self._sums, self._logged = {}, self.step
        if report is not None and self.rank == 0:
            report(line)
        if self._done < 1 and time.monotonic() - self._kept >= self.settings.keep_seconds:
            self.keep()
            self._kept = time.monotonic()

    def keep(self) -> None:
        """Write the checkpoint, in one rename.

        Raises FloatingPointError, and leaves the one that is there, when a weight is not finite: a loss that
        is tells nothing of the step that it led to.
        """
        if not torch.stack([parameter.isfinite().all() for parameter in self.parameters]).all():
            raise FloatingPointError(f"a weight is not finite after step {self.step}")
        if self.rank == 0:
            state = {
                "step": self.step,
                "seconds": self.seconds,
                "model": self.model.state_dict(),
                "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
                "trained": self.names,
            }
            part = self.folder / f"{CHECKPOINT}.part"
            torch.save(state, part)
            part.replace(self.folder / CHECKPOINT)
        if self._board is not None:
            self._board.flush()

    def _optimisers(self) -> list[torch.optim.Optimizer]:
        """Muon for the weights of convolutions if the settings say so, Adam for what remains."""
        settings = self.settings
        filters = [p for p in self.parameters if p.ndim == 4]
        groups: list[dict[str, Any]] = [{"params": [p for p in self.parameters if p.ndim != 4]}]
        muon = settings.optimiser == "muon" and bool(filters)
        if not muon:
            groups.append({"params": filters, "weight_decay": settings.weight_decay})
        adam = torch.optim.AdamW(groups, settings.rate, settings.momenta, weight_decay=0.0)
        optimisers: list[torch.optim.Optimizer] = [adam]
        if muon:
            optimisers.append(Muon(filters, settings.rate))
        for optimiser in optimisers:
            self._fit_to_device(optimiser)
        return optimisers

    def _fit_to_device(self, optimiser: torch.optim.Optimizer) -> None:
        """What of an optimiser, or of a checkpoint of one, is not of the training but of the device."""
        for group in optimiser.param_groups:
            # A recorded step reads its learning rate from the device.
            rate = float(group["lr"])
            group["lr"] = torch.full((), rate, device=self.device) if self.recorded else rate
            if "fused" in group:
                group["fused"] = True if self.device.type == "cuda" else None
                group["foreach"], group["capturable"] = None, self.recorded

    def _load(self, path: Path, resume: bool) -> None:
        state = read_checkpoint(path, self.device)
        load_weights(self.model, state["model"], path)
        if state.get("trained", self.names) != self.names:  # checkpoints once did not tell
            raise UsageError(f"{path} is of a training of other parameters")
        try:
            for optimiser, kept in zip(self.optimisers, state["optimisers"], strict=True):
                optimiser.load_state_dict(kept)
                self._fit_to_device(optimiser)
        except (ValueError, KeyError):
            raise UsageError(f"{path} is of another optimiser, or of one of other parameters") from None
        if resume:
            self.step, self.seconds = state["step"], state["seconds"]

    def _progress(self) -> float:
        done = self.step / self.settings.steps
        if self.settings.minutes is None:
            return done
        done = max(done, self.seconds / (60 * self.settings.minutes))
        if self.ranks == 1:
            return done
        agreed = torch.tensor(done, dtype=torch.float64, device=self.device)
        dist.broadcast(agreed, 0)  # clocks differ
        return float(agreed)

    def _one_step(self, progress: float) -> dict[str, Tensor]:
        settings = self.settings
        seed = np.random.SeedSequence((settings.seed, self.step))
        torch.manual_seed(int(seed.generate_state(1)[0]))
        share = settings.batch // self.ranks
        rows = slice(self.rank * share, (self.rank + 1) * share)
        inputs = self.objective.inputs(Draw(np.random.default_rng(seed), settings.batch, rows))
        rate = settings.rate * min(1.0, (self.step + 1) / max(settings.warmup, 1))
        if progress > settings.decay_from:
            rate *= (1 - progress) / (1 - settings.decay_from)
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                if isinstance(group["lr"], Tensor):
                    group["lr"].fill_(rate)
                else:
                    group["lr"] = rate
        return self._update_by(inputs)

    def _update(self, inputs: Inputs) -> dict[str, Tensor]:
        """Of the parameters, along the gradient; returns what is logged."""
        means = self.objective(inputs)
        for parameter in self.parameters:
            parameter.grad = None
        means["loss"].backward()  # type: ignore[no-untyped-call]
        self._average_gradients()
        nn.utils.clip_grad_norm_(self.parameters, self.settings.clip)
        for optimiser in self.optimisers:
            optimiser.step()
        return {name: value.detach() for name, value in means.items()}

    def _average_gradients(self) -> None:
        """Over the ranks, in one message: the models are small."""
        if self.ranks == 1:
            return
        grads = [p.grad for p in self.parameters if p.grad is not None]
        flat = torch.cat([grad.flatten() for grad in grads])
        dist.all_reduce(flat)
        flat /= self.ranks
        for grad, part in zip(grads, flat.split([grad.numel() for grad in grads]), strict=True):
            grad.copy_(part.view_as(grad))

    def _log(self, sums: dict[str, Tensor], steps: int, measured: bool) -> dict[str, Any]:
        """A line with the means of the steps since the last one."""
        values = torch.stack([value.double() for value in sums.values()]) / steps
        if self.ranks > 1:
            dist.all_reduce(values)
            values /= self.ranks
        means = dict(zip(sums, values.tolist(), strict=True))
        if not math.isfinite(means["loss"]):
            raise FloatingPointError(f"the loss is not finite near step {self.step}")
        if measured and self.measure is not None and self.rank == 0:
            means |= self.measure()
        line = {"step": self.step, "seconds": round(self.seconds, 2), **means}
        if self.rank == 0:
            with (self.folder / LOG).open("a", encoding="utf-8") as log:
                log.write(json.dumps(line) + "\n")
        if self._board is not None:
            for name, value in means.items():
                self._board.add_scalar(name, value, self.step)
        return line


def _cut_log(folder: Path, step: int) -> None:
    """Drop what the log tells of later steps: these are done again."""
    if (folder / LOG).exists():
        kept = [json.dumps(line) + "\n" for line in read_log(folder) if line["step"] <= step]
        write_atomic(folder / LOG, "".join(kept).encode(), overwrite=True)


def _tensorboard(folder: Path, step: int) -> Any:
    """A writer that takes back what was logged of later steps: these are done again."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise UnavailableError("TensorBoard's log needs: pip install 'wyner[tensorboard]'") from None
    return SummaryWriter(str(folder), purge_step=step + 1)  # type: ignore[no-untyped-call]
