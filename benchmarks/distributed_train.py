"""Trains the models of `wyner train distributed` that the benchmarks compare, all at once, and measures them.

    python benchmarks/distributed_train.py --data $WYNER_DATA --out runs --device cuda --minutes 8
    python benchmarks/distributed_train.py --data $WYNER_DATA --out runs --only ndic,ndic-none --batch 8

Each run is a process of its own; "-none" runs are the same networks without y. Every minute and at the end
OUT/runs.tar.xz is made anew: of each run NAME its config.json and log.jsonl, NAME/weights.pt (of those to
--keep, the parameters that coding needs, in half precision) and, when all are done, NAME/measured.jsonl
(estimated rates, PSNR and the side picture that was given, for the pictures of the test and validation sets).
Runs in --work that were interrupted go on.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import torch

from wyner.nn.side_models import make_model
from wyner.train import distributed
from wyner.train.loop import CHECKPOINT, LOG
from wyner.train.stereo import find_pairs, load, split

RUNS = {
    "ndic": ("ndic", []),
    "ndic-none": ("ndic", ["loss.without=1"]),
    "aligned": ("ndic-aligned", []),
    "aligned-none": ("ndic-aligned", ["loss.without=1"]),
    "dsin": ("dsin", []),
    "ndic-balle2018": ("ndic-balle2018", []),
    "ndic-balle2018-none": ("ndic-balle2018", ["loss.without=1"]),
    "attention": ("ndic-attention", []),
    "ndic-seed1": ("ndic", ["loop.seed=1"]),
    "ndic-a0b0": ("ndic", ["loss.alpha=0", "loss.beta=0"]),
}
KEEP = "ndic,ndic-none,aligned,aligned-none,dsin,attention"
TRAINING_ONLY = ("g_ay.", "g_sy.", "latents_y.", "prior_w.")
LEVELS = 6
HELD_OUT = 5


def start(name: str, arguments: argparse.Namespace) -> subprocess.Popen[bytes]:
    preset, changes = RUNS[name]
    command = [sys.executable, "-m", "wyner", "train", "distributed", "--config", preset]
    command += ["--data", arguments.data, "-o", str(Path(arguments.work) / name)]
    command += ["--device", arguments.device, "--minutes", str(arguments.minutes)]
    for change in [*changes, f"loop.batch={arguments.batch}", *arguments.changes]:
        command += ["-x", change]
    with (Path(arguments.work) / f"{name}.err").open("ab") as errors:
        return subprocess.Popen(command, stderr=errors, env={**os.environ, "OMP_NUM_THREADS": "1"})


def load_model(folder: Path, device: str) -> tuple[torch.nn.Module, distributed.DistributedConfig]:
    config = distributed.DistributedConfig.of(json.loads((folder / "config.json").read_text()))
    model = make_model(config.model).to(device)
    model.load_state_dict(torch.load(folder / CHECKPOINT, map_location=device, weights_only=True)["model"])
    return model, config


def measure(name: str, arguments: argparse.Namespace) -> None:
    """OUT/NAME/measured.jsonl of the weights as they are stored, in half precision."""
    folder = Path(arguments.work) / name
    model, config = load_model(folder, arguments.device)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.half().float())
    stereo = Path(arguments.data) / "stereo" / "kitti2012_128x256"
    sets = {
        "test": find_pairs("flat", stereo / "test"),
        "validation": split(find_pairs("flat", stereo / "train"), HELD_OUT)[1],
    }
    low, high = config.model.lambda_range
    lambdas = [high * (low / high) ** (level / (LEVELS - 1)) for level in range(LEVELS)]
    rows = []
    for part, pairs in sets.items():
        pictures = [(pair.scene, load(pair)) for pair in pairs]
        rows += [{"set": part, **row} for row in distributed.measure(model, pictures, lambdas)]
    (folder / "measured.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def pack(names: list[str], arguments: argparse.Namespace) -> None:
    """OUT/runs.tar.xz, in one rename."""
    part = Path(arguments.out) / "runs.tar.xz.part"
    with tarfile.open(part, "w:xz") as tar:
        for name in names:
            folder = Path(arguments.work) / name
            for kept in ("config.json", LOG, "measured.jsonl"):
                if (folder / kept).exists():
                    tar.add(folder / kept, f"{name}/{kept}")
            if name in arguments.keep.split(",") and (folder / CHECKPOINT).exists():
                add_weights(tar, folder / CHECKPOINT, f"{name}/weights.pt")
    part.rename(Path(arguments.out) / "runs.tar.xz")


def add_weights(tar: tarfile.TarFile, checkpoint: Path, name: str) -> None:
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    kept = {k: v.half() for k, v in state["model"].items() if not k.startswith(TRAINING_ONLY)}
    data = io.BytesIO()
    torch.save({"step": state["step"], "seconds": state["seconds"], "model": kept}, data)
    info = tarfile.TarInfo(name)
    info.size = data.tell()
    data.seek(0)
    tar.addfile(info, data)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--work", help="folder of the runs (default: OUT)")
    parser.add_argument("--only", default=",".join(RUNS))
    parser.add_argument("--keep", default=KEEP)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("-x", dest="changes", action="append", default=[])
    arguments = parser.parse_args()
    arguments.work = arguments.work or arguments.out
    for folder in (arguments.work, arguments.out):
        Path(folder).mkdir(parents=True, exist_ok=True)
    names = arguments.only.split(",")
    running = {name: start(name, arguments) for name in names}
    packed = time.monotonic()
    tries = dict.fromkeys(names, 3)
    while any(process.poll() is None for process in running.values()):
        time.sleep(1)
        for name, process in running.items():
            if process.poll() not in (None, 0) and tries[name] > 0:
                tries[name] -= 1
                running[name] = start(name, arguments)  # from its checkpoint
        if time.monotonic() - packed > 60:
            pack(names, arguments)
            packed = time.monotonic()
    pack(names, arguments)
    for name, process in running.items():
        if process.returncode == 0:
            measure(name, arguments)
    pack(names, arguments)


if __name__ == "__main__":
    main()
