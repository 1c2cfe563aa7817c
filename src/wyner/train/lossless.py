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

from ..nn.lossless import Lossless, Sizes
from .lossless_data import Batch, Crops

HELD_OUT = 16
"""One picture in so many, by name, is not trained on and measures progress."""


def split_files(folder: Path) -> tuple[list[Path], list[Path]]:
    """The pictures of a folder and those below it: to train on, and to measure with."""
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".png", ".webp", ".jpg", ".jpeg"))
    return [p for i, p in enumerate(files) if i % HELD_OUT], files[::HELD_OUT]


def rate(progress: float, steps: int, peak: float) -> float:
    """Learning rate: up over 300 steps, then a cosine to nothing at progress 1."""
    return peak * min(1.0, (steps + 1) / 300) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def loss_of(bits: Tensor, batch: Batch) -> Tensor:
    """Bits per sub-pixel of whole pictures, from the bits (B, 3) of a batch."""
    samples = batch.pixels.shape[-1] * batch.pixels.shape[-2] * 3 * 0.75
    return (bits.sum(1) * batch.weight).mean() / samples


class Trainer:
    """AdamW on random crops until the time or the steps are over; ``state`` lets it go on."""

    def __init__(self, crops: Crops, held_out: Crops, args: argparse.Namespace) -> None:
        torch.manual_seed(args.seed)
        self.device = args.device
        self.network = Lossless(Sizes()).to(self.device)
        if args.device != "cpu":
            self.network = self.network.to(memory_format=torch.channels_last)
        decayed = [p for p in self.network.parameters() if p.ndim == 4]
        plain = [p for p in self.network.parameters() if p.ndim != 4]
        self.optimiser = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": 1e-3}, {"params": plain, "weight_decay": 0.0}],
            lr=args.rate, betas=(0.9, 0.99), fused=args.device != "cpu",
        )
        self.crops, self.held_out, self.args = crops, held_out, args
        self.step, self.spent = 0, 0.0
        self.dtype = torch.float32 if args.device == "cpu" else torch.bfloat16

    def state(self) -> dict[str, object]:
        return {
            "step": self.step, "spent": self.spent,
            "network": self.network.state_dict(), "optimiser": self.optimiser.state_dict(),
        }

    def resume(self, state: dict[str, Any]) -> None:
        self.step, self.spent = state["step"], state["spent"]
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])

    def bits(self, batch: Batch) -> Tensor:
        found: Tensor = self.network(batch.pixels, batch.level, self.dtype)
        return found

    def train_step(self, progress: float) -> Tensor:
        batch = self.crops.batch(self.step, self.args.batch)
        for group in self.optimiser.param_groups:
            group["lr"] = rate(progress, self.step, self.args.rate)
        self.optimiser.zero_grad(set_to_none=True)
        loss = loss_of(self.bits(batch), batch)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        return loss.detach()

    @torch.no_grad()
    def measure(self, batches: int = 8) -> dict[str, object]:
        """Bits per sub-pixel of held-out pictures: of all, and of Y, Co, Cg."""
        total = torch.zeros(3, device=self.device)
        for number in range(batches):
            batch = self.held_out.batch(number, self.args.batch)
            samples = batch.pixels.shape[-1] ** 2 * 0.75
            total += (self.bits(batch) * batch.weight[:, None]).mean(0) / samples / batches
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
            if trainer.step % 50 == 0:
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
    parser.add_argument("--few", type=int, default=0)
    args = parser.parse_args()
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = True
    args.out.mkdir(parents=True, exist_ok=True)
    files, held_out = split_files(args.data)
    if args.few:
        files, held_out = files[:: len(files) // args.few], held_out[:: max(1, len(held_out) // 6)]
    trainer = Trainer(
        Crops(files, args.device, size=args.size, seed=args.seed),
        Crops(held_out, args.device, size=args.size, seed=args.seed + 1), args,
    )
    checkpoint = args.out / "checkpoint.pt"
    if checkpoint.exists():
        trainer.resume(torch.load(checkpoint, map_location=args.device, weights_only=True))
    train(trainer, args.out, args)


if __name__ == "__main__":
    main()
