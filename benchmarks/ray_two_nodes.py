"""A Ray cluster of two nodes encodes a folder; one node is killed in the middle of it.

    python benchmarks/ray_two_nodes.py                 # writes results/ray_two_nodes.json
    python benchmarks/ray_two_nodes.py --pictures 12 --output -

Both nodes run on this machine, each with one core and processes of its own. ``wyner encode --executor ray``
joins them. When the second node has finished a picture and works on another one, all its processes are killed
with SIGKILL, as when a machine loses power. Counted is, from the lines that the command printed and from its
manifest, that no file was lost and none was done twice but what the dead node was working on; the files are
compared with those that one process makes. Then the command runs again and finds nothing to do. Linux only.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import importlib.metadata
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from wyner import io
from wyner.batch.content import content_key
from wyner.batch.manifest import read
from wyner.image import Image

RESULT = Path(__file__).parent / "results" / "ray_two_nodes.json"
PATIENCE_S = 300  # on a machine that is busy with other things
BUSY = "ray::attempt_pickled"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=24, help="pictures in the folder (default 24)")
    parser.add_argument("--output", default=str(RESULT), help="result file, - for standard output")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = demonstrate(Path(folder), arguments.pictures)
    text = json.dumps(result, indent=1) + "\n"
    sys.stdout.write(text)
    if arguments.output != "-":
        Path(arguments.output).write_text(text)


def demonstrate(folder: Path, pictures: int, width: int = 192, height: int = 128) -> dict[str, Any]:
    """Do it below ``folder`` with so many pictures of width x height pixels; return what was counted."""
    make_pictures(folder / "in", pictures, width, height)
    with two_nodes() as (address, second):
        command = encode_command(folder / "cluster", "--executor", "ray", "--ray-address", address)
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
        try:
            done_before, in_flight = kill_when_busy(process, folder / "cluster", second)
            out, _ = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
        again = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S)
    subprocess.run(encode_command(folder / "here"), cwd=folder, capture_output=True, check=True)
    lines = [json.loads(line) for line in out.splitlines()]
    records = read(folder / "cluster" / "manifest-1-of-1.jsonl")
    written = collections.Counter(record["output"] for record in records)
    return {
        "ray": importlib.metadata.version("ray"),
        "pictures": pictures,
        "pixels": [width, height],
        "exit_code": process.returncode,
        "done_before_the_kill": done_before,
        "in_flight_on_the_killed_node": in_flight,
        "lines": len(lines),
        "lines_ok": sum(line["ok"] for line in lines),
        "files_in_manifest": len(written),
        "files_in_manifest_twice": sum(count > 1 for count in written.values()),
        "files_started_again": sum(record["attempts"] > 1 for record in records),
        "files_equal_to_one_process": sum(
            content_key(path) == content_key(folder / "cluster" / path.name)
            for path in (folder / "here").glob("*.wyn")
        ),
        "files_left_over": sum(
            path.suffix not in (".wyn", ".jsonl") for path in (folder / "cluster").iterdir()
        ),
        "skipped_by_the_second_run": sum(
            json.loads(line).get("skipped", False) for line in again.stdout.splitlines()
        ),
    }


def make_pictures(folder: Path, count: int, width: int, height: int) -> None:
    """Smooth pictures with noise, all different."""
    folder.mkdir()
    y, x = np.mgrid[0:height, 0:width]
    for index in range(count):
        noise = np.random.default_rng(index).integers(0, 8, (height, width, 3))
        planes = np.dstack([x + y + 5 * index, 2 * y, 200 - x]) + noise
        io.write(folder / f"{index:03}.png", Image.from_array(planes.clip(0, 255).astype(np.uint8)))


def encode_command(output: Path, *more: str) -> list[str]:
    """``wyner encode`` of the folder "in" with a manifest and JSON lines."""
    return [
        sys.executable,
        "-m",
        "wyner",
        "encode",
        "in",
        "-o",
        str(output),
        "-e",
        "1",
        "--resume",
        "--json",
        *more,
    ]


@contextlib.contextmanager
def two_nodes() -> Iterator[tuple[str, int]]:
    """A running cluster: its address, and the process that manages the second node."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        node = cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        [raylet] = node.all_processes["raylet"]
        yield cluster.address, raylet.process.pid
    finally:
        cluster.shutdown()


def kill_when_busy(process: subprocess.Popen[str], output: Path, node: int) -> tuple[int, int]:
    """Kill a node once it has worked and works again; return the files done so far and those it was at."""
    deadline = time.monotonic() + PATIENCE_S
    manifest = output / "manifest-1-of-1.jsonl"
    periods, was_busy = 0, False
    while time.monotonic() < deadline and process.poll() is None:
        busy = [pid for pid in descendants(node) if title(pid).startswith(BUSY)]
        periods += bool(busy) and not was_busy
        was_busy = bool(busy)
        done = len(read(manifest)) if manifest.exists() else 0
        if busy and periods >= 2 and done >= 4:
            for pid in (node, *descendants(node)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return done, len(busy)
        time.sleep(0.01)
    raise RuntimeError("the second node was not seen at work while there was work to do; try more pictures")


def descendants(pid: int) -> list[int]:
    """All processes below a process."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (thread / "children").read_text().split()):
                found += [child, *descendants(child)]
    return found


def title(pid: int) -> str:
    """What a process calls itself."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().strip("\0")
    except OSError:
        return ""


if __name__ == "__main__":
    main()
