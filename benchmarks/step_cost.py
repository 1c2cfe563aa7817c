"""Core-seconds of one fitting step: native engine against PyTorch, and against the arithmetic floor.

    python benchmarks/step_cost.py            # default network, 768x512, writes results/step_cost.json
    python benchmarks/step_cost.py --model 2 --rounds 9

Every variant is a process of its own that stays alive; rounds go through all variants in turn, so that
changes of clock speed or load meet them alike, and ratios are taken within a round. CPU time is that of all
threads of the process. A PyTorch step is a complete one too (noise, proxy, forward, backward, fused Adam).
It runs eager and compiled, and each also with the C allocator told to keep freed memory, which on Linux
nearly halves its cost. The native step that is compared does all of the same work, in float32. "thinned" is
the step of a fit, which takes gradients of weights from a part of a picture of this size (decision 21), and
hidden layers in bfloat16 where the processor gains by it (decision 23).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from step_floor import peak_fma, step_macs

from wyner._native import active_isa

RESULTS = Path(__file__).resolve().parent / "results"
MODELS = Path(__file__).resolve().parents[1] / "src" / "wyner" / "reference" / "models.json"
TEMPERATURE, NOISE, LAMBDA, STEP_SIZE = 0.3, 0.2, 1e-3, 1e-2
NATIVE = ("native", "thinned")
FLOAT32 = {"v4_bf16": "v4"}
"""What an instruction set is without its lower precision."""
KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "-1"}


# --- worker -------------------------------------------------------------------------------------


def native_runner(args: argparse.Namespace, image: np.ndarray) -> Any:
    from wyner._native import Fitter
    from wyner.codecs.overfit.schedule import thinning

    fitter = Fitter(image, args.model, args.grids, args.threads)
    thin = thinning(args.width * args.height) if args.worker == "thinned" else 1

    def run(steps: int) -> Any:
        return fitter.run(steps, STEP_SIZE, STEP_SIZE, TEMPERATURE, NOISE, LAMBDA, thin=thin)

    return run


def torch_runner(args: argparse.Namespace, image: np.ndarray) -> Any:
    import torch

    from wyner._native import Fitter
    from wyner.nn.overfit import ModelSizes, TorchFitter

    torch.set_num_threads(args.threads)
    model = json.loads(MODELS.read_text())["models"][args.model]
    sizes = ModelSizes(model["S"], model["F"], model["N"], model["M"], args.grids)
    prior = torch.from_numpy(Fitter(image, args.model, args.grids, 1).get_params())
    compiled = args.worker == "compile"
    fitter = TorchFitter(torch.from_numpy(image), prior, sizes, (STEP_SIZE, STEP_SIZE), compiled)
    return lambda steps: fitter.run(steps, TEMPERATURE, NOISE, LAMBDA)


def work(args: argparse.Namespace) -> None:
    """Serve `steps` lines from standard input with seconds per step, until it closes."""
    image = np.random.default_rng(0).random((3, args.height, args.width), dtype=np.float32)
    run = (native_runner if args.worker in NATIVE else torch_runner)(args, image)
    run(3)
    print("ready", flush=True)
    for line in sys.stdin:
        steps = int(line)
        wall, cpu = time.perf_counter(), time.process_time()
        run(steps)
        print((time.perf_counter() - wall) / steps, (time.process_time() - cpu) / steps, flush=True)


# --- parent -------------------------------------------------------------------------------------


class Variant:
    """A worker process and what it measured."""

    def __init__(self, kind: str, threads: int, keep_memory: bool, args: argparse.Namespace) -> None:
        self.name = f"{kind}, {threads} thread{'s' * (threads > 1)}" + ", kept memory" * keep_memory
        self.kind, self.steps = kind, args.native_steps if kind in NATIVE else args.torch_steps
        self.wall: list[float] = []
        self.cpu: list[float] = []
        command = [sys.executable, __file__, "--worker", kind, "--threads", str(threads)]
        for key in ("model", "grids", "width", "height"):
            command += [f"--{key}", str(getattr(args, key))]
        env = {**os.environ, **(KEEP_MEMORY if keep_memory else {})}
        if kind == "native":
            env["WYNER_ISA"] = FLOAT32.get(active_isa(), active_isa())
        self.process = subprocess.Popen(
            command, env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        if self._answer() != "ready":
            raise SystemExit(f"{self.name}: the worker did not start")

    def _answer(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def measure(self) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{self.steps}\n")
        self.process.stdin.flush()
        wall, cpu = map(float, self._answer().split())
        self.wall.append(wall)
        self.cpu.append(cpu)

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()

    def summary(self) -> dict[str, Any]:
        return {
            "core_ms": round(1000 * float(np.median(self.cpu)), 3),
            "wall_ms": round(1000 * float(np.median(self.wall)), 3),
            "core_ms_all": [round(1000 * v, 3) for v in self.cpu],
        }


def variants(args: argparse.Namespace) -> list[Variant]:
    out = [Variant(kind, t, False, args) for kind in NATIVE for t in args.thread_counts]
    if not args.native_only:
        for kind in ("eager", "compile"):
            out += [Variant(kind, t, keep, args) for t in args.thread_counts for keep in (False, True)]
    return out


def machine() -> dict[str, Any]:
    cpuinfo = Path("/proc/cpuinfo")
    text = cpuinfo.read_text() if cpuinfo.exists() else ""
    name = next((line.split(":")[1].strip() for line in text.splitlines() if "model name" in line), "")
    return {
        "cpu": name or platform.machine(),
        "cores": os.cpu_count(),
        "isa": active_isa(),
    }


def report(measured: list[Variant], args: argparse.Namespace) -> dict[str, Any]:
    """Medians, the paired ratio to each PyTorch variant, and the floor."""
    model = json.loads(MODELS.read_text())["models"][args.model]
    sizes = (model["S"], model["F"], model["N"], model["M"])
    native = min((v for v in measured if v.kind == "native"), key=lambda v: np.median(v.cpu))
    ratios = {
        v.name: round(float(np.median(np.array(v.cpu) / np.array(native.cpu))), 3)
        for v in measured
        if v.kind not in NATIVE
    }
    thinned = min((v for v in measured if v.kind == "thinned"), key=lambda v: np.median(v.cpu))
    macs = step_macs(*sizes, args.grids, args.height, args.width)
    peak, how = peak_fma(Path(tempfile.gettempdir()))
    floor = sum(macs.values()) / peak
    return {
        "command": command(sys.argv[1:]), "machine": machine(),
        "model": args.model, "sizes": dict(zip("SFNM", sizes, strict=True)), "grids": args.grids,
        "width": args.width, "height": args.height, "rounds": args.rounds,
        "variants": {v.name: v.summary() for v in measured}, "native": native.name,
        "thinned_to_native": round(float(np.median(np.array(thinned.cpu) / np.array(native.cpu))), 3),
        "ratio_to_native": ratios, "ratio_of_best_torch": min(ratios.values()) if ratios else None,
        "ratio_of_best_torch_default_allocator": min(
            (r for name, r in ratios.items() if "kept" not in name), default=None
        ),
        "macs": macs, "peak_mac_per_s": peak, "peak_measured_by": how,
        "floor_core_ms": round(1000 * floor, 3),
        "native_over_floor": round(float(np.median(native.cpu)) / floor, 3),
    }  # fmt: skip


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", type=int, default=1, help="index into models.json")
    parser.add_argument("--grids", type=int, default=7)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--height", type=int, default=512)
    parser.add_argument("--thread-counts", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--native-steps", type=int, default=40, help="steps of one round")
    parser.add_argument("--torch-steps", type=int, default=6, help="steps of one round")
    parser.add_argument("--native-only", action="store_true", help="leave PyTorch out")
    parser.add_argument("--output", type=Path, default=RESULTS / "step_cost.json")
    parser.add_argument("--worker", choices=[*NATIVE, "eager", "compile"], help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=1, help=argparse.SUPPRESS)
    return parser.parse_args()


def command(arguments: list[str]) -> str:
    """How the record was made, less where it was written to, which is of no interest elsewhere."""
    kept = [
        a for a, before in zip(arguments, ["", *arguments], strict=False) if "--output" not in (a, before)
    ]
    return " ".join(["python benchmarks/step_cost.py", *kept])


def main() -> None:
    args = parse_args()
    if args.worker:
        work(args)
        return
    measured = variants(args)
    for number in range(args.rounds):
        for variant in measured:
            time.sleep(0.1)
            variant.measure()
        print(f"round {number + 1} of {args.rounds}", file=sys.stderr)
    for variant in measured:
        variant.close()
    result = report(measured, args)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps(result, indent=1) + "\n")
    for name, v in result["variants"].items():
        print(f"{name:32s} {v['core_ms']:8.2f} ms of a core, {v['wall_ms']:8.2f} ms wall")
    print(f"floor {result['floor_core_ms']:.2f} ms ({result['native_over_floor']:.2f} times that)")
    for name, ratio in result["ratio_to_native"].items():
        print(f"{name:32s} {ratio:6.2f} times the native step")


if __name__ == "__main__":
    main()
