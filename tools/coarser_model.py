"""Make a learned codec's file serve coarser rates than it was trained for, without training.

    python tools/coarser_model.py FACTOR FILE...      # .safetensors, each replaced; its hash is another one

The logarithms of gains and of what undoes them are straight in log lambda between the lambdas where they were
learned (``wyner.nn.learned.Gains``). Here they go on in the straight line of the last eighth of their range,
up to FACTOR times the greatest lambda, and the 256 levels are spread anew over the wider range. Weights and
the tables of z stay as they are. The card tells the greatest lambda of training, ``trained_to``.

The shipped models were made by tools/train_learned.sh, ``wyner train export`` and this, with the factors that
benchmarks/results/learned_coarser.md gave reason for.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wyner.codecs.learned.model import content_hash
from wyner.nn import safetensors
from wyner.nn.integer import FRACTION
from wyner.nn.rates import LEVELS

STRETCH = LEVELS // 8
"""Levels that the straight line is fitted to."""

Floats = npt.NDArray[np.float64]


def coarser(data: bytes, factor: float) -> bytes:
    """The file of a model with a greatest lambda ``factor``, at least 1, times that of ``data``.

    Raises KeyError for the prior "factorised", whose file has no moments, and CorruptError.
    """
    tensors, metadata = safetensors.read(data)
    card = json.loads(metadata["card"])
    low, high = card["about"]["lambda_range"]
    first = -(LEVELS - 1) * np.log2(factor) / np.log2(high / low)  # of the new levels, among the old
    places = np.linspace(first, LEVELS - 1, LEVELS)
    gain, inverse = (np.log2(tensors[key].astype(np.float64)) for key in ("gain", "inverse"))
    moved, moved_inverse = (at(places, table) for table in (gain, inverse))
    if "log2_gain" in tensors:
        tensors["log2_gain"] = np.rint(moved * 2**FRACTION).astype(np.int16)
        tensors["integer_gain"] = np.rint(2.0**moved * 2**FRACTION).astype(np.int32)
    else:
        tensors["y.location"], tensors["y.scale"] = moments(tensors, gain, moved)
    tensors["gain"] = (2.0**moved).astype(np.float16)
    tensors["inverse"] = (2.0**moved_inverse).astype(np.float16)
    card["about"] |= {"lambda_range": [low, high * factor]}
    card["about"].setdefault("trained_to", high)
    card["about"]["beyond"] = "gains above lambda trained_to are extrapolated in a straight line, not trained"
    return safetensors.write(tensors, {"card": json.dumps(card)})


def at(places: Floats, table: Floats) -> Floats:
    """The rows of a table (LEVELS, M) at places among its levels, the negative ones on a straight line."""
    levels = np.arange(LEVELS)
    inside = np.stack([np.interp(places, levels, column) for column in table.T], 1)
    slope, start = np.polyfit(levels[:STRETCH], table[:STRETCH], 1)  # half precision has noise
    return np.where(places[:, None] < 0, start + places[:, None] * slope, inside)


def moments(
    tensors: safetensors.Arrays, gain: Floats, moved: Floats
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    """y.location and y.scale, (LEVELS, M), for log2 of gains ``moved`` instead of ``gain``.

    Both are proportional to the gain but for their rounding, of which all levels together have less.
    """
    index, location = (tensors[key].astype(np.float64) for key in ("y.scale", "y.location"))
    clipped = (index == 0) | (index == 255)
    scale = np.ma.masked_where(clipped, index - 16 * gain).mean(0).filled(-np.inf)
    index = np.clip(np.rint(scale + 16 * moved), 0, 255)
    location = np.rint(location.sum(0) / (2.0**gain).sum(0) * 2.0**moved)
    return location.astype(np.int32), index.astype(np.uint8)


def main() -> None:
    factor, paths = float(sys.argv[1]), [Path(name) for name in sys.argv[2:]]
    for path in paths:
        data = coarser(path.read_bytes(), factor)
        path.write_bytes(data)
        print(f"{path}: lambda up to {factor:g} times as great, model {content_hash(data).hex()}")


if __name__ == "__main__":
    main()
