"""Trains the models of `wyner train distributed` that the benchmarks compare, several at once.

    python benchmarks/distributed_train.py --data $WYNER_DATA --out runs --device cuda --minutes 8
    python benchmarks/distributed_train.py --data $WYNER_DATA --out runs --groups ndic,ndic-none --batch 8

Runs with "-none" are the same networks without y. Runs of a group, between commas, are trained by one process
that takes a step of each in turn, so that they come to as many steps; groups, between blanks, by processes of
their own. A group's time is the same for all of it, and at its end all learning rates are 0. Now and then and
at the end OUT/runs_K.tar of each group K is made anew: of each run NAME its config.json and log.jsonl and
NAME/weights.pt, the parameters that coding needs, in half precision. Interrupted runs in --work go on.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import torch

from wyner.train.config import read_config
from wyner.train.distributed import DistributedConfig, load_sources, make_loop
from wyner.train.loop import CHECKPOINT, LOG, Loop

RUNS = {
    "ndic": ("ndic", []),
    "ndic-none": ("ndic", ["loss.without=1"]),
    "ndic-seed1": ("ndic", ["loop.seed=1"]),
    "ndic-none-seed1": ("ndic", ["loss.without=1", "loop.seed=1"]),
    "ndic-seed2": ("ndic", ["loop.seed=2"]),
    "ndic-none-seed2": ("ndic", ["loss.without=1", "loop.seed=2"]),
    "ndic-a0b0": ("ndic", ["loss.alpha=0", "loss.beta=0"]),
    "ndic-a1b1": ("ndic", ["loss.beta=1"]),
    "ndic-a0b1": ("ndic", ["loss.alpha=0", "loss.beta=1"]),
    "ndic-balle2018": ("ndic-balle2018", []),
    "ndic-balle2018-none": ("ndic-balle2018", ["loss.without=1"]),
    "ndic-attention": ("ndic-attention", []),
    "ndic-attention-none": ("ndic-attention", ["loss.without=1"]),
    "ndic-aligned": ("ndic-aligned", []),
    "ndic-aligned-none": ("ndic-aligned", ["loss.without=1"]),
    "dsin": ("dsin", []),
}
TRAINING_ONLY = ("g_ay.", "g_sy.", "latents_y.", "prior_w.")
PACK_SECONDS = 120


def train_group(names: list[str], arguments: argparse.Namespace) -> None:
    """A step of each in turn, each on its own stream of the device, until all are at their end."""
    cuda = arguments.device.startswith("cuda")
    streams = [torch.cuda.Stream() if cuda else None for _ in names]
    loops: list[Loop] = []
    of_all_presets = DistributedConfig.of(read_config("ndic", []))
    pairs = load_sources(of_all_presets, Path(arguments.data))
    for name, stream in zip(names, streams, strict=True):
        preset, changes = RUNS[name]
        changes = [*changes, f"loop.minutes={arguments.minutes}", f"loop.batch={arguments.batch}"]
        given = [tuple(change.split("=", 1)) for change in [*changes, *arguments.changes]]
        config = DistributedConfig.of(read_config(preset, given))
        with on(stream):
            folder = Path(arguments.work) / name
            loop = make_loop(config, Path(arguments.data), folder, device=arguments.device, pairs=pairs)
        loops.append(loop)
    for loop in loops:
        loop.begin()
    turns = list(zip(loops, streams, strict=True))
    while turns:
        kept = []
        for loop, stream in turns:
            with on(stream):
                try:
                    if loop.advance():
                        kept.append((loop, stream))
                except FloatingPointError as error:  # the others go on
                    print(f"{loop.folder.name}: {error}", file=sys.stderr)
        turns = kept


def on(stream: torch.cuda.Stream | None) -> contextlib.AbstractContextManager[object]:
    return torch.cuda.stream(stream) if stream is not None else contextlib.nullcontext()


def pack(names: list[str], work: Path, to: Path) -> None:
    """A tar of runs, in one rename."""
    part = to.with_suffix(".part")
    with tarfile.open(part, "w") as tar:
        for name in names:
            for kept in ("config.json", LOG):
                if (work / name / kept).exists():
                    add(tar, (work / name / kept).read_bytes(), f"{name}/{kept}")
            if (work / name / CHECKPOINT).exists():
                add(tar, coding_weights(work / name / CHECKPOINT), f"{name}/weights.pt")
    part.rename(to)


def coding_weights(checkpoint: Path) -> bytes:
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    kept = {k: v.half() for k, v in state["model"].items() if not k.startswith(TRAINING_ONLY)}
    data = io.BytesIO()
    torch.save({"step": state["step"], "seconds": state["seconds"], "model": kept}, data)
    return data.getvalue()


def add(tar: tarfile.TarFile, data: bytes, name: str) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--work", help="folder of the runs (default: OUT)")
    parser.add_argument("--groups", nargs="+", default=[",".join(RUNS)])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("-x", dest="changes", action="append", default=[])
    arguments = parser.parse_args()
    arguments.work = arguments.work or arguments.out
    groups = [group.split(",") for group in arguments.groups]
    if len(groups) == 1:
        train_group(groups[0], arguments)
        pack(groups[0], Path(arguments.work), Path(arguments.out) / "runs_0.tar")
        return
    supervise(groups, arguments)


def supervise(groups: list[list[str]], arguments: argparse.Namespace) -> None:
    """Each group in a process of its own; one that fails begins again, from its checkpoints."""
    out, work = Path(arguments.out), Path(arguments.work)
    own = [sys.executable, __file__, "--data", arguments.data, "--device", arguments.device]
    own += ["--minutes", str(arguments.minutes), "--batch", str(arguments.batch)]
    own += [word for change in arguments.changes for word in ("-x", change)]

    def start(k: int) -> subprocess.Popen[bytes]:
        (out / f"group_{k}").mkdir(parents=True, exist_ok=True)
        places = ["--out", str(out / f"group_{k}"), "--work", str(work)]
        with (out / f"group_{k}.err").open("ab") as errors:
            return subprocess.Popen([*own, *places, "--groups", ",".join(groups[k])], stderr=errors)

    running = [start(k) for k in range(len(groups))]
    tries = [2] * len(groups)
    packed = time.monotonic()
    while True:
        time.sleep(1)
        for k, process in enumerate(running):
            if process.poll() not in (None, 0) and tries[k] > 0:
                tries[k] -= 1
                running[k] = start(k)
        if all(process.poll() is not None for process in running):
            break
        if time.monotonic() - packed > PACK_SECONDS:
            for k, names in enumerate(groups):
                pack(names, work, out / f"runs_{k}.tar")
            packed = time.monotonic()
    for k, names in enumerate(groups):
        pack(names, work, out / f"runs_{k}.tar")
    failed = [",".join(names) for names, process in zip(groups, running, strict=True) if process.returncode]
    if failed:
        sys.exit(f"these failed: {' '.join(failed)}")


if __name__ == "__main__":
    main()
