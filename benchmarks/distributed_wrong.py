"""What a wrong y costs decoders that do not look at it first, and what none costs, by likelihoods.

    python benchmarks/distributed_wrong.py runs.tar ndic ndic-aligned

Rates here are the network's own estimates and no files: `wyner decode` does not use a picture that shows
something else. For each model, from a tar of benchmarks/distributed_train.py, a line of JSON with the mean
PSNR in dB over the test pairs of $WYNER_DATA/stereo/kitti2012_128x256, at six lambdas, with the right y, that
of the next pair and a grey one. Kept as results/distributed_wrong.jsonl.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import tarfile
from pathlib import Path

import numpy as np
import torch

from wyner.nn.side_models import make_model
from wyner.train.distributed import SIDES, DistributedConfig, measure
from wyner.train.stereo import find_pairs, load

LEVELS = 6


def mean_psnr(rows: list[dict], side: str, lam: float) -> float:
    return round(float(np.mean([r["psnr_db"] for r in rows if (r["side"], r["lambda"]) == (side, lam)])), 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("runs", type=Path)
    parser.add_argument("models", nargs="+")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    pairs = find_pairs("flat", Path(os.environ["WYNER_DATA"]) / "stereo/kitti2012_128x256/test")
    pictures = [(pair.scene, load(pair)) for pair in pairs]
    with tarfile.open(arguments.runs) as tar:
        for name in arguments.models:
            config = DistributedConfig.of(json.load(tar.extractfile(f"{name}/config.json")))
            weights = torch.load(io.BytesIO(tar.extractfile(f"{name}/weights.pt").read()), weights_only=True)
            model = make_model(config.model)
            model.load_state_dict({k: v.float() for k, v in weights["model"].items()}, strict=False)
            low, high = config.model.lambda_range
            lambdas = [high * (low / high) ** (level / (LEVELS - 1)) for level in range(LEVELS)]
            rows = list(measure(model, pictures, lambdas))
            means = {side: [mean_psnr(rows, side, lam) for lam in lambdas] for side in SIDES}
            print(json.dumps({"model": name, "psnr_db": means}), flush=True)


if __name__ == "__main__":
    main()
