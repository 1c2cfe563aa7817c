"""Pack trainings into one archive: weights in half precision, the log and the configuration of each.

    python tools/pack_runs.py models.tar.xz RUN...

A run without a checkpoint is left out; of those called base-... only what tells of them is kept. The archive
is replaced in one rename.
"""

from __future__ import annotations

import io
import sys
import tarfile
from pathlib import Path

import torch

from wyner.nn import safetensors
from wyner.train.loop import CHECKPOINT, LOG


def half_weights(checkpoint: Path) -> bytes:
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    tensors = {name: tensor.half().numpy() for name, tensor in state["model"].items()}
    return safetensors.write(tensors, {"step": str(state["step"]), "seconds": str(state["seconds"])})


def main(target: Path, runs: list[Path]) -> None:
    part = target.with_suffix(".part")
    with tarfile.open(part, "w:xz", preset=1) as archive:
        for run in runs:
            if not (run / CHECKPOINT).exists():
                continue
            members = {name: (run / name).read_bytes() for name in (LOG, "config.json")}
            if not run.name.startswith("base-"):
                members["weights.safetensors"] = half_weights(run / CHECKPOINT)
            for name, data in members.items():
                member = tarfile.TarInfo(f"{run.name}/{name}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    part.replace(target)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
