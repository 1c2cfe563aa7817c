"""Training of the lossless codec's network: ``python -m wyner.train.lossless --help``."""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..nn.lossless import Lossless
from ..nn.lossless_plain import Plain
from .lossless_data import LEVEL_ODDS, Batch, Crops
from .muon import Muon

HELD_OUT = 16
"""One picture in so many, by name, is not trained on and measures progress."""

WARM_UP = 200
"""Steps in which the learning rate rises."""
WARM_STEPS = 3
"""Steps before a graph is recorded, in which libraries choose their kernels."""


def split_files(folder: Path) -> tuple[list[Path], list[Path]]:
    """The pictures of a folder and those below it: to train on, and to measure with."""
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".png", ".webp", ".jpg", ".jpeg"))
    return [p for i, p in enumerate(files) if i % HELD_OUT], files[::HELD_OUT]


def rate(progress: float, steps: int, peak: float) -> float:
    """Learning rate: up over WARM_UP steps, then a cosine to nothing at progress 1."""
    return peak * min(1.0, (steps + 1) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


MODELS = {"lossless": (Lossless, LEVEL_ODDS, 0.75), "plain": (Plain, (1.0,), 1.0)}
"""Of each model: its class, how often it sees each level, and the part of a level's samples that it codes."""


class Trainer:
    """AdamW on random crops until the time or the steps are over; ``state`` lets it go on."""

    def __init__(self, crops: Crops, held_out: Crops, args: argparse.Namespace) -> None:
        torch.manual_seed(args.seed)
        self.device = args.device
        on_gpu = args.device != "cpu"
        self.dtype = torch.bfloat16 if on_gpu else torch.float32
        kind, _, self.part = MODELS[args.model]
        self.network: nn.Module = kind().to(self.device)
        if on_gpu:
            self.network = self.network.to(memory_format=torch.channels_last)
        if args.start is not None:
            self.network.load_state_dict(torch.load(args.start, map_location=self.device, weights_only=True)["network"])
        for name, parameter in self.network.named_parameters():
            parameter.requires_grad_(name.startswith(args.only))
        trained = [p for p in self.network.parameters() if p.requires_grad]
        decayed, plain = [p for p in trained if p.ndim == 4], [p for p in trained if p.ndim != 4]
        start = torch.tensor(args.rate, device=self.device) if on_gpu else args.rate
        self.optimisers: list[torch.optim.Optimizer] = []
        if args.muon:
            self.optimisers.append(Muon(decayed, start))
            decayed = []
        self.optimisers.append(
            torch.optim.AdamW(
                [{"params": decayed, "weight_decay": 1e-3}, {"params": plain, "weight_decay": 0.0}],
                lr=start.clone() if isinstance(start, Tensor) else start,
                betas=(0.9, 0.99),
                capturable=on_gpu,
            )
        )
        self.crops, self.held_out, self.args = crops, held_out, args
        self.step, self.spent = 0, 0.0
        self.graph: torch.cuda.CUDAGraph | None = None

    def state(self) -> dict[str, object]:
        return {
            "step": self.step,
            "spent": self.spent,
            "network": self.network.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
        }

    def resume(self, state: dict[str, Any]) -> None:
        self.step, self.spent = state["step"], state["spent"]
        self.network.load_state_dict(state["network"])
        for optimiser, kept in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(kept)

    def rates(self, batch: Batch) -> Tensor:
        """Bits per sub-pixel (B, 3), of Y, Co and Cg."""
        samples = batch.pixels.shape[-1] * batch.pixels.shape[-2] * self.part
        bits: Tensor = self.network(batch.pixels, batch.level, self.dtype)
        return bits / samples

    def _update(self, batch: Batch) -> Tensor:
        self.network.zero_grad(set_to_none=True)
        loss = (self.rates(batch) * batch.weight[:, None]).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        for optimiser in self.optimisers:
            optimiser.step()
        return loss.detach()

    def _set_rate(self, value: float) -> None:
        for group in (group for optimiser in self.optimisers for group in optimiser.param_groups):
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(value)
            else:
                group["lr"] = value

    def train_step(self, progress: float) -> Tensor:
        """One step; on a GPU the third and later ones replay a recorded graph, which has no launches to wait for."""
        batch = self.crops.batch(self.step, self.args.batch)
        self._set_rate(rate(progress, self.step, self.args.rate))
        if self.args.graph and self.graph is None and self.step >= WARM_STEPS:
            self._record(batch)
        if self.graph is None:
            loss = self._update(batch)
        else:
            for into, new in zip(self.given, (batch.pixels, batch.level, batch.weight), strict=True):
                into.copy_(new)
            self.graph.replay()
            loss = self.loss
        self.step += 1
        return loss

    def _record(self, batch: Batch) -> None:
        self.given = (batch.pixels.clone(), batch.level.clone(), batch.weight.clone())
        static = Batch(*self.given)
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(2):
                self._update(static)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.loss = self._update(static)
        self.graph = graph

    @torch.no_grad()
    def measure(self, batches: int = 8) -> dict[str, object]:
        """Bits per sub-pixel of held-out pictures: of all, and of Y, Co, Cg."""
        total = torch.zeros(3, device=self.device)
        for number in range(batches):
            batch = self.held_out.batch(number, self.args.batch)
            total += (self.rates(batch) * batch.weight[:, None]).mean(0) / batches
        return {"held_out_bpsp": float(total.mean()), "channels": [round(float(t), 4) for t in total]}


def save(path: Path, state: dict[str, object]) -> None:
    torch.save(state, path.with_suffix(".part"))
    os.replace(path.with_suffix(".part"), path)


def train(trainer: Trainer, out: Path, args: argparse.Namespace) -> None:
    began, limit = time.monotonic(), args.minutes * 60
    before = trainer.spent
    marked, recent = time.monotonic(), []
    with (out / "log.jsonl").open("a") as log:
        while trainer.spent < limit and trainer.step < args.steps:
            progress = max(trainer.spent / limit, trainer.step / args.steps)
            loss = trainer.train_step(progress)
            if trainer.step % 20 == 0:
                recent.append(float(loss))
            trainer.spent = before + time.monotonic() - began
            if time.monotonic() - marked > args.every or trainer.spent >= limit or trainer.step == args.steps:
                marked = time.monotonic()
                line = {
                    "step": trainer.step, "seconds": round(trainer.spent, 1),
                    "loss": sum(recent) / len(recent) if recent else float(loss), **trainer.measure(),
                }
                recent = []
                print(json.dumps(line), file=log, flush=True)
                print(json.dumps(line), flush=True)
                save(out / "checkpoint.pt", trainer.state())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=sorted(MODELS), default="lossless")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--steps", type=int, default=10**9)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--every", type=float, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--muon", action="store_true")
    parser.add_argument("--graph", action="store_true")
    parser.add_argument("--start", type=Path, help="a checkpoint whose weights to begin with")
    parser.add_argument("--only", default="", help="train only the parameters whose names begin so")
    parser.add_argument("--few", type=int, default=0)
    args = parser.parse_args()
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = True
    args.out.mkdir(parents=True, exist_ok=True)
    files, held_out = split_files(args.data)
    if args.few:
        files, held_out = files[:: len(files) // args.few], held_out[:: max(1, len(held_out) // 6)]
    odds = MODELS[args.model][1]
    trainer = Trainer(
        Crops(files, args.device, size=args.size, seed=args.seed, odds=odds),
        Crops(held_out, args.device, size=args.size, seed=args.seed + 1, odds=odds),
        args,
    )
    checkpoint = args.out / "checkpoint.pt"
    if checkpoint.exists():
        trainer.resume(torch.load(checkpoint, map_location=args.device, weights_only=True))
    train(trainer, args.out, args)


if __name__ == "__main__":
    main()
