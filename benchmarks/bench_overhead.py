"""What `wyner bench run` costs for each task beside the work that the task is about.

    python benchmarks/bench_overhead.py            # writes benchmarks/results/bench_overhead.json

Tasks (JPEG at 100 or 20 qualities, two made pictures) run from an empty folder: planning, hashing, executor,
files and records with their fsync. The same reading, encoding, decoding and squared errors in a bare loop are
subtracted; "inline_memory" asks for the peak of memory as well. Rounds alternate, and the least of each way
counts: other programs may run beside this one. Core time is this process's only, and leaves out what a worker
does. A worker's start, with its imports, is a figure of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from wyner import io, metrics
from wyner.batch.executor import Executor, InlineExecutor
from wyner.batch.local import LocalExecutor
from wyner.batch.manifest import Manifest
from wyner.bench import measure, registry
from wyner.bench.experiment import parse
from wyner.bench.plan import make_plan
from wyner.bench.run import execute, pending
from wyner.bench.task import DECODES
from wyner.image import Image

RESULTS = Path(__file__).resolve().parent / "results"
CODEC = "jpeg_444"
SIZES = (((16, 16), 1), ((512, 768), 5))
"""(height, width), and of which qualities every so many are made."""


def make_pictures(folder: Path, height: int, width: int) -> list[Path]:
    """Two smooth pictures as PNG files."""
    y, x = np.mgrid[0:height, 0:width]
    paths = []
    for index in range(2):
        waves = [127 + 60 * np.sin(x / (9 + c) + index) + 50 * np.cos(y / (7 + 2 * c)) for c in range(3)]
        paths.append(folder / f"{index}.png")
        io.write(paths[-1], Image.from_array(np.dstack(waves).clip(0, 255).astype(np.uint8)))
    return paths


def bare(paths: list[Path], qualities: list[int]) -> None:
    """The work of all tasks and nothing else."""
    codec = registry.by_name(CODEC)
    for path in paths:
        for quality in qualities:
            pixels = io.read(path).pixels
            data = codec.encode(pixels, {"quality": quality}, None, 1)
            decoded, _, _ = measure.timed(lambda data=data: codec.decode(data, None, 1), DECODES)
            metrics.mse(pixels, decoded)


def pipeline(
    paths: list[Path], qualities: list[int], executor: Executor, wanted: tuple[str, ...] = ()
) -> None:
    """All tasks through plan, executor and records, in a fresh folder."""
    with tempfile.TemporaryDirectory() as name:
        run = Path(name)
        table: dict[str, Any] = {
            "name": "overhead",
            "images": [str(path) for path in paths],
            "metrics": [*wanted],
        }
        table["codecs"] = [{"name": CODEC, "quality": qualities}]
        tasks = pending(make_plan(parse(table, run), run).tasks, run)
        with closing(Manifest(run / "records-1-of-1.jsonl")) as log:
            done = list(execute(tasks, executor, log, 64))
        assert len(done) == len(paths) * len(qualities) and not any("error" in record for record in done)


def seconds(call: Callable[[], Any]) -> tuple[float, float]:
    """Wall and core seconds."""
    wall, core = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - core


def measure_size(folder: Path, size: tuple[int, int], qualities: list[int], rounds: int) -> dict[str, Any]:
    """Milliseconds a task, for one size of pictures."""
    paths = make_pictures(folder, *size)
    tasks = len(paths) * len(qualities)
    with closing(LocalExecutor(1)) as local:
        start_s, _ = seconds(lambda: (local.submit(sorted, []), local.wait()))
        pipeline(paths, qualities, local)  # the worker's imports
        ways: dict[str, Callable[[], Any]] = {
            "bare": lambda: bare(paths, qualities),
            "inline": lambda: pipeline(paths, qualities, InlineExecutor()),
            "inline_memory": lambda: pipeline(paths, qualities, InlineExecutor(), ("memory",)),
            "worker": lambda: pipeline(paths, qualities, local),
        }
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                times[name].append(seconds(way))
    wall = {name: 1000 * min(w for w, _ in values) / tasks for name, values in times.items()}
    core = {name: 1000 * min(c for _, c in values) / tasks for name, values in times.items()}
    return {
        "size": [size[1], size[0]],
        "tasks": tasks,
        "wall_ms_per_task": {name: round(value, 3) for name, value in wall.items()},
        "core_ms_per_task": {name: round(value, 3) for name, value in core.items()},
        "overhead_wall_ms": {name: round(wall[name] - wall["bare"], 3) for name in list(ways)[1:]},
        "overhead_core_ms": {
            name: round(core[name] - core["bare"], 3) for name in ("inline", "inline_memory")
        },
        "worker_start_s": round(start_s, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=RESULTS / "bench_overhead.json")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    found = []
    for size, step in SIZES:
        with tempfile.TemporaryDirectory() as name:
            found.append(measure_size(Path(name), size, list(range(1, 101, step)), arguments.rounds))
        print(json.dumps(found[-1]))
    result = {"rounds": arguments.rounds, "machine": measure.machine(), "load_before": load, "sizes": found}
    arguments.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
