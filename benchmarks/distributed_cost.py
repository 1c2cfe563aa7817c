"""What a training step of each distributed model takes on a CPU: seconds and peak memory.

    python benchmarks/distributed_cost.py --threads 1

Each preset trains for 12 steps at batch 8 (128x256) on $WYNER_DATA in a process of its own; the first two
steps do not count. Writes results/distributed_cost.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rd import RESULTS

PRESETS = ("ndic", "ndic-balle2018", "ndic-attention", "ndic-aligned", "dsin")
STEPS, SKIPPED, BATCH = 12, 2, 8
CHILD = """
import resource, sys, torch
from wyner.cli import main
torch.set_num_threads(int(sys.argv[1]))
code = main(sys.argv[2:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
sys.exit(code)
"""


def cost(preset: str, threads: int) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        command = ["train", "distributed", "--config", preset, "--data", os.environ["WYNER_DATA"]]
        command += ["-o", folder, "-x", f"loop.steps={STEPS}", "-x", f"loop.batch={BATCH}"]
        done = subprocess.run(
            [sys.executable, "-c", CHILD, str(threads), *command, "-x", "loop.log_every=1"],
            env={**os.environ, "OMP_NUM_THREADS": str(threads)},
            capture_output=True,
            text=True,
            check=True,
        )
        lines = [json.loads(line) for line in (Path(folder) / "log.jsonl").read_text().splitlines()]
    seconds = lines[-1]["seconds"] - lines[SKIPPED - 1]["seconds"]
    return {
        "preset": preset,
        "threads": threads,
        "batch": BATCH,
        "steps_per_second": round((STEPS - SKIPPED) / seconds, 3),
        "peak_mb": round(int(done.stdout.split()[-1]) / 1024),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    found = []
    for preset in PRESETS:
        found.append(cost(preset, arguments.threads))
        print(json.dumps(found[-1]), flush=True)
    load = os.getloadavg()[0]
    summary = {"load_average": round(load, 1), "cores": os.cpu_count(), "costs": found}
    (RESULTS / "distributed_cost.json").write_text(json.dumps(summary, indent=1) + "\n")


if __name__ == "__main__":
    main()
