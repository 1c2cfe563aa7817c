"""Speed of wyner.coder, constriction's range coder and torchac, and what their data is longer than the ideal.

    python benchmarks/coder_speed.py

A million 8-bit symbols, drawn from distributions that differ from symbol to symbol (tables: one of 64), coded
and decoded by each. Loss is the coded size over the ideal code length of the symbols under the distributions
that they were drawn from, in per cent: it holds the rounding of parameters and of probabilities, the coder's
own, and the sizes of streams. constriction computes with floating point, and is given its parameters so; of
tables it codes the symbols of one after those of another, so that it need not be told the table of each.
torchac takes a table of its own for each symbol, whatever the model: it codes the first quarter million
symbols, and making their tables is not timed (needs PyTorch, and a compiler when it is first imported).
Times are the processor time of all threads, the least of several runs, as other work on the machine disturbs
it less than wall time; wall_ms is the least wall time.
Writes results/coder_speed.json.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats
from step_cost import RESULTS, machine

from wyner import coder

try:
    import constriction
except ImportError:
    constriction = None

try:
    import torch
    import torchac
except ImportError:
    torchac = None

LOW, HIGH = 0, 255
TORCHAC_SYMBOLS = 250_000
ROWS = 64
COMPONENTS = 5


@dataclass
class Case:
    """Symbols, their ideal code lengths in bits under the real distributions, and the coders' models."""

    name: str
    symbols: np.ndarray
    bits: np.ndarray
    model: coder.Model
    theirs: list[tuple[Any, ...]]  # parts: symbols, a model of constriction, its parameters
    cdfs: np.ndarray | None = None  # of the first TORCHAC_SYMBOLS symbols, 0..65536

    @property
    def ideal_bits(self) -> float:
        return float(self.bits.sum())


# --- cases --------------------------------------------------------------------------------------


def mass(distribution: Any, symbols: np.ndarray, location: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Probabilities of symbols; the first and the last have all that lies beyond."""
    left = np.where(symbols == LOW, -np.inf, (symbols - 0.5 - location) / scale)
    right = np.where(symbols == HIGH, np.inf, (symbols + 0.5 - location) / scale)
    mirrored = left > 0  # where a difference of tails is the more precise one
    return distribution.cdf(np.where(mirrored, -left, right)) - distribution.cdf(
        np.where(mirrored, -right, left)
    )


def parameters(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Locations, and scales about 3 as of a good prediction of photographs."""
    return rng.uniform(20, 235, shape), np.exp2(rng.normal(1.5, 1, shape))


def clipped(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), LOW, HIGH).astype(np.int32)


def parametric(name: str, count: int, rng: np.random.Generator) -> Case:
    distribution = {"logistic": stats.logistic, "laplace": stats.laplace, "gaussian": stats.norm}[name]
    location, scale = parameters(rng, (count,))
    symbols = clipped(distribution.rvs(location, scale, random_state=rng))
    ideal = -np.log2(mass(distribution, symbols, location, scale))
    theirs = []
    if constriction and name != "logistic":
        family = {"laplace": "QuantizedLaplace", "gaussian": "QuantizedGaussian"}[name]
        theirs = [(symbols, getattr(constriction.stream.model, family)(LOW, HIGH), location, scale)]
    model = coder.Parametric.nearest(name, location, scale, LOW, HIGH)
    edges = np.arange(LOW, HIGH) + 0.5
    few = slice(0, TORCHAC_SYMBOLS)
    cdf = distribution.cdf((edges - location[few, None]) / scale[few, None])
    cdfs = np.rint(np.pad(cdf, ((0, 0), (1, 1)), constant_values=(0, 1)) * (65536 - HIGH - 1))
    return Case(name, symbols, ideal, model, theirs, cdfs.astype(np.int64) + np.arange(HIGH + 2))


def mixture(name: str, count: int, rng: np.random.Generator) -> Case:
    centre, scale = parameters(rng, (count, COMPONENTS))
    location = centre[:, :1] + rng.normal(0, 4, scale.shape)
    weight = rng.dirichlet(np.ones(COMPONENTS), count)
    chosen = (weight.cumsum(axis=1) < rng.random((count, 1))).sum(axis=1).clip(max=COMPONENTS - 1)
    rows = np.arange(count)
    symbols = clipped(rng.logistic(location[rows, chosen], scale[rows, chosen]))
    p = (weight * mass(stats.logistic, symbols[:, None], location, scale)).sum(axis=1)
    model = coder.LogisticMixture.nearest(weight, location, scale, LOW, HIGH)
    return Case(name, symbols, -np.log2(p), model, [])


def tables(name: str, count: int, rng: np.random.Generator) -> Case:
    p = rng.dirichlet(np.full(HIGH + 1, 0.3), ROWS) + 1e-5
    p /= p.sum(axis=1, keepdims=True)
    index = rng.integers(0, ROWS, count)
    cumulative = p.cumsum(axis=1)
    symbols = np.empty(count, np.int32)
    for row in range(ROWS):
        mine = index == row
        symbols[mine] = np.searchsorted(cumulative[row, :-1], rng.random(mine.sum()))
    steps = np.arange(HIGH + 2)
    cdfs = np.pad(np.rint(cumulative * (65536 - HIGH - 1)), ((0, 0), (1, 0))).astype(np.int64) + steps
    theirs = []
    if constriction:
        categorical = constriction.stream.model.Categorical
        theirs = [(symbols[index == row], categorical(p[row], perfect=False)) for row in range(ROWS)]
    each = cdfs[index[:TORCHAC_SYMBOLS]]
    return Case(name, symbols, -np.log2(p[index, symbols]), coder.Tables(cdfs, index), theirs, each)


CASES = {
    "tables": tables,
    **dict.fromkeys(coder.KINDS, parametric),
    "mixture of 5 logistics": mixture,
}


# --- measurement --------------------------------------------------------------------------------


def least(run: Callable[[], Any], repeats: int) -> tuple[float, float]:
    """Least processor and least wall time of a call, in seconds."""
    spent = []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        run()
        spent.append((time.process_time() - cpu, time.perf_counter() - wall))
    return min(cpu for cpu, _ in spent), min(wall for _, wall in spent)


def entry(
    case: Case, who: str, size: int, encode: Callable[[], Any], decode: Callable[[], Any], repeats: int
) -> dict[str, Any]:
    """One row of the record."""
    row = {"model": case.name, "coder": who, "loss_percent": round(100 * (8 * size / case.ideal_bits - 1), 4)}
    for name, run in (("encode", encode), ("decode", decode)):
        cpu, wall = least(run, repeats)
        row[f"{name}_msymbols_per_cpu_s"] = round(case.symbols.size / cpu / 1e6, 2)
        row[f"{name}_wall_ms"] = round(1000 * wall, 2)
    return row


def ours(case: Case, streams: int, threads: int, repeats: int) -> dict[str, Any]:
    data = coder.encode(case.symbols, case.model, streams=streams, threads=threads)
    if not np.array_equal(coder.decode(data, case.model, threads=threads), case.symbols):
        raise SystemExit(f"{case.name}: the symbols do not come back")
    row = entry(
        case, "wyner", len(data),
        lambda: coder.encode(case.symbols, case.model, streams=streams, threads=threads),
        lambda: coder.decode(data, case.model, threads=threads), repeats,
    )  # fmt: skip
    return {**row, "streams": streams, "threads": threads}


def theirs(case: Case, repeats: int) -> dict[str, Any]:
    def encode() -> np.ndarray:
        encoder = constriction.stream.queue.RangeEncoder()
        for symbols, model, *arrays in case.theirs:
            encoder.encode(symbols, model, *arrays)
        return encoder.get_compressed()

    data = encode()

    def decode() -> list[np.ndarray]:
        decoder = constriction.stream.queue.RangeDecoder(data)
        return [decoder.decode(model, *(arrays or [symbols.size])) for symbols, model, *arrays in case.theirs]

    row = entry(case, f"constriction {version('constriction')}", data.nbytes, encode, decode, repeats)
    return {**row, "streams": 1, "threads": 1}


def of_torchac(case: Case, repeats: int) -> dict[str, Any]:
    assert case.cdfs is not None
    count = len(case.cdfs)
    few = Case(case.name, case.symbols[:count], case.bits[:count], case.model, [])
    cdfs = torch.from_numpy((case.cdfs & 0xFFFF).astype(np.uint16).view(np.int16))
    symbols = torch.from_numpy(few.symbols.astype(np.int16))
    data = torchac.encode_int16_normalized_cdf(cdfs, symbols)
    if not torch.equal(torchac.decode_int16_normalized_cdf(cdfs, data), symbols):
        raise SystemExit(f"{case.name}: torchac's symbols do not come back")
    row = entry(
        few, f"torchac {version('torchac')}", len(data),
        lambda: torchac.encode_int16_normalized_cdf(cdfs, symbols),
        lambda: torchac.decode_int16_normalized_cdf(cdfs, data), repeats,
    )  # fmt: skip
    return {**row, "streams": 1, "threads": 1, "symbols": count}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--output", type=Path, default=RESULTS / "coder_speed.json")
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    rows, load = [], round(os.getloadavg()[0], 2)
    for name, make in CASES.items():
        case = make(name, args.count, rng)
        rows += [ours(case, 1, 1, args.repeats), ours(case, 16, 2, args.repeats)]
        rows += [theirs(case, args.repeats)] if case.theirs else []
        rows += [of_torchac(case, args.repeats)] if torchac and case.cdfs is not None else []
        print(*(json.dumps(row) for row in rows if row["model"] == name), sep="\n", flush=True)
    record = {
        "command": f"python benchmarks/coder_speed.py --count {args.count} --repeats {args.repeats}",
        "machine": machine(), "load_average": load,
        "times": "processor time of all threads, the least of the repeats; the machine had other work",
        "symbols": args.count, "rows": rows,
    }  # fmt: skip
    args.output.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
